"""The value chain page in a browser: a judgement moves, the score follows, a link opens the model."""

from __future__ import annotations

import pytest

import flywheel as fw
from tests.browser.conftest import LIVE, Visit

pytestmark = pytest.mark.browser


def open_chain(visit: Visit, query: str = "") -> None:
    visit.page.goto(f"{visit.address}/chain{query}")
    visit.until("document.querySelector('#judgements')")


def total(visit: Visit) -> str:
    return visit.page.locator("tr.here .total").inner_text().split()[0]


def test_moving_a_judgement_moves_the_score_and_the_address(visit: Visit) -> None:
    open_chain(visit, "?chain=amazon&point=servers")
    before = total(visit)
    visit.page.locator('input[name="j.margin"]').focus()
    visit.page.keyboard.press("Home")
    visit.until("new URLSearchParams(location.search).get('j.margin') === '0'")
    expected = fw.assess("amazon").with_({"servers": {"margin": 0.0}})
    shown = next(r for r in expected.ranking if r.point == "servers")
    visit.until(
        f"document.querySelector('tr.here .total').innerText.startsWith('{shown.total:.2f}')"
    )
    assert total(visit) != before
    assert visit.page.locator(".chain-sentence").inner_text() == expected.explain()
    assert not visit.complaints
    assert not visit.foreign()


def test_send_opens_the_model_with_the_parameters(visit: Visit) -> None:
    open_chain(visit, "?chain=amazon&point=servers")
    visit.page.get_by_role("link", name="Your margin is my opportunity").click()
    visit.page.wait_for_selector(LIVE, state="attached")
    visit.settle()
    assert visit.page.evaluate("window.flywheel.state().model") == "margin_opportunity"
    moved = visit.page.evaluate("window.flywheel.state().values")
    assert moved["inc_margin"] == pytest.approx(
        fw.assess("amazon").send("servers")["margin_opportunity"]["inc_margin"]
    )


def test_the_page_leads_there_and_back_in_korean(visit: Visit) -> None:
    visit.open("?lang=ko")
    visit.page.get_by_role("link", name="가치 사슬").click()
    visit.until("document.querySelector('#judgements')")
    assert visit.page.locator("html").get_attribute("lang") == "ko"
    visit.page.locator("a.brand").click()
    visit.page.wait_for_selector(LIVE, state="attached")
    visit.settle()
    assert visit.page.locator(".app").get_attribute("lang") == "ko"
