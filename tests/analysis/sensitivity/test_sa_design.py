"""Designs of points, distributions, and what is done with runs that failed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.analysis.sensitivity.design import (
    latin_hypercube,
    radial,
    saltelli,
    sobol_points,
    to_inputs,
    trajectories,
)
from flywheel.analysis.sensitivity.outputs import failures, ranks, sound, tail
from flywheel.errors import UsageError
from flywheel.sweep.distributions import LogUniform, Normal, Triangular, Uniform


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 5), st.integers(0, 3))
def test_points_are_known_by_their_index(start: int, count: int, d: int, seed: int) -> None:
    whole = sobol_points(0, start + count, d, seed)
    np.testing.assert_array_equal(sobol_points(start, start + count, d, seed), whole[start:])
    assert whole.min() >= 0
    assert whole.max() < 1


def test_zero_is_a_seed_and_seeds_differ() -> None:
    np.testing.assert_array_equal(sobol_points(0, 8, 2, 0), sobol_points(0, 8, 2, 0))
    assert not np.array_equal(sobol_points(0, 8, 2, 0), sobol_points(0, 8, 2, 1))
    np.testing.assert_array_equal(latin_hypercube(8, 2, 0), latin_hypercube(8, 2, 0))


def test_a_saltelli_block_changes_one_coordinate() -> None:
    blocks = saltelli(0, 16, 3, 0, second=True)
    a, b = blocks[:, 0], blocks[:, 1]
    for j in range(3):
        others = [k for k in range(3) if k != j]
        np.testing.assert_array_equal(blocks[:, 2 + j, j], b[:, j])
        np.testing.assert_array_equal(blocks[:, 2 + j][:, others], a[:, others])
        np.testing.assert_array_equal(blocks[:, 5 + j, j], a[:, j])
        np.testing.assert_array_equal(blocks[:, 5 + j][:, others], b[:, others])
    np.testing.assert_array_equal(saltelli(0, 8, 3, 0, second=True), blocks[:8])
    np.testing.assert_array_equal(saltelli(0, 16, 3, 0), blocks[:, :5])


def test_a_latin_hypercube_has_one_point_a_slice() -> None:
    points = latin_hypercube(50, 4, 3)
    for column in np.floor(points * 50).T:
        assert sorted(column) == list(range(50))


@pytest.mark.parametrize("steps", [radial(20, 5), trajectories(20, 5)])
def test_a_step_moves_one_input_by_a_good_part_of_its_range(steps: object) -> None:
    group = np.arange(20)[:, None]
    before, after = steps.unit[group, steps.before], steps.unit[group, steps.after]
    moved = before != after
    np.testing.assert_array_equal(moved, np.broadcast_to(np.eye(5, dtype=bool), (20, 5, 5)))
    assert np.abs(steps.moved).min() >= 0.25
    assert steps.unit.min() >= 0
    assert steps.unit.max() <= 1


def test_quantiles_have_the_moments_of_their_distribution() -> None:
    u = (np.arange(100_000) + 0.5) / 100_000
    assert Uniform(2, 6).ppf(u).mean() == pytest.approx(4, abs=1e-6)
    assert LogUniform(1, 100).ppf(np.array([0, 0.5, 1])) == pytest.approx([1, 10, 100])
    normal = Normal(3, 2).ppf(u)
    assert (normal.mean(), normal.std()) == pytest.approx((3, 2), abs=1e-3)
    cut = Normal(0, 1, low=0).ppf(u)
    assert cut.min() >= 0
    assert cut.mean() == pytest.approx(np.sqrt(2 / np.pi), abs=1e-4)
    triangle = Triangular(0, 1, 4).ppf(u)
    assert triangle.mean() == pytest.approx(5 / 3, abs=1e-6)
    assert triangle.var() == pytest.approx((16 + 1 - 4) / 18, abs=1e-5)
    assert Triangular(1, 1, 2).ppf(np.array([0.0, 0.75, 1.0])) == pytest.approx([1, 1.5, 2])
    assert np.isfinite(Normal(0, 1).ppf(np.array([0.0, 1.0]))).all()
    both = to_inputs(np.full((2, 2), 0.5), [Uniform(0, 2), LogUniform(1, 4)])
    np.testing.assert_allclose(both, [[1, 2], [1, 2]])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(2, 2),
        lambda: Uniform(0, float("inf")),
        lambda: LogUniform(0, 2),
        lambda: Normal(0, 0),
        lambda: Normal(0, 1, 2, 1),
        lambda: Triangular(0, 3, 2),
        lambda: sobol_points(0, 0, 2),
        lambda: sobol_points(0, 2, 0),
        lambda: trajectories(5, 2, levels=3),
        lambda: to_inputs(np.zeros((2, 3)), [Uniform(0, 1)]),
    ],
)
def test_what_makes_no_sense_is_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()


def test_ranks_share_ties() -> None:
    values = np.array([[3.0, 1.0], [1.0, 1.0], [3.0, 2.0], [0.0, 1.0]])
    np.testing.assert_array_equal(ranks(values), [[3.5, 2], [2, 2], [3.5, 4], [1, 2]])


def test_failed_runs_are_counted_and_located() -> None:
    x = latin_hypercube(400, 3, 0)
    y = np.where(x[:, 1] > 0.9, np.nan, x[:, 0])
    found = failures(x, sound(y[:, None]), ["a", "b", "c"], [("stock", 40)])
    assert (found.failed, found.runs, found.reasons) == (40, 400, (("stock", 40),))
    assert found.share == 0.1
    assert [shift.name for shift in found.shifts] == ["b"]
    shift = found.shifts[0]
    assert shift.odds == 1.0
    assert shift.failed[0] > 0.9 > shift.sound[2]


def test_failures_at_random_are_not_blamed_on_an_input() -> None:
    x = latin_hypercube(400, 5, 0)
    good = np.random.default_rng(1).random(400) > 0.1
    assert failures(x, good, list("abcde")).shifts == ()


def test_values_that_a_design_repeats_are_no_evidence() -> None:
    # Three blocks fail as a whole, wherever they lie: 30 runs, but three values of each input.
    blamed = 0
    for seed in range(50):
        blocks = np.repeat(latin_hypercube(50, 3, seed), 10, axis=0)
        good = np.arange(500) >= 30
        blamed += len(failures(blocks, good, list("abc")).shifts)
    assert blamed == 0


def test_an_output_that_never_has_a_value_fails_no_run() -> None:
    y = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(sound(y), [True, True, False])
    assert not sound(np.full((3, 2), np.nan)).any()


def test_a_few_extreme_runs_are_noticed_and_located() -> None:
    x = latin_hypercube(2000, 2, 0)
    wild = np.where(x[:, 1] > 0.999, 1e6, 0.0) + x[:, 0]
    found = tail(x, np.stack([x[:, 0], wild], axis=1), ["a", "b"])
    assert found.heavy
    assert found.share[0] < 0.01
    assert found.share[1] > 0.99
    assert "a" not in [shift.name for shift in found.shifts]
    assert not tail(x, x[:, :1], ["a", "b"]).heavy
