"""Reductions against numpy on whole ensembles."""

from __future__ import annotations

import numpy as np
import pytest

from flywheel.sweep.reduce import (
    BLOCK,
    Counts,
    Edges,
    Moments,
    MomentSum,
    chosen,
    hashed,
    merge_all,
    quantiles,
    spread_members,
)

SHAPE = (4, 3)
LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def moments_of(values: np.ndarray) -> Moments:
    total = MomentSum(values[0].size)
    for first in range(0, len(values), BLOCK):
        assert total.add(values[first : first + BLOCK].reshape(-1, values[0].size))
    return total.result(values.shape[1:])  # type: ignore[arg-type]


def edges_of(pilot: np.ndarray, bins: int, wider: float) -> Edges:
    low = pilot.min(axis=0, initial=np.inf)
    return Edges.around(low, pilot.max(axis=0, initial=-np.inf), bins, wider)


def counts_of(values: np.ndarray, edges: Edges) -> np.ndarray:
    total = Counts(edges)
    for first in range(0, len(values), BLOCK):
        total.add(values[first : first + BLOCK].reshape(-1, values[0].size))
    return total.result()


@pytest.mark.parametrize("offset", [0.0, 1e9])
@pytest.mark.parametrize("members", [1, 2, 63, 64, 65, 1000])
def test_moments_of_blocks_are_those_of_all(members: int, offset: float) -> None:
    values = np.random.default_rng(1).normal(offset, 2.0, (members, *SHAPE))
    found = moments_of(values)
    assert (found.count == members).all()
    assert found.mean == pytest.approx(values.mean(axis=0), rel=1e-14, abs=1e-14)
    if members > 1:
        assert found.variance == pytest.approx(values.var(axis=0, ddof=1), rel=1e-6)
    else:
        assert np.isnan(found.variance).all()
    assert (found.low == values.min(axis=0)).all()
    assert (found.high == values.max(axis=0)).all()


def test_merging_goes_by_number_and_groups_differ_by_rounding_only() -> None:
    values = np.random.default_rng(2).lognormal(0, 1, (640, *SHAPE))
    parts = [moments_of(values[first : first + 128]) for first in range(0, 640, 128)]
    left = merge_all(parts)
    right = parts[0].merge(parts[1]).merge(parts[2].merge(parts[3].merge(parts[4])))
    whole = moments_of(values)
    for other in (right, whole):
        assert (left.count == other.count).all()
        assert (left.low == other.low).all()
        assert (left.high == other.high).all()
        assert left.mean == pytest.approx(other.mean, rel=1e-14)
        assert left.m2 == pytest.approx(other.m2, rel=1e-12)


def test_empty_shards_change_nothing() -> None:
    values = np.random.default_rng(3).normal(0, 1, (100, *SHAPE))
    empty = MomentSum(12).result(SHAPE)
    found = moments_of(values)
    for merged in (found.merge(empty), empty.merge(found)):
        for name in ("count", "mean", "m2", "low", "high"):
            assert getattr(merged, name).tobytes() == getattr(found, name).tobytes()
    assert (empty.merge(empty).count == 0).all()
    assert np.isnan(empty.variance).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_block_that_is_not_finite_is_not_added(bad: float) -> None:
    values = np.ones((10, 12))
    values[3, 5] = bad
    total = MomentSum(12)
    assert not total.add(values)
    assert (total.result(SHAPE).count == 0).all()


def test_zeros_of_either_sign_are_one() -> None:
    one = moments_of(np.array([0.0, -0.0]).reshape(2, 1, 1))
    two = moments_of(np.array([-0.0, 0.0]).reshape(2, 1, 1))
    assert one.low.tobytes() == two.low.tobytes()
    assert one.high.tobytes() == two.high.tobytes()


def ensembles() -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    size = (20_000, 2, 2)
    modes = np.where(
        random.random(size) < 0.5, random.normal(0, 1, size), random.normal(50, 1, size)
    )
    return {
        "normal": random.normal(1e6, 3.0, size),
        "uniform": random.uniform(-1, 1, size),
        "two modes": modes,
        "exponential": random.exponential(1.0, size),
        "few values": random.integers(0, 4, size).astype(float),
        "tiny": random.uniform(0, 1e-12, size),
    }


