"""Meadows' ladder with numbers: how much each level moves, and whether the folklore holds.

Meadows (1999) orders places to intervene from parameters (12) to paradigms (1) by how much they are
said to move. That order is folklore until it is measured: ``level_rank_correlation`` does so, with an
interval. Few elements of a model stand on the upper levels, so read the interval first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean
from flywheel.analysis.levers.levels import LEVELS
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.words import duration, moment
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.levers.ranking import Leverage

DRAWS = 2000


@dataclass(frozen=True)
class LevelRank:
    """Spearman's ρ between level and attainable leverage over the elements of a model.

    Below 0 the folklore holds (a lower number moves more), above 0 it is turned round. ``low`` and
    ``high`` are the 95 % bootstrap interval over elements, ``chance`` the part of random orders that
    are at least as far from 0.
    """

    rho: float
    low: float
    high: float
    chance: float
    elements: int


def level_rank_correlation(
    levels: NDArray[np.int_], attainable: Array, *, draws: int = DRAWS, seed: int = 0
) -> LevelRank:
    """The test of the ladder's order from ``levels`` (n,) and attainable effects (n,), by size.

    Elements without a value are left out; ties share their rank. ρ is NaN with fewer than three
    elements or a single level. Raises UsageError for fewer than 100 draws.
    """
    if draws < 100:
        raise UsageError(f"an interval needs 100 draws or more, not {draws}")
    known = np.isfinite(attainable)
    level = np.asarray(levels, dtype=float)[known]
    size = np.abs(attainable[known])
    count = len(level)
    rho = _spearman(level[None, :], size[None, :])[0] if count >= 3 else math.nan
    if not math.isfinite(rho):
        return LevelRank(math.nan, math.nan, math.nan, math.nan, count)
    chance = np.random.default_rng(seed)
    some = chance.integers(0, count, (draws, count))
    spread = _spearman(level[some], size[some])
    spread = spread[np.isfinite(spread)]
    mixed = chance.permuted(np.broadcast_to(size, (draws, count)), axis=1)
    null = _spearman(np.broadcast_to(level, (draws, count)), mixed)
    low, high = np.quantile(spread, (0.025, 0.975))
    further = (1 + int(np.sum(np.abs(null) >= abs(rho) - 1e-12))) / (draws + 1)
    return LevelRank(float(rho), float(low), float(high), further, count)


def _spearman(one: Array, other: Array) -> Array:
    """(K,) Spearman's ρ of rows (K, n); NaN where a row is all ties."""
    from scipy.stats import rankdata

    a, b = rankdata(one, axis=1), rankdata(other, axis=1)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found: Array = np.divide((a * b).sum(axis=1), norm, out=np.full(len(a), np.nan), where=norm > 0)
    return found


@dataclass(frozen=True, eq=False)
class Ladder:
    """Attainable leverage by level at one horizon; arrays (levels,), the lowest place (12) first.

    ``shares`` are parts of the sum of all sizes. Levels without an element of the model are left out:
    they are not computed, not zero.
    """

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    horizon: float
    levels: tuple[int, ...]
    counts: NDArray[np.int_]
    biggest: Array
    top3: Array
    shares: Array
    best: tuple[str, ...]
    correlation: LevelRank
    labels: tuple[tuple[str, str], ...] = ()
    """What ``best`` are called, in English and in Korean."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a level."""
        import pandas as pd

        return pd.DataFrame(
            {
                "name": [LEVELS[level][0] for level in self.levels],
                "elements": self.counts,
                "max": self.biggest,
                "mean_top_3": self.top3,
                "share": self.shares,
                "best": self.best,
            },
            index=pd.Index(self.levels, name="level"),
        )

    def explain(self, language: str = "en") -> str:
        """Which level holds most, and what the model says about the ladder's order."""
        korean = is_korean(language)
        most = int(np.nanargmax(self.shares))
        name = LEVELS[self.levels[most]][korean]
        rank, about = self.correlation, self.label[korean]
        verdict = (
            0 if not rank.low <= 0 <= rank.high and rank.rho < 0
            else 1 if not rank.low <= 0 <= rank.high
            else 2
        )  # fmt: skip
        unit = self.stamp.time_unit
        when = duration(self.horizon, unit, language)
        since = moment(self.stamp.since, unit, korean)
        if korean:
            says = (
                "사다리의 순서를 뒷받침합니다",
                "사다리의 순서와 반대입니다",
                "순서를 가리지 못합니다",
            )
            return (
                f"「{about}」에 대해 {since}부터 {when} 뒤, 움직일 수 있는 크기의 "
                f"{self.shares[most]:.0%}가 {self.levels[most]}단계({name})에 있습니다. 단계와 크기의 "
                f"순위상관은 {rank.rho:.2f} (95% 구간 {rank.low:.2f}~{rank.high:.2f}, 요소 "
                f"{rank.elements}개)로, 이 모델은 {says[verdict]}."
            )
        says = (
            "bears the ladder's order out",
            "turns the ladder's order round",
            "does not decide it",
        )
        return (
            f"For {about}, {when} after {since}, level {self.levels[most]} ({name}) "
            f"holds {self.shares[most]:.0%} of all attainable leverage. Level and size correlate by "
            f"ranks with {rank.rho:.2f} (95% interval {rank.low:.2f} to {rank.high:.2f}, "
            f"{rank.elements} elements): this model {says[verdict]}."
        )

    def __repr__(self) -> str:
        rank = self.correlation
        return f"<ladder of {self.stamp.outcome}: {len(self.levels)} levels, rho {rank.rho:.2f}>"


def ladder(table: Leverage, horizon: float | None = None, *, seed: int = 0) -> Ladder:
    """Meadows' ladder from a leverage table at one of its horizons (the last by default).

    Levers count besides the parameters that they move: both are elements that people point at.
    Raises UsageError for a horizon that the table does not have, or where nothing has a value.
    """
    row = table.row_of(horizon)
    size = np.abs(table.attainable[row])
    known = np.isfinite(size)
    if not known.any():
        raise UsageError(
            f"{table.stamp.outcome} has no value {table.stamp.horizons[row]:g} after "
            f"{table.stamp.since:g}: nothing can be attained there"
        )
    total = float(size[known].sum())
    levels = tuple(sorted({int(level) for level in table.level[known]}, reverse=True))
    inside = [known & (table.level == level) for level in levels]
    ordered = [np.sort(size[some])[::-1] for some in inside]
    best = [int(np.flatnonzero(some)[size[some].argmax()]) for some in inside]
    return Ladder(
        stamp=table.stamp,
        label=table.label,
        horizon=table.stamp.horizons[row],
        levels=levels,
        counts=np.array([int(some.sum()) for some in inside], dtype=int),
        biggest=frozen([one[0] for one in ordered]),
        top3=frozen([one[:3].mean() for one in ordered]),
        shares=frozen([one.sum() / total if total > 0 else math.nan for one in ordered]),
        best=tuple(table.names[k] for k in best),
        labels=tuple(table.labels[k] for k in best),
        correlation=level_rank_correlation(table.level, table.attainable[row], seed=seed),
    )
