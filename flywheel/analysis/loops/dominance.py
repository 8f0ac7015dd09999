"""Reading loop shares: who dominates when, when anything happens at all, and a smaller diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Period:
    """A stretch of time in which the same loops together make up half of a partition's change."""

    start: float
    stop: float
    loops: tuple[str, ...]
    partition: int = 0


def dominant(shares: Array) -> tuple[tuple[int, ...], ...]:
    """At each time the loops that dominate, strongest first; none where nothing changes.

    Of the two polarities the one with the larger summed share, and of its loops, from the largest
    down, as many as reach half of all change (all of them where it takes more). ``shares`` (L, T) of
    one partition. Stella's list is this but for merging neighbours by a rule it does not publish.
    """
    found: list[tuple[int, ...]] = []
    for column in shares.T:
        plus, minus = column[column > 0].sum(), -column[column < 0].sum()
        if plus == minus == 0:
            found.append(())
            continue
        sizes = np.where(column > 0, column, 0.0) if plus >= minus else np.maximum(-column, 0.0)
        chosen: list[int] = []
        sum_ = 0.0
        for place in np.argsort(-sizes, kind="stable"):
            if sizes[place] == 0 or sum_ >= 0.5:
                break
            chosen.append(int(place))
            sum_ += float(sizes[place])
        found.append(tuple(chosen))
    return tuple(found)


def periods(
    times: Array, shares: Array, names: Sequence[str], partition: int = 0
) -> tuple[Period, ...]:
    """The stretches of time with the same dominant loops; gaps where nothing changes.

    A stretch lasts from the first time of its set to the first time of the next one, as in Stella's
    list. The first time, at which discrete scores say nothing, belongs to the second.
    """
    found: list[Period] = []
    before: frozenset[int] = frozenset()
    for row, chosen in enumerate(dominant(shares)):
        now = float(times[row])
        if found and before:
            last = found[-1]
            found[-1] = Period(last.start, now, last.loops, partition)
        if chosen and frozenset(chosen) != before:
            loops = tuple(names[n] for n in chosen)
            found.append(
                Period(float(times[0]) if row == 1 and not found else now, now, loops, partition)
            )
        before = frozenset(chosen)
    return tuple(found)


def change_weight(rates: Mapping[str, Array], values: Mapping[str, Array]) -> Array:
    """How much the system changes at each time: the mean over stocks of |rate| / range, 1 over time.

    Shares say who moves the system, not whether it moves; they are read with this weight. The idea is
    Schoenberg, Eberlein and Davidsen's (2023); their weights are not known to us, these are our own.
    """
    parts = [
        np.abs(rate) / np.ptp(values[name])
        for name, rate in rates.items()
        if len(rate) and np.ptp(values[name]) > 0
    ]
    length = len(next(iter(rates.values()), ()))
    return np.mean(parts, axis=0) if parts else np.zeros(length)


def link_variance(links: Sequence[tuple[str, str]], scores: Array) -> Array:
    """Of each link how far its share among its target's inputs moves over time, from 0 to 2."""
    totals: dict[str, Array] = {}
    for (_, target), score in zip(links, scores, strict=True):
        totals[target] = totals.get(target, 0.0) + np.abs(score)
    found = np.zeros(len(links))
    for place, (_, target) in enumerate(links):
        whole = totals[target]
        share = np.divide(scores[place], whole, out=np.zeros(len(whole)), where=whole > 0)
        found[place] = np.ptp(share) if len(share) else 0.0
    return found


@dataclass(frozen=True)
class Simplified:
    """A diagram of few variables that keeps the loops that matter.

    ``links`` run between kept variables, with the sign of what lies between; ``loops`` are the paths
    along them with their mean shares, summed over the full loops that look alike; ``explained`` is the
    sum of these, a part of 1.
    """

    variables: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    loops: tuple[tuple[tuple[str, ...], float], ...]
    explained: float


def simplify(
    paths: Sequence[Sequence[str]],
    mean_shares: Sequence[float],
    variance: Mapping[tuple[str, str], float],
    links_above: float = 0.2,
    loops_above: float = 0.01,
) -> Simplified:
    """Keep the variables at which something is decided, and the loops that carry enough.

    A variable is kept when a link into it moves more than ``links_above`` (``link_variance``): there
    the inputs take turns. A loop none of whose variables is kept keeps its first.
    """
    kept = {target for (_, target), moves in variance.items() if moves > links_above}
    totals: dict[tuple[str, ...], float] = {}
    for path, share in zip(paths, mean_shares, strict=True):
        if share < loops_above:
            continue
        short = tuple(name for name in path if name in kept) or (path[0],)
        first = short.index(min(short))
        turned = (*short[first:], *short[:first])
        totals[turned] = totals.get(turned, 0.0) + share
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    steps = [(a, b) for path, _ in ordered for a, b in zip(path, (*path[1:], path[0]), strict=True)]
    names = dict.fromkeys(name for path, _ in ordered for name in path)
    return Simplified(
        tuple(names), tuple(dict.fromkeys(steps)), tuple(ordered), sum(totals.values())
    )
