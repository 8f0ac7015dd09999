"""Elementary effects, derivative bounds, Shapley effects, correlations, and runs that are there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from flywheel.analysis.sensitivity import dgsm, given_data, morris, screening, shapley
from flywheel.analysis.sensitivity.design import (
    latin_hypercube,
    radial,
    sobol_points,
    to_inputs,
    trajectories,
)
from flywheel.errors import UsageError
from flywheel.sweep.distributions import LogUniform, Normal, Uniform
from tests.analysis.sensitivity.functions import (
    ISHIGAMI_NU,
    ISHIGAMI_S1,
    ISHIGAMI_SHAPLEY,
    ISHIGAMI_ST,
    bass,
    ishigami,
)

SLOPES = np.array([1.0, -2.0, 3.0])
BOXES = [Uniform(0, 2), Uniform(-1, 0), Uniform(5, 8)]
WIDTHS = np.array([2.0, 1.0, 3.0])


@pytest.mark.parametrize("design", [radial, trajectories])
def test_a_linear_model_has_the_same_effect_everywhere(design: object) -> None:
    steps = design(10, 3)
    found = morris.elementary_effects(steps, to_inputs(steps.unit, BOXES) @ SLOPES)
    np.testing.assert_allclose(found.mu_star[:, 0], np.abs(SLOPES) * WIDTHS, atol=1e-6)
    np.testing.assert_allclose(found.mu[:, 0], SLOPES * WIDTHS, atol=1e-6)
    np.testing.assert_allclose(found.sigma, 0, atol=1e-6)
    np.testing.assert_allclose(found.mu_star_half, 0, atol=1e-6)


def test_what_hardly_matters_is_named_and_nothing_else() -> None:
    steps = radial(30, 5)
    unit = steps.unit
    y = unit[..., 0] + 0.3 * unit[..., 1] * unit[..., 2] + 0.01 * unit[..., 3] ** 2
    found = morris.elementary_effects(steps, np.stack([y, 2 * y], axis=2))
    assert found.negligible.tolist() == [False, False, False, True, True]
    assert found.sigma[1, 0] > 5 * found.sigma[3, 0]
    # Another outcome for which the last input is all that matters keeps it.
    both = morris.elementary_effects(steps, np.stack([y, unit[..., 4]], axis=2))
    assert both.negligible.tolist() == [False, False, False, True, False]
    nothing = morris.elementary_effects(steps, np.zeros(unit.shape[:2]))
    assert not nothing.negligible.any()


def test_a_failed_move_is_left_out() -> None:
    steps = radial(10, 3)
    y = to_inputs(steps.unit, BOXES) @ SLOPES
    y[4, 2] = np.nan  # the second input's move in one group
    y[7, 0] = np.nan  # a base point: all three moves
    found = morris.elementary_effects(steps, y)
    assert found.used.tolist() == [9, 8, 9]
    np.testing.assert_allclose(found.mu_star[:, 0], np.abs(SLOPES) * WIDTHS, atol=1e-6)
    y[:, 1] = np.nan
    with pytest.raises(UsageError, match="input 0"):
        morris.elementary_effects(steps, y)


def test_intervals_of_mu_star_cover_a_long_runs_value() -> None:
    truth = morris.elementary_effects(radial(20000, 3), ishigami(radial(20000, 3).unit), draws=2)
    inside = []
    for seed in range(30):
        steps = radial(40, 3, seed)
        found = morris.elementary_effects(steps, ishigami(steps.unit), seed=seed)
        inside.append(np.abs(found.mu_star - truth.mu_star) <= found.mu_star_half)
    assert np.mean(inside) >= 0.9


def test_derivatives_bound_the_total_effects() -> None:
    points = dgsm.differences(2048, 3)
    cube = [Uniform(-np.pi, np.pi)] * 3
    x, y = to_inputs(points, cube), ishigami(points)
    found = dgsm.dgsm(x[:, 0], dgsm.central(x, y), cube, dgsm.output_variance(y))
    np.testing.assert_allclose(found.nu[:, 0], ISHIGAMI_NU, rtol=0.01)
    assert (found.bound[:, 0] > ISHIGAMI_ST).all()


def test_derivative_bounds_are_tight_or_hold_for_other_distributions() -> None:
    # A linear function of a normal input has ST = C nu / V exactly; the log of a log-uniform one is
    # linear in the germ: (log b/a)^2 / pi^2 against a variance of (log b/a)^2 / 12.
    points = dgsm.differences(4096, 2)
    spread = [Normal(1, 2), LogUniform(1, 50)]
    x = to_inputs(points, spread)
    y = np.stack([3 * x[..., 0], np.log(x[..., 1])], axis=2)
    found = dgsm.dgsm(x[:, 0], dgsm.central(x, y), spread, dgsm.output_variance(y))
    assert found.bound[0, 0] == pytest.approx(1, rel=0.01)
    assert found.bound[1, 1] == pytest.approx(12 / np.pi**2, rel=0.01)
    np.testing.assert_allclose(found.bound[[1, 0], [0, 1]], 0, atol=1e-9)


def test_shapley_effects_of_ishigami() -> None:
    design = shapley.walks(8192, 3)
    found = shapley.shapley_effects(design, ishigami(design.unit))
    np.testing.assert_allclose(found.effects[:, 0], ISHIGAMI_SHAPLEY, atol=0.02)
    assert (np.abs(found.effects[:, 0] - ISHIGAMI_SHAPLEY) <= found.half[:, 0]).all()
    assert found.effects.sum() == pytest.approx(1, abs=0.01)


def test_shapley_effects_of_inputs_that_depend_on_each_other() -> None:
    # Owen & Prieur 2017: two correlated normals, linear in both.
    rho, slopes = 0.6, np.array([1.0, 2.0])
    design = shapley.walks(8192, 2, 0, np.array([[1, rho], [rho, 1]]))
    found = shapley.shapley_effects(design, ndtri(design.unit) @ slopes)
    both = rho * slopes.prod()
    whole = (slopes**2).sum() + 2 * both
    mine = slopes**2 * (1 - rho**2 / 2) + both + slopes[::-1] ** 2 * rho**2 / 2
    np.testing.assert_allclose(found.effects[:, 0], mine / whole, atol=0.02)


def test_every_row_of_a_walk_has_the_correlations_asked_for() -> None:
    matrix = np.array([[1, 0.7, 0.2], [0.7, 1, -0.3], [0.2, -0.3, 1]])
    design = shapley.walks(8192, 3, 0, matrix)
    for row in range(4):
        found = np.corrcoef(ndtri(design.unit[:, row]).T)
        np.testing.assert_allclose(found, matrix, atol=0.03)
    first = design.order == design.order[:, :1]
    before, after = design.unit[:, 0], design.unit[:, 1]
    assert ((before != after).sum(axis=1) == 1).all()
    assert first[:, 0].all()
    for bad in (
        np.eye(2),
        np.full((3, 3), 0.5),
        np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]),
    ):
        with pytest.raises(UsageError):
            shapley.walks(8, 3, 0, bad)


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    x = latin_hypercube(120, 4, 1)
    y = np.exp(x @ rng.normal(size=(4, 3))) + 0.1 * rng.normal(size=(120, 3))
    found = screening.screen(x, y)
    ranked = np.apply_along_axis(stats.rankdata, 0, np.hstack([x, y]))
    for j in range(4):
        for o in range(3):
            assert found.pearson[j, o] == pytest.approx(np.corrcoef(x[:, j], y[:, o])[0, 1])
            assert found.spearman[j, o] == pytest.approx(
                stats.spearmanr(x[:, j], y[:, o]).statistic
            )
            others = np.column_stack([np.ones(120), np.delete(ranked[:, :4], j, axis=1)])
            left = [
                values - others @ np.linalg.lstsq(others, values)[0]
                for values in (ranked[:, j], ranked[:, 4 + o])
            ]
            assert found.partial[j, o] == pytest.approx(np.corrcoef(*left)[0, 1])
    assert found.band == pytest.approx(1.96 / np.sqrt(120), rel=1e-4)


def test_ranks_see_through_a_monotone_bend() -> None:
    x = latin_hypercube(200, 2, 0)
    found = screening.screen(x, np.exp(20 * x[:, 0]))
    assert found.spearman[0, 0] == pytest.approx(1)
    assert found.pearson[0, 0] < 0.7
    assert np.isfinite(found.partial).all()


def test_screening_tells_when_each_input_of_bass_matters() -> None:
    times = np.linspace(0, 20, 201)
    x = latin_hypercube(400, 4, 0)
    start = x.copy()
    start[:, 3] = -2  # nobody at the start
    found = screening.screen(x[:, :3], bass(start, times))
    p, q, market = found.pearson
    assert p[10] > 0.6 > 0.1 > p[-1]
    assert q[60] == pytest.approx(0.66, abs=0.1)
    assert market[-1] > 0.95
    (overtaking,) = screening.crossings(times, found.pearson[:2], 0.3)
    assert (overtaking.over, overtaking.under) == (1, 0)
    assert overtaking.time == pytest.approx(4, abs=1)
    best = screening.peaks(times, found.pearson, found.band)
    assert [peak.input for peak in best] == [0, 1, 2]
    assert best[0].time < 2 < best[1].time < 10 < best[2].time


def test_peaks_crossings_and_turns_of_known_curves() -> None:
    times = np.arange(5.0)
    r = np.array(
        [[0.9, 0.6, 0.3, 0.0, -0.6], [0.0, 0.2, 0.6, 0.8, 0.7], [0.1, 0.0, -0.1, 0.0, 0.1]]
    )
    found = screening.peaks(times, r, 0.15)
    assert [(peak.input, peak.time, peak.r) for peak in found] == [(0, 0.0, 0.9), (1, 3.0, 0.8)]
    (crossing,) = screening.crossings(times, r, 0.15)
    # The gap |r1| - |r0| goes from -0.4 to 0.3 between times 1 and 2.
    assert (crossing.over, crossing.under) == (1, 0)
    assert crossing.time == pytest.approx(1 + 4 / 7)
    (turn,) = screening.turns(times, r, 0.15)
    assert (turn.input, turn.time) == (0, 4.0)


def test_the_spectrum_finds_first_order_indices() -> None:
    x = latin_hypercube(4096, 3, 0)
    found = given_data.rbd_fast(x, ishigami(x))
    np.testing.assert_allclose(found.values[:, 0], ISHIGAMI_S1, atol=0.02)
    assert (np.abs(found.values[:, 0] - ISHIGAMI_S1) <= found.half[:, 0] + 1e-3).all()
    curve = given_data.conditional(x[:, 1], ishigami(x), bins=40)
    assert curve.ratio[0] == pytest.approx(ISHIGAMI_S1[1], abs=0.02)
    # E[Y | x2] = 7 sin^2 x2 + 0 for the other terms' means.
    truth = 7 * np.sin(np.pi * (2 * curve.x - 1)) ** 2
    assert np.mean(np.abs(curve.mean[:, 0] - truth) <= 1.5 * curve.half[:, 0]) > 0.9
    assert curve.count.sum() == 4096


def test_delta_of_a_sum_of_two_normals() -> None:
    # Y | X1 is N(x1, 1) and Y is N(0, 2): the mean of half the area between the two densities.
    z = np.linspace(-9, 9, 2001)
    inputs = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    areas = np.abs(stats.norm.pdf(z[None], inputs[:, None]) - stats.norm.pdf(z, scale=2**0.5))
    truth = areas.sum(axis=1).mean() * (z[1] - z[0]) / 2
    x = sobol_points(0, 4096, 3, 0)
    y = ndtri(np.clip(x[:, :2], 1e-12, 1)).sum(axis=1)
    found = given_data.delta(x, y)
    np.testing.assert_allclose(found.values[:2, 0], truth, atol=0.03)
    assert found.values[2, 0] < 0.06
    assert found.values[2, 0] <= found.half[2, 0] + 0.02
    same = given_data.delta(x, np.exp(y))
    np.testing.assert_array_equal(same.values, found.values)


def test_pawn_is_the_median_distance_of_scipys_ks_test() -> None:
    x = latin_hypercube(500, 2, 0)
    y = np.round(5 * x[:, 0] ** 2 + x[:, 1], 1)  # with ties
    found = given_data.pawn(x, y, slices=10)
    for j in range(2):
        part = np.floor(x[:, j] * 10).astype(int)
        distances = [stats.ks_2samp(y[part == m], y).statistic for m in range(10)]
        assert found.values[j, 0] == pytest.approx(np.median(distances))


def test_a_constant_output_has_no_index_and_few_runs_are_refused() -> None:
    x = latin_hypercube(60, 2, 0)
    flat = np.full(60, 3.0)
    assert np.isnan(screening.screen(x, flat).partial).all()
    for index in (given_data.rbd_fast, given_data.delta, given_data.pawn):
        assert np.isnan(index(x, flat).values).all()
    with pytest.raises(UsageError, match="too few"):
        given_data.delta(x[:30], flat[:30])
    with pytest.raises(UsageError, match="too few"):
        screening.screen(x[:4], flat[:4])
