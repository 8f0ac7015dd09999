"""Systems with dials: hidden inputs that change how strongly their parts act.

Every dial rests at 0, where the system computes what it computed before. Because a dial is an input
like any other, one adjoint gives the derivative with respect to all of them, and a run with the dial
turned is what confirms it. Each function returns a new system with further inputs:

``push``    a parameter moved by so much during a period
``shift``   a stock that starts so much higher
``link``    how much one variable reacts to another: -1 cuts the link at its value at the start
``scale``   a variable made larger by a fraction
``bins``    a table raised by a fraction between two of its points
``see``     a link that is not there: a variable follows another one's smoothed, standardised value
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from flywheel.expr import Binary, BinaryOp, Call, Expr, Name, Number, names, rebuild, substitute
from flywheel.kernel.expand import topological
from flywheel.kernel.system import TIME_LATE, Equation, StockEquation, Switch, System

Change = Callable[[str, Expr], Expr]
"""From the owner of an expression and the expression to another one."""


def push_input(param: str, period: int = 0) -> str:
    """The input that moves a parameter during a period."""
    return f"{param}@push:{period}"


def edge_input(number: int) -> str:
    """The input that holds the time at which period ``number`` begins; the last one ends them."""
    return f"@edge:{number}"


def shift_input(stock: str) -> str:
    """The input that is added to a stock's initial value."""
    return f"{stock}@shift"


def link_input(source: str, target: str) -> str:
    """The dial of a link, as it is shown: ``price -> demand``."""
    return f"{source} -> {target}"


def reference_input(source: str) -> str:
    """The value at which a link from ``source`` is held where it is cut."""
    return f"{source}@reference"


def scale_input(name: str) -> str:
    """The fraction by which a variable is made larger."""
    return f"{name}@scale"


def bin_input(table: str, number: int) -> str:
    """The fraction by which a table is raised between its points ``number`` and ``number`` + 1; 0 is
    below the first point, and the last number is above the last."""
    return f"{table}@bin:{number}"


def see_input(source: str, target: str) -> str:
    """The strength of a link that is not there: target grows by so much per standard deviation."""
    return f"{source} ~> {target}"


def seen(source: str) -> tuple[str, str, str, str]:
    """Inputs of how a variable is seen: mean, standard deviation, smoothing time, first value."""
    return f"{source}@mean", f"{source}@sd", f"{source}@delay", f"{source}@first"


def push(system: System, params: Sequence[str], periods: int = 1) -> System:
    """Parameters that can be moved in each of some periods, which follow one another.

    Period k lasts from ``edge_input(k)`` until ``edge_input(k + 1)``; the edges rest at infinity.
    Initial values and the lengths of pipelines keep the parameters as they are.
    """
    infinity = float("inf")
    inputs = {edge_input(n): infinity for n in range(periods + 1)}
    inputs |= {push_input(p, k): 0.0 for p in params for k in range(periods)}
    conditions = [
        _both(
            Binary(">=", Name(TIME_LATE), Name(edge_input(k))),
            Binary("<", Name(TIME_LATE), Name(edge_input(k + 1))),
        )
        for k in range(periods)
    ]
    switches = [
        Switch(f"@period:{k}", condition, params[0] if params else "@period")
        for k, condition in enumerate(conditions)
    ]
    now: dict[str, Expr] = {p: Name(f"{p}@pushed") for p in params}

    def moved(param: str, on: Sequence[Expr]) -> Expr:
        total: Expr = Name(param)
        for k, condition in enumerate(on):
            total = _binary("+", total, _binary("*", Name(push_input(param, k)), condition))
        return total

    on: list[Expr] = [Name(switch.name) for switch in switches]
    inside = {p: moved(p, conditions) for p in params}
    changed = _rewritten(system, lambda _, expr: substitute(expr, now), initials=False)
    changed = replace(
        changed,
        switches=(
            *(replace(s, expr=substitute(s.expr, inside)) for s in system.switches),
            *switches,
        ),
    )
    return _with(changed, inputs, [Equation(f"{p}@pushed", moved(p, on), p) for p in params])


def shift(system: System, stocks: Iterable[str]) -> System:
    """Stocks whose initial value can be moved by ``shift_input``."""
    wanted = set(stocks)
    changed = tuple(
        replace(s, initial=_binary("+", s.initial, Name(shift_input(s.name))))
        if s.name in wanted
        else s
        for s in system.stocks
    )
    inputs = {shift_input(s.name): 0.0 for s in system.stocks if s.name in wanted}
    return _with(replace(system, stocks=changed), inputs, [])


def link(
    system: System, links: Iterable[tuple[str, str]], references: Mapping[str, float]
) -> System:
    """Links with a dial each: the target reads r + (1 + dial) (source - r).

    ``references`` holds r of every source, usually its value at the start. Everything that belongs to
    the target, the hidden stocks of its delays too, reads the source through the link.
    """
    by_target: dict[str, dict[str, Expr]] = {}
    inputs: dict[str, float] = {}
    made: list[Equation] = []
    for source, target in links:
        dial, held = link_input(source, target), reference_input(source)
        if dial in inputs:
            continue
        inputs[dial] = 0.0
        inputs[held] = references[source]
        away = _binary("-", Name(source), Name(held))
        gain = _binary("+", Number(1.0), Name(dial))
        through = f"{dial}@through"
        made.append(Equation(through, _binary("+", Name(held), _binary("*", gain, away)), target))
        by_target.setdefault(target, {})[source] = Name(through)
    nothing: dict[str, Expr] = {}

    def change(owner: str, expr: Expr) -> Expr:
        return substitute(expr, by_target.get(owner, nothing))

    return _with(_rewritten(system, change, initials=False), inputs, made)


