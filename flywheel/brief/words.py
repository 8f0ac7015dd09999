"""Numbers, durations and receipts as they stand in small tables.

Numbers have three digits; parts are percentages; a dash says that there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flywheel.analysis.decide.words import say
from flywheel.analysis.levers.words import duration, moment

if TYPE_CHECKING:
    from flywheel.analysis.stamp import Stamp

NOTHING = "–"
_HUGE = 1e4
"""Parts from which a percentage is no longer written out."""
_SETTINGS = {
    "scenario": "시나리오", "runs": "실행", "kinds": "종류", "turned": "돌린 폭",
    "watched": "지켜본 변수", "discount": "할인율", "observed": "관측 기간", "noise": "관측 잡음",
    "open_loop": "되먹임 차단", "shapley": "섀플리", "lag": "시차", "horizon": "기간",
    "points": "점", "examined": "살펴본 수", "draws": "표본", "ensemble_seed": "표본 시드",
    "varied": "바꾼 수", "analysis": "방법", "confidence": "신뢰수준", "lever": "레버",
    "pulled": "당긴 시점", "until": "끝", "budget": "예산", "edges": "구간", "cost": "비용",
    "starts": "시작점", "at": "시점", "convention": "방식", "patience": "기다림",
    "complete": "모두 찾음", "search": "탐색", "retain": "남긴 몫", "better": "좋은 쪽",
    "levers": "레버", "pairs": "짝", "beliefs": "믿음", "noise_of": "잡음의 기준",
}  # fmt: skip
_VALUES = {
    "exact": "정확", "planned": "계획대로", "start": "시작 시점", "linear": "선형",
    "quadratic": "이차", "link": "연결", "flow": "흐름", "table": "표", "absent": "없는 정보",
    "last": "나중", "first": "먼저", "True": "예", "False": "아니요", "allocation": "배분",
    "usual level while observed": "관측하는 동안의 평소 수준", "continuous": "연속",
    "higher": "높을수록", "lower": "낮을수록", "sampled": "표본",
    "chaos": "다항식 카오스", "sobol": "소볼", "morris": "모리스", "dgsm": "미분", "given": "분할",
    "screening": "선별", "loop scores last": "고리 점수(나중)", "loop scores first": "고리 점수(먼저)",
    "loop scores shapley": "고리 점수(섀플리)", "loop scores continuous": "고리 점수(연속)",
}  # fmt: skip


def number(value: float) -> str:
    """Three digits, a dash for none."""
    return NOTHING if value != value else say(float(value))


def signed(value: float) -> str:
    """Three digits with the sign of a change."""
    return NOTHING if value != value else f"{'+' if value > 0 else ''}{say(float(value))}"


def part(value: float) -> str:
    """A change as a signed percentage."""
    if not math.isfinite(value):
        return NOTHING
    if abs(value) < 10:
        return f"{value:+.1%}"
    return f"{value:+,.0%}" if abs(value) < _HUGE else f"{value * 100:+.1e}%"


def share(value: float) -> str:
    """A part of a whole as a percentage."""
    return NOTHING if not math.isfinite(value) else f"{value:.0%}"


def between(low: str, high: str, korean: bool) -> str:
    """A range."""
    return f"{low}~{high}" if korean else f"{low} to {high}"


def within(value: float, half: float) -> str:
    """A number and half its interval, both to the half's second digit: ``0.184 ± 0.027``."""
    if not math.isfinite(value):
        return NOTHING
    if not math.isfinite(half):
        return number(value)
    digits = 4 if half <= 0 else min(4, 1 - math.floor(math.log10(half)))
    if digits < 0:
        return f"{round(value, digits):,.0f} ± {round(half, digits):,.0f}"
    return f"{value:,.{digits}f} ± {half:,.{digits}f}"


def time(t: float) -> str:
    """A point in time."""
    return NOTHING if t != t else f"{t:g}"


def lasting(value: float, unit: str, korean: bool) -> str:
    """A duration, a dash for none: ``2.5 years``; what never ends is ∞."""
    if not math.isfinite(value):
        return number(value)
    return duration(value, unit, "ko" if korean else "en")


def path(names: Sequence[str]) -> str:
    """A loop's path on one line: of a long one both ends, and how many names it has."""
    if len(names) <= 6:
        return " → ".join(names)
    return f"{' → '.join(names[:3])} → … → {' → '.join(names[-2:])} ({len(names)})"


def receipt_line(stamp: Stamp, language: str = "en") -> str:
    """What was computed, on one line: outcome, model, horizons, method and the other settings.

    Ranges of inputs are left out; they stand in the receipt of JSON and HTML files.
    """
    korean, unit = language == "ko", stamp.time_unit
    *others, last = [f"{h:g}" for h in stamp.horizons] or [""]
    when = ", ".join([*others, duration(float(last), unit, language)]) if last else ""
    since = moment(stamp.since, unit, korean)
    settings = {k: v for k, v in stamp.settings.items() if not isinstance(v, Mapping)}
    extra = "".join(f", {_setting(name, value, korean)}" for name, value in settings.items())
    if korean:
        seen = f", {since}부터 {when} 뒤" if when else ""
        what = "고리별 변화의 몫" if stamp.outcome == "share of change by loop" else stamp.outcome
        how = _in_korean(stamp.method)
        return f"{stamp.model}: {what}{seen}; {how}, 간격 {stamp.step:g}{extra}"
    seen = f" after {when} from {since}" if when else ""
    return f"{stamp.outcome} of {stamp.model}{seen}; {stamp.method}, step {stamp.step:g}{extra}"


def _setting(name: str, value: object, korean: bool) -> str:
    if isinstance(value, float):
        shown = f"{value:g}"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        shown = "/".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
    else:
        shown = str(value)
    if korean:
        return f"{_SETTINGS.get(name, name)} {_in_korean(shown)}"
    return f"{name.replace('_', ' ')} {shown}"


def _in_korean(listed: str) -> str:
    return ", ".join(_VALUES.get(one, one) for one in listed.split(", "))
