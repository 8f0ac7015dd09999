"""Each method run on a study: which points, how many, and what they say.

Every method keeps, beside its answer, the way to the same answer for other outputs of the same design;
that is how one set of runs serves all variables at all times.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.sensitivity import chaos, dgsm, given_data, morris, screening, shapley, sobol
from flywheel.analysis.sensitivity.design import (
    Array,
    latin_hypercube,
    radial,
    saltelli,
    sobol_points,
    to_inputs,
)
from flywheel.analysis.sensitivity.outputs import Failures, Tail, failures, sound
from flywheel.analysis.sensitivity.outputs import tail as tail_of
from flywheel.analysis.sensitivity.table import Method
from flywheel.errors import UsageError
from flywheel.sweep.distributions import Distribution

if TYPE_CHECKING:
    from flywheel.solve.members import Members
    from flywheel.solve.study import Study

GROUPS = 30  # Morris: between the customary 20 and 50
SOBOL_POINTS = (256, 8192)
_CHAOS_RUNS = (128, 2048)
_WALKS = 2048
_ENOUGH = 200_000  # runs for S1 and ST, however many inputs
_EXTRA = 200_000  # runs for pairs and Shapley effects beside sampled S1 and ST
_HYPERCUBE = {"screening": 200, "given": 1024}
_SLOPES = 256  # points at which derivatives are taken
_SETTLED = 0.05  # half-width of every interval
_MATTERS = 0.05  # inputs below this ST do not take part in "the order stays the same"
_BATCH = 2**27  # bytes of saved values in one call


class Work:
    """The runs of one analysis: makes them in batches, counts them, and remembers which failed."""

    def __init__(
        self,
        study: Study,
        inputs: Mapping[str, Distribution],
        seed: int,
        confidence: float,
        limit: int | None,
    ) -> None:
        self.study = study
        self.inputs = dict(inputs)
        self.seed = seed
        self.confidence = confidence
        self.limit = limit
        self.runs = 0
        self.reasons: Counter[str] = Counter()
        self.design: Array = np.empty((0, len(inputs)))
        self.outcomes: Array = np.empty((0, len(study.horizons)))

    @property
    def d(self) -> int:
        return len(self.inputs)

    @property
    def left(self) -> int | None:
        """Runs still allowed; None without a limit."""
        return None if self.limit is None else self.limit - self.runs

    def keep(self, inputs: Mapping[str, Distribution]) -> None:
        """Goes on with other inputs; what was said about failures so far starts again."""
        self.inputs = dict(inputs)
        self.reasons.clear()
        self.design, self.outcomes = np.empty((0, self.d)), np.empty((0, self.outcomes.shape[1]))

    def values(self, unit: Array) -> Array:
        """Outcomes (..., H) at points (..., d) of the unit cube."""
        x = self.in_units(unit)
        parts = []
        for members in self._members(self.study, x):
            parts.append(members.outcomes)
            self.reasons.update(failure.variable for failure in members.failures)
        y = np.concatenate(parts)
        self.runs += len(x)
        self.design = np.concatenate([self.design, x])
        self.outcomes = np.concatenate([self.outcomes, y])
        return y.reshape(*unit.shape[:-1], y.shape[1])

    def columns(self, unit: Array, variables: tuple[str, ...]) -> Array:
        """The same runs once more, for their variables over time: (..., V * T)."""
        study = copy.copy(self.study)
        study.watched = tuple(dict.fromkeys([*study.watched, *variables]))
        parts = [
            np.concatenate([members.column(name) for name in variables], axis=1)
            for members in self._members(study, self.in_units(unit))
        ]
        y = np.concatenate(parts)
        return y.reshape(*unit.shape[:-1], y.shape[1])

    def _members(self, study: Study, x: Array) -> Iterator[Members]:
        """The runs of rows ``x`` in calls that fit into memory."""
        size = max(_BATCH // (8 * len(study.times) * len(study.watched)), 8)
        for start in range(0, len(x), size):
            yield study.run(list(self.inputs), x[start : start + size])

    def in_units(self, unit: Array) -> Array:
        """Points (..., d) of the unit cube as rows (M, d) of inputs."""
        return to_inputs(unit.reshape(-1, self.d), list(self.inputs.values()))

    def failures(self) -> Failures:
        """The failed runs of the inputs at hand, and the variables that broke first."""
        broke = [(name, count) for name, count in self.reasons.most_common() if name]
        return failures(self.design, sound(self.outcomes), list(self.inputs), broke[:3])

    def tail(self) -> Tail:
        """How much of the variance so far is a matter of a few extreme runs."""
        return tail_of(self.design, self.outcomes, list(self.inputs))


@dataclass(eq=False)
class Found:
    """What a method says about some outputs, before it is known what the outputs are."""

    method: Method
    measures: dict[str, Array]
    halves: dict[str, Array]
    mean: Array
    variance: Array
    points: tuple[int, int]
    unit: Array
    """The design, points first, for the columns over time."""
    again: Callable[[Array, Array], Found]
    """The same estimate from (part of the design, its outputs)."""
    pairs: tuple[Array, Array] | None = None
    gate: Array | None = None
    converged: bool | None = None
    tail: Tail | None = None
    """The heavy tail that made an end of sampling."""


def _nothing(work: Work, method: Method, measures: tuple[str, ...], unit: Array) -> Found:
    """The answer when too few runs are sound: NaN everywhere."""
    horizons = len(work.study.horizons)
    empty = {name: np.full((work.d, horizons), np.nan) for name in measures}
    none = np.full(horizons, np.nan)

    def again(part: Array, y: Array) -> Found:
        raise UsageError("no run gave a value")

    return Found(method, empty, {}, none, none, (0, len(unit)), unit, again)


def by_chaos(work: Work, limit: int | None = None) -> Found:
    """More points until the polynomial passes its test, or as many as the limit on runs allows."""
    least = max(_CHAOS_RUNS[0], 1 << (4 * (work.d + 1) - 1).bit_length())
    most = max(_CHAOS_RUNS[1], least)
    limit = work.left if limit is None else limit
    if limit is not None:
        most = min(most, limit)
        least = min(least, most)
    if most < 2 * (work.d + 1):
        raise UsageError(f"{work.d} inputs need at least {2 * (work.d + 1)} runs")

    def estimate(unit: Array, y: Array) -> Found:
        fitted = chaos.best_fit(unit, y, work.confidence)
        return Found(
            "chaos",
            {"S1": fitted.S1, "ST": fitted.ST, "Shapley": fitted.Shapley},
            {"S1": fitted.S1_half, "ST": fitted.ST_half, "Shapley": fitted.Shapley_half},
            fitted.mean,
            fitted.variance,
            (fitted.used, fitted.runs),
            unit,
            estimate,
            (fitted.S2, fitted.S2_half),
            fitted.loo,
        )

    unit, y = np.empty((0, work.d)), np.empty((0, len(work.study.horizons)))
    size, found = least, None
    while True:
        new = sobol_points(len(unit), size, work.d, work.seed)
        unit, y = np.concatenate([unit, new]), np.concatenate([y, work.values(new)])
        if sound(y).sum() >= 2 * (work.d + 1):
            found = estimate(unit, y)
            known = found.gate[np.isfinite(found.gate)] if found.gate is not None else ()
            if not len(known) or max(known) < chaos.ACCEPT:
                return found
        if size >= most or not sound(y).any():
            return found or _nothing(work, "chaos", ("S1", "ST", "Shapley"), unit)
        size = min(2 * size, most)


def by_sobol(work: Work) -> Found:
    """Saltelli's design, doubled until it settles; then pairs and Shapley effects if runs are left."""
    d, least, most = work.d, *SOBOL_POINTS
    most = max(min(most, _ENOUGH // (d + 2)), least)
    if work.left is not None:
        most = min(most, work.left // (d + 2))
        if most < 8:
            raise UsageError(f"{work.limit} runs are too few for {d} inputs by sampling")
        least = min(least, 1 << (most.bit_length() - 1))

    def estimate(unit: Array, y: Array) -> Found:
        r = sobol.sobol_indices(y, seed=work.seed, confidence=work.confidence)
        measures = {"S1": r.S1, "ST": r.ST}
        halves = {"S1": r.S1_half, "ST": r.ST_half}
        used = r.used, r.blocks
        return Found("sobol", measures, halves, r.mean, r.variance, used, unit, estimate)

    unit = saltelli(0, least, d, work.seed)
    y = work.values(unit)
    orders: list[tuple[tuple[int, ...], ...]] = []
    found = None
    while True:
        if sound(y).sum() >= 2:
            found = estimate(unit, y)
            orders.append(_order(found.measures["ST"]))
            steady = len(orders) > 2 and orders[-1] == orders[-2] == orders[-3]
            found.converged = steady and all(
                np.nanmax(half, initial=0.0) < _SETTLED for half in found.halves.values()
            )
        size = len(unit)
        tail = work.tail()
        if found is not None and tail.heavy:
            found.converged, found.tail = False, tail
            return found  # no number of runs settles a variance that a few of them carry
        if (found is not None and found.converged) or 2 * size > most:
            break
        more = saltelli(size, 2 * size, d, work.seed)
        unit, y = np.concatenate([unit, more]), np.concatenate([y, work.values(more)])
    if found is None:
        return _nothing(work, "sobol", ("S1", "ST", "Shapley"), unit)
    _shared_out(work, found, y)
    return found


def _order(totals: Array) -> tuple[tuple[int, ...], ...]:
    """The inputs that matter, largest ST first, at each horizon."""
    known = np.nan_to_num(totals)
    return tuple(
        tuple(int(j) for j in np.argsort(-column, kind="stable") if column[j] > _MATTERS)
        for column in known.T
    )


def _shared_out(work: Work, found: Found, y: Array) -> None:
    """Adds S2 (from d more rows a block) and Shapley effects (from as many walks) as runs allow."""
    n, d = len(y), work.d
    left = _EXTRA if work.left is None else min(_EXTRA, work.left)
    if left >= n * d:
        unit = saltelli(0, n, d, work.seed, second=True)
        both = np.concatenate([y, work.values(unit[:, d + 2 :])], axis=1)
        if sound(both).sum() >= 2:
            r = sobol.sobol_indices(both, True, seed=work.seed, confidence=work.confidence)
            if r.S2 is not None and r.S2_half is not None:
                found.pairs = r.S2, r.S2_half
        left -= n * d
    walks = min(n, left // (d + 1))
    if walks >= SOBOL_POINTS[0] // 4:
        effects = _walked(work, walks)
        found.measures["Shapley"] = effects.measures["Shapley"]
        found.halves.update(effects.halves)


def _shapley(work: Work) -> Found:
    n = _WALKS if work.left is None else work.left // (work.d + 1)
    if n < 8:
        raise UsageError(f"{work.limit} runs are too few for {work.d} inputs")
    return _walked(work, n)


def _walked(work: Work, n: int) -> Found:
    design = shapley.walks(n, work.d, work.seed)

    def estimate(unit: Array, y: Array) -> Found:
        part = shapley.Walks(unit, design.order[: len(unit)])
        r = shapley.shapley_effects(part, y, work.confidence)
        mean = np.nanmean(y[sound(y)][:, [0, -1]], axis=(0, 1))
        shares, halves = {"Shapley": r.effects}, {"Shapley": r.half}
        return Found("shapley", shares, halves, mean, r.variance, (r.used, r.walks), unit, estimate)

    y = work.values(design.unit)
    if sound(y).sum() < 2:
        return _nothing(work, "shapley", ("Shapley",), design.unit)
    return estimate(design.unit, y)


def _morris(work: Work) -> Found:
    groups = GROUPS if work.left is None else work.left // (work.d + 1)
    if groups < 2:
        raise UsageError(f"{work.limit} runs are too few for {work.d} inputs")
    steps = radial(groups, work.d, work.seed)

    def estimate(unit: Array, y: Array) -> Found:
        part = type(steps)(unit, steps.before[: len(unit)], steps.after[: len(unit)])
        r = morris.elementary_effects(part, y, seed=work.seed, confidence=work.confidence)
        measures = {"mu*": r.mu_star, "mu": r.mu, "sigma": r.sigma}
        halves = {"mu*": r.mu_star_half, "sigma": r.sigma_half}
        base = y[:, 0][sound(y[:, 0])]
        used = int(r.used.min()), len(unit)
        return Found("morris", measures, halves, *_moments(base), used, unit, estimate)

    y = work.values(steps.unit)
    try:
        return estimate(steps.unit, y)
    except UsageError:  # some input has no sound move
        return _nothing(work, "morris", ("mu*", "mu", "sigma"), steps.unit)


def _moments(y: Array) -> tuple[Array, Array]:
    """Mean and variance of sound runs (n, O)."""
    if len(y) < 2:
        none = np.full(y.shape[1], np.nan)
        return none, none
    return y.mean(axis=0), y.var(axis=0)


def _dgsm(work: Work) -> Found:
    n = _SLOPES if work.left is None else min(_SLOPES, work.left // (2 * work.d + 1))
    if n < 4:
        raise UsageError(f"{work.limit} runs are too few for {work.d} inputs")
    unit = dgsm.differences(n, work.d, work.seed)
    spread = list(work.inputs.values())

    def estimate(unit: Array, y: Array) -> Found:
        x = to_inputs(unit, spread)
        slopes = dgsm.central(x, y)
        r = dgsm.dgsm(x[:, 0], slopes, spread, dgsm.output_variance(y), work.confidence)
        measures, halves = (
            {"nu": r.nu, "ST bound": r.bound},
            {"nu": r.nu_half, "ST bound": r.bound_half},
        )
        base = y[:, 0][sound(y)]
        return Found("dgsm", measures, halves, *_moments(base), (r.used, len(unit)), unit, estimate)

    y = work.values(unit)
    if sound(y).sum() < 2:
        return _nothing(work, "dgsm", ("nu", "ST bound"), unit)
    return estimate(unit, y)


def _screening(work: Work) -> Found:
    unit = latin_hypercube(_hypercube(work, "screening", work.d + 3), work.d, work.seed)

    def estimate(unit: Array, y: Array) -> Found:
        r = screening.screen(work.in_units(unit), y, work.confidence)
        measures = {"r": r.pearson, "Spearman": r.spearman, "PRCC": r.partial}
        halves = {name: r.half(value, work.confidence) for name, value in measures.items()}
        used = r.used, r.runs
        return Found("screening", measures, halves, *_moments(y[sound(y)]), used, unit, estimate)

    y = work.values(unit)
    if sound(y).sum() < work.d + 3:
        return _nothing(work, "screening", ("r", "Spearman", "PRCC"), unit)
    return estimate(unit, y)


def by_slices(work: Work) -> Found:
    unit = latin_hypercube(_hypercube(work, "given", given_data.LEAST), work.d, work.seed)

    def estimate(unit: Array, y: Array) -> Found:
        x, sure = work.in_units(unit), work.confidence
        first = given_data.rbd_fast(x, y, confidence=sure)
        moved = given_data.delta(x, y, seed=work.seed, confidence=sure)
        apart = given_data.pawn(x, y, confidence=sure)
        measures = {"S1": first.values, "delta": moved.values, "PAWN": apart.values}
        halves = {"S1": first.half, "delta": moved.half, "PAWN": apart.half}
        used = first.used, first.runs
        return Found("given", measures, halves, *_moments(y[sound(y)]), used, unit, estimate)

    y = work.values(unit)
    if sound(y).sum() < given_data.LEAST:
        return _nothing(work, "given", ("S1", "delta", "PAWN"), unit)
    return estimate(unit, y)


def _hypercube(work: Work, method: str, least: int) -> int:
    n = _HYPERCUBE[method] if work.left is None else work.left
    if n < least:
        raise UsageError(f"{n} runs are too few for {work.d} inputs; {least} are the least")
    return n


BY_NAME: Mapping[str, Callable[[Work], Found]] = {
    "chaos": by_chaos,
    "sobol": by_sobol,
    "shapley": _shapley,
    "morris": _morris,
    "dgsm": _dgsm,
    "screening": _screening,
    "given": by_slices,
}
