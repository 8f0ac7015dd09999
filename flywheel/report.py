"""A run as one HTML file: everything inside, nothing fetched, safe to mail.

The page forbids itself every connection, so it also works without a network. All text of the model
is escaped. At the end stands the receipt: what was computed, from which text, how exactly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from flywheel.brief import Brief, brief
from flywheel.figures.lines import exactness, trajectories
from flywheel.figures.numbers import change, outcome_unit, quantity
from flywheel.figures.theme import FONT, LIGHT, Palette
from flywheel.plain import plain
from flywheel.results import Shown
from flywheel.solve.run import Run

_WORDS = {
    "en": {
        "outcome": "Outcome", "value": "Value", "baseline": "Baseline", "change": "Change",
        "charts": "Over time", "settings": "What was changed", "receipt": "Receipt",
        "nothing": "Nothing: this is the model as it is written.", "scenario": "scenario",
        "key": "Blue: this run. Grey: the baseline. Dots: data; hollow where nobody has verified them.",
        "caution": "A model shows what follows from its assumptions. It is no forecast.",
    },
    "ko": {
        "outcome": "결과", "value": "값", "baseline": "기준", "change": "변화",
        "charts": "시간에 따른 흐름", "settings": "바꾼 것", "receipt": "계산 기록",
        "nothing": "없음: 모델에 적힌 그대로입니다.", "scenario": "시나리오",
        "key": "파랑: 이번 실행. 회색: 기준. 점: 자료, 검증되지 않은 것은 속이 빈 점.",
        "caution": "모델은 가정에서 따라 나오는 것을 보여 줄 뿐, 예측이 아닙니다.",
    },
}  # fmt: skip

_ROWS = 100
"""Rows of a table in a report; files of data have them all."""
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)


def html(
    run: Run,
    *,
    baseline: Run | None = None,
    names: Sequence[str] = (),
    language: str = "en",
) -> str:
    """The report of a run as the text of an HTML file.

    ``names`` are the variables to draw: what data observe and all stocks when empty.
    """
    said = _WORDS.get(language, _WORDS["en"])
    model = run.model
    label, doc = _titles(run, language)
    observed = [line.name for line in model.observes]
    chosen = tuple(names) or tuple(dict.fromkeys([*observed, *model.stocks]))
    figure = trajectories(run, chosen, baseline=baseline, language=language, note=False)
    chart = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        config={"displayModeBar": False, "responsive": True},
        div_id="trajectories",
    )
    status = "" if run.ok else f'<p class="bad">{escape(run.status.message)}</p>'
    return f"""<!DOCTYPE html>
<html lang="{"ko" if said is _WORDS["ko"] else "en"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(label)}</title>
<style>{_style(LIGHT)}</style>
</head>
<body>
<main>
<h1>{escape(label)}</h1>
<p class="lead">{escape(doc)}</p>
{status}
{_outcomes(run, baseline, said, language)}
<h2>{escape(said["settings"])}</h2>
{_settings(run, said, language)}
<h2>{escape(said["charts"])}</h2>
<p class="quiet">{escape(said["key"])}</p>
{chart}
<p class="quiet">{escape(exactness(run, language)) if run.ok else ""}</p>
<p class="quiet">{escape(said["caution"])}</p>
<h2>{escape(said["receipt"])}</h2>
<pre>{escape(_receipt(run))}</pre>
</main>
</body>
</html>
"""


def results_html(results: Sequence[Shown], *, language: str = "en") -> str:
    """Results of analyses as the text of one HTML file: sentences, figures, tables, receipts."""
    said = _WORDS.get(language, _WORDS["en"])
    parts = []
    drawn = False
    for place, result in enumerate(results):
        stamp = getattr(result, "stamp", None)
        chart = ""
        if result.FIGURES:
            chart = result.plot(language=language).to_html(
                full_html=False,
                include_plotlyjs=not drawn,
                config={"displayModeBar": False, "responsive": True},
                div_id=f"figure-{place}",
            )
            drawn = True
        table = _brief(brief(result, language, rows=_ROWS), language)
        receipt = "" if stamp is None else json.dumps(plain(stamp.receipt()), ensure_ascii=False)
        parts.append(
            f'<section><p class="lead">{escape(result.explain(language))}</p>{chart}{table}'
            f"<pre>{escape(receipt)}</pre></section>"
        )
    first = getattr(results[0], "stamp", None) if results else None
    title = f"{first.model}: {first.outcome}" if first is not None else "Flywheel"
    return f"""<!DOCTYPE html>
