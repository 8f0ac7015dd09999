"""What can be prepared once for many runs of a model: its equations, its columns, its engines.

A plan depends on the model and on which settings are timed and which initial values are given, not on
their numbers. Runs with other numbers share it, so nothing is expanded or compiled twice.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import Expr, Number, key
from flywheel.kernel.expand import STEP_INPUT, expand, initial_input, timed_inputs
from flywheel.kernel.reference import Reference, evaluate
from flywheel.kernel.system import System
from flywheel.model import Model, Scenario, Setting, as_number
from flywheel.solve.engines import FixedEngine, fixed_engine
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.outcomes import Recipe, recipes
from flywheel.solve.rates import RatesEngine

_PLANS_PER_MODEL = 32


@dataclass(frozen=True)
class Shape:
    """Which settings are timed, and how, and which stocks start elsewhere: what a plan depends on."""

    timed: tuple[tuple[str, bool, bool], ...] = ()
    initials: tuple[str, ...] = ()


@dataclass(eq=False)
class Plan:
    """A model made ready to run.

    ``columns`` are the names that every run saves: first ``visible`` (the model's own), then what
    outcomes ask for, then hidden stocks and pipelines.
    """

    model_ref: weakref.ref[Model]
    system: System
    columns: tuple[str, ...]
    recipes: Mapping[str, Recipe]
    own: int
    """How many of the inputs are the model's parameters; they come first."""
    _engines: dict[tuple[str, str | None], FixedEngine] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The model, which whoever runs it holds."""
        model = self.model_ref()
        if model is None:
            raise ReferenceError("the model of this plan is gone")
        return model

    @cached_property
    def visible(self) -> tuple[str, ...]:
        """The model's own variables, in the order of the file."""
        return self.system.visible

    @cached_property
    def position(self) -> Mapping[str, int]:
        """The column of each name."""
        return {name: place for place, name in enumerate(self.columns)}

    @cached_property
    def column_by_key(self) -> Mapping[str, int]:
        """The column of each visible variable by its name in any case (``expr.key``)."""
        return {key(name): place for place, name in enumerate(self.visible)}

    @cached_property
    def input_position(self) -> Mapping[str, int]:
        """The place of each input in a vector of inputs."""
        return {name: place for place, name in enumerate(self.system.inputs)}

    @cached_property
    def defaults(self) -> NDArray[np.float64]:
        """The inputs where nothing is overridden."""
        return np.array(self.system.defaults)

    @cached_property
    def grid(self) -> Grid:
        """The times of the model's own ``time`` line."""
        return make_grid(self.system.time)

    @cached_property
    def foreign(self) -> frozenset[str]:
        """Stocks that belong to an outcome, not to the model: they may fail alone."""
        return frozenset(s.name for s in self.system.stocks if s.owner not in self.visible)

    @cached_property
    def judged(self) -> NDArray[np.bool_]:
        """Which columns must be finite for a run to be sound: all but those of outcomes."""
        loose = self.foreign | {name for r in self.recipes.values() for name in r.columns}
        return np.array([name not in loose for name in self.columns], dtype=bool)

    @cached_property
    def reference(self) -> Reference:
        """The system as closures: for what is saved of adaptive runs, and for finding faults."""
        return Reference(self.system)

    @cached_property
    def rates(self) -> RatesEngine:
        """The right-hand side for adaptive solvers."""
        return RatesEngine(self.system, self.reference)

    def engine(self, method: str, prefer: str | None = None) -> FixedEngine:
        """The engine of a fixed-step method."""
        engine = self._engines.get((method, prefer))
        if engine is None:
            engine = fixed_engine(self.system, self.columns, method, prefer=prefer)
            self._engines[method, prefer] = engine
        return engine

    def inputs(self, request: Inputs, step: float) -> NDArray[np.float64]:
        """The vector of inputs of a run."""
        vector = self.defaults.copy()
        place = self.input_position
        for name, value in request.values.items():
            vector[place[name]] = value
        for name, value in request.initials.items():
            vector[place[initial_input(name)]] = value
        if request.timed:
            settings = [setting for setting, _ in request.timed]
            for (setting, value), (hidden, since, until) in zip(
                request.timed, timed_inputs(settings), strict=True
            ):
                vector[place[hidden]] = value
                if since is not None and setting.since is not None:
                    vector[place[since]] = setting.since
                if until is not None and setting.until is not None:
                    vector[place[until]] = setting.until
        if STEP_INPUT in place:
            vector[place[STEP_INPUT]] = step
        return vector


@dataclass(frozen=True)
class Inputs:
    """The numbers of a run: parameters, initial values, timed settings with their values."""

    values: Mapping[str, float]
    initials: Mapping[str, float]
    timed: tuple[tuple[Setting, float], ...]
    given: Mapping[str, float]
    """The overrides by declared name."""

    @property
    def shape(self) -> Shape:
        timed = tuple((s.name, s.since is not None, s.until is not None) for s, _ in self.timed)
        return Shape(timed, tuple(self.initials))


_NOTHING = Inputs({}, {}, (), {})
_PLAIN = Shape()


def resolve(
    model: Model,
    overrides: Mapping[str, float],
    scenario: Scenario | None = None,
    settings: Sequence[Setting] = (),
) -> Inputs:
    """The numbers of a run, names checked.

    A scenario speaks first, its values reading the parameters with the overrides; overrides replace
    what it says from the start; ``settings`` come last and read the parameters as they are then.

    Raises UnknownNameError, or UsageError for a value that is no finite number.
    """
    if not overrides and scenario is None and not settings:
        return _NOTHING
    given = {}
    known = names_of(model)
    for spelled, value in overrides.items():
        name = known.get(key(str(spelled)))
        if name is None:
            raise _unknown(model, str(spelled))
        if name in given:
            raise UsageError(f"{name} is set twice")
        given[name] = as_number(name, value)
    values = dict(given)
    timed: list[tuple[Setting, float]] = []
    for group in (scenario.settings if scenario else (), settings):
        params = {name: values.get(name, p.value) for name, p in model.params.items()}
        for setting in group:
            name = known.get(key(setting.name))
            if name is None:
                raise _unknown(model, setting.name)
            number = setting_value(setting.value, params, setting)
            if setting.since is None and setting.until is None:
                if group is settings or name not in given:
                    values[name] = number
            elif name in model.stocks:
                raise UsageError(
                    f"{name} is a stock: its initial value can be set, but not from or until a time"
                )
            else:
                timed.append((replace(setting, name=name), number))
    initials = {name: value for name, value in values.items() if name in model.stocks}
    plain = {name: value for name, value in values.items() if name not in initials}
    return Inputs(plain, initials, tuple(timed), given)


def names_of(model: Model) -> Mapping[str, str]:
    """What a run may set, by its name in any case: parameters and (their initial values) stocks."""
    return _prepared(model).names


def scenario_of(model: Model, name: str | None) -> Scenario | None:
    """The scenario of a name in any case; raises UnknownNameError."""
    if name is None:
        return None
    for scenario in model.scenarios.values():
        if key(scenario.name) == key(str(name)):
            return scenario
    raise unknown_name(str(name), "scenario", model.scenarios, f"model {model.name}")


def plan_for(model: Model, shape: Shape = _PLAIN) -> Plan:
    """The plan of a model for settings of a shape; prepared once and kept.

    Raises ModelError for a model whose equations need each other at the same moment.
    """
    prepared = _prepared(model)
    plan = prepared.plans.get(shape)
    if plan is None:
        plan = _make(model, shape)
        if len(prepared.plans) >= _PLANS_PER_MODEL:
            prepared.plans.clear()
        prepared.plans[shape] = plan
    return plan


def _make(model: Model, shape: Shape) -> Plan:
    settings = [
        Setting(name, Number(0.0), 0.0 if since else None, 0.0 if until else None)
        for name, since, until in shape.timed
    ]
    found, extras = recipes(model)
    system = expand(model, settings=settings, initials=shape.initials, extras=extras)
    asked = (extra.name for extra in extras)
    stocks = (stock.name for stock in system.stocks)
    pipelines = (pipeline.name for pipeline in system.pipelines)
    columns = tuple(dict.fromkeys([*system.visible, *asked, *stocks, *pipelines]))
    return Plan(weakref.ref(model), system, columns, found, len(model.params))


@dataclass(eq=False)
class _Prepared:
    """What is kept for one model object."""

    names: Mapping[str, str]
    plans: dict[Shape, Plan] = field(default_factory=dict)


# By identity: two models that say the same in different files must not show each other's lines. Plans
# hold their model weakly, so that it goes when its user lets it go, and its plans with it.
_BY_MODEL: dict[int, tuple[weakref.ref[Model], _Prepared]] = {}


def _prepared(model: Model) -> _Prepared:
    number = id(model)
    found = _BY_MODEL.get(number)
    if found is not None and found[0]() is model:
        return found[1]

    # Bound as defaults: when the interpreter shuts down, globals go before the last models.
    def forget(
        gone: weakref.ref[Model], kept: dict[int, Any] = _BY_MODEL, number: int = number
    ) -> None:
        if number in kept and kept[number][0] is gone:
            del kept[number]

    prepared = _Prepared({key(name): name for name in (*model.params, *model.stocks)})
    _BY_MODEL[number] = (weakref.ref(model, forget), prepared)
    return prepared


def _unknown(model: Model, name: str) -> UsageError:
    candidates = [*model.params, *model.stocks]
    return unknown_name(name, "parameter or stock", candidates, f"model {model.name}")


def setting_value(expr: Expr, params: Mapping[str, float], setting: Setting) -> float:
    """The number that a setting gives its parameter; its expression reads other parameters."""
    if isinstance(expr, Number):
        return expr.value
    try:
        return as_number(setting.name, evaluate(expr, params))
    except KeyError as error:
        raise UsageError(
            f"the value of {setting.name} reads {error.args[0]}, which is no parameter"
        ) from None
