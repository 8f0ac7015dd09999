"""Where the spread comes from, drawn: bars, bands and cells are the table's numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.sensitivity.apportion import sensitivity
from flywheel.analysis.sensitivity.table import Sensitivity
from flywheel.figures.sensitivity import indices, over_time, pairs
from tests.figures.tables import noted, study, traces, words


@cache
def spread() -> Sensitivity:
    return sensitivity(study(), method="sobol", runs=320, over_time=["guests", "income"])


@cache
def chaos() -> Sensitivity:
    return sensitivity(study(), method="chaos", runs=128)


def order(table: Sensitivity, horizon: int = -1) -> list[int]:
    return [table.parameters.index(name) for name in table.ranking(horizon)]


@pytest.mark.parametrize("horizon", [0, -1])
def test_first_and_total_order_with_their_intervals(horizon: int) -> None:
    table = spread()
    figure = indices(table, horizon=horizon)
    assert [t.meta["role"] for t in figure.data] == ["ST", "S1"]
    rows = order(table, horizon)
    for trace in figure.data:
        measure = trace.meta["role"]
        np.testing.assert_allclose(trace.x, table.measure(measure)[rows, horizon])
        half = table.halves[measure][rows, horizon]
        np.testing.assert_allclose(trace.error_x.array, half)
    said = words(figure)
    assert f"{table.runs:,} runs" in said
    assert f"{table.horizons[horizon]:g} years from 2000" in said
    assert "95 % intervals" in said


def test_a_method_with_one_measure_has_one_bar() -> None:
    table = sensitivity(study(), method="morris", runs=60)
    figure = indices(table, top=2, language="ko")
    (bars,) = figure.data
    assert bars.meta["role"] == "mu*"
    assert "1개는 생략" in words(figure)
    assert "소문의 속도" in words(figure)
    assert "USD" in bars.customdata[0][1], "an elementary effect has the outcome's unit"


def test_failed_runs_are_named() -> None:
    table = replace(spread(), failures=replace(spread().failures, runs=320, failed=7))
    assert "7 failed runs left out" in words(indices(table))


def test_nothing_that_varies_says_so() -> None:
    table = spread()
    none = {name: np.full_like(values, np.nan) for name, values in table.measures.items()}
    assert noted(indices(replace(table, measures=none)), "empty")


def test_lines_over_time_have_bands_and_gaps() -> None:
    table = spread()
    assert table.over_time is not None
    figure = over_time(table, "income", measure="S1", top=2)
    lines = traces(figure, "S1")
    assert len(lines) == 2
    values = table.over_time.of("income", "S1")
    for line in lines:
        row = table.parameters.index(line.meta["parameter"])
        np.testing.assert_array_equal(line.y, values[row])
        assert line.connectgaps is False
    for band in traces(figure, "interval"):
        assert np.isfinite(np.asarray(band.y, dtype=float)).all()
    assert "Income" in words(figure)
    assert "2000–2010" in words(figure)
    assert "손님" in words(over_time(table, language="ko"))
    with pytest.raises(fw.UnknownNameError):
        over_time(table, "gusts")
    assert noted(over_time(chaos()), "empty")


def test_pairs_are_a_matrix_with_single_effects_on_the_diagonal() -> None:
    table = chaos()
    assert table.pairs is not None
    figure = pairs(table)
    (heat,) = traces(figure, "S2")
    rows = order(table)
    drawn = np.array(heat.z, dtype=float)
    np.testing.assert_allclose(np.diag(drawn), table.S1[rows, -1])
    whole = table.S2[np.ix_(rows, rows)][..., -1]
    np.testing.assert_allclose(drawn[0, 1], np.nanmax([whole[0, 1], whole[1, 0]]))
    np.testing.assert_allclose(drawn, drawn.T)
    assert noted(pairs(replace(spread(), pairs=None)), "empty")
