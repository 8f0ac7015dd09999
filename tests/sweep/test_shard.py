"""Shards against single runs: every number, every reason, and the same bytes however they are cut."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import flywheel as fw
from flywheel.errors import UsageError
from flywheel.model import Model
from flywheel.solve import simulate
from flywheel.solve.plan import plan_for
from flywheel.sweep.design import crossed, listed, sample
from flywheel.sweep.distributions import Uniform
from flywheel.sweep.plan import SweepPlan, make_plan
from flywheel.sweep.reading import FAILED
from flywheel.sweep.reduce import merge_all
from flywheel.sweep.shard import compute, with_pilot

TEXT = """model shop
time 0 to 10 step 1/8 save 1/4
param r = 0.2
param fee = 1.5
param start = 2
param wall = 60
stock S = start gains f loses g
stock T = S * 2 gains h
flow f = r * S
flow g = 0.01 * S * fee
flow h = sqrt(wall - S)
aux share = S / (S + T)
lever more = r by 20% at 3
lever less = r to 0.1 at 6
lever dear = fee to fee * 2 + start
scenario boom: r = 0.3 from 2 to 5, r = 0.25 from 7, fee = fee + 1
scenario slump: r = 0.1 to 4, S = 1
outcome at_end = S at 10
outcome at_odd = S at 3.1
outcome total_f = total f from 2 to 7
outcome worth = total f discount 8%
outcome average = mean S
outcome high = peak share
outcome low = trough S * 2 from 1 to 3
outcome when = time of S > 4
outcome holds = time of S > 4 and T > 8
outcome ratio = at_end / when + r
outcome odd = sqrt(S - 3) at 2
"""
NAMES = ("r", "fee", "start", "T", "more", "less", "dear")
LOW = (0.05, 0.5, 1.0, 1.0, 0.0, 0.0, 0.0)
HIGH = (0.4, 2.0, 3.0, 6.0, 1.0, 1.0, 1.0)


def shop() -> Model:
    return fw.parse(TEXT)


def spread(names: tuple[str, ...] = NAMES, runs: int = 150) -> Any:
    ranges = {n: Uniform(LOW[NAMES.index(n)], HIGH[NAMES.index(n)]) for n in names}
    return sample(ranges, runs, kind="random", seed=3)


def ready(model: Model, design: Any, **asked: Any) -> SweepPlan:
    return with_pilot(make_plan(model, design, **asked))


@pytest.mark.parametrize("method", ["rk4", "euler"])
@pytest.mark.parametrize("scenario", ["", "boom", "slump"])
def test_every_member_is_the_run_of_its_numbers(method: str, scenario: str) -> None:
    model = shop()
    design = crossed(spread(("r", "fee", "start"), 40), ["slump", None, "boom"])
    plan = ready(model, design, method=method, keep="everything", kept_as="float64",
                 saved=list(model.stocks))  # fmt: skip
    found = compute(plan, 0)
    assert found.trajectories is not None
    labels = design.labels(0, design.count)
    failed = set(found.failures.members.tolist())
    seen = 0
    for member, (row, label) in enumerate(zip(design.rows(0, design.count), labels, strict=True)):
        if label != scenario:
            continue
        seen += 1
        numbers = dict(zip(design.names, map(float, row), strict=True))
        run = simulate(model, method=method, scenario=label or None, overrides=numbers)
        assert run.ok == (member not in failed)
        for k, name in enumerate(plan.outcomes):
            value = found.outcomes[member, k]
            assert value == pytest.approx(run.outcomes[name], rel=1e-12, nan_ok=True), name
            reason = found.reasons[found.codes[member, k]]
            if run.ok:
                assert reason == run.outcomes.reason(name)
            elif reason:
                # One sentence for all that follows from the failure, which has a row of its own.
                assert reason.replace(FAILED, run.status.message) == run.outcomes.reason(name)
        if run.ok:
            own = np.column_stack([run[name] for name in plan.saved])
            assert found.trajectories[member] == pytest.approx(own, rel=1e-12)
    assert seen == 40


@pytest.mark.parametrize(
    "asked", [{"stop": 6}, {"start": 1}, {"start": 2.5, "stop": 7}, {"step": 1 / 16, "save": 1 / 8}]
)
def test_other_times_give_the_outcomes_and_reasons_of_a_run(asked: dict[str, float]) -> None:
    model = fw.parse(TEXT.replace("wall = 60", "wall = 1e9"))
    plan = make_plan(model, spread(("r", "fee"), 8), quantiles=False, **asked)  # type: ignore[arg-type]
    found = compute(plan, 0)
    assert not len(found.failures)
    for member, row in enumerate(plan.design.rows(0, 8)):
        numbers = dict(zip(plan.design.names, map(float, row), strict=True))
        run = simulate(model, overrides=numbers, **asked)  # type: ignore[arg-type]
        for k, name in enumerate(plan.outcomes):
            value = found.outcomes[member, k]
            assert value == pytest.approx(run.outcomes[name], rel=1e-12, nan_ok=True), name
            assert found.reasons[found.codes[member, k]] == run.outcomes.reason(name)


def test_levers_by_intensity_on_top_of_scenarios_are_a_studys() -> None:
    from flywheel.solve.study import Study

    model = shop()
    levers = ("more", "less", "dear")
    rows = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 1, 0.25], [1, 1, 1]]
    for scenario in ("", "boom", "slump"):
        plan = make_plan(model, crossed(listed(levers, rows), [scenario or None]), quantiles=False)
        found = compute(plan, 0).outcomes[:, plan.outcomes.index("at_end")]
        study = Study(model, "at_end", scenario=scenario or None)
        assert found == pytest.approx(study.pull(levers, rows).outcomes[:, 0], rel=1e-12)


def test_levers_move_what_the_member_has() -> None:
    model = shop()
    plan = make_plan(model, listed(("r", "more"), [[0.3, 1.0]]), quantiles=False)
    found = compute(plan, 0).outcomes[0, plan.outcomes.index("at_end")]
    hand = fw.parse(TEXT + "scenario hand: r = 0.36 from 3\n")
    run = simulate(hand, scenario="hand", overrides={"r": 0.3})
    assert found == pytest.approx(run.outcomes["at_end"], rel=1e-12)


def test_chunks_lanes_and_threads_change_no_byte() -> None:
    model = fw.parse(TEXT.replace("flow f = r * S", "flow f = r * S + 0.01 * noise(0, 1)"))
    design = crossed(spread(runs=700), ["boom", "slump"])
    plan = ready(model, design, shard=1024, keep="everything", saved=["S", "T", "share"])
    first = [compute(plan, n).sha256 for n in range(plan.shards)]
    assert len(set(first)) == 2
    for chunk in (1, 7, 64, 137, 1000, 5000):
        assert compute(plan, 1, chunk).sha256 == first[1], chunk
    assert compute(plan, 0, 137).sha256 == first[0]
    for lanes in (4, 16):
        assert compute(plan, 1, 100, lanes=lanes).sha256 == first[1], lanes
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda n: compute(plan, n % 2, 64 + n).sha256, range(12)))
    assert again == first * 6


def test_a_member_is_the_same_in_any_shard() -> None:
    design = crossed(spread(runs=100), ["boom", None])
    small = make_plan(shop(), design, shard=64, quantiles=False)
    large = make_plan(shop(), design, shard=4096, quantiles=False)
    parts = [compute(small, n).outcomes for n in range(small.shards)]
    assert np.concatenate(parts).tobytes() == compute(large, 0).outcomes.tobytes()


def test_noise_goes_by_the_number_of_the_member() -> None:
    model = fw.parse(
        "model n\ntime 0 to 4 step 1/4 save 1/2\nparam k = 1\n"
        "stock a = 0 gains f\nflow f = k * noise(0, 1)\noutcome end = a at 4\n"
    )
    plan = make_plan(model, listed(("k",), [[1.0]] * 130), seed=7, shard=64, quantiles=False)
    found = np.concatenate([compute(plan, n).outcomes[:, 0] for n in range(3)])
    solved = plan_for(model)
    values = solved.engine("rk4", "llvm").run(
        np.repeat(solved.defaults[np.newaxis], 130, 0), plan.grid, seed=7
    )
    assert found == pytest.approx(values.values[:, -1, solved.position["a"]], rel=1e-12)
    assert len(set(found.tolist())) == 130


# Failures ---------------------------------------------------------------------------------------

WALL = """model wall
time 0 to 10 step 1/4 save 1/2
param r = 1
param k = 1
stock S = 1 gains f
flow f = r * S
aux inside = sqrt(100 - S) * k
stock U = 1 gains grow
flow grow = 1 / (U - U + 1)
outcome at_end = S at 10
outcome at_2 = S at 2
outcome high = peak inside
outcome alone = 1 / (k - 1) at 10
outcome both = at_end + alone
"""


def wall_plan(rows: list[list[float]], **asked: Any) -> SweepPlan:
    model = fw.parse(WALL)
    return make_plan(model, listed(("r", "k"), rows), saved=["S", "inside"], **asked)


def test_failures_are_rows_with_the_reason_of_the_run() -> None:
    rows = [[0.1, 2.0], [1.0, 2.0], [0.2, 1.0], [900.0, 2.0], [0.9, 2.0]]
    plan = with_pilot(wall_plan(rows, keep="everything", kept_as="float64"))
    found = compute(plan, 0)
    assert found.failures.members.tolist() == [1, 3, 4]
    for k, member in enumerate(found.failures.members.tolist()):
        run = simulate(plan.model, overrides=dict(zip(("r", "k"), rows[member], strict=True)))
        assert not run.ok
        assert found.failures.variables[k] == run.status.variable
        assert found.failures.times[k] == run.status.time
        # Lines are left out: they depend on where the model was read.
        assert f"{found.failures.reasons[k]} ({run.status.span})" == run.status.message
    names = plan.outcomes
    reason = found.reasons[found.codes[1, names.index("at_end")]]
    assert reason == FAILED
    assert np.isfinite(found.outcomes[1, names.index("at_2")])
    # What only an outcome asks for may break alone: no failure.
    assert np.isnan(found.outcomes[2, names.index("alone")])
    assert (
        found.reasons[found.codes[2, names.index("alone")]] == "its expression has no finite value"
    )
    assert found.reasons[found.codes[2, names.index("both")]] == (
        "alone: its expression has no finite value"
    )
    assert (found.moments.count == 2).all()
    assert found.counts is not None
    assert (found.counts.sum(axis=2) == 2).all()
    assert found.trajectories is not None
    sound = found.trajectories[[0, 2]]
    assert found.moments.mean == pytest.approx(sound.mean(axis=0), rel=1e-12)
    assert (found.moments.low == sound.min(axis=0)).all()
    late = found.trajectories[1][plan.grid.times > found.failures.times[0] + 0.5]
    assert np.isnan(late).all()


def test_many_failures_are_named_though_not_all_explained() -> None:
    generator = np.random.default_rng(1)
    rows = generator.uniform((0.1, 1.5), (1.0, 2.0), (300, 2)).tolist()
    plan = wall_plan(rows, shard=128)
    plan = with_pilot(plan)
    for number in range(plan.shards):
        found = compute(plan, number, 64)
        assert found.sha256 == compute(plan, number, 137).sha256
        fails = np.array([np.exp(10 * r) > 100 for r, _ in rows[number * 128 :][: found.count]])
        wanted = np.flatnonzero(fails) + number * 128
        assert found.failures.members.tolist() == wanted.tolist()
        assert set(found.failures.variables) == {"inside"}
        assert all("inside" in reason for reason in found.failures.reasons)
        assert (found.moments.count == found.count - len(wanted)).all()


def test_a_shard_where_everything_fails_has_no_moments() -> None:
    plan = with_pilot(wall_plan([[5.0, 1.0]] * 70))
    found = compute(plan, 0)
    assert len(found.failures) == 70
    assert (found.moments.count == 0).all()
    assert np.isinf(found.moments.low).all()
    assert found.counts is not None
    assert not found.counts.any()


def test_a_state_that_is_not_saved_fails_if_what_is_saved_depends_on_it() -> None:
    model = fw.parse(
        "model q\ntime 0 to 4 step 1/4 save 1\nparam r = 0\nstock A = 1 gains ga\n"
        "flow ga = if(B > 5, 1, 0)\nstock B = 1 gains gb\nflow gb = B ^ 3 * r\n"
        "stock C = 1 gains gc\nflow gc = 1\n"
    )
    for saved, failed in (("A", [1]), ("C", [])):
        plan = make_plan(model, listed(("r",), [[0.0], [9.0]]), saved=[saved], quantiles=False)
        found = compute(plan, 0)
        assert found.failures.members.tolist() == failed
        assert (found.moments.count == 2 - len(failed)).all()
    assert simulate(model, overrides={"r": 9}).status.variable == "gb"


# What stays -------------------------------------------------------------------------------------


def test_moments_are_those_of_all_members() -> None:
    design = spread(("r", "fee", "start"), 500)
    model = fw.parse(TEXT.replace("wall = 60", "wall = 1e9"))
    plan = ready(model, design, shard=128, keep="everything", kept_as="float64")
    parts = [compute(plan, n) for n in range(plan.shards)]
    moments = merge_all(part.moments for part in parts)
    values = np.concatenate([part.trajectories for part in parts])  # type: ignore[arg-type]
    assert (moments.count == 500).all()
    assert moments.mean == pytest.approx(values.mean(axis=0), rel=1e-13)
    assert moments.variance == pytest.approx(values.var(axis=0, ddof=1), rel=1e-9)
    assert (moments.low == values.min(axis=0)).all()
    assert (moments.high == values.max(axis=0)).all()


def test_the_reservoir_holds_whole_runs_and_no_design_can_choose_them() -> None:
    plan = make_plan(shop(), spread(runs=500), shard=128, reservoir=20, keep="everything",
                     kept_as="float64", quantiles=False)  # fmt: skip
    parts = [compute(plan, n) for n in range(plan.shards)]
    members = np.concatenate([part.reservoir.members for part in parts])
    assert len(members) == 20
    assert (np.diff(members) > 0).all()
    for part in parts:
        assert part.trajectories is not None
        own = part.trajectories[part.reservoir.members - part.first]
        assert part.reservoir.values.tobytes() == own.tobytes()
    other = make_plan(shop(), spread(runs=500), seed=1, reservoir=20, quantiles=False)
    assert compute(other, 0).reservoir.members.tolist() != members.tolist()


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_everything_is_kept_as_asked(kind: str) -> None:
    plan = make_plan(shop(), spread(runs=70), keep="everything", kept_as=kind, quantiles=False)
    found = compute(plan, 0, 30).trajectories
    assert found is not None
    assert found.dtype == np.dtype(kind)
    assert found.shape == (70, plan.grid.saves, 2)
    streams = make_plan(shop(), spread(runs=70), quantiles=False)
    assert compute(streams, 0).trajectories is None


def test_without_a_compiler_the_reference_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(shop(), spread(runs=6), quantiles=False)
    fast = compute(plan, 0)
    monkeypatch.setattr("flywheel.sweep.kernel.has_compiler", lambda: False)
    slow = compute(make_plan(shop(), spread(runs=6), quantiles=False, reservoir=99), 0)
    assert slow.outcomes == pytest.approx(fast.outcomes, rel=1e-9, nan_ok=True)
    assert slow.moments.mean == pytest.approx(fast.moments.mean, rel=1e-9)


def test_mistakes_are_sentences() -> None:
    plan = make_plan(shop(), spread(runs=10))
    with pytest.raises(UsageError, match="no ranges yet"):
        compute(plan, 0)
    plan = with_pilot(plan)
    with pytest.raises(UsageError, match="no shard 1"):
        compute(plan, 1)
    with pytest.raises(UsageError, match="chunk"):
        compute(plan, 0, 0)
    assert with_pilot(plan) is plan
