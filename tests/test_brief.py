"""Small tables of results: numbers as people read them, columns that fit, both languages."""

from __future__ import annotations

import math
import re
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flywheel as fw
from flywheel import studies
from flywheel.analysis.stamp import Stamp
from flywheel.brief import ROWS, Brief, brief, receipt_line
from flywheel.brief import words as say
from flywheel.cli.answer import fit
from flywheel.errors import UsageError
from flywheel.results import Shown
from tests.corner_shop import SHOP
from tests.test_studies import VERBS


@pytest.fixture(scope="module")
def shop() -> fw.Model:
    return fw.parse(SHOP)


@pytest.fixture(scope="module")
def study(shop: fw.Model) -> studies.Study:
    return shop.study("earned", [3.0, 10.0])


def cells(table: Brief, head: str) -> list[str]:
    place = table.heads.index(head)
    return [row[place] for row in table.rows]


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (say.number(1234.5), "1,234"),
        (say.number(0.0123456), "0.0123"),
        (say.number(math.nan), "–"),
        (say.number(math.inf), "∞"),
        (say.signed(3.0), "+3"),
        (say.signed(-0.25), "-0.25"),
        (say.signed(0.0), "0"),
        (say.part(0.1234), "+12.3%"),
        (say.part(-1.5), "-150.0%"),
        (say.part(21.5), "+2,150%"),
        (say.part(7.3e9), "+7.3e+11%"),
        (say.part(math.inf), "–"),
        (say.share(0.505), "50%"),
        (say.time(2005.25), "2005.25"),
        (say.time(math.nan), "–"),
        (say.between("1", "2", False), "1 to 2"),
        (say.between("1", "2", True), "1~2"),
        (say.within(0.18412, 0.0271), "0.184 ± 0.027"),
        (say.within(421.0, 737.0), "420 ± 740"),
        (say.within(-0.0004, 0.012), "-0.000 ± 0.012"),
        (say.within(1.0, 2e-7), "1.0000 ± 0.0000"),
        (say.within(0.5, 0.0), "0.5000 ± 0.0000"),
        (say.within(0.1234, math.nan), "0.123"),
        (say.within(math.nan, 1.0), "–"),
        (say.lasting(2.5, "year", False), "2.5 years"),
        (say.lasting(1.0, "year", False), "1 year"),
        (say.lasting(2.5, "year", True), "2.5년"),
        (say.lasting(3.0, "month", True), "3개월"),
        (say.lasting(3.0, "", False), "3"),
        (say.lasting(math.inf, "year", False), "∞"),
        (say.lasting(math.nan, "year", True), "–"),
        (say.path("abc"), "a → b → c"),
        (say.path("abcdefgh"), "a → b → c → … → g → h (8)"),
    ],
)
def test_numbers_as_people_read_them(said: str, text: str) -> None:
    assert said == text


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e5))
def test_a_number_and_its_interval_have_the_same_digits(value: float, half: float) -> None:
    shown = say.within(value, half)
    left, right = (text.replace(",", "") for text in shown.split(" ± "))
    assert float(right) == pytest.approx(half, rel=0.06, abs=6e-5)
    assert abs(float(left) - value) <= max(0.06 * half, 6e-5)
    assert len(left.partition(".")[2]) == len(right.partition(".")[2])


# Receipts ---------------------------------------------------------------------------------------


def test_the_receipt_says_what_was_computed_on_one_line() -> None:
    stamp = Stamp(
        "shop", "0", "earned", (1.0, 10.0), 2005.0, "year", "rk4", 0.125, 0,
        {"draws": 64, "noise": 0.05, "ranges": {"a": "Uniform"}, "edges": (1.0, 2.5), "open_loop": "x"},
    )  # fmt: skip
    assert receipt_line(stamp) == (
        "earned of shop after 1, 10 years from 2005; rk4, step 0.125, draws 64, noise 0.05, "
        "edges 1/2.5, open loop x"
    )
    korean = receipt_line(stamp, "ko")
    assert korean.startswith("shop: earned, 2005년부터 1, 10년 뒤; rk4, 간격 0.125, 표본 64")
    assert "ranges" not in korean
    bare = Stamp("shop", "0", "earned", (), 0.0, "", "euler", 1.0)
    assert receipt_line(bare) == "earned of shop; euler, step 1"


# Tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_answer_has_a_table_in_both_languages(
    study: studies.Study, verb: str, language: str
) -> None:
    table = brief(VERBS[verb](study), language)
    assert len(table.heads) == len(set(table.heads)) == len(table.numeric) == len(table.spare)
    assert all(len(row) == len(table.heads) for row in table.rows)
    every = [*table.heads, *(cell for row in table.rows for cell in row), table.about, *table.notes]
    assert not [text for text in every if re.search(r"\bnan\b|\binf\b|\bNone\b", text)]
    if language == "ko":
        # Symbols, units and the one name that the model does not translate are no English.
        known = {"MLI", "euro", "person", "year", "mu", "sigma", "delta", "PAWN", "PRCC", "Shapley"}
        words = {word for text in every for word in re.findall(r"[A-Za-z]{3,}", text)}
        assert words <= known


def test_only_en_and_ko(study: studies.Study) -> None:
    with pytest.raises(UsageError, match="'en' and 'ko'"):
        brief(study.leverage(), "fr")
    with pytest.raises(TypeError, match="no table"):
        brief(object())


def test_leverage_shows_the_last_ranking_at_every_horizon(study: studies.Study) -> None:
    found = study.leverage()
    table = brief(found)
    assert table.heads[:5] == ("rank", "element", "kind", "3 years", "10 years")
    assert cells(table, "rank") == [str(n + 1) for n in range(len(found.names))]
    first = int(np.flatnonzero(found.rank[-1] == 1)[0])
    assert table.rows[0][1] == found.labels[first][0]
    assert cells(table, "10 years")[0] == say.signed(float(found.attainable[-1, first]))
    assert "All profit (euro)" in table.about
    assert "at 10 years" in table.about
    assert "per cost" in table.heads, "levers have costs"
    plain = brief(study.leverage(levers=()))
    assert "per cost" not in plain.heads, "a column of dashes says nothing"
    notes = dict(zip(cells(table, "element"), cells(table, "notes"), strict=True))
    assert "range assumed" in notes["Rent"]
    assert notes["Price"] == ""
    korean = brief(found, "ko")
    assert korean.heads[3:5] == ("3년", "10년")
    assert "초기값" in cells(korean, "종류")


def test_long_tables_are_cut_and_counted(study: studies.Study) -> None:
    found = study.dials()
    assert len(found.rows) > ROWS
    table = brief(found)
    assert len(table.rows) == ROWS
    assert table.more == len(found.rows) - ROWS
    assert len(brief(found, rows=1000).rows) == len(found.rows)
    assert brief(found, rows=1000).more == 0


def test_dials_are_named_for_people(study: studies.Study) -> None:
    table = brief(study.dials(), rows=1000)
    turned = cells(table, "what is turned")
    assert "Guests <i> → Joining" in turned
    assert "Service (0.5 to 1)" in turned
    korean = brief(study.dials(), "ko", rows=1000)
    assert "손님 → 가입" in cells(korean, "돌린 것")
    assert set(cells(korean, "종류")) == {"연결", "흐름", "표", "없는 정보"}


def test_a_dip_has_durations_units_and_yearly_rates(study: studies.Study) -> None:
    found = study.dip("roomier")
    table = dict(brief(found).rows)
    assert brief(found).heads == ("measure", "Rent more seats")
    assert table["course"] == "worse before better"
    assert table["paid back after"] == say.lasting(float(found.swing.t_pay[0]), "year", False)
    assert table["paid back after"].endswith(" years")
    (rate,) = found.swing.rates[0]
    assert table["internal rates of return a year"] in found.explain()
    assert table["internal rates of return a year"] == f"{math.expm1(rate):.1%}"
    assert table["worth in all (euro)"] == say.signed(float(found.swing.npv[0]))
    korean = dict(brief(found, "ko").rows)
    assert korean["모양"] == "나빠졌다 좋아짐"
    assert korean["회수까지"].endswith("년")
    less = dict(brief(study.dip("roomier", better=-1)).rows)
    assert less["worth in all (euro)"] == table["worth in all (euro)"], "the sum is the sum"
    assert less["course"] == "better before worse"


