"""The plan of a budget: which lever gets how much in which period."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go

from flywheel.analysis.decide.allocation import Allocation
from flywheel.figures.caption import blank, folded, headed, receipt
from flywheel.figures.cells import LEFT, ROW, cells
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.theme import GRID, TEXT_SMALL, palette

_WORDS = {
    "en": {
        "title": "Where the budget goes",
        "gain": "{before} to {after} with {spent} spent of {budget}",
        "shadow": "one more unit of budget adds {price}",
        "enough": "beyond {most} money adds nothing",
        "agreed": "SLSQP with exact gradients, {agreed} of {starts} starts agree",
        "doubt": "the gradient disagrees with differences: do not trust this plan",
        "none": "No plan was found: {why}.",
        "unspent": "Spending nothing is best.",
        "spent": "spent", "pulled": "pulled to", "next": "the next unit adds",
        "gives": "returns {value} a unit", "not": "cannot be pulled yet",
        "total": "spent in all", "left": "left out: {names}",
    },
    "ko": {
        "title": "예산을 쓸 곳",
        "gain": "예산 {budget} 가운데 {spent} 사용, {before}에서 {after}(으)로",
        "shadow": "예산이 1 늘면 {price} 증가",
        "enough": "{most} 이상은 보탬이 되지 않음",
        "agreed": "정확한 기울기의 SLSQP, 출발점 {starts}개 중 {agreed}개 일치",
        "doubt": "기울기가 차분과 어긋남: 이 계획을 믿지 말 것",
        "none": "계획을 찾지 못했습니다: {why}.",
        "unspent": "예산을 쓰지 않는 것이 가장 좋습니다.",
        "spent": "지출", "pulled": "당긴 정도", "next": "다음 1 단위의 보탬",
        "gives": "1 단위당 {value}", "not": "아직 당길 수 없음",
        "total": "지출 합계", "left": "제외: {names}",
    },
}  # fmt: skip


def allocation(table: Allocation, *, language: str = "en", dark: bool = False) -> go.Figure:
    """Levers by periods: how far each is pulled as a shade, what is spent as a number.

    The shadow price of the budget stands in the subtitle; totals by lever at the right. Cells in which
    a lever cannot be pulled are empty.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors, korean = palette(dark), language == "ko"
    unit = f" {table.unit}" if table.unit else ""
    outcome = table.title[korean] if table.title else ""
    horizons = None
    if table.stamp is not None and "horizon" in table.stamp.settings:
        horizons = [float(str(table.stamp.settings["horizon"]))]
    if table.reason:
        subtitle = receipt(table.stamp, language, outcome=outcome, horizons=horizons)
        return blank(said["title"], subtitle, said["none"].format(why=table.reason), dark)
    spent = table.spent.sum(axis=1)
    price = float(np.max(table.shadow_price))
    subtitle = receipt(
        table.stamp, language,
        said["gain"].format(
            before=rounded(table.baseline), after=f"{rounded(table.value)}{unit}",
            spent=rounded(float(spent.sum())), budget=rounded(float(table.budget.sum())),
        ),
        said["shadow"].format(price=f"{rounded(price)}{unit}"),
        said["enough"].format(most=rounded(table.saturation)) if math.isfinite(table.saturation) else "",
        said["agreed"].format(agreed=table.agreed, starts=table.starts),
        "" if table.gradient_error < 1e-3 else said["doubt"],
        said["left"].format(names=", ".join(table.left_out)) if table.left_out else "",
        outcome=outcome, horizons=horizons,
    )  # fmt: skip
    if not spent.sum() > 0:
        return blank(said["title"], subtitle, said["unspent"], dark)
    order = np.argsort(-spent, kind="stable")
    names = [table.labels[i][korean] for i in order]
    shade = np.where(table.available, table.intensity, np.nan)[order]
    small = 1e-6 * float(spent.sum())
    texts = [[rounded(v, 2) if v > small else "" for v in table.spent[i]] for i in order]
    hover = [
        [_hover(table, int(i), k, names[n], said, unit) for k in range(len(table.periods))]
        for n, i in enumerate(order)
    ]
    figure = go.Figure()
    cells(
        figure, shade, texts, hover, rows=names,
        columns=[_period(*period) for period in table.periods],
        scale=[[0.0, colors.panel], [1.0, colors.run]], reach=(0.0, 1.0), colors=colors,
        role="intensity",
    )  # fmt: skip
    for y, i in enumerate(order):
        figure.add_annotation(
            text=f"<b>{rounded(float(spent[i]), 3)}</b>" if spent[i] > small else "–", x=1, y=y,
            xref="paper", xshift=6, xanchor="left", showarrow=False, name="total",
            font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
    figure.add_annotation(
        text=said["total"].replace(" ", "<br>", 1), x=1, y=1, xref="paper", yref="paper", xshift=6,
        yshift=2, xanchor="left", yanchor="bottom", align="left", showarrow=False, name="head",
        font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip
    return headed(
        figure, said["title"], subtitle, body=len(names) * ROW, foot=2 * GRID, left=LEFT,
        right=7 * GRID, above=4 * GRID, dark=dark,
    )  # fmt: skip


def _period(since: float, until: float) -> str:
    """A period over its column; the century only once."""
    if since >= 1000:
        return f"{since:.4g}<br>–{until:.4g}"
    return f"{since:g}–{until:g}"


def _hover(table: Allocation, i: int, k: int, name: str, said: dict[str, str], unit: str) -> str:
    since, until = table.periods[k]
    parts = [f"<b>{folded(name, 40)}</b>", f"{since:g} – {until:g}"]
    if not table.available[i, k]:
        return "<br>".join([*parts, said["not"]])
    parts += [
        f"{said['spent']}: {rounded(float(table.spent[i, k]))}",
        f"{said['pulled']}: {percent(float(table.intensity[i, k]), signed=False)}",
        f"{said['next']}: {rounded(float(table.marginal[i, k]))}{escape(unit)}",
    ]
    if math.isfinite(table.finite_return[i]):
        parts.append(said["gives"].format(value=f"{rounded(table.finite_return[i])}{escape(unit)}"))
    return "<br>".join(parts)
