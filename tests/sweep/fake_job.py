"""A job without a model, for tests of whoever runs jobs: it can dawdle, die, fail, and refuse."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flywheel.errors import UsageError
from flywheel.sweep.piece import Piece, digest


class FakeJob:
    maker = "tests.sweep.fake_job:make"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def __call__(self, task: int) -> Piece:
        asked = self.settings
        if "log" in asked:
            with open(asked["log"], "a") as log:
                log.write(f"{task} {os.getpid()}\n")
        time.sleep(asked.get("seconds", 0.0))
        if task in asked.get("deadly", ()):
            os.kill(os.getpid(), signal.SIGKILL)
        if task in asked.get("deadly_once", ()):
            mark = Path(asked["log"] + f".{task}")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if task in asked.get("failing", ()):
            raise ArithmeticError(f"shard {task} does not work out")
        if task in asked.get("mistaken", ()):
            raise UsageError(f"shard {task} is a mistake")
        if asked.get("chatty"):
            sys.stdout.write("a library says hello\n")
            sys.stdout.flush()
        numbers = np.arange(task, task + 5, dtype=float)
        return Piece({"shards": numbers.tobytes()}, digest({"x": numbers}), 5, 0)


def make(settings: Mapping[str, Any]) -> FakeJob:
    return FakeJob(settings)
