"""Policies played through draws of uncertain inputs: levers alone or in bundles, all in few batches.

Every policy runs in the same draws, so that two policies differ by what they do and not by luck.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from flywheel.analysis.decide.words import Array
from flywheel.analysis.levers.pulling import Bench, bench, levers_of
from flywheel.analysis.sensitivity.design import sobol_points, to_inputs
from flywheel.analysis.sensitivity.outputs import Failures, failures
from flywheel.analysis.sensitivity.ranges import Range
from flywheel.errors import UsageError
from flywheel.expr import key
from flywheel.model import Lever
from flywheel.solve.study import Study
from flywheel.sweep.distributions import Distribution

NOTHING = "nothing"
"""The name of the policy that pulls no lever; it is always played beside the others."""
_BATCH = 2**27  # bytes of saved values in one call

Bundle = Mapping[str, float] | Iterable[str]
Policies = Iterable[str] | Mapping[str, Bundle]


@dataclass(frozen=True)
class Policy:
    """Levers pulled together: 0 not, 1 fully. ``label`` is in English and Korean."""

    name: str
    label: tuple[str, str]
    pulls: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Played:
    """Policies (P) run in draws (N) of inputs (k): ``rows`` (N, k), ``outcomes`` (P, N) at one horizon.

    NaN where a run failed; ``failures`` counts the draws in which some policy has no outcome, and says
    where they lie and what broke.
    """

    policies: tuple[Policy, ...]
    names: tuple[str, ...]
    rows: Array
    outcomes: Array
    failures: Failures


@dataclass(frozen=True, eq=False)
class Table:
    """Policies made ready to run: a bench with their levers, and how far each pulls (P, L)."""

    on: Bench
    policies: tuple[Policy, ...]
    pulls: Array
    place: int
    """Of the horizon among the study's."""
    costs: bool
    """Whether some lever has a stated cost; it is not taken off the outcome."""

    def play(self, names: Sequence[str], rows: Array, which: Sequence[int] | None = None) -> Played:
        """The policies (all, or those at the places ``which``) in every row (N, k) of inputs."""
        chosen = range(len(self.policies)) if which is None else which
        pulls = self.pulls[list(chosen)]
        count = len(pulls)
        study = self.on.study
        size = max(_BATCH // (8 * len(study.times) * len(study.watched) * count), 1)
        parts, reasons = [], Counter[str]()
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            members = self.on.run(
                np.tile(pulls, (len(part), 1)), tuple(names), np.repeat(part, count, axis=0)
            )
            parts.append(members.outcomes[:, self.place].reshape(len(part), count))
            reasons.update(one.variable for one in members.failures if one.variable)
        outcomes = np.concatenate(parts)
        good = np.asarray(np.isfinite(outcomes).all(axis=1))
        return Played(
            tuple(self.policies[k] for k in chosen),
            tuple(names),
            rows,
            outcomes.T,
            failures(rows, good, names, reasons.most_common(3)),
        )


def table_of(
    study: Study,
    policies: Policies | None = None,
    horizon: float | None = None,
    at: float | None = None,
) -> Table:
    """Policies ready to be played: doing nothing first, then those given.

    ``policies``: names of levers, each alone (all declared ones by default), or bundles by a name of
    their own: ``{name: {lever: intensity}}`` or ``{name: [lever, …]}``. A bundle that pulls nothing
    names doing nothing.

    Raises UsageError or UnknownNameError for what is no lever, an intensity that is no number, a
    horizon that the study does not have, or where there is nothing to choose.
    """
    if policies is None or not isinstance(policies, Mapping):
        levers = levers_of(study, policies, at)
        found = [Policy(one.name, _labels(one), _pulls({one.name: 1.0})) for one in levers]
    else:
        bundles = {str(name): _bundle(str(name), bundle) for name, bundle in policies.items()}
        asked = {key(lever): lever for bundle in bundles.values() for lever in bundle}
        levers = levers_of(study, asked.values(), at) if asked else ()
        spelled = dict(zip(asked, (one.name for one in levers), strict=True))
        found = [
            Policy(name, (name, name), _pulls({spelled[key(one)]: u for one, u in bundle.items()}))
            for name, bundle in bundles.items()
        ]
    idle = [one for one in found if not any(one.pulls.values())]
    if len(idle) > 1:
        raise UsageError(f"{idle[0].name!r} and {idle[1].name!r} both do nothing")
    rest = [one for one in found if one not in idle]
    if not rest:
        raise UsageError("no policy does anything, so there is nothing to choose")
    if not idle and any(one.name == NOTHING for one in rest):
        raise UsageError(f"{NOTHING!r} is the name of pulling no lever; name the policy otherwise")
    first = (
        idle[0] if idle else Policy(NOTHING, ("doing nothing", "아무것도 하지 않기"), _pulls({}))
    )
    every = (first, *rest)
    pulls = np.array([[one.pulls.get(lever.name, 0.0) for lever in levers] for one in every])
    # Costs are not asked for here: without them a run need not save them.
    on = bench(study, [replace(lever, cost=None) for lever in levers])
    costs = any(lever.cost is not None for lever in levers)
    return Table(on, every, pulls, place_of(study, horizon), costs)


def place_of(study: Study, horizon: float | None) -> int:
    """The place of a horizon among the study's, the last by default; UsageError where it has none."""
    if horizon is None:
        return len(study.horizons) - 1
    near = [k for k, h in enumerate(study.horizons) if math.isclose(h, horizon, rel_tol=1e-9)]
    if not near:
        raise UsageError(f"the study has horizons {tuple(study.horizons)}, not {horizon:g}")
    return near[0]


def _labels(lever: Lever) -> tuple[str, str]:
    return lever.text("en")[0], lever.text("ko")[0]


def _pulls(pulls: Mapping[str, float]) -> Mapping[str, float]:
    return MappingProxyType(dict(pulls))


def _bundle(name: str, bundle: Bundle) -> dict[str, float]:
    if isinstance(bundle, str):
        raise UsageError(f"the policy {name!r} is {{lever: intensity}} or a list, not one text")
    given = dict(bundle) if isinstance(bundle, Mapping) else dict.fromkeys(bundle, 1.0)
    if not all(math.isfinite(float(u)) for u in given.values()):
        raise UsageError(f"the policy {name!r} pulls a lever by no finite number")
    if len({key(lever) for lever in given}) < len(given):
        raise UsageError(f"the policy {name!r} names a lever twice")
    return {str(lever): float(u) for lever, u in given.items()}


def drawn(spread: Mapping[str, Distribution], start: int, stop: int, seed: int) -> Array:
    """Points ``start`` to ``stop`` - 1 of the sequence over the inputs, in their units: (n, k)."""
    return to_inputs(sobol_points(start, stop, len(spread), seed), list(spread.values()))


def undecided(
    ready: Table,
    spread: Mapping[str, Distribution],
    names: Sequence[str] | None,
    ranges: Mapping[str, Range] | None,
) -> tuple[dict[str, Distribution], tuple[str, ...]]:
    """Without the parameters that a lever sets to a value, unless they were asked for; and those.

    Where a lever ends is decided whatever its parameter was before: a failure "where it is above that
    value already" would say nothing.
    """
    asked = {key(name) for name in (*(names or ()), *(ranges or {}))}
    decided = {
        one.param for one in ready.on.levers if one.to is not None and key(one.param) not in asked
    }
    rest = {name: one for name, one in spread.items() if name not in decided}
    if not rest:
        raise UsageError("every uncertain parameter is set by a policy; name others to draw")
    return rest, tuple(name for name in spread if name in decided)


def based(study: Study) -> dict[str, float]:
    """The study's own parameters and initial stocks, around which ranges lie."""
    return {name: study.base(name) for name in (*study.model.params, *study.model.stocks)}


def input_labels(study: Study, name: str) -> tuple[str, str]:
    """The label of an input in English and Korean."""
    declared = study.model[name]
    return declared.text("en")[0], declared.text("ko")[0]


def input_unit(study: Study, name: str) -> str:
    """The unit of an input; empty for a plain number."""
    unit = getattr(study.model[name], "unit", None)
    return "" if unit is None or str(unit) == "1" else str(unit)
