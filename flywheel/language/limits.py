"""The limits of a model's text. Each is refused by name, so that nobody has to guess which was met.

They are far above what a model for people needs and far below what would hurt the program: the depth
keeps every recursive walk over an expression safe, the sizes keep every answer quick.
"""

from __future__ import annotations

from flywheel.errors import Finding, LimitError, Span

MAX_FILE_BYTES = 1 << 20
MAX_VARIABLES = 10_000
MAX_DEPTH = 100
MAX_NAME_CHARACTERS = 128
MAX_NUMBER_DIGITS = 400
MAX_LINE_CHARACTERS = 20_000
MAX_DATA_BYTES = 16 << 20
MAX_PATH_CHARACTERS = 240
MAX_MODULES_DEEP = 8
MAX_FINDINGS = 100
"""More mistakes than this are counted, not listed."""


def limit_finding(limit: str, message: str, span: Span | None = None, hint: str = "") -> Finding:
    """The finding for a limit passed; its code is ``limit-`` and the limit's name."""
    return Finding("error", f"limit-{limit}", f"{message} (limit: {limit})", span, hint)


def refuse(limit: str, message: str, span: Span | None = None, hint: str = "") -> LimitError:
    """The error for a limit that leaves nothing else to say about the text."""
    finding = limit_finding(limit, message, span, hint)
    return LimitError(finding.message, [finding])
