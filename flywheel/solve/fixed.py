"""Fixed-step runs: one call of an engine, and a search for the culprit when it went wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.kernel.faults import Fault
from flywheel.kernel.noise import draws
from flywheel.kernel.reference import METHODS, Held
from flywheel.solve.grid import Grid
from flywheel.solve.plan import Plan
from flywheel.solve.status import OK, Status, from_fault, out_of_time

STAGES = {"euler": 1, "rk4": 4}
"""Evaluations of the rates in one step."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes that the values of one run may take."""


def check_size(plan: Plan, grid: Grid, evaluations: int, limit: int) -> None:
    """Refuses a run that is too long before it starts. Raises UsageError that names the limit."""
    if evaluations > limit:
        raise UsageError(
            f"{grid.steps:,} steps need {evaluations:,} evaluations, more than "
            f"max_evaluations={limit:,}; take a longer step or raise max_evaluations"
        )
    size = grid.saves * len(plan.columns) * 8
    if size > MEMORY_LIMIT:
        raise UsageError(
            f"{grid.saves:,} saved times of {len(plan.columns):,} variables take "
            f"{size / 1024**3:.1f} GiB, more than the limit of 2 GiB; save less often"
        )


def run_fixed(
    plan: Plan,
    grid: Grid,
    inputs: NDArray[np.float64],
    method: str,
    seed: int,
    seconds: float | None,
    prefer: str | None,
    member: int = 0,
) -> tuple[NDArray[np.float64], Status, str]:
    """Values (saves, columns), how it ended, and the engine that computed it.

    ``member`` keys the noise.
    """
    engine = plan.engine(method, prefer)
    name = engine.name
    deadline = None if seconds is None else monotonic() + seconds
    found = engine.run(inputs[np.newaxis], grid, seed=seed, first_member=member, deadline=deadline)
    values = found.values[0]
    sound = np.isfinite(values)
    if sound.all():
        return values, OK, name
    bad = ~(sound | ~plan.judged).all(axis=1)
    if found.reached < grid.saves and not bad[: found.reached].any():
        assert seconds is not None
        return values, out_of_time(seconds, float(grid.times[found.reached - 1])), name
    if not bad.any():
        return values, OK, name
    row = int(bad.argmax())
    status = from_fault(_Replay(plan, grid, inputs, values, method, seed, member).fault(row))
    assert status.time is not None
    values = np.array(values)
    values[grid.times > status.time + 1e-9 * grid.step] = math.nan
    return values, status, name


class _Found(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Replay:
    """Goes through the steps between two saves again, with the reference, to see where it fails."""

    def __init__(
        self,
        plan: Plan,
        grid: Grid,
        inputs: NDArray[np.float64],
        values: NDArray[np.float64],
        method: str,
        seed: int,
        member: int,
    ) -> None:
        self.plan = plan
        self.grid = grid
        self.inputs = [float(x) for x in inputs]
        self.values = values
        self.method = method
        self.seed = seed
        self.member = member

    def fault(self, row: int) -> Fault:
        """What made row ``row`` of the saved values the first that is not finite."""
        try:
            self._search(row)
        except _Found as found:
            return found.fault
        # The replay differs from the run by rounding only; at the edge that can hide the fault.
        bad = int((self.plan.judged & ~np.isfinite(self.values[row])).argmax())
        name = self.plan.columns[bad].split("@")[0]
        span = self.plan.model.variables[name].span
        time = float(self.grid.times[row])
        return Fault(name, "has no finite value", span, (), time)

    def _search(self, row: int) -> None:
        reference, grid, plan = self.plan.reference, self.grid, self.plan
        first = max(row - 1, 0) * grid.save_every
        last = row * grid.save_every
        step, model_step = grid.step, plan.system.time.step
        noise = draws(plan.system.noises, self.seed, self.member, last, step, model_step)
        places = [plan.position[s.name] for s in plan.system.stocks]
        y = [float(self.values[max(row - 1, 0), place]) for place in places]
        own = [s.name not in plan.foreign for s in plan.system.stocks]
        for k in range(first, last + 1):
            t = grid.start + k * step
            pipelines = self._pipelines(row, k)
            held = reference.held(t, step, self.inputs, [float(x) for x in noise[k]], pipelines)
            self._judge(t, y, held, at_start=k == 0)
            if k < last:
                y = METHODS[self.method](self._watched(held), t, y, step)
                for stock, value, counts in zip(plan.system.stocks, y, own, strict=True):
                    if counts and not math.isfinite(value):
                        message = "grows beyond the largest number"
                        raise _Found(Fault(stock.owner, message, stock.span, (), t + step))

    def _watched(self, held: Held):  # type: ignore[no-untyped-def]
        def rates(t: float, y: Sequence[float]) -> list[float]:
            found = self.plan.reference.rates(t, y, self.inputs, held)
            if not all(map(math.isfinite, found)):
                self._judge(t, y, held)
            return found

        return rates

    def _judge(self, t: float, y: Sequence[float], held: Held, *, at_start: bool = False) -> None:
        fault = self.plan.reference.diagnose(t, y, self.inputs, held, at_start=at_start)
        if fault is not None:
            raise _Found(fault)

    def _pipelines(self, row: int, k: int) -> list[tuple[float, float]]:
        """Value and slope of each pipeline at step k, linear between the saves around it."""
        before = max(row - 1, 0)
        part = k / self.grid.save_every - before
        found = []
        for pipeline in self.plan.system.pipelines:
            place = self.plan.position[pipeline.name]
            a, b = float(self.values[before, place]), float(self.values[row, place])
            rise = b - a if math.isfinite(b) else 0.0
            found.append((a + part * rise, rise / self.grid.save))
        return found
