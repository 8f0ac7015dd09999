"""Random models and expressions for property tests.

``models()`` draws whole models with every kind of line; ``expressions()`` single expressions over given
names. What is drawn is sound: every name is declared, tables are read only where they can be, stocks
start from parameters, and an equation reads only stocks, parameters, time and what stands above it, so
that there is no algebraic loop. Values are any numbers, so a run may well overflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, key
from flywheel.functions import FUNCTIONS
from flywheel.model import (
    Aux,
    Check,
    Data,
    DataPoint,
    Declaration,
    Evidence,
    Flow,
    Lever,
    Loop,
    Model,
    Observe,
    Outcome,
    Param,
    Scenario,
    Setting,
    Stock,
    Table,
    Time,
    UnitDeclaration,
)
from flywheel.units import Unit

DATA_FOLDER = Path(__file__).parent / "language"
DATA_FILE = "sample.csv"
_SERIES: dict[str, tuple[tuple[float, float, bool, str, str], ...]] = {
    "customers": (
        (2001, 90, True, "primary", "till rolls"),
        (2002, 170, True, "primary", "till rolls"),
        (2003, 400, False, "no", "the owner remembers"),
        (2005, 1900, True, "transcribed", "till rolls"),
    ),
    "rent": ((2000, 24, True, "primary", "contract"), (2010, 30, True, "primary", "contract")),
}

# Words of the language are good names too, and the most likely to be misread.
_TRICKY = [
    "total", "mean", "peak", "trough", "at", "from", "to", "in", "of", "by", "once", "when", "then",
    "step", "save", "scenario", "param", "stock", "hold", "series", "error", "level", "cost", "guess",
    "model", "check", "gains", "loses", "smooth", "max", "e", "E1", "base", "활성_고객", "größe",
]  # fmt: skip
_RESERVED = {"time", "and", "or", "not", "if"}
_CALLED = set(FUNCTIONS) | {"base"}

numbers = st.one_of(
    st.integers(-1000, 1000).map(float),
    st.sampled_from([0.0, -0.0, 0.1, 1 / 16, 1e6, 1e-6, 1e300, -2.5e-300, 0.05, 1 / 3]),
    st.floats(allow_nan=False, allow_infinity=False),
)
"""Any finite number, with the everyday ones more often."""

texts = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn", "Cf")), max_size=30
)
"""What may stand in a label: any letters and signs, quotation marks and backslashes among them."""

_UNITS = ("year", "USD", "customer", "kg", "품목")
_unit_names = st.sampled_from(_UNITS)
_powers = st.sampled_from([Fraction(n) for n in (1, -1, 2, -2)] + [Fraction(1, 2), Fraction(-3, 2)])
units = st.none() | st.builds(
    Unit, st.lists(st.tuples(_unit_names, _powers), max_size=3).map(tuple)
)


def names(count: int) -> st.SearchStrategy[list[str]]:
    """Different names; never one that a table could not have, nor one of the units in use."""
    plain = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
    return st.lists(
        (plain | st.sampled_from(_TRICKY)).filter(
            lambda name: key(name) not in _RESERVED | _CALLED | {key(unit) for unit in _UNITS}
        ),
        min_size=count,
        max_size=count,
        unique_by=key,
    )


def expressions(
    names: Sequence[str],
    *,
    tables: Sequence[str] = (),
    kinds: Sequence[str] = ("math", "time", "delay", "noise"),
    max_leaves: int = 8,
) -> st.SearchStrategy[Expr]:
    """Expressions over names, with every operator, and calls of tables and functions of ``kinds``."""
    leaves: st.SearchStrategy[Expr] = st.builds(Number, numbers)
    if names:
        leaves |= st.builds(Name, st.sampled_from(list(names)))
    callable_names = [name for name, f in FUNCTIONS.items() if f.kind in kinds]

    def calls(inner: st.SearchStrategy[Expr], name: str) -> st.SearchStrategy[Expr]:
        function = FUNCTIONS[name]
        least = len(function.required)
        most = least + (2 if function.many else len(function.optional))
        args = st.lists(inner, min_size=least, max_size=most).map(tuple)
        return st.builds(Call, st.just(name), args)

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        operators = ["+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
        grown = st.builds(Binary, st.sampled_from(operators), inner, inner)
        grown |= st.builds(Unary, st.sampled_from(["-", "not"]), inner)
        if callable_names:
            grown |= st.sampled_from(callable_names).flatmap(lambda name: calls(inner, name))
        if tables:
            grown |= st.builds(Call, st.sampled_from(list(tables)), st.tuples(inner))
        return grown

    return st.recursive(leaves, extend, max_leaves=max_leaves)


def claims(names: Sequence[str], outcomes: Sequence[str] = ()) -> st.SearchStrategy[Expr]:
    """Conditions over names."""
    inner = expressions([*names, *outcomes], kinds=("math",), max_leaves=4)
    operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "and", "or"])
    return st.builds(Binary, operators, inner, inner) | st.builds(Unary, st.just("not"), inner)


@st.composite
def _common(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Name, label, documentation and translations."""
    codes = draw(st.lists(st.sampled_from(["ko", "de", "to", "in"]), max_size=2, unique=True))
    return {
        "name": name,
        "label": draw(st.just("") | texts),
        "doc": draw(st.just("") | texts | st.lists(texts, max_size=12).map(" ".join)),
        "translations": tuple((code, draw(texts), draw(st.just("") | texts)) for code in codes),
    }


