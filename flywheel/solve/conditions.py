"""Conditions on the state, taken out of the equations so that a solver can hold them.

An ``if`` on a stock makes a right-hand side that jumps where the state says so. Here each comparison of
such values becomes a hidden input, 1 or 0: while it is held, the equations are smooth, and the moment
at which left minus right changes its sign is an *event* to be located. Comparisons of parameters and
of the plain time need none of this (``kernel.expand`` holds the latter already).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flywheel.expr import COMPARISONS, Binary, Call, Expr, Name, Number, names, rebuild, walk
from flywheel.kernel.system import Equation, System

_HELD = COMPARISONS - {"==", "!="}


@dataclass(frozen=True)
class Condition:
    """Two values whose order decides something.

    ``side`` is the input that holds 1 while ``left`` is above ``right`` and 0 while it is below;
    ``left`` and ``right`` are equations of the changed system. ``tie`` is its value where they are
    equal. ``owner`` is the variable that reads it, ``text`` the comparison as it is written.
    """

    side: str
    left: str
    right: str
    tie: float
    owner: str
    text: str


def hold_conditions(system: System) -> tuple[System, tuple[Condition, ...], tuple[str, ...]]:
    """The system with comparisons of varying values held by inputs, these conditions, and the names of
    equations that tell what each ``floor`` and ``round`` of a varying value says.

    A condition reads only conditions that come before it. Initial values are left as they are.
    ``==`` and ``!=`` stay too: of smooth values they hold at single moments, which nothing feels, and
    of values that jump they change with a condition that is held.
    """
    taking = _Taking(system)
    equations = [replace(e, expr=taking.out(e.expr, e.owner)) for e in system.equations]
    stocks = tuple(replace(s, rate=taking.out(s.rate, s.owner)) for s in system.stocks)
    sides = tuple(condition.side for condition in taking.conditions)
    changed = replace(
        system,
        inputs=(*system.inputs, *sides),
        defaults=(*system.defaults, *(0.0 for _ in sides)),
        equations=(*equations, *taking.equations),
        stocks=stocks,
    )
    return changed, tuple(taking.conditions), tuple(taking.steps)


class _Taking:
    """Collects the conditions while expressions are rewritten in order."""

    def __init__(self, system: System) -> None:
        self.steady = {*system.inputs, *(switch.name for switch in system.switches)}
        self.conditions: list[Condition] = []
        self.steps: list[str] = []
        self.equations: list[Equation] = []
        self._known: dict[tuple[Expr, Expr], str] = {}

    def out(self, expr: Expr, owner: str) -> Expr:
        def change(node: Expr) -> Expr:
            if self.steady.issuperset(names(node)):
                return node
            if isinstance(node, Call) and node.function in ("floor", "round"):
                self.steps.append(f"@step:{len(self.steps) + 1}")
                self.equations.append(Equation(self.steps[-1], node, owner))
            if not isinstance(node, Binary) or node.op not in _HELD:
                return node
            above = node.op in (">", ">=")
            swapped = self._known.get((node.right, node.left))
            if swapped is not None:
                side, above = swapped, not above
            else:
                side = self._known.get((node.left, node.right)) or self._new(node, owner)
            held: Expr = Name(side, node.span)
            return held if above else Binary("-", Number(1.0), held, node.span)

        return rebuild(expr, change)

    def _new(self, node: Binary, owner: str) -> str:
        number = len(self.conditions) + 1
        side, left, right = f"@side:{number}", f"@left:{number}", f"@right:{number}"
        tie = 1.0 if node.op in (">=", "<") else 0.0
        text = node.span.text if node.span else ""
        self.conditions.append(Condition(side, left, right, tie, owner, text))
        self.equations += [Equation(left, node.left, owner), Equation(right, node.right, owner)]
        self._known[node.left, node.right] = side
        return side


def rounded(system: System) -> frozenset[str]:
    """Inputs and stocks that decide what ``floor`` or ``round`` of a varying value sees.

    Such a value jumps whenever its argument passes a whole number (or a half).
    """
    steady = {*system.inputs, *(switch.name for switch in system.switches)}
    reads: dict[str, Sequence[Expr]] = {e.name: (e.expr,) for e in system.equations}
    reads |= {s.name: (s.rate, s.initial) for s in system.stocks}
    reads |= {switch.name: (switch.expr,) for switch in system.switches}
    pending = [
        name
        for exprs in [*reads.values()]
        for expr in exprs
        for node in walk(expr)
        if isinstance(node, Call) and node.function in ("floor", "round")
        if not steady.issuperset(names(node))
        for name in names(node)
    ]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += [other for expr in reads.get(name, ()) for other in names(expr)]
    return frozenset(seen)
