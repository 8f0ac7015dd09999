"""What a run gives back, and what it refuses."""

from __future__ import annotations

import gc
import json
import math
import weakref

import numpy as np
import pytest

import flywheel as fw
from flywheel.errors import UnknownNameError, UsageError
from flywheel.model import Setting
from flywheel.solve import METHODS, simulate
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.plan import plan_for

TEXT = """model shop "A shop"
time 2000 to 2010 [year] step 1/16 save 1/4
param growth [1/year] = 0.1 in 0 .. 0.3 from guess
param Fee = 2
stock customers = 100 gains joining loses leaving bounded 0 .. 150
flow joining = growth * customers
flow leaving = 0.02 * customers
aux revenue = Fee * customers
aux 고객 = customers
scenario boom "A good time": growth = growth * 2 from 2005, fee = fee + 1
outcome customers_2005 = customers at 2005
"""


@pytest.fixture(scope="module")
def model() -> fw.Model:
    return fw.parse(TEXT)


def test_the_numbers_of_a_run(model: fw.Model) -> None:
    run = simulate(model)
    assert run.ok
    assert str(run.status) == "ok"
    assert run.names == ("customers", "joining", "leaving", "revenue", "고객")
    assert run.values.shape == (41, 5)
    assert run.time.tolist() == [2000 + 0.25 * k for k in range(41)]
    assert run["customers"][-1] == pytest.approx(100 * math.exp(0.8), rel=1e-9)
    assert (run["CUSTOMERS"] == run["customers"]).all()
    assert (run["고객"] == run["customers"]).all()
    assert "Revenue" in run
    assert "profit" not in run
    assert (run.method, run.step, run.save, run.seed) == ("rk4", 1 / 16, 1 / 4, 0)
    assert (run.scenario, dict(run.overrides)) == (None, {})
    assert run.params == {"growth": 0.1, "Fee": 2}


def test_numbers_cannot_be_changed(model: fw.Model) -> None:
    run = simulate(model)
    for array in (run["customers"], run.values, run.time):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        run.names = ()  # type: ignore[misc]
    frame = run.frame
    frame.loc[2000.0, "customers"] = -1
    assert run.frame.loc[2000.0, "customers"] == 100


def test_frame(model: fw.Model) -> None:
    run = simulate(model)
    frame = run.frame
    assert list(frame.columns) == list(run.names)
    assert frame.index.name == "time"
    assert (frame["revenue"].to_numpy() == run["revenue"]).all()


