"""Where to put a budget: the intensities of levers by periods that make an outcome best.

Costs are the levers' own, at face value (not discounted), at the prices of the run without levers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.allocation import Allocation, Schedule, plan
from flywheel.analysis.decide.prices import cost_over_time, price_of_periods
from flywheel.analysis.decide.words import Array
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError

if TYPE_CHECKING:
    from flywheel.model import Lever
    from flywheel.solve.study import Study


def allocate(
    study: Study,
    budget: float | Sequence[float],
    levers: Iterable[str] | None = None,
    periods: int | Sequence[float] = 1,
    cost: str = "linear",
    *,
    costs: Mapping[str, float] | None = None,
    horizon: float | None = None,
    better: str = "higher",
    starts: int = 8,
    seed: int = 0,
) -> Allocation:
    """The best way to spend a budget on levers for a study's outcome.

    ``levers``: declared ones; all that have a cost when None. ``periods``: how many, of equal length,
    from the study's start (or the first time that a lever can be pulled) to the horizon; or their
    edges. ``cost`` "linear" or "quadratic" in the intensity. ``costs`` gives or replaces a lever's
    cost at full intensity: a number per unit of time, or one payment for a lever paid ``once``.
    ``budget`` is one sum, or one for each period. ``horizon`` picks one of the study's (default: the
    last).

    A lever without a cost, or one that moves the time of an event, is left out with the reason.

    Raises UnknownNameError for a lever that there is not; UsageError for one asked for that has to be
    left out, no lever at all, edges that do not rise, or a budget or cost below 0.
    """
    own = {study.levers([name])[0].name: value for name, value in (costs or {}).items()}
    asked = dict.fromkeys(study.levers(None if levers is None else list(levers)))
    reasons = {one.name: _unfit(study, one, own) for one in asked}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    if levers is not None and left_out:
        name, reason = next(iter(left_out.items()))
        raise UsageError(f"No money can be given to the lever {name!r}: {reason}.")
    pulled = [one for one in asked if one.name not in left_out]
    if not pulled:
        raise UsageError(f"{study.model.name} has no lever that a budget can be spent on.")
    names = [one.name for one in pulled]

    place = _place(study.horizons, horizon)
    seen = float(study.horizons[place])
    edges = _edges(study, pulled, periods, seen)
    fine, parent = _split(edges, pulled)
    usable: NDArray[np.bool_] = np.array(
        [[one.at is None or since >= one.at for since in fine[:-1]] for one in pulled]
    )
    schedule = _ByPeriod(study.schedule(names, fine), parent, usable)
    settings: dict[str, object] = {
        "analysis": "allocation",
        "budget": float(budget) if isinstance(budget, int | float) else tuple(budget),
        "edges": edges,
        "cost": cost,
        "starts": starts,
        **({"scenario": study.scenario} if study.scenario else {}),
    }
    return plan(
        schedule,
        names,
        list(pairwise(edges)),
        np.stack([_prices(study, one, own.get(one.name), edges) for one in pulled]),
        budget,
        available=np.stack([usable[:, parent == k].any(axis=1) for k in range(len(edges) - 1)], 1),
        lasting=[one.name for one in pulled if one.once],
        horizon=place,
        cost=cost,
        better=better,
        starts=starts,
        seed=seed,
        unit=study.unit,
        labels=[(one.text("en")[0], one.text("ko")[0]) for one in pulled],
        left_out=left_out,
        title=(study.text("en"), study.text("ko")),
        stamp=Stamp(
            study.model.name,
            study.model.hash,
            study.name,
            (seen,),
            study.since,
            study.time_unit,
            study.method,
            study.grid.step,
            seed,
            settings,
        ),
    )


class _ByPeriod:
    """A schedule over periods that are cut where a lever becomes available, seen as whole periods."""

    def __init__(self, fine: Schedule, parent: NDArray[np.intp], usable: NDArray[np.bool_]) -> None:
        self._fine = fine
        self._parent = parent
        self._usable = usable

    def outcomes(self, intensities: Array) -> Array:
        return self._fine.outcomes(intensities[:, :, self._parent] * self._usable)

    def gradient(self, intensities: Array) -> tuple[Array, Array]:
        values, slopes = self._fine.gradient(intensities[:, self._parent] * self._usable)
        whole = np.zeros((*slopes.shape[:2], intensities.shape[1]))
        for part, period in enumerate(self._parent):
            whole[:, :, period] += slopes[:, :, part] * self._usable[:, part]
        return values, whole


def _unfit(study: Study, lever: Lever, costs: Mapping[str, float]) -> str:
    """Why a lever has no place in a budget; empty when it has one."""
    if lever.name not in costs and lever.cost is None:
        return "it has no cost; give one in costs"
    if lever.param in study.event_inputs:
        # Its derivative says nothing about it: an event moves from one step to the next or not at all.
        return "it moves the time of an event, which cannot be done by parts"
    return ""


def _place(horizons: Sequence[float], horizon: float | None) -> int:
    """Which of the horizons is meant."""
    if horizon is None:
        return len(horizons) - 1
    for place, known in enumerate(horizons):
        if abs(known - horizon) <= 1e-9 * max(1.0, abs(known)):
            return place
    raise UsageError(
        f"The study looks {', '.join(f'{h:g}' for h in horizons)} ahead, not {horizon:g}."
    )


def _edges(
    study: Study, levers: Sequence[Lever], periods: int | Sequence[float], horizon: float
) -> tuple[float, ...]:
    """The edges of the periods (K+1,); equal ones are moved to the nearest saved times."""
    if not isinstance(periods, int):
        edges = tuple(float(edge) for edge in periods)
        if len(edges) < 2 or not all(a < b for a, b in pairwise(edges)):
            raise UsageError("Edges of periods are two rising times or more.")
        return edges
    if periods < 1:
        raise UsageError("There must be at least one period.")
    stop = study.since + horizon
    first = min(study.since if lever.at is None else lever.at for lever in levers)
    start = max(study.since, first)
    if start >= stop:
        raise UsageError(f"No lever can be pulled before {stop:g}, where the outcome is seen.")
    wanted = np.linspace(start, stop, periods + 1)
    saved = np.unique([np.abs(study.times - t).argmin() for t in wanted])
    if saved.size <= periods:
        raise UsageError(f"{periods} periods from {start:g} to {stop:g} are shorter than a save.")
    return tuple(float(t) for t in study.times[saved])


def _split(
    edges: Sequence[float], levers: Sequence[Lever]
) -> tuple[tuple[float, ...], NDArray[np.intp]]:
    """The edges with the levers' own times among them, and the period of each part."""
    inner = {lever.at for lever in levers if lever.at is not None and lever.at < edges[-1]}
    fine = sorted({*edges, *(t for t in inner if t > edges[0])})
    parent = np.searchsorted(edges, fine[:-1], side="right") - 1
    return tuple(fine), parent.astype(np.intp)


def _prices(study: Study, lever: Lever, given: float | None, edges: Sequence[float]) -> Array:
    """What the lever costs at full intensity in each period (K,)."""
    times = study.times
    if given is not None:
        cost = np.full(times.size, float(given))
    else:
        columns = {name: study.column(name) for name in study.columns}
        params = {name: float(value) for name, value in study.params.items()}
        lookups = {lookup.name: lookup for lookup in study.system.lookups}
        cost = cost_over_time(lever, times, columns, params, lookups)
    return price_of_periods(cost, times, edges, lever.once, lever.at)
