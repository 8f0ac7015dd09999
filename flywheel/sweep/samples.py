"""Designs drawn from distributions, independent or correlated by rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np

from flywheel.errors import UsageError, nearest, unknown_name
from flywheel.expr import key
from flywheel.model import as_number
from flywheel.sweep import points
from flywheel.sweep.base import (
    Array,
    Design,
    distinct_names,
    refuse_many,
    whole,
)
from flywheel.sweep.distributions import KINDS, Constant, Distribution, Uniform, from_dict

Kind = Literal["sobol", "lhs", "random"]
Uncertain = Distribution | tuple[float, float] | float
"""A distribution, a range in which all is equally likely, or a number that is known."""
Pairs = Mapping[tuple[str, str], float]


@dataclass(frozen=True, eq=False)
class Sample(Design, word="sample"):
    """Runs drawn from distributions; ``correlation`` has rank correlations of pairs of names."""

    distributions: tuple[Distribution, ...]
    runs: int
    kind: Kind
    seed: int
    correlation: tuple[tuple[int, int, float], ...] = ()
    """Of inputs by their numbers: (0, 2, 0.7)."""

    @property
    def count(self) -> int:
        return self.runs

    @cached_property
    def _coupling(self) -> tuple[list[int], Array]:
        """The inputs that are correlated, and how their normals are mixed."""
        involved = sorted({n for i, j, _ in self.correlation for n in (i, j)})
        ranks = np.eye(len(involved))
        for i, j, rho in self.correlation:
            at = involved.index(i), involved.index(j)
            ranks[at] = ranks[at[::-1]] = rho
        return involved, points.coupling(ranks)

    def _rows(self, first: int, count: int) -> Array:
        d = len(self.names)
        if self.kind == "sobol":
            unit = points.sobol(first, count, d, self.seed)
        elif self.kind == "lhs":
            unit = points.latin_hypercube(first, count, self.runs, d, self.seed)
        else:
            unit = points.random(first, count, d, self.seed)
        if self.correlation:
            involved, lower = self._coupling
            unit[:, involved] = points.correlated(unit[:, involved], lower)
        return np.stack([own.ppf(unit[:, j]) for j, own in enumerate(self.distributions)], axis=1)

    def _data(self) -> dict[str, Any]:
        pairs = [[self.names[i], self.names[j], rho] for i, j, rho in self.correlation]
        return {
            "distributions": [own.as_dict() for own in self.distributions],
            "runs": self.runs,
            "sample": self.kind,
            "seed": self.seed,
            "correlation": pairs,
        }

    @staticmethod
    def _read(data: Mapping[str, Any]) -> Design:
        own = dict(zip(data["names"], map(from_dict, data["distributions"]), strict=True))
        pairs = {(a, b): rho for a, b, rho in data["correlation"]}
        return sample(own, data["runs"], data["sample"], data["seed"], pairs)


def sample(
    distributions: Mapping[str, Uncertain],
    runs: int,
    kind: Kind | str = "sobol",
    seed: int = 0,
    correlation: Pairs | None = None,
) -> Design:
    """``runs`` runs with inputs drawn from ``distributions``.

    Parameters
    ----------
    distributions:
        By name: a distribution, ``(low, high)`` for a uniform one, or a number that stays.
    kind:
        ``sobol``: scrambled Sobol' points, best balanced for a power of 2; ``lhs``: a Latin hypercube,
        one point in each of ``runs`` slices of every input; ``random``: independent points.
    seed:
        0 to 2^64 - 1. Runs of ``sobol`` and ``random`` are the first of any longer sample.
    correlation:
        Spearman's rank correlation of pairs of inputs, ``{("price", "churn"): 0.6}``; others are
        independent. Correlated inputs of a Latin hypercube keep their distribution, not their slices.

    Raises UsageError for what makes no sense, such as correlations that contradict each other.
    """
    names = distinct_names(distributions)
    if kind not in get_args(Kind):
        guess = nearest(str(kind), get_args(Kind))
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise UsageError(f"there is no sample {kind!r}; there are sobol, lhs and random.{hint}")
    count = whole("runs", runs)
    if count < 1:
        raise UsageError(f"a sample needs at least one run, not {count:,}")
    refuse_many(count, "this sample")
    own = tuple(_distribution(name, given) for name, given in distributions.items())
    pairs = _pairs(names, own, correlation or {})
    chosen: Kind = kind  # type: ignore[assignment]
    made = Sample(names, own, count, chosen, whole("seed", seed), pairs)
    made.rows(0, 1)  # correlations that contradict each other are said now, not by a worker
    return made


def _distribution(name: str, given: Any) -> Distribution:
    if isinstance(given, tuple | list):
        if len(given) != 2:
            raise UsageError(f"the range of {name} is (low, high), not {given!r}")
        return Uniform(as_number(name, given[0]), as_number(name, given[1]))
    if type(given) in KINDS.values():
        own: Distribution = given
        return own
    if not isinstance(given, Real):  # one of another library would be lost on the way to a file
        known = ", ".join(made.__name__ for made in KINDS.values())
        raise UsageError(f"{name} needs a range, a number, or one of {known}, not {given!r}")
    return Constant(as_number(name, given))


def _pairs(
    names: tuple[str, ...], own: tuple[Distribution, ...], correlation: Mapping[Any, float]
) -> tuple[tuple[int, int, float], ...]:
    place = {key(name): n for n, name in enumerate(names)}
    found: dict[tuple[int, int], float] = {}
    for pair, given in correlation.items():
        if isinstance(pair, str) or len(pair) != 2:
            raise UsageError(f"a correlation is of two inputs, not of {pair!r}")
        for name in pair:
            if key(name) not in place:
                raise unknown_name(name, "input", names, "the sample")
            if isinstance(own[place[key(name)]], Constant):
                raise UsageError(f"{name} is the same in every run: it cannot be correlated")
        i, j = sorted(place[key(name)] for name in pair)
        rho = as_number(f"the correlation of {pair[0]} and {pair[1]}", given)
        if i == j:
            raise UsageError(f"{pair[0]} cannot be correlated with itself")
        if not -1 < rho < 1:
            raise UsageError(
                f"the correlation of {pair[0]} and {pair[1]} must lie between -1 and 1, not {rho:g}"
            )
        if (i, j) in found:
            raise UsageError(f"the correlation of {pair[0]} and {pair[1]} is given twice")
        found[i, j] = rho
    return tuple((i, j, rho) for (i, j), rho in sorted(found.items()) if rho)
