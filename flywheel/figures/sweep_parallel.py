"""Parallel coordinates of a sweep: a line a run, through its inputs down to its outcome."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.figures.caption import blank, headed, key
from flywheel.figures.rows import hairlines
from flywheel.figures.rows import names as name_rows
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
from flywheel.figures.theme import GRID, palette
from flywheel.sweep.result import Sweep

Array = NDArray[np.float64]
_WORDS = {
    "en": {"title": "Which inputs lead where: {outcome}", "fifth": "fifths of the runs, by outcome",
           "lost": "no value", "lowest": "lowest fifth", "highest": "highest fifth",
           "middle": "middle", "run": "run"},
    "ko": {"title": "어떤 입력이 어디로 이끄는가: {outcome}", "fifth": "결과에 따라 다섯 등분한 실행",
           "lost": "값 없음", "lowest": "가장 낮은 5분의 1", "highest": "가장 높은 5분의 1",
           "middle": "가운데", "run": "실행"},
}  # fmt: skip
MOST = 10
_LINES = 300
"""Lines that the eye still follows."""
_SHADES = 5
_ROW, _SIDE = 7 * GRID, 8 * GRID


def parallel(
    sweep: Sweep,
    names: Iterable[str] | None,
    outcome: str,
    *,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A line a run, through an axis an input down to that of the outcome, coloured by its fifth.

    ``names`` are at most 10 inputs, from the top; None: the first 10. Axes go from the lowest value
    (left) to the highest, by ratio for inputs that spread so. Runs without a value end at the last
    input, dotted. Where there are too many runs to draw, some are chosen at random.

    Raises UnknownNameError for inputs and outcomes that the sweep does not have, UsageError for too
    many inputs.
    """
    inputs, name = inputs_of(sweep, names, MOST), outcome_of(sweep, outcome)
    said, colors = _WORDS["ko" if language == "ko" else "en"], palette(dark)
    title = said["title"].format(outcome=named(sweep, name, language))
    subtitle = receipt(
        sweep, language, said["fifth"], thinned(sweep, _LINES, language),
        valueless(sweep, name, language),
    )  # fmt: skip
    values = column(sweep, name)
    if not np.isfinite(values).any():
        return blank(title, subtitle, words(language)["empty"], dark)
    which, shown = some(sweep, _LINES), (*inputs, name)
    ends, places = [], []
    for one in shown:
        own = column(sweep, one)
        sound = own[np.isfinite(own)]
        ends.append((float(sound.min()), float(sound.max())))
        places.append(_placed(own[which], ends[-1], logarithmic(own)))
    lines = np.column_stack(places)
    limits = np.quantile(values[np.isfinite(values)], np.linspace(0, 1, _SHADES + 1)[1:-1])
    fifth = np.where(
        np.isfinite(values[which]), np.searchsorted(limits, values[which], side="left"), -1
    )
    figure, scale = go.Figure(), rising(colors, 0.6)
    tints = [at(scale, k / (_SHADES - 1)) for k in range(_SHADES)]
    members = sweep.frame.index.to_numpy()[which]
    for k in range(-1, _SHADES):
        mine = fifth == k
        if mine.any():
            color = colors.bad if k < 0 else tints[k]
            figure.add_trace(_strands(lines[mine], members[mine], color, k, said["run"]))
    hairlines(
        figure,
        [
            end if logarithmic(column(sweep, one)) else _told(*end)
            for end, one in zip(ends, shown, strict=True)
        ],
        colors,
    )
    name_rows(
        figure, [named(sweep, one, language, unit=True) for one in shown], colors,
        strong=[one == name for one in shown], left=_SIDE - 2 * GRID,
    )  # fmt: skip
    figure.update_annotations(selector={"name": "row"}, bgcolor=colors.paper)
    entries = [
        ("━", tints[0], said["lowest"]), ("━", tints[2], said["middle"]),
        ("━", tints[-1], said["highest"]),
    ]  # fmt: skip
    if (fifth < 0).any():
        entries.append(("┅", colors.bad, said["lost"]))
    tall = key(figure, entries, down=GRID, left=_SIDE, dark=dark, inline=True)
    figure.update_xaxes(visible=False, range=[0, 1], automargin=False)
    figure.update_yaxes(
        visible=False, range=[len(shown) - 0.7, -0.55], showgrid=False, zeroline=False,
        automargin=False,
    )  # fmt: skip
    return headed(
        figure, title, subtitle, body=_ROW * len(shown), foot=2 * GRID + tall, left=_SIDE,
        right=_SIDE, dark=dark,
    )  # fmt: skip


def _placed(values: Array, ends: tuple[float, float], by_ratio: bool) -> Array:
    """Values between the ends of an axis as parts of it, from 0 to 1; all alike: in the middle."""
    low, high = (float(np.log(end)) if by_ratio else end for end in ends)
    own = np.log(values) if by_ratio else values
    return (own - low) / (high - low) if high > low else np.where(np.isfinite(own), 0.5, np.nan)


def _told(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis without digits that are nothing beside its length: 0, not 0.000138."""
    if high <= low:
        return low, high
    places = 2 - math.floor(math.log10(high - low))
    return round(low, places), round(high, places)


def _strands(
    lines: Array, members: NDArray[np.int64], color: str, fifth: int, run: str
) -> go.Scatter:
    """Lines of one shade as one trace, with a gap after each."""
    count, width = lines.shape
    gap = np.full((count, 1), np.nan)
    return go.Scatter(
        x=np.hstack([lines, gap]).ravel(), y=np.tile(np.append(np.arange(width), np.nan), count),
        mode="lines", connectgaps=False, opacity=0.55 if count > 10 else 1.0,
        line={"width": 1, "color": color, "dash": "dot" if fifth < 0 else "solid"},
        text=np.repeat(members, width + 1), hovertemplate=f"{run} %{{text}}<extra></extra>",
        meta={"role": "lost" if fifth < 0 else "lines", "fifth": fifth},
    )  # fmt: skip
