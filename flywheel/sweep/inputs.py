"""From rows of a design to the inputs of one system: parameters, initial values, scenarios, levers.

All scenarios and levers of a design share one system, in which every timed setting is a hidden input
with its times; what a member does not use never comes into force. So one kernel serves every member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import Expr, Number, key
from flywheel.kernel.expand import STEP_INPUT, initial_input, timed_inputs
from flywheel.kernel.ir import Graph, expression
from flywheel.kernel.vectorised import compute, schedule
from flywheel.model import Lever, Model, Scenario, Setting
from flywheel.solve.grid import Grid
from flywheel.solve.plan import Plan, Shape, names_of, plan_for, scenario_of
from flywheel.sweep.kernel import MemberKernel

Array = NDArray[np.float64]
_ZERO = Number(0.0)


def evaluate_many(expr: Expr, values: Mapping[str, Array], members: int) -> Array:
    """An expression over arrays (M,), NaN where it has no value; shape (M,).

    Raises KeyError for a name that has none.
    """
    if isinstance(expr, Number):
        return np.full(members, expr.value)
    graph = Graph()
    leaves: dict[str, int] = {}

    def leaf(name: str) -> int:
        return leaves.setdefault(name, graph.intern("input", (), len(leaves)))

    root = expression(graph, expr, leaf, ())
    known = {node: values[name] for name, node in leaves.items()}
    done = compute(graph, schedule(graph, [root], known), dict(known), {})
    return np.array(np.broadcast_to(done[root], (members,)), dtype=np.float64)


def spelled_inputs(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    """The names of a design as the model declares them: parameters, stocks, levers.

    Raises UnknownNameError, or UsageError for a name that is given twice.
    """
    settable = names_of(model)
    levers = {key(lever): lever for lever in model.levers}
    found = []
    for name in names:
        spelled = settable.get(key(str(name))) or levers.get(key(str(name)))
        if spelled is None:
            every = [*model.params, *model.stocks, *model.levers]
            raise unknown_name(str(name), "parameter, stock or lever", every, f"model {model.name}")
        found.append(spelled)
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise UsageError(f"{twice[0]} is in the design twice")
    return tuple(found)


@dataclass(frozen=True)
class _Timed:
    """A timed setting of a scenario and the number of its slot among those of its parameter."""

    setting: Setting
    slot: int


class InputMaker:
    """Makes the inputs of ``plan.system`` from rows of a design.

    ``names`` are those of the design, ``scenarios`` all labels but the empty one that it uses.
    """

    def __init__(
        self,
        model: Model,
        names: Sequence[str],
        scenarios: Sequence[str],
        method: str,
        grid: Grid,
        seed: int,
    ) -> None:
        self.model = model
        self.grid = grid
        self.seed = seed
        self.method = method
        self.names = spelled_inputs(model, names)
        self._levers = tuple(
            (k, model.levers[name]) for k, name in enumerate(self.names) if name in model.levers
        )
        self._scenarios: dict[str, tuple[Setting, ...]] = {"": ()}
        for name in scenarios:
            self._scenarios[name] = _settings(model, scenario_of(model, name))
        self._timed = {name: _slots(own) for name, own in self._scenarios.items()}
        self._lever_slots: dict[str, list[tuple[int, Lever]]] = {}
        for k, lever in self._levers:
            self._lever_slots.setdefault(lever.param, []).append((k, lever))
        for own in self._lever_slots.values():
            own.sort(key=lambda pair: self._begin(pair[1]))
        self._shape = self._make_shape()
        self.plan: Plan = plan_for(model, self._shape)
        self._hidden = self._name_slots()

    def __call__(self, rows: Array, labels: Sequence[str], members: NDArray[np.int64]) -> Array:
        """The inputs (M, P) of members with rows (M, k) of the design and scenarios by name."""
        inputs = np.repeat(self.plan.defaults[np.newaxis], len(rows), 0)
        if STEP_INPUT in self.plan.input_position:
            inputs[:, self.plan.input_position[STEP_INPUT]] = self.grid.step
        kinds = np.array([str(label or "") for label in labels], dtype=object)
        for label in sorted(set(kinds.tolist())):
            if label not in self._scenarios:
                raise unknown_name(label, "scenario of the design", self._scenarios, "the plan")
            mine = np.flatnonzero(kinds == label)
            part = inputs[mine]
            self._fill(part, label, rows[mine], members[mine])
            inputs[mine] = part
        return inputs

    # One scenario -------------------------------------------------------------------------------

    def _fill(self, out: Array, label: str, rows: Array, members: NDArray[np.int64]) -> None:
        place = self.plan.input_position
        initials: dict[str, Array] = {}
        for k, name in enumerate(self.names):
            if name in self.model.stocks:
                initials[name] = rows[:, k]
            elif name in self.model.params:
                out[:, place[name]] = rows[:, k]
        given = set(self.names)
        # A setting reads the parameters as the design leaves them, not what its fellows say.
        params = {name: out[:, place[name]].copy() for name in self.model.params}
        for setting in self._scenarios[label]:
            if setting.since is not None or setting.until is not None or setting.name in given:
                continue
            value = evaluate_many(setting.value, params, len(out))
            if setting.name in self.model.stocks:
                initials[setting.name] = value
            else:
                out[:, place[setting.name]] = value
        in_force: dict[str, list[tuple[Setting, Array]]] = {}
        for one in self._timed[label]:
            setting = one.setting
            value = evaluate_many(setting.value, params, len(out))
            in_force.setdefault(setting.name, []).append((setting, value))
            hidden, since, until = self._hidden[setting.name, one.slot]
            out[:, place[hidden]] = value
            out[:, place[since]] = -np.inf if setting.since is None else setting.since
            if until is not None:
                out[:, place[until]] = np.inf if setting.until is None else setting.until
        self._pull(out, rows, in_force)
        self._start(out, initials, members)

    def _pull(
        self, out: Array, rows: Array, in_force: Mapping[str, list[tuple[Setting, Array]]]
    ) -> None:
        """Levers by their intensities: each goes on from the one before it in time."""
        place = self.plan.input_position
        for param, own in self._lever_slots.items():
            base = out[:, place[param]].copy()
            params = {name: out[:, place[name]] for name in self.model.params}
            moved = np.zeros(len(out))
            first = self._scenario_slots(param)
            for number, (k, lever) in enumerate(own):
                if lever.to is None:
                    whole = base * (lever.by or 0.0)
                else:
                    whole = evaluate_many(lever.to, params, len(out)) - base
                moved = moved + rows[:, k] * whole
                begin = self._begin(lever)
                value = base
                for setting, number_then in in_force.get(param, ()):
                    after = setting.since is None or begin >= setting.since
                    if after and (setting.until is None or begin < setting.until):
                        value = number_then
                hidden, since, until = self._hidden[param, first + number]
                out[:, place[hidden]] = value + moved
                out[:, place[since]] = np.where(rows[:, k] == 0.0, np.inf, begin)
                if until is not None:
                    out[:, place[until]] = np.inf

    def _start(self, out: Array, initials: Mapping[str, Array], members: NDArray[np.int64]) -> None:
        """Initial values: those given, and what the model says for stocks that only others set."""
        place = self.plan.input_position
        for name, value in initials.items():
            out[:, place[initial_input(name)]] = value
        missing = [name for name in self._shape.initials if name not in initials]
        if not missing:
            return
        kept = tuple(name for name in self._shape.initials if name in initials)
        plan = plan_for(self.model, replace(self._shape, initials=kept))
        given = out[:, [place[name] for name in plan.system.inputs]]
        short = replace(self.grid, steps=self.grid.save_every)
        how = "euler" if self.method == "euler" else "rk4"
        kernel = MemberKernel(plan.system, missing, how, short, self.seed)  # type: ignore[arg-type]
        own, _ = kernel.run(np.ascontiguousarray(given), members)
        for k, name in enumerate(missing):
            out[:, place[initial_input(name)]] = own[:, 0, k]

    # The shape of the system --------------------------------------------------------------------

    def _begin(self, lever: Lever) -> float:
        return self.grid.start if lever.at is None else lever.at

    def _scenario_slots(self, param: str) -> int:
        """How many timed settings of a parameter the scenario with the most of them has."""
        return max(sum(one.setting.name == param for one in own) for own in self._timed.values())

    def _make_shape(self) -> Shape:
        timed: list[tuple[str, bool, bool]] = []
        for param in self.model.params:
            for slot in range(self._scenario_slots(param)):
                ends = any(
                    one.setting.name == param and one.slot == slot and one.setting.until is not None
                    for own in self._timed.values()
                    for one in own
                )
                timed.append((param, True, ends))
            timed += [(param, True, False)] * len(self._lever_slots.get(param, ()))
        set_at_start = set(self.names) | {
            setting.name for own in self._scenarios.values() for setting in own
        }
        initials = tuple(name for name in self.model.stocks if name in set_at_start)
        return Shape(tuple(timed), initials)

    def _name_slots(self) -> dict[tuple[str, int], tuple[str, str, str | None]]:
        settings = [
            Setting(name, _ZERO, 0.0, 0.0 if until else None)
            for name, _, until in self._shape.timed
        ]
        counts: dict[str, int] = {}
        found: dict[tuple[str, int], tuple[str, str, str | None]] = {}
        for setting, (hidden, since, until) in zip(settings, timed_inputs(settings), strict=True):
            slot = counts.get(setting.name, 0)
            counts[setting.name] = slot + 1
            found[setting.name, slot] = (hidden, str(since), until)
        return found


def _settings(model: Model, scenario: Scenario | None) -> tuple[Setting, ...]:
    """The settings of a scenario, names as declared."""
    known = names_of(model)
    found = []
    for setting in scenario.settings if scenario else ():
        name = known.get(key(setting.name))
        if name is None:
            every = [*model.params, *model.stocks]
            raise unknown_name(setting.name, "parameter or stock", every, f"model {model.name}")
        timed = setting.since is not None or setting.until is not None
        if timed and name in model.stocks:
            raise UsageError(
                f"{name} is a stock: its initial value can be set, but not from or until a time"
            )
        found.append(replace(setting, name=name))
    return tuple(found)


def _slots(settings: Sequence[Setting]) -> tuple[_Timed, ...]:
    counts: dict[str, int] = {}
    found = []
    for setting in settings:
        if setting.since is None and setting.until is None:
            continue
        slot = counts.get(setting.name, 0)
        counts[setting.name] = slot + 1
        found.append(_Timed(setting, slot))
    return tuple(found)
