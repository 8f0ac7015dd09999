"""The exact gradient of fixed-step runs: adjoint, tangents and differences of runs say the same.

Three ways that share little: the adjoint runs backwards over a tape, the tangents run beside the states,
the differences know nothing of derivatives. What is differentiated is a random weighting of all saved
values, so that every variable at every time takes part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import flywheel as fw
from flywheel.errors import LimitError, UsageError
from flywheel.kernel import llvm
from flywheel.kernel.expand import expand
from flywheel.kernel.ir import lower
from flywheel.kernel.system import System
from flywheel.solve import batch as batches
from flywheel.solve.batch import Batch
from flywheel.solve.grid import Grid, make_grid
from flywheel.solve.plan import plan_for, resolve, scenario_of
from flywheel.solve.smoothness import event_inputs
from tests.kernel.random_models import model as random_model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slopes:
    """Derivatives to each input times its size, relative to the largest that is no event's.

    ``rough`` counts variables that are left out because they stay finite although what they read does
    not, as tanh(1 / 0) does: they have no derivative.
    """

    inputs: tuple[str, ...]
    adjoint: Array
    tangent: Array
    difference: Array
    rough: int

    def gap(self, other: Array, without: frozenset[str] = frozenset()) -> float:
        kept = [name not in without for name in self.inputs]
        return float(np.abs(self.adjoint - other)[kept].max(initial=0.0))


def slopes(batch: Batch, inputs: Array, seed: int = 0, h: float = 1e-6) -> Slopes:
    """The three of them for a random weighting of everything that stays finite."""
    columns = batch.system.visible
    plain = batch.values(inputs[np.newaxis], columns)
    count = len(inputs)
    moved = batch.tangents(inputs, np.eye(count), columns)
    fine = np.isfinite(plain[0]).all(axis=0)
    smooth = fine & np.isfinite(moved).all(axis=(0, 1))
    columns = tuple(name for name, ok in zip(columns, smooth, strict=True) if ok)
    plain, moved = plain[:, :, smooth], moved[:, :, smooth]
    size = np.abs(plain).max(axis=1, keepdims=True)
    weights = np.random.default_rng(seed).normal(size=plain.shape) / np.where(size > 0, size, 1.0)
    values, found = batch.gradient(inputs[np.newaxis], weights, columns)
    np.testing.assert_array_equal(values, plain)
    # The size of a year says nothing, and would make all other inputs look small beside it.
    scale = np.where((inputs == 0.0) | (np.abs(inputs) > 1900.0), 1.0, np.abs(inputs))
    steps = np.diag(h * scale)
    runs = batch.values(np.concatenate([inputs + steps, inputs - steps]), columns)
    sums = np.einsum("mtv,tv->m", runs, weights[0])
    ways = (
        found[0, 0] * scale,
        np.einsum("dtv,tv->d", moved, weights[0]) * scale,
        (sums[:count] - sums[count:]) / (2.0 * h),
    )
    largest = np.abs(ways[0]).max(initial=0.0) or 1.0
    rough = int((fine & ~smooth).sum())
    return Slopes(batch.system.inputs, *(way / largest for way in ways), rough)


def ready(text: str, method: str, seed: int = 0) -> tuple[Batch, Array]:
    system, grid = flat(text)
    return Batch(system, method, grid, seed), np.array(system.defaults)  # type: ignore[arg-type]


def flat(text: str) -> tuple[System, Grid]:
    model = fw.parse(text)
    plan = plan_for(model)
    return plan.system, plan.grid


def agree(found: Slopes, without: frozenset[str] = frozenset()) -> None:
    assert np.abs(found.adjoint).max() == 1.0
    assert found.gap(found.tangent) < 1e-10
    assert found.gap(found.difference, without) < 1e-5, dict(
        zip(found.inputs, zip(found.adjoint, found.difference, strict=True), strict=True)
    )


# The library ------------------------------------------------------------------------------------


LARGE = {("amazon", "euler")}
LIBRARY = [
    pytest.param(name, method, marks=[pytest.mark.slow] if (name, method) in LARGE else [])
    for name in fw.model_names()
    for method in ("euler", "rk4")
]


@pytest.mark.parametrize(("name", "method"), LIBRARY)
def test_three_ways_agree_on_the_library(name: str, method: str) -> None:
    plan = plan_for(fw.load(name))
    batch = Batch(plan.system, method, plan.grid)  # type: ignore[arg-type]
    events = event_inputs(plan.system)
    found = slopes(batch, plan.defaults)
    agree(found, without=events)
    assert found.rough == 0


def test_event_times_are_excepted_because_a_run_jumps_in_them() -> None:
    """A step earlier or not: differences see a jump, the fixed-step run has derivative 0."""
    plan = plan_for(fw.load("core_flywheel"))
    batch = Batch(plan.system, "rk4", plan.grid)
    events = event_inputs(plan.system)
    assert {"t_open", "t_fba", "t_prime", "t_pandemic", "pandemic_years"} <= events
    found = slopes(batch, plan.defaults)
    wrong = np.abs(found.adjoint - found.difference) > 1e-5
    assert {n for n, off in zip(found.inputs, wrong, strict=True) if off} <= events
    assert found.gap(found.difference) > 1.0
    for name in ("t_open", "t_pandemic"):
        assert found.adjoint[found.inputs.index(name)] == 0.0


# Random models ----------------------------------------------------------------------------------


def _random(seed: int) -> int:
    model = random_model(seed)
    system = expand(model)
    batch = Batch(system, "rk4" if seed % 2 else "euler", make_grid(model.time), seed)
    found = slopes(batch, np.array(system.defaults), seed)
    agree(found)
    return found.rough


@pytest.mark.parametrize("block", range(3))
def test_three_ways_agree_on_random_models(block: int) -> None:
    rough = [_random(seed) for seed in range(6 * block, 6 * block + 6)]
    assert sum(rough) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_three_ways_agree_on_hundreds(block: int) -> None:
    rough = [_random(seed) for seed in range(1000 + 10 * block, 1010 + 10 * block)]
    assert sum(rough) <= 5  # of some 150


# Pipelines --------------------------------------------------------------------------------------

PIPES = """model pipes "Pipelines"
time 0 to 8 step 1/4 save 1/2
param rate = 0.3
param lag = {lag}
param first = 1.7
param start = 2
stock s = start gains up loses down
stock t = 0.5 gains through
aux late = delay_fixed(s * rate, lag, first)
aux later = delay_fixed(late ^ 2, 1.5, first * rate)
flow up = rate * late
flow down = 0.1 * s
flow through = later - 0.2 * t
"""


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("lag", ["0.25", "0", "0.5", "1.75", "8", "20", "1e300"])
def test_pipelines_of_any_length(lag: str, method: str) -> None:
    """One step, no time at all (that is one step too), some, the run's length, longer than the run."""
    batch, inputs = ready(PIPES.format(lag=lag), method)
    found = slopes(batch, inputs)
    agree(found, without=frozenset({"lag"}))
    assert found.adjoint[found.inputs.index("lag")] == 0.0
    assert abs(found.adjoint[found.inputs.index("first")]) > 1e-3


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_pipelines_of_different_length_in_every_lane(method: str) -> None:
    batch, base = ready(PIPES.format(lag="1"), method)
    columns = ("s", "t", "later")
    lags = [0.25, 0.5, 0.75, 1.0, 2.5, 7.75, 8.0, 9.0, 100.0, 0.0, 3.25]
    inputs = np.tile(base, (len(lags), 1))
    inputs[:, batch.system.inputs.index("lag")] = lags
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(len(lags), batch.grid.saves, len(columns)))
    values, found = batch.gradient(inputs, weights, columns)
    for member, row in enumerate(inputs):
        one = slice(member, member + 1)
        alone, slope = batch.gradient(row[np.newaxis], weights[one], columns)
        np.testing.assert_array_equal(values[one], alone)
        np.testing.assert_array_equal(found[one], slope)
        moved = batch.tangents(row, np.eye(len(row)), columns)
        along = np.einsum("dtv,tv->d", moved, weights[member])
        np.testing.assert_allclose(slope[0, 0], along, rtol=1e-10, atol=1e-12)