def test_the_ladder_names_what_is_best_and_rounding_is_nothing(study: studies.Study) -> None:
    table = brief(study.ladder())
    assert "Talk <script>alert(1)</script>" in cells(table, "best")
    korean = brief(study.ladder(), "ko")
    assert "입소문" in cells(korean, "으뜸")
    assert not [cell for cell in cells(table, "largest") if "e-" in cell]


def test_loops_are_called_by_their_names(shop: fw.Model, study: studies.Study) -> None:
    table = brief(shop.loops())
    paths = dict(zip(cells(table, "loop"), cells(table, "path"), strict=True))
    assert paths["R1 Word of <mouth>"] == "guests → joining"
    assert paths["B1 Leaving"] == "guests → leaving"
    assert "R1 입소문" in cells(brief(shop.loops(), "ko"), "고리")
    ledger = brief(study.ledger())
    assert ledger.heads[3:5] == ("without it, 3 years", "without it, 10 years")
    assert set(cells(ledger, "agrees")) <= {"yes", "no", "?"}
    disagreeing = [row for row in study.ledger().rows if row.verdict.disagrees]
    assert len(ledger.notes) == len(disagreeing), "why they disagree stands below the table"
    vital = brief(study.vitals())
    assert "Word of <mouth>" in " ".join(cells(vital, "of"))
    assert cells(vital, "value")[0].endswith("% a year")
    assert "성장률" in cells(brief(study.vitals(), "ko"), "지표")


def test_sensitivities_stand_with_their_intervals(study: studies.Study) -> None:
    found = study.sensitivity(["talk", "price", "town"], method="sobol", runs=600)
    table = brief(found)
    assert table.heads == ("input", "S1", "ST")
    assert all(" ± " in cell for cell in cells(table, "ST"))
    assert "95% interval" in table.about
    assert "after 10 years" in table.about
    leading = cells(table, "input")[0]
    assert leading == study.model.params[found.ranking()[0]].text()[0]


def test_budgets_of_many_periods_are_told_in_stretches(study: studies.Study) -> None:
    few = brief(study.allocate(20.0, periods=2, starts=1))
    assert few.heads[1:3] == ("0 to 5", "5 to 10")
    found = study.allocate(20.0, periods=8, starts=1)
    many = brief(found)
    assert many.heads[1] == "pulled"
    for row, cell in enumerate(cells(many, "pulled")):
        name = many.rows[row][0]
        place = [label[0] for label in found.labels].index(name)
        if cell == "0%":
            assert (found.intensity[place] < 0.005).all()
        else:
            assert re.fullmatch(r"\d+% [\d.]+ to [\d.]+(, \d+% [\d.]+ to [\d.]+)*", cell)
    assert not [cell for cell in cells(many, "spent") if "e-" in cell]


# Room -------------------------------------------------------------------------------------------

WIDE = Brief(
    heads=("lever", "worth", "judged wrongly", "rank early → late"),
    rows=(
        ("A rather long name of a lever", "+1,234,567", "50%", "1 → 2"),
        ("물류센터", "-1", "∞", "–"),
    ),
    numeric=(False, True, True, True),
    spare=(0, 0, 1, 2),
)


def test_columns_are_left_out_in_their_order_until_the_rest_fits() -> None:
    assert fit(WIDE, 200) == (WIDE, [])
    kept, dropped = fit(WIDE, 38)
    assert dropped == ["rank early → late"]
    assert kept.heads == ("lever", "worth", "judged wrongly")
    assert kept.rows[0] == ("A rather long name of a lever", "+1,234,567", "50%")
    kept, dropped = fit(WIDE, 30)
    assert dropped == ["rank early → late", "judged wrongly"]
    kept, dropped = fit(WIDE, 5)
    assert kept.heads == ("lever", "worth"), "what a table is about stays"


def test_only_spare_columns_disappear_when_they_are_empty(study: studies.Study) -> None:
    class Bare(Shown):
        FIGURES: ClassVar[dict[str, str]] = {}

    with pytest.raises(UsageError, match="no figure of a Bare"):
        Bare().plot()
    table = brief(study.dials(["flow"]))
    assert "cut" not in table.heads, "flows are not cut"
    assert "10 years" in table.heads
