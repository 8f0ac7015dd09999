"""Data you should buy: what the series at hand already tell, what one more figure would tell, its worth.

For the numbers that matter for a choice three things stand side by side: how far the observed series
already pin them down, which single further figure would narrow each most, and what knowing it exactly
would be worth (``learning``), which no figure about it alone can exceed.

Everything about data is local: linear around the baseline, with independent errors of the size that
``observe`` states, ranges as what is known without any data (Bayesian, normal), and the model taken to
be right. All uncertain numbers are estimated together, so that a number that others can make up for is
not called known. What a figure itself would be worth (EVSI) is left out: it would ask for draws that
agree with the existing data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flywheel.analysis.decide.identify import COLLINEAR, Identifiability, identify
from flywheel.analysis.decide.learning import Number, WorthOfKnowing, worth_of_knowing
from flywheel.analysis.decide.playing import based, input_labels
from flywheel.analysis.decide.words import Array
from flywheel.analysis.sensitivity.ranges import Range, ranges_of
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError
from flywheel.solve.study import Study
from flywheel.sweep.distributions import Distribution, LogUniform

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10
"""Numbers in the table: those most worth knowing, and none that is worth nothing."""
_STRATA = 4096


@dataclass(frozen=True)
class Purchase:
    """One number: what the data say of it, what one more figure would say, and what it is worth.

    Errors are standard deviations, in parts of the number itself (of its logarithm where the range
    spans a decade); of a point in time in its own unit.
    """

    number: Number
    worth: float
    """EVPPI, in the outcome's unit, with its interval."""
    low: float
    high: float
    before: float
    """From the range alone."""
    after: float
    """With the data at hand."""
    next_variable: str
    next_time: float
    then: float
    """With one more figure of that variable at that time; it is the best there is."""
    mixed_with: str
    """The uncertain number that it is hardest to tell from, and the correlation of the estimates."""
    correlation: float

    @property
    def told(self) -> float:
        """The part of the variance that the data at hand have taken away."""
        return 1 - (self.after / self.before) ** 2


@dataclass(frozen=True, eq=False)
class DataToBuy:
    """The numbers most worth knowing, and the data that would tell them."""

    stamp: Stamp
    title: tuple[str, str]
    unit: str
    time_unit: str
    worth: WorthOfKnowing
    rows: tuple[Purchase, ...]
    labels: Mapping[str, tuple[str, str]]
    """Of all estimated numbers and observed variables."""
    observed: tuple[str, ...]
    measurements: int
    unverified: int
    """Points of the series that are not verified, and were left out."""
    window: tuple[float, float]
    """When one more figure could be taken."""
    collinearity: float
    """Of the numbers shown in the data (Brun and others 2001); NaN without any data."""
    blurred: tuple[str, ...]
    """The numbers that make up for each other most, as far as they do."""
    left_out: Mapping[str, str]
    """Numbers that could not be judged, with the reason."""

    @property
    def collinear(self) -> bool:
        """Whether the data cannot tell the numbers shown apart (collinearity above 10)."""
        return self.collinearity > COLLINEAR

    @property
    def frame(self) -> pd.DataFrame:
        """One row a number, the most worth knowing first."""
        import pandas as pd

        return pd.DataFrame(
            {
                "label": [one.number.label[0] for one in self.rows],
                "evppi": [one.worth for one in self.rows],
                "low": [one.low for one in self.rows],
                "high": [one.high for one in self.rows],
                "sd_range": [one.before for one in self.rows],
                "sd_data": [one.after for one in self.rows],
                "told": [one.told for one in self.rows],
                "next_variable": [one.next_variable for one in self.rows],
                "next_time": [one.next_time for one in self.rows],
                "sd_next": [one.then for one in self.rows],
                "mixed_with": [one.mixed_with for one in self.rows],
                "correlation": [one.correlation for one in self.rows],
                "evidence": [one.number.evidence for one in self.rows],
                "source": [one.number.source for one in self.rows],
            },
            index=pd.Index([one.number.name for one in self.rows], name="input"),
        )

    def explain(self, language: str = "en") -> str:
        """What to measure first, what is known of it, and which figure would tell more."""
        from flywheel.analysis.decide.buying_words import explain

        return explain(self, language)

    def __repr__(self) -> str:
        first = f"{self.rows[0].number.name} first" if self.rows else "nothing to judge"
        return (
            f"<data to buy for {self.stamp.outcome}: {first}, {self.measurements} figures at hand>"
        )


