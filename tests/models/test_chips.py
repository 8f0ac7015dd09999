"""What own chips must show. Thresholds are loose on purpose: they hold a claim, not a digit."""

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

MODEL = fw.load("chips")
FREE = ("cum_cash",)


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


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


def test_eight_years_of_spending_before_the_first_yearly_gain(base: Run) -> None:
    working = base.time > MODEL.params["t_start"].value
    assert np.all(base["net_benefit"][working & (base.time < 8)] < 0)
    assert np.all(base["net_benefit"][base.time > 9.5] > 0)


def test_all_is_paid_back_about_thirteen_years_after_the_team_starts(base: Run) -> None:
    after = base.outcomes["break_even"] - MODEL.params["t_start"].value
    assert after == pytest.approx(12.8, abs=0.5)


def test_stopping_keeps_part_of_the_advantage_and_looks_better_at_year_15(base: Run) -> None:
    stopped = MODEL.run(scenario="stop_early")
    assert stopped.outcomes["cash_15"] == pytest.approx(1.97, abs=0.15)
    assert base.outcomes["cash_15"] == pytest.approx(1.87, abs=0.15)
    assert stopped.outcomes["cash_15"] > base.outcomes["cash_15"]
    assert 0.15 < stopped.outcomes["advantage_15"] / base.outcomes["advantage_15"] < 0.5


def test_five_years_later_going_on_is_far_ahead(base: Run) -> None:
    stopped = MODEL.run(scenario="stop_early")
    assert stopped.outcomes["cash_20"] < 0.4 * base.outcomes["cash_20"]


def test_spending_must_meet_a_growing_fleet() -> None:
    assert MODEL.run(g_fleet=0.0)["cum_cash"][-1] < 0
    assert MODEL.run(scenario="small_fleet")["cum_cash"][-1] < 0


def test_twice_the_money_is_not_sooner_in_the_black(base: Run) -> None:
    run = MODEL.run(scenario="double_spend")
    assert run.outcomes["first_gain"] > base.outcomes["first_gain"]
    assert run.outcomes["cash_low"] < 1.8 * base.outcomes["cash_low"]


@pytest.mark.parametrize("year", [3, 4, 5, 6, 8])
def test_whoever_judges_at_year_15_stops_and_at_year_20_regrets_it(base: Run, year: float) -> None:
    stopped = MODEL.run(t_stop=year)
    assert stopped.outcomes["cash_15"] > base.outcomes["cash_15"]
    assert stopped.outcomes["cash_20"] < base.outcomes["cash_20"]


def test_renewing_servers_sooner_brings_the_same_saving_sooner(base: Run) -> None:
    sooner, later = MODEL.run(refresh=2), MODEL.run(refresh=5)
    assert sooner.outcomes["cash_15"] > base.outcomes["cash_15"] > later.outcomes["cash_15"]
    # The delay is in the migration alone: the chip is the same.
    assert sooner.outcomes["advantage_15"] == pytest.approx(base.outcomes["advantage_15"])


def test_the_saving_in_one_formula(base: Run) -> None:
    """Cost ratio 1 - d·a - b·d·(1 - d): part d moved at advantage a, discount b·d on the rest."""
    d, a, b = base["deployed"], base["advantage"], MODEL.params["bargain"].value
    ratio = 1 - d * a - b * d * (1 - d)
    assert np.allclose(base["saving"], base["fleet"] * base["list_cost"] * (1 - ratio), rtol=1e-9)
