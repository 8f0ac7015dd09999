"""What to call a loop in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from flywheel.analysis.loops.independent import Loop, canonical
from flywheel.expr import key
from flywheel.model import Loop as Declared
from flywheel.model import Model

_LONG = 6


def declared_loops(model: Model) -> dict[Loop, Declared]:
    """The model's own loops by their path, turned to its first name in the alphabet."""
    spelt = {key(name): name for name in model.variables}
    found: dict[Loop, Declared] = {}
    for loop in model.loops.values():
        path = [spelt.get(key(name), name) for name in loop.path]
        if len(path) > 1 and path[0] == path[-1]:
            found[canonical(path[:-1])] = loop
    return found


def loop_text(model: Model, loop: Sequence[str], language: str = "en") -> str:
    """A loop's label where the model declares it, else its path; of a long one only the stocks."""
    known = declared_loops(model).get(canonical(loop))
    if known is not None:
        return f"{known.name} “{known.text(language)[0]}”"
    stocks = [name for name in loop if name in model.stocks]
    if len(loop) <= _LONG or not stocks:
        return " -> ".join(loop)
    path = " -> ".join(stocks)
    return f"{path} (저량만)" if language == "ko" else f"{path} (stocks only)"
