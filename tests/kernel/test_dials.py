"""Dials: at rest they change nothing, turned they do what they say, and the adjoint knows how much."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import flywheel as fw
from flywheel.errors import UnknownNameError, UsageError
from flywheel.kernel import dials
from flywheel.kernel.system import System
from flywheel.solve.batch import Batch
from flywheel.solve.plan import plan_for
from flywheel.solve.smoothness import event_inputs
from flywheel.solve.study import Study
from flywheel.structure import links

Array = NDArray[np.float64]

TOY = """model toy "A flywheel with four stocks"
time 0 to 20 step 1/8 save 1/4
param talk = 0.35
param pull = 0.25
param churn = 0.15
param town = 2000
param list_price = 10
param unit_cost = 6
param learning = 0.12
param share = 0.5
param build = 1.5
param wear = 0.08
param patience = 0.75
param sellers0 = 20
param joining = 0.3
param going = 0.1
stock customers = 100 gains coming loses leaving
stock sellers = sellers0 gains signing loses quitting
stock capacity = 160 gains building loses wearing
stock experience = 50 gains sales
flow coming = (talk * customers + pull * sellers) * (1 - customers / town) * freshness
flow leaving = churn * customers * price / list_price
flow signing = joining * customers / 10 * sellers / (sellers + 40)
flow quitting = going * sellers
flow building = max(customers * 1.2 - capacity, 0) / build + 0.05 * capacity
flow wearing = wear * capacity
flow sales = smin(customers * 1.2, capacity)
aux cost = unit_cost * (1 + experience / 50) ^ -learning
aux price = list_price - share * (unit_cost - cost)
aux load = smooth(customers * 1.2 / capacity, patience)
table freshness of load = (0.6, 1.15) (0.8, 1) (1.1, 0.8) (1.5, 0.4)
outcome profit = total sales * (price - cost) discount 5%
"""
LINKS = (
    ("sellers", "coming"),
    ("price", "leaving"),
    ("experience", "cost"),
    ("freshness", "coming"),
)
ABSENT = (
    ("sellers", "price"),
    ("load", "price"),
    ("experience", "signing"),
    ("customers", "building"),
    ("capacity", "coming"),
    ("price", "signing"),
    ("sales", "leaving"),
    ("cost", "building"),
)


@pytest.fixture(scope="module")
def toy() -> Study:
    return Study(fw.parse(TOY), "profit", [5.0, 20.0])


def scales(study: Study, sources: set[str]) -> dict[str, tuple[float, float, float, float]]:
    """Mean, standard deviation, smoothing time and first value."""
    columns = {name: study.column(name) for name in sources}
    return {
        name: (float(c.mean()), float(c.std()), 1.5, float(c[0])) for name, c in columns.items()
    }


def everything(study: Study) -> Study:
    dialled = study.dialled(LINKS).raised(["freshness"]).scaled(["sales", "price"])
    return dialled.seeing(ABSENT, scales(study, {source for source, _ in ABSENT}))


def differences(study: Study, names: list[str], h: float) -> Array:
    """Central differences of the outcomes to inputs, shape (horizons, inputs)."""
    base = np.array([study.base(n) if n in study.model.params else 0.0 for n in names])
    step = np.diag(h * np.where(base == 0.0, 1.0, np.abs(base)))
    found = study.run(names, np.concatenate([base + step, base - step])).outcomes
    half = len(names)
    return (found[:half] - found[half:]).T / (2.0 * step.diagonal())


# At rest ----------------------------------------------------------------------------------------


def values(system: System, study: Study) -> Array:
    batch = Batch(system, study.method, study.grid)
    return batch.values(study.extended(system)[np.newaxis], study.plan.visible)[0]


EXACT: dict[str, Callable[[Study], System]] = {
    "push": lambda s: dials.push(s.system, tuple(s.model.params), 3),
    "shift": lambda s: dials.shift(s.plan.system, tuple(s.model.stocks)),
    "scale": lambda s: dials.scale(s.system, s.plan.visible),
    "bins": lambda s: dials.bins(s.system),
}


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_dials_at_rest_change_no_bit(kind: str, method: str) -> None:
    for model in (fw.parse(TOY), fw.load("core_flywheel")):
        study = Study(model, next(iter(model.outcomes)), method=method)
        system = EXACT[kind](study)
        assert len(system.inputs) > len(study.plan.system.inputs)
        plain = study.baseline[:, : len(study.plan.visible)]
        np.testing.assert_array_equal(values(system, study), plain)


@pytest.mark.parametrize("name", [n for n in fw.model_names() if n != "amazon"])
def test_every_link_at_rest_changes_no_more_than_rounding(name: str) -> None:
    model = fw.load(name)
    study = Study(model, next(iter(model.outcomes)))
    dialled = study.dialled()
    assert len(dialled.inputs) > len(study.inputs)
    plain = study.baseline[:, : len(study.plan.visible)]
    size = np.maximum(np.abs(plain).max(axis=0), 1e-300)
    assert (np.abs(values(dialled.system, study) - plain) / size).max() < 3e-14


def test_absent_links_at_rest_change_no_bit(toy: Study) -> None:
    seeing = toy.seeing(ABSENT, scales(toy, {source for source, _ in ABSENT}))
    plain = toy.baseline[:, : len(toy.plan.visible)]
    np.testing.assert_array_equal(values(seeing.system, toy), plain)


# Slopes -----------------------------------------------------------------------------------------


def test_adjoint_of_every_kind_of_dial_is_what_differences_say(toy: Study) -> None:
    """14 parameters, 4 link dials, 8 absent links, 5 bins of a table, each to 1e-4 of itself."""
    study = everything(toy)
    kinds = {
        "parameters": list(study.model.params),
        "links": [dials.link_input(*pair) for pair in LINKS],
        "absent": [dials.see_input(*pair) for pair in ABSENT],
        "bins": [dials.bin_input("freshness", n) for n in range(5)],
        "scales": [dials.scale_input(n) for n in ("sales", "price")],
    }
    assert [len(names) for names in kinds.values()] == [14, 4, 8, 5, 2]
    names = [name for group in kinds.values() for name in group]
    found = study.gradient(names)
    assert set(found.method) == {"adjoint"}
    expected = differences(study, names, 2e-5)
    # Only the bin that the run never visits does nothing.
    visited = study.column("load")
    idle = {
        f"freshness@bin:{n}"
        for n, (low, high) in enumerate(
            zip((-9, 0.6, 0.8, 1.1, 1.5), (0.6, 0.8, 1.1, 1.5, 9), strict=True)
        )
        if not ((visited >= low) & (visited < high)).any()
    }
    assert len(idle) <= 2
    for k, name in enumerate(names):
        if name in idle:
            assert (found.values[:, k] == 0.0).all()
        else:
            np.testing.assert_allclose(found.values[:, k], expected[:, k], rtol=1e-4, err_msg=name)
            assert (found.values[:, k] != 0.0).all()


def test_adjoint_of_initial_stocks(toy: Study) -> None:
    stocks = ["customers", "sellers", "capacity", "experience"]
    base = np.array([toy.base(name) for name in stocks])
    step = np.diag(1e-5 * base)
    found = toy.run(stocks, np.concatenate([base + step, base - step])).outcomes
    expected = (found[:4] - found[4:]).T / (2 * step.diagonal())
    np.testing.assert_allclose(toy.gradient(stocks).values, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["core_flywheel", "aws", "marketplace"])
def test_adjoint_of_every_link_of_a_model_of_the_library(name: str) -> None:
    model = fw.load(name)
    study = Study(model, next(iter(model.outcomes))).dialled()
    names = [one for one in study.inputs if "->" in one]
    found = study.gradient(names).values[0]
    expected = differences(study, names, 1e-6)[0]
    assert np.abs(found - expected).max() / np.abs(found).max() < 1e-6


# What they do -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), LINKS)
def test_a_link_at_minus_one_is_the_link_cut_by_hand(toy: Study, source: str, target: str) -> None:
    name = dials.link_input(source, target)
    cut = toy.dialled([(source, target)]).run([name], [[-1.0]])
    line = next(line for line in TOY.splitlines() if line.split()[1:2] == [target])
    held = float(toy.column(source)[0])
    head, rule = line.split("=", 1)
    rule = re.sub(rf"\b{source}\b", f"({held!r})", rule)
    text = TOY.replace(line, f"{head}= {rule}")
    assert text != TOY
    by_hand = Study(fw.parse(text), "profit", [5.0, 20.0])
    np.testing.assert_allclose(cut.outcomes[0], by_hand.value, rtol=1e-12)
    assert (np.abs(cut.outcomes[0] / toy.value - 1) > 1e-4).any()
    for column in toy.model.variables:
        np.testing.assert_allclose(cut.column(column)[0], by_hand.column(column), rtol=1e-10)


def test_a_link_inside_a_delay_is_dialled_too(toy: Study) -> None:
    """What feeds a smooth belongs to the variable whose line it stands on."""
    cut = toy.dialled([("customers", "load")]).run(["customers -> load"], [[-1.0]])
    text = TOY.replace("smooth(customers * 1.2", "smooth(100 * 1.2")
    np.testing.assert_allclose(
        cut.outcomes[0], Study(fw.parse(text), "profit", [5.0, 20.0]).value, rtol=1e-12
    )


def test_a_link_into_a_pipeline_is_dialled_too() -> None:
    text = """model p "p"
