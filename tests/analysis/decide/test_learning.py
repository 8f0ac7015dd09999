"""What is worth finding out, against unit normal losses and linear regression done by hand."""

from __future__ import annotations

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.decide.buying import data_to_buy
from flywheel.analysis.decide.learning import beliefs_of, worth_of_knowing
from flywheel.analysis.sensitivity.apportion import sensitivity
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study
from flywheel.sweep.distributions import Normal, Uniform

# Acting brings -0.3 + z1 + 0.5 z2 + 0.2 z3; noise adds the same to both.
BET = """model bet
time 0 to 1 [year] step 1/4
param go [1] = 0
param z1 "Market" [1] = 0 in -9 .. 9 from guess ± 1
param z2 "Season" [1] = 0 in -9 .. 9 from estimate "two years" ± 1
param z3 "Staff" [1] = 0 in -9 .. 9 from survey "ten asked" ± 1
param tide "Tide" [1] = 0 in -9 .. 9 from guess ± 3
stock won [USD] = 0 gains winning
flow winning [USD/year] = tide + go * (z1 + 0.5 * z2 + 0.2 * z3 - 0.3)
outcome gain "Gain" [USD] = won at 1
    ko "이득"
lever act "Act" = go to 1
"""


def study(text: str = BET) -> Study:
    return Study(fw.parse(text), "gain")


@pytest.fixture(scope="module")
def bet():
    return worth_of_knowing(study(), draws=2**15)


def test_a_gaussian_choice_of_two(bet) -> None:
    known = bet.knowing
    assert known.everything.value == pytest.approx(0.318826, abs=0.004)
    worth = dict(zip(known.names, known.each, strict=True))
    for name, value in {"z1": 0.266761, "z2": 0.084336, "z3": 0.005861}.items():
        assert worth[name].value == pytest.approx(value, abs=0.004)
        assert worth[name].low - 0.002 <= value <= worth[name].high + 0.002
    assert known.best == "nothing"


def test_what_moves_most_need_not_be_worth_knowing(bet) -> None:
    known = bet.knowing
    worth = dict(zip(known.names, known.each, strict=True))
    assert worth["tide"].value < 0.003
    assert known.names[int(known.variance_share.argmax())] == "tide"
    english, korean = bet.explain(), bet.explain("ko")
    assert 'Find out first: "Market" (a guess, 0 ± 1)' in english
    assert '"Tide" moves the outcome most' in english
    assert "USD" in english
    assert "「이득」" in korean
    assert "「Market」(짐작, 0 ± 1)" in korean
    assert "cost" not in english


def test_the_frame_says_where_each_number_comes_from(bet) -> None:
    frame = bet.frame
    assert list(frame.index[:3]) == ["z1", "z2", "z3"]
    assert frame.loc["z2", "evidence"] == "estimate"
    assert frame.loc["z2", "source"] == "two years"
    assert frame.loc["z3", "believed"] == "0 ± 1"
    assert bet.stamp.settings["draws"] == 2**15
    assert "4 numbers" in repr(bet)


def test_less_can_be_better() -> None:
    text = BET.replace("tide + go * (z1 + 0.5 * z2 + 0.2 * z3 - 0.3)",
                       "0 - tide - go * (z1 + 0.5 * z2 + 0.2 * z3 - 0.3)")  # fmt: skip
    less = worth_of_knowing(study(text), better="lower", draws=1024)
    more = worth_of_knowing(study(), draws=1024)
    assert less.knowing.everything.value == pytest.approx(more.knowing.everything.value)
    assert less.knowing.each[0].value == pytest.approx(more.knowing.each[0].value)
    assert "rough guess" in less.explain()


def test_where_one_policy_is_always_best_nothing_is_worth_knowing() -> None:
    found = worth_of_knowing(study(BET.replace("- 0.3)", "+ 100)")), draws=512)
    assert found.knowing.everything.value == 0
    assert "knowing more is worth 0" in found.explain()
    assert "가치는 0입니다" in found.explain("ko")
    rising = BET.replace("- 0.3)", "+ 100)").replace('"Tide" [1] = 0', '"Tide" [1] = 1')
    bought = data_to_buy(study(rising), {"won": 0.1}, draws=512)
    assert bought.rows == ()
    assert "no data to buy" in bought.explain()
    assert "살 자료가 없습니다" in bought.explain("ko")


def test_two_numbers_that_only_count_together() -> None:
    # Acting brings the product of two signs: either alone says nothing.
    text = BET.replace("z1 + 0.5 * z2 + 0.2 * z3 - 0.3", "if(z1 * z2 > 0, 1, 0 - 1) - 0.01")
    found = worth_of_knowing(study(text), names=["z1", "z2"], draws=2048)
    assert found.knowing.everything.value == pytest.approx(0.5, abs=0.02)
    assert max(one.value for one in found.knowing.each) < 0.03