@st.composite
def times(draw: st.DrawFn) -> Time:
    """A time line of at most a few hundred steps."""
    start = float(draw(st.integers(0, 2000)))
    step = draw(st.sampled_from([1.0, 0.5, 0.25, 0.125, 1 / 16, 0.1, 2.0]))
    saves = draw(st.integers(1, 4))
    steps = saves * draw(st.integers(1, 40))
    return Time(start, start + steps * step, step, saves * step, draw(units))


@st.composite
def _params(draw: st.DrawFn, name: str) -> Param:
    low = high = None
    if draw(st.booleans()):
        low, high = sorted((draw(numbers), draw(numbers)))
    kinds = st.sampled_from(["guess", "estimate", "survey", "measured"])
    deviations = st.none() | st.floats(1e-9, 1e9)
    evidence = draw(st.none() | st.builds(Evidence, kinds, st.just("") | texts, deviations))
    return Param(
        **draw(_common(name)),
        value=draw(numbers),
        unit=draw(units),
        low=low,
        high=high,
        evidence=evidence,
    )


@st.composite
def _tables(draw: st.DrawFn, name: str, axis: str) -> Table:
    xs = sorted(draw(st.sets(st.integers(-50, 50), min_size=2, max_size=6)))
    return Table(
        **draw(_common(name)),
        input=axis,
        points=tuple((float(x), draw(numbers)) for x in xs),
        unit=draw(units),
        input_unit=draw(units),
        extrapolate=draw(st.booleans()),
    )


@st.composite
def _data(draw: st.DrawFn, name: str) -> Data:
    series = draw(st.sampled_from(sorted(_SERIES)))
    scale = draw(st.sampled_from([1.0, 0.001, -2.5, 1 / 3]))
    offset = draw(st.sampled_from([0.0, 0.5, -10.0]))
    points = tuple(
        DataPoint(time + offset, value * scale, verified, status, source)
        for time, value, verified, status, source in _SERIES[series]
    )
    return Data(
        **draw(_common(name)),
        path=DATA_FILE,
        series=series,
        scale=scale,
        offset=offset,
        hold=draw(st.booleans()),
        unit=draw(units),
        points=points,
    )


@st.composite
def _window(draw: st.DrawFn, time: Time, moment: bool) -> dict[str, float | None]:
    """``at`` one moment, or a stretch."""
    middle = (time.start + time.stop) / 2
    if moment:
        return {"at": draw(st.sampled_from([time.start, middle, time.stop]))}
    return {
        "since": draw(st.sampled_from([None, time.start])),
        "until": draw(st.sampled_from([None, time.stop])),
    }


@st.composite
def _outcomes(
    draw: st.DrawFn, name: str, time: Time, variables: list[str], computed: list[str]
) -> Outcome:
    measure = draw(
        st.sampled_from(["at", "total", "mean", "peak", "trough", "time of", "value"])
    )
    window: dict[str, float | None] = {}
    discount = 0.0
    if measure == "value":
        expr = draw(expressions(computed, kinds=("math",)))
    elif measure == "time of":
        expr = draw(claims(variables))
    else:
        expr = draw(expressions(variables))
    if measure != "value":
        window = draw(_window(time, measure == "at"))
    if measure == "total":
        discount = draw(st.sampled_from([0.0, 0.08, 0.123, 1 / 3]))
    return Outcome(
        **draw(_common(name)),
        measure=measure,
        expr=expr,
        discount=discount,
        unit=draw(units),
        **window,
    )


@st.composite
def _levers(draw: st.DrawFn, name: str, params: list[str], variables: list[str]) -> Lever:
    to = by = None
    if draw(st.booleans()):
        to = draw(expressions(params, kinds=("math",)))
    else:
        by = draw(st.sampled_from([0.1, -0.25, 1 / 3, 2.0]))
    cost = draw(st.none() | expressions(variables))
    return Lever(
        **draw(_common(name)),
        param=draw(st.sampled_from(params)),
        to=to,
        by=by,
        at=draw(st.none() | numbers),
        level=draw(st.none() | st.integers(1, 12)),
        cost=cost,
        once=cost is not None and draw(st.booleans()),
    )


@st.composite
def _settings(
    draw: st.DrawFn, params: list[str], stocks: list[str]
) -> tuple[Setting, ...]:
    chosen = draw(
        st.lists(st.sampled_from([*params, *stocks]), min_size=1, max_size=3, unique=True)
    )
    settings = []
    for name in chosen:
        since = until = None
        if name in params:
            since = draw(st.sampled_from([None, 2000.0]))
            until = draw(st.sampled_from([None, 2010.5]))
        value = draw(expressions(params, kinds=("math",), max_leaves=4))
        settings.append(Setting(name, value, since, until))
    return tuple(settings)


