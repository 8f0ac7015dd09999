"""What equations tell by themselves: bounds of values, and stocks that cannot fall below zero."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary
from flywheel.kernel.reference import evaluate
from flywheel.language import parse, parse_expression
from flywheel.model import Aux, Model, Param, Stock, Time
from flywheel.signs import Signs, never_negative
from flywheel.solve import simulate

HEAD = "model m\ntime 0 to 10 step 1/8\n"
RANGES = Model(
    "m",
    Time(0, 1, 1, 1),
    (
        Stock(name="x", initial=Number(1.0), low=0.0),
        Param(name="p", value=1.0, low=0.0, high=3.0),
        Param(name="n", value=-2.0, low=-3.0, high=-1.0),
        Param(name="z", value=0.0, low=-1.0, high=1.0),
    ),
)


@pytest.mark.parametrize(
    ("equation", "low", "high"),
    [
        ("1 - p", -2.0, 1.0),
        ("p * n", -9.0, 0.0),
        ("z * z", 0.0, 1.0),
        ("x / (x + p)", 0.0, 1.0),
        ("p / (1 + x)", 0.0, 3.0),
        ("1 / z", -math.inf, math.inf),
        ("max(x, 2)", 2.0, math.inf),
        ("min(x, 2)", 0.0, 2.0),
        ("exp(-x)", 0.0, 1.0),
        ("(1 + x) ^ (-p)", 0.0, 1.0),
        ("(1 + x) ^ p", 1.0, math.inf),
        ("if(x > 1, p, n)", -3.0, 3.0),
        ("abs(z)", 0.0, 1.0),
        ("abs(n)", 1.0, 3.0),
        ("step(n, 3)", -3.0, 0.0),
        ("smooth(p, 1, -1)", -1.0, 3.0),
        ("tanh(x)", 0.0, 1.0),
        ("ln(1 + x)", 0.0, math.inf),
        ("x > 3", 0.0, 1.0),
        ("floor(p + 0.5)", 0.0, 4.0),
    ],
)
def test_bounds(equation: str, low: float, high: float) -> None:
    found = Signs(RANGES).bounds(parse_expression(equation, RANGES))
    assert found == pytest.approx((low, high))


leaves = st.one_of(
    st.sampled_from([Name("x"), Name("p"), Name("n"), Name("z")]),
    st.floats(-3, 3, allow_nan=False).map(Number),
)


def _grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    one = ["exp", "abs", "tanh", "sqrt", "ln", "floor", "round", "sin"]
    two = ["min", "max", "smin", "smax"]
    operators = ["+", "-", "*", "/", "^", "<", ">=", "and", "or"]
    return st.one_of(
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(Binary, st.sampled_from(operators), inner, inner),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(one), inner),
        st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(two), inner, inner),
        st.builds(lambda a, b, c: Call("if", (a, b, c)), inner, inner, inner),
        st.builds(lambda a, b: Binary("/", a, Binary("+", b, a)), inner, inner),
    )


@settings(max_examples=300)
@given(
    st.recursive(leaves, _grow, max_leaves=10),
    st.floats(0, 50),
    st.floats(0, 3),
    st.floats(-3, -1),
    st.floats(-1, 1),
)
def test_a_value_stays_within_its_bounds(
    expr: Expr, x: float, p: float, n: float, z: float
) -> None:
    low, high = Signs(RANGES).bounds(expr)
    assert low <= high
    value = evaluate(expr, {"x": x, "p": p, "n": n, "z": z})
    if math.isfinite(value):
        slack = 1e-9 * max(1.0, abs(value))
        assert low - slack <= value <= high + slack


# Stocks -----------------------------------------------------------------------------------------

PREY = (
    HEAD
    + """
param birth = 1 in 0 .. 2
param bite = 0.5 in 0 .. 1
param death = 0.3 in 0 .. 1
param room = 50 in 1 .. 100
stock hares = 10 gains hare_births loses eaten, crowded
stock foxes = 2 gains fox_births loses fox_deaths
flow hare_births = birth * hares
flow eaten = bite * hares * foxes / (1 + hares)
flow crowded = hares * hares / room
flow fox_births = 0.2 * eaten
flow fox_deaths = death * foxes
"""
)


def test_stocks_that_rely_on_each_other_stay_positive() -> None:
    model = parse(PREY)
    assert never_negative(model) == {"hares", "foxes"}
    run = simulate(model)
    assert run["hares"].min() > 0
    assert run["foxes"].min() > 0


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (("crowded = hares * hares / room", "crowded = 1 / room"), set()),
        (("death * foxes", "death"), {"hares"}),
        (("foxes = 2", "foxes = 2 - room"), {"hares"}),
        (("fox_births = 0.2 * eaten", "fox_births = 0.2 * eaten - 1"), {"hares"}),
        (("death * foxes", "death * foxes * foxes"), {"hares", "foxes"}),
        (("birth = 1 in 0 .. 2", "birth = 1 in -1 .. 2"), {"hares", "foxes"}),
        (("crowded = hares * hares / room", "crowded = max(hares - room, 0)"), {"hares", "foxes"}),
    ],
)
def test_what_is_not_shown_is_not_claimed(change: tuple[str, str], left: set[str]) -> None:
    """One stock that may turn negative takes along those that rely on it.

    Hares do not rely on foxes: where there are none, none are eaten, whatever the foxes.
    """
    assert never_negative(parse(PREY.replace(*change))) == left


def test_goal_seeking_and_declared_bounds() -> None:
    text = (
        "stock seen = 1 gains change\nflow change = (goal - seen) / 2\nparam goal = 3 in 0 .. 9\n"
        "stock debt = 0 gains pay\nflow pay = -1\n"
        "stock held = 1 loses pay2 bounded 0 ..\nflow pay2 = 5\n"
    )
    assert never_negative(parse(HEAD + text)) == {"seen", "held"}


def test_a_long_chain_needs_no_recursion() -> None:
    size = 9_000
    chain = [Aux(name=f"a{i}", equation=Name(f"a{i + 1}")) for i in range(size)]
    model = Model(
        "m", Time(0, 1, 1, 1), (*chain, Param(name=f"a{size}", value=1.0, low=0.0, high=2.0))
    )
    assert Signs(model).bounds(Name("a0")) == (0.0, 2.0)
