"""An assessment in two or three plain sentences, English or Korean.

Korean sentences put names before 「입니다」 or in brackets, where no particle depends on their sound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.analysis.questions import JUDGEMENTS, QUESTIONS

if TYPE_CHECKING:
    from flywheel.analysis.assess import Assessment, Flip


def explain(assessment: Assessment, language: str) -> str:
    """Where to enter and why; which judgement decides it; how sure the first place is."""
    korean = language == "ko"
    ranking = assessment.ranking
    top = ranking[0]
    chain = assessment.chain
    if top.total == 0:
        return (
            "어느 진입점도 점수가 없습니다. 모든 진입점에서 앞의 네 질문 중 하나 이상이 0입니다."
            if korean
            else "No entry point scores: each of them fails at least one of the first four questions."
        )
    gates = list(QUESTIONS)[:4]
    strong = max(gates, key=lambda name: getattr(top.scores, name))
    weak = min(gates, key=lambda name: getattr(top.scores, name))
    carries = QUESTIONS[strong].short[korean], getattr(top.scores, strong)
    fails = QUESTIONS[weak].short[korean], getattr(top.scores, weak)
    label = chain.point(top.point).text(language)
    second = ranking[1] if len(ranking) > 1 else None
    row = assessment.tornado(top.point)[0]
    moves = JUDGEMENTS[row.judgement].text(language)
    ends = sorted((row.at_low, row.at_high))
    if korean:
        ahead = ""
        if second:
            ahead = f", 2위는 「{chain.point(second.point).text(language)}」({second.total:.2f}점)"
        first = (
            f"1위는 「{label}」({top.total:.2f}점){ahead}입니다. "
            f"가장 강한 답은 '{carries[0]}'({carries[1]:.2f}), "
            f"가장 약한 고리는 '{fails[0]}'({fails[1]:.2f})입니다."
        )
        decides = (
            f"이 점수를 가장 크게 움직이는 판단은 '{moves}'입니다: 타당한 범위 "
            f"{amount(row.low)}~{amount(row.high)}에서 {ends[0]:.2f}~{ends[1]:.2f}점이 됩니다."
        )
        return f"{first} {decides} {_sure_ko(assessment)}".strip()
    ahead = ""
    if second:
        ahead = f", before {chain.point(second.point).text(language)} with {second.total:.2f}"
    first = (
        f"First is {label} with {top.total:.2f}{ahead}: its strongest answer is "
        f"{carries[0]} ({carries[1]:.2f}), its weakest link {fails[0]} ({fails[1]:.2f})."
    )
    decides = (
        f"The judgement that moves it most is {moves}: over its plausible range of "
        f"{amount(row.low)} to {amount(row.high)} the score runs from {ends[0]:.2f} to {ends[1]:.2f}."
    )
    return f"{first} {decides} {_sure(assessment)}".strip()


def _sure(assessment: Assessment) -> str:
    """How much it takes to change the first place."""
    if len(assessment.ranking) < 2:
        return ""
    flip = nearest_flip(assessment)
    chance = (
        f"over all ranges together it comes first in {assessment.ranking[0].first:.0%} of draws"
    )
    if flip is None:
        return f"No single judgement, however wrong, would put another first; {chance}."
    winner, point, judgement = _names(assessment, flip, "en")
    change = f"{judgement} of {point} were {amount(flip.at)} instead of {amount(flip.value)}"
    if flip.inside:
        return f"The first place is open: if {change}, {winner} would win; {chance}."
    return (
        f"No single judgement within its range would put another first (nearest: if {change}, "
        f"{winner} would win); {chance}."
    )


def _sure_ko(assessment: Assessment) -> str:
    if len(assessment.ranking) < 2:
        return ""
    flip = nearest_flip(assessment)
    chance = (
        f"모든 판단을 범위 안에서 함께 바꾸면 1위를 지키는 비율은 {assessment.ranking[0].first:.0%}"
    )
    if flip is None:
        return f"판단 하나만 바꾸어서는 순위가 뒤집히지 않으며, {chance}입니다."
    winner, point, judgement = _names(assessment, flip, "ko")
    change = (
        f"「{point}」의 '{judgement}' 판단이 {amount(flip.value)} 대신 {amount(flip.at)}이면 "
        f"1위는 「{winner}」"
    )
    if flip.inside:
        return f"1위는 확정적이지 않습니다({change}). {chance}입니다."
    return (
        f"범위 안의 판단 하나로는 1위가 바뀌지 않으며(가장 가까운 경우: {change}), {chance}입니다."
    )


def nearest_flip(assessment: Assessment) -> Flip | None:
    """The change of one judgement that upsets the ranking and is the least wrong to make."""
    finite = [flip for flip in assessment.flips if math.isfinite(flip.distance)]
    return finite[0] if finite else next(iter(assessment.flips), None)


def _names(assessment: Assessment, flip: Flip, language: str) -> tuple[str, str, str]:
    winner, point = (
        assessment.chain.point(name).text(language) for name in (flip.winner, flip.point)
    )
    return winner, point, JUDGEMENTS[flip.judgement].text(language)


def amount(value: float) -> str:
    """A judgement's number for people: three significant digits, thousands with commas."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)))
    if exponent >= 15 or exponent < -6:
        return f"{value:.3g}"
    text = f"{round(value, 2 - exponent):,.{max(2 - exponent, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
