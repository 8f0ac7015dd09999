"""Who computes the shards: threads, processes, or a Dask cluster, behind one ``run``."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from flywheel.errors import FlywheelError, UsageError
from flywheel.sweep.piece import Job, Piece

TRIES = 3
"""How often a shard is started before it is given up."""
_LOOK = 0.5
"""Seconds after which the waiting thread looks up: on Windows Ctrl-C is only seen then."""


@dataclass(frozen=True)
class Finished:
    """A shard that was computed."""

    task: int
    piece: Piece


@dataclass(frozen=True)
class Poisoned:
    """A shard that failed ``TRIES`` times; ``reason`` is how the last try ended."""

    task: int
    reason: str


Event = Finished | Poisoned


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    tasks: Iterable[int], job: Job, *, workers: int | None = None, kind: str = "threads"
) -> Generator[Event, None, None]:
    """Computes shards and yields them as they finish, in any order.

    Parameters
    ----------
    tasks:
        Numbers of shards.
    workers:
        How many at once; by default as many as there are processors. A cluster has its own.
    kind:
        ``threads``, ``processes``, or the address of a Dask scheduler (``tcp://host:8786``).

    A worker that dies is replaced and its shard tried again; after ``TRIES`` tries the shard is
    reported as Poisoned. A caller's mistake (FlywheelError) ends everything. Closing the iterator, or
    an exception such as KeyboardInterrupt in it, stops what runs and leaves no process behind.
    """
    count = checked(workers, kind)
    if kind == "threads":
        return _local(tasks, job, count, lambda: None)
    if kind == "processes":
        from flywheel.sweep.processes import Workers

        pool = Workers(job)
        return _local(tasks, pool, count, pool.close)
    from flywheel.sweep.cluster import run_on_cluster

    return run_on_cluster(tasks, job, kind)


def checked(workers: int | None, kind: str) -> int:
    """How many workers; raises UsageError for senseless numbers and kinds."""
    count = cores() if workers is None else workers
    if type(count) is not int or count < 1:
        raise UsageError(f"workers must be a whole number of at least 1, not {workers!r}")
    if kind not in ("threads", "processes") and "://" not in kind:
        raise UsageError(
            f"executor must be threads, processes or the address of a Dask scheduler such as "
            f"tcp://localhost:8786, not {kind!r}"
        )
    return count


def _local(
    tasks: Iterable[int], work: Callable[[int], Piece], workers: int, close: Callable[[], None]
) -> Generator[Event, None, None]:
    """Threads that work themselves, or that each wait for a process."""
    waiting = deque(tasks)
    tries: dict[int, int] = {}
    running: dict[Future[Piece], int] = {}
    pool = ThreadPoolExecutor(workers, thread_name_prefix="flywheel-sweep")
    try:
        while waiting or running:
            # One in hand for each worker besides the one it works on: nobody waits for the writing of
            # results, and no more of them pile up.
            while waiting and len(running) < 2 * workers:
                task = waiting.popleft()
                running[pool.submit(work, task)] = task
            ready, _ = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            for future in ready:
                task = running.pop(future)
                problem = future.exception()
                if problem is None:
                    yield Finished(task, future.result())
                elif isinstance(problem, FlywheelError) or not isinstance(problem, Exception):
                    raise problem
                else:
                    tries[task] = tries.get(task, 0) + 1
                    if tries[task] >= TRIES:
                        yield Poisoned(task, reason_of(problem))
                    else:
                        # Behind all others: what killed it (memory, say) may have passed by then.
                        waiting.append(task)
    finally:
        for future in running:
            future.cancel()
        close()
        pool.shutdown(wait=True, cancel_futures=True)


def reason_of(problem: BaseException) -> str:
    """How a try ended, for a sentence."""
    from flywheel.sweep.processes import WorkerDied, WorkFailed

    if isinstance(problem, WorkerDied | WorkFailed):
        return str(problem)
    return f"{type(problem).__name__}: {problem}"