def test_a_worth_of_freak_draws_is_called_so() -> None:
    text = BET.replace("z1 + 0.5 * z2 + 0.2 * z3 - 0.3", "exp(4 * z1) - 100000")
    found = worth_of_knowing(study(text), names=["z1"], draws=4096)
    assert found.heavy > 0.5
    assert "it cannot be said what to find out first" in found.explain()
    assert "Find out first" not in found.explain()
    assert "범위를 좁혀야" in found.explain("ko")


def test_failed_runs_are_left_out_and_said() -> None:
    text = BET.replace("0.2 * z3 - 0.3", "0.2 * z3 - 0.3 + 0 * sqrt(z3 + 1)")
    found = worth_of_knowing(study(text), draws=2048)
    part = found.failures.failed / 2048
    assert part == pytest.approx(0.1587, abs=0.005)  # a normal below -1
    assert found.failures.shifts[0].name == "z3"
    assert "draws are left out" in found.explain()
    assert found.knowing.everything.samples == 2048 - found.failures.failed
    with pytest.raises(UsageError, match="hardly any draw"):
        worth_of_knowing(study(BET.replace("- 0.3", "+ sqrt(0 - 1 - z1 * z1)")), draws=64)


BELIEFS = """model beliefs
time 0 to 1 [year] step 1/4
param a [1] = 2 in 1 .. 4 from estimate "fitted" ± 0.5
param b [1] = 2 in 1 .. 4 from guess
param c [1] = 2 from measured "convention"
param d [1] = 2 from guess
param e [1] = 2 from measured ± 0.1
param f [1] = 2 in 1 .. 4 from guess
stock won [1] = 0 gains winning
flow winning [1/year] = a + b + c + d + e + f
outcome gain = won at 1
lever push = f by 10%
"""


def test_beliefs_follow_the_evidence() -> None:
    found, known = beliefs_of(study(BELIEFS))
    assert found["a"] == Normal(2, 0.5, 1, 4)
    assert found["b"] == Uniform(1, 4)
    assert found["d"] == Uniform(1.6, 2.4)
    assert found["e"] == Normal(2, 0.1)
    assert set(known) == {"c"}
    found, known = beliefs_of(study(BELIEFS), names=["c", "a"], ranges={"A": (0, 3)})
    assert found == {"c": Uniform(1.6, 2.4), "a": Uniform(0, 3)}
    assert not known


def test_what_a_lever_sets_is_not_there_to_be_found_out() -> None:
    found = worth_of_knowing(study(BELIEFS), draws=64)
    assert found.left_out == {"c": "measured, with no doubt stated", "f": "a lever sets it"}
    assert [one.name for one in found.numbers] == ["a", "b", "d", "e"]
    assert [one.believed for one in found.numbers][:2] == ["2 ± 0.5", "1 to 4"]
    asked = worth_of_knowing(study(BELIEFS), names=["f"], draws=64)
    assert [one.name for one in asked.numbers] == ["f"]
    known = ("param a", "param b", "param d", "param e")
    text = "\n".join(line for line in BELIEFS.splitlines() if not line.startswith(known))
    only = study(text.replace("a + b + c + d + e + f", "c + f"))
    with pytest.raises(UsageError, match="set by a lever"):
        worth_of_knowing(only, draws=64)


def test_total_indices_stand_beside_when_they_are_about_the_same() -> None:
    one = study()
    beliefs, _ = beliefs_of(one, ["z1", "tide"])
    table = sensitivity(one, ["z1", "tide"], ranges=beliefs, method="chaos")
    found = worth_of_knowing(one, names=["z1", "tide"], draws=1024, sensitivity=table)
    assert found.knowing.total_index is not None
    # Doing nothing is the baseline: only the tide moves it.
    assert found.knowing.total_index.tolist() == pytest.approx([0, 1], abs=1e-3)
    assert "total_index" in found.frame
    other = sensitivity(one, ["z1", "tide"], method="chaos")
    with pytest.raises(UsageError, match="another range"):
        worth_of_knowing(one, names=["z1", "tide"], draws=64, sensitivity=other)
    with pytest.raises(UsageError, match="is about gain"):
        worth_of_knowing(
            Study(fw.parse(BET), "won"), names=["z1"], draws=64, sensitivity=table
        )  # fmt: skip


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="better"):
        worth_of_knowing(study(), better="more")
    with pytest.raises(UnknownNameError, match="z9"):
        worth_of_knowing(study(), names=["z9"], draws=64)


# A line y = a + b t, measured five times.
LINE = """model line
time 0 to 10 [year] step 1/4 save 1/2
param go [1] = 0
param a "Start" [1] = 2 in 1 .. 3 from guess
param b "Slope" [1/year] = 1 in -1 .. 3 from guess
param t_open "Opening" [year] = 5 in 2 .. 8 from guess
stock y "Line" [1] = a gains rising
stock won [USD] = 0 gains winning
flow rising [1/year] = b
flow winning [USD/year] = go * (a + 3 * b - 5 + 0.5 * step(1, t_open))
outcome gain "Gain" [USD] = won at 10
data y_seen [1] = "line.csv" series "y" offset 0.5
observe y by y_seen error 10%
lever act "Act" = go to 1
"""
CSV = """year,series,value,verified
1,y,3.7,yes
3,y,5.4,yes
4,y,6.6,no
5,y,7.3,yes
12,y,9,yes
"""


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("line")
    (folder / "line.csv").write_text(CSV, encoding="utf-8")
    return Study(fw.parse(LINE, folder=folder), "gain")


