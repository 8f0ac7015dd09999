"""Do the units balance? Every equation, outcome, lever, scenario and claim of a model.

A number in an equation is dimensionless, and nothing is converted silently. Four places give a bare
number (or arithmetic on numbers alone) the unit that it must have there: a whole equation or initial
value; a time in a time function or delay (``smooth(x, 0.5)``) or a rate per time (``npv(x, 0.08)``);
a setting of a scenario or lever; and one side of a comparison in a claim or outcome condition. A
literal 0 fits any unit.

Tolerant: what has no unit is inferred where its equation tells it, and lets anything pass where not.
Strict: everything must state its unit. A contradiction between stated units is an error in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Literal

from flywheel.errors import Finding, Severity, Span
from flywheel.expr import COMPARISONS, LOGICAL, Binary, Call, Expr, Name, Number, Unary
from flywheel.functions import FUNCTIONS, TIME
from flywheel.model import (
    Aux,
    Check,
    Data,
    Declaration,
    Flow,
    Lever,
    Model,
    Observe,
    Outcome,
    Param,
    Scenario,
    Setting,
    Stock,
    Table,
)
from flywheel.structure import dependency_order
from flywheel.units import ONE, Dimension, Unit, UnitSystem


class _Loose(Enum):
    """What is known of an expression whose dimension is not."""

    UNKNOWN = "unknown"
    ANY = "any"
    """A literal 0, or a number in a place that gives it its unit."""


_UNKNOWN, _ANY = _Loose.UNKNOWN, _Loose.ANY
_Found = Dimension | Literal[_Loose.UNKNOWN, _Loose.ANY]


@dataclass(frozen=True)
class Units:
    """The units of a model's names: stated or inferred dimensions, and what was found on the way."""

    dimensions: Mapping[str, Dimension]
    """Per variable, parameter and outcome; a name whose dimension is unknown is absent."""
    findings: tuple[Finding, ...]


def check_units(model: Model, strict: bool = False) -> tuple[Finding, ...]:
    """Findings about the units of a model, in the order of the file.

    Codes: ``unknown-unit``, ``unit-cycle``, ``missing-unit`` (strict), ``unit-mismatch`` (two things
    that must share a unit do not), ``unit-scale`` (they do but for a factor), ``unit-not-pure`` (a
    plain number was needed), ``unit-power`` (a unit to a power that is no fixed number).
    """
    return infer_units(model, strict).findings


def infer_units(model: Model, strict: bool = False) -> Units:
    """The dimension of every name, with the findings of ``check_units``."""
    return _Checker(model, strict).run()


