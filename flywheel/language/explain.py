"""Sentences for lines that leave the grammar.

The parser knows which token does not fit and what could have stood there. People do not think in
tokens, so each function below knows one way in which lines go wrong and answers it in their words;
the first that recognises its case speaks. When none does, the answer is how such a line is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flywheel.errors import Finding, Span, nearest
from flywheel.functions import FUNCTIONS
from flywheel.language.lexer import KINDS, Token
from flywheel.language.names import FOREIGN, UNITS_OF_TIME

PATTERNS: dict[str, str] = {
    "model": 'model name "Label"',
    "time": "time 2020 to 2040 [year] step 1/16 save 1/4",
    "unit": "unit kcust = 1000 customer",
    "param": "param name [unit] = 3 in 1 .. 5 from guess",
    "stock": "stock name [unit] = 0 gains inflow loses outflow",
    "flow": "flow name [unit/year] = equation",
    "aux": "aux name [unit] = equation",
    "table": "table name [unit] of x [unit] = (0, 1) (1, 2)",
    "data": 'data name [unit] = "file.csv" series "name"',
    "observe": "observe variable by data error 5%",
    "outcome": 'outcome name "Label" [unit] = variable at 2040',
    "lever": 'lever name "Label" = parameter to 0.5 at 2030',
    "scenario": 'scenario name "Label": parameter = 0.5, other = 2 from 2030',
    "loop": 'loop R1 "Label" = a -> b -> a',
    "check": 'check name "Label": variable >= 0',
    "use": "use other_model as prefix with its_name = expression",
    "expression": "price * (1 + fee)",
}
"""How each kind of line is built, by an example."""

# What people write for the first word of a line.
_KINDS_MEANT: dict[str, str] = {
    "parm": "param", "parms": "param", "params": "param", "parameter": "param", "par": "param",
    "parameters": "param", "const": "param", "constant": "param", "constants": "param",
    "input": "param", "number": "param", "assumption": "param", "let": "param",
    "level": "stock", "levels": "stock", "stocks": "stock", "state": "stock", "box": "stock",
    "accumulation": "stock", "integ": "stock", "rate": "flow", "rates": "flow", "flows": "flow",
    "inflow": "flow", "outflow": "flow", "auxiliary": "aux", "auxiliaries": "aux", "auxs": "aux",
    "variable": "aux", "var": "aux", "converter": "aux", "equation": "aux", "eq": "aux",
    "calc": "aux", "formula": "aux", "lookup": "table", "graph": "table", "graphical": "table",
    "tables": "table", "curve": "table", "units": "unit", "series": "data", "csv": "data",
    "dataset": "data", "observed": "observe", "observes": "observe", "fit": "observe",
    "compare": "observe", "kpi": "outcome", "output": "outcome", "outcomes": "outcome",
    "result": "outcome", "objective": "outcome", "metric": "outcome", "policy": "lever",
    "levers": "lever", "decision": "lever", "action": "lever", "scenarios": "scenario",
    "case": "scenario", "loops": "loop", "feedback": "loop", "test": "check", "assert": "check",
    "checks": "check", "constraint": "check", "verify": "check", "name": "model",
    "project": "model", "title": "model", "models": "model", "period": "time", "times": "time",
    "horizon": "time", "simulate": "time", "run": "time", "import": "use",
    "include": "use", "module": "use", "uses": "use", "plug": "use",
}  # fmt: skip

# Words inside a line: what is written, and the keyword that is meant.
_WORDS_MEANT: dict[str, tuple[str, ...]] = {
    "inflow": ("GAINS",), "inflows": ("GAINS",), "gain": ("GAINS",), "plus": ("GAINS",),
    "adds": ("GAINS",), "receives": ("GAINS",), "increases": ("GAINS",),
    "outflow": ("LOSES",), "outflows": ("LOSES",), "lose": ("LOSES",), "looses": ("LOSES",),
    "loss": ("LOSES",), "losses": ("LOSES",), "minus": ("LOSES",), "drains": ("LOSES",),
    "bound": ("BOUNDED",), "bounds": ("BOUNDED",), "limited": ("BOUNDED",), "within": ("IN", "BOUNDED"),
    "range": ("IN", "BOUNDED"), "between": ("IN", "BOUNDED"), "source": ("FROM",), "evidence": ("FROM",),
    "dt": ("STEP",), "timestep": ("STEP",), "every": ("STEP", "SAVE"), "saveper": ("SAVE",),
    "output": ("SAVE",), "until": ("TO",), "till": ("TO",), "through": ("TO",), "upto": ("TO",),
    "is": ("TO", "EQUAL"), "as": ("BY", "OF"), "with": ("BY",), "using": ("BY",), "against": ("BY",),
    "on": ("OF",), "over": ("OF",), "for": ("OF",), "since": ("FROM",), "after": ("FROM",),
    "starting": ("FROM",), "in": ("AT",), "when": ("AT",), "during": ("FROM",), "rate": ("DISCOUNT",),
    "discounted": ("DISCOUNT",), "column": ("SERIES",), "times": ("SCALE",), "factor": ("SCALE",),
    "shift": ("OFFSET",), "do": ("THEN",), "implies": ("THEN",), "costs": ("COST",),
}  # fmt: skip

_EVIDENCE_MEANT = {
    "assumption": "guess", "assumed": "guess", "judgement": "guess", "judgment": "guess",
    "expert": "guess", "me": "guess", "calibrated": "estimate", "fitted": "estimate",
    "fit": "estimate", "estimated": "estimate", "calibration": "estimate", "poll": "survey",
    "interview": "survey", "interviews": "survey", "data": "measured", "report": "measured",
    "measure": "measured", "measurement": "measured", "source": "measured", "known": "measured",
    "literature": "measured", "published": "measured",
}  # fmt: skip

# Which lines a clause belongs to.
_OWNERS: dict[str, tuple[str, ...]] = {
    "gains": ("stock",), "loses": ("stock",), "bounded": ("stock",), "in": ("param",),
    "extrapolate": ("table",), "of": ("table",), "series": ("data",), "scale": ("data",),
    "offset": ("data",), "hold": ("data",), "error": ("observe",), "by": ("observe", "lever"),
    "discount": ("outcome",), "level": ("lever",), "cost": ("lever",), "step": ("time",),
    "save": ("time",), "at": ("outcome", "lever", "check"), "guess": ("param",),
    "then": ("check",), "when": ("check",), "override": ("use",), "with": ("use",), "as": ("use",),
    "from": ("param", "outcome", "scenario", "check"), "to": ("time", "outcome", "lever", "check"),
}  # fmt: skip

_CONTINUATIONS = frozenset({"gains", "loses", "in", "from", "override", "with"})
_OPERANDS = frozenset({"NAME", "NUMBER", "RPAR"})
_BINARY = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "CARET", "COMPARISON", "AND", "OR"})
_STARTS = frozenset({"NUMBER", "NAME", "LPAR", "MINUS"})

# Functions of other programs that are written in several words.
_SPACED_FUNCTIONS: dict[str, str] = {
    "if then else": "write if(condition, then, else)",
    "delay fixed": "write delay_fixed(x, tau, initial)",
    "delay n": "write delayn(x, tau, order)",
    "smooth n": "write smoothn(x, tau, order)",
    "smooth i": "write smooth(x, tau, initial)",
    "with lookup": "write a table: table f [1] of x [1] = (0, 1) (1, 2)",
    "random normal": "write noise(mean, sd)",
    "random uniform": "write noise(mean, sd)",
    "pulse train": "write pulse(start, width, interval, end)",
    "get xls data": 'write a data line: data d [unit] = "file.csv" series "name"',
    "get direct data": 'write a data line: data d [unit] = "file.csv" series "name"',
    "active initial": "write the equation alone; its value at the start is computed",
    "sample if true": "write a stock with a flow that corrects it",
    "log": "write ln(x) or log10(x)",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line left the grammar."""

    tokens: list[Token]
    index: int
    expected: frozenset[str]
    kind: str
    """The line's keyword, or ``expression``."""

    @property
    def token(self) -> Token | None:
        """The token that does not fit; None at the end of the line."""
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    @property
    def before(self) -> Token:
        """The last token that fits."""
        return self.tokens[self.index - 1] if self.index else self.tokens[0]

    @property
    def after(self) -> Token | None:
        """The token after the one that does not fit."""
        return self.tokens[self.index + 1] if self.index + 1 < len(self.tokens) else None

    @property
    def span(self) -> Span:
        """The token that does not fit, or the last one at the end of the line."""
        return (self.token or self.tokens[-1]).span

    def back(self, count: int) -> Token | None:
        """The token ``count`` places before the one that does not fit."""
        return self.tokens[self.index - count] if self.index >= count else None

    def finding(self, code: str, message: str, hint: str = "", span: Span | None = None) -> Finding:
        """A mistake at this place."""
        return Finding("error", code, message, span or self.span, hint)

    @property
    def pattern(self) -> str:
        """How a line of this kind is built."""
        what = "an expression" if self.kind == "expression" else "a line of this kind"
        return f"{what} looks like: {PATTERNS[self.kind]}"