@st.composite
def _rules(
    draw: st.DrawFn,
    readable: list[str],
    tables: list[str],
    kinds: Sequence[str],
    desired_rules: bool,
) -> tuple[Expr, Expr | None]:
    """An equation, and perhaps the one that is desired."""
    rules = expressions(readable, tables=tables, kinds=kinds)
    return draw(rules), draw(rules) if desired_rules and draw(st.booleans()) else None


@st.composite
def models(
    draw: st.DrawFn,
    *,
    kinds: Sequence[str] = ("math", "time", "delay", "noise"),
    data: bool = True,
    desired_rules: bool = True,
) -> Model:
    """A sound model with every kind of line.

    ``kinds`` are the kinds of functions in its equations. Its data lines read ``DATA_FILE`` in
    ``DATA_FOLDER``; there are none without ``data``. With ``desired_rules`` some equations have a second
    one beside them, the rule as it should be.
    """
    own_name, *pool = draw(names(26))

    def take(least: int, most: int) -> list[str]:
        count = draw(st.integers(least, most))
        return [pool.pop() for _ in range(min(count, len(pool)))]

    time = draw(times())
    params, stocks, flows = take(1, 4), take(1, 3), take(0, 3)
    lines: list[Declaration] = []
    for name in take(0, 2):
        definition = draw(units)
        factor = draw(st.floats(1e-9, 1e9)) if definition is not None else 1.0
        lines.append(UnitDeclaration(**draw(_common(name)), factor=factor, definition=definition))
    lines += [draw(_params(name)) for name in params]
    readable = [*params, *stocks, "time"]
    series = take(0, 2) if data else []
    lines += [draw(_data(name)) for name in series]
    readable += series
    tables: list[str] = []
    for name in take(0, 2):
        on_variable = draw(st.booleans())
        lines.append(draw(_tables(name, draw(st.sampled_from(readable)) if on_variable else name)))
        tables.append(name)
        if on_variable:
            readable.append(name)
    for name in take(0, 4):
        equation, desired = draw(_rules(readable, tables, kinds, desired_rules))
        common = draw(_common(name))
        lines.append(Aux(**common, equation=equation, unit=draw(units), desired=desired))
        readable.append(name)
    for name in flows:
        equation, desired = draw(_rules(readable, tables, kinds, desired_rules))
        common = draw(_common(name))
        lines.append(Flow(**common, equation=equation, unit=draw(units), desired=desired))
    for name in stocks:
        sides = [draw(st.sampled_from([0, 1, 2])) for _ in flows]
        low, high = sorted((draw(numbers), draw(numbers)))
        bounds = draw(st.sampled_from([(None, None), (low, None), (None, high), (low, high)]))
        if low == high:
            bounds = (None, None)
        lines.append(
            Stock(
                **draw(_common(name)),
                initial=draw(expressions(params, kinds=("math",), max_leaves=3)),
                unit=draw(units),
                gains=tuple(f for f, side in zip(flows, sides, strict=True) if side == 1),
                loses=tuple(f for f, side in zip(flows, sides, strict=True) if side == 2),
                low=bounds[0],
                high=bounds[1],
            )
        )
    variables = [name for name in readable if name != "time"] + flows
    if series:
        for name in stocks[:1]:
            error = draw(st.sampled_from([0.05, 0.123, 1 / 3]))
            lines.append(Observe(**draw(_common(name)), data=series[0], error=error))
    outcomes: list[str] = []
    for name in take(0, 3):
        lines.append(draw(_outcomes(name, time, variables, [*params, *outcomes])))
        outcomes.append(name)
    lines += [draw(_levers(name, params, variables)) for name in take(0, 2)]
    scenarios = take(0, 2)
    for name in scenarios:
        lines.append(Scenario(**draw(_common(name)), settings=draw(_settings(params, stocks))))
    path = [*stocks[:1], *flows[:2]]
    for name in take(0, 2):
        if len(path) > 1:
            lines.append(Loop(**draw(_common(f"R_{name}_loop")), path=(*path, path[0])))
    for name in take(0, 2):
        when = draw(st.just(()) | _settings(params, stocks))
        scenario = "" if when or not scenarios else draw(st.sampled_from(["", *scenarios]))
        claim = draw(claims(variables, outcomes))
        if when or scenario:
            base = Call("base", (Name(stocks[0]),))
            claim = draw(st.just(claim) | st.just(Binary("<", base, Name(stocks[0]))))
        window = draw(_window(time, draw(st.booleans())))
        lines.append(
            Check(**draw(_common(name)), claim=claim, when=when, scenario=scenario, **window)
        )
    common = draw(_common(own_name))
    return Model(
        name=common["name"],
        time=time,
        declarations=tuple(draw(st.permutations(lines))),
        label=common["label"],
        doc=common["doc"],
        translations=common["translations"],
    )
