"""Whole models: which loops are found, through delays too, and what is said of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.loops.composite import collapse
from flywheel.analysis.loops.dominance import dominant, periods
from flywheel.analysis.loops.ensemble import loop_ensemble
from flywheel.analysis.loops.front import loops_that_matter
from flywheel.analysis.loops.scores import link_scores
from flywheel.analysis.loops.shares import polarity, share_out
from flywheel.analysis.loops.trajectory import trajectory
from flywheel.errors import UsageError
from flywheel.structure import shortest_loops

ARMS = """model arms
time 0 to 100 step 1
stock a = 50 gains changing_a
stock b = 100 gains changing_b
stock c = 150 gains changing_c
flow changing_a = (target_a - a) / 10
flow changing_b = (target_b - b) / 10
flow changing_c = (target_c - c) / 10
aux target_a = {k} * (b + 0.9 * c)
aux target_b = {k} * (a + 1.1 * c)
aux target_c = {k} * (1.1 * a + 0.9 * b)
"""


def test_three_rivals_have_eight_loops_of_which_six_cover_all_links() -> None:
    model = fw.parse(ARMS.format(k=1))
    found = loops_that_matter(model, method="euler")
    assert found.found == 8
    assert found.complete
    assert len(shortest_loops(model)) == 6


def test_the_two_long_loops_drive_the_race_where_targets_are_means() -> None:
    """With sums as targets, as the paper's equations read, all eight loops end at 0.10 to 0.15."""
    found = loops_that_matter(fw.parse(ARMS.format(k=0.5)), method="euler")
    long = [n for n, loop in enumerate(found.loops) if len(loop.path) == 9]
    assert len(long) == 2
    together = np.abs(found.shares[long]).sum(axis=0)
    assert together[75] == pytest.approx(0.985, abs=0.01)
    assert together[100] == pytest.approx(0.997, abs=0.01)
    sums = loops_that_matter(fw.parse(ARMS.format(k=1)), method="euler")
    ends = np.abs(sums.shares[:, -1])
    assert ends.min() > 0.1
    assert ends.max() < 0.155


DECOUPLED = fw.parse("""model decoupled
time 0 to 10 step 1
stock s1 = 1 gains f1
stock s2 = 1 gains f2
flow f1 = if(s2 > 50, s2, s1)
flow f2 = if(s1 > 10 and s1 < 20, s1, s2)
""")


@pytest.mark.parametrize(("convention", "later"), [("first", 0), ("last", 1)])
def test_stocks_that_pass_the_baton_make_no_loop(convention: str, later: int) -> None:
    """Eberlein and Schoenberg (2020), figure 6, whose labels 5 and 7 are those of changing last."""
    found = loops_that_matter(DECOUPLED, method="euler", convention=convention)
    one, other = found.link_score("s1", "f2"), found.link_score("s2", "f1")
    assert one.tolist() == [float(t == 4 + later) for t in range(11)]
    assert other.tolist() == [float(t >= 6 + later) for t in range(11)]
    assert found.idle == (("s1", "f2", "s2", "f1"),)
    assert found.idle_count == 1
    assert all(len(loop.path) == 2 for loop in found.loops)
    assert "Another 1 are loops" not in found.explain()
    assert "One more is a loop of the structure only" in found.explain()
    assert "구조로만 있는 고리가 1개" in found.explain("ko")


# Delays ------------------------------------------------------------------------------------------

DELAYED = """model market
time 0 to 30 step 1/8
stock stuff = 20 gains making loses using
flow making = {call}
flow using = stuff / 9
aux wanted = max(60 - stuff, 1) / patience
aux patience = 2 + stuff / 50
"""
CALLS = (
    "smooth(wanted, 3)",
    "smooth3(wanted, 3 + stuff / 100)",
    "smoothn(wanted + 0.1 * stuff, 3, 5)",
    "delay1(wanted, 3)",
    "delay3(wanted, patience)",
    "delayn(wanted, 4, 2)",
    "smooth(delay3(wanted, 3), patience)",
    "wanted * (1 + trend(stuff, 4))",
    "max(forecast(wanted, 5, 2), 0)",
)


