"""``flywheel new``: a small complete model to start from."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from flywheel.cli.output import print_json, write_text
from flywheel.errors import UsageError, unknown_name

TEMPLATES = Path(__file__).with_name("templates")


def names() -> tuple[str, ...]:
    """The templates there are."""
    return tuple(sorted(path.stem for path in TEMPLATES.glob("*.fly")))


def command(name: str, *, template: str, force: bool, as_json: bool) -> int:
    """Write ``NAME.fly`` and print its path; an existing file stays unless ``force``."""
    path = Path(name if name.endswith(".fly") else f"{name}.fly")
    if template not in names():
        raise unknown_name(template, "template", names(), "flywheel new")
    if not path.stem.isidentifier() or len(path.stem) > 128:
        better = re.sub(r"\W+", "_", path.stem).strip("_")
        hint = f". Try {better}" if better.isidentifier() and len(better) <= 128 else ""
        raise UsageError(
            f"a model's name is letters, digits and _, not starting with a digit: "
            f"{path.stem!r}{hint}"
        )
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; --force replaces it")
    write_text(path, text(template, path.stem, path.name))
    if as_json:
        print_json({"ok": True, "file": str(path), "template": template})
    else:
        sys.stdout.write(f"{path}\n")
    return 0


def text(template: str, name: str, file: str) -> str:
    """The text of a template for a model of this name."""
    raw = (TEMPLATES / f"{template}.fly").read_text(encoding="utf-8")
    return re.sub(r"\bFILE\b", lambda _: file, re.sub(r"\bNAME\b", lambda _: name, raw))
