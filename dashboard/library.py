"""The models that a dashboard shows: loaded once, read-only, shared by all visitors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from threading import Lock

from flywheel.api import Model, Run, load, model_names
from flywheel.errors import Finding, ModelError

from .diagram import Signs, measured_signs

DEADLINE = 5.0
"""Seconds after which a run for the page gives up and says so."""
FIRST = "core_flywheel"
"""Shown first when nobody named a model."""


@dataclass(frozen=True)
class Entry:
    """One model and its baseline: the run of the model as its text has it."""

    model: Model
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)
    _signs_lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @cached_property
    def _baseline(self) -> Run:
        return self.model.run(deadline=DEADLINE)

    @property
    def baseline(self) -> Run:
        """Computed at the first request and kept; two first visitors compute it once."""
        with self._lock:
            return self._baseline

    @cached_property
    def _signs(self) -> Signs:
        return measured_signs(self.baseline)

    @property
    def signs(self) -> Signs:
        """Signs of the links on named loops along the baseline, likewise kept."""
        with self._signs_lock:
            return self._signs


@dataclass(frozen=True)
class Unsound:
    """A model that could not be opened: the page says why."""

    name: str
    findings: tuple[Finding, ...]


class Library(Mapping[str, Model]):
    """Models by name, in the order given."""

    def __init__(self, models: Iterable[Model], unsound: Iterable[Unsound] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        for model in models:
            name, number = model.name, 2
            while name in self._entries:  # two files of one name, opened to be compared
                name, number = f"{model.name}~{number}", number + 1
            self._entries[name] = Entry(model if name == model.name else replace(model, name=name))
        self.unsound = tuple(unsound)

    def __getitem__(self, name: str) -> Model:
        return self._entries[name].model

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def baseline(self, name: str) -> Run:
        """The run without scenario and changes."""
        return self._entries[name].baseline

    def signs(self, name: str) -> Signs:
        """The measured signs of links on the named loops."""
        return self._entries[name].signs

    @property
    def default(self) -> str:
        """The model of a link that names none; empty without models."""
        return next(iter(self._entries), "")


def open_library(models: Iterable[Model | str | PathLike[str]] | None = None) -> Library:
    """The models of a dashboard: those given, or all that are shipped.

    A name or a path that does not exist raises, because somebody typed it; a text with mistakes is
    kept as ``Unsound``, so that the other models still open.
    """
    chosen: list[Model | str | PathLike[str]]
    if models is None:
        chosen = sorted(model_names(), key=lambda name: (name != FIRST, name))
    else:
        chosen = list(models)
    sound: list[Model] = []
    unsound: list[Unsound] = []
    for one in chosen:
        if isinstance(one, str | PathLike):
            try:
                sound.append(load(one))
            except ModelError as error:
                unsound.append(Unsound(str(one), error.findings))
        else:
            sound.append(one)
    return Library(sound, unsound)