def start(tokens: list[Token]) -> Finding | None:
    """What is wrong with the first word of a line, if anything."""
    first = tokens[0]
    if first.is_word and first.key in KINDS:
        return None
    second = tokens[1] if len(tokens) > 1 else None
    code = "unknown-line"
    if first.type == "STRING":
        message = "a text at the left margin belongs to nothing"
        return Finding("error", code, message, first.span, "indent it, below the line it explains")
    if not first.is_word:
        return _start_with_sign(first, second)
    if second is not None and second.type == "STRING" and len(first.text) == 2:
        message = "a translation belongs to the line above it"
        return Finding("error", code, message, first.span, "indent it")
    if second is not None and second.type == "EQUAL" and first.key not in _KINDS_MEANT:
        return _start_without_kind(tokens)
    meant = _KINDS_MEANT.get(first.key) or _misspelt_kind(first.key)
    if first.key in _OWNERS and (meant is None or first.key in _CONTINUATIONS):
        message = f"{first.text!r} goes on with the line above it, but stands at the left margin"
        return Finding("error", code, message, first.span, "indent this line")
    message = f"no line starts with the word {first.text!r}"
    if meant:
        hint = f"did you mean {meant}? {PATTERNS[meant]}"
    else:
        kinds = "param, stock, flow, aux, table, data, outcome, lever, scenario, loop or check"
        hint = f"start with what it is: {kinds}"
    return Finding("error", code, message, first.span, hint)


def _misspelt_kind(word: str) -> str | None:
    """The keyword that a word is a slip of: the same but for one letter or two."""
    found = nearest(word, KINDS)
    return found if found and abs(len(found) - len(word)) <= 1 and found[0] == word[0] else None


