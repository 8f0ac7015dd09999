"""Errors that say what, where, and what to try.

A *finding* is one thing to say about one place in a model; an exception carries the findings that
caused it. A computation that fails is not an exception (it is a ``Run`` whose status says so);
exceptions are for mistakes of the caller: text that is no model, a name that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name people know it by (a path as they typed it, or ``<text>``)."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """The text of line ``number`` (1-based) without its line end; empty when out of range."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 1 <= number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source: lines and columns count from 1, ``end_column`` is one past the end."""

    source: Source = field(repr=False)
    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: Span) -> Span:
        """The stretch from the start of this span to the end of another."""
        return Span(self.source, self.line, self.column, other.end_line, other.end_column)

    @property
    def text(self) -> str:
        """The characters that the span covers."""
        if self.line == self.end_line:
            return self.source.line(self.line)[self.column - 1 : self.end_column - 1]
        first = self.source.line(self.line)[self.column - 1 :]
        middle = [self.source.line(n) for n in range(self.line + 1, self.end_line)]
        last = self.source.line(self.end_line)[: self.end_column - 1]
        return "\n".join([first, *middle, last])

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


# A line longer than this is shown as a window around the caret.
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark: a severity, a stable code for machines, and a sentence for people.

    ``message`` says what is wrong, ``span`` where, ``hint`` what to try. ``code`` is a short
    kebab-case word such as ``unknown-name`` that tests and editors can rely on.
    """

    severity: Severity
    code: str
    message: str
    span: Span | None = None
    hint: str = ""

    def render(self) -> str:
        """The finding as text: place, sentence, the line with a caret, the hint."""
        head = f"{self.severity}: {self.message}"
        parts = [f"{self.span}: {head}" if self.span else head]
        if self.span:
            parts.append(_caret(self.span))
        if self.hint:
            parts.append(f"  try: {self.hint}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, object]:
        """The finding as plain data, for ``--json``."""
        place: dict[str, object] = {}
        if self.span:
            place = {
                "file": self.span.source.name,
                "line": self.span.line,
                "column": self.span.column,
                "end_line": self.span.end_line,
                "end_column": self.span.end_column,
            }
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            **place,
        }


def _caret(span: Span) -> str:
    """The source line of a span with a row of carets under it, tabs and wide text kept aligned."""
    line = span.source.line(span.line)
    start = max(span.column - 1, 0)
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = max(end, start + 1)
    before = after = ""
    if len(line) > _SHOWN:
        low = max(0, start - _SHOWN // 2)
        high = min(len(line), low + _SHOWN)
        before, after = ("…" if low else ""), ("…" if high < len(line) else "")
        line, start, end = line[low:high], start - low, min(end, high) - low
        end = max(end, start + 1)
    shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
    gutter = f"{span.line:>5} | "
    padding = "".join("\t" if c == "\t" else " " * _width(c) for c in before + shown[:start])
    carets = "^" * max(sum(_width(c) for c in shown[start:end]), 1)
    return f"{gutter}{before}{shown}{after}\n{' ' * (len(gutter) - 2)}| {padding}{carets}"


def _width(character: str) -> int:
    """Terminal columns of a character: Korean and other wide letters take two."""
    from unicodedata import combining, east_asian_width

    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


class FlywheelError(Exception):
    """Root of all errors of this package; carries the findings that explain it."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.findings: tuple[Finding, ...] = tuple(findings)

    def __str__(self) -> str:
        if not self.findings:
            return self.message
        return "\n".join(finding.render() for finding in self.findings)


class ModelError(FlywheelError):
    """The text is not a sound model. ``findings`` holds every mistake found, most useful first."""

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> ModelError:
        """An error for one or more findings."""
        count = len(findings)
        return cls(f"{count} mistake{'s' if count != 1 else ''} in the model", findings)


class LimitError(ModelError):
    """The text passes one of the stated limits (size, variables, depth, name length)."""


class UsageError(FlywheelError, ValueError):
    """A call asked for something that does not exist or cannot be: a name, a method, a value."""


class UnknownNameError(UsageError, KeyError):
    """A name that the model does not have; the message offers the nearest one that it has."""

    def __str__(self) -> str:
        return FlywheelError.__str__(self)


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``name``, or None when none is near enough to be meant."""
    from difflib import get_close_matches

    known = {candidate.casefold(): candidate for candidate in candidates}
    found = get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def unknown_name(name: str, kind: str, candidates: Iterable[str], owner: str) -> UnknownNameError:
    """The error for a name that is not there: ``owner`` has no ``kind`` called ``name``."""
    choices = list(candidates)
    guess = nearest(name, choices)
    if guess:
        hint = f" Did you mean {guess!r}?"
    elif choices:
        shown = ", ".join(sorted(choices)[:8])
        hint = f" It has: {shown}{', …' if len(choices) > 8 else ''}."
    else:
        hint = " It has none."
    return UnknownNameError(f"{owner} has no {kind} called {name!r}.{hint}")
