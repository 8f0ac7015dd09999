"""Shapley effects by sampling: the variance shared out fairly, also when inputs depend on each other.

Each input gets the mean, over all orders in which inputs become uncertain, of the variance that it
adds. They sum to 1 and are never ambiguous, where S1 and ST disagree about interactions and, with
dependent inputs, about everything (Owen 2014; Song, Nelson & Staum 2016). Where a polynomial chaos is
good enough its coefficients give them for nothing; this is the way without one, and a check on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.design import Array, sobol_points
from flywheel.analysis.sensitivity.outputs import columns, quantile_of, sound, varies
from flywheel.errors import UsageError


@dataclass(frozen=True, eq=False)
class Walks:
    """A design of walks: ``unit`` (n, d + 1, d); ``order`` (n, d) says which input each step redraws."""

    unit: Array
    order: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class ShapleyEffects:
    """``effects`` (d, O) that sum to 1 up to the estimate of the variance, with half-widths."""

    effects: Array
    half: Array
    variance: Array
    walks: int
    used: int


def walks(n: int, d: int, seed: int = 0, correlation: Array | None = None) -> Walks:
    """``n`` walks from one random point to another, redrawing one input a step in a random order.

    With ``correlation`` (d, d), the rank-normal dependence of a Gaussian copula, every step draws all
    inputs redrawn so far anew, given those that stay (Song et al.'s conditional sampling).

    Raises UsageError for a matrix that is no correlation matrix.
    """
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(d), (n, 1)), axis=1)
    place = np.argsort(order, axis=1)
    redrawn = place[:, None, :] < np.arange(d + 1)[None, :, None]  # (n, d + 1, d)
    if correlation is None:
        both = sobol_points(0, n, 2 * d, seed)
        unit = np.where(redrawn, both[:, None, d:], both[:, None, :d])
        return Walks(unit, order)
    return Walks(_dependent(order, _root(correlation, d), seed), order)


def _root(correlation: Array, d: int) -> Array:
    matrix = np.asarray(correlation, dtype=float)
    sane = matrix.shape == (d, d) and np.allclose(matrix, matrix.T)
    if not sane or not np.allclose(np.diag(matrix), 1):
        raise UsageError(
            f"a correlation matrix of {d} inputs is symmetric with ones on its diagonal"
        )
    if np.linalg.eigvalsh(matrix).min() < 1e-9:
        raise UsageError(
            "the correlations contradict each other: the matrix is not positive definite"
        )
    return matrix


def _dependent(order: NDArray[np.intp], matrix: Array, seed: int) -> Array:
    """Points of the copula along each walk, in the unit cube."""
    from scipy.special import ndtr, ndtri

    n, d = order.shape
    both = ndtri(np.clip(sobol_points(0, n, 2 * d, seed), 2.0**-53, 1 - 2.0**-53))
    start = both[:, :d] @ np.linalg.cholesky(matrix).T
    fresh = both[:, d:]
    points = np.repeat(start[:, None], d + 1, axis=1)
    sorted_matrix = matrix[order[:, :, None], order[:, None, :]]  # each walk in its own order
    along = np.take_along_axis(start, order, axis=1)
    for step in range(1, d + 1):
        # z_new | z_kept is normal with mean K z_kept and covariance R_nn - K R_kn.
        new, kept = slice(0, step), slice(step, d)
        gain = np.linalg.solve(sorted_matrix[:, kept, kept], sorted_matrix[:, kept, new])
        spread = sorted_matrix[:, new, new] - sorted_matrix[:, new, kept] @ gain
        mean = np.einsum("nkj,nk->nj", gain, along[:, kept])
        drawn = mean + np.einsum("nij,nj->ni", np.linalg.cholesky(spread), fresh[:, new])
        values = np.concatenate([drawn, along[:, kept]], axis=1)
        np.put_along_axis(points[:, step], order, values, axis=1)
    return np.asarray(ndtr(points))


def shapley_effects(design: Walks, y: Array, confidence: float = 0.95) -> ShapleyEffects:
    """Effects from outputs ``y`` (n, d + 1, O) of ``walks``.

    With Y the first row of a walk and P, Q the rows before and after input j is redrawn, j adds
    E[(Y - (P + Q)/2)(P - Q)] (Goda 2021). A walk with a failed run is left out as a whole; the variance
    is that over first and last rows. Raises UsageError when fewer than two walks are sound.
    """
    y = columns(y, 3)
    n, d = design.order.shape
    if y.shape[:2] != (n, d + 1):
        raise UsageError(f"{y.shape[:2]} runs for {n} walks of {d + 1}")
    good = sound(y)
    if good.sum() < 2:
        raise UsageError(f"only {int(good.sum())} of {n} walks have all their runs")
    y, order = y[good], design.order[good]
    size = np.abs(y).max(axis=(0, 1))
    start, before, after = y[:, :1], y[:, :-1], y[:, 1:]
    added = (start - (before + after) / 2) * (before - after)
    mine = np.take_along_axis(added, np.argsort(order, axis=1)[..., None], axis=1)  # (n, d, O)
    variance = varies(y[:, [0, -1]].var(axis=(0, 1)), size)
    with np.errstate(invalid="ignore"):
        effects = mine.mean(axis=0) / variance
        # The variance is estimated from the same walks: the spread is that of the ratio.
        middle = y[:, [0, -1]].mean(axis=(0, 1))
        own = ((y[:, [0, -1]] - middle) ** 2).mean(axis=1)  # (n, O)
        rest = (mine - effects * own[:, None]) / variance
        half = quantile_of(confidence) * rest.std(axis=0, ddof=1) / np.sqrt(len(y))
    return ShapleyEffects(effects, half, variance, n, len(y))
