"""Can the equations be put in an order? Circles without a stock or delay, now and at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flywheel.errors import Finding
from flywheel.expr import Call, Expr, Name, children
from flywheel.functions import FUNCTIONS, TIME
from flywheel.model import Aux, Flow, Model, Stock, Table
from flywheel.structure import components, shortest_path

# The value of these follows from hidden stocks alone. Of a material delay the outflow also needs the
# delay time now; trend, forecast and npv look at their input as it is now.
_SMOOTHS = frozenset({"smooth", "smooth3", "smoothn", "delay_fixed"})
_MATERIAL = frozenset({"delay1", "delay3", "delayn"})


def check_graph(model: Model, strict: bool = False) -> tuple[Finding, ...]:
    """Findings for circles in which each needs the other's value at the same moment.

    Codes: ``algebraic-loop`` (at every time) and ``initial-loop`` (only to start), one finding for
    each knot of equations, with the shortest path around it. ``strict`` changes nothing here.
    """
    now = {
        name: _names_now(variable.equation)
        for name, variable in model.variables.items()
        if isinstance(variable, Flow | Aux)
    }
    now |= {name: (table.input,) for name, table in model.tables.items()}
    findings = [
        _circle(
            model,
            path,
            "algebraic-loop",
            "need each other's value at the same moment",
            "put a stock or a delay, such as smooth(x, tau), into the circle",
        )
        for path in _circles(now)
    ]
    tangled = {name for part in components(_known(now)) for name in part}
    start = {name: _names_at_start(model, name) for name in model.variables}
    findings += [
        _circle(
            model,
            path,
            "initial-loop",
            "need each other's value to start",
            "give one of the stocks or delays an initial value that does not depend on the others",
        )
        for path in _circles(start)
        if not set(path) <= tangled
    ]
    return tuple(findings)


def _known(graph: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: [n for n in reads if n in graph] for name, reads in graph.items()}


def _circles(graph: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """One shortest circle in each knot, from cause to effect, the first name repeated at the end."""
    inner = _known(graph)
    found = []
    for part in components(inner):
        inside = set(part)
        within = {name: [n for n in inner[name] if n in inside] for name in part}
        around = []
        for name in part:
            for read in within[name]:
                back = shortest_path(within, read, name)
                if back is not None:
                    around.append((name, *back))
        shortest = min(around, key=len)
        found.append(tuple(reversed(shortest)))
    return found


def _circle(model: Model, path: tuple[str, ...], code: str, sentence: str, hint: str) -> Finding:
    place = model.variables[path[0]]
    if len(path) == 2:
        message = f"{path[0]!r} needs its own value at the same moment"
    else:
        message = f"{' -> '.join(path)}: these {sentence}"
    return Finding("error", code, message, place.name_span or place.span, hint)


def _names_now(expr: Expr) -> tuple[str, ...]:
    """The names whose values now an expression's value now needs."""
    found: dict[str, None] = {}
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Name):
            if node.name != TIME:
                found[node.name] = None
            continue
        if isinstance(node, Call) and node.function in _SMOOTHS:
            continue
        parts = children(node)
        if isinstance(node, Call) and node.function in _MATERIAL:
            parts = node.args[1:2]
        stack.extend(reversed(parts))
    return tuple(found)


def _names_at_start(model: Model, name: str) -> tuple[str, ...]:
    """The names whose values at the start a variable's value at the start needs."""
    variable = model.variables[name]
    match variable:
        case Stock(initial=initial):
            return _start(initial)
        case Flow(equation=equation) | Aux(equation=equation):
            return _start(equation)
        case Table(input=source):
            return (source,)
        case _:
            return ()


def _start(expr: Expr) -> tuple[str, ...]:
    """Like ``_names_now`` at the first moment, when a delay gives its initial value."""
    found: dict[str, None] = {}
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Name):
            if node.name != TIME:
                found[node.name] = None
            continue
        parts = children(node)
        if isinstance(node, Call):
            parts = _arguments_at_start(node)
        stack.extend(reversed(parts))
    return tuple(found)


def _arguments_at_start(call: Call) -> tuple[Expr, ...]:
    function = FUNCTIONS.get(call.function)
    if function is None or call.function not in _SMOOTHS | _MATERIAL:
        return call.args
    place = (*function.required, *function.optional).index("initial")
    initial = call.args[place : place + 1] or call.args[:1]
    reads_tau = call.function in _MATERIAL or call.function == "delay_fixed"
    return (*initial, call.args[1]) if reads_tau else initial
