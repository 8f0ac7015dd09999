"""Text to model and back. Nothing in a text is ever run: it is read by a grammar.

``parse`` and ``load_file`` give a ``Model`` or raise a ModelError with every mistake found;
``print_model`` writes a model as text such that parsing it gives the same model; ``format_text``
puts a text into the one agreed shape and keeps comments, blank lines and the spelling of numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar, overload

from flywheel.errors import Finding, ModelError, Source, Span, UsageError, nearest
from flywheel.expr import Expr
from flywheel.language import limits
from flywheel.language.build import build_model, parse_blocks, resolve_expression
from flywheel.language.formatter import format_blocks
from flywheel.language.lexer import read
from flywheel.language.modules import Library
from flywheel.language.printer import print_expr, print_model
from flywheel.model import Model

__all__ = [
    "format_text",
    "load_file",
    "parse",
    "parse_expression",
    "print_expr",
    "print_model",
]

M = TypeVar("M", bound=Model)


@overload
def parse(text: str, *, name: str = "<text>", folder: Path | None = None) -> Model: ...
@overload
def parse(text: str, *, name: str = "<text>", folder: Path | None = None, build: type[M]) -> M: ...
def parse(
    text: str, *, name: str = "<text>", folder: Path | None = None, build: type[Model] = Model
) -> Model:
    """The model that a text says.

    ``name`` is what messages call the text, ``folder`` the one folder that data lines may read CSV
    files from (none without it), ``build`` the class of the result.

    Raises ModelError with every mistake found, LimitError when the text passes a limit.
    """
    if not isinstance(text, str):
        raise UsageError(f"a model's text is a str, not {type(text).__name__}")
    return _parse(text, name, Library(folder, _load), build)


def parse_expression(text: str, model: Model | None = None) -> Expr:
    """An expression by itself; with a model its names are looked up and put in declared spelling.

    Raises ModelError with every mistake found.
    """
    return resolve_expression(read(Source("<expression>", text)), model)


@overload
def load_file(path: str | Path) -> Model: ...
@overload
def load_file(path: str | Path, build: type[M]) -> M: ...
def load_file(path: str | Path, build: type[Model] = Model) -> Model:
    """The model in a ``.fly`` file; its data lines may read the folder that it lies in.

    Raises UsageError when there is no such file, ModelError as ``parse`` does.
    """
    if "\0" in str(path):
        raise UsageError(_no_file(Path(path)))
    file = Path(path)
    return _load_as(path, Library(file.parent, _load, (file.resolve(),)), build)


def _load(path: Path, library: Library) -> Model:
    return _load_as(path, library, Model)


def _load_as(path: str | Path, library: Library, build: type[M]) -> M:
    file = Path(path)
    if not file.is_file():
        raise UsageError(_no_file(file))
    with file.open("rb") as handle:
        raw = handle.read(limits.MAX_FILE_BYTES + 1)
    if len(raw) > limits.MAX_FILE_BYTES:
        raise limits.refuse("file", f"{path} is larger than 1 MiB")
    return _parse(decode(raw, str(path)), str(path), library, build)


def _parse(text: str, name: str, library: Library, build: type[M]) -> M:
    return build_model(read(Source(name, text.removeprefix("\ufeff"))), library, build)


def format_text(text: str) -> str:
    """The text in its agreed shape: same model, same comments, no choice of spaces left.

    Raises ModelError when a line cannot be read; names need not be known.
    """
    blocks = read(Source("<text>", text.removeprefix("\ufeff")))
    parse_blocks(blocks)
    return format_blocks(blocks)


def _no_file(file: Path) -> str:
    shown = str(file).replace("\0", "\N{SYMBOL FOR NULL}")
    if file.name and "\0" not in str(file) and file.parent.is_dir():
        found = nearest(file.name, [p.name for p in sorted(file.parent.glob("*.fly"))[:500]])
        if found:
            return f"there is no file {shown}. Did you mean {found}?"
    return f"there is no file {shown}"


def decode(raw: bytes, name: str) -> str:
    """The text of a file that must be UTF-8. Raises ModelError that says what it seems to be."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")  # a byte order mark says nothing about UTF-8
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        message = "the file is in UTF-16, not in UTF-8"
        source = Source(name, raw.decode("utf-16", "replace"))
        span = Span(source, 1, 1, 1, 2)
    else:
        message = f"the byte 0x{raw[start]:02X} here is not UTF-8 (the file may be in Latin-1)"
        source = Source(name, raw.decode("utf-8", "replace"))
        before = raw[:start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        span = Span(source, line, column, line, column + 1)
    hint = "save the file as UTF-8"
    raise ModelError.of([Finding("error", "wrong-encoding", message, span, hint)])
