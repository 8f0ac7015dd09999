"""The leverage reports are what their script makes of the models as they are; their commands agree."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import flywheel as fw
from flywheel.cli import main
from tools.leverage_reports import QUESTIONS, REPORTS, most_misjudged, order, question_for, report

STALE = "run python tools/leverage_reports.py, and read docs/leverage/README.md again"
QUICK = ("chips", "creators")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
JUDGED = (REPORTS / "README.md").read_text(encoding="utf-8")
GUIDE = (REPORTS.parent / "leverage.md").read_text(encoding="utf-8")


def stored(name: str) -> str:
    return (REPORTS / f"{name}.md").read_text(encoding="utf-8")


def compare(kept: str, made: str) -> None:
    """Words to the letter; numbers, cut to three digits, may be rounded the other way elsewhere."""
    assert NUMBER.sub("#", kept) == NUMBER.sub("#", made), STALE
    for one, other in zip(NUMBER.findall(kept), NUMBER.findall(made), strict=True):
        if one != other:
            assert abs(float(one) - float(other)) <= 0.011 * abs(float(one)), (
                f"{STALE}: {one} {other}"
            )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
        for name in fw.model_names()
    ],
)
def test_each_report_is_up_to_date(name: str) -> None:
    compare(stored(name), report(name))


def test_a_changed_number_or_word_is_noticed() -> None:
    text = stored("chips")
    for old, new in (("-1.38", "-1.48"), ("seduces", "pleases")):
        assert old in text
        with pytest.raises(AssertionError, match="README"):
            compare(text, text.replace(old, new, 1))


def test_every_model_has_a_report_and_a_judgement() -> None:
    written = {path.stem for path in REPORTS.glob("*.md")} - {"README"}
    assert written == set(fw.model_names())
    judged = re.findall(r"\(\[report\]\((\w+)\.md\)\)", JUDGED)
    assert sorted(judged) == sorted(written)
    for paragraph in re.split(r"\n## ", JUDGED):
        if "([report](" in paragraph:
            assert "elieve" in paragraph, paragraph[:40]


def test_links_lead_somewhere() -> None:
    for path in REPORTS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).is_file(), f"{path.name}: {target}"


@pytest.mark.parametrize("name", QUICK)
def test_the_commands_of_a_report_say_the_same(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = stored(name)
    (block,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    said = ""
    for line in block.splitlines():
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(line)[1:])
        assert stop.value.code == 0
        said += " ".join(capsys.readouterr().out.split()) + " "
    sentences = [
        line for line in text.splitlines() if re.match(r"(Value|Profit|For|\*\*The) ", line)
    ]
    assert len(sentences) >= 3
    for line in sentences:
        first = line.removeprefix("**The most misjudged.** ").split(". ")[0]
        assert first in said, first


def test_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(code, names)
    assert {"study", "ledger", "judged", "plan"} <= set(names)
    lines = [
        line
        for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) == 4
    for line in lines:
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(line)[1:])
        assert stop.value.code == 0, capsys.readouterr().err


SMALL = """model small "Small"
time 0 to 10 [year] step 1/16 save 1/4
stock things = 1 gains making
flow making = things * rate
param rate = 0.1 in 0 .. 1
outcome made = total making
outcome final = things at 10
lever more "More" = rate by 50%
"""


def test_a_model_nobody_chose_for_is_asked_about_its_main_outcome() -> None:
    question = question_for(fw.parse(SMALL))
    assert question.outcome == "made"
    assert question.horizons == (2.0, 5.0, 10.0)
    assert question.since is None


def test_a_choice_that_names_nothing_is_an_error() -> None:
    with pytest.raises(KeyError, match="chips has no outcome"):
        question_for(fw.parse(SMALL.replace("small", "chips", 1)))


def test_the_dip_shown_is_that_of_a_misjudged_lever_if_there_is_one() -> None:
    plain = fw.parse(SMALL).study("made").misunderstood()
    assert most_misjudged(plain) == ("more", False)
    judged = fw.load("chips").study("value", [3, 10, 20]).misunderstood()
    assert most_misjudged(judged) == ("stop_in_year_3", True)


def test_reports_come_in_the_order_of_the_questions() -> None:
    assert order(["zebra", "chips", "aws"]) == ["aws", "chips", "zebra"]
    assert set(QUESTIONS) <= set(fw.model_names())
    assert Path(REPORTS).name == "leverage"
