"""A dip drawn: the difference, its sum, and where it turns and pays back."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from flywheel.analysis.levers.dip import Dip
from flywheel.analysis.levers.dip import dip as measure
from flywheel.analysis.levers.swing import swing
from flywheel.figures.dip import dip
from tests.figures.tables import noted, shop, study, traces, words


@cache
def real() -> Dip:
    return measure(study(), "dearer")


def made(sign: float) -> Dip:
    """A ramp from −1 by 1/5 a year or its mirror."""
    times = np.arange(0.0, 20.25, 0.25)
    line = sign * (times / 5 - 1)
    one, other = (swing(times, s * line[None, :], 1.0) for s in (1.0, -1.0))
    return replace(
        real(), start=2002.0, times=times, difference=line, usual=np.ones_like(times), scale=1.0,
        discount=0.0, swing=one, mirror=other,
    )  # fmt: skip


def test_the_curves_are_the_difference_and_its_integral() -> None:
    table = made(1)
    figure = dip(table)
    (line,), (worth,) = traces(figure, "difference"), traces(figure, "worth")
    np.testing.assert_array_equal(line.x, 2002 + table.times)
    np.testing.assert_array_equal(line.y, table.difference)
    np.testing.assert_allclose(worth.y, table.times**2 / 10 - table.times, atol=1e-12)
    assert worth.y[-1] == pytest.approx(table.swing.npv[0])
    ahead, behind = traces(figure, "ahead")[0], traces(figure, "behind")[0]
    assert min(ahead.y) == 0
    assert max(behind.y) == 0
    assert 2007 in list(ahead.x), "the crossing is a node of the areas"


def test_turn_debt_and_pay_back_are_named_where_they_are() -> None:
    figure = dip(made(1))
    marks = [(t.x[0], t.y[0]) for t in traces(figure, "mark")]
    assert marks == [(2002, -1), (2007, 0), (pytest.approx(2007), pytest.approx(-2.5)), (2012, 0)]
    assert noted(figure, "crossing") == ["ahead from 2007", "paid back 2012"]
    assert any("owed at most 2.5" in text for text in noted(figure, "extreme"))
    assert any("−100" in text for text in noted(figure, "extreme"))
    assert "worse before better" in words(figure)


def test_a_quick_fix_is_read_the_other_way_round() -> None:
    figure = dip(made(-1), language="ko", dark=True)
    assert noted(figure, "crossing") == ["2007부터 뒤처짐", "2012에 이득 소진"]
    assert "먼저 좋아졌다가 나빠짐" in words(figure)
    assert "끝까지 회수되지 않음" not in words(figure)


def test_what_lies_before_the_pull_is_shaded() -> None:
    figure = dip(real(), model=shop())
    before = [(s.x0, s.x1) for s in figure.layout.shapes if s.name == "before"]
    assert before == [(2000, 2002)] * 2, "in both panels"
    assert list(figure.layout.xaxis.range) == [2000, 2010]
    at_once = replace(real(), start=2000.0)
    assert not [s for s in dip(at_once).layout.shapes if s.name == "before"]


def test_it_says_what_lever_outcome_horizon_and_method() -> None:
    said = words(dip(real(), model=shop()))
    for part in ("Charge much more", "Income (Income in all)", "10 years from 2000", "pulled 2002",
                 "rk4, step 1/4", "USD/year"):  # fmt: skip
        assert part in said, part
    assert "가격 인상" in words(dip(real(), language="ko"))
    assert "up is better" in words(dip(replace(real(), better=-1)))


def test_never_ahead_is_said_and_a_failed_run_has_no_curve() -> None:
    worse = made(1)
    line = np.full_like(worse.times, -1.0)
    one, other = (swing(worse.times, s * line[None, :], 1.0) for s in (1.0, -1.0))
    said = words(dip(replace(worse, difference=line, swing=one, mirror=other)))
    assert "not ahead by the end" in said
    assert "not paid back by the end" in said
    lost = np.full_like(worse.times, np.nan)
    failed = swing(worse.times, lost[None, :], 1.0)
    figure = dip(replace(worse, difference=lost, swing=failed, mirror=failed))
    assert noted(figure, "empty")
    assert not figure.data
