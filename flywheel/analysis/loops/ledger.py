"""The loop ledger: what each loop did to the curve, beside what it would do to the outcome.

Four measures answer four questions, and often disagree: the *share* of Loops That Matter (who carries
the change that this run shows), the *knock-out* (what the outcome would be without the loop), the
*gain* (how strongly a push comes back at one moment) and the *influence* on the leading eigenvalue
(growth in the real part, swing in the imaginary one). Where share and knock-out disagree the ledger
says so, with the likeliest reason that the numbers themselves support.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import is_korean, subject
from flywheel.analysis.loops.eigen import LoopInfluence, loop_influence, modes_of
from flywheel.analysis.loops.front import score_run
from flywheel.analysis.loops.gains import core_of, leading, loop_gains
from flywheel.analysis.loops.independent import Loop, canonical
from flywheel.analysis.loops.knockout import Control, Knockouts, bypasses, knock_out, measured
from flywheel.analysis.loops.linear import (
    Linearisation,
    linearise,
    row_at,
    run_of,
    variables_of,
)
from flywheel.analysis.loops.matter import LoopsThatMatter, LoopThatMatters
from flywheel.analysis.loops.naming import declared_loops
from flywheel.analysis.loops.search import find_loops
from flywheel.analysis.loops.verdict import Evidence, Verdict, effect_text, judge
from flywheel.analysis.stamp import Stamp, stamp_of_study

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.solve.study import Study

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LedgerRow:
    """One loop.

    ``labels`` are what the model calls it, by language, empty where it does not declare the loop.
    ``share`` is the mean size of its share over the times at which it acts (of ``acts`` of the run),
    ``share_end`` its signed share at the end; NaN for a declared loop that no share was kept of.
    ``effects`` (H,) are what the outcome would be without it, relative (NaN with a ``reason``).
    ``gain`` and ``turn`` are those at the ledger's moment, ``influence`` on the core's leading
    eigenvalue (NaN where the loop is not in the set of independent loops: its links' influence is
    then booked on shorter ones). ``direct`` says that the control link is also a direct way to the
    outcome, so that its cut takes away more than feedback.
    """

    name: str
    labels: Mapping[str, str]
    path: Loop
    polarity: str
    share: float
    acts: float
    share_end: float
    rivals: int
    control: Control
    effects: Array
    gain: float
    turn: float
    influence: complex
    verdict: Verdict
    reason: str = ""
    direct: bool = False

    @property
    def own(self) -> bool:
        """Whether this is a stock's own drain or adjustment: two links and balancing."""
        return len(self.path) == 2 and self.polarity in ("B", "Bu")


