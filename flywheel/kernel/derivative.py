"""Derivatives of graphs, as more nodes of the same graph.

``forward`` carries tangents from leaves to roots, ``reverse`` carries adjoints from roots back to
leaves (Griewank and Walther 2008, chapters 3 and 6). Both read the one table of rules below. The new
nodes share their work with the old ones (hash-consing), and simplify and take their pace as all nodes
do: what only parameters decide is still computed once a run.

Where an expression has a corner (``min``, ``abs``, a table's knot) the derivative is that of one side;
comparisons, ``floor`` and ``round`` have none. What an ``if`` does not choose has adjoint 0, even
where its own derivative is infinite: ``gate`` keeps 0 times infinity from becoming NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from flywheel.kernel.ir import Graph, Node

Partial: TypeAlias = Callable[[int], int]
"""From the adjoint of a node to what it adds to the adjoint of one argument (linear in it)."""

FLAT = frozenset(
    {
        "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not",
        "floor", "round", "powbound", "parity", "slope",
    }
)  # fmt: skip
"""Operations whose derivative is 0 wherever they have one."""
_GATES = frozenset({"if", "min", "max"})
_STEEP = frozenset({"sqrt", "powfix"})
"""Operations that can be infinitely steep where they are finite: at 0."""
_RISKY = frozenset({"div", "ln", "log10", "powfix", "exp", "sqrt", "tan"})


def reverse(
    graph: Graph, seeds: Mapping[int, int], wanted: Iterable[int], *, gated: Iterable[int] = ()
) -> dict[int, int]:
    """The nodes of d(sum of seed * node) / d(each wanted node); wanted nodes count as leaves.

    ``seeds`` maps nodes to the nodes of their weights. Wanted nodes on which nothing depends are left
    out. Where the weight of a ``gated`` root is 0 it adds nothing, whatever its value is. Nodes are
    added to ``graph``.
    """
    leaves = frozenset(wanted)
    active = _depending(graph, seeds, leaves)
    sums: dict[int, list[int]] = {}
    behind = set(gated)
    for root, weight in seeds.items():
        if root in active:
            sums.setdefault(root, []).append(weight)
    found: dict[int, int] = {}
    risk = _Risk(graph)
    for position in sorted(active, reverse=True):
        if position not in sums:
            continue
        bar = _sum(graph, sums.pop(position))
        if position in leaves:
            found[position] = bar
            continue
        node = graph.nodes[position]
        closed = position in behind
        for place, arg in enumerate(node.args):
            if arg not in active:
                continue
            rule = _partial(graph, position, node, place)
            if rule is None:
                continue
            part = rule(bar)
            if closed and part != bar and risk(part, bar):
                part = graph.intern("gate", (bar, part))
            sums.setdefault(arg, []).append(part)
            if closed or node.op in _GATES:
                behind.add(arg)
    return found


def forward(graph: Graph, seeds: Mapping[int, int], roots: Iterable[int]) -> dict[int, int]:
    """The tangents of the roots, given those of some nodes; roots without one are left out.

    ``seeds`` maps nodes, usually leaves, to the nodes of their tangents. Nodes are added to ``graph``.
    """
    wanted = tuple(roots)
    active = _depending(graph, wanted, frozenset(seeds))
    tangents: dict[int, int] = dict(seeds)
    for position in sorted(active):
        if position in tangents:
            continue
        node = graph.nodes[position]
        if node.op == "if":
            tangents[position] = _chosen(graph, node, tangents)
            continue
        if node.op in ("min", "max"):
            a, b = node.args
            first = graph.add("le" if node.op == "min" else "ge", a, b)
            choice = Node("if", (first, a, b))
            tangents[position] = _chosen(graph, choice, tangents)
            continue
        parts = []
        for place, arg in enumerate(node.args):
            if arg not in tangents:
                continue
            rule = _partial(graph, position, node, place)
            if rule is None:
                continue
            part = rule(tangents[arg])
            if node.op in _STEEP:
                # What does not move carries nothing, not even through an infinite slope.
                part = graph.intern("gate", (tangents[arg], part))
            parts.append(part)
        if parts:
            tangents[position] = _sum(graph, parts)
    return {root: tangents[root] for root in wanted if root in tangents}


def _chosen(graph: Graph, node: Node, tangents: Mapping[int, int]) -> int:
    """The tangent of the branch that is taken; the other one's may be NaN."""
    zero = graph.const(0.0)
    condition, then, otherwise = node.args
    return graph.add("if", condition, tangents.get(then, zero), tangents.get(otherwise, zero))


def _sum(graph: Graph, parts: list[int]) -> int:
    found = parts[0]
    for part in parts[1:]:
        found = graph.add("add", found, part)
    return found


def _depending(graph: Graph, roots: Iterable[int], leaves: frozenset[int]) -> set[int]:
    """The nodes between leaves and roots, both included, along ways that a derivative can take."""
    nodes = graph.nodes
    reached: set[int] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node not in reached:
            reached.add(node)
            if node not in leaves and nodes[node].op not in FLAT:
                pending.extend(nodes[node].args)
    active: set[int] = set()
    for node in sorted(reached):
        flat = nodes[node].op in FLAT
        if node in leaves or (not flat and any(arg in active for arg in nodes[node].args)):
            active.add(node)
    return active


