"""Where to push, drawn: bars, places, times, levels and quadrants are the tables' own numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.levers.dials import Dials, structural_dials
from flywheel.analysis.levers.ladder import LevelRank
from flywheel.analysis.levers.ladder import ladder as climb
from flywheel.analysis.levers.misunderstood import Misunderstood, misunderstood
from flywheel.analysis.levers.ranking import Leverage, leverage
from flywheel.figures.ladder import ladder
from flywheel.figures.leverage import by_horizon, tornado
from flywheel.figures.quadrants import quadrants
from flywheel.figures.theme import DARK, LIGHT
from flywheel.figures.timing import timing
from tests.figures.tables import noted, shop, study, traces, words


@cache
def ranking() -> Leverage:
    return leverage(study())


@cache
def judged() -> Misunderstood:
    return misunderstood(study())


@cache
def structure() -> Dials:
    return structural_dials(study(), ("link", "flow"))


def test_the_bars_of_a_tornado_are_the_effects_at_both_ends_by_rank() -> None:
    table = ranking()
    figure = tornado(table, model=shop())
    (low,), (high,) = traces(figure, "low"), traces(figure, "high")
    order = np.argsort(table.rank[-1])
    np.testing.assert_allclose([c[0] for c in low.customdata], table.at_low[-1, order])
    np.testing.assert_allclose([c[0] for c in high.customdata], table.at_high[-1, order])
    named = figure.layout.yaxis.ticktext
    assert named[0].replace("<br>", " ").startswith(table.labels[order[0]][0][:12])
    said = words(figure)
    assert "Income in all [USD]" in said
    assert "10 years from 2000" in said
    assert "rk4, step 1/4" in said
    assert "by runs" in said


def test_colours_of_a_tornado_are_evidence() -> None:
    figure = tornado(ranking(), model=shop())
    (high,) = traces(figure, "high")
    order = [ranking().names[k] for k in np.argsort(ranking().rank[-1])]
    fills = dict(zip(order, high.marker.color, strict=True))
    assert fills["rate"] == LIGHT.guess
    assert fills["price"] == LIGHT.measured
    assert fills["louder"] == LIGHT.guess, "a lever's is that of its parameter"
    assert "survey" in words(figure)
    (plain,) = traces(tornado(ranking(), dark=True), "high")
    assert set(plain.marker.color) == {DARK.run}


def test_a_tornado_counts_what_it_leaves_out_and_marks_what_it_cuts() -> None:
    figure = tornado(ranking(), top=2)
    assert f"{len(ranking().names) - 2} smaller ones are left out" in words(figure)
    huge = ranking().attainable.copy()
    huge[:, 0] = 1e9
    table = replace(
        ranking(), attainable=huge, at_high=np.where(huge == 1e9, huge, ranking().at_high),
        rank=np.argsort(np.argsort(-np.abs(huge), axis=1), axis=1) + 1,
    )  # fmt: skip
    (high,) = traces(tornado(table), "high")
    assert max(high.x) < 1e5
    assert high.customdata[0][0] == 1e9
    assert noted(tornado(table), "value")[0].endswith("»</b>")


def test_assumed_ranges_have_a_star() -> None:
    table = replace(ranking(), assumed=np.ones(len(ranking().names), dtype=bool))
    said = words(tornado(table))
    assert "* range assumed" in said
    assert " *" in said
    assert "assumed" not in words(tornado(ranking(), top=3))


def test_a_tornado_of_nothing_says_so_and_unknown_horizons_are_refused() -> None:
    none = np.full_like(ranking().attainable, np.nan)
    figure = tornado(replace(ranking(), attainable=none))
    assert not figure.data
    assert noted(figure, "empty")
    assert "실행" in noted(tornado(replace(ranking(), attainable=none), language="ko"), "empty")[0]
    with pytest.raises(fw.UsageError, match="horizons"):
        tornado(ranking(), horizon=4)


def test_the_ranking_by_horizon_keeps_places_and_signs() -> None:
    table = ranking()
    figure = by_horizon(table)
    rows = np.argsort(table.rank[-1])
    assert [trace.meta["element"] for trace in figure.data] == [table.names[k] for k in rows]
    for trace, k in zip(figure.data, rows, strict=True):
        np.testing.assert_array_equal(trace.y, table.rank[:, k])
        for mark, slope in zip(trace.marker.symbol, table.elasticity[:, k], strict=True):
            assert mark == (
                "triangle-up" if slope > 0 else "triangle-down" if slope < 0 else "circle"
            )
    flipped = replace(table, flips=np.arange(len(table.names)) == rows[0])
    drawn = by_horizon(flipped)
    assert [t.line.color == LIGHT.bad for t in drawn.data] == [True] + [False] * (len(rows) - 1)
    assert "changes its sign" in words(drawn)
    assert "changes its sign" not in words(figure)


def test_a_ranking_needs_two_horizons_to_turn() -> None:
    table = ranking()
    one = replace(table, stamp=replace(table.stamp, horizons=(3.0,)))
    assert "two horizons" in noted(by_horizon(one), "empty")[0]


def test_timing_adds_up_to_the_elasticities() -> None:
    table = ranking()
    figure = timing(table, events={"A <fair>": 2004.0, "Long gone": 1980.0})
    (heat,) = traces(figure, "timing")
    sums = np.asarray(heat.z).sum(axis=1)
    found = dict(zip(table.names, table.elasticity[-1], strict=True))
    named = {name: en for name, (en, _) in zip(table.names, table.labels, strict=True)}
    back = {en: name for name, en in named.items()}
    drawn = [tick.replace("<br>", " ") for tick in figure.layout.yaxis.ticktext]
    for tick, total in zip(drawn, sums, strict=True):
        name = next((n for en, n in back.items() if en.startswith(tick[:12])), None)
        if name is not None:
            assert total == pytest.approx(found[name], rel=1e-9)
    assert heat.zmin == -heat.zmax, "colours are centred at nothing"
    assert noted(figure, "event") == ["a"]
    assert "2004 A &lt;fair&gt;" in words(figure)
    assert "adjoint" in words(figure)


def test_timing_of_dials_and_of_some_kinds() -> None:
    table = structure()
    figure = timing(table, kinds=["flow"], language="ko", dark=True)
    (heat,) = traces(figure, "timing")
    flows = [row for row in table.rows if row.kind == "flow" and row.effect[-1] != 0]
    assert len(heat.z) == len(flows)
    wanted = sorted(row.effect[-1] / abs(table.value[-1]) for row in flows)
    np.testing.assert_allclose(sorted(np.asarray(heat.z).sum(axis=1)), wanted, rtol=1e-9)
    assert "유량 오는 손님" in words(figure)
    assert "수입 합계" in words(figure)
    assert noted(timing(table, kinds=["table"]), "empty")
    with pytest.raises(fw.UsageError, match="horizons"):
        timing(table, horizon=99)


def test_timing_stops_at_its_horizon() -> None:
    (heat,) = traces(timing(ranking(), horizon=3), "timing")
    assert max(heat.x) < 2003


def test_the_ladder_has_twelve_levels_and_tests_the_folklore() -> None:
    table = climb(ranking())
    figure = ladder(table, unit="USD")
    (bars,), (dots,) = traces(figure, "largest"), traces(figure, "top3")
    np.testing.assert_array_equal(bars.x, table.biggest)
    np.testing.assert_array_equal(dots.x, table.top3)
    assert [figure.layout.yaxis.ticktext[y].split()[0] for y in bars.y] == [
        str(level) for level in table.levels
    ]
    assert len(noted(figure, "absent")) == 12 - len(table.levels)
    assert "10 years" in words(figure)
    for low, high, said in (
        (-0.9, -0.2, "holds"),
        (0.2, 0.9, "turned round"),
        (-1, 1, "not decide"),
    ):
        drawn = ladder(replace(table, correlation=LevelRank(0.0, low, high, 0.1, 9)))
        assert said in words(drawn)
    few = ladder(replace(table, correlation=LevelRank(np.nan, np.nan, np.nan, np.nan, 1)))
    assert "too few" in words(few)
    assert "완충 재고" in words(ladder(table, language="ko"))


def test_an_empty_ladder_says_so() -> None:
    table = climb(ranking())
    nothing = replace(
        table, levels=(), counts=np.array([], dtype=int), biggest=np.array([]), top3=np.array([]),
        shares=np.array([]), best=(),
    )  # fmt: skip
    assert noted(ladder(nothing), "empty")


def test_quadrants_show_chance_and_size_by_sign() -> None:
    table = judged()
    worth = np.array([-1.0, 2.0, 3.0])
    mixed = replace(table, worth=worth)
    figure = quadrants(mixed)
    (up,), (down,) = traces(figure, "raises"), traces(figure, "lowers")
    assert down.meta["levers"] == ["dearer"]
    assert set(up.meta["levers"]) == {"louder", "kinder"}
    assert (up.marker.symbol, down.marker.symbol) == ("triangle-up", "triangle-down")
    assert (up.marker.color, down.marker.color) == (LIGHT.good, LIGHT.bad)
    np.testing.assert_array_equal(down.x, table.verdicts.mui[[0]])
    np.testing.assert_array_equal(down.y, table.verdicts.size[[0]])
    assert len(noted(figure, "lever")) == 3
    said = words(figure)
    assert "Income in all" in said
    assert "2.5 years ahead" in said, "how far observers look"
    assert "오해받음" in words(quadrants(table, language="ko"))


def test_levers_without_a_value_are_counted_not_drawn() -> None:
    worth = judged().worth.copy()
    worth[0] = np.nan
    figure = quadrants(replace(judged(), worth=worth))
    assert sum(len(t.x) for t in figure.data) == 2
    assert "1 without a value left out" in words(figure)
    none = quadrants(replace(judged(), worth=np.full(3, np.nan)))
    assert noted(none, "empty")
