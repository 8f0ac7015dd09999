"""``flywheel run``: simulate, compare with the baseline, write files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flywheel.cli.output import console, print_json, print_table, say, write_atomic
from flywheel.errors import UsageError
from flywheel.expr import key

if TYPE_CHECKING:
    from flywheel.api import Model, Run

Writer = Callable[["Run", "Run | None", str, IO[bytes]], None]

_HEADS = {
    "en": {"outcome": "outcome", "end": "at the end", "value": "value", "baseline": "baseline",
           "change": "change"},
    "ko": {"outcome": "결과", "end": "마지막 값", "value": "값", "baseline": "기준", "change": "변화"},
}  # fmt: skip
_LANGUAGES = tuple(_HEADS)


def command(
    target: str,
    *,
    settings: Sequence[str],
    scenario: str | None,
    method: str,
    times: Mapping[str, str | None],
    seed: int,
    out: Sequence[Path],
    language: str,
    as_json: bool,
) -> int:
    """Run a model as asked; 1 when the computation failed."""
    from flywheel.api import load

    if language not in _LANGUAGES:
        raise UsageError(f"--language is {' or '.join(_LANGUAGES)}, not {language!r}")
    writers = [(path, _writer(path)) for path in out]
    overrides = assignments(settings)
    when = {name: number(text, f"--{name}") for name, text in times.items() if text is not None}
    model = load(target)

    def simulate(scenario: str | None, overrides: Mapping[str, float]) -> Run:
        return model.run(
            method=method,
            scenario=scenario,
            seed=seed,
            start=when.get("start"),
            stop=when.get("stop"),
            step=when.get("step"),
            save=when.get("save"),
            deadline=when.get("deadline"),
            overrides=overrides,
        )

    run = simulate(scenario, overrides)
    baseline = simulate(None, {}) if overrides or scenario else None
    for path, write in writers:
        write_atomic(path, partial(write, run, baseline, language))
    if as_json:
        print_json(document(run, baseline))
    else:
        for warning in run.warnings:
            say(warning.render())
        _print(model, run, baseline, language)
        _doubt(model, target)
    if not run.ok and not as_json:
        say(failure(run))
    return 0 if run.ok else 1


def _doubt(model: Model, target: str) -> None:
    """Say when the numbers above come from a text with mistakes: months added to years still run."""
    from flywheel.checks import check_model

    mistakes = [found for found in check_model(model) if found.severity == "error"]
    if mistakes:
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}"
        say(f"warning: do not trust these numbers, the model has {count}; the first:")
        say(mistakes[0].render())
        say(f"flywheel check {target} shows {'them all' if len(mistakes) > 1 else 'it too'}")


def assignments(settings: Sequence[str]) -> dict[str, float]:
    """``NAME=NUMBER`` texts as a mapping; a name given twice is a mistake."""
    found: dict[str, float] = {}
    seen: set[str] = set()
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"--set takes NAME=NUMBER, such as churn0=0.1, not {text!r}")
        if key(name) in seen:
            raise UsageError(f"--set gives {name} twice")
        seen.add(key(name))
        found[name] = number(value, f"--set {name}")
    return found


_NUMBER = re.compile(
    r"\s*(?P<top>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"(?:\s*/\s*(?P<bottom>\d+\.?\d*(?:[eE][-+]?\d+)?))?\s*(?P<percent>%)?\s*"
)


def number(text: str, option: str) -> float:
    """A number as the model language writes it: ``0.1``, ``1/16``, ``5%``."""
    found = _NUMBER.fullmatch(text) if len(text) <= 400 else None
    bottom = float(found["bottom"] or 1) if found else 0.0
    if not found or bottom == 0:
        raise UsageError(f"{option} takes a number such as 0.1, 1/16 or 5%, not {text[:80]!r}")
    value = float(found["top"]) / bottom
    return value / 100 if found["percent"] else value


def _writer(path: Path) -> Writer:
    """How to write a file of this ending; asked before anything is computed."""
    ending = path.suffix.lower()
    if ending not in _WRITERS:
        raise UsageError(f"--out writes .csv, .parquet or .html, not {path.name!r}")
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder")
    return _WRITERS[ending]


def _csv(run: Run, baseline: Run | None, language: str, stream: IO[bytes]) -> None:
    from flywheel.export import csv_text

    stream.write(csv_text(run).encode())


def _parquet(run: Run, baseline: Run | None, language: str, stream: IO[bytes]) -> None:
    from flywheel.export import write_parquet

    write_parquet(run, stream)


def _html(run: Run, baseline: Run | None, language: str, stream: IO[bytes]) -> None:
    from flywheel.report import html

    stream.write(html(run, baseline=baseline, language=language).encode())


_WRITERS: dict[str, Writer] = {".csv": _csv, ".parquet": _parquet, ".html": _html}


def document(run: Run, baseline: Run | None) -> dict[str, object]:
    """The run as plain data: its outcomes, how exact they are, and the receipt."""
    model = run.model
    outcomes = {}
    for name, value in run.outcomes.items():
        row: dict[str, object] = {
            "value": value,
            "unit": str(model.outcomes[name].unit) if model.outcomes[name].unit else None,
            "label": model.outcomes[name].text()[0],
        }
        if baseline is not None:
            row["baseline"] = baseline.outcomes[name]
        outcomes[name] = row
    error = run.error if run.ok else None
    return {
        "ok": run.ok,
        "status": run.status.message,
        "outcomes": outcomes,
        "ends": {
            name: {"start": float(run[name][0]), "end": float(run[name][-1])}
            for name in model.stocks
        },
        "error": {"relative": error.size, "variable": error.variable} if error else None,
        "warnings": [warning.as_dict() for warning in run.warnings],
        "receipt": run.receipt(),
    }


def failure(run: Run) -> str:
    """Why a run failed, with the line it failed on."""
    from flywheel.errors import Finding

    return Finding("error", "run-failed", run.status.message, run.status.span).render()


def _print(model: Model, run: Run, baseline: Run | None, language: str) -> None:
    """Outcomes (stocks, where a model names no outcomes), each beside its baseline."""
    from rich.table import Table

    from flywheel.figures.lines import exactness
    from flywheel.figures.numbers import change, outcome_unit, quantity

    said = _HEADS[language]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    if model.outcomes:
        table.add_column(said["outcome"])
        rows = [
            (
                declaration.text(language)[0],
                quantity(run.outcomes[name], outcome_unit(declaration, model), model, language),
                baseline and (baseline.outcomes[name], run.outcomes[name]),
                outcome_unit(declaration, model),
            )
            for name, declaration in model.outcomes.items()
        ]
    else:
        table.add_column(said["end"])
        rows = [
            (
                stock.text(language)[0],
                quantity(float(run[name][-1]), stock.unit, model, language),
                baseline and (float(baseline[name][-1]), float(run[name][-1])),
                stock.unit,
            )
            for name, stock in model.stocks.items()
        ]
    table.add_column(said["value"], justify="right")
    if baseline is not None:
        table.add_column(said["baseline"], justify="right")
        table.add_column(said["change"], justify="right")
    for label, value, pair, unit in rows:
        cells = [label, value]
        if pair:
            cells += [
                quantity(pair[0], unit, model, language),
                change(pair[1], pair[0], unit, model, language),
            ]
        table.add_row(*cells)
    print_table(table)
    if run.ok:
        console().print(exactness(run, language), style="dim")
