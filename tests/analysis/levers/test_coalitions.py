"""Shapley values and pair synergies: sums to the total, additive systems, closed forms, sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.analysis.levers.coalitions import (
    coalitions,
    sampled_shapley,
    second_differences,
    shapley,
)
from flywheel.errors import UsageError


@given(st.integers(1, 7), st.integers(0, 10_000))
def test_shapley_values_sum_to_the_total(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2**count, 2)) * 10.0
    total = values[-1] - values[0]
    assert np.abs(shapley(values).sum(axis=0) - total).max() < 1e-10


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_shapley_agrees_with_the_mean_over_all_orders(count: int, seed: int) -> None:
    from itertools import permutations

    values = np.random.default_rng(seed).normal(size=2**count)
    slow = np.zeros(count)
    for order in permutations(range(count)):
        inside = 0
        for lever in order:
            slow[lever] += values[inside | 1 << lever] - values[inside]
            inside |= 1 << lever
    assert np.allclose(shapley(values), slow / math.factorial(count), atol=1e-12)


def test_an_additive_system_has_no_synergy_and_each_lever_its_own_effect() -> None:
    effects = np.array([3.0, -1.5, 0.25])
    values = 7.0 + coalitions(3) @ effects
    assert np.allclose(shapley(values), effects, atol=1e-12)
    pairs = np.array([values[0b011], values[0b101], values[0b110]])
    alone = values[[1, 2, 4]]
    assert np.abs(second_differences(values[0], alone, pairs)).max() < 1e-12


def test_a_product_shares_its_surplus_equally() -> None:
    # J = (1 + a)(1 + b): the second difference is a b, and each lever gets half of it.
    a, b = 0.5, 0.2
    rows = coalitions(2)
    values = (1 + a * rows[:, 0]) * (1 + b * rows[:, 1])
    assert np.allclose(shapley(values), [a + a * b / 2, b + a * b / 2], atol=1e-14)
    found = second_differences(values[0], values[[1, 2]], values[[3]])
    assert np.allclose(found, [[0, a * b], [a * b, 0]], atol=1e-14)


def test_sampled_orders_cover_the_exact_values_and_keep_the_sum() -> None:
    count = 6
    chance = np.random.default_rng(5)
    base, bonus = chance.normal(size=count), chance.normal(size=(count, count))

    def evaluate(rows: np.ndarray) -> np.ndarray:
        return rows @ base + np.einsum("ki,ij,kj->k", rows, bonus, rows) + rows.prod(axis=1)

    exact = shapley(evaluate(coalitions(count)))
    found, half = sampled_shapley(evaluate, count, orders=200, seed=1)
    total = evaluate(np.ones((1, count)))[0]
    assert found.sum() == pytest.approx(total, abs=1e-10)
    # An order and its reverse cancel everything pairwise; what is left is the triple product.
    assert np.all(np.abs(found - exact) <= 2 * half + 1e-12)
    assert half.max() < 0.2
    again, _ = sampled_shapley(evaluate, count, orders=200, seed=1)
    assert np.array_equal(found, again)


def test_numbers_of_coalitions_are_powers_of_two() -> None:
    with pytest.raises(UsageError, match="2\\^n"):
        shapley(np.zeros(3))
    with pytest.raises(UsageError, match="two orders"):
        sampled_shapley(lambda rows: rows[:, 0], 3, orders=1, seed=0)
