"""Sweeps: begun, continued after whatever stopped them, opened again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from flywheel.errors import LimitError, UsageError
from flywheel.model import Model
from flywheel.solve.engines import has_compiler
from flywheel.solve.run import versions as solver_versions
from flywheel.sweep.difference import difference
from flywheel.sweep.executor import TRIES, Finished, checked, run
from flywheel.sweep.job import Form, ShardJob
from flywheel.sweep.lock import NAME as LOCK
from flywheel.sweep.piece import Piece
from flywheel.sweep.plan import RESERVOIR, SHARD, DesignLike, SweepPlan, make_plan
from flywheel.sweep.progress import Callback, Meter
from flywheel.sweep.result import Sweep
from flywheel.sweep.shard import CHUNK, with_pilot
from flywheel.sweep.source import Folder, Memory
from flywheel.sweep.store import Store, StoreError
from flywheel.sweep.tables import need_pyarrow

WRITERS = 4
"""Shards that are written at once."""


def sweep(
    model: Model,
    design: DesignLike,
    *,
    folder: str | Path | None = None,
    method: str = "rk4",
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
    seed: int = 0,
    saved: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    keep: str = "streams",
    kept_as: str = "float32",
    reservoir: int = RESERVOIR,
    quantiles: bool = True,
    shard: int = SHARD,
    chunk: int = CHUNK,
    workers: int | None = None,
    executor: str = "threads",
    progress: Callback | None = None,
) -> Sweep:
    """Runs a model once for every member of a design.

    Parameters
    ----------
    design:
        See ``flywheel.sweep.design``: ``grid``, ``listed``, ``from_csv``, ``sample``, ``crossed``.
    folder:
        Where results are kept, shard by shard; None keeps them in memory, where a kill loses them. A
        folder that holds the same sweep is continued: what is finished is not computed again.
    method, start, stop, step, save, seed, saved, outcomes, keep, kept_as, reservoir, quantiles, shard:
        What is computed and kept: see ``plan.make_plan``.
    chunk, workers, executor:
        Who computes it, which changes no byte of the result: members per call of the kernel; how many
        ``threads`` or ``processes`` (by default one a processor), or the address of a Dask scheduler.
    progress:
        Is called with a ``Progress`` at the beginning and after every shard.

    Members that fail are data (``Sweep.failures``). A shard whose worker dies ``TRIES`` times is left
    out, and the result says so. Ctrl-C raises KeyboardInterrupt with a sentence; no process stays
    behind, and the sweep in a folder can be resumed.

    Raises UsageError for arguments that make no sense, and StoreError (a UsageError) where the folder
    holds another sweep, with the difference, or cannot be written; LimitError for more memory than
    there is.
    """
    plan = make_plan(
        model,
        design,
        method=method,
        start=start,
        stop=stop,
        step=step,
        save=save,
        seed=seed,
        saved=saved,
        outcomes=outcomes,
        shard=shard,
        keep=keep,
        kept_as=kept_as,
        reservoir=reservoir,
        quantiles=quantiles,
    )
    how = _How(chunk, workers, executor, progress)
    if folder is None:
        said = how.memory(plan, True)
        memory = Memory(with_pilot(plan))
        _fill(memory, memory.plan, range(plan.shards), how, said)
        return Sweep(memory, computed=tuple(sorted(memory.records)))
    need_pyarrow()
    said = how.memory(plan, False)
    store = Store(folder)
    with store.writing():
        if store.exists:
            plan = _same(store, plan)
        else:
            _empty(store)
            plan = with_pilot(plan)
            store.create(plan.as_dict(), sha256_of(plan), versions())
        return _finish(store, plan, how, said)


def resume(
    folder: str | Path,
    *,
    model: Model | None = None,
    chunk: int = CHUNK,
    workers: int | None = None,
    executor: str = "threads",
    progress: Callback | None = None,
    other_versions: bool = False,
) -> Sweep:
    """Computes what is missing of the sweep in a folder, and nothing else.

    Torn or forged shards are missing ones, and those that were given up are tried again. With
    ``model``, a folder that holds a sweep of another model is refused with the difference. Versions of
    this package and its solvers that differ from those that began the sweep are refused too, for
    their last bits may differ; ``other_versions`` allows them.

    Raises StoreError for a folder that holds no sweep, cannot be written, or does not fit.
    """
    need_pyarrow()
    how = _How(chunk, workers, executor, progress)
    store = Store(folder)
    plan, kept = _plan_in(store)
    if model is not None and model.hash != plan.model_hash:
        from flywheel.language import print_model

        given = {"model_name": model.name, "model_text": print_model(model)}
        old = {"model_name": plan.model_name, "model_text": plan.model_text}
        raise StoreError(_refusal(store, "another model", difference(old, given)))
    if not other_versions:
        _same_versions(store, kept)
    said = how.memory(plan, False)
    with store.writing():
        return _finish(store, plan, how, said)


def open_sweep(folder: str | Path) -> Sweep:
    """The sweep in a folder as far as it is finished, read-only; every shard's SHA-256 is checked.

    Raises StoreError for a folder that holds none.
    """
    need_pyarrow()
    store = Store(folder)
    plan, _ = _plan_in(store)
    return Sweep(Folder(store, plan))


def versions() -> dict[str, str]:
    """What decides the last bits of a result: versions, engine, processor."""
    found = {name: str(text) for name, text in solver_versions().items()}
    found["engine"] = "llvm" if has_compiler() else "reference"
    if has_compiler():
        from flywheel.kernel.llvm import host

        found["processor"] = host()[0]
    return found


def sha256_of(plan: SweepPlan) -> str:
    """SHA-256 of all of a plan, ranges of histograms included."""
    text = json.dumps(plan.as_dict(), sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class _How:
    """Who computes, which changes nothing about the result."""

    def __init__(
        self, chunk: int, workers: int | None, executor: str, progress: Callback | None
    ) -> None:
        if type(chunk) is not int or chunk < 1:
            raise UsageError(f"chunk must be a whole number of at least 1, not {chunk!r}")
        self.chunk = chunk
        self.workers = checked(workers, executor)
        self.executor = executor
        self.progress = progress

    def memory(self, plan: SweepPlan, all_of_it: bool) -> str:
        """What the plan takes, in words; raises LimitError where there is not so much."""
        # Processes and machines of a cluster hold a copy of what threads share; to count that here as
        # one process would is nearer than any guess.
        need = plan.memory(self.workers, self.chunk)
        there = _available()
        wanted = need.working + (need.result if all_of_it else 0)
        if there is not None and wanted > there:
            raise LimitError(
                f"this sweep {need}, but only {there / 1e9:.3g} GB are free; save fewer variables, keep "
                f"only streams, or {'name a folder' if all_of_it else 'take fewer workers'}"
            )
        return str(need)


def _available() -> int | None:
    """Bytes of memory that are free, where the system says so."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _fill(
    target: Memory | _Kept,
    plan: SweepPlan,
    missing: Sequence[int],
    how: _How,
    said: str,
) -> None:
    """Computes the missing shards and gives them to ``target``."""
    todo = sum(len(plan.members(number)) for number in missing)
    meter = Meter(how.progress, plan.count, plan.count - todo, said)
    job = ShardJob(plan, target.form, how.chunk)
    events = run(missing, job, workers=how.workers, kind=how.executor)
    # An error of ours in the loop (a full disk, say) must stop the workers too.
    with closing(events):
        for event in events:
            if isinstance(event, Finished):
                target.add(event.task, event.piece)
                meter.add(event.piece.members, event.piece.failed)
            else:
                target.give_up(event.task, f"{event.reason}, {TRIES} times")
                count = len(plan.members(event.task))
                meter.add(count, count)


