"""Whoever computes the shards: the same pieces from threads, processes and a cluster, whatever dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from flywheel.errors import UsageError
from flywheel.sweep.executor import TRIES, Finished, Poisoned, cores, run
from flywheel.sweep.processes import Workers
from tests.sweep.fake_job import FakeJob

KINDS = ("threads", "processes")


def children() -> list[psutil.Process]:
    """Our own processes that still run (compilers of other tests are none of them)."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "flywheel.sweep.worker" in child.cmdline() and child.status() != "zombie":
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def started(log: Path) -> Counter[int]:
    """How often each shard was begun."""
    return Counter(int(line.split()[0]) for line in log.read_text().splitlines())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_done_once(kind: str, workers: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = FakeJob({"log": str(log)})
    events = list(run(range(10), job, workers=workers, kind=kind))
    pieces = {event.task: event.piece for event in events if isinstance(event, Finished)}
    assert pieces == {task: FakeJob({})(task) for task in range(10)}
    assert started(log) == Counter(range(10))
    assert not children()


def test_no_tasks_start_no_process(tmp_path: Path) -> None:
    assert list(run([], FakeJob({}), workers=2, kind="processes")) == []


def test_processes_share_the_work(tmp_path: Path) -> None:
    log = tmp_path / "log"
    list(run(range(8), FakeJob({"log": str(log), "seconds": 0.2}), workers=2, kind="processes"))
    pids = {line.split()[1] for line in log.read_text().splitlines()}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


def test_what_a_library_prints_does_not_disturb_the_answers() -> None:
    events = list(run(range(3), FakeJob({"chatty": True}), workers=1, kind="processes"))
    assert all(isinstance(event, Finished) for event in events)


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = FakeJob({"log": str(log), "deadly_once": [1, 4]})
    events = list(run(range(6), job, workers=2, kind="processes"))
    assert sorted(event.task for event in events if isinstance(event, Finished)) == list(range(6))
    assert started(log) == Counter(range(6)) + Counter([1, 4])
    assert not children()


def test_a_poison_shard_is_marked_after_three_tries(tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = FakeJob({"log": str(log), "deadly": [2]})
    events = list(run(range(5), job, workers=2, kind="processes"))
    assert [e for e in events if isinstance(e, Poisoned)] == [
        Poisoned(2, "its process was ended by SIGKILL")
    ]
    assert sorted(e.task for e in events if isinstance(e, Finished)) == [0, 1, 3, 4]
    assert started(log)[2] == TRIES


@pytest.mark.parametrize("kind", KINDS)
def test_work_that_raises_is_marked_too(kind: str, tmp_path: Path) -> None:
    job = FakeJob({"log": str(tmp_path / "log"), "failing": [0]})
    events = list(run(range(3), job, workers=1, kind=kind))
    reason = "ArithmeticError: shard 0 does not work out"
    assert [e for e in events if isinstance(e, Poisoned)] == [Poisoned(0, reason)]
    assert started(tmp_path / "log")[0] == TRIES


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_of_the_caller_ends_everything(kind: str) -> None:
    with pytest.raises(UsageError, match="shard 1 is a mistake"):
        list(run(range(100), FakeJob({"mistaken": [1], "seconds": 0.01}), workers=2, kind=kind))
    assert not children()


@pytest.mark.parametrize("kind", KINDS)
def test_closing_the_iterator_stops_what_runs(kind: str) -> None:
    events = run(range(1000), FakeJob({"seconds": 0.3}), workers=2, kind=kind)
    next(events)
    begin = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begin < 3
    assert not children()


def test_killing_a_worker_now_and_then_does_not_end_the_work(tmp_path: Path) -> None:
    over = threading.Event()
    killed = 0

    def killer() -> None:
        nonlocal killed
        while not over.wait(0.4):
            for child in children()[:1]:
                child.send_signal(signal.SIGKILL)
                killed += 1

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        job = FakeJob({"seconds": 0.05})
        events = list(run(range(40), job, workers=2, kind="processes"))
    finally:
        over.set()
        thread.join()
    assert killed >= 2
    assert sorted(event.task for event in events if isinstance(event, Finished)) == list(range(40))
    assert not children()


def test_nothing_starts_after_the_end() -> None:
    workers = Workers(FakeJob({}))
    assert workers(3) == FakeJob({})(3)
    assert len(workers.pids()) == 1
    workers.close()
    assert workers.pids() == ()
    with pytest.raises(Exception, match="the sweep is over"):
        workers(4)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_a_senseless_number_of_workers_is_refused(workers: Any) -> None:
    with pytest.raises(UsageError, match="workers must be a whole number of at least 1"):
        run([], FakeJob({}), workers=workers)


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(UsageError, match="threads, processes or the address of a Dask scheduler"):
        run([], FakeJob({}), kind="fibres")


def test_cores_are_counted() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_a_cluster_without_dask_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'flywheel-sd\[dask\]'"):
        run([], FakeJob({}), kind="tcp://127.0.0.1:8786")
