"""Unfolding modules, ``use advertising as ads with traffic = customers``, and pairs of rules.

Every name of the module gets the prefix (``ads.load``), bound names become auxiliaries that read the
host, overrides replace equations and can be switched off by the parameter ``ads.on``. What comes out
is a plain list of declarations; nothing after this knows about modules.

A module's checks stay behind: they are claims about the module by itself, and ``flywheel check`` runs
them there. So do its observations, which compare with data that stand-alone numbers explain; levers and
scenarios that set what the host has bound; and outcomes, levers and scenarios that name a time outside
the host's run, because the module counts its own years.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from flywheel.declarations import (
    Aux,
    Check,
    Data,
    Declaration,
    Evidence,
    Flow,
    Lever,
    Loop,
    Observe,
    Outcome,
    Override,
    Param,
    Scenario,
    Setting,
    Stock,
    Table,
    Time,
    UnitDeclaration,
    Use,
)
from flywheel.expr import Binary, Call, Expr, Name, Number, names, rebuild, substitute
from flywheel.functions import FUNCTIONS, TIME
from flywheel.units import Unit

SWITCH = "on"
"""``PREFIX.on``: 1 while the module's overrides are in force."""
CLOCK = "clock"
"""``PREFIX.clock``: the time here at which the clock of a module used ``from`` a time is at 0."""
DESIRED = "desired"
"""``NAME.desired``: 1 while the desired rule of a flow or auxiliary is in force."""
OWN = "own"
"""``NAME.own``: the number of a parameter whose place an override has taken."""


def flatten(
    declarations: tuple[Declaration, ...], time: Time | None = None
) -> tuple[Declaration, ...]:
    """The declarations with every ``use`` followed by what it brings in, overrides applied, and
    every pair of decision rules joined by its switch. ``time`` is the host's, where it is known."""
    if not any(isinstance(d, Use) or _has_two_rules(d) for d in declarations):
        return declarations
    found: list[Declaration] = []
    known_units = {d.name for d in declarations if isinstance(d, UnitDeclaration)}
    overrides: list[tuple[Use, Override]] = []
    for declaration in declarations:
        found += _with_switch(declaration)
        if isinstance(declaration, Use):
            inner = _unfold(declaration, time)
            fresh = [d for d in inner if not (_is_unit(d) and d.name in known_units)]
            known_units |= {d.name for d in fresh if _is_unit(d)}
            found += fresh
            overrides += [(declaration, override) for override in declaration.overrides]
    for use, override in overrides:
        found = _override(found, use, override)
    return tuple(found)


def _has_two_rules(declaration: Declaration) -> bool:
    return isinstance(declaration, Flow | Aux) and declaration.desired is not None


def _with_switch(declaration: Declaration) -> list[Declaration]:
    """A rule with its desired version becomes one equation and the parameter that chooses."""
    if not isinstance(declaration, Flow | Aux) or declaration.desired is None:
        return [declaration]
    switch = Param(
        name=f"{declaration.name}.{DESIRED}",
        label=f"{declaration.label or declaration.name}: desired rule",
        value=0.0,
        unit=Unit(),
        low=0.0,
        high=1.0,
        evidence=Evidence("measured", "a switch: 1 the desired rule, 0 the current one"),
        span=declaration.desired.span or declaration.span,
        name_span=declaration.name_span,
    )
    span = declaration.desired.span
    both = Call("if", (Name(switch.name, span), declaration.desired, declaration.equation), span)
    return [switch, replace(declaration, equation=both, desired=None)]


def _is_unit(declaration: Declaration) -> bool:
    return isinstance(declaration, UnitDeclaration)


