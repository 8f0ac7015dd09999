"""What to call a loop in a sentence, and how to say how long something takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flywheel.analysis.decide.words import say
from flywheel.analysis.loops.independent import Loop, canonical
from flywheel.expr import key
from flywheel.model import Loop as Declared
from flywheel.model import Model

_LONG = 6


def declared_loops(model: Model) -> dict[Loop, Declared]:
    """The model's own loops by their path, turned to its first name in the alphabet."""
    spelt = {key(name): name for name in model.variables}
    found: dict[Loop, Declared] = {}
    for loop in model.declared_loops.values():
        path = [spelt.get(key(name), name) for name in loop.path]
        if len(path) > 1 and path[0] == path[-1]:
            found[canonical(path[:-1])] = loop
    return found


def loop_labels(model: Model, loops: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """What loops are called, by language ("en", "ko").

    Name and label where the model declares the loop, else its path; of a long one only the stocks.
    """
    known, given = declared_loops(model), list(loops)
    return {
        language: tuple(
            _called(model, loop, known.get(canonical(loop)), language) for loop in given
        )
        for language in ("en", "ko")
    }


def _called(model: Model, loop: Sequence[str], declared: Declared | None, language: str) -> str:
    if declared is not None:
        return f"{declared.name} “{declared.text(language)[0]}”"
    stocks = [name for name in loop if name in model.stocks]
    if len(loop) <= _LONG or not stocks:
        return " -> ".join(loop)
    return f"{' -> '.join(stocks)} ({'저량만' if language == 'ko' else 'stocks only'})"


_UNITS = {"year": "년", "month": "개월", "week": "주", "day": "일", "hour": "시간"}


def lasting(value: float, unit: str, language: str = "en") -> str:
    """A duration in a sentence: 12.1 years, 12.1년."""
    number = say(value)
    if language == "ko":
        return number + _UNITS.get(unit, f" {unit or '시간 단위'}")
    if not unit:
        return f"{number} units of time"
    return f"{number} {unit}{'s' if unit in _UNITS and number != '1' else ''}"


def each(unit: str, language: str = "en") -> str:
    """Per unit of time in a sentence: a year, 1년당."""
    if language == "ko":
        return f"1{_UNITS[unit]}당" if unit in _UNITS else f"{unit or '시간 단위'}당"
    return f"{'an' if unit == 'hour' else 'a'} {unit or 'unit of time'}"
