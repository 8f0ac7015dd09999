"""The result of a simulation: numbers over time, and everything needed to believe them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import Finding, unknown_name
from flywheel.expr import key
from flywheel.model import Model, Stock
from flywheel.solve.grid import Grid
from flywheel.solve.outcomes import Outcomes, Reading
from flywheel.solve.plan import Plan
from flywheel.solve.status import Status

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class IntegrationError:
    """How much the answer changes when the method tries harder (half the step, a tighter tolerance).

    ``by_variable`` holds, for every variable, the largest change over the saved times as a fraction
    of the range that the variable runs through; ``variable`` and ``size`` are the worst of them.
    """

    variable: str
    size: float
    by_variable: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.size:.2g} of the range of {self.variable}"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, so that it can be asked again."""

    method: str
    scenario: str | None
    overrides: Mapping[str, float]
    again: Mapping[str, Any]
    """The other arguments of ``simulate``."""


class Run:
    """A simulated trajectory. Immutable; everything beyond the numbers is computed when asked for.

    ``run["customers"]`` is the column of a variable (any case) over ``run.time``. A run that failed
    is data as well: ``status`` says why, and values after the failure are NaN.
    """

    __slots__ = (
        "__weakref__",
        "_all",
        "_grid",
        "_inputs",
        "_kept",
        "_plan",
        "engine",
        "model",
        "request",
        "seed",
        "status",
    )

    engine: str
    """What computed it: ``llvm``, ``reference`` or ``scipy``."""
    model: Model
    """The model as it was given."""
    request: Request
    seed: int
    status: Status

    def __init__(
        self,
        plan: Plan,
        grid: Grid,
        inputs: NDArray[np.float64],
        values: NDArray[np.float64],
        request: Request,
        status: Status,
        engine: str,
        seed: int,
    ) -> None:
        values.flags.writeable = False
        self.model = plan.model
        self._plan = plan
        self._grid = grid
        self._inputs = inputs
        self._all = values
        self.request = request
        self._kept: dict[str, Any] = {}
        self.status = status
        self.engine = engine
        self.seed = seed

    # What was run -----------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """The integration method."""
        return self.request.method

    @property
    def scenario(self) -> str | None:
        """The name of the scenario, if one was chosen."""
        return self.request.scenario

    @property
    def overrides(self) -> Mapping[str, float]:
        """The numbers that replaced the model's, by declared name."""
        return MappingProxyType(dict(self.request.overrides))

    @property
    def step(self) -> float:
        """The length of a step; for adaptive methods that of the grid of events."""
        return self._grid.step

    @property
    def save(self) -> float:
        """The time between saved values."""
        return self._grid.save

    # Numbers ----------------------------------------------------------------------------------

    @property
    def time(self) -> NDArray[np.float64]:
        """The saved times, shape (T,), in the model's unit of time; read-only."""
        return self._grid.times

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, in the order of the file."""
        return self._plan.visible

    @property
    def values(self) -> NDArray[np.float64]:
        """All variables over time, shape (T, V), columns as in ``names``; read-only."""
        return self._all[:, : len(self._plan.visible)]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """One variable over time, shape (T,), in its own unit; read-only.

        Raises UnknownNameError, with the nearest name, for a name that has no values over time.
        """
        place = self._plan.column_by_key.get(key(str(name)))
        if place is None:
            raise unknown_name(str(name), "variable", self.names, f"the run of {self.model.name}")
        column: NDArray[np.float64] = self._all[:, place]
        return column

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key(name) in self._plan.column_by_key

    @property
    def params(self) -> Mapping[str, float]:
        """The value of every parameter in this run (timed settings leave it as it starts)."""
        own = self._plan.own
        pairs = zip(self._plan.system.inputs[:own], self._inputs[:own], strict=True)
        return MappingProxyType({name: float(value) for name, value in pairs})

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas table: one row per saved time, one column per variable."""
        import pandas as pd

        if "frame" not in self._kept:
            index = pd.Index(self.time, name="time")
            self._kept["frame"] = pd.DataFrame(self.values, index=index, columns=list(self.names))
        frame: pd.DataFrame = self._kept["frame"]
        return frame.copy()

    @property
    def outcomes(self) -> Outcomes:
        """The model's outcomes: a mapping from name to number, NaN (with a reason) where none."""
        if "outcomes" not in self._kept:
            columns = _Columns(self._plan.position, self._all)
            failure = "" if self.ok else self.status.message
            reading = Reading(
                self.model, self._plan.recipes, self.time, columns, self.params, failure
            )
            self._kept["outcomes"] = Outcomes(reading)
        found: Outcomes = self._kept["outcomes"]
        return found

    # Trust ------------------------------------------------------------------------------------

    @property
    def ok(self) -> bool:
        """Whether the computation ran to its end with finite numbers."""
        return self.status.ok

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What the numbers say against the model: stocks outside their declared bounds."""
        if "warnings" not in self._kept:
            stocks = self.model.stocks.values()
            found = (finding for stock in stocks for finding in self._out_of_bounds(stock))
            self._kept["warnings"] = tuple(found)
        warnings: tuple[Finding, ...] = self._kept["warnings"]
        return warnings

    def _out_of_bounds(self, stock: Stock) -> list[Finding]:
        if stock.low is None and stock.high is None:
            return []
        values = self[stock.name]
        finite = values[np.isfinite(values)]
        slack = 1e-9 * float(np.abs(finite).max()) if len(finite) else 0.0
        found = []
        for bound, sign, word in ((stock.low, -1.0, "below"), (stock.high, 1.0, "above")):
            if bound is None:
                continue
            outside = np.nan_to_num(sign * (values - bound), nan=-1.0) > slack
            if outside.any():
                row = int(outside.argmax())
                message = (
                    f"{stock.name} goes {word} its bound {bound:g} "
                    f"at time {self.time[row]:g}: it is {values[row]:.6g}"
                )
                hint = "bounds clip nothing: let its flows stop before the bound is reached"
                place = stock.name_span or stock.span
                found.append(Finding("warning", "stock-out-of-bounds", message, place, hint))
        return found

    @property
    def error(self) -> IntegrationError:
        """How far a run with half the step (adaptive: a hundredth of the tolerance) differs.

        Computed by that second run when first asked for. ``size`` is infinite when only the second
        run fails, NaN when this one has or when the deadline cuts the second one short.
        """
        if "error" not in self._kept:
            from flywheel.solve.simulation import finer

            self._kept["error"] = compare(self, finer(self))
        error: IntegrationError = self._kept["error"]
        return error

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of what computed it."""
        return versions()

    def receipt(self) -> dict[str, object]:
        """Everything needed to get these numbers again, as plain data."""
        return {
            "model": self.model.name,
            "model_hash": self.model.hash,
            "method": self.method,
            "engine": self.engine,
            "start": float(self.time[0]),
            "stop": float(self.time[-1]),
            "step": self.step,
            "save": self.save,
            "seed": self.seed,
            "scenario": self.scenario,
            "overrides": dict(self.overrides),
            "ok": self.ok,
            "status": self.status.message,
            "versions": dict(self.versions),
        }

    def __repr__(self) -> str:
        span = f"{self.time[0]:g} to {self.time[-1]:g}"
        changed = "".join(f", {name}={value:g}" for name, value in self.overrides.items())
        scenario = f", scenario {self.scenario}" if self.scenario else ""
        return (
            f"<run of {self.model.name}: {span}, {self.method} step {self.step:g}"
            f"{scenario}{changed}: {self.status.message}>"
        )