@pytest.mark.parametrize("call", CALLS)
def test_a_composite_link_is_its_strongest_pathway(call: str) -> None:
    path = trajectory(fw.parse(DELAYED.format(call=call)), method="euler")
    scores = link_scores(path)
    small = collapse(path.structure)
    composed = small.scores(scores)
    assert any(len(way) > 1 for ways in small.ways for way in ways)
    for place, (source, target) in enumerate(small.links):
        choices = []
        for way in small.ways[place]:
            steps = [path.structure.links[n] for n in way]
            assert steps[0].source == source
            assert steps[-1].target == target
            assert all(a.target == b.source for a, b in pairwise(steps))
            choices.append(np.prod(scores[list(way)], axis=0))
        best = max(np.abs(choices), key=lambda one: one.sum())
        assert np.abs(composed[place]).sum() >= best.sum() - 1e-9
        assert np.array_equal(np.abs(composed[place]), np.abs(choices).max(axis=0))


@pytest.mark.parametrize("call", CALLS)
def test_loops_show_only_the_variables_of_the_model(call: str) -> None:
    model = fw.parse(DELAYED.format(call=call))
    found = loops_that_matter(model)
    assert found.loops
    for loop in found.loops:
        assert set(loop.path) <= set(model.variables)
        assert len(set(loop.path)) == len(loop.path) > 1
    # The inside of a delay is no loop of the modeller's: none consists of one variable.
    assert {"stuff"} <= {loop.path[0] for loop in found.loops}


def test_a_delay_is_the_same_written_out() -> None:
    """delay1 by hand: a stock, its outflow; the shares of the loops through it are the same."""
    inside = DELAYED.format(call="delay1(wanted, 3)")
    outside = DELAYED.format(call="transit / 3").replace(
        "flow using",
        "stock transit = 3 * wanted gains entering loses making\n"
        "flow entering = wanted\nflow using",
    )
    macro = loops_that_matter(fw.parse(inside), method="euler")
    plain = loops_that_matter(fw.parse(outside), method="euler")
    for loop in macro.loops:
        mine = macro.loop_score(loop.path)
        twin = [n if n != "wanted" else "wanted entering transit" for n in loop.path]
        nodes = " ".join(twin).split()
        np.testing.assert_allclose(plain.loop_score(nodes), mine, rtol=1e-9, atol=1e-12)


def test_a_pipeline_carries_what_it_takes_in() -> None:
    model = fw.parse(DELAYED.format(call="delay_fixed(wanted, 2, 3)"))
    found = loops_that_matter(model, method="euler")
    assert any(set(loop.path) >= {"stuff", "wanted", "making"} for loop in found.loops)
    score = found.link_score("wanted", "making")
    assert set(np.abs(score).tolist()) <= {0.0, 1.0}


# Reading -----------------------------------------------------------------------------------------


def test_dominant_loops_reach_half_of_the_change() -> None:
    shares = np.array([[0.4, 0.1, 0.0], [0.2, -0.5, 0.0], [-0.3, -0.2, 0.0], [0.1, -0.2, 0.0]])
    assert dominant(shares) == ((0, 1), (1,), ())
    times = np.array([0.0, 1.0, 2.0])
    found = periods(times, shares, ["A", "B", "C", "D"])
    assert [(p.start, p.stop, p.loops) for p in found] == [
        (0.0, 1.0, ("A", "B")),
        (1.0, 2.0, ("B",)),
    ]


def test_polarity_says_when_it_is_not_one() -> None:
    assert polarity([0.5, 0.1]) == "R"
    assert polarity([-0.5, 0.0]) == "B"
    assert polarity([0.5, -0.001]) == "Ru"
    assert polarity([-0.5, 0.001]) == "Bu"
    assert polarity([0.5, -0.1]) == "U"
    assert polarity([0.0]) == "?"


def test_shares_survive_scores_beyond_the_largest_number() -> None:
    """Scores reach 1e20 where a variable turns; forty links of them are more than a number holds."""
    names = [f"n{n:02}" for n in range(40)]
    links = [*zip(names, (*names[1:], names[0]), strict=True), (names[1], names[0])]
    scores = np.full((41, 2), 1e20)
    scores[40] = -3e20
    shared = share_out([tuple(names), (names[0], names[1])], links, scores)
    assert np.abs(shared.shares).sum(axis=0) == pytest.approx(1)
    assert shared.kept.tolist()[0] == 0
    assert shared.shares[0, 0] == pytest.approx(1)


def test_small_loops_are_left_out_but_counted() -> None:
    links = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("a", "d"), ("d", "a")]
    scores = np.ones((6, 3))
    scores[2] = 1e-4
    scores[4] = -0.5
    loops = [("a", "b"), ("a", "c"), ("a", "d")]
    shared = share_out(loops, links, scores, retain=1e-3)
    assert shared.kept.tolist() == [0, 2]
    np.testing.assert_allclose(shared.shares[:, 0], [1 / 1.5001, -0.5 / 1.5001])
    assert shared.rivals.tolist() == [3, 3]


