"""The page as a person meets it: levers, scenarios, time, language, links, undo, failure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import flywheel as fw
from flywheel.dashboard.units import spoken
from flywheel.figures import numbers
from flywheel.units import Unit
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser

THUMB = '[data-param="{}"] [role="slider"]'


def curve(visit: Visit, name: str) -> list[float]:
    found: list[float] = visit.page.evaluate("name => window.flywheel.curve(name)", name)
    return found


def drawn(visit: Visit, name: str) -> list[float]:
    """The y values of the run that plotly holds for a chart, once the hand rests."""
    visit.until("!document.querySelector('[data-loose]')")
    found: list[float] = visit.page.evaluate(
        """name => {
            const graph = document.querySelector(`[data-chart="${name}"] .js-plotly-plot`);
            return Array.from(graph.data.find(t => t.meta.role === 'run').y);
        }""",
        name,
    )
    return found


def drag(visit: Visit, name: str, share: float, steps: int = 8) -> None:
    """Drag a lever's thumb to a share of its rail with the mouse."""
    page = visit.page
    page.locator(THUMB.format(name)).scroll_into_view_if_needed()
    rail = page.locator(f'[data-param="{name}"] .mantine-Slider-trackContainer').bounding_box()
    thumb = page.locator(THUMB.format(name)).bounding_box()
    assert rail
    assert thumb
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
    page.mouse.down()
    page.mouse.move(rail["x"] + share * rail["width"], rail["y"] + rail["height"] / 2, steps=steps)
    page.mouse.up()
    visit.until(  # the hand has rested and the move stands in the address
        f"location.search.includes('p.{name}=' + window.flywheel.state().values['{name}'])"
    )
    visit.settle()


def test_the_page_opens_quietly_and_alone(visit: Visit) -> None:
    page = visit.open("?model=core_flywheel")
    visit.until("document.querySelector('#badge').dataset.level === 'good'")
    assert page.title() == "Flywheel"
    assert page.locator("[data-tile]").count() == len(fw.load("core_flywheel").outcomes)
    assert "–" not in page.locator(".tile-number").all_inner_texts()
    assert visit.complaints == []
    assert visit.foreign() == []


def test_a_drag_moves_the_curve_and_the_tile(visit: Visit) -> None:
    page = visit.open("?model=shop")
    before = curve(visit, "customers")
    drag(visit, "churn", 0.9)
    after = curve(visit, "customers")
    assert after[-1] < before[-1]
    assert drawn(visit, "customers") == after
    assert page.evaluate("window.flywheel.baseline('customers')") == before
    state = page.evaluate("window.flywheel.state()")
    assert list(state["values"]) == ["churn"]
    assert state["values"]["churn"] == pytest.approx(0.36, abs=0.02)
    tile = page.locator('[data-tile="last"]')
    assert tile.get_attribute("data-change") == "down"
    assert "%" in tile.locator(".tile-change").inner_text()
    samples = page.evaluate("window.flywheel.timings")
    assert 0 < max(sample["bytes"] for sample in samples) < 32_000
    assert visit.complaints == []


def test_the_keyboard_moves_a_lever_and_undo_brings_it_back(visit: Visit) -> None:
    page = visit.open("?model=shop")
    before = curve(visit, "customers")
    thumb = page.locator(THUMB.format("word"))
    thumb.focus()
    for _ in range(5):
        thumb.press("ArrowRight")
    page.wait_for_url("**p.word=**")
    visit.settle()
    assert curve(visit, "customers") != before
    page.keyboard.press("Control+z")
    visit.until("Object.keys(window.flywheel.state().values).length === 0")
    visit.settle()
    assert curve(visit, "customers") == before
    assert float(thumb.get_attribute("aria-valuenow") or "nan") == 0.8
    page.locator('[data-do="redo"]').click()
    visit.until("'word' in window.flywheel.state().values")
    page.locator('[data-param="word"] [data-do="reset-one"]').click()
    visit.until("!('word' in window.flywheel.state().values)")
    visit.settle()
    assert curve(visit, "customers") == before


