"""Functions of the inputs to regress on: columns of a design matrix (N, coefficients)."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb

import numpy as np

from flywheel.analysis.decide.words import Array
from flywheel.errors import UsageError


def smooth(x: Array) -> Array:
    """Splines of a single input (N, 1); of several a polynomial of degree 3 (2 above eight inputs)."""
    if x.shape[1] == 1:
        return spline(x[:, 0])
    return joint(x, 3 if x.shape[1] <= 8 else 2)


def _standard(x: Array) -> Array:
    spread = x.std(axis=0)
    scaled: Array = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def power(x: Array, degree: int) -> Array:
    """Legendre polynomials on the range of x: powers themselves would be nearly collinear."""
    span = float(np.ptp(x)) or 1.0
    basis: Array = np.polynomial.legendre.legvander(2 * (x - x.min()) / span - 1, degree)
    return basis


def spline(x: Array, knots: int = 7) -> Array:
    """Natural cubic splines, straight beyond the outer knots (Hastie and others, eq. 5.4).

    Few different values, as of a switch, take a step for each of them instead.
    """
    values = np.unique(x)
    if values.size <= knots:
        steps: Array = (x[:, None] == values).astype(float)
        return steps
    z = _standard(x)
    places = np.unique(np.quantile(z, np.linspace(0.005, 0.995, knots)))
    if places.size < 3:
        return np.stack([np.ones_like(z), z], axis=1)
    last = places[-1]

    def bend(knot: float) -> Array:
        rise = np.maximum(z - knot, 0.0) ** 3 - np.maximum(z - last, 0.0) ** 3
        bent: Array = rise / (last - knot)
        return bent

    end = bend(places[-2])
    return np.stack([np.ones_like(z), z, *(bend(k) - end for k in places[:-2])], axis=1)


def joint(x: Array, degree: int) -> Array:
    """All products of standardised inputs up to a total degree.

    Raises UsageError where that would be more than a thousand.
    """
    z = _standard(x)
    count = z.shape[1]
    if comb(count + degree, degree) > 1000:
        raise UsageError(f"{count} numbers are too many to be known together: fit fewer of them.")
    products = [np.ones(len(z))]
    for order in range(1, degree + 1):
        products += [
            np.asarray(np.prod(z[:, list(chosen)], axis=1))
            for chosen in combinations_with_replacement(range(count), order)
        ]
    return np.stack(products, axis=1)
