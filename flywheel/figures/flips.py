"""Which assumption would have to be how wrong before another lever is the best one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from flywheel.analysis.levers.flip import FlipRow, Flips
from flywheel.figures.caption import blank, cut, folded, headed, key, receipt, width
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.rows import hairlines, names, number
from flywheel.figures.shades import mix
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette, palette

_WORDS = {
    "en": {
        "title": "What would have to be wrong for another lever to win",
        "best": "best as things are: {lever}",
        "moved": "{n} of {examined} parameters, moved alone, change that",
        "far": "{n} with farther flips left out",
        "lost": "{n} points without a value",
        "none": "None of {examined} parameters, moved alone within its range, puts another lever "
        "first.",
        "now": "where it is", "flip": "from here on another wins",
        "way": "%: part of the way to the end of the range",
        "sd": "σ: standard deviations of its evidence",
        "of way": "of the way to the end", "range": "range", "wins": "wins",
    },
    "ko": {
        "title": "무엇이 틀려야 다른 레버가 이기는가",
        "best": "지금 가장 좋은 것: {lever}",
        "moved": "하나씩 움직인 매개변수 {examined}개 가운데 {n}개가 바꿈",
        "far": "더 먼 {n}개는 생략",
        "lost": "값이 없는 점 {n}개",
        "none": "매개변수 {examined}개 가운데 하나만 타당한 범위 안에서 바꾸어서는 1위가 바뀌지 "
        "않습니다.",
        "now": "지금 값", "flip": "여기서부터 다른 레버가 1위",
        "way": "%: 범위 끝까지 가는 길 가운데",
        "sd": "σ: 근거의 표준편차",
        "of way": "범위 끝까지의", "range": "범위", "wins": "1위",
    },
}  # fmt: skip
_LEFT = 8 * GRID
_ROOM = 48
"""Letters of what stands under a hairline."""
_PHONE, _LETTER = 390, 0.58 * TEXT_SMALL


def flips(table: Flips, *, top: int = 12, language: str = "en", dark: bool = False) -> go.Figure:
    """A row a parameter, the nearest flip first: its range, where it is, where another lever wins.

    The thick part of a range is where another lever is the best; which one stands under it. At the
    right is how far away that is, as part of the way to that end of the range and in standard
    deviations where the evidence states one.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    groups: dict[str, list[FlipRow]] = {}
    for row in table.rows:
        groups.setdefault(row.parameter, []).append(row)
    shown = list(groups.values())[:top]
    farther = len(groups) - len(shown)
    subtitle = receipt(
        table.stamp, language, said["best"].format(lever=table.best.text(language)[0]),
        said["moved"].format(n=len(groups), examined=table.examined) if groups else "",
        said["far"].format(n=farther) if farther else "",
        said["lost"].format(n=table.lost) if table.lost else "",
        outcome=table.label[korean], horizons=[table.horizon],
    )  # fmt: skip
    if not shown:
        return blank(said["title"], subtitle, said["none"].format(examined=table.examined), dark)
    figure = go.Figure()
    hairlines(figure, [(found[0].low, found[0].high) for found in shown], colors)
    hover = [_hover(found, said, language) for found in shown]
    for y, found in enumerate(shown):
        for row in found:
            _winning(figure, y, row, colors)
        _beneath(figure, y, found, language, colors)
    now = [_part(found[0], found[0].value) for found in shown]
    every = [(y, row) for y, found in enumerate(shown) for row in found]
    figure.add_trace(
        go.Scatter(
            x=[_part(row, row.at) for _, row in every], y=[y for y, _ in every], mode="markers",
            marker={"symbol": "diamond", "size": 10, "color": colors.bad,
                    "line": {"color": colors.paper, "width": 1}},
            customdata=[hover[y] for y, _ in every], cliponaxis=False,
            hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
            meta={"role": "flip", "at": [row.at for _, row in every],
                  "winner": [row.winner.name for _, row in every]},
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=now, y=list(range(len(shown))), mode="markers", cliponaxis=False,
            marker={"size": 9, "color": colors.paper, "line": {"color": colors.run, "width": 2}},
            customdata=hover, hovertemplate="%{customdata}<extra></extra>",
            hoverlabel={"align": "left"},
            meta={"role": "now", "parameters": [found[0].parameter for found in shown]},
        )
    )  # fmt: skip
    reach = _LEFT - 2 * GRID
    names(
        figure, [found[0].label[korean] for found in shown], colors, left=reach, right=reach,
        beside=[_distance(found[0], colors) for found in shown],
    )  # fmt: skip
    two = any(len(found) > 1 for found in shown)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[len(shown) - (0.3 if two else 0.4), -0.55])
    entries = [("○", colors.run, said["now"]), ("◆", colors.bad, said["flip"]),
               ("", colors.ink, said["way"])]  # fmt: skip
    if any(math.isfinite(found[0].sds) for found in shown):
        entries.append(("", colors.ink, said["sd"]))
    tall = key(figure, entries, down=2 * GRID, left=_LEFT, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(shown) * (9 if two else 7) * GRID,
        foot=2 * GRID + tall, left=_LEFT, right=_LEFT, dark=dark,
    )  # fmt: skip


