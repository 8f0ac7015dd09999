"""One number about a run: how each kind of outcome is asked for, and how it is read off.

A recipe is made once per model. What an expression needs computed beside the model's own variables
becomes an ``Extra`` of the expansion: integrals are integrated by the run's own method, so that a
total has the same order of accuracy as the stocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, names
from flywheel.functions import TIME
from flywheel.kernel.expand import Extra
from flywheel.kernel.reference import evaluate
from flywheel.model import Model, Outcome, Table

_CROSSED = frozenset({"<", "<=", ">", ">="})
_SLACK = 1e-6
"""In saves: how far outside the saved times a time may be by rounding."""


@dataclass(frozen=True)
class Recipe:
    """How to read an outcome off the columns of a run.

    ``column`` holds the expression over time (for totals and means its integral so far; for ``time
    of`` a comparison, the difference of its sides). ``extra`` says whether it is computed for the
    outcome alone.
    """

    outcome: Outcome
    column: str = ""
    extra: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that exist for this outcome alone."""
        return (self.column,) if self.extra else ()


def recipes(model: Model) -> tuple[dict[str, Recipe], list[Extra]]:
    """The recipe of every outcome of a model, and what must be computed beside it."""
    found: dict[str, Recipe] = {}
    extras: list[Extra] = []
    for outcome in model.outcomes.values():
        recipe, extra = _recipe(outcome, model)
        found[outcome.name] = recipe
        if extra is not None:
            extras.append(extra)
    return found, extras


def _recipe(outcome: Outcome, model: Model) -> tuple[Recipe, Extra | None]:
    expr = outcome.expr
    if outcome.measure == "value":
        return Recipe(outcome), None
    if outcome.measure in ("total", "mean"):
        column = f"{outcome.name}@total"
        return Recipe(outcome, column, True), Extra(column, _integrand(outcome, model))
    if outcome.measure == "time of" and isinstance(expr, Binary) and expr.op in _CROSSED:
        column = f"{outcome.name}@gap"
        gap = Binary("-", expr.left, expr.right, expr.span)
        return Recipe(outcome, column, True), Extra(column, gap, integral=False)
    if isinstance(expr, Name) and _has_column(model, expr.name):
        return Recipe(outcome, expr.name), None
    column = f"{outcome.name}@value"
    return Recipe(outcome, column, True), Extra(column, expr, integral=False)


def _has_column(model: Model, name: str) -> bool:
    variable = model.variables.get(name)
    if isinstance(variable, Table):
        return variable.input in model.variables
    return variable is not None


def _integrand(outcome: Outcome, model: Model) -> Expr:
    """What is summed up: the expression, discounted, inside the window; 0 outside."""
    expr, span = outcome.expr, outcome.expr.span
    now = Name(TIME)
    if outcome.discount:
        origin = model.time.start if outcome.since is None else outcome.since
        elapsed = Binary("-", now, Number(origin))
        factor = Binary("^", Number(1.0 + outcome.discount), Unary("-", elapsed))
        expr = Binary("*", expr, factor, span)
    inside: Expr | None = None
    if outcome.since is not None:
        inside = Binary(">=", now, Number(outcome.since))
    if outcome.until is not None:
        before = Binary("<", now, Number(outcome.until))
        inside = before if inside is None else Binary("and", inside, before)
    return expr if inside is None else Call("if", (inside, expr, Number(0.0)), span)


class Reading:
    """A finished run, as outcomes see it: columns over time, parameters, and why it stopped."""

    def __init__(
        self,
        model: Model,
        recipes: Mapping[str, Recipe],
        times: NDArray[np.float64],
        columns: Mapping[str, NDArray[np.float64]],
        params: Mapping[str, float],
        failure: str,
    ) -> None:
        self.model = model
        self.recipes = recipes
        self.times = times
        self.columns = columns
        self.params = params
        self.failure = failure


