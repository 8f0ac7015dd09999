"""What work by other people must show. Thresholds are loose: they hold a claim, not a digit."""

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

MODEL = fw.load("opw")
FREE = ()


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
    assert_no_chatter(MODEL, turns=6)


@pytest.mark.parametrize(("name", "value"), edges(MODEL))
def test_the_edges_of_every_range_can_be_run(name: str, value: float) -> None:
    assert_survives(MODEL.run(overrides={name: value}), FREE)


@pytest.mark.parametrize("stock", MODEL.stocks)
def test_any_stock_may_start_empty(stock: str) -> None:
    assert_survives(MODEL.run(overrides={stock: 0.0}), FREE)


# --- The claims -------------------------------------------------------------------------------


def test_all_in_house_the_backlog_explodes_and_routed_it_does_not() -> None:
    # The stated 4,844 is the run without a model; with one it is less than half.
    assert MODEL.run(scenario="old_ways")["backlog"][-1] == pytest.approx(4844, rel=0.03)
    assert MODEL.run(scenario="all_in_house")["backlog"][-1] == pytest.approx(2289, rel=0.03)
    for route in (0.4, 0.6, 0.8, 1.0):
        assert 45 < MODEL.run(route=route, use_automation=0)["backlog"][-1] < 130
        assert MODEL.run(route=route)["backlog"][-1] < 50


def test_experts_make_nine_times_the_improvements_when_all_is_routed() -> None:
    none, everything = MODEL.run(scenario="all_in_house"), MODEL.run(scenario="all_routed")
    assert none["improvement"][-1] == pytest.approx(16, abs=1)
    assert everything["improvement"][-1] == pytest.approx(149, rel=0.03)


def test_routing_a_fifth_leaves_fewer_improvements_than_routing_nothing() -> None:
    nothing, fifth = MODEL.run(route=0), MODEL.run(route=0.2)
    assert fifth["improvement"][-1] < nothing["improvement"][-1]


def test_without_control_three_times_the_errors_reach_customers(base: Run) -> None:
    # Stated: 157 against 51. The 51 is a run without a model; like for like it is 60.
    careless = MODEL.run(scenario="no_control")
    assert careless["errors_out"][-1] == pytest.approx(157, rel=0.03)
    assert base["errors_out"][-1] == pytest.approx(60, rel=0.03)
    assert MODEL.run(scenario="people_only")["errors_out"][-1] == pytest.approx(51, rel=0.03)
    assert careless.outcomes["cost_total"] > base.outcomes["cost_total"]


def test_automation_reaches_six_tenths_once_labels_accumulate(base: Run) -> None:
    assert base["automation"][-1] == pytest.approx(0.6, abs=0.03)
    assert at(base, "automation", 0.25) < 0.1
    few = MODEL.run(labels_half=5000)
    assert few["automation"][-1] < 0.3
