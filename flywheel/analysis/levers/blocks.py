"""The rows of a leverage table: what is moved, by how much, and what the runs say about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.levers.levels import PARAMETER, levels_of
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import bench
from flywheel.analysis.sensitivity.ranges import AROUND, Range, ranges_of
from flywheel.model import Lever
from flywheel.solve.members import Gradient
from flywheel.solve.study import Study

STEP = 1e-3
"""The small step of the confirming runs, in parts of the value or, where that is less, of the range."""


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of one kind, before they are ranked: R elements, H horizons, T saves.

    ``scale`` is what one unit of elasticity moves: the value of a parameter, 1 for a lever or dial
    and for a point in time, of which a percent means nothing.
    ``slope`` (H, R) is d outcome / d element, ``profile`` (H, T, R) when it acts. ``ends`` (H, R, 2)
    are outcomes at ``low`` and ``high``, ``near`` (H, R, 2) at ``step`` below and above; NaN where no
    run was made. ``cost`` (H, R) is that of the high end.
    """

    kind: str
    names: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    value: Array
    scale: Array
    low: Array
    high: Array
    assumed: NDArray[np.bool_]
    slope: Array
    profile: Array
    ends: Array
    near: Array
    step: Array
    method: tuple[str, ...]
    level: NDArray[np.int_]
    cost: Array


def input_blocks(
    study: Study,
    params: Iterable[str] | None,
    initials: Iterable[str] | None,
    ranges: Mapping[str, Range],
) -> list[Block]:
    """Blocks of parameters and of initial values, all of their runs in one batch."""
    model, at_start = study.model, study.since <= float(study.times[0])
    inside = set(study.inputs)
    stocks = [s for s in model.stocks if s in inside] if at_start else []
    own = [study.spelled(n) for n in (model.params if params is None else params)]
    starts = [study.spelled(n) for n in (stocks if initials is None else initials)]
    names = [*own, *starts]
    if not names:
        return []
    base = np.array([study.base(name) for name in names])
    initial = {name: study.base(name) for name in starts}
    known = ranges_of(model, None, {k: v for k, v in ranges.items() if k in model.params}, initial)
    bounds, assumed = _bounds(study, names, base, known, ranges)
    # A moment such as 2010 is no size, and 0 has no percent: there the range says what is small.
    width = bounds[:, 1] - bounds[:, 0]
    usual = np.array([_size(study, name) for name in names])
    step = STEP * np.fmin(np.where(base != 0, np.abs(base), usual), width)
    gradient: Gradient = study.gradient(names)
    for k, name in enumerate(names):
        if gradient.method[k] == "fd":
            step[k] = study.difference_step(name)
    moves = np.stack([bounds[:, 0], bounds[:, 1], base - step, base + step], axis=1)
    made = np.isfinite(moves) & (moves != base[:, None])
    rows = np.repeat(base[None, :], int(made.sum()), axis=0)
    element = np.nonzero(made)[0]
    rows[np.arange(len(rows)), element] = moves[made]
    outcomes = np.full((len(study.horizons), len(names), 4), np.nan)
    outcomes[:] = np.asarray(study.value)[:, None, None]
    outcomes[:, ~np.isfinite(moves)] = np.nan
    if len(rows):
        outcomes[:, made] = study.run(names, rows).outcomes.T
    level = levels_of(model)
    found = []
    for kind, part in (("parameter", slice(0, len(own))), ("initial", slice(len(own), None))):
        some = tuple(names[part])
        if some:
            found.append(
                Block(
                    kind=kind,
                    names=some,
                    labels=tuple((model[n].text("en")[0], model[n].text("ko")[0]) for n in some),
                    value=base[part],
                    scale=np.array([1.0 if is_moment(study, n) else study.base(n) for n in some]),
                    low=bounds[part, 0],
                    high=bounds[part, 1],
                    assumed=assumed[part],
                    slope=gradient.values[:, part],
                    profile=gradient.profile[:, :, part],
                    ends=outcomes[:, part, :2],
                    near=outcomes[:, part, 2:],
                    step=step[part],
                    method=tuple(gradient.method[part]),
                    level=np.array([level.get(n, PARAMETER) for n in some], dtype=int),
                    cost=np.full((len(study.horizons), len(some)), np.nan),
                )
            )
    return found


