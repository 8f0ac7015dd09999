"""Where to push: every parameter, initial value and lever, ranked by what it can move and by when.

Derivatives are exact (one adjoint run a horizon). What is ranked are finite runs: the outcome at both
ends of each plausible range, and with each lever fully pulled; runs a small step to either side
confirm the derivative. All runs of one kind are one batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean, say
from flywheel.analysis.levers.blocks import Block, input_blocks, lever_block
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import levers_of
from flywheel.analysis.levers.words import duration, moment
from flywheel.analysis.sensitivity.ranges import Range
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.model import Lever
from flywheel.solve.study import Study

if TYPE_CHECKING:
    import pandas as pd

_AGREES = 0.05
"""How far a derivative and its confirming difference may be apart, in parts of the larger."""
_CURVED = 0.25
"""How far a straight line may miss an end's effect, in parts of that effect."""
_FELT = 0.01
"""Part of a horizon's largest elasticity from which a sign counts as one."""


@dataclass(frozen=True, eq=False)
class Leverage:
    """The leverage table: R rows, H horizons; ``names``, ``kinds`` and so on by row.

    ``elasticity`` (H, R): percent of the outcome's size per percent of the element (for a lever: the
    fraction of the outcome that a full pull would move if the first bit went on). Above 0 the outcome
    rises. Of a point in time it is the fraction of the outcome per unit of time later. Where
    ``relative`` (H,) is False the outcome is about 0, and it is in the outcome's unit.
    ``at_low``, ``at_high``: change of the outcome at the ends of the plausible range by finite runs,
    ``attainable`` the one of larger size. ``per_cost``: attainable effect per unit of cost.
    ``when``: the time by which half of the derivative has acted. ``curved``: a straight line from
    the derivative misses an end by more than a quarter. ``rank`` by size of ``attainable``, 1 first.
    """

    stamp: Stamp
    label: tuple[str, str]
    unit: str
    baseline: Array
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    value: Array
    low: Array
    high: Array
    assumed: NDArray[np.bool_]
    level: NDArray[np.int_]
    method: tuple[str, ...]
    relative: NDArray[np.bool_]
    slope: Array
    elasticity: Array
    at_low: Array
    at_high: Array
    attainable: Array
    cost: Array
    per_cost: Array
    checked: Array
    """The derivative by central difference, NaN where that was not possible."""
    confirmed: NDArray[np.bool_]
    curved: NDArray[np.bool_]
    rank: NDArray[np.int_]
    flips: NDArray[np.bool_]
    """(R,) whether the effect of more of it has both signs across the horizons, felt in each."""
    when: Array
    times: Array
    profile: Array
    """(H, T, R) when each row's derivative acts: row n between save n − 1 and save n."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per element and horizon, best rank first."""
        import pandas as pd

        parts = []
        for h, horizon in enumerate(self.stamp.horizons):
            part = pd.DataFrame(
                {
                    "horizon": horizon,
                    "element": self.names,
                    "kind": self.kinds,
                    "label": [one[0] for one in self.labels],
                    "rank": self.rank[h],
                    "attainable": self.attainable[h],
                    "elasticity": self.elasticity[h],
                    "at_low": self.at_low[h],
                    "at_high": self.at_high[h],
                    "per_cost": self.per_cost[h],
                    "level": self.level,
                    "when": self.when[h],
                    "method": self.method,
                    "confirmed": self.confirmed[h],
                    "curved": self.curved[h],
                    "sign_flips": self.flips,
                    "value": self.value,
                    "low": self.low,
                    "high": self.high,
                    "range_assumed": self.assumed,
                }
            )
            parts.append(part.sort_values("rank", kind="stable"))
        return pd.concat(parts, ignore_index=True)

    def row_of(self, horizon: float | None = None) -> int:
        """The place of a horizon, the last by default. Raises UsageError for one that is not there."""
        horizons = self.stamp.horizons
        if horizon is None:
            return len(horizons) - 1
        for place, known in enumerate(horizons):
            if math.isclose(known, horizon, rel_tol=1e-9):
                return place
        raise UsageError(f"the table has horizons {horizons}, not {horizon:g}")

    def top(self, count: int = 10, horizon: float | None = None) -> tuple[str, ...]:
        """The names of the first rows at a horizon."""
        row = self.row_of(horizon)
        order = np.argsort(self.rank[row], kind="stable")[:count]
        return tuple(self.names[k] for k in order)

    def explain(self, language: str = "en") -> str:
        """What moves the outcome most, what changes its sign with the horizon, and what is unsure."""
        return _explain(self, is_korean(language))

    def __repr__(self) -> str:
        first = ", ".join(self.top(3))
        return f"<leverage on {self.stamp.outcome}: {len(self.names)} rows, first {first}>"


