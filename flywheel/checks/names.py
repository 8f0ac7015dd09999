"""Do the names of a model lead somewhere, and is everything in it used?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flywheel.errors import Finding, Severity, Span, nearest
from flywheel.expr import Call, Expr, Name, key, names, walk
from flywheel.functions import FUNCTIONS, TIME
from flywheel.model import (
    Aux,
    Check,
    Declaration,
    Flow,
    Lever,
    Loop,
    Model,
    Observe,
    Outcome,
    Scenario,
    Setting,
    Stock,
    Table,
)

BASE = "base"
"""``base(x)`` in a claim: x in the run without the claim's condition."""


def check_names(model: Model, strict: bool = False) -> tuple[Finding, ...]:
    """Findings about names, in the order of the file.

    Codes: ``unknown-name``, ``duplicate-name``, ``unused-parameter`` (nothing reads it),
    ``idle-flow`` (no stock gains or loses it), ``cancelled-flow`` (a stock gains and loses it),
    ``claim-function`` (a claim asks for a function that has a memory). What is merely idle is a
    warning, in strict mode an error; what a module brings along and this model does not need is
    neither.
    """
    idle: Severity = "error" if strict else "warning"
    return (
        *_duplicates(model),
        *_unknown(model),
        *_claims(model),
        *_unused(model, idle),
        *_flows(model, idle),
    )


def _duplicates(model: Model) -> Iterator[Finding]:
    seen: dict[str, Declaration] = {}
    for declaration in model.flat:
        if isinstance(declaration, Observe):
            continue
        # Units are looked up in brackets only, so ``unit customer`` may stand beside a stock.
        kind = "unit" if declaration.name in model.units else ""
        folded = kind + " " + key(declaration.name)
        first = seen.setdefault(folded, declaration)
        if first is not declaration:
            line = f" (line {first.span.line})" if first.span else ""
            yield Finding(
                "error",
                "duplicate-name",
                f"{declaration.name!r} is declared twice{line}",
                declaration.name_span or declaration.span,
                "names are compared without regard to case; choose another one",
            )


def _unknown(model: Model) -> Iterator[Finding]:
    values = {TIME, *model.variables, *model.params}
    for declaration in model.flat:
        for expr in equations(declaration):
            extra = set(model.outcomes) if isinstance(declaration, Outcome | Check) else set()
            yield from _in_expression(expr, values | extra, model)
        span = declaration.name_span or declaration.span
        match declaration:
            case Stock(gains=gains, loses=loses):
                flows = {**model.flows, **model.auxes, **model.tables, **model.data}
                yield from _missing((*gains, *loses), flows, "flow", span)
            case Observe(name=name, data=data):
                yield from _missing([name], model.variables, "variable", span)
                yield from _missing([data], model.data, "data series", span)
            case Lever(param=param):
                yield from _missing([param], model.params, "parameter", span)
            case Scenario(settings=settings) | Check(when=settings):
                yield from _targets(model, settings, span)
            case Loop(path=path):
                yield from _missing(dict.fromkeys(path), model.variables, "variable", span)
            case _:
                pass
        if isinstance(declaration, Check) and declaration.scenario:
            yield from _missing([declaration.scenario], model.scenarios, "scenario", span)


def _targets(model: Model, settings: Iterable[Setting], span: Span | None) -> Iterator[Finding]:
    for setting in settings:
        known = {*model.params, *model.stocks}
        yield from _missing([setting.name], known, "parameter or stock", setting.span or span)


def _missing(
    wanted: Iterable[str], known: Iterable[str], kind: str, span: Span | None
) -> Iterator[Finding]:
    known = list(known)
    for name in wanted:
        if name not in known:
            yield _no_such(name, known, kind, span)


def _in_expression(expr: Expr, known: set[str], model: Model) -> Iterator[Finding]:
    for node in walk(expr):
        if isinstance(node, Name) and node.name not in known:
            yield _no_such(node.name, sorted(known), "variable or parameter", node.span)
        if isinstance(node, Call) and node.function != BASE:
            functions = {**FUNCTIONS, **model.tables}
            if node.function not in functions:
                yield _no_such(node.function, functions, "function or table", node.span)


def _no_such(name: str, known: Iterable[str], kind: str, span: Span | None) -> Finding:
    guess = nearest(name, known)
    hint = f"did you mean {guess!r}?" if guess else ""
    return Finding("error", "unknown-name", f"there is no {kind} called {name!r}", span, hint)


def _claims(model: Model) -> Iterator[Finding]:
    """A claim is judged on saved values, so it cannot ask for what builds up along the run."""
    for check in model.checks.values():
        for node in walk(check.claim):
            function = FUNCTIONS.get(node.function) if isinstance(node, Call) else None
            if function is not None and function.kind != "math":
                yield Finding(
                    "error",
                    "claim-function",
                    f"a claim cannot use {function.name}",
                    node.span,
                    f"write aux x = {function.signature} and claim something about x",
                )


def equations(declaration: Declaration) -> tuple[Expr, ...]:
    """Every expression of a declaration."""
    match declaration:
        case Stock(initial=initial):
            return (initial,)
        case Flow(equation=equation) | Aux(equation=equation):
            return (equation,)
        case Outcome(expr=expr):
            return (expr,)
        case Lever(to=to, cost=cost):
            return tuple(expr for expr in (to, cost) if expr is not None)
        case Scenario(settings=settings):
            return tuple(setting.value for setting in settings)
        case Check(claim=claim, when=when):
            return (claim, *(setting.value for setting in when))
        case _:
            return ()


def from_module(model: Model, name: str) -> bool:
    """Whether a name came in with a module, where the host may leave parts unused."""
    return any(name.startswith(f"{prefix}.") for prefix in model.uses)


def _unused(model: Model, severity: Severity) -> Iterator[Finding]:
    """Parameters that nothing reads: to set one (a scenario, a lever) is not to read it."""
    read: set[str] = set()
    for declaration in model.flat:
        if isinstance(declaration, Table):
            read.add(declaration.input)
        for expr in equations(declaration):
            read.update(names(expr))
    for param in model.params.values():
        if param.name not in read and not from_module(model, param.name):
            yield Finding(
                severity,
                "unused-parameter",
                f"nothing reads parameter {param.name!r}",
                param.name_span or param.span,
                "use it in an equation or delete the line",
            )


def _flows(model: Model, severity: Severity) -> Iterator[Finding]:
    moved: set[str] = set()
    for stock in model.stocks.values():
        moved.update(stock.gains, stock.loses)
        for name in dict.fromkeys(stock.gains):
            if name in stock.loses:
                yield Finding(
                    "warning",
                    "cancelled-flow",
                    f"stock {stock.name!r} both gains and loses {name!r}: it changes nothing",
                    stock.name_span or stock.span,
                )
    for flow in model.flows.values():
        if flow.name not in moved and not from_module(model, flow.name):
            yield Finding(
                severity,
                "idle-flow",
                f"no stock gains or loses flow {flow.name!r}",
                flow.name_span or flow.span,
                f"name it in a stock (gains {flow.name}), or make it an aux",
            )
