"""Is the gradient right? Exact derivatives against differences of runs, along random directions.

A wrong derivative rule, a condition that jumps with the state or a value without a slope shows in any
random direction, so that a few directions test all inputs at once, for a few runs each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.solve.smoothness import flags

if TYPE_CHECKING:
    from flywheel.solve.study import Study

Array = NDArray[np.float64]

STEP = 1e-4
"""How far each input is moved, relative to its size times a normal number; then half as far."""
TOLERANCE = 1e-4
_FLOOR = 1e-8
"""Derivatives are judged relative to themselves, but not below this share of the outcome: there
differences of runs hold no digit that counts."""
_STEADY = 0.1
"""How much the slope of one side may change when the step is halved; at a jump it doubles."""


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """Slopes of an outcome along random directions, exact and as differences of runs.

    ``exact``, ``difference`` and ``errors`` (relative) have shape (rows, horizons): first the directions
    of parameters and dials, then those of initial stocks. An error is NaN where a run or a derivative
    has no value. ``corners`` says where the outcome has a corner exactly here, so that it has two
    slopes, and ``exact`` is one of them. ``left_out`` are inputs that decide events or are switched on
    and off; ``jumps`` variables with conditions on the state.
    """

    outcome: str
    horizons: tuple[float, ...]
    time_unit: str
    seed: int
    inputs: tuple[str, ...]
    left_out: tuple[str, ...]
    jumps: tuple[str, ...]
    exact: Array
    difference: Array
    errors: Array
    corners: NDArray[np.bool_]

    @property
    def worst(self) -> float:
        """The largest relative error; NaN where one could not be computed."""
        return float(self.errors.max(initial=0.0))

    @property
    def ok(self) -> bool:
        """Whether all errors are below 1e-4."""
        return self.worst < TOLERANCE

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return (
            f"<gradient of {self.outcome}: {'ok' if self.ok else 'wrong'}, error {self.worst:.1e}>"
        )

    def explain(self, language: str = "en") -> str:
        """The result in a sentence or two, English or Korean."""
        rows, width = len(self.errors), len(self.inputs)
        horizon = self.horizons[int(np.argmax(self.errors.max(axis=0, initial=0.0)))]
        at = f"{horizon:g} {self.time_unit}".strip()
        jumps = ", ".join(self.jumps)
        worst, corner = f"{self.worst:.1e}", bool(self.corners.any())
        if language == "ko":
            head = (
                f"{self.outcome}의 미분을 입력 {width}개의 무작위 방향 {rows}개에서 확인했습니다. "
            )
            if np.isnan(self.worst):
                return f"{head}기간 {at}에서 값이 없는 실행이 있어 판단할 수 없습니다."
            if self.ok:
                more = " 결과가 이 지점에서 꺾이므로 미분은 한쪽 기울기입니다." if corner else ""
                return (
                    f"{head}실행의 차분과 일치합니다(기간 {at}에서 최대 상대 오차 {worst}).{more}"
                )
            why = f" 상태 조건에서 튀는 변수가 있습니다: {jumps}." if jumps else ""
            return f"{head}기간 {at}에서 상대 오차가 {worst}이므로 차분과 일치하지 않습니다.{why}"
        head = f"Derivatives of {self.outcome} to {width} inputs, along {rows} random directions, "
        if np.isnan(self.worst):
            return f"{head}could not be judged: at horizon {at} a run or a derivative has no value."
        if self.ok:
            more = (
                " It has a corner here: the derivative is the slope of one side." if corner else ""
            )
            return (
                f"{head}agree with differences of runs: the largest relative error is {worst}, at "
                f"horizon {at}.{more}"
            )
        why = f" Conditions on the state make these jump: {jumps}." if jumps else ""
        return (
            f"{head}do not agree with differences of runs: the relative error is {worst} at horizon "
            f"{at}.{why}"
        )


def check_gradient(study: Study, seed: int = 0, directions: int = 3) -> GradientCheck:
    """Compare ``study.gradient()`` with differences of runs along random directions.

    Each direction moves every input by a normal number times its size: both ways by a step of 1e-4
    and of half of it, so that what is left of the differences' own error is of fourth order. Parameters
    and dials have their directions, initial stocks others, for a stock that is set no longer follows
    from parameters.

    Raises UsageError for fewer than one direction.
    """
    if directions < 1:
        raise UsageError(f"give at least one direction, not {directions}")
    gradient = study.gradient()
    switched = flags(study.system)
    kept = [
        k
        for k, name in enumerate(gradient.names)
        if gradient.method[k] == "adjoint" and name not in switched
    ]
    names = [gradient.names[k] for k in kept]
    is_stock = np.array([name in study.model.stocks for name in names], dtype=bool)
    rng = np.random.default_rng(seed)
    found: list[tuple[NDArray[Any], ...]] = []
    for part in (~is_stock, is_stock):
        mine = [k for k, here in zip(kept, part, strict=True) if here]
        some = [gradient.names[k] for k in mine]
        if not some:
            continue
        along = rng.normal(size=(directions, len(some))) * [_size(study, name) for name in some]
        exact = along @ gradient.values[:, mine].T
        found.append((exact, *_judged(study, some, along, exact)))
    nothing = np.zeros((0, len(study.horizons)))
    arrays = [np.concatenate([nothing, *(one[place] for one in found)]) for place in range(4)]
    for array in arrays:
        array.flags.writeable = False
    return GradientCheck(
        outcome=study.name,
        horizons=study.horizons,
        time_unit=study.time_unit,
        seed=seed,
        inputs=tuple(names),
        left_out=tuple(name for name in gradient.names if name not in names),
        jumps=study.jumps,
        exact=arrays[0],
        difference=arrays[1],
        errors=arrays[2],
        corners=arrays[3].astype(bool),
    )


def _judged(
    study: Study, names: list[str], along: Array, exact: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Differences of runs along directions, their relative distance from ``exact``, and where only
    the slope of one side agrees."""
    base = np.array([study.base(name) for name in names])
    steps = (STEP, STEP / 2)
    rows = [base + way * h * along for h in steps for way in (1.0, -1.0)]
    runs = study.run(names, np.concatenate(rows)).outcomes
    far_up, far_down, up, down = np.split(runs, 4)
    sides = []
    for far, near, way in ((far_up, up, 1.0), (far_down, down, -1.0)):
        far, near = (
            (run - study.value) / (way * h) for run, h in zip((far, near), steps, strict=True)
        )
        sides.append((far, near))
    centre = (4.0 * (sides[0][1] + sides[1][1]) - (sides[0][0] + sides[1][0])) / 6.0
    size = np.maximum(np.maximum(np.abs(exact), np.abs(centre)), _FLOOR * np.abs(study.value))

    def error(other: Array) -> Array:
        gap = np.abs(exact - other)
        return np.divide(gap, size, out=gap.copy(), where=size > 0)

    difference, errors = centre, error(centre)
    corners = np.zeros(errors.shape, dtype=bool)
    steady = np.all([np.abs(far - near) <= _STEADY * size for far, near in sides], axis=0)
    for far, near in sides:
        slope = 2.0 * near - far
        better = steady & (errors >= TOLERANCE) & (error(slope) < TOLERANCE)
        difference, errors = (
            np.where(better, slope, difference),
            np.where(better, error(slope), errors),
        )
        corners |= better
    return difference, errors, corners


def _size(study: Study, name: str) -> float:
    """How far an input may be moved: its own size, but not beyond its declared range (the size of a
    year says nothing); 1 where it is 0."""
    size = abs(study.base(name)) or 1.0
    param = study.model.params.get(name)
    if param is None or param.low is None or param.high is None or param.low == param.high:
        return size
    return min(size, param.high - param.low)
