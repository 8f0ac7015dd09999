"""What turns a system into trajectories: machine code where there is some, else the reference.

A system of many operations takes a while to compile. It answers from the reference at once, is
compiled beside it in a thread, and changes over when the code is there.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from time import monotonic
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.expr import Expr, Name, Number, walk
from flywheel.kernel.reference import Reference
from flywheel.kernel.system import System
from flywheel.solve.grid import Grid

BACKGROUND_ABOVE = 500
"""Operations above which a system is compiled in the background."""
_KERNELS_KEPT = 64


@dataclass(frozen=True)
class Trajectories:
    """``values`` of shape (members, saves, names); of each member ``reached`` rows were computed
    before the deadline."""

    values: NDArray[np.float64]
    reached: int


class FixedEngine(Protocol):
    """Computes a system with one fixed-step method."""

    @property
    def name(self) -> str:
        """``llvm`` or ``reference``: what would answer now."""
        ...

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        """Runs one member per row of ``inputs`` (members, inputs), noise keyed by its number.

        ``deadline`` is a value of ``time.monotonic``; rows not reached by then are NaN.
        """
        ...


class ReferenceEngine:
    """The slow, obvious one."""

    name = "reference"

    def __init__(self, system: System, names: Sequence[str], method: str) -> None:
        self._reference = Reference(system)
        self._places = [self._reference.position[name] for name in names]
        self._method = method

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        values = np.full((len(inputs), grid.saves, len(self._places)), np.nan)
        reached = grid.saves
        for member, row in enumerate(inputs):
            moments = self._reference.moments(
                [float(x) for x in row],
                method=self._method,
                start=grid.start,
                step=grid.step,
                steps=grid.steps,
                seed=seed,
                member=first_member + member,
            )
            for k, moment in enumerate(moments):
                if k % grid.save_every == 0:
                    values[member, k // grid.save_every] = [moment[p] for p in self._places]
                if deadline is not None and monotonic() > deadline:
                    reached = min(reached, k // grid.save_every + 1)
                    break
        return Trajectories(values, reached)


class Upgrading:
    """Answers from one engine until a better one, made in another thread, is there."""

    def __init__(self, now: FixedEngine, better: Future[FixedEngine]) -> None:
        self._engine = now
        self._better: Future[FixedEngine] | None = better

    @property
    def name(self) -> str:
        return self._current().name

    def _current(self) -> FixedEngine:
        better = self._better
        if better is not None and better.done():
            # A system that cannot be compiled stays with the reference.
            if better.exception() is None:
                self._engine = better.result()
            self._better = None
        return self._engine

    def run(
        self,
        inputs: NDArray[np.float64],
        grid: Grid,
        *,
        seed: int = 0,
        first_member: int = 0,
        deadline: float | None = None,
    ) -> Trajectories:
        return self._current().run(
            inputs, grid, seed=seed, first_member=first_member, deadline=deadline
        )


def fixed_engine(
    system: System, names: tuple[str, ...], method: str, *, prefer: str | None = None
) -> FixedEngine:
    """The engine for a system, the names to save and a fixed-step method.

    ``prefer`` asks for ``llvm`` (compiled before it returns, whatever its size) or ``reference``;
    None takes the best there is.
    """
    compiler = None if prefer == "reference" else _compiler()
    if compiler is None:
        return ReferenceEngine(system, names, method)
    make, target = compiler
    where = (structure_hash(system), names, method, target)
    kept = _KEPT.get(where)
    if kept is not None:
        return kept

    def build() -> FixedEngine:
        engine = make(system, names, method)
        _KEPT.put(where, engine)
        return engine

    if prefer is None and operations(system) > BACKGROUND_ABOVE:
        return Upgrading(ReferenceEngine(system, names, method), _workshop().submit(build))
    return build()


def operations(system: System) -> int:
    """How much there is to compute at one moment: nodes of the equations that are not leaves."""
    exprs: list[Expr] = [e.expr for e in system.equations]
    exprs += [s.rate for s in system.stocks]
    return sum(not isinstance(node, Number | Name) for expr in exprs for node in walk(expr))


def structure_hash(system: System) -> str:
    """What the equations say, whatever the numbers put into them: SHA-256 of all but the defaults."""
    plain = dataclasses.replace(system, defaults=())
    return hashlib.sha256(repr(plain).encode()).hexdigest()


class _Kept:
    """The engines used last, shared by all threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._engines: OrderedDict[tuple[object, ...], FixedEngine] = OrderedDict()

    def get(self, where: tuple[object, ...]) -> FixedEngine | None:
        with self._lock:
            if where in self._engines:
                self._engines.move_to_end(where)
            return self._engines.get(where)

    def put(self, where: tuple[object, ...], engine: FixedEngine) -> None:
        with self._lock:
            self._engines[where] = engine
            while len(self._engines) > self._most:
                self._engines.popitem(last=False)


_KEPT = _Kept(_KERNELS_KEPT)

Compiler = tuple[Callable[[System, tuple[str, ...], str], FixedEngine], tuple[object, ...]]


@lru_cache(maxsize=1)
def _compiler() -> Compiler | None:
    """How to make machine code here, and for which machine; None where nothing can."""
    return None


@lru_cache(maxsize=1)
def _workshop() -> ThreadPoolExecutor:
    """One thread that compiles."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="flywheel-compile")