def test_unknown_names_are_answered_with_the_nearest(model: fw.Model) -> None:
    run = simulate(model)
    with pytest.raises(UnknownNameError, match="Did you mean 'customers'"):
        run["custmers"]
    with pytest.raises(UnknownNameError, match="Did you mean 'growth'"):
        simulate(model, overrides={"grwth": 1})
    with pytest.raises(UnknownNameError, match="parameter or stock"):
        simulate(model, overrides={"revenue": 1})
    with pytest.raises(UnknownNameError, match="Did you mean 'boom'"):
        simulate(model, scenario="bom")
    with pytest.raises(UsageError, match=r"Did you mean 'rk4[5]?'"):
        simulate(model, method="rk46")
    with pytest.raises(UsageError, match="euler, rk4, rk45, dop853, lsoda, bdf, radau"):
        simulate(model, method="magic")
    with pytest.raises(UnknownNameError, match="outcome"):
        run.outcomes["nothing"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"overrides": {"growth": "0.1"}},
        {"overrides": {"growth": math.nan}},
        {"overrides": {"growth": math.inf}},
        {"overrides": {"growth": None}},
        {"overrides": {"growth": True}},
        {"overrides": {"growth": 1, "GROWTH": 2}},
        {"seed": -1},
        {"seed": 2**64},
        {"seed": 1.5},
        {"seed": True},
        {"seed": "1"},
        {"step": 0},
        {"step": -1},
        {"step": math.nan},
        {"step": 1e-300},
        {"save": 0},
        {"stop": 2000},
        {"stop": 1990},
        {"start": 2010},
        {"stop": "2005"},
        {"deadline": 0},
        {"deadline": math.inf},
        {"max_evaluations": 0},
        {"max_evaluations": 10.5},
        {"rtol": 0},
        {"rtol": 1e-20},
        {"rtol": 1},
        {"atol": -1},
        {"engine": "magic"},
        {"method": 4},
    ],
)
def test_arguments_that_make_no_sense_are_refused(model: fw.Model, wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(UsageError):
        simulate(model, **wrong)


def test_methods_in_any_case(model: fw.Model) -> None:
    assert simulate(model, method="RK45").method == "rk45"
    assert simulate(model, method="Euler").method == "euler"


# The grid ---------------------------------------------------------------------------------------


def test_the_grid_can_be_replaced(model: fw.Model) -> None:
    run = simulate(model, start=2002, stop=2004, step=0.1, save=0.5)
    assert run.time == pytest.approx([2002, 2002.5, 2003, 2003.5, 2004])
    assert run["customers"][0] == 100
    assert (run.step, run.save) == (0.1, 0.5)


def test_a_longer_step_moves_the_saves(model: fw.Model) -> None:
    run = simulate(model, step=0.5)
    assert run.time.tolist() == [2000 + 0.5 * k for k in range(21)]


def test_saves_that_miss_the_steps_are_refused_with_the_nearest(model: fw.Model) -> None:
    with pytest.raises(UsageError, match=r"save=0\.3"):
        simulate(model, step=0.1, save=0.31)
    with pytest.raises(UsageError, match="stop=2010"):
        simulate(model, step=0.25, save=1, stop=2010.25)


def test_decimal_steps_count_as_whole(model: fw.Model) -> None:
    grid = make_grid(model.time, 0.0, 0.3, 0.1, 0.1)
    assert grid == Grid(0.0, 0.1, 3, 1)
    assert (grid.saves, grid.stop) == (4, pytest.approx(0.3))


def test_a_run_that_is_too_long_is_refused_with_the_limit(model: fw.Model) -> None:
    with pytest.raises(UsageError, match="max_evaluations=1,000,000"):
        simulate(model, step=1e-5, save=1)
    with pytest.raises(UsageError, match="max_evaluations=100"):
        simulate(model, max_evaluations=100)
    with pytest.raises(UsageError, match="2 GiB"):
        simulate(model, step=2.0**-24, save=2.0**-24, max_evaluations=10**12)


# What differs from the model --------------------------------------------------------------------


def test_overrides_set_parameters_and_initial_values(model: fw.Model) -> None:
    run = simulate(model, overrides={"GROWTH": 0.02, "Customers": 50})
    assert run["customers"] == pytest.approx(np.full(41, 50))
    assert dict(run.overrides) == {"growth": 0.02, "customers": 50}
    assert run.params["growth"] == 0.02
    assert simulate(model)["customers"][0] == 100


def test_a_scenario_reads_the_parameters_it_starts_from(model: fw.Model) -> None:
    run = simulate(model, scenario="BOOM")
    assert run.scenario == "boom"
    assert run["customers"][20] == pytest.approx(100 * math.exp(0.4), rel=1e-9)
    assert run["customers"][-1] == pytest.approx(100 * math.exp(0.4 + 0.9), rel=1e-8)
    assert run["revenue"] == pytest.approx(3 * run["customers"])


def test_overrides_speak_louder_than_a_scenario(model: fw.Model) -> None:
    run = simulate(model, scenario="boom", overrides={"fee": 10, "growth": 0.03})
    assert run["revenue"] == pytest.approx(10 * run["customers"])
    # The scenario doubles what it finds: 0.03 until 2005, 0.06 after.
    assert run["customers"][-1] == pytest.approx(100 * math.exp(0.05 + 0.2), rel=1e-8)


def test_settings_come_last(model: fw.Model) -> None:
    from flywheel.language import parse_expression

    def setting(
        name: str, text: str, since: float | None = None, until: float | None = None
    ) -> Setting:
        return Setting(name, parse_expression(text, model), since, until)

    forced = simulate(model, overrides={"fee": 5}, settings=(setting("fee", "fee * 1000"),))
    assert forced["revenue"][0] == 5 * 1000 * 100
    window = simulate(model, settings=(setting("growth", "0.02", 2002, 2004),))
    assert window["customers"][-1] == pytest.approx(100 * math.exp(0.08 * 8), rel=1e-8)
    twice = (setting("GROWTH", "0.02", 2002), setting("growth", "0.12", 2005))
    later = simulate(model, settings=twice)
    assert later["customers"][-1] == pytest.approx(100 * math.exp(0.16 + 0 + 0.5), rel=1e-8)
    start = simulate(model, settings=(setting("customers", "10 * fee"),))
    assert start["customers"][0] == 20
    with pytest.raises(UsageError, match="stock"):
        simulate(model, settings=(setting("customers", "10", 2002),))
    with pytest.raises(UnknownNameError):
        simulate(model, settings=(setting("nothing", "10"),))
    with pytest.raises(UsageError, match="revenue"):
        simulate(model, settings=(setting("fee", "revenue"),))


@pytest.mark.parametrize("method", METHODS)
def test_a_run_leaves_the_model_alone(model: fw.Model, method: str) -> None:
    before = simulate(model, method=method).values
    simulate(model, method=method, scenario="boom", overrides={"growth": 0.3, "customers": 1})
    assert (simulate(model, method=method).values == before).all()


# Trust ------------------------------------------------------------------------------------------


def test_error_is_the_change_that_half_the_step_makes(model: fw.Model) -> None:
    for method, low, high in [("euler", 1e-3, 1e-2), ("rk4", 1e-12, 1e-8)]:
        run = simulate(model, method=method)
        finer = simulate(model, method=method, step=1 / 32)
        error = run.error
        assert error is run.error
        assert low < error.size < high
        change = np.abs(run[error.variable] - finer[error.variable]).max()
        assert error.size == pytest.approx(change / np.ptp(run[error.variable]))
        assert set(error.by_variable) == set(run.names)
        assert max(error.by_variable.values()) == error.size
        assert error.variable in str(error)


def test_error_keeps_what_was_asked_for(model: fw.Model) -> None:
    run = simulate(
        model, method="euler", scenario="boom", overrides={"growth": 0.2}, start=2001, stop=2009
    )
    finer = simulate(
        model,
        method="euler",
        scenario="boom",
        overrides={"growth": 0.2},
        start=2001,
        stop=2009,
        step=1 / 32,
        save=1 / 4,
    )
    name = run.error.variable
    change = np.abs(run[name] - finer[name]).max() / np.ptp(run[name])
    assert run.error.size == pytest.approx(change)


def test_error_of_an_adaptive_run(model: fw.Model) -> None:
    assert 0 < simulate(model, method="rk45", rtol=1e-4, atol=1e-4).error.size < 1e-3
    assert simulate(model, method="dop853").error.size < 1e-6


def test_error_of_a_constant_is_not_made_of_rounding() -> None:
    text = (
        "model c\ntime 0 to 10 step 1/10 save 1/10\nstock a = 1 loses f\nstock b = 2 gains f\n"
        "flow f = 0.3 * a\naux total = a + b\n"
    )
    assert simulate(fw.parse(text)).error.by_variable["total"] < 1e-5


def test_error_of_a_failed_run_is_no_number() -> None:
    text = "model c\ntime 0 to 4 step 1/4 save 1/4\nstock a = 1 gains f\nflow f = a ^ 3\n"
    assert math.isnan(simulate(fw.parse(text)).error.size)


def test_noise_is_the_same_for_half_the_step() -> None:
    text = "model n\ntime 0 to 10 step 1/4 save 1/4\nstock a = 0 gains f\nflow f = noise(0, 1)\n"
    run = simulate(fw.parse(text))
    assert run.error.size < 1e-12


def test_a_stock_outside_its_bounds_is_told(model: fw.Model) -> None:
    run = simulate(model)
    (finding,) = run.warnings
    assert finding.code == "stock-out-of-bounds"
    assert finding.severity == "warning"
    assert "customers goes above its bound 150 at time 2005.25" in finding.message
    assert finding.span is not None
    assert finding.span.text == "customers"
    assert simulate(model, overrides={"growth": 0.02}).warnings == ()
    below = simulate(model, overrides={"customers": -3, "growth": 0.02}).warnings
    assert "below its bound 0" in below[0].message


def test_receipt(model: fw.Model) -> None:
    run = simulate(model, scenario="boom", overrides={"fee": 3}, seed=7, method="bdf")
    receipt = run.receipt()
    assert json.loads(json.dumps(receipt)) == receipt
    assert receipt["model_hash"] == model.hash
    assert (receipt["method"], receipt["engine"], receipt["seed"]) == ("bdf", "scipy", 7)
    assert (receipt["scenario"], receipt["overrides"]) == ("boom", {"Fee": 3})
    assert {"python", "flywheel", "numpy", "scipy", "llvmlite"} <= set(run.versions)
    assert "shop" in repr(run)
    assert "boom" in repr(run)


def test_plans_are_shared_and_let_their_model_go() -> None:
    model = fw.parse(TEXT)
    assert plan_for(model) is plan_for(model)
    simulate(model, overrides={"growth": 0.3})
    simulate(model, scenario="boom")
    gone = weakref.ref(model)
    run = simulate(model)
    del model
    gc.collect()
    assert run.model.name == "shop"
    del run
    gc.collect()
    assert gone() is None


def test_equal_models_keep_their_own_lines() -> None:
    text = "model f\ntime 0 to 1 step 1 save 1\naux x = 1 / 0\n"
    first, second = fw.parse(text, name="a.fly"), fw.parse("# a comment\n" + text, name="b.fly")
    assert first == second
    assert "a.fly:3" in simulate(first).status.message
    assert "b.fly:4" in simulate(second).status.message
