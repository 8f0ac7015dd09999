"""Which names a model has, and what each place in it may read.

A ``Scope`` says for one place (an equation, a scenario's value, a claim) which kinds of names it can
use. ``Names.resolve`` walks an expression, puts every name and function into its declared spelling,
and turns what it cannot find into findings with the nearest name that there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from flywheel.errors import Finding, Span, nearest
from flywheel.expr import Call, Expr, Name, children, key, rebuild
from flywheel.functions import FUNCTIONS, TIME
from flywheel.language import limits
from flywheel.language.lexer import Token, too_deep

# Words that stand behind a number in speech, and in equations never.
UNITS_OF_TIME = frozenset(
    f"{word}{plural}"
    for word in ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
    for plural in ("", "s")
)

VARIABLES = frozenset({"stock", "flow", "aux", "table", "data"})
RESERVED = frozenset({TIME, "and", "or", "not", "if"})
BASE = "base"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A declared name. ``kind`` is ``?`` when its line could not be read."""

    name: str
    kind: str
    span: Span | None = None
    input: str = ""
    """For a table: the name of its axis."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a place may read; ``place`` names it in messages."""

    place: str
    kinds: frozenset[str]
    time: bool = True
    base: bool = False


EQUATION = Scope("an equation", VARIABLES | {"param"})
PARAMETERS = Scope("this value", frozenset({"param"}), time=False)
OUTCOMES = Scope("an outcome without a time", frozenset({"outcome", "param"}), time=False)
CLAIM = Scope("a claim", VARIABLES | {"param", "outcome"})
FORCED_CLAIM = replace(CLAIM, base=True)
ANYTHING = Scope("an expression", CLAIM.kinds, base=True)

_ARTICLES = {
    "aux": "an auxiliary", "outcome": "an outcome", "param": "a parameter", "data": "a data series",
    "unit": "a unit", "observe": "an observation", "use": "a module",
}  # fmt: skip


def described(kind: str) -> str:
    """A kind of declaration with its article."""
    return _ARTICLES.get(kind, f"a {kind}")


# Functions of other programs, and what they are called here.
FOREIGN: dict[str, str] = {
    "integ": "write a stock: stock name [unit] = initial value gains inflow loses outflow",
    "integral": "write a stock: stock name [unit] = initial value gains inflow loses outflow",
    "inflow": "write a stock: stock name [unit] = initial value gains inflow loses outflow",
    "ifelse": "write if(condition, then, else)",
    "if_then_else": "write if(condition, then, else)",
    "ifthenelse": "write if(condition, then, else)",
    "iif": "write if(condition, then, else)",
    "where": "write if(condition, then, else)",
    "else": "write if(condition, then, else)",
    "then": "write if(condition, then, else)",
    "log": "write ln(x) for the natural logarithm, log10(x) for the decimal one",
    "log2": "write ln(x) / ln(2)",
    "pow": "write x ^ y",
    "power": "write x ^ y",
    "int": "write floor(x)",
    "integer": "write floor(x)",
    "ceil": "write -floor(-x)",
    "modulo": "write x - floor(x / n) * n",
    "mod": "write x - floor(x / n) * n",
    "xidz": "write if(b == 0, x, a / b)",
    "zidz": "write if(b == 0, 0, a / b)",
    "safediv": "write if(b == 0, 0, a / b)",
    "smoothi": "write smooth(x, tau, initial)",
    "smooth3i": "write smooth3(x, tau, initial)",
    "smth1": "write smooth(x, tau)",
    "smth3": "write smooth3(x, tau)",
    "smthn": "write smoothn(x, tau, order)",
    "delay1i": "write delay1(x, tau, initial)",
    "delay3i": "write delay3(x, tau, initial)",
    "delay": "write delay_fixed(x, tau, initial) for a pipeline, delay1 or delay3 for a mixed one",
    "delayfixed": "write delay_fixed(x, tau, initial)",
    "delayp": "write delay_fixed(x, tau, initial)",
    "fixed_delay": "write delay_fixed(x, tau, initial)",
    "with_lookup": "write a table: table f [1] of x [1] = (0, 1) (1, 2)",
    "lookup": "write a table: table f [1] of x [1] = (0, 1) (1, 2)",
    "graph": "write a table: table f [1] of x [1] = (0, 1) (1, 2)",
    "get_xls_data": 'write a data line: data d [unit] = "file.csv" series "name"',
    "get_direct_data": 'write a data line: data d [unit] = "file.csv" series "name"',
    "random_normal": "write noise(mean, sd)",
    "normal": "write noise(mean, sd)",
    "random": "write noise(mean, sd)",
    "rand": "write noise(mean, sd)",
    "random_uniform": "write noise(mean, sd)",
    "pulse_train": "write pulse(start, width, interval, end)",
    "sum": "write a + b",
    "vmin": "write min(a, b)",
    "vmax": "write max(a, b)",
    "average": "write (a + b) / 2, or smooth(x, tau) for an average over time",
    "avg": "write (a + b) / 2, or smooth(x, tau) for an average over time",
    "square": "write x ^ 2",
    "sqr": "write x ^ 2",
    "exponential": "write exp(x)",
    "absolute": "write abs(x)",
    "initial": "write the initial value as a param, and read it in both places",
    "init": "write the initial value as a param, and read it in both places",
    "previous": "write delay_fixed(x, tau, initial)",
    "derivn": "a rate of change is a flow: read the flow",
    "total": "total belongs to an outcome: outcome name [unit] = total x",
    "mean": "mean belongs to an outcome: outcome name [unit] = mean x",
    "peak": "peak belongs to an outcome: outcome name [unit] = peak x",
    "trough": "trough belongs to an outcome: outcome name [unit] = trough x",
    "time": "time is the current time, not a function",
    BASE: "base(x) belongs to a check with a condition: check name: when p = 0 then x < base(x)",
}


