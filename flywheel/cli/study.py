"""``flywheel leverage``, ``loops``, ``sensitivity``, ``dip`` and ``allocate``: a study's answers.

Each command asks a study one or more questions and shows every answer the same way: sentences, a
table, the receipt; or all of it as JSON, or in files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flywheel.cli.output import print_json, print_table, say, write_atomic
from flywheel.cli.run import assignments, number
from flywheel.errors import UsageError, nearest

if TYPE_CHECKING:
    from flywheel.api import Model
    from flywheel.results import Shown
    from flywheel.studies import Study

LANGUAGES = ("en", "ko")
VIEWS = ("ranking", "levers", "dials", "ladder", "synergy", "flips", "robust")
"""What ``flywheel leverage --show`` takes."""


@dataclass(frozen=True)
class Question:
    """What all of these commands are told: the model, the outcome, the baseline, and how to answer."""

    model: str
    outcome: str | None
    horizons: Sequence[str]
    since: str | None
    settings: Sequence[str]
    scenario: str | None
    method: str
    step: str | None
    seed: int
    language: str
    as_json: bool
    out: Sequence[Path]

    def check(self) -> None:
        """Refuse what cannot be answered before anything is computed."""
        if self.language not in LANGUAGES:
            raise UsageError(f"--language is {' or '.join(LANGUAGES)}, not {self.language!r}")
        for path in self.out:
            if path.suffix.lower() not in _WRITERS:
                raise UsageError(f"--out writes .csv, .json or .html, not {path.name!r}")
            if path.is_dir():
                raise UsageError(f"--out {path} is a folder")

    def numbers(self) -> tuple[list[float], float | None, float | None]:
        """Horizons, since and step."""
        return (
            [number(text, "--horizon") for text in self.horizons],
            None if self.since is None else number(self.since, "--since"),
            None if self.step is None else number(self.step, "--step"),
        )

    def load(self) -> Model:
        from flywheel.api import load

        self.check()
        return load(self.model)

    def study(self, model: Model, outcome: str | None = None) -> Study:
        horizons, since, step = self.numbers()
        name = self.outcome or outcome or model.main_outcome()
        return model.study(
            name,
            horizons or None,
            since=since,
            method=self.method,
            scenario=self.scenario,
            overrides=assignments(self.settings),
            seed=self.seed,
            step=step,
        )


def leverage(question: Question, views: Sequence[str]) -> int:
    """Where to push."""
    for view in views:
        if view not in VIEWS:
            guess = nearest(view, VIEWS)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise UsageError(f"--show takes {', '.join(VIEWS)}, not {view!r}.{hint}")
    model = question.load()
    study = question.study(model)
    wanted = list(dict.fromkeys(views)) or (["ranking", "levers"] if model.levers else ["ranking"])
    if not model.levers:
        for view in wanted:
            if view in ("levers", "synergy", "flips", "robust"):
                raise UsageError(
                    f"--show {view} speaks of levers, and {model.name} declares none: "
                    'write lines such as  lever cheaper "Charge less" = price by -10%'
                )
    ask: dict[str, Callable[[], Shown]] = {
        "ranking": study.leverage,
        "levers": study.misunderstood,
        "dials": study.dials,
        "ladder": study.ladder,
        "synergy": study.synergy,
        "flips": study.flips,
        "robust": study.robust,
    }
    return answer(question, {view: ask[view]() for view in wanted})


def loops(question: Question, at: str | None) -> int:
    """Which loops carry the change; with an outcome the vital signs and the ledger."""
    model = question.load()
    moment = None if at is None else number(at, "--at")
    if question.outcome is None:
        if question.horizons or question.since or at:
            raise UsageError("--horizon, --since and --at ask about an outcome: give --outcome too")
        _, _, step = question.numbers()
        found = model.loops_that_matter(
            method=question.method,
            scenario=question.scenario,
            overrides=assignments(question.settings),
            step=step,
            seed=question.seed,
        )
        return answer(question, {"loops": found})
    study = question.study(model)
    return answer(question, {"vitals": study.vitals(moment), "ledger": study.ledger(at=moment)})


def sensitivity(question: Question, parameters: Sequence[str], how: str, runs: int | None) -> int:
    """Where the spread of an outcome comes from."""
    study = question.study(question.load())
    found = study.sensitivity(list(parameters) or None, method=how, runs=runs, seed=question.seed)
    return answer(question, {"sensitivity": found})


def dip(question: Question, lever: str, until: str | None) -> int:
    """What one lever does over time."""
    study = question.study(question.load())
    end = None if until is None else number(until, "--until")
    return answer(question, {"dip": study.dip(lever, until=end)})


def allocate(
    question: Question, budget: str, periods: int, cost: str, levers: Sequence[str]
) -> int:
    """The best use of a budget."""
    study = question.study(question.load())
    found = study.allocate(
        number(budget, "--budget"), list(levers) or None, periods, cost=cost, seed=question.seed
    )
    return answer(question, {"allocation": found})


# Answers ----------------------------------------------------------------------------------------


def answer(question: Question, results: Mapping[str, Shown]) -> int:
    """Show results: sentences, tables, receipts; files first, so that none is lost to a full pipe."""
    for path in question.out:
        data = _WRITERS[path.suffix.lower()](results, question.language)
        write_atomic(path, partial(_all, data))
    if question.as_json:
        print_json(document(results))
        return 0
    for place, result in enumerate(results.values()):
        if place:
            sys.stdout.write("\n")
        _print(result, question.language)
    return 0


def _all(data: bytes, stream: IO[bytes]) -> None:
    stream.write(data)


def document(results: Mapping[str, Shown]) -> dict[str, object]:
    """Results as plain data: explanation, receipt, and the rows of their frames."""
    found: dict[str, object] = {"ok": True}
    for name, result in results.items():
        frame = result.frame.reset_index()
        stamp = getattr(result, "stamp", None)
        found[name] = {
            "explanation": {language: result.explain(language) for language in LANGUAGES},
            "receipt": None if stamp is None else stamp.receipt(),
            "rows": [
                {str(key): _item(value) for key, value in row.items()}
                for row in frame.to_dict("records")
            ],
        }
    return found


def _item(value: Any) -> object:
    """numpy's scalars as Python's."""
    return value.item() if hasattr(value, "item") else value


def _print(result: Shown, language: str) -> None:
    from rich.table import Table

    from flywheel.brief import brief

    sys.stdout.write(f"{result.explain(language)}\n\n")
    shown = brief(result, language)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head, is_number in zip(shown.heads, shown.numeric, strict=True):
        table.add_column(head, justify="right" if is_number else "left")
    for row in shown.rows:
        table.add_row(*row)
    print_table(table)
    if shown.more:
        words = (f"외 {shown.more}개", f"and {shown.more} more; --out FILE.csv has them all")
        say(words[language != "ko"])
    stamp = getattr(result, "stamp", None)
    if stamp is not None:
        say(str(stamp))


def _csv(results: Mapping[str, Shown], language: str) -> bytes:
    if len(results) == 1:
        (result,) = results.values()
        return result.frame.to_csv().encode()
    parts = [f"# {name}\n{result.frame.to_csv()}" for name, result in results.items()]
    return "\n".join(parts).encode()


def _json(results: Mapping[str, Shown], language: str) -> bytes:
    import json

    from flywheel.plain import plain

    text = json.dumps(plain(document(results)), ensure_ascii=False, indent=2)
    return f"{text}\n".encode()


def _html(results: Mapping[str, Shown], language: str) -> bytes:
    from flywheel.report import results_html

    return results_html(tuple(results.values()), language=language).encode()


_WRITERS: dict[str, Callable[[Mapping[str, Shown], str], bytes]] = {
    ".csv": _csv,
    ".json": _json,
    ".html": _html,
}
