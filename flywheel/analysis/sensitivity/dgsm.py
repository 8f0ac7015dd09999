"""Bounds on total effects from derivatives: an input along which nothing ever slopes cannot matter.

nu_j = E[(dY/dg_j)^2] bounds the total index, ST_j <= C_j nu_j / V with the Poincaré constant C_j of the
input's distribution (Sobol' & Kucherenko 2009; Lamboni et al. 2013); for a uniform one C is
(b - a)^2 / pi^2. g is the input itself, for a log-uniform one its logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flywheel.analysis.sensitivity.design import Array
from flywheel.analysis.sensitivity.outputs import columns, quantile_of, sound, varies
from flywheel.errors import UsageError
from flywheel.sweep.distributions import Distribution


@dataclass(frozen=True, eq=False)
class DerivativeMeasures:
    """``nu`` and the upper ``bound`` of ST, with half-widths: all (d, O)."""

    nu: Array
    bound: Array
    nu_half: Array
    bound_half: Array
    used: int


def dgsm(
    x: Array,
    slopes: Array,
    distributions: Sequence[Distribution],
    variance: Array,
    confidence: float = 0.95,
) -> DerivativeMeasures:
    """From derivatives ``slopes`` (n, d, O) dY/dx at points ``x`` (n, d) drawn from ``distributions``.

    ``variance`` (O,) is the outputs' variance over the same distributions. Points with a NaN are left
    out; raises UsageError with fewer than two others.
    """
    slopes = columns(slopes, 3)
    good = sound(slopes)
    if good.sum() < 2:
        raise UsageError(f"only {int(good.sum())} of {len(slopes)} points have all derivatives")
    x, slopes = x[good], slopes[good]
    stretch = np.stack([d.slope(x[:, j]) for j, d in enumerate(distributions)], axis=1)
    square = (slopes * stretch[..., None]) ** 2
    constant = np.array([d.poincare for d in distributions])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = constant / np.where(variance > 0, variance, np.nan)
    nu = square.mean(axis=0)
    half = quantile_of(confidence) * square.std(axis=0, ddof=1) / np.sqrt(len(x))
    return DerivativeMeasures(nu, factor * nu, half, factor * half, len(x))


def differences(n: int, d: int, seed: int = 0, step: float = 1e-4) -> Array:
    """(n, 2d + 1, d) points of the unit cube: each of n points and its neighbours along every axis.

    The points keep half a step from the sides, so that neighbours to both sides exist.
    """
    from flywheel.analysis.sensitivity.design import sobol_points

    middle = step / 2 + (1 - step) * sobol_points(0, n, d, seed)
    points = np.repeat(middle[:, None], 2 * d + 1, axis=1)
    each = np.arange(d)
    points[:, 1 + each, each] -= step / 2
    points[:, 1 + d + each, each] += step / 2
    return points


def central(x: Array, y: Array) -> Array:
    """Central differences dY/dx (n, d, O) from ``y`` (n, 2d + 1, O) at ``x``, of ``differences``."""
    y = columns(y, 3)
    d = (y.shape[1] - 1) // 2
    each = np.arange(d)
    run = x[:, 1 + d + each, each] - x[:, 1 + each, each]
    return np.asarray((y[:, 1 + d :] - y[:, 1 : 1 + d]) / run[..., None])


def output_variance(y: Array) -> Array:
    """Variance (O,) over the middle points of ``differences``; NaN where nothing varies."""
    middle = columns(y, 3)[:, 0]
    middle = middle[sound(middle)]
    return varies(middle.var(axis=0), np.abs(middle).max(axis=0))
