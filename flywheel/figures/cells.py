"""Matrices of a few rows and columns: cells with numbers, columns by number, rows by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.figures.caption import LABEL_WIDTH, label
from flywheel.figures.shades import at, ink_on
from flywheel.figures.theme import GRID, TEXT_SMALL, Palette

Array = NDArray[np.float64]
ROW = 4 * GRID
LEFT = 18 * GRID


def cells(
    figure: go.Figure,
    values: Array,
    texts: Sequence[Sequence[str]],
    hover: Sequence[Sequence[str]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    scale: list[list[float | str]],
    reach: tuple[float, float],
    colors: Palette,
    role: str,
) -> None:
    """A heat map of ``values`` (R, C), NaN left empty, each cell with its text in a readable ink.

    ``reach`` are the values at both ends of the colour ``scale``. Rows run from the top.
    """
    low, high = reach
    figure.add_trace(
        go.Heatmap(
            z=[[None if np.isnan(v) else float(v) for v in row] for row in values],
            x=list(range(len(columns))), y=list(range(len(rows))), zmin=low, zmax=high,
            colorscale=scale, showscale=False, xgap=2, ygap=2, customdata=hover,
            hovertemplate="%{customdata}<extra></extra>", hoverongaps=False,
            hoverlabel={"align": "left"}, meta={"role": role},
        )
    )  # fmt: skip
    for y, line in enumerate(texts):
        for x, text in enumerate(line):
            if not text:
                continue
            value = values[y, x]
            part = (value - low) / (high - low) if high > low else 0.5
            ink = colors.muted if np.isnan(value) else ink_on(at(scale, float(part)))
            figure.add_annotation(
                text=text, x=x, y=y, showarrow=False, name="cell",
                font={"size": TEXT_SMALL, "color": ink},
            )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=list(columns), side="top", showline=False,
        ticks="", range=[-0.5, len(columns) - 0.5], tickangle=0,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[label(one, LABEL_WIDTH) for one in rows],
        range=[len(rows) - 0.5, -0.5], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
