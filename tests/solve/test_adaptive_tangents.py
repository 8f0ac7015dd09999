"""Sensitivities of adaptive runs against closed forms, published numbers and fixed-step tangents.

Closed forms: the logistic curve, Bass diffusion and a switch. Published:
Robertson's problem in the CVODES example cvsRoberts_FSA_dns (Serban and Hindmarsh, SUNDIALS).
"""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flywheel as fw
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve import simulate
from flywheel.solve.adaptive_tangents import Tangents, sensitivities
from flywheel.solve.study import Study

METHODS = ("rk45", "dop853", "lsoda", "bdf", "radau")

LOGISTIC = """model logistic
time 0 to 20 step 1/4 save 1
param r = 0.5
param K = 1000
stock x = 10 gains grow
flow grow = r * x * (1 - x / K)
"""
BASS = """model bass
time 0 to 20 step 1/4 save 1
param p = 0.03
param q = 0.38
stock F = 0 gains adopt
flow adopt = (p + q * F) * (1 - F)
"""
SWITCH = """model switch
time 0 to 3 step 1/8 save 1/8
param a = 0.5
param b = 2
stock x = 0 gains go
flow go = if(x < 1, a, b)
aux seen = if(x < 1, 3 * x, x)
"""


def parse(text: str, folder: Path | None = None) -> fw.Model:
    return fw.parse(inspect.cleandoc(text), folder=folder)


def run(text: str, names: list[str], columns: list[str], **options: object) -> Tangents:
    found = sensitivities(parse(text), names, columns, **options)  # type: ignore[arg-type]
    assert found.status, found.status.message
    return found


def at(found: Tangents, t: float) -> int:
    return int(np.abs(found.times - t).argmin())


# Smooth runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_logistic_elasticities(method: str) -> None:
    found = run(LOGISTIC, ["r", "K", "x"], ["x"], method=method)
    for t, wanted in ((10, (2.000702, 0.595818, 0.404182)), (20, (0.044745, 0.995480, 0.004520))):
        x = found.values[at(found, t), 0]
        for name, base, value in zip(("r", "K", "x"), (0.5, 1000, 10), wanted, strict=True):
            slope = found.of(name, "x")[at(found, t)]
            assert slope * base / x == pytest.approx(value, abs=1e-6)
    final = [found.of(name, "x")[-1] for name in ("r", "K", "x")]
    assert final == pytest.approx([89.089222, 0.991026, 0.449946], rel=2e-6)
    assert found.method == ("tangent",) * 3
    assert found.events == ()


def test_bass_elasticities() -> None:
    found = run(BASS, ["p", "q"], ["F", "adopt"])
    p, q = 0.03, 0.38
    wanted = {5: (0.735008, 0.838615), 10: (0.230605, 0.549836), 20: (0.005712, 0.024969)}
    for t, (to_p, to_q) in wanted.items():
        level = found.values[at(found, t), 0]
        assert found.of("p", "F")[at(found, t)] * p / level == pytest.approx(to_p, abs=1e-6)
        assert found.of("q", "F")[at(found, t)] * q / level == pytest.approx(to_q, abs=1e-6)
    # d adopt / d p = 1 - F + (q (1 - F) - p - q F) dF/dp, along the whole run.
    level, slope = found.values[:, 0], found.of("p", "F")
    chain = 1 - level + (q * (1 - level) - p - q * level) * slope
    assert found.of("p", "adopt") == pytest.approx(chain, abs=1e-12)


