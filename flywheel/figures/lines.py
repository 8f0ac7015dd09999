"""Trajectories: what happens to each variable over time, beside the baseline and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.figures.theme import (
    BASELINE_WIDTH,
    DATA_SIZE,
    GRID,
    RUN_WIDTH,
    TEXT_BODY,
    TEXT_SMALL,
    Palette,
    palette,
    template,
)
from flywheel.model import Data, DataPoint, Model
from flywheel.units import Unit

if TYPE_CHECKING:
    from flywheel.solve.run import Run

Group = Literal["variable", "unit"]

_WORDS = {
    "en": {"run": "this run", "baseline": "baseline", "data": "data", "unverified": "not verified",
           "stopped": "The run stopped: "},
    "ko": {"run": "이번 실행", "baseline": "기준", "data": "자료", "unverified": "미검증",
           "stopped": "실행이 멈췄습니다: "},
}  # fmt: skip
_PANEL_HEIGHT = 26 * GRID


@dataclass(frozen=True)
class _Panel:
    """One chart: a title, a unit, the variables drawn in it."""

    title: str
    unit: str
    names: tuple[str, ...]


def words(language: str) -> dict[str, str]:
    """The few words that a chart says by itself, in a language (English where there is none)."""
    return _WORDS.get(language, _WORDS["en"])


def observed(model: Model, name: str) -> tuple[tuple[Data, tuple[DataPoint, ...]], ...]:
    """The data that a variable is compared with: by ``observe`` lines, or the variable's own."""
    declaration = model[name]
    if isinstance(declaration, Data):
        return ((declaration, declaration.points),)
    series = [
        model.data[line.data]
        for line in model.observes
        if line.name == declaration.name and line.data in model.data
    ]
    return tuple((one, one.points) for one in series)


