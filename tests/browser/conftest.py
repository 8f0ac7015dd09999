"""One server and one headless Chromium for all browser tests.

``visit`` is a new tab of one profile, whose cache spares the time to load Dash again; ``visitor`` makes
profiles of their own.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flywheel as fw
from tests.dashboard.shop import DATA, TEXT

pytest.importorskip("dash", reason="the dashboard's packages are not installed")
pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from flywheel.dashboard import make_app

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIVE = '#page[data-live="1"]'


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server with the small shop, the core flywheel and an entrant's model."""
    import waitress

    folder = tmp_path_factory.mktemp("shop")
    (folder / "takings.csv").write_text(DATA, encoding="utf-8")
    app = make_app([fw.parse(TEXT, folder=Path(folder)), "core_flywheel", "margin_opportunity"])
    logging.getLogger("waitress").setLevel(logging.ERROR)
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(5)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield found
        found.close()


class Visit:
    """A page in a profile of its own, with everything it said and asked for."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: object) -> None:
        if message.type == "error":  # type: ignore[attr-defined]
            self.complaints.append(message.text)  # type: ignore[attr-defined]

    def open(self, query: str = "", live: bool = True) -> Page:
        self.page.goto(f"{self.address}/{query}")
        if live:
            self.page.wait_for_selector(LIVE, state="attached")
            self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until every answer that was asked for has been drawn."""
        self.until("window.flywheel.idle()")

    def until(self, expression: str, seconds: float = 10.0) -> None:
        """Wait until an expression holds (playwright does it by eval, which our policy forbids)."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"never came true: {expression}"
            self.page.wait_for_timeout(15)

    def foreign(self) -> list[str]:
        """Requests that went anywhere but to our server."""
        allowed = (self.address, "data:", "blob:", "about:")
        return [url for url in self.requests if not url.startswith(allowed)]


def _profile(browser: Browser, width: int, height: int, dark: bool) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(float(os.environ.get("FLYWHEEL_BROWSER_WAIT", "15000")))
    return context


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    found = _profile(browser, 1440, 900, False)
    yield found
    found.close()


@pytest.fixture
def visitor(browser: Browser, address: str) -> Iterator[Callable[..., Visit]]:
    """A maker of visits: ``visitor(width=390, dark=True)``."""
    contexts: list[BrowserContext] = []

    def make(width: int = 1440, height: int = 900, dark: bool = False) -> Visit:
        context = _profile(browser, width, height, dark)
        contexts.append(context)
        return Visit(context, address)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def visit(profile: BrowserContext, address: str) -> Iterator[Visit]:
    found = Visit(profile, address)
    yield found
    found.page.close()
