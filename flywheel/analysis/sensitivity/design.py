"""Where to look: designs of points to run, for each way of saying what moves an outcome.

A design is made in the unit cube, one coordinate an input, and moved to the inputs' own units by their
quantile functions, so that every method below works with any distribution. Points of a scrambled Sobol'
sequence are known by their index: points 256 to 511 are the same whether or not the first 256 were asked
for before. Every seed is a seed, 0 too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.sweep.distributions import Distribution
from flywheel.sweep.points import sobol

Array = NDArray[np.float64]
Whole = NDArray[np.intp]


def to_inputs(unit: Array, distributions: Sequence[Distribution]) -> Array:
    """Points of the unit cube (..., d) in the inputs' own units, by their quantile functions."""
    if unit.shape[-1] != len(distributions):
        raise UsageError(f"{unit.shape[-1]} coordinates for {len(distributions)} distributions")
    return np.stack([d.ppf(unit[..., j]) for j, d in enumerate(distributions)], axis=-1)


def sobol_points(start: int, stop: int, d: int, seed: int = 0) -> Array:
    """Points ``start`` to ``stop`` - 1 of a scrambled Sobol' sequence: (stop - start, d) in [0, 1).

    The scramble is Matoušek's (linear matrix and digital shift), as scipy draws it from ``seed``.
    """
    _counts(d, stop - start)
    return sobol(start, stop - start, d, seed)


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