def _unfold(use: Use, time: Time | None) -> list[Declaration]:
    """What a module brings in, under its prefix. Units keep their names: they are everybody's."""
    if time is not None:
        time = replace(time, start=time.start - use.shift, stop=time.stop - use.shift)
    inner = flatten(use.module.declarations, time)
    bound = {binding.name: binding for binding in use.bindings}
    behind = _left_behind(inner, frozenset(bound), time)
    gone = _left_over(inner, frozenset(bound))
    names_inside = {d.name for d in inner if not isinstance(d, UnitDeclaration | Observe)}

    def rename(name: str) -> str:
        return f"{use.name}.{name}" if name in names_inside else name

    switch = Param(
        name=f"{use.name}.{SWITCH}",
        label=f"{use.label or use.module.label or use.name}: in force",
        value=1.0,
        unit=Unit(),
        low=0.0,
        high=1.0,
        evidence=Evidence("measured", "a switch: 1 in force, 0 not"),
        span=use.span,
        name_span=use.name_span,
    )
    found: list[Declaration] = [switch]
    if use.since is not None:
        found.append(_clock(use))
    asleep = time is None or use.module.time.start > time.start
    for declaration in inner:
        binding = bound.get(declaration.name)
        if isinstance(declaration, UnitDeclaration):
            found.append(declaration)
        elif binding is not None and not isinstance(declaration, Observe):
            found.append(
                Aux(
                    name=rename(declaration.name),
                    label=declaration.label,
                    doc=declaration.doc,
                    translations=declaration.translations,
                    equation=binding.expr,
                    unit=getattr(declaration, "unit", None),
                    span=binding.span,
                    name_span=binding.span,
                    seam=declaration.name_span or declaration.span,
                )
            )
        elif declaration.name not in gone | behind and not isinstance(declaration, Check | Observe):
            kept = _renamed(declaration, rename, gone)
            if kept is not None:
                found.append(_timed(kept, use, asleep))
    return found


def _clock(use: Use) -> Param:
    """The parameter that turns time here into the module's own; a number with a unit."""
    unit = use.module.time.unit
    return Param(
        name=f"{use.name}.{CLOCK}",
        label=f"{use.label or use.module.label or use.name}: time here when its clock is at 0",
        value=use.shift,
        unit=unit,
        evidence=Evidence("measured", f"used from {use.since:g}"),
        span=use.span,
        name_span=use.name_span,
    )


def _timed(declaration: Declaration, use: Use, asleep: bool) -> Declaration:
    """A declaration moved from the module's clock to the host's; flows rest before the module starts
    (``asleep``: the host starts earlier)."""
    shift = use.shift

    def moved(moment: float | None) -> float | None:
        return None if moment is None else moment + shift

    def of(expr: Expr) -> Expr:
        if use.since is None:
            return expr
        return rebuild(expr, _shifted(Name(f"{use.name}.{CLOCK}"), shift))

    match declaration:
        case Flow():
            equation = of(declaration.equation)
            if asleep:
                equation = Call("step", (equation, Number(use.wake)), equation.span)
            return replace(declaration, equation=equation)
        case Aux():
            return replace(declaration, equation=of(declaration.equation))
        case Stock():
            return replace(declaration, initial=of(declaration.initial))
        case Outcome():
            at, since, until = map(moved, (declaration.at, declaration.since, declaration.until))
            return replace(declaration, expr=of(declaration.expr), at=at, since=since, until=until)
        case Lever():
            cost = None if declaration.cost is None else of(declaration.cost)
            return replace(declaration, at=moved(declaration.at), cost=cost)
        case Scenario():
            settings = (
                replace(s, since=moved(s.since), until=moved(s.until)) for s in declaration.settings
            )
            return replace(declaration, settings=tuple(settings))
        case Data():
            points = (replace(p, time=p.time + shift) for p in declaration.points)
            return replace(declaration, points=tuple(points))
        case _:
            return declaration


# Which arguments of the time functions are moments (and not lengths of time).
_MOMENTS = {"step": (1,), "pulse": (0, 3), "ramp": (1, 2)}


def _shifted(clock: Name, shift: float) -> Callable[[Expr], Expr]:
    """Time in an expression of the module read off the module's clock."""

    def change(node: Expr) -> Expr:
        if isinstance(node, Name) and node.name == TIME:
            return Binary("-", node, clock, node.span)
        if isinstance(node, Call) and node.function in _MOMENTS:
            places = _MOMENTS[node.function]
            args = (later(arg) if n in places else arg for n, arg in enumerate(node.args))
            return replace(node, args=tuple(args))
        return node

    def later(moment: Expr) -> Expr:
        # A bare number takes the unit of time only while it stands alone.
        if isinstance(moment, Number):
            return replace(moment, value=moment.value + shift)
        return Binary("+", moment, clock, moment.span)

    return change


def _left_over(inner: Iterable[Declaration], bound: frozenset[str]) -> frozenset[str]:
    """Flows that only filled or emptied a stock which is now bound, and that nothing else reads."""
    inner = tuple(inner)
    stocks = [d for d in inner if isinstance(d, Stock)]
    candidates = {flow for s in stocks if s.name in bound for flow in (*s.gains, *s.loses)}
    for stock in stocks:
        if stock.name not in bound:
            candidates -= {*stock.gains, *stock.loses}
    read = {n for d in inner if d.name not in candidates for e in _expressions(d) for n in names(e)}
    return frozenset(candidates - read - bound)


