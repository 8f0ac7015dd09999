"""What a notebook shows for a model, a run and a check: small HTML tables, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from flywheel.analysis.assess import Assessment
from flywheel.analysis.questions import QUESTIONS
from flywheel.brief import brief, receipt_line
from flywheel.errors import Finding
from flywheel.figures.lines import exactness
from flywheel.figures.numbers import outcome_unit, quantity, rounded
from flywheel.figures.theme import LIGHT
from flywheel.model import Model, Param
from flywheel.solve.run import Run

_MANY = 60
"""Rows of parameters shown before the rest is counted."""


def model_html(model: Model) -> str:
    """Title, documentation, what there is of each kind, and the parameters with their evidence."""
    counts = [
        (len(group), word)
        for group, word in (
            (model.stocks, "stocks"), (model.flows, "flows"), (model.auxes, "auxiliaries"),
            (model.tables, "tables"), (model.data, "data series"), (model.params, "parameters"),
            (model.declared_loops, "loops"), (model.levers, "levers"), (model.scenarios, "scenarios"),
            (model.outcomes, "outcomes"), (model.checks, "checks"),
        )
        if group
    ]  # fmt: skip
    time = model.time
    unit = f" {time.unit}" if time.unit is not None else ""
    parts = [
        f"<b>{escape(model.label or model.name)}</b>",
        f"<div>{escape(model.doc)}</div>" if model.doc else "",
        _quiet(
            ", ".join(f"{count} {word}" for count, word in counts)
            + f"; time {time.start:g} to {time.stop:g}{unit}, step {time.step:g}"
        ),
    ]
    shown = list(model.params.values())[:_MANY]
    if shown:
        rows = [_parameter(param) for param in shown]
        parts.append(_table(("parameter", "value", "unit", "range", "evidence", ""), rows))
    if len(model.params) > _MANY:
        parts.append(_quiet(f"and {len(model.params) - _MANY} more"))
    return f"<div>{''.join(parts)}</div>"


def _parameter(param: Param) -> tuple[str, ...]:
    """The cells of one parameter; a coloured dot says how well its number is known."""
    bounds = ""
    if param.low is not None and param.high is not None:
        bounds = f"{param.low:g} – {param.high:g}"
    kind = param.evidence.kind if param.evidence else None
    dot = f'<span style="color:{LIGHT.evidence(kind)}">●</span> {escape(kind or "not said")}'
    return (
        f'<span title="{escape(param.text()[0])}">{escape(param.name)}</span>',
        escape(f"{param.value:g}"),
        escape(str(param.unit) if param.unit is not None and param.unit.factors else ""),
        escape(bounds),
        dot,
        escape(param.evidence.source if param.evidence else ""),
    )


def run_html(run: Run) -> str:
    """What was run, how it ended, its outcomes, and how exact they are."""
    model = run.model
    changed = [f"{name} = {value:g}" for name, value in run.overrides.items()]
    if run.scenario:
        changed.insert(0, f"scenario {run.scenario}")
    parts = [
        f"<b>{escape(model.label or model.name)}</b>",
        _quiet("; ".join(changed) or "as written"),
    ]
    if not run.ok:
        parts.append(f'<div style="color:{LIGHT.bad}">{escape(run.status.message)}</div>')
    if model.outcomes:
        rows = [
            (
                f'<span title="{escape(name)}">{escape(outcome.text()[0])}</span>',
                escape(quantity(run.outcomes[name], outcome_unit(outcome, model), model)),
            )
            for name, outcome in model.outcomes.items()
        ]
        parts.append(_table(("outcome", "value"), rows))
    else:
        ends = [
            (escape(stock.text()[0]), *(escape(rounded(float(run[name][i]))) for i in (0, -1)))
            for name, stock in model.stocks.items()
        ]
        parts.append(_table(("stock", "start", "end"), ends))
    if run.ok:
        parts.append(_quiet(exactness(run)))
    return f"<div>{''.join(parts)}</div>"


def assessment_html(assessment: Assessment) -> str:
    """The entry points in their ranking, their five answers, and what decides it in words."""
    chain = assessment.chain
    rows = [
        (
            escape(str(row.rank)),
            f'<span title="{escape(row.point)}">{escape(chain.point(row.point).text())}</span>',
            *(f"{answer:.2f}" for answer in row.scores),
            f"{row.low:.2f} – {row.high:.2f}",
        )
        for row in assessment.ranking
    ]
    heads = ("", "entry point", *(one.short[0] for one in QUESTIONS.values()), "total", "5 – 95 %")
    parts = [
        f"<b>{escape(chain.text())}</b>",
        _table(heads, rows),
        f"<div>{escape(assessment.explain())}</div>",
    ]
    return f"<div>{''.join(parts)}</div>"


def result_html(result: Any) -> str:
    """What a result says in sentences, its first rows, and its receipt."""
    table = brief(result)
    rows = [[escape(cell) for cell in row] for row in table.rows]
    more = f"and {table.more} more rows; all are in .frame" if table.more else ""
    stamp = getattr(result, "stamp", None)
    parts = [
        f"<div>{escape(result.explain())}</div>",
        _quiet(table.about) if table.about else "",
        _table(table.heads, rows) if rows else "",
        *(f"<div>{escape(note)}</div>" for note in table.notes),
        _quiet(more) if more else "",
        _quiet(receipt_line(stamp)) if stamp is not None else "",
    ]
    return f"<div>{''.join(parts)}</div>"


def findings_html(title: str, findings: Iterable[Finding], notes: Sequence[str]) -> str:
    """Findings with their lines and carets, then one line for each note."""
    text = "\n\n".join(finding.render() for finding in findings)
    shown = f"<pre>{escape(text)}</pre>" if text else ""
    rest = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return f"<div><b>{escape(title)}</b>{shown}{rest}</div>"


def _quiet(text: str) -> str:
    return f'<div style="color:{LIGHT.muted}">{escape(text)}</div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
