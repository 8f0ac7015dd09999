"""Identifiability of the logistic curve and of decay, against fits of made-up data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

import flywheel as fw
from flywheel.analysis.decide.identify import identify, next_sample
from flywheel.analysis.decide.profile import profile
from flywheel.errors import UsageError
from flywheel.solve.study import Study

P = np.array([0.5, 1000.0, 10.0])
NAMES = ("r", "K", "x0")
SHORT = np.arange(0.5, 6.01, 0.5)
FULL = np.arange(0.5, 20.01, 0.5)


def logistic(t, p):
    r, k, x0 = p
    return k / (1 + (k / x0 - 1) * np.exp(-r * t))


def slopes(t, p=P):
    """d x / d(r, K, x0) in closed form."""
    r, k, x0 = p
    e = np.exp(-r * t)
    x = logistic(t, p)
    return np.stack(
        [x**2 / k * (k / x0 - 1) * t * e, x**2 / k**2 * (1 - e), x**2 / x0**2 * e], axis=1
    )


def test_the_slopes_here_are_right() -> None:
    for k in range(3):
        move = np.zeros(3)
        move[k] = 1e-6 * P[k]
        difference = (logistic(FULL, P + move) - logistic(FULL, P - move)) / (2 * move[k])
        assert slopes(FULL)[:, k] == pytest.approx(difference, rel=1e-6, abs=1e-9)


def test_data_before_the_bend_do_not_tell() -> None:
    found = identify(slopes(SHORT), 10, P, NAMES)
    assert found.sd == pytest.approx([0.26, 2.51, 0.36], rel=0.1)
    assert found.correlation[0, 1] == pytest.approx(-0.955, abs=0.005)
    assert found.collinearity == pytest.approx(20.5, rel=0.02)
    assert found.sloppy
    assert next(iter(found.weakest)) == "K"
    assert "hardly tell K" in found.explain()
    assert "「K」" in found.explain("ko")


def test_data_through_the_bend_do_and_fits_agree() -> None:
    found = identify(slopes(FULL), 10, P, NAMES)
    assert found.sd == pytest.approx([0.0134, 0.0035, 0.058], rel=0.1)
    assert not found.sloppy
    random = np.random.default_rng(0)
    fits = []
    for _ in range(400):
        data = logistic(FULL, P) + 10 * random.standard_normal(FULL.size)
        fit = least_squares(
            lambda q, data=data: logistic(FULL, np.exp(q)) - data,
            np.log(P),
            jac=lambda q, data=data: slopes(FULL, np.exp(q)) * np.exp(q),
        )
        fits.append(fit.x)
    assert np.std(fits, axis=0) == pytest.approx(found.sd, rel=0.1)
    assert np.corrcoef(np.transpose(fits)) == pytest.approx(found.correlation, abs=0.12)


def test_from_the_tangents_of_a_model() -> None:
    model = fw.parse(
        """model growth
