"""Forward sensitivities: a program that carries, beside its states, their derivatives.

A fixed-step method applied to states and tangents together gives the derivative of the method itself
(integration and differentiation commute), so the same integrator serves. The direction of each tangent
is an input: several *slots* in one program share the work of the states and of the partial
derivatives, and the lanes of the kernel carry several such sets at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flywheel.kernel.derivative import forward
from flywheel.kernel.ir import Graph, Program

SLOTS = 4
"""Directions in one member of a run: beyond that the states' share of the work is small, and code
grows."""


def tangent_program(program: Program, slots: int = SLOTS) -> Program:
    """A program with ``slots`` tangents beside every state.

    Inputs: the program's P, then per slot the direction in their space (P numbers). States and
    pipelines: the program's, then per slot their tangents. Outputs: per slot the tangents of the
    program's V outputs; the outputs themselves are left to the plain kernel, which saves them once.
    """
    old = program.graph
    graph = Graph(list(old.nodes), list(old.paces), dict(old._known))
    width, states, pipes = len(program.inputs), len(program.states), len(program.pipes)
    inputs = list(program.inputs)
    names: list[str] = []
    outputs: list[int] = []
    state_names = list(program.states)
    initials, rates = list(program.initials), list(program.rates)
    all_pipes = list(program.pipes)
    starts = [*program.initials, *(pipe[2] for pipe in program.pipes)]
    moving = [*program.rates, *(pipe[0] for pipe in program.pipes), *program.outputs]
    zero = graph.const(0.0)
    for slot in range(1, slots + 1):
        mark = f"@d{slot}"
        inputs += [f"{name}{mark}" for name in program.inputs]
        names += [f"{name}{mark}" for name in program.names]
        state_names += [f"{name}{mark}" for name in program.states]
        seeds = {
            graph.intern("input", (), n): graph.intern("input", (), slot * width + n)
            for n in _leaves(old, "input")
        }
        early = forward(graph, seeds, starts)
        for kind, count in (("state", states), ("pipe", pipes)):
            for n in range(count):
                seeds[graph.intern(kind, (), n)] = graph.intern(kind, (), slot * count + n)
        late = forward(graph, seeds, moving)
        initials += [early.get(node, zero) for node in program.initials]
        rates += [late.get(node, zero) for node in program.rates]
        all_pipes += [
            (late.get(fed, zero), delay, early.get(first, zero))
            for fed, delay, first in program.pipes
        ]
        outputs += [late.get(node, zero) for node in program.outputs]
    return replace(
        program,
        graph=graph,
        states=tuple(state_names),
        initials=tuple(initials),
        rates=tuple(rates),
        pipes=tuple(all_pipes),
        outputs=tuple(outputs),
        names=tuple(names),
        inputs=tuple(inputs),
    )


def _leaves(graph: Graph, op: str) -> Sequence[int]:
    """The positions in their array of the leaves of a kind."""
    return [int(node.data or 0) for node in graph.nodes if node.op == op]
