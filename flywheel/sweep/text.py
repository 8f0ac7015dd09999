"""A model with everything that its text refers to, as plain data: it can be read again anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from flywheel.errors import Source, UsageError
from flywheel.language import load_file, parse, print_model
from flywheel.model import Data, Declaration, Model, Use


def model_files(model: Model) -> dict[str, str]:
    """The texts that the model's text refers to (modules, series), by their path beside it.

    Raises UsageError for a file that is no longer there.
    """
    found: dict[str, str] = {}
    for path, text in _referred(model.declarations, model.source):
        if found.setdefault(path, text) != text:
            raise UsageError(
                f"two different files are called {path}: give one of them another name"
            )
    return found


def model_text(model: Model, files: Mapping[str, str]) -> str:
    """The model's text. Raises UsageError if it does not say the same model when read again."""
    text = print_model(model)
    if read_model(text, files, model.name).hash != model.hash:
        raise UsageError(
            f"the model {model.name} is another one when it is read again from its text and files; "
            "load it again, and then sweep it"
        )
    return text


def read_model(text: str, files: Mapping[str, str], name: str) -> Model:
    """The model of a text and the files that it refers to. Raises ModelError as ``parse`` does."""
    if not files:
        return parse(text, name=f"{name}.fly")
    with TemporaryDirectory(prefix="flywheel-") as folder:
        root = Path(folder).resolve()
        for path, content in {**files, f"{name}.fly": text}.items():
            file = (root / path).resolve()
            if not file.is_relative_to(root):
                raise UsageError(f"{path} leads out of the model's folder")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="")
        return load_file(root / f"{name}.fly")


def _referred(
    declarations: Iterable[Declaration], source: Source | None
) -> Iterator[tuple[str, str]]:
    for one in declarations:
        if isinstance(one, Data):
            yield one.path, _read(one.path, source)
        elif isinstance(one, Use):
            inner = one.module.source
            if inner is None:
                raise UsageError(f"the module {one.model} was not read from a file")
            yield f"{one.model}.fly", inner.text
            yield from _referred(one.module.declarations, inner)


def _read(path: str, source: Source | None) -> str:
    if source is None:
        raise UsageError(
            f"the series in {path} cannot be found: save the model as a file, and load it"
        )
    file = Path(source.name).parent / path
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the series in {file} can no longer be read") from None
