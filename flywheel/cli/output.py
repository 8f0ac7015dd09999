"""How commands speak: tables on stdout, mistakes on stderr, JSON on request, files in one piece."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flywheel.errors import FlywheelError
from flywheel.plain import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console(stderr: bool = False) -> Console:
    """A rich console; wide where the output is no terminal, so that nothing is cut in a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 400
    return Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=False)


def print_table(table: Table) -> None:
    """A table on stdout, without the blanks that fill its last column."""
    out = console()
    with out.capture() as captured:
        out.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def say(text: str) -> None:
    """One line to people on stderr."""
    print(text, file=sys.stderr)  # noqa: T201  (the command line speaks here and nowhere else)


def print_json(document: object) -> None:
    """One JSON document on stdout; NaN and infinities become null."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")
    sys.stdout.write(json.dumps(plain(document), ensure_ascii=not unicode, indent=2) + "\n")


def report_error(error: FlywheelError, as_json: bool) -> None:
    """What went wrong, with place and caret on stderr; as a document on stdout with ``--json``."""
    if as_json:
        print_json(
            {
                "ok": False,
                "error": error.message,
                "findings": [finding.as_dict() for finding in error.findings],
            }
        )
        return
    text = str(error)
    say(text if error.findings else f"error: {text}")


def usage_message(error: Exception) -> str | None:
    """The sentence of the command parser's own complaint; None for any other exception."""
    form = getattr(error, "format_message", None)
    if not callable(form):
        return None
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "flywheel")
    return f"{form()}\nSee {path} --help."


def write_atomic(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file so that readers see the old one or the whole new one, never a part.

    The new file keeps the mode of the old, or gets the usual one. Raises OSError with the path.
    """
    target = Path(os.path.realpath(path))  # through a link to the file it names
    folder = target.parent
    try:
        mode = target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    if not folder.is_dir():
        raise FileNotFoundError(2, "no such folder", str(folder))
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:64]}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one piece, line ends as they are."""
    write_atomic(path, lambda stream: _all(stream, text.encode()))


def _all(stream: IO[bytes], data: bytes) -> None:
    stream.write(data)
