"""Arithmetic that never raises: IEEE 754 on Python floats, with NaN carried everywhere.

Python raises where C answers (1 / 0, log 0, exp 1000); a simulation wants C's answer, so that it can
say afterwards where it came from. Comparisons and choices carry NaN too: an unknown number is never
"not greater", and never quietly loses against another in ``min``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

NAN = math.nan
INF = math.inf


def divide(a: float, b: float) -> float:
    """a / b; a zero divisor gives an infinity, 0 / 0 is NaN."""
    if b != 0:
        return a / b
    if a == 0 or a != a or b != b:
        return NAN
    return math.copysign(INF, a) * math.copysign(1.0, b)


def power(a: float, b: float) -> float:
    """C's pow: a negative base with a fractional exponent is NaN, pow(x, 0) is 1 even for NaN."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INF if a < 0 and _is_odd(b) else INF
    except ValueError:
        if a == 0:
            return math.copysign(INF, a) if _is_odd(b) else INF
        return NAN


def _is_odd(x: float) -> bool:
    return math.fmod(x, 2.0) in (1.0, -1.0)


def minimum(*values: float) -> float:
    """The smallest; NaN when any is NaN."""
    return NAN if any(v != v for v in values) else min(values)


def maximum(*values: float) -> float:
    """The largest; NaN when any is NaN."""
    return NAN if any(v != v for v in values) else max(values)


def smooth_minimum(a: float, b: float) -> float:
    """a * b / (a^8 + b^8)^(1/8), scaled by the larger so that nothing overflows; 0 if either is 0."""
    small, large = sorted((abs(a), abs(b)))
    if a != a or b != b:
        return NAN
    if small == 0:
        return 0.0
    sign = math.copysign(1.0, a) * math.copysign(1.0, b)
    return sign * small / _bulge(small / large)


def smooth_maximum(a: float, b: float) -> float:
    """(a^8 + b^8)^(1/8), scaled like ``smooth_minimum``; their product is a * b."""
    small, large = sorted((abs(a), abs(b)))
    if a != a or b != b:
        return NAN
    return large * _bulge(small / large) if large else 0.0


def _bulge(ratio: float) -> float:
    return math.pow(1.0 + math.pow(ratio, 8.0), 0.125)


def square_root(x: float) -> float:
    """NaN for a negative number."""
    return math.sqrt(x) if x >= 0 else NAN


def exponential(x: float) -> float:
    """Infinite beyond the largest number."""
    try:
        return math.exp(x)
    except OverflowError:
        return INF


def logarithm(x: float) -> float:
    """-inf at 0, NaN below."""
    return math.log(x) if x > 0 else -INF if x == 0 else NAN


def decimal_logarithm(x: float) -> float:
    """-inf at 0, NaN below."""
    return math.log10(x) if x > 0 else -INF if x == 0 else NAN


def _finite_only(function: Callable[[float], float]) -> Callable[[float], float]:
    """The trigonometry of an infinite angle is NaN, not an exception."""
    return lambda x: function(x) if math.isfinite(x) else NAN


sine = _finite_only(math.sin)
cosine = _finite_only(math.cos)
tangent = _finite_only(math.tan)


def nearest_whole(x: float) -> float:
    """Halves go to the even neighbour."""
    return float(round(x)) if math.isfinite(x) else x


def floor(x: float) -> float:
    """The largest whole number not above x."""
    return float(math.floor(x)) if math.isfinite(x) else x


def choose(condition: float, then: float, other: float) -> float:
    """``then`` where the condition is not 0; NaN where it is NaN."""
    if condition != condition:
        return NAN
    return then if condition != 0 else other


def _truth(holds: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    """1 or 0, or NaN when an operand is NaN."""

    def judge(a: float, b: float) -> float:
        if a != a or b != b:
            return NAN
        return 1.0 if holds(a, b) else 0.0

    return judge


def negate(x: float) -> float:
    """Minus."""
    return -x


def no(x: float) -> float:
    """``not``: 1 for 0, 0 for everything else, NaN for NaN."""
    return NAN if x != x else 1.0 if x == 0 else 0.0


UNARY: dict[str, Callable[[float], float]] = {"-": negate, "not": no}

BINARY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "^": power,
    "<": _truth(lambda a, b: a < b),
    "<=": _truth(lambda a, b: a <= b),
    ">": _truth(lambda a, b: a > b),
    ">=": _truth(lambda a, b: a >= b),
    "==": _truth(lambda a, b: a == b),
    "!=": _truth(lambda a, b: a != b),
    "and": _truth(lambda a, b: a != 0 and b != 0),
    "or": _truth(lambda a, b: a != 0 or b != 0),
}

FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": minimum,
    "max": maximum,
    "smin": smooth_minimum,
    "smax": smooth_maximum,
    "abs": abs,
    "sqrt": square_root,
    "exp": exponential,
    "ln": logarithm,
    "log10": decimal_logarithm,
    "sin": sine,
    "cos": cosine,
    "tan": tangent,
    "tanh": math.tanh,
    "round": nearest_whole,
    "floor": floor,
    "if": choose,
}
"""The math functions of the language, by name."""
