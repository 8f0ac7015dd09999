"""The stock and flow diagram as cytoscape elements.

Two views. ``loops`` (the default) draws the stocks, their flows and what the named loops pass through,
with auxiliaries that merely hand one influence on drawn as part of the arrow; ``all`` draws every
variable. Where things stand comes from ``flywheel.figures.diagram``, or from a file in ``places/`` for
a model that somebody has arranged by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from flywheel.api import Run
from flywheel.figures.diagram import layout
from flywheel.figures.theme import FONT, Palette, palette
from flywheel.model import Flow, Loop, Model, Stock

STOCK_WIDTH, STOCK_HEIGHT = 128, 84
CELL_WIDTH, CELL_HEIGHT = 172, 116
"""Pixels that one node may take, labels included; the picture grows with the number of nodes."""
BEND = 18.0
"""How far an arrow swings to the side, in px, so that a way there and a way back stay apart."""


Signs = Mapping[tuple[str, str], str]
"""From a link, source and target, to its sign."""


@dataclass(frozen=True)
class Arrow:
    """An influence between two shown variables: ``sign`` is ``+``, ``-`` or empty when unknown."""

    source: str
    target: str
    sign: str
    through: tuple[str, ...]
    loops: tuple[str, ...]


def shown(model: Model, view: str) -> tuple[str, ...]:
    """The variables of a view, in the order of the file."""
    variables = [name for name in model.variables if name not in model.data]
    if view == "all" or not model.declared_loops:
        return tuple(variables)
    follow: dict[str, set[str]] = {}
    lead: dict[str, set[str]] = {}
    for loop in model.declared_loops.values():
        for source, target in _steps(loop):
            follow.setdefault(source, set()).add(target)
            lead.setdefault(target, set()).add(source)
    members = set(follow) | set(lead)
    kept = {name for name in members if name in model.stocks or name in model.flows}
    # A junction is where loops part or meet; what has one way in and one way out is part of an arrow.
    kept |= {
        name for name in members if len(follow.get(name, ())) > 1 and len(lead.get(name, ())) > 1
    }
    return tuple(name for name in variables if name in kept)


def arrows(
    model: Model, names: Sequence[str], view: str, measured: Signs | None = None
) -> tuple[Arrow, ...]:
    """The influences between shown variables, pipes left out (see ``pipes``).

    In the view ``loops`` they are those of the named loops; in ``all`` they are all. ``measured``
    gives the signs that cannot be read off the equations.
    """
    signs = {**_signs(model), **(measured or {})}
    visible = set(names)
    found: dict[tuple[str, str], Arrow] = {}

    def add(path: Sequence[str], loop: str) -> None:
        ends = path[0], path[-1]
        known = found.get(ends)
        sign = _product([signs.get(step, "") for step in pairwise(path)])
        if known is None:
            found[ends] = Arrow(*ends, sign, tuple(path[1:-1]), (loop,) if loop else ())
        else:
            found[ends] = Arrow(
                *ends,
                sign if sign == known.sign else "",
                known.through,
                tuple(dict.fromkeys((*known.loops, *((loop,) if loop else ())))),
            )

    for loop in model.declared_loops.values():
        for path in _legs(loop, visible):
            add(path, loop.name)
    if view == "all" or not model.declared_loops:
        for source, target in signs:
            if source in visible and target in visible and (source, target) not in found:
                add((source, target), "")
    piped = {frozenset(pipe) for pipe in pipes(model, visible)}
    return tuple(
        arrow
        for arrow in found.values()
        if not (arrow.target in model.stocks and frozenset((arrow.source, arrow.target)) in piped)
    )


def pipes(model: Model, visible: set[str]) -> tuple[tuple[str, str], ...]:
    """The pipes between flows and stocks, in the direction in which things move."""
    found = []
    for name, stock in model.stocks.items():
        if name not in visible:
            continue
        found += [(flow, name) for flow in stock.gains if flow in visible]
        found += [(name, flow) for flow in stock.loses if flow in visible]
    return tuple(found)


def elements(
    model: Model, language: str, view: str, measured: Signs | None = None
) -> list[dict[str, Any]]:
    """Nodes and edges for cytoscape, with their places in px."""
    names = shown(model, view)
    spots = _places(model, names, view)
    loops_of = {
        name: [loop.name for loop in model.declared_loops.values() if name in loop.path]
        for name in names
    }
    nodes = []
    for name in names:
        declaration = model.variables[name]
        kind = (
            "stock" if isinstance(declaration, Stock)
            else "flow" if isinstance(declaration, Flow)
            else "aux"
        )  # fmt: skip
        label, doc = declaration.text(language)
        x, y = spots[name]
        nodes.append(
            {
                "data": {
                    "id": name, "label": label, "kind": kind, "doc": doc, "loops": loops_of[name],
                },
                "position": {"x": x, "y": y},
                "classes": kind,
            }
        )  # fmt: skip
    edges = []
    for number, (source, target) in enumerate(pipes(model, set(names))):
        flow = source if source in model.flows else target
        stock = target if flow == source else source
        gains = flow in model.stocks[stock].gains
        loops = [
            loop.name
            for loop in model.declared_loops.values()
            if (flow, stock) in set(_steps(loop))
        ]
        edges += [
                {
                    "data": {
                        "id": f"{layer}{number}", "source": source, "target": target, "loops": loops,
                        "sign": "" if layer == "bore" else "+" if gains else "−",
                    },
                    "classes": f"{layer} {'in' if gains else 'out'}",
                }
                for layer in ("pipe", "bore")
            ]  # fmt: skip
    _, bends = _by_hand(model.name) if view == "loops" else ({}, {})
    for number, arrow in enumerate(arrows(model, names, view, measured)):
        edges.append(
            {
                "data": {
                    "id": f"arrow{number}",
                    "source": arrow.source,
                    "target": arrow.target,
                    "sign": arrow.sign.replace("-", "−"),
                    "loops": list(arrow.loops),
                    "bend": bends.get((arrow.source, arrow.target), BEND),
                    "through": [model[name].text(language)[0] for name in arrow.through],
                },
                "classes": "arrow",
            }
        )
    return [*nodes, *edges]


def measured_signs(run: Run) -> Signs:
    """Signs of the links on the named loops, measured along a run; empty where they change."""
    from flywheel.checks.reality import polarities

    found: dict[tuple[str, str], str] = {}
    for loop in polarities(run.model, run):
        for source, target, signs in loop.links:
            seen = {sign for sign in signs if sign}
            found[source, target] = {1: "+", -1: "-"}[seen.pop()] if len(seen) == 1 else ""
    return found


def polarity(loop: Loop) -> str:
    """``R`` or ``B``, as the loop's name begins."""
    return "B" if loop.name[:1].upper() == "B" else "R"


