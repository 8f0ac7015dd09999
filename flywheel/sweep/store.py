"""A sweep as a folder: a manifest, and shards that are either whole or not there.

```
manifest.json            the plan (model text, design, method, seed), versions, when it was made
shards/000000.parquet    one file a shard and kind of table: shards (members and outcomes), streams, …
done/000000.json         written last: SHA-256 of each file of the shard, and of its numbers
failed/000000.json       a shard that was given up, and why
lock                     who is writing
```

Every file is written under a temporary name, synced and renamed, so that a kill at any moment leaves
the old state or the new one. A shard counts as finished only while every byte of it has the SHA-256
that ``done`` states: what is torn or forged is computed again. Folders are not synced: a power cut may
cost the shards of the last seconds, never a number.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flywheel.errors import UsageError
from flywheel.sweep.lock import BusyError, Lock
from flywheel.sweep.piece import Piece

FORMAT = 1
"""Of the folder; a reader refuses what is newer than itself."""
MANIFEST = "manifest.json"
_KIND = re.compile(r"[a-z]{1,20}")
_TEMPORARY = ".writing"


class StoreError(UsageError):
    """A folder of results that cannot be written, read, or continued; a sentence says why."""


@dataclass(frozen=True)
class Record:
    """What ``done`` says of a shard: SHA-256 by kind of table, that of its numbers, its members."""

    number: int
    files: Mapping[str, str]
    digest: str
    members: int
    failed: int


class Store:
    """The files of one sweep. Reading needs no lock, writing happens inside ``store.writing()``."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    # The manifest ---------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether the folder has a manifest."""
        return (self.folder / MANIFEST).is_file()

    def manifest(self) -> dict[str, Any]:
        """The manifest as plain data; raises StoreError where there is none that makes sense."""
        path = self.folder / MANIFEST
        try:
            found = json.loads(path.read_bytes().decode("utf-8"))
        except FileNotFoundError:
            raise StoreError(
                f"{self.folder} holds no sweep: there is no {MANIFEST} in it"
            ) from None
        except OSError as problem:
            raise StoreError(_sentence(problem, path, "read")) from None
        except ValueError:
            raise StoreError(f"{path} is not the manifest of a sweep: it is no JSON") from None
        if not isinstance(found, dict) or not isinstance(found.get("plan"), dict):
            raise StoreError(f"{path} is not the manifest of a sweep: it has no plan")
        if found.get("format") != FORMAT:
            raise StoreError(
                f"{path} has format {found.get('format')!r}, and this version of Flywheel reads "
                f"format {FORMAT}"
            )
        return found

    def create(
        self, plan: Mapping[str, Any], plan_sha256: str, versions: Mapping[str, str]
    ) -> None:
        """Writes the manifest of a new sweep; inside ``writing``."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = {
            "format": FORMAT,
            "created": created,
            "plan_sha256": plan_sha256,
            "versions": dict(versions),
            "plan": dict(plan),
        }
        self._put(self.folder / MANIFEST, _json(manifest))

    # Writing --------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The exclusive right to write, for the time of a ``with``; makes the folder if need be.

        Raises BusyError while another one writes, StoreError where the disk does not let us.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = Lock(self.folder)
            lock.__enter__()
        except BusyError:
            raise
        except OSError as problem:
            raise StoreError(_sentence(problem, self.folder, "write")) from None
        with lock_of(lock):
            self._sweep_up()
            yield

    def write(self, number: int, piece: Piece, plan_hash: str) -> None:
        """Keeps a finished shard; inside ``writing``. Raises StoreError when the disk does not let us,
        and then the folder is as before."""
        hashes = {}
        for kind, raw in piece.files.items():
            self._put(self._file(kind, number), raw)
            hashes[kind] = hashlib.sha256(raw).hexdigest()
        record = {
            "shard": number,
            "plan_hash": plan_hash,
            "files": hashes,
            "digest": piece.digest,
            "members": piece.members,
            "failed": piece.failed,
        }
        self._put(self.folder / "done" / f"{number:06d}.json", _json(record))
        with suppress(OSError):  # it was given up in an earlier session
            (self.folder / "failed" / f"{number:06d}.json").unlink(missing_ok=True)

    def give_up(self, number: int, reason: str) -> None:
        """Marks a shard that could not be computed; inside ``writing``."""
        record = {"shard": number, "reason": reason}
        self._put(self.folder / "failed" / f"{number:06d}.json", _json(record))

    def _put(self, path: Path, raw: bytes) -> None:
        temporary = path.with_name(path.name + _TEMPORARY)
        try:
            path.parent.mkdir(exist_ok=True)
            with open(temporary, "wb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except OSError as problem:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StoreError(_sentence(problem, self.folder, "write")) from None

    def _sweep_up(self) -> None:
        """Deletes what a killed writer left half written."""
        for path in (*self.folder.glob(f"*{_TEMPORARY}"), *self.folder.glob(f"*/*{_TEMPORARY}")):
            with suppress(OSError):
                path.unlink()

    # Reading --------------------------------------------------------------------------------------

    def finished(self, plan_hash: str, shards: int) -> dict[int, Record]:
        """The whole shards, by number: those whose every byte is as their record says."""
        found = {}
        for number in range(shards):
            record = self._record(number, plan_hash)
            if record is not None and all(
                self.table(record, kind) is not None for kind in record.files
            ):
                found[number] = record
        return found

    def damaged(self, plan_hash: str, shards: int) -> tuple[int, ...]:
        """Shards that were finished once and are not whole any more."""
        whole = self.finished(plan_hash, shards)
        names = (path.stem for path in (self.folder / "done").glob("*.json"))
        once = {int(name) for name in names if name.isdigit()}
        return tuple(sorted(number for number in once if number < shards and number not in whole))

    def given_up(self) -> dict[int, str]:
        """Shards that could not be computed, with the reason."""
        found = {}
        for path in sorted((self.folder / "failed").glob("*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                record = json.loads(path.read_bytes().decode("utf-8"))
                found[int(record["shard"])] = str(record["reason"])
        return found

    def table(self, record: Record, kind: str) -> bytes | None:
        """The bytes of one table of a shard; None where it has none, or not the recorded ones."""
        if kind not in record.files:
            return None
        try:
            raw = self._file(kind, record.number).read_bytes()
        except OSError:
            return None
        return raw if hashlib.sha256(raw).hexdigest() == record.files[kind] else None

    def paths(self, kind: str, records: Mapping[int, Record]) -> list[Path]:
        """The files of one kind of table, in order of shards."""
        return [self._file(kind, n) for n, record in records.items() if kind in record.files]

    def _file(self, kind: str, number: int) -> Path:
        return self.folder / kind / f"{number:06d}.parquet"

    def _record(self, number: int, plan_hash: str) -> Record | None:
        """What ``done`` says of a shard; None where it says nothing, or nothing that makes sense."""
        path = self.folder / "done" / f"{number:06d}.json"
        try:
            found = json.loads(path.read_bytes().decode("utf-8"))
            files = {str(kind): str(sha) for kind, sha in found["files"].items()}
            record = Record(
                int(found["shard"]),
                files,
                str(found["digest"]),
                int(found["members"]),
                int(found["failed"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        # The names become paths, and a shard of another sweep may have been copied here.
        sound = files and all(_KIND.fullmatch(kind) for kind in files)
        mine = record.number == number and found.get("plan_hash") == plan_hash
        return record if sound and mine else None


@contextmanager
def lock_of(lock: Lock) -> Iterator[None]:
    """Lets go of a lock that is held already, at the end of a ``with``."""
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would become larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "you have no permission",
    errno.EPERM: "you have no permission",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "there is a file of that name",
}


def _sentence(problem: OSError, path: Path, verb: str) -> str:
    reason = _REASONS.get(problem.errno or 0, problem.strerror or str(problem))
    kept = (
        "; shards finished so far are kept, and the sweep can be resumed" if verb == "write" else ""
    )
    return f"cannot {verb} {path}: {reason}{kept}"
