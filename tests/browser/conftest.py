"""One server and one headless Chromium for all browser tests.

``visit`` is a new tab of one profile, whose cache spares the time to load Dash again; ``visitor`` makes
profiles of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.dashboard.shop import DATA, TEXT

pytest.importorskip("dash", reason="the dashboard's packages are not installed")
pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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


SERVER = """
import sys
from pathlib import Path
import flywheel as fw
from flywheel.dashboard import serve
shop = fw.parse(Path(sys.argv[1], "shop.fly").read_text(encoding="utf-8"), folder=sys.argv[1])
serve([shop, "core_flywheel", "margin_opportunity"], port=0, open_browser=False)
"""


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server with the small shop, the core flywheel and an entrant's model.

    It runs in a process of its own, as for a user, and must end by itself when asked to.
    """
    folder = tmp_path_factory.mktemp("shop")
    (folder / "takings.csv").write_text(DATA, encoding="utf-8")
    (folder / "shop.fly").write_text(TEXT, encoding="utf-8")
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = server.stdout.readline()  # "Flywheel is at http://127.0.0.1:41234 (Ctrl-C stops it)"
        assert "http" in said, "the server did not start"
        yield next(word for word in said.split() if word.startswith("http"))
        server.terminate()
        assert server.wait(10) == 0


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
