"""Runs of a sweep as dots: every pair of inputs, and the outcome over each input."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.figures.caption import blank, fold, headed, key
from flywheel.figures.numbers import rounded
from flywheel.figures.shades import at
from flywheel.figures.sweep_maps import rising
from flywheel.figures.sweep_words import (
    column,
    inputs_of,
    logarithmic,
    named,
    outcome_of,
    receipt,
    some,
    thinned,
    valueless,
    words,
)
from flywheel.figures.theme import GRID, TEXT_SMALL, palette
from flywheel.sweep.result import Sweep

_WORDS = {
    "en": {"title": "What {outcome} goes with", "lost": "no value", "run": "run"},
    "ko": {"title": "「{outcome}」 값과 함께 움직이는 것", "lost": "값 없음", "run": "실행"},
}  # fmt: skip
MOST = 5
"""Inputs whose cells a phone still shows."""
_DOTS = 9000
"""Dots in all cells: more are slow, for they are drawn as SVG. The fast kind (WebGL) compiles code
while it runs, which a page with a strict content security policy forbids."""
_GAP = 0.03
_PHONE, _LETTER = 320, 7
"""Width of the plotting area on a phone and of a letter, in px."""


def scatter_matrix(
    sweep: Sweep,
    names: Iterable[str] | None,
    outcome: str,
    *,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A dot a run: inputs against each other, coloured by the outcome, and the outcome over each input
    in the last row. Runs without a value are crosses.

    ``names`` are at most 5 inputs; None: the first 5. Where there are too many runs to draw, some are
    chosen at random, and the line under the title says how many.

    Raises UnknownNameError for inputs and outcomes that the sweep does not have, UsageError for too
    many inputs.
    """
    inputs, name = inputs_of(sweep, names, MOST), outcome_of(sweep, outcome)
    said, colors = _WORDS["ko" if language == "ko" else "en"], palette(dark)
    title = said["title"].format(outcome=named(sweep, name, language))
    shown = (*inputs, name)
    size = len(shown)
    most = _DOTS // (size * (size - 1) // 2)
    subtitle = receipt(
        sweep, language, thinned(sweep, most, language), valueless(sweep, name, language)
    )
    which = some(sweep, most)
    data = [column(sweep, one)[which] for one in shown]
    members = sweep.frame.index.to_numpy()[which]
    sound = np.isfinite(data[-1])
    if not sound.any():
        return blank(title, subtitle, words(language)["empty"], dark)
    figure, scale = go.Figure(), rising(colors, 0.6)
    low, high = (float(x) for x in np.quantile(data[-1][sound], [0.02, 0.98]))
    cells = size - 1
    width = (1 - _GAP * (cells - 1)) / cells
    hover = f"{said['run']} %{{customdata}}<br>%{{x:.4~g}}, %{{y:.4~g}}<extra></extra>"
    for i in range(1, size):
        for j in range(i):
            number = i * size + j + 1
            axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            for mine, role in ((sound, "dots"), (~sound, "lost")):
                if not mine.any() or (role == "lost" and i == size - 1):
                    continue
                marker = (
                    {"size": 4, "color": data[-1][mine], "colorscale": scale, "cmin": low,
                     "cmax": high if high > low else low + 1}
                    if role == "dots"
                    else {"symbol": "x-thin", "size": 5,
                          "line": {"width": 1.25, "color": colors.bad}}
                )  # fmt: skip
                figure.add_trace(
                    go.Scatter(
                        x=data[j][mine], y=data[i][mine], mode="markers", marker=marker,
                        customdata=members[mine], hovertemplate=hover, meta={"role": role}, **axes,
                    )
                )  # fmt: skip
            left, bottom = j * (width + _GAP), (cells - i) * (width + _GAP)
            common = {"showgrid": False, "zeroline": False, "rangemode": "normal",
                      "showline": True, "linecolor": colors.hairline, "mirror": True,
                      "automargin": False, "ticks": "", "tickangle": 0, "exponentformat": "SI",
                      "ticklabeloverflow": "hide past domain"}  # fmt: skip
            figure.update_layout(
                {
                    f"xaxis{number}": {
                        **common, "domain": [left, left + width], "anchor": f"y{number}",
                        "showticklabels": i == size - 1,
                        **_scaled(column(sweep, shown[j])),
                        "matches": None if i == size - 1 else f"x{(size - 1) * size + j + 1}",
                    },
                    f"yaxis{number}": {
                        **common, "domain": [bottom, bottom + width], "anchor": f"x{number}",
                        "showticklabels": j == 0,
                        **_scaled(column(sweep, shown[i])),
                        "matches": None if j == 0 else f"y{i * size + 1}",
                    },
                }
            )  # fmt: skip
    for k, one in enumerate(inputs):
        place = k * (
            width + _GAP
        )  # nothing stands beside a name, so it has all the room to the right
        lines = fold(named(sweep, one, language, unit=True), int(_PHONE * (1 - place) / _LETTER), 3)
        figure.add_annotation(
            text="<br>".join(escape(line) for line in lines), x=place, xref="paper",
            y=1 - place, yref="paper", xanchor="left", yanchor="bottom", align="left",
            xshift=2, yshift=4, showarrow=False, name="name",
            font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
    about = named(sweep, name, language, unit=True)
    entries = [("", colors.muted, f"{about}:")]
    entries += [
        ("●", at(scale, part), rounded(low + part * (high - low), 2)) for part in (0, 0.5, 1)
    ]
    if not sound.all():
        entries.append(("×", colors.bad, said["lost"]))
    tall = key(figure, entries, down=4 * GRID, left=7 * GRID, dark=dark, inline=True)
    return headed(
        figure, title, subtitle, body=max(30 * GRID, 12 * GRID * cells), foot=5 * GRID + tall,
        left=7 * GRID, above=6 * GRID, dark=dark,
    )  # fmt: skip


def _scaled(values: NDArray[np.float64]) -> dict[str, object]:
    """An axis by ratio for values that spread so, with a tick a power of ten."""
    return {"type": "log", "dtick": 1} if logarithmic(values) else {"type": "linear", "nticks": 3}
