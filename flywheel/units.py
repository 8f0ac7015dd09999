"""Units as written in a model, and what they mean: a scale times powers of base units.

``Unit`` is what the text says; ``Dimension`` is what it means; a ``UnitSystem`` leads from one to
the other. A model's own ``unit`` lines come first, then the words below (time, money, counts), then
the unit library pint, which is loaded only when a model names a unit that is in neither (0.3 s).

Nothing is ever converted silently: a day and a year are both times, yet adding them is a mistake
that a message explains, with the factor that is missing.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from flywheel.errors import Finding, Span, nearest

if TYPE_CHECKING:
    from pint import UnitRegistry


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
            shown = name
            if size != 1:
                shown = f"{name}^{size}" if size.denominator == 1 else f"{name}^({size})"
            if power > 0:
                text += f"*{shown}" if text else shown
            else:
                text += f"/{shown}" if text else f"1/{shown}"
        return text


Powers = tuple[tuple[str, Fraction], ...]

# Two scales closer than this are one: units are products of a few exact factors.
_SAME_SCALE = 1e-9


@dataclass(frozen=True, eq=False)
class Dimension:
    """What a unit means: a scale times the product of base units to their powers.

    ``log`` is the natural logarithm of the scale, so that no power overflows. ``bases`` is sorted by
    name and has no zero powers. ``shown`` are the unit names that it was made of, like ones gathered,
    so that a derived dimension still reads ``BUSD/year``. Two are equal when bases and scale agree
    (to 1e-9, for rounding); ``shown`` plays no part.
    """

    log: float = 0.0
    bases: Powers = ()
    shown: Powers = ()

    @classmethod
    def of(cls, scale: float, bases: Powers, shown: str) -> Dimension:
        """The dimension of a unit called ``shown``; ``scale`` is positive."""
        return cls(math.log(scale), bases, ((shown, Fraction(1)),))

    @property
    def scale(self) -> float:
        """How many base units make one of this; infinite or 0 where a float cannot say."""
        return _exp(self.log)

    def __mul__(self, other: Dimension) -> Dimension:
        return Dimension(
            self.log + other.log,
            tuple(sorted(_gather(self.bases + other.bases))),
            _gather(self.shown + other.shown),
        )

    def __truediv__(self, other: Dimension) -> Dimension:
        return self * other ** Fraction(-1)

    def __pow__(self, power: Fraction | int) -> Dimension:
        exponent = Fraction(power)
        if not exponent:
            return ONE
        return Dimension(
            self.log * float(exponent),
            tuple((name, size * exponent) for name, size in self.bases),
            tuple((name, size * exponent) for name, size in self.shown),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dimension):
            return NotImplemented
        return self.alike(other) and abs(self.log - other.log) <= _SAME_SCALE

    def __hash__(self) -> int:
        return hash(self.bases)

    def alike(self, other: Dimension) -> bool:
        """Whether both measure the same kind of thing, as day and year do, whatever the scale."""
        return self.bases == other.bases

    def factor_to(self, other: Dimension) -> float:
        """What to multiply an amount in this unit by to have it in ``other``; 365.25, year to day."""
        return _exp(self.log - other.log)

    @property
    def pure(self) -> bool:
        """Whether this is a plain number, ``[1]``. A percent is not: its scale is 0.01."""
        return self == ONE

    def __str__(self) -> str:
        first = tuple((name, power) for name, power in self.shown if power > 0)
        last = tuple((name, power) for name, power in self.shown if power < 0)
        return str(Unit(first + last))

    def __repr__(self) -> str:
        return f"<dimension {self}>"


ONE = Dimension()
"""Dimensionless."""


def _exp(log: float) -> float:
    try:
        return math.exp(log)
    except OverflowError:
        return math.inf


def _gather(powers: Iterable[tuple[str, Fraction]]) -> Powers:
    """Like names added up in order of first appearance, zero powers dropped."""
    total: dict[str, tuple[str, Fraction]] = {}
    for name, power in powers:
        folded = fold(name)
        spelling, sum_so_far = total.get(folded, (name, Fraction(0)))
        total[folded] = (spelling, sum_so_far + power)
    return tuple((name, power) for name, power in total.values() if power)


def fold(name: str) -> str:
    """The form in which unit names are compared: as ``expr.key``, which stands a layer above."""
    return unicodedata.normalize("NFKC", name).casefold()


# The usual words, so that a model in years and dollars never waits for pint. A test holds the times
# against pint's. Months are twelfths of the Julian year: equal steps, as a simulation wants them.
_SECONDS: dict[str, float] = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "week": 604800.0,
    "month": 2629800.0,
    "quarter": 7889400.0,
    "year": 31557600.0,
}
# Exchange rates move, so each currency is a base of its own.
_MONEY = ("USD", "EUR", "KRW", "GBP", "JPY", "CNY")
_COUNTS = {"person": "person", "persons": "person", "people": "person", "item": "item",
           "items": "item", "unit": "unit", "units": "unit"}  # fmt: skip
# Roots of pint's that are plain numbers to us.
_PLAIN = frozenset({"radian", "count"})
# Offered when a name is nearly one of these; pint itself knows some thousand.
_COMMON = ("meter", "kilometer", "gram", "kilogram", "tonne", "liter", "joule", "kWh", "percent")


def _own_words() -> dict[str, Dimension]:
    words: dict[str, Dimension] = {}
    for name, seconds in _SECONDS.items():
        for spelling in (name, f"{name}s"):
            words[spelling] = Dimension.of(seconds, (("second", Fraction(1)),), name)
    for name in _MONEY:
        words[fold(name)] = Dimension.of(1.0, ((name, Fraction(1)),), name)
    for name, base in _COUNTS.items():
        words[name] = Dimension.of(1.0, ((base, Fraction(1)),), base)
    return words


_WORDS = _own_words()


class DeclaredUnit(Protocol):
    """What a ``unit`` line offers: ``name`` is a base, or ``factor`` times ``definition``."""

    @property
    def name(self) -> str: ...
    @property
    def factor(self) -> float: ...
    @property
    def definition(self) -> Unit | None: ...
    @property
    def span(self) -> Span | None: ...


class UnitSystem:
    """The units of one model: its own declarations over the built-in ones.

    ``findings`` holds what is wrong with the declarations themselves (unknown names, circles, a
    scale that is not positive, a built-in word with another meaning).
    """

    def __init__(self, declarations: Iterable[DeclaredUnit] = ()) -> None:
        self._declared: dict[str, DeclaredUnit] = {}
        self._known: dict[str, Dimension | None] = {}
        self._path: list[str] = []
        self._findings: list[Finding] = []
        for declaration in declarations:
            self._declared.setdefault(fold(declaration.name), declaration)
        for name in self._declared:
            self._declaration(name)
        for name, declaration in self._declared.items():
            self._shadowing(name, declaration)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Mistakes in the declarations, in the order of the file."""
        return tuple(self._findings)

    def resolve(self, unit: Unit) -> tuple[Dimension | None, tuple[Finding, ...]]:
        """The meaning of a unit, or None and a finding for every name that is unknown."""
        result, findings = ONE, []
        sound = True
        for name, power in unit.factors:
            dimension = self._name(name)
            if dimension is None:
                sound = False
                if fold(name) not in self._declared:
                    findings.append(self._unknown(name, unit.span))
            else:
                result = result * dimension**power
        return (result if sound else None), tuple(dict.fromkeys(findings))

    def dimension(self, unit: Unit | None) -> Dimension | None:
        """The meaning of a unit where it has one; None for no unit or an unknown name."""
        return None if unit is None else self.resolve(unit)[0]

    def _name(self, name: str) -> Dimension | None:
        folded = fold(name)
        if folded in self._declared:
            return self._declaration(folded)
        if folded in _WORDS:
            return _WORDS[folded]
        return _from_library(name)

    def _declaration(self, folded: str) -> Dimension | None:
        """The meaning of a declared unit; a circle is reported once, where it closes."""
        if folded in self._known:
            return self._known[folded]
        declaration = self._declared[folded]
        if folded in self._path:
            names = [self._declared[n].name for n in self._path[self._path.index(folded) :]]
            self._findings.append(
                Finding(
                    "error",
                    "unit-cycle",
                    f"unit {declaration.name!r} is defined by itself: "
                    + " -> ".join([*names, declaration.name]),
                    declaration.span,
                    f"leave out the definition to make it a base unit: unit {declaration.name}",
                )
            )
            return None
        self._path.append(folded)
        one = ((declaration.name, Fraction(1)),)
        result: Dimension | None
        if declaration.definition is None:
            result = Dimension(0.0, one, one)
        else:
            meaning, findings = self.resolve(declaration.definition)
            self._findings.extend(findings)
            result = None
            if not (math.isfinite(declaration.factor) and declaration.factor > 0):
                self._findings.append(
                    Finding(
                        "error",
                        "unit-factor",
                        f"unit {declaration.name!r} has the factor {declaration.factor:g}; "
                        "a unit is a positive amount of another",
                        declaration.span,
                    )
                )
            elif meaning is not None:
                result = Dimension(math.log(declaration.factor) + meaning.log, meaning.bases, one)
        self._path.pop()
        self._known[folded] = result
        return result

    def _shadowing(self, folded: str, declaration: DeclaredUnit) -> None:
        built_in, own = _WORDS.get(folded), self._known.get(folded)
        if built_in is None or own is None or own == built_in:
            return
        self._findings.append(
            Finding(
                "warning",
                "unit-shadows",
                f"unit {declaration.name!r} is built in with another meaning; "
                "this declaration replaces it",
                declaration.span,
                f"leave the line out, or choose another name than {declaration.name!r}",
            )
        )

    def _unknown(self, name: str, span: Span | None) -> Finding:
        declared = [declaration.name for declaration in self._declared.values()]
        guess = nearest(name, [*declared, *_SECONDS, *_MONEY, *_COUNTS, *_COMMON])
        hint = f"declare it in a line of its own: unit {name}"
        if guess:
            hint = f"did you mean {guess!r}? Otherwise {hint}"
        return Finding("error", "unknown-unit", f"there is no unit called {name!r}", span, hint)


