"""Which loops move the model when: shares stacked over time, and who dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from flywheel.analysis.loops.independent import canonical
from flywheel.analysis.loops.matter import LoopsThatMatter, LoopThatMatters
from flywheel.analysis.loops.naming import declared_loops
from flywheel.figures.caption import blank, folded, headed, key, model_name, receipt
from flywheel.figures.numbers import percent
from flywheel.figures.shades import ink_on, mix, ranked
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette, palette
from flywheel.model import Model

_WORDS = {
    "en": {
        "title": "Which loops move {model}",
        "none": "No feedback loop acts in this run.",
        "method": "Loops That Matter",
        "cut": "not all loops were searched",
        "groups": "the largest of {n} groups of loops",
        "others": "{n} other loops, each weaker",
        "sets": "{n} sets of loops",
        "dominant": "dominant",
        "of": "of the change",
        "what": "share of the change",
        "mean": "on average",
    },
    "ko": {
        "title": "{model}: 변화를 만드는 고리",
        "none": "이 실행에서 작용하는 피드백 고리가 없습니다.",
        "method": "Loops That Matter",
        "cut": "고리를 모두 찾지는 못함",
        "groups": "고리 무리 {n}개 가운데 가장 큰 것",
        "others": "그 밖의 더 약한 고리 {n}개",
        "sets": "고리 묶음 {n}가지",
        "dominant": "지배",
        "of": "변화의 몫",
        "what": "변화에서 차지하는 몫",
        "mean": "평균",
    },
}
_BODY = 44 * GRID
_RIBBON = 0.09
_MANY = 24
"""Periods that a ribbon of a phone's width can tell apart."""
_LEFT = 7 * GRID
_LABELLED = 0.1
"""Thickness, in parts of all change, from which an area carries its name."""


@dataclass(frozen=True)
class _Band:
    """One area on one side of zero."""

    loop: LoopThatMatters | None
    values: NDArray[np.float64]
    color: str
    name: str
    text: str


def called_path(path: Sequence[str], label: str, model: Model | None, language: str) -> str:
    """What a loop is called in a language: its label where it has one, else its path."""
    if model is not None and path:
        declared = declared_loops(model).get(canonical(path))
        if declared is not None:
            return declared.text(language)[0]
    return label or " → ".join((*path, *path[:1]))


def called(loop: LoopThatMatters, model: Model | None, language: str) -> str:
    """The same of a loop with its share."""
    return called_path(loop.path, loop.label, model, language)


