"""The command line as people and scripts use it: what it prints, where, and how it exits."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

import flywheel as fw
from flywheel.cli import main
from flywheel.cli.new import names as template_names
from flywheel.cli.new import text as template_text
from flywheel.cli.run import number

GROWTH = """model growth "Growth <script>alert('x')</script>"
    "Things make things & more."

time 0 to 10 [year] step 1/16 save 1/4

unit thing

stock  things "Things" [thing] = 1 gains making
flow   making [thing/year] = things * rate

param  rate "Rate <b>" [1/year] = 0.1 in 0.05 .. 0.5 from guess "said so"

outcome final "At the end" [thing] = things at 10

scenario fast "Twice as fast": rate = 0.2

loop R1 "Growth" = things -> making -> things

check positive "More than nothing": things > 0
"""


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


Run = Callable[..., Said]


@pytest.fixture
def flywheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run one command in an empty folder that holds ``growth.fly``."""
    (tmp_path / "growth.fly").write_text(GROWTH)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        code = stop.value.code
        assert isinstance(code, int)
        return Said(code, said.out, said.err)

    return run


# Help -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "check", "fmt", "models", "rules", "new", "dashboard"])
def test_every_command_helps_with_an_example(flywheel: Run, command: str) -> None:
    said = flywheel(command, "--help")
    assert said.code == 0
    assert f"flywheel {command}" in said.out
    assert "Example: " in said.out
    if command != "dashboard":
        assert "--json" in said.out


def test_without_a_command_it_shows_what_there_is(flywheel: Run) -> None:
    said = flywheel()
    assert said.code == 0
    assert said.err == ""
    for command in ("run", "check", "fmt", "models", "rules", "new", "dashboard"):
        assert command in said.out
    assert flywheel("--version").out.strip() == fw.__version__


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rnu"], "Did you mean 'run'"),
        (["run"], "MODEL"),
        (["run", "growth.fly", "--nonsense"], "--nonsense"),
        (["run", "growth.fly", "--seed", "x"], "--seed"),
        (["run", "growth.fly", "--set"], "--set"),
        (["run", "growth.fly", "--set", "rate"], "NAME=NUMBER"),
        (["run", "growth.fly", "--set", "=1"], "NAME=NUMBER"),
        (["run", "growth.fly", "--set", "rate=fast"], "such as 0.1, 1/16 or 5%"),
        (["run", "growth.fly", "--set", "rate=1/0"], "such as 0.1, 1/16 or 5%"),
        (["run", "growth.fly", "--set", "rate=1e999"], "finite"),
        (["run", "growth.fly", "--set", "rate=1", "--set", "RATE=2"], "twice"),
        (["run", "growth.fly", "--set", "rat=1"], "Did you mean 'rate'"),
        (["run", "growth.fly", "--scenario", "fats"], "Did you mean 'fast'"),
        (["run", "growth.fly", "--method", "rk5"], "rk45"),
        (["run", "growth.fly", "--step", "0"], "step"),
        (["run", "growth.fly", "--step", "tiny"], "--step takes a number"),
        (["run", "growth.fly", "--out", "run.xlsx"], ".csv, .parquet or .html"),
        (["run", "growth.fly", "--out", "no/such/run.csv"], "no such folder"),
        (["run", "growht.fly"], "Did you mean growth.fly"),
        (["run", "growth"], "There is a file growth.fly here"),
        (["run", "core_flywheal"], "Did you mean 'core_flywheel'"),
        (["check", "nothing_here"], "no model called"),
        (["fmt", "nothing.fly"], "nothing.fly"),
        (["fmt", "."], "folder"),
        (["fmt", "-", "growth.fly"], "stdin"),
        (["new", "two words"], "Try two_words"),
        (["new", "growth"], "--force"),
        (["new", "x", "--template", "blnak"], "Did you mean 'blank'"),
        (["new", "no/such/x"], "no such folder"),
        (["dashboard", "--port", "99999"], "--port"),
        (["dashboard", "growht.fly"], "Did you mean growth.fly"),
    ],
)
def test_mistakes_are_a_sentence_on_stderr_and_code_2(
    flywheel: Run, arguments: list[str], sentence: str
) -> None:
    said = flywheel(*arguments)
    assert said.code == 2, said
    assert said.out == ""
    assert sentence in said.err
    assert len(said.err.splitlines()) <= 3


# run --------------------------------------------------------------------------------------------


