"""Eigenvalue influence against closed forms, finite differences and identities."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.analysis.loops.eigen import LoopInfluence, loop_influence, modes_of
from flywheel.analysis.loops.independent import (
    canonical,
    cyclomatic,
    incidence,
    independent_loops,
    steps,
)
from flywheel.analysis.loops.linear import Linearisation
from flywheel.errors import UsageError
from flywheel.structure import cycles

TAU, T_I = 4.0, 3.0


def oscillator(tau: float = TAU, adjust: float = T_I) -> Linearisation:
    """Workforce and inventory: I' = W - ..., W' = (wanted - W)/tau with a weak own brake.

    lambda^2 = g1 lambda + G2 with g1 = -1/tau and G2 = -1/(adjust tau).
    """
    links = {
        ("inventory", "gap"): -1 / adjust,
        ("gap", "hiring"): 1 / tau,
        ("workforce", "hiring"): -1 / tau,
        ("hiring", "workforce"): 1.0,
        ("workforce", "making"): 1.0,
        ("making", "inventory"): 1.0,
    }
    return linear(links, ("inventory", "workforce"))


def linear(links: dict[tuple[str, str], float], stocks: tuple[str, ...]) -> Linearisation:
    names = tuple(dict.fromkeys(end for link in links for end in link))
    return Linearisation(names, stocks, tuple(links), np.array(list(links.values())))


def all_loops(system: Linearisation) -> tuple[tuple[str, ...], ...]:
    graph: dict[str, list[str]] = {name: [] for name in system.names}
    for source, target in system.links:
        graph[source].append(target)
    found, complete = cycles(graph)
    assert complete
    return found


def influences(system: Linearisation) -> LoopInfluence:
    return loop_influence(modes_of(system), all_loops(system))


def test_oscillator_is_damped_by_the_minor_loop_alone() -> None:
    found = influences(oscillator())
    modes = found.modes
    g1, g2 = -1 / TAU, -1 / (TAU * T_I)
    value = complex(g1 / 2, math.sqrt(-g2 - g1 * g1 / 4))
    assert abs(modes.values[0] - value) < 1e-12
    assert found.loops == (("hiring", "workforce"), canonical_major())
    minor, major = found.mu[0]
    assert abs(minor - g1 * value / (2 * value - g1)) < 1e-12
    assert abs(major - g2 / (2 * value - g1)) < 1e-12
    # The statement of the text-books: the major loop sets the frequency and damps nothing.
    assert abs(minor - complex(-0.125, -0.0600480569)) < 1e-9
    assert abs(major - complex(0, 0.1601281538)) < 1e-9
    assert np.abs(found.order_sums - modes.values).max() < 1e-12
    assert modes.residuals.max() < 1e-12
    assert found.residuals.max() < 1e-12
    assert modes.notes == ("", "")
    assert modes.periods[0] == pytest.approx(2 * math.pi / value.imag)
    assert np.isnan(modes.doubling).all()


def canonical_major() -> tuple[str, ...]:
    return canonical(("inventory", "gap", "hiring", "workforce", "making"))


def arms_race() -> Linearisation:
    """Three rivals, each steering towards 1.2 times the sum of the others."""
    links: dict[tuple[str, str], float] = {}
    for name in "abc":
        links[name, f"build_{name}"] = -1 / 5
        links[f"want_{name}", f"build_{name}"] = 1 / 5
        links[f"build_{name}", name] = 1.0
    for name, rival in permutations("abc", 2):
        links[rival, f"want_{name}"] = {"ab": 1.1, "bc": 0.4}.get(name + rival, 1.2)
    return linear(links, ("a", "b", "c"))


def test_three_party_arms_race_has_eight_loops_six_shortest_seven_independent() -> None:
    system = arms_race()
    loops = all_loops(system)
    assert len(loops) == 8
    assert cyclomatic(system.links) == 7
    assert len(independent_loops(loops, system.links, "shortest")) == 6
    assert len(independent_loops(loops, system.links)) == 7
    modes = modes_of(system)
    full, shortest = (loop_influence(modes, loops, how) for how in ("full", "shortest"))
    assert full.residuals.max() < 1e-12
    assert np.abs(full.order_sums - modes.values).max() < 1e-12
    # Without full rank the links' influences cannot be shared out.
    assert shortest.residuals.max() > 1e-4


def test_a_cut_search_is_filled_up_to_full_rank() -> None:
    system = arms_race()
    some = [loop for loop in all_loops(system) if len(loop) == 2]
    assert len(independent_loops(some, system.links)) == 7
    assert loop_influence(modes_of(system), some).residuals.max() < 1e-12


@st.composite
def systems(draw: st.DrawFn) -> Linearisation:
    """Random sparse graphs of stocks and auxiliaries without a circle of auxiliaries."""
    stocks = tuple(f"s{n}" for n in range(draw(st.integers(1, 4))))
    auxes = tuple(f"y{n}" for n in range(draw(st.integers(1, 5))))
    possible = [(s, y) for s in stocks for y in auxes]
    possible += [(a, b) for n, a in enumerate(auxes) for b in auxes[n + 1 :]]
    possible += [(y, s) for y in auxes for s in stocks] + [(s, t) for s in stocks for t in stocks]
    chosen = draw(st.lists(st.sampled_from(possible), min_size=3, max_size=25, unique=True))
    gain = st.floats(0.1, 2).flatmap(lambda g: st.sampled_from([g, -g]))
    gains = np.array([draw(gain) for _ in chosen])
    return Linearisation((*stocks, *auxes), stocks, tuple(chosen), gains)


@settings(max_examples=60, deadline=None)
@given(systems())
def test_identities_hold_on_random_systems(system: Linearisation) -> None:
    found = influences(system)
    modes = found.modes
    a = system.jacobian
    sound = modes.conditions < 1e4
    assert np.sort_complex(np.round(modes.values, 6)).size == len(a)
    assert abs(modes.values.sum() - np.trace(a)) < 1e-8 * max(1, np.abs(a).max())
    assert (modes.residuals[sound] < 1e-8).all()
    assert (found.residuals[sound] < 1e-8).all()
    size = np.maximum(1, np.abs(modes.influence).max(axis=1, initial=0))
    assert (np.abs(found.order_sums - modes.values) <= 1e-7 * size)[sound & modes.feedback].all()
    for k in np.flatnonzero(sound):
        if np.isfinite(modes.right[k]).all() and np.isfinite(modes.left[k]).all():
            r, left = modes.right[k], modes.left[k]
            assert np.allclose(a @ r, modes.values[k] * r, atol=1e-6 * np.abs(r).max())
            assert abs(left @ r - 1) < 1e-8


@settings(max_examples=40, deadline=None)
@given(systems(), st.randoms(use_true_random=False))
def test_other_order_of_the_file_changes_nothing(system: Linearisation, shuffle) -> None:  # type: ignore[no-untyped-def]
    names, stocks = list(system.names), list(system.stocks)
    links = list(range(len(system.links)))
    for group in (names, stocks, links):
        shuffle.shuffle(group)
    turned = Linearisation(
        tuple(names),
        tuple(stocks),
        tuple(system.links[n] for n in links),
        system.gains[links],
    )
    one, other = influences(system), influences(turned)
    if max(one.modes.conditions.max(), other.modes.conditions.max()) > 1e4:
        return
    close = np.abs(one.modes.values[:, None] - one.modes.values[None, :])
    close = close[~np.eye(len(close), dtype=bool)]
    if close.size and close.min() < 1e-3:
        return  # equal growth rates may come in another order
    assert np.allclose(one.modes.values, other.modes.values, atol=1e-9)
    assert one.loops == other.loops
    assert np.allclose(one.mu, other.mu, atol=1e-7)
    back = [system.links[n] for n in links]
    assert tuple(back) == turned.links
    assert np.allclose(one.modes.influence[:, links], other.modes.influence, atol=1e-8)


@pytest.mark.parametrize("build", [oscillator, arms_race])
def test_influence_is_the_derivative_by_the_logarithm_of_the_gain(build) -> None:  # type: ignore[no-untyped-def]
    """d lambda / d ln g of every link, by central differences."""
    system = build()
    modes = modes_of(system)
    h = 1e-6
    for number in range(len(system.links)):
        moved = []
        for sign in (1, -1):
            gains = system.gains.copy()
            gains[number] *= 1 + sign * h
            again = Linearisation(system.names, system.stocks, system.links, gains)
            moved.append(np.linalg.eigvals(again.jacobian))
        for k, value in enumerate(modes.values):
            near = [values[np.abs(values - value).argmin()] for values in moved]
            slope = (near[0] - near[1]) / (2 * h)
            assert abs(slope - modes.influence[k, number]) < 5e-8


def test_modes_rebuild_the_run() -> None:
    """x(t) - x0 = sum of weight (e^(lambda t) - 1), in a linear model."""
    system = oscillator()
    modes = modes_of(system)
    a = system.jacobian
    x0 = np.array([1.0, -0.5])
    velocity = a @ x0
    weights = modes.weights(velocity)
    assert np.allclose(modes.shares(velocity).sum(axis=1), velocity, atol=1e-14)
    values, right = np.linalg.eig(a)
    for t in (0.5, 3.0, 20.0):
        exact = (right * np.exp(values * t)) @ np.linalg.solve(right, x0)
        built = x0 + (weights * (np.exp(modes.values * t) - 1)).sum(axis=1)
        assert np.abs(built - exact).max() < 1e-12


def test_stages_of_a_delay_outside_every_loop_do_no_harm() -> None:
    """Three equal stages make a Jordan block; each stage is a part of its own here."""
    links = {
        ("x", "growth"): 0.3,
        ("growth", "x"): 1.0,
        ("x", "a"): 0.3,
        ("a", "a"): -2.0,
        ("a", "b"): 2.0,
        ("b", "b"): -2.0,
        ("b", "c"): 2.0,
        ("c", "c"): -2.0,
    }
    modes = modes_of(linear(links, ("x", "a", "b", "c")))
    assert modes.values.tolist() == [0.3, -2, -2, -2]
    assert modes.conditions.max() == 1
    assert modes.notes[0] == ""
    assert np.allclose(
        modes.right[0] / modes.right[0, 0], [1, 0.3 / 2.3, 0.6 / 2.3**2, 1.2 / 2.3**3]
    )
    assert any("resonates" in note for note in modes.notes[1:])


def test_a_defective_pair_shares_its_influence() -> None:
    """x' = -x + y, y' = -e x - y at e = 0+ : near-equal eigenvalues whose vectors nearly coincide."""
    links = {
        ("x", "x"): -1.0,
        ("y", "x"): 1.0,
        ("x", "y"): -1e-15,
        ("y", "y"): -1.0,
    }
    system = linear(links, ("x", "y"))
    # Balancing hides such a block; three equal stages in a loop of gain 0+ cannot be balanced away.
    chain = {
        ("a", "a"): -1.0,
        ("a", "b"): 1.0,
        ("b", "b"): -1.0,
        ("b", "a"): -1e-30,
        ("c", "a"): 1.0,
    }
    assert modes_of(system).values.real == pytest.approx([-1, -1])
    whole = {**chain, ("b", "c"): 1.0, ("c", "c"): -1.0, ("a", "c"): 1.0, ("c", "b"): -1.0}
    found = influences(linear(whole, ("a", "b", "c")))
    assert np.isfinite(found.mu).all()
    exact = {("p", "p"): 1.0, ("p", "q"): -1.0, ("q", "p"): 1.0, ("q", "q"): -1.0}
    jordan = influences(linear(exact, ("p", "q")))
    assert all("near-defective" in note for note in jordan.modes.notes)
    # d trace / d ln g: each eigenvalue moves, on average, by half of what its own link does.
    own = jordan.mu[0, jordan.loops.index(("p",))]
    assert own == pytest.approx(0.5, abs=1e-6)
    assert jordan.mu[0, jordan.loops.index(("q",))] == pytest.approx(-0.5, abs=1e-6)


def test_zero_eigenvalue_has_influence_but_no_elasticity() -> None:
    """Two stocks that exchange and lose nothing: one mode is 0."""
    links = {("x", "f"): 0.5, ("f", "x"): -1.0, ("f", "y"): 1.0, ("y", "f"): -0.25}
    modes = modes_of(linear(links, ("x", "y")))
    assert modes.values.real == pytest.approx([0, -0.75], abs=1e-15)
    assert "eigenvalue is 0" in modes.notes[0]
    assert np.isnan(modes.elasticity[0]).all()
    assert np.isfinite(modes.influence).all()
    assert np.isnan(modes.weights([1.0, -1.0])[:, 0]).all()


def test_units_of_the_stocks_change_neither_influence_nor_condition() -> None:
    system = oscillator()
    big = 1e12
    scaled = {
        link: g * (big if "inventory" in link[1] else 1) / (big if link[0] == "inventory" else 1)
        for link, g in zip(system.links, system.gains, strict=True)
    }
    one, other = influences(system), influences(linear(scaled, system.stocks))
    assert np.allclose(one.mu, other.mu, atol=1e-12)
    assert other.modes.conditions.max() < 10


def test_a_gain_that_is_not_finite_is_said_not_raised() -> None:
    modes = modes_of(linear({("x", "f"): math.inf, ("f", "x"): 1.0}, ("x",)))
    assert len(modes.values) == 0
    assert modes.reason == "the gain of x -> f is not finite at this moment"
    assert loop_influence(modes, [("x", "f")]).mu.shape[0] == 0


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match="no link f -> y"):
        incidence([("f", "y")], [("y", "f")])
    with pytest.raises(UsageError, match="not among the names"):
        Linearisation(("x",), ("x",), (("x", "y"),), np.ones(1))
    with pytest.raises(UsageError, match="twice"):
        Linearisation(("x",), ("x",), (("x", "x"), ("x", "x")), np.ones(2))
    with pytest.raises(UsageError, match="as many gains"):
        Linearisation(("x",), ("x",), (("x", "x"),), np.ones(2))
    with pytest.raises(UsageError, match="no stock on the loop f -> g -> f"):
        modes_of(linear({("f", "g"): 1.0, ("g", "f"): 1.0, ("f", "x"): 1.0}, ("x",)))
    with pytest.raises(UsageError, match="no link x -> g"):
        loop_influence(modes_of(linear({("x", "f"): 1.0, ("f", "x"): 1.0}, ("x",))), [("x", "g")])


def test_links_that_pass_nothing_on_belong_to_no_loop_now() -> None:
    links = {("x", "f"): 0.5, ("f", "x"): 1.0, ("x", "g"): 0.0, ("g", "x"): 1.0}
    found = influences(linear(links, ("x",)))
    assert found.loops == (("f", "x"),)
    assert found.mu[0, 0] == pytest.approx(0.5)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), min_size=1))
def test_independent_loops_have_the_rank_of_all(links: set[tuple[str, str]]) -> None:
    ordered = sorted(links)
    graph = {name: [v for u, v in ordered if u == name] for name in "abcdef"}
    loops, _ = cycles(graph)
    rank = np.linalg.matrix_rank(incidence(loops, ordered)) if loops else 0
    assert rank == cyclomatic(ordered)
    chosen = independent_loops(loops, ordered)
    assert len(chosen) == rank
    assert np.linalg.matrix_rank(incidence(chosen, ordered)) == rank if chosen else rank == 0
    assert list(map(len, chosen)) == sorted(map(len, chosen))
    ears = independent_loops([], ordered)  # nothing found by a search
    assert len(ears) == rank
    for loop in ears:
        assert set(steps(loop)) <= links
