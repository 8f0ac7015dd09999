"""A study's verbs: frozen tables with frames, sentences and small HTML, equal to what analyses say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import flywheel as fw
from flywheel import studies
from flywheel.analysis.decide.allocate import allocate
from flywheel.analysis.levers.dials import structural_dials
from flywheel.analysis.levers.dip import dip
from flywheel.analysis.levers.flip import flips
from flywheel.analysis.levers.ladder import ladder
from flywheel.analysis.levers.misunderstood import misunderstood
from flywheel.analysis.levers.ranking import leverage
from flywheel.analysis.levers.robust import robust
from flywheel.analysis.levers.synergy import synergy
from flywheel.analysis.loops.front import loops_that_matter
from flywheel.analysis.loops.ledger import loop_ledger
from flywheel.analysis.loops.vitals import vitals
from flywheel.analysis.sensitivity.apportion import sensitivity
from flywheel.errors import ModelError, UnknownNameError, UsageError
from flywheel.results import Shown
from flywheel.solve.study import Study as PlainStudy
from tests.corner_shop import FAILING, SHOP

HORIZONS = [3.0, 10.0]


@pytest.fixture(scope="module")
def shop() -> fw.Model:
    return fw.parse(SHOP)


@pytest.fixture(scope="module")
def study(shop: fw.Model) -> studies.Study:
    return shop.study("earned", HORIZONS)


VERBS: dict[str, Callable[[studies.Study], Shown]] = {
    "leverage": lambda s: s.leverage(),
    "ladder": lambda s: s.ladder(),
    "synergy": lambda s: s.synergy(),
    "flips": lambda s: s.flips(points=4),
    "robust": lambda s: s.robust(draws=64),
    "misunderstood": lambda s: s.misunderstood(),
    "misunderstood_under": lambda s: s.misunderstood_under(draws=32),
    "dials": lambda s: s.dials(top=3, absent=3),
    "dip": lambda s: s.dip("cheaper"),
    "ledger": lambda s: s.ledger(),
    "vitals": lambda s: s.vitals(),
    "sensitivity": lambda s: s.sensitivity(["talk", "price"]),
    "allocate": lambda s: s.allocate(20.0, starts=2),
    "robust_choice": lambda s: s.robust_choice(draws=64),
    "worth_of_knowing": lambda s: s.worth_of_knowing(draws=64),
}
_kept: dict[str, Shown] = {}


@pytest.fixture(params=VERBS)
def result(request: pytest.FixtureRequest, study: studies.Study) -> Shown:
    """Each verb's answer, computed once."""
    name = str(request.param)
    if name not in _kept:
        _kept[name] = VERBS[name](study)
    return _kept[name]


class Words(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


# What every answer can do -----------------------------------------------------------------------


def test_an_answer_is_frozen_and_its_arrays_too(result: Shown) -> None:
    names = [field.name for field in dataclasses.fields(result)]  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, names[0], None)


def test_an_answer_has_frames(result: Shown) -> None:
    assert isinstance(result.frame, pd.DataFrame)
    assert len(result.frame)
    table, *_ = result.frames.values()
    assert next(iter(result.frames)) == "table"
    assert all(isinstance(frame, pd.DataFrame) for frame in result.frames.values())
    assert len(table)


def test_an_answer_explains_itself_in_english_and_korean(result: Shown) -> None:
    english, korean = result.explain(), result.explain("ko")
    assert result.explain("en") == english
    assert english.endswith(".")
    assert re.search("[가-힣]", korean)
    assert not re.search("[가-힣]", english)
    assert korean.rstrip().endswith("니다.")
    assert "nan" not in english.lower().split()
    with pytest.raises(UsageError):
        result.explain("fr")


def test_an_answer_carries_its_receipt(result: Shown, shop: fw.Model) -> None:
    stamp = result.stamp  # type: ignore[attr-defined]
    assert (stamp.model, stamp.model_hash, stamp.outcome) == ("shop", shop.hash, "earned")
    # A budget or a choice is for one horizon: the last one.
    single = isinstance(result, studies.Allocation | studies.RobustChoice | studies.WorthOfKnowing)
    assert stamp.horizons == ((10.0,) if single else (3.0, 10.0))
    assert (stamp.since, stamp.time_unit) == (0.0, "year")
    assert stamp.method.startswith("rk4")
    assert stamp.step == 1 / 8
    assert stamp.receipt()["horizons"] == list(stamp.horizons)


