"""The misunderstood-lever index: observers in closed form, quadrants, Kendall's τ against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import kendalltau

from flywheel.analysis.levers.judging import kendall, misjudged_in_time, ranks, verdicts

TIMES = np.linspace(0.0, 20.0, 41)
RAMP = (-1.0 + TIMES / 5.0)[None, :]
NONE = np.zeros(1)


@pytest.mark.parametrize(("observed", "wrong"), [(5.0, 1.0), (10.0, 1.0), (20.0, 0.5), (12.5, 0.8)])
def test_without_noise_it_is_the_part_of_horizons_with_the_wrong_sign(
    observed: float, wrong: float
) -> None:
    # V₀ of the ramp −1 + t/5 is below 0 until 10, and 20 in the end.
    found = misjudged_in_time(TIMES, RAMP, np.array([20.0]), observed=observed, noise=NONE)
    assert found[0] == pytest.approx(wrong, abs=1e-12)


@given(st.floats(0.05, 5.0), st.floats(0.5, 20.0))
def test_noise_agrees_with_quadrature(noise: float, observed: float) -> None:
    found = misjudged_in_time(
        TIMES, RAMP, np.array([20.0]), observed=observed, noise=np.array([noise])
    )
    h = (np.arange(40_000) + 0.5) / 40_000 * observed
    exact = ndtr(-(-h + h**2 / 10) / (noise * np.sqrt(h))).mean()
    assert found[0] == pytest.approx(exact, abs=1e-3)


def test_a_steady_gain_is_doubted_by_its_signal_to_noise() -> None:
    # V₀ = d H and the blur σ√H: with d = 0 nobody can know.
    flat = np.zeros((1, 41))
    half = misjudged_in_time(TIMES, flat, np.array([1.0]), observed=5.0, noise=np.array([1.0]))
    assert half[0] == 0.5
    sure = misjudged_in_time(
        TIMES, flat + 1e6, np.array([1.0]), observed=5.0, noise=np.array([1.0])
    )
    assert sure[0] < 1e-3


@given(st.lists(st.integers(-5, 5), min_size=41, max_size=41), st.booleans())
def test_the_mirror_lever_is_as_hard_to_judge(values: list[int], noisy: bool) -> None:
    path = np.array([values], dtype=float)
    noise = np.array([0.7 if noisy else 0.0])
    one = misjudged_in_time(TIMES, path, np.array([3.0]), observed=7.3, noise=noise)
    other = misjudged_in_time(TIMES, -path, np.array([-3.0]), observed=7.3, noise=noise)
    assert one[0] == pytest.approx(other[0], abs=1e-12)
    assert 0 <= one[0] <= 1


def test_quadrants_signs_and_sizes() -> None:
    worth = np.array([10.0, 8.0, -9.0, 0.5, np.nan])
    opened = np.array([11.0, -4.0, 7.0, 0.4, 1.0])
    found = verdicts(worth, opened, np.array([0.1, 0.2, 0.1, 0.9, 0.5]))
    assert found.quadrant == ("obvious", "misunderstood", "seductive", "minor", "minor")
    middle = np.median([10.0, 8.0, 9.0, 0.5])
    assert found.size[0] == pytest.approx(10 / (10 + middle))
    assert found.mui[1] == 1.0
    assert found.mui[0] == pytest.approx(0.1)
    assert found.mli[1] > 0 > found.mli[2]
    assert found.feedback_share[1] == pytest.approx(1 + 4 / 8)
    assert math.isnan(found.mli[4])


@given(st.floats(1e-3, 1e6))
def test_the_index_does_not_depend_on_the_unit(factor: float) -> None:
    worth, opened = np.array([3.0, -2.0, 0.5]), np.array([-1.0, -2.0, 0.1])
    time = np.array([0.3, 0.6, 0.1])
    one, other = verdicts(worth, opened, time), verdicts(factor * worth, factor * opened, time)
    assert np.allclose(one.mli, other.mli)
    assert np.allclose(one.feedback_share, other.feedback_share)


@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=9),
    st.integers(0, 1000),
)
def test_kendall_agrees_with_scipy(values: list[int], seed: int) -> None:
    one = np.array(values, dtype=float)
    other = np.random.default_rng(seed).permutation(one)
    expected = kendalltau(one, other).statistic if len(set(values)) > 1 else math.nan
    assert kendall(one, other) == pytest.approx(expected, nan_ok=True)


def test_ranks_put_the_largest_first_and_nothing_last() -> None:
    assert list(ranks(np.array([1.0, np.nan, 5.0, 5.0]))) == [3, 4, 1, 2]
