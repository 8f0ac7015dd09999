"""Levers of whole models: closed forms of small flywheels, and the core model against itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.decide.words import say
from flywheel.analysis.levers.dip import dip, dips
from flywheel.analysis.levers.flip import flips
from flywheel.analysis.levers.judging import misjudged_in_time
from flywheel.analysis.levers.ladder import ladder, level_rank_correlation
from flywheel.analysis.levers.levels import levels_of
from flywheel.analysis.levers.misunderstood import misunderstood, misunderstood_under
from flywheel.analysis.levers.openloop import (
    feedback_links,
    measured_signs,
    opened,
    returning_links,
)
from flywheel.analysis.levers.pulling import bench, levers_of
from flywheel.analysis.levers.ranking import leverage
from flywheel.analysis.levers.robust import robust, spread
from flywheel.analysis.levers.synergy import synergy
from flywheel.analysis.levers.watch import course
from flywheel.analysis.levers.words import percent
from flywheel.analysis.sensitivity.ranges import ranges_of
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study
from flywheel.structure import graph, shortest_path

MARGIN = """
model margin "Your margin is my opportunity"
time 0 to 30 [year] step 1/16 save 1/8
unit customer
stock customers [customer] = 100 gains growing
flow growing [customer/year] = (a - b * margin) * customers
aux profit [customer/year] = margin * customers
param a [1/year] = 0.3 in 0.25 .. 0.35
param b [1/year] = 2
param margin [1] = 0.1 in 0.05 .. 0.15
outcome total_profit "All profit" [customer] = total profit
    ko "모든 이익"
lever lower "Ask for less" = margin by -10% cost 0.01 * profit
    ko "덜 받기"