def test_a_pipeline_by_hand() -> None:
    """What goes in leaves a step later: s3 = s0 + h (c + k s0 + k s1), every derivative on paper."""
    text = """model p "p"
time 0 to 3 step 1
param k = 0.5
param c = 3
stock s = 2 gains f
flow f = delay_fixed(k * s, 1, c)
"""
    batch, inputs = ready(text, "euler")
    weights = np.zeros((1, 4, 1))
    weights[0, 3] = 1.0
    values, found = batch.gradient(inputs[np.newaxis], weights, ("s",), profile=True)
    k, c = inputs
    s0, s1 = 2.0, 2.0 + c
    np.testing.assert_allclose(values[0, :, 0], [s0, s1, s1 + k * s0, s1 + k * s0 + k * s1])
    np.testing.assert_allclose(found[0].sum(axis=0), [s0 + s1, 1.0 + k])
    # k acts where something goes in: between saves 0 and 1 (s0), and 1 and 2 (s1); c at the start.
    np.testing.assert_allclose(found[0], [[0, 1 + k], [s0, 0], [s1, 0], [0, 0]])


# Noise, series, tables, scenarios ---------------------------------------------------------------

MIXED = """model mixed "Everything else"
time 2000 to 2006 step 1/8 save 1/4
param a = 0.4
param b = 1.3
param when = 2003
stock s = b gains f loses g
stock q = 1 gains h
flow f = a * {curve} * weather
flow g = 0.2 * s * (1 + ramp(a / 10, 2002, 2004)) + step(0.1 * b, when)
flow h = smooth3(s, b) - delay1(q, 0.5 + a) + trend(s, 2) / 10 + npv(s, a / 10) / 100
aux weather = 1 + b * noise(0, 0.3)
table few of s = (0, 0.2) (1, 0.9) (2, 1.4) (4, 1.7)
table many of s = {points}
"""
POINTS = " ".join(f"({n / 8}, {np.sin(n / 8) + n / 10:.6f})" for n in range(40))


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("curve", ["few", "many", "few * many"])
def test_noise_tables_delays_and_steps(curve: str, method: str) -> None:
    batch, inputs = ready(MIXED.format(curve=curve, points=POINTS), method, seed=7)
    assert batch.system.noises
    agree(slopes(batch, inputs), without=frozenset({"when"}))
    other = Batch(batch.system, batch.method, batch.grid, seed=8)
    assert slopes(other, inputs).gap(slopes(batch, inputs).adjoint) > 1e-3


