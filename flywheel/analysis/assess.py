"""The five questions over a value chain: where to enter, what decides it, how sure that is.

Scores are judgements. So each total comes with its exact sensitivity to every judgement, with the
range that plausible judgements leave open, and with the changes of one judgement that would put
another entry point first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from flywheel.analysis.chain import Chain, Judgement
from flywheel.analysis.questions import (
    JUDGEMENTS,
    QUESTIONS,
    SCORED,
    Array,
    Scores,
    batch,
    elasticity,
    reaching,
    scores,
    slope,
)
from flywheel.analysis.sending import Sent, send
from flywheel.errors import UsageError
from flywheel.model import Model

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 4096
"""How many times every judgement is drawn from its range."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One entry point in the ranking."""

    rank: int
    """1 is first; equal totals keep the order of the file."""
    point: str
    scores: Scores
    low: float
    """The total that one draw in twenty stays below."""
    high: float
    """The total that one draw in twenty exceeds."""
    first: float
    """Part of the draws in which it comes first."""
    best: int
    """The best rank that moving one of its own judgements within its range can give."""
    worst: int

    @property
    def total(self) -> float:
        """The score: (Q1 Q2 Q3 Q4)^(1/4) (1 + Q5/2)."""
        return self.scores.total


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one judgement does to the total of its entry point, all others unchanged."""

    point: str
    judgement: str
    value: float
    low: float
    high: float
    slope: float
    """d total / d judgement, exact; per unit of the judgement."""
    elasticity: float
    """Percent of the total per percent of the judgement; NaN where the total is zero."""
    at_low: float
    """The total at the low end of the judgement's range."""
    at_high: float

    @property
    def swing(self) -> float:
        """How far the total moves over the plausible range; never negative."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class Flip:
    """One judgement, changed alone, that puts another entry point first."""

    winner: str
    """Who would be first."""
    point: str
    """Whose judgement it is: the first one's, that falls, or the winner's, that rises."""
    judgement: str
    value: float
    at: float
    """Where the two totals are equal."""
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether that is within the plausible range."""
        return self.low <= self.at <= self.high

    @property
    def distance(self) -> float:
        """How wrong the judgement must be, in parts of its range on that side: up to 1 is plausible."""
        end = self.high if self.at > self.value else self.low
        if self.at == self.value:
            return 0.0
        return (self.at - self.value) / (end - self.value) if end != self.value else math.inf


