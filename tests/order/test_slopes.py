"""Each fixed-step method has its order: the slope of log error over log step is 1 or 4."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import flywheel as fw
from flywheel.model import Model
from flywheel.solve import simulate

GROWTH = """model growth
time 0 to 4 step 1/4 save 1
param r = 0.7
stock S = 2 gains g
flow g = r * S
"""
LOGISTIC = """model logistic
time 0 to 8 step 1/4 save 1
param r = 1.2
stock S = 0.1 gains g
flow g = r * S * (1 - S)
"""
OSCILLATOR = """model oscillator
time 0 to 4 step 1/4 save 1
param w = 1.5
stock x = 1 gains v
stock u = 0 gains a
flow v = w * u
flow a = -w * x
"""

PROBLEMS: dict[str, tuple[str, str, Callable[[float], float]]] = {
    "growth": (GROWTH, "S", lambda t: 2 * math.exp(0.7 * t)),
    "logistic": (LOGISTIC, "S", lambda t: 1 / (1 + 9 * math.exp(-1.2 * t))),
    "oscillator": (OSCILLATOR, "x", lambda t: math.cos(1.5 * t)),
}
# Six step sizes, small enough for the leading term and large enough to stand above rounding.
STEPS = {"euler": [2.0**-k for k in range(7, 13)], "rk4": [2.0**-k for k in range(3, 9)]}
ORDER = {"euler": 1, "rk4": 4}


def slope(
    model: Model, name: str, exact: Callable[[float], float], method: str, **how: str
) -> float:
    errors = []
    for step in STEPS[method]:
        run = simulate(model, method=method, step=step, **how)  # type: ignore[arg-type]
        wanted = np.array([exact(t) for t in run.time])
        errors.append(float(np.abs(run[name] - wanted).max()))
    return float(np.polyfit(np.log(STEPS[method]), np.log(errors), 1)[0])


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_order(problem: str, method: str) -> None:
    text, name, exact = PROBLEMS[problem]
    assert slope(fw.parse(text), name, exact, method) == pytest.approx(ORDER[method], abs=0.1)


def test_order_of_the_reference() -> None:
    text, name, exact = PROBLEMS["growth"]
    found = slope(fw.parse(text), name, exact, "rk4", engine="reference")
    assert found == pytest.approx(4, abs=0.1)


# x' = u - x from 0: the answer to a step, to a pulse and to a ramp, all on the grid of steps.
def _relax(t: float, since: float) -> float:
    return 1 - math.exp(-(t - since)) if t > since else 0.0


def _ramp(t: float, since: float) -> float:
    s = t - since
    return s - 1 + math.exp(-s) if s > 0 else 0.0


EVENTS: dict[str, tuple[str, Callable[[float], float]]] = {
    "step": ("step(3, 1)", lambda t: 3 * _relax(t, 1)),
    "pulse": ("pulse(1, 0.5)", lambda t: _relax(t, 1) - _relax(t, 1.5)),
    "ramp": ("ramp(2, 1, 2)", lambda t: 2 * (_ramp(t, 1) - _ramp(t, 2))),
    "condition": ("if(time >= 1 and time < 2, 1, 0)", lambda t: _relax(t, 1) - _relax(t, 2)),
}


@pytest.mark.parametrize("event", EVENTS)
def test_events_on_the_grid_keep_the_order(event: str) -> None:
    """A condition that flipped inside a step would make the method first order."""
    source, exact = EVENTS[event]
    text = f"model e\ntime 0 to 4 step 1/8 save 1/2\nstock x = 0 gains f\nflow f = {source} - x\n"
    found = slope(fw.parse(text.replace("\\\n", "\n")), "x", exact, "rk4")
    assert found == pytest.approx(4, abs=0.15)


def test_a_decimal_event_time_counts_as_its_grid_time() -> None:
    """0.1 has no exact binary form: 3 * 0.1 is above 0.3, 7 * 0.1 below 0.7."""
    for at in (0.3, 0.6, 0.7, 1.2):
        text = (
            f"model e\ntime 0 to 2 step 0.1 save 0.1\nstock x = 0 gains f\nflow f = step(1, {at})\n"
        )
        run = simulate(fw.parse(text.replace("\\\n", "\n")), method="euler")
        assert run["x"][-1] == pytest.approx(2 - at, abs=1e-12)
        assert run["f"][round(at / 0.1)] == 1
        assert run["f"][round(at / 0.1) - 1] == 0
