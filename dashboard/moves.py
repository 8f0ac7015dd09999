"""A move of a lever, as the browser asks for it and as the server answers.

The answer to a drag must be small and quick: only the curves that are on the screen, five significant
digits, written straight to JSON. The time axis is not repeated; it came with the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flywheel.api import Model, Run
from flywheel.errors import FlywheelError

from .library import DEADLINE, Library

MAX_NAMES = 400
"""Variables in one answer."""


class BadMove(ValueError):
    """A request that asks for nothing this server has; the message is a sentence for its sender."""


@dataclass(frozen=True)
class Move:
    """Which model, under which settings, and which variables to send back."""

    model: str
    scenario: str
    values: tuple[tuple[str, float], ...]
    names: tuple[str, ...]


def read(body: Any, library: Library) -> Move:
    """A request's body as a Move; raises BadMove for anything that is none."""
    if not isinstance(body, dict):
        raise BadMove("The body must be an object.")
    name = body.get("model")
    if not isinstance(name, str) or name not in library:
        raise BadMove("There is no such model.")
    model = library[name]
    scenario = body.get("scenario", "")
    if not isinstance(scenario, str) or (scenario and scenario not in model.scenarios):
        raise BadMove("The model has no such scenario.")
    values = body.get("values", {})
    if not isinstance(values, dict):
        raise BadMove("values must be an object of numbers.")
    for param, value in values.items():
        if param not in model.params:
            raise BadMove("The model has no such parameter.")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadMove("The value of a parameter must be a number.")
        if (isinstance(value, int) and abs(value) > 1e300) or not math.isfinite(value):
            raise BadMove("The value of a parameter must be a finite number.")
    names = body.get("names", [])
    if not isinstance(names, list) or len(names) > MAX_NAMES:
        raise BadMove("names must be a list of variables.")
    if any(not isinstance(one, str) or one not in model.variables for one in names):
        raise BadMove("The model has no such variable.")
    return Move(
        name,
        scenario,
        tuple((param, float(value)) for param, value in values.items()),
        tuple(dict.fromkeys(names)),
    )


def run(move: Move, library: Library) -> Run:
    """The run that a move asks for; the baseline, kept, where it asks for nothing else."""
    if not move.scenario and not move.values:
        return library.baseline(move.model)
    model: Model = library[move.model]
    try:
        return model.run(
            scenario=move.scenario or None, overrides=dict(move.values), deadline=DEADLINE
        )
    except FlywheelError as error:
        raise BadMove(str(error)) from error


def answer(result: Run, names: Sequence[str], length: int) -> str:
    """The answer as JSON: curves of ``length`` points, outcomes, status.

    A run that stopped early is filled up with null, so that indices keep their times.
    """
    curves = ",".join(f"{json.dumps(name)}:{numbers(result[name], length)}" for name in names)
    outcomes = ",".join(
        f"{json.dumps(name)}:{_number(value)}" for name, value in result.outcomes.items()
    )
    return (
        f'{{"values":{{{curves}}},"outcomes":{{{outcomes}}},"status":{json.dumps(status(result))}}}'
    )


def status(result: Run) -> dict[str, object]:
    """Whether the run reached its end and, if not, why: plain data."""
    found = result.status
    return {
        "ok": bool(found.ok),
        "message": found.message,
        "variable": found.variable,
        "time": None if found.time is None else float(found.time),
    }


def exactness(result: Run) -> dict[str, object] | None:
    """The change that half the step makes; None where the run itself failed."""
    if not result.ok:
        return None
    error = result.error
    relative = float(error.size)
    return {
        "relative": relative if math.isfinite(relative) else None,
        "worst": error.variable,
        "step": result.step,
    }


def numbers(values: np.ndarray[Any, Any], length: int) -> str:
    """A JSON list of ``length`` numbers to five significant digits, null where not finite."""
    shown = [f"{v:.5g}" if math.isfinite(v) else "null" for v in values.tolist()]
    shown += ["null"] * (length - len(shown))
    return "[" + ",".join(shown) + "]"


def _number(value: float) -> str:
    return f"{value:.8g}" if math.isfinite(value) else "null"
