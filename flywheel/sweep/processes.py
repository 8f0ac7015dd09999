"""Worker processes, each behind a handle that a thread calls like a function."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from flywheel.errors import UsageError
from flywheel.sweep.piece import Job, Piece
from flywheel.sweep.worker import COMMAND, receive, receive_piece, send


class WorkerDied(Exception):
    """The process ended in the middle of its work."""


class WorkFailed(Exception):
    """The work raised an error of its own; the process lives."""


class Workers:
    """Processes for up to as many threads as call at once; dead ones are replaced.

    ``close`` kills them all, also in the middle of work, and no new ones start afterwards. They hold
    nothing worth saving: results are written by the process that asked for them.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def __call__(self, task: int) -> Piece:
        """One shard; raises WorkerDied, WorkFailed, or UsageError for a mistake of the caller."""
        process = self._take()
        try:
            requests, answers = _streams(process)
            send(requests, {"task": task})
            head = receive(answers)
            piece = receive_piece(answers, head) if "files" in head else None
        except (EOFError, OSError, ValueError):
            code = self._drop(process)
            raise WorkerDied(_ending(code)) from None
        except BaseException:
            self._drop(process)
            raise
        with self._lock:
            closed = self._closed
            if not closed:
                self._idle.append(process)
        if closed:
            self._drop(process)
        if piece is not None:
            return piece
        if "mistake" in head:
            raise UsageError(head["mistake"])
        raise WorkFailed(head.get("error", "no answer"))

    def pids(self) -> tuple[int, ...]:
        """The processes that there are."""
        with self._lock:
            return tuple(process.pid for process in self._all)

    def close(self) -> None:
        """Ends every process and waits until it is gone."""
        with self._lock:
            self._closed = True
            gone, idle = list(self._all), list(self._idle)
            self._idle.clear()
        for process in gone:
            process.kill()
        for process in gone:
            process.wait()
        for process in idle:  # those at work are dropped by the thread that hears their pipe close
            self._drop(process)

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise WorkerDied("the sweep is over")
            if self._idle:
                return self._idle.pop()
            # Under the lock, so that close() either sees the new process or prevents it.
            process = _start()
            self._all.add(process)
        try:
            first = {"maker": self._job.maker, "settings": dict(self._job.settings)}
            send(_streams(process)[0], first)
        except OSError:
            raise WorkerDied(_ending(self._drop(process))) from None
        return process

    def _drop(self, process: subprocess.Popen[bytes]) -> int:
        process.kill()
        code = process.wait()
        for stream in _streams(process):
            with suppress(OSError):  # bytes that nobody reads any more
                stream.close()
        with self._lock:
            self._all.discard(process)
        return code


def _streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Where requests go in and answers come out; ``_start`` asked for both."""
    if process.stdin is None or process.stdout is None:
        raise WorkerDied("its process has no streams")
    return process.stdin, process.stdout


def _start() -> subprocess.Popen[bytes]:
    paths = os.pathsep.join(path for path in sys.path if path)
    with _interrupts_held_back():
        return subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process started here does not see Ctrl-C, not even while it starts: its owner ends it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int) -> str:
    if code < 0:
        try:
            return f"its process was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"its process was ended by signal {-code}"
    return f"its process ended with status {code}"
