"""The plan of a budget: a table of levers by periods, from a schedule that can be run.

An intensity scales a lever's move of its parameter over a period: 0 not pulled, 1 as declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.optimum import ValueAndGradient, maximise, saturation
from flywheel.analysis.decide.words import Array, frozen, is_korean, say, subject
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.stamp import Stamp


class Schedule(Protocol):
    """Levers that can be pulled by periods (``Study.schedule``)."""

    def outcomes(self, intensities: Array) -> Array:
        """From (M, L, K) intensities to (M, H) outcomes; NaN where a run fails."""
        ...

    def gradient(self, intensities: Array) -> tuple[Array, Array]:
        """From (L, K) intensities to the outcomes (H,) and their derivatives (H, L, K)."""
        ...


@dataclass(frozen=True, eq=False)
class Allocation:
    """How a budget is best spent. Matrices (L, K) over levers and periods, read-only.

    Outcomes are in ``unit``; costs in the unit the levers' costs are in.
    """

    levers: tuple[str, ...]
    periods: tuple[tuple[float, float], ...]
    intensity: Array
    available: NDArray[np.bool_]
    """Where a lever can be pulled at all: from its own time on."""
    price: Array
    """What full intensity costs; a lever paid once is paid in its first period and then stays."""
    spent: Array
    marginal: Array
    """What the next unit of money would add to the outcome there (marginal return)."""
    withdrawn: Array
    """(L,) What the outcome loses when the lever is given up, all else as planned."""
    finite_return: Array
    """(L,) ``withdrawn`` per unit of money spent on the lever; NaN where nothing is."""
    value: float
    baseline: float
    budget: Array
    """(1,), or (K,) where each period has its own."""
    used: Array
    shadow_price: Array
    """What one more unit of each budget adds to the outcome."""
    saturation: float
    """What can be spent usefully in all; beyond it, money adds nothing."""
    starts: int
    agreed: int
    failed: int
    gradient_error: float
    """The largest difference from central differences, relative to the largest derivative."""
    cost: str
    better: str
    unit: str
    labels: tuple[tuple[str, str], ...]
    """What the levers are called in English and Korean."""
    left_out: Mapping[str, str]
    """Levers that no money can be given to, and why."""
    title: tuple[str, str] | None = None
    """What the outcome is called in English and Korean."""
    reason: str = ""
    stamp: Stamp | None = None

    @property
    def total_return(self) -> float:
        """What the whole plan adds per unit of money; NaN where nothing is spent."""
        paid = float(self.spent.sum())
        return (self.value - self.baseline) / paid if paid > 0 else float("nan")

    @property
    def frame(self) -> pd.DataFrame:
        """One row per lever and period."""
        import pandas as pd

        rows = [
            {
                "lever": lever,
                "since": since,
                "until": until,
                "intensity": self.intensity[i, k],
                "price": self.price[i, k],
                "spent": self.spent[i, k],
                "marginal_return": self.marginal[i, k],
                "finite_return": self.finite_return[i],
            }
            for i, lever in enumerate(self.levers)
            for k, (since, until) in enumerate(self.periods)
            if self.available[i, k]
        ]
        return pd.DataFrame(rows)

    def explain(self, language: str = "en") -> str:
        """Where the money goes, what it brings, what more would bring, and how sure that is."""
        korean = is_korean(language)
        about = subject(self.stamp, language, self.title)
        if self.reason:
            return (
                f"{about}: 배분을 계산하지 못했습니다 ({self.reason})."
                if korean
                else f"No allocation for {about}: {self.reason}."
            )
        paid = self.spent.sum(axis=1)
        total = float(paid.sum())
        order = [k for k in np.argsort(-paid, kind="stable") if paid[k] > 1e-6 * max(total, 1e-300)]
        unit = f" {self.unit}" if self.unit else ""
        before, after = say(self.baseline), say(self.value)
        change = say(abs(self.value - self.baseline))
        more, most = say(float(self.shadow_price.max())), say(self.saturation)
        agreed = f"{self.agreed}/{self.starts}"
        doubt = not self.gradient_error < 1e-3
        purse = say(float(self.budget.sum()))
        parts = [self._share(k, float(paid[k]) / total, korean) for k in order[:3]]
        if korean:
            turn = "커져" if self.value >= self.baseline else "작아져"
            spend = (
                f"{about}: 예산 {purse} 가운데 {say(total)}만큼을 {', '.join(parts)}에 쓰면, 결과는 "
                f"{before}에서 {change}만큼 {turn} {after}{unit}입니다."
                if parts
                else f"{about}: 예산을 쓰지 않는 것이 가장 좋습니다 ({before}{unit})."
            )
            text = (
                f"{spend} 예산이 1만큼 늘면 결과가 {more}만큼 더 나아지고, 모두 합해 {most} 이상은 써도 "
                f"보탬이 되지 않습니다. 출발점 {agreed}개가 이 값에 이르렀습니다."
            )
            return text + (" 기울기가 차분과 어긋나므로 이 답은 믿을 수 없습니다." if doubt else "")
        turn = "rises" if self.value >= self.baseline else "falls"
        spend = (
            f"Of a budget of {purse}, {say(total)} is spent, most on {', then '.join(parts)}: {about} "
            f"{turn} by {change} from {before} to {after}{unit}."
            if parts
            else f"For {about}, spending nothing is best ({before}{unit})."
        )
        text = (
            f"{spend} One more unit of budget makes it better by {more}; beyond {most} in all, money "
            f"adds nothing. {agreed} starts reached this value."
        )
        return text + (
            " The gradient disagrees with finite differences, so do not trust this answer."
            if doubt
            else ""
        )

    def _share(self, k: int, part: float, korean: bool) -> str:
        """One lever's part of the money, and when most of it is spent."""
        name = self.labels[k][korean]
        since, until = self.periods[int(self.spent[k].argmax())]
        if korean:
            when = f", 주로 {since:g}~{until:g}" if len(self.periods) > 1 else ""
            return f"「{name}」({100 * part:.0f}%{when})"
        when = f", mostly {since:g} to {until:g}" if len(self.periods) > 1 else ""
        return f"{name} ({100 * part:.0f} %{when})"

    def __repr__(self) -> str:
        paid = float(self.spent.sum())
        return (
            f"<allocation of {float(self.budget.sum()):g} over {len(self.levers)} levers and "
            f"{len(self.periods)} periods: {self.baseline:.6g} -> {self.value:.6g}, spent {paid:.6g}>"
        )


