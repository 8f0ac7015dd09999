"""What the dials say, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flywheel.analysis.levers.dials import Dials, Row


def explain(dials: Dials, language: str = "en") -> str:
    """Two or three sentences: the strongest link, the most useful absent one, what did not hold."""
    stamp = dials.stamp
    horizon, unit = stamp.horizons[-1], stamp.time_unit
    korean = language == "ko"
    label = dials.labels["ko" if korean else "en"]
    sentences: list[str] = []

    def shown(row: Row) -> tuple[str, str]:
        return label.get(row.source, row.source), label.get(row.target, row.target)

    strongest = next((row for row in dials.rows if row.kind == "link" and row.in_loop), None)
    if strongest is not None:
        source, target = shown(strongest)
        change = strongest.share[-1] / 100
        if korean:
            sentences.append(
                f"{stamp.since:g}년부터 {horizon:g}{unit} 뒤의 {stamp.outcome}에 가장 크게 작용하는 "
                f"되먹임 연결은 '{source}'에서 '{target}'(으)로 가는 것으로, 1% 강해지면 {change:+.2%} "
                f"달라집니다."
            )
        else:
            sentences.append(
                f"Of the links in feedback loops, {stamp.outcome} {horizon:g} {unit} after "
                f"{stamp.since:g} depends most on how strongly {target} reacts to {source}: "
                f"1 % more moves it by {change:+.2%}."
            )
        if strongest.cut:
            part = strongest.cut[-1] / abs(dials.value[-1]) if dials.value[-1] else float("nan")
            sentences.append(
                f"그 연결을 끊으면 {part:+.0%} 달라집니다."
                if korean
                else f"Cut altogether, it would change by {part:+.0%}."
            )
    absent = next((row for row in dials.rows if row.kind == "absent" and row.confirmed), None)
    if absent is not None:
        source, target = shown(absent)
        change = 0.1 * absent.share[-1]
        if korean:
            sentences.append(
                f"아직 없는 정보 가운데서는 '{target}'이(가) '{source}'을(를) 보게 하는 것이 "
                f"가장 큽니다: "
                f"표준편차 하나에 10% 반응하면 {change:+.1%}입니다."
            )
        else:
            sentences.append(
                f"Of information that nobody uses yet, letting {target} see {source} matters most: a "
                f"tenth more per standard deviation gives {change:+.1%}."
            )
    doubtful = [row for row in dials.rows if row.confirmed is False]
    if doubtful:
        sentences.append(
            f"실행으로 확인했을 때 {len(doubtful)}개 값은 크기에 따라 크게 달라집니다."
            if korean
            else f"For {len(doubtful)} of them runs at ±5 % differ from the derivative by more than a "
            "tenth: they bend."
        )
    return " ".join(sentences)
