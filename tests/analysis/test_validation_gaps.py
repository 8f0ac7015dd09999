"""Closed forms and published numbers across several analyses, to the tolerance of their digits."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.levers.swing import swing
from flywheel.analysis.sensitivity import dgsm
from flywheel.analysis.sensitivity.apportion import sensitivity
from flywheel.analysis.sensitivity.design import to_inputs
from flywheel.solve.study import Study
from flywheel.sweep.distributions import Uniform
from tests.analysis.sensitivity.functions import ISHIGAMI_NU, ishigami

P, Q = 0.03, 0.38


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_the_logistic_gradient_is_the_closed_form(method: str) -> None:
    """d x(20) by r, K and x0, from the backward pass and from the forward one, at a finer step."""
    text = f"""model logistic
time 0 to 20 step {"1/64" if method == "rk4" else "1/4096"} save 5
param r = 0.5
param k = 1000
param start = 10
stock x = start gains grow
flow grow = r * x * (1 - x / k)
"""
    one = Study(fw.parse(text), "x", [10.0, 20.0], method=method)
    wanted = []
    for t in (10.0, 20.0):
        fade = math.exp(-0.5 * t)
        grown = (1 + 99 * fade) ** 2
        wanted.append([99e3 * t * fade / grown, (1 - fade) / grown, 1e4 * fade / grown])
    assert wanted[1] == pytest.approx([89.089222, 0.991026, 0.449946], abs=6e-7)
    found = one.gradient(["r", "k", "start"])
    assert found.method == ("adjoint",) * 3
    # Euler's own error at this step is 6e-4 of the slopes; the two ways agree on it to rounding.
    np.testing.assert_allclose(found.values, wanted, rtol=1e-5 if method == "rk4" else 2e-3)
    moved = one.tangent(["r", "k", "start"], ["x"])[:, 0]
    np.testing.assert_allclose(found.values, moved[[2, 4]], rtol=1e-10)


def test_the_peak_of_bass_is_where_it_should_be() -> None:
    """ln(q/p)/(p+q) = 6.192619 by the outcome, which takes the crossing between saves as straight."""
    text = f"""model bass
time 0 to 8 step 1/1024 save 1/1024
param p = {P}
param q = {Q}
stock f = 0 gains adopt
flow adopt = (p + q * f) * (1 - f)
outcome peak_time = time of q - p - 2 * q * f <= 0
"""
    found = Study(fw.parse(text), "peak_time").value[0]
    assert math.log(Q / P) / (P + Q) == pytest.approx(6.192619, abs=6e-7)
    assert found == pytest.approx(math.log(Q / P) / (P + Q), abs=1e-6)


def test_the_debt_of_a_discounted_ramp() -> None:
    times = np.array([0.0, 3.0, 400.0])
    dip = swing(times, (-1.0 + times / 5.0)[None, :], 1.0, rate=0.1)
    assert dip.debt[0] == pytest.approx(10 - 20 * (1 - math.exp(-0.5)), abs=1e-8)


def test_standardised_regression_squared_is_the_index_of_a_linear_model() -> None:
    """S_i = ST_i = SRC_i^2 = c_i^2 s_i^2 / sum for y = sum c_i x_i, whatever the ranges."""
    slopes, lows, highs = np.array([1.0, -2.0, 3.0]), [0.0, -1.0, 5.0], [2.0, 0.0, 8.0]
    text = "model m\ntime 0 to 1 step 1\n" + "".join(
        f"param x{n} = {(a + b) / 2}\n" for n, (a, b) in enumerate(zip(lows, highs, strict=True))
    )
    text += "aux y = x0 - 2 * x1 + 3 * x2\n"
    study = Study(fw.parse(text), "y")
    names = [f"x{n}" for n in range(3)]
    boxes = {name: Uniform(a, b) for name, a, b in zip(names, lows, highs, strict=True)}
    spread = slopes**2 * (np.subtract(highs, lows)) ** 2 / 12
    truth = spread / spread.sum()
    found = sensitivity(study, names, boxes)
    np.testing.assert_allclose(found.S1[:, 0], truth, atol=1e-6)
    np.testing.assert_allclose(found.ST[:, 0], truth, atol=1e-6)
    x = np.random.default_rng(1).uniform(lows, highs, (50, 3))
    y = study.run(names, x).outcomes[:, 0]
    design = np.column_stack([np.ones(50), x])
    fitted = np.linalg.lstsq(design, y, rcond=None)[0][1:]
    deviations = np.subtract(highs, lows) / math.sqrt(12)
    np.testing.assert_allclose((fitted * deviations) ** 2 / spread.sum(), truth, atol=1e-6)


def test_mean_squared_slopes_of_ishigami() -> None:
    points = dgsm.differences(1024, 3)
    cube = [Uniform(-np.pi, np.pi)] * 3
    x, y = to_inputs(points, cube), ishigami(points)
    found = dgsm.dgsm(x[:, 0], dgsm.central(x, y), cube, dgsm.output_variance(y))
    np.testing.assert_allclose(found.nu[:, 0], ISHIGAMI_NU, rtol=0.01)
