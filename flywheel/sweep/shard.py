"""One shard of a sweep: its members computed, read and reduced.

The kernel is called with ``chunk`` members at a time, into memory that is used again; everything after
it goes by blocks of 64 members by number, so that the chunk changes no byte.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.sweep.failing import FailureFinder, Failures, watched
from flywheel.sweep.inputs import InputMaker
from flywheel.sweep.kernel import LANES, MemberKernel
from flywheel.sweep.piece import digest
from flywheel.sweep.plan import PILOT, WIDER, SweepPlan
from flywheel.sweep.reading import OutcomeReader
from flywheel.sweep.reduce import (
    BLOCK,
    Counts,
    Edges,
    Moments,
    MomentSum,
    Reservoir,
    chosen,
    spread_members,
)

Array = NDArray[np.float64]
CHUNK = 256
"""Members per call of the kernel, unless asked otherwise."""
_READY = 4
_PILOT_KEY = 0x70696C6F74
_RESERVOIR_KEY = 0x72657365


@dataclass(frozen=True, eq=False)
class ShardResult:
    """What stays of the members ``first`` to ``first + count - 1``.

    ``outcomes`` (M, O) with ``codes`` (M, O), the number in ``reasons`` of why one is NaN (0: it is
    not); ``counts`` (T, V, bins + 2) of ``Edges``; ``trajectories`` (M, T, V), NaN after a failure,
    only with ``keep="everything"``.
    """

    number: int
    first: int
    outcomes: Array
    codes: NDArray[np.int16]
    reasons: tuple[str, ...]
    failures: Failures
    moments: Moments
    counts: NDArray[np.uint32] | None
    reservoir: Reservoir
    trajectories: NDArray[np.floating] | None

    @property
    def count(self) -> int:
        """How many members the shard has."""
        return len(self.outcomes)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything as arrays by name, texts included."""
        found: dict[str, NDArray[np.generic]] = {
            "first": np.array([self.first], dtype=np.int64),
            "outcomes": self.outcomes,
            "codes": self.codes,
            "reasons": np.array(self.reasons, dtype=np.str_),
            "failures.member": self.failures.members,
            "failures.variable": np.array(self.failures.variables, dtype=np.str_),
            "failures.time": self.failures.times,
            "failures.reason": np.array(self.failures.reasons, dtype=np.str_),
            "moments.count": self.moments.count,
            "moments.mean": self.moments.mean,
            "moments.m2": self.moments.m2,
            "moments.low": self.moments.low,
            "moments.high": self.moments.high,
            "reservoir.members": self.reservoir.members,
            "reservoir.values": self.reservoir.values,
        }
        if self.counts is not None:
            found["counts"] = self.counts
        if self.trajectories is not None:
            found["trajectories"] = self.trajectories
        return found

    @property
    def sha256(self) -> str:
        """SHA-256 of all of it."""
        return digest(self.arrays())


class _Ready:
    """What the shards of one plan share; safe to use from several threads."""

    def __init__(self, plan: SweepPlan, lanes: int) -> None:
        self.model = plan.model  # the plan of its equations holds it weakly
        self.grid = plan.grid
        self.inputs = InputMaker(
            self.model, plan.design.names, plan.scenarios, plan.method, self.grid, plan.seed
        )
        self.plan = self.inputs.plan
        self.reader = OutcomeReader(self.model, self.plan.recipes, plan.outcomes, self.grid.times)
        missing = [name for name in plan.saved if name not in self.plan.position]
        if missing:
            raise UsageError(f"{missing[0]} has no values over time and cannot be saved")
        self.columns = tuple(dict.fromkeys([*plan.saved, *self.reader.columns]))
        self.saved = len(plan.saved)
        self.place = {name: k for k, name in enumerate(self.columns)}
        system = self.plan.system
        self.kernel = MemberKernel(system, self.columns, plan.method, self.grid, plan.seed, lanes)
        self.members = chosen(plan.count, plan.reservoir, plan.seed ^ _RESERVOIR_KEY)
        judged = self.plan.judged[[self.plan.position[name] for name in self.columns]]
        self.suspects = np.flatnonzero(judged[self.saved :]) + self.saved
        self._lock = threading.Lock()
        self._full: MemberKernel | None = None
        self._lanes = lanes
        self._local = threading.local()

    def finder(self, plan: SweepPlan) -> FailureFinder:
        """A search for failures; its kernel is compiled when the first run breaks down."""
        with self._lock:
            if self._full is None:
                self._full = MemberKernel(
                    self.plan.system, self.plan.columns, plan.method, self.grid, plan.seed
                )
        seen = watched(self.plan, [*self.columns, *self.kernel.states])
        return FailureFinder(self.plan, self.grid, plan.method, plan.seed, self._full, seen)

    def buffer(self, members: int) -> Array:
        """This thread's memory for trajectories: touching fresh memory costs more than using it."""
        held: Array | None = getattr(self._local, "buffer", None)
        if held is None or len(held) < members:
            held = np.empty((members, self.grid.saves, len(self.columns)))
            self._local.buffer = held
        return held[:members]


