"""Adaptive and stiff solvers of scipy, made to stop where the equations change and never to hang.

Between two stop times (``solve.events``) the right-hand side is smooth: conditions on time, noise and
series that jump are held at their value in the middle. Pipelines and noise make every step of the
grid a stop time. scipy's step loop is driven here, not by ``solve_ivp``, so that what was computed
before a failure is kept.

RK45, DOP853 and LSODA keep a closed total to rounding; BDF and Radau end their inner iterations at a
tolerance and keep it to about 1e-8 (1e-6 is promised).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.guard import Guard, Stopped
from flywheel.kernel.noise import draws
from flywheel.kernel.reference import Held, Line
from flywheel.solve.events import stop_times
from flywheel.solve.grid import Grid
from flywheel.solve.plan import Plan
from flywheel.solve.status import OK, Status, from_fault, out_of_time, stopped

SOLVERS = {"rk45": "RK45", "dop853": "DOP853", "lsoda": "LSODA", "bdf": "BDF", "radau": "Radau"}
"""Our names of the methods and scipy's classes."""
_RETRIES = 200
"""Restarts with a smaller step, over a run, after a trial step that left the domain."""


def run_adaptive(
    plan: Plan,
    grid: Grid,
    inputs: NDArray[np.float64],
    method: str,
    seed: int,
    seconds: float | None,
    max_evaluations: int,
    rtol: float,
    atol: float | None,
) -> tuple[NDArray[np.float64], Status, str]:
    """Values (saves, columns), how it ended, and the engine that computed it."""
    run = _AdaptiveRun(plan, grid, inputs, method, seed, seconds, max_evaluations, rtol, atol)
    # The solvers' own arithmetic may overflow on the way to a failure that the guard reports.
    with np.errstate(all="ignore"):
        status = run.go()
    return run.values, status, "scipy"


