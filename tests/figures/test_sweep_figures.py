"""Figures of sweeps: what is drawn are the sweep's numbers, and nobody is left out without a word."""

from __future__ import annotations

from functools import cache
from html import unescape

import numpy as np
import plotly.graph_objects as go
import pytest

from flywheel.errors import UnknownNameError, UsageError
from flywheel.figures.fan import fan
from flywheel.figures.histogram import histogram
from flywheel.figures.members import spaghetti
from flywheel.figures.sweep_maps import heat
from flywheel.figures.sweep_parallel import parallel
from flywheel.figures.sweep_scatter import scatter_matrix
from flywheel.figures.sweep_words import logarithmic
from flywheel.solve.run import Run
from flywheel.solve.simulation import simulate
from flywheel.sweep.design import crossed, grid, listed, sample
from flywheel.sweep.result import Sweep
from flywheel.sweep.run import sweep
from tests.figures.tables import noted, shop, traces, words
from tests.sweep.small import RANGES, pond

RANGES_OF_SHOP = {"rate": (0.2, 0.6), "leave": (0.05, 0.2), "price": (1.0, 3.0)}


@cache
def many() -> Sweep:
    """A shop in 256 ways; none fails."""
    return sweep(shop(), sample(RANGES_OF_SHOP, 256, seed=7), workers=1)


@cache
def ponds() -> Sweep:
    """Ponds, of which some break and some never fill."""
    design = sample(RANGES, 256, seed=7)
    return sweep(pond(), design, saved=["fish", "space"], shard=64, reservoir=40, workers=1)


@cache
def baseline() -> Run:
    return simulate(shop())


def _subtitle(figure: go.Figure) -> str:
    return unescape(figure.layout.title.subtitle.text).replace("<br>", " ").replace("\u00a0", " ")


def test_a_fan_has_the_quantiles_in_pairs_and_names_them() -> None:
    figure = fan(many(), "guests", baseline=baseline())
    table = many().quantiles("guests")
    bands = traces(figure, "band")
    assert [b.meta["quantile"] for b in bands] == [0.05, 0.95, 0.25, 0.75]
    assert [b.fill for b in bands] == [None, "tonexty", None, "tonexty"]
    for band in bands:
        np.testing.assert_array_equal(band.y, table[band.meta["quantile"]])
    (median,), (ghost,) = traces(figure, "median"), traces(figure, "baseline")
    np.testing.assert_array_equal(median.y, table[0.5])
    np.testing.assert_array_equal(ghost.y, baseline()["guests"])
    assert set(noted(figure, "end")) == {"5 %", "25 %", "median", "75 %", "95 %", "baseline"}
    said = _subtitle(figure)
    assert "256 runs" in said
    assert "Sobol' sample of 3 inputs, seed 7" in said
    assert "middle 50 %, 90 %" in said
    assert "failed" not in said


def test_labels_at_the_end_of_lines_keep_apart() -> None:
    figure = fan(many(), "guests", quantiles=[0.48, 0.49, 0.5, 0.51, 0.52])
    places = sorted(a.yshift for a in figure.layout.annotations if a.name == "end")
    assert min(np.diff(places)) >= 13.9


def test_failed_runs_are_counted_in_words() -> None:
    count = ponds().failed
    assert count
    assert f"{count} ({100 * count / 256:.3g} %) failed and left out" in _subtitle(
        fan(ponds(), "fish")
    )
    korean = _subtitle(fan(ponds(), "fish", language="ko"))
    assert "실행 256회" in korean
    assert f"{count}회" in korean


def test_whole_runs_are_those_that_were_kept() -> None:
    figure = spaghetti(ponds(), "fish")
    (runs,), (stopped,), (median,) = (traces(figure, r) for r in ("runs", "stopped", "median"))
    kept = ponds().members["fish"].to_numpy().reshape(40, -1)
    drawn = np.array(runs.y, dtype=float).reshape(40, -1)
    np.testing.assert_array_equal(drawn[:, :-1], kept)
    assert np.isnan(drawn[:, -1]).all()
    broken = np.flatnonzero(np.isnan(kept).any(axis=1))
    assert len(broken) == len(stopped.x)
    assert f"{len(broken)} of these stop" in _subtitle(figure)
    np.testing.assert_array_equal(median.y, ponds().quantiles("fish", 0.5)[0.5])