def _start_with_sign(first: Token, second: Token | None) -> Finding:
    code = "unknown-line"
    if first.type == "NUMBER":
        message = "a line does not start with a number"
        hint = "start with what it is, like param name = 3; to go on with the line above, indent"
        return Finding("error", code, message, first.span, hint)
    if second is not None and second.type == first.type and first.text in "/*-=":
        message = f"a line does not start with {first.text}{second.text}"
        return Finding("error", code, message, first.span, "comments start with #")
    message = f"a line does not start with {first.text}"
    hint = "to go on with the line above, indent this one"
    return Finding("error", code, message, first.span, hint)


def _start_without_kind(tokens: list[Token]) -> Finding:
    name = tokens[0].text
    rest = tokens[2:]
    if rest and rest[0].is_word and rest[0].key in ("integ", "integral"):
        hint = f"write stock {name} [unit] = initial value gains inflow loses outflow"
    elif rest and all(not token.is_word for token in rest):
        hint = f"write param {name} [unit] = {' '.join(t.text for t in rest[:4])}"
    else:
        hint = f"write aux {name} [unit] = …, or param, stock or flow as it is"
    message = f"the line does not say what {name} is"
    return Finding("error", "unknown-line", message, tokens[0].span, hint)


def syntax(tokens: list[Token], index: int, expected: frozenset[str], kind: str = "") -> Finding:
    """The finding for the first token that does not fit; ``kind`` is ``expression`` for one alone."""
    place = Place(tokens, index, expected, kind or tokens[0].key)
    for rule in _RULES:
        finding = rule(place)
        if finding is not None:
            return finding
    return _otherwise(place)


# Each rule knows one way to go wrong.


def _no_name(place: Place) -> Finding | None:
    if place.index != 1 or place.kind in ("time", "expression"):
        return None
    token = place.token
    example = PATTERNS[place.kind]
    if token is None:
        return place.finding("no-name", f"{place.kind} needs a name", f"write {example}")
    if token.type == "NUMBER":
        message = f"a name starts with a letter, and {token.text} is a number"
        return place.finding("no-name", message, f"write {example}")
    if token.type == "STRING":
        message = "the name is missing: a label comes after it"
        return place.finding("no-name", message, f"write {example}")
    return place.finding("no-name", f"there is no name before {token.text}", f"write {example}")


def _hyphen_in_name(place: Place) -> Finding | None:
    token = place.token
    if place.index != 2 or token is None or token.type != "MINUS":
        return None
    if place.kind in ("time", "expression"):
        return None
    words = [place.tokens[1]]
    rest = place.tokens[2:]
    while len(rest) > 1 and rest[0].type == "MINUS" and rest[1].is_word:
        words.append(rest[1])
        rest = rest[2:]
    message = "a hyphen cannot stand in a name: it would be a minus"
    hint = f"write {'_'.join(word.text for word in words)}"
    return place.finding("hyphen-in-name", message, hint)


def _name_of_two_words(place: Place) -> Finding | None:
    token = place.token
    if token is None or not token.is_word or place.index < 2:
        return None
    if place.kind in ("time", "expression"):
        return None
    words = place.tokens[1 : place.index + 1]
    if not all(word.is_word for word in words) or place.index > 5:
        return None
    if place.kind in ("lever", "loop") and "EQUAL" not in place.expected:
        return None
    keyword = _keyword_meant(place)
    if keyword and place.kind in ("table", "observe"):
        return None
    if place.kind == "observe" and all(t.key != "by" for t in place.tokens[2:] if t.is_word):
        return None
    if place.kind == "table" and all(t.key != "of" for t in place.tokens[2:] if t.is_word):
        return None
    rest = place.tokens[place.index + 1 :]
    while rest and rest[0].is_word and rest[0].key not in _OWNERS:
        words.append(rest.pop(0))
    shown = " ".join(word.text for word in words)
    message = f"a name is one word, and {shown} is {len(words)}"
    hint = f"write {'_'.join(word.text for word in words)}"
    span = words[0].span.to(words[-1].span)
    if words[0].key in ("is", "be"):
        return None
    return place.finding("name-of-words", message, hint, span)


def _unclosed(place: Place) -> Finding | None:
    """A bracket that is open where the line cannot go on."""
    token = place.token
    if token is not None and token.type not in ("EQUAL", "GAINS", "LOSES", "RSQB", "RPAR"):
        return None
    open_tokens: list[Token] = []
    for one in place.tokens[: place.index]:
        if one.type in ("LPAR", "LSQB"):
            open_tokens.append(one)
        elif one.type in ("RPAR", "RSQB") and open_tokens:
            open_tokens.pop()
    if not open_tokens or (token is None and place.before.type not in (*_OPERANDS, "RSQB")):
        return None
    opened = open_tokens[-1]
    if token is not None and token.type == "EQUAL" and opened.type == "LPAR":
        return None
    closing = "]" if opened.type == "LSQB" else ")"
    if token is not None and token.text == closing:
        return None
    message = f"this {opened.text} is never closed"
    return place.finding("open-bracket", message, f"write {closing} where it ends", opened.span)


