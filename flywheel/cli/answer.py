"""How a study's answers are shown: sentences, a table, the receipt; as JSON; in files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flywheel.cli.output import console, print_json, print_table, say, write_atomic
from flywheel.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from flywheel.brief import Brief
    from flywheel.results import Shown

LANGUAGES = ("en", "ko")
_GAP = 2
"""Blanks between columns."""
_TEXT = 14
"""Letters below which a column of words is not squeezed."""


def check_files(paths: Sequence[Path]) -> None:
    """Refuse what cannot be written before anything is computed. Raises UsageError."""
    for path in paths:
        if path.is_dir():
            raise UsageError(f"--out {path} is a folder")
        if path.suffix.lower() not in _WRITERS:
            raise UsageError(f"--out writes .csv, .json or .html, not {path.name!r}")
        if not path.parent.is_dir():
            raise UsageError(f"--out {path}: no such folder")


def answer(
    results: Mapping[str, Shown], language: str, out: Sequence[Path] = (), as_json: bool = False
) -> int:
    """Show results; files first, so that none is lost to a full pipe."""
    for path in out:
        for file, data in _WRITERS[path.suffix.lower()](path, results, language):
            write_atomic(file, partial(_all, data))
            if file != path:
                say(f"wrote {file}")
    if as_json:
        print_json(document(results))
        return 0
    for place, result in enumerate(results.values()):
        if place:
            sys.stdout.write("\n")
        _print(result, language)
    return 0


def _all(data: bytes, stream: IO[bytes]) -> None:
    stream.write(data)


# JSON and files ---------------------------------------------------------------------------------


def document(results: Mapping[str, Shown]) -> dict[str, object]:
    """Results as plain data: explanations, receipt, and the rows of every frame."""
    found: dict[str, object] = {"ok": True}
    for name, result in results.items():
        stamp = getattr(result, "stamp", None)
        table, *others = result.frames.items()
        found[name] = {
            "explanation": {language: result.explain(language) for language in LANGUAGES},
            "receipt": None if stamp is None else stamp.receipt(),
            "rows": _rows(table[1]),
            **{other: _rows(frame) for other, frame in others},
        }
    return found


def _rows(frame: Any) -> list[dict[str, object]]:
    flat = frame.reset_index() if _indexed(frame) else frame
    return [
        {str(key): _item(value) for key, value in row.items()} for row in flat.to_dict("records")
    ]


def _indexed(frame: Any) -> bool:
    """Whether the index says something, and is not just a count of rows."""
    return (
        frame.index.nlevels > 1
        or frame.index.name is not None
        or frame.index.inferred_type == "string"
    )


def _item(value: Any) -> object:
    """numpy's scalars as Python's."""
    return value.item() if hasattr(value, "item") else value


Files = Iterator[tuple[Path, bytes]]


def _csv(path: Path, results: Mapping[str, Shown], language: str) -> Files:
    """One table a file: the first under the name asked for, further ones beside it."""
    several = len(results) > 1
    for name, result in results.items():
        for place, (kind, frame) in enumerate(result.frames.items()):
            ending = [name] * several + [kind] * (place > 0)
            stem = "-".join([path.stem, *ending])
            yield (
                path.with_name(f"{stem}{path.suffix}"),
                frame.to_csv(index=_indexed(frame)).encode(),
            )


def _json(path: Path, results: Mapping[str, Shown], language: str) -> Files:
    import json

    from flywheel.plain import plain

    text = json.dumps(plain(document(results)), ensure_ascii=False, indent=2)
    yield path, f"{text}\n".encode()


def _html(path: Path, results: Mapping[str, Shown], language: str) -> Files:
    from flywheel.report import results_html

    yield path, results_html(tuple(results.values()), language=language).encode()


_WRITERS: dict[str, Callable[[Path, Mapping[str, Shown], str], Files]] = {
    ".csv": _csv,
    ".json": _json,
    ".html": _html,
}


# On the screen ----------------------------------------------------------------------------------


def _print(result: Shown, language: str) -> None:
    from flywheel.brief import brief, receipt_line

    shown = brief(result, language)
    paragraph(result.explain(language))
    sys.stdout.write("\n")
    if shown.about:
        paragraph(shown.about)
        sys.stdout.write("\n")
    dropped = print_fitted(shown)
    for note in shown.notes:
        paragraph(note)
    korean = language == "ko"
    if shown.more:
        say(f"외 {shown.more}개, 모두 보려면 --out FILE.csv" if korean else
            f"and {shown.more} more; --out FILE.csv has them all")  # fmt: skip
    say_dropped(dropped, language)
    stamp = getattr(result, "stamp", None)
    if stamp is not None:
        say(receipt_line(stamp, language))


def print_fitted(shown: Brief) -> list[str]:
    """A table as far as there is room for it; the heads of the columns that were left out."""
    width = console().width
    fitted, dropped = fit(shown, width)
    if fitted.rows:
        print_table(_table(fitted, width))
    return dropped


def say_dropped(heads: Sequence[str], language: str) -> None:
    """Name the columns that were left out."""
    if heads:
        names = ", ".join(heads)
        say(
            f"좁아서 뺀 열: {names}" if language == "ko" else f"left out for want of width: {names}"
        )


def paragraph(text: str) -> None:
    """Text on stdout, broken between words on a terminal only."""
    if not sys.stdout.isatty():
        sys.stdout.write(f"{text}\n")
        return
    out = console()
    with out.capture() as captured:
        out.print(text)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def fit(shown: Brief, width: int) -> tuple[Brief, list[str]]:
    """A table that fits a width, and the heads of the columns left out for it.

    Numbers are never broken, words only between each other and down to a few letters.
    """
    dropped: list[str] = []
    while sum(_least(shown, n) + _GAP for n in range(len(shown.heads))) - _GAP > width:
        spare = max(range(len(shown.heads)), key=lambda n: shown.spare[n])
        if not shown.spare[spare]:
            break
        dropped.append(shown.heads[spare])
        shown = shown.without(spare)
    return shown, dropped


def _least(shown: Brief, column: int) -> int:
    """The width that a column needs."""
    from rich.cells import cell_len

    cells = [row[column] for row in shown.rows]
    head = max((cell_len(word) for word in shown.heads[column].split()), default=0)
    if shown.numeric[column]:
        return max([head, *(cell_len(cell) for cell in cells)])
    widest = max((cell_len(cell) for cell in cells), default=0)
    return max(head, min(widest, _TEXT))


def _table(shown: Brief, width: int) -> Table:
    """A table whose heads are broken where there is no room; what is left over goes to words."""
    from rich.cells import cell_len
    from rich.table import Table

    widest = [
        max([cell_len(head), *(cell_len(row[n]) for row in shown.rows)])
        for n, head in enumerate(shown.heads)
    ]
    tight = sum(widest) + _GAP * (len(widest) - 1) > width
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for place, head in enumerate(shown.heads):
        least = _least(shown, place)
        if shown.numeric[place]:
            table.add_column(head, justify="right", width=least if tight else None)
        else:
            table.add_column(head, min_width=least, overflow="fold")
    for row in shown.rows:
        table.add_row(*row)
    return table
