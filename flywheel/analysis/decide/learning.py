"""Which number to find out first, and what that is worth before choosing among policies.

The fourth stage of a flywheel asks for better data. A number is worth knowing where knowing it could
change the choice (EVPPI; Strong, Oakley and Brennan 2014), not where it merely moves the outcome; both
stand side by side here.

The worth rests on what is believed now: the standard deviation that a parameter's evidence states, cut
off at its range, else the whole range. Parameters are taken as independent. Numbers fitted together to
the same data are not, so the worth of a fitted number is too high rather than too low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.decide.information import Knowing, knowing
from flywheel.analysis.decide.playing import (
    Policies,
    Policy,
    based,
    drawn,
    input_labels,
    input_unit,
    table_of,
)
from flywheel.analysis.decide.policies_words import edge
from flywheel.analysis.decide.words import Array, say
from flywheel.analysis.sensitivity.outputs import Failures
from flywheel.analysis.sensitivity.ranges import Range, ranges_of
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.expr import key
from flywheel.solve.study import Study
from flywheel.sweep.distributions import Distribution, Normal

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.sensitivity.table import Sensitivity

DRAWS = 8192
"""More than the 5000 that the regression wants (see ``information.ENOUGH``)."""


@dataclass(frozen=True)
class Number:
    """An uncertain input as people know it. Labels are in English and Korean."""

    name: str
    label: tuple[str, str]
    unit: str
    value: float
    belief: Distribution
    evidence: str
    """The kind of evidence declared: measured, survey, estimate, guess; empty without one."""
    source: str
    moment: bool = False
    """Whether it is a point in time, which has no unit in a sentence."""

    @property
    def believed(self) -> str:
        """What is believed now: ``410 ± 45`` or ``0.5 to 4``."""
        if isinstance(self.belief, Normal):
            return f"{edge(self.belief.mean, 10 * self.belief.sd)} ± {say(self.belief.sd)}"
        low, high = (float(self.belief.ppf(np.array(u))) for u in (0.0, 1.0))
        return f"{edge(low, high - low)} to {edge(high, high - low)}"


@dataclass(frozen=True, eq=False)
class WorthOfKnowing:
    """What each uncertain number is worth knowing before choosing, in the outcome's unit.

    ``knowing`` has the figures, in the order of ``numbers``. ``heavy`` is the part of the worth of
    knowing everything that one draw in a thousand brings: near 1 it is a matter of freak draws.
    """

    stamp: Stamp
    title: tuple[str, str]
    unit: str
    policies: tuple[Policy, ...]
    numbers: tuple[Number, ...]
    knowing: Knowing
    heavy: float
    failures: Failures
    left_out: Mapping[str, str]
    """Uncertain inputs that were not drawn, with the reason."""
    better: str
    costs: bool
    """Whether some lever has a stated cost, which is not taken off the outcome."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a number, the most worth knowing first, with what is believed of it and why."""
        found = self.knowing.frame
        named = {one.name: one for one in self.numbers}
        order = [named[str(name)] for name in found.index]
        found.insert(0, "label", [one.label[0] for one in order])
        found["value"] = [one.value for one in order]
        found["believed"] = [one.believed for one in order]
        found["unit"] = [one.unit for one in order]
        found["evidence"] = [one.evidence for one in order]
        found["source"] = [one.source for one in order]
        return found

    def explain(self, language: str = "en") -> str:
        """What to find out first, what it is worth, and what only looks worth knowing."""
        from flywheel.analysis.decide.learning_words import explain

        return explain(self, language)

    def __repr__(self) -> str:
        return (
            f"<worth of knowing {len(self.numbers)} numbers for {self.stamp.outcome}: all of them "
            f"{self.knowing.everything.value:.4g}>"
        )


