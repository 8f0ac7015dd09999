"""The causal graph of a model and its feedback loops, from names alone.

No numbers are computed here: a link's sign is what can be read off the equation (a product with a
parameter that is never negative, a table that only rises), and ``?`` where it takes a run to know.
The links are what the equations read; initial values are no links, for they act only once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Literal

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key, names
from flywheel.functions import TIME
from flywheel.model import Aux, Flow, Model, Stock, Table
from flywheel.signs import Sign as Sign
from flywheel.signs import Signs, times

LinkKind = Literal["material", "information"]
Graph = Mapping[str, Sequence[str]]
"""From a node to those that it acts on."""

_LIMIT = 10_000
# Work of a search in visits of links; Johnson's algorithm needs about (nodes + links) per loop.
_EFFORT = 2_000_000
_WATCH = 2_000
"""Visits of links between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Link:
    """``source`` acts on ``target``: a flow on its stock (material), else by being read."""

    source: str
    target: str
    kind: LinkKind
    sign: Sign


@dataclass(frozen=True, slots=True)
class FeedbackLoop:
    """A closed path, each name once, beginning at the one that stands first in the file."""

    path: tuple[str, ...]
    sign: Sign

    @property
    def polarity(self) -> Literal["R", "B", "?"]:
        """Reinforcing or balancing, where the signs of all links are known."""
        return "R" if self.sign == "+" else "B" if self.sign == "-" else "?"


@dataclass(frozen=True, slots=True)
class Loops:
    """Feedback loops, shortest first. ``complete`` is False when the search stopped at its limit."""

    loops: tuple[FeedbackLoop, ...]
    complete: bool


def links(model: Model, params: bool = False) -> tuple[Link, ...]:
    """The links between the variables of a model, each pair once, targets in the order of the file.

    With ``params`` also the links from parameters. A flow that a stock both gains and loses has the
    sign ``?``. Names that the model does not have are left out (``checks`` reports them).
    """
    # Kept with the model, which never changes: reading the signs takes a tenth of a second.
    kept: dict[bool, tuple[Link, ...]] = vars(model).setdefault("_links", {})
    if params not in kept:
        kept[params] = _links(model, params)
    return kept[params]


def _links(model: Model, params: bool) -> tuple[Link, ...]:
    known = set(model.variables) | (set(model.params) if params else set())
    signs = Signs(model)
    found: list[Link] = []
    for name, variable in model.variables.items():
        if isinstance(variable, Stock):
            for flow in dict.fromkeys((*variable.gains, *variable.loses)):
                gained, lost = flow in variable.gains, flow in variable.loses
                sign: Sign = "?" if gained and lost else "+" if gained else "-"
                if flow in known:
                    found.append(Link(flow, name, "material", sign))
            continue
        found += [
            Link(source, name, "information", signs.link(source, variable))
            for source in reads(model, name)
            if source in known
        ]
    return tuple(found)


def reads(model: Model, name: str) -> tuple[str, ...]:
    """What a variable's value depends on directly, in order of appearance, without ``time``.

    The flows of a stock; the names in the equation of a flow or auxiliary (in the argument of a
    table call too); the input of a table; nothing for data.
    """
    variable = model.variables[name]
    match variable:
        case Stock(gains=gains, loses=loses):
            return tuple(dict.fromkeys((*gains, *loses)))
        case Flow(equation=equation) | Aux(equation=equation):
            return tuple(source for source in names(equation) if source != TIME)
        case Table(input=source):
            return (source,) if source in model.variables or source in model.params else ()
        case _:
            return ()


def dependency_order(model: Model) -> tuple[str, ...]:
    """The variables, each after those that it reads (a stock: that its initial value reads).

    Where they read each other in a circle, the circle is opened somewhere.
    """
    needs = {
        name: names(v.initial) if isinstance(v, Stock) else reads(model, name)
        for name, v in model.variables.items()
    }
    done: dict[str, None] = {}
    seen: set[str] = set()
    for root in needs:
        work = [(root, iter(needs[root]))] if root not in seen else []
        seen.add(root)
        while work:
            node, inner = work[-1]
            following = next((n for n in inner if n in needs and n not in seen), None)
            if following is None:
                done[node] = None
                work.pop()
            else:
                seen.add(following)
                work.append((following, iter(needs[following])))
    return tuple(done)


