"""Answers known on paper, for every method."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import flywheel as fw
from flywheel.solve import METHODS, simulate

# How close each method comes on these problems with a step of 1/64 (Euler is allowed its first order).
CLOSE = {
    "euler": 5e-2,
    "rk4": 1e-7,
    "rk45": 1e-6,
    "dop853": 1e-6,
    "lsoda": 1e-5,
    "bdf": 1e-5,
    "radau": 1e-6,
}


def erlang(order: int, tau: float) -> Callable[[float], float]:
    """The answer of a delay of an order to a unit step: the distribution function of Erlang."""
    rate = order / tau

    def answer(t: float) -> float:
        terms = ((rate * t) ** k / math.factorial(k) for k in range(order))
        return 1 - math.exp(-rate * t) * sum(terms)

    return answer


CASES: dict[str, tuple[str, str, Callable[[float], float]]] = {
    "exponential": (
        "stock x = 2 gains f\nflow f = 0.3 * x",
        "x",
        lambda t: 2 * math.exp(0.3 * t),
    ),
    "logistic": (
        "stock x = 0.1 gains f\nflow f = 1.1 * x * (1 - x)",
        "x",
        lambda t: 1 / (1 + 9 * math.exp(-1.1 * t)),
    ),
    "oscillator": (
        "stock x = 1 gains a\nstock u = 0 loses b\nflow a = u\nflow b = x",
        "x",
        math.cos,
    ),
    "smooth": ("aux x = smooth(1, 2, 0)", "x", erlang(1, 2)),
    "smooth3": ("aux x = smooth3(1, 2, 0)", "x", erlang(3, 2)),
    "smoothn": ("aux x = smoothn(1, 2, 5, 0)", "x", erlang(5, 2)),
    "delay1": ("aux x = delay1(1, 2, 0)", "x", erlang(1, 2)),
    "delay3": ("aux x = delay3(1, 2, 0)", "x", erlang(3, 2)),
    "delayn": ("aux x = delayn(1, 2, 4, 0)", "x", erlang(4, 2)),
    "a step through a delay": (
        "aux x = delay3(step(1, 1), 2, 0)",
        "x",
        lambda t: erlang(3, 2)(t - 1) if t > 1 else 0.0,
    ),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_closed_form(case: str, method: str) -> None:
    text, name, exact = CASES[case]
    run = simulate(fw.parse(f"model c\ntime 0 to 6 step 1/64 save 1/4\n{text}\n"), method=method)
    assert run.ok, run.status.message
    wanted = np.array([exact(t) for t in run.time])
    assert np.abs(run[name] - wanted).max() <= CLOSE[method] * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("method", METHODS)
def test_a_pipeline_is_an_exact_shift(method: str) -> None:
    """delay_fixed on the grid is what went in, two and a half later; before that the initial value."""
    text = "model p\ntime 0 to 8 step 1/8 save 1/8\naux x = delay_fixed(time * 3 + 1, 2.5, 7)\n"
    run = simulate(fw.parse(text), method=method)
    assert run.ok, run.status.message
    early = run.time < 2.5
    assert (run["x"][early] == 7).all()
    assert run["x"][~early] == pytest.approx((run.time[~early] - 2.5) * 3 + 1, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_what_leaves_a_pipeline_fills_a_stock(method: str) -> None:
    """Material is kept: what is in the stock has left the pipeline, what is not is still inside."""
    text = (
        "model p\ntime 0 to 8 step 1/16 save 1/4\n"
        "stock S = 0 gains out\nflow out = delay_fixed(2, 1.5, 0)\n"
    )
    run = simulate(fw.parse(text), method=method)
    # The jump from 0 to 2 is spread over the step before 1.5; a step-start method sees none of it.
    spread = 0.0 if method == "euler" else 2 / 16 / 2
    late = run.time > 1.5
    assert run["S"][late] == pytest.approx((run.time[late] - 1.5) * 2 + spread, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_tables_and_series_are_linear_between_points(method: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "d.csv").write_text("year,value\n0,0\n2,4\n4,4\n6,0\n")
    text = (
        "model t\ntime 0 to 6 step 1/4 save 1/4\n"
        'data d = "d.csv"\ndata held = "d.csv" hold\n'
        "table f of time = (0, 0) (2, 4) (4, 4) (6, 0)\n"
        "stock from_data = 0 gains a\nstock from_held = 0 gains b\nstock from_table = 0 gains c\n"
        "flow a = d\nflow b = held\nflow c = f\n"
    )
    run = simulate(fw.parse(text, folder=tmp_path), method=method)
    assert run.ok, run.status.message
    assert run["d"] == pytest.approx(np.interp(run.time, [0, 2, 4, 6], [0, 4, 4, 0]), abs=1e-12)
    assert run["f"] == pytest.approx(run["d"], abs=1e-12)
    close = 0.6 if method == "euler" else 1e-6
    assert run["from_data"][-1] == pytest.approx(16, abs=close)
    assert run["from_table"][-1] == pytest.approx(16, abs=close)
    # A series to hold jumps at its times, so that no method errs on it.
    assert run["from_held"][-1] == pytest.approx(16, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_timed_scenario_is_exact_at_its_times(method: str) -> None:
    text = (
        "model s\ntime 0 to 10 step 1/10 save 1\nparam r = 0.1\n"
        "stock x = 1 gains f\nflow f = r * x\nscenario fast: r = 0.3 from 3 to 7\n"
    )
    run = simulate(fw.parse(text), method=method, scenario="FAST")
    wanted = math.exp(0.1 * 3 + 0.3 * 4 + 0.1 * 3)
    close = 0.1 if method == "euler" else 1e-4
    assert run["x"][-1] == pytest.approx(wanted, rel=close)
    if method in ("rk45", "dop853", "radau"):
        assert run["x"][-1] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("method", ["rk45", "dop853", "bdf", "radau", "lsoda"])
def test_an_event_between_grid_times_is_found_exactly(method: str) -> None:
    """A fixed step can only see 1/3 at the next grid time; a solver that stops there need not."""
    text = "model e\ntime 0 to 2 step 1/4 save 1/2\nstock x = 0 gains f\nflow f = step(6, 1/3)\n"
    run = simulate(fw.parse(text), method=method)
    assert run["x"][-1] == pytest.approx(10, abs=1e-6)


def test_a_model_without_stocks_runs_with_every_method() -> None:
    for method in METHODS:
        text = "model a\ntime 0 to 2 step 1/4 save 1/2\naux x = time ^ 2\n"
        run = simulate(fw.parse(text), method=method)
        assert run.ok
        assert run["x"] == pytest.approx(run.time**2)