@dataclass(frozen=True, repr=False)
class Assessment:
    """The five questions answered for every entry point of a value chain."""

    chain: Chain

    @cached_property
    def scores(self) -> Mapping[str, Scores]:
        """The five answers and the total of each entry point, in the order of the file."""
        return {point.name: scores(point.values) for point in self.chain.points}

    @cached_property
    def _order(self) -> tuple[str, ...]:
        return tuple(sorted(self.scores, key=lambda name: -self.scores[name].total))

    @cached_property
    def ranking(self) -> tuple[Ranked, ...]:
        """The entry points, best first."""
        drawn = self._drawn
        leaders = drawn.argmax(axis=0)
        rows = []
        for rank, name in enumerate(self._order, start=1):
            place = list(self.scores).index(name)
            low, high = np.quantile(drawn[place], (0.05, 0.95))
            ends = self._reach(name)
            rows.append(
                Ranked(
                    rank,
                    name,
                    self.scores[name],
                    float(low),
                    float(high),
                    float((leaders == place).mean()),
                    min(self._rank_at(name, ends[1]), rank),
                    max(self._rank_at(name, ends[0]), rank),
                )
            )
        return tuple(rows)

    def _reach(self, name: str) -> tuple[float, float]:
        """The lowest and the highest total that one judgement within its range can give."""
        rows = [row for row in self.sensitivity if row.point == name]
        ends = [total for row in rows for total in (row.at_low, row.at_high)]
        return min(ends), max(ends)

    def _rank_at(self, name: str, total: float) -> int:
        """The rank of an entry point if its total were another."""
        return 1 + sum(one.total > total for other, one in self.scores.items() if other != name)

    @cached_property
    def _drawn(self) -> Array:
        """Totals, shape (entry points, DRAWS): each judgement from a triangle over its range.

        The draws are the same every time, and one judgement's do not depend on another's.
        """
        rows = np.empty((len(self.chain.points), DRAWS))
        for place, point in enumerate(self.chain.points):
            stream = np.random.Generator(np.random.Philox(key=place))
            chances = stream.random((len(SCORED), DRAWS))
            drawn = {
                name: _triangle(point.judgements[name], chances[number])
                for number, name in enumerate(SCORED)
            }
            rows[place] = batch(drawn)[-1]
        return rows

    @cached_property
    def sensitivity(self) -> tuple[Sensitivity, ...]:
        """Every judgement of every entry point, in the order of the file."""
        return tuple(
            _sensitivity(point.name, point.values, point.judgements[name])
            for point in self.chain.points
            for name in SCORED
        )

    def tornado(self, entry_point: str) -> tuple[Sensitivity, ...]:
        """The judgements of one entry point, those that move its total most first."""
        name = self.chain.point(entry_point).name
        rows = [row for row in self.sensitivity if row.point == name]
        return tuple(sorted(rows, key=lambda row: -row.swing))

    @cached_property
    def flips(self) -> tuple[Flip, ...]:
        """All changes of one judgement that put another entry point first, the nearest first.

        Either a judgement of the first entry point is worse than thought, so that the second wins,
        or one of another entry point is better. ``distance`` up to 1 is within the plausible range.
        """
        first, *others = self._order
        top = self.scores[first].total
        if not others or top == 0:
            return ()
        second = self.scores[others[0]].total
        found = [self._flips(first, others[0], second)]
        found += [self._flips(other, other, top) for other in others]
        return tuple(sorted((one for some in found for one in some), key=lambda one: one.distance))

    def _flips(self, point: str, winner: str, total: float) -> list[Flip]:
        """The judgements of one entry point that alone bring its total to ``total``."""
        place = self.chain.point(point)
        found = []
        for name in SCORED:
            at = reaching(place.values, name, total)
            if at is not None:
                one = place.judgements[name]
                found.append(Flip(winner, point, name, one.value, at, one.low, one.high))
        return found

    def with_(self, settings: Mapping[str, Mapping[str, float]]) -> Self:
        """The assessment with other judgements: entry point, then judgement, then value.

        A range stretches where it must to hold the value. Raises UnknownNameError for a name that is
        not there, UsageError for a value out of bounds.
        """
        return replace(self, chain=self.chain.with_(settings))

    def send(self, entry_point: str, models: Mapping[str, Model] | None = None) -> Sent:
        """The parameters that an entry point sets in the models named by it; see ``sending``."""
        return send(self.chain.point(entry_point), models or {})

    def explain(self, language: str = "en") -> str:
        """Three sentences: where to enter and why, what decides it, how sure that is."""
        from flywheel.analysis.words import explain

        if language not in ("en", "ko"):
            raise UsageError(f"language is en or ko, not {language!r}")
        return explain(self, language)

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas table of the ranking: one row for each entry point, best first."""
        import pandas as pd

        rows = [
            {"rank": row.rank, **row.scores._asdict(), "low": row.low, "high": row.high,
             "first": row.first, "best": row.best, "worst": row.worst}
            for row in self.ranking
        ]  # fmt: skip
        return pd.DataFrame(rows, index=pd.Index([row.point for row in self.ranking], name="point"))

    @property
    def sensitivity_frame(self) -> pd.DataFrame:
        """A pandas table of ``sensitivity``, with the evidence of each judgement."""
        import pandas as pd

        rows = []
        for row in self.sensitivity:
            evidence = self.chain.point(row.point).judgements[row.judgement].evidence
            rows.append({**_fields(row), "evidence": evidence.kind, "source": evidence.source})
        return pd.DataFrame(rows).set_index(["point", "judgement"])

    def points_as_dicts(self) -> list[dict[str, object]]:
        """The entry points as plain data, best first, with all their judgements."""
        points: list[dict[str, object]] = []
        for row in self.ranking:
            point = self.chain.point(row.point)
            points.append(
                {
                    "name": row.point,
                    "label": dict(point.label),
                    "rank": row.rank,
                    **row.scores._asdict(),
                    "low": row.low,
                    "high": row.high,
                    "first": row.first,
                    "best_rank": row.best,
                    "worst_rank": row.worst,
                    "judgements": {
                        one.judgement: {
                            **_fields(one),
                            "evidence": point.judgements[one.judgement].evidence.kind,
                            "source": point.judgements[one.judgement].evidence.source,
                        }
                        for one in self.sensitivity
                        if one.point == row.point
                    },
                }
            )
        return points

    def as_dict(self) -> dict[str, object]:
        """Everything as plain data, for ``--json`` and for a page."""
        return {
            "chain": self.chain.name,
            "label": dict(self.chain.label),
            "questions": {name: one.text[0] for name, one in QUESTIONS.items()},
            "points": self.points_as_dicts(),
            "flips": [_fields(flip) for flip in self.flips],
        }

    def __repr__(self) -> str:
        said = ", ".join(f"{row.point} {row.total:.2f}" for row in self.ranking)
        return f"<assessment of {self.chain.name}: {said}>"


def _sensitivity(point: str, values: Mapping[str, float], judgement: Judgement) -> Sensitivity:
    name = judgement.name
    return Sensitivity(
        point,
        name,
        judgement.value,
        judgement.low,
        judgement.high,
        slope(values, name),
        elasticity(values, name),
        scores({**values, name: judgement.low}).total,
        scores({**values, name: judgement.high}).total,
    )


def _fields(row: Sensitivity | Flip) -> dict[str, object]:
    """A row as a mapping, what it derives included."""
    names = [*type(row).__slots__]
    names += ["swing"] if isinstance(row, Sensitivity) else ["inside", "distance"]
    return {name: getattr(row, name) for name in names}


def _triangle(judgement: Judgement, chances: Array) -> Array:
    """Values from the triangle over the range that peaks at the judgement, for chances in 0..1."""
    low, high, peak = judgement.low, judgement.high, judgement.value
    if low == high:
        return np.full_like(chances, peak)
    turn = (peak - low) / (high - low)
    up = low + np.sqrt(chances * (high - low) * (peak - low))
    down = high - np.sqrt((1 - chances) * (high - low) * (high - peak))
    bounds = JUDGEMENTS[judgement.name]
    drawn: Array = np.clip(np.where(chances < turn, up, down), bounds.low, bounds.high)
    return drawn
