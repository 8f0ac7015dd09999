"""Sobol' indices: closed forms, and the estimators as SALib writes them, resample by resample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.analysis.sensitivity.design import saltelli
from flywheel.analysis.sensitivity.outputs import resampling
from flywheel.analysis.sensitivity.sobol import (
    aggregated,
    interaction_share,
    mean_dimension,
    sobol_indices,
)
from flywheel.errors import UsageError
from tests.analysis.sensitivity.functions import (
    ISHIGAMI_S1,
    ISHIGAMI_ST,
    g_function,
    g_indices,
    ishigami,
)


def test_ishigami() -> None:
    found = sobol_indices(ishigami(saltelli(0, 1024, 3, second=True)), second=True)
    np.testing.assert_allclose(found.S1[:, 0], ISHIGAMI_S1, atol=0.01)
    np.testing.assert_allclose(found.ST[:, 0], ISHIGAMI_ST, atol=0.01)
    # S2 is the difference of three estimates and needs more runs for the same tolerance.
    more = sobol_indices(ishigami(saltelli(0, 8192, 3, second=True)), second=True)
    np.testing.assert_allclose(more.S2[0, 2, 0], 0.243684, atol=0.01)
    np.testing.assert_allclose(more.S2[[0, 1], [1, 2], 0], 0, atol=0.01)
    np.testing.assert_array_equal(more.S2[0, 2], more.S2[2, 0])
    assert more.variance[0] == pytest.approx(13.844588, rel=0.005)


def test_g_function() -> None:
    first, total = g_indices()
    np.testing.assert_allclose(first[:4], [0.7162, 0.1790, 0.0237, 0.0072], atol=5e-5)
    np.testing.assert_allclose(total[:4], [0.7871, 0.2422, 0.0343, 0.0105], atol=5e-5)
    found = sobol_indices(g_function(saltelli(0, 2048, 8)))
    np.testing.assert_allclose(found.S1[:, 0], first, atol=0.005)
    np.testing.assert_allclose(found.ST[:, 0], total, atol=0.005)


def test_a_linear_model_adds_up() -> None:
    slopes = np.array([1.0, -2.0, 3.0])
    truth = slopes**2 / (slopes**2).sum()
    found = sobol_indices(saltelli(0, 4096, 3) @ slopes)
    np.testing.assert_allclose(found.ST[:, 0], truth, atol=1e-4)
    np.testing.assert_allclose(found.S1[:, 0], truth, atol=2e-3)
    assert mean_dimension(found.ST)[0] == pytest.approx(1, abs=1e-4)
    assert interaction_share(found.S1)[0] == pytest.approx(0, abs=3e-3)


def by_hand(y: np.ndarray, picks: np.ndarray) -> dict[str, np.ndarray]:
    """SALib's estimators and intervals for one output, in its own order of operations."""
    n, rows = y.shape
    d = rows // 2 - 1
    y = (y - y.mean()) / y.std()
    a, b, ab, ba = y[:, 0], y[:, 1], y[:, 2 : 2 + d], y[:, 2 + d :]

    def first(p: np.ndarray, j: int) -> np.ndarray:
        return np.mean(b[p] * (ab[p, j] - a[p]), axis=0) / np.var(np.r_[a[p], b[p]], axis=0)

    def total(p: np.ndarray, j: int) -> np.ndarray:
        return 0.5 * np.mean((a[p] - ab[p, j]) ** 2, axis=0) / np.var(np.r_[a[p], b[p]], axis=0)

    def second(p: np.ndarray, j: int, k: int) -> np.ndarray:
        whole = np.mean(ba[p, j] * ab[p, k] - a[p] * b[p], axis=0) / np.var(
            np.r_[a[p], b[p]], axis=0
        )
        return whole - first(p, j) - first(p, k)

    every = np.arange(n)
    reach = 1.959963984540054
    inputs = range(d)
    return {
        "S1": np.array([first(every, j) for j in inputs]),
        "ST": np.array([total(every, j) for j in inputs]),
        "S1_half": np.array([reach * first(picks, j).std(ddof=1) for j in inputs]),
        "ST_half": np.array([reach * total(picks, j).std(ddof=1) for j in inputs]),
        "S2": np.array(
            [[second(every, j, k) if j < k else np.nan for k in inputs] for j in inputs]
        ),
        "S2_half": np.array(
            [
                [reach * second(picks, j, k).std(ddof=1) if j < k else np.nan for k in inputs]
                for j in inputs
            ]
        ),
    }


