"""The verbs of a model, as a notebook uses them."""

from __future__ import annotations

import dataclasses
import json
from math import exp
from pathlib import Path

import numpy as np
import pytest

import flywheel as fw
from flywheel import model as data
from flywheel.plain import plain

GROWTH = """
model growth "Growth <b>&amp; more</b>"
    "Things make things. <script>alert(1)</script>"
time 0 to 10 [year] step 1/16 save 1/4
unit thing
stock things "Things" [thing] = 1 gains making bounded .. 10
flow making [thing/year] = things * rate
param rate "Rate" [1/year] = 0.1 in 0.05 .. 0.5 from guess "<img src=x onerror=alert(1)>"
param method [1] = 2 in 1 .. 3 from guess
aux doubled [thing] = method * things
outcome final "At the end" [thing] = things at 10
scenario fast "Twice as fast": rate = 0.2
loop R1 "Growth" = things -> making -> things
check positive: things > 0
"""


@pytest.fixture(scope="module")
def growth() -> fw.Model:
    return fw.parse(GROWTH)


def test_a_run_is_what_the_equation_says(growth: fw.Model) -> None:
    run = growth.run(rate=0.2)
    assert isinstance(run, fw.Run)
    np.testing.assert_allclose(run["Things"], np.exp(0.2 * run.time), rtol=1e-6)
    assert run.outcomes["final"] == pytest.approx(exp(2), rel=1e-6)
    assert growth.run().outcomes["final"] == pytest.approx(exp(1), rel=1e-6)


def test_a_run_changes_nothing(growth: fw.Model) -> None:
    before = growth.hash
    growth.run(rate=0.3, scenario="fast", step=0.5)
    assert growth.hash == before
    assert growth == fw.parse(GROWTH)
    with pytest.raises(dataclasses.FrozenInstanceError):
        growth.name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        growth.run()["things"][0] = 5


def test_overrides_come_on_top_of_the_scenario(growth: fw.Model) -> None:
    fast = growth.run(scenario="fast").outcomes["final"]
    assert fast == pytest.approx(exp(2), rel=1e-6)
    assert growth.run(scenario="fast", rate=0.1).outcomes["final"] == pytest.approx(
        exp(1), rel=1e-6
    )
    assert growth.run(things=2).outcomes["final"] == pytest.approx(2 * exp(1), rel=1e-6)


