"""Worse before better: the difference that one lever makes, and what it has added up to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from flywheel.analysis.levers.dip import Dip
from flywheel.analysis.levers.paths import Path, path
from flywheel.analysis.levers.swing import BETTER_FIRST, THRESHOLD
from flywheel.analysis.levers.words import duration, summed
from flywheel.figures.caption import blank, folded, headed, outcome_name, receipt
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.theme import GRID, RUN_WIDTH, TEXT_SMALL, Palette, palette
from flywheel.model import Model

_WORDS = {
    "en": {
        "worse before better": "worse before better", "better before worse": "better before worse",
        "better": "better throughout", "worse": "worse throughout",
        "mixed": "changes sides more than once", "no effect": "hardly any effect",
        "failed": "the run with the lever failed",
        "method": "with the lever less without, pulled {when}",
        "none": "The run with the lever has no values, so there is no difference to show.",
        "difference": "difference in {what}", "sum": "added up",
        "discounted": "added up, discounted {rate}", "turned": "turned: up is better",
        "trough": "{size} of its usual level after {time}",
        "flow": "ahead from {when}", "flow_over": "behind from {when}",
        "pay": "paid back {when}", "pay_over": "gain used up {when}",
        "debt": "owed at most {size}", "peak": "gained at most {size}",
        "never": "not ahead by the end", "never_pays": "not paid back by the end",
        "before": "not pulled yet", "after": "after the pull",
    },
    "ko": {
        "worse before better": "먼저 나빠졌다가 좋아짐",
        "better before worse": "먼저 좋아졌다가 나빠짐",
        "better": "내내 좋아짐", "worse": "내내 나빠짐", "mixed": "좋고 나쁨이 여러 번 바뀜",
        "no effect": "효과가 거의 없음", "failed": "레버를 당긴 실행이 실패함",
        "method": "레버를 당긴 값에서 당기지 않은 값을 뺌 ({when}에 당김)",
        "none": "레버를 당긴 실행에 값이 없어 차이를 보일 수 없습니다.",
        "difference": "{what}의 차이", "sum": "누적", "discounted": "누적 (할인율 {rate})",
        "turned": "뒤집어 그림: 위가 좋음",
        "trough": "{time} 뒤 평소 수준의 {size}",
        "flow": "{when}부터 앞섬", "flow_over": "{when}부터 뒤처짐",
        "pay": "{when}에 회수", "pay_over": "{when}에 이득 소진",
        "debt": "최대 {size}까지 빚", "peak": "최대 {size}까지 이득",
        "never": "끝까지 앞서지 못함", "never_pays": "끝까지 회수되지 않음",
        "before": "당기기 전", "after": "당긴 뒤",
    },
}  # fmt: skip
_BODY = 50 * GRID
_LEFT = 7 * GRID
_ROOM = 0.28
"""Part of a panel's span that is kept free on either side for what is written there."""
_NOTHING = 0.005
"""Units of time of the usual level that are not worth calling a debt (as in the sentences)."""


@dataclass(frozen=True)
class _Panel:
    """One of the two panels: its row and the lines of a member in calendar time."""

    row: int
    times: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    unit: str

    @property
    def window(self) -> tuple[float, float]:
        """The range of its axis, with room for what is written at its edges."""
        low, high = min(float(self.values.min()), 0.0), max(float(self.values.max()), 0.0)
        room = _ROOM * ((high - low) or 1.0)
        return low - room, high + room


