"""Many runs of a model, as a notebook asks for them: designs by keyword, results that draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flywheel.errors import UsageError, nearest
from flywheel.sweep import run as _run
from flywheel.sweep.result import Sweep as _Sweep

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from flywheel.model import Model
    from flywheel.sweep.design import Design
    from flywheel.sweep.plan import DesignLike
    from flywheel.sweep.samples import Kind, Uncertain


class Sweep(_Sweep):
    """The results of a sweep, with figures."""

    FIGURES: ClassVar[Mapping[str, str]] = {
        "fan": "fan:fan",
        "spaghetti": "members:spaghetti",
        "histogram": "histogram:histogram",
        "heat": "sweep_maps:heat",
        "scatter": "sweep_scatter:scatter_matrix",
        "parallel": "sweep_parallel:parallel",
    }
    """Per figure the function that draws it, as ``module:function`` below ``flywheel.figures``."""

    def plot(
        self,
        kind: str,
        *names: str | None,
        language: str = "en",
        dark: bool = False,
        **options: Any,
    ) -> Figure:
        """A plotly figure: ``plot("fan", "gmv")``, ``plot("histogram", "value")``,
        ``plot("heat", "churn0", "el_sel", "value")``.

        Raises UsageError for a kind that there is not, UnknownNameError for a name.
        """
        if kind not in self.FIGURES:
            guess = nearest(str(kind), self.FIGURES)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise UsageError(
                f"there is no figure {kind!r}; there are {', '.join(self.FIGURES)}.{hint}"
            )
        module, _, function = self.FIGURES[kind].partition(":")
        draw = getattr(import_module(f"flywheel.figures.{module}"), function)
        figure: Figure = draw(self, *names, language=language, dark=dark, **options)
        return figure

    def resume(self, **options: Any) -> Sweep:
        """The sweep with what was missing computed: see ``flywheel.sweep.run.resume``.

        Raises UsageError for a sweep in memory, which has nothing to resume.
        """
        if self.folder is None:
            raise UsageError(
                "this sweep lives in memory: give folder= to have one that can be resumed"
            )
        return shown(_run.resume(self.folder, **options))


def shown(sweep: _Sweep) -> Sweep:
    """A sweep as one that draws."""
    return Sweep(sweep._source, sweep.computed)


def sweep(
    model: Model,
    design: DesignLike | None,
    *,
    runs: int | None,
    kind: Kind,
    seed: int,
    scenarios: Sequence[str | None] | None,
    ranges: Mapping[str, Uncertain],
    **options: Any,
) -> Sweep:
    """See ``flywheel.api.Model.sweep``."""
    if design is not None and (ranges or runs is not None):
        raise UsageError(
            "a design has its own inputs and runs: give either a design or ranges and runs"
        )
    chosen = design if design is not None else _drawn(model, ranges, runs or 1000, kind, seed)
    if scenarios is not None:
        from flywheel.sweep.design import Design, crossed

        if not isinstance(chosen, Design):
            raise UsageError("only a design of flywheel.sweep.design can be crossed with scenarios")
        chosen = crossed(chosen, list(scenarios))
    return shown(_run.sweep(model, chosen, seed=seed, **options))


def _drawn(
    model: Model, ranges: Mapping[str, Uncertain], runs: int, kind: Kind, seed: int
) -> Design:
    from flywheel.sweep.design import ranges_of, sample

    return sample(dict(ranges) if ranges else ranges_of(model), runs, kind=kind, seed=seed)


def open_sweep(folder: str | Path) -> Sweep:
    """The sweep in a folder, as far as it is finished; every part is checked against its hash.

    Raises UsageError for a folder that holds none.
    """
    return shown(_run.open_sweep(folder))
