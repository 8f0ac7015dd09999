"""Points known by their number: the same in any chunks, and as evenly spread as they claim."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import kstest, qmc, spearmanr

from flywheel.errors import UsageError
from flywheel.sweep import points

MILLION = 1_000_000


def made(kind: str, first: int, count: int, total: int, d: int, seed: int) -> np.ndarray:
    if kind == "lhs":
        return points.latin_hypercube(first, count, total, d, seed)
    return {"sobol": points.sobol, "random": points.random}[kind](first, count, d, seed)


@given(
    st.sampled_from(["sobol", "lhs", "random"]),
    st.integers(1, 300),
    st.integers(1, 9),
    st.integers(0, 2**64 - 1),
    st.data(),
)
def test_any_cut_gives_the_same_bytes(
    kind: str, total: int, d: int, seed: int, data: st.DataObject
) -> None:
    whole = made(kind, 0, total, total, d, seed)
    assert whole.shape == (total, d)
    assert whole.min() >= 0
    assert whole.max() < 1
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=4)))
    ends = [0, *cuts, total]
    parts = [made(kind, a, b - a, total, d, seed) for a, b in pairwise(ends)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@given(st.integers(1, 40), st.integers(0, 2**32), st.integers(0, 5000), st.integers(1, 300))
def test_sobol_points_are_those_of_scipy(d: int, seed: int, first: int, count: int) -> None:
    sequence = qmc.Sobol(d, scramble=True, seed=seed)
    if first:
        sequence.fast_forward(first)
        expected = sequence.random(count)
    else:
        expected = sequence.random(512)[:count]
    np.testing.assert_array_equal(points.sobol(first, count, d, seed), expected)


@pytest.mark.parametrize("first", [2**12 - 1, 2**16 - 3, 2**20 + 5, 10_000_000])
def test_far_sobol_points_are_those_of_scipy(first: int) -> None:
    sequence = qmc.Sobol(3, scramble=True, seed=7)
    sequence.fast_forward(first)
    np.testing.assert_array_equal(points.sobol(first, 9, 3, 7), sequence.random(9))


@given(st.integers(1, 3000), st.integers(1, 5), st.integers(0, 2**64 - 1))
@example(1, 1, 0)
@example(2, 3, 0)
def test_a_latin_hypercube_has_one_point_in_every_slice(total: int, d: int, seed: int) -> None:
    x = points.latin_hypercube(0, total, total, d, seed)
    for column in np.floor(x * total).astype(int).T:
        assert (np.bincount(column, minlength=total) == 1).all()


@pytest.mark.parametrize("total", [MILLION, 524_289])
def test_a_large_latin_hypercube_too(total: int) -> None:
    for column in np.floor(points.latin_hypercube(0, total, total, 2, 3) * total).astype(int).T:
        assert (np.bincount(column, minlength=total) == 1).all()


def test_one_point_of_a_million_costs_as_much_as_one_of_ten() -> None:
    def seconds(total: int) -> float:
        took = []
        for number in range(40):
            start = perf_counter()
            points.latin_hypercube(total - 1 - number % 10, 1, total, 5, 1)
            took.append(perf_counter() - start)
        return min(took)

    # Drawing the whole hypercube takes a thousand times as long.
    assert seconds(MILLION) < 20 * seconds(10)


def test_coordinates_of_a_latin_hypercube_are_independent_and_orders_equally_likely() -> None:
    x = points.latin_hypercube(0, 20_000, 20_000, 6, 11)
    assert np.abs(spearmanr(x).statistic - np.eye(6)).max() < 4.5 / np.sqrt(20_000)
    first = [int(points.latin_hypercube(0, 1, 5, 1, seed)[0, 0] * 5) for seed in range(2000)]
    assert np.abs(np.bincount(first) - 400).max() < 90


def test_random_points_are_uniform_and_independent() -> None:
    x = points.random(0, 20_000, 5, 2)
    assert min(kstest(column, "uniform").pvalue for column in x.T) > 1e-4
    assert np.abs(spearmanr(x).statistic - np.eye(5)).max() < 4.5 / np.sqrt(20_000)


@pytest.mark.parametrize("kind", ["sobol", "lhs", "random"])
def test_seeds_give_other_points(kind: str) -> None:
    a, b = (made(kind, 0, 8, 8, 2, seed) for seed in (0, 1))
    assert not np.array_equal(a, b)


def test_random_points_are_not_the_noise_of_runs() -> None:
    # What noise with the same key draws for member 0.
    raw = np.random.Philox(key=np.array([5, 1], dtype=np.uint64)).random_raw(4)
    mine = points.random(0, 1, 4, 5)[0]
    assert not np.isin((raw >> np.uint64(11)) * 2.0**-53, mine).any()


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.2, 0.7, 0.95])
def test_correlated_points_have_the_rank_correlation_asked_for(rho: float) -> None:
    n = 20_000
    mix = points.coupling(np.array([[1, rho], [rho, 1]]))
    x = points.correlated(points.random(0, n, 2, 4), mix)
    assert abs(spearmanr(x).statistic - rho) < 4 * 1.1 / np.sqrt(n)
    assert min(kstest(column, "uniform").pvalue for column in x.T) > 1e-4
    even = points.correlated(points.sobol(0, 2**14, 2, 4), mix)
    assert abs(spearmanr(even).statistic - rho) < 0.003


def test_several_correlations_hold_at_once() -> None:
    wanted = np.array([[1, 0.6, 0.0], [0.6, 1, -0.5], [0.0, -0.5, 1]])
    x = points.correlated(points.sobol(0, 2**14, 3, 1), points.coupling(wanted))
    np.testing.assert_allclose(spearmanr(x).statistic, wanted, atol=0.01)


def test_the_first_of_correlated_coordinates_stays() -> None:
    unit = points.latin_hypercube(0, 100, 100, 2, 0)
    x = points.correlated(unit, points.coupling(np.array([[1, 0.5], [0.5, 1]])))
    np.testing.assert_array_equal(x[:, 0], unit[:, 0])
    ends = points.correlated(
        np.array([[0.0, 0.0], [1 - 2**-53, 1 - 2**-53]]), np.array([[1, 0], [0.9, 0.4]])
    )
    assert ends.min() >= 0
    assert ends.max() < 1


def test_correlations_that_contradict_each_other_are_refused() -> None:
    wanted = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    with pytest.raises(UsageError, match="contradict"):
        points.coupling(wanted)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: points.sobol(0, 1, 0), "at least one input"),
        (lambda: points.sobol(-1, 1, 2), "counted from 0"),
        (lambda: points.sobol(0, 1, 21_202), "21,201 dimensions, not 21,202"),
        (lambda: points.sobol(2**30, 1, 1), "1,073,741,825 are too many"),
        (lambda: points.random(0, -1, 2), "counted from 0"),
        (lambda: points.random(0, 1, 2, -1), "seed"),
        (lambda: points.random(0, 1, 2, 2**64), "seed"),
        (lambda: points.latin_hypercube(8, 3, 10, 2), "10 points has none from 8 to 10"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_no_points_are_no_points() -> None:
    assert points.sobol(5, 0, 3).shape == (0, 3)
    assert points.random(5, 0, 3).shape == (0, 3)
    assert points.latin_hypercube(5, 0, 10, 3).shape == (0, 3)
