"""A model as text. Parsing the text gives the same model again.

Every declaration is written as one line; the formatter then breaks the long ones, so that what is
printed is already in the agreed shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flywheel.errors import ModelError, Source, UsageError
from flywheel.expr import COMPARISONS, Binary, Call, Expr, Name, Number, Unary, key
from flywheel.language.build import parse_blocks
from flywheel.language.formatter import INDENT, comment_text, format_blocks
from flywheel.language.lexer import quote, read
from flywheel.language.parser import ENDS, number_value
from flywheel.model import (
    Aux,
    Check,
    Data,
    Declaration,
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
    Use,
)
from flywheel.units import Unit

# How tightly an operator binds; a part that binds less tightly than its place needs brackets.
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(1, 10)
_LEVELS = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


def print_number(value: float) -> str:
    """The shortest text that means exactly this number. Raises UsageError for NaN and infinities."""
    if value != value or abs(value) == float("inf"):
        raise UsageError(f"{value} cannot be written in a model")
    text = repr(float(value))
    if text.endswith(".0"):
        text = text[:-2]
        digits = text.rstrip("0")
        zeros = len(text) - len(digits)
        if zeros >= 6 and digits.strip("-"):
            text = f"{digits}e{zeros}"
    mantissa, _, exponent = text.partition("e")
    if exponent:
        text = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return text


def print_expr(expr: Expr) -> str:
    """An expression as text, with the brackets that it needs and no others."""
    return _expr(expr, 0)


def _expr(expr: Expr, place: int) -> str:
    text, level = _bare(expr)
    return f"({text})" if level < place else text


def _bare(expr: Expr) -> tuple[str, int]:
    """The text and how tightly its outermost operator binds."""
    match expr:
        case Number(value=value):
            text = print_number(value)
            return text, _SIGNED if text.startswith("-") else _ATOM
        case Name(name=name):
            return name, _ATOM
        case Call(function=function, args=args):
            return f"{function}({', '.join(_expr(arg, 0) for arg in args)})", _ATOM
        case Unary(op="not", operand=operand):
            return f"not {_expr(operand, _NOT)}", _NOT
        case Unary(operand=operand):
            inner = _expr(operand, _SIGNED)
            # Without brackets the minus would become part of the number.
            return (
                f"-({inner})"
                if inner[0] in "0123456789." and isinstance(operand, Number)
                else f"-{inner}"
            ), _SIGNED
        case Binary(op="^", left=left, right=right):
            return f"{_expr(left, _ATOM)}^{_expr(right, _SIGNED)}", _POWER
        case Binary(op=op, left=left, right=right) if op in COMPARISONS:
            return f"{_expr(left, _SUM)} {op} {_expr(right, _SUM)}", _COMPARISON
        case Binary(op=op, left=left, right=right):
            level = _LEVELS[op]
            return f"{_expr(left, level)} {op} {_expr(right, level + 1)}", level
    raise UsageError(f"{expr!r} is no expression")


def print_model(model: Model) -> str:
    """The text of a model, in the agreed shape.

    Raises UsageError for a model that no text can say: a number that is not finite, a name that is
    no name.
    """
    lines = [*_comments(model.comments)]
    label = f" {quote(model.label)}" if model.label else ""
    lines.append(f"model {model.name}{label}")
    lines += _texts(model.doc, model.translations)
    lines.append(_time(model.time))
    for declaration in model.declarations:
        lines += _comments(declaration.comments)
        line = _PRINTERS[type(declaration)](declaration)
        if declaration.trailing_comment:
            line += f"  {comment_text(declaration.trailing_comment)}"
        lines.append(line)
        lines += _texts(declaration.doc, declaration.translations)
    lines += _comments(model.closing_comments)
    text = read(Source(model.name, "\n".join(lines)))
    try:
        parse_blocks(text)
    except ModelError as error:
        reason = error.findings[0].message
        message = f"the model {model.name!r} cannot be written as text: {reason}"
        raise UsageError(message) from None
    return format_blocks(text)


def _comments(comments: Iterable[str]) -> list[str]:
    return [comment_text(comment) if comment else "" for comment in comments]


def _texts(doc: str, translations: Iterable[tuple[str, str, str]]) -> list[str]:
    """Documentation in lines that are not too long, and translations."""
    lines = [INDENT + quote(part) for part in _paragraph(doc)]
    for code, label, text in translations:
        lines.append(f"{INDENT}{code} {quote(label)}" + (f" {quote(text)}" if text else ""))
    return lines


def _paragraph(doc: str, width: int = 92) -> list[str]:
    """A text in pieces of about ``width`` characters, cut at single spaces only."""
    parts: list[str] = []
    for word in doc.split(" ") if doc else []:
        if parts and len(parts[-1]) + 1 + len(word) <= width:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts


def _head(declaration: Declaration, unit: Unit | None = None) -> str:
    text = declaration.name
    if declaration.label:
        text += f" {quote(declaration.label)}"
    return text + _unit(unit)


def _unit(unit: Unit | None) -> str:
    return "" if unit is None else f" [{unit}]"


def _fraction(value: float) -> str:
    """A step as people write it: 1/16 where that is shorter than 0.0625 and the same number."""
    text = print_number(value)
    if 0 < value < 1:
        fraction = f"1/{round(1 / value)}"
        if 1 / round(1 / value) == value and len(fraction) < len(text):
            return fraction
    return text


def _percent(value: float) -> str:
    """A share as people write it: 8% where that is the same number."""
    text = f"{value * 100:.12g}"
    return (
        f"{text}%"
        if "e" not in text and number_value(f"{text}%") == value
        else (print_number(value))
    )


def _time(time: Time) -> str:
    text = f"time {print_number(time.start)} to {print_number(time.stop)}{_unit(time.unit)}"
    text += f" step {_fraction(time.step)}"
    return text if time.save == time.step else f"{text} save {_fraction(time.save)}"


def _unit_line(d: UnitDeclaration) -> str:
    text = f"unit {_head(d)}"
    if d.definition is None:
        return text
    if not d.definition.factors:
        return f"{text} = {print_number(d.factor)}"
    factor = f"{print_number(d.factor)} " if d.factor != 1 else ""
    return f"{text} = {factor}{d.definition}"


def _param(d: Param) -> str:
    text = f"param {_head(d, d.unit)} = {print_number(d.value)}"
    if d.low is not None and d.high is not None:
        text += f" in {print_number(d.low)} .. {print_number(d.high)}"
    if d.evidence is not None:
        text += f" from {d.evidence.kind}"
        if d.evidence.source:
            text += f" {quote(d.evidence.source)}"
        if d.evidence.sd is not None:
            text += f" ± {print_number(d.evidence.sd)}"
    return text


def _stock(d: Stock) -> str:
    text = f"stock {_head(d, d.unit)} = {print_expr(d.initial)}"
    for word, flows in (("gains", d.gains), ("loses", d.loses)):
        if flows:
            text += f" {word} {', '.join(flows)}"
    if d.low is not None or d.high is not None:
        low = f"{print_number(d.low)} " if d.low is not None else ""
        high = f" {print_number(d.high)}" if d.high is not None else ""
        text += f" bounded {low}..{high}"
    return text


def _flow(d: Flow) -> str:
    return f"flow {_head(d, d.unit)} = {print_expr(d.equation)}{_desired(d.desired)}"


def _aux(d: Aux) -> str:
    return f"aux {_head(d, d.unit)} = {print_expr(d.equation)}{_desired(d.desired)}"


def _desired(rule: Expr | None) -> str:
    return "" if rule is None else f"\n{INDENT}desired {print_expr(rule)}"


def _use(d: Use) -> str:
    text = f"use {d.model} as {_head(d)}"
    if d.since is not None:
        text += f" from {_fraction(d.since)}"
    if d.bindings:
        text += " with " + ", ".join(f"{b.name} = {print_expr(b.expr)}" for b in d.bindings)
    overrides = (f"\n{INDENT}override {o.name} = {print_expr(o.equation)}" for o in d.overrides)
    return text + "".join(overrides)


def _table(d: Table) -> str:
    points = " ".join(f"({print_number(x)}, {print_number(y)})" for x, y in d.points)
    text = f"table {_head(d, d.unit)} of {d.input}{_unit(d.input_unit)} = {points}"
    return f"{text} extrapolate" if d.extrapolate else text


def _data(d: Data) -> str:
    text = f"data {_head(d, d.unit)} = {quote(d.path)}"
    if d.series:
        text += f" series {quote(d.series)}"
    if d.scale != 1:
        text += f" scale {print_number(d.scale)}"
    if d.offset:
        text += f" offset {print_number(d.offset)}"
    return f"{text} hold" if d.hold else text


def _observe(d: Observe) -> str:
    return f"observe {_head(d)} by {d.data} error {_percent(d.error)}"


_MEASURE_WORDS = frozenset({"total", "mean", "peak", "trough", "time"})


def _after_word(expr: Expr, words: frozenset[str]) -> str:
    """An expression where one of ``words`` would be taken for a keyword if it stood first."""
    text = print_expr(expr)
    first = expr
    while isinstance(first, Binary):
        first = first.left
    leading = first.name if isinstance(first, Name) else None
    if isinstance(first, Call):
        leading = first.function
    return f"({text})" if leading is not None and key(leading) in words else text


def _outcome(d: Outcome) -> str:
    text = f"outcome {_head(d, d.unit)} = "
    if d.measure in ("at", "value"):
        text += _after_word(d.expr, _MEASURE_WORDS)
    else:
        text += f"{d.measure} {_after_word(d.expr, ENDS)}"
    if d.at is not None:
        text += f" at {print_number(d.at)}"
    text += _stretch(d.since, d.until)
    return f"{text} discount {_percent(d.discount)}" if d.discount else text


def _stretch(since: float | None, until: float | None) -> str:
    text = f" from {print_number(since)}" if since is not None else ""
    return f"{text} to {print_number(until)}" if until is not None else text


def _lever(d: Lever) -> str:
    text = f"lever {_head(d)} = {d.param}"
    if d.to is not None:
        text += f" to {print_expr(d.to)}"
    elif d.by is not None:
        text += f" by {_percent(d.by)}"
    if d.at is not None:
        text += f" at {print_number(d.at)}"
    if d.level is not None:
        text += f" level {d.level}"
    if d.cost is not None:
        once = "once " if d.once else ""
        cost = _after_word(d.cost, ENDS if d.once else frozenset({"once"}))
        text += f" cost {once}{cost}"
    return text


def _settings(settings: Iterable[Setting]) -> str:
    return ", ".join(
        f"{s.name} = {print_expr(s.value)}{_stretch(s.since, s.until)}" for s in settings
    )


def _scenario(d: Scenario) -> str:
    return f"scenario {_head(d)}: {_settings(d.settings)}"


def _loop(d: Loop) -> str:
    return f"loop {_head(d)} = {' -> '.join(d.path)}"


def _check(d: Check) -> str:
    text = f"check {_head(d)}: "
    if d.when:
        text += f"when {_settings(d.when)} then "
    elif d.scenario:
        text += f"when scenario {d.scenario} then "
    text += _after_word(d.claim, frozenset({"when"}))
    if d.at is not None:
        text += f" at {print_number(d.at)}"
    return text + _stretch(d.since, d.until)


_PRINTERS: dict[type[Declaration], Callable[[Any], str]] = {
    UnitDeclaration: _unit_line,
    Param: _param,
    Stock: _stock,
    Flow: _flow,
    Aux: _aux,
    Table: _table,
    Data: _data,
    Observe: _observe,
    Outcome: _outcome,
    Lever: _lever,
    Scenario: _scenario,
    Loop: _loop,
    Check: _check,
    Use: _use,
}
