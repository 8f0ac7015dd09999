"""Many fixed-step runs of one system at once, with their exact derivatives.

All members see the same noise, so that a difference between two of them is the difference of their
inputs. Members are computed ``LANES`` at a time, large batches on two or more threads; neither changes
a bit of the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import LimitError
from flywheel.kernel.ir import Program, lower
from flywheel.kernel.noise import noise_rows, normals
from flywheel.kernel.system import System
from flywheel.kernel.tangent import tangent_program
from flywheel.solve.engines import series_table
from flywheel.solve.grid import Grid

if TYPE_CHECKING:
    from flywheel.kernel.assembly import Method
    from flywheel.kernel.llvm import AdjointKernel, FixedKernel

Array = NDArray[np.float64]
R = TypeVar("R")

_MEMORY = 4 * 1024**3
"""Bytes that one answer may take."""
_SHARED_WORK = 2_000_000
"""Evaluations (members times steps times operations, by lanes) from which threads are worth it."""
_LANES = 8


@dataclass(eq=False)
class Batch:
    """A system, a method and a grid, ready for many runs. Kernels are made when first needed."""

    system: System
    method: Method
    grid: Grid
    seed: int = 0
    _programs: dict[tuple[str, ...], Program] = field(default_factory=dict)
    _tables: dict[tuple[str, ...], Array] = field(default_factory=dict)
    # By the identity of programs, which _programs keeps alive.
    _kernels: dict[int, FixedKernel] = field(default_factory=dict)
    _adjoints: dict[int, AdjointKernel] = field(default_factory=dict)

    def values(self, inputs: Array, columns: Sequence[str]) -> Array:
        """The saved ``columns`` of runs with ``inputs`` (M, P), shape (M, T, V); NaN from where a
        run broke down."""
        program = self._program(tuple(columns))
        self._check(len(inputs) * len(columns), "runs")
        kernel = self._fixed(program)
        given = self._arguments(program)

        def part(rows: slice) -> Array:
            found, _ = kernel.run(inputs[rows], **self._noise(given, program, len(inputs[rows])))
            return found

        return _joined(self._spread(part, len(inputs), program))

    def gradient(
        self, inputs: Array, seeds: Array, columns: Sequence[str], *, profile: bool = False
    ) -> tuple[Array, Array]:
        """Values (M, T, V) and the derivatives of sum(seeds * values) to every input.

        ``seeds`` (M, T, V). The second array is (M, 1, P), with ``profile`` (M, T, P): what acts
        through the start, then what acts between each save and the next.
        """
        program = self._program(tuple(columns))
        rows = self.grid.saves if profile else 1
        self._check(len(inputs) * rows * len(self.system.inputs) // self.grid.saves, "gradients")
        kernel = self._adjoint(program)
        given = self._arguments(program)

        def part(rows: slice) -> tuple[Array, Array]:
            noise = self._noise(given, program, len(inputs[rows]))
            return kernel.run(inputs[rows], seeds[rows], profile=profile, **noise)

        found = self._spread(part, len(inputs), program)
        values, slopes = (_joined(parts) for parts in zip(*found, strict=True))
        for member in _spoilt(seeds, slopes):
            one = slice(member, member + 1)
            end = int(np.flatnonzero((seeds[member] != 0.0).any(axis=1)).max(initial=0))
            short = {**self._noise(given, program, 1), "steps": end * self.grid.save_every}
            _, again = kernel.run(inputs[one], seeds[one, : end + 1], profile=profile, **short)
            slopes[member] = 0.0
            slopes[member, : again.shape[1]] = again[0]
        return values, slopes

    def tangents(self, inputs: Array, directions: Array, columns: Sequence[str]) -> Array:
        """The derivatives of the saved ``columns`` along directions (D, P) of one run's inputs (P,).

        Shape (D, T, V).
        """
        count, width = directions.shape
        slots = best_slots(count)
        plain = self._program(tuple(columns))
        name = (*columns, f"@slots:{slots}")
        program = self._programs.get(name)
        if program is None:
            program = self._programs[name] = tangent_program(plain, slots)
        self._check(count * len(columns), "tangents")
        kernel = self._fixed(program)
        members = -(-count // slots)
        packed = np.zeros((members * slots, width))
        packed[:count] = directions
        rows = np.concatenate(
            [np.repeat(inputs[np.newaxis], members, 0), packed.reshape(members, slots * width)], 1
        )
        given = self._arguments(plain)

        saves, width = self.grid.saves, len(columns)
        out = np.empty((members, slots, saves, width))

        def part(place: slice) -> None:
            # A group at a time, in memory that stays in the processor's cache.
            held = np.empty((_LANES, saves, slots * width))
            for first in range(place.start, place.stop, _LANES):
                some = slice(first, min(first + _LANES, place.stop))
                many = some.stop - first
                noise = self._noise(given, plain, many)
                found, _ = kernel.run(rows[some], out=held[:many], **noise)
                # Saves of a member hold its directions one after the other.
                out[some] = found.reshape(many, saves, slots, width).transpose(0, 2, 1, 3)

        self._spread(part, members, program)
        return out.reshape(-1, saves, width)[:count]

    # What kernels are given ---------------------------------------------------------------------

    def _program(self, columns: tuple[str, ...]) -> Program:
        program = self._programs.get(columns)
        if program is None:
            program = self._programs[columns] = lower(self.system, columns)
        return program

    # Kept here too: to find a kernel by its program's hash takes longer than a short run.
    def _fixed(self, program: Program) -> FixedKernel:
        from flywheel.kernel.llvm import compile_fixed

        kernel = self._kernels.get(id(program))
        if kernel is None:
            kernel = self._kernels[id(program)] = compile_fixed(program, self.method)
        return kernel

    def _adjoint(self, program: Program) -> AdjointKernel:
        from flywheel.kernel.llvm import compile_adjoint

        kernel = self._adjoints.get(id(program))
        if kernel is None:
            kernel = self._adjoints[id(program)] = compile_adjoint(program, self.method)
        return kernel

    def _arguments(self, program: Program) -> dict[str, Any]:
        table = self._tables.get(program.series)
        if table is None:
            by_name = {series.name: series for series in self.system.series}
            table = series_table([by_name[name] for name in program.series], self.grid)
            self._tables[program.series] = table
        grid = self.grid
        return {
            "start": grid.start,
            "step": grid.step,
            "steps": grid.steps,
            "every": grid.save_every,
            "series": table,
        }

    def _noise(self, given: dict[str, Any], program: Program, members: int) -> dict[str, Any]:
        """The arguments with the same noise for every member."""
        if not program.noises:
            return given
        rows = noise_rows(self.grid.steps, self.grid.step, self.system.time.step)
        count = int(rows[-1]) + 1
        streams = [normals(self.seed, one.stream, 0, count) for one in self.system.noises]
        noise = np.broadcast_to(np.column_stack(streams), (members, count, len(streams)))
        return {**given, "noise": np.ascontiguousarray(noise), "noise_row": rows}

    def _check(self, cells: int, what: str) -> None:
        size = cells * self.grid.saves * 8
        if size > _MEMORY:
            raise LimitError(
                f"these {what} would take {size / 2**30:.1f} GiB, more than the limit of 4 GiB; "
                "ask for fewer at a time, or save less often"
            )

    def _spread(self, work: Callable[[slice], R], members: int, program: Program) -> list[R]:
        """The work in as many pieces as there are threads to do them; in order."""
        groups = -(-members // _LANES)
        threads = min(_processors(), groups)
        if threads < 2 or groups * self.grid.steps * program.operations < _SHARED_WORK:
            return [work(slice(0, members))]
        size = -(-groups // threads) * _LANES
        pieces = [slice(first, min(first + size, members)) for first in range(0, members, size)]
        return list(_threads().map(work, pieces))

    def at(self, system: System) -> Batch:
        """The same for another system."""
        return Batch(system, self.method, self.grid, self.seed)


def _joined(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _spoilt(seeds: Array, slopes: Array) -> list[int]:
    """Members whose gradient may have been spoilt by a breakdown where nothing weighs their values:
    after their last seed, or at a save that only other members weigh (0 times infinity)."""
    broken = np.flatnonzero(~np.isfinite(slopes).all(axis=(1, 2)))
    if not len(broken):
        return []
    weighed = (seeds != 0.0).any(axis=2)
    anywhere = weighed.any(axis=0)
    return [int(m) for m in broken if not weighed[m, -1] or (weighed[m] != anywhere).any()]


def best_slots(count: int) -> int:
    """How many directions share a member, so that few lanes stay empty."""
    return min(range(2, 7), key=lambda slots: -(-count // (slots * _LANES)) * (1.0 + 0.6 * slots))


@lru_cache(maxsize=1)
def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_processors(), thread_name_prefix="flywheel-batch")
