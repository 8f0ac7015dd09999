"""A choice that holds when nobody knows the numbers: regrets and wins, and where it fails."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from flywheel.analysis.decide.policies import RobustChoice
from flywheel.figures.caption import blank, folded, headed, key, receipt
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.rows import hairlines, head, names, number, zeros
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette, palette

_WORDS = {
    "en": {
        "title": "Which choice is regretted least",
        "draws": "{n} draws of {k} uncertain numbers within their ranges",
        "regret": "behind the best, {part}", "wins": "is the best (95 %)",
        "what": "regret: how far behind the best policy of the draw, at most, in {part} of the draws",
        "worst": "worst draw", "mean": "mean outcome", "better": "better than nothing in",
        "more": "{n} policies with more regret left out",
        "left": "{n} draws without a value left out", "costs": "costs of levers not taken off",
        "none": "In no draw every policy has an outcome, so nothing can be compared.",
        "chosen": "smallest regret", "other": "other policies", "cut": "» beyond the scale",
        "box": "Where “{policy}” fails", "worse": "fails: does worse than nothing",
        "missed": "fails: misses {target}",
        "how often": "in {part} of {n} draws",
        "caught": "{part} of the failures lie in the box, where {pure} of the draws fail",
        "again": "{pure} ({low} … {high}) in {n} fresh draws",
        "never": "“{policy}” fails in none of {n} draws.",
        "self": "Doing nothing cannot do worse than itself; set a target, or examine another policy.",
        "no box": "No range of the numbers picks out the {part} of draws in which “{policy}” fails.",
        "unborne": "On fresh draws the box held no more failures than elsewhere, so it is not shown.",
        "inside": "where it fails", "usual": "rest of the range drawn",
        "doubt": "chance if the limit meant nothing (overstated)",
    },
    "ko": {
        "title": "후회가 가장 적은 선택",
        "draws": "불확실한 수 {k}개를 범위 안에서 {n}번 뽑음",
        "regret": "최선보다 뒤짐, {part}", "wins": "최선인 비율 (95 %)",
        "what": "후회: 표본의 {part}에서 그 표본의 최선보다 뒤지는 최대 크기",
        "worst": "가장 나쁜 표본", "mean": "결과의 평균", "better": "아무것도 안 할 때보다 나은 비율",
        "more": "후회가 더 큰 정책 {n}개 생략",
        "left": "값이 없는 표본 {n}개 제외", "costs": "레버의 비용은 빼지 않음",
        "none": "모든 정책에 값이 있는 표본이 없어 비교할 수 없습니다.",
        "chosen": "후회가 가장 작음", "other": "다른 정책", "cut": "» 눈금을 벗어남",
        "box": "「{policy}」: 실패하는 곳", "worse": "실패: 아무것도 하지 않을 때보다 나쁨",
        "missed": "실패: {target}에 미치지 못함",
        "how often": "표본 {n}개의 {part}",
        "caught": "실패의 {part}가 상자 안, 상자 안의 {pure}가 실패",
        "again": "새 표본 {n}개에서는 {pure} ({low} … {high})",
        "never": "표본 {n}개 가운데 「{policy}」 선택이 실패하는 경우는 없습니다.",
        "self": "아무것도 하지 않기는 자신보다 나쁠 수 없습니다. "
        "목표를 정하거나 다른 정책을 살펴보십시오.",
        "no box": "「{policy}」 선택은 표본의 {part}에서 실패하지만, "
        "그런 경우를 가려내는 범위는 없습니다.",
        "unborne": "새 표본에서는 상자 안의 실패가 다른 곳보다 많지 않아 보이지 않습니다.",
        "inside": "실패하는 범위", "usual": "뽑은 범위의 나머지",
        "doubt": "한계가 무의미할 때의 확률 (낙관적)",
    },
}  # fmt: skip
_ROW, _BOX_ROW, _LEFT = 6 * GRID, 5 * GRID + 4, 8 * GRID
_NUMBER = 0.4
"""Part of the panel of regrets that the number beside the longest bar takes on a phone."""
_CUT = 4.0
"""Regrets longer than this many times the middle one are cut off."""


def regret(
    table: RobustChoice, *, top: int = 15, language: str = "en", dark: bool = False
) -> go.Figure:
    """A row a policy, the smallest regret first: what nearly all draws stay below, and its wins.

    Regret is how far a policy is behind the best one of the same draw; the bar is what 90 % of the
    draws do not exceed (``regret.quantile`` of them). Dots are the part of the draws in which it is the
    best, with the interval for the chance of the draws.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    judged = table.regret
    part = percent(judged.quantile, signed=False)
    unit = f" {table.unit}" if table.unit and table.unit != "1" else ""
    high = judged.high_regret
    order = [int(k) for k in np.argsort(high, kind="stable") if np.isfinite(high[k])]
    # equal regrets: the choice first
    order.sort(key=lambda k: (high[k], table.policies[k].name != table.chosen))
    shown = order[:top]
    further = len(order) - len(shown)
    left = table.failures.failed
    subtitle = receipt(
        table.stamp, language, _drawn(table, said), said["what"].format(part=part),
        said["left"].format(n=left) if left else "", said["costs"] if table.costs else "",
        said["more"].format(n=further) if further else "", outcome=_outcome(table, korean),
    )  # fmt: skip
    if not shown or not judged.scenarios:
        return blank(said["title"], subtitle, said["none"], dark)
    chosen = [table.policies[k].name == table.chosen for k in shown]
    hover = [_hover(table, k, said, part, unit, korean) for k in shown]
    fills = [colors.run if one else colors.baseline for one in chosen]
    edge = float(min(high[shown].max(), _CUT * max(float(np.median(high[shown])), 0.0)))
    edge = edge if edge > 0 else float(high[shown].max())
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.55, 0.45], horizontal_spacing=0.06
    )
    ys = list(range(len(shown)))
    figure.add_trace(
        go.Bar(
            orientation="h", x=np.minimum(high[shown], edge), y=ys, width=0.3,
            marker={"color": fills}, customdata=list(zip(high[shown], hover, strict=True)),
            hovertemplate="%{customdata[1]}<extra></extra>", hoverlabel={"align": "left"},
            meta={"role": "regret", "policies": [table.policies[k].name for k in shown]},
        ), row=1, col=1,
    )  # fmt: skip
    wins = table.wins[shown]
    figure.add_trace(
        go.Scatter(
            x=wins, y=ys, mode="markers", customdata=hover, cliponaxis=False,
            marker={"size": 9, "color": fills, "line": {"color": colors.paper, "width": 1}},
            error_x={"type": "data", "symmetric": False, "color": colors.muted, "thickness": 1.25,
                     "array": table.wins_high[shown] - wins,
                     "arrayminus": wins - table.wins_low[shown], "width": 0},
            hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
            meta={"role": "wins"},
        ), row=1, col=2,
    )  # fmt: skip
    for y, k in enumerate(shown):
        far = high[k] > edge * (1 + 1e-9)
        text = f"{rounded(float(high[k]))}{' »' if far else ''}"
        _beside(figure, 1, min(float(high[k]), edge), y, text, chosen[y], colors)
        right = float(table.wins_high[k])
        _beside(figure, 2, right, y, _share(float(table.wins[k])), chosen[y], colors)
    for column, text in ((1, said["regret"].format(part=part)), (2, said["wins"])):
        head(figure, column, text, colors)
        zeros(figure, len(shown), column, colors)
    named = [table.policies[k].label[korean] for k in shown]
    names(figure, [one[:1].upper() + one[1:] for one in named], colors, strong=chosen)
    figure.update_xaxes(range=[0, (edge or 1.0) / (1 - _NUMBER)], row=1, col=1)
    most = max(float(table.wins_high[shown].max()), 0.05)
    figure.update_xaxes(range=[0, most / (1 - _NUMBER)], row=1, col=2)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(
        range=[len(shown) - 0.5, -0.75], visible=False, showgrid=False, zeroline=False
    )
    entries = [("■", colors.run, said["chosen"]), ("■", colors.baseline, said["other"])]
    if high[shown].max() > edge * (1 + 1e-9):
        entries.append(("", colors.ink, said["cut"]))
    tall = key(figure, entries, down=GRID, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(shown) * _ROW + GRID, foot=GRID + tall,
        above=3 * GRID, dark=dark,
    )  # fmt: skip


