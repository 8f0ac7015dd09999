"""Sharing out what levers achieve together: Shapley values, exact or from sampled orders.

Castro, Gómez and Tejada (2009), "Polynomial calculation of the Shapley value based on sampling".
A coalition of n levers is a row of 0 and 1; its value is the outcome with those levers pulled.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from flywheel.analysis.levers.paths import Array
from flywheel.errors import UsageError

EXACT_UP_TO = 12
"""Levers up to which all 2^n coalitions are run."""
_Z = 1.959963984540054


def coalitions(count: int) -> Array:
    """All coalitions (2^n, n); lever i is in row r where bit i of r is set."""
    numbers = np.arange(2**count)[:, None]
    return ((numbers >> np.arange(count)) & 1).astype(float)


def shapley(values: Array) -> Array:
    """Shapley values (n, …) from the values (2^n, …) of all ``coalitions``; they sum to the whole.

    Lever i gets Σ_S |S|! (n − |S| − 1)!/n! · (v(S ∪ i) − v(S)). Raises UsageError where the number of
    values is no power of two.
    """
    count = len(values).bit_length() - 1
    if len(values) != 2**count:
        raise UsageError(f"all coalitions of levers have 2^n values, not {len(values)}")
    numbers = np.arange(len(values))
    sizes = np.array([int(number).bit_count() for number in numbers])
    found = np.empty((count, *values.shape[1:]))
    for lever in range(count):
        without = numbers[(numbers >> lever) & 1 == 0]
        share = np.array([1.0 / (count * math.comb(count - 1, int(s))) for s in sizes[without]])
        gain = values[without | (1 << lever)] - values[without]
        found[lever] = np.tensordot(share, gain, axes=1)
    return found


def sampled_shapley(
    evaluate: Callable[[Array], Array], count: int, *, orders: int, seed: int
) -> tuple[Array, Array]:
    """Shapley values (n, …) from random orders, and the half-width of their 95 % intervals.

    Each order is used forwards and backwards, which cancels what is linear in the place. In every
    order the gains add up to the whole, so the estimates do too, exactly. ``evaluate`` gets all
    coalitions (K, n) in one call and gives their values (K, …).
    """
    if orders < 2:
        raise UsageError(f"an interval needs two orders or more, not {orders}")
    chance = np.random.default_rng(seed)
    drawn = np.argsort(chance.random((orders, count)), axis=1)
    both = np.stack([drawn, drawn[:, ::-1]], axis=1)
    place = np.argsort(both, axis=2)
    steps = np.arange(count + 1)[:, None]
    rows = (place[:, :, None, :] < steps).astype(float)
    unique, back = np.unique(rows.reshape(-1, count), axis=0, return_inverse=True)
    values = evaluate(unique)[back.ravel()]
    values = values.reshape(orders, 2, count + 1, *values.shape[1:])
    gains = np.diff(values, axis=2)
    at = place.reshape(*place.shape, *([1] * (gains.ndim - 3)))
    pairs = np.take_along_axis(gains, at, axis=2).mean(axis=1)
    spread = pairs.std(axis=0, ddof=1) / math.sqrt(orders)
    return pairs.mean(axis=0), _Z * spread


def second_differences(none: Array, alone: Array, pairs: Array) -> Array:
    """I_ij = J(ij) − J(i) − J(j) + J(∅): (n, n, …), symmetric with a zero diagonal.

    ``none`` (…), ``alone`` (n, …), ``pairs`` (n (n − 1)/2, …) in the order of ``numpy.triu_indices``.
    """
    count = len(alone)
    left, right = np.triu_indices(count, 1)
    gain = pairs - alone[left] - alone[right] + none
    found = np.zeros((count, count, *alone.shape[1:]))
    found[left, right] = gain
    found[right, left] = gain
    return found
