"""Piecewise linear paths over time: their sign changes, integrals, and internal rates of return.

A saved run is known at its saves; between them it is taken as straight. On straight pieces every
integral here is exact, discounting included, so that a pay-back time does not depend on how fine the
saves happen to lie beside a crossing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_SERIES_BELOW = 0.5
_SERIES_TERMS = 18
_BISECTIONS = 60
_RATES = 512
"""Rates at which a present value is looked at when it may have several roots."""
_SLOWEST, _FASTEST = -10.0, 1000.0
"""The rates searched, times the length of the path: growth by e^10, and a thousandth of the path."""


def ramps(x: Array) -> tuple[Array, Array]:
    """Integrals over u in (0, 1) of (1 − u) e^(−x u) and of u e^(−x u), elementwise.

    Near x = 0 the closed forms lose all digits; there the series takes over.
    """
    small = np.abs(x) < _SERIES_BELOW
    near = np.where(small, x, 0.0)
    falling, rising = np.zeros_like(near), np.zeros_like(near)
    term = np.full_like(near, 0.5)
    for k in range(_SERIES_TERMS):
        falling += term
        rising += (k + 1) * term
        term = term * -near / (k + 3)
    far = np.where(small, 1.0, x)
    fade = np.exp(-far)
    return (
        np.where(small, falling, (far - 1.0 + fade) / far**2),
        np.where(small, rising, (1.0 - (1.0 + far) * fade) / far**2),
    )


def weights(times: Array, rate: float | Array) -> Array:
    """What each node of a straight-piece path weighs in its discounted integral.

    ``times`` (T,), ``rate`` a number or (R,): gives (T,) or (T, R). The integral of the path with
    values d is ``d @ weights``; discounting goes back to time 0 of ``times``.
    """
    rates = np.atleast_1d(np.asarray(rate, dtype=float))
    width = np.diff(times)[:, None]
    falling, rising = ramps(width * rates)
    fade = width * np.exp(-times[:-1, None] * rates)
    found = np.zeros((len(times), len(rates)))
    found[:-1] += fade * falling
    found[1:] += fade * rising
    return found[:, 0] if np.ndim(rate) == 0 else found


@dataclass(frozen=True, eq=False)
class Path:
    """Paths of M members with a node at every save and at every zero crossing.

    ``times``, ``values`` and ``worth`` (the discounted integral so far) have shape (M, N). Where an
    interval has no crossing its extra node is the middle, so that all members have N nodes.
    """

    times: Array
    values: Array
    worth: Array
    rate: float

    @property
    def steps(self) -> Array:
        """The discounted integral of each piece, (M, N − 1); no piece changes its sign."""
        return np.diff(self.worth, axis=1)

    def worth_at(self, moments: Array) -> Array:
        """The discounted integral up to each of ``moments``: (M, K) from (K,), exact inside pieces."""
        found = np.empty((len(self.times), len(moments)))
        for member, nodes in enumerate(self.times):
            piece = np.clip(np.searchsorted(nodes, moments, side="right") - 1, 0, nodes.size - 2)
            found[member] = self.worth[member, piece] + self._part(member, piece, moments)
        return found

    def _part(self, member: int | Places, piece: Places, moments: Array) -> Array:
        """The integral from the start of a piece to a moment within it."""
        begin, end = self.times[member, piece], self.times[member, piece + 1]
        first, last = self.values[member, piece], self.values[member, piece + 1]
        part = moments - begin
        width = end - begin
        there = first + (last - first) * np.divide(part, width, where=width > 0, out=0.0 * width)
        falling, rising = ramps(self.rate * part)
        value: Array = np.exp(-self.rate * begin) * part * (first * falling + there * rising)
        return value

    def last_repaid(self, slack: Array) -> Array:
        """(M,) when the discounted integral leaves negative values for the last time.

        0 where it is never below −``slack``, infinity where it still is at the end.
        """
        members = np.arange(len(self.times))
        owed = self.worth < -slack[:, None]
        ever = owed.any(axis=1)
        last = self.worth.shape[1] - 1 - np.argmax(owed[:, ::-1], axis=1)
        final = last == self.worth.shape[1] - 1
        piece = np.minimum(last, self.worth.shape[1] - 2)
        low, high = self.times[members, piece], self.times[members, piece + 1]
        # The piece keeps its sign, so the integral rises through zero once in it.
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            below = self.worth[members, piece] + self._part(members, piece, middle) < 0
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.where(ever, np.where(final, np.inf, high), 0.0)


def path(times: Array, values: Array, rate: float = 0.0) -> Path:
    """Paths through ``values`` (M, T) at ``times`` (T,), crossings inserted, discounted at ``rate``.

    Raises UsageError where times do not rise or shapes do not fit.
    """
    if values.ndim != 2 or values.shape[1] != len(times) or len(times) < 2:
        raise UsageError("a path needs values of shape (members, times) and two times or more")
    width = np.diff(times)
    if not np.all(width > 0):
        raise UsageError("the times of a path must rise")
    before, after = values[:, :-1], values[:, 1:]
    crosses = before * after < 0
    gap = np.where(crosses, before - after, 1.0)
    share = np.where(crosses, before / gap, 0.5)
    middle = np.where(crosses, 0.0, 0.5 * (before + after))
    nodes = np.empty((len(values), 2 * len(times) - 1))
    nodes[:, ::2] = times
    nodes[:, 1::2] = times[:-1] + share * width
    heights = np.empty_like(nodes)
    heights[:, ::2] = values
    heights[:, 1::2] = middle
    between = np.diff(nodes, axis=1)
    falling, rising = ramps(rate * between)
    pieces = heights[:, :-1] * falling + heights[:, 1:] * rising
    pieces = np.exp(-rate * nodes[:, :-1]) * between * pieces
    worth = np.concatenate([np.zeros((len(values), 1)), np.cumsum(pieces, axis=1)], axis=1)
    return Path(nodes, heights, worth, rate)


def internal_rates(times: Array, values: Array) -> tuple[tuple[float, ...], ...]:
    """Of each member all rates at which its path's present value is zero, ascending.

    Empty where the path never changes its sign: then there is no such rate. A path that changes it
    once has exactly one (the present value at rate r, times a suitable exponential, falls in r);
    with several changes up to as many, searched at 512 rates between −10 and 1000 over its length.
    Rates are continuous: e^r − 1 a unit of time. Two roots closer than the search is fine are missed.
    """
    length = float(times[-1] - times[0])
    elapsed = times - times[0]
    reach = np.arcsinh(np.array([_SLOWEST, _FASTEST]))
    grid = np.sinh(np.linspace(reach[0], reach[1], _RATES)) / length
    worth = values @ weights(elapsed, grid)
    size = np.abs(values) @ weights(elapsed, grid)
    worth = np.where(np.abs(worth) <= 1e-14 * size, 0.0, worth)
    zero = worth == 0.0
    turns = (worth[:, :-1] * worth[:, 1:] < 0) | (zero[:, :-1] & ~zero[:, 1:])
    members, places = np.nonzero(turns & _changes(values)[:, None])
    low, high = grid[places], grid[places + 1]
    rising = worth[members, places + 1] > 0
    chosen = values[members]
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        worth_there = np.einsum("kt,tk->k", chosen, weights(elapsed, middle))
        upper = (worth_there > 0) == rising
        low, high = np.where(upper, low, middle), np.where(upper, middle, high)
    found: list[list[float]] = [[] for _ in values]
    for member, root in zip(members, 0.5 * (low + high), strict=True):
        found[int(member)].append(float(root))
    return tuple(tuple(roots) for roots in found)


def _changes(values: Array) -> NDArray[np.bool_]:
    """(M,) whether a path has both signs."""
    return np.asarray((values > 0).any(axis=1) & (values < 0).any(axis=1))
