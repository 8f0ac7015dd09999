"""Links, flows, tables and absent links: derivatives against runs, cuts against closed forms."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import flywheel as fw
from flywheel.analysis.levers.dial_blocks import dial_blocks
from flywheel.analysis.levers.dials import (
    TURN,
    Dials,
    Row,
    agrees,
    residence_time,
    smooth,
    structural_dials,
)
from flywheel.errors import UsageError
from flywheel.kernel.dials import see_input
from flywheel.model import Flow
from flywheel.solve.study import Study
from flywheel.structure import feedback_loops, links

Array = NDArray[np.float64]

BASS = """model bass "Three loops"
    ko "세 고리"
time 0 to 10 [year] step 1/64 save 1/8
unit person
stock adopters "Adopters" [person] = 0 gains innovation, imitation
    ko "채택자"
flow innovation "Innovation" [person/year] = p * (market - adopters)
    ko "혁신"
flow imitation "Imitation" [person/year] = q * (market - adopters) * adopters / market
    ko "모방"
param p [1/year] = 0.03
param q [1/year] = 0.38
param market [person] = 1
outcome end "Adopters in year 10" [person] = adopters at 10
    ko "10년차 채택자"
"""

# Customers come while there is room and talk; a shop that is full serves them worse. What is sold is
# only counted, and the price follows nothing but time.
SHOP = """model shop "A shop"
    ko "가게"
time 0 to 12 [month] step 1/16 save 1/8
unit person
unit good
stock customers "Customers" [person] = 60 gains coming loses leaving
    ko "고객"
stock tables "Tables" [person] = 40 gains building loses wearing
    ko "자리"
stock sold "Sold" [good] = 0 gains selling
    ko "판매 누계"
flow coming "New customers" [person/month] = talk * customers * service * (1 - customers / town)
    ko "새 고객"
flow leaving "Leaving" [person/month] = customers / patience
    ko "이탈"
flow building "Building" [person/month] = max(wish * customers - tables, 0) / build
    ko "증설"
flow wearing "Wearing out" [person/month] = tables / life
    ko "마모"
flow selling "Selling" [good/month] = customers * each
    ko "판매"
aux load "Load" [1] = customers / tables
    ko "혼잡도"
table service "Service" [1] of load = (0, 1.2) (1, 1) (1.5, 0.6) (2.5, 0.2)
    ko "서비스"
param talk [1/month] = 0.5
param town [person] = 400
param patience [month] = 5
param wish [1] = 0.9
param build [month] = 2
param life [month] = 40
param each [good/person/month] = 3
outcome total "Goods sold" [good] = sold at 12
    ko "판매량"
