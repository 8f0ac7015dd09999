"""SIGKILL of a whole process group in mid-sweep, again and again: the same bytes, nothing lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from flywheel.sweep.run import open_sweep, resume, sweep
from tests.sweep.small import SETTINGS, design, pond
from tests.sweep.test_executor import children

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a matter of POSIX")

# Starting Python and compiling the model takes longer than the sweep. One process does that once and
# then makes a copy of itself for every sweep that is to be killed, in a process group of its own.
SCRIPT = """
    import os, sys
    from flywheel.sweep.run import sweep
    from tests.sweep.small import SETTINGS, design, pond
    sweep(pond(), design(64), folder=sys.argv[1] + "-warm", workers=1, **SETTINGS)
    for line in sys.stdin:
        executor, runs, chunk = line.split()
        child = os.fork()
        if not child:
            os.setsid()
            settings = {**SETTINGS, "executor": executor, "chunk": int(chunk), "workers": 2}
            sweep(pond(), design(int(runs)), folder=sys.argv[1], **settings)
            os._exit(0)
        sys.stdout.write(f"{child}\\n")
        sys.stdout.flush()
        os.waitpid(child, 0)
"""


class Starter:
    """Starts sweeps in a folder; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate(timeout=10)
        assert self._process.returncode == 0

    def start(self, executor: str, runs: int, chunk: int) -> psutil.Process:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{executor} {runs} {chunk}\n")
        self._process.stdin.flush()
        return psutil.Process(int(self._process.stdout.readline()))


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """The finished shards and when each was written; one that is written again differs."""
    files = (folder / "done").glob("*.json")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def kill_again_and_again(folder: Path, kills: int, runs: int, processes_every: int) -> None:
    """Kills a sweep ``kills`` times, each time after it has finished a few more shards; then lets it
    end, and compares it with one that was never disturbed."""
    dice = random.Random(kills)
    shards = -(-runs // SETTINGS["shard"])
    kept: dict[str, tuple[int, int]] = {}
    with Starter(folder) as starter:
        for kill in range(kills):
            executor = "processes" if kill % processes_every == processes_every - 1 else "threads"
            process = starter.start(executor, runs, dice.choice([64, 137, 1000]))
            enough = len(kept) + dice.randint(0, 3)
            deadline = time.monotonic() + 30
            while len(finished(folder)) <= enough:
                assert process.is_running(), "it ended by itself"
                assert time.monotonic() < deadline, "no progress"
                time.sleep(0.002)
            time.sleep(dice.random() * 0.02)
            family = [process, *process.children(recursive=True)]
            os.killpg(process.pid, signal.SIGKILL)
            _, alive = psutil.wait_procs(family, timeout=5)
            assert not alive
            now = finished(folder)
            assert {name: now[name] for name in kept} == kept, "a finished shard was computed again"
            assert set(now) > set(kept)
            kept = now
    assert len(kept) < shards, "the sweep ended before the last kill: make it longer"
    assert not open_sweep(folder).complete

    found = resume(folder, workers=2)
    assert len(found.computed) == shards - len(kept)
    now = finished(folder)
    assert {name: now[name] for name in kept} == kept
    assert found.complete
    undisturbed = sweep(pond(), design(runs), **SETTINGS)
    assert found.sha256 == undisturbed.sha256
    assert not list(folder.rglob("*.writing"))


def test_ten_kills(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path / "sweep", 10, 12_000, 10)


@pytest.mark.slow
def test_a_hundred_kills(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path / "sweep", 100, 160_000, 4)


@pytest.mark.slow
def test_a_worker_killed_every_second(tmp_path: Path) -> None:
    over = threading.Event()
    killed = 0

    def killer() -> None:
        nonlocal killed
        while not over.wait(1.0):
            for child in children()[:1]:
                child.kill()
                killed += 1

    runs = 60_000
    thread = threading.Thread(target=killer)
    thread.start()
    try:
        settings = {**SETTINGS, "workers": 2, "executor": "processes", "chunk": 1}
        found = sweep(pond(), design(runs), folder=tmp_path, **settings)
    finally:
        over.set()
        thread.join()
    assert killed >= 2
    assert found.complete
    assert found.sha256 == sweep(pond(), design(runs), **SETTINGS).sha256
