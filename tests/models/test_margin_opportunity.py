"""What an entrant under incumbents' price umbrella must show. Loose thresholds: a claim, not a digit."""

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

MODEL = fw.load("margin_opportunity")
FREE = ("cum_cash",)
MARGINS = np.linspace(0.1, 0.8, 15)


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


def last(name: str, **overrides: float) -> float:
    return float(MODEL.run(overrides=overrides)[name][-1])


# --- The text ---------------------------------------------------------------------------------


def test_strict_clean_and_all_its_own_checks_hold() -> None:
    assert_strict_clean(MODEL, checks=60)


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


def test_the_five_questions_may_set_what_they_set() -> None:
    # What analysis/sending writes when judgements are at their ends: 0 and 1.
    ends = {
        "inc_margin": (0.1, 0.8),
        "cost0": (1.0, 1.6),
        "spend_auto": (0.0, 0.3),
        "p_switch": (0.002, 0.022),
        "inc_delay": (1.0, 5.0),
    }
    for name, (low, high) in ends.items():
        param = MODEL.params[name]
        assert param.low is not None
        assert param.high is not None
        assert param.low <= low <= high <= param.high, name


# --- The claims -------------------------------------------------------------------------------


@pytest.mark.parametrize(("margin", "share"), [(0.1, 0.37), (0.3, 0.69), (0.5, 0.86), (0.7, 0.94)])
def test_share_by_the_incumbents_margin(margin: float, share: float) -> None:
    assert last("share", inc_margin=margin) == pytest.approx(share, abs=0.03)


def test_more_margin_is_more_share_all_the_way() -> None:
    assert np.all(np.diff([last("share", inc_margin=margin) for margin in MARGINS]) > 0)


def test_slow_incumbents_help() -> None:
    shares = [last("share", inc_delay=delay) for delay in (0.5, 1, 2, 3, 4, 5, 6)]
    assert shares[0] == pytest.approx(0.80, abs=0.02)
    assert shares[-1] == pytest.approx(0.91, abs=0.02)
    assert np.all(np.diff(shares) > 0)


def test_ten_percent_below_cost_loses_cash_throughout() -> None:
    run = MODEL.run(scenario="below_cost", save=1 / 16)
    below = run["ent_price"] < run["ent_cost"]
    assert below.any()
    assert np.all(np.diff(run["cum_cash"]) < 0)
    assert run["cum_cash"][-1] < -15


def test_worse_before_better(base: Run) -> None:
    lowest = int(np.argmin(base["cum_cash"]))
    assert 2 < base.time[lowest] < 4
    assert base["cum_cash"][lowest] < base["cum_cash"][0] - 0.2
    assert 4.5 < base.outcomes["paid_back"] < 6


# --- What nobody stated, and the model says all the same ----------------------------------------


def test_the_fattest_margin_does_not_make_the_richest_entrant() -> None:
    cash = [last("cum_cash", inc_margin=margin) for margin in MARGINS]
    assert MARGINS[int(np.argmax(cash))] == pytest.approx(0.55, abs=0.06)
    assert cash[-1] < 0.75 * max(cash)


def test_customers_keep_most_of_the_margin(base: Run) -> None:
    assert base.outcomes["customers_saved"] > 10 * base.outcomes["cash_15"]


def test_low_prices_alone_do_not_pay() -> None:
    # An honest limit: within its range a higher markup always earns more, and wins less.
    markups = np.linspace(-0.1, 0.5, 13)
    assert np.all(np.diff([last("cum_cash", markup=markup) for markup in markups]) > 0)
    assert np.all(np.diff([last("share", markup=markup) for markup in markups]) < 0)


def test_self_service_has_a_best_spending_inside_its_range() -> None:
    spending = np.linspace(0, 0.6, 13)
    best = int(np.argmax([last("cum_cash", spend_auto=each) for each in spending]))
    assert 0.1 <= spending[best] <= 0.3


def test_a_slow_start_costs_time_and_hardly_share(base: Run) -> None:
    slow = MODEL.run(p_switch=0.001)
    assert slow.outcomes["paid_back"] > base.outcomes["paid_back"] + 1
    assert slow["share"][-1] == pytest.approx(base["share"][-1], abs=0.01)
