"""A budget over levers and periods of a model, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.decide.allocate import allocate
from flywheel.analysis.decide.allocation import gradient_error, plan
from flywheel.analysis.decide.prices import cost_over_time, price_of_periods
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study

# Two shops whose sales grow with the root of what is done; the outcome is what is sold in ten years.
SHOPS = """model shops
time 0 to 10 [year] step 1/16 save 1/4
param near [1] = 1
param far [1] = 1
param wage [USD/year] = 2
param opening [year] = 4
stock sold [1] = 0 gains selling
flow selling [1/year] = 3 * ln(near) + 2 * ln(far) + 0 * step(1, opening)
outcome total_sales "Sales" [1] = sold at 10
lever work_near "Work near" = near to 11 cost wage
    ko "가까운 가게"
lever work_far "Work far" = far to 11 cost wage
lever late_far "Work far, later" = far to 11 at 5 cost wage
lever open_sooner "Open sooner" = opening to 1 cost 1
lever dear_sign "A sign" = near to 11 cost once 7 * wage
lever wish "A wish" = near to 2
"""


@pytest.fixture(scope="module")
def shops() -> Study:
    return Study(fw.parse(SHOPS), "total_sales")


def test_two_levers_by_water_filling(shops) -> None:
    # J = 10 (3 ln(1 + 10u) + 2 ln(1 + 10v)), cost 20 (u + v): (1 + 10u)/(1 + 10v) = 3/2.
    found = allocate(shops, 10.0, ["work_near", "work_far"])
    total = 0.5  # u + v
    near = (3 * (2 + 10 * total) / 5 - 1) / 10
    assert found.intensity[:, 0] == pytest.approx([near, total - near], abs=1e-5)
    price = 10 * 30 / (1 + 10 * near) / 20
    assert found.shadow_price[0] == pytest.approx(price, rel=1e-5)
    assert found.price[:, 0] == pytest.approx([20, 20])
    assert found.spent.sum() == pytest.approx(10)
    assert found.value == pytest.approx(
        10 * (3 * np.log(1 + 10 * near) + 2 * np.log(1 + 10 * (total - near))), rel=1e-6
    )
    assert found.baseline == 0
    assert found.withdrawn[0] == pytest.approx(30 * np.log(1 + 10 * near), rel=1e-6)
    assert found.finite_return == pytest.approx(found.withdrawn / found.spent.sum(axis=1))
    assert found.saturation == pytest.approx(40)
    assert found.gradient_error < 1e-6
    assert found.total_return == pytest.approx(found.value / 10)
    assert found.agreed == found.starts


def test_the_shadow_price_is_what_one_more_unit_brings(shops) -> None:
    levers = ["work_near", "work_far"]
    up, down = (allocate(shops, b, levers, 3).value for b in (10.01, 9.99))
    assert (up - down) / 0.02 == pytest.approx(
        allocate(shops, 10, levers, 3).shadow_price[0], rel=1e-4
    )


def test_equal_periods_get_equal_money(shops) -> None:
    # Marginal returns fall, so spreading is best; nothing in this model prefers a time.
    found = allocate(shops, 10.0, ["work_near"], [0, 5, 10])
    assert found.intensity[0] == pytest.approx([0.5, 0.5], abs=1e-4)
    own = allocate(shops, [8.0, 2.0], ["work_near"], [0, 5, 10])
    assert own.spent[0] == pytest.approx([8, 2], rel=1e-6)
    assert own.shadow_price[1] > own.shadow_price[0]
    assert own.value < found.value


def test_order_of_levers_does_not_matter(shops) -> None:
    straight = allocate(shops, 12.0, ["work_near", "work_far"], 2)
    turned = allocate(shops, 12.0, ["work_far", "work_near"], 2)
    assert turned.intensity == pytest.approx(straight.intensity[::-1], abs=1e-4)
    assert turned.value == pytest.approx(straight.value, rel=1e-8)


def test_a_lever_is_not_pulled_before_its_time(shops) -> None:
    # One period of ten years; the lever acts, and costs, only in the last five.
    found = allocate(shops, 100.0, ["late_far"], [0, 10])
    assert found.price[0, 0] == pytest.approx(10)
    assert found.value == pytest.approx(5 * 2 * np.log(11), rel=1e-6)
    cut = allocate(shops, 100.0, ["work_near", "late_far"], [0, 4, 8, 10])
    assert cut.available.tolist() == [[True, True, True], [False, True, True]]
    assert cut.price[1] == pytest.approx([0, 6, 4])
    assert len(cut.frame) == 5


def test_what_is_bought_once_is_one_decision(shops) -> None:
    found = allocate(shops, 100.0, ["dear_sign"], [0, 5, 10])
    assert found.spent[0] == pytest.approx([14, 0])
    assert found.intensity[0] == pytest.approx([1, 1])
    half = allocate(shops, 7.0, ["dear_sign"], [0, 5, 10])
    assert half.intensity[0] == pytest.approx([0.5, 0.5])


def test_levers_that_money_cannot_buy_are_left_out_with_the_reason(shops) -> None:
    found = allocate(shops, 5.0)
    assert set(found.left_out) == {"wish", "open_sooner"}
    assert "no cost" in found.left_out["wish"]
    assert "event" in found.left_out["open_sooner"]
    given = allocate(shops, 5.0, ["wish"], costs={"WISH": 0.25})
    assert given.price[0, 0] == pytest.approx(2.5)
    with pytest.raises(UsageError, match="no cost"):
        allocate(shops, 5.0, ["wish"])
    with pytest.raises(UsageError, match="event"):
        allocate(shops, 5.0, ["open_sooner"])


def test_less_can_be_better(shops) -> None:
    found = allocate(shops, 10.0, ["work_near"], better="lower")
    assert found.spent.sum() == 0
    assert found.value == found.baseline
    assert "spending nothing is best" in found.explain()


def test_quadratic_costs(shops) -> None:
    found = allocate(shops, 10.0, ["work_near", "work_far"], cost="quadratic")
    assert found.spent.sum() == pytest.approx(10, rel=1e-6)
    assert found.marginal[:, 0] == pytest.approx(found.shadow_price[0], rel=1e-3)


def test_prices_follow_the_baseline() -> None:
    model = fw.parse(
        """model growing
