"""The outcomes of many runs at once, as they are declared; NaN with a reason where one has no value.

The same rules as ``solve.outcomes`` has for one run. What is read off trajectories is read as they
come; outcomes of other outcomes are computed at the end of a shard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flywheel.expr import names as names_in
from flywheel.model import Model, Outcome
from flywheel.solve.outcomes import Recipe, is_met
from flywheel.sweep.inputs import evaluate_many

Array = NDArray[np.float64]
Codes = NDArray[np.int16]
_SLACK = 1e-6
"""In saves: how far outside the saved times a time may be by rounding."""

FAILED = "its run failed"
_EXPRESSION = "its expression has no finite value"
_CONDITION = "its condition has no value"
_NEVER = "its condition is never met"
_EMPTY = "its window is empty"
_NO_SAVE = "no saved time lies in its window"


class OutcomeReader:
    """Reads the outcomes ``names`` of runs saved at ``times``.

    ``columns``: the saved columns that it needs, in addition to nothing else.
    """

    def __init__(
        self, model: Model, recipes: Mapping[str, Recipe], names: Sequence[str], times: Array
    ) -> None:
        self.model = model
        self.recipes = recipes
        self.names = tuple(names)
        self.times = times
        self._direct = self._needed()
        self.columns: tuple[str, ...] = tuple(
            dict.fromkeys(recipes[name].column for name in self._direct)
        )
        self._slack = _SLACK * float(times[1] - times[0])
        self._outside = {name: self._coverage(recipes[name].outcome) for name in self._direct}
        fixed = [FAILED, _EXPRESSION, _CONDITION, _NEVER, _EMPTY, _NO_SAVE]
        self.reasons = tuple(dict.fromkeys(["", *fixed, *self._outside.values()]))
        self._code = {text: number for number, text in enumerate(self.reasons)}

    @property
    def width(self) -> int:
        """How many outcomes are read off trajectories."""
        return len(self._direct)

    def read(self, values: Array, place: Mapping[str, int]) -> tuple[Array, Codes]:
        """What is read off ``values`` (M, T, V) with the columns ``place``: values and the numbers of
        their reasons, both (M, ``width``)."""
        found = np.full((len(values), self.width), np.nan)
        codes = np.zeros(found.shape, dtype=np.int16)
        for k, name in enumerate(self._direct):
            recipe = self.recipes[name]
            if self._outside[name]:
                codes[:, k] = self._code[self._outside[name]]
                continue
            series = values[:, :, place[recipe.column]]
            with np.errstate(all="ignore"):
                self._measures[recipe.outcome.measure](
                    self, recipe, series, found[:, k], codes[:, k]
                )
            empty = ~np.isfinite(found[:, k])
            found[empty, k] = np.nan
            codes[empty & (codes[:, k] == 0), k] = self._code[_EXPRESSION]
        return found, codes

    def finish(
        self, direct: Array, codes: Codes, params: Mapping[str, Array], failed: NDArray[np.bool_]
    ) -> tuple[Array, Codes, tuple[str, ...]]:
        """All outcomes of a shard: values (M, O), numbers of reasons (M, O), the reasons.

        ``direct``, ``codes``: what ``read`` gave; ``params`` arrays (M,); ``failed`` (M,).
        """
        texts = list(self.reasons)
        broken = np.isin(codes, [self._code[_EXPRESSION], self._code[_CONDITION]])
        codes = np.where(broken & failed[:, np.newaxis], self._code[FAILED], codes)
        done = {name: (direct[:, k], codes[:, k]) for k, name in enumerate(self._direct)}
        for name in self.names:
            self._of_others(name, done, params, texts, (), len(direct))
        values = np.column_stack([done[name][0] for name in self.names]) if self.names else (
            np.empty((len(direct), 0))
        )  # fmt: skip
        reasons = np.column_stack([done[name][1] for name in self.names]) if self.names else (
            np.empty((len(direct), 0))
        )  # fmt: skip
        return np.ascontiguousarray(values), reasons.astype(np.int16), tuple(texts)

    # Which and where ----------------------------------------------------------------------------

    def _needed(self) -> tuple[str, ...]:
        """The outcomes with a column: those asked for, and what the others read."""
        found: dict[str, None] = {}
        pending, seen = list(self.names)[::-1], set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if self.recipes[name].outcome.measure != "value":
                found[name] = None
            else:
                pending += [
                    n for n in names_in(self.recipes[name].outcome.expr) if n in self.recipes
                ]
        return tuple(found)

    def _coverage(self, outcome: Outcome) -> str:
        """A sentence when the runs do not cover what the outcome looks at."""
        at = (outcome.at,) if outcome.measure == "at" else (outcome.since, outcome.until)
        first, last = float(self.times[0]), float(self.times[-1])
        for t in at:
            if t is not None and not first - self._slack <= t <= last + self._slack:
                return f"{t:g} lies outside the run, which goes from {first:g} to {last:g}"
        return ""

    def _inside(self, outcome: Outcome) -> NDArray[np.int64]:
        inside = np.ones(len(self.times), dtype=bool)
        if outcome.since is not None:
            inside &= self.times >= outcome.since - self._slack
        if outcome.until is not None:
            inside &= self.times <= outcome.until + self._slack
        return np.flatnonzero(inside)

    # Measures: each fills in what it finds, and the reasons that only it knows -------------------

    def _at(self, recipe: Recipe, series: Array, found: Array, codes: Codes) -> None:
        times = self.times
        at = float(times[-1] if recipe.outcome.at is None else recipe.outcome.at)
        nearest = int(np.abs(times - at).argmin())
        if abs(times[nearest] - at) <= self._slack:
            found[:] = series[:, nearest]
            return
        right = int(np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1))
        before, after = series[:, right - 1], series[:, right]
        slope = (after - before) / float(times[right] - times[right - 1])
        found[:] = before + slope * float(at - times[right - 1])

    def _total(self, recipe: Recipe, series: Array, found: Array, codes: Codes) -> None:
        outcome, times = recipe.outcome, self.times
        # The integral stands still after the window: the first save from its end on holds it.
        end = float(times[-1] if outcome.until is None else outcome.until)
        row = min(int(np.searchsorted(times, end - self._slack)), len(times) - 1)
        found[:] = series[:, row]
        if outcome.discount and outcome.since is None:
            # The integrand counts from the model's start, which these runs may have moved.
            found *= (1.0 + outcome.discount) ** float(times[0] - self.model.time.start)

    def _mean(self, recipe: Recipe, series: Array, found: Array, codes: Codes) -> None:
        outcome = recipe.outcome
        begin = float(self.times[0] if outcome.since is None else outcome.since)
        end = float(self.times[-1] if outcome.until is None else outcome.until)
        if end <= begin:
            codes[:] = self._code[_EMPTY]
            return
        self._total(recipe, series, found, codes)
        found /= end - begin

    def _peak(self, recipe: Recipe, series: Array, found: Array, codes: Codes) -> None:
        self._extreme(recipe, series, found, codes, np.max)

    def _trough(self, recipe: Recipe, series: Array, found: Array, codes: Codes) -> None:
        self._extreme(recipe, series, found, codes, np.min)

    def _extreme(
        self,
        recipe: Recipe,
        series: Array,
        found: Array,
        codes: Codes,
        pick: Callable[..., Array],
    ) -> None:
        inside = self._inside(recipe.outcome)
        if not len(inside):
            codes[:] = self._code[_NO_SAVE]
            return
        found[:] = pick(series[:, inside[0] : inside[-1] + 1], axis=1)

    def _time_of(self, recipe: Recipe, series: Array, found: Array, codes: Codes) -> None:
        """The first time the condition holds; for a comparison, where its sides cross between saves."""
        inside = self._inside(recipe.outcome)
        if not len(inside):
            codes[:] = self._code[_NEVER]
            return
        part, times = series[:, inside[0] : inside[-1] + 1], self.times[inside]
        met, broken = is_met(recipe, part), np.isnan(part)
        ever = met.any(axis=1)
        first = np.where(ever, met.argmax(axis=1), len(times))
        lost = np.where(broken.any(axis=1), broken.argmax(axis=1), len(times)) < first
        codes[~ever] = self._code[_NEVER]
        codes[lost] = self._code[_CONDITION]
        which = np.flatnonzero(ever & ~lost)
        rows = first[which]
        found[which] = times[rows]
        if recipe.column.endswith("@gap"):
            which, rows = which[rows > 0], rows[rows > 0]
            before, after = part[which, rows - 1], part[which, rows]
            share = np.where(np.isfinite(after), before / (before - after), 1.0)
            found[which] = times[rows - 1] + share * (times[rows] - times[rows - 1])

    _measures = {
        "at": _at,
        "total": _total,
        "mean": _mean,
        "peak": _peak,
        "trough": _trough,
        "time of": _time_of,
    }

    # Outcomes of outcomes -----------------------------------------------------------------------

    def _of_others(
        self,
        name: str,
        done: dict[str, tuple[Array, Codes]],
        params: Mapping[str, Array],
        texts: list[str],
        open_: tuple[str, ...],
        members: int,
    ) -> tuple[Array, Codes]:
        """An expression of other outcomes and parameters; the first that has no value gives the
        reason."""
        if name in done:
            return done[name]
        expr = self.recipes[name].outcome.expr
        codes = np.zeros(members, dtype=np.int16)
        known: dict[str, Array] = {}
        for read in names_in(expr):
            if read in self.recipes:
                if read in (*open_, name):
                    known[read] = np.full(members, np.nan)
                    _note(codes, codes == 0, f"{read}: {read} depends on itself", texts)
                    continue
                known[read], theirs = self._of_others(
                    read, done, params, texts, (*open_, name), members
                )
                for code in np.unique(theirs[theirs > 0]):
                    mine = (theirs == code) & (codes == 0)
                    _note(codes, mine, f"{read}: {texts[int(code)]}", texts)
            elif read in params:
                known[read] = params[read]
            else:
                known[read] = np.full(members, np.nan)
                _note(codes, codes == 0, f"{read} is neither an outcome nor a parameter", texts)
        values = evaluate_many(expr, known, members)
        values[codes > 0] = np.nan
        empty = ~np.isfinite(values)
        values[empty] = np.nan
        _note(codes, empty & (codes == 0), _EXPRESSION, texts)
        done[name] = (values, codes)
        return done[name]


def _note(codes: Codes, which: NDArray[np.bool_], text: str, texts: list[str]) -> None:
    """Gives members a reason."""
    if not which.any():
        return
    if text not in texts:
        texts.append(text)
    codes[which] = texts.index(text)
