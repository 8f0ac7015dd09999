"""``flywheel sweep | resume | inspect`` as people and scripts use them."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

import flywheel as fw
from flywheel.cli import main
from flywheel.sweep.design import grid, sample
from flywheel.sweep.ranges import ranges_of
from flywheel.sweep.run import open_sweep
from flywheel.sweep.run import sweep as sweep_of
from flywheel.sweep.store import MANIFEST
from tests.corner_shop import FAILING, SHOP


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


Run = Callable[..., Said]


@pytest.fixture
def flywheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run one command in a folder that holds a few models."""
    (tmp_path / "shop.fly").write_text(SHOP)
    (tmp_path / "fail.fly").write_text(FAILING)
    lines = re.sub(r"(?m)^(lever|outcome) .*\n    ko .*\n", "", SHOP)
    (tmp_path / "bare.fly").write_text(lines)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert isinstance(stop.value.code, int)
        return Said(stop.value.code, said.out, said.err)

    return run


# Which runs -------------------------------------------------------------------------------------


def inputs(folder: str) -> pd.DataFrame:
    found = open_sweep(folder)
    return found.frame[list(found.names)]


def test_all_parameters_over_their_ranges_when_none_is_named(flywheel: Run) -> None:
    assert flywheel("sweep", "shop.fly", "--runs", "100", "--out", "s").code == 0
    found = open_sweep("s")
    want = sample(ranges_of(fw.parse(SHOP)), 100)
    assert found.names == want.names == tuple(fw.parse(SHOP).params)
    assert np.array_equal(inputs("s"), want.rows(0, 100))


@pytest.mark.parametrize("text", ["1 to 2", "1 TO 2", "1..2", "1 .. 2", "100% to 4/2"])
def test_typed_1_to_2_means_a_range(flywheel: Run, text: str) -> None:
    said = flywheel("sweep", "shop.fly", "--range", f"RENT={text}", "--runs", "64", "--out", "s")
    assert said.code == 0, said
    table = inputs("s")
    assert list(table) == ["rent"]
    assert 1 <= table["rent"].min() < 1.05
    assert 1.95 < table["rent"].max() <= 2


def test_a_name_alone_has_the_range_of_the_model_and_a_number_stays(flywheel: Run) -> None:
    flywheel("sweep", "shop.fly", "--range", "price", "--range", "talk=50%", "--range", "louder",
             "--range", "guests=50 to 60", "--runs", "1e2", "--out", "s")  # fmt: skip
    table = inputs("s")
    assert list(table) == ["price", "talk", "louder", "guests"]
    assert (table["talk"] == 0.5).all()
    assert 8 <= table["price"].min() < 8.5 < 11.5 < table["price"].max() <= 12
    assert 0 <= table["louder"].min() < 0.1 < 0.9 < table["louder"].max() <= 1
    assert table["guests"].between(50, 60).all()


def test_a_grid_has_every_combination(flywheel: Run) -> None:
    flywheel("sweep", "shop.fly", "--grid", "price=8,10,12", "--grid", "margin=30%,2/5",
             "--out", "s")  # fmt: skip
    want = grid(price=[8, 10, 12], margin=[0.3, 0.4])
    assert np.array_equal(inputs("s"), want.rows(0, 6))


def test_ranges_in_a_grid_have_equal_steps_as_many_as_runs_allow(flywheel: Run) -> None:
    flywheel("sweep", "shop.fly", "--design", "grid", "--range", "price=8 to 12", "--range",
             "margin", "--runs", "30", "--out", "s")  # fmt: skip
    table = inputs("s")
    assert len(table) == 25
    assert sorted(set(table["price"])) == pytest.approx([8, 9, 10, 11, 12])
    assert sorted(set(table["margin"])) == pytest.approx([0.2, 0.25, 0.3, 0.35, 0.4])


