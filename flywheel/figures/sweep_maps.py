"""A heat map over two inputs of a sweep: the mean of an outcome where the inputs lie together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.figures.caption import blank, headed, key
from flywheel.figures.numbers import rounded
from flywheel.figures.shades import at, diverging, ink_on, mix
from flywheel.figures.sweep_words import (
    column,
    input_of,
    logarithmic,
    named,
    outcome_of,
    receipt,
    valueless,
    words,
)
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette, palette
from flywheel.sweep.result import Sweep

Array = NDArray[np.float64]
_WORDS = {
    "en": {
        "title": "{outcome} over {x} and {y}", "mean": "mean of the runs in a cell",
        "none": "no run lies here", "lost": "runs without a value only", "runs": "runs",
        "low": "from {low}", "high": "to {high}", "part": "{n} without a value",
    },
    "ko": {
        "title": "{x}, {y}에 따른 {outcome}", "mean": "칸 안 실행의 평균",
        "none": "실행이 없는 칸", "lost": "값이 없는 실행뿐", "runs": "실행 수",
        "low": "최소 {low}", "high": "최대 {high}", "part": "값 없음 {n}",
    },
}  # fmt: skip
_MOST, _VALUES = 16, 24
"""Bins of an axis, and distinct values that need no bins: what a phone still shows."""
_PER_CELL = 8
"""Runs in a cell on average, from which its mean says something."""
_TICKS = 5
_WRITTEN = 6
"""Columns up to which a number fits into a cell on a phone."""


@dataclass(frozen=True)
class _Axis:
    """Where runs lie along an input: the bin (M,) of each, what bins are called, and its ticks."""

    place: NDArray[np.int64]
    texts: tuple[str, ...]
    ticks: dict[float, str]


def heat(
    sweep: Sweep, x: str, y: str, outcome: str, *, language: str = "en", dark: bool = False
) -> go.Figure:
    """The mean of an outcome over two inputs, a cell a pair of bins (of values, where they are few).

    A dot marks a cell where no run lies, a cross one where no run has a value. The scale goes from
    pale to blue; where the mean changes its sign, from orange (below 0) to blue. Bins are equally wide,
    by ratio for inputs that spread so.

    Raises UnknownNameError for inputs and outcomes that the sweep does not have, UsageError for one
    input twice.
    """
    across, up, name = input_of(sweep, x), input_of(sweep, y), outcome_of(sweep, outcome)
    if across == up:
        raise UsageError(f"a map needs two inputs, not {across} twice")
    said, colors = _WORDS["ko" if language == "ko" else "en"], palette(dark)
    title = said["title"].format(
        outcome=named(sweep, name, language),
        x=named(sweep, across, language), y=named(sweep, up, language),
    )  # fmt: skip
    subtitle = receipt(sweep, language, said["mean"], valueless(sweep, name, language))
    values = column(sweep, name)
    sound = np.isfinite(values)
    if not sound.any():
        return blank(title, subtitle, words(language)["empty"], dark)
    bins = int(np.clip(np.sqrt(len(values) / _PER_CELL), 3, _MOST))
    columns, rows = _axis(column(sweep, across), bins), _axis(column(sweep, up), bins)
    shape = (len(rows.texts), len(columns.texts))
    runs = np.zeros(shape, dtype=np.int64)
    valued, sums = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    np.add.at(runs, (rows.place, columns.place), 1)
    np.add.at(valued, (rows.place[sound], columns.place[sound]), 1)
    np.add.at(sums, (rows.place[sound], columns.place[sound]), values[sound])
    with np.errstate(invalid="ignore"):
        means = np.where(valued > 0, sums / valued, np.nan)
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    two_signs = low < 0 < high
    reach = (-max(-low, high), max(-low, high)) if two_signs else (low, high)
    scale = diverging(colors) if two_signs else rising(colors)
    both = (named(sweep, across, language), named(sweep, up, language))
    hover = [
        [
            f"<b>{rounded(float(means[i, j]))}</b><br>{escape(both[0])}: {columns.texts[j]}<br>"
            f"{escape(both[1])}: {rows.texts[i]}<br>{said['runs']}: {runs[i, j]:,}"
            + (f" ({said['part'].format(n=runs[i, j] - valued[i, j])})"
               if runs[i, j] > valued[i, j] else "")
            for j in range(shape[1])
        ]
        for i in range(shape[0])
    ]  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            z=[[None if np.isnan(v) else float(v) for v in row] for row in means],
            zmin=reach[0], zmax=reach[1] if reach[1] > reach[0] else reach[0] + 1,
            colorscale=scale, showscale=False, xgap=1, ygap=1, customdata=hover,
            hovertemplate="%{customdata}<extra></extra>", hoverongaps=False,
            hoverlabel={"align": "left"}, meta={"role": "means"},
        )
    )  # fmt: skip
    _marks(figure, runs == 0, "circle", 3, colors.baseline, "empty", hover)
    _marks(figure, (runs > 0) & (valued == 0), "x-thin", 7, colors.bad, "lost", hover)
    if shape[1] <= _WRITTEN:
        _written(figure, means, reach, scale)
    _ticks(figure, columns, rows, colors)
    _heads(figure, named(sweep, across, language, True), named(sweep, up, language, True), colors)
    entries = [("■", at(scale, _part(v, reach)), rounded(v)) for v in _steps(reach, low, high)]
    if (runs == 0).any():
        entries.append(("•", colors.muted, said["none"]))
    if ((runs > 0) & (valued == 0)).any():
        entries.append(("×", colors.bad, said["lost"]))
    tall = key(figure, entries, down=7 * GRID, left=8 * GRID, dark=dark, inline=True)
    return headed(
        figure, title, subtitle, body=max(30 * GRID, 3 * GRID * shape[0]), foot=8 * GRID + tall,
        left=8 * GRID, above=3 * GRID, dark=dark,
    )  # fmt: skip


def rising(colors: Palette, pale: float = 0.82) -> list[list[float | str]]:
    """A colour scale from little to much: from nearly paper to the run's blue and on towards ink.

    ``pale`` is the part of paper at its beginning: less of it for what is thin.
    """
    return [
        [0.0, mix(colors.run, colors.paper, pale)],
        [0.6, colors.run],
        [1.0, mix(colors.run, colors.ink, 0.5)],
    ]


def _axis(values: Array, bins: int) -> _Axis:
    """Few distinct values are bins of their own."""
    distinct = np.unique(values)
    if len(distinct) <= _VALUES:
        texts = tuple(rounded(float(v), 4) for v in distinct)
        step = -(-len(texts) // _TICKS)
        ticks = {float(k): texts[k] for k in range(0, len(texts), step)}
        return _Axis(np.searchsorted(distinct, values), texts, ticks)
    low, high = float(distinct[0]), float(distinct[-1])
    make = np.geomspace if logarithmic(values) else np.linspace
    edges = make(low, high, bins + 1)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    texts = tuple(f"{rounded(float(a))} … {rounded(float(b))}" for a, b in pairwise(edges))
    # What is nothing beside the length of the axis is noise in a label: 0, not 0.000138.
    places = 1 - math.floor(math.log10(high - low))
    shown = [rounded(float(e), 2) if make is np.geomspace else rounded(round(float(e), places), 6)
             for e in edges]  # fmt: skip
    ticks = {k - 0.5: shown[k] for k in range(0, bins + 1, -(-bins // (_TICKS - 1)))}
    return _Axis(place, texts, ticks)


def _marks(
    figure: go.Figure,
    which: NDArray[np.bool_],
    symbol: str,
    size: int,
    color: str,
    role: str,
    hover: list[list[str]],
) -> None:
    """A mark in each of some cells."""
    places = np.argwhere(which)
    if not len(places):
        return
    figure.add_trace(
        go.Scatter(
            x=places[:, 1], y=places[:, 0], mode="markers", meta={"role": role},
            marker={"symbol": symbol, "size": size, "color": color,
                    "line": {"width": 1.5 if symbol == "x-thin" else 0, "color": color}},
            customdata=[hover[i][j] for i, j in places],
            hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
        )
    )  # fmt: skip


def _written(
    figure: go.Figure, means: Array, reach: tuple[float, float], scale: list[list[float | str]]
) -> None:
    for i, j in np.argwhere(np.isfinite(means)):
        value = float(means[i, j])
        figure.add_annotation(
            text=rounded(value), x=int(j), y=int(i), showarrow=False, name="cell",
            font={"size": TEXT_SMALL, "color": ink_on(at(scale, _part(value, reach)))},
        )  # fmt: skip


def _part(value: float, reach: tuple[float, float]) -> float:
    return (value - reach[0]) / (reach[1] - reach[0]) if reach[1] > reach[0] else 0.0


def _steps(reach: tuple[float, float], low: float, high: float) -> list[float]:
    """Values that the key shows: the ends that occur and the middle of the scale."""
    return list(dict.fromkeys([low, (reach[0] + reach[1]) / 2, high]))


def _ticks(figure: go.Figure, columns: _Axis, rows: _Axis, colors: Palette) -> None:
    for update, axis in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        update(
            tickvals=list(axis.ticks), ticktext=list(axis.ticks.values()),
            range=[-0.5, len(axis.texts) - 0.5], showgrid=False, zeroline=False, showline=False,
            ticks="outside", ticklen=4, tickcolor=colors.baseline, tickangle=0,
            automargin=False,
        )  # fmt: skip


def _heads(figure: go.Figure, across: str, up: str, colors: Palette) -> None:
    """What lies across, under the axis; what lies upwards, over it."""
    for text, y, shift, anchor, left, x in (
        (across, 0, -3 * GRID, "top", "right", 1),
        (up, 1, GRID, "bottom", "left", 0),
    ):
        figure.add_annotation(
            text=escape(text) + (" →" if x else " ↑"), x=x, y=y, xref="paper", yref="paper",
            xshift=0 if x else -6 * GRID, yshift=shift, xanchor=left, yanchor=anchor,
            showarrow=False, name="head", font={"size": TEXT_SMALL, "color": colors.muted},
        )  # fmt: skip
