"""Link and loop scores against the tables of the papers and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import flywheel as fw
from flywheel.analysis.loops.front import loops_that_matter
from flywheel.analysis.loops.scores import CONVENTIONS, link_scores
from flywheel.analysis.loops.trajectory import Trajectory, trajectory
from flywheel.errors import UnknownNameError, UsageError

Array = NDArray[np.float64]


def model(text: str) -> fw.Model:
    return fw.parse("model m\n" + text)


def one_step(variables: dict[str, tuple[float, float]], equations: str) -> Trajectory:
    """A run of one step in which stocks go from one value to another."""
    lines = ["time 0 to 1 step 1"]
    for name, (before, after) in variables.items():
        lines += [f"stock {name} = {before} gains to_{name}", f"flow to_{name} = {after - before}"]
    return trajectory(model("\n".join([*lines, equations])), method="euler")


def score(path: Trajectory, source: str, target: str, convention: str = "last") -> float:
    names = [(link.source, link.target) for link in path.structure.links]
    return float(link_scores(path, convention)[names.index((source, target)), -1])


def loop(path: Trajectory, scores: Array, *names: str) -> Array:
    """The raw score of a loop over time."""
    links = [(link.source, link.target) for link in path.structure.links]
    steps = zip(names, (*names[1:], names[0]), strict=True)
    return np.prod([scores[links.index(step)] for step in steps], axis=0)


# The papers' tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["last", "first", "shapley"])
def test_a_sum_shares_its_change_among_its_terms(convention: str) -> None:
    path = one_step({"x": (5, 7), "y": (4, 5)}, "aux z = 2 * x + y")
    assert score(path, "x", "z", convention) == pytest.approx(0.8, abs=1e-12)
    assert score(path, "y", "z", convention) == pytest.approx(0.2, abs=1e-12)


def test_a_ratio_scores_as_in_table_2_of_2020() -> None:
    path = one_step({"w": (7, 10), "x": (2, 4), "y": (3, 5)}, "aux z = (w + x) / y")
    wanted = {"w": 5.0, "x": 10 / 3, "y": -6.0}
    for name, value in wanted.items():
        assert score(path, name, "z", "first") == pytest.approx(value, abs=1e-12)


def test_flows_score_by_the_change_of_the_net_flow() -> None:
    lines = "stock s = 0 gains i loses o\nflow i = a\nflow o = b"
    path = one_step({"a": (5, 10), "b": (4, 5)}, lines)
    assert score(path, "i", "s") == pytest.approx(1.25, abs=1e-12)
    assert score(path, "o", "s") == pytest.approx(-0.25, abs=1e-12)


def test_two_inputs_explain_all_of_the_change_by_shapley() -> None:
    path = one_step({"x": (2, 5), "y": (3, 7)}, "aux z = x * y")
    total = sum(score(path, name, "z", "shapley") for name in "xy")
    assert total == pytest.approx(1.0, abs=1e-12)
    assert score(path, "x", "z", "first") == pytest.approx(9 / 29, abs=1e-12)
    assert score(path, "x", "z", "last") == pytest.approx(21 / 29, abs=1e-12)


def test_an_input_that_appears_twice_counts_once() -> None:
    path = one_step({"x": (2, 5)}, "aux z = x * x + 3 * x")
    assert score(path, "x", "z") == pytest.approx(1.0, abs=1e-12)


BASS = """time 0 to 15 step 1/16
stock potential = 1000000 - 1 loses adopting
stock adopters = 1 gains adopting
flow adopting = 0.015 * meetings
aux chance = potential / 1000000
aux contacts = 100 * adopters
aux meetings = chance * contacts"""
R1 = ("adopting", "adopters", "contacts", "meetings")
B1 = ("adopting", "potential", "chance", "meetings")


def test_bass_raw_scores_are_those_of_table_3_of_2020() -> None:
    path = trajectory(model(BASS), method="euler")
    scores = link_scores(path, "first")
    r, b = loop(path, scores, *R1), loop(path, scores, *B1)
    # The paper writes the score of a step at the step's start.
    rows = [int(t * 16) + 1 for t in (9.5, 9.5625, 9.625)]
    np.testing.assert_allclose(r[rows], [11.46, 9806, 10.41], rtol=1e-3)
    np.testing.assert_allclose(b[rows], [-9.958, -9358, -10.91], rtol=1e-3)
    shares = r[rows] / (np.abs(r) + np.abs(b))[rows]
    np.testing.assert_allclose(shares, [0.535, 0.512, 0.488], atol=6e-4)


# Closed forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("step", ["1", "1/4", "1/16"])
@pytest.mark.parametrize("gain", [0.3, -0.3, 1.7])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_loop_alone_scores_one_whatever_its_gain(
    method: str, step: str, gain: float, convention: str
) -> None:
    text = f"time 0 to 8 step {step}\nstock s = 3 gains f\nflow f = {gain} * s"
    path = trajectory(model(text), method=method)
    raw = loop(path, link_scores(path, convention), "s", "f")
    np.testing.assert_allclose(raw[1:], np.sign(gain), rtol=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_births_and_deaths_share_by_their_gains(convention: str) -> None:
    text = """time 0 to 10 step 1/2
