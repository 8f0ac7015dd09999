"""How sure a ranking of levers is: first places, effects and signs over many draws of the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from flywheel.analysis.levers.misunderstood import RobustlyMisunderstood
from flywheel.analysis.levers.robust import RobustRanking
from flywheel.analysis.levers.words import duration
from flywheel.figures.caption import blank, folded, headed, key, receipt, rest
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.rows import Scale, bands, head, names, scale_of, zeros
from flywheel.figures.shades import mix
from flywheel.figures.theme import GRID, TEXT_SMALL, palette

Array = NDArray[np.float64]

_WORDS = {
    "en": {
        "title": "How sure the best lever is",
        "draws": "{n} draws of {k} numbers within their ranges",
        "lost": "{n} draws without a value left out of the ranks",
        "gone": "{n} levers without a value left out",
        "none": "No draw gave any lever a value.",
        "first": "comes first", "effect": "effect: median, 90 %", "positive": "above<br>0",
        "bent": "effects on a scale that is linear to ±{core}, logarithmic beyond",
        "up": "raises it in ≥ 90 % of the draws", "down": "lowers it in ≥ 90 %",
        "open": "sign open, or no effect",
        "rank": "place: median, 90 %", "failed": "draws without a value",
        "misunderstood": "How sure the misjudged levers are",
        "good": "index<br>above 0", "mli": "index MLI: median, 90 %",
        "pay": "{unit} to<br>pay back", "time": "time",
        "method": "observers look at most {observed} ahead, noise {noise} a year",
        "never": "never", "patience": "pays back after (median)",
        "depth": "depth that 1 draw in 10 exceeds, of the usual level",
        "up_mli": "good in ≥ 90 %; larger: more misjudged",
        "down_mli": "bad in ≥ 90 %; lower: more misjudged", "open_mli": "open, or no effect",
    },
    "ko": {
        "title": "가장 좋은 레버는 얼마나 확실한가",
        "draws": "수 {k}개를 범위 안에서 {n}번 뽑음",
        "lost": "값이 없는 {n}번은 순위에서 제외",
        "gone": "값이 없는 레버 {n}개 제외",
        "none": "어느 표본에서도 레버의 값을 얻지 못했습니다.",
        "first": "1위일 확률", "effect": "효과: 중앙값, 90 %", "positive": "0보다<br>클 확률",
        "bent": "효과의 눈금은 ±{core}까지 선형, 그 밖은 로그",
        "up": "표본의 90 % 이상에서 결과를 키움", "down": "90 % 이상에서 줄임",
        "open": "부호가 불확실하거나 효과 없음",
        "rank": "순위: 중앙값, 90 %", "failed": "값이 없는 표본",
        "misunderstood": "오해받는 레버는 얼마나 확실한가",
        "good": "0보다<br>클 확률", "mli": "지수 MLI: 중앙값, 90 %",
        "pay": "회수<br>기간 ({unit})", "time": "시간",
        "method": "관찰자는 {observed} 앞까지만 보며 잡음은 연 {noise}",
        "never": "없음", "patience": "회수 기간 (중앙값)",
        "depth": "열에 한 번 넘는 깊이 (평소 수준 대비)",
        "up_mli": "90 % 이상에서 좋음; 클수록 더 오해받음",
        "down_mli": "90 % 이상에서 나쁨; 작을수록 더 오해받음", "open_mli": "불확실하거나 효과 없음",
    },
}  # fmt: skip
_ROW, _RIGHT = 6 * GRID, 9 * GRID
_NUMBER = 0.46
"""Part of the panel of chances that the number beside the longest bar takes on a phone."""


@dataclass(frozen=True)
class _Row:
    """One lever: a chance, a band, the number at the right, and everything else on hover."""

    name: str
    chance: float
    band: Array
    beside: str
    last: str
    hover: str


def robust(
    table: RobustRanking,
    *,
    horizon: int = -1,
    top: int = 12,
    unit: str = "",
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A row a lever: how often it is the best, what it does, and how often that is above 0.

    The dot is the median of the effect over the draws, the bar its 90 % band, both written out beside
    the name. Where bands differ by orders of magnitude their scale is logarithmic beyond a core, and
    the subtitle says so. Blue levers raise the outcome in 90 % of the draws, orange ones lower it.
    ``horizon`` is the place among the table's; ``unit`` that of the outcome.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    one = table.spreads[horizon]
    known = np.asarray(np.isfinite(one.effects).all(axis=1))
    middle = np.abs(np.nan_to_num(one.effects[:, 1]))
    order = [int(k) for k in np.lexsort((-middle, -np.nan_to_num(one.first))) if known[k]]
    shown = order[:top]
    scale = scale_of(one.effects[shown][:, [0, 2]].ravel(), one.effects[shown, 1])
    lost, gone = table.draws - one.ranked, int((~known).sum())
    outcome = table.label[language == "ko"]
    subtitle = receipt(
        table.stamp, language, said["draws"].format(n=f"{table.draws:,}", k=len(table.names)),
        said["bent"].format(core=f"{rounded(scale.core)} {unit}".strip()) if scale.bent else "",
        said["lost"].format(n=lost) if lost else "", said["gone"].format(n=gone) if gone else "",
        rest(len(order) - len(shown), language),
        outcome=f"{outcome} [{unit}]" if unit else outcome,
        horizons=[table.stamp.horizons[horizon]],
    )  # fmt: skip
    rows = []
    for k in shown:
        name = table.levers[k].text(language)[0]
        band, places = one.effects[k], [rounded(float(r)) for r in one.ranks[k]]
        lines = [
            f"<b>{folded(name, 40)}</b>",
            f"{said['first']}: {percent(float(one.first[k]), signed=False)}",
            f"{said['effect']}: {_spread(band)} {escape(unit)}".rstrip(),
            f"{said['positive'].replace('<br>', ' ')}: {percent(float(one.positive[k]), False)}",
            f"{said['rank']}: {places[1]} ({places[0]} … {places[2]})",
            f"{said['failed']}: {one.failed[k]}" if one.failed[k] else "",
        ]
        rows.append(
            _Row(
                name, float(one.first[k]), band, _spread(band),
                _chance(float(one.positive[k])) if np.any(band) else "–",
                "<br>".join(filter(None, lines)),
            )
        )  # fmt: skip
    heads = (said["first"], said["effect"], said["positive"])
    keys = (said["up"], said["down"], said["open"])
    surely = _signs(one.positive[shown], one.effects[shown])
    return _drawn(said["title"], subtitle, rows, surely, scale, heads, keys, said["none"], dark)


def misunderstood(
    table: RobustlyMisunderstood, *, top: int = 12, language: str = "en", dark: bool = False
) -> go.Figure:
    """A row a lever: how often it is good and misjudged, its index with a band, and its pay-back.

    The index runs from -1 (bad and taken for good) to 1 (good and taken for bad); 0 is a lever that
    is small or judged rightly. Pay-back is the median over the draws.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    known = np.asarray(np.isfinite(table.mli).all(axis=1) & np.isfinite(table.good))
    middle = np.nan_to_num(table.mli[:, 1])
    order = [int(k) for k in np.lexsort((-middle, -np.nan_to_num(table.good))) if known[k]]
    shown = order[:top]
    settings, unit = table.stamp.settings, table.stamp.time_unit
    gone = int((~known).sum())
    subtitle = receipt(
        table.stamp, language,
        said["draws"].format(n=f"{table.draws:,}", k=settings["varied"]),
        said["method"].format(
            observed=duration(float(str(settings["observed"])), unit, language),
            noise=percent(float(str(settings["noise"])), signed=False),
        ),
        said["gone"].format(n=gone) if gone else "", rest(len(order) - len(shown), language),
        outcome=table.label[language == "ko"], horizons=table.stamp.horizons[-1:],
    )  # fmt: skip
    rows = []
    for k in shown:
        name, wait = table.levers[k].text(language)[0], float(table.patience[k])
        lasting = math.isfinite(wait)
        pay = duration(wait, unit, language) if lasting else said["never"]
        last = rounded(wait, 2) if lasting else said["never"]
        lines = [
            f"<b>{folded(name, 40)}</b>",
            f"{said['good'].replace('<br>', ' ')}: {percent(float(table.good[k]), signed=False)}",
            f"{said['mli']}: {_spread(table.mli[k])}",
            f"{said['patience']}: {pay}",
            f"{said['depth']}: {percent(float(table.depth[k]), signed=False)}",
            f"{said['failed']}: {table.failed[k]}" if table.failed[k] else "",
        ]
        rows.append(
            _Row(name, float(table.good[k]), table.mli[k], _spread(table.mli[k], 2), last,
                 "<br>".join(filter(None, lines)))
        )  # fmt: skip
    spoken = duration(2.0, unit, language).removeprefix("2").strip() or said["time"]
    heads = (said["good"], said["mli"], said["pay"].format(unit=escape(spoken)))
    keys = (said["up_mli"], said["down_mli"], said["open_mli"])
    surely = _signs(table.good[shown], table.mli[shown])
    title = said["misunderstood"]
    return _drawn(title, subtitle, rows, surely, Scale(), heads, keys, said["none"], dark)


