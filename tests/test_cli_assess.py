"""``flywheel assess`` as people and scripts use it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import flywheel as fw
from flywheel.cli import main


@dataclass
class Said:
    code: int
    out: str
    err: str


Assess = Callable[..., Said]


@pytest.fixture
def assess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Assess:
    """Run ``flywheel assess`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as stop:
            main(["assess", *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert isinstance(stop.value.code, int)
        assert list(Path().iterdir()) == [], "nothing is written"
        return Said(stop.value.code, said.out, said.err)

    return run


def test_help_has_an_example(assess: Assess) -> None:
    said = assess("--help")
    assert said.code == 0
    assert "Example: flywheel assess amazon" in said.out
    for option in ("--point", "--set", "--send", "--json", "--language"):
        assert option in said.out


def test_without_a_chain_it_lists_them(assess: Assess) -> None:
    said = assess()
    assert (said.code, said.err) == (0, "")
    for name in ("amazon", "grocery", "home_services"):
        assert name in said.out
    assert [one["name"] for one in json.loads(assess("--json").out)] == [
        "amazon", "grocery", "home_services",
    ]  # fmt: skip


def test_the_ranking(assess: Assess) -> None:
    said = assess("amazon")
    assert (said.code, said.err) == (0, "")
    places = [said.out.index(name) for name in ("Servers", "Fulfilment", "Publishing", "Chips")]
    assert places == sorted(places)
    assert fw.assess("amazon").explain() in said.out
    assert "What would put another first" in said.out
    korean = assess("amazon", "--language", "ko")
    assert "진입점" in korean.out
    assert "1위는" in korean.out


def test_another_judgement_another_ranking(assess: Assess) -> None:
    said = assess("amazon", "--set", "servers.sla=0", "--set", "fba.margin=50%")
    assert said.code == 0
    assert re.search(r"^1 +Fulfilment", said.out, re.MULTILINE)
    assert re.search(r"^5 +Servers .*0\.00", said.out, re.MULTILINE)


def test_one_point(assess: Assess) -> None:
    said = assess("amazon", "--point", "FBA")
    assert said.code == 0
    assert "Where is the customer's experience broken?" in said.out
    assert re.search(
        r"lock-in +0\.3 +0\.15 – 0\.5 +\d\.\d\d – \d\.\d\d +-0\.\d\d +guess: ", said.out
    )


def test_what_is_sent_runs(assess: Assess, capsys: pytest.CaptureFixture[str]) -> None:
    said = assess("amazon", "--send")
    assert said.code == 0
    assert "clipped to the plausible 0.5 to 6" in said.err
    commands = [line for line in said.out.splitlines() if line.startswith("flywheel run")]
    assert len(commands) == 4
    for line in commands:
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(line)[1:])
        assert stop.value.code == 0, capsys.readouterr().err
        capsys.readouterr()
    other = assess("amazon", "--send", "--point", "card_processing")
    assert "flywheel run aws" not in other.out


def test_json_holds_everything(assess: Assess) -> None:
    said = assess("amazon", "--json", "--send", "--set", "servers.api=0.8")
    assert (said.code, said.err) == (0, "")
    document = json.loads(said.out)
    assert document["ok"] is True
    assert document["changed"] == {"servers": {"api": 0.8}}
    assert [one["rank"] for one in document["points"]] == [1, 2, 3, 4, 5]
    api = document["points"][0]["judgements"]["api"]
    assert api["value"] == 0.8
    assert api["source"] == "set by hand"
    assert document["flips"][0]["winner"] == "fba"
    assert document["sent"]["parameters"]["marketplace"] == {"take_rate": 0.275}
    assert set(document["explanation"]) == {"en", "ko"}
    only = json.loads(assess("amazon", "--json", "--point", "chips").out)
    assert [one["name"] for one in only["points"]] == ["chips"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["amazn"], "Did you mean 'amazon'"),
        (["nothing.toml"], "there is no file nothing.toml"),
        (["amazon", "--point", "server"], "Did you mean 'servers'"),
        (["amazon", "--set", "servers.lockin=0.2"], "Did you mean 'lock_in'"),
        (["amazon", "--set", "servers.lock_in=2"], "from 0 to 1, not 2"),
        (["amazon", "--set", "servers.lock_in=much"], "takes a number"),
        (["amazon", "--set", "lock_in=0.2"], "POINT.JUDGEMENT=NUMBER"),
        (["amazon", "--set", "servers.api=0.1", "--set", "Servers.API=0.2"], "twice"),
        (["amazon", "--language", "fr"], "en or ko"),
        (["--send"], "which value chain"),
    ],
)
def test_mistakes_are_a_sentence_and_code_2(
    assess: Assess, arguments: list[str], sentence: str
) -> None:
    said = assess(*arguments)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    document = assess(*arguments, "--json")
    assert document.code == 2
    assert json.loads(document.out)["ok"] is False


def test_a_broken_chain_says_where_and_exits_with_1(
    assess: Assess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shipped = Path(__file__).parents[1] / "models" / "chains" / "amazon.toml"
    broken = tmp_path_factory.mktemp("chains") / "broken.toml"
    broken.write_text(shipped.read_text().replace("self_service =", "selfservice =", 1))
    said = assess(str(broken))
    assert said.code == 1
    assert re.search(r"broken\.toml:\d+:1: error: .*no key 'selfservice'", said.err)
    assert "did you mean self_service?" in said.err
    assert "^^^" in said.err
    document = json.loads(assess(str(broken), "--json").out)
    assert document["ok"] is False
    assert document["findings"][0]["line"] > 1


DOCS = (Path(__file__).parents[1] / "docs" / "assess.md").read_text()


def documented(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", DOCS, re.DOTALL)


def test_documented_commands_and_the_documented_chain_work(
    assess: Assess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (commands,) = documented("console")
    for line in commands.splitlines():
        assert assess(*shlex.split(line)[2:]).code == 0, line
    (toml,) = documented("toml")
    bakery = tmp_path_factory.mktemp("chains") / "bakery.toml"
    bakery.write_text(toml)
    said = assess(str(bakery))
    assert said.code == 0
    assert "Frozen dough" in said.out


def test_the_documented_code_runs() -> None:
    (code,) = documented("python")
    names: dict[str, object] = {}
    exec(code, names)
    run = names["run"]
    assert isinstance(run, fw.Run)
    assert run.ok


def test_the_documented_scores_are_the_scores() -> None:
    said = [f"{row.total:.2f}" for row in fw.assess("amazon").ranking]
    assert "servers {}, fulfilment {}, publishing {}, chips {}, card processing {}".format(
        *said
    ) in " ".join(DOCS.split())
