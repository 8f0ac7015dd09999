"""Global sensitivity: many outputs at once against SALib, and a polynomial against sampling.

    python benchmarks/global_sensitivity.py [--rounds 5] [--json FILE]

The first part takes 200 outputs of 8 inputs, Saltelli's design of 512 points with second order, 100
bootstrap resamples. SALib takes one output a call; both get the same runs and the same resamples, and
nothing is timed before S1, ST, S2 and their intervals agree. The second part asks how many runs of Bass'
diffusion (4 inputs, 20 times) it takes to come near the indices of a fine tensor quadrature.

One thread each (OMP_NUM_THREADS=1 is set before numpy is loaded): the ratio is that of the algorithms.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from measure import machine, side_by_side
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.chaos import best_fit, fit
from flywheel.analysis.sensitivity.design import saltelli, sobol_points
from flywheel.analysis.sensitivity.sobol import sobol_indices

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.analysis.sensitivity.functions import bass, by_quadrature

Array = NDArray[np.float64]
OUTPUTS, INPUTS, POINTS, RESAMPLES, SEED = 200, 8, 512, 100, 7


def against_salib(rounds: int) -> dict[str, object]:
    """Time of the same indices and intervals, ours and SALib's, after comparing them."""
    try:
        from SALib.analyze import sobol as salib
    except ImportError:
        print("SALib is not installed: pip install -e '.[bench]'")
        return {}
    rng = np.random.default_rng(0)
    unit = saltelli(0, POINTS, INPUTS, second=True)
    mix = rng.normal(size=(INPUTS, OUTPUTS))
    y = np.exp(0.5 * unit @ mix) + 10 * np.sin(unit @ mix[::-1])
    # SALib's rows go A, AB_1 ..., BA_1 ..., B.
    theirs = y[:, [0, *range(2, 2 * INPUTS + 2), 1]].reshape(-1, OUTPUTS)
    problem = {"num_vars": INPUTS, "names": [f"x{j}" for j in range(INPUTS)]}
    problem["bounds"] = [[0.0, 1.0]] * INPUTS

    def call_salib() -> list[dict[str, Array]]:
        # A seed, so that its resamples are known; every output gets the same ones.
        return [
            salib.analyze(problem, theirs[:, o], num_resamples=RESAMPLES, seed=SEED)
            for o in range(OUTPUTS)
        ]

    # Drawn as SALib draws them, to compare intervals and not luck.
    picks = np.random.default_rng(SEED).integers(POINTS, size=(POINTS, RESAMPLES))
    weights = np.full((RESAMPLES + 1, POINTS), 1 / POINTS)
    weights[1:] = [np.bincount(pick, minlength=POINTS) / POINTS for pick in picks.T]
    mine = sobol_indices(y, second=True, weights=weights)
    upper = np.triu_indices(INPUTS, 1)
    apart = 0.0
    for o, found in enumerate(call_salib()):
        for name, half in (("S1", "S1_half"), ("ST", "ST_half")):
            apart = max(apart, np.abs(getattr(mine, name)[:, o] - found[name]).max())
            apart = max(apart, np.abs(getattr(mine, half)[:, o] - found[f"{name}_conf"]).max())
        apart = max(apart, np.abs(mine.S2[..., o][upper] - found["S2"][upper]).max())
        apart = max(apart, np.abs(mine.S2_half[..., o][upper] - found["S2_conf"][upper]).max())
    assert apart < 1e-12, f"the numbers differ by {apart:.2g}"
    taken = side_by_side(
        {
            # Drawing the resamples is part of the work.
            "flywheel": lambda: sobol_indices(y, second=True, bootstraps=RESAMPLES, seed=SEED),
            "SALib": call_salib,
        },
        rounds,
        {"SALib": max(rounds // 3, 2)},
    )
    ratio = taken["SALib"].best / taken["flywheel"].best
    print(f"\n{OUTPUTS} outputs, {INPUTS} inputs, N = {POINTS}, {RESAMPLES} resamples, with S2:")
    for name, timing in taken.items():
        print(f"  {name:10} {timing.best:8.4f} s  spread {timing.spread:.2f}")
    print(f"  SALib takes {ratio:.0f} times as long; largest difference {apart:.1g}")
    return {name: asdict(t) for name, t in taken.items()} | {"ratio": ratio, "difference": apart}


def against_sampling() -> list[dict[str, object]]:
    """Largest error of any S1 or ST over 20 times, by number of runs; the median of ten seeds."""
    times = np.linspace(1, 20, 20)
    grid = (np.polynomial.legendre.leggauss(12)[0] + 1) / 2
    nodes = np.stack(np.meshgrid(*[grid] * 4, indexing="ij"), axis=-1)
    first, total = by_quadrature(bass(nodes, times))

    def error(s1: Array, st: Array) -> float:
        return float(max(np.abs(s1 - first).max(), np.abs(st - total).max()))

    rows: list[dict[str, object]] = []

    def add(method: str, runs: int, errors: list[float]) -> None:
        rows.append({"method": method, "runs": runs, "median": float(np.median(errors))})
        rows[-1]["worst"] = max(errors)

    seeds = range(10)
    for runs in (128, 256):
        units = [sobol_points(0, runs, 4, seed) for seed in seeds]
        fixed = [fit(u, bass(u, times), 4, 1.0) for u in units]
        add("chaos, degree 4", runs, [error(f.S1, f.ST) for f in fixed])
        best = [best_fit(u, bass(u, times)) for u in units]
        add("chaos, best degree", runs, [error(f.S1, f.ST) for f in best])
    for points in (64, 256, 1024, 4096):
        found = [sobol_indices(bass(saltelli(0, points, 4, s), times), bootstraps=0) for s in seeds]
        add("Saltelli", points * 6, [error(f.S1, f.ST) for f in found])
    print("\nBass' diffusion, 4 inputs, 20 times: largest error of any S1 or ST, ten seeds")
    for row in rows:
        errors = f"median {row['median']:.1e}  worst {row['worst']:.1e}"
        print(f"  {row['method']:20} {row['runs']:6} runs  {errors}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(machine())
    numbers = {"salib": against_salib(given.rounds), "bass": against_sampling()}
    if given.json:
        given.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
