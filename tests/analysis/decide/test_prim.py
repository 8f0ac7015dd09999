"""PRIM: a box that was put there is found, chance is not."""

from __future__ import annotations

import numpy as np
import pytest

from flywheel.analysis.decide.prim import prim
from flywheel.errors import UsageError

NAMES = ("a", "b", "c", "d", "e")


def construction(seed: int, count: int = 1000):
    x = np.random.default_rng(seed).random((count, 5))
    return x, (x[:, 0] > 0.6) & (x[:, 1] < 0.4)


@pytest.mark.parametrize("seed", range(5))
def test_the_constructed_box_is_found(seed) -> None:
    x, y = construction(seed)
    box = prim(x, y, NAMES)
    assert set(box.restricted) == {"a", "b"}
    assert box.low[0] == pytest.approx(0.6, abs=0.02)
    assert box.high[1] == pytest.approx(0.4, abs=0.02)
    assert box.coverage * box.density > 0.95
    assert box.holds(x)[y].mean() == box.coverage


def test_with_every_tenth_mark_wrong_the_box_stays() -> None:
    x, y = construction(1, 2000)
    y = y ^ (np.random.default_rng(9).random(2000) < 0.1)
    box = prim(x, y, NAMES)
    assert set(box.restricted) == {"a", "b"}
    assert box.low[0] == pytest.approx(0.6, abs=0.03)
    assert box.high[1] == pytest.approx(0.4, abs=0.03)
    # Of the points in the true box nine in ten are marked; coverage counts the wrong marks outside.
    assert box.density == pytest.approx(0.9, abs=0.04)
    assert (box.quasi_p[:2] < 1e-10).all()


def test_the_way_is_kept_and_gets_smaller_and_purer() -> None:
    x, y = construction(3)
    box = prim(x, y)
    mass = [peel.mass for peel in box.peels]
    density = [peel.density for peel in box.peels]
    assert mass[0] == 1
    assert density == sorted(density)
    assert mass == sorted(mass, reverse=True)
    assert all(m >= 0.05 for m in mass)


def test_a_shuffled_mark_has_no_box_that_is_worth_much() -> None:
    x, y = construction(4)
    y = np.random.default_rng(0).permutation(y)
    box = prim(x, y)
    # Density hardly above the share of all cases wherever much is covered.
    assert box.coverage * box.density < 2 * y.mean()


def test_inputs_of_few_values_are_peeled_whole() -> None:
    random = np.random.default_rng(2)
    x = np.stack([random.integers(0, 2, 500), random.integers(0, 5, 500)], axis=1).astype(float)
    y = (x[:, 0] == 1) & (x[:, 1] >= 3)
    box = prim(x, y)
    assert box.coverage == 1
    assert box.density == 1
    assert 0 < box.low[0] < 1
    assert 2 < box.low[1] < 3


def test_order_of_inputs_does_not_matter() -> None:
    x, y = construction(5)
    straight, turned = prim(x, y, NAMES), prim(x[:, ::-1], y, NAMES[::-1])
    assert set(straight.restricted) == set(turned.restricted)
    assert straight.low[0] == turned.low[4]
    assert straight.coverage == turned.coverage


def test_nothing_to_find_is_said() -> None:
    x = np.random.default_rng(0).random((50, 2))
    none = prim(x, np.zeros(50, dtype=bool))
    assert none.reason == "no run is a case"
    assert np.isnan(none.coverage)
    assert "no run is a case" in none.explain()
    every = prim(x, np.ones(50, dtype=bool))
    assert every.reason == "every run is a case"
    assert "every run is a case" in every.explain("ko")


def test_points_without_a_number_are_counted() -> None:
    x, y = construction(6)
    x[3, 2] = np.nan
    assert prim(x, y).left_out == 1
    assert prim(x, y).points == 999


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match="rows of inputs"):
        prim(np.zeros((3, 2)), [True, False])
    with pytest.raises(UsageError, match="peel"):
        prim(np.zeros((2, 2)), [True, False], peel=0)
    with pytest.raises(UsageError, match="names"):
        prim(np.zeros((2, 2)), [True, False], ["a"])


def test_sentences_and_table() -> None:
    x, y = construction(0)
    box = prim(x, y, NAMES)
    assert "a ≥ 0.6" in box.explain()
    assert "「b」 ≤ 0.39" in box.explain("ko") or "「b」 ≤ 0.4" in box.explain("ko")
    assert list(box.frame.index) == list(box.restricted)
    assert "coverage 1.00" in repr(box)
