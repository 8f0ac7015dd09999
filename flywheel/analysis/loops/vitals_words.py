"""The vital signs of a flywheel in plain sentences, English and Korean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.analysis.decide.words import at_time, say, subject
from flywheel.analysis.loops.naming import each, lasting

if TYPE_CHECKING:
    from flywheel.analysis.loops.vitals import Vitals


def in_english(v: Vitals) -> str:
    """Does it spin, how fast, by which loop; what remains without pushing; when a cut pays."""
    unit = v.stamp.time_unit
    if v.reason:
        when = at_time(v.at, unit)
        return f"At {when} the flywheel has no vital signs for {v.stamp.outcome}: {v.reason}."
    state = (
        f"grows of its own accord at a rate of {v.rate:.1%} {each(unit)}, doubling in "
        f"{lasting(v.doubling, unit)}"
        if v.rate > 0
        else f"dies away at a rate of {abs(v.rate):.1%} {each(unit)} when left to itself"
    )
    stocks = "1 stock" if len(v.core) == 1 else f"{len(v.core)} stocks"
    spins = "it spins" if v.spins else "it does not spin"
    within = lasting(v.patience, unit)
    gain = (
        f"its overall gain within {within} is {say(v.gain)} against a break-even of 1, so {spins}"
        if math.isfinite(v.gain) or v.gain > 0
        else f"a push comes back from both sides in turn{_round(v, 'en')}, so its overall gain has no "
        f"value; judged by its growth within {within}, {spins}"
    )
    told = [
        f"At {at_time(v.at, unit)} the core of {stocks} behind {subject(v.stamp, 'en')} {state}; {gain}."
    ]
    if v.loops:
        best = v.loops[0]
        told.append(
            f"The strongest reinforcing loop is {v.labels['en'][0]}: alone it brings a push back "
            f"{say(best.gain)} times as large after about {lasting(best.turn, unit)}"
            f"{'; other loops take that back' if best.gain > 1 and not v.spins else ''}."
        )
    if v.momentum is not None:
        horizon, left = v.stamp.horizons[-1], float(v.momentum.remains[-1])
        names = ", ".join(v.momentum.pushes)
        told.append(
            f"Without {names} from {v.momentum.since:g} on, {left:.0%} remains at horizon {horizon:g}."
            if math.isfinite(left)
            else f"What remains without {names} is not known: {v.momentum.reason or 'it is 0'}."
        )
    if v.break_even is not None:
        b, horizon = v.break_even, v.stamp.horizons[-1]
        what = f"Changing {b.param} by {b.by:+.0%}"
        if b.reasons[-1]:
            told.append(
                f"{what} has no break-even within {lasting(horizon, unit)}: {b.reasons[-1]}."
            )
        else:
            told.append(
                f"{what} breaks even within {lasting(horizon, unit)} at a loop gain of "
                f"{say(float(b.gain[-1]))}; now it is {say(b.gain_now)}, and the effect is "
                f"{say(float(b.effect[-1]))}."
            )
        if not b.control.exclusive:
            told.append(
                f"The loop was turned by {b.control.dial}, which {b.control.count - 1} other loops "
                "share."
            )
    return " ".join(told)


def in_korean(v: Vitals) -> str:
    """The same in Korean."""
    unit = v.stamp.time_unit
    if v.reason:
        why = _korean(v.reason)
        return f"{v.at:g} 시점에는 「{v.stamp.outcome}」에 대한 플라이휠 지표가 없습니다({why})."
    state = (
        f"스스로 {each(unit, 'ko')} {v.rate:.1%}의 율로 성장하며 두 배가 되는 데 "
        f"{lasting(v.doubling, unit, 'ko')} 걸립니다"
        if v.rate > 0
        else f"그대로 두면 {each(unit, 'ko')} {abs(v.rate):.1%}의 율로 줄어듭니다"
    )
    spin = "돌아갑니다" if v.spins else "스스로 돌지 못합니다"
    within = lasting(v.patience, unit, "ko")
    gain = (
        f"{within} 안의 전체 이득은 {say(v.gain)}(손익분기 1)이므로 플라이휠은 {spin}."
        if math.isfinite(v.gain) or v.gain > 0
        else f"민 힘이 양쪽에서 번갈아 돌아오므로{_round(v, 'ko')} 전체 이득은 값이 없습니다. "
        f"{within} 안의 성장률로 보면 플라이휠은 {spin}."
    )
    told = [
        f"{v.at:g} 시점에 {subject(v.stamp, 'ko')} 뒤의 핵심 저량 {len(v.core)}개는 {state}. {gain}"
    ]
    if v.loops:
        best = v.loops[0]
        told.append(
            f"가장 강한 강화 루프는 「{v.labels['ko'][0]}」이며, 이 루프만 보면 한 번 민 힘이 약 "
            f"{lasting(best.turn, unit, 'ko')} 뒤에 {say(best.gain)}배로 돌아옵니다."
            + (" 다른 루프들이 이를 상쇄합니다." if best.gain > 1 and not v.spins else "")
        )
    if v.momentum is not None:
        left = float(v.momentum.remains[-1])
        names = ", ".join(f"「{name}」" for name in v.momentum.pushes)
        told.append(
            f"{v.momentum.since:g}부터 {names} 없이도 기간 {v.stamp.horizons[-1]:g}에 "
            f"{left:.0%} 남습니다."
            if math.isfinite(left)
            else f"{names} 없이 남는 양은 알 수 없습니다."
        )
    if v.break_even is not None:
        b, horizon = v.break_even, v.stamp.horizons[-1]
        what = f"「{b.param}」 {b.by:+.0%} 변경"
        told.append(
            f"{what}의 손익분기는 {lasting(horizon, unit, 'ko')} 안에 없습니다"
            f"({_korean(b.reasons[-1])})."
            if b.reasons[-1]
            else f"{what}의 손익분기 루프 이득은 {lasting(horizon, unit, 'ko')} 기준 "
            f"{say(float(b.gain[-1]))}이며, 현재 이득은 {say(b.gain_now)}, "
            f"효과는 {say(float(b.effect[-1]))}입니다."
        )
        if not b.control.exclusive:
            told.append(
                f"루프의 세기는 다른 루프 {b.control.count - 1}개와 함께 쓰는 연결 "
                f"「{b.control.dial}」로 조절했습니다."
            )
    return " ".join(told)


def _round(v: Vitals, language: str) -> str:
    """How long a swing of the core takes, where it is the core itself that swings."""
    if v.swing == 0:
        return ""
    time = lasting(2 * math.pi / v.swing, v.stamp.time_unit, language)
    return f"(한 주기 {time})" if language == "ko" else f" (a round takes {time})"


_KOREAN = {
    "no feedback acts on the outcome": "결과에 작용하는 되먹임 없음",
    "it pays even with the loop cut": "루프를 끊어도 이득",
    "the loop makes no difference to it": "루프와 무관",
}


def _korean(reason: str) -> str:
    if reason.startswith("it does not pay"):
        return "루프를 다섯 배로 강화해도 손해"
    return _KOREAN.get(reason, reason)
