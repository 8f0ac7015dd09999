"""What the slowed flywheel must show. Bands are loose on purpose: they hold a claim, not a digit."""

from __future__ import annotations

import csv
from pathlib import Path

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

MODEL = fw.load("ebay")
FREE = ("cash",)
DATA = Path(__file__).resolve().parents[2] / "models" / "data" / "ebay.csv"


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


def at(run: Run, name: str, time: float) -> float:
    return float(np.interp(time, run.time, run[name]))


def reported(series: str) -> dict[int, float]:
    with DATA.open(encoding="utf-8", newline="") as file:
        return {
            int(row["year"]): float(row["value"])
            for row in csv.DictReader(file)
            if row["series"] == series
        }


# --- The text ---------------------------------------------------------------------------------


def test_strict_clean_and_all_its_own_checks_hold() -> None:
    assert_strict_clean(MODEL, checks=60)


def test_everything_a_reader_meets_has_a_name_in_both_languages() -> None:
    assert_told_in_both_languages(MODEL)


def test_half_the_step_changes_end_states_by_less_than_a_thousandth() -> None:
    assert_half_the_step_agrees(MODEL)


def test_nothing_chatters() -> None:
    # The pandemic and the sale of 2021 turn rates of change up and down a few times more.
    assert_no_chatter(MODEL, turns=8)


@pytest.mark.parametrize(("name", "value"), edges(MODEL))
def test_the_edges_of_every_range_can_be_run(name: str, value: float) -> None:
    assert_survives(MODEL.run(overrides={name: value}), FREE)


@pytest.mark.parametrize("stock", MODEL.stocks)
def test_any_stock_may_start_empty(stock: str) -> None:
    assert_survives(MODEL.run(overrides={stock: 0.0}), FREE)


# --- The figures ------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "within"), [(1999, 0.15), (2003, 0.1), (2014, 0.1), (2018, 0.12)])
def test_near_the_reported_volume(base: Run, year: int, within: float) -> None:
    assert at(base, "gmv", year + 0.5) == pytest.approx(reported("gmv")[year] / 1000, rel=within)


@pytest.mark.parametrize("year", [2017, 2018, 2019])
def test_near_the_reported_volume_without_tickets(base: Run, year: int) -> None:
    volume = reported("marketplace_gmv")[year] / 1000
    assert at(base, "gmv", year + 0.5) == pytest.approx(volume, rel=0.08)


@pytest.mark.parametrize("year", [2018, 2020, 2021, 2022])
def test_near_the_reported_buyers(base: Run, year: int) -> None:
    assert at(base, "buyers", year + 1) == pytest.approx(reported("active_buyers")[year], rel=0.06)


@pytest.mark.parametrize("year", [2020, 2021])
def test_near_the_reported_sellers(base: Run, year: int) -> None:
    assert at(base, "sellers", year + 1) == pytest.approx(reported("sellers")[year], rel=0.12)


@pytest.mark.parametrize("year", [2015, 2016, 2017, 2018])
def test_near_the_reported_take_rate(base: Run, year: int) -> None:
    rate = reported("take_rate")[year] / 100
    assert at(base, "take_rate", year + 0.5) == pytest.approx(rate, rel=0.04)


def test_active_buyers_are_fewer_than_registered_users(base: Run) -> None:
    registered = reported("registered_users")
    assert at(base, "buyers", 1999) <= registered[1998]
    assert at(base, "buyers", 2003) < registered[2002]


# --- The claims -------------------------------------------------------------------------------


def test_it_grows_stands_still_and_shrinks(base: Run) -> None:
    assert np.all(np.diff(base["gmv"][base.time < 2014]) > 0)
    plateau = base["gmv"][(base.time >= 2014.5) & (base.time <= 2021)]
    assert plateau.min() > 74
    assert plateau.max() < 95
    assert at(base, "gmv", 2024) < 0.8 * base["gmv"].max()
    assert at(base, "buyers", 2023) < 0.8 * at(base, "buyers", 2021)


def test_without_the_rival_it_would_have_gone_on(base: Run) -> None:
    run = MODEL.run(scenario="no_rival", save=1 / 16)
    assert at(run, "buyers", 2018) > 1.35 * at(base, "buyers", 2018)
    assert at(run, "gmv", 2025) > 2 * at(base, "gmv", 2025)
    assert at(run, "buyers", 2008) < 1.12 * at(base, "buyers", 2008)


def test_the_sale_explains_a_step_and_not_the_decline() -> None:
    kept = MODEL.run(scenario="nothing_sold")
    assert at(kept, "buyers", 2023) < 0.9 * at(kept, "buyers", 2021)


@pytest.mark.parametrize("scenario", ["free_returns", "better_rule"])
def test_spending_on_trust_keeps_buyers_and_earns_hardly_more(base: Run, scenario: str) -> None:
    run = MODEL.run(scenario=scenario, save=1 / 16)
    assert at(run, "buyers", 2023) > 1.1 * at(base, "buyers", 2023)
    assert at(run, "income", 2010) < at(base, "income", 2010)
    assert run.outcomes["value"] == pytest.approx(base.outcomes["value"], rel=0.05)


def test_half_the_fee_draws_sellers_and_not_volume(base: Run) -> None:
    run = MODEL.run(scenario="half_take", save=1 / 16)
    ratio = at(run, "sellers", 2018) / at(run, "buyers", 2018)
    assert ratio > 1.2 * at(base, "sellers", 2018) / at(base, "buyers", 2018)
    assert at(run, "gmv", 2018) < at(base, "gmv", 2018)
