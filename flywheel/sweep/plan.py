"""What a sweep computes, as plain data: enough to get every byte of it again, anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.kernel.noise import LARGEST_SEED
from flywheel.model import Model
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.outcomes import recipes
from flywheel.solve.plan import scenario_of
from flywheel.sweep.base import Design
from flywheel.sweep.inputs import spelled_inputs
from flywheel.sweep.reduce import BLOCK, Edges
from flywheel.sweep.text import model_files, model_text, read_model

SHARD = 4096
"""Members of a shard: what is computed, stored and, after a kill, computed again as one."""
BINS = 320
"""Bins of a histogram; with ``WIDER`` a bin is at most 0.41 % of the range of the exact values."""
WIDER = 0.15
"""By how much of its range a pilot's range is made wider on each side."""
PILOT = 512
"""Members of the pilot that finds the ranges of histograms."""
RESERVOIR = 100
_LABELS = 65536

Keep = Literal["streams", "everything"]


class DesignLike(Protocol):
    """What a plan needs of a design: any member's numbers and scenario, alone or with others."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def count(self) -> int: ...

    def rows(self, first: int, count: int) -> NDArray[np.float64]: ...

    def labels(self, first: int, count: int) -> Sequence[str]: ...

    def as_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Memory:
    """Bytes that a sweep takes: ``working`` while it runs, ``result`` for what stays."""

    working: int
    result: int
    workers: int

    def __str__(self) -> str:
        many = "one worker" if self.workers == 1 else f"{self.workers} workers"
        return (
            f"needs about {_size(self.working)} of memory for {many}; "
            f"what stays takes about {_size(self.result)}"
        )


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """A sweep before it runs. Made by ``make_plan``; plain data by ``as_dict``.

    ``edges`` are there once a pilot has run (``shard.with_pilot``); they follow from the rest and take
    no part in ``hash``. Shard n holds the members from ``n * shard`` on.
    """

    model_text: str
    model_name: str
    model_hash: str
    model_files: Mapping[str, str]
    design: DesignLike
    scenarios: tuple[str, ...]
    method: Literal["euler", "rk4"]
    start: float
    stop: float
    step: float
    save: float
    seed: int
    saved: tuple[str, ...]
    outcomes: tuple[str, ...]
    kind: str = "float64"
    shard: int = SHARD
    keep: Keep = "streams"
    kept_as: Literal["float32", "float64"] = "float32"
    reservoir: int = RESERVOIR
    bins: int = BINS
    edges: Edges | None = None

    @property
    def count(self) -> int:
        """How many members there are."""
        return self.design.count

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-self.count // self.shard)

    def members(self, number: int) -> range:
        """The members of a shard. Raises UsageError for a shard that is not there."""
        if not 0 <= number < self.shards:
            raise UsageError(f"there is no shard {number}: the sweep has {self.shards}, from 0")
        return range(number * self.shard, min((number + 1) * self.shard, self.count))

    @cached_property
    def model(self) -> Model:
        """The model, read from its text. Raises UsageError if that says another model."""
        found = read_model(self.model_text, self.model_files, self.model_name)
        if found.hash != self.model_hash:
            raise UsageError(
                f"the text of the plan says another model than the one that was swept: its hash is "
                f"{found.hash[:12]}, not {self.model_hash[:12]}"
            )
        return found

    @cached_property
    def grid(self) -> Grid:
        """The times of every run."""
        return make_grid(self.model.time, self.start, self.stop, self.step, self.save)

    # As data ------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it."""
        found = {name: getattr(self, name) for name in _PLAIN}
        found["design"] = self.design.as_dict()
        found["model_files"] = dict(self.model_files)
        for name in ("scenarios", "saved", "outcomes"):
            found[name] = list(found[name])
        if self.edges is not None:
            found["edges"] = {"low": self.edges.low.tolist(), "high": self.edges.high.tolist()}
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], design: DesignLike | None = None) -> SweepPlan:
        """From ``as_dict``; ``design`` replaces reading it. Raises UsageError for broken data."""
        try:
            given = {name: data[name] for name in _PLAIN}
            for name in ("scenarios", "saved", "outcomes"):
                given[name] = tuple(str(item) for item in given[name])
            edges = data.get("edges")
            if edges is not None:
                low, high = (
                    np.array(edges["low"], dtype=float),
                    np.array(edges["high"], dtype=float),
                )
                given["edges"] = Edges(low, high, int(given["bins"]))
            given["model_files"] = {str(k): str(v) for k, v in given["model_files"].items()}
            found = data["design"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"this is no plan of a sweep: {error}") from None
        if design is None:
            # Every kind of design makes itself known when its module is read.
            import flywheel.sweep.design  # noqa: F401

            design = Design.from_dict(found)
        return cls(design=design, **given)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything that decides the numbers, but for the edges, which follow from it."""
        data = self.as_dict()
        data.pop("edges", None)
        text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def with_edges(self, edges: Edges | None) -> SweepPlan:
        """The plan with the ranges of its histograms."""
        found = replace(self, edges=edges)
        for name in ("model", "grid", "hash"):  # what takes a while and stays the same
            if name in self.__dict__:
                found.__dict__[name] = self.__dict__[name]
        return found

    # What it takes ------------------------------------------------------------------------------

    def memory(self, workers: int = 1, chunk: int = 256) -> Memory:
        """What the sweep will take, before anything is allocated."""
        saves = self.grid.saves
        cells = saves * len(self.saved)
        extra = 2 * len(self.outcomes)
        inputs = len(self.model.params) + len(self.scenarios) + len(self.design.names) + 8
        columns = len(self.saved) + extra
        again = len(self.model.variables) + extra  # of a block, to look for failures
        buffer = (chunk + BLOCK) * saves * columns * 8 + 5 * BLOCK * cells * 8
        buffer += BLOCK * saves * again * 8
        counts = cells * (self.bins + 2) * 4 if self.bins else 0
        shard = self.shard * (inputs + len(self.design.names) + 2 * extra) * 8
        everything = 0
        if self.keep == "everything":
            everything = cells * (4 if self.kept_as == "float32" else 8)
        kept = min(self.reservoir, self.count) * cells * 8
        one = buffer + 2 * counts + shard + self.shard * everything + cells * 40
        result = self.count * (len(self.outcomes) * 10 + everything) + counts + kept + cells * 40
        return Memory(workers * one + counts + kept + cells * 40, result, workers)


_PLAIN = tuple(name for name in SweepPlan.__dataclass_fields__ if name not in ("design", "edges"))


def make_plan(
    model: Model,
    design: DesignLike,
    *,
    method: str = "rk4",
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
    seed: int = 0,
    saved: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    shard: int = SHARD,
    keep: str = "streams",
    kept_as: str = "float32",
    reservoir: int = RESERVOIR,
    quantiles: bool = True,
) -> SweepPlan:
    """The plan of a sweep of a model over a design, names and numbers checked.

    Parameters
    ----------
    method:
        ``rk4`` or ``euler``.
    start, stop, step, save:
        Replace the numbers of the model's ``time`` line.
    saved:
        Variables of which every time is reduced or kept; by default the stocks.
    outcomes:
        By default all that the model declares.
    shard:
        Members per shard, a multiple of 64.
    keep:
        ``streams`` (moments, extremes, histograms, a reservoir) or ``everything`` (whole trajectories
        besides, as ``kept_as`` ``float32`` or ``float64``).
    reservoir:
        How many whole runs are kept in any case.

    Raises UnknownNameError and UsageError for arguments that make no sense.
    """
    how = str(method).casefold()
    if how not in ("rk4", "euler"):
        raise UsageError(f"a sweep takes method rk4 or euler, not {method!r}")
    if keep not in ("streams", "everything"):
        raise UsageError(f"keep is 'streams' or 'everything', not {keep!r}")
    if kept_as not in ("float32", "float64"):
        raise UsageError(f"kept_as is 'float32' or 'float64', not {kept_as!r}")
    if _whole("shard", shard, 1) % BLOCK:
        raise UsageError(f"shard is a multiple of {BLOCK} members, not {shard!r}")
    _whole("reservoir", reservoir, 0)
    if _whole("seed", seed, 0) > LARGEST_SEED:
        raise UsageError(f"seed must lie between 0 and 2^64 - 1, not {seed!r}")
    if design.count < 1:
        raise UsageError("the design has no members")
    spelled_inputs(model, design.names)
    if isinstance(design, Design):
        design = design.spelled(model)
    grid = make_grid(model.time, start, stop, step, save)
    columns = tuple(model.stocks) if saved is None else _names(saved, model.variables, "variable")
    every, _ = recipes(model)
    wanted = tuple(every) if outcomes is None else _names(outcomes, every, "outcome")
    files = model_files(model)
    plan = SweepPlan(
        model_text=model_text(model, files),
        model_name=model.name,
        model_hash=model.hash,
        model_files=files,
        design=design,
        scenarios=_scenarios(model, design),
        method="euler" if how == "euler" else "rk4",
        start=grid.start,
        stop=grid.stop,
        step=grid.step,
        save=grid.save,
        seed=seed,
        saved=columns,
        outcomes=wanted,
        shard=shard,
        keep="everything" if keep == "everything" else "streams",
        kept_as="float64" if kept_as == "float64" else "float32",
        reservoir=reservoir,
        bins=BINS if quantiles else 0,
    )
    plan.__dict__["model"] = model  # its text was found to say the same
    return plan


def _whole(name: str, value: object, least: int) -> int:
    """A whole number of at least so much, or a UsageError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number from {least} on, not {value!r}")
    return value


def _names(given: Sequence[str], known: Mapping[str, object], kind: str) -> tuple[str, ...]:
    by_key = {key(name): name for name in known}
    found = []
    for name in [given] if isinstance(given, str) else given:
        if key(str(name)) not in by_key:
            raise unknown_name(str(name), kind, known, "the model")
        found.append(by_key[key(str(name))])
    return tuple(dict.fromkeys(found))


def _scenarios(model: Model, design: DesignLike) -> tuple[str, ...]:
    """The scenarios that members of the design have, in the order of the model."""
    found: set[str] = set()
    stated = getattr(design, "scenarios", None)
    if stated is not None:
        found = {str(name or "") for name in stated}
    else:
        for first in range(0, design.count, _LABELS):
            count = min(_LABELS, design.count - first)
            found |= {str(label or "") for label in design.labels(first, count)}
    for name in sorted(found - {""}):
        scenario_of(model, name)
    return tuple(sorted(found - {""}))


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
