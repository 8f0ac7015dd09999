"""Break a model on purpose, one small mistake at a time, and count how many its findings catch.

    python tools/mutate.py models/advertising.fly [--budget 200] [--seed 0] [--json]

A mutant is the model's own text with one slip in it: a sign flipped, a link dropped, a unit swapped, a
factor of 1000, ``gains`` and ``loses`` swapped, ``min`` and ``max`` swapped, a comparison turned round.
It is caught when Flywheel itself objects with an error: the text is no model, ``check --strict`` finds
an error, the run or a ``check`` line of the model fails, or a named loop turns out contrary. Warnings
do not count. The mutants are drawn evenly over the kinds of mistake, the same ones for the same seed.

A parameter or table is multiplied (or negated) with its range: a slip in the value alone would be
caught by the range, whatever else the model says. What is asked of a model (levers, scenarios, loops,
checks, observations) is left as it is.

A mutant that is not caught is *equivalent* when every variable and outcome agrees with the model's to
1e-9 of its largest value, in the base run, in every scenario and under the condition of every check,
and levers read the same parameters: nobody could tell them apart by numbers. These are listed and left
out of the rate; the stricter rate with them counted as missed is given beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from flywheel.checks import check_model
from flywheel.checks.reality import loop_polarity, run_checks
from flywheel.errors import Finding, FlywheelError, ModelError, Span, UsageError
from flywheel.expr import Binary, BinaryOp, Call, Expr, Name, Number, Unary, children, names
from flywheel.functions import TIME
from flywheel.language import parse, print_expr, print_model
from flywheel.model import (
    Aux,
    Data,
    Declaration,
    Flow,
    Model,
    Outcome,
    Param,
    Setting,
    Stock,
    Table,
    Use,
)
from flywheel.solve import engines, simulate
from flywheel.solve.run import Run
from flywheel.units import Dimension, Unit, UnitSystem

Kind = Literal["sign", "link", "unit", "thousand", "sides", "minmax", "condition"]
KINDS: Mapping[Kind, str] = {
    "sign": "sign flipped",
    "link": "link dropped",
    "unit": "unit swapped",
    "thousand": "factor of 1000",
    "sides": "gains and loses swapped",
    "minmax": "min and max swapped",
    "condition": "comparison flipped",
}
BUDGET = 200
"""Mutants of a model, when nobody says."""
SAME = 1e-9
"""Two numbers are the same within this part of the largest value of their variable."""

_SHOWN = 72


@dataclass(frozen=True)
class Mutant:
    """One slip: what stood on ``line``, what stands there now, and the whole text with it."""

    kind: Kind
    name: str
    line: int
    before: str
    after: str
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"line {self.line}, {KINDS[self.kind]} in {self.name}: {self.before} → {self.after}"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. ``by`` is what caught it: ``text``, ``units``, ``findings`` (other
    errors of ``check --strict``), ``run``, ``checks`` or ``loops``; empty where nothing did."""

    mutant: Mutant
    by: str = ""
    message: str = ""
    """The finding that caught it; for a survivor the first new warning, if there is one."""
    equivalent: bool = False

    @property
    def caught(self) -> bool:
        return bool(self.by)

    def as_dict(self) -> dict[str, object]:
        mutant = self.mutant
        return {
            "kind": mutant.kind,
            "name": mutant.name,
            "line": mutant.line,
            "before": mutant.before,
            "after": mutant.after,
            "caught": self.caught,
            "by": self.by,
            "equivalent": self.equivalent,
            "message": self.message,
        }


