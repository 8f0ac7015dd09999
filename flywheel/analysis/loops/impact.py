"""What bends one stock: the impact of every pathway into its net flow.

The curvature of a stock relative to its speed is a sum over pathways from stocks,

    x'' / x' = sum over paths (d x' / d x_k along the path) x_k' / x' + what comes from outside,

and each term is the impact of its pathway (loop impact, Hayward and Boswell 2014 SDR 30(1-2):29-57;
the pathway participation metric of Mojtahedzadeh, Andersen and Richardson 2004 is the same with
another scale). Positive impacts bend away from a straight line, negative ones towards rest. Dominant
is the smallest set of one sign that outweighs all of the other sign. In a model of one stock the
shares of the impacts are those of Loops That Matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean, say
from flywheel.analysis.loops.independent import Link
from flywheel.analysis.loops.linear import Floats, stamp_of
from flywheel.analysis.loops.naming import each
from flywheel.analysis.loops.scores import velocities
from flywheel.analysis.loops.trajectory import NOISE_FLOOR, Trajectory
from flywheel.analysis.stamp import Stamp
from flywheel.errors import unknown_name

if TYPE_CHECKING:
    import pandas as pd

OUTSIDE = ("(outside)",)
"""In place of a path: what time, data and other things beyond the graph add."""
_PATHS = 5_000


@dataclass(frozen=True, eq=False)
class Impact:
    """The impacts on one stock over time, in 1 per unit of time.

    ``impacts`` (P, T) by path, the stock that acts first and ``stock`` last; ``total`` (T,) their sum,
    the curvature over the speed. Both are NaN while the stock stands still. The last path may be
    ``OUTSIDE``. ``complete`` is False when there are more paths than were followed (the rest then
    counts as outside).
    """

    stamp: Stamp
    stock: str
    times: Floats
    paths: tuple[tuple[str, ...], ...]
    impacts: Floats
    total: Floats
    complete: bool

    @cached_property
    def dominant(self) -> NDArray[np.bool_]:
        """(P, T) which paths dominate; none while the stock stands still."""
        return np.array([dominant(column) for column in self.impacts.T]).T.reshape(
            self.impacts.shape
        )

    @cached_property
    def periods(self) -> tuple[tuple[float, float, tuple[int, ...]], ...]:
        """From when to when which paths dominate; equal sets of neighbouring times joined."""
        found: list[tuple[float, float, tuple[int, ...]]] = []
        for time, column in zip(self.times.tolist(), self.dominant.T, strict=True):
            now = tuple(int(n) for n in np.flatnonzero(column))
            if found and found[-1][2] == now:
                found[-1] = (found[-1][0], time, now)
            else:
                found.append((time, time, now))
        return tuple(found)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per path, strongest first: mean size, mean, share of time in which it dominates."""
        import pandas as pd

        moving = np.isfinite(self.total)
        sizes = np.abs(self.impacts[:, moving]).mean(axis=1) if moving.any() else self._none
        means = self.impacts[:, moving].mean(axis=1) if moving.any() else self._none
        table = pd.DataFrame(
            {
                "path": [" -> ".join(path) for path in self.paths],
                "mean_size": sizes,
                "mean": means,
                "dominates": self.dominant.mean(axis=1),
            }
        )
        return table.sort_values("mean_size", ascending=False, ignore_index=True)

    @property
    def _none(self) -> Floats:
        return np.full(len(self.paths), np.nan)

    def explain(self, language: str = "en") -> str:
        """Which path bends the stock when, with numbers."""
        korean = is_korean(language)
        unit = self.stamp.time_unit
        longest = sorted(self.periods, key=lambda p: p[0] - p[1])[:2]
        said = []
        for since, until, who in sorted(longest):
            if not who:
                said.append(
                    f"{since:g}~{until:g}에는 「{self.stock}」 값이 움직이지 않습니다."
                    if korean
                    else f"From {since:g} to {until:g} {self.stock} does not move."
                )
                continue
            inside = (self.times >= since) & (self.times <= until)
            first = max(who, key=lambda n: float(np.abs(self.impacts[n, inside]).mean()))
            mean = float(self.impacts[first, inside].mean())
            outside = self.paths[first] == OUTSIDE
            path = " -> ".join(self.paths[first])
            if outside:
                path = "바깥" if korean else "from outside (time, data)"
            if korean:
                way = "직선에서 벗어나게 가속" if mean > 0 else "정지 쪽으로 감속"
                said.append(
                    f"{since:g}~{until:g}에는 경로 「{path}」(평균 {each(unit, 'ko')} {say(mean)}) 등 "
                    f"{len(who)}개 경로가 「{self.stock}」의 곡선을 지배하며 {way}합니다."
                )
            else:
                way = "speeds it up" if mean > 0 else "slows it down"
                more = f" (with {len(who) - 1} more of its sign)" if len(who) > 1 else ""
                said.append(
                    f"From {since:g} to {until:g} the path {path}{more} bends {self.stock}: it {way} "
                    f"at a rate of {say(abs(mean))} {each(unit)} on average."
                )
        return " ".join(said)

    def __repr__(self) -> str:
        return f"<impact on {self.stock}: {len(self.paths)} paths, {len(self.times)} times>"


