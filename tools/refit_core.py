"""Refit the core flywheel to the reported figures of 1997-2024, from its own ``observe`` lines.

Maximum a posteriori by least squares: each parameter of ``PRIORS`` has a log-normal prior (years have
normal ones), each verified figure a log-normal error, the ``error`` of its ``observe`` line. Figures
of secondary sources count with 1.5 times that error, estimates with twice; figures marked ``no`` do
not count at all. Everything is deterministic: the same model and data give the same numbers.

    python tools/refit_core.py            compare a new fit with the values in the model
    python tools/refit_core.py --write    put the new values into the model

The standard deviations are those of the Laplace approximation: they say how well prior and data
together pin a number down if the structure is right, and nothing about the structure.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

import flywheel as fw
from flywheel.language import format_text

MODEL = Path(__file__).resolve().parent.parent / "models" / "core_flywheel.fly"
LAST_YEAR = 2024
WEIGHT = {"secondary": 1.5, "estimate": 2.0}
"""By how much the error of a figure grows with a weaker source."""
STEP = 1e-4
"""Of the numerical derivatives, in prior standard deviations."""
WORST = 60.0
"""No figure counts for more than this many of its errors: keeps wild trials finite."""


@dataclass(frozen=True)
class Prior:
    """What is believed of a parameter before the figures: centre and spread.

    ``spread`` is the standard deviation of the logarithm, or with ``years`` of the value itself.
    """

    centre: float
    spread: float
    years: bool = False

    def value(self, z: float) -> float:
        """The parameter that lies ``z`` standard deviations from the centre."""
        if self.years:
            return self.centre + self.spread * z
        return float(self.centre * np.exp(self.spread * z))

    def z(self, value: float) -> float:
        """How many standard deviations a value lies from the centre."""
        if self.years:
            return (value - self.centre) / self.spread
        return float(np.log(value / self.centre)) / self.spread


PRIORS: Mapping[str, Prior] = {
    # Market and adoption.
    "n_max": Prior(700, 0.4),
    "n_mid": Prior(2010, 1, years=True),
    "n_width": Prior(4.3, 0.15),
    "p_innov": Prior(0.006, 0.9),
    "q_wom": Prior(0.5, 0.7),
    "churn0": Prior(0.08, 0.6),
    "el_appeal": Prior(0.3, 0.5),
    "boom_size": Prior(4, 0.5),
    # The offer.
    "attract0": Prior(0.025, 0.7),
    "el_sel": Prior(0.18, 0.5),
    "pandemic_lift": Prior(0.15, 0.4),
    # Sellers.
    "range_el": Prior(0.18, 0.12),
    "seller_scale": Prior(0.3, 0.8),
    "share_el": Prior(0.3, 0.5),
    "fba_lift": Prior(2, 0.5),
    "seller_seed": Prior(2, 0.6),
    "tau_sellers": Prior(1.5, 0.25),
    "commission": Prior(0.11, 0.1),
    "fee_cover": Prior(0.85, 0.15),
    "fba_q": Prior(0.5, 0.4),
    # Members and advertising.
    "prime_lift": Prior(0.7, 0.3),
    "prime_max": Prior(0.75, 0.2),
    "prime_q": Prior(0.5, 0.4),
    "prime_fee": Prior(0.1, 0.15),
    "g_fee": Prior(0.025, 0.4),
    "benefit_frac": Prior(0.35, 0.15),
    "ads_max": Prior(0.12, 0.3),
    "ads_q": Prior(0.4, 0.4),
    # Cost.
    "learn": Prior(0.05, 0.7),
    "cogs0": Prior(0.75, 0.03),
    "density_el": Prior(0.03, 0.6),
    "fulfil_var": Prior(0.12, 0.4),
    "fulfil_fix": Prior(0.035, 0.4),
    "speed_cost": Prior(0.4, 0.4),
    "speed_learn": Prior(0.06, 0.25),
    "standard_rise": Prior(0.5, 0.4),
    "t_rivalry": Prior(2015, 1.5, years=True),
    "rivalry_width": Prior(2, 0.3),
    "marketing0": Prior(0.02, 0.5),
    "marketing_rivalry": Prior(0.05, 0.4),
}


@dataclass(frozen=True)
class Target:
    """One reported figure: what it is compared with, when, and how closely."""

    variable: str
    data: str
    time: float
    value: float
    error: float


def targets(model: fw.Model, last_year: int = LAST_YEAR) -> list[Target]:
    """The verified figures behind the model's ``observe`` lines, up to a year's end."""
    found = []
    for observe in model.observes:
        for point in model.data[observe.data].points:
            if point.verified and point.time <= last_year + 1:
                error = observe.error * WEIGHT.get(point.status, 1.0)
                found.append(Target(observe.name, observe.data, point.time, point.value, error))
    return found


class Problem:
    """The residuals of a model as a function of ``z``, the parameters in prior deviations."""

    def __init__(self, model: fw.Model, figures: Sequence[Target]) -> None:
        self.model = model
        self.figures = figures
        self.names = list(PRIORS)
        self.stop = max(figure.time for figure in figures) + 0.5
        bounds = [(model.params[name].low, model.params[name].high) for name in self.names]
        pairs = list(zip(self.names, bounds, strict=True))
        self.low = np.array([self._bound(name, low, -np.inf) for name, (low, _) in pairs])
        self.high = np.array([self._bound(name, high, np.inf) for name, (_, high) in pairs])

    @staticmethod
    def _bound(name: str, value: float | None, otherwise: float) -> float:
        """A bound of the model's range; zero has no logarithm and bounds nothing."""
        return otherwise if not value else PRIORS[name].z(value)

    def values(self, z: NDArray[np.float64]) -> dict[str, float]:
        """Parameter values at ``z``."""
        return {name: PRIORS[name].value(float(u)) for name, u in zip(self.names, z, strict=True)}

    def misfit(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln(model / figure) / error for every figure."""
        run = self.model.run(stop=self.stop, save=0.5, overrides=self.values(z))
        tiny = 1e-9
        with np.errstate(invalid="ignore"):
            model = np.array([np.interp(f.time, run.time, run[f.variable]) for f in self.figures])
            raw = np.log(np.maximum(model, tiny) / [f.value for f in self.figures])
        found = np.nan_to_num(raw / [f.error for f in self.figures], nan=WORST)
        clipped: NDArray[np.float64] = np.clip(found, -WORST, WORST)
        return clipped

    def residuals(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Misfit and prior together: half the sum of their squares is minus the log posterior."""
        return np.concatenate([self.misfit(z), z])

    def jacobian(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Central differences."""
        columns = [
            (self.misfit(z + STEP * unit) - self.misfit(z - STEP * unit)) / (2 * STEP)
            for unit in np.eye(len(z))
        ]
        return np.vstack([np.array(columns).T, np.eye(len(z))])

    def solve(self) -> OptimizeResult:
        """The best fit, started from the centres of the priors."""
        start = np.clip(np.zeros(len(self.names)), self.low + 1e-6, self.high - 1e-6)
        bounds = (self.low, self.high)
        return least_squares(
            self.residuals, start, self.jacobian, bounds=bounds, xtol=1e-10, ftol=1e-10, gtol=1e-8
        )


@dataclass(frozen=True)
class Fitted:
    """One parameter: its value, standard deviation, and distance from the prior's centre."""

    name: str
    value: float
    sd: float
    z: float


def fit(model: fw.Model, last_year: int = LAST_YEAR) -> tuple[list[Fitted], OptimizeResult]:
    """Fit the model; returns the parameters and the optimiser's own result."""
    problem = Problem(model, targets(model, last_year))
    result = problem.solve()
    spread = np.sqrt(np.diag(np.linalg.inv(result.jac.T @ result.jac)))
    found = []
    for name, z, sd_z in zip(problem.names, result.x, spread, strict=True):
        prior = PRIORS[name]
        value = prior.value(float(z))
        sd = prior.spread * float(sd_z) * (1.0 if prior.years else value)
        found.append(Fitted(name, value, sd, float(z)))
    return found, result


def shown(number: Fitted) -> tuple[str, str]:
    """Value and standard deviation as written in the model."""
    digits = 6 if PRIORS[number.name].years else 4
    return f"{number.value:.{digits}g}", f"{number.sd:.2g}"


def write(text: str, found: Sequence[Fitted]) -> str:
    """The model's text with new values, deviations and evidence."""
    for number in found:
        value, sd = shown(number)
        block = re.search(rf"^param +{number.name} .*\n(?: +.*\n)*", text, re.MULTILINE)
        if block is None:
            raise SystemExit(f"the model has no line for {number.name}")
        line = " ".join(block.group().split())
        parts = re.fullmatch(
            r"(?P<head>.*\] = )\S+(?P<range> in \S+ \.\. \S+) from \w+"
            r'(?: "(?P<source>[^"]*)")?(?: ± \S+)?',
            line,
        )
        if parts is None:
            raise SystemExit(f"cannot read the line of {number.name}: {line}")
        source = (parts["source"] or "").removeprefix(f"fitted 1997-{LAST_YEAR}").lstrip("; ")
        why = f"fitted 1997-{LAST_YEAR}" + (f"; {source}" if source else "")
        new = f'{parts["head"]}{value}{parts["range"]} from estimate "{why}" ± {sd}\n'
        text = text.replace(block.group(), new)
    return format_text(text)


def report(model: fw.Model, found: Sequence[Fitted], result: OptimizeResult) -> str:
    """The fit as a table beside the values that the model has now."""
    count = len(result.fun) - len(found)
    data = 0.5 * float(np.sum(result.fun[:count] ** 2))
    lines = [
        f"{count} figures, {len(found)} parameters, {result.nfev} evaluations: {result.message}",
        f"cost {result.cost:.2f}, of it figures {data:.2f}",
        f"{'parameter':<18}{'shipped':>10}{'fitted':>10}{'sd':>10}{'from prior':>12}",
    ]
    for number in found:
        value, sd = shown(number)
        before = f"{model.params[number.name].value:.6g}"
        lines.append(f"{number.name:<18}{before:>10}{value:>10}{sd:>10}{number.z:>+12.1f}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Fit, show, and on request write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the new values into the model")
    arguments = parser.parse_args()
    model = fw.load(MODEL)
    found, result = fit(model)
    sys.stdout.write(report(model, found, result))
    if arguments.write:
        text = write(MODEL.read_text(encoding="utf-8"), found)
        MODEL.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
