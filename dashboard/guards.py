"""What the server refuses, and the headers it sends.

By itself Dash answers foreign hosts and origins, reads bodies of any size, and turns a wrong type
into a 500. These few rules close that: 421 for a host that is not ours (a rebound DNS name), 403 for
a write from another origin, 413 above 1 MiB, 400 for a body that is no callback of this page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from dash import Dash
from flask import Flask, Response, abort, request
from werkzeug.datastructures import Headers

MAX_BODY = 1 << 20
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_CALLBACK = "/_dash-update-component"


def install(app: Dash, server: Flask, hosts: Iterable[str] = ()) -> None:
    """Put the guards in front of ``server``; ``hosts`` are names it may be called besides loopback.

    Call it after the callbacks are defined: the policy names the hashes of their inline scripts.
    """
    server.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    allowed = frozenset(host.casefold().strip("[]") for host in (*LOOPBACK, *hosts))
    policy = content_policy(app.csp_hashes())

    @server.before_request
    def refuse() -> None:
        if host_name(request.host) not in allowed:
            abort(421, "This server is not called by that name.")
        if request.method not in _READS:
            if not same_origin(request.headers.get("Origin"), request.headers, request.host):
                abort(403, "Requests that change something must come from this page.")
            if (request.content_length or 0) > MAX_BODY:
                abort(413, "The body is larger than 1 MiB.")
        if request.path == _CALLBACK and request.method == "POST":
            body = request.get_json()  # refuses by itself what is no JSON: 400 or 415
            fault = callback_fault(body, app.callback_map)
            if fault:
                abort(400, fault)

    @server.after_request
    def headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        return response


def content_policy(script_hashes: Iterable[str]) -> str:
    """The content security policy: our own files, Dash's inline scripts by hash, nothing else.

    Inline styles stay allowed because Mantine and plotly set them from their scripts; no style can
    fetch anything, since images, fonts and connections are our own (or ``data:`` pictures).
    """
    scripts = " ".join(["'self'", *script_hashes])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets; empty when it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold()
    except ValueError:
        return ""


def same_origin(origin: str | None, headers: Headers, host: str) -> bool:
    """Whether a write may be ours.

    Browsers send ``Origin`` with every POST; a client that sends neither it nor ``Sec-Fetch-Site``
    (curl, a script) is no browser and carries nobody's session.
    """
    if origin is None:
        return headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.casefold() == host.casefold()


def callback_fault(body: Any, callbacks: Mapping[str, Mapping[str, Any]]) -> str:
    """What is wrong with the body of a callback request, or an empty string.

    Only callbacks of this page pass, with the very ids and properties they declare, so that Dash's
    dispatcher never meets a shape it was not written for. Values are the callback's own business.
    """
    if not isinstance(body, dict):
        return "The body must be an object."
    output = body.get("output")
    declared = callbacks.get(output) if isinstance(output, str) else None
    if declared is None:
        return "There is no such callback."
    changed = body.get("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(item, str) for item in changed):
        return "changedPropIds must be a list of texts."
    if len(changed) > 100:
        return "changedPropIds is too long."
    for field, wanted in (("inputs", declared["inputs"]), ("state", declared["state"])):
        given = body.get(field, [])
        if not isinstance(given, list) or [_place(item) for item in given] != [
            (item["id"], item["property"]) for item in wanted
        ]:
            return f"{field} are not those of the callback."
    wanted_outputs = _outputs(str(output))
    outputs = body.get("outputs", [])
    listed = outputs if isinstance(outputs, list) else [outputs]
    if [_place(item) for item in listed] != wanted_outputs:
        return "outputs are not those of the callback."
    if isinstance(outputs, list) != str(output).startswith(".."):
        return "outputs are not those of the callback."
    return ""


def _place(item: Any) -> tuple[str, str] | None:
    """Id and property of one entry; None for anything else."""
    if not isinstance(item, dict):
        return None
    found = item.get("id"), item.get("property")
    if isinstance(found[0], str) and isinstance(found[1], str):
        return found[0], found[1]
    return None


def _outputs(output: str) -> list[tuple[str, str]]:
    """Ids and properties in Dash's name of a callback: ``..a.x...b.y..`` or ``a.x``.

    Our ids hold no dots. A duplicate output carries ``@`` and a hash that requests repeat.
    """
    texts = output[2:-2].split("...") if output.startswith("..") else [output]
    return [(text.rpartition(".")[0], text.rpartition(".")[2]) for text in texts]
