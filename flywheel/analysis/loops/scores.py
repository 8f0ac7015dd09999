"""Loops That Matter: how much of a change each link and each loop carries, at every moment.

A link's score is the part of its target's change that it explains, a loop's score the product of its
links' scores, a loop's share that score beside those of all loops it competes with.

Schoenberg, Davidsen and Eberlein (2020), "Understanding model behavior using the Loops that Matter
method", System Dynamics Review 36(2), 158-190; Schoenberg, Hayward and Eberlein (2023), "Improving Loops
that Matter", System Dynamics Review 39(2), 140-151: flows are scored by the change of the net flow.

Conventions. The papers change one input first (new x, old others); Stella's own numbers are those of
changing it last (new others, old x), which is the default. ``shapley`` is the mean of the two.
``continuous`` is the limit of small steps, by exact slopes: no step, no label, no rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.trajectory import NOISE_FLOOR, Trajectory
from flywheel.errors import UsageError
from flywheel.functions import TIME
from flywheel.kernel import vectorised
from flywheel.kernel.system import Series

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.int64]
Convention = Literal["last", "first", "shapley", "continuous"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)
_CHUNK = 4_000_000
"""Numbers that are worked on at a time when there are many loops."""


def link_scores(path: Trajectory, convention: str = "last", rows: Rows | None = None) -> Array:
    """The score of every link of the structure, in its order, shape (links, rows).

    ``rows`` are steps of the trajectory (by default the saved times). Discrete scores look one step
    back, so those of the first step are 0. A score that is no finite number (an equation that fails
    with mixed old and new inputs) is 0: it explains nothing.

    Raises UsageError for an unknown convention.
    """
    if convention not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise UsageError(f"there is no convention {convention!r}; there are {known}")
    chosen = path.saves if rows is None else rows
    if convention == "continuous":
        return _continuous(path, chosen)
    now, before = chosen, np.maximum(chosen - 1, 0)
    if convention == "shapley":
        found = (_discrete(path, now, before, last=True) + _discrete(path, now, before)) / 2
    else:
        found = _discrete(path, now, before, last=convention == "last")
    return found


# Discrete ----------------------------------------------------------------------------------------


class _Moments(dict[int, Array]):
    """The values of the graph's nodes at some rows, taken when they are asked for."""

    def __init__(self, memory: Mapping[int, Array], rows: Rows | None) -> None:
        super().__init__()
        self._memory, self._rows = memory, rows

    def __missing__(self, node: int) -> Array:
        value = self._memory[node]
        if self._rows is not None and np.ndim(value):
            value = value[self._rows]
            self[node] = value
        return value


def _discrete(path: Trajectory, now: Rows, before: Rows, last: bool = False) -> Array:
    """New others with the old x (``last``), or the new x with old others.

    A Runge-Kutta step sees no event that sets in as it ends, and neither does its score (so it is in
    Stella's file with a ``STEP``); with Euler's method values are compared as they stand.
    """
    shape, formulas = path.structure, path.formulas
    graph, lookups = formulas.graph, formulas.lookups
    ends = path if path.method == "euler" else path.ends
    new, old = _Moments(ends.memory, now), _Moments(path.memory, before)
    base, other = (new, old) if last else (old, new)
    found = np.zeros((len(shape.links), len(now)))
    scales = {n: np.maximum(s[now], s[before]) for n, s in path.scales.items()}
    changes = _changes(path, ends, now, before, scales)
    for place, link in enumerate(shape.links):
        change = changes[link.target]
        if link.kind == "material":
            found[place] = link.sign * np.abs(_ratio(changes[link.source], change))
        elif link.target in path.entering:
            found[place] = change != 0
        else:
            leaf, root = formulas.leaves[link.source], formulas.roots[link.target]
            moved = _Moments(base, None)
            moved[leaf] = other[leaf]
            order = vectorised.downstream(graph, formulas.orders[link.target], leaf)
            with np.errstate(all="ignore"):
                vectorised.compute(graph, order, moved, lookups)
                own = base[root] - moved[root] if last else moved[root] - base[root]
            own = _quiet(own, scales[link.target])
            direction = np.sign(other[leaf] - base[leaf]) * (-1.0 if last else 1.0)
            score = np.abs(_ratio(own, change)) * np.sign(own) * direction
            found[place] = np.where(np.isfinite(score), score, 0.0)
    return found


