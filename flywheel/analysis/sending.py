"""From judgements to parameters: what an entry point says to the models that simulate it.

margin_opportunity (an entrant under the incumbents' price umbrella), iot_data_asset (what sensing is
worth), aws (an internal service opened to outsiders) and marketplace (the incumbents as partners).
Values come in the units of the models' own parameters and are clipped to their plausible ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flywheel.analysis.chain import Point
from flywheel.analysis.questions import Scores, scores
from flywheel.errors import UsageError, unknown_name
from flywheel.model import Model

Rule = Callable[[Mapping[str, float], Scores], float]

_OPENING = 2006.25
"""The aws model's reference date, from which readiness counts; in years."""
_YEARS_TO_READY = 4.0
"""From nothing to a service for outsiders: Amazon's interfaces became a rule about 2002, S3 opened in
March 2006."""
_CU_PRICE = 0.001
"""The aws model counts in units of computing that cost a million USD a year in 2006; in BUSD."""


def _delay(v: Mapping[str, float], q: Scores) -> float:
    """Years until incumbents answer: judged directly, else long where the customer's pain is theirs."""
    return v["response_delay"] if "response_delay" in v else 1 + 4 * q.broken * (1 - q.make)


def _locked(v: Mapping[str, float], _: Scores) -> float:
    """The aws model's reach at equal price is 1/(1 + strength): those who are not locked in."""
    free = 1 - v["lock_in"]
    return v["lock_in"] / free if free else math.inf


RULES: Mapping[str, Mapping[str, tuple[Rule, str]]] = {
    "margin_opportunity": {
        "inc_margin": (lambda v, q: v["margin"], "margin"),
        "cost0": (lambda v, q: 1.6 - 0.6 * q.make, "1.6 - 0.6 Q2"),
        "spend_auto": (lambda v, q: 0.3 * q.ready, "0.3 Q3"),
        "p_switch": (lambda v, q: 0.002 + 0.02 * q.broken, "0.002 + 0.02 Q1"),
        "inc_delay": (_delay, "1 + 4 Q1 (1 - Q2)"),
    },
    "iot_data_asset": {
        "q_base": (lambda v, q: 0.6 - 0.5 * v["data_gain"], "0.6 - 0.5 data gain"),
        "legal": (lambda v, q: 6 * v["legal_risk"], "6 legal risk"),
    },
    "aws": {
        "internal0": (lambda v, q: v["volume"] * v["paid_now"] / 1e6, "volume * paid now / 1e6"),
        "cost0": (
            lambda v, q: _CU_PRICE * v["own_cost"] / v["paid_now"],
            "0.001 own cost / paid now",
        ),
        "t_open": (lambda v, q: _OPENING + _YEARS_TO_READY * (1 - q.ready), "2006.25 + 4 (1 - Q3)"),
        "rival_strength": (_locked, "lock-in / (1 - lock-in)"),
    },
    "marketplace": {
        "take_rate": (lambda v, q: v["margin"] / 2, "margin / 2"),
    },
}
"""Model, parameter: how the value follows from judgements and answers, and that rule in words."""


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """One parameter of one model: what the judgements ask for and what the model can take."""

    model: str
    parameter: str
    value: float
    asked: float
    rule: str
    note: str = ""

    @property
    def clipped(self) -> bool:
        """Whether the model's plausible range did not reach what was asked for."""
        return self.value != self.asked


class Sent(dict[str, dict[str, float]]):
    """Model, parameter, value: ready for ``model.run(**sent[name])``. ``rows`` says how it came."""

    def __init__(self, rows: tuple[ParameterValue, ...]) -> None:
        super().__init__()
        for row in rows:
            self.setdefault(row.model, {})[row.parameter] = row.value
        self.rows = rows

    @property
    def notes(self) -> tuple[str, ...]:
        """What was clipped, replaced or could not be compared with a model."""
        return tuple(f"{row.model}.{row.parameter}: {row.note}" for row in self.rows if row.note)


def send(point: Point, models: Mapping[str, Model]) -> Sent:
    """The parameters that an entry point sets, in the models it names.

    ``models`` are those at hand, by name. Values are clipped to the range that the model's parameter
    states; a model that is not at hand takes them as they are, with a note.

    Raises UnknownNameError when a model has no such parameter, UsageError when nothing bounds a value
    that is not finite.
    """
    values = {name: judgement.value for name, judgement in point.judgements.items()}
    answers = scores(point.values)
    rows = []
    for model_name in point.models:
        model = models.get(model_name)
        for parameter, (rule, words) in RULES[model_name].items():
            asked = rule(values, answers)
            notes = []
            if parameter == "inc_delay" and "response_delay" in values:
                usual = 1 + 4 * answers.broken * (1 - answers.make)
                notes.append(f"judged directly; the rule {words} would say {usual:.3g}")
                words = "response delay"
            value = asked
            if model is None:
                notes.append("the model is not at hand, so its range is not known")
            else:
                value, clip = _clipped(model, parameter, asked)
                notes += clip
            if not math.isfinite(value):
                raise UsageError(f"{point.name} gives {model_name}.{parameter} no finite value")
            rows.append(
                ParameterValue(model_name, parameter, value, asked, words, "; ".join(notes))
            )
    return Sent(tuple(rows))


def _clipped(model: Model, name: str, asked: float) -> tuple[float, list[str]]:
    """The nearest value within the parameter's plausible range, and a note when that is another."""
    param = model.params.get(name)
    if param is None:
        raise unknown_name(name, "parameter", model.params, f"model {model.name}")
    low = -math.inf if param.low is None else param.low
    high = math.inf if param.high is None else param.high
    value = min(max(asked, low), high)
    if value == asked:
        return value, []
    return value, [f"{asked:.4g} asked for, clipped to the plausible {low:g} to {high:g}"]
