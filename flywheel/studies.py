"""A study with verbs: one outcome of one model, and everything that can be asked about it.

``flywheel.solve.study.Study`` runs and differentiates; here it answers. Each answer is a frozen table
with ``frame``, ``plot()`` and ``explain()``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from flywheel.analysis.decide.allocation import Allocation as _Allocation
from flywheel.analysis.decide.buying import DataToBuy as _DataToBuy
from flywheel.analysis.decide.learning import WorthOfKnowing as _WorthOfKnowing
from flywheel.analysis.decide.policies import RobustChoice as _RobustChoice
from flywheel.analysis.levers.dials import KINDS, Kind
from flywheel.analysis.levers.dials import Dials as _Dials
from flywheel.analysis.levers.dip import Dip as _Dip
from flywheel.analysis.levers.flip import Flips as _Flips
from flywheel.analysis.levers.ladder import Ladder as _Ladder
from flywheel.analysis.levers.misunderstood import Misunderstood as _Misunderstood
from flywheel.analysis.levers.misunderstood import (
    RobustlyMisunderstood as _RobustlyMisunderstood,
)
from flywheel.analysis.levers.ranking import Leverage as _Leverage
from flywheel.analysis.levers.robust import RobustRanking as _RobustRanking
from flywheel.analysis.levers.synergy import Synergy as _Synergy
from flywheel.analysis.levers.words import duration
from flywheel.analysis.loops.ensemble import LoopEnsemble as _LoopEnsemble
from flywheel.analysis.loops.impact import Impact as _Impact
from flywheel.analysis.loops.influence import EigenInfluence as _EigenInfluence
from flywheel.analysis.loops.ledger import LoopLedger as _LoopLedger
from flywheel.analysis.loops.matter import LoopsThatMatter as _LoopsThatMatter
from flywheel.analysis.loops.vitals import Vitals as _Vitals
from flywheel.analysis.sensitivity.table import Sensitivity as _Sensitivity
from flywheel.errors import Finding, FlywheelError, ModelError, UsageError
from flywheel.results import S, Shown, shown
from flywheel.solve import simulate
from flywheel.solve.run import Run
from flywheel.solve.study import Study as _Study

Better = Literal["higher", "lower"]

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.decide.playing import Policies
    from flywheel.analysis.levers.blocks import Block
    from flywheel.analysis.sensitivity.ranges import Range
    from flywheel.model import Lever
    from flywheel.solve.check_gradient import GradientCheck


class Leverage(Shown, _Leverage):
    """Parameters, initial stocks and levers by what they can move and when."""

    FIGURES = {
        "tornado": "leverage:tornado",
        "horizons": "leverage:by_horizon",
        "timing": "timing:timing",
    }


class Ladder(Shown, _Ladder):
    """Meadows' ladder with the model's own numbers."""

    FIGURES = {"ladder": "ladder:ladder"}


class Synergy(Shown, _Synergy):
    """What levers do together beyond what each does alone."""

    FIGURES = {"synergy": "synergy:synergy"}


class Flips(Shown, _Flips):
    """How wrong an assumption must be before another lever wins."""

    FIGURES = {"flips": "flips:flips"}


class RobustRanking(Shown, _RobustRanking):
    """Levers ranked under many draws of the uncertain parameters."""

    FIGURES = {"robust": "robust:robust"}


class RobustlyMisunderstood(Shown, _RobustlyMisunderstood):
    """How surely a lever will be misjudged, under many draws of the uncertain parameters."""

    FIGURES = {"misunderstood": "robust:misunderstood"}


class Dials(Shown, _Dials):
    """Links, flows, tables and absent links by their leverage."""

    FIGURES = {"timing": "timing:timing"}


class Dip(Shown, _Dip):
    """One lever over time: worse before better, or better before worse."""

    FIGURES = {"dip": "dip:dip"}

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The metrics, and the course that they are read off."""
        import pandas as pd

        course = {
            "time": self.start + self.times,
            "usual": self.better * self.usual,
            "difference": self.better * self.difference,
        }
        return {
            "table": self.frame.rename_axis("measure"),
            "course": pd.DataFrame(course).set_index("time"),
        }


class Misunderstood(Shown, _Misunderstood):
    """Levers by how they will be misjudged."""

    FIGURES = {"quadrants": "quadrants:quadrants"}


