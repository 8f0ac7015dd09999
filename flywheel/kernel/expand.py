"""Model -> System: delays become stocks, tables lookups, timed settings switches.

Everything that a backend would otherwise need to know about the language is said here once, in terms
of the small vocabulary of ``kernel.system``. Meanings of the delays are Vensim's (Reference Manual,
"DELAY1" to "TREND"): their hidden stocks start in the steady state of the input's first value unless
an initial value is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flywheel.errors import Finding, ModelError, Span
from flywheel.expr import (
    COMPARISONS,
    LOGICAL,
    Binary,
    BinaryOp,
    Call,
    Expr,
    Name,
    Number,
    Unary,
    key,
    names,
    rebuild,
    substitute,
    walk,
)
from flywheel.functions import FUNCTIONS, TIME
from flywheel.kernel.system import (
    TIME_EARLY,
    TIME_LATE,
    DelayStage,
    Equation,
    Lookup,
    Noise,
    Pipeline,
    Series,
    StockEquation,
    Switch,
    System,
)
from flywheel.model import Aux, Data, Flow, Model, Setting, Stock, Table

STEP_INPUT = "time@step"
"""Hidden input of systems that need the step's length (``npv``); the caller sets it."""


@dataclass(frozen=True)
class Extra:
    """Something computed beside the model's own variables: ``name`` is the integral of ``expr`` from
    the start, or with ``integral=False`` its value at every time."""

    name: str
    expr: Expr
    integral: bool = True


def timed_inputs(settings: Sequence[Setting]) -> tuple[tuple[str, str | None, str | None], ...]:
    """Names of the hidden inputs of timed settings, in order: value, since, until (or None).

    Values and times are inputs, not constants, so that another year or value needs no new kernel.
    """
    counts: dict[str, int] = {}
    found = []
    for setting in settings:
        number = counts[setting.name] = counts.get(setting.name, 0) + 1
        stem = f"{setting.name}@{number}"
        since = f"{stem}.since" if setting.since is not None else None
        until = f"{stem}.until" if setting.until is not None else None
        found.append((stem, since, until))
    return tuple(found)


def initial_input(stock: str) -> str:
    """The hidden input that holds an overridden initial value of a stock."""
    return f"{stock}@initial"


def expand(
    model: Model,
    *,
    settings: Sequence[Setting] = (),
    initials: Sequence[str] = (),
    extras: Sequence[Extra] = (),
) -> System:
    """The system of equations of a model.

    ``settings`` are timed overrides of parameters (``since`` or ``until`` given); only their names and
    which times they have matter here, values enter through ``timed_inputs``. ``initials`` names stocks
    whose initial value is an input. ``extras`` are computed in addition.

    Raises ModelError, with the path, for equations that need each other's value at the same moment.
    """
    return _Expansion(model).build(settings, initials, extras)


