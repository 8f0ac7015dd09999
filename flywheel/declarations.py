"""Declarations: what can stand at the left margin of a model's text, each a frozen dataclass.

Spans and comments do not take part in equality or in the content hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from flywheel.errors import Source, Span
from flywheel.expr import Expr
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
    """A rate of change of the stocks that gain or lose it.

    ``desired`` is the decision rule as it should be, beside ``equation``, the rule as it is; the
    parameter ``NAME.desired`` (0 or 1) says which one is in force.
    """

    equation: Expr
    unit: Unit | None = None
    desired: Expr | None = None


@dataclass(frozen=True, kw_only=True)
class Aux(Declaration):
    """An auxiliary: an equation with a name. ``desired`` as in ``Flow``."""

    equation: Expr
    unit: Unit | None = None
    desired: Expr | None = None
    seam: Span | None = field(default=None, compare=False, repr=False)
    """For a name that was bound from outside its module: its own declaration there."""


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


@dataclass(frozen=True)
class Module:
    """The content of another model, as ``use`` plugs it in: its declarations as they are written."""

    name: str
    time: Time
    declarations: tuple[Declaration, ...]
    label: str = ""
    doc: str = ""
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Binding:
    """``name = expr`` after ``with``: a name of the module, given from outside."""

    name: str
    expr: Expr
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Override:
    """``override name = equation``: another equation for a name that exists already.

    In ``equation`` the name itself stands for what it was before.
    """

    name: str
    equation: Expr
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Use(Declaration):
    """``use MODEL as NAME with …``: another model under the prefix ``NAME.``.

    ``NAME.on`` is a parameter, 1; at 0 the module's overrides are not in force. ``since`` is the time
    here at which the module's own clock stands at its start; without it both clocks are the same.
    Before the module's start its stocks stand still.
    """

    model: str
    module: Module
    since: float | None = None
    bindings: tuple[Binding, ...] = ()
    overrides: tuple[Override, ...] = ()

    @property
    def shift(self) -> float:
        """Time here minus time in the module."""
        return 0.0 if self.since is None else self.since - self.module.time.start

    @property
    def wake(self) -> float:
        """When the module starts, in the time of here."""
        return self.module.time.start + self.shift


Variable = Stock | Flow | Aux | Table | Data