def leverage(
    study: Study,
    *,
    params: Iterable[str] | None = None,
    initials: Iterable[str] | None = None,
    levers: Iterable[str | Lever] | None = None,
    ranges: Mapping[str, Range] | None = None,
    discount: float | None = None,
    extra: Sequence[Block] = (),
) -> Leverage:
    """The leverage table of a study's outcome at its horizons.

    ``params``, ``initials`` and ``levers`` choose rows (all by default; give ``()`` for none);
    ``ranges`` replaces plausible ranges. Without a range a parameter is moved by 20 % and the row says
    that this is assumed. Everything acts from the study's ``since`` on, levers from their own time;
    initial values only where that is the start. ``discount`` is that of costs (the outcome's own).
    ``extra`` are further rows, such as dials of links and tables.

    Raises UnknownNameError for names that the model does not have.
    """
    blocks = [*input_blocks(study, params, initials, ranges or {})]
    chosen = study.model.levers if levers is None else tuple(levers)
    if chosen:
        blocks.append(lever_block(study, levers_of(study, chosen), discount))
    outcome = study.target.recipe.outcome
    return tabulate(
        np.asarray(study.value),
        [*blocks, *extra],
        study.times,
        stamp=stamp_of_study(study, runs=sum(4 * len(b.names) for b in blocks)),
        label=(outcome.text("en")[0], outcome.text("ko")[0]),
        unit=study.unit,
    )


def tabulate(
    baseline: Array,
    blocks: Sequence[Block],
    times: Array,
    *,
    stamp: Stamp,
    label: tuple[str, str],
    unit: str,
) -> Leverage:
    """The table from its parts: ``baseline`` (H,) outcomes and blocks of rows.

    Raises UsageError where there are no rows.
    """
    if not sum(len(b.names) for b in blocks):
        raise UsageError("a leverage table needs at least one parameter, initial value or lever")

    def over(name: str) -> Array:
        return np.concatenate([getattr(b, name) for b in blocks], axis=-1)

    value, low, high, scale, step = (over(n) for n in ("value", "low", "high", "scale", "step"))
    slope, cost = over("slope"), over("cost")
    ends = np.concatenate([b.ends for b in blocks], axis=1) - baseline[:, None, None]
    near = np.concatenate([b.near for b in blocks], axis=1)
    profile = np.concatenate([b.profile for b in blocks], axis=2)
    size = np.abs(baseline)
    relative = size > 1e-9 * (np.nanmax(size) if np.isfinite(size).any() else 0.0)
    unit_size = np.where(relative, size, 1.0)[:, None]
    elasticity = slope * scale / unit_size
    attainable = _larger(ends)
    checked = (near[..., 1] - near[..., 0]) / (2.0 * np.where(step > 0, step, np.nan))
    felt = np.nanmax(np.abs(elasticity), axis=1, initial=0.0)[:, None] * _FELT
    rounding = 1e-6 * np.nanmax(np.abs(slope * scale), axis=1, initial=0.0)[:, None]
    apart = np.abs(checked - slope) * np.abs(scale)
    bound = _AGREES * np.abs(scale) * np.maximum(np.abs(checked), np.abs(slope)) + rounding
    line = slope[..., None] * np.stack([low - value, high - value], axis=-1)
    miss = np.abs(ends - line) - rounding[..., None] > _CURVED * np.abs(ends)
    signs = np.where(np.abs(elasticity) > felt, np.sign(elasticity), 0.0)
    return Leverage(
        stamp=stamp,
        label=label,
        unit=unit,
        baseline=frozen(baseline),
        names=tuple(name for b in blocks for name in b.names),
        kinds=tuple(b.kind for b in blocks for _ in b.names),
        labels=tuple(one for b in blocks for one in b.labels),
        value=frozen(value),
        low=frozen(low),
        high=frozen(high),
        assumed=np.concatenate([b.assumed for b in blocks]),
        level=np.concatenate([b.level for b in blocks]),
        method=tuple(how for b in blocks for how in b.method),
        relative=relative,
        slope=frozen(slope),
        elasticity=frozen(elasticity),
        at_low=frozen(ends[..., 0]),
        at_high=frozen(ends[..., 1]),
        attainable=frozen(attainable),
        cost=frozen(cost),
        per_cost=frozen(np.where(cost != 0, ends[..., 1] / np.where(cost != 0, cost, 1), np.nan)),
        checked=frozen(checked),
        confirmed=apart <= bound,
        curved=miss.any(axis=-1),
        rank=_ranked(np.abs(attainable)),
        flips=np.asarray((signs > 0).any(axis=0) & (signs < 0).any(axis=0)),
        when=frozen(_half_time(profile, times)),
        times=frozen(times),
        profile=frozen(profile),
    )


