"""Where to look: distributions of uncertain numbers, and designs of points to run.

A design is made in the unit cube, one coordinate an input, and moved to the inputs' own units by their
quantile functions, so that every method below works with any distribution. Points of a scrambled Sobol'
sequence are known by their index: points 256 to 511 are the same whether or not the first 256 were asked
for before. Every seed is a seed, 0 too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError

Array = NDArray[np.float64]
Whole = NDArray[np.intp]

_EDGE = 2.0**-53
"""Quantiles of unbounded distributions stay this far from 0 and 1."""


class Distribution(Protocol):
    """What an uncertain number may be."""

    def quantile(self, u: Array) -> Array:
        """The value below which the part ``u`` of the probability lies; any shape."""

    def slope(self, x: Array) -> Array:
        """d x / d germ at the values ``x``; the germ is log x for ``LogUniform``, else x itself."""

    @property
    def poincare(self) -> float:
        """A constant C of the Poincaré inequality Var g <= C E[g'^2] over the germ."""


@dataclass(frozen=True)
class Uniform:
    """Equally likely everywhere between ``low`` and ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)

    def quantile(self, u: Array) -> Array:
        return self.low + u * (self.high - self.low)

    def slope(self, x: Array) -> Array:
        return np.ones_like(x)

    @property
    def poincare(self) -> float:
        return ((self.high - self.low) / math.pi) ** 2


@dataclass(frozen=True)
class LogUniform:
    """The logarithm is uniform: each doubling between ``low`` and ``high`` is equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if self.low <= 0:
            raise UsageError(f"a log-uniform range must be positive, not from {self.low:g}")

    def quantile(self, u: Array) -> Array:
        return self.low * np.exp(u * math.log(self.high / self.low))

    def slope(self, x: Array) -> Array:
        return np.array(x, dtype=float)

    @property
    def poincare(self) -> float:
        return (math.log(self.high / self.low) / math.pi) ** 2


@dataclass(frozen=True)
class Normal:
    """A normal distribution, cut off at ``low`` and ``high`` where they are given."""

    mean: float
    sd: float
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise UsageError("a normal distribution needs a finite mean and a positive sd")
        if not self.low < self.high:
            raise UsageError(f"low must lie below high, not {self.low:g} and {self.high:g}")

    @cached_property
    def _cut(self) -> tuple[float, float]:
        from scipy.special import ndtr

        return tuple(float(ndtr((end - self.mean) / self.sd)) for end in (self.low, self.high))  # type: ignore[return-value]

    def quantile(self, u: Array) -> Array:
        from scipy.special import ndtri

        below, above = self._cut
        inside = np.clip(below + u * (above - below), _EDGE, 1 - _EDGE)
        drawn: Array = self.mean + self.sd * ndtri(inside)
        return np.clip(drawn, self.low, self.high)

    def slope(self, x: Array) -> Array:
        return np.ones_like(x)

    @property
    def poincare(self) -> float:
        return (
            self.sd**2
        )  # cutting a normal off to an interval only makes it smaller (Bakry & Émery)


@dataclass(frozen=True)
class Triangular:
    """Most likely at ``mode``, falling in straight lines to ``low`` and ``high``."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if not self.low <= self.mode <= self.high:
            raise UsageError(f"the mode {self.mode:g} lies outside {self.low:g} .. {self.high:g}")

    def quantile(self, u: Array) -> Array:
        width, left = self.high - self.low, self.mode - self.low
        rising = self.low + np.sqrt(u * width * left)
        falling = self.high - np.sqrt((1 - u) * width * (width - left))
        return np.where(u * width < left, rising, falling)

    def slope(self, x: Array) -> Array:
        return np.ones_like(x)

    @property
    def poincare(self) -> float:
        # Payne and Weinberger's bound for log-concave densities: no better than the uniform one.
        return ((self.high - self.low) / math.pi) ** 2


def _ordered(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"a range must go up between two finite numbers, not {low:g} .. {high:g}")


def to_inputs(unit: Array, distributions: Sequence[Distribution]) -> Array:
    """Points of the unit cube (..., d) in the inputs' own units, by their quantile functions."""
    if unit.shape[-1] != len(distributions):
        raise UsageError(f"{unit.shape[-1]} coordinates for {len(distributions)} distributions")
    return np.stack([d.quantile(unit[..., j]) for j, d in enumerate(distributions)], axis=-1)


def sobol_points(start: int, stop: int, d: int, seed: int = 0) -> Array:
    """Points ``start`` to ``stop`` - 1 of a scrambled Sobol' sequence: (stop - start, d) in [0, 1).

    The scramble is Matoušek's (linear matrix and digital shift), as scipy draws it from ``seed``.
    """
    from scipy.stats import qmc

    _counts(d, stop - start)
    sequence: Any = qmc.Sobol(d, scramble=True, seed=seed)
    if start:
        sequence.fast_forward(start)
        return np.asarray(sequence.random(stop - start), dtype=float)
    # scipy warns of counts that are no power of 2 at the start of a sequence; parts say nothing.
    size = 1 << (stop - 1).bit_length()
    return np.asarray(sequence.random(size)[:stop], dtype=float)


def latin_hypercube(n: int, d: int, seed: int = 0) -> Array:
    """(n, d) points with exactly one in each of n slices of every coordinate, at random inside it."""
    from scipy.stats import qmc

    _counts(d, n)
    return np.asarray(qmc.LatinHypercube(d, seed=seed).random(n), dtype=float)


def saltelli(start: int, stop: int, d: int, seed: int = 0, second: bool = False) -> Array:
    """Blocks ``start`` to ``stop`` - 1 of Saltelli's design: (n, d + 2, d), in the unit cube.

    A block is A, B, then A with coordinate j from B for each j (``AB_j``), with ``second`` also B
    with coordinate j from A (``BA_j``; 2d + 2 rows). A and B are the halves of one 2d-dimensional
    sequence (Saltelli et al. 2010). A longer design begins with the shorter one.
    """
    both = sobol_points(start, stop, 2 * d, seed)
    a, b = both[:, :d], both[:, d:]
    blocks = np.empty((len(both), (2 * d if second else d) + 2, d))
    blocks[:, 0], blocks[:, 1] = a, b
    each = np.arange(d)
    blocks[:, 2 : 2 + d] = a[:, None]
    blocks[:, 2 + each, each] = b
    if second:
        blocks[:, 2 + d :] = b[:, None]
        blocks[:, 2 + d + each, each] = a
    return blocks


@dataclass(frozen=True, eq=False)
class Steps:
    """A design of single moves: ``unit`` (r, d + 1, d); input j moves from row ``before`` to ``after``.

    ``before`` and ``after`` are (r, d) row numbers inside their group of d + 1 rows.
    """

    unit: Array
    before: Whole
    after: Whole

    @property
    def moved(self) -> Array:
        """(r, d): how far each input moves, in parts of its range; never 0."""
        group = np.arange(len(self.unit))[:, None]
        each = np.arange(self.unit.shape[2])[None, :]
        return self.unit[group, self.after, each] - self.unit[group, self.before, each]


def radial(r: int, d: int, seed: int = 0) -> Steps:
    """``r`` stars: a base point and one point a coordinate away (Campolongo et al. 2011).

    The second point lies between a quarter and three quarters of the range away, around the end:
    freely drawn ones would now and then divide by next to nothing.
    """
    both = sobol_points(0, r, 2 * d, seed)
    base, far = both[:, :d], (both[:, :d] + 0.25 + 0.5 * both[:, d:]) % 1.0
    unit = np.repeat(base[:, None], d + 1, axis=1)
    each = np.arange(d)
    unit[:, 1 + each, each] = far
    return Steps(unit, np.zeros((r, d), dtype=np.intp), np.tile(1 + each, (r, 1)))


def trajectories(r: int, d: int, levels: int = 8, seed: int = 0) -> Steps:
    """``r`` of Morris' (1991) walks over a grid of ``levels``, each moving every input once.

    The step is levels / (2 (levels - 1)) up or down, with which all levels are equally likely.
    """
    _counts(d, r)
    if levels < 2 or levels % 2:
        raise UsageError(f"levels must be an even number, not {levels}")
    rng = np.random.default_rng(seed)
    step = levels / (2 * (levels - 1))
    low = rng.integers(0, levels // 2, size=(r, d)) / (levels - 1)
    up = rng.integers(0, 2, size=(r, d)).astype(bool)
    order = rng.permuted(np.tile(np.arange(d), (r, 1)), axis=1)
    place = np.argsort(order, axis=1)  # when each input moves
    gone = np.arange(d + 1)[None, :, None] > place[:, None, :]
    unit = low[:, None] + step * (gone == up[:, None])
    return Steps(unit, place, place + 1)


def _counts(d: int, n: int) -> None:
    if d < 1:
        raise UsageError("a design needs at least one input")
    if n < 1:
        raise UsageError(f"a design needs at least one point, not {n}")