def test_a_scenario_changes_the_run_and_marks_its_levers(visit: Visit) -> None:
    page = visit.open("?model=shop")
    before = curve(visit, "customers")
    page.locator("#scenario").click()
    page.get_by_role("option", name="A crisis").click()
    page.wait_for_url("**scenario=crisis**")
    visit.settle()
    assert curve(visit, "customers") != before
    assert page.locator('[data-param="churn"]').get_attribute("data-scenario") == "true"


def test_the_scrubber_reads_values_at_a_time(visit: Visit) -> None:
    page = visit.open("?model=shop&at=2005")
    assert page.locator("#at-said").inner_text() == "2005"
    index = 20
    visit.until("document.querySelector('[data-chart=customers] .chart-now').textContent !== ''")
    shown = page.locator('[data-chart="customers"] .chart-now').inner_text()
    wanted = numbers.rounded(curve(visit, "customers")[index])
    assert shown == f"{wanted} thousand"
    thumb = page.locator('#at [role="slider"], [role="slider"][aria-label="Time"]').first
    thumb.focus()
    thumb.press("ArrowRight")
    page.wait_for_url("**at=2005.25**")
    assert page.locator("#at-said").inner_text() == "2005.25"


def test_the_language_is_korean_with_korean_numbers(visit: Visit) -> None:
    page = visit.open("?model=shop&p.churn=0.2")
    page.get_by_text("한국어").click()
    page.wait_for_url("**lang=ko**")
    page.wait_for_selector('#page[data-live="1"]', state="attached")
    visit.settle()
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.locator(".levers h2").inner_text() == "레버"
    assert page.locator('[data-tile="last"] .tile-label').inner_text() == "마지막 고객 수"
    assert "만" in page.locator('[data-tile="last"] .tile-number').inner_text()
    assert page.locator('[data-tile="last"] .tile-unit').inner_text() == "명"
    assert page.evaluate("window.flywheel.state().values") == {"churn": 0.2}
    assert visit.complaints == []


def test_a_link_opened_elsewhere_shows_the_same(visitor: Callable[..., Visit]) -> None:
    first = visitor()
    first.open("?model=shop&scenario=small&lang=ko&theme=dark")
    drag(first, "churn", 0.7)
    first.page.locator('[data-do="loop"][data-name="B1"]').click()
    first.page.wait_for_url("**loop=B1**")
    first.page.locator('[data-do="share"]').click()
    first.until("document.querySelector('#toast').classList.contains('on')")
    link = first.page.evaluate("navigator.clipboard.readText()")
    assert link == first.page.url

    second = visitor()
    second.open(link.removeprefix(second.address).lstrip("/"))
    for question in ("window.flywheel.state()", "window.flywheel.curve('customers')"):
        assert second.page.evaluate(question) == first.page.evaluate(question)
    assert (
        second.page.locator("#scenario").input_value()
        == first.page.locator("#scenario").input_value()
    )
    pressed = second.page.locator('[data-do="loop"][data-name="B1"]')
    assert pressed.get_attribute("aria-pressed") == "true"
    scheme = "document.documentElement.getAttribute('data-mantine-color-scheme')"
    assert second.page.evaluate(scheme) == "dark"
    texts = [v.page.locator(".tile").all_inner_texts() for v in (first, second)]
    assert texts[0] == texts[1]


def test_a_link_with_unknown_parts_says_so(visit: Visit) -> None:
    page = visit.open("?model=shop&p.chrun=0.2&scenario=boom")
    notice = page.locator(".notice")
    assert "no parameter called chrun" in notice.inner_text()
    assert "no scenario called boom" in notice.inner_text()
    notice.locator('[data-do="close"]').click()
    assert notice.count() == 0


