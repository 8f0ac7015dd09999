"""Do a loop's share and its knock-out agree, and if not, why: a sentence for each case.

The reason given is the first that the numbers bear out. Where none does it is the general one: a share
speaks of the change that happened, a knock-out of the outcome that would have been.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import is_korean, say

LARGE_SHARE = 1 / 3
"""A share is large from this part of the largest one on, and small below half of that."""
LARGE_EFFECT = 0.05
"""An effect is large from this part of the outcome on, and small below half of that."""
RUNAWAY = 10.0
"""An effect of more than so many times the outcome says only that something lost its limit."""
GROWN = 10.0
_LATE = 0.5
_ABSURD = 1e6


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one loop.

    ``share`` its mean share (of 1), ``largest`` that of the largest among the ``rivals`` that it
    competes with, ``shares`` (T,) over ``times``. ``effect`` is the relative effect of its
    absence on ``outcome``, known at time ``until``. ``shared`` other loops run through its control
    link ``dial``, whose source becomes ``grown`` times what it was when cut. ``own`` marks a
    stock's own drain or adjustment, ``balancing`` any loop that balances, ``direct`` a control link
    that is also a direct way to the outcome. ``order`` counts the stocks on the loop, ``rate`` is the
    growth rate of the leading mode (NaN if there is none).
    """

    share: float
    largest: float
    rivals: int
    times: NDArray[np.float64]
    shares: NDArray[np.float64]
    until: float
    effect: float
    shared: int
    dial: str
    grown: float
    own: bool
    order: int
    rate: float
    horizon: float
    outcome: str
    balancing: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the two measures disagree, the kind of reason, and sentences in two languages.

    ``kind`` is ``agrees``, ``unknown`` (one of the two is not known), or of a disagreement: ``alone``,
    ``late``, ``slow``, ``compensated`` (much share, little effect); ``own``, ``direct``, ``shared``,
    ``runaway``, ``brake``, ``spiral``, ``frozen``, ``level`` (little share, much effect).
    """

    kind: str
    english: str = ""
    korean: str = ""

    @property
    def disagrees(self) -> bool:
        """Whether share and knock-out say different things."""
        return self.kind not in ("agrees", "unknown")

    def text(self, language: str = "en") -> str:
        """The sentence; empty where they agree."""
        return self.korean if is_korean(language) else self.english


def judge(one: Evidence) -> Verdict:
    """Compares a loop's share of the change with the effect of its absence on the outcome."""
    if not (math.isfinite(one.share) and math.isfinite(one.effect)):
        return Verdict("unknown")
    part, size = one.share / (one.largest or 1.0), abs(one.effect)
    if part >= LARGE_SHARE and size < LARGE_EFFECT / 2:
        kind, english, korean = _much_share(one)
    elif part < LARGE_SHARE / 2 and size >= LARGE_EFFECT:
        kind, english, korean = _much_effect(one)
    else:
        return Verdict("agrees")
    return Verdict(
        kind,
        f"{english} (share {one.share:.1%}, effect {effect_text(one.effect)} at horizon "
        f"{one.horizon:g}).",
        f"{korean}(몫 {one.share:.1%}, 기간 {one.horizon:g}의 효과 {effect_text(one.effect, 'ko')}).",
    )


def effect_text(effect: float, language: str = "en") -> str:
    """A relative effect for people: a percentage, or a factor where that would be absurd."""
    if abs(effect) <= RUNAWAY:
        return f"{effect:+.1%}"
    if abs(effect) > _ABSURD:
        return "100만 배 넘게" if is_korean(language) else "more than a million times as much"
    return f"{say(1 + effect)}배" if is_korean(language) else f"{say(1 + effect)} times as much"