def _unopened(place: Place) -> Finding | None:
    token = place.token
    if token is None:
        return None
    rest = place.tokens[place.index :]
    missing_unit = (
        place.index == 2
        and token.type in ("NUMBER", "SLASH", "NAME")
        and any(t.type == "RSQB" for t in rest)
        and not any(t.type == "LSQB" for t in rest)
    )
    if missing_unit:
        return place.finding("open-bracket", "the unit has no [ before it", "write [1/year]")
    if token.type not in ("RPAR", "RSQB"):
        return None
    opening = "(" if token.type == "RPAR" else "["
    depth = sum(t.text == opening for t in place.tokens[: place.index])
    depth -= sum(t.text == token.text for t in place.tokens[: place.index])
    if depth > 0:
        return None
    message = f"there is no {opening} for this {token.text}"
    return place.finding("open-bracket", message, f"delete it, or write {opening} where it starts")


def _empty_brackets(place: Place) -> Finding | None:
    token = place.token
    if token is None or token.type not in ("RPAR", "RSQB"):
        return None
    if token.type == "RSQB" and place.before.type == "LSQB":
        return place.finding("empty-brackets", "the brackets are empty", "write [1] for no unit")
    if place.before.type != "LPAR":
        return None
    name = place.back(2)
    if name is not None and name.type == "NAME":
        function = FUNCTIONS.get(name.key)
        if function:
            message = f"{name.text} needs its arguments"
            return place.finding("empty-brackets", message, f"write {function.signature}")
        foreign = FOREIGN.get(name.key)
        if foreign:
            message = f"there is no function {name.text}"
            return place.finding("unknown-function", message, foreign, name.span)
        message = f"{name.text}( ) has nothing between its brackets"
        return place.finding("empty-brackets", message, f"write {name.text}, or {name.text}(x)")
    return place.finding("empty-brackets", "there is nothing between these brackets", "fill them")


def _doubled_signs(place: Place) -> Finding | None:
    token, before = place.token, place.before
    if token is None:
        return None
    after = place.after
    if token.type == "EQUAL" and after is not None and after.text in ("<", ">"):
        # => and =<: the sign that does not fit is the first half.
        before, token = token, after
    if token.text in ("+", "-", "*", "/", ":") and after is not None and after.type == "EQUAL":
        message = f"{token.text}= is not known here: a line says what something is, once"
        span = token.span.to(after.span)
        return place.finding("wrong-sign", message, "write = and the whole equation", span)
    adjacent = token.line == before.line and token.column == before.end
    pair = before.text + token.text
    span = before.span.to(token.span)
    if pair == "**" and adjacent:
        return place.finding("unknown-sign", "** is not known here", "write ^ for a power", span)
    if pair == "//" and adjacent:
        return place.finding("unknown-sign", "// is not known here", "write comments after #", span)
    meant = {"=>": ">=", "=<": "<=", "==": "==", "=!": "!=", ":=": "="}.get(pair)
    if pair == "=>" and place.kind == "loop":
        meant = "->"
    if meant and (adjacent or pair == "=="):
        return place.finding("unknown-sign", f"{pair} is not known here", f"write {meant}", span)
    if before.type == "COMPARISON" and token.text == "=":
        message = f"{before.text} and = belong together"
        return place.finding("unknown-sign", message, f"write {before.text}=", span)
    if before.type in _BINARY and token.type in _BINARY and before.type != "MINUS":
        message = f"something is missing between {before.text} and {token.text}"
        return place.finding("missing-operand", message, "write a name or a number there", span)
    return None


def _decimal_comma(place: Place) -> Finding | None:
    token, before, after = place.token, place.before, place.after
    if token is None or token.type != "COMMA" or before.type != "NUMBER" or after is None:
        return None
    if after.type != "NUMBER" or token.column != before.end or after.column != token.end:
        return None
    span = before.span.to(after.span)
    if len(after.text) == 3 and after.text.isdigit() and before.text.isdigit():
        whole = before.text
        rest = place.tokens[place.index :]
        while len(rest) > 1 and rest[0].type == "COMMA" and rest[1].type == "NUMBER":
            whole += rest[1].text
            rest = rest[2:]
        message = "a comma cannot stand inside a number"
        return place.finding("bad-number", message, f"write {whole}", span)
    message = "a decimal comma is not known here"
    return place.finding("bad-number", message, f"write {before.text}.{after.text}", span)


def _spaced_function(place: Place) -> Finding | None:
    """IF THEN ELSE( and others that are several words elsewhere."""
    if place.token is None or (not place.token.is_word and place.token.type != "LPAR"):
        return None
    first = place.index
    while first > 1 and place.tokens[first - 1].is_word and place.index - first < 4:
        first -= 1
    last = place.index
    while last < len(place.tokens) and place.tokens[last].is_word:
        last += 1
    for begin in range(first, place.index + 1):
        words = place.tokens[begin:last]
        hint = _SPACED_FUNCTIONS.get(" ".join(word.key for word in words))
        if hint and last < len(place.tokens) and place.tokens[last].type == "LPAR":
            shown = " ".join(word.text for word in words)
            span = words[0].span.to(words[-1].span)
            return place.finding("unknown-function", f"there is no {shown}", hint, span)
    joined = "_".join(word.key for word in place.tokens[first:last])
    function = FUNCTIONS.get(joined) or FUNCTIONS.get(joined.replace("_", ""))
    if function and last - first > 1:
        span = place.tokens[first].span.to(place.tokens[last - 1].span)
        message = f"the name {function.name} is one word"
        return place.finding("unknown-function", message, f"write {function.signature}", span)
    return None