lever higher "Ask for more" = margin by 10%
lever later "Ask for less from 10 on" = margin to 0.09 at 10
"""
A, B, USUAL, LESS, N0, END = 0.3, 2.0, 0.1, 0.09, 100.0, 30.0


def total(margin: float, end: float = END) -> float:
    growth = A - B * margin
    return margin * N0 * (math.expm1(growth * end) / growth if abs(growth) > 1e-9 else end)


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(fw.parse(MARGIN), "total_profit")


def test_a_lower_margin_dips_as_its_closed_form_says(study: Study) -> None:
    found = dip(study, "lower")
    assert found.shape == "worse before better"
    assert found.watched.name == "profit"
    assert found.watched.why == "total"
    usual = total(USUAL) / END
    assert found.scale == pytest.approx(usual, rel=1e-4)
    assert found.swing.t_flow[0] == pytest.approx(math.log(USUAL / LESS) / (B * 0.01), abs=1e-3)
    assert found.swing.npv[0] == pytest.approx(total(LESS) - total(USUAL), rel=1e-3)
    # The gap is deepest where m₁ g₁ e^(g₁ t) = m₀ g₀ e^(g₀ t).
    one, two = A - B * LESS, A - B * USUAL
    when = math.log(USUAL * two / (LESS * one)) / (one - two)
    expected = 0.0 if when < 0 else when
    assert found.swing.trough[0] == pytest.approx(expected, abs=0.13)
    deepest = USUAL * N0 * math.exp(two * expected) - LESS * N0 * math.exp(one * expected)
    assert found.swing.depth[0] == pytest.approx(deepest / usual, rel=1e-3)
    then = deepest / (USUAL * N0 * math.exp(two * expected))
    assert found.swing.depth_then[0] == pytest.approx(then, rel=1e-3)
    told = percent(float(found.swing.depth_then[0]))
    assert f"falls short by {told} of the usual level of the time" in found.explain()
    assert f"그 시점 평소 수준의 {told}만큼" in found.explain("ko")
    frame = found.frame["lower"]
    assert frame["depth_then"] == pytest.approx(then, rel=1e-3)
    assert frame["watched"] == "profit"
    assert frame["t_pay"] == pytest.approx(found.swing.t_pay[0])


def test_more_discount_makes_it_worth_less_until_the_internal_rate(study: Study) -> None:
    plain = dip(study, "lower")
    (rate,) = plain.swing.rates[0]
    at_rate = dip(study, "lower", discount=math.expm1(rate))
    assert at_rate.swing.npv[0] == pytest.approx(0.0, abs=1e-6 * plain.swing.npv[0])
    assert dip(study, "lower", discount=0.05).swing.npv[0] < plain.swing.npv[0]


def test_a_lever_counts_from_its_own_time(study: Study) -> None:
    found = dip(study, "later")
    assert found.start == 10.0
    assert found.times[0] == 0.0
    assert found.times[-1] == 20.0
    assert found.swing.t_flow[0] == pytest.approx(math.log(USUAL / LESS) / (B * 0.01), abs=1e-3)
    moved = dip(study, "lower", at=10.0)
    assert np.allclose(moved.difference, found.difference)


def test_an_undeclared_lever_is_a_parameter_with_a_value(study: Study) -> None:
    by_name, by_value = dip(study, "lower"), dip(study, margin=0.09)
    assert np.allclose(by_name.difference, by_value.difference, atol=1e-9)
    assert np.allclose(dip(study, "margin=0.09").difference, by_value.difference)
    with pytest.raises(UnknownNameError, match="lower"):
        dip(study, "lowr")
    with pytest.raises(UsageError, match="one lever"):
        dip(study)
    with pytest.raises(UsageError, match="no lever"):
        dip(study, "margin=much")
    with pytest.raises(UsageError, match="better"):
        dip(study, "lower", better=2)


def test_less_may_be_better(study: Study) -> None:
    one, other = dip(study, "lower"), dip(study, "lower", better=-1)
    assert other.shape == "better before worse"
    assert other.swing.npv[0] == pytest.approx(-one.swing.npv[0])
    assert other.mirror.depth[0] == pytest.approx(one.swing.depth[0])


def test_sentences_carry_the_numbers(study: Study) -> None:
    found = dip(study, "lower")
    english, korean = found.explain(), found.explain("ko")
    assert "worse before better" in english
    assert "먼저 나빠졌다가 좋아집니다" in korean
    assert "덜 받기" in korean
    assert f"pays back after {say(float(found.swing.t_pay[0]))} years" in english
    with pytest.raises(UsageError):
        found.explain("fr")


def test_outcomes_without_a_course_have_no_dip() -> None:
    model = fw.parse(MARGIN + "outcome when [year] = time of customers > 200\n")
    with pytest.raises(UsageError, match="no variable over time"):
        dip(Study(model, "when"), "lower")


# Open loop ---------------------------------------------------------------------------------------


def test_the_loop_is_cut_and_the_open_effect_is_its_closed_form(study: Study) -> None:
    cut = misunderstood(study, ["lower", "higher"], open_loop="start", noise=0.0)
    assert cut.links == (("customers", "growing"),)
    grow = [A - B * m for m in (LESS, USUAL)]
    level = [m * N0 * (END + g * END**2 / 2) for m, g in zip((LESS, USUAL), grow, strict=True)]
    assert cut.open_worth[0] == pytest.approx(level[0] - level[1], rel=1e-6)
    planned = misunderstood(study, ["lower", "higher"], noise=0.0)
    # Growth of the customers as planned: N = N₀ (1 + (g₁/g₀)(e^(g₀ t) − 1)).
    ratio = grow[0] / grow[1]
    customers = END * (1 - ratio) + ratio * math.expm1(grow[1] * END) / grow[1]
    assert planned.open_worth[0] == pytest.approx(LESS * N0 * customers - total(USUAL), rel=2e-2)
    assert planned.worth[0] == pytest.approx(total(LESS) - total(USUAL), rel=1e-3)


def test_observers_misjudge_the_margin_and_its_mirror_alike(study: Study) -> None:
    found = misunderstood(study, ["lower", "higher"], observed=5.0, noise=0.0)
    assert np.array_equal(found.mui_time, [1.0, 1.0])
    assert found.verdicts.quadrant == ("misunderstood", "seductive")
    assert found.verdicts.mli[0] > 0 > found.verdicts.mli[1]
    assert found.tau == -1.0
    assert list(found.early_rank - found.rank) == [1, -1]
    assert "Ask for less" in found.explain()
    assert "덜 받기" in found.explain("ko")
    assert set(found.frame.columns) >= {"mli", "quadrant", "feedback_share", "rank_jump"}


def test_noise_is_measured_in_the_years_that_observers_see(study: Study) -> None:
    """A difference of -0.01 N(t) at once, small against the mean of thirty years of growth."""
    seen = misunderstood(study, ["lower", "higher"], observed=2.0, noise=0.05)
    one = dip(study, "lower")
    growth = A - B * USUAL
    level = USUAL * N0 * math.expm1(growth * 2.0) / growth / 2.0
    found = misjudged_in_time(
        one.times,
        one.difference[None],
        one.swing.npv,
        observed=2.0,
        noise=np.array([0.05 * level]),
    )
    assert seen.mui_time[0] == pytest.approx(found[0], rel=1e-4)
    assert seen.mui_time[0] > 0.85
    # By the level of thirty years it would be hardly more than even.
    assert seen.stamp.settings["noise_of"] == "usual level while observed"
    under = misunderstood_under(study, ["lower", "higher"], names=["a"], draws=8, observed=2.0)
    assert (np.sign(under.mli[:, 0]) == [1, -1]).all()
    assert under.mli[0, 0] == pytest.approx(seen.verdicts.mli[0], rel=0.2)


@pytest.mark.parametrize("observed", [0.1, 1.0, 1.3, 7.0, 99.0])
def test_the_level_observed_is_the_mean_of_straight_pieces(observed: float) -> None:
    times = np.array([0.0, 1.0, 4.0])
    one = course(times, np.array([[1.0, 3.0, 6.0]]), np.zeros((1, 3)), 0.0, 4.0)
    end = min(observed, 4.0)
    exact = (end + end**2 if end <= 1 else 2.0 + (end - 1) * (3 + (end - 1) / 2)) / end
    assert one.level_until(observed)[0] == pytest.approx(exact)


LIMIT = """
model limit "A market that runs out"
time 0 to 20 [year] step 1/16 save 1/8
stock customers = 1 gains joining
flow joining = (reach + talk * customers) * left
aux left = max(market - customers, 0)
aux profit = (price - 1) * customers
param reach = 0.02
param talk = 0.005
param price = 2
param market = 100
outcome all = total profit
lever advertise "Advertise" = reach by 100%
lever dearer "Ask for more" = price by 10%
"""


def test_a_limit_through_an_auxiliary_holds_with_the_loops_open() -> None:
    """Customers run out as before; only what they tell each other is cut, from either side."""
    model = fw.parse(LIMIT)
    signs = measured_signs(model)
    links = feedback_links(model, ["profit"], signs)
    assert links == (("customers", "joining"),)
    assert returning_links(model, model.levers["advertise"], signs) == links
    found = misunderstood(Study(model, "all"))
    assert found.open_reasons == ("", "")
    # N' = (2a + b N_planned) (100 - N) stays below the market, and the gain below what is left of it.
    asked = Study(model, "all")
    left = np.trapezoid(100.0 - asked.column("customers"), asked.times)
    assert 0 < found.open_worth[0] < left


@pytest.mark.parametrize("lever", ["keep_half", "buffer"])
def test_a_worth_whose_sign_hangs_on_the_cut_is_none(lever: str) -> None:
    """Capacity that goes on as planned while customers leave costs what nobody uses."""
    found = misunderstood(Study(fw.load("aws"), "income_all", [18.0]), [lever, "pass_all"])
    assert np.isnan(found.open_worth[0])
    assert "where the loops are cut" in found.open_reasons[0]
    assert np.isnan(found.verdicts.feedback_share[0])
    assert found.verdicts.mui_fb[0] == 0
    assert found.verdicts.mui[0] == found.mui_time[0]
    assert found.open_worth[1] * found.worth[1] > 0
    assert "judged by time alone" in found.explain()
    assert "시간으로만" in found.explain("ko")


def test_over_an_ensemble_the_good_lever_stays_good(study: Study) -> None:
    found = misunderstood_under(study, ["lower", "higher"], names=["a"], draws=32)
    assert found.good[0] == 1.0
    assert found.good[1] == 0.0
    assert np.isfinite(found.patience[0])
    assert math.isinf(found.patience[1])
    # What is most surely good is not also what is hardest to say.
    assert found.explain().count("Ask for less") == 1
    assert 'Of the others "Ask for more" is the hardest to say (0%)' in found.explain()
    assert found.explain("ko").count("덜 받기") == 1
    alone = misunderstood_under(study, ["lower"], names=["a"], draws=8)
    assert "hardest" not in alone.explain()
    again = misunderstood_under(study, ["lower", "higher"], names=["a"], draws=32)
    assert np.array_equal(found.mli, again.mli)


@pytest.mark.parametrize("name", ["core_flywheel", "aws", "margin_opportunity", "ebay"])
def test_opening_leaves_only_adjustments_and_the_run_as_it_was(name: str) -> None:
    model = fw.load(name)
    outcome = next(o for o in model.outcomes.values() if o.measure == "total")
    asked = Study(model, outcome.name)
    watched = outcome.expr.name  # type: ignore[union-attr]
    links = feedback_links(model, [watched], measured_signs(model))
    assert links
    columns = {source: asked.column(source) for source, _ in links}
    cut, switches = opened(model, links, asked.times, columns)
    left = Study(cut, outcome.name, overrides=dict.fromkeys(switches, 0.0))
    assert np.asarray(left.value) == pytest.approx(np.asarray(asked.value), rel=1e-9)
    same = Study(cut, outcome.name)
    # Cut links read straight lines between saves, which costs up to a percent while much grows.
    assert np.asarray(same.value) == pytest.approx(np.asarray(asked.value), rel=1e-2)
    # Each cut link closed a loop, and its target no longer reads its source.
    after = graph(cut)
    for source, target in links:
        assert target not in after[source]
        assert shortest_path(graph(model), target, source) is not None


# Leverage ----------------------------------------------------------------------------------------


def test_the_elasticity_to_the_margin_turns_with_the_horizon() -> None:
    horizons = (1.0, 3.0, 5.0, 10.0, 30.0)
    table = leverage(Study(fw.parse(MARGIN), "total_profit", horizons))
    place = table.names.index("margin")
    growth = A - B * USUAL
    for row, end in enumerate(horizons):
        slope = end / -math.expm1(-growth * end) - 1 / growth
        exact = 1 - USUAL * B * slope
        assert table.elasticity[row, place] == pytest.approx(exact, rel=1e-4)
        ends = [total(m, end) - total(USUAL, end) for m in (0.05, 0.15)]
        assert table.at_low[row, place] == pytest.approx(ends[0], rel=1e-4)
        assert table.at_high[row, place] == pytest.approx(ends[1], rel=1e-4)
        assert table.attainable[row, place] == pytest.approx(max(ends, key=abs), rel=1e-4)
    assert table.elasticity[0, place] > 0 > table.elasticity[-1, place]
    assert table.flips[place]
    assert not table.flips[table.names.index("a")]
    assert table.confirmed.all()
    assert set(table.kinds) == {"parameter", "initial", "lever"}
    assert "change" in table.explain()


def test_what_scales_the_outcome_has_elasticity_one_and_a_lever_its_full_effect() -> None:
    table = leverage(Study(fw.parse(MARGIN), "total_profit"))
    assert table.elasticity[0, table.names.index("customers")] == pytest.approx(1.0, abs=1e-9)
    lower = table.names.index("lower")
    assert table.method[lower] == "adjoint"
    assert table.at_high[0, lower] == pytest.approx(total(LESS) - total(USUAL), rel=1e-5)
    # A pull of one percent is a tenth of a percent off the margin.
    assert table.elasticity[0, lower] == pytest.approx(
        -0.1 * table.elasticity[0, table.names.index("margin")], rel=1e-9
    )
    assert table.cost[0, lower] == pytest.approx(0.01 * total(LESS), rel=1e-3)
    assert table.per_cost[0, lower] == pytest.approx(
        (total(LESS) - total(USUAL)) / (0.01 * total(LESS)), rel=1e-3
    )
    assert math.isnan(table.per_cost[0, table.names.index("higher")])
    assert table.assumed[table.names.index("b")]
    assert not table.assumed[table.names.index("a")]
    ranked = table.frame
    assert list(ranked["rank"]) == sorted(ranked["rank"])
    sizes = ranked["attainable"].abs().dropna().to_numpy()
    assert np.all(np.diff(sizes) <= 0)


def test_a_lever_that_starts_late_acts_late() -> None:
    table = leverage(Study(fw.parse(MARGIN), "total_profit"))
    later = table.names.index("later")
    assert table.method[later] == "adjoint"
    assert np.all(table.profile[0, table.times <= 10.0, later] == 0.0)
    assert table.checked[0, later] == pytest.approx(table.slope[0, later], rel=1e-5)


# Ladder ------------------------------------------------------------------------------------------

KINDS = """
model kinds
time 0 to 20 [year] step 1/8 save 1/4
stock level [1] = start gains filling
flow filling [1/year] = (goal - level) / tau
aux seen [1] = smooth(level, patience)
flow rule [1/year] = gain * seen
    desired 2 * gain * seen