def _much_share(one: Evidence) -> tuple[str, str, str]:
    if one.rivals == 1:
        return (
            "alone",
            "it has no rival in its part of the model, so its share is 100 % by construction",
            "모델의 해당 부분에 경쟁 루프가 없어 몫이 정의상 100%입니다",
        )
    sizes = np.abs(one.shares)
    total = float(sizes.sum())
    after = float(sizes[one.times > one.until].sum()) / total if total else 0.0
    if after > _LATE:
        return (
            "late",
            f"{after:.0%} of its share falls after {one.until:g}, when {one.outcome} is known",
            f"몫의 {after:.0%}가 「{one.outcome}」 값이 정해지는 {one.until:g} 이후에 생깁니다",
        )
    if one.order >= 3 and math.isfinite(one.rate) and abs(one.rate) < 1 / one.order:
        return (
            "slow",
            f"in slow change (leading rate {one.rate:+.2g}) shares favour long loops, and it runs "
            f"through {one.order} stocks",
            f"변화가 느릴 때(지배 성장률 {one.rate:+.2g}) 몫은 긴 루프에 유리한데, 이 루프는 저량 "
            f"{one.order}개를 지납니다",
        )
    return (
        "compensated",
        f"it bends the curve, but without it other loops bring {one.outcome} to nearly the same value",
        f"곡선은 이 루프가 굽히지만, 이 루프가 없어도 다른 루프들이 「{one.outcome}」 값을 거의 같은 "
        "곳으로 이끕니다",
    )


def _much_effect(one: Evidence) -> tuple[str, str, str]:
    if one.own:
        return (
            "own",
            "it is how a stock empties or adjusts: cut, the stock runs away from where it belongs",
            "저량이 비거나 조정되는 방식이므로, 끊으면 저량이 제자리에서 벗어납니다",
        )
    if one.direct:
        return (
            "direct",
            f"its control link {one.dial} is also a direct way to {one.outcome}: the effect is of that "
            "way, not of the feedback alone",
            f"제어 연결 「{one.dial}」은 「{one.outcome}」에 바로 이르는 길이기도 하므로, 효과가 "
            "되먹임만의 것은 아닙니다",
        )
    if one.shared:
        return (
            "shared",
            f"its control link {one.dial} also carries {one.shared} other loop"
            f"{'s' if one.shared > 1 else ''}, and the effect is theirs as well",
            f"제어 연결 「{one.dial}」에 다른 루프 {one.shared}개가 함께 걸려 있어 효과도 함께 "
            "나타납니다",
        )
    if abs(one.effect) > RUNAWAY:
        return (
            "runaway",
            "without it nothing holds growth back, and the size of the effect says no more than that",
            "이 루프가 없으면 성장을 막는 것이 없으며, 효과의 크기에는 그 이상의 뜻이 없습니다",
        )
    if one.balancing:
        return (
            "brake",
            "it is a brake: while it holds it carries little of the change, and what it holds back "
            "would run on without it",
            "제동 루프입니다. 작동하는 동안에는 변화의 작은 몫만 나르지만, 없으면 붙잡혀 있던 것이 "
            "계속 움직입니다",
        )
    if one.grown < 1 and one.effect > 0:
        return (
            "spiral",
            f"what it amplifies in this run is a decline: held at its value of that moment, {one.dial} "
            "no longer passes the decline on",
            f"이 실행에서 이 루프가 키우는 것은 하락입니다. 「{one.dial}」 연결을 그 시점의 값에 두면 "
            "하락이 더 전해지지 않습니다",
        )
    if one.grown > GROWN:
        return (
            "frozen",
            f"cut, {one.dial} stays at its value of that moment, which grew to {say(one.grown)} times "
            "that: the effect is of the size never reached, not of the feedback alone",
            f"끊으면 「{one.dial}」 연결이 그 시점의 값에 머무는데 그 값은 {say(one.grown)}배가 "
            "되었으므로, 효과에는 되먹임뿐 아니라 도달하지 못한 규모가 들어 있습니다",
        )
    return (
        "level",
        f"it carries little of the change from step to step, yet {one.outcome} rests on the level "
        "that it holds",
        f"단계마다의 변화에서 나르는 몫은 작지만 「{one.outcome}」 값은 이 루프가 유지하는 수준에 "
        "달려 있습니다",
    )