def test_an_answer_is_one_line_and_small_html_with_all_text_escaped(result: Shown) -> None:
    assert "\n" not in repr(result)
    assert len(repr(result)) < 400
    html = result._repr_html_()
    page = Words(html)
    assert set(page.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert re.search("earned of shop after (3, )?10 years from year 0; rk4, step 0.125", page.text)
    assert result.explain() in page.text


def test_labels_with_markup_arrive_as_text(study: studies.Study) -> None:
    page = Words(study.misunderstood()._repr_html_())
    assert "Talk <more> & more" in page.text
    assert "more" not in page.tags
    page = Words(study.leverage()._repr_html_())
    assert "Talk <script>alert(1)</script>" in page.text
    assert "script" not in page.tags
    page = Words(study.ledger()._repr_html_())
    assert "Word of <mouth>" in page.text


# Equal to the analyses --------------------------------------------------------------------------


def test_verbs_say_what_the_analyses_say(shop: fw.Model, study: studies.Study) -> None:
    plain = PlainStudy(shop, "earned", HORIZONS)
    pairs = [
        (study.leverage(), leverage(plain)),
        (study.synergy(), synergy(plain)),
        (study.flips(points=4), flips(plain, points=4)),
        (study.robust(draws=64), robust(plain, draws=64)),
        (study.misunderstood(), misunderstood(plain)),
        (study.dials(top=3, absent=3), structural_dials(plain, top=3, absent=3)),
        (study.dip("cheaper"), dip(plain, "cheaper")),
        (study.ledger(), loop_ledger(plain)),
        (study.vitals(), vitals(plain)),
        (study.sensitivity(["talk"]), sensitivity(plain, ["talk"])),
        (study.allocate(20.0, starts=2), allocate(plain, 20.0, starts=2)),
        (shop.loops(), loops_that_matter(shop)),
    ]
    for shown, computed in pairs:
        assert isinstance(shown, type(computed))
        assert type(shown) is not type(computed)
        pd.testing.assert_frame_equal(shown.frame, computed.frame)
        for language in ("en", "ko"):
            assert shown.explain(language) == computed.explain(language)


def test_the_ladder_counts_dials_too(study: studies.Study) -> None:
    found = study.ladder()
    pd.testing.assert_frame_equal(found.frame, ladder(study.leverage(dials=True)).frame)
    assert {12, 10, 8, 7, 5} <= set(found.levels)
    early = study.ladder(3.0)
    assert early.horizon == 3.0
    assert len(found.labels) == len(found.best)
    with pytest.raises(UsageError, match="horizons"):
        study.ladder(4.0)


def test_leverage_with_dials_has_links_flows_and_tables(study: studies.Study) -> None:
    plain, more = study.leverage(), study.leverage(dials=True)
    assert set(plain.kinds) == {"parameter", "initial", "lever"}
    assert set(more.kinds) == {*plain.kinds, "link", "flow", "table"}
    both = more.frame.merge(plain.frame, on=["element", "horizon"])
    np.testing.assert_allclose(both["attainable_x"], both["attainable_y"])


# Shortcuts of a model ---------------------------------------------------------------------------


def test_a_model_answers_directly(shop: fw.Model, study: studies.Study) -> None:
    def same(one: Shown, other: Shown) -> None:
        assert type(one) is type(other)
        pd.testing.assert_frame_equal(one.frame, other.frame)

    same(shop.leverage("earned", HORIZONS), study.leverage())
    same(shop.dip("louder", "earned", HORIZONS), study.dip("louder"))
    same(shop.loops("earned", HORIZONS), study.ledger())
    same(shop.allocate(20.0, "earned", HORIZONS), study.allocate(20.0))
    same(
        shop.sensitivity("earned", HORIZONS, parameters=["talk"]), study.sensitivity(["talk"])
    )  # fmt: skip


def test_without_an_outcome_the_first_total_is_meant(shop: fw.Model) -> None:
    assert shop.main_outcome() == "earned"
    found = shop.dip("louder")
    assert (found.stamp.outcome, found.stamp.horizons) == ("earned", (10.0,))
    assert found.watched.name == "profit"
    first = SHOP.index("outcome earned")
    other = fw.parse(SHOP[:first] + SHOP[SHOP.index("outcome last") :])
    assert other.main_outcome() == "last"
    assert other.dip("louder").watched.name == "guests"
    bare = fw.parse(FAILING.replace("outcome", "# outcome"))
    with pytest.raises(UsageError, match="declares no outcome"):
        bare.dip("l")


def test_loops_ask_for_an_outcome_with_horizons(shop: fw.Model) -> None:
    with pytest.raises(UsageError, match="horizons are those of an outcome"):
        shop.loops(horizons=3.0)
    assert isinstance(shop.loops(), studies.LoopsThatMatter)


def test_a_dip_takes_a_parameter_and_a_number(study: studies.Study) -> None:
    by_text, by_word = study.dip("talk=0.63"), study.dip(talk=0.63)
    np.testing.assert_array_equal(by_text.difference, by_word.difference)
    declared = study.dip("louder")
    np.testing.assert_allclose(by_text.difference, declared.difference, rtol=1e-9, atol=1e-9)
    course = declared.frames["course"]
    np.testing.assert_allclose(course.index, study.times)
    np.testing.assert_allclose(course["usual"], study.column("profit"))
    pulled = study.pull(["louder"], [[1.0]]).column("profit")[0]
    np.testing.assert_allclose(course["usual"] + course["difference"], pulled)
    worse = study.dip("louder", better=-1).frames["course"]
    pd.testing.assert_frame_equal(worse, course)


# Mistakes ---------------------------------------------------------------------------------------


def test_unknown_names_are_answered_with_the_nearest(shop: fw.Model, study: studies.Study) -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: shop.study("ernd"), "Did you mean 'earned'"),
        (lambda: shop.leverage("ernd"), "Did you mean 'earned'"),
        (lambda: study.dip("loudr"), "Did you mean 'louder'"),
        (lambda: study.dip("tlk=1"), "Did you mean 'talk'"),
        (lambda: study.dip(tlk=1), "Did you mean 'talk'"),
        (lambda: study.misunderstood(["loudr"]), "Did you mean 'louder'"),
        (lambda: study.synergy(["loudr", "cheaper"]), "Did you mean 'louder'"),
        (lambda: study.allocate(1, ["loudr"]), "Did you mean 'louder'"),
        (lambda: study.sensitivity(["tlk"]), "Did you mean 'talk'"),
        (lambda: study.leverage(params=["tlk"]), "Did you mean 'talk'"),
        (lambda: shop.study("earned", scenario="smal"), "Did you mean 'small'"),
    ]
    for ask, hint in cases:
        with pytest.raises(UnknownNameError, match=hint):
            ask()


