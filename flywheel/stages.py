"""The four stages of a model, measured: how far it stands on the way from a sketch to a fitted model.

1. *Logic*: what it is made of has labels and explanations, and the loops that matter have names.
2. *Equations*: every line states its units, and they balance.
3. *Evidence*: where its numbers come from.
4. *Data*: its base run is compared with data, verified ones, and comes near them.

Everything is computed from the file; only the fourth stage needs a run, and only where there is an
``observe`` line. A stage is reached when its share passes ``REACHED`` and those before it are reached.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from flywheel.checks import check_units
from flywheel.compose import DESIRED, SWITCH
from flywheel.errors import Span
from flywheel.model import (
    Aux,
    Declaration,
    Flow,
    Loop,
    Model,
    Observe,
    Param,
    Stock,
    Table,
    Use,
)
from flywheel.structure import components, graph

if TYPE_CHECKING:
    from flywheel.solve.run import Run

Stage = Literal["logic", "equations", "evidence", "data"]
STAGES: tuple[Stage, ...] = ("logic", "equations", "evidence", "data")
REACHED: Mapping[Stage, float] = MappingProxyType(
    {"logic": 0.7, "equations": 1.0, "evidence": 0.5, "data": 0.7}
)
"""The share from which a stage counts as reached."""
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"measured": 1.0, "survey": 0.75, "estimate": 0.5, "guess": 0.0, "none": 0.0}
)
"""What a number is worth by where it comes from: the evidence share is the mean over parameters."""


@dataclass(frozen=True)
class Logic:
    """How much of what a reader meets is explained.

    ``names`` stocks, flows, auxiliaries, tables, parameters and outcomes, of which ``labelled`` have a
    label; of the ``variables`` (the same without parameters and outcomes) ``explained`` have a
    sentence. ``feedback`` stocks lie on some feedback loop, ``looped`` of them on a named one;
    ``loops`` are the named ones.
    """

    names: int
    labelled: int
    variables: int
    explained: int
    feedback: int
    looped: int
    loops: int

    @property
    def share(self) -> float:
        """The mean of the shares labelled, explained and looped; what there is none of leaves out."""
        parts = [
            part / whole
            for part, whole in (
                (self.labelled, self.names),
                (self.explained, self.variables),
                (self.looped, self.feedback),
            )
            if whole
        ]
        return sum(parts) / len(parts) if parts else 0.0


@dataclass(frozen=True)
class Equations:
    """``clean`` of ``lines`` have no finding of the strict unit check."""

    lines: int
    clean: int

    @property
    def share(self) -> float:
        return self.clean / self.lines if self.lines else 0.0


@dataclass(frozen=True)
class Numbers:
    """How many parameters there are of each kind of evidence (``none`` where nobody said)."""

    kinds: Mapping[str, int]

    @property
    def parameters(self) -> int:
        return sum(self.kinds.values())

    @property
    def share(self) -> float:
        """The mean of ``WEIGHTS`` over the parameters."""
        worth = sum(WEIGHTS[kind] * count for kind, count in self.kinds.items())
        return worth / self.parameters if self.parameters else 0.0


@dataclass(frozen=True)
class SeriesFit:
    """One ``observe`` line: ``mape`` is the mean absolute error of the base run in parts of the data.

    ``points`` lie within the run, ``verified`` of them in sources that somebody checked. Of data that
    are zero no part can be taken: they are left out of ``mape``, which is None where nothing is left.
    """

    variable: str
    data: str
    points: int
    verified: int
    mape: float | None


@dataclass(frozen=True)
class Fit:
    """All ``observe`` lines. ``failure`` says why there are no errors, where the run failed."""

    series: tuple[SeriesFit, ...]
    failure: str = ""

    @property
    def points(self) -> int:
        return sum(one.points for one in self.series)

    @property
    def verified(self) -> int:
        return sum(one.verified for one in self.series)

    @property
    def mape(self) -> float | None:
        """The mean of the series' errors, each series counting once."""
        errors = [one.mape for one in self.series if one.mape is not None]
        return sum(errors) / len(errors) if errors else None

    @property
    def share(self) -> float:
        """The share of verified points times how near the run comes: per series 1 - MAPE, at least 0."""
        errors = [one.mape for one in self.series if one.mape is not None]
        if not errors or not self.points:
            return 0.0
        near = sum(max(0.0, 1.0 - error) for error in errors) / len(errors)
        return self.verified / self.points * near