def plan(
    schedule: Schedule,
    levers: Sequence[str],
    periods: Sequence[tuple[float, float]],
    prices: Array,
    budget: float | Sequence[float],
    *,
    available: NDArray[np.bool_] | None = None,
    lasting: Iterable[str] = (),
    horizon: int = -1,
    cost: str = "linear",
    better: str = "higher",
    starts: int = 8,
    seed: int = 0,
    unit: str = "",
    labels: Sequence[tuple[str, str]] | None = None,
    left_out: Mapping[str, str] | None = None,
    title: tuple[str, str] | None = None,
    stamp: Stamp | None = None,
) -> Allocation:
    """The best plan for a schedule: ``prices`` (L, K) of full intensity, a budget in all or by period.

    ``lasting`` levers are bought once: one intensity for all their periods. ``horizon`` is the place of
    the outcome among the schedule's.

    Raises UsageError for ill-shaped arguments (see also ``maximise``).
    """
    shape = (len(levers), len(periods))
    usable = np.ones(shape, dtype=bool) if available is None else np.asarray(available, dtype=bool)
    if prices.shape != shape or usable.shape != shape:
        raise UsageError(f"Prices must be of shape {shape}, levers by periods.")
    if better not in ("higher", "lower"):
        raise UsageError(f"better must be 'higher' or 'lower', not {better!r}.")
    purse = np.atleast_1d(np.asarray(budget, dtype=float))
    if purse.shape not in ((1,), (shape[1],)):
        raise UsageError(f"A budget is one sum or one for each of the {shape[1]} periods.")
    if not usable.any():
        raise UsageError("None of these levers can be pulled in any of the periods.")
    sign = 1.0 if better == "higher" else -1.0
    cell, price, period = _variables(levers, prices, usable, frozenset(lasting))
    group = period if purse.size > 1 else np.zeros_like(period)
    count = price.size
    rows, columns = np.nonzero(usable)
    places = cell[rows, columns]

    def spread(u: Array) -> Array:
        matrix = np.zeros(shape)
        matrix[rows, columns] = u[places]
        return matrix

    def ask(u: Array) -> tuple[float, Array]:
        values, slopes = schedule.gradient(spread(u))
        slope = np.zeros(count)
        np.add.at(slope, places, np.asarray(slopes)[horizon][rows, columns])
        return sign * float(values[horizon]), sign * slope

    def values(points: Array) -> Array:
        """The signed outcomes of several plans in one batch."""
        found: Array = sign * schedule.outcomes(np.stack([spread(u) for u in points]))[:, horizon]
        return found

    best = maximise(ask, price, purse, groups=group, cost=cost, starts=starts, seed=seed)
    u = best.intensity
    marginal, paid = np.full(shape, np.nan), np.zeros(shape)
    withdrawn, most, error = np.full(shape[0], np.nan), float("nan"), float("nan")
    if best.reason:
        paid[:] = np.nan
    else:
        marginal[rows, columns] = best.marginal[places]
        owner = np.zeros(count, dtype=np.intp)
        owner[places] = rows
        np.add.at(paid, (owner, period), best.spent)
        without = np.where(owner == np.arange(shape[0])[:, None], 0.0, u)
        withdrawn = best.value - values(without)
        full = saturation(ask, price, u, cost=cost)
        most = float(np.sum(price * full ** (1 if cost == "linear" else 2)))
        error = gradient_error(ask, values, 0.5 * u + 0.25)
    spending = paid.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        finite = np.where(spending > 1e-9 * spending.sum(), withdrawn / spending, np.nan)
    return Allocation(
        levers=tuple(levers),
        periods=tuple(periods),
        intensity=frozen(spread(u)),
        available=usable,
        price=frozen(prices),
        spent=frozen(paid),
        marginal=frozen(marginal),
        withdrawn=frozen(withdrawn),
        finite_return=frozen(finite),
        value=sign * best.value,
        baseline=sign * best.baseline,
        budget=best.budget,
        used=best.used,
        shadow_price=best.shadow_price,
        saturation=most,
        starts=best.starts,
        agreed=best.agreed,
        failed=best.failed,
        gradient_error=error,
        cost=cost,
        better=better,
        unit=unit,
        labels=tuple((name, name) for name in levers) if labels is None else tuple(labels),
        left_out=MappingProxyType(dict(left_out or {})),
        title=title,
        reason=best.reason,
        stamp=stamp,
    )


