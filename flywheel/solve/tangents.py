"""The derivatives of variables to inputs over a run, by whichever method the run takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flywheel.model import Model
from flywheel.solve.adaptive_tangents import How, Tangents, sensitivities
from flywheel.solve.fixed import STAGES
from flywheel.solve.status import OK, Status
from flywheel.solve.study import Study


def tangents(
    model: Model,
    names: Sequence[str],
    columns: Sequence[str],
    *,
    method: str = "rk4",
    scenario: str | None = None,
    overrides: Mapping[str, float] | None = None,
    seed: int = 0,
    stop: float | None = None,
    step: float | None = None,
    rtol: float = 1e-8,
) -> Tangents:
    """d column / d name over the saved times: of the computation itself for ``rk4`` and ``euler``, of
    the equations, jumps at events included, for the adaptive methods.

    Parameters that decide when something happens have no derivative of a fixed-step run; theirs are
    central differences, and ``method`` of the result says so.

    Raises UnknownNameError and UsageError for arguments that make no sense.
    """
    if method.casefold() not in STAGES:
        return sensitivities(
            model, names, columns, method=method, scenario=scenario, overrides=overrides,
            rtol=rtol, stop=stop, step=step,
        )  # fmt: skip
    study = Study(
        model, columns[0], method=method, scenario=scenario, overrides=overrides, seed=seed,
        stop=stop, step=step, watch=columns,
    )  # fmt: skip
    found = study.tangent(names, columns)
    spelled = [study.spelled(name) for name in names]
    shown = tuple(study.spelled(name) for name in columns)
    how: list[How] = ["tangent"] * len(spelled)
    reasons = [""] * len(spelled)
    for k, name in enumerate(spelled):
        if name not in study.event_inputs:
            continue
        h, base = study.difference_step(name), study.base(name)
        both = study.run([name], [[base + h], [base - h]])
        for v, column in enumerate(shown):
            up, down = both.column(column)
            found[:, v, k] = (up - down) / (2.0 * h)
        how[k] = "fd"
        reasons[k] = f"{name} decides when something happens: a difference over ±{h:g}"
    values = np.stack([study.column(column) for column in shown], axis=1)
    broken = ~np.isfinite(values).all(axis=1)
    status = OK
    if broken.any():
        row = int(broken.argmax())
        variable = shown[int((~np.isfinite(values[row])).argmax())]
        t = float(study.times[row])
        status = Status(False, f"{variable} is no finite number at {t:g}", variable, t, None)
    return Tangents(
        tuple(spelled), shown, study.times, values, found, (), tuple(how), tuple(reasons), status,
        study.method, float("nan"),
    )  # fmt: skip
