"""One question about a model: an outcome, its horizons, and what may be turned.

A ``Study`` holds what every analysis of leverage needs: the baseline, the outcome of many runs at
once, and its exact derivatives. Nothing in it knows what a lever is worth; that is ``analysis``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import Number, key
from flywheel.kernel import dials
from flywheel.kernel.expand import timed_inputs
from flywheel.kernel.system import System
from flywheel.model import Lever, Model, Setting
from flywheel.solve.batch import Batch
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.members import Failure, Gradient, How, Members
from flywheel.solve.plan import Inputs, Plan, plan_for, resolve, scenario_of, setting_value
from flywheel.solve.schedule import Schedule
from flywheel.solve.smoothness import event_inputs, jumps
from flywheel.solve.target import Target, target_of
from flywheel.structure import links as structure_links

Array = NDArray[np.float64]
_ZERO = Number(0.0)
_EXPLAINED = 50
"""Failed members for which the variable that broke first is looked up."""


class Study:
    """An outcome of a model at horizons, with the runs and derivatives that any analysis asks for.

    Parameters
    ----------
    outcome:
        A declared outcome or a variable, by its name in any case.
    horizons:
        Durations from ``since`` in the model's unit of time. None: the outcome as it is declared, a
        variable at the end of the run.
    since:
        From when on something else is done; the start of the run by default. On the grid of saves.
    method:
        ``rk4`` or ``euler``: what is differentiated is the fixed-step computation itself.
    scenario, overrides, seed, step, stop:
        As of a run; they make the baseline.
    watch:
        Further variables that every run saves.

    Raises UnknownNameError and UsageError for arguments that make no sense.
    """

    def __init__(
        self,
        model: Model,
        outcome: str,
        horizons: float | Sequence[float] | None = None,
        *,
        since: float | None = None,
        method: str = "rk4",
        scenario: str | None = None,
        overrides: Mapping[str, float] | None = None,
        seed: int = 0,
        step: float | None = None,
        stop: float | None = None,
        watch: Sequence[str] = (),
    ) -> None:
        if method.casefold() not in ("rk4", "euler"):
            raise UsageError(
                f"a study takes method rk4 or euler, not {method!r}: their runs have exact derivatives"
            )
        self.model = model
        self.method: Literal["rk4", "euler"] = "euler" if method.casefold() == "euler" else "rk4"
        self.scenario = None if scenario is None else scenario
        self.seed = seed
        self._numbers = resolve(model, overrides or {}, scenario_of(model, scenario))
        self.plan: Plan = plan_for(model, self._numbers.shape)
        self.grid: Grid = make_grid(model.time, None, stop, step, None)
        self.target: Target = target_of(model, outcome, horizons, since, self.grid.times)
        self.since = self.target.since
        self._on_grid(self.since)
        own = dials.shift(self.plan.system, [s for s in model.stocks if s in self.plan.visible])
        self._batch = Batch(own, self.method, self.grid, seed)
        self._vector = self._fill(own, self._numbers, self.plan)
        self._dials: tuple[str, ...] = ()
        extra = [self.spelled(name) for name in watch]
        self.watched: tuple[str, ...] = tuple(dict.fromkeys([*self.target.columns, *extra]))

    # What is asked ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The outcome's name."""
        return self.target.name

    @property
    def label(self) -> str:
        """The outcome's label."""
        return self.target.recipe.outcome.text()[0]

    def text(self, language: str = "en") -> str:
        """The outcome's label in a language."""
        return self.target.recipe.outcome.text(language)[0]

    @property
    def unit(self) -> str:
        """The outcome's unit, empty where none is declared."""
        unit = self.target.recipe.outcome.unit
        return "" if unit is None else str(unit)

    @property
    def time_unit(self) -> str:
        """The model's unit of time."""
        unit = self.model.time.unit
        return "" if unit is None else str(unit)

    @property
    def horizons(self) -> tuple[float, ...]:
        """Durations from ``since``."""
        return self.target.horizons

    @property
    def end(self) -> float:
        """The time of the last horizon: what comes later is not asked about."""
        return self.since + max(self.horizons)

    @property
    def times(self) -> Array:
        """The saved times, shape (T,)."""
        return self.grid.times

    @property
    def system(self) -> System:
        """The equations, with the dials of this study."""
        return self._batch.system

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of ``baseline``: the model's variables, then what outcomes need."""
        return self.plan.columns

    @cached_property
    def baseline(self) -> Array:
        """The run in which nothing is turned, shape (T, V)."""
        values = self.plan.engine(self.method, "llvm").run(
            self._vector[np.newaxis, : len(self.plan.system.inputs)], self.grid, seed=self.seed
        )
        return np.asarray(values.values[0])

    def column(self, name: str) -> Array:
        """A variable over time in the baseline, shape (T,)."""
        return self.baseline[:, self.columns.index(self.spelled(name))]

    @cached_property
    def value(self) -> Array:
        """The outcome of the baseline, shape (horizons,)."""
        picked = self.baseline[np.newaxis][
            :, :, [self.columns.index(c) for c in self.target.columns]
        ]
        found = self.target.read(picked, self.params)[0]
        return np.where(np.isfinite(found), found, np.nan)

    @property
    def overrides(self) -> Mapping[str, float]:
        """The numbers that replace the model's in the baseline, by declared name."""
        return MappingProxyType(dict(self._numbers.given))

    @property
    def params(self) -> dict[str, Array]:
        """The baseline's parameters."""
        place = self.plan.input_position
        return {p: np.asarray(self._vector[place[p]]) for p in self.model.params}

    def base(self, name: str) -> float:
        """The baseline's value of a parameter or the initial value of a stock; 0 for a dial."""
        spelled = self.spelled(name)
        if spelled in self._dials:
            return 0.0
        if spelled in self.model.params:
            return float(self._vector[self.plan.input_position[spelled]])
        return float(self.column(spelled)[0])

    @property
    def inputs(self) -> tuple[str, ...]:
        """What can be turned: parameters, stocks (their initial value), dials."""
        stocks = tuple(s for s in self.model.stocks if s in self.plan.visible)
        return (*self.model.params, *stocks, *self._dials)

    def spelled(self, name: str) -> str:
        """A parameter, variable, column or dial as it is declared; raises UnknownNameError."""
        known = self._known
        found = known.get(key(str(name)))
        if found is None:
            shown = [*self.model.params, *self.model.variables, *self._dials]
            raise unknown_name(str(name), "parameter, variable or dial", shown, self.model.name)
        return found

    @cached_property
    def _known(self) -> dict[str, str]:
        every = (*self.model.params, *self.columns, *self._dials)
        return {key(name): name for name in every}

    def _on_grid(self, t: float) -> int:
        """The number of a saved time. Raises UsageError for a time between saves."""
        row = int(np.abs(self.times - t).argmin())
        if abs(self.times[row] - t) > 1e-6 * self.grid.save:
            raise UsageError(
                f"{t:g} is no saved time; the nearest is {self.times[row]:g} (saved every "
                f"{self.grid.save:g})"
            )
        return row

    # Runs ---------------------------------------------------------------------------------------

    def run(
        self,
        names: Sequence[str],
        rows: Array | Sequence[Sequence[float]],
        since: float | None = None,
    ) -> Members:
        """Runs with the inputs ``names`` set to each of ``rows`` (M, k).

        From ``since`` on (the study's own by default); from the start of the run on everything that
        follows from an input changes, initial values too. Stocks can only be set at the start.

        Raises UnknownNameError, or UsageError for a name that cannot be turned then.
        """
        given = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        spelled = tuple(self._turnable(name) for name in names)
        if len(set(spelled)) < len(spelled):
            raise UsageError("a name is given twice")
        if given.shape[1] != len(spelled):
            raise UsageError(
                f"{len(spelled)} names need rows of as many numbers, not {given.shape[1]}"
            )
        origin = self.since if since is None else since
        if self._on_grid(origin) == 0:
            inputs = self._from_start(spelled, given)
            return self._members(spelled, given, self._batch, inputs)
        stocks = [name for name in spelled if name in self.model.stocks]
        if stocks:
            raise UsageError(
                f"{stocks[0]} is a stock: it can be set at the start, not at {origin:g}"
            )
        # All parameters can be pushed in it, whichever are: one compilation serves every such call.
        others = tuple(name for name in spelled if name not in self.model.params)
        batch, place = self.pushable((*self.model.params, *others), 1)
        inputs = np.repeat(self.extended(batch.system)[np.newaxis], len(given), 0)
        inputs[:, place[dials.edge_input(0)]] = origin
        for k, name in enumerate(spelled):
            inputs[:, place[dials.push_input(name)]] = given[:, k] - self.base(name)
        return self._members(spelled, given, batch, inputs)

    def _from_start(self, spelled: tuple[str, ...], given: Array) -> Array:
        place = {name: n for n, name in enumerate(self.system.inputs)}
        inputs = np.repeat(self._vector[np.newaxis], len(given), 0)
        stocks = []
        for k, name in enumerate(spelled):
            if name in self.model.stocks:
                stocks.append((k, name))
            else:
                inputs[:, place[name]] = given[:, k]
        if stocks:
            # What a stock starts with may follow from parameters that are turned too.
            wanted = tuple(name for _, name in stocks)
            short = Batch(self.system, self.method, make_grid(
                self.model.time, None, self.grid.start + self.grid.save, self.grid.step, None
            ), self.seed)  # fmt: skip
            own = short.values(inputs, wanted)[:, 0]
            for (k, name), initial in zip(stocks, own.T, strict=True):
                inputs[:, place[dials.shift_input(name)]] = given[:, k] - initial
        return inputs

    def _turnable(self, name: str) -> str:
        spelled = self.spelled(name)
        if spelled not in self.inputs:
            raise UsageError(
                f"{spelled} follows from other variables and cannot be set; parameters, initial "
                "stocks and dials can"
            )
        return spelled

    def _members(
        self, spelled: tuple[str, ...], rows: Array, batch: Batch, inputs: Array
    ) -> Members:
        values = batch.values(inputs, self.watched)
        place = {name: n for n, name in enumerate(batch.system.inputs)}
        params = {name: inputs[:, place[name]] for name in self.model.params}
        mine = values[:, :, : len(self.target.columns)]
        outcomes = self.target.read(mine, params)
        outcomes[~np.isfinite(outcomes)] = np.nan
        failures = self._failures(outcomes, batch, inputs)
        return Members(spelled, rows, outcomes, failures, self, batch, inputs, values)

    def _failures(self, outcomes: Array, batch: Batch, inputs: Array) -> tuple[Failure, ...]:
        """Why members have no outcome; for the first ones the variable that broke first."""
        failed = np.flatnonzero(np.isnan(outcomes).any(axis=1))
        if not len(failed):
            return ()
        visible = self.plan.visible
        looked = failed[:_EXPLAINED]
        values = batch.values(inputs[looked], visible)
        found = []
        for member, run in zip(looked, values, strict=True):
            broken = ~np.isfinite(run)
            if broken.any():
                row = int(broken.any(axis=1).argmax())
                variable, t = visible[int(broken[row].argmax())], float(self.times[row])
                reason = f"{variable} is no finite number at {t:g}"
            else:
                horizon = self.horizons[int(np.isnan(outcomes[member]).argmax())]
                variable, t = self.name, self.since + horizon
                reason = self.target.reason(horizon)
            found.append(Failure(int(member), variable, t, reason))
        rest = "as other runs: not looked up one by one"
        found += [Failure(int(m), "", float("nan"), rest) for m in failed[_EXPLAINED:]]
        return tuple(found)

    # Derivatives --------------------------------------------------------------------------------

    def gradient(self, names: Sequence[str] | None = None) -> Gradient:
        """The exact derivatives of the outcome to its inputs (all by default), by one adjoint run a
        horizon.

        With ``since`` after the start, of moving the input from then on; initial stocks have none.
        """
        first = self._on_grid(self.since)
        every = (
            self.inputs
            if first == 0
            else tuple(n for n in self.inputs if n not in self.model.stocks)
        )
        wanted = every if names is None else tuple(self._turnable(name) for name in names)
        place = {name: n for n, name in enumerate(self.system.inputs)}
        at = [place[dials.shift_input(n) if n in self.model.stocks else n] for n in wanted]
        columns = self.target.columns
        base = self.baseline[:, [self.columns.index(c) for c in columns]] if not self._dials else (
            self._batch.values(self._vector[np.newaxis], columns)[0]
        )  # fmt: skip
        weights, direct = self.target.weights(base, {n: float(v) for n, v in self.params.items()})
        inputs = np.repeat(self._vector[np.newaxis], len(self.horizons), 0)
        _, found = self._batch.gradient(inputs, weights, columns, profile=True)
        profile = found[:, :, at]
        for name, effect in direct.items():
            if name in wanted:
                profile[:, 0, wanted.index(name)] += effect
        if first > 0:
            profile[:, : first + 1] = 0.0
            if weights[:, first].any():
                profile[:, first] = self._at_once(wanted, weights, first)
        # What has no value has no derivative either, not 0.
        profile[~np.isfinite(self.value)] = np.nan
        values = profile.sum(axis=1)
        how: tuple[How, ...] = tuple("fd" if n in self.event_inputs else "adjoint" for n in wanted)
        events = [k for k, name in enumerate(wanted) if name in self.event_inputs]
        if events:
            values[:, events] = self._differences([wanted[k] for k in events])
            profile[:, :, events] = np.nan
        return Gradient(wanted, values, profile, how)

    def _at_once(self, wanted: tuple[str, ...], weights: Array, first: int) -> Array:
        """What moving inputs from save ``first`` on does to the values of that very save, weighed:
        (horizons, inputs)."""
        batch, place = self.pushable(wanted, 1)
        row = self.extended(batch.system)
        row[place[dials.edge_input(0)]] = self.times[first]
        seeds = np.zeros(weights.shape)
        seeds[:, first] = weights[:, first]
        inputs = np.repeat(row[np.newaxis], len(seeds), 0)
        _, found = batch.gradient(inputs, seeds, self.target.columns)
        return np.asarray(found[:, 0, [place[dials.push_input(name)] for name in wanted]])

    def tangent(self, names: Sequence[str], columns: Sequence[str]) -> Array:
        """The derivatives of saved variables to inputs, over time: shape (T, V, P).

        Of inputs turned from the start of the run. Event times have none and give NaN.
        """
        spelled = [self._turnable(name) for name in names]
        wanted = tuple(self.spelled(name) for name in columns)
        place = {name: n for n, name in enumerate(self.system.inputs)}
        directions = np.zeros((len(spelled), len(place)))
        for row, name in enumerate(spelled):
            at = place[dials.shift_input(name) if name in self.model.stocks else name]
            directions[row, at] = 1.0
        found = self._batch.tangents(self._vector, directions, wanted).transpose(1, 2, 0)
        for k, name in enumerate(spelled):
            if name in self.event_inputs:
                found[:, :, k] = np.nan
        return found

    @cached_property
    def event_inputs(self) -> frozenset[str]:
        """Parameters on which the time of an event depends."""
        return event_inputs(self.plan.system) & frozenset(self.model.params)

    @cached_property
    def jumps(self) -> tuple[str, ...]:
        """Variables that jump when a condition on the state changes; what moving that moment does is
        not in the derivatives."""
        return jumps(self.plan.system)

    def difference_step(self, name: str) -> float:
        """How far an input of events is moved to see what it does: two steps of time for what is
        measured in time, else a hundredth of its size."""
        param = self.model.params[name]
        unit = self.model.time.unit
        if unit is None or param.unit is None or str(param.unit) == str(unit):
            return 2.0 * self.grid.step
        return 0.01 * (abs(self.base(name)) or 1.0)

    def _differences(self, names: Sequence[str]) -> Array:
        """Central differences of the outcome to some inputs, shape (horizons, k); one batch."""
        h = np.array([self.difference_step(name) for name in names])
        base = np.array([self.base(name) for name in names])
        found = self.run(names, np.concatenate([base + np.diag(h), base - np.diag(h)])).outcomes
        differences: Array = (found[: len(h)] - found[len(h) :]).T / (2.0 * h)
        return differences

    # Other things to turn -----------------------------------------------------------------------

    def dialled(self, links: Iterable[tuple[str, str]] | Literal["all"] = "all") -> Study:
        """The same study with dials on links, each an input named ``source -> target``.

        0 leaves the link as it is, -1 cuts it (the target goes on seeing the source's value at
        ``since``), 0.1 makes the target react a tenth more strongly.

        Raises UsageError for a pair that is no link.
        """
        every = {(one.source, one.target) for one in structure_links(self.model)}
        if links == "all":
            wanted = [(a.source, a.target) for a in structure_links(self.model)]
        else:
            wanted = [(self.spelled(source), self.spelled(target)) for source, target in links]
        for source, target in wanted:
            if (source, target) not in every:
                raise UsageError(f"{target} does not read {source}: there is no link to turn")
        row = self._on_grid(self.since)
        held = {source: float(self.column(source)[row]) for source, _ in wanted}
        system = dials.link(self.system, wanted, held)
        return self._with(system, [dials.link_input(*pair) for pair in wanted])

    def scaled(self, variables: Sequence[str]) -> Study:
        """The same study in which variables can be made larger: inputs ``NAME@scale``."""
        wanted = [self._equation(name) for name in variables]
        system = dials.scale(self.system, wanted)
        return self._with(system, [dials.scale_input(name) for name in wanted])

    def raised(self, tables: Sequence[str] | None = None) -> Study:
        """The same study in which tables can be raised between their points: ``NAME@bin:n``."""
        known = {key(one.name): one.name for one in self.system.lookups}
        for name in tables or ():
            if key(name) not in known:
                raise unknown_name(name, "table", known.values(), f"model {self.model.name}")
        wanted = None if tables is None else [known[key(name)] for name in tables]
        system = dials.bins(self.system, wanted)
        new = [name for name in system.inputs if name not in self.system.inputs]
        return self._with(system, new)

    def _equation(self, name: str) -> str:
        """A variable with an equation, as it is declared."""
        spelled = self.spelled(name)
        if not any(one.name == spelled for one in self.system.equations):
            raise UsageError(f"{spelled} has no equation that could be made larger")
        return spelled

    def seeing(
        self,
        links: Sequence[tuple[str, str]],
        scales: Mapping[str, tuple[float, float, float, float]],
    ) -> Study:
        """The same study with links that are not there: inputs ``source ~> target`` (see ``dials``).

        ``scales``: per source the mean, standard deviation, smoothing time and first value.
        """
        wanted = [(self.spelled(a), self._equation(b)) for a, b in links]
        for source, _ in wanted:
            _, sd, delay, _ = scales[source]
            if not (sd > 0 and delay > 0):
                raise UsageError(
                    f"a link from {source} needs a standard deviation and a smoothing time greater "
                    f"than 0, not {sd:g} and {delay:g}"
                )
        system = dials.see(self.system, wanted, scales)
        return self._with(system, [dials.see_input(*pair) for pair in wanted])

    def _with(self, system: System, new: Sequence[str]) -> Study:
        found: Study = object.__new__(type(self))
        found.__dict__.update(
            {k: v for k, v in self.__dict__.items() if k not in ("_pushes", "_known")}
        )
        found._batch = self._batch.at(system)
        found._vector = self.extended(system)
        found._dials = (*self._dials, *new)
        return found

    def schedule(self, levers: Sequence[str] | None, edges: Sequence[float]) -> Schedule:
        """Levers (all by default) that can be pulled by any intensity in each period between two of
        ``edges``, saved times in ascending order."""
        chosen = self.levers(levers)
        times = [float(self.times[self._on_grid(t)]) for t in edges]
        if len(times) < 2 or any(b <= a for a, b in pairwise(times)):
            raise UsageError("edges are at least two saved times in ascending order")
        return Schedule(self, chosen, tuple(times))

    def pull(
        self,
        levers: Sequence[str] | None,
        intensities: Array | Sequence[Sequence[float]],
        at: float | Array | None = None,
    ) -> Members:
        """Runs in which declared levers are pulled by ``intensities`` (M, L): 0 not, 1 fully.

        Each from its own time on (the study's ``since`` where it has none); ``at`` gives other times,
        one or an array that broadcasts to (M, L).

        Raises UnknownNameError for a lever that the model does not have.
        """
        chosen = self.levers(levers)
        rows = np.atleast_2d(np.asarray(intensities, dtype=np.float64))
        if rows.shape[1] != len(chosen):
            raise UsageError(f"{len(chosen)} levers need as many intensities, not {rows.shape[1]}")
        own = [self.since if one.at is None else one.at for one in chosen]
        times = np.broadcast_to(np.asarray(own if at is None else at, dtype=np.float64), rows.shape)
        settings = tuple(Setting(one.param, one.to or _ZERO, self.grid.start) for one in chosen)
        scenario = self._numbers.timed
        numbers = Inputs(
            self._numbers.values,
            self._numbers.initials,
            (*scenario, *((setting, 0.0) for setting in settings)),
            self._numbers.given,
        )
        plan = plan_for(self.model, numbers.shape)
        own_system = dials.shift(plan.system, [s for s in self.model.stocks if s in plan.visible])
        batch = self._batch.at(own_system)
        inputs = np.repeat(self._fill(own_system, numbers, plan)[np.newaxis], len(rows), 0)
        hidden = timed_inputs([s for s, _ in numbers.timed])[len(scenario) :]
        place = {name: n for n, name in enumerate(own_system.inputs)}
        for param in dict.fromkeys(lever.param for lever in chosen):
            mine = [k for k, lever in enumerate(chosen) if lever.param == param]
            moves = rows[:, mine] * [self.move(chosen[k]) for k in mine]
            begin = np.where(rows[:, mine] == 0.0, np.inf, times[:, mine])
            # The last of several settings speaks: in the order of time each goes on from the one before.
            order = np.argsort(begin, axis=1, kind="stable")
            begin = np.take_along_axis(begin, order, axis=1)
            moved = np.cumsum(np.take_along_axis(moves, order, axis=1), axis=1)
            for slot, k in enumerate(mine):
                value, since, _ = hidden[k]
                assert since is not None  # made above with a time
                inputs[:, place[value]] = self._in_force(param, begin[:, slot]) + moved[:, slot]
                inputs[:, place[since]] = begin[:, slot]
        return self._members(tuple(one.name for one in chosen), rows, batch, inputs)

    def levers(self, wanted: Sequence[str] | None = None) -> tuple[Lever, ...]:
        """Declared levers by name in any case, all by default."""
        known = {key(lever.name): lever for lever in self.model.levers.values()}
        if wanted is None:
            return tuple(known.values())
        found = []
        for name in wanted:
            if key(str(name)) not in known:
                raise unknown_name(str(name), "lever", self.model.levers, self.model.name)
            found.append(known[key(str(name))])
        return tuple(found)

    def move(self, lever: Lever) -> float:
        """By how much a fully pulled lever moves its parameter."""
        base = self.base(lever.param)
        if lever.to is None:
            return base * (lever.by or 0.0)
        params = {name: float(value) for name, value in self.params.items()}
        return setting_value(lever.to, params, Setting(lever.param, lever.to)) - base

    def _in_force(self, param: str, times: Array) -> Array:
        """What the scenario makes of a parameter at some times."""
        found = np.full(times.shape, self.base(param))
        for setting, value in self._numbers.timed:
            if setting.name == param:
                on = np.ones(times.shape, dtype=bool)
                if setting.since is not None:
                    on &= times >= setting.since
                if setting.until is not None:
                    on &= times < setting.until
                found[on] = value
        return found

    # Inputs of systems --------------------------------------------------------------------------

    def _fill(self, system: System, numbers: Inputs, plan: Plan) -> Array:
        """The inputs of a plan's system, the further ones at rest."""
        vector = np.array(system.defaults)
        own = plan.inputs(numbers, self.grid.step)
        vector[: len(own)] = own
        return vector

    def extended(self, system: System) -> Array:
        """This study's inputs in a system that has further ones, at rest."""
        vector = np.array(system.defaults)
        vector[: len(self._vector)] = self._vector
        return vector

    def pushable(self, params: tuple[str, ...], periods: int) -> tuple[Batch, Mapping[str, int]]:
        """The system in which parameters can be moved in time, and the places of its inputs."""
        kept: dict[tuple[tuple[str, ...], int], Batch] = self.__dict__.setdefault("_pushes", {})
        batch = kept.get((params, periods))
        if batch is None:
            batch = self._batch.at(dials.push(self.system, params, periods))
            kept[params, periods] = batch
        names_ = batch.system.inputs
        return batch, MappingProxyType({name: n for n, name in enumerate(names_)})