def test_data_at_hand_and_the_next_figure_by_linear_regression(line) -> None:
    found = data_to_buy(line, draws=512)
    # 3 verified points within the run, the error a tenth of the figure.
    assert (found.measurements, found.unverified) == (3, 1)
    assert found.window == (0.0, 5.5)
    times, values = np.array([1.5, 3.5, 5.5]), np.array([3.7, 5.4, 7.3])
    design = np.stack([np.ones(3), times], axis=1) / (0.1 * values)[:, None]
    prior = np.array([2, 4]) / np.sqrt(12)  # of uniform ranges
    information = design.T @ design + np.diag(1 / prior**2)
    sd = np.sqrt(np.diag(np.linalg.inv(information)))
    moments = np.arange(0, 5.6, 0.5)
    then = []
    for t in moments:
        figure = np.array([1, t]) / (0.1 * (2 + t))
        then.append(np.sqrt(np.diag(np.linalg.inv(information + np.outer(figure, figure)))))
    best = np.array(then)
    rows = {row.number.name: row for row in found.rows}
    assert set(rows) == {"a", "b"}
    for k, (name, value) in enumerate({"a": 2.0, "b": 1.0}.items()):
        row = rows[name]
        assert row.before == pytest.approx(prior[k] / value, rel=1e-6)
        assert row.after == pytest.approx(sd[k] / value, rel=1e-6)
        assert row.then == pytest.approx(best[:, k].min() / value, rel=1e-6)
        assert row.next_time == moments[best[:, k].argmin()]
        assert row.next_variable == "y"
        assert row.told == pytest.approx(1 - (sd[k] / prior[k]) ** 2)
    correlation = np.linalg.inv(information)[0, 1] / sd.prod()
    assert rows["a"].correlation == pytest.approx(correlation)
    assert rows["a"].mixed_with == "b"


def test_times_of_events_cannot_be_judged_and_are_named(line) -> None:
    found = data_to_buy(line, draws=512)
    assert found.left_out == {"t_open": "it decides when an event happens"}
    english, korean = found.explain(), found.explain("ko")
    assert "The 3 verified figures at hand" in english
    assert "1 number could not be judged" in english
    assert "검증된 측정값 3개" in korean
    assert '"Line" at ' in english
    assert list(found.frame.columns[:3]) == ["label", "evppi", "low"]
    assert "3 figures at hand" in repr(found)


def test_a_series_that_nobody_keeps_yet(line) -> None:
    worth = worth_of_knowing(line, draws=512)
    found = data_to_buy(line, {"rising": 0.05}, worth=worth, window=(6, 10))
    row = {one.number.name: one for one in found.rows}["b"]
    assert found.measurements == 0
    assert row.after == pytest.approx(row.before)
    # One figure of the slope itself: prior and error add their weights.
    prior = 4 / np.sqrt(12)
    assert row.then == pytest.approx((prior**-2 + 0.05**-2) ** -0.5, rel=1e-6)
    assert 6 <= row.next_time <= 10
    assert np.isnan(found.collinearity)
    assert "There are no data" in found.explain()


def test_numbers_that_make_up_for_each_other_are_called_so(line, tmp_path) -> None:
    (tmp_path / "line.csv").write_text(CSV, encoding="utf-8")
    text = LINE.replace("gains rising\n", 'gains rising\nparam d "Twin" [1/year] = 1 in 0 .. 3\n')
    text = text.replace("rising [1/year] = b", "rising [1/year] = b + d").replace(
        "- 5", "- 8 + 3*d"
    )
    found = data_to_buy(Study(fw.parse(text, folder=tmp_path), "gain"), draws=512)
    assert found.collinear
    assert set(found.blurred) == {"b", "d"}
    assert 'hardly tell apart "' in found.explain()
    row = {one.number.name: one for one in found.rows}["b"]
    assert row.mixed_with == "d"
    assert row.correlation < -0.9


def test_data_that_make_no_sense(line) -> None:
    worth = worth_of_knowing(line, draws=64)
    with pytest.raises(UsageError, match="no observe line"):
        data_to_buy(line, ["won"], worth=worth)
    with pytest.raises(UsageError, match="above 0"):
        data_to_buy(line, {"y": 0.0}, worth=worth)
    with pytest.raises(UsageError, match="no variable that could be observed"):
        data_to_buy(line, {"a": 0.1}, worth=worth)
    with pytest.raises(UsageError, match="no figure can be taken"):
        data_to_buy(line, worth=worth, window=(20, 30))
    with pytest.raises(UnknownNameError, match="nobody"):
        data_to_buy(line, ["nobody"], worth=worth)
    with pytest.raises(UsageError, match="observes nothing"):
        data_to_buy(study(), worth=worth_of_knowing(study(), draws=64))