def test_levers_are_pulled_and_not_pulled(flywheel: Run) -> None:
    flywheel("sweep", "shop.fly", "--levers", "--grid", "price=9,10", "--out", "s")
    table = inputs("s")
    assert list(table) == ["price", "louder", "roomier", "cheaper"]
    assert len(table.drop_duplicates()) == len(table) == 16
    assert set(table["roomier"]) == {0.0, 1.0}


def test_a_list_gives_every_run_and_its_scenario(flywheel: Run) -> None:
    Path("list.csv").write_text("talk;scenario;price\n0.5;;9\n0.6;small;10\n")
    assert flywheel("sweep", "shop.fly", "--list", "list.csv", "--out", "s").code == 0
    found = open_sweep("s")
    assert found.frame["price"].tolist() == [9, 10]
    run = fw.parse(SHOP).run(scenario="small", talk=0.6, price=10)
    assert found.outcomes["earned"][1] == pytest.approx(run.outcomes["earned"], rel=1e-12)


def test_scenarios_are_crossed_with_the_same_runs(flywheel: Run) -> None:
    flywheel("sweep", "shop.fly", "--range", "price", "--runs", "8", "--scenario", "SMALL",
             "--scenario", "base", "--out", "s")  # fmt: skip
    frame = open_sweep("s").frame
    assert frame["scenario"].tolist() == ["small"] * 8 + [""] * 8
    assert frame["price"][:8].tolist() == frame["price"][8:].tolist()
    assert (frame["last"][:8].to_numpy() < frame["last"][8:].to_numpy()).all()


def test_designs_and_seeds_differ(flywheel: Run) -> None:
    seen = set()
    for design in ("sobol", "lhs", "random"):
        for seed in ("0", "1"):
            document = flywheel("sweep", "shop.fly", "--range", "price", "--runs", "64", "--json",
                                "--design", design, "--seed", seed).json  # fmt: skip
            seen.add(document["receipt"]["sha256"])
    assert len(seen) == 6


# What is said -----------------------------------------------------------------------------------


def test_memory_and_runs_are_said_in_one_line(flywheel: Run) -> None:
    said = flywheel("sweep", "shop.fly", "--runs", "1,000", "--workers", "1")
    first, *rest = said.err.splitlines()
    assert re.match(r"1,000 runs of shop: needs about [\d.]+ .B of memory for one worker", first)
    assert [line.split()[0] for line in rest] == ["sha256"], "no progress but on a terminal"


def test_the_numbers_are_those_of_the_runs(flywheel: Run) -> None:
    said = flywheel("sweep", "shop.fly", "--range", "price", "--runs", "200", "--json")
    assert said.code == 0
    model = fw.parse(SHOP)
    own = sweep_of(model, sample(ranges_of(model, ["price"]), 200)).outcomes["earned"]
    row = said.json["outcomes"]["earned"]
    assert row["mean"] == pytest.approx(own.mean())
    assert row["sd"] == pytest.approx(own.std())
    assert [row["p5"], row["p50"], row["p95"]] == pytest.approx(own.quantile([0.05, 0.5, 0.95]))
    assert (row["unit"], row["runs"], row["without_value"]) == ("euro", 200, 0)
    guests = said.json["ends"]["guests"]
    assert guests["p5"] <= guests["p50"] <= guests["p95"]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_tables_of_outcomes_and_failures(flywheel: Run, language: str) -> None:
    said = flywheel("sweep", "fail.fly", "--runs", "200", "--language", language)
    assert said.code in (0, 1)
    assert "5 %" in said.out
    said = flywheel("sweep", "shop.fly", "--runs", "50", "--language", language)
    assert ("All profit" in said.out) == (language == "en")
    assert ("총이익" in said.out) == (language == "ko")


MIXED = """model mixed
time 0 to 4 step 1/4
stock x = 1 gains grow
flow grow = sqrt(limit - x)
param limit = 4 in 0 .. 8
outcome ends = x at 4
"""