@dataclass(frozen=True)
class StageMeter:
    """Where a model stands, stage by stage; every share lies between 0 and 1."""

    model: str
    logic: Logic
    equations: Equations
    evidence: Numbers
    data: Fit

    @property
    def shares(self) -> Mapping[Stage, float]:
        return {
            "logic": self.logic.share,
            "equations": self.equations.share,
            "evidence": self.evidence.share,
            "data": self.data.share,
        }

    @property
    def reached(self) -> int:
        """How many stages are reached, one after the other: 0 to 4."""
        count = 0
        for stage in STAGES:
            if self.shares[stage] < REACHED[stage]:
                break
            count += 1
        return count

    def sentences(self, language: str = "en") -> tuple[str, ...]:
        """One sentence a stage, in English or (``ko``) Korean."""
        return (_korean if language == "ko" else _english)(self)

    def as_dict(self) -> dict[str, object]:
        """The meter as plain data, for ``--json`` and the dashboard."""
        logic, equations, numbers, fit = self.logic, self.equations, self.evidence, self.data
        return {
            "reached": self.reached,
            "shares": dict(self.shares),
            "logic": {
                "names": logic.names,
                "labelled": logic.labelled,
                "variables": logic.variables,
                "explained": logic.explained,
                "feedback_stocks": logic.feedback,
                "on_named_loops": logic.looped,
                "loops": logic.loops,
            },
            "equations": {"lines": equations.lines, "clean": equations.clean},
            "evidence": {"parameters": numbers.parameters, "kinds": dict(numbers.kinds)},
            "data": {
                "points": fit.points,
                "verified": fit.verified,
                "mape": fit.mape,
                "failure": fit.failure,
                "series": [
                    {
                        "variable": one.variable,
                        "data": one.data,
                        "points": one.points,
                        "verified": one.verified,
                        "mape": one.mape,
                    }
                    for one in fit.series
                ],
            },
            "sentences": {
                "en": list(self.sentences("en")),
                "ko": list(self.sentences("ko")),
            },
        }

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def stages(model: Model, run: Run | None = None) -> StageMeter:
    """The stage meter of a model.

    ``run`` is the run to compare with data; by default the base run, computed only where the model has
    ``observe`` lines. A run that fails leaves the fourth stage without errors and says why.
    """
    return StageMeter(
        model.name, _logic(model), _equations(model), _numbers(model), _fit(model, run)
    )


# 1 Logic ------------------------------------------------------------------------------------------


def _logic(model: Model) -> Logic:
    variables: list[Declaration] = [
        d for d in model.variables.values() if isinstance(d, Stock | Flow | Aux | Table)
    ]
    told = [*variables, *_own_params(model), *model.outcomes.values()]
    knots = {name for part in components(graph(model)) for name in part}
    feedback = [name for name in model.stocks if name in knots]
    named = {name for loop in model.declared_loops.values() for name in loop.path}
    return Logic(
        names=len(told),
        labelled=sum(bool(d.label) for d in told),
        variables=len(variables),
        explained=sum(bool(d.doc) for d in variables),
        feedback=len(feedback),
        looped=sum(name in named for name in feedback),
        loops=len(model.declared_loops),
    )


def _own_params(model: Model) -> Iterator[Param]:
    """The parameters that somebody wrote, without the switches that a text implies."""
    for name, param in model.params.items():
        owner, _, last = name.rpartition(".")
        module = last == SWITCH and owner in model.uses
        rule = last == DESIRED and owner in model.variables
        if not (module or rule):
            yield param


# 2 Equations --------------------------------------------------------------------------------------


def _equations(model: Model) -> Equations:
    lines = [d for d in model.flat if not isinstance(d, Loop | Use) and d.span is not None]
    wrong = [f.span for f in check_units(model, strict=True) if f.span is not None]
    unclean = sum(any(_within(place, d.span) for place in wrong) for d in lines)
    return Equations(len(lines), len(lines) - unclean)


def _within(place: Span, span: Span | None) -> bool:
    """Whether a finding's place lies on the lines of a declaration, in the same text."""
    return (
        span is not None
        and place.source == span.source
        and span.line <= place.line <= span.end_line
    )


# 3 Evidence ---------------------------------------------------------------------------------------


def _numbers(model: Model) -> Numbers:
    kinds = dict.fromkeys(WEIGHTS, 0)
    for param in _own_params(model):
        kinds[param.evidence.kind if param.evidence else "none"] += 1
    return Numbers(MappingProxyType(kinds))


# 4 Data -------------------------------------------------------------------------------------------


def _fit(model: Model, run: Run | None) -> Fit:
    if not model.observes:
        return Fit(())
    if run is None:
        from flywheel.solve import simulate

        run = simulate(model)
    failure = "" if run.ok else run.status.message
    return Fit(tuple(_series(model, line, run) for line in model.observes), failure)


