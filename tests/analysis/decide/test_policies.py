"""The robust choice of a model's levers, against choices that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.decide.playing import NOTHING, table_of
from flywheel.analysis.decide.policies import robust_choice
from flywheel.analysis.decide.policies_words import edge
from flywheel.analysis.decide.prim import prim
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study

# What acting brings is the uncertain x, a year long; doing nothing brings 0.
BET = """model bet
time 0 to 1 [year] step 1/4
param go [1] = 0
param x "Luck" [1/year] = 0.5 in -1 .. 3 from guess
stock won [1] = 0 gains winning
flow winning [1/year] = go * x
outcome gain "Gain" [1] = won at 1
    ko "이득"
lever act "Act" = go to 1 cost 0.1
    ko "행동"
"""

# Acting pays but where a is large and b small.
TRAP = """model trap
time 0 to 1 [year] step 1/4
param go [1] = 0
param a "Crowd" [1] = 0.5 in 0 .. 1
param b "Room" [1] = 0.5 in 0 .. 1
param c [1] = 0.5 in 0 .. 1
stock won [1] = 0 gains winning
flow winning [1/year] = go * if(a > 0.6 and b < 0.4, 0 - 1, 1)
outcome gain "Gain" [1] = won at 1
lever act "Act" = go to 1
"""

PAIR = """model pair
time 0 to 2 [year] step 1/4
param left [1/year] = 1
param right [1/year] = 2
param x [1] = 1 in 0.5 .. 2
stock made [1] = 0 gains making
flow making [1/year] = x * (left + right + 2 * left * right)
outcome total_made "Made" [1] = made at 2
lever push_left = left by 50%
lever push_right = right to 3
"""


def study(text: str, outcome: str = "gain") -> Study:
    return Study(fw.parse(text), outcome)


def test_regret_of_a_bet_on_a_uniform_number() -> None:
    found = robust_choice(study(BET), draws=4096)
    assert found.chosen == "act"
    assert [one.name for one in found.policies] == [NOTHING, "act"]
    # Acting regrets max(-x, 0), doing nothing max(x, 0), x from -1 to 3.
    assert found.regret.high_regret.tolist() == pytest.approx([2.6, 0.6], abs=0.003)
    assert found.regret.worst_regret.tolist() == pytest.approx([3.0, 1.0], abs=0.003)
    assert found.regret.mean.tolist() == pytest.approx([0.0, 1.0], abs=0.001)
    assert found.wins.tolist() == pytest.approx([0.25, 0.75], abs=0.001)
    assert found.better_than[1] == pytest.approx(0.75, abs=0.001)
    assert np.isnan(found.better_than[0])
    assert (found.wins_low < found.wins).all()
    assert (found.wins < found.wins_high).all()


def test_the_box_of_a_bet_ends_where_luck_does() -> None:
    found = robust_choice(study(BET))
    assert found.box.restricted == ("x",)
    assert found.box.high[0] == pytest.approx(0.0, abs=0.02)
    assert found.box.low[0] == -np.inf
    assert found.box.coverage == 1.0
    assert found.fails.mean() == pytest.approx(0.25, abs=0.01)
    assert found.trial is not None
    assert found.trial.density > 0.95
    assert found.trial.coverage > 0.95


def test_a_trap_of_two_conditions_is_found_in_the_units_of_the_model() -> None:
    found = robust_choice(study(TRAP), draws=1024)
    # In more than a tenth of the draws either is wrong by 1: the mean decides between equals.
    assert found.regret.high_regret.tolist() == pytest.approx([1.0, 1.0])
    assert found.chosen == "act"
    assert set(found.box.restricted) == {"a", "b"}
    box = found.box_frame
    assert box.loc["a", "low"] == pytest.approx(0.6, abs=0.02)
    assert box.loc["b", "high"] == pytest.approx(0.4, abs=0.02)
    assert found.box.coverage * found.box.density > 0.95
    assert found.trial is not None
    assert found.trial.low > 0.85


def test_a_target_counts_instead_of_doing_nothing() -> None:
    found = robust_choice(study(BET), target=2.0)
    assert found.examined == "act"
    assert found.fails.mean() == pytest.approx(0.75, abs=0.01)
    assert found.box.high[0] == pytest.approx(2.0, abs=0.03)
    assert found.regret.satisficing is not None
    assert found.regret.satisficing[1] == pytest.approx(0.25, abs=0.01)
    idle = robust_choice(study(BET), target=2.0, examine=NOTHING)
    assert idle.fails.all()
    assert not idle.box.restricted


def test_less_can_be_better() -> None:
    less = study(BET.replace("go * x", "0 - go * x"))
    low = robust_choice(less, better="lower", target=-2.0)
    high = robust_choice(study(BET), target=2.0)
    assert low.chosen == high.chosen
    assert low.regret.regret.tolist() == high.regret.regret.tolist()
    assert low.fails.tolist() == high.fails.tolist()
    assert low.wins.tolist() == high.wins.tolist()


def test_bundles_pull_their_levers_together_and_in_part() -> None:
    pair = study(PAIR, "total_made")
    found = robust_choice(
        pair,
        {
            "both": ["push_left", "push_right"],
            "part": {"push_left": 0.5, "PUSH_RIGHT": 0.25},
            "rest": {},
        },
        names=["x"],
        draws=16,
    )
    assert [one.name for one in found.policies] == ["rest", "both", "part"]

    def made(left: float, right: float) -> np.ndarray:
        return 2 * found.rows[:, 0] * (left + right + 2 * left * right)

    assert found.names == ("x",)
    assert found.outcomes[0] == pytest.approx(made(1, 2))
    assert found.outcomes[1] == pytest.approx(made(1.5, 3))
    assert found.outcomes[2] == pytest.approx(made(1.25, 2.25))
    assert found.policy("part").pulls["push_right"] == 0.25


def test_what_a_lever_sets_is_not_drawn_unless_asked_for() -> None:
    text = PAIR.replace("left [1/year] = 1", "left [1/year] = 1 in 0.5 .. 2").replace(
        "right [1/year] = 2", "right [1/year] = 2 in 1 .. 3"
    )
    pair = study(text, "total_made")
    found = robust_choice(pair, draws=16)
    assert found.names == ("left", "x")
    assert found.set_by_levers == ("right",)
    assert robust_choice(pair, draws=16, names=["x", "right"]).names == ("x", "right")
    # Without the lever that sets it, it is uncertain like any other.
    assert robust_choice(pair, ["push_left"], draws=16).names == ("left", "right", "x")


def test_failed_runs_are_counted_located_and_not_averaged() -> None:
    broken = BET.replace("go * x", "if(go > 0, sqrt(x), 0)")
    found = robust_choice(study(broken), draws=256)
    lost = int((found.rows[:, 0] < 0).sum())
    assert found.failures.failed == lost == found.regret.failed[1]
    assert found.regret.failed[0] == 0
    assert len(found.regret.scenarios) == 256 - lost
    assert found.failures.shifts[0].name == "x"
    assert found.regret.mean[1] == pytest.approx(np.sqrt(found.rows[found.rows >= 0]).mean())
    assert f"{lost} of 256 draws are left out" in found.explain()
    assert "뺐습니다" in found.explain("ko")
    assert found.box.left_out == lost


def test_nothing_computed_is_said_so() -> None:
    with pytest.raises(UsageError, match="in no draw"):
        robust_choice(study(BET.replace("go * x", "go * sqrt(0 - 1 - x * x)")), draws=8)


@pytest.mark.parametrize("inputs", [3, 15])
def test_failures_without_a_pattern_have_no_box(inputs) -> None:
    names = [f"u{k}" for k in range(inputs)]
    lines = "\n".join(f"param {name} [1] = 0.5 in 0 .. 1" for name in names)
    wild = "cos(" + " + ".join(f"{3001 + 707 * k} * {name}" for k, name in enumerate(names)) + ")"
    text = TRAP.replace("if(a > 0.6 and b < 0.4, 0 - 1, 1)", wild).replace(
        "param a", f"{lines}\nparam a"
    )
    boxes = [robust_choice(study(text), names=names, seed=seed).box for seed in range(4)]
    # The trial lets one in forty through by chance.
    assert sum(bool(box.restricted) for box in boxes) <= 1


def test_equal_policies_share_the_wins() -> None:
    text = BET + 'lever same "The same" = go to 1\n'
    found = robust_choice(study(text), draws=64)
    assert found.wins[1] == found.wins[2]
    assert found.wins.sum() == pytest.approx(1.0)


def test_horizons_are_judged_one_at_a_time() -> None:
    years = Study(fw.parse(PAIR), "made", [1.0, 2.0])
    late, early = (robust_choice(years, draws=8, horizon=h) for h in (None, 1.0))
    assert early.outcomes == pytest.approx(late.outcomes / 2)
    assert early.stamp.horizons == (1.0,)
    with pytest.raises(UsageError, match="horizons"):
        robust_choice(years, draws=8, horizon=1.5)


def test_many_draws_in_several_batches_equal_one(monkeypatch) -> None:
    whole = robust_choice(study(TRAP), draws=64)
    monkeypatch.setattr("flywheel.analysis.decide.playing._BATCH", 1000)
    assert robust_choice(study(TRAP), draws=64).outcomes.tolist() == whole.outcomes.tolist()


def test_the_sentences_name_the_choice_its_failure_and_the_costs_left_out() -> None:
    found = robust_choice(study(BET))
    english, korean = found.explain(), found.explain("ko")
    assert '"Act" has the smallest regret' in english
    assert 'where "Luck" is below' in english
    assert "75 % (71 to 79 %)" in english
    assert "cost is not taken off" in english
    assert "「행동」" in korean
    assert "「이득」" in korean
    assert "비용은 빼지 않은" in korean
    assert "(after 1 year)" in english
    frame = found.frame
    assert list(frame.index) == [NOTHING, "act"]
    assert frame.loc["act", "label"] == "Act"
    assert "act" in repr(found)
    assert found.stamp.settings["draws"] == 512
    assert not found.rows.flags.writeable


def test_doing_nothing_can_be_the_choice() -> None:
    found = robust_choice(study(BET.replace("go * x", "go * (x - 4)")))
    assert found.chosen == NOTHING
    assert "doing nothing has the smallest regret" in found.explain()
    other = robust_choice(study(BET.replace("go * x", "go * (x - 4)")), examine="ACT")
    assert other.examined == "act"
    assert other.fails.all()
    assert '"Act" does worse than nothing in 100 %' in other.explain()


@pytest.mark.parametrize(
    ("policies", "error", "says"),
    [
        (["swim"], UnknownNameError, "swim"),
        ({"a": {"act": float("nan")}}, UsageError, "finite"),
        ({"a": {"act": 1.0, "ACT": 1.0}}, UsageError, "twice"),
        ({"a": "act"}, UsageError, "one text"),
        ({"a": {}, "b": [], "c": ["act"]}, UsageError, "both do nothing"),
        ({"a": {}}, UsageError, "nothing to choose"),
        ({NOTHING: ["act"]}, UsageError, "name of pulling no lever"),
    ],
)
def test_policies_that_make_no_sense(policies, error, says) -> None:
    with pytest.raises(error, match=says):
        table_of(study(BET), policies)


def test_other_arguments_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="two draws"):
        robust_choice(study(BET), draws=1)
    with pytest.raises(UsageError, match="better"):
        robust_choice(study(BET), better="more", draws=4)
    with pytest.raises(UnknownNameError, match="swim"):
        robust_choice(study(BET), examine="swim", draws=4)
    only = BET.replace("go [1] = 0", "go [1] = 0 in 0 .. 1").replace("0.5 in -1 .. 3", "0")
    with pytest.raises(UsageError, match="set by a policy"):
        robust_choice(study(only), draws=4)
    with pytest.raises(UsageError, match="'en' and 'ko'"):
        robust_choice(study(BET), draws=4).explain("fr")


def test_limits_have_the_digits_that_their_range_asks_for() -> None:
    assert edge(2011.4321, 8.0) == "2011.43"
    assert edge(0.4, 1.0) == "0.4"
    assert edge(0.0, 0.0) == "0"


def test_the_excess_objective_finds_where_cases_are_merely_more_frequent() -> None:
    random = np.random.default_rng(0)
    x = random.random((2000, 3))
    cases = random.random(2000) < np.where(x[:, 1] > 0.5, 0.6, 0.4)
    assert prim(x, cases).restricted == ()
    found = prim(x, cases, objective="excess")
    assert found.restricted[0] == "input 2"
    assert found.low[1] == pytest.approx(0.5, abs=0.06)
    with pytest.raises(UsageError, match="objective"):
        prim(x, cases, objective="both")
