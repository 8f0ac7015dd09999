"""What every result of an analysis says about itself: of which model, which outcome, when, how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flywheel.solve.study import Study


@dataclass(frozen=True)
class Stamp:
    """The receipt of a result. No number of an analysis is shown without it.

    ``horizons`` are durations in the model's unit of time, counted from ``since``. ``settings`` holds
    what else shaped the result: ranges, number of runs, convention, discount.
    """

    model: str
    model_hash: str
    outcome: str
    horizons: tuple[float, ...]
    since: float
    time_unit: str
    method: str
    step: float
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)

    def receipt(self) -> dict[str, object]:
        """The stamp as plain data, as it stands in exported files."""
        return {
            "model": self.model,
            "model_hash": self.model_hash,
            "outcome": self.outcome,
            "horizons": list(self.horizons),
            "since": self.since,
            "time_unit": self.time_unit,
            "method": self.method,
            "step": self.step,
            "seed": self.seed,
            **self.settings,
        }

    def __str__(self) -> str:
        unit = f" {self.time_unit}" if self.time_unit else ""
        seen = ", ".join(f"{h:g}" for h in self.horizons)
        when = f" after {seen}{unit} from {self.since:g}" if seen else ""
        shown = {n: v for n, v in self.settings.items() if not isinstance(v, Mapping)}
        extra = "".join(f", {name} {_short(value)}" for name, value in shown.items())
        return f"{self.outcome} of {self.model}{when}; {self.method}, step {self.step:g}{extra}"


def _short(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def stamp_of_study(study: Study, **settings: object) -> Stamp:
    """The receipt of what is found about a study's outcome."""
    scenario = {"scenario": study.scenario} if study.scenario else {}
    return Stamp(
        study.model.name,
        study.model.hash,
        study.name,
        study.horizons,
        study.since,
        study.time_unit,
        study.method,
        study.grid.step,
        study.seed,
        {**scenario, **settings},
    )
