"""The five questions: their formulas, exact sensitivities, the ranking, chains as files, models."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import flywheel as fw
from flywheel.analysis.assess import DRAWS
from flywheel.analysis.chain import LANGUAGES, chain_of, parse_chain
from flywheel.analysis.questions import (
    JUDGEMENTS,
    QUESTIONS,
    SCORED,
    elasticity,
    reaching,
    scores,
    slope,
)
from flywheel.analysis.sending import RULES
from flywheel.api import chain_names

ROOT = Path(__file__).parents[2]
CHAINS = ROOT / "models" / "chains"
ONES = {
    "integration_gap": 0.5, "price_opacity": 0.2, "availability_opacity": 0.4, "unclear_practice": 0.1,
    "own_cost": 60.0, "paid_now": 100.0, "volume": 500.0, "minimum_scale": 1000.0,
    "api": 0.9, "self_service": 0.8, "sla": 0.5, "multi_tenancy": 0.6,
    "margin": 0.5, "profit_pool": 999.0, "lock_in": 0.2,
    "data_gain": 0.5, "decision_value": 0.6, "legal_risk": 0.3,
}  # fmt: skip


def table(values: Mapping[str, float], name: str = "here") -> dict[str, object]:
    """The values as an entry point of a dict, bare numbers in their five tables."""
    point: dict[str, object] = {"name": name}
    for question in QUESTIONS:
        point[question] = {
            one: value for one, value in values.items() if JUDGEMENTS[one].question == question
        }
    return point


def chain(*points: Mapping[str, object]) -> dict[str, object]:
    return {"name": "test", "point": list(points)}


def value_of(name: str, inner: bool) -> st.SearchStrategy[float]:
    """A plausible value of a judgement; ``inner`` keeps away from where a total is zero or kinked."""
    if JUDGEMENTS[name].share:
        return st.floats(0.05, 0.95) if inner else st.floats(0, 1)
    low, high = {
        "own_cost": (5.0, 80.0), "paid_now": (100.0, 900.0), "volume": (10.0, 900.0),
        "minimum_scale": (1000.0, 9000.0), "profit_pool": (1.0, 1e5),
    }[name]  # fmt: skip
    return st.floats(low, high) if inner else st.floats(max(low / 100, 1e-3), high * 100)


INNER = st.fixed_dictionaries({name: value_of(name, True) for name in SCORED})
ANY = st.fixed_dictionaries({name: value_of(name, False) for name in SCORED})


# The formulas ---------------------------------------------------------------------------------------


def test_the_formulas_by_hand() -> None:
    found = scores(ONES)
    assert found.broken == pytest.approx(1 - 0.5 * 0.8 * 0.6 * 0.9, abs=1e-15)
    assert found.make == pytest.approx(0.4 * 0.5, abs=1e-15)
    assert found.ready == pytest.approx((0.9 * 0.8 * 0.5 * 0.6) ** 0.25, abs=1e-15)
    assert found.profit == pytest.approx(0.5 * 3 / 4 * 0.8, abs=1e-15)
    assert found.data == pytest.approx(0.5 * 0.6 * 0.7, abs=1e-15)
    product = found.broken * found.make * found.ready * found.profit
    assert found.total == pytest.approx(product**0.25 * (1 + 0.21 / 2), abs=1e-15)


def test_what_costs_more_to_make_or_lacks_scale() -> None:
    assert scores({**ONES, "own_cost": 100.0}).make == 0
    assert scores({**ONES, "own_cost": 130.0}).total == 0
    assert scores({**ONES, "volume": 1000.0}).make == scores({**ONES, "volume": 5000.0}).make == 0.4


@pytest.mark.parametrize(
    "name", ["api", "self_service", "sla", "multi_tenancy", "margin", "volume"]
)
def test_the_weakest_link_decides(name: str) -> None:
    assert scores({**ONES, name: 0.0}).total == 0
    best = {**dict.fromkeys(SCORED, 1.0), "own_cost": 0.0, "lock_in": 0.0, "profit_pool": 9999.0}
    assert scores({**best, "legal_risk": 0.0}).total == pytest.approx(1.5)
    assert scores({**best, name: 0.0}).total == 0


def test_without_any_symptom_there_is_nothing_to_mend() -> None:
    symptoms = [name for name, one in JUDGEMENTS.items() if one.question == "broken"]
    well = {**ONES, **dict.fromkeys(symptoms, 0.0)}
    assert scores(well).total == 0
    assert scores({**well, symptoms[0]: 1.0}).broken == 1, "one symptom is enough"


@given(ANY, st.sampled_from(SCORED), st.floats(0, 1))
def test_the_total_is_monotone_in_each_judgement(
    values: dict[str, float], name: str, part: float
) -> None:
    asked = JUDGEMENTS[name]
    high = values[name] + part * ((1 if asked.share else 10 * values[name]) - values[name])
    assume(high > values[name])
    low, more = scores(values), scores({**values, name: high})
    up = (more.total - low.total) * (1 if asked.raises else -1)
    assert up >= -1e-12 * low.total


@given(ANY)
def test_scores_stay_within_their_bounds(values: dict[str, float]) -> None:
    found = scores(values)
    for answer in (found.broken, found.make, found.ready, found.data):
        assert 0 <= answer <= 1 + 1e-12
    assert 0 <= found.total < 2


# Sensitivity ----------------------------------------------------------------------------------------


@given(INNER, st.sampled_from(SCORED))
def test_slopes_agree_with_finite_differences(values: dict[str, float], name: str) -> None:
    step = 1e-5 * values[name]
    up = scores({**values, name: values[name] + step}).total
    down = scores({**values, name: values[name] - step}).total
    exact = slope(values, name)
    scale = scores(values).total / values[name]
    assert exact == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8 * scale)
    assert elasticity(values, name) == pytest.approx(exact / scale)
    assert exact == 0 or (exact > 0) == JUDGEMENTS[name].raises


def test_slopes_in_closed_form() -> None:
    total = scores(ONES).total
    assert slope(ONES, "margin") == pytest.approx(total / 4 / 0.5)
    assert elasticity(ONES, "api") == pytest.approx(1 / 16)
    assert elasticity(ONES, "volume") == pytest.approx(1 / 4)
    assert elasticity(ONES, "own_cost") == pytest.approx(-(60 / 40) / 4)
    assert elasticity(ONES, "data_gain") == pytest.approx(0.105 / 1.105)
    assert slope(ONES, "response_delay") == 0


def test_slopes_where_the_total_is_zero_or_kinked() -> None:
    assert slope({**ONES, "sla": 0.0}, "sla") == math.inf
    assert slope({**ONES, "sla": 0.0}, "margin") == 0
    assert slope({**ONES, "sla": 0.0, "api": 0.0}, "sla") == 0
    assert slope({**ONES, "lock_in": 1.0}, "lock_in") == -math.inf
    assert slope({**ONES, "own_cost": 100.0}, "own_cost") == -math.inf, "the side that counts"
    assert slope({**ONES, "own_cost": 130.0}, "own_cost") == 0
    assert slope({**ONES, "volume": 1000.0}, "volume") == pytest.approx(scores(
        {**ONES, "volume": 1000.0}).total / 4 / 1000)  # fmt: skip
    assert slope({**ONES, "volume": 2000.0}, "volume") == 0
    assert math.isnan(elasticity({**ONES, "sla": 0.0}, "sla"))
    assert elasticity({**ONES, "price_opacity": 0.0}, "price_opacity") == 0


@given(INNER, st.sampled_from(SCORED), st.floats(0.5, 1.5))
def test_the_value_at_which_a_total_is_reached(
    values: dict[str, float], name: str, factor: float
) -> None:
    wanted = scores(values).total * factor
    found = reaching(values, name, wanted)
    if found is not None:
        assert JUDGEMENTS[name].low <= found <= JUDGEMENTS[name].high
        assert scores({**values, name: found}).total == pytest.approx(wanted, rel=1e-6)
        return
    ends = [JUDGEMENTS[name].low, JUDGEMENTS[name].high]
    totals = sorted(scores({**values, name: end}).total for end in ends)
    assert not totals[0] * 1.001 < wanted < totals[1] * 0.999, "there was such a value"


def test_totals_that_nothing_reaches() -> None:
    assert reaching(ONES, "data_gain", 99.0) is None
    assert reaching(ONES, "margin", 0.0) is None
    assert reaching({**ONES, "api": 0.0}, "margin", 0.5) is None
    assert reaching({**ONES, "decision_value": 0.0}, "data_gain", 0.5) is None
    assert reaching(ONES, "response_delay", 0.5) is None


# The example ranking --------------------------------------------------------------------------------

PUBLISHED = {
    "servers": 0.72, "fba": 0.56, "publishing": 0.49, "chips": 0.42, "card_processing": 0.32,
}  # fmt: skip


def test_the_example_ranking() -> None:
    """The order and about the numbers; the judgements behind the published ones are not known."""
    assessment = fw.assess("amazon")
    assert [row.point for row in assessment.ranking] == list(PUBLISHED)
    for row in assessment.ranking:
        assert row.total == pytest.approx(PUBLISHED[row.point], abs=0.03)
        assert row.low < PUBLISHED[row.point] < row.high
    assert assessment.ranking[0].first > 0.9


def test_neighbours_in_the_example_can_change_places() -> None:
    """What the ranking does not settle: fulfilment and publishing are closer than their ranges."""
    ranks = {row.point: (row.best, row.worst) for row in fw.assess("amazon").ranking}
    assert ranks["servers"] == (1, 1)
    assert ranks["fba"] == ranks["publishing"] == (2, 3)


# Robustness -----------------------------------------------------------------------------------------


def two() -> fw.Assessment:
    better = {**ONES, "margin": {"value": 0.6, "range": [0.4, 0.7]}}
    return fw.assess(chain(table(ONES, "plain"), table(better, "rich")))  # type: ignore[arg-type]


def test_a_flip_makes_the_totals_equal() -> None:
    assessment = two()
    assert [row.point for row in assessment.ranking] == ["rich", "plain"]
    assert assessment.flips
    for flip in assessment.flips:
        moved = assessment.with_({flip.point: {flip.judgement: flip.at}})
        totals = [one.total for one in moved.scores.values()]
        assert totals[0] == pytest.approx(totals[1], rel=1e-9)
        assert flip.winner == "plain"
    margin = next(
        one for one in assessment.flips if one.point == "rich" and one.judgement == "margin"
    )
    assert margin.at == pytest.approx(0.5)
    assert margin.inside
    assert margin.distance == pytest.approx(0.1 / 0.2)
    assert assessment.flips[0] == margin, "only this judgement has a range"


def test_going_past_a_flip_changes_the_winner() -> None:
    assessment = fw.assess("grocery")
    for flip in [one for one in assessment.flips if 0 < one.distance < 3]:
        name = flip.judgement
        bounds = JUDGEMENTS[name]
        for sign, winner in ((1.01, flip.winner), (0.99, assessment.ranking[0].point)):
            at = flip.value + sign * (flip.at - flip.value)
            if bounds.low <= at <= bounds.high:
                moved = assessment.with_({flip.point: {name: at}})
                assert moved.ranking[0].point == winner


def test_draws_are_repeatable_and_stay_between_the_extremes() -> None:
    one, two = fw.assess("grocery"), fw.assess("grocery")
    assert one.ranking == two.ranking
    for row in one.ranking:
        point = one.chain.point(row.point)
        ends = []
        for best in (False, True):
            values = {
                name: (judged.high if JUDGEMENTS[name].raises is best else judged.low)
                for name, judged in point.judgements.items()
                if name in SCORED
            }
            ends.append(scores(values).total)
        assert ends[0] <= row.low < row.total < row.high <= ends[1]
        assert 1 <= row.best <= row.rank <= row.worst <= len(one.ranking)
    assert sum(row.first for row in one.ranking) == pytest.approx(1)
    assert round(one.ranking[0].first * DRAWS) == pytest.approx(one.ranking[0].first * DRAWS)


def test_draws_follow_a_triangle() -> None:
    """With one uncertain judgement the mean of the draws is known: (low + peak + high) / 3."""
    from flywheel.analysis.assess import _triangle

    judged = fw.assess("amazon").chain.point("servers").judgements["own_cost"]
    chances = (np.arange(200_000) + 0.5) / 200_000
    drawn = _triangle(judged, chances)
    assert drawn.mean() == pytest.approx((judged.low + judged.value + judged.high) / 3, rel=1e-6)
    assert (np.diff(drawn) >= 0).all()
    assert judged.low <= drawn[0] < drawn[-1] <= judged.high


def test_without_ranges_nothing_is_uncertain() -> None:
    assessment = fw.assess(chain(table(ONES, "a"), table({**ONES, "margin": 0.4}, "b")))
    for row in assessment.ranking:
        assert row.low == pytest.approx(row.total)
        assert row.high == pytest.approx(row.total)
    assert all(flip.distance == math.inf for flip in assessment.flips)
    assert "No single judgement" in assessment.explain()


def test_all_zero_and_a_single_point() -> None:
    nothing = fw.assess(chain(table({**ONES, "sla": 0.0})))
    assert nothing.ranking[0].total == 0
    assert nothing.flips == ()
    assert nothing.explain().startswith("No entry point scores")
    assert "0입니다" in nothing.explain("ko")
    alone = fw.assess(chain(table(ONES)))
    assert alone.flips == ()
    assert alone.explain().count(". ") == 1
    assert alone.ranking[0].first == 1


def test_equal_totals_keep_the_order_of_the_file() -> None:
    assessment = fw.assess(chain(table(ONES, "b"), table(ONES, "a")))
    assert [row.point for row in assessment.ranking] == ["b", "a"]


# What one does with it ------------------------------------------------------------------------------


def test_other_judgements_make_another_assessment() -> None:
    assessment = fw.assess("amazon")
    moved = assessment.with_({"servers": {"minimum_scale": 200_000}})
    assert isinstance(moved, fw.Assessment)
    assert assessment.ranking[0].point == "servers" != moved.ranking[0].point
    judged = moved.chain.point("servers").judgements["minimum_scale"]
    assert (judged.value, judged.high, judged.evidence.source) == (200_000, 200_000, "set by hand")
    same = assessment.with_({"Servers": {"MINIMUM_SCALE": 15_000}})
    assert same.chain == assessment.chain
    with pytest.raises(fw.UnknownNameError, match="'servers'"):
        assessment.with_({"server": {"api": 0.5}})
    with pytest.raises(fw.UnknownNameError, match="'lock_in'"):
        assessment.with_({"servers": {"lockin": 0.5}})
    with pytest.raises(fw.UsageError, match=r"from 0 to 1, not 1\.5"):
        assessment.with_({"servers": {"api": 1.5}})
    with pytest.raises(fw.UsageError, match="must be a number"):
        assessment.with_({"servers": {"api": math.nan}})


def test_tables_for_pandas() -> None:
    assessment = fw.assess("amazon")
    frame = assessment.frame
    assert list(frame.index) == list(PUBLISHED)
    assert frame.loc["fba", "total"] == assessment.scores["fba"].total
    rows = assessment.sensitivity_frame
    assert len(rows) == 5 * len(SCORED)
    assert rows.loc[("servers", "api"), "evidence"] == "estimate"


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        fw.assess("amazon").chain = None  # type: ignore[misc, assignment]


@pytest.mark.parametrize("name", chain_names())
def test_explanations_name_what_they_talk_about(name: str) -> None:
    assessment = fw.assess(name)
    top, second = assessment.ranking[:2]
    for language in LANGUAGES:
        said = assessment.explain(language)
        for row in (top, second):
            assert assessment.chain.point(row.point).text(language) in said
            assert f"{row.total:.2f}" in said
        assert JUDGEMENTS[assessment.tornado(top.point)[0].judgement].text(language) in said
        assert f"{top.first:.0%}" in said
    with pytest.raises(fw.UsageError, match="en or ko"):
        assessment.explain("fr")


def test_an_open_first_place_is_called_open() -> None:
    assert "The first place is open" in fw.assess("grocery").explain()
    assert "확정적이지 않습니다" in fw.assess("grocery").explain("ko")
    assert "No single judgement within its range" in fw.assess("amazon").explain()


# Figures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figure_shows_every_answer(language: str) -> None:
    assessment = fw.assess("amazon")
    heat, dots = assessment.plot(language=language).data
    assert [list(row) for row in heat.z] == [list(row.scores[:5]) for row in assessment.ranking]
    assert list(dots.x) == [row.total for row in assessment.ranking]
    figure = assessment.plot("servers", language=language, dark=True)
    (bars,) = figure.data
    strongest = assessment.tornado("servers")[0]
    assert bars.x[0] == strongest.swing
    assert figure.layout.title.text == assessment.chain.point("servers").text(language)
    with pytest.raises(fw.UnknownNameError, match="'servers'"):
        assessment.plot("serfers")


def test_labels_are_escaped_in_figures_and_notebooks() -> None:
    bad = {**table(ONES), "label": {"en": "<script>alert(1)</script>"}}
    assessment = fw.assess(chain(bad))
    page = assessment.plot().to_json() + assessment.plot("here").to_json()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    html = assessment._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


# Sending to models ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", RULES)
def test_the_parameters_are_there_and_have_ranges(model: str) -> None:
    shipped = fw.load(model)
    for name in RULES[model]:
        assert shipped.params[name].low is not None
        assert shipped.params[name].high is not None


def test_the_aws_models_scales_are_the_ones_sent_to() -> None:
    shipped = fw.load("aws").params
    assert shipped["price0"].value == 0.001, "one unit of computing is a million USD a year"
    assert shipped["t_open"].value == 2006.25


def test_what_is_sent_by_the_rules() -> None:
    sent = fw.assess(chain(table(ONES))).send("here")
    q = scores(ONES)
    assert sent["margin_opportunity"] == {
        "inc_margin": 0.5,
        "cost0": pytest.approx(1.6 - 0.6 * q.make),
        "spend_auto": pytest.approx(0.3 * q.ready),
        "p_switch": pytest.approx(0.002 + 0.02 * q.broken),
        "inc_delay": pytest.approx(1 + 4 * q.broken * (1 - q.make)),
    }
    assert sent["iot_data_asset"] == {"q_base": pytest.approx(0.35), "legal": pytest.approx(1.8)}
    assert sent["marketplace"] == {"take_rate": 0.25}
    aws = sent["aws"]
    assert aws["cost0"] == pytest.approx(0.0006)
    assert aws["t_open"] == pytest.approx(2006.25 + 4 * (1 - q.ready))
    assert aws["internal0"] == 20, "50,000 USD a year is far below the model's range"
    assert aws["rival_strength"] == 0.5
    assert any("aws.internal0: 0.05 asked for, clipped to the plausible 20 to 200" in note
               for note in sent.notes)  # fmt: skip
    assert [row.parameter for row in sent.rows if row.clipped] == ["internal0", "rival_strength"]


def test_a_delay_that_was_judged_beats_the_rule() -> None:
    judged = table({**ONES, "response_delay": 4.0})
    sent = fw.assess(chain(judged)).send("here")
    assert sent["margin_opportunity"]["inc_delay"] == 4
    assert any("judged directly" in note for note in sent.notes)
    assert fw.assess("amazon").send("servers")["margin_opportunity"]["inc_delay"] == 6, (
        "7 is clipped"
    )


def test_what_cannot_leave_is_the_strongest_rival() -> None:
    assert (
        fw.assess(chain(table({**ONES, "lock_in": 1.0}))).send("here")["aws"]["rival_strength"] == 4
    )


@pytest.mark.parametrize("name", chain_names())
def test_models_run_with_what_is_sent(name: str) -> None:
    assessment = fw.assess(name)
    for point in assessment.chain.points:
        sent = assessment.send(point.name)
        assert set(sent) == set(point.models)
        for model, values in sent.items():
            run = fw.load(model).run(overrides=values)
            assert run.ok, (point.name, model, run.status.message)
            assert dict(run.overrides) == values


def test_better_entry_points_end_with_more_share() -> None:
    """What the score is for: in the model of the entrant the first point beats the last."""
    assessment = fw.assess("amazon")
    shares = {}
    for row in (assessment.ranking[0], assessment.ranking[-1]):
        run = fw.load("margin_opportunity").run(
            overrides=assessment.send(row.point)["margin_opportunity"]
        )
        shares[row.point] = float(run["share"][-1])
    assert shares["servers"] > shares["card_processing"] + 0.05


def test_sending_says_what_it_could_not_compare() -> None:
    from flywheel.analysis.assess import Assessment

    sent = Assessment(chain_of(chain(table(ONES)))).send("here")
    assert sent["marketplace"] == {"take_rate": 0.25}
    assert all("not at hand" in row.note for row in sent.rows)
    other = fw.parse("model marketplace\ntime 0 to 1 [year] step 1\nparam tak_rate [1] = 0.1\n")
    with pytest.raises(fw.UnknownNameError, match="Did you mean 'tak_rate'"):
        fw.assess(chain(table(ONES))).send("here", {"marketplace": other})


# Chains as files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", chain_names())
def test_shipped_chains_are_complete(name: str) -> None:
    path = CHAINS / f"{name}.toml"
    loaded = fw.assess(path).chain
    assert loaded.name == name
    assert fw.assess(name).chain == loaded
    assert 3 <= len(loaded.points) <= 6
    for owner in (loaded, *loaded.points):
        for words in (owner.label, owner.doc):
            assert set(words) == set(LANGUAGES)
            assert any("가" <= letter <= "힣" for letter in words["ko"])
    for point in loaded.points:
        assert set(point.judgements) == set(JUDGEMENTS)
        for judged in point.judgements.values():
            assert judged.low < judged.high
            assert len(judged.evidence.source) > 8
    rest = tomllib.loads(path.read_text())
    assert set(rest) == {"name", "label", "doc", "point"}


def text(**changes: str) -> str:
    """A sound chain as TOML, with one judgement's line, or a whole line, replaced."""
    lines = ['name = "small"', "[[point]]", 'name = "spot"', 'unit = "piece"']
    for question in QUESTIONS:
        lines.append(f"[point.{question}]")
        for name, value in ONES.items():
            if JUDGEMENTS[name].question == question:
                line = (f'{name} = {{ value = {value}, range = [{value}, {value}], '
                        'evidence = "guess", source = "a test" }')  # fmt: skip
                lines.append(changes.get(name, line))
    return "\n".join(changes.get(line.partition(" =")[0] + "_", line) for line in lines)


