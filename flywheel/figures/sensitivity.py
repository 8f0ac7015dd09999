"""Where the spread of an outcome comes from: indices with their intervals, over time, and by pairs."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.table import LEADING, Sensitivity
from flywheel.figures.caption import blank, cut, folded, headed, key, label, receipt, rest
from flywheel.figures.cells import LEFT, ROW, cells
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.shades import mix
from flywheel.figures.theme import GRID, RUN_WIDTH, TEXT_SMALL, Palette, palette

Array = NDArray[np.float64]

_WORDS = {
    "en": {
        "title": "Where the spread comes from",
        "time": "When each input matters", "pairs": "Inputs that act only together",
        "of": "{what} of {variable}", "runs": "{method}, {n} runs", "interval": "{part} intervals",
        "failed": "{n} failed runs left out", "tail": "a few extreme runs carry most of the variance",
        "none": "No sound result: nothing varies, or no run has a value.",
        "no_time": "This analysis was not made over time.",
        "no_pairs": "This method gives no indices of pairs.",
        "diagonal": "on the diagonal what an input explains alone; in percent of the variance",
        "unsure": "grey: the interval reaches 0",
    },
    "ko": {
        "title": "결과의 흩어짐은 어디에서 오는가",
        "time": "입력마다 중요해지는 때", "pairs": "함께일 때만 작용하는 입력",
        "of": "{variable}: {what}", "runs": "{method}, 실행 {n}회", "interval": "{part} 구간",
        "failed": "실패한 실행 {n}회 제외", "tail": "극단적인 실행 몇 개가 분산의 대부분을 차지",
        "none": "쓸 만한 결과가 없습니다. 변하는 것이 없거나 값이 있는 실행이 없습니다.",
        "no_time": "시간에 따른 분석은 하지 않았습니다.",
        "no_pairs": "이 방법은 두 입력의 지수를 주지 않습니다.",
        "diagonal": "대각선은 혼자 설명하는 몫; 분산의 백분율",
        "unsure": "회색: 구간이 0에 닿음",
    },
}  # fmt: skip
_MEASURES = {
    "S1": ("alone (first order)", "혼자 (1차)"),
    "ST": ("with all others (total)", "다른 것과 함께 (전체)"),
    "Shapley": ("fair share of the variance", "분산의 공정한 몫"),
    "mu*": ("mean elementary effect", "평균 기본 효과"),
    "ST bound": ("upper bound of the total index", "전체 지수의 상한"),
    "PRCC": ("partial rank correlation", "편순위상관"),
    "delta": ("effect on the whole distribution", "분포 전체에 주는 영향"),
}
_METHODS = {
    "chaos": ("polynomial chaos", "다항 혼돈 전개"), "sobol": ("Sobol indices", "소볼 지수"),
    "shapley": ("Shapley effects", "섀플리 효과"), "morris": ("Morris screening", "모리스 선별"),
    "dgsm": ("derivative bounds", "도함수 한계"), "screening": ("rank correlations", "순위상관"),
    "given": ("given-data indices", "주어진 자료의 지수"),
}  # fmt: skip
_PARTS = ("S1", "ST", "Shapley", "ST bound")
"""Measures that are parts of the variance."""


def indices(
    table: Sensitivity,
    *,
    horizon: int = -1,
    top: int = 15,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A bar an input, largest first: what it explains alone, and with all others, with intervals.

    Methods with one measure have one bar. ``horizon`` is the place among the table's.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    shown = [m for m in dict.fromkeys((LEADING[table.method], "S1")) if m in table.measures]
    sized = np.abs(table.measure(shown[0])[:, horizon])
    order = [int(j) for j in np.argsort(-np.nan_to_num(sized), kind="stable") if sized[j] >= 0]
    chosen = order[:top]
    subtitle = _receipt(table, language, rest(len(order) - len(chosen), language), horizon=horizon)
    if not chosen:
        return blank(said["title"], subtitle, said["none"], dark)
    names = [_named(table, j, language) for j in chosen]
    fills = [mix(colors.run, colors.paper, 0.55), colors.run] if len(shown) > 1 else [colors.run]
    figure = go.Figure()
    for place, (measure, fill) in enumerate(zip(shown, fills, strict=True)):
        values = table.measure(measure)[chosen, horizon]
        low, high = (ends[chosen, horizon] for ends in table.interval(measure))
        offset = (place - (len(shown) - 1) / 2) * 0.36
        figure.add_trace(
            go.Bar(
                orientation="h", x=values, y=[y + offset for y in range(len(chosen))],
                width=0.34 if len(shown) > 1 else 0.5, marker={"color": fill},
                error_x={"type": "data", "symmetric": False, "array": np.nan_to_num(high - values),
                         "arrayminus": np.nan_to_num(values - low), "color": colors.muted,
                         "thickness": 1.25, "width": 0},
                customdata=[
                    [folded(name, 40), _said(table, measure, v), _said(table, measure, a),
                     _said(table, measure, b), escape(str(table.distributions[j]))]
                    for name, j, v, a, b in zip(names, chosen, values, low, high, strict=True)
                ],
                hovertemplate=f"<b>%{{customdata[0]}}</b><br>{_MEASURES[measure][korean]}: "
                              "%{customdata[1]} (%{customdata[2]} … %{customdata[3]})"
                              "<br><i>%{customdata[4]}</i><extra></extra>",
                hoverlabel={"align": "left"}, meta={"role": measure},
            )
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(chosen))), ticktext=[label(name) for name in names],
        range=[len(chosen) - 0.4, -0.6], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    part = shown[0] in _PARTS
    figure.update_xaxes(
        nticks=5, showgrid=True, gridcolor=colors.hairline, showline=False, ticks="",
        tickformat=".0%" if part else None, zeroline=True, zerolinecolor=colors.baseline,
        title=None if part or not table.unit or shown[0] != "mu*" else escape(table.unit),
    )  # fmt: skip
    entries = [("■", f, _MEASURES[m][korean]) for m, f in zip(shown, fills, strict=True)][::-1]
    tall = key(figure, entries, down=5 * GRID, left=LEFT, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(chosen) * (ROW + 4), foot=5 * GRID + tall,
        left=LEFT, dark=dark,
    )  # fmt: skip


def over_time(
    table: Sensitivity,
    variable: str | None = None,
    *,
    measure: str | None = None,
    top: int = 6,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """One measure of the inputs that matter most, over time, with its intervals as bands.

    ``variable`` is one of those that the analysis was made for (the first by default), ``measure`` the
    leading one. Gaps are times at which nothing varies or the estimate is not sound. Raises
    UnknownNameError for another variable, UsageError for a measure that there is not.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    course = table.over_time
    asked = measure or LEADING[table.method]
    if course is None or not course.variables:
        return blank(said["time"], _receipt(table, language), said["no_time"], dark)
    seen = variable or course.variables[0]
    values = course.of(seen, asked)
    named = table.model[seen].text(language)[0] if seen in table.model.variables else seen
    what = said["of"].format(what=_MEASURES.get(asked, (asked, asked))[korean], variable=named)
    span = f"{course.times[0]:g}–{course.times[-1]:g}"
    subtitle = _receipt(table, language, outcome=f"{what}, {span}", over_time=True)
    size = np.array([np.nanmean(np.abs(row)) if np.isfinite(row).any() else -1.0 for row in values])
    chosen = [int(j) for j in np.argsort(-size, kind="stable")[:top] if size[j] >= 0]
    if not chosen:
        return blank(said["time"], subtitle, said["none"], dark)
    half = course.halves.get(asked)
    spread = None if half is None else half[course.variables.index(seen)]
    figure = go.Figure()
    part = asked in _PARTS
    for place, j in enumerate(chosen):
        tint = colors.series[place % len(colors.series)]
        name = _input(table, course.parameters[j], language)
        if spread is not None and np.isfinite(spread[j]).any():
            _band(figure, course.times, values[j], spread[j], tint)
        figure.add_trace(
            go.Scatter(
                x=course.times, y=values[j], mode="lines", connectgaps=False, name=escape(name),
                line={"color": tint, "width": RUN_WIDTH},
                hovertemplate=f"<b>{folded(name, 40)}</b><br>%{{x:.6~g}}: "
                              f"%{{y:{'.1%' if part else '.3~g'}}}<extra></extra>",
                meta={"role": asked, "parameter": course.parameters[j]},
            )
        )  # fmt: skip
    entries = [
        ("■", colors.series[n % len(colors.series)], _input(table, course.parameters[j], language))
        for n, j in enumerate(chosen)
    ]
    figure.update_xaxes(nticks=6, range=[float(course.times[0]), float(course.times[-1])])
    figure.update_yaxes(nticks=5, tickformat=".0%" if part else None)
    if part:
        figure.update_yaxes(range=[min(0.0, float(np.nanmin(values)) - 0.02), 1.02])
    tall = key(figure, entries, down=4 * GRID, left=6 * GRID, dark=dark)
    return headed(
        figure, said["time"], subtitle, body=34 * GRID, foot=4 * GRID + tall, left=6 * GRID,
        dark=dark,
    )  # fmt: skip


