"""A result as a small table of words and numbers: what the command line prints and a notebook shows.

Everything is in a result's ``frame``; here stands what a reader needs first. Numbers have three
digits; parts are percentages; a dash says that there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flywheel.analysis.decide.words import is_korean, say

if TYPE_CHECKING:
    from flywheel.analysis.decide.allocation import Allocation
    from flywheel.analysis.levers.dials import Dials
    from flywheel.analysis.levers.dip import Dip
    from flywheel.analysis.levers.flip import Flips
    from flywheel.analysis.levers.ladder import Ladder
    from flywheel.analysis.levers.misunderstood import Misunderstood, RobustlyMisunderstood
    from flywheel.analysis.levers.ranking import Leverage
    from flywheel.analysis.levers.robust import RobustRanking
    from flywheel.analysis.levers.synergy import Synergy
    from flywheel.analysis.loops.ledger import LoopLedger
    from flywheel.analysis.loops.matter import LoopsThatMatter
    from flywheel.analysis.loops.vitals import Vitals
    from flywheel.analysis.sensitivity.table import Sensitivity

ROWS = 15
"""Rows shown before the rest is counted."""


@dataclass(frozen=True)
class Brief:
    """Heads, rows of text, which columns are numbers, and how many rows were left out."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    more: int = 0


Column = tuple[str, str, bool]
"""English head, Korean head, whether it holds numbers."""


def brief(result: Any, language: str = "en", rows: int = ROWS) -> Brief:
    """The table of a result. Raises UsageError for a language other than en and ko."""
    korean = is_korean(language)
    for kind in type(result).__mro__:
        make = _MAKERS.get(kind.__name__)
        if make is not None:
            columns, found = make(result, korean)
            every = list(found)
            return Brief(
                tuple(column[1] if korean else column[0] for column in columns),
                tuple(tuple(row) for row in every[:rows]),
                tuple(column[2] for column in columns),
                max(len(every) - rows, 0),
            )
    raise TypeError(f"no table is known for {type(result).__name__}")


def number(value: float) -> str:
    """Three digits, a dash for none."""
    return "–" if value != value else say(float(value))


def signed(value: float) -> str:
    return "–" if value != value else f"{'+' if value > 0 else ''}{say(float(value))}"


def part(value: float) -> str:
    """A signed percentage; beyond a thousandfold a plain factor says more."""
    if not math.isfinite(value):
        return "–"
    return f"{value:+.1%}" if abs(value) < 10 else f"{value:+,.0%}"


def share(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.0%}"


def _horizons(result: Any, korean: bool, what: tuple[str, str]) -> list[Column]:
    """One numeric column a horizon."""
    unit = result.stamp.time_unit
    return [
        (f"{what[0]} {h:g} {unit}".strip(), f"{what[1]} {h:g}", True) for h in result.stamp.horizons
    ]


Table = tuple[Sequence[Column], Iterable[Sequence[str]]]


def _dip(result: Dip, korean: bool) -> Table:
    one, unit = result.swing, result.stamp.time_unit
    rates = ", ".join(f"{rate:.1%}" for rate in one.rates[0]) or "–"
    spans = {
        "shape": (("course", "모양"), result.shape),
        "depth": (("depth, of the usual level", "깊이(평소 대비)"), f"{one.depth[0]:.1%}"),
        "trough": ((f"trough after ({unit})", f"바닥까지({unit})"), number(one.trough[0])),
        "t_flow": ((f"behind until ({unit})", f"뒤지는 기간({unit})"), number(one.t_flow[0])),
        "t_pay": ((f"paid back after ({unit})", f"회수까지({unit})"), number(one.t_pay[0])),
        "debt": ((f"largest debt ({unit})", f"최대 빚({unit})"), number(one.debt[0])),
        "pain": (("part of pain", "고통의 몫"), share(float(one.pain_share[0]))),
        "rates": (("internal rates of return", "내부수익률"), rates),
        "npv": (("worth in all", "합계 가치"), signed(float(one.npv[0]))),
    }
    columns = [("measure", "지표", False), (result.lever.name, result.lever.name, True)]
    return columns, [(head[korean], value) for head, value in spans.values()]


