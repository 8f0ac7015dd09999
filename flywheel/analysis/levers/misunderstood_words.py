"""The misunderstood-lever index in a few plain sentences, English or Korean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flywheel.analysis.decide.words import say
from flywheel.analysis.levers.judging import MISUNDERSTOOD, SEDUCTIVE
from flywheel.analysis.levers.words import duration, moment

if TYPE_CHECKING:
    from flywheel.analysis.levers.misunderstood import Misunderstood, RobustlyMisunderstood


def explain(table: Misunderstood, korean: bool) -> str:
    unit, v = table.stamp.time_unit, table.verdicts
    language = "ko" if korean else "en"
    names = [one.text(language)[0] for one in table.levers]
    end = moment(float(table.stamp.since + max(table.stamp.horizons)), unit, korean)
    horizon = duration(table.observed, unit, language)
    order = np.argsort(-np.abs(np.nan_to_num(v.mli)), kind="stable")
    kinds = {kind: [k for k in order if v.quadrant[k] == kind] for kind in set(v.quadrant)}
    sentences = []
    unknown = sum(map(bool, table.open_reasons))
    good, bad = kinds.get(MISUNDERSTOOD, []), kinds.get(SEDUCTIVE, [])
    if korean:
        of = f"「{table.label[korean]}」(관측 기간 {horizon}까지)"
        if good:
            k = good[0]
            sentences.append(
                f"{of}에서 가장 오해받을 좋은 레버는 「{names[k]}」입니다: 합계 {say(table.worth[k])}, "
                f"틀리게 판단할 확률 {v.mui[k]:.0%}, {_patience(table, k, korean)}."
            )
        if bad:
            k = bad[0]
            sentences.append(
                f"{'' if good else of + '에서 '}가장 유혹적인 나쁜 레버는 「{names[k]}」입니다: "
                f"합계 {say(table.worth[k])}, 틀리게 판단할 확률 {v.mui[k]:.0%}."
            )
        if not sentences:
            sentences.append(f"{of}에서 크면서 잘못 판단될 레버는 없습니다.")
        sentences.append(
            f"{horizon} 뒤의 순위와 {end}의 순위는 켄달 τ {table.tau:.2f}로 "
            f"{_ALIKE[_alike(table.tau)][1]}."
            if table.tau == table.tau
            else "순위를 비교하기에는 레버가 모자랍니다."
        )
        if unknown:
            sentences.append(
                f"되먹임이 없을 때의 가치를 말할 수 없는 레버는 {unknown}개입니다(루프를 끊는 곳에 따라 "
                "부호가 달라짐). 이들은 시간으로만 판단했습니다."
            )
        return " ".join(sentences)
    if good:
        k = good[0]
        sentences.append(
            f'For {table.label[korean]}, the good lever most easily misunderstood is "{names[k]}": '
            f"it is worth {say(table.worth[k])} {table.unit}".rstrip()
            + f", but those who look at most {horizon} ahead, or reason without feedback, have a chance "
            f"of {v.mui[k]:.0%} of judging it wrongly; {_patience(table, k, korean)}."
        )
    if bad:
        k = bad[0]
        sentences.append(
            f"{'The' if good else f'For {table.label[korean]}, the'} bad lever that seduces most is "
            f'"{names[k]}": it is worth {say(table.worth[k])} '
            f"{table.unit}".rstrip()
            + f", with a chance of {v.mui[k]:.0%} of being taken for a good one."
        )
    if not sentences:
        sentences.append(
            f"For {table.label[korean]}, no large lever is likely to be misjudged by observers who look "
            f"at most {horizon} ahead."
        )
    if table.tau == table.tau:
        sentences.append(
            f"The rankings of levers after {horizon} and until {end} {_ALIKE[_alike(table.tau)][0]} "
            f"(Kendall's tau {table.tau:.2f})."
        )
    if unknown:
        levers = "1 lever" if unknown == 1 else f"{unknown} levers"
        sentences.append(
            f"What {levers} would be worth without feedback cannot be said: the sign depends on where "
            "the loops are cut. They are judged by time alone."
        )
    return " ".join(sentences)


_ALIKE = (
    ("have nothing to do with each other", "서로 관계가 없습니다"),
    ("differ", "다릅니다"),
    ("are much the same", "거의 같습니다"),
)


def _alike(tau: float) -> int:
    return 0 if abs(tau) < 0.2 else 2 if tau > 0.8 else 1


def _patience(table: Misunderstood, k: int, korean: bool) -> str:
    """How long a good lever is in debt."""
    unit, wait = table.stamp.time_unit, float(table.patience[k])
    if wait <= 0:
        return "한 번도 손해가 쌓이지 않음" if korean else "it is never in debt"
    if korean:
        return f"회수까지 {duration(wait, unit, 'ko')}"
    return f"it takes {duration(wait, unit)} to pay back"


def explain_robust(table: RobustlyMisunderstood, korean: bool) -> str:
    language = "ko" if korean else "en"
    names = [one.text(language)[0] for one in table.levers]
    unit = table.stamp.time_unit
    known = np.nan_to_num(table.good, nan=-1.0)
    k = int(known.argmax())
    doubt = np.abs(np.nan_to_num(table.good, nan=9.0) - 0.5)
    doubt[k] = np.inf
    # The other lever whose sign is nearest to an even chance; none where there is no other.
    n = int(doubt.argmin())
    other = f"{table.good[n]:.0%}" if doubt[n] <= 0.5 else ""
    patience = duration(table.patience[k], unit, language)
    failed = int(table.failed.max(initial=0))
    if korean:
        lost = f" 최대 {failed}개의 표본은 값이 없습니다." if failed else ""
        hardest = (
            f" 나머지 중 가장 판단하기 어려운 것은 「{names[n]}」({other})입니다." if other else ""
        )
        return (
            f"「{table.label[korean]}」: 매개변수 표본 {table.draws}개에서 가장 확실히 좋은 레버는 "
            f"「{names[k]}」({table.good[k]:.0%})이며, 회수 기간의 중앙값은 {patience}입니다."
            f"{hardest}{lost}"
        )
    lost = f" Up to {failed} draws have no value." if failed else ""
    hardest = f' Of the others "{names[n]}" is the hardest to say ({other}).' if other else ""
    return (
        f'Over {table.draws} draws of the parameters, "{names[k]}" is most surely good for '
        f"{table.label[korean]} ({table.good[k]:.0%}), with a median pay-back of {patience} and a depth "
        f"of {table.depth[k]:.0%} of the usual level that one draw in ten exceeds.{hardest}{lost}"
    )
