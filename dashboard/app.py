"""The application: models in, a Dash app or a running server out."""

from __future__ import annotations

import logging
import signal
import threading
import webbrowser
from collections.abc import Iterable
from os import PathLike
from types import FrameType
from typing import Any

from dash import Dash
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from flywheel.api import Model

from . import callbacks, chain, guards, layout
from .library import open_library

INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
<noscript>This page is drawn by JavaScript, all of it from this server.</noscript>
<footer>
{%config%}
{%scripts%}
{%renderer%}
</footer>
</body>
</html>
"""


def make_app(
    models: Iterable[Model | str | PathLike[str]] | None = None, *, hosts: Iterable[str] = ()
) -> Dash:
    """The dashboard as a Dash app (``app.server`` is its WSGI application).

    ``models`` are models, names of shipped models or paths; all shipped models when None. ``hosts``
    are names under which the server may be reached besides loopback; any other is refused.
    """
    library = open_library(models)
    server: Any = Flask(__package__ or "dashboard")
    app = Dash(
        __package__ or "dashboard",
        server=server,
        assets_folder=str(_assets()),
        serve_locally=True,
        title="Flywheel",
        update_title="",
        index_string=INDEX,
        suppress_callback_exceptions=True,
        meta_tags=[],
    )
    app.enable_dev_tools(debug=False)
    app.layout = layout.shell()
    callbacks.register(app, library)
    callbacks.endpoints(server, library)
    chain.endpoints(server, library)
    guards.install(app, server, hosts)
    server.register_error_handler(HTTPException, _sentence)
    finish: Any = app._setup_server  # else Dash gathers its callbacks only at the first request,
    finish()  # and the guards could not tell a callback of ours from another
    return app


def _assets() -> str:
    from importlib.resources import files

    return str(files(__package__) / "assets")


def _sentence(error: HTTPException) -> Response:
    """Every refusal as one sentence, in JSON: no page of ours shows a stack or a server's name."""
    response = jsonify(error=error.description or error.name)
    response.status_code = error.code or 500
    if error.code == 405 and request.method:
        response.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or [])
    return response


def serve(
    models: Iterable[Model | str | PathLike[str]] | None = None,
    host: str = "127.0.0.1",
    port: int = 8050,
    open_browser: bool = True,
    hosts: Iterable[str] = (),
) -> None:
    """Serve the dashboard until interrupted (Ctrl-C or SIGTERM finish the answers under way).

    Only this machine can reach it unless ``host`` says otherwise. ``port=0`` takes a free one.
    """
    import waitress  # type: ignore[import-untyped]  # a small threaded server for real use; Flask's own is for development

    names = [*hosts] if host in ("0.0.0.0", "::", "") else [host, *hosts]
    app = make_app(models, hosts=names)
    logging.getLogger("waitress").setLevel(logging.ERROR)
    server = waitress.create_server(
        app.server,
        host=host,
        port=port,
        threads=8,
        connection_limit=1000,
        channel_timeout=60,
        max_request_body_size=guards.MAX_BODY + 1,
        ident=None,
    )
    where = getattr(server, "effective_port", port)
    shown = host if host not in ("0.0.0.0", "::", "") else "127.0.0.1"
    address = f"http://[{shown}]:{where}" if ":" in shown else f"http://{shown}:{where}"
    print(f"Flywheel is at {address} (Ctrl-C stops it)", flush=True)  # noqa: T201
    if open_browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
    server.run()
