"""Which policy to choose when nobody knows the numbers: levers played through many assumptions.

Every policy is run in the same draws of the uncertain parameters, so that two policies differ by what
they do and not by luck. What comes out is judged by regret (Savage 1951; Lempert and others 2006), and
the draws in which the chosen policy fails are described by a box of parameters (PRIM; Bryant and
Lempert 2010), which is tried on fresh draws, for a box is always chosen to look good.

Draws over ranges say what is possible, not how likely it is: a share of draws is a share of the
assumed ranges. The stated costs of levers are not taken off: the outcome is judged as the equations
compute it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.playing import (
    Played,
    Policies,
    Policy,
    based,
    drawn,
    input_labels,
    input_unit,
    table_of,
    undecided,
)
from flywheel.analysis.decide.prim import Box, prim
from flywheel.analysis.decide.regret import Regret, regret
from flywheel.analysis.decide.words import Array, frozen
from flywheel.analysis.sensitivity.outputs import Failures, failures
from flywheel.analysis.sensitivity.ranges import Range, ranges_of
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.solve.study import Study

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 512
SAME = 1e-9
"""Outcomes that differ by less than this part of the largest in a draw are equal: rounding."""
_BAR = 0.05  # quasi-p, for all inputs together
_MANY = 10  # inputs in which a box is looked for

Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """The box tried on ``draws`` fresh draws: what it catches and how pure it is there.

    ``density`` is the failing part of the fresh draws inside, with the 95 % interval ``low`` to
    ``high`` (Wilson); NaN where none lies inside.
    """

    draws: int
    cases: int
    inside: int
    coverage: float
    density: float
    low: float
    high: float

    @property
    def confirms(self) -> bool:
        """Whether the policy surely fails more often inside than in all fresh draws."""
        return self.draws > 0 and self.low > self.cases / self.draws


@dataclass(frozen=True, eq=False)
class RobustChoice:
    """Policies (P) judged over N draws of k uncertain inputs at one horizon. Arrays are read-only.

    Draws in which some policy has no outcome take no part in ``regret``, ``wins`` and ``better_than``;
    ``failures`` says how many they are and where they lie. ``fails`` and ``box`` are about the policy
    ``examined``: the robust choice unless another was asked for.
    """

    stamp: Stamp
    title: tuple[str, str]
    unit: str
    policies: tuple[Policy, ...]
    """Doing nothing first."""
    names: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    """Of the inputs, in English and Korean."""
    units: tuple[str, ...]
    """Of the inputs."""
    rows: Array
    """(N, k) the draws, in the inputs' units."""
    outcomes: Array
    """(P, N); NaN where a run failed."""
    regret: Regret
    wins: Array
    """(P,) the part of the draws in which a policy is the best; equal ones share it."""
    wins_low: Array
    wins_high: Array
    """95 % (Wilson), for the chance of the draws."""
    better_than: Array
    """(P,) the part of the draws in which it does better than nothing; NaN for nothing itself."""
    set_by_levers: tuple[str, ...]
    """Uncertain inputs that were not drawn, for a policy sets them to a value of its own."""
    chosen: str
    """The policy with the smallest regret in nearly all draws (``regret.quantile`` of them), of
    equal ones that with the best mean. The worst draw of all would leave the choice to one freak, and
    no number of draws settles it."""
    examined: str
    fails: Marks
    """(N,) where the examined policy misses the target, or without one does worse than nothing."""
    box: Box
    """Of the inputs that failing goes with; without limits where fresh draws do not bear it out."""
    trial: Trial | None
    """The box found on fresh draws; None where none was found."""
    failures: Failures
    target: float | None
    better: str
    costs: bool
    """Whether some lever has a stated cost, which is not taken off the outcome."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a policy: how often it is best, its regrets, and how many rules choose it."""
        found = self.regret.frame
        found.insert(0, "label", [one.label[0] for one in self.policies])
        found.insert(1, "wins", self.wins)
        found.insert(2, "wins_low", self.wins_low)
        found.insert(3, "wins_high", self.wins_high)
        found.insert(4, "better_than_nothing", self.better_than)
        return found

    @property
    def box_frame(self) -> pd.DataFrame:
        """One row per restricted input: its limits, its unit, and how doubtful the restriction is."""
        found = self.box.frame
        places = [self.names.index(str(name)) for name in found.index]
        found.insert(0, "label", [self.labels[k][0] for k in places])
        found["unit"] = [self.units[k] for k in places]
        return found

    def policy(self, name: str) -> Policy:
        """A policy by its name; raises UnknownNameError."""
        return self.policies[_find(self.policies, name)]

    def explain(self, language: str = "en") -> str:
        """What to choose, who else wins and how often, and where the choice fails."""
        from flywheel.analysis.decide.policies_words import explain

        return explain(self, language)

    def __repr__(self) -> str:
        return (
            f"<robust choice of {len(self.policies)} policies for {self.stamp.outcome} in "
            f"{len(self.rows)} draws: {self.chosen}>"
        )


