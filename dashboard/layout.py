"""What stands on the page, built for one state. Numbers are written by the page's script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10
from typing import Any

import dash_cytoscape as cyto
import dash_mantine_components as dmc
from dash import dcc, html

from flywheel.api import Model
from flywheel.figures.theme import palette
from flywheel.model import Evidence, Param

from . import charts, diagram, moves
from .library import Library, Unsound
from .state import Problem, State, write
from .texts import all_texts, say
from .units import spoken

FONT_SIZES = {"xs": "12px", "sm": "14px", "md": "14px", "lg": "20px", "xl": "20px"}
CHART_CONFIG: Any = {
    "displaylogo": False,
    "responsive": True,
    "displayModeBar": False,
    "showTips": False,
    "doubleClick": False,
}


def _data(attributes: dict[str, str]) -> Any:
    """HTML attributes with a hyphen (``data-…``, ``aria-…``), which Python cannot spell as names."""
    return attributes


def shell() -> Any:
    """The frame that is sent first; the page itself follows once the address is known."""
    blue = [  # Mantine wants ten shades; the accent is the sixth in light and the fourth in dark
        "#e8f3fa", "#cfe6f4", "#a6d1ec", "#7abde4", "#4fa8e0",
        "#2490cf", "#0072b2", "#00629a", "#005281", "#004369",
    ]  # fmt: skip
    return dmc.MantineProvider(
        id="mantine",
        theme={
            "primaryColor": "accent",
            "primaryShade": {"light": 6, "dark": 4},
            "colors": {"accent": blue},
            "fontFamily": "var(--font)",
            "fontSizes": FONT_SIZES,
            "defaultRadius": "4px",
            "cursorType": "pointer",
        },
        defaultColorScheme="auto",
        children=[
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="key"),
            html.Div(id="page", children=_loading()),
        ],
    )


def _loading() -> Any:
    return html.Div(className="loading", children=html.Div(className="loading-bar"))


def page(library: Library, state: State, problems: Sequence[Problem]) -> Any:
    """The first page for a state."""
    model = library[state.model]
    language = state.language
    return html.Div(
        className="app",
        lang=language,
        **_data({"data-tab": "levers"}),
        children=[
            html.A(say("skip", language), href="#levers", className="skip"),
            _header(library, model, state),
            html.Main(
                className="main",
                children=[
                    _notices(library, problems, language),
                    _outcomes(model, language),
                    _tabs(language),
                    html.Div(
                        className="board",
                        children=[
                            _levers(model, state),
                            _middle(library, model, state),
                            _charts(library, model, state),
                        ],
                    ),
                ],
            ),
            html.Div(
                id="toast", role="status", className="toast", **_data({"aria-live": "polite"})
            ),
            dcc.Store(id="meta", data=meta(library, state)),
            dcc.Store(id="live"),
        ],
    )


def nothing(unsound: Sequence[Unsound], language: str = "en") -> Any:
    """The page when there is no model that could be shown."""
    return html.Div(
        className="app empty-app",
        children=[
            html.H1(say("title", language), className="brand"),
            html.P(say("empty", language)),
            *(_unsound(one, language) for one in unsound),
        ],
    )


def _unsound(one: Unsound, language: str) -> Any:
    text = "\n\n".join(finding.render() for finding in one.findings[:20])
    return html.Details(
        className="notice notice-bad",
        open=True,
        children=[
            html.Summary(say("unsound", language, name=one.name)),
            html.Pre(text, className="findings"),
        ],
    )


# --- header ---------------------------------------------------------------------------------------


def _header(library: Library, model: Model, state: State) -> Any:
    language = state.language
    scenarios = [{"value": "", "label": say("base", language)}] + [
        {"value": name, "label": one.text(language)[0]} for name, one in model.scenarios.items()
    ]
    scenarios[0]["value"] = "-"  # Mantine takes an empty value for "nothing chosen"
    return html.Header(
        className="header",
        children=[
            html.H1(
                className="brand",
                children=[html.Span(className="mark"), html.Span(say("title", language))],
            ),
            dmc.Select(
                id="model",
                data=[
                    {"value": name, "label": _title(one, language)} for name, one in library.items()
                ],
                value=state.model,
                allowDeselect=False,
                searchable=len(library) > 8,
                size="sm",
                className="pick pick-model",
                **_data({"aria-label": say("model", language)}),
            ),
            dmc.Select(
                id="scenario",
                data=scenarios,
                value=state.scenario or "-",
                allowDeselect=False,
                size="sm",
                disabled=len(scenarios) == 1,
                className="pick pick-scenario",
                **_data({"aria-label": say("scenario", language)}),
            ),
            html.Div(
                className="tools",
                children=[
                    html.A(
                        say("chain", language),
                        href="/chain" + ("?lang=ko" if language == "ko" else ""),
                        className="header-link",
                    ),
                    _icon("undo", say("undo", language), "Ctrl+Z"),
                    _icon("redo", say("redo", language), "Ctrl+Y"),
                    _icon("link", say("share", language), do="share"),
                    html.A(
                        className="icon-button",
                        id="csv",
                        href="#",
                        title=say("save_csv", language),
                        children=html.Span(className="icon icon-csv"),
                        **_data({"aria-label": say("save_csv", language)}),
                    ),
                    _icon("theme", say("theme", language)),
                    dmc.SegmentedControl(
                        id="language",
                        data=[
                            {"value": "en", "label": "EN"},
                            {"value": "ko", "label": "한국어"},
                        ],
                        value=language,
                        size="xs",
                        className="language",
                        **_data({"aria-label": say("language", language)}),
                    ),
                ],
            ),
        ],
    )


def _icon(name: str, label: str, shortcut: str = "", do: str = "") -> Any:
    """A button of the header; the script acts on ``data-do``."""
    return html.Button(
        className="icon-button",
        type="button",
        title=f"{label} ({shortcut})" if shortcut else label,
        children=html.Span(className=f"icon icon-{name}"),
        **_data({"data-do": do or name, "aria-label": label}),
    )


def _title(model: Model, language: str) -> str:
    """The model's label in a language."""
    for code, label, _ in model.translations:
        if code == language and label:
            return label
    return model.label or model.name.replace("_", " ")


