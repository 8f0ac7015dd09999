"""No number that is none under "ok", and no failure without a name and a time: on random models."""

from __future__ import annotations

from time import monotonic

import numpy as np
import pytest

from flywheel.solve import METHODS, simulate
from tests.kernel.random_models import model as random_model


def look(seed: int, method: str) -> bool:
    """One run of one random model, judged; whether it was sound."""
    model = random_model(seed)
    begin = monotonic()
    run = simulate(model, method=method, seed=seed, max_evaluations=20_000)
    assert monotonic() - begin < 10
    status = run.status
    if run.ok:
        assert np.isfinite(run.values).all()
        assert status.variable is None
        return True
    assert status.variable in model.variables, status.message
    assert status.time is not None
    assert run.time[0] <= status.time <= run.time[-1] + 1e-9, status.message
    assert status.variable in status.message
    assert np.isnan(run.values[run.time > status.time + 1e-6]).all()
    assert np.isfinite(run.values[run.time < status.time - 1.01 * run.save]).all()
    return False


@pytest.mark.parametrize("method", METHODS)
def test_random_models_are_judged_honestly(method: str) -> None:
    sound = [look(seed, method) for seed in range(12)]
    assert any(sound)
    assert not all(sound)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_many_random_models_are_judged_honestly(method: str) -> None:
    for seed in range(100, 400 if method in ("euler", "rk4") else 160):
        look(seed, method)


@pytest.mark.parametrize("seed", range(8))
def test_engines_agree_on_how_a_run_ends(seed: int) -> None:
    model = random_model(seed)
    fast = simulate(model, seed=seed, engine="llvm")
    slow = simulate(model, seed=seed, engine="reference")
    assert (fast.ok, fast.status.variable) == (slow.ok, slow.status.variable)
    assert fast.status.time == pytest.approx(slow.status.time)
