"""The command line: ``flywheel run | check | leverage | loops | sweep | dashboard`` and more.

Exit codes: 0 all is well, 1 the model has mistakes or a run or a check failed, 2 the command itself
was wrong (a name, a file, an option). Results go to stdout, everything else to stderr; with ``--json``
stdout holds exactly one JSON document, also when something is wrong.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import NoReturn

OK, FINDINGS, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit. A mistake of the user never shows a traceback."""
    import os

    # Before numpy loads: its linear algebra is small here, and threads that wait for each other on
    # matrices of ten rows cost more than they bring (an allocation 0.5 to 3.5 s instead of 0.5).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows another
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _dispatch(given)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OK
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _dispatch(given: list[str]) -> int:
    from flywheel.cli.output import report_error
    from flywheel.errors import FlywheelError, ModelError

    as_json = "--json" in given
    try:
        return _invoke(given)
    except ModelError as error:
        report_error(error, as_json)
        return FINDINGS
    except FlywheelError as error:
        report_error(error, as_json)
        return USAGE
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        report_error(FlywheelError(f"{where}{error.strerror or error}"), as_json)
        return USAGE


def _invoke(given: list[str]) -> int:
    """One command through typer; its own complaints keep their form and their code 2."""
    import typer

    from flywheel.cli.app import app

    try:
        code = app(args=given, prog_name="flywheel", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 130
    except Exception as error:
        from flywheel.cli.output import usage_message

        message = usage_message(error)
        if message is None:
            raise
        from flywheel.errors import UsageError

        raise UsageError(message) from None
    return code if isinstance(code, int) else OK
