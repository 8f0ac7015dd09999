"""Where things go wrong: the box of inputs that holds most failures and little else (PRIM).

Patient rule induction (Friedman and Fisher 1999), as scenario discovery uses it (Bryant and Lempert
2010): from the box of all points, slices of one in twenty are peeled off at one side of one input,
each time the side that raises the density of cases most per point lost. Then the edges of the chosen
box are set to the points themselves, and restrictions that chance explains are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.analysis.decide.words import (
    Array,
    frozen,
    is_korean,
    named,
    say,
    subject,
    table,
)
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.stamp import Stamp

Marks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Peel:
    """One box on the way: limits (d,), what it catches, how pure it is, how much of all it is."""

    low: Array
    high: Array
    coverage: float
    """The part of all cases that lies inside."""
    density: float
    """The part of the points inside that are cases."""
    mass: float
    """The part of all points that lies inside."""


@dataclass(frozen=True, eq=False)
class Box:
    """The box found: ``low`` and ``high`` (d,) in the inputs' units, infinite where unrestricted.

    ``quasi_p`` (d,) is the chance that so many cases gather inside if the input's restriction meant
    nothing (binomial; NaN where unrestricted). "Quasi", since the box was chosen to look good, so it
    overstates; the usual bar is 0.05. ``peels`` is the whole way, from everything to the smallest box.
    """

    names: tuple[str, ...]
    low: Array
    high: Array
    coverage: float
    density: float
    mass: float
    quasi_p: Array
    peels: tuple[Peel, ...]
    points: int
    cases: int
    left_out: int
    """Points with an input or a mark that is no number."""
    reason: str = ""
    """Why there is no box; empty when there is one."""
    stamp: Stamp | None = None

    @property
    def restricted(self) -> tuple[str, ...]:
        """The inputs that the box restricts, the least doubtful first."""
        held = np.flatnonzero(np.isfinite(self.low) | np.isfinite(self.high))
        order = sorted(held.tolist(), key=lambda k: float(self.quasi_p[k]))
        return tuple(self.names[k] for k in order)

    def holds(self, inputs: ArrayLike) -> Marks:
        """Which rows of inputs (N, d) lie inside."""
        return _inside(table(inputs, "The inputs"), self.low, self.high)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per restricted input: its limits and how doubtful the restriction is."""
        import pandas as pd

        places = [self.names.index(name) for name in self.restricted]
        return pd.DataFrame(
            {
                "low": self.low[places],
                "high": self.high[places],
                "quasi_p": self.quasi_p[places],
            },
            index=pd.Index(self.restricted, name="input"),
        )

    def explain(self, language: str = "en") -> str:
        """The box in words, and how much it catches."""
        korean = is_korean(language)
        about = subject(self.stamp, language)
        if self.reason or not self.restricted:
            why = self.reason or "no input separates the cases from the rest"
            return (
                f"{about}: 사례를 가려내는 입력 범위를 찾지 못했습니다 ({why})."
                if korean
                else f"For {about}, no range of inputs picks out the cases: {why}."
            )
        ranges = []
        for name in self.restricted:
            k = self.names.index(name)
            low, high = self.low[k], self.high[k]
            if not np.isfinite(low):
                ranges.append(f"「{name}」 ≤ {say(high)}" if korean else f"{name} ≤ {say(high)}")
            elif not np.isfinite(high):
                ranges.append(f"「{name}」 ≥ {say(low)}" if korean else f"{name} ≥ {say(low)}")
            else:
                named_so = f"「{name}」" if korean else name
                ranges.append(f"{say(low)} ≤ {named_so} ≤ {say(high)}")
        caught, pure = f"{100 * self.coverage:.0f}", f"{100 * self.density:.0f}"
        usual = f"{100 * self.cases / self.points:.0f}"
        if korean:
            return (
                f"{about}: 사례는 {', '.join(ranges)} 범위에 모여 있습니다. 이 범위는 전체 "
                f"{self.cases}개 사례의 {caught}%를 담고, 범위 안의 {pure}%가 사례입니다"
                f"(전체 {self.points}개 실행에서는 {usual}%)."
            )
        return (
            f"For {about}, the cases gather where {' and '.join(ranges)}. That range holds {caught} % "
            f"of the {self.cases} cases, and {pure} % of the runs in it are cases, against {usual} % "
            f"of all {self.points} runs."
        )

    def __repr__(self) -> str:
        held = ", ".join(self.restricted) or "nothing"
        return f"<box in {held}: coverage {self.coverage:.2f}, density {self.density:.2f}>"