@pytest.mark.parametrize("method", ["lsoda", "bdf", "radau"])
def test_robertson_as_cvodes_prints_it(method: str) -> None:
    text = """model robertson
    time 0 to 0.4 step 0.1 save 0.4
    param k1 = 0.04
    param k2 = 1e4
    param k3 = 3e7
    stock y1 = 1 gains back loses slow
    stock y2 = 0 gains slow loses back, fast
    stock y3 = 0 gains fast
    flow slow = k1 * y1
    flow back = k2 * y2 * y3
    flow fast = k3 * y2 ^ 2
    """
    found = run(text, ["k1", "k2", "k3"], ["y1", "y2", "y3"], method=method, atol=1e-12)
    wanted = [
        [-3.5595e-01, 3.9025e-04, 3.5556e-01],
        [9.5431e-08, -2.1309e-10, -9.5218e-08],
        [-1.5833e-11, -5.2900e-13, 1.6362e-11],
    ]
    # CVODES was run with a relative tolerance of 1e-4.
    np.testing.assert_allclose(found.tangents[-1].T, wanted, rtol=2e-4)


def test_more_names_than_one_run_carries() -> None:
    names = [f"k{n}" for n in range(11)]
    lines = "".join(f"param {name} = {n + 1}\n" for n, name in enumerate(names))
    text = f"model many\ntime 0 to 2 step 1/8 save 1\n{lines}stock x = 0 gains go\nflow go = "
    text += " + ".join(f"{name} * time ^ {n}" for n, name in enumerate(names)) + "\n"
    found = run(text, names, ["x"])
    for n, name in enumerate(names):
        assert found.of(name, "x")[-1] == pytest.approx(2 ** (n + 1) / (n + 1), rel=1e-8)


@pytest.mark.parametrize("name", ["creators", "payments", "margin_opportunity"])
def test_agrees_with_the_tangents_of_a_fine_fixed_step(name: str) -> None:
    model = fw.load(name)
    stocks = list(model.stocks)[:3]
    names = [*list(model.params)[:5], stocks[0]]
    found = sensitivities(model, names, stocks, save=1, rtol=1e-9)
    assert found.status, found.status.message
    study = Study(model, stocks[0], step=1 / 128)
    fixed = study.tangent(names, stocks)[np.searchsorted(study.times, found.times)]
    # Corners of min, max and tables make the tangents of a fixed step first order.
    size = np.abs(fixed).max(axis=0) + 1e-9 * np.abs(found.values).max()
    assert (np.abs(found.tangents - fixed).max(axis=0) / size).max() < 2e-4


def test_a_scenario_and_overrides_move_the_base() -> None:
    text = LOGISTIC + 'scenario slow "Slower": r = 0.2 from 10\n'
    plain = run(LOGISTIC, ["r"], ["x"], overrides={"K": 500})
    found = run(text, ["r"], ["x"], scenario="slow", overrides={"K": 500})
    assert found.of("r", "x")[:11] == pytest.approx(plain.of("r", "x")[:11], rel=1e-7)
    h = 1e-4
    ends: list[float] = [
        simulate(
            parse(text),
            method="dop853",
            scenario="slow",
            overrides={"K": 500, "r": r},
            rtol=1e-11,
        )["x"][-1]
        for r in (0.5 + h, 0.5 - h)
    ]
    assert found.of("r", "x")[-1] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


# Events on the state ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_switch(method: str) -> None:
    """x = 1 + b (t - 1/a) after t* = 1/a: dx/da = b / a^2 = 8; carried on without a jump it is 2."""
    found = run(SWITCH, ["a", "b", "x"], ["x", "seen"], method=method)
    assert found.of("a", "x")[-1] == pytest.approx(8.0, abs=1e-6)
    assert found.of("b", "x")[-1] == pytest.approx(1.0, abs=1e-6)
    assert found.of("x", "x")[-1] == pytest.approx(4.0, abs=1e-6)
    (event,) = found.events
    assert event.time == pytest.approx(2.0, abs=1e-8)
    assert event.shift == pytest.approx([-4.0, 0.0, -2.0], abs=1e-7)
    assert (event.variable, event.condition, event.rising) == ("go", "x < 1", True)
    assert found.method == ("tangent",) * 3
    # The save at the moment of the event counts as after it, for the state and for what jumps.
    place = at(found, 2.0)
    assert found.of("a", "x")[place - 1 : place + 1] == pytest.approx([1.875, 8.0], abs=1e-6)
    assert found.of("a", "seen")[place - 1 : place + 1] == pytest.approx([5.625, 8.0], abs=1e-6)
    assert found.values[place, 1] == pytest.approx(1.0, abs=1e-8)


