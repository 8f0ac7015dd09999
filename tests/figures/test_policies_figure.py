"""Robust choices drawn: regrets and wins by policy, and the box of the draws that fail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from flywheel.analysis.decide.policies import RobustChoice, robust_choice
from flywheel.figures.numbers import rounded
from flywheel.figures.policies import box, regret
from flywheel.figures.theme import DARK, LIGHT
from tests.figures.tables import noted, study, traces, words


@cache
def found() -> RobustChoice:
    return robust_choice(study(), draws=64)


@cache
def boxed() -> RobustChoice:
    """Where being kind does not bring 1500 USD: mostly where word spreads slowly."""
    return robust_choice(study(), draws=128, target=1500.0, examine="kinder")


def test_policies_stand_by_regret_with_their_wins() -> None:
    table = found()
    figure = regret(table)
    (bars,), (dots,) = traces(figure, "regret"), traces(figure, "wins")
    order = np.argsort(table.regret.high_regret, kind="stable")
    assert list(bars.meta["policies"]) == [table.policies[k].name for k in order]
    np.testing.assert_allclose([c[0] for c in bars.customdata], table.regret.high_regret[order])
    np.testing.assert_allclose(dots.x, table.wins[order])
    np.testing.assert_allclose(dots.x + dots.error_x.array, table.wins_high[order])
    np.testing.assert_allclose(dots.x - dots.error_x.arrayminus, table.wins_low[order])
    assert list(bars.marker.color) == [LIGHT.run] + [LIGHT.baseline] * 3
    assert noted(figure, "row")[0] == "<b>Tell everybody</b>"
    assert "Doing nothing" in noted(figure, "row")
    best = rounded(float(table.regret.high_regret[order[0]]))
    assert noted(figure, "regret")[0] == f"<b>{best}</b>"
    said = words(figure)
    assert "Income in all [USD]" in said
    assert "10 years from 2000" in said
    assert "64 draws of 3 uncertain numbers" in said
    assert "90 % of the draws" in said
    assert "costs of levers not taken off" in said


def test_a_regret_that_dwarfs_the_others_is_cut_off_and_marked() -> None:
    high = found().regret.high_regret.copy()
    high[0] = 1e9
    figure = regret(replace(found(), regret=replace(found().regret, high_regret=high)))
    (bars,) = traces(figure, "regret")
    assert max(bars.x) < 1e5
    assert noted(figure, "regret")[-1].endswith(" »")
    assert "beyond the scale" in words(figure)
    assert "beyond the scale" not in words(regret(found()))


def test_regrets_speak_korean_in_the_dark() -> None:
    figure = regret(found(), language="ko", dark=True, top=2)
    said = words(figure)
    assert "홍보 강화" in said
    assert "더 작은 2개" not in said, "those left out are the larger ones"
    assert "후회가 더 큰 정책 2개 생략" in said
    assert traces(figure, "regret")[0].marker.color[0] == DARK.run


def test_without_a_draw_to_judge_nothing_is_compared() -> None:
    none = replace(found().regret, scenarios=())
    assert noted(regret(replace(found(), regret=none)), "empty")


def test_the_box_lies_within_the_range_that_was_drawn() -> None:
    table = boxed()
    figure = box(table)
    (line,) = traces(figure, "box")
    assert line.meta["parameter"] == "rate"
    k = table.names.index("rate")
    low, high = table.rows[:, k].min(), table.rows[:, k].max()
    limit = table.box.high[table.box.names.index("rate")]
    assert line.x[0] == 0.0, "unlimited below"
    assert line.x[1] == pytest.approx((limit - low) / (high - low))
    assert noted(figure, "end") == [rounded(low), rounded(high)]
    assert f"≤ {rounded(limit)}" in noted(figure, "beside")[0]
    said = words(figure)
    assert "Where “Be kind” fails" in said
    assert "misses 1,500 USD" in said
    assert f"{100 * table.box.coverage:.0f} % of the failures" in said
    assert "in 128 fresh draws" in said
    assert "2010" not in said
    assert "「친절」" in words(box(table, language="ko", dark=True))


def test_a_box_with_two_ends_is_written_as_a_range() -> None:
    low = boxed().box.low.copy()
    low[boxed().box.names.index("rate")] = 0.25
    figure = box(replace(boxed(), box=replace(boxed().box, low=low)))
    assert "0.25 …" in noted(figure, "beside")[0]


def test_why_there_is_no_box() -> None:
    never = box(found())
    assert "fails in none of 64 draws" in noted(never, "empty")[0].replace("<br>", " ")
    idle = box(replace(found(), examined="nothing"), language="ko")
    assert "목표" in noted(idle, "empty")[0]
    table = boxed()
    assert table.trial is not None
    count = len(table.box.names)
    bare = replace(table.box, low=np.full(count, -np.inf), high=np.full(count, np.inf))
    unborne = replace(table, box=bare, trial=replace(table.trial, low=0.0))
    (why,) = noted(box(unborne), "empty")
    assert "On fresh draws" in why.replace("<br>", " ")
    (plain,) = noted(box(replace(unborne, trial=None)), "empty")
    assert "fresh" not in plain