@dataclass(frozen=True)
class Report:
    """All verdicts on a model. ``possible`` is how many mutants there are to draw from."""

    model: str
    seed: int
    possible: int
    verdicts: tuple[Verdict, ...]

    @property
    def caught(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.caught)

    @property
    def equivalent(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.equivalent)

    @property
    def survivors(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if not v.caught and not v.equivalent)

    @property
    def rate(self) -> float:
        """Caught among those that can be told from the model; 1 where there is none."""
        told = len(self.verdicts) - len(self.equivalent)
        return len(self.caught) / told if told else 1.0

    @property
    def strict_rate(self) -> float:
        """Caught among all, equivalent ones counted as missed."""
        return len(self.caught) / len(self.verdicts) if self.verdicts else 1.0

    def as_dict(self) -> dict[str, object]:
        return {
            "model": self.model,
            "seed": self.seed,
            "possible": self.possible,
            "tried": len(self.verdicts),
            "caught": len(self.caught),
            "survived": len(self.survivors),
            "equivalent": len(self.equivalent),
            "rate": self.rate,
            "rate_with_equivalent_missed": self.strict_rate,
            "caught_by": dict(Counter(v.by for v in self.caught)),
            "mutants": [v.as_dict() for v in self.verdicts],
        }

    def __str__(self) -> str:
        tried = len(self.verdicts)
        lines = [
            f"{self.model}: {self.rate:.1%} caught: {len(self.caught)} of {tried} mutants, "
            f"{len(self.survivors)} survive, {len(self.equivalent)} change no number "
            f"({self.strict_rate:.1%} with these as missed); {self.possible} possible, "
            f"seed {self.seed}"
        ]
        by = Counter(v.by for v in self.caught)
        lines.append("  caught by " + ", ".join(f"{what} {n}" for what, n in by.most_common()))
        for kind, words in KINDS.items():
            of = [v for v in self.verdicts if v.mutant.kind == kind]
            if of:
                lines.append(f"  {words}: {sum(v.caught for v in of)} of {len(of)}")
        for verdict in self.survivors:
            lines.append(f"  SURVIVES {verdict.mutant}")
            if verdict.message:
                lines.append(f"           only a warning: {verdict.message}")
        lines += [f"  equivalent {verdict.mutant}" for verdict in self.equivalent]
        return "\n".join(lines)


# Making mutants -----------------------------------------------------------------------------------

_FLIPPED: Mapping[str, BinaryOp] = {
    "<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "==", "and": "or", "or": "and",
}  # fmt: skip
_Change = tuple[Kind, Expr, Expr, Expr]
"""Kind, the node before and after, the whole expression after."""


def _changes(expr: Expr) -> Iterator[_Change]:
    """Every expression with one slip somewhere in ``expr``."""
    for kind, after in _slips(expr):
        yield kind, expr, after, after
    for place, child in enumerate(children(expr)):
        if isinstance(child, Name) and child.name != TIME and not _droppable(expr, place):
            one = Number(1.0)
            yield "link", expr, _with_child(expr, place, one), _with_child(expr, place, one)
        for kind, before, now, whole in _changes(child):
            yield kind, before, now, _with_child(expr, place, whole)


def _droppable(parent: Expr, place: int) -> bool:
    """Whether dropping this term or factor is a slip of its parent already."""
    return isinstance(parent, Binary) and parent.op in ("+", "-", "*", "/")


def _slips(node: Expr) -> Iterator[tuple[Kind, Expr]]:
    """What one slip at this very node makes of it."""
    match node:
        case Binary(op="+" | "-" as op, left=left, right=right):
            yield "sign", replace(node, op="-" if op == "+" else "+")
            yield "link", left
            yield "link", right if op == "+" else Unary("-", right)
        case Binary(op="*" | "/" as op, left=left, right=right):
            yield "sign", replace(node, op="/" if op == "*" else "*")
            yield "link", left
            yield "link", right if op == "*" else Binary("/", Number(1.0), right)
        case Binary(op="^", right=right):
            yield "sign", replace(node, right=_negated(right))
        case Binary(op=op) if op in _FLIPPED:
            yield "condition", replace(node, op=_FLIPPED[op])
        case Unary(op="-", operand=operand):
            yield "sign", operand
        case Unary(operand=operand):
            yield "condition", operand
        case Call(function="min" | "max" as function):
            yield "minmax", replace(node, function="max" if function == "min" else "min")
        case Call(function="if", args=(condition, yes, no)) if yes != no:
            yield "condition", replace(node, args=(condition, no, yes))
        case Number(value=value) if value:
            yield "thousand", replace(node, value=1000.0 * value)
        case _:
            return


def _negated(expr: Expr) -> Expr:
    match expr:
        case Unary(op="-", operand=operand):
            return operand
        case Number(value=value):
            return Number(-value)
        case _:
            return Unary("-", expr)


def _with_child(expr: Expr, place: int, child: Expr) -> Expr:
    match expr:
        case Unary():
            return replace(expr, operand=child)
        case Binary():
            return replace(expr, left=child) if place == 0 else replace(expr, right=child)
        case Call(args=args):
            return replace(expr, args=(*args[:place], child, *args[place + 1 :]))
        case _:
            return expr


@dataclass(frozen=True)
class _Site:
    """A declaration with a slip in it, before it is written into the text."""

    kind: Kind
    declaration: Declaration
    mutated: Declaration
    line: int
    before: str
    after: str


