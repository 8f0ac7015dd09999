"""What a lever would do if nothing came back: the same model with every feedback loop opened.

Observers who reason without feedback trace a lever's consequences forward and expect everything that
could answer them to go on as planned. So the links that close loops are cut where they lead away
from the outcome, and their targets read the course that the source took without the lever. Held at its
value of the start instead, as a plain cut holds it, a business that has grown since would be judged by
its size of the first day; where the run starts at rest both are the same.

What a stock does to hold itself in check stays closed: it is how a stock empties, a delay works, an
order book fills, a market runs out. Opened, prices and capacity would run away from their targets and
customers from their number, which nobody expects.

Doubt: a circle has no natural place to be cut at. Where capacity goes on as planned while customers
leave, a lever looks worse than where the load does. So loops are opened in two ways, seen from the
outcome (``feedback_links``) and seen from the lever (``returning_links``), and a worth without feedback
has a sign only where both agree.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flywheel import structure
from flywheel.analysis.loops.trajectory import trajectory
from flywheel.expr import Binary, Name, names, substitute
from flywheel.model import Aux, Data, DataPoint, Declaration, Flow, Lever, Model, Param, Table
from flywheel.signs import Sign, times

Link = tuple[str, str]


def feedback_links(
    model: Model, outcome: Iterable[str], signs: Mapping[Link, Sign] | None = None
) -> tuple[Link, ...]:
    """Information links whose removal opens every feedback loop, as few as a greedy search needs.

    Variables are ordered by the number of links that lead from them to the ``outcome`` variables. A
    link that does not come nearer to them feeds back; those that close no loop on their own are put
    back, the ones that lead away least first. So the shortest way from any variable to the outcome
    stays whole, and with it the lever's direct effect. A smallest such set would be NP-hard to find
    and would say nothing about which way is forward.

    Flows into stocks are never cut: a stock stands no further from the outcome than its flows, and
    what it informs is cut instead. Loops by which a stock holds itself in check stay closed (see
    ``_signals``). ``signs`` says which way links act where the equations do not show it (see
    ``measured_signs``).
    """
    whole = structure.graph(model)
    backward: dict[str, list[str]] = {name: [] for name in whole}
    for source, targets in whole.items():
        for target in targets:
            backward[target].append(source)
    distance = _distance(backward, outcome)
    far = len(whole) + 1
    rank = {name: float(distance.get(name, far)) for name in whole}
    return _openers(model, rank, signs or {})


def returning_links(
    model: Model, lever: Lever, signs: Mapping[Link, Sign] | None = None
) -> tuple[Link, ...]:
    """The same seen from a lever: links by which its consequences come back to where they have been.

    Variables are ordered by the number of links that lead to them from the lever's parameter, and a
    link that does not lead further away feeds back. What the lever does not reach is left as it is.
    """
    param = lever.param
    reading = [link.target for link in structure.links(model, params=True) if link.source == param]
    reading += [name for name, stock in model.stocks.items() if param in names(stock.initial)]
    distance = _distance(structure.graph(model), reading)
    return _openers(model, {name: -float(d) for name, d in distance.items()}, signs or {})


def _openers(
    model: Model, distance: Mapping[str, float], signs: Mapping[Link, Sign]
) -> tuple[Link, ...]:
    """Links that open every loop among the variables in ``distance`` and do not come nearer by it."""
    rank = dict(distance)
    for name, stock in model.stocks.items():
        flows = [rank[flow] - 0.5 for flow in (*stock.gains, *stock.loses) if flow in rank]
        rank |= {name: min([rank.get(name, math.inf), *flows])} if flows else {}
    forward, checks = _signals(model, signs)
    forward = {
        node: [target for target in targets if _real(target) in rank]
        for node, targets in forward.items()
        if _real(node) in rank
    }
    part_of = {
        node: number for number, part in enumerate(structure.components(forward)) for node in part
    }
    away: dict[Link, list[Link]] = {}
    """Links of the model with the links of signals that they stand for."""
    for source, targets in forward.items():
        for target in targets:
            link = _real(source), _real(target)
            if (
                target not in model.stocks
                and rank[link[1]] >= rank[link[0]]
                and source in part_of
                and part_of[source] == part_of.get(target)
            ):
                away.setdefault(link, []).append((source, target))
    cut = set(away)
    ways = {
        source: [(target, (_real(source), _real(target))) for target in targets]
        for source, targets in forward.items()
    }
    for link in sorted(away, key=lambda link: (link not in checks, rank[link[1]] - rank[link[0]])):
        cut.discard(link)
        if any(_reaches(ways, cut, end, start) for start, end in away[link]):
            cut.add(link)
    return tuple(link for link in away if link in cut)


def measured_signs(model: Model, scenario: str | None = None) -> dict[Link, Sign]:
    """The sign of each information link in the median over a run, from exact slopes."""
    run = trajectory(model, scenario=scenario)
    found: dict[Link, Sign] = {}
    for link, slopes in zip(run.structure.links, run.partials, strict=True):
        if link.kind == "information":
            middle = float(np.median(slopes))
            found[link.source, link.target] = "+" if middle > 0 else "-" if middle < 0 else "?"
    return found


def _signals(
    model: Model, measured: Mapping[Link, Sign]
) -> tuple[dict[str, list[str]], frozenset[Link]]:
    """The causal graph without what stocks do to hold themselves in check, and the links they use.

    A stock that controls a flow gets copies ``name@stock+`` and ``name@stock-`` of what it informs on
    the way there, which carry nothing but its signal, turned or not. A copy of a flow acts on
    everything but the stocks that the signal holds in check through it.
    """
    signs = {(link.source, link.target): link.sign for link in structure.links(model)}
    signs |= {
        link: sign for link, sign in measured.items() if signs.get(link) == "?" and sign != "?"
    }
    forward = {name: list(targets) for name, targets in structure.graph(model).items()}
    found = dict(forward)
    checks: set[Link] = set()
    feeds: dict[str, list[str]] = {name: [] for name in model.stocks}
    for name, stock in model.stocks.items():
        for other, fed in model.stocks.items():
            if set(stock.loses) & set(fed.gains):
                feeds[name].append(other)
    for name in model.stocks:
        upstream = [other for other in model.stocks if structure.shortest_path(feeds, other, name)]
        chain: dict[str, str] = {}
        """The flows of the stock's material chain, each with the stock that it is read at."""
        for place in sorted(upstream, key=lambda other: other != name):
            for flow in (*model.stocks[place].gains, *model.stocks[place].loses):
                chain.setdefault(flow, place)
        copies: dict[str, list[str]] = {}
        before: dict[str, list[str]] = {}
        controls: list[str] = []
        waiting: list[tuple[str, Sign]] = [(name, "+")]
        while waiting:
            node, sign = waiting.pop()
            here = name if node == name else f"{node}@{name}{sign}"
            if here in copies:
                continue
            own: set[str] = set()
            if node in chain and times(sign, signs.get((node, chain[node]), "?")) == "-":
                own = set(upstream)
                controls.append(here)
            copies[here] = []
            for target in forward[node]:
                if target in model.stocks:
                    copies[here] += [target] if target not in own else []
                    continue
                turned = times(sign, signs.get((node, target), "?"))
                copy = f"{target}@{name}{turned}"
                copies[here].append(copy)
                before.setdefault(copy, []).append(here)
                waiting.append((target, turned))
        if controls:
            found |= copies
        while controls:
            here = controls.pop()
            for source in before.pop(here, ()):
                checks.add((_real(source), _real(here)))
                controls.append(source)
    return found, frozenset(checks)


