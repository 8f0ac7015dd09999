"""Who misjudges a lever: observers who look too early, through noise, or without feedback.

An observer who judges after a time H adds up the difference seen so far, V₀(H), which noise of
standard deviation σ√H blurs. With H uniform on (0, H_obs] the chance of a wrong verdict on the sign of
the final value V is MUI_time. An observer who reasons without feedback expects V_open; MUI_fb is 1 where
that has the other sign ("counter-intuitive", Forrester 1971). The index is this project's own:
no numeric index was found in the literature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.levers.paths import Array, path

OBVIOUS = "obvious"
MISUNDERSTOOD = "misunderstood"
SEDUCTIVE = "seductive"
MINOR = "minor"

LARGE = 1.0 / 3.0
"""Q from which a lever counts as large: half of the median lever's worth."""
MISJUDGED = 0.5
"""MUI from which a lever counts as misjudged."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


_FEW = 100_000


def normal(x: Array) -> Array:
    """The distribution function of the standard normal. scipy takes a fifth of a second to import,
    which is not worth it for a few numbers."""
    if x.size > _FEW:
        from scipy.special import ndtr

        return np.asarray(ndtr(x))
    flat = [0.5 * math.erfc(-value * math.sqrt(0.5)) for value in x.ravel().tolist()]
    return np.array(flat).reshape(x.shape)


def misjudged_in_time(
    times: Array, difference: Array, worth: Array, *, observed: float, noise: Array
) -> Array:
    """MUI_time of M members: the mean chance of a wrong verdict over horizons in (0, ``observed``].

    ``difference`` (M, T) over ``times`` (T,), which start at the pull; ``worth`` (M,) is the final
    value whose sign is the truth; ``noise`` (M,) is σ, the standard deviation of what an observer has
    added up after one unit of time. Without noise it is the part of horizons with the wrong sign.
    A final value of 0 gives one half: nobody can be right. Members that failed are NaN.
    """
    sound = np.isfinite(difference).all(axis=1) & np.isfinite(worth)
    line = path(times - times[0], np.where(sound[:, None], difference, 0.0))
    begin = np.minimum(line.times[:, :-1], observed)
    width = np.minimum(line.times[:, 1:], observed) - begin
    whole = np.diff(line.times, axis=1)
    start, first = line.worth[:, :-1], line.values[:, :-1]
    bend = np.diff(line.values, axis=1) / np.where(whole > 0, whole, 1.0)
    # V₀ is monotone in a piece (d keeps its sign), so it has one zero there at most.
    gone = start + first * width + 0.5 * bend * width**2
    crosses = start * gone < 0
    root = np.sqrt(np.maximum(first**2 - 2.0 * bend * start, 0.0)) - np.sign(start) * first
    cut = np.where(crosses, 2.0 * np.abs(start) / np.where(root > 0, root, 1.0), 0.5 * width)
    cut = np.clip(cut, 0.0, width)
    truth = np.sign(worth)[:, None, None]
    wrong = np.zeros(len(line.times))
    for left, size in ((np.zeros_like(cut), cut), (cut, width - cut)):
        inside = left[..., None] + 0.5 * (_NODES + 1.0) * size[..., None]
        seen = start[..., None] + first[..., None] * inside + 0.5 * bend[..., None] * inside**2
        blur = noise[:, None, None] * np.sqrt(begin[..., None] + inside)
        doubt = np.where(
            blur > 0,
            normal(-truth * seen / np.where(blur > 0, blur, 1.0)),
            0.5 * (1.0 - truth * np.sign(seen)),
        )
        wrong += np.sum(0.5 * size * (doubt @ _WEIGHTS), axis=1)
    reach = min(observed, float(times[-1] - times[0]))
    return np.where(sound, wrong / reach, np.nan)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What L levers are worth and how they will be judged; all arrays (L,)."""

    feedback_share: Array
    """1 − V_open / V: what of the effect comes back round the loops. NaN where V is 0."""
    mui_fb: Array
    mui: Array
    size: Array
    """Q: |V| / (|V| + median |V| of all levers)."""
    mli: Array
    """Q · MUI · sign of V: above 0 a misunderstood good lever, below 0 a seductive bad one."""
    quadrant: tuple[str, ...]


def verdicts(worth: Array, opened: Array, mui_time: Array) -> Verdicts:
    """The index of L levers from V (L,), V_open (L,) and MUI_time (L,).

    NaN in ``opened`` (no open loop computed) leaves MUI to time alone. Levers with NaN in ``worth``
    take no part in the median and get NaN.
    """
    share = np.full_like(worth, np.nan)
    np.divide(opened, worth, out=share, where=(worth != 0) & np.isfinite(worth * opened))
    share = 1.0 - share
    against = np.where(np.isfinite(worth), (opened * worth < 0).astype(float), np.nan)
    mui = 1.0 - (1.0 - mui_time) * (1.0 - against)
    known = np.abs(worth[np.isfinite(worth)])
    middle = float(np.median(known)) if known.size else 0.0
    total = np.abs(worth) + middle
    size = np.divide(np.abs(worth), total, out=np.zeros_like(total), where=total != 0)
    mli = size * mui * np.sign(worth)
    quadrant = tuple(
        MINOR
        if not q >= LARGE
        else OBVIOUS
        if not m >= MISJUDGED
        else MISUNDERSTOOD
        if v > 0
        else SEDUCTIVE
        for q, m, v in zip(size, mui, worth, strict=True)
    )
    return Verdicts(share, against, mui, size, mli, quadrant)


def ranks(values: Array) -> NDArray[np.int_]:
    """1 for the largest; equal values keep their order, NaN comes last."""
    order = np.argsort(-np.where(np.isnan(values), -np.inf, values), kind="stable")
    found = np.empty(len(values), dtype=int)
    found[order] = np.arange(1, len(values) + 1)
    return found


def kendall(one: Array, other: Array) -> float:
    """Kendall's τ-b of two rankings (n,), by pairs; NaN where one of them is all ties.

    Kendall (1945), "The treatment of ties in ranking problems". Pairs with NaN are left out.
    """
    both = np.isfinite(one) & np.isfinite(other)
    a, b = one[both], other[both]
    left, right = np.triu_indices(len(a), 1)
    signs = np.sign(a[left] - a[right]), np.sign(b[left] - b[right])
    norm = np.sqrt(float(np.sum(signs[0] ** 2)) * float(np.sum(signs[1] ** 2)))
    return float(np.sum(signs[0] * signs[1])) / norm if norm > 0 else float("nan")