def data_to_buy(
    study: Study,
    observed_columns: Iterable[str] | Mapping[str, float] | None = None,
    *,
    worth: WorthOfKnowing | None = None,
    ranges: Mapping[str, Range] | None = None,
    window: tuple[float, float] | None = None,
    shown: int = SHOWN,
    **asked: Any,
) -> DataToBuy:
    """For the numbers most worth knowing: what the data tell, and what one more figure would.

    ``observed_columns``: the variables of which figures can be had, those that the model observes by
    default; a mapping gives the relative error of one figure, which a variable without an ``observe``
    line needs. ``window``: when a figure can be taken; up to the last point of the series by default,
    for the future cannot be bought. ``worth``: a table of ``worth_of_knowing``, else it is made with
    what is ``asked`` (its keyword arguments).

    Raises UsageError where nothing can be observed, UnknownNameError for what is no variable.
    """
    if worth is None:
        worth = worth_of_knowing(study, ranges=ranges, **asked)
    spread = ranges_of(study.model, [one.name for one in worth.numbers], ranges, based(study))
    late = study.event_inputs
    left_out = {name: "it decides when an event happens" for name in spread if name in late}
    spread = {name: one for name, one in spread.items() if name not in late}
    errors = _errors(study, observed_columns)
    names, columns = tuple(spread), tuple(errors)
    if not names:
        raise UsageError("every number worth judging decides when an event happens")
    germ = [_germ(one, study.base(name)) for name, one in spread.items()]
    slopes = study.tangent(names, columns) * np.array([slope for slope, _ in germ])
    blind = ~np.isfinite(slopes).all(axis=(0, 1))
    left_out |= {name: "no derivative" for name, lost in zip(names, blind, strict=True) if lost}
    keep = np.flatnonzero(~blind)
    names = tuple(names[k] for k in keep)
    slopes, germ = slopes[:, :, keep], [germ[k] for k in keep]

    rows, unverified, last = _measured(study, columns, slopes)
    prior = np.array([sd for _, sd in germ])
    posterior = identify(np.concatenate([rows, np.diag(1 / prior)]), 1.0, names=names)
    covariance = posterior.correlation * np.outer(posterior.sd, posterior.sd)
    start = float(study.times[0])
    begin, end = window or (start, last if math.isfinite(last) else float(study.times[-1]))
    figures, where = _figures(study, errors, slopes, begin, end)
    return _table(
        study, worth, names, germ, prior, posterior, covariance, rows, figures, where,
        (begin, end), columns, unverified, left_out, shown,
    )  # fmt: skip


def _table(
    study: Study,
    worth: WorthOfKnowing,
    names: Sequence[str],
    germ: Sequence[tuple[float, float]],
    prior: Array,
    posterior: Identifiability,
    covariance: Array,
    rows: Array,
    figures: Array,
    where: Sequence[tuple[str, float]],
    window: tuple[float, float],
    columns: Sequence[str],
    unverified: int,
    left_out: Mapping[str, str],
    shown: int,
) -> DataToBuy:
    seen = figures @ covariance
    variance = 1.0 + np.sum(seen * figures, axis=1)
    numbers = {one.name: k for k, one in enumerate(worth.numbers)}
    worths = {name: worth.knowing.each[numbers[name]].value for name in names}
    order = sorted((n for n in names if worths[n] > 0), key=lambda n: -worths[n])[:shown]
    mixed = np.where(np.eye(len(names), dtype=bool), 0.0, posterior.correlation)
    found = []
    for name in order:
        k = names.index(name)
        one = worth.numbers[numbers[name]]
        slope, _ = germ[k]
        scale = 1.0 if one.moment or not one.value else abs(slope / one.value)
        left = np.maximum(covariance[k, k] - seen[:, k] ** 2 / variance, 0.0)
        best, other = int(left.argmin()), int(np.abs(mixed[k]).argmax())
        value = worth.knowing.each[numbers[name]]
        found.append(
            Purchase(
                number=one,
                worth=value.value,
                low=value.low,
                high=value.high,
                before=float(prior[k]) * scale,
                after=float(posterior.sd[k]) * scale,
                next_variable=where[best][0],
                next_time=where[best][1],
                then=math.sqrt(float(left[best])) * scale,
                mixed_with=names[other] if len(names) > 1 else "",
                correlation=float(mixed[k, other]),
            )
        )
    data = None
    if len(rows) and order:
        # Columns of length 1: the direction that is hardest to see must not hang on units.
        shape = rows[:, [names.index(name) for name in order]]
        length = np.sqrt((shape**2).sum(axis=0))
        data = identify(shape / np.where(length > 0, length, 1.0), 1.0, names=order)
    return DataToBuy(
        stamp=replace(worth.stamp, settings={**worth.stamp.settings, "figures": len(rows)}),
        title=worth.title,
        unit=worth.unit,
        time_unit=study.time_unit,
        worth=worth,
        rows=tuple(found),
        labels={name: input_labels(study, name) for name in (*names, *columns)},
        observed=tuple(columns),
        measurements=len(rows),
        unverified=unverified,
        window=window,
        collinearity=math.nan if data is None else data.collinearity,
        blurred=() if data is None else tuple(data.weakest),
        left_out=left_out,
    )


