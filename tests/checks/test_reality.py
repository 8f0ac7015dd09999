"""Checks that a model writes about itself, and the measured signs of its loops."""

from __future__ import annotations

import dataclasses
import math

import pytest

from flywheel.checks.reality import CheckResult, loop_polarity, polarities, run_checks
from flywheel.errors import Source, UnknownNameError
from flywheel.language import parse
from flywheel.model import Setting
from flywheel.solve import simulate

HEAD = "model m\ntime 0 to 10 step 1/8 save 1/2\n"
# S grows as exp(rate * t).
GROWTH = (
    HEAD
    + """
param rate = 0.1 in 0 .. 1
param start = 1
stock s = start gains f
flow f = rate * s
aux twice = double(s)
table double of x = (0, 0) (100, 200)
outcome final = s at 10
outcome never = time of s > 1000
scenario fast: rate = 0.3
scenario later: rate = 0.3 from 5
"""
)


def check(text: str, model: str = GROWTH) -> CheckResult:
    (result,) = run_checks(parse(f"{model}check c: {text}\n"))
    return result


# Claims -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        "s >= 1",
        "s < 3",
        "s > 2 from 7",
        "s < 1.7 to 5",
        "s > 1.2 and s < 1.5 from 2 to 4",
        "s > 1.6 and s < 1.7 at 5",
        "final > 2.7 and final < 2.72",
        "final > rate",
        "double(s) == twice",
        "abs(double(s) - 2 * s) < 1e-9",
        "time <= 10",
        "when rate = 0 then s == 1",
        "s * 3 / 3 == s and s <= s * (1 + 1e-15) and not (s * 0.1 * 10 != s)",
        "when rate = 0 then (s - 1) * 1e-12 <= 0 and 0.1 + 0.2 - 0.3 + s == 1",
        "when rate = rate * 2 then s > 7 at 10",
        "when rate = 0 from 5 then s < 1.7 and s >= 1",
        "when rate = 0 from 5 then rate == 0 from 5",
        "when rate = 0 from 5 then rate == 0.1 to 4.5",
        "when rate = 0.5 to 5 then s > base(s) from 1",
        "when s = 2 then s > base(s) * 1.99 and s < base(s) * 2.01",
        "when start = 3 then final > 2.9 * base(final)",
        "when scenario fast then s > 20 at 10",
        "when scenario later then s == base(s) to 5",
        "when scenario later then s > base(s) from 5.5",
        "when scenario later then rate == 0.3 from 5",
        "when rate = 0.2 then abs(s / base(s) - exp(0.1 * time)) < 1e-6",
    ],
)
def test_claims_that_hold(claim: str) -> None:
    result = check(claim)
    assert result.ok, result.message
    assert result.failed == 0
    assert result.judged > 0
    assert result.finding is None


@pytest.mark.parametrize(
    ("claim", "time", "values", "failed", "judged"),
    [
        ("s < 2", 7.0, {"s": math.exp(0.7)}, 7, 21),
        ("s < 1.5 at 5", 5.0, {"s": math.exp(0.5)}, 1, 1),
        ("s < 1.5 at 5.25", 5.25, {"s": 0.5 * (math.exp(0.5) + math.exp(0.55))}, 1, 1),
        ("s * 1.0001 <= s", 0.0, {"s": 1.0}, 21, 21),
        ("s == s * 1.0001 at 5", 5.0, {"s": math.exp(0.5)}, 1, 1),
        ("s < 1 from 9", 9.0, {"s": math.exp(0.9)}, 3, 3),
        ("final < 2", None, {"final": math.e}, 1, 1),
        ("when rate = 0.2 then s < base(s) from 4", 4.0,
         {"s": math.exp(0.8), "base(s)": math.exp(0.4)}, 13, 13),
        ("when scenario fast then s < 2 and rate < 1", 2.5,
         {"s": math.exp(0.75), "rate": 0.3}, 16, 21),
    ],
)  # fmt: skip
def test_a_failure_names_time_values_and_line(
    claim: str, time: float | None, values: dict[str, float], failed: int, judged: int
) -> None:
    result = check(claim)
    assert not result.ok
    assert result.time == time
    assert dict(result.values) == pytest.approx(values, rel=1e-6)
    assert (result.failed, result.judged) == (failed, judged)
    finding = result.finding
    assert finding is not None
    assert finding.span is not None
    assert finding.span.line == GROWTH.count("\n") + 1
    for name in values:
        assert f"{name} = " in finding.message
    if time is not None:
        assert f"at time {time:g}" in finding.message


