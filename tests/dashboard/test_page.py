"""What the page is built from: every text in both languages, levers first, safe names, our colours."""

from __future__ import annotations

import json
import re
import string
from importlib.resources import files

import pytest
from flask.testing import FlaskClient

import flywheel as fw
from flywheel.dashboard import charts, diagram, layout, make_app
from flywheel.dashboard.library import Library, open_library
from flywheel.dashboard.state import State
from flywheel.dashboard.texts import TEXTS, all_texts, say
from flywheel.figures.theme import DARK, LIGHT
from flywheel.model import Param


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_say_the_same_fields(key: str) -> None:
    english, korean = TEXTS[key]
    fields = [
        {name for _, name, _, _ in string.Formatter().parse(text) if name}
        for text in (english, korean)
    ]
    assert fields[0] == fields[1]
    assert english
    assert korean
    assert re.search("[가-힣]", korean), korean


def test_an_unknown_language_speaks_english() -> None:
    assert say("undo", "xx") == "Undo"
    assert all_texts("ko")["undo"] == "실행 취소"


def test_every_text_of_the_script_exists() -> None:
    script = (files("flywheel.dashboard") / "assets" / "page.js").read_text(encoding="utf-8")
    used = set(re.findall(r"M\.texts\.(\w+)", script))
    assert used
    assert used <= set(TEXTS)


def test_levers_come_first_and_conventions_not_at_all(shop: fw.Model) -> None:
    assert layout.lever_params(shop) == ("churn", "word", "patience")
    assert "fixed" not in layout.adjustable(shop)
    assert layout.groups(shop) == [
        ("People", ["churn", "word", "town"]),
        ("Money", ["basket", "patience"]),
    ]


@pytest.mark.parametrize(
    ("value", "low", "high", "wanted"),
    [
        (0.1, 0.02, 0.4, (0.02, 0.4, 0.002)),
        (5.0, None, None, (0.0, 10.0, 0.1)),
        (-5.0, None, None, (-10.0, 0.0, 0.1)),
        (0.0, None, None, (-1.0, 1.0, 0.02)),
        (30.0, 1.0, 20.0, (1.0, 30.0, 0.2)),
    ],
)
def test_sliders_hold_the_value_and_have_round_steps(
    value: float, low: float | None, high: float | None, wanted: tuple[float, float, float]
) -> None:
    found = layout.slider_range(Param(name="p", value=value, low=low, high=high))
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_is_plain_data(shop: fw.Model, language: str) -> None:
    library = Library([shop])
    page = layout.page(library, State("shop", language=language), ())
    text = json.dumps(page.to_plotly_json(), cls=_encoder())
    assert "<script>" in text  # as data; React shows it as text
    assert "dangerously" not in text
    meta = layout.meta(library, State("shop", language=language))
    assert json.loads(json.dumps(meta)) == meta
    assert meta["defaults"]["churn"] == 0.1
    assert meta["labels"]["customers"] == ("고객" if language == "ko" else "Customers")


def _encoder() -> type[json.JSONEncoder]:
    from plotly.utils import PlotlyJSONEncoder

    return PlotlyJSONEncoder


def test_charts_escape_names_and_carry_roles(shop: fw.Model) -> None:
    library = Library([shop])
    figure = charts.figure(library.baseline("shop"), "income", "en")
    roles = [trace["meta"]["role"] for trace in figure["data"]]
    assert roles == ["baseline", "run", "data", "unverified"]
    odd = charts.figure(library.baseline("shop"), "crowding", "en")
    assert "<script>" not in json.dumps(odd, cls=_encoder())


def test_the_diagram_draws_loops_with_signs(shop: fw.Model) -> None:
    found = diagram.elements(shop, "ko", "loops")
    nodes = {e["data"]["id"]: e["data"] for e in found if "source" not in e["data"]}
    assert nodes["customers"]["label"] == "고객"
    assert nodes["customers"]["loops"] == ["R1", "B1", "B2"]
    assert "crowding" not in nodes  # it only hands on
    arrows = {
        (e["data"]["source"], e["data"]["target"]): e["data"]
        for e in found
        if e.get("classes") == "arrow"
    }
    assert arrows["customers", "leaving"]["sign"] == "+"
    assert arrows["customers", "joining"]["loops"] == ["R1", "B1"]
    pipes = [(e["data"]["source"], e["data"]["target"]) for e in found if "pipe" in e["classes"]]
    assert pipes == [("joining", "customers"), ("customers", "leaving")]


def test_everything_shows_every_variable(shop: fw.Model) -> None:
    found = diagram.elements(shop, "en", "all")
    ids = {e["data"]["id"] for e in found if "source" not in e["data"]}
    assert ids == set(shop.variables) - {"takings"}


@pytest.mark.parametrize("view", ["loops", "all"])
def test_no_two_nodes_of_the_core_overlap(view: str) -> None:
    model = fw.load("core_flywheel")
    places = [
        (e["position"]["x"], e["position"]["y"], e["data"]["kind"])
        for e in diagram.elements(model, "en", view)
        if "position" in e
    ]
    for i, (x, y, kind) in enumerate(places):
        for u, v, other in places[:i]:
            wide = 128 if kind == other == "stock" else 90
            tall = 84 if kind == other == "stock" else 36
            assert abs(x - u) >= wide or abs(y - v) >= tall


def test_the_stylesheet_uses_the_colours_of_the_figures() -> None:
    css = (files("flywheel.dashboard") / "assets" / "flywheel.css").read_text(encoding="utf-8")
    blocks = dict(
        zip(("light", "dark"), re.findall(r":root[^{]*\{([^}]*)\}", css)[:2], strict=True)
    )
    for name, colors in (("light", LIGHT), ("dark", DARK)):
        said = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})", blocks[name]))
        for word in said:
            if hasattr(colors, word):
                assert said[word].lower() == getattr(colors, word).lower(), (name, word)
        assert {"run", "baseline", "reinforcing", "guess", "measured", "ink"} <= set(said)


def test_nothing_of_the_assets_comes_from_elsewhere() -> None:
    for file in (files("flywheel.dashboard") / "assets").iterdir():
        if file.name.endswith((".css", ".js", ".svg")):
            text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?:|//\w+\.\w+|@import", text), file.name


def test_no_model_is_a_page_too() -> None:
    app = make_app([])
    body = {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [{"id": "key", "property": "data", "value": ""}],
        "changedPropIds": ["key.data"],
        "state": [],
    }
    with app.server.test_client() as client:
        answer = client.post("/_dash-update-component", json=body)
        assert "There is no model to show" in answer.text
        assert client.get("/_flywheel/run.csv").status_code == 404


def test_two_models_of_one_name_stand_side_by_side(shop: fw.Model) -> None:
    library = Library([shop, shop.with_(churn=0.2)])
    assert list(library) == ["shop", "shop~2"]
    assert library["shop~2"].params["churn"].value == 0.2


def test_a_broken_file_is_shown_and_the_others_open(tmp_path, client: FlaskClient) -> None:
    broken = tmp_path / "broken.fly"
    broken.write_text("model broken\ntime 0 to 1 step 1\naux a = b +\n", encoding="utf-8")
    library = open_library(["core_flywheel", broken])
    assert list(library) == ["core_flywheel"]
    assert library.unsound[0].findings
    page = layout.page(library, State("core_flywheel"), ())
    assert "cannot be opened" in json.dumps(page.to_plotly_json(), cls=_encoder())


def test_a_name_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(fw.UnknownNameError, match="core_flywheel"):
        make_app(["core_flywhel"])
