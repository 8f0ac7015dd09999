"""How sure a ranking of levers is: the same levers under many plausible parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean, say
from flywheel.analysis.levers.assumptions import assumptions, pulled_under
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import bench, levers_of
from flywheel.analysis.levers.words import duration, labels
from flywheel.analysis.sensitivity.ranges import Range
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.model import Lever
from flywheel.solve.study import Study

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 256
_BAND = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class Spread:
    """What N draws (N, L) of L levers' effects say; NaN draws are left out and counted.

    Ranks only take draws in which every lever has a value; ``ranked`` counts them.
    """

    first: Array
    """P(rank 1)."""
    ranks: Array
    """(L, 3): 5 %, 50 %, 95 % quantiles of the rank."""
    positive: Array
    """P(effect > 0)."""
    effects: Array
    """(L, 3): 5 %, 50 %, 95 % quantiles of the effect."""
    failed: NDArray[np.int_]
    ranked: int


def spread(effects: Array, better: int = 1) -> Spread:
    """The summary of ``effects`` (N, L); ``better=-1`` ranks the lowest first. Ties share rank 1."""
    turned = better * effects
    known = np.isfinite(turned)
    whole = turned[known.all(axis=1)]
    # The rank is one more than the number of levers that are better.
    rank = 1 + (whole[:, None, :] > whole[:, :, None]).sum(axis=2)
    count = effects.shape[1]
    nothing = np.full((count, 3), np.nan)
    columns = [effects[known[:, k], k] for k in range(count)]
    return Spread(
        first=(rank == 1).mean(axis=0) if len(rank) else nothing[:, 0],
        ranks=np.quantile(rank, _BAND, axis=0).T if len(rank) else nothing,
        positive=np.array([np.mean(c > 0) if c.size else np.nan for c in columns]),
        effects=np.array([np.quantile(c, _BAND) if c.size else nothing[0] for c in columns]),
        failed=len(effects) - known.sum(axis=0),
        ranked=len(whole),
    )


@dataclass(frozen=True, eq=False)
class RobustRanking:
    """Levers under N draws of the parameters: one ``Spread`` per horizon."""

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    levers: tuple[Lever, ...]
    names: tuple[str, ...]
    """What was drawn."""
    draws: int
    better: int
    spreads: tuple[Spread, ...]
    effects: Array
    """(N, L, H) the effect of each lever in each draw, NaN where a run failed."""
    rows: Array
    """(N, k) the draws of ``names``."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per lever and horizon, the likeliest first place first."""
        import pandas as pd

        parts = [
            pd.DataFrame(
                {
                    "horizon": horizon,
                    "lever": [lever.name for lever in self.levers],
                    "p_first": one.first,
                    "rank": one.ranks[:, 1],
                    "rank_low": one.ranks[:, 0],
                    "rank_high": one.ranks[:, 2],
                    "p_positive": one.positive,
                    "effect": one.effects[:, 1],
                    "effect_low": one.effects[:, 0],
                    "effect_high": one.effects[:, 2],
                    "failed": one.failed,
                }
            ).sort_values("p_first", ascending=False, kind="stable")
            for horizon, one in zip(self.stamp.horizons, self.spreads, strict=True)
        ]
        return pd.concat(parts, ignore_index=True)

    def explain(self, language: str = "en") -> str:
        """How sure the first place is, and whose sign is open."""
        korean = is_korean(language)
        last = self.spreads[-1]
        names = [lever.text(language)[0] for lever in self.levers]
        when = duration(self.stamp.horizons[-1], self.stamp.time_unit, language)
        k = int(np.nanargmax(last.first))
        low, middle, high = (say(float(x)) for x in last.effects[k])
        open_ = [n for n, p in zip(names, last.positive, strict=True) if 0.1 < p < 0.9]
        lost = self.draws - last.ranked
        if korean:
            gone = f" 표본 {lost}개는 값이 없어 순위에서 뺐습니다." if lost else ""
            sign = (
                f"부호가 확실하지 않은 레버는 {len(open_)}개입니다."
                if open_
                else "부호는 모두 확실합니다."
            )
            return (
                f"{when} 뒤 「{self.label[korean]}」에 대해 매개변수 표본 {self.draws}개 가운데 "
                f"{last.first[k]:.0%}에서 「{names[k]}」 레버가 1위이며, 효과의 중앙값은 {middle}"
                f"(90% 구간 {low}~{high})입니다. {sign}{gone}"
            )
        gone = f" {lost} draws without a value are left out of the ranks." if lost else ""
        sign = (
            f"The sign of {len(open_)} lever{'s' if len(open_) > 1 else ''} is open."
            if open_
            else "No sign of a lever is open."
        )  # fmt: skip
        return (
            f'For {self.label[korean]} after {when}, "{names[k]}" comes first in {last.first[k]:.0%} of '
            f"{self.draws} draws of the parameters, with a median effect of {middle} (90% band {low} "
            f"to {high}). {sign}{gone}"
        )

    def __repr__(self) -> str:
        last = self.spreads[-1]
        k = int(np.nan_to_num(last.first).argmax())
        return (
            f"<robust ranking on {self.stamp.outcome}: {self.levers[k].name} first in "
            f"{last.first[k]:.0%} of {self.draws} draws>"
        )


def robust(
    study: Study,
    levers: Iterable[str | Lever] | None = None,
    *,
    names: Iterable[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    at: float | None = None,
    better: int = 1,
) -> RobustRanking:
    """The ranking of levers (all declared ones by default) over ``draws`` of plausible parameters.

    Every draw runs without a lever and with each alone, so an effect is a difference under the same
    assumptions. ``names`` and ``ranges`` as in ``sensitivity.ranges_of``: all parameters with a range
    by default. The design is a scrambled Sobol' sequence; equal seeds give equal draws.

    Raises UsageError and UnknownNameError as ``levers_of`` and ``ranges_of`` do.
    """
    on = bench(study, levers_of(study, levers, at))
    given = assumptions(study, names, ranges, draws=draws, seed=seed)
    count = len(on.levers)
    outcomes = pulled_under(on, given).outcomes.reshape(draws, count + 1, -1)
    effects = outcomes[:, 1:] - outcomes[:, :1]
    return RobustRanking(
        label=labels(study),
        stamp=stamp_of_study(study, draws=draws, ensemble_seed=seed, varied=len(given.names)),
        levers=on.levers,
        names=given.names,
        draws=draws,
        better=better,
        spreads=tuple(spread(effects[:, :, h], better) for h in range(effects.shape[2])),
        effects=frozen(effects),
        rows=frozen(given.rows),
    )
