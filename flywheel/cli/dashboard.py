"""``flywheel dashboard``: serve the page and open it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from flywheel.errors import UsageError

INSTALL = "pip install 'flywheel-sd[dashboard]'"


def command(models: Sequence[str], *, host: str, port: int, browser: bool) -> int:
    """Serve until interrupted. The models are opened first, so that a mistake shows at once."""
    from flywheel.api import load

    missing = [
        name
        for name in ("dash", "dash_mantine_components", "dash_cytoscape")
        if not find_spec(name)
    ]
    if missing:
        raise UsageError(f"the dashboard needs {', '.join(missing)}: {INSTALL}")
    opened = [load(name) for name in models]
    # By name: nothing of the package depends on the dashboard.
    serve = import_module("flywheel.dashboard.app").serve
    serve(models=opened or None, host=host, port=port, open_browser=browser)
    return 0
