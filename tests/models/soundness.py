"""What every model of the library must withstand, whatever it is about."""

from __future__ import annotations

import numpy as np

from flywheel.api import Model
from flywheel.solve.run import Run


def assert_strict_clean(model: Model, checks: int) -> None:
    """Nothing is found against the text, the loops or the checks, of which there are enough."""
    report = model.check(strict=True)
    assert not report.findings, str(report)
    assert report.ok, str(report)
    assert len(report.results) >= checks


def assert_told_in_both_languages(model: Model) -> None:
    """Whatever a reader meets has a label and a Korean one; levers have a level and a cost."""
    for declaration in (
        *model.stocks.values(),
        *model.flows.values(),
        *model.auxes.values(),
        *model.outcomes.values(),
        *model.levers.values(),
        *model.scenarios.values(),
        *model.declared_loops.values(),
        *(model.params[lever.param] for lever in model.levers.values()),
    ):
        assert declaration.label, declaration.name
        korean, _ = declaration.text("ko")
        assert any("가" <= letter <= "힣" for letter in korean), declaration.name
    for lever in model.levers.values():
        assert lever.level is not None, lever.name
        assert lever.cost is not None, lever.name


def assert_half_the_step_agrees(model: Model) -> None:
    """End states move by less than a thousandth when the step is halved."""
    whole, half = model.run(), model.run(step=model.time.step / 2)
    for stock in model.stocks:
        last, finer = whole[stock][-1], half[stock][-1]
        assert abs(finer - last) <= 1e-3 * max(abs(last), 1e-9), stock


def assert_no_chatter(model: Model, turns: int) -> None:
    """No variable goes up and down from step to step: it turns at most this often."""
    run = model.run(save=model.time.step)
    for name in model.variables:
        change = np.diff(run[name])
        change = change[np.abs(change) > 1e-9 * np.abs(run[name]).max(initial=1e-30)]
        assert np.count_nonzero(np.diff(np.sign(change))) <= turns, name


def edges(model: Model) -> list[tuple[str, float]]:
    """Both ends of every range."""
    return [
        (param.name, value)
        for param in model.params.values()
        for value in (param.low, param.high)
        if value is not None
    ]


def assert_survives(run: Run, free: tuple[str, ...]) -> None:
    """The run ends, and no stock but those that may be in debt goes below nothing."""
    assert run.ok, run.status.message
    for stock in run.model.stocks:
        if stock not in free:
            assert run[stock].min() >= -1e-9 * abs(run[stock]).max(), stock
