"""The stock and flow diagram: where everything stands, and the picture for a notebook.

``layout`` is a pure, deterministic function of the model's names and links: stocks stand around a
ring, in the order that keeps those that feed each other side by side; flows stand by their stocks;
what lies between stands where its neighbours pull it. Everything is then put on a grid, so that no
two nodes overlap, and moved while that shortens the arrows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from flywheel import structure
from flywheel.errors import unknown_name
from flywheel.expr import key
from flywheel.figures.theme import GRID, TEXT_BODY, TEXT_SMALL, Palette, palette, template
from flywheel.model import Data, Flow, Model, Stock, Table

Point = tuple[float, float]

_FEW = 36
"""Up to so many variables all are shown; beyond, stocks, flows and what lies on the named loops."""
_FEW_ARROWS = 60
"""Up to so many arrows all are drawn."""
_WIDE = 1.5
"""Width of the picture over its height."""
_CELL = 3.2
"""Width of a grid cell over its height: labels are wider than tall."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a variable to one that depends on it; ``through`` names the hidden ones on the way.

    A material arrow links a flow and a stock: the pipe. ``sign`` is the product along the way.
    """

    source: str
    target: str
    kind: structure.LinkKind
    sign: structure.Sign
    through: tuple[str, ...] = ()


def shown_names(model: Model) -> tuple[str, ...]:
    """The variables worth drawing, in the order of the file; parameters never are.

    All of them in a small model; in a larger one the stocks, their flows, and what lies on the named
    loops. Data series are left out unless the picture would be empty.
    """
    drawn = tuple(
        name
        for name, variable in model.variables.items()
        if not isinstance(variable, Data)
        and not (isinstance(variable, Table) and variable.input not in model.variables)
    )
    if len(drawn) <= _FEW:
        return drawn or tuple(model.variables)
    on_loops = {key(name) for loop in model.declared_loops.values() for name in loop.path}
    wanted = on_loops | {key(name) for name in (*model.stocks, *model.flows)}
    return tuple(name for name in drawn if key(name) in wanted)


def arrows(model: Model, shown: Sequence[str] | None = None) -> tuple[Arrow, ...]:
    """The arrows between shown variables; a chain through hidden ones becomes one arrow.

    Where several chains lead the same way the shortest is kept, with the sign ``?`` if they disagree.
    """
    visible = set(_chosen(model, shown))
    before: dict[str, list[structure.Link]] = {}
    for link in structure.links(model):
        before.setdefault(link.target, []).append(link)
    found: dict[tuple[str, str], Arrow] = {}
    for target in model.variables:
        if target not in visible:
            continue
        queue = [
            Arrow(link.source, target, link.kind, link.sign) for link in before.get(target, ())
        ]
        seen = set()
        for arrow in queue:
            if arrow.source in visible:
                known = found.get((arrow.source, target))
                if known is None:
                    found[arrow.source, target] = arrow
                elif known.sign != arrow.sign and known.kind == "information":
                    found[arrow.source, target] = replace(known, sign="?")
            elif arrow.source not in seen:
                seen.add(arrow.source)
                queue += [
                    Arrow(
                        link.source,
                        target,
                        "information",
                        _times(link.sign, arrow.sign),
                        (arrow.source, *arrow.through),
                    )
                    for link in before.get(arrow.source, ())
                ]
    return tuple(arrow for arrow in found.values() if arrow.source != arrow.target)


def _times(one: structure.Sign, other: structure.Sign) -> structure.Sign:
    if "?" in (one, other):
        return "?"
    return "+" if one == other else "-"


def layout(model: Model, shown: Sequence[str] | None = None) -> dict[str, Point]:
    """Where each shown variable stands, in [0, 1] x [0, 1], y upwards.

    ``shown`` are names of variables (``shown_names(model)`` when omitted). The same model always gives
    the same picture. No two names share a place: the least distance is one cell of a grid with about
    twice as many cells as names. Raises UnknownNameError for a name that is no variable.
    """
    chosen = _chosen(model, shown)
    if not chosen:
        return {}
    near: dict[str, dict[str, float]] = {name: {} for name in chosen}
    for arrow in arrows(model, chosen):
        weight = 3.0 if arrow.kind == "material" else 1.0 / (1 + len(arrow.through))
        for one, other in ((arrow.source, arrow.target), (arrow.target, arrow.source)):
            near[one][other] = near[one].get(other, 0.0) + weight
    anchors = [name for name in chosen if isinstance(model.variables[name], Stock)] or list(chosen)
    ring = _ring(anchors, near)
    free = _relax(chosen, ring, near)
    return _on_grid(chosen, anchors, free, near)


def _chosen(model: Model, shown: Sequence[str] | None) -> tuple[str, ...]:
    if shown is None:
        return shown_names(model)
    spelled = {key(name): name for name in model.variables}
    for name in shown:
        if key(name) not in spelled:
            raise unknown_name(name, "variable", model.variables, f"model {model.name}")
    return tuple(dict.fromkeys(spelled[key(name)] for name in shown))


def _ring(anchors: Sequence[str], near: Mapping[str, Mapping[str, float]]) -> dict[str, Point]:
    """Anchors on an ellipse, in the order (found by swaps) that puts close ones side by side."""
    count = len(anchors)
    if count == 1:
        return {anchors[0]: (0.5, 0.5)}
    distance = {name: _hops(name, near) for name in anchors}
    pull = [[0.0 if a == b else 2.0 ** -distance[a].get(b, 12) for b in anchors] for a in anchors]

    def cost(order: Sequence[int]) -> float:
        total = 0.0
        for i in range(count):
            for j in range(i):
                gap = i - j
                total += pull[order[i]][order[j]] * min(gap, count - gap)
        return total

    order = list(range(count))
    best = cost(order)
    for _ in range(8):
        before = best
        for i in range(count):
            for j in range(i + 1, count):
                order[i], order[j] = order[j], order[i]
                tried = cost(order)
                if tried < best - 1e-12:
                    best = tried
                else:
                    order[i], order[j] = order[j], order[i]
        if best == before:
            break
    first = order.index(0)
    order = order[first:] + order[:first]
    places = {}
    for place, which in enumerate(order):
        angle = math.pi / 2 - 2 * math.pi * place / count  # the first at the top, then clockwise
        places[anchors[which]] = (0.5 + 0.44 * math.cos(angle), 0.5 + 0.44 * math.sin(angle))
    return places


def _hops(start: str, near: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """Links on the shortest way from one node to every other."""
    reached = {start: 0}
    queue = [start]
    for name in queue:
        for other in near[name]:
            if other not in reached:
                reached[other] = reached[name] + 1
                queue.append(other)
    return reached


def _relax(
    chosen: Sequence[str], ring: Mapping[str, Point], near: Mapping[str, Mapping[str, float]]
) -> dict[str, Point]:
    """Everything off the ring moves to the middle of its neighbours until it rests."""
    places = dict(ring)
    loose = [name for name in chosen if name not in ring]
    for number, name in enumerate(loose):  # a sunflower start: spread out, the same every time
        radius = 0.30 * math.sqrt((number + 0.5) / max(len(loose), 1))
        angle = number * 2.399963229728653
        places[name] = (0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle))
    for _ in range(60):
        for name in loose:
            around = near[name]
            weight = sum(around.values())
            if weight == 0:
                continue
            x = sum(places[other][0] * w for other, w in around.items()) / weight
            y = sum(places[other][1] * w for other, w in around.items()) / weight
            places[name] = (x, y)
    return places


def _on_grid(
    chosen: Sequence[str],
    anchors: Sequence[str],
    free: Mapping[str, Point],
    near: Mapping[str, Mapping[str, float]],
) -> dict[str, Point]:
    """The nearest free cell for each, those on the ring first; then swaps that shorten arrows."""
    count = len(chosen)
    columns = max(2, math.ceil(math.sqrt(2.0 * count * _WIDE / _CELL)))
    rows = max(2, math.ceil(2.0 * count / columns))
    cells = [
        ((column + 0.5) / columns, (row + 0.5) / rows)
        for row in range(rows)
        for column in range(columns)
    ]
    taken: dict[int, str] = {}
    where: dict[str, int] = {}
    ringed = set(anchors) if len(anchors) < count else set()
    degree = {name: sum(near[name].values()) for name in chosen}
    later = sorted((name for name in chosen if name not in ringed), key=lambda name: -degree[name])
    for name in [*(n for n in anchors if n in ringed), *later]:
        x, y = free[name]
        cell = min(
            (c for c in range(len(cells)) if c not in taken),
            key=lambda c: (((cells[c][0] - x) * _WIDE) ** 2 + (cells[c][1] - y) ** 2, c),
        )
        taken[cell] = name
        where[name] = cell

    def length(name: str, cell: int, but: str | None = None) -> float:
        x, y = cells[cell]
        return sum(
            weight * math.hypot((cells[where[o]][0] - x) * _WIDE, cells[where[o]][1] - y)
            for o, weight in near[name].items()
            if o != but
        )

    movable = [name for name in chosen if name not in ringed]
    for _ in range(12):
        moved = False
        for name in movable:
            here = where[name]
            stays = length(name, here)
            best, target = -1e-9, here
            for cell in range(len(cells)):
                other = taken.get(cell)
                if cell == here or (other is not None and other in ringed):
                    continue
                gain = length(name, cell, other) - length(name, here, other)
                if other is None:
                    gain = length(name, cell) - stays
                else:
                    gain += length(other, here, name) - length(other, cell, name)
                if gain < best:
                    best, target = gain, cell
            if target != here:
                other = taken.pop(target, None)
                taken[target] = taken.pop(here)
                where[name] = target
                if other is not None:
                    taken[here] = other
                    where[other] = here
                moved = True
        if not moved:
            break
    return {name: cells[where[name]] for name in chosen}


def drawn(model: Model, shown: Sequence[str] | None = None) -> tuple[Arrow, ...]:
    """The arrows worth drawing: all while they can be told apart; else pipes, those on the named
    loops, and (in a model without named loops) those that pass through nothing hidden."""
    every = arrows(model, shown)
    if len(every) <= _FEW_ARROWS:
        return every
    named = set(loop_pairs(model))
    if named:
        return tuple(a for a in every if a.kind == "material" or _on(a, named))
    return tuple(a for a in every if a.kind == "material" or not a.through)


def _on(arrow: Arrow, pairs: set[tuple[str, str]]) -> bool:
    """Whether an arrow is a link of a loop, hidden ones on the way counted as part of it."""
    steps = (arrow.source, *arrow.through, arrow.target)
    return (arrow.source, arrow.target) in pairs or all(pair in pairs for pair in pairwise(steps))


def loop_pairs(model: Model) -> dict[tuple[str, str], tuple[str, ...]]:
    """Each link on a named loop, with the loops that it lies on."""
    spelled = {key(name): name for name in model.variables}
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, loop in model.declared_loops.items():
        path = [spelled.get(key(one), one) for one in loop.path]
        for pair in pairwise(path):
            found[pair] = (*found.get(pair, ()), name)
    return found


def loop_colors(model: Model, colors: Palette) -> dict[tuple[str, str], str]:
    """The colour of each link: its loops' polarity, or ink where loops of both kinds share it."""
    tints = {}
    for pair, loops in loop_pairs(model).items():
        kinds = {name[:1].upper() for name in loops}
        tints[pair] = colors.polarity(loops[0]) if len(kinds) == 1 else colors.ink
    return tints