def test_without_histograms_the_median_is_that_of_what_is_drawn() -> None:
    design = sample(RANGES_OF_SHOP, 64, seed=7)
    bare = sweep(shop(), design, quantiles=False, reservoir=9, workers=1)
    figure = spaghetti(bare, "guests")
    kept = bare.members["guests"].to_numpy().reshape(9, -1)
    np.testing.assert_allclose(traces(figure, "median")[0].y, np.median(kept, axis=0))
    assert "median of the runs that are drawn" in _subtitle(figure)
    none = sweep(shop(), design, reservoir=0, workers=1)
    assert noted(spaghetti(none, "guests"), "empty")


def test_a_map_of_a_grid_has_its_runs_as_cells() -> None:
    found = sweep(shop(), grid(rate=[0.2, 0.4], price=[1, 2, 3]), workers=1)
    figure = heat(found, "price", "rate", "value")
    (means,) = traces(figure, "means")
    values = found.outcomes["value"].to_numpy().reshape(2, 3)
    np.testing.assert_array_equal(np.array(means.z, dtype=float), values)
    assert len(noted(figure, "cell")) == 6
    assert list(figure.layout.xaxis.ticktext) == ["1", "2", "3"]
    assert "grid of How fast word spreads, Price" in _subtitle(figure)


def test_a_map_of_scenarios_has_their_mean() -> None:
    twice = crossed(grid(birth=[0.2, 0.3], deaths=[0.0, 0.1]), [None, "drought"])
    found = sweep(pond(), twice, workers=1)
    (means,) = traces(heat(found, "birth", "deaths", "roomy"), "means")
    values = found.outcomes["roomy"].to_numpy().reshape(2, 2, 2).mean(axis=0).T
    np.testing.assert_allclose(np.array(means.z, dtype=float), values)


def test_cells_without_runs_and_runs_without_values_differ() -> None:
    figure = heat(ponds(), "birth", "deaths", "full")
    assert not traces(figure, "empty")
    (lost,), (means,) = traces(figure, "lost"), traces(figure, "means")
    assert sum(cell is None for row in means.z for cell in row) == len(lost.x)
    design = sample({"rate": (0.2, 0.6), "leave": (0.05, 0.2)}, 64, seed=1,
                    correlation={("rate", "leave"): 0.95})  # fmt: skip
    figure = heat(sweep(shop(), design, workers=1), "rate", "leave", "value")
    (empty,) = traces(figure, "empty")
    assert len(empty.x)
    assert not traces(figure, "lost")
    assert "no run lies here" in words(figure)


def test_a_scatter_matrix_shows_every_pair_and_who_has_no_value() -> None:
    figure = scatter_matrix(ponds(), None, "full")
    dots, lost = traces(figure, "dots"), traces(figure, "lost")
    assert len(dots) == 3  # a pair of inputs, the outcome over each
    assert len(lost) == 1
    without = int(ponds().outcomes["full"].isna().sum())
    assert len(lost[0].x) == without
    assert len(dots[0].x) == 256 - without
    frame = ponds().frame
    np.testing.assert_array_equal(dots[1].y, frame["full"].dropna())
    said = _subtitle(figure)
    assert f"{without} (" in said
    assert "without a value" in said
    broken = int(frame["full"].isna().loc[ponds().failures["member"]].sum())
    assert (f"{broken} of them in runs that failed" in said) == (broken > 0)
    lost_runs = int(frame["at_end"].isna().loc[ponds().failures["member"]].sum())
    assert lost_runs
    assert f"{lost_runs} of them in runs that failed" in _subtitle(histogram(ponds(), "at_end"))


