"""The oracle itself, against numbers worked out by hand and the rules of the language."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary
from flywheel.functions import FUNCTIONS
from flywheel.kernel import ieee
from flywheel.kernel.expand import expand
from flywheel.kernel.interpolate import lookup_value
from flywheel.kernel.reference import Reference, evaluate
from flywheel.kernel.system import Lookup
from flywheel.language import parse_expression

NAN, INF = math.nan, math.inf


def value(text: str, **names: float) -> float:
    return evaluate(parse_expression(text), names)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2 + 3 * 4", 14),
        ("-2 ^ 2", -4),
        ("2 ^ 3 ^ 2", 512),
        ("7 / 2 - 1", 2.5),
        ("3 < 4", 1),
        ("4 <= 4", 1),
        ("3 > 4", 0),
        ("3 >= 4", 0),
        ("3 == 3", 1),
        ("3 != 3", 0),
        ("1 and 0", 0),
        ("2 and 3", 1),
        ("0 or 0.5", 1),
        ("not 0", 1),
        ("not 7", 0),
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("abs(-3)", 3),
        ("sqrt(16)", 4),
        ("exp(1)", math.e),
        ("ln(10)", math.log(10)),
        ("log10(1000)", 3),
        ("sin(1)", math.sin(1)),
        ("cos(1)", math.cos(1)),
        ("tan(1)", math.tan(1)),
        ("tanh(1)", math.tanh(1)),
        ("round(2.5)", 2),
        ("round(3.5)", 4),
        ("round(-2.5)", -2),
        ("floor(-2.5)", -3),
        ("if(2, 5, 6)", 5),
        ("if(0, 5, 6)", 6),
        ("smin(2, 2)", 2 / 2 ** (1 / 8)),
        ("smax(2, 2)", 2 * 2 ** (1 / 8)),
        ("smin(3, 0)", 0),
        ("smax(3, 0)", 3),
        ("smin(1e200, 2e200)", 2e200 / (1 + 2**8) ** (1 / 8)),
        ("smax(1e-200, 2e-200)", 2e-200 * (1 + 2**-8) ** (1 / 8)),
    ],
)
def test_value(text: str, wanted: float) -> None:
    assert value(text) == pytest.approx(wanted, rel=1e-14)


def test_smooth_extremes_follow_their_formula() -> None:
    for a, b in [(1.0, 2.0), (3.0, 2.9), (0.5, 40.0)]:
        bulge = (a**8 + b**8) ** (1 / 8)
        assert ieee.smooth_minimum(a, b) == pytest.approx(a * b / bulge, rel=1e-14)
        assert ieee.smooth_maximum(a, b) == pytest.approx(bulge, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 / z", INF),
        ("-1 / z", -INF),
        ("z / z", NAN),
        ("1 / -z", -INF),
        ("ln(z)", -INF),
        ("log10(z)", -INF),
        ("ln(-1)", NAN),
        ("sqrt(-1)", NAN),
        ("exp(1000)", INF),
        ("exp(-1000)", 0.0),
        ("(-8) ^ (1 / 3)", NAN),
        ("(-2) ^ 3", -8),
        ("z ^ -1", INF),
        ("z ^ 0", 1.0),
        ("1e300 * 1e300", INF),
        ("10 ^ 400", INF),
        ("(-10) ^ 401", -INF),
        ("1e300 * 1e300 - 1e300 * 1e300", NAN),
        ("sin(exp(1000))", NAN),
        ("floor(exp(1000))", INF),
        ("round(-exp(1000))", -INF),
    ],
)
def test_arithmetic_is_ieee_and_never_raises(text: str, wanted: float) -> None:
    found = value(text, z=0.0)
    assert found == wanted or (math.isnan(found) and math.isnan(wanted))


@pytest.mark.parametrize("op", sorted(ieee.BINARY))
def test_operators_carry_nan(op: str) -> None:
    for a, b in [(NAN, 1.0), (2.0, NAN), (NAN, NAN), (NAN, 0.0), (0.0, NAN)]:
        found = ieee.BINARY[op](a, b)
        # C's pow: x to the 0 is 1, and 1 to the x, whatever x is.
        assert math.isnan(found) or (op == "^" and (b == 0 or a == 1))


def test_functions_carry_nan() -> None:
    for name, function in FUNCTIONS.items():
        if function.kind != "math":
            continue
        count = len(function.required)
        for place in range(count):
            args = [NAN if n == place else 1.0 for n in range(count)]
            found = ieee.FUNCTIONS[name](*args)
            # Of an `if`, only the branch that is taken counts.
            assert math.isnan(found) or (name == "if" and place == 2), name
    assert math.isnan(ieee.UNARY["not"](NAN))
    assert ieee.choose(0.0, NAN, 3.0) == 3.0


def test_every_math_function_of_the_language_is_there() -> None:
    assert set(ieee.FUNCTIONS) == {n for n, f in FUNCTIONS.items() if f.kind == "math"}


def test_lookup() -> None:
    flat = Lookup("f", (0.0, 1.0, 3.0), (1.0, 2.0, 0.0))
    line = Lookup("f", (0.0, 1.0, 3.0), (1.0, 2.0, 0.0), extrapolate=True)
    for x, inside in [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0), (2.0, 1.0), (3.0, 0.0)]:
        assert lookup_value(flat, x) == pytest.approx(inside)
        assert lookup_value(line, x) == pytest.approx(inside)
    assert (lookup_value(flat, -2), lookup_value(flat, 9), lookup_value(flat, INF)) == (1, 0, 0)
    assert (lookup_value(line, -2), lookup_value(line, 5)) == (-1, -2)
    assert math.isnan(lookup_value(flat, NAN))
    assert lookup_value(Lookup("g", (1.0,), (4.0,)), 7.0) == 4.0


# Steps by hand ----------------------------------------------------------------------------------

TWO = """model two
time 1 to 2 step 1/2 save 1/2
param k = 3
stock a = 2 * k loses f
stock b = a + 1 gains f
flow f = a / k + time
"""


def two() -> Reference:
    return Reference(expand(fw.parse(TWO)))


def test_initial_values_read_each_other() -> None:
    assert two().initial([3.0], 1.0, 0.5) == [6.0, 7.0]
    assert two().initial([5.0], 1.0, 0.5) == [10.0, 11.0]


def test_rates_and_values() -> None:
    reference = two()
    held = reference.held(1.0, 0.5, [3.0])
    assert reference.rates(1.0, [6.0, 7.0], [3.0], held) == [-3.0, 3.0]
    values = reference.values(1.5, [6.0, 7.0], [3.0], held)
    assert (values["f"], values["a"], values["k"], values["time"]) == (3.5, 6.0, 3.0, 1.5)


def run(reference: Reference, method: str, **how: object) -> np.ndarray:
    asked = {"start": 1.0, "step": 0.5, "steps": 2, "save_every": 1, "names": ("a", "b", "f")}
    return reference.run([3.0], method=method, **(asked | how))  # type: ignore[arg-type]


def test_euler_by_hand() -> None:
    # f = a/3 + t: 3 at (1, 6); a = 4.5, f = 1.5 + 1.5 = 3; a = 3, f = 1 + 2 = 3.
    wanted = [[6.0, 7.0, 3.0], [4.5, 8.5, 3.0], [3.0, 10.0, 3.0]]
    assert run(two(), "euler") == pytest.approx(np.array(wanted), rel=1e-15)


def test_rk4_by_hand() -> None:
    def slope(t: float, a: float) -> float:
        return -(a / 3 + t)

    k1 = slope(1, 6)
    k2 = slope(1.25, 6 + 0.25 * k1)
    k3 = slope(1.25, 6 + 0.25 * k2)
    k4 = slope(1.5, 6 + 0.5 * k3)
    after = 6 + 0.5 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    assert run(two(), "rk4")[1, 0] == pytest.approx(after, rel=1e-15)


def test_saves_are_a_part_of_the_steps() -> None:
    every = run(two(), "rk4", steps=8)
    second = run(two(), "rk4", steps=8, save_every=4)
    assert (second == every[::4]).all()


def test_times_are_multiplied_not_accumulated() -> None:
    reference = Reference(
        expand(fw.parse("model t\ntime 0 to 100 step 0.1 save 0.1\naux x = time\n"))
    )
    found = reference.run(
        [], method="euler", start=0.0, step=0.1, steps=1000, save_every=1, names=("x",)
    )
    assert found[:, 0].tolist() == [0.0 + k * 0.1 for k in range(1001)]


def test_a_pipeline_in_steps() -> None:
    text = "model p\ntime 0 to 2 step 1/4 save 1/4\naux x = delay_fixed(time, 0.6, -1)\n"
    reference = Reference(expand(fw.parse(text)))
    found = reference.run(
        [], method="rk4", start=0.0, step=0.25, steps=8, save_every=1, names=("x",)
    )
    # round(0.6 / 0.25) = 2 steps.
    assert found[:, 0].tolist() == [-1, -1, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]


# Faults -----------------------------------------------------------------------------------------


def fault(equation: str, x: float = 0.0) -> str:
    text = (
        f"model f\ntime 0 to 1 step 1 save 1\nparam x = {x}\naux used = x - 1\naux y = {equation}\n"
    )
    reference = Reference(expand(fw.parse(text)))
    held = reference.held(0.0, 1.0, [x])
    found = reference.diagnose(0.0, [], [x], held)
    assert found is not None
    assert found.owner == "y"
    assert found.span is not None
    assert found.span.line == 5
    return found.message


@pytest.mark.parametrize(
    ("equation", "x", "message"),
    [
        ("3 / x", 0, "divides by zero: x is 0"),
        ("x / x", 0, "divides zero by zero: x is 0 and x is 0"),
        ("3 / (used + 1)", 0, "divides by zero: used + 1 is 0"),
        ("1 + 2 * sqrt(used)", 0.5, "takes the square root of a negative number: used is -0.5"),
        ("ln(x - 4)", 1, "takes the logarithm of a negative number: x - 4 is -3"),
        ("log10(x)", 0, "takes the logarithm of zero: x is 0"),
        ("exp(x)", 800, "grows beyond the largest number: x is 800"),
        (
            "x ^ (x - 1)",
            -1.5,
            "raises a negative number to a fractional power: x is -1.5 and x - 1 is -2.5",
        ),
        ("x ^ -2", 0, "raises zero to a negative power: x is 0"),
        ("10 ^ x", 400, "grows beyond the largest number: x is 400"),
        ("if(x > 0, 1, 2 / x)", 0, "divides by zero: x is 0"),
        ("min(3, ln(x))", -1, "takes the logarithm of a negative number: x is -1"),
    ],
)
def test_the_sentence_of_a_fault(equation: str, x: float, message: str) -> None:
    assert fault(equation, x) == message


def test_hidden_stocks_speak_in_the_name_of_their_line() -> None:
    text = "model f\ntime 0 to 1 step 1 save 1\nparam x = 0\naux y = smooth(1, 2, 4 / x)\n"
    run = fw.parse(text).run()
    assert run.status.variable == "y"
    assert run.status.message.startswith("y divides by zero: x is 0, at time 0 (<text>:4:")
    text = "model f\ntime 0 to 1 step 1 save 1\nparam x = 0\naux y = delay3(time, x)\n"
    run = fw.parse(text).run()
    assert run.status.message.startswith("y divides zero by zero: ")
    assert "x / 3 is 0" in run.status.message


def test_a_fault_is_followed_to_its_origin() -> None:
    text = (
        "model f\ntime 0 to 1 step 1 save 1\nparam x = 0\n"
        "aux last = middle + 1\naux middle = 2 * first\naux first = 1 / x\n"
    )
    reference = Reference(expand(fw.parse(text)))
    found = reference.diagnose(0.0, [], [0.0], reference.held(0.0, 1.0, [0.0]))
    assert found is not None
    assert (found.owner, found.operands) == ("first", (("x", 0.0),))
    assert found.span is not None
    assert found.span.text == "1 / x"


def test_a_branch_not_taken_is_no_fault() -> None:
    text = "model f\ntime 0 to 1 step 1 save 1\nparam x = 0\naux y = if(x == 0, 1, 1 / x)\n"
    reference = Reference(expand(fw.parse(text)))
    assert reference.diagnose(0.0, [], [0.0], reference.held(0.0, 1.0, [0.0])) is None


def test_trees_can_be_built_by_hand() -> None:
    tree: Expr = Binary("+", Unary("-", Name("x")), Call("max", (Number(2.0), Name("x"))))
    assert evaluate(tree, {"x": 5.0}) == 0.0