param start [1] = 1
param goal [1] = 5
param tau [year] = 3
param patience [year] = 2
param gain [1/year] = 0.2
outcome all_seen [1] = total rule
lever push = gain by 10% level 7
"""


def test_levels_are_read_off_the_structure() -> None:
    found = levels_of(fw.parse(KINDS))
    assert found == {
        "start": 11,
        "level": 11,
        "goal": 3,
        "tau": 9,
        "patience": 9,
        "gain": 7,
        "push": 7,
        "rule.desired": 5,
    }


def test_the_folklore_is_tested_with_an_interval() -> None:
    levels = np.repeat([12, 10, 7, 3], 6)
    chance = np.random.default_rng(3)
    borne_out = level_rank_correlation(levels, 100.0 / levels + chance.normal(0, 0.1, 24))
    assert borne_out.rho < -0.9
    assert borne_out.high < 0
    assert borne_out.chance < 0.01
    nothing = level_rank_correlation(levels, chance.normal(size=24))
    assert nothing.low < 0 < nothing.high
    assert nothing.chance > 0.05
    turned = level_rank_correlation(levels, levels.astype(float))
    assert turned.rho == pytest.approx(1.0)
    assert math.isnan(level_rank_correlation(levels[:6], np.ones(6)).rho)
    with pytest.raises(UsageError, match="100 draws"):
        level_rank_correlation(levels, levels.astype(float), draws=5)


def test_shares_of_the_ladder_add_up() -> None:
    found = ladder(leverage(Study(fw.parse(KINDS), "all_seen")))
    assert found.levels == (11, 9, 7, 3)
    assert found.shares.sum() == pytest.approx(1.0)
    assert list(found.counts) == [2, 2, 2, 1]
    assert np.all(found.top3 <= found.biggest)
    assert found.best[-1] == "goal"
    assert "level" in found.explain()
    assert "단계" in found.explain("ko")


# Bundles, flips, robustness ----------------------------------------------------------------------

CHOICE = """
model choice
time 0 to 4 [year] step 1/8 save 1/4
param x [1/year] = 1 in 0.5 .. 4
param y [1/year] = 2 in 1.5 .. 3
param u [1] = 1
param v [1] = 1
flow made [1/year] = x * u + y * v
flow both [1/year] = x * u * v
outcome sum [1] = total made
outcome product [1] = total both
lever double_u "Double u" = u by 100%
lever double_v "Double v" = v by 100%
lever late_u "Double u late" = u by 100% at 2
"""


def test_an_additive_system_has_no_synergy() -> None:
    found = synergy(Study(fw.parse(CHOICE), "sum"), ["double_u", "double_v"])
    assert np.abs(found.pairs).max() < 1e-12
    assert np.allclose(found.shapley, found.alone, atol=1e-12)
    assert found.kind("double_u", "double_v") == "independent"
    assert found.exact
    assert np.all(found.half_width == 0)


def test_a_product_has_complements_and_shapley_sums_to_the_total() -> None:
    found = synergy(Study(fw.parse(CHOICE), "product"), ["double_u", "double_v"])
    assert found.pairs[0, 0, 1] == pytest.approx(4.0)
    assert found.kind("double_u", "double_v") == "complements"
    assert found.shapley[0] == pytest.approx([6.0, 6.0])
    assert abs(found.shapley.sum() - found.total[0]) < 1e-10
    assert found.total[0] == pytest.approx(12.0)


def test_the_order_of_pulls_matters_as_long_as_one_waits() -> None:
    found = synergy(Study(fw.parse(CHOICE), "sum"), ["double_u", "double_v"], lag=1.0)
    # A year without the lever on v costs 2, one without that on u costs 1.
    assert found.order[0, 0, 1] == pytest.approx(1.0 - 2.0)
    assert np.allclose(found.order[0], -found.order[0].T)
    same = synergy(Study(fw.parse(CHOICE), "sum"), ["double_u", "late_u"])
    assert same.kind("double_u", "late_u") == "alternatives"
    with pytest.raises(UsageError, match="two levers"):
        same.kind("double_u", "double_u")


def test_shapley_values_of_the_core_levers_sum_to_the_total() -> None:
    asked = Study(fw.load("core_flywheel"), "income_total")
    found = synergy(asked, ["price_cuts", "technology", "dense_network", "capacity_buffer"])
    assert abs(found.shapley.sum() - found.total[0]) < 1e-10 * max(1.0, abs(found.total[0]))
    frame = found.pair_frame
    assert len(frame) == 6
    assert np.all(np.diff(frame["synergy"]) <= 0)


def test_the_choice_flips_where_both_are_worth_the_same() -> None:
    found = flips(Study(fw.parse(CHOICE), "sum"), ["double_u", "double_v"], names=["x", "y"])
    assert found.best.name == "double_v"
    assert found.effect == pytest.approx(8.0)
    # x = 2 makes them equal; y stays above x = 1 in its range.
    assert [row.parameter for row in found.rows] == ["x"]
    assert found.rows[0].at == pytest.approx(2.0, abs=1e-5)
    assert found.rows[0].distance == pytest.approx(1.0 / 3.0, abs=1e-5)
    assert found.rows[0].winner.name == "double_u"
    assert "Double u" in found.explain()
    with pytest.raises(UsageError, match="two levers"):
        flips(Study(fw.parse(CHOICE), "sum"), ["double_u"])


def test_what_a_lever_sets_is_decided_and_moves_no_choice() -> None:
    text = CHOICE.replace('lever double_v "Double v" = v by 100%', "lever double_v = y to 4")
    asked = Study(fw.parse(text), "sum")
    found = flips(asked, ["double_u", "double_v"])
    assert found.best.name == "double_v"
    assert "y" not in {row.parameter for row in found.rows}
    named = flips(asked, ["double_u", "double_v"], names=iter(["x", "Y"]))
    assert named.examined == 2
    assert found.examined == len(ranges_of(asked.model)) - 1


def test_the_first_place_is_as_sure_as_the_range_says() -> None:
    asked = Study(fw.parse(CHOICE), "sum")
    found = robust(asked, ["double_u", "double_v"], names=["x"], draws=512)
    # u wins where x > 2 in 0.5 .. 4, log-uniform as rates are.
    assert found.spreads[0].first[0] == pytest.approx(1.0 / 3.0, abs=0.005)
    assert found.spreads[0].first.sum() == pytest.approx(1.0)
    assert found.spreads[0].positive[0] == 1.0
    assert found.spreads[0].effects[0] == pytest.approx(
        [4 * 0.5 * 8**q for q in (0.05, 0.5, 0.95)], rel=0.01
    )
    assert "67%" in found.explain()


def test_draws_without_a_value_are_counted_and_never_averaged_in() -> None:
    effects = np.array([[1.0, 2.0], [np.nan, 5.0], [3.0, 2.0], [4.0, -1.0]])
    found = spread(effects)
    assert list(found.failed) == [1, 0]
    assert found.ranked == 3
    assert list(found.first) == pytest.approx([2 / 3, 1 / 3])
    assert found.positive == pytest.approx([1.0, 0.75])
    assert found.effects[0, 1] == pytest.approx(3.0)
    turned = spread(effects, better=-1)
    assert list(turned.first) == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize("name", ["core_flywheel", "margin_opportunity"])
def test_levers_as_inputs_do_what_pulling_them_does(name: str) -> None:
    asked = Study(fw.load(name), "value")
    chosen = levers_of(asked)
    pulls = np.concatenate([np.eye(len(chosen)), 0.5 * np.ones((1, len(chosen)))])
    on = bench(asked, chosen)
    ours, theirs = on.run(pulls).outcomes, asked.pull(None, pulls).outcomes
    assert np.allclose(ours, theirs, rtol=1e-9)
    assert np.allclose(on.run(0 * pulls[:1]).outcomes[0], asked.value, rtol=1e-9)


def test_overrides_and_scenarios_stay_in_force_under_the_levers() -> None:
    model = fw.load("core_flywheel")
    asked = Study(model, "value", overrides={"churn0": 0.1, "customers": 0.25}, scenario="no_prime")
    found = bench(asked, levers_of(asked, ["technology"])).run(np.zeros((1, 1)))
    assert np.allclose(found.outcomes[0], asked.value, rtol=1e-9)


def test_dips_of_all_levers_are_those_of_each_alone() -> None:
    asked = Study(fw.load("margin_opportunity"), "value")
    every = dips(asked)
    assert [one.lever.name for one in every] == list(asked.model.levers)
    alone = dip(asked, every[0].lever.name)
    assert np.allclose(alone.difference, every[0].difference)
