"""Blocks of tokens to a model: every declaration made, every name resolved, every mistake found.

First each block is parsed, then the names of all of them are known, then each declaration is built.
A block that cannot be parsed still declares its name, so that one broken line makes one finding and
not one more wherever its name is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flywheel.compose import DESIRED, OWN, flatten
from flywheel.errors import Finding, LimitError, ModelError, Span, nearest
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, key
from flywheel.functions import FUNCTIONS
from flywheel.language import explain, limits
from flywheel.language.csv_data import DataFault, Folder
from flywheel.language.lexer import KINDS, Block, Text, Token, unquote
from flywheel.language.modules import Library
from flywheel.language.names import (
    ANYTHING,
    BASE,
    CLAIM,
    EQUATION,
    FORCED_CLAIM,
    OUTCOMES,
    PARAMETERS,
    RESERVED,
    VARIABLES,
    Names,
    Scope,
    Symbol,
    described,
)
from flywheel.language.parser import Clause, Refused, SyntaxFault, parse_tokens, span_of
from flywheel.model import (
    Aux,
    Binding,
    Check,
    Data,
    Declaration,
    Evidence,
    Flow,
    Lever,
    Loop,
    Measure,
    Model,
    Module,
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
from flywheel.units import Unit

M = TypeVar("M", bound=Model)

_MEASURES: dict[str, Measure] = {
    "total": "total",
    "mean": "mean",
    "peak": "peak",
    "trough": "trough",
    "time_of": "time of",
    "value": "value",
}
_STEP_SLACK = 1e-9
"""Relative: 0.1 is no exact fraction, and 30 years of it are 300 steps all the same."""


@dataclass(slots=True)
class Line:
    """A block that is a sentence of the grammar."""

    block: Block
    tokens: list[Token]
    clause: Clause

    @property
    def kind(self) -> str:
        """The declaration's keyword."""
        return "unit" if self.clause.name == "unit_line" else self.clause.name

    @property
    def head(self) -> list[Any]:
        """Name, label and unit, as far as there are any."""
        if self.kind == "time":
            return []
        head: list[Any] = self.clause.parts[1 if self.kind == "use" else 0].parts
        return head

    @property
    def span(self) -> Span:
        """The declaration, without documentation."""
        return self.tokens[0].span.to(self.tokens[-1].span)


def build_model(text: Text, library: Library, build: type[M]) -> M:
    """The model that a text says. Raises ModelError with every mistake, LimitError among them."""
    builder = _Builder(text, library)
    model = builder.model(build)
    findings = [*text.findings, *builder.names.findings]
    if model is None or findings:
        raise _error(findings)
    return model


def _error(findings: list[Finding]) -> ModelError:
    """One error for all findings: limits first, then in the order of the text, each place once."""
    ordered = sorted(
        findings,
        key=lambda f: (
            not f.code.startswith("limit-"),
            (f.span.line, f.span.column) if f.span else (0, 0),
        ),
    )
    unique = list(dict.fromkeys(ordered))
    kept = unique[: limits.MAX_FINDINGS]
    if len(unique) > len(kept):
        more = f"and {len(unique) - len(kept)} more mistakes"
        kept.append(Finding("note", "more-mistakes", more))
    limited = kept[0].code.startswith("limit-")
    if limited:
        return LimitError(kept[0].message, kept)
    return ModelError.of(kept)


def parse_block(block: Block) -> Clause:
    """The tree of a block that starts with a keyword. Raises Refused with the finding."""
    tokens = block.tokens
    try:
        clause = parse_tokens(tokens, "declaration")
    except SyntaxFault as fault:
        raise Refused(explain.syntax(tokens, fault.index, fault.expected)) from None
    assert isinstance(clause, Clause)
    return clause


def parse_blocks(text: Text) -> None:
    """Parse every block, so that its words know what they are. Raises ModelError."""
    findings = list(text.findings)
    for block in text.blocks:
        if block.broken or not block.tokens:
            continue
        fault = explain.start(block.tokens)
        try:
            if fault is None:
                parse_block(block)
            else:
                findings.append(fault)
        except Refused as refused:
            findings.append(refused.finding)
    if findings:
        raise _error(findings)


def resolve_expression(text: Text, model: Model | None) -> Expr:
    """One expression; its names are those of ``model``, or any when there is none."""
    findings = list(text.findings)
    tokens = [token for block in text.blocks for row in block.rows for token in row.tokens]
    if findings:
        raise _error(findings)
    if not tokens:
        place = Span(text.source, 1, 1, 1, 2)
        raise _error([Finding("error", "empty-text", "there is no expression", place)])
    try:
        expr: Expr = parse_tokens(tokens, "expression")
    except SyntaxFault as fault:
        raise _error([explain.syntax(tokens, fault.index, fault.expected, "expression")]) from None
    except Refused as refused:
        raise _error([refused.finding]) from None
    names = Names()
    for declaration in model.flat if model else ():
        if not isinstance(declaration, Observe):
            axis = declaration.input if isinstance(declaration, Table) else ""
            kind = _KIND_WORDS[type(declaration)]
            names.add(Symbol(declaration.name, kind, declaration.name_span, axis))
    resolved = names.resolve(expr, ANYTHING)
    free = () if model else ("unknown-name", "unknown-function")
    findings = [finding for finding in names.findings if finding.code not in free]
    if findings:
        raise _error(findings)
    return resolved


