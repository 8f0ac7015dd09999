"""Tokens of one logical line to a tree, by the LALR grammar in ``grammar.lark``.

Expressions and units come out as the nodes of the model; everything else as ``Clause``: the name of
the grammar's rule and what it holds. ``build`` makes declarations of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from flywheel.errors import Finding, Span
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary
from flywheel.language.lexer import Token
from flywheel.language.tables import END, Rule, Tables, tables
from flywheel.units import Unit


class Clause:
    """A piece of a declaration: the rule of the grammar that it is, and its parts."""

    __slots__ = ("name", "parts")

    def __init__(self, name: str, parts: list[Any]) -> None:
        self.name = name
        self.parts = parts

    @property
    def span(self) -> Span:
        """The keyword that opens the clause, or its first part."""
        return span_of(self.parts[0])

    def __repr__(self) -> str:
        return f"Clause({self.name}, {self.parts})"


class SyntaxFault(Exception):
    """The tokens are no sentence of the grammar: where, and what could have stood there."""

    def __init__(self, index: int, expected: frozenset[str]) -> None:
        super().__init__(index, expected)
        self.index = index
        """Position of the first token that does not fit; the number of tokens for the end."""
        self.expected = expected


def span_of(part: Any) -> Span:
    """The span of a token, a node, a unit or a clause."""
    span = part.span
    if isinstance(span, Span):
        return span
    raise TypeError(f"{part!r} has no place")


def number_value(text: str) -> float:
    """The value of a NUMBER token; ``5%`` is 0.05 to the last bit."""
    if text.endswith("%"):
        mantissa, _, exponent = text[:-1].lower().partition("e")
        return float(f"{mantissa}e{int(exponent or 0) - 2}")
    return float(text)


_MAX_POWER = 100


class _Nodes:
    """What the parser does when a rule is complete. Method names are those of the grammar."""

    def number(self, parts: list[Token]) -> Expr:
        token = parts[0]
        value = number_value(token.text)
        if value in (float("inf"), float("-inf")):
            hint = "the largest is about 1.8e308"
            raise Refused(
                Finding("error", "bad-number", "this number is too large", token.span, hint)
            )
        return Number(value, token.span)

    def name(self, parts: list[Token]) -> Expr:
        return Name(parts[0].text, parts[0].span)

    def call(self, parts: list[Any]) -> Expr:
        span = parts[0].span.to(parts[-1].span)
        return Call(parts[0].text, tuple(parts[2:-1]), span)

    def group(self, parts: list[Any]) -> Expr:
        # The parentheses belong to the place, so that a caret shows them.
        inner: Expr = replace(parts[1], span=parts[0].span.to(parts[2].span))
        return inner

    def binary(self, parts: list[Any]) -> Expr:
        left, token, right = parts
        return Binary(token.key, left, right, left.span.to(right.span))

    def unary(self, parts: list[Any]) -> Expr:
        token, operand = parts
        span = token.span.to(operand.span)
        if token.type != "MINUS":
            return Unary("not", operand, span)
        return Unary("-", operand, span)

    def negative(self, parts: list[Token]) -> Expr:
        """A minus directly before a numeral is part of the number."""
        number = self.number(parts[1:])
        assert isinstance(number, Number)
        return Number(-number.value, parts[0].span.to(parts[1].span))

    def plus(self, parts: list[Any]) -> Expr:
        operand: Expr = replace(parts[1], span=parts[0].span.to(parts[1].span))
        return operand

    # Units: (factor, factors) until the brackets close.

    def unit_name(self, parts: list[Token]) -> tuple[float, Unit]:
        if "." in parts[0].text:
            message = "units are the same in every model, and have no dots"
            hint = f"write [{parts[0].text.rpartition('.')[2]}]"
            raise Refused(Finding("error", "bad-unit", message, parts[0].span, hint))
        return 1.0, Unit(((parts[0].text, Fraction(1)),), parts[0].span)

    def unit_number(self, parts: list[Token]) -> tuple[float, Unit]:
        return number_value(parts[0].text), Unit((), parts[0].span)

    def unit_join(self, parts: list[Any]) -> tuple[float, Unit]:
        (factor, left), token, (other, right) = parts
        span = left.span.to(right.span)
        if token.text == "*":
            return factor * other, Unit(left.factors + right.factors, span)
        inverse = tuple((name, -power) for name, power in right.factors)
        if not other:
            raise Refused(Finding("error", "bad-unit", "a unit cannot be divided by 0", span))
        return factor / other, Unit(left.factors + inverse, span)

    def unit_raise(self, parts: list[Any]) -> tuple[float, Unit]:
        (factor, unit), exponent = parts
        factors = tuple((name, power * exponent) for name, power in unit.factors)
        if factor != 1:
            message = "a number inside a unit cannot be raised to a power"
            raise Refused(Finding("error", "bad-unit", message, unit.span))
        if any(abs(power) > _MAX_POWER or power.denominator > _MAX_POWER for _, power in factors):
            message = "no unit has a power like this"
            raise Refused(Finding("error", "bad-unit", message, unit.span, "write [m^2]"))
        return factor, Unit(tuple(f for f in factors if f[1]), unit.span)

    def exponent(self, parts: list[Token]) -> Fraction:
        return -self._whole(parts[1]) if len(parts) == 2 else self._whole(parts[0])

    def fraction(self, parts: list[Token]) -> Fraction:
        sign = -1 if parts[0].type == "MINUS" else 1
        numbers = [self._whole(token) for token in parts if token.type == "NUMBER"]
        if len(numbers) == 1:
            return sign * numbers[0]
        if not numbers[1]:
            message = "an exponent cannot be divided by 0"
            raise Refused(Finding("error", "bad-unit", message, parts[-1].span))
        return sign * numbers[0] / numbers[1]

    def _whole(self, token: Token) -> Fraction:
        if not token.text.isdigit() or len(token.text) > 3:
            message = f"the exponent of a unit is a whole number or a fraction, not {token.text}"
            hint = "write [m^2], or [m^(1/2)]"
            raise Refused(Finding("error", "bad-unit", message, token.span, hint))
        return Fraction(int(token.text))

    def unit(self, parts: list[Any]) -> Unit:
        factor, unit = parts[0]
        if factor != 1:
            message = f"a unit in brackets has no number in it, and this one has {factor:g}"
            hint = "declare it: unit thousand_customers = 1000 customer"
            raise Refused(Finding("error", "bad-unit", message, unit.span, hint))
        result: Unit = unit
        return result

    def definition(self, parts: list[Any]) -> tuple[float, Unit]:
        result: tuple[float, Unit] = parts[0]
        return result

    def scaled(self, parts: list[Any]) -> tuple[float, Unit]:
        token, (factor, unit) = parts
        return number_value(token.text) * factor, unit


class Refused(Exception):
    """A finding made while the tree is built."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


