"""Meadows' places to intervene (1999), read off the structure of a model.

A lever's declared level counts first, for itself and for the parameter that it moves. The rest is
inferred: what only an initial value reads is a buffer, what has the unit of time and divides or delays
is a delay, what a flow brings a stock towards is a goal, a switch between two rules is a rule, and the
rest are parameters. What a parameter means to people is not in its equation: read it with doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flywheel.expr import Binary, Call, Expr, Name, names, walk
from flywheel.model import Aux, Flow, Model, Stock
from flywheel.units import UnitSystem

PARAMETER, BUFFER, FLOW, DELAY, BALANCING, REINFORCING = 12, 11, 10, 9, 8, 7
INFORMATION, RULE, STRUCTURE, GOAL, PARADIGM, TRANSCENDING = 6, 5, 4, 3, 2, 1

LEVELS: Mapping[int, tuple[str, str]] = {
    12: ("parameters", "매개변수"),
    11: ("buffers", "완충 재고"),
    10: ("stocks and flows", "저량과 유량 구조"),
    9: ("delays", "지연"),
    8: ("balancing loops", "균형 고리"),
    7: ("reinforcing loops", "강화 고리"),
    6: ("information", "정보 흐름"),
    5: ("rules", "규칙"),
    4: ("self-organisation", "자기조직"),
    3: ("goals", "목표"),
    2: ("paradigm", "패러다임"),
    1: ("transcending paradigms", "패러다임의 초월"),
}
"""Names of the levels, English and Korean. 12 is said to move least, 1 most."""

_DELAYS = frozenset({"smooth", "smooth3", "smoothn", "delay1", "delay3", "delayn", "delay_fixed"})
_DELAYS |= {"trend", "forecast"}


def levels_of(model: Model) -> dict[str, int]:
    """The level of every parameter, stock (its initial value) and declared lever, by name."""
    found = dict.fromkeys(model.stocks, BUFFER)
    equations = [d.equation for d in model.variables.values() if isinstance(d, Flow | Aux)]
    reads = [(expr, frozenset(names(expr))) for expr in equations]
    starts = {name for stock in model.stocks.values() for name in names(stock.initial)}
    goals = _goals(model)
    for name in model.params:
        running = [expr for expr, read in reads if name in read]
        found[name] = _of_param(model, name, running, starts, goals)
    for lever in model.levers.values():
        level = lever.level or found.get(lever.param, PARAMETER)
        found[lever.name] = level
        if lever.level:
            found[lever.param] = level
    return found


def _of_param(
    model: Model, name: str, running: Sequence[Expr], starts: set[str], goals: set[str]
) -> int:
    prefix, _, last = name.rpartition(".")
    if prefix and last == "desired":
        return RULE
    if prefix and last == "on":
        return STRUCTURE
    if not running and name in starts:
        return BUFFER
    if any(_delays(expr, name, _is_time(model, name)) for expr in running):
        return DELAY
    if name in goals:
        return GOAL
    return PARAMETER


def _is_time(model: Model, name: str) -> bool:
    """Whether a parameter is a duration: in the unit of time, and no moment of the run."""
    param, time = model.params[name], model.time
    if param.unit is None or time.unit is None:
        return False
    units = UnitSystem(model.units.values())
    own, clock = units.dimension(param.unit), units.dimension(time.unit)
    if own is None or clock is None or not own.alike(clock):
        return False
    return time.start == 0 or not time.start <= param.value <= time.stop


def _delays(expr: Expr, name: str, is_time: bool) -> bool:
    """Whether a parameter is the time of a delay in an expression, or a duration that divides."""
    for node in walk(expr):
        if isinstance(node, Call) and node.function in _DELAYS and name in names(node.args[1]):
            return True
        if is_time and isinstance(node, Binary) and node.op == "/" and name in names(node.right):
            return True
    return False


def _goals(model: Model) -> set[str]:
    """Parameters that a flow of a stock subtracts the stock from: the stock is brought to them."""
    found = set()
    for stock in model.stocks.values():
        for flow in (*stock.gains, *stock.loses):
            variable = model.variables.get(flow)
            if isinstance(variable, Flow):
                found |= set(_gaps(variable.equation, stock))
    return found & set(model.params)


def _gaps(expr: Expr, stock: Stock) -> Iterator[str]:
    for node in walk(expr):
        if isinstance(node, Binary) and node.op == "-":
            sides = (node.left, node.right)
            for one, other in (sides, sides[::-1]):
                if isinstance(one, Name) and isinstance(other, Name) and other.name == stock.name:
                    yield one.name
