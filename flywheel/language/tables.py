"""The parse tables of ``grammar.lark``: made by Lark, kept as plain data beside it.

Lark takes about 90 ms to start and to turn the grammar into LALR tables, more than the rest of
opening a model. So the tables are kept in ``grammar.json``, numbers and names only. They carry the
text of the grammar that they were made from: when the grammar has been changed, they are not used,
and Lark makes them anew. After a change of the grammar:

    python -m flywheel.language.make_tables
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

GRAMMAR = Path(__file__).with_name("grammar.lark")
TABLES = Path(__file__).with_name("grammar.json")
END = "$END"


@dataclass(frozen=True, slots=True)
class Rule:
    """A production. ``keep`` are the positions of its parts that reach the tree; ``splice`` those of
    them that are lists (a repetition) and are poured in; ``name`` is None for a repetition itself.
    """

    origin: str
    name: str | None
    size: int
    keep: tuple[int, ...]
    splice: frozenset[int]
    through: bool
    """Written with ``?``: with one part left, that part stands for the whole."""


@dataclass(frozen=True, slots=True)
class Tables:
    """``states[n]`` maps a terminal or rule name to what to do: go to state k (k >= 0) after taking
    it, or reduce by rule -k - 1. ``start`` and ``end`` give the first and last state per entry.
    """

    states: tuple[dict[str, int], ...]
    rules: tuple[Rule, ...]
    keywords: dict[str, str]
    start: dict[str, int]
    end: dict[str, int]


@cache
def tables() -> Tables:
    """The tables for the grammar as it is now."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    kept = json.loads(TABLES.read_text(encoding="utf-8")) if TABLES.exists() else {}
    if kept.get("grammar") != grammar:
        from flywheel.language.make_tables import compute

        kept = compute(grammar)
    return unpack(kept)


def unpack(data: dict[str, Any]) -> Tables:
    """Tables from plain data."""
    return Tables(
        states=tuple(data["states"]),
        rules=tuple(
            Rule(origin, name, size, tuple(keep), frozenset(splice), through)
            for origin, name, size, keep, splice, through in data["rules"]
        ),
        keywords=data["keywords"],
        start=data["start"],
        end=data["end"],
    )
