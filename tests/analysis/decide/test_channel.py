"""Channels: closed forms beside runs of the small systems that they speak of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flywheel as fw
from flywheel.analysis.decide.channel import (
    Channel,
    best_gain,
    guard_rails,
    kalman_variance,
    noise_ladder,
    quality_worth,
    rule_variance,
    simulate_rule,
)
from flywheel.errors import UsageError

# Noise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gain", "variance"), [(0.1, 0.526316), (0.5, 0.453333), (1.0, 1.09)])
def test_a_rule_on_noisy_data_by_running_it(gain, variance) -> None:
    assert rule_variance(gain, 1, 0.3) == pytest.approx(variance, abs=1e-6)
    run, error = simulate_rule(gain, 1, 0.3)
    assert run == pytest.approx(variance, rel=0.02)
    assert abs(run - variance) < 4 * error


def test_the_same_as_a_model() -> None:
    model = fw.parse(
        """model noisy
time 0 to 100000 [day] step 1
param a [1/day] = 0.5
stock x [1] = 0 gains correction
flow correction [1/day] = noise(0, 0.3) - a * (x + noise(0, 1))
"""
    )
    x = model.run(method="euler")["x"]
    assert x[100:].var() == pytest.approx(rule_variance(0.5, 1, 0.3), rel=0.02)


def test_halving_the_error_brings_less_each_time() -> None:
    found = noise_ladder(2, 0.3)
    assert found.variance == pytest.approx([0.647, 0.348, 0.202, 0.1325, 0.09], abs=6e-4)
    assert (np.diff(found.variance, 2) > 0).all()
    assert found.frame.shape == (5, 4)
    assert "takes 0.298 off" in found.explain()
    assert "0.298" in found.explain("ko")


@given(st.floats(0, 10), st.floats(0.01, 10))
def test_the_best_gain_leaves_what_a_kalman_filter_leaves(noise, shock) -> None:
    best = best_gain(noise, shock)
    least = kalman_variance(noise, shock)
    assert rule_variance(best, noise, shock) == pytest.approx(least, rel=1e-9)
    for gain in (0.9 * best, min(1.1 * best, 1.999)):
        assert rule_variance(gain, noise, shock) >= least * (1 - 1e-12)


def test_a_rule_too_weak_or_too_strong_holds_nothing() -> None:
    assert rule_variance(0, 1, 1) == math.inf
    assert rule_variance(2, 1, 1) == math.inf
    with pytest.raises(UsageError):
        rule_variance(0.5, -1, 1)


# Delay and sampling -----------------------------------------------------------------------------


def delayed(gain: float, stop: float) -> np.ndarray:
    """dx/dt = −k x(t − 1), x = 1 before the start."""
    model = fw.parse(
        f"""model delayed
