"""The ranking of where to push: what each element can move, and how that turns with the horizon."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go

from flywheel.analysis.levers.ranking import Leverage
from flywheel.analysis.sensitivity.ranges import AROUND
from flywheel.figures.caption import blank, cut, folded, headed, key, label, receipt, rest
from flywheel.figures.evidence import KINDS, evidence_of
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.shades import mix
from flywheel.figures.theme import GRID, RUN_WIDTH, TEXT_SMALL, Palette, palette
from flywheel.model import Model

_WORDS = {
    "en": {
        "title": "What can move the outcome",
        "method": "one at a time over its plausible range, by runs",
        "assumed": "* range assumed: ±{part}",
        "none": "No run over the ranges gave a value.",
        "base": "as it is {value}",
        "low": "at the low end",
        "high": "at the high end",
        "lever": "fully pulled",
        "level": "Meadows level",
        "per": "per 1 %",
        "curved": "not a straight line: trust the ends, not the slope",
        "unconfirmed": "the derivative is not confirmed by small steps",
        "turns": "How the ranking turns with time",
        "by": "ranked by attainable effect; ▲ more of it raises the outcome, ▼ lowers it",
        "flip": "orange: changes its sign",
        "one": "A ranking by horizon needs two horizons or more; this table has {n}.",
        "rank": "place",
    },
    "ko": {
        "title": "결과를 움직일 수 있는 것",
        "method": "하나씩 타당한 범위 안에서, 실행으로 구함",
        "assumed": "* 범위는 가정: ±{part}",
        "none": "범위 안의 실행에서 값을 얻지 못했습니다.",
        "base": "지금 {value}",
        "low": "하단에서",
        "high": "상단에서",
        "lever": "끝까지 당김",
        "level": "메도즈 단계",
        "per": "1 %마다",
        "curved": "직선이 아님: 기울기보다 양 끝을 믿을 것",
        "unconfirmed": "미분이 작은 변화의 실행과 맞지 않음",
        "turns": "기간에 따라 바뀌는 순위",
        "by": "움직일 수 있는 크기의 순위; ▲ 늘리면 결과가 커짐, ▼ 작아짐",
        "flip": "주황: 부호가 바뀜",
        "one": "기간별 순위에는 기간이 둘 이상 필요합니다. 이 표에는 {n}개입니다.",
        "rank": "순위",
    },
}
_ROW, _LEFT = 36, 18 * GRID
_CUT = 3.0
"""Bars longer than this many times the fourth are cut off, or they would hide all others."""


def tornado(
    table: Leverage,
    *,
    horizon: float | None = None,
    top: int = 15,
    model: Model | None = None,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """What each element moves over its plausible range, around the outcome as it is, by rank.

    Full bars are the effect at the high end of the range, pale ones that at the low end. With the
    ``model`` the colour is the evidence of the number. Numbers at the right are the larger of both,
    as part of the outcome (in its unit where that is about 0). Bars far beyond the others are cut off
    and marked. Raises UsageError for a horizon that the table does not have.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors, korean = palette(dark), language == "ko"
    row = table.row_of(horizon)
    outcome = table.label[korean]
    known = [k for k in np.argsort(table.rank[row]) if np.isfinite(table.attainable[row, k])]
    moving = [int(k) for k in known if table.attainable[row, k] != 0]
    shown = moving[:top]
    star = said["assumed"].format(part=percent(AROUND, signed=False))
    title = said["title"]
    subtitle = receipt(
        table.stamp, language, said["method"], rest(len(moving) - len(shown), language),
        star if table.assumed[shown].any() else "",
        outcome=f"{outcome} [{table.unit}]" if table.unit else outcome,
        horizons=[table.stamp.horizons[row]],
    )  # fmt: skip
    if not shown:
        return blank(title, subtitle, said["none"], dark)
    edge = _edge(table.attainable[row, shown])
    names = [cut(table.labels[k][korean], 38) + (" *" if table.assumed[k] else "") for k in shown]
    kinds = [evidence_of(model, table.names[k]) for k in shown]
    fills = [colors.run if model is None else colors.evidence(kind) for kind in kinds]
    hover = [_hover(table, row, k, said, language) for k in shown]
    figure = go.Figure()
    for end, values, shades in (
        ("low", table.at_low[row, shown], [mix(fill, colors.paper, 0.6) for fill in fills]),
        ("high", table.at_high[row, shown], fills),
    ):
        figure.add_trace(
            go.Bar(
                orientation="h", x=np.clip(np.nan_to_num(values), -edge, edge),
                y=list(range(len(shown))), width=0.62 if end == "low" else 0.44,
                marker={"color": shades}, customdata=list(zip(values, hover, strict=True)),
                hovertemplate="%{customdata[1]}<extra></extra>", hoverlabel={"align": "left"},
                meta={"role": end},
            )
        )  # fmt: skip
    for y, k in enumerate(shown):
        _number(figure, y, _size(table, row, k), abs(table.attainable[row, k]) > edge, colors)
    _zero(figure, said["base"].format(value=_base(table, row)), colors)
    figure.update_yaxes(
        tickvals=list(range(len(shown))), ticktext=[label(name) for name in names],
        range=[len(shown) - 0.4, -0.6], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    figure.update_xaxes(
        nticks=5, showgrid=True, gridcolor=colors.hairline, showline=False, ticks="",
        tickformat="+~s" if edge >= 1e4 or edge < 1e-3 else "+",
        title={"text": escape(f"Δ {table.unit}" if table.unit else ""), "standoff": GRID},
        range=_window(table, row, shown, edge),
    )  # fmt: skip
    figure.update_layout(barmode="overlay")
    low, high = mix(colors.muted, colors.paper, 0.6), colors.muted
    entries = [("■", high, said["high"] if any(table.kinds[k] != "lever" for k in shown)
                else said["lever"])]  # fmt: skip
    if any(table.at_low[row, k] != 0 for k in shown):
        entries.append(("■", low, said["low"]))
    if model is not None:
        entries += [
            ("■", colors.evidence(kind), KINDS[kind][korean]) for kind in dict.fromkeys(kinds)
        ]
    tall = key(figure, entries, down=6 * GRID, left=_LEFT, dark=dark, inline=True)
    return headed(
        figure, title, subtitle, body=len(shown) * _ROW + 2 * GRID, foot=6 * GRID + tall,
        left=_LEFT, right=9 * GRID, above=2 * GRID, dark=dark,
    )  # fmt: skip


def _edge(sizes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """How far bars may reach: to the longest, unless it dwarfs the fourth."""
    ordered = np.sort(np.abs(sizes))[::-1]
    fourth = float(ordered[min(3, len(ordered) - 1)])
    return float(min(ordered[0], _CUT * fourth))


def _window(table: Leverage, row: int, shown: list[int], edge: float) -> list[float]:
    both = np.concatenate([table.at_low[row, shown], table.at_high[row, shown]])
    ends = np.clip(both[np.isfinite(both)], -edge, edge)
    low, high = min(float(ends.min()), 0.0), max(float(ends.max()), 0.0)
    margin = 0.03 * (high - low)
    return [low - margin, high + margin]


def _base(table: Leverage, row: int) -> str:
    return escape(f"{rounded(float(table.baseline[row]))} {table.unit}".strip())


def _size(table: Leverage, row: int, k: int) -> str:
    """The attainable effect as people say it."""
    value = float(table.attainable[row, k])
    if not table.relative[row]:
        return f"{'+' if value > 0 else ''}{rounded(value, 2)}"
    part = value / abs(float(table.baseline[row]))
    return f"×{rounded(1 + part, 2)}" if part > 10 else percent(part)


def _number(figure: go.Figure, y: int, text: str, further: bool, colors: Palette) -> None:
    figure.add_annotation(
        text=f"<b>{text} »</b>" if further else text, x=1, y=y, xref="paper", yref="y", xshift=4,
        xanchor="left", showarrow=False, name="value",
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _zero(figure: go.Figure, text: str, colors: Palette) -> None:
    """The outcome as it is: the line that all bars start from."""
    figure.add_vline(x=0, line={"color": colors.ink, "width": 1})
    figure.add_annotation(
        text=text, x=0, y=1, yref="paper", yanchor="bottom", yshift=2, showarrow=False,
        name="baseline", font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _hover(table: Leverage, row: int, k: int, said: dict[str, str], language: str) -> str:
    """Everything about one row, with units."""
    korean = language == "ko"
    unit = f" {escape(table.unit)}" if table.unit else ""

    def moved(value: float) -> str:
        return f"{'+' if value > 0 else ''}{rounded(value)}{unit}" if math.isfinite(value) else "–"

    parts = [f"<b>{folded(table.labels[k][korean], 44)}</b>"]
    if table.kinds[k] == "lever":
        parts.append(f"{said['lever']}: {moved(float(table.at_high[row, k]))}")
    else:
        for end, at, effect in (
            ("low", table.low[k], table.at_low[row, k]),
            ("high", table.high[k], table.at_high[row, k]),
        ):
            parts.append(f"{said[end]} ({rounded(float(at))}): {moved(float(effect))}")
        if table.relative[row]:
            slope = percent(0.01 * float(table.elasticity[row, k]))
            parts.append(f"{said['per']}: {slope}")
    parts.append(f"{said['level']} {table.level[k]}")
    if table.curved[row, k]:
        parts.append(folded(said["curved"], 44))
    if not table.confirmed[row, k]:
        parts.append(folded(said["unconfirmed"], 44))
    return "<br>".join(parts)


def by_horizon(
    table: Leverage, *, top: int = 10, language: str = "en", dark: bool = False
) -> go.Figure:
    """The ranking at every horizon, a line an element: who moves up, who down, who changes sign.

    Shown are the first ``top`` of the last horizon and the first three of every other, ranked among
    themselves; their places among all rows stand beside them. Triangles say which way more of the
    element moves the outcome there; lines of those that change their sign are orange.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors, korean = palette(dark), language == "ko"
    horizons = table.stamp.horizons
    outcome = table.label[korean]
    chosen = {int(k) for h in range(len(horizons) - 1) for k in np.argsort(table.rank[h])[:3]}
    chosen |= {int(k) for k in np.argsort(table.rank[-1])[:top]}
    rows = sorted(
        (k for k in chosen if np.nan_to_num(table.attainable[:, k]).any()),
        key=lambda k: table.rank[-1, k],
    )
    flips = any(table.flips[k] for k in rows)
    subtitle = receipt(
        table.stamp, language, said["by"], said["flip"] if flips else "", outcome=outcome
    )
    if len(horizons) < 2 or not rows:
        why = said["one"].format(n=len(horizons)) if rows else said["none"]
        return blank(said["turns"], subtitle, why, dark)
    place = np.argsort(np.argsort(table.rank[:, rows], axis=1), axis=1) + 1
    figure = go.Figure()
    xs = list(range(len(horizons)))
    for n, k in enumerate(rows):
        flips = bool(table.flips[k])
        color = colors.bad if flips else colors.run if n < 3 else colors.baseline
        slopes = table.elasticity[:, k]
        marks = ["triangle-up" if e > 0 else "triangle-down" if e < 0 else "circle" for e in slopes]
        named = table.labels[k][korean]
        figure.add_trace(
            go.Scatter(
                x=xs, y=place[:, n], mode="lines+markers", name=escape(named),
                line={"color": color, "width": RUN_WIDTH, "shape": "spline", "smoothing": 0.6},
                marker={"symbol": marks, "size": 11, "color": color,
                        "line": {"color": colors.paper, "width": 1}},
                customdata=[[folded(named, 40), _size(table, h, k), int(table.rank[h, k]),
                             percent(0.01 * float(slopes[h]))] for h in xs],
                hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}"
                              f" · {said['rank']} %{{customdata[2]}}"
                              f"<br>{said['per']}: %{{customdata[3]}}<extra></extra>",
                meta={"element": table.names[k], "flips": flips},
            )
        )  # fmt: skip
        ink = colors.ink if flips or n < 3 else colors.muted
        figure.add_annotation(
            text=f"{table.rank[-1, k]} {label(named, 19)}", x=xs[-1], y=int(place[-1, n]),
            xanchor="left", xshift=12, align="left", showarrow=False, name="element",
            font={"size": TEXT_SMALL, "color": ink},
        )  # fmt: skip
        figure.add_annotation(
            text=str(table.rank[0, k]) if table.attainable[0, k] else "–", x=0,
            y=int(place[0, n]), xanchor="right", xshift=-12,
            showarrow=False, name="first", font={"size": TEXT_SMALL, "color": ink},
        )  # fmt: skip
    figure.update_xaxes(
        tickvals=xs, ticktext=[f"{h:g}" for h in horizons], side="top", showline=False, ticks="",
        range=[-0.12 * xs[-1], xs[-1] * 1.02],
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[len(rows) + 0.6, 0.4])
    return headed(
        figure, said["turns"], subtitle, body=len(rows) * _ROW, foot=2 * GRID,
        right=19 * GRID, above=3 * GRID, dark=dark,
    )  # fmt: skip
