"""Units as written in a model: products of powers of unit names."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from flywheel.errors import Span


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as the text says it: ``BUSD/year/year`` is ((BUSD, 1), (year, -1), (year, -1)).

    ``[1]``, dimensionless, has no factors. Order and repetition are kept for printing.
    """

    factors: tuple[tuple[str, Fraction], ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if not self.factors:
            return "1"
        text = ""
        for name, power in self.factors:
            size = abs(power)
            shown = name if size == 1 else f"{name}^{size}" if size.denominator == 1 else f"{name}^({size})"
            if power > 0:
                text += f"*{shown}" if text else shown
            else:
                text += f"/{shown}" if text else f"1/{shown}"
        return text
