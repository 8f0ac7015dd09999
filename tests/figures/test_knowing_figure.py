"""The worth of knowing drawn: bars are the table's, below the line of knowing everything."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from flywheel.analysis.decide.information import Worth
from flywheel.analysis.decide.learning import WorthOfKnowing, worth_of_knowing
from flywheel.figures.knowing import worth
from flywheel.figures.theme import LIGHT
from tests.figures.tables import noted, study, traces, words


@cache
def asked() -> WorthOfKnowing:
    return worth_of_knowing(study(), draws=256, names=["leave", "price", "rate"])


def _worths(*values: tuple[float, float, float], whole: float = 30.0) -> WorthOfKnowing:
    """The table with other worths: value, low, high."""
    table = asked()
    each = tuple(Worth(value, low, high, value, 0.0, value, 8192, 0) for value, low, high in values)
    every = replace(
        table.knowing.everything, value=whole, low=0.9 * whole, high=1.1 * whole, samples=8192
    )
    return replace(table, knowing=replace(table.knowing, each=each, everything=every), heavy=0.0)


def test_bars_stand_by_worth_below_the_line_of_knowing_everything() -> None:
    table = _worths((4.0, 0.0, 9.0), (12.0, 8.0, 16.0), (7.0, 1.0, 13.0))
    figure = worth(table)
    (bars,) = traces(figure, "worth")
    assert list(bars.meta["names"]) == ["price", "rate", "leave"]
    np.testing.assert_allclose(bars.x, [12, 7, 4])
    np.testing.assert_allclose(bars.x - bars.error_x.arrayminus, [8, 1, 0])
    np.testing.assert_allclose(bars.x + bars.error_x.array, [16, 13, 9])
    assert list(bars.marker.color) == [LIGHT.measured, LIGHT.guess, LIGHT.survey]
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 30.0
    assert noted(figure, "everything") == ["all of them: 30 (27 … 33)"]
    assert noted(figure, "value") == ["12", "7", "(4)"], "what may be worth nothing is in brackets"
    said = words(figure)
    assert "Income in all [USD]" in said
    assert "10 years from 2000" in said
    assert "best as believed now: Tell everybody" in said
    assert "costs of levers not taken off" in said
    assert "rough" not in said
    assert "do not trust" not in said


def test_doubts_are_said() -> None:
    assert "fewer than 5,000 draws" in words(worth(asked()))
    table = replace(_worths((4.0, 1.0, 9.0), (12.0, 8.0, 16.0), (7.0, 1.0, 13.0)), heavy=0.8)
    assert "80 % of it: do not trust the order" in words(worth(table))
    assert "추측" in words(worth(table, language="ko", dark=True))


def test_what_is_left_out_is_counted() -> None:
    figure = worth(_worths((0.0, 0.0, 0.0), (12.0, 8.0, 16.0), (7.0, 1.0, 13.0)), top=1)
    (bars,) = traces(figure, "worth")
    assert len(bars.x) == 1
    said = words(figure)
    assert "1 worth less left out" in said
    assert "1 numbers worth nothing alone" in said


def test_where_nothing_is_worth_knowing_the_figure_says_why() -> None:
    none = (0.0, 0.0, 0.0)
    (why,) = noted(worth(_worths(none, none, none, whole=0.0)), "empty")
    assert "best in all 8,192 draws" in why.replace("<br>", " ")
    (together,) = noted(worth(_worths(none, none, none)), "empty")
    assert "all together are worth 30 USD" in together.replace("<br>", " ")