def test_parallel_lines_run_through_their_inputs() -> None:
    figure = parallel(many(), ["price", "rate"], "value")
    lines = traces(figure, "lines")
    assert [one.meta["fifth"] for one in lines] == [0, 1, 2, 3, 4]
    assert sum(len(one.x) // 4 for one in lines) == 256
    best = np.array(lines[-1].x, dtype=float).reshape(-1, 4)
    worst = np.array(lines[0].x, dtype=float).reshape(-1, 4)
    assert best[:, 2].min() > worst[:, 2].max()
    member = int(lines[0].text[0])
    price = many().frame["price"]
    part = (price[member] - price.min()) / (price.max() - price.min())
    assert worst[0, 0] == pytest.approx(part)
    assert noted(figure, "row") == ["Price", "How fast word spreads [1/year]",
                                    "<b>Income in all [USD]</b>"]  # fmt: skip
    assert traces(parallel(ponds(), None, "full"), "lost")


def test_large_sweeps_are_thinned_and_say_so() -> None:
    found = sweep(shop(), sample({"rate": (0.2, 0.6)}, 400, seed=1), workers=1)
    figure = parallel(found, None, "value")
    assert sum(len(one.x) // 3 for one in traces(figure, "lines")) == 300
    assert "300 of them drawn, chosen at random" in _subtitle(figure)


def test_a_histogram_counts_every_run_and_marks_the_baseline() -> None:
    figure = histogram(many(), "value", baseline())
    (bars,) = traces(figure, "bars")
    assert sum(bars.y) == 256
    values, mark = many().outcomes["value"], baseline().outcomes["value"]
    lines = {s.name: s.x0 for s in figure.layout.shapes}
    assert lines["baseline"] == mark
    assert lines["median"] == pytest.approx(values.median())
    said = _subtitle(figure)
    assert f"{100 * (values > mark).mean():.3g} % of them lie above the baseline" in said
    assert "baseline: 2" in " ".join(noted(figure, "key"))
    far = histogram(many(), "value", 1e6)
    assert far.layout.xaxis.range[1] == 1e6


def test_runs_far_away_stay_beyond_the_axis_and_are_counted() -> None:
    rows = [[0.4, 1.5 + k / 1e5] for k in range(300)] + [[0.4, 3.0]]
    found = sweep(shop(), listed(["rate", "price"], rows), workers=1)
    figure = histogram(found, "value")
    assert "1 beyond the ends of the axis" in _subtitle(figure)
    assert sum(traces(figure, "bars")[0].y) == 300


def test_an_outcome_without_any_value_says_so() -> None:
    found = sweep(pond(), grid(birth=[0.1, 0.11], deaths=[0.3, 0.4]), workers=1)
    for figure in (
        histogram(found, "full"), heat(found, "birth", "deaths", "full"),
        scatter_matrix(found, None, "full"), parallel(found, None, "full"),
    ):  # fmt: skip
        assert noted(figure, "empty") == ["No run gave a value."]
        assert "4 (100 %) without a value" in _subtitle(figure)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_speaks_both_languages_in_both_modes(language: str, dark: bool) -> None:
    paper = "#14171A" if dark else "#FFFFFF"
    for figure in (
        fan(many(), "guests", language=language, dark=dark),
        spaghetti(many(), "guests", language=language, dark=dark),
        heat(many(), "rate", "price", "value", language=language, dark=dark),
        scatter_matrix(many(), None, "value", language=language, dark=dark),
        parallel(many(), None, "value", language=language, dark=dark),
        histogram(many(), "value", language=language, dark=dark),
    ):
        assert figure.layout.template.layout.paper_bgcolor == paper
        said = figure.layout.title.text.replace("<br>", " ")
        assert ("손님" in said or "수입 합계" in said) == (language == "ko")
        assert ("실행 256회" if language == "ko" else "256 runs") in _subtitle(figure)


def test_names_that_are_not_there_are_refused() -> None:
    for wrong in (
        lambda: fan(many(), "gusts"), lambda: spaghetti(many(), "fish"),
        lambda: heat(many(), "rate", "value", "value"), lambda: histogram(many(), "guests"),
        lambda: parallel(many(), ["x"], "value"), lambda: scatter_matrix(many(), None, "rate"),
    ):  # fmt: skip
        with pytest.raises(UnknownNameError):
            wrong()
    for wrong in (
        lambda: fan(many(), "guests", quantiles=[]), lambda: heat(many(), "rate", "RATE", "value"),
        lambda: parallel(many(), [], "value"), lambda: fan(many(), "guests", quantiles=[2]),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            wrong()


def test_inputs_that_spread_by_ratio_are_told_from_others() -> None:
    even = np.linspace(0, 1, 101)
    assert logarithmic(0.01 * 100**even)
    assert not logarithmic(0.01 + even)
    assert not logarithmic(-(100**even))
    assert not logarithmic(1 + even)


def test_a_sweep_in_which_all_fails_says_so() -> None:
    found = sweep(pond(), grid(birth=[4.0, 5.0]), saved=["fish", "space"], workers=1)
    assert found.failed == 2
    assert noted(fan(found, "fish"), "empty") == ["No run gave a value."]
    figure = spaghetti(found, "fish")
    assert len(traces(figure, "stopped")[0].x) == 2
    assert "2 (100 %) failed and left out" in _subtitle(figure)


def test_runs_that_were_not_computed_are_counted() -> None:
    whole = sweep(shop(), sample(RANGES_OF_SHOP, 256, seed=7), shard=64, workers=1)
    source = whole._source
    source.records.pop(3)
    source.missing[3] = "the power went"
    part = Sweep(source)
    for figure in (fan(part, "guests"), histogram(part, "value")):
        assert "64 not computed" in _subtitle(figure)
    assert sum(traces(histogram(part, "value"), "bars")[0].y) == 192
