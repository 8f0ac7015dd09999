"""What a sweep adds to the bare kernel, as ratios of one run in one thread.

    python benchmarks/sweep.py [--members 20000] [--rounds 5] [--method rk4|euler] [--json FILE]

The core model with every parameter varied by 5 %, ten variables saved. The bare kernel is
``engine.run``: it writes every trajectory into fresh memory and does nothing else. It runs on the
inputs ready-made, for the same chunks; a sweep makes them from its design as well. Outcomes need
further columns, so a sweep with outcomes is compared with an engine that saves those too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import machine, side_by_side

import flywheel as fw
from flywheel.solve.engines import FixedEngine, fixed_engine
from flywheel.sweep.design import Design, sample
from flywheel.sweep.distributions import Uniform
from flywheel.sweep.inputs import InputMaker
from flywheel.sweep.plan import SweepPlan, make_plan
from flywheel.sweep.reading import OutcomeReader
from flywheel.sweep.shard import CHUNK, compute, with_pilot

CORE = Path(__file__).parents[1] / "models" / "core_flywheel.fly"
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


def every_parameter(model: fw.Model, members: int) -> Design:
    """All parameters, each 5 % around its value."""
    around = {
        name: Uniform(*sorted((0.95 * p.value, 1.05 * p.value)))
        for name, p in model.params.items()
        if p.value
    }
    return sample(around, members, kind="sobol", seed=7)


def bare(plan: SweepPlan) -> Callable[[], None]:
    """The engine alone, on inputs that are there."""
    make = InputMaker(plan.model, plan.design.names, (), plan.method, plan.grid, plan.seed)
    reader = OutcomeReader(plan.model, make.plan.recipes, plan.outcomes, plan.grid.times)
    columns = tuple(dict.fromkeys([*plan.saved, *reader.columns]))
    engine: FixedEngine = fixed_engine(make.plan.system, columns, plan.method, prefer="llvm")
    rows = plan.design.rows(0, plan.count)
    inputs = make(rows, [""] * plan.count, np.arange(plan.count))

    def run() -> None:
        for first in range(0, plan.count, CHUNK):
            engine.run(inputs[first : first + CHUNK], plan.grid, first_member=first)

    return run


def swept(plan: SweepPlan) -> Callable[[], None]:
    """All shards, one after the other."""

    def run() -> None:
        for number in range(plan.shards):
            compute(plan, number)

    return run


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", choices=("rk4", "euler"), default="rk4")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    model = fw.load(CORE)
    design = every_parameter(model, given.members)

    def plan(**asked: object) -> SweepPlan:
        asked = {"saved": SAVED, "method": given.method, "quantiles": False, **asked}
        return with_pilot(make_plan(model, design, **asked))  # type: ignore[arg-type]

    moments, counts = plan(outcomes=[]), plan(outcomes=[], quantiles=True)
    outcomes, everything = plan(), plan(quantiles=True)
    contestants = {
        "kernel": bare(moments),
        "moments, extremes": swept(moments),
        "and histograms": swept(counts),
        "float32 trajectories": swept(plan(outcomes=[], keep="everything")),
        "kernel, outcomes' columns": bare(outcomes),
        "moments, extremes, outcomes": swept(outcomes),
        "and histograms, outcomes": swept(everything),
    }
    for call in contestants.values():  # compile before anything is timed
        call()
    times = side_by_side(contestants, given.rounds)
    print(machine())
    print(f"{given.members:,} members, {given.method}, chunks of {CHUNK}; {everything.memory()}")
    rows = []
    kernel = ""
    for name, timing in times.items():
        kernel = name if name.startswith("kernel") else kernel
        ratio = times[kernel].best / timing.best
        rate = given.members / timing.best
        rows.append({"name": name, "runs_per_second": rate, "of_kernel": ratio})
        print(
            f"{name:32} {rate:10,.0f} runs/s  {ratio:6.1%} of the kernel  ±{timing.spread - 1:.0%}"
        )
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