def prim(
    inputs: ArrayLike,
    cases: ArrayLike,
    names: Iterable[str] | None = None,
    *,
    peel: float = 0.05,
    min_mass: float = 0.05,
    significance: float = 0.05,
    objective: str = "product",
    stamp: Stamp | None = None,
) -> Box:
    """The box of inputs (N, d) that best holds the cases (N,), marked true.

    Of the boxes on the way the one with the largest ``objective`` is taken, a choice between catching
    all and catching only them (``Box.peels`` has the others): "product" is coverage × density, which
    asks for a box that is nearly the cases; "excess" counts the cases inside beyond their usual share,
    and finds where cases are merely more frequent. ``peel`` is the part of the
    points cut in one step, ``min_mass`` the smallest part of all points that a box may hold;
    restrictions with a quasi-p above ``significance`` are dropped.

    Raises UsageError for ill-shaped data or settings out of range. Data without a single case, or
    with nothing else, give a box with a ``reason``.
    """
    for label, part in (("peel", peel), ("min_mass", min_mass), ("significance", significance)):
        if not 0 < part < 1:
            raise UsageError(f"{label} must lie between 0 and 1, not {part!r}.")
    if objective not in ("product", "excess"):
        raise UsageError(f"objective must be 'product' or 'excess', not {objective!r}.")
    x = table(inputs, "The inputs")
    marks: NDArray[Any] = np.asarray(cases)
    if marks.shape != x.shape[:1]:
        raise UsageError(f"There are {x.shape[0]} rows of inputs but cases of shape {marks.shape}.")
    columns = named(names, x.shape[1], "input")
    known: Marks = np.asarray(np.isfinite(x).all(axis=1) & np.isfinite(marks.astype(float)))
    x, y = x[known], marks[known].astype(bool)

    low, high = np.full(len(columns), -np.inf), np.full(len(columns), np.inf)
    total = int(y.sum())
    reason = ""
    if total in (0, y.size):
        reason = "no run is a case" if total == 0 else "every run is a case"
    peels = _peels(x, y, peel, min_mass) if not reason else ()
    if peels:
        usual = total / y.size if objective == "excess" else None
        chosen = max(peels, key=lambda box: _score(box, usual))
        low, high = chosen.low.copy(), chosen.high.copy()
        _set_edges(x, y, low, high, min_mass, usual)
        _drop_doubtful(x, y, low, high, significance)
        _set_edges(x, y, low, high, min_mass, usual)
    inside = _inside(x, low, high)
    caught = int(y[inside].sum())
    return Box(
        names=columns,
        low=frozen(low),
        high=frozen(high),
        coverage=caught / total if total else float("nan"),
        density=caught / int(inside.sum()) if inside.any() else float("nan"),
        mass=float(inside.mean()) if y.size else float("nan"),
        quasi_p=frozen(_quasi_p(x, y, low, high)),
        peels=peels,
        points=int(y.size),
        cases=total,
        left_out=int((~known).sum()),
        reason=reason,
        stamp=stamp,
    )


def _score(box: Peel, usual: float | None) -> float:
    """Coverage × density, or with the usual share of cases how many more of them lie inside."""
    if usual is None:
        return box.coverage * box.density
    return box.mass * (box.density - usual)


def _inside(x: Array, low: Array, high: Array) -> Marks:
    found: Marks = np.asarray(((x >= low) & (x <= high)).all(axis=1))
    return found