def _if_then_else(place: Place) -> Finding | None:
    keys = [token.key for token in place.tokens if token.is_word]
    if "if" not in keys:
        return None
    at = next(n for n, token in enumerate(place.tokens) if token.is_word and token.key == "if")
    called = at + 1 < len(place.tokens) and place.tokens[at + 1].type == "LPAR"
    if at >= place.index or (called and "then" not in keys and "else" not in keys):
        return None
    if place.kind == "check" and place.before is place.tokens[at]:
        message = "the condition of a check begins with when"
        hint = "write when p = 1 then variable >= 0"
        return place.finding("if-then-else", message, hint, place.tokens[at].span)
    message = "a condition is written like a function"
    span = place.tokens[at].span
    return place.finding("if-then-else", message, "write if(condition, then, else)", span)


def _equals_in_equation(place: Place) -> Finding | None:
    token = place.token
    if token is None or token.type != "EQUAL":
        return None
    if place.kind in ("scenario", "check") and "COLON" in place.expected:
        message = f"after the name of a {place.kind} stands a colon"
        return place.finding("wrong-sign", message, f"write {PATTERNS[place.kind]}")
    if place.kind == "time":
        return place.finding("wrong-sign", "the time line has no =", f"write {PATTERNS['time']}")
    if place.kind == "model":
        message = "the model line has only a name and a label"
        return place.finding("wrong-sign", message, f"write {PATTERNS['model']}")
    if place.kind == "observe":
        message = "the observe line has no ="
        return place.finding("wrong-sign", message, f"write {PATTERNS['observe']}")
    if place.kind == "table" and "OF" in place.expected:
        message = "a table says what it is a table of"
        return place.finding("no-axis", message, f"write {PATTERNS['table']}")
    if place.kind == "lever":
        message = "a lever moves its parameter to a value, or by a share"
        return place.finding("wrong-sign", message, f"write {PATTERNS['lever']}")
    if place.kind in ("scenario",) and place.before.type == "NAME":
        message = "between two settings stands a comma"
        return place.finding("missing-comma", message, PATTERNS["scenario"], place.before.span)
    if place.before.type in ("COMPARISON", "EQUAL"):
        return None
    message = "one = defines, two compare"
    return place.finding("single-equals", message, "write == to ask whether two things are equal")


def _colon_for_equals(place: Place) -> Finding | None:
    token = place.token
    if token is None or token.type != "COLON":
        return None
    if place.kind == "time":
        message = "the time line has no colon"
        return place.finding("wrong-sign", message, f"write {PATTERNS['time']}")
    if "EQUAL" in place.expected:
        message = f"after the name of a {place.kind} stands ="
        return place.finding("wrong-sign", message, f"write {PATTERNS[place.kind]}")
    return None


def _unit_out_of_place(place: Place) -> Finding | None:
    token, before = place.token, place.before
    if token is None:
        return None
    if token.type == "LPAR" and place.index in (2, 3) and "LSQB" in place.expected:
        return place.finding("misplaced-unit", "units stand in square brackets", "write [1/year]")
    if token.type == "STRING" and before.type == "RSQB":
        message = "the label stands before the unit"
        hint = f'write {place.kind} name "Label" [unit] …'
        return place.finding("misplaced-text", message, hint)
    if token.type == "LSQB":
        if place.kind == "scenario" or "EQUAL" not in {t.type for t in place.tokens}:
            return None
        at = next(n for n, t in enumerate(place.tokens) if t.type == "EQUAL")
        if place.index > at:
            name = place.tokens[1].text if len(place.tokens) > 1 else "name"
            if place.kind in ("param", "stock", "flow", "aux", "outcome", "data", "table"):
                hint = f"write {place.kind} {name} [unit] = …"
                message = "the unit stands after the name, before the ="
                return place.finding("misplaced-unit", message, hint)
            return place.finding("misplaced-unit", "no unit can stand here", "delete it")
    return None


def _inside_unit(place: Place) -> Finding | None:
    """Between the brackets of a unit."""
    opened = None
    for one in place.tokens[: place.index]:
        if one.type == "LSQB":
            opened = one
        elif one.type == "RSQB":
            opened = None
    token = place.token
    if opened is None or token is None:
        return None
    if token.is_word:
        if token.key == "per":
            return place.finding("bad-unit", "per is written /", "write [customer/year]")
        message = f"a sign is missing between {place.before.text} and {token.text}"
        hint = f"write [{place.before.text}*{token.text}] or [{place.before.text}/{token.text}]"
        return place.finding("bad-unit", message, hint)
    message = f"{token.text} cannot stand in a unit"
    return place.finding("bad-unit", message, "units look like [customer/year] or [m^2]")


def _text_out_of_place(place: Place) -> Finding | None:
    token = place.token
    if token is None or token.type != "STRING":
        return None
    if place.kind == "param" and any(t.type == "FROM" for t in place.tokens[: place.index]):
        return None
    if place.kind == "loop" or place.index <= 2:
        return None
    hint = f'a label stands after the name: {place.kind} name "Label" …; '
    hint += "documentation stands below, in an indented line"
    return place.finding("misplaced-text", "a text cannot stand here", hint)


