"""The best way to spend a budget on things that can be done by parts: a constrained maximum.

max J(u) subject to Σ cost ≤ budget (of each period, or in all) and 0 ≤ u ≤ 1, with the exact gradient
of J. Sequential quadratic programming (SLSQP) finds one top of the hill it starts on, so it starts from
scrambled Sobol points all over, and once from the greedy plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.analysis.decide.words import Array, frozen
from flywheel.errors import UsageError

ValueAndGradient = Callable[[Array], tuple[float, Array]]
"""From intensities u (n,) to J and dJ/du (n,)."""

COSTS = ("linear", "quadratic")
"""What an intensity u costs: price × u, or price × u² (the last bit is the dearest)."""

_AGREE = 1e-3
"""Relative to the gain: starts that end this close to the best found the same top."""
_ROUGH, _FINE = 1e-7, 1e-15
"""When a climb stops, relative to the steepest slope: of every start, and of the best one again."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where to spend. Arrays over the n things (n,) or over the budgets (B,), read-only."""

    intensity: Array
    """u; NaN where nothing could be computed."""
    value: float
    """J(u)."""
    baseline: float
    """J(0)."""
    spent: Array
    """The cost of each thing."""
    used: Array
    """What is spent of each budget."""
    budget: Array
    shadow_price: Array
    """What one more unit of each budget adds to J (the Karush-Kuhn-Tucker multiplier); 0 where money
    is left over."""
    marginal: Array
    """dJ/du divided by dcost/du at u: what the next unit of money adds there. Infinite where the next
    bit is free."""
    gradient: Array
    starts: int
    agreed: int
    """How many of the starts ended at the best value. Few: a rugged hill, and no proof of the top."""
    failed: int
    """Starts that met a failed run on their way; what they had found by then still counts."""
    evaluations: int
    reason: str = ""
    """Why there is no answer; empty when there is one."""


def maximise(
    value_and_gradient: ValueAndGradient,
    prices: ArrayLike,
    budget: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cost: str = "linear",
    starts: int = 8,
    seed: int = 0,
) -> Optimum:
    """The best intensities of n things with ``prices`` (n,) at full intensity.

    ``budget``: one sum, or several, of which ``groups`` (n,) says which pays for which thing.

    Raises UsageError for prices or budgets below 0, ill-shaped arguments, or an unknown ``cost``.
    A value that is no number ends the start that met it, and is counted.
    """
    p = np.asarray(prices, dtype=float)
    purse = np.atleast_1d(np.asarray(budget, dtype=float))
    group = (
        np.zeros(p.size, dtype=np.intp) if groups is None else np.asarray(groups).astype(np.intp)
    )
    if p.ndim != 1 or not p.size or group.shape != p.shape or purse.ndim != 1:
        raise UsageError("Prices and groups must be rows of equal length, and budgets a row.")
    if not (np.isfinite(p).all() and (p >= 0).all()):
        raise UsageError("A price must be a number of at least 0.")
    if not (purse >= 0).all():
        raise UsageError("A budget must be a number of at least 0.")
    if group.min() < 0 or group.max() >= purse.size:
        raise UsageError(f"There are {purse.size} budgets, but a thing asks for another.")
    if cost not in COSTS:
        raise UsageError(f"cost must be 'linear' or 'quadratic', not {cost!r}.")
    if starts < 0:
        raise UsageError("The number of starts must be at least 0.")
    return _Search(value_and_gradient, p, purse, group, cost).best(starts, seed)


def saturation(
    value_and_gradient: ValueAndGradient,
    prices: ArrayLike,
    start: ArrayLike,
    *,
    cost: str = "linear",
) -> Array:
    """The intensities (n,) beyond which more money adds nothing: the top without a budget.

    Searched from ``start`` and from everything at full; NaN when neither can be computed.
    """
    p = np.asarray(prices, dtype=float)
    search = _Search(
        value_and_gradient, p, np.array([np.inf]), np.zeros(p.size, dtype=np.intp), cost
    )
    found = [search.climb(np.asarray(start, dtype=float)), search.climb(np.ones(p.size))]
    u, value = max(found, key=lambda end: end[1])
    return u if np.isfinite(value) else np.full(p.size, np.nan)


