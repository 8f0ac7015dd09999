"""Meadows' ladder: what each level can move in this model, beside what it is said to move."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go

from flywheel.analysis.levers.ladder import Ladder
from flywheel.analysis.levers.levels import LEVELS
from flywheel.figures.caption import blank, cut, folded, headed, key, label, receipt
from flywheel.figures.cells import LEFT
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.theme import GRID, TEXT_SMALL, palette

_WORDS = {
    "en": {
        "title": "Meadows' ladder, measured",
        "method": "largest attainable effect of each level, by runs",
        "rho": "rank correlation of level and size {rho} ({low} to {high}, {n} elements): {verdict}",
        "bears": "the ladder's order holds", "turns": "the order is turned round",
        "open": "this does not decide the order", "few": "too few elements to test the order",
        "none": "No element has an attainable effect.", "absent": "not in this model",
        "bar": "largest", "dot": "mean of the three largest", "elements": "{n} elements",
        "share": "of all", "said": "↑ said to move more",
    },
    "ko": {
        "title": "메도즈의 사다리를 재어 보면",
        "method": "단계마다 움직일 수 있는 가장 큰 효과, 실행으로 구함",
        "rho": "단계와 크기의 순위상관 {rho} ({low}~{high}, 요소 {n}개): {verdict}",
        "bears": "사다리의 순서와 맞음", "turns": "순서와 반대임", "open": "순서를 가리지 못함",
        "few": "요소가 적어 순서를 시험할 수 없음",
        "none": "움직일 수 있는 효과를 가진 요소가 없습니다.", "absent": "이 모델에 없음",
        "bar": "가장 큰 것", "dot": "가장 큰 셋의 평균", "elements": "요소 {n}개",
        "share": "전체의", "said": "↑ 더 크게 움직인다고들 함",
    },
}  # fmt: skip
_ROW = 4 * GRID


def ladder(
    table: Ladder,
    *,
    unit: str = "",
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """The twelve levels from the top: a bar for the largest effect, a dot for the mean of the top three.

    Levels without an element in the model are named and say so. The subtitle tests the folklore: the
    rank correlation of level and size with its interval. ``unit`` is that of the outcome.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    rank = table.correlation
    subtitle = receipt(
        table.stamp, language, said["method"],
        said["few"] if not math.isfinite(rank.rho) else said["rho"].format(
            rho=rounded(rank.rho, 2), low=rounded(rank.low, 2), high=rounded(rank.high, 2),
            n=rank.elements, verdict=said[_verdict(rank.low, rank.high)],
        ),
        outcome=table.label[korean], horizons=[table.horizon],
    )  # fmt: skip
    if not table.levels or not np.nan_to_num(table.biggest).any():
        return blank(said["title"], subtitle, said["none"], dark)
    rows = sorted(LEVELS)
    at = {level: n for n, level in enumerate(table.levels)}
    ys = [rows.index(level) for level in table.levels]
    hover = [_hover(table, n, unit, said, language) for n in range(len(table.levels))]
    figure = go.Figure(
        [
            go.Bar(
                orientation="h", x=table.biggest, y=ys, width=0.5, marker={"color": colors.run},
                customdata=hover, hovertemplate="%{customdata}<extra></extra>",
                hoverlabel={"align": "left"}, meta={"role": "largest"},
            ),
            go.Scatter(
                x=table.top3, y=ys, mode="markers", cliponaxis=False, customdata=hover,
                marker={"size": 9, "color": colors.paper, "line": {"color": colors.ink, "width": 1.5}},
                hovertemplate="%{customdata}<extra></extra>", meta={"role": "top3"},
            ),
        ]
    )  # fmt: skip
    for y, level in enumerate(rows):
        if level in at:
            part = float(table.shares[at[level]])
            text = percent(part, signed=False) if part >= 0.01 else "< 1 %"
            place = {"x": 1, "xref": "paper", "xshift": 4}
        else:
            text, place = said["absent"], {"x": 0, "xshift": 4}
        figure.add_annotation(
            text=text, y=y, xanchor="left", showarrow=False,
            name="share" if level in at else "absent",
            font={"size": TEXT_SMALL, "color": colors.ink if level in at else colors.muted}, **place,
        )  # fmt: skip
    for text, spot in (
        (said["share"], {"x": 1, "xanchor": "left", "xshift": 4}),
        (said["said"], {"x": 0, "xanchor": "left", "xshift": 2 * GRID - LEFT}),
    ):
        figure.add_annotation(
            text=text, y=1, xref="paper", yref="paper", yanchor="bottom", yshift=2, showarrow=False,
            name="head", font={"size": TEXT_SMALL, "color": colors.muted}, **spot,
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticklabelstandoff=GRID,
        ticktext=[label(f"{level} {LEVELS[level][korean]}") for level in rows],
        range=[len(rows) - 0.4, -0.6], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    figure.update_xaxes(
        nticks=5, showgrid=True, gridcolor=colors.hairline, showline=False, ticks="",
        rangemode="tozero", title={"text": escape(f"Δ {unit}" if unit else ""), "standoff": GRID},
    )  # fmt: skip
    down = (6 if unit else 4) * GRID
    entries = [("■", colors.run, said["bar"]), ("○", colors.ink, said["dot"])]
    tall = key(figure, entries, down=down, left=LEFT, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(rows) * _ROW, foot=down + tall, left=LEFT,
        right=7 * GRID, above=2 * GRID, dark=dark,
    )  # fmt: skip


def _verdict(low: float, high: float) -> str:
    """Below 0 a lower number, a higher place, moves more: the ladder's order."""
    return "open" if low <= 0 <= high else "bears" if high < 0 else "turns"


def _hover(table: Ladder, n: int, unit: str, said: dict[str, str], language: str) -> str:
    level = table.levels[n]
    named = table.labels[n][language == "ko"] if table.labels else table.best[n]
    after = f" {escape(unit)}" if unit else ""
    return "<br>".join(
        [
            f"<b>{level} {LEVELS[level][language == 'ko']}</b>, "
            + said["elements"].format(n=int(table.counts[n])),
            f"{said['bar']}: {rounded(float(table.biggest[n]))}{after}",
            folded(cut(named, 80), 40),
            f"{said['dot']}: {rounded(float(table.top3[n]))}{after}",
        ]
    )