def test_run_prints_outcomes_and_how_exact_they_are(flywheel: Run) -> None:
    said = flywheel("run", "growth.fly")
    assert (said.code, said.err) == (0, "")
    assert re.search(r"At the end +2\.72 things", said.out)
    assert "half the step changes values by" in said.out
    assert "baseline" not in said.out


def test_run_compares_with_the_baseline_when_something_changed(flywheel: Run) -> None:
    said = flywheel("run", "growth.fly", "--set", "rate=20%")
    assert re.search(r"At the end +7\.39 things +2\.72 things +\+172 %", said.out)
    assert flywheel("run", "growth.fly", "--scenario", "fast").out == said.out
    both = flywheel("run", "growth.fly", "--scenario", "fast", "--set", "rate=0.1")
    assert "±0 %" in both.out


def test_run_without_outcomes_prints_the_stocks(flywheel: Run) -> None:
    text = "\n".join(line for line in GROWTH.splitlines() if not line.startswith("outcome"))
    Path("bare.fly").write_text(text)
    assert re.search(r"Things +2\.72 things", flywheel("run", "bare.fly").out)


def test_run_speaks_korean(flywheel: Run) -> None:
    said = flywheel(
        "run", "core_flywheel", "--set", "churn0=0.1", "--language", "ko", "--out", "k.html"
    )
    assert said.code == 0
    for word in ("결과", "기준", "2025년 고객 수", "억", "간격을 절반으로"):
        assert word in said.out
    page = Path("k.html").read_text()
    assert '<html lang="ko">' in page
    assert "베이조스 플라이휠" in page
    assert "예측이 아닙니다" in page
    assert flywheel("run", "growth.fly", "--language", "fr").code == 2


def test_run_as_json(flywheel: Run) -> None:
    said = flywheel("run", "growth.fly", "--set", "rate=0.2", "--seed", "3", "--json")
    assert said.code == 0
    assert said.err == ""
    document = said.json
    assert document["ok"] is True
    outcome = document["outcomes"]["final"]  # type: ignore[index]
    assert outcome["value"] == pytest.approx(7.38905, rel=1e-5)
    assert outcome["baseline"] == pytest.approx(2.71828, rel=1e-5)
    assert outcome["unit"] == "thing"
    receipt = document["receipt"]
    assert receipt["seed"] == 3  # type: ignore[index]
    assert receipt["model_hash"] == fw.load("growth.fly").hash  # type: ignore[index]


def test_mistakes_as_json(flywheel: Run) -> None:
    said = flywheel("run", "growth.fly", "--set", "rat=1", "--json")
    assert said.code == 2
    assert said.err == ""
    assert "Did you mean 'rate'" in str(said.json["error"])
    Path("bad.fly").write_text(GROWTH.replace("things * rate", "thigns * rate"))
    said = flywheel("run", "bad.fly", "--json")
    assert said.code == 1
    (finding,) = said.json["findings"]  # type: ignore[misc]
    assert (finding["line"], finding["file"]) == (9, "bad.fly")


def test_run_takes_times_and_methods(flywheel: Run) -> None:
    arguments = ["--method", "LSODA", "--stop", "5", "--save", "1/2", "--out", "run.csv"]
    assert flywheel("run", "growth.fly", *arguments).code == 0
    rows = list(csv.reader(io.StringIO(Path("run.csv").read_text())))
    assert rows[0] == ["time", "things", "making"]
    assert [float(row[0]) for row in rows[1:]] == [i / 2 for i in range(11)]
    assert float(rows[-1][1]) == pytest.approx(1.6487212707, rel=1e-6)


def test_csv_reads_back_exactly(flywheel: Run) -> None:
    flywheel("run", "growth.fly", "--out", "run.csv")
    run = fw.load("growth.fly").run()
    rows = [
        [*map(float, row)] for row in list(csv.reader(io.StringIO(Path("run.csv").read_text())))[1:]
    ]
    assert [row[1:] for row in rows] == run.values.tolist()


def test_parquet_carries_units_and_the_receipt(flywheel: Run) -> None:
    from pyarrow import parquet

    assert flywheel("run", "growth.fly", "--set", "rate=0.2", "--out", "run.parquet").code == 0
    table = parquet.read_table("run.parquet")
    assert table.column_names == ["time", "things", "making"]
    assert table.schema.field("making").metadata[b"unit"] == b"thing/year"
    receipt = json.loads(table.schema.metadata[b"flywheel"])
    assert receipt["overrides"] == {"rate": 0.2}
    assert table["things"].to_pylist() == fw.load("growth.fly").run(rate=0.2)["things"].tolist()