class _Expansion:
    """Collects hidden items while the declarations are rewritten one by one."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.inputs: dict[str, float] = {p.name: p.value for p in model.params.values()}
        self.stocks: list[StockEquation] = []
        self.equations: dict[str, Equation] = {}
        self.lookups: list[Lookup] = []
        self.series: list[Series] = []
        self.pipelines: list[Pipeline] = []
        self.noises: list[Noise] = []
        self.stages: list[DelayStage] = []
        self.visible: list[str] = []
        self.now: dict[str, Expr] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._owner = ""
        self._span: Span | None = None

    def build(
        self, settings: Sequence[Setting], initials: Sequence[str], extras: Sequence[Extra]
    ) -> System:
        self._timed(settings)
        replaced = set(initials)
        for declaration in self.model.flat:
            self._owner, self._span = declaration.name, declaration.span
            match declaration:
                case Stock():
                    self._stock(declaration, declaration.name in replaced)
                case Flow() | Aux():
                    self._equation(declaration.name, self.rewrite(declaration.equation))
                case Table():
                    self._table(declaration)
                case Data():
                    self._data(declaration)
                case _:
                    continue
            if not isinstance(declaration, Table) or declaration.name in self.equations:
                self.visible.append(declaration.name)
        for extra in extras:
            self._owner, self._span = extra.name, None
            expr = self.rewrite(extra.expr)
            if extra.integral:
                self._state(extra.name, Number(0.0), expr)
            else:
                self._equation(extra.name, expr)
        ordered = self._sorted()
        holding = _Holding(self.inputs)
        held = {equation.name: holding.equation(equation) for equation in ordered}
        stocks = [
            replace(s, initial=holding.extract(s.initial, s), rate=holding.extract(s.rate, s))
            for s in self.stocks
        ]
        pipelines = [
            replace(
                p,
                input=holding.extract(p.input, p),
                delay=holding.extract(p.delay, p),
                initial=holding.extract(p.initial, p),
            )
            for p in self.pipelines
        ]
        return System(
            name=self.model.name,
            time=self.model.time,
            inputs=tuple(self.inputs),
            defaults=tuple(self.inputs.values()),
            stocks=tuple(stocks),
            equations=tuple(held.values()),
            lookups=tuple(self.lookups),
            series=tuple(self.series),
            pipelines=tuple(pipelines),
            noises=tuple(self.noises),
            switches=tuple(holding.switches.values()),
            delay_stages=tuple(self.stages),
            initial_order=self._initial_order(stocks, pipelines, held),
            visible=tuple(self.visible),
        )

    # Declarations -----------------------------------------------------------------------------

    def _timed(self, settings: Sequence[Setting]) -> None:
        """``p`` becomes ``p@now``: the last setting whose time it is, else the plain input."""
        for setting, (value, since, until) in zip(settings, timed_inputs(settings), strict=True):
            self.inputs[value] = self.inputs[setting.name]
            conditions: list[Expr] = []
            if since:
                self.inputs[since] = float("inf")
                conditions.append(Binary(">=", Name(TIME), Name(since)))
            if until:
                self.inputs[until] = float("-inf")
                conditions.append(Binary("<", Name(TIME), Name(until)))
            condition = conditions[0]
            for other in conditions[1:]:
                condition = Binary("and", condition, other)
            before = self.now.get(setting.name, Name(setting.name))
            self.now[setting.name] = Call("if", (condition, Name(value), before))
        for name, expr in self.now.items():
            self._owner, self._span = name, self.model.params[name].span
            self._equation(f"{name}@now", expr)
        self.now = {name: Name(f"{name}@now") for name in self.now}

    def _stock(self, stock: Stock, replaced: bool) -> None:
        rate: Expr | None = None
        for flow in stock.gains:
            rate = Name(flow) if rate is None else Binary("+", rate, Name(flow))
        for flow in stock.loses:
            loss = Name(flow)
            rate = Unary("-", loss) if rate is None else Binary("-", rate, loss)
        initial: Expr
        if replaced:
            initial = Name(initial_input(stock.name))
            self.inputs[initial_input(stock.name)] = 0.0
        else:
            initial = self.rewrite(stock.initial)
        self._state(stock.name, initial, rate or Number(0.0))

    def _table(self, table: Table) -> None:
        xs, ys = zip(*table.points, strict=True)
        self.lookups.append(Lookup(table.name, xs, ys, table.extrapolate))
        known = table.input == TIME or table.input in self.model.params
        if known or table.input in self.model.variables:
            read = Call(table.name, (self.rewrite(Name(table.input, table.span)),), table.span)
            self._equation(table.name, read)

    def _data(self, data: Data) -> None:
        times = tuple(point.time for point in data.points)
        values = tuple(point.value for point in data.points)
        self.series.append(Series(data.name, times, values, data.hold))

    # Hidden items -----------------------------------------------------------------------------

    def _equation(self, name: str, expr: Expr) -> Name:
        self.equations[name] = Equation(name, expr, self._owner, self._span)
        return Name(name, expr.span)

    def _state(self, name: str, initial: Expr, rate: Expr) -> Name:
        self.stocks.append(StockEquation(name, initial, rate, self._owner, self._span))
        return Name(name, rate.span)

    def _fresh(self, kind: str) -> str:
        number = self._counts[self._owner, kind] = self._counts.get((self._owner, kind), 0) + 1
        return f"{self._owner}@{kind}:{number}"

    def _once(self, name: str, expr: Expr) -> Expr:
        """The expression itself when it is a leaf, else a hidden equation that is computed once."""
        return expr if isinstance(expr, Name | Number) else self._equation(name, expr)

    # Expressions ------------------------------------------------------------------------------

    def rewrite(self, expr: Expr) -> Expr:
        """The expression with timed parameters, time functions, delays and noise replaced."""

        def change(node: Expr) -> Expr:
            if isinstance(node, Name):
                return self.now.get(node.name, node)
            if not isinstance(node, Call):
                return node
            function = FUNCTIONS.get(node.function)
            if function is None or function.kind == "math":
                return node
            if function.kind == "noise":
                return self._noise(node)
            if function.kind == "time":
                return _TIME_FUNCTIONS[node.function](node)
            return self._delay(node)

        return rebuild(expr, change)

    def _noise(self, call: Call) -> Expr:
        name = self._fresh("noise")
        digest = hashlib.sha256(key(name).encode()).digest()
        self.noises.append(Noise(name, int.from_bytes(digest[:8], "big"), self._owner))
        mean, sd = call.args
        spread = Binary("*", sd, Name(name, call.span), call.span)
        return Binary("+", mean, spread, call.span)

    def _delay(self, call: Call) -> Expr:
        name = self._fresh(call.function)
        signal = self._once(f"{name}.in", call.args[0])
        tau = call.args[1]
        rest = call.args[2:]
        match call.function:
            case "smooth" | "smooth3" | "smoothn":
                order, initial = self._order(call, rest)
                return self._smooth(name, call, signal, tau, order, initial or signal)
            case "delay1" | "delay3" | "delayn":
                order, initial = self._order(call, rest)
                return self._material(name, call, signal, tau, order, initial or signal)
            case "delay_fixed":
                pipe = Pipeline(name, signal, tau, rest[0], self._owner, call.span)
                self.pipelines.append(pipe)
                return Name(name, call.span)
            case "trend":
                return self._trend(name, call, signal, tau, rest[0] if rest else Number(0.0))
            case "forecast":
                growth = self._trend(name, call, signal, tau, Number(0.0))
                gain = Binary("*", growth, rest[0], call.span)
                return Binary("*", signal, Binary("+", Number(1.0), gain), call.span)
            case _:
                return self._npv(name, call, signal, tau, rest)

    def _order(self, call: Call, rest: tuple[Expr, ...]) -> tuple[int, Expr | None]:
        """The number of stages, and the initial value if the call gives one."""
        if not call.function.endswith("n"):
            return (3 if call.function.endswith("3") else 1), (rest[0] if rest else None)
        order = rest[0]
        whole = isinstance(order, Number) and order.value == int(order.value)
        if not (isinstance(order, Number) and whole and 1 <= order.value <= 100):
            message = f"the order of {call.function} must be a whole number from 1 to 100"
            hint = "write the order as a plain number, such as 3"
            raise ModelError.of(
                [Finding("error", "delay-order", message, order.span or call.span, hint)]
            )
        return int(order.value), (rest[1] if len(rest) > 1 else None)

    def _stage(self, name: str, call: Call, tau: Expr, order: int) -> Expr:
        """The time constant of one stage; noted for the check against the step."""
        stage = tau if order == 1 else Binary("/", tau, Number(float(order)), call.span)
        stage = self._once(f"{name}.stage", stage)
        self.stages.append(DelayStage(stage, self._owner, call.span))
        return stage

    def _smooth(
        self, name: str, call: Call, signal: Expr, tau: Expr, order: int, initial: Expr
    ) -> Expr:
        """A chain of exponential averages, each with an equal part of the averaging time."""
        stage = self._stage(name, call, tau, order)
        level = signal
        for number in range(1, order + 1):
            own = name if number == order else f"{name}.{number}"
            gap = Binary("-", level, Name(own), call.span)
            level = self._state(own, initial, Binary("/", gap, stage, call.span))
        return level

    def _material(
        self, name: str, call: Call, signal: Expr, tau: Expr, order: int, initial: Expr
    ) -> Expr:
        """A chain of stocks, each emptied in proportion to what it holds; conserves the material."""
        stage = self._stage(name, call, tau, order)
        inflow = signal
        for number in range(1, order + 1):
            level = f"{name}.{number}"
            outflow = self._equation(
                name if number == order else f"{level}.out",
                Binary("/", Name(level), stage, call.span),
            )
            content = Binary("*", initial, stage, call.span)
            self._state(level, content, Binary("-", inflow, outflow, call.span))
            inflow = outflow
        return inflow

    def _trend(self, name: str, call: Call, signal: Expr, tau: Expr, initial: Expr) -> Expr:
        """Growth of the signal relative to its average, per unit of time; 0 where the average is 0."""
        stage = self._stage(name, call, tau, 1)
        average = f"{name}.average"
        start = Binary(
            "/", signal, Binary("+", Number(1.0), Binary("*", initial, stage)), call.span
        )
        gap = Binary("-", signal, Name(average), call.span)
        self._state(average, start, Binary("/", gap, stage, call.span))
        size = Binary("*", stage, Call("abs", (Name(average),)), call.span)
        is_zero = Binary("==", Name(average), Number(0.0))
        growth = Call("if", (is_zero, Number(0.0), Binary("/", gap, size, call.span)), call.span)
        return self._equation(f"{name}.growth", growth)

    def _npv(self, name: str, call: Call, signal: Expr, rate: Expr, rest: tuple[Expr, ...]) -> Expr:
        """Vensim's NPV, which counts the stream of the coming step as already received."""
        initial = rest[0] if rest else Number(0.0)
        factor = rest[1] if len(rest) > 1 else Number(1.0)
        self.inputs[STEP_INPUT] = self.model.time.step
        discount = Name(f"{name}.discount")
        decay = Unary("-", Binary("*", discount, rate, call.span), call.span)
        self._state(discount.name, Number(1.0), decay)
        value = Binary("*", signal, discount, call.span)
        total = self._state(f"{name}.total", initial, value)
        coming = Binary("*", value, Name(STEP_INPUT), call.span)
        return Binary("*", Binary("+", total, coming, call.span), factor, call.span)

    # Order ------------------------------------------------------------------------------------

    def _sorted(self) -> list[Equation]:
        """Equations so that each reads only earlier ones."""
        try:
            order = topological(self.equations, lambda name: names(self.equations[name].expr))
        except Circle as circle:
            raise self._circle(
                circle,
                "algebraic-loop",
                "need each other's value at the same moment",
                "put a stock or a delay, such as smooth(x, tau), into the circle",
            ) from None
        return [self.equations[name] for name in order]

    def _initial_order(
        self,
        stocks: Sequence[StockEquation],
        pipelines: Sequence[Pipeline],
        equations: Mapping[str, Equation],
    ) -> tuple[str, ...]:
        """What the stocks and pipelines need at the start of the run, each after what it reads."""
        reads: dict[str, tuple[str, ...]] = {s.name: names(s.initial) for s in stocks}
        reads |= {p.name: (*names(p.initial), *names(p.delay)) for p in pipelines}
        wanted = list(reads)
        reads |= {e.name: names(e.expr) for e in equations.values()}
        try:
            return tuple(topological(reads, reads.__getitem__, wanted))
        except Circle as circle:
            raise self._circle(
                circle,
                "initial-loop",
                "need each other's value to start",
                "give one of the stocks an initial value that does not depend on the others",
            ) from None

    def _circle(self, circle: Circle, code: str, sentence: str, hint: str) -> ModelError:
        """The error for a circle, told in the names that the reader of the model knows."""
        owners = [name.split("@")[0] for name in circle.path]
        shown = [n for n, before in zip(owners, [None, *owners], strict=False) if n != before]
        if len(shown) == 1:
            message = f"{shown[0]} needs its own value at the same moment"
        else:
            message = f"{' -> '.join(shown)}: these {sentence}"
        place = next((self.model[n] for n in shown if n in self.model), None)
        span = (place.name_span or place.span) if place else None
        return ModelError.of([Finding("error", code, message, span, hint)])


