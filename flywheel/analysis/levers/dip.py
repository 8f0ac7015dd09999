"""Worse before better: how the difference a lever makes swings, from its own time on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.decide.words import frozen, is_korean, say
from flywheel.analysis.levers.paths import Array
from flywheel.analysis.levers.pulling import bench, levers_of
from flywheel.analysis.levers.swing import (
    BETTER,
    BETTER_FIRST,
    MIXED,
    NONE,
    THRESHOLD,
    WORSE,
    WORSE_FIRST,
    Swing,
    swing,
)
from flywheel.analysis.levers.watch import Course, Watched, courses, watched
from flywheel.analysis.levers.words import duration, moment, percent, small, summed
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.model import Lever
from flywheel.solve.study import Study

if TYPE_CHECKING:
    import pandas as pd

_NOTHING = 0.005
"""Units of time of the usual level that are not worth calling a debt."""


@dataclass(frozen=True, eq=False)
class Dip:
    """One lever's dip. Times count from the pull, in the model's unit of time.

    ``swing`` holds the metrics with one member; ``mirror`` the same with the roles of better and
    worse exchanged, which is how a quick fix is read: its depth is how high the early gain rises,
    its ``t_flow`` when the gain is over.
    """

    stamp: Stamp
    lever: Lever
    watched: Watched
    start: float
    discount: float
    better: int
    """1 where more of the watched variable is better, −1 where less is."""
    times: Array
    """(T,) saved times from the pull on, the first is 0."""
    difference: Array
    """(T,) with the lever minus without, in the variable's unit and turned so that more is better."""
    usual: Array
    """(T,) the variable without the lever, turned likewise."""
    scale: float
    """Ȳ, the mean size of the variable without the lever."""
    swing: Swing
    mirror: Swing

    @property
    def shape(self) -> str:
        """worse before better, better before worse, better, worse, mixed, or no effect."""
        return self.swing.shape[0]

    @property
    def frame(self) -> pd.DataFrame:
        """The metrics, one column; the index names them."""
        import pandas as pd

        one = self.swing
        rates = one.rates[0]
        return pd.DataFrame(
            {
                self.lever.name: {
                    "shape": self.shape,
                    "first_sign": int(one.first[0]),
                    "depth": float(one.depth[0]),
                    "depth_then": float(one.depth_then[0]),
                    "trough": float(one.trough[0]),
                    "t_flow": float(one.t_flow[0]),
                    "t_pay": float(one.t_pay[0]),
                    "peak_debt": float(one.debt[0]),
                    "pain_share": float(one.pain_share[0]),
                    "internal_rates": ", ".join(f"{r:.6g}" for r in rates) or "none",
                    "npv": float(one.npv[0]),
                    "watched": self.watched.name,
                    "discount": self.discount,
                    "pulled_at": self.start,
                    "ends_at": self.start + float(self.times[-1]),
                }
            },
            dtype=object,
        )

    def explain(self, language: str = "en") -> str:
        """What the lever does first and last, when it pays back, and at what rate."""
        return _explain(self, is_korean(language))

    def __repr__(self) -> str:
        one = self.swing
        return (
            f"<dip of {self.watched.name} by {self.lever.name}: {self.shape}, depth "
            f"{one.depth[0]:.3g}, pay-back {one.t_pay[0]:.3g}, worth {one.npv[0]:.4g}>"
        )


def dip(
    study: Study,
    lever: str | Lever | None = None,
    *,
    at: float | None = None,
    until: float | None = None,
    discount: float | None = None,
    better: int = 1,
    threshold: float = THRESHOLD,
    **setting: float,
) -> Dip:
    """The dip of one lever: a declared one, ``"parameter=value"``, or ``parameter=value``.

    What is watched is the variable under the outcome's total or mean, or the outcome's variable (see
    ``Dip.watched``). ``at`` is the pull (the lever's own time, else the study's ``since``), ``until``
    the last moment looked at (that of the last horizon), ``discount`` per unit of time (the
    outcome's own). ``better=-1`` where less is better.

    Raises UnknownNameError and UsageError for what is no lever, or an outcome without a course.
    """
    if len(setting) + (lever is not None) != 1:
        raise UsageError("a dip is that of one lever: give its name, or one parameter=value")
    asked = lever if lever is not None else next(f"{k}={v!r}" for k, v in setting.items())
    return dips(
        study,
        [asked],
        at=at,
        until=until,
        discount=discount,
        better=better,
        threshold=threshold,
    )[0]


def dips(
    study: Study,
    levers: Iterable[str | Lever] | None = None,
    *,
    at: float | None = None,
    until: float | None = None,
    discount: float | None = None,
    better: int = 1,
    threshold: float = THRESHOLD,
) -> tuple[Dip, ...]:
    """The dips of several levers (all declared ones by default), each alone, in one batch of runs."""
    if better not in (1, -1):
        raise UsageError(f"better is 1 (more is better) or -1 (less is), not {better!r}")
    what = watched(study)
    interest = what.discount if discount is None else float(discount)
    if not interest > -1.0:
        raise UsageError(f"a discount is greater than -1 a unit of time, not {discount!r}")
    end = study.end if until is None else float(until)
    on = bench(study, levers_of(study, levers, at), (what.name,))
    found = courses(on, what.name, end, better)
    return tuple(
        _dip(study, one, what, start, end, interest, better, course, threshold)
        for one, start, course in zip(on.levers, on.starts, found, strict=True)
    )


