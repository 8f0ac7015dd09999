"""Make docs/leverage/NAME.md: where to push in each shipped model, by the code behind the commands.

    python tools/leverage_reports.py            # all models, about two minutes
    python tools/leverage_reports.py chips aws  # some of them

``QUESTIONS`` says what is asked of which model; one that is not in it is asked about its main outcome
at a fifth, a half and all of its run. ``docs/leverage/README.md`` is written by hand: it judges what is
made here, so read it again after any change of a model or of the analysis. A test compares.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flywheel.api import Model, load, model_names
from flywheel.brief import brief
from flywheel.studies import LoopLedger, Misunderstood, Study, Vitals

REPORTS = Path(__file__).resolve().parent.parent / "docs" / "leverage"
RANKED = 8
"""Rows of the ranking before the rest is left to the command."""
UNNAMED, NAMED = 3, 14
"""Rows of the ledger: the largest loops without a name in the model, and those with one."""


@dataclass(frozen=True)
class Question:
    """What is asked: an outcome, durations counted from ``since`` (the start if None), and why these."""

    outcome: str
    horizons: tuple[float, ...]
    since: float | None
    why: str


QUESTIONS: Mapping[str, Question] = {
    "core_flywheel": Question(
        "income_total", (1, 3, 10), 2005,
        "The first year, the third, and the ten years after 2005, when membership began and most levers "
        "of the model are pulled. After ten years, because what comes later rests on guesses about "
        "rivals (README.md has 25 years).",
    ),
    "amazon": Question(
        "income_total", (5, 10, 20), 2005,
        "Until 2010, 2015 and 2025, the last year with figures.",
    ),
    "marketplace": Question(
        "profit_total", (3, 5, 15), None,
        "The doors open in year 2: a year later everybody sees the loss, three years later it is even.",
    ),
    "fba_prime": Question(
        "profit_total", (3, 6, 15), None,
        "The programme starts in year 1; it is judged in year 3 and even around year 6.",
    ),
    "payments": Question(
        "cash_total", (3, 7, 15), None, "Losses, break-even and a grown business.",
    ),
    "aws": Question(
        "income_all", (8, 12, 18), None,
        "Until 2014, 2018 and 2024, the last full year with figures; prices are a lever from 2012 on.",
    ),
    "devices": Question(
        "profit_total", (3, 6, 12), None,
        "Year 3, when a new business is usually judged, and the times at which content has grown.",
    ),
    "chips": Question(
        "value", (3, 10, 20), None,
        "Year 3, when stopping is proposed, and the twenty years in which servers are renewed; "
        "discounted at 10 percent, as the model has it.",
    ),
    "publishing": Question(
        "profit_total", (3, 6, 12), None, "A launch, a shelf that fills, and a grown store.",
    ),
    "advertising": Question(
        "profit_15", (1, 5, 15), None,
        "A manager judged after one year or five, and the fifteen years that traffic takes to answer.",
    ),
    "creators": Question(
        "profit_total", (3, 6, 12), None,
        "The critical mass is reached or missed in three years; the money follows in the last six.",
    ),
    "opw": Question(
        "improvement_6", (1, 3, 6), None,
        "Improvements that experts find time for: what routine work for a crowd is done for.",
    ),
    "iot_data_asset": Question(
        "total_profit", (3, 6, 12), None,
        "Licences lead in years 3 and 6, subscriptions in year 12.",
    ),
    "margin_opportunity": Question(
        "total_profit", (3, 7, 15), None,
        "Cash is lowest around year 3; most of the market changes hands by year 10.",
    ),
    "ebay": Question(
        "income_total", (3, 8, 17), 2008,
        "From 2008 on, when the rival's convenience begins to tell, to 2011, 2016 and 2025.",
    ),
}  # fmt: skip
"""In the order of the page; models that are not here follow by name."""


def question_for(model: Model) -> Question:
    """The question of a model: the chosen one, or its main outcome at a fifth, a half and all of it.

    Raises KeyError for a choice that names what the model does not have.
    """
    chosen = QUESTIONS.get(model.name)
    if chosen is None:
        times = model.time
        span = times.stop - times.start
        every = times.save or times.step
        parts = tuple(max(every, round(part * span / every) * every) for part in (0.2, 0.5, 1.0))
        return Question(model.main_outcome(), parts, None, "A fifth, a half and all of the run.")
    if chosen.outcome not in model.outcomes:
        raise KeyError(f"{model.name} has no outcome {chosen.outcome}: mend QUESTIONS")
    return chosen


# The parts of a report -------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A table in Markdown; a bar inside a cell would end it."""
    rule = ["---:" if is_number else "---" for is_number in numeric]
    lines = [heads, rule, *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in lines)


def shown(result: Any, *drop: str, rows: int = RANKED) -> str:
    """A result's brief table without the columns named."""
    found = brief(result, "en", rows)
    keep = [n for n, head in enumerate(found.heads) if head not in drop]
    return table(
        [found.heads[n] for n in keep],
        [[row[n] for n in keep] for row in found.rows],
        [found.numeric[n] for n in keep],
    )


def most_misjudged(found: Misunderstood) -> tuple[str, bool]:
    """The lever whose dip is shown: the most misjudged one, or, where none is, that worth most."""
    frame = found.frame
    misjudged = frame["quadrant"].isin(["misunderstood", "seductive"])
    if misjudged.any():
        return str(frame.index[misjudged][0]), True
    return str(frame["worth"].abs().idxmax()), False