@lru_cache(maxsize=1)
def _library() -> UnitRegistry[Any]:
    from pint import UnitRegistry

    return UnitRegistry()


@lru_cache(maxsize=1024)
def _from_library(name: str) -> Dimension | None:
    """A unit of pint's: as spelt, else in the one way that differs only in case; None if neither.

    Units with an offset or a logarithm (degC, dB) are refused: 20 degC is no multiple of anything.
    Angles and pint's ``count`` come out dimensionless.
    """
    # pint would parse an expression; only a plain word may reach it.
    if not (name.isascii() and name.isidentifier()):
        return None
    registry: Any = _library()  # its types follow the magnitude, which here is a float
    spellings = [name, name.lower()]
    spellings += ["".join(parts) for parts in registry.parse_unit_name(name, case_sensitive=False)]
    spelling = next((word for word in spellings[:2] if registry.parse_unit_name(word)), None)
    if spelling is None:
        if len(spellings) != 3:
            return None
        spelling = spellings[2]
    try:
        nothing = registry.Quantity(0.0, spelling).to_root_units()
        one = registry.Quantity(1.0, spelling).to_root_units()
    except Exception:  # pint has several kinds of error for a word that is no unit
        return None
    scale = float(one.magnitude)
    if nothing.magnitude != 0 or not (math.isfinite(scale) and scale > 0):
        return None
    bases = []
    for base, power in one.unit_items():
        if base not in _PLAIN:
            bases.append((str(base), Fraction(float(power)).limit_denominator(64)))
    return Dimension.of(scale, tuple(sorted(bases)), name)