def scale(system: System, variables: Iterable[str]) -> System:
    """Variables (equations, not stocks) that can be made larger by a fraction."""
    wanted = set(variables)
    changed = tuple(
        replace(e, expr=_larger(e.expr, Name(scale_input(e.name)))) if e.name in wanted else e
        for e in system.equations
    )
    inputs = {scale_input(e.name): 0.0 for e in system.equations if e.name in wanted}
    return _with(replace(system, equations=changed), inputs, [])


def bins(system: System, tables: Iterable[str] | None = None) -> System:
    """Tables (all by default) that can be raised by a fraction between any two of their points."""
    wanted = {
        one.name: one.xs for one in system.lookups if tables is None or one.name in set(tables)
    }
    inputs = {bin_input(t, n): 0.0 for t, xs in wanted.items() for n in range(len(xs) + 1)}

    def raised(node: Expr) -> Expr:
        if not isinstance(node, Call) or node.function not in wanted:
            return node
        xs, (x,) = wanted[node.function], node.args
        total: Expr = Number(0.0)
        for number in range(len(xs) + 1):
            inside: Expr | None = None
            if number > 0:
                inside = Binary(">=", x, Number(xs[number - 1]))
            if number < len(xs):
                below = Binary("<", x, Number(xs[number]))
                inside = below if inside is None else _both(inside, below)
            if inside is None:
                continue
            part = Call("if", (inside, Name(bin_input(node.function, number)), Number(0.0)))
            total = _binary("+", total, part)
        return _larger(node, total)

    changed = _rewritten(system, lambda _, expr: rebuild(expr, raised), initials=False)
    return _with(changed, inputs, [])


def see(
    system: System,
    links: Iterable[tuple[str, str]],
    scales: Mapping[str, tuple[float, float, float, float]],
) -> System:
    """Information that nobody uses yet: the target grows by a factor 1 + dial * z.

    z is the source, smoothed (so that no circle can close at one moment), minus its mean and divided
    by its standard deviation; ``scales`` holds mean, standard deviation, smoothing time and first
    value of every source. Targets are equations, not stocks.
    """
    inputs: dict[str, float] = {}
    stocks: dict[str, StockEquation] = {}
    factors: dict[str, Expr] = {}
    for source, target in links:
        mean, sd, delay, first = seen(source)
        inputs |= dict(zip((mean, sd, delay, first), scales[source], strict=True))
        inputs[see_input(source, target)] = 0.0
        level = f"{source}@seen"
        rate = _binary("/", _binary("-", Name(source), Name(level)), Name(delay))
        stocks[level] = StockEquation(level, Name(first), rate, source)
        standard = _binary("/", _binary("-", Name(level), Name(mean)), Name(sd))
        part = _binary("*", Name(see_input(source, target)), standard)
        factors[target] = _binary("+", factors[target], part) if target in factors else part
    equations = tuple(
        replace(e, expr=_larger(e.expr, factors[e.name])) if e.name in factors else e
        for e in system.equations
    )
    changed = replace(system, equations=equations, stocks=(*system.stocks, *stocks.values()))
    return _with(changed, inputs, [])


# Putting systems together -----------------------------------------------------------------------


def _binary(op: BinaryOp, left: Expr, right: Expr) -> Expr:
    return Binary(op, left, right)


def _both(a: Expr, b: Expr) -> Expr:
    return Binary("and", a, b)


def _larger(expr: Expr, fraction: Expr) -> Expr:
    return _binary("*", expr, _binary("+", Number(1.0), fraction))


def _rewritten(system: System, change: Change, *, initials: bool) -> System:
    """Every expression of the running system changed; with ``initials`` those of the start too."""
    return replace(
        system,
        equations=tuple(replace(e, expr=change(e.owner, e.expr)) for e in system.equations),
        stocks=tuple(
            replace(
                s,
                rate=change(s.owner, s.rate),
                initial=change(s.owner, s.initial) if initials else s.initial,
            )
            for s in system.stocks
        ),
        pipelines=tuple(replace(p, input=change(p.owner, p.input)) for p in system.pipelines),
    )


def _with(system: System, inputs: Mapping[str, float], equations: Sequence[Equation]) -> System:
    """More inputs and equations; everything in an order in which it can be computed."""
    known = {e.name: e for e in (*system.equations, *equations)}
    order = topological(known, lambda name: names(known[name].expr))
    reads = {s.name: names(s.initial) for s in system.stocks}
    reads |= {p.name: (*names(p.initial), *names(p.delay)) for p in system.pipelines}
    wanted = list(reads)
    reads |= {name: names(e.expr) for name, e in known.items()}
    new = {name: value for name, value in inputs.items() if name not in system.inputs}
    return replace(
        system,
        inputs=(*system.inputs, *new),
        defaults=(*system.defaults, *new.values()),
        equations=tuple(known[name] for name in order),
        initial_order=tuple(topological(reads, reads.__getitem__, wanted)),
    )
