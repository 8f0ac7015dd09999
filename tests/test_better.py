"""What should be small: with ``better="lower"`` every judgement of levers is turned round."""

from __future__ import annotations

import numpy as np
import pytest

import flywheel as fw

MODEL = fw.parse("""model shop "A shop"
time 0 to 10 [year] step 1/16 save 1/4
stock backlog = 5 gains orders loses work
flow orders = demand
flow work = backlog / delay
param demand = 10 in 5 .. 20 from guess
param delay = 0.5 in 0.25 .. 1 from guess
outcome waiting "Backlog, all years" = total backlog
lever faster "Work faster" = delay by -20% at 2
lever more "Take more orders" = demand by 10% at 2
""")


def test_worth_and_dips_are_mirrored() -> None:
    high, low = MODEL.study("waiting"), MODEL.study("waiting", better="lower")
    np.testing.assert_allclose(low.misunderstood().worth, -high.misunderstood().worth)
    assert low.misunderstood().worth[0] > 0 > low.misunderstood().worth[1]
    one, other = high.dip("faster"), low.dip("faster")
    np.testing.assert_allclose(other.difference, -one.difference)
    assert (one.shape, other.shape) == ("worse", "better")


def test_the_best_lever_is_the_one_that_lowers() -> None:
    low = MODEL.study("waiting", better="lower")
    assert low.flips().best.name == "faster"
    assert MODEL.study("waiting").flips().best.name == "more"
    assert low.robust_choice(draws=64).chosen == "faster"
    first = low.robust(draws=64).spreads[-1].first
    assert first[0] > first[1]


def test_any_other_word_is_refused() -> None:
    with pytest.raises(fw.UsageError, match="better is higher or lower, not 'less'"):
        MODEL.study("waiting", better="less")  # type: ignore[arg-type]
