"""Spending a budget: water-filling in closed form, prices of budgets, and what symmetry asks for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.analysis.decide.optimum import maximise, saturation
from flywheel.errors import UsageError

W = np.array([5.0, 3.0, 2.0, 1.0, 0.5])
C = np.array([1.0, 1.0, 2.0, 0.5, 3.0])
FULL = 10.0


def water(w=W, c=C):
    """Σ w ln(c + x) with x = 10 u, so that u up to 1 is no limit."""
    return lambda u: (float(w @ np.log(c + FULL * u)), FULL * w / (c + FULL * u))


def filled(budget, w=W, c=C):
    """x_i = max(0, w_i/λ − c_i), λ by bisection."""
    low, high = 1e-9, 1e9
    for _ in range(300):
        level = math.sqrt(low * high)
        spent = np.maximum(0, w / level - c).sum()
        low, high = (level, high) if spent > budget else (low, level)
    return np.maximum(0, w / level - c), level


def test_water_filling() -> None:
    found = maximise(water(), np.full(5, FULL), 10)
    exact = np.array(
        [5.590909090909091, 2.9545454545454546, 0.6363636363636364, 0.8181818181818182, 0]
    )
    assert filled(10)[0] == pytest.approx(exact, abs=1e-9)
    assert found.intensity * FULL == pytest.approx(exact, abs=1e-6)
    assert found.shadow_price[0] == pytest.approx(0.7586206896551724, abs=1e-6)
    assert found.used[0] == pytest.approx(10)
    assert found.agreed == found.starts == 9
    assert found.baseline == water()(np.zeros(5))[0]


def test_the_shadow_price_is_what_one_more_unit_brings() -> None:
    def value(budget):
        return maximise(water(), np.full(5, FULL), budget).value

    price = maximise(water(), np.full(5, FULL), 10).shadow_price[0]
    assert (value(10.01) - value(9.99)) / 0.02 == pytest.approx(price, rel=1e-5)

    def both(budgets):
        return maximise(water(), np.full(5, FULL), budgets, groups=[0, 0, 1, 1, 1])

    prices = both([6, 4]).shadow_price
    assert (both([6.01, 4]).value - both([5.99, 4]).value) / 0.02 == pytest.approx(
        prices[0], rel=1e-5
    )
    assert (both([6, 4.01]).value - both([6, 3.99]).value) / 0.02 == pytest.approx(
        prices[1], rel=1e-5
    )


def test_quadratic_costs_spread_the_money() -> None:
    found = maximise(water(), np.full(5, FULL), 10, cost="quadratic")
    assert (found.intensity > 0.05).all()
    assert found.used[0] == pytest.approx(10, rel=1e-6)
    assert found.marginal == pytest.approx(np.full(5, found.shadow_price[0]), rel=1e-3)

    def value(budget):
        return maximise(water(), np.full(5, FULL), budget, cost="quadratic").value

    assert (value(10.01) - value(9.99)) / 0.02 == pytest.approx(found.shadow_price[0], rel=1e-4)


def test_more_than_enough_money_has_no_price() -> None:
    found = maximise(water(), np.full(5, FULL), 100)
    assert found.intensity.tolist() == [1, 1, 1, 1, 1]
    assert found.shadow_price.tolist() == [0]


def test_no_money_and_free_things() -> None:
    for cost in ("linear", "quadratic"):
        found = maximise(water(), [10, 10, 0, 10, 10], 0, cost=cost)
        assert found.intensity.tolist() == [0, 0, 1, 0, 0]
    assert maximise(water(), np.full(5, FULL), 0).shadow_price[0] == pytest.approx(5.0)


def test_a_budget_that_buys_whole_things_is_priced_by_the_next() -> None:
    found = maximise(lambda u: (float(W @ u), W), np.ones(5), 2)
    assert found.intensity.tolist() == pytest.approx([1, 1, 0, 0, 0])
    assert found.shadow_price[0] == pytest.approx(2)


def test_saturation_is_where_the_best_stops_asking() -> None:
    def hill(u):
        gap = u - np.array([0.3, 0.6, 1.5])
        return -float(gap @ gap), -2 * gap

    assert saturation(hill, [1, 1, 1], np.zeros(3)) == pytest.approx([0.3, 0.6, 1], abs=1e-6)
    enough = maximise(hill, [1, 1, 1], 5)
    assert enough.intensity == pytest.approx([0.3, 0.6, 1], abs=1e-5)
    assert enough.shadow_price[0] == 0


def test_starts_all_over_find_the_higher_of_two_hills() -> None:
    def hills(u):
        a = np.exp(-40 * np.sum((u - 0.2) ** 2))
        b = 2 * np.exp(-40 * np.sum((u - 0.8) ** 2))
        return float(a + b), -80 * (a * (u - 0.2) + b * (u - 0.8))

    found = maximise(hills, np.ones(2), 2.0)
    assert found.intensity == pytest.approx([0.8, 0.8], abs=1e-4)
    assert 0 < found.agreed < found.starts  # some ended on the lower hill, and that is said


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)), st.floats(1, 30))
def test_order_does_not_matter_and_water_finds_its_level(order, budget) -> None:
    order = np.array(order)
    exact, level = filled(budget)
    found = maximise(water(W[order], C[order]), np.full(5, FULL), budget)
    if exact.max() < FULL:  # the closed form knows no upper limit
        assert found.intensity * FULL == pytest.approx(exact[order], abs=1e-4)
        assert found.shadow_price[0] == pytest.approx(level, rel=1e-4)
    straight = maximise(water(), np.full(5, FULL), budget)
    assert found.intensity == pytest.approx(straight.intensity[order], abs=1e-4)
    assert found.used[0] <= budget * (1 + 1e-9)


def test_size_does_not_matter() -> None:
    plain = maximise(water(), np.full(5, FULL), 10)

    def money(u):
        value, slope = water()(u)
        return 1e9 * value, 1e9 * slope

    big = maximise(money, np.full(5, 1e6 * FULL), 1e7)
    assert big.intensity == pytest.approx(plain.intensity, abs=1e-5)
    assert big.shadow_price[0] == pytest.approx(1e3 * plain.shadow_price[0], rel=1e-5)


def test_failed_runs_end_a_start_and_are_counted() -> None:
    def broken(u):
        value, slope = water()(u)
        return (math.nan if u[0] > 0.4 else value), slope

    found = maximise(broken, np.full(5, FULL), 10)
    assert found.failed > 0
    assert math.isfinite(found.value)
    assert found.intensity[0] <= 0.4
    assert found.used[0] <= 10 * (1 + 1e-9)
    nothing = maximise(lambda u: (math.nan, u), np.ones(2), 1)
    assert nothing.reason
    assert np.isnan(nothing.intensity).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: maximise(water(), [1, -1], 1), "price"),
        (lambda: maximise(water(), [1, 1], -1), "budget"),
        (lambda: maximise(water(), [1, 1], [1, 2], groups=[0, 2]), "another"),
        (lambda: maximise(water(), [1, 1], 1, groups=[0]), "equal length"),
        (lambda: maximise(water(), [1, 1], 1, cost="cubic"), "cost"),
        (lambda: maximise(water(), [1, 1], 1, starts=-1), "starts"),
    ],
)
def test_mistakes_are_named(call, says) -> None:
    with pytest.raises(UsageError, match=says):
        call()
