"""Sweeps end to end: the same bytes from anyone, nothing computed twice, and sentences for refusals."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from flywheel.errors import LimitError, UsageError
from flywheel.sweep import run as runs
from flywheel.sweep.job import ShardJob
from flywheel.sweep.lock import BusyError
from flywheel.sweep.progress import Progress, duration
from flywheel.sweep.result import Sweep
from flywheel.sweep.run import open_sweep, resume, sweep
from flywheel.sweep.store import Store, StoreError
from tests.sweep.small import SETTINGS, TEXT, design, pond

SHARDS = 10
"""Of 600 members in shards of 64."""


def small(folder: Path | None = None, **more: Any) -> Sweep:
    """The small sweep, in one thread unless told otherwise."""
    return sweep(pond(), design(), folder=folder, **{**SETTINGS, "workers": 1, **more})


@pytest.fixture(scope="module")
def wanted() -> str:
    """The SHA-256 that everybody must arrive at."""
    return small().sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished sweep."""
    small(tmp_path / "sweep")
    return tmp_path / "sweep"


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Which shards are finished, and when each was written: a shard that is computed again differs."""
    files = (folder / "done").glob("*.json")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


# The same bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("chunk", [64, 137, 1000])
def test_threads_and_chunks_change_nothing(
    wanted: str, workers: int, chunk: int, tmp_path: Path
) -> None:
    assert small(workers=workers, chunk=chunk).sha256 == wanted
    kept = small(tmp_path, workers=workers, chunk=chunk)
    assert kept.sha256 == wanted
    assert kept.complete
    assert kept.computed == tuple(range(SHARDS))


@pytest.mark.parametrize(
    ("workers", "chunk"), [(2, 137), pytest.param(4, 1000, marks=pytest.mark.slow)]
)
def test_processes_change_nothing(wanted: str, workers: int, chunk: int, tmp_path: Path) -> None:
    found = small(tmp_path, workers=workers, chunk=chunk, executor="processes")
    assert found.sha256 == wanted


def test_processes_without_a_folder(wanted: str) -> None:
    assert small(executor="processes").sha256 == wanted


def test_the_files_are_the_same_too(tmp_path: Path) -> None:
    def files(name: str) -> dict[str, bytes]:
        found = (path for path in sorted((tmp_path / name).rglob("*.*")) if path.is_file())
        return {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in found
            if path.name != "manifest.json"  # says when it was made
        }

    small(tmp_path / "a", workers=1, chunk=64)
    small(tmp_path / "b", workers=3, chunk=1000)
    assert files("a") == files("b")
    assert len(files("a")) >= 3 * SHARDS


@pytest.mark.slow
@pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_changes_nothing(wanted: str, tmp_path: Path) -> None:
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert small(tmp_path, executor=address).sha256 == wanted
        assert small(executor=address).sha256 == wanted


def test_another_seed_or_design_is_another_sweep(wanted: str) -> None:
    other = sweep(pond(), design(), **{**SETTINGS, "seed": 1})
    assert other.sha256 != wanted
    assert sweep(pond(), design(599), **SETTINGS).sha256 != wanted


# Nothing computed twice ---------------------------------------------------------------------------


def test_a_finished_sweep_is_not_computed_again(folder: Path, wanted: str) -> None:
    before = stamps(folder)
    for again in (small(folder), resume(folder), open_sweep(folder)):
        assert again.computed == ()
        assert again.sha256 == wanted
    assert stamps(folder) == before


def test_an_interrupted_sweep_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done >= 4 * 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"stopped with 4 of 10 shards finished.*resume"):
        small(tmp_path, progress=interrupt)
    before = stamps(tmp_path)
    assert len(before) == 4
    half = open_sweep(tmp_path)
    assert not half.complete
    assert half.missing[9] == "it is not computed yet"
    assert half.sha256 != wanted
    calls = []
    work = ShardJob.__call__
    monkeypatch.setattr(ShardJob, "__call__", lambda job, n: calls.append(n) or work(job, n))
    found = resume(tmp_path, workers=2)
    assert sorted(calls) == list(found.computed) == [4, 5, 6, 7, 8, 9]
    assert found.sha256 == wanted
    assert {name: stamps(tmp_path)[name] for name in before} == before


@pytest.mark.parametrize("kind", ["shards", "streams", "runs"])
def test_torn_and_forged_shards_are_computed_again(folder: Path, wanted: str, kind: str) -> None:
    paths = sorted((folder / kind).glob("*.parquet"))[:3]
    whole = [path.read_bytes() for path in paths]
    paths[0].write_bytes(whole[0][:-1])
    paths[1].write_bytes(whole[1][:100] + b"x" + whole[1][101:])
    paths[2].unlink()
    numbers = [int(path.stem) for path in paths]
    torn = open_sweep(folder)
    assert list(torn.missing) == numbers
    assert len(torn.frame) == len(torn) - sum(len(torn.plan.members(n)) for n in numbers)
    found = resume(folder)
    assert list(found.computed) == numbers
    assert found.sha256 == wanted
    assert [path.read_bytes() for path in paths] == whole


def test_a_table_that_changes_after_opening_is_not_read(folder: Path) -> None:
    opened = open_sweep(folder)
    path = folder / "streams" / "000002.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"shard 2 of .* has changed since the sweep was opened"):
        opened.mean("fish")


# Refusals -----------------------------------------------------------------------------------------


def test_a_changed_model_is_refused_with_the_difference(folder: Path) -> None:
    before = stamps(folder)
    changed = pond(TEXT.replace("birth * fish", "birth * fish * 2"))
    with pytest.raises(StoreError) as refusal:
        sweep(changed, design(), folder=folder, **SETTINGS)
    said = str(refusal.value)
    assert "holds the results of another model (- kept, + given)" in said
    assert "  -flow   born = birth * fish\n  +flow   born = birth * fish * 2\n" in said
    assert "deaths = 0.1" not in said  # what did not change is not repeated
    with pytest.raises(StoreError, match=r"\+flow   born = birth \* fish \* 2"):
        resume(folder, model=changed)
    assert resume(folder, model=pond()).computed == ()
    assert stamps(folder) == before


def test_another_plan_is_refused_with_the_difference(folder: Path) -> None:
    with pytest.raises(StoreError, match=r"another sweep(.|\n)*seed:\n  -0\n  \+3"):
        small(folder, seed=3)
    with pytest.raises(StoreError, match=r"another sweep(.|\n)*design.runs:\n  -600\n  \+601"):
        sweep(pond(), design(601), folder=folder, **SETTINGS)


def test_other_versions_are_refused_unless_allowed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = runs.versions()
    monkeypatch.setattr(runs, "versions", lambda: now | {"numpy": "0.1"})
    sentence = f"begun by other versions.*numpy {now['numpy']} -> 0.1"
    with pytest.raises(StoreError, match=sentence):
        resume(folder)
    with pytest.raises(StoreError, match=sentence):
        small(folder)
    assert resume(folder, other_versions=True).complete


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan | {"seed": 5},
        lambda plan: plan | {"edges": {"low": [[0]], "high": [[1]]}},
        lambda plan: plan | {"model_text": plan["model_text"].replace("0.5", "0.6")},
        lambda plan: {},
        lambda plan: plan | {"design": {"kind": "oracle"}},
        lambda plan: plan | {"edges": "wide"},
    ],
)
def test_a_manifest_changed_by_hand_is_refused(folder: Path, change: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"plan": change(manifest["plan"])}))
    for read in (open_sweep, resume):
        with pytest.raises(StoreError, match=r"has been changed|cannot be read"):
            read(folder)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(
        StoreError, match=r"holds no sweep and is not empty \(there is thesis.doc\)"
    ):
        small(tmp_path)
    for read in (open_sweep, resume):
        with pytest.raises(StoreError, match="holds no sweep"):
            read(tmp_path)


def test_two_sweeps_do_not_write_to_one_folder(folder: Path) -> None:
    with Store(folder).writing(), pytest.raises(BusyError, match="is being written by process"):
        small(folder)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"workers": 0}, "workers must be"),
        ({"chunk": 0}, "chunk must be"),
        ({"executor": "gpu"}, "executor must be"),
        ({"saved": ["fsh"]}, "Did you mean 'fish'"),
        ({"shard": 65}, "multiple of 64"),
    ],
)
def test_senseless_arguments_leave_no_folder(
    tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        small(tmp_path / "new", **given)
    assert not (tmp_path / "new").exists()


def test_too_little_memory_is_said_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "_available", lambda: 1000)
    with pytest.raises(LimitError, match=r"needs about .* but only 1e-06 GB are free"):
        small()


def test_a_folder_needs_pyarrow_and_memory_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"pip install 'flywheel-sd\[parquet\]'"):
        small(tmp_path)
    assert small().sha256 == wanted


# When things go wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_full_disk_stops_with_a_sentence_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, executor: str
) -> None:
    synced, left = os.fsync, 14

    def fsync(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(file)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError, match="the disk is full; shards finished so far are kept"):
        small(tmp_path, executor=executor)
    monkeypatch.undo()
    before = stamps(tmp_path)
    assert 0 < len(before) < SHARDS
    found = resume(tmp_path)
    assert found.sha256 == wanted
    assert len(found.computed) == SHARDS - len(before)


def test_a_shard_that_cannot_be_computed_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    work = ShardJob.__call__

    def fail(job: ShardJob, number: int) -> Any:
        if number == 3:
            raise MemoryError("no room")
        return work(job, number)

    monkeypatch.setattr(ShardJob, "__call__", fail)
    in_memory = small()
    found = small(tmp_path)
    assert in_memory.sha256 == found.sha256 != wanted
    for one in (in_memory, found):
        assert dict(one.missing) == {3: "MemoryError: no room, 3 times"}
        assert not one.complete
        rows = one.failures[one.failures["variable"] == ""]
        assert rows["member"].tolist() == list(range(192, 256))
        assert set(rows["reason"]) == {"shard 3: MemoryError: no room, 3 times"}
        assert len(one.frame) == 600 - 64
        assert int(one._total.moments.count.max()) <= 600 - 64
        assert "1 of 10 shards are missing" in one.explain()
    monkeypatch.undo()
    again = resume(tmp_path)
    assert again.computed == (3,)
    assert again.sha256 == wanted
    assert again.complete


SCRIPT = """
    import sys
    from flywheel.sweep.run import sweep
    from tests.sweep.small import SETTINGS, design, pond
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    sweep(pond(), design(200_000), folder=sys.argv[1], executor=sys.argv[2], workers=2, **SETTINGS)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent another way there")
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_ctrl_c_leaves_no_orphan_and_a_usable_store(tmp_path: Path, executor: str) -> None:
    folder = tmp_path / "sweep"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), executor],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while len(list((folder / "done").glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == (2 if executor == "processes" else 0)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody
    _, said = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt: stopped with" in said
    assert said.count("Traceback") == 1  # workers say nothing
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive, gone
    found = open_sweep(folder)
    assert not found.complete
    assert found.plan.shards - len(found.missing) >= 3
    with Store(folder).writing():
        pass  # the lock is free


# What is told while it runs -----------------------------------------------------------------------


def test_progress_tells_how_far_and_how_fast(folder: Path) -> None:
    seen: list[Progress] = []
    small(progress=seen.append)
    assert [p.done for p in seen] == [*range(0, 600, 64), 600]
    assert all(p.total == 600 and p.kept == 0 for p in seen)
    assert seen[0].rate is None
    assert seen[0].left is None
    assert "needs about" in seen[0].memory
    for p in seen[1:]:
        assert p.rate == pytest.approx(p.done / p.seconds)
        assert p.left == pytest.approx((600 - p.done) / p.rate)
    assert seen[-1].left == 0
    assert seen[-1].failed == small().failed
    (folder / "done" / "000004.json").unlink()
    seen.clear()
    resume(folder, progress=seen.append)
    assert [(p.done, p.kept) for p in seen] == [(536, 536), (600, 536)]


def test_progress_as_a_sentence() -> None:
    assert str(Progress(0, 100, 0, 0, 0.0, "")) == "0 of 100 runs (0 %)"
    half = Progress(5_000, 10_000, 1_000, 2, 2.0, "")
    assert str(half) == "5,000 of 10,000 runs (50 %), 2,000 runs/s, 2 s left, 2 failed"
    assert [duration(x) for x in (5.4, 200, 7500)] == ["5 s", "3 min 20 s", "2 h 5 min"]
