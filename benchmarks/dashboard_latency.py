"""How long from the hand to the eye: a lever is dragged in headless Chromium, each move timed there.

Measured in the browser, from the pointer event to the frame that shows the new curves (the message
that follows the paint). The server runs in a process of its own on loopback.

    python benchmarks/dashboard_latency.py [--model core_flywheel] [--lever target_util] [--moves 120]
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TARGET_MS = 100.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="core_flywheel")
    parser.add_argument("--lever", default="target_util")
    parser.add_argument("--moves", type=int, default=120)
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    port = free_port()
    code = (
        "from flywheel.dashboard import serve;"
        f"serve([{given.model!r}], port={port}, open_browser=False)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address)
        samples = measure(
            address, given.model, given.lever, given.moves, given.width, given.chromium
        )
    finally:
        server.terminate()
        server.wait(10)
    report = summary(samples)
    if given.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(
                f"{name:>24}  {value:.1f}" if isinstance(value, float) else f"{name:>24}  {value}"
            )
    return 0 if report["p95 ms"] <= TARGET_MS else 1


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_for(address: str) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise SystemExit("the server did not start within 20 s")


def measure(
    address: str, model: str, lever: str, moves: int, width: int, chromium: str
) -> list[dict[str, float]]:
    """Drag the lever to and fro, about 30 moves a second, and fetch the page's own timings."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(f"{address}/?model={model}")
        page.wait_for_selector('#page[data-live="1"]', state="attached", timeout=30_000)
        page.wait_for_timeout(1500)
        thumb = page.locator(f'[data-param="{lever}"] [role="slider"]')
        thumb.scroll_into_view_if_needed()
        box = thumb.bounding_box()
        rail = page.locator(f'[data-param="{lever}"] .mantine-Slider-trackContainer').bounding_box()
        assert box is not None and rail is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        for move in range(moves):
            share = abs((move * 0.021) % 2 - 1)
            page.mouse.move(rail["x"] + share * rail["width"], rail["y"] + rail["height"] / 2)
            page.wait_for_timeout(33)
        page.mouse.up()
        page.wait_for_timeout(500)
        samples: list[dict[str, float]] = page.evaluate("window.flywheel.timings")
        browser.close()
    return samples


def summary(samples: list[dict[str, float]]) -> dict[str, float | int]:
    """Percentiles of the whole way and medians of its parts, in ms."""
    whole = sorted(s["painted"] - s["moved"] for s in samples)
    if len(whole) < 20:
        raise SystemExit(f"only {len(whole)} moves were drawn")

    def median(one: str, other: str) -> float:
        return statistics.median(s[other] - s[one] for s in samples)

    return {
        "moves drawn": len(whole),
        "p50 ms": statistics.median(whole),
        "p95 ms": whole[int(0.95 * (len(whole) - 1))],
        "max ms": whole[-1],
        "of which: to send": median("moved", "sent"),
        "server and wire": median("sent", "received"),
        "drawing": median("received", "drawn"),
        "painting": median("drawn", "painted"),
        "bytes an answer": int(statistics.median(s["bytes"] for s in samples)),
    }


if __name__ == "__main__":
    sys.exit(main())
