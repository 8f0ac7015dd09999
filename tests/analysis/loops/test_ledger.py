"""The ledger: each measure as its own module has it, and the reason for each disagreement."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.loops.ledger import LoopLedger, loop_ledger
from flywheel.analysis.loops.verdict import Evidence, effect_text, judge
from flywheel.errors import UsageError
from flywheel.solve.study import Study

BASS = """model bass
time 0 to 10 [year] step 1/32 save 1/8
param p = 0.03
param q = 0.38
stock A = 0 gains innov, wom
flow innov = p * (1 - A)
flow wom = q * A * left
aux left = 1 - A
loop R1 "Word of mouth" = A -> wom -> A
    ko "입소문"
"""
DELAYED = """model delayed
time 0 to 20 [year] step 1/16 save 1/4
stock x = 1 gains f loses g
flow f = 0.3 * smooth(x, 2)
flow g = 0.1 * x
stock idle = 1 gains h
flow h = 0.1 * idle
outcome total_x = total x
"""


def ledger(text: str = BASS, outcome: str = "A", **how: float) -> LoopLedger:
    return loop_ledger(Study(fw.parse(text), outcome, [5, 10]), **how)  # type: ignore[arg-type]


def test_bass_by_all_four_measures() -> None:
    found = ledger()
    rows = {row.path: row for row in found.rows}
    assert set(rows) == {("A", "innov"), ("A", "wom"), ("A", "left", "wom")}
    p, q = 0.03, 0.38
    end = float(found.knockouts.baseline[-1])
    talk, limit, own = rows["A", "wom"], rows["A", "left", "wom"], rows["A", "innov"]
    assert talk.name == "R1"
    # Shares in closed form: (q/(p+q)) (1-F), -(q/(p+q)) F, -p/(p+q); discrete scores equal them.
    assert talk.share_end == pytest.approx(q / (p + q) * (1 - end), abs=1e-9)
    assert limit.share_end == pytest.approx(-q / (p + q) * end, abs=1e-9)
    assert own.share == pytest.approx(p / (p + q), abs=1e-9)
    assert talk.effects[-1] == pytest.approx(-0.6811260, abs=5e-8)
    assert own.own
    assert not limit.own
    # Half-way, at t = 5, A is F(5): gains q (1-F) etc. over what A loses, and 1/patience.
    half = float(found.knockouts.baseline[0])
    loses = 1 / 10 + p + q * half
    assert found.at == 5
    assert talk.gain == pytest.approx(q * (1 - half) / loses)
    assert limit.gain == pytest.approx(-q * half / loses)
    # One stock: the influences are the gains themselves and sum to the eigenvalue.
    assert found.leading == pytest.approx(q * (1 - half) - q * half - p)
    assert sum(row.influence for row in found.rows) == pytest.approx(found.leading)
    assert talk.influence == pytest.approx(q * (1 - half))


def test_loops_through_delays_are_loops_of_variables() -> None:
    found = ledger(DELAYED, "total_x")
    rows = {row.path: row for row in found.rows}
    assert set(rows) == {("f", "x"), ("g", "x"), ("h", "idle")}
    through = rows["f", "x"]
    # The gain of the loop: 0.3 x 1/2 over (s + 1/2)(s + 0.1), s = 1/10.
    assert through.gain == pytest.approx(0.15 / (0.6 * 0.2))
    assert through.turn == pytest.approx(1 / 0.6 + 1 / 0.2)
    assert through.polarity.startswith("R")
    alone = rows["h", "idle"]
    assert alone.effects[-1] == 0
    assert alone.verdict.kind == "alone"
    assert alone.verdict.disagrees
    assert alone in found.disagreements
    assert "100 % by construction" in found.explain()


def test_frame_words_and_repr() -> None:
    found = ledger()
    assert {"share", "effect_5", "effect_10", "gain", "growth_influence", "why"} <= set(
        found.frame.columns
    )
    assert len(found.frame) == len(found.rows)
    text = found.explain()
    assert "horizon 10" in text
    assert "Word of mouth" in text or "left" in text
    assert "니다" in found.explain("ko")
    assert repr(found).startswith("<loop ledger: 3 of 3 loops; A of bass")
    assert found.stamp.settings["complete"] is True
    with pytest.raises(UsageError, match="convention"):
        ledger(convention="middle")  # type: ignore[arg-type]


def test_without_loops_the_ledger_is_empty() -> None:
    text = "model n\ntime 0 to 12 step 1/4\nstock s = 1 gains f\nflow f = 2\n"
    found = ledger(text, "s")
    assert found.rows == ()
    assert math.isnan(found.leading.real)
    assert "No feedback loop" in found.explain()
    assert "루프가 없습니다" in found.explain("ko")
    assert found.frame.empty


def test_other_order_of_the_file_gives_the_same_rows() -> None:
    lines = BASS.strip().splitlines()
    turned = "\n".join([*lines[:2], *lines[2:8][::-1], *lines[8:]]) + "\n"
    one, other = ledger(), ledger(turned)
    by_path = {row.path: row for row in other.rows}
    for row in one.rows:
        again = by_path[row.path]
        assert again.share == pytest.approx(row.share, abs=1e-12)
        assert np.allclose(again.effects, row.effects, atol=1e-12)
        assert again.influence == pytest.approx(row.influence, abs=1e-12)


PLAIN = Evidence(
    share=0.4,
    largest=0.5,
    rivals=5,
    times=np.linspace(0, 10, 11),
    shares=np.full(11, 0.4),
    until=10.0,
    effect=0.01,
    shared=0,
    dial="a -> b",
    grown=1.0,
    own=False,
    order=1,
    rate=0.5,
    horizon=10.0,
    outcome="y",
)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "compensated"),
        ({"rivals": 1}, "alone"),
        ({"until": 2.0}, "late"),
        ({"order": 4, "rate": 0.01}, "slow"),
        ({"effect": 0.5}, "agrees"),
        ({"effect": 0.04}, "agrees"),
        ({"effect": math.nan}, "unknown"),
        ({"share": math.nan}, "unknown"),
        ({"share": 0.01, "effect": 0.2}, "level"),
        ({"share": 0.01, "effect": 0.2, "grown": 50.0}, "frozen"),
        ({"share": 0.01, "effect": 0.2, "shared": 3}, "shared"),
        ({"share": 0.01, "effect": 0.2, "own": True}, "own"),
        ({"share": 0.01, "effect": 300.0}, "runaway"),
        ({"share": 0.01, "effect": 300.0, "own": True}, "own"),
        ({"share": 0.01, "effect": -300.0, "shared": 1}, "shared"),
        ({"share": 0.01, "effect": 0.2, "shared": 1, "direct": True}, "direct"),
        ({"share": 0.01, "effect": 0.2, "grown": 50.0, "balancing": True}, "brake"),
        ({"share": 0.01, "effect": 0.2, "grown": 0.2}, "spiral"),
        ({"share": 0.01, "effect": -0.2, "grown": 0.2}, "level"),
        ({"share": 0.01, "effect": 0.01}, "agrees"),
    ],
)
def test_every_kind_of_disagreement_has_its_sentence(change: dict[str, float], kind: str) -> None:
    from dataclasses import replace

    found = judge(replace(PLAIN, **change))  # type: ignore[arg-type]
    assert found.kind == kind
    assert found.disagrees == (kind not in ("agrees", "unknown"))
    assert bool(found.text()) == found.disagrees
    if found.disagrees:
        assert "horizon 10" in found.text()
        assert "기간 10" in found.text("ko")


def test_absurd_effects_are_said_as_factors() -> None:
    assert effect_text(-0.5) == "-50.0%"
    assert effect_text(99.0) == "100 times as much"
    assert effect_text(99.0, "ko") == "100배"
    assert effect_text(-6.8e102) == "more than a million times as much"
    assert effect_text(6.8e102, "ko") == "100만 배 넘게"


TWO_PARTS = """
model two
time 0 to 10 step 1/4
stock A = 1 gains grow
flow grow = 0.5 * A * room
aux room = 1 - A / 100
stock B = 1 gains rise loses fall, ebb, leak
flow rise = 1.5 * B
flow fall = 0.1 * B
flow ebb = 0.2 * B
flow leak = 0.9 * B
stock both = 0 gains income
flow income = A + 0.001 * B
"""


def test_a_share_is_large_or_small_among_the_loops_of_its_own_part() -> None:
    """Of two loops one has half at least; beside that the loops of a larger part would all be small."""
    found = ledger(TWO_PARTS, "both")
    parts = {loop.partition: loop for loop in found.shares.loops}
    assert len(parts) == 2
    most = max(row.rivals for row in found.rows)
    assert most == 4
    assert max(row.share for row in found.rows if row.rivals < most) > 0.5
    first = max((row for row in found.rows if row.rivals == most), key=lambda row: row.share)
    assert found.explain().startswith(f"{first.name} (")
    assert first.verdict.kind != "own"


def test_a_control_link_that_is_itself_the_way_to_the_outcome_is_told_apart() -> None:
    """Cut, price -> revenue changes profit even where nobody minds the price."""
    from flywheel.analysis.loops.knockout import bypasses

    text = """
model shop
time 0 to 4 step 1/4
stock price = 1 gains change
flow change = 0.1 * (goal - price)
aux goal = 1 - 0.01 * revenue
aux revenue = 10 * price
stock money = 0 gains profit
flow profit = revenue - 3
"""
    found = Study(fw.parse(text), "profit", [4])
    loop = ("price", "revenue", "goal", "change")
    assert bypasses(found, loop, ("price", "revenue"))
    assert not bypasses(found, loop, ("revenue", "goal"))
    assert not bypasses(found, loop, ("change", "price"))
