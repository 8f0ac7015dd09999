"""The functions of the language: names, arguments, what each means.

This table is the one place that says what may be called in a model. The parser checks calls against
it, the unit check reads ``units``, the reference and the kernels implement ``math`` entries, and the
expansion turns ``delay`` entries into hidden stocks. Meanings are Vensim's, and XMILE's where the two
agree; argument order is XMILE's (optional initial value last).

``units`` is the rule of the dimension check, one of:
``same`` all arguments and the result share a unit; ``keep`` the result has the unit of the first
argument; ``none`` arguments and result are dimensionless; ``root`` square root of the argument's unit;
``if`` first a condition, then two of the same unit; ``delay`` first argument's unit, then a time, then
(for ``order`` arguments) a number, then an initial value like the first; ``trend`` a rate 1/time;
others are handled by name in ``checks/units.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["math", "time", "delay", "noise"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: ``required`` and ``optional`` argument names; ``many`` allows more of the last."""

    name: str
    kind: Kind
    required: tuple[str, ...]
    optional: tuple[str, ...]
    units: str
    doc: str
    many: bool = False

    @property
    def signature(self) -> str:
        """How to call it, for messages and help: ``smooth(x, tau, [initial])``."""
        shown = [*self.required, *(f"[{name}]" for name in self.optional)]
        return f"{self.name}({', '.join(shown)}{', …' if self.many else ''})"

    def accepts(self, count: int) -> bool:
        """Whether a call with ``count`` arguments is well formed."""
        most = len(self.required) + len(self.optional)
        return len(self.required) <= count and (self.many or count <= most)


def _table(*rows: Function) -> dict[str, Function]:
    return {row.name: row for row in rows}


FUNCTIONS: dict[str, Function] = _table(
    Function("min", "math", ("a", "b"), (), "same", "the smallest argument", many=True),
    Function("max", "math", ("a", "b"), (), "same", "the largest argument", many=True),
    Function("smin", "math", ("a", "b"), (), "same", "smooth minimum of two positive numbers"),
    Function("smax", "math", ("a", "b"), (), "same", "smooth maximum of two positive numbers"),
    Function("abs", "math", ("x",), (), "keep", "absolute value"),
    Function("sqrt", "math", ("x",), (), "root", "square root"),
    Function("exp", "math", ("x",), (), "none", "e to the power x"),
    Function("ln", "math", ("x",), (), "none", "natural logarithm"),
    Function("log10", "math", ("x",), (), "none", "decimal logarithm"),
    Function("sin", "math", ("x",), (), "none", "sine of an angle in radians"),
    Function("cos", "math", ("x",), (), "none", "cosine of an angle in radians"),
    Function("tan", "math", ("x",), (), "none", "tangent of an angle in radians"),
    Function("tanh", "math", ("x",), (), "none", "hyperbolic tangent"),
    Function("round", "math", ("x",), (), "keep", "nearest whole number, halves to even"),
    Function("floor", "math", ("x",), (), "keep", "largest whole number not above x"),
    Function("if", "math", ("condition", "then", "else"), (), "if", "then where condition is not 0"),
    Function("step", "time", ("height", "start"), (), "step", "height from start on, 0 before"),
    Function(
        "pulse", "time", ("start", "width"), ("interval", "end"), "pulse",
        "1 for width from start on, again every interval until end",
    ),
    Function("ramp", "time", ("slope", "start"), ("end",), "ramp", "slope times the time since start"),
    Function("smooth", "delay", ("x", "tau"), ("initial",), "delay", "exponential average"),
    Function("smooth3", "delay", ("x", "tau"), ("initial",), "delay", "third-order average"),
    Function("smoothn", "delay", ("x", "tau", "order"), ("initial",), "delay", "average of an order"),
    Function("delay1", "delay", ("x", "tau"), ("initial",), "delay", "first-order material delay"),
    Function("delay3", "delay", ("x", "tau"), ("initial",), "delay", "third-order material delay"),
    Function("delayn", "delay", ("x", "tau", "order"), ("initial",), "delay", "delay of an order"),
    Function(
        "delay_fixed", "delay", ("x", "tau", "initial"), (), "delay",
        "pipeline: what went in comes out tau later, initial until then; tau is read at the start",
    ),
    Function("trend", "delay", ("x", "tau"), ("initial",), "trend", "fractional growth rate of x"),
    Function("forecast", "delay", ("x", "tau", "horizon"), (), "forecast", "x extrapolated"),
    Function("npv", "delay", ("x", "rate"), ("initial", "factor"), "npv", "net present value so far"),
    Function("noise", "noise", ("mean", "sd"), (), "same", "normal noise, new at every model step"),
)

TIME = "time"
"""The name of the current time in every equation."""
