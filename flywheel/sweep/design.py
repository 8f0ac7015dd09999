"""Which runs to make: grids, lists, samples, and these crossed with scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from flywheel.errors import UsageError
from flywheel.model import Model
from flywheel.sweep.base import (
    LARGEST,
    Array,
    Design,
    declared_scenario,
    distinct_scenarios,
    refuse_many,
)
from flywheel.sweep.grids import grid, levers_on_off
from flywheel.sweep.lists import Listed, from_csv, listed
from flywheel.sweep.ranges import ranges_of
from flywheel.sweep.samples import sample

__all__ = [
    "LARGEST",
    "Design",
    "crossed",
    "from_csv",
    "grid",
    "levers_on_off",
    "listed",
    "ranges_of",
    "sample",
]


@dataclass(frozen=True, eq=False)
class Crossed(Design, word="crossed"):
    """Every run of a design in each scenario: all of the first scenario, then all of the next."""

    design: Design
    each: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.each) * self.design.count

    def _rows(self, first: int, count: int) -> Array:
        parts, size = [np.empty((0, len(self.names)))], self.design.count
        while count:
            here = first % size
            length = min(count, size - here)
            parts.append(self.design.rows(here, length))
            first, count = first + length, count - length
        return np.concatenate(parts)

    @property
    def scenarios(self) -> tuple[str, ...]:
        return self.each

    def labels(self, first: int, count: int) -> tuple[str, ...]:
        self._there(first, count)
        size = self.design.count
        return tuple(self.each[n // size] for n in range(first, first + count))

    def _data(self) -> dict[str, Any]:
        return {"design": self.design.as_dict(), "scenarios": list(self.each)}

    @staticmethod
    def _read(data: Mapping[str, Any]) -> Design:
        return crossed(Design.from_dict(data["design"]), data["scenarios"])

    def _respelled(self, names: tuple[str, ...], model: Model) -> Self:
        declared = tuple(declared_scenario(model, label) for label in self.each)
        distinct_scenarios(declared)
        return replace(self, names=names, design=self.design.spelled(model), each=declared)


def crossed(design: Design, scenarios: Sequence[str | None]) -> Design:
    """Every run of ``design`` in each scenario; None is the model as it is.

    Runs with the same inputs lie ``design.count`` apart. Raises UsageError for no scenarios, one
    that is named twice, a design that has its own, and more than ``LARGEST`` runs.
    """
    if isinstance(scenarios, str):
        raise UsageError(f"scenarios are a list of names: [{scenarios!r}]")
    labels = tuple("" if label is None else str(label) for label in scenarios)
    if not labels:
        raise UsageError("a design is crossed with at least one scenario; none is given")
    distinct_scenarios(labels)
    if isinstance(design, Crossed) or (isinstance(design, Listed) and design.own):
        raise UsageError("this design has scenarios already")
    refuse_many(
        len(labels) * design.count, f"{design.count:,} runs in each of {len(labels)} scenarios"
    )
    return Crossed(design.names, design, labels)
