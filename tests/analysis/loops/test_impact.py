"""Impacts on a stock: closed forms, the sum of the paths, and the smallest dominating set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flywheel as fw
from flywheel.analysis.loops.impact import OUTSIDE, Impact, dominant, impact, pathways
from flywheel.analysis.loops.trajectory import trajectory
from flywheel.errors import UnknownNameError

BASS = """model bass
time 0 to 20 step 1/16 save 1/4
param p = 0.03
param q = 0.38
stock A = 0 gains by_itself, by_talk
flow by_itself = p * (1 - A)
flow by_talk = q * A * left
aux left = 1 - A
"""
PAIR = """model pair
time 0 to 12 step 1/32 save 1/8
stock x = 1 gains fx
stock y = 2 gains fy loses gy
flow fx = 0.5 * y - 0.25 * x + sin(time)
flow fy = drive
aux drive = x * y / (1 + y)
flow gy = 0.3 * y
"""


def of(text: str, stock: str) -> Impact:
    return impact(trajectory(fw.parse(text)), stock)


def test_in_a_model_of_one_stock_the_shares_are_those_of_loops_that_matter() -> None:
    """Bass with three loops: R (q/(p+q))(1-F), word of mouth's own limit -(q/(p+q))F, -p/(p+q)."""
    found = of(BASS, "A")
    p, q = 0.03, 0.38
    run = trajectory(fw.parse(BASS))
    f = run.value("A")[run.saves]
    wanted = {
        ("A", "by_itself", "A"): np.full(len(f), -p / (p + q)),
        ("A", "by_talk", "A"): q / (p + q) * (1 - f),
        ("A", "left", "by_talk", "A"): -q / (p + q) * f,
    }
    assert set(found.paths) == set(wanted)
    shares = found.impacts / np.abs(found.impacts).sum(axis=0)
    for path, share in zip(found.paths, shares, strict=True):
        assert np.abs(share - wanted[path]).max() < 1e-12
    # The reinforcing path dominates until its share falls below a half, at F* = (q - p) / 2q.
    reinforcing = found.dominant[found.paths.index(("A", "by_talk", "A"))]
    assert (reinforcing == (f < (q - p) / (2 * q))).all()


def test_paths_and_outside_add_up_to_curvature_over_speed() -> None:
    found = of(PAIR, "x")
    run = trajectory(fw.parse(PAIR))
    x = run.value("x")
    h = run.grid.step
    rows = run.saves[1:-1]
    speed = (x[rows + 1] - x[rows - 1]) / (2 * h)
    bend = (x[rows + 1] - 2 * x[rows] + x[rows - 1]) / h**2
    quick = np.abs(speed) > 0.1
    assert np.allclose((bend / speed)[quick], found.total[1:-1][quick], rtol=2e-3, atol=2e-3)
    assert found.paths[-1] == OUTSIDE
    assert np.allclose(found.impacts.sum(axis=0), found.total)
    outside = np.cos(found.times) / run.rates["x"][run.saves]
    assert np.allclose(found.impacts[-1], outside)
    inner = of(PAIR, "y")
    assert set(inner.paths) == {
        ("x", "drive", "fy", "y"),
        ("y", "drive", "fy", "y"),
        ("y", "gy", "y"),
    }


def test_the_stage_of_a_delay_stands_on_the_path() -> None:
    text = "model d\ntime 0 to 5 step 1/16\nstock x = 1 gains f\nflow f = 0.4 * smooth(x, 2, 0)\n"
    found = of(text, "x")
    assert len(found.paths) == 1
    assert found.paths[0][-2:] == ("f", "x")
    assert "@" in found.paths[0][0]


def test_a_stock_at_rest_has_no_impacts() -> None:
    text = "model r\ntime 0 to 5 step 1/4\nstock x = 2 gains f\nflow f = 2 - x\n"
    found = of(text, "x")
    assert np.isnan(found.total).all()
    assert not found.dominant.any()
    assert "does not move" in found.explain()
    assert np.isnan(found.frame["mean_size"]).all()


def test_dominant_is_the_smallest_set_that_outweighs_the_other_sign() -> None:
    assert dominant([3, 2, -4, 0.5]).tolist() == [True, True, False, False]
    assert dominant([1, 1, 1, -5, -1]).tolist() == [False, False, False, True, False]
    assert dominant([2, 5]).tolist() == [False, True]
    assert not dominant([0.0, 0.0]).any()
    assert not dominant([1.0, np.nan]).any()
    assert dominant([1.0, -1.0]).tolist() == [True, False]


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=7))
def test_no_smaller_set_dominates(values: list[int]) -> None:
    chosen = dominant(values)
    given_ = np.array(values)
    up, down = given_[given_ > 0].sum(), -given_[given_ < 0].sum()
    if up == down:
        return
    winning = np.sort(given_[given_ > 0] if up > down else -given_[given_ < 0])[::-1]
    need = next(n for n in range(1, 8) if winning[:n].sum() > min(up, down))
    assert chosen.sum() == need
    assert abs(given_[chosen].sum()) > min(up, down)


def test_too_many_paths_are_said_to_be_incomplete() -> None:
    links = [("s", f"a{n}") for n in range(9)] + [(f"a{n}", "s") for n in range(9)]
    paths, complete = pathways(links, {"s"}, "s", limit=5)
    assert len(paths) == 5
    assert not complete
    assert pathways(links, {"s"}, "s")[1]


def test_words_carry_numbers_and_mistakes_are_named() -> None:
    found = of(PAIR, "y")
    assert "at a rate of" in found.explain()
    assert found.explain("ko").endswith("합니다.")
    assert list(found.frame.columns) == ["path", "mean_size", "mean", "dominates"]
    assert repr(found) == "<impact on y: 3 paths, 97 times>"
    assert found.stamp.outcome == "y"
    with pytest.raises(UnknownNameError, match="no stock called 'z'"):
        of(PAIR, "z")
