"""Loop scores and shares, all loops at once.

With X the logarithms of the links' scores and B the loops' incidence, B X are the logarithms of the
loops' scores. Shares are taken by subtracting the largest logarithm first: scores reach 1e20 where a
variable turns, and their products more than a number can hold.

Loops compete within a partition: a strongly connected part of the graph of the links that are ever
active. (Stella forms its loop sets so, from what acts in the run and not from what could.)
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.search import Loop
from flywheel.expr import key
from flywheel.structure import components

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array: TypeAlias = NDArray[np.float64]
RETAIN = 1e-3
"""A loop is shown if its share is at least this at one time, or if it is the largest then."""
_CHUNK = 4_000_000
"""Numbers that are worked on at a time."""


@dataclass(frozen=True, eq=False)
class Shares:
    """The shares of the loops worth showing.

    ``kept`` (L,) are places in the list of loops, most important first; ``shares`` (L, T) signed, +
    where the loop reinforces, the sizes of all loops of a partition adding up to 1 (or to 0 where
    nothing changes); ``scores`` (L, T) the loops' own; ``partition`` (L,) their competitors' number;
    ``rivals`` (L,) how many loops compete there; ``idle`` places of loops that never act.
    """

    kept: NDArray[np.int64]
    shares: Array
    scores: Array
    partition: NDArray[np.int64]
    rivals: NDArray[np.int64]
    idle: NDArray[np.int64]


def partitions(links: Sequence[tuple[str, str]], scores: Array) -> dict[str, int]:
    """The partition of every node that lies on a loop of links that are ever active."""
    active = (scores != 0).any(axis=1)
    after: dict[str, list[str]] = {}
    for (source, target), acts in zip(links, active, strict=True):
        after.setdefault(source, [])
        after.setdefault(target, [])
        if acts:
            after[source].append(target)
    return {name: n for n, part in enumerate(components(after)) for name in part}


def incidence(loops: Sequence[Loop], links: Sequence[tuple[str, str]]) -> csr_matrix:
    """1 where a loop (row) runs through a link (column)."""
    from scipy.sparse import csr_matrix

    number: dict[str, int] = {}
    for name in (name for link in links for name in link):
        number.setdefault(name, len(number))
    table = np.full((len(number), len(number)), -1, dtype=np.int64)
    for column, (source, target) in enumerate(links):
        table[number[source], number[target]] = column
    lengths = np.array([len(loop) for loop in loops], dtype=np.int64)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    at = np.fromiter((number[n] for loop in loops for n in loop), np.int64, int(bounds[-1]))
    following = np.arange(1, len(at) + 1)
    following[bounds[1:] - 1] = bounds[:-1]
    columns = table[at, at[following]] if len(at) else at
    return csr_matrix((np.ones(len(at)), columns, bounds), shape=(len(loops), len(links)))


def share_out(
    loops: Sequence[Loop],
    links: Sequence[tuple[str, str]],
    scores: Array,
    retain: float = RETAIN,
) -> Shares:
    """The shares of all loops; those of the ones worth showing are kept.

    ``scores`` of shape (links, T). The sums are over all loops given, kept or not.
    """
    part = partitions(links, scores)
    belongs = np.array([part.get(loop[0], -1) for loop in loops], dtype=np.int64)
    work = _Work(incidence(loops, links), scores)
    count, width = len(part) and max(part.values()) + 1, scores.shape[1]
    top = np.full((count, width), -np.inf)
    ever = np.zeros(len(loops), dtype=bool)
    for rows, logs, _ in work.chunks():
        ever[rows] = np.isfinite(logs).any(axis=1)
        for p in np.unique(belongs[rows][ever[rows]]):
            own = logs[(belongs[rows] == p) & ever[rows]]
            top[p] = np.maximum(top[p], own.max(axis=0))
    floor = np.where(np.isfinite(top), top, 0.0)
    total = np.zeros((count, width))
    for rows, logs, _ in work.chunks():
        for p in np.unique(belongs[rows][ever[rows]]):
            own = logs[(belongs[rows] == p) & ever[rows]]
            total[p] += np.exp(own - floor[p]).sum(axis=0)
    total[total == 0] = 1.0
    kept: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    shares: list[Array] = [np.empty((0, width))]
    raw: list[Array] = [np.empty((0, width))]
    for rows, logs, signs in work.chunks():
        live = np.flatnonzero(ever[rows])
        own, p = logs[live], belongs[rows][live]
        sizes = np.exp(own - floor[p]) / total[p]
        largest = np.isfinite(own) & (own == top[p])
        shown = (sizes.max(axis=1, initial=0.0) >= retain) | largest.any(axis=1)
        kept.append(live[shown] + rows.start)
        shares.append((sizes * signs[live])[shown])
        with np.errstate(over="ignore"):
            raw.append((np.exp(own) * signs[live])[shown])
    rivals = np.bincount(belongs[ever], minlength=count) if ever.any() else np.zeros(count, int)
    found, places = np.concatenate(shares), np.concatenate(kept)
    order = _ranked(found, rivals[belongs[places]])
    places = places[order]
    return Shares(
        places,
        found[order],
        np.concatenate(raw)[order],
        belongs[places],
        rivals[belongs[places]],
        np.flatnonzero(~ever),
    )


def _ranked(shares: Array, rivals: NDArray[np.int64]) -> NDArray[np.int64]:
    """By mean share over the moments at which they act; loops without a rival, always at 1, last."""
    acts = (shares != 0).sum(axis=1)
    mean = np.abs(shares).sum(axis=1) / np.maximum(acts, 1)
    order: NDArray[np.int64] = np.lexsort((-mean, rivals == 1))
    return order


def shares_of(
    loops: Sequence[Loop],
    links: Sequence[tuple[str, str]],
    scores: Array,
    belongs: NDArray[np.int64],
) -> Array:
    """Signed shares (loops, T) of given loops among themselves; ``belongs`` are their partitions."""
    found = np.zeros((len(loops), scores.shape[1]))
    for rows, logs, signs in _Work(incidence(loops, links), scores).chunks(whole=True):
        for p in np.unique(belongs):
            own = belongs == p
            top = logs[own].max(axis=0)
            sizes = np.exp(logs[own] - np.where(np.isfinite(top), top, 0.0))
            total = sizes.sum(axis=0)
            found[rows][own] = signs[own] * sizes / np.where(total == 0, 1.0, total)
    return found


class _Work:
    """Logarithms and signs of loop scores, some loops at a time."""

    def __init__(self, incidence: csr_matrix, scores: Array) -> None:
        self.incidence = incidence
        with np.errstate(divide="ignore"):
            self.logs = np.log(np.abs(scores))
        self.negative = (scores < 0).astype(float)

    def chunks(self, whole: bool = False) -> Iterator[tuple[slice, Array, Array]]:
        """Rows, their logarithms (-inf where a loop does not act), and their signs."""
        count, width = self.incidence.shape[0], max(self.logs.shape[1], 1)
        size = count if whole else max(1, _CHUNK // width)
        for start in range(0, count, size):
            rows = slice(start, min(start + size, count))
            part = self.incidence[rows]
            yield rows, part @ self.logs, 1.0 - 2.0 * ((part @ self.negative) % 2)


def polarity(shares: Iterable[float]) -> str:
    """R or B where the sign never changes, Ru or Bu where it is one to 99 %, else U; ? if it never acts.

    The confidence is that of Schoenberg and Eberlein (2020, arXiv:2005.14545), taken of shares.
    """
    values = np.asarray(list(shares), dtype=float)
    plus, minus = float(values[values > 0].sum()), float(-values[values < 0].sum())
    if plus == minus == 0:
        return "?"
    if not minus or not plus:
        return "R" if plus else "B"
    if abs(plus - minus) / (plus + minus) > 0.99:
        return "Ru" if plus > minus else "Bu"
    return "U"


def named(polarities: Sequence[str], taken: Container[str] = ()) -> tuple[str, ...]:
    """A name for each loop: its polarity and a number, in order of importance, none of ``taken``."""
    counts: dict[str, int] = {}
    found = []
    for letter in polarities:
        name = ""
        while not name or key(name) in taken:
            counts[letter] = counts.get(letter, 0) + 1
            name = f"{letter}{counts[letter]}"
        found.append(name)
    return tuple(found)
