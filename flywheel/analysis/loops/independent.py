"""Independent sets of loops: as many as the cycle space has dimensions, shortest first.

A graph whose every link lies on a loop has E - V + C independent loops (C strongly connected parts).
Oliva's shortest independent loop set (2004, "Model structure analysis through graph theory") stops
as soon as every link is covered; that can be fewer (6 of 7 for three rivals in an arms race), and then
what belongs to a link cannot be shared out among loops. The full set goes on to the whole rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.structure import components, shortest_path

Link: TypeAlias = tuple[str, str]
Loop: TypeAlias = tuple[str, ...]
"""A closed path, each name once; the last acts on the first."""

# Ranks are counted modulo a prime: exact, and 0/1 rows times numbers below it stay within 64 bits.
_PRIME = 2**31 - 1


def steps(loop: Sequence[str]) -> tuple[Link, ...]:
    """The links of a loop, in its order."""
    return tuple(zip(loop, (*loop[1:], *loop[:1]), strict=True))


def canonical(loop: Sequence[str]) -> Loop:
    """The loop turned so that the first name in the alphabet stands first."""
    first = min(range(len(loop)), key=lambda place: loop[place])
    return (*loop[first:], *loop[:first])


def incidence(loops: Sequence[Loop], links: Sequence[Link]) -> NDArray[np.float64]:
    """1 where a loop (row) runs through a link (column).

    Raises UsageError for a loop that runs through a link that is not there.
    """
    place = {link: column for column, link in enumerate(links)}
    found = np.zeros((len(loops), len(links)))
    for row, loop in enumerate(loops):
        for link in steps(loop):
            if link not in place:
                raise UsageError(f"there is no link {link[0]} -> {link[1]}")
            found[row, place[link]] = 1.0
    return found


def cyclomatic(links: Iterable[Link]) -> int:
    """The number of independent loops of the graph of these links."""
    graph = _graph(links)
    total = 0
    for part in components(graph):
        inside = set(part)
        total += sum(n in inside for name in part for n in graph[name]) - len(part) + 1
    return total


def independent_loops(
    loops: Iterable[Sequence[str]],
    links: Sequence[Link],
    how: Literal["full", "shortest"] = "full",
) -> tuple[Loop, ...]:
    """Independent loops out of candidates, from short to long, ties by names.

    ``full`` keeps a loop that raises the rank, up to the number of independent loops of ``links``;
    where the candidates (a search cut short) do not reach it, loops found by ears are added (Whitney
    1932). ``shortest`` is Oliva's set: it keeps a loop that brings a new link and adds nothing.

    Raises UsageError for a loop that runs through a link that is not there.
    """
    ordered = sorted({canonical(loop) for loop in loops}, key=lambda loop: (len(loop), loop))
    rows = incidence(ordered, links).astype(np.int64)
    if how == "shortest":
        covered = np.zeros(len(links), dtype=bool)
        kept = []
        for loop, row in zip(ordered, rows, strict=True):
            if (row.astype(bool) & ~covered).any():
                covered |= row.astype(bool)
                kept.append(loop)
        return tuple(kept)
    wanted = cyclomatic(links)
    basis = _Basis(len(links))
    chosen: list[Loop] = []
    for loop, row in zip(ordered, rows, strict=True):
        if len(chosen) == wanted:
            break
        if basis.add(row):
            chosen.append(loop)
    if len(chosen) < wanted:
        ears = sorted((canonical(e) for e in _ears(links)), key=lambda loop: (len(loop), loop))
        for loop, row in zip(ears, incidence(ears, links).astype(np.int64), strict=True):
            if basis.add(row):
                chosen.append(loop)
    return tuple(sorted(chosen, key=lambda loop: (len(loop), loop)))


class _Basis:
    """Rows in reduced echelon form modulo a prime."""

    def __init__(self, width: int) -> None:
        self.rows = np.zeros((0, width), dtype=np.int64)
        self.pivots: list[int] = []

    def add(self, row: NDArray[np.int64]) -> bool:
        """Takes the 0/1 row in if it is independent of those there; says whether it was."""
        rest = (row - row[self.pivots] @ self.rows) % _PRIME
        if not rest.any():
            return False
        pivot = int(np.flatnonzero(rest)[0])
        rest = rest * pow(int(rest[pivot]), -1, _PRIME) % _PRIME
        self.rows = (self.rows - self.rows[:, [pivot]] * rest) % _PRIME
        self.rows = np.vstack([self.rows, rest])
        self.pivots.append(pivot)
        return True


def _graph(links: Iterable[Link]) -> dict[str, list[str]]:
    graph: dict[str, list[str]] = {}
    for source, target in sorted(set(links)):
        graph.setdefault(source, []).append(target)
        graph.setdefault(target, [])
    return {name: graph[name] for name in sorted(graph)}


def _ears(links: Iterable[Link]) -> list[Loop]:
    """One loop per ear: each brings a link that those before it do not have, so all are independent."""
    graph = _graph(links)
    found: list[Loop] = []
    for part in components(graph):
        inside = set(part)
        within = {name: [n for n in graph[name] if n in inside] for name in part}
        built: dict[str, list[str]] = {part[0]: []}
        while True:
            new = _open_link(within, built)
            if new is None:
                break
            source, target = new
            ear = [source, *_way_home(within, built, target)]
            for one, other in pairwise(ear):
                built.setdefault(one, []).append(other)
                built.setdefault(other, [])
            back = shortest_path(built, ear[-1], source)
            assert back is not None  # what is built so far is strongly connected
            found.append((*ear[:-1], *back[:-1]))
    return found


def _open_link(
    within: Mapping[str, Sequence[str]], built: Mapping[str, Sequence[str]]
) -> Link | None:
    for source in sorted(built):
        for target in within[source]:
            if target not in built[source]:
                return source, target
    return None


def _way_home(
    within: Mapping[str, Sequence[str]], built: Mapping[str, Sequence[str]], start: str
) -> tuple[str, ...]:
    """The shortest way from a node to what is built already."""
    ways = (shortest_path(within, start, home) for home in sorted(built))
    return min((w for w in ways if w is not None), key=len)
