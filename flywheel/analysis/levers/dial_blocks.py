"""Links, flows and tables as rows of the leverage table, so that the ladder has more than parameters.

Nobody has written down how far a link can be strengthened; ±20 % is assumed, as for a parameter
without a range, and the table says so.
"""

from __future__ import annotations

import numpy as np

from flywheel.analysis.levers.blocks import Block
from flywheel.kernel.dials import bin_input, link_input, scale_input
from flywheel.model import Flow
from flywheel.solve.study import Study
from flywheel.structure import components, graph, links, loop_of, shortest_path

RANGE = 0.2
"""How far a dial is turned to either side to see what it can attain."""
_STEP = 0.01


def dial_blocks(study: Study) -> tuple[Block, ...]:
    """The links inside feedback loops, the flows and the parts of tables of a study's model."""
    model = study.model
    groups = [group for group in components(graph(model)) if len(group) > 1]
    part = {name: number for number, group in enumerate(groups) for name in group}
    inside = [
        (one.source, one.target)
        for one in links(model)
        if part.get(one.source) == part.get(one.target, -1)
    ]
    flows = [name for name, v in model.variables.items() if isinstance(v, Flow)]
    tables = study.plan.system.lookups
    whole = study.dialled(inside).scaled(flows)
    if tables:
        whole = whole.raised()
    labels = {n: (v.text("en")[0], v.text("ko")[0]) for n, v in model.variables.items()}

    def called(name: str, language: int) -> str:
        return labels.get(name, (name, name))[language]

    blocks = []
    if inside:
        names = [link_input(*pair) for pair in inside]
        shown = [
            (f"{called(a, 0)} → {called(b, 0)}", f"{called(a, 1)} → {called(b, 1)}")
            for a, b in inside
        ]
        levels = [8 if _balances(study, *pair) else 7 for pair in inside]
        blocks.append(_block(whole, "link", names, shown, levels))
    if flows:
        shown = [(called(name, 0), called(name, 1)) for name in flows]
        names = [scale_input(name) for name in flows]
        blocks.append(_block(whole, "flow", names, shown, [10] * len(flows)))
    if tables:
        names = [bin_input(t.name, n) for t in tables for n in range(len(t.xs) + 1)]
        shown = [
            (f"{called(t.name, 0)} [{n}]", f"{called(t.name, 1)} [{n}]")
            for t in tables
            for n in range(len(t.xs) + 1)
        ]
        blocks.append(_block(whole, "table", names, shown, [5] * len(names)))
    return tuple(blocks)


def _balances(study: Study, source: str, target: str) -> bool:
    """Whether the shortest loop through a link is balancing, as far as its signs can be read."""
    back = shortest_path(graph(study.model), target, source)
    return back is not None and loop_of(study.model, (source, *back)).polarity == "B"


def _block(
    whole: Study,
    kind: str,
    names: list[str],
    labels: list[tuple[str, str]],
    levels: list[int],
) -> Block:
    count = len(names)
    gradient = whole.gradient(names)
    turns = np.concatenate([np.eye(count) * turn for turn in (-RANGE, RANGE, -_STEP, _STEP)])
    outcomes = whole.run(names, turns).outcomes.reshape(4, count, -1).transpose(2, 1, 0)
    zeros, nothing = np.zeros(count), np.full((len(whole.horizons), count), np.nan)
    return Block(
        kind=kind,
        names=tuple(names),
        labels=tuple(labels),
        value=zeros,
        scale=np.ones(count),
        low=np.full(count, -RANGE),
        high=np.full(count, RANGE),
        assumed=np.ones(count, dtype=bool),
        slope=gradient.values,
        profile=gradient.profile,
        ends=outcomes[:, :, :2],
        near=outcomes[:, :, 2:],
        step=np.full(count, _STEP),
        method=gradient.method,
        level=np.array(levels, dtype=int),
        cost=nothing,
    )
