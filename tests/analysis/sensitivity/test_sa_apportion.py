"""Where a model's spread comes from: the choice of method, ranges, failures, and the words for it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.sensitivity.apportion import sensitivity
from flywheel.analysis.sensitivity.ranges import ranges_of
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.study import Study
from flywheel.sweep.distributions import LogUniform, Normal, Uniform

BASS = """model bass "Adoption"
time 0 to 20 [year] step 1/16 save 1/2
stock adopters "Adopters" [person] = 1 gains adopting
    ko "사용자"
flow adopting [person/year] = (market - adopters) * (p + q * adopters / market)
param market "Market" [person] = 100 in 80 .. 120
    ko "시장"
param p "Innovation" [1/year] = 0.03 in 0.024 .. 0.036
param q "Imitation" [1/year] = 0.38 in 0.2 .. 0.6
param idle "Idle" [1] = 5
"""


@pytest.fixture(scope="module")
def bass() -> Study:
    return Study(fw.parse(BASS), "adopters", [4, 10, 20])


def linear(count: int = 3) -> str:
    """y grows by the sum of c_i x_i for one year, c_i = i."""
    terms = " + ".join(f"{i} * x{i}" for i in range(1, count + 1))
    params = "\n".join(f"param x{i} [1/year] = 1 in 0 .. 2" for i in range(1, count + 1))
    head = "model sum\ntime 0 to 1 [year] step 1/4\nstock y [1] = 0 gains up\n"
    return f"{head}flow up [1/year] = {terms}\n{params}\n"


def test_auto_takes_a_polynomial_for_a_smooth_outcome(bass: Study) -> None:
    found = sensitivity(bass)
    assert found.method == "chaos"
    assert found.parameters == ("market", "p", "q", "idle")
    assert found.verdict == "accepted"
    assert found.runs <= 512
    assert found.failures.failed == 0
    np.testing.assert_allclose(found.Shapley.sum(axis=0), 1)
    np.testing.assert_allclose(found.ST[3], 0, atol=1e-4)
    assert found.ranking(0)[0] == "q"
    assert found.ranking(-1)[0] == "market"
    sampled = sensitivity(bass, method="sobol")
    assert sampled.converged
    for name in ("S1", "ST", "Shapley"):
        np.testing.assert_allclose(found.measure(name), sampled.measure(name), atol=0.03)
    low, high = sampled.interval("ST")
    assert (np.clip(found.ST, low - 0.01, high + 0.01) == found.ST).all()
    upper = np.triu_indices(4, 1)
    np.testing.assert_allclose(found.S2[upper], sampled.S2[upper], atol=0.05)


def test_a_linear_model_is_apportioned_exactly() -> None:
    study = Study(fw.parse(linear()), "y")
    found = sensitivity(study)
    truth = np.array([1, 4, 9]) / 14
    np.testing.assert_allclose(found.S1[:, 0], truth, atol=1e-6)
    np.testing.assert_allclose(found.ST[:, 0], truth, atol=1e-6)
    assert found.variance[0] == pytest.approx(14 / 3, rel=1e-6)
    assert found.mean[0] == pytest.approx(6, rel=1e-6)
    assert found.mean_dimension[0] == pytest.approx(1, abs=1e-6)
    effects = sensitivity(study, method="morris")
    np.testing.assert_allclose(effects.measure("mu*")[:, 0], [2, 4, 6], atol=1e-6)
    np.testing.assert_allclose(effects.measure("sigma"), 0, atol=1e-6)


def test_many_inputs_are_screened_first() -> None:
    text = linear(24).replace("24 * x24", "0.001 * x24")
    found = sensitivity(Study(fw.parse(text), "y"))
    assert "x24" in found.fixed
    assert "x23" not in found.fixed
    assert len(found.parameters) + len(found.fixed) == 24
    assert all(value < 0.05 for value in found.fixed.values())
    assert "put aside" in found.why


def test_beside_explosions_nothing_is_put_aside() -> None:
    text = linear(24).replace("24 * x24", "0.001 * x24 + if(x22 + x23 > 3.95, 1e9, 0)")
    found = sensitivity(Study(fw.parse(text), "y"))
    assert found.method == "given"
    assert not found.fixed
    assert len(found.parameters) == 24
    assert {shift.name for shift in found.tail.shifts} <= {"x22", "x23"}


KINK = """model kink
time 0 to 1 [year] step 1/4
stock y [1] = 0 gains up
flow up [1/year] = if(a + b > 1.3, 1, 0) + c / 100
param a [1] = 0.5 in 0 .. 1
param b [1] = 0.5 in 0 .. 1
param c [1] = 0.5 in 0 .. 1
"""


def test_a_threshold_sends_auto_to_sampling() -> None:
    found = sensitivity(Study(fw.parse(KINK), "y"))
    assert found.method == "sobol"
    assert found.asked == "auto"
    assert found.verdict != "accepted"
    # P(a + b > 1.3) = 0.245; E[indicator | a] = max(a - 0.3, 0).
    part = 0.245
    variance = part * (1 - part)
    first = (0.7**3 / 3 - part**2) / variance
    np.testing.assert_allclose(found.S1[:2, 0], first, atol=0.03)
    assert found.interactions[0] == pytest.approx(1 - 2 * first, abs=0.05)
    assert "sampled" in found.why
    rough = sensitivity(Study(fw.parse(KINK), "y"), method="chaos", runs=256)
    assert rough.runs == 256
    assert "use sampling" in rough.why
    assert "표본추출" in rough.explain("ko")


FAILING = """model failing
time 0 to 1 [year] step 1/4
stock y [1] = 1 gains up
flow up [1/year] = sqrt(a) + b
param a [1] = 1 in -0.25 .. 2
param b [1] = 0.5 in 0 .. 1
"""


@pytest.mark.parametrize(
    "method", ["auto", "sobol", "shapley", "morris", "dgsm", "screening", "given"]
)
def test_failed_runs_are_counted_located_and_left_out(method: str) -> None:
    found = sensitivity(Study(fw.parse(FAILING), "y"), method=method)
    assert found.failures.failed > 0
    assert found.failures.share == pytest.approx(1 / 9, abs=0.06)
    assert found.failures.shifts[0].name == "a"
    assert found.failures.shifts[0].failed[2] < 0 <= found.failures.shifts[0].sound[0]
    assert found.points[0] < found.points[1]
    assert np.isfinite(found.measure(found.leading)).all()
    assert "gave no value" in found.explain()
    assert "값이 없어" in found.explain("ko")


@pytest.mark.parametrize(
    "method", ["auto", "chaos", "sobol", "shapley", "morris", "dgsm", "screening", "given"]
)
def test_when_every_run_fails_there_are_no_numbers(method: str) -> None:
    study = Study(fw.parse(FAILING), "y")
    found = sensitivity(study, ranges={"a": (-2, -1), "b": (0, 1)}, method=method, runs=2000)
    assert np.isnan(found.measure(found.leading)).all()
    assert found.points[0] == 0
    assert found.failures.failed == found.failures.runs
    assert found.failures.reasons
    assert "Too few runs" in found.explain()


def test_an_outcome_that_nothing_moves_has_no_indices(bass: Study) -> None:
    found = sensitivity(bass, ["idle"], runs=64)
    assert np.isnan(found.ST).all()
    assert "does not vary" in found.explain()
    assert "변하지 않습니다" in found.explain("ko")


def test_a_few_explosions_are_no_ground_for_parts_of_a_variance() -> None:
    text = """model bang
