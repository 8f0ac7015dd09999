"""Times contestants side by side: every round runs each of them once, the best round counts.

Processor time of the calling thread, not the wall clock: on a shared machine it is what the code itself
costs (all contestants stay in one thread). The minimum over interleaved rounds is what the code can do;
the spread (third quartile over minimum) says how noisy the machine was.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import quantiles
from time import thread_time


@dataclass(frozen=True)
class Timing:
    """Seconds of the best round, and how far the slower rounds were from it."""

    best: float
    spread: float
    rounds: int


def side_by_side(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    seldom: Mapping[str, int] | None = None,
) -> dict[str, Timing]:
    """Timings by name. ``seldom``: how many rounds the slow ones take part in."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    limits = seldom or {}
    for number in range(rounds):
        for name, call in contestants.items():
            if number < limits.get(name, rounds):
                start = thread_time()
                call()
                taken[name].append(thread_time() - start)
    return {name: timing(seconds) for name, seconds in taken.items()}


def timing(seconds: list[float]) -> Timing:
    """The best of several repeats, and their spread."""
    best = min(seconds)
    upper = quantiles(seconds, n=4)[2] if len(seconds) > 1 else best
    return Timing(best, upper / best, len(seconds))


def machine() -> str:
    """Processor, compiler and versions, for the head of a report."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in info.read_text().splitlines()
            if ":" in line
        )
        cpu = f"{fields['model name']} family {fields['cpu family']} model {fields['model']}"
        cpu += ", AVX-512" if "avx512f" in fields["flags"] else ", no AVX-512"
    packages = []
    for name in ("numpy", "llvmlite", "pysd", "pysimlin"):
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            packages.append(f"no {name}")
    head = f"{cpu}; Python {platform.python_version()}; {', '.join(packages)}"
    return f"{head}; {compiler_version() or 'no g++'}"


def compiler_version() -> str | None:
    """The first line of ``g++ --version``, or None where there is none."""
    try:
        found = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.splitlines()[0]