time 0 to 20 [day] step 1/16 save 1/2
param r [1/day] = 0.5
param K [1] = 1000
param x0 [1] = 10
stock x [1] = x0 gains growing
flow growing [1/day] = r * x * (1 - x / K)
"""
    )
    study = Study(model, "x")
    tangent = study.tangent(["r", "K", "x0"], ["x"])[1:, 0]
    found = identify(tangent, 10, P, NAMES)
    assert found.sd == pytest.approx(identify(slopes(FULL), 10, P, NAMES).sd, rel=1e-4)


def test_decay_is_best_measured_after_one_time_constant() -> None:
    t = np.linspace(0, 10, 1001)
    for k in (0.5, 2.0):
        y = -t * np.exp(-k * t)  # d y / d k of y = e^{−kt}
        best, gain = next_sample(y[:, None], [], 0.1)
        assert t[best] == pytest.approx(1 / k, abs=0.005)
        assert gain.shape == t.shape
        # After the first measurement, the second says most at the same moment.
        assert next_sample(y[:, None], [best], 0.1)[0] == best


def test_the_next_sample_fills_the_gap() -> None:
    t = np.arange(0.0, 20.5, 0.5)
    s = slopes(t)
    taken = [int(k) for k in np.flatnonzero(t <= 6)]
    best, _ = next_sample(s, taken, 10, P)
    before = identify(s[taken], 10, P).sd
    after = identify(s[[*taken, best]], 10, P).sd
    assert t[best] > 10  # where the curve is level, and K is seen
    assert after[1] < 0.05 * before[1]
    volumes = [
        np.linalg.slogdet(identify(s[[*taken, k]], 10, P).information)[1] for k in range(t.size)
    ]
    assert int(np.argmax(volumes)) == best


def test_two_parameters_that_only_act_together() -> None:
    s = np.outer(np.arange(1.0, 6.0), [2.0, 3.0, 0.0])
    s[:, 2] = 1
    found = identify(s, 1, names=["a", "b", "c"])
    assert np.isinf(found.sd).tolist() == [True, True, False]
    assert found.collinearity == math.inf
    assert found.condition == math.inf
    assert set(found.weakest) == {"a", "b"}
    assert math.isfinite(found.sd[2])
    assert "not at all" in found.explain()
    assert np.isnan(found.correlation[0, 1])


def test_more_parameters_than_data() -> None:
    found = identify([[1.0, 2.0]], 1)
    assert np.isinf(found.sd).all()
    assert found.collinearity == math.inf


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_bound_is_the_inverse_of_the_information(seed, count) -> None:
    random = np.random.default_rng(seed)
    s = random.standard_normal((20, count))
    sd = random.uniform(0.5, 2, 20)
    found = identify(s, sd)
    inverse = np.linalg.inv((s / sd[:, None]).T @ (s / sd[:, None]))
    assert found.sd == pytest.approx(np.sqrt(np.diag(inverse)), rel=1e-6)
    assert np.diag(found.correlation) == pytest.approx(1)
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(found.information)[::-1], rel=1e-6)
    # More data never hurt.
    assert (identify(s[:15], sd[:15]).sd >= found.sd * (1 - 1e-9)).all()


def test_units_do_not_matter_for_relative_errors() -> None:
    scale = np.array([1e6, 1e-6, 1.0])
    plain = identify(slopes(FULL), 10, P)
    other = identify(slopes(FULL) * scale, 10, P / scale)
    assert other.sd == pytest.approx(plain.sd, rel=1e-9)
    assert identify(slopes(FULL) * scale, 10).sd * scale == pytest.approx(
        identify(slopes(FULL), 10).sd, rel=1e-6
    )


def test_several_measured_variables() -> None:
    random = np.random.default_rng(0)
    s = random.standard_normal((10, 2, 3))
    both = identify(s, [0.5, 2.0])
    flat = identify(
        np.concatenate([s[:, 0], s[:, 1]]), np.concatenate([np.full(10, 0.5), np.full(10, 2.0)])
    )
    assert both.sd == pytest.approx(flat.sd)
    assert both.measurements == 20


# Profiles ---------------------------------------------------------------------------------------


def test_profiles_of_the_logistic() -> None:
    short = profile(lambda q: (logistic(SHORT, q) - logistic(SHORT, P)) / 10, P, NAMES)
    capacity = short[1]
    assert capacity.high == math.inf
    assert not capacity.bounded
    assert 220 < capacity.low < 280
    assert "not identifiable from above" in capacity.explain()
    assert "위로 한정되지 않습니다" in capacity.explain("ko")
    assert short[0].bounded

    full = profile(lambda q: (logistic(FULL, q) - logistic(FULL, P)) / 10, P, NAMES)
    sd = identify(slopes(FULL), 10, P).sd
    for one, value, error in zip(full, P, sd, strict=True):
        assert one.bounded
        assert one.best == pytest.approx(value, rel=1e-5)
        # With this much data the profile is a parabola, and the bound is its width.
        assert math.log(one.high / value) == pytest.approx(1.96 * error, rel=0.1)
        assert math.log(value / one.low) == pytest.approx(1.96 * error, rel=0.1)
    assert f"95 % interval {full[1].low:.0f}" in full[1].explain()


def test_a_straight_line_has_the_exact_interval() -> None:
    # ln y = ln a + noise: the misfit is exactly n (ln a)²/σ².
    (found,) = profile(lambda q: np.full(4, np.log(q[0]) / 0.3), [1.0], ["a"], factor=1000)
    half = math.sqrt(3.841458820694124 * 0.09 / 4)
    assert found.high == pytest.approx(math.exp(half), rel=1e-6)
    assert found.low == pytest.approx(math.exp(-half), rel=1e-6)
    assert found.frame.loc[:, "rise"].min() == 0


def test_a_start_beside_the_best_is_improved() -> None:
    def misfit(q):
        return (logistic(FULL, q) - logistic(FULL, P)) / 10

    (found,) = profile(misfit, 1.2 * P, NAMES, only=["K"])
    assert found.best == pytest.approx(1000, rel=1e-4)


def test_a_model_that_breaks_leaves_a_gap() -> None:
    def misfit(q):
        return np.array([np.log(q[0] / q[1]), np.nan if q[0] > 3 else np.log(q[1])])

    (found,) = profile(misfit, [1.0, 1.0], ["a", "b"], only=["a"])
    assert found.failed > 0
    assert found.high == math.inf  # it never got to the level on that side
    assert found.low == pytest.approx(math.exp(-math.sqrt(2 * 3.8414588)), rel=1e-3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: identify([1.0, 2.0], 1), "shape"),
        (lambda: identify([[1.0]], 0), "above 0"),
        (lambda: identify([[1.0]], 1, [0.0]), "relative error"),
        (lambda: identify([[1.0]], 1, [1.0, 2.0]), "1 parameters"),
        (lambda: identify([[1.0], [2.0]], [1, 2, 3]), "do not fit"),
        (lambda: next_sample([[1.0]], [4], 1), "moments"),
        (lambda: profile(lambda q: q, [-1.0]), "above 0"),
        (lambda: profile(lambda q: q, [1.0], only=["z"]), "no parameter"),
        (lambda: profile(lambda q: q * np.nan, [1.0]), "no numbers"),
        (lambda: profile(lambda q: q, [1.0], factor=1), "factor"),
    ],
)
def test_mistakes_are_named(call, says) -> None:
    with pytest.raises(UsageError, match=says):
        call()
