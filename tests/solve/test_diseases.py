"""Right-hand sides that make scipy's solvers hang or lie: every run ends, and says what went wrong.

Without the guard RK45 hangs on NaN at the start, LSODA calls a NaN success and hangs on blow-up (the
table is in scipy's issues 17846 and 18077). Each cell of the table must end within two seconds with a
status that names the variable and the time, and never with NaN under "ok".
"""

from __future__ import annotations

from time import monotonic

import numpy as np
import pytest

import flywheel as fw
from flywheel.solve import METHODS, simulate

HEAD = "model sick\ntime 0 to 10 step 1/16 save 1/4\n"

# Name: text, the variable to blame, what it did, and when (first and last acceptable time).
DISEASES = {
    "nan at the start": (
        "param a = -1\nstock S = 1 gains f\nflow f = S * ln(a)\n",
        "f",
        "takes the logarithm of a negative number: a is -1",
        (0.0, 0.0),
    ),
    "nan later": (
        "stock S = 1 gains f\nflow f = ln(5.01 - time)\n",
        "f",
        "takes the logarithm of a negative number: 5.01 - time is",
        (5.01, 5.3),
    ),
    "infinite later": (
        "stock S = 1 gains f\nflow f = 1 / if(S > 6, 0, 1)\n",
        "f",
        "divides by zero: if(S > 6, 0, 1) is 0",
        (5.0, 5.3),
    ),
    "a pole": (
        "stock S = 1 gains f\nflow f = 1 / max(5 - time, 0)\n",
        "f",
        "",
        (4.99, 5.3),
    ),
    "blow-up in finite time": (
        "stock S = 1 gains f\nflow f = S ^ 2\n",
        "f",
        "",
        (0.99, 1.8),
    ),
    "root of a negative": (
        "stock S = 2 loses f\nflow f = 1 + 0 * sqrt(S)\n",
        "f",
        "takes the square root of a negative number: S is",
        (2.0, 2.3),
    ),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("disease", DISEASES)
def test_every_run_ends_and_says_why(disease: str, method: str) -> None:
    text, variable, message, (first, last) = DISEASES[disease]
    model = fw.parse(HEAD + text)
    simulate(model, method=method, stop=0.5)  # imports and compiles outside the time limit
    begin = monotonic()
    run = simulate(model, method=method)
    assert monotonic() - begin < 2.0
    assert not run.ok
    assert run.status.variable in (variable, "S")
    assert run.status.variable in run.status.message
    assert run.status.time is not None
    assert first - 1e-6 <= run.status.time <= last
    assert message in run.status.message
    assert run.status.span is not None
    assert str(run.status.span) in run.status.message
    # The grid is kept; what was computed before the failure too; nothing after it.
    assert len(run.time) == 41
    after = run.time > run.status.time + 1e-9
    assert np.isnan(run.values[after]).all()
    assert np.isfinite(run["S"][run.time < first]).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_stock_that_cannot_start_is_told_at_the_start(method: str) -> None:
    model = fw.parse(HEAD + "param a = 0\nstock S = 1 / a gains f\nflow f = 1\n")
    run = simulate(model, method=method)
    assert run.status.variable == "S"
    assert run.status.time == 0
    assert "divides by zero: a is 0" in run.status.message


@pytest.mark.parametrize("method", METHODS)
def test_an_auxiliary_that_feeds_nothing_fails_the_run_too(method: str) -> None:
    """No NaN under success, not even in a variable that no stock depends on."""
    model = fw.parse(HEAD + "stock S = 1 loses f\nflow f = 0.26\naux bad = ln(S)\n")
    run = simulate(model, method=method, stop=6)
    assert run.status.variable == "bad"
    assert run.status.time == pytest.approx(4.0, abs=0.3)
    assert "logarithm" in run.status.message


@pytest.mark.parametrize("method", ["rk45", "dop853", "lsoda", "bdf", "radau"])
def test_a_trial_step_beyond_the_edge_is_no_failure(method: str) -> None:
    """sqrt(S) draining to an equilibrium just above zero: trial steps overshoot, the answer does not."""
    text = "stock S = 1 gains g loses f\nflow f = 5 * sqrt(S)\nflow g = 0.001\n"
    run = simulate(fw.parse(HEAD + text), method=method, stop=2)
    assert run.ok, run.status.message
    assert run["S"][-1] == pytest.approx((0.001 / 5) ** 2, rel=1e-2)


@pytest.mark.parametrize("method", ["rk45", "dop853", "lsoda", "bdf", "radau"])
def test_a_budget_of_evaluations_is_met(method: str) -> None:
    text = "stock x = 1 gains a\nstock y = 0 gains b\nflow a = 500 * y\nflow b = -500 * x\n"
    run = simulate(fw.parse(HEAD + text), method=method, max_evaluations=300)
    assert not run.ok
    assert "300 evaluations" in run.status.message
    assert run.status.variable in ("x", "y")
    assert run.status.time is not None


@pytest.mark.parametrize("method", ["rk45", "lsoda", "bdf"])
def test_a_deadline_is_met(method: str) -> None:
    text = "stock x = 1 gains a\nstock y = 0 gains b\nflow a = 5e4 * y\nflow b = -5e4 * x\n"
    model = fw.parse(HEAD + text)
    simulate(model, method=method, stop=0.25, max_evaluations=10)
    begin = monotonic()
    run = simulate(model, method=method, deadline=0.2, max_evaluations=10**9)
    assert monotonic() - begin < 2.0  # without it, much longer
    assert not run.ok
    assert "0.2 seconds" in run.status.message


@pytest.mark.parametrize("engine", ["llvm", "reference"])
def test_a_deadline_is_met_by_a_fixed_step(engine: str) -> None:
    """Machine code cannot be stopped: it runs as far as the deadline lets it."""
    text = "stock x = 1 gains a\nstock y = 0 gains b\nflow a = y\nflow b = -x\n"
    model = fw.parse(HEAD + text)
    simulate(model, engine=engine)
    begin = monotonic()
    step = 2.0**-24 if engine == "llvm" else 2.0**-16
    run = simulate(model, step=step, deadline=0.2, engine=engine, max_evaluations=10**10)
    assert monotonic() - begin < 2.0  # without it, much longer
    assert not run.ok
    assert "0.2 seconds" in run.status.message
    assert np.isfinite(run["x"][0])
    assert np.isnan(run["x"][-1])
