"""Vital signs against closed forms: growth, gain, turn, momentum, break-even."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

import flywheel as fw
from flywheel.analysis.decide.words import at_time
from flywheel.analysis.loops.eigen import modes_of
from flywheel.analysis.loops.gains import core_of, leading, loop_gains, overall_gain
from flywheel.analysis.loops.linear import Linearisation
from flywheel.analysis.loops.vitals import vitals
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study

TWO = """model two
time 0 to 8 [year] step 1/32 save 1/4
param a = 0.6
param b = 0.5
param d = 0.4
param e = 0.25
stock x = 1 gains up loses down
stock y = 1 gains rise loses fall
flow up = a * y
flow down = d * x
flow rise = b * x
flow fall = e * y
loop R1 "They lift each other" = x -> rise -> y -> up -> x
    ko "서로를 끌어올린다"
"""
A, B, D, E = 0.6, 0.5, 0.4, 0.25
RATE = (-(D + E) + math.sqrt((D - E) ** 2 + 4 * A * B)) / 2


def study(text: str, outcome: str, horizons: float | list[float] | None = None) -> Study:
    return Study(fw.parse(text), outcome, horizons)


def test_two_stocks_that_lift_each_other() -> None:
    found = vitals(study(TWO, "x"), patience=math.inf)
    assert found.core == ("x", "y")
    assert found.rate == pytest.approx(RATE, abs=1e-12)
    assert found.swing == 0
    assert found.doubling == pytest.approx(math.log(2) / RATE)
    assert found.gain == pytest.approx(math.sqrt(A * B / (D * E)), abs=1e-12)
    assert found.spins
    (loop,) = found.loops
    assert loop.path == ("rise", "y", "up", "x")
    assert loop.gain == pytest.approx(A * B / (D * E))
    assert loop.turn == pytest.approx(1 / D + 1 / E)
    assert loop.order == 2
    assert found.complete
    # The gains do not change along a linear run.
    assert np.allclose(found.rates, RATE, atol=1e-12)
    assert np.allclose(found.gains, found.gain)


def test_with_a_patience_the_gain_is_one_at_the_growth_rate() -> None:
    """What comes back by the time 1/lambda just keeps up with growth."""
    assert vitals(study(TWO, "x"), patience=1 / RATE).gain == pytest.approx(1, abs=1e-9)
    slow = vitals(study(TWO, "x"), patience=0.5 / RATE)
    assert slow.gain < 1
    assert not slow.spins
    assert slow.gain == pytest.approx(math.sqrt(A * B / ((D + 2 * RATE) * (E + 2 * RATE))))
    assert vitals(study(TWO, "x")).patience == 8


def test_plain_growth_doubles_and_loses_nothing() -> None:
    text = "model g\ntime 0 to 20 step 1/16 save 1\nstock s = 1 gains f\nflow f = 0.07 * s\n"
    found = vitals(study(text, "s"))
    assert found.rate == pytest.approx(0.07)
    assert found.doubling == pytest.approx(9.902102579)
    assert found.gain == pytest.approx(0.07 * 20)
    assert vitals(study(text, "s"), patience=math.inf).gain == math.inf


def test_logistic_growth_turns_over_at_half_the_room() -> None:
    text = """model l
time 0 to 12 step 1/32 save 1/4
stock x = 0.05 gains born loses die
flow born = 0.9 * x
flow die = 0.9 * x * x
"""
    found = vitals(study(text, "x"), at=0, patience=math.inf)
    x = study(text, "x").column("x")
    rows = np.searchsorted(study(text, "x").times, found.times)
    assert np.allclose(found.rates, 0.9 * (1 - 2 * x[rows]), atol=1e-12)
    # d die / d x = 1.8 x is the drain: gain 1 / (2 x).
    assert np.allclose(found.gains, 1 / (2 * x[rows]))
    late = vitals(study(text, "x"), at=12, patience=math.inf)
    assert math.isnan(late.doubling)
    assert not late.spins
    assert "dies away" in late.explain()


@st.composite
def pushing(draw: st.DrawFn) -> Linearisation:
    """Stocks that only push each other, each with a drain of its own."""
    count = draw(st.integers(1, 4))
    stocks = tuple(f"s{n}" for n in range(count))
    links, gains = [], []
    for one in stocks:
        links += [(one, f"drain_{one}"), (f"drain_{one}", one)]
        gains += [draw(st.floats(0.1, 2)), -1.0]
        for other in stocks:
            push = draw(st.sampled_from([0.0, 0.3, 0.7, 1.5]))
            if push:
                links += [(one, f"{one}_{other}"), (f"{one}_{other}", other)]
                gains += [push, 1.0]
    names = tuple(dict.fromkeys(end for link in links for end in link))
    return Linearisation(names, stocks, tuple(links), np.array(gains))


@settings(max_examples=80, deadline=None)
@given(pushing(), st.sampled_from([math.inf, 10.0, 2.0]))
def test_the_gain_exceeds_one_exactly_when_growth_exceeds_one_over_patience(
    system: Linearisation, patience: float
) -> None:
    modes = modes_of(system)
    core = core_of(modes, system.stocks)
    k = leading(modes, core)
    assert k is not None
    margin = modes.values[k].real - 1 / patience
    assume(abs(margin) > 1e-6)
    assert (overall_gain(system, core, patience) > 1) == (margin > 0)


def test_oscillators_have_no_gain_and_cores_reach_the_outcome() -> None:
    text = """model o
