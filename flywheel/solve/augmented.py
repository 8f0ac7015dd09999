"""The equations with their tangents as one right-hand side, for solvers that choose their own steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel import vectorised
from flywheel.kernel.derivative import forward
from flywheel.kernel.interpolate import last_value, series_value
from flywheel.kernel.ir import Graph, Program, lower
from flywheel.kernel.reference import Held
from flywheel.kernel.system import NUDGE, Series, System
from flywheel.kernel.tangent import tangent_program
from flywheel.solve.conditions import Condition

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen at one moment: ``values`` (V,) of the columns, ``moves`` (slots, V) their tangents;
    of each condition the ``gap`` left - right (K,), its rate ``speed`` along the run (K,), its tangents
    ``shifts`` (slots, K), and the ``size`` |left| + |right| that rounding is measured by (K,)."""

    values: Array
    moves: Array
    gap: Array
    speed: Array
    shifts: Array
    size: Array


class Augmented:
    """States and ``slots`` tangents of each, in machine code.

    A full state has the n states, then per slot their n tangents. ``sides`` (K,) are the conditions'
    inputs, changed in place; ``hold`` sets what stays until the next stop time.
    """

    def __init__(
        self,
        system: System,
        conditions: Sequence[Condition],
        columns: Sequence[str],
        slots: int,
    ) -> None:
        from flywheel.kernel.llvm import compile_rates

        lefts, rights = [c.left for c in conditions], [c.right for c in conditions]
        program = _with_a_state(lower(system, (*columns, *lefts, *rights), external_switches=True))
        self.states = program.states
        self.slots = slots
        self._columns, self._conditions = len(columns), len(conditions)
        self._seen = self._columns + 2 * self._conditions
        width = len(program.inputs)
        by_name = {one.name: (place, one) for place, one in enumerate(system.series)}
        self._series = [by_name[name] for name in program.series]
        self._inputs = np.zeros(width * (slots + 1) + len(self._series) + 1)
        self.sides = self._inputs[width - self._conditions : width]
        self._directions = self._inputs[width : width * (slots + 1)]
        self._width = width
        self._slopes = self._inputs[width * (slots + 1) :]
        kernel = compile_rates(_augmented(program, slots, self._columns))
        self._held = Held(0.0, 0.0, 0.0)
        self._switches = np.zeros(len(system.switches) + 1)
        self._now = np.zeros(len(self._series) + 1)
        self._rates = np.zeros(len(self.states) * (slots + 1))
        self._out = np.zeros(self._seen * (slots + 1) + 2 * self._conditions + 1)
        self._start = system.time.start
        none = np.zeros(1)
        self._call = kernel.bind(self._inputs, self._switches, self._now, none, none)

    def give(self, inputs: Array, directions: Array) -> None:
        """The inputs (P,) of a run without its sides, and a direction in their space per slot."""
        self._inputs[: len(inputs)] = inputs
        self._directions.reshape(self.slots, self._width)[:, : len(inputs)] = directions

    def hold(self, held: Held, t: float) -> None:
        """Keep switches and series that jump as they are; series have their slopes at ``t``."""
        self._held = held
        self._switches[: len(held.switches)] = held.switches
        for n, (_, series) in enumerate(self._series):
            self._slopes[n] = _slope(series, t)

    def rates(self, t: float, full: Array) -> Array:
        """The rates of change of a full state, a new array."""
        self._read_series(t)
        state = np.ascontiguousarray(full, dtype=np.float64)
        self._call(t, state, self._rates, self._out, False, self._start, 1.0)
        return self._rates.copy()

    def look(self, t: float, full: Array) -> Look:
        """Columns and conditions at a full state."""
        self._read_series(t)
        state = np.ascontiguousarray(full, dtype=np.float64)
        self._call(t, state, self._rates, self._out, True, self._start, 1.0)
        out, seen, v, k = self._out.copy(), self._seen, self._columns, self._conditions
        moves = out[seen : seen * (self.slots + 1)].reshape(self.slots, seen)
        speeds = out[seen * (self.slots + 1) :]
        left, right = out[v : v + k], out[v + k : seen]
        return Look(
            values=out[:v],
            moves=moves[:, :v],
            gap=left - right,
            speed=speeds[:k] - speeds[k : 2 * k],
            shifts=moves[:, v : v + k] - moves[:, v + k :],
            size=np.abs(left) + np.abs(right),
        )

    def jacobian(self, t: float, full: Array) -> Array:
        """The derivative of the states' rates to the states, (n, n): exact, as so many tangents."""
        n, slots = len(self.states), self.slots
        found = np.empty((n, n))
        kept = self._directions.copy()
        self._directions[:] = 0.0
        state = np.zeros(n * (slots + 1))
        state[:n] = full[:n]
        for first in range(0, n, slots):
            some = min(slots, n - first)
            state[n:] = 0.0
            for slot in range(some):
                state[n * (slot + 1) + first + slot] = 1.0
            columns = self.rates(t, state)[n:].reshape(slots, n)
            found[:, first : first + some] = columns[:some].T
        self._directions[:] = kept
        return found

    def _read_series(self, t: float) -> None:
        for n, (place, series) in enumerate(self._series):
            self._now[n] = series_value(series, self._held.series[place], t)


