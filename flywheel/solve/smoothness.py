"""Where a system has no derivative: at events whose time can be moved, and at conditions that jump."""

from __future__ import annotations

from flywheel.expr import COMPARISONS, Binary, Call, Expr, Name, Unary, names, walk
from flywheel.kernel.system import System


def event_inputs(system: System) -> frozenset[str]:
    """Inputs on which the time of an event depends: those that switches read, and the lengths of
    pipelines. A fixed-step run is piecewise constant in them."""
    equations = {e.name: e.expr for e in system.equations}
    pending = [name for switch in system.switches for name in names(switch.expr)]
    pending += [name for pipe in system.pipelines for name in names(pipe.delay)]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += names(equations[name]) if name in equations else ()
    return frozenset(seen & set(system.inputs))


def jumps(system: System) -> tuple[str, ...]:
    """Owners of equations that may jump when a condition on the state changes.

    An ``if`` whose branches meet at the condition does not jump; it is listed all the same, because
    that cannot be read off the equation.
    """
    steady = {switch.name for switch in system.switches} | set(system.inputs)
    exprs = [(e.owner, e.expr) for e in system.equations]
    exprs += [(s.owner, s.rate) for s in system.stocks]
    found = (owner for owner, expr in exprs if any(_jumps(node, steady) for node in walk(expr)))
    return tuple(dict.fromkeys(found))


def _jumps(node: Expr, steady: set[str]) -> bool:
    if isinstance(node, Call) and node.function in ("floor", "round"):
        return not set(names(node)) <= steady
    is_condition = isinstance(node, Binary) and node.op in COMPARISONS
    return is_condition and not set(names(node)) <= steady


def flags(system: System) -> frozenset[str]:
    """Inputs that are read as true or false: 0 is off, whatever else is on."""
    inputs = frozenset(system.inputs)
    exprs = [e.expr for e in system.equations]
    exprs += [expr for s in system.stocks for expr in (s.rate, s.initial)]
    pending: list[Expr] = []
    for expr in exprs:
        pending += [n.args[0] for n in walk(expr) if isinstance(n, Call) and n.function == "if"]
    found: set[str] = set()
    while pending:
        match pending.pop():
            case Name(name=name) if name in inputs:
                found.add(name)
            case Unary(op="not", operand=operand):
                pending.append(operand)
            case Binary(op="and" | "or", left=left, right=right):
                pending += [left, right]
    return frozenset(found)
