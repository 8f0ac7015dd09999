"""What leaves one stock enters another: closed networks keep their total.

Euler, Runge-Kutta and LSODA add and subtract the same numbers, so that only rounding remains. BDF and
Radau end their inner iterations at a tolerance and are promised 1e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flywheel as fw
from flywheel.solve import simulate

RATES = [
    "{k} * {a}",
    "{k} * {a} * {b} / (1 + {a} + {b})",
    "{k} * {a} / (1 + {a})",
    "{k} * {a} * (1 + 0.5 * sin(time))",
    "max({k} * ({a} - {b}), 0)",
    "{k} * {a} ^ 2 / (1 + {a} ^ 2)",
]


@st.composite
def networks(draw: st.DrawFn) -> str:
    """A closed network: two to six stocks, up to ten flows from one to another."""
    count = draw(st.integers(2, 6))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    ends = draw(st.lists(pairs.filter(lambda p: p[0] != p[1]), min_size=1, max_size=10))
    lines = ["model closed", "time 0 to 100 step 1/100 save 1"]
    for stock in range(count):
        gains = [f"f{n}" for n, (_, to) in enumerate(ends) if to == stock]
        loses = [f"f{n}" for n, (origin, _) in enumerate(ends) if origin == stock]
        initial = draw(st.floats(0.1, 50))
        line = f"stock s{stock} = {initial!r}"
        line += f" gains {', '.join(gains)}" if gains else ""
        line += f" loses {', '.join(loses)}" if loses else ""
        lines.append(line)
    for n, (origin, to) in enumerate(ends):
        rate = draw(st.sampled_from(RATES))
        k = draw(st.floats(0.01, 1))
        lines.append(f"flow f{n} = " + rate.format(k=repr(k), a=f"s{origin}", b=f"s{to}"))
    return "\n".join(lines) + "\n"


def drift(text: str, method: str) -> float:
    run = simulate(fw.parse(text), method=method)
    assert run.ok, run.status.message
    total = run.values[:, : len(run.model.stocks)].sum(axis=1)
    return float(np.abs(total - total[0]).max() / total[0])


@settings(max_examples=40)
@given(networks())
def test_fixed_steps_conserve(text: str) -> None:
    assert drift(text, "euler") <= 1e-12
    assert drift(text, "rk4") <= 1e-12


@settings(max_examples=4)
@given(networks())
def test_adaptive_solvers_conserve(text: str) -> None:
    for method in ("rk45", "dop853", "lsoda"):
        assert drift(text, method) <= 1e-12
    for method in ("bdf", "radau"):
        assert drift(text, method) <= 1e-6


@pytest.mark.slow
@settings(max_examples=500)
@given(networks())
def test_five_hundred_networks(text: str) -> None:
    assert drift(text, "euler") <= 1e-12
    assert drift(text, "rk4") <= 1e-12


@pytest.mark.slow
@settings(max_examples=60)
@given(networks())
def test_adaptive_solvers_conserve_in_many_networks(text: str) -> None:
    for method in ("rk45", "dop853", "lsoda"):
        assert drift(text, method) <= 1e-12
    for method in ("bdf", "radau"):
        assert drift(text, method) <= 1e-6
