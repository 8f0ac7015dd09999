"""Levers as inputs of the model itself, beside its parameters and initial values.

``Study.pull`` pulls levers in the baseline. Here every lever becomes two further parameters of the
model, how far and from when it is pulled, so that one batch of runs can pull levers under other
assumptions, in other orders, or with the loops opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flywheel.analysis.levers.paths import Array, weights
from flywheel.errors import UsageError, unknown_name
from flywheel.expr import Binary, Call, Expr, Name, Number, key, substitute
from flywheel.functions import TIME
from flywheel.model import Aux, Declaration, Flow, Lever, Model, Param, Stock, Table, Use, as_number
from flywheel.solve.members import Members
from flywheel.solve.study import Study

_PULL, _START, _COST, _NOW = "__pull", "__from", "__cost", "__now"


def levers_of(
    study: Study, levers: Iterable[str | Lever] | None = None, at: float | None = None
) -> tuple[Lever, ...]:
    """Declared levers by name, all by default; ``parameter=value`` makes one of its own.

    ``at`` replaces when they are pulled; without it a lever without a time is pulled at the study's
    ``since``. Raises UnknownNameError, or UsageError where there is none, or one outside the run.
    """
    every = study.model.levers.values()
    chosen = [one if isinstance(one, Lever) else _lever(study, one) for one in levers or every]
    if not chosen:
        raise UsageError(f"model {study.model.name} declares no lever; give parameter=value")
    if len({one.name for one in chosen}) < len(chosen):
        raise UsageError("a lever is named twice")
    first, last = float(study.times[0]), float(study.times[-1])
    timed = []
    for one in chosen:
        when = at if at is not None else study.since if one.at is None else one.at
        if not first <= when < last:
            raise UsageError(f"{one.name} is pulled at {when:g}, outside the run to {last:g}")
        timed.append(replace(one, at=max(first, float(when))))
    return tuple(timed)


def setting(study: Study, parameter: str, value: float) -> Lever:
    """An undeclared lever: a parameter at another value."""
    name = study.spelled(parameter)
    param = study.model.params.get(name)
    if param is None:
        raise unknown_name(parameter, "parameter", study.model.params, study.model.name)
    number = as_number(name, value)
    labels = tuple((code, f"{label} = {number:g}", "") for code, label, _ in param.translations)
    return Lever(
        name=f"{name}={number:g}",
        label=f"{param.label or name} = {number:g}",
        translations=labels,
        param=name,
        to=Number(number),
    )


def _lever(study: Study, asked: str) -> Lever:
    parameter, sign, value = str(asked).partition("=")
    if not sign:
        return study.levers([asked])[0]
    try:
        wanted = float(value)
    except ValueError:
        raise UsageError(f"{asked!r} is no lever: give its name, or parameter=value") from None
    return setting(study, parameter.strip(), wanted)


@dataclass(frozen=True, eq=False)
class Bench:
    """A study of the model whose levers (L) are inputs. ``origin`` is the study that it answers."""

    origin: Study
    study: Study
    levers: tuple[Lever, ...]
    _names: tuple[str, ...]

    @property
    def starts(self) -> Array:
        """When each lever is pulled, (L,)."""
        return np.array([float(one.at or 0.0) for one in self.levers])

    def run(
        self,
        pulls: Array,
        names: Sequence[str] = (),
        rows: Array | None = None,
        starts: Array | None = None,
    ) -> Members:
        """Runs with levers pulled by ``pulls`` (M, L), 0 not and 1 fully.

        ``names`` (k) and ``rows`` (M, k) set parameters or initial values from the start of the run on:
        other assumptions, under which a lever given in percent moves the number that is assumed.
        ``starts`` (M, L) are other times to pull at.
        """
        given = np.atleast_2d(np.asarray(pulls, dtype=float))
        inputs = [f"{name}{_PULL}" for name in self._names]
        blocks = [given]
        if starts is not None:
            inputs += [f"{name}{_START}" for name in self._names]
            blocks.append(np.broadcast_to(starts, given.shape))
        if rows is not None:
            inputs += names
            blocks.append(np.asarray(rows, dtype=float))
        everything = np.concatenate(blocks, axis=1)
        return self.study.run(inputs, everything, since=float(self.study.times[0]))

    def costs(self, members: Members, lever: int, rate: float, origin: float) -> Array:
        """What lever number ``lever`` costs in each member up to each horizon, (M, horizons).

        Discounted at the continuous ``rate`` back to the time ``origin``. NaN for a lever without a
        stated cost. Between saves the cost is a straight line.
        """
        one, name = self.levers[lever], self._names[lever]
        ends = np.array([self.study.since + h for h in self.study.horizons])
        if one.cost is None:
            return np.full((len(members.rows), len(ends)), np.nan)
        times, start = self.study.times, float(self.starts[lever])
        course = members.column(f"{name}{_COST}")
        if one.once:
            first = int(np.searchsorted(times, start - 1e-9))
            fade = math.exp(-rate * (float(times[first]) - origin))
            return np.where(start <= ends + 1e-9, course[:, first : first + 1] * fade, 0.0)
        found = np.zeros((len(course), len(ends)))
        for k, end in enumerate(ends):
            inside = (times >= start - 1e-9) & (times <= end + 1e-9)
            if inside.sum() > 1:
                span = times[inside]
                fade = math.exp(-rate * (float(span[0]) - origin))
                found[:, k] = course[:, inside] @ weights(span - span[0], rate) * fade
        return found

    def opened(self, model: Model) -> Bench:
        """The same bench on a changed model, such as one with its loops opened."""
        watch = tuple(name for name in self.study.watched if name in model.variables)
        return _bench(self.origin, model, self.levers, self._names, watch)


def bench(study: Study, levers: Sequence[Lever], watch: Sequence[str] = ()) -> Bench:
    """A bench for levers as ``levers_of`` gives them; every run saves the variables ``watch``."""
    names = tuple(_free(study.model, one.name, number) for number, one in enumerate(levers))
    costs = [f"{n}{_COST}" for one, n in zip(levers, names, strict=True) if one.cost is not None]
    model = levered(study.model, levers, names)
    return _bench(study, model, tuple(levers), names, (*watch, *costs))


def _bench(
    origin: Study,
    model: Model,
    levers: tuple[Lever, ...],
    names: tuple[str, ...],
    watch: tuple[str, ...],
) -> Bench:
    study = Study(
        model,
        origin.name,
        list(origin.horizons),
        since=origin.since,
        method=origin.method,
        scenario=origin.scenario,
        overrides=origin.overrides,
        seed=origin.seed,
        step=origin.grid.step,
        stop=origin.grid.stop,
        watch=watch,
    )
    return Bench(origin, study, levers, names)


def _free(model: Model, lever: str, number: int) -> str:
    """A name that the model has not used for a lever's inputs; that of an undeclared one is no name."""
    prefix = lever.replace("=", "_") if lever in model.levers else f"lever_{number}"
    while any(f"{prefix}{end}" in model for end in (_PULL, _START, _COST)):
        prefix += "_"
    return prefix


