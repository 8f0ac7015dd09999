"""What the stage must show. Thresholds are loose: they hold a claim, not a digit."""

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

MODEL = fw.load("creators")
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
    assert_no_chatter(MODEL, turns=6)


@pytest.mark.parametrize(("name", "value"), edges(MODEL))
def test_the_edges_of_every_range_can_be_run(name: str, value: float) -> None:
    assert_survives(MODEL.run(overrides={name: value}), FREE)


@pytest.mark.parametrize("stock", MODEL.stocks)
def test_any_stock_may_start_empty(stock: str) -> None:
    assert_survives(MODEL.run(overrides={stock: 0.0}), FREE)


# --- The claims -------------------------------------------------------------------------------


@pytest.mark.parametrize(("thousands", "stated"), [(20, 1.1), (40, 4.3), (80, 44.5)])
def test_critical_mass_within_twelve_years_lies_between_40_and_80_thousand(
    thousands: float, stated: float
) -> None:
    run = MODEL.run(creators0=thousands)
    assert run["viewers"][-1] == pytest.approx(stated, rel=0.1)


def test_guarantees_tip_five_thousand_creators() -> None:
    without, paid = MODEL.run(scenario="tiny"), MODEL.run(scenario="tiny_paid")
    assert without["viewers"][-1] == pytest.approx(0.5, abs=0.1)
    assert paid["viewers"][-1] == pytest.approx(178, rel=0.05)


def test_two_states_are_possible_and_the_tipping_point_is_below_twenty_thousand() -> None:
    ends = {count: MODEL.run(creators0=count, stop=60)["viewers"][-1] for count in (15, 18, 20, 80)}
    assert ends[15] < 0.01
    assert ends[18] < 0.1
    assert ends[20] == pytest.approx(ends[80], rel=0.01)
    assert ends[80] > 200


def test_what_was_tipped_stays_after_the_guarantees_stop() -> None:
    run = MODEL.run(scenario="two_year_guarantee", stop=30)
    assert run["viewers"][-1] > 200
    assert run.outcomes["subsidy_total"] == pytest.approx(0.2, rel=0.01)


def test_more_creators_first_share_and_then_draw_the_audience(base: Run) -> None:
    many = MODEL.run(scenario="eighty", save=1 / 16)
    gap = many["audience_per_creator"] - base["audience_per_creator"]
    assert np.all(gap[base.time <= 0.75] < 0)
    assert np.all(gap[base.time >= 2] > 0)