def _notices(library: Library, problems: Sequence[Problem], language: str) -> Any:
    """What went wrong: with the link, with other models, and (filled by the script) with the run."""
    shown: list[Any] = [html.Div(id="banner", className="banner", role="alert")]
    if problems:
        parts = [say(p.kind, language, name=_cut(p.name)) for p in problems[:5]]
        shown.append(
            html.Div(
                className="notice",
                role="status",
                children=[say("link_notice", language) + " " + "; ".join(parts) + ".",
                          _icon("close", say("close", language))],
            )
        )  # fmt: skip
    shown += [_unsound(one, language) for one in library.unsound]
    return html.Div(className="notices", children=shown)


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# --- outcomes -------------------------------------------------------------------------------------


def _outcomes(model: Model, language: str) -> Any:
    if not model.outcomes:
        return html.P(say("no_outcomes", language), className="hint outcomes-none")
    return html.Section(
        className="tiles",
        id="tiles",
        tabIndex="0",
        children=[
            html.Div(
                className="tile",
                title=one.text(language)[1],
                **_data({"data-tile": name}),
                children=[
                    html.Div(
                        one.text(language)[0], className="tile-label", title=one.text(language)[0]
                    ),
                    html.Div(
                        [html.Span("–", className="tile-number"), html.Span(className="tile-unit")],
                        className="tile-value",
                    ),
                    html.Div("", className="tile-change"),
                ],
            )
            for name, one in model.outcomes.items()
        ],
        **_data({"aria-label": say("outcomes", language)}),
    )


def _tabs(language: str) -> Any:
    """On a phone the three columns take turns."""
    return dmc.SegmentedControl(
        id="tab",
        className="tabs",
        fullWidth=True,
        size="sm",
        value="levers",
        data=[
            {"value": "levers", "label": say("levers", language)},
            {"value": "diagram", "label": say("diagram_tab", language)},
            {"value": "charts", "label": say("charts", language)},
        ],
    )


