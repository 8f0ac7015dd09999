"""How levers work together: pairs, fair shares of a bundle, and whether the order matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.decide.words import frozen, is_korean, say
from flywheel.analysis.levers.coalitions import (
    EXACT_UP_TO,
    coalitions,
    sampled_shapley,
    second_differences,
    shapley,
)
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import Bench, bench, levers_of
from flywheel.analysis.levers.words import duration, labels
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.model import Lever
from flywheel.solve.study import Study

if TYPE_CHECKING:
    import pandas as pd

ORDERS = 200
"""Random orders for Shapley values of more than 12 levers."""
_SMALL = 0.01
"""Part of the smaller single effect up to which a pair counts as independent."""


@dataclass(frozen=True, eq=False)
class Synergy:
    """L levers together, H horizons. ``total`` (H,) is the effect of all at once.

    ``pairs`` (H, L, L) are second differences J(ij) − J(i) − J(j) + J(∅): above 0 complements, below
    substitutes, in the outcome's unit. ``shapley`` (H, L) shares the total out; ``half_width`` is 0
    where it is exact. ``order`` (H, L, L): by how much pulling row first and column ``lag`` later
    beats the other way round (antisymmetric); NaN where the later pull would be after the run.
    """

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    levers: tuple[Lever, ...]
    baseline: Array
    alone: Array
    total: Array
    pairs: Array
    shapley: Array
    half_width: Array
    order: Array
    lag: float

    @property
    def exact(self) -> bool:
        """Whether all coalitions were run."""
        return len(self.levers) <= EXACT_UP_TO

    def kind(self, one: str, other: str, horizon: int = -1) -> str:
        """``complements``, ``substitutes`` or ``independent``: of two levers at a horizon's number.

        ``alternatives`` move the same parameter: pulled together their moves add up, which says little.
        """
        names = [lever.name for lever in self.levers]
        if one not in names or other not in names or one == other:
            raise UsageError(f"{one!r} and {other!r} are no two levers of {names}")
        i, j = names.index(one), names.index(other)
        if self.levers[i].param == self.levers[j].param:
            return "alternatives"
        gain = float(self.pairs[horizon, i, j])
        least = min(abs(float(self.alone[horizon, k])) for k in (i, j))
        if not abs(gain) > _SMALL * least:
            return "independent"
        return "complements" if gain > 0 else "substitutes"

    @property
    def frame(self) -> pd.DataFrame:
        """One row per lever and horizon: alone, as a share of the bundle, and its best partner."""
        import pandas as pd

        names = np.array([lever.name for lever in self.levers])
        off = np.where(np.eye(len(names), dtype=bool), -np.inf, self.pairs)
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "horizon": horizon,
                        "lever": names,
                        "alone": self.alone[h],
                        "shapley": self.shapley[h],
                        "half_width": self.half_width[h],
                        "best_partner": names[off[h].argmax(axis=1)] if len(names) > 1 else "",
                        "synergy": off[h].max(axis=1) if len(names) > 1 else np.nan,
                    }
                )
                for h, horizon in enumerate(self.stamp.horizons)
            ],
            ignore_index=True,
        )

    @property
    def pair_frame(self) -> pd.DataFrame:
        """One row per pair and horizon, the largest synergy first."""
        import pandas as pd

        left, right = np.triu_indices(len(self.levers), 1)
        names = [lever.name for lever in self.levers]
        rows = [
            {
                "horizon": horizon,
                "lever": names[i],
                "other": names[j],
                "synergy": float(self.pairs[h, i, j]),
                "kind": self.kind(names[i], names[j], h),
                "first_beats_later": float(self.order[h, i, j]),
            }
            for h, horizon in enumerate(self.stamp.horizons)
            for i, j in zip(left, right, strict=True)
        ]
        frame = pd.DataFrame(
            rows, columns=["horizon", "lever", "other", "synergy", "kind", "first_beats_later"]
        )
        return frame.sort_values(["horizon", "synergy"], ascending=[True, False], ignore_index=True)

    def explain(self, language: str = "en") -> str:
        """What the bundle brings beyond its parts, the best and the worst pair, who deserves most."""
        korean = is_korean(language)
        names = [lever.text(language)[0] for lever in self.levers]
        unit = self.stamp.time_unit
        when = duration(self.stamp.horizons[-1], unit, language)
        parts, total = float(self.alone[-1].sum()), float(self.total[-1])
        most = int(np.nanargmax(self.shapley[-1]))
        left, right = np.triu_indices(len(names), 1)
        params = np.array([lever.param for lever in self.levers])
        gains = np.where(params[left] == params[right], np.nan, self.pairs[-1][left, right])
        pair = ""
        if len(gains) and np.isfinite(gains).any():
            up, down = int(np.nanargmax(gains)), int(np.nanargmin(gains))
            said = [(names[left[k]], names[right[k]], say(float(gains[k]))) for k in (up, down)]
            pair = (
                f" 가장 잘 어울리는 짝은 「{said[0][0]}」와(과) 「{said[0][1]}」({said[0][2]}), "
                f"가장 겹치는 짝은 「{said[1][0]}」와(과) 「{said[1][1]}」({said[1][2]})입니다."
                if korean
                else f' The best pair is "{said[0][0]}" with "{said[0][1]}" ({said[0][2]} beyond its '
                f'parts), the worst "{said[1][0]}" with "{said[1][1]}" ({said[1][2]}).'
            )
        if korean:
            return (
                f"레버 {len(names)}개를 함께 당기면 {when} 뒤 「{self.label[korean]}」의 변화는 "
                f"{say(total)}이며, 하나씩 당긴 효과의 합은 {say(parts)}입니다.{pair} 섀플리 몫이 "
                f"가장 큰 레버는 「{names[most]}」({say(float(self.shapley[-1, most]))})입니다."
            )
        return (
            f"Pulled together, {len(names)} levers change {self.label[korean]} by {say(total)} after "
            f"{when}; one at a time their effects add up to {say(parts)}.{pair} The largest Shapley "
            f'share is that of "{names[most]}" ({say(float(self.shapley[-1, most]))}).'
        )

    def __repr__(self) -> str:
        how = "exact" if self.exact else "sampled"
        return (
            f"<synergy of {len(self.levers)} levers on {self.stamp.outcome}, {how} Shapley values>"
        )


def synergy(
    study: Study,
    levers: Iterable[str | Lever] | None = None,
    *,
    at: float | None = None,
    lag: float | None = None,
    orders: int = ORDERS,
    seed: int = 0,
) -> Synergy:
    """Synergy of levers (all declared ones by default), each fully pulled or not.

    Up to 12 levers all 2^n bundles are run and Shapley values are exact; above, random ``orders``
    (each forwards and backwards) estimate them with 95 % intervals. ``lag`` is how much later the
    second of a pair is pulled when orders are compared: a tenth of the run by default.

    A bundle whose run fails has no value; what needs it is NaN. Raises as ``levers_of`` does.
    """
    on = bench(study, levers_of(study, levers, at))
    count = len(on.levers)
    left, right = np.triu_indices(count, 1)
    both = np.zeros((len(left), count))
    both[np.arange(len(left)), left] = both[np.arange(len(left)), right] = 1.0
    singles = np.concatenate([np.zeros((1, count)), np.eye(count), np.ones((1, count)), both])
    found = on.run(singles).outcomes
    none, alone, everything, pairs = (
        found[0],
        found[1 : count + 1],
        found[count + 1],
        found[count + 2 :],
    )
    if count <= EXACT_UP_TO:
        shares = shapley(on.run(coalitions(count)).outcomes)
        half = np.zeros_like(shares)
    else:
        shares, half = sampled_shapley(
            lambda rows: on.run(rows).outcomes, count, orders=orders, seed=seed
        )
    later = lag if lag is not None else 0.1 * float(study.times[-1] - study.times[0])
    if not later > 0:
        raise UsageError(f"a lag is a duration greater than 0, not {lag!r}")
    return Synergy(
        label=labels(study),
        stamp=stamp_of_study(
            study,
            shapley="exact" if count <= EXACT_UP_TO else f"{orders} orders",
            lag=later,
        ),
        levers=on.levers,
        baseline=frozen(none),
        alone=frozen((alone - none).T),
        total=frozen(everything - none),
        pairs=frozen(np.moveaxis(second_differences(none, alone, pairs), -1, 0)),
        shapley=frozen(shares.T),
        half_width=frozen(half.T),
        order=frozen(_order(on, both, later)),
        lag=later,
    )


def _order(on: Bench, both: Array, lag: float) -> Array:
    """(H, L, L): J with row at its time and column ``lag`` after, minus the same exchanged.

    Both ways the first of a pair is pulled at the earlier of the two own times.
    """
    count, horizons = len(on.levers), len(on.study.horizons)
    found = np.full((horizons, count, count), np.nan)
    found[:, np.arange(count), np.arange(count)] = 0.0
    left, right = np.triu_indices(count, 1)
    first = np.minimum(on.starts[left], on.starts[right])
    inside = first + lag < float(on.study.times[-1])
    if not inside.any():
        return found
    left, right, first, pulls = left[inside], right[inside], first[inside], both[inside]
    rows = np.arange(len(left))
    starts = np.tile(on.starts, (2 * len(left), 1))
    starts[rows, left], starts[rows, right] = first, first + lag
    starts[len(left) + rows, left], starts[len(left) + rows, right] = first + lag, first
    outcomes = on.run(np.concatenate([pulls, pulls]), starts=starts).outcomes
    gain = (outcomes[: len(left)] - outcomes[len(left) :]).T
    found[:, left, right] = gain
    found[:, right, left] = -gain
    return found
