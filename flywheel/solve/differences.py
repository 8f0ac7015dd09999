"""Central differences of adaptive runs, for inputs that have no derivative a run could carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.expr import COMPARISONS, Binary, Call, Expr, names, walk
from flywheel.kernel.reference import closure
from flywheel.kernel.system import System
from flywheel.solve.adaptive import run_adaptive
from flywheel.solve.grid import Grid
from flywheel.solve.plan import Plan
from flywheel.solve.status import Status, time_text

Array = NDArray[np.float64]

_RTOL = 1e-10
"""A solver's error enters divided by twice the step."""


@dataclass(eq=False)
class Differences:
    """Runs of one plan with one input moved, and what they show of ``columns`` (V)."""

    plan: Plan
    grid: Grid
    inputs: Array
    columns: Sequence[str]
    method: str
    rtol: float
    atol: float | None
    max_evaluations: int

    def run(self, inputs: Array, rtol: float) -> tuple[Array, Status]:
        """All columns of the plan over the saved times, and how the run ended."""
        values, status, _ = run_adaptive(
            self.plan,
            self.grid,
            inputs,
            self.method,
            0,
            None,
            self.max_evaluations,
            rtol,
            self.atol,
        )
        return values, status

    def shown(self, values: Array) -> Array:
        """The wanted columns, shape (T, V)."""
        return values[:, [self.plan.position[name] for name in self.columns]]

    def central(self, place: int, h: float, *, branches: bool) -> tuple[Array, str]:
        """The derivatives to the input at ``place``, shape (T, V), and a remark (often empty).

        A value saved where the two runs stand on different branches would show the jump itself: there
        the difference is taken on the side that agrees with the run, or is left open (NaN). Without
        ``branches`` only conditions on time are compared.
        """
        runs: dict[int, tuple[Array, list[tuple[float, ...]]]] = {}
        remarks = []

        def at(moves: int) -> tuple[Array, list[tuple[float, ...]]]:
            if moves not in runs:
                inputs = self.inputs.copy()
                inputs[place] += moves * h
                values, status = self.run(inputs, min(self.rtol, _RTOL))
                if not status:
                    remarks.append(f"a run beside this one fails: {status.message}")
                runs[moves] = self.shown(values), self._branches(inputs, values, branches)
            return runs[moves]

        def alike(moves: int) -> NDArray[np.bool_]:
            pairs = zip(at(moves)[1], at(0)[1], strict=True)
            return np.array([one == other for one, other in pairs])

        found: Array = (at(1)[0] - at(-1)[0]) / (2.0 * h)
        sound = alike(1) & alike(-1)
        for way in (1, -1):
            if sound.all():
                break
            side = ~sound & alike(way) & alike(2 * way)
            one = -3.0 * at(0)[0] + 4.0 * at(way)[0] - at(2 * way)[0]
            found[side] = one[side] / (2.0 * h * way)
            sound |= side
        found[~sound] = math.nan
        if not sound.all() and not remarks:
            t = float(self.grid.times[int((~sound).argmax())])
            remarks.append(f"no derivative where an event passes a saved time, at {time_text(t)}")
        return found, "; ".join(dict.fromkeys(remarks))

    def _branches(self, inputs: Array, values: Array, branches: bool) -> list[tuple[float, ...]]:
        """At each saved time what the conditions say, and with ``branches`` floors and rounds too."""
        reference, step, given = self.plan.reference, self.grid.step, inputs.tolist()
        tables = {one.name: one for one in self.plan.system.lookups}
        marks = _marks(self.plan.system) if branches else []
        read = [closure(expr, reference.position, tables) for expr in marks]
        places = [self.plan.position[stock.name] for stock in self.plan.system.stocks]
        found = []
        for t, row in zip(self.grid.times.tolist(), values, strict=True):
            held = reference.held(t, step, given)
            every = reference.row(t, row[places].tolist(), given, held) if read else []
            found.append((*held.switches, *(one(every) for one in read)))
        return found


def _marks(system: System) -> list[Expr]:
    """The conditions and steps that a state may change."""
    steady = {*system.inputs, *(switch.name for switch in system.switches)}
    exprs = [*(e.expr for e in system.equations), *(s.rate for s in system.stocks)]
    return [
        node
        for expr in exprs
        for node in walk(expr)
        if (isinstance(node, Binary) and node.op in COMPARISONS)
        or (isinstance(node, Call) and node.function in ("floor", "round"))
        if not steady.issuperset(names(node))
    ]
