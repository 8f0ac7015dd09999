"""What membership and fulfilment must show. Thresholds are loose: they hold a claim, not a digit."""

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

MODEL = fw.load("fba_prime")
FREE = ("cum_cash", "growth")
LAUNCH = 1.0


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


def at(run: Run, name: str, time: float) -> float:
    return float(np.interp(time, run.time, run[name]))


@pytest.fixture(scope="module")
def without() -> Run:
    return MODEL.run(scenario="no_programme", save=1 / 16)


def last_below_nothing(run: Run, difference: np.ndarray) -> float:
    """The last time at which a difference is negative, counted from the launch."""
    return float(run.time[difference < -1e-9][-1]) - LAUNCH


def so_far(run: Run, rate: np.ndarray) -> np.ndarray:
    """The integral of a rate up to every saved time."""
    step = np.diff(run.time)
    return np.concatenate([[0.0], np.cumsum(step * (rate[1:] + rate[:-1]) / 2)])


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


def test_profit_is_below_the_other_path_for_nearly_four_years(base: Run, without: Run) -> None:
    gap = base["profit"] - without["profit"]
    assert last_below_nothing(base, gap) == pytest.approx(3.8, abs=0.3)
    assert gap[-1] > 10
    # The dip is shallow: what hurts is the cash.
    assert gap.min() > -0.03 * at(without, "profit", 2.75)


def test_profit_in_sum_is_even_after_five_years(base: Run, without: Run) -> None:
    gap = so_far(base, base["profit"] - without["profit"])
    assert last_below_nothing(base, gap) == pytest.approx(5.2, abs=0.3)


def test_cash_is_even_only_after_twelve_or_thirteen_years(base: Run, without: Run) -> None:
    gap = base["cum_cash"] - without["cum_cash"]
    assert 11.5 < last_below_nothing(base, gap) < 13
    assert gap.min() == pytest.approx(-5, abs=0.7)


def test_heavy_buyers_first_habit_later_density_last(base: Run) -> None:
    start = base["selection"][base.time == LAUNCH][0]
    assert start == pytest.approx(3)
    assert base["selection"][-1] < 1.5
    assert at(base, "habit", 1.5) < 0.35 < 0.9 < at(base, "habit", 5)
    assert at(base, "density", 5) / at(base, "density", 15) > 1.3
    assert at(base, "days", 15) < 0.65 * at(base, "days", 5)


def test_a_shock_leaves_two_thirds_of_capacity_in_use_and_thins_profit(base: Run) -> None:
    shocked = MODEL.run(scenario="demand_shock", save=1 / 16)
    year = (shocked.time >= 8) & (shocked.time <= 9)
    # Stated as 0.68: that is the mean of about the first year; on the day itself it is 0.64.
    assert shocked["utilisation"][year].mean() == pytest.approx(0.68, abs=0.03)
    assert shocked["utilisation"][year].min() == pytest.approx(0.64, abs=0.02)
    assert shocked["profit"][year].mean() < 0.85 * base["profit"][year].mean()
    assert shocked["profit"][year].min() > 0


def test_without_heavy_first_members_there_is_no_dip(without: Run) -> None:
    average = MODEL.run(scenario="average_members", save=1 / 16)
    assert np.all(average["profit"] - without["profit"] > -1e-9)


def test_density_is_the_engine_and_habit_is_not() -> None:
    def gain(**values: float) -> float:
        with_, without = MODEL.run(**values), MODEL.run(programme=0, **values)
        return with_["cum_cash"][-1] - without["cum_cash"][-1]

    assert gain(density_el=0) < -10 < 0 < gain() < gain(density_el=0.4)
    assert gain(prime_mult=3) < 0 < gain() < gain(prime_mult=0.3)


def test_who_stops_after_two_years_looks_right_for_years(base: Run) -> None:
    stopped = MODEL.run(scenario="stopped", save=1 / 16)
    gap = base["cum_cash"] - stopped["cum_cash"]
    assert np.all(gap[(base.time > 3.5) & (base.time < 12)] < 0)
    assert gap[-1] > 5