def pairs(
    table: Sensitivity,
    *,
    horizon: int = -1,
    top: int = 8,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A matrix of the inputs that matter most: what two explain only together, in percent.

    The diagonal is what an input explains alone. Numbers whose interval reaches 0 are grey.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors = palette(dark)
    if table.pairs is None:
        plain = _receipt(table, language, horizon=horizon)
        return blank(said["pairs"], plain, said["no_pairs"], dark)
    subtitle = _receipt(table, language, said["diagonal"], said["unsure"], horizon=horizon)
    ranked = table.ranking(horizon)[:top]
    chosen = [table.parameters.index(name) for name in ranked]
    matrix = table.S2[np.ix_(chosen, chosen)][..., horizon].copy()
    matrix = np.where(np.isnan(matrix), matrix.T, matrix)
    np.fill_diagonal(matrix, table.measure("S1")[chosen, horizon])
    if not np.isfinite(matrix).any():
        return blank(said["pairs"], subtitle, said["none"], dark)
    half = np.full_like(matrix, np.nan)
    if table.pairs_half is not None:
        half = table.pairs_half[np.ix_(chosen, chosen)][..., horizon]
        half = np.where(np.isnan(half), half.T, half)
    names = [_named(table, j, language) for j in chosen]
    texts = [
        [_percent(v, h, y == x, colors) for x, (v, h) in enumerate(zip(row, halves, strict=True))]
        for y, (row, halves) in enumerate(zip(matrix, half, strict=True))
    ]
    hover = [
        [
            f"<b>{folded(names[y], 40)}</b>" + (f"<br>+ <b>{folded(names[x], 40)}</b>" if x != y else "")
            + f"<br>{percent(float(v), signed=False)}"
            + (f" ± {percent(float(half[y, x]), signed=False)}" if half[y, x] >= 0 and x != y else "")
            for x, v in enumerate(row)
        ]
        for y, row in enumerate(matrix)
    ]  # fmt: skip
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    known = off[np.isfinite(off)]
    full = max(float(known.max()) if known.size else 0.0, 0.02)
    figure = go.Figure()
    cells(
        figure, matrix, texts, hover, rows=[f"{n + 1} {name}" for n, name in enumerate(names)],
        columns=[f"<b>{n + 1}</b>" for n in range(len(names))],
        scale=[[0.0, colors.panel], [1.0, colors.run]], reach=(0.0, full), colors=colors,
        role="S2",
    )  # fmt: skip
    return headed(
        figure, said["pairs"], subtitle, body=len(names) * ROW, foot=2 * GRID, left=LEFT,
        above=3 * GRID, dark=dark,
    )  # fmt: skip


def _percent(value: float, half: float, alone: bool, colors: Palette) -> str:
    """A whole percentage for a narrow cell, grey where it may be 0; nothing below one half."""
    if not np.isfinite(value) or abs(value) < 0.005:
        return ""
    text = f"{100 * value:.0f}".replace("-", "−")
    if not alone and half >= abs(value):
        return f"<span style='color:{colors.muted}'>{text}</span>"
    return f"<i>{text}</i>" if alone else text


def _band(figure: go.Figure, times: Array, values: Array, half: Array, tint: str) -> None:
    """The interval around a line; whole stretches only, so that a gap in it stays one."""
    red, green, blue = (int(tint[i : i + 2], 16) for i in (1, 3, 5))
    sound = np.isfinite(values) & np.isfinite(half)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sound, [False]]).astype(int)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        low, high = ((values + sign * half)[start:stop] for sign in (-1, 1))
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([times[start:stop], times[start:stop][::-1]]),
                y=np.concatenate([low, high[::-1]]), mode="lines", line={"width": 0},
                fill="toself", fillcolor=f"rgba({red}, {green}, {blue}, 0.15)",
                hoverinfo="skip", meta={"role": "interval"},
            )
        )  # fmt: skip