def _range(place: Place) -> Finding | None:
    if place.kind not in ("param", "stock"):
        return None
    opened = next(
        (t for t in reversed(place.tokens[: place.index]) if t.type in ("IN", "BOUNDED", "FROM")),
        None,
    )
    if opened is None or opened.type == "FROM":
        return None
    if "RANGE" in place.expected or place.before.type in ("IN", "BOUNDED", "RANGE"):
        word = opened.text
        message = f"after {word!r} stand two numbers with .. between them"
        if place.token is not None and place.token.text == "." and place.before.text == "..":
            message = "two dots are enough"
        hint = "write in 1 .. 5" if opened.type == "IN" else "write bounded 0 .. or bounded 0 .. 1"
        return place.finding("bad-range", message, hint)
    return None


def _evidence(place: Place) -> Finding | None:
    if "GUESS" not in place.expected or place.before.type != "FROM":
        return None
    token = place.token
    message = "after from stands one of guess, estimate, survey, measured"
    hint = 'write from measured "source"'
    if token is not None and token.is_word:
        kinds = ("guess", "estimate", "survey", "measured")
        said = [one for one in place.tokens[place.index :] if one.type != "STRING"]
        meant = _EVIDENCE_MEANT.get(token.key) or nearest(token.key, kinds)
        if len(said) == 1 and meant:
            hint = f"did you mean {meant}?"
        else:
            # A source in words of its own: from a survey of 300 guests.
            named = [one.key for one in said if one.key in kinds]
            source = " ".join(one.text for one in said)[:60]
            hint = f'write from {(*named, meant, "measured")[0] or "measured"} "{source}"'
    elif token is not None and token.type == "STRING":
        hint = f"write from measured {token.text[:60]}"
    return place.finding("bad-evidence", message, hint)


def _flow_list(place: Place) -> Finding | None:
    token = place.token
    if place.kind != "stock" or token is None:
        return None
    opened = next(
        (t for t in reversed(place.tokens[: place.index]) if t.type in ("GAINS", "LOSES")), None
    )
    if opened is None or any(t.type == "BOUNDED" for t in place.tokens[: place.index]):
        return None
    if token.is_word and place.before.type == "NAME":
        if token.key in ("and", "plus"):
            message = "between two flows stands a comma"
            hint = f"write {opened.text} {place.before.text}, …"
            return place.finding("missing-comma", message, hint)
        keyword = _keyword_meant(place)
        if keyword:
            message = f"{token.text!r} is not known here"
            return place.finding("unknown-word", message, f"did you mean {keyword}?")
        hint = f"write {place.before.text}, {token.text}"
        return place.finding("missing-comma", "between two flows stands a comma", hint)
    message = f"after {opened.text!r} stand the names of flows"
    hint = f"write the equation as a flow of its own, and here {opened.text} and its name"
    return place.finding("not-a-flow", message, hint)


def _time_line(place: Place) -> Finding | None:
    if place.kind != "time":
        return None
    token = place.token
    example = f"write {PATTERNS['time']}"
    keyword = _keyword_meant(place)
    if token is not None and token.is_word and keyword:
        message = f"{token.text!r} is not known here"
        return place.finding("unknown-word", message, f"did you mean {keyword}? {PATTERNS['time']}")
    if "TO" in place.expected:
        return place.finding("bad-time", "time goes from one number to another", example)
    if token is None:
        message = "the time line ends too early"
        return place.finding("bad-time", message, example)
    return place.finding("bad-time", f"{token.text} cannot stand in the time line here", example)


def _loop_line(place: Place) -> Finding | None:
    if place.kind != "loop" or ("ARROW" not in place.expected and place.before.type != "ARROW"):
        return None
    token = place.token
    if token is None:
        message = "a loop is a path of names that ends where it starts"
        return place.finding("open-loop", message, f"write {PATTERNS['loop']}")
    if place.before.type == "ARROW":
        message = f"after -> stands a name, not {token.text}"
        return place.finding("open-loop", message, f"write {PATTERNS['loop']}")
    message = "between the names of a loop stands an arrow ->"
    return place.finding("open-loop", message, f"write {place.before.text} -> …")


def _points(place: Place) -> Finding | None:
    if place.kind != "table":
        return None
    token = place.token
    example = f"write {PATTERNS['table']}"
    if "OF" in place.expected:
        if token is not None and token.is_word and _keyword_meant(place) == "of":
            message = f"{token.text!r} is not known here"
            return place.finding("unknown-word", message, f"did you mean of? {PATTERNS['table']}")
        return place.finding("no-axis", "a table says what it is a table of", example)
    if place.before.type == "OF":
        return place.finding("no-axis", "after of stands the name of a variable", example)
    if not any(t.type == "EQUAL" for t in place.tokens[: place.index]):
        return None
    message = "the points of a table stand in brackets, x first: (0, 1) (1, 2)"
    return place.finding("bad-table", message, example)


def _data_line(place: Place) -> Finding | None:
    if place.kind == "data" and "STRING" in place.expected and place.before.type == "EQUAL":
        message = "the path of the file stands in quotation marks"
        return place.finding("no-path", message, f"write {PATTERNS['data']}")
    if place.kind == "data" and place.before.type == "SERIES":
        message = "the name of the series stands in quotation marks"
        return place.finding("no-path", message, f"write {PATTERNS['data']}")
    return None


def _observe_line(place: Place) -> Finding | None:
    if place.kind != "observe" or "BY" not in place.expected:
        return None
    message = "the observe line names a variable and the data it is compared by"
    return place.finding("no-data", message, f"write {PATTERNS['observe']}")