def sites(model: Model, seed: int = 0) -> tuple[_Site, ...]:
    """Every slip there is to make in the model's own file, in its order; ``seed`` draws units."""
    rng = random.Random(f"{seed}:{model.name}")
    units = _Vocabulary(model)
    found: dict[Declaration, _Site] = {}
    for declaration in model.declarations:
        for site in _declared(declaration, units, rng):
            if site.mutated != declaration:
                found.setdefault(site.mutated, site)
    return tuple(found.values())


def _declared(declaration: Declaration, units: _Vocabulary, rng: random.Random) -> Iterator[_Site]:
    d = declaration
    match d:
        case Param(value=value, low=low, high=high) if value:
            scaled = replace(d, value=1000 * value, low=_times(low, 1000), high=_times(high, 1000))
            yield _numbers("thousand", d, value, 1000 * value, scaled)
            flipped = replace(d, value=-value, low=_times(high, -1), high=_times(low, -1))
            yield _numbers("sign", d, value, -value, flipped)
        case Table(points=points):
            ys = tuple((x, 1000 * y) for x, y in points)
            yield _site("thousand", d, replace(d, points=ys), "its values", "1000 times as large")
            turned = tuple((x, y) for (x, _), (_, y) in zip(points, reversed(points), strict=True))
            yield _site("sign", d, replace(d, points=turned), "its values", "in the other order")
        case Data(scale=scale):
            scaled_data = replace(d, scale=1000 * scale)
            yield _site("thousand", d, scaled_data, f"scale {scale:g}", f"scale {1000 * scale:g}")
        case Stock():
            yield from _expression(d, "initial", d.initial)
            for flow in d.gains:
                gains = tuple(f for f in d.gains if f != flow)
                other = replace(d, gains=gains, loses=(*d.loses, flow))
                yield _site("sides", d, other, f"gains {flow}", f"loses {flow}")
            for flow in d.loses:
                loses = tuple(f for f in d.loses if f != flow)
                other = replace(d, gains=(*d.gains, flow), loses=loses)
                yield _site("sides", d, other, f"loses {flow}", f"gains {flow}")
        case Flow() | Aux():
            yield from _expression(d, "equation", d.equation)
            if d.desired is not None:
                yield from _expression(d, "desired", d.desired)
        case Outcome():
            yield from _expression(d, "expr", d.expr)
        case Use():
            for place, binding in enumerate(d.bindings):
                for kind, before, after, whole in _whole(binding.expr):
                    one = replace(binding, expr=whole)
                    bindings = (*d.bindings[:place], one, *d.bindings[place + 1 :])
                    yield _site(
                        kind, d, replace(d, bindings=bindings), print_expr(before),
                        print_expr(after), before.span or binding.span,
                    )  # fmt: skip
            for place, override in enumerate(d.overrides):
                for kind, before, after, whole in _whole(override.equation):
                    changed = replace(override, equation=whole)
                    overrides = (*d.overrides[:place], changed, *d.overrides[place + 1 :])
                    yield _site(
                        kind, d, replace(d, overrides=overrides), print_expr(before),
                        print_expr(after), before.span or override.span,
                    )  # fmt: skip
    unit = getattr(d, "unit", None)
    if isinstance(d, Param | Stock | Flow | Aux | Table | Data | Outcome) and unit is not None:
        other_unit = units.another(unit, rng)
        if other_unit is not None:
            swapped = replace(d, unit=other_unit)
            yield _site("unit", d, swapped, f"[{unit}]", f"[{other_unit}]")


def _whole(expr: Expr) -> Iterator[_Change]:
    """The slips inside an expression, and the two that take it as a whole."""
    yield from _changes(expr)
    if isinstance(expr, Name) and expr.name != TIME:
        yield "link", expr, Number(1.0), Number(1.0)
    truth = isinstance(expr, Binary) and expr.op in _FLIPPED  # true is true, a thousand times too
    if not isinstance(expr, Number) and not truth:
        thousand = Binary("*", Number(1000.0), expr)
        yield "thousand", expr, thousand, thousand


def _expression(d: Declaration, attribute: str, expr: Expr) -> Iterator[_Site]:
    for kind, before, after, whole in _whole(expr):
        mutated = dataclasses.replace(d, **{attribute: whole})  # type: ignore[arg-type]
        yield _site(kind, d, mutated, print_expr(before), print_expr(after), before.span)


def _numbers(kind: Kind, d: Param, before: float, after: float, mutated: Param) -> _Site:
    ranged = ", its range too" if d.low is not None else ""
    return _site(kind, d, mutated, f"{before:g}", f"{after:g}{ranged}")


