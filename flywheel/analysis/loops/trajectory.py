"""The causal graph of a system, with every value along a run and exact slopes of every link.

Nodes are the system's stocks, pipelines and equations, those hidden in delays included. Where a
stock's rate is no plain sum of names (the stages of ``smooth``), it becomes a node of its own, so that
every stock changes by flows only. All is computed after the run, by arrays over time; the run itself
brings only stocks and pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, nearest
from flywheel.expr import Binary, Expr, Name, Number, Unary, names
from flywheel.functions import TIME
from flywheel.kernel import vectorised
from flywheel.kernel.derivative import reverse
from flywheel.kernel.interpolate import last_value
from flywheel.kernel.ir import Graph, expression
from flywheel.kernel.noise import draws
from flywheel.kernel.system import NUDGE, TIME_EARLY, TIME_LATE, System
from flywheel.model import Model
from flywheel.solve.adaptive import run_adaptive
from flywheel.solve.fixed import STAGES, check_size, run_fixed
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.plan import Plan, plan_for, resolve, scenario_of
from flywheel.solve.simulation import DEFAULT_RTOL, METHODS

Array: TypeAlias = NDArray[np.float64]
NOISE_FLOOR = 64 * float(np.finfo(float).eps)
"""Changes below this part of a variable's ``scales`` are rounding, not change."""
_MOST_EVALUATIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class SystemLink:
    """``source`` acts on ``target``. A material link is a flow into (+1) or out of (-1) a stock."""

    source: str
    target: str
    kind: Literal["material", "information"]
    sign: int = 0
    """Of a material link how often the flow counts; 0 for information."""


