"""A sweep in a few plain sentences, English or Korean.

Korean sentences put names in brackets or before 「입니다」, where no particle depends on their sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flywheel.errors import UsageError

if TYPE_CHECKING:
    from flywheel.sweep.result import Sweep

_SHOWN = 3
"""Outcomes that are told in full."""


def explain(sweep: Sweep, language: str) -> str:
    """What was run, how the outcomes spread, what failed and where, what is missing."""
    if language not in ("en", "ko"):
        raise UsageError(f"there are explanations in en and ko, not in {language!r}")
    korean = language == "ko"
    parts = [_what(sweep, korean), *_spread(sweep, language), *_failed(sweep, korean)]
    if not sweep.complete:
        missing, all_of_them = len(sweep.missing), sweep.plan.shards
        parts.append(
            f"조각 {all_of_them:,}개 중 {missing:,}개가 아직 없습니다. 이어서 실행하면 계산됩니다."
            if korean
            else f"{missing:,} of {all_of_them:,} shards are missing; resume computes them."
        )
    return " ".join(parts)


def _what(sweep: Sweep, korean: bool) -> str:
    plan = sweep.plan
    inputs = ", ".join(sweep.names[:5]) + (", …" if len(sweep.names) > 5 else "")
    scenarios = len(plan.scenarios)
    if korean:
        crossed = f", 시나리오 {scenarios}개" if scenarios else ""
        return (
            f"모형 「{plan.model_name}」의 실행 {plan.count:,}회: 바꾼 입력 {len(sweep.names)}개"
            f"({inputs}){crossed}; {plan.method}, 간격 {plan.step:g}."
        )
    crossed = f" in {scenarios} scenario{'s' * (scenarios != 1)}" if scenarios else ""
    return (
        f"{plan.count:,} runs of {plan.model_name} over {inputs}{crossed}, {plan.method} with step "
        f"{plan.step:g}."
    )


def _spread(sweep: Sweep, language: str) -> list[str]:
    """The middle nine tenths of the first outcomes."""
    found = []
    table = sweep.outcomes
    for name in sweep.plan.outcomes[:_SHOWN]:
        values = table[name].dropna()
        outcome = sweep.plan.model.outcomes[name]
        label = outcome.text(language)[0]
        unit = f" {outcome.unit}" if outcome.unit is not None and str(outcome.unit) else ""
        if values.empty:
            found.append(
                f"「{label}」: 값이 나온 실행이 없습니다."
                if language == "ko"
                else f"{label}: no run gives it a value."
            )
            continue
        low, middle, high = (float(x) for x in values.quantile([0.05, 0.5, 0.95]))
        found.append(
            f"「{label}」: 중앙값 {middle:.4g}{unit}, 실행의 90%에서 {low:.4g}~{high:.4g}{unit}."
            if language == "ko"
            else f"{label}: {middle:.4g}{unit} in the middle, {low:.4g} to {high:.4g} in 90 % of runs."
        )
    return found


def _failed(sweep: Sweep, korean: bool) -> list[str]:
    """How many runs failed, what broke most often, and in which part of the inputs they lie."""
    if not sweep.failed:
        return []
    failures = sweep.failures
    known = failures[failures["variable"] != ""]
    variable = str(known["variable"].mode().iloc[0])
    share = 100 * sweep.failed / max(len(sweep), 1)
    where = where_failures_lie(sweep)
    if korean:
        text = f"{sweep.failed:,}회({share:.2g}%)가 실패했습니다. 먼저 깨진 변수는 주로 「{variable}」."
        if where:
            text += f" 실패는 「{where[0]}」 {where[1]:.4g}~{where[2]:.4g} 구간에 몰려 있습니다."
        return [text]
    text = f"{sweep.failed:,} runs ({share:.2g} %) failed; most often {variable} broke first."
    if where:
        text += f" All of them lie where {where[0]} is between {where[1]:.4g} and {where[2]:.4g}."
    return [text]


def where_failures_lie(sweep: Sweep) -> tuple[str, float, float] | None:
    """The input whose values tell failed runs best from sound ones, and the failed runs' range of it;
    None where no input tells them apart (their ranges are more than half of all)."""
    frame = sweep.frame
    failed = frame.loc[frame.index.isin(sweep.failures["member"])]
    best: tuple[str, float, float] | None = None
    narrowest = 0.5
    for name in sweep.names:
        values, own = frame[name], failed[name]
        width = float(values.max() - values.min())
        if width > 0 and len(own):
            part = float(own.max() - own.min()) / width
            if part < narrowest:
                best, narrowest = (name, float(own.min()), float(own.max())), part
    return best
