"""Sentences about levers say what happened: a loan is no return, a small dip no gain from the start."""

from __future__ import annotations

import pytest

import flywheel as fw
from flywheel.analysis.levers.words import moment
from flywheel.studies import Study

TEXT = """model words
time 0 to 10 [year] step 1/16 save 1/4
param u = 0 in -1 .. 1
param v = 0 in 0 .. 1
aux trend = 10 + u * (2 - time) + v * (time - 0.05)
stock money = 0 gains profit
flow profit = trend
outcome earned = total profit
lever skim "Skim" = u to 1
lever invest "Invest" = u to -1
lever polish "Polish" = v to 1
"""


@pytest.fixture(scope="module")
def study() -> Study:
    return fw.parse(TEXT).study("earned")


def test_an_early_gain_is_a_loan_and_is_used_up(study: Study) -> None:
    """d = 2 - t: the sum of it is 0 at t = 4; what is gained at first costs a rate, and earns none."""
    found = study.dip("skim")
    assert found.shape == "better before worse"
    english, korean = found.explain(), found.explain("ko")
    assert "As a loan its early gain costs" in english
    assert "the gain is used up after 4 years" in english
    assert "return" not in english
    assert "4년 뒤에 다 사라집니다" in korean
    assert "내부수익률" not in korean


def test_an_early_gain_that_outlasts_the_study_is_no_loan(study: Study) -> None:
    found = study.dip("skim", until=3)
    assert found.shape == "better before worse"
    assert "not used up by then" in found.explain()
    assert "다 사라지지는 않습니다" in found.explain("ko")


def test_an_investment_has_a_return(study: Study) -> None:
    found = study.dip("invest")
    assert "it pays back after 4 years; its internal rate of return is" in found.explain()
    assert "4년 뒤 회수됩니다. 내부수익률은" in found.explain("ko")


def test_a_dip_too_small_to_feel_is_told(study: Study) -> None:
    found = study.dip("polish")
    assert found.shape == "better"
    assert "better (and nowhere worse by as much as 1%)" in found.explain()
    assert "1% 미만의 손해" in found.explain("ko")


def test_years_from_a_start_are_no_calendar_years() -> None:
    assert moment(2005.5, "year") == "2005.5"
    assert moment(2005.5, "year", korean=True) == "2005.5년"
    assert moment(0, "year") == "year 0"
    assert moment(3, "year", korean=True) == "3년 시점"
    assert moment(3, "week") == "3"
    assert moment(3, "week", korean=True) == "시점 3"


def test_a_rank_correlation_is_said_in_words(study: Study) -> None:
    found = study.misunderstood()
    assert "The rankings of levers after 2.5 years and until year 10" in found.explain()
    assert "Kendall's tau" in found.explain()
    assert "켄달 τ" in found.explain("ko")
