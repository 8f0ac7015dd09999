"""The sentences about what is worth finding out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.decide.information import ENOUGH, Worth
from flywheel.analysis.decide.policies_words import left_out
from flywheel.analysis.decide.words import is_korean, say, subject
from flywheel.sweep.distributions import Normal

if TYPE_CHECKING:
    from flywheel.analysis.decide.learning import Number, WorthOfKnowing

KINDS = {
    "measured": ("measured", "측정값"),
    "survey": ("from a survey", "설문"),
    "estimate": ("an estimate", "추정값"),
    "guess": ("a guess", "짐작"),
    "": ("without a source", "출처 없음"),
}
_HEAVY = 0.5


def explain(found: WorthOfKnowing, language: str) -> str:
    """The choice today, the worth of knowing everything, and what to find out first."""
    korean = is_korean(language)
    known, whole = found.knowing, found.knowing.everything
    parts = [_today(found, korean)]
    if found.heavy > _HEAVY and whole.value > 0:
        part = f"{100 * found.heavy:.0f}"
        parts.append(
            f"이 가치의 {part}%는 천 번에 한 번 나오는 극단적인 경우에서 오므로, 무엇을 먼저 알아볼지 "
            "말할 수 없습니다. 범위를 좁혀야 합니다."
            if korean
            else f"One draw in a thousand brings {part} % of that worth, so it cannot be said what to "
            "find out first: narrow the ranges."
        )
    else:
        parts += [_first(found, korean), _mover(found, korean)]
    if whole.value > 0 and whole.samples < ENOUGH:
        parts.append(
            f"표본이 {ENOUGH:,}개보다 적어 대략의 값입니다."
            if korean
            else f"Fewer than {ENOUGH:,} draws: a rough guess."
        )
    labels = tuple(one.label for one in found.numbers)
    parts.append(left_out(found.failures, known.names, labels, korean))
    if found.costs:
        parts.append(
            "레버에 적힌 비용은 빼지 않은 결과입니다."
            if korean
            else "What the levers are said to cost is not taken off."
        )
    return " ".join(part for part in parts if part)


def called(found: WorthOfKnowing, name: str, korean: bool) -> str:
    """A policy in a sentence: in quotes, doing nothing without."""
    place = [one.name for one in found.policies].index(name)
    label = found.policies[place].label[korean]
    if korean:
        return f"「{label}」"
    return f'"{label}"' if place else label


def amount(value: float, unit: str) -> str:
    """A number of the outcome with its unit."""
    return f"{say(value)} {unit}" if unit and unit != "1" else say(value)


def believed(one: Number, korean: bool) -> str:
    """Where a number comes from and what is believed of it: ``a guess, 0.5 to 4``."""
    text = one.believed.replace(" to ", "~") if korean else one.believed
    unit = "" if one.moment else one.unit
    shown = f"{text}{unit[1:]}" if unit.startswith("1/") else f"{text} {unit}".rstrip()
    if isinstance(one.belief, Normal) and unit.startswith("1/"):
        shown = f"({text}){unit[1:]}"
    return f"{KINDS[one.evidence][korean]}, {shown}"


def _today(found: WorthOfKnowing, korean: bool) -> str:
    about = subject(found.stamp, "ko" if korean else "en", found.title)
    best = called(found, found.knowing.best, korean)
    whole, count = found.knowing.everything, len(found.numbers)
    draws = f"{whole.samples:,}"
    if whole.value <= 0:
        return (
            f"{about}: 표본 {draws}개 모두에서 {best} 선택이 가장 좋습니다. 무엇을 더 알아도 결정이 "
            "바뀌지 않으므로 알아낼 가치는 0입니다."
            if korean
            else f"Judged by {about}, {best} is best in all {draws} draws: nothing that could be found "
            "out would change the choice, so knowing more is worth 0."
        )
    gain, low, high = amount(whole.value, found.unit), say(whole.low), say(whole.high)
    if korean:
        return (
            f"{about}: 지금 믿는 바로는 {best} 선택이 평균적으로 가장 좋습니다. 결정하기 전에 불확실한 "
            f"수 {count}개를 모두 안다면 평균 {gain}만큼 나아집니다"
            f"(95% 구간 {low}~{high}, 표본 {draws}개)."
        )
    all_of = "all of them" if count > 1 else "it"
    return (
        f"Judged by {about}, with what is believed now of {count} uncertain "
        f"{'numbers' if count > 1 else 'number'} {best} is best on average. Knowing {all_of} before "
        f"choosing would gain {gain} on average (95 % interval {low} to {high}, {draws} draws)."
    )


def _first(found: WorthOfKnowing, korean: bool) -> str:
    """The numbers most worth knowing, as far as they are surely worth something."""
    if found.knowing.everything.value <= 0:
        return ""
    order = sorted(range(len(found.numbers)), key=lambda k: -found.knowing.each[k].value)
    sure = [k for k in order if found.knowing.each[k].low > 0]
    if not sure:
        top = order[0]
        label, worth = found.numbers[top].label[korean], found.knowing.each[top]
        if worth.value <= 0:
            return (
                "하나만 알아서는 결정이 바뀌지 않으며, 여럿을 함께 알아야 가치가 있습니다."
                if korean
                else "No single number, known alone, would change the choice; only several together."
            )
        return (
            "하나만 알아서 확실히 가치가 있는 수는 없습니다. 가장 큰 것은 "
            f"「{label}」 {_worth(worth, found.unit, True)}입니다."
            if korean
            else "No single number is surely worth knowing alone; the largest is "
            f'"{label}" with {_worth(worth, found.unit, False)}.'
        )
    one, worth = found.numbers[sure[0]], found.knowing.each[sure[0]]
    label = one.label[korean]
    rest = [
        f"「{found.numbers[k].label[1]}」 {say(found.knowing.each[k].value)}"
        if korean
        else f'"{found.numbers[k].label[0]}" ({say(found.knowing.each[k].value)})'
        for k in sure[1:3]
    ]
    if korean:
        text = (
            f"먼저 알아볼 수는 「{label}」({believed(one, True)})이며, 그 가치는 최대 "
            f"{_worth(worth, found.unit, True)}입니다."
        )
        return text + (f" 다음은 {', '.join(rest)}입니다." if rest else "")
    text = (
        f'Find out first: "{label}" ({believed(one, False)}), worth at most '
        f"{_worth(worth, found.unit, False)}, if it could be known exactly."
    )
    return text + (f" Next {' and '.join(rest)}." if rest else "")


def _worth(worth: Worth, unit: str, korean: bool) -> str:
    low, high = say(worth.low), say(worth.high)
    return f"{amount(worth.value, unit)} ({low}{'~' if korean else ' to '}{high})"


def _mover(found: WorthOfKnowing, korean: bool) -> str:
    """What moves the outcome most, where that is another number than the one worth knowing most."""
    known = found.knowing
    moving = known.variance_share if known.total_index is None else known.total_index
    if known.everything.value <= 0 or not np.isfinite(moving).any():
        return ""
    mover = int(np.nanargmax(moving))
    if mover == max(range(len(known.each)), key=lambda k: known.each[k].value):
        return ""
    label, worth = found.numbers[mover].label[korean], say(known.each[mover].value)
    share = f"{100 * float(moving[mover]):.0f}"
    if korean:
        return (
            f"결과를 가장 크게 흔드는 수는 「{label}」(분산의 {share}%)이지만, 알아볼 가치는 "
            f"{worth}입니다."
        )
    return (
        f'"{label}" moves the outcome most ({share} % of its variance), but knowing it is worth '
        f"{worth}."
    )