def _changes(
    path: Trajectory, ends: Trajectory, now: Rows, before: Rows, scales: Mapping[str, Array]
) -> dict[str, Array]:
    """The change of every node over a step, 0 where it is rounding; of a stock that of its net flow."""
    found = {}
    for name in path.structure.nodes:
        if name in path.structure.rates:
            change = ends.rates[name][now] - path.rates[name][before]
            found[name] = _quiet(change, scales[f"{name}'"])
        else:
            change = ends.value(name)[now] - path.value(name)[before]
            found[name] = _quiet(change, scales[name])
    return found


def _quiet(change: Array, scale: Array) -> Array:
    """Changes that are no more than rounding of numbers of that size count as none."""
    return np.where(np.abs(change) <= NOISE_FLOOR * scale, 0.0, change)


def _ratio(part: Array, whole: Array) -> Array:
    """part / whole, 0 where the whole does not change."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole != 0)


# Continuous --------------------------------------------------------------------------------------


def velocities(path: Trajectory) -> tuple[dict[str, Array], dict[str, Array]]:
    """d/dt of every node and of what comes from outside, by the chain rule; each of shape (K,).

    Also the size that rounding of each is relative to. Data run along their straight pieces to the
    right; switches, noise and held data stand still between their jumps.
    """
    shape, system = path.structure, path.structure.system
    still = np.zeros(len(path.times))
    found: dict[str, Array] = {TIME: np.ones(len(path.times))}
    for series in system.series:
        found[series.name] = _pace(series, path.times)
    for name in shape.pipelines:
        steps = np.diff(path.value(name)) / path.grid.step
        found[name] = np.append(steps, steps[-1:]) if len(steps) else still
    scales = {name: np.abs(speed) for name, speed in found.items()}
    found |= path.rates
    scales |= {stock: path.scales[f"{stock}'"] for stock in shape.stocks}
    for name in shape.equations:
        slopes = {n: slope for n, slope in path.slopes(name).items() if n in found}
        with np.errstate(all="ignore"):
            parts = [np.where(found[n] == 0, 0.0, slope * found[n]) for n, slope in slopes.items()]
            sizes = [np.abs(slope) * scales[n] for n, slope in slopes.items()]
        whole = still + sum(sizes)
        scales[name] = np.where(np.isfinite(whole), whole, 0.0)
        found[name] = _quiet(still + sum(parts), scales[name])
    return found, scales


def _pace(series: Series, times: Array) -> Array:
    if series.hold:
        return np.zeros(len(times))
    return vectorised.slope(series.times, series.values, False, times)


def _continuous(path: Trajectory, rows: Rows) -> Array:
    shape = path.structure
    moving, scales = velocities(path)
    still = np.zeros(len(path.times))
    bending = {}
    for stock, terms in shape.rates.items():
        known = {n: k for n, k in terms.items() if n in moving}
        scale = still + sum(abs(k) * scales[n] for n, k in known.items())
        bending[stock] = _quiet(still + sum(k * moving[n] for n, k in known.items()), scale)
    found = np.zeros((len(shape.links), len(rows)))
    for place, link in enumerate(shape.links):
        speed = moving[link.source][rows]
        if link.kind == "material":
            found[place] = link.sign * np.abs(_ratio(speed, bending[link.target][rows]))
        elif link.target in path.entering:
            found[place] = moving[link.target][rows] != 0
        else:
            slope = path.slopes(link.target).get(link.source)
            if slope is None:
                continue
            slope = np.broadcast_to(slope, path.times.shape)[rows]
            with np.errstate(all="ignore"):
                score = slope * np.abs(_ratio(speed, moving[link.target][rows]))
            found[place] = np.where(np.isfinite(score), score, 0.0)
    return found