def graph(model: Model) -> dict[str, tuple[str, ...]]:
    """The successors of every variable, in the order of the file."""
    after: dict[str, list[str]] = {name: [] for name in model.variables}
    for target in model.variables:
        for source in reads(model, target):
            if source in after:
                after[source].append(target)
    return {name: tuple(targets) for name, targets in after.items()}


def feedback_loops(model: Model, limit: int = _LIMIT, effort: int = _EFFORT) -> Loops:
    """All feedback loops, shortest first; the first ones found when there are more than ``limit``.

    Johnson (1975), "Finding all the elementary circuits of a directed graph".
    """
    paths, complete = cycles(graph(model), limit, effort)
    signs = {(link.source, link.target): link.sign for link in links(model)}
    return Loops(tuple(_loop(path, signs) for path in paths), complete)


def shortest_loops(model: Model) -> tuple[FeedbackLoop, ...]:
    """A small set of short loops in which every link that lies on any loop takes part.

    Oliva's shortest independent loop set (2004, "Model structure analysis through graph theory"):
    from short to long, a loop is kept when it brings a link that no kept loop has. Never cut short.
    """
    whole = graph(model)
    signs = {(link.source, link.target): link.sign for link in links(model)}
    order = {name: place for place, name in enumerate(whole)}
    candidates: set[tuple[str, ...]] = set()
    for part in components(whole):
        inside = set(part)
        within = {name: [n for n in whole[name] if n in inside] for name in part}
        for source, targets in within.items():
            for target in targets:
                back = shortest_path(within, target, source)
                if back is not None:
                    candidates.add(_rotated(back, order))
    kept: list[tuple[str, ...]] = []
    covered: set[tuple[str, str]] = set()
    for path in sorted(candidates, key=lambda p: (len(p), [order[name] for name in p])):
        edges = set(zip(path, (*path[1:], path[0]), strict=True))
        if not edges <= covered:
            covered |= edges
            kept.append(path)
    return tuple(_loop(path, signs) for path in kept)


def loop_of(model: Model, path: Sequence[str]) -> FeedbackLoop:
    """The loop along ``path`` (names in any case, the first may be repeated at the end).

    Raises UnknownNameError for a name that is no variable, UsageError for a step that is no link.
    """
    spelt = {key(name): name for name in model.variables}
    given = [*path[:-1]] if len(path) > 1 and key(path[0]) == key(path[-1]) else [*path]
    for name in given:
        if key(name) not in spelt:
            raise unknown_name(name, "variable", model.variables, f"model {model.name}")
    closed = tuple(spelt[key(name)] for name in given)
    signs = {(link.source, link.target): link.sign for link in links(model)}
    for source, target in zip(closed, (*closed[1:], *closed[:1]), strict=True):
        if (source, target) not in signs:
            raise UsageError(f"{target} does not depend directly on {source}")
    return _loop(closed, signs)


def _loop(path: tuple[str, ...], signs: Mapping[tuple[str, str], Sign]) -> FeedbackLoop:
    sign: Sign = "+"
    for edge in zip(path, (*path[1:], path[0]), strict=True):
        sign = times(sign, signs[edge])
    return FeedbackLoop(path, sign)


def _rotated(path: Sequence[str], order: Mapping[str, int]) -> tuple[str, ...]:
    first = min(range(len(path)), key=lambda place: order[path[place]])
    return (*path[first:], *path[:first])


# Graphs -----------------------------------------------------------------------------------------


