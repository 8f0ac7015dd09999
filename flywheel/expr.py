"""Expressions: what stands on the right of an equals sign.

Five frozen node kinds. Each keeps the span of text it came from, so that a message about it, however
late, can show the line. Spans do not take part in equality: two expressions are equal when they say
the same thing. Names are stored in the spelling of their declaration (see ``key``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from flywheel.errors import Span

UnaryOp = Literal["-", "not"]
BinaryOp = Literal["+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=", "and", "or"]

COMPARISONS: frozenset[str] = frozenset({"<", "<=", ">", ">=", "==", "!="})
LOGICAL: frozenset[str] = frozenset({"and", "or"})


def key(name: str) -> str:
    """The form in which names are compared: NFKC and case folded, so ``Price`` meets ``price``."""
    return unicodedata.normalize("NFKC", name).casefold()


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number. Inside an equation it is dimensionless."""

    value: float
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a parameter, or ``time``."""

    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """Minus or ``not``."""

    op: UnaryOp
    operand: Expr
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, comparison (1 when true, 0 when false) or logic."""

    op: BinaryOp
    left: Expr
    right: Expr
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language (``flywheel.functions``) or a table called at a point."""

    function: str
    args: tuple[Expr, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


Expr = Number | Name | Unary | Binary | Call


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions, left to right."""
    match expr:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(args=args):
            return args
        case _:
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node of the expression, parents before children, left to right; no recursion."""
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def names(expr: Expr) -> tuple[str, ...]:
    """The names that the expression reads, each once, in order of appearance."""
    return tuple(dict.fromkeys(node.name for node in walk(expr) if isinstance(node, Name)))


def rebuild(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with ``change`` applied to every node, children first."""
    match expr:
        case Unary():
            expr = replace(expr, operand=rebuild(expr.operand, change))
        case Binary():
            expr = replace(
                expr, left=rebuild(expr.left, change), right=rebuild(expr.right, change)
            )
        case Call():
            expr = replace(expr, args=tuple(rebuild(arg, change) for arg in expr.args))
        case _:
            pass
    return change(expr)


def substitute(expr: Expr, mapping: Mapping[str, Expr]) -> Expr:
    """The expression with names replaced by expressions."""
    return rebuild(
        expr, lambda node: mapping.get(node.name, node) if isinstance(node, Name) else node
    )
