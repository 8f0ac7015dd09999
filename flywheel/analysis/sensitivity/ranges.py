"""Which numbers of a model are uncertain, and over what range an analysis turns them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flywheel.model import Model
from flywheel.sweep import ranges
from flywheel.sweep.distributions import Distribution
from flywheel.sweep.ranges import AROUND, Range

__all__ = ["AROUND", "Range", "ranges_of"]


def ranges_of(
    model: Model,
    names: Iterable[str] | None = None,
    given: Mapping[str, Range] | None = None,
    values: Mapping[str, float] | None = None,
    dials: Iterable[str] = (),
) -> dict[str, Distribution]:
    """As ``flywheel.sweep.ranges.ranges_of``, by the ranges alone.

    An analysis asks how far an outcome could move, so a standard deviation that evidence states does
    not narrow a range here; what is believed is asked by ``analysis.decide.learning``.
    """
    return ranges.ranges_of(model, names, given, values, dials, evidence=False)