def _variables(
    levers: Sequence[str], prices: Array, usable: NDArray[np.bool_], lasting: frozenset[str]
) -> tuple[NDArray[np.intp], Array, NDArray[np.intp]]:
    """Which number stands in which cell (L, K), what each costs, and in which period it is paid."""
    cell = np.full(prices.shape, -1, dtype=np.intp)
    cost: list[float] = []
    period: list[int] = []
    for i, lever in enumerate(levers):
        own = np.flatnonzero(usable[i])
        if lever in lasting and own.size:
            cell[i, own] = len(cost)
            cost.append(float(prices[i, own].sum()))
            period.append(int(own[0]))
        else:
            for k in own:
                cell[i, k] = len(cost)
                cost.append(float(prices[i, k]))
                period.append(int(k))
    return cell, np.array(cost), np.array(period, dtype=np.intp)


def gradient_error(
    ask: ValueAndGradient, values: Callable[[Array], Array], u: Array, step: float = 1e-4
) -> float:
    """How far the gradient at ``u`` is from central differences, relative to its largest entry.

    ``ask(u)`` gives the value and the gradient (n,), ``values`` (M,) the values of M points (M, n).
    NaN where a run fails.
    """
    moves = step * np.eye(u.size)
    ends = values(np.concatenate([u + moves, u - moves]))
    differences = (ends[: u.size] - ends[u.size :]) / (2 * step)
    slope = ask(u)[1]
    size = float(np.abs(differences).max())
    gap = float(np.abs(slope - differences).max())
    return gap / size if size > 0 else gap