# Time functions ---------------------------------------------------------------------------------

_NOW = Name(TIME)


def _step(call: Call) -> Expr:
    height, start = call.args
    begun = Binary(">=", _NOW, start, call.span)
    return Call("if", (begun, height, Number(0.0)), call.span)


def _pulse(call: Call) -> Expr:
    start, width, *rest = call.args
    begun = Binary(">=", _NOW, start, call.span)
    phase: Expr = Binary("-", _NOW, start, call.span)
    if rest:
        whole = Call("floor", (Binary("/", phase, rest[0], call.span),), call.span)
        phase = Binary("-", phase, Binary("*", rest[0], whole, call.span), call.span)
    on: Expr = Binary("and", begun, Binary("<", phase, width, call.span), call.span)
    if len(rest) > 1:
        on = Binary("and", on, Binary("<", _NOW, rest[1], call.span), call.span)
    return Call("if", (on, Number(1.0), Number(0.0)), call.span)


def _ramp(call: Call) -> Expr:
    slope, start, *rest = call.args
    begun = Binary(">=", _NOW, start, call.span)
    rising: Expr = Binary("*", slope, Binary("-", _NOW, start), call.span)
    if rest:
        # The clip keeps the value continuous inside the step in which the ramp ends.
        until = Call("min", (_NOW, rest[0]))
        rising = Binary("*", slope, Binary("-", until, start), call.span)
        top = Binary("*", slope, Binary("-", rest[0], start), call.span)
        rising = Call("if", (Binary("<", _NOW, rest[0], call.span), rising, top), call.span)
    return Call("if", (begun, rising, Number(0.0)), call.span)


