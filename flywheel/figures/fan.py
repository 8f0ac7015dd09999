"""A fan chart: how a variable spreads over time in all runs of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.figures.caption import blank, headed
from flywheel.figures.shades import mix
from flywheel.figures.sweep_words import failed, named, receipt, variable_of, words
from flywheel.figures.theme import (
    BASELINE_WIDTH,
    GRID,
    RUN_WIDTH,
    TEXT_SMALL,
    Palette,
    palette,
)
from flywheel.solve.run import Run
from flywheel.sweep.result import QUANTILES, Sweep

Array = NDArray[np.float64]
_WORDS = {
    "en": {"title": "{name}: how it spreads", "part": "the middle {parts} of the runs shaded"},
    "ko": {"title": "{name}: 얼마나 갈리는가", "part": "가운데 {parts}의 실행을 칠함"},
}  # fmt: skip
BODY, RIGHT = 34 * GRID, 9 * GRID
"""Height of the plotting area and the room for labels beside it, in px."""
_APART = TEXT_SMALL + 2
"""Between the middles of two labels, in px."""


def fan(
    sweep: Sweep,
    variable: str,
    *,
    quantiles: Sequence[float] = QUANTILES,
    baseline: Run | None = None,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Quantiles of a saved variable over time, pairs of them as bands, each named at its end.

    ``quantiles`` are parts from 0 to 1: the first and the last make the outer band, the next two the
    one inside, one in the middle a line. ``baseline`` is a thin grey ghost. Runs that failed are in no
    quantile; the line under the title counts them.

    Raises UnknownNameError for a variable that was not saved, UsageError for a sweep without
    histograms and for no quantiles.
    """
    name = variable_of(sweep, variable)
    parts = sorted({float(q) for q in quantiles})
    if not parts:
        raise UsageError("a fan needs at least one quantile")
    said, colors = _WORDS["ko" if language == "ko" else "en"], palette(dark)
    common = words(language)
    shaded = [
        f"{100 * (b - a):.4g} %"
        for a, b in zip(parts, parts[::-1], strict=True)
        if b - a > 1e-9
    ][::-1]  # fmt: skip
    title = said["title"].format(name=named(sweep, name, language))
    band = said["part"].format(parts=", ".join(shaded)) if shaded else ""
    subtitle = receipt(sweep, language, band, failed(sweep, language))
    if sweep.failed >= len(sweep.frame):
        return blank(title, subtitle, common["empty"], dark)
    table = sweep.quantiles(name, parts)
    times, values = sweep.time, table.to_numpy(dtype=np.float64)
    figure = go.Figure()
    pairs = len(parts) // 2
    for k in range(pairs):
        fill = mix(colors.run, colors.paper, 0.84 - 0.5 * k / max(pairs, 2))
        for at, filled in ((k, False), (len(parts) - 1 - k, True)):
            figure.add_trace(
                go.Scatter(
                    x=times, y=values[:, at], mode="lines", name=_spoken(parts[at], common),
                    line={"width": 0, "color": fill}, fillcolor=fill if filled else None,
                    fill="tonexty" if filled else None, hovertemplate="%{y:.4~g}",
                    meta={"role": "band", "quantile": parts[at]},
                )
            )  # fmt: skip
    ends = [(float(values[-1, k]), _spoken(q, common), colors.muted) for k, q in enumerate(parts)]
    lines = [values.ravel()]
    if len(parts) % 2:
        figure.add_trace(
            go.Scatter(
                x=times, y=values[:, pairs], mode="lines", name=_spoken(parts[pairs], common),
                line={"width": RUN_WIDTH, "color": colors.run}, hovertemplate="%{y:.4~g}",
                meta={"role": "median", "quantile": parts[pairs]},
            )
        )  # fmt: skip
        ends[pairs] = (*ends[pairs][:2], colors.run)
    if baseline is not None:
        figure.add_trace(ghost(baseline, name, colors, common["baseline"]))
        own = np.asarray(baseline[name])[np.isfinite(baseline[name])]
        lines.append(own)
        if own.size:
            ends.append((float(own[-1]), common["baseline"], colors.muted))
    reach = reach_of(np.concatenate(lines))
    label_ends(figure, ends, reach)
    return over_time(figure, sweep, name, reach, title, subtitle, language, dark)


def _spoken(quantile: float, common: dict[str, str]) -> str:
    return common["median"] if quantile == 0.5 else f"{100 * quantile:.4g} %"


def ghost(baseline: Run, name: str, colors: Palette, label: str) -> go.Scatter:
    """The baseline's line: thin and grey. Raises UnknownNameError if it has no such variable."""
    return go.Scatter(
        x=baseline.time, y=baseline[name], mode="lines", name=label,
        line={"width": BASELINE_WIDTH, "color": colors.baseline}, hovertemplate="%{y:.4~g}",
        meta={"role": "baseline"},
    )  # fmt: skip


def reach_of(values: Array) -> tuple[float, float]:
    """The ends of the vertical axis: from zero, as every chart over time, and room above."""
    own = values[np.isfinite(values)]
    low, high = min(0.0, float(own.min())), max(0.0, float(own.max()))
    if low == high:
        return -1.0, 1.0
    room = 0.05 * (high - low)
    return low - room * (low < 0), high + room * (high > 0)


def label_ends(
    figure: go.Figure, ends: Iterable[tuple[float, str, str]], reach: tuple[float, float]
) -> None:
    """Names (value, text, colour) at the right end of lines, pushed apart where they would overlap."""
    scale = BODY / (reach[1] - reach[0])
    listed = sorted(ends)
    wanted = [scale * (value - reach[0]) for value, *_ in listed]
    for (_, text, color), y in zip(listed, _apart(wanted), strict=True):
        figure.add_annotation(
            text=escape(text), x=1, xref="paper", y=0, yref="paper", yshift=y, xshift=6,
            xanchor="left", yanchor="middle", showarrow=False, name="end",
            font={"size": TEXT_SMALL, "color": color},
        )  # fmt: skip


def _apart(wanted: Sequence[float]) -> list[float]:
    """Places in order, none nearer to the next than a line of text, near where they are wanted.

    Labels that touch form a block around the mean of what they want (pool adjacent violators).
    """
    blocks: list[list[float]] = []
    for n, place in enumerate(wanted):
        blocks.append([place - n * _APART])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    flat = [float(np.mean(block)) for block in blocks for _ in block]
    return [place + n * _APART for n, place in enumerate(flat)]


def over_time(
    figure: go.Figure,
    sweep: Sweep,
    name: str,
    reach: tuple[float, float],
    title: str,
    subtitle: str,
    language: str,
    dark: bool,
) -> go.Figure:
    """The frame of a chart of a sweep over time: the variable with its unit above the axis."""
    colors = palette(dark)
    headed(
        figure, title, subtitle, body=BODY, left=7 * GRID, right=RIGHT, above=3 * GRID, dark=dark
    )
    figure.add_annotation(
        text=escape(named(sweep, name, language, unit=True)), x=0, y=1, xref="paper", yref="paper",
        xshift=-5 * GRID, yshift=GRID // 2, xanchor="left", yanchor="bottom", showarrow=False,
        name="head", font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip
    figure.update_layout(hovermode="x unified")
    figure.update_yaxes(range=list(reach), automargin=False)
    figure.update_xaxes(range=[float(sweep.time[0]), float(sweep.time[-1])], automargin=False)
    return figure
