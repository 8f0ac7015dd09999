"""The vital signs of a flywheel: does it turn by itself, how fast, and what keeps it turning.

Growth rate, overall gain and gains of loops are those of the linearised core at one moment
(``gains``); momentum and the break-even of a price cut are differences of finite runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean
from flywheel.analysis.loops.eigen import modes_of
from flywheel.analysis.loops.gains import REAL, LoopGain, core_of, leading, loop_gains, overall_gain
from flywheel.analysis.loops.independent import Loop, canonical
from flywheel.analysis.loops.knockout import (
    CUT,
    Control,
    control_links,
    measured,
)
from flywheel.analysis.loops.linear import (
    linearise,
    moments,
    row_at,
    run_of,
    variables_of,
)
from flywheel.analysis.loops.naming import loop_labels
from flywheel.analysis.loops.search import find_loops
from flywheel.analysis.loops.trajectory import Trajectory
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.solve.study import Study

Array = NDArray[np.float64]
BREAK_EVEN_GAIN = 1.0
"""The gain at which a push comes back just as large."""
_STRONGEST = 3
_STRONGER = 4.0
"""A loop is tried from cut to this many times stronger than it is, on top."""
_GRID, _ROUNDS = 11, 3


@dataclass(frozen=True)
class Momentum:
    """What remains of the outcome when the pushes named stop at a time.

    ``with_push`` and ``without`` (H,) are the outcome at each horizon; ``remains`` their ratio.
    """

    pushes: Mapping[str, float]
    since: float
    with_push: Array
    without: Array
    remains: Array
    reason: str = ""


@dataclass(frozen=True)
class BreakEven:
    """How strong a loop must be for giving something away to pay back within each horizon.

    ``effect`` (H,) is what the cut of ``param`` by the fraction ``by`` does to the outcome as the loop
    is. ``dial`` (H,) is how much stronger (+) or weaker (-) the loop would have to be for no gain and
    no loss, ``gain`` (H,) the loop gain there; NaN with a text in ``reasons`` where there is none.
    """

    param: str
    by: float
    loop: Loop
    control: Control
    gain_now: float
    effect: Array
    dial: Array
    gain: Array
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Vitals:
    """The vital signs at time ``at``, and their course.

    ``rate`` is the growth rate of the core's leading mode (1 per unit of time), ``swing`` its angular
    frequency, ``doubling`` the time to double (NaN when it does not grow). ``gain`` is the overall
    gain for a push that may take ``patience`` to come back; above 1 the flywheel spins; NaN where the
    core swings, or has no pulse. ``loops`` are
    the strongest reinforcing loops of the core and ``labels`` what they are called, by language.
    ``times``, ``rates``, ``gains`` (T,) is the course over the run, NaN where there is no feedback or
    a slope is not finite.
    """

    stamp: Stamp
    at: float
    patience: float
    core: tuple[str, ...]
    rate: float
    swing: float
    doubling: float
    gain: float
    loops: tuple[LoopGain, ...]
    labels: Mapping[str, tuple[str, ...]]
    complete: bool
    times: Array
    rates: Array
    gains: Array
    momentum: Momentum | None = None
    break_even: BreakEven | None = None
    reason: str = ""

    @property
    def spins(self) -> bool:
        """Whether a push comes back larger within the patience: a gain above 1, or where the core swings
        and has none, growth by more than a factor e in that time (the same thing where it has one)."""
        if math.isnan(self.gain):
            return self.rate * self.patience > 1
        return self.gain > BREAK_EVEN_GAIN

    @property
    def frame(self) -> pd.DataFrame:
        """One row per vital sign: name, value, unit, of what."""
        import pandas as pd

        unit = self.stamp.time_unit or "time unit"
        rows: list[tuple[str, float, str, str]] = [
            ("growth rate", self.rate, f"1/{unit}", ", ".join(self.core)),
            ("doubling time", self.doubling, unit, ""),
            ("swing", self.swing, f"1/{unit}", ""),
            ("overall gain", self.gain, "1", f"within {self.patience:g} {unit}"),
            ("break-even gain", BREAK_EVEN_GAIN, "1", ""),
        ]
        for loop in self.loops:
            rows.append(("loop gain", loop.gain, "1", " -> ".join(loop.path)))
            rows.append(("loop turn", loop.turn, unit, " -> ".join(loop.path)))
        for n, horizon in enumerate(self.stamp.horizons):
            if self.momentum is not None:
                of = f"{', '.join(self.momentum.pushes)} off, after {horizon:g}"
                rows.append(("momentum", float(self.momentum.remains[n]), "1", of))
            if self.break_even is not None:
                of = f"{self.break_even.param} by {self.break_even.by:+.0%}, within {horizon:g}"
                rows.append(("break-even loop gain", float(self.break_even.gain[n]), "1", of))
        return pd.DataFrame(rows, columns=["vital", "value", "unit", "of"])

    def explain(self, language: str = "en") -> str:
        """Does it spin, how fast, by which loop; what remains without pushing; when a cut pays."""
        from flywheel.analysis.loops.vitals_words import in_english, in_korean

        return in_korean(self) if is_korean(language) else in_english(self)

    def __repr__(self) -> str:
        found = f"growth {self.rate:+.3g}, gain {self.gain:.3g}"
        return f"<vitals of {self.stamp.model} at {self.at:g}: {found}>"


def vitals(
    study: Study,
    at: float | None = None,
    *,
    pushes: Mapping[str, float] | None = None,
    cut: tuple[str, float] | None = None,
    loop: Sequence[str] | None = None,
    patience: float | None = None,
) -> Vitals:
    """The vital signs of a study's model at a time (by default where its horizons begin).

    ``pushes`` name the parameters that push from outside and their values when pushing stops, for the
    momentum. ``cut`` is a parameter and the fraction by which it changes (``("price", -0.1)``), whose
    pay-back is weighed against the gain of ``loop`` (by default the strongest reinforcing one).
    ``patience`` is how long a push may take to come back (by default the longest horizon).

    Raises UsageError for a time outside the run, UnknownNameError for names.
    """
    run = run_of(study)
    moment = float(study.since) if at is None else float(at)
    row = row_at(run, moment)
    waits = max(study.horizons) if patience is None else float(patience)
    if not waits > 0:
        raise UsageError(f"patience is a duration greater than 0, not {patience!r}")
    outcome = measured(study)
    times, rates, gains = course(run, outcome, waits)
    search = find_loops(run.structure.graph)
    (system,) = linearise(run, [row])
    modes = modes_of(system)
    core = core_of(modes, outcome)
    k = leading(modes, core)
    inside = [p for p in search.loops if not set(p).isdisjoint(core)]
    if modes.reason:
        k, inside = None, []
    value = complex(modes.values[k]) if k is not None else complex(math.nan, math.nan)
    found = [g for g in loop_gains(system, inside, waits) if g.reinforcing]
    found.sort(key=lambda g: (-g.gain, len(g.path), g.path))
    growing = value.real > 0
    reason = modes.reason or ("" if core else "no feedback acts on the outcome")
    return Vitals(
        stamp_of_study(study, at=moment, patience=waits),
        moment,
        waits,
        core,
        value.real,
        abs(value.imag) if abs(value.imag) > REAL * abs(value) else 0.0,
        math.log(2) / value.real if growing else math.nan,
        overall_gain(system, core, waits) if not modes.reason else math.nan,
        tuple(found[:_STRONGEST]),
        loop_labels(study.model, [variables_of(g.path) for g in found[:_STRONGEST]]),
        search.complete,
        times,
        rates,
        gains,
        momentum(study, pushes, moment) if pushes else None,
        _break_even(study, run, row, cut, loop, found, search.loops, waits) if cut else None,
        reason,
    )


def course(
    run: Trajectory, outcome: Sequence[str], patience: float, count: int = 20
) -> tuple[Array, Array, Array]:
    """Times, growth rates and overall gains (T,) of the core along a run; NaN where there is none."""
    rows = moments(run, count)
    rates, gains = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for place, system in enumerate(linearise(run, rows)):
        modes = modes_of(system)
        core = core_of(modes, outcome)
        k = leading(modes, core)
        if k is not None:
            rates[place] = modes.values[k].real
            gains[place] = overall_gain(system, core, patience)
    return frozen(run.times[list(rows)]), frozen(rates), frozen(gains)


def momentum(study: Study, pushes: Mapping[str, float], since: float) -> Momentum:
    """The outcome with the pushes as they are, and with them off from ``since`` on.

    ``pushes`` maps parameters to their values when pushing stops. Raises UnknownNameError.
    """
    known = {key(name): name for name in study.model.params}
    off = {}
    for name, value in pushes.items():
        if key(name) not in known:
            raise unknown_name(name, "parameter", known.values(), f"model {study.model.name}")
        off[known[key(name)]] = float(value)
    members = study.run(tuple(off), np.array([list(off.values())]), since=since)
    base, without = np.asarray(study.value), members.outcomes[0]
    remains = np.full(len(base), np.nan)
    some = base != 0
    remains[some] = without[some] / base[some]
    why = "; ".join(failure.reason for failure in members.failures)
    return Momentum(off, since, frozen(base), frozen(without), frozen(remains), why)


def _break_even(
    study: Study,
    run: Trajectory,
    row: int,
    cut: tuple[str, float],
    loop: Sequence[str] | None,
    strongest: Sequence[LoopGain],
    universe: Sequence[Loop],
    patience: float,
) -> BreakEven | None:
    if loop is None and not strongest:
        return None
    wanted = variables_of(strongest[0].path) if loop is None else canonical(loop)
    ways = [path for path in universe if variables_of(path) == wanted]
    if not ways:
        raise UsageError(f"there is no loop {' -> '.join(wanted)}")
    (system,) = linearise(run, [row])
    # Pathways through the stages of one delay are one loop of the model, and their gains add up.
    now = sum(found.gain for found in loop_gains(system, ways, patience))
    every = {variables_of(path) for path in universe} - {()}
    return break_even(study, cut, wanted, now, sorted(every))


def break_even(
    study: Study,
    cut: tuple[str, float],
    loop: Sequence[str],
    gain: float,
    universe: Sequence[Sequence[str]] = (),
) -> BreakEven:
    """Turns a loop's control link until changing a parameter by a fraction neither gains nor loses.

    Both hold from the study's ``since`` on. The loop is tried from cut (dial -1) to five times as
    strong; the break-even nearest to what it is now is sought by repeated grids of runs. ``gain`` is
    the loop's gain now; a loop that runs through its control link once has (1 + dial) times it.

    Raises UnknownNameError for a name that is no parameter.
    """
    known = {key(name): name for name in study.model.params}
    param, by = cut
    if key(param) not in known:
        raise unknown_name(param, "parameter", known.values(), f"model {study.model.name}")
    param = known[key(param)]
    (control,) = control_links([canonical(loop)], universe)
    dialled = study.dialled(links=(control.link,))
    value = study.base(param)

    def effect(dials: Array) -> Array:
        """(G, H) what the cut does to the outcome with the loop at each strength."""
        rows = np.array([[p, d] for d in dials for p in (value * (1 + by), value)])
        found = dialled.run((param, control.dial), rows).outcomes
        return np.asarray(found[0::2] - found[1::2])

    grid = np.unique(np.concatenate([np.linspace(CUT, 0, _GRID), np.linspace(0, _STRONGER, _GRID)]))
    values = effect(grid)
    now = values[int(np.flatnonzero(grid == 0)[0])]
    dials, reasons = np.full(len(now), np.nan), []
    for h, here in enumerate(values.T):
        ends = _bracket(grid, here)
        if ends is None:
            reasons.append(_why_none(here))
            continue
        low, high = ends
        for _ in range(_ROUNDS):
            finer = np.linspace(low, high, _GRID)
            within = _bracket(finer, effect(finer)[:, h])
            if within is None:
                break
            low, high = within
        at = np.array([low, high])
        left, right = effect(at)[:, h]
        dials[h] = low if left == right else low - left * (high - low) / (right - left)
        reasons.append("")
    return BreakEven(
        param,
        by,
        canonical(loop),
        control,
        gain,
        frozen(now),
        frozen(dials),
        frozen(gain * (1 + dials)),
        tuple(reasons),
    )


def _bracket(grid: Array, values: Array) -> tuple[float, float] | None:
    """The pair of neighbours between which the sign changes, nearest to 0; None where it does not."""
    change = np.isfinite(values[:-1]) & np.isfinite(values[1:])
    change &= (values[:-1] <= 0) != (values[1:] <= 0)
    places = np.flatnonzero(change)
    if not len(places):
        return None
    near = np.minimum(np.abs(grid[places]), np.abs(grid[places + 1]))
    place = int(places[near.argmin()])
    return float(grid[place]), float(grid[place + 1])


def _why_none(values: Array) -> str:
    if not np.isfinite(values).all():
        return "some of the runs failed, and among the others the sign does not change"
    if (values > 0).all():
        return "it pays even with the loop cut"
    if (values < 0).all():
        return f"it does not pay even with the loop {1 + _STRONGER:g} times as strong"
    return "the loop makes no difference to it"