GOOD = 'value = 0.5, range = [0.4, 0.6], evidence = "guess", source = "a test"'


def judged(name: str, body: str) -> str:
    return text(**{name: f"{name} = {{ {body} }}"})


@pytest.mark.parametrize(
    ("toml", "message", "hint", "place"),
    [
        (text(api="apl = { " + GOOD + " }"), "no key 'apl'", "did you mean api?", "apl"),
        (text(api=""), "does not judge api", "api = { value = 0.5", "[point.ready]"),
        (text(api="api = 0.5"), "must say value, range", "api = {", "api"),
        (text(api="margin = { " + GOOD + " }"), "no key 'margin'", "margin in [point.profit]", ""),
        (judged("sla", GOOD.replace("0.5,", "1.5,")), "from 0 to 1, not 1.5", "", "sla"),
        (judged("sla", GOOD.replace("0.5,", "true,")), "must be a number, not True", "", "sla"),
        (judged("sla", GOOD.replace("0.5,", "nan,")), "must be a number, not nan", "", "sla"),
        (judged("sla", GOOD.replace("0.5,", "9" * 400 + ",")), "must be a number", "", "sla"),
        (judged("sla", GOOD.replace("0.5,", '"high",')), "must be a number, not 'high'", "", "sla"),
        (judged("sla", GOOD.replace("0.5,", "0.9,")), "not in its own range 0.4 to 0.6", "", "sla"),
        (judged("sla", GOOD.replace("[0.4, 0.6]", "[0.4, 7]")), "its range must be from", "", "sla"),
        (judged("sla", GOOD.replace("[0.4, 0.6]", "[0.4]")), "plausible range", "[low, high]", "sla"),
        (judged("sla", GOOD.replace("[0.4, 0.6]", "0.5")), "plausible range", "[low, high]", "sla"),
        (judged("sla", 'value = 0.5, evidence = "guess", source = "x"'), "plausible range", "", "sla"),
        (judged("sla", GOOD.replace("value", "valeu")), "no key 'valeu'", "mean value?", "sla"),
        (judged("sla", GOOD.replace('"guess"', '"gues"')), "evidence is", '"guess"', "sla"),
        (judged("sla", GOOD.replace('"a test"', '""')), "where its number comes from", "", "sla"),
        (judged("sla", GOOD.replace('a test"', 'a\\u001b[1m"')), "where its number", "", "sla"),
        (judged("paid_now", GOOD.replace("0.5,", "0,")), "from 1e-09", "", "paid_now"),
        (text(unit_=""), "must say the unit", 'unit = "order"', "[[point]]"),
        (text(name_="name = 'two words'"), "needs a name", "", "name"),
        (text(unit_="unit = 'x'\nmodels = ['awz']"), "cannot be sent to", "margin_opp", "models"),
        (text() + "\n[point.extra]\nx = 1", "no key 'extra'", "it has name", "[point.extra]"),
        (text() + '\n[[point]]\nname = "spot"', "has no table [point.broken]", "", "[[point]]"),
        ('name = "none"', "has no entry point", "[[point]]", ""),
        ("point = [1]\nname = 'x'", "an entry point is a table", "", "point"),
        ("name = 'x'\nname = 'y'", "this is no TOML", "", ""),
        ("a = " + "[" * 9000, "no TOML", "", ""),
    ],
)  # fmt: skip
def test_mistakes_name_the_file_the_key_and_the_nearest(
    toml: str, message: str, hint: str, place: str
) -> None:
    with pytest.raises(fw.ModelError) as caught:
        parse_chain(toml, name="small.toml")
    found = [one for one in caught.value.findings if message in one.message]
    if not found and toml.startswith("a = "):  # some versions of the reader give up on its depth
        assert "nested too deep" in str(caught.value)
        return
    assert found, str(caught.value)
    assert hint in found[0].hint
    assert "small.toml" in found[0].render()
    if place:
        assert found[0].span is not None
        assert place in found[0].span.source.line(found[0].span.line)


