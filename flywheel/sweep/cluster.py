"""Shards on a Dask cluster that is already there, by the address of its scheduler."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flywheel.errors import FlywheelError, UsageError
from flywheel.sweep.piece import Job, Piece
from flywheel.sweep.worker import job_of

if TYPE_CHECKING:
    from flywheel.sweep.executor import Event

_AHEAD = 3
"""Shards in hand for each thread of the cluster, so that no worker waits for the scheduler."""
_REACHED_WITHIN = 5
"""Seconds to wait for the scheduler to answer."""


def run_on_cluster(tasks: Iterable[int], job: Job, address: str) -> Generator[Event, None, None]:
    """As ``executor.run``, on the workers of a scheduler, which need this package too.

    Raises UsageError where Dask is not installed or the scheduler does not answer.
    """
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "a sweep on a cluster needs Dask: pip install 'flywheel-sd[dask]'"
        ) from None
    try:
        client = distributed.Client(address, timeout=_REACHED_WITHIN, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as problem:
        raise UsageError(f"no Dask scheduler answers at {address}: {problem}") from None
    return _events(tasks, job, client)


def _events(tasks: Iterable[int], job: Job, client: Any) -> Generator[Event, None, None]:
    import json

    import distributed

    from flywheel.sweep.executor import TRIES, Finished, Poisoned, reason_of

    waiting = deque(tasks)
    settings = json.dumps(dict(job.settings))
    tries: dict[int, int] = {}
    running: dict[Any, int] = {}
    done = distributed.as_completed(loop=client.loop)

    def start(task: int) -> None:
        # `pure=False`: a shard that is tried again must not be answered from the failed try.
        future = client.submit(_remote, job.maker, settings, task, pure=False)
        running[future] = task
        done.add(future)

    try:
        threads = max(sum(client.nthreads().values()), 1)
        while waiting and len(running) < _AHEAD * threads:
            start(waiting.popleft())
        while running:
            future = next(done)
            task = running.pop(future)
            problem = future.exception()
            if problem is None:
                yield Finished(task, Piece(*future.result()))
            elif isinstance(problem, FlywheelError):
                raise problem
            else:
                # Dask itself has tried a shard several times before it blames it for dead workers.
                died = isinstance(problem, distributed.KilledWorker)
                tries[task] = TRIES if died else tries.get(task, 0) + 1
                if tries[task] >= TRIES:
                    yield Poisoned(task, reason_of(problem))
                else:
                    waiting.append(task)
            future.release()
            if waiting:
                start(waiting.popleft())
    finally:
        client.cancel(list(running))
        client.close()


def _remote(maker: str, settings: str, task: int) -> tuple[Mapping[str, bytes], str, int, int]:
    """Runs on a worker of the cluster; answers with plain data."""
    piece = _job(maker, settings)(task)
    return dict(piece.files), piece.digest, piece.members, piece.failed


@lru_cache(maxsize=4)
def _job(maker: str, settings: str) -> Job:
    """A worker keeps its jobs, and with them their compiled models."""
    import json

    return job_of(maker, json.loads(settings))
