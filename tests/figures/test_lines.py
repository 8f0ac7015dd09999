"""Charts over time: what is drawn, in which colour, and what is written beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import flywheel as fw
from flywheel.figures.lines import exactness, interval, observed, trajectories
from flywheel.figures.theme import DARK, LIGHT, OKABE_ITO, palette, template

TEXT = """
model shop "Shop"
time 2000 to 2010 [year] step 1/4
unit guest
stock guests "Guests <b>here</b>" [guest] = 10 gains coming
    ko "손님"
stock cash [USD] = 0 gains earning
flow coming [guest/year] = guests * rate
flow earning [USD/year] = guests * 2 * one
param rate [1/year] = 0.1 in 0 .. 1 from guess
param one [USD/guest/year] = 1 in 0 .. 2 from guess
data counted "Counted" [guest] = "counted.csv" series "guests"
observe guests by counted error 5%
"""
CSV = """year,series,value,source,verified
1999,guests,9,before the run,yes
2001,guests,11,<b>door</b> counter,yes
2003,guests,14,memory,no
2005,guests,17,door counter,yes
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> fw.Model:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "counted.csv").write_text(CSV)
    (folder / "shop.fly").write_text(TEXT)
    return fw.load(folder / "shop.fly")


def roles(figure: object) -> list[tuple[str, str]]:
    return [(trace.meta["variable"], trace.meta["role"]) for trace in figure.data]  # type: ignore[attr-defined]


def test_the_run_is_a_line_the_baseline_a_ghost_the_data_dots(model: fw.Model) -> None:
    run, base = model.run(rate=0.2), model.run()
    figure = trajectories(run, ["guests"], baseline=base)
    assert roles(figure) == [
        ("guests", "baseline"), ("guests", "run"), ("counted", "data"), ("counted", "unverified"),
    ]  # fmt: skip
    ghost, line, dots, hollow = figure.data
    np.testing.assert_array_equal(line.y, run["guests"])
    np.testing.assert_array_equal(ghost.y, base["guests"])
    assert (line.mode, ghost.mode, dots.mode) == ("lines", "lines", "markers")
    assert line.line.color == LIGHT.run
    assert ghost.line.color == LIGHT.baseline
    assert ghost.line.width < line.line.width
    assert list(dots.x) == [2001, 2005], "what lies outside the run is left out"
    assert list(hollow.x) == [2003]
    assert dots.marker.color == LIGHT.data
    assert hollow.marker.color == LIGHT.paper
    assert hollow.marker.line.color == LIGHT.unverified


def test_units_stand_above_the_axes_and_text_is_escaped(model: fw.Model) -> None:
    figure = trajectories(model.run(), ["guests", "cash"])
    text = " ".join(annotation.text for annotation in figure.layout.annotations)
    assert "guest</span>" in text
    assert "USD</span>" in text
    assert "Guests &lt;b&gt;here" in text
    page = figure.to_json()
    assert "<b>here" not in page
    assert "<b>door" not in page


def test_labels_follow_the_language(model: fw.Model) -> None:
    figure = trajectories(model.run(), ["guests"], language="ko")
    text = " ".join(annotation.text for annotation in figure.layout.annotations)
    assert "손님" in text
    assert "간격을 절반으로" in text
    assert "Guests" in trajectories(model.run(), ["guests"], language="xx").to_json()


def test_one_panel_for_each_unit_with_names_beside_the_lines(model: fw.Model) -> None:
    figure = trajectories(model.run(), ["guests", "coming", "cash"], group="unit")
    axes = {trace.yaxis for trace in figure.data}
    assert len(axes) == 3
    assert any(a.text == "Guests &lt;b&gt;here&lt;/b&gt;" for a in figure.layout.annotations)


def test_names_in_any_case_and_unknown_ones_refused(model: fw.Model) -> None:
    run = model.run()
    assert roles(trajectories(run, ["GUESTS"]))[0] == ("guests", "run")
    assert {name for name, _ in roles(trajectories(run))} == {"guests", "cash", "counted"}
    with pytest.raises(fw.UnknownNameError, match="Did you mean 'guests'"):
        trajectories(run, ["gusts"])
    with pytest.raises(fw.UsageError, match="group"):
        trajectories(run, group="colour")  # type: ignore[arg-type]


def test_a_data_series_is_its_own_dots(model: fw.Model) -> None:
    ((series, points),) = observed(model, "counted")
    assert series.name == "counted"
    assert len(points) == 4


def test_every_chart_says_how_exact_it_is(model: fw.Model) -> None:
    run = model.run(method="euler")
    note = trajectories(run, ["guests"]).layout.annotations[-1].text
    assert note == exactness(run)
    assert note.startswith("euler, step 1/4 · half the step changes values by at most")
    assert "half the step" not in trajectories(run, ["guests"], note=False).to_json()
    assert "a hundredth of the tolerance" in exactness(model.run(method="lsoda"))
    exact = exactness(model.run(rate=0.0, one=0.0))
    assert "less than 0.0001 %" in exact


def test_a_failed_run_says_why_instead() -> None:
    model = fw.parse(
        "model m\ntime 0 to 4 step 1/4\nstock x = 1 gains g\nflow g = x / (2 - time)\n"
    )
    run = model.run()
    note = trajectories(run, ["x"]).layout.annotations[-1]
    assert "divides by zero" in note.text
    assert note.font.color == LIGHT.bad


def test_steps_are_written_as_people_do() -> None:
    assert interval(1 / 16) == "1/16"
    assert interval(1 / 3) == "1/3"
    assert interval(0.3) == "0.3"
    assert interval(2) == "2"


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_seen_and_mean_one_thing(colors: object) -> None:
    assert colors in (LIGHT, DARK)
    chosen = LIGHT if colors is LIGHT else DARK
    meanings = [
        chosen.run, chosen.reinforcing, chosen.balancing, chosen.baseline, chosen.data,
        chosen.guess, chosen.estimate, chosen.survey, chosen.measured,
    ]  # fmt: skip
    assert len(set(meanings)) == len(meanings)
    # WCAG 2.2: 4.5 to 1 for text, 3 to 1 for lines that carry meaning; dots are framed by their label.
    for text in (chosen.ink, chosen.muted, chosen.good, chosen.bad):
        assert contrast(text, chosen.paper) >= 4.5, text
    for line in (chosen.run, chosen.reinforcing, chosen.balancing):
        assert contrast(line, chosen.paper) >= 3, line
    assert chosen.polarity("R7") == chosen.polarity("reinforcing") == chosen.reinforcing
    assert chosen.polarity("B1") == chosen.balancing
    assert chosen.evidence(None) == chosen.muted
    assert chosen.evidence("guess") == chosen.guess


def test_light_mode_uses_the_published_set() -> None:
    assert len(OKABE_ITO) == 8
    assert {LIGHT.run, LIGHT.reinforcing, LIGHT.balancing, LIGHT.guess, LIGHT.estimate,
            LIGHT.measured} <= set(OKABE_ITO)  # fmt: skip
    assert palette(dark=True) is DARK
    assert template(dark=True).layout.paper_bgcolor == DARK.paper


def test_the_package_fetches_nothing_for_its_type() -> None:
    source = Path(fw.__file__).parent / "figures" / "theme.py"
    assert "http" not in source.read_text()