def test_what_makes_no_sense_is_refused(shop: fw.Model, study: studies.Study) -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: shop.study("earned", 11.0), "after the run, which ends at 10"),
        (lambda: shop.study("earned", 0.0), "greater than 0"),
        (lambda: shop.study("earned", since=0.1), "no saved time"),
        (lambda: shop.study("earned", method="lsoda"), "rk4 or euler"),
        (lambda: study.dip("louder", until=40), "after the run, which ends at 10"),
        (lambda: study.dip("louder", until=0), "fewer than two saved times"),
        (lambda: study.dip("guests=3"), "no parameter called 'guests'"),
        (lambda: study.dip("talk=x"), "no lever"),
        (lambda: study.dip(), "one lever"),
        (lambda: study.sensitivity(method="sobl"), "Did you mean 'sobol'"),
        (lambda: study.allocate(-1.0), "at least 0"),
        (lambda: study.flips(["louder"]), "two levers"),
        (lambda: shop.study("full").dip("louder"), "no variable over time"),
        (lambda: study.leverage().plot("tornadoo"), "Did you mean 'tornado'"),
    ]
    for ask, hint in cases:
        with pytest.raises(UsageError, match=hint):
            ask()


def test_nothing_is_compared_with_a_run_that_failed() -> None:
    model = fw.parse(FAILING)
    late = model.study("z")
    for name in ("leverage", "ladder", "synergy", "dials", "misunderstood", "ledger", "vitals"):
        with pytest.raises(ModelError, match="divides by zero") as raised:
            getattr(late, name)()
        (finding,) = raised.value.findings
        assert finding.span is not None
        assert finding.span.line == 4
        assert "z has no value 10 years after 0" in raised.value.message
    with pytest.raises(ModelError, match="divides by zero"):
        late.dip("l")
    with pytest.raises(ModelError, match="divides by zero"):
        late.allocate(1.0)
    # What draws its own numbers counts the draws that fail, and what ends before is known.
    assert late.sensitivity(["k"]).runs > 0
    early = model.study("early")
    assert early.leverage().frame["attainable"].notna().all()


def test_a_condition_that_is_never_met_is_a_horizon_too_short(shop: fw.Model) -> None:
    with pytest.raises(UsageError, match=r"its condition is not met.*try another horizon"):
        shop.study("full", 0.5).leverage()
    assert shop.study("full", 9.0).leverage().baseline[0] > 0


def test_a_table_made_elsewhere_can_be_shown(shop: fw.Model, study: studies.Study) -> None:
    from flywheel.results import shown

    table = dip(PlainStudy(shop, "earned", HORIZONS), "cheaper")
    found = shown(studies.Dip, table)
    pd.testing.assert_frame_equal(found.frame, study.dip("cheaper").frame)
    assert found.explain() == study.dip("cheaper").explain()
