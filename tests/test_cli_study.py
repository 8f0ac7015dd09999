"""``flywheel leverage | loops | sensitivity | dip | allocate`` as people and scripts use them."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import flywheel as fw
from flywheel.cli import main
from tests.corner_shop import FAILING, SHOP


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        def never(text: str) -> None:
            raise AssertionError(f"{text} is no JSON")

        document = json.loads(self.out, parse_constant=never)
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
    lines = re.sub(r"(?m)^lever .*\n    ko .*\n", "", SHOP)
    (tmp_path / "leverless.fly").write_text(lines)
    (tmp_path / "bare.fly").write_text(re.sub(r"(?m)^outcome .*\n    ko .*\n", "", lines))
    (tmp_path / "free.fly").write_text(re.sub(r" cost \d+", "", SHOP))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert "Warning" not in said.err
        assert isinstance(stop.value.code, int)
        return Said(stop.value.code, said.out, said.err)

    return run


COMMANDS: dict[str, list[str]] = {
    "leverage": ["leverage", "shop.fly", "--horizon", "3", "--horizon", "10"],
    "dials": ["leverage", "shop.fly", "--show", "dials", "--show", "ladder"],
    "together": [
        "leverage",
        "shop.fly",
        "--show",
        "synergy",
        "--show",
        "flips",
        "--show",
        "robust",
    ],
    "loops": ["loops", "shop.fly"],
    "ledger": ["loops", "shop.fly", "--outcome", "earned"],
    "sensitivity": ["sensitivity", "shop.fly", "--param", "talk", "--param", "price"],
    "dip": ["dip", "shop.fly", "roomier"],
    "allocate": ["allocate", "shop.fly", "--budget", "20"],
}
PARTS = {
    "leverage": ["ranking", "levers"],
    "dials": ["dials", "ladder"],
    "together": ["synergy", "flips", "robust"],
    "loops": ["loops"],
    "ledger": ["vitals", "ledger"],
    "sensitivity": ["sensitivity"],
    "dip": ["dip"],
    "allocate": ["allocation"],
}


# Every command, every form ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["leverage", "loops", "sensitivity", "dip", "allocate"])
def test_every_command_helps_with_an_example(flywheel: Run, command: str) -> None:
    said = flywheel(command, "--help")
    assert said.code == 0
    assert f"Example: flywheel {command}" in said.out
    for option in ("--outcome", "--horizon", "--since", "--out", "--json", "--language"):
        assert option in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_english_on_stdout_and_the_receipt_on_stderr(flywheel: Run, command: str) -> None:
    said = flywheel(*COMMANDS[command])
    assert said.code == 0
    assert not re.search("[가-힣]", said.out + said.err)
    assert not re.search(r"\bnan\b|\binf\b|\d+e-1\d", said.out)
    receipts = [line for line in said.err.splitlines() if " of shop after " in line]
    assert len(receipts) == len(PARTS[command])
    assert all("rk4" in line and "step 0.125" in line for line in receipts)
    assert "years" in said.out or command == "loops"
    assert sorted(path.suffix for path in Path().iterdir()) == [".fly"] * 5, "nothing is written"


@pytest.mark.parametrize("command", COMMANDS)
def test_korean_without_leftovers(flywheel: Run, command: str) -> None:
    said = flywheel(*COMMANDS[command], "--language", "ko")
    assert said.code == 0
    # Names in paths, symbols, methods and units stay as they are.
    known = {
        "shop", "earned", "guests", "joining", "leaving", "load", "service", "profit", "euro", "person",
        "MLI", "Shapley", "roomier", "table", "FILE", "csv", "out", "year",
    }  # fmt: skip
    left = set(re.findall(r"[A-Za-z]{3,}", said.out + said.err)) - known
    assert not left
    assert "니다." in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_one_complete_document(flywheel: Run, command: str) -> None:
    said = flywheel(*COMMANDS[command], "--json")
    assert (said.code, said.err) == (0, "")
    document = said.json
    assert document.pop("ok") is True
    assert list(document) == PARTS[command]
    for part in document.values():
        assert set(part["explanation"]) == {"en", "ko"}
        assert part["receipt"]["model"] == "shop"
        assert part["receipt"]["method"].startswith("rk4")
        assert all(set(row) == set(part["rows"][0]) for row in part["rows"])
        assert "index" not in (part["rows"] or [{}])[0]
        assert "True" not in json.dumps(part)


def test_json_has_the_numbers_of_the_api(flywheel: Run) -> None:
    study = fw.parse(SHOP).study("earned", [3.0, 10.0])
    document = flywheel(*COMMANDS["leverage"], "--json").json
    frame = study.leverage().frame
    rows = document["ranking"]["rows"]
    assert [row["element"] for row in rows] == frame["element"].tolist()
    assert [row["attainable"] for row in rows] == pytest.approx(frame["attainable"].tolist())
    assert {row["horizon"] for row in rows} == {3.0, 10.0}
    assert document["ranking"]["receipt"]["horizons"] == [3.0, 10.0]
    levers = study.misunderstood().frame
    assert [row["lever"] for row in document["levers"]["rows"]] == levers.index.tolist()
    dip = flywheel("dip", "shop.fly", "roomier", "--json").json["dip"]
    measures = {row["measure"]: row["roomier"] for row in dip["rows"]}
    assert measures["shape"] == "worse before better"
    assert len(dip["course"]) == 33, "from the pull in year 2 to year 10 in quarters"
    loops = flywheel("loops", "shop.fly", "--json").json["loops"]
    assert {row["loop"]: row["path"] for row in loops["rows"]}["R1"] == "guests -> joining"
    assert len(loops["shares"]) == 41


@pytest.mark.parametrize("command", COMMANDS)
def test_csv_files_read_back(flywheel: Run, command: str) -> None:
    said = flywheel(*COMMANDS[command], "--out", "found.csv")
    assert said.code == 0
    parts = PARTS[command]
    names = ["found.csv"] if len(parts) == 1 else [f"found-{part}.csv" for part in parts]
    for name in names:
        rows = list(csv.reader(io.StringIO(Path(name).read_text())))
        assert len({len(row) for row in rows}) == 1, "a table, and nothing else"
        assert all(rows[0]), "every column has a head"
    written = sorted(path.name for path in Path().glob("*.csv"))
    assert set(names) <= set(written)
    for name in set(written) - {"found.csv"}:
        assert f"wrote {name}" in said.err


class Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.policy = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("command", COMMANDS)
def test_html_is_one_safe_page_with_everything(flywheel: Run, command: str) -> None:
    said = flywheel(*COMMANDS[command], "--out", "found.html", "--out", "found.json")
    assert said.code == 0
    source = Path("found.html").read_text()
    page = Page(source)
    assert page.fetched == []
    assert "default-src 'none'" in page.policy
    assert page.tags.count("section") == len(PARTS[command])
    assert "<script>alert" not in source
    assert page.tags.count("i") == 0
    assert '"model_hash"' in page.text
    document = json.loads(Path("found.json").read_text())
    for part in PARTS[command]:
        assert document[part]["explanation"]["en"] in page.text


def test_an_html_page_in_korean(flywheel: Run) -> None:
    flywheel(*COMMANDS["ledger"], "--out", "found.html", "--language", "ko")
    source = Path("found.html").read_text()
    assert '<html lang="ko">' in source
    assert "예측이 아닙니다" in source
    assert source.count("Plotly.newPlot") >= 1


# Room -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_terminal_is_never_too_narrow(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch, command: str, width: int, language: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    said = flywheel(*COMMANDS[command], "--language", language)
    assert said.code == 0
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.out.splitlines()]
    assert max(cell_len(line.rstrip()) for line in lines) <= width
    assert not [line for line in lines if "…" in line.replace("→ … →", "")], "nothing is cut off"
    numbers = re.findall(r"[+-]?[\d,]*\d(?:\.\d+)?%?", " ".join(lines))
    piped = flywheel_pipe(flywheel, monkeypatch, command, language)
    assert set(numbers) <= set(re.findall(r"[+-]?[\d,]*\d(?:\.\d+)?%?", piped)), (
        "no number is broken"
    )


def flywheel_pipe(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch, command: str, language: str
) -> str:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    return flywheel(*COMMANDS[command], "--language", language).out


def test_what_was_left_out_for_want_of_room_is_said(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    said = flywheel("leverage", "shop.fly", "--show", "levers")
    assert "left out for want of width: rank early → late" in said.err


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["leverage", "shop.fly", "--outcome", "ernd"], "Did you mean 'earned'"),
        (["leverage", "shop.fly", "--horizon", "20"], "after the run, which ends at 10"),
        (["leverage", "shop.fly", "--horizon", "soon"], "--horizon takes a number"),
        (["leverage", "shop.fly", "--horizon", "0"], "greater than 0"),
        (["leverage", "shop.fly", "--horizon", "-1"], "greater than 0"),
        (["leverage", "shop.fly", "--since", "0.1"], "the nearest is 0 (saved every 0.25)"),
        (["leverage", "shop.fly", "--since", "10"], "from 0 to before 10"),
        (["leverage", "shop.fly", "--since", "now"], "--since takes a number"),
        (["leverage", "shop.fly", "--show", "rankng"], "Did you mean 'ranking'"),
        (
            ["leverage", "shop.fly", "--show", "levers", "--outcome", "full"],
            "no variable over time",
        ),
        (["leverage", "shop.fly", "--outcome", "full", "--horizon", "0.5"], "try another horizon"),
        (["leverage", "bare.fly"], "--outcome, such as guests"),
        (["leverage", "leverless.fly", "--show", "synergy"], "lever more = talk by 10% cost 1"),
        (["leverage", "shop.fly", "--show", "data"], "such as  observe sales by"),
        (["leverage", "shop.fly", "--set", "tlk=1"], "Did you mean 'talk'"),
        (["leverage", "shop.fly", "--set", "talk=much"], "such as 0.1, 1/16 or 5%"),
        (["leverage", "shop.fly", "--scenario", "smal"], "Did you mean 'small'"),
        (["leverage", "shop.fly", "--method", "lsoda"], "rk4 or euler"),
        (["leverage", "shop.fly", "--step", "0"], "step"),
        (["leverage", "shop.fly", "--language", "fr"], "en or ko"),
        (["leverage", "shop.fly", "--out", "found.xlsx"], ".csv, .json or .html"),
        (["leverage", "shop.fly", "--out", "no/such.csv"], "no such folder"),
        (["leverage", "shop.fly", "--out", "."], "is a folder"),
        (["leverage", "shpo.fly"], "Did you mean shop.fly"),
        (["loops", "shop.fly", "--horizon", "3"], "give --outcome too"),
        (["loops", "shop.fly", "--outcome", "earned", "--at", "99"], "from 0 to 10"),
        (["loops", "shop.fly", "--outcome", "earned", "--at", "noon"], "--at takes a number"),
        (["loops", "shop.fly", "--method", "rk5"], "Did you mean 'rk45'"),
        (["sensitivity", "shop.fly", "--param", "tlk"], "Did you mean 'talk'"),
        (["sensitivity", "shop.fly", "--how", "sobl"], "Did you mean 'sobol'"),
        (["sensitivity", "shop.fly", "--runs", "1"], "too few"),
        (["sensitivity", "shop.fly", "--runs", "0"], "--runs"),
        (["sensitivity", "bare.fly"], "--outcome"),
        (["dip", "shop.fly"], "LEVER"),
        (["dip", "shop.fly", "roomer"], "Did you mean 'roomier'"),
        (["dip", "shop.fly", "talk"], "such as talk=0.6"),
        (["dip", "shop.fly", "TALK"], "such as talk=0.6"),
        (["dip", "shop.fly", "tlk=1"], "Did you mean 'talk'"),
        (["dip", "shop.fly", "talk="], "LEVER talk= takes a number"),
        (["dip", "shop.fly", "talk=nan"], "LEVER talk= takes a number"),
        (["dip", "shop.fly", "talk=1e999"], "finite"),
        (["dip", "shop.fly", "guests=1"], "no parameter called 'guests'"),
        (["dip", "shop.fly", "=1"], "PARAMETER=NUMBER"),
        (["dip", "shop.fly", "roomier", "--until", "40"], "which ends at 10"),
        (["dip", "shop.fly", "roomier", "--until", "1"], "fewer than two saved times"),
        (["dip", "shop.fly", "roomier", "--outcome", "full"], "watch one that it depends on"),
        (["dip", "leverless.fly", "louder"], "It has none"),
        (["allocate", "shop.fly", "--budget", "-1"], "at least 0"),
        (["allocate", "shop.fly", "--budget", "all"], "--budget takes a number"),
        (["allocate", "shop.fly", "--periods", "0"], "--periods"),
        (["allocate", "shop.fly", "--periods", "999"], "shorter than a save"),
        (["allocate", "shop.fly", "--cost", "cubic"], "'linear' or 'quadratic'"),
        (["allocate", "shop.fly", "--lever", "roomer"], "Did you mean 'roomier'"),
        (["allocate", "leverless.fly"], "declares none"),
        (["allocate", "free.fly"], "has a cost"),
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
    document = flywheel(*arguments, "--json")
    assert document.code == 2
    assert document.json["ok"] is False
    assert sentence in str(document.json["error"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["leverage", "fail.fly"],
        ["leverage", "fail.fly", "--show", "ladder"],
        ["leverage", "fail.fly", "--show", "dials"],
        ["loops", "fail.fly", "--outcome", "z"],
        ["dip", "fail.fly", "l"],
        ["allocate", "fail.fly"],
    ],
)
def test_a_failed_baseline_says_where_and_exits_with_1(flywheel: Run, arguments: list[str]) -> None:
    said = flywheel(*arguments)
    assert (said.code, said.out) == (1, "")
    assert "fail.fly:4:" in said.err
    assert "divides by zero" in said.err
    assert "^^^" in said.err
    document = flywheel(*arguments, "--json")
    assert document.code == 1
    (finding,) = document.json["findings"]
    assert (finding["code"], finding["line"]) == ("run-failed", 4)


def test_what_draws_its_own_numbers_does_without_a_baseline(flywheel: Run) -> None:
    assert flywheel("sensitivity", "fail.fly").code == 0
    assert "fail" in flywheel("loops", "fail.fly").out
    assert flywheel("leverage", "fail.fly", "--outcome", "early", "--show", "ranking").code == 0


# Details ----------------------------------------------------------------------------------------


def test_without_levers_the_ranking_stands_alone(flywheel: Run) -> None:
    document = flywheel("leverage", "leverless.fly", "--json").json
    assert list(document) == ["ok", "ranking"]
    said = flywheel("leverage", "shop.fly", "--outcome", "full")
    assert said.code == 0
    assert "Year in which it is full" in said.out
    assert "no table of levers: full is no variable over time" in said.err


def test_horizons_are_sorted_and_counted_once(flywheel: Run) -> None:
    many = flywheel("leverage", "shop.fly", "--horizon", "10", "--horizon", "3", "--horizon", "10")
    once = flywheel("leverage", "shop.fly", "--horizon", "3", "--horizon", "10")
    assert many == once
    assert once.out.index("3 years") < once.out.index("10 years  elasticity")


def test_the_baseline_can_be_another_one(flywheel: Run) -> None:
    def first(*arguments: str) -> dict[str, Any]:
        document = flywheel("dip", "shop.fly", "roomier", *arguments, "--json").json["dip"]
        return {row["measure"]: row["roomier"] for row in document["rows"]}

    base = first()
    assert first("--set", "town=500")["npv"] == pytest.approx(first("--scenario", "small")["npv"])
    assert first("--set", "town=500")["npv"] != base["npv"]
    assert first("--method", "euler")["npv"] != base["npv"]
    assert first("--step", "1/4")["npv"] != base["npv"]
    assert first("--until", "6")["ends_at"] == 6.0
    assert first("--set", "talk=60%") == base


def test_a_dip_of_a_parameter_takes_numbers_as_models_write_them(flywheel: Run) -> None:
    ways = [flywheel("dip", "shop.fly", f"talk={text}").out for text in ("0.63", "63%", "63/100")]
    assert len(set(ways)) == 1
    assert "Talk <script>alert(1)</script> = 0.63" in ways[0]


def test_loops_of_an_outcome_say_why_measures_disagree_below_the_table(flywheel: Run) -> None:
    said = flywheel("loops", "margin_opportunity", "--outcome", "value")
    assert said.code == 0
    lines = said.out.splitlines()
    table = next(n for n, line in enumerate(lines) if line.startswith("loop ") and "R/B" in line)
    assert max(map(len, lines[table : table + 10])) < 120, "sentences are not in cells"
    assert any(re.match(r"[RBU]\d+.*: .* \(share ", line) for line in lines[table + 10 :])


def test_a_file_that_cannot_be_written_is_said_before_anything_is_computed(
    flywheel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr("flywheel.studies.Study.leverage", never)
    assert flywheel("leverage", "shop.fly", "--out", "no/such.html").code == 2
    assert flywheel("leverage", "shop.fly", "--out", "such.pdf").code == 2
