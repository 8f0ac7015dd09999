"""The right-hand side for adaptive solvers: machine code where there is some, else the reference."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.interpolate import series_value
from flywheel.kernel.ir import Program, lower
from flywheel.kernel.reference import Held, Reference
from flywheel.kernel.system import System
from flywheel.solve import engines

if TYPE_CHECKING:
    from flywheel.kernel.llvm import RatesKernel

Array = NDArray[np.float64]


class Slopes(Protocol):
    """The rates of one run. ``hold`` says what stays as it is until the next stop time."""

    def hold(self, held: Held) -> None:
        """Fix switches, noise, series that jump, and the course of the pipelines."""
        ...

    def __call__(self, t: float, y: Array) -> Array:
        """The rates of change of the stocks, a new array."""
        ...


class ReferenceSlopes:
    """The slow, obvious one."""

    def __init__(self, reference: Reference, inputs: Sequence[float], held: Held) -> None:
        self._reference = reference
        self._inputs = inputs
        self._held = held

    def hold(self, held: Held) -> None:
        self._held = held

    def __call__(self, t: float, y: Array) -> Array:
        return np.array(self._reference.rates(t, y.tolist(), self._inputs, self._held))


class CompiledSlopes:
    """Machine code; what is held stands in arrays that it reads at every call."""

    def __init__(
        self, system: System, kernel: RatesKernel, inputs: Sequence[float], held: Held
    ) -> None:
        own = {series.name: place for place, series in enumerate(system.series)}
        read = [own[name] for name in kernel.program.series]
        self._series = [(n, place, system.series[place]) for n, place in enumerate(read)]
        self._pipelines = range(len(system.pipelines))
        self._switches = np.zeros(max(1, len(system.switches)))
        self._now = np.zeros(max(1, len(read)))
        self._noise = np.zeros(max(1, len(system.noises)))
        self._pipes = np.zeros(max(1, len(system.pipelines)))
        self._rates = np.zeros(max(1, len(system.stocks)))
        self._unused = np.zeros(1)
        self._start = system.time.start
        self._call = kernel.bind(
            np.array([*inputs, 0.0]), self._switches, self._now, self._noise, self._pipes
        )
        self._count = len(system.stocks)
        self.hold(held)

    def hold(self, held: Held) -> None:
        self._held = held
        self._switches[: len(held.switches)] = held.switches
        self._noise[: len(held.noises)] = held.noises

    def __call__(self, t: float, y: Array) -> Array:
        held = self._held
        for n, place, series in self._series:
            self._now[n] = series_value(series, held.series[place], t)
        for place in self._pipelines:
            value, slope = held.pipelines[place]
            self._pipes[place] = value + slope * (t - held.time)
        state = np.ascontiguousarray(y, dtype=np.float64)
        self._call(t, state, self._rates, self._unused, False, self._start, 1.0)
        return self._rates[: self._count].copy()


class RatesEngine:
    """Makes the slopes of a system's runs, by the best means there is when a run begins."""

    def __init__(self, system: System, reference: Reference) -> None:
        self._system = system
        self._reference = reference
        self._kernel: Future[RatesKernel] | None = None
        if not engines.has_compiler() or not system.stocks:
            return
        program = lower(system, [s.name for s in system.stocks], external_switches=True)
        # All stocks are asked for, so that the program's states are the system's.
        if program.operations > engines.BACKGROUND_ABOVE:
            self._kernel = engines.workshop().submit(_compile, program)
        else:
            self._kernel = Future()
            self._kernel.set_result(_compile(program))

    def slopes(self, inputs: Sequence[float], held: Held) -> Slopes:
        """The rates of a run with these inputs."""
        kernel = self._kernel
        if kernel is None or not kernel.done() or not engines.compiled(kernel):
            return ReferenceSlopes(self._reference, inputs, held)
        return CompiledSlopes(self._system, kernel.result(), inputs, held)


def _compile(program: Program) -> RatesKernel:
    from flywheel.kernel.llvm import compile_rates

    return compile_rates(program)
