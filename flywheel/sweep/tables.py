"""A shard as Parquet tables and back.

Tables by kind: ``shards`` (a row a member: inputs, outcomes, why one has no value), ``streams`` (a row a
time and variable: moments, extremes, histogram), ``failures``, ``runs`` (whole runs of the reservoir)
and ``trajectories`` (of every member, on request). The last two have a row a member and time.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.expr import key
from flywheel.sweep.piece import Arrays

if TYPE_CHECKING:
    from flywheel.sweep.plan import SweepPlan
    from flywheel.sweep.shard import ShardResult

KINDS = ("shards", "streams", "failures", "runs", "trajectories")


def need_pyarrow() -> None:
    """Raises UsageError with the install line where Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UsageError(
            "a sweep that is kept in a folder needs pyarrow: pip install 'flywheel-sd[parquet]'"
        ) from None


class Columns:
    """What the columns of a plan's tables are called.

    Numbers of members, times and scenarios step aside for inputs and variables of the same name.
    """

    def __init__(self, plan: SweepPlan) -> None:
        taken = [*plan.design.names, *plan.outcomes]
        self.inputs = tuple(plan.design.names)
        self.member = free("member", taken)
        self.scenario = free("scenario", taken) if plan.scenarios else None
        self.outcomes = plan.outcomes
        self.reasons = tuple(f"{name}.reason" for name in plan.outcomes)
        self.saved = plan.saved
        self.run_member = free("member", plan.saved)
        self.run_time = free("time", plan.saved)


def free(name: str, taken: Iterable[str]) -> str:
    """A name that is not taken, in any case."""
    keys = {key(other) for other in taken}
    while key(name) in keys:
        name += "_"
    return name


def to_parquet(plan: SweepPlan, result: ShardResult) -> dict[str, bytes]:
    """The tables of a shard as files, the same bytes for the same shard; empty ones are left out."""
    import pyarrow as pa

    columns = Columns(plan)
    count = len(result.outcomes)
    rows = plan.design.rows(result.first, count)
    shards: dict[str, Any] = {
        columns.member: np.arange(result.first, result.first + count, dtype=np.int64)
    }
    shards |= {name: rows[:, k] for k, name in enumerate(columns.inputs)}
    if columns.scenario:
        shards[columns.scenario] = pa.array(plan.design.labels(result.first, count), pa.string())
    shards |= {name: _given(result.outcomes[:, k]) for k, name in enumerate(columns.outcomes)}
    texts = np.array([*result.reasons, ""], dtype=object)
    for k, name in enumerate(columns.reasons):
        codes = result.codes[:, k]
        shards[name] = pa.array(texts[codes], pa.string(), mask=codes == 0)
    files = {"shards": _file(shards)}

    times, moments = plan.grid.times, result.moments
    cells = moments.count.size
    streams: dict[str, Any] = {
        "time": np.repeat(times, len(plan.saved)),
        "variable": pa.array(list(plan.saved) * len(times), pa.string()),
        "count": moments.count.ravel(),
        "mean": moments.mean.ravel(),
        "m2": moments.m2.ravel(),
        "low": moments.low.ravel(),
        "high": moments.high.ravel(),
    }
    if result.counts is not None:
        bins = result.counts.shape[-1]
        flat = pa.array(result.counts.reshape(cells * bins))
        streams["histogram"] = pa.FixedSizeListArray.from_arrays(flat, bins)
    files["streams"] = _file(streams)

    failures = result.failures
    if len(failures):
        files["failures"] = _file(
            {
                "member": failures.members,
                "variable": pa.array(failures.variables, pa.string()),
                "time": failures.times,
                "reason": pa.array(failures.reasons, pa.string()),
            }
        )
    if len(result.reservoir.members):
        files["runs"] = _runs(columns, times, result.reservoir.members, result.reservoir.values)
    if result.trajectories is not None:
        every = np.arange(result.first, result.first + count, dtype=np.int64)
        files["trajectories"] = _runs(columns, times, every, result.trajectories)
    return files


def _runs(
    columns: Columns,
    times: NDArray[np.float64],
    members: NDArray[np.int64],
    values: NDArray[Any],
) -> bytes:
    """Runs (M, T, V) as a table with a row a member and time."""
    table: dict[str, Any] = {
        columns.run_member: np.repeat(members, len(times)),
        columns.run_time: np.tile(times, len(members)),
    }
    flat = np.ascontiguousarray(values.reshape(-1, values.shape[2]).T)
    table |= {name: _given(flat[k]) for k, name in enumerate(columns.saved)}
    # Trajectories are noise to a compressor; numbers of members and times are not.
    packed = dict.fromkeys(columns.saved, "NONE")
    packed |= {columns.run_member: "ZSTD", columns.run_time: "ZSTD"}
    return _file(table, packed, [columns.run_member, columns.run_time])


def _given(values: NDArray[Any]) -> Any:
    """A column in which NaN is no value: databases would count with it, and call it the largest."""
    import pyarrow as pa

    return pa.array(values, from_pandas=True)


def _file(
    table: Mapping[str, Any],
    compression: str | Mapping[str, str] = "ZSTD",
    dictionary: Sequence[str] | None = None,
) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    made = pa.Table.from_arrays(
        [x if isinstance(x, pa.Array) else pa.array(x) for x in table.values()],
        names=list(table),
    )
    texts = [field.name for field in made.schema if pa.types.is_string(field.type)]
    sink = io.BytesIO()
    parquet.write_table(
        made,
        sink,
        compression=dict(compression) if isinstance(compression, Mapping) else compression,
        use_dictionary=list(dictionary) if dictionary is not None else (texts or False),
        write_statistics=False,
    )
    return sink.getvalue()


def read(raw: bytes, columns: Sequence[str] | None = None) -> Any:
    """A table (pyarrow) from the bytes of a file, all columns or some."""
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.read_table(
        pa.BufferReader(raw), columns=None if columns is None else list(columns), use_threads=False
    )


def numbers(table: Any, name: str) -> NDArray[Any]:
    """A column of numbers."""
    found: NDArray[Any] = table.column(name).to_numpy()
    return found


def streams_of(raw: bytes, shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """The arrays of a ``streams`` table as ``ShardResult.arrays`` calls them; cells of ``shape``."""
    table = read(raw)
    found: dict[str, NDArray[Any]] = {
        f"moments.{name}": numbers(table, name).reshape(shape)
        for name in ("count", "mean", "m2", "low", "high")
    }
    if "histogram" in table.column_names:
        flat = table.column("histogram").combine_chunks().values.to_numpy()
        found["counts"] = flat.reshape(*shape, -1)
    return found


def runs_of(raw: bytes, columns: Columns, saves: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Members (R,) and values (R, T, V) of a ``runs`` or ``trajectories`` table."""
    table = read(raw)
    members = numbers(table, columns.run_member)[::saves].astype(np.int64)
    stacked = [numbers(table, name).reshape(-1, saves) for name in columns.saved]
    shape = (len(members), saves, 0)
    return members, np.stack(stacked, axis=2) if stacked else np.empty(shape)


def to_bytes(arrays: Arrays) -> bytes:
    """Arrays by name as one archive, for results that are not kept in a folder."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **arrays)
    return sink.getvalue()


def from_bytes(raw: bytes) -> dict[str, NDArray[Any]]:
    """What ``to_bytes`` packed."""
    with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