@dataclass(frozen=True)
class Structure:
    """The causal graph of a system, without numbers.

    ``rates`` holds the flows of every stock with their factors; ``equations`` what the other nodes
    compute, in an order in which each reads only earlier ones (and stocks and what comes from outside).
    """

    system: System
    stocks: tuple[str, ...]
    pipelines: tuple[str, ...]
    equations: Mapping[str, Expr]
    rates: Mapping[str, Mapping[str, int]]
    links: tuple[SystemLink, ...]

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Every node: stocks, pipelines, equations."""
        return (*self.stocks, *self.pipelines, *self.equations)

    @cached_property
    def states(self) -> frozenset[str]:
        """The nodes that remember: a loop must run through one of them."""
        return frozenset((*self.stocks, *self.pipelines))

    @cached_property
    def graph(self) -> dict[str, tuple[str, ...]]:
        """The successors of every node."""
        after: dict[str, list[str]] = {name: [] for name in self.nodes}
        for link in self.links:
            after[link.source].append(link.target)
        return {name: tuple(targets) for name, targets in after.items()}


def structure(system: System) -> Structure:
    """The causal graph of a system. What only outcomes compute is left out."""
    known = {*system.visible, *system.inputs}
    own = [s for s in system.stocks if s.owner in known]
    stocks = tuple(s.name for s in own)
    pipelines = tuple(p.name for p in system.pipelines if p.owner in known)
    equations: dict[str, Expr] = {e.name: e.expr for e in system.equations if e.owner in known}
    rates: dict[str, Mapping[str, int]] = {}
    for stock in own:
        flows: Mapping[str, int] | None = _terms(stock.rate, 1)
        if flows is None:
            name = f"{stock.name}@rate"
            equations[name] = stock.rate
            flows = {name: 1}
        rates[stock.name] = {name: times for name, times in flows.items() if times}
    nodes = {*stocks, *pipelines, *equations}
    links = []
    for pipe in system.pipelines:
        if pipe.name in nodes:
            read = names(pipe.input)
            links += [SystemLink(n, pipe.name, "information") for n in read if n in nodes]
    for name, expr in equations.items():
        links += [SystemLink(n, name, "information") for n in names(expr) if n in nodes]
    for name, terms in rates.items():
        links += [SystemLink(n, name, "material", k) for n, k in terms.items() if n in nodes]
    return Structure(system, stocks, pipelines, equations, rates, tuple(links))


def _terms(expr: Expr, sign: int) -> dict[str, int] | None:
    """A sum of names as the times that each counts; None where it is something else."""
    match expr:
        case Name(name=name):
            return {name: sign}
        case Number(value=0.0):
            return {}
        case Unary(op="-", operand=operand):
            return _terms(operand, -sign)
        case Binary(op="+" | "-" as op, left=left, right=right):
            a, b = _terms(left, sign), _terms(right, sign if op == "+" else -sign)
            if a is None or b is None:
                return None
            return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}
        case _:
            return None


class Formulas:
    """The equations of a structure as one graph, in which every name is a leaf.

    So a change of one input can be followed through one equation and stops there.
    """

    def __init__(self, structure: Structure) -> None:
        system = structure.system
        self.graph = Graph()
        self.lookups = {t.name: (t.xs, t.ys, t.extrapolate) for t in system.lookups}
        self.leaves: dict[str, int] = {}
        self.switches = {s.name: self._lower(s.expr) for s in system.switches}
        self.reads = {name: names(expr) for name, expr in structure.equations.items()}
        self.roots = {name: self._lower(expr) for name, expr in structure.equations.items()}
        self._partials: dict[str, tuple[list[int], Mapping[str, int]]] = {}
        known = self.leaves.values()
        self.orders = {
            name: vectorised.schedule(self.graph, [root], known)
            for name, root in [*self.switches.items(), *self.roots.items()]
        }

    def leaf(self, name: str) -> int:
        """The place of a name's value."""
        found = self.leaves.get(name)
        if found is None:
            found = self.leaves[name] = self.graph.intern("state", (), len(self.leaves))
        return found

    def _lower(self, expr: Expr) -> int:
        return expression(self.graph, expr, self.leaf, self.lookups)

    def partials(self, target: str) -> tuple[list[int], Mapping[str, int]]:
        """What to compute for the slopes of an equation, and their nodes by what it reads.

        Names on which its value does not depend smoothly (a condition) are left out.
        """
        made = self._partials.get(target)
        if made is None:
            graph, root = self.graph, self.roots[target]
            read = {name: self.leaves[name] for name in self.reads[target]}
            found = reverse(graph, {root: graph.const(1.0)}, read.values())
            slopes = {name: found[leaf] for name, leaf in read.items() if leaf in found}
            given = [*self.leaves.values(), *self.orders[target]]
            order = vectorised.schedule(graph, slopes.values(), given)
            made = self._partials[target] = order, slopes
        return made


