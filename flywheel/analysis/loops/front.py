"""``loops_that_matter``: from a model to the loops that move it, when and how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.composite import collapse
from flywheel.analysis.loops.dominance import change_weight
from flywheel.analysis.loops.matter import LoopsThatMatter, LoopThatMatters
from flywheel.analysis.loops.scores import link_scores
from flywheel.analysis.loops.search import LIMIT, SECONDS, Loop, find_loops
from flywheel.analysis.loops.shares import RETAIN, Shares, named, polarity, share_out
from flywheel.analysis.loops.trajectory import Trajectory, trajectory
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError
from flywheel.expr import key
from flywheel.model import Model

Array: TypeAlias = NDArray[np.float64]
_LISTED = 100
"""At most so many loops that never act are listed."""


def loops_that_matter(
    model: Model,
    *,
    convention: str = "last",
    method: str = "rk4",
    scenario: str | None = None,
    overrides: Mapping[str, float] | None = None,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
    seed: int = 0,
    limit: int = LIMIT,
    seconds: float = SECONDS,
    retain: float = RETAIN,
) -> LoopsThatMatter:
    """Run a model and say which of its feedback loops carry how much of the change, over time.

    Parameters
    ----------
    convention:
        How a link is scored: ``last`` (Stella's numbers), ``first`` (the papers'), ``shapley`` (their
        mean), ``continuous`` (the limit of small steps, by exact slopes; not for models that jump).
    method, scenario, overrides, start, stop, step, save, seed:
        As in ``simulate``; scores are taken over one step, at the saved times.
    limit, seconds:
        The most loops to look for, and the time for it.
    retain:
        Loops are kept whose share is at least this at some time, or that are the largest then.

    Method: Schoenberg, Davidsen and Eberlein (2020), Schoenberg, Hayward and Eberlein (2023).
    Raises UnknownNameError, UsageError, ModelError as ``simulate`` does. A run that fails is data: what
    came before the failure is analysed and ``failure`` says what happened.
    """
    if limit < 1 or not seconds > 0 or not 0 <= retain < 1:
        raise UsageError("limit must be at least 1, seconds above 0, retain from 0 to below 1")
    path = trajectory(
        model,
        method=method,
        scenario=scenario,
        overrides=overrides,
        start=start,
        stop=stop,
        step=step,
        save=save,
        seed=seed,
    )
    settings = {"scenario": scenario, "overrides": dict(overrides or {})}
    return score_run(
        path, convention, limit, seconds, retain, {k: v for k, v in settings.items() if v}
    )


def score_run(
    path: Trajectory,
    convention: str = "last",
    limit: int = LIMIT,
    seconds: float = SECONDS,
    retain: float = RETAIN,
    settings: Mapping[str, object] | None = None,
) -> LoopsThatMatter:
    """The loops that matter along a run that is there already (``trajectory``)."""
    small = collapse(path.structure)
    scores = small.scores(link_scores(path, convention))
    seeds = [name for name in small.nodes if name in path.structure.states]
    search = find_loops(small.graph, small.links, scores, seeds=seeds, limit=limit, seconds=seconds)
    shared = share_out(search.loops, small.links, scores, retain)
    times = path.times[path.saves]
    loops = tuple(_described(path.model, [search.loops[n] for n in shared.kept], shared, times))
    main = int(shared.partition[np.argmax(shared.rivals)]) if loops else 0
    rows = path.saves
    stocks = [s for s in path.structure.stocks if "@" not in s]
    weight = change_weight(
        {s: path.rates[s][rows] for s in stocks}, {s: path.value(s)[rows] for s in stocks}
    )
    idle = shared.idle if search.method == "exact" else shared.idle[:0]
    for array in (times, shared.shares, shared.scores, weight, scores):
        array.flags.writeable = False
    unit = path.model.time.unit
    stamp = Stamp(
        path.model.name,
        path.model.hash,
        "share of change by loop",
        (float(times[-1] - times[0]) if len(times) else 0.0,),
        path.grid.start,
        "" if unit is None else str(unit),
        f"{path.method}, loop scores {convention}",
        path.grid.step,
        path.seed,
        {
            "search": search.method,
            "complete": search.complete,
            "retain": retain,
            **(settings or {}),
        },
    )
    return LoopsThatMatter(
        stamp=stamp,
        times=times,
        loops=loops,
        shares=shared.shares,
        scores=shared.scores,
        weight=weight,
        main=main,
        found=len(search.loops),
        search=search.method,
        complete=search.complete,
        idle=tuple(_visible(search.loops[n]) for n in idle[:_LISTED]),
        idle_count=len(idle),
        links=small.links,
        link_scores=scores,
        failure=path.failure,
    )


def _described(
    model: Model, loops: Sequence[Loop], shared: Shares, times: Array
) -> Iterator[LoopThatMatters]:
    """Each kept loop with its name: the model's own where it declares the loop."""
    order = {name: place for place, name in enumerate(model.variables)}
    declared = {_turned(loop.path[:-1], order): loop for loop in model.declared_loops.values()}
    signs = [polarity(shares) for shares in shared.shares]
    taken = {key(loop.name) for loop in model.declared_loops.values()}
    names = named(signs, taken)
    for row, (nodes, sign, name) in enumerate(zip(loops, signs, names, strict=True)):
        turned = _turned(nodes, order)
        path = _visible(turned)
        own = declared.get(path)
        sizes = np.abs(shared.shares[row])
        acts = sizes > 0
        yield LoopThatMatters(
            name=own.name if own else name,
            label=own.text()[0] if own else "",
            path=path,
            nodes=turned,
            polarity=sign,
            share=float(sizes[acts].mean()) if acts.any() else 0.0,
            peak=float(sizes.max(initial=0.0)),
            peak_time=float(times[int(sizes.argmax())]),
            partition=int(shared.partition[row]),
            rivals=int(shared.rivals[row]),
            korean=own.text("ko")[0] if own else "",
        )


def _turned(path: Sequence[str], order: Mapping[str, int]) -> Loop:
    """A closed path, beginning at the variable that stands first in the file."""
    first = min(range(len(path)), key=lambda place: order.get(path[place], len(order)))
    return (*path[first:], *path[:first])


def _visible(nodes: Sequence[str]) -> Loop:
    return tuple(name for name in nodes if "@" not in name)