def _signs(above: Array, quantiles: Array) -> list[int]:
    """1 where at least nine in ten draws are above 0, -1 where as many are below, else 0.

    Draws that are exactly 0 are neither: the band, not the chance, tells whether many are below.
    """
    return [
        1 if p >= 0.9 else -1 if p <= 0.1 and band[1] < 0 and band[2] <= 0 else 0
        for p, band in zip(above, quantiles, strict=True)
    ]


def _spread(band: Array, digits: int = 3) -> str:
    low, middle, high = (rounded(float(x), digits) for x in band)
    return f"{middle} ({low} … {high})"


def _chance(part: float) -> str:
    """A chance in whole percent, and neither 0 nor 100 where it is not quite."""
    if 0 < part < 0.01:
        return "<1 %".replace("<", "&lt;")
    return "99 %" if 0.99 <= part < 1 else f"{100 * part:.0f} %"


def _drawn(
    title: str,
    subtitle: str,
    rows: Sequence[_Row],
    surely: Sequence[int],
    scale: Scale,
    heads: tuple[str, str, str],
    keys: tuple[str, str, str],
    nothing: str,
    dark: bool,
) -> go.Figure:
    """Chances as bars, bands with their medians beside them, one number more at the right."""
    colors = palette(dark)
    if not rows:
        return blank(title, subtitle, nothing, dark)
    tints = {1: colors.run, -1: colors.bad, 0: colors.muted}
    fills = [tints[sign] for sign in surely]
    hover = [row.hover for row in rows]
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.3, 0.7], horizontal_spacing=0.05
    )
    chances = [row.chance if math.isfinite(row.chance) else 0.0 for row in rows]
    figure.add_trace(
        go.Bar(
            orientation="h", x=chances, y=list(range(len(rows))), width=0.3, customdata=hover,
            marker={"color": fills}, hovertemplate="%{customdata}<extra></extra>",
            hoverlabel={"align": "left"}, meta={"role": "chance"},
        ), row=1, col=1,
    )  # fmt: skip
    quantiles = np.array([row.band for row in rows])
    pale = [mix(fill, colors.paper, 0.6) for fill in fills]
    bands(figure, 2, scale, quantiles, fills, pale, hover, colors)
    for y, row in enumerate(rows):
        for text, at in (
            (_chance(row.chance) if math.isfinite(row.chance) else "–", 1),
            (row.last, 2),
        ):
            figure.add_annotation(
                text=text, x=chances[y] if at == 1 else 1, y=y, xanchor="left", showarrow=False,
                xref="x" if at == 1 else "paper", yref="y", xshift=3 if at == 1 else 8,
                name="chance" if at == 1 else "last",
                font={"size": TEXT_SMALL, "color": colors.ink},
            )  # fmt: skip
    for column in (1, 2):
        zeros(figure, len(rows), column, colors)
        head(figure, column, heads[column - 1], colors)
    figure.add_annotation(
        text=heads[2], x=1, y=1, xref="paper", yref="paper", xshift=8, yshift=GRID // 2,
        xanchor="left", yanchor="bottom", align="left", showarrow=False, name="head",
        font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip
    names(
        figure, [row.name for row in rows], colors, beside=[row.beside for row in rows],
        right=_RIGHT - 2 * GRID,
    )  # fmt: skip
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.75], visible=False, showgrid=False, zeroline=False
    )
    most = max(*chances, 0.05)
    figure.update_xaxes(visible=False, range=[0, most / (1 - _NUMBER)], row=1, col=1)
    _axis(figure, scale, quantiles)
    figure.update_xaxes(automargin=False)
    entries = [
        ("●", tints[sign], text) for sign, text in zip((1, -1, 0), keys, strict=True)
        if sign in surely
    ]  # fmt: skip
    tall = key(figure, entries, down=5 * GRID, dark=dark, inline=True)
    return headed(
        figure, title, subtitle, body=len(rows) * _ROW + GRID, foot=5 * GRID + tall, right=_RIGHT,
        above=5 * GRID, dark=dark,
    )  # fmt: skip


def _axis(figure: go.Figure, scale: Scale, quantiles: Array) -> None:
    low, high = min(float(quantiles.min()), 0.0), max(float(quantiles.max()), 0.0)
    if low == high:
        low, high = -1.0, 1.0
    ends = scale.place([low, high])
    room = 0.04 * float(ends[1] - ends[0])
    figure.update_xaxes(range=[ends[0] - room, ends[1] + room], nticks=5, row=1, col=2)
    if scale.bent:
        at, texts = scale.ticks(low, high)
        figure.update_xaxes(tickvals=at, ticktext=texts, row=1, col=2)
