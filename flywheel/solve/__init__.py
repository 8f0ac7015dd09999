"""Models -> runs: ``simulate`` and what it gives back."""

from flywheel.solve.outcomes import Outcomes
from flywheel.solve.run import IntegrationError, Run
from flywheel.solve.simulation import METHODS, simulate
from flywheel.solve.status import Status

__all__ = ["METHODS", "IntegrationError", "Outcomes", "Run", "Status", "simulate"]
