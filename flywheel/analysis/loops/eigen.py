"""Which loop makes a model grow, damp or swing at a moment: eigenvalue influence.

The whole graph is linearised: y = Gy y + Gx x for flows and auxiliaries, dx/dt = H y + D x for stocks
(D holds the rates of hidden stocks, which read stocks directly). With K = 1/(I - Gy) the stocks obey
A = H K Gx + D. For a mode with l A = lambda l, A r = lambda r, l r = 1, how much a link adds to the
eigenvalue is its gain times what follows it times what precedes it,

    M(u -> v) = g (dL/dv) (du),  dL/dv = (l H K)_v or l_v,  du = (K Gx r)_u or r_u,

and in = out at every node (Kirchhoff), so that it can be shared out over independent loops:
sum of mu over the loops of a link = M, and the sum over all loops of (stocks in it) mu = lambda.
The real part of mu is a loop's leverage on growth and damping, the imaginary part on the frequency.
Forrester N. 1982; Kampmann 2012 SDR 28(4):370-395; Oliva 2016 and Naumov and Oliva 2018 for tools.

The modes are found in each strongly connected part by itself. A mode lives in one part only, and what
lies outside (a chain of delay stages that nothing returns from) would only make the matrix defective.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.independent import Loop, incidence, independent_loops, steps
from flywheel.analysis.loops.linear import Complexes, Floats, Linearisation, through
from flywheel.errors import UsageError
from flywheel.structure import components

# An eigenvalue this sensitive has lost half of the digits or more, as those of a Jordan block do.
_DEFECTIVE = 1e6
# Equal eigenvalues of a defective block come out split by about eps^(1/order): this holds order 6.
_SPLIT = 1e-2
_ZERO = 1e-9
_RESONANCE = 1e10


@dataclass(frozen=True, eq=False)
class Modes:
    """The modes of a linearisation, by descending growth rate.

    ``values`` (K,), ``left`` and ``right`` (K, s) with l r = 1, ``influence`` (K, E) of every link,
    ``conditions`` (K,) the sensitivity of each eigenvalue to errors of the matrix (1 is best),
    ``residuals`` (K,) the largest violation of in = out, relative. ``parts`` names the stocks of the
    strongly connected part that each mode lives in; ``feedback`` is False for the mode of a stock
    without a loop (a plain accumulator), ``nought`` marks eigenvalues that are 0 within rounding,
    ``scales`` are the sizes of the parts' rates.
    ``notes`` says what is doubtful about a mode, else empty.
    """

    system: Linearisation
    values: Complexes
    left: Complexes
    right: Complexes
    influence: Complexes
    conditions: Floats
    residuals: Floats
    parts: tuple[tuple[str, ...], ...]
    feedback: NDArray[np.bool_]
    nought: NDArray[np.bool_]
    scales: Floats
    notes: tuple[str, ...]
    reason: str = ""
    """Why there are no modes, when the linearisation has gains that are not finite."""

    @property
    def elasticity(self) -> Complexes:
        """(K, E) relative change of an eigenvalue per relative change of a gain; NaN where it is 0."""
        found = np.full_like(self.influence, np.nan)
        moving = ~self.nought
        found[moving] = self.influence[moving] / self.values[moving, np.newaxis]
        return found

    @property
    def doubling(self) -> Floats:
        """(K,) time in which a mode doubles; NaN where it does not grow."""
        rates = np.where(self.values.real > 0, self.values.real, np.nan)
        return np.asarray(math.log(2) / rates)

    @property
    def periods(self) -> Floats:
        """(K,) length of a swing; NaN where a mode does not swing."""
        turns = np.where(self.values.imag != 0, np.abs(self.values.imag), np.nan)
        return np.asarray(2 * math.pi / turns)

    def shares(self, velocity: Sequence[float]) -> Complexes:
        """(s, K) how the rates of the stocks divide among the modes: r_ik (l_k . rates).

        The rows sum to the rates. NaN for modes whose vectors are not known (see ``notes``).
        """
        given = np.asarray(velocity, dtype=float)
        return np.asarray(self.right.T * (self.left @ given), dtype=complex)

    def weights(self, velocity: Sequence[float]) -> Complexes:
        """(s, K) weight of each mode in each stock, share / lambda: x(t) - x0 = sum w (e^(lt) - 1).

        NaN where lambda is 0: such a mode adds a straight line of slope ``shares``.
        """
        found = np.full(self.right.T.shape, np.nan, dtype=complex)
        moving = ~self.nought
        found[:, moving] = self.shares(velocity)[:, moving] / self.values[moving]
        return found


@dataclass(frozen=True, eq=False)
class LoopInfluence:
    """What each of a set of independent loops adds to each eigenvalue.

    ``mu`` (K, L); ``residuals`` (K,) the relative part of the link influences that the loops cannot
    carry (0 for a full set), ``order_sums`` (K,) the sum of (stocks in the loop) mu, which is lambda.
    """

    modes: Modes
    loops: tuple[Loop, ...]
    orders: tuple[int, ...]
    mu: Complexes
    residuals: Floats
    order_sums: Complexes
    how: Literal["full", "shortest"]


def modes_of(system: Linearisation) -> Modes:
    """The modes of a linearisation and the influence of every link on each.

    A mode whose eigenvalue is all but defective (condition above a million) shares the mean influence
    of its group of near-equal eigenvalues, which is sound where that of the single mode is not; its
    note says so.
    """
    if not np.isfinite(system.gains).all():
        bad = [
            link for link, g in zip(system.links, system.gains, strict=True) if not np.isfinite(g)
        ]
        where = " -> ".join(bad[0])
        return _nothing(system, f"the gain of {where} is not finite at this moment")
    if not system.stocks:
        return _nothing(system, "there are no stocks")
    found = [mode for part in _parts(system) for mode in _modes_in(system, part)]
    # Equal growth rates come out a rounding apart; their order must not hang on that.
    coarse = _ZERO * max(abs(m.value) for m in found) or 1.0

    def order(mode: _Mode) -> tuple[object, ...]:
        growth, turn = (round(x / coarse) for x in (mode.value.real, mode.value.imag))
        return -growth, sorted(mode.part), abs(turn), -turn

    found.sort(key=order)
    return Modes(
        system,
        np.array([m.value for m in found]),
        np.array([m.left for m in found]),
        np.array([m.right for m in found]),
        np.array([m.influence for m in found]),
        np.array([m.condition for m in found]),
        np.array([_kirchhoff(system, m) for m in found]),
        tuple(m.part for m in found),
        np.array([m.feedback for m in found]),
        np.array([m.nought for m in found]),
        np.array([m.scale for m in found]),
        tuple(m.note for m in found),
    )


def loop_influence(
    modes: Modes, loops: Iterable[Sequence[str]], how: Literal["full", "shortest"] = "full"
) -> LoopInfluence:
    """Shares the influence of the links out over independent ones of ``loops`` (those active now).

    Raises UsageError for a loop that runs through a link that is not there.
    """
    system = modes.system
    active, known = set(system.active), set(system.links)
    running = []
    for loop in loops:
        links = steps(loop)
        if not known.issuperset(links):
            missing = next(link for link in links if link not in known)
            raise UsageError(f"there is no link {missing[0]} -> {missing[1]}")
        if active.issuperset(links):
            running.append(loop)
    chosen = independent_loops(running, system.active, how)
    stocks = set(system.stocks)
    orders = tuple(sum(name in stocks for name in loop) for loop in chosen)
    through = incidence(chosen, system.links)
    mu, residuals = np.zeros((len(modes.values), len(chosen)), complex), np.zeros(len(modes.values))
    if chosen and len(modes.values):
        mu = np.linalg.lstsq(through.T.astype(complex), modes.influence.T, rcond=None)[0].T
        misfit = np.abs(mu @ through - modes.influence).max(axis=1)
        residuals = misfit / np.maximum(np.abs(modes.influence).max(axis=1), modes.scales)
    return LoopInfluence(modes, chosen, orders, mu, residuals, mu @ np.array(orders, float), how)


# One strongly connected part ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Mode:
    value: complex
    left: Complexes
    right: Complexes
    influence: Complexes
    condition: float
    part: tuple[str, ...]
    feedback: bool
    nought: bool
    scale: float
    note: str


def _nothing(system: Linearisation, reason: str) -> Modes:
    empty, s = np.zeros(0), len(system.stocks)
    vectors, links = np.zeros((0, s), complex), np.zeros((0, len(system.links)), complex)
    return Modes(
        system,
        np.zeros(0, complex),
        vectors,
        vectors,
        links,
        empty,
        empty,
        (),
        np.zeros(0, dtype=bool),
        np.zeros(0, dtype=bool),
        empty,
        (),
        reason,
    )


def _parts(system: Linearisation) -> list[tuple[str, ...]]:
    """The stocks of each strongly connected part of the active links, then those without a loop."""
    graph: dict[str, list[str]] = {name: [] for name in system.names}
    for source, target in system.active:
        graph[source].append(target)
    stocks = set(system.stocks)
    parts = [tuple(name for name in part if name in stocks) for part in components(graph)]
    inside = {name for part in parts for name in part}
    return [*parts, *((name,) for name in system.stocks if name not in inside)]


def _modes_in(system: Linearisation, part: tuple[str, ...]) -> list[_Mode]:
    place = {name: n for n, name in enumerate(system.stocks)}
    here = [place[name] for name in part]
    if not here:
        return []
    whole = system.jacobian
    block = whole[np.ix_(here, here)]
    # Conditions are those of the balanced matrix: they must not depend on the units of the stocks.
    balanced, units = _balanced(block)
    scale = float(np.abs(balanced).max()) or 1.0
    values, right = np.linalg.eig(balanced.astype(complex))
    inverse, conditions = _left(right)
    left, right = inverse / units, units[:, np.newaxis] * right
    feedback = bool(block.any())
    groups = _groups(values, conditions, scale)
    around = _Around(whole, here)
    found: list[_Mode] = []
    inner = [_influence(system, here, left[k], right[:, k]) for k in range(len(values))]
    for k, value in enumerate(values):
        note = ""
        influence = inner[k]
        group = next((g for g in groups if k in g), (k,))
        if not np.isfinite(left[k]).all():
            note = "defective: the modes have no vectors of their own"
        elif len(group) > 1:
            influence = np.mean([inner[j] for j in group], axis=0)
            note = (
                f"near-defective (condition {conditions[k]:.1g}): influences are the mean of "
                f"{len(group)} near-equal modes"
            )
        elif conditions[k] > _DEFECTIVE:
            note = f"ill-conditioned (condition {conditions[k]:.1g}): half of the digits are lost"
        nought = abs(value) <= _ZERO * scale
        if nought and feedback and not note:
            note = "the eigenvalue is 0: elasticities and weights are not defined"
        before, after = around.extend(complex(value), left[k], right[:, k])
        if not (np.isfinite(before).all() and np.isfinite(after).all()) and not note:
            note = "resonates with another part: its weights in the stocks are not known"
        found.append(
            _Mode(
                complex(value),
                before,
                after,
                influence,
                float(conditions[k]),
                part,
                feedback,
                nought,
                scale,
                note,
            )
        )
    return found


def _balanced(matrix: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    """The matrix in units of the stocks that make its rows and columns alike, and those units."""
    from scipy.linalg import matrix_balance

    balanced, (units, _) = matrix_balance(matrix, permute=False, separate=True)
    return balanced, units


def _left(right: Complexes) -> tuple[Complexes, Floats]:
    """Left vectors (rows) for right ones (columns), and the condition of each eigenvalue."""
    try:
        left = np.linalg.inv(right)
    except np.linalg.LinAlgError:
        return np.full_like(right, np.nan), np.full(len(right), np.inf)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=0)
    return np.asarray(left, dtype=complex), np.asarray(lengths, dtype=float)


def _groups(values: Complexes, conditions: Floats, scale: float) -> list[tuple[int, ...]]:
    """Ill-conditioned eigenvalues that lie near each other, chained."""
    open_ = [k for k in range(len(values)) if conditions[k] > _DEFECTIVE]
    groups: list[tuple[int, ...]] = []
    while open_:
        group, waiting = [], [open_.pop()]
        while waiting:
            k = waiting.pop()
            group.append(k)
            near = [j for j in open_ if abs(values[j] - values[k]) <= _SPLIT * scale]
            open_ = [j for j in open_ if j not in near]
            waiting += near
        groups.append(tuple(sorted(group)))
    return groups


class _Around:
    """Carries the vectors of a part on to the stocks downstream and back to those upstream."""

    def __init__(self, whole: Floats, here: list[int]) -> None:
        self.whole, self.here = whole, here
        self.after = _reached(whole, here)
        self.before = _reached(whole.T, here)

    def extend(
        self, value: complex, left: Complexes, right: Complexes
    ) -> tuple[Complexes, Complexes]:
        """The left and the right vector on all stocks; NaN where the same eigenvalue stands there."""
        lefts, rights = (np.zeros(len(self.whole), complex) for _ in range(2))
        lefts[self.here], rights[self.here] = left, right
        rights[self.after] = _solve(self.whole, self.after, self.here, value, right)
        lefts[self.before] = _solve(self.whole.T, self.before, self.here, value, left)
        return lefts, rights


def _reached(matrix: Floats, here: list[int]) -> list[int]:
    """The stocks outside ``here`` that it acts on, at once or through others."""
    seen, waiting = set(here), list(here)
    while waiting:
        found = {int(n) for n in np.flatnonzero(matrix[:, waiting.pop()])} - seen
        seen |= found
        waiting += found
    return sorted(seen - set(here))


def _solve(
    matrix: Floats, there: list[int], here: list[int], value: complex, vector: Complexes
) -> Complexes:
    if not there:
        return np.zeros(0, complex)
    inner = value * np.eye(len(there)) - matrix[np.ix_(there, there)]
    if not np.isfinite(vector).all() or np.linalg.cond(_balanced(inner)[0]) > _RESONANCE:
        return np.full(len(there), np.nan + 0j)
    return np.asarray(np.linalg.solve(inner, matrix[np.ix_(there, here)] @ vector), dtype=complex)


def _influence(
    system: Linearisation, here: list[int], left: Complexes, right: Complexes
) -> Complexes:
    """(E,) g (dL/dv) (du) of every link, from the vectors of one part."""
    gy, gx, h, _ = system.matrices
    lefts, rights = (np.zeros(len(system.stocks), complex) for _ in range(2))
    lefts[here], rights[here] = left, right
    before = through(-gy, gx @ rights)
    after = through(-gy, h.T @ lefts, back=True)
    nodes = (*system.stocks, *system.others)
    du = dict(zip(nodes, (*rights, *before), strict=True))
    dl = dict(zip(nodes, (*lefts, *after), strict=True))
    return np.array(
        [g * dl[v] * du[u] for (u, v), g in zip(system.links, system.gains, strict=True)]
    )


def _kirchhoff(system: Linearisation, mode: _Mode) -> float:
    """The largest difference between what enters and what leaves a node, relative."""
    net = dict.fromkeys(system.names, 0j)
    for (source, target), m in zip(system.links, mode.influence, strict=True):
        net[source] -= m
        net[target] += m
    size = max(mode.scale, float(np.abs(mode.influence).max(initial=0.0)))
    return max(map(abs, net.values())) / size
