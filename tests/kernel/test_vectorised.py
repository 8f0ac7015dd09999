"""Arrays compute what the reference computes one number at a time, and slopes are slopes."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.loops.trajectory import along, trajectory
from flywheel.expr import Binary, Call, Expr, Name, Number
from flywheel.kernel import vectorised
from flywheel.kernel.derivative import reverse
from flywheel.kernel.ir import Graph, expression
from flywheel.kernel.reference import Reference, evaluate
from flywheel.kernel.system import Lookup
from flywheel.solve.grid import make_grid
from flywheel.solve.plan import plan_for
from tests.kernel import random_models

TABLE = Lookup("table", (-1.0, 0.5, 2.0), (3.0, -1.0, 4.0))
LOOKUPS = {"table": (TABLE.xs, TABLE.ys, False)}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e300, -1e-300, math.inf, -math.inf, math.nan)


def by_arrays(expr: Expr, values: dict[str, np.ndarray]) -> np.ndarray:
    graph = Graph()
    leaves = {name: graph.intern("state", (), n) for n, name in enumerate(values)}
    root = expression(graph, expr, leaves.__getitem__, LOOKUPS)
    memory = {leaves[name]: value for name, value in values.items()}
    order = vectorised.schedule(graph, [root], leaves.values())
    vectorised.compute(graph, order, memory, LOOKUPS)
    length = max(len(v) for v in values.values())
    return np.broadcast_to(memory[root], (length,))


def test_random_expressions_are_those_of_the_reference() -> None:
    rng = random.Random(11)
    for _ in range(400):
        expr = random_models.expression(rng, ["x", "y"], 4)
        x = np.array([rng.uniform(-4, 4) for _ in range(20)])
        y = np.array([rng.uniform(-4, 4) for _ in range(20)])
        found = by_arrays(expr, {"x": x, "y": y})
        wanted = [
            evaluate(expr, {"x": a, "y": b}, {"table": TABLE})
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=str(expr))


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "^", "<", ">=", "==", "!=", "and", "or"])
def test_operators_treat_special_numbers_as_the_reference_does(op: str) -> None:
    pairs = [(a, b) for a in SPECIAL for b in SPECIAL]
    expr = Binary(op, Name("x"), Name("y"))  # type: ignore[arg-type]
    found = by_arrays(
        expr, {"x": np.array([a for a, _ in pairs]), "y": np.array([b for _, b in pairs])}
    )
    wanted = [evaluate(expr, {"x": a, "y": b}) for a, b in pairs]
    np.testing.assert_allclose(found, wanted, rtol=1e-15)


@pytest.mark.parametrize(
    "function",
    ["abs", "sqrt", "exp", "ln", "log10", "sin", "cos", "tan", "tanh", "round", "floor", "table"],
)
def test_functions_treat_special_numbers_as_the_reference_does(function: str) -> None:
    expr = Call(function, (Name("x"),))
    xs = np.array([*SPECIAL, 0.75, 2.5, 3.5, -0.5])
    wanted = [evaluate(expr, {"x": x}, {"table": TABLE}) for x in xs.tolist()]
    np.testing.assert_allclose(by_arrays(expr, {"x": xs}), wanted, rtol=1e-14)


@pytest.mark.parametrize("function", ["min", "max", "smin", "smax"])
def test_pairs_treat_special_numbers_as_the_reference_does(function: str) -> None:
    finite = [x for x in SPECIAL if not math.isinf(x)]
    pairs = [(a, b) for a in finite for b in finite]
    expr = Call(function, (Name("x"), Name("y")))
    found = by_arrays(
        expr, {"x": np.array([a for a, _ in pairs]), "y": np.array([b for _, b in pairs])}
    )
    wanted = [evaluate(expr, {"x": a, "y": b}) for a, b in pairs]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_choice_carries_an_unknown_condition() -> None:
    expr = Call("if", (Name("x"), Number(1.0), Number(2.0)))
    found = by_arrays(expr, {"x": np.array([0.0, -1.0, math.nan])})
    np.testing.assert_array_equal(found, [2.0, 1.0, math.nan])


def test_slopes_are_differences_in_the_limit() -> None:
    """Away from corners, of expressions that are smooth where they are."""
    rng = random.Random(12)
    smooth = ("sin", "cos", "tanh", "exp", "table")
    for _ in range(200):
        inner = random_models.expression(rng, ["x", "y"], 2, tame=True)
        product = Binary("*", Call(rng.choice(smooth), (Name("x"),)), Name("y"))
        expr = Binary("+", Binary("/", product, Number(3.0)), inner)
        graph = Graph()
        leaves = {"x": graph.intern("state", (), 0), "y": graph.intern("state", (), 1)}
        root = expression(graph, expr, leaves.__getitem__, LOOKUPS)
        slopes = reverse(graph, {root: graph.const(1.0)}, leaves.values())
        order = vectorised.schedule(graph, [root, *slopes.values()], leaves.values())
        x, y = np.array([rng.uniform(0.1, 2) for _ in range(2)])

        def value(a: float, b: float, expr: Expr = expr) -> float:
            return evaluate(expr, {"x": a, "y": b}, {"table": TABLE})

        memory = {leaves["x"]: np.array([x]), leaves["y"]: np.array([y])}
        vectorised.compute(graph, order, memory, LOOKUPS)
        h = 1e-6
        for name, ahead, behind in (
            ("x", value(x + h, y), value(x - h, y)),
            ("y", value(x, y + h), value(x, y - h)),
        ):
            left = (value(x, y) - behind) / h
            right = (ahead - value(x, y)) / h
            if abs(left - right) > 1e-3 * max(1.0, abs(left)):
                continue  # a corner or a jump within h
            node = slopes.get(leaves[name])
            found = 0.0 if node is None else float(np.ravel(memory[node])[0])
            assert found == pytest.approx((left + right) / 2, rel=1e-4, abs=1e-4), expr


def test_a_leaf_without_a_value_is_named() -> None:
    graph = Graph()
    root = graph.add("exp", graph.intern("state", (), 3))
    with pytest.raises(KeyError, match="state 3"):
        vectorised.compute(graph, vectorised.schedule(graph, [root]), {}, {})


@pytest.mark.parametrize("seed", range(12))
def test_whole_trajectories_are_those_of_the_reference(seed: int) -> None:
    """Delays, events, tables, data, a pipeline and noise: every node at every step."""
    model = random_models.model(seed)
    plan = plan_for(model)
    grid = make_grid(model.time)
    reference = Reference(plan.system)
    inputs = list(plan.system.defaults)
    moments = list(
        reference.moments(
            inputs, method="rk4", start=grid.start, step=grid.step, steps=grid.steps, seed=seed
        )
    )
    values = np.array([[row[reference.position[name]] for name in plan.columns] for row in moments])
    path = along(plan, grid, np.array(inputs), values, "rk4", seed)
    wanted = np.array(moments)[: len(path.times)]
    for name in path.structure.nodes:
        if name.endswith("@rate"):
            continue
        column = wanted[:, reference.position[name]]
        np.testing.assert_allclose(path.value(name), column, rtol=1e-9, atol=1e-9, err_msg=name)
    slopes = path.partials
    assert slopes.shape == (len(path.structure.links), len(path.times))


def test_a_trajectory_is_run_with_its_seed_and_method() -> None:
    model = fw.parse("""model m
time 0 to 4 step 1/4
stock s = 1 gains f
flow f = s * noise(0.1, 0.3)
""")
    one, other = trajectory(model, method="euler"), trajectory(model, method="euler", seed=5)
    again = trajectory(model, method="euler")
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    np.testing.assert_allclose(one.value("s"), model.run(method="euler")["s"], rtol=1e-12)
    assert not np.array_equal(one.values, trajectory(model).values)
