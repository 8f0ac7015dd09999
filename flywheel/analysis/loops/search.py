"""Finding feedback loops: all of them where that can be afforded, else the ones that act.

The number of loops explodes with density, not size (14 nodes that all act on each other have more than
a hundred million), so every search has a budget of loops, of links visited and of time, and says
whether it came to its end. Three ways, each for where the one before gives up:

``exact``   every elementary circuit (Johnson 1975, in ``structure``)
``active``  every circuit whose links all act at one time at least
``sampled`` at single times, the strongest circuit through each stock and each link (Dijkstra on
            -log of the scores): stronger than the published strongest-path search, yet no proof
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.structure import components, cycles

Array: TypeAlias = NDArray[np.float64]
Loop: TypeAlias = tuple[str, ...]
"""A closed path, each name once; the last acts on the first."""
Graph: TypeAlias = Mapping[str, Sequence[str]]
LIMIT = 60_000
VISITS = 20_000_000
SECONDS = 20.0
"""Loops and links bind first, so that a busy machine finds the same loops; time is for slow ones."""
_WATCH = 2_000
_HOP = 1e-9
"""Among circuits of one strength the one with fewer links wins; also keeps weights above 0."""


@dataclass(frozen=True)
class Search:
    """Loops, the way they were found, and whether these are all there are (of that way).

    ``complete`` is False when a budget ended the search, and always for ``sampled``.
    """

    loops: tuple[Loop, ...]
    method: Literal["exact", "active", "sampled"]
    complete: bool


def find_loops(
    graph: Graph,
    links: Sequence[tuple[str, str]] = (),
    scores: Array | None = None,
    *,
    seeds: Sequence[str] = (),
    limit: int = LIMIT,
    visits: int = VISITS,
    seconds: float = SECONDS,
) -> Search:
    """The feedback loops of a graph within a budget.

    ``scores`` of shape (links, T) belong to ``links``; without them only the exact search is made.
    ``seeds`` are the nodes through which sampled loops are sought (all by default).
    """
    started = monotonic()
    loops, complete = cycles(graph, limit, visits, seconds / 2 if scores is not None else seconds)
    if complete or scores is None:
        return Search(loops, "exact", complete)
    deadline = started + 0.75 * seconds
    active, complete = active_cycles(graph, links, scores, limit, visits, deadline - monotonic())
    if complete:
        return Search(active, "active", True)
    left = max(started + seconds - monotonic(), seconds / 8)
    strong = sampled_cycles(graph, links, scores, seeds, limit, left)
    # What the cut-short searches saw belongs to the loops that compete, too.
    known = {_turned(loop): loop for loop in (*strong, *active, *loops)}
    return Search(tuple(known.values())[: max(limit, len(strong))], "sampled", False)


def active_cycles(
    graph: Graph,
    links: Sequence[tuple[str, str]],
    scores: Array,
    limit: int = LIMIT,
    visits: int = VISITS,
    seconds: float = SECONDS,
) -> tuple[tuple[Loop, ...], bool]:
    """Every loop whose links all have a score at some one time, and whether the search came to its end.

    A path carries the set of times at which all of it acts (a whole number, one bit a time) and is
    given up when that is empty. Each loop is found from its first node in the order of the graph.
    """
    deadline = monotonic() + seconds
    bits = _bits(links, scores)
    order = {name: place for place, name in enumerate(graph)}
    whole = {
        name: {n: bits[name, n] for n in dict.fromkeys(graph[name]) if bits.get((name, n))}
        for name in graph
    }
    found: list[Loop] = []
    waiting = list(reversed(components({n: tuple(ts) for n, ts in whole.items()})))
    left = visits
    while waiting:
        part = waiting.pop()
        inside = set(part)
        within = {n: {t: b for t, b in whole[n].items() if t in inside} for n in part}
        for loop in _walk(part[0], within):
            if loop is None:
                left -= _WATCH
                if left <= 0 or monotonic() > deadline:
                    return _sorted(found, order), False
            elif len(found) == limit:
                return _sorted(found, order), False
            else:
                found.append(loop)
        rest = {n: {t: b for t, b in ts.items() if t != part[0]} for n, ts in within.items()}
        del rest[part[0]]
        waiting += reversed(components({n: tuple(ts) for n, ts in rest.items()}))
    return _sorted(found, order), True


def _bits(links: Sequence[tuple[str, str]], scores: Array) -> dict[tuple[str, str], int]:
    """The times at which each link acts, as the bits of a whole number."""
    packed = np.packbits(scores != 0, axis=1)
    return {
        link: int.from_bytes(row.tobytes(), "big") for link, row in zip(links, packed, strict=True)
    }


def _walk(start: str, within: Mapping[str, Mapping[str, int]]) -> Iterator[Loop | None]:
    """Loops from ``start``; None after every so many visits, for the caller to look at the clock."""
    path = [start]
    on_path = {start}
    work = [(-1, iter(within[start].items()))]
    visited = 0
    while work:
        times, successors = work[-1]
        for successor, own in successors:
            visited += 1
            if visited % _WATCH == 0:
                yield None
            both = times & own
            if not both:
                continue
            if successor == start:
                yield tuple(path)
            elif successor not in on_path:
                path.append(successor)
                on_path.add(successor)
                work.append((both, iter(within[successor].items())))
                break
        else:
            work.pop()
            on_path.discard(path.pop())


def _sorted(found: list[Loop], order: Mapping[str, int]) -> tuple[Loop, ...]:
    return tuple(sorted(found, key=lambda loop: (len(loop), [order[name] for name in loop])))


def _turned(loop: Loop) -> Loop:
    first = loop.index(min(loop))
    return (*loop[first:], *loop[:first])


def sampled_cycles(
    graph: Graph,
    links: Sequence[tuple[str, str]],
    scores: Array,
    seeds: Sequence[str] = (),
    limit: int = LIMIT,
    seconds: float = SECONDS,
) -> tuple[Loop, ...]:
    """Strong loops: at single times the strongest walk through a seed and a link, if it is a circuit.

    Times are taken in an order that spreads them, until ``limit`` or the time is used up.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    deadline = monotonic() + seconds
    part_of = {name: n for n, part in enumerate(components(graph)) for name in part}
    place = {name: n for n, name in enumerate(graph)}
    names = tuple(graph)
    inner = [n for n, (a, b) in enumerate(links) if part_of.get(a, -1) == part_of.get(b, -2)]
    ends = np.array([[place[links[n][0]], place[links[n][1]]] for n in inner], dtype=np.int64)
    starts = [place[name] for name in seeds or names if name in part_of]
    found: dict[Loop, Loop] = {}
    if not inner or not starts:
        return ()
    with np.errstate(divide="ignore"):
        weights = np.maximum(-np.log(np.abs(scores[inner])), 0.0) + _HOP
    for time in _spread(scores.shape[1]):
        acts = np.isfinite(weights[:, time])
        sources, targets = ends[acts].T if acts.any() else (ends[:0, 0], ends[:0, 1])
        data = weights[acts, time]
        size = (len(names), len(names))
        ahead = csr_matrix((data, (sources, targets)), shape=size)
        _, before = dijkstra(ahead, indices=starts, return_predecessors=True)
        _, after = dijkstra(ahead.T.tocsr(), indices=starts, return_predecessors=True)
        for row, seed in enumerate(starts):
            to = _paths(before[row].tolist(), seed)
            back = _paths(after[row].tolist(), seed)
            for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
                first, second = to.get(source), back.get(target)
                if first is None or second is None or (first[0] & second[0]) != 1 << seed:
                    continue
                loop = tuple(names[n] for n in (*first[1], *reversed(second[1][1:])))
                found.setdefault(_turned(loop), loop)
            if len(found) >= limit or monotonic() > deadline:
                return tuple(found.values())[:limit]
    return tuple(found.values())


def _paths(predecessors: Sequence[int], seed: int) -> dict[int, tuple[int, tuple[int, ...]]]:
    """Of every node that is reached the path from the seed, and its nodes as bits."""
    known: dict[int, tuple[int, tuple[int, ...]]] = {seed: (1 << seed, (seed,))}
    for node, before in enumerate(predecessors):
        trail = []
        while node not in known and before >= 0:
            trail.append(node)
            node, before = before, predecessors[before]
        if node in known:
            for step in reversed(trail):
                bits, path = known[node]
                known[step] = (bits | 1 << step, (*path, step))
                node = step
    return known


def _spread(count: int) -> list[int]:
    """0 to count - 1, each early part of the list spread over the whole (bits of the place reversed)."""
    width = max(count - 1, 0).bit_length()
    turned = (int(f"{n:0{width}b}"[::-1], 2) if width else 0 for n in range(1 << width))
    return [n for n in turned if n < count]