def _misunderstood(result: Misunderstood, korean: bool) -> Table:
    columns = [
        ("lever", "레버", False), ("quadrant", "구분", False), ("MLI", "MLI", True),
        ("worth", "가치", True), (f"after {result.observed:g}", f"{result.observed:g} 뒤", True),
        ("without feedback", "되먹임 없이", True), ("judged wrongly", "오판 확률", True),
        ("pays back after", "회수까지", True), ("rank early → late", "순위 초기 → 말", True),
    ]  # fmt: skip
    v = result.verdicts
    order = sorted(
        range(len(result.levers)), key=lambda n: -abs(v.mli[n]) if v.mli[n] == v.mli[n] else 1.0
    )
    rows = [
        (
            result.levers[n].text("ko" if korean else "en")[0],
            _QUADRANTS.get(str(v.quadrant[n]), str(v.quadrant[n]))
            if korean
            else str(v.quadrant[n]),
            f"{v.mli[n]:+.2f}",
            signed(float(result.worth[n])),
            signed(float(result.early[n])),
            signed(float(result.open_worth[n])),
            share(float(v.mui[n])),
            number(float(result.patience[n])),
            f"{result.early_rank[n]} → {result.rank[n]}",
        )
        for n in order
    ]
    return columns, rows


_QUADRANTS = {
    "obvious": "뻔한 레버", "misunderstood": "오해받는 레버", "seductive": "유혹하는 레버",
    "minor": "작은 레버",
}  # fmt: skip


def _leverage(result: Leverage, korean: bool) -> Table:
    columns = [
        ("rank", "순위", True), ("element", "요소", False), ("kind", "종류", False),
        *_horizons(result, korean, ("attainable,", "달성 가능,")),
        ("elasticity", "탄력성", True), ("per cost", "비용당", True), ("half by", "절반 시점", True),
        ("how", "방법", False), ("notes", "비고", False),
    ]  # fmt: skip
    kinds = {"parameter": "파라미터", "initial": "초기값", "lever": "레버", "link": "연결",
             "flow": "흐름", "table": "표"}  # fmt: skip
    last = len(result.stamp.horizons) - 1
    notes = {
        "flips": ("changes sign with the horizon", "기간에 따라 부호가 바뀜"),
        "curved": ("bends", "휘어짐"),
        "doubt": ("runs disagree", "실행과 다름"),
        "assumed": ("range assumed", "범위 가정"),
    }
    rows = []
    for n in sorted(range(len(result.names)), key=lambda n: int(result.rank[last, n])):
        said = [
            notes[name][korean]
            for name, there in (
                ("flips", result.flips[n]),
                ("curved", result.curved[last, n]),
                ("doubt", not result.confirmed[last, n]),
                ("assumed", result.assumed[n]),
            )
            if there
        ]
        kind = result.kinds[n]
        rows.append(
            (
                str(result.rank[last, n]),
                result.labels[n][korean],
                kinds.get(kind, kind) if korean else kind,
                *(signed(float(value)) for value in result.attainable[:, n]),
                signed(float(result.elasticity[last, n])),
                signed(float(result.per_cost[last, n])),
                _when(float(result.when[last, n])),
                result.method[n],
                ", ".join(said),
            )
        )
    return columns, rows


def _when(t: float) -> str:
    return "–" if t != t else f"{t:g}"


def _ladder(result: Ladder, korean: bool) -> Table:
    from flywheel.analysis.levers.levels import LEVELS

    columns = [
        ("level", "수준", True), ("place", "자리", False), ("elements", "요소 수", True),
        ("largest", "최대", True), ("mean of top 3", "상위 3 평균", True), ("share", "몫", True),
        ("best", "으뜸", False),
    ]  # fmt: skip
    rows = [
        (
            str(level), LEVELS[level][korean], str(int(result.counts[n])),
            number(float(result.biggest[n])), number(float(result.top3[n])),
            share(float(result.shares[n])), result.best[n],
        )
        for n, level in enumerate(result.levels)
    ]  # fmt: skip
    return columns, rows