def _lever_line(place: Place) -> Finding | None:
    if place.kind != "lever":
        return None
    if {"TO", "BY"} <= place.expected and place.before.type == "NAME":
        message = "a lever moves its parameter to a value, or by a share"
        name = place.before.text
        return place.finding("no-move", message, f"write {name} to 0.5, or {name} by 10%")
    if place.before.type == "EQUAL":
        message = "a lever starts with the name of a parameter"
        return place.finding("no-move", message, f"write {PATTERNS['lever']}")
    return None


def _condition(place: Place) -> Finding | None:
    token = place.token
    if place.kind != "check" or not any(t.type == "WHEN" for t in place.tokens[: place.index]):
        return None
    then = any(t.type == "THEN" for t in place.tokens[: place.index])
    if then:
        return None
    if token is not None and token.type == "COMPARISON":
        message = "a condition sets parameters, it does not compare"
        return place.finding("bad-condition", message, "write when p = 0 then claim")
    if token is not None and token.key == "then" and place.before.type == "NAME":
        name = place.before.text
        message = "after when stand settings of parameters, or the word scenario and its name"
        hint = f"write when scenario {name} then … or when {name} = 0 then …"
        return place.finding("bad-condition", message, hint, place.before.span)
    if token is None or "THEN" in place.expected:
        message = "after the condition stands then, and what must hold"
        return place.finding("no-then", message, "write when p = 0 then variable >= 0")
    message = "after when stand settings of parameters"
    return place.finding("bad-condition", message, "write when p = 0, q = 1 then variable >= 0")


def _claims(place: Place) -> Finding | None:
    """Two claims of a check with a comma between them."""
    token = place.token
    if place.kind != "check" or token is None or token.type != "COMMA":
        return None
    if not {"AND", "OR"} & place.expected:
        return None
    return place.finding("missing-and", "between two claims stands and", "write and for the comma")


def _chain(place: Place) -> Finding | None:
    token = place.token
    if token is None or token.type != "COMPARISON" or place.before.type not in _OPERANDS:
        return None
    earlier = [t for t in place.tokens[: place.index] if t.type == "COMPARISON"]
    if not earlier:
        return None
    first = earlier[-1]
    message = "one comparison has two sides"
    hint = f"write a {first.text} b and b {token.text} c"
    return place.finding("chained-comparison", message, hint, first.span.to(token.span))


def _clause_of_another_line(place: Place) -> Finding | None:
    token = place.token
    if token is None or not token.is_word or token.key not in _OWNERS:
        return None
    owners = _OWNERS[token.key]
    if place.kind in owners or place.before.type not in (*_OPERANDS, "RSQB", "STRING"):
        return None
    if token.key in ("from", "to", "at") and place.kind == "flow":
        message = "a flow does not say where it goes"
        hint = "the stocks do: stock a = 0 gains flow, stock b = 0 loses flow"
        return place.finding("misplaced-clause", message, hint)
    where = " or ".join(f"{owner}" for owner in owners)
    message = f"{token.text!r} belongs to a line that starts with {where}"
    return place.finding("misplaced-clause", message, f"such a line: {PATTERNS[owners[0]]}")


_MEASURES_MEANT = {
    "average": "mean", "avg": "mean", "typical": "mean", "sum": "total", "cumulative": "total",
    "integral": "total", "accumulated": "total", "max": "peak", "maximum": "peak",
    "highest": "peak", "largest": "peak", "min": "trough", "minimum": "trough",
    "lowest": "trough", "smallest": "trough", "final": "at", "last": "at", "end": "at",
}  # fmt: skip


def _measure(place: Place) -> Finding | None:
    """What an outcome measures, in other words."""
    token, before = place.token, place.before
    if place.kind != "outcome" or token is None or not before.is_word:
        return None
    earlier = place.back(2)
    if earlier is None or earlier.type != "EQUAL":
        return None
    if before.key == "time" and token.is_word:
        message = "the time at which something comes true is written time of"
        return place.finding("unknown-word", message, "write time of variable > 0")
    if token.type not in ("NAME", "LPAR"):
        return None
    meant = _MEASURES_MEANT.get(before.key) or nearest(
        before.key, ("total", "mean", "peak", "trough")
    )
    if meant is None:
        return None
    message = f"{before.text} is not one of total, mean, peak, trough"
    hint = f"did you mean {meant} {token.text}?"
    if meant == "at":
        hint = f"write {token.text} at and the time"
    return place.finding("unknown-word", message, hint, before.span)


def _misspelt_word(place: Place) -> Finding | None:
    token = place.token
    if token is None or not token.is_word:
        return None
    keyword = _keyword_meant(place)
    if keyword is None:
        return None
    message = f"{token.text!r} is not known here"
    return place.finding("unknown-word", message, f"did you mean {keyword}?")


def _keyword_meant(place: Place) -> str | None:
    """The keyword that could stand here and is most like the word that does."""
    token = place.token
    if token is None or not token.is_word:
        return None
    choices = {name.lower() for name in place.expected if name.isalpha()} & _KEYWORDS
    for meant in _WORDS_MEANT.get(token.key, ()):
        if meant.lower() in choices:
            return meant.lower()
    return nearest(token.key, sorted(choices))


_KEYWORDS = frozenset(
    {*_OWNERS, "total", "mean", "peak", "trough", "then", "estimate", "survey", "measured", "once"}
)