def _dip(
    study: Study,
    lever: Lever,
    what: Watched,
    start: float,
    end: float,
    discount: float,
    better: int,
    course: Course,
    threshold: float,
) -> Dip:
    rate = math.log1p(discount)
    one, other = (
        swing(
            course.times,
            sign * course.difference,
            course.scale,
            rate=rate,
            threshold=threshold,
            usual=course.usual,
        )
        for sign in (1.0, -1.0)
    )
    return Dip(
        stamp=stamp_of_study(
            study,
            lever=lever.name,
            pulled=float(start),
            until=end,
            watched=what.name,
            discount=discount,
        ),
        lever=lever,
        watched=what,
        start=float(start),
        discount=discount,
        better=better,
        times=frozen(course.times),
        difference=frozen(course.difference[0]),
        usual=frozen(course.usual[0]),
        scale=float(course.scale[0]),
        swing=one,
        mirror=other,
    )


# Sentences --------------------------------------------------------------------------------------


def _explain(dip: Dip, korean: bool) -> str:
    unit, interest = dip.stamp.time_unit, percent(dip.discount)
    language = "ko" if korean else "en"
    name, what = dip.lever.text(language)[0], dip.watched.text(language)
    worth = f"{say(float(dip.swing.npv[0]) * dip.better)} {summed(dip.watched.unit, unit)}".strip()
    start, end = (moment(t, unit, korean) for t in (dip.start, dip.start + float(dip.times[-1])))
    if korean:
        of = f"{start} 가치로 할인한 합계는(할인율 {interest})" if dip.discount else "합계는"
        parts = (
            f"{start}부터 「{name}」 레버를 당기면 「{what}」: {_course_ko(dip, unit)}",
            f"{end}까지의 차이를 더하면 {of} {worth}입니다.",
            _return_ko(dip, unit),
        )
        return " ".join(filter(None, parts))
    of = f", discounted to {start} at {interest}" if dip.discount else ""
    parts = (
        f'Pulled in {start}, "{name}" makes {small(what)} {_course_en(dip, unit)}',
        f"Until {end} the difference adds up to {worth}{of}.",
        _return_en(dip, unit),
    )
    return " ".join(filter(None, parts))


def _course_en(dip: Dip, unit: str) -> str:
    low, high = dip.swing, dip.mirror
    deepest, highest = _level_en(low), _level_en(high)
    match dip.shape:
        case s if s == WORSE_FIRST:
            return (
                f"worse before better: at its deepest it falls short by {deepest}, "
                f"after {duration(low.trough[0], unit)}, and is ahead for good "
                f"{_when_en(low.t_flow[0], unit)}."
            )
        case s if s == BETTER_FIRST:
            return (
                f"better before worse: at its highest it gains {highest}, "
                f"after {duration(high.trough[0], unit)}, and falls behind for good "
                f"{_when_en(high.t_flow[0], unit)}."
            )
        case s if s == BETTER:
            first = "from the start" if low.t_flow[0] <= 0 else _HARDLY_EN.format("worse")
            return f"better {first}, at its highest by {highest}."
        case s if s == WORSE:
            first = "throughout" if high.t_flow[0] <= 0 else _HARDLY_EN.format("better")
            return f"worse {first}, at its deepest by {deepest}."
        case s if s == MIXED:
            return (
                f"change sides more than once: at its deepest {deepest} below, at its highest "
                f"{highest} above."
            )
        case s if s == NONE:
            return "no different by as much as 1% of its usual level."
        case _:
            return "impossible to judge: the run with the lever failed."


_MOST_THEN = 10.0
"""Parts of the level of the time above which it says nothing: something crosses zero there."""


def _level_en(one: Swing) -> str:
    """How far apart at most: by the usual level of that time, where there is one."""
    if one.depth_then[0] <= _MOST_THEN:
        return f"{percent(float(one.depth_then[0]))} of the usual level of the time"
    return f"{percent(float(one.depth[0]))} of its mean level"


def _level_ko(one: Swing) -> str:
    if one.depth_then[0] <= _MOST_THEN:
        return f"그 시점 평소 수준의 {percent(float(one.depth_then[0]))}"
    return f"평균 수준의 {percent(float(one.depth[0]))}"


def _when_en(t: float, unit: str) -> str:
    return f"after {duration(t, unit)}" if np.isfinite(t) else "not within the run"


_HARDLY_EN = "(and nowhere {} by as much as 1%)"


