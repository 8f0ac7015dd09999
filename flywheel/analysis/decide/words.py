"""What the sentences of all decision tables share: how a number is said, and about what it is.

Korean sentences put names in brackets 「」, where no particle depends on their sound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.errors import UsageError

if TYPE_CHECKING:
    from flywheel.analysis.stamp import Stamp

Array = NDArray[np.float64]


def is_korean(language: str) -> bool:
    """Whether to speak Korean; the other language is English.

    Raises UsageError for any third.
    """
    if language not in ("en", "ko"):
        raise UsageError(f"There are sentences in 'en' and 'ko', not in {language!r}.")
    return language == "ko"


def say(value: float) -> str:
    """A number as it stands in a sentence: three digits, thousands apart, no exponent below 1e7."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else "?"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e7:
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3g}"


_TIMES = {"year": "년", "month": "개월", "week": "주", "day": "일", "hour": "시간"}


def subject(stamp: Stamp | None, language: str, title: tuple[str, str] | None = None) -> str:
    """What is spoken of: the outcome, with its horizon where a stamp says so.

    ``title`` is the outcome's label in English and Korean; without it the stamp's name stands.
    """
    korean = language == "ko"
    if stamp is None:
        return "결과" if korean else "the outcome"
    name = stamp.outcome if title is None else title[korean]
    seen = ", ".join(f"{h:g}" for h in stamp.horizons)
    unit = stamp.time_unit
    # Time 0 of a line without a calendar is where it begins: "10 years after 0" says no more than 10.
    counted = stamp.since == 0
    if korean:
        unit = _TIMES.get(unit, f" {unit}" if unit else "")
        when = f"{seen}{unit} 뒤" if counted else f"{stamp.since:g}부터 {seen}{unit} 뒤"
        return f"「{name}」 ({when})" if seen else f"「{name}」"
    if unit in _TIMES and seen != "1":
        unit += "s"
    when = f"{seen} {unit}".strip()
    told = f"after {when}" if counted else f"{when} after {at_time(stamp.since, stamp.time_unit)}"
    return f"{name} ({told})" if seen else name


CALENDAR = 1000.0
"""Years from here on are those of the calendar."""


def at_time(t: float, unit: str) -> str:
    """A point in time in English: ``2005`` in a calendar of years, elsewhere ``time 10``."""
    return f"{t:g}" if unit == "year" and abs(t) >= CALENDAR else f"time {t:g}"


def frozen(values: ArrayLike) -> Array:
    """The values as a read-only array of floats of their own."""
    array = np.array(values, dtype=float)
    array.setflags(write=False)
    return array


def named(given: Iterable[str] | None, count: int, kind: str) -> tuple[str, ...]:
    """``count`` names: those given, or "kind 1", "kind 2" and so on.

    Raises UsageError when the number of names given is another, or one comes twice.
    """
    if given is None:
        return tuple(f"{kind} {k + 1}" for k in range(count))
    names = tuple(given)
    if len(names) != count:
        raise UsageError(f"There are {len(names)} names for {count} of {kind}.")
    if len(set(names)) != count:
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"The name {twice!r} stands twice among the names of {kind}.")
    return names


def table(values: ArrayLike, what: str) -> Array:
    """The values as a two-dimensional array of floats; one dimension becomes a single column.

    Raises UsageError when they are no such table, or empty.
    """
    array: NDArray[Any] = np.asarray(values, dtype=float)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or 0 in array.shape:
        raise UsageError(f"{what} must be a table of numbers, not of shape {array.shape}.")
    return array