def loops(found: LoopLedger, model: Model) -> str:
    """The loops with the largest shares, then those that the model names; empty without one.

    Those by which a stock only empties or adjusts are left out.
    """
    cells = brief(found, "en", len(found.rows))
    last = cells.heads.index("gain") + 1
    heads = [*cells.heads[:last], "through the stocks"]
    named: list[list[str]] = []
    others: list[list[str]] = []
    for row, cell in zip(found.rows, cells.rows, strict=True):
        if not row.own:
            stocks = " → ".join(name for name in row.path if name in model.stocks)
            (named if row.labels["en"] else others).append([*cell[:last], stocks])
    lines = [*others[:UNNAMED], *named[:NAMED]]
    return table(heads, lines, [*cells.numeric[:last], False]) if lines else ""


def disagreements(found: LoopLedger) -> str:
    """One loop for each kind of reason, and how many others there are."""
    reasons: dict[str, list[str]] = {}
    for row in found.disagreements:
        reasons.setdefault(row.verdict.kind, []).append(
            f"{row.name} {row.labels['en']}".strip() + f": {row.verdict.text('en')}"
        )
    return "\n".join(
        f"- *{kind}*"
        + (f" (and {len(every) - 1} more)" if len(every) > 1 else "")
        + f", {every[0]}"
        for kind, every in reasons.items()
    )


def course(found: Vitals, start: float, end: float) -> str:
    """The growth rate of the core at four moments: one alone says little of what is growing up."""
    inside = np.flatnonzero((found.times >= start) & (found.times <= end))
    chosen = inside[np.unique(np.linspace(0, len(inside) - 1, 4).round().astype(int))]
    told = []
    for moment, rate in zip(found.times[chosen], found.rates[chosen], strict=True):
        said = f"{rate:+.1%}" if math.isfinite(rate) else "no feedback"
        told.append(f"{said} at {moment:.6g}")
    return f"Growth rate of the core over time: {', '.join(told)}."


def commands(study: Study, name: str, at: float, lever: str | None) -> str:
    """The commands that show the same numbers."""
    asked = f"--outcome {study.name}"
    if study.since != study.times[0]:
        asked += f" --since {study.since:g}"
    asked += "".join(f" --horizon {h:g}" for h in study.horizons)
    views = (
        "--show ranking --show levers --show ladder" if lever else "--show ranking --show ladder"
    )
    lines = [f"flywheel leverage {name} {asked} {views}"]
    if lever:
        lines.append(f"flywheel dip {name} {lever} {asked}")
    lines.append(f"flywheel loops {name} {asked} --at {at:g}")
    return "\n".join(lines)


def report(name: str) -> str:
    """The report of one model, in Markdown."""
    model = load(name)
    question = question_for(model)
    study = model.study(question.outcome, list(question.horizons), since=question.since)
    unit = study.time_unit
    at = study.since + max(study.horizons) / 2
    ranking = study.leverage()
    ledger = study.ledger(at=at)
    horizons = ", ".join(f"{h:g}" for h in study.horizons)
    parts = [
        f"# {model.label or name}: where to push\n",
        "Made by `python tools/leverage_reports.py` from the model as it is now. "
        "[What to believe of it](README.md); [how to read it](../leverage.md).\n",
        f"**Asked:** {study.label} (`{study.name}`, {study.unit}), seen {horizons} {unit}s after "
        f"{study.since:g}. {question.why}\n",
        "## What the outcome hangs on\n",
        f"{ranking.explain()}\n",
        shown(ranking, "per cost", "how") + "\n",
    ]
    lever = None
    if model.levers:
        judged = study.misunderstood()
        lever, misjudged = most_misjudged(judged)
        which = "most misjudged" if misjudged else "largest; none is misjudged"
        parts += [
            "## Levers\n",
            f"{judged.explain()}\n",
            shown(judged, rows=len(judged.levers) if len(judged.levers) <= 12 else 12) + "\n",
            f"**The {which}.** {study.dip(lever).explain()}\n",
        ]
    vitals = study.vitals(at)
    rates = course(vitals, study.since, study.end)
    parts += ["## Loops\n", f"{vitals.explain()} {rates}\n"]
    seen = loops(ledger, model)
    if seen:
        parts += [f"{ledger.explain()}\n", f"{seen}\n"]
        parts.append(
            "Loops by which one stock only empties or adjusts are left out of the table.\n"
        )
    else:
        parts.append("All its loops are stocks that empty or adjust: this is no flywheel.\n")
    apart = disagreements(ledger)
    if apart:
        parts.append(f"Where share and knock-out disagree:\n\n{apart}\n")
    parts += [
        "## Meadows' ladder\n",
        f"{study.ladder().explain()}\n",
        "## Receipt\n",
        f"{ranking.stamp}; model {ranking.stamp.model_hash[:12]}. The same by command:\n",
        f"```console\n{commands(study, name, at, lever)}\n```",
    ]
    return "\n".join(parts) + "\n"


def order(names: Iterable[str]) -> list[str]:
    """Chosen models first, in their order, then the others by name."""
    known = set(names)
    return [n for n in QUESTIONS if n in known] + sorted(known - set(QUESTIONS))


def main(names: Sequence[str]) -> int:
    """Write the reports; those of models that are gone go too."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    known = model_names()
    for name in order(names or known):
        (REPORTS / f"{name}.md").write_text(report(name), encoding="utf-8")
        sys.stdout.write(f"{name}\n")
    for old in REPORTS.glob("*.md"):
        if old.stem not in known and old.stem != "README":
            old.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
