"""Licence against subscription: the integrals by quadrature, and prices that leave one indifferent."""

from __future__ import annotations

import math

import pytest
from scipy.integrate import quad

from flywheel.analysis.decide.data_price import licence_or_subscription
from flywheel.errors import UsageError


def test_both_are_integrals() -> None:
    found = licence_or_subscription(10, 6, discount=0.1, drift=0.2, horizon=8, fee=3)
    assert found.licence_worth == pytest.approx(quad(lambda t: 10 * math.exp(-0.3 * t), 0, 8)[0])
    assert found.subscription_worth == pytest.approx(
        quad(lambda t: 6 * math.exp(-0.1 * t), 0, 8)[0]
    )
    assert found.fee_now == pytest.approx(quad(lambda t: 3 * math.exp(-0.1 * t), 0, 8)[0])


def test_at_the_break_even_price_both_leave_the_same() -> None:
    found = licence_or_subscription(10, 6, discount=0.1, drift=0.2, fee=3)
    assert found.licence_worth - found.break_even_licence == pytest.approx(
        found.subscription_worth - found.fee_now
    )
    assert found.break_even_licence == pytest.approx(10 / 0.3 - 30)
    again = licence_or_subscription(10, 6, discount=0.1, drift=found.break_even_drift)
    assert again.licence_worth == pytest.approx(again.subscription_worth)
    assert found.break_even_drift == pytest.approx(1 / 15)


def test_a_subscription_that_costs_more_than_it_brings_is_no_alternative() -> None:
    found = licence_or_subscription(10, 6, discount=0.1, drift=0.2, fee=9)
    assert found.break_even_licence == found.licence_worth
    assert "buy neither" in found.explain()
    assert "둘 다" in found.explain("ko")


def test_edges() -> None:
    plain = licence_or_subscription(2, 1, discount=0, drift=0, horizon=5)
    assert plain.licence_worth == 10
    assert plain.break_even_licence == 5
    assert math.isnan(licence_or_subscription(1, 2, discount=0.1, drift=0.1).break_even_drift)
    poor = licence_or_subscription(1, 5, discount=0.1, drift=0.1)
    assert "Even a free licence" in poor.explain()
    assert plain.frame.loc["licence", "worth"] == 10
    with pytest.raises(UsageError, match="endless"):
        licence_or_subscription(1, 1, discount=0, drift=0.1)
    with pytest.raises(UsageError, match="at least 0"):
        licence_or_subscription(1, 1, discount=0.1, drift=-0.1)
