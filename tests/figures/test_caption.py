"""Folding and placing text: nothing overlaps, nothing runs over, on a phone or on a page."""

from __future__ import annotations

import itertools

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.analysis.stamp import Stamp
from flywheel.figures import caption
from flywheel.figures.placing import Box, offsets
from flywheel.figures.shades import at, diverging, ink_on, luminance, mix, ranked
from flywheel.figures.theme import DARK, LIGHT, Palette

STAMP = Stamp("m", "hash", "value", (3.0, 10.0), 2000.0, "year", "rk4", 1 / 16)


@given(st.text(alphabet="ab 가나 %", max_size=80), st.integers(4, 30))
def test_folding_keeps_every_letter_and_the_width(text: str, room: int) -> None:
    lines = caption.fold(text, room)
    assert all(caption.width(line) <= room for line in lines)
    plain = "".join(lines).replace(caption.NO_BREAK, "").replace(" ", "")
    assert plain == text.replace(" ", "")


def test_too_many_lines_end_in_an_ellipsis() -> None:
    assert caption.fold("one two three four five", 9, 2) == ["one two", "three fo…"]
    assert caption.cut("가나다라", 5) == "가나…"
    assert caption.cut("가나", 4) == "가나"
    assert caption.label("a & b") == "a &amp; b"
    assert caption.fold("grows by 5 % a year", 10) == ["grows by", "5\u00a0% a year"]


def test_the_receipt_says_outcome_horizon_and_method_in_both_languages() -> None:
    english = caption.receipt(STAMP, "en", "by runs").replace("\u00a0", " ")
    assert english == "value · 3 and 10 years from 2000 · by runs · rk4, step 1/16"
    korean = caption.receipt(STAMP, "ko", outcome="가치", horizons=[10]).replace("\u00a0", " ")
    assert korean == "가치 · 2000부터 10년 · rk4, 간격 1/16"
    assert caption.receipt(None, "en", "by hand", outcome="x").startswith("x")


def test_a_heading_makes_its_own_room() -> None:
    short = caption.headed(go.Figure(), "A title", "A line", body=100)
    long = caption.headed(go.Figure(), "A title", "A line " * 30, body=100)
    assert long.layout.margin.t > short.layout.margin.t + 30
    assert long.layout.height - long.layout.margin.t == short.layout.height - short.layout.margin.t


def test_a_key_fills_its_lines() -> None:
    figure = go.Figure()
    entries = [("■", "#000000", "<one>"), ("■", "#000000", "two")]
    tall = caption.key(figure, entries, down=8)
    flat = caption.key(figure, entries, down=8, inline=True)
    assert tall > flat
    assert figure.layout.annotations[0].text.count("<br>") == 1
    assert "<br>" not in figure.layout.annotations[1].text
    assert "&lt;one&gt;" in figure.layout.annotations[0].text


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_written_on_a_shade_can_be_read(colors: Palette) -> None:
    scale = diverging(colors)
    assert at(scale, 0.0) == scale[0][1]
    assert at(scale, 1.0) == scale[-1][1]
    assert at(scale, 0.5) == colors.panel.upper()
    for part in range(101):
        fill = at(scale, part / 100)
        assert contrast(ink_on(fill), fill) >= 4.5, (part, fill)
    shades = ranked(colors.reinforcing, 7, colors)
    assert len(set(shades)) == 7
    assert shades[0] == colors.reinforcing.upper()
    assert mix("#000000", "#FFFFFF", 0.5) == "#808080"


@given(
    st.lists(st.tuples(st.floats(0.03, 0.97), st.floats(0.05, 0.95)), min_size=1, max_size=14),
)
def test_labels_never_meet_a_label_or_a_point(points: list[tuple[float, float]]) -> None:
    widths, tall = (326.0, 900.0), 430.0
    texts = [f"Lever with a name {n}" for n in range(len(points))]
    places = offsets(points, texts, widths=widths, height=tall)
    for wide in widths:
        boxes = [
            Box(x * wide + place.x, y * tall + place.y, place.half_width, place.half_height)
            for (x, y), place in zip(points, places, strict=True)
            if place is not None
        ]
        assert all(box.inside(wide, tall) for box in boxes)
        assert not any(a.meets(b) for a, b in itertools.combinations(boxes, 2))
        dots = [Box(x * wide, y * tall, 4, 4) for x, y in points]
        assert not any(box.meets(dot) for box in boxes for dot in dots)


def test_a_lone_label_stands_right_beside_its_point() -> None:
    (place,) = offsets([(0.5, 0.5)], ["name"], widths=(300.0,), height=300.0)
    assert place is not None
    assert place.y == 0
    assert 0 < place.gap < 12
    crowd = offsets([(0.5, 0.5)] * 60, ["a long name"] * 60, widths=(120.0,), height=80.0)
    assert None in crowd, "where there is no room a point stays without a name"
