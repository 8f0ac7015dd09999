"""The worth of information against unit normal losses, and what no estimate may break."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, qmc

from flywheel.analysis.decide.information import (
    enbs,
    evpi,
    evppi,
    evsi,
    knowing,
    survey,
    variance_worth,
)
from flywheel.errors import UsageError

C = np.array([1.0, 0.5, 0.2])
MU = -0.3


@pytest.fixture(scope="module")
def normals() -> np.ndarray:
    """2^15 points of a scrambled Sobol sequence: less chance than as many random ones."""
    uniform = qmc.Sobol(3, seed=np.random.default_rng(1)).random_base2(15)
    return norm.ppf(np.clip(uniform, 1e-12, 1 - 1e-12))


def loss(sd: float, mean: float = MU) -> float:
    """E max(0, N(mean, sd)) − max(0, mean): the unit normal loss."""
    z = mean / sd
    return sd * (norm.pdf(z) + z * norm.cdf(z)) - max(0.0, mean)


def test_the_closed_forms_are_the_published_numbers() -> None:
    assert loss(math.sqrt(float(C @ C))) == pytest.approx(0.318826, abs=1e-6)
    assert [loss(float(c)) for c in C] == pytest.approx([0.266761, 0.084336, 0.005861], abs=1e-6)
    assert loss(1 / math.sqrt(1 + 4 / 5)) == pytest.approx(0.171120, abs=1e-6)


def test_two_actions_on_a_gaussian(normals) -> None:
    benefit = np.stack([np.zeros(len(normals)), MU + normals @ C], axis=1)
    found = knowing(benefit, normals, ["z1", "z2", "z3"], ["wait", "act"])
    assert found.everything.value == pytest.approx(0.318826, abs=0.004)
    values = [worth.value for worth in found.each]
    assert values == pytest.approx([0.266761, 0.084336, 0.005861], abs=0.004)
    assert [w.binned for w in found.each] == pytest.approx(values, abs=0.004)
    assert found.variance_share == pytest.approx(C**2 / float(C @ C), abs=0.01)
    assert found.best == "wait"
    study = evsi(benefit, normals[:, 0], survey(5, 2.0))
    assert study.value == pytest.approx(0.171120, abs=0.004)
    polynomial = evppi(benefit, normals[:, 0], basis="polynomial")
    assert polynomial.value == pytest.approx(0.266761, abs=0.004)
    several = evppi(benefit, normals[:, :2])
    assert several.value == pytest.approx(loss(math.sqrt(1.25)), abs=0.004)


def test_a_curved_benefit(normals) -> None:
    act = normals[:, 0] ** 2 - 1 + 0.5 * normals[:, 1]
    benefit = np.stack([np.zeros(len(act)), act], axis=1)
    # E max(0, z² − 1) = 2 φ(1).
    assert 2 * norm.pdf(1) == pytest.approx(0.483941, abs=1e-6)
    for basis in ("spline", "polynomial"):
        found = evppi(benefit, normals[:, 0], basis=basis)
        assert found.value == pytest.approx(0.483941, abs=0.005)
    assert evppi(benefit, normals[:, 2]).value < 0.003


def test_what_moves_the_outcome_most_need_not_be_worth_knowing(normals) -> None:
    # z1 moves both policies alike; only z2 decides between them.
    x = normals[:8192]
    benefit = np.stack([3 * x[:, 0], 3 * x[:, 0] + 0.5 * x[:, 1]], axis=1)
    found = knowing(benefit, x[:, :2], ["market", "fit"], total_index=[0.99, 0.01])
    assert found.each[0].value == pytest.approx(0, abs=0.01)
    assert found.each[1].value == pytest.approx(loss(0.5, 0.0), abs=0.02)
    assert "market moves the outcome most" in found.explain()
    assert "「market」" in found.explain("ko")
    assert list(found.frame.index) == ["fit", "market"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 3))
def test_no_part_is_worth_more_than_everything(seed, policies, known) -> None:
    random = np.random.default_rng(seed)
    phi = random.standard_normal((300, known))
    benefit = phi @ random.standard_normal((known, policies)) + random.standard_normal(
        (300, policies)
    )
    whole, part = evpi(benefit), evppi(benefit, phi)
    assert 0 <= part.low <= part.value <= part.high <= whole.value + 1e-12
    assert whole.low <= whole.value <= whole.high


def test_worthless_knowledge_is_worth_nothing_but_a_little_chance() -> None:
    random = np.random.default_rng(3)
    raw, net = [], []
    for _ in range(40):
        phi, benefit = random.standard_normal(1000), random.standard_normal((1000, 2))
        found = evppi(benefit, phi)
        raw.append(found.raw)
        net.append(found.value)
    # Fitted noise alone looks like information; taking off what shuffled samples give removes most.
    assert np.mean(net) < 0.4 * np.mean(raw)


def test_intervals_cover_the_truth() -> None:
    random = np.random.default_rng(8)
    inside = 0
    for _ in range(100):
        z = random.standard_normal((1000, 3))
        benefit = np.stack([np.zeros(1000), MU + z @ C], axis=1)
        found = evppi(benefit, z[:, 0])
        inside += found.low <= 0.266761 <= found.high
    assert inside >= 88  # 95 on average


def test_variance_form() -> None:
    x = qmc.Sobol(3, seed=np.random.default_rng(0)).random_base2(12) * 2 * np.pi - np.pi
    y = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    # Ishigami: V = 13.844588, S = .313905, .442411, 0. Seven knots bend less than sin² does.
    assert variance_worth(y, x[:, 0]) / 13.844588 == pytest.approx(0.313905, abs=0.02)
    assert variance_worth(y, x[:, 2]) / 13.844588 == pytest.approx(0.0, abs=0.02)
    assert variance_worth(y, x[:, :2]) > variance_worth(y, x[:, 0])


def test_a_study_pays_off_above_its_cost() -> None:
    assert enbs(0.17112, 1000, 100) == pytest.approx(71.12)
    exact = survey(1, 0.0)(np.array([[1.0], [2.0]]), np.random.default_rng(0))
    assert exact.tolist() == [[1.0], [2.0]]


def test_a_switch_is_known_by_its_values() -> None:
    random = np.random.default_rng(0)
    switch = random.integers(0, 2, 4000).astype(float)
    benefit = np.stack([np.zeros(4000), 2 * switch - 1], axis=1)
    assert evppi(benefit, switch).value == pytest.approx(evpi(benefit).value, abs=0.02)


def test_nothing_is_worth_knowing_where_one_policy_always_wins() -> None:
    x = np.random.default_rng(0).random((100, 2))
    found = knowing(np.stack([x[:, 0] + 2, x[:, 0]], axis=1), x)
    assert found.everything.value == 0
    assert "worth 0" in found.explain()
    assert "0입니다" in found.explain("ko")


def test_failed_samples_are_counted() -> None:
    x = np.random.default_rng(0).random((100, 1))
    benefit = np.hstack([x, 1 - x])
    benefit[7, 1] = np.nan
    assert evpi(benefit).left_out == 1
    assert evppi(benefit, x).samples == 99
    assert knowing(benefit, x).everything.left_out == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: evpi(np.zeros((5, 1))), "two policies"),
        (lambda: evpi(np.full((5, 2), np.nan)), "not two samples"),
        (lambda: evppi(np.zeros((5, 2)), np.zeros(4)), "5 samples"),
        (lambda: evppi(np.zeros((5, 2)), np.arange(5.0)), "too few"),
        (lambda: evppi(np.zeros((50, 2)), np.arange(50.0), basis="magic"), "basis"),
        (lambda: survey(0, 1.0), "at least one"),
        (lambda: knowing(np.zeros((50, 2)), np.zeros((50, 2)), total_index=[1]), "total indices"),
    ],
)
def test_mistakes_are_named(call, says) -> None:
    with pytest.raises(UsageError, match=says):
        call()
