"""Are the declared feedback loops there, and of the kind that their names say?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from flywheel.errors import Finding, Span
from flywheel.expr import key
from flywheel.model import Loop, Model
from flywheel.signs import Sign, times
from flywheel.structure import Graph, graph, links, reads, shortest_path


def check_loops(model: Model, strict: bool = False) -> tuple[Finding, ...]:
    """Findings about ``loop`` lines, in the order of the file.

    Codes: ``loop-not-closed`` (the path does not come back to its first name), ``loop-link-missing``
    (a name on the path does not read the one before it), ``loop-repeats`` (a name comes twice),
    ``loop-name`` (the name begins with neither R nor B), ``loop-sign`` (the equations themselves say
    that it is of the other kind). What equations cannot tell, ``reality.loop_polarity`` measures.
    ``strict`` changes nothing here.
    """
    if not model.declared_loops:
        return ()
    whole = graph(model)
    signs = {(link.source, link.target): link.sign for link in links(model)}
    findings: list[Finding] = []
    for loop in model.declared_loops.values():
        before = len(findings)
        findings += _path(model, loop, whole)
        findings += _name(loop)
        if len(findings) == before:
            findings += _sign(model, loop, signs)
    return tuple(findings)


def declared_sign(loop: Loop) -> str:
    """``+`` for a loop whose name begins with R, ``-`` for B, empty for any other name.

    The name is that in its own file, without the prefix of the module that it came with.
    """
    own = loop.name.rpartition(".")[2]
    return {"r": "+", "b": "-"}.get(own[:1].casefold(), "")


def _place(loop: Loop) -> Span | None:
    return loop.span or loop.name_span


def _path(model: Model, loop: Loop, whole: Graph) -> list[Finding]:
    path = loop.path
    if len(path) < 2 or key(path[0]) != key(path[-1]):
        first = path[0] if path else "name"
        return [
            Finding(
                "error",
                "loop-not-closed",
                f"loop {loop.name!r} does not come back to {first!r}",
                _place(loop),
                f"end the path with -> {first}",
            )
        ]
    repeated = {name for name in path[:-1] if path[:-1].count(name) > 1}
    findings = [
        Finding(
            "error",
            "loop-repeats",
            f"loop {loop.name!r} passes through {name!r} twice; it is two loops",
            _place(loop),
        )
        for name in sorted(repeated)
    ]
    for source, target in pairwise(path):
        if source not in whole or target not in whole:
            continue  # names.py says so
        if target not in whole[source]:
            findings.append(_no_link(model, loop, source, target, whole))
    return findings


def _no_link(model: Model, loop: Loop, source: str, target: str, whole: Graph) -> Finding:
    way = shortest_path(whole, source, target) if source != target else None
    if way is not None:
        hint = " -> ".join(way)
    elif source in whole[target]:
        hint = f"it is the other way round: {target} -> {source}"
    else:
        hint = f"{target} depends on: {', '.join(reads(model, target)) or 'nothing'}"
    return Finding(
        "error",
        "loop-link-missing",
        f"loop {loop.name!r} says {source} -> {target}, but {target!r} does not depend directly "
        f"on {source!r}",
        _place(loop),
        hint,
    )


def _name(loop: Loop) -> list[Finding]:
    if declared_sign(loop):
        return []
    return [
        Finding(
            "warning",
            "loop-name",
            f"the name of loop {loop.name!r} does not say whether it reinforces or balances",
            loop.name_span or loop.span,
            f"R_{loop.name} for a reinforcing loop, B_{loop.name} for a balancing one",
        )
    ]


def _sign(model: Model, loop: Loop, signs: Mapping[tuple[str, str], Sign]) -> list[Finding]:
    if any(name not in model.variables for name in loop.path):
        return []
    found = times(*(signs[link] for link in pairwise(loop.path)))
    declared = declared_sign(loop)
    if found in ("?", declared):
        return []
    negative = [
        f"{source} -> {target}"
        for source, target in pairwise(loop.path)
        if signs[source, target] == "-"
    ]
    kind, other = ("reinforcing", "balancing") if declared == "+" else ("balancing", "reinforcing")
    count = f"{len(negative)} of its links {'is' if len(negative) == 1 else 'are'} negative"
    return [
        Finding(
            "error",
            "loop-sign",
            f"loop {loop.name!r} is called {kind}, but its equations make it {other}: {count}",
            _place(loop),
            ", ".join(negative),
        )
    ]
