"""Members that have no sound run: which, what broke first, when, and why. A failure is data, a row.

A member fails when a saved variable, a variable that an outcome reads, or a stock on which one of these
depends is no finite number at a saved time. (What nothing asked for depends on is not computed.) What
only an outcome asks for may break alone; the outcome then has no value, and the run is sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.solve.engines import has_compiler
from flywheel.solve.fixed import run_fixed
from flywheel.solve.grid import Grid
from flywheel.solve.plan import Plan
from flywheel.solve.status import time_text
from flywheel.sweep.kernel import MemberKernel

if TYPE_CHECKING:
    from flywheel.kernel.assembly import Method

Array = NDArray[np.float64]
EXPLAINED = 32
"""Failures of a shard, the first by number, whose cause is searched for in the equations."""


@dataclass(frozen=True, eq=False)
class Failures:
    """Rows in order of member: number, the variable that broke first, when, and a sentence."""

    members: NDArray[np.int64]
    variables: tuple[str, ...]
    times: Array
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.members)


@dataclass(eq=False)
class FailureFinder:
    """Looks again at members whose numbers are not finite, in order of number; one per shard.

    ``watched``: the columns of ``plan`` that must be finite for a run to be sound.
    """

    plan: Plan
    grid: Grid
    method: Method
    seed: int
    kernel: MemberKernel
    watched: NDArray[np.bool_]
    _members: list[int] = field(default_factory=list)
    _variables: list[str] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _reasons: list[str] = field(default_factory=list)

    def look(self, inputs: Array, members: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first saved row that is broken, or -1 for a run that is sound after all, (M,).

        ``inputs`` (M, P) of suspects, ``members`` (M,) their numbers.
        """
        values, _ = self.kernel.run(np.ascontiguousarray(inputs), members)
        broken = ~np.isfinite(values)
        failed = (broken & self.watched).any(axis=(1, 2))
        judged = (broken & self.plan.judged).any(axis=2)
        rows = np.where(failed, judged.argmax(axis=1), -1)
        for k in np.flatnonzero(failed):
            self._explain(inputs[k], int(members[k]), broken[k], int(rows[k]))
        return np.asarray(rows, dtype=np.int64)

    def result(self) -> Failures:
        """All failures so far."""
        order = sorted(range(len(self._members)), key=self._members.__getitem__)
        return Failures(
            np.array([self._members[k] for k in order], dtype=np.int64),
            tuple(self._variables[k] for k in order),
            np.array([self._times[k] for k in order], dtype=np.float64),
            tuple(self._reasons[k] for k in order),
        )

    def _explain(self, inputs: Array, member: int, broken: NDArray[np.bool_], row: int) -> None:
        first = int((broken[row] & self.plan.judged).argmax())
        variable, time = self.plan.columns[first].split("@")[0], float(self.grid.times[row])
        reason = _sentence(variable, time)
        if len(self._members) < EXPLAINED:
            prefer = "llvm" if has_compiler() else "reference"
            _, status, _ = run_fixed(
                self.plan, self.grid, inputs, self.method, self.seed, None, prefer, member
            )
            if not status.ok and status.variable is not None and status.time is not None:
                variable, time = status.variable, status.time
                # Lines depend on where the model was read, and the same run must say the same.
                reason = status.message.removesuffix(f" ({status.span})")
        self._row(member, variable, time, reason)

    def note(self, member: int, variable: str, row: int) -> None:
        """A failure that shows in the sweep's own numbers alone: at the edge, where rounding decides."""
        time = float(self.grid.times[row])
        self._row(member, variable, time, _sentence(variable, time))

    def _row(self, member: int, variable: str, time: float, reason: str) -> None:
        self._members.append(member)
        self._variables.append(variable)
        self._times.append(time)
        self._reasons.append(reason)


def _sentence(variable: str, time: float) -> str:
    return f"{variable} is no finite number at time {time_text(time)}"


def watched(plan: Plan, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Which columns of a plan must be finite: of ``columns`` those that are no outcome's own."""
    wanted = set(columns)
    named = np.array([name in wanted for name in plan.columns], dtype=bool)
    found: NDArray[np.bool_] = named & plan.judged
    return found