def test_failures_are_counted_with_where_they_lie(flywheel: Run) -> None:
    Path("mixed.fly").write_text(MIXED)
    said = flywheel("sweep", "mixed.fly", "--range", "limit=0 to 8", "--runs", "256", "--json",
                    "--out", "s")  # fmt: skip
    failed = said.json["failures"]
    found = open_sweep("s")
    assert 0 < failed["runs"] == found.failed < 256
    assert said.code == 0, "runs that fail are results"
    assert sum(kind["runs"] for kind in failed["kinds"]) == failed["runs"]
    first = failed["kinds"][0]
    assert found.failures.set_index("member")["reason"][first["member"]] == first["reason"]
    told = flywheel("inspect", "s")
    assert f"{failed['runs']:,} runs" in told.out
    assert "broke first" in told.out
    assert first["reason"] in told.out


def test_when_every_run_fails_the_code_is_1(flywheel: Run) -> None:
    Path("mixed.fly").write_text(MIXED)
    said = flywheel("sweep", "mixed.fly", "--range", "limit=-3 to -1", "--runs", "10")
    assert said.code == 1
    assert "no run gives it a value" in said.out


def test_without_outcomes_the_stocks_at_the_end_are_shown(flywheel: Run) -> None:
    said = flywheel("sweep", "bare.fly", "--range", "talk", "--runs", "20")
    assert said.code == 0
    assert "at the end" in said.out
    assert "Guests <i>" in said.out