def starting(
    system: System,
    states: Sequence[str],
    inputs: Array,
    directions: Array,
    start: float,
    step: float,
) -> tuple[Array, Array]:
    """Initial values (n,) of the states and their tangents (D, n) along directions (D, P)."""
    known = {stock.name for stock in system.stocks}
    program = lower(system, [name for name in states if name in known])
    old, width = program.graph, len(program.inputs)
    graph = Graph(list(old.nodes), list(old.paces), dict(old._known))
    read = [int(node.data or 0) for node in old.nodes if node.op == "input"]
    seeds = {graph.intern("input", (), n): graph.intern("input", (), width + n) for n in read}
    tangents = forward(graph, seeds, program.initials)
    series = {one.name: one for one in system.series}
    values: dict[int, Array] = {}
    for place, node in enumerate(graph.nodes):
        if node.op == "input":
            n = int(node.data or 0)
            values[place] = np.asarray(inputs[n] if n < width else directions[:, n - width])
        elif node.op in ("start", "dt"):
            values[place] = np.asarray(start if node.op == "start" else step)
        elif node.op == "series0":
            one = series[program.series[int(node.data or 0)]]
            late = last_value(one.times, one.values, start + NUDGE * step)
            values[place] = np.asarray(series_value(one, late, start))
    roots = [*program.initials, *tangents.values()]
    order = vectorised.schedule(graph, roots, values)
    vectorised.compute(graph, order, values, program.lookups)
    places = {name: n for n, name in enumerate(states)}
    first, moved = np.zeros(len(states)), np.zeros((len(directions), len(states)))
    for name, node_ in zip(program.states, program.initials, strict=True):
        if name in places:
            first[places[name]] = values[node_]
            if node_ in tangents:
                moved[:, places[name]] = values[tangents[node_]]
    return first, moved


def _augmented(program: Program, slots: int, columns: int) -> Program:
    """The tangent program that also gives the outputs themselves, and the rates at which those after
    the first ``columns`` change along the run (series have their slopes as the last inputs)."""
    moved = tangent_program(program, slots)
    graph = moved.graph
    slopes = len(program.inputs) * (slots + 1)
    seeds: dict[int, int] = {}
    for place, node in enumerate(program.graph.nodes):
        match node.op:
            case "state":
                seeds[place] = program.rates[int(node.data or 0)]
            case "time":
                seeds[place] = graph.const(1.0)
            case "series":
                seeds[place] = graph.intern("input", (), slopes + int(node.data or 0))
    sides = program.outputs[columns:]
    speeds = forward(graph, seeds, sides)
    zero = graph.const(0.0)
    along = tuple(speeds.get(node, zero) for node in sides)
    return replace(moved, outputs=(*program.outputs, *moved.outputs, *along))


def _with_a_state(program: Program) -> Program:
    """Solvers want something to solve: a program without states gets one that stays at 0."""
    if program.states:
        return program
    zero = (program.graph.const(0.0),)
    return replace(program, states=("@none",), initials=zero, rates=zero)


def _slope(series: Series, t: float) -> float:
    """The slope of a series at a time inside one of its pieces."""
    times, values = series.times, series.values
    if series.hold or not times[0] < t < times[-1]:
        return 0.0
    right = int(np.searchsorted(times, t, side="right"))
    width = times[right] - times[right - 1]
    return (values[right] - values[right - 1]) / width if width > 0 else math.nan
