"""What the payment network must show. Thresholds are loose: they hold a claim, not a digit."""

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

MODEL = fw.load("payments")
FREE = ("cum_cash",)
BASIS_POINT = 1e-4


@pytest.fixture(scope="module")
def base() -> Run:
    return MODEL.run(save=1 / 16)


def at(run: Run, name: str, time: float) -> float:
    return float(np.interp(time, run.time, run[name]))


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


def test_fraud_falls_as_labels_accumulate(base: Run) -> None:
    points = base["fraud_rate"] / BASIS_POINT
    assert points[0] == pytest.approx(102, abs=2)
    assert points[-1] == pytest.approx(43, abs=2)
    # On the way attackers come before labels do.
    peak = int(np.argmax(points))
    assert points[peak] == pytest.approx(112, abs=3)
    assert 0.5 < base.time[peak] < 2.5
    assert np.all(np.diff(points[peak:]) < 0)


def test_it_is_the_labels_that_lower_fraud() -> None:
    ignorant = MODEL.run(scenario="no_learning")
    assert ignorant["fraud_rate"][-1] > 1.5 * ignorant["fraud_rate"][0]


@pytest.mark.parametrize(("fee", "sign"), [(0.02, -1), (0.029, 1)])
def test_two_percent_loses_cash_and_two_point_nine_earns_it(fee: float, sign: int) -> None:
    run = MODEL.run(fee=fee)
    assert np.sign(run["cum_cash"][-1]) == sign
    assert abs(run["cum_cash"][-1]) > 1


def test_a_higher_fee_always_earns_more_in_its_range() -> None:
    # An honest limit of the model: the alternative's fee never moves.
    fees = np.linspace(0.01, 0.04, 13)
    cash = [MODEL.run(fee=fee)["cum_cash"][-1] for fee in fees]
    merchants = [MODEL.run(fee=fee)["merchants"][-1] for fee in fees]
    assert np.all(np.diff(cash) > 0)
    assert np.all(np.diff(merchants) < 0)


def test_fresh_labels_are_worth_about_a_tenth_of_a_point_on_the_fee(base: Run) -> None:
    fresh = MODEL.run(scenario="fresh")["cum_cash"][-1] - base["cum_cash"][-1]
    tenth = MODEL.run(fee=0.030)["cum_cash"][-1] - base["cum_cash"][-1]
    assert 0.8 * tenth < fresh < 1.5 * tenth


def test_both_sides_need_each_other(base: Run) -> None:
    one_sided = MODEL.run(c_q=0)
    assert one_sided["consumers"][-1] < 0.5 * base["consumers"][-1]
    assert one_sided["merchants"][-1] < base["merchants"][-1]
