"""What data as an asset must show: licence, subscription, broker. A claim each, not a digit."""

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

MODEL = fw.load("iot_data_asset")
FREE = ("cum_cash",)


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


@pytest.fixture(scope="module")
def licence() -> Run:
    return MODEL.run(scenario="licence_only", save=1 / 16)


def cash(year: float = 12, **overrides: float) -> float:
    run = MODEL.run(overrides=overrides)
    return float(np.interp(year, run.time, run["cum_cash"]))


def crossing(legal: float) -> float:
    """The year from which the subscription has earned more than the licence."""
    sold = MODEL.run(legal=legal, licence_share=1, save=1 / 16)
    rented = MODEL.run(legal=legal, save=1 / 16)
    ahead = np.flatnonzero(rented["cum_cash"] > sold["cum_cash"])
    # Ahead once, ahead to the end.
    assert np.all(np.diff(ahead) == 1)
    assert ahead[-1] == len(rented.time) - 1
    return float(rented.time[ahead[0]])


# --- The text ---------------------------------------------------------------------------------


def test_strict_clean_and_all_its_own_checks_hold() -> None:
    assert_strict_clean(MODEL, checks=70)


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


@pytest.mark.parametrize(("name", "low", "high"), [("q_base", 0.1, 0.6), ("legal", 0.0, 6.0)])
def test_the_five_questions_may_set_what_they_set(name: str, low: float, high: float) -> None:
    # What analysis/sending writes when judgements are at their ends: 0 and 1.
    param = MODEL.params[name]
    assert (param.low, param.high) == (low, high)


# --- The claims -------------------------------------------------------------------------------


def test_the_licence_is_ahead_first_and_the_subscription_later(base: Run, licence: Run) -> None:
    stated = {3: (-0.15, -0.18), 6: (-0.19, -0.26), 12: (0.13, 0.34)}
    for year, (sold, rented) in stated.items():
        index = round(year * 16)
        assert licence["cum_cash"][index] == pytest.approx(sold, abs=0.02)
        assert base["cum_cash"][index] == pytest.approx(rented, abs=0.02)
    assert crossing(2) == pytest.approx(9.5, abs=0.75)


def test_strict_law_brings_the_crossing_forward() -> None:
    years = [crossing(legal) for legal in (0, 1, 2, 4, 6)]
    assert np.all(np.diff(years) < 0)
    assert 10.5 < years[0] < 12
    assert 8 < years[-1] < 9


@pytest.mark.parametrize(("legal", "stated"), [(0, 0.43), (2, 0.34), (6, 0.22)])
def test_strictness_of_the_law(legal: float, stated: float) -> None:
    assert cash(legal=legal) == pytest.approx(stated, abs=0.02)


def test_brokering_half_the_data_turns_the_case_negative() -> None:
    assert cash(broker=0.5) == pytest.approx(-0.19, abs=0.03)


def test_spending_on_quality_has_a_best_inside_its_range() -> None:
    # The spec states three values without the spending; they are met at 0, 0.02 and 0.06.
    for spending, stated in ((0, -0.06), (0.02, 0.34), (0.06, 0.06)):
        assert cash(qual_spend=spending) == pytest.approx(stated, abs=0.02)
    grid = np.linspace(0, 0.1, 51)
    best = grid[int(np.argmax([cash(qual_spend=each) for each in grid]))]
    assert best == pytest.approx(0.022, abs=0.004)


# --- What nobody stated, and the model says all the same ----------------------------------------


def test_brokering_never_pays_at_the_price_assumed() -> None:
    for legal in (0, 0.5, 2, 6):
        sums = [cash(legal=legal, broker=share) for share in (0, 0.1, 0.25, 0.5)]
        assert np.all(np.diff(sums) < 0)


def test_a_better_price_makes_brokering_pay_up_to_a_strictness_of_one() -> None:
    gain = [
        cash(legal=legal, broker=0.25, broker_price=0.02) - cash(legal=legal)
        for legal in (0, 0.5, 0.9, 1.1, 2)
    ]
    assert np.all(np.diff(gain) < 0)
    assert gain[2] > 0 > gain[3]


def test_a_licence_half_as_dear_again_is_still_ahead_at_twelve() -> None:
    # The crossing is no law of nature: it hangs on what a licence fetches.
    assert cash(licence_share=1, licence_price=0.12) > cash()


def test_skill_falls_before_it_rises(base: Run) -> None:
    lowest = int(np.argmin(base["skill"]))
    assert base["skill"][lowest] < 0.5 * base["skill"][0]
    assert 1 < base.time[lowest] < 2
    assert base["skill"][-1] > 0.8


def test_without_a_first_push_there_is_no_flywheel(base: Run) -> None:
    idle = MODEL.run(scenario="no_push")
    assert idle["devices"][-1] < 0.1 * base["devices"][-1]
    assert idle["cum_cash"][-1] < -0.3


def test_licences_first_and_subscriptions_later_do_not_give_both(base: Run, licence: Run) -> None:
    mixed = MODEL.run(scenario="licence_first")
    assert licence["cum_cash"][-1] < mixed["cum_cash"][-1] < base["cum_cash"][-1]
