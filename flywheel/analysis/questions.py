"""The five questions: judgements about one entry point of a value chain, turned into a score.

Where is the customer's experience broken, what do we pay others for that we could make, is it good
enough for outsiders, is there a large margin, and does sensing bring better decisions::

    Q1 = 1 - prod(1 - symptom)                                     any one symptom is enough
    Q2 = max(0, 1 - own cost / paid now) * min(1, volume / minimum scale)
    Q3 = (API * self-service * SLA * multi-tenancy)^(1/4)          the weakest link counts most
    Q4 = margin * log10(1 + profit pool) / 4 * (1 - lock-in)       pool in million USD a year
    Q5 = data gain * decision value * (1 - legal risk)
    total = (Q1 Q2 Q3 Q4)^(1/4) * (1 + Q5 / 2)

The first four multiply: an entry point that fails one of them is none. The fifth is a bonus of at most
a half. A pool of 10 billion USD a year counts as 1 in Q4. Every formula rises or falls in each
judgement, never both, so slopes, swings and the value at which a total is reached are exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Question:
    """One of the five: the table it has in a file, and its words in English and Korean."""

    name: str
    short: tuple[str, str]
    text: tuple[str, str]


QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        question.name: question
        for question in (
            Question(
                "broken",
                ("broken experience", "불편한 경험"),
                ("Where is the customer's experience broken?", "고객 경험은 어디가 망가져 있는가?"),
            ),
            Question(
                "make",
                ("make or buy", "자체 제작"),
                (
                    "What do you pay others for that you could make yourself?",
                    "직접 만들 수 있는데 남에게 비용을 내고 있는 것은 무엇인가?",
                ),
            ),
            Question(
                "ready",
                ("readiness", "준비도"),
                (
                    "Is it good enough for outsiders?",
                    "외부 고객이 쓸 만큼 잘 만들어져 있는가?",
                ),
            ),
            Question(
                "profit",
                ("large margin", "큰 마진"),
                (
                    "Do these conditions meet a large margin?",
                    "이 조건이 큰 마진과 만나는가?",
                ),
            ),
            Question(
                "data",
                ("better decisions", "더 나은 결정"),
                (
                    "Does sensing improve decisions?",
                    "측정한 데이터가 의사결정을 더 낫게 하는가?",
                ),
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One judgement that is asked for: the numbers it may take, its unit, its words."""

    name: str
    question: str
    label: tuple[str, str]
    """English, Korean."""
    meaning: tuple[str, str]
    low: float = 0.0
    high: float = 1.0
    unit: str = "1"
    raises: bool = True
    """Whether more of it raises the total."""
    needed: bool = True

    def text(self, language: str = "en") -> str:
        """Its label in a language (English where there is none)."""
        return self.label[language == "ko"]

    @property
    def share(self) -> bool:
        """Whether it is a share from 0 to 1, and not an amount."""
        return self.unit == "1"


_LARGE, _SMALL = 1e15, 1e-9

