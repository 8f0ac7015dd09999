"""The loop ledger as paired bars: what a loop did to the curve, beside what the outcome owes it."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from flywheel.analysis.loops.ledger import LedgerRow, LoopLedger
from flywheel.figures.caption import blank, cut, folded, headed, outcome_name, receipt, rest
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette, palette
from flywheel.model import Model

_WORDS = {
    "en": {
        "title": "The loop ledger",
        "none": "No feedback loop acts in this run.",
        "method": "share after Loops That Matter; consequence by switching each loop off",
        "share": "share of the change",
        "effect": "outcome without it",
        "gain": "gain",
        "at": "at",
        "shared": "its switch {dial} turns off {n} more",
        "disagree": "≠ the two disagree: hover for the reason",
        "cut": "not all loops were searched",
        "unknown": "not known",
        "alone": "no rival",
    },
    "ko": {
        "title": "고리 장부",
        "none": "이 실행에서 작용하는 피드백 고리가 없습니다.",
        "method": "몫은 Loops That Matter, 결과는 고리를 하나씩 꺼서 구함",
        "share": "변화의 몫",
        "effect": "고리가 없을 때의 결과",
        "gain": "이득",
        "at": "시점",
        "shared": "스위치 {dial} 하나가 {n}개를 더 끔",
        "disagree": "≠ 둘이 어긋남: 이유는 마우스를 올려 볼 것",
        "cut": "고리를 모두 찾지는 못함",
        "unknown": "알 수 없음",
        "alone": "경쟁 루프 없음",
    },
}
_ROW = 6 * GRID
_NUMBER = 0.36
"""Part of a panel that a number beside a bar takes on a phone."""
_FURTHEST = 1.5
"""Effects beyond this part of the outcome end at the edge, with their number beside them."""


def ledger(
    table: LoopLedger,
    *,
    horizon: int = -1,
    top: int = 12,
    model: Model | None = None,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A row a loop: its mean share of the change, and the outcome without it at one horizon.

    ``horizon`` is its place among the table's. Where the two disagree the row is marked ≠ and says why
    on hover. Effects beyond 150 % are cut off at the edge and written out.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors = palette(dark)
    title = said["title"]
    seen = table.stamp.horizons[horizon]
    rows = table.rows[:top]
    subtitle = receipt(
        table.stamp, language, said["method"], "" if table.complete else said["cut"],
        rest(len(table.rows) - len(rows), language),
        said["disagree"] if any(row.verdict.disagrees for row in rows) else "",
        outcome=outcome_name(table.stamp, model, language), horizons=[seen],
    )  # fmt: skip
    if not rows:
        return blank(title, subtitle, said["none"], dark)
    shares = [row.share for row in rows]
    effects = [float(row.effects[horizon]) for row in rows]
    edge = _edge(effects)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    hover = [_hover(row, said, language, table.at) for row in rows]
    fills = [colors.polarity(row.polarity) for row in rows]
    for column, role, values in ((1, "share", shares), (2, "effect", effects)):
        known = [value if math.isfinite(value) else 0.0 for value in values]
        # a loop without a rival has a share of 1 by construction: no bar for what says nothing
        drawn = (
            [min(max(v, -edge), edge) for v in known] if column == 2
            else [0.0 if row.rivals == 1 else v for v, row in zip(known, rows, strict=True)]
        )  # fmt: skip
        figure.add_trace(
            go.Bar(
                orientation="h", x=drawn, y=list(range(len(rows))), width=0.3,
                marker={"color": fills}, customdata=list(zip(values, hover, strict=True)),
                hovertemplate="%{customdata[1]}<extra></extra>", hoverlabel={"align": "left"},
                meta={"role": role},
            ), row=1, col=column,
        )  # fmt: skip
        _numbers(figure, column, values, drawn, rows, said, colors)
    for y, row in enumerate(rows):
        _row_label(figure, y, row, _called(row, language), colors)
    figure.update_yaxes(
        range=[len(rows) - 0.45, -0.75], visible=False, showgrid=False, zeroline=False
    )
    rivalled = [share for share, row in zip(shares, rows, strict=True) if row.rivals > 1]
    figure.update_xaxes(range=_window(rivalled, math.inf), row=1, col=1)
    figure.update_xaxes(range=_window(effects, edge), row=1, col=2)
    figure.update_xaxes(visible=False)
    for column in (1, 2):
        for y in range(len(rows)):  # a line through all rows would cross their names
            figure.add_shape(
                type="line", x0=0, x1=0, y0=y - 0.22, y1=y + 0.22, row=1, col=column,
                line={"color": colors.baseline, "width": 1},
            )  # fmt: skip
        figure.add_annotation(
            text=said["share" if column == 1 else "effect"], x=0, y=1, yshift=GRID // 2,
            xref="x domain" if column == 1 else "x2 domain", yref="paper", xanchor="left",
            yanchor="bottom", showarrow=False, name="head",
            font={"size": TEXT_SMALL, "color": colors.muted},
        )  # fmt: skip
    return headed(
        figure, title, subtitle, body=len(rows) * _ROW + GRID, foot=2 * GRID, above=3 * GRID,
        dark=dark,
    )  # fmt: skip


def _called(row: LedgerRow, language: str) -> str:
    """The loop's label where the model declares it, else its path."""
    return row.labels.get(language, "") or " → ".join((*row.path, *row.path[:1]))


