"""Rows whose name has a line of its own, above panels or a hairline: room for both on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.analysis.decide.policies_words import edge
from flywheel.figures.caption import cut
from flywheel.figures.numbers import rounded
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette

Array = NDArray[np.float64]
NAME_WIDTH = 46
"""Latin letters in the line of a name on a phone."""
_HUGE = 30.0
"""Times the usual median from which the widest band would hide the others on a linear scale."""
_DECADES = 4


@dataclass(frozen=True)
class Scale:
    """Where values lie on an axis: linear up to ±``core``, logarithmic beyond; linear if infinite."""

    core: float = math.inf

    @property
    def bent(self) -> bool:
        """Whether it is logarithmic anywhere."""
        return math.isfinite(self.core)

    def place(self, values: Array | Sequence[float]) -> Array:
        """Values on the axis; a decade beyond ``core`` is as long as from 0 to ``core``."""
        given = np.asarray(values, dtype=float)
        if not self.bent:
            return given
        part = np.abs(given) / self.core
        bent = np.where(part <= 1, part, 1 + np.log10(np.maximum(part, 1.0)))
        return np.asarray(np.sign(given) * bent)

    def ticks(self, low: float, high: float) -> tuple[list[float], list[str]]:
        """Where powers of ten within ``low`` to ``high`` stand and how they are written, 0 included."""
        far = max(-low, high) / self.core
        last = max(math.floor(math.log10(far) + 1e-9), 0) if far > 0 else 0
        powers = [self.core * 10.0**k for k in range(last, -1, -2)]
        values = [-p for p in powers if -p >= low] + [0.0] + [p for p in powers if p <= high]
        return [float(x) for x in self.place(values)], [rounded(v) for v in values]


def scale_of(ends: Array, middles: Array) -> Scale:
    """A scale on which both the widest of the bands and their ``middles`` can be read.

    Linear unless the furthest of the ``ends`` is far beyond the usual middle.
    """
    sizes = np.abs(ends[np.isfinite(ends) & (ends != 0)])
    inner = np.abs(middles[np.isfinite(middles) & (middles != 0)])
    typical = float(np.median(inner if inner.size else sizes)) if sizes.size else 0.0
    if not sizes.size or sizes.max() <= _HUGE * typical:
        return Scale()
    least = float(sizes.max()) / 10.0**_DECADES
    return Scale(10.0 ** math.floor(math.log10(max(typical, least))))


def names(
    figure: go.Figure,
    texts: Sequence[str],
    colors: Palette,
    *,
    beside: Sequence[str] = (),
    strong: Sequence[bool] = (),
    left: int = 0,
    right: int = 0,
) -> None:
    """The name of each row above it, and at the right end of its line what stands ``beside`` it.

    ``left`` and ``right`` are how far the lines reach out of the plotting area, in px; texts beside
    are markup already.
    """
    for y, text in enumerate(texts):
        tail = beside[y] if beside else ""
        shown = escape(cut(text, NAME_WIDTH - _letters(tail)))
        figure.add_annotation(
            text=f"<b>{shown}</b>" if strong and strong[y] else shown, x=0, y=y, xref="paper",
            yref="y", xshift=-left, yshift=GRID, xanchor="left", yanchor="bottom", align="left",
            showarrow=False, name="row", font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
        if tail:
            figure.add_annotation(
                text=tail, x=1, y=y, xref="paper", yref="y", xshift=right, yshift=GRID,
                xanchor="right", yanchor="bottom", align="right", showarrow=False, name="beside",
                font={"size": TEXT_SMALL, "color": colors.muted},
            )  # fmt: skip


def _letters(markup: str) -> int:
    """How many letters of a line a text beside a name takes, with a gap before it."""
    plain, inside = 0, False
    for letter in markup:
        inside = letter == "<" or (inside and letter != ">")
        plain += not inside and letter != ">"
    return plain + 1 if plain else 0


def head(figure: go.Figure, column: int, text: str, colors: Palette) -> None:
    """What a panel shows, over its left end."""
    figure.add_annotation(
        text=text, x=0, y=1, xref="x domain" if column == 1 else f"x{column} domain", yref="paper",
        yshift=GRID // 2, xanchor="left", yanchor="bottom", align="left", showarrow=False,
        name="head", font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip


def zeros(figure: go.Figure, count: int, column: int, colors: Palette) -> None:
    """The zero line of a panel, in pieces: one through all rows would cross their names."""
    for y in range(count):
        figure.add_shape(
            type="line", x0=0, x1=0, y0=y - 0.2, y1=y + 0.2, row=1, col=column,
            line={"color": colors.baseline, "width": 1},
        )  # fmt: skip


def bands(
    figure: go.Figure,
    column: int,
    scale: Scale,
    quantiles: Array,
    fills: Sequence[str],
    pale: Sequence[str],
    hover: Sequence[str],
    colors: Palette,
) -> None:
    """A pale bar from the first to the last of ``quantiles`` (R, 3) and a dot at the middle one."""
    placed = scale.place(quantiles)
    ys = list(range(len(quantiles)))
    figure.add_trace(
        go.Bar(
            orientation="h", x=placed[:, 2] - placed[:, 0], base=placed[:, 0], y=ys, width=0.2,
            marker={"color": list(pale)}, customdata=list(hover),
            hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
            meta={"role": "band"},
        ), row=1, col=column,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=placed[:, 1], y=ys, mode="markers", customdata=list(hover), cliponaxis=False,
            marker={"size": 9, "color": list(fills), "line": {"color": colors.paper, "width": 1}},
            hovertemplate="%{customdata}<extra></extra>", hoverlabel={"align": "left"},
            meta={"role": "median"},
        ), row=1, col=column,
    )  # fmt: skip


def hairlines(figure: go.Figure, ends: Sequence[tuple[float, float]], colors: Palette) -> None:
    """A thin line a row from 0 to 1: a range, with the numbers at its ends beside it."""
    for y, (low, high) in enumerate(ends):
        figure.add_shape(
            type="line", x0=0, x1=1, y0=y, y1=y, layer="below",
            line={"color": colors.baseline, "width": 1},
        )  # fmt: skip
        for x, value in ((0, low), (1, high)):
            figure.add_annotation(
                text=number(value, high - low), x=x, y=y, xanchor="left" if x else "right",
                xshift=6 if x else -6, showarrow=False, name="end",
                font={"size": TEXT_SMALL, "color": colors.muted},
            )  # fmt: skip


def number(value: float, span: float) -> str:
    """A number of an input, with as many digits as its range can tell apart."""
    return edge(value, span).replace("-", "−")