class _Checker:
    """One pass over a model. ``_of`` knows names, ``_expr`` sub-expressions."""

    def __init__(self, model: Model, strict: bool) -> None:
        self.model = model
        self.strict = strict
        self.system = UnitSystem(model.units.values())
        self.findings: list[Finding] = [self._unknown(f) for f in self.system.findings]
        self.declared = {d.name: d for d in model.flat if not isinstance(d, Observe)}
        self.known: dict[str, _Found] = {}
        self.busy: set[str] = set()
        self.equations: dict[str, _Found] = {}
        self.claim = False
        self.fed: dict[str, list[Stock]] = {}
        for stock in model.stocks.values():
            for flow in (*stock.gains, *stock.loses):
                self.fed.setdefault(flow, []).append(stock)
        time = self._stated(model.time.unit)
        self.time: _Found = time
        if strict and model.time.unit is None:
            self._say(
                "missing-unit",
                "the time line has no unit",
                model.time.span,
                "time 2000 to 2030 [year] step 1/16",
            )
        elif isinstance(time, Dimension) and time.pure:
            # A model in abstract periods: then rates are plain numbers, and that is consistent.
            self.time = ONE

    def run(self) -> Units:
        # In this order no inference leans on a long chain of others.
        for name in dependency_order(self.model):
            self._of(name)
        for declaration in self.model.flat:
            self.claim = False
            match declaration:
                case Stock():
                    self._stock(declaration)
                case Flow() | Aux():
                    self._equation(declaration)
                case Table():
                    self._table(declaration)
                case Param() | Data():
                    self._of(declaration.name)
                    self._missing(declaration, declaration.unit)
                case Observe():
                    self._observe(declaration)
                case Outcome():
                    self._outcome(declaration)
                case Lever():
                    self._lever(declaration)
                case Scenario():
                    for setting in declaration.settings:
                        self._setting(setting)
                case Check():
                    self._claim(declaration)
                case _:
                    pass
        self._costs()
        dimensions = {n: d for n, d in self.known.items() if isinstance(d, Dimension)}
        # An unknown unit is met wherever its line is read; one remark about it is enough.
        return Units(dimensions, tuple(dict.fromkeys(self.findings)))

    # Findings ---------------------------------------------------------------------------------

    def _say(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str = "",
        severity: Severity = "error",
    ) -> None:
        self.findings.append(Finding(severity, code, message, span, hint))

    def _unknown(self, finding: Finding) -> Finding:
        """An unknown unit blocks nothing in tolerant mode: what has it counts as without a unit."""
        if self.strict or finding.code != "unknown-unit":
            return finding
        return Finding("warning", finding.code, finding.message, finding.span, finding.hint)

    def _missing(self, declaration: Declaration, unit: Unit | None) -> None:
        if not self.strict or unit is not None:
            return
        guess = self._of(declaration.name)
        kind = type(declaration).__name__.lower()
        kind = {"aux": "auxiliary", "param": "parameter"}.get(kind, kind)
        self._say(
            "missing-unit",
            f"{kind} {declaration.name!r} has no unit",
            declaration.name_span or declaration.span,
            f"its equation gives [{guess}]"
            if isinstance(guess, Dimension)
            else "[1] stands for a plain number",
        )

    def _clash(self, have: Dimension, want: Dimension, message: str, span: Span | None) -> None:
        """Two dimensions that should be equal: of the same kind (a factor) or of different kinds."""
        if have.alike(want):
            factor = have.factor_to(want)
            if have.bases:
                hint = (
                    f"1 {have} is {factor:.6g} {want}; multiply by a parameter "
                    f"of {factor:.6g} [{want / have}]"
                )
            else:
                hint = f"multiply by {factor:.6g}"
            self._say("unit-scale", message, span, hint)
            return
        missing = want / have
        self._say("unit-mismatch", message, span, _advice(missing))

    # Names ------------------------------------------------------------------------------------

    def _stated(self, unit: Unit | None) -> _Found:
        if unit is None:
            return _UNKNOWN
        dimension, findings = self.system.resolve(unit)
        self.findings.extend(self._unknown(f) for f in findings)
        return _UNKNOWN if dimension is None else dimension

    def _of(self, name: str) -> _Found:
        """The dimension of a name: as stated, else as its line or its neighbours tell."""
        if name == TIME:
            return self.time
        if name in self.known:
            return self.known[name]
        declaration = self.declared.get(name)
        unit = getattr(declaration, "unit", None)
        if unit is not None:
            self.known[name] = found = self._stated(unit)
            return found
        if name in self.busy:
            return _UNKNOWN
        self.busy.add(name)
        found = self._inferred(declaration)
        self.busy.discard(name)
        self.known[name] = found
        return found

    def _inferred(self, declaration: Declaration | None) -> _Found:
        match declaration:
            case Stock():
                return self._stock_from_flows(declaration)
            case Flow():
                for stock in self.fed.get(declaration.name, ()):
                    level = self._of(stock.name) if stock.unit is not None else _UNKNOWN
                    if isinstance(level, Dimension) and isinstance(self.time, Dimension):
                        return level / self.time
                return self._solid(self._equation_of(declaration))
            case Aux():
                if _literal(declaration.equation):
                    return _UNKNOWN
                return self._solid(self._equation_of(declaration))
            case Outcome():
                return self._solid(self._measured(declaration))
            case _:
                return _UNKNOWN

    def _stock_from_flows(self, stock: Stock) -> _Found:
        for name in (*stock.gains, *stock.loses):
            flow = self.model.variables.get(name)
            if flow is not None and flow.unit is not None:
                rate = self._of(name)
                if isinstance(rate, Dimension) and isinstance(self.time, Dimension):
                    return rate * self.time
        return _UNKNOWN if _literal(stock.initial) else self._solid(self._expr(stock.initial))

    @staticmethod
    def _solid(found: _Found) -> _Found:
        return found if isinstance(found, Dimension) else _UNKNOWN

    # Declarations -----------------------------------------------------------------------------

    def _equation_of(self, declaration: Flow | Aux) -> _Found:
        """The dimension of an equation; worked out once, so that its mistakes are told once."""
        if declaration.name not in self.equations:
            claim, self.claim = self.claim, False
            self.equations[declaration.name] = self._expr(declaration.equation)
            self.claim = claim
        return self.equations[declaration.name]

    def _equation(self, declaration: Flow | Aux) -> None:
        own = self._of(declaration.name)
        found = self._equation_of(declaration)
        if isinstance(declaration, Aux) and declaration.seam is not None:
            self._seam(declaration, found, own)
        elif not _literal(declaration.equation):
            self._fits(found, own, declaration.name, declaration.equation)
        self._missing(declaration, declaration.unit)

    def _fits(self, found: _Found, own: _Found, name: str, expr: Expr) -> None:
        """An equation, or an initial value, against the unit of its line."""
        if isinstance(found, Dimension) and isinstance(own, Dimension) and found != own:
            self._clash(
                found,
                own,
                f"{name!r} is stated in {own}, but its equation gives {_said(found)}",
                expr.span,
            )

    def _seam(self, aux: Aux, found: _Found, own: _Found) -> None:
        """A name of a module against what it is given from outside."""
        if _literal(aux.equation) or not isinstance(found, Dimension):
            return
        if isinstance(own, Dimension) and found != own:
            there = f" ({aux.seam})" if aux.seam else ""
            self._clash(
                found,
                own,
                f"the module wants {aux.name!r} in {own}{there}, but it is given {_said(found)}",
                aux.equation.span or aux.span,
            )

    def _stock(self, stock: Stock) -> None:
        own = self._of(stock.name)
        if not _literal(stock.initial):
            initial = self._expr(stock.initial)
            if isinstance(initial, Dimension) and isinstance(own, Dimension) and initial != own:
                self._clash(
                    initial,
                    own,
                    f"stock {stock.name!r} is stated in {own}, "
                    f"but its initial value is in {_said(initial)}",
                    stock.initial.span,
                )
        if isinstance(own, Dimension) and isinstance(self.time, Dimension):
            want = own / self.time
            for verb, flows in (("gains", stock.gains), ("loses", stock.loses)):
                for flow in flows:
                    rate = self._of(flow)
                    if isinstance(rate, Dimension) and rate != want:
                        self._clash(
                            rate,
                            want,
                            f"stock {stock.name!r} [{own}] {verb} {flow!r} in {_said(rate)}; "
                            f"a flow into it is in {want}",
                            stock.span,
                        )
        self._missing(stock, stock.unit)

    def _table(self, table: Table) -> None:
        self._of(table.name)
        self._missing(table, table.unit)
        # The input's stated unit is read here even where nothing calls the table.
        stated = self._stated(table.input_unit)
        reads = table.input == TIME or table.input in self.model
        known = self._of(table.input) if reads else _UNKNOWN
        if isinstance(stated, Dimension) and isinstance(known, Dimension) and stated != known:
            self._clash(
                known,
                stated,
                f"table {table.name!r} takes {table.input!r} in {stated}, but it is in {_said(known)}",
                table.span,
            )
        if self.strict and table.input_unit is None and not reads:
            self._say(
                "missing-unit",
                f"table {table.name!r} does not say the unit of its input {table.input!r}",
                table.name_span or table.span,
                f"table {table.name} of {table.input} [1] = …",
            )

    def _table_input(self, table: Table) -> _Found:
        if table.input_unit is not None:
            return self.system.dimension(table.input_unit) or _UNKNOWN
        if table.input == TIME or table.input in self.model:
            return self._of(table.input)
        return _UNKNOWN

    def _observe(self, observe: Observe) -> None:
        variable, data = self._of(observe.name), self._of(observe.data)
        if isinstance(variable, Dimension) and isinstance(data, Dimension) and variable != data:
            self._clash(
                data,
                variable,
                f"{observe.name!r} is in {variable}, but it is observed by {observe.data!r} "
                f"in {_said(data)}",
                observe.span,
            )

    def _measured(self, outcome: Outcome) -> _Found:
        """The dimension that an outcome's measure gives."""
        if outcome.name in self.equations:
            return self.equations[outcome.name]
        claim, self.claim = self.claim, outcome.measure == "time of"
        found = self._expr(outcome.expr)
        self.claim = claim
        if outcome.measure == "time of":
            self._truth(found, outcome.expr)
            found = self.time
        elif outcome.measure == "total":
            if isinstance(found, Dimension) and isinstance(self.time, Dimension):
                found = found * self.time
            else:
                found = _UNKNOWN
        self.equations[outcome.name] = found
        return found

    def _outcome(self, outcome: Outcome) -> None:
        self._missing(outcome, outcome.unit)
        own, found = self._of(outcome.name), self._measured(outcome)
        if isinstance(found, Dimension) and isinstance(own, Dimension) and found != own:
            verb = f"its {outcome.measure}" if outcome.measure != "value" else "its equation"
            self._clash(
                found,
                own,
                f"outcome {outcome.name!r} is stated in {own}, but {verb} is in {_said(found)}",
                outcome.expr.span,
            )

    def _setting(self, setting: Setting) -> None:
        if _literal(setting.value):
            return
        found, want = self._expr(setting.value), self._of(setting.name)
        if isinstance(found, Dimension) and isinstance(want, Dimension) and found != want:
            self._clash(
                found,
                want,
                f"{setting.name!r} is in {want}, but is set to something in {_said(found)}",
                setting.value.span or setting.span,
            )

    def _lever(self, lever: Lever) -> None:
        if lever.to is not None:
            self._setting(Setting(lever.param, lever.to, span=lever.span))
        if lever.cost is not None:
            self.equations[lever.name] = self._expr(lever.cost)

    def _costs(self) -> None:
        """Costs are added up and compared, so what they come to must be one kind of thing."""
        first: tuple[str, Dimension] | None = None
        for lever in self.model.levers.values():
            cost = self.equations.get(lever.name)
            if lever.cost is None or _literal(lever.cost) or not isinstance(cost, Dimension):
                continue
            if not lever.once:
                if not isinstance(self.time, Dimension):
                    continue
                cost = cost * self.time
            if first is None:
                first = (lever.name, cost)
            elif cost != first[1]:
                self._clash(
                    cost,
                    first[1],
                    f"lever {lever.name!r} costs {_said(cost)} in all, lever {first[0]!r} "
                    f"{_said(first[1])}: they cannot be compared",
                    lever.cost.span,
                )

    def _claim(self, check: Check) -> None:
        for setting in check.when:
            self._setting(setting)
        self.claim = True
        self._truth(self._expr(check.claim), check.claim)
        self.claim = False

    # Expressions ------------------------------------------------------------------------------

    def _expr(self, expr: Expr) -> _Found:
        match expr:
            case Number(value=value):
                return _ANY if value == 0 else ONE
            case Name(name=name):
                return self._of(name)
            case Unary(op="-", operand=operand):
                return self._expr(operand)
            case Unary(operand=operand):
                self._truth(self._expr(operand), operand)
                return ONE
            case Binary():
                return self._binary(expr)
            case Call():
                return self._call(expr)

    def _binary(self, expr: Binary) -> _Found:
        left, right = self._expr(expr.left), self._expr(expr.right)
        match expr.op:
            case "+" | "-":
                verb = "adds" if expr.op == "+" else "subtracts"
                return self._same(verb, expr, [(left, expr.left), (right, expr.right)])
            case "*":
                return self._product(left, right)
            case "/":
                return self._product(left, self._power_of(right, Fraction(-1)))
            case "^":
                return self._power(expr, left, right)
            case op if op in LOGICAL:
                self._truth(left, expr.left)
                self._truth(right, expr.right)
                return ONE
            case op if op in COMPARISONS:
                if not (self.claim and (_literal(expr.left) or _literal(expr.right))):
                    self._same("compares", expr, [(left, expr.left), (right, expr.right)])
                return ONE
            case _:
                return _UNKNOWN

    def _same(self, verb: str, expr: Expr, parts: Sequence[tuple[_Found, Expr]]) -> _Found:
        """The one dimension of parts that must share it; the first part that differs is named."""
        first: tuple[Dimension, Expr] | None = None
        unknown = False
        for found, part in parts:
            if not isinstance(found, Dimension):
                unknown = unknown or found is _UNKNOWN
            elif first is None:
                first = (found, part)
            elif found != first[0]:
                self._clash(
                    found,
                    first[0],
                    f"{verb} {_said(first[0])} and {_said(found)}"
                    + _which(first[1], part, first[0], found),
                    expr.span,
                )
                return _UNKNOWN
        if first is not None:
            # One known part tells the dimension: the unknown ones must share it.
            return first[0]
        return _UNKNOWN if unknown else _ANY

    @staticmethod
    def _product(left: _Found, right: _Found) -> _Found:
        if left is _UNKNOWN or right is _UNKNOWN:
            return _UNKNOWN
        a = left if isinstance(left, Dimension) else ONE
        b = right if isinstance(right, Dimension) else ONE
        return a * b

    @staticmethod
    def _power_of(found: _Found, power: Fraction) -> _Found:
        return found**power if isinstance(found, Dimension) else found

    def _power(self, expr: Binary, base: _Found, exponent: _Found) -> _Found:
        if isinstance(exponent, Dimension) and not exponent.pure:
            self._pure(exponent, expr.right, "an exponent")
            return _UNKNOWN
        if not isinstance(base, Dimension):
            # Whatever the unknown base is: to a power that varies it can only be a plain number.
            return ONE if base is _ANY or not _literal(expr.right) else _UNKNOWN
        if base.pure:
            return ONE
        power = _value(expr.right)
        if power is None:
            self._say(
                "unit-power",
                f"raises {_said(base)} to a power that is not a fixed number",
                expr.span,
                f"divide by a reference in {base} first: (x / x_ref)^…",
            )
            return _UNKNOWN
        return base ** Fraction(power).limit_denominator(1000)

    def _pure(self, found: _Found, part: Expr, what: str) -> None:
        """``part`` must be a plain number."""
        if isinstance(found, Dimension) and not found.pure:
            hint = f"divide by a reference in {found}"
            if not found.bases:
                hint = f"multiply by {found.scale:.6g}"
            self._say(
                "unit-not-pure",
                f"{what} must be a plain number, but this is in {_said(found)}",
                part.span,
                hint,
            )

    def _truth(self, found: _Found, part: Expr) -> None:
        self._pure(found, part, "a condition (true or false)")

    def _needs(self, found: _Found, want: _Found, part: Expr, what: str) -> None:
        """An argument against the unit of its place; a bare number takes that unit."""
        if _literal(part):
            return
        if isinstance(found, Dimension) and isinstance(want, Dimension) and found != want:
            self._clash(
                found,
                want,
                f"{what} must be in {_said(want)}, but this is in {_said(found)}",
                part.span,
            )

    # Calls ------------------------------------------------------------------------------------

    def _call(self, call: Call) -> _Found:
        found = [self._expr(arg) for arg in call.args]
        table = self.model.tables.get(call.function)
        if table is not None:
            if found:
                want = self._table_input(table)
                what = f"the input of table {table.name!r}"
                if isinstance(found[0], Dimension) and isinstance(want, Dimension):
                    self._needs(found[0], want, call.args[0], what)
            return self._of(table.name)
        function = FUNCTIONS.get(call.function)
        if function is None:
            # base(x) of a claim, and whatever else stands for its argument.
            return found[0] if len(found) == 1 else _UNKNOWN
        if not function.accepts(len(found)):
            return _UNKNOWN
        return _RULES[function.units](self, call, found)

    def _rule_same(self, call: Call, found: list[_Found]) -> _Found:
        return self._same(f"{call.function} of", call, list(zip(found, call.args, strict=True)))

    def _rule_keep(self, call: Call, found: list[_Found]) -> _Found:
        return found[0]

    def _rule_none(self, call: Call, found: list[_Found]) -> _Found:
        for one, arg in zip(found, call.args, strict=True):
            self._pure(one, arg, f"the argument of {call.function}")
        return ONE

    def _rule_root(self, call: Call, found: list[_Found]) -> _Found:
        return self._power_of(found[0], Fraction(1, 2))

    def _rule_if(self, call: Call, found: list[_Found]) -> _Found:
        self._truth(found[0], call.args[0])
        parts = list(zip(found[1:], call.args[1:], strict=True))
        return self._same("the two branches are", call, parts)

    def _times(self, call: Call, found: list[_Found], indices: Sequence[int]) -> None:
        names_of = (*FUNCTIONS[call.function].required, *FUNCTIONS[call.function].optional)
        for index in indices:
            if index < len(found):
                what = f"{names_of[index]} of {call.function}"
                self._needs(found[index], self.time, call.args[index], what)

    def _rule_step(self, call: Call, found: list[_Found]) -> _Found:
        self._times(call, found, (1,))
        return found[0]

    def _rule_pulse(self, call: Call, found: list[_Found]) -> _Found:
        self._times(call, found, (0, 1, 2, 3))
        return ONE

    def _rule_ramp(self, call: Call, found: list[_Found]) -> _Found:
        self._times(call, found, (1, 2))
        return self._product(found[0], self.time)

    def _rule_delay(self, call: Call, found: list[_Found]) -> _Found:
        function = FUNCTIONS[call.function]
        self._times(call, found, (1,))
        result = found[0]
        for index, name in enumerate((*function.required, *function.optional)):
            if index >= len(found):
                break
            if name == "order":
                self._pure(found[index], call.args[index], f"order of {call.function}")
            if name == "initial":
                if result is _UNKNOWN and not _literal(call.args[index]):
                    result = found[index]
                what = f"the initial value of {call.function}"
                self._needs(found[index], result, call.args[index], what)
        return result

    def _rule_trend(self, call: Call, found: list[_Found]) -> _Found:
        self._times(call, found, (1,))
        rate = self._power_of(self.time, Fraction(-1))
        if len(found) > 2:
            self._needs(found[2], rate, call.args[2], "the initial trend")
        return rate

    def _rule_forecast(self, call: Call, found: list[_Found]) -> _Found:
        self._times(call, found, (1, 2))
        return found[0]

    def _rule_npv(self, call: Call, found: list[_Found]) -> _Found:
        self._needs(
            found[1],
            self._power_of(self.time, Fraction(-1)),
            call.args[1],
            "the discount rate of npv",
        )
        total = self._product(found[0], self.time)
        if len(found) > 2:
            self._needs(found[2], total, call.args[2], "the initial value of npv")
        if len(found) > 3:
            self._pure(found[3], call.args[3], "the factor of npv")
        return total


