"""The words of evidence, and where a number of a model comes from."""

from __future__ import annotations

from flywheel.figures.theme import Evidence
from flywheel.model import Model

KINDS: dict[Evidence | None, tuple[str, str]] = {
    "guess": ("guess", "추측"),
    "estimate": ("estimate", "추정"),
    "survey": ("survey", "조사"),
    "measured": ("measured", "측정"),
    None: ("no evidence stated", "근거 없음"),
}
"""What each kind is called, in English and Korean."""


def evidence_of(model: Model | None, name: str) -> Evidence | None:
    """The evidence of a parameter, or of the one that a lever moves; None where nobody said."""
    if model is None:
        return None
    lever = model.levers.get(name)
    param = model.params.get(lever.param if lever is not None else name)
    return param.evidence.kind if param is not None and param.evidence is not None else None
