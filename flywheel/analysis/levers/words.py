"""Durations and percentages as they stand in the sentences of lever tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.analysis.decide.words import CALENDAR, say

if TYPE_CHECKING:
    from flywheel.solve.study import Study

_KOREAN = {
    "year": "년",
    "quarter": "분기",
    "month": "개월",
    "week": "주",
    "day": "일",
    "hour": "시간",
    "minute": "분",
    "second": "초",
}


def duration(value: float, unit: str, language: str = "en") -> str:
    """``2.5 years``, ``2.5년``; without a unit the bare number."""
    number = say(float(value))
    if not unit:
        return number
    if language == "ko":
        return f"{number}{_KOREAN.get(unit, ' ' + unit)}"
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def percent(value: float) -> str:
    """A fraction as a percentage with two or three digits."""
    if not math.isfinite(value):
        return "?"
    size = abs(100.0 * value)
    digits = 0 if size >= 99.5 or size == round(size) else 1 if size >= 0.95 else 2
    return f"{100.0 * value:,.{digits}f}%"


def moment(t: float, unit: str, korean: bool = False) -> str:
    """A point in time: ``2005``, ``2005년``; ``year 3``, ``3년 시점`` where years count from a start;
    ``시점 3`` in other units."""
    if unit != "year":
        return f"시점 {t:g}" if korean else f"{t:g}"
    if abs(t) < CALENDAR:
        return f"{t:g}년 시점" if korean else f"year {t:g}"
    return f"{t:g}년" if korean else f"{t:g}"


def summed(unit: str, time_unit: str) -> str:
    """The unit of what adds up over time: ``BUSD`` for ``BUSD/year`` over years."""
    if not time_unit or not unit:
        return unit
    suffix = f"/{time_unit}"
    if unit.endswith(suffix):
        return unit.removesuffix(suffix)
    return time_unit if unit == "1" else f"{unit}*{time_unit}"


def small(label: str) -> str:
    """A label inside an English sentence: its first letter small, unless it is an abbreviation."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def labels(study: Study) -> tuple[str, str]:
    """What the outcome is called, in English and in Korean."""
    return study.text("en"), study.text("ko")
