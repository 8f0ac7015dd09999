"""What a notebook or a script talks to: models that run, runs that plot.

``flywheel.model.Model`` is data; the ``Model`` here is the same data with verbs. Everything is pure:
a run never changes its model, ``with_`` returns another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from flywheel import model as _model
from flywheel.errors import UsageError, unknown_name
from flywheel.solve.run import Run as _Run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Model", "Run", "load", "model_names", "parse"]


@dataclass(frozen=True, repr=False)
class Model(_model.Model):
    """A model that can be run, checked and drawn."""

    def run(
        self,
        *,
        method: str = "rk4",
        scenario: str | None = None,
        seed: int = 0,
        start: float | None = None,
        stop: float | None = None,
        step: float | None = None,
        save: float | None = None,
        deadline: float | None = None,
        overrides: Mapping[str, float] | None = None,
        **values: float,
    ) -> Run:
        """Simulate the model; nothing about it changes.

        ``values`` (and ``overrides``, for names that are also arguments of this function) set
        parameters or initial values of stocks, by their names in any case. A computation that fails
        comes back as a run whose ``status`` says why.

        Raises UnknownNameError for a name the model does not have, UsageError for a value, method or
        step that makes no sense, ModelError for a model that cannot be computed.
        """
        from flywheel.solve import simulate

        return simulate(
            self,
            method=method,
            scenario=scenario,
            overrides=_merge(overrides, values),
            seed=seed,
            start=start,
            stop=stop,
            step=step,
            save=save,
            deadline=deadline,
            build=Run,
        )


class Run(_Run):
    """The result of a simulation, with figures."""

    __slots__ = ()

    def plot(self, *names: str, baseline: _Run | None = None) -> Figure:
        """A plotly figure of the named variables; of all stocks when none is named."""
        from flywheel.figures.lines import trajectories

        return trajectories(self, names or tuple(self.model.stocks), baseline=baseline)


def _merge(overrides: Mapping[str, float] | None, values: Mapping[str, float]) -> dict[str, float]:
    """Both ways of giving overrides as one mapping; a name given twice is a mistake."""
    from flywheel.expr import key

    merged: dict[str, float] = {}
    spelled: dict[str, str] = {}
    for name, value in [*(overrides or {}).items(), *values.items()]:
        if not isinstance(name, str):
            raise UsageError(f"the name of an override must be text, not {name!r}")
        if key(name) in spelled:
            raise UsageError(f"{name} is set twice")
        spelled[key(name)] = name
        merged[name] = value
    return merged


def model_names() -> tuple[str, ...]:
    """The names of the models that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _library().glob("*.fly")))


def _library() -> Path:
    """The folder of the shipped models."""
    from importlib.resources import files

    return Path(str(files("flywheel.models")))


def load(name_or_path: str | PathLike[str]) -> Model:
    """A shipped model by its name, or a ``.fly`` file by its path.

    Raises UnknownNameError for a name that is not shipped, UsageError for a file that cannot be read,
    ModelError (with every mistake found) for a text that is not a sound model.
    """
    from flywheel.language import load_file

    given = fspath(name_or_path)
    if not isinstance(given, str):
        raise UsageError(f"a model is named by text or a path, not {name_or_path!r}")
    looks_like_path = not isinstance(name_or_path, str) or given.endswith(".fly")
    if looks_like_path or "/" in given or "\\" in given:
        return load_file(Path(given), build=Model)
    if given in model_names():
        return load_file(_library() / f"{given}.fly", build=Model)
    raise unknown_name(given, "model", model_names(), "the library (a path ends in .fly)")


def parse(text: str, *, name: str = "<text>", folder: str | PathLike[str] | None = None) -> Model:
    """A model from text. ``folder`` is where its data files lie; without it, data lines are refused.

    Raises ModelError with every mistake found.
    """
    from flywheel.language import parse as parse_text

    return parse_text(text, name=name, folder=None if folder is None else Path(folder), build=Model)