_CLASSES: dict[str, type[Declaration]] = {
    "unit": UnitDeclaration,
    "param": Param,
    "stock": Stock,
    "flow": Flow,
    "aux": Aux,
    "table": Table,
    "data": Data,
    "outcome": Outcome,
    "lever": Lever,
    "scenario": Scenario,
    "loop": Loop,
    "check": Check,
    "use": Use,
}
_KIND_WORDS = {kind: word for word, kind in _CLASSES.items()}


class _Builder:
    """One text on its way to a model."""

    def __init__(self, text: Text, library: Library) -> None:
        self.text = text
        self.library = library
        self.folder = Folder(library.folder)
        self.modules: dict[str, Module] = {}
        self.names = Names()
        self.error = self.names.error
        self.lines: list[Line] = []
        self._parse()
        self._declare()

    # Reading the blocks

    def _parse(self) -> None:
        for block in self.text.blocks:
            tokens = block.tokens
            if block.broken or not tokens:
                self._declare_broken(tokens)
                continue
            fault = explain.start(tokens)
            if fault:
                self.names.findings.append(fault)
                self._declare_broken(tokens)
                continue
            try:
                self.lines.append(Line(block, tokens, parse_block(block)))
            except Refused as refused:
                self.names.findings.append(refused.finding)
                self._declare_broken(tokens)

    def _declare_broken(self, tokens: list[Token]) -> None:
        """The name of a line that cannot be read, so that its uses are not reported too."""
        for token in tokens[:2]:
            if token.is_word and token.key not in KINDS:
                self._broken.append(token.text)

    @property
    def _broken(self) -> list[str]:
        if not hasattr(self, "_broken_names"):
            self._broken_names: list[str] = []
        return self._broken_names

    def _declare(self) -> None:
        seen: dict[str, Line] = {}
        for line in self.lines:
            if line.kind in ("model", "time", "observe"):
                continue
            token = line.head[0]
            folded = token.key
            if folded in RESERVED:
                message = f"{token.text} has a meaning of its own and cannot be a name"
                self.error("reserved-name", message, token.span, f"write {token.text}_ or another")
                continue
            if line.kind == "table" and (folded in FUNCTIONS or folded == BASE):
                message = f"{token.text} is a function, and a table of that name could not be read"
                self.error("reserved-name", message, token.span, f"call it {token.text}_table")
            first = seen.setdefault(folded, line)
            if first is not line:
                other = first.head[0]
                where = f"line {other.line}"
                message = f"{token.text} is declared twice: {where} has {described(first.kind)}"
                message += f" called {other.text}" if other.text != token.text else ""
                hint = "give one of them another name (capital letters make no difference)"
                self.error("duplicate-name", message, token.span, hint)
                continue
            if "." in token.text:
                message = f"{token.text} has a dot, and dots lead into modules"
                hint = f"call it {token.text.replace('.', '_')}"
                self.error("dotted-name", message, token.span, hint)
                continue
            axis = line.clause.parts[1].parts[0].text if line.kind == "table" else ""
            self.names.add(Symbol(token.text, line.kind, token.span, axis))
            if line.kind in ("flow", "aux") and len(line.clause.parts) > 2:
                self.names.add(Symbol(f"{token.text}.{DESIRED}", "param", token.span))
        for line in self.lines:
            if line.kind == "use" and seen.get(line.head[0].key) is line:
                self._open(line)
        for line in self.lines:
            if line.kind == "use":
                self._take_over(line)
        for name in self._broken:
            self.names.add(Symbol(name, "?"))
        self._lookalikes(seen)

    def _open(self, line: Line) -> None:
        """Read the module of a use line and declare what it brings in."""
        wanted, prefix = line.clause.parts[0], line.head[0]
        found = self.library.module(wanted.text, wanted.span)
        if isinstance(found, list):
            self.names.findings += found
            # What is not there cannot be judged: names under the prefix are let pass.
            self.names.lost.add(prefix.key)
            return
        self.modules[prefix.key] = found
        inside = {key(d.name): d.name for d in found.declarations}
        bound = (part.parts[0].key for part in self._bound(line))
        stubs = tuple(Binding(inside[k], Number(0.0)) for k in bound if k in inside)
        since = 0.0 if any(c.name == "since" for c in line.clause.parts[2:]) else None
        stub = Use(
            name=prefix.text, model=wanted.text, module=found, bindings=stubs, since=since
        )
        for declaration in flatten((stub,))[1:]:
            if not isinstance(declaration, Observe):
                axis = declaration.input if isinstance(declaration, Table) else ""
                kind = _KIND_WORDS[type(declaration)]
                place = declaration.name_span
                if kind == "unit":
                    self._shared_unit(declaration, found, wanted)
                self.names.add(Symbol(declaration.name, kind, place, axis))
        if len(self.names.symbols) > limits.MAX_VARIABLES:
            most = f"{limits.MAX_VARIABLES:,}"
            message = f"with what {wanted.text} brings in there are more than {most} names"
            raise limits.refuse("variables", message, line.span, "use fewer modules")

    def _shared_unit(self, unit: Declaration, module: Module, use: Token) -> None:
        """A unit that text and module both declare must be the same unit."""
        for line in self.lines:
            if line.kind != "unit" or line.head[0].key != key(unit.name):
                continue
            own = self._unit_line(line)
            theirs = replace(own, span=None)
            assert isinstance(unit, UnitDeclaration)
            if (own.factor, str(own.definition)) != (unit.factor, str(unit.definition)):
                place = f" ({unit.span})" if unit.span else ""
                message = f"{own.name} is another unit in the module {module.name}{place}"
                hint = "declare it the same way in both files"
                self.error("unit-conflict", message, theirs.name_span or use.span, hint)

    def _take_over(self, line: Line) -> None:
        """A parameter that an override replaces becomes an auxiliary; its number stays as .own."""
        for clause in line.clause.parts[2:]:
            if clause.name != "override":
                continue
            symbol = self.names.symbols.get(clause.parts[1].key)
            if symbol is not None and symbol.kind == "param":
                own = replace(symbol, name=f"{symbol.name}.{OWN}")
                self.names.symbols[key(symbol.name)] = replace(symbol, kind="aux")
                self.names.add(own)

    @staticmethod
    def _bound(line: Line) -> list[Clause]:
        """The ``name = expression`` parts after ``with``."""
        return [b for c in line.clause.parts[2:] if c.name == "bindings" for b in c.parts]

    def _lookalikes(self, seen: dict[str, Line]) -> None:
        """Two names that only look the same: one of them would be read for the other."""
        shapes: dict[str, str] = {name: name for name in FUNCTIONS}
        shapes |= {name: name for name in seen if name.isascii()}
        for folded, line in seen.items():
            if folded.isascii():
                continue
            shape = folded.translate(_SHAPES)
            other = shapes.setdefault(shape, folded)
            if other != folded:
                token = line.head[0]
                message = f"{token.text} looks like {other} but is written in other letters"
                self.error("lookalike-name", message, token.span, "give it another name")

    # The model itself

    def model(self, build: type[M]) -> M | None:
        """The model, or None when there are findings."""
        heads = [line for line in self.lines if line.kind == "model"]
        times = [line for line in self.lines if line.kind == "time"]
        self._order(heads, times)
        comments: list[str] = []
        time: Time | None = None
        declarations: list[Declaration] = []
        for line in self.lines:
            if line.kind in ("model", "time"):
                above, trailing = _comments(line.block)
                comments += above + ([trailing] if trailing else [])
                if line.kind == "time":
                    time = self._time(line)
                continue
            try:
                declarations.append(_BUILDERS[line.kind](self, line))
            except Refused as refused:
                if line.kind != "use" or refused.finding.code != "unknown-module":
                    self.names.findings.append(refused.finding)
        self._outcome_order(declarations)
        if time is not None:
            self._clocks(declarations, time)
        if not heads or time is None or self.names.findings or self.text.findings:
            return None
        common = self._common(heads[0])
        return build(
            name=common["name"],
            time=time,
            declarations=tuple(declarations),
            label=common["label"],
            doc=common["doc"],
            translations=common["translations"],
            source=self.text.source,
            comments=tuple(comments),
            closing_comments=tuple(
                row.comment or "" if row.role == "comment" else "" for row in self.text.below
            ),
        )

    def _order(self, heads: list[Line], times: list[Line]) -> None:
        words = [block.tokens[0].key for block in self.text.blocks if block.tokens]
        first = self.text.blocks[0].tokens[:1] if self.text.blocks else []
        place = first[0].span if first else Span(self.text.source, 1, 1, 1, 2)
        if not self.text.blocks:
            hint = "start with: model my_model, and time 2020 to 2040 [year] step 1/16"
            self.error("empty-text", "there is no model in this text", place, hint)
            return
        if any(block.broken and not block.tokens for block in self.text.blocks):
            return  # one of the lines that cannot be read at all may be the one that is missing
        if "model" not in words:
            hint = 'write model my_model "What it is about" in the first line'
            self.error("no-model-line", "the text does not start with a model line", place, hint)
        elif heads and words[0] != "model":
            message = "the model line comes first"
            self.error("line-order", message, heads[0].span, "move it to the top")
        if "time" not in words:
            hint = "write time 2020 to 2040 [year] step 1/16 in the second line"
            self.error("no-time-line", "the model has no time line", place, hint)
        elif times and heads and words.index("time") != 1 and words[0] == "model":
            message = "the time line comes second, after the model line"
            self.error("line-order", message, times[0].span, "move it up")
        for line in (*heads[1:], *times[1:]):
            message = f"a text has one {line.kind} line, and this is another"
            self.error("duplicate-name", message, line.span, "delete one of them")

    # Pieces that many declarations have

    def _common(self, line: Line) -> dict[str, Any]:
        """Name, label, documentation, translations, places and comments."""
        name = line.head[0]
        label = next((part for part in line.head if _is_text(part)), None)
        above, trailing = _comments(line.block)
        documentation: list[str] = []
        translations: dict[str, tuple[str, str]] = {}
        for row in line.block.rows:
            if row.role == "doc":
                documentation += [unquote(token) for token in row.tokens]
            elif row.role == "translation":
                self._translation(row.tokens, translations)
        return {
            "name": name.text,
            "label": unquote(label) if label else "",
            "doc": " ".join(documentation),
            "translations": tuple((code, *texts) for code, texts in translations.items()),
            "span": line.span,
            "name_span": name.span,
            "comments": tuple(above),
            "trailing_comment": trailing,
        }

    def _translation(self, tokens: list[Token], found: dict[str, tuple[str, str]]) -> None:
        code, *texts = tokens
        if len(code.key) != 2 or not code.key.isascii():
            message = f"{code.text} is no code of a language"
            hint = 'write two letters before a translation, like ko "…"; or delete the word'
            self.error("bad-translation", message, code.span, hint)
        elif code.key in found:
            message = f"there are two translations into {code.key}"
            self.error("bad-translation", message, code.span, "delete one of them")
        elif len(texts) > 2:
            message = "a translation has a label and one text of documentation"
            self.error("bad-translation", message, texts[2].span, "join the texts")
        else:
            label, doc = ([unquote(text) for text in texts] + [""])[:2]
            found[code.key] = (label, doc)

    def _unit(self, line: Line) -> Unit | None:
        """The unit in a head, in declared spelling."""
        return self._spelled(next((part for part in line.head if isinstance(part, Unit)), None))

    def _no_unit(self, line: Line) -> None:
        unit = next((part for part in line.head if isinstance(part, Unit)), None)
        if unit is not None:
            message = f"{described(line.kind)} has no unit of its own"
            self.error("misplaced-unit", message, unit.span, "delete the brackets")

    def _spelled(self, unit: Unit | None) -> Unit | None:
        if unit is None:
            return None
        factors = []
        for name, power in unit.factors:
            symbol = self.names.symbols.get(key(name))
            factors.append((symbol.name if symbol and symbol.kind == "unit" else name, power))
        return Unit(tuple(factors), unit.span)

    def _expr(self, expr: Expr, scope: Scope) -> Expr:
        return self.names.resolve(expr, scope)

    def _constant(self, expr: Expr, what: str) -> float:
        """The value of an expression of numbers alone. Raises Refused."""
        before = len(self.names.findings)
        self.names.resolve(expr, replace(PARAMETERS, place=what))
        if len(self.names.findings) > before:
            last = self.names.findings[-1]
            if last.code not in ("unknown-name", "unknown-function", "wrong-kind"):
                raise Refused(self.names.findings.pop())
            del self.names.findings[before:]
        return constant(expr, what)

    def _once(self, clauses: list[Clause]) -> dict[str, Clause]:
        """Clauses by their name; one that stands twice is an error."""
        found: dict[str, Clause] = {}
        for clause in clauses:
            if clause.name in found:
                word = clause.parts[0].text
                message = f"{word!r} stands twice in this line"
                self.error("duplicate-clause", message, clause.span, "keep one of them")
            found.setdefault(clause.name, clause)
        return found

    def _clauses(self, line: Line, start: int) -> dict[str, Clause]:
        return self._once(line.clause.parts[start:])

    def _number(self, clauses: dict[str, Clause], name: str, what: str) -> float | None:
        clause = clauses.get(name)
        return None if clause is None else self._constant(clause.parts[-1], what)

    def _window(
        self, clauses: dict[str, Clause]
    ) -> tuple[float | None, float | None, float | None]:
        """``at``, ``from`` and ``to``."""
        at = self._number(clauses, "at", "the time after at")
        since = self._number(clauses, "since", "the time after from")
        until = self._number(clauses, "until", "the time after to")
        if since is not None and until is not None and since >= until:
            message = f"from {since:g} to {until:g} holds no time"
            self.error("bad-window", message, clauses["since"].span, "put the earlier time first")
        if at is not None and (since is not None or until is not None):
            span = clauses["since" if since is not None else "until"].span
            message = "at is one moment, from and to are a stretch"
            self.error("bad-window", message, span, "keep one or the other")
        return at, since, until

    # One method for each kind of line

    def _time(self, line: Line) -> Time | None:
        parts = line.clause.parts
        extra = [row for row in line.block.rows if row.role in ("doc", "translation")]
        if extra:
            message = "the time line takes no documentation"
            self.error("misplaced-text", message, extra[0].tokens[0].span, "move it under model")
        unit = next((part for part in parts if isinstance(part, Unit)), None)
        clauses = self._once([part for part in parts if isinstance(part, Clause)])
        try:
            start = self._constant(parts[0], "the start of time")
            stop = self._constant(parts[1], "the end of time")
            step = self._number(clauses, "step", "the step")
            save = self._number(clauses, "save", "the save interval")
        except Refused as refused:
            self.names.findings.append(refused.finding)
            return None
        if step is None:
            hint = "write step 1/16 at the end: how far one step of the computation goes"
            self.error("no-step", "the time line has no step", line.span, hint)
            return None
        save = step if save is None else save
        self._check_time(line, clauses, start, stop, step, save)
        return Time(start, stop, step, save, self._spelled(unit), line.span)

    def _check_time(
        self,
        line: Line,
        clauses: dict[str, Clause],
        start: float,
        stop: float,
        step: float,
        save: float,
    ) -> None:
        place = clauses["step"].span
        if stop <= start:
            message = f"time runs from {start:g} to {stop:g}, which is no time at all"
            self.error("bad-time", message, line.span, "put the earlier time first")
        elif step <= 0:
            self.error("bad-time", f"the step is {step:g}", place, "write a step above 0")
        elif step > (stop - start) * (1 + _STEP_SLACK):
            message = f"the step, {step:g}, is longer than the whole time"
            self.error("bad-time", message, place, "write a smaller step")
        elif not _is_multiple(stop - start, step):
            count = (stop - start) / step
            message = f"from {start:g} to {stop:g} there are {count:.6g} steps, no whole number"
            self.error("bad-time", message, place, "choose a step that divides the time")
        elif save < step or not _is_multiple(save, step):
            message = f"saving every {save:g} is no whole number of steps of {step:g}"
            hint = f"write save {max(round(save / step), 1) * step:g}"
            self.error("bad-time", message, clauses["save"].span, hint)

    def _unit_line(self, line: Line) -> UnitDeclaration:
        self._no_unit(line)
        common = self._common(line)
        if len(line.clause.parts) == 1:
            return UnitDeclaration(**common)
        factor, unit = line.clause.parts[1]
        if not 0 < factor < float("inf"):
            message = f"a unit cannot be {factor:g} times another"
            self.error("bad-unit", message, line.span, "write a number above 0")
        definition = self._spelled(unit)
        if any(key(name) == key(common["name"]) for name, _ in unit.factors):
            message = f"the unit {common['name']} is defined by itself"
            hint = f"leave out what stands after =: unit {common['name']}"
            self.error("bad-unit", message, unit.span, hint)
        return UnitDeclaration(**common, factor=factor, definition=definition)

    def _param(self, line: Line) -> Param:
        clauses = self._clauses(line, 2)
        common = self._common(line)
        value = self._constant(line.clause.parts[1], f"the value of the parameter {common['name']}")
        low = high = None
        if "range" in clauses:
            _, lowest, _, highest = clauses["range"].parts
            low = self._constant(lowest, "the low end of a range")
            high = self._constant(highest, "the high end of a range")
            if low > high:
                message = f"the range runs backwards, from {low:g} to {high:g}"
                span = span_of(lowest).to(span_of(highest))
                self.error("bad-range", message, span, "write the smaller number first")
        evidence = self._evidence(clauses["evidence"]) if "evidence" in clauses else None
        return Param(
            **common, value=value, unit=self._unit(line), low=low, high=high, evidence=evidence
        )

    def _evidence(self, clause: Clause) -> Evidence:
        _, kind, *rest = clause.parts
        source = next((unquote(part) for part in rest if _is_text(part)), "")
        sd = None
        if rest and isinstance(rest[-1], Clause):
            sd = self._constant(rest[-1].parts[0], "the standard deviation")
            if sd <= 0:
                message = f"a standard deviation of {sd:g} says nothing"
                self.error("bad-range", message, span_of(rest[-1].parts[0]), "write it above 0")
        return Evidence(kind.key, source, sd)

    def _stock(self, line: Line) -> Stock:
        clauses = self._clauses(line, 2)
        low = high = None
        if "bounded" in clauses:
            _, *parts = clauses["bounded"].parts
            dots = next(n for n, part in enumerate(parts) if isinstance(part, Token))
            low = self._constant(parts[0], "a bound") if dots else None
            high = self._constant(parts[-1], "a bound") if dots < len(parts) - 1 else None
            if low is not None and high is not None and low >= high:
                message = f"the bounds from {low:g} to {high:g} hold nothing"
                hint = "write the smaller number first"
                self.error("bad-range", message, clauses["bounded"].span, hint)
        gains = self._flows(clauses, "gains")
        loses = self._flows(clauses, "loses")
        name = line.head[0].text
        for flow in gains:
            if flow in loses:
                message = f"{name} gains {flow} and loses it again"
                hint = "keep it on one side"
                self.error("flow-twice", message, clauses["loses"].span, hint)
        initial = self._expr(line.clause.parts[1], replace(EQUATION, place="an initial value"))
        return Stock(
            **self._common(line),
            initial=initial,
            unit=self._unit(line),
            gains=gains,
            loses=loses,
            low=low,
            high=high,
        )

    def _flows(self, clauses: dict[str, Clause], word: str) -> tuple[str, ...]:
        if word not in clauses:
            return ()
        flows: dict[str, None] = {}
        for token in clauses[word].parts[1:]:
            if token.type == "COMMA":
                continue
            wanted = f"a stock {word} flows: declare it as flow {token.text}"
            flow = self.names.reference(token, ("flow",), wanted)
            if flow in flows:
                message = f"{flow} stands twice after {word}"
                self.error("flow-twice", message, token.span, "delete one of them")
            flows[flow] = None
        return tuple(flows)

    def _flow(self, line: Line) -> Flow:
        equation, desired = self._rules(line)
        unit = self._unit(line)
        return Flow(**self._common(line), equation=equation, unit=unit, desired=desired)

    def _aux(self, line: Line) -> Aux:
        equation, desired = self._rules(line)
        unit = self._unit(line)
        return Aux(**self._common(line), equation=equation, unit=unit, desired=desired)

    def _clocks(self, declarations: list[Declaration], time: Time) -> None:
        """A module must have something to do while the text's model runs."""
        for use in declarations:
            if not isinstance(use, Use):
                continue
            ends = use.module.time.stop + use.shift
            if use.wake >= time.stop or (use.since is None and ends <= time.start):
                own = use.module.time
                message = (
                    f"{use.model} runs from {own.start:g} to {own.stop:g}, "
                    f"this model from {time.start:g} to {time.stop:g}"
                )
                hint = f"say when its clock starts: use {use.model} as {use.name} from {time.start:g}"
                self.error("module-clock", message, use.name_span, hint)

    def _rules(self, line: Line) -> tuple[Expr, Expr | None]:
        """The equation, and the desired one if the line has both."""
        _, current, *rest = line.clause.parts
        desired = self._expr(rest[0].parts[1], EQUATION) if rest else None
        return self._expr(current, EQUATION), desired

    def _use(self, line: Line) -> Use:
        self._no_unit(line)
        wanted, prefix = line.clause.parts[0], line.head[0]
        module = self.modules.get(prefix.key)
        if module is None:
            # The reason has been reported; this only lets the other lines be judged.
            raise Refused(Finding("error", "unknown-module", "not there", wanted.span))
        bindings: list[Binding] = []
        inside = {key(d.name): d for d in module.declarations}
        for part in self._bound(line):
            token, expr = part.parts
            target = inside.get(token.key)
            name = token.text
            if isinstance(target, Param | Stock | Flow | Aux | Table | Data):
                name = target.name
            else:
                near = [d.name for d in inside.values() if isinstance(d, Param | Stock | Aux)]
                guess = nearest(token.text, near)
                hint = f"did you mean {guess}?" if guess else f"it has {', '.join(near[:6])}"
                message = f"{module.name} has no variable or parameter called {token.text}"
                self.error("unknown-name", message, token.span, hint)
            if any(other.name == name for other in bindings):
                self.error("duplicate-setting", f"{name} is given twice", token.span, "keep one")
            span = token.span.to(span_of(expr))
            bindings.append(Binding(name, self._expr(expr, EQUATION), span))
        overrides: list[Override] = []
        since = None
        for clause in line.clause.parts[2:]:
            if clause.name == "since":
                since = self._constant(clause.parts[-1], "the time after from")
            if clause.name == "override":
                _, token, expr = (p for p in clause.parts if not _is_equal(p))
                wants = "an override replaces the equation of a flow, an auxiliary or a parameter"
                name = self.names.reference(token, ("flow", "aux"), wants)
                span = token.span.to(span_of(expr))
                overrides.append(Override(name, self._expr(expr, EQUATION), span))
        return Use(
            **self._common(line),
            model=wanted.text,
            module=module,
            since=since,
            bindings=tuple(bindings),
            overrides=tuple(overrides),
        )

    def _table(self, line: Line) -> Table:
        _, axis, *rest = line.clause.parts
        points: list[tuple[float, float]] = []
        clauses = self._once([part for part in rest if part.name != "point"])
        for part in rest:
            if part.name != "point":
                continue
            x = self._constant(part.parts[0], "a point of a table")
            y = self._constant(part.parts[1], "a point of a table")
            if points and x <= points[-1][0]:
                message = f"the points of a table go from left to right, and {x:g} comes after "
                message += f"{points[-1][0]:g}"
                span = span_of(part.parts[0])
                self.error("bad-table", message, span, "put the points in order")
            points.append((x, y))
        if len(points) < 2:
            message = "a table needs two points or more"
            self.error("bad-table", message, line.span, "write (0, 1) (1, 2)")
        input_name = axis.parts[0].text
        symbol = self.names.symbols.get(key(input_name))
        if key(input_name) == "time":
            input_name = "time"
        elif symbol and symbol.kind in VARIABLES | {"param"}:
            input_name = symbol.name
        return Table(
            **self._common(line),
            input=input_name,
            points=tuple(points),
            unit=self._unit(line),
            input_unit=self._spelled(axis.parts[1]) if len(axis.parts) > 1 else None,
            extrapolate="extrapolate" in clauses,
        )

    def _data(self, line: Line) -> Data:
        clauses = self._clauses(line, 2)
        path = line.clause.parts[1]
        series = clauses["series"].parts[1] if "series" in clauses else None
        scale = self._number(clauses, "scale", "the scale")
        offset = self._number(clauses, "offset", "the offset")
        data = Data(
            **self._common(line),
            path=unquote(path),
            series=unquote(series) if series else "",
            scale=1.0 if scale is None else scale,
            offset=0.0 if offset is None else offset,
            hold="hold" in clauses,
            unit=self._unit(line),
        )
        try:
            points = self.folder.series(data.path, data.series, data.scale, data.offset)
        except DataFault as fault:
            place = series if series and fault.code == "no-such-series" else path
            raise Refused(
                Finding("error", fault.code, fault.message, place.span, fault.hint)
            ) from None
        return replace(data, points=points)

    def _observe(self, line: Line) -> Observe:
        self._no_unit(line)
        wanted = "only a stock, a flow or an auxiliary can be observed"
        common = self._common(line)
        common["name"] = self.names.reference(line.head[0], ("stock", "flow", "aux"), wanted)
        token = line.clause.parts[1]
        data = self.names.reference(token, ("data",), "a variable is observed by a data line")
        clauses = self._clauses(line, 2)
        error = self._number(clauses, "error", "the error")
        if error is not None and error <= 0:
            message = f"an error of {error:g} is no error"
            self.error("bad-range", message, clauses["error"].span, "write error 5%")
        return Observe(**common, data=data, error=0.05 if error is None else error)

    def _outcome(self, line: Line) -> Outcome:
        _, measured, *rest = line.clause.parts
        if sum(clause.name == "at" for clause in rest) > 1:
            second = [clause for clause in rest if clause.name == "at"][1]
            message = "an outcome measures one thing at one time"
            hint = "write two outcomes, and a third that computes with their names"
            raise Refused(Finding("error", "two-measures", message, second.span, hint))
        clauses = self._once(rest)
        measure = _MEASURES[measured.name]
        word = "" if measure == "value" else measure
        at, since, until = self._window(clauses)
        if measure == "value" and at is not None:
            measure = "at"
        elif at is not None:
            message = f"{word!r} is about a stretch of time, and 'at' is one moment"
            self.error("bad-window", message, clauses["at"].span, "write from and to, or drop it")
        if measure in ("value", "at") and (since is not None or until is not None) and at is None:
            span = clauses["since" if since is not None else "until"].span
            hint = "write total, mean, peak or trough before the name"
            self.error("bad-window", "what is wanted of this stretch of time?", span, hint)
            measure = "at"
        discount = self._number(clauses, "discount", "the discount rate")
        if discount is not None and measure != "total":
            message = "only a total can be discounted"
            hint = "write total before the name, or delete discount"
            self.error("bad-discount", message, clauses["discount"].span, hint)
        scope = OUTCOMES if measure == "value" else EQUATION
        if measure != "value":
            scope = replace(scope, place="a measured outcome")
        return Outcome(
            **self._common(line),
            measure=measure,
            expr=self._expr(measured.parts[-1], scope),
            at=at,
            since=since,
            until=until,
            discount=discount or 0.0,
            unit=self._unit(line),
        )

    def _lever(self, line: Line) -> Lever:
        self._no_unit(line)
        _, token, move, *rest = line.clause.parts
        clauses = self._once(rest)
        wanted = "a lever moves a parameter"
        param = self.names.reference(token, ("param",), wanted)
        to = by = None
        if move.name == "move_to":
            to = self._expr(move.parts[-1], replace(PARAMETERS, place="a lever's new value"))
        else:
            by = self._constant(move.parts[-1], "the change by")
        level = self._number(clauses, "level", "the level")
        if level is not None and (level != int(level) or not 1 <= level <= 12):
            message = f"Meadows' places to intervene go from 12 to 1, and this is {level:g}"
            self.error("bad-level", message, clauses["level"].span, "write level 12 to level 1")
        if "cost" in clauses and "cost_once" in clauses:
            message = "cost stands twice in this line"
            self.error("duplicate-clause", message, clauses["cost_once"].span, "keep one of them")
        once = "cost_once" in clauses
        cost = clauses.get("cost_once" if once else "cost")
        return Lever(
            **self._common(line),
            param=param,
            to=to,
            by=by,
            at=self._number(clauses, "at", "the time after at"),
            level=None if level is None else int(level),
            cost=self._expr(cost.parts[-1], replace(EQUATION, place="a cost")) if cost else None,
            once=once,
        )

    def _settings(self, clause: Clause, place: str) -> tuple[Setting, ...]:
        settings: list[Setting] = []
        untimed: set[str] = set()
        for part in clause.parts:
            token, value, *rest = part.parts
            clauses = self._once(rest)
            _, since, until = self._window(clauses)
            wanted = "only a parameter or the start of a stock can be set"
            name = self.names.reference(token, ("param", "stock"), wanted)
            symbol = self.names.symbols.get(token.key)
            if symbol and symbol.kind == "stock" and (since is not None or until is not None):
                message = f"{name} is a stock: only its start can be set, not a later time"
                hint = "change a parameter of one of its flows"
                self.error("timed-stock", message, token.span, hint)
            if since is None and until is None:
                if name in untimed:
                    message = f"{name} is set twice"
                    self.error("duplicate-setting", message, token.span, "keep one of them")
                untimed.add(name)
            expr = self._expr(value, replace(PARAMETERS, place=place))
            span = token.span.to(rest[-1].parts[-1].span if rest else span_of(value))
            settings.append(Setting(name, expr, since, until, span))
        return tuple(settings)

    def _scenario(self, line: Line) -> Scenario:
        self._no_unit(line)
        settings = self._settings(line.clause.parts[1], "a scenario's value")
        return Scenario(**self._common(line), settings=settings)

    def _loop(self, line: Line) -> Loop:
        self._no_unit(line)
        name = line.head[0]
        if name.key[:1] not in ("r", "b"):
            message = f"the name of a loop says its kind, and {name.text} does not"
            hint = "start it with R (reinforcing) or B (balancing), like R1"
            self.error("loop-name", message, name.span, hint)
        tokens = line.clause.parts[1:]
        wanted = "a loop runs through stocks, flows and auxiliaries"
        path = tuple(self.names.reference(token, VARIABLES, wanted) for token in tokens)
        if key(path[0]) != key(path[-1]) or len(path) < 3:
            message = "a loop ends where it starts"
            hint = f"write {' -> '.join([*path[:3], '…'] if len(path) > 4 else path)} -> {path[0]}"
            self.error("open-loop", message, tokens[-1].span, hint)
        seen: set[str] = set()
        for token, place in zip(tokens[:-1], path[:-1], strict=True):
            if place in seen:
                message = f"the loop passes {place} twice"
                self.error("open-loop", message, token.span, "name the two loops separately")
            seen.add(place)
        return Loop(**self._common(line), path=path)

    def _check(self, line: Line) -> Check:
        self._no_unit(line)
        _, *parts = line.clause.parts
        when: tuple[Setting, ...] = ()
        scenario = ""
        if isinstance(parts[0], Clause):
            condition = parts.pop(0)
            if condition.name == "settings":
                when = self._settings(condition, "a condition's value")
            else:
                wanted = "when scenario asks for a scenario"
                scenario = self.names.reference(condition.parts[0], ("scenario",), wanted)
        claim, *rest = parts
        at, since, until = self._window(self._once(rest))
        if not _is_claim(claim):
            message = "a check claims something that is true or false"
            self.error("not-a-claim", message, span_of(claim), "compare two things: x >= 0")
        forced = bool(when or scenario)
        return Check(
            **self._common(line),
            claim=self._expr(claim, FORCED_CLAIM if forced else CLAIM),
            when=when,
            scenario=scenario,
            at=at,
            since=since,
            until=until,
        )

    def _outcome_order(self, declarations: list[Declaration]) -> None:
        """An outcome made of outcomes may not come round to itself."""
        from flywheel.expr import names as names_in

        reads = {
            d.name: list(names_in(d.expr))
            for d in declarations
            if isinstance(d, Outcome) and d.measure == "value"
        }
        done: set[str] = set()
        for root in reads:
            path = {root: iter(reads[root])} if root not in done else {}
            while path:
                name = next(reversed(path))
                other = next(path[name], None)
                if other is None:
                    done.add(name)
                    del path[name]
                elif other in path:
                    names = list(path)
                    self._outcome_circle(names[names.index(other) :], declarations)
                    return
                elif other in reads and other not in done:
                    path[other] = iter(reads[other])

    def _outcome_circle(self, circle: list[str], declarations: list[Declaration]) -> None:
        outcome = next(d for d in declarations if d.name == circle[0])
        shown = circle if len(circle) <= 8 else [*circle[:7], "…"]
        message = f"these outcomes are made of each other: {' -> '.join([*shown, circle[0]])}"
        hint = "let one of them be measured"
        self.error("outcome-cycle", message, outcome.name_span, hint)


