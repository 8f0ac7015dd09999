"""Where the numbers of a sweep come from: this process's memory, or a folder; one interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.sweep import tables
from flywheel.sweep.piece import Piece
from flywheel.sweep.plan import SweepPlan
from flywheel.sweep.store import Record, Store, StoreError
from flywheel.sweep.total import Total

if TYPE_CHECKING:
    import pandas as pd

Runs = tuple[NDArray[np.int64], NDArray[Any]]


class Source(Protocol):
    """The finished shards of a plan. ``records`` and ``missing`` (why a shard was given up, or that it
    is not there yet) by number; the rest by kind of table."""

    plan: SweepPlan
    folder: Path | None
    records: dict[int, Record]
    missing: dict[int, str]

    def shard(self, number: int) -> pd.DataFrame:
        """A row a member: inputs, scenario, outcomes, reasons."""

    def failures(self, number: int) -> pd.DataFrame:
        """A row a failed member: member, variable, time, reason."""

    def runs(self, number: int) -> Runs | None:
        """Members (R,) of the reservoir and their runs (R, T, V)."""

    def trajectories(self, number: int) -> Runs | None:
        """All members and their runs, where they were asked for."""

    def total(self) -> Total:
        """The streams of all finished shards."""


class Memory:
    """Shards that are kept in this process; their streams are merged as they come."""

    folder: Path | None = None
    form: Literal["arrays"] = "arrays"

    def __init__(self, plan: SweepPlan) -> None:
        self.plan = plan
        self.records: dict[int, Record] = {}
        self.missing: dict[int, str] = {}
        self._arrays: dict[int, Mapping[str, NDArray[Any]]] = {}
        self._total = Total()

    def add(self, number: int, piece: Piece) -> None:
        """Takes a finished shard."""
        arrays = tables.from_bytes(piece.files["arrays"])
        self._total.add(number, arrays)
        self._arrays[number] = {
            name: array
            for name, array in arrays.items()
            if name != "counts" and not name.startswith("moments.")
        }
        self.records[number] = Record(number, {}, piece.digest, piece.members, piece.failed)

    def give_up(self, number: int, reason: str) -> None:
        """Takes note of a shard that will not come."""
        self.missing[number] = reason
        self._total.skip(number)

    def shard(self, number: int) -> pd.DataFrame:
        import pandas as pd

        columns, arrays = tables.Columns(self.plan), self._arrays[number]
        first, count = int(arrays["first"][0]), len(arrays["outcomes"])
        rows = self.plan.design.rows(first, count)
        data: dict[str, Any] = {name: rows[:, k] for k, name in enumerate(columns.inputs)}
        if columns.scenario:
            data[columns.scenario] = list(self.plan.design.labels(first, count))
        data |= {name: arrays["outcomes"][:, k] for k, name in enumerate(columns.outcomes)}
        texts = np.array([None, *arrays["reasons"][1:].tolist()], dtype=object)
        data |= {name: texts[arrays["codes"][:, k]] for k, name in enumerate(columns.reasons)}
        index = pd.RangeIndex(first, first + count, name="member")
        return pd.DataFrame(data, index=index)

    def failures(self, number: int) -> pd.DataFrame:
        import pandas as pd

        arrays = self._arrays[number]
        names = ("member", "variable", "time", "reason")
        return pd.DataFrame({name: arrays[f"failures.{name}"] for name in names})

    def runs(self, number: int) -> Runs | None:
        arrays = self._arrays[number]
        return arrays["reservoir.members"], arrays["reservoir.values"]

    def trajectories(self, number: int) -> Runs | None:
        arrays = self._arrays[number]
        if "trajectories" not in arrays:
            return None
        first, values = int(arrays["first"][0]), arrays["trajectories"]
        return np.arange(first, first + len(values)), values

    def total(self) -> Total:
        return self._total


class Folder:
    """Shards in a folder, read when they are asked for; every byte is checked as it is read."""

    folder: Path | None

    def __init__(self, store: Store, plan: SweepPlan) -> None:
        self.plan = plan
        self.folder = store.folder
        self._store = store
        self._columns = tables.Columns(plan)
        self.records = store.finished(plan.hash, plan.shards)
        given_up = store.given_up()
        self.missing = {
            number: given_up.get(number, "it is not computed yet")
            for number in range(plan.shards)
            if number not in self.records
        }

    def shard(self, number: int) -> pd.DataFrame:
        raw = self._bytes(number, "shards")
        frame = tables.read(raw).to_pandas().set_index(self._columns.member)
        found: pd.DataFrame = frame.rename_axis("member")
        for name in self._columns.reasons:
            found[name] = found[name].astype(object).where(found[name].notna(), None)
        return found

    def failures(self, number: int) -> pd.DataFrame:
        import pandas as pd

        if "failures" not in self.records[number].files:
            return pd.DataFrame({name: [] for name in ("member", "variable", "time", "reason")})
        found: pd.DataFrame = tables.read(self._bytes(number, "failures")).to_pandas()
        return found

    def runs(self, number: int) -> Runs | None:
        return self._runs(number, "runs")

    def trajectories(self, number: int) -> Runs | None:
        return self._runs(number, "trajectories")

    def total(self) -> Total:
        shape = (self.plan.grid.saves, len(self.plan.saved))
        found = Total()
        for number in range(self.plan.shards):
            if number in self.records:
                found.add(number, tables.streams_of(self._bytes(number, "streams"), shape))
            else:
                found.skip(number)
        return found

    def paths(self, kind: str) -> list[Path]:
        """The files of one kind of table."""
        return self._store.paths(kind, self.records)

    def _runs(self, number: int, kind: str) -> Runs | None:
        if kind not in self.records[number].files:
            return None
        return tables.runs_of(self._bytes(number, kind), self._columns, self.plan.grid.saves)

    def _bytes(self, number: int, kind: str) -> bytes:
        raw = self._store.table(self.records[number], kind)
        if raw is None:
            raise StoreError(
                f"shard {number} of {self._store.folder} has changed since the sweep was opened: its "
                f"table {kind} is not the one that was written; resume the sweep to compute it again"
            )
        return raw
