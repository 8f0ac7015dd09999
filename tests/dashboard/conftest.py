"""One application over two models for all tests of the dashboard that need no browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flywheel as fw
from tests.dashboard.shop import DATA, TEXT

pytest.importorskip("dash", reason="the dashboard's packages are not installed")

from flask.testing import FlaskClient

from flywheel.dashboard import make_app


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> fw.Model:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "takings.csv").write_text(DATA, encoding="utf-8")
    return fw.parse(TEXT, folder=Path(folder))


@pytest.fixture(scope="session")
def client(shop: fw.Model) -> Iterator[FlaskClient]:
    app = make_app([shop, "core_flywheel"])
    with app.server.test_client() as found:
        yield found