def diagram(
    model: Model,
    shown: Sequence[str] | None = None,
    *,
    language: str = "en",
    dark: bool = False,
) -> go.Figure:
    """The stock and flow diagram as a figure: stocks in boxes, flows on pipes, arrows for the rest.

    Links on named loops have the colour of their kind, ink where both kinds share one. Hovering a node
    shows its documentation and unit.
    """
    chosen = _chosen(model, shown)
    places = layout(model, chosen)
    colors = palette(dark)
    figure = go.Figure()
    rows = len({round(y, 6) for _, y in places.values()})
    width, height = 960, max(40 * GRID, 7 * GRID * max(rows, 1) + 4 * GRID)
    loops = loop_colors(model, colors)
    for arrow in drawn(model, chosen):
        tint = loops.get((arrow.source, arrow.target))
        figure.add_annotation(**_arrow(model, arrow, places, colors, (width, height), tint))
    _nodes(figure, model, places, colors, language)
    figure.update_layout(
        template=template(dark),
        height=height,
        margin={"l": GRID, "r": GRID, "t": GRID, "b": GRID},
        hovermode="closest",
        xaxis={"visible": False, "range": [-0.02, 1.02], "fixedrange": True},
        yaxis={"visible": False, "range": [-0.04, 1.04], "fixedrange": True},
    )
    return figure


