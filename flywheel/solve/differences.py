"""Central differences of adaptive runs, for inputs that have no derivative a run could carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.guard import Stopped
from flywheel.solve.flows import Flows
from flywheel.solve.status import OK, Status, time_text
from flywheel.solve.tangent_flow import Sliding

Array = NDArray[np.float64]

_RTOL = 1e-10
"""A solver's error enters divided by twice the step."""


@dataclass(frozen=True, eq=False)
class _Beside:
    """A run with the input moved: values (T, V), and at each saved time on which branch it is: what
    conditions, floors and rounds say (T, B)."""

    values: Array
    branches: Array


@dataclass(eq=False)
class Differences:
    """Differences of ``columns`` (V) between runs; ``steps`` are the columns of floors and rounds.

    Runs pass through conditions on the state as those with tangents do: a solver that does not look
    for them can step over a short change. Where a run ``slides`` along one, that cannot be done.
    """

    flows: Flows
    inputs: Array
    columns: tuple[str, ...]
    steps: tuple[str, ...]
    rtol: float
    slides: bool

    def central(self, place: int, h: float) -> tuple[Array, str]:
        """The derivatives to the input at ``place``, shape (T, V), and a remark (often empty).

        A value saved where the two runs stand on different branches would show the jump itself: there
        the difference is taken on the side that agrees with the run, or is left open (NaN).
        """
        runs: dict[int, _Beside] = {}
        remarks: list[str] = []

        def at(moves: int) -> _Beside:
            if moves not in runs:
                inputs = self.inputs.copy()
                inputs[place] += moves * h
                runs[moves], status = self._run(inputs)
                if not status:
                    remarks.append(f"a run beside this one ends early: {status.message}")
            return runs[moves]

        def alike(moves: int) -> NDArray[np.bool_]:
            same = (at(moves).branches == at(0).branches).all(axis=1)
            return np.asarray(same & np.isfinite(at(moves).values).all(axis=1))

        found: Array = (at(1).values - at(-1).values) / (2.0 * h)
        sound = alike(1) & alike(-1)
        for way in (1, -1):
            if sound.all():
                break
            side = ~sound & alike(way) & alike(2 * way)
            one = -3.0 * at(0).values + 4.0 * at(way).values - at(2 * way).values
            found[side] = one[side] / (2.0 * h * way)
            sound |= side
        found[~sound] = math.nan
        if not sound.all() and not remarks:
            t = float(self.flows.grid.times[int((~sound).argmax())])
            remarks.append(f"no derivative where an event passes a saved time, at {time_text(t)}")
        return found, "; ".join(dict.fromkeys(remarks))

    def _run(self, inputs: Array) -> tuple[_Beside, Status]:
        flows, rtol, shown = self.flows, min(self.rtol, _RTOL), len(self.columns)
        switches = self._switches(inputs)
        if self.slides:
            values, status = flows.plain(inputs, rtol, self.columns)
            return _Beside(values, switches), status
        flow, full = flows.flow(
            inputs, np.zeros((1, len(inputs))), np.ones(1), (*self.columns, *self.steps), rtol
        )
        status = OK
        try:
            flow.go(full)
        except Sliding as slide:
            message = f"it slides along the edge of a condition from time {time_text(slide.time)}"
            status = Status(False, message, None, slide.time)
        except Stopped as stop:
            status = flows.status(stop, inputs, rtol)
        branches = np.concatenate([switches, flow.sides, flow.values[:, shown:]], axis=1)
        return _Beside(flow.values[:, :shown], branches), status

    def _switches(self, inputs: Array) -> Array:
        """The conditions on time at every saved time, (T, switches)."""
        reference, grid = self.flows.plan.reference, self.flows.grid
        given: Sequence[float] = inputs.tolist()
        rows = [reference.held(t, grid.step, given).switches for t in grid.times.tolist()]
        return np.array(rows).reshape(grid.saves, -1)
