"""Time constants against the step, told before a run."""

from __future__ import annotations

import math

import pytest

from flywheel.checks.time_constants import time_constants
from flywheel.errors import Finding
from flywheel.kernel.expand import expand
from flywheel.language import parse
from flywheel.solve import simulate


def findings(text: str, step: float = 0.25) -> tuple[Finding, ...]:
    system = expand(parse(f"model m\ntime 0 to 10 step 1/4\n{text}"))
    return time_constants(system, system.defaults, step)


@pytest.mark.parametrize(
    ("tau", "says", "hint"),
    [
        (0.2, "oscillates by Euler's method", "1/16"),
        (0.1, "unstable by Euler's method", "1/32"),
        (0.05, "unstable by Euler's method and by rk4", "1/64"),
    ],
)
def test_a_delay_shorter_than_the_step(tau: float, says: str, hint: str) -> None:
    (finding,) = findings(f"param p = {tau}\naux y = smooth(time, p)")
    assert finding.severity == "warning"
    assert finding.code == "step-too-long"
    assert "'y'" in finding.message
    assert f"{tau:g}" in finding.message
    assert says in finding.message
    assert f"a step of {hint} or less" in finding.hint
    assert finding.span is not None
    assert finding.span.text == "smooth(time, p)"


def test_a_stage_of_a_long_delay_counts() -> None:
    assert findings("aux y = smooth3(time, 0.9)") == ()
    (finding,) = findings("aux y = delay3(time, 0.6)")
    assert "time constant 0.2" in finding.message


@pytest.mark.parametrize("tau", ["0", "-1"])
def test_a_delay_time_must_be_positive(tau: str) -> None:
    found = findings(f"param p = {tau}\naux y = smooth(time, p)")
    assert [(f.severity, f.code) for f in found] == [("error", "delay-time")]


def test_a_pipeline_shorter_than_the_step() -> None:
    (finding,) = findings("aux y = delay_fixed(time, 0.1, 0)")
    assert "acts as one step" in finding.message


def test_a_stock_that_settles_too_fast() -> None:
    text = "param p = {}\nstock s = 1 loses f\nflow f = s / p\n"
    (finding,) = findings(text.format(0.2))
    assert "stock 's' settles with the time constant 0.2" in finding.message
    assert "a step of 1/16 or less" in finding.hint
    assert findings(text.format(0.25)) == ()
    assert findings(text.format(0.2), step=0.125) == ()


def test_a_stock_that_grows_too_fast() -> None:
    (finding,) = findings("stock s = 1 gains f\nflow f = 10 * s\n")
    assert "'s' grows by its own size within 0.1" in finding.message


def test_indirect_damping_is_seen() -> None:
    """The stock's rate answers through two auxiliaries and a table."""
    text = (
        "stock s = 1 gains f\nflow f = gap * 8\naux gap = goal - seen\naux goal = 3\naux seen = t(s)\n"
        "table t of x = (0, 0) (10, 10)\n"
    )
    (finding,) = findings(text)
    assert "time constant 0.125" in finding.message


@pytest.mark.parametrize("tau", [0.02, 0.11, 0.23])
def test_the_step_that_is_offered_would_do(tau: float) -> None:
    """With the step of the hint Euler's method comes down without crossing zero."""
    text = f"model m\ntime 0 to 10 step 1/4\nstock s = 1 loses f\nflow f = s / {tau}\n"
    model = parse(text)
    system = expand(model)
    (finding,) = time_constants(system, system.defaults, 0.25)
    fraction = finding.hint.removeprefix("a step of ").removesuffix(" or less")
    step = 1 / int(fraction.removeprefix("1/"))
    assert time_constants(system, system.defaults, step) == ()
    assert simulate(model, method="euler")["s"].min() < 0
    assert simulate(model, method="euler", step=step)["s"].min() >= 0
    assert math.log2(0.25 / step) == round(math.log2(0.25 / step))
