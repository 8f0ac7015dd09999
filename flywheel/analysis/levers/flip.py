"""How wrong an assumption must be before another lever is the best one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import is_korean, say
from flywheel.analysis.levers.flips import POINTS, crossings
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import bench, levers_of
from flywheel.analysis.levers.words import duration, labels
from flywheel.analysis.sensitivity.ranges import Range, ranges_of
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.expr import key
from flywheel.model import Lever
from flywheel.solve.study import Study

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FlipRow:
    """The smallest move of one assumption, down or up, that puts another lever first.

    ``distance`` is in parts of the way to that end of the range, ``sds`` in standard deviations of
    the parameter's evidence (NaN where none is stated).
    """

    parameter: str
    label: tuple[str, str]
    value: float
    at: float
    low: float
    high: float
    winner: Lever
    distance: float
    sds: float


@dataclass(frozen=True, eq=False)
class Flips:
    """Which assumptions could change the choice of the lever at one horizon, the nearest first."""

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    horizon: float
    levers: tuple[Lever, ...]
    best: Lever
    effect: float
    rows: tuple[FlipRow, ...]
    examined: int
    """Parameters that were moved."""
    lost: int
    """Grid points at which no lever had a value."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per flip."""
        import pandas as pd

        columns = ("parameter", "value", "at", "low", "high", "winner", "distance", "sds")
        return pd.DataFrame(
            [
                (r.parameter, r.value, r.at, r.low, r.high, r.winner.name, r.distance, r.sds)
                for r in self.rows
            ],
            columns=columns,
        )

    def explain(self, language: str = "en") -> str:
        """Which lever is best, and what would have to be wrong for that to change."""
        korean = is_korean(language)
        when = duration(self.horizon, self.stamp.time_unit, language)
        best = self.best.text(language)[0]
        if korean:
            opening = (
                f"{when} 뒤 「{self.label[korean]}」에는 「{best}」 레버가 가장 좋습니다"
                f"(변화 {say(self.effect)})."
            )
            if not self.rows:
                return (
                    f"{opening} 살펴본 매개변수 {self.examined}개 가운데 하나만 타당한 범위 안에서 "
                    "바꾸어서는 1위가 바뀌지 않습니다."
                )
            r = self.rows[0]
            return (
                f"{opening} 가장 가까운 뒤집힘: 「{r.label[1]}」 값이 {say(r.value)} 대신 "
                f"{say(r.at)}이면 "
                f"「{r.winner.text(language)[0]}」 레버가 1위가 됩니다(범위 끝까지의 {r.distance:.0%}). "
                f"범위 안에서 1위를 바꾸는 매개변수는 {self.examined}개 가운데 {self._count()}개입니다."
            )
        opening = (
            f'For {self.label[korean]} after {when}, "{best}" is the best lever '
            f"(a change of {say(self.effect)})."
        )
        if not self.rows:
            return (
                f"{opening} None of {self.examined} parameters, moved alone within its range, puts "
                "another first."
            )
        r = self.rows[0]
        sure = f", {r.sds:.1f} standard deviations of its evidence" if r.sds == r.sds else ""
        return (
            f"{opening} The nearest flip: if {r.label[0]} were {say(r.at)} instead of {say(r.value)} "
            f'({r.distance:.0%} of the way to the end of its range{sure}), "{r.winner.text()[0]}" '
            f"would win. {self._count()} of {self.examined} parameters can change the choice within "
            "their ranges."
        )

    def _count(self) -> int:
        return len({row.parameter for row in self.rows})

    def __repr__(self) -> str:
        return (
            f"<flips of {self.stamp.outcome}: {self.best.name} is best, {self._count()} of "
            f"{self.examined} parameters could change that>"
        )


def flips(
    study: Study,
    levers: Iterable[str | Lever] | None = None,
    *,
    names: Iterable[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    horizon: float | None = None,
    at: float | None = None,
    better: int = 1,
    points: int = POINTS,
) -> Flips:
    """How wrong each parameter must be, alone, before another lever is the best at a horizon.

    Along a grid of ``points`` to each end of the plausible range, then by bisection, the outcome is
    run with each lever. The best lever is that with the best outcome under the same assumption; it
    may still be worse than doing nothing, as ``effect`` then says. Parameters that a lever sets to a
    value are left out unless they are named: they are decided and not found out.

    Raises UsageError where there are fewer than two levers, where none has a value, or for a horizon
    that the study does not have.
    """
    names = None if names is None else tuple(names)
    on = bench(study, levers_of(study, levers, at))
    decided = {lever.param for lever in on.levers if lever.to is not None}
    count = len(on.levers)
    if count < 2:
        raise UsageError("a choice needs two levers or more")
    seen = list(study.horizons)
    place = len(seen) - 1
    if horizon is not None:
        near = [k for k, h in enumerate(seen) if math.isclose(h, horizon, rel_tol=1e-9)]
        if not near:
            raise UsageError(f"the study has horizons {tuple(seen)}, not {horizon:g}")
        place = near[0]
    found = ranges_of(
        study.model, names, ranges, {stock: study.base(stock) for stock in study.model.stocks}
    )
    asked = {key(name) for name in (*(names or ()), *(ranges or {}))}
    found = {name: d for name, d in found.items() if name not in decided or key(name) in asked}
    params = tuple(found)
    ends = np.array(
        [[d.ppf(np.array(u)) for u in (0.0, 1.0)] for d in found.values()]
    ).reshape(-1, 2)
    nominal = np.array([study.base(name) for name in params])
    low, high = np.minimum(ends[:, 0], nominal), np.maximum(ends[:, 1], nominal)

    def evaluate(which: NDArray[np.intp], values: Array) -> Array:
        rows = np.tile(nominal, (len(which), 1))
        rows[np.arange(len(which)), which] = values
        pulls = np.tile(np.eye(count), (len(which), 1))
        outcomes = on.run(pulls, params, np.repeat(rows, count, axis=0)).outcomes[:, place]
        return better * outcomes.reshape(-1, count)

    crossed = crossings(evaluate, nominal, low, high, points=points)
    base = float(np.asarray(study.value)[place])
    if crossed.best < 0:
        raise UsageError(f"no lever has a value of {study.name} at this horizon")
    best = on.levers[crossed.best]
    alone = float(on.run(np.eye(count)[crossed.best]).outcomes[0, place])
    rows = []
    for k, side in zip(*np.nonzero(np.isfinite(crossed.at)), strict=True):
        name, where = params[k], float(crossed.at[k, side])
        param = study.model.params.get(name)
        sd = param.evidence.sd if param is not None and param.evidence is not None else None
        end = (low, high)[side][k]
        declared = study.model[name]
        rows.append(
            FlipRow(
                parameter=name,
                label=(declared.text("en")[0], declared.text("ko")[0]),
                value=float(nominal[k]),
                at=where,
                low=float(low[k]),
                high=float(high[k]),
                winner=on.levers[int(crossed.winner[k, side])],
                distance=(where - float(nominal[k])) / (float(end) - float(nominal[k])),
                sds=abs(where - float(nominal[k])) / sd if sd else math.nan,
            )
        )
    return Flips(
        label=labels(study),
        stamp=stamp_of_study(study, horizon=seen[place], points=points, examined=len(params)),
        horizon=float(seen[place]),
        levers=on.levers,
        best=best,
        effect=alone - base,
        rows=tuple(sorted(rows, key=lambda row: row.distance)),
        examined=len(params),
        lost=int(crossed.lost.sum()),
    )
