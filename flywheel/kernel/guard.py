"""One guard around every right-hand side: finite, within budget, in time, and getting somewhere.

Adaptive solvers hang on NaN, call it success, or shrink their step for ever. An exception raised
inside the right-hand side comes out of all of them, so one place decides when enough is enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Rates: TypeAlias = Callable[[float, Array], Array]
"""The rates of change at a time and a state."""
Reason = Literal["fault", "output", "evaluations", "deadline", "stuck"]
"""``fault``: a rate is not finite; ``output``: a value to save is not; ``stuck``: no way forward."""

_STUCK_AFTER = 2_000
"""Evaluations at what is one and the same time but for rounding: the solver is going nowhere."""
_SAME_TIME = 64
"""In units of the spacing of floating-point numbers at that time."""


class Stopped(Exception):
    """Raised out of a right-hand side; caught where the run is made, never seen by a caller."""

    def __init__(self, reason: Reason, time: float, state: Sequence[float]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.time = time
        self.state = state


class Guard:
    """Counts and checks the evaluations of one run, over all its segments.

    ``deadline`` is a value of ``time.monotonic``, or None.
    """

    __slots__ = ("_anchor", "_same", "deadline", "evaluations", "limit")

    def __init__(self, limit: int, deadline: float | None) -> None:
        self.limit = limit
        self.deadline = deadline
        self.evaluations = 0
        self._anchor = math.nan
        self._same = 0

    def watch(self, rates: Rates) -> Rates:
        """The same rates, guarded: they raise Stopped instead of going on for nothing."""

        def guarded(t: float, y: Array) -> Array:
            self._spend(t, y)
            found = rates(t, y)
            # A sum is finite only if its terms are; the rare overflow of the sum is looked at again.
            if not math.isfinite(sum(found.tolist())) and not np.isfinite(found).all():
                raise Stopped("fault", t, y.tolist())
            return found

        return guarded

    def _spend(self, t: float, y: Array) -> None:
        self.evaluations += 1
        if self.evaluations > self.limit:
            raise Stopped("evaluations", t, y.tolist())
        self.tick(t)
        if abs(t - self._anchor) <= _SAME_TIME * math.ulp(t):
            self._same += 1
            if self._same > _STUCK_AFTER:
                raise Stopped("stuck", t, y.tolist())
        else:
            self._anchor, self._same = t, 0

    def tick(self, t: float) -> None:
        """Only the deadline, for work outside the right-hand side."""
        if self.deadline is not None and monotonic() > self.deadline:
            raise Stopped("deadline", t, ())
