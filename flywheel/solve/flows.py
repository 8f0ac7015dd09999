"""What the runs behind one answer of ``adaptive_tangents`` share, and how each is made ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.guard import Stopped
from flywheel.kernel.system import System
from flywheel.solve.adaptive import run_adaptive
from flywheel.solve.augmented import Augmented, starting
from flywheel.solve.conditions import Condition
from flywheel.solve.grid import Grid
from flywheel.solve.plan import Plan
from flywheel.solve.status import Status, time_text
from flywheel.solve.tangent_flow import Flow

Array = NDArray[np.float64]


@dataclass(eq=False)
class Flows:
    """Runs of one plan; ``held`` is its system with its ``conditions`` held."""

    plan: Plan
    grid: Grid
    held: System
    conditions: tuple[Condition, ...]
    method: str
    atol: float | None
    max_evaluations: int
    _kernels: dict[tuple[tuple[str, ...], int], Augmented] = field(default_factory=dict)

    def flow(
        self,
        inputs: Array,
        directions: Array,
        scale: Array,
        columns: Sequence[str],
        rtol: float,
    ) -> tuple[Flow, Array]:
        """A run of ``inputs`` (P,) with tangents along ``directions`` (slots, P), of parameters of
        size ``scale`` (slots,), and the full state in which it starts."""
        key = (tuple(columns), len(directions))
        kernel = self._kernels.get(key)
        if kernel is None:
            kernel = Augmented(self.held, self.conditions, columns, len(directions))
            self._kernels[key] = kernel
        kernel.give(inputs, directions)
        system, grid = self.plan.system, self.grid
        y, s = starting(system, kernel.states, inputs, directions, grid.start, grid.step)
        flow = Flow(
            kernel=kernel,
            conditions=self.conditions,
            reference=self.plan.reference,
            inputs=inputs.tolist(),
            grid=grid,
            columns=len(columns),
            scale=scale,
            method=self.method,
            rtol=rtol,
            absolute=self._tolerances(y, scale, rtol),
            max_evaluations=self.max_evaluations,
        )
        return flow, np.concatenate([y, s.ravel()])

    def plain(self, inputs: Array, rtol: float, columns: Sequence[str]) -> tuple[Array, Status]:
        """The run as ``simulate`` makes it: values (T, V), and how it ended."""
        values, status, _ = run_adaptive(
            self.plan,
            self.grid,
            inputs,
            self.method,
            0,
            None,
            self.max_evaluations,
            rtol,
            self.atol,
        )
        return values[:, [self.plan.position[name] for name in columns]], status

    def status(self, stop: Stopped, inputs: Array, rtol: float) -> Status:
        """Why a run with tangents ended early: as the plain run says, which knows the line, if that
        fails too."""
        _, status = self.plain(inputs, rtol, ())
        if not status:
            return status
        what = {
            "evaluations": f"used all {self.max_evaluations:,} evaluations",
            "stuck": f"change too fast for {self.method}",
        }.get(stop.reason, "gave no finite number")
        message = f"states and tangents {what}, at time {time_text(stop.time)}"
        return Status(False, message, None, stop.time)

    def _tolerances(self, y: Array, scale: Array, rtol: float) -> Array:
        """Absolute tolerances of a full state: of states as of a run, of tangents per parameter."""
        if self.atol is not None:
            own = np.full(len(y), self.atol)
        else:
            tighter = rtol / 1e-8 if rtol < 1e-8 else 1.0
            own = 1e-10 * np.where(y == 0, 1.0, np.abs(y)) * tighter
        return np.concatenate([own, (own / scale[:, np.newaxis]).ravel()])
