"""What a sweep says, against every run on its own: tables, streams, sentences, formats of others."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.errors import UnknownNameError, UsageError
from flywheel.language import parse
from flywheel.solve import simulate
from flywheel.sweep import tables
from flywheel.sweep.design import crossed, listed
from flywheel.sweep.result import Sweep
from flywheel.sweep.run import sweep
from flywheel.sweep.shard import compute
from tests.sweep.small import SETTINGS, design, pond

RUNS = 300
ODD = """model odd
time 0 to 2 step 1 save 1
param member = 1
stock scenario = 1 gains more
flow more = member
scenario fast: member = 5
outcome last = scenario at 2
"""


def make(folder: Path | None, **more: Any) -> Sweep:
    return sweep(pond(), design(RUNS), folder=folder, **{**SETTINGS, **more})


@pytest.fixture(scope="module")
def in_memory() -> Sweep:
    return make(None, keep="everything", kept_as="float64")


@pytest.fixture(scope="module")
def in_folder(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("sweep") / "kept"
    return make(folder, keep="everything", kept_as="float64")


@pytest.fixture(params=["memory", "folder"])
def found(request: pytest.FixtureRequest, in_memory: Sweep, in_folder: Sweep) -> Sweep:
    return in_memory if request.param == "memory" else in_folder


# Tables -------------------------------------------------------------------------------------------


def test_rows_are_the_design_and_single_runs(found: Sweep) -> None:
    frame = found.frame
    assert list(frame.columns) == ["birth", "deaths", "at_end", "roomy", "full"]
    assert frame.index.tolist() == list(range(RUNS))
    np.testing.assert_array_equal(frame[["birth", "deaths"]], design(RUNS).rows(0, RUNS))
    for member in (0, 63, 64, 299):
        run = simulate(pond(), overrides=frame.loc[member, ["birth", "deaths"]].to_dict())
        for name in found.plan.outcomes:
            alone = run.outcomes[name]
            assert frame.loc[member, name] == pytest.approx(alone, rel=1e-12, nan_ok=True)
    pd.testing.assert_frame_equal(found.outcomes, frame[["at_end", "roomy", "full"]])


def test_failures_have_a_row_with_a_reason(found: Sweep) -> None:
    failures = found.failures
    assert list(failures.columns) == ["member", "variable", "time", "reason"]
    assert 0 < len(failures) == found.failed < RUNS
    assert set(failures["variable"]) == {"space"}
    member, when = int(failures["member"].iloc[0]), float(failures["time"].iloc[0])
    run = simulate(pond(), overrides=found.frame.loc[member, ["birth", "deaths"]].to_dict())
    assert run.status.time == when
    assert str(failures["reason"].iloc[0]).startswith("space takes the square root of a negative")
    broken = found.trajectories("space").isna().any(axis=1)
    assert sorted(failures["member"]) == broken.index[broken].tolist()


def test_outcomes_without_a_value_have_a_reason(found: Sweep) -> None:
    reasons = found.reasons
    table = found.outcomes
    for name in found.plan.outcomes:
        without = table.index[table[name].isna()].tolist()
        assert reasons.loc[reasons["outcome"] == name, "member"].tolist() == without
    never = reasons[reasons["reason"] == "its condition is never met"]
    assert set(never["outcome"]) == {"full"}
    assert len(never)


def test_memory_and_folder_say_the_same(in_memory: Sweep, in_folder: Sweep) -> None:
    for name in ("frame", "outcomes", "reasons", "failures", "members"):
        pd.testing.assert_frame_equal(getattr(in_memory, name), getattr(in_folder, name))
    for name in ("fish", "space"):
        pd.testing.assert_frame_equal(in_memory.quantiles(name), in_folder.quantiles(name))
        pd.testing.assert_frame_equal(in_memory.trajectories(name), in_folder.trajectories(name))
        for read in ("mean", "sd", "low", "high"):
            mine, other = getattr(in_memory, read)(name), getattr(in_folder, read)(name)
            pd.testing.assert_series_equal(mine, other)
    assert in_memory.sha256 == in_folder.sha256
    assert in_memory.receipt == in_folder.receipt
    assert in_memory.explain() == in_folder.explain()


def test_short_numbers_on_request(tmp_path: Path) -> None:
    """Trajectories as float32: half the room, and the same again from a folder."""
    found = [make(folder, keep="everything") for folder in (None, tmp_path)]
    pd.testing.assert_frame_equal(*(each.trajectories("space") for each in found))
    assert set(found[1].trajectories("space").dtypes) == {np.dtype(np.float32)}


def test_members_are_whole_runs(found: Sweep) -> None:
    chosen = found.members.index.get_level_values("member").unique()
    assert len(chosen) == SETTINGS["reservoir"]
    for member in chosen:
        pd.testing.assert_series_equal(
            found.members.loc[member]["fish"],
            found.trajectories("fish").loc[member],
            check_names=False,
        )


# Streams ------------------------------------------------------------------------------------------


def test_streams_against_all_trajectories(found: Sweep) -> None:
    sound = ~found.trajectories("space").isna().any(axis=1)
    for name in ("fish", "space"):
        every = found.trajectories(name)[sound]
        np.testing.assert_allclose(found.mean(name), every.mean(), rtol=1e-12)
        np.testing.assert_allclose(found.sd(name), every.std(), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(found.low(name), every.min())
        np.testing.assert_array_equal(found.high(name), every.max())
        parts = (0.05, 0.5, 0.95)
        exact = every.quantile(list(parts)).T
        wide = (every.max() - every.min()).to_numpy()[:, np.newaxis]
        streamed = found.quantiles(name, parts)
        assert list(streamed.columns) == list(parts)
        assert (np.abs(streamed.to_numpy() - exact.to_numpy()) <= 0.005 * wide + 1e-9).all()
    assert found.mean("FISH").index.tolist() == found.time.tolist() == list(np.arange(0, 4.5, 0.5))


def test_one_quantile_needs_no_list(found: Sweep) -> None:
    pd.testing.assert_frame_equal(found.quantiles("fish", 0.5), found.quantiles("fish", [0.5]))


@pytest.mark.parametrize("q", [-0.1, 1.1, [0.5, float("nan")]])
def test_quantiles_outside_the_whole_are_refused(found: Sweep, q: Any) -> None:
    with pytest.raises(UsageError, match="parts from 0 to 1"):
        found.quantiles("fish", q)


def test_names_that_are_not_there(found: Sweep) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'fish'"):
        found.mean("fishes")
    with pytest.raises(
        UsageError, match=r"is an outcome, one number a run: see outcomes\['at_end'\]"
    ):
        found.mean("at_end")


def test_what_was_not_kept_is_said() -> None:
    lean = make(None, quantiles=False, reservoir=0)
    with pytest.raises(UsageError, match="kept no histograms"):
        lean.quantiles("fish")
    with pytest.raises(UsageError, match="kept no trajectories"):
        lean.trajectories("fish")
    assert lean.members.empty
    assert lean.mean("fish").notna().all()


# Names that meet ----------------------------------------------------------------------------------


def test_inputs_called_member_and_time(tmp_path: Path) -> None:
    plain = listed(["member"], [[1.0], [2.0]])
    for folder in (None, tmp_path):
        found = sweep(parse(ODD), crossed(plain, [None, "fast"]), folder=folder)
        assert list(found.frame.columns) == ["member", "scenario", "last"]
        assert found.frame["member"].tolist() == [1.0, 2.0, 1.0, 2.0]
        assert found.frame["scenario"].tolist() == ["", "", "fast", "fast"]
        assert found.frame.index.name == "member"
        assert len(found.members) == 4 * 3
        assert found.mean("scenario").tolist()[0] == 1.0


def test_a_name_steps_aside() -> None:
    assert tables.free("member", ["x"]) == "member"
    assert tables.free("member", ["Member", "member_"]) == "member__"


def test_tables_come_back() -> None:
    plan = make(None).plan
    result = compute(plan, 1)
    files = tables.to_parquet(plan, result)
    arrays = result.arrays()
    shape = (plan.grid.saves, len(plan.saved))
    for name, array in tables.streams_of(files["streams"], shape).items():
        np.testing.assert_array_equal(array, arrays[name])
    members, values = tables.runs_of(files["runs"], tables.Columns(plan), plan.grid.saves)
    np.testing.assert_array_equal(members, arrays["reservoir.members"])
    np.testing.assert_array_equal(values, arrays["reservoir.values"])
    back = tables.from_bytes(tables.to_bytes(arrays))
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


# Sentences ----------------------------------------------------------------------------------------


def test_explain_says_what_came_out_and_where_it_failed(found: Sweep) -> None:
    said = found.explain()
    assert said.startswith("300 runs of pond over birth, deaths, rk4 with step 0.125.")
    low, middle, high = found.outcomes["at_end"].quantile([0.05, 0.5, 0.95])
    assert f"at end: {middle:.4g} in the middle, {low:.4g} to {high:.4g} in 90 % of runs." in said
    assert f"{found.failed} runs (" in said
    assert "space broke first" in said
    failed = found.frame.loc[found.failures["member"], "birth"]
    assert (
        f"All of them lie where birth is between {failed.min():.4g} and {failed.max():.4g}" in said
    )


def test_explain_in_korean(found: Sweep) -> None:
    said = found.explain("ko")
    assert said.startswith("모형 「pond」의 실행 300회: 바꾼 입력 2개(birth, deaths); rk4")
    assert "실패했습니다" in said
    with pytest.raises(UsageError, match="en and ko"):
        found.explain("fr")


def test_receipt_is_plain_data(found: Sweep) -> None:
    receipt = found.receipt
    assert receipt["sha256"] == found.sha256
    assert receipt["runs"] == RUNS == len(found)
    assert receipt["model_hash"] == pond().hash
    assert {type(value) for value in receipt.values()} <= {str, int, float, list}
    assert repr(found) == f"Sweep(pond: 300 runs, {found.failed} failed)"


# Other people's formats ---------------------------------------------------------------------------


@pytest.mark.parametrize(("package", "read"), [("xarray", "to_xarray"), ("duckdb", "to_duckdb")])
def test_a_missing_package_is_named(
    in_folder: Sweep, monkeypatch: pytest.MonkeyPatch, package: str, read: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"pip install {package}"):
        getattr(in_folder, read)()


def test_duckdb_needs_a_folder(in_memory: Sweep) -> None:
    with pytest.raises(UsageError, match="sweep with folder="):
        in_memory.to_duckdb()


@pytest.mark.skipif(find_spec("xarray") is None, reason="xarray is not installed")
def test_xarray(found: Sweep) -> None:
    data = found.to_xarray(trajectories=True)
    assert data.sizes == {"member": RUNS, "time": 9}
    np.testing.assert_array_equal(data["at_end"], found.frame["at_end"])
    np.testing.assert_array_equal(data["mean_fish"], found.mean("fish"))
    np.testing.assert_array_equal(data["fish"], found.trajectories("fish"))
    assert data.attrs["sha256"] == found.sha256


@pytest.mark.skipif(find_spec("duckdb") is None, reason="DuckDB is not installed")
def test_duckdb(in_folder: Sweep) -> None:
    with in_folder.to_duckdb() as connection:
        count, mean = connection.execute("SELECT count(*), avg(at_end) FROM shards").fetchone()
        assert count == RUNS
        assert mean == pytest.approx(in_folder.frame["at_end"].mean())
        (failed,) = connection.execute("SELECT count(*) FROM failures").fetchone()
        assert failed == in_folder.failed
        query = "SELECT max(fish) FROM trajectories WHERE member = 7"
        (peak,) = connection.execute(query).fetchone()
        assert peak == in_folder.trajectories("fish").loc[7].max()
