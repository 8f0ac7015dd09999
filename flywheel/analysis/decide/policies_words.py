"""The sentences of a robust choice: what to choose, how sure that is, and where it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.decide.words import Array, is_korean, say, subject

if TYPE_CHECKING:
    from flywheel.analysis.decide.policies import RobustChoice
    from flywheel.analysis.sensitivity.outputs import Failures

_SHOWN = 3
"""Restrictions of a box that a sentence names."""


def explain(found: RobustChoice, language: str) -> str:
    """The choice and its regret; who wins how often; where the examined policy fails."""
    korean = is_korean(language)
    parts = [_choice(found, korean), _wins(found, korean), _failing(found, korean)]
    parts.append(left_out(found.failures, found.names, found.labels, korean))
    if found.costs:
        parts.append(
            "레버에 적힌 비용은 빼지 않은 결과입니다."
            if korean
            else "What the levers are said to cost is not taken off."
        )
    return " ".join(part for part in parts if part)


def called(found: RobustChoice, name: str, korean: bool) -> str:
    """A policy in a sentence: in quotes, doing nothing without."""
    label = found.policy(name).label[korean]
    if korean:
        return f"「{label}」"
    return label if name == found.policies[0].name else f'"{label}"'


def _choice(found: RobustChoice, korean: bool) -> str:
    place = _find(found, found.chosen)
    about = subject(found.stamp, "ko" if korean else "en", found.title)
    count, varied = len(found.regret.scenarios), len(found.names)
    high = _amount(found, found.regret.high_regret[place])
    worst = _amount(found, found.regret.worst_regret[place])
    name = called(found, found.chosen, korean)
    part = f"{100 * found.regret.quantile:g}"
    others = sorted(
        {names[0] for names in found.regret.choices.values() if found.chosen not in names}
    )
    listed = [called(found, other, korean) for other in others]
    if korean:
        text = (
            f"{about} 기준, 불확실한 수 {varied}개를 범위 안에서 {count:,}번 뽑아 비교하면 후회가 가장 "
            f"작은 선택은 {name}입니다. {part}%의 경우 그 경우의 최선보다 {high} 이내로 뒤지고, 가장 "
            f"나쁜 경우 {worst}만큼 뒤집니다."
        )
        return text + (f" 다른 규칙은 {', '.join(listed)} 선택을 지지합니다." if listed else "")
    numbers = "number" if varied == 1 else "numbers"
    text = (
        f"Judged by {about}, over {count:,} draws of {varied} uncertain {numbers} within their ranges, "
        f"{name} has the smallest regret: in {part} % of the draws it is at most {high} behind the best "
        f"policy of the draw, in the worst one {worst}."
    )
    return text + (f" Other rules prefer {' or '.join(listed)}." if listed else "")


def _amount(found: RobustChoice, value: float) -> str:
    return f"{say(value)} {found.unit}" if found.unit and found.unit != "1" else say(value)


def _wins(found: RobustChoice, korean: bool) -> str:
    order = np.argsort(-found.wins, kind="stable")
    first = int(order[0])
    mine = _find(found, found.chosen)

    def part(k: int) -> str:
        low, high = _share(found.wins_low[k]), _share(found.wins_high[k])
        return f"{_share(found.wins[k])}% ({low}~{high}%)" if korean else (
            f"{_share(found.wins[k])} % ({low} to {high} %)"
        )  # fmt: skip

    name = called(found, found.policies[first].name, korean)
    text = (
        f"가장 자주 최선인 것은 {name}이며, {part(first)}에서 그렇습니다"
        if korean
        else f"The best policy most often is {name}, in {part(first)} of the draws"
    )
    if mine != first:
        own = called(found, found.chosen, korean)
        text += f"({own}: {part(mine)})" if korean else f"; {own} is in {part(mine)}"
    elif len(order) > 1 and found.wins[order[1]] > 0:
        second = int(order[1])
        other = called(found, found.policies[second].name, korean)
        text += (
            f"(다음은 {other}: {part(second)})" if korean else f", next {other} in {part(second)}"
        )
    return text + "."


def _failing(found: RobustChoice, korean: bool) -> str:
    box, name = found.box, called(found, found.examined, korean)
    bar = f"{say(found.target)}" if found.target is not None else ""
    if bar and found.unit and found.unit != "1":
        bar += f" {found.unit}"
    if korean:
        how = f"목표 {bar}에 미치지 못합니다" if bar else "아무것도 하지 않을 때보다 나쁩니다"
    else:
        how = f"misses {bar}" if bar else "does worse than nothing"
    if not bar and found.examined == found.policies[0].name:
        return ""
    if not box.cases:
        return (
            f"{name}의 결과가 그보다 나쁜 경우는 없습니다."
            if korean and bar
            else f"{name} 선택이 아무것도 하지 않는 것보다 나쁜 경우는 없습니다."
            if korean
            else f"In no draw {name} {how}."
        )
    share = _share(box.cases / box.points)
    if not box.restricted:
        return (
            f"{name} 선택은 {share}%의 경우 {how}. 그런 경우를 가려내는 범위는 찾지 못했습니다."
            if korean
            else f"{_upper(name)} {how} in {share} % of the draws; no range of the numbers "
            "picks these out."
        )
    ranges = [_range(found, one, korean) for one in box.restricted[:_SHOWN]]
    more = len(box.restricted) - len(ranges)
    if more:
        ranges.append(f"그 밖의 조건 {more}개" if korean else f"{more} more")
    caught, pure = _share(box.coverage), _share(box.density)
    again, trial = "", found.trial
    if trial is not None:
        density, low, high = (_share(x) for x in (trial.density, trial.low, trial.high))
        again = (
            f"(새로 뽑은 {trial.draws:,}번에서는 {density}%, 구간 {low}~{high}%)"
            if korean
            else f" ({density} %, {low} to {high} %, in {trial.draws:,} fresh draws)"
        )
    if korean:
        return (
            f"{name} 선택은 {share}%의 경우 {how}. 그런 경우의 {caught}%는 {', '.join(ranges)}일 "
            f"때이며, 이 범위에서는 {pure}%가 그렇습니다{again}."
        )
    return (
        f"{_upper(name)} {how} in {share} % of the draws. Of these, {caught} % lie where "
        f"{_and(ranges)}; there it is {pure} % of the draws{again}."
    )


def left_out(
    failures: Failures, names: tuple[str, ...], labels: tuple[tuple[str, str], ...], korean: bool
) -> str:
    """How many draws have no outcome of some policy, and where they lie; empty where all have."""
    if not failures.failed:
        return ""
    many = f"{failures.failed:,}", f"{failures.runs:,}"
    text = (
        f"{many[1]}번 가운데 {many[0]}번은 값이 없는 정책이 있어 뺐습니다"
        if korean
        else f"{many[0]} of {many[1]} draws are left out, for some policy has no value in them"
    )
    if failures.shifts:
        shift = failures.shifts[0]
        label = labels[names.index(shift.name)][korean]
        middle, usual = say(shift.failed[1]), say(shift.sound[1])
        text += (
            f"(주로 「{label}」 값이 {middle} 부근일 때이며, 나머지의 중앙값은 {usual})"
            if korean
            else f", mostly where {label} is about {middle} and not about {usual}"
        )
    return text + "."


def _find(found: RobustChoice, name: str) -> int:
    return [one.name for one in found.policies].index(name)


def _range(found: RobustChoice, name: str, korean: bool) -> str:
    """What a box asks of one input: ``"Word of mouth" is below 0.4/year``."""
    place, k = found.box.names.index(name), found.names.index(name)
    values = found.rows[:, k]
    low, high = (
        measured(float(limit), values, found.units[k], found.stamp.time_unit)
        for limit in (found.box.low[place], found.box.high[place])
    )
    label = found.labels[k][korean]
    if not np.isfinite(found.box.low[place]):
        return f"「{label}」 ≤ {high}" if korean else f'"{label}" is below {high}'
    if not np.isfinite(found.box.high[place]):
        return f"「{label}」 ≥ {low}" if korean else f'"{label}" is above {low}'
    return f"{low} ≤ 「{label}」 ≤ {high}" if korean else f'"{label}" is between {low} and {high}'


def measured(value: float, values: Array, unit: str, time_unit: str) -> str:
    """A number with its unit: ``0.4/year``; a moment such as 2011.4 has none."""
    number = edge(value, float(np.ptp(values)))
    if not unit or (unit == time_unit and abs(value) > 10 * float(np.ptp(values))):
        return number
    return f"{number}{unit[1:]}" if unit.startswith("1/") else f"{number} {unit}"


def edge(value: float, span: float) -> str:
    """A number with as many digits as its span can tell apart: 2011.4 of 2006 to 2014, not 2010."""
    if span <= 0 or not np.isfinite(span) or abs(value) < 10 * span:
        return say(value)
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(span))))}f}"


def _share(part: float) -> str:
    """A part in percent, and not 0 or 100 where it is not quite."""
    if not np.isfinite(part):
        return "?"
    percent = 100 * float(part)
    if 0 < percent < 1:
        return f"{percent:.1f}" if percent >= 0.05 else "<0.1"
    return "99" if 99 <= percent < 100 else f"{percent:.0f}"


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
