"""Foreign hosts and origins, large bodies, wrong types: refused with the right number, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.dashboard import guards

CALLBACK = "/_dash-update-component"
RUN = "/_flywheel/run"
GOOD = {
    "output": "page.children",
    "outputs": {"id": "page", "property": "children"},
    "inputs": [{"id": "key", "property": "data", "value": "?model=shop"}],
    "changedPropIds": ["key.data"],
    "state": [],
}


def test_a_good_callback_is_answered(client: FlaskClient) -> None:
    answer = client.post(CALLBACK, json=GOOD)
    assert answer.status_code == 200
    assert "Word of mouth" in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_foreign_hosts_are_misdirected(client: FlaskClient, host: str) -> None:
    for path in ("/", "/_dash-layout", RUN):
        assert client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8050", "127.0.0.1:1", "[::1]:8050"])
def test_loopback_hosts_are_ours(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:9999",
        "file://",
        "http://[",
        "javascript:0",
    ],
)
def test_foreign_origins_may_not_write(client: FlaskClient, origin: str) -> None:
    for path in (CALLBACK, RUN):
        assert client.post(path, json=GOOD, headers={"Origin": origin}).status_code == 403


def test_our_own_origin_may_write(client: FlaskClient) -> None:
    headers = {"Origin": "http://localhost"}
    assert client.post(CALLBACK, json=GOOD, headers=headers).status_code == 200
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(CALLBACK, json=GOOD, headers=cross).status_code == 403


def test_large_bodies_are_refused(client: FlaskClient) -> None:
    body = b" " * (guards.MAX_BODY + 1)
    for path in (CALLBACK, RUN):
        answer = client.post(path, data=body, content_type="application/json")
        assert answer.status_code == 413


def test_what_is_no_json_is_refused(client: FlaskClient) -> None:
    for path in (CALLBACK, RUN):
        wrong = client.post(path, data=b"\xff{", content_type="application/json")
        assert wrong.status_code == 400
        assert client.post(path, data="a=1").status_code in (400, 415)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("put", RUN, 405), ("post", "/", 405), ("get", "/assets/none.js", 404)],
)
def test_refusals_are_sentences_without_a_stack(
    client: FlaskClient, method: str, path: str, code: int
) -> None:
    answer = getattr(client, method)(path)
    assert answer.status_code == code
    assert list(answer.json) == ["error"]


def test_nothing_outside_the_assets_is_served(client: FlaskClient) -> None:
    for path in ("/assets/../app.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd"):
        with client.get(path) as answer:
            assert answer.status_code == 404 or "<title>Flywheel</title>" in answer.text


def test_every_answer_carries_the_headers(client: FlaskClient) -> None:
    with client.get("/assets/page.js") as script:
        script.get_data()
    answers = [
        client.get("/"),
        script,
        client.post(CALLBACK, json={}),
        client.get("/", headers={"Host": "evil.example"}),
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert "unsafe-inline" not in scripts
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_names_no_other_server(client: FlaskClient) -> None:
    text = client.get("/").text
    assert "http://" not in text
    assert "https://" not in text


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def _mangled(draw: st.DrawFn) -> Any:
    """A good body with one part, at any depth, replaced by anything."""
    body: Any = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    place: Any = body
    while True:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not inner or not isinstance(inner, dict | list) or draw(st.booleans()):
            place[key] = draw(_json)
            return body
        place = inner


_KEY = {"id": "key", "property": "data", "value": "?model=shop"}
BODIES = [
    GOOD,
    {
        "output": "charts.children",
        "outputs": {"id": "charts", "property": "children"},
        "inputs": [{"id": "show", "property": "value", "value": ["customers"]}],
        "changedPropIds": ["show.value"],
        "state": [_KEY],
    },
    {
        "output": "others.children",
        "outputs": {"id": "others", "property": "children"},
        "inputs": [{"id": "more", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["more.n_clicks"],
        "state": [_KEY],
    },
    {
        "output": "diagram.elements",
        "outputs": {"id": "diagram", "property": "elements"},
        "inputs": [{"id": "view", "property": "value", "value": "all"}],
        "changedPropIds": ["view.value"],
        "state": [_KEY],
    },
]


@pytest.mark.parametrize("body", BODIES)
def test_each_callback_answers(client: FlaskClient, body: dict[str, object]) -> None:
    assert client.post(CALLBACK, json=body).status_code == 200


@settings(max_examples=150)
@given(body=_json | _mangled())
def test_no_callback_body_is_a_500(client: FlaskClient, body: object) -> None:
    answer = client.post(CALLBACK, json=body)
    assert answer.status_code in (200, 204, 400, 415)


MOVE = {
    "model": "shop",
    "scenario": "crisis",
    "values": {"churn": 0.2, "town": 30},
    "names": ["customers", "cash"],
}


@st.composite
def _mangled_move(draw: st.DrawFn) -> Any:
    body: Any = json.loads(json.dumps(MOVE))
    key = draw(st.sampled_from(list(body)))
    if key == "values" and draw(st.booleans()):
        body["values"]["churn"] = draw(_json)
    else:
        body[key] = draw(_json)
    return body


@settings(max_examples=150)
@given(body=_json | _mangled_move())
def test_no_move_is_a_500(client: FlaskClient, body: object) -> None:
    for path in (RUN, "/_flywheel/exactness"):
        assert client.post(path, json=body).status_code in (200, 400, 415)


@given(query=st.text(st.characters(codec="ascii"), max_size=80))
def test_no_table_address_is_a_500(client: FlaskClient, query: str) -> None:
    answer = client.get("/_flywheel/run.csv", query_string=query)
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:80", "a"), ("[::1]:80", "::1"), ("A.b", "a.b"), ("[", ""), ("", ""), ("u@evil:1", "evil")],
)
def test_names_of_hosts(host: str, name: str) -> None:
    assert guards.host_name(host) == name
