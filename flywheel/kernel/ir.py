"""The graph that backends translate: every computation once, in order, each with its pace.

A node is ``(op, args, data)``; equal nodes are one node (hash-consing), so common subexpressions
cost nothing. Nodes are appended after what they read, so the list is in order of evaluation. The
*pace* of a node says how often its value can change:

``RUN``    parameters and constants: once a run
``STEP``   switches and noise: once a step
``STAGE``  states, time and series: every stage of every step

Rules in ``passes`` simplify a node as it is made. ``lower`` builds the graph of a ``System``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary
from flywheel.expr import names as read_names
from flywheel.functions import TIME
from flywheel.kernel import passes
from flywheel.kernel.system import NUDGE, TIME_EARLY, TIME_LATE, System

Data: TypeAlias = int | str | None
Read: TypeAlias = Callable[[str], int]


class Pace(IntEnum):
    """How often a value can change."""

    RUN = 0
    STEP = 1
    STAGE = 2


# Leaves and their pace. The number after an op is the position in the array of that kind; the ops
# that end in 0 are the values at the start of the run.
LEAVES: Mapping[str, Pace] = {
    "const": Pace.RUN,
    "input": Pace.RUN,
    "start": Pace.RUN,
    "dt": Pace.RUN,
    "series0": Pace.RUN,
    "noise0": Pace.RUN,
    "held": Pace.STEP,
    "noise": Pace.STEP,
    "steptime": Pace.STEP,
    "time": Pace.STAGE,
    "series": Pace.STAGE,
    "pipe": Pace.STAGE,
    "state": Pace.STAGE,
    # Adjoints that come in from outside the graph: of rates, of what pipelines take in, of outputs;
    # gathered over the run: of what stages read, of initial values.
    "rate.bar": Pace.STAGE,
    "feed.bar": Pace.STAGE,
    "out.bar": Pace.STAGE,
    "kept.bar": Pace.RUN,
    "state.bar": Pace.RUN,
    "pipe.bar": Pace.RUN,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One computation. ``args`` are positions of earlier nodes; ``data`` a constant or a position."""

    op: str
    args: tuple[int, ...] = ()
    data: Data = None


@dataclass
class Graph:
    """Hash-consed nodes in order of evaluation, with the pace of each."""

    nodes: list[Node] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    _known: dict[Node, int] = field(default_factory=dict)

    def add(self, op: str, *args: int, data: Data = None) -> int:
        """The position of this computation, simplified; made if it is not there yet."""
        return passes.simplify(self, op, args, data)

    def intern(self, op: str, args: tuple[int, ...], data: Data = None) -> int:
        """The position of exactly this node."""
        node = Node(op, args, data)
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = len(self.nodes)
            self.nodes.append(node)
            pace = LEAVES[op] if not args else max(self.paces[a] for a in args)
            self.paces.append(pace)
        return found

    def const(self, value: float) -> int:
        """A constant; its bits make its identity, so that -0.0 is not 0.0 and NaN is NaN."""
        return self.intern("const", (), float(value).hex())

    def value(self, position: int) -> float | None:
        """The number that a node always is, or None."""
        node = self.nodes[position]
        return float.fromhex(str(node.data)) if node.op == "const" else None