_NODES = _Nodes()
_RESERVED = frozenset({"and", "or", "not"})
ENDS = frozenset({"at", "from", "to", "discount", "and", "or", "by", "then"})
"""After a word that may be a name or a keyword, these make it a name: ``total at 2030``."""


def _opens_operand(tokens: Sequence[Token], index: int) -> bool:
    """Whether a word that could be a keyword or a name is the keyword: something follows it that it
    can apply to. ``total x at 2030`` is a total, ``total at 2030`` a variable of that name.
    """
    word = tokens[index]
    if word.key in _RESERVED:
        return True
    if index + 1 == len(tokens):
        return False
    after = tokens[index + 1]
    if word.key == "when" and index + 2 < len(tokens) and tokens[index + 2].type == "EQUAL":
        return True
    if word.key == "time":
        return after.type == "WORD" and after.key == "of"
    if word.key == "scenario":
        return after.type == "WORD"
    if after.type == "WORD":
        return after.key not in ENDS
    if after.type == "MINUS":
        # "total -x" is the total of -x; "total - x" subtracts from a variable of that name.
        return index + 2 < len(tokens) and tokens[index + 2].column == after.end
    return after.type in ("NUMBER", "LPAR")


def parse_tokens(tokens: Sequence[Token], start: str) -> Any:
    """The tree of one logical line; ``start`` is ``declaration`` or ``expression``.

    Raises SyntaxFault where the tokens leave the grammar, and Refused for a number or a unit that no
    model can hold. Words get their type here: this is the contextual half of the lexer. There is no
    recursion, whatever the tokens.
    """
    table = tables()
    states, rules, keywords = table.states, table.rules, table.keywords
    final = table.end[start]
    stack = [table.start[start]]
    values: list[Any] = []
    count = len(tokens)
    for index in range(count + 1):
        token = tokens[index] if index < count else None
        actions = states[stack[-1]]
        if token is None:
            kind = END
        elif token.type == "WORD":
            kind = "NAME"
            keyword = keywords.get(token.key)
            if keyword in actions and ("NAME" not in actions or _opens_operand(tokens, index)):
                kind = str(keyword)
            token.type = kind
        else:
            kind = token.type
        while True:
            action = actions.get(kind)
            if action is None:
                raise SyntaxFault(index, _acceptable(table, stack))
            if action >= 0:
                stack.append(action)
                values.append(token)
                break
            rule = rules[-action - 1]
            size = rule.size
            if size == 1 and rule.through:
                stack.pop()
            else:
                parts = values[len(values) - size :]
                del stack[len(stack) - size :]
                del values[len(values) - size :]
                values.append(_reduce(rule, parts))
            stack.append(states[stack[-1]][rule.origin])
            if token is None and stack[-1] == final:
                return values[-1]
            actions = states[stack[-1]]


def _acceptable(table: Tables, stack: list[int]) -> frozenset[str]:
    """The terminals that could really stand next: the automaton alone promises too many."""
    found = []
    for kind in table.states[stack[-1]]:
        trial = list(stack)
        action = table.states[trial[-1]].get(kind)
        while action is not None and action < 0:
            rule = table.rules[-action - 1]
            del trial[len(trial) - rule.size :]
            trial.append(table.states[trial[-1]][rule.origin])
            action = table.states[trial[-1]].get(kind)
            if kind == END and trial[-1] in table.end.values():
                action = 0
        if action is not None and (kind.isupper() or kind == END):
            found.append(kind)
    return frozenset(found)


def _reduce(rule: Rule, parts: list[Any]) -> Any:
    """The value of a complete production."""
    if rule.name is None and rule.keep[:1] == (0,) and 0 in rule.splice:
        # A repetition grows: its list is nobody else's, and copying it each time would be slow.
        grown: list[Any] = parts[0]
        for position in rule.keep[1:]:
            if position in rule.splice:
                grown.extend(parts[position])
            else:
                grown.append(parts[position])
        return grown
    kept: list[Any] = []
    for position in rule.keep:
        if position in rule.splice:
            kept.extend(parts[position])
        else:
            kept.append(parts[position])
    if rule.name is None:
        return kept
    if rule.through and len(kept) == 1:
        return kept[0]
    make = getattr(_NODES, rule.name, None)
    return make(kept) if make else Clause(rule.name, kept)
