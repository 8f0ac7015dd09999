"""``flywheel sweep``, ``resume`` and ``inspect``: many runs, their spread, and what failed where."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING

from flywheel.cli.answer import LANGUAGES
from flywheel.cli.output import console, print_json, report_error, say, write_atomic
from flywheel.errors import FlywheelError, LimitError, UsageError

if TYPE_CHECKING:
    from flywheel.cli.asked import Asked
    from flywheel.sweep.progress import Progress
    from flywheel.sweep.result import Sweep

STOPPED = 130
_OFTEN = 0.1
"""Seconds between two looks at a terminal."""


def sweep(
    target: str,
    asked: Asked,
    *,
    out: Path | None,
    workers: int | None,
    executor: str,
    keep: str,
    saved: Sequence[str],
    language: str,
    as_json: bool,
) -> int:
    """Make the runs and show what came out."""
    from flywheel.api import load
    from flywheel.sweep import run
    from flywheel.sweep.executor import checked

    _check_language(language)
    asked.check()
    if keep not in ("streams", "everything"):
        raise UsageError(f"--keep is streams or everything, not {keep!r}")
    count = checked(workers, executor)
    model = load(target)
    design = asked.made(model)
    compute = partial(
        run.sweep,
        model,
        design,
        folder=out,
        seed=asked.seed,
        saved=list(saved) or None,
        keep=keep,
        workers=count,
        executor=executor,
    )
    return _finished(compute, out, model.name, language, as_json)


def resume(
    folder: Path,
    *,
    workers: int | None,
    executor: str,
    other_versions: bool,
    language: str,
    as_json: bool,
) -> int:
    """Compute what a folder lacks and show what came out."""
    from flywheel.sweep import run
    from flywheel.sweep.executor import checked

    _check_language(language)
    compute = partial(
        run.resume,
        folder,
        workers=checked(workers, executor),
        executor=executor,
        other_versions=other_versions,
    )
    return _finished(compute, folder, str(folder), language, as_json)


def inspect(folder: Path, *, out: Sequence[Path], language: str, as_json: bool) -> int:
    """Show what a folder holds, without computing anything; a table of all runs in files."""
    from flywheel.sweep.run import open_sweep

    _check_language(language)
    for path in out:
        if path.suffix.lower() not in (".csv", ".parquet"):
            raise UsageError(f"--out writes .csv or .parquet, not {path.name!r}")
        if path.is_dir():
            raise UsageError(f"--out {path} is a folder")
        if not path.parent.is_dir():
            raise UsageError(f"--out {path}: no such folder")
    found = open_sweep(folder)
    for path in out:
        write_atomic(path, partial(_table_file, found, path.suffix.lower()))
    _show(found, language, as_json)
    return 0


def _check_language(language: str) -> None:
    if language not in LANGUAGES:
        raise UsageError(f"--language is {' or '.join(LANGUAGES)}, not {language!r}")


def _table_file(found: Sweep, ending: str, stream: IO[bytes]) -> None:
    if ending == ".csv":
        found.frame.to_csv(stream)
    else:
        found.frame.reset_index().to_parquet(stream, index=False)


def _finished(
    compute: Callable[..., Sweep], folder: Path | None, what: str, language: str, as_json: bool
) -> int:
    """Compute while telling how far it is, then show; 1 when shards or all runs are missing."""
    line = Line(what)
    try:
        try:
            found = compute(progress=line.tell)
        finally:
            line.clear()
        _show(found, language, as_json)
    except KeyboardInterrupt:
        report_error(FlywheelError(_stopped(line.last, folder)), as_json)
        return STOPPED
    except LimitError as error:
        # More memory than there is: no mistake of the model, but of what was asked.
        raise UsageError(error.message, error.findings) from None
    return 0 if found.complete and found.failed < len(found) else 1


def _stopped(last: Progress | None, folder: Path | None) -> str:
    done = "" if last is None else f" with {last.done:,} of {last.total:,} runs done"
    if folder is None:
        return f"stopped{done}; nothing is kept without a folder: --out FOLDER keeps what is done"
    if last is None:
        return "stopped before anything was computed; the same command begins again"
    return (
        f"stopped{done}; they are kept, and this computes the rest: "
        f"flywheel resume {shlex.quote(str(folder))}"
    )


class Line:
    """How far a sweep is: once in words, then on one line of a terminal."""

    def __init__(self, what: str) -> None:
        self.last: Progress | None = None
        self._what = what
        self._shown = 0.0
        self._dirty = False

    def tell(self, now: Progress) -> None:
        """Called at the beginning and after every shard."""
        first, self.last = self.last is None, now
        if first:
            kept = f"; {now.kept:,} are finished already" if now.kept else ""
            say(f"{now.total:,} runs of {self._what}: {now.memory}{kept}")
        elif sys.stderr.isatty() and (monotonic() - self._shown > _OFTEN or now.done == now.total):
            self._shown, self._dirty = monotonic(), True
            room = max(console(stderr=True).width - 1, 20)
            sys.stderr.write(f"\r\x1b[K{str(now)[:room]}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Give the line back."""
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _show(found: Sweep, language: str, as_json: bool) -> None:
    from flywheel.cli.spread import document, show

    if as_json:
        print_json(document(found))
    else:
        show(found, language)
