"""Result tables as a notebook shows them: the numbers of ``analysis`` with figures and sentences.

Each class is the frozen table of an analysis and nothing more in it, so a table made elsewhere can be
``shown``. The first name in ``FIGURES`` is what ``plot()`` draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from flywheel.errors import UsageError, nearest

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


class Shown:
    """What every result can do besides holding its numbers."""

    FIGURES: ClassVar[Mapping[str, str]] = {}
    """Per figure the function that draws it, as ``module:function`` below ``flywheel.figures``."""

    _context: Mapping[str, Any] = MappingProxyType({})
    """What figures may want to know besides: ``model`` for labels and evidence, ``unit``."""

    if TYPE_CHECKING:

        @property
        def frame(self) -> pd.DataFrame: ...

        def explain(self, language: str = "en") -> str: ...

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Everything that there is to export, by name: ``frame``, and what is not in it."""
        return {"table": self.frame}

    def plot(
        self, kind: str | None = None, *, language: str = "en", dark: bool = False, **options: Any
    ) -> Figure:
        """A plotly figure; ``kind`` is one of the keys of ``FIGURES``, the first by default.

        Raises UsageError for a kind that this result does not have.
        """
        known = tuple(self.FIGURES)
        if not known:
            raise UsageError(
                f"there is no figure of a {type(self).__name__}; its .frame has the numbers"
            )
        chosen = known[0] if kind is None else kind
        if chosen not in self.FIGURES:
            guess = nearest(str(chosen), known)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise UsageError(f"there is no figure {chosen!r}; there are {', '.join(known)}.{hint}")
        module, _, function = self.FIGURES[chosen].partition(":")
        draw: Callable[..., Figure] = getattr(import_module(f"flywheel.figures.{module}"), function)
        return draw(self, language=language, dark=dark, **options)

    def _repr_html_(self) -> str:
        from flywheel.notebook import result_html

        return result_html(self)


S = TypeVar("S", bound=Shown)


def shown(kind: type[S], table: Any, **context: Any) -> S:
    """The table of an analysis as a result of a kind that extends its class.

    ``context`` is what figures want to know besides: the model, the outcome's unit.
    """
    result = kind(**{field.name: getattr(table, field.name) for field in fields(table)})
    # Tables are frozen for their readers; this is still making it.
    object.__setattr__(result, "_context", MappingProxyType(context))
    return result