@dataclass(slots=True)
class Names:
    """The names of one model, by their folded form, and the findings made with them."""

    symbols: dict[str, Symbol] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    guesses: int = 0
    lost: set[str] = field(default_factory=set)
    """Prefixes of modules that could not be read: their names are let pass."""

    def __contains__(self, folded: str) -> bool:
        return folded in self.symbols

    def add(self, symbol: Symbol) -> None:
        """A name; the first declaration of it counts."""
        self.symbols.setdefault(key(symbol.name), symbol)

    def error(self, code: str, message: str, span: Span | None, hint: str = "") -> None:
        """A mistake found."""
        self.findings.append(Finding("error", code, message, span, hint))

    def guess(self, name: str, kinds: Iterable[str]) -> str:
        """A hint with the nearest name of the given kinds, empty when there is none near.

        Looking for likeness is slow, so a text with very many unknown names gets no more of it.
        """
        self.guesses += 1
        if self.guesses > limits.MAX_FINDINGS // 4:
            return ""
        allowed = frozenset(kinds)
        folded = key(name)
        near = [
            s.name
            for k, s in self.symbols.items()
            if s.kind in allowed and abs(len(k) - len(folded)) <= 1 + len(folded) // 2
        ]
        found = nearest(name, near[:2000])
        return f"did you mean {found}?" if found else ""

    def reference(self, token: Token, kinds: Iterable[str], wanted: str) -> str:
        """The declared spelling of a name that must be of one of ``kinds``.

        ``wanted`` says what is asked for, as in ``a stock gains flows``.
        """
        allowed = frozenset(kinds)
        symbol = self.symbols.get(token.key)
        if symbol is None and token.key.split(".")[0] in self.lost:
            return token.text
        if symbol is None:
            hint = self.guess(token.text, allowed)
            if not hint:
                hint = f"{wanted}; " + self._some(allowed)
            message = f"there is no {' or '.join(_plain(sorted(allowed)))} called {token.text}"
            self.error("unknown-name", message, token.span, hint)
            return token.text
        if symbol.kind not in allowed and symbol.kind != "?":
            message = f"{symbol.name} is {described(symbol.kind)}, and {wanted}"
            hint = self.guess(token.text, allowed) or self._some(allowed)
            self.error("wrong-kind", message, token.span, hint)
        return symbol.name

    def _some(self, kinds: frozenset[str]) -> str:
        names = [s.name for s in self.symbols.values() if s.kind in kinds]
        if not names:
            return "the model has none"
        return "the model has " + ", ".join(names[:5]) + (", …" if len(names) > 5 else "")

    def resolve(self, expr: Expr, scope: Scope) -> Expr:
        """The expression in declared spelling; what is wrong with it becomes findings."""
        changed = False
        stack: list[tuple[Expr, int]] = [(expr, 1)]
        while stack:
            node, depth = stack.pop()
            if depth > limits.MAX_DEPTH:
                self.findings.append(too_deep(node.span))
                return expr
            if isinstance(node, Name):
                changed |= self._name(node, scope)
            elif isinstance(node, Call):
                changed |= self._call(node, scope)
            stack.extend((child, depth + 1) for child in reversed(children(node)))
        return rebuild(expr, self._spelled) if changed else expr

    def _spelled(self, node: Expr) -> Expr:
        if isinstance(node, Name):
            folded = key(node.name)
            if folded == TIME:
                return replace(node, name=TIME)
            symbol = self.symbols.get(folded)
            return replace(node, name=symbol.name) if symbol else node
        if isinstance(node, Call):
            folded = key(node.function)
            symbol = self.symbols.get(folded)
            if folded in FUNCTIONS or folded == BASE or symbol is None:
                return replace(node, function=folded)
            return replace(node, function=symbol.name)
        return node

    def _name(self, node: Name, scope: Scope) -> bool:
        """Check one name; whether its spelling must change."""
        folded = key(node.name)
        if folded == TIME:
            if not scope.time:
                message = f"{scope.place} cannot change with time"
                self.error("wrong-kind", message, node.span, "use parameters and numbers")
            return node.name != TIME
        symbol = self.symbols.get(folded)
        if symbol is None:
            if folded.split(".")[0] not in self.lost:
                self._unknown(node, folded, scope)
            return False
        if symbol.kind not in scope.kinds and symbol.kind != "?":
            self._misplaced(node, symbol, scope)
        elif symbol.kind == "table" and not self._has_axis(symbol):
            hint = self.guess(symbol.input, VARIABLES | {"param"}) or (
                f"write {symbol.name}(x), or let the table be of a variable"
            )
            message = f"the table {symbol.name} is of {symbol.input}, which is no variable"
            self.error("table-needs-input", message, node.span, hint)
        return node.name != symbol.name

    def _has_axis(self, table: Symbol) -> bool:
        folded = key(table.input)
        if folded == TIME:
            return True
        axis = self.symbols.get(folded)
        return axis is not None and (axis.kind in VARIABLES or axis.kind in ("param", "?"))

    def _unknown(self, node: Name, folded: str, scope: Scope) -> None:
        function = FUNCTIONS.get(folded)
        if function is not None:
            message = f"{node.name} is a function and needs its arguments"
            self.error("unknown-name", message, node.span, f"write {function.signature}")
            return
        if folded in ("true", "false", "pi", "e", "inf", "nan", "none", "null"):
            value = {"true": "1", "false": "0", "pi": "3.141592653589793"}.get(folded, "")
            value = "exp(1)" if folded == "e" else value
            hint = f"write {value}" if value else "write a number"
            self.error("unknown-name", f"{node.name} is no name here", node.span, hint)
            return
        if folded in UNITS_OF_TIME:
            message = f"{node.name} is a unit, and equations know only names"
            hint = f"let a parameter carry it: param name [{node.name}] = 1"
            self.error("unknown-name", message, node.span, hint)
            return
        hint = self.guess(node.name, scope.kinds)
        if not hint:
            hint = f"declare it: param {node.name} [1] = 1, or aux {node.name} [1] = …"
        self.error("unknown-name", f"there is no {node.name} in the model", node.span, hint)

    def _misplaced(self, node: Name, symbol: Symbol, scope: Scope) -> None:
        what = described(symbol.kind)
        if scope.kinds == OUTCOMES.kinds and symbol.kind in VARIABLES:
            message = f"{symbol.name} changes over time, and an outcome is one number"
            hint = f"say which: {symbol.name} at 2030, or total, mean, peak or trough {symbol.name}"
        elif scope.kinds == PARAMETERS.kinds and symbol.kind in VARIABLES:
            message = f"{symbol.name} is {what}, and {scope.place} is fixed before the run starts"
            hint = "use parameters and numbers"
        elif symbol.kind == "outcome":
            message = f"{symbol.name} is an outcome of the whole run; {scope.place} cannot read it"
            hint = "read the variable that the outcome is about"
        else:
            message = f"{symbol.name} is {what}, and {scope.place} cannot read it"
            hint = self.guess(node.name, scope.kinds)
        self.error("wrong-kind", message, node.span, hint)

    def _call(self, node: Call, scope: Scope) -> bool:
        """Check one call; whether its spelling must change."""
        folded = key(node.function)
        count = len(node.args)
        function = FUNCTIONS.get(folded)
        if function is not None:
            if not function.accepts(count):
                given = f"{count} argument{'s' if count != 1 else ''}"
                message = f"{function.name} takes {_count(function.required, function.optional)}"
                message += " or more" if function.many else ""
                hint = f"write {function.signature}: {function.doc}"
                self.error("wrong-arguments", f"{message}, not {given}", node.span, hint)
            return node.function != folded
        if folded == BASE and scope.base:
            if count != 1:
                message = f"base takes 1 argument, not {count}"
                self.error("wrong-arguments", message, node.span, "write base(x)")
            return node.function != folded
        symbol = self.symbols.get(folded)
        if symbol is None:
            hint = FOREIGN.get(folded.removeprefix("vensim_")) or self._guess_function(node)
            message = f"there is no function {node.function}"
            self.error("unknown-function", message, _head(node), hint)
            return False
        if symbol.kind == "?":
            return False
        if symbol.kind != "table":
            message = f"{symbol.name} is {described(symbol.kind)}, and only a table has arguments"
            hint = f"to multiply, write {symbol.name} * ( )"
            self.error("not-a-function", message, _head(node), hint)
        elif symbol.kind == "table" and count != 1:
            message = f"the table {symbol.name} takes 1 argument, not {count}"
            self.error("wrong-arguments", message, node.span, f"write {symbol.name}(x)")
        return node.function != symbol.name

    def _guess_function(self, node: Call) -> str:
        tables = [s.name for s in list(self.symbols.values())[:2000] if s.kind == "table"]
        self.guesses += 1
        if self.guesses > limits.MAX_FINDINGS // 4:
            return ""
        found = nearest(node.function, [*FUNCTIONS, *tables])
        if found in FUNCTIONS:
            return f"did you mean {FUNCTIONS[found].signature}?"
        return f"did you mean {found}?" if found else "declare a table of that name, or use an aux"


def _plain(kinds: list[str]) -> list[str]:
    """Kinds in words, the five of variables as one."""
    if set(kinds) >= VARIABLES:
        kinds = ["variable", *(k for k in kinds if k not in VARIABLES)]
    words = {"aux": "auxiliary", "param": "parameter", "data": "data series"}
    return [words.get(kind, kind) for kind in kinds]


def _count(required: tuple[str, ...], optional: tuple[str, ...]) -> str:
    least, most = len(required), len(required) + len(optional)
    words = f"{least}" if least == most else f"{least} to {most}"
    return f"{words} argument{'s' if most != 1 else ''}"


def _head(node: Call) -> Span | None:
    """The function's name in a call."""
    if node.span is None:
        return None
    end = node.span.column + len(node.function)
    return replace(node.span, end_line=node.span.line, end_column=end)
