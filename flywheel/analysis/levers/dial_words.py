"""What the dials say, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.analysis.decide.words import is_korean, say
from flywheel.analysis.levers.words import duration, moment

if TYPE_CHECKING:
    from flywheel.analysis.levers.dials import Dials, Row


def explain(dials: Dials, language: str = "en") -> str:
    """Two or three sentences: the strongest link, the most useful absent one, what did not hold.

    Raises UsageError for a language other than en and ko.
    """
    korean = is_korean(language)
    parts = (_strongest(dials, korean), _absent(dials, korean), _bent(dials, korean))
    return " ".join(filter(None, parts))


def _names(dials: Dials, row: Row, korean: bool) -> tuple[str, str]:
    label = dials.labels["ko" if korean else "en"]
    return label.get(row.source, row.source), label.get(row.target, row.target)


def _change(dials: Dials, effect: float) -> str:
    """A change as a part of the outcome, or in its unit where the outcome is 0."""
    value = dials.value[-1]
    if not math.isfinite(effect):
        return "?"
    if value == 0 or not math.isfinite(value):
        return f"{'+' if effect > 0 else ''}{say(effect)} {dials.unit}".strip()
    share = effect / abs(value)
    digits = 0 if abs(share) >= 1 else 1 if abs(share) >= 0.01 else 2
    return f"{share:+,.{digits}%}"


def _strongest(dials: Dials, korean: bool) -> str:
    """The link inside a loop on which the outcome depends most; what cutting it does."""
    stamp, outcome = dials.stamp, dials.label[korean]
    horizon = duration(stamp.horizons[-1], stamp.time_unit, "ko" if korean else "en")
    since = moment(stamp.since, stamp.time_unit, korean)
    row = next((row for row in dials.rows if row.kind == "link" and row.in_loop), None)
    if row is None or not abs(row.effect[-1]) > 0:
        if "link" not in str(stamp.settings.get("kinds", "")):
            return ""
        return (
            f"{since}부터 {horizon} 뒤의 「{outcome}」에 작용하는 되먹임 연결이 없습니다."
            if korean
            else f"No link in a feedback loop acts on {outcome}, {horizon} after {since}."
        )
    source, target = _names(dials, row, korean)
    change = _change(dials, row.effect[-1] / 100)
    cut = _change(dials, row.cut[-1]) if row.cut and math.isfinite(row.cut[-1]) else ""
    if korean:
        more = (
            f" 그 연결을 끊으면 {cut} 달라집니다." if cut else " 그 연결을 끊은 실행은 실패합니다."
        )
        return (
            f"{since}부터 {horizon} 뒤의 「{outcome}」에 가장 크게 작용하는 되먹임 연결은 "
            f"「{source}」→「{target}」입니다. 이 연결이 1% 강해지면 {change} 달라집니다.{more}"
        )
    more = (
        f" Cut altogether, it would change by {cut}."
        if cut
        else " With that link cut altogether the run fails."
    )
    return (
        f"Of all links in feedback loops, {outcome} ({horizon} after {since}) depends most on how "
        f'strongly "{target}" reacts to "{source}": 1% more moves it by {change}.{more}'
    )


def _absent(dials: Dials, korean: bool) -> str:
    """The most useful information that nobody uses yet."""
    row = next((row for row in dials.rows if row.kind == "absent" and row.confirmed), None)
    if row is None or row.effect[-1] == 0:
        return ""
    source, target = _names(dials, row, korean)
    change = _change(dials, row.effect[-1] / 10)
    if korean:
        return (
            f"아직 쓰이지 않는 정보 가운데 가장 큰 것은 「{source}」→「{target}」입니다. 표준편차마다 "
            f"10% 반응하게 하면 {change} 달라집니다."
        )
    return (
        f'Of information that nobody uses yet, letting "{target}" see "{source}" matters most: a '
        f"reaction of 10% per standard deviation moves it by {change}."
    )


def _bent(dials: Dials, korean: bool) -> str:
    """How many derivatives do not hold for a finite turn."""
    checked = [row for row in dials.rows if row.confirmed is not None]
    doubtful = sum(1 for row in checked if row.confirmed is False)
    if not doubtful:
        return ""
    if korean:
        return (
            f"실행으로 확인한 {len(checked)}개 가운데 {doubtful}개는 ±5%에서 이미 휘어 있어 1%의 효과를 "
            "그대로 늘려 볼 수 없습니다."
        )
    return (
        f"For {doubtful} of {len(checked)} checked, runs at ±5% differ from the derivative by more than "
        "a tenth: they bend."
    )
