"""The shipped models: ``.fly`` texts, their data, and what each must show."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flywheel.errors import unknown_name

__all__ = ["names", "path"]


def names() -> list[str]:
    """The names of the shipped models, sorted."""
    return sorted(file.stem for file in _folder().glob("*.fly"))


def path(name: str) -> Path:
    """The file of a shipped model; its data lies in ``data/`` beside it.

    Raises UnknownNameError for a name that is not shipped.
    """
    known = names()
    if name not in known:
        raise unknown_name(name, "model", known, "the library")
    return _folder() / f"{name}.fly"


def _folder() -> Path:
    """Where the models lie. The package is always installed as files, never inside an archive."""
    return Path(str(files(__name__)))