def test_a_run_that_fails_says_where_and_loses_nothing(visit: Visit) -> None:
    page = visit.open("?model=shop")
    before = curve(visit, "cash")
    drag(visit, "patience", 0.0)
    banner = page.locator("#banner")
    assert "The run stopped at 2000" in banner.inner_text()
    assert "Income" in banner.inner_text()
    assert "patience is 0" in banner.inner_text()
    assert page.locator("[data-param]").count() >= 3
    page.wait_for_url("**p.patience=0**")
    banner.locator('[data-do="undo"]').click()
    visit.until("document.querySelector('#banner').childElementCount === 0")
    visit.settle()
    assert curve(visit, "cash") == before
    assert visit.complaints == []


def test_a_server_that_is_gone_is_told_and_tried_again(visit: Visit) -> None:
    page = visit.open("?model=shop")
    before = curve(visit, "customers")
    page.route("**/_flywheel/run", lambda route: route.abort())
    drag(visit, "churn", 0.9)
    page.wait_for_selector("#banner.banner-bad")
    assert "No answer from the server" in page.locator("#banner").inner_text()
    assert curve(visit, "customers") == before
    page.unroute("**/_flywheel/run")
    page.locator('#banner [data-do="retry"]').click()
    visit.until("document.querySelector('#banner').childElementCount === 0")
    assert curve(visit, "customers") != before


def test_other_parameters_are_found_by_name(visit: Visit) -> None:
    page = visit.open("?model=core_flywheel")
    page.locator("#others-fold summary").click()
    page.wait_for_selector("#others [data-param]")
    count = page.locator("#others [data-param]:visible").count()
    page.locator("#search").fill("learning")
    visit.until(
        "[...document.querySelectorAll('#others [data-param]')]"
        ".filter(e => e.offsetParent !== null).length < 6"
    )
    assert page.locator('#others [data-param="learn"]').is_visible()
    assert count > 50
    drag(visit, "learn", 0.8)
    page.wait_for_url("**p.learn=**")
    assert visit.complaints == []


def test_a_lever_of_the_link_stands_where_the_link_says_when_unfolded(visit: Visit) -> None:
    page = visit.open("?model=shop&p.town=100")
    page.locator("#others-fold summary").click()
    thumb = page.locator(THUMB.format("town"))
    thumb.wait_for()
    assert float(thumb.get_attribute("aria-valuenow") or "nan") == 100
    visit.until("document.querySelector('[data-param=town]').dataset.changed === 'true'")
    assert page.evaluate("window.flywheel.state().values") == {"town": 100}


def test_a_click_on_a_stock_charts_it(visit: Visit) -> None:
    page = visit.open("?model=shop&view=all&show=income")
    where: dict[str, float] = page.evaluate(
        """() => {
            const place = document.getElementById('diagram');
            const box = place.getBoundingClientRect();
            const at = place._cyreg.cy.getElementById('cash').renderedPosition();
            return {x: box.x + at.x, y: box.y + at.y};
        }"""
    )
    page.mouse.click(where["x"], where["y"])
    page.wait_for_selector('[data-chart="cash"] .js-plotly-plot')
    page.wait_for_url("**show=cash,income**")
    visit.until("window.flywheel.baseline('cash') !== undefined")
    visit.settle()
    # The new chart stands empty for a moment before it is given its curve.
    visit.until(
        """document.querySelector('[data-chart="cash"] .js-plotly-plot')
            .data.some(t => t.meta.role === 'run' && t.y.length > 0)"""
    )
    assert drawn(visit, "cash") == curve(visit, "cash")


def test_a_loop_lights_its_way(visit: Visit) -> None:
    page = visit.open("?model=shop")
    page.locator('[data-do="loop"][data-name="B2"]').click()
    lit = page.evaluate(
        "() => document.getElementById('diagram')._cyreg.cy.nodes('.lit').map(n => n.id()).sort()"
    )
    assert lit == ["customers", "leaving"]
    assert "Churn" in page.locator("#loop-said").inner_text()


