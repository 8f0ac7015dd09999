"""Loops that matter in two or three plain sentences, English or Korean.

Korean sentences put names before a bracket or 「입니다」, where no particle depends on their sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flywheel.analysis.loops.matter import LoopsThatMatter, LoopThatMatters


def explain(result: LoopsThatMatter, language: str) -> str:
    """Which loop carries most of the change and when; who dominates in which order; how far to trust."""
    korean = language == "ko"
    stamp = result.stamp
    span, since = f"{stamp.horizons[0]:g}", f"{stamp.since:g}"
    unit = _unit(stamp.time_unit, stamp.horizons[0], korean)
    top = [loop for loop in result.loops if loop.partition == result.main][:1]
    if not top:
        nothing = (
            f"{stamp.model}: {since}부터 {span}{unit} 동안 작용하는 피드백 고리가 없습니다."
            if korean
            else f"No feedback loop acts in {stamp.model} in the {span}{unit} from {since}."
        )
        return f"{nothing} {_limits(result, korean)}".strip()
    return " ".join(
        part
        for part in (
            (_first_ko if korean else _first_en)(result, top[0], span, since, unit),
            _order(result, korean),
            _trust(result, korean),
        )
        if part
    )


_KOREAN = {
    "year": "년",
    "quarter": "분기",
    "month": "개월",
    "week": "주",
    "day": "일",
    "hour": "시간",
}


def _unit(unit: str, size: float, korean: bool) -> str:
    if korean:
        return _KOREAN.get(unit, f" {unit}" if unit else "")
    return f" {unit}{'s' if unit.isalpha() and size != 1 else ''}" if unit else ""


def _called(loop: LoopThatMatters, language: str) -> str:
    path = loop.path if len(loop.path) <= 6 else (*loop.path[:5], "…")
    return f"{loop.name} ({loop.called(language) or ' → '.join((*path, loop.path[0]))})"


def _first_en(
    result: LoopsThatMatter, top: LoopThatMatters, span: str, since: str, unit: str
) -> str:
    return (
        f"In the {span}{unit} of {result.stamp.model} from {since}, loop {_called(top, 'en')} carries "
        f"{top.share:.0%} of the change while it acts ({top.peak:.0%} at its height, at "
        f"{top.peak_time:g}), the most of {result.found:,} loops."
    )


def _first_ko(
    result: LoopsThatMatter, top: LoopThatMatters, span: str, since: str, unit: str
) -> str:
    return (
        f"{result.stamp.model}: {since}부터 {span}{unit} 동안 고리 {result.found:,}개 가운데 변화를 "
        f"가장 많이 만드는 것은 {_called(top, 'ko')}입니다. 작용하는 동안 평균 {top.share:.0%}, "
        f"가장 클 때({top.peak_time:g}) {top.peak:.0%}를 차지합니다."
    )


def _order(result: LoopsThatMatter, korean: bool) -> str:
    shown = result.periods
    if not shown:
        return ""
    longest = sorted(sorted(shown, key=lambda p: p.start - p.stop)[:4], key=lambda p: p.start)
    listed = ", ".join(f"{' + '.join(p.loops[:3])} {p.start:g}–{p.stop:g}" for p in longest)
    if korean:
        rest = f" (모두 {len(shown)}개 구간 가운데 가장 긴 것)" if len(shown) > 4 else ""
        return f"지배하는 고리의 순서입니다{rest}: {listed}."
    rest = f" (the longest of {len(shown)} periods)" if len(shown) > 4 else ""
    return f"Dominance passes like this{rest}: {listed}."


def _trust(result: LoopsThatMatter, korean: bool) -> str:
    caveat = (
        "몫은 행동을 설명할 뿐 지렛대의 크기가 아닙니다."
        if korean
        else "Shares describe what moves the model; they are no leverage."
    )
    return f"{_limits(result, korean)} {caveat}".strip()


def _limits(result: LoopsThatMatter, korean: bool) -> str:
    parts = []
    if result.failure:
        parts.append(
            f"실행이 일찍 끝났습니다: {result.failure}."
            if korean
            else f"The run ended early: {result.failure}."
        )
    if not result.complete:
        parts.append(
            "고리를 모두 찾지는 못했으므로 이 몫은 찾은 고리 사이의 몫입니다."
            if korean
            else "The search was cut short, so shares are among the loops found."
        )
    if result.idle_count:
        # Loops may pass the baton: each link acts, but never all at once (Eberlein, Schoenberg 2020).
        parts.append(
            f"그 밖에 구조로만 있는 고리가 {result.idle_count:,}개 있습니다. 고리의 연결이 한꺼번에 "
            "작용한 때가 없어 몫이 없습니다."
            if korean
            else f"{_more(result.idle_count)} of the structure only: the links never act all at one "
            "time, so there is no share."
        )
    return " ".join(parts)


def _more(count: int) -> str:
    return "One more is a loop" if count == 1 else f"Another {count:,} are loops"
