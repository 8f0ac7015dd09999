"""The small model in small/: written for Flywheel and in XMILE, for PySD and pysimlin alike.

A tool that is not installed is left out with a sentence; so is PySD for Runge-Kutta, which it has not.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from measure import Timing, side_by_side
from numpy.typing import NDArray

import flywheel as fw
from flywheel.kernel.assembly import Method
from flywheel.kernel.expand import expand
from flywheel.kernel.ir import lower
from flywheel.kernel.llvm import compile_fixed
from flywheel.solve.grid import make_grid

Array = NDArray[np.float64]
Run = Callable[[int], Array]
"""The saved values (times, variables) of a member."""

FOLDER = Path(__file__).parent / "small"
SAVED = ("customers", "capacity", "quality", "spent")
MEMBERS = 2048
CHUNK = 512
CHECKED = 5
"""Members whose numbers are compared before anything is timed."""
# How many members a contestant computes in a round: enough to time, not more.
MEMBERS_OF = {"kernel": MEMBERS, "model.run": 100, "pysimlin": 100, "PySD": 1}


def small_model(method: Method, rounds: int) -> tuple[dict[str, Timing], dict[str, int]]:
    """Timings by tool, and for how many members each is."""
    model = fw.load(FOLDER / "growth.fly")
    system = expand(model)
    grid = make_grid(model.time)
    kernel = compile_fixed(lower(system, SAVED), method)
    base = np.array(system.defaults)
    inputs = base * np.random.default_rng(7).uniform(0.95, 1.05, (MEMBERS, len(base)))
    numbers = [dict(zip(system.inputs, (float(x) for x in row), strict=True)) for row in inputs]

    def by_kernel(first: int, count: int) -> Array:
        values, _ = kernel.run(
            inputs[first : first + count],
            start=grid.start,
            step=grid.step,
            steps=grid.steps,
            every=grid.save_every,
            series=np.zeros((grid.steps + 1, 3, 0)),
        )
        return values

    def by_chunks() -> None:
        for first in range(0, MEMBERS, CHUNK):
            by_kernel(first, CHUNK)

    def by_model(member: int) -> Array:
        run = model.run(method=method, overrides=numbers[member])
        return np.column_stack([run[name] for name in SAVED])

    others: dict[str, Run] = {"model.run": by_model}
    if find_spec("simlin") is None:
        print("pysimlin is not installed: left out")
    else:
        others["pysimlin"] = _simlin(method, numbers, grid.save_every)
    if method != "euler":
        print("PySD has no Runge-Kutta method: left out here")
    elif find_spec("pysd") is None:
        print("PySD is not installed: left out")
    else:
        others["PySD"] = _pysd(numbers, grid.times)
    expected = by_kernel(0, CHECKED)
    size = np.abs(expected).max(axis=(0, 1))
    worst = 0.0
    for name, run in others.items():
        for member in range(CHECKED):
            off = float((np.abs(run(member) - expected[member]) / size).max())
            worst = max(worst, off)
            if not off < 1e-6:
                raise SystemExit(f"{name} differs from the kernel by {off:.1e}: nothing to compare")
    print(
        f"small model, {method}: {len(model.stocks)} stocks and a third-order delay, {grid.steps} "
        f"steps, {grid.saves} saves of {len(SAVED)} variables; largest difference {worst:.1e}"
    )
    contestants: dict[str, Callable[[], object]] = {"kernel": by_chunks}
    for name, run in others.items():
        contestants[name] = _batch(run, MEMBERS_OF[name])
    timings = side_by_side(contestants, rounds, {"PySD": 5})
    return timings, {name: MEMBERS_OF[name] for name in timings}


def _batch(run: Run, count: int) -> Callable[[], None]:
    def batch() -> None:
        for member in range(count):
            run(member)

    return batch


def _simlin(method: Method, numbers: list[dict[str, float]], every: int) -> Run:
    """One simulation object, reset for each member: the cheapest way that pysimlin has."""
    import simlin

    text = (FOLDER / "growth.stmx").read_text()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "growth.stmx"
        path.write_text(text.replace('method="Euler"', f'method="{method.upper()}"'))
        simulation = simlin.load(path).simulate()

    def run(member: int) -> Array:
        simulation.reset()
        for name, value in numbers[member].items():
            simulation.set_value(name, value)
        simulation.run_to_end()
        return np.column_stack([simulation.get_series(name)[::every] for name in SAVED])

    return run


def _pysd(numbers: list[dict[str, float]], times: Array) -> Run:
    import pysd

    with tempfile.TemporaryDirectory() as folder:
        # PySD writes the Python it generates beside the file it reads.
        path = Path(folder) / "growth.stmx"
        path.write_text((FOLDER / "growth.stmx").read_text())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = pysd.read_xmile(str(path))

    def run(member: int) -> Array:
        found = model.run(
            params=numbers[member],
            return_columns=list(SAVED),
            return_timestamps=times,
        )
        return np.asarray(found[list(SAVED)], dtype=np.float64)

    return run
