"""The streams of many shards as one: merged in order of number, whatever order they come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flywheel.sweep.reduce import Moments


class Total:
    """Moments (T, V) and histogram counts (T, V, bins + 2) of the shards ``add`` was given."""

    def __init__(self) -> None:
        self.moments: Moments | None = None
        self.counts: NDArray[np.int64] | None = None
        self._waiting: dict[int, Mapping[str, NDArray[Any]]] = {}
        self._next = 0

    def add(self, number: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Takes a shard's arrays; those that come too early wait for the ones before them."""
        self._take(
            number,
            {
                name: array
                for name, array in arrays.items()
                if name == "counts" or name.startswith("moments.")
            },
        )

    def skip(self, number: int) -> None:
        """Says that a shard will not come."""
        self._take(number, {})

    def _take(self, number: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._waiting[number] = arrays
        while self._next in self._waiting:
            self._merge(self._waiting.pop(self._next))
            self._next += 1

    def _merge(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        if not arrays:
            return
        names = ("count", "mean", "m2", "low", "high")
        own = Moments(*(arrays[f"moments.{name}"] for name in names))
        self.moments = own if self.moments is None else self.moments.merge(own)
        if "counts" in arrays:
            if self.counts is None:
                self.counts = arrays["counts"].astype(np.int64)
            else:
                self.counts += arrays["counts"]
