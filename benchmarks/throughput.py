"""Ensemble throughput: the kernel against C, numpy, PySD and pysimlin, as ratios of one run.

    python benchmarks/throughput.py [--method rk4|euler|both] [--rounds 15] [--json FILE]

First the core model, 2,048 members with every parameter varied, ten variables saved: the kernel (one
thread) against its own graph written as C and as numpy (see ``translate``). Then a small model written
by hand for each tool: the kernel against PySD and pysimlin. Nothing is timed before the results agree.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Timing, compiler_version, machine, side_by_side
from numpy.typing import NDArray
from small_model import small_model
from translate import Style, to_c, to_numpy

import flywheel as fw
from flywheel.kernel.assembly import Method
from flywheel.kernel.expand import expand
from flywheel.kernel.ir import Program, lower
from flywheel.kernel.llvm import FixedKernel, compile_fixed
from flywheel.solve.engines import series_table
from flywheel.solve.grid import Grid, make_grid

Array = NDArray[np.float64]

MEMBERS = 2048
CHUNKS = (256, 512, 1024)
SAVED = (
    "customers",
    "sellers",
    "prime_members",
    "price",
    "capacity",
    "experience",
    "gmv",
    "revenue",
    "operating_income",
    "cash",
)
PLAIN = ("-O3", "-march=native")
FAST = (*PLAIN, "-ffast-math", "-fopenmp-simd", "-mprefer-vector-width=512")
LIBRARIES = ("-lmvec", "-lm")
C_KINDS = {
    "C scalar": (Style("scalar", split=False), PLAIN),
    "C scalar, -ffast-math": (Style("scalar", split=False), FAST),
    "C omp simd, pow": (Style("loop", split=False), FAST),
    "C vectors, pow": (Style("vector", split=False), PLAIN),
    "C vectors, exp(y log x)": (Style("vector", split=True), PLAIN),
    "C vectors, exp(y log x), -ffast-math": (Style("vector", split=True), FAST),
}
KERNEL = "kernel"


class Case:
    """The core model, its members and the ways to compute them."""

    def __init__(self, method: Method) -> None:
        model = fw.load("core_flywheel")
        system = expand(model)
        self.method: Method = method
        self.program: Program = lower(system, SAVED)
        self.kernel: FixedKernel = compile_fixed(self.program, method)
        self.grid: Grid = make_grid(model.time)
        self.series = np.ascontiguousarray(series_table(system.series, self.grid))
        base = np.array(system.defaults)
        # Each parameter within 5 percent of its value: every member stays a plausible history.
        draw = np.random.default_rng(20240607).uniform(0.95, 1.05, (MEMBERS, len(base)))
        years = np.array([1900 < value < 2100 for value in base])
        self.inputs: Array = np.where(years, base, base * draw)

    def run_kernel(self, chunk: int, keep: list[Array] | None = None) -> None:
        grid = self.grid
        for first in range(0, MEMBERS, chunk):
            values, _ = self.kernel.run(
                self.inputs[first : first + chunk],
                start=grid.start,
                step=grid.step,
                steps=grid.steps,
                every=grid.save_every,
                series=self.series,
            )
            if keep is not None:
                keep.append(values)

    def c(self, style: Style, flags: tuple[str, ...], folder: Path, chunk: int) -> CRun:
        return CRun(self, style, flags, folder, chunk)

    def numpy(self) -> Callable[[], object]:
        run = to_numpy(self.program, self.method)
        inputs = np.ascontiguousarray(self.inputs.T)
        grid = self.grid
        return lambda: run(inputs, self.series, grid.steps, grid.save_every, grid.start, grid.step)


class CRun:
    """A C translation, compiled and loaded; chunks share one output buffer."""

    def __init__(
        self, case: Case, style: Style, flags: tuple[str, ...], folder: Path, chunk: int
    ) -> None:
        self.case, self.style, self.chunk = case, style, chunk
        stem = folder / f"{case.method}{abs(hash((style, flags)))}"
        source = stem.with_suffix(".cpp")
        source.write_text(to_c(case.program, case.method, style))
        library = stem.with_suffix(".so")
        command = ["g++", *flags, "-shared", "-fPIC", "-o", str(library), str(source), *LIBRARIES]
        subprocess.run(command, check=True)
        pointer, whole, real = ctypes.c_void_p, ctypes.c_long, ctypes.c_double
        self.call = ctypes.CDLL(str(library)).run
        self.call.argtypes = [pointer] * 3 + [whole] * 3 + [real] * 2
        self.call.restype = None
        lanes, width = style.lanes, len(case.program.inputs)
        packed = case.inputs.reshape(-1, lanes, width).transpose(0, 2, 1)
        self.inputs = aligned(packed.size)
        self.inputs[:] = packed.ravel()
        shape = (chunk // lanes, case.grid.saves, len(case.program.outputs), lanes)
        self.out = aligned(int(np.prod(shape))).reshape(shape)

    def __call__(self, keep: list[Array] | None = None) -> None:
        grid, chunk = self.case.grid, self.chunk
        width = len(self.case.program.inputs)
        for first in range(0, MEMBERS, chunk):
            self.call(
                self.inputs.ctypes.data + first * width * 8,
                self.case.series.ctypes.data,
                self.out.ctypes.data,
                chunk // self.style.lanes,
                grid.steps,
                grid.save_every,
                grid.start,
                grid.step,
            )
            if keep is not None:
                members = np.moveaxis(self.out, 3, 1)
                keep.append(members.reshape(chunk, *self.out.shape[1:3]).copy())


def aligned(count: int) -> Array:
    """Zeroed doubles from the start of a cache line."""
    raw = np.zeros(count + 8)
    skip = (-raw.ctypes.data % 64) // 8
    return raw[skip : skip + count]


def difference(found: Array, expected: Array) -> float:
    """The largest difference in units of each variable's largest size."""
    size = np.abs(expected).max(axis=(0, 1))
    return float((np.abs(found - expected) / size).max())