"""


@pytest.fixture(scope="module")
def shop() -> Study:
    return Study(fw.parse(SHOP), "total", [4.0, 12.0])


@pytest.fixture(scope="module")
def table(shop: Study) -> Dials:
    return structural_dials(shop, absent=6)


def rows_of(dials: Dials, kind: str) -> list[Row]:
    return [row for row in dials.rows if row.kind == kind]


def turned(study: Study, names: Iterable[str], h: float = 1e-4) -> Array:
    """Central differences to dials, shape (inputs, horizons)."""
    wanted = list(names)
    steps = h * np.eye(len(wanted))
    found = study.run(wanted, np.concatenate([steps, -steps])).outcomes
    slopes: Array = (found[: len(wanted)] - found[len(wanted) :]) / (2.0 * h)
    return slopes


def own_scales(study: Study, delay: float) -> dict[str, tuple[float, float, float, float]]:
    """Mean, deviation, delay and first value of every variable as seen with an exponential average.

    Written out as the weighted sum that the average is, not as the recursion of the engine.
    """
    found = {}
    for name in study.model.variables:
        column = study.column(name)
        keep = math.exp(-study.grid.save / delay)
        powers = keep ** np.arange(len(column))
        seen = np.array(
            [
                powers[n] * column[0] + (1 - keep) * (powers[:n][::-1] @ column[1 : n + 1])
                for n in range(len(column))
            ]
        )
        found[name] = (float(seen.mean()), float(seen.std()), delay, float(column[0]))
    return found


# Derivatives ------------------------------------------------------------------------------------


def test_every_link_flow_and_table_against_runs(shop: Study, table: Dials) -> None:
    whole = shop.dialled().scaled(
        [n for n, v in shop.model.variables.items() if isinstance(v, Flow)]
    )
    whole = whole.raised()
    rows = [row for row in table.rows if row.kind != "absent"]
    kinds = {kind: len(rows_of(table, kind)) for kind in ("link", "flow", "table")}
    assert kinds == {"link": len(links(shop.model)), "flow": 5, "table": 5}
    slopes = turned(whole, [row.name for row in rows])
    size = np.abs(slopes).max(axis=0)
    for row, slope in zip(rows, slopes, strict=True):
        np.testing.assert_allclose(
            row.effect, slope, rtol=1e-5, atol=1e-7 * size.max(), err_msg=row.name
        )
        np.testing.assert_allclose(row.share, np.array(row.effect) / np.abs(shop.value))


def test_absent_links_against_runs_of_a_system_that_has_them(shop: Study, table: Dials) -> None:
    rows = rows_of(table, "absent")
    assert len(rows) == 6
    scales = own_scales(shop, residence_time(shop))
    pairs = [(row.source, row.target) for row in rows]
    whole = shop.seeing(pairs, scales)
    slopes = turned(whole, [see_input(*pair) for pair in pairs])
    np.testing.assert_allclose([row.effect for row in rows], slopes, rtol=1e-4, atol=1e-6)
    up = whole.run([row.name for row in rows], TURN * np.eye(6)).outcomes - shop.value
    np.testing.assert_allclose([row.turned for row in rows], up, rtol=1e-6)


@pytest.mark.parametrize("name", ["core_flywheel", "marketplace"])
def test_dials_of_the_library_against_runs(name: str) -> None:
    model = fw.load(name)
    study = Study(model, next(iter(model.outcomes)))
    found = structural_dials(study, top=3, absent=3)
    present = [row for row in found.rows if row.kind != "absent" and abs(row.effect[-1]) > 0]
    some = present[:: max(len(present) // 24, 1)]
    whole = study.dialled().scaled(
        [n for n, v in model.variables.items() if isinstance(v, Flow)]
    ).raised()  # fmt: skip
    slopes = turned(whole, [row.name for row in some], h=1e-5)
    largest = max(abs(row.effect[-1]) for row in present)
    np.testing.assert_allclose(
        [row.effect for row in some], slopes, rtol=1e-3, atol=1e-5 * largest
    )  # fmt: skip
    (absent, *_) = rows_of(found, "absent")
    assert absent.confirmed
    up = np.array(absent.turned) / TURN
    np.testing.assert_allclose(up, absent.effect, rtol=0.25)


def test_profiles_add_up_to_the_effect_and_say_when(shop: Study, table: Dials) -> None:
    assert table.profile.shape == (2, len(shop.times), len(table.rows))
    np.testing.assert_allclose(table.profile.sum(axis=1).T, [row.effect for row in table.rows])
    first = shop.times > 4.0
    assert np.all(table.profile[0, first] == 0), "nothing acts after the horizon"
    sizes = [abs(row.effect[-1]) for row in table.rows]
    assert sizes == sorted(sizes, reverse=True)


# Cuts -------------------------------------------------------------------------------------------


def test_cutting_the_talk_of_bass_leaves_the_innovators() -> None:
    """Ford's cut of the reinforcing loop: F(10) = 1 - exp(-pT) instead of 0.8128, -68.1126 %."""
    study = Study(fw.parse(BASS), "end")
    assert study.value[0] == pytest.approx(0.8128032, abs=1e-7)
    found = structural_dials(study)
    (talk,) = [row for row in found.rows if row.name == "adopters -> imitation"]
    # The same link carries the word of mouth and the crowd; held at 0 it switches imitation off.
    assert talk.cut[0] + study.value[0] == pytest.approx(-math.expm1(-0.3), abs=1e-8)
    assert talk.cut[0] / study.value[0] == pytest.approx(-0.6811260, abs=1e-7)
    (room,) = [row for row in found.rows if row.name == "adopters -> innovation"]
    # Innovators who never run out: dA/dt = p + q (1 - A) A, a Riccati equation.
    p, q, t = 0.03, 0.38, 10.0
    root = math.sqrt(q * q + 4 * p * q)
    top, low = (q + root) / (2 * q), (q - root) / (2 * q)
    grown = (-low / top) * math.exp(root * t)
    assert room.cut[0] + study.value[0] == pytest.approx(
        (low + top * grown) / (1 + grown), abs=1e-6
    )


