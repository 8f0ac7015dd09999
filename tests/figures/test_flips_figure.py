"""Flips drawn: a row a parameter, marks where the table says, the nearest first."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np

from flywheel.analysis.levers.flip import FlipRow, Flips
from flywheel.analysis.levers.flip import flips as search
from flywheel.figures.flips import flips
from tests.figures.tables import noted, study, traces, words


@cache
def found() -> Flips:
    """The shop's own flips, and two made up: one parameter flips on one side, with its evidence."""
    table = search(study())
    (up, down) = table.rows
    near = FlipRow(
        parameter="leave", label=("Part that leaves <i>", "떠나는 비율"), value=0.1, at=0.12,
        low=0.05, high=0.2, winner=table.levers[2], distance=0.2, sds=1.5,
    )  # fmt: skip
    far = replace(near, parameter="price", at=0.19, distance=0.9, sds=math.nan)
    return replace(table, rows=(near, up, far, down))


def test_marks_are_parts_of_their_own_range_and_the_nearest_comes_first() -> None:
    figure = flips(found())
    (now,), (marks,) = traces(figure, "now"), traces(figure, "flip")
    assert list(now.meta["parameters"]) == ["leave", "rate", "price"]
    np.testing.assert_allclose(now.x, [(0.1 - 0.05) / 0.15, 0.5, (0.1 - 0.05) / 0.15])
    np.testing.assert_allclose(
        marks.x, [(row.at - row.low) / (row.high - row.low) for row in _by_parameter()]
    )
    assert list(marks.y) == [0, 1, 1, 2]
    assert list(marks.meta["winner"]) == ["kinder", "dearer", "dearer", "kinder"]
    assert noted(figure, "end") == ["0.05", "0.2", "0.2", "0.6", "0.05", "0.2"]


def _by_parameter() -> list[FlipRow]:
    rows = found().rows
    return [rows[0], rows[1], rows[3], rows[2]]


def test_the_thick_part_is_where_another_lever_wins() -> None:
    figure = flips(found())
    thick = [(s.y0, s.x0, s.x1) for s in figure.layout.shapes if s.name == "winning"]
    ends = [(y, end) for y, _, end in thick]
    assert ends == [(0, 1.0), (1, 1.0), (1, 0.0), (2, 1.0)], "down from a flip below, up from above"


def test_winners_and_distances_are_written_out() -> None:
    figure = flips(found())
    assert noted(figure, "winner") == [
        "0.12 → Be kind",
        "0.538 → Charge much more than before<br>0.205 → Charge much more than before",
        "0.19 → Be kind",
    ]
    assert [b.split("</b>")[0].split(">")[1] for b in noted(figure, "beside")] == [
        "20 %", "68.9 %", "90 %",
    ]  # fmt: skip
    assert "1.5 σ" in noted(figure, "beside")[0]
    assert "σ" not in noted(figure, "beside")[1]
    said = words(figure)
    assert "Part that leaves &lt;i&gt;" in said
    assert "best as things are: Tell everybody" in said
    assert "3 of 3 parameters" in said
    assert "10 years from 2000" in said
    assert "standard deviations" in said
    assert "standard deviations" not in words(flips(replace(found(), rows=found().rows[1:])))


def test_words_beneath_stay_on_a_phone() -> None:
    figure = flips(found())
    for note in figure.layout.annotations:
        if note.name == "winner":
            half = max(len(line) for line in note.text.split("<br>")) * 7 / 2
            middle = 64 + note.x * (390 - 128) + (note.xshift or 0)
            assert half - 4 <= middle <= 390 - half + 4


def test_farther_flips_and_lost_points_are_counted() -> None:
    figure = flips(replace(found(), lost=4), top=1, language="ko", dark=True)
    (now,) = traces(figure, "now")
    assert len(now.x) == 1
    said = words(figure)
    assert "더 먼 2개는 생략" in said
    assert "값이 없는 점 4개" in said
    assert "떠나는 비율" in said
    assert "수입 합계" in said


def test_a_choice_that_nothing_changes_is_said_so() -> None:
    figure = flips(replace(found(), rows=(), examined=7))
    assert not figure.data
    assert "None of 7 parameters" in noted(figure, "empty")[0]
    assert "7개" in noted(flips(replace(found(), rows=(), examined=7), language="ko"), "empty")[0]
