"""``flywheel assess``: the five questions over a value chain."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flywheel.cli.output import print_json, print_table, say
from flywheel.errors import UsageError
from flywheel.expr import key

if TYPE_CHECKING:
    from flywheel.analysis.sending import Sent
    from flywheel.api import Assessment

_HEADS = {
    "en": {"point": "entry point", "total": "score", "range": "5 to 95 %", "first": "first in",
           "judgement": "judgement", "value": "value", "plausible": "plausible",
           "scores": "score over it", "slope": "elasticity", "evidence": "evidence",
           "model": "model", "parameter": "parameter", "rule": "rule", "note": "note",
           "chains": "value chains", "open": "What would put another first (1 = end of its range):",
           "wins": "{winner} if {judgement} of {point} were {at} instead of {value}"},
    "ko": {"point": "진입점", "total": "점수", "range": "5~95 %", "first": "1위 비율",
           "judgement": "판단", "value": "값", "plausible": "타당한 범위",
           "scores": "범위의 점수", "slope": "탄력성", "evidence": "근거",
           "model": "모형", "parameter": "파라미터", "rule": "규칙", "note": "비고",
           "chains": "가치 사슬", "open": "1위를 바꿀 판단(1 = 범위의 끝):",
           "wins": "「{winner}」: 「{point}」의 '{judgement}' 판단이 {value} 대신 {at}일 때"},
}  # fmt: skip
_FLIPS = 3
"""How many changes that would upset the ranking are named."""


def command(
    target: str | None,
    *,
    point: str | None,
    settings: Sequence[str],
    sending: bool,
    language: str,
    as_json: bool,
) -> int:
    """Assess a value chain and print ranking, entry point or parameters; without one, list them."""
    from flywheel.api import assess, chain_names

    if language not in _HEADS:
        raise UsageError(f"--language is {' or '.join(_HEADS)}, not {language!r}")
    if target is None:
        if point or settings or sending:
            raise UsageError("which value chain? flywheel assess lists the shipped ones")
        return _list(chain_names(), language, as_json)
    changed = assignments(settings)
    assessment = assess(target).with_(changed)
    chosen = assessment.chain.point(point).name if point else None
    sent = assessment.send(chosen or assessment.ranking[0].point) if sending else None
    if as_json:
        print_json(_document(assessment, chosen, sent, changed))
        return 0
    if sent is not None:
        _print_sent(sent, language)
    elif chosen:
        _print_point(assessment, chosen, language)
    else:
        _print_ranking(assessment, language)
    return 0


def assignments(settings: Sequence[str]) -> dict[str, dict[str, float]]:
    """``POINT.JUDGEMENT=NUMBER`` texts by entry point; a judgement given twice is a mistake."""
    from flywheel.cli.run import number

    found: dict[str, dict[str, float]] = {}
    seen: set[tuple[str, str]] = set()
    for text in settings:
        name, equals, value = text.partition("=")
        point, dot, judgement = (part.strip() for part in name.partition("."))
        if not (equals and dot and point and judgement):
            raise UsageError(
                f"--set takes POINT.JUDGEMENT=NUMBER, such as servers.lock_in=0.6, not {text!r:.80}"
            )
        if (key(point), key(judgement)) in seen:
            raise UsageError(f"--set gives {point}.{judgement} twice")
        seen.add((key(point), key(judgement)))
        found.setdefault(point, {})[judgement] = number(value, f"--set {point}.{judgement}")
    return found


def _list(names: Sequence[str], language: str, as_json: bool) -> int:
    from flywheel.api import assess

    chains = [assess(name).chain for name in names]
    if as_json:
        print_json(
            [
                {"name": name, "label": dict(chain.label), "doc": dict(chain.doc),
                 "points": [point.name for point in chain.points]}
                for name, chain in zip(names, chains, strict=True)
            ]
        )  # fmt: skip
        return 0
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, chain in zip(names, chains, strict=True):
        table.add_row(name, chain.text(language), ", ".join(point.name for point in chain.points))
    print_table(table)
    return 0


def _document(
    assessment: Assessment,
    point: str | None,
    sent: Sent | None,
    changed: dict[str, dict[str, float]],
) -> dict[str, object]:
    document = assessment.as_dict()
    if point:
        document["points"] = [one for one in assessment.points_as_dicts() if one["name"] == point]
    document["explanation"] = {code: assessment.explain(code) for code in _HEADS}
    document["changed"] = changed
    if sent is not None:
        document["sent"] = {
            "point": point or assessment.ranking[0].point,
            "parameters": dict(sent),
            "notes": list(sent.notes),
        }
    return {"ok": True, **document}


def _print_ranking(assessment: Assessment, language: str) -> None:
    from rich.table import Table

    from flywheel.analysis.questions import JUDGEMENTS, QUESTIONS
    from flywheel.analysis.words import amount

    said, chain = _HEADS[language], assessment.chain
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column(said["point"])
    heads = [question.short[language == "ko"] for question in QUESTIONS.values()]
    for head in (*heads, said["total"], said["range"], said["first"]):
        table.add_column(head, justify="right")
    for row in assessment.ranking:
        table.add_row(
            str(row.rank),
            chain.point(row.point).text(language),
            *(f"{answer:.2f}" for answer in row.scores),
            f"{row.low:.2f} – {row.high:.2f}",
            f"{row.first:.0%}",
        )
    print_table(table)
    sys.stdout.write(f"\n{assessment.explain(language)}\n")
    if not assessment.flips:
        return
    sys.stdout.write(f"\n{said['open']}\n")
    for flip in assessment.flips[:_FLIPS]:
        words = said["wins"].format(
            winner=chain.point(flip.winner).text(language),
            point=chain.point(flip.point).text(language),
            judgement=JUDGEMENTS[flip.judgement].text(language),
            at=amount(flip.at),
            value=amount(flip.value),
        )
        sys.stdout.write(f"  {flip.distance:.2f}  {words}\n")


def _print_point(assessment: Assessment, name: str, language: str) -> None:
    from rich.table import Table

    from flywheel.analysis.questions import JUDGEMENTS, QUESTIONS
    from flywheel.analysis.words import amount

    said, point = _HEADS[language], assessment.chain.point(name)
    scores = assessment.scores[name]
    sys.stdout.write(f"{point.text(language)}: {said['total']} {scores.total:.2f}\n")
    for question, answer in zip(QUESTIONS.values(), scores, strict=False):
        sys.stdout.write(f"  {answer:.2f}  {question.text[language == 'ko']}\n")
    sys.stdout.write("\n")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(said["judgement"])
    for head in ("value", "plausible", "scores", "slope"):
        table.add_column(said[head], justify="right")
    table.add_column(said["evidence"])
    for row in assessment.tornado(name):
        evidence = point.judgements[row.judgement].evidence
        table.add_row(
            JUDGEMENTS[row.judgement].text(language),
            amount(row.value),
            f"{amount(row.low)} – {amount(row.high)}",
            f"{min(row.at_low, row.at_high):.2f} – {max(row.at_low, row.at_high):.2f}",
            _signed(row.elasticity),
            f"{evidence.kind}: {evidence.source}",
        )
    print_table(table)


def _signed(number: float) -> str:
    """A number with its sign; a dash for none, a bare zero for nothing."""
    if number != number:
        return "–"
    return f"{number:+.2f}" if number else "0"


def _print_sent(sent: Sent, language: str) -> None:
    """The parameters with their rule, then the commands that run the models with them."""
    from rich.table import Table

    said = _HEADS[language]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("model", "parameter"):
        table.add_column(said[head])
    table.add_column(said["value"], justify="right")
    table.add_column(said["rule"])
    for row in sent.rows:
        table.add_row(row.model, row.parameter, f"{row.value:.6g}", row.rule)
    print_table(table)
    for note in sent.notes:
        say(f"{said['note']}: {note}")
    sys.stdout.write("\n")
    for model, values in sent.items():
        options = " ".join(f"--set {name}={value:.6g}" for name, value in values.items())
        sys.stdout.write(f"flywheel run {model} {options}\n")
