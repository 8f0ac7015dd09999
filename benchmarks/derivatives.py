"""What exact derivatives cost, in runs: tangents, one gradient, gradients over an ensemble.

    python benchmarks/derivatives.py [--method rk4|euler] [--rounds 40] [--models NAME ...] [--json FILE]

For every model of the library: all tangents of all its variables, and those of what an outcome reads,
per parameter or initial stock; one adjoint gradient of an outcome to all of them; the same for eight
members at once, per member. The unit is one run of the model by the same kernel, one member, that saves
what the contestant reads. One thread; contestants take turns. Nothing is timed before tangents and
adjoint agree.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from measure import machine, side_by_side
from numpy.typing import NDArray

import flywheel as fw
from flywheel.kernel.assembly import Method
from flywheel.solve import batch as batches
from flywheel.solve.study import Study

Array = NDArray[np.float64]
CLAIMS = {"tangents": 0.15, "gradient": 4.0, "ensemble": 1.0}
"""Runs: each tangent, one gradient, one member's gradient among eight."""


def measure(name: str, method: Method, rounds: int) -> dict[str, float]:
    """The costs of one model in runs."""
    model = fw.load(name)
    study = Study(model, next(iter(model.outcomes)), method=method)
    batch = batches.Batch(study.system, method, study.grid)
    columns, outcome = study.plan.visible, study.target.columns
    inputs = np.array(study.system.defaults)
    crowd = np.repeat(inputs[np.newaxis], 8, 0)
    each = np.eye(len(inputs))
    values = study.baseline[:, [study.columns.index(c) for c in outcome]]
    weights, _ = study.target.weights(values, {n: float(v) for n, v in study.params.items()})
    seeds = np.repeat(weights, 8, 0)
    agree(batch, inputs, weights, each, outcome)
    found = side_by_side(
        {
            "run": lambda: batch.values(inputs[np.newaxis], columns),
            "outcome run": lambda: batch.values(inputs[np.newaxis], outcome),
            "tangents": lambda: batch.tangents(inputs, each, columns),
            "few": lambda: batch.tangents(inputs, each, outcome),
            "gradient": lambda: batch.gradient(inputs[np.newaxis], weights, outcome),
            "profile": lambda: batch.gradient(inputs[np.newaxis], weights, outcome, profile=True),
            "ensemble": lambda: batch.gradient(crowd, seeds, outcome),
        },
        rounds,
        dict.fromkeys(("tangents", "few"), max(rounds // 2, 5)),
    )
    run, one = found["run"].best, found["outcome run"].best
    return {
        "inputs": len(inputs),
        "run_us": run * 1e6,
        "outcome_run_us": one * 1e6,
        "tangents": found["tangents"].best / len(inputs) / run,
        "few": found["few"].best / len(inputs) / one,
        "gradient": found["gradient"].best / one,
        "profile": found["profile"].best / one,
        "ensemble": found["ensemble"].best / 8 / one,
        "spread": max(timing.spread for timing in found.values()),
    }


def agree(
    batch: batches.Batch, inputs: Array, weights: Array, each: Array, columns: tuple[str, ...]
) -> None:
    """Stops where the contestants compute different things."""
    _, back = batch.gradient(inputs[np.newaxis], weights, columns)
    ahead = np.einsum("dtv,tv->d", batch.tangents(inputs, each, columns), weights[0])
    size = np.abs(back).max()
    worst = float(np.abs(back[0, 0] - ahead).max() / size) if size else 0.0
    if not worst < 1e-9:
        raise SystemExit(f"tangents and adjoint differ by {worst:.1e}: nothing to compare")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--method", choices=("euler", "rk4"), default="rk4")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--models", nargs="*", default=list(fw.model_names()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    batches._SHARED_WORK = 2**62  # one thread: processor time of this thread is what is taken
    print(f"{machine()}; {options.method}")
    head = f"{'model':20}{'inputs':>7}{'run, us':>9}{'tangent':>9}{'of few':>8}"
    head += f"{'gradient':>10}{'profile':>9}"
    print(f"{head}{'of eight':>10}{'spread':>8}")
    rows = {}
    for name in options.models:
        row = rows[name] = measure(name, options.method, options.rounds)
        marks = {key: "*" if row[key] > limit else " " for key, limit in CLAIMS.items()}
        print(
            f"{name:20}{row['inputs']:7.0f}{row['run_us']:9.0f}"
            f"{row['tangents']:8.3f}{marks['tangents']}{row['few']:8.3f}{row['gradient']:9.2f}{marks['gradient']}"
            f"{row['profile']:9.2f}{row['ensemble']:9.2f}{marks['ensemble']}{row['spread']:7.2f}"
        )
    print(f"in runs; * is above {', '.join(f'{k} {v:g}' for k, v in CLAIMS.items())}")
    if options.json:
        report = {"machine": machine(), "method": options.method, "models": rows}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
