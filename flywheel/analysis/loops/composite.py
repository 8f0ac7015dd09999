"""Links through delays, seen from outside: what happens inside ``smooth`` or ``delay3`` is one link.

The hidden stocks of a delay stay in the causal graph; from each variable that enters to the delay's
output runs a *composite* link, whose score at every moment is that of the pathway inside with the
largest score then (Eberlein and Schoenberg 2020). Loops wholly inside a delay disappear with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.trajectory import Structure

Array: TypeAlias = NDArray[np.float64]
_MACRO = re.compile(r"[^@]*@\w+:\d+")


@dataclass(frozen=True)
class Collapsed:
    """The causal graph with the insides of delays collapsed.

    ``ways`` holds, per link, its pathways as places of links of the structure: one pathway of one link
    outside delays. Outputs of delays stay nodes of their own (``owner@kind:n``).
    """

    links: tuple[tuple[str, str], ...]
    ways: tuple[tuple[tuple[int, ...], ...], ...]
    nodes: tuple[str, ...]

    @cached_property
    def graph(self) -> dict[str, tuple[str, ...]]:
        """The successors of every node."""
        after: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.links:
            after[source].append(target)
        return {name: tuple(targets) for name, targets in after.items()}

    @cached_property
    def place(self) -> Mapping[tuple[str, str], int]:
        """The place of each link."""
        return {link: n for n, link in enumerate(self.links)}

    def scores(self, scores: Array) -> Array:
        """Scores of the collapsed links from those of the structure's, (links, T) both."""
        found = np.empty((len(self.links), scores.shape[1]))
        for place, ways in enumerate(self.ways):
            if len(ways) == 1:
                found[place] = scores[list(ways[0])].prod(axis=0)
            else:
                found[place] = strongest([scores[list(way)].prod(axis=0) for way in ways])
        return found


def strongest(choices: Sequence[Array]) -> Array:
    """At every moment the one of the largest size."""
    stacked = np.array(choices)
    best = np.abs(stacked).argmax(axis=0)
    found: Array = np.take_along_axis(stacked, best[None], axis=0)[0]
    return found


def macro_of(name: str) -> str | None:
    """The delay that a hidden name belongs to, None for what belongs to none."""
    found = _MACRO.match(name)
    return found.group() if found else None


def collapse(shape: Structure) -> Collapsed:
    """The causal graph without the insides of delays."""
    macro = {name: macro_of(name) for name in shape.nodes}
    inside: dict[str, list[tuple[str, int]]] = {name: [] for name in shape.nodes}
    outputs: set[str] = set()
    entries: list[tuple[str, str, int]] = []
    found: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for place, link in enumerate(shape.links):
        own, other = macro[link.source], macro[link.target]
        if own and own == other:
            inside[link.source].append((link.target, place))
            continue
        if own:
            outputs.add(link.source)
        if other:
            entries.append((link.source, link.target, place))
        else:
            found[link.source, link.target] = [(place,)]
    for source, entry, place in entries:
        for output, way in _pathways(entry, inside, outputs):
            found.setdefault((source, output), []).append((place, *way))
    nodes = tuple(name for name in shape.nodes if macro[name] is None or name in outputs)
    links = {link: tuple(ways) for link, ways in found.items() if link[0] in nodes}
    return Collapsed(tuple(links), tuple(links.values()), nodes)


def _pathways(
    entry: str, inside: Mapping[str, Sequence[tuple[str, int]]], outputs: set[str]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """From a node in a delay every path to each of its outputs, as places of links."""
    path = [entry]
    way: list[int] = []
    if entry in outputs:
        yield entry, ()
    work = [iter(inside[entry])]
    while work:
        for target, place in work[-1]:
            if target not in path:
                path.append(target)
                way.append(place)
                if target in outputs:
                    yield target, tuple(way)
                work.append(iter(inside[target]))
                break
        else:
            work.pop()
            path.pop()
            if way:
                way.pop()