_TIME_FUNCTIONS: dict[str, Callable[[Call], Expr]] = {"step": _step, "pulse": _pulse, "ramp": _ramp}


# Switches ---------------------------------------------------------------------------------------


class _Holding:
    """Takes conditions on time alone out of expressions: they are read once a step.

    A comparison that flips inside a Runge-Kutta step would make the method first order. ``exogenous``
    collects the names that follow from time and inputs, inlined, so that a condition on an auxiliary
    that only depends on time is recognised too.
    """

    def __init__(self, inputs: Iterable[str]) -> None:
        self.switches: dict[str, Switch] = {}
        self.exogenous: dict[str, Expr] = {name: Name(name) for name in inputs}
        self.exogenous[TIME] = _NOW

    def equation(self, equation: Equation) -> Equation:
        """The equation with its conditions taken out; equations must come in order."""
        if self._follows(equation.expr):
            self.exogenous[equation.name] = substitute(equation.expr, self.exogenous)
        return replace(equation, expr=self.extract(equation.expr, equation))

    def extract(self, expr: Expr, item: Equation | StockEquation | Pipeline) -> Expr:
        """``expr`` with its largest conditions on time replaced by the names of switches."""
        if _is_condition(expr) and self._follows(expr):
            inlined = substitute(expr, self.exogenous)
            if TIME in names(inlined):
                # What the comparisons left of the time (as in ``time and x``) is read late too.
                condition = substitute(rebuild(inlined, _nudge), {TIME: Name(TIME_LATE)})
                return self._switch(condition, expr.span or item.span, item.owner)
        match expr:
            case Unary():
                return replace(expr, operand=self.extract(expr.operand, item))
            case Binary():
                left, right = self.extract(expr.left, item), self.extract(expr.right, item)
                return replace(expr, left=left, right=right)
            case Call():
                args = tuple(self.extract(arg, item) for arg in expr.args)
                return replace(expr, args=args)
            case _:
                return expr

    def _follows(self, expr: Expr) -> bool:
        """Whether the value follows from time and inputs; switches are kept free of lookups."""
        return all(name in self.exogenous for name in names(expr)) and not any(
            isinstance(node, Call) and node.function not in FUNCTIONS for node in walk(expr)
        )

    def _switch(self, condition: Expr, span: Span | None, owner: str) -> Name:
        for switch in self.switches.values():
            if switch.expr == condition:
                return Name(switch.name, span)
        name = f"@switch{len(self.switches) + 1}"
        self.switches[name] = Switch(name, condition, owner, span)
        return Name(name, span)


