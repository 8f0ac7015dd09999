"""What can be said from runs that are there already: no design, no further runs.

``rbd_fast`` finds S1 in the spectrum of the outputs sorted by an input; ``conditional`` is the curve
E[Y | X] in slices; ``delta`` and ``pawn`` compare whole distributions, so they also see what moves the
tail and not the variance. PAWN's ranking depends much on its slices (Puy, Lo Piano & Saltelli 2020): a
screening, no verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.design import Array
from flywheel.analysis.sensitivity.outputs import columns, quantile_of, sound, varies
from flywheel.errors import UsageError

LEAST = 40
"""Sound runs below which slices say nothing."""


@dataclass(frozen=True, eq=False)
class Given:
    """An index (d, O) of d inputs for O outputs, with half-widths; NaN where an output is constant."""

    values: Array
    half: Array
    runs: int
    used: int


def _runs(x: Array, y: Array) -> tuple[Array, Array, int]:
    x, y = np.asarray(x, dtype=float), columns(y, 2)
    if x.ndim != 2 or len(x) != len(y):
        raise UsageError(f"{len(y)} runs for {len(x)} points")
    good = sound(y)
    if good.sum() < LEAST:
        raise UsageError(f"{int(good.sum())} sound runs are too few; {LEAST} are the least")
    return x[good], y[good], len(y)


def _flat(y: Array) -> NDArray[np.bool_]:
    return np.isnan(varies(y.var(axis=0), np.abs(y).max(axis=0)))


def rbd_fast(x: Array, y: Array, harmonics: int = 10, confidence: float = 0.95) -> Given:
    """S1 by random balance designs (Tarantola et al. 2006) with Tissot & Prieur's (2012) correction.

    Outputs are put in the order up and down an input, and what the first ``harmonics`` frequencies
    carry of the variance is what the input explains alone. The interval is that of a spectrum of
    pure noise at the found level: 2M of n periodogram lines are looked at.
    """
    x, y, runs = _runs(x, y)
    n, d = x.shape
    share = 2 * harmonics / n
    if not 0 < share < 1:
        raise UsageError(f"{harmonics} harmonics are too many for {n} runs")
    s1 = np.empty((d, y.shape[1]))
    for j in range(d):
        order = np.argsort(x[:, j], kind="stable")
        wave = y[np.concatenate([order[::2], order[1::2][::-1]])]
        power = np.abs(np.fft.rfft(wave - wave.mean(axis=0), axis=0)) ** 2
        power[1 : (n + 1) // 2] *= 2  # all but the mean and, for even n, the last line are doubled
        with np.errstate(invalid="ignore", divide="ignore"):
            raw = power[1 : harmonics + 1].sum(axis=0) / power[1:].sum(axis=0)
        s1[j] = raw - share / (1 - share) * (1 - raw)
    s1[:, _flat(y)] = np.nan
    # The lines' noise is a sum of M exponentials of mean 2 (1 - S1)/n, beating with the signal.
    rest = np.clip(1 - s1, 0, 1)
    noise = rest**2 * 4 * harmonics / n**2 + 4 * np.clip(s1, 0, 1) * rest / n
    return Given(s1, quantile_of(confidence) * np.sqrt(noise), runs, n)


@dataclass(frozen=True, eq=False)
class Conditional:
    """E[Y | X_j] in slices of equal count: all (bins, O), ``x`` (bins,) the mean input in each.

    ``half`` are half-widths of the means; ``ratio`` (O,) the part of the variance that the curve
    explains, corrected for the number of slices.
    """

    x: Array
    mean: Array
    half: Array
    count: NDArray[np.intp]
    ratio: Array


def conditional(x: Array, y: Array, bins: int = 20, confidence: float = 0.95) -> Conditional:
    """The curve of one input ``x`` (n,) and outputs ``y`` (n, O)."""
    level, y, _ = _runs(np.asarray(x, dtype=float)[:, None], y)
    n = len(y)
    if not 2 <= bins <= n // 2:
        raise UsageError(f"{bins} slices of {n} runs")
    order = np.argsort(level[:, 0], kind="stable")
    parts = np.array_split(order, bins)
    count = np.array([len(part) for part in parts])
    mean = np.stack([y[part].mean(axis=0) for part in parts])
    within = np.stack([y[part].var(axis=0, ddof=1) for part in parts])
    half = quantile_of(confidence) * np.sqrt(within / count[:, None])
    inner = (within * (count - 1)[:, None]).sum(axis=0) / (n - bins)
    total = y.var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(_flat(y), np.nan, 1 - inner / total)
    places = np.array([level[part, 0].mean() for part in parts])
    return Conditional(places, mean, half, count, ratio)


def pawn(x: Array, y: Array, slices: int = 10, confidence: float = 0.95) -> Given:
    """Median over slices of the largest distance between the distributions of Y and of Y in the slice.

    Pianosi & Wagener (2018). ``half`` is the distance that equal distributions would show by chance
    (Kolmogorov's), for it is what a found one must exceed: the index is never 0.
    """
    x, y, runs = _runs(x, y)
    n, d = x.shape
    inside = _slices(x, slices)
    values = np.empty((d, y.shape[1]))
    overall = np.arange(1, n + 1)[:, None] / n
    for o in range(y.shape[1]):
        order = np.argsort(y[:, o], kind="stable")
        ends = np.append(np.diff(y[order, o]) > 0, True)  # equal values step up together
        for j in range(d):
            member = inside[j][order][:, None] == np.arange(slices)
            ours = member.cumsum(axis=0) / member.sum(axis=0)
            distance = np.abs(ours - overall)[ends].max(axis=0)
            values[j, o] = np.median(distance)
    values[:, _flat(y)] = np.nan
    critical = math.sqrt(-0.5 * math.log((1 - confidence) / 2))
    chance = critical * math.sqrt((n + n / slices) / (n * n / slices))
    return Given(values, np.where(np.isnan(values), np.nan, chance), runs, n)


def _slices(x: Array, slices: int) -> NDArray[np.intp]:
    """(d, n): in which of ``slices`` of equal count each run lies along each input."""
    n, d = x.shape
    inside = np.empty((d, n), dtype=np.intp)
    for j in range(d):
        inside[j, np.argsort(x[:, j], kind="stable")] = np.arange(n) * slices // n
    return inside


def delta(x: Array, y: Array, draws: int = 50, seed: int = 0, confidence: float = 0.95) -> Given:
    """Borgonovo's moment-independent index: half the mean shift of Y's density when X_j is known.

    Densities are counts in classes of equal probability, so the index is the same for any monotone
    rescaling of Y; the number of slices is Plischke, Borgonovo & Smith's (2013). Counting alone gives
    inert inputs an index above 0. That floor is the same for all inputs and outputs (ranks have one
    distribution), is measured by shuffling, and taken out in squares, as errors add: our own choice,
    closer than the bootstrap correction of the paper on Ishigami's function with 256 to 4096 runs.
    """
    x, y, runs = _runs(x, y)
    n, d = x.shape
    reach = quantile_of(confidence)
    # The paper's rule: n^(2/(7 + tanh((1500 - n)/500))), at most 48.
    slices = min(math.ceil(n ** (2 / (7 + math.tanh((1500 - n) / 500)))), 48)
    inside = _slices(x, slices)
    levels = _slices(y, slices)
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1) * slices // n
    floor = _shift(np.arange(n) * slices // n, shuffled, slices)
    picks = np.vstack([np.arange(n), rng.integers(n, size=(draws, n))])
    values, half = (np.full((d, y.shape[1]), np.nan) for _ in range(2))
    for o in np.flatnonzero(~_flat(y)):
        for j in range(d):
            shift = _shift(inside[j][picks], levels[o][picks], slices)
            spread = max(shift[1:].std(ddof=1), floor.std(ddof=1))
            values[j, o] = _above(shift[0], floor.mean())
            half[j, o] = _above(shift[0] + reach * spread, floor.mean()) - values[j, o]
    return Given(values, half, runs, n)


def _shift(inside: NDArray[np.intp], levels: NDArray[np.intp], slices: int) -> Array:
    """Half the summed distance between joint and independent class probabilities; (draws,)."""
    draws, n = levels.shape
    cell = inside * slices + levels + np.arange(draws)[:, None] * slices * slices
    joint = np.bincount(cell.ravel(), minlength=draws * slices * slices)
    joint = joint.reshape(draws, slices, slices) / n
    alone = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    found: Array = np.abs(joint - alone).sum(axis=(1, 2)) / 2
    return found


def _above(shift: float, floor: float) -> float:
    return math.sqrt(max(shift * shift - floor * floor, 0.0))