def _left_behind(
    inner: Iterable[Declaration], bound: frozenset[str], time: Time | None
) -> frozenset[str]:
    """Outcomes, levers and scenarios that mean nothing here: what they set is bound to the host, or
    they name a time that the host does not run through."""

    def outside(*moments: float | None) -> bool:
        return time is not None and any(
            m is not None and not time.start <= m <= time.stop for m in moments
        )

    behind: set[str] = set()
    for declaration in inner:
        match declaration:
            case Lever():
                lost = declaration.param in bound or outside(declaration.at)
            case Scenario():
                lost = any(
                    s.name in bound or outside(s.since, s.until) for s in declaration.settings
                )
            case Outcome():
                # An outcome may be an expression of outcomes, which stand before it or after it.
                lost = outside(declaration.at, declaration.since, declaration.until)
            case _:
                continue
        if lost:
            behind.add(declaration.name)
    outcomes = [d for d in inner if isinstance(d, Outcome)]
    more = True
    while more:
        found = {d.name for d in outcomes if behind.intersection(names(d.expr))} - behind
        behind |= found
        more = bool(found)
    return frozenset(behind)


def _expressions(declaration: Declaration) -> list[Expr]:
    """The expressions that compute something over time."""
    match declaration:
        case Flow() | Aux():
            return [declaration.equation]
        case Stock():
            return [declaration.initial]
        case Table():
            return [Name(declaration.input)]
        case Outcome():
            return [declaration.expr]
        case Lever():
            return [e for e in (declaration.to, declaration.cost) if e is not None]
        case _:
            return []


def _renamed(
    declaration: Declaration, rename: Callable[[str], str], gone: frozenset[str]
) -> Declaration | None:
    """A declaration with every name that it holds put through ``rename``; None for a loop through
    something that is not there any more."""

    def of(expr: Expr) -> Expr:
        def change(node: Expr) -> Expr:
            if isinstance(node, Name) and node.name != TIME:
                return replace(node, name=rename(node.name))
            if isinstance(node, Call) and node.function not in FUNCTIONS:
                return replace(node, function=rename(node.function))
            return node

        return rebuild(expr, change)

    def setting(item: Setting) -> Setting:
        return replace(item, name=rename(item.name), value=of(item.value))

    own = replace(declaration, name=rename(declaration.name))
    match own:
        case Flow() | Aux():
            return replace(own, equation=of(own.equation))
        case Stock():
            gains = tuple(rename(f) for f in own.gains if f not in gone)
            loses = tuple(rename(f) for f in own.loses if f not in gone)
            return replace(own, initial=of(own.initial), gains=gains, loses=loses)
        case Table():
            return replace(own, input=rename(own.input))
        case Outcome():
            return replace(own, expr=of(own.expr))
        case Lever():
            to = None if own.to is None else of(own.to)
            cost = None if own.cost is None else of(own.cost)
            return replace(own, param=rename(own.param), to=to, cost=cost)
        case Scenario():
            return replace(own, settings=tuple(map(setting, own.settings)))
        case Loop():
            if any(name in gone for name in own.path):
                return None
            return replace(own, path=tuple(map(rename, own.path)))
        case Param() | Data() | Use():
            return own
        case _:
            return own


def _override(found: list[Declaration], use: Use, override: Override) -> list[Declaration]:
    """The declarations with one equation replaced while the module is in force."""
    changed: list[Declaration] = []
    for declaration in found:
        if declaration.name != override.name:
            changed.append(declaration)
            continue
        match declaration:
            case Flow() | Aux():
                equation = _switched(use, override, declaration.equation)
                changed.append(replace(declaration, equation=equation))
            case Param():
                own = replace(declaration, name=f"{declaration.name}.{OWN}")
                equation = _switched(use, override, Name(own.name, declaration.name_span))
                shared = {
                    f.name: getattr(declaration, f.name) for f in dataclasses.fields(Declaration)
                }
                changed += [own, Aux(**shared, equation=equation, unit=declaration.unit)]
            case _:
                changed.append(declaration)
    return changed


def _switched(use: Use, override: Override, before: Expr) -> Expr:
    """``if(PREFIX.on, new, old)``: in the new equation the name itself means the old one."""
    mapping: Mapping[str, Expr] = {override.name: before}
    equation = substitute(override.equation, mapping)
    switch = Name(f"{use.name}.{SWITCH}", override.span)
    return Call("if", (switch, equation, before), override.span)
