"""The sentences about data to buy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flywheel.analysis.decide.learning_words import amount, believed
from flywheel.analysis.decide.words import is_korean, say, subject

if TYPE_CHECKING:
    from flywheel.analysis.decide.buying import DataToBuy, Purchase


def explain(found: DataToBuy, language: str) -> str:
    """What to find out first, what is known of it, which figure would tell more, what is mixed up."""
    korean = is_korean(language)
    about = subject(found.stamp, "ko" if korean else "en", found.title)
    if not found.rows:
        return (
            f"{about}: 하나만 알아서 결정이 바뀌는 수가 없으므로 이 결정을 위해 살 자료가 없습니다."
            if korean
            else f"Judged by {about}, no number that data could tell would change the choice alone: "
            "for this choice there are no data to buy."
        )
    parts = [_first(found, found.rows[0], about, korean)]
    most = min(found.rows, key=lambda row: row.then / row.after)
    if most is not found.rows[0]:
        parts.append(_most(found, most, korean))
    if found.collinear and len(found.blurred) > 1:
        labels = [found.labels[name][korean] for name in found.blurred[:3]]
        gamma = say(found.collinearity)
        parts.append(
            f"이 자료로는 {', '.join(f'「{one}」' for one in labels)} 값을 서로 구별하기 어렵습니다"
            f"(공선성 {gamma})."
            if korean
            else f"These data hardly tell apart {_and(labels)} (collinearity {gamma})."
        )
    gone = len(found.left_out)
    if gone:
        parts.append(
            f"{gone}개 수는 도함수가 없어 판단하지 못했습니다."
            if korean
            else f"{gone} {'number' if gone == 1 else 'numbers'} could not be judged, for want of a "
            "derivative."
        )
    parts.append(
        "표준편차는 기준 실행 둘레의 선형 근사이며, 모델이 맞다고 볼 때의 값입니다."
        if korean
        else "Standard deviations are linear around the baseline and take the model to be right."
    )
    return " ".join(parts)


def _first(found: DataToBuy, row: Purchase, about: str, korean: bool) -> str:
    label = row.number.label[korean]
    worth = amount(row.worth, found.unit)
    span = f"{say(row.low)}{'~' if korean else ' to '}{say(row.high)}"
    before, after, then = (_sd(row, one, korean) for one in (row.before, row.after, row.then))
    figure, count = _figure(found, row, korean), found.measurements
    sure = ("verified ", "검증된 ")[korean] if found.unverified else ""
    if korean:
        held = (
            f"가지고 있는 {sure}측정값 {count}개는 그 표준편차를 {before}에서 {after}로 줄여 놓았고, "
            if count
            else f"자료가 없어 표준편차는 {after}이고, "
        )
        return (
            f"{about} 기준으로 가장 알아볼 가치가 큰 수는 「{label}」({believed(row.number, True)})"
            f"이며, 그 가치는 최대 {worth} ({span})입니다. {held}하나를 더 잰다면 {figure} 값이 가장 "
            f"좋아 {then}까지 줄어듭니다."
        )
    held = (
        f"The {count} {sure}figures at hand narrow its standard deviation from {before} to {after}; "
        if count
        else f"There are no data; its standard deviation is {after}; "
    )
    return (
        f'Judged by {about}, most worth knowing is "{label}" ({believed(row.number, False)}): at most '
        f"{worth} ({span}). {held}the best single further figure, {figure}, would bring it to {then}."
    )


def _most(found: DataToBuy, row: Purchase, korean: bool) -> str:
    label, figure = row.number.label[korean], _figure(found, row, korean)
    after, then = _sd(row, row.after, korean), _sd(row, row.then, korean)
    worth = amount(row.worth, found.unit)
    if korean:
        return (
            f"측정값 하나로 가장 많이 좁혀지는 것은 「{label}」(가치 최대 {worth})로, {figure} 값을 "
            f"재면 {after}에서 {then}로 줄어듭니다."
        )
    return (
        f'One more figure narrows "{label}" most (worth at most {worth}): {figure} takes it from '
        f"{after} to {then}."
    )


def _figure(found: DataToBuy, row: Purchase, korean: bool) -> str:
    label = found.labels[row.next_variable][korean]
    when = f"{row.next_time:g}"
    return f"「{label}」({when} 시점)" if korean else f'"{label}" at {when}'


def _sd(row: Purchase, value: float, korean: bool) -> str:
    """A standard deviation: in percent of the number, of a point in time in its unit."""
    if row.number.moment or not row.number.value:
        return f"{say(value)} {row.number.unit}".rstrip()
    return f"{say(100 * value)}%" if korean else f"{say(100 * value)} %"


def _and(labels: list[str]) -> str:
    quoted = [f'"{one}"' for one in labels]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
