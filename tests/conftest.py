"""What the whole suite shares: which tests run where, and no silent skipping where it matters.

Browser tests need a Chromium, conformance tests the reference outputs in ``../shared``; where these are
missing the tests are skipped with a sentence. ``FLYWHEEL_REQUIRE=browser,conformance`` (as in
``.ci/run``) turns such a skip, or having no such test at all, into a failure. Tests marked ``slow`` run
only with ``--slow``, ``-m slow`` or ``FLYWHEEL_SLOW=1``.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("FLYWHEEL_SHARED", ROOT.parent / "shared"))
REQUIRED = frozenset(filter(None, os.environ.get("FLYWHEEL_REQUIRE", "").split(",")))
_passed: Counter[str] = Counter()

# Time limits per example say more about the machine than about the code. On a build server the
# examples are the same every time, so that a red build means a change and not luck.
settings.register_profile(
    "flywheel",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("flywheel")


def find_chromium() -> str | None:
    """The system's Chromium or Chrome; ``FLYWHEEL_CHROMIUM`` names another one."""
    named = os.environ.get("FLYWHEEL_CHROMIUM")
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    return None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; tests that use it carry the mark ``browser``."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    return found


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference outputs; tests that use it carry the mark ``conformance``."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout: its reference outputs are not part of it")
    return SHARED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_browser = find_chromium() is None
    no_shared = not SHARED.is_dir()
    for item in items:
        if no_browser and item.get_closest_marker("browser"):
            reason = "no Chromium on this machine: install the package chromium"
            item.add_marker(pytest.mark.skip(reason=reason))
        if no_shared and item.get_closest_marker("conformance"):
            reason = "no ../shared beside the checkout: its reference outputs are not part of it"
            item.add_marker(pytest.mark.skip(reason=reason))
    asked = config.getoption("--slow") or bool(os.environ.get("FLYWHEEL_SLOW"))
    if not asked and "slow" not in (config.getoption("-m") or ""):
        slow = [item for item in items if item.get_closest_marker("slow")]
        if slow:
            config.hook.pytest_deselected(items=slow)
            items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report = yield
    missing = [mark for mark in REQUIRED if item.get_closest_marker(mark)]
    if report.skipped and missing and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, but {' and '.join(missing)} tests are required: {reason}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.update(mark for mark in REQUIRED if mark in report.keywords)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") or session.config.getoption("collectonly"):
        return
    absent = [mark for mark in sorted(REQUIRED) if not _passed[mark]]
    if absent and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("")
            reporter.write_line(f"FAILED: no {' and no '.join(absent)} test passed", red=True)
