"""What a table is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flywheel.analysis.levers.words import duration

if TYPE_CHECKING:
    from flywheel.analysis.stamp import Stamp


@dataclass(frozen=True)
class Column:
    """A head in both languages, whether numbers stand below it, and how readily it is left out."""

    english: str
    korean: str
    numeric: bool = False
    spare: int = 0


@dataclass(frozen=True)
class Table:
    """Columns and rows; ``notes`` holds a sentence a row, or nothing at all."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    about: str = ""
    notes: Sequence[str] = ()


def horizons(stamp: Stamp, english: str = "", korean: str = "") -> list[Column]:
    """A column of numbers for each horizon."""
    return [
        Column(
            f"{english}{duration(h, stamp.time_unit)}",
            f"{korean}{duration(h, stamp.time_unit, 'ko')}",
            True,
        )
        for h in stamp.horizons
    ]


def last_of(stamp: Stamp, korean: bool) -> str:
    """The last horizon as a duration."""
    return duration(stamp.horizons[-1], stamp.time_unit, "ko" if korean else "en")


def in_unit(unit: str) -> str:
    """A unit in brackets behind what is measured in it; nothing for what has none."""
    return f" ({unit})" if unit and unit != "1" else ""


def code(korean: bool) -> str:
    return "ko" if korean else "en"


def labelled(levers: Sequence[Any], korean: bool) -> dict[str, str]:
    """What declared levers are called, by name."""
    return {lever.name: lever.text(code(korean))[0] for lever in levers}
