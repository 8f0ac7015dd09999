"""Forward sensitivities of adaptive runs: how saved variables answer to parameters and initial stocks.

States and tangents are integrated together with error control on both (as CVODES does: the absolute
tolerance of a tangent is that of its state over the size of the parameter; Hindmarsh et al. 2005, ACM
TOMS 31:363-396). ``tangent_flow`` passes through conditions on the state. What has no derivative that
a run can carry gets central differences of adaptive runs and says so:

- parameters that move the time of an event on time, or a step of ``floor`` or ``round``;
- parameters for which the run grazes a condition or begins on its edge;
- every parameter of a run that slides along a condition's edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import LimitError, UsageError, nearest, unknown_name
from flywheel.expr import key
from flywheel.kernel import dials
from flywheel.kernel.guard import Stopped
from flywheel.model import Model
from flywheel.solve.adaptive import SOLVERS
from flywheel.solve.conditions import hold_conditions, rounded
from flywheel.solve.differences import Differences
from flywheel.solve.fixed import check_size
from flywheel.solve.flows import Flows
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.plan import Plan, plan_for, resolve, scenario_of
from flywheel.solve.smoothness import event_inputs
from flywheel.solve.status import OK, Status, time_text
from flywheel.solve.tangent_flow import Flow, Infinite, Passed, Sliding

Array = NDArray[np.float64]
How = Literal["tangent", "fd"]

SLOTS = 8
"""Most tangents carried by one run: beyond that a stiff solver's matrices grow faster than the work
saved."""
_FINEST_RTOL = 1e-13
_MEMORY = 4 * 1024**3
_FD_STEP = 1e-3
"""Of a parameter's size; of a tenth of the run's length for what is a time."""


@dataclass(frozen=True, eq=False)
class Crossing:
    """A condition on the state that changed during the run.

    ``variable`` reads it and ``condition`` is its text, ``time`` when, ``rising`` whether its left side
    rose above its right. ``shift`` (P,) says how far the moment moves per unit of each parameter, in
    units of time per unit of the parameter; NaN for parameters with ``method`` "fd".
    """

    time: float
    variable: str
    condition: str
    rising: bool
    shift: Array


@dataclass(frozen=True, eq=False)
class Tangents:
    """Derivatives of ``columns`` (V) to ``names`` (P) over the saved ``times`` (T,).

    ``values`` (T, V) in each variable's unit; ``tangents`` (T, V, P) in that unit per unit of the
    parameter or initial stock; NaN after a failure, of which ``status`` tells. ``method`` says per name
    how it was found, ``reasons`` why it is "fd" or has gaps (else empty). ``events``: what jumped.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    times: Array
    values: Array
    tangents: Array
    events: tuple[Crossing, ...]
    method: tuple[How, ...]
    reasons: tuple[str, ...]
    status: Status
    integrator: str
    rtol: float

    def of(self, name: str, column: str) -> Array:
        """d column / d name over time, shape (T,). Raises UnknownNameError."""
        return self.tangents[:, _place(column, self.columns), _place(name, self.names)]

    def __repr__(self) -> str:
        state = "ok" if self.status else self.status.message
        return (
            f"Tangents({len(self.columns)} columns to {len(self.names)} inputs at "
            f"{len(self.times)} times, {self.integrator}, {len(self.events)} events, {state})"
        )


