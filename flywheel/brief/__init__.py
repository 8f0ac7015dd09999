"""A result as a small table of words and numbers: what the command line prints and a notebook shows.

Everything is in a result's frames; here stands what a reader needs first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flywheel.analysis.decide.words import is_korean
from flywheel.brief import decisions, inputs, levers, loops
from flywheel.brief.table import Column as Column
from flywheel.brief.table import Table, plain
from flywheel.brief.words import NOTHING
from flywheel.brief.words import receipt_line as receipt_line

ROWS = 15
"""Rows shown before the rest is counted."""


@dataclass(frozen=True)
class Brief:
    """A table for people: heads, rows of text, and how many rows were left out.

    ``about`` says what the numbers are, above the table; ``notes`` what belongs to single rows, below.
    ``spare`` tells which columns can be left out where there is no room: the highest first, 0 never.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    spare: tuple[int, ...]
    more: int = 0
    about: str = ""
    notes: tuple[str, ...] = ()

    def without(self, column: int) -> Brief:
        """The same without one column."""

        def kept(cells: tuple[Any, ...]) -> tuple[Any, ...]:
            return cells[:column] + cells[column + 1 :]

        return Brief(
            kept(self.heads), tuple(kept(row) for row in self.rows), kept(self.numeric),
            kept(self.spare), self.more, self.about, self.notes,
        )  # fmt: skip


_MAKERS: dict[str, Callable[[Any, bool], Table]] = {
    "Leverage": levers.leverage,
    "Misunderstood": levers.misunderstood,
    "RobustlyMisunderstood": levers.surely_misunderstood,
    "Dials": levers.dials,
    "Ladder": levers.ladder,
    "Synergy": levers.synergy,
    "Flips": levers.flips,
    "RobustRanking": levers.robust,
    "Dip": levers.dip,
    "LoopsThatMatter": loops.loops,
    "LoopLedger": loops.ledger,
    "Vitals": loops.vitals,
    "Sensitivity": inputs.sensitivity,
    "Allocation": inputs.allocation,
    "RobustChoice": decisions.policies,
    "WorthOfKnowing": decisions.knowing,
    "DataToBuy": decisions.buying,
}


def brief(result: Any, language: str = "en", rows: int = ROWS) -> Brief:
    """The table of a result, without columns in which nothing stands.

    Raises UsageError for a language other than en and ko.
    """
    korean = is_korean(language)
    made = [_MAKERS[kind.__name__] for kind in type(result).__mro__ if kind.__name__ in _MAKERS]
    if not made and not hasattr(result, "frame"):
        raise TypeError(f"no table is known for {type(result).__name__}")
    table = (made[0] if made else plain)(result, korean)
    shown = tuple(tuple(row) for row in table.rows[:rows])
    found = Brief(
        heads=tuple(column.korean if korean else column.english for column in table.columns),
        rows=shown,
        numeric=tuple(column.numeric for column in table.columns),
        spare=tuple(column.spare for column in table.columns),
        more=max(len(table.rows) - rows, 0),
        about=table.about,
        notes=tuple(note for note in table.notes[:rows] if note),
    )
    for place in reversed(range(len(table.columns))):
        if table.columns[place].spare and all(row[place] in ("", NOTHING) for row in shown):
            found = found.without(place)
    return found
