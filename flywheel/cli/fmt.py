"""``flywheel fmt``: lay model files out the one usual way."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from flywheel.cli.output import print_json, write_text
from flywheel.errors import ModelError, Source, UsageError


def command(files: list[str], *, check: bool, as_json: bool) -> int:
    """Format each file in place (only when it changes); with ``check`` only say which would change.

    All files are read and formatted before the first is written: one broken file changes none.
    """
    from flywheel.language import format_text

    if "-" in files:
        if len(files) > 1:
            raise UsageError("- (stdin) cannot be mixed with files")
        text = _decoded(sys.stdin.buffer.read(), "stdin")
        formatted = format_text(text)
        if not check:
            sys.stdout.write(formatted)
        return int(check and formatted != text)
    changed: list[tuple[Path, str]] = []
    for name in files:
        path = Path(name)
        if path.is_dir():
            raise UsageError(
                f"{name} is a folder; name its files, for example {name.rstrip('/')}/*.fly"
            )
        text = _decoded(path.read_bytes(), name)
        formatted = _formatted(text, name)
        if formatted != text:
            changed.append((path, formatted))
    if not check:
        for path, formatted in changed:
            write_text(path, formatted)
    if as_json:
        print_json({"ok": not (check and changed), "changed": [str(path) for path, _ in changed]})
    elif check:
        for path, _ in changed:
            sys.stdout.write(f"{path}\n")
    return int(check and bool(changed))


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None


def _formatted(text: str, name: str) -> str:
    """The text in its usual shape; mistakes are reported under the file's name."""
    from flywheel.language import format_text

    try:
        return format_text(text)
    except ModelError as error:
        source = Source(name, text)
        findings = [
            replace(finding, span=replace(finding.span, source=source) if finding.span else None)
            for finding in error.findings
        ]
        raise type(error)(error.message, findings) from None