time 0 to 4 [year] step 1/16 save 1/4
param pull [1] = 1
param rate [USD/year/year] = 3
stock bill [USD/year] = 1 gains rising
flow rising [USD/year/year] = rate
aux effect [1] = 2 * pull
table scale [1] of effect [1] = (0, 0) (10, 5)
stock done [1] = 0 gains doing
flow doing [1/year] = effect * step(1, 2)
outcome reached "Reached" [1] = done at 4
lever push "Push" = pull to 2 cost bill * scale
"""
    )
    found = allocate(Study(model, "reached"), 5.0, periods=2)
    # bill = 1 + 3t, scale(2) = 1.
    assert found.price[0] == pytest.approx([2 + 3 * 2, 2 + 3 * 6])
    # Nothing is done before year 2, so only the second period is worth anything.
    assert found.spent[0] == pytest.approx([0, 5], abs=1e-6)


def test_prices_of_periods() -> None:
    t = np.linspace(0, 10, 11)
    assert price_of_periods(t, t, (0, 5, 10), False, None) == pytest.approx([12.5, 37.5])
    assert price_of_periods(t, t, (0, 5, 10), False, 2.5) == pytest.approx([12.5 - 3.125, 37.5])
    assert price_of_periods(t, t, (0, 5, 10), True, 6) == pytest.approx([0, 6])
    assert price_of_periods(t, t, (2, 5, 10), True, 1) == pytest.approx([2, 0])


def test_a_cost_below_zero_is_refused(shops) -> None:
    lever = fw.parse(SHOPS.replace("near to 11 cost wage", "near to 11 cost 1 - wage")).levers
    with pytest.raises(UsageError, match="costs -1 at 0"):
        cost_over_time(lever["work_near"], [0.0, 1.0], {}, {"wage": 2.0})
    with pytest.raises(UsageError, match="reads 'wage'"):
        cost_over_time(lever["work_near"], [0.0], {}, {})


def test_a_wrong_gradient_is_noticed() -> None:
    class Wrong:
        def outcomes(self, u):
            return np.log(1 + u).sum(axis=(1, 2))[:, None]

        def gradient(self, u):
            return np.array([np.log(1 + u).sum()]), (1.3 / (1 + u))[None]

    found = plan(Wrong(), ["a", "b"], [(0.0, 1.0)], np.ones((2, 1)), 1.0)
    assert found.gradient_error == pytest.approx(0.3, rel=0.01)
    assert "do not trust" in found.explain()
    assert "믿을 수 없습니다" in found.explain("ko")

    def right(u):
        return float(np.log(1 + u).sum()), 1 / (1 + u)

    batch = lambda points: np.log(1 + points).sum(axis=1)  # noqa: E731
    assert gradient_error(right, batch, np.array([0.2, 0.4])) < 1e-8


def test_a_model_that_fails_gives_a_reason() -> None:
    class Broken:
        def outcomes(self, u):
            return np.full((len(u), 1), np.nan)

        def gradient(self, u):
            return np.array([np.nan]), np.zeros((1, *u.shape))

    found = plan(Broken(), ["a"], [(0.0, 1.0)], np.ones((1, 1)), 1.0)
    assert "without any lever failed" in found.reason
    assert found.reason in found.explain()
    assert np.isnan(found.intensity).all()


def test_mistakes_are_named(shops) -> None:
    for call, says in [
        (lambda: allocate(shops, 1, periods=0), "at least one period"),
        (lambda: allocate(shops, 1, periods=[5, 5]), "rising"),
        (lambda: allocate(shops, 1, periods=100), "shorter than a save"),
        (lambda: allocate(shops, [1, 2], periods=3), "each of the 3"),
        (lambda: allocate(shops, -1), "budget"),
        (lambda: allocate(shops, 1, horizon=3.0), "ahead"),
        (lambda: allocate(shops, 1, better="most"), "better"),
    ]:
        with pytest.raises(UsageError, match=says):
            call()
    with pytest.raises(UnknownNameError, match="work_near"):
        allocate(shops, 1, ["work_neer"])


def test_sentences_table_and_receipt(shops) -> None:
    found = allocate(shops, 10.0, ["work_near", "work_far"], 2)
    text = found.explain()
    assert "Sales (after 10 years) rises by" in text
    assert "Work near (64 %" in text
    assert "9/9 starts" in text
    assert "「가까운 가게」(64%" in found.explain("ko")
    assert found.stamp is not None
    assert found.stamp.receipt()["budget"] == 10.0
    assert found.stamp.horizons == (10.0,)
    assert found.frame["spent"].sum() == pytest.approx(10)
    assert "2 levers and 2 periods" in repr(found)
    with pytest.raises(ValueError, match="read-only"):
        found.intensity[0, 0] = 1


def test_the_core_model_spends_its_budget_and_the_starts_agree() -> None:
    found = allocate(Study(fw.load("core_flywheel"), "income_total"), 3.0, periods=3)
    assert found.spent.sum() == pytest.approx(3, rel=1e-6)
    assert found.value > found.baseline
    assert found.gradient_error < 1e-5
    assert found.agreed >= found.starts - 1
