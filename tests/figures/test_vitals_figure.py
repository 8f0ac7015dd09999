"""Vital signs drawn: the course and the moment are the table's, break-even is a gain of 1."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from flywheel.analysis.loops.vitals import Vitals
from flywheel.analysis.loops.vitals import vitals as signs
from flywheel.figures.theme import DARK, LIGHT
from flywheel.figures.vitals import vitals
from tests.figures.tables import noted, shop, study, traces, words


@cache
def found() -> Vitals:
    return signs(study(), 2002.0, pushes={"rate": 0.2}, cut=("price", 0.1))


def test_both_courses_stand_over_the_same_time_with_the_moment_in_them() -> None:
    table = found()
    figure = vitals(table, model=shop())
    (rate,), (gain,) = traces(figure, "rate"), traces(figure, "gain")
    np.testing.assert_array_equal(rate.x, np.unique([*table.times, 2002.0]))
    kept = table.times != 2002.0
    np.testing.assert_allclose(rate.y[rate.x != 2002.0], table.rates[kept])
    np.testing.assert_allclose(gain.y[gain.x != 2002.0], table.gains[kept])
    assert float(gain.y[gain.x == 2002.0][0]) == table.gain
    marks = [(float(t.x[0]), float(t.y[0])) for t in traces(figure, "moment")]
    assert marks == [(2002.0, table.rate), (2002.0, table.gain)]
    said = words(figure)
    assert "Income in all" in said
    assert "3 and 10 years from 2000" in said
    assert "core of 2 stocks" in said
    assert "28.6 % a year, doubling in 2.43 years" in said
    assert "1.77, it spins" in said
    assert figure.layout.xaxis.matches == "x2"


def test_break_even_is_a_gain_of_one_and_what_lies_above_is_shaded() -> None:
    figure = vitals(found())
    (line,) = [s for s in figure.layout.shapes if s.name == "break-even"]
    assert line.y0 == line.y1 == 1.0
    assert line.yref == "y2"
    shaded = [t for t in traces(figure, "above") if t.meta["row"] == 2]
    assert shaded
    assert min(min(t.y) for t in shaded) == 1.0
    # the course falls through 1 between 2008 and 2008.5
    assert 2008.0 < max(max(t.x) for t in shaded) < 2008.5
    assert noted(figure, "break-even") == ["break-even"]


def test_a_flywheel_that_does_not_turn_is_said_so() -> None:
    still = replace(found(), gain=0.4, rate=-0.02, doubling=float("nan"))
    said = words(vitals(still))
    assert "it does not spin" in said
    assert "2002: −2 % a year" in said
    assert "doubling" not in said
    assert "스스로 돌지 못함" in words(vitals(still, language="ko"))


def test_a_peak_that_dwarfs_the_rest_is_cut_off_and_written_out() -> None:
    rates = found().rates.copy()
    rates[0] = 50.0
    figure = vitals(replace(found(), rates=rates))
    assert noted(figure, "beyond") == ["▲ 5,000 %"]
    assert figure.layout.yaxis.range[1] < 1.0
    assert "beyond the scale" in words(figure)
    (rate,) = traces(figure, "rate")
    assert max(rate.y) < 1.0
    assert not noted(vitals(found()), "beyond")


def test_gaps_stay_gaps_and_are_explained() -> None:
    gains = found().gains.copy()
    gains[8:12] = np.nan
    figure = vitals(replace(found(), gains=gains))
    (line,) = [t for t in traces(figure, "line") if t.meta["row"] == 2]
    inside = (line.x > found().times[8]) & (line.x < found().times[11])
    assert np.isnan(line.y[inside]).all()
    assert not line.connectgaps
    assert "gaps: no feedback" in words(figure)


def test_loops_and_the_questions_asked_stand_below() -> None:
    table = found()
    (key,) = noted(vitals(table, model=shop()), "key")
    assert "R1 “Guests talk, talk brings guests”" in key
    left = 100 * float(table.momentum.remains[-1]) if table.momentum else 0.0
    assert f"{left:.3g} %" in key
    assert "left after 10 years without How fast word" in key
    (korean,) = noted(vitals(table, model=shop(), language="ko", dark=True), "key")
    assert "손님이 손님을 부른다" in korean
    assert DARK.reinforcing in korean


def test_colours_follow_the_mode() -> None:
    for dark, colors in ((False, LIGHT), (True, DARK)):
        (line, _) = traces(vitals(found(), dark=dark), "line")
        assert line.line.color == colors.run


@pytest.mark.parametrize("language", ["en", "ko"])
def test_without_feedback_there_is_nothing_to_show(language: str) -> None:
    nothing = np.full_like(found().rates, np.nan)
    empty = replace(
        found(), rates=nothing, gains=nothing, rate=np.nan, gain=np.nan,
        reason="no feedback acts on the outcome",
    )  # fmt: skip
    figure = vitals(empty, language=language)
    assert not figure.data
    assert noted(figure, "empty")