# --- levers ---------------------------------------------------------------------------------------


def _levers(model: Model, state: State) -> Any:
    language = state.language
    first = lever_params(model)
    others = [name for name in adjustable(model) if name not in first]
    rows = [row(model, name, state) for name in first]
    if not model.params:
        rows = [html.P(say("no_params", language), className="hint")]
    elif not rows:
        rows = [html.P(say("no_levers", language), className="hint")]
    return html.Section(
        id="levers",
        className="column levers",
        tabIndex="-1",
        children=[
            html.Div(
                className="column-head",
                children=[
                    html.H2(say("levers", language), title=say("levers_help", language)),
                    html.Button(
                        say("reset_all", language),
                        className="quiet",
                        type="button",
                        disabled=not state.values,
                        **_data({"data-do": "reset"}),
                    ),
                ],
            ),
            html.Div(className="column-body", children=[*rows, _others(others, language)]),
        ],
    )


def _others(others: Sequence[str], language: str) -> Any:
    """The parameters that are no levers: a search, and rows that are built when first opened."""
    if not others:
        return html.Div(id="others")
    return html.Details(
        id="others-fold",
        className="others",
        children=[
            html.Summary(
                [
                    html.Span(say("parameters", language)),
                    html.Span(str(len(others)), className="count"),
                ]
            ),
            dmc.TextInput(
                id="search",
                placeholder=say("search", language, count=len(others)),
                size="sm",
                debounce=False,
                className="search",
                **_data({"aria-label": say("search", language, count=len(others))}),
            ),
            html.Button(id="more", n_clicks=0, className="hidden", tabIndex="-1",
                        **_data({"aria-hidden": "true"})),
            html.Div(id="others"),
            html.P(say("search_none", language), id="search-none", className="hint hidden"),
        ],
    )  # fmt: skip


def other_rows(model: Model, state: State) -> list[Any]:
    """The rows of all parameters that are no levers, under the headings of the file."""
    first = set(lever_params(model))
    shown: list[Any] = []
    for title, members in groups(model):
        rows = [row(model, name, state) for name in members if name not in first]
        if rows:
            heading = [html.H3(title, className="group-title")] if title else []
            shown.append(html.Div(className="group", children=[*heading, *rows]))
    return shown


def lever_params(model: Model) -> tuple[str, ...]:
    """The parameters that levers pull, each once, in the order of the levers."""
    possible = set(adjustable(model))
    return tuple(
        dict.fromkeys(lever.param for lever in model.levers.values() if lever.param in possible)
    )


def adjustable(model: Model) -> tuple[str, ...]:
    """The parameters with room to move: a convention (``in 1 .. 1``) has none."""
    return tuple(
        name
        for name, param in model.params.items()
        if param.low is None or param.high is None or param.low < param.high
    )


def groups(model: Model) -> list[tuple[str, list[str]]]:
    """Adjustable parameters under the section comments of the file (``# --- Members ---``)."""
    possible = set(adjustable(model))
    found: list[tuple[str, list[str]]] = [("", [])]
    for declaration in model.declarations:
        for comment in declaration.comments:
            title = comment.strip().strip("-=─ ").split(":")[0].strip()
            if comment.strip().startswith(("---", "===", "───")) and title:
                found.append((title, []))
        if isinstance(declaration, Param) and declaration.name in possible:
            found[-1][1].append(declaration.name)
    return [(title, members) for title, members in found if members]


