"""Statistical screening: the correlation of every input with every output at every time, from any runs.

After Ford & Flynn (2005) and Taylor, Ford & Ford (2010): r_j(t) over a Latin hypercube of runs says when
each input matters, where it overtakes another, and where its effect turns round. Spearman's and the
partial rank correlation see monotone curved effects that Pearson's misses; none of the three sees an
effect that goes up and down again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flywheel.analysis.sensitivity.design import Array
from flywheel.analysis.sensitivity.outputs import columns, quantile_of, ranks, sound, varies
from flywheel.errors import UsageError


@dataclass(frozen=True, eq=False)
class Screening:
    """Correlations (d, O) of d inputs with O outputs; NaN for an output that does not vary.

    ``band``: an |r| below it is what inputs without any effect give by chance.
    """

    pearson: Array
    spearman: Array
    partial: Array
    """Partial rank correlation (PRCC): the others' linear effects on the ranks taken out."""
    band: float
    runs: int
    used: int

    def half(self, r: Array, confidence: float = 0.95) -> Array:
        """Half-width of the interval of a correlation, by Fisher's z; the wider of its two sides."""
        reach = quantile_of(confidence) / math.sqrt(max(self.used - 3, 1))
        z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
        return np.asarray(np.maximum(np.tanh(z + reach) - r, r - np.tanh(z - reach)))


def screen(x: Array, y: Array, confidence: float = 0.95) -> Screening:
    """Correlations of inputs ``x`` (n, d) with outputs ``y`` (n, O), over the sound runs.

    Raises UsageError with fewer than d + 3 sound runs, too few for partial correlations.
    """
    x, y = np.asarray(x, dtype=float), columns(y, 2)
    if x.ndim != 2 or len(x) != len(y):
        raise UsageError(f"{len(y)} runs for {len(x)} points")
    runs = len(y)
    good = sound(y)
    x, y = x[good], y[good]
    n, d = x.shape
    if n < d + 3:
        raise UsageError(f"{n} sound runs are too few for {d} inputs")
    flat = np.isnan(varies(y.var(axis=0), np.abs(y).max(axis=0)))
    pearson = _correlation(x, y)
    rank_x = ranks(x)
    spearman = _correlation(rank_x, ranks(y))
    among = _correlation(rank_x, rank_x)
    inverse = np.linalg.inv(among)
    # One regression of ranks serves all outputs: partial r = b / sqrt(b^2 + s R^-1_jj).
    slope = inverse @ spearman
    left = np.maximum(1 - (slope * spearman).sum(axis=0), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        partial = slope / np.sqrt(slope**2 + left * np.diag(inverse)[:, None])
    for r in (pearson, spearman, partial):
        r[:, flat] = np.nan
    return Screening(pearson, spearman, partial, quantile_of(confidence) / math.sqrt(n), runs, n)


def _correlation(x: Array, y: Array) -> Array:
    """Pearson's r of every column of ``x`` with every column of ``y``: (d, O)."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Array = (x.T @ y) / np.sqrt((x * x).sum(axis=0)[:, None] * (y * y).sum(axis=0))
    return r


@dataclass(frozen=True)
class Peak:
    """Where one input's correlation is largest."""

    input: int
    time: float
    r: float


@dataclass(frozen=True)
class Crossing:
    """From ``time`` on, ``over`` has a larger |r| than ``under``, which was ahead before."""

    time: float
    over: int
    under: int


@dataclass(frozen=True)
class Turn:
    """At ``time`` the effect of ``input`` has changed its sign, right across the band."""

    time: float
    input: int


def peaks(times: Array, r: Array, band: float) -> tuple[Peak, ...]:
    """The largest |r| of every input whose r (d, T) leaves the band, in the order of time."""
    found = []
    for j, row in enumerate(np.abs(np.nan_to_num(r))):
        at = int(row.argmax())
        if row[at] > band:
            found.append(Peak(j, float(times[at]), float(r[j, at])))
    return tuple(sorted(found, key=lambda peak: peak.time))


def crossings(times: Array, r: Array, band: float) -> tuple[Crossing, ...]:
    """Where the first place changes hands: at each time the largest |r|, if it leaves the band.

    Times between two saves are interpolated.
    """
    size = np.abs(np.nan_to_num(r))
    leads = np.where(size.max(axis=0) > band, size.argmax(axis=0), -1)
    found, leader = [], -1
    for t, new in enumerate(leads):
        if new < 0 or new == leader:
            continue
        if leader >= 0:
            found.append(Crossing(_meeting(times, size[new] - size[leader], t), int(new), leader))
        leader = int(new)
    return tuple(found)


def _meeting(times: Array, gap: Array, t: int) -> float:
    """When a gap that is positive at save ``t`` was zero, if that was since the save before."""
    before = gap[t - 1] if t else 0.0
    if before >= 0:
        return float(times[t])
    part = before / (before - gap[t])
    return float(times[t - 1] + part * (times[t] - times[t - 1]))


def turns(times: Array, r: Array, band: float) -> tuple[Turn, ...]:
    """Where an input's r (d, T) has gone from outside the band on one side to outside on the other."""
    found = []
    for j, row in enumerate(np.nan_to_num(r)):
        side = 0
        for t in np.flatnonzero(np.abs(row) > band):
            now = 1 if row[t] > 0 else -1
            if side == -now:
                found.append(Turn(float(times[t]), j))
            side = now
    return tuple(sorted(found, key=lambda turn: turn.time))