JUDGEMENTS: Mapping[str, Asked] = MappingProxyType(
    {
        asked.name: asked
        for asked in (
            Asked(
                "integration_gap",
                "broken",
                ("integration gap", "연결 단절"),
                (
                    "How much the customer must piece together alone",
                    "고객이 스스로 이어 붙여야 하는 정도",
                ),
            ),
            Asked(
                "price_opacity",
                "broken",
                ("price opacity", "가격 불투명"),
                (
                    "How hard it is to know the price before buying",
                    "사기 전에 가격을 알기 어려운 정도",
                ),
            ),
            Asked(
                "availability_opacity",
                "broken",
                ("availability opacity", "공급 불투명"),
                (
                    "How hard it is to know what can be had, and when",
                    "무엇을 언제 얻을 수 있는지 알기 어려운 정도",
                ),
            ),
            Asked(
                "unclear_practice",
                "broken",
                ("unclear practice", "불명확한 관행"),
                (
                    "How much depends on customs that only insiders know",
                    "업계 사람만 아는 관행에 좌우되는 정도",
                ),
            ),
            Asked(
                "own_cost",
                "make",
                ("own cost", "자체 원가"),
                ("What a unit would cost if you made it yourself", "직접 만들 때의 단위 원가"),
                0.0,
                _LARGE,
                "USD/unit",
                raises=False,
            ),
            Asked(
                "paid_now",
                "make",
                ("paid now", "현재 지불 단가"),
                ("What a unit costs when bought from others", "남에게서 살 때의 단가"),
                _SMALL,
                _LARGE,
                "USD/unit",
            ),
            Asked(
                "volume",
                "make",
                ("own volume", "자체 물량"),
                ("Units that you need a year", "한 해에 필요한 물량"),
                0.0,
                _LARGE,
                "unit/year",
            ),
            Asked(
                "minimum_scale",
                "make",
                ("minimum scale", "최소 규모"),
                (
                    "Units a year from which making costs what own cost says",
                    "자체 원가가 성립하는 연간 최소 물량",
                ),
                _SMALL,
                _LARGE,
                "unit/year",
                raises=False,
            ),
            Asked(
                "api",
                "ready",
                ("API", "API"),
                (
                    "How far outsiders can use it by program",
                    "외부에서 프로그램으로 쓸 수 있는 정도",
                ),
            ),
            Asked(
                "self_service",
                "ready",
                ("self-service", "셀프서비스"),
                ("How far they need to talk to nobody", "사람을 거치지 않고 쓸 수 있는 정도"),
            ),
            Asked(
                "sla",
                "ready",
                ("service level", "서비스 수준(SLA)"),
                (
                    "How far quality is promised and kept",
                    "품질을 약속하고 지키는 정도",
                ),
            ),
            Asked(
                "multi_tenancy",
                "ready",
                ("multi-tenancy", "멀티테넌시"),
                (
                    "How far many customers can share it safely",
                    "여러 고객이 안전하게 함께 쓸 수 있는 정도",
                ),
            ),
            Asked(
                "margin",
                "profit",
                ("incumbents' margin", "기존 업체의 마진"),
                (
                    "Gross margin of those who sell it today",
                    "지금 파는 업체들의 매출총이익률",
                ),
            ),
            Asked(
                "profit_pool",
                "profit",
                ("profit pool", "이익 풀"),
                (
                    "What those who sell it earn together",
                    "지금 파는 업체들의 연간 이익 합계",
                ),
                0.0,
                _LARGE,
                "MUSD/year",
            ),
            Asked(
                "lock_in",
                "profit",
                ("lock-in", "고객 묶임"),
                (
                    "Part of the market that cannot leave them",
                    "기존 업체를 떠날 수 없는 시장의 비율",
                ),
                raises=False,
            ),
            Asked(
                "response_delay",
                "profit",
                ("response delay", "대응 지연"),
                (
                    "Years until they answer; not in the score, it is sent to models",
                    "기존 업체가 대응할 때까지의 연수. 점수에는 들어가지 않고 모형으로 보낸다",
                ),
                0.0,
                100.0,
                "year",
                needed=False,
            ),
            Asked(
                "data_gain",
                "data",
                ("data gain", "데이터 이득"),
                (
                    "How much more would be known than today",
                    "지금보다 더 알게 되는 정도",
                ),
            ),
            Asked(
                "decision_value",
                "data",
                ("decision value", "의사결정 가치"),
                (
                    "How far knowing it changes a decision that matters",
                    "알게 된 것이 중요한 결정을 바꾸는 정도",
                ),
            ),
            Asked(
                "legal_risk",
                "data",
                ("legal risk", "법적 위험"),
                (
                    "How likely law or contract forbids the use",
                    "법이나 계약이 사용을 막을 가능성",
                ),
                raises=False,
            ),
        )
    }
)