<html lang="{"ko" if said is _WORDS["ko"] else "en"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{_style(LIGHT)}
.wide {{ overflow-x: auto; }}
td.text, th.text {{ text-align: left; }}
section {{ margin-bottom: 48px; }}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{"".join(parts)}
<p class="quiet">{escape(said["caution"])}</p>
</main>
</body>
</html>
"""


def _brief(shown: Brief, language: str) -> str:
    """A small table with what belongs to it."""
    kinds = ["" if is_number else ' class="text"' for is_number in shown.numeric]
    head = "".join(
        f'<th scope="col"{kind}>{escape(one)}</th>'
        for kind, one in zip(kinds, shown.heads, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(f'<td{k}>{escape(cell)}</td>' for k, cell in zip(kinds, row, strict=True))}</tr>"
        for row in shown.rows
    )
    about = f'<p class="quiet">{escape(shown.about)}</p>' if shown.about else ""
    more = f"외 {shown.more}개" if language == "ko" else f"and {shown.more} more"
    rest = f'<p class="quiet">{more}</p>' if shown.more else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in shown.notes)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'{about}<div class="wide">{table}</div>{rest}{f"<ul>{notes}</ul>" if notes else ""}'


def _titles(run: Run, language: str) -> tuple[str, str]:
    """Label and documentation of the model in a language."""
    model = run.model
    for code, label, doc in model.translations:
        if code == language:
            return label or model.label or model.name, doc or model.doc
    return model.label or model.name, model.doc


def _outcomes(run: Run, baseline: Run | None, said: dict[str, str], language: str) -> str:
    model = run.model
    if not model.outcomes:
        return ""
    heads = [said["outcome"], said["value"]]
    if baseline is not None:
        heads += [said["baseline"], said["change"]]
    rows = []
    for name, outcome in model.outcomes.items():
        label, doc = outcome.text(language)
        unit = outcome_unit(outcome, model)
        cells = [quantity(run.outcomes[name], unit, model, language)]
        if baseline is not None:
            before = baseline.outcomes[name]
            cells += [
                quantity(before, unit, model, language),
                change(run.outcomes[name], before, unit, model, language),
            ]
        shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row" title="{escape(doc)}">{escape(label)}</th>{shown}</tr>')
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _settings(run: Run, said: dict[str, str], language: str) -> str:
    model = run.model
    lines = []
    if run.scenario:
        label = model.scenarios[run.scenario].text(language)[0]
        lines.append(f"<li>{escape(said['scenario'])}: {escape(label)}</li>")
    for name, value in run.overrides.items():
        declaration = model[name]
        unit = getattr(declaration, "unit", None)
        before = getattr(declaration, "value", None)
        was = f" ({escape(said['baseline'])} {before:.6g})" if isinstance(before, float) else ""
        shown = f" {escape(str(unit))}" if unit is not None and unit.factors else ""
        lines.append(f"<li>{escape(declaration.text(language)[0])} = {value:.6g}{shown}{was}</li>")
    if not lines:
        return f"<p>{escape(said['nothing'])}</p>"
    return f"<ul>{''.join(lines)}</ul>"


def _receipt(run: Run) -> str:
    return json.dumps(plain(run.receipt()), ensure_ascii=False, indent=2)


def _style(colors: Palette) -> str:
    return f"""
:root {{ color-scheme: light; }}
body {{ margin: 0; background: {colors.paper}; color: {colors.ink}; font: 14px/24px {FONT};
  font-variant-numeric: tabular-nums; }}
main {{ max-width: 1040px; margin: 0 auto; padding: 32px 16px 64px; }}
h1 {{ font-size: 24px; line-height: 32px; margin: 0 0 8px; }}
h2 {{ font-size: 18px; line-height: 24px; margin: 40px 0 8px; }}
.lead {{ max-width: 66ch; }}
.quiet {{ color: {colors.muted}; }}
.bad {{ color: {colors.bad}; }}
table {{ border-collapse: collapse; margin-top: 24px; }}
th, td {{ text-align: right; padding: 4px 24px 4px 0; border-bottom: 1px solid {colors.hairline}; }}
th:first-child {{ text-align: left; font-weight: 400; }}
thead th {{ color: {colors.muted}; font-weight: 400; }}
pre {{ background: {colors.panel}; padding: 16px; overflow: auto; font-size: 12px; line-height: 16px; }}
"""
