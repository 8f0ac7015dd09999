"""Levers that will be misjudged: too early, through noise, or by reasoning without feedback."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import frozen, is_korean
from flywheel.analysis.levers.assumptions import assumptions, pulled_under
from flywheel.analysis.levers.judging import (
    Verdicts,
    kendall,
    misjudged_in_time,
    ranks,
    verdicts,
)
from flywheel.analysis.levers.openloop import (
    Link,
    feedback_links,
    measured_signs,
    opened,
    returning_links,
)
from flywheel.analysis.levers.paths import Array, path
from flywheel.analysis.levers.pulling import Bench, bench, levers_of
from flywheel.analysis.levers.swing import swing
from flywheel.analysis.levers.watch import Course, course, courses, watched
from flywheel.analysis.levers.words import labels, summed
from flywheel.analysis.sensitivity.ranges import Range
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.model import Lever
from flywheel.solve.study import Study
from flywheel.units import Unit, UnitSystem

if TYPE_CHECKING:
    import pandas as pd

NOISE = 0.05
"""Noise of what observers add up in a year, in parts of the usual level while they observe."""
OBSERVED = 0.25
"""How far observers look at most, in parts of the run."""
DRAWS = 256

OpenLoop = Literal["planned", "start"]


@dataclass(frozen=True, eq=False)
class Misunderstood:
    """The misunderstood-lever index of L levers; arrays (L,), values in the outcome's unit.

    ``worth`` is V, the difference added up to the study's last horizon; ``early`` the same up to
    ``observed`` after the pull; ``open_worth`` V_open, without feedback; all discounted to the first
    pull. ``patience`` is the pay-back time, ``rates`` the internal rates of return: the discounts at
    which the lever is worth nothing. ``links`` are those cut for V_open, which is NaN with a reason in
    ``open_reasons`` where its sign depends on where the loops are cut.
    """

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    levers: tuple[Lever, ...]
    unit: str
    observed: float
    noise: float
    worth: Array
    early: Array
    open_worth: Array
    mui_time: Array
    verdicts: Verdicts
    patience: Array
    rates: tuple[tuple[float, ...], ...]
    early_rank: NDArray[np.int_]
    rank: NDArray[np.int_]
    tau: float
    """Kendall's τ-b between the ranking after ``observed`` and the one at the end."""
    links: tuple[Link, ...]
    open_reasons: tuple[str, ...]
    """Per lever why V_open is NaN; empty where it is not, or was not asked for."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a lever, the most misjudged first (by |MLI|)."""
        import pandas as pd

        v = self.verdicts
        frame = pd.DataFrame(
            {
                "mli": v.mli,
                "quadrant": v.quadrant,
                "worth": self.worth,
                "worth_early": self.early,
                "worth_open_loop": self.open_worth,
                "no_open_loop": self.open_reasons,
                "feedback_share": v.feedback_share,
                "mui_time": self.mui_time,
                "mui_feedback": v.mui_fb,
                "mui": v.mui,
                "size": v.size,
                "patience": self.patience,
                "rank_early": self.early_rank,
                "rank": self.rank,
                "rank_jump": self.early_rank - self.rank,
            },
            index=pd.Index([one.name for one in self.levers], name="lever"),
        )
        order = np.argsort(-np.abs(np.nan_to_num(v.mli)), kind="stable")
        return frame.iloc[order]

    def explain(self, language: str = "en") -> str:
        """Which good lever will be misunderstood, which bad one seduces, how the ranking turns."""
        from flywheel.analysis.levers.misunderstood_words import explain

        return explain(self, is_korean(language))

    def __repr__(self) -> str:
        some = [
            f"{one.name} {mli:+.2f}"
            for one, mli in zip(self.levers, self.verdicts.mli, strict=True)
        ]
        return f"<misunderstood levers of {self.stamp.outcome}: {', '.join(some)}>"


