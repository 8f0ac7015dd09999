"""Colours with fixed meanings, and the look of every chart.

The set is Okabe and Ito's (2008, "Color Universal Design"), which people with the common kinds of
colour blindness can tell apart. A colour means one thing wherever it appears; dark mode uses lighter
shades of the same hues. Charts are drawn like a newspaper's: hairlines across, no frame, the unit
above the axis, names beside the lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import plotly.graph_objects as go

Evidence = Literal["guess", "estimate", "survey", "measured"]

BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
OKABE_ITO: tuple[str, ...] = (
    BLACK, ORANGE, SKY_BLUE, GREEN, YELLOW, BLUE, VERMILLION, PURPLE,
)  # fmt: skip

FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Apple SD Gothic Neo', "
    "'Malgun Gothic', 'Noto Sans CJK KR', 'Noto Sans KR', sans-serif"
)
"""The system's sans, Korean included: nothing is fetched."""

TEXT_SMALL, TEXT_BODY, TEXT_TITLE = 12, 14, 18
"""The three text sizes, in px."""
GRID = 8
"""Everything is spaced in multiples of this, in px."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one mode, each named by what it means."""

    run: str
    """The run or scenario in front of the reader; also the one accent."""
    run_fill: str
    """The same, thin enough to lie under a line."""
    baseline: str
    """What it is compared with: always a thin grey ghost."""
    reinforcing: str
    balancing: str
    data: str
    """Measurements: always dots."""
    unverified: str
    """Data that nobody has checked against a source: hollow grey dots."""
    guess: str
    estimate: str
    survey: str
    measured: str
    good: str
    bad: str
    ink: str
    muted: str
    hairline: str
    paper: str
    panel: str
    series: tuple[str, ...]
    """Hues for several lines in one chart, when the run's own colour is not enough."""

    def evidence(self, kind: Evidence | None) -> str:
        """The colour of a number by where it comes from; muted where nobody said."""
        if kind is None:
            return self.muted
        return {
            "guess": self.guess,
            "estimate": self.estimate,
            "survey": self.survey,
            "measured": self.measured,
        }[kind]

    def polarity(self, kind: str) -> str:
        """The colour of a loop: ``R`` reinforcing, ``B`` balancing (or the words)."""
        return self.reinforcing if kind[:1].upper() == "R" else self.balancing


LIGHT = Palette(
    run=BLUE,
    run_fill="rgba(0, 114, 178, 0.14)",
    baseline="#A0A5AB",
    reinforcing=VERMILLION,
    balancing=GREEN,
    data="#22262B",
    unverified="#A0A5AB",
    guess=PURPLE,
    estimate=ORANGE,
    survey="#B5A300",  # yellow, deep enough to be seen on white
    measured=SKY_BLUE,
    good="#00795A",
    bad="#B34A00",
    ink="#1B1F24",
    muted="#5F6770",
    hairline="#E4E7EA",
    paper="#FFFFFF",
    panel="#F7F8F9",
    series=(BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE),
)
DARK = Palette(
    run="#4FA8E0",
    run_fill="rgba(79, 168, 224, 0.20)",
    baseline="#6E757D",
    reinforcing="#F07B2E",
    balancing="#2CC295",
    data="#E8EBEE",
    unverified="#7C848C",
    guess="#DE97BE",
    estimate="#F0B12C",
    survey=YELLOW,
    measured="#86CBF2",
    good="#2CC295",
    bad="#F07B2E",
    ink="#E8EBEE",
    muted="#A0A8B0",
    hairline="#2C3238",
    paper="#14171A",
    panel="#1B1F23",
    series=("#4FA8E0", "#F07B2E", "#2CC295", "#DE97BE", "#F0B12C", "#86CBF2"),
)

BASELINE_WIDTH, RUN_WIDTH = 1.25, 2.25
"""Line widths in px: the ghost is thinner than the run."""
DATA_SIZE = 6
"""Diameter of a data dot in px."""


def palette(dark: bool = False) -> Palette:
    """The colours of light or dark mode."""
    return DARK if dark else LIGHT


@cache
def template(dark: bool = False) -> go.layout.Template:
    """The plotly template of every chart. Not registered anywhere: pass it to ``update_layout``."""
    colors = palette(dark)
    axis = {
        "showline": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"color": colors.muted, "size": TEXT_SMALL},
        "title": {"font": {"color": colors.muted, "size": TEXT_SMALL}},
        "automargin": True,
        "fixedrange": False,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": TEXT_BODY, "color": colors.ink},
            "title": {
                "font": {"size": TEXT_TITLE, "color": colors.ink},
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "pad": {"l": 2 * GRID, "t": GRID},
            },
            "paper_bgcolor": colors.paper,
            "plot_bgcolor": colors.paper,
            "colorway": list(colors.series),
            "separators": ".,",
            "showlegend": False,
            "hovermode": "x unified",
            "hoverlabel": {
                "bgcolor": colors.panel,
                "bordercolor": colors.hairline,
                "font": {"family": FONT, "size": TEXT_SMALL, "color": colors.ink},
            },
            "margin": {"l": 6 * GRID, "r": 2 * GRID, "t": 6 * GRID, "b": 5 * GRID},
            "xaxis": {
                **axis,
                "showgrid": False,
                "showline": True,
                "linecolor": colors.baseline,
                "linewidth": 1,
                "ticks": "outside",
                "ticklen": 4,
                "tickcolor": colors.baseline,
            },
            "yaxis": {**axis, "showgrid": True, "gridcolor": colors.hairline, "gridwidth": 1,
                      "zeroline": True, "zerolinecolor": colors.baseline, "zerolinewidth": 1,
                      "rangemode": "tozero", "nticks": 5,
                      "separatethousands": True, "exponentformat": "power", "minexponent": 7},
            "annotationdefaults": {"font": {"size": TEXT_SMALL, "color": colors.muted}},
            "dragmode": "zoom",
        }
    )  # fmt: skip