def _site(
    kind: Kind, d: Declaration, mutated: Declaration, before: str, after: str,
    span: Span | None = None,
) -> _Site:  # fmt: skip
    place = span or d.name_span or d.span
    line = place.line if place else 0
    return _Site(kind, d, mutated, line, _short(before), _short(after))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


class _Vocabulary:
    """The units that the model writes, to swap one for another that means something else."""

    def __init__(self, model: Model) -> None:
        self.system = UnitSystem(model.units.values())
        written = (getattr(d, "unit", None) for d in model.declarations)
        known = dict.fromkeys(str(u) for u in [*written, model.time.unit] if isinstance(u, Unit))
        by_text = {str(getattr(d, "unit", None)): getattr(d, "unit", None) for d in model}
        by_text[str(model.time.unit)] = model.time.unit
        self.units = [by_text[text] for text in known if isinstance(by_text.get(text), Unit)]

    def another(self, unit: Unit, rng: random.Random) -> Unit | None:
        own = self._dimension(unit)
        others = [u for u in self.units if u is not None and self._dimension(u) != own]
        return replace(rng.choice(others), span=None) if others else None

    def _dimension(self, unit: Unit) -> Dimension | None:
        try:
            return self.system.dimension(unit)
        except FlywheelError:
            return None


def write(model: Model, site: _Site) -> Mutant:
    """The mutant's text: the model's own with one declaration written anew on its lines."""
    span = site.declaration.span
    if model.source is None or span is None:
        raise UsageError(f"{model.name} has no text to make a slip in")
    bare = replace(
        site.mutated, doc="", translations=(), comments=(), trailing_comment="", span=None
    )
    alone = Model(name=model.name, time=model.time, declarations=(bare,))
    printed = print_model(alone).split("\n")
    body = [line for line in printed[2:] if line.strip()]
    lines = model.source.text.split("\n")
    first, last = lines[span.line - 1], lines[span.end_line - 1]
    lines[span.line - 1 : span.end_line] = [
        first[: span.column - 1] + "\n".join(body) + last[span.end_column - 1 :]
    ]
    return Mutant(
        site.kind, site.declaration.name, site.line, site.before, site.after, "\n".join(lines)
    )


def draw(model: Model, budget: int = BUDGET, seed: int = 0) -> tuple[Mutant, ...]:
    """``budget`` mutants (0: all), evenly over the kinds while they last, in the order of the file."""
    everything = sites(model, seed)
    if not budget or budget >= len(everything):
        return tuple(write(model, site) for site in everything)
    rng = random.Random(f"draw:{seed}:{model.name}")
    piles: list[list[int]] = []
    for kind in KINDS:
        pile = [place for place, site in enumerate(everything) if site.kind == kind]
        rng.shuffle(pile)
        piles.append(pile)
    drawn: list[int] = []
    while len(drawn) < budget:
        for pile in piles:
            if pile and len(drawn) < budget:
                drawn.append(pile.pop())
    return tuple(write(model, everything[place]) for place in sorted(drawn))


# Judging them -------------------------------------------------------------------------------------


def mutate(path: Path, budget: int = BUDGET, seed: int = 0) -> Report:
    """Make and judge the mutants of a file.

    Raises ModelError for a text that is no model, UsageError for a model with errors of its own:
    what is broken already cannot catch anything.
    """
    text = path.read_text(encoding="utf-8").removeprefix("\ufeff")
    model = parse(text, name=path.name, folder=path.parent)
    with _compiled_at_once():
        before = _judge(model)
        errors = [finding for finding, _ in before if finding.severity == "error"]
        if errors:
            raise UsageError(
                f"{path.name} has errors of its own, mend them first: {errors[0].message}"
            )
        known = {finding.code for finding, _ in before}
        original = _Behaviour(model)
        verdicts = tuple(
            _verdict(mutant, path, known, original) for mutant in draw(model, budget, seed)
        )
    return Report(model.name, seed, len(sites(model, seed)), verdicts)


@contextmanager
def _compiled_at_once() -> Iterator[None]:
    """Every mutant is another program: compiled beside the reference, they would pile up."""
    usual = engines.BACKGROUND_ABOVE
    engines.BACKGROUND_ABOVE = sys.maxsize
    try:
        yield
    finally:
        engines.BACKGROUND_ABOVE = usual


