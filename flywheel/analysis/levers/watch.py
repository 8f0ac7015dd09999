"""Which variable is watched over time when a lever is judged, and what levers change in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import Bench
from flywheel.errors import UsageError
from flywheel.expr import Name
from flywheel.model import Model
from flywheel.solve.study import Study


@dataclass(frozen=True)
class Watched:
    """The variable whose difference makes a lever's dip, and why it is that one."""

    name: str
    label: str
    labels: tuple[tuple[str, str, str], ...]
    unit: str
    why: str
    """``total`` or ``mean``: it stands under the outcome's integral; ``variable``: it is the outcome,
    or what the outcome is read from."""
    discount: float
    """Per unit of time, as the outcome declares it: 0.08 is 8 percent."""

    @property
    def rate(self) -> float:
        """The continuous discount rate."""
        return math.log1p(self.discount)

    def text(self, language: str) -> str:
        """Its label in a language."""
        for code, label, _ in self.labels:
            if code == language and label:
                return label
        return self.label


def watched(study: Study) -> Watched:
    """The variable to watch for a study's outcome.

    Under a total or mean it is what is summed up; at a time, or as a peak or trough, the variable that
    the outcome reads. Raises UsageError where that is an expression without a name, or where the
    outcome is a moment or a combination of other outcomes: a dip needs one variable over time.
    """
    model: Model = study.model
    outcome = model.outcomes.get(study.name)
    name, why, discount = study.name, "variable", 0.0
    if outcome is not None:
        if outcome.measure in ("time of", "value"):
            raise UsageError(
                f"{outcome.name} is no variable over time: watch one that it depends on instead"
            )
        if not isinstance(outcome.expr, Name) or outcome.expr.name not in model.variables:
            raise UsageError(
                f"{outcome.name} reads an expression: give it a name of its own (an auxiliary) to see "
                "how a lever changes it over time"
            )
        name, discount = outcome.expr.name, outcome.discount
        why = outcome.measure if outcome.measure in ("total", "mean") else "variable"
    variable = model.variables[name]
    unit = getattr(variable, "unit", None)
    return Watched(
        name=name,
        label=variable.text()[0],
        labels=variable.translations,
        unit="" if unit is None else str(unit),
        why=why,
        discount=discount,
    )


@dataclass(frozen=True, eq=False)
class Course:
    """What one lever changes: ``times`` (T,) from its pull at 0, ``difference`` (M, T), ``usual`` (M,
    T) the variable without it, ``scale`` (M,) the mean size of that (Ȳ)."""

    times: Array
    difference: Array
    usual: Array
    scale: Array

    def level_until(self, observed: float) -> Array:
        """(M,) the mean size of the variable without the lever in (0, ``observed``] after the pull.

        Straight between saves; 0 where that run failed.
        """
        end = min(observed, float(self.times[-1]))
        inside = self.times < end
        times = np.append(self.times[inside], end)
        size = np.abs(self.usual)
        last = [np.interp(end, self.times, row) for row in size]
        shown = np.column_stack([size[:, inside], last])
        mean: Array = ((shown[:, 1:] + shown[:, :-1]) / 2 * np.diff(times)).sum(axis=1) / end
        return np.asarray(np.nan_to_num(mean))


def course(times: Array, usual: Array, pulled: Array, start: float, end: float) -> Course:
    """The difference of two runs (M, T) from a lever's pull at ``start`` until ``end``.

    Between the pull and the first save after it the difference is that of the save: what happens
    there was not saved. Raises UsageError where less than two saves are left.
    """
    inside = (times >= start - 1e-9) & (times <= end + 1e-9)
    if inside.sum() < 2:
        raise UsageError(f"fewer than two saved times lie between {start:g} and {end:g}")
    since = times[inside] - start
    without, difference = usual[:, inside], (pulled - usual)[:, inside]
    width = np.diff(since)
    size = np.abs(without)
    scale = ((size[:, 1:] + size[:, :-1]) / 2 * width).sum(axis=1) / width.sum()
    if since[0] > 1e-9:
        since = np.concatenate([[0.0], since])
        difference = np.concatenate([difference[:, :1], difference], axis=1)
        without = np.concatenate([without[:, :1], without], axis=1)
    else:
        since = since - since[0]
    return Course(since, difference, without, scale)


def courses(on: Bench, variable: str, end: float, better: int = 1) -> list[Course]:
    """Per lever of a bench its course in the baseline (M = 1), turned so that more is better."""
    runs = on.run(np.concatenate([np.zeros((1, len(on.levers))), np.eye(len(on.levers))]))
    values = runs.column(variable)
    return [
        course(on.study.times, better * values[:1], better * values[k + 1 : k + 2], start, end)
        for k, start in enumerate(on.starts)
    ]