@dataclass(frozen=True, eq=False)
class LoopLedger:
    """The loops that matter by share or by knock-out, the greatest of either first.

    ``at`` is the moment of gains and influences, ``leading`` the eigenvalue there (NaN without a
    core). ``found`` loops were searched, ``complete`` says whether that is all. ``influence`` and
    ``knockouts`` and ``shares`` are the results that the ledger was written from.
    """

    stamp: Stamp
    at: float
    rows: tuple[LedgerRow, ...]
    leading: complex
    found: int
    complete: bool
    shares: LoopsThatMatter
    knockouts: Knockouts
    influence: LoopInfluence

    @property
    def disagreements(self) -> tuple[LedgerRow, ...]:
        """The loops whose share and knock-out say different things."""
        return tuple(row for row in self.rows if row.verdict.disagrees)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per loop; effects at each horizon H in the columns ``effect_H``."""
        import pandas as pd

        rows = []
        for row in self.rows:
            found: dict[str, object] = {
                "loop": row.name,
                "label": row.labels["en"],
                "path": " -> ".join(row.path),
                "polarity": row.polarity,
                "share": row.share,
                "acts": row.acts,
                "share_end": row.share_end,
            }
            found |= {f"effect_{h:g}": row.effects[n] for n, h in enumerate(self.stamp.horizons)}
            found |= {
                "control": row.control.dial,
                "shared_with": row.control.count - 1,
                "gain": row.gain,
                "turn": row.turn,
                "growth_influence": row.influence.real,
                "swing_influence": row.influence.imag,
                "disagrees": row.verdict.disagrees,
                "why": row.verdict.text("en"),
                "reason": row.reason,
            }
            rows.append(found)
        return pd.DataFrame(rows)

    def explain(self, language: str = "en") -> str:
        """The largest share, the largest knock-out, and where the two disagree, with the reason."""
        korean = is_korean(language)
        about = subject(self.stamp, language)
        if not self.rows:
            return (
                f"{about}: 모델에 작동하는 피드백 루프가 없습니다."
                if korean
                else f"No feedback loop acts in the run behind {about}."
            )
        horizon = self.stamp.horizons[-1]
        # Shares compare loops of one part of the model: that with the most loops speaks.
        most = max((row.rivals for row in self.rows), default=0)
        rivals = [row for row in self.rows if math.isfinite(row.share) and row.rivals == most > 1]
        known = [row for row in self.rows if math.isfinite(row.effects[-1])]
        told = []
        if rivals:
            top = max(rivals, key=lambda row: row.share)
            told.append(
                f"곡선의 변화를 가장 많이 나른 루프는 {self._call(top, language)}이며 "
                f"작동 기간 평균 몫은 {top.share:.0%}입니다."
                if korean
                else f"{self._call(top)} carried the largest part of the change in this run: "
                f"{top.share:.0%} on average while it acted."
            )
        # How a stock empties or adjusts is no loop that anybody would switch off.
        known = [row for row in known if not row.own]
        loose = [row for row in known if row.verdict.kind == "runaway"]
        bounded = [row for row in known if row not in loose]
        if bounded:
            # A control link of its own first: the effect of a shared one is that of many loops.
            single = [row for row in bounded if row.control.exclusive and not row.direct]
            top = max(single or bounded, key=lambda row: abs(float(row.effects[-1])))
            effect = effect_text(float(top.effects[-1]), language)
            among = "Of the loops that a link of their own switches off, " if single else ""
            among_ko = "자기만의 연결로 끊을 수 있는 루프 가운데 " if single else ""
            told.append(
                f"{about} 값은 {among_ko}루프 {self._call(top, language)} 없이 기간 {horizon:g}에서 "
                f"{effect} 달라져 가장 크게 움직입니다."
                if korean
                else f"{among}{self._call(top)} would be missed most: without it {about} differs by "
                f"{effect} at horizon {horizon:g}."
            )
        if loose:
            names = ", ".join(row.name for row in loose)
            told.append(
                f"{names} 없이는 성장에 한계가 없어집니다."
                if korean
                else f"Without {names} nothing would hold growth back."
            )
        apart = self.disagreements
        if apart:
            # The clearest case: not one that only says how the loop was switched off.
            plain = [row for row in apart if row.verdict.kind not in ("runaway", "own", "shared")]
            within = plain or apart
            worst = max(within, key=lambda row: abs(float(row.effects[-1])))
            told.append(
                f"{len(self.rows)}개 중 {len(apart)}개 루프에서 몫과 차단 효과가 어긋납니다. "
                f"예를 들어 {worst.name}: {worst.verdict.text('ko')}"
                if korean
                else f"Share and knock-out disagree for {len(apart)} of {len(self.rows)} loops, as "
                f"for {worst.name}: {worst.verdict.text('en')}"
            )
        return " ".join(told)

    def _call(self, row: LedgerRow, language: str = "en") -> str:
        said = row.labels[language] or " -> ".join(row.path[:4]) + (
            " …" if len(row.path) > 4 else ""
        )
        return f"{row.name} ({said})"

    def __repr__(self) -> str:
        return f"<loop ledger: {len(self.rows)} of {self.found} loops; {self.stamp}>"


def loop_ledger(
    study: Study,
    *,
    at: float | None = None,
    top: int = 12,
    convention: str = "last",
    patience: float | None = None,
) -> LoopLedger:
    """Share, knock-out effect, gain and eigenvalue influence of the loops that matter, side by side.

    Parameters
    ----------
    at:
        The moment of gains and influences; half-way to the longest horizon by default.
    top:
        So many loops by share and so many by knock-out, and every declared loop that is there.
    convention:
        Of the link scores, see ``scores``.
    patience:
        How long a push may take to come back, see ``gains``; the longest horizon by default.

    Every loop kept for its share is switched off by its control link, over the whole run. Raises
    UsageError for a time outside the run or an unknown convention.
    """
    run = run_of(study)
    waits = max(study.horizons) if patience is None else float(patience)
    moment = study.since + max(study.horizons) / 2 if at is None else float(at)
    (system,) = linearise(run, [row_at(run, moment)])
    shares = score_run(run, convention)
    search = find_loops(run.structure.graph)
    ways: dict[Loop, list[Loop]] = {}
    for loop in search.loops:
        ways.setdefault(variables_of(loop), []).append(loop)
    ways.pop((), None)
    kept = _by_path(shares)
    for path in declared_loops(study.model):
        if path in ways:
            kept.setdefault(path, [])
    loops = tuple(kept)
    knocked = knock_out(study, loops, universe=list(ways))
    modes = modes_of(system)
    k = leading(modes, core_of(modes, measured(study)))
    influence = loop_influence(modes, search.loops)
    chosen = _chosen(shares, kept, knocked, set(declared_loops(study.model)), top)
    gains = _Gains(system, waits, ways)
    # Shares are those of a part of the model: one of two loops always has much, one of thousands little.
    largest: dict[int, float] = {}
    for one in shares.loops:
        largest[one.partition] = max(one.share, largest.get(one.partition, 0.0))
    rows = tuple(
        _row(study, shares, kept[loops[n]], knocked, n, gains, influence, k, largest)
        for n in chosen
    )
    return LoopLedger(
        stamp_of_study(
            study, at=moment, convention=convention, patience=waits, complete=search.complete
        ),
        moment,
        rows,
        complex(modes.values[k]) if k is not None else complex(math.nan, math.nan),
        len(ways),
        search.complete,
        shares,
        knocked,
        influence,
    )


def _by_path(shares: LoopsThatMatter) -> dict[Loop, list[int]]:
    """Rows of the shares by the loop of variables; several ways through one delay are one loop."""
    found: dict[Loop, list[int]] = {}
    for n, loop in enumerate(shares.loops):
        if loop.path:
            found.setdefault(canonical(loop.path), []).append(n)
    return found


def _chosen(
    shares: LoopsThatMatter,
    kept: Mapping[Loop, Sequence[int]],
    knocked: Knockouts,
    declared: set[Loop],
    top: int,
) -> list[int]:
    """The places of the loops to show: by share, by knock-out, and those that the model declares."""
    loops = knocked.loops
    size = [
        sum(shares.loops[n].share for n in kept[p] if shares.loops[n].rivals > 1) for p in loops
    ]
    effect = np.nan_to_num(np.abs(knocked.effects[:, -1])) if len(loops) else np.zeros(0)
    order = range(len(loops))
    by_share = sorted(order, key=lambda n: (-size[n], loops[n]))[:top]
    # A link that many loops share would put them all on the list: the shortest speaks for them.
    first: dict[tuple[str, str], int] = {}
    for n in sorted(order, key=lambda n: (len(loops[n]), loops[n])):
        first.setdefault(knocked.controls[n].link, n)
    by_effect = sorted(first.values(), key=lambda n: (-effect[n], loops[n]))[:top]
    own = [n for n in order if loops[n] in declared]
    return list(dict.fromkeys([*by_share, *by_effect, *own]))


@dataclass(frozen=True, eq=False)
class _Gains:
    """Gains of loops of variables, summed over their ways through delays."""

    system: Linearisation
    patience: float
    ways: Mapping[Loop, Sequence[Loop]]

    def of(self, path: Loop) -> tuple[float, float]:
        """Gain and turn; NaN where a slope is not finite or the search did not bring the loop."""
        ways = self.ways.get(path, ())
        if not ways or not np.isfinite(self.system.gains).all():
            return math.nan, math.nan
        found = loop_gains(self.system, ways, self.patience)
        return sum(one.gain for one in found), max(one.turn for one in found)


def _grown(study: Study, name: str, until: float) -> float:
    """How many times its size at ``since`` a variable is at a time; infinite from 0."""
    values = study.column(name)
    first, last = (
        float(values[int(np.abs(study.times - t).argmin())]) for t in (study.since, until)
    )
    return abs(last / first) if first else math.inf if last else 1.0


def _row(
    study: Study,
    shares: LoopsThatMatter,
    places: Sequence[int],
    knocked: Knockouts,
    n: int,
    gains: _Gains,
    influence: LoopInfluence,
    k: int | None,
    largest: Mapping[int, float],
) -> LedgerRow:
    path, control = knocked.loops[n], knocked.controls[n]
    over_time = shares.shares[list(places)].sum(axis=0) if len(places) else np.zeros(0)
    acting = np.abs(over_time) > 0
    first: LoopThatMatters | None = shares.loops[places[0]] if len(places) else None
    gain, turn = gains.of(path)
    declared = declared_loops(study.model).get(path)
    share = float(np.abs(over_time[acting]).mean()) if acting.any() else math.nan
    name = declared.name if declared else first.name if first else ""
    polarity = first.polarity if first else "R" if gain > 0 else "B" if gain < 0 else "?"
    orders = [influence.orders[m] for m, p in enumerate(influence.loops) if variables_of(p) == path]
    own = [
        influence.mu[k, m]
        for m, p in enumerate(influence.loops)
        if k is not None and variables_of(p) == path
    ]
    effects = knocked.effects[n]
    until = study.since + study.horizons[-1]
    direct = bypasses(study, path, control.link)
    verdict = judge(
        Evidence(
            share=share,
            largest=largest[first.partition] if first else 1.0,
            rivals=first.rivals if first else 0,
            times=shares.times,
            shares=over_time,
            until=until,
            effect=float(effects[-1]),
            shared=control.count - 1,
            dial=control.dial,
            grown=_grown(study, control.link[0], until),
            own=len(path) == 2 and polarity in ("B", "Bu"),
            order=orders[0] if orders else sum(name in study.model.stocks for name in path),
            rate=float(influence.modes.values[k].real) if k is not None else math.nan,
            horizon=study.horizons[-1],
            outcome=study.name,
            balancing=polarity in ("B", "Bu"),
            direct=direct,
        )
    )
    return LedgerRow(
        name,
        {say: declared.text(say)[0] if declared else "" for say in ("en", "ko")},
        path,
        polarity,
        share,
        float(acting.mean()) if len(acting) else 0.0,
        float(over_time[-1]) if len(over_time) else math.nan,
        first.rivals if first else 0,
        control,
        effects,
        gain,
        turn,
        complex(sum(own)) if own else complex(math.nan, math.nan),
        verdict,
        knocked.reasons[n],
        direct,
    )
