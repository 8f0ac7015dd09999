"""Variance-based indices from Saltelli's design, for all outputs and times at once.

S1 after Saltelli et al. (2010, b), ST after Jansen (1999), S2 after Saltelli (2002), as in SALib; the
bootstrap is a product of weights with the estimators' terms instead of a loop over resamples.

An index is between 0 and 1, its estimate need not be: a small negative one is the estimator's noise
around an index near zero, and its interval says how large that noise is. More runs shrink it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flywheel.analysis.sensitivity.design import Array
from flywheel.analysis.sensitivity.outputs import columns, quantile_of, resampling, sound, varies
from flywheel.errors import UsageError

_TOGETHER = 256
"""Outputs worked on at once, so that the terms stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class SobolIndices:
    """Indices (d, O) of d inputs and O outputs; ``*_half`` are half-widths of their intervals.

    ``S2`` (d, d, O) is symmetric with NaN on its diagonal; None without the rows it needs.
    ``variance`` is NaN where an output does not vary, and so are all its indices.
    """

    S1: Array
    ST: Array
    S2: Array | None
    S1_half: Array
    ST_half: Array
    S2_half: Array | None
    mean: Array
    variance: Array
    blocks: int
    used: int
    """Blocks without a failed run; only these are counted."""


def sobol_indices(
    y: Array,
    second: bool = False,
    bootstraps: int = 100,
    seed: int = 0,
    confidence: float = 0.95,
    weights: Array | None = None,
) -> SobolIndices:
    """Indices from outputs ``y`` (n, d + 2, O) of ``design.saltelli``, with ``second`` (n, 2d + 2, O).

    A block with a failed run (NaN) is left out as a whole. ``weights`` (1 + draws, n) replace the
    bootstrap's own (their first row must be equal ones); then no block may have failed.

    Raises UsageError when the shape fits no design or fewer than two blocks are sound.
    """
    y = columns(y, 3)
    d = y.shape[1] // 2 - 1 if second else y.shape[1] - 2
    if d < 1 or (second and y.shape[1] % 2):
        raise UsageError(f"{y.shape[1]} rows a block are no Saltelli design")
    good = sound(y)
    blocks, used = len(y), int(good.sum())
    if used < 2:
        raise UsageError(f"only {used} of {blocks} blocks have all their runs")
    if used < blocks:
        if weights is not None:
            raise UsageError("weights were given for blocks that failed")
        y = y[good]
    if weights is None:
        weights = resampling(used, bootstraps, seed)
    reach = quantile_of(confidence)
    parts = [
        _indices(y[:, :, o : o + _TOGETHER], d, second, weights, reach)
        for o in range(0, max(y.shape[2], 1), _TOGETHER)
    ]
    joined = [np.concatenate([part[k] for part in parts], axis=-1) for k in range(8)]
    s1, s1_half, st, st_half, s2, s2_half, mean, variance = joined
    pairs = (s2, s2_half) if second else (None, None)
    return SobolIndices(s1, st, pairs[0], s1_half, st_half, pairs[1], mean, variance, blocks, used)


def _indices(y: Array, d: int, second: bool, w: Array, reach: float) -> tuple[Array, ...]:
    """Estimates and half-widths for some outputs; w (1 + draws, n)."""
    outputs = y.shape[2]
    size = np.abs(y).max(axis=(0, 1))
    middle = y.mean(axis=(0, 1))  # of all runs, as SALib does: the estimator of S1 depends on it
    y = np.ascontiguousarray((y - middle).transpose(1, 0, 2))
    a, b = y[0], y[1]
    centre = w @ ((a + b) / 2)
    variance = w @ ((a * a + b * b) / 2) - centre * centre
    mean = middle + centre[0]
    variance[:, np.isnan(varies(variance[0], size))] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        firsts = np.empty((d, len(w), outputs))
        s1_half, st, st_half = (np.empty((d, outputs)) for _ in range(3))
        for j in range(d):
            moved = y[2 + j] - a
            firsts[j] = w @ (b * moved) / variance
            total = w @ (moved * moved) / (2 * variance)
            s1_half[j], st[j], st_half[j] = _half(firsts[j], reach), total[0], _half(total, reach)
        s2, s2_half = (np.full((d, d, outputs), np.nan) for _ in range(2))
        if second:
            product = a * b
            for j in range(d):
                for k in range(j + 1, d):
                    closed = w @ (y[2 + d + j] * y[2 + k] - product) / variance
                    pair = closed - firsts[j] - firsts[k]
                    s2[j, k] = s2[k, j] = pair[0]
                    s2_half[j, k] = s2_half[k, j] = _half(pair, reach)
    return firsts[:, 0], s1_half, st, st_half, s2, s2_half, mean, variance[0]


def _half(draws: Array, reach: float) -> Array:
    """Half-width of an interval from an estimate (row 0) and its bootstrap draws; NaN without any."""
    if len(draws) < 3:
        return np.full(draws.shape[1:], np.nan)
    return np.asarray(reach * draws[1:].std(axis=0, ddof=1))


def aggregated(indices: Array, variance: Array) -> Array:
    """Indices over a whole stretch of time: sum V_j(t) / sum V(t) (Gamboa et al. 2014).

    ``indices`` (..., T), ``variance`` (..., T) broadcast against them; times at which nothing varies
    add nothing.
    """
    known = np.nan_to_num(variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts: Array = (np.nan_to_num(indices) * known).sum(axis=-1) / known.sum(axis=-1)
    return parts


def mean_dimension(totals: Array) -> Array:
    """Sum of ST over the first axis: how many inputs act together on average (Liu & Owen 2006).

    1 for a model whose inputs simply add up.
    """
    return np.asarray(totals.sum(axis=0))


def interaction_share(firsts: Array) -> Array:
    """1 - sum of S1 over the first axis: the part of the variance that no input explains alone."""
    return np.asarray(1 - firsts.sum(axis=0))
