"""When each input matters: the derivative of an outcome, cut up by the time at which it acts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from flywheel.analysis.levers.dials import Dials, Row
from flywheel.analysis.levers.ranking import Leverage
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError
from flywheel.figures.caption import (
    blank,
    cut,
    folded,
    headed,
    key,
    label,
    receipt,
    rest,
)
from flywheel.figures.cells import LEFT, ROW
from flywheel.figures.numbers import rounded
from flywheel.figures.shades import diverging
from flywheel.figures.theme import GRID, TEXT_SMALL, palette

Array = NDArray[np.float64]

_WORDS = {
    "en": {
        "title": "When each push matters",
        "method": "exact derivative by adjoint, cut up by when it acts; % of the outcome per %",
        "dials": "exact derivative by adjoint, cut up by when it acts; % of the outcome "
        "per % of strength",
        "none": "Nothing moves the outcome at this horizon.",
        "more": "more of it raises the outcome", "less": "lowers it",
        "sum": "in all", "then": "then",
        "flow": "flow {target}", "table": "table {target}", "absent": "new: {source} → {target}",
    },
    "ko": {
        "title": "힘이 통하는 때",
        "method": "수반법의 정확한 미분을 작용한 때로 나눔; 1 %마다 결과의 %",
        "dials": "수반법의 정확한 미분을 작용한 때로 나눔; 세기 1 %마다 결과의 %",
        "none": "이 기간에는 결과를 움직이는 것이 없습니다.",
        "more": "그때 늘리면 결과가 커짐", "less": "작아짐",
        "sum": "모두", "then": "그때",
        "flow": "유량 {target}", "table": "표 {target}", "absent": "새로: {source} → {target}",
    },
}  # fmt: skip
_BINS = 36
"""Columns that a phone still shows."""
_FULL = 0.98
"""Quantile of sizes at which the colour is full."""


@dataclass(frozen=True)
class _Rows:
    """What is drawn: names (R,), parts (T, R) by save, in percent of the outcome per percent."""

    stamp: Stamp
    times: Array
    names: tuple[str, ...]
    texts: tuple[str, ...]
    parts: Array


def timing(
    table: Leverage | Dials,
    *,
    horizon: float | None = None,
    kinds: Sequence[str] | None = None,
    top: int = 12,
    events: Mapping[str, float] | None = None,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A row an element, a column a stretch of time: how much of its derivative acts then.

    Blue where more of it then raises the outcome, orange where it lowers it; rows by the size of all
    their parts. The sums at the right are elasticities: percent of the outcome per percent (a lever:
    of its full pull). What acts through the start stands in the first column. ``kinds`` chooses rows
    (parameter, initial, lever; link, flow, table, absent), ``events`` marks times by name.

    Raises UsageError for a horizon that the table does not have.
    """
    said = _WORDS["ko" if language == "ko" else "en"]
    colors = palette(dark)
    place = _place(table.stamp, horizon)
    found = _of_dials(table, place, kinds, said, language) if isinstance(table, Dials) else (
        _of_leverage(table, place, kinds, language)
    )  # fmt: skip
    until = table.stamp.since + table.stamp.horizons[place]
    acting = np.abs(found.parts).sum(axis=0)
    order = [int(k) for k in np.argsort(-acting, kind="stable") if acting[k] > 0]
    chosen = order[:top]
    subtitle = receipt(
        table.stamp, language, said["dials" if isinstance(table, Dials) else "method"],
        rest(len(order) - len(chosen), language), outcome=table.label[language == "ko"],
        horizons=[table.stamp.horizons[place]],
    )  # fmt: skip
    if not chosen:
        return blank(said["title"], subtitle, said["none"], dark)
    edges = _edges(found.times, until)
    binned = _binned(found.times, found.parts[:, chosen], edges)
    sizes = np.abs(binned[binned != 0])
    full = float(np.quantile(sizes, _FULL)) if sizes.size else 1.0
    spans = [f"{a:.6g} – {b:.6g}" for a, b in pairwise(edges)]
    sums = found.parts[:, chosen].sum(axis=0)
    figure = go.Figure(
        go.Heatmap(
            z=binned, x=(edges[1:] + edges[:-1]) / 2, y=list(range(len(chosen))),
            zmin=-full, zmax=full, colorscale=diverging(colors), showscale=False, ygap=3,
            customdata=[
                [f"<b>{folded(found.texts[k], 40)}</b><br>{span}" for span in spans] for k in chosen
            ],
            hovertemplate=f"%{{customdata}}<br>{said['then']}: %{{z:+.3~g}}<extra></extra>",
            hoverlabel={"align": "left"}, meta={"role": "timing"},
        )
    )  # fmt: skip
    for y, total in enumerate(sums):
        figure.add_annotation(
            text=f"{'+' if total > 0 else ''}{rounded(float(total), 2)}", x=1, y=y, xref="paper",
            xshift=4, xanchor="left", showarrow=False, name="sum",
            font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
    figure.add_annotation(
        text=said["sum"], x=1, y=1, xref="paper", yref="paper", xshift=4, yshift=2, xanchor="left",
        yanchor="bottom", showarrow=False, name="head",
        font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip
    entries = [("■", colors.run, said["more"]), ("■", colors.bad, said["less"])]
    inside = [(n, t) for n, t in (events or {}).items() if edges[0] <= t <= edges[-1]]
    for number, (name, time) in enumerate(sorted(inside, key=lambda one: one[1])):
        letter = chr(ord("a") + number % 26)
        figure.add_vline(x=time, line={"color": colors.ink, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=letter, x=time, y=1, yref="paper", yanchor="bottom", yshift=1, showarrow=False,
            name="event", hovertext=escape(name),
            font={"size": TEXT_SMALL, "color": colors.ink},
        )  # fmt: skip
        entries.append((f"<b>{letter}</b>", colors.ink, f"{time:.6g} {name}"))
    figure.update_xaxes(range=[float(edges[0]), float(edges[-1])], nticks=6)
    figure.update_yaxes(
        tickvals=list(range(len(chosen))), ticktext=[label(found.texts[k]) for k in chosen],
        range=[len(chosen) - 0.5, -0.5], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    tall = key(figure, entries, down=4 * GRID, left=LEFT, dark=dark, inline=True)
    return headed(
        figure, said["title"], subtitle, body=len(chosen) * ROW, foot=4 * GRID + tall, left=LEFT,
        right=6 * GRID, above=2 * GRID, dark=dark,
    )  # fmt: skip


def _place(stamp: Stamp, horizon: float | None) -> int:
    if horizon is None:
        return len(stamp.horizons) - 1
    for place, known in enumerate(stamp.horizons):
        if math.isclose(known, horizon, rel_tol=1e-9):
            return place
    raise UsageError(f"the table has horizons {stamp.horizons}, not {horizon:g}")


def _of_leverage(table: Leverage, place: int, kinds: Sequence[str] | None, language: str) -> _Rows:
    """Parts of the elasticities; rows without a profile over time are left out."""
    rows = [
        k for k, kind in enumerate(table.kinds)
        if (kinds is None or kind in kinds) and np.isfinite(table.profile[place, :, k]).all()
    ]  # fmt: skip
    slope, wanted = table.slope[place, rows], table.elasticity[place, rows]
    whole = table.profile[place][:, rows].sum(axis=0)
    size = 1.0 if not table.relative[place] else abs(float(table.baseline[place]))
    # an elasticity is slope times the element's scale; where the slope is 0 the value is that scale
    scale = np.array([1.0 if table.kinds[k] not in ("parameter", "initial") else table.value[k]
                      for k in rows]) / size  # fmt: skip
    scale = np.divide(wanted, slope, out=scale, where=(slope != 0) & (whole != 0))
    return _Rows(
        table.stamp, table.times, tuple(table.names[k] for k in rows),
        tuple(table.labels[k][language == "ko"] for k in rows),
        table.profile[place][:, rows] * scale,
    )  # fmt: skip


def _of_dials(
    table: Dials, place: int, kinds: Sequence[str] | None, said: dict[str, str], language: str
) -> _Rows:
    rows = [k for k, row in enumerate(table.rows) if kinds is None or row.kind in kinds]
    size = abs(table.value[place]) or 1.0
    known = table.labels.get(language, {})
    return _Rows(
        table.stamp, table.times, tuple(table.rows[k].name for k in rows),
        tuple(_dial(table.rows[k], known, said) for k in rows),
        table.profile[place][:, rows] / size,
    )  # fmt: skip


def _dial(row: Row, known: Mapping[str, str], said: dict[str, str]) -> str:
    """What a dial is called: the two ends of a link, a flow, a stretch of a table."""
    source, target = (cut(known.get(name, name), 30) for name in (row.source, row.target))
    if row.kind == "link":
        return f"{source} → {target}"
    text = said[row.kind].format(source=source, target=target)
    return f"{text} {row.span[0]:g}…{row.span[1]:g}" if row.span else text


def _edges(times: Array, until: float) -> Array:
    """Edges of stretches of a round length, from the start to the horizon."""
    start = float(times[0])
    span = until - start
    least = max(span / _BINS, float(np.diff(times).max()))
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9))
    count = math.ceil(span / step - 1e-9)
    edges: Array = np.minimum(start + step * np.arange(count + 1), until)
    return edges


def _binned(times: Array, parts: Array, edges: Array) -> Array:
    """(R, bins) the parts summed by the stretch in which the middle of their interval lies."""
    middles = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2])
    place = np.clip(np.searchsorted(edges, middles, side="right") - 1, 0, len(edges) - 2)
    found = np.zeros((parts.shape[1], len(edges) - 1))
    np.add.at(found.T, place, parts)
    return found