def test_a_rate_that_jumps_down() -> None:
    """Decay at k above a threshold h and at m below it."""
    text = """model slowing
    time 0 to 4 step 1/4 save 1
    param k = 0.8
    param m = 0.1
    param h = 3
    stock x = 10 loses out
    flow out = if(x > h, k, m) * x
    """
    found = run(text, ["k", "m", "h", "x"], ["x"])
    k, m, h, x0, t = 0.8, 0.1, 3.0, 10.0, 4.0
    crossed = math.log(x0 / h) / k
    x = h * math.exp(-m * (t - crossed))
    wanted = [-x * m * crossed / k, -x * (t - crossed), x / h * (1 - m / k), x * m / (k * x0)]
    assert found.values[-1, 0] == pytest.approx(x, rel=1e-8)
    assert found.tangents[-1, 0] == pytest.approx(wanted, rel=1e-7)
    assert not found.events[0].rising


@pytest.mark.parametrize("method", ["dop853", "lsoda"])
def test_up_and_down_many_times(method: str) -> None:
    """Time that a swing x = A cos(w t) spends above h; it passes h up and down, every round."""
    text = """model swing
    time 0 to 18 step 1/4 save 1/4
    param A = 2
    param w = 1.3
    param h = 0.5
    param k = 3
    stock x = A gains dx
    stock v = 0 gains dv
    stock above = 0 gains counted
    flow dx = v
    flow dv = 0 - w ^ 2 * x
    flow counted = if(x > h, k, 0)
    """
    found = run(text, ["A", "w", "h", "k"], ["above"], method=method, rtol=1e-10)
    A, w, h, k = 2.0, 1.3, 0.5, 3.0
    angle = math.acos(h / A)
    rounds = math.floor(18 * w / (2 * math.pi))
    phase = 18 * w - 2 * math.pi * rounds
    assert angle < phase < 2 * math.pi - angle  # the run ends below h
    root = math.sqrt(A**2 - h**2)
    times = (2 * rounds + 1) / w
    wanted = [k * times * h / A / root, -k * times * angle / w, -k * times / root, times * angle]
    assert found.values[-1, 0] == pytest.approx(k * times * angle, rel=1e-7)
    assert found.tangents[-1, 0] == pytest.approx(wanted, rel=1e-6)
    assert [event.rising for event in found.events] == [False, True] * rounds + [False]


LEVELS = """model levels
time 0 to 6 step 1/4 save 1/2
param a = 1
param b = 2
param c = 0.5
param low = 1
param high = 2.5
stock x = 0 gains go
aux stage = if(x >= high, 2, if(low > x, 0, 1))
flow go = if(stage > 1.5, c, if(stage > 0.5, b, a))
"""


