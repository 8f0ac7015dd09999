"""What a lever would do if nothing came back: the same model with every feedback loop opened.

Observers who reason without feedback trace a lever's consequences forward and expect everything that
could answer them to go on as planned. So the links that close loops are cut where they lead away
from the outcome, and their targets read the course that the source took without the lever. Held at its
value of the start instead, as a plain cut holds it, a business that has grown since would be judged by
its size of the first day; where the run starts at rest both are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flywheel import structure
from flywheel.analysis.loops.trajectory import trajectory
from flywheel.expr import Name, substitute
from flywheel.model import Aux, Data, DataPoint, Declaration, Flow, Model, Table
from flywheel.signs import Sign, times

Link = tuple[str, str]


def feedback_links(
    model: Model, outcome: Iterable[str], signs: Mapping[Link, Sign] | None = None
) -> tuple[Link, ...]:
    """Information links whose removal opens every feedback loop, as few as a greedy search needs.

    Variables are ordered by the number of links that lead from them to the ``outcome`` variables. A
    link that does not come nearer to them feeds back; those that close no loop on their own are put
    back, the ones that lead away least first. So the shortest way from any variable to the outcome
    stays whole, and with it the lever's direct effect. A smallest such set would be NP-hard to find
    and would say nothing about which way is forward.

    Flows into stocks are never cut: a stock stands no further from the outcome than its flows, and
    what it informs is cut instead. The loop of a stock with a flow of its own chain stays closed where
    it holds that flow back: it is how a stock empties, a delay works, an order book fills. Opened,
    prices and capacity would run away from their targets, which nobody expects. ``signs`` says which
    way links act where the equations do not show it (see ``measured_signs``).
    """
    whole = structure.graph(model)
    distance = _distance(whole, outcome)
    far = float(len(whole) + 1)
    rank = {name: float(distance.get(name, far)) for name in whole}
    for name, stock in model.stocks.items():
        flows = [rank[flow] - 0.5 for flow in (*stock.gains, *stock.loses) if flow in rank]
        rank[name] = min([rank[name], *flows])
    forward = {name: list(targets) for name, targets in whole.items()}
    for (stock_name, flow), own in _adjustments(model, signs or {}).items():
        # The stock acts on a copy of the flow, which acts on everything but the stock's own chain.
        copy = f"{flow}@{stock_name}"
        forward[stock_name] = [copy if name == flow else name for name in forward[stock_name]]
        forward[copy] = [name for name in whole[flow] if name not in own]
        rank[copy] = rank[flow]
    part_of = {
        name: number for number, part in enumerate(structure.components(forward)) for name in part
    }
    away = [
        (source, target)
        for source, targets in forward.items()
        for target in targets
        if target not in model.stocks
        and rank[target] >= rank[source]
        and source in part_of
        and part_of[source] == part_of.get(target)
    ]
    cut = set(away)
    for link in sorted(away, key=lambda link: ("@" not in link[1], rank[link[1]] - rank[link[0]])):
        kept = _without(forward, cut - {link})
        if structure.shortest_path(kept, link[1], link[0]) is None:
            cut.discard(link)
    found = (
        (source.split("@")[0], target.split("@")[0])
        for source, target in away
        if (source, target) in cut
    )
    return tuple(dict.fromkeys(found))


def measured_signs(model: Model, scenario: str | None = None) -> dict[Link, Sign]:
    """The sign of each stock's direct link to a flow in the median over a run, from exact slopes."""
    run = trajectory(model, scenario=scenario)
    found: dict[Link, Sign] = {}
    for link, slopes in zip(run.structure.links, run.partials, strict=True):
        if link.kind == "information" and link.source in model.stocks:
            middle = float(np.median(slopes))
            found[link.source, link.target] = "+" if middle > 0 else "-" if middle < 0 else "?"
    return found


def _adjustments(model: Model, measured: Mapping[Link, Sign]) -> dict[Link, set[str]]:
    """Stocks that hold back a flow of their own material chain: a drain, an ageing, a goal neared.

    Each with the stocks that make it a loop: the stock itself, and those upstream whose content will
    reach it. Orders that allow for what is in the pipeline are one too.
    """
    feeds: dict[str, list[str]] = {name: [] for name in model.stocks}
    for name, stock in model.stocks.items():
        for other, target in model.stocks.items():
            if set(stock.loses) & set(target.gains):
                feeds[name].append(other)
    signs = {(link.source, link.target): link.sign for link in structure.links(model)}
    for link, sign in measured.items():
        if signs.get(link) == "?":
            signs[link] = sign
    found: dict[Link, set[str]] = {}
    for name in model.stocks:
        upstream = [other for other in model.stocks if structure.shortest_path(feeds, other, name)]
        for place in sorted(upstream, key=lambda other: other != name):
            for flow in (*model.stocks[place].gains, *model.stocks[place].loses):
                if (name, flow) not in signs or (name, flow) in found:
                    continue
                back = times(signs[name, flow], signs.get((flow, place), "?"))
                found[name, flow] = set(upstream) if back == "-" else set()
    return {link: own for link, own in found.items() if own}


def _distance(forward: structure.Graph, goals: Iterable[str]) -> dict[str, int]:
    """Links from each variable to the nearest goal."""
    backward: dict[str, list[str]] = {name: [] for name in forward}
    for source, targets in forward.items():
        for target in targets:
            backward[target].append(source)
    found = {goal: 0 for goal in goals if goal in forward}
    queue = deque(found)
    while queue:
        node = queue.popleft()
        for source in backward[node]:
            if source not in found:
                found[source] = found[node] + 1
                queue.append(source)
    return found


def _without(forward: structure.Graph, cut: Set[Link]) -> dict[str, list[str]]:
    return {
        source: [target for target in targets if (source, target) not in cut]
        for source, targets in forward.items()
    }


def opened(
    model: Model,
    links: Sequence[Link],
    moments: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.float64]],
) -> Model:
    """The model with each link's target reading the given course of its source, (T,) over ``moments``.

    Between these the course is a straight line. Initial values are as they were.
    """
    sources = {source: _planned(source, model) for source, _ in links}
    by_target: dict[str, dict[str, str]] = {}
    for source, target in links:
        by_target.setdefault(target, {})[source] = sources[source]

    def change(declaration: Declaration) -> Declaration:
        planned = by_target.get(declaration.name)
        if planned is None:
            return declaration
        if isinstance(declaration, Flow | Aux):
            names = {source: Name(name) for source, name in planned.items()}
            return replace(declaration, equation=substitute(declaration.equation, names))
        if isinstance(declaration, Table):
            return replace(declaration, input=planned[declaration.input])
        return declaration

    plans = [
        Data(
            name=name,
            path="",
            unit=getattr(model.variables[source], "unit", None),
            points=tuple(
                DataPoint(float(t), float(x)) for t, x in zip(moments, columns[source], strict=True)
            ),
        )
        for source, name in sources.items()
    ]
    # ``flat`` has modules unfolded: an equation inside one can be cut like any other.
    return replace(model, declarations=(*map(change, model.flat), *plans))


def _planned(source: str, model: Model) -> str:
    name = f"{source}__planned".replace(".", "_")
    while name in model:
        name += "_"
    return name
