"""What the leverage page of the core model takes, from a fresh process to its last number.

    python benchmarks/leverage_page.py [--rounds 5] [--json FILE]

The page: the ranking of everything that can be turned at three horizons, the quadrants of the levers,
and the dip of one of them. The bar is 2 s of the clock on two cores, process start and all compilations
included. The other answers of a study follow, in the order of the command line, each with what it
shares already compiled; and everything once more when nothing has to be compiled. Fresh processes;
the fastest of the rounds, because other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from measure import machine

PAGE = ("load", "leverage", "misunderstood", "dip")
REST = ("dials", "ladder", "synergy", "flips", "robust", "ledger", "vitals", "allocate")
BAR = 2.0

SCRIPT = """
from time import perf_counter as now
start = t = now()
def part(name, work=None):
    global t
    result = work() if work else None
    print(name, now() - t)
    t = now()
    return result
import flywheel as fw
model = fw.load("core_flywheel")
part("load")
study = model.study("income_total", horizons=[1, 3, 10], since=2005)
work = {
    "leverage": study.leverage, "misunderstood": study.misunderstood,
    "dip": lambda: study.dip("capacity_buffer"),
    "dials": study.dials, "ladder": study.ladder, "synergy": study.synergy, "flips": study.flips,
    "robust": study.robust, "ledger": study.ledger, "vitals": study.vitals,
    "allocate": lambda: study.allocate(1.0, periods=3),
}
for name, one in work.items():
    part(name, one)
for name, one in work.items():
    part(name + " again", one)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    best: dict[str, float] = {}
    whole = float("inf")
    for _ in range(given.rounds):
        begin = perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
        )
        total = perf_counter() - begin
        parts = {
            " ".join(line.split()[:-1]): float(line.split()[-1])
            for line in done.stdout.splitlines()
        }
        starting = total - sum(parts.values())
        whole = min(whole, starting + sum(parts[name] for name in PAGE))
        for name, seconds in parts.items():
            best[name] = min(best.get(name, seconds), seconds)
    print(machine())
    for name in (*PAGE, *REST):
        again = best.get(f"{name} again")
        print(f"{name:14s} {best[name]:7.3f} s" + (f"   again {again:7.3f} s" if again else ""))
    verdict = "met" if whole <= BAR else "MISSED"
    print(f"the page, process start included: {whole:.2f} s, bar {BAR:g} s: {verdict}")
    if given.json:
        given.json.write_text(json.dumps({"page": whole, "bar": BAR, "parts": best}, indent=2))


if __name__ == "__main__":
    main()
