"""Dip metrics: the ramp and the capability trap in closed form, mirrors, scale, and all roots."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flywheel.analysis.levers.paths import internal_rates, path, ramps, weights
from flywheel.analysis.levers.swing import swing
from flywheel.errors import UsageError

RAMP = np.array([0.0, 20.0])


def ramp(times: np.ndarray) -> np.ndarray:
    return (-1.0 + times / 5.0)[None, :]


@pytest.mark.parametrize("saves", [2, 3, 8, 81])
def test_ramp_in_closed_form_whatever_the_saves(saves: int) -> None:
    times = np.linspace(0.0, 20.0, saves)
    dip = swing(times, ramp(times), 1.0)
    assert dip.shape == ("worse before better",)
    assert dip.first[0] == -1
    assert dip.depth[0] == pytest.approx(1.0, abs=1e-8)
    assert dip.trough[0] == 0.0
    assert dip.t_flow[0] == pytest.approx(5.0, abs=1e-8)
    assert dip.t_pay[0] == pytest.approx(10.0, abs=1e-8)
    assert dip.debt[0] == pytest.approx(2.5, abs=1e-8)
    assert dip.npv[0] == pytest.approx(20.0, abs=1e-8)
    assert dip.pain_share[0] == pytest.approx(2.5 / 25.0, abs=1e-8)


def test_depth_by_the_level_of_the_time_is_that_of_the_trough() -> None:
    """A level that grows from 1 to 21: the ramp is deepest at 0, where it takes all of it."""
    times = np.linspace(0.0, 20.0, 81)
    usual = np.stack([1.0 + times, -1.0 - times, np.zeros(81), 1.0 + times])
    both = np.concatenate([ramp(times)] * 3 + [np.ones((1, 81))])
    found = swing(times, both, 11.0, usual=usual)
    assert found.depth[:3] == pytest.approx(1.0 / 11.0)
    assert found.depth_then[:2] == pytest.approx(1.0)
    assert np.isnan(found.depth_then[2:]).all()
    assert np.isnan(swing(times, both, 11.0).depth_then).all()


def test_discounted_ramp_without_end() -> None:
    times = np.array([0.0, 3.0, 400.0])
    dip = swing(times, ramp(times), 1.0, rate=0.1)
    # ∫(−1 + t/5)e^(−t/10) = −10 + 20; the negative part is 10 − 20 (1 − e^(−1/2)).
    assert dip.npv[0] == pytest.approx(10.0, abs=1e-8)
    assert dip.debt[0] == pytest.approx(2.1306132, abs=5e-8)
    assert dip.pain_share[0] == pytest.approx(2.13061319425 / 14.2612263885, abs=1e-8)
    assert dip.rates[0] == (pytest.approx(0.2, abs=1e-8),)
    # ∫₀ᵗ(−1 + s/5)e^(−s/10) ds by parts is zero at the pay-back.
    repaid = dip.t_pay[0]
    left = np.exp(-0.1 * repaid)
    value = -(1 - left) / 0.1 + (1 - left * (1 + 0.1 * repaid)) / (5 * 0.01)
    assert value == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(
    ("effort", "months"),
    [(0.10, 1.745), (0.15, 1.871), (0.25, 2.188), (0.40, 2.940), (0.60, 5.580)],
)
def test_capability_trap_repays_its_flow_when_the_closed_form_says(
    effort: float, months: float
) -> None:
    """ċ = g s (1 − c) − c/τ from the steady state of s = 0.05; output y = c (1 − s).

    The note prints only the times; g = 0.2, τ = 30 and that steady state give all five of them.
    """
    g, tau, usual = 0.2, 30.0, 0.05
    start = g * usual / (g * usual + 1 / tau)
    speed = g * effort + 1 / tau
    goal = g * effort / speed
    times = np.arange(0.0, 40.0, 0.05)
    ability = goal + (start - goal) * np.exp(-speed * times)
    difference = ability * (1 - effort) - start * (1 - usual)
    dip = swing(times, difference[None, :], start * (1 - usual))
    exact = math.log((goal - start) * (1 - effort) / (goal * (1 - effort) - start * (1 - usual)))
    assert dip.t_flow[0] == pytest.approx(exact / speed, abs=1e-3)
    assert dip.t_flow[0] == pytest.approx(months, abs=0.01)


def flywheel_of_margins(margin: float, times: np.ndarray, a: float, b: float) -> np.ndarray:
    """Profit m N of customers N who grow at a − b m: dear goods earn now and grow less."""
    return margin * np.exp((a - b * margin) * times)


def test_lower_margin_is_worse_before_better_in_closed_form() -> None:
    a, b, usual, lower = 0.3, 2.0, 0.1, 0.09
    times = np.linspace(0.0, 30.0, 1501)
    base = flywheel_of_margins(usual, times, a, b)
    difference = (flywheel_of_margins(lower, times, a, b) - base)[None, :]
    dip = swing(times, difference, float(base.mean()))
    assert dip.shape == ("worse before better",)
    assert dip.t_flow[0] == pytest.approx(math.log(usual / lower) / (b * (usual - lower)), abs=1e-4)
    grow, slow = a - b * lower, a - b * usual
    total = lower * math.expm1(grow * 30) / grow - usual * math.expm1(slow * 30) / slow
    assert dip.npv[0] == pytest.approx(total, rel=1e-5)
    # Without end lower/(r − grow) and usual/(r − slow) are equal at r = a, whatever the margins.
    forever = np.linspace(0.0, 200.0, 4001)
    pair = [flywheel_of_margins(m, forever, 0.1, b) for m in (lower, usual)]
    found = internal_rates(forever, (pair[0] - pair[1])[None, :])[0]
    assert found == (pytest.approx(0.1, abs=1e-4),)


def test_a_dearer_margin_is_the_mirror() -> None:
    times = np.linspace(0.0, 30.0, 601)
    base = flywheel_of_margins(0.1, times, 0.3, 2.0)
    dearer = flywheel_of_margins(0.11, times, 0.3, 2.0) - base
    dip = swing(times, dearer[None, :], float(base.mean()))
    assert dip.shape == ("better before worse",)
    assert dip.t_flow[0] == math.inf
    assert dip.npv[0] < 0


paths = arrays(float, (3, 12), elements=st.integers(-9, 9).map(float))


@given(paths)
def test_a_mirrored_lever_has_mirrored_metrics(values: np.ndarray) -> None:
    times = np.linspace(0.0, 11.0, 12)
    one, other = swing(times, values, 2.0, rate=0.05), swing(times, -values, 2.0, rate=0.05)
    assert np.array_equal(one.npv, -other.npv)
    assert np.array_equal(one.first, -other.first)
    for these, those in zip(one.rates, other.rates, strict=True):
        assert np.allclose(these, those, atol=1e-9)
    area = np.isfinite(one.pain_share)
    assert np.allclose(one.pain_share[area] + other.pain_share[area], 1.0)
    swapped = {
        "better": "worse",
        "worse": "better",
        "better before worse": "worse before better",
        "worse before better": "better before worse",
    }
    assert [swapped.get(shape, shape) for shape in one.shape] == list(other.shape)


@given(paths, st.sampled_from([1e-6, 0.25, 3.0, 1e9]))
def test_ratios_do_not_depend_on_the_unit(values: np.ndarray, factor: float) -> None:
    times = np.linspace(0.0, 11.0, 12)
    one, other = swing(times, values, 2.0), swing(times, factor * values, factor * 2.0)
    for name in ("depth", "trough", "t_flow", "debt", "pain_share"):
        assert np.allclose(getattr(one, name), getattr(other, name), equal_nan=True)
    assert one.shape == other.shape
    assert np.allclose(factor * one.npv, other.npv, atol=1e-12 * factor)


@given(paths)
def test_flow_and_pay_back_times_hold_their_word(values: np.ndarray) -> None:
    """Checked on a fine grid of its own: nothing is negative after, something is just before."""
    times = np.linspace(0.0, 11.0, 12)
    fine = np.linspace(0.0, 11.0, 11 * 64 + 1)
    dip = swing(times, values, 1.0)
    total = path(times, values).worth_at(fine)
    for member, row in enumerate(values):
        after = fine > dip.t_flow[member] + 1e-9
        assert np.all(np.interp(fine, times, row)[after] >= -1e-12)
        repaid = fine > dip.t_pay[member] + 1e-6
        assert np.all(total[member][repaid] >= -1e-9)
        if 0 < dip.t_pay[member] < math.inf:
            moment = np.array([dip.t_pay[member]])
            assert path(times, row[None, :]).worth_at(moment)[0, 0] == pytest.approx(0, abs=1e-8)


def test_all_roots_are_found_and_none_is_said() -> None:
    # Present value −1 + 2.3 x − 1.32 x² in x = e^(−r): the classic project with rates 10 % and 20 %,
    # here as narrow triangles, which weigh all payments alike.
    times = np.array([0.0, 1e-4, 0.9999, 1.0, 1.0001, 1.9999, 2.0, 2.0001])
    triangle = 1e-4
    values = np.zeros((1, 8))
    values[0, [0, 3, 6]] = -1.0 / (triangle / 2), 2.3 / triangle, -1.32 / triangle
    roots = internal_rates(times, values)[0]
    assert np.allclose(np.expm1(roots), [0.1, 0.2], atol=3e-3)
    assert internal_rates(times, np.abs(values)) == ((),)
    assert internal_rates(times, np.zeros((1, 8))) == ((),)


def test_failed_members_stay_failed_and_alone() -> None:
    times = np.linspace(0.0, 20.0, 5)
    both = np.concatenate([ramp(times), ramp(times)])
    both[1, 3] = np.nan
    dip = swing(times, both, 1.0)
    assert dip.shape == ("worse before better", "failed")
    assert dip.npv[0] == pytest.approx(20.0)
    assert np.isnan([dip.depth[1], dip.t_pay[1], dip.npv[1]]).all()


def test_rounding_is_no_dip() -> None:
    times = np.linspace(0.0, 10.0, 11)
    values = np.ones((1, 11))
    values[0, 10] = -1e-15
    dip = swing(times, values, 1.0)
    assert dip.t_flow[0] == 0.0
    assert dip.shape == ("better",)


def test_ramp_integrals_meet_where_the_series_hands_over() -> None:
    x = np.array([0.0, 1e-9, 0.4999999, 0.5000001, 30.0, -3.0])
    falling, rising = ramps(x)
    nodes, heights = np.polynomial.legendre.leggauss(60)
    u = (nodes + 1) / 2
    for at, down, up in zip(x, falling, rising, strict=True):
        assert down == pytest.approx(float(heights @ ((1 - u) * np.exp(-at * u)) / 2), rel=1e-12)
        assert up == pytest.approx(float(heights @ (u * np.exp(-at * u)) / 2), rel=1e-12)


def test_weights_are_the_trapezoid_without_discount() -> None:
    times = np.array([0.0, 1.0, 4.0])
    assert np.allclose(weights(times, 0.0), [0.5, 2.0, 1.5], atol=1e-15)


def test_times_must_rise_and_shapes_fit() -> None:
    with pytest.raises(UsageError, match="rise"):
        swing(np.array([0.0, 0.0]), np.ones((1, 2)), 1.0)
    with pytest.raises(UsageError, match="shape"):
        swing(RAMP, np.ones((1, 3)), 1.0)
