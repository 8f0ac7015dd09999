"""Machine code and the oracle agree; large systems answer at once and change over."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest

import flywheel as fw
from flywheel.solve import engines, simulate
from flywheel.solve.engines import ReferenceEngine, Upgrading, fixed_engine
from flywheel.solve.plan import plan_for

TEXT = """model e
time 0 to 10 step 1/8 save 1/2
param r = 0.3
stock S = 1 gains f
flow f = r * S * (1 - S / 20) + step(0.5, 3) + 0.1 * noise(0, 1)
aux late = delay_fixed(S, 1.5, 0)
aux slow = smooth3(S, 2)
outcome t = total S
"""


def large(blocks: int) -> fw.Model:
    lines = ["model large", "time 0 to 4 step 1/8 save 1/2"]
    for n in range(blocks):
        lines.append(f"stock s{n} = {n + 1} gains f{n}")
        lines.append(f"flow f{n} = sin(s{n} + {n}) * exp(-s{n} * 0.{n + 1}) - s{n} / {n + 3}")
    return fw.parse("\n".join(lines) + "\n")


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_machine_code_is_the_oracle(method: str) -> None:
    model = fw.parse(TEXT)
    fast = simulate(model, method=method, engine="llvm")
    slow = simulate(model, method=method, engine="reference")
    assert (fast.engine, slow.engine) == ("llvm", "reference")
    scale = np.ptp(slow.values, axis=0)
    assert (np.abs(fast.values - slow.values) <= 1e-12 * scale).all()
    assert fast.outcomes["t"] == pytest.approx(slow.outcomes["t"], rel=1e-12)


@pytest.mark.parametrize("engine", ["llvm", "reference"])
def test_a_batch_is_its_members(engine: str) -> None:
    """The numbers of a member do not depend on how many others run beside it."""
    model = fw.parse(TEXT)
    plan = plan_for(model)
    made = plan.engine("rk4", engine)
    inputs = np.repeat(plan.defaults[np.newaxis], 19, axis=0)
    inputs[:, plan.input_position["r"]] = np.linspace(0.1, 0.5, 19)
    together = made.run(inputs, plan.grid, seed=3).values
    assert together.shape == (19, 21, len(plan.columns))
    for member in (0, 7, 8, 18):
        alone = made.run(inputs[[member]], plan.grid, seed=3, first_member=member).values
        assert (alone[0] == together[member]).all()
    halves = [
        made.run(inputs[a:b], plan.grid, seed=3, first_member=a).values
        for a, b in ((0, 5), (5, 19))
    ]
    assert (np.concatenate(halves) == together).all()
    run = simulate(model, overrides={"r": 0.1}, seed=3, engine=engine)
    assert (run.values == together[0][:, : len(run.names)]).all()


def test_a_large_system_answers_before_it_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Workshop:
        def submit(self, make, *args):  # type: ignore[no-untyped-def]
            self.make = lambda: make(*args)
            self.future: Future = Future()  # type: ignore[type-arg]
            return self.future

    workshop = Workshop()
    monkeypatch.setattr(engines, "workshop", lambda: workshop)
    model = large(90)
    first = simulate(model)
    assert first.engine == "reference"
    assert simulate(model).engine == "reference"
    workshop.future.set_result(workshop.make())
    second = simulate(model)
    assert second.engine == "llvm"
    assert second.values == pytest.approx(first.values, rel=1e-11)
    # Once compiled, a model with the same equations needs no detour.
    assert simulate(large(90)).engine == "llvm"


def test_a_system_that_cannot_be_compiled_stays_with_the_oracle_and_says_so() -> None:
    plan = plan_for(fw.parse(TEXT))
    slow = ReferenceEngine(plan.system, plan.columns, "rk4")
    failed: Future = Future()  # type: ignore[type-arg]
    failed.set_exception(RuntimeError("no code"))
    engine = Upgrading(slow, failed)
    with pytest.warns(RuntimeWarning, match="no code"):
        assert engine.name == "reference"
    assert engine.run(plan.defaults[np.newaxis], plan.grid).values.shape[0] == 1


def test_without_a_compiler_the_oracle_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "has_compiler", lambda: False)
    run = simulate(fw.parse(TEXT))
    assert run.engine == "reference"
    assert run.ok


def test_other_numbers_need_no_other_code() -> None:
    model = fw.parse(TEXT)
    plan = plan_for(model)
    other = plan_for(model.with_(r=0.1))
    assert plan.engine("rk4")._kernel is other.engine("rk4")._kernel  # type: ignore[attr-defined]
    found = fixed_engine(plan.system, plan.columns, "rk4")
    assert found._kernel is plan.engine("rk4")._kernel  # type: ignore[attr-defined]
