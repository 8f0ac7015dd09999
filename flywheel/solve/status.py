"""How a run ended, as a sentence: what, which variable, when, which line."""

from __future__ import annotations

from dataclasses import dataclass

from flywheel.errors import Span
from flywheel.kernel.faults import Fault
from flywheel.model import Model


@dataclass(frozen=True, slots=True)
class Status:
    """``ok``, or what stopped the run: a sentence, the variable, the time, the place in the text."""

    ok: bool
    message: str = "ok"
    variable: str | None = None
    time: float | None = None
    span: Span | None = None

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self.message


OK = Status(True)


def time_text(t: float) -> str:
    """A time for a sentence."""
    return f"{t:.10g}"


def from_fault(fault: Fault) -> Status:
    """A computation that gave no finite number."""
    variable = fault.owner.split("@")[0]
    place = f" ({fault.span})" if fault.span else ""
    message = f"{variable} {fault.message}, at time {time_text(fault.time)}{place}"
    return Status(False, message, variable, fault.time, fault.span)


def stopped(model: Model, sentence: str, variable: str, time: float) -> Status:
    """A run that was given up; ``sentence`` is a predicate about the variable it was given up for."""
    declaration = model.variables.get(variable)
    span = (declaration.name_span or declaration.span) if declaration else None
    place = f" ({span})" if span else ""
    message = f"{variable} {sentence}, at time {time_text(time)}{place}"
    return Status(False, message, variable, time, span)


def out_of_time(seconds: float, time: float) -> Status:
    """A run that its deadline cut short."""
    sentence = f"the run was stopped at time {time_text(time)}: its {seconds:g} seconds were over"
    return Status(False, sentence, None, time)
