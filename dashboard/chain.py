"""The value chain page: the five questions as a form, scores side by side, send to model.

Plain HTML made here, because the page is a form: it works without its script, and the address holds
all that was changed (``?chain=amazon&point=servers&j.price_opacity=0.6``). The script only saves the
click on the button. Scores and sentences come from ``flywheel.assess``; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from flask import Flask, Response, abort, request

import flywheel
from flywheel.analysis.assess import Assessment
from flywheel.analysis.questions import JUDGEMENTS, QUESTIONS, Asked
from flywheel.api import chain_names
from flywheel.errors import FlywheelError

from .library import Library
from .state import LANGUAGES, MAX_QUERY, State, number, write
from .texts import say

PATH = "/chain"
_FIELD = "j."


@dataclass(frozen=True)
class Form:
    """What the address asks for; ``changed`` holds the judgements moved by hand."""

    chain: str
    point: str
    changed: Mapping[str, float]
    language: str


def endpoints(server: Flask, library: Library) -> None:
    """Bind the page."""

    @server.get(PATH)
    def chain_page() -> Response:
        if len(request.query_string) > MAX_QUERY:
            abort(400, "The address is too long.")
        form, assessment = _read(request.args)
        part = request.args.get("part") == "result"
        text = result(form, assessment, library) if part else page(form, assessment, library)
        return Response(text, mimetype="text/html")


def _read(given: Mapping[str, str]) -> tuple[Form, Assessment]:
    """The form of an address. What cannot be is refused with 400 and a sentence."""
    known = chain_names()
    name = given.get("chain", "amazon")
    if name not in known:
        abort(400, f"There is no value chain of that name; there are {', '.join(known)}.")
    language = given.get("lang", "en")
    assessment = flywheel.assess(name)
    point = given.get("point") or assessment.ranking[0].point
    changed: dict[str, float] = {}
    try:
        point = assessment.chain.point(point).name
        for field, text in given.items():
            if field.startswith(_FIELD):
                changed[field[len(_FIELD) :]] = float(text)
        own = assessment.chain.point(point).judgements
        changed = {n: v for n, v in changed.items() if n not in own or own[n].value != v}
        assessment = assessment.with_({point: changed})
    except (FlywheelError, ValueError) as error:
        abort(400, str(error))
    return Form(name, point, changed, language if language in LANGUAGES else "en"), assessment


def address(form: Form, **changes: str) -> str:
    """The address of a form; another chain or point starts without changes."""
    pairs = [("chain", changes.get("chain", form.chain))]
    if "chain" not in changes:
        pairs.append(("point", changes.get("point", form.point)))
        if "point" not in changes:
            pairs += [(f"{_FIELD}{name}", number(value)) for name, value in form.changed.items()]
    language = changes.get("language", form.language)
    if language != "en":
        pairs.append(("lang", language))
    return f"{PATH}?{urlencode(pairs, quote_via=quote)}"


def page(form: Form, assessment: Assessment, library: Library) -> str:
    """The whole page."""
    lang = form.language
    home = write(State(library.default, lang)) if library else "/"
    chains = "".join(
        f'<option value="{escape(name)}"{" selected" if name == form.chain else ""}>'
        f"{escape(flywheel.assess(name).chain.text(lang))}</option>"
        for name in chain_names()
    )
    languages = "".join(
        f'<a href="{escape(address(form, language=code))}" lang="{code}"'
        f"{' aria-current=true' if code == lang else ''}>{label}</a>"
        for code, label in (("en", "EN"), ("ko", "한국어"))
    )
    return f"""<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(say("chain", lang))} · Flywheel</title>