_lock = threading.Lock()
_ready: OrderedDict[tuple[str, int], _Ready] = OrderedDict()


def _prepare(plan: SweepPlan, lanes: int = LANES) -> _Ready:
    with _lock:
        name = (plan.hash, lanes)
        found = _ready.get(name)
        if found is None:
            found = _ready[name] = _Ready(plan, lanes)
            while len(_ready) > _READY:
                _ready.popitem(last=False)
        _ready.move_to_end(name)
        return found


def forget() -> None:
    """Lets go of what is kept between shards: models, kernels, memory."""
    with _lock:
        _ready.clear()


def with_pilot(plan: SweepPlan) -> SweepPlan:
    """The plan with the ranges of its histograms, from a pilot of members spread over the design.

    The plan itself where it has them already or wants no histograms.
    """
    if plan.edges is not None or not plan.bins:
        return plan
    ready = _prepare(plan)
    members = spread_members(plan.count, PILOT, plan.seed ^ _PILOT_KEY)
    low = np.full((ready.grid.saves, ready.saved), np.inf)
    high = -low
    for start in range(0, len(members), BLOCK):
        some = members[start : start + BLOCK]
        rows = np.concatenate([plan.design.rows(int(m), 1) for m in some])
        labels = [label for m in some for label in plan.design.labels(int(m), 1)]
        values, broken = ready.kernel.run(ready.inputs(rows, labels, some), some)
        values = values[:, :, : ready.saved]
        sound = values[np.isfinite(values).all(axis=(1, 2)) & ~broken]
        low = np.minimum(low, sound.min(axis=0, initial=np.inf))
        high = np.maximum(high, sound.max(axis=0, initial=-np.inf))
    return plan.with_edges(Edges.around(low, high, plan.bins, WIDER))


def compute(plan: SweepPlan, number: int, chunk: int = CHUNK, *, lanes: int = LANES) -> ShardResult:
    """Computes shard ``number``; ``chunk`` members per call of the kernel change nothing but speed.

    Raises UsageError for a shard that is not there, or a plan whose histograms have no ranges yet.
    """
    if chunk < 1:
        raise UsageError(f"chunk is a number of members, not {chunk}")
    if plan.bins and plan.edges is None:
        raise UsageError("the plan's histograms have no ranges yet: see with_pilot")
    members = plan.members(number)
    return _Shard(plan, _prepare(plan, lanes), number, members).run(chunk)