def test_every_link_is_cut_and_a_cut_is_a_dial_at_minus_one(shop: Study, table: Dials) -> None:
    rows = rows_of(table, "link")
    outcomes = shop.dialled().run([row.name for row in rows], -np.eye(len(rows))).outcomes
    np.testing.assert_allclose([row.cut for row in rows], outcomes - shop.value, atol=1e-9)
    assert all(not row.cut for row in table.rows if row.kind != "link")


def test_a_cut_that_explodes_is_no_number_and_is_said() -> None:
    """x' = 1 + x² - hold x is 1 as long as hold is x; held at 1 it is infinite at 1.209."""
    model = fw.parse(
        "model hold\ntime 0 to 3 step 1/64 save 1/8\nstock x = 1 gains up loses down\n"
        "flow up = 1 + x * x\nflow down = hold * x\naux hold = x\n"
    )
    study = Study(model, "x")
    assert study.value[0] == pytest.approx(4)
    found = structural_dials(study, ["link"])
    held = next(row for row in found.rows if row.name == "x -> hold")
    assert math.isfinite(held.effect[0])
    assert np.isnan(held.cut[0])
    early = structural_dials(Study(model, "x", 1.0), ["link"])
    held = next(row for row in early.rows if row.name == "x -> hold")
    root = math.sqrt(3) / 2  # x = 1/2 + root tan(root t + atan(1 / (2 root)))
    exact = 0.5 + root * math.tan(root + math.atan(0.5 / root))
    assert held.cut[0] + 2.0 == pytest.approx(exact, rel=1e-5)


def test_that_a_cut_fails_is_said(shop: Study, table: Dials) -> None:
    strongest = next(row for row in table.rows if row.kind == "link" and row.in_loop)
    rows = tuple(
        replace(row, cut=(math.nan, math.nan)) if row is strongest else row for row in table.rows
    )
    failed = replace(table, rows=rows)
    assert "With that link cut altogether the run fails." in failed.explain()
    assert "끊은 실행은 실패합니다" in failed.explain("ko")


# Confirmation -----------------------------------------------------------------------------------


def test_the_strongest_of_each_kind_are_turned_both_ways(shop: Study) -> None:
    found = structural_dials(shop, top=2, absent=2)
    for kind in ("link", "flow", "table"):
        assert [row.confirmed is not None for row in rows_of(found, kind)[:3]] == [
            True,
            True,
            False,
        ]
    assert all(row.confirmed is not None for row in rows_of(found, "absent"))


def test_a_corner_is_not_confirmed() -> None:
    """max(pump, 1) at pump = 1: more pumping counts, less does not."""
    model = fw.parse(
        "model corner\ntime 0 to 4 step 1/8\nstock tank = 0 gains pump\nflow pump = 1\n"
        "stock sum = 0 gains counted\nflow counted = max(pump, 1)\n"
    )
    found = structural_dials(Study(model, "sum"), ["flow"])
    confirmed = {row.target: row.confirmed for row in found.rows}
    assert confirmed == {"pump": False, "counted": True}


def test_agreement_is_at_every_horizon_and_with_numbers() -> None:
    one = np.array([1.0])
    assert agrees(one, TURN * one, -TURN * one)
    assert not agrees(one, TURN * one, 0 * one)
    assert not agrees(one, np.array([np.nan]), -TURN * one)
    both = np.array([1.0, 1.0])
    assert not agrees(both, TURN * np.array([1.0, 1.3]), -TURN * both), "at every horizon"


@given(
    st.floats(-10, 10).filter(lambda x: abs(x) > 1e-3),
    st.floats(-0.5, 0.5).filter(lambda x: abs(abs(x) - 0.1) > 1e-6),
)
def test_agreement_is_to_a_tenth_of_the_derivative(slope: float, error: float) -> None:
    seen = slope * (1 + error) * TURN
    assert agrees(np.array([slope]), np.array([seen]), np.array([-seen])) == (abs(error) < 0.1)


