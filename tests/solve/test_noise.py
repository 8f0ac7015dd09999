"""Random numbers depend on the seed, the stream and the member, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import flywheel as fw
from flywheel.kernel.noise import LARGEST_SEED, noise_rows, normals
from flywheel.solve import METHODS, simulate

TEXT = """model n
time 0 to 20 step 1/4 save 1/4
aux a = noise(0, 1)
stock S = 0 gains f
flow f = noise(2, 0.5)
"""


def test_a_longer_draw_only_adds() -> None:
    assert (normals(3, 5, 7, 100)[:40] == normals(3, 5, 7, 40)).all()


def test_seed_stream_and_member_all_count() -> None:
    base = normals(0, 1, 0, 50)
    for other in (normals(1, 1, 0, 50), normals(0, 2, 0, 50), normals(0, 1, 1, 50)):
        assert not np.isin(other, base).any()
    # A key is not a sum of its parts.
    assert (normals(1, 2, 0, 9) != normals(2, 1, 0, 9)).all()
    assert np.isfinite(normals(LARGEST_SEED, LARGEST_SEED, LARGEST_SEED, 9)).all()


def test_they_are_standard_normal() -> None:
    found = normals(0, 12345, 0, 200_000)
    assert found.mean() == pytest.approx(0, abs=0.01)
    assert found.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(found) < 1.96).mean() == pytest.approx(0.95, abs=0.003)


def test_zero_is_a_seed() -> None:
    model = fw.parse(TEXT)
    zero = simulate(model, seed=0)
    assert (zero.values == simulate(model, seed=0).values).all()
    assert (zero.values == simulate(model).values).all()
    assert (zero["a"] != simulate(model, seed=1)["a"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_sees_the_same_story(method: str) -> None:
    model = fw.parse(TEXT)
    run, other = simulate(model, method=method, seed=4), simulate(model, method="euler", seed=4)
    assert run["a"] == pytest.approx(other["a"], rel=1e-12)
    # The noise is held over a step, so that all methods integrate it exactly.
    assert run["S"] == pytest.approx(other["S"], rel=1e-6)


def test_noise_lasts_a_step_of_the_model() -> None:
    model = fw.parse(TEXT)
    coarse, fine = simulate(model), simulate(model, step=1 / 16, save=1 / 16)
    assert (fine["a"][::4] == coarse["a"]).all()
    assert (fine["a"][3::4] == coarse["a"][:-1]).all()
    assert noise_rows(6, 0.1, 0.2).tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert noise_rows(30, 0.1, 0.1).tolist() == list(range(31))


def test_another_line_leaves_a_stream_as_it_was() -> None:
    more = TEXT.replace("aux a", "aux b = noise(0, 1)\naux a")
    first, second = simulate(fw.parse(TEXT)), simulate(fw.parse(more))
    assert (first["a"] == second["a"]).all()
    assert (second["a"] != second["b"]).all()
