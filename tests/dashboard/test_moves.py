"""The answer to a move: the same numbers as the library, small, and exact about failure."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from flask.testing import FlaskClient

import flywheel as fw
from flywheel.dashboard import moves
from flywheel.dashboard.library import Library

RUN = "/_flywheel/run"


def ask(client: FlaskClient, **body: object) -> dict[str, object]:
    answer = client.post(RUN, json={"model": "shop", **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = json.loads(answer.text)
    return found


def test_curves_and_outcomes_are_those_of_the_library(client: FlaskClient, shop: fw.Model) -> None:
    answer = ask(client, values={"churn": 0.2}, scenario="small", names=["customers", "cash"])
    run = shop.run(scenario="small", churn=0.2)
    for name in ("customers", "cash"):
        assert np.allclose(answer["values"][name], run[name], rtol=1e-4, atol=0)
    for name, value in run.outcomes.items():
        shown = answer["outcomes"][name]
        assert (shown is None and value != value) or shown == pytest.approx(value, rel=1e-7)
    assert answer["status"] == {"ok": True, "message": "ok", "variable": None, "time": None}


def test_asking_again_gives_the_same_and_leaves_the_baseline(client: FlaskClient) -> None:
    before = ask(client, names=["customers"])
    ask(client, values={"churn": 0.4}, names=["customers"])
    assert ask(client, names=["customers"]) == before


def test_a_failed_run_says_which_variable_and_when(client: FlaskClient) -> None:
    answer = ask(client, values={"patience": 0}, names=["customers", "cash"])
    status = answer["status"]
    assert status["ok"] is False
    assert status["variable"] == "income"
    assert status["time"] == 2000
    assert len(answer["values"]["cash"]) == 81
    assert answer["values"]["cash"][-1] is None


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "The body must be an object."),
        ({"model": "nope"}, "There is no such model."),
        ({"model": ["shop"]}, "There is no such model."),
        ({"model": "shop", "scenario": "x"}, "no such scenario"),
        ({"model": "shop", "values": [1]}, "object of numbers"),
        ({"model": "shop", "values": {"customers": 1}}, "no such parameter"),
        ({"model": "shop", "values": {"churn": "0.1"}}, "must be a number"),
        ({"model": "shop", "values": {"churn": True}}, "must be a number"),
        ({"model": "shop", "values": {"churn": float("nan")}}, "finite"),
        ({"model": "shop", "values": {"churn": 10**400}}, "finite"),
        ({"model": "shop", "names": "customers"}, "list of variables"),
        ({"model": "shop", "names": ["churn"]}, "no such variable"),
        ({"model": "shop", "names": ["customers"] * 1000}, "list of variables"),
    ],
)
def test_wrong_moves_are_refused_with_a_sentence(
    shop: fw.Model, body: object, sentence: str
) -> None:
    with pytest.raises(moves.BadMove, match=sentence):
        moves.read(body, Library([shop]))


def test_numbers_are_short() -> None:
    values = np.array([0.1 + 0.2, 1234567.0, float("nan"), float("inf"), -0.0])
    text = moves.numbers(values, 7)
    assert json.loads(text) == [0.3, 1234600.0, None, None, 0.0, None, None]
    assert len(text) < 50


def test_an_answer_is_small(client: FlaskClient) -> None:
    core = client.post(
        RUN, json={"model": "core_flywheel", "names": list(fw.load("core_flywheel").stocks)}
    )
    assert core.status_code == 200
    assert len(core.data) < 32_000


def test_exactness_names_the_worst_variable(client: FlaskClient, shop: fw.Model) -> None:
    answer = client.post("/_flywheel/exactness", json={"model": "shop", "values": {"churn": 0.2}})
    found = json.loads(answer.text)
    error = shop.run(churn=0.2).error
    assert found == {"relative": error.size, "worst": error.variable, "step": 0.125}
    failed = client.post("/_flywheel/exactness", json={"model": "shop", "values": {"patience": 0}})
    assert json.loads(failed.text) is None


def test_the_table_holds_the_run_of_the_link(client: FlaskClient, shop: fw.Model) -> None:
    answer = client.get("/_flywheel/run.csv?model=shop&p.churn=0.2&lang=ko")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="shop.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    run = shop.run(churn=0.2)
    assert [float(row["customers"]) for row in rows] == list(run["customers"])