_BUILDERS: dict[str, Callable[[_Builder, Line], Declaration]] = {
    "unit": _Builder._unit_line,
    "param": _Builder._param,
    "stock": _Builder._stock,
    "flow": _Builder._flow,
    "aux": _Builder._aux,
    "table": _Builder._table,
    "data": _Builder._data,
    "observe": _Builder._observe,
    "outcome": _Builder._outcome,
    "lever": _Builder._lever,
    "scenario": _Builder._scenario,
    "loop": _Builder._loop,
    "check": _Builder._check,
    "use": _Builder._use,
}

# Small Cyrillic and Greek letters that look like Latin ones.
_SHAPES = str.maketrans(
    "абвгдезікмнорсстухѕјԁԛԝαβεικνορτυχω", "a6brдe3ikmhopcctyxsjdqwaβeikvoptuxw"
)


def _is_equal(part: Any) -> bool:
    return isinstance(part, Token) and part.type == "EQUAL"


def _is_text(part: Any) -> bool:
    return isinstance(part, Token) and part.type == "STRING"


def _is_multiple(whole: float, part: float) -> bool:
    count = whole / part
    return abs(count - round(count)) <= _STEP_SLACK * max(1.0, count)


def _is_claim(expr: Expr) -> bool:
    """Whether an expression is true or false by its outermost operator."""
    match expr:
        case Binary(op=op):
            return op in ("<", "<=", ">", ">=", "==", "!=", "and", "or")
        case Unary(op=op):
            return op == "not"
        case _:
            return False


