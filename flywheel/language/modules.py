"""Other models that a text uses: where they are found, how they are read.

``use advertising as ads`` looks for ``advertising.fly`` beside the text, then among the shipped
models. A name is all that can be said: no path leads anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from flywheel.declarations import Module
from flywheel.errors import Finding, ModelError, Span, UsageError, nearest
from flywheel.language import limits
from flywheel.model import Model

Load = Callable[[Path, "Library"], Model]
"""Reads a model's file; the library is for the modules that this model uses itself."""


@dataclass(frozen=True)
class Library:
    """The folder of a text, the way to read a model's file, and the files that are being read."""

    folder: Path | None
    load: Load
    opened: tuple[Path, ...] = ()
    known: dict[Path, Module | None] = field(default_factory=dict, compare=False, repr=False)
    """Modules read already: one used a hundred times is read once. None for one with mistakes."""

    def module(self, name: str, span: Span) -> Module | list[Finding]:
        """The module of a name, or what is wrong with it; mistakes inside it keep their own lines."""
        file = self._find(name)
        if file is None:
            return [self._unknown(name, span)]
        if file in self.opened:
            chain = " -> ".join([*(f.stem for f in self.opened[self.opened.index(file) :]), name])
            message = f"these models use each other in a circle: {chain}"
            return [Finding("error", "module-circle", message, span, "let one of them stand alone")]
        broken = f"the model {name} ({file.name}) has mistakes of its own"
        if file in self.known:
            module = self.known[file]
            return module or [Finding("error", "broken-module", broken, span)]
        if len(self.opened) >= limits.MAX_MODULES_DEEP:
            message = f"modules are used inside modules more than {limits.MAX_MODULES_DEEP} deep"
            return [limits.limit_finding("modules", message, span, "use some of them side by side")]
        try:
            inner = Library(file.parent, self.load, (*self.opened, file), self.known)
            model = self.load(file, inner)
        except ModelError as error:
            self.known[file] = None
            return [Finding("error", "broken-module", broken, span), *error.findings]
        except UsageError as error:
            return [Finding("error", "broken-module", error.message, span)]
        module = Module(
            model.name, model.time, model.declarations, model.label, model.doc, model.source
        )
        self.known[file] = module
        return module

    def _find(self, name: str) -> Path | None:
        if self.folder is not None:
            file = self.folder / f"{name}.fly"
            # No link out of the folder, and the same spelling even where capitals make no difference.
            if file.is_file() and file.resolve() == self.folder.resolve() / file.name:
                return file.resolve()
        return _shipped().get(name)

    def _unknown(self, name: str, span: Span) -> Finding:
        beside = sorted(p.stem for p in self.folder.glob("*.fly"))[:500] if self.folder else []
        found = nearest(name, [*beside, *_shipped()])
        where = "beside this file or among the shipped models"
        hint = f"did you mean {found}?" if found else "see the names with: flywheel models"
        message = f"there is no model {name} {where}"
        return Finding("error", "unknown-module", message, span, hint)


def _shipped() -> dict[str, Path]:
    """The files of the models that come with the package; a folder of data, not a module to run."""
    folder = Path(str(files("flywheel.models")))
    return {file.stem: file.resolve() for file in sorted(folder.glob("*.fly"))}
