"""Where along a line of wrong assumptions another choice becomes the best one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.levers.paths import Array

POINTS = 6
"""Grid points from the nominal value to each end of a range."""
_BISECTIONS = 24

Evaluate = Callable[[NDArray[np.intp], Array], Array]
"""From which parameter is moved (K,) and to what value (K,) to the worth of each choice (K, L)."""


@dataclass(frozen=True, eq=False)
class Crossings:
    """Per parameter and direction (P, 2), first down then up, the nearest value that flips the choice.

    ``at`` is NaN where none was found within the range; ``winner`` is then −1. ``lost`` counts the
    grid points at which no choice had a value: nothing is known about them.
    """

    best: int
    at: Array
    winner: NDArray[np.int_]
    lost: NDArray[np.int_]


def crossings(
    evaluate: Evaluate, nominal: Array, low: Array, high: Array, *, points: int = POINTS
) -> Crossings:
    """The smallest moves of one parameter at a time, down or up, that put another choice first.

    ``nominal``, ``low`` and ``high`` (P,). A grid to each end finds the first change, bisection where
    it happens, all parameters together in each call. A flip and a flip back between two neighbouring
    grid points are not seen. Choices with NaN take no part; equal ones go to the first.
    """
    count = len(nominal)
    best = int(_leaders(evaluate(np.zeros(1, dtype=np.intp), nominal[:1]))[0])
    found = np.full((count, 2), np.nan)
    winner = np.full((count, 2), -1)
    lost = np.zeros((count, 2), dtype=int)
    if best < 0 or count == 0:
        return Crossings(best, found, winner, lost)
    ends = np.stack([low, high], axis=1)
    steps = np.arange(1, points + 1) / points
    grid = nominal[:, None, None] + (ends - nominal[:, None])[..., None] * steps
    which = np.broadcast_to(np.arange(count)[:, None, None], grid.shape)
    leaders = _leaders(evaluate(which.ravel(), grid.ravel())).reshape(grid.shape)
    moved = (ends != nominal[:, None])[..., None]
    lost += np.sum((leaders < 0) & moved, axis=2)
    other = (leaders >= 0) & (leaders != best) & moved
    turns = other.any(axis=2)
    if not turns.any():
        return Crossings(best, found, winner, lost)
    params, sides = np.nonzero(turns)
    first = other.argmax(axis=2)[turns]
    outside = grid[params, sides, first]
    inside = np.where(first > 0, grid[params, sides, np.maximum(first - 1, 0)], nominal[params])
    taken = leaders[params, sides, first]
    for _ in range(_BISECTIONS):
        middle = 0.5 * (inside + outside)
        leader = _leaders(evaluate(params, middle))
        stays = (leader == best) | (leader < 0)
        inside, outside = np.where(stays, middle, inside), np.where(stays, outside, middle)
        taken = np.where(stays, taken, leader)
    found[params, sides] = outside
    winner[params, sides] = taken
    return Crossings(best, found, winner, lost)


def _leaders(worth: Array) -> NDArray[np.int_]:
    """(K,) the best choice of each row; −1 where none has a value."""
    known = np.isfinite(worth)
    leader = np.where(known, worth, -np.inf).argmax(axis=1)
    return np.where(known.any(axis=1), leader, -1)
