"""``flywheel check``: everything that can be said against a model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from flywheel.cli.output import print_json, say
from flywheel.errors import FlywheelError, ModelError, UsageError


def command(targets: Sequence[str], *, strict: bool, as_json: bool) -> int:
    """Check each model; 1 when any has an error. One broken file does not hide the others."""
    from flywheel.api import load

    documents: list[dict[str, object]] = []
    failed = False
    for target in files(targets):
        try:
            report = load(target).check(strict=strict)
        except ModelError as error:
            failed = True
            documents.append(_broken(target, error))
            if not as_json:
                say(str(error))
                sys.stdout.write(f"{target}: {error.message}\n")
            continue
        failed = failed or not report.ok
        documents.append(
            {
                "model": report.model.name,
                "target": target,
                "ok": report.ok,
                "findings": [finding.as_dict() for finding in report.findings],
                "checks": [result.as_dict() for result in report.results],
            }
        )
        if not as_json:
            others = (f for f in report.findings if f.severity != "error")
            for finding in (*report.errors, *others):
                say(finding.render())
            sys.stdout.write(f"{report.summary}\n")
    if as_json:
        print_json({"ok": not failed, "models": documents})
    return int(failed)


def files(targets: Sequence[str]) -> tuple[str, ...]:
    """Names and files as given; folders as all the ``.fly`` files below them, in order."""
    found: list[str] = []
    for target in targets:
        if not Path(target).is_dir():
            found.append(target)
            continue
        inside = sorted(str(path) for path in Path(target).rglob("*.fly"))
        if not inside:
            raise UsageError(f"{target} holds no .fly file")
        found += inside
    return tuple(dict.fromkeys(found))


def _broken(target: str, error: FlywheelError) -> dict[str, object]:
    """A text that is no model, in the form of the others."""
    return {
        "model": None,
        "target": target,
        "ok": False,
        "findings": [finding.as_dict() for finding in error.findings],
        "checks": [],
    }