time 0 to 1 [year] step 1/4
stock y [1] = 0 gains up
flow up [1/year] = a + if(b > 0.9999, 1e9, 0) + if(c * a > 0.5, 1, 0)
param a [1] = 0.5 in 0 .. 1
param b [1] = 0.5 in 0 .. 1
param c [1] = 0.5 in 0 .. 1
"""
    found = sensitivity(Study(fw.parse(text), "y"))
    assert found.tail.heavy
    assert found.method == "given"
    assert found.ranking()[0] == "a"
    assert "extreme" in found.explain()
    assert "극단적인" in found.explain("ko")


def test_over_time_covers_variables_and_times_at_once(bass: Study) -> None:
    found = sensitivity(bass, over_time="all")
    over = found.over_time
    assert over is not None
    assert set(over.variables) == {"adopters", "adopting"}
    assert over.measures["ST"].shape == (2, 4, 41)
    np.testing.assert_allclose(over.of("adopters", "ST")[:, [8, 20, 40]], found.ST, atol=1e-9)
    assert np.isnan(over.of("adopters", "S1")[:, 0]).all()  # all start with one adopter
    total = over.aggregated("Shapley")
    np.testing.assert_allclose(total.sum(axis=1), 1, atol=1e-6)
    assert len(over.frame) == 2 * 4 * 41
    sampled = sensitivity(bass, method="sobol", runs=3000, over_time=["ADOPTERS"])
    np.testing.assert_allclose(
        sampled.over_time.of("adopters", "ST")[:, [8, 20, 40]], sampled.ST, atol=1e-9
    )
    screened = sensitivity(bass, method="screening", over_time=["adopters"])
    assert screened.over_time.of("adopters", "r").shape == (4, 41)
    with pytest.raises(UsageError, match="no part of a variance"):
        screened.over_time.aggregated("r")
    with pytest.raises(UnknownNameError):
        sensitivity(bass, over_time=["adoptors"])


def test_the_limit_on_runs_holds(bass: Study) -> None:
    for method, runs in [
        ("auto", 100),
        ("chaos", 50),
        ("sobol", 500),
        ("morris", 60),
        ("given", 90),
    ]:
        found = sensitivity(bass, method=method, runs=runs)
        assert 0 < found.runs <= runs
    for method in ("auto", "chaos", "sobol", "morris", "shapley", "dgsm", "screening", "given"):
        with pytest.raises(UsageError):
            sensitivity(bass, method=method, runs=5)


def test_the_same_seed_gives_the_same_table(bass: Study) -> None:
    first, second = (sensitivity(bass, method="sobol", runs=2000, seed=0) for _ in range(2))
    np.testing.assert_array_equal(first.ST, second.ST)
    other = sensitivity(bass, method="sobol", runs=2000, seed=1)
    assert not np.array_equal(first.ST, other.ST)


def test_stamp_frame_and_words(bass: Study) -> None:
    found = sensitivity(bass)
    assert found.stamp.horizons == (4.0, 10.0, 20.0)
    assert found.stamp.settings["analysis"] == "chaos"
    assert found.stamp.model_hash == bass.model.hash
    frame = found.frame
    assert frame.loc[("q", 4.0), "ST"] == found.ST[2, 0]
    assert (frame["ST low"] <= frame["ST high"]).all()
    text = found.explain()
    assert "Market" in text
    assert "20 years after 0" in text
    assert "4 years after 0 it is Imitation" in text
    korean = found.explain("ko")
    assert "「시장」" in korean
    assert "20년 뒤" in korean
    assert repr(found).startswith("<sensitivity of adopters: 4 inputs, chaos, ")
    with pytest.raises(ValueError, match="read-only"):
        found.ST[0] = 1
    with pytest.raises(UsageError, match="language"):
        found.explain("de")
    with pytest.raises(UsageError, match="gives no mu"):
        found.measure("mu*")
    with pytest.raises(UsageError, match="no S2"):
        _ = sensitivity(bass, method="morris").S2


def test_what_makes_no_sense_is_refused(bass: Study) -> None:
    for call in (
        lambda: sensitivity(bass, method="sobel"),
        lambda: sensitivity(bass, runs=0),
        lambda: sensitivity(bass, confidence=1.5),
        lambda: sensitivity(bass, ["p", "P"]),
        lambda: sensitivity(bass, ranges={"p": (2, 1)}),
        lambda: sensitivity(bass, ["p"], ranges={"q": (1, 2)}),
        lambda: sensitivity(bass, []),
    ):
        with pytest.raises(UsageError):
            call()
    with pytest.raises(UnknownNameError, match="Did you mean 'market'"):
        sensitivity(bass, ["markt"])


def test_stocks_and_dials_can_be_inputs(bass: Study) -> None:
    dialled = bass.dialled([("adopters", "adopting")])
    names = ["adopters", "q", "adopters -> adopting"]
    found = sensitivity(dialled, names, runs=128)
    assert found.parameters == tuple(names)
    assert found.distributions[0] == Uniform(0.8, 1.2)
    assert found.distributions[2] == Uniform(-0.2, 0.2)
    assert (found.ST[:, 0] > 0.001).all()


def test_ranges_follow_the_declarations() -> None:
    text = """model ranged
