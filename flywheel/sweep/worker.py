"""A process that computes shards for another: requests come in on stdin, answers go out on stdout.

A message is a line of JSON, an answer's tables follow it as bytes: nothing is unpickled, and a program
that starts a sweep is not imported a second time. When the other side goes away, however it goes, this
process ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

from flywheel.errors import FlywheelError
from flywheel.sweep.piece import Job, Piece

COMMAND = ("-P", "-m", "flywheel.sweep.worker")
"""Arguments of the interpreter that start this process."""


def job_of(maker: str, settings: Mapping[str, Any]) -> Job:
    """The job that ``module:function`` makes of its settings."""
    module, _, function = maker.partition(":")
    job: Job = getattr(import_module(module), function)(settings)
    return job


def send_piece(stream: IO[bytes], piece: Piece) -> None:
    """Writes an answer."""
    sizes = {kind: len(raw) for kind, raw in piece.files.items()}
    head = {
        "files": sizes,
        "digest": piece.digest,
        "members": piece.members,
        "failed": piece.failed,
    }
    send(stream, head)
    for raw in piece.files.values():
        stream.write(raw)
    stream.flush()


def receive_piece(stream: IO[bytes], head: Mapping[str, Any]) -> Piece:
    """Reads what follows the line ``head``; raises EOFError when the writer has gone."""
    files = {}
    for kind, size in head["files"].items():
        raw = stream.read(size)
        if len(raw) != size:
            raise EOFError
        files[kind] = raw
    return Piece(files, head["digest"], head["members"], head["failed"])


def send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Writes one line of JSON."""
    stream.write(json.dumps(message).encode("utf-8") + b"\n")
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any]:
    """Reads one line of JSON; raises EOFError when the writer has gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    found: dict[str, Any] = json.loads(line)
    return found


def main() -> None:
    """Answers requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not land among the answers
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    first = requests.get()
    job: Job | None = None
    while True:
        task = requests.get()["task"]
        try:
            if job is None:
                job = job_of(first["maker"], first["settings"])
            send_piece(answers, job(task))
        except FlywheelError as error:
            send(answers, {"mistake": str(error)})
        except Exception as error:
            send(answers, {"error": f"{type(error).__name__}: {error}"})


def _listen(requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Passes requests on; in a thread of its own, so that the end of them is seen during work."""
    stream = sys.stdin.buffer
    while True:
        try:
            requests.put(receive(stream))
        except (EOFError, OSError, ValueError):
            os._exit(0)


if __name__ == "__main__":
    main()