class _AdaptiveRun:
    """One run under way."""

    def __init__(
        self,
        plan: Plan,
        grid: Grid,
        inputs: NDArray[np.float64],
        method: str,
        seed: int,
        seconds: float | None,
        max_evaluations: int,
        rtol: float,
        atol: float | None,
    ) -> None:
        self.plan = plan
        self.grid = grid
        self.inputs = [float(x) for x in inputs]
        self.method = method
        self.seconds = seconds
        self.rtol = rtol
        self.atol = atol
        self.values = np.full((grid.saves, len(plan.columns)), math.nan)
        self.guard = Guard(max_evaluations, None if seconds is None else monotonic() + seconds)
        self.reference = plan.reference
        system = plan.system
        self.names = [s.name for s in system.stocks]
        self.loose = [i for i, name in enumerate(self.names) if name in plan.foreign]
        self.spoiled: dict[int, float] = {}
        self.places = [self.reference.position[name] for name in plan.columns]
        self.judged = [int(i) for i in np.flatnonzero(plan.judged)]
        steps = grid.steps if system.noises else 0
        self.noise = draws(system.noises, seed, 0, steps, grid.step, system.time.step)
        self.saved = 0
        self.retries = 0
        self.lines: list[Line] = []
        self.flow: tuple[float, tuple[tuple[float, float], ...]] = (grid.start, ())
        self.at_start = True

    def go(self) -> Status:
        """Runs to the end or to the failure; the values so far are in ``values``."""
        self.held = self._held_at(self.grid.start)
        self.slopes = self.plan.rates.slopes(self.inputs, self.held)
        try:
            self._go()
        except Stopped as stop:
            return self._status(stop)
        finally:
            for place, since in self.spoiled.items():
                column = self.plan.position[self.names[place]]
                self.values[self.grid.times >= since, column] = math.nan
        return OK

    def _go(self) -> None:
        grid, reference = self.grid, self.reference
        first = reference.initial_row(grid.start, self.inputs, self.held)
        self.lines = reference.lines(first, grid.step)
        y = np.array([first[reference.position[name]] for name in self.names])
        self._turn(grid.start, y)
        self._save(grid.start, y)
        self.at_start = False
        stops = stop_times(reference, self.inputs, grid, self.guard.tick)
        absolute = self._tolerance(y)
        for begin, end in pairwise(stops):
            self._turn(begin, y)
            self.held = self._held_between(begin, end)
            self.slopes.hold(self.held)
            y = self._segment(begin, end, y, absolute)

    def _tolerance(self, y: NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Absolute tolerances: as given, else 1e-10 of each stock's initial size (of 1 for a zero)."""
        if self.atol is not None:
            return self.atol
        scale = np.where(y == 0, 1.0, np.abs(y))
        found: NDArray[np.float64] = 1e-10 * scale * (self.rtol / 1e-8 if self.rtol < 1e-8 else 1.0)
        return found

    # Segments ---------------------------------------------------------------------------------

    def _segment(
        self, t: float, end: float, y: NDArray[np.float64], absolute: float | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Integrates to the end of a segment, saving on the way; the state at the end."""
        if not len(y):
            self._save_until(end + self._slack, lambda at: y)
            return y
        rates = self.guard.watch(self._rates)
        first_step: float | None = None
        while t < end:
            solver = None
            try:
                solver = _solver(self.method)(
                    rates, t, y, end, rtol=self.rtol, atol=absolute, first_step=first_step
                )
                while solver.status == "running":
                    t, y = self._step(solver, end)
            except Stopped as stop:
                first_step = self._smaller(stop, t)
                if first_step is None:
                    raise
        return y

    def _step(self, solver: Any, end: float) -> tuple[float, NDArray[np.float64]]:
        """One accepted step of the solver and the saves inside it; where the run stands then."""
        before, state = float(solver.t), np.array(solver.y)
        solver.step()
        if solver.status == "failed":
            raise Stopped("stuck", before, state.tolist())
        t, y = float(solver.t), np.array(solver.y)
        limit = t + self._slack if t >= end else t
        if self._is_due(limit):
            dense = solver.dense_output()
            self._save_until(limit, lambda at: y if at >= t else dense(at))
        return t, y

    def _smaller(self, stop: Stopped, t: float) -> float | None:
        """A first step with which to try again after a trial step left the domain of the equations.

        Solvers feel their way; a trial beyond the edge is no failure as long as smaller steps exist.
        None when the fault is where the run already stands.
        """
        distance = stop.time - t
        self.retries += 1
        if stop.reason != "fault" or self.retries > _RETRIES or distance <= 64 * math.ulp(t):
            return None
        smaller = distance / 8
        return smaller if smaller > 1e-13 * self.grid.step else None

    def _rates(self, t: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        found = self.slopes(t, y)
        for place in self.loose:
            if not math.isfinite(found[place]):
                # An outcome that has no value must not fail the run: it alone becomes NaN.
                self.spoiled.setdefault(place, t)
                found[place] = 0.0
        return found

    # What is held -----------------------------------------------------------------------------

    def _index(self, t: float) -> int:
        """The step of the grid that a time lies in."""
        return min(int((t - self.grid.start) / self.grid.step + 1e-6), self.grid.steps)

    def _noise_at(self, t: float) -> list[float]:
        return [float(x) for x in self.noise[self._index(t)]] if self.noise.shape[1] else []

    def _held_at(self, t: float) -> Held:
        """As a fixed-step method would hold things at a grid time: for values to save."""
        origin, slopes = self.flow
        flowing = tuple((value + slope * (t - origin), slope) for value, slope in slopes)
        noise = self._noise_at(t)
        return self.reference.held(t, self.grid.step, self.inputs, noise, flowing)

    def _held_between(self, begin: float, end: float) -> Held:
        """Over a segment: conditions as they are in its middle, pipelines on their way."""
        middle = 0.5 * (begin + end)
        noise = self._noise_at(begin)
        origin, slopes = self.flow
        return replace(self.reference.held(middle, 0.0, self.inputs, noise, slopes), time=origin)

    def _turn(self, t: float, y: NDArray[np.float64]) -> None:
        """Lets pipelines take in what enters at the start of a step."""
        if not self.lines:
            return
        k = self._index(t)
        if len(self.lines[0].entered) > k:
            return
        self.flow = (t, tuple((line.at(k), 0.0) for line in self.lines))
        held = self._held_at(t)
        row = self.reference.row(t, [float(x) for x in y], self.inputs, held)
        if k < self.grid.steps:
            turned = self.reference.turn(self.lines, k, row, held, self.grid.step)
            self.flow = (t, turned.pipelines)

    # Saving -----------------------------------------------------------------------------------

    @property
    def _slack(self) -> float:
        """At the end of a segment a save that rounding put just behind it belongs to it."""
        return 1e-9 * self.grid.step

    def _is_due(self, limit: float) -> bool:
        return self.saved < self.grid.saves and float(self.grid.times[self.saved]) <= limit

    def _save_until(self, limit: float, state: Callable[[float], NDArray[np.float64]]) -> None:
        while self._is_due(limit):
            at = float(self.grid.times[self.saved])
            self._save(at, state(at))

    def _save(self, t: float, y: NDArray[np.float64]) -> None:
        held = self._held_at(t)
        row = self.reference.row(t, [float(x) for x in y], self.inputs, held)
        found = [row[place] for place in self.places]
        self.values[self.saved] = found
        self.saved += 1
        if not all(math.isfinite(found[i]) for i in self.judged):
            self.held = held
            raise Stopped("output", t, [float(x) for x in y])

    # Failures ---------------------------------------------------------------------------------

    def _status(self, stop: Stopped) -> Status:
        if stop.reason == "deadline":
            assert self.seconds is not None
            return out_of_time(self.seconds, stop.time)
        state = [float(x) for x in stop.state]
        if stop.reason in ("fault", "output"):
            fault = self.reference.diagnose(
                stop.time, state, self.inputs, self.held, at_start=self.at_start
            )
            if fault is not None:
                return from_fault(fault)
        name, value, rate = self._fastest(stop.time, state)
        if stop.reason == "evaluations":
            why = f"was still changing when all {self.guard.limit:,} evaluations were used"
        else:
            why = f"changes too fast for {self.method}: it is {value:.6g} and its rate {rate:.6g}"
        return stopped(self.plan.model, why, name, stop.time)

    def _fastest(self, t: float, state: list[float]) -> tuple[str, float, float]:
        """The stock that changes fastest relative to its size."""
        rates = self.reference.rates(t, state, self.inputs, self.held)

        def speed(place: int) -> float:
            found = abs(rates[place]) / (abs(state[place]) + 1e-300)
            return math.inf if found != found else found

        own = [i for i in range(len(state)) if i not in self.loose] or list(range(len(state)))
        worst = max(own, key=speed)
        owner = self.plan.system.stocks[worst].owner
        return owner, state[worst], rates[worst]


def _solver(method: str) -> Any:
    """scipy's class for a method; scipy takes half a second to import, so only who asks pays."""
    from scipy import integrate

    return getattr(integrate, SOLVERS[method])
