"""The tables of decisions under uncertainty: policies, and what is worth finding out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flywheel.brief.table import Column, Table, code, in_unit
from flywheel.brief.words import NOTHING, between, number, part, share, signed

if TYPE_CHECKING:
    from flywheel.analysis.decide.buying import DataToBuy
    from flywheel.analysis.decide.learning import WorthOfKnowing
    from flywheel.analysis.decide.policies import RobustChoice

_EVIDENCE = {"guess": "짐작", "estimate": "추정", "survey": "조사", "measured": "측정"}


def policies(result: RobustChoice, korean: bool) -> Table:
    """The smallest regret in nine draws of ten first."""
    columns = [
        Column("policy", "정책"), Column("wins", "1위 비율", True),
        Column("better than nothing", "안 하는 것보다 나음", True, 1),
        Column("90 % regret", "90% 후회", True), Column("worst regret", "최악의 후회", True, 2),
        Column("mean", "평균", True, 1),
    ]  # fmt: skip
    frame = result.frame
    labels = [one.label[korean] for one in result.policies]
    order = sorted(range(len(labels)), key=lambda n: float(frame["high_regret"].iloc[n]))
    rows = [
        (
            labels[n], share(float(frame["wins"].iloc[n])),
            share(float(frame["better_than_nothing"].iloc[n])),
            number(float(frame["high_regret"].iloc[n])),
            number(float(frame["worst_regret"].iloc[n])), signed(float(frame["mean"].iloc[n])),
        )
        for n in order
    ]  # fmt: skip
    unit = in_unit(result.unit)
    about = (
        f"후회: 그 추출에서 가장 좋은 정책보다 모자라는 만큼{unit}. 추출 {len(result.rows):,}회."
        if korean
        else f"Regret: how far behind the best policy of the draw{unit}; {len(result.rows):,} draws."
    )
    return Table(columns, rows, about)


def knowing(result: WorthOfKnowing, korean: bool) -> Table:
    """The number most worth knowing first."""
    columns = [
        Column("number", "수"), Column("worth knowing", "알 가치", True),
        Column("between", "사이", True, 2), Column("of the spread", "분산의 몫", True, 1),
        Column("believed", "믿는 범위", spare=2), Column("evidence", "근거", spare=1),
    ]  # fmt: skip
    frame = result.frame
    named = {one.name: one for one in result.numbers}
    rows = []
    for name, row in zip(frame.index, frame.to_dict("records"), strict=True):
        one = named[str(name)]
        rows.append(
            (
                one.label[korean], number(float(row["evppi"])),
                between(number(float(row["low"])), number(float(row["high"])), korean),
                share(float(row["variance_share"])),
                one.believed.replace(" to ", "~") if korean else one.believed,
                _evidence(one.evidence, korean),
            )
        )  # fmt: skip
    unit = in_unit(result.unit)
    about = (
        f"정책을 고르기 전에 그 수를 알면 평균적으로 나아지는 만큼{unit}."
        if korean
        else f"What knowing the number before choosing a policy would gain on average{unit}."
    )
    return Table(columns, rows, about)


def buying(result: DataToBuy, korean: bool) -> Table:
    """What the data say of the numbers worth knowing, and the figure that would say most."""
    columns = [
        Column("number", "수"), Column("worth at most", "최대 가치", True),
        Column("sd of the range", "범위의 표준편차", True, 2), Column("with the data", "자료로", True),
        Column("next figure", "다음 자료"), Column("then", "그 뒤", True),
    ]  # fmt: skip
    rows = []
    for one in result.rows:
        label = result.labels.get(one.next_variable)
        shown = label[korean] if label is not None else one.next_variable
        following = f"{shown}, {one.next_time:g}" if one.next_variable else NOTHING
        rows.append(
            (
                one.number.label[korean], number(one.worth), part(one.before).lstrip("+"),
                part(one.after).lstrip("+"), following, part(one.then).lstrip("+"),
            )
        )  # fmt: skip
    about = (
        "표준편차는 값에 대한 비율이며, 기준 실행 둘레에서 선형으로 구했습니다."
        if korean
        else "Standard deviations are parts of the value, linear around the baseline."
    )
    return Table(columns, rows, about)


def _evidence(kind: str, korean: bool) -> str:
    return _EVIDENCE.get(kind, kind) if code(korean) == "ko" else kind