def row(model: Model, name: str, state: State) -> Any:
    """One parameter: label, value, slider with the baseline's mark, evidence."""
    param = model.params[name]
    language = state.language
    label, doc = param.text(language)
    lever = next((one for one in model.levers.values() if one.param == name), None)
    if lever is not None:
        doc = " ".join(part for part in (lever.text(language)[1], doc) if part)
        if lever.level is not None:
            doc = f"{doc} ({say('level', language, level=lever.level)})".strip()
    low, high, step = slider_range(param)
    value = dict(state.values).get(name, param.value)
    return html.Div(
        className="lever",
        **_data(
            {
                "data-param": name,
                "data-search": f"{name} {label} {param.label} {name.replace('_', ' ')}".casefold(),
            }
        ),
        children=[
            html.Div(
                className="lever-head",
                children=[
                    html.Span(label, className="lever-label", title=doc or label),
                    html.Button(
                        className="lever-reset",
                        type="button",
                        title=say("reset_one", language),
                        children=html.Span(className="icon icon-reset"),
                        **_data(
                            {
                                "data-do": "reset-one",
                                "data-name": name,
                                "aria-label": f"{say('reset_one', language)}: {label}",
                            }
                        ),
                    ),
                    html.Span(id={"type": "said", "name": name}, className="lever-value"),
                ],
            ),
            dmc.Slider(
                id={"type": "lever", "name": name},
                min=low,
                max=high,
                step=step,
                precision=_decimals(step),
                value=min(max(value, low), high),
                marks=[{"value": param.value}],
                updatemode="drag",
                label=None,
                size=4,
                thumbSize=16,
                thumbLabel=label,
                className="lever-slider",
            ),
            html.Div(
                className="lever-foot",
                children=[
                    html.Span(className="lever-low", **_data({"data-number": str(low)})),
                    html.Span(
                        [_evidence(param.evidence, language), html.Span(className="lever-unit")],
                        className="lever-about",
                    ),
                    html.Span(className="lever-high", **_data({"data-number": str(high)})),
                ],
            ),
        ],
    )


def _evidence(evidence: Evidence | None, language: str) -> Any:
    """The chip that says where a number comes from; its source on hover."""
    kind = evidence.kind if evidence else "unsaid"
    source = evidence.source if evidence else ""
    title = say(f"{kind}_help", language) + (f" {source}" if source else "")
    return html.Span(className=f"chip chip-{kind}", title=title, children=say(kind, language))


def slider_range(param: Param) -> tuple[float, float, float]:
    """Ends and step of a slider: the plausible range, in a round step of 1/100 to 1/500 of it.

    Without a range, from zero to twice the value. The value itself always lies inside.
    """
    low = param.low if param.low is not None else min(0.0, 2 * param.value)
    high = param.high if param.high is not None else max(0.0, 2 * param.value)
    low, high = min(low, param.value), max(high, param.value)
    if not low < high:
        low, high = low - 1.0, high + 1.0
    power = 10.0 ** floor(log10((high - low) / 100))
    step = power * (
        5 if (high - low) / (5 * power) >= 100 else 2 if (high - low) / (2 * power) >= 100 else 1
    )
    return low, high, float(f"{step:.12g}")


def _decimals(step: float) -> int:
    return max(0, -floor(log10(step))) if isfinite(step) and step > 0 else 0


# --- diagram --------------------------------------------------------------------------------------


def _middle(library: Library, model: Model, state: State) -> Any:
    language = state.language
    return html.Section(
        className="column middle",
        children=[
            html.Div(
                className="column-head",
                children=[
                    html.H2(say("diagram", language), title=say("diagram_help", language)),
                    html.Div(
                        className="head-tools",
                        children=[
                            dmc.SegmentedControl(
                                id="view",
                                size="xs",
                                value=state.view,
                                data=[
                                    {"value": "loops", "label": say("view_loops", language)},
                                    {"value": "all", "label": say("view_all", language)},
                                ],
                                className="hidden" if not model.declared_loops else "",
                            ),
                            html.Button(
                                say("fit", language), className="quiet", type="button",
                                **_data({"data-do": "fit"}),
                            ),
                        ],
                    ),
                ],
            ),
            html.Div(
                className="canvas",
                children=[
                    cyto.Cytoscape(
                        id="diagram",
                        elements=diagram.elements(
                            model, language, state.view, library.signs(state.model)
                        ),
                        layout={"name": "preset", "fit": True, "padding": 24, "animate": False},
                        stylesheet=diagram.stylesheet(state.theme == "dark"),
                        style={"width": "100%", "height": "100%"},
                        minZoom=0.15,
                        maxZoom=2.5,
                        boxSelectionEnabled=False,
                        responsive=True,
                    ),
                    html.Canvas(id="sparks", className="sparks"),
                ],
                **_data({"aria-label": say("diagram", language), "role": "img"}),
            ),
            _loops(model, state),
            _stages(model, language),
            _scrubber(model, state),
        ],
    )  # fmt: skip


