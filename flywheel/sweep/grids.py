"""Designs of every combination: of values, and of levers pulled or not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.model import Model, as_number
from flywheel.sweep.base import (
    LARGEST,
    Array,
    Design,
    distinct_names,
)


@dataclass(frozen=True, eq=False)
class Grid(Design, word="grid"):
    """Every combination of some values of each input; the last input changes fastest."""

    values: tuple[tuple[float, ...], ...]

    @cached_property
    def count(self) -> int:
        return math.prod(map(len, self.values))

    def _rows(self, first: int, count: int) -> Array:
        number, columns = np.arange(first, first + count), []
        for own in reversed(self.values):
            number, place = np.divmod(number, len(own))
            columns.append(np.array(own)[place])
        return np.stack(columns[::-1], axis=1)

    def _data(self) -> dict[str, Any]:
        return {"values": [list(own) for own in self.values]}

    @staticmethod
    def _read(data: Mapping[str, Any]) -> Design:
        return grid(**dict(zip(data["names"], data["values"], strict=True)))


def grid(**values: Iterable[float] | float) -> Design:
    """Every combination of the values of each input: ``grid(take_rate=[0.1, 0.2], fee=(1, 2, 3))``.

    The last input changes fastest. Raises UsageError for an input without values, a value that is no
    finite number, and more than ``LARGEST`` runs.
    """
    names = distinct_names(values)
    columns = [_values(name, own) for name, own in values.items()]
    count = math.prod(map(len, columns))
    if count > LARGEST:
        sizes = " × ".join(f"{len(own):,}" for own in columns)
        raise UsageError(
            f"this grid has {count:,} runs ({sizes}), more than {LARGEST:,}; take fewer values, or "
            "a sample"
        )
    return Grid(names, tuple(columns))


def _values(name: str, given: Any) -> tuple[float, ...]:
    if isinstance(given, str):
        raise UsageError(f"{name} needs numbers, not the text {given!r}")
    many = list(given) if isinstance(given, Iterable) else [given]
    if not many:
        raise UsageError(f"{name} has no values: a grid needs at least one of each input")
    return tuple(as_number(name, value) for value in many)


def levers_on_off(model: Model, levers: Iterable[str] | None = None) -> Design:
    """Every combination of levers pulled (1) and not pulled (0); all levers when none are named.

    The first run pulls none, the last one all. Raises UnknownNameError for what is no lever.
    """
    if isinstance(levers, str):
        raise UsageError(f"levers are a list of names: [{levers!r}]")
    known = {key(name): name for name in model.levers}
    found = []
    for name in model.levers if levers is None else levers:
        if key(str(name)) not in known:
            raise unknown_name(str(name), "lever", model.levers, f"model {model.name}")
        found.append(known[key(str(name))])
    if not found:
        raise UsageError(f"model {model.name} has no levers to switch" if levers is None else
                         "no levers are named")  # fmt: skip
    distinct_names(found)
    return grid(**dict.fromkeys(found, (0.0, 1.0)))