def test_all_mistakes_are_told_at_once() -> None:
    toml = text(api="", sla="sla = 1", margin="margin = { value = 2 }")
    with pytest.raises(fw.ModelError, match="small") as caught:
        parse_chain(toml, name="small.toml")
    said = str(caught.value)
    for name in ("api", "sla", "margin"):
        assert name in said
    assert len(caught.value.findings) >= 4
    assert caught.value.message.endswith("mistakes in the value chain")


def test_two_points_of_one_name() -> None:
    with pytest.raises(fw.ModelError, match="two entry points called 'HERE'"):
        fw.assess(chain(table(ONES, "here"), table(ONES, "HERE")))


def test_a_dict_is_read_kindly_but_not_blindly() -> None:
    kind = chain_of(chain(table(ONES))).point("HERE")
    assert kind.values == ONES
    assert kind.text("ko") == "here"
    assert kind.judgements["api"].low == kind.judgements["api"].high == 0.9
    wrong = deepcopy(table(ONES))
    wrong["ready"]["apy"] = wrong["ready"].pop("api")  # type: ignore[index, attr-defined]
    with pytest.raises(fw.ModelError, match="did you mean api"):
        fw.assess(chain(wrong))
    with pytest.raises(fw.ModelError, match="no entry point"):
        fw.assess({"name": "x"})
    with pytest.raises(fw.ModelError, match="more than 100"):
        fw.assess(chain(*[table(ONES, f"p{number}") for number in range(101)]))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(fw.UnknownNameError, match="Did you mean 'amazon'"):
        fw.assess("amazn")
    with pytest.raises(fw.UsageError, match="there is no file"):
        fw.assess(tmp_path / "nothing.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(fw.UsageError, match="not UTF-8"):
        fw.assess(tmp_path / "latin.toml")
    (tmp_path / "large.toml").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(fw.LimitError, match="1 MiB"):
        fw.assess(tmp_path / "large.toml")
    with pytest.raises(fw.UsageError, match="not 7"):
        fw.assess(7)  # type: ignore[arg-type]
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbf" + text().replace("\n", "\r\n").encode())
    assert fw.assess(tmp_path / "bom.toml").chain.name == "small"


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_any_text_is_a_chain_or_a_mistake(toml: str) -> None:
    with pytest.raises(fw.ModelError):
        parse_chain(toml)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.sampled_from(["name", "label", "doc", "models", "unit", *QUESTIONS]), JSON)
def test_any_value_anywhere_is_a_chain_or_a_mistake(where: str, value: object) -> None:
    with suppress(fw.ModelError):
        assert fw.assess(chain({**table(ONES), where: value})).explain()