def _verdict(mutant: Mutant, path: Path, known: set[str], original: _Behaviour) -> Verdict:
    try:
        model = parse(mutant.text, name=path.name, folder=path.parent)
    except ModelError as error:
        said = error.findings[0].message if error.findings else error.message
        return Verdict(mutant, "text", said)
    findings = _judge(model)
    for finding, by in findings:
        if finding.severity == "error":
            return Verdict(mutant, by, finding.message)
    warned = next((f.message for f, _ in findings if f.code not in known), "")
    same = mutant.kind != "unit" and original.is_that_of(model)
    return Verdict(mutant, "", warned, same)


def _judge(model: Model) -> list[tuple[Finding, str]]:
    """What Flywheel says against a model, with who says it; what costs most comes last, and is not
    asked once there is an error."""
    found: list[tuple[Finding, str]] = [
        (finding, _speaker(finding)) for finding in check_model(model, strict=True)
    ]
    if _has_error(found):
        return found
    try:
        run: Run = simulate(model)
        found += [(finding, "run") for finding in run.warnings]
        if not run.ok:
            return [*found, (Finding("error", "run-failed", run.status.message), "run")]
        if _has_error(found):
            return found
        for name in model.checks:  # one by one: the first that fails is enough
            (result,) = run_checks(model, [name])
            if result.finding is not None:
                return [*found, (result.finding, "checks")]
        return [*found, *((finding, "loops") for finding in loop_polarity(model, run))]
    except FlywheelError as error:
        return [*found, (Finding("error", "run-failed", error.message), "run")]


def _has_error(found: Sequence[tuple[Finding, str]]) -> bool:
    return any(finding.severity == "error" for finding, _ in found)


def _speaker(finding: Finding) -> str:
    if "unit" in finding.code:
        return "units"
    return "loops" if finding.code.startswith("loop") else "findings"


class _Behaviour:
    """All numbers of a model: its base run, its scenarios, the conditions of its checks."""

    def __init__(self, model: Model) -> None:
        self.conditions: list[tuple[str | None, tuple[Setting, ...]]] = [(None, ())]
        self.conditions += [(name, ()) for name in model.scenarios]
        for check in model.checks.values():
            condition = (check.scenario or None, check.when)
            if condition not in self.conditions:
                self.conditions.append(condition)
        self.model = model
        self._runs: list[Run] = []

    def is_that_of(self, other: Model) -> bool:
        """Whether a model under the same conditions gives the same numbers; base run first."""
        if _asked_of_levers(self.model) != _asked_of_levers(other):
            return False
        for place, (scenario, settings) in enumerate(self.conditions):
            if place == len(self._runs):
                self._runs.append(simulate(self.model, scenario=scenario, settings=settings))
            mine = self._runs[place]
            try:
                its: Run = simulate(other, scenario=scenario, settings=settings)
            except FlywheelError:
                return False
            if not _same_numbers(mine, its):
                return False
        return True


def _same_numbers(one: Run, other: Run) -> bool:
    if one.names != other.names or one.values.shape != other.values.shape or one.ok != other.ok:
        return False
    size = np.nanmax(np.abs(one.values), axis=0, initial=0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(one.values - other.values) <= SAME * size
    if not bool(np.all(near | (one.values == other.values) | np.isnan(one.values))):
        return False
    if bool(np.any(np.isnan(one.values) != np.isnan(other.values))):
        return False
    for name, value in one.outcomes.items():
        its = other.outcomes[name]
        alike = value == its or (value != value and its != its)
        if not alike and not abs(value - its) <= SAME * max(abs(value), abs(its)):
            return False
    return True


def _asked_of_levers(model: Model) -> dict[str, float]:
    """The parameters that targets and costs of levers read: no run does that."""
    read: set[str] = set()
    for lever in model.levers.values():
        for expr in (lever.to, lever.cost):
            read |= set(names(expr)) if expr is not None else set()
    return {name: param.value for name, param in model.params.items() if name in read}


# The command --------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge each file; 1 when one falls below ``--at-least``, 2 for a file that cannot be judged."""
    parser = argparse.ArgumentParser(description="Break models on purpose; count what is caught.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.fly")
    parser.add_argument("--budget", type=int, default=BUDGET, help="mutants a model; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="which mutants are drawn")
    parser.add_argument(
        "--at-least", type=float, default=0.0, help="fail below this rate, e.g. 0.9"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    reports = []
    for path in given.files:
        try:
            reports.append(mutate(path, given.budget, given.seed))
        except (FlywheelError, OSError) as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 2
        if not given.json:
            sys.stdout.write(f"{reports[-1]}\n")
    if given.json:
        document = [report.as_dict() for report in reports]
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return int(any(report.rate < given.at_least for report in reports))


if __name__ == "__main__":
    sys.exit(main())