# Loops and absent links -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["margin_opportunity", "publishing"])
def test_in_loop_is_what_an_enumeration_of_all_loops_says(name: str) -> None:
    model = fw.load(name)
    loops = feedback_loops(model)
    assert loops.complete
    closed = {
        pair
        for loop in loops.loops
        for pair in zip(loop.path, (*loop.path[1:], loop.path[0]), strict=True)
    }
    found = structural_dials(Study(model, next(iter(model.outcomes))), ["link"], top=0)
    assert {(r.source, r.target) for r in found.rows if r.in_loop} == closed & {
        (r.source, r.target) for r in found.rows
    }
    assert {(r.source, r.target) for r in found.rows} == {
        (a.source, a.target) for a in links(model)
    }


def brute_force(study: Study, flows: list[str]) -> list[tuple[float, str, str]]:
    """The exact derivative of every link that is not there, the largest first."""
    scales = own_scales(study, residence_time(study))
    moved = {n: s for n, s in scales.items() if s[1] > 1e-9}
    existing = {(one.source, one.target) for one in links(study.model)}
    pairs = [(a, b) for b in flows for a in moved if a != b and (a, b) not in existing]
    gradient = study.seeing(pairs, moved).gradient([see_input(*pair) for pair in pairs])
    found = zip(np.abs(gradient.values[-1]), pairs, strict=True)
    return sorted(((float(size), *pair) for size, pair in found), reverse=True)


def test_screening_finds_the_largest_of_all_pairs(shop: Study, table: Dials) -> None:
    every = brute_force(shop, ["coming", "leaving", "building", "wearing"])
    assert len(every) > 15
    found = {(row.source, row.target): abs(row.effect[-1]) for row in rows_of(table, "absent")}
    assert set(found) == {(a, b) for _, a, b in every[:6]}
    np.testing.assert_allclose(
        sorted(found.values(), reverse=True), [e[0] for e in every[:6]], rtol=1e-6
    )


def test_absent_links_go_to_flows_in_loops_from_what_tells_of_the_state(shop: Study) -> None:
    found = structural_dials(shop, ["absent"], absent=100)
    targets = {row.target for row in found.rows}
    assert targets == {"coming", "leaving", "building", "wearing"}, "selling only keeps accounts"
    existing = {(one.source, one.target) for one in links(shop.model)}
    assert not existing & {(row.source, row.target) for row in found.rows}
    assert all(row.source != row.target for row in found.rows)
    timed = fw.parse(SHOP.replace("aux load", "aux season [1] = 1 + 0.1 * time / 12\naux load"))
    seen = structural_dials(Study(timed, "total"), ["absent"], absent=100)
    assert "season" not in {row.source for row in seen.rows}, "a clock needs no eyes"


def test_a_model_without_loops_has_nothing_to_tell() -> None:
    model = fw.parse("model line\ntime 0 to 4 step 1/4\nstock x = 1 gains g\nflow g = 2\n")
    found = structural_dials(Study(model, "x"))
    assert {row.kind for row in found.rows} == {"link", "flow"}
    assert not any(row.in_loop for row in found.rows)
    assert "No link in a feedback loop acts on x" in found.explain()
    assert "되먹임 연결이 없습니다" in found.explain("ko")
    nothing = structural_dials(Study(model, "x"), ["table"])
    assert nothing.rows == ()
    assert nothing.profile.shape == (1, len(found.times), 0)
    assert nothing.explain() == ""


def test_an_unknown_kind_is_refused(shop: Study) -> None:
    with pytest.raises(UsageError, match=r"no kind of dial 'lnk'.*absent"):
        structural_dials(shop, ["lnk"])  # type: ignore[list-item]


# What eyes see ----------------------------------------------------------------------------------


def test_smoothing_is_an_exponential_average() -> None:
    step = np.array([0.0, *[1.0] * 20])
    np.testing.assert_allclose(smooth(step, 4.0), -np.expm1(-np.arange(21) / 4.0))
    np.testing.assert_allclose(smooth(np.full(9, 3.5), 2.0), 3.5)
    np.testing.assert_array_equal(smooth(step, 0.0), step)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(0.1, 50))