def dominance(
    table: LoopsThatMatter,
    *,
    top: int = 7,
    model: Model | None = None,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """The share of each loop over time, reinforcing ones above zero and balancing ones below.

    The ``top`` loops of the largest partition by their share, times weighted with how much happens
    then; the others are two grey areas. Under it a ribbon of who dominates when, and the names.
    ``model`` gives the loops their labels in the language.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors = palette(dark)
    named = table.stamp.model if model is None else model_name(model, language)
    title = said["title"].format(model=named)
    groups = len({loop.partition for loop in table.loops})
    subtitle = receipt(
        table.stamp, language, said["method"],
        said["groups"].format(n=groups) if groups > 1 else "",
        "" if table.complete else said["cut"], table.failure, outcome=said["what"],
    )  # fmt: skip
    rows = [n for n, loop in enumerate(table.loops) if loop.partition == table.main]
    if not rows or not np.abs(table.shares[rows]).any():
        return blank(title, subtitle, said["none"], dark)
    means = table.weighted()
    rows = [n for n in rows if table.shares[n].any()]
    rows.sort(key=lambda n: -means[table.loops[n].name])
    chosen, others = rows[:top], rows[top:]
    bands = _bands(table, chosen, others, model, language, colors)
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.02,
        row_heights=[1 - _RIBBON, _RIBBON],
    )  # fmt: skip
    for band in bands:
        _area(figure, table, band, colors, said["of"])
    _ribbon(figure, table, colors, said)
    _axes(figure, table, colors)
    entries = []
    for n in chosen:
        loop = table.loops[n]
        color = next(band.color for band in bands if band.loop is loop)
        share = f"{said['mean']} {percent(means[loop.name], signed=False)}"
        entries.append(("■", color, f"{loop.name} {share} · {called(loop, model, language)}"))
    if others:
        entries.append(("■", _pale("B", colors), said["others"].format(n=len(others))))
    tall = key(figure, entries, down=4 * GRID, left=_LEFT, dark=dark)
    return headed(figure, title, subtitle, body=_BODY, foot=4 * GRID + tall, left=_LEFT, dark=dark)


def _pale(kind: str, colors: Palette) -> str:
    """The shade of all loops of a kind that have no shade of their own."""
    return mix(colors.polarity(kind), colors.paper, 0.86)


def _bands(
    table: LoopsThatMatter,
    chosen: list[int],
    others: list[int],
    model: Model | None,
    language: str,
    colors: Palette,
) -> list[_Band]:
    """The areas, strongest next to zero: what a loop does above zero, and what below."""
    kinds = ["R" if table.loops[n].polarity[:1] != "B" else "B" for n in chosen]
    shades = {kind: iter(ranked(colors.polarity(kind), kinds.count(kind), colors)) for kind in "RB"}
    found = []
    for n, kind in zip(chosen, kinds, strict=True):
        loop, color = table.loops[n], next(shades[kind])
        text = folded(f"{called(loop, model, language)}", 44)
        path = folded(" → ".join((*loop.path, *loop.path[:1])), 44, 6)
        if path != text:
            text += f"<br><i>{path}</i>"
        sides = (np.maximum(table.shares[n], 0), np.minimum(table.shares[n], 0))
        found += [_Band(loop, part, color, loop.name, text) for part in sides if part.any()]
    if others:
        name = _WORDS["ko" if language == "ko" else "en"]["others"].format(n=len(others))
        shares = table.shares[others]
        for kind, part in (("R", np.maximum(shares, 0)), ("B", np.minimum(shares, 0))):
            if part.any():
                found.append(_Band(None, part.sum(axis=0), _pale(kind, colors), name, ""))
    return found


def _area(figure: go.Figure, table: LoopsThatMatter, band: _Band, colors: Palette, of: str) -> None:
    above = bool(band.values.max() > 0)
    stacked = [t for t in figure.data if t.stackgroup == ("up" if above else "down")]
    below = sum((np.asarray(t.y) for t in stacked), np.zeros(len(table.times)))
    text = f"<b>{escape(band.name)}</b> %{{y:.0%}} {of}<br>{band.text}<extra>%{{x:.6~g}}</extra>"
    figure.add_trace(
        go.Scatter(
            x=table.times, y=band.values, mode="lines", stackgroup="up" if above else "down",
            fillcolor=band.color, line={"color": colors.paper, "width": 0.5},
            name=escape(band.name), hovertemplate=text, hoverlabel={"align": "left"},
            meta={"loop": band.loop.name if band.loop else "others", "role": "share",
                  "polarity": "R" if above else "B"},
        ), row=1, col=1,
    )  # fmt: skip
    place = _roomiest(table.times, np.abs(band.values))
    if place is not None and band.loop is not None:
        figure.add_annotation(
            text=escape(band.name), x=float(table.times[place]),
            y=float(below[place] + band.values[place] / 2), showarrow=False, row=1, col=1,
            font={"size": TEXT_SMALL, "color": ink_on(band.color)}, name="area",
        )  # fmt: skip


def _roomiest(times: NDArray[np.float64], sizes: NDArray[np.float64]) -> int | None:
    """Where a band is thick enough for its name over the name's own length, if anywhere."""
    reach = 0.04 * (times[-1] - times[0])
    first = np.searchsorted(times, times - reach)
    last = np.searchsorted(times, times + reach, side="right")
    thick = np.array([sizes[a:b].min() for a, b in zip(first, last, strict=True)])
    inside = (times >= times[0] + reach) & (times <= times[-1] - reach)
    thick = np.where(inside, thick, 0.0)
    place = int(thick.argmax())
    return place if thick[place] >= _LABELLED else None


def _ribbon(
    figure: go.Figure, table: LoopsThatMatter, colors: Palette, said: dict[str, str]
) -> None:
    """Who dominates when: bars with names where they fit, which plotly decides by the width.

    More periods than can be told apart are drawn by polarity only.
    """
    kind = {loop.name: loop.polarity[:1] for loop in table.loops}
    spans: list[tuple[float, float, str, str]] = []
    many = len(table.periods) > _MANY
    for period in table.periods:
        name = " + ".join(period.loops)
        polarity = kind[period.loops[0]]
        if many and spans and spans[-1][2] == polarity and spans[-1][1] == period.start:
            start, _, _, before = spans.pop()
            spans.append((start, period.stop, polarity, f"{before}\n{name}"))
        else:
            spans.append((period.start, period.stop, polarity, name))
    fills = [colors.polarity(polarity) for _, _, polarity, _ in spans]
    named = [name for *_, name in spans]
    shown = [p if many else escape(n) for _, _, p, n in spans]
    told = [
        said["sets"].format(n=len(set(n.split("\n")))) if "\n" in n else folded(n, 40)
        for n in named
    ]
    figure.add_trace(
        go.Bar(
            orientation="h", y=[0] * len(spans), width=0.9,
            base=[start for start, *_ in spans], x=[stop - start for start, stop, *_ in spans],
            marker={"color": fills, "line": {"color": colors.paper, "width": 1}},
            text=shown, textposition="inside", textangle=0, insidetextanchor="middle",
            insidetextfont={"size": TEXT_SMALL, "color": [ink_on(f) for f in fills]},
            customdata=[[text, f"{start:g} – {stop:g}"]
                        for text, (start, stop, *_) in zip(told, spans, strict=True)],
            hovertemplate=f"<b>%{{customdata[0]}}</b> {said['dominant']}"
                          "<br>%{customdata[1]}<extra></extra>",
            meta={"role": "periods"},
        ), row=2, col=1,
    )  # fmt: skip
    figure.update_layout(uniformtext={"minsize": TEXT_SMALL, "mode": "hide"})


def _axes(figure: go.Figure, table: LoopsThatMatter, colors: Palette) -> None:
    window = [float(table.times[0]), float(table.times[-1])]
    figure.update_xaxes(range=window, nticks=6)
    figure.update_xaxes(showticklabels=False, showline=False, ticks="", row=1, col=1)
    up, down = colors.reinforcing, colors.balancing
    figure.update_yaxes(
        range=[-1.02, 1.02], tickvals=[-1, -0.5, 0, 0.5, 1], row=1, col=1,
        ticktext=[f"<span style='color:{down}'><b>B</b> 100 %</span>", "50 %", "0", "50 %",
                  f"<span style='color:{up}'><b>R</b> 100 %</span>"],
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[-0.5, 0.5], row=2, col=1)