def _receipt(
    table: Sensitivity,
    language: str,
    *more: str,
    horizon: int | None = None,
    outcome: str = "",
    over_time: bool = False,
) -> str:
    said = _WORDS["ko" if language == "ko" else "en"]
    korean = language == "ko"
    failed = table.failures.failed
    return receipt(
        table.stamp, language,
        said["runs"].format(method=_METHODS[table.method][korean], n=f"{table.runs:,}"),
        said["interval"].format(part=percent(table.confidence, signed=False)),
        said["failed"].format(n=failed) if failed else "",
        said["tail"] if table.tail.heavy else "", *more,
        outcome=outcome or table.labels[korean],
        horizons=[] if over_time else None if horizon is None else [table.horizons[horizon]],
    )  # fmt: skip


def _named(table: Sensitivity, j: int, language: str) -> str:
    return _input(table, table.parameters[j], language)


def _input(table: Sensitivity, name: str, language: str) -> str:
    """What an input is called: a parameter or the stock that it starts."""
    known = table.model.params.get(name) or table.model.stocks.get(name)
    return cut(name if known is None else known.text(language)[0], 60)


def _said(table: Sensitivity, measure: str, value: float) -> str:
    """A measure with its unit."""
    if not math.isfinite(value):
        return "–"
    if measure in _PARTS:
        return percent(float(value), signed=False)
    unit = f" {escape(table.unit)}" if measure == "mu*" and table.unit else ""
    return f"{rounded(float(value))}{unit}"