def test_noise_that_nobody_reads_has_its_place_in_a_kernel() -> None:
    """Two systems with one graph: the second draws more. One kernel for both would mix the draws up."""
    text = """model n "n"
time 0 to 4 step 1
param p = 0.1
stock s = 1 gains f
flow f = p * x
aux x = noise(0, 1)
"""
    runs = []
    for more in ("", "aux z = noise(0, 1)\n"):
        batch, inputs = ready(text + more, "euler")
        weights = np.ones((1, 5, 1))
        runs.append((batch.values(inputs[np.newaxis], ("s",)),
                     *batch.gradient(inputs[np.newaxis], weights, ("s",))))  # fmt: skip
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_series(method: str, tmp_path: pytest.TempPathFactory) -> None:
    folder = str(tmp_path)
    with open(f"{folder}/record.csv", "w") as file:
        file.write("year,series,value\n" + "".join(f"{y},r,{y % 7}\n" for y in range(2000, 2007)))
    with open(f"{folder}/series.fly", "w") as file:
        file.write("""model series "Series"
time 2000 to 2006 step 1/8 save 1/2
param a = 0.4
param b = 1.3
data record = "record.csv" series "r" offset 0.3
data held = "record.csv" series "r" hold
stock s = b * record gains f
flow f = a * record * s + b * held - s
""")
    plan = plan_for(fw.load(f"{folder}/series.fly"))
    batch = Batch(plan.system, method, plan.grid)  # type: ignore[arg-type]
    assert len(batch.system.series) == 2
    agree(slopes(batch, plan.defaults))


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_timed_scenarios(method: str) -> None:
    """The values of timed settings are inputs with derivatives; their times are events."""
    text = """model timed "Timed"
time 0 to 10 step 1/4 save 1/2
param a = 0.4
param b = 1.3
stock s = b gains f
flow f = a * s * (b - s)
scenario turning: a = 0.9 from 3 to 7, b = a * 2 from 5
"""
    model = fw.parse(text)
    numbers = resolve(model, {}, scenario_of(model, "turning"))
    plan = plan_for(model, numbers.shape)
    batch = Batch(plan.system, method, plan.grid)  # type: ignore[arg-type]
    events = event_inputs(plan.system)
    found = slopes(batch, plan.inputs(numbers, plan.grid.step))
    assert events == {"a@1.since", "a@1.until", "b@1.since"}
    agree(found, without=events)
    assert abs(found.adjoint[found.inputs.index("a@1")]) > 1e-3