def _missing_operator(place: Place) -> Finding | None:
    token, before = place.token, place.before
    if token is None or before.type not in _OPERANDS or token.type not in (
        "NAME", "NUMBER", "LPAR"
    ):  # fmt: skip
        return None
    span = before.span.to(token.span)
    if place.kind in ("model", "unit") and token.type == "NAME" and before.type == "NUMBER":
        return None
    if place.kind in ("scenario", "check") and place.after and place.after.type == "EQUAL":
        message = "between two settings stands a comma"
        return place.finding("missing-comma", message, f"write , before {token.text}", span)
    if before.type == "NUMBER" and token.type == "NUMBER":
        joined = before.text + token.text
        message = f"something is missing between {before.text} and {token.text}"
        hint = f"write {joined} if it is one number"
        if place.kind == "table":
            hint = f"write ({before.text}, {token.text})"
        return place.finding("missing-operator", message, hint, span)
    message = f"a sign is missing between {before.text} and {token.text}"
    if before.type == "NAME" and token.type == "NAME":
        hint = f"write {before.text}_{token.text} if it is one name, "
        hint += f"{before.text} * {token.text} to multiply"
    elif before.type == "NUMBER" and token.type == "NAME":
        hint = f"write {before.text} * {token.text} to multiply"
        if place.kind in ("param", "stock"):
            hint += f"; a unit stands before the =, like [{token.text}]"
        elif token.key in UNITS_OF_TIME:
            message = f"numbers carry no unit here, and {token.text} is one"
            hint = f"write {before.text} in the unit of what it sets"
            if place.kind not in ("scenario", "lever", "check"):
                hint = f"let a parameter carry it: param name [{token.text}] = {before.text}"
    elif token.type == "LPAR":
        hint = f"write {before.text} * ( to multiply"
    else:
        hint = f"write {before.text} * {token.text} to multiply"
    return place.finding("missing-operator", message, hint, span)


def _missing_operand(place: Place) -> Finding | None:
    token, before = place.token, place.before
    if not _STARTS & place.expected or "NUMBER" not in place.expected:
        return None
    where = f"after {before.text}"
    if before.type == "EQUAL":
        wanted = "a number" if place.kind == "param" else "an equation"
        if token is None:
            return place.finding(
                "missing-operand", f"expected {wanted} after =", f"write {PATTERNS[place.kind]}"
            )
    if token is None:
        if before.type in _BINARY or before.type in ("COMMA", "LPAR", "NOT"):
            message = f"the line ends with {before.text}, and something must follow"
            hint = "write a name or a number, or go on in an indented line"
            return place.finding("missing-operand", message, hint)
        if before.type in _OPERANDS:
            return None
        message = f"expected a number or a name {where}"
        return place.finding("missing-operand", message, place.pattern)
    if token.type in ("RPAR", "COMMA") and (
        before.type in _BINARY or before.type in ("COMMA", "LPAR")
    ):
        message = f"something is missing between {before.text} and {token.text}"
        hint = "write a name or a number there"
        return place.finding("missing-operand", message, hint, before.span.to(token.span))
    if before.type in (*_BINARY, "EQUAL", "COMMA", "LPAR", "COLON") or before.is_word:
        if token.type in _OPERANDS:
            return None
        wanted = (
            "a number"
            if place.kind == "param" and before.type == "EQUAL"
            else ("a number or a name")
        )
        message = f"expected {wanted} {where}, not {_shown(token)}"
        return place.finding("missing-operand", message, place.pattern)
    return None


def _ends_early(place: Place) -> Finding | None:
    if place.token is not None:
        return None
    wanted = {
        "param": "a parameter needs a value",
        "stock": "a stock needs its value at the start",
        "flow": "a flow needs an equation",
        "aux": "an auxiliary needs an equation",
        "outcome": "an outcome says what is measured",
        "scenario": "a scenario says what it sets",
        "check": "a check says what must hold",
        "lever": "a lever says which parameter it moves",
        "loop": "a loop is a path of names",
        "data": "data come from a file",
    }.get(place.kind, "the line ends too early")
    if "EQUAL" not in place.expected and "COLON" not in place.expected:
        wanted = f"the line ends too early, after {place.before.text}"
    return place.finding("ends-early", wanted, f"write {PATTERNS[place.kind]}")


_RULES: tuple[Callable[[Place], Finding | None], ...] = (
    _no_name,
    _hyphen_in_name,
    _doubled_signs,
    _decimal_comma,
    _unopened,
    _empty_brackets,
    _unclosed,
    _inside_unit,
    _spaced_function,
    _name_of_two_words,
    _equals_in_equation,
    _colon_for_equals,
    _range,
    _unit_out_of_place,
    _text_out_of_place,
    _evidence,
    _measure,
    _if_then_else,
    _chain,
    _condition,
    _claims,
    _flow_list,
    _clause_of_another_line,
    _time_line,
    _loop_line,
    _data_line,
    _observe_line,
    _lever_line,
    _misspelt_word,
    _missing_operand,
    _missing_operator,
    _points,
    _ends_early,
)


def _shown(token: Token) -> str:
    return token.text if len(token.text) <= 40 else token.text[:40] + "…"


def _otherwise(place: Place) -> Finding:
    """No rule knows the case: what stands where, and how such a line is built."""
    message = f"{_shown(place.token or place.before)} cannot stand here"
    if place.token is None:
        message = "the line ends too early"
    return place.finding("syntax", message, place.pattern)