@dataclass(frozen=True, eq=False)
class Trajectory:
    """All values of a system along one run, at every step of its grid.

    ``failure`` says why the run ended early, if it did; the arrays then end before it.
    """

    model: Model
    structure: Structure
    formulas: Formulas
    grid: Grid
    method: str
    seed: int
    times: Array
    """The start of every step, and the end; shape (K,)."""
    memory: dict[int, Array]
    """Values of the graph's nodes, shape (K,) or () where they never change."""
    entering: Mapping[str, str]
    """Of each pipeline the name of what it takes in, where it is a node."""
    failure: str = ""
    _slopes: dict[str, Mapping[str, Array]] = field(default_factory=dict, repr=False)

    def value(self, name: str) -> Array:
        """A node, series or input over time, shape (K,). Raises KeyError for an unknown name."""
        found = self.memory[self.formulas.leaves[name]]
        return np.broadcast_to(found, self.times.shape)

    @cached_property
    def values(self) -> Array:
        """All nodes over time, shape (V, K), rows as in ``structure.nodes``."""
        return np.array([self.value(name) for name in self.structure.nodes]).reshape(
            len(self.structure.nodes), len(self.times)
        )

    @cached_property
    def rates(self) -> Mapping[str, Array]:
        """The rate of change of each stock, shape (K,)."""
        return {
            stock: np.zeros(len(self.times)) + sum(k * self.value(n) for n, k in terms.items())
            for stock, terms in self.structure.rates.items()
        }

    @cached_property
    def scales(self) -> Mapping[str, Array]:
        """The size that rounding of each node is relative to, and of each stock's rate (``S'``).

        A first-order error analysis: what an equation reads brings its own scale times the slope, so
        that the difference of two large numbers is as uncertain as they are, however small it is.
        """
        with np.errstate(all="ignore"):
            found = {name: np.abs(self.value(name)) for name in self.formulas.leaves}
            for name in self.structure.equations:
                slopes = self.slopes(name).items()
                parts = sum(np.abs(slope) * found[read] for read, slope in slopes)
                found[name] = np.fmax(found[name], np.where(np.isfinite(parts), parts, 0.0))
        for stock, terms in self.structure.rates.items():
            parts = sum(abs(k) * found[n] for n, k in terms.items())
            found[f"{stock}'"] = np.zeros(len(self.times)) + parts
        return found

    @cached_property
    def ends(self) -> Trajectory:
        """The same run, each row as the step that ends there sees it.

        Events, noise and held data act at a step's start and hold over it; what sets in just when the
        step ends is not yet there. The first row stays as it is.
        """
        system, formulas = self.structure.system, self.formulas
        held = {s.name for s in system.switches} | {n.name for n in system.noises}
        held |= {s.name for s in system.series if s.hold}
        if not held:
            return self
        memory = {}
        for name, leaf in formulas.leaves.items():
            if name in held and np.ndim(self.memory[leaf]):
                memory[leaf] = np.concatenate([self.memory[leaf][:1], self.memory[leaf][:-1]])
            elif name not in formulas.roots:
                memory[leaf] = self.memory[leaf]
        _fill(formulas, memory)
        return replace(self, memory=memory, _slopes={})

    @cached_property
    def saves(self) -> NDArray[np.int64]:
        """The rows of the saved times."""
        return np.arange(0, len(self.times), self.grid.save_every)

    @cached_property
    def partials(self) -> Array:
        """The exact d target / d source of every link, shape (links, K), in their order.

        For a material link the times that the flow counts. For a pipeline 1: what went in comes out.
        """
        links = self.structure.links
        found = np.zeros((len(links), len(self.times)))
        for place, link in enumerate(links):
            if link.kind == "material":
                found[place] = link.sign
            elif link.target in self.entering:
                found[place] = 1.0
            else:
                found[place] = self.slopes(link.target).get(link.source, 0.0)
        return found

    def slopes(self, target: str) -> Mapping[str, Array]:
        """The exact slopes of an equation by what it reads (also time and series); 0 if not there."""
        made = self._slopes.get(target)
        if made is None:
            graph = self.formulas.graph
            order, nodes = self.formulas.partials(target)
            vectorised.compute(graph, order, self.memory, self.formulas.lookups)
            made = self._slopes[target] = {name: self.memory[node] for name, node in nodes.items()}
        return made


def trajectory(
    model: Model,
    *,
    method: str = "rk4",
    scenario: str | None = None,
    overrides: Mapping[str, float] | None = None,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
    seed: int = 0,
) -> Trajectory:
    """Run a model and compute everything along the way.

    ``save`` sets the times at which results are wanted (by default the model's own); values are kept
    at every step all the same. Raises what ``simulate`` raises.
    """
    if method not in METHODS:
        guess = nearest(str(method), METHODS)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise UsageError(f"there is no method {method!r}; there are {', '.join(METHODS)}.{hint}")
    numbers = resolve(model, overrides or {}, scenario_of(model, scenario))
    plan = plan_for(model, numbers.shape)
    grid = make_grid(model.time, start, stop, step, save)
    every = Grid(grid.start, grid.step, grid.steps, 1)
    evaluations = every.steps * STAGES.get(method, 1)
    check_size(plan, every, evaluations, _MOST_EVALUATIONS)
    inputs = plan.inputs(numbers, grid.step)
    if method in STAGES:
        values, status, _ = run_fixed(plan, every, inputs, method, seed, None, None)
    else:
        values, status, _ = run_adaptive(
            plan, every, inputs, method, seed, None, _MOST_EVALUATIONS, DEFAULT_RTOL, None
        )
    return along(plan, grid, inputs, values, method, seed, "" if status.ok else status.message)


