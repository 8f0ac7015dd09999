"""Modules unfolded: names, bindings, overrides, switches, and the numbers that follow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from flywheel.declarations import Binding, Module, Override, Use
from flywheel.errors import UnknownNameError, UsageError
from flywheel.expr import Binary, Call, Expr, Name, Number
from flywheel.model import (
    Aux,
    Check,
    Flow,
    Lever,
    Loop,
    Model,
    Observe,
    Outcome,
    Param,
    Scenario,
    Setting,
    Stock,
    Time,
)
from flywheel.solve import simulate

TIME = Time(0.0, 8.0, 0.125, 0.5)


def times(a: Expr, b: Expr) -> Expr:
    return Binary("*", a, b)


def ads_module() -> Module:
    """Traffic grows by itself; advertisers follow it with a delay."""
    return Module(
        "advertising",
        TIME,
        (
            Param(name="growth", value=0.2),
            Stock(name="traffic", initial=Number(10.0), gains=("arriving",)),
            Flow(name="arriving", equation=times(Name("growth"), Name("traffic"))),
            Param(name="tau", value=1.5),
            Aux(name="advertisers", equation=Call("smooth", (Name("traffic"), Name("tau")))),
            Aux(
                name="effect",
                equation=Binary("/", Number(1.0), Binary("+", Number(1.0), Name("advertisers"))),
            ),
            Loop(name="R1", path=("traffic", "arriving", "traffic")),
            Loop(name="R2", path=("advertisers", "effect", "advertisers")),
            Check(name="fine", claim=Binary(">=", Name("traffic"), Number(0.0))),
            Observe(name="traffic", data="nothing"),
        ),
    )


def host(*overrides: Override, bound: bool = True) -> Model:
    use = Use(
        name="ads",
        model="advertising",
        module=ads_module(),
        bindings=(Binding("traffic", Name("customers")),) if bound else (),
        overrides=overrides,
    )
    return Model(
        name="host",
        time=TIME,
        declarations=(
            Param(name="rate", value=0.3),
            Stock(name="customers", initial=Number(2.0), gains=("joining",)),
            Flow(name="joining", equation=times(Name("rate"), Name("customers"))),
            use,
        ),
    )


def test_names_get_the_prefix_and_bound_ones_read_the_host() -> None:
    model = host()
    assert isinstance(model["ads.traffic"], Aux)
    assert "ads.arriving" not in model  # nothing fills a stock that is bound
    run = simulate(model)
    assert np.array_equal(run["ads.traffic"], run["customers"])
    assert run["ADS.Advertisers"][-1] < run["customers"][-1]


def test_without_bindings_a_module_runs_as_it_does_alone() -> None:
    alone = Model(name="advertising", time=TIME, declarations=ads_module().declarations)
    model = host(bound=False)
    for name in ("traffic", "advertisers", "effect"):
        mine, own = simulate(model)[f"ads.{name}"], simulate(alone)[name]
        assert np.abs(mine - own).max() <= 1e-12 * np.ptp(own)


def test_loops_through_what_is_gone_go_with_it_and_checks_stay_behind() -> None:
    model = host()
    assert list(model.declared_loops) == ["ads.R2"]
    assert not model.checks
    assert not model.observes
    assert list(host(bound=False).declared_loops) == ["ads.R1", "ads.R2"]


def test_levers_and_scenarios_of_what_is_bound_stay_behind() -> None:
    module = ads_module()
    module = dataclasses.replace(
        module,
        declarations=(
            *module.declarations,
            Lever(name="grow", param="growth", by=0.1),
            Lever(name="wait", param="tau", by=0.1),
            Lever(name="wait_late", param="tau", by=0.1, at=20.0),
            Scenario(name="still", settings=(Setting("growth", Number(0.0)),)),
            Scenario(name="slow", settings=(Setting("tau", Number(3.0)),)),
        ),
    )
    use = Use(
        name="ads",
        model="advertising",
        module=module,
        bindings=(Binding("growth", Number(0.1)),),
    )
    model = Model(name="host", time=TIME, declarations=(use,))
    assert list(model.levers) == ["ads.wait"]
    assert list(model.scenarios) == ["ads.slow"]


def test_outcomes_at_times_that_the_host_does_not_run_through_stay_behind() -> None:
    module = dataclasses.replace(
        ads_module(),
        declarations=(
            *ads_module().declarations,
            Outcome(name="ratio", measure="value", expr=Binary("/", Name("late"), Name("soon"))),
            Outcome(name="soon", measure="at", expr=Name("traffic"), at=8.0),
            Outcome(name="late", measure="at", expr=Name("traffic"), at=9.0),
            Outcome(name="whole", measure="total", expr=Name("traffic")),
        ),
    )
    use = Use(name="ads", model="advertising", module=module)
    model = Model(name="host", time=TIME, declarations=(use,))
    assert list(model.outcomes) == ["ads.soon", "ads.whole"]
    longer = dataclasses.replace(model, time=dataclasses.replace(TIME, stop=9.0))
    assert list(longer.outcomes) == ["ads.ratio", "ads.soon", "ads.late", "ads.whole"]


def test_an_override_reads_what_it_replaces_and_can_be_switched_off() -> None:
    slower = Override("joining", times(Name("joining"), Name("ads.effect")))
    model = host(slower)
    plain = simulate(host())["customers"]
    assert simulate(model)["customers"][-1] < plain[-1]
    off = simulate(model, overrides={"ads.on": 0.0})
    assert np.allclose(off["customers"], plain, rtol=1e-14)
    late = simulate(model, settings=(Setting("ads.on", Number(0.0), since=4.0),))
    assert simulate(model)["customers"][-1] < late["customers"][-1] < plain[-1]


def test_overrides_of_the_same_name_build_on_each_other_in_order() -> None:
    twice = Override("joining", times(Name("joining"), Number(2.0)))
    more = Override("joining", Binary("+", Name("joining"), Number(1.0)))
    run = simulate(host(twice, more))
    assert run["joining"][0] == pytest.approx(0.3 * 2 * 2 + 1)


def test_an_overridden_parameter_keeps_its_own_number_for_when_the_module_is_off() -> None:
    model = host(Override("rate", Binary("*", Name("rate"), Number(0.5))))
    assert isinstance(model["rate"], Aux)
    assert isinstance(model["rate.own"], Param)
    assert simulate(model)["joining"][0] == pytest.approx(0.3)
    assert simulate(model, overrides={"rate.own": 0.6})["joining"][0] == pytest.approx(0.6)
    assert simulate(model, overrides={"ads.on": 0.0})["joining"][0] == pytest.approx(0.6)


def test_modules_inside_modules() -> None:
    outer = Module(
        "outer",
        TIME,
        (
            Aux(name="level", equation=Name("in.traffic")),
            Use(name="in", model="advertising", module=ads_module()),
        ),
    )
    model = Model(
        name="nested", time=TIME, declarations=(Use(name="out", model="outer", module=outer),)
    )
    run = simulate(model, overrides={"out.in.growth": 0.0})
    assert run["out.level"][-1] == 10.0
    assert set(model.uses) == {"out", "out.in"}


def test_with_reaches_into_modules_and_the_hash_sees_it() -> None:
    model = host(bound=False)
    changed = model.with_(**{"ads.growth": 0.0, "ads.traffic": 5.0})
    assert simulate(changed)["ads.traffic"][-1] == 5.0
    assert changed.hash != model.hash
    assert model.params["ads.growth"].value == 0.2
    with pytest.raises(UnknownNameError, match=r"ads\.growth"):
        model.with_(**{"ads.grwth": 0.0})
    with pytest.raises(UsageError, match="switch"):
        model.with_(**{"ads.on": 0.0})


def test_a_model_without_modules_is_flat_already() -> None:
    model = host()
    plain = dataclasses.replace(model, declarations=model.declarations[:3])
    assert plain.flat is plain.declarations


def test_two_versions_of_a_rule_are_one_equation_with_a_switch() -> None:
    current, desired = Number(1.0), times(Name("rate"), Name("level"))
    model = Model(
        name="rules",
        time=TIME,
        declarations=(
            Param(name="rate", value=0.5),
            Stock(name="level", initial=Number(4.0), gains=("order",)),
            Flow(name="order", equation=current, desired=desired),
        ),
    )
    assert simulate(model)["order"][0] == 1.0
    assert simulate(model, overrides={"order.desired": 1.0})["order"][0] == 2.0
    late = (Setting("order.desired", Number(1.0), since=4.0),)
    assert list(simulate(model, settings=late)["order"][[0, 7]]) == [1.0, 1.0]
    assert simulate(model, settings=late)["order"][8] == pytest.approx(4.0)


def test_a_module_used_from_a_time_runs_on_its_own_clock_and_rests_before() -> None:
    from_time = (
        Param(name="begin", value=1.0),
        Stock(name="level", initial=Number(3.0), gains=("rise",)),
        Flow(
            name="rise",
            equation=Binary(
                "+",
                Call("step", (Name("time"), Name("begin"))),
                Call("pulse", (Number(2.0), Number(0.5))),
            ),
        ),
        Outcome(name="at_three", measure="at", expr=Name("level"), at=3.0),
        Lever(name="sooner", param="begin", to=Number(0.5), at=0.25),
        Scenario(name="late", settings=(Setting("begin", Number(2.0), since=1.0),)),
    )
    span = Time(0.0, 4.0, 0.125, 0.5)
    alone = simulate(Model(name="alone", time=span, declarations=from_time))
    module = Module("alone", span, from_time)
    use = Use(name="m", model="alone", module=module, since=2013.0)
    model = Model(name="host", time=Time(2010.0, 2017.0, 0.125, 0.5), declarations=(use,))
    run = simulate(model)
    assert (run["m.level"][run.time <= 2013] == 3.0).all()
    assert np.allclose(run["m.level"][6:], alone["level"], rtol=1e-12)
    assert run.outcomes["m.at_three"] == pytest.approx(alone.outcomes["at_three"], rel=1e-12)
    assert model.levers["m.sooner"].at == 2013.25
    assert model.scenarios["m.late"].settings[0].since == 2014.0


def test_a_module_that_starts_later_rests_until_then() -> None:
    module = dataclasses.replace(ads_module(), time=Time(2.0, 8.0, 0.125, 0.5))
    use = Use(name="ads", model="advertising", module=module)
    run = simulate(Model(name="host", time=TIME, declarations=(use,)))
    alone = Model(name="a", time=module.time, declarations=module.declarations)
    assert run["ads.traffic"][4] == 10.0
    assert np.allclose(run["ads.traffic"][4:], simulate(alone)["traffic"], rtol=1e-12)