<link rel="icon" href="/assets/favicon.ico">
<link rel="stylesheet" href="/assets/flywheel.css">
<link rel="stylesheet" href="/assets/chain.css">
<script src="/assets/chain.js" defer></script>
</head>
<body>
<div class="chain-app">
<header class="header chain-header">
<a class="brand" href="/{escape(home)}"><span class="mark"></span><span>{say("title", lang)}</span></a>
<form action="{PATH}" method="get" class="chain-pick">
<label>{say("chain", lang)} <select name="chain" data-go>{chains}</select></label>
{_hidden("lang", lang)}<noscript><button>{say("chain_show", lang)}</button></noscript>
</form>
<nav class="chain-languages" aria-label="{say("language", lang)}">{languages}</nav>
</header>
<main>
<div id="result">{result(form, assessment, library)}</div>
{_form(form, assessment)}
</main>
</div>
</body>
</html>
"""


def result(form: Form, assessment: Assessment, library: Library) -> str:
    """What follows from the judgements: a sentence, the ranking, what to send where."""
    lang = form.language
    heads = "".join(
        f'<th scope="col" title="{escape(q.text[lang == "ko"])}">{escape(q.short[lang == "ko"])}</th>'
        for q in QUESTIONS.values()
    )
    rows = []
    for ranked in assessment.ranking:
        point = assessment.chain.point(ranked.point)
        here = point.name == form.point
        answers = "".join(f"<td>{_bar(answer)}</td>" for answer in ranked.scores[:5])
        rows.append(
            f"<tr{' class=here' if here else ''}><td>{ranked.rank}</td>"
            f'<th scope="row"><a href="{escape(address(form, point=point.name))}">'
            f"{escape(point.text(lang))}</a></th>"
            f'<td class="total">{ranked.total:.2f}'
            f'<small title="{escape(say("chain_range", lang))}">{ranked.low:.2f}–{ranked.high:.2f}'
            f"</small></td>{answers}</tr>"
        )
    return (
        f'<p class="chain-sentence">{escape(assessment.explain(lang))}</p>'
        f'<div class="chain-table"><table><thead><tr><th></th>'
        f'<th scope="col">{say("chain_point", lang)}</th>'
        f'<th scope="col">{say("chain_total", lang)}</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{_sending(form, assessment, library)}"
    )


def _bar(value: float) -> str:
    width = round(100 * min(max(value, 0.0), 1.0))
    return (
        f'<span class="bar"><svg width="100%" height="6" aria-hidden="true">'
        f'<rect width="{width}%" height="6"></rect></svg>{value:.2f}</span>'
    )


def _sending(form: Form, assessment: Assessment, library: Library) -> str:
    """A link a model, with the parameters that follow from the judgements."""
    lang = form.language
    sent = assessment.send(form.point)
    items = []
    for name, values in sent.items():
        if name not in library:
            continue
        params = library[name].params
        moved = tuple((p, values[p]) for p in params if p in values)
        link = write(State(name, lang, values=moved))
        shown = ", ".join(f"{p} = {v:.6g}" for p, v in moved)
        label = library[name].label or name
        label = next((own for code, own, _ in library[name].translations if code == lang), label)
        items.append(
            f'<li><a href="/{escape(link)}">{escape(label)}</a> <small>{escape(shown)}</small></li>'
        )
    notes = "".join(f"<li>{escape(note)}</li>" for note in sent.notes)
    if not items:
        return ""
    more = f"<details><summary>{say('chain_notes', lang)}</summary><ul>{notes}</ul></details>"
    return (
        f'<section class="chain-send"><h2>{say("chain_send", lang)}</h2>'
        f"<ul>{''.join(items)}</ul>{more if notes else ''}</section>"
    )


def _form(form: Form, assessment: Assessment) -> str:
    """The judgements of the chosen point under their questions."""
    lang = form.language
    point = assessment.chain.point(form.point)
    groups = []
    for question in QUESTIONS.values():
        asked = [a for a in JUDGEMENTS.values() if a.question == question.name]
        rows = "".join(
            _row(a, point.judgements[a.name], lang) for a in asked if a.name in point.judgements
        )
        text = escape(question.text[lang == "ko"])
        groups.append(f"<fieldset><legend>{text}</legend>{rows}</fieldset>")
    doc = point.doc.get(lang) or point.doc.get("en", "")
    reset = f'<a href="{escape(address(form, point=form.point))}">{say("reset_all", lang)}</a>'
    return (
        f'<form id="judgements" action="{PATH}" method="get">'
        f"<h2>{escape(point.text(lang))} {reset}</h2><p>{escape(doc)}</p>"
        f"{_hidden('chain', form.chain)}{_hidden('point', form.point)}{_hidden('lang', lang)}"
        f'<div class="chain-questions">{"".join(groups)}</div>'
        f"<noscript><button>{say('chain_show', lang)}</button></noscript></form>"
    )


def _row(asked: Asked, judgement: object, lang: str) -> str:
    from flywheel.analysis.chain import Judgement

    assert isinstance(judgement, Judgement)
    kind = judgement.evidence.kind
    source = judgement.evidence.source
    value = number(judgement.value)
    name = f"{_FIELD}{asked.name}"
    bounds = f'min="{number(asked.low)}" max="{number(asked.high)}"' if asked.share else 'min="0"'
    control = (
        f'<input type="range" name="{name}" value="{value}" step="any" {bounds}>'
        f"<output>{judgement.value:.2f}</output>"
        if asked.share
        else f'<input type="number" name="{name}" value="{value}" step="any" {bounds}>'
        f"<output>{escape(asked.unit)}</output>"
    )
    return (
        f'<label title="{escape(asked.meaning[lang == "ko"])}">'
        f"<span>{escape(asked.text(lang))}</span>{control}"
        f'<small title="{escape(source)}"><i class="chip chip-{kind}"></i>{say(kind, lang)}</small>'
        "</label>"
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'
