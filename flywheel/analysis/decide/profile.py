"""How far a parameter can be moved before no choice of the others fits the data: profile likelihood.

On a grid of the one parameter the others are fitted again. Where the misfit rises by χ²(0.95, 1) = 3.84
the interval ends; where it never does, the data do not identify the parameter on that side (Raue and
others 2009). Unlike the Fisher information this holds however crooked the valley is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.analysis.decide.words import Array, frozen, is_korean, named, say
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Residuals = Callable[[Array], Array]
"""From parameters (P,) to (model − data)/error (N,)."""


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile of one parameter: the grid (G,) and the rise of −2 ln L above the best fit (G,).

    ``low`` and ``high`` end the interval; 0 and ∞ on a side where the grid never gets there, which is
    then not identified by the data (``bounded``). A grid point whose fit failed is NaN.
    """

    name: str
    best: float
    grid: Array
    rise: Array
    low: float
    high: float
    level: float
    failed: int
    """Grid points at which the model or the fit gave no number."""

    @property
    def bounded(self) -> bool:
        """Whether the data end the interval on both sides, within the grid."""
        return self.low > 0 and math.isfinite(self.high)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per grid point."""
        import pandas as pd

        return pd.DataFrame({"rise": self.rise}, index=pd.Index(self.grid, name=self.name))

    def explain(self, language: str = "en") -> str:
        """The interval, or on which side there is none."""
        korean = is_korean(language)
        part = f"{100 * self.level:g}"
        low, high = say(self.low), say(self.high)
        first, last = say(float(self.grid[0])), say(float(self.grid[-1]))
        if self.bounded:
            return (
                f"「{self.name}」: 최적값 {say(self.best)}, {part}% 구간 {low}~{high}입니다."
                if korean
                else f"{self.name} is best at {say(self.best)}, with {part} % interval {low} to {high}."
            )
        side = (
            ("위아래로", "on both sides")
            if self.low <= 0 and not math.isfinite(self.high)
            else ("위로", "from above")
            if self.low > 0
            else ("아래로", "from below")
        )
        return (
            f"「{self.name}」: 이 자료만으로는 {side[0]} 한정되지 않습니다 ({part}% 구간 {low}~{high}, "
            f"{first}~{last} 범위에서 확인)."
            if korean
            else f"{self.name} is not identifiable {side[1]} from these data ({part} % interval {low} "
            f"to {high}; tried from {first} to {last})."
        )

    def __repr__(self) -> str:
        return f"<profile of {self.name}: {self.low:.4g} to {self.high:.4g}>"


def profile(
    residuals: Residuals,
    best: ArrayLike,
    names: Iterable[str] | None = None,
    *,
    only: Iterable[str] | None = None,
    factor: float = 100.0,
    points: int = 20,
    level: float = 0.95,
) -> tuple[Profile, ...]:
    """The profile of each parameter, or of ``only`` some, around a fit ``best`` (P,), all above 0.

    Each is tried from best/``factor`` to best·``factor`` on a logarithmic grid of ``points`` on each
    side, walking away from the best fit with the last fit as the start of the next, and stopping two
    points after the level is passed. The crossing is found by interpolation of the rise. The fit is
    improved first: a start that is not the best makes intervals too long.

    Raises UsageError for parameters not above 0, unknown names, a grid without points, or residuals
    that are no numbers at ``best``.
    """
    start = np.asarray(best, dtype=float)
    if start.ndim != 1 or not start.size or not (np.isfinite(start) & (start > 0)).all():
        raise UsageError("Profiles need a row of parameters above 0: the grid is logarithmic.")
    if not (factor > 1 and points >= 1 and 0 < level < 1):
        raise UsageError("factor must be above 1, points at least 1, and level between 0 and 1.")
    columns = named(names, start.size, "parameter")
    wanted = list(columns if only is None else only)
    for name in wanted:
        if name not in columns:
            raise UsageError(f"There is no parameter {name!r} to profile.")
    from scipy.stats import chi2

    bar = float(chi2.ppf(level, 1))
    top, least = _fit(residuals, np.log(start), np.ones(start.size, dtype=bool))
    if not math.isfinite(least):
        raise UsageError("The residuals at the best parameters are no numbers.")
    return tuple(
        _profile(residuals, top, least, columns.index(name), name, factor, points, bar, level)
        for name in wanted
    )


def _profile(
    residuals: Residuals,
    top: Array,
    least: float,
    place: int,
    name: str,
    factor: float,
    points: int,
    bar: float,
    level: float,
) -> Profile:
    free = np.arange(top.size) != place
    # Finer near the best fit: an interval of two percent is found as well as one of a factor ten.
    steps = np.log(factor) * np.geomspace(1e-4, 1.0, points)
    sides: list[list[tuple[float, float]]] = []
    for sign in (-1.0, 1.0):
        walk = top.copy()
        found: list[tuple[float, float]] = []
        past = 0
        for step in steps:
            walk[place] = top[place] + sign * step
            fitted, misfit = _fit(residuals, walk, free)
            rise = max(misfit - least, 0.0) if math.isfinite(misfit) else math.nan
            if math.isfinite(misfit):
                walk = fitted
            found.append((sign * step, rise))
            past += rise > bar
            if past == 2:
                break
        sides.append(found)
    low = _crossing(sides[0], bar)
    high = _crossing(sides[1], bar)
    line = [*reversed(sides[0]), (0.0, 0.0), *sides[1]]
    rises = np.array([r for _, r in line])
    return Profile(
        name=name,
        best=float(np.exp(top[place])),
        grid=frozen(np.exp(top[place] + np.array([s for s, _ in line]))),
        rise=frozen(rises),
        low=float(np.exp(top[place] + low)) if low is not None else 0.0,
        high=float(np.exp(top[place] + high)) if high is not None else math.inf,
        level=level,
        failed=int(np.isnan(rises).sum()),
    )


def _crossing(side: list[tuple[float, float]], bar: float) -> float | None:
    """Where the rise passes the bar: √rise is nearly straight in the step, so it is interpolated."""
    step, root = 0.0, 0.0
    goal = math.sqrt(bar)
    for next_step, rise in side:
        if math.isnan(rise):
            continue
        next_root = math.sqrt(rise)
        if next_root >= goal:
            return step + (next_step - step) * (goal - root) / (next_root - root)
        step, root = next_step, next_root
    return None


def _fit(residuals: Residuals, logs: Array, free: NDArray[np.bool_]) -> tuple[Array, float]:
    """The least sum of squares over the free parameters, and where; infinite when it failed."""
    from scipy.optimize import least_squares

    broken: list[bool] = []

    def misfit(part: Array) -> Array:
        full = logs.copy()
        full[free] = part
        # A step into nonsense is no mistake of the model: the solver takes a shorter one.
        with np.errstate(all="ignore"):
            found = np.asarray(residuals(np.exp(full)), dtype=float)
        broken[:] = [] if np.isfinite(found).all() else [True]
        return found

    here = misfit(logs[free])
    if broken:
        return logs, math.inf
    if not free.any():
        return logs, float((here**2).sum())
    try:
        best = least_squares(misfit, logs[free], method="trf", xtol=1e-10, ftol=1e-10, gtol=1e-10)
    except (ValueError, np.linalg.LinAlgError):
        if broken:  # a slope that is no number
            return logs, math.inf
        raise
    full = logs.copy()
    full[free] = best.x
    return full, float(2 * best.cost)
