"""Functions whose indices are known in closed form, on the unit cube."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Ishigami & Homma with a = 7, b = 0.1: V = 13.844588.
ISHIGAMI_S1 = np.array([0.313905, 0.442411, 0.0])
ISHIGAMI_ST = np.array([0.557589, 0.442411, 0.243684])
ISHIGAMI_SHAPLEY = np.array([0.435747, 0.442411, 0.121842])
ISHIGAMI_NU = np.array([7.7196, 24.5, 10.9873])


def ishigami(u: Array) -> Array:
    x = np.pi * (2 * u - 1)
    first, second, third = x[..., 0], x[..., 1], x[..., 2]
    return np.asarray(np.sin(first) + 7 * np.sin(second) ** 2 + 0.1 * third**4 * np.sin(first))


G_A = np.array([0.0, 1, 4.5, 9, 99, 99, 99, 99])


def g_function(u: Array) -> Array:
    """Sobol's g: the product of (|4u - 2| + a) / (1 + a)."""
    return np.asarray(((np.abs(4 * u - 2) + G_A) / (1 + G_A)).prod(axis=-1))


def g_indices() -> tuple[Array, Array]:
    part = 1 / (3 * (1 + G_A) ** 2)
    whole = (1 + part).prod() - 1
    return part / whole, part * (1 + part).prod() / (1 + part) / whole


BASS_LOW = np.array([0.024, 0.304, 80.0, 0.008])
BASS_HIGH = np.array([0.036, 0.456, 120.0, 0.012])


def bass(u: Array, times: Array) -> Array:
    """Adopters over time: innovation, imitation, market and share at the start, each +-20 %."""
    x = BASS_LOW + u * (BASS_HIGH - BASS_LOW)
    p, q, market, start = (x[..., j, None] for j in range(4))
    fade = (1 - start) / (1 + q / p * start) * np.exp(-(p + q) * times)
    return np.asarray(market * (1 - fade) / (1 + q / p * fade))


def by_quadrature(values: Array) -> tuple[Array, Array]:
    """S1 and ST (d, O) of values on a tensor grid of Gauss-Legendre nodes: (k, ..., k, O)."""
    d, nodes = values.ndim - 1, values.shape[0]
    weight = np.polynomial.legendre.leggauss(nodes)[1] / 2

    def mean(over: list[int], of: Array) -> Array:
        for axis in sorted(over, reverse=True):
            of = np.tensordot(weight, of, axes=(0, axis))
        return of

    every = list(range(d))
    centre = mean(every, values)
    variance = mean(every, (values - centre) ** 2)
    first, total = [], []
    for j in every:
        rest = [k for k in every if k != j]
        first.append(mean([0], (mean(rest, values) - centre) ** 2) / variance)
        total.append(1 - mean(list(range(d - 1)), (mean([j], values) - centre) ** 2) / variance)
    return np.array(first), np.array(total)