def test_smoothing_stays_between_the_extremes_and_is_linear(
    values: list[float], saves: float
) -> None:
    series = np.array(values)
    seen = smooth(series, saves)
    assert series.min() - 1e-9 <= seen.min() <= seen.max() <= series.max() + 1e-9
    np.testing.assert_allclose(smooth(2 * series + 1, saves), 2 * seen + 1, atol=1e-9)


def leaky(taus: Iterable[float], save: str = "1/4") -> Study:
    lines = [f"model leaky\ntime 0 to 8 step 1/64 save {save}"]
    for n, tau in enumerate(taus):
        lines.append(f"stock s{n} = 1 loses out{n}\nflow out{n} = s{n} / {tau}")
    return Study(
        fw.parse("\n".join([*lines, "stock pile = 0 gains more\nflow more = 1"]) + "\n"), "pile"
    )


def test_residence_time_is_the_median_of_content_over_outflow() -> None:
    assert residence_time(leaky([2])) == pytest.approx(2)
    assert residence_time(leaky([1, 3, 5])) == pytest.approx(3)
    assert residence_time(leaky([1, 3])) == pytest.approx(2)
    assert residence_time(leaky([0.05])) == pytest.approx(0.25), "at least one save"
    assert residence_time(leaky([1e6])) == pytest.approx(8), "at most the run"
    assert residence_time(leaky([])) == pytest.approx(0.8), (
        "a tenth of the run where nothing leaves"
    )


# Faces ------------------------------------------------------------------------------------------


def test_sentences_carry_the_numbers_in_both_languages(shop: Study, table: Dials) -> None:
    english, korean = table.explain(), table.explain("ko")
    strongest = next(row for row in table.rows if row.kind == "link" and row.in_loop)
    assert strongest.name == "tables -> load"
    change = f"{strongest.effect[-1] / 100 / shop.value[-1]:+.2%}"
    cut = f"{strongest.cut[-1] / shop.value[-1]:+.1%}"
    (absent, *_) = rows_of(table, "absent")
    seen = f"{absent.effect[-1] / 10 / shop.value[-1]:+.1%}"
    for text in (english, korean):
        assert change in text
        assert cut in text
        assert seen in text
    assert "Goods sold (12 months after 0) depends most" in english
    assert '"Load" reacts to "Tables"' in english
    assert "12개월 뒤의 「판매량」" in korean
    assert "「자리」→「혼잡도」" in korean
    assert all(one.endswith("니다") for one in korean.rstrip(".").split(". "))
    assert not re.findall(r"[A-Za-z]{2,}", korean), "no English is left over"
    with pytest.raises(UsageError, match="'en' and 'ko'"):
        table.explain("fr")


def test_an_outcome_of_nothing_is_told_in_its_unit() -> None:
    """Two equal piles: their difference is 0 and has no percent."""
    twins = fw.parse(
        "model twins\ntime 0 to 5 step 1/8\nunit eur\nstock a [eur] = 1 gains i\nflow i = a * k\n"
        "stock b [eur] = 1 gains j\nflow j = b * k\nparam k = 0.1\naux gap [eur] = a - b\n"
    )
    found = structural_dials(Study(twins, "gap"))
    assert found.value == (0.0,)
    assert not np.isfinite([row.share[0] for row in found.rows]).any()
    # da/d dial = k t e^(kt) - (e^(kt) - 1) where i reacts to a - 1: x' = k (1 + (1 + d)(x - 1)).
    link = next(row for row in found.rows if row.name == "a -> i")
    exact = 0.5 * math.exp(0.5) - math.expm1(0.5)
    assert link.effect[0] == pytest.approx(exact, rel=1e-6)
    assert link.cut[0] == pytest.approx(1.5 - math.exp(0.5), rel=1e-6)
    assert "moves it by +0.00176 eur" in found.explain()
    assert "-0.149 eur 달라집니다" in found.explain("ko")


