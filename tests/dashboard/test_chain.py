"""The value chain page, as the server makes it: words, links, refusals."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

import flywheel as fw
from flywheel.api import chain_names
from flywheel.dashboard.app import make_app
from flywheel.dashboard.library import open_library
from flywheel.dashboard.state import read


@pytest.fixture(scope="module")
def client() -> Any:
    return make_app(["margin_opportunity", "aws"]).server.test_client()


def text(client: Any, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("chain", chain_names())
def test_every_chain_has_its_page_in_both_languages(client: Any, chain: str, lang: str) -> None:
    page = text(client, f"/chain?chain={chain}&lang={lang}")
    assessment = fw.assess(chain)
    assert unescape(page).count(assessment.explain(lang)) == 1
    for point in assessment.chain.points:
        assert point.text(lang) in unescape(page)
    assert f'<html lang="{lang}">' in page


def test_a_judgement_in_the_address_changes_the_score(client: Any) -> None:
    moved = fw.assess("amazon").with_({"servers": {"margin": 0.1}})
    total = next(r.total for r in moved.ranking if r.point == "servers")
    part = text(client, "/chain?chain=amazon&point=servers&j.margin=0.1&part=result")
    assert f'<td class="total">{total:.2f}<' in part
    assert "<html" not in part
    assert 'name="j.margin" value="0.1"' in text(
        client, "/chain?chain=amazon&point=servers&j.margin=0.1"
    )


def test_a_sent_link_opens_the_model_with_these_parameters(client: Any) -> None:
    page = text(client, "/chain?chain=amazon&point=servers")
    links = [unescape(found) for found in re.findall(r'<li><a href="(/[^"]*)"', page)]
    library = open_library(["margin_opportunity", "aws"])
    states = [read(link.lstrip("/"), library, library.default) for link in links]
    sent = fw.assess("amazon").send("servers")
    assert [state.model for state, _ in states] == ["margin_opportunity", "aws"]
    for state, problems in states:
        assert not problems
        assert dict(state.values) == sent[state.model]


@pytest.mark.parametrize(
    "query",
    [
        "chain=nothing",
        "point=nowhere",
        "point=servers&j.margin=much",
        "point=servers&j.margin=nan",
        "point=servers&j.margin=7",
        "point=servers&j.nothing=1",
        "chain=../../secret",
        "x=" + "y" * 20_000,
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(client: Any, query: str) -> None:
    answer = client.get(f"/chain?{query}")
    assert answer.status_code == 400
    assert len(answer.get_json()["error"]) > 10


def test_what_is_typed_comes_back_as_text_only(client: Any) -> None:
    answer = client.get("/chain?lang=<script>alert(1)</script>")
    assert answer.status_code == 200
    assert "alert(1)" not in answer.text
    assert "script-src" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