def stylesheet(dark: bool) -> list[dict[str, Any]]:
    """How elements look. Colours mean what they mean in every chart."""
    c: Palette = palette(dark)
    text = {
        "font-family": FONT.replace("'", ""),
        "label": "data(label)",
        "text-wrap": "wrap",
        "color": c.ink,
        "font-size": 12,
        "min-zoomed-font-size": 5,
    }
    return [
        {"selector": "node", "style": text},
        {
            "selector": "node.stock",
            "style": {
                "shape": "rectangle", "width": STOCK_WIDTH, "height": STOCK_HEIGHT,
                "background-color": c.paper, "border-width": 1.5, "border-color": c.ink,
                "text-valign": "center", "text-margin-y": -24, "text-max-width": STOCK_WIDTH - 10,
                "font-weight": 600, "font-size": 13, "line-height": 1.1,
            },
        },
        {
            "selector": "node.flow",
            "style": {
                "shape": "polygon", "shape-polygon-points": "-1 -1 1 1 1 -1 -1 1",
                "width": 22, "height": 18, "background-color": c.paper,
                "border-width": 1.5, "border-color": c.muted, "color": c.muted,
                "text-valign": "bottom", "text-margin-y": 4, "text-max-width": 104,
                "text-background-color": c.paper, "text-background-opacity": 0.85,
                "text-background-padding": 1,
            },
        },
        {
            "selector": "node.aux",
            "style": {
                "shape": "round-rectangle", "width": 108, "height": 32, "border-width": 0,
                "font-size": 13,
                "background-color": c.panel, "color": c.ink,
                "text-valign": "center", "text-max-width": 92,
            },
        },
        {
            "selector": "edge.pipe",
            "style": {
                "width": 6, "line-color": c.muted, "curve-style": "straight",
                "target-arrow-shape": "triangle", "target-arrow-color": c.muted,
                "arrow-scale": 0.7, "z-index": 1, "events": "no",
            },
        },
        {
            "selector": "edge.bore",
            "style": {
                "width": 3, "line-color": c.paper, "curve-style": "straight", "z-index": 2,
                "target-distance-from-node": 10, "events": "no",
            },
        },
        {
            "selector": "edge.arrow",
            "style": {
                "width": 1.25, "line-color": c.baseline, "curve-style": "unbundled-bezier",
                "control-point-distances": "data(bend)", "control-point-weights": 0.5,
                "target-arrow-shape": "triangle", "target-arrow-color": c.baseline,
                "arrow-scale": 0.8, "font-family": FONT.replace("'", ""), "font-size": 17,
                "font-weight": 700, "target-label": "data(sign)", "target-text-offset": 20,
                "color": c.muted, "text-background-color": c.paper, "text-background-opacity": 0.7,
            },
        },
        {"selector": ".dim", "style": {"opacity": 0.28}},
        {
            "selector": "edge.lit",
            "style": {"width": 2.5, "z-index": 9},
        },
        *(
            style
            for kind, color in (("lit-R", c.reinforcing), ("lit-B", c.balancing))
            for style in (
                {
                    "selector": f"edge.{kind}",
                    "style": {"line-color": color, "target-arrow-color": color, "color": color},
                },
                {"selector": f"edge.bore.{kind}", "style": {"line-color": color}},
                {"selector": f"edge.pipe.{kind}", "style": {"width": 6}},
                {"selector": f"node.{kind}", "style": {"border-color": color}},
            )
        ),
        {
            "selector": "node:selected",
            "style": {"border-color": c.run, "border-width": 2.5},
        },
        {"selector": "node:active", "style": {"overlay-opacity": 0.06, "overlay-color": c.run}},
    ]  # fmt: skip