def _series(model: Model, line: Observe, run: Run) -> SeriesFit:
    import numpy as np

    start, stop = float(run.time[0]), float(run.time[-1])
    points = [p for p in model.data[line.data].points if start <= p.time <= stop]
    errors = []
    if run.ok:
        said = np.interp([p.time for p in points], run.time, run[line.name])
        errors = [
            abs(float(value) - p.value) / abs(p.value)
            for value, p in zip(said, points, strict=True)
            if p.value and math.isfinite(p.value)
        ]
    mape = sum(errors) / len(errors) if errors else None
    verified = sum(p.verified for p in points)
    return SeriesFit(line.name, line.data, len(points), verified, mape)


# In words -----------------------------------------------------------------------------------------


def _percent(part: float, whole: float = 1.0) -> str:
    """A share in whole percent; what is not quite all or nothing is not called so."""
    if not whole:
        return "0 %"
    percent = 100.0 * part / whole
    shown = round(percent)
    if shown == 100 and part < whole:
        shown = 99
    if shown == 0 and part > 0:
        shown = 1
    return f"{shown} %"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _english(meter: StageMeter) -> tuple[str, ...]:
    logic, equations, numbers, fit = meter.logic, meter.equations, meter.evidence, meter.data
    first = (
        f"Logic: {_percent(logic.labelled, logic.names)} of {_count(logic.names, 'name')} have a "
        f"label, {_percent(logic.explained, logic.variables)} of the variables an explanation; "
    )
    if logic.feedback:
        first += (
            f"{_count(logic.loops, 'named loop')} explain{'s' if logic.loops == 1 else ''} "
            f"{logic.looped} of {_count(logic.feedback, 'stock')} in feedback."
        )
    else:
        first += "nothing feeds back."
    unclean = equations.lines - equations.clean
    second = f"Equations: the units of all {equations.lines} lines are stated and balance."
    if unclean:
        second = (
            f"Equations: the units of {unclean} of {equations.lines} lines are missing or do not "
            "balance."
        )
    kinds = numbers.kinds
    third = "Numbers: there are no parameters."
    if numbers.parameters:
        words = {"measured": "measured", "survey": "surveyed", "estimate": "estimated",
                 "guess": "guessed", "none": "without a source"}  # fmt: skip
        listed = ", ".join(f"{kinds[kind]} {word}" for kind, word in words.items() if kinds[kind])
        third = f"Numbers: of {_count(numbers.parameters, 'parameter')}, {listed}."
    if not fit.series:
        fourth = "Data: nothing is compared with data."
    else:
        fourth = (
            f"Data: {len(fit.series)} series with {_count(fit.points, 'point')}, "
            f"{_percent(fit.verified, fit.points)} verified; "
        )
        if fit.failure:
            fourth += f"the base run failed: {fit.failure}"
        elif fit.mape is None:
            fourth += "none can be compared with the base run."
        else:
            fourth += f"the base run misses them by {_percent(fit.mape)} on average."
    return first, second, third, fourth


def _korean(meter: StageMeter) -> tuple[str, ...]:
    logic, equations, numbers, fit = meter.logic, meter.equations, meter.evidence, meter.data

    def percent(part: float, whole: float = 1.0) -> str:
        return _percent(part, whole).replace(" ", "")

    first = (
        f"논리: 이름 {logic.names}개 중 {percent(logic.labelled, logic.names)}에 표시 이름이, "
        f"변수의 {percent(logic.explained, logic.variables)}에 설명이 있고, "
    )
    if logic.feedback:
        first += (
            f"이름 붙은 루프 {logic.loops}개가 되먹임 속의 저량 {logic.feedback}개 중 "
            f"{logic.looped}개를 설명한다."
        )
    else:
        first += "되먹임은 없다."
    unclean = equations.lines - equations.clean
    second = f"방정식: {equations.lines}줄 모두 단위가 적혀 있고 맞는다."
    if unclean:
        second = f"방정식: {equations.lines}줄 중 {unclean}줄의 단위가 빠졌거나 맞지 않는다."
    kinds = numbers.kinds
    third = "숫자: 매개변수가 없다."
    if numbers.parameters:
        words = {"measured": "측정", "survey": "조사", "estimate": "추정", "guess": "짐작",
                 "none": "출처 없음"}  # fmt: skip
        listed = ", ".join(f"{word} {kinds[kind]}개" for kind, word in words.items() if kinds[kind])
        third = f"숫자: 매개변수 {numbers.parameters}개 중 {listed}."
    if not fit.series:
        fourth = "자료: 자료와 비교하는 변수가 없다."
    else:
        fourth = (
            f"자료: 계열 {len(fit.series)}개의 값 {fit.points}개, 그중 "
            f"{percent(fit.verified, fit.points)} 검증됨; "
        )
        if fit.failure:
            fourth += f"기본 실행이 실패했다: {fit.failure}"
        elif fit.mape is None:
            fourth += "기본 실행과 비교할 수 있는 값이 없다."
        else:
            fourth += f"기본 실행의 평균 오차는 {percent(fit.mape)}다."
    return first, second, third, fourth