time 0 to 10 step 1/32 save 1/4
stock x = 1 gains v
stock u = 0 gains w
flow v = u
flow w = -x
stock big = 1 gains grow
flow grow = 0.3 * big
"""
    swings = vitals(study(text, "x"))
    assert swings.core == ("x", "u")
    assert swings.rate == pytest.approx(0, abs=1e-12)
    assert swings.swing == pytest.approx(1)
    assert math.isnan(swings.gain)
    assert not swings.spins
    assert "(a round takes 6.28" in swings.explain()
    assert "-0.0%" not in swings.explain()
    assert "번갈아" in swings.explain("ko")
    assert vitals(study(text, "grow")).core == ("big",)


def test_a_core_that_grows_in_swings_spins_though_it_has_no_gain() -> None:
    """x' = 0.3 x + u, u' = 0.3 u - x has the modes 0.3 ± i: a factor e in 3.33 units of time."""
    text = """model o
time 0 to 10 step 1/32 save 1/4
stock x = 1 gains v
stock u = 0 gains w
flow v = 0.3 * x + u
flow w = 0.3 * u - x
"""
    asked = study(text, "x")
    assert vitals(asked).rate == pytest.approx(0.3)
    assert math.isnan(vitals(asked).gain)
    assert vitals(asked, patience=3.4).spins
    assert not vitals(asked, patience=3.3).spins
    assert "overall gain has no value" in vitals(asked).explain()


def test_pushes_that_come_back_turned_have_no_gain_though_the_core_grows() -> None:
    """Ebay in 2016 grows by 2.5 % a year: a gain of 0 would say that nothing comes back."""
    found = vitals(Study(fw.load("ebay"), "income_total", [17.0], since=2008), 2016.5)
    assert found.rate > 0.02
    assert found.swing == 0
    assert math.isnan(found.gain)
    assert "a push comes back from both sides in turn, so its overall gain has no value" in (
        found.explain()
    )
    assert found.spins == (found.rate * 17 > 1)


def test_a_time_without_a_calendar_is_called_one() -> None:
    assert vitals(study(TWO, "x")).explain().startswith("At time 0 the core")
    assert "x (after 8 years)" in vitals(study(TWO, "x")).explain()
    assert at_time(2016.5, "year") == "2016.5"
    assert at_time(2016.5, "week") == "time 2016.5"


def test_without_feedback_there_is_no_pulse() -> None:
    text = "model n\ntime 0 to 4 step 1/4\nstock s = 1 gains f\nflow f = 2\n"
    found = vitals(study(text, "s"))
    assert math.isnan(found.rate)
    assert found.core == ()
    assert found.gain == 0
    assert "no feedback acts on the outcome" in found.explain()
    assert "지표가 없습니다" in found.explain("ko")
    assert np.isnan(found.rates).all()


def test_a_pipeline_counts_as_a_stock_that_empties_in_its_delay() -> None:
    text = """model p
time 0 to 10 step 1/16 save 1/4
param a = 0.5
param late = 2
stock x = 1 gains f loses g
flow f = a * delay_fixed(x, late, 1)
flow g = 0.4 * x
"""
    found = vitals(study(text, "x"), patience=math.inf)
    assert found.loops[0].gain == pytest.approx(0.5 / 0.4)
    assert found.loops[0].turn == pytest.approx(2 + 1 / 0.4)


def test_momentum_is_what_remains_without_the_push() -> None:
    text = """model m
