"""The rule as it is beside the rule as it should be, and what the difference comes to.

A flow or auxiliary may have a second equation, ``desired``, in the model's text. Here the two stand
side by side, and the model is run with the rules as they are, with each desired rule alone, and with
all of them: the outcomes say what changing a decision is worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flywheel.compose import DESIRED
from flywheel.errors import Span, UsageError
from flywheel.expr import Call, Expr, Name, Number, names, walk
from flywheel.language import print_expr
from flywheel.model import Aux, Flow, Model, Setting
from flywheel.solve import simulate
from flywheel.solve.run import Run
from flywheel.units import Unit

CURRENT, ALL = "current", "all"
"""The versions beside those that carry the name of the one rule changed."""


@dataclass(frozen=True)
class RulePair:
    """Two equations of one name. ``gone`` is read by the current one only, ``new`` by the desired."""

    name: str
    label: str
    unit: Unit | None
    current: Expr
    desired: Expr
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def switch(self) -> str:
        """The parameter that chooses: 1 the desired rule."""
        return f"{self.name}.{DESIRED}"

    @property
    def gone(self) -> tuple[str, ...]:
        return tuple(n for n in names(self.current) if n not in names(self.desired))

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(n for n in names(self.desired) if n not in names(self.current))

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "label": self.label,
            "unit": str(self.unit) if self.unit else None,
            "current": print_expr(self.current),
            "desired": print_expr(self.desired),
            "reads_no_more": list(self.gone),
            "reads_newly": list(self.new),
            "switch": self.switch,
            "line": self.span.line if self.span else None,
        }


@dataclass(frozen=True)
class Effect:
    """One number about a run, by version. Of a run that failed it is NaN."""

    name: str
    label: str
    unit: Unit | None
    values: Mapping[str, float]

    def difference(self, version: str) -> float:
        """How much more it is than with the rules as they are, in its unit."""
        return self.values[version] - self.values[CURRENT]


@dataclass(frozen=True)
class Rules:
    """The pairs of rules of a model and the outcomes of each version.

    ``versions`` are ``current``, the name of each pair (that one desired, the others as they are) and,
    where there is more than one, ``all``. ``effects`` are the outcomes, or the last values of the
    stocks where a model names no outcomes. ``at`` is the time from which desired rules are in force;
    None from the start. ``failures`` says per version why a run failed.
    """

    model: str
    pairs: tuple[RulePair, ...]
    versions: tuple[str, ...]
    effects: tuple[Effect, ...]
    at: float | None = None
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.failures

    def as_dict(self) -> dict[str, object]:
        """The table as plain data, for ``--json``."""
        return {
            "model": self.model,
            "at": self.at,
            "ok": self.ok,
            "rules": [pair.as_dict() for pair in self.pairs],
            "versions": list(self.versions),
            "outcomes": [
                {
                    "name": effect.name,
                    "label": effect.label,
                    "unit": str(effect.unit) if effect.unit else None,
                    "values": dict(effect.values),
                    "differences": {
                        version: effect.difference(version) for version in self.versions[1:]
                    },
                }
                for effect in self.effects
            ],
            "failures": dict(self.failures),
        }

    def __str__(self) -> str:
        if not self.pairs:
            return f"{self.model}: no flow or auxiliary has a desired rule"
        lines = []
        for pair in self.pairs:
            lines += [
                f"{pair.name}: {print_expr(pair.current)}",
                f"{' ' * len(pair.name)}  {print_expr(pair.desired)}  (desired)",
            ]
        for effect in self.effects:
            values = (f"{version} {effect.values[version]:.6g}" for version in self.versions)
            lines.append(f"{effect.name}: {', '.join(values)}")
        return "\n".join(lines)


def pairs(model: Model) -> tuple[RulePair, ...]:
    """The flows and auxiliaries with a desired rule, modules' own included, in the order of the file."""
    return tuple(_pairs(model))


def _pairs(model: Model) -> Iterator[RulePair]:
    for name, variable in model.variables.items():
        if not isinstance(variable, Flow | Aux) or f"{name}.{DESIRED}" not in model.params:
            continue
        # An override may stand around the pair, so it is looked for inside the equation.
        for node in walk(variable.equation):
            match node:
                case Call("if", (Name(name=switch), desired, current)) if (
                    switch == f"{name}.{DESIRED}"
                ):
                    label = variable.text()[0]
                    yield RulePair(name, label, variable.unit, current, desired, variable.span)
                    break
                case _:
                    pass


def compare(
    model: Model, *, at: float | None = None, scenario: str | None = None, seed: int = 0
) -> Rules:
    """Run the model with its rules as they are, each desired rule alone, and all of them.

    ``at`` is the time, in the model's unit, from which desired rules are in force (None: from the
    start); ``scenario`` and ``seed`` are those of every run. A model without pairs is not run.

    Raises UsageError for a time outside the model's, UnknownNameError for a scenario it does not have.
    """
    start, stop = model.time.start, model.time.stop
    if at is not None and not start <= at <= stop:
        raise UsageError(f"at must lie within the run, {start:g} to {stop:g}, not {at:g}")
    found = pairs(model)
    if not found:
        return Rules(model.name, (), (), (), at)
    chosen: dict[str, Sequence[RulePair]] = {CURRENT: ()}
    chosen |= {pair.name: (pair,) for pair in found}
    if len(found) > 1:
        chosen[ALL] = found
    runs: dict[str, Run] = {
        version: simulate(model, scenario=scenario, seed=seed, settings=_settings(some, at))
        for version, some in chosen.items()
    }
    failures = {version: run.status.message for version, run in runs.items() if not run.ok}
    return Rules(model.name, found, tuple(chosen), tuple(_effects(model, runs)), at, failures)


def _settings(some: Sequence[RulePair], at: float | None) -> tuple[Setting, ...]:
    return tuple(Setting(pair.switch, Number(1.0), since=at) for pair in some)


def _effects(model: Model, runs: Mapping[str, Run]) -> Iterator[Effect]:
    if model.outcomes:
        for name, outcome in model.outcomes.items():
            values = {version: float(run.outcomes[name]) for version, run in runs.items()}
            yield Effect(name, outcome.text()[0], outcome.unit, values)
        return
    for name, stock in model.stocks.items():
        values = {version: float(run[name][-1]) for version, run in runs.items()}
        yield Effect(name, stock.text()[0], stock.unit, values)
