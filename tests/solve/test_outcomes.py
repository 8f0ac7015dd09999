"""One number about a run: each measure against its integral or extreme on paper."""

from __future__ import annotations

import math

import pytest

import flywheel as fw
from flywheel.solve import METHODS, simulate

HEAD = """model o
time 0 to 10 step 1/16 save 1/4
param r = 0.2
stock S = 2 gains f
flow f = r * S
aux wave = sin(time)
"""

# Exact answers for S = 2 exp(0.2 t).
A = 2 / 0.2
K = 0.2 - math.log(1.08)
CASES = {
    "S at 10": 2 * math.exp(2),
    "S at 3.1": 2 * math.exp(0.62),
    "S * 2 + 1 at 5": 4 * math.exp(1) + 1,
    "total S": A * (math.exp(2) - 1),
    "total S from 2 to 7": A * (math.exp(1.4) - math.exp(0.4)),
    "total S from 2": A * (math.exp(2) - math.exp(0.4)),
    "total S to 7": A * (math.exp(1.4) - 1),
    "total S discount 8%": 2 / K * (math.exp(10 * K) - 1),
    "total S from 4 to 8 discount 8%": (2 / K * (math.exp(8 * K) - math.exp(4 * K)) * 1.08**4),
    "mean S": A * (math.exp(2) - 1) / 10,
    "mean S from 2 to 7": A * (math.exp(1.4) - math.exp(0.4)) / 5,
    "peak S": 2 * math.exp(2),
    "trough S": 2,
    "peak wave from 5 to 6": math.sin(6),
    "trough wave from 0 to 10": math.sin(4.75),
    "time of S > 5": math.log(2.5) / 0.2,
    "time of S >= 2": 0,
    "time of wave < 0": math.pi,
    "time of wave < 0 from 7": 3 * math.pi,
    "time of S > 4 and wave > 0": 6.5,
    "mean if(time >= 3, 1, 0)": 0.7,
}


@pytest.mark.parametrize("method", METHODS)
def test_measures(method: str) -> None:
    lines = [f"outcome o{n} = {text}" for n, text in enumerate(CASES)]
    run = simulate(fw.parse(HEAD + "\n".join(lines) + "\n"), method=method)
    assert run.ok, run.status.message
    close = 2e-2 if method == "euler" else 1e-3
    for n, (text, wanted) in enumerate(CASES.items()):
        assert run.outcomes[f"O{n}"] == pytest.approx(wanted, rel=close, abs=close), text
        assert run.outcomes.reason(f"o{n}") == ""
        assert type(run.outcomes[f"o{n}"]) is float, text
    assert list(run.outcomes) == [f"o{n}" for n in range(len(CASES))]
    assert len(run.outcomes) == len(CASES)
    assert "o0=" in repr(run.outcomes)


def test_totals_have_the_order_of_the_method() -> None:
    run = simulate(fw.parse(HEAD + "outcome t = total S from 2 to 7\n"))
    assert run.outcomes["t"] == pytest.approx(CASES["total S from 2 to 7"], rel=1e-9)


def test_outcomes_leave_the_numbers_alone() -> None:
    """They are computed beside the model: its variables are the same, to the last bit, without them."""
    plain = simulate(fw.parse(HEAD))
    lines = "".join(f"outcome o{n} = {text}\n" for n, text in enumerate(CASES))
    asked = simulate(fw.parse(HEAD + lines))
    assert asked.names == plain.names
    assert (asked.values == plain.values).all()


def test_expressions_of_outcomes() -> None:
    text = "outcome a = S at 10\noutcome b = S at 0\noutcome c = a / b + r\n"
    assert simulate(fw.parse(HEAD + text)).outcomes["c"] == pytest.approx(math.exp(2) + 0.2)
    run = simulate(fw.parse(HEAD + text), overrides={"r": 0})
    assert run.outcomes["c"] == 1


def test_a_discount_counts_from_the_start_of_the_run() -> None:
    model = fw.parse(HEAD + "outcome v = total S discount 8%\n")
    run = simulate(model, start=4, overrides={"r": 0})
    wanted = 2 / math.log(1.08) * (1 - 1.08**-6)
    assert run.outcomes["v"] == pytest.approx(wanted, rel=1e-6)


def test_no_value_has_a_reason() -> None:
    text = (
        "outcome never = time of S > 1e9\n"
        "outcome late = S at 20\n"
        "outcome window = mean S from 5 to 20\n"
        "outcome sum = never + 1\n"
        "outcome log = ln(wave) at 4\n"
        "outcome logs = total ln(wave)\n"
    )
    run = simulate(fw.parse(HEAD + text))
    # An outcome without a value is no failure of the run.
    assert run.ok
    for name, reason in {
        "never": "never met",
        "late": "20 lies outside the run, which goes from 0 to 10",
        "window": "outside",
        "sum": "never: its condition is never met",
        "log": "no finite value",
        "logs": "no finite value",
    }.items():
        assert math.isnan(run.outcomes[name])
        assert reason in run.outcomes.reason(name)


@pytest.mark.parametrize("method", METHODS)
def test_an_outcome_that_fails_leaves_the_run_sound(method: str) -> None:
    run = simulate(fw.parse(HEAD + "outcome logs = total ln(wave)\n"), method=method)
    assert run.ok, run.status.message
    assert run["S"][-1] == pytest.approx(2 * math.exp(2), rel=2e-2)
    assert math.isnan(run.outcomes["logs"])


@pytest.mark.parametrize("method", METHODS)
def test_outcomes_of_a_failed_run(method: str) -> None:
    """What happened before the failure still counts."""
    text = (
        "model b\ntime 0 to 4 step 1/64 save 1/4\nstock x = 1 gains f\nflow f = x ^ 2\n"
        "outcome early = x at 0.5\noutcome crossed = time of x > 1.5\noutcome end = x at 4\n"
        "outcome sum = total x\noutcome part = total x to 0.5\n"
    )
    run = simulate(fw.parse(text), method=method)
    assert not run.ok
    close = 0.1 if method == "euler" else 1e-3
    assert run.outcomes["early"] == pytest.approx(2, rel=close)
    assert run.outcomes["crossed"] == pytest.approx(1 / 3, abs=0.05)
    assert run.outcomes["part"] == pytest.approx(math.log(2), rel=close)
    for name in ("end", "sum"):
        assert math.isnan(run.outcomes[name])
        assert run.outcomes.reason(name) == run.status.message
