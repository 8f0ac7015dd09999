"""Plans and bundles drawn: cells are intensities and synergies, money and shares beside them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from flywheel.analysis.decide.allocate import allocate
from flywheel.analysis.decide.allocation import Allocation
from flywheel.analysis.levers.synergy import Synergy
from flywheel.analysis.levers.synergy import synergy as together
from flywheel.figures.allocation import allocation
from flywheel.figures.numbers import rounded
from flywheel.figures.synergy import synergy
from tests.figures.tables import noted, study, traces, words


@cache
def plan() -> Allocation:
    return allocate(study(), 10.0, periods=2, starts=1)


@cache
def bundle() -> Synergy:
    return together(study())


def test_the_plan_is_a_matrix_ordered_by_what_is_spent() -> None:
    table = plan()
    figure = allocation(table)
    order = np.argsort(-table.spent.sum(axis=1), kind="stable")
    (heat,) = traces(figure, "intensity")
    np.testing.assert_allclose(
        np.array(heat.z, dtype=float), np.where(table.available, table.intensity, np.nan)[order]
    )
    total = float(table.spent[order[0]].sum())
    assert noted(figure, "total")[0] == f"<b>{rounded(total)}</b>"
    said = words(figure)
    assert f"one more unit of budget adds {rounded(float(table.shadow_price.max()))} USD" in said
    assert "10 years from 2000" in said
    assert "starts agree" in said
    assert "예산이 1 늘면" in words(allocation(table, language="ko", dark=True))


def test_cells_before_a_levers_time_are_empty() -> None:
    blocked = plan().available.copy()
    blocked[0, 0] = False
    table = replace(plan(), available=blocked)
    (heat,) = traces(allocation(table), "intensity")
    row = list(np.argsort(-table.spent.sum(axis=1), kind="stable")).index(0)
    assert heat.z[row][0] is None
    assert "cannot be pulled yet" in heat.customdata[row][0]


def test_plans_that_failed_or_spend_nothing_say_so() -> None:
    lost = allocation(replace(plan(), reason="a run <failed>"))
    assert "a run &lt;failed&gt;" in noted(lost, "empty")[0]
    saved = allocation(replace(plan(), spent=np.zeros_like(plan().spent)))
    assert "Spending nothing is best" in noted(saved, "empty")[0]
    doubted = words(allocation(replace(plan(), gradient_error=0.5)))
    assert "do not trust this plan" in doubted


def test_pairs_stand_off_the_diagonal_and_shares_beside() -> None:
    table = bundle()
    figure = synergy(table, unit="USD")
    order = np.argsort(-np.abs(table.shapley[-1]), kind="stable")
    (heat,) = traces(figure, "pairs")
    drawn = np.array(heat.z, dtype=float)
    assert np.isnan(np.diag(drawn)).all()
    wanted = table.pairs[-1][np.ix_(order, order)]
    off = ~np.eye(len(order), dtype=bool)
    np.testing.assert_allclose(drawn[off], wanted[off])
    assert heat.zmin == -heat.zmax
    assert noted(figure, "shapley")[0] == f"<b>{rounded(float(table.shapley[-1, order[0]]), 2)}</b>"
    assert "all 8 bundles" in words(figure)
    assert "on the diagonal: alone" in words(figure)
    (early,) = traces(synergy(table, horizon=0), "pairs")
    assert not np.allclose(np.array(early.z, dtype=float)[off], drawn[off])
    assert "수입 합계" in words(synergy(table, language="ko"))


def test_many_levers_have_signs_for_numbers_and_the_largest_pairs_below() -> None:
    table = bundle()
    again = [replace(lever, name=f"{lever.name}_again") for lever in table.levers]
    six = replace(
        table, levers=(*table.levers, *again), alone=np.tile(table.alone, 2),
        shapley=np.tile(table.shapley, 2), half_width=np.full((2, 6), 0.5),
        pairs=np.tile(table.pairs, (1, 2, 2)), order=np.tile(table.order, (1, 2, 2)),
    )  # fmt: skip
    figure = synergy(six, top=5)
    assert set(noted(figure, "cell")) <= {"+", "−"}
    assert "1 smaller one is left out" in words(figure)
    assert " + " in noted(figure, "key")[0]
    assert "±" in noted(figure, "shapley")[0], "sampled shares have an interval"


def test_one_lever_has_no_partner() -> None:
    assert noted(synergy(together(study(), ["dearer"])), "empty")
