"""A model at one moment as a linear one: the gain of every link, and the matrices they make.

y = Gy y + Gx x for flows and auxiliaries, dx/dt = H y + D x for stocks; with K = 1/(I - Gy) the rates
change with the stocks by A = H K Gx + D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.independent import Link, Loop, canonical
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError
from flywheel.kernel.reference import evaluate
from flywheel.solve.grid import Grid

if TYPE_CHECKING:
    from flywheel.analysis.loops.trajectory import Trajectory
    from flywheel.solve.study import Study

Floats: TypeAlias = NDArray[np.float64]
Complexes: TypeAlias = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Linearisation:
    """The gains of all links of a model at one moment.

    ``gains`` (E,) are the partial derivatives of the target by the source, for a target that is a
    stock those of its rate. Units: target per source (per time, into a stock).

    Raises UsageError for a stock or an end of a link that is no node, or a link that comes twice.
    """

    names: tuple[str, ...]
    stocks: tuple[str, ...]
    links: tuple[Link, ...]
    gains: Floats
    time: float = math.nan

    def __post_init__(self) -> None:
        known = set(self.names)
        for name in (*self.stocks, *(end for link in self.links for end in link)):
            if name not in known:
                raise UsageError(f"{name!r} is not among the names of the linearisation")
        if len(set(self.links)) != len(self.links):
            raise UsageError("a link stands twice in the linearisation")
        if np.shape(self.gains) != (len(self.links),):
            raise UsageError(f"{len(self.links)} links need as many gains")

    @cached_property
    def active(self) -> tuple[Link, ...]:
        """The links that pass something on at this moment."""
        return tuple(link for link, g in zip(self.links, self.gains, strict=True) if g != 0)

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Flows and auxiliaries, each after what it reads, so that Gy is lower triangular.

        Raises UsageError where they read each other in a circle.
        """
        before: dict[str, list[str]] = {n: [] for n in self.names if n not in set(self.stocks)}
        for source, target in self.links:
            if source in before and target in before:
                before[target].append(source)
        try:
            return tuple(TopologicalSorter(before).static_order())
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise UsageError(f"there is no stock on the loop {circle}") from None

    @cached_property
    def matrices(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Gy (a, a), Gx (a, s), H (s, a), D (s, s): s ``stocks``, a ``others``."""
        stock = {name: n for n, name in enumerate(self.stocks)}
        other = {name: n for n, name in enumerate(self.others)}
        gy, gx = np.zeros((len(other), len(other))), np.zeros((len(other), len(stock)))
        h, d = np.zeros((len(stock), len(other))), np.zeros((len(stock), len(stock)))
        for (source, target), gain in zip(self.links, self.gains, strict=True):
            if target in stock:
                if source in stock:
                    d[stock[target], stock[source]] = gain
                else:
                    h[stock[target], other[source]] = gain
            elif source in stock:
                gx[other[target], stock[source]] = gain
            else:
                gy[other[target], other[source]] = gain
        return gy, gx, h, d

    @cached_property
    def jacobian(self) -> Floats:
        """A (s, s): the rates of the stocks by the stocks."""
        gy, gx, h, d = self.matrices
        return np.asarray(h @ through(-gy, gx) + d)

    @cached_property
    def pushes_and_drains(self) -> tuple[Floats, Floats]:
        """A = P - N (s, s): what raises a rate along all paths, and what lowers it, both >= 0.

        The paths are counted link by link: two effects inside one equation count by their sum.
        """
        gy, gx, h, d = (np.abs(m) for m in self.matrices)
        total = h @ through(-gy, gx) + d
        return (total + self.jacobian) / 2, (total - self.jacobian) / 2


def through(gy: Floats, given: NDArray[Any], back: bool = False) -> NDArray[Any]:
    """K given, or K' given, from -Gy, by substitution: pivoting would make round-off of exact zeros."""
    from scipy.linalg import solve_triangular

    if not len(gy):
        return np.asarray(given)
    how = "T" if back else "N"
    return np.asarray(solve_triangular(gy, given, how, lower=True, unit_diagonal=True))


def linearise(run: Trajectory, rows: Sequence[int]) -> tuple[Linearisation, ...]:
    """The linearisations along a run at some rows of its ``times``.

    A pipeline delay has no finite linear form; it counts as one stock that empties in its delay,
    which keeps its gain and its mean delay (as the first Pade approximation does not: 1/(1 + tau s)).
    """
    shape = run.structure
    links: list[Link] = [(link.source, link.target) for link in shape.links]
    gains = run.partials[:, list(rows)].copy()
    delays = _delays(run)
    for place, (_, target) in enumerate(links):
        if target in delays:
            gains[place] /= delays[target]
    for name, delay in delays.items():
        links.append((name, name))
        gains = np.vstack([gains, np.full((1, len(rows)), -1 / delay)])
    stocks = (*shape.stocks, *shape.pipelines)
    return tuple(
        Linearisation(shape.nodes, stocks, tuple(links), gains[:, k], float(run.times[row]))
        for k, row in enumerate(rows)
    )


def moments(run: Trajectory, count: int = 20) -> tuple[int, ...]:
    """Evenly spaced saved rows of a run, the first and the last among them, at most ``count``."""
    saves = run.saves[run.saves < len(run.times)]
    picked = np.linspace(0, len(saves) - 1, min(count, len(saves))).round().astype(int)
    return tuple(int(row) for row in saves[np.unique(picked)])


def row_at(run: Trajectory, at: float) -> int:
    """The row of the step nearest to a time. Raises UsageError for one outside the run."""
    first, last = float(run.times[0]), float(run.times[-1])
    if not first - run.grid.step / 2 <= at <= last + run.grid.step / 2:
        raise UsageError(f"{at:g} is outside the run, which goes from {first:g} to {last:g}")
    return int(np.abs(run.times - at).argmin())


def _delays(run: Trajectory) -> dict[str, float]:
    """The length of every pipeline, as the run's inputs have it; at least one step."""
    system = run.structure.system
    found = {}
    for pipe in system.pipelines:
        if pipe.name in run.structure.pipelines:
            values = dict(zip(system.inputs, system.defaults, strict=True))
            values |= {
                n: float(run.value(n)[0])
                for n in run.formulas.leaves
                if n not in run.structure.pipelines
            }
            found[pipe.name] = max(evaluate(pipe.delay, values), run.grid.step)
    return found


def run_of(study: Study) -> Trajectory:
    """The baseline of a study with everything along the way."""
    from flywheel.analysis.loops.trajectory import along

    plan, grid = study.plan, study.grid
    every = Grid(grid.start, grid.step, grid.steps, 1)
    inputs = study.extended(study.system)[: len(plan.system.inputs)]
    found = plan.engine(study.method, "llvm").run(inputs[np.newaxis], every, seed=study.seed)
    return along(plan, grid, inputs, np.asarray(found.values[0]), study.method, study.seed)


def variables_of(loop: Sequence[str]) -> Loop:
    """A loop by the model's own variables: what is hidden in delays left out. May be empty."""
    seen = tuple(dict.fromkeys(name for name in loop if "@" not in name))
    return canonical(seen) if seen else ()


def stamp_of(
    run: Trajectory, outcome: str, horizons: Sequence[float] = (), **settings: object
) -> Stamp:
    """The receipt of what is read off a run."""
    time = run.model.time
    return Stamp(
        run.model.name,
        run.model.hash,
        outcome,
        tuple(horizons),
        float(run.times[0]),
        str(time.unit) if time.unit else "",
        run.method,
        run.grid.step,
        run.seed,
        settings,
    )
