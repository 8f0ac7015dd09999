"""The diagram: places without overlaps, always the same, and arrows that tell the structure."""

from __future__ import annotations

import itertools

import pytest

import flywheel as fw
from flywheel.figures.diagram import (
    arrows,
    diagram,
    drawn,
    layout,
    loop_colors,
    loop_pairs,
    shown_names,
)
from flywheel.figures.theme import LIGHT

SMALL = fw.parse(
    """
model small "Small"
time 0 to 1 [year] step 1/8
stock a "Stock <i>A</i>" = 1 gains f loses g
stock b = 1 gains g
flow f = a * p
flow g = h
aux h = k * 2
aux k = -b + a
param p = 1
loop R1 = a -> f -> a
loop B1 = a -> k -> h -> g -> a
"""
)


def test_chains_through_hidden_variables_become_one_arrow() -> None:
    found = {(a.source, a.target): a for a in arrows(SMALL, ["a", "b", "f", "g"])}
    assert found["a", "g"].through == ("k", "h")
    assert found["a", "g"].sign == "+"
    assert found["b", "g"].sign == "-"
    assert found["g", "a"].kind == found["g", "b"].kind == "material"
    assert found["g", "a"].sign == "-"
    assert set(found) == {("f", "a"), ("g", "a"), ("g", "b"), ("a", "f"), ("a", "g"), ("b", "g")}


def test_parameters_are_never_drawn() -> None:
    assert shown_names(SMALL) == ("a", "b", "f", "g", "h", "k")
    with pytest.raises(fw.UnknownNameError, match="variable"):
        layout(SMALL, ["p"])


@pytest.mark.parametrize("name", [*fw.model_names()])
def test_no_two_nodes_overlap_and_the_picture_stays(name: str) -> None:
    model = fw.load(name)
    for shown in (None, tuple(model.variables), tuple(model.stocks)):
        places = layout(model, shown)
        assert set(places) == set(shown_names(model) if shown is None else shown)
        assert places == layout(model, shown), "the same model gives the same picture"
        assert all(0 < x < 1 and 0 < y < 1 for x, y in places.values())
        columns = len({x for x, _ in places.values()})
        rows = len({y for _, y in places.values()})
        assert columns * rows >= len(places)
        for one, other in itertools.combinations(places.values(), 2):
            assert abs(one[0] - other[0]) > 0.02 or abs(one[1] - other[1]) > 0.005


def test_small_pictures() -> None:
    assert set(layout(SMALL)) == {"a", "b", "f", "g", "h", "k"}
    assert layout(SMALL, []) == {}
    one = fw.parse("model m\ntime 0 to 1 step 1\nstock x = 1\n")
    assert len(layout(one)) == 1
    auxes = fw.parse("model m\ntime 0 to 1 step 1\naux x = 1\naux y = x\n")
    assert len(set(layout(auxes).values())) == 2


def test_what_feeds_a_stock_stands_near_it() -> None:
    """Material links are short: on average less than half of what chance would give."""
    model = fw.load("core_flywheel")
    places = layout(model)
    apart = [
        abs(places[a.source][0] - places[a.target][0])
        + abs(places[a.source][1] - places[a.target][1])
        for a in arrows(model)
        if a.kind == "material"
    ]
    assert sum(apart) / len(apart) < 0.33


def test_large_pictures_show_stocks_flows_and_loops_only() -> None:
    model = fw.load("core_flywheel")
    shown = set(shown_names(model))
    assert set(model.stocks) | set(model.flows) <= shown
    on_loops = {name for loop in model.declared_loops.values() for name in loop.path}
    assert shown == set(model.stocks) | set(model.flows) | on_loops
    kept = {(a.source, a.target) for a in drawn(model)}
    assert set(loop_pairs(model)) <= kept, "every link of a named loop is drawn"


def test_links_of_loops_have_the_colour_of_their_kind() -> None:
    tints = loop_colors(SMALL, LIGHT)
    assert tints["a", "f"] == LIGHT.reinforcing
    assert tints["g", "a"] == LIGHT.balancing
    both = fw.parse(
        "model m\ntime 0 to 1 step 1\nstock x = 1 gains f\nflow f = x\n"
        "loop R1 = x -> f -> x\nloop B1 = x -> f -> x\n"
    )
    assert set(loop_colors(both, LIGHT).values()) == {LIGHT.ink}


def test_the_figure_escapes_and_names_its_nodes() -> None:
    figure = diagram(SMALL)
    page = figure.to_json()
    assert "<i>A" not in page
    assert list(figure.data[0].customdata) == list(layout(SMALL))
    assert len(figure.layout.annotations) == len(drawn(SMALL)) + len(layout(SMALL))
    assert "p" not in figure.data[0].customdata