class Outcomes(Mapping[str, float]):
    """The outcomes of a run by name, computed when first asked for.

    An outcome that has no value is NaN; ``reason(name)`` says why.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._found: dict[str, tuple[float, str]] = {}
        self._open: list[str] = []

    def __getitem__(self, name: str) -> float:
        return self._answer(name)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._reading.recipes)

    def __len__(self) -> int:
        return len(self._reading.recipes)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.6g}" for name, value in self.items())
        return f"<outcomes {shown}>" if shown else "<no outcomes>"

    def reason(self, name: str) -> str:
        """Why an outcome is NaN; empty when it has a value."""
        return self._answer(name)[1]

    def _answer(self, name: str) -> tuple[float, str]:
        if name not in self._found:
            name = _spelled(name, self._reading)
        if name not in self._found:
            self._found[name] = self._compute(self._reading.recipes[name])
        return self._found[name]

    def _compute(self, recipe: Recipe) -> tuple[float, str]:
        if recipe.outcome.measure == "value":
            return self._of_others(recipe.outcome)
        value, reason = _MEASURES[recipe.outcome.measure](recipe, self._reading)
        if value == value and math.isfinite(value):
            return value, ""
        return math.nan, reason or self._reading.failure or "its expression has no finite value"

    def _of_others(self, outcome: Outcome) -> tuple[float, str]:
        """An expression of other outcomes and parameters."""
        if outcome.name in self._open:
            return math.nan, f"{outcome.name} depends on itself"
        self._open.append(outcome.name)
        try:
            values = dict(self._reading.params)
            for name in names(outcome.expr):
                if name in self._reading.recipes:
                    values[name], reason = self._answer(name)
                    if reason:
                        return math.nan, f"{name}: {reason}"
                elif name not in values:
                    return math.nan, f"{name} is neither an outcome nor a parameter"
            value = evaluate(outcome.expr, values)
        finally:
            self._open.pop()
        if math.isfinite(value):
            return value, ""
        return math.nan, "its expression has no finite value"


def _spelled(name: str, reading: Reading) -> str:
    from flywheel.errors import unknown_name
    from flywheel.expr import key

    for known in reading.recipes:
        if key(known) == key(str(name)):
            return known
    raise unknown_name(str(name), "outcome", reading.recipes, f"model {reading.model.name}")


# Measures ---------------------------------------------------------------------------------------
# Each takes a recipe and a reading and gives the value with, if it is NaN, the reason.


def _at(recipe: Recipe, run: Reading) -> tuple[float, str]:
    """Between saves linear."""
    at = run.times[-1] if recipe.outcome.at is None else recipe.outcome.at
    outside = _outside(at, run)
    if outside:
        return math.nan, outside
    column, times = run.columns[recipe.column], run.times
    nearest = int(np.abs(times - at).argmin())
    if abs(times[nearest] - at) <= _SLACK * (times[1] - times[0]):
        return float(column[nearest]), ""
    return float(np.interp(at, times, column)), ""


def _total(recipe: Recipe, run: Reading) -> tuple[float, str]:
    outcome = recipe.outcome
    outside = _window_outside(outcome, run)
    if outside:
        return math.nan, outside
    # The integral stands still after the window: the first save from its end on holds it.
    end = run.times[-1] if outcome.until is None else outcome.until
    slack = _SLACK * (run.times[1] - run.times[0])
    row = min(int(np.searchsorted(run.times, end - slack)), len(run.times) - 1)
    total = float(run.columns[recipe.column][row])
    if outcome.discount and outcome.since is None:
        # The integrand counts from the model's start, which this run may have moved.
        total *= (1.0 + outcome.discount) ** float(run.times[0] - run.model.time.start)
    return total, ""


def _mean(recipe: Recipe, run: Reading) -> tuple[float, str]:
    total, reason = _total(recipe, run)
    outcome = recipe.outcome
    begin = run.times[0] if outcome.since is None else outcome.since
    end = run.times[-1] if outcome.until is None else outcome.until
    if reason or end <= begin:
        return math.nan, reason or "its window is empty"
    return total / float(end - begin), ""


def _peak(recipe: Recipe, run: Reading) -> tuple[float, str]:
    return _extreme(recipe, run, np.max)


def _trough(recipe: Recipe, run: Reading) -> tuple[float, str]:
    return _extreme(recipe, run, np.min)


def _extreme(recipe: Recipe, run: Reading, pick: object) -> tuple[float, str]:
    outside = _window_outside(recipe.outcome, run)
    if outside:
        return math.nan, outside
    values = run.columns[recipe.column][_window(recipe.outcome, run)]
    if not len(values):
        return math.nan, "no saved time lies in its window"
    return float(pick(values)), ""  # type: ignore[operator]


def _time_of(recipe: Recipe, run: Reading) -> tuple[float, str]:
    """The first time the condition holds; for a comparison, where its sides cross between saves."""
    outside = _window_outside(recipe.outcome, run)
    if outside:
        return math.nan, outside
    inside = _window(recipe.outcome, run)
    values, times = run.columns[recipe.column][inside], run.times[inside]
    met = is_met(recipe, values)
    broken = np.isnan(values)
    first = int(met.argmax()) if met.any() else len(met)
    if broken[:first].any():
        return math.nan, run.failure or "its condition has no value"
    if first == len(met):
        return math.nan, "its condition is never met"
    return crossing(recipe, values, times, first), ""


def crossing(
    recipe: Recipe, values: NDArray[np.float64], times: NDArray[np.float64], first: int
) -> float:
    """When a condition that is met at the save ``first`` was met: between saves, for a comparison."""
    if first == 0 or not recipe.column.endswith("@gap"):
        return float(times[first])
    before, after = values[first - 1], values[first]
    part = before / (before - after) if math.isfinite(after) else 1.0
    return float(times[first - 1] + part * (times[first] - times[first - 1]))


def is_met(recipe: Recipe, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the condition holds."""
    expr = recipe.outcome.expr
    if not recipe.column.endswith("@gap") or not isinstance(expr, Binary):
        return np.not_equal(np.nan_to_num(values), 0.0)
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
    met: NDArray[np.bool_] = compare[expr.op](values, 0.0)
    return met


def _window(outcome: Outcome, run: Reading) -> NDArray[np.bool_]:
    """Which saved times lie in the window."""
    slack = _SLACK * (run.times[1] - run.times[0])
    inside = np.ones(len(run.times), dtype=bool)
    if outcome.since is not None:
        inside &= run.times >= outcome.since - slack
    if outcome.until is not None:
        inside &= run.times <= outcome.until + slack
    return inside


def _window_outside(outcome: Outcome, run: Reading) -> str:
    """A sentence when the run does not cover the window."""
    ends = [t for t in (outcome.since, outcome.until) if t is not None]
    return next(filter(None, (_outside(t, run) for t in ends)), "")


def _outside(t: float, run: Reading) -> str:
    first, last = float(run.times[0]), float(run.times[-1])
    slack = _SLACK * (run.times[1] - run.times[0])
    if first - slack <= t <= last + slack:
        return ""
    return f"{t:g} lies outside the run, which goes from {first:g} to {last:g}"


_MEASURES = {
    "at": _at,
    "total": _total,
    "mean": _mean,
    "peak": _peak,
    "trough": _trough,
    "time of": _time_of,
}