def _arrow(
    model: Model,
    arrow: Arrow,
    places: Mapping[str, Point],
    colors: Palette,
    size: tuple[int, int],
    tint: str | None,
) -> dict[str, Any]:
    """One arrow: pipes thick and grey in the direction that things move, the rest thin."""
    source, target = arrow.source, arrow.target
    material = arrow.kind == "material"
    if material and source in {*model.stocks[target].loses}:
        source, target = target, source  # a pipe runs out of the stock that loses
    (x0, y0), (x1, y1) = places[source], places[target]
    dx, dy = (x1 - x0) * size[0], (y1 - y0) * size[1]
    stand = _edge(model, target, dx, dy)
    return {
        "x": x1, "y": y1, "ax": x0, "ay": y0,
        "xref": "x", "yref": "y", "axref": "x", "ayref": "y",
        "text": "", "showarrow": True, "arrowhead": 2, "arrowsize": 0.7 if material else 1,
        "arrowwidth": 3.5 if material else 1.6 if tint else 0.9,
        "arrowcolor": tint or (colors.baseline if material else colors.muted),
        "opacity": 1.0 if material or tint else 0.5,
        "standoff": stand, "startstandoff": 0,
    }  # fmt: skip


def _edge(model: Model, name: str, dx: float, dy: float) -> float:
    """How far from the middle of a label its edge lies in a direction, in px, by a usual letter."""
    stock = isinstance(model.variables[name], Stock)
    lines = _lines(model, name, "en")
    wide = max(map(len, lines), default=1) * (4.2 if stock else 3.5) + 10
    tall = len(lines) * 9 + 9
    length = math.hypot(dx, dy) or 1.0
    return min(wide * length / max(abs(dx), 1e-9), tall * length / max(abs(dy), 1e-9), 90.0)