class Page(HTMLParser):
    """The parts of a page that matter for safety: its elements and what they would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_is_one_page_that_fetches_nothing(flywheel: Run) -> None:
    said = flywheel("run", "growth.fly", "--set", "rate=0.2", "--out", "run.html")
    assert said.code == 0
    source = Path("run.html").read_text()
    page = Page()
    page.feed(source)
    assert page.fetched == []
    assert "default-src 'none'" in page.policy
    assert "connect-src" not in page.policy
    assert "b" not in page.tags
    text = "".join(page.text)
    assert "Growth <script>alert('x')</script>" in text
    assert "Rate <b> = 0.2 1/year (Baseline 0.1)" in text
    assert fw.load("growth.fly").hash in text
    assert "It is no forecast" in text
    assert "half the step changes" in text
    assert "<script>alert" not in source


def test_a_failed_run_says_where_and_exits_with_1(flywheel: Run) -> None:
    Path("fail.fly").write_text(
        "model fail\ntime 0 to 10 [year] step 1\nstock a = 1 gains b\nflow b = a / (5 - time)\n"
    )
    said = flywheel("run", "fail.fly", "--out", "fail.html")
    assert said.code == 1
    assert "fail.fly:4:" in said.err
    assert "divides by zero" in said.err
    assert "^^^" in said.err
    assert "divides by zero" in Path("fail.html").read_text()
    document = flywheel("run", "fail.fly", "--json")
    assert document.code == 1
    assert document.json["ok"] is False


def test_warnings_go_to_stderr(flywheel: Run) -> None:
    said = flywheel("run", "growth.fly", "--set", "things=-1")
    assert said.code == 0
    Path("late.fly").write_text(GROWTH + "aux late [thing] = smooth(things, 0.01 * tau)\n"
                                "param tau [year] = 1 in 0 .. 2 from guess\n")  # fmt: skip
    said = flywheel("run", "late.fly")
    assert said.code == 0
    assert "late.fly:" in said.err
    assert "warning" in said.err
    assert "warning" not in said.out


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", 0.1), ("1/16", 1 / 16), ("5%", 0.05), ("-3", -3.0), (" 1e6 ", 1e6), (".5", 0.5)],
)
def test_numbers_as_the_language_writes_them(text: str, value: float) -> None:
    assert number(text, "--x") == value


@pytest.mark.parametrize(
    "text", ["", "x", "1,5", "1//2", "nan", "inf", "0x10", "1_000", "1 2", "9" * 500]
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(fw.UsageError, match="such as"):
        number(text, "--x")


# Files ------------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole_and_keeps_its_mode(flywheel: Run) -> None:
    old = Path("run.csv")
    old.write_text("old")
    old.chmod(0o640)
    assert flywheel("run", "growth.fly", "--out", "run.csv").code == 0
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert old.read_text().startswith("time,")
    assert sorted(path.name for path in Path().iterdir()) == ["growth.fly", "run.csv"]


def test_a_failing_write_leaves_the_old_file(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("run.csv").write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = flywheel("run", "growth.fly", "--out", "run.csv")
    assert said.code == 2
    assert "No space left" in said.err
    assert Path("run.csv").read_text() == "old"
    assert len(list(Path().iterdir())) == 2


def test_nothing_is_written_when_nothing_is_asked_for(flywheel: Run) -> None:
    for arguments in (
        ["run", "growth.fly"],
        ["check", "growth.fly"],
        ["models"],
        ["fmt", "growth.fly"],
    ):
        flywheel(*arguments)
    assert [path.name for path in Path().iterdir()] == ["growth.fly"]


# check ------------------------------------------------------------------------------------------


def test_check_of_a_sound_model(flywheel: Run) -> None:
    said = flywheel("check", "--strict", "growth.fly")
    assert (said.code, said.err) == (0, "")
    assert said.out == "growth: 1 of 1 checks hold\n"


def test_each_mistake_is_said_once(flywheel: Run) -> None:
    idle = 'param idle "Idle" [1] = 1 in 0 .. 2 from guess\n'
    Path("idle.fly").write_text(GROWTH.replace("outcome final", f"{idle}\noutcome final"))
    said = flywheel("check", "--strict", "idle.fly")
    assert said.code == 1
    assert (said.out + said.err).count("nothing reads parameter 'idle'") == 1


def test_one_broken_file_does_not_hide_the_others(flywheel: Run) -> None:
    Path("inner").mkdir()
    Path("inner/bad.fly").write_text(GROWTH.replace("things * rate", "thigns * rate"))
    Path("inner/claim.fly").write_text(GROWTH.replace("things > 0", "things > 2"))
    said = flywheel("check", ".")
    assert said.code == 1
    assert [line.partition(":")[0] for line in said.out.splitlines()] == [
        "growth", "inner/bad.fly", "growth",
    ]  # fmt: skip
    assert "did you mean things" in said.err
    assert "inner/claim.fly:19:" in said.err
    document = flywheel("check", ".", "--json").json
    assert document["ok"] is False
    assert [model["ok"] for model in document["models"]] == [True, False, False]  # type: ignore[attr-defined]
    empty = Path("empty")
    empty.mkdir()
    assert "holds no .fly file" in flywheel("check", "empty").err


def test_strict_finds_what_tolerant_lets_pass(flywheel: Run) -> None:
    Path("loose.fly").write_text(GROWTH.replace('things "Things" [thing]', 'things "Things"'))
    assert flywheel("check", "loose.fly").code == 0
    said = flywheel("check", "--strict", "loose.fly")
    assert said.code == 1
    assert "loose.fly:8:" in said.err


def test_shipped_models_are_strict_clean(flywheel: Run) -> None:
    said = flywheel("check", "--strict", *fw.model_names())
    assert said.code == 0, said.err


# fmt --------------------------------------------------------------------------------------------


def test_fmt_changes_only_what_must_change(flywheel: Run) -> None:
    assert flywheel("fmt", "--check", "growth.fly") == Said(0, "", "")
    before = Path("growth.fly").stat().st_mtime_ns
    assert flywheel("fmt", "growth.fly") == Said(0, "", "")
    assert Path("growth.fly").stat().st_mtime_ns == before
    Path("untidy.fly").write_text(GROWTH.replace("things * rate", "things*rate   # why"))
    said = flywheel("fmt", "--check", "untidy.fly", "growth.fly")
    assert said == Said(1, "untidy.fly\n", "")
    assert flywheel("fmt", "untidy.fly", "--json").json == {"ok": True, "changed": ["untidy.fly"]}
    assert "things * rate" in Path("untidy.fly").read_text()
    assert "# why" in Path("untidy.fly").read_text()
    assert flywheel("fmt", "--check", "untidy.fly").code == 0


def test_fmt_of_a_broken_file_changes_none(flywheel: Run) -> None:
    Path("a.fly").write_text(GROWTH.replace("things * rate", "things*rate"))
    Path("b.fly").write_text(GROWTH.replace("things * rate", "things * * rate"))
    said = flywheel("fmt", "a.fly", "b.fly")
    assert said.code == 1
    assert said.err.startswith("b.fly:9:")
    assert "things*rate" in Path("a.fly").read_text()


def test_fmt_reads_stdin(flywheel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(GROWTH.replace("things * rate", "things*rate").encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert flywheel("fmt", "-").out == GROWTH


def test_fmt_refuses_what_is_no_text(flywheel: Run) -> None:
    Path("latin.fly").write_bytes("model caf\xe9\n".encode("latin-1"))
    said = flywheel("fmt", "latin.fly")
    assert said.code == 2
    assert "latin.fly" in said.err
    assert "UTF-8" in said.err


def test_numbers_from_a_text_with_mistakes_are_doubted(flywheel: Run) -> None:
    text = GROWTH.replace("param  rate", "param  wait [month] = 3\nparam  rate").replace(
        "things * rate", "things / wait"
    )
    Path("doubtful.fly").write_text(text, encoding="utf-8")
    said = flywheel("run", "doubtful.fly")
    assert said.code == 0
    assert "do not trust these numbers, the model has 1 mistake" in said.err
    assert "12 [month/year]" in said.err
    assert flywheel("run", "growth.fly").err == ""


# models and new ---------------------------------------------------------------------------------


def test_models_are_listed_with_a_line_each(flywheel: Run) -> None:
    said = flywheel("models")
    assert said.code == 0
    head, *lines = said.out.splitlines()
    assert head.split()[:5] == ["model", "logic", "equations", "evidence", "data"]
    assert [line.split()[0] for line in lines] == list(fw.model_names())
    assert all(len(line.split()) > 7 for line in lines)
    assert all(re.search(r" +\d+%  +100%  +\d+%  +(\d+%|-)  +\S", line) for line in lines)
    document = json.loads(flywheel("models", "--json").out)
    assert [model["name"] for model in document] == list(fw.model_names())
    assert all(model["stages"]["shares"]["equations"] == 1 for model in document)


@pytest.mark.parametrize("template", template_names())
def test_a_new_model_is_sound_tidy_and_runs(flywheel: Run, template: str) -> None:
    said = flywheel("new", "my_model", "--template", template)
    assert (said.code, said.out, said.err) == (0, "my_model.fly\n", "")
    checked = flywheel("check", "--strict", "my_model.fly")
    assert (checked.code, checked.err) == (0, "")  # no warnings either
    assert flywheel("fmt", "--check", "my_model.fly").code == 0
    assert flywheel("run", "my_model.fly").code == 0
    model = fw.load("my_model.fly")
    assert model.name == "my_model"
    assert model.outcomes
    assert model.declared_loops
    assert model.checks
    assert "NAME" not in Path("my_model.fly").read_text()


@pytest.mark.parametrize("template", template_names())
def test_a_template_runs_in_less_than_a_millisecond(template: str) -> None:
    model = fw.parse(template_text(template, "my_model", "my_model.fly"))
    model.run()
    assert min(timeit.repeat(model.run, number=1, repeat=20)) < 1e-3


@pytest.mark.parametrize("template", [name for name in template_names() if name != "blank"])
def test_a_template_names_what_turns_and_what_brakes(template: str) -> None:
    loops = fw.parse(template_text(template, "my_model", "my_model.fly")).declared_loops
    assert any(name.startswith("R") for name in loops)
    assert any(name.startswith("B") for name in loops)


def test_every_template_is_told_of(flywheel: Run) -> None:
    told = " ".join(flywheel("new", "--help").out.split())
    page = (Path(__file__).parent.parent / "docs" / "cli.md").read_text()
    for template in template_names():
        assert template in told
        assert f"| `{template}`" in page


def test_new_replaces_only_when_told(flywheel: Run) -> None:
    assert flywheel("new", "growth.fly", "--force", "--json").json["ok"] is True
    assert fw.load("growth.fly").name == "growth"
    assert "word of mouth" in Path("growth.fly").read_text().lower()


# dashboard --------------------------------------------------------------------------------------


def test_dashboard_hands_over_models_and_address(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import import_module

    asked: dict[str, object] = {}
    app = import_module("flywheel.dashboard.app")
    monkeypatch.setattr(app, "serve", lambda **given: asked.update(given))
    assert flywheel("dashboard", "growth.fly", "--port", "0", "--no-browser").code == 0
    assert asked == {
        "models": [fw.load("growth.fly")], "host": "127.0.0.1", "port": 0, "open_browser": False,
    }  # fmt: skip
    flywheel("dashboard")
    assert asked["models"] is None
    assert asked["open_browser"] is True


def test_dashboard_without_its_packages_says_what_to_install(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flywheel.cli import dashboard

    monkeypatch.setattr(dashboard, "find_spec", lambda name: None)
    said = flywheel("dashboard")
    assert said.code == 2
    assert "pip install 'flywheel-sd[dashboard]'" in said.err


def test_parquet_without_its_package_says_what_to_install(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = flywheel("run", "growth.fly", "--out", "run.parquet")
    assert said.code == 2
    assert "pip install 'flywheel-sd[parquet]'" in said.err
    assert not Path("run.parquet").exists()


# As a process -----------------------------------------------------------------------------------


def process(*arguments: str, **given: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flywheel", *arguments],
        capture_output=True, text=True, timeout=60, check=False, **given,  # type: ignore[call-overload]
    )  # fmt: skip


def test_help_starts_at_once_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom flywheel.cli import main\n"
        "try:\n    main(['run', '--help'])\n"
        "finally:\n    print(*sorted({n.partition('.')[0] for n in sys.modules}), file=sys.stderr)\n"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert time.perf_counter() - started < 5
    assert done.returncode == 0
    heavy = {"numpy", "scipy", "pandas", "plotly", "dash", "llvmlite", "lark", "pint"}
    assert not heavy & set(done.stderr.split())


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m flywheel models --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    (tmp_path / "growth.fly").write_text(GROWTH)
    (tmp_path / "bad.fly").write_text(GROWTH.replace("things * rate", "thigns * rate"))
    assert process("run", "growth.fly", cwd=tmp_path).returncode == 0
    assert process("run", "bad.fly", cwd=tmp_path).returncode == 1
    done = process("run", "nothing.fly", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_text_survives_any_terminal(tmp_path: Path) -> None:
    """A Korean label on a terminal that only knows ASCII: shown as well as can be, no crash."""
    (tmp_path / "ko.fly").write_text(
        GROWTH.replace('"At the end"', '"마지막 값"'), encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("run", "ko.fly", "--set", "rate=0.2", cwd=tmp_path, env=environment)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
