"""Judging a model: what can be said from its text, and what only its runs can tell.

``check_model`` computes no trajectory. ``reality.run_checks`` runs the model's own ``check`` lines,
``reality.loop_polarity`` measures the signs of its loops, ``time_constants.time_constants`` compares
delays with the step; these three need a kernel and are imported where they are used.
"""

from __future__ import annotations

from flywheel.checks.graph import check_graph
from flywheel.checks.loops import check_loops
from flywheel.checks.names import check_names
from flywheel.checks.units import check_units
from flywheel.checks.values import check_values
from flywheel.errors import Finding
from flywheel.model import Model

__all__ = [
    "check_graph",
    "check_loops",
    "check_model",
    "check_names",
    "check_units",
    "check_values",
]

_GRAVITY = {"error": 0, "warning": 1, "note": 2}


def check_model(model: Model, strict: bool = False) -> tuple[Finding, ...]:
    """Everything that can be found without a run: errors first, then in the order of the file.

    Tolerant, a missing unit, range or source of a number is fine and what is merely idle is a
    warning. Strict, as every shipped model must pass it, these are errors.
    """
    findings = (
        *check_names(model, strict),
        *check_graph(model, strict),
        *check_units(model, strict),
        *check_loops(model, strict),
        *check_values(model, strict),
    )
    return tuple(sorted(dict.fromkeys(findings), key=_place))


def _place(finding: Finding) -> tuple[int, int, int]:
    span = finding.span
    line, column = (span.line, span.column) if span else (0, 0)
    return _GRAVITY[finding.severity], line, column
