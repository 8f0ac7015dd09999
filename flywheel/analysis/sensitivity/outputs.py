"""What goes into every estimator: outputs of runs as arrays, which are sound, and what the rest share.

A run without a value (NaN) is never averaged in. It is counted, and the inputs of such runs are
compared with those of the others, for failures are seldom spread evenly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.design import Array
from flywheel.errors import UsageError

FLAT = 1e-12
"""An output whose standard deviation is below this part of its size does not vary at all: what is left
is rounding, and its indices are NaN."""


def columns(y: Array, dimensions: int) -> Array:
    """``y`` as floats with one axis of outputs at the end, added where it is missing.

    Raises UsageError when ``y`` has another number of axes.
    """
    found = np.asarray(y, dtype=float)
    if found.ndim == dimensions - 1:
        found = found[..., None]
    if found.ndim != dimensions:
        raise UsageError(f"outputs must have {dimensions} axes, not {found.ndim}")
    return found


def sound(y: Array) -> NDArray[np.bool_]:
    """Which rows of ``y`` (n, ...) have all their values: (n,).

    An output that has no value in any run says nothing about single runs and is left out.
    """
    flat = y.reshape(len(y), math.prod(y.shape[1:]))
    finite = np.isfinite(flat)
    judged = finite.any(axis=0)
    return np.asarray(finite[:, judged].all(axis=1) & judged.any())


def varies(variance: Array, size: Array) -> Array:
    """``variance`` where an output varies, NaN where it is constant up to rounding."""
    with np.errstate(invalid="ignore"):
        return np.where(variance > (FLAT * size) ** 2, variance, np.nan)


def quantile_of(confidence: float) -> float:
    """How many standard deviations an interval reaches to either side; 1.96 for 0.95."""
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must lie between 0 and 1, not {confidence!r}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def resampling(n: int, draws: int, seed: int) -> Array:
    """Weights (draws + 1, n) that sum to 1: first equal ones, then bootstrap samples.

    A bootstrap is then one matrix product for all outputs and all draws.
    """
    rng = np.random.default_rng(seed)
    weights = np.full((draws + 1, n), 1.0 / n)
    if draws:
        weights[1:] = rng.multinomial(n, weights[0], size=draws) / n
    return weights


@dataclass(frozen=True)
class Shift:
    """How one input differs between the failed and the sound runs, in its own unit."""

    name: str
    failed: tuple[float, float, float]
    """Least, median and largest value among the failed runs."""
    sound: tuple[float, float, float]
    odds: float
    """Chance that a failed run has a higher value than a sound one; 0.5 without any difference."""


@dataclass(frozen=True)
class Failures:
    """Runs without a value: how many of how many, where they lie, and the commonest reasons."""

    runs: int
    failed: int
    shifts: tuple[Shift, ...] = ()
    """Inputs whose values differ by more than chance (about 1 in 1000), strongest first."""
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> float:
        """Part of the runs that failed."""
        return self.failed / self.runs if self.runs else 0.0


_BAND = 3.29  # standard errors: one input in a thousand passes by chance


def failures(
    x: Array,
    good: NDArray[np.bool_],
    names: Sequence[str],
    reasons: Sequence[tuple[str, int]] = (),
) -> Failures:
    """Counts the failed runs and locates them: ``x`` (n, d) inputs, ``good`` (n,) soundness.

    The comparison is Mann and Whitney's rank test, which no single extreme value can sway. Designs
    repeat an input's values over many runs (a Saltelli block has two); each value counts once.
    """
    bad = ~good
    if not bad.any() or not good.any():
        return Failures(len(x), int(bad.sum()), (), tuple(reasons))
    many, few = int(good.sum()), int(bad.sum())
    found = []
    for j, name in enumerate(names):
        level = ranks(x[:, j])
        odds = (level[bad].sum() - few * (few + 1) / 2) / (few * many)
        own, others = (len(np.unique(x[side, j])) for side in (bad, good))
        error = math.sqrt((own + others + 1) / (12 * own * others))
        if abs(odds - 0.5) > _BAND * error:
            found.append(Shift(name, _spread(x[bad, j]), _spread(x[good, j]), float(odds)))
    found.sort(key=lambda shift: -abs(shift.odds - 0.5))
    return Failures(len(x), few, tuple(found), tuple(reasons))


HEAVY = 0.5
"""A variance of which one run in a thousand carries more than this part describes those runs alone."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The most extreme thousandth of the runs: ``share`` (O,) of the variance that it carries.

    About 0.01 for a normal outcome. Near 1, mean, variance and all parts of a variance are about these
    runs only, and more runs do not settle them; ``shifts`` says where such runs lie.
    """

    share: Array
    count: int
    runs: int
    shifts: tuple[Shift, ...] = ()

    @property
    def heavy(self) -> bool:
        """Whether the extreme runs carry more than half of the variance of some outcome."""
        return bool((np.nan_to_num(self.share) > HEAVY).any())


def tail(x: Array, y: Array, names: Sequence[str]) -> Tail:
    """Looks for a heavy tail in outputs ``y`` (n, O) of runs at ``x`` (n, d); failed runs left out."""
    good = sound(y)
    x, y = x[good], y[good]
    count = max(len(y) // 1000, 1)
    if len(y) < 2:
        return Tail(np.full(y.shape[1], np.nan), 0, len(y))
    square = (y - y.mean(axis=0)) ** 2
    largest = np.sort(square, axis=0)[-count:]
    whole = varies(y.var(axis=0), np.abs(y).max(axis=0)) * len(y)
    share = largest.sum(axis=0) / whole
    found = Tail(share, count, len(y))
    if not found.heavy:
        return found
    worst = int(np.nanargmax(share))
    calm = square[:, worst] < largest[0, worst]
    return Tail(share, count, len(y), failures(x, calm, names).shifts)


def _spread(values: Array) -> tuple[float, float, float]:
    return float(values.min()), float(np.median(values)), float(values.max())


def ranks(values: Array) -> Array:
    """Ranks from 1 along the first axis; equal values share their mean rank."""
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    place = np.arange(1.0, len(values) + 1)
    level = np.broadcast_to(place.reshape(-1, *[1] * (values.ndim - 1)), values.shape).copy()
    tied = ordered[1:] == ordered[:-1]
    if tied.any():
        for column in np.ndindex(values.shape[1:]):
            where = (slice(None), *column)
            _, group = np.unique(ordered[where], return_inverse=True)
            level[where] = (np.bincount(group, weights=place) / np.bincount(group))[group]
    out = np.empty_like(level)
    np.put_along_axis(out, order, level, axis=0)
    return out
