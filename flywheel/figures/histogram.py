"""How an outcome is spread over all runs of a sweep, and where the baseline lies in it."""

from __future__ import annotations

from html import escape
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.figures.caption import blank, headed, key
from flywheel.figures.numbers import percent, rounded
from flywheel.figures.shades import mix
from flywheel.figures.sweep_words import column, named, outcome_of, receipt, valueless, words
from flywheel.figures.theme import GRID, TEXT_SMALL, palette
from flywheel.solve.run import Run
from flywheel.sweep.result import Sweep

Array = NDArray[np.float64]
_WORDS = {
    "en": {
        "title": "{outcome}: what the runs gave", "runs": "runs in a bar",
        "above": "{above} of them lie above the baseline, {below} below",
        "beyond": "{n} beyond the ends of the axis", "mark": "baseline: {value}",
        "no mark": "the baseline has no value", "median": "median: {value}",
        "range": "middle 90 %: {low} to {high}",
    },
    "ko": {
        "title": "{outcome}: 실행들의 결과", "runs": "막대 안의 실행 수",
        "above": "기준보다 높은 실행 {above}, 낮은 실행 {below}",
        "beyond": "축 끝을 벗어난 실행 {n}회", "mark": "기준: {value}",
        "no mark": "기준에는 값이 없음", "median": "중앙값: {value}",
        "range": "가운데 90 %: {low} ~ {high}",
    },
}  # fmt: skip
_FEWEST, _MOST = 6, 40
"""Bars."""
_FAR = 6.0
"""Times the middle 98 % from which the whole range would leave one bar."""


def histogram(
    sweep: Sweep,
    outcome: str,
    baseline: Run | float | None = None,
    *,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Bars of how many runs gave which value of an outcome; a line where the baseline lies.

    ``baseline`` is a run, or the outcome's value in one. Few values far outside stay beyond the axis
    and are counted under the title, as are runs without a value.

    Raises UnknownNameError for an outcome that the sweep, or the baseline, does not have.
    """
    name = outcome_of(sweep, outcome)
    said, colors = _WORDS["ko" if language == "ko" else "en"], palette(dark)
    title = said["title"].format(outcome=named(sweep, name, language))
    values = column(sweep, name)
    values = values[np.isfinite(values)]
    mark = None
    if baseline is not None:
        mark = float(baseline.outcomes[name] if isinstance(baseline, Run) else baseline)
    low, high = _ends(values, mark) if values.size else (0.0, 0.0)
    beyond = int(((values < low) | (values > high)).sum())
    beside = ""
    if mark is not None and values.size:
        above, below = (percent(float(np.mean(side)), signed=False)
                        for side in (values > mark, values < mark))  # fmt: skip
        beside = said["above"].format(above=above, below=below)
        beside = beside if np.isfinite(mark) else said["no mark"]
    subtitle = receipt(
        sweep, language, valueless(sweep, name, language),
        said["beyond"].format(n=f"{beyond:,}") if beyond else "", beside,
    )  # fmt: skip
    if not values.size:
        return blank(title, subtitle, words(language)["empty"], dark)
    edges = _edges(values[(values >= low) & (values <= high)], low, high)
    counts, _ = np.histogram(values, edges)
    figure = go.Figure(
        go.Bar(
            x=(edges[1:] + edges[:-1]) / 2, y=counts, width=np.diff(edges) * 0.94,
            marker={"color": mix(colors.run, colors.paper, 0.35)}, meta={"role": "bars"},
            customdata=[f"{rounded(float(a))} … {rounded(float(b))}"
                        for a, b in pairwise(edges)],
            hovertemplate="%{customdata}: %{y:,}<extra></extra>",
        )
    )  # fmt: skip
    first, middle, last = (float(q) for q in np.quantile(values, [0.05, 0.5, 0.95]))
    marks = [(middle, colors.run, "median", "solid", 2.0)]
    entries = [
        ("┃", colors.run, said["median"].format(value=rounded(middle))),
        ("━", colors.run, said["range"].format(low=rounded(first), high=rounded(last))),
    ]
    if mark is not None and np.isfinite(mark):
        marks.append((mark, colors.ink, "baseline", "dash", 1.5))
        entries.append(("┇", colors.ink, said["mark"].format(value=rounded(mark))))
    for value, color, role, dash, width in marks:
        figure.add_shape(
            type="line", x0=value, x1=value, y0=0, y1=1, yref="y domain", name=role,
            line={"color": color, "width": width, "dash": dash},
        )  # fmt: skip
    figure.add_shape(
        type="line", x0=max(first, edges[0]), x1=min(last, edges[-1]), y0=0, y1=0,
        yref="y domain", name="range", line={"color": colors.run, "width": 4},
    )  # fmt: skip
    tall = key(figure, entries, down=7 * GRID, left=7 * GRID, dark=dark, inline=True)
    for text, x, y, shift, xanchor, yanchor in (
        (said["runs"], 0, 1, GRID // 2, "left", "bottom"),
        (named(sweep, name, language, unit=True), 1, 0, -3 * GRID, "right", "top"),
    ):
        figure.add_annotation(
            text=escape(text), x=x, y=y, xref="paper", yref="paper", yshift=shift,
            xshift=0 if x else -5 * GRID, xanchor=xanchor, yanchor=yanchor, showarrow=False,
            name="head", font={"size": TEXT_SMALL, "color": colors.muted},
        )  # fmt: skip
    figure.update_xaxes(range=[edges[0], edges[-1]], nticks=6)
    figure.update_yaxes(automargin=False)
    return headed(
        figure, title, subtitle, body=30 * GRID, foot=8 * GRID + tall, left=7 * GRID,
        above=3 * GRID, dark=dark,
    )  # fmt: skip


def _ends(values: Array, mark: float | None) -> tuple[float, float]:
    """Where the axis ends: at the extremes and the baseline, unless few runs lie far from all others."""
    low, high = float(values.min()), float(values.max())
    near, far = (float(q) for q in np.quantile(values, [0.01, 0.99]))
    span = far - near
    if span > 0 and high - low > _FAR * span:
        low, high = max(low, near - span), min(high, far + span)
    if mark is not None and np.isfinite(mark):
        low, high = min(low, mark), max(high, mark)
    return low, high


def _edges(values: Array, low: float, high: float) -> Array:
    """Bars of one width, as many as Freedman and Diaconis's rule has, within what can be read."""
    if low == high:
        room = 0.05 * abs(low) or 0.5
        return np.linspace(low - 3 * room, high + 3 * room, 8)
    first, last = (float(q) for q in np.quantile(values, [0.25, 0.75]))
    wide = 2 * (last - first) / len(values) ** (1 / 3)
    count = (high - low) / wide if wide > 0 else _MOST
    return np.linspace(low, high, int(np.clip(np.ceil(count), _FEWEST, _MOST)) + 1)