def sensitivities(
    model: Model,
    names: Sequence[str],
    columns: Sequence[str],
    *,
    method: str = "dop853",
    scenario: str | None = None,
    overrides: Mapping[str, float] | None = None,
    rtol: float = 1e-8,
    atol: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
    max_evaluations: int = 1_000_000,
) -> Tangents:
    """The derivatives of variables to parameters and initial stocks, over the run.

    Parameters
    ----------
    names, columns:
        Parameters or stocks (their initial values), and variables, by their names in any case.
    method:
        ``rk45``, ``dop853``, ``lsoda``, ``bdf`` or ``radau``.
    rtol, atol:
        Of states and tangents; ``atol`` is in each stock's unit (default as of a run) and is divided
        by each parameter's size for its tangents.
    max_evaluations:
        Of the rates, for each of the runs that this takes (one for up to ``SLOTS`` names).
    scenario, overrides, start, stop, step, save:
        As of a run.

    Derivatives to ``p`` are those of its plain value: where a scenario replaces it from a time on, they
    end there. A saved value that jumps at an event counts as at or after it.

    Raises UnknownNameError, UsageError for arguments that make no sense and for models with pipelines
    or noise, and LimitError for an answer of more than 4 GiB.
    """
    how = _checked(method, rtol, atol, max_evaluations)
    numbers = resolve(model, overrides or {}, scenario_of(model, scenario))
    plain = plan_for(model, numbers.shape)
    if plain.system.pipelines or plain.system.noises:
        what = "delay_fixed" if plain.system.pipelines else "noise"
        raise UsageError(
            f"{model.name} has {what}, which moves in whole steps: take the derivatives of its rk4 "
            "run instead (Study.tangent or Study.gradient)"
        )
    wanted, shown = _names(model, plain, names), _columns(model, plain, columns)
    grid = make_grid(model.time, start, stop, step, save)
    check_size(plain, grid, grid.steps, max_evaluations)
    if grid.saves * len(shown) * len(wanted) * 8 > _MEMORY:
        raise LimitError(
            "these derivatives would take more than the limit of 4 GiB; ask for fewer at a time, or "
            "save less often"
        )
    shifted = dials.shift(plain.system, [n for n in wanted if n in model.stocks])
    plan = replace(plain, system=shifted, _engines={})
    inputs = np.array(shifted.defaults)
    own = plain.inputs(numbers, grid.step)
    inputs[: len(own)] = own
    task = _Task(
        plan, grid, inputs, wanted, shown, how, rtol, atol, max_evaluations,
    )  # fmt: skip
    return task.answer()