def shortest_path(graph: Graph, source: str, target: str) -> tuple[str, ...] | None:
    """The names from ``source`` to ``target``, both included, over the fewest links; None if none.

    From a node to itself that is the node alone.
    """
    before: dict[str, str | None] = {source: None}
    queue = deque([source])
    while queue:
        node = queue.popleft()
        if node == target:
            path = [node]
            while (previous := before[path[-1]]) is not None:
                path.append(previous)
            return tuple(reversed(path))
        for successor in graph.get(node, ()):
            if successor not in before:
                before[successor] = node
                queue.append(successor)
    return None


def components(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The strongly connected parts that hold a loop, nodes in the order of the graph (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[tuple[str, ...]] = []
    order = {name: place for place, name in enumerate(graph)}
    for root in graph:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work: list[tuple[str, Iterator[str]]] = [(root, iter(graph[root]))]
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in order:
                    continue
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(graph[successor])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        part.append(member)
                        if member == node:
                            break
                    if len(part) > 1 or node in graph[node]:
                        found.append(tuple(sorted(part, key=order.__getitem__)))
    return tuple(sorted(found, key=lambda part: order[part[0]]))


def cycles(
    graph: Graph, limit: int = _LIMIT, effort: int = _EFFORT, seconds: float = inf
) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """The elementary circuits of a graph, shortest first, and whether these are all.

    The search ends early after ``limit`` circuits, about ``effort`` visits of links, or ``seconds``.
    """
    deadline = monotonic() + seconds
    order = {name: place for place, name in enumerate(graph)}
    found: list[tuple[str, ...]] = []
    left = effort
    complete = True
    waiting = list(reversed(components(graph)))
    while waiting and complete:
        part = waiting.pop()
        inside = set(part)
        within = {name: [n for n in dict.fromkeys(graph[name]) if n in inside] for name in part}
        room = limit - len(found)
        some, left = _circuits_through(part[0], within, room, left, deadline)
        found += some[:room]
        complete = len(some) <= room and left > 0
        rest = {
            name: [n for n in targets if n != part[0]]
            for name, targets in within.items()
            if name != part[0]
        }
        left -= sum(map(len, rest.values()))
        waiting += reversed(components(rest))
        if waiting and monotonic() > deadline:
            complete = False
    found.sort(key=lambda path: (len(path), [order[name] for name in path]))
    return tuple(found), complete


def _circuits_through(
    start: str, within: Graph, room: int, effort: int, deadline: float = inf
) -> tuple[list[tuple[str, ...]], int]:
    """Circuits through ``start`` in a strongly connected graph, at most ``room`` + 1 of them.

    Also what is left of ``effort``. This is the inner part of Johnson's algorithm without recursion:
    a node is blocked while it is on the path, and after a vain search until a node ahead is freed.
    """
    found: list[tuple[str, ...]] = []
    path = [start]
    blocked = {start}
    waits: dict[str, set[str]] = {}
    closed: set[str] = set()
    watch = effort - _WATCH
    work: list[tuple[str, Iterator[str]]] = [(start, iter(within[start]))]
    while work:
        node, successors = work[-1]
        for successor in successors:
            effort -= 1
            if successor == start:
                found.append(tuple(path))
                closed.update(path)
                if len(found) > room:
                    return found, effort
            elif successor not in blocked:
                path.append(successor)
                blocked.add(successor)
                closed.discard(successor)
                work.append((successor, iter(within[successor])))
                break
        else:
            if node in closed:
                _unblock(node, blocked, waits)
            else:
                for successor in within[node]:
                    waits.setdefault(successor, set()).add(node)
            work.pop()
            path.pop()
        if effort <= 0 or (effort < watch and monotonic() > deadline):
            return found, 0
        if effort < watch:
            watch -= _WATCH
    return found, effort


def _unblock(node: str, blocked: set[str], waits: dict[str, set[str]]) -> None:
    freed = [node]
    while freed:
        current = freed.pop()
        if current in blocked:
            blocked.discard(current)
            freed.extend(waits.pop(current, ()))
