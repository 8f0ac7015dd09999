"""What a table is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flywheel.analysis.levers.words import duration
from flywheel.brief.words import number

if TYPE_CHECKING:
    from flywheel.analysis.stamp import Stamp

_PLAIN = 8
"""Columns of a frame that are shown as they are."""


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


def plain(result: Any, korean: bool) -> Table:
    """The first columns of a result's frame as they are, for results without a table of their own."""
    frame = result.frame.reset_index()
    shown = frame.iloc[:, :_PLAIN]
    rows = [tuple(_cell(value) for value in row) for row in shown.itertuples(index=False, name=None)]
    numeric = [kind.kind in "fciu" for kind in shown.dtypes]
    heads = [str(name) for name in shown.columns]
    return Table([Column(h, h, n) for h, n in zip(heads, numeric, strict=True)], rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, complex):
        return f"{number(value.real)} {value.imag:+.3g}i"
    return str(value)