def _synergy(result: Synergy, korean: bool) -> Table:
    columns = [
        ("lever", "레버", False), ("alone", "혼자", True), ("fair share", "공정한 몫", True),
        ("best partner", "좋은 짝", False), ("synergy", "상승 효과", True),
    ]  # fmt: skip
    code = "ko" if korean else "en"
    labels = {lever.name: lever.text(code)[0] for lever in result.levers}
    frame = result.frame
    last = frame[frame["horizon"] == result.stamp.horizons[-1]]
    rows = [
        (
            labels[row["lever"]], signed(row["alone"]), signed(row["shapley"]),
            labels.get(row["best_partner"], ""), signed(row["synergy"]),
        )
        for row in last.sort_values("shapley", ascending=False).to_dict("records")
    ]  # fmt: skip
    return columns, rows


def _flips(result: Flips, korean: bool) -> Table:
    columns = [
        ("assumption", "가정", False), ("is", "값", True), ("would have to be", "바뀔 값", True),
        ("range", "범위", True), ("then wins", "그때의 으뜸", False),
        ("part of range", "범위의 몫", True),
    ]  # fmt: skip
    code = "ko" if korean else "en"
    rows = [
        (
            row.label[korean], number(row.value), number(row.at),
            f"{number(row.low)} – {number(row.high)}", row.winner.text(code)[0], share(row.distance),
        )
        for row in result.rows
    ]  # fmt: skip
    return columns, rows


def _robust(result: RobustRanking, korean: bool) -> Table:
    columns = [
        ("lever", "레버", False), ("first in", "1위 비율", True), ("rank 5–95 %", "순위 5~95%", True),
        ("above 0 in", "양수 비율", True), ("effect", "효과", True), ("5 to 95 %", "5~95%", True),
    ]  # fmt: skip
    last, code = result.spreads[-1], "ko" if korean else "en"
    rows = [
        (
            result.levers[n].text(code)[0], share(float(last.first[n])),
            f"{last.ranks[n, 0]:.0f} – {last.ranks[n, 2]:.0f}", share(float(last.positive[n])),
            signed(float(last.effects[n, 1])),
            f"{signed(float(last.effects[n, 0]))} – {signed(float(last.effects[n, 2]))}",
        )
        for n in sorted(range(len(result.levers)), key=lambda n: -float(last.first[n]))
    ]  # fmt: skip
    return columns, rows


def _surely_misunderstood(result: RobustlyMisunderstood, korean: bool) -> Table:
    columns = [
        ("lever", "레버", False), ("good and misjudged in", "좋은데 오판될 비율", True),
        ("pays back after", "회수까지", True), ("depth, 90 %", "깊이, 90%", True),
    ]  # fmt: skip
    code = "ko" if korean else "en"
    rows = [
        (
            result.levers[n].text(code)[0], share(float(result.good[n])),
            number(float(result.patience[n])), share(float(result.depth[n])),
        )
        for n in sorted(range(len(result.levers)), key=lambda n: -float(result.good[n]))
    ]  # fmt: skip
    return columns, rows


def _dials(result: Dials, korean: bool) -> Table:
    kinds = {"link": "연결", "flow": "흐름", "table": "표", "absent": "없는 정보"}
    columns = [
        ("kind", "종류", False), ("dial", "다이얼", False), ("in a loop", "되먹임 안", False),
        *_horizons(result, korean, ("1 % more,", "1 % 더,")),
        ("cut", "끊으면", True), ("held in runs", "실행 확인", False),
    ]  # fmt: skip
    yes, no = ("예", "아니요") if korean else ("yes", "no")
    rows = []
    for row in result.rows:
        cut = row.cut[-1] / abs(result.value[-1]) if row.cut and result.value[-1] else math.nan
        held = "–" if row.confirmed is None else yes if row.confirmed else no
        rows.append(
            (
                kinds[row.kind] if korean else row.kind,
                row.name,
                yes if row.in_loop else "",
                *(f"{value / 100:+.2%}" if value == value else "–" for value in row.share),
                part(cut),
                held,
            )
        )
    return columns, rows