def _window(values: list[float], edge: float) -> list[float]:
    """The range of an axis with room for the numbers at the ends of its bars."""
    known = [min(max(v, -edge), edge) for v in values if math.isfinite(v)]
    low, high = min([*known, 0.0]), max([*known, 0.0])
    sides = (low < 0) + (high > 0)
    span = (high - low) / (1 - _NUMBER * sides) if sides else 1.0
    return [low - _NUMBER * span * (low < 0), high + _NUMBER * span * (high > 0 or not sides)]


def _edge(effects: list[float]) -> float:
    """How far the axis of effects goes."""
    sizes = np.abs([e for e in effects if math.isfinite(e)])
    return float(min(sizes.max(), _FURTHEST)) if sizes.size and sizes.max() > 0 else 1.0


def _numbers(
    figure: go.Figure,
    column: int,
    values: list[float],
    drawn: list[float],
    rows: tuple[LedgerRow, ...],
    said: dict[str, str],
    colors: Palette,
) -> None:
    """The numbers at the ends of the bars; an arrow where a bar was cut off."""
    for y, (value, shown, row) in enumerate(zip(values, drawn, rows, strict=True)):
        text = percent(value, signed=column == 2) if math.isfinite(value) else said["unknown"]
        if column == 1 and row.rivals == 1:
            text = said["alone"]
        elif abs(value) > 10:
            text = f"×{rounded(1 + value, 2)}"
        if column == 2 and abs(value) > abs(shown) * (1 + 1e-9):
            text = f"{text} →" if value > 0 else f"← {text}"
        odd = row.verdict.disagrees
        figure.add_annotation(
            text=f"<b>{text}</b>" if odd else text, x=shown, y=y, row=1, col=column,
            xanchor="right" if shown < 0 else "left", xshift=-3 if shown < 0 else 3,
            showarrow=False, name="value",
            font={"size": TEXT_SMALL, "color": colors.ink if odd else colors.muted},
        )  # fmt: skip


def _row_label(figure: go.Figure, y: int, row: LedgerRow, text: str, colors: Palette) -> None:
    """The loop's name and label on a line of its own, above both of its bars."""
    tint = colors.polarity(row.polarity)
    mark = f"<b style='color:{colors.ink}'>≠ </b>" if row.verdict.disagrees else ""
    figure.add_annotation(
        text=f"{mark}<b><span style='color:{tint}'>{escape(row.name or row.polarity)}</span></b> "
             f"{escape(cut(text, 46))}",
        x=0, y=y, xref="paper", yref="y", yshift=GRID, xanchor="left", yanchor="bottom",
        align="left", showarrow=False, name="loop",
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _hover(row: LedgerRow, said: dict[str, str], language: str, at: float) -> str:
    """Everything about a loop: path, control, gain, and why the measures disagree."""
    parts = [
        f"<b>{escape(row.name)}</b> {folded(_called(row, language), 44)}",
        f"<i>{folded(' → '.join((*row.path, *row.path[:1])), 44, 6)}</i>",
        f"{said['share']}: {percent(row.share, signed=False)}",
        f"{said['effect']}: {percent(float(row.effects[-1]))}",
    ]
    if math.isfinite(row.gain):
        parts.append(f"{said['gain']} ({said['at']} {at:g}): {rounded(row.gain)}")
    if not row.control.exclusive:
        text = said["shared"].format(dial=row.control.dial, n=row.control.count - 1)
        parts.append(folded(text, 44))
    why = (row.verdict.text(language), row.reason)
    parts += [folded(text, 44) for text in why if text]
    return "<br>".join(parts)
