"""Eigenvalue influence along runs of models: the oscillator again, a settled run, words."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.loops.influence import EigenInfluence, eigenvalue_influence
from flywheel.analysis.loops.trajectory import trajectory
from flywheel.errors import UsageError

WORKFORCE = """model workforce
time 0 to 60 [month] step 1/16 save 1/2
param tau = 4
param t_inventory = 3
stock inventory = 8 gains making loses selling
stock workers = 10 gains hiring
flow making = workers
flow selling = 10
flow hiring = (10 + gap / t_inventory - workers) / tau
aux gap = 10 - inventory
loop B1 "Hiring towards the goal" = workers -> hiring -> workers
    ko "목표를 향한 채용"
"""
LOGISTIC = """model l
time 0 to 20 step 1/16 save 1/4
stock x = 0.05 gains born loses die
flow born = 0.9 * x
flow die = 0.9 * x * x
"""


def of(text: str, **how: object) -> EigenInfluence:
    return eigenvalue_influence(trajectory(fw.parse(text)), **how)  # type: ignore[arg-type]


def test_the_oscillator_along_its_run() -> None:
    found = of(WORKFORCE)
    assert len(found.times) == 20
    turn = math.sqrt(1 / 12 - 1 / 64)
    assert np.allclose(found.values, complex(-0.125, turn), atol=1e-12)
    for one in found.results:
        minor = one.loops.index(("hiring", "workers"))
        assert one.mu[0, minor] == pytest.approx(complex(-0.125, -(0.125**2) / turn), abs=1e-12)
        assert one.mu[0, 1 - minor].real == pytest.approx(0, abs=1e-12)
    said = found.explain()
    assert "largest part in that is B1 “Hiring towards the goal” (-0.125)" in said
    assert "period of 24.1 months, set most by" in said
    assert "목표를 향한 채용" in found.explain("ko")


def test_the_end_of_a_settled_run_is_its_equilibrium() -> None:
    found = of(LOGISTIC, at=[0.0, 20.0])
    assert found.values[0] == pytest.approx(0.9 * (1 - 0.1), abs=1e-9)
    assert found.values[1] == pytest.approx(-0.9, abs=1e-5)
    assert "grows at +0.81" in found.explain()
    assert "dies away" in found.explain()


def test_frame_has_a_row_for_every_time_mode_and_loop() -> None:
    found = of(WORKFORCE, at=[0.0, 10.0])
    table = found.frame
    assert len(table) == 2 * 2  # of the conjugate pair only the one that turns forward
    assert table["leading"].all()
    sums = table.assign(x=table["order"] * table["growth_influence"]).groupby("time")["x"].sum()
    assert np.allclose(sums, -0.125)
    assert repr(found) == "<eigenvalue influence of workforce at 2 times>"


def test_nothing_to_say_without_feedback_and_mistakes_are_named() -> None:
    text = "model n\ntime 0 to 4 step 1/4\nstock s = 1 gains f\nflow f = 2\n"
    found = of(text)
    assert np.isnan(found.values).all()
    assert "No feedback" in found.explain()
    assert found.frame.empty
    with pytest.raises(UsageError, match="outside the run"):
        of(text, at=[9.0])


def test_a_slope_that_is_not_finite_is_said() -> None:
    text = "model r\ntime 0 to 2 step 1/4\nstock s = 0 gains f\nflow f = sqrt(s) + 1 - s\n"
    found = of(text, at=[0.0, 1.0])
    assert found.core[0] is None
    assert "not finite" in found.results[0].modes.reason
    assert found.core[1] is not None