class LoopsThatMatter(Shown, _LoopsThatMatter):
    """Loops by the part of the change that they carry."""

    FIGURES = {"dominance": "loops:dominance"}

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The loops with their paths, and their shares over time."""
        return {"table": self.table, "shares": self.frame}


class LoopLedger(Shown, _LoopLedger):
    """Loops by share, knock-out and gain side by side."""

    FIGURES = {"ledger": "ledger:ledger"}


class Vitals(Shown, _Vitals):
    """Does the flywheel spin, how fast, and what remains when nobody pushes."""

    FIGURES = {"vitals": "vitals:vitals"}

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The vital signs, and growth rate and overall gain over the run."""
        import pandas as pd

        course = {"time": self.times, "growth_rate": self.rates, "overall_gain": self.gains}
        return {"table": self.frame, "course": pd.DataFrame(course).set_index("time")}


class LoopEnsemble(Shown, _LoopEnsemble):
    """Loop shares over many draws of the uncertain parameters."""


class EigenInfluence(Shown, _EigenInfluence):
    """Which loops make the model grow, damp or swing, by their influence on the eigenvalues."""


class Impact(Shown, _Impact):
    """Which pathways bend one stock, and which of them dominate."""


class Sensitivity(Shown, _Sensitivity):
    """Uncertain inputs by the part of the outcome's spread that they explain."""

    FIGURES = {
        "indices": "sensitivity:indices",
        "over_time": "sensitivity:over_time",
        "pairs": "sensitivity:pairs",
    }

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The measures, and those of every variable over time where they were asked for."""
        over_time = {} if self.over_time is None else {"over_time": self.over_time.frame}
        return {"table": self.frame, **over_time}


class Allocation(Shown, _Allocation):
    """A budget, spread over levers and periods."""

    FIGURES = {"allocation": "allocation:allocation"}


class RobustChoice(Shown, _RobustChoice):
    """Policies by regret over draws of what is unknown, and where the chosen one fails."""

    FIGURES = {"regret": "policies:regret", "box": "policies:box"}


class WorthOfKnowing(Shown, _WorthOfKnowing):
    """Which number to find out before choosing, and what that is worth."""

    FIGURES = {"worth": "knowing:worth"}


class DataToBuy(Shown, _DataToBuy):
    """What the data already tell about the numbers that matter, and which figure would tell more."""


class Study(_Study):
    """An outcome at horizons, and what moves it. Made by ``Model.study``.

    What compares with the baseline raises ModelError where that run fails, UsageError where the outcome
    has no value at the last horizon; ``sensitivity``, ``robust``, ``misunderstood_under``,
    ``robust_choice`` and ``worth_of_knowing`` draw their own numbers and do without it.
    """

    better: Better = "higher"
    """Whether more of the outcome is better, or less, as of costs and errors."""

    def _turned(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a verb that counts the better side by a sign."""
        return {"better": 1 if self.better == "higher" else -1, **options}

    def _sound(self) -> Self:
        """This study, once its baseline is known to have a value at the last horizon."""
        if math.isfinite(float(self.value[-1])):
            return self
        raise self._no_baseline()

    def _no_baseline(self) -> FlywheelError:
        """Why there is nothing to compare with, and where in the model."""
        run: Run = simulate(
            self.model,
            method=self.method,
            scenario=self.scenario,
            overrides=self._numbers.given,
            seed=self.seed,
            stop=float(self.times[-1]),
            step=self.grid.step,
            build=Run,
        )
        when = f"{duration(self.horizons[-1], self.time_unit)} after {self.since:g}"
        seen = f"{self.name} has no value {when}"
        if run.ok:
            return UsageError(
                f"{seen}: {self.target.reason(self.horizons[-1])}; try another horizon"
            )
        message = f"{seen}, so there is nothing to compare with: {run.status.message}"
        return ModelError(message, [Finding("error", "run-failed", message, run.status.span)])

    def _show(self, kind: type[S], table: Any) -> S:
        return shown(kind, table, model=self.model, unit=self.unit)

    def leverage(self, *, dials: bool = False, **options: Any) -> Leverage:
        """Everything that can be turned, ranked by what it can move at each horizon.

        With ``dials`` also links in loops, flows and tables. Options: ``params``, ``initials``,
        ``levers``, ``ranges``, ``discount``.
        """
        from flywheel.analysis.levers.ranking import leverage

        return self._show(
            Leverage, leverage(self._sound(), extra=self._dial_blocks() if dials else (), **options)
        )

    def ladder(self, horizon: float | None = None, *, seed: int = 0) -> Ladder:
        """Leverage by Meadows' levels, and whether her order holds in this model."""
        from flywheel.analysis.levers.ladder import ladder

        return self._show(Ladder, ladder(self.leverage(dials=True), horizon, seed=seed))

    def synergy(self, levers: Iterable[str | Lever] | None = None, **options: Any) -> Synergy:
        """Pairs and bundles of levers: complements, substitutes, fair shares, and who goes first.

        Options: ``at``, ``lag``, ``orders``, ``seed``.
        """
        from flywheel.analysis.levers.synergy import synergy

        return self._show(Synergy, synergy(self._sound(), levers, **options))

    def flips(self, levers: Iterable[str | Lever] | None = None, **options: Any) -> Flips:
        """Which assumption would have to be how wrong before another lever wins.

        Options: ``names``, ``ranges``, ``horizon``, ``at``, ``better``, ``points``.
        """
        from flywheel.analysis.levers.flip import flips

        return self._show(Flips, flips(self._sound(), levers, **self._turned(options)))

    def robust(self, levers: Iterable[str | Lever] | None = None, **options: Any) -> RobustRanking:
        """The ranking of levers under many draws of the uncertain parameters.

        Options: ``names``, ``ranges``, ``draws``, ``seed``, ``at``, ``better``.
        """
        from flywheel.analysis.levers.robust import robust

        return self._show(RobustRanking, robust(self, levers, **self._turned(options)))

    def _dial_blocks(self) -> tuple[Block, ...]:
        from flywheel.analysis.levers.dial_blocks import dial_blocks

        return dial_blocks(self)

    def dials(self, kinds: Sequence[Kind] = KINDS, *, top: int = 10, absent: int = 10) -> Dials:
        """The leverage of links, flows, tables and of information that nobody uses yet."""
        from flywheel.analysis.levers.dials import structural_dials

        return self._show(Dials, structural_dials(self._sound(), kinds, top=top, absent=absent))

    def dip(self, lever: str | Lever | None = None, **options: Any) -> Dip:
        """What a lever does over time: depth, trough, pay-back, debt, internal rates of return.

        ``lever`` is a declared one, ``"parameter=value"``, or a keyword ``parameter=value``. Options:
        ``at``, ``until``, ``discount``, ``better`` (-1 where less is better).
        """
        from flywheel.analysis.levers.dip import dip

        until = options.get("until")
        if until is not None and until > self.times[-1]:
            raise UsageError(f"until {until:g} is after the run, which ends at {self.times[-1]:g}")
        return self._show(Dip, dip(self._sound(), lever, **self._turned(options)))

    def misunderstood(
        self, levers: Iterable[str | Lever] | None = None, **options: Any
    ) -> Misunderstood:
        """Which levers observers will misjudge, and to which side.

        Options: ``at``, ``observed`` (their longest horizon), ``noise``, ``discount``, ``better``.
        """
        from flywheel.analysis.levers.misunderstood import misunderstood

        return self._show(
            Misunderstood, misunderstood(self._sound(), levers, **self._turned(options))
        )

    def misunderstood_under(
        self, levers: Iterable[str | Lever] | None = None, **options: Any
    ) -> RobustlyMisunderstood:
        """The same under many draws of the uncertain parameters.

        Options: ``names``, ``ranges``, ``draws``, ``seed``, ``at``, ``observed``, ``noise``, ``better``.
        """
        from flywheel.analysis.levers.misunderstood import misunderstood_under

        return self._show(
            RobustlyMisunderstood, misunderstood_under(self, levers, **self._turned(options))
        )

    def ledger(self, *, at: float | None = None, top: int = 12, **options: Any) -> LoopLedger:
        """Loops by their share in the past curve and by what the outcome would be without them."""
        from flywheel.analysis.loops.ledger import loop_ledger

        return self._show(LoopLedger, loop_ledger(self._sound(), at=at, top=top, **options))

    def vitals(self, at: float | None = None, **options: Any) -> Vitals:
        """Growth, gain, doubling time, momentum and break-even of the loops behind the outcome.

        Options: ``pushes``, ``cut``, ``loop``, ``patience``.
        """
        from flywheel.analysis.loops.vitals import vitals

        return self._show(Vitals, vitals(self._sound(), at, **options))

    def loop_ensemble(
        self,
        draws: int = 64,
        *,
        names: Iterable[str] | None = None,
        ranges: Mapping[str, Range] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> LoopEnsemble:
        """Loop shares over draws of the uncertain parameters within their ranges.

        Options: ``convention``, ``limit``, ``seconds``, ``most``, ``band``.
        """
        from flywheel.analysis.loops.ensemble import loop_ensemble
        from flywheel.analysis.sensitivity.design import sobol_points, to_inputs
        from flywheel.analysis.sensitivity.ranges import ranges_of

        found = ranges_of(self.model, names, ranges, {n: self.base(n) for n in self.model.params})
        unit = sobol_points(0, draws, len(found), seed)
        rows = to_inputs(unit, tuple(found.values()))
        settings = [dict(self.overrides) | dict(zip(found, row, strict=True)) for row in rows.tolist()]
        table = loop_ensemble(
            self.model, settings, method=self.method, scenario=self.scenario, step=self.grid.step,
            **options,
        )  # fmt: skip
        return self._show(LoopEnsemble, table)

    def influence(
        self, at: Sequence[float] | None = None, *, how: Literal["full", "shortest"] = "full"
    ) -> EigenInfluence:
        """Loops by their influence on growth, damping and swing, at some times (20 by default).

        ``how``: over independent loops of ``full`` rank, or Oliva's ``shortest`` set.
        """
        from flywheel.analysis.loops.influence import eigenvalue_influence
        from flywheel.analysis.loops.knockout import measured
        from flywheel.analysis.loops.linear import run_of

        found = eigenvalue_influence(run_of(self), at, outcome=measured(self), how=how)
        return self._show(EigenInfluence, found)

    def impact(self, stock: str) -> Impact:
        """Which pathways bend a stock's course, over time."""
        from flywheel.analysis.loops.impact import impact
        from flywheel.analysis.loops.linear import run_of

        return self._show(Impact, impact(run_of(self), self.spelled(stock)))

    def sensitivity(
        self,
        parameters: Iterable[str] | None = None,
        ranges: Mapping[str, Range] | None = None,
        method: str = "auto",
        runs: int | None = None,
        seed: int = 0,
        over_time: Iterable[str] | str | None = None,
        confidence: float = 0.95,
    ) -> Sensitivity:
        """How much of the outcome's spread each uncertain number explains, at every horizon."""
        from flywheel.analysis.sensitivity.apportion import sensitivity

        found = sensitivity(self, parameters, ranges, method, runs, seed, over_time, confidence)
        return self._show(Sensitivity, found)

    def allocate(
        self,
        budget: float | Sequence[float],
        levers: Iterable[str] | None = None,
        periods: int | Sequence[float] = 1,
        **options: Any,
    ) -> Allocation:
        """The best use of a budget over levers and periods, and what one more unit would bring.

        Options: ``cost`` (linear or quadratic), ``costs``, ``horizon``, ``better``, ``starts``,
        ``seed``.
        """
        from flywheel.analysis.decide.allocate import allocate

        return self._show(
            Allocation,
            allocate(self._sound(), budget, levers, periods, **{"better": self.better, **options}),
        )

    def robust_choice(self, policies: Policies | None = None, **options: Any) -> RobustChoice:
        """Which policy to choose when much is unknown, by regret, and where it fails.

        ``policies``: every declared lever alone by default; names of levers, or
        ``{name: {lever: intensity}}``. Options: ``names``, ``ranges``, ``draws``, ``seed``, ``target``,
        ``horizon``, ``better``, ``examine``, ``at``.
        """
        from flywheel.analysis.decide.policies import robust_choice

        return self._show(
            RobustChoice, robust_choice(self, policies, **{"better": self.better, **options})
        )

    def worth_of_knowing(self, policies: Policies | None = None, **options: Any) -> WorthOfKnowing:
        """What it is worth to know each uncertain number before choosing among policies.

        Options: ``names``, ``ranges``, ``draws``, ``seed``, ``horizon``, ``better``, ``sensitivity``,
        ``at``.
        """
        from flywheel.analysis.decide.learning import worth_of_knowing

        return self._show(
            WorthOfKnowing, worth_of_knowing(self, policies, **{"better": self.better, **options})
        )

    def data_to_buy(
        self, observed: Iterable[str] | Mapping[str, float] | None = None, **options: Any
    ) -> DataToBuy:
        """For the numbers worth knowing: what the data say already, and which figure to get next.

        ``observed``: variables that are or could be measured, with their relative errors; what the
        model observes by default. Options: ``worth``, ``ranges``, ``window``, ``shown``, and those of
        ``worth_of_knowing``.
        """
        from flywheel.analysis.decide.buying import data_to_buy

        return self._show(DataToBuy, data_to_buy(self._sound(), observed, **options))

    def check_gradient(self, seed: int = 0, directions: int = 3) -> GradientCheck:
        """Compare the exact derivatives with differences of runs, along random directions."""
        from flywheel.solve.check_gradient import check_gradient

        return check_gradient(self, seed, directions)
