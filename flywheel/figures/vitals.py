"""Does the flywheel turn by itself: the growth rate and the gain of its core, along the run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from flywheel.analysis.levers.words import duration
from flywheel.analysis.loops.naming import each
from flywheel.analysis.loops.vitals import BREAK_EVEN_GAIN, Vitals
from flywheel.figures.caption import blank, folded, headed, key, outcome_name, receipt
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.theme import GRID, RUN_WIDTH, TEXT_SMALL, Palette, palette
from flywheel.model import Model

Array = NDArray[np.float64]

_WORDS = {
    "en": {
        "title": "Does the flywheel turn by itself",
        "method": "core of {n} stocks, linearised at {count} moments",
        "rate": "Growth rate of the core", "gain": "Overall gain of a push",
        "within": "within {time}",
        "break": "break-even", "per": "{rate} {each}",
        "grows": "{when}: {rate}, doubling in {time}", "dies": "{when}: {rate}",
        "spins": "{when}: {gain}, it spins", "not": "{when}: {gain}, it does not spin",
        "unknown": "{when}: unknown",
        "cut": "▲▼ beyond the scale", "gaps": "gaps: no feedback, or a slope is not finite",
        "some": "not all loops were searched",
        "loops": "strongest loops, the gain of each alone:",
        "remains": "left after {time} without {names}",
        "even": "loop gain (now {now}) for {param} {by} to pay",
        "none": "At no moment of the run does a feedback act on the outcome with finite slopes, so "
        "there is no growth and no gain to show.",
    },
    "ko": {
        "title": "플라이휠이 스스로 도는가",
        "method": "핵심 저량 {n}개, 시점 {count}곳에서 선형화",
        "rate": "핵심의 성장률", "gain": "한 번 민 힘의 전체 이득",
        "within": "{time} 안",
        "break": "손익분기", "per": "{each} {rate}",
        "grows": "{when}: {rate}, 두 배가 되기까지 {time}", "dies": "{when}: {rate}",
        "spins": "{when}: {gain}, 스스로 돎", "not": "{when}: {gain}, 스스로 돌지 못함",
        "unknown": "{when}: 알 수 없음",
        "cut": "▲▼ 눈금을 벗어남", "gaps": "빈 곳: 되먹임이 없거나 기울기가 유한하지 않음",
        "some": "고리를 모두 찾지는 못함",
        "loops": "가장 강한 강화 루프, 각각의 이득:",
        "remains": "{time} 뒤에 남는 결과, {names} 없이",
        "even": "손익분기 루프 이득 (지금 {now}), {param} {by}",
        "none": "되먹임이 유한한 기울기로 결과에 작용하는 시점이 없어 보일 성장률과 이득이 없습니다.",
    },
}  # fmt: skip
_BODY, _LEFT = 48 * GRID, 7 * GRID
_TOP, _LOW = 0.45, 0.08
"""Parts of a panel's span that are kept free above and below, for what is written there."""
_CUT, _MOST, _KEPT = 3.0, 0.85, 1.5
"""A course whose largest is over 3 times its 85 % quantile is cut off at 1.5 times that."""
_FINE = 600
_ROOM = 22
"""Letters in a line of the words at the moment."""
_WIDE, _HIGH = 0.3, 0.14
"""Parts of a panel on a phone that the name of the break-even line takes."""


@dataclass(frozen=True)
class _Panel:
    """One of the two courses: its row, what is told of it, and the level that it is measured by."""

    row: int
    values: Array
    level: float
    edge: float

    @property
    def window(self) -> tuple[float, float]:
        """The range of its axis."""
        seen = np.clip(self.values[np.isfinite(self.values)], -self.edge, self.edge)
        low, high = min(float(seen.min()), 0.0), max(float(seen.max()), self.level)
        span = (high - low) or 1.0
        return low - _LOW * span, high + _TOP * span

    def said(self, value: float) -> str:
        return percent(value, signed=False) if self.row == 1 else rounded(value)