def _stages(model: Model, language: str) -> Any:
    """How far the model stands on the four stages; the sentences are one click away."""
    meter = model.stages()
    shares = " · ".join(
        f"{say(f'stage_{name}', language)} {share:.0%}" for name, share in meter.shares.items()
    )
    return html.Details(
        className="stages",
        children=[
            html.Summary(f"{say('stages', language)}: {shares}"),
            html.Ul([html.Li(sentence) for sentence in meter.sentences(language)]),
        ],
    )


def _loops(model: Model, state: State) -> Any:
    language = state.language
    if not model.declared_loops:
        return html.P(say("no_loops", language), className="hint loops")
    return html.Div(
        className="loops",
        children=[
            html.Div(
                className="loop-chips",
                role="group",
                **_data({"aria-label": say("loops", language)}),
                children=[
                    html.Button(
                        name,
                        className=f"loop loop-{diagram.polarity(loop)}",
                        type="button",
                        title=f"{loop.text(language)[0]}\n{_loop_help(model, name, language)}",
                        **_data(
                            {
                                "data-do": "loop",
                                "data-name": name,
                                "data-label": loop.text(language)[0],
                                "data-kind": say(
                                    "balancing" if diagram.polarity(loop) == "B" else "reinforcing",
                                    language,
                                ),
                                "aria-label": f"{name}: {loop.text(language)[0]}",
                                "aria-pressed": "true" if state.loop == name else "false",
                            }
                        ),
                    )
                    for name, loop in model.declared_loops.items()
                ],
            ),
            html.P(say("loop_hint", language), id="loop-said", className="loop-said"),
        ],
    )


def _loop_help(model: Model, name: str, language: str) -> str:
    loop = model.declared_loops[name]
    kind = "balancing" if diagram.polarity(loop) == "B" else "reinforcing"
    path = " → ".join(
        model.variables[one].text(language)[0] if one in model.variables else one
        for one in loop.path
    )
    return f"{say(kind, language)}: {path}"


def _scrubber(model: Model, state: State) -> Any:
    language = state.language
    time = model.time
    return html.Div(
        className="scrubber",
        children=[
            html.Button(
                className="icon-button",
                type="button",
                title=say("play", language),
                children=html.Span(className="icon icon-play"),
                **_data({"data-do": "play", "aria-label": say("play", language)}),
            ),
            dmc.Slider(
                id="at",
                min=time.start,
                max=time.stop,
                step=time.save,
                precision=6,
                value=time.stop if state.at is None else state.at,
                updatemode="drag",
                label=None,
                size=4,
                thumbSize=16,
                thumbLabel=say("time", language),
                className="time-slider",
            ),
            html.Span(id="at-said", className="at-said"),
        ],
    )


# --- charts ---------------------------------------------------------------------------------------


def _charts(library: Library, model: Model, state: State) -> Any:
    language = state.language
    names = state.show or charts.default_variables(model)
    key_line = [
        html.Span([html.I(className="key key-run"), say("run", language)]),
        html.Span([html.I(className="key key-base"), say("baseline", language)]),
    ]
    if model.data:
        key_line += [
            html.Span([html.I(className="key key-data"), say("data", language)]),
            html.Span([html.I(className="key key-open"), say("unverified", language)]),
        ]
    return html.Section(
        className="column charts",
        children=[
            html.Div(
                className="column-head",
                children=[
                    html.H2(say("charts", language)),
                    html.Div(id="badge", className="badge", role="status", tabIndex="0",
                             children=say("error_wait", language)),
                ],
            ),
            html.Div(
                className="column-body",
                children=[
                    html.Div(className="keys", children=key_line),
                    html.Div(id="charts", className="chart-grid",
                             children=chart_cards(library, state, names)),
                    dmc.MultiSelect(
                        id="show",
                        label=say("add_chart", language),
                        data=[
                            {"value": name, "label": one.text(language)[0]}
                            for name, one in model.variables.items()
                            if name not in model.data
                        ],
                        value=list(names),
                        searchable=True,
                        maxValues=12,
                        size="sm",
                        className="show",
                    ),
                ],
            ),
        ],
    )  # fmt: skip