# Lanes, threads, members ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def core() -> tuple[Batch, Array, Array, tuple[str, ...]]:
    """The core model, 21 members, weights of three columns."""
    plan = plan_for(fw.load("core_flywheel"))
    rng = np.random.default_rng(3)
    events = [name in event_inputs(plan.system) for name in plan.system.inputs]
    inputs = plan.defaults * rng.uniform(0.98, 1.02, (21, len(plan.defaults)))
    inputs = np.where(events, plan.defaults, inputs)
    columns = ("customers", "cash", "price")
    weights = rng.normal(size=(21, plan.grid.saves, len(columns)))
    return Batch(plan.system, "rk4", plan.grid), inputs, weights, columns


def test_members_of_an_ensemble_are_single_members_bit_for_bit(
    core: tuple[Batch, Array, Array, tuple[str, ...]],
) -> None:
    batch, inputs, weights, columns = core
    values, found = batch.gradient(inputs, weights, columns, profile=True)
    assert np.isfinite(found).all()
    for member in (0, 7, 8, 20):
        one = slice(member, member + 1)
        alone, slope = batch.gradient(inputs[one], weights[one], columns, profile=True)
        np.testing.assert_array_equal(alone, values[one])
        np.testing.assert_array_equal(slope, found[one])


def test_pieces_for_threads_change_no_bit(
    core: tuple[Batch, Array, Array, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, inputs, weights, columns = core
    whole = batch.gradient(inputs, weights, columns)
    ahead = batch.tangents(inputs[0], np.eye(len(inputs[0])), columns)
    pieces = []
    monkeypatch.setattr(batches, "_processors", lambda: 3)
    monkeypatch.setattr(batches, "_SHARED_WORK", 0)
    original = llvm.AdjointKernel.run

    def counted(self: object, inputs: Array, *args: object, **more: object) -> object:
        pieces.append(len(inputs))
        return original(self, inputs, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(llvm.AdjointKernel, "run", counted)
    for one, other in zip(batch.gradient(inputs, weights, columns), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(batch.tangents(inputs[0], np.eye(len(inputs[0])), columns), ahead)
    assert sorted(pieces) == [5, 8, 8]


def test_one_lane_computes_what_eight_do(
    core: tuple[Batch, Array, Array, tuple[str, ...]],
) -> None:
    """Values to the bit; gradients to rounding, for compilers fuse scalar and vector code apart."""
    batch, inputs, weights, columns = core
    program = batch._program(columns)
    given = batch._arguments(program)
    narrow = llvm.compile_adjoint(program, "rk4", lanes=1)
    wide = llvm.compile_adjoint(program, "rk4")
    values, found = narrow.run(inputs[:3], weights[:3], **given)
    expected, slope = wide.run(inputs[:3], weights[:3], **given)
    np.testing.assert_array_equal(values, expected)
    size = np.abs(slope).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found - slope) / size).max() < 1e-13


def test_plain_processors_compute_the_same(
    core: tuple[Batch, Array, Array, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, inputs, weights, columns = core
    program = batch._program(columns)
    _, expected = batch.gradient(inputs[:3], weights[:3], columns)
    monkeypatch.setattr(llvm, "has_avx512", lambda: False)
    kernel = llvm.AdjointKernel(program, "rk4", llvm.LANES)
    _, found = kernel.run(inputs[:3], weights[:3], **batch._arguments(program))
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found - expected) / size).max() < 1e-12


# The profile ------------------------------------------------------------------------------------


def test_the_profile_sums_to_the_gradient(
    core: tuple[Batch, Array, Array, tuple[str, ...]],
) -> None:
    batch, inputs, weights, columns = core
    _, whole = batch.gradient(inputs, weights, columns)
    _, parts = batch.gradient(inputs, weights, columns, profile=True)
    assert parts.shape == (21, batch.grid.saves, len(batch.system.inputs))
    size = np.abs(parts).sum(axis=1) + 1e-300
    assert (np.abs(parts.sum(axis=1) - whole[:, 0]) / size).max() < 1e-12


def test_the_profile_is_zero_after_the_last_weight_and_before_a_parameter_matters() -> None:
    text = """model p "p"
time 0 to 8 step 1/4 save 1
param a = 1
param b = 2
stock s = b gains f
flow f = step(a, 4) - 0.1 * s
"""
    batch, inputs = ready(text, "rk4")
    weights = np.zeros((1, 9, 1))
    weights[0, 6] = 1.0
    _, found = batch.gradient(inputs[np.newaxis], weights, ("s",), profile=True)
    a, b = found[0].T
    assert (a != 0).tolist() == [False] * 5 + [True] * 2 + [False] * 2
    assert (b != 0).tolist() == [True] + [False] * 8
    # s(6) = 2 e^-0.6 + 10 a (1 - e^-0.2); each year's push decays from then on.
    decay = np.exp(-0.1)
    np.testing.assert_allclose(a[5:7], [10 * (1 - decay) * decay, 10 * (1 - decay)], rtol=1e-7)
    np.testing.assert_allclose(b[0], np.exp(-0.6), rtol=1e-7)


# Runs that break down ---------------------------------------------------------------------------

BREAKS = """model breaks "Breaks"
time 0 to 40 step 1/8 save 1
param r = {r}
stock s = 1 gains f
flow f = r * s ^ 2
aux root = sqrt(r * (2.5 - time))
"""


def test_a_breakdown_after_the_last_weight_spoils_nothing() -> None:
    batch, _inputs = ready(BREAKS.format(r="0.5"), "rk4")
    members = np.array([[0.5], [0.01], [0.5], [0.5]])
    weights = np.zeros((4, 41, 2))
    weights[0, 2, 0] = weights[1, 2, 0] = weights[2, 40, 0] = 1.0
    weights[1, 40, 0] = 1.0
    for profile in (False, True):
        values, found = batch.gradient(members, weights, ("s", "root"), profile=profile)
        assert not np.isfinite(values[0, -1, 0])
        slope = found.sum(axis=1)[:, 0]
        assert not np.isfinite(slope[2]), "its weight is where there is no value"
        assert slope[3] == 0.0
        h = 1e-7
        for member in (0, 1):
            moved = batch.values(np.array([members[member] + h, members[member] - h]), ("s",))
            sums = moved[:, weights[member, :, 0] > 0, 0].sum(axis=1)
            assert slope[member] == pytest.approx((sums[0] - sums[1]) / (2 * h), rel=1e-5)


# Limits and wrong arguments ---------------------------------------------------------------------


def test_a_tape_that_is_too_long_is_refused_with_a_sentence() -> None:
    batch, inputs = ready(PIPES.format(lag="1"), "rk4")
    program = batch._program(("s",))
    kernel = llvm.compile_adjoint(program, "rk4")
    steps = 100_000_000
    assert kernel.memory(steps) > 4 * 2**30 > kernel.memory(steps // 100)
    given = batch._arguments(program) | {"steps": steps, "every": steps}
    with pytest.raises(LimitError, match=r"100,000,000 steps needs [\d.]+ GiB; take a longer step"):
        kernel.run(inputs[np.newaxis], np.zeros((1, 2, 1)), **given)


def test_an_answer_that_is_too_large_is_refused_with_a_sentence() -> None:
    batch, inputs = ready(PIPES.format(lag="1"), "rk4")
    crowd = np.broadcast_to(inputs, (20_000_000, len(inputs)))
    with pytest.raises(LimitError, match=r"gradients would take .* GiB"):
        batch.gradient(crowd, np.zeros((0,)), ("s",), profile=True)


def test_wrong_arguments_are_sentences() -> None:
    batch, inputs = ready(MIXED.format(curve="few", points=POINTS), "rk4")
    program = batch._program(("s",))
    kernel = llvm.compile_adjoint(program, "rk4")
    given = batch._arguments(program)
    saves = batch.grid.saves
    with pytest.raises(UsageError, match="expected 4 inputs a member, not 2"):
        kernel.run(inputs[np.newaxis, :2], np.zeros((1, saves, 1)), **given)
    with pytest.raises(UsageError, match="expected seeds of shape"):
        kernel.run(inputs[np.newaxis], np.zeros((1, saves, 2)), **batch._noise(given, program, 1))
    with pytest.raises(UsageError, match="draws noise"):
        kernel.run(inputs[np.newaxis], np.zeros((1, saves, 1)), **given)
    outside = lower(batch.system, ("s",), external_switches=True)
    with pytest.raises(UsageError, match="computes its own switches"):
        llvm.compile_adjoint(outside, "rk4")
