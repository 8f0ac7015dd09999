"""Typical mistakes: each is found on its line, alone, and answered with something to try."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from flywheel import language
from flywheel.errors import Finding, ModelError

FOLDER = Path(__file__).parent / "mistakes"
PRELUDE = (FOLDER / "prelude.fly").read_text(encoding="utf-8")
MISTAKES: list[dict[str, Any]] = tomllib.loads(
    (FOLDER / "mistakes.toml").read_text(encoding="utf-8")
)["mistake"]


def findings_of(mistake: dict[str, Any]) -> tuple[tuple[Finding, ...], int]:
    """The findings, and the number of lines above the text."""
    text = mistake["text"].lstrip("\n")
    above = 0 if mistake.get("alone") else PRELUDE.count("\n")
    with pytest.raises(ModelError) as caught:
        language.parse(text if mistake.get("alone") else PRELUDE + text, folder=FOLDER)
    return caught.value.findings, above


@pytest.mark.parametrize("mistake", MISTAKES, ids=[m["title"] for m in MISTAKES])
def test_a_typical_mistake_is_told_where_it_is(mistake: dict[str, Any]) -> None:
    findings, above = findings_of(mistake)
    first = findings[0]
    assert first.span is not None
    assert first.span.line - above == mistake["line"]
    assert first.code == mistake["code"]
    assert mistake.get("says", "") in first.message
    assert any(piece in first.hint for piece in mistake.get("try", "").split("|"))
    assert len(findings) == 1 + mistake.get("more", 0), [f.render() for f in findings]
    shown = first.span.source.line(first.span.line)
    assert 1 <= first.span.column <= len(shown) + 1


def test_the_corpus_is_large_and_helps() -> None:
    assert len(MISTAKES) >= 150
    assert len({mistake["title"] for mistake in MISTAKES}) == len(MISTAKES)
    helped = sum(bool(findings_of(mistake)[0][0].hint) for mistake in MISTAKES)
    assert helped / len(MISTAKES) >= 0.9


def test_messages_name_no_tokens() -> None:
    """A sentence, not a dump of the parser's state."""
    for mistake in MISTAKES:
        for finding in findings_of(mistake)[0]:
            for word in ("LPAR", "NAME", "NUMBER", "Token", "$END", "RSQB", "None"):
                assert word not in finding.message + finding.hint


def test_the_prelude_is_sound() -> None:
    language.parse(PRELUDE, folder=FOLDER)


def test_every_line_can_be_broken_without_hiding_the_others() -> None:
    """Break each declaration of a model in turn, and one fixed line at the end: both are told."""
    lines = PRELUDE.rstrip("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        broken = [*lines]
        broken[number - 1] = f"{line} ]"
        text = "\n".join([*broken, "aux last [1] = unheard_of"])
        with pytest.raises(ModelError) as caught:
            language.parse(text)
        places = [f.span.line for f in caught.value.findings if f.span]
        assert places == [number, len(lines) + 1], line
