"""Plans as data: they come back the same, say what they take, and refuse what makes no sense."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import flywheel as fw
from flywheel.errors import UnknownNameError, UsageError
from flywheel.sweep import shard
from flywheel.sweep.design import crossed, grid, listed, sample
from flywheel.sweep.distributions import Uniform
from flywheel.sweep.plan import SweepPlan, make_plan
from flywheel.sweep.shard import compute, with_pilot

TEXT = """model p
time 0 to 5 step 1/8 save 1/4
param r = 0.2
stock S = 1 gains f
flow f = r * S
outcome end = S at 5
scenario fast: r = 0.4 from 2
"""
CORE = Path(__file__).parents[2] / "models" / "core_flywheel.fly"


def plan_of(**asked: Any) -> SweepPlan:
    design = crossed(listed(("r",), [[0.1], [0.2], [0.3]]), [None, "fast"])
    return make_plan(fw.parse(TEXT), design, **asked)


def test_a_plan_comes_back_from_json_with_the_same_numbers() -> None:
    plan = with_pilot(plan_of(seed=3, shard=64))
    again = SweepPlan.from_dict(json.loads(json.dumps(plan.as_dict())))
    assert again.hash == plan.hash
    assert again.as_dict() == plan.as_dict()
    assert again.model.hash == plan.model_hash
    first = compute(plan, 0).sha256
    shard.forget()
    assert compute(again, 0).sha256 == first


def test_a_model_with_files_travels_with_them(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "d.csv").write_text("series,time,value\nx,0,1\nx,5,2\n")
    (folder / "inner.fly").write_text("model inner\ntime 0 to 5 step 1/8 save 1/4\nparam k = 2\n")
    (folder / "outer.fly").write_text(
        'model outer\ntime 0 to 5 step 1/8 save 1/4\nuse inner as i\ndata d = "data/d.csv" '
        'series "x"\nparam a = 1\nstock S = 1 gains f\nflow f = d * a * i.k / (1 - b)\n'
        "param b = 0\noutcome end = S at 5\n"
    )
    model = fw.load(folder / "outer.fly")
    plan = with_pilot(make_plan(model, grid(a=[1.0, 2.0], b=[0.0, 1.0])))
    data = json.dumps(plan.as_dict())
    first = compute(plan, 0).sha256
    (folder / "data" / "d.csv").write_text("series,time,value\nx,0,9\nx,5,9\n")
    (folder / "inner.fly").unlink()
    again = SweepPlan.from_dict(json.loads(data))
    shard.forget()
    found = compute(again, 0)
    assert found.sha256 == first
    assert len(found.failures) == 2
    assert "divides by zero" in found.failures.reasons[0]
    with pytest.raises(UsageError, match="another one"):
        make_plan(model, grid(a=[1.0]))


def test_the_core_model_travels() -> None:
    plan = make_plan(fw.load(CORE), listed(("customers0",), [[0.1]]))
    assert SweepPlan.from_dict(json.loads(json.dumps(plan.as_dict()))).model.hash == plan.model_hash


def test_a_forged_text_is_refused() -> None:
    data = plan_of().as_dict()
    data["model_text"] = data["model_text"].replace("0.2", "0.3")
    with pytest.raises(UsageError, match="another model"):
        _ = SweepPlan.from_dict(data).model
    with pytest.raises(UsageError, match="no plan"):
        SweepPlan.from_dict({"model_text": "x"})


def test_the_hash_is_of_what_decides_the_numbers() -> None:
    plan = plan_of()
    assert plan.hash == plan_of().hash
    assert with_pilot(plan).hash == plan.hash
    for changed in (
        {"seed": 1},
        {"method": "euler"},
        {"stop": 4},
        {"saved": ["f"]},
        {"outcomes": []},
        {"shard": 64},
        {"reservoir": 3},
        {"keep": "everything"},
        {"quantiles": False},
    ):
        assert plan_of(**changed).hash != plan.hash, changed


def test_memory_is_said_before_anything_is_there() -> None:
    plan = plan_of()
    assert "memory" in str(plan.memory())
    assert plan.memory(4).working > plan.memory(1).working
    model = fw.parse(TEXT)
    rows = [[0.1]] * 20_000
    small = make_plan(model, listed(("r",), rows)).memory()
    large = make_plan(model, listed(("r",), rows), keep="everything", kept_as="float64").memory()
    whole = 20_000 * 21 * 8
    assert large.result - small.result == whole
    assert "for 2 workers" in str(plan.memory(2))


@pytest.mark.parametrize("keep", ["streams", "everything"])
def test_a_shard_takes_no_more_than_was_said(keep: str) -> None:
    model = fw.parse(TEXT.replace("save 1/4", "save 1/8"))
    design = sample({"r": Uniform(0.1, 0.3), "S": Uniform(1, 2)}, 4096, kind="random", seed=1)
    plan = with_pilot(make_plan(model, design, saved=["S", "f"], keep=keep))
    compute(plan, 0)
    shard.forget()
    tracemalloc.start()
    try:
        compute(plan, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = plan.memory().working
    assert peak < 1.1 * said
    assert said < 4 * peak  # no empty caution


def test_scenarios_of_the_design_are_noted() -> None:
    assert plan_of().scenarios == ("fast",)
    assert make_plan(fw.parse(TEXT), listed(("r",), [[0.1]])).scenarios == ()


def test_shards_cover_the_members() -> None:
    plan = make_plan(fw.parse(TEXT), listed(("r",), [[0.1]] * 130), shard=64)
    assert [list(plan.members(n)) for n in range(plan.shards)] == [
        list(range(64)),
        list(range(64, 128)),
        [128, 129],
    ]
    with pytest.raises(UsageError, match="no shard"):
        plan.members(3)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"method": "lsoda"}, "rk4 or euler"),
        ({"keep": "all"}, "keep"),
        ({"kept_as": "int8"}, "kept_as"),
        ({"shard": 100}, "multiple of 64"),
        ({"shard": True}, "shard"),
        ({"reservoir": -1}, "reservoir"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"step": 0}, "step"),
    ],
)
def test_nonsense_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan_of(**asked)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    model = fw.parse(TEXT)
    with pytest.raises(UnknownNameError):
        make_plan(model, listed(("rr",), [[0.1]]))
    with pytest.raises(UnknownNameError):
        plan_of(saved=["Q"])
    with pytest.raises(UnknownNameError):
        plan_of(outcomes=["ende"])
    with pytest.raises(UnknownNameError):
        make_plan(model, crossed(listed(("r",), [[0.1]]), ["fats"]))
    assert plan_of(saved=["s", "F", "S"]).saved == ("S", "f")
