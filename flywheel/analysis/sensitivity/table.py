"""The answer to "where does the spread of this outcome come from?", whatever method gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from flywheel.analysis.sensitivity import sobol
from flywheel.analysis.sensitivity.chaos import Verdict, verdict
from flywheel.analysis.sensitivity.design import Array
from flywheel.analysis.sensitivity.outputs import Failures, Tail
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError, unknown_name
from flywheel.sweep.distributions import Distribution

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.model import Model

Method = Literal["chaos", "sobol", "shapley", "morris", "dgsm", "screening", "given"]

LEADING: Mapping[str, str] = {
    "chaos": "ST",
    "sobol": "ST",
    "shapley": "Shapley",
    "morris": "mu*",
    "dgsm": "ST bound",
    "screening": "PRCC",
    "given": "delta",
}
"""The measure by which each method ranks the inputs."""


@dataclass(frozen=True, eq=False)
class OverTime:
    """Measures of every saved variable at every saved time: each (V, d, T), NaN where nothing varies.

    With polynomial chaos also NaN where the polynomial fails its test (leave-one-out error 0.05).
    """

    variables: tuple[str, ...]
    parameters: tuple[str, ...]
    times: Array
    measures: Mapping[str, Array]
    halves: Mapping[str, Array]
    variance: Array
    """(V, T)"""
    points: int
    """Points of the design that it rests on; fewer than the table's when memory would not hold them."""
    gate: Array | None = None
    """(V, T) leave-one-out errors of the polynomials."""

    def of(self, variable: str, measure: str) -> Array:
        """One measure of one variable: (d, T). Raises UnknownNameError, UsageError."""
        if variable not in self.variables:
            raise unknown_name(variable, "variable", self.variables, "this analysis over time")
        found: Array = _measure(self.measures, measure)[self.variables.index(variable)]
        return found

    def aggregated(self, measure: str) -> Array:
        """(V, d) over all times together, weighted by the variance (Gamboa et al. 2014).

        Only for parts of a variance: S1, ST, Shapley. Times without a sound estimate are left out.
        """
        if measure not in ("S1", "ST", "Shapley"):
            raise UsageError(f"{measure} is no part of a variance that could be summed over time")
        values = _measure(self.measures, measure)
        known = np.where(np.isnan(values).any(axis=1), np.nan, self.variance)
        return sobol.aggregated(values, known[:, None])

    @property
    def frame(self) -> pd.DataFrame:
        """One row a variable, input and time."""
        import pandas as pd

        index = pd.MultiIndex.from_product(
            [self.variables, self.parameters, self.times.tolist()],
            names=["variable", "parameter", "time"],
        )
        data = {}
        for name, values in self.measures.items():
            data[name] = values.ravel()
            if name in self.halves:
                data[f"{name} half-width"] = self.halves[name].ravel()
        return pd.DataFrame(data, index=index)


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """Measures (d, H) of d uncertain inputs for an outcome seen at H horizons.

    Which measures there are depends on the method: S1, ST and Shapley (parts of the variance), mu* and
    sigma (Morris, in units of the outcome per full range), r, Spearman and PRCC (correlations), delta
    and PAWN (whole distributions), nu and ST bound (derivatives). ``halves`` has half-widths of their
    intervals. An index can come out slightly negative: that is noise of the estimate around an index
    near zero, inside its interval; more runs shrink it.
    """

    stamp: Stamp
    model: Model = field(repr=False)
    labels: tuple[str, str]
    """The outcome, for people: in English and in Korean."""
    unit: str
    parameters: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    horizons: tuple[float, ...]
    method: Method
    asked: str
    """The method as asked for; ``auto`` when it was left open."""
    measures: Mapping[str, Array]
    halves: Mapping[str, Array]
    mean: Array
    variance: Array
    """(H,) mean and variance of the outcome over the ranges; NaN variance where it does not vary."""
    runs: int
    """All runs made, those for screening and refused polynomials included."""
    points: tuple[int, int]
    """Points of the design that were used, and all of them: runs, blocks, walks or groups."""
    failures: Failures
    tail: Tail
    """Whether the variance is a matter of a few extreme runs; then its parts say little."""
    confidence: float
    pairs: Array | None = None
    pairs_half: Array | None = None
    gate: Array | None = None
    """(H,) leave-one-out errors of the polynomial that was tried."""
    converged: bool | None = None
    """Whether the intervals and the order settled; None where the method has no such test."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    """Inputs left at their values for they hardly matter: mu* / largest mu*, at the upper end."""
    over_time: OverTime | None = None

    def measure(self, name: str) -> Array:
        """One measure, (d, H). Raises UsageError when the method does not give it."""
        return _measure(self.measures, name, self.method)

    def interval(self, name: str) -> tuple[Array, Array]:
        """Lower and upper ends of a measure's interval; NaN without one."""
        values = self.measure(name)
        half = self.halves.get(name, np.full(values.shape, np.nan))
        return values - half, values + half

    @property
    def S1(self) -> Array:
        """The part of the variance that an input explains alone, (d, H)."""
        return self.measure("S1")

    @property
    def ST(self) -> Array:
        """The part in which an input is involved in any way, (d, H)."""
        return self.measure("ST")

    @property
    def S2(self) -> Array:
        """The part that two inputs explain only together, (d, d, H), NaN on the diagonal."""
        if self.pairs is None:
            raise UsageError(f"this run of {self.method} gives no S2")
        return self.pairs

    @property
    def Shapley(self) -> Array:
        """The part of the variance with interactions shared equally, (d, H); sums to 1."""
        return self.measure("Shapley")

    @property
    def verdict(self) -> Verdict | None:
        """What the polynomial's test says, worst horizon; None where no polynomial was tried."""
        if self.gate is None:
            return None
        known = self.gate[np.isfinite(self.gate)]
        return verdict(float(known.max()) if known.size else 0.0)

    @property
    def leading(self) -> str:
        """The measure by which inputs are ranked."""
        return LEADING[self.method]

    def ranking(self, horizon: int = -1) -> tuple[str, ...]:
        """Inputs by the size of the leading measure at one horizon (by its place), largest first."""
        size = np.nan_to_num(np.abs(self.measure(self.leading)[:, horizon]))
        return tuple(self.parameters[j] for j in np.argsort(-size, kind="stable"))

    @property
    def mean_dimension(self) -> Array:
        """(H,) how many inputs act together on average: the sum of ST; 1 when effects just add up."""
        return sobol.mean_dimension(self.ST)

    @property
    def interactions(self) -> Array:
        """(H,) the part of the variance that no input explains alone."""
        return sobol.interaction_share(self.S1)

    @property
    def why(self) -> str:
        """Why this method, in a sentence."""
        from flywheel.analysis.sensitivity.words import why

        return why(self, "en")

    @property
    def frame(self) -> pd.DataFrame:
        """One row an input and horizon: every measure with the ends of its interval."""
        import pandas as pd

        index = pd.MultiIndex.from_product(
            [self.parameters, self.horizons], names=["parameter", "horizon"]
        )
        data = {}
        for name, values in self.measures.items():
            data[name] = values.ravel()
            if name in self.halves:
                low, high = self.interval(name)
                data[f"{name} low"], data[f"{name} high"] = low.ravel(), high.ravel()
        found = pd.DataFrame(data, index=index)
        found.attrs["stamp"] = self.stamp.receipt()
        return found

    def explain(self, language: str = "en") -> str:
        """What the spread comes from, how it was found, and what failed; ``en`` or ``ko``."""
        from flywheel.analysis.sensitivity.words import explain

        return explain(self, language)

    def __repr__(self) -> str:
        first = ", ".join(self.ranking()[:3])
        return (
            f"<sensitivity of {self.stamp.outcome}: {len(self.parameters)} inputs, {self.method}, "
            f"{self.runs} runs; most at the last horizon: {first}>"
        )


def _measure(measures: Mapping[str, Array], name: str, method: str = "this analysis") -> Array:
    if name not in measures:
        raise UsageError(f"{method} gives no {name}; it gives {', '.join(measures)}")
    return measures[name]