def _steps(loop: Loop) -> list[tuple[str, str]]:
    return list(pairwise(loop.path))


def _legs(loop: Loop, visible: set[str]) -> list[list[str]]:
    """The loop cut at the shown variables: each piece starts and ends at one."""
    path = list(loop.path[:-1])
    starts = [i for i, name in enumerate(path) if name in visible]
    if not starts:
        return []
    legs = []
    for here, there in zip(starts, [*starts[1:], starts[0] + len(path)], strict=True):
        legs.append([path[i % len(path)] for i in range(here, there + 1)])
    return legs


def _product(signs: Sequence[str]) -> str:
    if any(sign not in "+-" or not sign for sign in signs):
        return ""
    return "-" if sum(sign == "-" for sign in signs) % 2 else "+"


@lru_cache(maxsize=64)
def _signs(model: Model) -> Mapping[tuple[str, str], str]:
    """Every causal link of the model with its sign."""
    from flywheel.structure import links

    return {(link.source, link.target): link.sign for link in links(model)}


@lru_cache(maxsize=64)
def _places(model: Model, names: tuple[str, ...], view: str) -> Mapping[str, tuple[float, float]]:
    """Where things stand, in px, y downwards: by hand where somebody did, else by the layout."""
    drawn, _ = _by_hand(model.name) if view == "loops" else ({}, {})
    placed = {name: drawn[name] for name in names if name in drawn}
    if placed and len(placed) >= len(names) - 4:
        return _squeeze_in(model, names, placed)
    unit = layout(model, names)
    columns = max(2.0, (1.3 * len(names)) ** 0.5)
    few = len(names) <= 40
    width = columns * (CELL_WIDTH if few else STOCK_WIDTH + 8)
    height = (len(names) * 1.8 / columns) * (CELL_HEIGHT if few else STOCK_HEIGHT + 4)
    return {name: (x * width, (1 - y) * height) for name, (x, y) in unit.items()}


def _squeeze_in(
    model: Model, names: Sequence[str], placed: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """A hand-made arrangement with the few names it does not know, each near what it touches."""
    everywhere = [(x * 74.0, y * 52.0) for y in range(-1, 14) for x in range(-1, 14)]
    ties = [*_signs(model)]
    for name in names:
        if name in placed:
            continue
        near = [
            placed[a if b == name else b]
            for a, b in ties
            if name in (a, b) and {a, b} - {name} <= set(placed)
        ]
        middle = near or list(placed.values())
        cx = sum(x for x, _ in middle) / len(middle)
        cy = sum(y for _, y in middle) / len(middle)
        free = [
            (x, y)
            for x, y in everywhere
            if all(
                abs(x - u) >= STOCK_WIDTH or abs(y - v) >= STOCK_HEIGHT for u, v in placed.values()
            )
        ]
        placed[name] = min(free, key=lambda spot: (spot[0] - cx) ** 2 + (spot[1] - cy) ** 2)
    return placed


@lru_cache(maxsize=16)
def _by_hand(
    name: str,
) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, ...], float]]:
    """Places and bends of arrows that somebody chose for a shipped model; nothing for others."""
    if not name.isidentifier():
        return {}, {}
    file = files(__package__) / "places" / f"{name}.json"
    if not file.is_file():
        return {}, {}
    found = json.loads(file.read_text(encoding="utf-8"))
    places = {one: (float(x), float(y)) for one, (x, y) in found["places"].items()}
    bends = {tuple(link.split()): float(bend) for link, bend in found["bends"].items()}
    return places, bends
