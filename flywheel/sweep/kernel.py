"""Many members through one kernel: values where the caller wants them, noise by member number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.ir import lower
from flywheel.kernel.noise import noise_rows, normals
from flywheel.kernel.system import System
from flywheel.solve.engines import ReferenceEngine, has_compiler, series_table
from flywheel.solve.grid import Grid

if TYPE_CHECKING:
    from flywheel.kernel.assembly import Method

Array = NDArray[np.float64]
LANES = 8


class MemberKernel:
    """Runs rows of inputs on a grid; the same member has the same bytes in any company.

    Machine code where there is a compiler, else the reference (slow, equal but for rounding).
    ``states`` are the stocks on which the columns depend; others are not computed.
    """

    def __init__(
        self,
        system: System,
        columns: Sequence[str],
        method: Method,
        grid: Grid,
        seed: int,
        lanes: int = LANES,
    ) -> None:
        self.system = system
        self.columns = tuple(columns)
        self.grid = grid
        self.seed = seed
        self.name = "llvm" if has_compiler() else "reference"
        program = lower(system, self.columns)
        self.states: tuple[str, ...] = program.states
        self._slow: ReferenceEngine | None = None
        if self.name == "reference":
            wanted = tuple(dict.fromkeys([*self.columns, *self.states]))
            self._slow = ReferenceEngine(system, wanted, method)
            self._wanted = wanted
            return
        from flywheel.kernel.llvm import compile_fixed

        self._kernel = compile_fixed(program, method, lanes)
        by_name = {series.name: series for series in system.series}
        self._given: dict[str, Any] = {
            "start": grid.start,
            "step": grid.step,
            "steps": grid.steps,
            "every": grid.save_every,
            "series": series_table([by_name[name] for name in program.series], grid),
        }
        self._noisy = bool(program.noises)

    def run(
        self, inputs: Array, members: NDArray[np.int64], out: Array | None = None
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Values (M, T, V) of the columns, in ``out`` where it is given, and which members' states
        did not stay finite, (M,). ``members`` (M,) key the noise."""
        if self._slow is not None:
            return self._slowly(self._slow, inputs, members, out)
        noise: dict[str, Any] = {}
        if self._noisy:
            rows = noise_rows(self.grid.steps, self.grid.step, self.system.time.step)
            count = int(rows[-1]) + 1
            drawn = [
                np.column_stack(
                    [normals(self.seed, one.stream, int(m), count) for one in self.system.noises]
                )
                for m in members
            ]
            noise = {"noise": np.stack(drawn), "noise_row": rows}
        found, bad = self._kernel.run(inputs, out=out, **self._given, **noise)
        return found, bad >= 0

    def _slowly(
        self,
        engine: ReferenceEngine,
        inputs: Array,
        members: NDArray[np.int64],
        out: Array | None,
    ) -> tuple[Array, NDArray[np.bool_]]:
        parts = [
            engine.run(row[np.newaxis], self.grid, seed=self.seed, first_member=int(m)).values
            for row, m in zip(inputs, members, strict=True)
        ]
        every = np.concatenate(parts)
        states = every[:, :, [self._wanted.index(name) for name in self.states]]
        broken: NDArray[np.bool_] = np.logical_not(np.isfinite(states).all(axis=(1, 2)))
        values = every[:, :, : len(self.columns)]
        if out is None:
            return np.ascontiguousarray(values), broken
        out[:] = values
        return out, broken
