"""The tables of feedback loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.brief.table import Column, Table, code, horizons
from flywheel.brief.words import lasting, number, part, path, share, time

if TYPE_CHECKING:
    from flywheel.analysis.loops.ledger import LoopLedger
    from flywheel.analysis.loops.matter import LoopsThatMatter
    from flywheel.analysis.loops.vitals import Vitals


def loops(result: LoopsThatMatter, korean: bool) -> Table:
    """The largest mean share first."""
    columns = [
        Column("loop", "고리"), Column("R/B", "R/B"), Column("mean share", "평균 몫", True),
        Column("largest", "최대", True, 2), Column("at", "시점", True, 3),
        Column("path", "경로", spare=1),
    ]  # fmt: skip
    rows = [
        (
            f"{loop.name} {loop.called(code(korean))}".strip(),
            loop.polarity,
            share(loop.share),
            share(loop.peak),
            time(loop.peak_time),
            path(loop.path),
        )
        for loop in result.loops
    ]
    return Table(columns, rows)


def ledger(result: LoopLedger, korean: bool) -> Table:
    """Loops by share and knock-out; why the two disagree stands below the table."""
    columns = [
        Column("loop", "고리"), Column("R/B", "R/B"), Column("share", "몫", True),
        *horizons(result.stamp, "without it, ", "없으면, "),
        Column("gain", "이득", True, 2), Column("agrees", "일치"),
    ]  # fmt: skip
    yes, no = ("예", "아니요") if korean else ("yes", "no")
    language = code(korean)
    called = [f"{row.name} {row.labels[language]}".strip() for row in result.rows]
    rows = [
        (
            name,
            row.polarity,
            share(row.share),
            *(part(float(effect)) for effect in row.effects),
            number(row.gain),
            no if row.verdict.disagrees else yes if row.verdict.kind == "agrees" else "?",
        )
        for name, row in zip(called, result.rows, strict=True)
    ]
    notes = [
        f"{name}: {row.verdict.text(language)}" if row.verdict.disagrees else ""
        for name, row in zip(called, result.rows, strict=True)
    ]
    about = (
        "몫: 변화 가운데 이 고리가 나른 부분. 없으면: 이 고리를 끊었을 때 결과의 변화."
        if korean
        else "Share: the part of the change that the loop carried. Without it: what cutting it does to "
        "the outcome."
    )
    return Table(columns, rows, about, notes)


def vitals(result: Vitals, korean: bool) -> Table:
    """One vital sign a row; of each strong loop its gain and how long a turn takes."""
    stamp, unit = result.stamp, result.stamp.time_unit
    language = code(korean)

    def said(english: str, korean_: str) -> str:
        return korean_ if korean else english

    def long(value: float) -> str:
        return lasting(value, unit, korean)

    within = said(f"within {long(result.patience)}", f"{long(result.patience)} 안")
    each = said(f" a {unit}" if unit else "", f"({unit and long(1)}당)" if unit else "")
    model = getattr(result, "_context", {}).get("model")
    stocks = [model[n].text(language)[0] if model and n in model else n for n in result.core]
    core = path(stocks) if len(stocks) > 6 else ", ".join(stocks)
    rate = part(result.rate)
    rows = [
        (said("growth rate", "성장률"), f"{rate}{each}" if math.isfinite(result.rate) else rate,
         core.replace(" → ", ", ")),
        (said("doubling time", "두 배가 되는 시간"), long(result.doubling), ""),
    ]  # fmt: skip
    if result.swing > 0:
        turn = 2.0 * math.pi / result.swing
        rows.append((said("swings once in", "진동 주기"), long(turn), ""))
    rows.append((said("overall gain", "전체 이득"), number(result.gain), within))
    rows.append((said("break-even gain", "손익분기 이득"), "1", ""))
    for loop, label in zip(result.loops, result.labels[language], strict=True):
        rows.append((said("loop gain", "고리 이득"), number(loop.gain), label))
        rows.append((said("loop turn", "한 바퀴"), long(loop.turn), label))
    for n, horizon in enumerate(stamp.horizons):
        if result.momentum is not None:
            pushes, seen = ", ".join(result.momentum.pushes), long(horizon)
            of = said(f"{pushes} off, after {seen}", f"{pushes} 없이 {seen} 뒤")
            rows.append((said("momentum", "관성"), share(float(result.momentum.remains[n])), of))
        if result.break_even is not None:
            b, seen = result.break_even, long(horizon)
            of = said(f"{b.param} {b.by:+.0%}, within {seen}", f"{b.param} {b.by:+.0%}, {seen} 안")
            head = said("break-even loop gain", "손익분기 고리 이득")
            rows.append((head, number(float(b.gain[n])), of))
    columns = [
        Column("vital sign", "지표"), Column("value", "값", True), Column("of", "대상", spare=1),
    ]  # fmt: skip
    return Table(columns, rows)
