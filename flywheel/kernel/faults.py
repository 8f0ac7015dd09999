"""Where a number stopped being one: the sub-expression that made it, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flywheel.errors import Span
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, children, names
from flywheel.kernel import ieee
from flywheel.kernel.interpolate import lookup_value
from flywheel.kernel.system import Equation, StockEquation, Switch, System


@dataclass(frozen=True, slots=True)
class Fault:
    """A computation that gave no finite number out of finite ones.

    ``owner`` is the variable of the model whose equation it is, ``message`` a predicate about it
    (``divides by zero: capacity is 0``), ``operands`` the names it read with their values.
    """

    owner: str
    message: str
    span: Span | None
    operands: tuple[tuple[str, float], ...]
    time: float


def find_fault(
    system: System, values: Mapping[str, float], time: float, *, at_start: bool = False
) -> Fault | None:
    """The origin of the first value that is not finite, given every name's value at one moment.

    Looks at what the reader sees first (the model's own variables, in the order in which they are
    computed), then at the rates of the stocks, and follows each back to the node where finite
    operands made something that is not finite. ``at_start`` follows stocks into their initial values.
    """
    return _Search(system, values, time, at_start).first()


class _Search:
    def __init__(
        self, system: System, values: Mapping[str, float], time: float, at_start: bool
    ) -> None:
        self.system = system
        self.values = values
        self.time = time
        self.equations: dict[str, Equation | Switch] = {e.name: e for e in system.equations}
        self.equations |= {switch.name: switch for switch in system.switches}
        self._starts = {stock.name: stock for stock in system.stocks} if at_start else {}
        self._tables = {lookup.name: lookup for lookup in system.lookups}

    def first(self) -> Fault | None:
        visible = frozenset(self.system.visible)
        # What an outcome asked for beside the model's variables may fail alone.
        stocks = [stock for stock in self.system.stocks if stock.owner in visible]
        for stock in stocks:
            if not math.isfinite(self.values[stock.name]):
                if stock.name in self._starts:
                    return self._origin(stock.initial, stock)
                return self._fault(stock.owner, self._bad_state(stock.name), stock.span, ())
        for equation in self.system.equations:
            if equation.name in visible and not math.isfinite(self.values[equation.name]):
                return self._origin(equation.expr, equation)
        for series in self.system.series:
            if not math.isfinite(self.values[series.name]):
                return self._fault(series.name, "has a value that is no number", None, ())
        for stock in stocks:
            if not math.isfinite(self.value(stock.rate)):
                return self._origin(stock.rate, stock)
        return None

    def value(self, expr: Expr) -> float:
        """The value of an expression; like the reference's closures, without building them."""
        match expr:
            case Number(value=value):
                return value
            case Name(name=name):
                return self.values[name]
            case Unary(op=op, operand=operand):
                return ieee.UNARY[op](self.value(operand))
            case Binary(op=sign, left=left, right=right):
                return ieee.BINARY[sign](self.value(left), self.value(right))
            case Call(function=function, args=args):
                if function in self._tables:
                    return lookup_value(self._tables[function], self.value(args[0]))
                return ieee.FUNCTIONS[function](*map(self.value, args))

    def _origin(self, expr: Expr, item: Equation | Switch | StockEquation) -> Fault:
        """Follows a value that is not finite to the node, of this equation or another, that made it."""
        while True:
            bad = [part for part in self._read(expr) if not math.isfinite(self.value(part))]
            if bad:
                expr = bad[0]
            elif isinstance(expr, Name) and expr.name in self.equations:
                item = self.equations[expr.name]
                expr = item.expr
            elif isinstance(expr, Name) and expr.name in self._starts:
                item = self._starts[expr.name]
                expr = item.initial
            else:
                break
        operands = tuple((self.shown(Name(n)), self.values[n]) for n in names(expr))
        return self._fault(item.owner, self._sentence(expr), expr.span or item.span, operands)

    def _fault(
        self,
        owner: str,
        message: str,
        span: Span | None,
        operands: tuple[tuple[str, float], ...],
    ) -> Fault:
        return Fault(owner, message, span, operands, self.time)

    def _read(self, expr: Expr) -> tuple[Expr, ...]:
        """The operands that the value depends on: of an ``if`` only the branch that was taken."""
        if isinstance(expr, Call) and expr.function == "if":
            condition, then, other = expr.args
            chosen = self.value(condition)
            return (condition,) if chosen != chosen else (condition, then if chosen else other)
        return children(expr)

    def _bad_state(self, name: str) -> str:
        value = self.values[name]
        return "is not a number" if value != value else "grows beyond the largest number"

    def _sentence(self, expr: Expr) -> str:
        """What the node did wrong, with the operands that made it so."""
        match expr:
            case Binary(op="/", left=left, right=right) if self.value(right) == 0:
                if self.value(left) == 0:
                    return f"divides zero by zero: {self._is(left)} and {self._is(right)}"
                return f"divides by zero: {self._is(right)}"
            case Binary(op="^", left=left, right=right):
                base, exponent = self.value(left), self.value(right)
                if base < 0 and exponent != math.floor(exponent):
                    return (
                        "raises a negative number to a fractional power: "
                        f"{self._is(left)} and {self._is(right)}"
                    )
                if base == 0 and exponent < 0:
                    return f"raises zero to a negative power: {self._is(left)}"
            case Call(function="ln" | "log10", args=(x,)) if self.value(x) == 0:
                return f"takes the logarithm of zero: {self._is(x)}"
            case Call(function="ln" | "log10", args=(x,)) if self.value(x) < 0:
                return f"takes the logarithm of a negative number: {self._is(x)}"
            case Call(function="sqrt", args=(x,)) if self.value(x) < 0:
                return f"takes the square root of a negative number: {self._is(x)}"
            case Name(name=name):
                return self._source(name)
            case _:
                pass
        read = dict.fromkeys(
            self._is(part) for part in self._read(expr) if not isinstance(part, Number)
        )
        given = f": {' and '.join(read)}" if read else ""
        return f"grows beyond the largest number{given}"

    def _source(self, name: str) -> str:
        """A name that brings in what is not finite: a stock, a series, a pipeline, an input."""
        return f"reads {self.shown(Name(name))}, which is {number_text(self.values[name])}"

    def _is(self, expr: Expr) -> str:
        value = number_text(self.value(expr))
        return value if isinstance(expr, Number) else f"{self.shown(expr)} is {value}"

    def shown(self, expr: Expr, *, inner: bool = False) -> str:
        """An expression in the reader's words: hidden names are replaced by what they stand for."""
        match expr:
            case Number(value=value):
                return f"{value:g}"
            case Name(name=name):
                if "@" not in name:
                    return name
                if name in self.equations:
                    return self.shown(self.equations[name].expr, inner=inner)
                return name.split("@")[0]
            case Unary(op=op, operand=operand):
                return f"{'-' if op == '-' else 'not '}{self.shown(operand, inner=True)}"
            case Binary(op=sign, left=left, right=right):
                text = f"{self.shown(left, inner=True)} {sign} {self.shown(right, inner=True)}"
                return f"({text})" if inner else text
            case Call(function=function, args=args):
                return f"{function}({', '.join(self.shown(arg) for arg in args)})"


def number_text(value: float) -> str:
    """A number for a sentence: six digits, and words for what is no number."""
    if value != value:
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    return "0" if value == 0 else f"{value:.6g}"