def _errors(study: Study, asked: Iterable[str] | Mapping[str, float] | None) -> dict[str, float]:
    """The variables of which a figure can be had, and its relative error: the smallest declared."""
    declared: dict[str, float] = {}
    for line in study.model.observes:
        name = study.spelled(line.name)
        declared[name] = min(line.error, declared.get(name, math.inf))
    if asked is None:
        found = declared
    elif isinstance(asked, Mapping):
        found = {study.spelled(name): float(error) for name, error in asked.items()}
    else:
        found = {}
        for name in asked:
            spelled = study.spelled(name)
            if spelled not in declared:
                raise UsageError(f"{spelled} has no observe line; give the error of one figure")
            found[spelled] = declared[spelled]
    if not found:
        raise UsageError(f"model {study.model.name} observes nothing; give observed_columns")
    for name, error in found.items():
        if name not in study.columns:
            raise UsageError(f"{name} is no variable that could be observed over time")
        if not error > 0:
            raise UsageError(f"the error of a figure of {name} must be above 0")
    return found


def _germ(spread: Distribution, base: float) -> tuple[float, float]:
    """d x / d germ at the baseline, and the standard deviation of the germ (see ``Distribution``)."""
    x = spread.ppf((np.arange(_STRATA) + 0.5) / _STRATA)
    logarithmic = isinstance(spread, LogUniform)
    slope = base if logarithmic and base else float(spread.slope(np.array([base]))[0])
    return slope, float(np.std(np.log(x) if logarithmic else x))


def _measured(study: Study, columns: Sequence[str], slopes: Array) -> tuple[Array, int, float]:
    """The rows (N, P) of the verified points, in units of their errors; how many are not; the last."""
    rows: list[Array] = []
    unverified, last = 0, -math.inf
    first, end = float(study.times[0]), float(study.times[-1])
    for line in study.model.observes:
        name = study.spelled(line.name)
        if name not in columns:
            continue
        course = slopes[:, columns.index(name)]
        for point in study.model.data[line.data].points:
            if not first <= point.time <= end or point.value == 0:
                continue
            last = max(last, point.time)
            if not point.verified:
                unverified += 1
                continue
            sd = line.error * abs(point.value)
            rows.append(np.array([np.interp(point.time, study.times, s) for s in course.T]) / sd)
    table = np.stack(rows) if rows else np.empty((0, slopes.shape[2]))
    return table, unverified, last


def _figures(
    study: Study, errors: Mapping[str, float], slopes: Array, begin: float, end: float
) -> tuple[Array, list[tuple[str, float]]]:
    """Every single figure that could be taken: rows (M, P) in units of their errors, and which."""
    rows: list[Array] = []
    where = []
    for v, (name, error) in enumerate(errors.items()):
        values = np.abs(study.column(name))
        for n, t in enumerate(study.times):
            # A relative error of nothing would be a figure without any error.
            if begin <= t <= end and values[n] > 0:
                rows.append(slopes[n, v] / (error * values[n]))
                where.append((name, float(t)))
    if not rows:
        raise UsageError(f"no figure can be taken from {begin:g} to {end:g}")
    return np.stack(rows), where