def _loops(result: LoopsThatMatter, korean: bool) -> Table:
    columns = [
        ("loop", "고리", False), ("R/B", "R/B", False), ("mean share", "평균 몫", True),
        ("largest", "최대", True), ("at", "시점", True), ("path", "경로", False),
    ]  # fmt: skip
    rows = [
        (
            f"{loop.name} {loop.label}".strip(), loop.polarity, share(loop.share),
            share(loop.peak), f"{loop.peak_time:g}", " → ".join(loop.path),
        )
        for loop in result.loops
    ]  # fmt: skip
    return columns, rows


def _ledger(result: LoopLedger, korean: bool) -> Table:
    columns = [
        ("loop", "고리", False), ("R/B", "R/B", False), ("share", "몫", True),
        *_horizons(result, korean, ("without it,", "없으면,")),
        ("gain", "이득", True), ("agrees", "일치", False), ("why not", "이유", False),
    ]  # fmt: skip
    yes, no = ("예", "아니요") if korean else ("yes", "no")
    language = "ko" if korean else "en"
    rows = [
        (
            f"{row.name} {row.labels[language]}".strip(), row.polarity, share(row.share),
            *(part(float(effect)) for effect in row.effects), number(row.gain),
            no if row.verdict.disagrees else yes, row.verdict.text(language),
        )
        for row in result.rows
    ]  # fmt: skip
    return columns, rows


def _vitals(result: Vitals, korean: bool) -> Table:
    columns = [("vital sign", "지표", False), ("value", "값", True), ("of", "대상", False)]
    rows = []
    for vital, value, unit, of in result.frame.itertuples(index=False, name=None):
        behind = "" if unit == "1" else f" {unit}"
        rows.append((str(vital), f"{number(float(value))}{behind}", str(of)))
    return columns, rows


def _sensitivity(result: Sensitivity, korean: bool) -> Table:
    measures = list(result.measures)
    columns = [("input", "입력", False)]
    columns += [(f"{name}, ± {result.confidence:.0%}", f"{name}, ±", True) for name in measures]
    code = "ko" if korean else "en"
    place = {name: n for n, name in enumerate(result.parameters)}
    rows = []
    for name in result.ranking():
        cells = []
        for measure in measures:
            value = float(result.measures[measure][place[name], -1])
            half = result.halves.get(measure)
            half_width = math.nan if half is None else float(half[place[name], -1])
            bar = "" if half_width != half_width else f" ± {half_width:.2g}"
            cells.append(f"{number(value)}{bar}")
        param = result.model.params.get(name)
        rows.append((param.text(code)[0] if param else name, *cells))
    return columns, rows


def _allocation(result: Allocation, korean: bool) -> Table:
    columns: list[Column] = [("lever", "레버", False)]
    columns += [(f"{a:g} to {b:g}", f"{a:g}~{b:g}", True) for a, b in result.periods]
    columns += [("spent", "지출", True), ("returned per unit", "단위당 회수", True)]
    rows = []
    order = sorted(range(len(result.levers)), key=lambda n: -float(result.spent[n].sum()))
    for n in order:
        cells = [
            f"{result.intensity[n, k]:.0%}" if result.available[n, k] else "–"
            for k in range(len(result.periods))
        ]
        paid = number(float(result.spent[n].sum()))
        rows.append(
            (result.labels[n][korean], *cells, paid, signed(float(result.finite_return[n])))
        )
    return columns, rows


_MAKERS: dict[str, Callable[[Any, bool], Table]] = {
    "Dip": _dip,
    "Misunderstood": _misunderstood,
    "Dials": _dials,
    "Leverage": _leverage,
    "Ladder": _ladder,
    "Synergy": _synergy,
    "Flips": _flips,
    "RobustRanking": _robust,
    "RobustlyMisunderstood": _surely_misunderstood,
    "LoopsThatMatter": _loops,
    "LoopLedger": _ledger,
    "Vitals": _vitals,
    "Sensitivity": _sensitivity,
    "Allocation": _allocation,
}
