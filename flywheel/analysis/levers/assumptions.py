"""Levers under many assumptions: the same pulls in every draw of the uncertain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import Bench
from flywheel.analysis.sensitivity.design import sobol_points, to_inputs
from flywheel.analysis.sensitivity.ranges import Range, ranges_of
from flywheel.errors import UsageError
from flywheel.solve.members import Members
from flywheel.solve.study import Study


@dataclass(frozen=True, eq=False)
class Assumptions:
    """``rows`` (N, k) of the inputs ``names``, from a scrambled Sobol' sequence over their ranges."""

    names: tuple[str, ...]
    rows: Array
    seed: int


def assumptions(
    study: Study,
    names: Iterable[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    *,
    draws: int,
    seed: int,
) -> Assumptions:
    """``draws`` points over the ranges of parameters (see ``sensitivity.ranges_of`` for which).

    Raises UsageError for fewer than two draws, UnknownNameError for a name that is no input.
    """
    if draws < 2:
        raise UsageError(f"an ensemble needs two draws or more, not {draws}")
    initial = {stock: study.base(stock) for stock in study.model.stocks}
    found = ranges_of(study.model, names, ranges, initial)
    unit = sobol_points(0, draws, len(found), seed)
    return Assumptions(tuple(found), to_inputs(unit, list(found.values())), seed)


def pulled_under(on: Bench, given: Assumptions) -> Members:
    """Each draw without a lever and with each one alone: (N (L + 1)) runs, a draw's own together."""
    count = len(on.levers)
    pulls = np.concatenate([np.zeros((1, count)), np.eye(count)])
    return on.run(
        np.tile(pulls, (len(given.rows), 1)),
        given.names,
        np.repeat(given.rows, count + 1, axis=0),
    )
