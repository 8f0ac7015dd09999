"""The composed whole: its parts as they are alone, its seams, and who misses whom."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import flywheel as fw
from flywheel.api import Model, Run


@cache
def amazon() -> Model:
    return fw.load("amazon")


@cache
def run(scenario: str | None = None) -> Run:
    return amazon().run(scenario=scenario)


def income(scenario: str | None = None) -> float:
    return run(scenario).outcomes["income_2024"]


@pytest.mark.parametrize("name", [n for n in fw.model_names() if n != "amazon"])
def test_a_module_with_nothing_bound_runs_as_it_does_alone(name: str) -> None:
    """Every model of the library, plugged into an empty host: to 1e-12 of each variable's range."""
    alone = fw.load(name)
    time = alone.time
    host = fw.parse(
        f"model host\ntime {time.start!r} to {time.stop!r} [{time.unit}] step {time.step!r} "
        f"save {time.save!r}\nuse {name} as m\n"
    )
    mine, own = host.run(), alone.run()
    for variable in own.names:
        size = max(float(np.ptp(own[variable])), float(np.abs(own[variable]).max()))
        gap = float(np.abs(mine[f"m.{variable}"] - own[variable]).max())
        assert gap <= 1e-12 * size, variable


def test_the_parts_are_the_shop_advertising_computing_and_chips() -> None:
    assert {use.model for use in amazon().uses.values()} == {
        "core_flywheel",
        "advertising",
        "aws",
        "chips",
    }
    assert len(amazon().stocks) == 34


def test_bindings_read_the_host_at_every_time() -> None:
    found = run()
    assert np.array_equal(found["ads.traffic"], found["core.customers"])
    assert np.array_equal(found["chips.fleet"], found["aws.capacity"])
    assert np.allclose(found["total_revenue"], found["core.revenue"] + found["aws.revenue"])


def test_modules_rest_before_they_start() -> None:
    found = run()
    assert (found["aws.workloads"][found.time <= 2006] == found["aws.workloads"][0]).all()
    assert (found["chips.deployed"][found.time <= 2015] == 0).all()
    assert (found["core.advertising"][found.time < 2012] == 0).all()


def test_near_the_reported_figures() -> None:
    """Net sales 107, 386 and 638 billion in 2015, 2020 and 2024; income 69 billion in 2024 (10-K)."""
    outcomes = run().outcomes
    at = list(run().time)
    assert outcomes["revenue_2015"] == pytest.approx(107, rel=0.1)
    assert run()["total_revenue"][at.index(2020.5)] == pytest.approx(386, rel=0.1)
    assert outcomes["revenue_2024"] == pytest.approx(638, rel=0.1)
    assert outcomes["income_2024"] == pytest.approx(69, rel=0.3)


def test_knocking_a_module_out_costs_income() -> None:
    """The order of the knock-outs, not their digits: the structure has changed since they were
    first computed, and the shop of 2024 loses money without what it feeds."""
    whole = income()
    assert income("no_computing") < 0.65 * whole
    assert income("no_advertising") < 0.5 * whole
    assert income("no_marketplace") < 0.5 * whole
    assert 0.85 * whole < income("no_chips") < whole
    assert income("shop_alone") < income("no_computing")


def test_giving_service_income_back_buys_growth_and_costs_income() -> None:
    more = amazon().run(reinvest=0.4)
    assert more.outcomes["revenue_2024"] > run().outcomes["revenue_2024"]
    assert more.outcomes["income_2024"] < income()


def test_a_module_that_is_switched_off_leaves_the_shop_to_itself() -> None:
    """With every module off, and no gifts, the shop is the core model to the last bits."""
    off = amazon().run(overrides={"ads.on": 0, "aws.on": 0, "chips.on": 0})
    alone = fw.load("core_flywheel").run()
    for name in ("customers", "revenue", "operating_income", "price"):
        assert np.allclose(off[f"core.{name}"], alone[name], rtol=1e-11, atol=1e-13)


def test_it_is_fast_and_exact_enough() -> None:
    assert run().engine in ("llvm", "reference")
    assert run().error.size < 0.002