def core(method: Method, rounds: int, folder: Path) -> dict[str, Timing]:
    """Times everything on the core model; prints how well the contestants agree."""
    case = Case(method)
    best_chunk = min(CHUNKS, key=lambda chunk: _once(lambda: case.run_kernel(chunk)))
    own: list[Array] = []
    case.run_kernel(best_chunk, own)
    expected = np.concatenate(own)
    if not np.isfinite(expected).all():
        raise SystemExit("members of the ensemble are not finite: the comparison means nothing")
    contestants: dict[str, Callable[[], object]] = {
        KERNEL: lambda: case.run_kernel(best_chunk),
    }
    worst = 0.0
    if compiler_version() is None:
        print("no g++ here: the C translations are left out")
    else:
        for name, (style, flags) in C_KINDS.items():
            run = case.c(style, flags, folder, best_chunk)
            kept: list[Array] = []
            run(kept)
            worst = max(worst, _agree(name, np.concatenate(kept), expected))
            contestants[name] = run
    batch = case.numpy()
    found = np.moveaxis(np.asarray(batch()), 2, 0)
    worst = max(worst, _agree("numpy", found, expected))
    contestants["numpy, batch of 2,048"] = batch
    operations = case.program.operations
    print(
        f"core model, {method}: {MEMBERS:,} members, {operations} operations, {case.grid.steps} "
        f"steps, {case.grid.saves} saves of {len(SAVED)} variables, chunks of {best_chunk}; "
        f"largest difference {worst:.1e} of a variable's size"
    )
    slow = {"numpy, batch of 2,048": 3, "C scalar": 5, "C scalar, -ffast-math": 5}
    return side_by_side(contestants, rounds, slow)


def _once(call: Callable[[], object]) -> float:
    return side_by_side({"": call}, rounds=3)[""].best


def _agree(name: str, found: Array, expected: Array) -> float:
    worst = difference(found, expected)
    if not worst < 1e-9:
        raise SystemExit(f"{name} differs from the kernel by {worst:.1e}: nothing to compare")
    return worst


def table(timings: dict[str, Timing], members: dict[str, int]) -> list[dict[str, object]]:
    """Prints runs a second and time relative to the kernel; the rows as data."""
    own = timings[KERNEL].best / members[KERNEL]
    rows: list[dict[str, object]] = []
    for name, timing in timings.items():
        each = timing.best / members[name]
        rows.append(
            {
                "name": name,
                "runs_per_second": 1 / each,
                "time_of_kernel": each / own,
                "spread": timing.spread,
                "rounds": timing.rounds,
            }
        )
        print(
            f"  {name:38} {1 / each:12,.1f} runs/s   {each / own:10.2f} x the kernel's time"
            f"   spread {timing.spread:.2f} of {timing.rounds}"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--method", choices=("euler", "rk4", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=("core", "small"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(machine())
    methods: list[Method] = ["euler", "rk4"] if options.method == "both" else [options.method]
    report: dict[str, object] = {"machine": machine()}
    for method in methods:
        if options.only != "small":
            with tempfile.TemporaryDirectory() as folder:
                timings = core(method, options.rounds, Path(folder))
            report[f"core {method}"] = table(timings, dict.fromkeys(timings, MEMBERS))
        if options.only != "core":
            timings, members = small_model(method, options.rounds)
            report[f"small {method}"] = table(timings, members)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