def _lines(model: Model, name: str, language: str) -> list[str]:
    """A label on at most two lines."""
    variable = model.variables[name]
    width = 20 if isinstance(variable, Stock) else 18
    return wrap(variable.text(language)[0], width, max_lines=2, placeholder="…")


def _nodes(
    figure: go.Figure,
    model: Model,
    places: Mapping[str, Point],
    colors: Palette,
    language: str,
) -> None:
    """Labels on paper-coloured ground, framed for stocks; invisible dots carry the hover text."""
    for name, (x, y) in places.items():
        declaration = model.variables[name]
        stock, flow = isinstance(declaration, Stock), isinstance(declaration, Flow)
        label = "<br>".join(map(escape, _lines(model, name, language)))
        figure.add_annotation(
            x=x, y=y, text=label, showarrow=False, align="center",
            font={"size": TEXT_BODY if stock else TEXT_SMALL,
                  "color": colors.ink if stock or flow else colors.muted},
            bgcolor=colors.panel if stock else colors.paper,
            bordercolor=colors.ink if stock else colors.baseline if flow else colors.paper,
            borderwidth=1.5 if stock else 1 if flow else 0, borderpad=5 if stock else 2,
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in places.values()],
            y=[y for _, y in places.values()],
            mode="markers",
            marker={"size": 30, "opacity": 0},
            text=[_hover(model, name, language) for name in places],
            customdata=list(places),
            hovertemplate="%{text}<extra></extra>",
        )
    )


def _hover(model: Model, name: str, language: str) -> str:
    declaration = model.variables[name]
    label, doc = declaration.text(language)
    unit = f" [{declaration.unit}]" if declaration.unit is not None else ""
    kind = type(declaration).__name__.lower()
    lines = [f"<b>{escape(label)}</b>{escape(unit)}", f"{kind} {escape(name)}"]
    return "<br>".join([*lines, *map(escape, wrap(doc, 60))])
