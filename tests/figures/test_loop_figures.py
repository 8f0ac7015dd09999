"""Loops drawn: shares stack up to all change, ledgers pair what a loop did with what hangs on it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from flywheel.analysis.loops.ledger import LoopLedger, loop_ledger
from flywheel.analysis.loops.matter import LoopsThatMatter
from flywheel.analysis.loops.verdict import Verdict
from flywheel.figures.ledger import ledger
from flywheel.figures.loops import dominance
from flywheel.figures.shades import luminance
from flywheel.figures.theme import LIGHT
from tests.figures.tables import noted, shop, study, traces, words


@cache
def book() -> LoopLedger:
    return loop_ledger(study())


def shares() -> LoopsThatMatter:
    return book().shares


@pytest.mark.parametrize("top", [2, 7])
def test_the_areas_add_up_to_all_change(top: int) -> None:
    table = shares()
    figure = dominance(table, top=top)
    stacked = traces(figure, "share")
    up = sum(np.asarray(t.y) for t in stacked if t.stackgroup == "up")
    down = sum(np.asarray(t.y) for t in stacked if t.stackgroup == "down")
    rows = [n for n, loop in enumerate(table.loops) if loop.partition == table.main]
    np.testing.assert_allclose(up, np.maximum(table.shares[rows], 0).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(down, np.minimum(table.shares[rows], 0).sum(axis=0), atol=1e-12)
    others = [t for t in stacked if t.meta["loop"] == "others"]
    assert bool(others) == (top < len(rows))


def test_the_strongest_loop_of_a_kind_has_its_full_colour() -> None:
    figure = dominance(shares(), model=shop())
    stacked = traces(figure, "share")
    first = next(t for t in stacked if t.meta["polarity"] == "R")
    assert first.fillcolor == LIGHT.reinforcing
    assert next(t for t in stacked if t.meta["polarity"] == "B").fillcolor == LIGHT.balancing
    means = shares().weighted()
    assert first.meta["loop"] == max(
        (n for n in means if n.startswith("R")), key=lambda n: means[n]
    )
    reds = [luminance(t.fillcolor) for t in stacked if t.meta["polarity"] == "R"]
    assert reds == sorted(reds), "weaker loops are paler"


def test_the_ribbon_is_the_dominant_periods() -> None:
    (ribbon,) = traces(dominance(shares()), "periods")
    periods = shares().periods
    assert list(ribbon.base) == [p.start for p in periods]
    np.testing.assert_allclose(ribbon.x, [p.stop - p.start for p in periods])
    assert list(ribbon.text) == [" + ".join(p.loops) for p in periods]


def test_too_many_periods_are_drawn_by_polarity() -> None:
    table = shares()
    quick = np.zeros_like(table.shares)
    rows = [n for n, loop in enumerate(table.loops) if loop.partition == table.main]
    balancing = [n for n in rows if table.loops[n].polarity == "B"][:2]
    for step in range(quick.shape[1]):
        quick[balancing[step % 2], step] = -1.0
    (ribbon,) = traces(dominance(replace(table, shares=quick)), "periods")
    assert list(ribbon.text) == ["B"]
    assert "2 sets of loops" in ribbon.customdata[0][0]


def test_loops_are_named_in_the_language_of_the_figure() -> None:
    said = words(dominance(shares(), model=shop(), language="ko", dark=True))
    assert "손님이 손님을 부른다" in said
    assert "가게" in said
    assert "2000부터 10년" in said
    assert "guests → " in words(dominance(shares()))


def test_a_run_without_loops_says_so() -> None:
    figure = dominance(replace(shares(), shares=np.zeros_like(shares().shares)))
    assert noted(figure, "empty") == ["No feedback loop acts in this run."]


def test_the_ledger_pairs_share_and_consequence() -> None:
    table = book()
    figure = ledger(table)
    (left,), (right,) = traces(figure, "share"), traces(figure, "effect")
    np.testing.assert_allclose([c[0] for c in left.customdata], [row.share for row in table.rows])
    np.testing.assert_allclose(left.x, [row.share * (row.rivals > 1) for row in table.rows])
    np.testing.assert_allclose(
        [c[0] for c in right.customdata], [r.effects[-1] for r in table.rows]
    )
    assert list(left.marker.color) == [LIGHT.polarity(row.polarity) for row in table.rows]
    assert "10 years from 2000" in words(figure)
    (early,) = traces(ledger(table, horizon=0), "effect")
    np.testing.assert_allclose(early.x, [row.effects[0] for row in table.rows])
    assert "2 smaller ones are left out" in words(ledger(table, top=len(table.rows) - 2))
    assert "수입 합계" in words(ledger(table, model=shop(), language="ko"))
    assert any("손님이 떠난다" in text for text in noted(ledger(table, language="ko"), "loop"))


def test_a_loop_without_a_rival_has_no_bar() -> None:
    rows = list(book().rows)
    rows[0] = replace(rows[0], rivals=1, share=1.0)
    figure = ledger(replace(book(), rows=tuple(rows)))
    (left,) = traces(figure, "share")
    assert left.x[0] == 0
    assert "no rival" in noted(figure, "value")[0]
    assert figure.layout.xaxis.range[1] < 1.0, "and does not squeeze the others"


def test_disagreement_is_marked_and_explained() -> None:
    rows = list(book().rows)
    rows[0] = replace(rows[0], verdict=replace_verdict("late"))
    rows[1:] = [replace(row, verdict=replace_verdict("agrees")) for row in rows[1:]]
    figure = ledger(replace(book(), rows=tuple(rows)))
    marked = ["≠" in text for text in noted(figure, "loop")]
    assert marked == [True] + [False] * (len(rows) - 1)
    assert "the two disagree" in words(figure)
    (bars,) = traces(figure, "share")
    assert "too late to count" in bars.customdata[0][1]


def replace_verdict(kind: str) -> Verdict:
    return Verdict(kind, "too late to count", "너무 늦음")


def test_effects_far_out_are_cut_and_unknown_ones_named() -> None:
    rows = list(book().rows)
    far = np.array([0.1, 55.0])
    rows[0] = replace(rows[0], effects=far)
    rows[1] = replace(rows[1], effects=np.array([0.1, np.nan]))
    figure = ledger(replace(book(), rows=tuple(rows)))
    (right,) = traces(figure, "effect")
    assert max(right.x) == pytest.approx(1.5)
    assert right.customdata[0][0] == 55.0
    texts = noted(figure, "value")
    assert any("×56 →" in text for text in texts)
    assert any("not known" in text for text in texts)


def test_an_empty_ledger_says_so() -> None:
    assert noted(ledger(replace(book(), rows=()), language="ko"), "empty")
