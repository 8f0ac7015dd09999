"""How far a sweep is: runs done, how fast, how long it will take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True)
class Progress:
    """A moment of a sweep, as its callback sees it.

    ``done`` and ``total`` count runs, ``kept`` those of ``done`` that an earlier session had computed,
    ``failed`` those of this session without a result. ``seconds`` since this session began; ``rate``
    in runs a second and ``left`` in seconds are None until there is something to tell from. ``memory``
    says what the sweep takes.
    """

    done: int
    total: int
    kept: int
    failed: int
    seconds: float
    memory: str

    @property
    def rate(self) -> float | None:
        """Runs a second in this session."""
        new = self.done - self.kept
        return new / self.seconds if new and self.seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds to go, at the rate so far."""
        rate = self.rate
        return None if rate is None else (self.total - self.done) / rate

    def __str__(self) -> str:
        share = 100 * self.done // max(self.total, 1)
        parts = [f"{self.done:,} of {self.total:,} runs ({share} %)"]
        if self.rate is not None and self.left is not None:
            parts.append(
                f"{self.rate:,.3g} runs/s" if self.rate < 100 else f"{self.rate:,.0f} runs/s"
            )
            if self.done < self.total:
                parts.append(f"{duration(self.left)} left")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        return ", ".join(parts)


Callback = Callable[[Progress], None]


class Meter:
    """Counts, and calls back."""

    def __init__(self, callback: Callback | None, total: int, kept: int, memory: str) -> None:
        self._callback = callback
        self._total, self._kept, self._memory = total, kept, memory
        self._done, self._failed = kept, 0
        self._begin = monotonic()
        self._tell()

    def add(self, members: int, failed: int) -> None:
        """So many more are done."""
        self._done += members
        self._failed += failed
        self._tell()

    def _tell(self) -> None:
        if self._callback is not None:
            seconds = monotonic() - self._begin
            self._callback(
                Progress(self._done, self._total, self._kept, self._failed, seconds, self._memory)
            )


def duration(seconds: float) -> str:
    """A stretch of time for people: 5 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