def test_same_numbers_as_salibs_formulas() -> None:
    n, d, outputs = 128, 4, 300  # more outputs than are worked on at once
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(d, outputs))
    unit = saltelli(0, n, d, second=True)
    y = np.exp(unit @ mix) + 100
    picks = rng.integers(n, size=(n, 40))
    weights = np.full((41, n), 1 / n)
    weights[1:] = [np.bincount(p, minlength=n) / n for p in picks.T]
    found = sobol_indices(y, second=True, weights=weights)
    for o in (0, 255, 256, 299):
        expected = by_hand(y[:, :, o], picks)
        for name, values in expected.items():
            mine = getattr(found, name)[..., o]
            if values.ndim == 2:
                upper = np.triu_indices(d, 1)
                mine, values = mine[upper], values[upper]
            np.testing.assert_allclose(mine, values, atol=1e-12, err_msg=name)


@settings(max_examples=20)
@given(st.permutations(range(3)), st.floats(0.1, 1e6), st.floats(-1e6, 1e6))
def test_names_and_units_change_nothing(order: list[int], scale: float, shift: float) -> None:
    unit = saltelli(0, 64, 3)
    plain = sobol_indices(ishigami(unit))
    rows = [0, 1, *(2 + j for j in order)]
    moved = sobol_indices(scale * ishigami(unit)[:, rows] + shift)
    tolerance = 1e-9 * (1 + abs(shift) / scale)
    np.testing.assert_allclose(moved.S1, plain.S1[order], atol=tolerance)
    np.testing.assert_allclose(moved.ST_half, plain.ST_half[order], atol=tolerance)


def test_a_failed_run_takes_its_block_with_it() -> None:
    y = ishigami(saltelli(0, 256, 3))
    bad = y.copy()
    bad[7, 3] = np.nan
    bad[100, 0] = np.inf
    found = sobol_indices(bad, seed=3)
    kept = np.delete(np.arange(256), [7, 100])
    expected = sobol_indices(y[kept], seed=3)
    assert (found.used, found.blocks) == (254, 256)
    np.testing.assert_array_equal(found.S1, expected.S1)
    np.testing.assert_array_equal(found.ST_half, expected.ST_half)
    with pytest.raises(UsageError, match="0 of 4 blocks"):
        sobol_indices(np.full((4, 5), np.nan))


def test_what_does_not_vary_has_no_indices() -> None:
    unit = saltelli(0, 64, 3)
    y = np.stack(
        [
            np.full(unit.shape[:2], 0.1),
            1e9 + 1e-7 * ishigami(unit),
            np.full(unit.shape[:2], np.nan),
        ],
        axis=2,
    )
    y = np.concatenate([y, ishigami(unit)[..., None]], axis=2)
    found = sobol_indices(y)
    assert np.isnan(found.ST[:, 0]).all()
    assert np.isnan(found.ST[:, 1]).all()  # 1e-16 of its size: rounding
    assert np.isnan(found.ST[:, 2]).all()
    assert found.used == 64
    assert np.isfinite(found.ST[:, 3]).all()


@pytest.mark.parametrize("rows", [2, 7])
def test_a_shape_that_is_no_design_is_refused(rows: int) -> None:
    with pytest.raises(UsageError):
        sobol_indices(np.zeros((8, rows)), second=rows == 7)


def test_intervals_cover_the_truth() -> None:
    inside = []
    for seed in range(20):
        found = sobol_indices(ishigami(saltelli(0, 512, 3, seed)), seed=seed)
        inside.append(np.abs(found.ST[:, 0] - ISHIGAMI_ST) <= found.ST_half[:, 0])
        inside.append(np.abs(found.S1[:, 0] - ISHIGAMI_S1) <= found.S1_half[:, 0])
    assert np.mean(inside) >= 0.95


def test_indices_over_a_stretch_of_time_weigh_by_variance() -> None:
    indices = np.array([[np.nan, 0.2, 0.8], [np.nan, 0.8, 0.2]])
    variance = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(aggregated(indices, variance), [0.65, 0.35])
    assert np.isnan(aggregated(indices, np.zeros(3))).all()


def test_resampling_weights_are_counts() -> None:
    weights = resampling(50, 10, 0)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[1:] * 50, np.round(weights[1:] * 50), atol=1e-9)
    np.testing.assert_array_equal(weights[0], np.full(50, 0.02))
