"""Where the spread of an outcome comes from: the method that fits, run on a model, as one table.

Polynomial chaos first, for smooth outcomes need few runs; it is tested on runs it has not seen, and
where it fails (kinks, thresholds) the outcome is sampled until the answer stands still. Many inputs are
screened before. All runs are made in large batches; none that failed is averaged in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

import numpy as np

from flywheel.analysis.sensitivity import chaos, methods, morris
from flywheel.analysis.sensitivity.design import Array, radial
from flywheel.analysis.sensitivity.methods import Found, Work
from flywheel.analysis.sensitivity.ranges import Range, ranges_of
from flywheel.analysis.sensitivity.table import Method, OverTime, Sensitivity
from flywheel.analysis.stamp import stamp_of_study
from flywheel.errors import UsageError, nearest
from flywheel.sweep.distributions import Distribution

if TYPE_CHECKING:
    from flywheel.solve.study import Study

MANY = 20
"""With more inputs, those that hardly matter are found first and left at their values."""
_HELD = 256 * 2**20  # bytes of columns held for an analysis over time


def sensitivity(
    study: Study,
    parameters: Iterable[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    method: Method | str = "auto",
    runs: int | None = None,
    seed: int = 0,
    over_time: Iterable[str] | str | None = None,
    confidence: float = 0.95,
) -> Sensitivity:
    """How much of the outcome's spread each uncertain input explains, at every horizon of the study.

    ``parameters`` and ``ranges`` as in ``ranges.ranges_of`` (all parameters with their declared ranges
    when left out). ``runs`` limits the runs of the model; without it the method's own defaults hold.
    ``over_time`` names saved variables (or ``"all"``) to have measures of at every saved time too.

    ``"auto"``: above 20 inputs elementary effects first, which leave out what hardly matters; then
    polynomial chaos from 128 runs doubling to 2048, accepted when its leave-one-out error is below 0.01
    at every horizon; else Saltelli's design from 256 points doubling to 8192 (or 200 000 runs), until
    every interval's half-width is below 0.05 and the order of the inputs that matter has stood for two
    doublings. Where one run in a thousand carries more than half of the variance, no part of it means
    anything (nor does mu*), and whole distributions are compared instead (``given``).

    The methods by name: ``chaos``, ``sobol``, ``shapley``, ``morris``, ``dgsm``, ``screening``,
    ``given``; their limits are those of ``auto`` or the customary ones (30 Morris groups, 200 runs for
    a screening, 1024 for ``given``).

    Failed runs are left out (a whole block, walk or point of the design at a time), counted and located.
    With no sound result the measures are NaN. A polynomial or a sample of the rest then speaks of the
    part of the ranges where the model has values.

    Raises UsageError for what makes no sense, UnknownNameError for a name that is not there.
    """
    chosen = _method(method)
    if runs is not None and (isinstance(runs, bool) or runs < 1):
        raise UsageError(f"runs must be a positive whole number, not {runs!r}")
    names = None if parameters is None else list(parameters)
    inputs = ranges_of(
        study.model, names, ranges, {n: study.base(n) for n in _based(study)}, study.inputs
    )
    variables = _variables(study, over_time)
    work = Work(study, inputs, seed, confidence, runs)
    fixed: dict[str, float] = {}
    if chosen == "auto":
        if len(inputs) > MANY:
            fixed = _put_aside(work)
        found = _auto(work, inputs, fixed)
    else:
        found = methods.BY_NAME[chosen](work)
    return _table(work, found, str(method), fixed, variables)


def _method(given: str) -> str:
    known = ("auto", *get_args(Method))
    if given in known:
        return given
    guess = nearest(str(given), known)
    hint = f" Did you mean {guess!r}?" if guess else ""
    raise UsageError(f"there is no method {given!r}; there are {', '.join(known)}.{hint}")


def _based(study: Study) -> list[str]:
    """Inputs with a value of their own in the baseline."""
    return [n for n in study.inputs if n in study.model.params or n in study.model.stocks]


def _variables(study: Study, asked: Iterable[str] | str | None) -> tuple[str, ...]:
    if asked is None:
        return ()
    if asked == "all":
        return tuple(name for name in study.columns if name in study.model.variables)
    named = (asked,) if isinstance(asked, str) else tuple(asked)
    chosen = tuple(dict.fromkeys(study.spelled(name) for name in named))
    for name in chosen:
        if name not in study.columns:
            raise UsageError(f"{name} is no variable: it has no values over time")
    return chosen


def _put_aside(work: Work) -> dict[str, float]:
    """Leaves out the inputs that surely hardly matter; returns them with the most they may matter."""
    groups = methods.GROUPS
    if work.left is not None:
        groups = min(groups, work.left // (2 * (work.d + 1)))  # at most half of the runs
        if groups < 4:
            raise UsageError(
                f"{work.limit} runs are too few for {work.d} inputs; name fewer parameters"
            )
    steps = radial(groups, work.d, work.seed)
    try:
        effects = morris.elementary_effects(
            steps, work.values(steps.unit), seed=work.seed, confidence=work.confidence
        )
    except UsageError:  # so many runs fail that some input is unknown: nothing can be put aside
        return {}
    small = effects.negligible
    with np.errstate(invalid="ignore", divide="ignore"):
        most = (effects.mu_star + effects.mu_star_half) / np.nanmax(effects.mu_star, axis=0)
    names = list(work.inputs)
    aside = {names[j]: float(np.nanmax(most[j])) for j in np.flatnonzero(small)}
    if aside:
        work.keep({name: range_ for name, range_ in work.inputs.items() if name not in aside})
    return aside


def _auto(work: Work, inputs: Mapping[str, Distribution], fixed: dict[str, float]) -> Found:
    """Polynomial, sampling or slices; the last takes back into ``work`` what was put aside."""
    gate = None
    if work.d <= MANY and (work.left is None or work.left >= 4 * (work.d + 1)):
        # Sampling needs this many runs at least; a polynomial that fails must leave them.
        sample = methods.SOBOL_POINTS[0] // 4 * (work.d + 2)
        both = work.left is None or work.left >= 2 * sample
        smooth = methods.by_chaos(work, work.left // 2 if both and work.left else None)
        gate = smooth.gate
        worst = np.nanmax(gate) if gate is not None and np.isfinite(gate).any() else 0.0
        if not both or (smooth.points[0] and worst < chaos.ACCEPT):
            return smooth
    found = methods.by_sobol(work)
    if found.tail is not None and (work.left is None or work.left >= methods.SOBOL_POINTS[0]):
        tail = found.tail
        if fixed:  # beside an explosion everything else looked small: nothing stays put aside
            work.keep(inputs)
            fixed.clear()
        found = methods.by_slices(work)
        found.tail = tail
    found.gate = gate
    return found


def _over_time(work: Work, found: Found, variables: tuple[str, ...]) -> OverTime | None:
    if not variables or not found.points[0]:
        return None
    times = np.asarray(work.study.times, dtype=float)
    group = int(np.prod(found.unit.shape[1:-1], dtype=int))
    fitting = max(_HELD // (8 * len(variables) * len(times) * group), 64)
    unit = found.unit[:fitting]
    again = found.again(unit, work.columns(unit, variables))
    shape = (len(variables), len(times))

    def laid(values: Array) -> Array:
        """(d, V * T) as (V, d, T)."""
        return values.reshape(len(values), *shape).swapaxes(0, 1)

    variance = again.variance.reshape(shape)
    gate = None if again.gate is None else again.gate.reshape(shape)
    measures = {name: laid(value) for name, value in again.measures.items()}
    if gate is not None:
        for value in measures.values():
            value[np.broadcast_to((gate >= chaos.WARN)[:, None], value.shape)] = np.nan
    halves = {name: laid(value) for name, value in again.halves.items()}
    return OverTime(
        variables,
        tuple(work.inputs),
        _fast(times),
        _shut(measures),
        _shut(halves),
        _fast(variance),
        len(unit),
        None if gate is None else _fast(gate),
    )


def _table(
    work: Work, found: Found, asked: str, fixed: dict[str, float], variables: tuple[str, ...]
) -> Sensitivity:
    study = work.study
    stamp = replace(
        stamp_of_study(
            study,
            analysis=found.method,
            runs=work.runs,
            ranges={name: str(range_) for name, range_ in work.inputs.items()},
            confidence=work.confidence,
        ),
        seed=work.seed,
    )
    over_time = _over_time(work, found, variables)
    return Sensitivity(
        stamp,
        study.model,
        (study.text("en"), study.text("ko")),
        study.unit,
        tuple(work.inputs),
        tuple(work.inputs.values()),
        study.horizons,
        found.method,
        asked,
        _shut(found.measures),
        _shut(found.halves),
        _fast(found.mean),
        _fast(found.variance),
        work.runs,
        found.points,
        work.failures(),
        found.tail or work.tail(),
        work.confidence,
        None if found.pairs is None else _fast(found.pairs[0]),
        None if found.pairs is None else _fast(found.pairs[1]),
        None if found.gate is None else _fast(found.gate),
        found.converged,
        MappingProxyType(fixed),
        over_time,
    )


def _shut(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    return MappingProxyType({name: _fast(values) for name, values in arrays.items()})


def _fast(values: Array) -> Array:
    """The same numbers, read-only."""
    held = np.array(values)
    held.flags.writeable = False
    return held
