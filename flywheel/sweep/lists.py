"""Designs of runs one by one, given as rows or read from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from flywheel.errors import UsageError
from flywheel.model import Model
from flywheel.sweep import listing
from flywheel.sweep.base import (
    LARGEST,
    Array,
    Design,
    declared_scenario,
    distinct_names,
    refuse_many,
)


@dataclass(frozen=True, eq=False, repr=False)
class Listed(Design, word="list"):
    """Runs one by one: ``table`` (M, k), and the scenario of each unless ``own`` is empty."""

    table: Array
    own: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.table)

    def _rows(self, first: int, count: int) -> Array:
        return self.table[first : first + count].copy()

    @cached_property
    def scenarios(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.own)) or ("",)

    def labels(self, first: int, count: int) -> tuple[str, ...]:
        self._there(first, count)
        return self.own[first : first + count] if self.own else ("",) * count

    def _data(self) -> dict[str, Any]:
        labelled = {"scenarios": list(self.own)} if self.own else {}
        return {"rows": self.table.tolist(), **labelled}

    @staticmethod
    def _read(data: Mapping[str, Any]) -> Design:
        return listed(data["names"], data["rows"], data.get("scenarios"))

    def _respelled(self, names: tuple[str, ...], model: Model) -> Self:
        declared = {label: declared_scenario(model, label) for label in set(self.own)}
        return replace(self, names=names, own=tuple(declared[s] for s in self.own))

    def __repr__(self) -> str:
        return f"Listed({self.count:,} runs of {', '.join(self.names)})"


def listed(
    names: Sequence[str], rows: Any, scenarios: Sequence[str | None] | None = None
) -> Design:
    """Runs one by one: ``rows`` (M, k) with a column a name, and the scenario of each if given.

    Raises UsageError for no rows, rows of another length, or what is no finite number.
    """
    spelled = distinct_names(names)
    try:
        table = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"rows must be numbers, {len(spelled)} for each run") from None
    if table.size == 0:
        raise UsageError("a design needs at least one run")
    if table.ndim != 2 or table.shape[1] != len(spelled):
        raise UsageError(
            f"{len(spelled)} names need rows of as many numbers, not an array of shape {table.shape}"
        )
    refuse_many(len(table), "this list")
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        row, column = (int(n) for n in wrong[0])
        raise UsageError(f"{spelled[column]} is {table[row, column]} in row {row}: not finite")
    labels = tuple("" if label is None else str(label) for label in scenarios or ())
    if labels and len(labels) != len(table):
        raise UsageError(f"{len(table):,} rows need as many scenarios, not {len(labels):,}")
    table.flags.writeable = False
    return Listed(spelled, table, labels if any(labels) else ())


def from_csv(path: str | Path) -> Design:
    """Runs one by one from a CSV file: a header of names, then one row of numbers a run.

    A column ``scenario`` holds each run's scenario. Raises UsageError with the line of a mistake.
    """
    names, rows, scenarios = listing.read(path, LARGEST)
    return listed(names, rows, scenarios)