def misunderstood(
    study: Study,
    levers: Iterable[str | Lever] | None = None,
    *,
    at: float | None = None,
    observed: float | None = None,
    noise: float = NOISE,
    discount: float | None = None,
    better: int = 1,
    open_loop: OpenLoop | None = "planned",
) -> Misunderstood:
    """How levers (all declared ones by default) will be misjudged by who looks too early or too simply.

    ``observed`` is the longest horizon of observers, a quarter of the study's by default; ``noise`` that
    of what they have added up after a year, in parts of the usual level in (0, ``observed``] after the
    pull: over the whole time a growing business is far above what they look at. ``open_loop``: what
    cut links go on reading: the course without the lever ("planned"), the value of the start ("start"),
    or None to leave V_open out. See ``openloop.feedback_links`` for which links are cut, in both runs.

    Raises UnknownNameError and UsageError as ``dip`` does.
    """
    what = watched(study)
    interest = what.discount if discount is None else float(discount)
    horizon = _observed(study, observed)
    _check(interest, noise, better)
    on = bench(study, levers_of(study, levers, at), (what.name,))
    end, rate = study.end, math.log1p(interest)
    found = courses(on, what.name, end, better)
    swings = [swing(c.times, c.difference, c.scale, rate=rate) for c in found]
    links: tuple[Link, ...] = ()
    without, reasons = np.full(len(found), np.nan), [""] * len(found)
    if open_loop is not None:
        links, without, reasons = _without_feedback(on, what.name, open_loop, rate, better)
    back = np.exp(-rate * (on.starts - on.starts.min()))
    worth = back * np.array([one.npv[0] for one in swings])
    early = back * np.array([_worth(c, rate, horizon)[0] for c in found])
    unsure = noise * math.sqrt(_year(study))
    in_time = np.array(
        [
            misjudged_in_time(
                c.times, c.difference, v, observed=horizon, noise=unsure * c.level_until(horizon)
            )[0]
            for c, v in zip(found, worth[:, None], strict=True)
        ]
    )
    return Misunderstood(
        label=labels(study),
        stamp=stamp_of_study(
            study,
            watched=what.name,
            discount=interest,
            observed=horizon,
            noise=noise,
            noise_of="usual level while observed",
            open_loop=open_loop,
        ),
        levers=on.levers,
        unit=summed(what.unit, study.time_unit),
        observed=horizon,
        noise=noise,
        worth=frozen(worth),
        early=frozen(early),
        open_worth=frozen(back * without),
        mui_time=frozen(in_time),
        verdicts=verdicts(worth, back * without, in_time),
        patience=frozen([one.t_pay[0] for one in swings]),
        rates=tuple(one.rates[0] for one in swings),
        early_rank=ranks(early),
        rank=ranks(worth),
        tau=kendall(early, worth),
        links=links,
        open_reasons=tuple(reasons),
    )


@dataclass(frozen=True, eq=False)
class RobustlyMisunderstood:
    """The index over N draws of the parameters: arrays (L,), NaN draws left out and counted."""

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    levers: tuple[Lever, ...]
    draws: int
    good: Array
    """P(MLI > 0): the part of draws in which the lever is a good one that is misjudged."""
    mli: Array
    """(L, 3): the 5 %, 50 % and 95 % quantiles of MLI (misjudged in time; V_open is left out)."""
    patience: Array
    """The median pay-back time; infinite where at least half of the draws never pay back."""
    depth: Array
    """The depth that one draw in ten exceeds, in parts of Ȳ."""
    failed: NDArray[np.int_]
    """Draws without a value."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a lever."""
        import pandas as pd

        return pd.DataFrame(
            {
                "p_misunderstood_good": self.good,
                "mli_5": self.mli[:, 0],
                "mli": self.mli[:, 1],
                "mli_95": self.mli[:, 2],
                "patience_median": self.patience,
                "depth_90": self.depth,
                "failed": self.failed,
            },
            index=pd.Index([one.name for one in self.levers], name="lever"),
        )

    def explain(self, language: str = "en") -> str:
        """Which lever is surely good and misjudged, and which one it is hardest to say of."""
        from flywheel.analysis.levers.misunderstood_words import explain_robust

        return explain_robust(self, is_korean(language))

    def __repr__(self) -> str:
        return f"<misunderstood levers of {self.stamp.outcome} over {self.draws} draws>"