time 0 to 10 [year] step 1/64 save 1/4
param push = 3
stock x = 6 gains f loses g
flow f = push
flow g = 0.5 * x
"""
    one = Study(fw.parse(text), "x", [2, 5], since=4)
    found = vitals(one, pushes={"PUSH": 0}).momentum
    assert found is not None
    assert found.since == 4
    assert np.allclose(found.with_push, 6)
    assert np.allclose(found.remains, np.exp([-1.0, -2.5]), rtol=1e-6)
    assert (
        "Without push from 4 on, 8% remains at horizon 5"
        in vitals(one, pushes={"push": 0}).explain()
    )
    with pytest.raises(UnknownNameError, match="no parameter called 'pull'"):
        vitals(one, pushes={"pull": 0})


CUT = """model cut
time 0 to 10 [year] step 1/64 save 1/4
param price = 1 in 0.5 .. 2 from guess
param g = 0.05
stock x = 2 gains f
flow f = g * draw * x
aux draw = 3 - 2 * price
outcome income = earned at 10
aux earned = price * x
"""


def test_break_even_gain_of_a_price_cut() -> None:
    """x' = f0 + (1 + dial)(f - f0) in closed form; the dial where 10 % off neither pays nor costs."""
    f0, t = 0.05 * 2.0, 10.0

    def size(dial: float, draw: float) -> float:
        k = (1 + dial) * 0.05 * draw
        return 2 * math.exp(k * t) - dial * f0 * math.expm1(k * t) / k

    wanted = brentq(lambda d: 0.9 * size(d, 1.2) - size(d, 1.0), -0.5, 4)
    found = vitals(study(CUT, "income"), cut=("price", -0.1)).break_even
    assert found is not None
    assert found.reasons == ("",)
    assert found.effect[0] == pytest.approx(0.9 * size(0, 1.2) - size(0, 1.0), rel=1e-6)
    assert found.dial[0] == pytest.approx(wanted, abs=1e-5)
    assert found.gain_now == pytest.approx(0.05 * 10)
    assert found.gain[0] == pytest.approx(0.5 * (1 + wanted), abs=1e-5)
    named = vitals(study(CUT, "income"), cut=("price", -0.1), loop=("f", "x")).break_even
    assert named is not None
    assert named.loop == found.loop
    text = vitals(study(CUT, "income"), cut=("price", -0.1)).explain()
    assert "breaks even within 10 years at a loop gain of" in text


def test_a_cut_that_never_pays_says_so() -> None:
    dear = CUT.replace("3 - 2 * price", "1 + 0 * price")
    found = vitals(study(dear, "income", 10), cut=("price", -0.1))
    assert found.break_even is not None
    assert np.isnan(found.break_even.gain).all()
    assert "does not pay even" in found.break_even.reasons[0]
    assert "no break-even" in found.explain()
    assert "손익분기" in found.explain("ko")


def test_other_order_of_the_file_gives_the_same_vitals() -> None:
    lines = TWO.strip().splitlines()
    turned = "\n".join([*lines[:2], *lines[6:8][::-1], *lines[8:12][::-1], *lines[2:6]]) + "\n"
    one = vitals(study(TWO, "x"))
    other = vitals(study(turned, "x"))
    assert other.rate == pytest.approx(one.rate, abs=1e-14)
    assert other.gain == pytest.approx(one.gain, abs=1e-14)
    assert {g.path for g in other.loops} == {g.path for g in one.loops}
    assert set(one.core) == set(other.core)


def test_words_frame_and_mistakes() -> None:
    found = vitals(study(TWO, "x"))
    assert "R1 “They lift each other”" in found.explain()
    assert "R1 “서로를 끌어올린다”" in found.explain("ko")
    assert set(found.frame.columns) == {"vital", "value", "unit", "of"}
    assert repr(found).startswith("<vitals of two at 0: growth +0.")
    assert found.stamp.horizons == (8.0,)
    with pytest.raises(UsageError, match="outside the run"):
        vitals(study(TWO, "x"), at=99)
    with pytest.raises(UsageError, match="patience"):
        vitals(study(TWO, "x"), patience=0)
    with pytest.raises(UsageError, match="there is no loop"):
        vitals(study(CUT, "income"), cut=("price", -0.1), loop=("x", "draw"))
    with pytest.raises(UnknownNameError):
        vitals(study(CUT, "income"), cut=("prize", -0.1))


def test_loop_gains_tell_reinforcing_from_balancing() -> None:
    links = (("x", "f"), ("f", "x"), ("x", "g"), ("g", "x"))
    system = Linearisation(("x", "f", "g"), ("x",), links, np.array([0.5, 1.0, 0.2, -1.0]))
    up, down = loop_gains(system, [("x", "f"), ("x", "g")])
    assert (up.gain, up.reinforcing) == (pytest.approx(2.5), True)
    assert (down.gain, down.reinforcing) == (pytest.approx(-1), False)
