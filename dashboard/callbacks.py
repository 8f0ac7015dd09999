"""What the server answers: the page for an address, a few parts of it, and the moves of levers.

Only three callbacks go through Dash, all of them rare. A move of a lever goes to a plain endpoint,
because it happens sixty times a second and wants the smallest answer. The script that asks is
``assets/page.js``; its entry points are bound here.
"""

from __future__ import annotations

import time as clock
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State
from flask import Flask, Response, abort, request

from flywheel.errors import FlywheelError
from flywheel.export import csv_text

from . import diagram, layout, moves
from .library import Library
from .state import read

RUN, EXACTNESS, CSV = "/_flywheel/run", "/_flywheel/exactness", "/_flywheel/run.csv"


def register(app: Dash, library: Library) -> None:
    """Bind the callbacks of the page."""

    @app.callback(Output("page", "children"), Input("key", "data"), prevent_initial_call=True)
    def page(query: Any) -> Any:
        if not library:
            return layout.nothing(library.unsound)
        state, problems = read(_text(query), library, library.default)
        return layout.page(library, state, problems)

    @app.callback(
        Output("others", "children"),
        Input("more", "n_clicks"),
        State("key", "data"),
        prevent_initial_call=True,
    )
    def others(_clicks: Any, query: Any) -> Any:
        if not library:
            abort(400, "There is no model.")
        state, _ = read(_text(query), library, library.default)
        return layout.other_rows(library[state.model], state)

    @app.callback(
        Output("charts", "children"),
        Input("show", "value"),
        State("key", "data"),
        prevent_initial_call=True,
    )
    def cards(names: Any, query: Any) -> Any:
        if not library:
            abort(400, "There is no model.")
        state, _ = read(_text(query), library, library.default)
        model = library[state.model]
        if not isinstance(names, list) or len(names) > 12:
            abort(400, "show must be a list of at most 12 variables.")
        if any(not isinstance(name, str) or name not in model.variables for name in names):
            abort(400, "The model has no such variable.")
        return layout.chart_cards(library, state, tuple(dict.fromkeys(names)))

    @app.callback(
        Output("diagram", "elements"),
        Input("view", "value"),
        State("key", "data"),
        prevent_initial_call=True,
    )
    def elements(view: Any, query: Any) -> Any:
        if not library:
            abort(400, "There is no model.")
        if view not in ("loops", "all"):
            abort(400, "There is no such view.")
        state, _ = read(_text(query), library, library.default)
        signs = library.signs(state.model)
        return diagram.elements(library[state.model], state.language, view, signs)

    def client(name: str, *places: Input | Output | State, start: bool = False) -> None:
        bind: Any = app.clientside_callback
        bind(ClientsideFunction("flywheel", name), *places, prevent_initial_call=not start)

    client("first", Output("key", "data"), Input("url", "search"), start=True)
    client("start", Output("live", "data"), Input("meta", "data"), start=True)
    client(
        "lever",
        Output({"type": "said", "name": _match()}, "children"),
        Input({"type": "lever", "name": _match()}, "value"),
        State({"type": "lever", "name": _match()}, "id"),
        start=True,
    )
    for name in ("scenario", "model", "language", "view", "show", "at", "tab", "search"):
        client(f"pick_{name}", Input(name, "value"))
    client("click_node", Input("diagram", "tapNodeData"))


def _match() -> Any:
    from dash import MATCH

    return MATCH


def _text(query: Any) -> str:
    """A value that must be text; the request is refused otherwise."""
    if query is None:
        return ""
    if not isinstance(query, str):
        abort(400, "The address must be a text.")
    return query


def endpoints(server: Flask, library: Library) -> None:
    """The plain endpoints: a run, its exactness, its table."""

    def asked() -> moves.Move:
        body = request.get_json()  # what is no JSON is refused with 400 or 415
        try:
            return moves.read(body, library)
        except moves.BadMove as error:
            abort(400, str(error))

    @server.post(RUN)
    def run() -> Response:
        began = clock.perf_counter()
        move = asked()
        try:
            result = moves.run(move, library)
        except moves.BadMove as error:
            abort(400, str(error))
        computed = clock.perf_counter()
        text = moves.answer(result, move.names, len(library.baseline(move.model).time))
        response = _json(text)
        said = clock.perf_counter()
        response.headers["Server-Timing"] = (
            f"run;dur={1e3 * (computed - began):.2f}, json;dur={1e3 * (said - computed):.2f}"
        )
        return response

    @server.post(EXACTNESS)
    def exactness() -> Response:
        import json

        try:
            return _json(json.dumps(moves.exactness(moves.run(asked(), library))))
        except moves.BadMove as error:
            abort(400, str(error))

    @server.get(CSV)
    def table() -> Response:
        if not library:
            abort(404, "There is no model.")
        state, _ = read(request.query_string.decode("latin-1"), library, library.default)
        move = moves.Move(state.model, state.scenario, state.values, ())
        try:
            text = csv_text(moves.run(move, library))
        except FlywheelError as error:
            abort(400, str(error))
        except moves.BadMove as error:
            abort(400, str(error))
        name = (
            "".join(c for c in state.model if c.isascii() and (c.isalnum() or c in "_-")) or "run"
        )
        response = Response(text, mimetype="text/csv")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        response.headers["Cache-Control"] = "no-store"
        return response


def _json(text: str) -> Response:
    response = Response(text, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
