"""Sweeps on a Dask cluster: a scheduler and two workers of our own, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flywheel.errors import UsageError
from flywheel.sweep.executor import Finished, Poisoned, run
from tests.sweep.fake_job import FakeJob

distributed = pytest.importorskip(
    "distributed", reason="Dask is not installed: pip install distributed"
)

# Dask leaves sockets and event loops to the garbage collector; this project's code is not to blame.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
    ) as made:
        yield made


def test_the_same_pieces_as_threads(cluster: Any) -> None:
    events = list(run(range(20), FakeJob({}), kind=cluster.scheduler_address))
    pieces = {event.task: event.piece for event in events if isinstance(event, Finished)}
    assert pieces == {task: FakeJob({})(task) for task in range(20)}


def test_a_poison_shard_is_marked(cluster: Any) -> None:
    job = FakeJob({"failing": [1]})
    events = list(run(range(4), job, kind=cluster.scheduler_address))
    reason = "ArithmeticError: shard 1 does not work out"
    assert [event for event in events if isinstance(event, Poisoned)] == [Poisoned(1, reason)]
    assert sorted(e.task for e in events if isinstance(e, Finished)) == [0, 2, 3]


def test_a_mistake_ends_everything(cluster: Any) -> None:
    with pytest.raises(UsageError, match="shard 1 is a mistake"):
        list(run(range(50), FakeJob({"mistaken": [1]}), kind=cluster.scheduler_address))
    assert list(run(range(2), FakeJob({}), kind=cluster.scheduler_address))  # it is of use still


def test_no_scheduler_there() -> None:
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        run([], FakeJob({}), kind="tcp://127.0.0.1:1")
