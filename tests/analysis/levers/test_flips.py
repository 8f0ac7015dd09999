"""Decision flips against choices whose break-even points are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.analysis.levers.flips import crossings

NOMINAL = np.array([1.0, 2.0, 0.0])
LOW = np.array([0.0, 1.0, -1.0])
HIGH = np.array([4.0, 3.0, 1.0])


def worth(which: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Two choices: 3 − x and x (they meet at x = 1.5), with y = 2 and z = 0 for the others.

    y lifts the second by (y − 2), which wins from y = 3 on; z does nothing.
    """
    x = np.where(which == 0, values, 1.0)
    y = np.where(which == 1, values, 2.0)
    return np.stack([3.0 - x, x + (y - 2.0)], axis=1)


def test_break_even_points_are_found_and_nothing_else() -> None:
    found = crossings(worth, NOMINAL, LOW, HIGH)
    assert found.best == 0
    assert np.isnan(found.at[0, 0])
    assert found.at[0, 1] == pytest.approx(1.5, abs=1e-6)
    assert found.winner[0, 1] == 1
    # At y = 3 both are worth 2; a tie is no flip.
    assert np.isnan(found.at[1]).all()
    assert np.isnan(found.at[2]).all()
    assert (found.winner[2] == -1).all()


@given(st.floats(1.05, 3.9))
def test_a_flip_is_where_the_two_are_equal(meeting: float) -> None:
    def line(which: np.ndarray, values: np.ndarray) -> np.ndarray:
        x = np.where(which == 0, values, 1.0)
        return np.stack([np.full(len(x), meeting), x], axis=1)

    found = crossings(line, NOMINAL, LOW, HIGH)
    assert found.at[0, 1] == pytest.approx(meeting, abs=1e-5)


def test_points_without_a_value_are_counted_and_not_taken_for_flips() -> None:
    def broken(which: np.ndarray, values: np.ndarray) -> np.ndarray:
        found = worth(which, values)
        found[(which == 0) & (values > 1.4)] = np.nan
        return found

    found = crossings(broken, NOMINAL, LOW, HIGH, points=6)
    assert np.isnan(found.at[0, 1])
    assert found.lost[0, 1] == 6


def test_nothing_can_flip_where_nothing_has_a_value() -> None:
    found = crossings(lambda w, v: np.full((len(w), 2), np.nan), NOMINAL, LOW, HIGH)
    assert found.best == -1
    assert np.isnan(found.at).all()
