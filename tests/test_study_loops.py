"""Loops of a study seen otherwise: over many draws, by eigenvalues, by pathways; pushes and cuts."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import flywheel as fw
from flywheel.cli.app import app

MODEL = fw.load("marketplace")
STUDY = MODEL.study("profit_15")


def test_an_ensemble_gives_bands_and_who_is_largest() -> None:
    found = STUDY.loop_ensemble(16, seed=1)
    assert found.runs + len(found.failures) == 16
    assert np.all(found.low <= found.high + 1e-12)
    # In every partition at most one loop is the largest of a run.
    assert np.all(
        found.dominant.sum(axis=0) <= len({loop.partition for loop in found.loops}) + 1e-12
    )
    assert "16 runs" in found.explain()
    assert "16개" in found.explain("ko")
    assert "<table>" in found._repr_html_()


def test_an_ensemble_of_no_width_is_the_run_itself() -> None:
    name, param = next(iter(MODEL.params.items()))
    narrow = {name: (param.value * (1 - 1e-9), param.value * (1 + 1e-9))}
    still = STUDY.loop_ensemble(4, names=[name], ranges=narrow)
    np.testing.assert_allclose(still.low, still.high, atol=1e-6)


def test_influences_sum_to_the_eigenvalue_by_order() -> None:
    found = STUDY.influence([5.0])
    (one,) = found.results
    for k, value in enumerate(one.modes.values):
        if np.isfinite(one.mu[k]).all():
            assert (one.orders * one.mu[k]).sum() == pytest.approx(value, abs=1e-9)
    assert "grows" in found.explain()
    assert STUDY.influence([5.0], how="shortest").results[0].how != one.how


def test_impacts_add_up_to_the_bend() -> None:
    found = STUDY.impact("customers")
    known = np.isfinite(found.total)
    np.testing.assert_allclose(found.impacts[:, known].sum(axis=0), found.total[known], rtol=1e-9)
    with pytest.raises(fw.UnknownNameError, match="customers"):
        STUDY.impact("custmers")


def test_what_swings_by_rounding_alone_does_not_swing() -> None:
    core = fw.load("core_flywheel").study("income_total", [10], since=2005)
    assert core.vitals().swing == 0.0


def test_pushes_and_cuts_on_the_command_line(tmp_path: Path) -> None:
    text = """model cafe "A cafe"
time 0 to 10 [year] step 1/16 save 1/4
stock guests = 50 gains talk, ads loses leaving
flow talk = word * guests
flow ads = spend
flow leaving = boredom * guests
param word = 0.5 in 0.2 .. 1 from guess
param spend = 20 in 0 .. 50 from guess
param boredom = 0.3 in 0.1 .. 0.5 from guess
outcome visits "Visits" = total guests
"""
    runner, path = CliRunner(), tmp_path / "cafe.fly"
    path.write_text(text)
    asked = ["loops", str(path), "--outcome", "visits", "--json"]
    done = runner.invoke(app, [*asked, "--off", "spend=0", "--cut", "boredom=-10%"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["vitals"]["rows"]
    remains = next(row["value"] for row in rows if row["vital"] == "momentum")
    # Growth at 0.2 a year: 50 guests alone; with ads 20 / 0.2 more drive it, less what they bring.
    alone = 50 * math.expm1(2) / 0.2
    pushed = 150 * math.expm1(2) / 0.2 - 100 * 10
    assert remains == pytest.approx(alone / pushed, rel=1e-5)
    assert any(row["vital"] == "break-even loop gain" for row in rows)
    wrong = runner.invoke(app, ["loops", str(path), "--off", "spend=0"])
    assert isinstance(wrong.exception, fw.UsageError)