def along(
    plan: Plan,
    grid: Grid,
    inputs: Array,
    values: Array,
    method: str,
    seed: int = 0,
    failure: str = "",
) -> Trajectory:
    """The trajectory of a finished run.

    ``values`` are its columns (those of the plan) at every step, shape (steps + 1, columns); ``grid``
    says which of them are saved times.
    """
    shape, formulas = _prepared(plan)
    sound = np.isfinite(values[:, plan.judged]).all(axis=1)
    rows = len(values) if sound.all() else int(sound.argmin())
    times = grid.start + grid.step * np.arange(float(rows))
    memory = _outside(shape.system, formulas, grid, times, inputs, seed)
    for name in (*shape.stocks, *shape.pipelines):
        memory[formulas.leaf(name)] = np.ascontiguousarray(values[:rows, plan.position[name]])
    _fill(formulas, memory)
    entering = {
        pipe.name: pipe.input.name
        for pipe in shape.system.pipelines
        if pipe.name in shape.pipelines and isinstance(pipe.input, Name)
    }
    return Trajectory(
        plan.model, shape, formulas, grid, method, seed, times, memory, entering, failure
    )


_KEPT: WeakKeyDictionary[Plan, tuple[Structure, Formulas]] = WeakKeyDictionary()


def _prepared(plan: Plan) -> tuple[Structure, Formulas]:
    """Structure and formulas of a plan, made once and kept with it."""
    made = _KEPT.get(plan)
    if made is None:
        shape = structure(plan.system)
        made = _KEPT[plan] = shape, Formulas(shape)
    return made


def _fill(formulas: Formulas, memory: dict[int, Array]) -> None:
    """Adds the values of the equations to those of all they read."""
    for name, root in formulas.roots.items():
        vectorised.compute(formulas.graph, formulas.orders[name], memory, formulas.lookups)
        memory[formulas.leaf(name)] = memory[root]


def _outside(
    system: System, formulas: Formulas, grid: Grid, times: Array, inputs: Array, seed: int
) -> dict[int, Array]:
    """The values that come from outside the causal graph: time, inputs, series, noise, switches."""
    step = grid.step
    known: dict[str, Array] = {name: np.asarray(inputs[n]) for n, name in enumerate(system.inputs)}
    known |= {TIME: times, TIME_LATE: times + NUDGE * step, TIME_EARLY: times - NUDGE * step}
    for series in system.series:
        if series.hold:
            late = known[TIME_LATE].tolist()
            held = [last_value(series.times, series.values, t) for t in late]
            known[series.name] = np.array(held)
        else:
            known[series.name] = vectorised.lookup(series.times, series.values, False, times)
    if system.noises:
        rows = draws(system.noises, seed, 0, grid.steps, step, system.time.step)
        for n, noise in enumerate(system.noises):
            known[noise.name] = rows[: len(times), n]
    memory = {formulas.leaf(name): value for name, value in known.items()}
    # A condition that speaks of time itself means a moment late, as ``Reference.switches`` reads it.
    plain, memory[formulas.leaf(TIME)] = memory[formulas.leaf(TIME)], known[TIME_LATE]
    for name, root in formulas.switches.items():
        vectorised.compute(formulas.graph, formulas.orders[name], memory, formulas.lookups)
        memory[formulas.leaf(name)] = memory[root]
    for name in formulas.switches:
        for node in formulas.orders[name]:
            memory.pop(node, None)
    memory[formulas.leaf(TIME)] = plain
    return memory
