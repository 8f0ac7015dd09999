"""What is to be moved: an outcome or a variable, seen at one or more horizons.

A target reads a number per horizon off the saved columns of many runs at once, and says how that
number depends on each saved value: the weights with which an adjoint starts.

An outcome at horizon H is what it would be if the run ended H after ``since``: a total or mean through
that time, a peak or trough up to it, the value of an ``at`` outcome or a variable there, ``time of`` if
it was met by then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import Name, key, names
from flywheel.kernel.derivative import reverse
from flywheel.kernel.ir import Graph, expression
from flywheel.kernel.vectorised import compute, schedule
from flywheel.model import Model, Outcome, as_number
from flywheel.solve.outcomes import Recipe, crossing, is_met, recipes

Array = NDArray[np.float64]
_SLACK = 1e-6
"""In saves: how far outside the saved times a time may be by rounding."""


@dataclass(frozen=True)
class Target:
    """An outcome or variable of a model at horizons counted from ``since``.

    ``columns`` are the saved names that it reads; ``times`` (T,) the saved times.
    """

    model: Model
    recipe: Recipe
    recipes: Mapping[str, Recipe]
    since: float
    horizons: tuple[float, ...]
    times: Array

    @property
    def name(self) -> str:
        return self.recipe.outcome.name

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The saved names that the target reads."""
        return tuple(dict.fromkeys(r.column for r in self._parts))

    @cached_property
    def _parts(self) -> tuple[Recipe, ...]:
        """The recipes with a column, those of other outcomes that this one reads included."""
        found: dict[str, Recipe] = {}
        pending = [self.recipe]
        while pending:
            recipe = pending.pop()
            if recipe.outcome.measure != "value":
                found[recipe.outcome.name] = recipe
                continue
            read = names(recipe.outcome.expr)
            pending += [self.recipes[n] for n in read if n in self.recipes and n not in found]
        return tuple(found.values())

    def read(self, values: Array, params: Mapping[str, Array]) -> Array:
        """The target of each run: ``values`` (M, T, V) of ``columns`` -> (M, horizons).

        ``params`` holds per parameter an array (M,) or a number, for outcomes that name parameters.
        NaN where it has no value.
        """
        return np.stack([self._read(self.recipe, values, params, h)[0] for h in self._ends], axis=1)

    def weights(
        self, values: Array, params: Mapping[str, float]
    ) -> tuple[Array, Mapping[str, Array]]:
        """d target / d saved value, and d target / d parameter beside them, of one run.

        ``values`` (T, V) -> (horizons, T, V), and per parameter (horizons,).
        """
        found, beside = [], []
        for end in self._ends:
            _, weight, direct = self._read(self.recipe, values[np.newaxis], dict(params), end, True)
            found.append(weight)
            beside.append(direct)
        every = dict.fromkeys(name for one in beside for name in one)
        return np.stack(found), {
            name: np.array([one.get(name, 0.0) for one in beside]) for name in every
        }

    @property
    def _ends(self) -> tuple[float, ...]:
        return tuple(self.since + horizon for horizon in self.horizons)

    def reason(self, horizon: float) -> str:
        """Why a run that is sound has no value at a horizon."""
        if self.recipe.outcome.measure == "time of":
            return f"its condition is not met within {horizon:g} of {self.since:g}"
        return f"{self.name} has no value at {self.since + horizon:g}"

    # One recipe at one end --------------------------------------------------------------------

    def _read(
        self,
        recipe: Recipe,
        values: Array,
        params: Mapping[str, object],
        end: float,
        derive: bool = False,
    ) -> tuple[Array, Array, dict[str, float]]:
        """Values (M,) at one end; with ``derive`` also weights (T, V) and direct effects."""
        measure = recipe.outcome.measure
        if measure == "value":
            return self._of_others(recipe.outcome, values, params, end, derive)
        column = self.columns.index(recipe.column)
        series = values[:, :, column]
        weights = np.zeros(values.shape[1:] if derive else (0, 0))
        if measure in ("at", "total", "mean"):
            row, scale = self._linear(recipe.outcome, end)
            used = np.flatnonzero(row)  # a run that breaks down later has a value all the same
            with np.errstate(invalid="ignore"):
                found = series[:, used] @ row[used] * scale
            if derive:
                weights[:, column] = row * scale
            return found, weights, {}
        inside = self._window(recipe.outcome, end)
        if measure in ("peak", "trough"):
            found = np.full(len(series), np.nan)
            if inside.any():
                part = series[:, inside]
                pick = np.argmax if measure == "peak" else np.argmin
                # A broken run has no peak: argmax finds its first NaN.
                places = pick(part, axis=1)
                found = part[np.arange(len(part)), places]
                if derive:
                    weights[np.flatnonzero(inside)[places[0]], column] = 1.0
            return found, weights, {}
        return self._time_of(recipe, series, inside, weights, column, derive)

    def _linear(self, outcome: Outcome, end: float) -> tuple[Array, float]:
        """The weights of the rows (T,) and a factor, for what is linear in one column."""
        if outcome.measure == "at":
            return self._row(end), 1.0
        last = end if outcome.until is None else min(end, outcome.until)
        first = self.times[0] if outcome.since is None else outcome.since
        row = self._row(max(last, float(self.times[0])))
        factor = 1.0
        if outcome.discount and outcome.since is None:
            factor = (1.0 + outcome.discount) ** float(self.times[0] - self.model.time.start)
        if outcome.measure == "mean":
            span = last - float(first)
            factor = factor / span if span > 0 else math.nan
        return row, factor

    def _row(self, t: float) -> Array:
        """The weights (T,) of linear interpolation at a time."""
        times = self.times
        row = np.zeros(len(times))
        nearest = int(np.abs(times - t).argmin())
        if abs(times[nearest] - t) <= _SLACK * (times[1] - times[0]):
            row[nearest] = 1.0
            return row
        right = min(int(np.searchsorted(times, t)), len(times) - 1)
        part = (t - times[right - 1]) / (times[right] - times[right - 1])
        row[right - 1], row[right] = 1.0 - part, part
        return row

    def _window(self, outcome: Outcome, end: float) -> NDArray[np.bool_]:
        slack = _SLACK * (self.times[1] - self.times[0])
        inside: NDArray[np.bool_] = self.times <= end + slack
        if outcome.since is not None:
            inside &= self.times >= outcome.since - slack
        if outcome.until is not None:
            inside &= self.times <= outcome.until + slack
        return inside

    def _time_of(
        self,
        recipe: Recipe,
        series: Array,
        inside: NDArray[np.bool_],
        weights: Array,
        column: int,
        derive: bool,
    ) -> tuple[Array, Array, dict[str, float]]:
        """The first time the condition holds; its weights are those of the crossing between saves."""
        rows, times = np.flatnonzero(inside), self.times[inside]
        found = np.full(len(series), np.nan)
        for member, line in enumerate(series[:, inside]):
            met = is_met(recipe, line)
            first = int(met.argmax()) if met.any() else len(met)
            if first == len(met) or np.isnan(line[:first]).any():
                continue
            found[member] = crossing(recipe, line, times, first)
            between = first > 0 and recipe.column.endswith("@gap") and math.isfinite(line[first])
            if derive and between:
                before, after = line[first - 1], line[first]
                width = (times[first] - times[first - 1]) / (before - after) ** 2
                weights[rows[first - 1], column] = -after * width
                weights[rows[first], column] = before * width
        return found, weights, {}

    def _of_others(
        self,
        outcome: Outcome,
        values: Array,
        params: Mapping[str, object],
        end: float,
        derive: bool,
    ) -> tuple[Array, Array, dict[str, float]]:
        """An expression of other outcomes and parameters, by the chain rule."""
        graph = Graph()
        leaves: dict[str, int] = {}

        def leaf(name: str) -> int:
            return leaves.setdefault(name, graph.intern("input", (), len(leaves)))

        root = expression(graph, outcome.expr, leaf, ())
        parts = {
            name: self._read(self.recipes[name], values, params, end, derive)
            for name in leaves
            if name in self.recipes
        }
        known = {
            node: parts[name][0] if name in parts else np.asarray(params[name], dtype=np.float64)
            for name, node in leaves.items()
        }
        slopes: dict[int, int] = {}
        if derive:
            slopes = reverse(graph, {root: graph.const(1.0)}, leaves.values())
        order = schedule(graph, [root, *slopes.values()], known)
        done = compute(graph, order, dict(known), {})
        found = np.broadcast_to(done[root], (len(values),)).astype(np.float64)
        weights = np.zeros(values.shape[1:] if derive else (0, 0))
        direct: dict[str, float] = {}
        if derive:
            for name, node in leaves.items():
                slope = float(np.ravel(done[slopes[node]])[0]) if node in slopes else 0.0
                if name in parts:
                    weights += slope * parts[name][1]
                    for other, effect in parts[name][2].items():
                        direct[other] = direct.get(other, 0.0) + slope * effect
                else:
                    direct[name] = direct.get(name, 0.0) + slope
        return found, weights, direct


