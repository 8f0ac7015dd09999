"""Knock-outs: Ford's test on Bass in closed form, control links, patterns, shadows, failures."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.loops.knockout import Knockouts, atomic_pattern, control_links, knock_out
from flywheel.errors import UsageError
from flywheel.solve.study import Study
from flywheel.structure import feedback_loops

BASS = """model bass
time 0 to 10 step 1/32 save 1/8
param p = 0.03
param q = 0.38
stock A = 0 gains innov, wom
flow innov = p * (1 - A)
flow wom = q * A * left
aux left = 1 - A
loop R1 "Word of mouth" = A -> wom -> A
    ko "입소문"
outcome reach = A at 10
"""


def bass(text: str = BASS, outcome: str = "A") -> Knockouts:
    model = fw.parse(text)
    study = Study(model, outcome, [5, 10])
    return knock_out(study, [loop.path for loop in feedback_loops(model).loops])


def test_ford_on_three_loop_bass() -> None:
    found = bass()
    assert found.baseline[1] == pytest.approx(0.8128032, abs=5e-8)
    assert found.loops == (("A", "innov"), ("A", "wom"), ("A", "left", "wom"))
    # Without word of mouth only innovators adopt: A = 1 - e^(-pT).
    talk = found.loops.index(("A", "wom"))
    assert found.cut[talk, 1] == pytest.approx(1 - math.exp(-0.3), abs=1e-9)
    assert found.effects[talk, 1] == pytest.approx(-0.6811260, abs=5e-8)
    assert found.differences[talk, 1] == pytest.approx(1 - math.exp(-0.3) - found.baseline[1])
    # Without the limit of word of mouth: A' = p (1 - A) + q A, so A = p/(q-p) (e^((q-p)T) - 1).
    limit = found.loops.index(("A", "left", "wom"))
    assert found.cut[limit, 1] == pytest.approx(0.03 / 0.35 * math.expm1(3.5), rel=1e-6)
    assert all(control.exclusive for control in found.controls)
    assert found.reasons == ("", "", "")


def test_ford_dominance_is_of_the_time_when_the_pattern_would_change() -> None:
    found = bass()
    talk = found.loops.index(("A", "wom"))
    # Exponential until the peak of adoption at ln(q/p)/(p+q); without talk it is logarithmic always.
    peak = math.log(0.38 / 0.03) / 0.41
    inside = (found.times > 0.5) & (np.abs(found.times - peak) > 0.3)
    assert (found.dominates[talk] == (found.times < peak))[inside].all()
    assert "A -> wom" in found.controls[talk].dial
    assert (found.patterns[talk] == -1).all()


def test_atomic_patterns() -> None:
    t = np.linspace(0, 5, 101)
    rows = np.array([np.exp(t), 3 - 2 * t, np.exp(-t), -np.exp(t), 0 * t, 1 - np.exp(-t)])
    signs = atomic_pattern(t, rows)
    assert signs.tolist() == [[s] * 101 for s in (1, 0, -1, 1, 0, -1)]
    assert (atomic_pattern(t, 1e200 * np.exp(t))[1:-1] == 1).all(), (
        "slope times bend would overflow"
    )
    wave = atomic_pattern(t, np.sin(t))
    # Size of the slope |cos| falls to the top at pi/2, rises to pi, falls to 3 pi/2.
    for at, sign in ((0.8, -1), (2.3, 1), (3.9, -1)):
        assert wave[int(np.abs(t - at).argmin())] == sign
    with pytest.raises(UsageError, match="three saved times"):
        atomic_pattern(t[:2], rows[:, :2])


def test_the_control_link_is_the_rarest_and_says_what_else_it_switches() -> None:
    loops = [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")]
    one, two, three = control_links(loops)
    assert one.link == ("b", "a")
    assert one.exclusive
    assert two.link == ("c", "a")
    assert three.link in {("c", "d"), ("d", "a")}
    # A loop whose every link others use, too: what it shares with.
    whole = [("x", "y"), ("x", "y", "z"), ("x", "w", "y")]
    shared = control_links([("x", "y")], whole)[0]
    assert shared.count == 2
    assert not shared.exclusive
    assert len(shared.others) == 1


def test_other_order_and_rotation_of_loops_permutes_the_result() -> None:
    model = fw.parse(BASS)
    study = Study(model, "A", [5, 10])
    loops = [("A", "innov"), ("A", "wom"), ("A", "left", "wom")]
    one = knock_out(study, loops)
    other = knock_out(study, [("left", "wom", "A"), ("wom", "A"), ("innov", "A")])
    assert np.array_equal(one.cut, other.cut[::-1])
    assert one.controls == other.controls[::-1]


def test_shadow_loops_change_the_pattern_only_together() -> None:
    """Two equal reinforcing loops: without one the other still grows, without both decay wins."""
    text = """model shadow
time 0 to 6 step 1/32 save 1/8
stock x = 1 gains f, g loses h
flow f = 0.5 * pa
aux pa = x
flow g = 0.5 * pb
aux pb = x
flow h = 0.3 * (x - 1)
"""
    model = fw.parse(text)
    study = Study(model, "x")
    loops = [("x", "pa", "f"), ("x", "pb", "g"), ("x", "h")]
    found = knock_out(study, loops)
    # x' = x - 0.3 (x - 1) grows exponentially; so it does without one of them.
    assert not found.dominates[:2].any()
    # Without both: x' = 1 - 0.3 (x - 1), logarithmic.
    assert [(a, b) for a, b, _ in found.shadows] == [(0, 1)]
    assert found.shadows[0][2] == 1.0


def test_a_run_that_fails_without_a_loop_is_said() -> None:
    text = """model burst
time 0 to 5 step 1/32 save 1/8
stock x = 1 gains f loses g
flow f = x
flow g = 0.95 * x
aux root = sqrt(1.5 - x)
"""
    found = knock_out(Study(fw.parse(text), "root"), [("x", "g"), ("x", "f")])
    assert np.isnan(found.cut[0]).all()
    assert "root" in found.reasons[0]
    assert np.isfinite(found.cut[1]).all()
    assert found.reasons[1] == ""
    assert not found.dominates[0].any()
    assert found.frame["reason"].tolist() == list(found.reasons)


def test_words_name_the_declared_loop_horizon_and_effect() -> None:
    found = bass(BASS, "reach")
    assert found.variable == "A"
    assert "A -> left -> wom" in found.explain()
    assert "horizon 10" in found.explain()
    assert "R1 “Word of mouth”" in found.explain()
    assert "R1 “입소문”" in found.explain("ko")
    assert "니다" in found.explain("ko")
    assert len(found.frame) == 6
    assert repr(found) == "<knock-outs of 3 loops: reach>"
    assert found.stamp.horizons == (5.0, 10.0)
    with pytest.raises(UsageError):
        found.explain("fr")


def test_a_link_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="A does not depend directly on left"):
        knock_out(Study(fw.parse(BASS), "A"), [("A", "left")])
