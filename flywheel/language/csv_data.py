"""Series from CSV files beside a model.

A path stays inside the model's folder: relative, with forward slashes, no ``..``, and what it leads
to must lie inside as well, so a symbolic link out is refused. Two shapes of table are read:

* long: columns ``time`` (or ``year``, ``date``), ``series``, ``value``, and if there are any
  ``verified``, ``status``, ``source``; one row a value;
* wide: the first column is the time, every other column a series.

``verified`` says ``no`` for a value that nobody has checked; any other word is kept as its status.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from flywheel.errors import nearest
from flywheel.language.limits import MAX_DATA_BYTES, MAX_PATH_CHARACTERS
from flywheel.model import DataPoint

_TIMES = ("time", "year", "date", "month", "quarter", "day", "t")
_SHOWN = 5


class DataFault(Exception):
    """Why a series cannot be read: a sentence, a hint, and a code for machines."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(slots=True)
class Folder:
    """The one folder that a model may read from; a file is opened once."""

    path: Path | None
    _tables: dict[str, list[tuple[int, list[str]]]] = field(default_factory=dict)

    def series(
        self, path: str, series: str, scale: float = 1.0, offset: float = 0.0
    ) -> tuple[DataPoint, ...]:
        """The points of a series, ``value * scale`` at ``time + offset``, ascending in time.

        Raises DataFault.
        """
        if path not in self._tables:
            self._tables[path] = _rows(self._inside(path), path)
        rows = self._tables[path]
        found = sorted(_points(rows, path, series, scale, offset), key=lambda point: point.time)
        for one, two in pairwise(found):
            if one.time == two.time:
                message = f"{path} has two values of {series or 'the series'} at {one.time:g}"
                raise DataFault("bad-data", message, "keep one of them")
        return tuple(found)

    def _inside(self, path: str) -> Path:
        """The file that a path means. Raises DataFault for a path that could lead outside."""
        hint = "write a path from the model's folder on, like data/sales.csv"
        if len(path) > MAX_PATH_CHARACTERS:
            message = f"the path has {len(path)} characters, more than {MAX_PATH_CHARACTERS}"
            raise DataFault("limit-path", f"{message} (limit: path)", hint)
        if not path.strip():
            raise DataFault("unsafe-path", "the path is empty", hint)
        if any(not c.isprintable() for c in path) or "\\" in path or ":" in path:
            raise DataFault("unsafe-path", f"{path!r} is no path of plain names", hint)
        parts = path.split("/")
        if path.startswith(("/", "~")) or ".." in parts:
            raise DataFault("unsafe-path", f"{path} leads out of the model's folder", hint)
        if self.path is None:
            message = "a model given as text has no folder to read data from"
            raise DataFault("data-needs-folder", message, "save it as a file, and load that")
        try:
            root = self.path.resolve()
            target = (root / path).resolve()
            if not target.is_relative_to(root):
                raise DataFault("unsafe-path", f"{path} leads out of the model's folder", hint)
            if not target.exists():
                raise DataFault("no-such-file", f"there is no file {path}", _similar(root, path))
            if not target.is_file():
                raise DataFault("no-such-file", f"{path} is no file")
        except (OSError, RuntimeError, ValueError) as error:
            raise DataFault("no-such-file", f"{path} cannot be opened ({error})") from None
        return target


def _similar(root: Path, path: str) -> str:
    """A hint with the CSV file of the likeliest name."""
    folder = (root / path).parent
    if not folder.is_dir() or not folder.resolve().is_relative_to(root):
        return "the path starts at the model's folder"
    files = sorted(entry.name for entry in folder.glob("*.csv"))[:200]
    found = nearest(Path(path).name, files)
    prefix = path.rpartition("/")[0]
    return f"did you mean {prefix + '/' if prefix else ''}{found}?" if found else ""


