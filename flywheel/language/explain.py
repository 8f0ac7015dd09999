"""Sentences for lines that leave the grammar."""

from __future__ import annotations

from flywheel.errors import Finding
from flywheel.language.lexer import KINDS, Token


def start(tokens: list[Token]) -> Finding | None:
    """What is wrong with the first word of a line, if anything."""
    if tokens[0].type == "WORD" and tokens[0].key in KINDS:
        return None
    return Finding("error", "unknown-line", f"no line starts with {tokens[0].text}", tokens[0].span)


def syntax(tokens: list[Token], index: int, expected: frozenset[str]) -> Finding:
    """The finding for the first token that does not fit."""
    token = tokens[min(index, len(tokens) - 1)]
    return Finding("error", "syntax", f"unexpected {token.text}", token.span, str(sorted(expected)))