def target_of(
    model: Model,
    outcome: str,
    horizons: float | Sequence[float] | None,
    since: float | None,
    times: Array,
) -> Target:
    """The target of a name: a declared outcome or a variable, in any case.

    Without horizons an outcome is taken as it is declared, a variable at the end of the run.

    Raises UnknownNameError, or UsageError for horizons or a start outside the run.
    """
    every, _ = recipes(model)
    first, last = float(times[0]), float(times[-1])
    origin = first if since is None else float(since)
    if not first <= origin < last:
        raise UsageError(
            f"since must lie in the run, from {first:g} to before {last:g}, not {origin:g}"
        )
    recipe = _recipe(model, every, str(outcome))
    given = _horizons(horizons, recipe.outcome, origin, last, model, every)
    return Target(model, recipe, every, origin, given, times)


def _recipe(model: Model, every: Mapping[str, Recipe], name: str) -> Recipe:
    for known, recipe in every.items():
        if key(known) == key(name):
            return recipe
    for known, variable in model.variables.items():
        if key(known) == key(name):
            kind = Outcome(
                name=known,
                label=variable.label,
                translations=variable.translations,
                measure="at",
                expr=Name(known),
                unit=variable.unit,
            )
            return Recipe(kind, known)
    raise unknown_name(
        name, "outcome or variable", [*every, *model.variables], f"model {model.name}"
    )