time 0 to {stop:g} [day] step 0.01 save 0.1
param k [1/day] = {gain}
stock x [1] = 1 gains correction
aux seen [1] = delay_fixed(x, 1, 1)
flow correction [1/day] = -k * seen
"""
    )
    return model.run()["x"]


@pytest.mark.parametrize(("product", "dies_out"), [(1.56, True), (1.59, False)])
def test_a_delay_is_stood_up_to_half_pi(product, dies_out) -> None:
    rails = guard_rails(product, 1.0)
    x = delayed(product, 200)
    early, late = np.abs(x[900:1000]).max(), np.abs(x[1900:2000]).max()
    assert bool(late < early) is dies_out
    assert rails.stable is dies_out
    # The predicted rate is the measured one.
    assert math.log(late / early) / 100 == pytest.approx(rails.rate, abs=3e-4)


@pytest.mark.parametrize(("product", "swings"), [(0.35, False), (0.38, True)])
def test_a_delay_is_smooth_up_to_one_by_e(product, swings) -> None:
    assert bool(delayed(product, 30).min() < 0) is swings
    assert guard_rails(product, 1.0).overshoots is swings


def held(gain: float, interval: float, delay: int = 0, steps: int = 4000) -> np.ndarray:
    """x at the samples: the rule holds what it saw ``delay`` samples ago."""
    x = [1.0] * (delay + 1)
    for _ in range(steps):
        x.append(x[-1] - gain * interval * x[-1 - delay])
    return np.abs(np.array(x))


@pytest.mark.parametrize(("product", "dies_out"), [(1.99, True), (2.01, False)])
def test_sampling_is_stood_up_to_two(product, dies_out) -> None:
    x = held(product, 1.0)
    assert bool(x[-1] < x[0]) is dies_out
    assert guard_rails(product, interval=1.0).stable is dies_out
    assert guard_rails(0.99, interval=1.0).overshoots is False
    assert guard_rails(1.01, interval=1.0).overshoots is True


@pytest.mark.parametrize("gain", [0.3, 0.9, 1.1])
def test_delay_and_sampling_together(gain) -> None:
    # One whole sample late: x⁺ = x − k x₋₁, on the edge at k = 1.
    x = held(gain, 1.0, 1, steps=450)
    measured = math.log(x[-100:].max() / x[-400:-300].max()) / 300
    assert guard_rails(gain, 1.0, 1.0).rate == pytest.approx(measured, abs=5e-3)
    assert guard_rails(gain, 1.0, 1.0).stable is (gain < 1)


def test_fine_sampling_is_continuous() -> None:
    for gain in (0.2, 1.0, 1.7):
        fine = guard_rails(gain, 1.0, 1 / 99)
        # Half an interval more of delay is what sampling adds.
        continuous = guard_rails(gain, 1.0 + 0.5 / 99)
        assert fine.rate == pytest.approx(continuous.rate, rel=1e-2, abs=1e-4)
    assert guard_rails(1.0, 1.0, 1e-6).rate == pytest.approx(guard_rails(1.0, 1.0).rate, abs=1e-5)


def test_without_age_the_rule_is_just_its_gain() -> None:
    rails = guard_rails(0.7)
    assert rails.rate == -0.7
    assert not rails.overshoots
    assert guard_rails(0.0, 3.0).stable is False
    assert guard_rails(1.0, interval=1.0).rate == -math.inf  # gone after a single sample
    with pytest.raises(UsageError):
        guard_rails(-1.0)


def test_the_rails_speak() -> None:
    assert "swings past" in guard_rails(1.0, 1.0).explain()
    assert "grow" in guard_rails(2.0, 1.0).explain()
    assert "without swinging" in guard_rails(0.1, 1.0, 1.0).explain()
    assert "1.5 old" in guard_rails(0.1, 1.0, 1.0).explain()
    assert "안정적입니다" in guard_rails(0.1, 1.0).explain("ko")


# Messages ---------------------------------------------------------------------------------------


def test_a_message_of_a_ramp_is_as_old_as_the_channel() -> None:
    t = np.linspace(0, 100, 10001)
    channel = Channel(delay=2, interval=3)
    assert channel.age == 3.5
    late = (t - channel.message(t, t))[(t >= 10) & (t < 97)]  # whole intervals after the start
    assert late.mean() == pytest.approx(3.5, abs=0.01)
    assert late.min() == pytest.approx(2, abs=0.011)
    assert late.max() == pytest.approx(5, abs=0.011)


def test_a_perfect_channel_changes_nothing() -> None:
    t = np.linspace(0, 1, 11)
    assert Channel().message(t, np.sin(t)) == pytest.approx(np.sin(t))


def test_bias_noise_and_rounding() -> None:
    t = np.arange(10000.0)
    seen = Channel(bias=2, sd=3).message(t, 0 * t, np.random.default_rng(0))
    assert seen.mean() == pytest.approx(2, abs=0.1)
    assert seen.std() == pytest.approx(3, rel=0.03)
    assert Channel(quantum=0.5).message(t[:3], [0.2, 0.3, 1.1]).tolist() == [0.0, 0.5, 1.0]
    # One error for each measurement, held until the next.
    kept = Channel(interval=10, sd=1).message(t[:30], 0 * t[:30], np.random.default_rng(0))
    assert len(np.unique(kept)) == 3


def test_what_a_better_channel_is_worth() -> None:
    def outcome(channel, seeds):
        """Minus the variance of a rule that reacts to what the channel shows."""
        found = []
        for seed in seeds:
            random = np.random.default_rng(seed)
            x, total = 0.0, 0.0
            for _ in range(200):
                x = x - 0.5 * (x + channel.sd * random.standard_normal())
                x += 0.3 * random.standard_normal()
                total += x * x
            found.append(-total / 200)
        return found

    worth = quality_worth(outcome, Channel(sd=1.0), Channel(sd=0.5))
    expected = rule_variance(0.5, 1, 0.3) - rule_variance(0.5, 0.5, 0.3)
    assert worth.low < expected < worth.high
    assert worth.high - worth.low < 0.1 * expected
    nothing = quality_worth(outcome, Channel(sd=1.0), Channel(sd=1.0), replications=10)
    assert nothing.value == 0  # the same luck on both sides


def test_failed_replications_are_counted() -> None:
    def outcome(channel, seeds):
        return np.where(seeds == 3, np.nan, channel.sd + 0.1 * seeds)

    worth = quality_worth(outcome, Channel(), Channel(sd=1), replications=10)
    assert worth.left_out == 1
    assert worth.value == pytest.approx(1.0)


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match="delay"):
        Channel(delay=-1)
    with pytest.raises(UsageError, match="equal length"):
        Channel().message([0, 1], [1])
    with pytest.raises(UsageError, match="replications"):
        quality_worth(lambda c, s: s, Channel(), Channel(), replications=1)
    with pytest.raises(UsageError, match="halving"):
        noise_ladder(1, 1, 0)