stock people = 100 gains births loses deaths
flow births = 0.1 * people
flow deaths = people / 20"""
    found = loops_that_matter(model(text), method="euler", convention=convention)
    births, deaths = found.loops
    np.testing.assert_allclose(found.loop_score(births.path)[1:], 2, rtol=1e-12)
    np.testing.assert_allclose(found.loop_score(deaths.path)[1:], -1, rtol=1e-12)
    np.testing.assert_allclose(found.shares[:, 1:].T, [[2 / 3, -1 / 3]] * 20, rtol=1e-12)


BASS3 = """time 0 to 12 step {step}
stock potential = 1000 loses adopting
stock adopters = 0 gains adopting
flow adopting = by_advertising + by_word
aux by_advertising = 0.03 * potential
aux by_word = 0.38 * potential * adopters / 1000"""


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("step", ["1/2", "1/16"])
@pytest.mark.parametrize(("convention", "exact"), [("last", 1e-9), ("continuous", 1e-12)])
def test_three_loops_of_bass(method: str, step: str, convention: str, exact: float) -> None:
    """R = (q/(p+q)) (1 - F), B_wom = -(q/(p+q)) F, B_innov = -p/(p+q) at the adopted fraction F."""
    p, q = 0.03, 0.38
    path = model(BASS3.format(step=step))
    found = loops_that_matter(path, method=method, convention=convention)
    first = 1 if convention == "last" else 0
    adopted = path.run(method=method)["adopters"][first:] / 1000

    def share(*nodes: str) -> Array:
        return next(
            found.shares[n, first:]
            for n, one in enumerate(found.loops)
            if set(one.path) == {"adopting", *nodes}
        )

    innovation = share("potential", "by_advertising")
    np.testing.assert_allclose(innovation, -p / (p + q), atol=exact)
    np.testing.assert_allclose(share("potential", "by_word"), -q / (p + q) * adopted, atol=exact)
    reinforcing = share("adopters", "by_word")
    np.testing.assert_allclose(reinforcing, q / (p + q) * (1 - adopted), atol=exact)
    half = np.interp(0.5, reinforcing[::-1], adopted[::-1])
    assert half == pytest.approx((q - p) / (2 * q), abs=1e-9)


def test_two_rivals_end_at_fixed_shares() -> None:
    """In the growing mode of the arms race R1 has 36/46 of the change and each brake 5/46."""
    text = """time 0 to 50 step 1/8
stock our = 10 gains ours
stock their = 0 gains theirs
flow ours = (1.2 * their - our) / 5
flow theirs = (1.2 * our - their) / 5"""
    found = loops_that_matter(model(text), method="euler")
    shares = {len(one.path): abs(found.shares[n, -1]) for n, one in enumerate(found.loops)}
    assert shares == {
        4: pytest.approx(36 / 46, abs=1e-8),
        2: pytest.approx(5 / 46, abs=1e-8),
    }
    first = sorted(np.abs(found.shares[:, 1]))
    np.testing.assert_allclose(first, [0.244897959, 0.340136054, 0.414965986], atol=1e-9)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_small_steps_agree_with_the_continuous_scores(convention: str) -> None:
    text = """time 0 to 10 step 1/256 save 1