@pytest.mark.parametrize(
    ("claim", "hint"),
    [
        ("s > 1", "from 0.5"),
        ("when rate = 0.2 then s > base(s)", "from 0.5"),
        ("s < 2.7", "to 9.5"),
        ("s < 1.5", ""),
        ("s < 1.4 or s > 1.6", ""),
        ("s > 1 at 0", ""),
    ],
)
def test_a_claim_that_fails_at_one_end_alone_says_how_to_leave_that_out(
    claim: str, hint: str
) -> None:
    result = check(claim)
    assert not result.ok
    assert result.hint.endswith(hint) if hint else not result.hint
    assert result.finding is not None
    assert result.finding.hint == result.hint
    if hint:
        assert check(f"{claim} {hint}").ok


def test_a_value_that_is_no_number_fails_the_claim() -> None:
    result = check("never > 3")
    assert not result.ok
    assert "cannot be judged" in result.message


def test_a_run_that_fails_fails_the_claim() -> None:
    result = check("when rate = 2000 then s > 0")
    assert not result.ok
    assert "the run failed" in result.message


def test_a_condition_that_makes_no_sense_is_a_failed_check() -> None:
    model = parse(GROWTH + "check c: when rate = 0 then s > 0\n")
    from flywheel.expr import Number

    broken = dataclasses.replace(model.checks["c"], when=(Setting("nothing", Number(1.0)),))
    changed = dataclasses.replace(
        model, declarations=tuple(broken if d.name == "c" else d for d in model)
    )
    (result,) = run_checks(changed)
    assert not result.ok
    assert "nothing" in result.message


def test_results_come_in_the_order_of_the_file_and_can_be_chosen() -> None:
    model = parse(GROWTH + "check b: s > 0\ncheck a: s < 0\n")
    assert [(r.name, r.ok) for r in run_checks(model)] == [("b", True), ("a", False)]
    assert [r.name for r in run_checks(model, ["A"])] == ["a"]
    with pytest.raises(UnknownNameError, match="no check called 'z'"):
        run_checks(model, ["z"])
    assert run_checks(model, ["b"])[0].as_dict()["line"] == GROWTH.count("\n") + 1


def test_method_and_step_are_the_callers() -> None:
    model = parse(GROWTH + "check c: final < 2.71\n")
    assert not run_checks(model)[0].ok
    assert run_checks(model, method="euler", step=0.5)[0].ok


# Loop polarity ----------------------------------------------------------------------------------

LOGISTIC = (
    HEAD
    + """
param word = 1
param market = 100
param life = 5
stock customers = 1 gains joining loses leaving
flow joining = word * customers * untapped / market
flow leaving = customers / life
aux untapped = max(market - customers, 0)
loop R1 = customers -> joining -> customers
loop B1 = customers -> untapped -> joining -> customers
loop B2 = customers -> leaving -> customers
"""
)


def polarity(text: str, **overrides: float) -> list[tuple[str, str]]:
    model = parse(text)
    return [
        (f.severity, f.code) for f in loop_polarity(model, simulate(model, overrides=overrides))
    ]


def test_loops_that_are_what_they_are_called() -> None:
    model = parse(LOGISTIC)
    run = simulate(model)
    assert loop_polarity(model, run) == ()
    measured = {p.loop: set(p.signs) for p in polarities(model, run)}
    assert measured == {"R1": {1}, "B1": {-1}, "B2": {-1}}


@pytest.mark.parametrize("method", ["euler", "rk4", "rk45", "lsoda"])
def test_any_method_can_be_measured(method: str) -> None:
    model = parse(LOGISTIC)
    assert loop_polarity(model, simulate(model, method=method)) == ()


