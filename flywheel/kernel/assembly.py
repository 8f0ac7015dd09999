"""A program as LLVM assembly: a fixed-step integrator, or a rates function for adaptive solvers.

The integrator's loops, outermost first: groups of ``lanes`` members, steps, stages. Work is placed by
pace: what only parameters decide is computed once a group, what changes by step once a step; both
wait in scratch memory, so that registers are free for the stage. Values to save are taken at a step's
start, from the same evaluation that gives the first stage.

All arrays but the values are of doubles with the lanes innermost. Values leave member by member, as
callers want them: a save is gathered in scratch memory and spread from there, which is cheaper than
turning the whole array afterwards, and the lanes that fill up the last group are not written at all.

Scratch memory, in vectors:
``[hoisted] [y] [stage state] [sum] [pipeline: now, slope] [pipeline: first] [one save]
[history by pipeline]``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flywheel.kernel.emit import Emitter, Mask, Value
from flywheel.kernel.ir import Pace, Program

Method = Literal["euler", "rk4"]
Leaf: TypeAlias = Callable[[int], Value]
"""Emits the load of a leaf by its position."""

# Classical Runge-Kutta: the time of each stage, the weight of its slope in the step, and how far the
# next stage's state goes along it (in steps).
TIMES = {"euler": (0.0,), "rk4": (0.0, 0.5, 0.5, 1.0)}
WEIGHTS = {"euler": (1.0,), "rk4": (1 / 6, 1 / 3, 1 / 3, 1 / 6)}
REACH = {"euler": (0.0,), "rk4": (0.5, 0.5, 1.0, 0.0)}
# Where in a row of the series array the stage reads: the start, middle or end of the step.
PLACES = {"euler": (0,), "rk4": (0, 1, 1, 2)}

# Likely and unlikely ways on; the module's own numbers for metadata.
_TAIL = '!0 = !{!"branch_weights", i32 10000, i32 1}\n'
_AVX512 = """declare {t} @llvm.x86.avx512.mask.scalef.pd.512({t}, {t}, {t}, i8, i32)
declare {t} @llvm.x86.avx512.mask.getexp.pd.512({t}, {t}, i8, i32)
declare {t} @llvm.x86.avx512.mask.getmant.pd.512({t}, i32, {t}, i8, i32)
"""
_HEAD = """target triple = "{triple}"
declare double @flywheel_sin(double)
declare double @flywheel_cos(double)
declare {t} @llvm.fabs.{s}({t})
declare {t} @llvm.sqrt.{s}({t})
{gather}
attributes #0 = {{ nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }}
"""


@dataclass(frozen=True)
class Layout:
    """Where things lie in scratch memory, in vectors of lanes."""

    hoisted: int
    states: int
    pipes: int
    outputs: int

    @property
    def y(self) -> int:
        return self.hoisted

    @property
    def stage(self) -> int:
        return self.y + self.states

    @property
    def total(self) -> int:
        return self.stage + self.states

    @property
    def pipe(self) -> int:
        return self.total + self.states

    @property
    def first(self) -> int:
        return self.pipe + 2 * self.pipes

    @property
    def saved(self) -> int:
        return self.first + self.pipes

    @property
    def history(self) -> int:
        return self.saved + self.outputs

    def vectors(self, steps: int) -> int:
        """The size of scratch memory for a run of so many steps."""
        return self.history + self.pipes * (steps + 1)


class Scope:
    """Emits nodes on demand inside one block; a child sees what its parent made."""

    def __init__(self, emit: Emitter, program: Program, parent: Scope | None = None) -> None:
        self.emit = emit
        self.program = program
        self.parent = parent
        self.values: dict[int, Value | Mask] = {}
        self.leaves: dict[str, Leaf] = parent.leaves if parent else {}
        self.kept: Callable[[int], Value | None] = parent.kept if parent else lambda _: None
        """Loads what a slower pace has computed; None for other nodes."""

    def known(self, node: int) -> Value | Mask | None:
        found = self.values.get(node)
        if found is None and self.parent is not None:
            return self.parent.known(node)
        return found

    def number(self, node: int) -> Value:
        """The node as doubles."""
        found = self.get(node)
        if isinstance(found, Mask):
            found = self.values[node] = self.emit.number(found)
        return found

    def mask(self, node: int) -> Mask:
        """The node as a truth value."""
        found = self.get(node)
        return found if isinstance(found, Mask) else self.emit.truth(found)

    def get(self, node: int) -> Value | Mask:
        found = self.known(node)
        if found is None:
            found = self.values[node] = self.kept(node) or self._make(node)
        return found

    def _make(self, position: int) -> Value | Mask:
        node = self.program.graph.nodes[position]
        emit = self.emit
        if node.op == "const":
            return emit.const(float.fromhex(str(node.data)))
        if not node.args:
            return self.leaves[node.op](int(node.data or 0))
        match node.op:
            case "if":
                condition, then, otherwise = node.args
                return emit.choose(self.mask(condition), self.number(then), self.number(otherwise))
            case "and" | "or":
                return emit.logic(node.op, self.mask(node.args[0]), self.mask(node.args[1]))
            case "not":
                return emit.invert(self.mask(node.args[0]))
            case "lt" | "le" | "gt" | "ge" | "eq" | "ne":
                left, right = (self.number(arg) for arg in node.args)
                return emit.compare(node.op, left, right)
            case "lookup" | "slope":
                name = str(node.data)
                read = emit.lookup if node.op == "lookup" else emit.slope
                return read(name, self.number(node.args[0]), *self.program.lookups[name])
            case "powfix":
                size, base, power, bound = (self.number(arg) for arg in node.args[:4])
                # The parity is read where it is needed, seldom: in a branch of its own.
                seldom = Scope(emit, self.program, self)
                return emit.powfix(size, base, power, bound, lambda: seldom.number(node.args[4]))
            case _:
                made: Value = getattr(emit, node.op)(*(self.number(arg) for arg in node.args))
                return made

    def emit_in_order(self, nodes: Iterable[int]) -> None:
        """Emit these nodes now, earlier ones first."""
        for node in sorted(nodes):
            self.get(node)


def reachable(program: Program, roots: Iterable[int]) -> set[int]:
    """All nodes that the roots need, themselves included."""
    nodes = program.graph.nodes
    seen: set[int] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            pending.extend(nodes[node].args)
    return seen


def _text(emit: Emitter, triple: str, function: str) -> str:
    gather = ""
    if emit.lanes > 1:
        kinds = f"<{emit.lanes} x ptr>, i32, <{emit.lanes} x i1>, {emit.t}"
        gather = f"declare {emit.t} @llvm.masked.gather.{emit.suffix}.v{emit.lanes}p0({kinds})"
    if emit.avx512:
        gather += "\n" + _AVX512.format(t=emit.t)
    head = _HEAD.format(triple=triple, t=emit.t, s=emit.suffix, gather=gather)
    return "\n".join([head, *emit.helpers.values(), function, _TAIL])


def fixed_step(
    program: Program, method: Method, lanes: int, triple: str, *, avx512: bool = False
) -> tuple[str, Layout]:
    """The module that integrates a program with fixed steps, and its scratch layout.

    With ``avx512`` the text may use that processor's own instructions (eight lanes only).

    ``void fixed(inputs, series, noise, noise_row, out, bad, scratch, members, steps, every,
    noise_rows, start, dt)`` with arrays (lanes innermost, groups = members / lanes rounded up):
    inputs [groups][P], series [steps+1][3][S] scalars, noise [groups][noise_rows][K],
    noise_row [steps+1] integers, bad [groups] integers: the first step at whose start a state was not
    finite, or -1; and out [members][steps/every + 1][V] scalars. There is at least one member.
    """
    return FixedStep(program, method, Emitter(lanes, avx512=avx512)).build(triple)


class FixedStep:
    """Writes the integrator of a program. ``reads`` are nodes beyond the program's own roots whose
    parts of the pace of a run are kept too (the adjoint, which extends this class, reads them)."""

    name = "fixed"
    pointers: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    """Arguments after those that are described above."""
    end = "next"
    """Where a group goes after its last step."""

    def __init__(
        self, program: Program, method: Method, emit: Emitter, reads: Iterable[int] = ()
    ) -> None:
        self.program = program
        self.method = method
        self.emit = emit
        graph = program.graph
        pipe_inputs = [pipe[0] for pipe in program.pipes]
        pipe_starts = [node for pipe in program.pipes for node in pipe[1:]]
        self.stage_roots = [*program.rates, *pipe_inputs]
        forward = reachable(program, [*self.stage_roots, *program.outputs])
        live = reachable(program, [*forward, *reads])
        self.stage_nodes = reachable(program, self.stage_roots)
        starts = reachable(program, [*program.initials, *pipe_starts])
        self.run_nodes = {n for n in live if graph.paces[n] is Pace.RUN} | starts
        self.step_nodes = {n for n in forward if graph.paces[n] is Pace.STEP}
        # Kept in scratch: what a faster pace reads directly. Constants are written in place.
        kept: dict[int, int] = {}
        roots = {*self.stage_roots, *program.outputs, *reads}
        for node in sorted(live):
            pace = graph.paces[node]
            readers = graph.nodes[node].args
            for arg in readers:
                early = graph.paces[arg] is Pace.RUN or arg in forward
                if early and graph.paces[arg] < pace and graph.nodes[arg].op != "const":
                    kept.setdefault(arg, len(kept))
            if node in roots and pace < Pace.STAGE and graph.nodes[node].op != "const":
                kept.setdefault(node, len(kept))
        self.kept = {n: k for n, k in kept.items() if graph.nodes[n].op != "input"}
        self.kept = {n: k for k, n in enumerate(self.kept)}
        self.layout = Layout(
            len(self.kept), len(program.states), len(program.pipes), len(program.outputs)
        )

    # Addresses ---------------------------------------------------------------------------------

    def scratch(self, vector: int) -> str:
        return self.emit.at("%scratch", vector)

    def keep(self, scope: Scope, pace: Pace) -> None:
        """Store what this pace has computed for faster ones."""
        for node, place in self.kept.items():
            if self.program.graph.paces[node] is pace:
                self.emit.store(scope.number(node), self.scratch(place))

    def outer(self, scope: Scope, slower: Pace) -> None:
        """Make kept values of slower paces known to a scope: loaded where first used."""

        def load(node: int) -> Value | None:
            place = self.kept.get(node)
            if place is None or self.program.graph.paces[node] > slower:
                return None
            return self.emit.load(self.scratch(place))

        scope.kept = load

    # The module --------------------------------------------------------------------------------

    def build(self, triple: str) -> tuple[str, Layout]:
        emit = self.emit
        emit.do("br label %group")
        self._group()
        self._step()
        self._stage()
        self._afterwards()
        emit.do("next:")
        emit.do("%g.next = add i64 %g, 1")
        emit.do(f"%members.done = mul i64 %g.next, {emit.lanes}")
        emit.do("%more = icmp ult i64 %members.done, %members")
        emit.do("br i1 %more, label %group, label %done")
        emit.do("done:")
        emit.do("ret void")
        pointers = (
            "inputs",
            "series",
            "noise",
            "noise_row",
            "out",
            "bad",
            "scratch",
            *self.pointers,
        )
        integers = ("members", "steps", "every", "noise_rows", *self.integers)
        arguments = [f"ptr noalias %{name}" for name in pointers]
        arguments += [f"i64 %{name}" for name in integers]
        arguments += ["double %start", "double %dt"]
        head = f"define void @{self.name}({', '.join(arguments)}) #0 {{\nentry:\n"
        return _text(
            emit, triple, self._tables() + head + "\n".join(emit.lines) + "\n}\n"
        ), self.layout

    def _record(self, scope: Scope) -> None:
        """Called at the beginning of every stage."""

    def _afterwards(self) -> None:
        """Blocks between the last step and the next group, beginning with ``end``."""

    def _tables(self) -> str:
        rows = {"time": TIMES, "weight": WEIGHTS, "reach": REACH}
        text = ""
        for name, values in rows.items():
            numbers = values[self.method]
            body = ", ".join(f"double {_hex(v)}" for v in numbers)
            text += f"@stage.{name} = private constant [{len(numbers)} x double] [{body}]\n"
        places = PLACES[self.method]
        body = ", ".join(f"i64 {place}" for place in places)
        return text + f"@stage.place = private constant [{len(places)} x i64] [{body}]\n"

    def _group(self) -> None:
        """Everything of the pace of a run, and the initial state."""
        emit, program, layout = self.emit, self.program, self.layout
        size = emit.lanes * 8
        emit.do("group:")
        emit.do("%g = phi i64 [ 0, %entry ], [ %g.next, %next ]")
        for array, count in (("inputs", len(program.inputs)), ("bad", 1)):
            emit.do(f"%{array}.n = mul i64 %g, {count * size}")
            emit.do(f"%{array}.g = getelementptr inbounds i8, ptr %{array}, i64 %{array}.n")
        emit.do(f"%noise.n = mul i64 %noise_rows, {len(program.noises) * size}")
        emit.do("%noise.o = mul i64 %g, %noise.n")
        emit.do("%noise.g = getelementptr inbounds i8, ptr %noise, i64 %noise.o")
        emit.do("%saves.d = udiv i64 %steps, %every")
        emit.do("%saves = add i64 %saves.d, 1")
        emit.do(f"%out.n = mul i64 %saves, {len(program.outputs) * 8}")
        emit.do(f"%members.before = mul i64 %g, {emit.lanes}")
        emit.do("%out.o = mul i64 %members.before, %out.n")
        emit.do("%out.g = getelementptr inbounds i8, ptr %out, i64 %out.o")
        emit.do("%members.left = sub i64 %members, %members.before")
        emit.do(f"%is.part = icmp ult i64 %members.left, {emit.lanes}")
        emit.do(f"%taken = select i1 %is.part, i64 %members.left, i64 {emit.lanes}")
        scope = Scope(emit, program)
        scope.leaves.update(
            {
                "input": lambda n: emit.load(emit.at("%inputs.g", n)),
                "start": lambda _: emit.splat("%start"),
                "dt": lambda _: emit.splat("%dt"),
                "series0": lambda n: emit.splat(element(emit, "%series", n)),
                "noise0": lambda n: emit.load(emit.at("%noise.g", n)),
            }
        )
        scope.emit_in_order(self.run_nodes)
        self.keep(scope, Pace.RUN)
        for state, node in enumerate(program.initials):
            value = scope.number(node)
            places = [layout.y, layout.stage, layout.total] if self.method == "rk4" else [layout.y]
            for place in places:
                emit.store(value, self.scratch(place + state))
        for number, (_, delay, initial) in enumerate(program.pipes):
            self._pipe_start(number, scope.number(delay), scope.number(initial))
        emit.do(f"store {emit.i} {emit.whole(-1)}, ptr %bad.g, align 8")
        emit.do("br label %step")

    def _pipe_start(self, number: int, delay: Value, initial: Value) -> None:
        """The length of a pipeline in steps, at least 1 and at most the run; kept as integers."""
        emit, layout = self.emit, self.layout
        ratio = emit.div(delay, emit.splat("%dt"))
        ratio = emit.round(ratio)
        longest = emit.splat(emit.put("sitofp i64 %steps to double"))
        longest = emit.add(longest, emit.const(1.0))
        # In this order a delay that is no number is one step, and an endless one lasts the run.
        ratio = emit.pick(emit.fcmp("ogt", ratio, emit.const(1.0)), ratio, emit.const(1.0))
        ratio = emit.pick(emit.fcmp("olt", ratio, longest), ratio, longest)
        whole = emit.put(f"fptosi {emit.t} {ratio.text} to {emit.i}")
        emit.do(f"store {emit.i} {whole}, ptr {self.scratch(layout.first + number)}, align 8")
        # The last slot of the history is never fed: it holds the initial value.
        emit.store(initial, self._history(number, "%steps"))

    def _history(self, number: int, slot: str) -> str:
        """The address of a slot of a pipeline's history."""
        emit, size = self.emit, self.emit.lanes * 8
        rows = emit.put("add i64 %steps, 1")
        before = emit.put(f"mul i64 {rows}, {number}")
        vectors = emit.put(f"add i64 {before}, {slot}")
        vectors = emit.put(f"add i64 {vectors}, {self.layout.history}")
        offset = emit.put(f"mul i64 {vectors}, {size}")
        return emit.put(f"getelementptr inbounds i8, ptr %scratch, i64 {offset}")

    def _step(self) -> None:
        """Everything of the pace of a step; watches the states."""
        emit, program, layout = self.emit, self.program, self.layout
        before = emit.block
        emit.do("step:")
        emit.do(f"%k = phi i64 [ 0, %{before} ], [ %k.next, %advance ]")
        emit.do("%save.row = udiv i64 %k, %every")
        emit.do("%save.k = mul i64 %save.row, %every")
        emit.do("%is.save = icmp eq i64 %save.k, %k")
        emit.do(f"%out.b = mul i64 %save.row, {len(program.outputs) * 8}")
        emit.do("%out.k = getelementptr inbounds i8, ptr %out.g, i64 %out.b")
        emit.do("%k.d = sitofp i64 %k to double")
        emit.do("%t.d = fmul double %k.d, %dt")
        emit.do("%t.k = fadd double %start, %t.d")
        scope = Scope(emit, program)
        row: list[str] = []

        def noise(number: int) -> Value:
            if not row:
                row.append(self._noise_row("%k"))
            return emit.load(emit.at(row[0], number))

        scope.leaves = dict(scope.leaves)
        scope.leaves.update(
            {
                "input": lambda n: emit.load(emit.at("%inputs.g", n)),
                "dt": lambda _: emit.splat("%dt"),
                "steptime": lambda _: emit.splat("%t.k"),
                "noise": lambda n: noise(n),
            }
        )
        self.outer(scope, Pace.RUN)
        scope.emit_in_order(self.step_nodes)
        self.keep(scope, Pace.STEP)
        if program.states:
            # 0 times a number is 0 unless the number is not finite; then the sum is NaN.
            watch = emit.const(0.0)
            for state in range(len(program.states)):
                y = emit.load(self.scratch(layout.y + state))
                watch = emit.add(watch, emit.mul(y, emit.const(0.0)))
            broken = emit.fcmp("uno", watch, watch)
            before = emit.put(f"load {emit.i}, ptr %bad.g, align 8")
            unset = emit.put(f"icmp slt {emit.i} {before}, {emit.whole(0)}")
            now = self._spread("%k")
            both = emit.bits("and", broken, unset)
            after = emit.put(f"select {emit.b} {both}, {emit.i} {now}, {emit.i} {before}")
            emit.do(f"store {emit.i} {after}, ptr %bad.g, align 8")
        for number in range(len(program.pipes)):
            value = self._pipe_read(number, "%k")
            emit.store(value, self.scratch(layout.pipe + 2 * number))
            emit.store(emit.const(0.0), self.scratch(layout.pipe + 2 * number + 1))
        emit.do("br label %stage")

    def _noise_row(self, k: str) -> str:
        """The address of the noise of step ``k``."""
        emit = self.emit
        pointer = emit.put(f"getelementptr inbounds i64, ptr %noise_row, i64 {k}")
        index = emit.put(f"load i64, ptr {pointer}, align 8")
        size = len(self.program.noises) * emit.lanes * 8
        offset = emit.put(f"mul i64 {index}, {size}")
        return emit.put(f"getelementptr inbounds i8, ptr %noise.g, i64 {offset}")

    def _spread(self, scalar: str) -> str:
        """A scalar integer in every lane."""
        emit = self.emit
        if emit.lanes == 1:
            return scalar
        one = emit.put(f"insertelement {emit.i} poison, i64 {scalar}, i32 0")
        zeros = f"<{emit.lanes} x i32> zeroinitializer"
        return emit.put(f"shufflevector {emit.i} {one}, {emit.i} poison, {zeros}")

    def _pipe_slots(self, number: int, k: str) -> str:
        """Which slots a pipeline is read from at the start of step ``k``; each lane has its own
        length. The last slot holds the initial value."""
        emit = self.emit
        place = self.scratch(self.layout.first + number)
        lengths = emit.put(f"load {emit.i}, ptr {place}, align 8")
        slots = emit.put(f"sub {emit.i} {self._spread(k)}, {lengths}")
        early = emit.put(f"icmp slt {emit.i} {slots}, {emit.whole(0)}")
        kept = self._spread("%steps")
        return emit.put(f"select {emit.b} {early}, {emit.i} {kept}, {emit.i} {slots}")

    def _pipe_read(self, number: int, k: str) -> Value:
        """What leaves a pipeline at the start of step ``k``."""
        emit = self.emit
        slots = self._pipe_slots(number, k)
        history = self._history(number, "0")
        if emit.lanes == 1:
            pointer = emit.put(f"getelementptr inbounds double, ptr {history}, i64 {slots}")
            return emit.load(pointer)
        found = "poison"
        for lane in range(emit.lanes):
            slot = emit.put(f"extractelement {emit.i} {slots}, i32 {lane}")
            index = emit.put(f"mul i64 {slot}, {emit.lanes}")
            index = emit.put(f"add i64 {index}, {lane}")
            pointer = emit.put(f"getelementptr inbounds double, ptr {history}, i64 {index}")
            value = emit.put(f"load double, ptr {pointer}, align 8")
            found = emit.put(f"insertelement {emit.t} {found}, double {value}, i32 {lane}")
        return Value(found)

    def _stage(self) -> None:
        """One evaluation of the equations; the first of a step also saves and feeds pipelines."""
        emit, program, layout = self.emit, self.program, self.layout
        stages = len(TIMES[self.method])
        before = emit.block
        emit.do("stage:")
        if stages > 1:
            emit.do(f"%s = phi i64 [ 0, %{before} ], [ %s.next, %further ]")
        else:
            emit.do("%s = add i64 0, 0")
        emit.do("%c.p = getelementptr inbounds double, ptr @stage.time, i64 %s")
        emit.do("%c = load double, ptr %c.p, align 8")
        emit.do("%t.c = fmul double %c, %dt")
        emit.do("%t = fadd double %t.k, %t.c")
        count = len(program.series)
        emit.do("%place.p = getelementptr inbounds i64, ptr @stage.place, i64 %s")
        emit.do("%place = load i64, ptr %place.p, align 8")
        emit.do("%row.k = mul i64 %k, 3")
        emit.do("%row = add i64 %row.k, %place")
        emit.do(f"%row.b = mul i64 %row, {8 * count}")
        emit.do("%series.t = getelementptr inbounds i8, ptr %series, i64 %row.b")
        states = layout.stage if stages > 1 else layout.y
        scope = Scope(emit, program)
        scope.leaves = dict(scope.leaves)
        scope.leaves.update(
            {
                "input": lambda n: emit.load(emit.at("%inputs.g", n)),
                "dt": lambda _: emit.splat("%dt"),
                "start": lambda _: emit.splat("%start"),
                "steptime": lambda _: emit.splat("%t.k"),
                "time": lambda _: emit.splat("%t"),
                "state": lambda n: emit.load(self.scratch(states + n)),
                "series": lambda n: emit.splat(element(emit, "%series.t", n)),
                "pipe": lambda n: self._pipe_value(n),
            }
        )
        self.outer(scope, Pace.STEP)
        self._record(scope)
        graph = program.graph
        scope.emit_in_order(n for n in self.stage_nodes if graph.paces[n] is Pace.STAGE)
        rates = [scope.number(node) for node in program.rates]
        feeds = [scope.number(pipe[0]) for pipe in program.pipes]
        if stages > 1:
            emit.do("%is.first = icmp eq i64 %s, 0")
            emit.do("br i1 %is.first, label %first, label %later")
        else:
            emit.do("br label %first")
        emit.do("first:")
        emit.do("br i1 %is.save, label %save, label %after")
        emit.do("save:")
        inner = Scope(emit, program, scope)
        for number, node in enumerate(program.outputs):
            emit.store(inner.number(node), self.scratch(layout.saved + number))
        self._spread_save()
        emit.do("after:")
        emit.do("%is.end = icmp eq i64 %k, %steps")
        emit.do(f"br i1 %is.end, label %{self.end}, label %feed")
        emit.do("feed:")
        for number, feed in enumerate(feeds):
            self._pipe_feed(number, feed)
        emit.do("br label %later")
        emit.do("later:")
        self._advance(rates, stages)

    def _spread_save(self) -> None:
        """Copy the gathered save to the rows of the group's members, a member at a time."""
        emit, count = self.emit, len(self.program.outputs)
        if not count:
            emit.do("br label %after")
            return
        source = self.scratch(self.layout.saved)
        before = emit.block
        emit.do("br label %member")
        emit.do("member:")
        emit.do(f"%lane = phi i64 [ 0, %{before} ], [ %lane.next, %member.end ]")
        emit.do("%to.o = mul i64 %lane, %out.n")
        emit.do("%to = getelementptr inbounds i8, ptr %out.k, i64 %to.o")
        emit.do(f"%from = getelementptr inbounds double, ptr {source}, i64 %lane")
        emit.do("br label %copy")
        emit.do("copy:")
        emit.do("%n = phi i64 [ 0, %member ], [ %n.next, %copy ]")
        emit.do(f"%from.o = mul i64 %n, {emit.lanes}")
        emit.do("%from.n = getelementptr inbounds double, ptr %from, i64 %from.o")
        emit.do("%copied = load double, ptr %from.n, align 8")
        emit.do("%to.n = getelementptr inbounds double, ptr %to, i64 %n")
        emit.do("store double %copied, ptr %to.n, align 8")
        emit.do("%n.next = add i64 %n, 1")
        emit.do(f"%is.copied = icmp eq i64 %n.next, {count}")
        emit.do("br i1 %is.copied, label %member.end, label %copy")
        emit.do("member.end:")
        emit.do("%lane.next = add i64 %lane, 1")
        emit.do("%is.spread = icmp eq i64 %lane.next, %taken")
        emit.do("br i1 %is.spread, label %after, label %member")

    def _pipe_value(self, number: int) -> Value:
        emit = self.emit
        now = emit.load(self.scratch(self.layout.pipe + 2 * number))
        slope = emit.load(self.scratch(self.layout.pipe + 2 * number + 1))
        return emit.add(now, emit.mul(slope, emit.splat("%c")))

    def _pipe_feed(self, number: int, feed: Value) -> None:
        """Take in the input at the step's start; then the value at the next step is known."""
        emit, layout = self.emit, self.layout
        emit.store(feed, self._history(number, "%k"))
        following = emit.put("add i64 %k, 1")
        coming = self._pipe_read(number, following)
        now = emit.load(self.scratch(layout.pipe + 2 * number))
        emit.store(emit.sub(coming, now), self.scratch(layout.pipe + 2 * number + 1))

    def _advance(self, rates: Sequence[Value], stages: int) -> None:
        """The end of a stage: on to the next one, or to the next step."""
        emit, layout = self.emit, self.layout

        def scaled(table: str) -> Value:
            pointer = emit.put(f"getelementptr inbounds double, ptr @stage.{table}, i64 %s")
            factor = emit.put(f"load double, ptr {pointer}, align 8")
            return emit.splat(emit.put(f"fmul double {factor}, %dt"))

        weight = scaled("weight")
        if stages == 1:
            for state, rate in enumerate(rates):
                place = self.scratch(layout.y + state)
                emit.store(emit.add(emit.load(place), emit.mul(weight, rate)), place)
            emit.do("br label %advance")
        else:
            emit.do("%s.next = add i64 %s, 1")
            emit.do(f"%is.last = icmp eq i64 %s.next, {stages}")
            reach = scaled("reach")
            emit.do("br i1 %is.last, label %last, label %further")
            emit.do("further:")
            for state, rate in enumerate(rates):
                total = self.scratch(layout.total + state)
                emit.store(emit.add(emit.load(total), emit.mul(weight, rate)), total)
                y = emit.load(self.scratch(layout.y + state))
                emit.store(emit.add(y, emit.mul(reach, rate)), self.scratch(layout.stage + state))
            emit.do("br label %stage")
            emit.do("last:")
            for state, rate in enumerate(rates):
                total = self.scratch(layout.total + state)
                value = emit.add(emit.load(total), emit.mul(weight, rate))
                for row in (layout.y, layout.stage, layout.total):
                    emit.store(value, self.scratch(row + state))
            emit.do("br label %advance")
        emit.do("advance:")
        emit.do("%k.next = add i64 %k, 1")
        emit.do("br label %step")