def vitals(
    table: Vitals, *, model: Model | None = None, language: str = "en", dark: bool = False
) -> go.Figure:
    """The growth rate of the core above, its overall gain below, over the run.

    Shaded is where the core grows of its own accord and where a push comes back larger. The line at
    gain 1 is the break-even; the dotted line and its words are the moment that was asked about. Peaks
    far beyond the rest are cut off, marked and written out.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors, unit = palette(dark), table.stamp.time_unit
    times, rates, gains = _course(table)
    subtitle = receipt(
        table.stamp, language, said["method"].format(n=len(table.core), count=len(table.times)),
        "" if table.complete else said["some"],
        said["cut"] if any(_edge(v) < _largest(v) for v in (rates, gains)) else "",
        said["gaps"] if not np.isfinite([rates, gains]).all() else "",
        outcome=outcome_name(table.stamp, model, language),
    )  # fmt: skip
    if len(times) < 2 or not (np.isfinite(rates).any() and np.isfinite(gains).any()):
        return blank(said["title"], subtitle, said["none"], dark)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.14)
    top = _Panel(1, rates, 0.0, _edge(rates))
    low = _Panel(2, gains, BREAK_EVEN_GAIN, _edge(gains))
    window = [float(times[0]), float(times[-1])]
    for panel in (top, low):
        _above(figure, panel, times, colors)
        _line(figure, panel, times, unit, colors)
        _beyond(figure, panel, times, window, colors)
        figure.update_yaxes(range=panel.window, nticks=4, ticklabelstandoff=6, row=panel.row, col=1)
    figure.update_yaxes(tickformat=".0%" if top.edge > 0.04 else ".1%", row=1, col=1)
    _head(figure, 1, said["rate"], each(unit, language), colors)
    within = said["within"].format(time=duration(table.patience, unit, language))
    _head(figure, 2, said["gain"], within, colors)
    _break_even(figure, low, times, window, said["break"], colors)
    when = f"{table.at:g}"
    rate = said["per"].format(rate=percent(table.rate, signed=False), each=each(unit, language))
    doubling = duration(table.doubling, unit, language)
    grown = said["grows" if table.rate > 0 else "dies"]
    turned = said["spins" if table.spins else "not"]
    for panel, value, text in (
        (top, table.rate, grown.format(when=when, rate=rate, time=doubling)),
        (low, table.gain, turned.format(when=when, gain=rounded(table.gain))),
    ):
        told = text if math.isfinite(value) else said["unknown"].format(when=when)
        _moment(figure, panel, table.at, value, told, window, colors)
    figure.update_xaxes(range=window, nticks=6)
    figure.update_xaxes(showticklabels=False, ticks="", showline=False, row=1, col=1)
    entries = _entries(table, said, model, language, colors)
    tall = key(figure, entries, down=4 * GRID, left=_LEFT, dark=dark) if entries else 0
    return headed(
        figure, said["title"], subtitle, body=_BODY, foot=4 * GRID + tall, left=_LEFT,
        above=3 * GRID, dark=dark,
    )  # fmt: skip


def _course(table: Vitals) -> tuple[Array, Array, Array]:
    """The course with the moment asked about in its place."""
    keep = table.times != table.at
    times = np.append(table.times[keep], table.at)
    order = np.argsort(times)
    rates = np.append(table.rates[keep], table.rate)[order]
    gains = np.append(table.gains[keep], table.gain)[order]
    return times[order], rates, gains


def _largest(values: Array) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _edge(values: Array) -> float:
    """How far an axis goes: to the largest, unless it dwarfs the others."""
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size:
        return 1.0
    most = float(np.quantile(sizes, _MOST))
    return _KEPT * most if sizes.max() > _CUT * most > 0 else float(sizes.max())


def _stretches(sound: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where runs of what is true begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sound, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _fine(panel: _Panel, times: Array) -> tuple[Array, Array]:
    """The course on a fine grid, NaN in its gaps."""
    finer = np.unique(np.concatenate([np.linspace(times[0], times[-1], _FINE), times]))
    values = np.interp(finer, times, np.nan_to_num(panel.values))
    # an interval is sound where both of its ends are
    place = np.clip(np.searchsorted(times, finer, side="right") - 1, 0, len(times) - 2)
    good = np.isfinite(panel.values)
    exact = np.isin(finer, times[good])
    return finer, np.where((good[place] & good[place + 1]) | exact, values, np.nan)


def _above(figure: go.Figure, panel: _Panel, times: Array, colors: Palette) -> None:
    """Shades what lies above the level, up to the curve."""
    finer, values = _fine(panel, times)
    for start, stop in _stretches(values > panel.level):
        upper = np.minimum(values[start:stop], panel.edge)
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([finer[start:stop], finer[start:stop][::-1]]),
                y=np.concatenate([upper, np.full(stop - start, panel.level)]), mode="lines",
                line={"width": 0}, fill="toself", fillcolor=colors.run_fill, hoverinfo="skip",
                meta={"role": "above", "row": panel.row},
            ), row=panel.row, col=1,
        )  # fmt: skip


def _line(figure: go.Figure, panel: _Panel, times: Array, unit: str, colors: Palette) -> None:
    """The course, left out beyond the edge, with dots where it was computed."""
    finer, values = _fine(panel, times)
    figure.add_trace(
        go.Scatter(
            x=finer, y=np.where(np.abs(values) <= panel.edge, values, np.nan), mode="lines",
            connectgaps=False, line={"color": colors.run, "width": RUN_WIDTH}, hoverinfo="skip",
            meta={"role": "line", "row": panel.row},
        ), row=panel.row, col=1,
    )  # fmt: skip
    inside = np.abs(panel.values) <= panel.edge
    figure.add_trace(
        go.Scatter(
            x=times[inside], y=panel.values[inside], mode="markers",
            marker={"size": 4, "color": colors.run}, cliponaxis=False,
            customdata=[panel.said(float(v)) for v in panel.values[inside]],
            hovertemplate="%{x:.6~g}: %{customdata}"
                          f"{f' /{escape(unit)}' if panel.row == 1 and unit else ''}<extra></extra>",
            meta={"role": "rate" if panel.row == 1 else "gain"},
        ), row=panel.row, col=1,
    )  # fmt: skip


def _beyond(
    figure: go.Figure, panel: _Panel, times: Array, window: list[float], colors: Palette
) -> None:
    """A triangle at the edge for every stretch beyond it, with its largest value."""
    with np.errstate(invalid="ignore"):
        far = np.abs(panel.values) > panel.edge
    for start, stop in _stretches(far):
        k = start + int(np.argmax(np.abs(panel.values[start:stop])))
        x, value = float(times[k]), float(panel.values[k])
        late = (x - window[0]) / (window[1] - window[0]) > 0.6
        mark = "▲" if value > 0 else "▼"
        text = f"{panel.said(value)} {mark}" if late else f"{mark} {panel.said(value)}"
        figure.add_annotation(
            text=text, x=x, y=math.copysign(panel.edge, value), row=panel.row, col=1,
            xanchor="right" if late else "left", yanchor="bottom" if value > 0 else "top",
            showarrow=False, name="beyond", font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip


def _head(figure: go.Figure, row: int, text: str, unit: str, colors: Palette) -> None:
    figure.add_annotation(
        text=f"<b>{escape(text)}</b> <span style='color:{colors.muted}'>{escape(unit)}</span>",
        xref="paper", yref="y domain" if row == 1 else "y2 domain", x=0, y=1,
        xshift=2 * GRID - _LEFT, yshift=GRID // 2, xanchor="left", yanchor="bottom",
        showarrow=False, name="head", font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _break_even(
    figure: go.Figure,
    panel: _Panel,
    times: Array,
    window: list[float],
    text: str,
    colors: Palette,
) -> None:
    """The line at gain 1, named at an end where the curve does not run through its name."""
    figure.add_shape(
        type="line", x0=window[0], x1=window[1], y0=panel.level, y1=panel.level, row=panel.row,
        col=1, line={"color": colors.ink, "width": 1, "dash": "dash"}, name="break-even",
    )  # fmt: skip
    finer, values = _fine(panel, times)
    part = (finer - window[0]) / (window[1] - window[0])
    height = _HIGH * (panel.window[1] - panel.window[0])

    def crossed(right: bool, over: bool) -> bool:
        low, high = (0.0, height) if over else (-height, 0.0)
        near = values[part > 1 - _WIDE] if right else values[part < _WIDE]
        return bool(np.any((near > panel.level + low) & (near < panel.level + high)))

    places = [(True, True), (True, False), (False, True), (False, False)]
    right, over = next((place for place in places if not crossed(*place)), places[0])
    figure.add_annotation(
        text=escape(text), x=window[1] if right else window[0], y=panel.level, row=panel.row, col=1,
        xanchor="right" if right else "left", yanchor="bottom" if over else "top", showarrow=False,
        name="break-even", font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip


def _moment(
    figure: go.Figure,
    panel: _Panel,
    x: float,
    value: float,
    text: str,
    window: list[float],
    colors: Palette,
) -> None:
    """The moment asked about: a dotted line through the panel, its words at the top."""
    late = (x - window[0]) / (window[1] - window[0]) > 0.5
    figure.add_shape(
        type="line", x0=x, x1=x, y0=panel.window[0], y1=panel.window[1], row=panel.row, col=1,
        line={"color": colors.muted, "width": 1, "dash": "dot"}, name="moment",
    )  # fmt: skip
    figure.add_annotation(
        text=folded(text, _ROOM, 2), x=x, y=panel.window[1], row=panel.row, col=1, showarrow=False,
        xanchor="right" if late else "left", align="right" if late else "left",
        xshift=-4 if late else 4, yanchor="top", name="moment", bgcolor=colors.paper,
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    if math.isfinite(value) and abs(value) <= panel.edge:
        figure.add_trace(
            go.Scatter(
                x=[x], y=[value], mode="markers", hoverinfo="skip", cliponaxis=False,
                marker={"size": 9, "color": colors.paper, "line": {"color": colors.ink, "width": 1.5}},
                meta={"role": "moment", "row": panel.row},
            ), row=panel.row, col=1,
        )  # fmt: skip


def _entries(
    table: Vitals, said: dict[str, str], model: Model | None, language: str, colors: Palette
) -> list[tuple[str, str, str]]:
    """The strongest loops, and what the questions about momentum and break-even gave."""

    def called(name: str) -> str:
        return name if model is None else model[name].text(language)[0]

    found: list[tuple[str, str, str]] = []
    if table.loops:
        found.append(("", colors.muted, said["loops"]))
        labels = table.labels.get(language, table.labels["en"])
        found += [
            (rounded(loop.gain), colors.reinforcing, text.replace(" -> ", " → "))
            for loop, text in zip(table.loops, labels, strict=True)
        ]
    last, unit = table.stamp.horizons[-1], table.stamp.time_unit
    if table.momentum is not None and math.isfinite(table.momentum.remains[-1]):
        pushes = ", ".join(called(name) for name in table.momentum.pushes)
        text = said["remains"].format(time=duration(last, unit, language), names=pushes)
        left = percent(float(table.momentum.remains[-1]), signed=False)
        found.append((left, colors.run, text))
    one = table.break_even
    if one is not None and math.isfinite(one.gain[-1]):
        text = said["even"].format(
            param=called(one.param), by=percent(one.by), now=rounded(one.gain_now)
        )
        found.append((rounded(float(one.gain[-1])), colors.run, text))
    return found
