"""The folder of a sweep: whole shards or none, one writer, and sentences where the disk says no."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flywheel.sweep.lock import BusyError, Lock
from flywheel.sweep.piece import Piece, digest
from flywheel.sweep.store import MANIFEST, Store, StoreError

PLAN = {"seed": 1, "members": 10}
HASH = "ab" * 32


def piece(task: int, size: int = 40) -> Piece:
    numbers = np.random.default_rng(task).random(size)
    raw = numbers.tobytes()
    return Piece({"shards": raw, "streams": raw[::-1]}, digest({"x": numbers}), size, 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A sweep of four shards of which 0, 1 and 3 are finished."""
    made = Store(tmp_path / "sweep")
    with made.writing():
        made.create(PLAN, HASH, {"flywheel": "1"})
        for task in (0, 1, 3):
            made.write(task, piece(task), HASH)
    return made


def everything(folder: Path) -> dict[str, str]:
    """What lies in a folder, by path: SHA-256 of each file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


# What is kept -------------------------------------------------------------------------------------


def test_the_manifest_comes_back(store: Store) -> None:
    found = store.manifest()
    assert found["plan"] == PLAN
    assert found["plan_sha256"] == HASH
    assert found["versions"] == {"flywheel": "1"}
    assert found["created"].endswith("+00:00")


def test_finished_shards_come_back(store: Store) -> None:
    found = store.finished(HASH, 4)
    assert list(found) == [0, 1, 3]
    assert store.table(found[3], "streams") == piece(3).files["streams"]
    assert found[3].digest == piece(3).digest
    assert store.table(found[3], "other") is None
    assert store.damaged(HASH, 4) == ()
    assert [path.name for path in store.paths("shards", found)] == [
        "000000.parquet",
        "000001.parquet",
        "000003.parquet",
    ]


def test_a_shard_of_another_sweep_does_not_count(store: Store) -> None:
    assert store.finished("cd" * 32, 4) == {}


def test_a_renamed_shard_does_not_count(store: Store) -> None:
    for kind in ("shards", "streams"):
        path = store.folder / kind
        (path / "000002.parquet").write_bytes((path / "000001.parquet").read_bytes())
    done = store.folder / "done"
    (done / "000002.json").write_bytes((done / "000001.json").read_bytes())
    assert list(store.finished(HASH, 4)) == [0, 1, 3]


def test_a_shard_given_up_says_why_until_it_is_finished(store: Store) -> None:
    with store.writing():
        store.give_up(2, "its process was ended by SIGKILL")
        assert store.given_up() == {2: "its process was ended by SIGKILL"}
        store.write(2, piece(2), HASH)
    assert store.given_up() == {}


# Torn and forged ----------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["shards/000001.parquet", "streams/000001.parquet"])
def test_a_torn_table_is_seen_at_every_byte(store: Store, file: str) -> None:
    path = store.folder / file
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert list(store.finished(HASH, 4)) == [0, 3], length
    assert store.damaged(HASH, 4) == (1,)
    path.write_bytes(whole)
    assert list(store.finished(HASH, 4)) == [0, 1, 3]


def test_a_torn_record_is_seen_at_every_byte(store: Store) -> None:
    path = store.folder / "done" / "000001.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # the last byte is the line end behind the JSON
        path.write_bytes(whole[:length])
        assert list(store.finished(HASH, 4)) == [0, 3], length


def test_a_forged_table_is_seen_at_every_byte(store: Store) -> None:
    path = store.folder / "shards" / "000001.parquet"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert 1 not in store.finished(HASH, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"files": {"../../etc": "00"}},
        {"files": ["shards"]},
        {"shard": 7},
        {"shard": "x"},
        {"members": None},
        {"plan_hash": "?"},
    ],
)
def test_a_forged_record_is_not_followed(store: Store, change: dict[str, Any]) -> None:
    path = store.folder / "done" / "000001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert list(store.finished(HASH, 4)) == [0, 3]


def test_a_missing_table_is_seen(store: Store) -> None:
    (store.folder / "streams" / "000000.parquet").unlink()
    assert list(store.finished(HASH, 4)) == [1, 3]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "\xff"])
def test_a_manifest_that_is_none_is_refused(store: Store, text: str) -> None:
    (store.folder / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(StoreError, match="is not the manifest of a sweep"):
        store.manifest()


def test_a_newer_format_is_refused(store: Store) -> None:
    path = store.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(
        StoreError, match="has format 2, and this version of Flywheel reads format 1"
    ):
        store.manifest()


def test_a_folder_without_a_manifest_is_no_sweep(tmp_path: Path) -> None:
    assert not Store(tmp_path).exists
    with pytest.raises(StoreError, match="holds no sweep"):
        Store(tmp_path).manifest()


def test_half_written_files_are_swept_up(store: Store) -> None:
    left = [store.folder / "shards" / "000002.parquet.writing", store.folder / "x.json.writing"]
    for path in left:
        path.write_bytes(b"half")
    with store.writing():
        assert not any(path.exists() for path in left)
    assert list(store.finished(HASH, 4)) == [0, 1, 3]


# One writer ---------------------------------------------------------------------------------------


def test_two_writers_exclude_each_other(store: Store) -> None:
    sentence = f"is being written by process {os.getpid()}"
    with store.writing(), pytest.raises(BusyError, match=sentence):
        Store(store.folder).writing().__enter__()
    with store.writing():
        pass


HOLDER = """
import sys
from pathlib import Path
from flywheel.sweep.lock import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that writes to a folder until its stdin is closed, or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_dead_writer_is_succeeded(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(BusyError, match=f"process {process.pid} on {socket.gethostname()}"):
            Lock(tmp_path).__enter__()
        process.kill()
        process.wait()
        assert json.loads((tmp_path / "lock").read_text())["pid"] == process.pid  # it said nothing
        with Lock(tmp_path):
            assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert (tmp_path / "lock").read_text() == ""


def test_of_many_successors_one_wins(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": socket.gethostname()}))
    locks = [Lock(tmp_path) for _ in range(8)]
    won = []
    for lock in locks:
        try:
            won.append(lock.__enter__())
        except BusyError:
            continue
    assert len(won) == 1
    won[0].__exit__(None, None, None)


def test_a_writer_on_another_machine_is_not_pushed_aside(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": "elsewhere", "start": "noon"}))
    with pytest.raises(BusyError, match=r"process 1 on elsewhere, since noon, .* delete"):
        Lock(tmp_path).__enter__()


@pytest.mark.parametrize("text", ["", "{", "[1]", "\0" * 10_000])
def test_senseless_words_in_a_lock_do_not_block(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    with Lock(tmp_path):
        pass


# When the disk says no ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "you have no permission"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_says_no_ends_with_a_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str, call: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    with store.writing():
        before = everything(store.folder)
        monkeypatch.setattr(os, call, fail)
        with pytest.raises(
            StoreError, match=f"cannot write .*: {sentence}; shards finished so far"
        ):
            store.write(2, piece(2), HASH)
        monkeypatch.undo()
        assert everything(store.folder) == before
        store.write(2, piece(2), HASH)
    assert list(store.finished(HASH, 4)) == [0, 1, 2, 3]


def test_a_disk_that_fills_up_between_the_files_of_a_shard(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = os.fsync
    for allowed in range(3):  # two tables and the record
        left = allowed

        def fsync(file: int) -> None:
            nonlocal left
            if left == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            left -= 1
            synced(file)

        with store.writing():
            monkeypatch.setattr(os, "fsync", fsync)
            with pytest.raises(StoreError, match="the disk is full"):
                store.write(2, piece(2), HASH)
            monkeypatch.undo()
        assert list(store.finished(HASH, 4)) == [0, 1, 3]
    with store.writing():
        store.write(2, piece(2), HASH)
    assert list(store.finished(HASH, 4)) == [0, 1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a matter of POSIX")
def test_a_real_write_that_fails(store: Store) -> None:
    """The operating system itself refuses: no file of this process may grow beyond 1,000 bytes."""
    script = """
        import resource, signal, sys
        from flywheel.sweep.store import Store, StoreError
        from tests.sweep.test_store import HASH, piece
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        store = Store(sys.argv[1])
        with store.writing():
            try:
                store.write(2, piece(2, 1000), HASH)
            except StoreError as error:
                sys.stdout.write(str(error))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(store.folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert "a file would become larger than this process may write" in run.stdout
    assert list(store.finished(HASH, 4)) == [0, 1, 3]
    assert not list(store.folder.rglob("*.writing"))


@pytest.mark.skipif(not Path("/usr/bin/unshare").exists(), reason="no unshare on this machine")
def test_a_small_disk(tmp_path: Path) -> None:
    """A file system of 64 KiB of our own, where the machine lets a user make one."""
    script = """
        import sys
        from flywheel.sweep.store import Store, StoreError
        from tests.sweep.test_store import HASH, PLAN, piece
        store = Store(sys.argv[1])
        with store.writing():
            store.create(PLAN, HASH, {})
            try:
                for task in range(100):
                    store.write(task, piece(task, 500), HASH)
            except StoreError as error:
                whole = len(store.finished(HASH, 100))
                assert whole == task > 0, (whole, task)
                sys.stdout.write(str(error))
        with store.writing():
            assert len(store.finished(HASH, 100)) == task
    """
    command = f'mount -t tmpfs -o size=64k none "{tmp_path}" && exec "$@"'
    python = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "sweep")]
    run = subprocess.run(
        [
            "/usr/bin/unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            command,
            "sh",
            *python,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if "unshare" in run.stderr or "mount" in run.stderr:
        pytest.skip(f"this machine lets no user make a file system: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    assert "the disk is full; shards finished so far are kept" in run.stdout


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "sweep").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "sweep").writing().__enter__()


def test_a_read_only_folder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(store.folder)
    opened = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(store.folder)):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match="the file system is read-only"):
        store.writing().__enter__()
    monkeypatch.undo()
    assert everything(store.folder) == before
    assert list(store.finished(HASH, 4)) == [0, 1, 3]


# Fingerprints -------------------------------------------------------------------------------------


def test_a_digest_tells_names_types_shapes_and_numbers_apart() -> None:
    numbers = np.arange(6.0)
    arrays: list[dict[str, Any]] = [
        {"a": numbers},
        {"b": numbers},
        {"a": numbers.reshape(2, 3)},
        {"a": numbers.astype(np.float32)},
        {"a": -numbers},
        {"a": numbers, "b": numbers[:0]},
        {"a": np.array(["x", "y"])},
        {"a": np.array(["xy", ""])},
    ]
    assert len({digest(each) for each in arrays}) == len(arrays)


def test_a_digest_does_not_look_into_nan_or_layout() -> None:
    strange = np.array([0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)
    assert digest({"a": strange}) == digest({"a": np.full(2, np.nan)})
    table = np.arange(6.0).reshape(2, 3)
    assert digest({"a": table}) == digest({"a": np.asfortranarray(table)})
    assert digest({"a": table}) == digest({"a": table.astype(">f8")})
    assert digest({"a": table, "b": table * 2}) == digest({"b": table * 2, "a": table})