def test_progress_is_one_line_of_a_terminal(flywheel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("flywheel.cli.sweep._OFTEN", 0.0)
    said = flywheel("sweep", "shop.fly", "--range", "talk", "--runs", "9000")
    steps = said.err.split("\r\x1b[K")
    assert "9,000 of 9,000 runs (100 %)" in steps[-2]
    assert "runs/s" in steps[1]
    assert re.search(r"\d s left", steps[1])
    assert steps[-1].startswith("sha256")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_number_is_cut_where_a_terminal_is_narrow(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    ask = ("sweep", "core_flywheel", "--runs", "300", "--language", language)
    piped = flywheel(*ask).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    said = flywheel(*ask)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said.out).splitlines()
    assert max(map(cell_len, lines)) <= 60
    assert ("left out for want of width" if language == "en" else "좁아서 뺀 열") in said.err
    numbers = r"[−]?[\d,]*\d(?:\.\d+)?%?"
    assert set(re.findall(numbers, " ".join(lines))) <= set(re.findall(numbers, piped))


# Folders ----------------------------------------------------------------------------------------


def test_resume_computes_only_what_is_missing(flywheel: Run) -> None:
    ask = ("sweep", "shop.fly", "--range", "price", "--runs", "9000", "--out", "s", "--json")
    whole = flywheel(*ask).json["receipt"]["sha256"]
    (record,) = Path("s/done").glob("*1.json")
    record.unlink()
    part = flywheel("inspect", "s", "--json")
    assert (part.code, part.json["complete"]) == (0, False)
    assert list(part.json["missing_shards"]) == ["1"]
    said = flywheel("resume", "s", "--executor", "processes", "--workers", "2", "--json")
    assert "4,904 are finished already" in said.err
    assert (said.code, said.json["receipt"]["sha256"]) == (0, whole)
    assert flywheel(*ask).json["receipt"]["sha256"] == whole


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_inspect_writes_every_run(flywheel: Run, ending: str) -> None:
    flywheel("sweep", "shop.fly", "--range", "price", "--runs", "20", "--out", "s")
    assert flywheel("inspect", "s", "--out", f"runs.{ending}").code == 0
    frame = open_sweep("s").frame
    if ending == "csv":
        rows = list(csv.DictReader(Path("runs.csv").read_text().splitlines()))
        assert [float(row["earned"]) for row in rows] == frame["earned"].tolist()
        assert [int(row["member"]) for row in rows] == list(range(20))
    else:
        table = pd.read_parquet("runs.parquet").set_index("member")
        pd.testing.assert_frame_equal(table, frame, check_index_type=False)


def test_everything_and_other_variables_are_kept(flywheel: Run) -> None:
    said = flywheel("sweep", "shop.fly", "--range", "price", "--runs", "20", "--out", "s",
                    "--keep", "everything", "--save", "profit")  # fmt: skip
    assert said.code == 0
    found = open_sweep("s")
    assert found.variables == ("profit",)
    assert found.trajectories("profit").shape == (20, 41)


def test_ctrl_c_says_how_to_go_on(flywheel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from flywheel.cli.sweep import Line

    told = Line.tell

    def stop(self: Line, now: Any) -> None:
        told(self, now)
        if now.done:
            raise KeyboardInterrupt

    monkeypatch.setattr(Line, "tell", stop)
    ask = ("sweep", "shop.fly", "--range", "talk", "--runs", "9000")
    said = flywheel(*ask, "--out", "my sweep", "--workers", "1")
    assert (said.code, said.out) == (130, "")
    assert "with 4,096 of 9,000 runs done" in said.err
    assert "flywheel resume 'my sweep'" in said.err
    lost = flywheel(*ask, "--json")
    assert lost.code == 130
    assert "--out FOLDER" in lost.json["error"]
    monkeypatch.setattr(Line, "tell", told)
    done = flywheel("resume", "my sweep", "--json")
    assert (done.code, done.json["receipt"]["sha256"]) == (
        0,
        flywheel(*ask, "--json").json["receipt"]["sha256"],
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_a_real_ctrl_c_leaves_a_folder_that_resumes(flywheel: Run) -> None:
    from time import monotonic, sleep

    code = "from flywheel.cli import main; main()"
    ask = [sys.executable, "-c", code, "sweep", "core_flywheel", "--runs", "4e5", "--out", "s"]
    process = subprocess.Popen(ask, stderr=subprocess.PIPE, text=True)
    end = monotonic() + 60
    while not list(Path("s/done").glob("*.json")) and monotonic() < end:
        sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "flywheel resume s" in said
    assert "Traceback" not in said
    assert Path("s", MANIFEST).is_file()
    assert list(open_sweep("s").missing)


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--range", "prise=1 to 2"], "Did you mean 'price'"),
        (["--range", "price=2 to 1"], "from 2 to 1: the first must be the smaller"),
        (["--range", "price=1-2"], "such as \"1 to 2\", not '1-2'"),
        (["--range", "price=1 to 2 to 3"], 'such as "1 to 2"'),
        (["--range", "price=1 to many"], "takes a number"),
        (["--range", "price=1,2"], "values belong to --grid"),
        (["--range", "price", "--range", "PRICE=1 to 2"], "twice"),
        (["--range", "=1 to 2"], 'takes price="1 to 2"'),
        (["--grid", "price"], "takes price=1,2,3"),
        (["--grid", "price=1 to 2"], 'a range is --range price="1 to 2"'),
        (["--grid", "price=1,two"], "takes a number"),
        (["--grid", "price=1", "--grid", "Price=2"], "twice"),
        (["--grid", "prise=1,2"], "Did you mean 'price'"),
        (["--grid", "price=1,2", "--design", "lhs"], "leave one of them out"),
        (["--grid", "price=1,2", "--runs", "9"], "as many runs as there are combinations"),
        (["--design", "sobl"], "Did you mean 'sobol'"),
        (["--design", "grid", "--runs", "100"], "at least 128 runs, more than --runs 100"),
        (["--list", "list.csv", "--runs", "9"], "leave --runs out"),
        (["--list", "no.csv"], "there is no file no.csv"),
        (["--runs", "0"], "whole number"),
        (["--runs", "1.5"], "whole number"),
        (["--runs", "many"], "takes a number"),
        (["--runs", "1e12"], "more than"),
        (["--scenario", "smal"], "Did you mean 'small'"),
        (["--workers", "0"], "--workers"),
        (["--executor", "thread"], "executor must be threads, processes or the address"),
        (["--keep", "all"], "--keep is streams or everything"),
        (["--save", "profits"], "Did you mean 'profit'"),
        (["--seed", "-1"], "seed"),
        (["--language", "fr"], "en or ko"),
        (["--out", "shop.fly"], "shop.fly"),
        (["--out", "full"], "is not empty"),
    ],
)
def test_mistakes_are_a_sentence_and_code_2(
    flywheel: Run, arguments: list[str], sentence: str
) -> None:
    Path("full").mkdir()
    Path("full/thing").write_text("x")
    said = flywheel("sweep", "shop.fly", *arguments)
    assert (said.code, said.out) == (2, ""), said
    assert sentence in said.err
    document = flywheel("sweep", "shop.fly", *arguments, "--json")
    assert (document.code, document.json["ok"]) == (2, False)
    assert sentence in document.json["error"]


def test_mistakes_about_folders(flywheel: Run) -> None:
    for command in ("resume", "inspect"):
        assert "holds no sweep" in flywheel(command, ".").err
        assert flywheel(command, "nowhere").code == 2
    ask = ("sweep", "shop.fly", "--range", "price", "--runs", "20")
    flywheel(*ask, "--out", "s")
    assert "holds the results of another sweep" in flywheel(*ask, "--seed", "1", "--out", "s").err
    Path("shop.fly").write_text(SHOP.replace("= 0.6 in", "= 0.7 in"))
    changed = flywheel(*ask, "--out", "s")
    assert changed.code == 2
    assert "another model" in changed.err
    assert "0.7" in changed.err
    assert flywheel("inspect", "s", "--out", "runs.xlsx").code == 2
    assert "no such folder" in flywheel("inspect", "s", "--out", "no/runs.csv").err


def test_more_memory_than_there_is_is_said_before_it_is_taken(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flywheel.sweep.run._available", lambda: 10**9)
    said = flywheel("sweep", "shop.fly", "--runs", "1e8", "--keep", "everything")
    assert (said.code, said.out) == (2, "")
    assert re.search(r"what stays takes about [\d.]+ GB, but only 1 GB are free", said.err)


def test_a_parameter_without_a_range_is_told_how_to_give_one(flywheel: Run) -> None:
    Path("zero.fly").write_text("model zero\ntime 0 to 1 step 1\nstock x = 0\nparam p = 0\n")
    said = flywheel("sweep", "zero.fly", "--range", "p")
    assert said.code == 2
    assert '--range p="1 to 2"' in said.err
    assert "levers" in flywheel("sweep", "zero.fly", "--levers").err


# What the document shows ------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parent.parent / "docs" / "sweeps.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_commands_in_the_document_work(flywheel: Run) -> None:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert len(lines) >= 5
    for line in lines:
        said = flywheel(*shlex.split(line)[1:])
        assert said.code == 0, f"{line}\n{said}"
    assert len(pd.read_csv("churn.csv")) == 2000


def test_the_code_in_the_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    assert len(blocks("python")) == 3
    for code in blocks("python"):
        exec(code, names)
    assert names["found"].sha256 == names["again"].sha256
    tables = {path.name for path in Path("runs").iterdir() if path.is_dir()}
    assert tables <= set(re.findall(r"^\| `(\w+)/`", DOCUMENT, re.MULTILINE))
    for package in ("xarray", "duckdb"):
        (code,) = blocks(f"python {package}")
        if importlib.util.find_spec(package):
            exec(code, names)


def test_the_document_tells_the_truth_about_defaults() -> None:
    from flywheel.cli.asked import RUNS
    from flywheel.sweep.plan import SHARD

    assert f"{RUNS:,} runs" in DOCUMENT
    assert f"shard of {SHARD:,} runs" in DOCUMENT
