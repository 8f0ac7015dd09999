"""What the documents show is run: the README's code, every command, the language tour, the notebooks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import flywheel as fw
from flywheel.cli import main
from flywheel.functions import FUNCTIONS
from flywheel.studies import Study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CLI = (ROOT / "docs" / "cli.md").read_text()
LANGUAGE = (ROOT / "docs" / "language.md").read_text()


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def test_the_model_inside_another_is_sound_and_does_what_is_said() -> None:
    (text,) = blocks(LANGUAGE, "text")
    model = fw.parse(text)
    assert not model.check(strict=True).findings
    quiet, bold = model.run(scenario="quiet"), model.run(scenario="bold")
    base = model.run()
    assert quiet["visitors"][-1] > base["visitors"][-1]
    assert bold["visitors"][-1] > base["visitors"][-1]


def test_the_readme_has_its_two_commands() -> None:
    """One line each: ``.ci/run`` takes the second from here and runs it as it stands."""
    setup = "python3 -m venv .venv && .venv/bin/pip install -e "
    commands = [line for line in README.splitlines() if line.startswith(setup)]
    assert [line.rpartition("&& ")[2] for line in commands] == [
        ".venv/bin/flywheel dashboard",
        ".venv/bin/pytest",
    ]
    assert sum(".venv/bin/pytest" in line for line in README.splitlines()) == 1
    assert "grep -F '.venv/bin/pytest' README.md" in (ROOT / ".ci" / "run").read_text()


def test_the_readme_code_runs() -> None:
    names: dict[str, object] = {}
    for code in blocks(README, "python"):
        exec(code, names)
    run, study = names["run"], names["study"]
    assert isinstance(run, fw.Run)
    assert run.ok
    assert run.overrides == {"churn0": 0.12}
    assert isinstance(study, Study)
    assert study.horizons == (1, 3, 10)


def test_the_readme_model_is_sound() -> None:
    (text,) = [block for block in blocks(README, "text") if block.startswith("model ")]
    model = fw.parse(text)
    report = model.check(strict=True)
    assert report.ok, str(report)
    growth, boredom, room = (model.params[name].value for name in ("talk", "boredom", "room"))
    # Logistic with net growth g - b and capacity K (1 - b/g).
    capacity = room * (1 - boredom / growth)
    from math import exp

    exact = capacity / (1 + (capacity / 50 - 1) * exp(-(growth - boredom) * 10))
    assert model.run().outcomes["regulars"] == pytest.approx(exact, rel=1e-6)


def test_links_in_the_documents_lead_somewhere() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).is_file(), f"{path.name}: {target}"


COMMANDS = [
    line
    for text in (README, CLI)
    for block in blocks(text, "console")
    for line in block.splitlines()
    if line.startswith("flywheel ") and not line.startswith("flywheel dashboard")
]


def test_every_documented_command_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(ROOT / "models")
    with pytest.raises(SystemExit):
        main(["new", "my_model"])
    assert len(COMMANDS) >= 10
    for line in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(line)[1:])
        said = capsys.readouterr()
        assert stop.value.code == 0, f"{line}\n{said.out}\n{said.err}"
    assert {"run.csv", "run.html"} <= {path.name for path in tmp_path.iterdir()}


def test_the_language_tour_is_one_sound_model() -> None:
    text = "\n".join(blocks(LANGUAGE, "fly"))
    model = fw.parse(text, name="docs/language.md", folder=ROOT / "docs")
    report = model.check(strict=True)
    assert report.ok, str(report)
    assert not [finding for finding in report.findings if finding.severity == "error"]
    run = model.run()
    assert run.ok
    assert all(value == value for value in run.outcomes.values())
    kinds = {type(declaration).__name__ for declaration in model}
    assert kinds == {
        "UnitDeclaration", "Param", "Stock", "Flow", "Aux", "Table", "Data", "Observe", "Outcome",
        "Lever", "Scenario", "Loop", "Check",
    }  # fmt: skip


def test_the_language_tour_names_every_function() -> None:
    words = set(re.findall(r"\w+", LANGUAGE))
    assert set(FUNCTIONS) <= words, set(FUNCTIONS) - words


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_run(path: Path, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), (
        "examples are kept without output"
    )
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    kinds = {kind for cell in notebook.cells for output in cell.get("outputs", ())
             for kind in output.get("data", {})}  # fmt: skip
    assert "application/vnd.plotly.v1+json" in kinds
    assert "text/html" in kinds
    assert not list(tmp_path.iterdir()), "a notebook leaves nothing behind"
