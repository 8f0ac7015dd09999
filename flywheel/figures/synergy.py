"""How levers work together: pairs as a matrix, fair shares of the bundle beside it."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

from flywheel.analysis.levers.synergy import Synergy
from flywheel.figures.caption import blank, folded, headed, key, receipt, rest
from flywheel.figures.cells import LEFT, ROW, Array, cells
from flywheel.figures.numbers import rounded
from flywheel.figures.shades import diverging
from flywheel.figures.theme import GRID, TEXT_SMALL, palette

_WORDS = {
    "en": {
        "title": "Which levers help each other",
        "method": "pairs beyond the sum of both",
        "exact": "Shapley shares from all {n} bundles", "sampled": "Shapley shares from random orders",
        "total": "all together {total}, one by one {parts}",
        "none": "Synergy needs two levers or more; there is {n}.",
        "share": "Shapley<br>share", "alone": "alone", "both": "beyond the sum",
        "complements": "complements", "substitutes": "substitutes", "independent": "independent",
        "alternatives": "two settings of one parameter",
        "more": "more together than apart", "less": "less together", "failed": "a run failed",
        "on": "on the diagonal: alone",
    },
    "ko": {
        "title": "서로 돕는 레버",
        "method": "둘을 함께 당긴 효과에서 각각의 합을 뺌",
        "exact": "섀플리 몫은 조합 {n}개 전부에서", "sampled": "섀플리 몫은 무작위 순서에서",
        "total": "모두 함께 {total}, 하나씩의 합 {parts}",
        "none": "시너지를 보려면 레버가 둘 이상 필요합니다. 지금은 {n}개입니다.",
        "share": "섀플리<br>몫", "alone": "혼자", "both": "합을 넘는 몫",
        "complements": "보완", "substitutes": "대체", "independent": "독립",
        "alternatives": "같은 매개변수의 두 설정",
        "more": "함께 당기면 더 큼", "less": "함께 당기면 더 작음", "failed": "실행이 실패함",
        "on": "대각선: 혼자 당긴 효과",
    },
}  # fmt: skip
_NUMBERS = 4
"""Columns whose cells are wide enough for numbers on a phone."""
_LARGE = 0.2
"""Part of the full colour from which a cell carries its sign."""
_REACH = 0.95
"""Quantile of sizes at which the colour is full: one huge pair must not hide the others."""


def synergy(
    table: Synergy,
    *,
    horizon: int = -1,
    top: int = 12,
    unit: str = "",
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A row and a column a lever: what two bring beyond the sum of both; alone on the diagonal.

    Blue pairs are complements, orange ones substitutes. Shapley shares stand at the right, with their
    intervals where they were sampled; rows are ordered by them. ``horizon`` is the place among the
    table's; ``unit`` that of the outcome, for the hover texts.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors, korean = palette(dark), language == "ko"
    shapley, pairs, alone = table.shapley[horizon], table.pairs[horizon], table.alone[horizon]
    ordered = np.argsort(-np.nan_to_num(np.abs(shapley)), kind="stable")
    order = ordered[:top]
    count = len(table.levers)
    subtitle = receipt(
        table.stamp, language, said["method"],
        said["exact"].format(n=f"{2**count:,}") if table.exact else said["sampled"],
        said["total"].format(
            total=_signed(float(table.total[horizon]), unit), parts=_signed(float(alone.sum()), unit)
        ),
        said["on"] if len(order) <= _NUMBERS else "", rest(count - len(order), language),
        outcome=table.label[korean], horizons=[table.stamp.horizons[horizon]],
    )  # fmt: skip
    if count < 2:
        return blank(said["title"], subtitle, said["none"].format(n=count), dark)
    names = [table.levers[i].text(language)[0] for i in order]
    square = pairs[np.ix_(order, order)].copy()
    np.fill_diagonal(square, np.nan)
    sizes = np.abs(square[np.isfinite(square)])
    full = float(np.quantile(sizes, _REACH)) if sizes.size and sizes.max() > 0 else 1.0
    texts = [["" for _ in order] for _ in order]
    hover = [["" for _ in order] for _ in order]
    for y, i in enumerate(order):
        for x, j in enumerate(order):
            value = float(alone[i] if i == j else pairs[i, j])
            texts[y][x] = _cell(value, full, i == j, len(order))
            hover[y][x] = _hover(table, int(i), int(j), horizon, value, unit, said, language)
    figure = go.Figure()
    cells(
        figure, square, texts, hover, rows=[f"{n + 1} {name}" for n, name in enumerate(names)],
        columns=[f"<b>{n + 1}</b>" for n in range(len(names))], scale=diverging(colors),
        reach=(-full, full), colors=colors, role="pairs",
    )  # fmt: skip
    half = table.half_width[horizon]
    for y, i in enumerate(order):
        spread = f"<br>±{_short(float(half[i]), 1)}" if half[i] > 0 else ""
        figure.add_annotation(
            text=f"<b>{_short(float(shapley[i]), 2)}</b>{spread}", x=1, y=y, xref="paper",
            xshift=6, xanchor="left", align="left", showarrow=False, name="shapley",
            font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
    figure.add_annotation(
        text=said["share"], x=1, y=1, xref="paper", yref="paper", xshift=6, yshift=2,
        xanchor="left", yanchor="bottom", align="left", showarrow=False, name="head",
        font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip
    marks = [("■", colors.run, said["more"]), ("■", colors.bad, said["less"])]
    largest = _largest(square)
    marks += [
        ("■", colors.run if v > 0 else colors.bad, f"{y + 1} + {x + 1}: {_signed(v, unit)}")
        for v, y, x in largest
    ]
    tall = key(figure, marks, down=2 * GRID, left=LEFT, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(names) * ROW, foot=2 * GRID + tall, left=LEFT,
        right=7 * GRID, above=4 * GRID, dark=dark,
    )  # fmt: skip


def _cell(value: float, full: float, alone: bool, count: int) -> str:
    """What stands in a cell: the number where there is room, else its sign where it is large."""
    if count <= _NUMBERS:
        return f"<i>{_short(value, 2)}</i>" if alone else _short(value, 2)
    if alone or abs(value) < _LARGE * full:
        return ""
    return "+" if value > 0 else "−" if value < 0 else "–"


def _largest(square: Array) -> list[tuple[float, int, int]]:
    """The pairs of largest size with their places, at most five."""
    rows, columns = np.triu_indices(len(square), 1)
    pairs = [(float(square[y, x]), int(y), int(x)) for y, x in zip(rows, columns, strict=True)]
    known = [pair for pair in pairs if np.isfinite(pair[0]) and pair[0] != 0]
    return sorted(known, key=lambda pair: -abs(pair[0]))[:5]


def _short(value: float, digits: int) -> str:
    """A number for a narrow cell."""
    if not np.isfinite(value):
        return "–"
    return rounded(value, digits)


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value > 0 else ''}{rounded(value)} {unit}".strip()


def _hover(
    table: Synergy,
    i: int,
    j: int,
    horizon: int,
    value: float,
    unit: str,
    said: dict[str, str],
    language: str,
) -> str:
    one, other = (folded(table.levers[k].text(language)[0], 40) for k in (i, j))
    amount = escape(_signed(value, unit)) if np.isfinite(value) else said["failed"]
    if i == j:
        return f"<b>{one}</b><br>{said['alone']}: {amount}"
    kind = said[table.kind(table.levers[i].name, table.levers[j].name, horizon)]
    return f"<b>{one}</b><br>+ <b>{other}</b><br>{said['both']}: {amount}<br>{kind}"
