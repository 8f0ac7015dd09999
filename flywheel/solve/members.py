"""What a study answers with: many runs, and the derivatives of an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.solve.batch import Batch

if TYPE_CHECKING:
    from flywheel.solve.study import Study

Array = NDArray[np.float64]
How = Literal["adjoint", "fd"]


@dataclass(frozen=True)
class Failure:
    """A run that has no outcome: which, what broke first and when, and a sentence."""

    member: int
    variable: str
    time: float
    reason: str


@dataclass(frozen=True, eq=False)
class Members:
    """Many runs: ``rows`` (M, k) of the inputs ``names``, ``outcomes`` (M, horizons), NaN where a run
    failed or the outcome has no value; ``failures`` says why (the first ones in detail)."""

    names: tuple[str, ...]
    rows: Array
    outcomes: Array
    failures: tuple[Failure, ...]
    _study: Study
    _batch: Batch
    _inputs: Array
    _values: Array

    def column(self, name: str) -> Array:
        """A variable over time in every run, shape (M, T)."""
        study = self._study
        spelled = study.spelled(name)
        if spelled in study.watched:
            return self._values[:, :, study.watched.index(spelled)]
        return self._batch.values(self._inputs, (spelled,))[:, :, 0]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which members have an outcome at every horizon, shape (M,)."""
        return np.asarray(np.isfinite(self.outcomes).all(axis=1))


@dataclass(frozen=True, eq=False)
class Gradient:
    """Exact derivatives of an outcome: ``values`` (horizons, P) to the inputs ``names``.

    ``profile`` (horizons, T, P) says when they act: row 0 through the start of the run, row n between
    save n - 1 and save n; its sum is ``values``. Inputs that are times of events, or decide them, have
    no derivative of a fixed-step run; theirs are central differences, and ``method`` says so.
    """

    names: tuple[str, ...]
    values: Array
    profile: Array
    method: tuple[How, ...]

    def of(self, name: str) -> Array:
        """The derivatives to one input, shape (horizons,)."""
        return self.values[:, self.names.index(name)]