def test_everything_can_be_drawn(visit: Visit) -> None:
    page = visit.open("?model=core_flywheel&view=all")
    count = page.evaluate("() => document.getElementById('diagram')._cyreg.cy.nodes().length")
    model = fw.load("core_flywheel")
    assert count == len(model.variables) - len(model.data)


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_sticks_out_sideways(visitor: Callable[..., Visit], dark: bool) -> None:
    visit = visitor(dark=dark)
    page = visit.open("?model=core_flywheel&lang=ko")
    wide = "document.documentElement.scrollWidth"
    for width in (1440, 1024, 768, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(150)
        assert page.evaluate(wide) <= width
    for tab in ("그림", "차트"):
        page.locator("#tab").get_by_text(tab).click()
        page.wait_for_timeout(150)
        assert page.evaluate(wide) <= 390
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (ink == "rgb(232, 235, 238)") is dark
    assert visit.complaints == []


def test_names_that_are_scripts_stay_text(visit: Visit) -> None:
    page = visit.open("?model=shop&show=crowding,customers&view=all&p.%3Cscript%3E=1")
    assert "<script>" in page.locator('[data-chart="crowding"] .chart-title').inner_text()
    page.locator('[data-chart="crowding"] .plot').hover()
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main b").count() == 0
    assert visit.complaints == []


def test_time_plays_and_stops(visit: Visit) -> None:
    page = visit.open("?model=shop&at=2019")
    page.locator('[data-do="play"]').click()
    visit.until("window.flywheel.state().at === null")
    assert page.locator("#at-said").inner_text() == "2020"
    visit.until("document.querySelector('[data-do=play]').title === 'Play'")


def test_the_browser_says_numbers_as_the_library_does(visit: Visit) -> None:
    """The page's own number formatting against ``flywheel.figures.numbers``."""
    page = visit.open("?model=shop")
    model = fw.load("core_flywheel")
    year = model.time.unit
    assert year is not None
    units: list[Unit | None] = [None, year]
    units += [v.unit for v in model.variables.values()]
    unique = list({str(unit): unit for unit in units}.values())
    values = [0.0, 1.0, -1.0, 0.0831, 3.14159, -12.3478, 99.96, 123.4, 5678.9, 1234567.8, 0.000321]
    values += [-4.2e-7, 9.87e11, 6.02e23, math.inf, math.nan]
    for language in ("en", "ko"):
        cases: list[tuple[float, dict[str, Any], str]] = []
        for unit in unique:
            spec = {**spoken(unit, model, language), "calendar": False}
            if numbers.quantity(1.0, unit, model, language).endswith(f" {unit}"):
                continue  # quantity has no phrase for it, the page says "per customer"
            cases += [(v, spec, numbers.quantity(v, unit, model, language)) for v in values]
        said = page.evaluate(
            """cases => cases.map(([value, spec]) =>
                window.flywheelFormat.short(
                    value === 'inf' ? Infinity : value === 'nan' ? NaN : value, spec))""",
            [[_plain(v), spec] for v, spec, _ in cases],
        )
        wrong = [
            (value, wanted, found)
            for (value, _, wanted), found in zip(cases, said, strict=True)
            if found not in wanted or not found
        ]
        assert wrong == []


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else "nan" if math.isnan(value) else "inf"


def test_changes_are_said_as_the_library_says_them(visit: Visit) -> None:
    page = visit.open("?model=shop")
    pairs = [(1.1, 1.0), (0.9, 1.0), (1.0, 1.0), (2.5, 1.0), (-1.0, 2.0), (3.0, 0.0), (1.0004, 1.0)]
    said = page.evaluate(
        "pairs => pairs.map(([a, b]) => window.flywheelFormat.change(a, b))", pairs
    )
    assert said == [numbers.change(value, base) for value, base in pairs]


def test_a_chunked_body_above_the_limit_is_refused(address: str) -> None:
    import http.client

    host, port = address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("POST", "/_flywheel/run")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/json")
    connection.endheaders()
    block = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
    try:
        for _ in range(24):
            connection.send(block)
        connection.send(b"0\r\n\r\n")
    except OSError:
        return  # the server has closed the door already
    assert connection.getresponse().status == 413
    connection.close()