def beliefs_of(
    study: Study,
    names: Sequence[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> tuple[dict[str, Distribution], dict[str, str]]:
    """What is believed now of each uncertain number, and which are taken as known, with the reason.

    Where the evidence states a standard deviation the belief is normal around the value, cut off at
    the range; else it is the range's distribution (``sensitivity.ranges_of``). ``ranges`` replaces
    either. A measured number with neither range nor deviation is taken as known unless it is named.

    Raises UnknownNameError and UsageError as ``ranges_of`` does.
    """
    given = {key(name) for name in ranges or {}}
    found, known = {}, {}
    for name, spread in ranges_of(study.model, names, ranges, based(study)).items():
        param = study.model.params.get(name)
        if param is None or key(name) in given:
            found[name] = spread
            continue
        evidence, ranged = param.evidence, param.low is not None or param.high is not None
        if evidence is not None and evidence.sd:
            low = -np.inf if param.low is None else param.low
            high = np.inf if param.high is None else param.high
            found[name] = Normal(study.base(name), evidence.sd, low, high)
        elif names is None and evidence is not None and evidence.kind == "measured" and not ranged:
            known[name] = "measured, with no doubt stated"
        else:
            found[name] = spread
    return found, known


def worth_of_knowing(
    study: Study,
    policies: Policies | None = None,
    *,
    names: Sequence[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    horizon: float | None = None,
    better: str = "higher",
    sensitivity: Sensitivity | None = None,
    at: float | None = None,
) -> WorthOfKnowing:
    """What knowing each uncertain number would be worth before choosing among policies.

    ``policies`` as in ``playing.table_of``; doing nothing is always among them, and the choice is by
    the mean of the outcome over the draws of ``beliefs_of(study, names, ranges)``. Parameters of levers
    are what a decision maker sets, not what there is to find out, and not drawn unless named.
    ``sensitivity`` (of the same outcome, over the same beliefs) lends its total indices to stand
    beside; without it there are first-order parts of the variance.

    Raises UsageError and UnknownNameError for what makes no sense.
    """
    if better not in ("higher", "lower"):
        raise UsageError(f"better must be 'higher' or 'lower', not {better!r}.")
    ready = table_of(study, policies, horizon, at)
    believed, left_out = beliefs_of(study, names, ranges)
    spread = {name: one for name, one in believed.items() if name not in _set(study, names, ranges)}
    left_out |= {name: "a lever sets it" for name in believed if name not in spread}
    if not spread:
        raise UsageError("every uncertain parameter is set by a lever; name others to find out")
    total = None if sensitivity is None else _totals(study, ready.place, sensitivity, spread)
    played = ready.play(tuple(spread), drawn(spread, 0, draws, seed))
    gains = played.outcomes.T if better == "higher" else -played.outcomes.T
    whole = gains[np.isfinite(gains).all(axis=1)]
    if len(whole) < 2:
        why = ", ".join(name for name, _ in played.failures.reasons) or study.name
        raise UsageError(
            f"hardly any draw gives every policy an outcome: {why} is no finite number"
        )
    stamp = replace(
        stamp_of_study(
            study, draws=draws, ensemble_seed=seed, varied=len(spread), better=better,
            beliefs={name: str(one) for name, one in spread.items()},
        ),
        horizons=(study.horizons[ready.place],),
    )  # fmt: skip
    known = knowing(
        gains,
        played.rows,
        played.names,
        [one.name for one in ready.policies],
        total_index=total,
        seed=seed,
        stamp=stamp,
    )
    return WorthOfKnowing(
        stamp=stamp,
        title=(study.text("en"), study.text("ko")),
        unit=study.unit,
        policies=ready.policies,
        numbers=tuple(_number(study, name, belief) for name, belief in spread.items()),
        knowing=known,
        heavy=_heavy(whole),
        failures=played.failures,
        left_out=left_out,
        better=better,
        costs=ready.costs,
    )


def _set(
    study: Study, names: Sequence[str] | None, ranges: Mapping[str, Range] | None
) -> frozenset[str]:
    """The parameters of the model's levers, without those that were asked for."""
    asked = {key(name) for name in (*(names or ()), *(ranges or {}))}
    levers = study.model.levers.values()
    return frozenset(one.param for one in levers if key(one.param) not in asked)


def _number(study: Study, name: str, belief: Distribution) -> Number:
    param = study.model.params.get(name)
    evidence = None if param is None else param.evidence
    return Number(
        name=name,
        label=input_labels(study, name),
        unit=input_unit(study, name),
        value=study.base(name),
        belief=belief,
        evidence="" if evidence is None else evidence.kind,
        source="" if evidence is None else evidence.source,
        moment=study.grid.start != 0
        and input_unit(study, name) == study.time_unit
        and study.grid.start <= study.base(name) <= study.grid.stop,
    )


def _heavy(gains: Array) -> float:
    """The part of EVPI that the largest thousandth of the draws brings; 0 where it is worth nothing."""
    edge = np.sort(gains.max(axis=1) - gains[:, int(gains.mean(axis=0).argmax())])
    few = max(len(edge) // 1000, 1)
    total = float(edge.sum())
    return float(edge[-few:].sum()) / total if total > 0 else 0.0


def _totals(
    study: Study, place: int, table: Sensitivity, spread: Mapping[str, Distribution]
) -> Array:
    """The total indices of a table for these inputs; NaN for those that it left at their values."""
    if table.stamp.model_hash != study.model.hash or table.stamp.outcome != study.name:
        raise UsageError(f"the sensitivity table is about {table.stamp.outcome}, not {study.name}")
    if study.horizons[place] not in table.horizons:
        raise UsageError(f"the sensitivity table has no horizon of {study.horizons[place]:g}")
    own = dict(zip(table.parameters, table.distributions, strict=True))
    for name, belief in spread.items():
        if name in own and own[name] != belief:
            raise UsageError(
                f"the sensitivity table is about another range of {name}; give it "
                "ranges=beliefs_of(study)[0]"
            )
    indices = table.ST[:, table.horizons.index(study.horizons[place])]
    found = {name: float(one) for name, one in zip(table.parameters, indices, strict=True)}
    return np.array([found.get(name, np.nan) for name in spread])
