"""Robust rankings drawn: chances, bands and signs are the table's, on a scale that can be read."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from flywheel.analysis.levers.misunderstood import RobustlyMisunderstood, misunderstood_under
from flywheel.analysis.levers.robust import RobustRanking
from flywheel.analysis.levers.robust import robust as ranking
from flywheel.figures.robust import misunderstood, robust
from flywheel.figures.rows import Scale, scale_of
from flywheel.figures.theme import LIGHT
from tests.figures.tables import noted, study, traces, words


@cache
def found() -> RobustRanking:
    return ranking(study(), draws=32)


@cache
def judged() -> RobustlyMisunderstood:
    return misunderstood_under(study(), draws=32)


def _with(effects: list[list[float]], positive: list[float]) -> RobustRanking:
    """The ranking with other effects at its last horizon."""
    table = found()
    last = replace(table.spreads[-1], effects=np.array(effects), positive=np.array(positive))
    return replace(table, spreads=(*table.spreads[:-1], last))


def test_levers_stand_by_their_chance_to_be_first() -> None:
    table = found()
    one = table.spreads[-1]
    figure = robust(table, unit="USD")
    (chance,), (band,), (median,) = (traces(figure, r) for r in ("chance", "band", "median"))
    order = np.argsort(-one.first, kind="stable")
    np.testing.assert_allclose(chance.x, one.first[order])
    base = np.array(band.base, dtype=float)
    np.testing.assert_allclose(base, one.effects[order, 0])
    np.testing.assert_allclose(base + band.x, one.effects[order, 2])
    np.testing.assert_allclose(median.x, one.effects[order, 1])
    assert noted(figure, "row")[0] == table.levers[order[0]].label
    assert noted(figure, "last")[0] == f"{100 * one.positive[order[0]]:.0f} %"
    said = words(figure)
    assert "Income in all [USD]" in said
    assert "10 years from 2000" in said
    assert "32 draws of 3 numbers" in said
    assert "logarithmic" not in said
    early = robust(table, horizon=0)
    assert "3 years from 2000" in words(early)
    np.testing.assert_allclose(
        sorted(traces(early, "median")[0].x), sorted(table.spreads[0].effects[:, 1])
    )


def test_colours_say_how_sure_the_sign_is() -> None:
    table = _with([[1, 2, 3], [-3, -2, -1], [-1, 0, 1]], [1.0, 0.0, 0.5])
    (median,) = traces(robust(table), "median")
    order = np.argsort(-table.spreads[-1].first, kind="stable")
    wanted = np.array([LIGHT.run, LIGHT.bad, LIGHT.muted])[order]
    assert list(median.marker.color) == list(wanted)


def test_a_lever_without_effect_neither_raises_nor_lowers() -> None:
    table = _with([[0, 0, 0], [-3, -2, -1], [-1, 0, 1]], [0.0, 0.0, 0.5])
    figure = robust(table)
    place = noted(figure, "row").index(table.levers[0].label[:60])
    assert traces(figure, "median")[0].marker.color[place] == LIGHT.muted
    assert noted(figure, "last")[place] == "–"


def test_huge_bands_get_a_scale_that_says_so() -> None:
    table = _with([[-1e5, 1, 1e5], [-2, 2, 8], [0.1, 0.5, 4]], [0.5, 0.9, 1.0])
    figure = robust(table, unit="USD")
    said = words(figure)
    assert "linear to ±10 USD, logarithmic beyond" in said
    assert "1 (−100,000 … 100,000)" in said, "the numbers are as they are"
    (band,) = traces(figure, "band")
    assert max(np.array(band.base, dtype=float) + band.x) == pytest.approx(5.0)
    assert "−100,000" in (figure.layout.xaxis2.ticktext or ())
    assert "눈금은 ±10 USD까지 선형" in words(robust(table, unit="USD", language="ko"))


def test_a_bent_scale_is_odd_rising_and_joins_at_its_core() -> None:
    scale = Scale(2.0)
    np.testing.assert_allclose(
        scale.place([-20, -2, -1, 0, 1, 2, 20]), [-2, -1, -0.5, 0, 0.5, 1, 2]
    )
    wide = np.linspace(-1e4, 1e4, 2001)
    assert (np.diff(scale.place(wide)) > 0).all()
    at, texts = scale.ticks(-300.0, 30.0)
    assert texts == ["−200", "−2", "0", "2"]
    np.testing.assert_allclose(at, scale.place([-200, -2, 0, 2]))
    assert not Scale().bent
    np.testing.assert_array_equal(Scale().place([3.0, -4e6]), [3.0, -4e6])


def test_the_scale_is_linear_where_that_can_be_read() -> None:
    assert not scale_of(np.array([-5.0, 9.0, 0.0]), np.array([1.0, 2.0])).bent
    assert not scale_of(np.array([]), np.array([])).bent
    assert not scale_of(np.zeros(4), np.zeros(2)).bent
    assert scale_of(np.array([-5.0, 900.0]), np.array([1.0, 2.0])).core == 1.0
    # one freak of 1e9 must not push the others into the core's last pixel, nor out of it
    assert scale_of(np.array([-5.0, 1e9]), np.array([1.0, 2.0])).core == 1e5


def test_levers_without_values_and_lost_draws_are_counted() -> None:
    effects = found().spreads[-1].effects.copy()
    effects[1] = np.nan
    table = _with(effects.tolist(), [1.0, math.nan, 1.0])
    last = replace(table.spreads[-1], ranked=30)
    table = replace(table, spreads=(*table.spreads[:-1], last))
    figure = robust(table)
    assert len(noted(figure, "row")) == 2
    said = words(figure)
    assert "1 levers without a value left out" in said
    assert "2 draws without a value left out" in said
    assert "1 smaller one is left out" in words(robust(found(), top=2))


def test_the_index_of_misjudgement_stands_with_chance_band_and_patience() -> None:
    table = judged()
    patience = np.array([4.5, math.inf, 0.0])
    figure = misunderstood(replace(table, patience=patience))
    order = np.lexsort((-table.mli[:, 1], -table.good))
    np.testing.assert_allclose(traces(figure, "chance")[0].x, table.good[order])
    np.testing.assert_allclose(traces(figure, "median")[0].x, table.mli[order, 1])
    shown = np.array(["4.5", "never", "0"])[order]
    assert noted(figure, "last") == list(shown)
    said = words(figure)
    assert "years to pay back" in said
    assert "2.5 years ahead" in said
    assert "32 draws of 3 numbers" in said
    korean = words(misunderstood(table, language="ko", dark=True))
    assert "기간 (년)" in korean
    assert "홍보 강화" in korean


def test_tables_without_values_say_so() -> None:
    nothing = np.full((3, 3), np.nan)
    assert noted(robust(_with(nothing.tolist(), [np.nan] * 3)), "empty")
    assert noted(misunderstood(replace(judged(), mli=nothing)), "empty")
