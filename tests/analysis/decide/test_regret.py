"""Regret and other rules of choice: arithmetic by hand, and what must hold for any table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from flywheel.analysis.decide.regret import regret, worst_mean
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError

TABLES = arrays(
    float, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.floats(-1e6, 1e6),
)  # fmt: skip


def test_the_example_of_three_policies() -> None:
    found = regret([[5, 5, 5], [10, 0, 4], [6, 4, 7]], ["steady", "bold", "mixed"], target=5)
    assert found.worst_regret.tolist() == [5, 5, 4]
    assert found.choices["minimax regret"] == ("mixed",)
    assert found.choices["maximin"] == ("steady",)
    assert found.satisficing is not None
    assert found.satisficing.tolist() == [1, 1 / 3, 2 / 3]
    assert found.mean.tolist() == pytest.approx([5, 14 / 3, 17 / 3])
    assert found.regret.tolist() == [[5, 0, 2], [0, 5, 3], [4, 1, 0]]


def test_less_can_be_better() -> None:
    more = regret([[5, 5, 5], [10, 0, 4], [6, 4, 7]], target=5)
    less = regret([[-5, -5, -5], [-10, 0, -4], [-6, -4, -7]], target=-5, better="lower")
    assert less.regret.tolist() == more.regret.tolist()
    assert less.worst.tolist() == [-5, 0, -4]
    assert less.cvar.tolist() == (-more.cvar).tolist()
    assert less.choices == more.choices


@given(TABLES)
def test_regret_is_never_negative_and_zero_for_the_best_of_each_scenario(values) -> None:
    found = regret(values)
    assert (found.regret >= 0).all()
    assert (found.regret.min(axis=0) == 0).all()
    assert (found.high_regret <= found.worst_regret).all()


@given(TABLES)
def test_cvar_lies_between_the_worst_and_the_mean(values) -> None:
    found = regret(values, tail=0.3)
    slack = 1e-9 * (1 + np.abs(values).max())
    assert (found.worst <= found.cvar + slack).all()
    assert (found.cvar <= found.mean + slack).all()


def test_the_high_regret_holds_in_that_part_of_the_scenarios() -> None:
    values = np.vstack([np.arange(20.0), np.full(20, 19.0)])
    found = regret(values)
    assert found.high_regret[0] == 17  # 0 to 17: 18 of 20 scenarios
    assert np.mean(found.regret[0] <= found.high_regret[0]) == 0.9


def test_a_tail_takes_a_part_of_a_scenario() -> None:
    # 1.5 of 5 scenarios: all of the worst, half of the second worst.
    assert worst_mean(np.array([[5.0, 1, 4, 2, 3]]), 0.3).tolist() == [(1 + 0.5 * 2) / 1.5]
    assert worst_mean(np.array([[5.0, 1, 4, 2, 3]]), 0.01).tolist() == [1.0]


def test_scenarios_with_a_failed_run_are_left_out_and_counted() -> None:
    found = regret([[1, 2, np.nan], [3, 0, 100]], scenarios=["dull", "bright", "mad"])
    assert found.left_out == ("mad",)
    assert found.failed == (1, 0)
    assert found.regret.tolist() == [[2, 0], [0, 2]]
    nothing = regret([[np.nan], [1.0]])
    assert np.isnan(nothing.mean).all()
    assert "nothing can be compared" in nothing.explain()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: regret(np.zeros((0, 3))), "table of numbers"),
        (lambda: regret([[1, 2]], ["a", "b"]), "2 names for 1"),
        (lambda: regret([[1], [2]], ["a", "a"]), "twice"),
        (lambda: regret([[1]], better="more"), "better must be"),
        (lambda: regret([[1]], tail=0), "tail"),
        (lambda: regret([[1]], quantile=2), "quantile"),
    ],
)
def test_mistakes_are_named(call, says) -> None:
    with pytest.raises(UsageError, match=says):
        call()


def test_sentences_and_table() -> None:
    stamp = Stamp("m", "h", "income", (10.0,), 2025.0, "year", "rk4", 0.1)
    found = regret(
        [[5, 5, 5], [10, 0, 4], [6, 4, 7]], ["steady", "bold", "mixed"], target=5, stamp=stamp
    )
    text = found.explain()
    assert "income (10 years after 2025) in 3 scenarios, mixed" in text
    assert "4 behind" in text
    assert "steady" in text
    korean = found.explain("ko")
    assert "「mixed」" in korean
    assert "10년 뒤" in korean
    assert list(found.frame.index) == ["steady", "bold", "mixed"]
    assert found.frame.loc["mixed", "worst_regret"] == 4
    assert "mixed" in repr(found)
    with pytest.raises(UsageError):
        found.explain("fr")
