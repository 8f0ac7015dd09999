"""``Sweep``: what many runs say, read when it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.sweep import words
from flywheel.sweep.plan import SweepPlan
from flywheel.sweep.reduce import Moments, quantiles
from flywheel.sweep.source import Folder, Runs, Source
from flywheel.sweep.tables import Columns, free
from flywheel.sweep.total import Total

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import xarray

Array = NDArray[np.float64]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Sweep:
    """A handle on the results of a sweep, in memory or in a folder. Immutable.

    Tables are pandas, a row a member, indexed by its number. Streams (``mean``, ``quantiles`` …) are
    over all members whose run did not fail. ``computed`` are the shards that the call which gave this
    handle has computed; all others were finished before.
    """

    def __init__(self, source: Source, computed: tuple[int, ...] = ()) -> None:
        self._source = source
        self.computed = computed

    # What was swept -------------------------------------------------------------------------------

    @property
    def plan(self) -> SweepPlan:
        """What was computed, in full."""
        return self._source.plan

    @property
    def folder(self) -> Path | None:
        """Where the results are; None for memory."""
        return self._source.folder

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that differ from member to member."""
        return tuple(self.plan.design.names)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that were reduced at every saved time."""
        return self.plan.saved

    @property
    def time(self) -> Array:
        """The saved times, shape (T,), in the model's unit of time."""
        return self.plan.grid.times

    def __len__(self) -> int:
        return self.plan.count

    @property
    def missing(self) -> MappingProxyType[int, str]:
        """Shards without results, by number, and why."""
        return MappingProxyType(self._source.missing)

    @property
    def complete(self) -> bool:
        """Whether every shard is there."""
        return not self._source.missing

    @property
    def failed(self) -> int:
        """How many members have no sound run, those of missing shards not counted."""
        return sum(record.failed for record in self._source.records.values())

    # Tables ---------------------------------------------------------------------------------------

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row a member: its inputs, its scenario if there are any, its outcomes. NaN for an outcome
        without a value. Members of missing shards are left out."""
        return self._shards.drop(columns=list(Columns(self.plan).reasons))

    @property
    def outcomes(self) -> pd.DataFrame:
        """The outcomes of every member, a column each."""
        return self.frame[list(self.plan.outcomes)]

    @property
    def reasons(self) -> pd.DataFrame:
        """Why outcomes have no value: columns ``member``, ``outcome``, ``reason``, a row each."""
        import pandas as pd

        parts = []
        for name, column in zip(self.plan.outcomes, Columns(self.plan).reasons, strict=True):
            why = self._shards[column].dropna()
            part = {"member": why.index.to_numpy(), "outcome": name, "reason": why.to_numpy()}
            parts.append(pd.DataFrame(part))
        empty = pd.DataFrame({"member": [], "outcome": [], "reason": []})
        whole = pd.concat([part for part in parts if len(part)] or [empty], ignore_index=True)
        return whole.sort_values("member", kind="stable", ignore_index=True)

    @cached_property
    def failures(self) -> pd.DataFrame:
        """A row a member without a sound run: ``member``, ``variable`` that broke first, ``time``,
        ``reason``. Members of shards that were given up have no variable and no time."""
        import pandas as pd

        parts = []
        for number in range(self.plan.shards):
            if number in self._source.records:
                if self._source.records[number].failed:
                    parts.append(self._source.failures(number))
                continue
            members = self.plan.members(number)
            reason = f"shard {number}: {self._source.missing[number]}"
            parts.append(
                pd.DataFrame({"member": members, "variable": "", "time": np.nan, "reason": reason})
            )
        names = ("member", "variable", "time", "reason")
        empty = pd.DataFrame({name: [] for name in names})
        whole = pd.concat(parts or [empty], ignore_index=True)
        return whole.astype({"member": np.int64, "time": np.float64})

    @cached_property
    def members(self) -> pd.DataFrame:
        """Whole runs of a few members chosen at random: a row a member and time (the index), a column
        a variable. Values after a failure are NaN."""
        return self._wide([self._source.runs(number) for number in sorted(self._source.records)])

    def trajectories(self, name: str) -> pd.DataFrame:
        """A variable in every run: a row a member, a column a saved time.

        Raises UsageError for a sweep that did not keep them (``keep="everything"``).
        """
        import pandas as pd

        place = self._place(name)
        if self.plan.keep != "everything":
            raise UsageError(
                "this sweep kept no trajectories; sweep with keep='everything', or see members and "
                "quantiles"
            )
        found = [self._source.trajectories(number) for number in sorted(self._source.records)]
        parts = [
            pd.DataFrame(
                values[:, :, place], index=pd.Index(members, name="member"), columns=self.time
            )
            for members, values in (part for part in found if part is not None)
        ]
        return pd.concat(parts) if parts else pd.DataFrame(columns=self.time)

    # Streams --------------------------------------------------------------------------------------

    def mean(self, name: str) -> pd.Series[float]:
        """The mean of a saved variable over time."""
        return self._over_time(name, self._moments.mean)

    def sd(self, name: str) -> pd.Series[float]:
        """The standard deviation over time (unbiased variance)."""
        return self._over_time(name, np.sqrt(self._moments.variance))

    def low(self, name: str) -> pd.Series[float]:
        """The lowest value at each time."""
        return self._over_time(name, self._moments.low)

    def high(self, name: str) -> pd.Series[float]:
        """The highest value at each time."""
        return self._over_time(name, self._moments.high)

    def quantiles(self, name: str, q: float | Iterable[float] = QUANTILES) -> pd.DataFrame:
        """Quantiles of a saved variable: a row a time, a column each of ``q`` (0 to 1).

        From histograms, within 0.5 % of the range of the exact ones. Raises UsageError for a sweep
        without histograms and for ``q`` outside 0 to 1.
        """
        import pandas as pd

        wanted = [float(part) for part in (q if isinstance(q, Iterable) else [q])]
        if any(not 0 <= part <= 1 for part in wanted):
            raise UsageError(f"quantiles are parts from 0 to 1, not {wanted}")
        place = self._place(name)
        counts, edges = self._total.counts, self.plan.edges
        if counts is None or edges is None:
            raise UsageError("this sweep kept no histograms; sweep with quantiles=True")
        one = slice(place, place + 1)
        moments = self._moments
        own = Moments(*(x[:, one] for x in _cells(moments)))
        part = type(edges)(edges.low[:, one], edges.high[:, one], edges.bins)
        found = quantiles(counts[:, one].astype(np.uint64), part, own, wanted)
        index = pd.Index(self.time, name="time")
        return pd.DataFrame(found[:, :, 0].T, index=index, columns=wanted)

    # Elsewhere ------------------------------------------------------------------------------------

    def to_xarray(self, *, trajectories: bool = False) -> xarray.Dataset:
        """Inputs and outcomes over ``member``, moments over ``time``, as an xarray Dataset.

        A saved variable's moments are called ``mean_customers``, ``sd_…``, ``low_…``, ``high_…``;
        with ``trajectories`` every run is in it as well, over ``member`` and ``time``, in memory.
        Raises UsageError where xarray is not installed.
        """
        try:
            import xarray as xr
        except ImportError:
            raise UsageError("to_xarray needs xarray: pip install xarray") from None
        frame = self.frame
        data: dict[str, Any] = {
            str(name): ("member", frame[name].to_numpy()) for name in frame.columns
        }
        for name in self.variables:
            for kind, read in (
                ("mean", self.mean),
                ("sd", self.sd),
                ("low", self.low),
                ("high", self.high),
            ):
                data[free(f"{kind}_{name}", data)] = ("time", read(name).to_numpy())
            if trajectories:
                label = free(name, data)
                data[label] = (("member", "time"), self.trajectories(name).to_numpy())
        coordinates = {"member": frame.index.to_numpy(), "time": self.time}
        return xr.Dataset(data, coords=coordinates, attrs=_flat(self.receipt))

    def to_duckdb(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with the views ``shards`` (a row a member), ``streams``, ``failures``,
        ``runs`` and ``trajectories``, as far as there are any; read from the folder when asked.

        Raises UsageError for a sweep in memory, and where DuckDB is not installed.
        """
        if not isinstance(self._source, Folder):
            raise UsageError("to_duckdb reads a folder; sweep with folder=…, or use the frames")
        try:
            import duckdb
        except ImportError:
            raise UsageError("to_duckdb needs DuckDB: pip install duckdb") from None
        from flywheel.sweep.tables import KINDS

        connection = duckdb.connect()
        for kind in KINDS:
            paths = [str(path.absolute()) for path in self._source.paths(kind)]
            if paths:
                listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
                connection.execute(f"CREATE VIEW {kind} AS SELECT * FROM read_parquet([{listed}])")
        return connection

    # What it says of itself -----------------------------------------------------------------------

    @property
    def sha256(self) -> str:
        """SHA-256 of the plan and of the numbers of every shard, in order: the same for the same sweep
        whoever computed it, in however many sessions."""
        total = hashlib.sha256(self.plan.hash.encode("ascii"))
        for number in range(self.plan.shards):
            record = self._source.records.get(number)
            total.update(f"\n{number} {record.digest if record else 'missing'}".encode("ascii"))
        return total.hexdigest()

    @property
    def receipt(self) -> dict[str, object]:
        """What was computed, as plain data."""
        plan = self.plan
        return {
            "model": plan.model_name,
            "model_hash": plan.model_hash,
            "plan_hash": plan.hash,
            "runs": plan.count,
            "failed": self.failed,
            "shards": plan.shards,
            "missing_shards": len(self.missing),
            "inputs": list(self.names),
            "scenarios": list(plan.scenarios),
            "outcomes": list(plan.outcomes),
            "variables": list(plan.saved),
            "method": plan.method,
            "kernel": plan.kind,
            "start": plan.start,
            "stop": plan.stop,
            "step": plan.step,
            "save": plan.save,
            "seed": plan.seed,
            "sha256": self.sha256,
        }

    def explain(self, language: str = "en") -> str:
        """What was run, what came out and what did not, in a few sentences (``en`` or ``ko``)."""
        return words.explain(self, language)

    def __repr__(self) -> str:
        state = (
            "" if self.complete else f", {len(self.missing)} of {self.plan.shards} shards missing"
        )
        return f"Sweep({self.plan.model_name}: {len(self):,} runs, {self.failed:,} failed{state})"

    # ----------------------------------------------------------------------------------------------

    @cached_property
    def _shards(self) -> pd.DataFrame:
        import pandas as pd

        parts = [self._source.shard(number) for number in sorted(self._source.records)]
        if not parts:
            columns = Columns(self.plan)
            extra = [columns.scenario] if columns.scenario else []
            names = [*columns.inputs, *extra, *columns.outcomes, *columns.reasons]
            return pd.DataFrame({name: [] for name in names}, index=pd.Index([], name="member"))
        return pd.concat(parts)

    @cached_property
    def _total(self) -> Total:
        return self._source.total()

    @property
    def _moments(self) -> Moments:
        found = self._total.moments
        if found is None:
            raise UsageError("no shard of this sweep is finished: there is nothing to tell")
        return found

    def _place(self, name: str) -> int:
        for place, own in enumerate(self.plan.saved):
            if key(own) == key(str(name)):
                return place
        if any(key(own) == key(str(name)) for own in self.plan.outcomes):
            raise UsageError(f"{name} is an outcome, one number a run: see outcomes[{str(name)!r}]")
        raise unknown_name(str(name), "saved variable", self.plan.saved, "this sweep")

    def _over_time(self, name: str, cells: Array) -> pd.Series[float]:
        import pandas as pd

        place = self._place(name)
        index = pd.Index(self.time, name="time")
        return pd.Series(cells[:, place], index=index, name=self.plan.saved[place])

    def _wide(self, parts: Sequence[Runs | None]) -> pd.DataFrame:
        import pandas as pd

        found = [part for part in parts if part is not None and len(part[0])]
        members = [int(number) for part in found for number in part[0]]
        index = pd.MultiIndex.from_product([members, self.time.tolist()], names=["member", "time"])
        width = len(self.variables)
        values = [part[1].reshape(-1, width) for part in found] or [np.empty((0, width))]
        return pd.DataFrame(np.concatenate(values), index=index, columns=list(self.variables))


def _cells(moments: Moments) -> tuple[NDArray[Any], ...]:
    return moments.count, moments.mean, moments.m2, moments.low, moments.high


def _flat(receipt: dict[str, object]) -> dict[str, object]:
    """Attributes of a Dataset are numbers and texts."""
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in receipt.items()
    }
