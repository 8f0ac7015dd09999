"""What if this loop were off: knock-outs, behavioural dominance, shadow loops.

A loop is switched off by its control link, the link of it that the fewest loops share, which is held
from the study's ``since`` on at its value of that moment (dial -1). Where that link belongs to other
loops too, these are off as well, and the result says so. The cut's effect on the outcome is a finite
difference of two runs and takes every compensation by other loops into account.

Ford (1999) "A behavioral approach to feedback loop dominance analysis", SDR 15(1):3-36: the atomic
pattern of a variable is the sign of d|x'|/dt (exponential, linear, logarithmic); a loop dominates while
its absence changes the pattern. Two loops of which neither does alone, but both together, are each
other's shadow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean, say, subject
from flywheel.analysis.loops.independent import Link, Loop, canonical, steps
from flywheel.analysis.loops.naming import loop_labels
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.expr import names
from flywheel.kernel.dials import link_input
from flywheel.structure import graph
from flywheel.structure import links as model_links

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.solve.study import Study

Array = NDArray[np.float64]
PATTERNS = {1: "exponential", 0: "linear", -1: "logarithmic"}
"""Atomic patterns by the sign of d|x'|/dt."""
CUT = -1.0
# A curve that bends less than this over the whole run, relative to its greatest slope, is a line.
_STRAIGHT = 1e-3
_CHANGED = 0.01
"""A pattern counts as changed when it differs during more than this share of the time."""


@dataclass(frozen=True, slots=True)
class Control:
    """The link that switches a loop, with how many of the loops known run through it.

    ``others`` are the shortest of the other loops that it switches too (at most three).
    """

    link: Link
    count: int
    others: tuple[Loop, ...] = ()

    @property
    def exclusive(self) -> bool:
        """Whether the link switches this loop alone."""
        return self.count == 1

    @property
    def dial(self) -> str:
        """The name of the link's dial."""
        return link_input(*self.link)


def control_links(
    loops: Sequence[Sequence[str]], universe: Collection[Sequence[str]] = ()
) -> tuple[Control, ...]:
    """The control link of each loop, counted over ``universe`` and the loops themselves.

    Among links that are shared alike the first by names is taken.
    """
    every = sorted({canonical(loop) for loop in (*universe, *loops)}, key=lambda p: (len(p), p))
    counts = Counter(link for loop in every for link in steps(loop))
    links = [min(steps(loop), key=lambda link: (counts[link], link)) for loop in loops]
    through: dict[Link, list[Loop]] = {link: [] for link in links}
    for loop in every:
        for link in steps(loop):
            if link in through and len(through[link]) < 4:
                through[link].append(loop)
    return tuple(
        Control(link, counts[link], tuple(o for o in through[link] if o != canonical(loop))[:3])
        for loop, link in zip(loops, links, strict=True)
    )


