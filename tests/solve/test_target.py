"""Outcomes at horizons are those of runs that end there, and their weights are slopes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study
from flywheel.solve.target import target_of

MODEL = """model all "Every kind of outcome"
time 2000 to 2010 [year] step 1/8 save 1/4
param a [1/year] = 0.3
param limit = 40
param fee [USD] = 2
stock s = 2 gains grow loses fall
stock q = 30 loses drain
flow grow = a * s * (1 - s / limit)
flow fall = 0.4 * s * pulse(2006, 1)
flow drain = 0.2 * q
aux gain = fee * s - q
outcome last "The last one" [USD] = gain at 2010
outcome sum = total gain
outcome worth = total gain discount 8%
outcome usual = mean gain
outcome best = peak s
outcome worst = trough q * 2
outcome crossed = time of s >= q
outcome fallen = time of gain < -100
outcome state = time of s > q and time > 2001
outcome both = sum / (best + fee)
outcome more = both ^ 2 + worth * limit
outcome late = total gain from 2004 discount 3%
outcome early = mean gain to 2004
outcome window = peak s from 2003 to 2006
"""
WHOLE = ("sum", "worth", "usual", "best", "worst", "crossed", "state", "both", "more")
HORIZONS = [0.25, 1.0, 4.75, 10.0]


@pytest.fixture(scope="module")
def model() -> fw.Model:
    return fw.parse(MODEL)


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("outcome", WHOLE)
def test_an_outcome_at_a_horizon_is_that_of_a_run_which_ends_there(
    model: fw.Model, outcome: str, method: str
) -> None:
    study = Study(model, outcome, HORIZONS, method=method)
    for horizon, value in zip(HORIZONS, study.value, strict=True):
        run = model.run(method=method, stop=2000 + horizon)
        assert run.outcomes[outcome] == pytest.approx(value, rel=1e-13, nan_ok=True), horizon
    assert np.isfinite(study.value[-1])


@pytest.mark.parametrize("outcome", ["late", "early", "window", "last", "fallen"])
def test_an_outcome_with_a_window_of_its_own(model: fw.Model, outcome: str) -> None:
    """As it is declared without horizons; with them, from where its window can be seen."""
    whole = model.run().outcomes[outcome]
    assert Study(model, outcome).value[0] == pytest.approx(whole, rel=1e-13, nan_ok=True)
    for horizon in (6.5, 10.0):
        found = Study(model, outcome, horizon).value[0]
        if outcome == "last":
            assert found == model.run()["gain"][int(horizon * 4)]
            continue
        run = model.run(stop=2000 + horizon)
        assert found == pytest.approx(run.outcomes[outcome], rel=1e-13, nan_ok=True)


def test_a_variable_is_seen_at_the_horizon_and_between_saves(model: fw.Model) -> None:
    line = model.run()["gain"]
    study = Study(model, "GAIN", [1.0, 1.1, 10.0])
    assert study.value[0] == line[4]
    assert study.value[1] == pytest.approx(0.6 * line[4] + 0.4 * line[5], rel=1e-14)
    assert study.value[2] == line[-1]
    assert Study(model, "gain").value[0] == line[-1]


def test_since_moves_the_end_but_not_the_start_of_what_is_counted(model: fw.Model) -> None:
    study = Study(model, "sum", [2.0], since=2003.0)
    assert study.value[0] == pytest.approx(model.run(stop=2005).outcomes["sum"], rel=1e-13)


def test_a_window_that_has_not_begun_has_no_value_or_nothing_to_count(model: fw.Model) -> None:
    """A total over nothing is 0; a peak of nothing does not exist."""
    assert Study(model, "late", [3.0]).value[0] == 0.0
    assert math.isnan(Study(model, "window", [2.0]).value[0])


# Weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [*WHOLE, "late", "early", "window", "last", "gain", "s"])
def test_weights_are_the_slopes_of_reading(model: fw.Model, outcome: str) -> None:
    """Every saved value moved a little, and every parameter that an outcome names."""
    study = Study(model, outcome, [1.1, 4.75, 7.0, 10.0])
    target = study.target
    values = study.baseline[:, [study.columns.index(c) for c in target.columns]]
    params = {name: float(value) for name, value in study.params.items()}
    weights, beside = target.weights(values, params)
    count, width = values.shape
    assert weights.shape == (4, count, width)
    h = 1e-6
    moved = np.repeat(values[np.newaxis], 2 * values.size, 0)
    for n, (row, column) in enumerate(np.ndindex(values.shape)):
        moved[2 * n, row, column] += h
        moved[2 * n + 1, row, column] -= h
    every = {name: np.full(len(moved), value) for name, value in params.items()}
    found = target.read(moved, every)
    slopes = (found[::2] - found[1::2]).T.reshape(4, count, width) / (2 * h)
    missing = np.isnan(target.read(values[np.newaxis], params)[0])
    np.testing.assert_allclose(weights[~missing], slopes[~missing], rtol=1e-5, atol=1e-6)
    for name in params:
        step = np.array([h, -h])
        at = target.read(
            np.repeat(values[np.newaxis], 2, 0),
            {**{k: np.full(2, v) for k, v in params.items()}, name: params[name] + step},
        )
        direct = (at[0] - at[1]) / (2 * h)
        stated = beside.get(name, np.zeros(4))
        np.testing.assert_allclose(stated[~missing], direct[~missing], rtol=1e-5, atol=1e-5)
    if outcome in ("both", "more"):
        assert set(beside) & {"fee", "limit"}


def test_many_runs_are_read_at_once(model: fw.Model) -> None:
    study = Study(model, "more", HORIZONS)
    rows = np.array([[0.3, 2.0], [0.2, 3.0], [0.5, 1.0]])
    found = study.run(["a", "fee"], rows).outcomes
    for row, values in zip(rows, found, strict=True):
        for horizon, value in zip(HORIZONS, values, strict=True):
            run = model.run(a=row[0], fee=row[1], stop=2000 + horizon)
            assert run.outcomes["more"] == pytest.approx(value, rel=1e-12)


# Without a value --------------------------------------------------------------------------------


def test_what_is_never_reached_is_nan_with_a_reason(model: fw.Model) -> None:
    study = Study(model, "crossed", [1.0, 10.0])
    assert math.isnan(study.value[0])
    assert study.value[1] > 2001
    members = study.run(["a"], [[0.3], [0.05]])
    assert np.isnan(members.outcomes).tolist() == [[True, False], [True, True]]
    first, second = members.failures
    assert (first.member, first.variable, first.time) == (0, "crossed", 2001.0)
    assert first.reason == "its condition is not met within 1 of 2000"
    assert second.member == 1
    assert members.ok.tolist() == [False, False]
    gradient = study.gradient(["a"])
    assert np.isnan(gradient.values[0, 0]), "no value, no derivative (and not 0)"
    assert gradient.values[1, 0] < 0
    assert np.isnan(Study(model, "fallen").gradient(["a"]).values).all()


def test_a_run_that_breaks_down_has_the_outcomes_before_it() -> None:
    text = """model breaks "Breaks"
