"""Which numbers of a model are uncertain, and over what range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.model import Model, Param, Time
from flywheel.sweep.distributions import Distribution, LogUniform, Normal, Uniform
from flywheel.units import UnitSystem

AROUND = 0.2
"""Without a stated range: this part of the value to either side."""
DECADE = 10.0
"""A positive range whose ends differ by this factor or more is log-uniform."""
_DIALS = (" -> ", "@scale")
"""What names of dials have in them that are turned in parts: 0.2 is 20 % more."""

Range = tuple[float, float] | Distribution


def ranges_of(
    model: Model,
    names: Iterable[str] | None = None,
    given: Mapping[str, Range] | None = None,
    values: Mapping[str, float] | None = None,
    dials: Iterable[str] = (),
    *,
    evidence: bool = True,
) -> dict[str, Distribution]:
    """The distribution of each uncertain input, in the order of ``names`` (or of the model's text).

    A parameter's is its ``low .. high``, else 20 % of its value to either side. It is uniform, but
    log-uniform when the range is positive and spans a decade or the unit is 1 per time: a rate of 1 %
    a year is to 2 % what 10 % is to 20 %. A point in time (2015, in the unit of a time line from 1997)
    has 20 % of the run's length instead of its value.

    With ``evidence``, a parameter whose evidence states a standard deviation is normal around its value
    instead, cut off at its range: what is believed of it, and not how far it could conceivably lie.

    ``given`` replaces ranges: ``(low, high)``, treated by the same rule, or a distribution. ``values``
    are the baseline's parameters and initial stocks where they are not the model's own. ``dials`` are
    further inputs: those of links (``"x -> z"``) go from 20 % weaker to 20 % stronger, others need a
    range.

    Without ``names``: every parameter that has a range or is not 0, and what ``given`` adds. Switches
    that the model's text implies (``ads.on``, ``hiring.desired``) are left out, for half a rule is none.

    Raises UnknownNameError for a name that is no input, UsageError for one without any range.
    """
    asked = {key(name): range_ for name, range_ in (given or {}).items()}
    params = {key(name): param for name, param in model.params.items()}
    others = {key(name): name for name in (*model.stocks, *dials)}
    base = {name: p.value for name, p in model.params.items()} | dict(values or {})
    if names is None:
        chosen = [p.name for p in model.params.values() if _uncertain(p) or key(p.name) in asked]
        chosen += [name for name in (given or {}) if key(name) not in params]
    else:
        chosen = list(names)
    if not chosen:
        raise UsageError(f"model {model.name} has no uncertain parameters; give ranges")
    units = UnitSystem(model.units.values())
    found: dict[str, Distribution] = {}
    for name in chosen:
        own = params.get(key(name))
        label = own.name if own else others.get(key(name))
        if label is None:
            raise unknown_name(
                name, "input", [*model.params, *others.values()], f"model {model.name}"
            )
        if label in found:
            raise UsageError(f"{label} is named twice")
        middle = base.get(label, 0.0)
        rate, around = False, AROUND * abs(middle)
        if own is not None:
            rate, around = _in_time(own, middle, around, model.time, units)
        elif any(mark in label for mark in _DIALS):
            around = AROUND
        believed = _believed(own, middle) if evidence and own is not None else None
        range_ = asked.get(key(name)) or believed or _default(own, middle, around, label)
        found[label] = _distribution(range_, rate)
    for name in given or {}:
        if key(name) not in {key(label) for label in found}:
            raise unknown_name(name, "input", found, "the list of parameters")
    return found


def _uncertain(param: Param) -> bool:
    prefix, _, last = param.name.rpartition(".")
    if prefix and last in ("on", "desired", "clock"):
        return False
    ranged = param.low is not None and param.high is not None and param.low < param.high
    return ranged or (param.value != 0 and param.low is None and param.high is None)


def _in_time(
    param: Param, value: float, around: float, time: Time, units: UnitSystem
) -> tuple[bool, float]:
    """Whether a parameter is 1 per time, and how far around its value its range reaches."""
    unit, clock = units.dimension(param.unit), units.dimension(time.unit)
    if unit is None or clock is None:
        return False, around
    if unit == clock and time.start != 0 and time.start <= value <= time.stop:
        return False, AROUND * (time.stop - time.start)
    return not unit.pure and (unit * clock).bases == (), around


def _believed(param: Param, value: float) -> Normal | None:
    """What a parameter's evidence says of it, where it says how sure it is."""
    if param.evidence is None or not param.evidence.sd:
        return None
    low = -np.inf if param.low is None else param.low
    high = np.inf if param.high is None else param.high
    return Normal(value, param.evidence.sd, low, high)


def _default(param: Param | None, value: float, around: float, name: str) -> tuple[float, float]:
    low = param.low if param and param.low is not None else value - around
    high = param.high if param and param.high is not None else value + around
    if not low < high or not np.isfinite([low, high]).all():
        raise UsageError(
            f"{name} has no range around {value:g}; give one: ranges={{{name!r}: (…, …)}}"
        )
    return low, high


def _distribution(range_: Range, rate: bool) -> Distribution:
    if not isinstance(range_, tuple):
        return range_
    if len(range_) != 2:
        raise UsageError(f"a range is (low, high), not {range_!r}")
    low, high = float(range_[0]), float(range_[1])
    if low > 0 and (rate or high / low >= DECADE):
        return LogUniform(low, high)
    return Uniform(low, high)