def _comments(block: Block) -> tuple[list[str], str]:
    """Comments for above the declaration, and the one after it.

    A comment between the lines of a declaration has no place of its own in a model; it moves above.
    """
    above = [row.comment or "" if row.role == "comment" else "" for row in block.above]
    trailing = ""
    for row in block.rows:
        if row.comment is None:
            continue
        if not trailing and row.role in ("head", "more"):
            trailing = row.comment
        else:
            above.append(row.comment)
    return above, trailing


def constant(expr: Expr, what: str) -> float:
    """The value of an expression of numbers. Raises Refused with a finding for anything else.

    The expression must have passed the limit on depth.
    """
    try:
        value = _evaluate(expr, what)
    except (OverflowError, ZeroDivisionError):
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        message = f"{what} comes to no finite number"
        raise Refused(Finding("error", "bad-number", message, expr.span, "write it as a number"))
    return value


def _evaluate(expr: Expr, what: str) -> float:
    match expr:
        case Number(value=value):
            return value
        case Unary(op="-", operand=operand):
            return -_evaluate(operand, what)
        case Binary(op=op, left=left, right=right) if op in ("+", "-", "*", "/", "^"):
            a, b = _evaluate(left, what), _evaluate(right, what)
            if op == "^":
                power = a**b if a >= 0 or b == int(b) else float("nan")
                return float(power)
            return a + b if op == "+" else a - b if op == "-" else a * b if op == "*" else a / b
        case Name(name=name):
            culprit = f"{name} is a name"
        case Call(function=function):
            culprit = f"{function}( ) is computed"
        case _:
            culprit = "this is a condition"
    hint = "write the number itself"
    if what.startswith("the value of the parameter"):
        hint = "write the number itself, or make it an auxiliary: aux name [unit] = …"
    if culprit.removesuffix(" is a name") in ("end", "stop", "final", "last"):
        hint = "write the number itself: the last time of the time line"
    message = f"{what} must be a number, and {culprit}"
    raise Refused(Finding("error", "not-a-number", message, expr.span, hint))
