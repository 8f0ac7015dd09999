"""A model: an immutable list of declarations, as the text gives them.

Everything that can stand at the left margin of a ``.fly`` file is one frozen ``Declaration``. A
``Model`` is a tuple of them with look-up tables; a change makes a new one (``with_``). Nothing here
computes: the language reads and prints models, ``checks`` judges them, ``kernel`` compiles them.

Spans and comments do not take part in equality or in the content hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

from flywheel.errors import Source, Span, UsageError, unknown_name
from flywheel.expr import Expr, key
from flywheel.units import Unit

EvidenceKind = Literal["guess", "estimate", "survey", "measured"]
Measure = Literal["at", "total", "mean", "peak", "trough", "time of", "value"]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What every line has: a name, a short label, documentation, translations, its place."""

    name: str
    label: str = ""
    doc: str = ""
    translations: tuple[tuple[str, str, str], ...] = ()
    """Per language code: label and documentation, ``("ko", "활성 고객", "")``."""
    span: Span | None = field(default=None, compare=False, repr=False)
    """The whole line."""
    name_span: Span | None = field(default=None, compare=False, repr=False)
    comments: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Full-line comments above this line, without the ``#``; an empty string is a blank line."""
    trailing_comment: str = field(default="", compare=False, repr=False)

    def text(self, language: str = "en") -> tuple[str, str]:
        """Label and documentation in a language; English, then the name, where there is none."""
        for code, label, doc in self.translations:
            if code == language:
                return label or self.label or self.name, doc or self.doc
        return self.label or self.name.replace("_", " "), self.doc


@dataclass(frozen=True)
class Time:
    """``time 1997 to 2030 [year] step 1/16 save 1/4``: all in the one unit of time."""

    start: float
    stop: float
    step: float
    save: float
    unit: Unit | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class UnitDeclaration(Declaration):
    """``unit customer`` (a base unit) or ``unit Mcust = 1e6 customer`` (factor and unit)."""

    factor: float = 1.0
    definition: Unit | None = None
    """None for a base unit."""


@dataclass(frozen=True)
class Evidence:
    """Where a number comes from, how sure it is (``sd`` in the parameter's unit)."""

    kind: EvidenceKind
    source: str = ""
    sd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Param(Declaration):
    """A number somebody can argue about: value, plausible range, evidence."""

    value: float
    unit: Unit | None = None
    low: float | None = None
    high: float | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, kw_only=True)
class Stock(Declaration):
    """An accumulation. ``low`` and ``high`` are bounds that are reported when left, not clipped."""

    initial: Expr
    unit: Unit | None = None
    gains: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Flow(Declaration):
    """A rate of change of the stocks that gain or lose it."""

    equation: Expr
    unit: Unit | None = None


@dataclass(frozen=True, kw_only=True)
class Aux(Declaration):
    """An auxiliary: an equation with a name."""

    equation: Expr
    unit: Unit | None = None


@dataclass(frozen=True, kw_only=True)
class Table(Declaration):
    """A lookup. Its name alone is its value at ``input``; ``name(x)`` reads it anywhere.

    ``points`` ascend in x. Outside them the value is that of the end, or with ``extrapolate`` the
    line through the last two points.
    """

    input: str
    points: tuple[tuple[float, float], ...]
    unit: Unit | None = None
    input_unit: Unit | None = None
    extrapolate: bool = False


