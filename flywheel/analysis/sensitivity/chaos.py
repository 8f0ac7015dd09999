"""Polynomial chaos: a smooth output as a polynomial of its inputs, all indices from its coefficients.

The basis is orthonormal in the unit cube (Legendre), so the variance is the sum of squared coefficients
and each index is a part of that sum (Sudret 2008). One least-squares solve serves all outputs and times.
Whether the polynomial is good enough is asked of it and not assumed: the leave-one-out error says how
badly it predicts runs that it has not seen. Kinks and thresholds make it fail, and then sampling is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.design import Array
from flywheel.analysis.sensitivity.outputs import columns, quantile_of, sound, varies
from flywheel.errors import UsageError

ACCEPT = 0.01
"""A leave-one-out error (part of the variance) below this is good enough."""
WARN = 0.05
"""Up to here the indices are rough; above, the polynomial is refused."""

Verdict = Literal["accepted", "rough", "use sampling"]
_DEGREES = 12
_OVERSAMPLE = 2.0
"""Runs for each term of the polynomial."""
_TERMS = 400
"""What needs more terms than this is no smooth function, and a solve takes their square in time."""


@dataclass(frozen=True, eq=False)
class Chaos:
    """A fitted polynomial of d inputs for O outputs, with its indices (d, O), pairs (d, d, O).

    ``*_half`` are half-widths: the spread of the coefficients (from the leave-one-out residuals, HC3)
    plus ``loo``, the part of the variance that the polynomial misses and that could belong to any
    input. Outputs that do not vary have NaN throughout.
    """

    exponents: NDArray[np.int64]
    """(K, d): the degree of each input in each term; the first row is the constant."""
    coefficients: Array
    """(K, O)"""
    degree: int
    norm: float
    """q of the hyperbolic index set; 1 is total degree."""
    loo: Array
    """(O,) mean squared leave-one-out error, as a part of the variance."""
    S1: Array
    ST: Array
    S2: Array
    Shapley: Array
    S1_half: Array
    ST_half: Array
    S2_half: Array
    Shapley_half: Array
    mean: Array
    variance: Array
    runs: int
    used: int

    @property
    def worst(self) -> float:
        """The largest leave-one-out error among the outputs that vary; NaN when none does."""
        known = self.loo[np.isfinite(self.loo)]
        return float(known.max()) if known.size else float("nan")

    @property
    def verdict(self) -> Verdict:
        """Of the worst output; an output that does not vary needs no polynomial."""
        return verdict(0.0 if np.isnan(self.worst) else self.worst)

    def predict(self, unit: Array) -> Array:
        """The polynomial at points (n, d) of the unit cube: (n, O)."""
        return np.asarray(_basis(np.asarray(unit, dtype=float), self.exponents) @ self.coefficients)


def verdict(loo: float) -> Verdict:
    """What a leave-one-out error allows: below 0.01 accepted, below 0.05 rough, else sampling."""
    return "accepted" if loo < ACCEPT else "rough" if loo < WARN else "use sampling"


def index_set(d: int, degree: int, norm: float = 0.75, most: int | None = None) -> list[list[int]]:
    """Multi-indices a with (sum a_j^q)^(1/q) <= degree, by total degree; 1 for q is total degree.

    A smaller q leaves out high interactions, which are rarely large (Blatman & Sudret 2011). Stops and
    returns an empty list when there are more than ``most``.
    """
    cost = [k**norm for k in range(degree + 1)]
    room = degree**norm * (1 + 1e-12)
    grown: list[tuple[list[int], float]] = [([], 0.0)]
    for _ in range(d):
        grown = [
            ([*index, k], spent + cost[k])
            for index, spent in grown
            for k in range(degree + 1)
            if spent + cost[k] <= room
        ]
        if most is not None and len(grown) > most:
            return []
    return sorted((index for index, _ in grown), key=lambda index: (sum(index), index))


def fit(unit: Array, y: Array, degree: int, norm: float = 0.75, confidence: float = 0.95) -> Chaos:
    """The polynomial of one index set through runs ``y`` (n, O) at ``unit`` (n, d).

    Failed runs (NaN) are left out. Raises UsageError with fewer sound runs than terms.
    """
    unit, y, runs = _sound(unit, y)
    terms = index_set(unit.shape[1], degree, norm)
    if len(terms) >= len(unit):
        raise UsageError(f"{len(terms)} terms need more than {len(unit)} sound runs")
    return _finished(_solve(unit, y, np.array(terms), degree, norm), y, runs, confidence)


def best_fit(unit: Array, y: Array, confidence: float = 0.95) -> Chaos:
    """The polynomial, over degrees and q of 0.75 and 1, with the least leave-one-out error.

    An index set has at most half as many terms as there are sound runs, and at most 400.
    With several outputs the mean error over those that vary decides. Raises UsageError with fewer than
    2 (d + 1) sound runs.
    """
    unit, y, runs = _sound(unit, y)
    most = min(int(len(unit) / _OVERSAMPLE), _TERMS)
    found: _Solved | None = None
    for terms, degree, norm in _candidates(unit.shape[1], most):
        solved = _solve(unit, y, np.array(terms), degree, norm)
        if found is None or solved.error < found.error:
            found = solved
    if found is None:
        least = int(_OVERSAMPLE * (unit.shape[1] + 1))
        raise UsageError(f"{unit.shape[1]} inputs need at least {least} sound runs")
    return _finished(found, y, runs, confidence)


def _sound(unit: Array, y: Array) -> tuple[Array, Array, int]:
    unit, y = np.asarray(unit, dtype=float), columns(y, 2)
    if unit.ndim != 2 or len(unit) != len(y):
        raise UsageError(f"{len(y)} runs for {len(unit)} points")
    good = sound(y)
    return unit[good], y[good], len(y)


def _candidates(d: int, most: int) -> Iterator[tuple[list[list[int]], int, float]]:
    """Index sets of up to ``most`` terms, each clearly larger than the last of its kind."""
    for norm in (0.75, 1.0):
        size = 0
        for degree in range(1, _DEGREES + 1):
            terms = index_set(d, degree, norm, most)
            if not terms:
                break
            if norm == 1.0 and degree == 1:
                continue  # the same as with 0.75
            if len(terms) > size:
                size = len(terms)
                yield terms, degree, norm


def _basis(unit: Array, exponents: NDArray[np.int64]) -> Array:
    """The orthonormal polynomials (n, K) at points (n, d)."""
    from numpy.polynomial.legendre import legvander

    top = int(exponents.max())
    powers = legvander(2 * unit - 1, top) * np.sqrt(2 * np.arange(top + 1) + 1)
    values = np.ones((len(unit), len(exponents)))
    for j in range(unit.shape[1]):
        if exponents[:, j].any():
            values *= powers[:, j, exponents[:, j]]
    return values


@dataclass(frozen=True, eq=False)
class _Solved:
    exponents: NDArray[np.int64]
    degree: int
    norm: float
    coefficients: Array
    inverse: Array  # (K, n): coefficients = inverse @ y
    missed: Array  # (n, O): leave-one-out residuals
    loo: Array
    error: float


def _solve(
    unit: Array, y: Array, exponents: NDArray[np.int64], degree: int, norm: float
) -> _Solved:
    q, r = np.linalg.qr(_basis(unit, exponents))
    inverse = np.linalg.solve(r, q.T)
    coefficients = inverse @ y
    leverage = np.minimum((q * q).sum(axis=1), 1 - 1e-10)
    with np.errstate(invalid="ignore", divide="ignore"):
        missed = (y - q @ (q.T @ y)) / (1 - leverage)[:, None]
        loo = (missed**2).mean(axis=0) / varies(y.var(axis=0), np.abs(y).max(axis=0))
    known = loo[np.isfinite(loo)]
    error = float(known.mean()) if known.size else 0.0
    return _Solved(exponents, degree, norm, coefficients, inverse, missed, loo, error)


def _finished(solved: _Solved, y: Array, runs: int, confidence: float) -> Chaos:
    """The indices and their intervals: each is a weighted part of the squared coefficients."""
    reach = quantile_of(confidence)
    present = solved.exponents.T > 0  # (d, K)
    d, together = len(present), present.sum(axis=0)
    c = solved.coefficients
    square = c * c
    size = np.abs(y).max(axis=0)
    variance = np.where(np.isnan(solved.loo), np.nan, varies(square[1:].sum(axis=0), size))

    def part(groups: Array) -> tuple[Array, Array]:
        """Sum of g c^2 / V with its half-width, for groups g (rows, K).

        First-order: d S = 2 sum (g - S) c dc / V with dc = inverse @ residuals.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            share = groups @ square / variance
            half = np.empty_like(share)
            for row, group in enumerate(groups):
                pull = (group[:, None] - share[row]) * c
                pull[0] = 0.0
                slope = 2 / variance * (solved.inverse.T @ pull)
                half[row] = reach * np.sqrt((slope**2 * solved.missed**2).sum(axis=0))
        return share, half + solved.loo

    s1, s1_half = part((present & (together == 1)).astype(float))
    st, st_half = part(present.astype(float))
    shapley, shapley_half = part(present / np.maximum(together, 1))
    s2, s2_half = (np.full((d, d, y.shape[1]), np.nan) for _ in range(2))
    pairs = list(combinations(range(d), 2))
    if pairs:
        first, last = (list(side) for side in zip(*pairs, strict=True))
        groups = present[first] & present[last] & (together == 2)
        s2[first, last], s2_half[first, last] = part(groups.astype(float))
        s2[last, first], s2_half[last, first] = s2[first, last], s2_half[first, last]
    return Chaos(
        solved.exponents,
        c,
        solved.degree,
        solved.norm,
        solved.loo,
        s1,
        st,
        s2,
        shapley,
        s1_half,
        st_half,
        s2_half,
        shapley_half,
        c[0],
        variance,
        runs,
        len(y),
    )
