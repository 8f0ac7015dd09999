"""What every design is: the inputs and the scenario of any stretch of its runs, from their numbers.

A worker makes its own part of a design, and no part depends on how the whole is cut. A design is small
plain data (a list of runs is as long as it is), and its fingerprint stands for every row it will give.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.model import Model, as_number

Array = NDArray[np.float64]

LARGEST = 100_000_000
"""A design may have as many runs as this."""
_FORMAT = 1  # of the plain data and of the points that follow from it


@dataclass(frozen=True, eq=False)
class Design(ABC):
    """Runs by number: the values of ``names`` in each, and its scenario. Equal by fingerprint.

    A name is a parameter, a stock (its initial value) or a lever (its intensity: 0 not pulled, 1 as
    declared). What is not named stays as the model has it.
    """

    names: tuple[str, ...]

    _word: ClassVar[str]
    _made: ClassVar[dict[str, type[Design]]] = {}

    def __init_subclass__(cls, word: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._word = word
        Design._made[word] = cls

    @property
    @abstractmethod
    def count(self) -> int:
        """How many runs there are."""

    @abstractmethod
    def _rows(self, first: int, count: int) -> Array: ...

    @abstractmethod
    def _data(self) -> dict[str, Any]:
        """What plain data holds besides the names."""

    @staticmethod
    @abstractmethod
    def _read(data: Mapping[str, Any]) -> Design:
        """The design of plain data, judged like what a caller gives."""

    def rows(self, first: int, count: int) -> Array:
        """The inputs of runs ``first`` to ``first + count - 1``: (count, k), a column a name.

        The same bytes however the runs are cut into stretches. Raises UsageError beyond the last run.
        """
        self._there(first, count)
        return np.ascontiguousarray(self._rows(first, count), dtype=np.float64)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that occur, each once, by first use; empty for the model as it is."""
        return ("",)

    def labels(self, first: int, count: int) -> tuple[str, ...]:
        """The scenario of each of these runs; empty for the model as it is."""
        self._there(first, count)
        return ("",) * count

    def as_dict(self) -> dict[str, Any]:
        """The design as plain data that JSON can hold and ``from_dict`` reads."""
        return {"kind": self._word, "format": _FORMAT, "names": list(self.names), **self._data()}

    @staticmethod
    def from_dict(data: Any) -> Design:
        """The design that ``as_dict`` wrote. Raises UsageError for what is none."""
        if not isinstance(data, Mapping) or data.get("kind") not in Design._made:
            raise UsageError(f"this is no design: {str(data)[:80]}")
        if data.get("format") != _FORMAT:
            raise UsageError(
                f"this design is of format {data.get('format')}, not {_FORMAT}: "
                "another version of flywheel wrote it"
            )
        try:
            return Design._made[data["kind"]]._read(data)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"this {data['kind']} design is damaged: {error}") from None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the design says: the same for the same runs in the same order."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def spelled(self, model: Model) -> Self:
        """The same design with its names as ``model`` declares them.

        Raises UnknownNameError for an input or a scenario that the model does not have, UsageError for
        one that is given twice.
        """
        known = {key(name): name for name in (*model.params, *model.stocks, *model.levers)}
        found = []
        for name in self.names:
            own = known.get(key(name))
            if own is None:
                kind = "parameter, stock or lever"
                raise unknown_name(name, kind, known.values(), f"model {model.name}")
            if own in found:
                raise UsageError(f"{own} is given twice")
            found.append(own)
        return self._respelled(tuple(found), model)

    def _respelled(self, names: tuple[str, ...], model: Model) -> Self:
        return replace(self, names=names)

    def _there(self, first: int, count: int) -> None:
        if first < 0 or count < 0 or first + count > self.count:
            raise UsageError(
                f"a design of {self.count:,} runs has no {count:,} runs from number {first:,}"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Design) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise UsageError(f"names are a list: [{names!r}]")
    found = tuple(str(name) for name in names)
    if not found:
        raise UsageError("a design needs at least one input; none is named")
    seen = set()
    for name in found:
        if not name.strip():
            raise UsageError("an input without a name makes no sense")
        if key(name) in seen:
            raise UsageError(f"{name} is given twice")
        seen.add(key(name))
    return found


def refuse_many(count: int, what: str) -> None:
    if count > LARGEST:
        raise UsageError(f"{what}: {count:,} runs, more than {LARGEST:,}, the most of a design")


def whole(name: str, given: float) -> int:
    """1e6 is a whole number too."""
    number = as_number(name, given)
    if number != math.floor(number):
        raise UsageError(f"{name} must be a whole number, not {given!r}")
    return int(given)


def declared_scenario(model: Model, label: str) -> str:
    if not label:
        return ""
    known = {key(name): name for name in model.scenarios}
    if key(label) not in known:
        raise unknown_name(label, "scenario", model.scenarios, f"model {model.name}")
    return known[key(label)]


def distinct_scenarios(labels: Sequence[str]) -> None:
    seen = set()
    for label in labels:
        if key(label) in seen:
            raise UsageError(f"the scenario {label or 'of the model as it is'} is given twice")
        seen.add(key(label))
