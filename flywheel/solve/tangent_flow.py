"""One adaptive run of states and tangents together, through the events on its way.

Where a condition g(x, p, t) changes its sign at t*, the rates jump from f- to f+ and the moment itself
moves with the parameters: dt*/dp = -(g_x S- + g_p) / (g_x f- + g_t). The state is continuous, its
sensitivities are not: S+ = S- + (f- - f+) dt*/dp (Rozenvasser 1967; Hiskens and Pai 2000, IEEE Trans.
Circuits Syst. I 47:204-220). Without the jump the answer is wrong, not imprecise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.guard import Guard, Stopped
from flywheel.kernel.reference import Reference
from flywheel.solve.adaptive import SOLVERS
from flywheel.solve.augmented import Augmented, Look
from flywheel.solve.conditions import Condition
from flywheel.solve.events import stop_times
from flywheel.solve.grid import Grid

Array = NDArray[np.float64]
Scalar: TypeAlias = Callable[[float], float]

_TIE = 1e-11
"""Relative to what is compared: nearer than this, two values are equal but for rounding."""
_FELT = 1e-9
"""The least relative effect of a parameter on a condition that counts as one."""
_RETRIES = 200
_CROSSINGS = 20_000


@dataclass(frozen=True, eq=False)
class Passed:
    """A condition that changed: its number, when, whether left rose above right, dt*/dp (slots,)."""

    condition: int
    time: float
    rising: bool
    shift: Array


class Sliding(Exception):
    """On both sides of a condition's edge the rates push back to it: no run leaves it."""

    def __init__(self, condition: int, time: float) -> None:
        super().__init__(condition)
        self.condition = condition
        self.time = time


class Infinite(Exception):
    """Tangents of some slots that are no finite numbers although the states are."""

    def __init__(self, slots: list[int], time: float) -> None:
        super().__init__(slots)
        self.slots = slots
        self.time = time


