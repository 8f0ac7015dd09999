"""Reading a list of runs from a CSV file: a header of names, then one row of numbers a run."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError
from flywheel.expr import key

SCENARIO = "scenario"
"""A column of this name holds the scenario of each run, empty for none."""


def read(
    path: str | Path, most: int
) -> tuple[tuple[str, ...], NDArray[np.float64], tuple[str, ...]]:
    """The names of a file's columns, its rows (M, k), and the scenario of each row (empty: no column).

    Separated by commas, semicolons or tabs, in UTF-8. Empty lines are passed over.

    Raises UsageError, with the number of the line, for what is no list of at most ``most`` runs.
    """
    file = Path(path)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return _table(str(path), stream.readline(), stream, most)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8; save it as CSV in UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _table(
    name: str, first: str, rest: Iterator[str], most: int
) -> tuple[tuple[str, ...], NDArray[np.float64], tuple[str, ...]]:
    separator = max(",;\t", key=first.count)
    names = _header(name, first, separator)
    place = next((n for n, column in enumerate(names) if key(column) == SCENARIO), None)
    inputs = tuple(column for n, column in enumerate(names) if n != place)
    numbers, scenarios = array("d"), []
    for line, cells in _rows(name, rest, separator):
        if len(cells) != len(names):
            raise UsageError(
                f"{name} line {line} has {len(cells)} value{'s' if len(cells) != 1 else ''}; the header "
                f"names {len(names)} columns"
            )
        if len(numbers) >= most * len(inputs):
            raise UsageError(f"{name} has more than {most:,} rows, the most that a design may have")
        for n, cell in enumerate(cells):
            if n == place:
                scenarios.append(cell.strip())
            else:
                numbers.append(_number(name, line, names[n], cell))
    if not numbers:
        raise UsageError(f"{name} has a header and no rows: a design needs at least one run")
    rows = np.frombuffer(numbers, dtype=np.float64).reshape(-1, len(inputs))
    return inputs, rows, tuple(scenarios)


def _rows(name: str, lines: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{name} line {reader.line_num + 1} is no CSV: {error}") from None
        if any(cell.strip() for cell in cells):
            yield reader.line_num + 1, cells


def _header(name: str, line: str, separator: str) -> list[str]:
    try:
        names = [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error as error:
        raise UsageError(f"{name} line 1 is no CSV: {error}") from None
    if not any(names):
        raise UsageError(f"{name} line 1 is empty; it must hold the names of the inputs")
    seen = set()
    for n, column in enumerate(names, 1):
        if not column:
            raise UsageError(f"{name} line 1: column {n} has no name")
        if _is_number(column):
            raise UsageError(
                f"{name} line 1 must hold the names of the inputs, but column {n} is the number {column}"
            )
        if key(column) in seen:
            raise UsageError(f"{name} line 1 names {column} twice")
        seen.add(key(column))
    if len(seen - {SCENARIO}) == 0:
        raise UsageError(f"{name} line 1 names no input, only scenarios")
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(name: str, line: int, column: str, cell: str) -> float:
    text = cell.strip()
    if not text:
        raise UsageError(f"{name} line {line}: {column} has no value")
    # Python reads 1_000 as a number; in a table it is more likely a slip.
    if not _is_number(text) or "_" in text:
        raise UsageError(f"{name} line {line}: {column} is {text[:40]!r}, which is no number")
    value = float(text)
    if not math.isfinite(value):
        raise UsageError(f"{name} line {line}: {column} is {text[:40]}; a run needs finite numbers")
    return value