def levered(model: Model, levers: Sequence[Lever], names: Sequence[str]) -> Model:
    """The model with an input for how far each lever is pulled, and one for when.

    Every equation and initial value reads a lever's parameter as it is moved; several levers on one
    parameter add up. With nothing pulled it computes what the model does.
    """
    moves: dict[str, list[Expr]] = {}
    added: list[Declaration] = []
    for lever, name in zip(levers, names, strict=True):
        pull, start = f"{name}{_PULL}", f"{name}{_START}"
        param = Name(lever.param)
        goal = lever.to or Binary("*", param, Number(1.0 + (lever.by or 0.0)))
        way = Binary("*", Name(pull), Binary("-", goal, param))
        on = Binary(">=", Name(TIME), Name(start))
        moves.setdefault(lever.param, []).append(Call("if", (on, way, Number(0.0))))
        added.append(Param(name=pull, value=0.0, low=0.0, high=1.0))
        added.append(Param(name=start, value=float(lever.at or 0.0)))
    now: dict[str, Expr] = {}
    for param_name, parts in moves.items():
        total: Expr = Name(param_name)
        for part in parts:
            total = Binary("+", total, part)
        now[param_name] = Name(f"{param_name}{_NOW}")
        added.append(Aux(name=f"{param_name}{_NOW}", equation=total))
    for lever, name in zip(levers, names, strict=True):
        if lever.cost is not None:
            cost = Binary("*", substitute(lever.cost, now), Name(f"{name}{_PULL}"))
            added.append(Aux(name=f"{name}{_COST}", equation=cost))
    # ``flat`` has modules unfolded already; their ``use`` lines must not unfold them again.
    kept = (_moved(d, now) for d in model.flat if not isinstance(d, Use))
    return replace(model, declarations=(*kept, *added))


def _moved(declaration: Declaration, now: Mapping[str, Expr]) -> Declaration:
    match declaration:
        case Stock():
            return replace(declaration, initial=substitute(declaration.initial, now))
        case Flow() | Aux():
            return replace(declaration, equation=substitute(declaration.equation, now))
        case Table() if key(declaration.input) in {key(name) for name in now}:
            return replace(declaration, input=f"{declaration.input}{_NOW}")
        case _:
            return declaration
