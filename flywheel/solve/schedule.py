"""Levers pulled by any intensity in each of some periods: what a budget is spread over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel import dials
from flywheel.model import Lever

if TYPE_CHECKING:
    from flywheel.solve.study import Study

Array = NDArray[np.float64]


class Schedule:
    """Levers pulled by any intensity in each of some periods. See ``Study.schedule``."""

    def __init__(self, study: Study, levers: tuple[Lever, ...], edges: tuple[float, ...]) -> None:
        self.study = study
        self.levers = levers
        self.edges = edges
        params = tuple(dict.fromkeys(lever.param for lever in levers))
        self._batch, place = study.pushable(params, len(edges) - 1)
        self._moves = np.array([study.move(lever) for lever in levers])
        self._base = study.extended(self._batch.system)
        for k, edge in enumerate(edges):
            self._base[place[dials.edge_input(k)]] = edge
        self._places = np.array(
            [
                [place[dials.push_input(lever.param, k)] for k in range(len(edges) - 1)]
                for lever in levers
            ]
        )

    @property
    def periods(self) -> int:
        return len(self.edges) - 1

    def outcomes(self, intensities: Array) -> Array:
        """The outcome for intensities (M, L, K), shape (M, horizons)."""
        return self._run(np.asarray(intensities, dtype=np.float64))[1]

    def _inputs(self, intensities: Array) -> Array:
        inputs = np.repeat(self._base[np.newaxis], len(intensities), 0)
        for k, move in enumerate(self._moves):
            # Two levers on one parameter add up.
            inputs[:, self._places[k]] += intensities[:, k] * move
        return inputs

    def _run(self, intensities: Array) -> tuple[Array, Array]:
        study = self.study
        inputs = self._inputs(intensities)
        values = self._batch.values(inputs, study.target.columns)
        place = {name: n for n, name in enumerate(self._batch.system.inputs)}
        params = {name: inputs[:, place[name]] for name in study.model.params}
        return values, study.target.read(values, params)

    def gradient(self, intensities: Array) -> tuple[Array, Array]:
        """The outcome (horizons,) at intensities (L, K), and its exact derivatives (horizons, L, K)."""
        study = self.study
        rows = np.asarray(intensities, dtype=np.float64)[np.newaxis]
        values, found = self._run(rows)
        base = {name: float(value) for name, value in study.params.items()}
        weights, _ = study.target.weights(values[0], base)
        inputs = np.repeat(self._inputs(rows), len(study.horizons), 0)
        _, slopes = self._batch.gradient(inputs, weights, study.target.columns)
        return found[0], slopes[:, 0][:, self._places] * self._moves[:, np.newaxis]
