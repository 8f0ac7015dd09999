"""The rules of derivatives: each against a differentiation of its own, at ordinary and extreme points.

Smooth operations are held against the complex step (Squire and Trapp 1998), exact to rounding; those
with corners against differences, exact where a function is straight. Every rule is read three ways:
backwards, forwards, and by the machine code.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.expr import Expr
from flywheel.kernel.derivative import _RULES, FLAT, forward, reverse
from flywheel.kernel.ir import Graph, Program
from flywheel.kernel.ir import expression as lowered
from flywheel.kernel.llvm import LANES, FixedKernel
from flywheel.kernel.vectorised import OPERATIONS, compute, schedule
from flywheel.language import parse_expression
from tests.kernel.random_models import expression

INF, NAN = math.inf, math.nan
Build = Callable[[Graph, Sequence[int]], int]

FEW = ((-1.0, 0.5, 2.0), (2.0, -1.0, 3.5))
MANY = (tuple(float(n) for n in range(-20, 21)), tuple(math.sin(n) for n in range(-20, 21)))
TABLES = {
    "few": (*FEW, False),
    "onward": (*FEW, True),
    "many": (*MANY, False),
    "many onward": (*MANY, True),
    "point": ((1.0,), (7.0,), False),
}


class Function:
    """A function of some numbers as a graph, with its slopes there by ``reverse`` and ``forward``."""

    def __init__(self, build: Build, count: int) -> None:
        self.graph = Graph()
        self.inputs = [self.graph.intern("input", (), n) for n in range(count)]
        self.root = build(self.graph, self.inputs)
        one, zero = self.graph.const(1.0), self.graph.const(0.0)
        back = reverse(self.graph, {self.root: one}, self.inputs)
        self.back = [back.get(node, zero) for node in self.inputs]
        self.ahead = []
        for node in self.inputs:
            seeds = {other: one if other == node else zero for other in self.inputs}
            self.ahead.append(forward(self.graph, seeds, [self.root]).get(self.root, zero))

    def values(self, point: Sequence[float], nodes: Sequence[int]) -> list[float]:
        known = {n: np.asarray(x, dtype=float) for n, x in zip(self.inputs, point, strict=True)}
        done = compute(self.graph, schedule(self.graph, nodes, known), known, TABLES)
        return [float(done[node]) for node in nodes]

    def __call__(self, *point: float) -> float:
        return self.values(point, [self.root])[0]

    def slopes(self, *point: float) -> list[float]:
        """By both ways, which must say the same."""
        back = self.values(point, self.back)
        np.testing.assert_allclose(self.values(point, self.ahead), back, rtol=1e-13)
        return back

    def by_machine(self, points: Sequence[Sequence[float]]) -> np.ndarray:
        """The slopes (points, inputs, 2) by machine code, backwards and forwards."""
        outputs = (*self.back, *self.ahead)
        width = len(self.inputs)
        program = Program(
            self.graph, (), (), (), (), outputs, tuple(f"o{n}" for n in range(len(outputs))),
            tuple(f"i{n}" for n in range(width)), (), (), TABLES, False,
        )  # fmt: skip
        kernel = FixedKernel(program, "euler", LANES)
        found, _ = kernel.run(
            np.array(points), start=0.0, step=1.0, steps=0, every=1, series=np.zeros((1, 3, 0))
        )
        return found[:, 0].reshape(len(points), 2, width).transpose(0, 2, 1)


def of(op: str) -> Build:
    return lambda graph, args: graph.add(op, *args)


def read(table: str) -> Build:
    return lambda graph, args: graph.add("lookup", args[0], data=table)


def formula(text: str) -> Build:
    """An expression of x, y and z."""
    expr: Expr = parse_expression(text)
    return lambda graph, args: lowered(
        graph, expr, lambda name: args["xyz".index(name)], dict.fromkeys(TABLES)
    )


# Smooth operations ------------------------------------------------------------------------------

ANY = (0.3, -0.3, 1.0, -1.0, 2.5, -7.25, 1e-9, -1e-9, 40.0)
ABOVE = (0.3, 1.0, 2.5, 7.25, 1e-9, 1e-250, 40.0, 1e250)
SMOOTH: dict[str, tuple[Callable[..., complex], list[tuple[float, ...]]]] = {
    "neg": (lambda x: -x, [(x,) for x in (*ANY, 0.0, 1e300, -1e300)]),
    "exp": (np.exp, [(x,) for x in (*ANY, 0.0, 700.0, -700.0, -1e5)]),
    "ln": (np.log, [(x,) for x in ABOVE]),
    "log10": (np.log10, [(x,) for x in ABOVE]),
    "sqrt": (np.sqrt, [(x,) for x in ABOVE]),
    "sin": (np.sin, [(x,) for x in (*ANY, 0.0, 1e5)]),
    "cos": (np.cos, [(x,) for x in (*ANY, 0.0, 1e5)]),
    "tan": (np.tan, [(x,) for x in (*ANY, 0.0, 1.57)]),
    "tanh": (np.tanh, [(x,) for x in (*ANY, 0.0, 400.0, -400.0)]),
    "add": (lambda x, y: x + y, [(x, y) for x in ANY for y in (0.0, 3.0, 1e300)]),
    "sub": (lambda x, y: x - y, [(x, y) for x in ANY for y in (0.0, 3.0, 1e300)]),
    "mul": (lambda x, y: x * y, [(x, y) for x in (*ANY, 0.0) for y in (0.0, 3.0, 1e200)]),
    "div": (lambda x, y: x / y, [(x, y) for x in (*ANY, 0.0) for y in (3.0, -0.1, 1e150, 1e-50)]),
    "pow": (
        lambda x, y: x**y,
        [(x, y) for x in (0.3, 1.0, 2.5, 40.0, 1e-9) for y in (0.0, 0.5, 1.0, 2.0, -1.5, 9.7)],
    ),
}


@pytest.mark.parametrize("op", SMOOTH)
def test_smooth_operations(op: str) -> None:
    plain, points = SMOOTH[op]
    function = Function(of(op), len(points[0]))
    expected = []
    for point in points:
        row = []
        for n, x in enumerate(point):
            h = 1e-30 * (abs(x) or 1.0)
            with np.errstate(all="ignore"):
                moved = plain(*(np.complex128(complex(v, h if k == n else 0.0))
                                for k, v in enumerate(point)))  # fmt: skip
            row.append(moved.imag / h)
        # 1 - tanh^2 has an absolute error of a rounding.
        np.testing.assert_allclose(function.slopes(*point), row, rtol=2e-13, atol=3e-16)
        expected.append(row)
    machine = function.by_machine(points)
    for way in range(2):
        np.testing.assert_allclose(machine[:, :, way], expected, rtol=2e-12, atol=3e-16)


# Operations with corners ------------------------------------------------------------------------

STRAIGHT: dict[str, tuple[Build, list[tuple[float, ...]]]] = {
    "abs": (of("abs"), [(x,) for x in (-2.0, 0.0, 3.0, 1e300)]),
    "min": (of("min"), [(1.0, 2.0), (2.0, 1.0), (3.0, 3.0), (-1e300, 1e300), (0.0, -0.0)]),
    "max": (of("max"), [(1.0, 2.0), (2.0, 1.0), (3.0, 3.0), (-1e300, 1e300), (0.0, -0.0)]),
    "if": (formula("if(x > 1, y, z)"), [(1.5, 2.0, 3.0), (0.5, 2.0, 3.0), (1.0, 2.0, 3.0)]),
    **{
        f"lookup {name}": (read(name), [(x,) for x in (
            -1e9, -3.0, -1.0, -0.7, 0.5, 1.2, 2.0, 2.5, 3.25, 19.5, 20.0, 21.0, 1e9)])
        for name in TABLES
    },
}  # fmt: skip


@pytest.mark.parametrize("case", STRAIGHT)
def test_operations_with_corners(case: str) -> None:
    """Exactly the slope of one side: at a corner of the right side or the left, elsewhere of both."""
    build, points = STRAIGHT[case]
    function = Function(build, len(points[0]))
    machine = function.by_machine(points)
    for number, point in enumerate(points):
        slopes = function.slopes(*point)
        np.testing.assert_array_equal(machine[number], np.column_stack([slopes, slopes]))
        for n, x in enumerate(point):
            h = 2.0**-20 * max(abs(x), 1.0)
            here = function(*point)
            sides = []
            for way in (1.0, -1.0):
                moved = [v + way * h if k == n else v for k, v in enumerate(point)]
                sides.append((function(*moved) - here) / (way * h))
            fits = [math.isclose(slopes[n], s, rel_tol=1e-8, abs_tol=1e-9) for s in sides]
            assert any(fits), (case, point, n, slopes[n], sides)


STEPS: dict[str, list[tuple[float, ...]]] = {
    **{key: [(1.0, 2.0), (2.0, 1.0), (7.0, 7.0)] for key in ("lt", "le", "gt", "ge", "eq", "ne")},
    **{key: [(1.0, 0.0), (0.0, 0.0), (2.0, 3.0)] for key in ("and", "or")},
    "not": [(0.0,), (1.0,)],
    **{key: [(0.5,), (-3.25,), (2.0,), (1e300,)] for key in ("floor", "round")},
    **{key: [(1.0,), (2.0,), (2.5,)] for key in ("parity", "powbound")},
    "slope": [(-1.0,), (0.7,), (2.0,)],
}


@pytest.mark.parametrize("op", STEPS)
def test_steps_are_flat(op: str) -> None:
    """What jumps and is level between its jumps has derivative 0, at the jumps too."""
    points = STEPS[op]
    build = of(op) if op != "slope" else lambda g, args: g.intern("slope", (args[0],), "few")
    function = Function(build, len(points[0]))
    for point in points:
        assert function.slopes(*point) == [0.0] * len(point)


def test_ties_and_knots_choose_one_side_and_say_which() -> None:
    assert Function(of("min"), 2).slopes(3.0, 3.0) == [1.0, 0.0]
    assert Function(of("max"), 2).slopes(3.0, 3.0) == [1.0, 0.0]
    assert Function(of("abs"), 1).slopes(0.0) == [1.0]
    few = Function(read("few"), 1)
    knots = {-1.5: 0.0, -1.0: -2.0, 0.5: 3.0, 2.0: 0.0, 9.0: 0.0}
    assert {x: few.slopes(x)[0] for x in knots} == knots
    onward = Function(read("onward"), 1)
    knots = {-1.5: -2.0, -1.0: -2.0, 0.5: 3.0, 2.0: 3.0, 9.0: 3.0}
    assert {x: onward.slopes(x)[0] for x in knots} == knots


def test_every_operation_has_a_rule_and_a_test() -> None:
    tested = {"powfix" if op == "pow" else op for op in SMOOTH} | set(STEPS)
    tested |= {case.split()[0] for case in STRAIGHT}
    assert set(OPERATIONS) | {"powfix", "lookup", "slope"} == set(_RULES) | FLAT
    assert tested | {"gate"} == set(_RULES) | FLAT


# Powers where exp(y ln x) says nothing ----------------------------------------------------------

POWERS = [
    # base, exponent, d/dbase, d/dexponent
    (0.0, 2.5, 0.0, 0.0),
    (0.0, 1.0, 1.0, 0.0),
    (0.0, 0.5, INF, 0.0),
    (0.0, 0.0, 0.0, 0.0),
    (0.0, -1.0, -INF, 0.0),
    (-2.0, 3.0, 12.0, -8.0 * math.log(2.0)),
    (-2.0, 2.0, -4.0, 4.0 * math.log(2.0)),
    (-2.0, -1.0, -0.25, -0.5 * math.log(2.0)),
    (1.0, 0.0, 0.0, 0.0),
    (1e-300, 1.0, 1.0, 1e-300 * math.log(1e-300)),
    (NAN, 2.0, NAN, NAN),
    (2.0, NAN, NAN, NAN),
    (-2.0, 0.5, NAN, NAN),
]


def test_powers_of_zero_and_of_negative_numbers() -> None:
    function = Function(of("pow"), 2)
    points = [row[:2] for row in POWERS]
    for row in POWERS:
        np.testing.assert_allclose(function.slopes(*row[:2]), row[2:], rtol=1e-13)
    machine = function.by_machine(points)
    for way in range(2):
        np.testing.assert_allclose(machine[:, :, way], [row[2:] for row in POWERS], rtol=1e-12)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 7, 16, -1, -3])
def test_whole_powers(power: int) -> None:
    function = Function(formula(f"x ^ ({power})"), 1)
    for x in (-2.0, -0.1, 0.7, 3.0):
        np.testing.assert_allclose(function.slopes(x), [power * x ** (power - 1)], rtol=1e-13)
    if power > 0:
        assert function.slopes(0.0) == [1.0 if power == 1 else 0.0]


# NaN and infinity -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["exp(x)", "ln(x)", "log10(x)", "sqrt(x)", "abs(x)", "sin(x)", "cos(x)", "tan(x)", "tanh(x)",
     "x * x", "1 / x", "x ^ 2.5", "2.5 ^ x", "min(x, 3)", "max(3, x)", "smin(x, 3)", "smax(x, 3)",
     "if(x > 0, 2 * x, x)", "few(x)", "many(x)"],
)  # fmt: skip
def test_nan_is_carried(text: str) -> None:
    function = Function(formula(text), 1)
    assert math.isnan(function.slopes(NAN)[0])
    assert np.isnan(function.by_machine([[NAN]])).all()


def test_slopes_that_are_infinite_say_so() -> None:
    assert Function(of("sqrt"), 1).slopes(0.0) == [INF]
    assert Function(of("ln"), 1).slopes(0.0) == [INF]
    assert Function(of("exp"), 1).slopes(1000.0) == [INF]


UNCHOSEN = [
    # What is not chosen is infinitely steep, or no number at all.
    ("if(x > 0, sqrt(x), 3 * x)", 0.0, 3.0),
    ("if(x > 0, y * sqrt(x) + x, 3 * x)", 0.0, 3.0),
    ("if(x > 0, ln(x), 2 * x)", 0.0, 2.0),
    ("if(x > 0, ln(x) * ln(x), 2 * x)", -1.0, 2.0),
    ("if(x == 0, x, y / x)", 0.0, 1.0),
    ("if(x == 0, x, exp(y / x))", 0.0, 1.0),
    ("if(x > 0, x ^ 0.5, x)", 0.0, 1.0),
    ("if(x > 0, x ^ y, x)", -0.5, 1.0),
    ("if(x < 800, x, exp(x * x))", 40.0, 1.0),
    ("max(sqrt(x), 1 + x)", 0.0, 1.0),
    ("max(y * sqrt(sqrt(x)), 1 + x)", 0.0, 1.0),
    ("min(1 / x, 5 * x)", 1e-300, 5.0),
    ("min(1 / x, 5 + x)", 0.0, 1.0),
    ("if(y > 9, if(x > 0, sqrt(x), x), 4 * x)", 0.0, 4.0),
    ("2 * if(x > 0, sin(1 / x), x)", 0.0, 2.0),
]


@pytest.mark.parametrize(("text", "x", "expected"), UNCHOSEN)
def test_what_is_not_chosen_has_no_derivative_rather_than_nan(
    text: str, x: float, expected: float
) -> None:
    function = Function(formula(text), 2)
    assert function.slopes(x, 1.7)[0] == pytest.approx(expected, rel=1e-14)
    machine = function.by_machine([[x, 1.7]])
    np.testing.assert_allclose(machine[0, 0], expected, rtol=1e-13)
    assert np.isfinite(machine).all()


def test_an_infinite_slope_that_is_chosen_is_not_hidden() -> None:
    assert Function(formula("if(x >= 0, sqrt(x), 3 * x)"), 1).slopes(0.0) == [INF]
    assert Function(formula("max(sqrt(x), x - 1)"), 1).slopes(0.0) == [INF]


@pytest.mark.parametrize("text", ["sqrt(x)", "x ^ 0.5", "y * sqrt(x) + y"])
def test_what_does_not_move_carries_nothing_through_an_infinite_slope(text: str) -> None:
    """A stock that starts at 0 under a root: other parameters still have their derivatives."""
    graph = Graph()
    x, y = (graph.intern("input", (), n) for n in range(2))
    root = formula(text)(graph, [x, y])
    seeds = {x: graph.const(0.0), y: graph.const(1.0)}
    tangent = forward(graph, seeds, [root]).get(root, graph.const(0.0))
    # The zero may only be known when the program runs.
    moving = graph.intern("input", (), 2)
    late = forward(graph, {x: moving, y: graph.const(1.0)}, [root])[root]
    known = {x: np.float64(0.0), y: np.float64(2.0), moving: np.float64(0.0)}
    order = schedule(graph, [tangent, late], known)
    done = compute(graph, order, dict(known), {})
    expected = 1.0 if text.endswith("y") else 0.0
    assert [done[tangent], done[late]] == [expected, expected]


# Random graphs ----------------------------------------------------------------------------------

NAMES = ["a", "b", "c"]


def _random(seed: int, depth: int) -> tuple[Graph, list[int], int]:
    graph = Graph()
    leaves = [graph.intern("input", (), n) for n in range(len(NAMES))]
    expr = expression(random.Random(seed), NAMES, depth)
    root = lowered(graph, expr, lambda name: leaves[NAMES.index(name)], {"table": None})
    return graph, leaves, root


RANDOM_TABLE = {"table": (*FEW, True)}
FORM = st.tuples(st.integers(0, 2**32), st.integers(1, 5))
POINT = st.tuples(*[st.floats(-3, 3)] * len(NAMES))


@given(FORM, POINT, POINT)
def test_forward_is_reverse(form: tuple[int, int], point: tuple, along: tuple) -> None:
    """tangent . 1 = direction . adjoint, on any expression; also of several roots at once."""
    graph, leaves, root = _random(*form)
    second = graph.add("mul", root, leaves[0])
    tangents = {leaf: graph.intern("input", (), len(NAMES) + n) for n, leaf in enumerate(leaves)}
    found = forward(graph, tangents, [root, second])
    weights = {root: graph.const(0.75), second: graph.const(-1.5)}
    bars = reverse(graph, weights, leaves)
    # In long doubles, so that cancellation does not blur the comparison.
    known = {n: np.asarray(x, dtype=np.longdouble) for n, x in zip(leaves, point, strict=True)}
    known |= {
        tangents[n]: np.asarray(x, dtype=np.longdouble) for n, x in zip(leaves, along, strict=True)
    }
    done = compute(graph, schedule(graph, [*found.values(), *bars.values()], known), known,
                   RANDOM_TABLE)  # fmt: skip
    with np.errstate(all="ignore"):
        ahead = [done[found[r]] * w for r, w in ((root, 0.75), (second, -1.5)) if r in found]
        back = [done[bars[leaf]] * x for leaf, x in zip(leaves, along, strict=True) if leaf in bars]
        parts = np.array([*ahead, *back], dtype=np.longdouble)
    if np.isfinite(parts).all():
        size = float(np.abs(parts).max(initial=0.0))
        assert abs(float(sum(ahead) - sum(back))) <= 1e-11 * size + 1e-200


@given(FORM, POINT)
def test_second_derivatives_are_symmetric(form: tuple[int, int], point: tuple) -> None:
    """Forwards over backwards: the rules apply to what they made, gates included."""
    graph, leaves, root = _random(*form)
    zero, one = graph.const(0.0), graph.const(1.0)
    slopes = reverse(graph, {root: one}, leaves)
    table = [[zero] * len(leaves) for _ in leaves]
    for column, leaf in enumerate(leaves):
        seeds = {other: one if other == leaf else zero for other in leaves}
        second = forward(graph, seeds, slopes.values())
        for row, other in enumerate(leaves):
            table[row][column] = second.get(slopes.get(other, -1), zero)
    known = {n: np.asarray(x, dtype=np.longdouble) for n, x in zip(leaves, point, strict=True)}
    nodes = [node for row in table for node in row]
    done = compute(graph, schedule(graph, nodes, known), known, RANDOM_TABLE)
    hessian = np.array([[float(done[node]) for node in row] for row in table])
    if np.isfinite(hessian).all():
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-7, atol=1e-9 * np.abs(hessian).max())