@given(
    a=st.floats(0.5, 3), b=st.floats(0.2, 3), c=st.floats(0.1, 3),
    low=st.floats(0.3, 1.5), high=st.floats(1.6, 3),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_conditions_that_read_conditions(
    a: float, b: float, c: float, low: float, high: float
) -> None:
    """Through two levels at three speeds; which speed is told by a variable that itself jumps."""
    names = ["a", "b", "c", "low", "high"]
    given_ = dict(zip(names, (a, b, c, low, high), strict=True))
    found = run(LEVELS, names, ["x"], overrides=given_)
    first, second = low / a, low / a + (high - low) / b
    if abs(second - 6) < 1e-3:
        return
    if second < 6:
        x = high + c * (6 - second)
        by = {"a": c * low / a**2, "b": c * (high - low) / b**2, "c": 6 - second}
        by |= {"low": -c * (1 / a - 1 / b), "high": 1 - c / b}
    else:
        x = low + b * (6 - first)
        by = {"a": b * low / a**2, "b": 6 - first, "c": 0.0, "low": 1 - b / a, "high": 0.0}
    assert found.values[-1, 0] == pytest.approx(x, rel=1e-8)
    assert found.tangents[-1, 0] == pytest.approx([by[name] for name in names], abs=1e-7)


def test_conditions_that_move_with_time_data_and_tables(tmp_path: Path) -> None:
    """Edges s + v t, a data series and a table of time: dt* follows from their slopes.

    x meets its edge where the price has a corner, which it does not feel.
    """
    text = """model edges
    time 0 to 4 step 1/4 save 1
    param s = 1
    param v = 0.5
    param level = 12
    param share = 0.3
    data price = "prices.csv" series "price"
    table rising of time = (0, 0) (1, 0.1) (3, 0.9) (4, 1)
    stock x = 0 gains go
    stock y = 0 gains ahead
    stock z = 0 gains dear
    stock u = 0 gains ramped
    flow go = 1
    flow ahead = if(x > s + v * time, 2, 0)
    flow dear = if(price < level, 0, 3)
    flow ramped = if(rising >= share, 1, 0)
    """
    lines = ["time,series,value", "0,price,10", "2,price,11", "4,price,16"]
    (tmp_path / "prices.csv").write_text("\n".join(lines))
    found = sensitivities(parse(text, tmp_path), ["s", "v", "level", "share"], ["y", "z", "u"])
    s, v = 1.0, 0.5
    crossed = s / (1 - v)
    assert found.values[-1] == pytest.approx([2 * (4 - crossed), 3 * 1.6, 4 - 1.5], rel=1e-8)
    wanted = np.zeros((3, 4))
    wanted[0, :2] = -2 / (1 - v), -2 * s / (1 - v) ** 2
    wanted[1, 2] = -3 / 2.5
    wanted[2, 3] = -1 / 0.4
    assert found.tangents[-1] == pytest.approx(wanted, abs=1e-7)
    assert found.method == ("tangent",) * 4


def test_a_condition_met_when_another_event_happens() -> None:
    """x reaches 2 at the moment when its speed changes: earlier and later moments differ by speed."""
    text = """model together
    time 0 to 4 step 1/4 save 1
    param h = 2
    stock x = 0 gains go
    stock y = 0 gains more
    flow go = if(time < 2, 1, 3)
    flow more = if(x < h, 0, 1)
    """
    found = run(text, ["h"], ["y"])
    assert found.method == ("fd",)
    assert found.of("h", "y")[-1] == pytest.approx(-(1 + 1 / 3) / 2, rel=1e-6)


def test_years_as_times_cost_no_accuracy() -> None:
    """At t = 2000 rounding of the time moves a fast x by more than rounding of x itself."""
    late = SWITCH.replace("0 to 3", "2020 to 2023").replace("x < 1", "50 * x < 50")
    fast = late.replace("param a = 0.5", "param a = 8").replace("x = 0", "x = 0 - 7")
    found = run(fast, ["a", "b"], ["x"])
    assert found.of("a", "x")[-1] == pytest.approx(2 * 8 / 64, rel=1e-9)
    assert len(found.events) == 1


def test_a_run_that_stops_at_its_threshold() -> None:
    """x grows at a until h and stays: beyond the event it follows h alone."""
    text = SWITCH.replace("param b = 2", "param h = 1").replace("x < 1, a, b", "x < h, a, 0")
    found = run(text, ["a", "h"], ["x"])
    assert found.tangents[-1, 0] == pytest.approx([0.0, 1.0], abs=1e-9)
    assert len(found.events) == 1


def test_a_short_crossing_inside_one_step_is_found() -> None:
    """The solver would step over the hundredth of time that x spends above h."""
    text = """model peak
    time 0 to 3 step 1/4 save 1
    param h = 0.999975
    stock x = 0 gains go
    stock y = 0 gains more
    flow go = 2 - 2 * time
    flow more = if(x > h, 1, 0)
    """
    found = run(text, ["h"], ["y"])
    half = math.sqrt(1 - 0.999975)
    assert found.values[-1, 0] == pytest.approx(2 * half, rel=1e-6)
    assert found.of("h", "y")[-1] == pytest.approx(-1 / half, rel=1e-5)
    assert len(found.events) == 2


# Differences --------------------------------------------------------------------------------------


def test_the_time_of_an_event_is_differenced_and_says_so() -> None:
    text = """model later
    time 0 to 4 step 1/8
    param t_on = 1
    param a = 3
    stock x = 0 gains go
    flow go = if(time >= t_on, a, 0) * (1 - x)
    """
    found = run(text, ["t_on", "a"], ["x", "go"])
    assert found.method == ("fd", "tangent")
    assert "time of an event" in found.reasons[0]
    later = np.maximum(found.times - 1, 0)
    gone = np.where(found.times >= 1, np.exp(-3 * later), 0)
    assert found.of("t_on", "x") == pytest.approx(-3 * gone, abs=1e-5)
    # The flow jumps at a saved time; its own jump is no part of its derivative there.
    assert found.of("t_on", "go") == pytest.approx(9 * gone, abs=1e-4)
    assert found.of("a", "x") == pytest.approx(later * gone, abs=1e-8)


def test_steps_of_floor_are_differenced() -> None:
    """x passes whole numbers at speeds 1, 2, 3: a start a little higher gains the ratio of speeds."""
    text = """model stairs
    time 0 to 1.5 step 1/8
    param other = 1
    stock x = 0.25 gains go
    flow go = floor(x) + 1
    stock y = 0 gains more
    flow more = other
    """
    found = run(text, ["x", "other"], ["x", "y"])
    assert found.method == ("fd", "tangent")
    assert found.of("x", "x")[-1] == pytest.approx(3.0, abs=1e-3)
    assert found.of("other", "y")[-1] == pytest.approx(1.5, rel=1e-9)


def test_grazing_is_differenced() -> None:
    """The top of x just touches h: a little lower and it would be passed twice."""
    text = """model graze
    time 0 to 3 step 1/8 save 1/2
    param h = 1
    param free = 1
    stock x = 0 gains go
    stock y = 0 gains more
    flow go = 2 - 2 * time
    flow more = if(x >= h, 1, 0) + free
    """
    found = run(text, ["h", "free"], ["y"])
    assert found.method == ("fd", "tangent")
    assert "touched" in found.reasons[0]
    # y(h) = 2 sqrt(1 - h) below 1 and 0 above; the step is a thousandth.
    assert found.of("h", "y")[-1] == pytest.approx(-2 * math.sqrt(1e-3) / 2e-3, rel=1e-4)
    assert found.of("free", "y")[-1] == pytest.approx(3.0, rel=1e-9)


def test_a_run_that_begins_on_an_edge() -> None:
    text = SWITCH.replace("stock x = 0", "stock x = 1")
    found = run(text, ["x", "b"], ["x"])
    assert found.method == ("fd", "tangent")
    assert "begins at its edge" in found.reasons[0]
    # Above the edge dx/dx0 = 1; below, the way to it takes 1/a per unit: b/a = 4. Between: the mean.
    assert found.of("x", "x")[-1] == pytest.approx((1 + 4) / 2, rel=1e-6)
    assert found.of("b", "x")[-1] == pytest.approx(3.0, rel=1e-9)


def test_a_tangent_that_is_infinite_is_differenced() -> None:
    """sqrt has no slope at 0. The run leaves 0 at once, so x(t; x0) has one at 0 on its upper side."""
    text = """model root
    time 0 to 1 step 1/8
    param k = 1
    stock x = 0 gains go
    flow go = sqrt(x) + k
    """
    found = run(text, ["x", "k"], ["x"])
    assert found.method == ("fd", "tangent")
    assert "infinite" in found.reasons[0]
    assert "square root of a negative" in found.reasons[0]
    # t = 2 (sqrt x - ln(1 + sqrt x)) - 2 (sqrt x0 - ln(1 + sqrt x0)): dx/dx0 = (1+√x)/(1+√x0).
    end = math.sqrt(found.values[-1, 0])
    assert found.of("x", "x")[-1] == pytest.approx(1 + end, rel=0.05)


def test_sliding() -> None:
    """From both sides the rates push x to 1. A plain run chatters there and may not get through."""
    text = SWITCH.replace("x < 1, a, b", "x < 1, a, 0 - b")
    model = parse(text)
    found = sensitivities(model, ["a"], ["x"], method="rk45", max_evaluations=20_000)
    assert not found.status
    assert found.of("a", "x")[:16] == pytest.approx(found.times[:16], abs=1e-8)
    assert np.isnan(found.tangents[18:]).all()
    rough = sensitivities(model, ["a", "b"], ["x"], method="rk45", rtol=1e-3, atol=1e-3)
    assert rough.status, rough.status.message
    assert rough.method == ("fd", "fd")
    assert "slides along the edge" in rough.reasons[0]
    assert rough.values[-1, 0] == pytest.approx(1.0, abs=0.1)


# Failures and mistakes ----------------------------------------------------------------------------


def test_a_run_that_fails_midway_is_data() -> None:
    text = """model ends
    time 0 to 2 step 1/8
    param k = 2
    stock x = 1 gains go
    flow go = k * ln(1.3 - time)
    """
    found = sensitivities(parse(text), ["k", "x"], ["x", "go"])
    assert not found.status
    assert found.status.variable == "go"
    assert "logarithm" in found.status.message
    assert found.status.time == pytest.approx(1.3, abs=1e-3)
    before = found.times < 1.3
    left = 1.3 - found.times[before]
    wanted = left - left * np.log(left) - (1.3 - 1.3 * math.log(1.3))
    assert found.of("k", "x")[before] == pytest.approx(wanted, abs=1e-7)
    assert np.isnan(found.values[~before]).all()
    assert np.isnan(found.tangents[~before]).all()


def test_the_budget_is_kept() -> None:
    found = sensitivities(parse(LOGISTIC), ["r"], ["x"], max_evaluations=80)
    assert not found.status
    assert "evaluations" in found.status.message
    assert np.isnan(found.tangents[-1]).all()


def test_mistakes_get_sentences() -> None:
    model = parse(LOGISTIC)
    with pytest.raises(UnknownNameError, match="Did you mean 'K'"):
        sensitivities(model, ["KK"], ["x"])
    with pytest.raises(UnknownNameError, match="no variable called 'grew'"):
        sensitivities(model, ["r"], ["grew"])
    with pytest.raises(UsageError, match="follows from other variables"):
        sensitivities(model, ["grow"], ["x"])
    with pytest.raises(UsageError, match="given twice"):
        sensitivities(model, ["r", "R"], ["x"])
    with pytest.raises(UsageError, match="at least one"):
        sensitivities(model, [], ["x"])
    with pytest.raises(UsageError, match=r"Study\.tangent"):
        sensitivities(model, ["r"], ["x"], method="rk4")
    with pytest.raises(UsageError, match="Did you mean 'lsoda'"):
        sensitivities(model, ["r"], ["x"], method="lsodar")
    with pytest.raises(UsageError, match="rtol"):
        sensitivities(model, ["r"], ["x"], rtol=0.0)
    found = sensitivities(model, ["r"], ["x"])
    with pytest.raises(UnknownNameError):
        found.of("r", "grow")
    assert "2 columns" not in repr(found)
    assert "dop853" in repr(found)


@pytest.mark.parametrize("term", ["delay_fixed(x, 2, 1)", "noise(0, 1)"])
def test_pipelines_and_noise_are_sent_to_rk4(term: str) -> None:
    text = f"{LOGISTIC}aux late = {term}\n"
    with pytest.raises(UsageError, match="rk4"):
        sensitivities(parse(text), ["r"], ["x"])


def test_an_answer_cannot_be_changed() -> None:
    found = run(LOGISTIC, ["r"], ["x"])
    with pytest.raises(ValueError, match="read-only"):
        found.tangents[0, 0, 0] = 1.0
