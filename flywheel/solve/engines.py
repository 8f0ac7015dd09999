"""What turns a system into trajectories: machine code where there is some, else the reference.

A system of many operations takes a while to compile. It answers from the reference at once, is
compiled beside it in a thread, and changes over when the code is there.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.ir import Program, lower
from flywheel.kernel.noise import noise_rows, normals
from flywheel.kernel.reference import Reference
from flywheel.kernel.system import NUDGE, Series, System
from flywheel.solve.grid import Grid

if TYPE_CHECKING:
    from flywheel.kernel.assembly import Method

T = TypeVar("T")

BACKGROUND_ABOVE = 500
"""Operations above which a system is compiled in the background."""
_LONG = 2e7
"""Operations of a run above which a deadline is worth looking at; machine code does 1e9 a second."""
_TABLE_KEPT = 4 * 1024**2
"""Bytes up to which the series over a grid are kept for the next run."""
_TIMED = 0.005
"""Seconds that a piece of a run must take to say how long the whole takes."""


@dataclass(frozen=True)
class Trajectories:
    """``values`` of shape (members, saves, names); of each member ``reached`` rows were computed
    before the deadline."""

    values: NDArray[np.float64]
    reached: int


class FixedEngine(Protocol):
    """Computes a system with one fixed-step method."""

    @property
    def name(self) -> str:
        """``llvm`` or ``reference``: what would answer now."""
        ...

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        """Runs one member per row of ``inputs`` (members, inputs), noise keyed by its number.

        ``deadline`` is a value of ``time.monotonic``; rows not reached by then are NaN.
        """
        ...


class ReferenceEngine:
    """The slow, obvious one."""

    name = "reference"

    def __init__(self, system: System, names: Sequence[str], method: str) -> None:
        self._reference = Reference(system)
        self._places = [self._reference.position[name] for name in names]
        self._method = method

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        values = np.full((len(inputs), grid.saves, len(self._places)), np.nan)
        reached = grid.saves
        for member, row in enumerate(inputs):
            moments = self._reference.moments(
                [float(x) for x in row],
                method=self._method,
                start=grid.start,
                step=grid.step,
                steps=grid.steps,
                seed=seed,
                member=first_member + member,
            )
            for k, moment in enumerate(moments):
                if k % grid.save_every == 0:
                    values[member, k // grid.save_every] = [moment[p] for p in self._places]
                if deadline is not None and monotonic() > deadline:
                    reached = min(reached, k // grid.save_every + 1)
                    break
        return Trajectories(values, reached)


class Upgrading:
    """Answers from one engine until a better one, made in another thread, is there."""

    def __init__(self, now: FixedEngine, better: Future[CompiledEngine]) -> None:
        self._engine: FixedEngine = now
        self._better: Future[CompiledEngine] | None = better

    @property
    def name(self) -> str:
        return self._current().name

    def _current(self) -> FixedEngine:
        better = self._better
        if better is not None and better.done():
            if compiled(better):
                self._engine = better.result()
            self._better = None
        return self._engine

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        return self._current().run(
            inputs, grid, seed=seed, first_member=first_member, deadline=deadline
        )


def compiled(work: Future[T]) -> bool:
    """Whether finished work brought code. If not, the reference goes on, but not in silence."""
    problem = work.exception()
    if problem is not None:
        message = f"this model could not be compiled and runs slowly instead: {problem}"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return problem is None


class CompiledEngine:
    """Machine code through llvmlite."""

    name = "llvm"

    def __init__(self, system: System, program: Program, method: Method) -> None:
        from flywheel.kernel.llvm import compile_fixed

        self._system = system
        self._operations = program.operations * (1 if method == "euler" else 4)
        self._kernel = compile_fixed(program, method)
        self._series: tuple[Grid, NDArray[np.float64]] | None = None

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        steps = grid.steps
        if deadline is not None and len(inputs) * steps * self._operations > _LONG:
            steps = self._affordable(inputs, grid, seed, first_member, deadline)
        part = grid if steps == grid.steps else replace(grid, steps=steps)
        values = self._run(inputs, part, seed, first_member)
        if part is not grid:
            missing = np.full((len(inputs), grid.saves - part.saves, values.shape[2]), np.nan)
            values = np.concatenate([values, missing], axis=1)
        return Trajectories(values, part.saves)

    def _run(
        self, inputs: NDArray[np.float64], grid: Grid, seed: int, first_member: int
    ) -> NDArray[np.float64]:
        noise = rows = None
        if self._system.noises:
            rows = noise_rows(grid.steps, grid.step, self._system.time.step)
            members = range(first_member, first_member + len(inputs))
            noise = np.stack([self._noise(seed, member, int(rows[-1]) + 1) for member in members])
        values, _ = self._kernel.run(
            inputs,
            start=grid.start,
            step=grid.step,
            steps=grid.steps,
            every=grid.save_every,
            series=self._series_of(grid),
            noise=noise,
            noise_row=rows,
        )
        return values

    def _affordable(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        seed: int,
        first_member: int,
        deadline: float,
    ) -> int:
        """How many steps fit before the deadline: machine code cannot be stopped, so a first piece of
        the run, doubled until it can be timed, tells how long the rest would take."""
        rows = 1
        while True:
            begin = monotonic()
            steps = min(rows * grid.save_every, grid.steps)
            self._run(inputs, replace(grid, steps=steps), seed, first_member)
            spent = monotonic() - begin
            if steps == grid.steps or spent > _TIMED:
                break
            rows *= 2
        fitting = int(
            max(deadline - monotonic(), 0.0) / max(spent, 1e-9) * (steps / grid.save_every)
        )
        return min(fitting * grid.save_every, grid.steps)

    def _noise(self, seed: int, member: int, count: int) -> NDArray[np.float64]:
        """The noise of a member, shape (count, streams)."""
        streams = self._system.noises
        return np.column_stack([normals(seed, one.stream, member, count) for one in streams])

    def _series_of(self, grid: Grid) -> NDArray[np.float64]:
        """The series over a grid; that of the last grid is kept."""
        kept = self._series
        if kept is not None and kept[0] == grid:
            return kept[1]
        read = [one for one in self._system.series if one.name in self._kernel.program.series]
        table = series_table(read, grid)
        if table.nbytes <= _TABLE_KEPT:
            self._series = (grid, table)
        return table


def series_table(series: Sequence[Series], grid: Grid) -> NDArray[np.float64]:
    """The series at the start, middle and end of each step, shape (steps + 1, 3, series).

    A series to hold keeps its value at the start of the step, a tie counting as reached.
    """
    table = np.zeros((grid.steps + 1, 3, len(series)))
    starts = grid.start + np.arange(grid.steps + 1) * grid.step
    times = starts[:, np.newaxis] + np.array([0.0, 0.5, 1.0]) * grid.step
    for place, one in enumerate(series):
        if one.hold:
            last = np.searchsorted(one.times, starts + NUDGE * grid.step, side="right") - 1
            table[:, :, place] = np.asarray(one.values)[np.maximum(last, 0)][:, np.newaxis]
        else:
            table[:, :, place] = np.interp(times, one.times, one.values)
    return table


def fixed_engine(
    system: System, names: tuple[str, ...], method: str, *, prefer: str | None = None
) -> FixedEngine:
    """The engine for a system, the names to save and a fixed-step method.

    ``prefer`` asks for ``llvm`` (compiled before it returns, whatever its size) or ``reference``;
    None takes the best there is. Compiled code is kept by the kernel itself, keyed by what shapes it.
    """
    if prefer == "reference" or (prefer is None and not has_compiler()):
        return ReferenceEngine(system, names, method)
    from flywheel.kernel.llvm import is_compiled

    how: Method = "euler" if method == "euler" else "rk4"
    program = lower(system, names)
    if prefer is None and program.operations > BACKGROUND_ABOVE and not is_compiled(program, how):
        better = workshop().submit(CompiledEngine, system, program, how)
        return Upgrading(ReferenceEngine(system, names, method), better)
    return CompiledEngine(system, program, how)


@lru_cache(maxsize=1)
def has_compiler() -> bool:
    """Whether machine code can be made here."""
    return find_spec("llvmlite") is not None


@lru_cache(maxsize=1)
def workshop() -> ThreadPoolExecutor:
    """One thread that compiles."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="flywheel-compile")