def chart_cards(library: Library, state: State, names: Sequence[str]) -> list[Any]:
    """One card a variable."""
    model = library[state.model]
    language = state.language
    if not names:
        return [html.P(say("no_charts", language), className="hint")]
    baseline = library.baseline(state.model)
    return [
        html.Figure(
            className="chart",
            **_data({"data-chart": name}),
            children=[
                html.Figcaption(
                    [
                        html.Span(model.variables[name].text(language)[0], className="chart-title",
                                  title=model.variables[name].text(language)[1]),
                        html.Span("", className="chart-unit"),
                        html.Span("", className="chart-now"),
                    ]
                ),
                dcc.Graph(
                    figure=charts.figure(baseline, name, language, state.theme == "dark"),
                    config=CHART_CONFIG,
                    className="plot",
                    style={"height": f"{charts.HEIGHT}px"},
                    responsive=True,
                ),
            ],
        )
        for name in names
    ]  # fmt: skip


# --- what the script needs --------------------------------------------------------------------


def meta(library: Library, state: State) -> dict[str, Any]:
    """Everything that the page's script must know, as plain data."""
    model = library[state.model]
    language = state.language
    baseline = library.baseline(state.model)
    units = {
        name: spoken(one.unit, model, language)
        for group in (model.variables, model.params, model.outcomes)
        for name, one in group.items()
    }
    return {
        "model": state.model,
        "language": language,
        "texts": all_texts(language),
        "labels": {
            name: one.text(language)[0]
            for group in (model.variables, model.params, model.outcomes)
            for name, one in group.items()
        },
        "time": {
            "start": model.time.start,
            "stop": model.time.stop,
            "save": model.time.save,
            "calendar": model.time.start > 1000,
        },
        "grid": [float(t) for t in baseline.time],
        "units": units,
        "defaults": {name: param.value for name, param in model.params.items()},
        "stocks": list(model.stocks),
        "drawn": {view: list(diagram.shown(model, view)) for view in ("loops", "all")},
        "charts": list(charts.default_variables(model)),
        "outcomes": {name: one.measure for name, one in model.outcomes.items()},
        "scenarios": {name: _touched(model, name) for name in model.scenarios},
        "loops": {name: diagram.polarity(loop) for name, loop in model.declared_loops.items()},
        "state": {
            "model": state.model,
            "scenario": state.scenario,
            "values": dict(state.values),
            "show": list(state.show),
            "at": state.at,
            "loop": state.loop,
            "view": state.view,
            "lang": language,
            "theme": state.theme,
        },
        "query": write(state),
        "status": moves.status(baseline),
        "colors": {"light": _colors(False), "dark": _colors(True)},
        "sheets": {"light": diagram.stylesheet(False), "dark": diagram.stylesheet(True)},
    }


def _touched(model: Model, scenario: str) -> list[str]:
    """Parameters that a scenario sets."""
    return [one.name for one in model.scenarios[scenario].settings if one.name in model.params]


def _colors(dark: bool) -> Mapping[str, str]:
    c = palette(dark)
    return {
        "run": c.run, "baseline": c.baseline, "data": c.data, "unverified": c.unverified,
        "ink": c.ink, "muted": c.muted, "hairline": c.hairline, "paper": c.paper, "panel": c.panel,
        "R": c.reinforcing, "B": c.balancing,
    }  # fmt: skip
