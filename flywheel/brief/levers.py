"""The tables of what can be pushed: levers, parameters, links."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.analysis.levers.words import percent, summed
from flywheel.brief.table import Column, Table, code, horizons, in_unit, labelled, last_of
from flywheel.brief.words import NOTHING, between, lasting, number, part, share, signed, time

if TYPE_CHECKING:
    from flywheel.analysis.levers.dials import Dials
    from flywheel.analysis.levers.dip import Dip
    from flywheel.analysis.levers.flip import Flips
    from flywheel.analysis.levers.ladder import Ladder
    from flywheel.analysis.levers.misunderstood import Misunderstood, RobustlyMisunderstood
    from flywheel.analysis.levers.ranking import Leverage
    from flywheel.analysis.levers.robust import RobustRanking
    from flywheel.analysis.levers.synergy import Synergy

_KINDS = {
    "parameter": "매개변수", "initial": "초기값", "lever": "레버", "link": "연결", "flow": "흐름",
    "table": "표", "absent": "없는 정보",
}  # fmt: skip
_QUADRANTS = {
    "obvious": "뻔한 레버", "misunderstood": "오해받는 레버", "seductive": "유혹하는 레버",
    "minor": "작은 레버",
}  # fmt: skip
_SHAPES = {
    "worse before better": "나빠졌다 좋아짐", "better before worse": "좋아졌다 나빠짐",
    "better": "좋아짐", "worse": "나빠짐", "mixed": "오르내림", "no effect": "효과 없음",
    "failed": "실행 실패",
}  # fmt: skip
_NOTES = {
    "flips": ("changes sign with the horizon", "기간에 따라 부호가 바뀜"),
    "curved": ("bends", "휘어짐"),
    "doubt": ("runs disagree", "실행과 다름"),
    "assumed": ("range assumed", "범위 가정"),
    "fd": ("by differences", "차분으로 구함"),
}
_NOISE = 1e-9
"""Parts of the largest number below which another one is rounding."""


def kind(name: str, korean: bool) -> str:
    """What sort of thing a row is."""
    return _KINDS.get(name, name) if korean else name


def leverage(result: Leverage, korean: bool) -> Table:
    """Ranked by what can be attained at the last horizon."""
    last = len(result.stamp.horizons) - 1
    unit = in_unit(result.unit)
    several = len(set(result.kinds)) > 1
    columns = [
        Column("rank", "순위", True, 1), Column("element", "요소"),
        Column("kind", "종류", spare=0 if several else 5),
        *horizons(result.stamp),
        Column("elasticity", "탄력성", True, 2), Column("per cost", "비용당", True, 4),
        Column("half by", "절반 시점", True, 3), Column("notes", "비고", spare=1),
    ]  # fmt: skip
    rows = []
    for n in sorted(range(len(result.names)), key=lambda n: int(result.rank[last, n])):
        found = {
            "flips": result.flips[n],
            "curved": result.curved[last, n],
            "doubt": not result.confirmed[last, n] and math.isfinite(result.checked[last, n]),
            "assumed": result.assumed[n],
            "fd": result.method[n] == "fd",
        }
        rows.append(
            (
                str(result.rank[last, n]),
                result.labels[n][korean],
                kind(result.kinds[n], korean),
                *(signed(float(value)) for value in result.attainable[:, n]),
                signed(float(result.elasticity[last, n])),
                signed(float(result.per_cost[last, n])),
                time(float(result.when[last, n])),
                ", ".join(_NOTES[name][korean] for name, there in found.items() if there),
            )
        )
    about = (
        f"타당한 범위(레버는 끝까지)에서 「{result.label[1]}」의 가장 큰 변화{unit}, 기간별. "
        f"탄력성과 절반 시점은 {last_of(result.stamp, True)} 기준."
        if korean
        else f"Largest change of {result.label[0]}{unit} within plausible ranges (levers: fully pulled) "
        f"by horizon; elasticity and the time by which half has acted at {last_of(result.stamp, False)}."
    )
    return Table(columns, rows, about)


def misunderstood(result: Misunderstood, korean: bool) -> Table:
    """The most misjudged first."""
    stamp, v = result.stamp, result.verdicts
    early = lasting(result.observed, stamp.time_unit, korean)
    columns = [
        Column("lever", "레버"), Column("quadrant", "구분", spare=1), Column("MLI", "MLI", True),
        Column("worth", "가치", True), Column(f"after {early}", f"{early} 뒤", True, 3),
        Column("without feedback", "되먹임 없이", True, 4),
        Column("judged wrongly", "오판 확률", True, 2), Column("pays back after", "회수까지", True, 1),
        Column("rank early → late", "순위 초기 → 말", True, 5),
    ]  # fmt: skip
    order = sorted(
        range(len(result.levers)), key=lambda n: -abs(v.mli[n]) if v.mli[n] == v.mli[n] else 1.0
    )
    rows = [
        (
            result.levers[n].text(code(korean))[0],
            _QUADRANTS.get(str(v.quadrant[n]), "") if korean else str(v.quadrant[n]),
            f"{v.mli[n]:+.2f}" if v.mli[n] == v.mli[n] else NOTHING,
            signed(float(result.worth[n])),
            signed(float(result.early[n])),
            signed(float(result.open_worth[n])),
            share(float(v.mui[n])),
            lasting(float(result.patience[n]), stamp.time_unit, korean),
            f"{result.early_rank[n]} → {result.rank[n]}",
        )
        for n in order
    ]  # fmt: skip
    end = last_of(stamp, korean)
    about = (
        f"가치: 레버를 당긴 뒤 {end}까지 쌓이는 차이{in_unit(result.unit)}. "
        "MLI: 1에 가까울수록 좋은데 나빠 보이고, -1에 가까울수록 나쁜데 좋아 보입니다."
        if korean
        else f"Worth: the difference added up to {end} after {stamp.since:g}{in_unit(result.unit)}. "
        "MLI: towards 1 good but likely to look bad, towards -1 bad but likely to look good."
    )
    return Table(columns, rows, about)


def surely_misunderstood(result: RobustlyMisunderstood, korean: bool) -> Table:
    """The likeliest to be good and misjudged first."""
    columns = [
        Column("lever", "레버"), Column("good and misjudged in", "좋은데 오판될 비율", True),
        Column("pays back after", "회수까지", True), Column("depth, 90 %", "깊이, 90%", True),
    ]  # fmt: skip
    rows = [
        (
            result.levers[n].text(code(korean))[0],
            share(float(result.good[n])),
            lasting(float(result.patience[n]), result.stamp.time_unit, korean),
            share(float(result.depth[n])),
        )
        for n in sorted(range(len(result.levers)), key=lambda n: -float(result.good[n]))
    ]
    return Table(columns, rows)


def dials(result: Dials, korean: bool) -> Table:
    """The largest at the last horizon first."""
    stamp = result.stamp
    columns = [
        Column("kind", "종류"), Column("what is turned", "돌린 것"),
        Column("in a loop", "고리 안", spare=3), *horizons(stamp),
        Column("cut", "끊으면", True, 2), Column("runs agree", "실행 확인", spare=1),
    ]  # fmt: skip
    yes, no = ("예", "아니요") if korean else ("yes", "no")
    rows = []
    for row in result.rows:
        cut = row.cut[-1] / abs(result.value[-1]) if row.cut and result.value[-1] else math.nan
        held = NOTHING if row.confirmed is None else yes if row.confirmed else no
        rows.append(
            (
                kind(row.kind, korean),
                result.called(row, code(korean)),
                yes if row.in_loop else "",
                *(f"{value / 100:+.2%}" if math.isfinite(value) else NOTHING for value in row.share),
                part(cut),
                held,
            )
        )  # fmt: skip
    about = (
        f"1% 강하게 했을 때 「{result.label[1]}」의 변화, 기간별(없는 정보: 표준편차 하나에 1%). "
        f"끊으면: {last_of(stamp, True)} 기준."
        if korean
        else f"Change of {result.label[0]} when each is 1 % stronger (absent: 1 % per standard "
        f"deviation) by horizon; cut: at {last_of(stamp, False)}."
    )
    return Table(columns, rows, about)


def ladder(result: Ladder, korean: bool) -> Table:
    """From parameters up."""
    from flywheel.analysis.levers.levels import LEVELS

    columns = [
        Column("level", "수준", True), Column("place", "자리"), Column("elements", "요소 수", True),
        Column("largest", "최대", True), Column("mean of top 3", "상위 3 평균", True, 2),
        Column("share", "몫", True), Column("best", "으뜸", spare=1),
    ]  # fmt: skip
    top = float(max((abs(x) for x in result.biggest if math.isfinite(x)), default=0.0))
    rows = [
        (
            str(level),
            LEVELS[level][korean],
            str(int(result.counts[n])),
            number(_clean(float(result.biggest[n]), top)),
            number(_clean(float(result.top3[n]), top)),
            share(float(result.shares[n])),
            result.labels[n][korean] if result.labels else result.best[n],
        )
        for n, level in enumerate(result.levels)
    ]
    return Table(columns, rows)


def synergy(result: Synergy, korean: bool) -> Table:
    """The largest fair share first."""
    columns = [
        Column("lever", "레버"), Column("alone", "혼자", True), Column("fair share", "공정한 몫", True),
        Column("best partner", "좋은 짝"), Column("synergy", "상승 효과", True),
    ]  # fmt: skip
    labels = labelled(result.levers, korean)
    frame = result.frame
    last = frame[frame["horizon"] == result.stamp.horizons[-1]]
    rows = [
        (
            labels[row["lever"]], signed(row["alone"]), signed(row["shapley"]),
            labels.get(row["best_partner"], ""), signed(row["synergy"]),
        )
        for row in last.sort_values("shapley", ascending=False).to_dict("records")
    ]  # fmt: skip
    end = last_of(result.stamp, korean)
    about = (
        f"{end} 뒤 「{result.label[1]}」의 변화. 공정한 몫: 섀플리 값, 합하면 모두 함께 당긴 효과."
        if korean
        else f"Change of {result.label[0]} after {end}. Fair share: the Shapley value; they "
        "add up to all levers pulled together."
    )
    return Table(columns, rows, about)


def flips(result: Flips, korean: bool) -> Table:
    """The nearest first."""
    columns = [
        Column("assumption", "가정"), Column("is", "값", True),
        Column("would have to be", "바뀔 값", True), Column("range", "범위", True, 2),
        Column("then wins", "그때의 으뜸", spare=1), Column("part of range", "범위의 몫", True),
    ]  # fmt: skip
    rows = [
        (
            row.label[korean],
            number(row.value),
            number(row.at),
            between(number(row.low), number(row.high), korean),
            row.winner.text(code(korean))[0],
            share(row.distance),
        )
        for row in result.rows
    ]
    return Table(columns, rows)


def robust(result: RobustRanking, korean: bool) -> Table:
    """The likeliest first place first."""
    columns = [
        Column("lever", "레버"), Column("first in", "1위 비율", True),
        Column("rank 5–95 %", "순위 5~95%", True, 1), Column("above 0 in", "양수 비율", True),
        Column("effect", "효과", True), Column("effect 5–95 %", "효과 5~95%", True),
    ]  # fmt: skip
    last = result.spreads[-1]
    rows = [
        (
            result.levers[n].text(code(korean))[0],
            share(float(last.first[n])),
            between(f"{last.ranks[n, 0]:.0f}", f"{last.ranks[n, 2]:.0f}", korean),
            share(float(last.positive[n])),
            signed(float(last.effects[n, 1])),
            between(signed(float(last.effects[n, 0])), signed(float(last.effects[n, 2])), korean),
        )
        for n in sorted(range(len(result.levers)), key=lambda n: -float(last.first[n]))
    ]
    return Table(columns, rows)


def dip(result: Dip, korean: bool) -> Table:
    """One measure a row."""
    one, unit = result.swing, result.stamp.time_unit

    def after(values: object) -> str:
        return lasting(float(values[0]), unit, korean)  # type: ignore[index]

    yearly = {"year": ("a year", "연")}.get(unit, (f"a {unit}" if unit else "", unit))
    rates = ", ".join(percent(math.expm1(rate)) for rate in one.rates[0])
    gained = signed(float(one.npv[0]) * result.better)
    measured = {
        ("course", "모양"): _SHAPES.get(result.shape, result.shape) if korean else result.shape,
        ("depth, of the usual level", "깊이(평소 대비)"): percent(float(one.depth[0])),
        ("depth, of the level of that time", "깊이(그 시점 대비)"): percent(float(one.depth_then[0]))
        if math.isfinite(one.depth_then[0]) else NOTHING,
        ("deepest after", "바닥까지"): after(one.trough),
        ("behind until", "뒤지는 기간"): after(one.t_flow),
        ("paid back after", "회수까지"): after(one.t_pay),
        ("largest debt, at the usual level", "최대 빚(평소 수준으로)"): after(one.debt),
        ("part of pain", "고통의 몫"): share(float(one.pain_share[0])),
        (f"internal rates of return {yearly[0]}".strip(), f"내부수익률({yearly[1]})"): rates or NOTHING,
        (
            f"worth in all{in_unit(summed(result.watched.unit, unit))}",
            f"합계 가치{in_unit(summed(result.watched.unit, unit))}",
        ): gained,
    }  # fmt: skip
    label = result.lever.text(code(korean))[0]
    columns = [Column("measure", "지표"), Column(label, label, True)]
    return Table(columns, [(head[korean], value) for head, value in measured.items()])


def _clean(value: float, largest: float) -> float:
    """0 for what is rounding beside the largest."""
    return 0.0 if abs(value) <= _NOISE * largest else value
