"""What stays of many runs: moments, extremes and counts for every saved cell, and a few whole runs.

A cell is a saved variable at a saved time; arrays of cells have shape (T, V). Reduction is canonical:
members are taken in blocks of ``BLOCK`` by number within a shard, and shards are merged from the first
to the last. So every byte is the same whatever the chunks, the workers and the order in which they
finish. Counts, extremes, histograms and reservoirs are the same in any grouping of the merges; mean and
m2 only up to rounding, which is why ``merge_all`` goes by number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK = 64
"""Members that are summed up together."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Of every cell (T, V): how many members it has, their mean, the sum of their squared distances
    from it (``m2``), the lowest and the highest (infinite where there is none)."""

    count: NDArray[np.int64]
    mean: Array
    m2: Array
    low: Array
    high: Array

    @property
    def variance(self) -> Array:
        """The unbiased variance; NaN below two members."""
        with np.errstate(all="ignore"):
            found: Array = np.where(self.count > 1, self.m2 / (self.count - 1), np.nan)
        return found

    def merge(self, later: Moments) -> Moments:
        """These members and then those of ``later`` (Chan, Golub and LeVeque's update)."""
        count = self.count + later.count
        share = later.count / np.maximum(count, 1)
        apart = later.mean - self.mean
        with np.errstate(all="ignore"):
            mean = self.mean + apart * share
            m2 = self.m2 + later.m2 + apart * apart * (self.count * share)
        return Moments(
            count, mean, m2, np.minimum(self.low, later.low), np.maximum(self.high, later.high)
        )


class MomentSum:
    """Moments that grow by whole blocks of members without a failure, (n, cells) each."""

    def __init__(self, cells: int) -> None:
        self.count = 0
        self._mean = np.zeros(cells)
        self._m2 = np.zeros(cells)
        self._low = np.full(cells, np.inf)
        self._high = np.full(cells, -np.inf)
        self._away = np.empty((BLOCK, cells))

    def add(self, block: Array) -> bool:
        """Adds a block (n, cells) of at most ``BLOCK`` members; False, and nothing added, if it holds
        a value that is not finite."""
        count = len(block)
        if not count:
            return True
        low, high = block.min(axis=0), block.max(axis=0)
        # Both carry NaN, so two short arrays tell whether a long one is sound.
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return False
        away = self._away[:count]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.add.reduce(block, axis=0)
            mean /= count
            np.subtract(block, mean, out=away)
            np.multiply(away, away, out=away)
            m2 = np.add.reduce(away, axis=0)
            total = self.count + count
            apart = mean - self._mean
            self._mean += apart * (count / total)
            apart *= apart
            apart *= self.count * (count / total)
            self._m2 += m2
            self._m2 += apart
        self.count = total
        np.minimum(self._low, low, out=self._low)
        np.maximum(self._high, high, out=self._high)
        return True

    def result(self, shape: tuple[int, int]) -> Moments:
        """What was added, as cells of a shape (T, V)."""
        count = np.full(shape, self.count, dtype=np.int64)
        # 0 and -0 are equal, and which of the two is the lowest would depend on the order.
        parts = (self._mean, self._m2, self._low + 0.0, self._high + 0.0)
        return Moments(count, *(part.reshape(shape).copy() for part in parts))


# Histograms and quantiles -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Edges:
    """The range (T, V) of every cell that is split into ``bins`` equal bins; what lies outside is
    counted in an open bin at either end."""

    low: Array
    high: Array
    bins: int

    @classmethod
    def around(cls, low: Array, high: Array, bins: int, wider: float) -> Edges:
        """From the extremes (T, V) of a pilot (infinite where all of it failed), made wider on each
        side by a fraction of the range."""
        seen = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(seen, low, -1.0) + 0.0, np.where(seen, high, 1.0) + 0.0
        with np.errstate(over="ignore"):
            margin = wider * (high - low)
        # A cell that never differs still needs bins of some width.
        margin = np.maximum(margin, np.maximum(1e-9 * np.abs(low), 1e-300))
        big = np.finfo(np.float64).max / 4
        return cls(np.maximum(low - margin, -big), np.minimum(high + margin, big), bins)

    @property
    def width(self) -> Array:
        """The width of a bin, per cell."""
        return (self.high - self.low) / self.bins


class Counts:
    """Histograms that grow by blocks of members, (n, cells) each."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges
        cells = edges.low.size
        self._bins = edges.bins + 2
        self._low = edges.low.ravel()
        self._scale = 1.0 / edges.width.ravel()
        # One position per cell and bin, bin 0 and the last one open.
        self._offset = np.arange(cells, dtype=np.int64) * self._bins
        self._counts = np.zeros(cells * self._bins, dtype=np.uint32)
        self._where = np.empty((BLOCK, cells))
        self._index = np.empty((BLOCK, cells), dtype=np.int64)

    def add(self, block: Array) -> None:
        """Counts a block (n, cells) of finite values."""
        where, index = self._where[: len(block)], self._index[: len(block)]
        with np.errstate(over="ignore"):
            np.subtract(block, self._low, out=where)
            np.multiply(where, self._scale, out=where)
        np.add(where, 1.0, out=where)
        np.clip(where, 0.0, self._bins - 1.0, out=where)
        np.copyto(index, where, casting="unsafe")
        np.add(index, self._offset, out=index)
        np.add.at(self._counts, index.ravel(), np.uint32(1))

    def result(self) -> NDArray[np.uint32]:
        """Counts of shape (T, V, bins + 2)."""
        return self._counts.reshape(*self.edges.low.shape, self._bins).copy()


def quantiles(
    counts: NDArray[np.unsignedinteger], edges: Edges, moments: Moments, q: Iterable[float]
) -> Array:
    """Quantiles of every cell, shape (Q, T, V), from ``counts`` (T, V, bins + 2).

    Within a bin's width (see ``Edges.around``: less than 0.5 % of the range) of numpy's, except for
    those in an open end bin: they lie between the bin's edge and the extreme that was kept.
    NaN for a cell without members.
    """
    reached = np.cumsum(counts, axis=-1, dtype=np.int64)
    total = reached[..., -1]
    found = []
    for part in q:
        place = float(part) * np.maximum(total - 1, 0)
        before = np.floor(place).astype(np.int64)
        share = place - before
        below = _ranked(before, counts, reached, edges, moments)
        above = _ranked(np.minimum(before + 1, total - 1), counts, reached, edges, moments)
        found.append(np.where(total > 0, below + share * (above - below), np.nan))
    return np.stack(found) if found else np.empty((0, *total.shape))


def _ranked(
    rank: NDArray[np.int64],
    counts: NDArray[np.unsignedinteger],
    reached: NDArray[np.int64],
    edges: Edges,
    moments: Moments,
) -> Array:
    """The member at a rank (from 0) of each cell, taken as evenly spread over its bin."""
    last = counts.shape[-1] - 1
    bins = np.minimum((reached <= rank[..., np.newaxis]).sum(axis=-1), last)
    pick = bins[..., np.newaxis]
    inside = np.maximum(np.take_along_axis(counts, pick, axis=-1)[..., 0].astype(np.int64), 1)
    first = np.take_along_axis(reached, pick, axis=-1)[..., 0] - inside
    left = np.where(bins == 0, moments.low, edges.low + (bins - 1) * edges.width)
    right = np.where(bins == last, moments.high, edges.low + bins * edges.width)
    with np.errstate(invalid="ignore"):
        left, right = np.maximum(left, moments.low), np.minimum(right, moments.high)
        inner = left + (right - left) * ((rank - first + 0.5) / inside)
        found: Array = np.clip(inner, moments.low, moments.high)
    return found


# Reservoirs -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reservoir:
    """Whole runs of a few members chosen by a keyed hash of their number: ``members`` (R,) in order,
    ``values`` (R, T, V), NaN after a failure."""

    members: NDArray[np.int64]
    values: Array

    def merge(self, later: Reservoir) -> Reservoir:
        """Both; which members there are was decided for the whole design at once."""
        return Reservoir(
            np.concatenate([self.members, later.members]),
            np.concatenate([self.values, later.values]),
        )


_GOLDEN = 0x9E3779B97F4A7C15
_PIECE = 1 << 15


def hashed(members: NDArray[np.int64], key: int) -> NDArray[np.uint64]:
    """A number per member that looks random and depends on the key and the member alone
    (SplitMix64; Steele, Lea and Flood 2014)."""
    x = members.astype(np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        x = x * np.uint64(_GOLDEN) + _mixed(np.array([key], dtype=np.uint64))
        return _mixed(x)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def chosen(count: int, size: int, key: int) -> NDArray[np.int64]:
    """The ``size`` members of ``count`` with the smallest hashes, in order of number."""
    kept = np.empty(0, dtype=np.int64)
    for first in range(0, count, _PIECE):
        some = np.concatenate([kept, np.arange(first, min(first + _PIECE, count))])
        if len(some) > size:
            order = np.argsort(hashed(some, key), kind="stable")
            some = some[order[:size]]
        kept = some
    return np.sort(kept)


def spread_members(count: int, size: int, key: int) -> NDArray[np.int64]:
    """At most ``size`` members spread evenly over ``count``, each at a hashed place in its stretch so
    that no rhythm of the design is met; in order of number."""
    if count <= size:
        return np.arange(count)
    bounds = np.array([n * count // size for n in range(size + 1)])
    room = (bounds[1:] - bounds[:-1]).astype(np.uint64)
    return np.asarray(bounds[:-1] + (hashed(np.arange(size), key) % room).astype(np.int64))


def merge_all(parts: Iterable[Moments]) -> Moments:
    """Moments of shards in order of number, merged from the left."""
    return reduce(Moments.merge, parts)
