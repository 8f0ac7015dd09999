"""Machine code against the oracle on random models, every operator inside every other."""

from __future__ import annotations

import random

import numpy as np
import pytest

from flywheel.expr import Binary, Call, Expr, Name, Number
from flywheel.expr import Unary as UnaryNode
from flywheel.kernel.expand import expand
from flywheel.model import Aux, Model, Param, Stock, Time
from tests.kernel.compare import by_kernel, by_reference, compare, shaken
from tests.kernel.random_models import BINARY, LOGIC, PAIRS, UNARY, model


def check(seed: int) -> tuple[int, int]:
    """How many numbers of a random model agreed, and how many could not be judged."""
    system = expand(model(seed))
    rng = random.Random(seed)
    method = "rk4" if seed % 2 else "euler"
    inputs = np.array(system.defaults) * np.linspace(0.9, 1.1, 3)[:, None]
    plan = {"step": 0.125, "steps": 16, "every": 2, "seed": seed}
    found = compare(
        by_kernel(system, inputs, method, **plan),
        by_reference(system, inputs, method, **plan),
        [by_reference(other, inputs, method, **plan) for other in shaken(system, rng)],
        system.visible,
    )
    assert found.worst <= 1, f"model {seed}: {found}"
    return found.compared, found.blurred


@pytest.mark.parametrize("block", range(8))
def test_kernel_equals_oracle(block: int) -> None:
    found = [check(seed) for seed in range(25 * block, 25 * block + 25)]
    compared, blurred = (sum(column) for column in zip(*found, strict=True))
    assert compared > 5_000
    assert blurred < compared / 100


@pytest.mark.slow
@pytest.mark.parametrize("block", range(50))
def test_kernel_equals_oracle_on_thousands(block: int) -> None:
    for seed in range(10_000 + 100 * block, 10_000 + 100 * block + 100):
        check(seed)


SHAPES: dict[str, object] = {
    **{name: (lambda e, name=name: Call(name, (e,))) for name in UNARY},
    **{name: (lambda e, name=name: Call(name, (e, Name("q")))) for name in PAIRS},
    **{f"{name} right": (lambda e, name=name: Call(name, (Name("q"), e))) for name in PAIRS},
    **{op: (lambda e, op=op: Binary(op, e, Name("q"))) for op in (*BINARY, *LOGIC)},
    **{f"{op} right": (lambda e, op=op: Binary(op, Name("q"), e)) for op in (*BINARY, *LOGIC)},
    "minus": lambda e: UnaryNode("-", e),
    "not": lambda e: UnaryNode("not", e),
    "if": lambda e: Call("if", (e, Name("q"), Number(0.25))),
    "then": lambda e: Call("if", (Name("q"), e, Number(0.25))),
    "else": lambda e: Call("if", (Number(0.0), Name("q"), e)),
    "square": lambda e: Binary("^", e, Number(2.0)),
    "inverse cube": lambda e: Binary("^", e, Number(-3.0)),
}
POINTS = (-0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.7, -2.3, 40.0, 1e-9, 1e5, -1e5, 710.5, 1e300)


@pytest.mark.parametrize("outer", SHAPES)
def test_every_operator_inside_every_other(outer: str) -> None:
    """outer(inner(x)) for all inner operators at once, at ordinary and extreme points."""
    build = SHAPES[outer]
    declared: list[object] = [Param(name="x", value=0.0), Param(name="q", value=0.0)]
    declared.append(Stock(name="s", initial=Number(1.0)))
    for n, inner in enumerate(SHAPES.values()):
        equation: Expr = build(inner(Name("x")))  # type: ignore[operator]
        declared.append(Aux(name=f"y{n}", equation=equation))
    tested = Model(name="nest", time=Time(0.0, 1.0, 1.0, 1.0), declarations=tuple(declared))  # type: ignore[arg-type]
    system = expand(tested)
    pairs = [(x, q) for x in POINTS for q in (-2.5, 0.0, 3.0, 0.7)]
    inputs = np.array(pairs)
    rng = random.Random(1)
    plan = {"step": 1.0, "steps": 1, "every": 1, "seed": 0}
    kernel = by_kernel(system, inputs, "rk4", **plan)
    oracle = by_reference(system, inputs, "rk4", **plan)
    others = [by_reference(other, inputs, "rk4", **plan) for other in shaken(system, rng)]
    for member in range(len(pairs)):
        # Member by member: 1e300 in one must not excuse errors in another.
        one = slice(member, member + 1)
        found = compare(kernel[one], oracle[one], [o[one] for o in others], system.visible)
        assert found.worst <= 1, (outer, list(SHAPES)[int(found.variable[1:])], pairs[member])