def _return_en(dip: Dip, unit: str) -> str:
    one = dip.swing
    if dip.shape in (NONE, "failed"):
        return ""
    rates = _rates(dip)
    a_time = f"a {unit}" if unit else "per unit of time"
    if dip.shape == BETTER_FIRST:
        pays = float(dip.mirror.t_pay[0])
        if not np.isfinite(pays):
            return "What it gains first is not used up by then."
        loan = f"As a loan its early gain costs {rates[0]} {a_time}" if len(rates) == 1 else ""
        spent = f"the gain is used up after {duration(pays, unit)}"
        said = "; ".join(filter(None, (loan, spent)))
        return f"{said[0].upper()}{said[1:]}." if said else ""
    earned = (
        f"; its internal rate of return is {rates[0]} {a_time}"
        if len(rates) == 1
        else f"; it has {len(rates)} internal rates of return ({', '.join(rates)} {a_time})"
        if rates
        else ""
    )
    owed, pays = float(one.debt[0]), float(one.t_pay[0])
    if owed < _NOTHING:
        return "Hardly anything has to be invested first."
    back = (
        f"it pays back after {duration(pays, unit)}" if np.isfinite(pays) else "it never pays back"
    )
    return (
        f"At most {duration(owed, unit)} of the usual level is owed, and {back}{earned}."
        if not math.isnan(owed)
        else f"{back[0].upper()}{back[1:]}{earned}."
    )


def _rates(dip: Dip) -> list[str]:
    """The internal rates by the unit of time. One that only bad follows is no return: it is left out."""
    if dip.shape == WORSE:
        return []
    return [percent(math.expm1(rate)) for rate in dip.swing.rates[0]]


def _course_ko(dip: Dip, unit: str) -> str:
    low, high = dip.swing, dip.mirror
    deepest, highest = _level_ko(low), _level_ko(high)
    match dip.shape:
        case s if s == WORSE_FIRST:
            return (
                f"먼저 나빠졌다가 좋아집니다. {duration(low.trough[0], unit, 'ko')} 뒤 "
                f"가장 깊을 때 {deepest}만큼 모자라고, {_when_ko(low.t_flow[0], unit)}."
            )
        case s if s == BETTER_FIRST:
            return (
                f"먼저 좋아졌다가 나빠집니다. {duration(high.trough[0], unit, 'ko')} 뒤 "
                f"가장 높을 때 {highest}만큼 앞서고, {_when_ko(high.t_flow[0], unit, worse=True)}."
            )
        case s if s == BETTER:
            first = "처음부터" if low.t_flow[0] <= 0 else "(1% 미만의 손해를 빼면)"
            return f"{first} 좋아지며 가장 높을 때 {highest}만큼 앞섭니다."
        case s if s == WORSE:
            first = "내내" if high.t_flow[0] <= 0 else "(1% 미만의 이득을 빼면)"
            return f"{first} 나빠지며 가장 깊을 때 {deepest}만큼 모자랍니다."
        case s if s == MIXED:
            return (
                f"좋고 나쁨이 여러 번 바뀝니다. 가장 깊을 때 {deepest}만큼 모자라고 "
                f"가장 높을 때 {highest}만큼 앞섭니다."
            )
        case s if s == NONE:
            return "평소 수준의 1%만큼도 달라지지 않습니다."
        case _:
            return "레버를 당긴 실행이 실패하여 판단할 수 없습니다."


def _when_ko(t: float, unit: str, worse: bool = False) -> str:
    if not np.isfinite(t):
        return "이 실행 안에서는 뒤집히지 않습니다"
    side = "뒤처집니다" if worse else "앞섭니다"
    return f"{duration(t, unit, 'ko')} 뒤부터는 계속 {side}"


def _return_ko(dip: Dip, unit: str) -> str:
    one = dip.swing
    if dip.shape in (NONE, "failed"):
        return ""
    rates = _rates(dip)
    if dip.shape == BETTER_FIRST:
        pays = float(dip.mirror.t_pay[0])
        if not np.isfinite(pays):
            return "먼저 얻은 이득이 그때까지 다 사라지지는 않습니다."
        loan = (
            f"먼저 얻은 이득을 빌린 돈으로 보면 이율은 {rates[0]}입니다." if len(rates) == 1 else ""
        )
        spent = f"먼저 얻은 이득은 {duration(pays, unit, 'ko')} 뒤에 다 사라집니다."
        return " ".join(filter(None, (loan, spent)))
    earned = f" 내부수익률은 {', '.join(rates)}입니다." if rates else ""
    owed, pays = float(one.debt[0]), float(one.t_pay[0])
    if owed < _NOTHING:
        return "먼저 투자해야 하는 것은 거의 없습니다."
    back = (
        f"{duration(pays, unit, 'ko')} 뒤 회수됩니다" if np.isfinite(pays) else "회수되지 않습니다"
    )
    debt = f"빚은 평소 수준의 최대 {duration(owed, unit, 'ko')}분이며 " if owed == owed else ""
    return f"{debt}{back}.{earned}"
