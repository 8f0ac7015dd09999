"""How strongly a flywheel turns at one moment: growth rate, overall gain, gains of single loops.

The *growth rate* is the real part of the leading eigenvalue of the core, the strongly connected part
of the model that the outcome hangs on (that with the most stocks). It does not depend on how equations
are written.

The *gain* says how much more than its losses the core makes up. Every stock i loses by its own drains
at a rate d_i (the balancing paths from the stock to its own flows), and gets the rest T from the core.
With s = 1 / patience the gain is the leading positive real eigenvalue of (s + D)^-1 T: by so much all
of T would have to be divided for growth to fall to s. Above 1 a push comes back larger within the
patience, the core grows by more than a factor e in that time (exact where T has no negative entries:
the reproduction number of van den Driessche and Watmough 2002, Math. Biosciences 180:29-48). An
endless patience asks whether it grows at all; it makes the gain infinite where a stock loses nothing.
Where the leading mode of the core swings, or what comes back of a push does (a leading eigenvalue is
complex), no real gain tells of it: it is NaN.

The gain of a *loop* is that of a circuit cut open: the product of its link gains over (s + d) of its
stocks, and its *turn* is the sum of 1 / (s + d), the time a push takes to come round.

Doubt: what counts as a drain depends on the equations (customers * (talk - churn) in one line shows only
the difference); so gains compare moments and levers of one model, growth rates also models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from flywheel.analysis.loops.eigen import Modes
from flywheel.analysis.loops.independent import Loop, canonical, steps
from flywheel.analysis.loops.linear import Linearisation

REAL = 1e-9


@dataclass(frozen=True, slots=True)
class LoopGain:
    """One loop cut open: what part of a push comes back, after what time, over how many stocks."""

    path: Loop
    gain: float
    turn: float
    order: int

    @property
    def reinforcing(self) -> bool:
        """Whether a push comes back in its own direction."""
        return self.gain > 0


def core_of(modes: Modes, outcome: Collection[str]) -> tuple[str, ...]:
    """The stocks of the feedback part with the most stocks among those that act on the outcome.

    Ties go to the part that grows fastest. Empty where no feedback acts on the outcome. An empty
    ``outcome`` means any.
    """
    acting = _acting(modes.system, outcome)
    parts = [
        part
        for part, feedback in zip(modes.parts, modes.feedback, strict=True)
        if feedback and (not outcome or not acting.isdisjoint(part))
    ]
    # Modes come by descending growth, and max takes the first among equals.
    return max(parts, key=len, default=())


def _acting(system: Linearisation, outcome: Collection[str]) -> set[str]:
    before: dict[str, list[str]] = {}
    for source, target in system.active:
        before.setdefault(target, []).append(source)
    seen, waiting = set(outcome), list(outcome)
    while waiting:
        new = [n for n in before.get(waiting.pop(), ()) if n not in seen]
        seen.update(new)
        waiting += new
    return seen


def leading(modes: Modes, core: Sequence[str]) -> int | None:
    """The row of the core's fastest-growing mode; None where there is no such part."""
    return next((k for k, part in enumerate(modes.parts) if part == tuple(core)), None)


def overall_gain(system: Linearisation, core: Sequence[str], patience: float = math.inf) -> float:
    """The gain of a part; infinite where a stock that is pushed loses nothing; 0 where none pushes.

    NaN where the part swings, or what comes back of a push. ``patience`` is in the model's unit of time.
    """
    place = {name: n for n, name in enumerate(system.stocks)}
    here = np.array([place[name] for name in core], dtype=int)
    if not len(here):
        return 0.0
    pushes, drains = (m[np.ix_(here, here)] for m in system.pushes_and_drains)
    own = np.linalg.eigvals(system.jacobian[np.ix_(here, here)])
    if abs(own[own.real.argmax()].imag) > REAL * np.abs(own).max():
        return math.nan
    losses = np.diag(drains) + 1 / patience
    given = pushes - (drains - np.diag(np.diag(drains)))
    if (losses == 0).any():
        return math.inf if (own.real > 0).any() else 0.0
    values = np.linalg.eigvals(given / losses[:, np.newaxis])
    alone = np.abs(values.imag) <= REAL * np.abs(values).max()
    gain = float(values.real[alone].max(initial=0.0))
    turning = float(values.real[~alone].max(initial=0.0))
    return gain if gain >= turning else math.nan


def loop_gains(
    system: Linearisation, loops: Iterable[Sequence[str]], patience: float = math.inf
) -> tuple[LoopGain, ...]:
    """Every loop cut open, in the order given.

    A loop through a stock that loses nothing has, with endless patience, an infinite gain and turn.
    """
    gain = dict(zip(system.links, system.gains.tolist(), strict=True))
    losses = np.diag(system.pushes_and_drains[1]) + 1 / patience
    loss = dict(zip(system.stocks, losses.tolist(), strict=True))
    found = []
    for loop in loops:
        product = math.prod(gain[link] for link in steps(loop))
        rates = [loss[name] for name in loop if name in loss]
        slow = math.prod(rates)
        ratio = product / slow if slow else math.copysign(math.inf, product) if product else 0.0
        turn = sum(1 / rate if rate else math.inf for rate in rates)
        found.append(LoopGain(canonical(loop), ratio, turn, len(rates)))
    return tuple(found)