class _Kept:
    """A store that is being written, by a few threads: waiting for a disk to sync takes longer than
    computing a shard, and a disk syncs several files at once as fast as one. A context manager; at its
    end everything is written, or the first error of a writer raised."""

    form: Form = "parquet"

    def __init__(self, store: Store, plan: SweepPlan) -> None:
        self._store = store
        self._plan = plan
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="flywheel-write")
        self._running: dict[Future[None], int] = {}
        self.computed: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            self._collect(0, raising=kind is None)
        finally:
            self._pool.shutdown(wait=True)

    def add(self, number: int, piece: Piece) -> None:
        self._running[self._pool.submit(self._store.write, number, piece, self._plan.hash)] = number
        self._collect(WRITERS)

    def give_up(self, number: int, reason: str) -> None:
        self._store.give_up(number, reason)

    def _collect(self, most: int, raising: bool = True) -> None:
        """Waits until at most so many shards are still to be written."""
        while True:
            done = [future for future in self._running if future.done()]
            for future in done:
                number = self._running.pop(future)
                problem = future.exception()
                if problem is None:
                    self.computed.append(number)
                elif raising:
                    raise problem
            if len(self._running) <= most:
                return
            wait(self._running, return_when=FIRST_COMPLETED)


def _finish(store: Store, plan: SweepPlan, how: _How, said: str) -> Sweep:
    """Computes what a folder lacks; inside ``store.writing``."""
    whole = store.finished(plan.hash, plan.shards)
    missing = [number for number in range(plan.shards) if number not in whole]
    target = _Kept(store, plan)
    try:
        with target:
            _fill(target, plan, missing, how, said)
    except KeyboardInterrupt:
        done = len(whole) + len(target.computed)
        raise KeyboardInterrupt(
            f"stopped with {done:,} of {plan.shards:,} shards finished; they are kept, and "
            f"resume({str(store.folder)!r}) computes the rest"
        ) from None
    return Sweep(Folder(store, plan), computed=tuple(sorted(target.computed)))