def box(table: RobustChoice, *, language: str = "en", dark: bool = False) -> go.Figure:
    """The box of draws in which the examined policy fails: limited parameters within their ranges.

    The hairline is the range that was drawn, the thick part where the failures gather; parameters
    without a limit are left out. Where there is no box the figure says why.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    found, trial = table.box, table.trial
    policy = table.policy(table.examined).label[korean]
    title = said["box"].format(policy=policy)
    unit = f" {table.unit}" if table.unit and table.unit != "1" else ""
    how = said["worse"]
    if table.target is not None:
        how = said["missed"].format(target=f"{rounded(table.target)}{unit}")
    failing = found.cases / found.points if found.points else math.nan
    bare = receipt(
        table.stamp, language, _drawn(table, said), how,
        said["left"].format(n=table.failures.failed) if table.failures.failed else "",
        outcome=_outcome(table, korean),
    )  # fmt: skip
    many = f"{found.points:,}"
    if table.target is None and table.examined == table.policies[0].name:
        return blank(title, bare, said["self"], dark)
    if not found.cases:
        return blank(title, bare, said["never"].format(policy=policy, n=many), dark)
    if not found.restricted:
        why = said["no box"].format(policy=policy, part=_share(failing))
        if trial is not None and not trial.confirms:
            why = f"{why} {said['unborne']}"
        return blank(title, bare, why, dark)
    again = ""
    if trial is not None:
        again = said["again"].format(
            n=f"{trial.draws:,}", pure=_share(trial.density), low=_share(trial.low),
            high=_share(trial.high),
        )  # fmt: skip
    subtitle = receipt(
        table.stamp, language, _drawn(table, said),
        f"{how} {said['how often'].format(part=_share(failing), n=many)}"
        if not korean else f"{how} ({said['how often'].format(part=_share(failing), n=many)})",
        said["caught"].format(part=_share(found.coverage), pure=_share(found.density)), again,
        outcome=_outcome(table, korean),
    )  # fmt: skip
    figure = go.Figure()
    ends, labels, asides = [], [], []
    for y, name in enumerate(found.restricted):
        k, place = table.names.index(name), found.names.index(name)
        drawn = table.rows[:, k]
        low, high = float(np.nanmin(drawn)), float(np.nanmax(drawn))
        span = (high - low) or 1.0
        limits = found.low[place], found.high[place]
        inner = [float(np.clip((x - low) / span, 0.0, 1.0)) for x in limits]
        figure.add_trace(
            go.Scatter(
                x=inner, y=[y, y], mode="lines", line={"color": colors.bad, "width": 8},
                text=_box_hover(table, name, said, korean), hoverinfo="text", cliponaxis=False,
                hoverlabel={"align": "left"},
                meta={"role": "box", "parameter": name, "low": float(limits[0]),
                      "high": float(limits[1])},
            )
        )  # fmt: skip
        ends.append((low, high))
        labels.append(table.labels[k][korean])
        asides.append(_limits(limits, high - low, table.units[k], table.stamp.time_unit, colors))
    hairlines(figure, ends, colors)
    reach = _LEFT - 2 * GRID
    names(figure, labels, colors, beside=asides, left=reach, right=reach)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[len(ends) - 0.5, -0.75])
    entries = [("■", colors.bad, said["inside"]), ("—", colors.baseline, said["usual"])]
    tall = key(figure, entries, down=GRID, left=_LEFT, dark=dark, inline=True)
    return headed(
        figure, title, subtitle, body=len(ends) * _BOX_ROW + GRID, foot=2 * GRID + tall, left=_LEFT,
        right=_LEFT, dark=dark,
    )  # fmt: skip


def _outcome(table: RobustChoice, korean: bool) -> str:
    unit = f" [{table.unit}]" if table.unit and table.unit != "1" else ""
    return f"{table.title[korean]}{unit}"


def _drawn(table: RobustChoice, said: dict[str, str]) -> str:
    return said["draws"].format(n=f"{len(table.rows):,}", k=len(table.names))


def _share(part: float) -> str:
    """A part in whole percent, and neither 0 nor 100 where it is not quite."""
    if not math.isfinite(part):
        return "–"
    if 0 < part < 0.01:
        return "<1 %"
    return "99 %" if 0.99 <= part < 1 else f"{100 * part:.0f} %"


def _beside(
    figure: go.Figure, column: int, x: float, y: int, text: str, strong: bool, colors: Palette
) -> None:
    shown = escape(text)
    figure.add_annotation(
        text=f"<b>{shown}</b>" if strong else shown, x=x, y=y, row=1, col=column, xanchor="left",
        xshift=4, showarrow=False, name="regret" if column == 1 else "wins",
        font={"size": TEXT_SMALL, "color": colors.ink if strong else colors.muted},
    )  # fmt: skip


def _hover(
    table: RobustChoice, k: int, said: dict[str, str], part: str, unit: str, korean: bool
) -> str:
    judged, shown = table.regret, escape(unit)
    wins, low, high = (
        escape(_share(float(one[k]))) for one in (table.wins, table.wins_low, table.wins_high)
    )
    lines = [
        f"<b>{folded(table.policies[k].label[korean], 40)}</b>",
        f"{said['regret'].format(part=part)}: {rounded(float(judged.high_regret[k]))}{shown}",
        f"{said['worst']}: {rounded(float(judged.worst_regret[k]))}{shown}",
        f"{said['wins']}: {wins} ({low} … {high})",
        f"{said['mean']}: {rounded(float(judged.mean[k]))}{shown}",
    ]
    if np.isfinite(table.better_than[k]):
        lines.append(f"{said['better']}: {escape(_share(float(table.better_than[k])))}")
    return "<br>".join(lines)


def _limits(
    limits: tuple[float, float], span: float, unit: str, time_unit: str, colors: Palette
) -> str:
    """The limits that a box sets: ``≤ 0.47``, ``≥ 0.2``, or both ends."""
    low, high = limits
    if not math.isfinite(low):
        text = f"≤ {number(high, span)}"
    elif not math.isfinite(high):
        text = f"≥ {number(low, span)}"
    else:
        text = f"{number(low, span)} … {number(high, span)}"
    # a moment such as 2011.4 has no unit
    dated = unit == time_unit and max(abs(x) for x in limits if math.isfinite(x)) > 10 * span
    said = "" if dated or unit == "1" else f" {escape(unit)}"
    return f"<b style='color:{colors.ink}'>{text}</b>{said}"


def _box_hover(table: RobustChoice, name: str, said: dict[str, str], korean: bool) -> str:
    k, place = table.names.index(name), table.box.names.index(name)
    span = float(np.ptp(table.rows[:, k]))
    low, high = (float(end[place]) for end in (table.box.low, table.box.high))
    ends = [number(x, span) if math.isfinite(x) else "…" for x in (low, high)]
    doubt = rounded(float(table.box.quasi_p[place]), 2)
    return "<br>".join(
        [
            f"<b>{folded(table.labels[k][korean], 40)}</b>",
            f"{said['inside']}: {ends[0]} – {ends[1]} {escape(table.units[k])}",
            f"{said['doubt']}: {doubt}",
        ]
    )
