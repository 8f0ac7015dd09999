"""Polynomial chaos: exact on polynomials, close on smooth functions, and honest about kinks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.analysis.sensitivity.chaos import best_fit, fit, index_set, verdict
from flywheel.analysis.sensitivity.design import sobol_points
from flywheel.errors import UsageError
from tests.analysis.sensitivity.functions import (
    ISHIGAMI_S1,
    ISHIGAMI_SHAPLEY,
    ISHIGAMI_ST,
    bass,
    by_quadrature,
    ishigami,
)


def test_index_sets() -> None:
    assert index_set(2, 2, 1.0) == [[0, 0], [0, 1], [1, 0], [0, 2], [1, 1], [2, 0]]
    assert len(index_set(4, 4, 1.0)) == 70
    # (1 + 1)^(4/3) = 2.52 is above 2 and below 3.
    assert [1, 1] not in index_set(2, 2, 0.75)
    assert [1, 1] in index_set(2, 3, 0.75)
    assert index_set(20, 10, 0.75, most=500) == []


def test_a_polynomial_is_found_exactly() -> None:
    unit = sobol_points(0, 64, 3)
    x = 2 * unit - 1
    # Legendre: variances 1/3 (x), 1/9 (xy), 1/45 of x^2's part (2/3 P2).
    y = np.stack([2 * x[:, 0] + 3 * x[:, 0] * x[:, 1], x[:, 2] ** 2, np.full(64, 5.0)], axis=1)
    found = fit(unit, y, 2, 1.0)
    parts = np.array([4 / 3, 1.0])
    assert found.variance[0] == pytest.approx(parts.sum())
    np.testing.assert_allclose(found.S1[:, 0], [parts[0] / parts.sum(), 0, 0], atol=1e-12)
    np.testing.assert_allclose(found.ST[:, 0], [1, parts[1] / parts.sum(), 0], atol=1e-12)
    assert found.S2[0, 1, 0] == pytest.approx(parts[1] / parts.sum())
    np.testing.assert_allclose(found.Shapley[:, 0], [11 / 14, 3 / 14, 0], atol=1e-12)
    assert found.variance[1] == pytest.approx(4 / 45)
    np.testing.assert_allclose(found.mean, [0, 1 / 3, 5], atol=1e-12)
    assert np.isnan(found.S1[:, 2]).all()
    assert np.nanmax(found.loo) < 1e-25
    assert found.verdict == "accepted"
    np.testing.assert_allclose(found.predict(unit), y, atol=1e-12)


def test_leave_one_out_is_what_it_says() -> None:
    unit, noise = sobol_points(0, 40, 2), np.random.default_rng(0).normal(size=40)
    y = np.exp(unit[:, 0]) + 0.1 * noise
    found = fit(unit, y, 2, 1.0)
    missed = []
    for i in range(40):
        rest = np.delete(np.arange(40), i)
        missed.append(y[i] - fit(unit[rest], y[rest], 2, 1.0).predict(unit[i : i + 1])[0, 0])
    assert found.loo[0] == pytest.approx(np.mean(np.square(missed)) / y.var(), rel=1e-9)


def test_ishigami_with_256_runs() -> None:
    unit = sobol_points(0, 256, 3)
    found = best_fit(unit, ishigami(unit))
    np.testing.assert_allclose(found.S1[:, 0], ISHIGAMI_S1, atol=0.002)
    np.testing.assert_allclose(found.ST[:, 0], ISHIGAMI_ST, atol=0.002)
    np.testing.assert_allclose(found.Shapley[:, 0], ISHIGAMI_SHAPLEY, atol=0.002)
    assert found.S2[0, 2, 0] == pytest.approx(0.243684, abs=0.002)
    assert found.verdict == "accepted"


def test_intervals_cover_the_truth_even_where_the_fit_is_poor() -> None:
    inside = []
    for seed in range(15):
        unit = sobol_points(0, 128, 3, seed)
        found = best_fit(unit, ishigami(unit))
        inside.append(np.abs(found.S1[:, 0] - ISHIGAMI_S1) <= found.S1_half[:, 0])
        inside.append(np.abs(found.ST[:, 0] - ISHIGAMI_ST) <= found.ST_half[:, 0])
        inside.append(np.abs(found.Shapley[:, 0] - ISHIGAMI_SHAPLEY) <= found.Shapley_half[:, 0])
    assert np.mean(inside) >= 0.95


def test_bass_with_128_runs_of_degree_4() -> None:
    times = np.linspace(1, 20, 20)
    grid = (np.polynomial.legendre.leggauss(12)[0] + 1) / 2
    nodes = np.stack(np.meshgrid(*[grid] * 4, indexing="ij"), axis=-1)
    first, total = by_quadrature(bass(nodes, times))
    unit = sobol_points(0, 128, 4)
    found = fit(unit, bass(unit, times), 4, 1.0)
    assert np.abs(found.S1 - first).max() < 0.002
    assert np.abs(found.ST - total).max() < 0.002
    assert found.worst < 0.001


def test_a_jump_is_not_smooth() -> None:
    unit = sobol_points(0, 512, 3)
    found = best_fit(unit, np.where(unit[:, 0] + unit[:, 1] > 1.3, 1.0, 0.0))
    assert found.verdict == "use sampling"


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_shapley_effects_sum_to_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = sobol_points(0, 64, 3, seed)
    found = best_fit(unit, np.sin(unit @ rng.normal(size=(3, 4)) * 2))
    np.testing.assert_allclose(found.Shapley.sum(axis=0), 1, atol=1e-9)
    rising = np.stack([found.S1, found.Shapley, found.ST])
    assert np.diff(rising, axis=0).min() >= -1e-9


def test_inputs_in_another_order_have_their_indices_in_that_order() -> None:
    unit, order = sobol_points(0, 128, 3), [2, 0, 1]
    plain, moved = best_fit(unit, ishigami(unit)), best_fit(unit[:, order], ishigami(unit))
    np.testing.assert_allclose(moved.ST, plain.ST[order], atol=1e-9)
    np.testing.assert_allclose(moved.S2, plain.S2[np.ix_(order, order)], atol=1e-9)


def test_failed_runs_are_left_out() -> None:
    unit = sobol_points(0, 256, 3)
    y = ishigami(unit)
    y[[3, 77]] = np.nan
    found = best_fit(unit, y)
    assert (found.used, found.runs) == (254, 256)
    np.testing.assert_allclose(found.ST[:, 0], ISHIGAMI_ST, atol=0.005)


def test_too_few_runs_are_refused() -> None:
    unit = sobol_points(0, 8, 3)
    with pytest.raises(UsageError, match="terms"):
        fit(unit, unit[:, 0], 3)
    with pytest.raises(UsageError, match="sound runs"):
        best_fit(unit[:7], unit[:7, 0])
    with pytest.raises(UsageError, match="points"):
        best_fit(unit, unit[:3, 0])


def test_verdicts() -> None:
    assert [verdict(loo) for loo in (0.009, 0.01, 0.049, 0.05)] == [
        "accepted",
        "rough",
        "rough",
        "use sampling",
    ]
