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

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a matter of POSIX")

SCRIPT = """
    import sys
    from flywheel.sweep.run import sweep
    from tests.sweep.small import SETTINGS, design, pond
    folder, executor, runs, chunk = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sweep(pond(), design(runs), folder=folder, executor=executor, chunk=chunk, workers=2, **SETTINGS)
"""


def start(folder: Path, executor: str, runs: int, chunk: int) -> subprocess.Popen[bytes]:
    """The sweep in a process group of its own."""
    arguments = [str(folder), executor, str(runs), str(chunk)]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


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
    for kill in range(kills):
        executor = "processes" if kill % processes_every == processes_every - 1 else "threads"
        process = start(folder, executor, runs, dice.choice([64, 137, 1000]))
        enough = len(kept) + dice.randint(0, 3)
        deadline = time.monotonic() + 30
        while len(finished(folder)) <= enough and process.poll() is None:
            assert time.monotonic() < deadline, "no progress"
            time.sleep(0.002)
        time.sleep(dice.random() * 0.02)
        family = (
            psutil.Process(process.pid).children(recursive=True) if executor != "threads" else []
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
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
            for child in psutil.Process().children(recursive=True):
                if "flywheel.sweep.worker" in child.cmdline():
                    child.send_signal(signal.SIGKILL)
                    killed += 1
                    break

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