time 2000 to 2020 [year] step 1
stock s [1] = 1 gains f
flow f [1/year] = s * a * g + later / (b + n)
param a [1/year] = 0.1 in 0.05 .. 0.2
param b [1] = 3 in 1 .. 20
param g [1] = 2 in 1 .. 3
param n [1] = -5
param later [1/year] = 2
param since [year] = 2010
param zero [1] = 0
param fixed [1] = 1 in 1 .. 1
"""
    model = fw.parse(text)
    found = ranges_of(model)
    assert list(found) == ["a", "b", "g", "n", "later", "since"]
    assert found["a"] == LogUniform(0.05, 0.2)  # a rate
    assert found["b"] == LogUniform(1, 20)  # a decade
    assert found["g"] == Uniform(1, 3)
    assert found["n"] == Uniform(-6, -4)
    assert found["later"] == LogUniform(1.6, 2.4)
    assert found["since"] == Uniform(2006, 2014)  # 20 % of the run, not of 2010
    own = ranges_of(model, ["G", "zero"], {"zero": (0, 1), "g": Normal(2, 0.1)})
    assert own == {"g": Normal(2, 0.1), "zero": Uniform(0, 1)}
    assert ranges_of(model, ["n"], values={"n": -10.0})["n"] == Uniform(-12, -8)
    with pytest.raises(UsageError, match="no range"):
        ranges_of(model, ["zero"])
    assert math.isclose(found["n"].poincare, (2 / math.pi) ** 2)
