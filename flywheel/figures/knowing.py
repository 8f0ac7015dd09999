"""What is worth finding out before choosing: each uncertain number, beside knowing all of them."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

from flywheel.analysis.decide.information import ENOUGH
from flywheel.analysis.decide.learning import WorthOfKnowing
from flywheel.figures.caption import blank, cut, folded, headed, key, label, receipt
from flywheel.figures.evidence import KINDS
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.theme import GRID, TEXT_SMALL, Evidence, palette

_WORDS = {
    "en": {
        "title": "What is worth finding out first",
        "method": "worth of knowing each number exactly before choosing (EVPPI), with 95 % intervals",
        "runs": "{n} draws", "best": "best as believed now: {policy}",
        "few": "fewer than {enough} draws: rough",
        "heavy": "one draw in a thousand brings {part} of it: do not trust the order",
        "zero": "{n} numbers worth nothing alone left out", "rest": "{n} worth less left out",
        "failed": "{n} draws without a value left out", "costs": "costs of levers not taken off",
        "nothing": "{policy} is best in all {n} draws: knowing more would change nothing.",
        "together": "No single number is worth knowing alone; all together are worth {worth}.",
        "all": "all of them: {worth} ({low} … {high})",
        "worth": "worth", "believed": "believed", "source": "source",
        "share": "of the variance", "unsure": "may be worth nothing",
    },
    "ko": {
        "title": "무엇부터 알아볼 가치가 있는가",
        "method": "결정 전에 수 하나를 정확히 아는 가치(EVPPI), 95 % 구간",
        "runs": "표본 {n}개", "best": "지금 믿는 바로 가장 좋은 것: {policy}",
        "few": "표본이 {enough}개보다 적어 대략의 값",
        "heavy": "천 번에 한 번이 가치의 {part}를 차지: 순서를 믿지 말 것",
        "zero": "혼자서는 가치가 없는 수 {n}개 생략", "rest": "가치가 더 작은 {n}개 생략",
        "failed": "값이 없는 표본 {n}개 제외", "costs": "레버의 비용은 빼지 않음",
        "nothing": "표본 {n}개 모두에서 {policy} 선택이 가장 좋습니다. 더 알아도 바뀌지 않습니다.",
        "together": "하나만 알아서는 가치가 없습니다. 모두 알면 {worth}입니다.",
        "all": "모두: {worth} ({low} … {high})",
        "worth": "가치", "believed": "지금 믿는 값", "source": "출처",
        "share": "분산 가운데", "unsure": "가치가 없을 수도 있음",
    },
}  # fmt: skip
_ROW, _LEFT, _RIGHT = 36, 18 * GRID, 8 * GRID
_HEAVY = 0.5
"""Part of the worth in one draw of a thousand from which the order is not to be trusted."""


def worth(
    table: WorthOfKnowing, *, top: int = 12, language: str = "en", dark: bool = False
) -> go.Figure:
    """A bar a number: what knowing it exactly would be worth, in the outcome's unit, with intervals.

    The line is the worth of knowing all of them (EVPI), which no bar can pass. Colours are where the
    number comes from today. Numbers that are worth nothing alone are counted, not drawn.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    known, whole = table.knowing, table.knowing.everything
    unit = f" {table.unit}" if table.unit and table.unit != "1" else ""
    order = sorted(range(len(table.numbers)), key=lambda k: -known.each[k].value)
    moving = [k for k in order if known.each[k].value > 0]
    shown = moving[:top]
    best = {one.name: one.label[korean] for one in table.policies}[known.best]
    zero, further = len(order) - len(moving), len(moving) - len(shown)
    failed = table.failures.failed
    subtitle = receipt(
        table.stamp, language, said["method"], said["runs"].format(n=f"{whole.samples:,}"),
        said["best"].format(policy=best),
        said["heavy"].format(part=percent(table.heavy, signed=False))
        if table.heavy > _HEAVY and whole.value > 0 else "",
        said["few"].format(enough=f"{ENOUGH:,}") if whole.samples < ENOUGH else "",
        said["rest"].format(n=further) if further else "",
        said["zero"].format(n=zero) if zero and moving else "",
        said["failed"].format(n=failed) if failed else "", said["costs"] if table.costs else "",
        outcome=f"{table.title[korean]} [{unit.strip()}]" if unit else table.title[korean],
    )  # fmt: skip
    if not shown:
        why = said["nothing"].format(policy=best, n=f"{whole.samples:,}")
        if whole.value > 0:
            why = said["together"].format(worth=f"{rounded(whole.value)}{unit}")
        return blank(said["title"], subtitle, why, dark)
    kinds: list[Evidence | None] = [_kind(table.numbers[k].evidence) for k in shown]
    each = [known.each[k] for k in shown]
    values = np.array([one.value for one in each])
    names = [cut(table.numbers[k].label[korean], 38) for k in shown]
    figure = go.Figure(
        go.Bar(
            orientation="h", x=values, y=list(range(len(shown))), width=0.5,
            marker={"color": [colors.evidence(kind) for kind in kinds]},
            error_x={"type": "data", "symmetric": False, "color": colors.ink, "thickness": 1.25,
                     "array": [one.high - one.value for one in each],
                     "arrayminus": [one.value - one.low for one in each], "width": 0},
            customdata=[_hover(table, k, said, language, unit) for k in shown],
            hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
            meta={"role": "worth", "names": [table.numbers[k].name for k in shown]},
        )
    )  # fmt: skip
    for y, one in enumerate(each):
        figure.add_annotation(
            text=rounded(one.value, 2) if one.low > 0 else f"({rounded(one.value, 2)})", x=1, y=y,
            xref="paper", xshift=4, xanchor="left", showarrow=False, name="value",
            font={"size": TEXT_SMALL, "color": colors.ink if one.low > 0 else colors.muted},
        )  # fmt: skip
    figure.add_vline(x=whole.value, line={"color": colors.ink, "width": 1.5})
    figure.add_annotation(
        text=escape(
            said["all"].format(
                worth=rounded(whole.value), low=rounded(whole.low), high=rounded(whole.high)
            )
        ),
        x=whole.value, y=1, yref="paper", xanchor="right", yanchor="bottom", yshift=2,
        xshift=_RIGHT // 2, showarrow=False, name="everything",
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(shown))), ticktext=[label(name) for name in names],
        range=[len(shown) - 0.4, -0.6], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    edge = max(whole.value, float(max(one.high for one in each)))
    figure.update_xaxes(
        nticks=5, showgrid=True, gridcolor=colors.hairline, showline=False, ticks="",
        range=[0, 1.03 * edge], title={"text": escape(table.unit), "standoff": GRID},
    )  # fmt: skip
    entries = [("■", colors.evidence(kind), KINDS[kind][korean]) for kind in dict.fromkeys(kinds)]
    if any(one.low <= 0 for one in each):
        entries.append(("( )", colors.muted, said["unsure"]))
    tall = key(figure, entries, down=6 * GRID, left=_LEFT, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(shown) * _ROW + 2 * GRID, foot=6 * GRID + tall,
        left=_LEFT, right=_RIGHT, above=2 * GRID, dark=dark,
    )  # fmt: skip


def _kind(evidence: str) -> Evidence | None:
    """The evidence of a number as a colour knows it."""
    return next((kind for kind in KINDS if kind == evidence), None)


def _hover(table: WorthOfKnowing, k: int, said: dict[str, str], language: str, unit: str) -> str:
    one, worth = table.numbers[k], table.knowing.each[k]
    korean = language == "ko"
    measured = "" if one.moment or one.unit == "1" else f" {one.unit}"
    believed = one.believed.replace(" to ", " … ")
    share = float(table.knowing.variance_share[k])
    low, high = rounded(worth.low), rounded(worth.high)
    lines = [
        f"<b>{folded(one.label[korean], 40)}</b>",
        f"{said['worth']}: {rounded(worth.value)}{escape(unit)} ({low} … {high})",
        f"{said['believed']}: {escape(believed + measured)} ({KINDS[_kind(one.evidence)][korean]})",
    ]
    if one.source:
        lines.append(f"{said['source']}: {folded(one.source, 40, 2)}")
    if np.isfinite(share):
        part = percent(share, signed=False)
        lines.append(f"{said['share']} {part}" if korean else f"{part} {said['share']}")
    return "<br>".join(lines)