class _Columns(Mapping[str, NDArray[np.float64]]):
    """The columns of a run by name, hidden ones included."""

    def __init__(self, position: Mapping[str, int], values: NDArray[np.float64]) -> None:
        self._position = position
        self._values = values

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        column: NDArray[np.float64] = self._values[:, self._position[name]]
        return column

    def __iter__(self) -> Any:
        return iter(self._position)

    def __len__(self) -> int:
        return len(self._position)


_FLAT = 1e-9
"""A variable whose range is less than this part of its size counts as constant: its changes are
measured against its size, or rounding errors would look like errors of the method."""


def compare(run: Run, finer: Run) -> IntegrationError:
    """The difference of two runs of the same saved times, relative to each variable's range."""
    sizes: dict[str, float] = {}
    for name in run.names:
        if not run.ok or (not finer.ok and finer.status.variable is None):
            sizes[name] = math.nan
        elif not finer.ok:
            sizes[name] = math.inf
        else:
            a, b = run[name], finer[name]
            scale = max(float(np.ptp(a)), _FLAT * float(np.abs(a).max()))
            change = float(np.abs(a - b).max())
            sizes[name] = change / scale if scale else math.inf if change else 0.0
    if not sizes:
        return IntegrationError("", 0.0, {})
    worst = max(sizes, key=lambda name: -1.0 if math.isnan(sizes[name]) else sizes[name])
    if not finer.ok and run.ok and finer.status.variable:
        worst = finer.status.variable
    return IntegrationError(worst, sizes.get(worst, math.inf), MappingProxyType(sizes))


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """The versions of this package and of what computes for it."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for label, name in (
        ("flywheel", "flywheel-sd"),
        ("numpy", "numpy"),
        ("scipy", "scipy"),
        ("llvmlite", "llvmlite"),
    ):
        try:
            found[label] = version(name)
        except PackageNotFoundError:
            found[label] = "unknown"
    return MappingProxyType(found)