def _real(node: str) -> str:
    """The variable behind a copy."""
    return node.split("@")[0]


def _distance(forward: structure.Graph, starts: Iterable[str]) -> dict[str, int]:
    """Links to each variable from the nearest start."""
    found = {start: 0 for start in starts if start in forward}
    queue = deque(found)
    while queue:
        node = queue.popleft()
        for target in forward[node]:
            if target not in found:
                found[target] = found[node] + 1
                queue.append(target)
    return found


def _reaches(
    ways: Mapping[str, Sequence[tuple[str, Link]]], cut: Set[Link], start: str, end: str
) -> bool:
    """Whether a way leads from start to end over links that are not cut."""
    seen, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        if node == end:
            return True
        for target, link in ways.get(node, ()):
            if target not in seen and link not in cut:
                seen.add(target)
                waiting.append(target)
    return False


def opened(
    model: Model,
    links: Sequence[Link],
    moments: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.float64]],
) -> tuple[Model, tuple[str, ...]]:
    """The model with each link's target reading the given course of its source, (T,) over ``moments``;
    and per link a parameter that is 1 where it is cut so and 0 where it is left as it was.

    Between the moments the course is a straight line. Initial values are as they were.
    """
    planned = {source: _free(f"{source}__planned", model) for source, _ in links}
    switches = tuple(_free(f"{source}__{target}__cut", model) for source, target in links)
    by_target: dict[str, dict[str, str]] = {}
    added: list[Declaration] = []
    for (source, target), switch in zip(links, switches, strict=True):
        unit = getattr(model.variables[source], "unit", None)
        read = f"{switch}_read"
        away = Binary("-", Name(planned[source]), Name(source))
        seen = Binary("+", Name(source), Binary("*", Name(switch), away))
        added += [Param(name=switch, value=1.0), Aux(name=read, equation=seen, unit=unit)]
        by_target.setdefault(target, {})[source] = read

    def change(declaration: Declaration) -> Declaration:
        reads = by_target.get(declaration.name)
        if reads is None:
            return declaration
        if isinstance(declaration, Flow | Aux):
            named = {source: Name(name) for source, name in reads.items()}
            return replace(declaration, equation=substitute(declaration.equation, named))
        if isinstance(declaration, Table):
            return replace(declaration, input=reads[declaration.input])
        return declaration

    plans = [
        Data(
            name=name,
            path="",
            unit=getattr(model.variables[source], "unit", None),
            points=tuple(
                DataPoint(float(t), float(x)) for t, x in zip(moments, columns[source], strict=True)
            ),
        )
        for source, name in planned.items()
    ]
    # ``flat`` has modules unfolded: an equation inside one can be cut like any other.
    changed = replace(model, declarations=(*map(change, model.flat), *plans, *added))
    return changed, switches


def _free(wanted: str, model: Model) -> str:
    """A name that the model has not used."""
    name = wanted.replace(".", "_")
    while name in model:
        name += "_"
    return name
