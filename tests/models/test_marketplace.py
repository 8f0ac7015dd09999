"""What the marketplace must show. Thresholds are loose on purpose: they hold a claim, not a digit."""

from __future__ import annotations

import numpy as np
import pytest

import flywheel as fw
from flywheel.solve.run import Run
from tests.models.soundness import (
    assert_half_the_step_agrees,
    assert_no_chatter,
    assert_strict_clean,
    assert_survives,
    assert_told_in_both_languages,
    edges,
)

MODEL = fw.load("marketplace")
FREE = ("cum_profit",)
OPENING = 2.0


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


def at(run: Run, name: str, time: float) -> float:
    return float(np.interp(time, run.time, run[name]))


@pytest.fixture(scope="module")
def closed() -> Run:
    return MODEL.run(scenario="closed", save=1 / 16)


def last_below_nothing(run: Run, difference: np.ndarray) -> float:
    """The last time at which a difference is negative, counted from the opening."""
    return float(run.time[difference < -1e-9][-1]) - OPENING


# --- The text ---------------------------------------------------------------------------------


def test_strict_clean_and_all_its_own_checks_hold() -> None:
    assert_strict_clean(MODEL, checks=50)


def test_everything_a_reader_meets_has_a_name_in_both_languages() -> None:
    assert_told_in_both_languages(MODEL)


def test_half_the_step_changes_end_states_by_less_than_a_thousandth() -> None:
    assert_half_the_step_agrees(MODEL)


def test_nothing_chatters() -> None:
    assert_no_chatter(MODEL, turns=4)


@pytest.mark.parametrize(("name", "value"), edges(MODEL))
def test_the_edges_of_every_range_can_be_run(name: str, value: float) -> None:
    assert_survives(MODEL.run(overrides={name: value}), FREE)


@pytest.mark.parametrize("stock", MODEL.stocks)
def test_any_stock_may_start_empty(stock: str) -> None:
    assert_survives(MODEL.run(overrides={stock: 0.0}), FREE)


# --- The claims -------------------------------------------------------------------------------


def test_own_sales_fall_on_the_day_of_opening_and_stay_below(base: Run, closed: Run) -> None:
    gap = base["own_sales"] - closed["own_sales"]
    assert np.all(gap[base.time < OPENING] == 0)
    assert np.all(gap[base.time > OPENING] < 0)
    assert at(base, "own_sales", 2.1) < 0.9 * at(closed, "own_sales", 2.1)
    assert gap[-1] == pytest.approx(-19, abs=2)


def test_profit_dips_for_about_a_year_and_ends_far_above(base: Run, closed: Run) -> None:
    gap = base["profit"] - closed["profit"]
    assert last_below_nothing(base, gap) == pytest.approx(1.2, abs=0.2)
    assert gap[-1] == pytest.approx(5.1, abs=0.5)


def test_profit_so_far_breaks_even_after_about_two_years(base: Run, closed: Run) -> None:
    gap = base["cum_profit"] - closed["cum_profit"]
    assert last_below_nothing(base, gap) == pytest.approx(2.1, abs=0.3)


def test_the_take_rate_has_an_optimum_inside() -> None:
    stated = {0.06: 28, 0.12: 52, 0.18: 72, 0.24: 78, 0.30: 69, 0.40: 41}
    totals = {rate: MODEL.run(take_rate=rate)["cum_profit"][-1] for rate in stated}
    assert max(totals, key=totals.__getitem__) == 0.24
    for rate, total in totals.items():
        assert total == pytest.approx(stated[rate], abs=3)


def test_the_best_take_rate_is_lower_for_sellers_and_lies_above_the_fair_one() -> None:
    rates = np.arange(0.06, 0.401, 0.02)
    runs = [MODEL.run(take_rate=rate) for rate in rates]
    best_profit = rates[int(np.argmax([run["cum_profit"][-1] for run in runs]))]
    best_sellers = rates[int(np.argmax([run["seller_receipts"][-1] for run in runs]))]
    assert best_sellers < MODEL.params["fair_take"].value < best_profit < 0.3


@pytest.mark.parametrize(("rate", "loss"), [(0.5, -2.5), (0.6, -2.9), (1.0, -4.5)])
def test_copying_sellers_lowers_profit_through_trust(base: Run, rate: float, loss: float) -> None:
    run = MODEL.run(copy_rate=rate)
    assert run["profit"][-1] - base["profit"][-1] == pytest.approx(loss, abs=0.3)
    assert run["trust"][-1] < 0.75
    # Most of it is trust: sellers who did not mind would leave less than half of the loss.
    harmless = MODEL.run(copy_rate=rate, copy_harm=0)
    assert 0.5 * loss < harmless["profit"][-1] - base["profit"][-1] < 0
    assert harmless["own_profit"][-1] > base["own_profit"][-1]


def test_all_four_accounts_but_one_gain(base: Run, closed: Run) -> None:
    assert base["own_profit"][-1] < closed["own_profit"][-1]
    for account in ("platform_profit", "seller_receipts", "customer_saving"):
        assert base[account][-1] > closed[account][-1]