def _is_condition(expr: Expr) -> bool:
    if isinstance(expr, Unary):
        return expr.op == "not"
    return isinstance(expr, Binary) and (expr.op in COMPARISONS or expr.op in LOGICAL)


def _nudge(expr: Expr) -> Expr:
    """A comparison read a millionth of a step late or early, whichever makes a tie count as met.

    Grid times are start + k * step and may miss a decimal event time by a rounding error.
    """
    if not isinstance(expr, Binary) or expr.op not in COMPARISONS:
        return expr
    late = {TIME: Name(TIME_LATE)}
    early = {TIME: Name(TIME_EARLY)}
    if expr.op in ("==", "!="):
        gap = Binary("-", expr.left, expr.right, expr.span)
        if _direction(gap) < 0:
            late, early = early, late
        reached = Binary(">=", substitute(gap, late), Number(0.0), expr.span)
        not_past = Binary("<=", substitute(gap, early), Number(0.0), expr.span)
        both = Binary("and", reached, not_past, expr.span)
        return both if expr.op == "==" else Unary("not", both, expr.span)
    rising = _direction(Binary("-", expr.left, expr.right)) >= 0
    begins: tuple[BinaryOp, BinaryOp] = (">=", "<")
    return substitute(expr, late if (expr.op in begins) == rising else early)


