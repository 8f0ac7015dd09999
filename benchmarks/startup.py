"""From nothing to a first result: import, reading, compiling, running; each against its bar.

    python benchmarks/startup.py [--rounds 9] [--json FILE]

Python keeps compiled bytecode beside the sources of an installed package; here it goes to a folder of
its own, so that the first process writes it and the timed ones read it, whatever the environment says.

Whole processes are timed by the wall clock; their processor time beside it can be longer, for numpy's
linear algebra starts threads that wait busily. The parts are processor time of the main thread in fresh
processes: within one process, the second reading of a model is faster than the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from measure import Timing, machine, timing

IMPORT = "import flywheel"
FIRST = "import flywheel as fw; fw.load('core_flywheel').run()['customers']"
HEAVY = ("dash", "plotly", "pandas", "scipy", "numpy", "llvmlite", "lark", "pint")
FORBIDDEN = HEAVY[:4]

# Each part is printed as NAME SECONDS by a fresh process.
PARTS = """
from time import thread_time as now
t = now()
def part(name):
    global t
    print(name, now() - t)
    t = now()
import flywheel as fw
part("import flywheel")
import flywheel.api
part("import flywheel.api (numpy)")
import flywheel.language.parser
part("import the language (lark)")
import flywheel.kernel.llvm
part("import llvmlite")
t = now()
model = fw.load("core_flywheel")
part("parse and build the model")
from flywheel.solve.plan import plan_for
plan = plan_for(model)
part("expand delays, switches, order")
from flywheel.kernel.ir import lower
program = lower(plan.system, plan.columns)
part("lower to the graph")
from flywheel.kernel import llvm
from flywheel.kernel.assembly import fixed_step
llvm.target_machine()
part("start LLVM")
text, _ = fixed_step(program, "rk4", llvm.LANES, llvm.triple(), avx512=llvm.has_avx512())
part("write the assembly")
llvm._Code(text)
part("LLVM: read and compile it")
"""

COMPILE = """
from time import perf_counter as now, thread_time
import flywheel as fw
from flywheel.kernel import llvm
from flywheel.kernel.ir import lower
from flywheel.solve.plan import plan_for
plan = plan_for(fw.load("core_flywheel"))
llvm.target_machine()
t, c = now(), thread_time()
llvm.compile_fixed(lower(plan.system, plan.columns), "rk4")
print("wall", now() - t)
print("processor", thread_time() - c)
"""

WARM = """
from time import thread_time as now
import flywheel as fw
model = fw.load("core_flywheel")
model.run()["customers"]
from flywheel.solve.plan import plan_for
plan = plan_for(model)
engine, inputs = plan.engine("rk4"), plan.defaults[None]
def best(call):
    found = []
    for _ in range(200):
        t = now()
        call()
        found.append(now() - t)
    return min(found)
names = list(model.params)[:100]
values = iter(range(10 ** 6))
print("the same again", best(lambda: model.run()["customers"]))
print("a lever moved", best(lambda: model.run(churn0=0.08 + 1e-9 * next(values))["customers"]))
print("the engine alone", best(lambda: engine.run(inputs, plan.grid)))
"""


_BYTECODE = tempfile.TemporaryDirectory(prefix="bytecode")


def environment() -> dict[str, str]:
    """Of the timed processes."""
    found = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return found | {"PYTHONPYCACHEPREFIX": _BYTECODE.name}


def process(code: str) -> tuple[float, float, str]:
    """Wall seconds, processor seconds and output of a fresh interpreter that runs ``code``."""
    before = os.times()
    start = perf_counter()
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    wall = perf_counter() - start
    after = os.times()
    used = after.children_user - before.children_user
    used += after.children_system - before.children_system
    return wall, used, found.stdout


def repeated(codes: dict[str, str], rounds: int) -> dict[str, tuple[Timing, Timing]]:
    """Wall and processor timings of several programs, taken in turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            wall, used, _ = process(code)
            taken[name].append((wall, used))
    return {
        name: (timing([wall for wall, _ in both]), timing([used for _, used in both]))
        for name, both in taken.items()
    }


def parts(code: str, rounds: int) -> dict[str, Timing]:
    """Timings of the parts that ``code`` prints."""
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for line in process(code)[2].splitlines():
            name, seconds = line.rsplit(" ", 1)
            taken.setdefault(name, []).append(float(seconds))
    return {name: timing(seconds) for name, seconds in taken.items()}


def imported() -> tuple[str, ...]:
    """Which heavy packages ``import flywheel`` loads."""
    code = f"import flywheel, sys; print(*(n for n in {HEAVY!r} if n in sys.modules))"
    return tuple(process(code)[2].split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds = options.rounds
    print(machine())
    process(FIRST)  # writes the bytecode
    loaded = imported()
    print(f"import flywheel loads: {', '.join(loaded) or 'none'} of {', '.join(HEAVY)}")
    found = repeated({"python -c pass": "pass", "import": IMPORT, "first result": FIRST}, rounds)
    compiling = parts(COMPILE, rounds)
    bars = {"import": 0.25, "first result": 0.4}
    print("whole processes, seconds (wall; processor)")
    for name, (wall, used) in found.items():
        bar = f"   bar {bars[name]}" if name in bars else ""
        print(f"  {name:18} {wall.best:.3f} x{wall.spread:.2f}   {used.best:.3f}{bar}")
    print("compile of the core model, rk4, from the system to machine code, seconds (bar 0.150)")
    for name, part in compiling.items():
        print(f"  {name:18} {part.best:.3f} x{part.spread:.2f}")
    breakdown = parts(PARTS, rounds)
    print("parts of a first result, milliseconds")
    for name, part in breakdown.items():
        print(f"  {name:34} {1e3 * part.best:7.1f} x{part.spread:.2f}")
    warm = parts(WARM, max(3, rounds // 3))
    print("a warm run, microseconds")
    for name, part in warm.items():
        print(f"  {name:34} {1e6 * part.best:7.0f} x{part.spread:.2f}")
    if options.json:
        groups = {"compile": compiling, "parts": breakdown, "warm": warm}
        report: dict[str, object] = {"machine": machine(), "import loads": loaded}
        report |= {n: [asdict(wall), asdict(used)] for n, (wall, used) in found.items()}
        report |= {group: {n: asdict(v) for n, v in g.items()} for group, g in groups.items()}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if set(loaded) & set(FORBIDDEN):
        raise SystemExit(f"import flywheel loads {', '.join(set(loaded) & set(FORBIDDEN))}")


if __name__ == "__main__":
    main()
