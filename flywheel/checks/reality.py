"""What only a run can tell: the model's own checks, and the signs of its feedback loops.

A ``check`` line is a reality check in Vensim's sense: whatever the numbers, this must hold. Loop
polarity is measured along a run from the equations' own slopes, so that a loop called reinforcing is
one, all the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from flywheel.checks.loops import declared_sign
from flywheel.checks.names import BASE
from flywheel.errors import Finding, Severity, Span, unknown_name
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, key, names, rebuild, walk
from flywheel.functions import TIME
from flywheel.model import Check, Loop, Model, Setting

if TYPE_CHECKING:
    from flywheel.kernel.system import Equation, Lookup, Pipeline, StockEquation, System
    from flywheel.solve.run import Run

_SLACK = 1e-9
"""What counts as rounding in a claim, as a part of the largest value of either side."""
_ROUNDING = 1e-9
"""In saves: how far outside the run a time may lie by rounding."""


@dataclass(frozen=True)
class CheckResult:
    """How one ``check`` line fared.

    ``message`` is a sentence for people, with time and values where the claim failed. ``time`` is
    the first time of failure (None where the claim asks nothing of a time, or holds), ``values`` what
    the claim compares at that time, ``failed`` of ``judged`` how often it failed. ``hint`` says what
    to try, where a claim fails at one end of the run alone.
    """

    name: str
    ok: bool
    message: str
    time: float | None = None
    values: tuple[tuple[str, float], ...] = ()
    failed: int = 0
    judged: int = 0
    span: Span | None = field(default=None, compare=False, repr=False)
    hint: str = ""

    @property
    def finding(self) -> Finding | None:
        """The failure as a finding with the line of the claim; None where the claim holds."""
        if self.ok:
            return None
        return Finding("error", "check-failed", self.message, self.span, self.hint)

    def as_dict(self) -> dict[str, object]:
        """The result as plain data, for ``--json``."""
        return {
            "name": self.name,
            "ok": self.ok,
            "message": self.message,
            "time": self.time,
            "values": dict(self.values),
            "failed": self.failed,
            "judged": self.judged,
            "line": self.span.line if self.span else None,
        }


# Checks -----------------------------------------------------------------------------------------


def run_checks(
    model: Model,
    only: Iterable[str] | None = None,
    *,
    method: str = "rk4",
    step: float | None = None,
    seed: int = 0,
    deadline: float | None = None,
) -> tuple[CheckResult, ...]:
    """The model's checks, run: one result for each line, in the order of the file.

    A claim is judged at its time (between saved times linearly), or at every saved time of its
    window; without names of variables it is judged once. ``<= >= == !=`` forgive a difference of
    1e-9 of the largest value that either side takes: rounding. A run that fails, and a value that is
    no number, fail the claim. ``only`` names the checks to run, in any case.

    Raises UnknownNameError for a name in ``only`` that is no check, UsageError for a method or step
    that makes no sense, ModelError for a model that cannot be computed.
    """
    from flywheel.solve import simulate

    runs: dict[tuple[str, tuple[Setting, ...]], Run] = {}

    def run_of(scenario: str, settings: tuple[Setting, ...]) -> Run:
        if (scenario, settings) not in runs:
            runs[scenario, settings] = simulate(
                model,
                method=method,
                scenario=scenario or None,
                settings=settings,
                step=step,
                seed=seed,
                deadline=deadline,
            )
        return runs[scenario, settings]

    return tuple(_judge(model, check, run_of) for check in _chosen(model, only))


def _chosen(model: Model, only: Iterable[str] | None) -> Iterator[Check]:
    if only is None:
        yield from model.checks.values()
        return
    known = {key(name): check for name, check in model.checks.items()}
    for name in only:
        if key(name) not in known:
            raise unknown_name(name, "check", model.checks, f"model {model.name}")
        yield known[key(name)]


def _judge(
    model: Model, check: Check, run_of: Callable[[str, tuple[Setting, ...]], Run]
) -> CheckResult:
    from flywheel.errors import UsageError

    span = check.claim.span or check.span

    def failure(message: str, time: float | None = None) -> CheckResult:
        return CheckResult(check.name, False, f"{check.name}: {message}", time, span=span)

    try:
        run = run_of(check.scenario, check.when)
        base = run_of("", ()) if _asks_base(check.claim) else run
    except UsageError as error:
        return failure(error.message)
    for one in (run, base):
        if not one.status.ok:
            return failure(f"the run failed: {one.status.message}", one.status.time)
    claim = _Claim(model, check, run, base)
    if not claim.times:
        start, stop = float(run.time[0]), float(run.time[-1])
        return failure(f"its time lies outside the run, which goes from {start:g} to {stop:g}")
    return claim.judge()


def _asks_base(claim: Expr) -> bool:
    return any(isinstance(node, Call) and node.function == BASE for node in walk(claim))


class _Claim:
    """A claim with the columns that it reads."""

    def __init__(self, model: Model, check: Check, run: Run, base: Run) -> None:
        self.check = check
        self.span = check.claim.span or check.span
        self.columns: dict[str, Sequence[float]] = {}
        self.saved = [float(t) for t in run.time]
        self.constant = True
        self.expr = self._bind(model, check.claim, run, base)
        self.times = self._times()
        self.lookups = _lookups(model)
        self.position = {name: place for place, name in enumerate(self.columns)}
        self.rows = [
            [_between(self.saved, column, time) for column in self.columns.values()]
            for time in self.times
        ]

    def _bind(self, model: Model, claim: Expr, run: Run, base: Run) -> Expr:
        """The claim with names that are columns of this object: ``x`` and ``base(x)``."""
        scenario = model.scenarios.get(self.check.scenario)
        forced = (*(scenario.settings if scenario else ()), *self.check.when)

        def bind(node: Expr, of_base: bool) -> Expr:
            match node:
                case Name(name=name):
                    shown = f"{BASE}({name})" if of_base else name
                    if shown not in self.columns:
                        source, settings = (base, ()) if of_base else (run, forced)
                        self.columns[shown] = self._column(model, name, source, settings)
                    return Name(shown)
                case Unary(operand=operand):
                    return replace(node, operand=bind(operand, of_base))
                case Binary(left=left, right=right):
                    return replace(node, left=bind(left, of_base), right=bind(right, of_base))
                case Call(function=function, args=args) if function == BASE:
                    return bind(args[0], True)
                case Call(args=args):
                    return replace(node, args=tuple(bind(arg, of_base) for arg in args))
                case _:
                    return node

        return bind(claim, False)

    def _column(
        self, model: Model, name: str, run: Run, settings: tuple[Setting, ...]
    ) -> Sequence[float]:
        count = len(self.saved)
        if name == TIME:
            self.constant = False
            return self.saved
        if name in model.outcomes:
            return [float(run.outcomes[name])] * count
        if name in model.params:
            values = [float(run.params[name])] * count
            timed = [s for s in settings if s.name == name and (s.since, s.until) != (None, None)]
            if timed:
                self.constant = False
            return _with_timed(values, self.saved, timed, run)
        self.constant = False
        return [float(value) for value in run[name]]

    def _times(self) -> list[float]:
        """The times at which the claim must hold."""
        check, saved = self.check, self.saved
        slack = _ROUNDING * (saved[-1] - saved[0])
        if check.at is not None:
            inside = saved[0] - slack <= check.at <= saved[-1] + slack
            return [check.at] if inside else []
        if self.constant:
            return saved[-1:]
        low = -math.inf if check.since is None else check.since - slack
        high = math.inf if check.until is None else check.until + slack
        return [time for time in saved if low <= time <= high]

    def _over_time(self, expr: Expr) -> list[float]:
        from flywheel.kernel.reference import closure

        value = closure(expr, self.position, self.lookups)
        return [value(row) for row in self.rows]

    def _forgiving(self, node: Expr) -> Expr:
        """A comparison that takes a difference in rounding for none."""
        if not (isinstance(node, Binary) and node.op in ("<=", ">=", "==", "!=")):
            return node
        sides = self._over_time(node.left) + self._over_time(node.right)
        slack = Number(_SLACK * max((abs(x) for x in sides if math.isfinite(x)), default=0.0))
        gap = Binary("-", node.left, node.right)
        match node.op:
            case "<=":
                return Binary("<=", gap, slack)
            case ">=":
                return Binary(">=", Binary("+", gap, slack), Number(0.0))
            case op:
                return Binary("<=" if op == "==" else ">", Call("abs", (gap,)), slack)

    def judge(self) -> CheckResult:
        verdicts = self._over_time(rebuild(self.expr, self._forgiving))
        wrong = [place for place, verdict in enumerate(verdicts) if not abs(verdict) > 0]
        if wrong:
            first = wrong[0]
            values = dict(zip(self.columns, self.rows[first], strict=True))
            failure = self._failure(self.times[first], values, verdicts[first], len(wrong))
            return replace(failure, hint=self._at_one_end(wrong))
        name, judged = self.check.name, len(self.times)
        return CheckResult(name, True, f"{name}: holds", judged=judged, span=self.span)

    def _at_one_end(self, wrong: Sequence[int]) -> str:
        """Where a claim fails only in the first or last quarter of its time: how to leave that out."""
        last = len(self.times) - 1
        if 4 * len(wrong) > last or wrong[-1] - wrong[0] + 1 != len(wrong):
            return ""
        if wrong[0] == 0:
            time = f"{self.times[wrong[-1] + 1]:g}"
            return (
                f"it holds from {time} on; if that is what is meant, end the line with from {time}"
            )
        if wrong[-1] == last:
            time = f"{self.times[wrong[0] - 1]:g}"
            return f"it holds until {time}; if that is what is meant, end the line with to {time}"
        return ""

    def _failure(
        self, time: float, values: Mapping[str, float], verdict: float, failed: int
    ) -> CheckResult:
        shown = {name: value for name, value in values.items() if name != TIME}
        listed = ", ".join(f"{name} = {value:.6g}" for name, value in shown.items())
        when = "" if self.constant else f" at time {time:g}"
        sentence = "fails" if verdict == verdict else "cannot be judged, a value is no number,"
        often = ""
        if len(self.times) > 1:
            often = f" ({failed} of {len(self.times)} saved times)"
        message = f"{self.check.name}: {sentence}{when}: {listed}{often}"
        return CheckResult(
            self.check.name,
            False,
            message,
            None if self.constant else time,
            tuple(shown.items()),
            failed,
            len(self.times),
            self.span,
        )


def _with_timed(
    values: list[float], times: Sequence[float], settings: Iterable[Setting], run: Run
) -> list[float]:
    """A parameter over time: the last setting whose time it is, else its value in the run."""
    from flywheel.kernel.reference import evaluate

    result = list(values)
    params = {name: declared.value for name, declared in run.model.params.items()}
    for setting in settings:
        number = evaluate(setting.value, params)
        low = -math.inf if setting.since is None else setting.since
        high = math.inf if setting.until is None else setting.until
        result = [
            number if low <= time < high else old for time, old in zip(times, result, strict=True)
        ]
    return result


def _between(times: Sequence[float], values: Sequence[float], time: float) -> float:
    """The value at a time, linear between saved times."""
    from bisect import bisect_right

    after = min(max(bisect_right(times, time), 1), len(times) - 1)
    if len(times) == 1 or time <= times[0]:
        return values[0]
    if time >= times[-1]:
        return values[-1]
    t0, t1 = times[after - 1], times[after]
    if time == t0:
        return values[after - 1]
    share = (time - t0) / (t1 - t0)
    return values[after - 1] + share * (values[after] - values[after - 1])


def _lookups(model: Model) -> dict[str, Lookup]:
    from flywheel.kernel.system import Lookup

    found = {}
    for table in model.tables.values():
        xs, ys = zip(*table.points, strict=True)
        found[table.name] = Lookup(table.name, xs, ys, table.extrapolate)
    return found


# Loop polarity ----------------------------------------------------------------------------------

_SAMPLES = 64
"""Moments of a run at which signs are measured."""
_NUDGE = 1e-4
"""Relative change for a central difference: far above rounding, far below what bends a curve."""
_NOTHING = 1e-10
"""A change this small, against the size of the target, is rounding."""


@dataclass(frozen=True)
class Polarity:
    """The signs of one declared loop along a run.

    ``signs`` has +1 (reinforcing), -1 (balancing) or 0 (some link has no effect then) at ``times``;
    ``links`` the same for every link of the loop.
    """

    loop: str
    times: tuple[float, ...]
    signs: tuple[int, ...]
    links: tuple[tuple[str, str, tuple[int, ...]], ...]


def loop_polarity(model: Model, run: Run) -> tuple[Finding, ...]:
    """Findings for loops that are not, all along a run, of the kind that their names say.

    Codes: ``loop-contrary`` (never of that kind; an error), ``loop-changes`` (not always; a warning
    with the link and the first time), ``loop-idle`` (some link has no effect during the whole run).
    Loops whose names begin with neither R nor B are left out.
    """
    findings = []
    for measured in polarities(model, run):
        loop = model.declared_loops[measured.loop]
        wanted = {"+": 1, "-": -1}.get(declared_sign(loop))
        if wanted is not None:
            findings += _compare(loop, measured, wanted)
    return tuple(findings)


def polarities(model: Model, run: Run) -> tuple[Polarity, ...]:
    """The measured signs of every declared loop whose links are all there.

    A link's sign is that of the slope of the target's own equation along the source, everything else
    kept as it is: a central difference at up to 64 moments. What a target's delays keep hidden
    belongs to its link; where the source acts both now and through a delay, what it does now counts.
    The run is computed again by the reference, with the run's parameters, scenario and step (for an
    adaptive method the model's step, by rk4).
    """
    from flywheel.structure import graph

    whole = graph(model)
    loops = [
        loop
        for loop in model.declared_loops.values()
        if len(loop.path) > 1
        and loop.path[0] == loop.path[-1]
        and all(b in whole.get(a, ()) for a, b in pairwise(loop.path))
    ]
    if not loops:
        return ()
    system, rows, times = _replay(model, run)
    if not rows:
        return ()
    slopes = _Slopes(system, rows)
    found = []
    for loop in loops:
        links = tuple((a, b, slopes.signs(a, b)) for a, b in pairwise(loop.path))
        signs = tuple(math.prod(at) for at in zip(*(s for _, _, s in links), strict=True))
        found.append(Polarity(loop.name, times, signs, links))
    return tuple(found)


def _compare(loop: Loop, measured: Polarity, wanted: int) -> list[Finding]:
    active = [place for place, sign in enumerate(measured.signs) if sign]
    contrary = [place for place in active if measured.signs[place] != wanted]
    kind, other = ("reinforcing", "balancing") if wanted > 0 else ("balancing", "reinforcing")

    def finding(severity: Severity, code: str, message: str, hint: str) -> list[Finding]:
        return [Finding(severity, code, message, loop.span or loop.name_span, hint)]

    if not active:
        dead = next((f"{a} -> {b}" for a, b, signs in measured.links if not any(signs)), "")
        reason = f"{dead} has no effect" if dead else "its links never act at the same time"
        return finding(
            "warning",
            "loop-idle",
            f"loop {loop.name!r} never acts in this run: {reason}",
            "a limit that always binds, or a switch that is never on, cuts it",
        )
    if not contrary:
        return []
    first = contrary[0]
    if len(contrary) == len(active):
        negative = [f"{a} -> {b}" for a, b, signs in measured.links if signs[first] < 0]
        return finding(
            "error",
            "loop-contrary",
            f"loop {loop.name!r} is called {kind}, but it is {other} in the whole run",
            f"negative links: {', '.join(negative) or 'none'}",
        )
    usual = next(place for place in active if measured.signs[place] == wanted)
    turned = [f"{a} -> {b}" for a, b, signs in measured.links if signs[first] != signs[usual]]
    return finding(
        "warning",
        "loop-changes",
        f"loop {loop.name!r} is called {kind}, but it is {other} at time "
        f"{measured.times[first]:g}: {', '.join(turned)} has the other sign then",
        f"{other} at {len(contrary)} of {len(active)} moments at which it acts",
    )


def _replay(model: Model, run: Run) -> tuple[System, list[dict[str, float]], tuple[float, ...]]:
    """The run's system with every value, hidden ones too, at some of its steps."""
    from flywheel.kernel.reference import METHODS, Reference
    from flywheel.solve.plan import plan_for, resolve, scenario_of

    request = resolve(model, run.overrides, scenario_of(model, run.scenario))
    plan = plan_for(model, request.shape)
    fixed = run.method in METHODS
    step = run.step if fixed else model.time.step
    start, stop = float(run.time[0]), float(run.time[-1])
    steps = max(1, round((stop - start) / step))
    every = max(1, -(-steps // _SAMPLES))
    reference = Reference(plan.system)
    visible = [reference.position[name] for name in plan.system.visible]
    moments = reference.moments(
        [float(number) for number in plan.inputs(request, step)],
        method=run.method if fixed else "rk4",
        start=start,
        step=step,
        steps=steps,
        seed=run.seed,
    )
    rows, times = [], []
    for k, row in enumerate(moments):
        if k % every == 0:
            # Past a failure there is nothing to measure.
            if not all(math.isfinite(row[place]) for place in visible):
                break
            rows.append({name: row[place] for name, place in reference.position.items()})
            times.append(start + k * step)
    return plan.system, rows, tuple(times)


class _Slopes:
    """Signs of links, measured on the system's equations; hidden ones belong to their owner."""

    def __init__(self, system: System, rows: Sequence[Mapping[str, float]]) -> None:
        self.rows = rows
        self.position = {name: place for place, name in enumerate(rows[0])}
        self.table = [list(row.values()) for row in rows]
        self.lookups = {lookup.name: lookup for lookup in system.lookups}
        self.size = {
            name: max((abs(row[place]) for row in self.table), default=0.0)
            for name, place in self.position.items()
        }
        self.exprs: dict[str, Expr] = {}
        self.owned: dict[str, list[str]] = {}
        items: list[Equation | StockEquation | Pipeline] = [
            *system.equations,
            *system.stocks,
            *system.pipelines,
        ]
        for item in items:
            self.exprs[item.name] = _right_side(item)
            self.owned.setdefault(item.owner, []).append(item.name)
        self.reads = {name: set(names(expr)) for name, expr in self.exprs.items()}
        self._links: dict[tuple[str, str], tuple[int, ...]] = {}
        self._edges: dict[tuple[str, str], tuple[int, ...]] = {}

    def signs(self, source: str, target: str) -> tuple[int, ...]:
        """The sign of the link at every moment: +1, -1, or 0 for no effect."""
        if (source, target) not in self._links:
            self._links[source, target] = self._link(source, target)
        return self._links[source, target]

    def _link(self, source: str, target: str) -> tuple[int, ...]:
        result = [0] * len(self.table)
        # Shortest ways first: what acts now comes before what acts through a delay.
        for way in sorted(self._ways(source, target), key=len):
            signs = [self._edge(a, b) for a, b in pairwise(way)]
            for place, at in enumerate(zip(*signs, strict=True)):
                result[place] = result[place] or math.prod(at)
        return tuple(result)

    def _ways(self, source: str, target: str) -> list[tuple[str, ...]]:
        """The ways from source to target over hidden items of the target alone."""
        hidden = [n for n in self.owned.get(target, ()) if n != target]
        found: list[tuple[str, ...]] = []
        stack: list[tuple[str, ...]] = [(source,)]
        while stack and len(found) < 256:
            way = stack.pop()
            if way[-1] in self.reads[target]:
                found.append((*way, target))
            stack += [(*way, n) for n in hidden if n not in way and way[-1] in self.reads[n]]
        return found

    def _edge(self, source: str, target: str) -> tuple[int, ...]:
        """The sign of the direct slope of one equation along one name."""
        if (source, target) not in self._edges:
            self._edges[source, target] = tuple(self._measure(source, target))
        return self._edges[source, target]

    def _measure(self, source: str, target: str) -> Iterator[int]:
        from flywheel.kernel.reference import closure

        value = closure(self.exprs[target], self.position, self.lookups)
        place = self.position[source]
        for row in self.table:
            middle = row[place]
            # Where the source is zero, its size along the run tells what a small change is.
            nudge = _NUDGE * (abs(middle) or self.size[source] or 1.0)
            high, low = list(row), list(row)
            high[place], low[place] = middle + nudge, middle - nudge
            above, below = value(high), value(low)
            # A logarithm or root at the edge of its domain has a slope on one side only.
            if not math.isfinite(below):
                below = value(row)
            if not math.isfinite(above):
                above = value(row)
            change = above - below
            scale = max(abs(above), abs(below))
            small = not math.isfinite(change) or abs(change) <= _NOTHING * _NUDGE * scale
            yield 0 if small else 1 if change > 0 else -1


def _right_side(item: Equation | StockEquation | Pipeline) -> Expr:
    """The expression whose slope says how the item moves: for a stock its rate of change."""
    from flywheel.kernel.system import Equation, StockEquation

    if isinstance(item, Equation):
        return item.expr
    return item.rate if isinstance(item, StockEquation) else item.input