time 0 to 8 step 1/4
param k = 0.5
stock s = 2 gains f
aux late = delay_fixed(k * s, 1.5, 3)
flow f = late
outcome end = s at 8
"""
    study = Study(fw.parse(text), "end")
    cut = study.dialled([("s", "late")]).run(["s -> late"], [[-1.0]])
    by_hand = Study(fw.parse(text.replace("k * s", "k * 2")), "end")
    np.testing.assert_allclose(cut.outcomes[0], by_hand.value, rtol=1e-14)
    names = ["s -> late"]
    dialled = study.dialled([("s", "late")])
    np.testing.assert_allclose(
        dialled.gradient(names).values, differences(dialled, names, 1e-5), rtol=1e-7
    )


def test_a_link_reacts_a_tenth_more_strongly(toy: Study) -> None:
    more = toy.dialled([("experience", "cost")]).run(["experience -> cost"], [[0.1]])
    text = TOY.replace("experience / 50)", "(50 + 1.1 * (experience - 50)) / 50)")
    by_hand = Study(fw.parse(text), "profit", [5.0, 20.0])
    np.testing.assert_allclose(more.outcomes[0], by_hand.value, rtol=1e-12)


def test_a_scaled_variable_and_a_raised_table_by_hand(toy: Study) -> None:
    scaled = toy.scaled(["sales"]).run(["sales@scale"], [[0.2]])
    text = TOY.replace(
        "= smin(customers * 1.2, capacity)", "= 1.2 * smin(customers * 1.2, capacity)"
    )
    by_hand = Study(fw.parse(text), "profit", [5.0, 20.0])
    np.testing.assert_allclose(scaled.outcomes[0], by_hand.value, rtol=1e-12)
    names = [dials.bin_input("freshness", n) for n in range(5)]
    raised = toy.raised().run(names, [[0.1] * 5])
    text = TOY.replace("town) * freshness", "town) * 1.1 * freshness")
    by_hand = Study(fw.parse(text), "profit", [5.0, 20.0])
    np.testing.assert_allclose(raised.outcomes[0], by_hand.value, rtol=1e-12)


def test_bins_part_the_line_at_the_points_of_the_table() -> None:
    text = """model b "b"
