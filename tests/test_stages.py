"""The stage meter: every share by hand on a small model, and what the shipped models say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import flywheel as fw
from flywheel.stages import REACHED, STAGES, WEIGHTS, stages

SHOP = """model shop "A shop"
time 0 to 4 [year] step 1/16 save 1
unit thing
stock sold "Sold" [thing] = 10 gains selling
    "All that was ever sold."
stock asleep [thing] = 1
stock talk "Talk" [thing] = 1 gains talking
flow selling "Selling" [thing/year] = growth * sold
flow talking "Talking" [thing/year] = talk * gossip
param growth "Growth" [1/year] = 0 in 0 .. 1 from measured
param gossip "Gossip" [1/year] = 0.1 in 0 .. 1 from survey
param idle [1] = 1 from estimate
param other "Other" = 1
loop R1 "Selling sells" = sold -> selling -> sold
"""
DATA = """data reported "Reported" [thing] = "shop.csv" series "sold"
observe sold by reported error 5%
"""
CSV = "year,series,value,verified\n0,sold,10,primary\n1,sold,8,no\n2,sold,0,primary\n9,sold,1,no\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.csv").write_text(CSV)
    return tmp_path


def test_logic_counts_labels_explanations_and_named_loops() -> None:
    logic = stages(fw.parse(SHOP)).logic
    assert (logic.names, logic.labelled) == (9, 7)
    assert (logic.variables, logic.explained) == (5, 1)
    assert (logic.feedback, logic.looped, logic.loops) == (2, 1, 1)
    assert logic.share == pytest.approx((7 / 9 + 1 / 5 + 1 / 2) / 3)


def test_equations_count_lines_with_unsound_units() -> None:
    meter = stages(fw.parse(SHOP))
    # 1 unit, 3 stocks, 2 flows, 4 parameters; one parameter states no unit.
    assert (meter.equations.lines, meter.equations.clean) == (10, 9)
    wrong = stages(fw.parse(SHOP.replace("growth * sold", "growth + sold")))
    assert wrong.equations.clean == 8
    assert wrong.equations.share == 0.8


def test_evidence_weighs_where_numbers_come_from() -> None:
    evidence = stages(fw.parse(SHOP)).evidence
    assert dict(evidence.kinds) == {
        "measured": 1, "survey": 1, "estimate": 1, "guess": 0, "none": 1,
    }  # fmt: skip
    assert evidence.share == pytest.approx((1 + 0.75 + 0.5 + 0) / 4)
    assert WEIGHTS["guess"] == 0


def test_switches_that_the_text_implies_are_nobodys_evidence(folder: Path) -> None:
    (folder / "shop.fly").write_text(SHOP)
    host = fw.parse(
        "model host\ntime 0 to 4 [year] step 1\nuse shop as s\n"
        "aux x [1] = 1\n    desired 2\n",
        folder=folder,
    )  # fmt: skip
    assert {"s.on", "x.desired"} <= set(host.params)
    assert host.stages().evidence.parameters == 4


def test_data_share_is_verified_times_near(folder: Path) -> None:
    fit = stages(fw.parse(SHOP + DATA, folder=folder)).data
    (series,) = fit.series
    # Nothing grows, so the run says 10 all along: right, 25 % too much, and not to be judged by a part.
    assert (series.points, series.verified) == (3, 2)
    assert series.mape == pytest.approx((0 + 2 / 8) / 2)
    assert fit.mape == series.mape
    assert fit.share == pytest.approx(2 / 3 * (1 - 0.125))


def test_a_run_of_the_readers_own_is_judged_instead(folder: Path) -> None:
    model = fw.parse(SHOP + DATA, folder=folder)
    high = stages(model, model.run(sold=20)).data
    assert high.mape == pytest.approx((1 + 12 / 8) / 2)
    assert high.share == 0  # off by more than the data themselves


def test_a_run_that_fails_is_said(folder: Path) -> None:
    text = (SHOP + DATA).replace("growth * sold", "growth * sold / (time - 2)")
    meter = stages(fw.parse(text, folder=folder))
    assert meter.data.failure
    assert meter.data.mape is None
    assert meter.data.share == 0
    assert "the base run failed" in meter.sentences()[3]
    assert "실패" in meter.sentences("ko")[3]


def test_stages_are_reached_one_after_the_other(folder: Path) -> None:
    sound = SHOP.replace('"Other" =', '"Other" [1] =')
    assert stages(fw.parse(sound)).reached == 0  # units are all there, but the logic is not told
    told = sound.replace("loop R1", 'loop R2 "x" = talk -> talking -> talk\nloop R1')
    told = "\n".join(
        f'{line}\n    "Said."' if line.startswith(("flow", "stock")) else line
        for line in told.splitlines()
    )
    meter = stages(fw.parse(told))
    assert meter.logic.share >= REACHED["logic"]
    assert meter.evidence.share >= REACHED["evidence"]
    assert meter.reached == 3


def test_sentences_in_both_languages(folder: Path) -> None:
    meter = stages(fw.parse(SHOP + DATA, folder=folder))
    assert meter.sentences() == (
        "Logic: 78 % of 9 names have a label, 20 % of the variables an explanation; "
        "1 named loop explains 1 of 2 stocks in feedback.",
        "Equations: the units of 1 of 12 lines are missing or do not balance.",
        "Numbers: of 4 parameters, 1 measured, 1 surveyed, 1 estimated, 1 without a source.",
        "Data: 1 series with 3 points, 67 % verified; the base run misses them by 12 % on average.",
    )
    korean = meter.sentences("ko")
    assert len(korean) == 4
    assert all(any("가" <= letter <= "힣" for letter in sentence) for sentence in korean)
    assert "12%" in korean[3]
    empty = stages(fw.parse("model e\ntime 0 to 1 step 1\naux x = 1\n"))
    assert empty.sentences()[2:] == (
        "Numbers: there are no parameters.",
        "Data: nothing is compared with data.",
    )


def test_the_meter_is_plain_data(folder: Path) -> None:
    meter = fw.parse(SHOP + DATA, folder=folder).stages()
    document = json.loads(json.dumps(meter.as_dict()))
    assert tuple(document["shares"]) == STAGES
    assert document["data"]["series"][0]["variable"] == "sold"
    assert document["sentences"]["en"] == list(meter.sentences())


@pytest.mark.parametrize("name", fw.model_names())
def test_shipped_models_have_passed_the_first_two_stages(name: str) -> None:
    meter = fw.load(name).stages()
    assert meter.reached >= 2, str(meter)
    assert all(0 <= share <= 1 for share in meter.shares.values())


def test_the_core_is_compared_with_data() -> None:
    fit = fw.load("core_flywheel").stages().data
    assert fit.points > 150
    assert fit.mape is not None
    assert fit.mape < 0.1
