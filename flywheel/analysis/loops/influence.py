"""Eigenvalue influence along a run: which loop makes the model grow, damp and swing, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean
from flywheel.analysis.loops.eigen import LoopInfluence, loop_influence, modes_of
from flywheel.analysis.loops.gains import core_of, leading
from flywheel.analysis.loops.independent import Link, Loop, independent_loops, steps
from flywheel.analysis.loops.linear import linearise, moments, row_at, stamp_of, variables_of
from flywheel.analysis.loops.naming import each, lasting, loop_labels
from flywheel.analysis.loops.search import find_loops
from flywheel.analysis.loops.trajectory import Trajectory
from flywheel.analysis.stamp import Stamp

if TYPE_CHECKING:
    import pandas as pd

_CALM = 1e-9


@dataclass(frozen=True, eq=False)
class EigenInfluence:
    """Modes and loop influences at some times of a run.

    ``results`` holds a ``LoopInfluence`` per time and ``core`` the row of its leading mode, that of
    the part with the most stocks that acts on what was asked for (None where there is none or a slope
    is not finite; see ``results[n].modes.reason``). ``complete`` is False when the search for loops
    was cut short; the set is still of full rank then, but not the one of the shortest loops.

    Influences depend on the chosen set of independent loops: where many loops share their links, one
    of them may stand for a sum of others, and large ones of opposite sign cancel.
    """

    stamp: Stamp
    times: NDArray[np.float64]
    results: tuple[LoopInfluence, ...]
    core: tuple[int | None, ...]
    labels: tuple[dict[Loop, str], dict[Loop, str]]
    complete: bool

    @property
    def values(self) -> NDArray[np.complex128]:
        """The leading eigenvalue at each time, NaN where there is none; shape (T,)."""
        none = complex(math.nan, math.nan)
        pairs = zip(self.results, self.core, strict=True)
        return np.array([none if k is None else one.modes.values[k] for one, k in pairs])

    @property
    def frame(self) -> pd.DataFrame:
        """One row per time, mode with feedback (of a pair the one that turns forward) and loop."""
        import pandas as pd

        rows = []
        for time, one, core in zip(self.times.tolist(), self.results, self.core, strict=True):
            modes = one.modes
            for k, value in enumerate(modes.values.tolist()):
                if not modes.feedback[k] or value.imag < -_CALM * modes.scales[k]:
                    continue
                for n, loop in enumerate(one.loops):
                    if set(loop).isdisjoint(modes.parts[k]):
                        continue
                    rows.append(
                        {
                            "time": time,
                            "mode": k,
                            "leading": k == core,
                            "growth": value.real,
                            "swing": abs(value.imag),
                            "loop": " -> ".join(variables_of(loop) or loop),
                            "order": one.orders[n],
                            "growth_influence": one.mu[k, n].real,
                            "swing_influence": one.mu[k, n].imag,
                            "condition": modes.conditions[k],
                            "note": modes.notes[k],
                        }
                    )
        return pd.DataFrame(rows)

    def explain(self, language: str = "en") -> str:
        """Of the first and the last time with a pulse: the mode, and the loops behind it."""
        korean = is_korean(language)
        known = [n for n, k in enumerate(self.core) if k is not None]
        if not known:
            return (
                f"「{self.stamp.model}」에는 되먹임이 만드는 모드가 없습니다."
                if korean
                else f"No feedback makes a mode of {self.stamp.model}."
            )
        picked = dict.fromkeys([known[0], known[-1]])
        return " ".join(self._at(n, korean) for n in picked)

    def _at(self, n: int, korean: bool) -> str:
        one, k = self.results[n], self.core[n]
        assert k is not None
        value, time, unit = complex(one.modes.values[k]), self.times[n], self.stamp.time_unit
        swings = abs(value.imag) > _CALM * one.modes.scales[k]
        labels = self.labels[korean]
        most = one.loops[int(np.abs(one.mu[k].real).argmax())] if one.loops else ()
        own = float(np.abs(one.mu[k].real).max(initial=0.0))
        sign = float(np.sign(one.mu[k].real[int(np.abs(one.mu[k].real).argmax())])) if own else 0.0
        turning = one.loops[int(np.abs(one.mu[k].imag).argmax())] if swings else ()
        note = one.modes.notes[k]
        if korean:
            state = "커집니다" if value.real > 0 else "잦아듭니다"
            text = (
                f"{time:g} 시점의 지배 모드는 {each(unit, 'ko')} {value.real:+.3g}의 율로 {state}. "
                f"가장 크게 기여하는 루프는 「{labels[most]}」({sign * own:+.3g})입니다."
            )
            if turning:
                text += (
                    f" 주기는 {lasting(2 * math.pi / abs(value.imag), unit, 'ko')}이며, "
                    f"「{labels[turning]}」 루프가 가장 크게 정합니다."
                )
            return f"{text} (주의: {note})" if note else text
        state = "grows" if value.real > 0 else "dies away"
        text = (
            f"At {time:g} the leading mode {state} at {value.real:+.3g} {each(unit)}; "
            f"the loop with the largest part in that is {labels[most]} ({sign * own:+.3g})."
        )
        if turning:
            text += (
                f" It swings with a period of {lasting(2 * math.pi / abs(value.imag), unit)}, set "
                f"most by {labels[turning]}."
            )
        return f"{text} (Doubt: {note}.)" if note else text

    def __repr__(self) -> str:
        return f"<eigenvalue influence of {self.stamp.model} at {len(self.times)} times>"


def eigenvalue_influence(
    run: Trajectory,
    at: Sequence[float] | None = None,
    *,
    outcome: Sequence[str] = (),
    how: Literal["full", "shortest"] = "full",
    count: int = 20,
) -> EigenInfluence:
    """The influence of loops on the eigenvalues along a run.

    ``at`` are times (by default ``count`` evenly spaced ones; the end of a run that has settled is
    the equilibrium). ``outcome`` are variables that the leading mode should act on (any by default).
    ``how`` is the set of independent loops: ``full`` rank, or Oliva's ``shortest``.

    Raises UsageError for a time outside the run.
    """
    rows = moments(run, count) if at is None else tuple(row_at(run, t) for t in at)
    search = find_loops(run.structure.graph)
    chosen: dict[tuple[Link, ...], tuple[Loop, ...]] = {}
    results, core = [], []
    for system in linearise(run, rows):
        modes = modes_of(system)
        # Which links act changes rarely; the set of loops is chosen anew only then.
        loops = chosen.get(system.active)
        if loops is None:
            active = set(system.active)
            running = [loop for loop in search.loops if active.issuperset(steps(loop))]
            loops = chosen[system.active] = independent_loops(running, system.active, how)
        results.append(loop_influence(modes, loops, how))
        core.append(leading(modes, core_of(modes, outcome)))
    every = tuple(dict.fromkeys(loop for one in results for loop in one.loops))
    called = loop_labels(run.model, [variables_of(loop) or loop for loop in every])
    return EigenInfluence(
        stamp_of(run, ", ".join(outcome) or "growth, damping and swing", loops=how),
        frozen(run.times[list(rows)]),
        tuple(results),
        tuple(core),
        (dict(zip(every, called["en"], strict=True)), dict(zip(every, called["ko"], strict=True))),
        search.complete,
    )