time 0 to 9 step 1
stock s = 0 gains f
flow f = 1
table t of s = (2, 1) (4, 3) (7, 2)
outcome end = t at 9
"""
    study = Study(fw.parse(text), "end", method="euler").raised()
    names = [f"t@bin:{n}" for n in range(4)]
    rows = np.eye(4) * 0.5
    moved = study.run(names, rows).column("t") / study.column("t")
    assert [np.flatnonzero(row != 1.0).tolist() for row in moved] == [
        [0, 1], [2, 3], [4, 5, 6], [7, 8, 9]
    ]  # fmt: skip


def test_an_absent_link_by_hand(toy: Study) -> None:
    mean, sd, delay, first = 130.0, 40.0, 1.5, 155.0
    seeing = toy.seeing([("capacity", "price")], {"capacity": (mean, sd, delay, first)})
    found = seeing.run(["capacity ~> price"], [[0.03]])
    text = TOY.replace(
        "- share * (unit_cost - cost)",
        f"- share * (unit_cost - cost) + 0.03 * (seen - {mean}) / {sd} * "
        "(list_price - share * (unit_cost - cost))",
    ).replace("aux load", f"aux seen = smooth(capacity, {delay}, {first})\naux load")
    by_hand = Study(fw.parse(text), "profit", [5.0, 20.0])
    np.testing.assert_allclose(found.outcomes[0], by_hand.value, rtol=1e-12)


# In time ----------------------------------------------------------------------------------------


def test_a_push_is_a_timed_scenario() -> None:
    """From one time on, between two, of two parameters in two periods; an event's parameter too."""
    text = TOY + "scenario later: talk = 0.4 from 5, patience = 1 from 5\n"
    text += "scenario between: talk = 0.4 from 5 to 9\n"
    text += (
        "scenario both: talk = 0.4 from 2 to 5, talk = 0.3 from 5 to 9, wear = 0.1 from 5 to 9\n"
    )
    model = fw.parse(text)
    study = Study(model, "profit", [5.0, 20.0])

    def by_hand(name: str) -> Array:
        return Study(model, "profit", [5.0, 20.0], scenario=name).value

    found = study.run(["talk", "patience"], [[0.4, 1.0]], since=5.0)
    np.testing.assert_allclose(found.outcomes[0], by_hand("later"), rtol=1e-13)
    batch, place = study.pushable(("talk", "wear"), 2)
    for name, edges, moves in (
        ("between", (5.0, 9.0, np.inf), ((0.05, 0.0), (0.0, 0.0))),
        ("both", (2.0, 5.0, 9.0), ((0.05, 0.0), (-0.05, 0.02))),
    ):
        row = study.extended(batch.system)
        for n, edge in enumerate(edges):
            row[place[dials.edge_input(n)]] = edge
        for period, (talk, wear) in enumerate(moves):
            row[place[dials.push_input("talk", period)]] = talk
            row[place[dials.push_input("wear", period)]] = wear
        values = batch.values(row[np.newaxis], study.target.columns)
        params = {p: row[place[p]] for p in model.params}
        outcome = study.target.read(values, {k: np.array([v]) for k, v in params.items()})
        np.testing.assert_allclose(outcome[0], by_hand(name), rtol=1e-13)