def _plan_in(store: Store) -> tuple[SweepPlan, Mapping[str, Any]]:
    """The plan of a folder and the versions that began it; raises StoreError for a changed manifest."""
    manifest = store.manifest()
    try:
        plan = SweepPlan.from_dict(manifest["plan"])
        same = sha256_of(plan) == manifest.get("plan_sha256")
    except (UsageError, ValueError, TypeError, KeyError) as problem:
        raise StoreError(f"the plan in {store.folder} cannot be read: {problem}") from None
    if not same:
        raise StoreError(
            f"the plan in {store.folder} has been changed since it was written: its SHA-256 is another "
            "one; begin a sweep in a new folder"
        )
    kept = manifest.get("versions")
    return plan, kept if isinstance(kept, Mapping) else {}


def _same(store: Store, plan: SweepPlan) -> SweepPlan:
    """The plan of a folder, which must say the same as ``plan``."""
    kept, began = _plan_in(store)
    if kept.hash != plan.hash:
        found = difference(kept.as_dict(), plan.as_dict())
        what = "another model" if kept.model_hash != plan.model_hash else "another sweep"
        raise StoreError(_refusal(store, what, found))
    _same_versions(store, began)
    return kept


def _same_versions(store: Store, began: Mapping[str, Any]) -> None:
    now = versions()
    changed = [
        f"{name} {began[name]} -> {now.get(name, 'none')}"
        for name in began
        if name != "python" and began[name] != now.get(name)
    ]
    if changed:
        raise StoreError(
            f"the sweep in {store.folder} was begun by other versions, and the last digits of its "
            f"numbers may differ: {'; '.join(changed)}; continue it where it was begun, or call "
            "resume with other_versions=True"
        )


def _refusal(store: Store, what: str, found: str) -> str:
    return (
        f"{store.folder} holds the results of {what} (- kept, + given); choose another folder, or "
        f"continue the one that is there with resume\n{found}"
    )


def _empty(store: Store) -> None:
    """Raises StoreError where a new sweep would land among other files."""
    others = sorted(path.name for path in store.folder.iterdir() if path.name != LOCK)
    if others:
        raise StoreError(
            f"{store.folder} holds no sweep and is not empty (there is {others[0]}); choose another "
            "folder"
        )