def trajectories(
    run: Run,
    names: Sequence[str] = (),
    *,
    baseline: Run | None = None,
    language: str = "en",
    dark: bool = False,
    group: Group = "variable",
    columns: int | None = None,
    note: bool = True,
) -> go.Figure:
    """Lines over time, in small multiples.

    ``names`` are variables (all stocks when empty), each in a panel of its own, or with
    ``group="unit"`` those of one unit together. Units stand above the axes as the model writes them.
    The run is a line, ``baseline`` a thin grey ghost, data of ``observe`` lines dots (hollow and grey
    where unverified). Under the figure stand method, step and, unless ``note`` is off, the change that
    half the step would make.

    Raises UnknownNameError for a name that is no variable of the run's model.
    """
    if group not in ("variable", "unit"):
        raise UsageError(f"group must be 'variable' or 'unit', not {group!r}")
    model = run.model
    chosen = _resolve(model, names)
    panels = _panels(model, chosen, language, group)
    wide = columns or (1 if len(panels) == 1 else 2 if len(panels) in (2, 4) else 3)
    wide = max(1, min(wide, len(panels)))
    tall = -(-len(panels) // wide)
    figure = make_subplots(
        rows=tall,
        cols=wide,
        horizontal_spacing=0.09 if wide > 1 else 0,
        vertical_spacing=min(0.3, 11 * GRID / (_PANEL_HEIGHT * tall)) if tall > 1 else 0,
    )
    colors = palette(dark)
    for number, panel in enumerate(panels):
        place = {"row": number // wide + 1, "col": number % wide + 1}
        _draw(figure, place, panel, run, baseline, colors, language, group)
        _title(figure, place, panel, colors, 96 // wide)
    foot = _footnote(run, note, language)
    figure.update_layout(
        template=template(dark),
        height=tall * _PANEL_HEIGHT + 10 * GRID + (3 * GRID if foot else 0),
        margin={"l": 7 * GRID, "r": 3 * GRID, "t": 7 * GRID, "b": (8 if foot else 5) * GRID},
    )
    if foot:
        figure.add_annotation(
            text=foot, xref="paper", yref="paper", x=0, y=0, yshift=-5 * GRID, showarrow=False,
            xanchor="left", yanchor="top", align="left",
            font={"size": TEXT_SMALL, "color": colors.muted if run.ok else colors.bad},
        )  # fmt: skip
    return figure


def _resolve(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    """The declared spelling of each name; all stocks, or all variables, when none is given."""
    if isinstance(names, str):
        names = (names,)
    if not names:
        return tuple(model.stocks) or tuple(model.variables)
    spelled = {key(name): name for name in model.variables}
    found = []
    for name in names:
        if key(name) not in spelled:
            raise unknown_name(name, "variable", model.variables, f"model {model.name}")
        found.append(spelled[key(name)])
    return tuple(dict.fromkeys(found))


def unit_of(model: Model, name: str) -> Unit | None:
    """The declared unit of a variable, if it has one."""
    return model.variables[name].unit


def _panels(model: Model, names: Sequence[str], language: str, group: Group) -> tuple[_Panel, ...]:
    def shown(unit: Unit | None) -> str:
        return str(unit) if unit is not None and unit.factors else ""

    if group == "variable":
        return tuple(
            _Panel(model[name].text(language)[0], shown(unit_of(model, name)), (name,))
            for name in names
        )
    units: dict[str, list[str]] = {}
    for name in names:
        units.setdefault(shown(unit_of(model, name)), []).append(name)
    return tuple(_Panel("", unit, tuple(members)) for unit, members in units.items())


def _draw(
    figure: go.Figure,
    place: dict[str, int],
    panel: _Panel,
    run: Run,
    baseline: Run | None,
    colors: Palette,
    language: str,
    group: Group,
) -> None:
    """The traces of one panel: ghost first, then the run, then the dots on top."""
    said = words(language)
    model = run.model
    for order, name in enumerate(panel.names):
        label = escape(model[name].text(language)[0])
        color = colors.run if group == "variable" else colors.series[order % len(colors.series)]
        if baseline is not None and name in baseline.names:
            figure.add_trace(
                go.Scatter(
                    x=baseline.time, y=baseline[name], mode="lines", name=said["baseline"],
                    line={"color": colors.baseline, "width": BASELINE_WIDTH},
                    meta={"variable": name, "role": "baseline"},
                ), **place,
            )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=run.time, y=run[name], mode="lines", connectgaps=False,
                name=label if group == "unit" or baseline is None else said["run"],
                line={"color": color, "width": RUN_WIDTH},
                meta={"variable": name, "role": "run"},
            ), **place,
        )  # fmt: skip
        for data, points in observed(model, name):
            for verified in (True, False):
                figure.add_trace(
                    _dots(data, points, verified, colors, language, _window(run)), **place
                )
        if group == "unit":
            _direct_label(figure, place, run, name, label, color)
    start, stop = _window(run)
    room = 0.28 * (stop - start) if group == "unit" else 0.0  # for the names beside the lines
    margin = 0.01 * (stop - start)  # so that a dot on the edge is whole
    figure.update_xaxes(range=[start - margin, stop + margin + room], **place)


def _title(
    figure: go.Figure, place: dict[str, int], panel: _Panel, colors: Palette, width: int
) -> None:
    """The variable and its unit above the axis, on at most three lines of ``width`` letters."""
    lines = wrap(panel.title, width, max_lines=2, placeholder="…")
    shown = [f"<b>{escape(line)}</b>" for line in lines]
    if panel.unit:
        shown.append(f"<span style='color:{colors.muted}'>{escape(panel.unit)}</span>")
    figure.add_annotation(
        text="<br>".join(shown),
        row=place["row"], col=place["col"], xref="x domain", yref="y domain", x=0, y=1,
        yshift=GRID // 2, xanchor="left", yanchor="bottom", align="left", showarrow=False,
        font={"size": TEXT_BODY, "color": colors.ink},
    )  # fmt: skip


def _window(run: Run) -> tuple[float, float]:
    return float(run.time[0]), float(run.time[-1])


def _dots(
    data: Data,
    points: Sequence[DataPoint],
    verified: bool,
    colors: Palette,
    language: str,
    window: tuple[float, float],
) -> go.Scatter:
    """The measurements of one status within the run's time; each says where it comes from."""
    said = words(language)
    shown = [p for p in points if p.verified is verified and window[0] <= p.time <= window[1]]
    name = data.text(language)[0] if data.label or data.translations else said["data"]
    marker: dict[str, Any] = {"size": DATA_SIZE, "color": colors.data}
    if not verified:
        name = f"{name} ({said['unverified']})"
        marker = {
            "size": DATA_SIZE,
            "color": colors.paper,
            "line": {"color": colors.unverified, "width": 1.25},
        }
    return go.Scatter(
        x=[p.time for p in shown],
        y=[p.value for p in shown],
        mode="markers",
        name=escape(name),
        marker=marker,
        customdata=[escape(_brief(p.source or p.status)) for p in shown],
        hovertemplate="%{y:.4~g} <i>%{customdata}</i>",
        visible=bool(shown),
        meta={"variable": data.name, "role": "data" if verified else "unverified"},
    )


def _brief(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _direct_label(
    figure: go.Figure, place: dict[str, int], run: Run, name: str, label: str, color: str
) -> None:
    """The name of a line at its last finite point."""
    from math import isfinite

    values = run[name]
    last = next((i for i in range(len(values) - 1, -1, -1) if isfinite(values[i])), None)
    if last is None:
        return
    figure.add_annotation(
        text=label, x=float(run.time[last]), y=float(values[last]), xanchor="left", xshift=4,
        showarrow=False, font={"size": TEXT_SMALL, "color": color}, **place,
    )  # fmt: skip


def _footnote(run: Run, note: bool, language: str) -> str:
    """Why a run stopped; else how it was computed and how exact that is."""
    if not run.ok:
        return escape(words(language)["stopped"] + run.status.message)
    return escape(exactness(run, language)) if note else ""


def interval(step: float) -> str:
    """A step as people write it: ``1/16`` where it is one part of a whole number of parts."""
    from flywheel.figures.numbers import rounded

    parts = round(1 / step) if step > 0 else 0
    if parts > 1 and abs(parts * step - 1) < 1e-12:
        return f"1/{parts}"
    return rounded(step, 4)


def exactness(run: Run, language: str = "en") -> str:
    """Method, step, and what trying harder would change: the honesty line of every chart."""
    from flywheel.figures.numbers import percent

    error = run.error
    size = percent(error.size, signed=False)
    most = "최대 " if language == "ko" else "at most "
    if error.size < 1e-6:
        most = ""
        size = "0.0001 % 미만" if language == "ko" else "less than 0.0001 %"
    fixed = run.method in ("euler", "rk4")
    if language == "ko":
        how = f"{run.method}, 간격 {interval(run.step)}" if fixed else run.method
        harder = "간격을 절반으로" if fixed else "허용 오차를 100분의 1로"
        return f"{how} · {harder} 줄이면 {most}{size} 달라짐 ({error.variable})"
    how = f"{run.method}, step {interval(run.step)}" if fixed else run.method
    harder = "half the step" if fixed else "a hundredth of the tolerance"
    return f"{how} · {harder} changes values by {most}{size} of their range ({error.variable})"