def _horizons(
    given: float | Sequence[float] | None,
    outcome: Outcome,
    origin: float,
    last: float,
    model: Model,
    every: Mapping[str, Recipe],
) -> tuple[float, ...]:
    if given is None:
        end = _own_end(outcome, every, last)
        if end <= origin:
            raise UsageError(
                f"{outcome.name} is over at {end:g}, before {origin:g}: "
                "give horizons, or an earlier since"
            )
        return (end - origin,)
    wanted = [given] if isinstance(given, int | float) else list(given)
    if not wanted:
        raise UsageError("give at least one horizon")
    for one in wanted:
        if not as_number("a horizon", one) > 0:
            raise UsageError(f"a horizon is a duration greater than 0, not {one!r}")
        if origin + one > last + _SLACK * model.time.save:
            raise UsageError(
                f"a horizon of {one:g} ends at {origin + one:g}, after the run, which ends at {last:g}"
            )
    return tuple(float(one) for one in wanted)


def _own_end(outcome: Outcome, every: Mapping[str, Recipe], last: float) -> float:
    """When a declared outcome is known."""
    if outcome.measure == "value":
        others = [every[name].outcome for name in names(outcome.expr) if name in every]
        return max((_own_end(other, every, last) for other in others), default=last)
    if outcome.measure == "at" and outcome.at is not None:
        return outcome.at
    return last if outcome.until is None else outcome.until


def with_horizons(target: Target, horizons: Sequence[float]) -> Target:
    """The same target at other horizons, unchecked."""
    return replace(target, horizons=tuple(horizons))