@dataclass(eq=False)
class Flow:
    """A run to be made: ``scale`` (slots,) is a typical size of each parameter; ``absolute`` the
    tolerances of a full state; ``stops`` the times at which the equations change.

    Results: ``values`` (T, V), ``tangents`` (T, V, slots), ``sides`` (T, K) of the conditions,
    ``passed``, and ``rough``: slots that have no derivative, with the reason.
    """

    kernel: Augmented
    conditions: tuple[Condition, ...]
    reference: Reference
    inputs: list[float]
    grid: Grid
    columns: int
    scale: Array
    method: str
    rtol: float
    absolute: Array
    max_evaluations: int
    values: Array = field(init=False)
    tangents: Array = field(init=False)
    sides: Array = field(init=False)
    passed: list[Passed] = field(default_factory=list)
    rough: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        saves, slots = self.grid.saves, self.kernel.slots
        self.values = np.full((saves, self.columns), math.nan)
        self.tangents = np.full((saves, self.columns, slots), math.nan)
        self.sides = np.full((saves, len(self.conditions)), math.nan)
        self._n = len(self.kernel.states)
        self._every = range(len(self.conditions))
        self._sizes = np.zeros(len(self.conditions))
        self._guard = Guard(self.max_evaluations, None)
        self._saved = self._retries = 0
        self._slack = 1e-9 * self.grid.step
        self._graze = max(100.0 * self.rtol, 1e-9)

    def go(self, full: Array) -> None:
        """From a full state at the start to the end.

        Raises Stopped, Sliding or Infinite; what was saved until then stays.
        """
        with np.errstate(all="ignore"):
            try:
                self._go(full)
            except Stopped as stop:
                raise self._blamed(stop) from None

    def _go(self, full: Array) -> None:
        grid = self.grid
        self._hold_at(grid.start)
        self._settle(grid.start, full, first=True)
        self._save(grid.start, full)
        stops = stop_times(self.reference, self.inputs, grid)
        for begin, end in pairwise(stops):
            self._enter(begin, end, full)
            full = self._segment(begin, end, full)

    def _enter(self, begin: float, end: float, full: Array) -> None:
        """Holds things as they are in the middle of a segment, and lets the conditions follow."""
        old = self._motion(begin, full)
        self._middle = 0.5 * (begin + end)
        self._held = self.reference.held(self._middle, 0.0, self.inputs)
        self.kernel.hold(self._held, self._middle)
        if not self.conditions:
            return
        # Where nothing changes its pace, a condition at its edge is just one that is crossed now.
        new = self._motion(begin, full)
        same = [np.isclose(a, b, 1e-9, 0.0, equal_nan=True) for a, b in zip(old, new, strict=True)]
        calm = same[1] & same[0].all()
        self._settle(begin, full, keep={int(k) for k in np.flatnonzero(calm)})

    def _motion(self, t: float, full: Array) -> tuple[Array, Array]:
        """The rates of a full state, and the speeds of the conditions."""
        if not self.conditions:
            return np.zeros(0), np.zeros(0)
        return self.kernel.rates(t, full), self.kernel.look(t, full).speed

    def _hold_at(self, t: float) -> None:
        """As a fixed-step method would hold things at a grid time: for values to save."""
        self._held, self._middle = self.reference.held(t, self.grid.step, self.inputs), t
        self.kernel.hold(self._held, t)

    # Segments ---------------------------------------------------------------------------------

    def _segment(self, t: float, end: float, full: Array) -> Array:
        """Integrates to the end of a segment, through events, saving on the way."""
        first_step: float | None = None
        while end - t > 4 * math.ulp(end):
            try:
                solver = self._solver(t, full, end, first_step)
                first_step = None
                now = self._look(t, full)
                while solver.status == "running":
                    before, old = float(solver.t), np.array(solver.y)
                    solver.step()
                    if solver.status == "failed":
                        raise Stopped("stuck", before, old.tolist())
                    after = float(solver.t)
                    dense = solver.dense_output() if self.conditions or self._due(after) else None
                    new = self._look(after, solver.y)
                    crossing = self._crossing(dense, before, after, now, new)
                    if crossing is not None:
                        at, number = crossing
                        self._save_until(at - self._slack, dense)
                        assert dense is not None  # there are conditions
                        t, full = at, self._cross(at, np.array(dense(at)), number)
                        self._save_until(at + self._slack, _always(full))
                        break
                    t, full, now = after, np.array(solver.y), new
                    self._save_until(t if t < end else math.nextafter(t, -math.inf), dense)
            except Stopped as stop:
                first_step = self._smaller(stop, t)
                if first_step is None:
                    raise
        self._save_until(end + self._slack, _always(full))
        return full

    def _solver(self, t: float, full: Array, end: float, first_step: float | None) -> Any:
        from scipy import integrate

        rates = self._guard.watch(self.kernel.rates)
        options: dict[str, Any] = {"rtol": self.rtol, "atol": self.absolute}
        if first_step is not None:
            options["first_step"] = min(first_step, end - t)
        if self.method in ("lsoda", "bdf", "radau"):
            options["jac"] = self._jacobian
        return getattr(integrate, SOLVERS[self.method])(rates, t, full, end, **options)

    def _jacobian(self, t: float, full: Array) -> Any:
        """The states' Jacobian once per slot. How tangents feel the states through second derivatives
        is left out: Newton's iteration makes that up in one more round (Maly and Petzold 1996)."""
        block = self.kernel.jacobian(t, full)
        if self.method == "lsoda":
            return np.kron(np.eye(self.kernel.slots + 1), block)
        from scipy import sparse

        return sparse.kron(sparse.eye(self.kernel.slots + 1), block, format="csc")

    def _smaller(self, stop: Stopped, t: float) -> float | None:
        """A first step with which to try again after a trial step left the domain of the equations."""
        distance = stop.time - t
        self._retries += 1
        if stop.reason != "fault" or self._retries > _RETRIES or distance <= 64 * math.ulp(t):
            return None
        return distance / 8 if distance / 8 > 1e-13 * self.grid.step else None

    def _blamed(self, stop: Stopped) -> Exception:
        """Infinite where only tangents are broken, else what stopped the run."""
        if stop.reason != "fault" or not len(stop.state):
            return stop
        full = np.array(stop.state)
        rates = self.kernel.rates(stop.time, full)
        sound = np.array([np.isfinite(x).all() for x in (full + rates).reshape(-1, self._n)])
        if sound[0] and not sound.all():
            return Infinite([int(s) for s in np.flatnonzero(~sound[1:])], stop.time)
        return stop

    # Conditions -------------------------------------------------------------------------------

    def _look(self, t: float, full: Array) -> Look | None:
        if not self.conditions:
            return None
        found = self.kernel.look(t, full)
        np.fmax(self._sizes, found.size, out=self._sizes)
        return found

    def _crossing(
        self, dense: Any, before: float, after: float, old: Look | None, new: Look | None
    ) -> tuple[float, int] | None:
        """The first change of a condition inside a step: when, and which."""
        if old is None or new is None:
            return None
        found: list[tuple[float, int]] = []
        near: list[tuple[float, int]] = []
        for k, side in enumerate(self.kernel.sides):
            sign = 1.0 if side else -1.0
            least = -_TIE * self._sizes[k]
            high = after
            if not sign * new.gap[k] < least:
                if not sign * old.speed[k] < 0.0 < sign * new.speed[k]:
                    continue
                # It came nearer and went away again: perhaps it was beyond in between.
                high = _root(self._along(dense, k, "speed"), before, after)
                nearest = sign * self.kernel.look(high, dense(high)).gap[k]
                if not nearest < least:
                    if nearest <= self._graze * self._sizes[k]:
                        near.append((high, k))
                    continue
            found.append((_root(self._along(dense, k, "gap"), before, high), k))
        first = min(found, default=None)
        for at, k in near:
            if first is None or at < first[0]:
                self._spoil(self.kernel.look(at, dense(at)), k, at, "is only touched")
        return first

    def _along(self, dense: Any, number: int, what: Literal["gap", "speed"]) -> Scalar:
        """A condition's gap, or its speed, as a function of the time inside a step."""

        def read(t: float) -> float:
            look = self.kernel.look(t, dense(t))
            return float((look.gap if what == "gap" else look.speed)[number])

        return read

    def _cross(self, t: float, full: Array, number: int) -> Array:
        """The full state just after a condition changes; the state itself is continuous."""
        kernel, n = self.kernel, self._n
        if len(self.passed) >= _CROSSINGS:
            raise Stopped("stuck", t, full.tolist())
        before, look = kernel.rates(t, full), kernel.look(t, full)
        moved, speed = look.shifts[:, number], float(look.speed[number])
        shift = np.zeros(kernel.slots)
        if abs(speed) * (self.grid.stop - self.grid.start) <= self._graze * self._sizes[number]:
            self._spoil(look, number, t, "is reached too slowly to say when")
        else:
            shift = -moved / speed
        kernel.sides[number] = 1.0 - kernel.sides[number]
        self._settle(t, full, keep=self._every, crossed=number)
        jump = before[:n] - kernel.rates(t, full)[:n]
        full = full.copy()
        full[n:] += np.outer(shift, jump).ravel()
        sign = 1.0 if kernel.sides[number] else -1.0
        if sign * kernel.look(t, full).speed[number] < -_FELT * abs(speed):
            raise Sliding(number, t)
        self.passed.append(Passed(number, t, sign > 0, shift))
        return full

    def _settle(
        self,
        t: float,
        full: Array,
        *,
        first: bool = False,
        keep: Container[int] = (),
        crossed: int | None = None,
    ) -> None:
        """Sets the sides of the conditions as the values say, each after those that it reads.

        At a tie the side is the one that the run goes to next; a parameter that would move the run off
        it makes it go elsewhere on one side only, and has no derivative. Conditions in ``keep`` stay
        as they are at a tie, which is then a crossing like others; ``crossed`` has its side.
        """
        kernel = self.kernel
        for k, condition in enumerate(self.conditions):
            if k == crossed:
                continue
            look = kernel.look(t, full)
            np.fmax(self._sizes, look.size, out=self._sizes)
            gap = float(look.gap[k])
            if abs(gap) > _TIE * self._sizes[k]:
                kernel.sides[k] = 1.0 if gap > 0 else 0.0
            elif gap == gap and k not in keep:
                if first:
                    kernel.sides[k] = condition.tie
                    look = kernel.look(t, full)
                sign = 1.0 if kernel.sides[k] else -1.0
                self._spoil(look, k, t, "begins at its edge")
                if sign * look.speed[k] < 0.0:
                    kernel.sides[k] = 1.0 - kernel.sides[k]

    def _spoil(self, look: Look, number: int, t: float, why: str) -> None:
        """Notes the slots that move a condition which has no derivative here."""
        felt = np.abs(look.shifts[:, number]) * self.scale > _FELT * self._sizes[number]
        one = self.conditions[number]
        text = f" ({one.text})" if one.text else ""
        for slot in np.flatnonzero(felt):
            reason = f"the condition of {one.owner}{text} {why}, at time {t:.10g}"
            self.rough.setdefault(int(slot), reason)

    # Saving -----------------------------------------------------------------------------------

    def _due(self, limit: float) -> bool:
        return self._saved < self.grid.saves and float(self.grid.times[self._saved]) <= limit

    def _save_until(self, limit: float, state: Callable[[float], Array] | None) -> None:
        while self._due(limit):
            t = float(self.grid.times[self._saved])
            assert state is not None  # a step with saves in it has its dense output
            self._save(t, np.asarray(state(t)))

    def _save(self, t: float, full: Array) -> None:
        held, middle, sides = self._held, self._middle, self.kernel.sides.copy()
        self._hold_at(t)
        if (self._held.switches, self._held.series) != (held.switches, held.series):
            # Where a condition on time changes at this very moment, others may change with it.
            self._settle(t, full, keep=self._every)
        look = self.kernel.look(t, full)
        self.values[self._saved] = look.values
        self.sides[self._saved] = self.kernel.sides
        moves = look.moves.T
        self.tangents[self._saved] = np.where(np.isfinite(moves), moves, math.nan)
        self._saved += 1
        if not np.isfinite(look.values).all():
            raise Stopped("output", t, full.tolist())
        self._held, self._middle = held, middle
        self.kernel.hold(held, middle)
        self.kernel.sides[:] = sides


def _always(full: Array) -> Callable[[float], Array]:
    return lambda t: full


def _root(gap: Scalar, low: float, high: float) -> float:
    """Where a function that changes its sign between two times is 0; ``low`` where it does not."""
    from scipy.optimize import brentq

    if not gap(low) * gap(high) < 0.0:
        return low
    return float(brentq(gap, low, high, xtol=4 * math.ulp(max(abs(low), abs(high)))))