def atomic_pattern(times: Array, values: Array) -> NDArray[np.int8]:
    """The sign of d|x'|/dt at every time: 1 exponential, 0 linear (or at rest), -1 logarithmic.

    ``values`` (..., T) at evenly or unevenly spaced ``times`` (T,); three at least. Slopes are taken
    by differences of the saved values. Around a turning point x' changes its sign; the pattern there
    is that of the slope's size.
    """
    if len(times) < 3:
        raise UsageError("a pattern needs three saved times at least")
    given = np.asarray(values, dtype=float)
    slope = np.gradient(given, times, axis=-1, edge_order=2)
    bend = np.gradient(slope, times, axis=-1, edge_order=2)
    greatest = np.abs(slope).max(axis=-1, keepdims=True)
    curved = np.abs(bend) * (times[-1] - times[0]) > _STRAIGHT * greatest
    moving = np.abs(slope) > 1e-9 * greatest
    return np.where(curved & moving, np.sign(slope) * np.sign(bend), 0).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Knockouts:
    """Every loop switched off once, over the whole run.

    ``labels`` are what the loops are called, by language.
    ``baseline`` (H,) and ``cut`` (L, H) are the outcome with all loops and without each; NaN with a
    text in ``reasons`` where the run without the loop failed. ``pattern`` (T,) and ``patterns``
    (L, T) are the atomic patterns of ``variable``. ``shadows`` are pairs of loops that change the
    pattern together and not alone, with the share of the time in which they do.
    """

    stamp: Stamp
    loops: tuple[Loop, ...]
    labels: Mapping[str, tuple[str, ...]]
    controls: tuple[Control, ...]
    baseline: Array
    cut: Array
    reasons: tuple[str, ...]
    variable: str
    times: Array
    pattern: NDArray[np.int8]
    patterns: NDArray[np.int8]
    shadows: tuple[tuple[int, int, float], ...]

    @cached_property
    def differences(self) -> Array:
        """(L, H) outcome without the loop less that with it, in units of the outcome."""
        return self.cut - self.baseline

    @cached_property
    def effects(self) -> Array:
        """(L, H) the differences as parts of the outcome; NaN where the outcome is 0."""
        size = np.where(self.baseline == 0, np.nan, np.abs(self.baseline))
        return np.asarray(self.differences / size)

    @cached_property
    def dominates(self) -> NDArray[np.bool_]:
        """(L, T) when the pattern would be another without the loop."""
        sound = np.array([not reason for reason in self.reasons])
        return np.asarray((self.patterns != self.pattern) & sound[:, np.newaxis])

    @property
    def frame(self) -> pd.DataFrame:
        """One row per loop and horizon."""
        import pandas as pd

        rows = [
            {
                "loop": " -> ".join(loop),
                "control": control.dial,
                "shared_with": control.count - 1,
                "horizon": horizon,
                "baseline": self.baseline[h],
                "cut": self.cut[n, h],
                "effect": self.effects[n, h],
                "dominates": self.dominates[n].mean() if self.dominates.size else np.nan,
                "reason": self.reasons[n],
            }
            for n, (loop, control) in enumerate(zip(self.loops, self.controls, strict=True))
            for h, horizon in enumerate(self.stamp.horizons)
        ]
        return pd.DataFrame(rows)

    def explain(self, language: str = "en") -> str:
        """Which cut changes the outcome most, and whose absence changes the pattern."""
        korean = is_korean(language)
        about = subject(self.stamp, language)
        last = self.effects[:, -1]
        known = np.flatnonzero(np.isfinite(last))
        if not len(known):
            return (
                f"{about}: 끊어서 비교할 수 있는 루프가 없습니다."
                if korean
                else f"There is no loop whose absence could be compared for {about}."
            )
        first = int(known[np.abs(last[known]).argmax()])
        path, control = self.labels[language][first], self.controls[first]
        horizon = f"{self.stamp.horizons[-1]:g}"
        shared = control.count - 1
        longest = int(self.dominates.sum(axis=1).argmax()) if self.dominates.size else first
        part = float(self.dominates[longest].mean()) if self.dominates.size else 0.0
        other = self.labels[language][longest]
        if korean:
            also = f" (이 연결은 다른 루프 {shared}개도 함께 끊습니다)" if shared else ""
            found = (
                f"루프 「{path}」 하나를 끊으면 {about} 값이 기간 {horizon}에서 "
                f"{last[first]:+.1%} 달라져 가장 큰 차이를 냅니다{also}."
            )
            if part > _CHANGED:
                found += (
                    f" 「{self.variable}」의 움직임 유형은 루프 「{other}」 없이는 "
                    f"기간의 {part:.0%} 동안 달라집니다."
                )
            return found
        also = f" (its control link switches {shared} more loops)" if shared else ""
        found = (
            f"Without the loop {path}, {about} would change most: at horizon {horizon} by "
            f"{last[first]:+.1%} (from {say(float(self.baseline[-1]))} to "
            f"{say(float(self.cut[first, -1]))}){also}."
        )
        if part > _CHANGED:
            found += (
                f" The pattern of {self.variable} would be another without {other} during "
                f"{part:.0%} of the time."
            )
        return found

    def __repr__(self) -> str:
        return f"<knock-outs of {len(self.loops)} loops: {self.stamp.outcome}>"