def test_a_loop_of_the_other_kind() -> None:
    text = LOGISTIC.replace("loop R1", "loop B9").replace("loop B2", "loop R9")
    model = parse(text)
    found = loop_polarity(model, simulate(model))
    assert [(f.severity, f.code) for f in found] == [("error", "loop-contrary")] * 2
    assert "'R9' is called reinforcing, but it is balancing in the whole run" in found[1].message
    assert "leaving -> customers" in found[1].hint
    assert found[0].span is not None


def test_a_loop_that_turns_names_the_link_and_the_time() -> None:
    """customers -> joining is positive below 50 customers and negative above."""
    text = LOGISTIC.replace(
        "customers * untapped / market", "customers * (market - customers) / market"
    )
    text = text.replace("loop B1 = customers -> untapped -> joining -> customers\n", "")
    model = parse(text)
    run = simulate(model)
    (finding,) = loop_polarity(model, run)
    assert (finding.severity, finding.code) == ("warning", "loop-changes")
    assert "customers -> joining has the other sign" in finding.message
    crossing = float(run.time[(run["customers"] > 50).argmax()])
    told = float(finding.message.split("at time ")[1].split(":")[0])
    assert abs(told - crossing) <= 1.0


def test_a_link_without_effect_is_left_out() -> None:
    """Above the market size max() cuts the loop: nothing to object to while it is silent."""
    assert polarity(LOGISTIC, customers=150.0) == []
    text = LOGISTIC + "loop B3 = customers -> gate -> leaving2 -> customers\n"
    text = text.replace("loses leaving", "loses leaving, leaving2")
    text += "aux gate = max(customers - 1000, 0)\nflow leaving2 = gate * 2\n"
    assert polarity(text) == [("warning", "loop-idle")]


@pytest.mark.parametrize(
    "equation",
    [
        "smooth(customers, 2)",
        "smooth3(customers, 2)",
        "smoothn(customers, 2, 5)",
        "delay1(customers, 2)",
        "delay3(customers, 2)",
        "delayn(2 * customers, 2, 4)",
        "delay_fixed(customers, 2, 1)",
        "forecast(customers, 2, 1)",
        "smooth(smooth(customers, 1), 1)",
        "crowd(customers) + smooth(customers, 2)",
        "1 + 5 * trend(customers, 2)",
        "npv(customers, 0.1)",
    ],
)
def test_a_link_through_a_delay_belongs_to_its_line(equation: str) -> None:
    text = f"""{HEAD}
param life = 5
stock customers = 10 gains joining loses leaving
aux seen = {equation}
flow joining = 0.3 * seen
flow leaving = customers / life
table crowd of x = (0, 0) (100, 1)
loop R1 = customers -> seen -> joining -> customers
"""
    assert polarity(text) == []
    assert polarity(text.replace("loop R1", "loop B1")) == [("error", "loop-contrary")]
    against = text.replace("0.3 * seen", "3 / (1 + seen)")
    assert polarity(against) == [("error", "loop-contrary")]


def test_a_scenario_is_measured_as_it_runs() -> None:
    text = LOGISTIC + "scenario none: word = -1 from 4\n"
    model = parse(text)
    found = loop_polarity(model, simulate(model, scenario="none"))
    assert [f.code for f in found] == ["loop-changes", "loop-changes"]
    assert "at time 4" in found[0].message


def test_a_model_without_loops_costs_no_run() -> None:
    model = parse(GROWTH)
    assert polarities(model, simulate(model)) == ()


def test_equality_of_models_ignores_where_they_were_read() -> None:
    """Findings name the file of the model that was given, not of an equal one seen before."""
    first = parse(LOGISTIC.replace("loop R1", "loop B9"), name="first.fly")
    second = parse(LOGISTIC.replace("loop R1", "loop B9"), name="second.fly")
    for model, name in ((first, "first.fly"), (second, "second.fly")):
        (finding,) = loop_polarity(model, simulate(model))
        assert finding.span is not None
        assert isinstance(finding.span.source, Source)
        assert finding.span.source.name == name
