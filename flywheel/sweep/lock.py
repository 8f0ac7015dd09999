"""One writer at a time for a folder of results.

The operating system holds the lock and lets go of it when its owner dies, however it dies; the file
itself only says who the owner is. Its text matters where the system cannot look: an owner on another
machine, on a file system that keeps locks to one machine.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from flywheel.errors import UsageError

NAME = "lock"
"""The file, inside the folder that it protects. It stays: deleting a locked file would free its name."""
_LONGEST = 4096
"""Bytes of the file that are looked at."""


class BusyError(UsageError):
    """Somebody else is writing to the folder; the sentence says who."""


class Lock:
    """The right to write to ``folder``, as a context manager.

    Raises BusyError where another living process, or another thread of this one, has it. The lock of a
    dead process of this machine is simply free. Raises OSError where no file can be made at all.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: int | None = None

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        file = os.open(self._path, flags, 0o666)
        try:
            owner = _read(file) if sys.platform != "win32" else {}
            if not _hold(file):
                raise BusyError(_busy(self._path.parent, owner))
            # What was read before the lock was ours may be the words of somebody who has just gone.
            owner = _read(file)
            if owner and owner.get("host") != socket.gethostname():
                raise BusyError(_elsewhere(self._path, owner))
            _write(file, _owner())
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            os.ftruncate(file, 0)  # an empty file: left in order
        except OSError:
            pass  # a full or read-only disk keeps the name of its last owner, who is not running
        finally:
            os.close(file)


def _owner() -> dict[str, object]:
    start = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "start": start}


def _read(file: int) -> dict[str, object]:
    """Who the file says is writing; empty for nobody, or for words that make no sense."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        found = json.loads(os.read(file, _LONGEST).decode("utf-8"))
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: int, owner: dict[str, object]) -> None:
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, json.dumps(owner).encode("utf-8"))


def _busy(folder: Path, owner: dict[str, object]) -> str:
    who = (
        f"process {owner.get('pid')} on {owner.get('host')}, since {owner.get('start')}"
        if owner
        else "another process"
    )
    return f"{folder} is being written by {who}; wait for it, stop it, or choose another folder"


def _elsewhere(path: Path, owner: dict[str, object]) -> str:
    return (
        f"{path.parent} was last written by process {owner.get('pid')} on {owner.get('host')}, since "
        f"{owner.get('start')}, and whether it still runs cannot be seen from here; if it does not, "
        f"delete {path} and try again"
    )


if sys.platform == "win32":
    import msvcrt

    def _hold(file: int) -> bool:
        """Takes the lock, on a byte far behind the text so that others can read that."""
        os.lseek(file, _LONGEST, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _hold(file: int) -> bool:
        """Takes the lock if it is free."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