def _rows(file: Path, path: str) -> list[tuple[int, list[str]]]:
    """The rows of a CSV with their line numbers."""
    try:
        with file.open("rb") as handle:
            raw = handle.read(MAX_DATA_BYTES + 1)
    except OSError as error:
        raise DataFault("no-such-file", f"{path} cannot be read ({error.strerror})") from None
    if len(raw) > MAX_DATA_BYTES:
        raise DataFault("limit-data", f"{path} is larger than 16 MiB (limit: data)")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"{path} line {line} is not UTF-8"
        raise DataFault("bad-data", message, "save the file as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise DataFault("bad-data", f"{path} line {reader.line_num}: {error}") from None
    if not rows:
        raise DataFault("bad-data", f"{path} is empty")
    return rows


def _points(
    rows: list[tuple[int, list[str]]], path: str, series: str, scale: float, offset: float
) -> list[DataPoint]:
    header = [cell.strip().casefold() for cell in rows[0][1]]
    body = rows[1:]
    if "value" in header and any(name in header for name in _TIMES):
        return _long(header, body, path, series, scale, offset)
    return _wide([cell.strip() for cell in rows[0][1]], body, path, series, scale, offset)


def _long(
    header: list[str],
    body: list[tuple[int, list[str]]],
    path: str,
    series: str,
    scale: float,
    offset: float,
) -> list[DataPoint]:
    at = {name: index for index, name in reversed(list(enumerate(header)))}
    time_name = next(name for name in _TIMES if name in at)
    if "series" in at:
        column = at["series"]
        names = list(dict.fromkeys(_cell(row, column) for _, row in body))
        if not series and len(names) == 1:
            series = names[0]
        if series not in names:
            raise _no_series(path, series, names)
        body = [(line, row) for line, row in body if _cell(row, column) == series]
    elif series:
        raise DataFault("bad-data", f"{path} has no column series", 'leave out series "…"')
    points = []
    for line, row in body:
        where = f"{path} line {line}"
        verified = _cell(row, at.get("verified")).casefold()
        status = _cell(row, at.get("status")) or _cell(row, at.get("verified"))
        points.append(
            DataPoint(
                time=_number(_cell(row, at[time_name]), where, time_name) + offset,
                value=_number(_cell(row, at["value"]), where, "value") * scale,
                verified=verified not in ("no", "false", "0"),
                status=status,
                source=_cell(row, at.get("source")),
            )
        )
    return points


def _wide(
    header: list[str],
    body: list[tuple[int, list[str]]],
    path: str,
    series: str,
    scale: float,
    offset: float,
) -> list[DataPoint]:
    names = header[1:]
    if not series and len(names) == 1:
        series = names[0]
    if series not in names:
        raise _no_series(path, series, names)
    column = names.index(series) + 1
    points = []
    for line, row in body:
        text = _cell(row, column)
        if not text:
            continue  # a gap in a wide table is a value that is not known
        where = f"{path} line {line}"
        time = _number(_cell(row, 0), where, header[0]) + offset
        points.append(DataPoint(time=time, value=_number(text, where, series) * scale))
    if not points:
        raise DataFault("bad-data", f"{path} has no values of {series}")
    return points


def _no_series(path: str, series: str, names: list[str]) -> DataFault:
    found = nearest(series, names) if series else None
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    hint = f'did you mean series "{found}"?' if found else f"it has: {shown}"
    message = f"{path} has no series {series}" if series else f"{path} has several series"
    return DataFault("no-such-series", message, hint)


def _cell(row: list[str], column: int | None) -> str:
    return row[column].strip() if column is not None and column < len(row) else ""


def _number(text: str, where: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not text.isascii() or "_" in text or value != value or abs(value) == float("inf"):
        shown = repr(text[:40]) if text else "nothing"
        hint = "write numbers like 1234.5, without spaces, commas or units"
        raise DataFault("bad-data", f"{where}: {column} is {shown}, not a number", hint)
    return value
