"""A global sensitivity in a few plain sentences, English or Korean.

Korean sentences put names in quotes before a colon or in brackets, where no particle depends on their
sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.sensitivity.chaos import ACCEPT, WARN
from flywheel.errors import UsageError

if TYPE_CHECKING:
    from flywheel.analysis.sensitivity.table import Sensitivity

_METHODS = {
    "chaos": ("polynomial chaos", "다항식 카오스"),
    "sobol": ("Saltelli's sampling", "살텔리 표본추출"),
    "shapley": ("random walks through the ranges (Shapley effects)", "섀플리 무작위 경로"),
    "morris": ("elementary effects (Morris)", "모리스 기본 효과"),
    "dgsm": ("derivatives", "도함수"),
    "screening": ("correlations over a Latin hypercube", "라틴 하이퍼큐브 상관분석"),
    "given": ("slices of a Latin hypercube", "라틴 하이퍼큐브 구간 분석"),
}
_NAMED = 3


def explain(table: Sensitivity, language: str = "en") -> str:
    """What the spread comes from and when, by which method and how surely, and what failed."""
    if language not in ("en", "ko"):
        raise UsageError(f"language must be 'en' or 'ko', not {language!r}")
    korean = language == "ko"
    parts = [_main(table, korean), _interplay(table, korean), why(table, language)]
    parts += [_tailed(table, korean), _failed(table, korean), _negative(table, korean)]
    return " ".join(part for part in parts if part)


def _main(table: Sensitivity, korean: bool) -> str:
    label = table.labels[korean]
    known = np.flatnonzero(np.isfinite(table.measure(table.leading)).any(axis=0))
    if not known.size:
        if table.points[0] == 0:
            return (
                f"'{label}': 값이 나온 실행이 너무 적어 민감도를 계산할 수 없습니다."
                if korean
                else f"Too few runs gave a value of {label} to say what moves it."
            )
        return (
            f"주어진 범위 안에서는 '{label}' 값이 변하지 않습니다."
            if korean
            else f"{label} does not vary over these ranges."
        )
    last = int(known[-1])
    leaders = [name for name in table.ranking(last)[:_NAMED] if _counts(table, name, last)]
    listed = ", ".join(_with_interval(table, name, last, korean) for name in leaders)
    when = _when(table, last, korean)
    measure, level = table.leading, f"{table.confidence:.0%}"
    if not leaders:
        text = (
            f"{when} '{label}'에 뚜렷한 영향을 주는 입력이 없습니다."
            if korean
            else f"No input clearly moves {label} {when}."
        )
    elif korean:
        text = (
            f"{when} '{label}'의 변동을 가장 크게 좌우하는 입력: {listed} "
            f"({measure}, {level} 구간)."
        )
    else:
        text = f"What moves {label} {when} most: {listed} ({measure}, {level} intervals)."
    first = int(known[0])
    before = table.ranking(first)[0]
    if first == last or before == table.ranking(last)[0]:
        return text
    early, name = _when(table, first, korean), _with_interval(table, before, first, korean)
    return (
        f"{text} {early}에는 {name}입니다."
        if korean
        else f"{text} {early[0].upper()}{early[1:]} it is {name}."
    )


_UNITS_KO = {
    "year": "년",
    "quarter": "분기",
    "month": "개월",
    "week": "주",
    "day": "일",
    "hour": "시간",
}


def _when(table: Sensitivity, horizon: int, korean: bool) -> str:
    """27 years after 1997; 1997에서 27년 뒤."""
    unit, since, span = table.stamp.time_unit, table.stamp.since, table.horizons[horizon]
    if korean:
        return f"{since:g}에서 {span:g}{_UNITS_KO.get(unit, f' {unit}'.rstrip())} 뒤"
    plural = "s" if unit in _UNITS_KO and span != 1 else ""
    return f"{span:g} {unit}{plural} after {since:g}" if unit else f"{span:g} after {since:g}"


def _counts(table: Sensitivity, name: str, horizon: int) -> bool:
    """Whether a measure is clearly above nothing: half its interval or more, or 1 % of a variance."""
    j = table.parameters.index(name)
    value = abs(float(table.measure(table.leading)[j, horizon]))
    half = table.halves.get(table.leading)
    noise = float(half[j, horizon]) if half is not None else 0.0
    floor = 0.01 if table.leading in ("ST", "Shapley", "ST bound") else 0.0
    return value > max(noise if np.isfinite(noise) else 0.0, floor)


def _with_interval(table: Sensitivity, name: str, horizon: int, korean: bool) -> str:
    j = table.parameters.index(name)
    low, high = table.interval(table.leading)
    value = table.measure(table.leading)[j, horizon]
    shown = f"{_label(table, name, korean)} {value:.3g}"
    if np.isnan(low[j, horizon]):
        return shown
    if korean:
        return f"{shown} ({low[j, horizon]:.3g}~{high[j, horizon]:.3g})"
    return f"{shown} ({low[j, horizon]:.3g} to {high[j, horizon]:.3g})"


def _label(table: Sensitivity, name: str, korean: bool) -> str:
    if name not in table.model:
        return f"「{name}」" if korean else name
    label = table.model[name].text("ko" if korean else "en")[0]
    return f"「{label}」" if korean else label


def _interplay(table: Sensitivity, korean: bool) -> str:
    if "S1" not in table.measures or "ST" not in table.measures:
        return ""
    share = table.interactions[np.isfinite(table.interactions)]
    if not share.size or share[-1] < 0.05:
        return ""
    return (
        f"분산의 {share[-1]:.0%}: 입력 하나로는 설명되지 않고 입력들이 함께 움직일 때만 나타납니다."
        if korean
        else f"{share[-1]:.0%} of the variance comes from inputs acting together, not from one alone."
    )


def why(table: Sensitivity, language: str) -> str:
    """Which method, from how many runs, and the reason for the choice."""
    korean = language == "ko"
    name = _METHODS[table.method][korean]
    runs = f"{table.runs:,}"
    text = f"방법: {name}, 실행 {runs}회." if korean else f"By {name}, {runs} runs in all."
    if table.fixed:
        count = len(table.fixed)
        text += (
            f" 영향이 거의 없는 입력 {count}개는 먼저 모리스 선별로 제외했습니다."
            if korean
            else f" {count} inputs that hardly matter were put aside first (Morris' elementary effects)."
        )
    if table.gate is not None and (table.method == "chaos" or not table.tail.heavy):
        text += " " + _gate(table, korean)
    if table.converged is False:
        text += (
            " 허용된 실행 횟수 안에서 구간이나 순위가 안정되지 않았습니다."
            if korean
            else " Intervals or order had not settled within the runs allowed."
        )
    return text


def _gate(table: Sensitivity, korean: bool) -> str:
    known = table.gate[np.isfinite(table.gate)] if table.gate is not None else np.array([])
    loo = float(known.max()) if known.size else 0.0
    missed = f"{loo:.2%}" if loo < 0.1 else f"{loo:.0%}"
    if table.method != "chaos":
        return (
            f"다항식이 교차검증에서 분산의 {missed}를 놓쳐(기준 {ACCEPT:.0%}) 표본추출을 사용했습니다."
            if korean
            else f"A polynomial missed {missed} of the variance in cross-validation "
            f"(limit {ACCEPT:.0%}), so the outcome was sampled."
        )
    if loo < ACCEPT:
        return (
            f"교차검증에서 다항식이 놓친 분산은 {missed}로 기준({ACCEPT:.0%})을 통과했습니다."
            if korean
            else f"In cross-validation the polynomial misses {missed} of the variance "
            f"(limit {ACCEPT:.0%})."
        )
    if loo < WARN:
        return (
            f"교차검증에서 다항식이 분산의 {missed}를 놓치므로 지수는 대략의 값입니다."
            if korean
            else f"In cross-validation the polynomial misses {missed} of the variance: "
            "the indices are rough."
        )
    return (
        f"교차검증에서 다항식이 분산의 {missed}를 놓칩니다. 이 지수 대신 표본추출을 사용해야 합니다."
        if korean
        else f"In cross-validation the polynomial misses {missed} of the variance: "
        "use sampling instead of these indices."
    )


def _tailed(table: Sensitivity, korean: bool) -> str:
    tail = table.tail
    if not tail.heavy:
        return ""
    share, count, runs = f"{float(np.nanmax(tail.share)):.0%}", f"{tail.count:,}", f"{tail.runs:,}"
    where = ""
    if tail.shifts:
        shift = tail.shifts[0]
        name, middle, usual = _label(table, shift.name, korean), shift.failed[1], shift.sound[1]
        where = (
            f"(주로 {name} 값이 {middle:.3g} 부근이며, 나머지의 중앙값은 {usual:.3g})"
            if korean
            else f", mostly with {name} about {middle:.3g} where the others have {usual:.3g}"
        )
    if korean:
        text = f"실행 {runs}회 중 극단적인 {count}회가 분산의 {share}를 차지합니다{where}."
        other = "분산의 몫 대신 전체 분포를 비교했습니다."
        advice = "분산의 몫은 의미가 적으므로 방법 'given' 또는 더 좁은 범위를 권합니다."
    else:
        text = f"{count} extreme of {runs} runs carry {share} of the variance{where}."
        other = "So whole distributions were compared instead of parts of the variance."
        advice = "Parts of the variance say little then: use method 'given', or narrower ranges."
    return f"{text} {advice if table.method in ('chaos', 'sobol', 'shapley', 'dgsm') else other}"


def _failed(table: Sensitivity, korean: bool) -> str:
    failures = table.failures
    if not failures.failed:
        return ""
    counted = f"{failures.failed:,}", f"{failures.runs:,}"
    text = (
        f"실행 {counted[1]}회 중 {counted[0]}회는 값이 없어 제외했습니다"
        if korean
        else f"{counted[0]} of {counted[1]} runs gave no value and were left out"
    )
    if failures.shifts:
        shift = failures.shifts[0]
        name, middle, usual = _label(table, shift.name, korean), shift.failed[1], shift.sound[1]
        text += (
            f"(주로 {name} 값이 {middle:.3g} 부근일 때이며, 정상 실행의 중앙값은 {usual:.3g})"
            if korean
            else f", mostly with {name} about {middle:.3g} where the others have {usual:.3g}"
        )
    return text + "."


def _negative(table: Sensitivity, korean: bool) -> str:
    parts = [table.measures[name] for name in ("S1", "ST", "Shapley") if name in table.measures]
    if not any((part < 0).any() for part in parts):
        return ""
    return (
        "음수로 나온 지수는 구간 안의 추정 오차이며, 실행을 늘리면 줄어듭니다."
        if korean
        else "A negative index is the noise of its estimate, within its interval; more runs shrink it."
    )