@dataclass(frozen=True)
class DataPoint:
    """One value of a series; ``verified`` is False where the file's status column says ``no``."""

    time: float
    value: float
    verified: bool = True
    status: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Data(Declaration):
    """A series from a CSV beside the model: ``value * scale`` at ``time + offset``.

    ``points`` are read when the file is opened (already scaled and shifted, ascending in time);
    between points linear, or with ``hold`` the last value.
    """

    path: str
    series: str = ""
    scale: float = 1.0
    offset: float = 0.0
    hold: bool = False
    unit: Unit | None = None
    points: tuple[DataPoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Observe(Declaration):
    """``observe revenue by net_sales error 5%``: ``name`` is the variable, ``error`` a fraction."""

    data: str
    error: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Outcome(Declaration):
    """One number about a run.

    ``measure`` says how ``expr`` becomes a number: ``at`` a time, ``total`` (integral over time, with
    ``discount`` per time unit back to ``since`` or the start), ``mean``, ``peak``, ``trough``,
    ``time of`` (first time that the condition ``expr`` holds), or ``value`` (an expression of other
    outcomes). ``since`` and ``until`` narrow the window.
    """

    measure: Measure
    expr: Expr
    at: float | None = None
    since: float | None = None
    until: float | None = None
    discount: float = 0.0
    unit: Unit | None = None


@dataclass(frozen=True, kw_only=True)
class Lever(Declaration):
    """What a decision maker can pull: ``param`` moved to ``to``, or by the fraction ``by``.

    ``level`` is Meadows' place (12 to 1). ``cost`` is per time unit, or one payment if ``once``.
    """

    param: str
    to: Expr | None = None
    by: float | None = None
    at: float | None = None
    level: int | None = None
    cost: Expr | None = None
    once: bool = False


@dataclass(frozen=True)
class Setting:
    """``name = value``, from and until a time: one override of a scenario or of a check's condition.

    ``name`` is a parameter or (untimed) a stock's initial value; ``value`` reads only parameters.
    """

    name: str
    value: Expr
    since: float | None = None
    until: float | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Scenario(Declaration):
    """A named set of overrides."""

    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Loop(Declaration):
    """A feedback loop by its path; the first name is repeated at the end. R or B starts its name."""

    path: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check(Declaration):
    """A claim that must hold: in every run, or under the condition ``when``.

    ``claim`` is a condition over variables and outcomes; ``base(x)`` in it reads ``x`` in the run
    without the condition. It is judged at ``at``, or at every saved time from ``since`` to ``until``.
    """

    claim: Expr
    when: tuple[Setting, ...] = ()
    scenario: str = ""
    at: float | None = None
    since: float | None = None
    until: float | None = None


Variable = Stock | Flow | Aux | Table | Data
D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True, repr=False)
class Model:
    """A whole model. Immutable; equal when it says the same, wherever it was written.

    Look-ups by name (``params``, ``stocks``, …) are read-only mappings in the order of the file, from
    the declared spelling to the declaration.
    """

    name: str
    time: Time
    declarations: tuple[Declaration, ...] = ()
    label: str = ""
    doc: str = ""
    translations: tuple[tuple[str, str, str], ...] = ()
    source: Source | None = field(default=None, compare=False)
    comments: tuple[str, ...] = field(default=(), compare=False)
    """Comments at the top of the file."""
    closing_comments: tuple[str, ...] = field(default=(), compare=False)
    """Comments after the last line."""

    def _of(self, kind: type[D]) -> Mapping[str, D]:
        return MappingProxyType({d.name: d for d in self.declarations if isinstance(d, kind)})

    @cached_property
    def units(self) -> Mapping[str, UnitDeclaration]:
        return self._of(UnitDeclaration)

    @cached_property
    def params(self) -> Mapping[str, Param]:
        return self._of(Param)

    @cached_property
    def stocks(self) -> Mapping[str, Stock]:
        return self._of(Stock)

    @cached_property
    def flows(self) -> Mapping[str, Flow]:
        return self._of(Flow)

    @cached_property
    def auxes(self) -> Mapping[str, Aux]:
        return self._of(Aux)

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        return self._of(Table)

    @cached_property
    def data(self) -> Mapping[str, Data]:
        return self._of(Data)

    @cached_property
    def outcomes(self) -> Mapping[str, Outcome]:
        return self._of(Outcome)

    @cached_property
    def levers(self) -> Mapping[str, Lever]:
        return self._of(Lever)

    @cached_property
    def scenarios(self) -> Mapping[str, Scenario]:
        return self._of(Scenario)

    @cached_property
    def loops(self) -> Mapping[str, Loop]:
        return self._of(Loop)

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        return self._of(Check)

    @cached_property
    def observes(self) -> tuple[Observe, ...]:
        """The comparisons with data (a variable may be observed by several series)."""
        return tuple(d for d in self.declarations if isinstance(d, Observe))

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Everything that has a value at every time: stocks, flows, auxiliaries, tables, data."""
        return MappingProxyType(
            {
                d.name: d
                for d in self.declarations
                if isinstance(d, Stock | Flow | Aux | Table | Data)
            }
        )

    @cached_property
    def _by_key(self) -> Mapping[str, Declaration]:
        found: dict[str, Declaration] = {}
        for declaration in self.declarations:
            if not isinstance(declaration, Observe):
                found.setdefault(key(declaration.name), declaration)
        return found

    def __getitem__(self, name: str) -> Declaration:
        """The declaration of a name, in any case; an unknown one raises UnknownNameError."""
        found = self._by_key.get(key(name))
        if found is None:
            raise unknown_name(name, "name", self._names(), f"model {self.name}")
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key(name) in self._by_key

    def __iter__(self) -> Iterator[Declaration]:
        return iter(self.declarations)

    def _names(self) -> Iterable[str]:
        return (d.name for d in self.declarations if not isinstance(d, Observe))

    def with_(self, *, name: str | None = None, **values: float) -> Self:
        """A new model with other parameter values or initial stock values.

        Raises UnknownNameError for a name that is neither, UsageError for a value that is no number.
        """
        from flywheel.expr import Number

        changed: dict[str, Declaration] = {}
        for given, value in values.items():
            declaration = self._by_key.get(key(given))
            if not isinstance(declaration, Param | Stock):
                owner = f"model {self.name}"
                raise unknown_name(given, "parameter or stock", [*self.params, *self.stocks], owner)
            number = as_number(given, value)
            if isinstance(declaration, Param):
                changed[declaration.name] = dataclasses.replace(declaration, value=number)
            else:
                changed[declaration.name] = dataclasses.replace(declaration, initial=Number(number))
        return dataclasses.replace(
            self,
            name=self.name if name is None else name,
            declarations=tuple(
                changed.get(d.name, d) if isinstance(d, Param | Stock) else d
                for d in self.declarations
            ),
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the model says: the same for any spacing, comments or file name."""
        digest = hashlib.sha256()
        for part in _canonical(self):
            digest.update(part.encode())
            digest.update(b"\0")
        return digest.hexdigest()

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{len(group)} {word}"
            for group, word in [
                (self.stocks, "stocks"),
                (self.flows, "flows"),
                (self.auxes, "auxiliaries"),
                (self.params, "parameters"),
                (self.loops, "loops"),
            ]
        )
        return f"<model {self.name}: {counts}>"


def as_number(name: str, value: object) -> float:
    """A finite float, or a UsageError that names the offending argument."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be a number, not {value!r}") from None
    if isinstance(value, bool | str) or number != number or number in (float("inf"), float("-inf")):
        raise UsageError(f"{name} must be a finite number, not {value!r}")
    return number


def _canonical(value: Any) -> Iterator[str]:
    """A flat, unambiguous reading of the compared fields of nested dataclasses."""
    if dataclasses.is_dataclass(value):
        yield type(value).__name__ if not isinstance(value, Model) else "Model"
        for item in dataclasses.fields(value):
            if item.compare:
                yield item.name
                yield from _canonical(getattr(value, item.name))
        yield ")"
    elif isinstance(value, tuple):
        yield f"({len(value)}"
        for item in value:
            yield from _canonical(item)
    else:
        yield f"{type(value).__name__}:{value!r}"
