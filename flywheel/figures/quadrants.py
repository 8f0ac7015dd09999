"""Levers by size and by how likely they are misjudged: obvious, misunderstood, seductive, minor."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import plotly.graph_objects as go

from flywheel.analysis.levers.judging import LARGE, MISJUDGED, MISUNDERSTOOD, SEDUCTIVE
from flywheel.analysis.levers.misunderstood import Misunderstood
from flywheel.analysis.levers.words import duration
from flywheel.figures.caption import blank, folded, headed, key, receipt
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.placing import offsets
from flywheel.figures.theme import GRID, TEXT_BODY, TEXT_SMALL, palette

_WORDS = {
    "en": {
        "title": "Levers that will be misjudged",
        "method": "observers look at most {observed} ahead, noise {noise} a year",
        "feedback": "and reason without feedback",
        "lost": "{n} without a value left out", "none": "No lever has a value to be judged by.",
        "x": "chance of a wrong verdict", "y": "size of the effect (Q)",
        "obvious": "obvious", "misunderstood": "misunderstood", "seductive": "seductive",
        "minor": "minor", "both": "misunderstood ▲ seductive ▼",
        "good": "raises the outcome in the end", "bad": "lowers it",
        "worth": "worth in the end", "early": "seen after {observed}",
        "open": "expected without feedback",
        "patience": "pays back after {time}", "never": "does not pay back",
        "unplaced": "unnamed for want of room: hover",
    },
    "ko": {
        "title": "잘못 판단될 레버",
        "method": "관찰자는 {observed} 앞까지만 보며 잡음은 연 {noise}",
        "feedback": "되먹임 없이 생각함",
        "lost": "값이 없는 {n}개 제외", "none": "판단할 값이 있는 레버가 없습니다.",
        "x": "잘못 판단할 확률", "y": "효과의 크기 (Q)",
        "obvious": "뻔함", "misunderstood": "오해받음", "seductive": "유혹적임",
        "minor": "사소함", "both": "오해받음 ▲ 유혹적임 ▼",
        "good": "결국 결과를 키움", "bad": "결국 줄임",
        "worth": "끝에서의 가치", "early": "{observed} 뒤에 보이는 것", "open": "되먹임이 없다고 볼 때",
        "patience": "{time} 뒤 회수", "never": "회수되지 않음",
        "unplaced": "이름 없는 점은 마우스를 올려 볼 것",
    },
}  # fmt: skip
_BODY, _LEFT, _RIGHT = 54 * GRID, 6 * GRID, 2 * GRID
_NARROW, _MIDDLE, _WIDE = 390 - _LEFT - _RIGHT, 640.0, 1000.0 - _LEFT - _RIGHT
_LOW, _HIGH = -0.04, 1.04
_ROOM = 19
_POINTER = 14
"""Distance in px from which a line leads from a label to its point."""


def quadrants(table: Misunderstood, *, language: str = "en", dark: bool = False) -> go.Figure:
    """A point a lever: how likely it is misjudged across, how large it is upwards.

    Triangles upwards and green raise the outcome in the end, downwards and orange lower it. Every point
    has its name, placed so that none overlaps on a phone or on a page; with too many levers the last
    ones by size of the index go without and say so.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    korean, colors = language == "ko", palette(dark)
    v = table.verdicts
    known = np.isfinite(v.mui) & np.isfinite(v.size) & np.isfinite(table.worth)
    order = [int(k) for k in np.argsort(-np.abs(np.nan_to_num(v.mli)), kind="stable") if known[k]]
    observed = duration(table.observed, table.stamp.time_unit, language)
    lost = int((~known).sum())
    method = said["method"].format(observed=observed, noise=percent(table.noise, signed=False))
    points = [(_part(float(v.mui[k])), 1 - _part(float(v.size[k]))) for k in order]
    names = [table.levers[k].text(language)[0] for k in order]
    corners = [
        (0.0, 0.025, said["obvious"]), (1.0, 0.025, said["both"]), (0.0, 0.975, said["minor"]),
    ]  # fmt: skip
    places = offsets(
        points, names, widths=(_NARROW, _MIDDLE, _WIDE), height=_BODY, taken=corners, room=_ROOM
    )
    subtitle = receipt(
        table.stamp, language, method,
        said["feedback"] if np.isfinite(table.open_worth).any() else "",
        said["lost"].format(n=lost) if lost else "",
        said["unplaced"] if None in places else "", outcome=table.label[korean],
    )  # fmt: skip
    if not order:
        return blank(said["title"], subtitle, said["none"], dark)
    figure = go.Figure()
    up = [k for k in order if table.worth[k] >= 0]
    down = [k for k in order if table.worth[k] < 0]
    for role, rows, color in (("raises", up, colors.good), ("lowers", down, colors.bad)):
        figure.add_trace(
            go.Scatter(
                x=v.mui[rows], y=v.size[rows], mode="markers", cliponaxis=False,
                marker={"symbol": "triangle-up" if role == "raises" else "triangle-down",
                        "size": 12, "color": color, "line": {"color": colors.paper, "width": 1}},
                customdata=[_hover(table, k, said, observed, language) for k in rows],
                hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
                meta={"role": role, "levers": [table.levers[k].name for k in rows]},
            )
        )  # fmt: skip
    for k, name, place in zip(order, names, places, strict=True):
        if place is None:
            continue
        strong = v.quadrant[k] in (MISUNDERSTOOD, SEDUCTIVE)
        text = folded(name, _ROOM, 2)
        figure.add_annotation(
            text=f"<b>{text}</b>" if strong else text, x=float(v.mui[k]), y=float(v.size[k]),
            showarrow=True, arrowhead=0, xanchor="center", yanchor="middle", ax=place.x, ay=place.y,
            arrowcolor=colors.baseline if place.gap > _POINTER else "rgba(0,0,0,0)",
            arrowwidth=0.75, standoff=6, name="lever",
            font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
    for shape in ({"x0": MISJUDGED, "x1": MISJUDGED, "y0": LARGE, "y1": _HIGH},
                  {"x0": _LOW, "x1": _HIGH, "y0": LARGE, "y1": LARGE}):  # fmt: skip
        figure.add_shape(
            type="line", line={"color": colors.baseline, "width": 1, "dash": "dot"}, layer="below",
            **shape,
        )  # fmt: skip
    for x, y, text in corners:
        figure.add_annotation(
            text=text, x=x, y=1 - y, xref="paper", yref="paper", showarrow=False, name="quadrant",
            xanchor="left" if x < 0.5 else "right", yanchor="middle",
            font={"size": TEXT_BODY if len(text) < 20 else TEXT_SMALL, "color": colors.muted},
        )  # fmt: skip
    ticks = {"tickvals": [0, 0.25, 0.5, 0.75, 1], "showgrid": False, "range": [_LOW, _HIGH]}
    figure.update_xaxes(
        ticktext=["0", "", "50 %", "", "100 %"],
        title={"text": said["x"], "standoff": GRID},
        **ticks,
    )
    figure.update_yaxes(
        ticktext=["0", "", "0.5", "", "1"], title={"text": said["y"], "standoff": GRID},
        zeroline=False, **ticks,
    )  # fmt: skip
    tall = key(
        figure, [("▲", colors.good, said["good"]), ("▼", colors.bad, said["bad"])],
        down=6 * GRID, left=_LEFT, dark=dark, inline=True,
    )  # fmt: skip
    return headed(
        figure, said["title"], subtitle, body=_BODY, foot=6 * GRID + tall, left=_LEFT, right=_RIGHT,
        dark=dark,
    )  # fmt: skip


def _part(value: float) -> float:
    """Where a value lies on an axis, from 0 to 1."""
    return (value - _LOW) / (_HIGH - _LOW)


def _hover(table: Misunderstood, k: int, said: dict[str, str], observed: str, language: str) -> str:
    v = table.verdicts
    unit = f" {escape(table.unit)}" if table.unit else ""

    def amount(value: float) -> str:
        return f"{rounded(float(value))}{unit}" if math.isfinite(value) else "–"

    time = float(table.patience[k])
    parts = [
        f"<b>{folded(table.levers[k].text(language)[0], 40)}</b>: {said[v.quadrant[k]]}",
        f"{said['worth']}: {amount(table.worth[k])}",
        f"{said['early'].format(observed=observed)}: {amount(table.early[k])}",
    ]
    if math.isfinite(table.open_worth[k]):
        parts.append(f"{said['open']}: {amount(table.open_worth[k])}")
    parts.append(f"{said['x']}: {percent(float(v.mui[k]), signed=False)}")
    if math.isfinite(time):
        spoken = duration(time, table.stamp.time_unit, language)
        parts.append(said["patience"].format(time=spoken))
    else:
        parts.append(said["never"])
    return "<br>".join(parts)