def _direction(expr: Expr) -> int:
    """1 when the expression grows with time, -1 when it falls; 1 also where that is not plain."""
    match expr:
        case Name(name=name):
            return 1 if name == TIME else 0
        case Number():
            return 0
        case Unary(op="-", operand=operand):
            return -_direction(operand)
        case Binary(op="+", left=left, right=right):
            return _direction(left) or _direction(right)
        case Binary(op="-", left=left, right=right):
            return _direction(left) or -_direction(right)
        case Binary(op="*" | "/", left=left, right=Number(value=value)):
            return _direction(left) * (1 if value > 0 else -1)
        case Binary(op="*", left=Number(value=value), right=right):
            return _direction(right) * (1 if value > 0 else -1)
        case _:
            return 1 if TIME in names(expr) else 0


# Order ------------------------------------------------------------------------------------------


def topological(
    known: Iterable[str], reads: Callable[[str], Iterable[str]], wanted: Iterable[str] | None = None
) -> list[str]:
    """``wanted`` (all of ``known`` by default) and what it needs, each after what it reads."""
    members = frozenset(known) if wanted is not None else dict.fromkeys(known)
    order: dict[str, None] = {}
    path: dict[str, Iterator[str]] = {}
    for root in wanted if wanted is not None else members:
        if root not in order:
            path[root] = iter(reads(root))
        while path:
            current = next(reversed(path))
            for name in path[current]:
                if name in path:
                    trail = list(path)
                    raise Circle([*trail[trail.index(name) :], name])
                if name in members and name not in order:
                    path[name] = iter(reads(name))
                    break
            else:
                order[current] = None
                del path[current]
    return list(order)


class Circle(Exception):
    """A circle among names; becomes a ModelError where the lines are known."""

    def __init__(self, path: list[str]) -> None:
        super().__init__(" -> ".join(path))
        self.path = path
