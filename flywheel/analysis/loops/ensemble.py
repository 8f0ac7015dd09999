"""Loops that matter over many runs: how sure it is which loop drives the model.

Scores are taken after a run, so an ensemble costs its runs and little more. Schoenberg, Davidsen and
Eberlein name it as future work; nothing here goes beyond their method but the counting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.composite import collapse
from flywheel.analysis.loops.front import score_run
from flywheel.analysis.loops.matter import LoopThatMatters
from flywheel.analysis.loops.scores import link_scores
from flywheel.analysis.loops.search import LIMIT, SECONDS
from flywheel.analysis.loops.shares import shares_of
from flywheel.analysis.loops.trajectory import trajectory
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError
from flywheel.model import Model

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoopEnsemble:
    """The loops of the model as it stands, over many settings of it.

    ``mean``, ``low``, ``high`` (L, T): mean and quantiles of the size of each loop's share among these
    loops; ``dominant`` (L, T): the part of the runs in which the loop's share is the largest of its
    partition. A run in which nothing changes at a time has no largest share then. ``failures`` are
    numbers of runs that failed, with the reason; they are left out of everything.
    """

    stamp: Stamp
    times: Array
    loops: tuple[LoopThatMatters, ...]
    mean: Array
    low: Array
    high: Array
    dominant: Array
    runs: int
    failures: tuple[tuple[int, str], ...]

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas table: a row per loop and time."""
        import pandas as pd

        names = [loop.name for loop in self.loops]
        index = pd.MultiIndex.from_product([names, self.times], names=["loop", "time"])
        columns = {
            "mean": self.mean.ravel(),
            "low": self.low.ravel(),
            "high": self.high.ravel(),
            "dominant": self.dominant.ravel(),
        }
        return pd.DataFrame(columns, index=index)

    def explain(self, language: str = "en") -> str:
        """Which loop is the largest most often, and how often, over all times and runs."""
        korean = language == "ko"
        lost = len(self.failures)
        if not self.loops:
            return "작용하는 피드백 고리가 없습니다." if korean else "No feedback loop acts."
        often = self.dominant.mean(axis=1)
        place = int(often.argmax())
        loop, part = self.loops[place], float(often[place])
        low, high = float(self.low[place].mean()), float(self.high[place].mean())
        span = f"{self.stamp.since:g}–{self.stamp.since + self.stamp.horizons[0]:g}"
        if korean:
            tail = f" 실패한 실행 {lost}개는 뺐습니다." if lost else ""
            return (
                f"{self.stamp.model}, {span}: 실행 {self.runs}개에서 가장 자주 앞서는 고리는 "
                f"{loop.name}입니다(실행과 시점의 {part:.0%}). 그 몫은 평균하여 "
                f"{low:.0%}~{high:.0%}입니다(실행 열 가운데 여덟).{tail}"
            )
        tail = f" {lost} runs failed and are left out." if lost else ""
        return (
            f"Over {self.runs} runs of {self.stamp.model}, {span}, loop {loop.name} is the largest of "
            f"its partition most often ({part:.0%} of runs and times); its share lies between "
            f"{low:.0%} and {high:.0%} in eight of ten runs, averaged over time.{tail}"
        )

    def __repr__(self) -> str:
        return f"<loop ensemble: {len(self.loops)} loops, {self.runs} runs; {self.stamp}>"


def loop_ensemble(
    model: Model,
    settings: Sequence[Mapping[str, float]],
    *,
    convention: str = "last",
    method: str = "rk4",
    scenario: str | None = None,
    step: float | None = None,
    limit: int = LIMIT,
    seconds: float = SECONDS,
    most: int = 200,
    band: tuple[float, float] = (0.1, 0.9),
) -> LoopEnsemble:
    """The shares of a model's loops over many settings of its parameters.

    ``settings`` are overrides, one mapping a run. The loops are the ``most`` most important ones of
    the model as it stands, and share among themselves in their partitions there; ``band`` are the
    quantiles. Raises UsageError for no settings, UnknownNameError as ``simulate`` does.
    """
    if not settings or not 0 <= band[0] < band[1] <= 1 or most < 1:
        raise UsageError("an ensemble needs settings, most of at least 1, and band within 0 to 1")
    base = trajectory(model, method=method, scenario=scenario, step=step)
    whole = score_run(base, convention, limit, seconds)
    chosen = whole.loops[:most]
    nodes = [loop.nodes for loop in chosen]
    belongs = np.array([loop.partition for loop in chosen], dtype=np.int64)
    found: list[Array] = []
    failures: list[tuple[int, str]] = []
    for number, overrides in enumerate(settings):
        path = trajectory(model, method=method, scenario=scenario, overrides=overrides, step=step)
        if path.failure:
            failures.append((number, path.failure))
            continue
        small = collapse(path.structure)
        scores = small.scores(link_scores(path, convention))
        found.append(shares_of(nodes, small.links, scores, belongs))
    shape = (len(chosen), len(whole.times))
    sizes = np.abs(np.array(found)) if found else np.full((1, *shape), np.nan)
    largest = np.zeros((len(sizes), *shape))
    for partition in np.unique(belongs):
        own = belongs == partition
        top = sizes[:, own].max(axis=1, keepdims=True)
        largest[:, own] = (sizes[:, own] == top) & (top > 0)
    low, high = np.quantile(sizes, band, axis=0)
    stamp = replace(
        whole.stamp,
        settings={**whole.stamp.settings, "runs": len(settings), "most": most, "band": band},
    )
    return LoopEnsemble(
        stamp,
        whole.times,
        chosen,
        sizes.mean(axis=0),
        low,
        high,
        largest.mean(axis=0),
        len(found),
        tuple(failures),
    )