class _Failed(Exception):
    """A run on the way gave no number."""


class _Search:
    def __init__(
        self,
        value_and_gradient: ValueAndGradient,
        prices: Array,
        budget: Array,
        group: NDArray[np.intp],
        cost: str,
    ) -> None:
        self._ask = value_and_gradient
        self.prices = prices
        self.budget = budget
        self.power = 1 if cost == "linear" else 2
        self.member: Array = (group == np.arange(budget.size)[:, None]).astype(float)
        self.group = group
        self.evaluations = 0
        self.failed = 0
        # Both sides are put into units of about one: SLSQP's tolerances are absolute.
        self.scale = 0.0
        self.bound = np.isfinite(budget)
        # What has no money behind it stays at 0.
        self.full = np.where((budget[group] > 0) | (prices == 0), 1.0, 0.0)
        self.unit = np.where(self.bound & (budget > 0), budget, 1.0)
        self._last: tuple[bytes, float, Array] | None = None
        self._best: tuple[Array, float] = (np.full(prices.size, np.nan), -np.inf)

    # Values and costs --------------------------------------------------------------------------

    def at(self, u: Array) -> tuple[float, Array]:
        """J and its gradient; the last answer is kept, since the solver asks for each on its own."""
        mark = u.tobytes()
        if self._last is None or self._last[0] != mark:
            value, gradient = self._ask(u.copy())
            self.evaluations += 1
            slope = np.array(gradient, dtype=float)
            if not (np.isfinite(value) and np.isfinite(slope).all()):
                raise _Failed
            self._last = mark, float(value), slope
            self.scale = self.scale or float(np.abs(slope).max())
            if value > self._best[1] and (self.used(u) <= self.budget + 1e-12 * self.unit).all():
                self._best = u.copy(), float(value)
        return self._last[1], self._last[2]

    def costs(self, u: Array) -> Array:
        spent: Array = self.prices * u**self.power
        return spent

    def dearer(self, u: Array) -> Array:
        """dcost/du."""
        slope: Array = self.prices * self.power * u ** (self.power - 1)
        return slope

    def used(self, u: Array) -> Array:
        paid: Array = self.member @ self.costs(u)
        return paid

    def affordable(self, u: Array) -> Array:
        """The same mix, each budget's part shrunk until it is paid for."""
        paid = self.used(u)
        with np.errstate(divide="ignore", invalid="ignore"):
            shrink = np.where(paid > self.budget, self.budget / paid, 1.0) ** (1 / self.power)
        mix: Array = u * shrink[self.group]
        return mix

    # Searching ---------------------------------------------------------------------------------

    def best(self, starts: int, seed: int) -> Optimum:
        n = self.prices.size
        try:
            baseline, slope = self.at(np.zeros(n))
        except _Failed:
            return self._nothing("the run without any lever failed", starts + 1)
        points = [self._greedy(slope), *(self.affordable(u) for u in _spread(n, starts, seed))]
        ends = [self.climb(point) for point in points]
        u, value = max(ends, key=lambda end: end[1])
        if np.isfinite(value):
            u, value = max((u, value), self.climb(u, _FINE), key=lambda end: end[1])
        if baseline > value:
            u, value = np.zeros(n), baseline
        width = max(abs(value - baseline), 1e-9 * abs(value))
        agreed = sum(end >= value - _AGREE * width for _, end in ends)
        try:
            _, slope = self.at(u)
        except _Failed:  # it was computed on the way; only a value that depends on chance gets here
            return self._nothing("a run gave a number once and none the second time", len(ends))
        return Optimum(
            intensity=frozen(u),
            value=value,
            baseline=baseline,
            spent=frozen(self.costs(u)),
            used=frozen(self.used(u)),
            budget=frozen(self.budget),
            shadow_price=frozen(self._shadow(u, slope)),
            marginal=frozen(self._marginal(u, slope)),
            gradient=frozen(slope),
            starts=len(ends),
            agreed=agreed,
            failed=min(self.failed, len(ends)),
            evaluations=self.evaluations,
        )

    def climb(self, start: Array, tolerance: float = _ROUGH) -> tuple[Array, float]:
        """The top above one start, and its value; what was best so far if a run on the way fails."""
        from scipy.optimize import minimize

        self._best = (np.full(start.size, np.nan), -np.inf)
        self._last = None

        def down(u: Array) -> tuple[float, Array]:
            value, slope = self.at(np.clip(u, 0.0, 1.0))
            scale = self.scale or 1.0
            return -value / scale, -slope / scale

        limits: list[dict[str, Any]] = []
        if self.bound.any():
            rows = np.flatnonzero(self.bound)
            limits = [
                {
                    "type": "ineq",
                    "fun": lambda u: ((self.budget - self.used(u)) / self.unit)[rows],
                    "jac": lambda u: (-self.member * self.dearer(u) / self.unit[:, None])[rows],
                }
            ]
        try:
            found = minimize(
                down,
                start,
                jac=True,
                method="SLSQP",
                bounds=[(0.0, float(full)) for full in self.full],
                constraints=limits,
                options={"maxiter": 300, "ftol": tolerance},
            )
            self.at(self.affordable(np.clip(found.x, 0.0, 1.0)))
        except _Failed:
            self.failed += 1
        return self._best

    def _greedy(self, slope: Array) -> Array:
        """Everything that helps, the most for its money first, until the money is gone."""
        u = np.zeros(self.prices.size)
        left = self.budget.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            order = np.argsort(-np.where(slope > 0, slope / self.prices, 0.0), kind="stable")
        for k in order:
            if slope[k] <= 0:
                continue
            purse, price = self.group[k], self.prices[k]
            share = 1.0 if price <= left[purse] else left[purse] / price
            u[k] = share ** (1 / self.power)
            left[purse] -= price * share
        return u

    def _nothing(self, reason: str, starts: int) -> Optimum:
        gone = np.full(self.prices.size, np.nan)
        none = np.full(self.budget.size, np.nan)
        return Optimum(
            frozen(gone), float("nan"), float("nan"), frozen(gone), frozen(none),
            frozen(self.budget), frozen(none), frozen(gone), frozen(gone), starts, 0, starts,
            self.evaluations, reason,
        )  # fmt: skip

    # What the optimum says about money ---------------------------------------------------------

    def _marginal(self, u: Array, slope: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = slope / self.dearer(u)
        found: Array = np.where(np.isnan(ratio), 0.0, ratio)
        return found

    def _shadow(self, u: Array, slope: Array) -> Array:
        """λ of each budget from g = λ c′ over the things that are neither out nor full.

        Where none is in between, the next unit of money goes to the best thing that is not full yet,
        which is the slope of the best value to the right.
        """
        price = np.zeros(self.budget.size)
        rise = self.dearer(u)
        tight = self.used(u) >= self.budget - 1e-7 * self.unit
        for k in np.flatnonzero(tight & self.bound):
            own = (self.group == k) & (rise > 0)
            between = own & (u > 1e-6) & (u < 1 - 1e-6)
            if between.any():
                price[k] = float(slope[between] @ rise[between]) / float(
                    rise[between] @ rise[between]
                )
            else:
                open_still = own & (u <= 1e-6)
                if self.power == 2:  # the first bit of a thing that costs u² is free
                    price[k] = np.inf if (slope[(self.group == k) & (u <= 1e-6)] > 0).any() else 0.0
                elif open_still.any():
                    price[k] = float(np.max(slope[open_still] / rise[open_still]))
        shadow: Array = np.maximum(price, 0.0)
        return shadow


def _spread(count: int, starts: int, seed: int) -> Array:
    """Scrambled Sobol points (starts, count)."""
    from scipy.stats import qmc

    if not starts:
        return np.zeros((0, count))
    points: Array = qmc.Sobol(count, seed=np.random.default_rng(seed)).random_base2(
        max(0, int(np.ceil(np.log2(starts))))
    )
    return points[:starts]