def rates_function(program: Program, triple: str) -> str:
    """The module of the right-hand side, one member at a time, for adaptive solvers.

    ``void rates(y, inputs, held, series, noise, pipes, dydt, out, t, start, dt, want)``: scalars;
    ``held`` the switches, ``series``, ``noise`` and ``pipes`` their values at ``t``. With ``want`` 0
    it fills ``dydt``, else ``out``.
    """
    emit = Emitter(1)
    scope = Scope(emit, program)

    def loads(array: str) -> Leaf:
        return lambda n: emit.load(_byte(emit, f"%{array}", 8 * n))

    scope.leaves.update(
        {
            "input": loads("inputs"),
            "state": loads("y"),
            "held": loads("held"),
            "series": loads("series"),
            "noise": loads("noise"),
            "pipe": loads("pipes"),
            "time": lambda _: Value("%t"),
            "steptime": lambda _: Value("%t"),
            "start": lambda _: Value("%start"),
            "dt": lambda _: Value("%dt"),
        }
    )
    emit.do("%is.out = icmp ne i64 %want, 0")
    emit.do("br i1 %is.out, label %values, label %slopes")
    for label, roots, array in (
        ("slopes", program.rates, "dydt"),
        ("values", program.outputs, "out"),
    ):
        emit.do(f"{label}:")
        inner = Scope(emit, program, scope)
        inner.emit_in_order(reachable(program, roots))
        for number, node in enumerate(roots):
            emit.store(inner.number(node), _byte(emit, f"%{array}", 8 * number))
        emit.do("ret void")
    pointers = ("y", "inputs", "held", "series", "noise", "pipes", "dydt", "out")
    arguments = [f"ptr %{name}" for name in pointers]
    arguments += ["double %t", "double %start", "double %dt", "i64 %want"]
    head = f"define void @rates({', '.join(arguments)}) #0 {{\nentry:\n"
    return _text(emit, triple, head + "\n".join(emit.lines) + "\n}\n")


def element(emit: Emitter, array: str, number: int) -> str:
    """Load one double of an array of scalars."""
    return emit.put(f"load double, ptr {_byte(emit, array, 8 * number)}, align 8")


def _byte(emit: Emitter, pointer: str, offset: int) -> str:
    return emit.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {offset}")


def _hex(value: float) -> str:
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
