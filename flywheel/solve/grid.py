"""The times of a run: from start to stop in whole steps, saved at every so many of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.model import Time, as_number

_TOLERANCE = 1e-6
"""How far, in steps, a number of steps may be from a whole one: 0.1 is not a binary fraction."""


@dataclass(frozen=True)
class Grid:
    """``steps`` steps of length ``step`` from ``start``; a save at every ``save_every``-th."""

    start: float
    step: float
    steps: int
    save_every: int

    @property
    def stop(self) -> float:
        return self.start + self.steps * self.step

    @property
    def save(self) -> float:
        return self.save_every * self.step

    @property
    def saves(self) -> int:
        """How many saved times there are."""
        return self.steps // self.save_every + 1

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """The saved times, read-only. Multiplied, not accumulated, so that 0.1 does not drift."""
        times = self.start + self.step * np.arange(0.0, self.steps + 1, self.save_every)
        times.flags.writeable = False
        return times


def make_grid(
    time: Time,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
) -> Grid:
    """The grid of a model's ``time`` line with some of its numbers replaced.

    A longer step than the model saves at moves the saves to every step; otherwise saves that do not
    fall on steps are refused. Raises UsageError, with the nearest number that would do.
    """
    begin = time.start if start is None else as_number("start", start)
    end = time.stop if stop is None else as_number("stop", stop)
    h = time.step if step is None else as_number("step", step)
    every = time.save if save is None else as_number("save", save)
    for name, value in (("step", h), ("save", every)):
        if value <= 0:
            raise UsageError(f"{name} must be greater than 0, not {value:g}")
    if end <= begin:
        raise UsageError(f"stop ({end:g}) must come after start ({begin:g})")
    if save is None and h > every:
        every = h
    save_every = _whole(every / h)
    if save_every is None:
        nearest = max(1, round(every / h)) * h
        raise UsageError(
            f"save ({every:.9g}) must be a whole number of steps of {h:.9g}; "
            f"the nearest that is: save={nearest:.9g}"
        )
    if (end - begin) / h > 2**53:
        raise UsageError(f"a step of {h:g} is too small for a run from {begin:g} to {end:g}")
    saves = _whole((end - begin) / (save_every * h))
    if saves is None:
        count = max(1, round((end - begin) / (save_every * h)))
        nearest = begin + count * save_every * h
        raise UsageError(
            f"stop ({end:.9g}) must be a whole number of saves of {save_every * h:.9g} "
            f"after start ({begin:.9g}); the nearest that is: stop={nearest:.9g}"
        )
    return Grid(begin, h, saves * save_every, save_every)


def _whole(ratio: float) -> int | None:
    """The whole number that the ratio is, but for rounding; None when it is none, or 0."""
    if not math.isfinite(ratio):
        return None
    nearest = round(ratio)
    return nearest if nearest >= 1 and abs(ratio - nearest) <= _TOLERANCE else None