def test_a_parameter_named_like_an_argument_goes_through_overrides(growth: fw.Model) -> None:
    run = growth.run(overrides={"method": 3.0})
    np.testing.assert_allclose(run["doubled"], 3 * run["things"])
    with pytest.raises(fw.UsageError, match=r"overrides=\{'method': 3\.0\}"):
        growth.run(method=3.0)  # type: ignore[arg-type]
    by_euler = growth.run(method="euler", overrides={})
    assert by_euler.method == "euler"
    with pytest.raises(fw.UsageError, match="set twice"):
        growth.run(overrides={"Rate": 0.1}, rate=0.2)
    with pytest.raises(fw.UsageError, match="must be text"):
        growth.run(overrides={1: 0.1})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rat": 0.1}, "Did you mean 'rate'"),
        ({"scenario": "fats"}, "Did you mean 'fast'"),
        ({"method": "rk5", "overrides": {}}, "Did you mean 'rk45'"),
        ({"rate": "0.1"}, "rate must be a finite number"),
        ({"rate": float("nan")}, "rate must be a finite number"),
        ({"rate": True}, "rate must be a finite number"),
        ({"step": -1}, "step must be"),
        ({"making": 1.0}, "making"),
    ],
)
def test_what_makes_no_sense_is_refused(
    growth: fw.Model, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(fw.UsageError, match=sentence):
        growth.run(**arguments)  # type: ignore[arg-type]


def test_unknown_names_of_a_run_are_answered_with_the_nearest(growth: fw.Model) -> None:
    run = growth.run()
    with pytest.raises(fw.UnknownNameError, match="Did you mean 'things'"):
        run["thigns"]
    with pytest.raises(KeyError):
        run.outcomes["fnal"]


def test_with_returns_another_model_of_the_same_kind(growth: fw.Model) -> None:
    other = growth.with_(rate=0.2, name="other")
    assert isinstance(other, fw.Model)
    assert other.run().outcomes["final"] == pytest.approx(exp(2), rel=1e-6)
    assert other.hash != growth.hash
    assert growth.with_(rate=0.1).hash == growth.hash


def test_a_model_of_the_api_equals_its_data_only_as_text_says(growth: fw.Model) -> None:
    from flywheel.language import parse

    plain_model = parse(GROWTH)
    assert type(plain_model) is data.Model
    assert plain_model.hash == growth.hash


def test_a_failed_run_is_data() -> None:
    model = fw.parse(
        "model m\ntime 0 to 10 [year] step 1/8\nstock x [1] = 1 gains g\n"
        "flow g [1/year] = x / (5 * one - time)\nparam one [year] = 1\n"
    )
    run = model.run()
    assert not run.ok
    assert "divides by zero" in run.status.message
    assert run.status.span is not None
    assert run.status.span.line == 4
    assert "divides by zero" in run._repr_html_()
    report = model.check()
    assert not report.ok
    assert [finding.code for finding in report.errors] == ["run-failed"]


def test_check_gathers_text_run_and_claims(growth: fw.Model) -> None:
    report = growth.check()
    assert report.ok
    assert bool(report)
    assert [result.ok for result in report.results] == [True]
    assert "1 of 1 checks hold" in report.summary
    worse = fw.parse(GROWTH.replace("things > 0", "things > 5"))
    bad = worse.check()
    assert not bad.ok
    assert [finding.code for finding in bad.errors] == ["check-failed"]
    assert "things" in str(bad)
    assert "^" in str(bad)
    contrary = fw.parse(GROWTH.replace("loop R1", "loop B1")).check()
    assert "loop-contrary" in {finding.code for finding in contrary.findings} or not contrary.ok


def test_strict_asks_for_more(growth: fw.Model) -> None:
    loose = fw.parse(GROWTH.replace("aux doubled [thing]", "aux doubled"))
    assert loose.check().ok
    assert not loose.check(strict=True).ok


def test_warnings_name_what_the_step_is_too_long_for() -> None:
    model = fw.parse(
        "model m\ntime 0 to 10 [year] step 1\nstock x [1] = 1 loses g\n"
        "flow g [1/year] = x / tau\nparam tau [year] = 0.3\naux late [1] = smooth(x, tau)\n"
    )
    run = model.run()
    codes = [finding.code for finding in run.warnings]
    assert "step-too-long" in codes
    assert not model.run(step=1 / 64).warnings
    assert not model.run(method="lsoda").warnings
    assert run.warnings is run.warnings


def test_bounds_left_are_reported(growth: fw.Model) -> None:
    codes = [finding.code for finding in growth.run(rate=0.5).warnings]
    assert codes == ["stock-out-of-bounds"]


def test_load_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "core_flywheel" in fw.model_names()
    assert fw.load("core_flywheel").name == "core_flywheel"
    (tmp_path / "mine.fly").write_text(GROWTH)
    monkeypatch.chdir(tmp_path)
    assert fw.load("mine.fly") == fw.load(tmp_path / "mine.fly")
    assert fw.load(Path("mine.fly")).source is not None
    with pytest.raises(fw.UnknownNameError, match=r"There is a file mine\.fly here"):
        fw.load("mine")
    with pytest.raises(fw.UnknownNameError, match="Did you mean 'core_flywheel'"):
        fw.load("core_flywheal")
    with pytest.raises(fw.UsageError, match=r"mine\.fly"):
        fw.load("mnie.fly")
    with pytest.raises(fw.UsageError):
        fw.load("a\0.fly")
    with pytest.raises(fw.UsageError, match="named by text or a path"):
        fw.load(b"mine.fly")  # type: ignore[arg-type]
    with pytest.raises(fw.UsageError):
        fw.load(tmp_path)


def test_reprs_escape_what_a_model_says(growth: fw.Model) -> None:
    pages = [growth._repr_html_(), growth.run(rate=0.2)._repr_html_(), growth.check()._repr_html_()]
    for page in pages:
        assert "<script" not in page
        assert "<img" not in page
        assert "Growth <b>" not in page
    assert "At the end" in pages[1]
    assert "rate = 0.2" in pages[1]
    assert "guess" in pages[0]
    assert "growth" in repr(growth)
    assert "rate=0.2" in repr(growth.run(rate=0.2))
    assert "checks hold" in repr(growth.check())


def test_the_receipt_is_plain_data(growth: fw.Model) -> None:
    receipt = growth.run(rate=0.2, seed=7).receipt()
    assert json.loads(json.dumps(receipt)) == receipt
    assert receipt["model_hash"] == growth.hash
    assert receipt["seed"] == 7
    assert receipt["overrides"] == {"rate": 0.2}


def test_plain_data_has_no_numbers_that_json_lacks() -> None:
    given = {"a": float("nan"), "b": [1.0, float("inf")], "c": (True, None, "x"), "d": Path("p")}
    made = plain(given)
    assert made == {"a": None, "b": [1.0, None], "c": [True, None, "x"], "d": "p"}
    assert json.loads(json.dumps(made, allow_nan=False)) == made
