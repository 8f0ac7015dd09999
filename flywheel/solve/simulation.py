"""``simulate``: from a model and a few numbers to a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from flywheel.errors import UsageError, nearest
from flywheel.kernel.noise import LARGEST_SEED
from flywheel.model import Model, Setting
from flywheel.solve.adaptive import SOLVERS, run_adaptive
from flywheel.solve.fixed import STAGES, check_size, run_fixed
from flywheel.solve.grid import make_grid
from flywheel.solve.plan import plan_for, resolve, scenario_of
from flywheel.solve.run import Request, Run

METHODS = (*STAGES, *SOLVERS)
"""The names of the integration methods: fixed-step first, then adaptive."""
ENGINES = ("llvm", "reference")
DEFAULT_RTOL = 1e-8
_FINEST_RTOL = 1e-13

R = TypeVar("R", bound=Run)
_NONE: Mapping[str, float] = {}


def simulate(
    model: Model,
    *,
    method: str = "rk4",
    scenario: str | None = None,
    overrides: Mapping[str, float] = _NONE,
    settings: Sequence[Setting] = (),
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save: float | None = None,
    seed: int = 0,
    deadline: float | None = None,
    max_evaluations: int = 1_000_000,
    rtol: float = DEFAULT_RTOL,
    atol: float | None = None,
    engine: str | None = None,
    build: type[R] = Run,  # type: ignore[assignment]
) -> R:
    """Run a model; nothing about it changes.

    Parameters
    ----------
    method:
        One of ``METHODS``, in any case. ``euler`` and ``rk4`` take fixed steps; ``rk45``, ``dop853``,
        ``lsoda``, ``bdf`` and ``radau`` choose their own, with ``rtol`` and ``atol`` (a number in each
        stock's unit; by default a 1e-10th of each stock's initial size).
    scenario, overrides, settings:
        What differs from the model: a scenario by name, numbers by the name of a parameter or (its
        initial value) of a stock, and settings as in a scenario, which are applied last.
    start, stop, step, save:
        Replace the numbers of the model's ``time`` line.
    seed:
        Of the noise: a whole number from 0 to 2^64 - 1.
    deadline:
        Seconds after which the run is given up.
    max_evaluations:
        The most evaluations of the rates. A fixed-step run that would need more is refused; an
        adaptive run that does ends with a status that says so.
    engine:
        For fixed steps: ``llvm`` or ``reference``; by default the best there is.

    A computation that fails is no exception: the run's ``status`` says what, which variable, when and
    which line, and its values after that are NaN.

    Raises UnknownNameError and UsageError for arguments that make no sense, ModelError for a model
    whose equations cannot be put in order.
    """
    how = method if method in METHODS else _method(method)
    chosen = scenario_of(model, scenario)
    numbers = resolve(model, overrides, chosen, settings)
    plan = plan_for(model, numbers.shape)
    standard = start is None and stop is None and step is None and save is None
    grid = plan.grid if standard else make_grid(model.time, start, stop, step, save)
    _check(seed, deadline, max_evaluations, rtol, atol, engine)
    check_size(plan, grid, grid.steps * STAGES.get(how, 1), max_evaluations)
    inputs = plan.inputs(numbers, grid.step)
    if how in STAGES:
        values, status, used = run_fixed(plan, grid, inputs, how, seed, deadline, engine)
    else:
        values, status, used = run_adaptive(
            plan, grid, inputs, how, seed, deadline, max_evaluations, rtol, atol
        )
    again: dict[str, Any] = {
        "scenario": scenario,
        "overrides": overrides,
        "settings": settings,
        "start": grid.start,
        "stop": grid.stop,
        "step": grid.step,
        "save": grid.save,
        "seed": seed,
        "deadline": deadline,
        "max_evaluations": max_evaluations,
        "rtol": rtol,
        "atol": atol,
        "engine": engine,
    }
    name = None if chosen is None else chosen.name
    request = Request(how, name, numbers.given, again)
    return build(plan, grid, inputs, values, request, status, used, int(seed))


def finer(run: Run) -> Run:
    """The same run with half the step, or for an adaptive method a hundredth of the tolerance."""
    again = dict(run.request.again)
    if run.method in STAGES:
        again["step"] = run.step / 2
        again["max_evaluations"] *= 2
    else:
        again["rtol"] = max(again["rtol"] / 100, _FINEST_RTOL)
        again["max_evaluations"] *= 10
        if again["atol"] is not None:
            again["atol"] /= 100
    found: Run = simulate(run.model, method=run.method, **again)
    return found


def _method(given: object) -> str:
    """A method's name in any case."""
    if isinstance(given, str):
        if given.casefold() in METHODS:
            return given.casefold()
        guess = nearest(given, METHODS)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise UsageError(f"there is no method {given!r}; there are {', '.join(METHODS)}.{hint}")
    raise UsageError(f"method must be one of {', '.join(METHODS)}, not {given!r}")


def _check(
    seed: object,
    deadline: object,
    max_evaluations: object,
    rtol: object,
    atol: object,
    engine: object,
) -> None:
    """Refuses values that make no sense, before anything is computed."""
    if type(seed) is not int and not (hasattr(seed, "__index__") and not isinstance(seed, bool)):
        raise UsageError(f"seed must be a whole number, not {seed!r}")
    if not 0 <= seed <= LARGEST_SEED:  # type: ignore[operator]
        raise UsageError(f"seed must lie between 0 and 2^64 - 1, not {seed!r}")
    if deadline is not None and not _positive(deadline):
        raise UsageError(f"deadline must be a positive number of seconds, not {deadline!r}")
    if type(max_evaluations) is not int or max_evaluations < 1:
        raise UsageError(
            f"max_evaluations must be a positive whole number, not {max_evaluations!r}"
        )
    if not _positive(rtol) or not _FINEST_RTOL <= rtol < 1:  # type: ignore[operator]
        raise UsageError(f"rtol must lie between {_FINEST_RTOL:g} and 1, not {rtol!r}")
    if atol is not None and not _positive(atol):
        raise UsageError(f"atol must be a positive number, not {atol!r}")
    if engine is not None and engine not in ENGINES:
        raise UsageError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")


def _positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0