SCORED = tuple(name for name in JUDGEMENTS if name != "response_delay")
"""The judgements that the total depends on."""
_SYMPTOMS = ("integration_gap", "price_opacity", "availability_opacity", "unclear_practice")
_READINESS = ("api", "self_service", "sla", "multi_tenancy")
_POOL_DECADES = 4.0


class Scores(NamedTuple):
    """The five answers and the total of one entry point."""

    broken: float
    make: float
    ready: float
    profit: float
    data: float
    total: float


def scores(values: Values) -> Scores:
    """The five answers and the total for one set of judgements; a pure function.

    ``values`` has every name of ``SCORED``, within its bounds. Shares are in 0..1, costs in one
    currency, the profit pool in million USD a year.
    """
    one = batch({name: np.asarray(values[name], dtype=np.float64) for name in SCORED})
    return Scores(*(float(answer) for answer in one))


def batch(values: Mapping[str, Array]) -> tuple[Array, ...]:
    """The same for arrays of any one shape: the five answers, then the total."""
    broken = np.zeros_like(values["api"])
    for name in _SYMPTOMS:
        broken = broken + values[name] * (1 - broken)  # 1 - prod(1 - s), without cancellation
    saving = np.maximum(0.0, 1 - values["own_cost"] / values["paid_now"])
    make = saving * np.minimum(1.0, values["volume"] / values["minimum_scale"])
    ready = np.ones_like(broken)
    for name in _READINESS:
        ready = ready * values[name] ** 0.25
    pool = np.log1p(values["profit_pool"]) / math.log(10) / _POOL_DECADES
    profit = values["margin"] * pool * (1 - values["lock_in"])
    data = values["data_gain"] * values["decision_value"] * (1 - values["legal_risk"])
    total = (broken**0.25) * (make**0.25) * (ready**0.25) * (profit**0.25) * (1 + data / 2)
    return broken, make, ready, profit, data, total


def slope(values: Values, name: str) -> float:
    """The exact change of the total per unit of a judgement, the others unchanged.

    Where the total has a kink (making costs what buying costs; volume just at the minimum scale) it is
    the steeper of the two sides; where the total rises from zero as a root does, it is infinite.
    """
    if name not in SCORED:
        return 0.0
    found = scores(values)
    question = JUDGEMENTS[name].question
    inner = _inner_slope(values, name)
    answers = dict(zip(QUESTIONS, found[:5], strict=True))
    if question == "data":
        root = math.prod(answers[other] ** 0.25 for other in ("broken", "make", "ready", "profit"))
        return float(root / 2 * inner)
    if inner == 0:
        return 0.0
    others = [
        answers[other] for other in ("broken", "make", "ready", "profit") if other != question
    ]
    if not all(others):
        return 0.0
    if answers[question] == 0:
        return math.copysign(math.inf, inner)
    return found.total / 4 * inner / answers[question]


def _inner_slope(v: Values, name: str) -> float:
    """The slope of the judgement's own answer, d Q / d judgement."""
    match name:
        case "integration_gap" | "price_opacity" | "availability_opacity" | "unclear_practice":
            return math.prod(1 - v[other] for other in _SYMPTOMS if other != name)
        case "own_cost" | "paid_now" | "volume" | "minimum_scale":
            return _make_slope(v, name)
        case "api" | "self_service" | "sla" | "multi_tenancy":
            others = math.prod(v[other] ** 0.25 for other in _READINESS if other != name)
            if v[name] == 0:
                return math.inf if others else 0.0
            return float(others * v[name] ** -0.75 / 4)
        case "margin":
            return _pool(v) * (1 - v["lock_in"])
        case "profit_pool":
            rate = 1 / ((1 + v["profit_pool"]) * math.log(10) * _POOL_DECADES)
            return v["margin"] * rate * (1 - v["lock_in"])
        case "lock_in":
            return -v["margin"] * _pool(v)
        case "data_gain":
            return v["decision_value"] * (1 - v["legal_risk"])
        case "decision_value":
            return v["data_gain"] * (1 - v["legal_risk"])
        case _:
            return -v["data_gain"] * v["decision_value"]


