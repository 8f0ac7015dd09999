"""The gallery page is what its script makes of the models as they are now."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import flywheel as fw
from tools.make_gallery import CHOICES, DOCS, choice_for, gallery, nice_ticks, picture, sentences

FILES = gallery()
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
STALE = "run python tools/make_gallery.py"


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == FILES["gallery.md"], STALE


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith(".svg")])
def test_each_picture_is_up_to_date(path: str) -> None:
    """To the tenth of a pixel in which it is drawn: another machine may round the other way."""
    stored, made = (DOCS / path).read_text(encoding="utf-8"), FILES[path]
    assert NUMBER.sub("#", stored) == NUMBER.sub("#", made), STALE
    pairs = zip(NUMBER.findall(stored), NUMBER.findall(made), strict=True)
    assert all(abs(float(a) - float(b)) <= 0.11 for a, b in pairs), STALE


def test_every_model_has_one_picture_and_no_picture_is_left_over() -> None:
    drawn = {path.stem for path in (DOCS / "images" / "gallery").iterdir()}
    assert drawn == set(fw.model_names())
    assert FILES["gallery.md"].count("\n## ") == len(fw.model_names())
    assert set(CHOICES) <= set(fw.model_names())


def test_pictures_are_small_and_carry_nothing_from_outside() -> None:
    for path, text in FILES.items():
        if path.endswith(".svg"):
            root = ElementTree.fromstring(text)
            assert len(text) < 40_000
            assert {element.tag.partition("}")[2] for element in root.iter()} <= {
                "svg", "title", "rect", "line", "text", "circle", "polyline",
            }  # fmt: skip
            assert "href" not in text


SMALL = """model small "A & B"
    "Does it grow? It does."
time 0 to 10 [year] step 1/16 save 1
unit thing
stock things "Things <b>" [thing] = 1 gains making
flow making [thing/year] = things * rate
param rate [1/year] = 0.1 in 0 .. 1 from guess
outcome final "Final count" [thing] = things at 10
outcome big "Passing a hundred" [year] = time of things > 100
scenario slow "Slower": rate = 0.09
scenario fast "Faster & better": rate = 0.3
    "More of the same."
"""


def test_a_model_nobody_chose_for_shows_what_moves_it_most() -> None:
    model = fw.parse(SMALL)
    base = model.run()
    choice = choice_for(model, base)
    assert choice.scenario == "fast"
    assert choice.variables == ("things",)
    run = model.run(scenario="fast")
    question, as_is, trying = sentences(model, choice, base, run)
    assert question == "Does it grow?"
    assert as_is == "As it stands, final count: 2.72 things; passing a hundred: never."
    assert trying == (
        "Worth trying: *Faster & better* (`flywheel run small --scenario fast`) gives final count: "
        "20.1 things (+639 %); passing a hundred: never. More of the same."
    )
    svg = picture(model, choice, base, run)
    assert ElementTree.fromstring(svg).findtext("{*}title") == "A & B"
    lines = re.findall(r'<polyline points="([^"]+)"', svg)
    assert [len(line.split()) for line in lines] == [11, 11]
    last = [float(line.split()[-1].split(",")[1]) for line in lines]
    first = [float(line.split()[0].split(",")[1]) for line in lines]
    # On one axis from 0, heights are in the ratio of the values: 2.718 to 20.086.
    foot = 192.0
    assert (foot - last[0]) / (foot - last[1]) == pytest.approx(np.exp(-2), abs=0.01)
    assert first[0] == first[1]


def test_a_model_without_scenarios_is_drawn_alone() -> None:
    text = "\n".join(SMALL.splitlines()[:-3]) + "\n"
    model = fw.parse(text)
    base = model.run()
    choice = choice_for(model, base)
    assert choice.scenario == ""
    assert sentences(model, choice, base, None)[2] == "It has no scenario yet."
    assert picture(model, choice, base, None).count("<polyline") == 1


def test_a_choice_that_names_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    import tools.make_gallery as tool

    wrong = replace(CHOICES["payments"], scenario="no_such")
    monkeypatch.setattr(tool, "CHOICES", {"payments": wrong})
    model = fw.load("payments")
    base = model.run()
    with pytest.raises(KeyError, match="no_such"):
        choice_for(model, base)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((0, 1), (0, 0.5, 1)),
        ((0, 391), (0, 100, 200, 300, 400)),
        ((-0.3, 9), (-5, 0, 5, 10)),
        ((-2, -1), (-2, -1.5, -1, -0.5, 0)),
        ((0, 0.00055), (0, 0.0002, 0.0004, 0.0006)),
        ((0, 0), (0, 0.5, 1)),
        ((np.nan, 3, np.inf), (0, 1, 2, 3)),
    ],
)
def test_ticks_are_round_and_hold_everything(
    values: tuple[float, ...], ticks: tuple[float, ...]
) -> None:
    assert nice_ticks(np.array(values, dtype=float)) == pytest.approx(ticks)
