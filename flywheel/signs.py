"""What an equation tells by itself: between which numbers a value stays, and where a slope points.

Bounds are interval arithmetic over the ranges of parameters and the bounds of stocks; slopes follow
from them by the rules of calculus (a product rises with one factor where the other is never
negative). Both are cautious: what they say holds for every run inside the ranges, and where the text
does not tell they say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, names
from flywheel.functions import FUNCTIONS, TIME
from flywheel.model import Aux, Data, Flow, Model, Param, Stock, Table

Sign = Literal["+", "-", "?"]
"""Whether the target rises (+) or falls (-) when only the source rises; ? where it depends."""
Slope = Literal["0", "+", "-", "?"]
"""0: flat; + and -: never the other way (it may be flat in places)."""
Bounds = tuple[float, float]
"""The least and the greatest value."""

_ANYTHING: Bounds = (-math.inf, math.inf)
_POSITIVE: Bounds = (0.0, math.inf)
_SHARE: Bounds = (0.0, 1.0)


def times(*signs: Slope) -> Sign:
    """The sign of a chain of links."""
    result = _product(signs)
    return "?" if result == "0" else result


def _product(signs: Iterable[Slope]) -> Slope:
    result: Slope = "+"
    for sign in signs:
        if sign == "0":
            return "0"
        result = "?" if "?" in (sign, result) else "+" if sign == result else "-"
    return result


def _sum(signs: Iterable[Slope]) -> Slope:
    result: Slope = "0"
    for sign in signs:
        if sign == "0":
            continue
        if result == "0":
            result = sign
        elif result != sign:
            return "?"
    return result


def _minus(sign: Slope) -> Slope:
    return "-" if sign == "+" else "+" if sign == "-" else sign


def _sign_of(bounds: Bounds) -> Slope:
    low, high = bounds
    if low == high == 0:
        return "0"
    return "+" if low >= 0 else "-" if high <= 0 else "?"


_MOST = 250_000


def never_negative(model: Model) -> frozenset[str]:
    """Stocks that cannot fall below zero, as far as the equations show it.

    Bounded ones, and those that start at zero or above, gain nothing negative and lose nothing
    positive while they are empty. Each of these may rely on the others: suppose it of all, and drop
    those for which it does not follow, until it follows for all that are left (Nagumo's condition,
    so in continuous time). Parameters are taken within their ranges. A very large model gets no such
    search.
    """
    bounded = {s.name for s in model.stocks.values() if s.low is not None and s.low >= 0}
    if len(model.stocks) * len(model.variables) > _MOST:
        return frozenset(bounded)
    supposed = set(model.stocks)
    while True:
        known = dict.fromkeys(supposed, _POSITIVE)
        start = Signs(model, known)
        kept = {
            name
            for name in supposed
            if name in bounded
            or (
                start.bounds(model.stocks[name].initial)[0] >= 0
                and _holds_when_empty(model, model.stocks[name], known)
            )
        }
        if kept == supposed:
            return frozenset(kept)
        supposed = kept


def _holds_when_empty(model: Model, stock: Stock, known: Mapping[str, Bounds]) -> bool:
    empty = Signs(model, {**known, stock.name: (0.0, 0.0)})
    gains = all(empty.bounds(Name(flow))[0] >= 0 for flow in stock.gains)
    return gains and all(empty.bounds(Name(flow))[1] <= 0 for flow in stock.loses)


class Signs:
    """What the equations of a model tell: ``bounds`` of an expression, ``slope`` along a name.

    ``known`` replaces what is known of stocks: the search for those that stay positive supposes it.
    """

    def __init__(self, model: Model, known: Mapping[str, Bounds] | None = None) -> None:
        self.model = model
        self._known: dict[str, Bounds] = {}
        if known is None:
            known = dict.fromkeys(never_negative(model), _POSITIVE)
        for name, bounds in known.items():
            own = self._declared(name)
            self._known[name] = max(own[0], bounds[0]), min(own[1], bounds[1])

    def link(self, source: str, target: Flow | Aux | Table | Data | Stock) -> Sign:
        """The sign of the link from a name to a variable that reads it."""
        match target:
            case Flow(equation=equation) | Aux(equation=equation):
                slope = self.slope(equation, source)
            case Table():
                slope = _table_slope(target)
            case _:
                slope = "?"
        return "?" if slope == "0" else slope

    # Bounds -----------------------------------------------------------------------------------

    def sign(self, expr: Expr) -> Slope:
        """The sign that the value keeps at all times; ``+`` means never negative."""
        return _sign_of(self.bounds(expr))

    def bounds(self, expr: Expr) -> Bounds:
        """Between which numbers the value stays."""
        self._prepare(expr)
        return self._bounds(expr)

    def _prepare(self, expr: Expr) -> None:
        """Works out the names below an expression, deepest first: chains of them may be long."""
        work = [name for name in names(expr) if name not in self._known]
        opened: set[str] = set()
        while work:
            name = work[-1]
            reads = self._reads(name) if name not in self._known and name not in opened else ()
            opened.add(name)
            missing = [n for n in reads if n not in self._known and n not in opened]
            if missing:
                work += missing
            else:
                work.pop()
                if name not in self._known:
                    self._known[name] = self._declared(name)

    def _reads(self, name: str) -> tuple[str, ...]:
        match self.model.variables.get(name):
            case Flow(equation=equation) | Aux(equation=equation):
                return names(equation)
            case _:
                return ()

    def _declared(self, name: str) -> Bounds:
        if name == TIME:
            return self.model.time.start, math.inf
        match self.model.params.get(name) or self.model.variables.get(name):
            case Param(value=value, low=low, high=high):
                return (
                    value if low is None else min(low, value),
                    value if high is None else max(high, value),
                )
            case Stock(low=low, high=high):
                return -math.inf if low is None else low, math.inf if high is None else high
            case Flow(equation=equation) | Aux(equation=equation):
                return self._bounds(equation)
            case Table() as table:
                return _table_bounds(table)
            case Data(points=points) if points:
                values = [point.value for point in points]
                return min(values), max(values)
            case _:
                return _ANYTHING

    def _bounds(self, expr: Expr) -> Bounds:
        match expr:
            case Number(value=number):
                return number, number
            case Name(name=name):
                # A name that is being worked out reads itself: nothing is known of it yet.
                return self._known.get(name, _ANYTHING)
            case Unary(op="-", operand=operand):
                low, high = self._bounds(operand)
                return -high, -low
            case Unary():
                return _SHARE
            case Binary():
                return self._of_binary(expr)
            case Call():
                return self._of_call(expr)

    def _of_binary(self, expr: Binary) -> Bounds:
        a, b = self._bounds(expr.left), self._bounds(expr.right)
        match expr.op:
            case "+":
                return a[0] + b[0], a[1] + b[1]
            case "-":
                return a[0] - b[1], a[1] - b[0]
            case "*":
                even = expr.left == expr.right
                return (0.0, _corners(a, b)[1]) if even else _corners(a, b)
            case "/":
                rest = _other_addend(expr.left, expr.right)
                if rest is not None and a[0] >= 0 and self._bounds(rest)[0] >= 0:
                    return _SHARE
                return _quotient(a, b)
            case "^":
                return _power(a, b, expr.right)
            case _:
                return _SHARE

    def _of_call(self, call: Call) -> Bounds:
        table = self.model.tables.get(call.function)
        if table is not None:
            return _table_bounds(table)
        args = [self._bounds(arg) for arg in call.args]
        rule = _BOUNDS.get(call.function)
        return _ANYTHING if rule is None else rule(args)

    # Slopes -----------------------------------------------------------------------------------

    def slope(self, expr: Expr, name: str) -> Slope:
        """How the expression moves when only ``name`` rises."""
        match expr:
            case Number():
                return "0"
            case Name(name=own):
                return "+" if own == name else "0"
            case Unary(operand=operand):
                # ``not`` of a truth falls as the truth rises.
                return _minus(self.slope(operand, name))
            case Binary():
                return self._binary_slope(expr, name)
            case Call():
                return self._call_slope(expr, name)

    def _binary_slope(self, expr: Binary, name: str) -> Slope:
        left, right = self.slope(expr.left, name), self.slope(expr.right, name)
        if left == right == "0":
            return "0"
        match expr.op:
            case "+":
                return _sum((left, right))
            case "-":
                return _sum((left, _minus(right)))
            case "*":
                a, b = self.sign(expr.left), self.sign(expr.right)
                return _sum((_product((left, b)), _product((a, right))))
            case "/":
                return self._quotient_slope(expr, name, left, right)
            case "^":
                return self._power_slope(expr, left, right)
            case "<" | "<=":
                return _sum((_minus(left), right))
            case ">" | ">=":
                return _sum((left, _minus(right)))
            case "and" | "or":
                return _sum((left, right))
            case _:
                return "?"

    def _quotient_slope(self, expr: Binary, name: str, left: Slope, right: Slope) -> Slope:
        a, b = self.sign(expr.left), self.sign(expr.right)
        rest = _other_addend(expr.left, expr.right)
        if rest is not None:
            # A share a / (a + r) moves as a' r - a r': a itself takes no part in the second term.
            along = self.slope(rest, name)
            return _sum((_product((left, self.sign(rest))), _minus(_product((a, along)))))
        return _sum((_product((left, b)), _minus(_product((a, right)))))

    def _power_slope(self, expr: Binary, left: Slope, right: Slope) -> Slope:
        if right == "0":
            exponent = self.sign(expr.right)
            if self.sign(expr.left) == "+":
                return _product((exponent, left))
            if isinstance(expr.right, Number) and expr.right.value % 2 == 1:
                return _product((exponent, left))
            return "?"
        base = expr.left
        if left == "0" and isinstance(base, Number) and base.value > 0:
            return _product((_sign_of((math.log(base.value),) * 2), right))
        return "?"

    def _call_slope(self, call: Call, name: str) -> Slope:
        slopes = [self.slope(arg, name) for arg in call.args]
        if all(slope == "0" for slope in slopes):
            return "0"
        table = self.model.tables.get(call.function)
        if table is not None:
            return _product((_table_slope(table), slopes[0]))
        function = FUNCTIONS.get(call.function)
        if function is None:
            return "?"
        return self._function_slope(call, slopes)

    def _function_slope(self, call: Call, slopes: list[Slope]) -> Slope:
        rest_is_flat = all(slope == "0" for slope in slopes[1:])
        match call.function:
            case "min" | "max":
                return _sum(slopes)
            case "smin" | "smax" if all(self.bounds(arg)[0] >= 0 for arg in call.args):
                return _sum(slopes)
            case "exp" | "ln" | "log10" | "sqrt" | "tanh" | "round" | "floor":
                return slopes[0]
            case "abs":
                return _product((self.sign(call.args[0]), slopes[0]))
            case "if":
                return "?" if slopes[0] != "0" else _sum(slopes[1:])
            case "step" | "ramp" if len(slopes) == 2:
                # More of it, or sooner.
                height = self.sign(call.args[0])
                return _sum((slopes[0], _minus(_product((height, slopes[1])))))
            case "noise" if slopes[1] == "0":
                return slopes[0]
            case "npv" if rest_is_flat:
                factor = self.sign(call.args[3]) if len(slopes) > 3 else "+"
                return _product((slopes[0], factor))
            # The delayed value follows the input; a longer delay may act either way, and an initial
            # value acts only once.
            case "smooth" | "smooth3" | "delay1" | "delay3" | "delay_fixed" if slopes[1] == "0":
                return slopes[0] if slopes[0] != "0" else "?"
            case "smoothn" | "delayn" if slopes[1] == slopes[2] == "0":
                return slopes[0] if slopes[0] != "0" else "?"
            case _:
                return "?"


def _other_addend(part: Expr, whole: Expr) -> Expr | None:
    """What is added to ``part`` to make ``whole``, where that is how it is written."""
    if isinstance(whole, Binary) and whole.op == "+":
        if whole.left == part:
            return whole.right
        if whole.right == part:
            return whole.left
    return None


def _table_slope(table: Table) -> Slope:
    heights = [y for _, y in table.points]
    steps = [after - before for before, after in pairwise(heights)]
    if not steps or all(step == 0 for step in steps):
        return "0"
    if all(step >= 0 for step in steps):
        return "+"
    return "-" if all(step <= 0 for step in steps) else "?"


def _table_bounds(table: Table) -> Bounds:
    heights = [y for _, y in table.points]
    return _ANYTHING if table.extrapolate or not heights else (min(heights), max(heights))


def _corners(a: Bounds, b: Bounds) -> Bounds:
    """The bounds of a product; zero times infinity is zero here, for a bound is never reached."""
    products = [0.0 if x == 0 or y == 0 else x * y for x in a for y in b]
    return min(products), max(products)


def _quotient(a: Bounds, b: Bounds) -> Bounds:
    if b[0] < 0 < b[1] or b == (0.0, 0.0):
        return _ANYTHING
    if b[0] >= 0:
        turned = (1.0 / b[1], math.inf if b[0] == 0 else 1.0 / b[0])
    else:
        turned = (-math.inf if b[1] == 0 else 1.0 / b[1], 1.0 / b[0])
    return _corners(a, turned)


def _power(a: Bounds, b: Bounds, exponent: Expr) -> Bounds:
    if a[0] < 0:
        even = isinstance(exponent, Number) and exponent.value % 2 == 0
        return _POSITIVE if even else _ANYTHING
    # Up to 1 and rising, or from 1 and falling: the result stays on its side of 1.
    if (b[0] >= 0 and a[1] <= 1) or (b[1] <= 0 and a[0] >= 1):
        return _SHARE
    if (b[0] >= 0 and a[0] >= 1) or (b[1] <= 0 and a[1] <= 1):
        return 1.0, math.inf
    return _POSITIVE


def _exp(bounds: Bounds) -> Bounds:
    low, high = (0.0 if x < -745 else math.inf if x > 709 else math.exp(x) for x in bounds)
    return low, high


def _union(parts: Sequence[Bounds]) -> Bounds:
    return min(low for low, _ in parts), max(high for _, high in parts)


def _same_side(parts: Sequence[Bounds]) -> Bounds:
    """Of what keeps the sign of its parts but not their size."""
    low, high = _union(parts)
    return 0.0 if low >= 0 else -math.inf, 0.0 if high <= 0 else math.inf


def _smooth_least(parts: Sequence[Bounds]) -> Bounds:
    """Meant for positive numbers: of others nothing is said."""
    if min(low for low, _ in parts) < 0:
        return _ANYTHING
    return 0.0, min(high for _, high in parts)


def _smooth_greatest(parts: Sequence[Bounds]) -> Bounds:
    if min(low for low, _ in parts) < 0:
        return _ANYTHING
    return max(low for low, _ in parts), sum(high for _, high in parts)


def _absolute(parts: Sequence[Bounds]) -> Bounds:
    low, high = parts[0]
    inside = low <= 0 <= high
    return 0.0 if inside else min(abs(low), abs(high)), max(abs(low), abs(high))


def _rounded(parts: Sequence[Bounds]) -> Bounds:
    low, high = parts[0]
    below = math.floor(low) if math.isfinite(low) else low
    return below, math.ceil(high) if math.isfinite(high) else high


def _logarithm(parts: Sequence[Bounds]) -> Bounds:
    low, high = parts[0]
    return 0.0 if low >= 1 else -math.inf, 0.0 if high <= 1 else math.inf


_BOUNDS: dict[str, Callable[[Sequence[Bounds]], Bounds]] = {
    "min": lambda a: (min(low for low, _ in a), min(high for _, high in a)),
    "max": lambda a: (max(low for low, _ in a), max(high for _, high in a)),
    "smin": _smooth_least,
    "smax": _smooth_greatest,
    "abs": _absolute,
    "sqrt": lambda a: _POSITIVE,
    "exp": lambda a: _exp(a[0]),
    "ln": _logarithm,
    "log10": _logarithm,
    "sin": lambda a: (-1.0, 1.0),
    "cos": lambda a: (-1.0, 1.0),
    "tanh": lambda a: (math.tanh(a[0][0]), math.tanh(a[0][1])),
    "round": _rounded,
    "floor": _rounded,
    "if": lambda a: _union(a[1:]),
    "step": lambda a: _union([a[0], (0.0, 0.0)]),
    "pulse": lambda a: _SHARE,
    "ramp": lambda a: _same_side([a[0]]),
    "smooth": lambda a: _union([a[0], *a[2:]]),
    "smooth3": lambda a: _union([a[0], *a[2:]]),
    "smoothn": lambda a: _union([a[0], *a[3:]]),
    "delay_fixed": lambda a: _union([a[0], *a[2:]]),
    # A delay time that changes squeezes or stretches what is under way.
    "delay1": lambda a: _same_side([a[0], *a[2:]]),
    "delay3": lambda a: _same_side([a[0], *a[2:]]),
    "delayn": lambda a: _same_side([a[0], *a[3:]]),
}