@dataclass(frozen=True)
class Program:
    """The graph of a system with its roots: what a backend has to compute.

    ``states`` are the names of the stocks that matter for the outputs, in the order of the positions
    of ``state`` leaves; ``initials`` and ``rates`` are node positions for them. ``pipes`` holds, per
    pipeline, the nodes of input, delay and initial value. ``outputs`` are nodes of the saved names.
    ``series`` and ``noises`` are names in the order of the leaves' positions.
    """

    graph: Graph
    states: tuple[str, ...]
    initials: tuple[int, ...]
    rates: tuple[int, ...]
    pipes: tuple[tuple[int, int, int], ...]
    outputs: tuple[int, ...]
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    series: tuple[str, ...]
    noises: tuple[str, ...]
    lookups: Mapping[str, tuple[tuple[float, ...], tuple[float, ...], bool]]
    external_switches: bool

    @property
    def operations(self) -> int:
        """The number of nodes that are no leaves."""
        return sum(1 for node in self.graph.nodes if node.args)

    @property
    def hash(self) -> str:
        """SHA-256 of everything that shapes the machine code."""
        digest = hashlib.sha256()
        for node in self.graph.nodes:
            digest.update(f"{node.op}{node.args}{node.data};".encode())
        shape = (self.initials, self.rates, self.pipes, self.outputs, self.external_switches)
        # The widths of the arrays count too: what a system draws and nobody reads has a place in them.
        widths = (len(self.inputs), len(self.series), len(self.noises))
        digest.update(f"{shape}{widths}{sorted(self.lookups.items())}".encode())
        return digest.hexdigest()


def lower(
    system: System, names: Sequence[str] | None = None, *, external_switches: bool = False
) -> Program:
    """The program that computes ``names`` (all visible variables by default).

    Stocks that none of them needs are left out. With ``external_switches`` the values of switches are
    given from outside instead of computed at each step's start (adaptive solvers stop at events).
    """
    return _Lowering(system, external_switches).program(
        tuple(system.visible if names is None else names)
    )


def expression(graph: Graph, expr: Expr, read: Read, lookups: Container[str]) -> int:
    """The node of an expression in ``graph``; ``read`` gives those of names, ``lookups`` are tables."""

    def node(expr: Expr) -> int:
        match expr:
            case Number(value=value):
                return graph.const(value)
            case Name(name=name):
                return read(name)
            case Unary(op=op, operand=operand):
                return graph.add("neg" if op == "-" else "not", node(operand))
            case Binary(op=op, left=left, right=right):
                return graph.add(_BINARY[op], node(left), node(right))
            case Call(function=function, args=args):
                nodes = [node(arg) for arg in args]
                if function in lookups:
                    return graph.add("lookup", *nodes, data=function)
                if function in ("min", "max"):
                    found = nodes[0]
                    for other in nodes[1:]:
                        found = graph.add(function, found, other)
                    return found
                return graph.add(function, *nodes)

    return node(expr)