def _larger(ends: Array) -> Array:
    """Of the two changes the one of larger size; the other where one failed."""
    low, high = ends[..., 0], ends[..., 1]
    take = np.isnan(high) | (np.abs(low) > np.abs(high))
    return np.where(take & ~np.isnan(low), low, high)


def _ranked(size: Array) -> NDArray[np.int_]:
    order = np.argsort(-np.where(np.isnan(size), -np.inf, size), axis=1, kind="stable")
    rank = np.empty(size.shape, dtype=int)
    np.put_along_axis(rank, order, np.arange(1, size.shape[1] + 1)[None, :], axis=1)
    return rank


def _half_time(profile: Array, times: Array) -> Array:
    """(H, R) the saved time by which half of the absolute profile has acted; NaN without one."""
    run = np.cumsum(np.abs(profile), axis=1)
    whole = run[:, -1:, :]
    reached = times[(run >= 0.5 * whole).argmax(axis=1)]
    return np.where(np.isfinite(whole[:, 0]) & (whole[:, 0] > 0), reached, np.nan)


# Sentences --------------------------------------------------------------------------------------


def _explain(table: Leverage, korean: bool) -> str:
    unit, row = table.stamp.time_unit, len(table.stamp.horizons) - 1
    language = "ko" if korean else "en"
    horizon = duration(table.stamp.horizons[row], unit, language)
    order = [k for k in np.argsort(table.rank[row]) if np.isfinite(table.attainable[row, k])][:3]
    names = [table.labels[k][korean] for k in order]
    unsure = [k for k in order if not table.confirmed[row, k] or table.curved[row, k]]
    turned = [
        table.labels[k][korean]
        for k in np.argsort(table.rank[row])
        if table.flips[k]
    ]  # fmt: skip
    effects = [float(table.attainable[row, k]) for k in order]
    sizes = [f"{'+' if effect > 0 else ''}{say(effect)}" for effect in effects]
    since = moment(table.stamp.since, unit, korean)
    base = f"{say(float(table.baseline[row]))} {table.unit}".strip()
    if korean:
        moved = ", ".join(f"「{n}」({s})" for n, s in zip(names, sizes, strict=True))
        sentences = [
            f"{since}부터 {horizon} 뒤의 「{table.label[1]}」(기준 {base})을 타당한 범위 "
            f"안에서 가장 크게 움직이는 것은 차례로 {moved}입니다."
        ]
        if turned:
            sentences.append(
                f"기간에 따라 방향이 바뀌는 것은 {len(turned)}개이고 맨 앞은 「{turned[0]}」입니다."
            )
        if unsure:
            sentences.append(
                f"앞의 {len(order)}개 가운데 {len(unsure)}개는 휘어 있어 한계효과가 범위 전체에는 맞지 "
                "않습니다."
            )
        return " ".join(sentences)
    moved = ", ".join(f"{n} ({s})" for n, s in zip(names, sizes, strict=True))
    sentences = [
        f"{table.label[0]}, {horizon} after {since} ({base} as it is), moves most within plausible "
        f"ranges by {moved}."
    ]
    if turned:
        sentences.append(
            f"{len(turned)} of {len(table.names)} change their sign with the horizon, the largest "
            f"being {turned[0]}."
        )
    if unsure:
        sentences.append(
            f"For {len(unsure)} of the first {len(order)} the derivative does not hold over the whole "
            "range: trust the finite runs."
        )
    return " ".join(sentences)
