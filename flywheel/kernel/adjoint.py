"""The exact gradient of fixed-step runs: the integrator forwards, then its adjoint backwards.

What is differentiated is the computation itself (the discrete adjoint, Griewank and Walther 2008,
chapter 3; for Runge-Kutta methods Hager 2000, Numerische Mathematik 87), so the gradient agrees with
differences of runs to rounding, whatever the step. The forward sweep keeps the state of every stage on
a tape; the backward sweep evaluates each stage again and its adjoint with it. One sweep gives the
derivative with respect to all inputs of a weighted sum of saved values, for as many members as there
are lanes.

Adjoints of what only parameters decide are gathered over the stages and brought back to the inputs
once a run, or once a save where it is asked *when* an input matters.

Memory behind the tape, in vectors of lanes:
``[lambda] [sum] [adjoint of the stage state] [gathered] [pipelines: one adjoint a slot]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from flywheel.kernel.assembly import (
    REACH,
    FixedStep,
    Layout,
    Leaf,
    Method,
    Scope,
    element,
    reachable,
)
from flywheel.kernel.derivative import reverse
from flywheel.kernel.emit import Emitter, Value
from flywheel.kernel.ir import Graph, Pace, Program


@dataclass(frozen=True)
class Backwards:
    """The reverse sweep of a program's parts as nodes.

    ``graph`` is the program's own, extended. ``stage`` maps state, pipeline and gathered nodes to
    their adjoints, given those of the rates and of what pipelines take in; ``saved`` the same given
    those of the outputs. ``gathered`` are nodes of the pace of a run that stages read. ``interval``
    maps inputs to their adjoints given those of the gathered nodes; ``final`` given those of the
    initial values besides.
    """

    program: Program
    gathered: tuple[int, ...]
    stage: Mapping[int, int]
    saved: Mapping[int, int]
    interval: Mapping[int, int]
    final: Mapping[int, int]


def backwards(program: Program) -> Backwards:
    """The reverse sweep of a program; its graph is copied before it grows."""
    old = program.graph
    graph = Graph(list(old.nodes), list(old.paces), dict(old._known))
    program = replace(program, graph=graph)
    run_roots = [*program.rates, *(pipe[0] for pipe in program.pipes)]
    gathered = _gathered(program, [*run_roots, *program.outputs])
    moving = [
        graph.intern(kind, (), number)
        for kind, count in (("state", len(program.states)), ("pipe", len(program.pipes)))
        for number in range(count)
    ]
    wanted = [*moving, *gathered]

    def seeds(kind: str, roots: Iterable[int], into: dict[int, int]) -> dict[int, int]:
        for number, root in enumerate(roots):
            weight = graph.intern(kind, (), number)
            into[root] = graph.add("add", into[root], weight) if root in into else weight
        return into

    rates = seeds("rate.bar", program.rates, {})
    stage = reverse(graph, seeds("feed.bar", run_roots[len(program.rates) :], rates), wanted)
    # One column may have no value where another one is weighed.
    outputs = program.outputs
    saved = reverse(graph, seeds("out.bar", outputs, {}), wanted, gated=outputs)
    inputs = [n for n, node in enumerate(graph.nodes) if node.op == "input"]
    interval = reverse(graph, seeds("kept.bar", gathered, {}), inputs)
    starts = seeds("kept.bar", gathered, {})
    starts = seeds("state.bar", program.initials, starts)
    starts = seeds("pipe.bar", (pipe[2] for pipe in program.pipes), starts)
    final = reverse(graph, starts, inputs)
    return Backwards(program, gathered, stage, saved, interval, final)


def _gathered(program: Program, roots: Iterable[int]) -> tuple[int, ...]:
    """Nodes of the pace of a run that faster ones read and that depend on inputs."""
    graph = program.graph
    roots = list(roots)
    live = reachable(program, roots)
    found = {n for n in roots if graph.paces[n] is Pace.RUN}
    for node in live:
        if graph.paces[node] > Pace.RUN:
            found.update(a for a in graph.nodes[node].args if graph.paces[a] is Pace.RUN)
    varies = {n for n in live if graph.nodes[n].op == "input"}
    for node in sorted(live):
        if any(arg in varies for arg in graph.nodes[node].args):
            varies.add(node)
    return tuple(sorted(found & varies))


@dataclass(frozen=True)
class Work:
    """Where things lie in the memory of the backward sweep, in vectors of lanes."""

    states: int
    gathered: int
    pipes: int

    @property
    def sum(self) -> int:
        return self.states

    @property
    def stage(self) -> int:
        return 2 * self.states

    @property
    def kept(self) -> int:
        return 3 * self.states

    @property
    def pipe(self) -> int:
        return self.kept + self.gathered

    def vectors(self, steps: int) -> int:
        return self.pipe + self.pipes * (steps + 1)


def tape_vectors(program: Program, method: Method, steps: int) -> int:
    """The length of the tape of a run, in vectors of lanes."""
    return (steps * len(REACH[method]) + 1) * (len(program.states) + len(program.pipes))


def adjoint_step(
    program: Program, method: Method, lanes: int, triple: str, *, avx512: bool = False
) -> tuple[str, Layout, Work]:
    """The module that integrates a program and its adjoint, with the layouts of its memories.

    ``void adjoint(…, tape, work, seeds, seeded, gradient, …, profile, …)``: the arguments of
    ``fixed_step`` and seeds [groups][saves][V] with the lanes innermost, seeded [saves] integers (0:
    no seed of that save differs from 0), gradient [groups][rows][P] with the lanes innermost. With
    ``profile`` 1 there are as many rows as saves: the first is what acts through the start, row n + 1
    what acts between save n and the next. With 0 there is one row, the sum.
    """
    back = backwards(program)
    writer = _Adjoint(back, method, Emitter(lanes, avx512=avx512))
    text, layout = writer.build(triple)
    return text, layout, writer.work


class _Adjoint(FixedStep):
    name = "adjoint"
    pointers = ("tape", "work", "seeds", "seeded", "gradient")
    integers = ("profile",)
    end = "backward"

    def __init__(self, back: Backwards, method: Method, emit: Emitter) -> None:
        self.back = back
        super().__init__(
            back.program, method, emit, reads=[*back.stage.values(), *back.saved.values()]
        )
        self.work = Work(len(back.program.states), len(back.gathered), len(back.program.pipes))
        self.stages = len(REACH[method])
        self.record = len(back.program.states) + len(back.program.pipes)

    # Forwards ----------------------------------------------------------------------------------

    def _record(self, scope: Scope) -> None:
        """Put the stage's state, and what leaves the pipelines, on the tape."""
        emit, program = self.emit, self.program
        place = self._tape_of("%k", "%s")
        for kind, count, offset in self._moving():
            for number in range(count):
                emit.store(scope.leaves[kind](number), emit.at(place, offset + number))
        del program

    def _moving(self) -> tuple[tuple[str, int, int], ...]:
        states, pipes = len(self.program.states), len(self.program.pipes)
        return ("state", states, 0), ("pipe", pipes, states)

    def _tape_of(self, k: str, stage: str) -> str:
        emit = self.emit
        first = emit.put(f"mul i64 {k}, {self.stages}")
        number = emit.put(f"add i64 {first}, {stage}")
        offset = emit.put(f"mul i64 {number}, {self.record * emit.lanes * 8}")
        return emit.put(f"getelementptr inbounds i8, ptr %tape, i64 {offset}")

    # Backwards ---------------------------------------------------------------------------------

    def at(self, vector: int) -> str:
        return self.emit.at("%work", vector)

    def gather(self, place: str, value: Value) -> None:
        """Add to memory."""
        self.emit.store(self.emit.add(self.emit.load(place), value), place)

    def _afterwards(self) -> None:
        emit, program, work = self.emit, self.program, self.work
        size = emit.lanes * 8
        emit.do("backward:")
        self._clear("0", str(work.pipe), "clear")
        if program.pipes:
            slots = emit.put("add i64 %steps, 1")
            count = emit.put(f"mul i64 {slots}, {work.pipes}")
            self._clear(str(work.pipe), count, "clear.pipe")
        emit.do("%rows.more = mul i64 %saves.d, %profile")
        emit.do("%rows = add i64 %rows.more, 1")
        emit.do(f"%grad.n = mul i64 %rows, {len(program.inputs) * size}")
        emit.do("%grad.o = mul i64 %g, %grad.n")
        emit.do("%grad.g = getelementptr inbounds i8, ptr %gradient, i64 %grad.o")
        emit.do(f"%seeds.n = mul i64 %saves, {len(program.outputs) * size}")
        emit.do("%seeds.o = mul i64 %g, %seeds.n")
        emit.do("%seeds.g = getelementptr inbounds i8, ptr %seeds, i64 %seeds.o")
        before = emit.block
        emit.do("br label %back.step")
        emit.do("back.step:")
        emit.do(f"%b = phi i64 [ %steps, %{before} ], [ %b.next, %back.next ]")
        emit.do("%b.row = udiv i64 %b, %every")
        emit.do("%b.even = mul i64 %b.row, %every")
        emit.do("%b.is.save = icmp eq i64 %b.even, %b")
        emit.do("%b.d = sitofp i64 %b to double")
        emit.do("%b.t = fmul double %b.d, %dt")
        emit.do("%t.b = fadd double %start, %b.t")
        emit.do("%b.is.end = icmp eq i64 %b, %steps")
        emit.do("br i1 %b.is.end, label %back.save, label %back.stages")
        self._stages()
        self._saves()
        emit.do("back.next:")
        emit.do("%b.next = sub i64 %b, 1")
        emit.do("%b.is.start = icmp eq i64 %b, 0")
        emit.do("br i1 %b.is.start, label %back.end, label %back.step")
        emit.do("back.end:")
        self._to_inputs(self.back.final, "%grad.g")
        emit.do("br label %next")

    def _clear(self, first: str, count: str, label: str) -> None:
        """Zero so many vectors of the working memory."""
        emit = self.emit
        before = emit.block
        emit.do(f"%{label}.any = icmp sgt i64 {count}, 0")
        emit.do(f"br i1 %{label}.any, label %{label}, label %{label}.end")
        emit.do(f"{label}:")
        emit.do(f"%{label}.n = phi i64 [ 0, %{before} ], [ %{label}.next, %{label} ]")
        emit.do(f"%{label}.at = add i64 %{label}.n, {first}")
        place = self._vector("%work", f"%{label}.at")
        emit.store(emit.const(0.0), place)
        emit.do(f"%{label}.next = add i64 %{label}.n, 1")
        emit.do(f"%{label}.more = icmp slt i64 %{label}.next, {count}")
        emit.do(f"br i1 %{label}.more, label %{label}, label %{label}.end")
        emit.do(f"{label}.end:")

    def _vector(self, pointer: str, number: str) -> str:
        offset = self.emit.put(f"mul i64 {number}, {self.emit.lanes * 8}")
        return self.emit.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {offset}")

    def _stages(self) -> None:
        """The adjoint of one step: its stages from the last to the first."""
        emit, program, work = self.emit, self.program, self.work
        emit.do("back.stages:")
        for state in range(work.states):
            emit.store(emit.load(self.at(state)), self.at(work.sum + state))
            emit.store(emit.const(0.0), self.at(work.stage + state))
        before = emit.block
        emit.do("br label %back.stage")
        emit.do("back.stage:")
        if self.stages > 1:
            emit.do(f"%u = phi i64 [ {self.stages - 1}, %{before} ], [ %u.next, %back.stage.next ]")
        else:
            emit.do("%u = add i64 0, 0")
        emit.do("%u.c.p = getelementptr inbounds double, ptr @stage.time, i64 %u")
        emit.do("%u.c = load double, ptr %u.c.p, align 8")
        emit.do("%u.t.c = fmul double %u.c, %dt")
        emit.do("%u.t = fadd double %t.b, %u.t.c")
        emit.do("%u.place.p = getelementptr inbounds i64, ptr @stage.place, i64 %u")
        emit.do("%u.place = load i64, ptr %u.place.p, align 8")
        emit.do("%u.first = icmp eq i64 %u, 0")
        scope = self._scope("%b", "%u", "%u.t", "%u.place")
        weight, reach = (self._scaled(table) for table in ("weight", "reach"))
        bars = [
            emit.add(
                emit.mul(weight, emit.load(self.at(state))),
                emit.mul(reach, emit.load(self.at(work.stage + state))),
            )
            for state in range(work.states)
        ]
        scope.leaves["rate.bar"] = lambda n: bars[n]

        def feed(number: int) -> Value:
            """What later steps read of what goes in now; only the first stage feeds a pipeline."""
            held = emit.load(self._pipe_bar(number, "%b"))
            once = emit.put("select i1 %u.first, double 1.0, double 0.0")
            return emit.mul(held, emit.splat(once))

        scope.leaves["feed.bar"] = feed
        # All of them before anything is stored: what is stored is read by the others.
        found = {node: scope.number(bar) for node, bar in sorted(self.back.stage.items())}
        states = {program.graph.intern("state", (), n): n for n in range(work.states)}
        for node, state in states.items():
            bar = found.get(node, emit.const(0.0))
            emit.store(bar, self.at(work.stage + state))
            self.gather(self.at(work.sum + state), bar) if node in found else None
        self._collect(found, "%b", "%u.c")
        if self.stages > 1:
            emit.do("br i1 %u.first, label %back.stages.end, label %back.stage.next")
            emit.do("back.stage.next:")
            emit.do("%u.next = sub i64 %u, 1")
            emit.do("br label %back.stage")
        else:
            emit.do("br label %back.stages.end")
        emit.do("back.stages.end:")
        for state in range(work.states):
            emit.store(emit.load(self.at(work.sum + state)), self.at(state))
        # With a profile, what acted since this save goes to its own row.
        emit.do("%b.has.row = icmp ne i64 %profile, 0")
        emit.do("%b.flush = and i1 %b.has.row, %b.is.save")
        emit.do("br i1 %b.flush, label %back.flush, label %back.save")
        emit.do("back.flush:")
        emit.do("%flush.row = add i64 %b.row, 1")
        emit.do(f"%flush.o = mul i64 %flush.row, {len(program.inputs) * emit.lanes * 8}")
        emit.do("%flush.g = getelementptr inbounds i8, ptr %grad.g, i64 %flush.o")
        self._to_inputs(self.back.interval, "%flush.g")
        for number in range(work.gathered):
            emit.store(emit.const(0.0), self.at(work.kept + number))
        emit.do("br label %back.save")

    def _saves(self) -> None:
        """What the saved values themselves pass on, where a seed asks for it."""
        emit, work = self.emit, self.work
        emit.do("back.save:")
        emit.do("br i1 %b.is.save, label %back.look, label %back.next")
        emit.do("back.look:")
        emit.do("%seeded.p = getelementptr inbounds i64, ptr %seeded, i64 %b.row")
        emit.do("%seeded.n = load i64, ptr %seeded.p, align 8")
        emit.do("%is.seeded = icmp ne i64 %seeded.n, 0")
        emit.do("br i1 %is.seeded, label %back.out, label %back.next")
        emit.do("back.out:")
        emit.do(f"%seeds.b = mul i64 %b.row, {len(self.program.outputs) * emit.lanes * 8}")
        emit.do("%seeds.r = getelementptr inbounds i8, ptr %seeds.g, i64 %seeds.b")
        scope = self._scope("%b", "0", "%t.b", "0")
        scope.leaves["out.bar"] = lambda n: emit.load(emit.at("%seeds.r", n))
        found = {node: scope.number(bar) for node, bar in sorted(self.back.saved.items())}
        for state in range(work.states):
            node = self.program.graph.intern("state", (), state)
            if node in found:
                self.gather(self.at(state), found[node])
        self._collect(found, "%b", "0.0")
        emit.do("br label %back.next")

    def _scope(self, k: str, stage: str, time: str, place: str) -> Scope:
        """A block that evaluates the equations again at a stage that is on the tape."""
        emit, program = self.emit, self.program
        tape = self._tape_of(k, stage)
        count = len(program.series)
        row = emit.put(f"mul i64 {k}, 3")
        row = emit.put(f"add i64 {row}, {place}")
        offset = emit.put(f"mul i64 {row}, {8 * count}")
        series = emit.put(f"getelementptr inbounds i8, ptr %series, i64 {offset}")
        noise = self._noise_row(k) if program.noises else ""
        scope = Scope(emit, program)
        scope.leaves = {
            **self._run_leaves(),
            "steptime": lambda _: emit.splat("%t.b"),
            "time": lambda _: emit.splat(time),
            "state": lambda n: emit.load(emit.at(tape, n)),
            "pipe": lambda n: emit.load(emit.at(tape, len(program.states) + n)),
            "series": lambda n: emit.splat(element(emit, series, n)),
            "noise": lambda n: emit.load(emit.at(noise, n)),
        }
        self.outer(scope, Pace.RUN)
        return scope

    def _run_leaves(self) -> dict[str, Leaf]:
        emit = self.emit
        return {
            "input": lambda n: emit.load(emit.at("%inputs.g", n)),
            "start": lambda _: emit.splat("%start"),
            "dt": lambda _: emit.splat("%dt"),
            "series0": lambda n: emit.splat(element(emit, "%series", n)),
            "noise0": lambda n: emit.load(emit.at("%noise.g", n)),
        }

    def _scaled(self, table: str) -> Value:
        """A coefficient of the stage times the step."""
        emit = self.emit
        pointer = emit.put(f"getelementptr inbounds double, ptr @stage.{table}, i64 %u")
        factor = emit.put(f"load double, ptr {pointer}, align 8")
        return emit.splat(emit.put(f"fmul double {factor}, %dt"))

    def _collect(self, found: Mapping[int, Value], k: str, c: str) -> None:
        """Gather what reaches nodes of the pace of a run, and what pipelines hold."""
        emit, program, work = self.emit, self.program, self.work
        for number, node in enumerate(self.back.gathered):
            if node in found:
                self.gather(self.at(work.kept + number), found[node])
        for number in range(work.pipes):
            node = program.graph.intern("pipe", (), number)
            if node not in found:
                continue
            # Read as now + c (next - now): (1 - c) of it belongs to now, c to next.
            following = emit.put(f"add i64 {k}, 1")
            rest = emit.put(f"fsub double 1.0, {c}")
            for step, part in ((k, rest), (following, c)):
                share = emit.mul(found[node], emit.splat(part))
                self._pipe_gather(number, step, share)

    def _pipe_bar(self, number: int, slot: str) -> str:
        """The address of the adjoint of a slot of a pipeline."""
        emit = self.emit
        rows = emit.put("add i64 %steps, 1")
        before = emit.put(f"mul i64 {rows}, {number}")
        vector = emit.put(f"add i64 {before}, {slot}")
        vector = emit.put(f"add i64 {vector}, {self.work.pipe}")
        return self._vector("%work", vector)

    def _pipe_gather(self, number: int, k: str, value: Value) -> None:
        """Add to the slots that the pipeline was read from at step ``k``, lane by lane."""
        emit = self.emit
        slots = self._pipe_slots(number, k)
        base = self._pipe_bar(number, "0")
        for lane in range(emit.lanes):
            slot, part = slots, value.text
            if emit.lanes > 1:
                slot = emit.put(f"extractelement {emit.i} {slots}, i32 {lane}")
                part = emit.put(f"extractelement {emit.t} {value.text}, i32 {lane}")
            index = emit.put(f"mul i64 {slot}, {emit.lanes}")
            index = emit.put(f"add i64 {index}, {lane}")
            pointer = emit.put(f"getelementptr inbounds double, ptr {base}, i64 {index}")
            old = emit.put(f"load double, ptr {pointer}, align 8")
            new = emit.put(f"fadd double {old}, {part}")
            emit.do(f"store double {new}, ptr {pointer}, align 8")

    def _to_inputs(self, bars: Mapping[int, int], row: str) -> None:
        """Bring what was gathered back to the inputs: one row of the gradient."""
        emit, program, work = self.emit, self.program, self.work
        scope = Scope(emit, program)
        kept: Callable[[int], Value] = lambda n: emit.load(self.at(work.kept + n))  # noqa: E731
        scope.leaves = {
            **self._run_leaves(),
            "kept.bar": kept,
            "state.bar": lambda n: emit.load(self.at(n)),
            "pipe.bar": lambda n: emit.load(self._pipe_bar(n, "%steps")),
        }
        self.outer(scope, Pace.RUN)
        for position in range(len(program.inputs)):
            node = program.graph.intern("input", (), position)
            value = scope.number(bars[node]) if node in bars else emit.const(0.0)
            emit.store(value, emit.at(row, position))