def test_what_acts_on_nothing_is_not_praised() -> None:
    model = fw.parse(
        BASS.replace("outcome end", 'outcome clock "Clock" [1] = still at 10\noutcome end').replace(
            "param p ", "aux still [1] = 3\nparam p "
        )
    )
    text = structural_dials(Study(model, "clock")).explain()
    assert text == "No link in a feedback loop acts on Clock, 10 years after year 0."


def test_bent_dials_are_counted() -> None:
    model = fw.parse(
        "model steep\ntime 0 to 6 step 1/32 save 1/4\nstock x = 1 gains up loses down\n"
        "flow up = 4 * x\nflow down = x * x / (1 + x)\n"
    )
    found = structural_dials(Study(model, "x"))
    doubtful = sum(1 for row in found.rows if row.confirmed is False)
    checked = sum(1 for row in found.rows if row.confirmed is not None)
    assert doubtful
    assert f"For {doubtful} of {checked} checked" in found.explain()
    assert f"{checked}개 가운데 {doubtful}개" in found.explain("ko")


def test_dials_have_names_for_people(table: Dials) -> None:
    called = {row.name: (table.called(row), table.called(row, "ko")) for row in table.rows}
    assert called["customers -> coming"] == ("Customers → New customers", "고객 → 새 고객")
    assert called["coming@scale"] == ("New customers", "새 고객")
    assert called["service@bin:0"] == ("Service (below 0)", "서비스 (0 미만)")
    assert called["service@bin:2"] == ("Service (1 to 1.5)", "서비스 (1~1.5)")
    assert called["service@bin:4"] == ("Service (from 2.5)", "서비스 (2.5 이상)")


def test_the_frame_has_a_row_per_dial_and_horizon(shop: Study, table: Dials) -> None:
    frame = table.frame
    assert len(frame) == 2 * len(table.rows)
    assert set(frame["horizon"]) == {4.0, 12.0}
    late = frame[frame["horizon"] == 12.0]
    assert late["effect_per_1"].tolist() == [row.effect[-1] for row in table.rows]
    assert set(late["outcome"]) == {float(shop.value[-1])}
    assert late["cut"].notna().sum() == len(rows_of(table, "link"))
    assert repr(table) == f"<dials: {len(table.rows)} of {table.stamp}>"
    assert table.stamp.horizons == (4.0, 12.0)
    assert table.stamp.settings["turned"] == "±5%"


# Rows of the leverage table ---------------------------------------------------------------------


def test_dials_as_rows_of_the_leverage_table(shop: Study, table: Dials) -> None:
    blocks = {block.kind: block for block in dial_blocks(shop)}
    assert set(blocks) == {"link", "flow", "table"}
    inside = [row for row in table.rows if row.kind == "link" and row.in_loop]
    assert set(blocks["link"].names) == {row.name for row in inside}
    effect = {row.name: row.effect for row in table.rows}
    for block in blocks.values():
        np.testing.assert_allclose(block.slope.T, [effect[n] for n in block.names], rtol=1e-9)
        assert (block.low[0], block.high[0]) == (-0.2, 0.2)
        assert block.assumed.all()
    whole = shop.dialled().scaled(["coming"])
    low, high = whole.run(["coming@scale"], [[-0.2], [0.2]]).outcomes[:, -1]
    at = blocks["flow"].names.index("coming@scale")
    np.testing.assert_allclose(blocks["flow"].ends[-1, at], [low, high])
    assert set(blocks["flow"].level) == {10}
    assert set(blocks["table"].level) == {5}


def test_balancing_links_stand_on_the_eighth_level() -> None:
    (block,) = [b for b in dial_blocks(Study(fw.parse(BASS), "end")) if b.kind == "link"]
    level = dict(zip(block.names, block.level.tolist(), strict=True))
    assert level["adopters -> innovation"] == 8
    drain = fw.parse(
        "model drain\ntime 0 to 4 step 1/8\nparam k = 0.2 in 0 .. 1\nstock x = 1 gains up loses down\n"
        "flow up = k * x\nflow down = k * x\n"
    )
    (block,) = [b for b in dial_blocks(Study(drain, "x")) if b.kind == "link"]
    level = dict(zip(block.names, block.level.tolist(), strict=True))
    assert (level["x -> up"], level["x -> down"]) == (7, 8)