def _make_slope(v: Values, name: str) -> float:
    saving = max(0.0, 1 - v["own_cost"] / v["paid_now"])
    used = min(1.0, v["volume"] / v["minimum_scale"])
    cheaper = v["own_cost"] <= v["paid_now"]
    short = v["volume"] <= v["minimum_scale"]
    match name:
        case "own_cost":
            return -used / v["paid_now"] if cheaper else 0.0
        case "paid_now":
            return used * v["own_cost"] / v["paid_now"] / v["paid_now"] if cheaper else 0.0
        case "volume":
            return saving / v["minimum_scale"] if short else 0.0
        case _:
            return -saving * v["volume"] / v["minimum_scale"] / v["minimum_scale"] if short else 0.0


def _pool(v: Values) -> float:
    return math.log1p(v["profit_pool"]) / math.log(10) / _POOL_DECADES


def elasticity(values: Values, name: str) -> float:
    """The change of the total in percent per percent of a judgement; NaN where the total is zero."""
    total = scores(values).total
    if total == 0:
        return math.nan
    return slope(values, name) * values[name] / total if values[name] else 0.0


def reaching(values: Values, name: str, total: float) -> float | None:
    """The value of one judgement at which the total is ``total``, the others unchanged.

    None where no value within the judgement's bounds does it, or where every value does.
    """
    if name not in SCORED or total <= 0:
        return None
    asked = JUDGEMENTS[name]
    found = scores(values)
    answers = dict(zip(QUESTIONS, found[:5], strict=True))
    question = asked.question
    if question == "data":
        root = math.prod(answers[other] ** 0.25 for other in QUESTIONS if other != "data")
        wanted = 2 * (total / root - 1) if root else math.nan
    else:
        others = [answers[one] for one in QUESTIONS if one not in (question, "data")]
        rest = math.prod(others)
        wanted = (total / (1 + answers["data"] / 2)) ** 4 / rest if rest else math.nan
    if not math.isfinite(wanted) or wanted < 0:
        return None
    value = _inverse(values, name, wanted)
    if value is None or not asked.low <= value <= asked.high:
        return None
    again = scores({**values, name: value}).total
    return value if math.isclose(again, total, rel_tol=1e-6) else None


def _inverse(v: Values, name: str, wanted: float) -> float | None:
    """The judgement at which its own answer would be ``wanted``; None where a factor is zero."""
    try:
        match name:
            case "integration_gap" | "price_opacity" | "availability_opacity" | "unclear_practice":
                rest = math.prod(1 - v[other] for other in _SYMPTOMS if other != name)
                return 1 - (1 - wanted) / rest
            case "own_cost":
                return v["paid_now"] * (1 - wanted / min(1.0, v["volume"] / v["minimum_scale"]))
            case "paid_now":
                used = min(1.0, v["volume"] / v["minimum_scale"])
                return v["own_cost"] / (1 - wanted / used)
            case "volume":
                return wanted * v["minimum_scale"] / (1 - v["own_cost"] / v["paid_now"])
            case "minimum_scale":
                return v["volume"] * (1 - v["own_cost"] / v["paid_now"]) / wanted
            case "api" | "self_service" | "sla" | "multi_tenancy":
                rest = math.prod(v[other] for other in _READINESS if other != name)
                return float(wanted**4 / rest)
            case "margin":
                return wanted / (_pool(v) * (1 - v["lock_in"]))
            case "profit_pool":
                decades = wanted / (v["margin"] * (1 - v["lock_in"])) * _POOL_DECADES
                return math.expm1(decades * math.log(10))
            case "lock_in":
                return 1 - wanted / (v["margin"] * _pool(v))
            case "data_gain":
                return wanted / (v["decision_value"] * (1 - v["legal_risk"]))
            case "decision_value":
                return wanted / (v["data_gain"] * (1 - v["legal_risk"]))
            case _:
                return 1 - wanted / (v["data_gain"] * v["decision_value"])
    except (ZeroDivisionError, OverflowError):
        return None