stock x = 1 gains f
stock y = 2 gains g loses h
flow f = 0.3 * x * y / (1 + x)
flow g = sin(time) * 0.1 + x ^ 0.7
flow h = 0.4 * y * exp(-x / 9)"""
    exact = loops_that_matter(model(text), convention="continuous")
    found = loops_that_matter(model(text), convention=convention)
    for one in exact.loops:
        np.testing.assert_allclose(
            found.loop_score(one.path)[1:], exact.loop_score(one.path)[1:], rtol=0.05, atol=5e-3
        )


# Yeast -------------------------------------------------------------------------------------------

YEAST = """time 0 to 100 step {step}
stock cells = 1 gains births loses deaths
stock alcohol = 0 gains making
flow births = cells * (1.1 - 0.1 * alcohol) / {b1}
flow deaths = cells * exp(alcohol - 11) / 30
flow making = 0.01 * cells"""
NET = """time 0 to 100 step {step}
stock cells = 1 gains net
stock alcohol = 0 gains making
flow net = births - deaths
aux births = cells * (1.1 - 0.1 * alcohol) / {b1}
aux deaths = cells * exp(alcohol - 11) / 30
flow making = 0.01 * cells"""
YEAST_LOOPS = (
    ("cells", "births"),
    ("cells", "deaths"),
    ("cells", "making", "alcohol", "births"),
    ("cells", "making", "alcohol", "deaths"),
)


def relative(path: Trajectory, scores: Array) -> Array:
    raw = np.array([loop(path, scores, *nodes) for nodes in YEAST_LOOPS])
    total = np.abs(raw).sum(axis=0)
    return raw / np.where(total == 0, 1, total)


def switches(times: Array, shares: Array) -> Array:
    """The times at which another loop becomes the largest, said of the step's start."""
    largest = np.abs(shares[:, 1:]).argmax(axis=0)
    return times[:-1][1:][np.diff(largest) != 0]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_one_net_flow_or_two_flows_is_the_same(convention: str) -> None:
    two = loops_that_matter(model(YEAST.format(step="1/2", b1=15)), convention=convention)
    one = loops_that_matter(model(NET.format(step="1/2", b1=15)), convention=convention)
    for row, found in enumerate(two.loops):
        nodes = {*found.path, "net"}
        twin = next(n for n, other in enumerate(one.loops) if {*other.path, "net"} == nodes)
        np.testing.assert_allclose(two.shares[row], one.shares[twin], atol=1e-12)


def test_yeast_switches_as_in_table_4_by_the_scoring_of_2020() -> None:
    """The table prints b1 = 16; its phases and its footnote are those of b1 = 15.

    In 2020 a flow was scored by its part of the stock's change, |flow / net flow|.
    """
    path = trajectory(model(YEAST.format(step="1/2", b1=15)), method="euler")
    scores = link_scores(path, "first")
    for place, link in enumerate(path.structure.links):
        if link.kind == "material":
            net = path.rates[link.target]
            scores[place] = link.sign * np.abs(path.value(link.source) / np.where(net, net, 1))
    shares = relative(path, scores)
    np.testing.assert_allclose(switches(path.times, shares), [52.0, 66.0, 75.5], atol=0.5)
    at_74 = shares[:, int(74 / 0.5) + 1]
    np.testing.assert_allclose(at_74, [-0.183, -0.230, -0.191, -0.396], atol=6e-4)


@pytest.mark.parametrize(
    ("b1", "step", "wanted"),
    [
        (15, 0.5, (52.0, 65.5, 75.5)),
        (16, 0.5, (54.5, 68.5, 79.5)),
        (16, 0.01, (53.35, 67.96, 78.41)),
    ],
)
def test_yeast_switches_by_the_scoring_of_2023(
    b1: int, step: float, wanted: tuple[float, ...]
) -> None:
    path = trajectory(model(YEAST.format(step=step, b1=b1)), method="euler")
    shares = relative(path, link_scores(path, "first"))
    np.testing.assert_allclose(switches(path.times, shares), wanted, atol=step + 1e-9)


# Rules -------------------------------------------------------------------------------------------


def test_at_rest_nothing_has_a_share() -> None:
    text = """time 0 to 20 step 1/8
stock a = 0.1 gains f
stock b = 0.3 gains g
flow f = (b / 3 - a) / 7
flow g = (3 * a - b) / 11"""
    found = loops_that_matter(model(text))
    assert found.loops == ()
    assert "No feedback loop acts" in found.explain()
    assert "없습니다" in found.explain("ko")


def test_an_event_as_a_runge_kutta_step_ends_is_not_yet_in_its_score() -> None:
    """Stella's file with a STEP at a saved time shows it so."""
    text = """time 0 to 4 step 1
stock s = 100 gains f loses g
flow f = 0.1 * s
flow g = s * step(0.2, 2)"""
    rk4 = loops_that_matter(model(text), method="rk4")
    assert rk4.link_score("s", "g").tolist()[:3] == [0, 0, 0]
    euler = loops_that_matter(model(text), method="euler")
    assert euler.link_score("g", "s")[2] != 0


def test_unknown_conventions_and_names_are_refused() -> None:
    small = model("time 0 to 2 step 1\nstock s = 1 gains f\nflow f = s\naux z = s")
    with pytest.raises(UsageError, match="convention"):
        loops_that_matter(small, convention="lats")
    found = loops_that_matter(small)
    with pytest.raises(UnknownNameError):
        found.link_score("s", "q")
    with pytest.raises(UsageError, match="depend"):
        found.link_score("z", "s")
    with pytest.raises(UsageError, match="seconds"):
        loops_that_matter(small, seconds=0)