def test_partitions_share_apart() -> None:
    """A loop that acts on another but is not acted on competes with nobody."""
    model = fw.parse("""model two
time 0 to 10 step 1/4
stock signal = 1 gains settling
stock x = 1 gains growth loses decay
flow settling = (5 - signal) / 3
flow growth = 0.2 * x + 0.01 * signal
flow decay = 0.1 * x
""")
    found = loops_that_matter(model)
    alone = next(loop for loop in found.loops if "signal" in loop.path)
    assert alone.rivals == 1
    assert alone is found.loops[-1]
    np.testing.assert_allclose(np.abs(found[alone.name][1:]), 1)
    rest = [n for n, loop in enumerate(found.loops) if loop.rivals == 2]
    np.testing.assert_allclose(np.abs(found.shares[rest, 1:]).sum(axis=0), 1)


def test_the_core_model_is_analysed_within_its_budget_and_explained() -> None:
    model = fw.load("core_flywheel")
    found = loops_that_matter(model)
    assert found.complete
    assert found.search == "exact"
    main = [n for n, loop in enumerate(found.loops) if loop.partition == found.main]
    total = np.abs(found.shares[main, 1:]).sum(axis=0)
    assert (total <= 1 + 1e-9).all()
    # What is not shown is below a thousandth each; the rest is most of the change.
    assert total.mean() > 0.9
    english, korean = found.explain(), found.explain("ko")
    assert f"{found.found:,} loops" in english
    assert "1997" in english
    assert "1997" in korean
    assert korean.endswith("습니다.") or korean.endswith("닙니다.")
    declared = {loop.name for loop in found.loops} & set(model.declared_loops)
    assert {"R1", "B1"} <= declared
    assert found.frame.shape == found.shares.T.shape
    assert list(found.table.index) == [loop.name for loop in found.loops]
    assert set(found.weighted()) == set(found.table.index)
    assert not found.shares.flags.writeable
    small = found.simplified()
    assert 0 < small.explained <= 1
    assert {name for link in small.links for name in link} <= set(small.variables)


def test_a_run_that_fails_is_analysed_up_to_there() -> None:
    model = fw.parse("""model blows
time 0 to 40 step 1/4
stock x = 1 gains f
flow f = x * x
""")
    found = loops_that_matter(model, method="euler")
    assert found.failure
    assert np.isfinite(found.shares).all()
    assert len(found.times) < 161
    assert found.failure in found.explain()
    assert found.failure in found.explain("ko")
    np.testing.assert_allclose(found.shares[0, 1:], 1)


def test_a_run_that_fails_at_once_has_no_loops() -> None:
    model = fw.parse("""model broken
time 0 to 4 step 1
stock x = 0 gains f
flow f = ln(x - 1)
""")
    found = loops_that_matter(model)
    assert found.loops == found.periods == ()
    assert "logarithm" in found.explain()


def test_an_ensemble_says_how_sure_dominance_is() -> None:
    model = fw.parse("""model m
time 0 to 10 step 1/4
param birth = 0.1 in 0 .. 0.3
stock people = 100 gains births loses deaths
flow births = birth * people
flow deaths = 0.12 * people
""")
    found = loop_ensemble(model, [{"birth": b} for b in (0.05, 0.1, 0.15, 0.2)])
    births = next(n for n, loop in enumerate(found.loops) if "births" in loop.path)
    np.testing.assert_allclose(found.dominant[births, 1:], 0.5)
    mean = np.mean([b / (b + 0.12) for b in (0.05, 0.1, 0.15, 0.2)])
    np.testing.assert_allclose(found.mean[births, 1:], mean)
    assert found.runs == 4
    assert found.frame.loc[found.loops[births].name].shape == (41, 4)
    assert "4 runs" in found.explain()
    assert "4개" in found.explain("ko")
    with pytest.raises(UsageError):
        loop_ensemble(model, [])


def test_large_models_are_searched_within_the_time_given() -> None:
    import time

    started = time.monotonic()
    found = loops_that_matter(fw.load("amazon"), seconds=0.4, limit=5000)
    assert time.monotonic() - started < 8
    assert not found.complete
    assert found.loops
    assert "cut short" in found.explain()