def misunderstood_under(
    study: Study,
    levers: Iterable[str | Lever] | None = None,
    *,
    names: Iterable[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    at: float | None = None,
    observed: float | None = None,
    noise: float = NOISE,
    discount: float | None = None,
    better: int = 1,
) -> RobustlyMisunderstood:
    """The index over an ensemble of parameters, by scrambled Sobol' draws from their ranges.

    Misjudgement by feedback is left out: it would need an open loop of its own in every draw, and
    whether MLI is above 0 does not depend on it.

    Raises as ``misunderstood`` and ``assumptions`` do.
    """
    what = watched(study)
    interest = what.discount if discount is None else float(discount)
    horizon = _observed(study, observed)
    _check(interest, noise, better)
    on = bench(study, levers_of(study, levers, at), (what.name,))
    given = assumptions(study, names, ranges, draws=draws, seed=seed)
    count, rate = len(on.levers), math.log1p(interest)
    values = better * pulled_under(on, given).column(what.name)
    values = values.reshape(draws, count + 1, -1)
    worth, in_time, patience, depth = (np.full((draws, count), np.nan) for _ in range(4))
    unsure = noise * math.sqrt(_year(study))
    for k, start in enumerate(on.starts):
        one = course(study.times, values[:, 0], values[:, k + 1], start, study.end)
        dips = swing(one.times, one.difference, one.scale, rate=rate, returns=False)
        worth[:, k] = np.exp(-rate * (start - on.starts.min())) * dips.npv
        patience[:, k], depth[:, k] = dips.t_pay, dips.depth
        blur = unsure * one.level_until(horizon)
        in_time[:, k] = misjudged_in_time(
            one.times, one.difference, worth[:, k], observed=horizon, noise=blur
        )
    nothing = np.full(count, np.nan)
    mli: Array = np.array(
        [verdicts(v, nothing, u).mli for v, u in zip(worth, in_time, strict=True)]
    )
    sound: NDArray[np.bool_] = np.asarray(np.isfinite(mli))
    columns = [(mli[s, k], patience[s, k], depth[s, k]) for k, s in enumerate(sound.T)]
    return RobustlyMisunderstood(
        label=labels(study),
        stamp=stamp_of_study(
            study,
            watched=what.name,
            discount=interest,
            observed=horizon,
            noise=noise,
            noise_of="usual level while observed",
            draws=draws,
            ensemble_seed=seed,
            varied=len(given.names),
        ),
        levers=on.levers,
        draws=draws,
        good=frozen([np.mean(m > 0) if m.size else np.nan for m, _, _ in columns]),
        mli=frozen([_quantiles(m, (0.05, 0.5, 0.95)) for m, _, _ in columns]),
        patience=frozen([_quantiles(p, (0.5,))[0] for _, p, _ in columns]),
        depth=frozen([_quantiles(d, (0.9,))[0] for _, _, d in columns]),
        failed=np.asarray(draws - sound.sum(axis=0)),
    )


def _quantiles(values: Array, parts: tuple[float, ...]) -> Array:
    """Quantiles by the value at or above the place: pay-back times may be infinite."""
    if not values.size:
        return np.full(len(parts), np.nan)
    return np.quantile(values, parts, method="higher")


def _worth(one: Course, rate: float, until: float | None = None) -> Array:
    """(M,) the discounted integral of a course, up to ``until`` after the pull."""
    sound = np.asarray(np.isfinite(one.difference).all(axis=1))
    line = path(one.times, np.where(sound[:, None], one.difference, 0.0), rate)
    end = float(one.times[-1]) if until is None else min(until, float(one.times[-1]))
    return np.where(sound, line.worth_at(np.array([end]))[:, 0], np.nan)


def _open_worths(
    on: Bench,
    sets: Sequence[tuple[Link, ...]],
    variable: str,
    how: OpenLoop,
    rate: float,
    better: int,
) -> list[Array]:
    """V_open of every lever (L,) for each set of links per lever: ``sets`` holds L of them a time.

    All in one opened model, in which each run cuts its own links.
    """
    study = on.study
    union = tuple(dict.fromkeys(link for links in sets for link in links))
    columns = {source: study.column(source) for source, _ in union}
    if how == "start":
        columns = {source: np.full_like(course, course[0]) for source, course in columns.items()}
    model, switches = opened(study.model, union, study.times, columns)
    bench = on.opened(model)
    count = len(on.levers)
    cuts = np.array([[link in links for link in union] for links in sets], dtype=float)
    pulls = np.tile(np.eye(count), (len(sets) // count, 1))
    both = np.concatenate([np.zeros_like(pulls), pulls])
    values = better * bench.run(both, switches, np.concatenate([cuts, cuts])).column(variable)
    usual, pulled = values[: len(sets)], values[len(sets) :]
    worth = [
        _worth(course(study.times, usual[n : n + 1], pulled[n : n + 1], start, on.origin.end), rate)
        for n, start in enumerate(np.tile(on.starts, len(sets) // count))
    ]
    return np.split(np.array([float(one[0]) for one in worth]), len(sets) // count)


def _without_feedback(
    on: Bench, variable: str, how: OpenLoop, rate: float, better: int
) -> tuple[tuple[Link, ...], Array, list[str]]:
    """The links cut, V_open of every lever (L,), and why it is NaN where it is.

    Loops are opened again as each lever sees them, and what has another sign then is not known.
    """
    model = on.origin.model
    signs = measured_signs(model, on.origin.scenario)
    links = feedback_links(model, [variable], signs)
    own = [returning_links(model, lever, signs) for lever in on.levers]
    shared = [links] * len(own)
    worth, others = _open_worths(on, [*shared, *own], variable, how, rate, better)
    reasons = [""] * len(worth)
    for k, other in enumerate(others):
        if not math.isfinite(worth[k] + other):
            reasons[k] = "a run with the loops opened failed"
        elif worth[k] * other < 0:
            both = f"{worth[k]:.3g} or {other:.3g}"
            reasons[k] = f"its sign depends on where the loops are cut: {both}"
    return links, np.where([bool(reason) for reason in reasons], np.nan, worth), reasons


def _observed(study: Study, observed: float | None) -> float:
    if observed is None:
        return OBSERVED * (study.end - study.since)
    if not observed > 0:
        raise UsageError(f"observers look ahead by a duration greater than 0, not {observed!r}")
    return float(observed)


def _check(discount: float, noise: float, better: int) -> None:
    if not discount > -1.0:
        raise UsageError(f"a discount is greater than -1 a unit of time, not {discount!r}")
    if not noise >= 0:
        raise UsageError(f"noise is 0 or more, not {noise!r}")
    if better not in (1, -1):
        raise UsageError(f"better is 1 (more is better) or -1 (less is), not {better!r}")


def _year(study: Study) -> float:
    """A year in the model's unit of time; 1 where that is not known."""
    units = UnitSystem(study.model.units.values())
    clock = units.dimension(study.model.time.unit)
    year = units.dimension(Unit((("year", Fraction(1)),)))
    if clock is None or year is None or not clock.alike(year):
        return 1.0
    return year.factor_to(clock)