@pytest.mark.parametrize("kind", list(ensembles()))
def test_quantiles_are_within_half_a_percent_of_the_range(kind: str) -> None:
    values = ensembles()[kind]
    pilot = values[spread_members(len(values), 512, 9)]
    edges = edges_of(pilot, 320, 0.15)
    moments, counts = moments_of(values), counts_of(values, edges)
    assert (counts.sum(axis=2) == len(values)).all()
    levels = (0.01, 0.05, 0.25, 0.4999, 0.5, 0.75, 0.95, 0.99)
    found = quantiles(counts, edges, moments, levels)
    exact = np.quantile(values, levels, axis=0)
    error = np.abs(found - exact) / (moments.high - moments.low)
    assert error.max() < 0.005


def test_the_ends_are_exact_and_order_is_kept() -> None:
    values = np.random.default_rng(5).standard_cauchy((5000, 2, 2))
    edges = edges_of(values[:512], 320, 0.15)
    moments = moments_of(values)
    found = quantiles(counts_of(values, edges), edges, moments, LEVELS)
    assert (np.diff(found, axis=0) >= 0).all()
    assert (found >= moments.low).all()
    assert (found <= moments.high).all()


def test_a_cell_that_never_differs_has_its_value_as_every_quantile() -> None:
    for value in (0.0, 5.0, -3e200, 1e-310):
        values = np.full((700, 1, 1), value)
        edges = edges_of(values[:512], 320, 0.15)
        found = quantiles(counts_of(values, edges), edges, moments_of(values), LEVELS)
        assert (found == value).all()


def test_what_the_pilot_did_not_see_falls_in_open_bins() -> None:
    edges = edges_of(np.array([0.0, 1.0]).reshape(2, 1, 1), 10, 0.0)
    values = np.array([-1e300, -5.0, 0.5, 7.0, 1e300]).reshape(5, 1, 1)
    counts = counts_of(values, edges)
    assert counts[0, 0, 0] == 2
    assert counts[0, 0, -1] == 2
    found = quantiles(counts, edges, moments_of(values), (0.5,))
    assert 0.5 <= found[0, 0, 0] <= 0.6


def test_a_pilot_that_failed_leaves_ranges_that_count() -> None:
    edges = edges_of(np.empty((0, *SHAPE)), 320, 0.15)
    values = np.random.default_rng(6).normal(0, 9, (100, *SHAPE))
    assert (counts_of(values, edges).sum(axis=2) == 100).all()
    empty = MomentSum(12).result(SHAPE)
    none = quantiles(Counts(edges).result(), edges, empty, (0.5,))
    assert np.isnan(none).all()


def test_the_reservoir_is_the_smallest_hashes() -> None:
    count = 100_000  # more than one piece
    found = chosen(count, 50, 3)
    order = np.argsort(hashed(np.arange(count), 3), kind="stable")[:50]
    assert found.tolist() == sorted(order.tolist())
    assert chosen(10, 50, 3).tolist() == list(range(10))
    assert chosen(1000, 50, 3).tolist() != chosen(1000, 50, 4).tolist()
    assert len(chosen(100, 0, 3)) == 0
    # Members that were chosen stay so as long as no smaller hash comes.
    assert set(chosen(2000, 50, 3).tolist()) <= set(chosen(1000, 50, 3).tolist()) | set(
        range(1000, 2000)
    )


def test_hashes_are_spread_evenly() -> None:
    part = hashed(np.arange(100_000), 0) / 2.0**64
    assert np.histogram(part, 10, (0, 1))[0] == pytest.approx(np.full(10, 10_000), rel=0.05)
    assert (
        len(set(hashed(np.arange(1000), 1).tolist()) & set(hashed(np.arange(1000), 2).tolist()))
        == 0
    )


def test_pilots_meet_every_stretch_and_no_rhythm() -> None:
    found = spread_members(51_200, 512, 1)
    assert (found // 100).tolist() == list(range(512))
    assert set((found % 4).tolist()) == {0, 1, 2, 3}
    assert spread_members(7, 512, 1).tolist() == list(range(7))
    assert len(set(spread_members(513, 512, 1).tolist())) == 512
