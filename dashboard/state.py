"""The state of the page and its one written form: the query of the address.

Everything that a person can set stands in the address, so that copying the link shares it, the
browser's history undoes it, and a bookmark keeps it. The server holds nothing about a visitor.

``?model=core_flywheel&scenario=no_marketplace&p.take_rate=0.15&at=2012.5&show=gmv,price&lang=ko``
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from flywheel.expr import key
from flywheel.model import Model

LANGUAGES = ("en", "ko")
THEMES = ("light", "dark")
VIEWS = ("loops", "all")
MAX_QUERY = 16_384
"""Characters of a query that are read; no page of ours writes a longer one."""
MAX_CHARTS = 12


@dataclass(frozen=True)
class State:
    """What is shown. Empty values mean the default of the model or of the browser."""

    model: str
    language: str = "en"
    scenario: str = ""
    values: tuple[tuple[str, float], ...] = ()
    """Parameters moved away from the model's value, in the order of the model."""
    show: tuple[str, ...] = ()
    """Variables in the charts; empty for the model's own choice."""
    at: float | None = None
    """Time under the scrubber; None for the end."""
    loop: str = ""
    view: str = "loops"
    theme: str = ""


@dataclass(frozen=True)
class Problem:
    """A part of a link that could not be honoured: ``kind`` is a key of ``texts.TEXTS``."""

    kind: str
    name: str


def read(
    query: str, models: Mapping[str, Model], default: str
) -> tuple[State, tuple[Problem, ...]]:
    """The state that an address asks for, and what of it this server cannot give.

    A link may come from another version of a model, so nothing here raises: what is unknown is
    left out and told. ``models`` must hold ``default``.
    """
    problems: list[Problem] = []
    if len(query) > MAX_QUERY:
        problems.append(Problem("link_too_long", ""))
        query = ""
    try:
        pairs = parse_qsl(query.lstrip("?"), keep_blank_values=False, max_num_fields=1000)
    except ValueError:
        problems.append(Problem("link_too_long", ""))
        pairs = []
    given = dict(pairs)

    name = given.get("model", default)
    if name not in models:
        problems.append(Problem("link_model", name))
        name = default
    model = models[name]

    language = given.get("lang", "en")
    theme = given.get("theme", "")
    view = given.get("view", "loops")
    scenario = _named(given.get("scenario", ""), model.scenarios, "link_scenario", problems)
    loop = _named(given.get("loop", ""), model.declared_loops, "link_loop", problems)

    spelling = {key(p): p for p in model.params}
    moved: dict[str, float] = {}
    for field, text in pairs:
        if not field.startswith("p."):
            continue
        param = spelling.get(key(field[2:]))
        value = _number(text)
        if param is None:
            problems.append(Problem("link_param", field[2:]))
        elif value is None:
            problems.append(Problem("link_value", field[2:]))
        else:
            moved[param] = value

    variables = {key(v): v for v in model.variables}
    show: list[str] = []
    for asked in filter(None, given.get("show", "").split(",")):
        variable = variables.get(key(asked))
        if variable is None:
            problems.append(Problem("link_variable", asked))
        elif variable not in show and len(show) < MAX_CHARTS:
            show.append(variable)

    at = _number(given["at"]) if "at" in given else None
    if at is not None:
        at = min(max(at, model.time.start), model.time.stop)
    return (
        State(
            model=name,
            language=language if language in LANGUAGES else "en",
            scenario=scenario,
            values=tuple((p, moved[p]) for p in model.params if p in moved),
            show=tuple(show),
            at=at,
            loop=loop,
            view=view if view in VIEWS else "loops",
            theme=theme if theme in THEMES else "",
        ),
        tuple(problems),
    )


def write(state: State) -> str:
    """The query for a state, without defaults, so that equal states have equal links."""
    pairs: list[tuple[str, str]] = [("model", state.model)]
    if state.scenario:
        pairs.append(("scenario", state.scenario))
    pairs += [(f"p.{name}", number(value)) for name, value in state.values]
    if state.at is not None:
        pairs.append(("at", number(state.at)))
    if state.show:
        pairs.append(("show", ",".join(state.show)))
    if state.loop:
        pairs.append(("loop", state.loop))
    if state.view != "loops":
        pairs.append(("view", state.view))
    if state.language != "en":
        pairs.append(("lang", state.language))
    if state.theme:
        pairs.append(("theme", state.theme))
    return "?" + urlencode(pairs, safe=",", quote_via=quote)


def number(value: float) -> str:
    """The shortest text that reads back as the same number: ``15`` rather than ``15.0``."""
    return repr(value).removesuffix(".0")


def _named(asked: str, known: Mapping[str, object], kind: str, problems: list[Problem]) -> str:
    """The declared spelling of a name, or nothing and a problem."""
    if not asked:
        return ""
    for name in known:
        if key(name) == key(asked):
            return name
    problems.append(Problem(kind, asked))
    return ""


def _number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