@dataclass(eq=False)
class _Task:
    """The runs behind one answer."""

    plan: Plan
    grid: Grid
    inputs: Array
    names: tuple[str, ...]
    columns: tuple[str, ...]
    method: str
    rtol: float
    atol: float | None
    max_evaluations: int

    def answer(self) -> Tangents:
        model, system = self.plan.model, self.plan.system
        place = self.plan.input_position
        is_stock = [name in model.stocks for name in self.names]
        self.places = [
            place[dials.shift_input(n) if stock else n]
            for n, stock in zip(self.names, is_stock, strict=True)
        ]
        first = self.plan.reference.initial(self.inputs.tolist(), self.grid.start, self.grid.step)
        initial = {s.name: value for s, value in zip(system.stocks, first, strict=True)}
        self.bases = [
            initial[n] if stock else float(self.inputs[place[n]])
            for n, stock in zip(self.names, is_stock, strict=True)
        ]
        self.scales = np.array([abs(base) or 1.0 for base in self.bases])
        shape = (self.grid.saves, len(self.columns))
        self.values = np.full(shape, math.nan)
        self.tangents = np.full((*shape, len(self.names)), math.nan)
        self.status = OK
        self.slides = False
        held, self.conditions, self.steps = hold_conditions(system)
        self.flows = Flows(
            self.plan,
            self.grid,
            held,
            self.conditions,
            self.method,
            self.atol,
            self.max_evaluations,
        )
        self.reasons: dict[int, str] = {}
        self.passed: list[tuple[Passed, Array]] | None = None
        self._known_rough()
        self._carry()
        beside = Differences(
            self.flows, self.inputs, self.columns, self.steps, self.rtol, self.slides
        )
        for k in sorted(self.fd):
            found, remark = beside.central(self.places[k], self._difference_step(k))
            self.tangents[:, :, k] = found
            if remark:
                self.reasons[k] += f"; {remark}"
        for array in (self.values, self.tangents):
            array.flags.writeable = False
        return Tangents(
            names=self.names,
            columns=self.columns,
            times=self.grid.times,
            values=self.values,
            tangents=self.tangents,
            events=self._crossings(),
            method=tuple("fd" if k in self.fd else "tangent" for k in range(len(self.names))),
            reasons=tuple(self.reasons.get(k, "") for k in range(len(self.names))),
            status=self.status,
            integrator=self.method,
            rtol=self.rtol,
        )

    def _known_rough(self) -> None:
        """What is known to have no derivative before anything is run."""
        timed, steps = event_inputs(self.plan.system), rounded(self.plan.system)
        self.fd: set[int] = set()
        for k, name in enumerate(self.names):
            if name in timed:
                self._give_up(k, f"{name} moves the time of an event")
            elif name in steps:
                self._give_up(k, f"{name} moves a step of floor or round")

    def _give_up(self, k: int, why: str) -> None:
        self.fd.add(k)
        self.reasons[k] = why

    # Tangents -----------------------------------------------------------------------------------

    def _carry(self) -> None:
        """Runs states and tangents, as many names at a time as there are slots."""
        todo = [k for k in range(len(self.names)) if k not in self.fd]
        groups = max(1, -(-len(todo) // SLOTS))
        slots = max(1, -(-len(todo) // groups))
        pending = [todo[n : n + slots] for n in range(0, max(len(todo), 1), slots)]
        while pending:
            group = pending.pop(0)
            directions, scale = np.zeros((slots, len(self.inputs))), np.ones(slots)
            for slot, k in enumerate(group):
                directions[slot, self.places[k]] = 1.0
                scale[slot] = self.scales[k]
            flow, full = self.flows.flow(self.inputs, directions, scale, self.columns, self.rtol)
            try:
                flow.go(full)
            except Infinite as broken:
                at = time_text(broken.time)
                for slot in broken.slots:
                    self._give_up(group[slot], f"its tangent is infinite, at time {at}")
                pending.insert(0, [k for k in group if k not in self.fd])
                continue
            except Sliding as slide:
                if self._slide(slide):
                    return
            except Stopped as stop:
                if self.status:
                    self.status = self.flows.status(stop, self.inputs, self.rtol)
            self._take(group, flow)

    def _slide(self, slide: Sliding) -> bool:
        """Whether the run can be made as plain runs are, for differences; else it ends here."""
        if not self.status:
            return False
        one = self.conditions[slide.condition]
        text = f" ({one.text})" if one.text else ""
        values, self.status = self.flows.plain(self.inputs, self.rtol, self.columns)
        if not self.status:
            return False
        self.values, self.passed, self.slides = values, None, True
        why = f"the run slides along the edge of a condition of {one.owner}{text} from time "
        for k in range(len(self.names)):
            self._give_up(k, why + time_text(slide.time))
        return True

    def _take(self, group: Sequence[int], flow: Flow) -> None:
        """Puts one run's results in their places; all runs must have passed the same conditions."""
        if self.passed is None:
            self.values = flow.values
            self.passed = [(p, np.full(len(self.names), math.nan)) for p in flow.passed]
        alike = [(p.condition, p.rising) for p in flow.passed] == [
            (p.condition, p.rising) for p, _ in self.passed
        ]
        for slot, k in enumerate(group):
            self.tangents[:, :, k] = flow.tangents[:, :, slot]
            gap = np.isnan(self.tangents[:, :, k]) & np.isfinite(flow.values)
            if gap.any():
                t = float(self.grid.times[int(gap.any(axis=1).argmax())])
                self.reasons[k] = f"a column has no finite derivative, at time {time_text(t)}"
            if slot in flow.rough:
                self._give_up(k, flow.rough[slot])
            elif not alike and self.status:
                self._give_up(k, "its run passed other events: a condition is hardly reached")
            else:
                for (_, shift), mine in zip(self.passed, flow.passed, strict=False):
                    shift[k] = mine.shift[slot]

    def _crossings(self) -> tuple[Crossing, ...]:
        found = []
        for one, shift in self.passed or ():
            shift.flags.writeable = False
            condition = self.conditions[one.condition]
            found.append(Crossing(one.time, condition.owner, condition.text, one.rising, shift))
        return tuple(found)

    def _difference_step(self, k: int) -> float:
        """A thousandth of the parameter's size; of a tenth of the run's length for a moment in it."""
        model, base = self.plan.model, self.bases[k]
        param = model.params.get(self.names[k])
        if param is not None and param.name in event_inputs(self.plan.system):
            unit, grid = model.time.unit, self.grid
            if param.unit is None or unit is None:
                is_time = grid.start <= base <= grid.stop
            else:
                is_time = str(param.unit) == str(unit)
            if is_time:
                return _FD_STEP * 0.1 * (grid.stop - grid.start)
        return _FD_STEP * float(self.scales[k])


# Arguments ----------------------------------------------------------------------------------------


def _checked(method: object, rtol: float, atol: float | None, max_evaluations: int) -> str:
    """The method's name; raises UsageError."""
    spelled = str(method).casefold()
    if spelled in ("euler", "rk4"):
        raise UsageError(
            f"{spelled} takes fixed steps: its own exact derivatives are those of Study.tangent"
        )
    if spelled not in SOLVERS:
        guess = nearest(spelled, SOLVERS)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise UsageError(f"there is no method {method!r}; there are {', '.join(SOLVERS)}.{hint}")
    if not _FINEST_RTOL <= rtol < 1:
        raise UsageError(f"rtol must lie between {_FINEST_RTOL:g} and 1, not {rtol!r}")
    if atol is not None and not (math.isfinite(atol) and atol > 0):
        raise UsageError(f"atol must be a positive number, not {atol!r}")
    if type(max_evaluations) is not int or max_evaluations < 1:
        raise UsageError(
            f"max_evaluations must be a positive whole number, not {max_evaluations!r}"
        )
    return spelled


def _names(model: Model, plan: Plan, given: Sequence[str]) -> tuple[str, ...]:
    """Parameters and stocks as they are declared; raises UnknownNameError or UsageError."""
    known = {key(name): name for name in (*model.params, *model.stocks)}
    others = {key(name): name for name in plan.visible}
    found = []
    for name in given:
        spelled = known.get(key(str(name)))
        if spelled is None:
            if key(str(name)) in others:
                raise UsageError(
                    f"{others[key(str(name))]} follows from other variables and cannot be set; "
                    "parameters and initial stocks can"
                )
            candidates = [*model.params, *model.stocks]
            raise unknown_name(str(name), "parameter or stock", candidates, f"model {model.name}")
        found.append(spelled)
    if not found:
        raise UsageError("give at least one parameter or stock to differentiate by")
    if len(set(found)) < len(found):
        raise UsageError("a name is given twice")
    return tuple(found)


def _columns(model: Model, plan: Plan, given: Sequence[str]) -> tuple[str, ...]:
    """Saved variables as they are declared; raises UnknownNameError or UsageError."""
    known = {key(name): name for name in plan.columns}
    found = []
    for name in given:
        spelled = known.get(key(str(name)))
        if spelled is None:
            raise unknown_name(str(name), "variable", plan.visible, f"model {model.name}")
        found.append(spelled)
    if not found:
        raise UsageError("give at least one variable to differentiate")
    if len(set(found)) < len(found):
        raise UsageError("a column is given twice")
    return tuple(found)


def _place(name: str, known: tuple[str, ...]) -> int:
    spelled = [key(one) for one in known]
    if key(name) not in spelled:
        raise unknown_name(name, "column or name", known, "this answer")
    return spelled.index(key(name))
