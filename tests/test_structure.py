"""The causal graph and its loops, against brute force and against measured slopes."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flywheel.errors import UnknownNameError, UsageError
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary
from flywheel.kernel.reference import evaluate
from flywheel.language import parse
from flywheel.model import Aux, Model, Param, Stock, Time
from flywheel.structure import (
    components,
    cycles,
    feedback_loops,
    graph,
    links,
    loop_of,
    shortest_loops,
    shortest_path,
)

HEAD = "model m\ntime 0 to 10 [year] step 1/4\n"
GROWTH = parse(
    HEAD
    + """
unit cust
param churn [1/year] = 0.1 in 0 .. 1 from guess
param word [1/year] = 0.5 in 0 .. 1 from guess
param market [cust] = 100 in 1 .. 1000 from guess
stock customers [cust] = 1 gains joining loses leaving bounded 0 ..
aux untapped [cust] = market - customers
flow joining [cust/year] = word * customers * crowding
flow leaving [cust/year] = churn * customers
table crowding [1] of share = (0, 1) (0.5, 0.8) (1, 0)
aux share [1] = customers / market
aux days [1] = smooth(crowding, 2)
aux seen [1] = if(share > 0.5, 1, 2) + untapped / market
"""
)

graphs = st.integers(1, 12).flatmap(
    lambda size: st.lists(
        st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=2 * size + 4
    ).map(lambda edges: _graph(size, edges))
)


def _graph(size: int, edges: list[tuple[int, int]]) -> dict[str, tuple[str, ...]]:
    return {f"n{i}": tuple(dict.fromkeys(f"n{b}" for a, b in edges if a == i)) for i in range(size)}


def brute_force(whole: dict[str, tuple[str, ...]]) -> set[tuple[str, ...]]:
    """All loops by trying every path, each from its earliest node."""
    order = list(whole)
    found: set[tuple[str, ...]] = set()

    def extend(path: tuple[str, ...]) -> None:
        for after in whole[path[-1]]:
            if after == path[0]:
                found.add(path)
            elif after not in path and order.index(after) > order.index(path[0]):
                extend((*path, after))

    for start in order:
        extend((start,))
    return found


# Graphs -----------------------------------------------------------------------------------------


@settings(max_examples=1000)
@given(graphs)
def test_loops_found_are_all_loops(whole: dict[str, tuple[str, ...]]) -> None:
    expected = brute_force(whole)
    assume(len(expected) < 20_000)
    found, complete = cycles(whole, limit=20_000)
    assert complete
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert [len(path) for path in found] == sorted(len(path) for path in found)


@given(graphs, st.integers(0, 5))
def test_a_search_cut_short_says_so(whole: dict[str, tuple[str, ...]], limit: int) -> None:
    expected = brute_force(whole)
    found, complete = cycles(whole, limit=limit)
    assert complete == (len(expected) <= limit)
    assert set(found) <= expected
    assert len(found) == min(limit, len(expected))


def test_a_dense_graph_ends_at_its_effort() -> None:
    whole = {f"n{i}": tuple(f"n{j}" for j in range(40) if j != i) for i in range(40)}
    found, complete = cycles(whole, limit=10**9, effort=50_000)
    assert not complete
    assert 0 < len(found) < 60_000


@given(graphs)
def test_components_hold_the_loops(whole: dict[str, tuple[str, ...]]) -> None:
    """Two nodes share a component exactly when each can be reached from the other."""
    parts = components(whole)
    home = {name: part for part in parts for name in part}
    assert len(home) == sum(map(len, parts))
    for a, b in itertools.permutations(whole, 2):
        both = shortest_path(whole, a, b) and shortest_path(whole, b, a)
        assert bool(both) == (a in home and home[a] == home.get(b))
    for name in whole:
        alone = name in home and home[name] == (name,)
        assert not alone or name in whole[name]


def test_a_long_chain_needs_no_recursion() -> None:
    size = 20_000
    whole = {f"n{i}": (f"n{(i + 1) % size}",) for i in range(size)}
    found, complete = cycles(whole)
    assert complete
    assert [len(path) for path in found] == [size]
    assert len(components(whole)) == 1


@given(graphs)
def test_shortest_paths_are_paths_and_shortest(whole: dict[str, tuple[str, ...]]) -> None:
    distance = {a: dict.fromkeys(whole, math.inf) for a in whole}
    for a in whole:
        for b in whole[a]:
            distance[a][b] = 1
        distance[a][a] = 0
    for k, i, j in itertools.product(whole, repeat=3):
        distance[i][j] = min(distance[i][j], distance[i][k] + distance[k][j])
    for a, b in itertools.product(whole, repeat=2):
        path = shortest_path(whole, a, b)
        if path is None:
            assert distance[a][b] == math.inf
        else:
            assert len(path) - 1 == distance[a][b]
            assert (path[0], path[-1]) == (a, b)
            assert all(after in whole[before] for before, after in itertools.pairwise(path))


def _as_model(whole: dict[str, tuple[str, ...]]) -> Model:
    """Auxiliaries that read each other; circles do not matter to the graph."""
    reads = {name: [a for a in whole if name in whole[a]] for name in whole}
    made = []
    for name, sources in reads.items():
        expr: Expr = Number(1.0)
        for source in sources:
            expr = Binary("+", expr, Name(source))
        made.append(Aux(name=name, equation=expr))
    return Model("m", Time(0, 1, 1, 1), tuple(made))


@given(graphs)
def test_the_short_set_covers_every_link_on_a_loop(whole: dict[str, tuple[str, ...]]) -> None:
    model = _as_model(whole)
    assert graph(model) == {name: tuple(n for n in whole if n in whole[name]) for name in whole}
    everything = brute_force(whole)

    def edges(paths: set[tuple[str, ...]]) -> set[tuple[str, str]]:
        return {e for path in paths for e in zip(path, (*path[1:], path[0]), strict=True)}

    kept = {loop.path for loop in shortest_loops(model)}
    assert kept <= everything
    assert edges(kept) == edges(everything)
    # No more loops than links that close a circle: E - V + 1 in each knot.
    parts = components(whole)
    inner = [sum(b in part for a in part for b in whole[a]) for part in parts]
    assert len(kept) <= sum(e - len(p) + 1 for e, p in zip(inner, parts, strict=True))


# Models -----------------------------------------------------------------------------------------


def test_links_of_a_model() -> None:
    found = {(link.source, link.target): (link.kind, link.sign) for link in links(GROWTH)}
    assert found == {
        ("joining", "customers"): ("material", "+"),
        ("leaving", "customers"): ("material", "-"),
        ("customers", "untapped"): ("information", "-"),
        ("customers", "joining"): ("information", "+"),
        ("crowding", "joining"): ("information", "+"),
        ("customers", "leaving"): ("information", "+"),
        ("share", "crowding"): ("information", "-"),
        ("customers", "share"): ("information", "+"),
        ("crowding", "days"): ("information", "+"),
        ("share", "seen"): ("information", "?"),
        ("untapped", "seen"): ("information", "+"),
    }
    with_params = links(GROWTH, params=True)
    assert {link.source for link in with_params} - {link.source for link in links(GROWTH)} == {
        "churn",
        "word",
        "market",
    }


def test_feedback_loops_of_a_model() -> None:
    found = feedback_loops(GROWTH)
    assert found.complete
    assert [(loop.path, loop.polarity) for loop in found.loops] == [
        (("customers", "joining"), "R"),
        (("customers", "leaving"), "B"),
        (("customers", "share", "crowding", "joining"), "B"),
    ]
    assert shortest_loops(GROWTH) == found.loops


def test_a_loop_by_its_path() -> None:
    loop = loop_of(GROWTH, ["Customers", "LEAVING", "customers"])
    assert loop.path == ("customers", "leaving")
    assert loop.polarity == "B"
    with pytest.raises(UnknownNameError, match="customers"):
        loop_of(GROWTH, ["custmers", "leaving"])
    with pytest.raises(UsageError, match="leaving does not depend directly on share"):
        loop_of(GROWTH, ["share", "leaving", "customers"])


@pytest.mark.parametrize(
    ("equation", "sign"),
    [
        ("x + 1", "+"),
        ("1 - x", "-"),
        ("-x", "-"),
        ("x * p", "+"),
        ("x * n", "-"),
        ("x * z", "?"),
        ("p / x", "-"),
        ("x / p", "+"),
        ("p - 2 * x", "-"),
        ("x ^ 2", "+"),
        ("z ^ 2 * x", "+"),
        ("x ^ (-1)", "-"),
        ("2 ^ x", "+"),
        ("0.5 ^ x", "-"),
        ("z ^ x", "?"),
        ("exp(-x)", "-"),
        ("ln(x + 1)", "+"),
        ("max(x, p)", "+"),
        ("max(x, -x)", "?"),
        ("min(p, 3 - x)", "-"),
        ("abs(x)", "+"),
        ("sin(x)", "?"),
        ("if(p > 1, x, 2 * x)", "+"),
        ("if(x > 1, x, 2 * x)", "?"),
        ("x > 3", "+"),
        ("x < 3", "-"),
        ("not (x > 3)", "-"),
        ("x > 3 and p > 1", "+"),
        ("falls(x)", "-"),
        ("falls(-x)", "+"),
        ("bump(x)", "?"),
        ("smooth(x, p)", "+"),
        ("smooth(1 - x, p)", "-"),
        ("smooth(p, x)", "?"),
        ("delay3(x, p)", "+"),
        ("smoothn(x, p, 4)", "+"),
        ("trend(x, p)", "?"),
        ("npv(x, 0.1)", "+"),
        ("step(x, 5)", "+"),
        ("step(p, x)", "-"),
        ("x - x", "?"),
        ("sqrt(x) * max(z, 0)", "+"),
    ],
)
def test_signs_read_off_equations(equation: str, sign: str) -> None:
    model = parse(
        HEAD
        + "stock x = 1 bounded 0 ..\nparam p = 2 in 0 .. 3\n"
        + "param n = -2 in -3 .. -1\nparam z = 1 in -1 .. 1\n"
        + "table falls of u = (0, 3) (1, 3) (2, 0)\ntable bump of u = (0, 0) (1, 3) (2, 0)\n"
        + f"aux y = {equation}\n"
    )
    assert {(link.source, link.sign) for link in links(model) if link.target == "y"} == {
        ("x", sign)
    }


leaves = st.one_of(
    st.sampled_from([Name("x"), Name("p"), Name("n"), Name("z")]),
    st.floats(-3, 3, allow_nan=False).map(Number),
)


def _grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.builds(Unary, st.just("-"), inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/"]), inner, inner),
        st.builds(lambda a, n: Binary("^", a, Number(float(n))), inner, st.integers(-2, 3)),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["exp", "abs", "tanh"]), inner),
        st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(["min", "max"]), inner, inner),
        st.builds(lambda a, b, c: Call("if", (a, b, c)), inner, inner, inner),
    )


@settings(max_examples=200)
@given(
    st.recursive(leaves, _grow, max_leaves=8),
    st.tuples(st.floats(0, 5), st.floats(0, 5)),
    st.floats(0, 3),
    st.floats(-3, -1),
    st.floats(-1, 1),
)
def test_a_sign_that_is_told_is_true(
    expr: Expr, xs: tuple[float, float], p: float, n: float, z: float
) -> None:
    """Wherever the parameters stand in their ranges, two values of x agree with the sign."""
    model = Model(
        "m",
        Time(0, 1, 1, 1),
        (
            Stock(name="x", initial=Number(1.0), low=0.0),
            Param(name="p", value=1.0, low=0.0, high=3.0),
            Param(name="n", value=-2.0, low=-3.0, high=-1.0),
            Param(name="z", value=0.0, low=-1.0, high=1.0),
            Aux(name="y", equation=expr),
        ),
    )
    found = [link for link in links(model) if link.source == "x"]
    assume(found and found[0].sign != "?")
    below, above = (evaluate(expr, {"x": x, "p": p, "n": n, "z": z}) for x in (min(xs), max(xs)))
    assume(math.isfinite(below) and math.isfinite(above))
    # A pole between the two values turns the order of what it separates.
    assume(("/" not in repr(expr) and "^" not in repr(expr)) or min(xs) > 0)
    rising = above - below if found[0].sign == "+" else below - above
    assert rising >= -1e-9 * max(1.0, abs(above), abs(below))