time 0 to 8 step 1/16 save 1/2
param r = 0.5
stock s = 1 gains f
flow f = r * s ^ 3
aux root = sqrt(4 - s)
outcome end = s at 8
outcome sum = total s
outcome top = peak s
"""
    model = fw.parse(text)
    for outcome in ("end", "sum", "top"):
        study = Study(model, outcome, [0.5, 8.0])
        assert np.isfinite(study.value).tolist() == [True, False]
        run = model.run(stop=0.5)
        ended = run["s"][-1] if outcome == "end" else run.outcomes[outcome]
        assert study.value[0] == pytest.approx(ended, rel=1e-13)
        members = study.run(["r"], [[0.5], [0.01]])
        assert np.isfinite(members.outcomes).tolist() == [[True, False], [True, True]]
        (failure,) = members.failures
        assert failure.member == 0
        assert failure.variable in ("s", "f", "root")
        assert 1.0 <= failure.time <= 1.5
        assert f"{failure.variable} is no finite number at {failure.time:g}" == failure.reason
        h = 1e-6
        moved = study.run(["r"], [[0.5 + h], [0.5 - h]]).outcomes[:, 0]
        slope = study.gradient(["r"]).values
        assert slope[0, 0] == pytest.approx((moved[0] - moved[1]) / (2 * h), rel=1e-6)
        assert np.isnan(slope[1, 0])


# Wrong input ------------------------------------------------------------------------------------


def test_wrong_input_is_answered_with_sentences(model: fw.Model) -> None:
    times = Study(model, "sum").times
    with pytest.raises(UnknownNameError, match=r"no outcome or variable called 'summ'.*'sum'"):
        target_of(model, "summ", None, None, times)
    with pytest.raises(UsageError, match="ends at 2012, after the run, which ends at 2010"):
        target_of(model, "sum", [5.0, 12.0], None, times)
    for wrong in (0.0, -3.0):
        with pytest.raises(UsageError, match="duration greater than 0"):
            target_of(model, "sum", [wrong], None, times)
    for wrong in (math.nan, math.inf):
        with pytest.raises(UsageError, match="horizon"):
            target_of(model, "sum", [wrong], None, times)
    with pytest.raises(UsageError, match="at least one horizon"):
        target_of(model, "sum", [], None, times)
    for since in (1999.0, 2010.0, 2011.0, math.nan):
        with pytest.raises(UsageError, match="since must lie in the run"):
            target_of(model, "sum", [1.0], since, times)
    with pytest.raises(UsageError, match="early is over at 2004, before 2005: give horizons"):
        target_of(model, "early", None, 2005.0, times)