class _Lowering:
    """Translates names and expressions to nodes, during the run and at its start."""

    def __init__(self, system: System, external_switches: bool) -> None:
        self.system = system
        self.external = external_switches
        self.graph = Graph()
        self.stocks = {stock.name: stock for stock in system.stocks}
        self.equations = {equation.name: equation.expr for equation in system.equations}
        self.switches = {switch.name: n for n, switch in enumerate(system.switches)}
        self.pipes = {pipe.name: n for n, pipe in enumerate(system.pipelines)}
        self.series: dict[str, int] = {}
        self.noises = {noise.name: n for n, noise in enumerate(system.noises)}
        self.inputs = {name: n for n, name in enumerate(system.inputs)}
        self.lookups = {look.name: (look.xs, look.ys, look.extrapolate) for look in system.lookups}
        self.positions: dict[str, int] = {}
        self.running: dict[str, int] = {}
        self.starting: dict[str, int] = {}

    def program(self, names: tuple[str, ...]) -> Program:
        self.positions = {name: n for n, name in enumerate(self._needed(names))}
        read = self._read_anywhere(names)
        kept = [series.name for series in self.system.series if series.name in read]
        self.series = {name: n for n, name in enumerate(kept)}
        # Everything is visited in the system's own order first: recursion then never goes deep.
        for name in self.system.initial_order:
            if name not in self.stocks or name in self.positions:
                self.starting[name] = self.at_start(name)
        initials = [self.starting[name] for name in self.positions]
        needed = self._reached(names)
        for equation in self.system.equations:
            if equation.name in needed:
                self.running[equation.name] = self.node(equation.expr, self.now)
        rates = [self.node(self.stocks[name].rate, self.now) for name in self.positions]
        pipes = [
            (
                self.node(pipe.input, self.now),
                self.node(pipe.delay, self.at_start),
                self.node(pipe.initial, self.at_start),
            )
            for pipe in self.system.pipelines
        ]
        outputs = [self.now(name) for name in names]
        return Program(
            graph=self.graph,
            states=tuple(self.positions),
            initials=tuple(initials),
            rates=tuple(rates),
            pipes=tuple(pipes),
            outputs=tuple(outputs),
            names=names,
            inputs=self.system.inputs,
            series=tuple(self.series),
            noises=tuple(self.noises),
            lookups=self.lookups,
            external_switches=self.external,
        )

    # Names -------------------------------------------------------------------------------------

    def now(self, name: str) -> int:
        """The node of a name's value during the run."""
        found = self.running.get(name)
        if found is None:
            found = self.running[name] = self._leaf(name, "state", "series", "noise", "time")
        return found

    def at_start(self, name: str) -> int:
        """The node of a name's value at the start of the run; of the run's pace."""
        found = self.starting.get(name)
        if found is not None:
            return found
        if name in self.stocks:
            found = self.node(self.stocks[name].initial, self.at_start)
        elif name in self.equations:
            found = self.node(self.equations[name], self.at_start)
        elif name in self.pipes:
            initial = self.system.pipelines[self.pipes[name]].initial
            found = self.node(initial, self.at_start)
        else:
            found = self._leaf(name, "", "series0", "noise0", "start")
        self.starting[name] = found
        return found

    def _leaf(self, name: str, state: str, series: str, noise: str, time: str) -> int:
        graph = self.graph
        if name in self.inputs:
            return graph.intern("input", (), self.inputs[name])
        if name == TIME:
            return graph.intern(time, ())
        if name in (TIME_LATE, TIME_EARLY):
            base = graph.intern("start" if time == "start" else "steptime", ())
            nudge = graph.add("mul", graph.intern("dt", ()), graph.const(NUDGE))
            return graph.add("add" if name == TIME_LATE else "sub", base, nudge)
        if name in self.series:
            return graph.intern(series, (), self.series[name])
        if name in self.noises:
            return graph.intern(noise, (), self.noises[name])
        if name in self.switches:
            return self._switch(name, self.at_start if time == "start" else self.now)
        if state and name in self.pipes:
            return graph.intern("pipe", (), self.pipes[name])
        if state and name in self.positions:
            return graph.intern(state, (), self.positions[name])
        raise KeyError(name)

    def _switch(self, name: str, read: Read) -> int:
        position = self.switches[name]
        if self.external:
            return self.graph.intern("held", (), position)
        return self.node(self.system.switches[position].expr, read)

    def node(self, expr: Expr, read: Read) -> int:
        """The node of an expression, names read by ``read``."""
        return expression(self.graph, expr, read, self.lookups)

    # What matters ------------------------------------------------------------------------------

    def _reached(self, roots: Iterable[str]) -> set[str]:
        """Every name that the roots' values depend on during the run, pipelines always included."""
        pending = [*roots, *(n for pipe in self.system.pipelines for n in read_names(pipe.input))]
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.stocks:
                pending.extend(read_names(self.stocks[name].rate))
            elif name in self.equations:
                pending.extend(read_names(self.equations[name]))
        return seen

    def _read_anywhere(self, roots: Iterable[str]) -> set[str]:
        """Every name that is read during the run or at its start."""
        pipes = self.system.pipelines
        starts = [e for p in pipes for e in (p.initial, p.delay)]
        starts += [stock.initial for stock in self.system.stocks]
        at_start = (name for expr in starts for name in read_names(expr))
        return self._reached([*roots, *at_start])

    def _needed(self, roots: Iterable[str]) -> list[str]:
        """The stocks among what the roots depend on, in the system's order."""
        reached = self._reached(roots)
        return [name for name in self.stocks if name in reached]


_BINARY: Mapping[str, str] = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "^": "pow",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "!=": "ne",
    "and": "and",
    "or": "or",
}
