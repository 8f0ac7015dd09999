"""The oracle: a system of equations as plain Python closures.

Slow and obvious on purpose. Every fast backend is tested against this file, so it has no cleverness
to share with them: one closure per node of an expression, one list of numbers (the *row*) with a
place for every name, arithmetic from ``kernel.ieee``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary
from flywheel.functions import TIME
from flywheel.kernel import ieee
from flywheel.kernel.faults import Fault, find_fault
from flywheel.kernel.interpolate import last_value, lookup_value, series_value
from flywheel.kernel.noise import draws
from flywheel.kernel.system import NUDGE, TIME_EARLY, TIME_LATE, Lookup, System

Row = list[float]
"""A number for every name of the system, by position."""
Closure = Callable[[Row], float]
Rates = Callable[[float, Sequence[float]], list[float]]
"""The rates of change at a time and a state."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stays as it was at the start of a step while a method looks around inside the step.

    ``pipelines`` are pairs of the value at ``time`` and the slope from there to the next step.
    ``series`` holds the values of the series declared with ``hold`` (zeros for the others).
    """

    time: float
    late: float
    early: float
    switches: tuple[float, ...] = ()
    series: tuple[float, ...] = ()
    noises: tuple[float, ...] = ()
    pipelines: tuple[tuple[float, float], ...] = ()


class Reference:
    """Computes a system by walking its expressions."""

    def __init__(self, system: System) -> None:
        self.system = system
        names = [
            TIME,
            TIME_LATE,
            TIME_EARLY,
            *system.inputs,
            *(s.name for s in system.switches),
            *(s.name for s in system.series),
            *(n.name for n in system.noises),
            *(p.name for p in system.pipelines),
            *(s.name for s in system.stocks),
            *(e.name for e in system.equations),
        ]
        self.position = {name: place for place, name in enumerate(names)}
        lookups = {lookup.name: lookup for lookup in system.lookups}

        def build(expr: Expr) -> Closure:
            return closure(expr, self.position, lookups)

        self._switches = [build(s.expr) for s in system.switches]
        self._equations = [(self.position[e.name], build(e.expr)) for e in system.equations]
        self._rates = [build(s.rate) for s in system.stocks]
        self._inputs_of_pipelines = [build(p.input) for p in system.pipelines]
        self._delays = [build(p.delay) for p in system.pipelines]
        at_start = {e.name: e.expr for e in system.equations}
        at_start |= {s.name: s.initial for s in system.stocks}
        at_start |= {p.name: p.initial for p in system.pipelines}
        self._initial = [
            (self.position[name], build(at_start[name])) for name in system.initial_order
        ]

    # At one moment ----------------------------------------------------------------------------

    def held(
        self,
        t: float,
        step: float,
        inputs: Sequence[float],
        noises: Sequence[float] = (),
        pipelines: Sequence[tuple[float, float]] = (),
    ) -> Held:
        """What is read at the start ``t`` of a step of length ``step`` and held over it.

        Noise and pipelines have a history, so the caller gives theirs (0 where it does not).
        """
        late, early = t + NUDGE * step, t - NUDGE * step
        noises = tuple(noises) or (0.0,) * len(self.system.noises)
        pipelines = tuple(pipelines) or ((0.0, 0.0),) * len(self.system.pipelines)
        switches = self.switches(late, early, inputs)
        series = tuple(
            last_value(s.times, s.values, late) if s.hold else 0.0 for s in self.system.series
        )
        return Held(t, late, early, switches, series, noises, pipelines)

    def switches(self, late: float, early: float, inputs: Sequence[float]) -> tuple[float, ...]:
        """The conditions on time, 1 or 0, a moment ``late`` and a moment ``early``."""
        row = self._blank()
        row[0], row[1], row[2] = late, late, early
        row[3 : 3 + len(inputs)] = inputs
        return tuple(switch(row) for switch in self._switches)

    def rates(
        self, t: float, y: Sequence[float], inputs: Sequence[float], held: Held
    ) -> list[float]:
        """The rates of change of the stocks, in their order."""
        return self._rates_of(self.row(t, y, inputs, held))

    def values(
        self, t: float, y: Sequence[float], inputs: Sequence[float], held: Held
    ) -> dict[str, float]:
        """Every name and its value."""
        row = self.row(t, y, inputs, held)
        return {name: row[place] for name, place in self.position.items()}

    def row(self, t: float, y: Sequence[float], inputs: Sequence[float], held: Held) -> Row:
        """All numbers at a time and a state, the equations computed in order."""
        row = self._frame(t, inputs, held)
        first = len(row) - len(self._equations) - len(self._rates)
        row[first : first + len(self._rates)] = y
        for place, equation in self._equations:
            row[place] = equation(row)
        return row

    def initial(
        self, inputs: Sequence[float], start: float, step: float, seed: int = 0, member: int = 0
    ) -> list[float]:
        """The stocks at the start of the run."""
        held = self.held(start, step, inputs, _row(self._noise(0, step, seed, member), 0))
        row = self.initial_row(start, inputs, held)
        return [row[self.position[s.name]] for s in self.system.stocks]

    def diagnose(
        self,
        t: float,
        y: Sequence[float],
        inputs: Sequence[float],
        held: Held,
        *,
        at_start: bool = False,
    ) -> Fault | None:
        """The first sub-expression that makes no finite number out of finite ones, if there is one.

        ``at_start`` looks into the initial values of the stocks as well.
        """
        return find_fault(self.system, self.values(t, y, inputs, held), t, at_start=at_start)

    def _rates_at(
        self, inputs: Sequence[float], held: Held, t: float, y: Sequence[float]
    ) -> list[float]:
        return self.rates(t, y, inputs, held)

    def _blank(self) -> Row:
        return [0.0] * len(self.position)

    def _rates_of(self, row: Row) -> list[float]:
        return [rate(row) for rate in self._rates]

    def _frame(self, t: float, inputs: Sequence[float], held: Held) -> Row:
        """A row with everything but stocks and equations filled in."""
        row = self._blank()
        at = 3 + len(inputs)
        row[0:at] = [t, held.late, held.early, *inputs]
        known = [
            *held.switches,
            *map(series_value, self.system.series, held.series, [t] * len(held.series)),
            *held.noises,
            *(value + slope * (t - held.time) for value, slope in held.pipelines),
        ]
        row[at : at + len(known)] = known
        return row

    def initial_row(self, start: float, inputs: Sequence[float], held: Held) -> Row:
        """The row at the start, stocks and pipelines at their initial values."""
        row = self._frame(start, inputs, held)
        for place, expression in self._initial:
            row[place] = expression(row)
        return row

    def _noise(self, steps: int, step: float, seed: int, member: int) -> NDArray[np.float64]:
        noises, model_step = self.system.noises, self.system.time.step
        # Without noise there is nothing to look up, however many steps there are.
        return draws(noises, seed, member, steps if noises else 0, step, model_step)

    # Over time --------------------------------------------------------------------------------

    def run(
        self,
        inputs: Sequence[float],
        *,
        method: str,
        start: float,
        step: float,
        steps: int,
        save_every: int,
        seed: int = 0,
        member: int = 0,
        names: Sequence[str],
    ) -> NDArray[np.float64]:
        """A trajectory with a fixed step: shape (steps // save_every + 1, len(names))."""
        saved = []
        places = [self.position[name] for name in names]
        moments = self.moments(
            inputs, method=method, start=start, step=step, steps=steps, seed=seed, member=member
        )
        for k, row in enumerate(moments):
            if k % save_every == 0:
                saved.append([row[place] for place in places])
        return np.array(saved, dtype=float).reshape(len(saved), len(places))

    def moments(
        self,
        inputs: Sequence[float],
        *,
        method: str,
        start: float,
        step: float,
        steps: int,
        seed: int = 0,
        member: int = 0,
    ) -> Iterator[Row]:
        """The row at the start of each step, ``steps + 1`` of them."""
        advance = METHODS[method]
        noise = self._noise(steps, step, seed, member)
        held = self.held(start, step, inputs, _row(noise, 0))
        first = self.initial_row(start, inputs, held)
        y = [first[self.position[s.name]] for s in self.system.stocks]
        lines = self.lines(first, step)
        for k in range(steps + 1):
            t = start + k * step
            flowing = [(line.at(k), 0.0) for line in lines]
            held = self.held(t, step, inputs, _row(noise, k), flowing)
            row = self.row(t, y, inputs, held)
            yield row
            if k == steps:
                return
            held = self.turn(lines, k, row, held, step)
            y = advance(partial(self._rates_at, inputs, held), t, y, step)

    def lines(self, first: Row, step: float) -> list[Line]:
        """The pipelines, empty, as the row at the start of the run asks for them."""
        return [
            Line(first[self.position[p.name]], stages(delay(first), step))
            for p, delay in zip(self.system.pipelines, self._delays, strict=True)
        ]

    def turn(self, lines: Sequence[Line], k: int, row: Row, held: Held, step: float) -> Held:
        """Lets the pipelines take in what enters at step k; ``held`` with their slopes over it."""
        for line, entering in zip(lines, self._inputs_of_pipelines, strict=True):
            line.entered.append(entering(row))
        slopes = tuple((line.at(k), (line.at(k + 1) - line.at(k)) / step) for line in lines)
        return replace(held, pipelines=slopes)


def _row(noise: NDArray[np.float64], k: int) -> list[float]:
    """The noise of step k as plain numbers."""
    return [float(x) for x in noise[k]] if noise.shape[1] else []


@dataclass
class Line:
    """A pipeline under way: ``stages`` steps long, with all that entered it."""

    initial: float
    stages: int
    entered: list[float] = field(default_factory=list)

    def at(self, k: int) -> float:
        """What comes out at the start of step k."""
        return self.initial if k < self.stages else self.entered[k - self.stages]


def stages(delay: float, step: float) -> int:
    """A delay in whole steps, at least one; NaN counts as one, an endless delay never ends."""
    steps = ieee.divide(delay, step)
    if steps == math.inf:
        return sys.maxsize
    return max(1, round(steps)) if math.isfinite(steps) else 1


# Methods ----------------------------------------------------------------------------------------


def euler(rates: Rates, t: float, y: list[float], h: float) -> list[float]:
    """One step of Euler's method."""
    return [a + h * b for a, b in zip(y, rates(t, y), strict=True)]


def rk4(rates: Rates, t: float, y: list[float], h: float) -> list[float]:
    """One step of the classical fourth-order Runge-Kutta method."""
    half = 0.5 * h
    k1 = rates(t, y)
    k2 = rates(t + half, [a + half * b for a, b in zip(y, k1, strict=True)])
    k3 = rates(t + half, [a + half * b for a, b in zip(y, k2, strict=True)])
    k4 = rates(t + h, [a + h * b for a, b in zip(y, k3, strict=True)])
    return [
        a + h / 6.0 * (b + 2.0 * c + 2.0 * d + e)
        for a, b, c, d, e in zip(y, k1, k2, k3, k4, strict=True)
    ]


METHODS: dict[str, Callable[[Rates, float, list[float], float], list[float]]] = {
    "euler": euler,
    "rk4": rk4,
}


# Expressions ------------------------------------------------------------------------------------


def closure(expr: Expr, position: Mapping[str, int], lookups: Mapping[str, Lookup]) -> Closure:
    """A function from a row to the value of an expression."""
    match expr:
        case Number(value=value):
            return lambda row: value
        case Name(name=name):
            place = position[name]
            return lambda row: row[place]
        case Unary(op=op, operand=operand):
            inner, unary = closure(operand, position, lookups), ieee.UNARY[op]
            return lambda row: unary(inner(row))
        case Binary(op=sign, left=left, right=right):
            binary = ieee.BINARY[sign]
            a, b = closure(left, position, lookups), closure(right, position, lookups)
            return lambda row: binary(a(row), b(row))
        case Call(function=function, args=args):
            parts = [closure(arg, position, lookups) for arg in args]
            if function in lookups:
                table, point = lookups[function], parts[0]
                return lambda row: lookup_value(table, point(row))
            apply = ieee.FUNCTIONS[function]
            return lambda row: apply(*[part(row) for part in parts])


def evaluate(
    expr: Expr, values: Mapping[str, float], lookups: Mapping[str, Lookup] | None = None
) -> float:
    """The value of one expression, its names read from ``values``."""
    position = {name: place for place, name in enumerate(values)}
    return closure(expr, position, lookups or {})(list(values.values()))