def robust_choice(
    study: Study,
    policies: Policies | None = None,
    *,
    names: Sequence[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    target: float | None = None,
    horizon: float | None = None,
    better: str = "higher",
    examine: str | None = None,
    at: float | None = None,
) -> RobustChoice:
    """Policies judged by the outcome over ``draws`` of the uncertain parameters.

    ``policies`` as in ``table_of``; doing nothing is always among them. ``names`` and ``ranges`` as in
    ``sensitivity.ranges_of``: by default all parameters with a range but those that a policy sets to a
    value, which are decided and not found out. The draws are a scrambled Sobol' sequence, the same for
    every policy. ``examine`` names the policy whose failures are described, by default the one with
    the smallest regret in 90 % of the draws; it fails where it misses ``target``, without one
    where it does worse than nothing. ``horizon`` is one of the study's, the last by default.

    Raises UsageError and UnknownNameError for what makes no sense.
    """
    if draws < 2:
        raise UsageError(f"an ensemble needs two draws or more, not {draws}")
    ready = table_of(study, policies, horizon, at)
    spread, decided = undecided(
        ready, ranges_of(study.model, names, ranges, based(study)), names, ranges
    )
    played = ready.play(tuple(spread), drawn(spread, 0, draws, seed))
    every = ready.policies
    stamp = replace(
        stamp_of_study(
            study, draws=draws, ensemble_seed=seed, varied=len(spread), better=better,
            ranges={name: str(one) for name, one in spread.items()},
        ),
        horizons=(study.horizons[ready.place],),
    )  # fmt: skip
    judged = regret(
        played.outcomes, [one.name for one in every], target=target, better=better, stamp=stamp
    )
    if not judged.scenarios:
        why = ", ".join(name for name, _ in played.failures.reasons) or study.name
        raise UsageError(f"in no draw has every policy an outcome: {why} is no finite number")
    sign = 1.0 if better == "higher" else -1.0
    wins, beats = _wins(sign * judged.outcomes)
    low, high = _wilson(wins, len(judged.scenarios))
    equal = judged.choices["high regret"]
    chosen = max(equal, key=lambda name: sign * judged.mean[judged.policies.index(name)])
    place = _find(every, chosen if examine is None else examine)
    marks = failing(played.outcomes[[place, 0]], target, sign)
    box = _box(played, marks, stamp)
    trial = None
    if box.restricted:
        fresh = ready.play(tuple(spread), drawn(spread, draws, 2 * draws, seed), [place, 0])
        trial = _try(box, fresh, failing(fresh.outcomes, target, sign))
        if not trial.confirms:
            box = _unlimited(box)
    return RobustChoice(
        stamp=stamp,
        title=(study.text("en"), study.text("ko")),
        unit=study.unit,
        policies=every,
        names=played.names,
        labels=tuple(input_labels(study, name) for name in played.names),
        units=tuple(input_unit(study, name) for name in played.names),
        rows=frozen(played.rows),
        outcomes=frozen(played.outcomes),
        regret=judged,
        wins=frozen(wins),
        wins_low=frozen(low),
        wins_high=frozen(high),
        better_than=frozen(beats),
        set_by_levers=decided,
        chosen=chosen,
        examined=every[place].name,
        fails=np.asarray(marks == 1.0),
        box=box,
        trial=trial,
        failures=played.failures,
        target=target,
        better=better,
        costs=ready.costs,
    )


def _find(policies: Sequence[Policy], name: str) -> int:
    known = {key(one.name): k for k, one in enumerate(policies)}
    if key(name) not in known:
        raise unknown_name(name, "policy", [one.name for one in policies], "these policies")
    return known[key(name)]


def failing(outcomes: Array, target: float | None, sign: float) -> Array:
    """1 where the first row of ``outcomes`` (2, N) misses the target, 0 where not; NaN where unknown.

    Without a target it is measured by the second row.
    """
    mine, other = sign * outcomes[0], sign * outcomes[1]
    bar = other if target is None else np.full_like(mine, sign * target)
    slack = SAME * np.maximum(np.abs(mine), np.abs(bar))
    return np.where(np.isfinite(mine) & np.isfinite(bar), mine < bar - slack, np.nan)


def _wins(gain: Array) -> tuple[Array, Array]:
    """How often each row of (P, N) is the largest, ties shared, and how often it beats the first."""
    slack = SAME * np.abs(gain).max(axis=0)
    top = gain >= gain.max(axis=0) - slack
    beats = (gain > gain[0] + slack).mean(axis=1)
    beats[0] = np.nan
    return (top / top.sum(axis=0)).mean(axis=1), beats


def _wilson(share: Array, count: int) -> tuple[Array, Array]:
    """The 95 % interval of a part of ``count`` independent draws (Wilson 1927).

    Sobol' points are spread more evenly than independent ones, so it is on the safe side.
    """
    z = 1.959963984540054
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low = np.where(share > 0, np.maximum(centre - half, 0.0), 0.0)
    high = np.where(share < 1, np.minimum(centre + half, 1.0), 1.0)
    return low, np.where(np.isnan(share), np.nan, high)


def _box(played: Played, marks: Array, stamp: Stamp) -> Box:
    """The box of the failing draws, in the inputs that failing goes with.

    Among dozens of inputs the slices of those that mean nothing win too often by luck, so inputs
    that differ between failing and other draws (a rank test) go first, at most ten.
    """
    known = np.isfinite(marks)
    good = marks != 1.0
    places = list(range(len(played.names)))
    if len(places) > _MANY:
        shifted = failures(played.rows[known], good[known], played.names).shifts
        places = [played.names.index(one.name) for one in shifted[:_MANY]] or places
    return prim(
        played.rows[:, places],
        marks,
        [played.names[k] for k in places],
        significance=_BAR / len(played.names),
        objective="excess",
        stamp=stamp,
    )


def _try(box: Box, fresh: Played, marks: Array) -> Trial:
    """The box on draws that it has not seen."""
    known = np.isfinite(marks)
    places = [fresh.names.index(name) for name in box.names]
    case, inside = marks[known] == 1.0, box.holds(fresh.rows[:, places])[known]
    cases, held, hits = int(case.sum()), int(inside.sum()), int((case & inside).sum())
    part = hits / held if held else math.nan
    low, high = _wilson(np.array([part]), max(held, 1))
    return Trial(
        draws=int(known.sum()),
        cases=cases,
        inside=held,
        coverage=hits / cases if cases else math.nan,
        density=part,
        low=float(low[0]),
        high=float(high[0]),
    )


def _unlimited(box: Box) -> Box:
    """The box without its limits."""
    count = len(box.names)
    return replace(
        box,
        low=frozen(np.full(count, -np.inf)),
        high=frozen(np.full(count, np.inf)),
        quasi_p=frozen(np.full(count, np.nan)),
        coverage=1.0,
        density=box.cases / box.points,
        mass=1.0,
        reason="on fresh draws the box found holds no more cases than elsewhere",
    )