def test_pushes_keep_what_happened_before_them(toy: Study) -> None:
    pushed = toy.run(["sellers0", "talk"], [[40.0, 0.5]], since=5.0)
    before = toy.times < 5.0
    np.testing.assert_array_equal(
        pushed.column("customers")[0][before], toy.column("customers")[before]
    )
    np.testing.assert_array_equal(pushed.outcomes[0, 0], toy.value[0])
    assert pushed.outcomes[0, 1] > toy.value[1]


def test_dialled_links_exist_and_parameters_are_none(toy: Study) -> None:
    """All links of the structure have a dial, of variables to variables."""
    study = toy.dialled("all")
    names = {name for name in study.inputs if "->" in name}
    assert names == {dials.link_input(a.source, a.target) for a in links(toy.model)}
    assert not event_inputs(study.system)
    assert plan_for(toy.model).system.inputs == tuple(toy.model.params)


def test_dials_that_make_no_sense_are_refused_with_a_sentence(toy: Study) -> None:
    with pytest.raises(UsageError, match="coming does not read wear: there is no link to turn"):
        toy.dialled([("wear", "coming")])
    with pytest.raises(UsageError, match="sellers has no equation"):
        toy.scaled(["sellers"])
    with pytest.raises(UsageError, match="sellers has no equation"):
        toy.seeing([("price", "sellers")], {"price": (1.0, 1.0, 1.0, 1.0)})
    with pytest.raises(UsageError, match="a standard deviation and a smoothing time"):
        toy.seeing([("price", "signing")], {"price": (1.0, 0.0, 1.0, 1.0)})
    with pytest.raises(UnknownNameError, match="freshnes"):
        toy.raised(["freshnes"])
    with pytest.raises(UnknownNameError, match="prise"):
        toy.dialled([("prise", "coming")])
    assert "freshness@bin:0" in toy.raised(["FRESHNESS"]).inputs