def _peels(x: Array, y: Marks, part: float, min_mass: float) -> tuple[Peel, ...]:
    """Boxes from everything down to the smallest, each a slice smaller than the one before."""
    low, high = np.full(x.shape[1], -np.inf), np.full(x.shape[1], np.inf)
    count, total = y.size, int(y.sum())
    box = x
    hits = y
    found = []
    while True:
        density = float(hits.mean())
        found.append(
            Peel(frozen(low), frozen(high), hits.sum() / total, density, hits.size / count)
        )
        best: tuple[float, int, int, float] | None = None
        keep: Marks | None = None
        for column in range(x.shape[1]):
            values = box[:, column]
            for side, edge in ((0, np.quantile(values, part)), (1, np.quantile(values, 1 - part))):
                left = values >= edge if side == 0 else values <= edge
                if left.all():  # ties at the edge, as in inputs of few values: cut them all at once
                    left = values > edge if side == 0 else values < edge
                removed = left.size - int(left.sum())
                if removed == 0 or left.sum() < max(min_mass * count, 1.0):
                    continue
                gain = (float(hits[left].mean()) - density) / removed
                if best is None or gain > best[0]:
                    inner = values[left]
                    outer = values[~left]
                    # Half way to the nearest point outside: no point lies on the edge.
                    limit = (
                        (inner.min() + outer.max()) / 2
                        if side == 0
                        else (inner.max() + outer.min()) / 2
                    )
                    best, keep = (gain, column, side, float(limit)), left
        if best is None or keep is None or best[0] <= 0:
            return tuple(found)
        _, column, side, limit = best
        (low if side == 0 else high)[column] = limit
        box, hits = box[keep], hits[keep]


def _set_edges(
    x: Array, y: Marks, low: Array, high: Array, min_mass: float, usual: float | None
) -> None:
    """Move each edge, in turn, to where the objective is largest; until none moves.

    Peeling overshoots by up to a slice. This does what pasting does, exactly: with h cases among n
    points inside, coverage × density is h²/n up to a constant and the excess h − n times the usual
    share, so one running sum per edge finds the best place. An edge that gains nothing by being there is
    given up.
    """
    least = max(min_mass * y.size, 1.0)
    for _ in range(20):
        moved = False
        for column in np.flatnonzero(np.isfinite(low) | np.isfinite(high)):
            for limits, sign in ((low, 1.0), (high, -1.0)):
                if not np.isfinite(limits[column]):
                    continue
                before = limits[column]
                limits[column] = -sign * np.inf
                # From the far side of the box towards this edge.
                rows = np.flatnonzero(_inside(x, low, high))
                values = sign * x[rows, column]
                order = np.argsort(-values, kind="stable")
                ahead = values[order]
                hits = np.cumsum(y[rows][order])
                size = np.arange(1, ahead.size + 1)
                score = hits**2 / size if usual is None else hits - usual * size
                # Only between two different values can an edge stand, and the box must stay large.
                open_here = np.append(ahead[1:] < ahead[:-1], True) & (size >= least)
                place = int(np.argmax(np.where(open_here, score, -1.0)))
                if place < ahead.size - 1:
                    limits[column] = sign * (ahead[place] + ahead[place + 1]) / 2
                moved |= limits[column] != before
        if not moved:
            return


def _drop_doubtful(x: Array, y: Marks, low: Array, high: Array, bar: float) -> None:
    """Give up the most doubtful restriction, again and again, until all pass the bar."""
    while True:
        p = _quasi_p(x, y, low, high)
        if np.isnan(p).all() or np.nanmax(p) <= bar:
            return
        worst = int(np.nanargmax(p))
        low[worst], high[worst] = -np.inf, np.inf


def _quasi_p(x: Array, y: Marks, low: Array, high: Array) -> Array:
    """For each restricted input, the chance of so many cases if its restriction were dropped."""
    from scipy.stats import binom

    p = np.full(low.size, np.nan)
    inside = _inside(x, low, high)
    hits, size = int(y[inside].sum()), int(inside.sum())
    for column in np.flatnonzero(np.isfinite(low) | np.isfinite(high)):
        wider_low, wider_high = low.copy(), high.copy()
        wider_low[column], wider_high[column] = -np.inf, np.inf
        rate = float(y[_inside(x, wider_low, wider_high)].mean())
        p[column] = float(binom.sf(hits - 1, size, rate))
    return p