class _Risk:
    """Whether a node may be infinite or NaN although everything went well where it matters."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[int, bool] = {}

    def __call__(self, part: int, bar: int) -> bool:
        """Whether ``part``, made from ``bar``, has a factor at risk."""
        node = self.graph.nodes[part]
        return any(self._risky(arg) for arg in node.args if arg != bar) or node.op in _RISKY

    def _risky(self, root: int) -> bool:
        graph, known = self.graph, self.known
        pending = [root]
        while pending:
            position = pending[-1]
            node = graph.nodes[position]
            if position in known:
                pending.pop()
                continue
            if not node.args:
                known[position] = False
            elif node.op in _RISKY:
                known[position] = True
            else:
                open_ = [arg for arg in node.args if arg not in known]
                if open_:
                    pending.extend(open_)
                    continue
                known[position] = any(known[arg] for arg in node.args)
            pending.pop()
        return known[root]


# Rules -------------------------------------------------------------------------------------------


def _partial(graph: Graph, position: int, node: Node, place: int) -> Partial | None:
    """How the adjoint of a node passes to its argument number ``place``; None for not at all."""
    if node.op in FLAT:
        return None
    return _RULES[node.op](graph, position, node.args, place, node)


def _linear(*signs: int) -> Callable[..., Partial | None]:
    def rule(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
        if signs[place] > 0:
            return lambda bar: bar
        return lambda bar: graph.add("neg", bar)

    return rule


def _mul(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
    return lambda bar: graph.add("mul", bar, args[1 - place])


def _div(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
    if place == 0:
        return lambda bar: graph.add("div", bar, args[1])
    return lambda bar: graph.add("neg", graph.add("mul", graph.add("div", bar, args[1]), at))


def _of_result(factor: Callable[[Graph, int], int]) -> Callable[..., Partial | None]:
    """d/dx as a function of the result."""

    def rule(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
        return lambda bar: graph.add("mul", bar, factor(graph, at))

    return rule


def _of_argument(factor: Callable[[Graph, int], int]) -> Callable[..., Partial | None]:
    """d/dx as a function of the argument."""

    def rule(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
        return lambda bar: graph.add("mul", bar, factor(graph, args[0]))

    return rule


def _one_minus_square(graph: Graph, y: int) -> int:
    return graph.add("sub", graph.const(1.0), graph.add("mul", y, y))


def _one_plus_square(graph: Graph, y: int) -> int:
    return graph.add("add", graph.const(1.0), graph.add("mul", y, y))


def _log(scale: float) -> Callable[..., Partial | None]:
    def rule(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
        return lambda bar: graph.add("div", graph.add("mul", bar, graph.const(scale)), args[0])

    return rule


def _sqrt(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
    return lambda bar: graph.add("div", graph.add("mul", bar, graph.const(0.5)), at)


def _abs(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
    below = graph.add("lt", args[0], graph.const(0.0))
    return lambda bar: graph.add("if", below, graph.add("neg", bar), bar)


def _if(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial | None:
    zero = graph.const(0.0)
    if place == 0:
        return None
    if place == 1:
        return lambda bar: graph.add("if", args[0], bar, zero)
    return lambda bar: graph.add("if", args[0], zero, bar)


def _extreme(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
    zero = graph.const(0.0)
    first = graph.add("le" if node.op == "min" else "ge", *args)
    if place == 0:
        return lambda bar: graph.add("if", first, bar, zero)
    return lambda bar: graph.add("if", first, zero, bar)


def _lookup(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial:
    return lambda bar: graph.add("mul", bar, graph.intern("slope", args, node.data))


def _powfix(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial | None:
    """x^y by its own derivatives: y x^y / x and x^y ln|x|, with their limits where x is 0."""
    _, base, exponent = args[:3]
    zero, one = graph.const(0.0), graph.const(1.0)
    at_zero = graph.add("eq", base, zero)
    if place == 1:
        # y x^(y-1) at x = 0: 0 for y > 1 and y = 0, 1 for y = 1, infinite between 0 and 1.
        steep = graph.add("mul", exponent, graph.const(float("inf")))
        steep = graph.add("if", graph.add("eq", exponent, zero), zero, steep)
        limit = graph.add("if", graph.add("eq", exponent, one), one, steep)
        limit = graph.add("if", graph.add("gt", exponent, one), zero, limit)
        slope = graph.add("mul", exponent, graph.add("div", at, base))
        factor = graph.add("if", at_zero, limit, slope)
        return lambda bar: graph.add("mul", bar, factor)
    if place == 2:
        log = graph.add("ln", graph.add("abs", base))
        factor = graph.add("if", at_zero, zero, graph.add("mul", at, log))
        return lambda bar: graph.add("mul", bar, factor)
    return None  # its size, bound and parity follow from base and exponent


def _gate(graph: Graph, at: int, args: tuple[int, ...], place: int, node: Node) -> Partial | None:
    """For second derivatives: linear in what passes, closed where the gate is."""
    if place == 0:
        return None
    closed = graph.add("eq", args[0], graph.const(0.0))
    zero = graph.const(0.0)
    return lambda bar: graph.add("if", closed, zero, bar)


_RULES: Mapping[str, Callable[..., Partial | None]] = {
    "neg": _linear(-1),
    "add": _linear(1, 1),
    "sub": _linear(1, -1),
    "mul": _mul,
    "div": _div,
    "exp": _of_result(lambda graph, y: y),
    "ln": _log(1.0),
    "log10": _log(0.4342944819032518),
    "sqrt": _sqrt,
    "abs": _abs,
    "sin": _of_argument(lambda graph, x: graph.add("cos", x)),
    "cos": _of_argument(lambda graph, x: graph.add("neg", graph.add("sin", x))),
    "tan": _of_result(_one_plus_square),
    "tanh": _of_result(_one_minus_square),
    "if": _if,
    "min": _extreme,
    "max": _extreme,
    "lookup": _lookup,
    "powfix": _powfix,
    "gate": _gate,
}