_RULES: dict[str, Callable[[_Checker, Call, list[_Found]], _Found]] = {
    "same": _Checker._rule_same,
    "keep": _Checker._rule_keep,
    "none": _Checker._rule_none,
    "root": _Checker._rule_root,
    "if": _Checker._rule_if,
    "step": _Checker._rule_step,
    "pulse": _Checker._rule_pulse,
    "ramp": _Checker._rule_ramp,
    "delay": _Checker._rule_delay,
    "trend": _Checker._rule_trend,
    "forecast": _Checker._rule_forecast,
    "npv": _Checker._rule_npv,
}


def _literal(expr: Expr) -> bool:
    """Whether the expression is made of numbers alone."""
    match expr:
        case Number():
            return True
        case Unary(op="-", operand=operand):
            return _literal(operand)
        case Binary(op=op, left=left, right=right):
            return op in {"+", "-", "*", "/", "^"} and _literal(left) and _literal(right)
        case _:
            return False


def _value(expr: Expr) -> float | None:
    """The value of numbers alone; None for anything else, and for what has no finite value."""
    if not _literal(expr):
        return None
    try:
        match expr:
            case Number(value=value):
                return value
            case Unary(operand=operand):
                inner = _value(operand)
                return None if inner is None else -inner
            case Binary(op=op, left=left, right=right):
                a, b = _value(left), _value(right)
                if a is None or b is None:
                    return None
                match op:
                    case "+":
                        return a + b
                    case "-":
                        return a - b
                    case "*":
                        return a * b
                    case "/":
                        return a / b
                    case _:
                        result = a**b
                        return result if isinstance(result, float) else None
            case _:
                return None
    except (ArithmeticError, ValueError):
        return None


def _said(dimension: Dimension) -> str:
    """A dimension as a message names it."""
    return "1 (a plain number)" if dimension.pure and not dimension.shown else str(dimension)


def _spelt(expr: Expr) -> str:
    """A short name for a part of an expression, empty where it would be long."""
    match expr:
        case Name(name=name):
            return name
        case Number(value=value):
            return f"{value:g}"
        case _:
            if expr.span is None:
                return ""
            text = expr.span.text
            return text if "\n" not in text and len(text) <= 32 else ""


def _which(left: Expr, right: Expr, a: Dimension, b: Dimension) -> str:
    first, second = _spelt(left), _spelt(right)
    if not (first and second):
        return ""
    return f" (`{first}` is in {a}, `{second}` in {b})"


def _advice(missing: Dimension) -> str:
    """What would make the difference good: multiplying by ``missing``."""
    simple = [(name, power) for name, power in missing.shown if power]
    if len(simple) == 1 and abs(simple[0][1]) == 1:
        name, power = simple[0]
        return (
            f"a factor is missing: {'multiply' if power > 0 else 'divide'} by something in {name}"
        )
    return f"a factor in {missing} is missing"
