"""How the difference that a lever makes swings: worse before better, better before worse.

The definitions are those of a difference d(t), the lever's run minus the run without it, turned so
that more is better; Ȳ is the mean size of the watched variable without the lever and V the discounted
integral of d. Nobody found so far has put numbers on Forrester's (1971) counter-intuitive
behaviour, the capability trap of Repenning and Sterman (2001) or the improvement paradox of Keating
et al. (1999) in this way; the measures themselves (pay-back, internal rate of return) are those of
any investment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.levers.paths import Array, Path, internal_rates, path

THRESHOLD = 0.01
"""Part of Ȳ from which a difference counts as felt."""
_ROUNDING = 1e-11
"""Part of the largest difference that is taken for rounding: two runs never agree to the last bit."""

BETTER = "better"
WORSE = "worse"
WORSE_FIRST = "worse before better"
BETTER_FIRST = "better before worse"
MIXED = "mixed"
NONE = "no effect"


@dataclass(frozen=True, eq=False)
class Swing:
    """The dip of M members; times are counted from the pull, in the model's unit of time.

    ``rates`` are continuous internal rates of return, all of them, ascending; an empty tuple says
    that there is none. A member whose run failed has NaN throughout and the shape "failed".
    """

    shape: tuple[str, ...]
    """better, worse, worse before better, better before worse, mixed (the sign changes more than
    once), no effect; by differences of at least the threshold."""
    first: NDArray[np.int_]
    """The sign of the first difference that is felt; 0 where none is."""
    depth: Array
    """How far below the run without the lever it gets, in parts of Ȳ."""
    trough: Array
    """When that is; NaN where it never is below."""
    depth_then: Array
    """How far below, in parts of the size of the run without the lever at the trough's own time: in a
    growing business much more than ``depth`` for an early trough. NaN where ``usual`` was not given,
    where that size is 0, or where it never is below."""
    t_flow: Array
    """When the last interval with d < 0 ends: 0 if there is none, infinite if it lasts to the end."""
    t_pay: Array
    """When the last interval with V < 0 ends: the pay-back time."""
    debt: Array
    """The largest −V over Ȳ: units of time of the normal flow that are invested."""
    pain_share: Array
    """The negative part of the discounted area between the runs; NaN where there is no area."""
    npv: Array
    """V at the end."""
    rates: tuple[tuple[float, ...], ...]


def swing(
    times: Array,
    difference: Array,
    scale: float | Array,
    *,
    rate: float = 0.0,
    threshold: float = THRESHOLD,
    returns: bool = True,
    usual: Array | None = None,
) -> Swing:
    """The dip metrics of M differences (M, T) over ``times`` (T,), which start at the pull.

    ``scale`` is Ȳ, one number or (M,); where it is 0 or not finite what is relative to it is NaN.
    ``rate`` is the continuous discount rate; without ``returns`` no internal rates are looked for,
    which takes most of the time. ``usual`` (M, T) is the run without the lever, for
    ``depth_then``. All integrals are exact for straight pieces between
    saves, with zero crossings as nodes of their own.

    Raises UsageError where times do not rise or shapes do not fit.
    """
    elapsed = times - times[0]
    given = np.asarray(difference, dtype=float)
    sound = np.isfinite(given).all(axis=1)
    biggest = np.abs(np.where(sound[:, None], given, 0.0)).max(axis=1, initial=0.0)
    noise = (_ROUNDING * biggest)[:, None]
    clean = np.where(sound[:, None] & (np.abs(given) > noise), given, 0.0)
    normal = np.broadcast_to(np.asarray(scale, dtype=float), biggest.shape)
    normal = np.where((normal > 0) & np.isfinite(normal), normal, np.nan)
    line = path(elapsed, clean, rate)
    signs = _felt(line, threshold * np.nan_to_num(normal))
    lowest = clean.min(axis=1)
    dips = lowest < 0
    area = np.abs(line.steps).sum(axis=1)
    pain = np.maximum(0.0 - line.steps, 0.0).sum(axis=1)
    gone = ~sound
    deepest = clean.argmin(axis=1)
    then = np.full(len(clean), np.nan)
    if usual is not None:
        level = np.abs(usual)[np.arange(len(clean)), deepest]
        np.divide(-lowest, level, out=then, where=dips & (level > 0))

    def only(values: Array) -> Array:
        return np.where(gone, np.nan, values)

    return Swing(
        shape=tuple(
            "failed" if lost else _shape(row) for lost, row in zip(gone, signs, strict=True)
        ),
        first=np.where(gone, 0, [row[0] if row else 0 for row in signs]),
        depth=only(np.maximum(0.0, 0.0 - lowest) / normal),
        trough=only(np.where(dips, elapsed[deepest], np.nan)),
        depth_then=only(then),
        t_flow=only(_last_negative(line)),
        t_pay=only(line.last_repaid(_ROUNDING * area)),
        debt=only(np.maximum(0.0, 0.0 - line.worth.min(axis=1)) / normal),
        pain_share=only(np.divide(pain, area, out=np.full_like(area, np.nan), where=area > 0)),
        npv=only(line.worth[:, -1]),
        rates=internal_rates(elapsed, clean) if returns else ((),) * len(clean),
    )


def _felt(line: Path, floor: Array) -> list[list[int]]:
    """Per member the signs of what is felt, in order, each once until it changes."""
    found = []
    for values, least in zip(line.values, floor, strict=True):
        signs = np.sign(values[np.abs(values) > least]).astype(int)
        turns = signs[1:][signs[1:] != signs[:-1]]
        found.append([int(sign) for sign in (*signs[:1], *turns)])
    return found


def _shape(signs: list[int]) -> str:
    match signs:
        case []:
            return NONE
        case [1]:
            return BETTER
        case [-1]:
            return WORSE
        case [-1, 1]:
            return WORSE_FIRST
        case [1, -1]:
            return BETTER_FIRST
        case _:
            return MIXED


def _last_negative(line: Path) -> Array:
    """(M,) the end of the last piece below zero; 0 without one, infinity where it ends the path."""
    below = (line.values[:, :-1] < 0) | (line.values[:, 1:] < 0)
    last = below.shape[1] - 1 - np.argmax(below[:, ::-1], axis=1)
    ends = line.times[np.arange(len(last)), last + 1]
    still = line.values[:, -1] < 0
    found: Array = np.where(below.any(axis=1), np.where(still, np.inf, ends), 0.0)
    return found