def _part(row: FlipRow, value: float) -> float:
    """Where a value lies in its range, from 0 to 1."""
    return (value - row.low) / (row.high - row.low)


def _winning(figure: go.Figure, y: int, row: FlipRow, colors: Palette) -> None:
    """The part of the range, up to its end or to the next flip, in which another lever is best."""
    end = 1.0 if row.at > row.value else 0.0
    figure.add_shape(
        type="line", x0=_part(row, row.at), x1=end, y0=y, y1=y, layer="below", name="winning",
        line={"color": mix(colors.bad, colors.paper, 0.55), "width": 5},
    )  # fmt: skip


def _beneath(
    figure: go.Figure, y: int, found: Sequence[FlipRow], language: str, colors: Palette
) -> None:
    """Who wins from where on, under the mark; two flips of one parameter under each other."""
    parts = [_part(row, row.at) for row in found]
    middle = sum(parts) / len(parts)
    lines = [
        cut(f"{number(row.at, row.high - row.low)} → {row.winner.text(language)[0]}", _ROOM)
        for row in found
    ]
    # so far from the mark that it stays on the narrowest screen
    half = min(max(width(line) for line in lines) * _LETTER / 2, _PHONE / 2 - GRID)
    wanted = _LEFT + middle * (_PHONE - 2 * _LEFT)
    placed = min(max(wanted, GRID + half), _PHONE - GRID - half)
    figure.add_annotation(
        text="<br>".join(escape(line) for line in lines), x=middle, y=y, xanchor="center",
        xshift=round(placed - wanted), align="center", yanchor="top", yshift=-GRID // 2 - 2,
        showarrow=False, name="winner",
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _distance(row: FlipRow, colors: Palette) -> str:
    text = f"<b style='color:{colors.ink}'>{percent(row.distance, signed=False)}</b>"
    return text if not math.isfinite(row.sds) else f"{text} · {rounded(row.sds, 2)} σ"


def _hover(found: Sequence[FlipRow], said: dict[str, str], language: str) -> str:
    first = found[0]
    span = first.high - first.low
    lines = [
        f"<b>{folded(first.label[language == 'ko'], 40)}</b>",
        f"{said['now']}: {number(first.value, span)}",
        f"{said['range']}: {number(first.low, span)} … {number(first.high, span)}",
    ]
    for row in found:
        winner = folded(row.winner.text(language)[0], 36)
        far = percent(row.distance, signed=False)
        way = f"{said['of way']} {far}" if language == "ko" else f"{far} {said['of way']}"
        sure = f", {rounded(row.sds, 2)} σ" if math.isfinite(row.sds) else ""
        lines.append(f"{number(row.at, span)} → {winner} ({way}{sure})")
    return "<br>".join(lines)
