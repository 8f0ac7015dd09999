"""The times at which a smooth solver must stop and start again: where the equations change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from flywheel.expr import Call, Expr, Name, walk
from flywheel.functions import TIME
from flywheel.kernel.reference import Reference
from flywheel.kernel.system import NUDGE, System
from flywheel.solve.grid import Grid

_MERGED = 1e-9
"""In steps: times nearer than this are one."""


def stop_times(
    reference: Reference,
    inputs: Sequence[float],
    grid: Grid,
    tick: Callable[[float], None] = lambda t: None,
) -> list[float]:
    """Where segments begin and end, the run's start and stop included, ascending.

    ``tick`` is called now and then, and may raise to give up.

    Conditions on time are looked at on the grid of steps, so two flips of one condition inside one
    step are not seen, just as a fixed-step method would not see them.
    """
    system = reference.system
    found = [*_flips(reference, inputs, grid, tick), *_knots(system)]
    if system.pipelines or system.noises:
        found += [grid.start + k * grid.step for k in range(1, grid.steps)]
    return _merged(found, grid)


def _merged(times: Iterable[float], grid: Grid) -> list[float]:
    gap = _MERGED * grid.step
    merged = [grid.start]
    for t in sorted(_on_grid(t, grid) for t in times if grid.start < t < grid.stop):
        if t > merged[-1] + gap and t < grid.stop - gap:
            merged.append(t)
    return [*merged, grid.stop]


def _on_grid(t: float, grid: Grid) -> float:
    """A time a rounding error away from a grid time is that grid time."""
    steps = (t - grid.start) / grid.step
    return grid.start + round(steps) * grid.step if abs(steps - round(steps)) <= NUDGE else t


def _flips(
    reference: Reference, inputs: Sequence[float], grid: Grid, tick: Callable[[float], None]
) -> list[float]:
    """The times at which a condition on time changes, each found by bisection."""
    if not reference.system.switches:
        return []

    def at(t: float) -> tuple[float, ...]:
        return reference.switches(t, t, inputs)

    found: list[float] = []
    before, old = grid.start, at(grid.start)
    for k in range(1, grid.steps + 1):
        now = grid.start + k * grid.step
        new = at(now)
        if k % 256 == 0:
            tick(now)
        if new != old:
            for place, (a, b) in enumerate(zip(old, new, strict=True)):
                if a != b:
                    found.append(_bisect(at, place, before, now, a))
        before, old = now, new
    return found


def _bisect(
    values: Callable[[float], tuple[float, ...]],
    place: int,
    low: float,
    high: float,
    before: float,
) -> float:
    """The first time, to the last bits, at which value ``place`` is not ``before`` any more."""
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        if values(middle)[place] == before:
            low = middle
        else:
            high = middle


def _knots(system: System) -> list[float]:
    """Where series and tables of time have their corners."""
    found = [t for series in system.series for t in series.times]
    lookups = {lookup.name: lookup for lookup in system.lookups}
    for expr in _exprs(system):
        for node in walk(expr):
            if isinstance(node, Call) and node.function in lookups:
                point = node.args[0]
                if isinstance(point, Name) and point.name == TIME:
                    found.extend(lookups[node.function].xs)
    return found


def _exprs(system: System) -> Iterable[Expr]:
    yield from (equation.expr for equation in system.equations)
    yield from (stock.rate for stock in system.stocks)
