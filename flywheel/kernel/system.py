"""The flat system of equations that every backend computes.

``expand`` turns a ``Model`` into a ``System``: delays have become stocks, tables lookups, timed
overrides switches. Backends (``reference``, ``llvm``) see only this. Hidden names contain ``@``, which
no model can spell; ``owner`` is always a name that the reader of the model knows.

Equations use a small vocabulary: Number, Name, Unary, Binary, and Call of a *math* function of
``flywheel.functions`` or of a lookup by its name. A Name is an input, a stock, an earlier equation, a
series, a pipeline, a noise stream, a switch, or ``time``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from flywheel.errors import Span
from flywheel.expr import Expr
from flywheel.model import Time

TIME_LATE = "time@late"
"""Only in switches: the time at the step's start plus ``NUDGE`` steps."""
TIME_EARLY = "time@early"
"""Only in switches: the time at the step's start minus ``NUDGE`` steps."""
NUDGE = 1e-6
"""In steps. A grid time that rounding puts just before an event counts as the event's time."""


@dataclass(frozen=True)
class Equation:
    """``name = expr``. ``owner`` is the declared variable whose line it comes from."""

    name: str
    expr: Expr
    owner: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class StockEquation:
    """A state: its value at the start and its rate of change."""

    name: str
    initial: Expr
    rate: Expr
    owner: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Lookup:
    """Linear between points; flat outside, or with ``extrapolate`` along the end segments."""

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    extrapolate: bool = False


@dataclass(frozen=True)
class Series:
    """A function of time from data: linear between points (or the last value), flat outside."""

    name: str
    times: tuple[float, ...]
    values: tuple[float, ...]
    hold: bool = False


@dataclass(frozen=True)
class Pipeline:
    """A pipeline delay. ``delay`` and ``initial`` are read once at the start of the run.

    With n = max(1, round(delay / step)), the value at the start of step k is ``initial`` for k < n and
    the input at the start of step k - n after that. Within a step it runs linearly to its value at the
    next step's start, so that a Runge-Kutta stage sees a continuous signal (values on the grid are
    Vensim's DELAY FIXED).
    """

    name: str
    input: Expr
    delay: Expr
    initial: Expr
    owner: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Noise:
    """Standard normal numbers, one per *model* step (``Time.step``), held over it.

    ``stream`` is a stable 64-bit number made from the owner's name and the position of the call, so
    that adding another variable leaves this stream as it was.
    """

    name: str
    stream: int
    owner: str


@dataclass(frozen=True)
class Switch:
    """A comparison of time and inputs only: 1 or 0, read at the start of a step and held over it."""

    name: str
    expr: Expr
    owner: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class DelayStage:
    """A time constant that the model asked for: ``tau`` of one stage, for the check against the step."""

    tau: Expr
    owner: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class System:
    """Everything a backend needs, each name once.

    ``equations`` are sorted: each reads only earlier ones (and stocks, inputs, …). ``initial_order``
    names stocks, pipelines and equations in an order in which their values at the start of the run can
    be computed: a Name of a stock then means its initial value, of a pipeline its initial value.
    ``visible`` are the model's own variables in the order of the file.
    """

    name: str
    time: Time
    inputs: tuple[str, ...]
    defaults: tuple[float, ...]
    stocks: tuple[StockEquation, ...]
    equations: tuple[Equation, ...]
    lookups: tuple[Lookup, ...]
    series: tuple[Series, ...]
    pipelines: tuple[Pipeline, ...]
    noises: tuple[Noise, ...]
    switches: tuple[Switch, ...]
    delay_stages: tuple[DelayStage, ...]
    initial_order: tuple[str, ...]
    visible: tuple[str, ...]

    def replace_defaults(self, defaults: tuple[float, ...]) -> System:
        """The same equations with other default inputs."""
        return dataclasses.replace(self, defaults=defaults)