def knock_out(
    study: Study,
    loops: Sequence[Sequence[str]],
    *,
    universe: Collection[Sequence[str]] = (),
    variable: str | None = None,
    shadows: int = 8,
) -> Knockouts:
    """Switches off each loop, given by the names of the model's variables, in one batch of runs.

    ``universe`` are all loops known, among which a control link should be rare. ``variable`` is the
    one whose pattern is judged (by default what the outcome measures). Pairs of the ``shadows`` loops
    with the greatest effect are switched off together to find shadow loops.

    Raises UsageError for a loop that runs through a link that the model does not have.
    """
    turned = tuple(canonical(loop) for loop in loops)
    known = {(link.source, link.target) for link in model_links(study.model)}
    for source, target in (link for loop in turned for link in steps(loop)):
        if (source, target) not in known:
            raise UsageError(f"{target} does not depend directly on {source}: that is no loop")
    controls = control_links(turned, universe)
    links = tuple(dict.fromkeys(control.link for control in controls))
    place = {link: n for n, link in enumerate(links)}
    watched = _watched(study, variable)
    rows = np.zeros((1 + len(links), len(links)))
    rows[1:] = CUT * np.eye(len(links))
    dialled = study.dialled(links=links)
    dials = [link_input(*link) for link in links]
    members = dialled.run(dials, rows)
    baseline, single = members.outcomes[0], members.outcomes[1:]
    columns = members.column(watched)
    times = np.asarray(study.times, dtype=float)
    patterns = _patterns(times, columns)
    reasons = {failure.member: failure.reason for failure in members.failures}
    of = [place[control.link] for control in controls]
    own = np.array([1 + n for n in of], dtype=int)
    pairs = _pairs(controls, single - baseline, of, shadows)
    found: list[tuple[int, int, float]] = []
    if pairs:
        both = np.zeros((len(pairs), len(links)))
        for row, (a, b) in enumerate(pairs):
            both[row, [of[a], of[b]]] = CUT
        together = dialled.run(dials, both)
        bent = _patterns(times, together.column(watched)) != patterns[0]
        broken = {failure.member for failure in together.failures}
        alone = (patterns[own] != patterns[0]).mean(axis=1)
        found = [
            (a, b, float(bent[row].mean()))
            for row, (a, b) in enumerate(pairs)
            if row not in broken and max(alone[a], alone[b]) <= _CHANGED < bent[row].mean()
        ]
    return Knockouts(
        stamp_of_study(study, loops=len(turned), dial=CUT),
        turned,
        loop_labels(study.model, turned),
        controls,
        frozen(baseline),
        frozen(single[of] if of else np.zeros((0, len(baseline)))),
        tuple(reasons.get(1 + n, "") for n in of),
        watched,
        frozen(times),
        patterns[0],
        patterns[own],
        tuple(found),
    )


def measured(study: Study) -> tuple[str, ...]:
    """The variables of the model that the study's outcome reads, through other outcomes too."""
    found: dict[str, None] = {}
    waiting, seen = [study.name], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in study.model.outcomes:
            waiting += reversed(names(study.model.outcomes[name].expr))
        elif name in study.model.variables:
            found[name] = None
    return tuple(found)


def bypasses(study: Study, loop: Sequence[str], link: Link) -> bool:
    """Whether a link of a loop is also a direct way to the outcome, round no stock and not the loop.

    Cutting such a link (price -> revenue, where the outcome is profit) takes away more than feedback.
    """
    after = graph(study.model)
    goals, inside = set(measured(study)), set(loop)
    seen, waiting = {link[1]}, [link[1]]
    while waiting:
        name = waiting.pop()
        if name in goals:
            return True
        if name in study.model.stocks:
            continue
        new = [n for n in after.get(name, ()) if n not in seen and n not in inside]
        seen.update(new)
        waiting += new
    return False


def _watched(study: Study, variable: str | None) -> str:
    if variable is not None:
        study.column(variable)  # names the mistake
        return variable
    return next(iter(measured(study)), study.columns[0])


def _patterns(times: Array, columns: Array) -> NDArray[np.int8]:
    """Patterns (M, T); those of failed runs are those of a line and are not used."""
    return atomic_pattern(times, np.nan_to_num(columns))


def _pairs(
    controls: Sequence[Control], differences: Array, of: Sequence[int], count: int
) -> list[tuple[int, int]]:
    """Pairs of the loops with the greatest effect at the last horizon, with different links."""
    if not len(of):
        return []
    sizes = np.nan_to_num(np.abs(differences[list(of), -1]), nan=-1.0)
    order = sorted(range(len(of)), key=lambda n: (-sizes[n], n))
    first: dict[Link, int] = {}
    for n in order:
        first.setdefault(controls[n].link, n)
    return list(combinations(sorted(list(first.values())[:count]), 2))
