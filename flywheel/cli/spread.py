"""What a sweep's outcomes and failures look like: sentences and tables, or one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

from flywheel.cli.answer import LANGUAGES
from flywheel.cli.output import say

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.brief import Brief
    from flywheel.model import Outcome, Variable
    from flywheel.sweep.result import Sweep

QUANTILES = (0.05, 0.5, 0.95)
_KINDS = 8
"""Kinds of failures that are listed."""
_HEADS = {
    "en": ("outcome", "unit", "mean", "sd", "5 %", "50 %", "95 %", "no value"),
    "ko": ("결과", "단위", "평균", "표준편차", "5 %", "50 %", "95 %", "값 없음"),
}
_AT_END = {"en": "at the end", "ko": "마지막 값"}
_FAILED = {
    "en": ("runs", "broke first", "from", "to", "reason"),
    "ko": ("실행", "먼저 깨진 변수", "처음", "끝", "이유"),
}


def document(found: Sweep) -> dict[str, object]:
    """A sweep as plain data: explanations, receipt, spread and failures."""
    from flywheel.sweep.words import where_failures_lie

    where = where_failures_lie(found) if found.failed else None
    return {
        "ok": found.complete and found.failed < len(found),
        "complete": found.complete,
        "folder": None if found.folder is None else str(found.folder),
        "explanation": {language: found.explain(language) for language in LANGUAGES},
        "receipt": found.receipt,
        "outcomes": spread(found),
        "ends": ends(found),
        "failures": {
            "runs": len(found.failures),
            "where": None if where is None else dict(
                zip(("input", "low", "high"), where, strict=True)
            ),
            "kinds": kinds(found),
        },
        "missing_shards": {str(number): why for number, why in found.missing.items()},
    }  # fmt: skip


def spread(found: Sweep) -> dict[str, dict[str, object]]:
    """Mean, standard deviation and quantiles of every outcome, over the runs that give it a value."""
    table = found.outcomes
    rows: dict[str, dict[str, object]] = {}
    for name in found.plan.outcomes:
        declared = found.plan.model.outcomes[name]
        values = table[name].dropna()
        low, middle, high = (float(x) for x in values.quantile(list(QUANTILES)))
        rows[name] = {
            "label": declared.text()[0],
            "unit": str(declared.unit) if declared.unit else None,
            "runs": len(values),
            "without_value": len(table) - len(values),
            "mean": float(values.mean()),
            "sd": float(values.std()),
            "p5": low,
            "p50": middle,
            "p95": high,
        }
    return rows


def ends(found: Sweep) -> dict[str, dict[str, object]]:
    """The same of the saved variables at the last time, as the streams have them."""
    if len(found.missing) == found.plan.shards:
        return {}
    rows: dict[str, dict[str, object]] = {}
    for name in found.variables:
        low, middle, high = (float(x) for x in found.quantiles(name, QUANTILES).iloc[-1])
        declared = found.plan.model.variables[name]
        rows[name] = {
            "label": declared.text()[0],
            "unit": str(declared.unit) if declared.unit else None,
            "mean": float(found.mean(name).iloc[-1]),
            "sd": float(found.sd(name).iloc[-1]),
            "p5": low,
            "p50": middle,
            "p95": high,
        }
    return rows


def kinds(found: Sweep) -> list[dict[str, object]]:
    """Failures by what broke first and why, the most frequent first."""
    failures: pd.DataFrame = found.failures
    rows: list[dict[str, object]] = []
    for (variable, reason), own in failures.groupby(["variable", "reason"], sort=True):
        rows.append(
            {
                "variable": str(variable),
                "reason": str(reason),
                "runs": len(own),
                "first_time": float(own["time"].min()),
                "last_time": float(own["time"].max()),
                "member": int(own["member"].iloc[0]),
            }
        )
    return sorted(rows, key=lambda row: -int(str(row["runs"])))


def show(found: Sweep, language: str) -> None:
    """Sentences and tables on stdout, where it is kept on stderr."""
    from flywheel.cli.answer import paragraph, print_fitted, say_dropped

    korean = language == "ko"
    paragraph(found.explain(language))
    dropped: list[str] = []
    listed = kinds(found)
    for table in (_spread_table(found, language), _failed_table(listed, language)):
        if table.rows:
            sys.stdout.write("\n")
            dropped += print_fitted(table)
    say_dropped(dropped, language)
    more = len(listed) - _KINDS
    if more > 0:
        say(f"외 {more}가지" if korean else f"and {more} more kinds of failures; --json has all")
    if found.folder is not None:
        say(f"결과 폴더: {found.folder}" if korean else f"kept in {found.folder}")
    say(f"sha256 {found.sha256}")


def _spread_table(found: Sweep, language: str) -> Brief:
    """Outcomes, or the saved variables at the end where the model names no outcomes."""
    from flywheel.brief import Brief
    from flywheel.figures.numbers import rounded

    model = found.plan.model
    heads = list(_HEADS[language])
    declarations: Mapping[str, Outcome | Variable] = model.outcomes
    rows = spread(found)
    if not found.plan.outcomes:
        declarations, rows, heads[0] = model.variables, ends(found), _AT_END[language]
    shown = []
    for name, row in rows.items():
        cells = [declarations[name].text(language)[0], str(row["unit"] or "")]
        dated = row["unit"] == str(model.time.unit) and model.time.start != 0
        for part in ("mean", "sd", "p5", "p50", "p95"):
            value = float(str(row[part]))
            # A year is no amount: 2013.4, and not 2,013.
            year = dated and part != "sd" and model.time.start <= value <= model.time.stop
            cells.append(f"{value:.1f}" if year else rounded(value, 4))
        shown.append((*cells, f"{row.get('without_value', 0):,}"))
    numeric = (False, False, True, True, True, True, True, True)
    table = Brief(tuple(heads), tuple(shown), numeric, (0, 3, 1, 2, 0, 0, 0, 4))
    gaps = any(row.get("without_value") for row in rows.values())
    return table if gaps else table.without(len(heads) - 1)


def _failed_table(listed: Sequence[Mapping[str, object]], language: str) -> Brief:
    from flywheel.brief import Brief

    rows = []
    for row in listed[:_KINDS]:
        # Of a shard that was given up no time is known.
        times = (float(str(row[x])) for x in ("first_time", "last_time"))
        first, last = ("–" if isnan(time) else f"{time:.6g}" for time in times)
        variable = str(row["variable"]) or "–"
        rows.append((f"{row['runs']:,}", variable, first, last, str(row["reason"])))
    return Brief(_FAILED[language], tuple(rows), (True, False, True, True, False), (0, 0, 1, 2, 0))
