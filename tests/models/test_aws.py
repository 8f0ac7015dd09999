"""What the cloud must show. Thresholds are loose on purpose: they hold a claim, not a digit."""

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

MODEL = fw.load("aws")
# Growth is expected to be negative where demand falls.
FREE = ("cash", "growth_expected")
RULE = 2012.0


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run()


def at(run: Run, name: str, time: float) -> float:
    return float(np.interp(time, run.time, run[name]))


def gained(scenario: str, base: Run) -> np.ndarray:
    """Operating income above the base run, BUSD/year."""
    return MODEL.run(scenario=scenario)["operating_income"] - base["operating_income"]


# --- The text ---------------------------------------------------------------------------------


def test_strict_clean_and_all_its_own_checks_hold() -> None:
    assert_strict_clean(MODEL, checks=60)


def test_everything_a_reader_meets_has_a_name_in_both_languages() -> None:
    assert_told_in_both_languages(MODEL)


def test_half_the_step_changes_end_states_by_less_than_a_thousandth() -> None:
    assert_half_the_step_agrees(MODEL)


def test_nothing_chatters() -> None:
    assert_no_chatter(MODEL, turns=8)


@pytest.mark.parametrize(("name", "value"), edges(MODEL))
def test_the_edges_of_every_range_can_be_run(name: str, value: float) -> None:
    assert_survives(MODEL.run(overrides={name: value}), FREE)


@pytest.mark.parametrize("stock", [stock for stock in MODEL.stocks if stock != "price"])
def test_any_stock_may_start_empty(stock: str) -> None:
    assert_survives(MODEL.run(overrides={stock: 0.0}), FREE)


def test_a_price_of_nothing_has_no_market_and_the_run_says_so() -> None:
    run = MODEL.run(price=0.0)
    assert not run.ok
    assert "price / price0 is 0" in run.status.message


# --- The claims -------------------------------------------------------------------------------


def test_opening_makes_computing_a_sixth_cheaper_in_2020(base: Run) -> None:
    unopened = MODEL.run(scenario="never_open").outcomes["cost_2020"]
    assert 1 - base.outcomes["cost_2020"] / unopened == pytest.approx(0.16, abs=0.02)


def test_revenue_fits_the_reported_years(base: Run) -> None:
    years = np.arange(2013, 2025) + 0.5
    revenue = np.interp(years, base.time, base["revenue"])
    reported = np.interp(years, base.time, base["revenue_reported"])
    assert np.mean(np.abs(revenue / reported - 1)) < 0.07


def test_the_year_that_was_not_fitted_comes_out_too_low(base: Run) -> None:
    miss = at(base, "revenue", 2025.5) / at(base, "revenue_reported", 2025.5) - 1
    assert miss == pytest.approx(-0.17, abs=0.04)


def test_passing_on_all_savings_lowers_income_to_the_end(base: Run) -> None:
    gap = gained("full_pass", base)
    assert np.all(gap[base.time > RULE] < 0)
    assert gap[base.time == 2025][0] == pytest.approx(-6.4, abs=0.7)


def test_keeping_half_gains_early_and_rivals_eat_the_rest(base: Run) -> None:
    gap = gained("half_pass", base)
    assert np.all(gap[(base.time > RULE) & (base.time < 2024)] > 0)
    last = gap[base.time == 2025][0]
    assert last == pytest.approx(1.9, abs=0.4)
    assert last < 0.4 * gap.max()
    assert MODEL.run(scenario="half_pass").outcomes["reach_2025"] < base.outcomes["reach_2025"]


def test_nothing_changes_before_the_rule_does(base: Run) -> None:
    for scenario in ("full_pass", "half_pass"):
        assert np.all(gained(scenario, base)[base.time < RULE] == 0)


def test_where_rivals_cut_slowly_keeping_half_goes_on_paying() -> None:
    """The end of the gain is the rivals' doing."""
    slow = {"g_rival": 0.0475}
    base = MODEL.run(overrides=slow)
    half = MODEL.run(scenario="half_pass", overrides=slow)
    gap = half["operating_income"] - base["operating_income"]
    assert gap[base.time == 2025][0] > 0.5 * gap.max()


# --- The accounts -----------------------------------------------------------------------------


def test_whole_years_of_revenue_are_met_within_five_percent() -> None:
    run = MODEL.run(save=1 / 16)
    errors = []
    for point in MODEL.data["revenue_reported"].points:
        year = point.time - 0.5
        if 2013 <= year <= 2024:
            inside = (run.time >= year) & (run.time <= year + 1)
            errors.append(np.trapezoid(run["revenue"][inside], run.time[inside]) / point.value - 1)
    assert len(errors) == 12
    assert 100 * np.mean(np.abs(errors)) == pytest.approx(5.1, abs=0.3)


def test_income_is_met_from_2016_to_2023_and_missed_before_and_after(base: Run) -> None:
    ratio = {
        round(p.time - 0.5): at(base, "operating_income", p.time) / p.value
        for p in MODEL.data["income_reported"].points
    }
    assert np.mean([abs(ratio[year] - 1) for year in range(2016, 2024)]) < 0.12
    assert ratio[2014] > 2
    assert ratio[2024] < 0.7


def test_property_is_met_until_the_wave_of_2024(base: Run) -> None:
    ratio = {
        round(p.time - 1): at(base, "equipment", p.time) / p.value
        for p in MODEL.data["property_reported"].points
    }
    for year in (2021, 2022, 2023):
        assert ratio[year] == pytest.approx(1, abs=0.2), year
    assert ratio[2025] < 0.5


def test_cash_and_book_value_are_what_flowed() -> None:
    run = MODEL.run(save=1 / 16)
    worn, spent = run["depreciation"], run["capex"]
    cash = np.trapezoid(run["operating_income"] + worn - spent, run.time)
    assert run["cash"][-1] == pytest.approx(cash, rel=1e-3)
    grown = run["equipment"][-1] - run["equipment"][0]
    assert grown == pytest.approx(np.trapezoid(spent - worn, run.time), rel=1e-3)
