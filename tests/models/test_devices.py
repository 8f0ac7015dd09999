"""What the subsidised device must show. Thresholds are loose: they hold a claim, not a digit."""

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

MODEL = fw.load("devices")
FREE = ("cum_cash",)
SUBSIDY, MARKUP = -0.3, 0.4


@pytest.fixture(scope="module")
def subsidised() -> Run:
    return MODEL.run(markup=SUBSIDY, save=1 / 16)


@pytest.fixture(scope="module")
def marked_up() -> Run:
    return MODEL.run(markup=MARKUP, save=1 / 16)


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


def test_the_stated_cash_of_year_3_and_year_12(subsidised: Run, marked_up: Run) -> None:
    assert subsidised.outcomes["cash_3"] == pytest.approx(-0.65, abs=0.05)
    assert subsidised.outcomes["cash_12"] == pytest.approx(9.99, abs=0.2)
    assert marked_up.outcomes["cash_3"] == pytest.approx(-0.33, abs=0.05)
    assert marked_up.outcomes["cash_12"] == pytest.approx(3.24, abs=0.2)


def test_the_curves_cross_once_between_year_3_and_year_5(subsidised: Run, marked_up: Run) -> None:
    ahead = (subsidised["cum_cash"] > marked_up["cum_cash"])[1:]
    assert np.count_nonzero(np.diff(ahead)) == 1
    assert 3.5 < subsidised.time[1:][ahead][0] < 5


def test_year_3_and_year_12_put_the_prices_in_opposite_order() -> None:
    runs = [MODEL.run(markup=markup) for markup in (SUBSIDY, -0.1, 0.0)]
    early = [run.outcomes["cash_3"] for run in runs]
    late = [run.outcomes["cash_12"] for run in runs]
    assert early == sorted(early)
    assert late == sorted(late, reverse=True)


def test_the_best_subsidy_lies_inside_its_range() -> None:
    markups = np.arange(-0.4, 0.401, 0.05)
    totals = [MODEL.run(markup=float(markup)).outcomes["cash_12"] for markup in markups]
    assert -0.4 < markups[int(np.argmax(totals))] < -0.15


def test_without_hours_watched_the_subsidy_is_lost() -> None:
    run = MODEL.run(scenario="subsidy_no_services")
    assert np.all(run["cum_cash"][1:] < 0)
    assert run.outcomes["cash_12"] < -4


def test_what_an_hour_earns_decides_what_a_device_may_cost() -> None:
    """The best price rises as services earn less: a subsidy is a bet on the hours watched."""
    markups = (-0.4, -0.3, -0.1, 0.1, 0.4)

    def best(yield_hour: float) -> float:
        ends = [
            MODEL.run(markup=markup, yield_hour=yield_hour).outcomes["cash_12"]
            for markup in markups
        ]
        return markups[int(np.argmax(ends))]

    found = [best(yield_hour) for yield_hour in (0.00003, 0.000015, 0.00001)]
    assert found == sorted(found)
    assert found[0] == -0.3
    assert found[-1] == 0.1


def test_devices_made_are_in_use_or_worn_out() -> None:
    run = MODEL.run(save=1 / 16)
    made = run["cum_units"][-1] - run["cum_units"][0]
    worn = np.trapezoid(run["scrap"], run.time)
    assert made == pytest.approx(run["installed"][-1] - run["installed"][0] + worn, rel=1e-4)