class _Shard:
    """The state of one shard while it is computed."""

    def __init__(self, plan: SweepPlan, ready: _Ready, number: int, members: range) -> None:
        self.plan, self.ready, self.number = plan, ready, number
        self.first, self.count = members.start, len(members)
        self.numbers = np.arange(members.start, members.stop, dtype=np.int64)
        rows = np.ascontiguousarray(plan.design.rows(self.first, self.count), dtype=np.float64)
        labels: Sequence[str] = plan.design.labels(self.first, self.count)
        self.inputs = ready.inputs(rows, labels, self.numbers)
        self.failed = np.zeros(self.count, dtype=bool)
        self.finder: FailureFinder | None = None
        cells = ready.grid.saves * ready.saved
        self.moments = MomentSum(cells)
        self.counts = None if plan.edges is None else Counts(plan.edges)
        self.direct = np.empty((self.count, ready.reader.width))
        self.codes = np.empty((self.count, ready.reader.width), dtype=np.int16)
        inside = (ready.members >= members.start) & (ready.members < members.stop)
        self.chosen = ready.members[inside]
        shape = (ready.grid.saves, ready.saved)
        self.runs = np.empty((len(self.chosen), *shape))
        self.kept: NDArray[np.floating] | None = None
        if plan.keep == "everything":
            self.kept = np.empty((self.count, *shape), dtype=plan.kept_as)

    def run(self, chunk: int) -> ShardResult:
        buffer = self.ready.buffer(min(chunk, self.count) + BLOCK)
        done = waiting = 0  # members that are finished; members in the buffer that are not
        while done + waiting < self.count:
            start = done + waiting
            more = min(chunk, self.count - start)
            new = slice(start, start + more)
            _, broken = self.ready.kernel.run(
                self.inputs[new], self.numbers[new], buffer[waiting : waiting + more]
            )
            self.failed[new] = broken  # suspects until looked at
            waiting += more
            last = start + more == self.count
            whole = waiting if last else waiting // BLOCK * BLOCK
            if whole:
                self._take(buffer[:whole], done)
                waiting -= whole
                done += whole
                buffer[:waiting] = buffer[whole : whole + waiting]
        return self._result()

    # Members in whole blocks ---------------------------------------------------------------------

    def _take(self, values: Array, first: int) -> None:
        """Reduces members (n, T, V) from the shard's member ``first`` on."""
        for start in range(0, len(values), BLOCK):
            self._reduce(values[start : start + BLOCK], first + start)
        here = slice(first, first + len(values))
        self.direct[here], self.codes[here] = self.ready.reader.read(values, self.ready.place)
        if self.kept is not None:
            with np.errstate(over="ignore"):
                self.kept[here] = values[:, :, : self.ready.saved]
        for k in np.flatnonzero(
            (self.chosen >= self.first + here.start) & (self.chosen < self.first + here.stop)
        ):
            row = int(self.chosen[k]) - self.first - first
            self.runs[k] = values[row, :, : self.ready.saved]

    def _reduce(self, block: Array, first: int) -> None:
        here = slice(first, first + len(block))
        cells = self._cells(block)
        broken = self.failed[here]
        if self.ready.suspects.size:
            broken |= ~np.isfinite(block[:, :, self.ready.suspects]).all(axis=(1, 2))
        if not broken.any() and self.moments.add(cells):
            if self.counts is not None:
                self.counts.add(cells)
            return
        broken |= ~np.isfinite(cells).all(axis=1)
        self._look(block, here)
        sound = self._cells(block)[~self.failed[here]]
        self.moments.add(sound)
        if self.counts is not None:
            self.counts.add(sound)

    def _cells(self, block: Array) -> Array:
        """The saved cells of a block, (n, T * V), without those that only outcomes read."""
        return block[:, :, : self.ready.saved].reshape(len(block), -1)

    def _look(self, block: Array, here: slice) -> None:
        """Tells what failed from what only looked like it, and empties what comes after a failure."""
        if self.finder is None:
            self.finder = self.ready.finder(self.plan)
        suspects = np.flatnonzero(self.failed[here])
        which = here.start + suspects
        rows = self.finder.look(self.inputs[which], self.numbers[which])
        for member, found in zip(suspects.tolist(), rows.tolist(), strict=True):
            row = found
            if row < 0:
                odd = ~np.isfinite(block[member, :, : self.ready.saved])
                if not odd.any():
                    self.failed[here.start + member] = False
                    continue
                row = int(odd.any(axis=1).argmax())
                variable = self.ready.columns[int(odd[row].argmax())]
                self.finder.note(self.first + here.start + member, variable, row)
            block[member, row + 1 :] = np.nan

    def _result(self) -> ShardResult:
        ready = self.ready
        place = ready.plan.input_position
        params = {name: self.inputs[:, place[name]] for name in ready.model.params}
        outcomes, codes, reasons = ready.reader.finish(self.direct, self.codes, params, self.failed)
        failures = Failures(np.empty(0, dtype=np.int64), (), np.empty(0), ())
        if self.finder is not None:
            failures = self.finder.result()
        return ShardResult(
            self.number,
            self.first,
            outcomes,
            codes,
            reasons,
            failures,
            self.moments.result((ready.grid.saves, ready.saved)),
            None if self.counts is None else self.counts.result(),
            Reservoir(self.chosen, self.runs),
            self.kept,
        )