def impact(run: Trajectory, stock: str) -> Impact:
    """The impacts on a stock at the saved times of a run.

    Raises UnknownNameError for a name that is no stock.
    """
    if stock not in run.structure.stocks:
        visible = [name for name in run.structure.stocks if "@" not in name]
        raise unknown_name(stock, "stock", visible, f"model {run.model.name}")
    rows = run.saves[run.saves < len(run.times)]
    links = [(link.source, link.target) for link in run.structure.links]
    moving, scales = velocities(run)
    terms = run.structure.rates[stock]
    bend = sum((k * moving[n][rows] for n, k in terms.items() if n in moving), np.zeros(len(rows)))
    states = set(run.structure.stocks) | set(run.structure.pipelines)
    paths, complete = pathways(links, states, stock)
    found = impacts(links, run.partials[:, rows], paths, {s: moving[s][rows] for s in states})
    speed = moving[stock][rows]
    still = np.abs(speed) <= NOISE_FLOOR * np.broadcast_to(scales[stock], run.times.shape)[rows]
    total = np.full(len(rows), np.nan)
    total[~still] = bend[~still] / speed[~still]
    found[:, still] = np.nan
    rest = total - found.sum(axis=0)
    scale = np.abs(found).sum(axis=0) + np.abs(total)
    if (np.abs(rest[~still]) > 1e-9 * scale[~still]).any():
        paths, found = (*paths, OUTSIDE), np.vstack([found, rest])
    return Impact(
        stamp_of(run, stock),
        stock,
        frozen(run.times[rows]),
        paths,
        frozen(found),
        frozen(total),
        complete,
    )


def pathways(
    links: Sequence[Link], states: set[str], stock: str, limit: int = _PATHS
) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """All paths from a state to the stock with no state between, and whether these are all.

    Shortest first, ties by names.
    """
    before: dict[str, list[str]] = {}
    for source, target in sorted(set(links)):
        before.setdefault(target, []).append(source)
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[str, ...]] = [(stock,)]
    while waiting and len(found) <= limit:
        path = waiting.pop()
        for source in before.get(path[0], ()):
            (found if source in states else waiting).append((source, *path))
    complete = len(found) <= limit
    found.sort(key=lambda path: (len(path), path))
    return tuple(found[:limit]), complete


def impacts(
    links: Sequence[Link],
    gains: Floats,
    paths: Sequence[tuple[str, ...]],
    moving: Mapping[str, Floats],
) -> Floats:
    """(P, T) gain along each path times the speed of its first state over that of its last.

    ``gains`` (E, T); ``moving`` holds the speed (T,) of every state. Where the last one stands still
    the impact is NaN.
    """
    place = {link: n for n, link in enumerate(links)}
    found = np.full((len(paths), gains.shape[1]), np.nan)
    for row, path in enumerate(paths):
        along = [place[step] for step in pairwise(path)]
        speed, last = moving[path[0]], moving[path[-1]]
        going = last != 0
        product = gains[along].prod(axis=0)
        found[row, going] = product[going] * speed[going] / last[going]
    return found


def dominant(values: Sequence[float] | Floats) -> NDArray[np.bool_]:
    """The smallest set of one sign whose sum exceeds that of the other sign; the largest come first.

    Nothing dominates where a value is NaN, or all are 0. Where the signs balance exactly, all of the
    positive ones are taken.
    """
    given = np.asarray(values, dtype=float)
    chosen = np.zeros(len(given), dtype=bool)
    if not np.isfinite(given).all() or not given.any():
        return chosen
    up, down = float(given[given > 0].sum()), float(-given[given < 0].sum())
    sign, against = (1.0, down) if up >= down else (-1.0, up)
    total = 0.0
    for place in np.argsort(-sign * given, kind="stable"):
        if sign * given[place] <= 0 or (total > against):
            break
        chosen[place] = True
        total += sign * float(given[place])
    return chosen
