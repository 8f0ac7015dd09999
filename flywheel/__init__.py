"""System dynamics for growth flywheels.

>>> import flywheel as fw
>>> model = fw.load("core_flywheel")        # a shipped model, or a path to a .fly file
>>> run = model.run(churn0=0.10)            # pure: the model is never changed
>>> run["customers"], run.outcomes, run.error

Names are fetched when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flywheel.api import (
        Assessment,
        CheckReport,
        Model,
        Run,
        assess,
        load,
        model_names,
        open_sweep,
        parse,
    )
    from flywheel.errors import (
        Finding,
        FlywheelError,
        LimitError,
        ModelError,
        Source,
        Span,
        UnknownNameError,
        UsageError,
    )
    from flywheel.language import format_text, parse_expression, print_expr, print_model

__version__ = "0.1.0"

_HOME = {
    "Assessment": "flywheel.api",
    "CheckReport": "flywheel.api",
    "Finding": "flywheel.errors",
    "FlywheelError": "flywheel.errors",
    "LimitError": "flywheel.errors",
    "Model": "flywheel.api",
    "ModelError": "flywheel.errors",
    "Run": "flywheel.api",
    "Source": "flywheel.errors",
    "Span": "flywheel.errors",
    "UnknownNameError": "flywheel.errors",
    "UsageError": "flywheel.errors",
    "assess": "flywheel.api",
    "format_text": "flywheel.language",
    "load": "flywheel.api",
    "model_names": "flywheel.api",
    "open_sweep": "flywheel.api",
    "parse": "flywheel.api",
    "parse_expression": "flywheel.language",
    "print_expr": "flywheel.language",
    "print_model": "flywheel.language",
}

__all__ = [
    "Assessment",
    "CheckReport",
    "Finding",
    "FlywheelError",
    "LimitError",
    "Model",
    "ModelError",
    "Run",
    "Source",
    "Span",
    "UnknownNameError",
    "UsageError",
    "__version__",
    "assess",
    "format_text",
    "load",
    "model_names",
    "open_sweep",
    "parse",
    "parse_expression",
    "print_expr",
    "print_model",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