def dip(
    table: Dip, *, model: Model | None = None, language: str = "en", dark: bool = False
) -> go.Figure:
    """The difference a lever makes over time above, its running sum below.

    Marked are the trough with its depth, when the flow is ahead for good, the largest debt and the
    pay-back; of a quick fix their mirrors. What lies before the pull is shaded. Areas are green where
    the lever is ahead and orange where it is behind.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors = palette(dark)
    stamp = table.stamp
    title = table.lever.text(language)[0]
    what = table.watched.text(language)
    end = table.start + float(table.times[-1])
    mirrored = table.shape == BETTER_FIRST
    one = table.mirror if mirrored else table.swing
    open_ended = [] if mirrored or table.shape in ("no effect", "failed") else [
        "" if math.isfinite(one.t_flow[0]) else said["never"],
        "" if math.isfinite(one.t_pay[0]) else said["never_pays"],
    ]  # fmt: skip
    subtitle = receipt(
        stamp, language, said["method"].format(when=f"{table.start:g}"), said[table.shape],
        *open_ended, said["turned"] if table.better < 0 else "",
        outcome=what if stamp.outcome == table.watched.name
        else f"{what} ({outcome_name(stamp, model, language)})",
        horizons=[end - stamp.since],
    )  # fmt: skip
    if not np.isfinite(table.difference).all() or len(table.times) < 2:
        return blank(title, subtitle, said["none"], dark)
    line: Path = path(table.times, table.difference[None, :], math.log1p(table.discount))
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.13
    )
    nodes = table.start + line.times[0]
    money = summed(table.watched.unit, stamp.time_unit)
    top = _Panel(1, nodes, line.values[0], table.watched.unit)
    low = _Panel(2, nodes, line.worth[0], money)
    saves = table.start + table.times
    worth = line.worth_at(table.times)[0]
    for panel, ys in ((top, table.difference), (low, worth)):
        _areas(figure, panel, colors)
        _curve(figure, panel, saves, ys, table, colors, said["after"])
    rate = percent(table.discount, signed=False)
    _head(figure, 1, said["difference"].format(what=what), top.unit, colors)
    _head(
        figure,
        2,
        said["discounted"].format(rate=rate) if table.discount else said["sum"],
        money,
        colors,
    )
    window = [min(stamp.since, table.start), end]
    _marks(figure, table, top, low, said, language, window, colors)
    _before(figure, table, window, said["before"], colors)
    figure.update_xaxes(range=window, nticks=6)
    figure.update_xaxes(showticklabels=False, ticks="", showline=False, row=1, col=1)
    for panel in (top, low):
        figure.update_yaxes(range=panel.window, nticks=4, row=panel.row, col=1)
    return headed(
        figure, title, subtitle, body=_BODY, foot=4 * GRID, left=_LEFT, above=3 * GRID, dark=dark
    )


def _areas(figure: go.Figure, panel: _Panel, colors: Palette) -> None:
    """Ahead and behind, filled to the zero line; nodes at the crossings keep the edges true."""
    for role, values, color in (
        ("ahead", np.maximum(panel.values, 0.0), colors.good),
        ("behind", np.minimum(panel.values, 0.0), colors.bad),
    ):
        figure.add_trace(
            go.Scatter(
                x=panel.times, y=values, mode="lines", line={"width": 0}, fill="tozeroy",
                fillcolor=_thin(color), hoverinfo="skip", meta={"role": role, "row": panel.row},
            ), row=panel.row, col=1,
        )  # fmt: skip


def _thin(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.22)"


def _curve(
    figure: go.Figure,
    panel: _Panel,
    xs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ys: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    table: Dip,
    colors: Palette,
    after: str,
) -> None:
    figure.add_trace(
        go.Scatter(
            x=xs, y=ys, mode="lines", line={"color": colors.run, "width": RUN_WIDTH},
            customdata=table.times,
            hovertemplate=f"%{{x:.6~g}}: %{{y:+.3~g}} {escape(panel.unit)}"
                          f"<br>%{{customdata:.3~g}} {escape(table.stamp.time_unit)} {after}"
                          "<extra></extra>",
            meta={"role": "difference" if panel.row == 1 else "worth"},
        ), row=panel.row, col=1,
    )  # fmt: skip


def _head(figure: go.Figure, row: int, text: str, unit: str, colors: Palette) -> None:
    """What a panel shows and in which unit, over its axis."""
    shown = f"<b>{folded(text, 44, 1)}</b>"
    if unit:
        shown += f" <span style='color:{colors.muted}'>{escape(unit)}</span>"
    figure.add_annotation(
        text=shown, xref="paper", yref="y domain" if row == 1 else "y2 domain", x=0, y=1,
        xshift=2 * GRID - _LEFT, yshift=GRID // 2, xanchor="left", yanchor="bottom",
        showarrow=False, name="head", font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _before(figure: go.Figure, table: Dip, window: list[float], text: str, colors: Palette) -> None:
    """Shades what lies before the pull: nothing can differ there."""
    if table.start <= window[0]:
        return
    figure.add_vrect(
        x0=window[0], x1=table.start, fillcolor=colors.hairline, opacity=0.6, line_width=0,
        layer="below", name="before",
    )  # fmt: skip
    if table.start - window[0] > 0.16 * (window[1] - window[0]):
        figure.add_annotation(
            text=folded(text, 10, 2), x=(window[0] + table.start) / 2, y=0.5, yref="y2 domain",
            xref="x2", showarrow=False, name="before",
            font={"size": TEXT_SMALL, "color": colors.muted},
        )  # fmt: skip


def _marks(
    figure: go.Figure,
    table: Dip,
    top: _Panel,
    low: _Panel,
    said: dict[str, str],
    language: str,
    window: list[float],
    colors: Palette,
) -> None:
    """The trough, the turn of the flow, the debt and the pay-back, each named beside its point."""
    mirrored = table.shape == BETTER_FIRST
    one = table.mirror if mirrored else table.swing
    sign = -1.0 if mirrored else 1.0
    if not one.depth[0] >= THRESHOLD or table.shape == "no effect":
        return
    unit = table.stamp.time_unit
    size = percent(-sign * float(one.depth[0]))
    text = said["trough"].format(size=size, time=duration(float(one.trough[0]), unit, language))
    bottom = float((sign * top.values).min()) * sign
    _extreme(figure, top, table.start + float(one.trough[0]), bottom, text, sign, window, colors)
    over = "_over" if mirrored else ""
    if 0 < one.t_flow[0] < math.inf:
        when = table.start + float(one.t_flow[0])
        _crossing(figure, top, when, said[f"flow{over}"], sign, window, colors)
    if not one.debt[0] > _NOTHING:
        return
    k = int((sign * low.values).argmin())
    if 0 < k < len(low.values) - 1:
        amount = f"{rounded(abs(float(low.values[k])))} {low.unit}".strip()
        word = said["peak" if mirrored else "debt"].format(size=amount)
        _extreme(figure, low, float(low.times[k]), float(low.values[k]), word, sign, window, colors)
    if 0 < one.t_pay[0] < math.inf:
        when = table.start + float(one.t_pay[0])
        _crossing(figure, low, when, said[f"pay{over}"], sign, window, colors)


def _point(figure: go.Figure, panel: _Panel, x: float, y: float, colors: Palette) -> None:
    figure.add_trace(
        go.Scatter(
            x=[x], y=[y], mode="markers", hoverinfo="skip", meta={"role": "mark"},
            cliponaxis=False,
            marker={"size": 8, "color": colors.paper, "line": {"color": colors.ink, "width": 1.5}},
        ), row=panel.row, col=1,
    )  # fmt: skip


def _extreme(
    figure: go.Figure,
    panel: _Panel,
    x: float,
    y: float,
    text: str,
    sign: float,
    window: list[float],
    colors: Palette,
) -> None:
    """Names a lowest (``sign`` 1) or highest point, on its outer side."""
    part = (x - window[0]) / (window[1] - window[0])
    _point(figure, panel, x, y, colors)
    figure.add_annotation(
        text=folded(text, 24, 2), x=x, y=y, row=panel.row, col=1, showarrow=False, name="extreme",
        xanchor="left" if part < 0.35 else "right" if part > 0.65 else "center", align="left",
        yanchor="top" if sign > 0 else "bottom", yshift=-6 if sign > 0 else 6,
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip


def _crossing(
    figure: go.Figure,
    panel: _Panel,
    x: float,
    text: str,
    sign: float,
    window: list[float],
    colors: Palette,
) -> None:
    """Names a crossing of zero at the panel's edge, where no curve is, with a line to it.

    The top for a dip (``sign`` 1), the bottom for a quick fix, whose other words are at the top.
    """
    late = (x - window[0]) / (window[1] - window[0]) > 0.5
    when = f"{x:.1f}".removesuffix(".0") if abs(x) >= 1000 else rounded(x)
    edge = panel.window[1] if sign > 0 else panel.window[0]
    _point(figure, panel, x, 0.0, colors)
    figure.add_shape(
        type="line", x0=x, x1=x, y0=0, y1=edge, row=panel.row, col=1,
        line={"color": colors.muted, "width": 1, "dash": "dot"},
    )  # fmt: skip
    figure.add_annotation(
        text=escape(text.format(when=when)), x=x, y=edge, row=panel.row, col=1, showarrow=False,
        name="crossing", xanchor="right" if late else "left", xshift=-4 if late else 4,
        yanchor="top" if sign > 0 else "bottom",
        font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