def is_moment(study: Study, name: str) -> bool:
    """Whether a parameter is a point in time, such as a year, and no duration or size."""
    time, param = study.model.time, study.model.params.get(name)
    if param is None or time.unit is None or param.unit is None or time.start == 0:
        return False
    inside = time.start <= param.value <= time.stop
    return inside and str(param.unit) == str(time.unit)


def _size(study: Study, name: str) -> float:
    """How large a stock usually is, for one that starts at 0; 0 for a parameter."""
    if name not in study.model.stocks:
        return 0.0
    return float(np.abs(study.column(name)).mean())


def _bounds(
    study: Study,
    names: Sequence[str],
    base: Array,
    known: Mapping[str, object],
    given: Mapping[str, Range],
) -> tuple[Array, NDArray[np.bool_]]:
    """Plausible ends (n, 2) of each input, NaN where there are none; and whether they are assumed."""
    bounds = np.full((len(names), 2), np.nan)
    assumed = np.zeros(len(names), dtype=bool)
    for k, name in enumerate(names):
        distribution, param = known.get(name), study.model.params.get(name)
        stated = given.get(name)
        if isinstance(stated, tuple):
            bounds[k] = stated
        elif hasattr(distribution, "low") and hasattr(distribution, "high"):
            bounds[k] = distribution.low, distribution.high
            assumed[k] = stated is None and (param is None or None in (param.low, param.high))
        elif param is None and base[k] != 0:
            stock = study.model.stocks[name]
            around = np.array([1.0 - AROUND, 1.0 + AROUND]) * base[k]
            bounds[k] = np.clip(
                np.sort(around),
                -np.inf if stock.low is None else stock.low,
                np.inf if stock.high is None else stock.high,
            )
            assumed[k] = True
    return bounds, assumed


def lever_block(study: Study, levers: tuple[Lever, ...], discount: float | None) -> Block:
    """The block of levers: how far each is pulled is the element, from 0 to 1."""
    count, horizons = len(levers), len(study.horizons)
    on = bench(study, levers)
    eye = np.eye(count)
    members = on.run(np.concatenate([eye, -STEP * eye, STEP * eye]))
    full, below, above = np.split(members.outcomes, 3)
    outcome = study.model.outcomes.get(study.name)
    declared = outcome.discount if outcome is not None else 0.0
    origin = float(study.times[0]) if outcome is None or outcome.since is None else outcome.since
    rate = math.log1p(declared if discount is None else discount)
    gradient = study.gradient(list(dict.fromkeys(one.param for one in levers)))
    slope = ((above - below) / (2 * STEP)).T
    profile = np.full((horizons, len(study.times), count), np.nan)
    method = ["fd"] * count
    for k, one in enumerate(levers):
        place = gradient.names.index(one.param)
        acts = float(one.at or 0.0)
        if gradient.method[place] == "adjoint" and acts >= study.since:
            # A pull moves the parameter from its own time on: what acts before is left out.
            profile[:, :, k] = gradient.profile[:, :, place] * study.move(one)
            later = np.concatenate([[float(study.times[0])], study.times[:-1]]) >= acts - 1e-9
            later[0] = acts <= float(study.times[0])
            profile[:, ~later, k] = 0.0
            slope[:, k] = profile[:, :, k].sum(axis=1)
            method[k] = "adjoint"
    level = levels_of(study.model)
    baseline = np.broadcast_to(np.asarray(study.value)[:, None], (horizons, count))
    cost = np.stack([on.costs(members, k, rate, float(origin))[k] for k in range(count)], axis=1)
    return Block(
        kind="lever",
        names=tuple(one.name for one in levers),
        labels=tuple((one.text("en")[0], one.text("ko")[0]) for one in levers),
        value=np.zeros(count),
        scale=np.ones(count),
        low=np.zeros(count),
        high=np.ones(count),
        assumed=np.zeros(count, dtype=bool),
        slope=slope,
        profile=profile,
        ends=np.stack([baseline, full.T], axis=-1),
        near=np.stack([below.T, above.T], axis=-1),
        step=np.full(count, STEP),
        method=tuple(method),
        level=np.array(
            [one.level or level.get(one.name, level.get(one.param, PARAMETER)) for one in levers],
            dtype=int,
        ),
        cost=cost,
    )
