"""From text to logical lines of tokens.

A model's text is read line by line. A line at the left margin starts a block; indented lines belong
to the block above: documentation (a quoted text alone), a translation (``ko "..."``), or more of the
declaration. Each block is parsed by itself, so a mistake in one hides none in another. Whatever is
wrong with single characters is found here, and so are the limits on names, numbers and nesting.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from flywheel.errors import Finding, Source, Span
from flywheel.expr import key
from flywheel.language import limits

KINDS: tuple[str, ...] = (
    "model", "time", "unit", "param", "stock", "flow", "aux", "table", "data", "observe",
    "outcome", "lever", "scenario", "loop", "check", "use",
)  # fmt: skip


class Token:
    """A piece of a line. ``type`` is a terminal of the grammar; for a word it starts as ``WORD``."""

    __slots__ = ("column", "end", "line", "source", "text", "type")

    def __init__(self, type: str, text: str, source: Source, line: int, column: int) -> None:
        self.type = type
        self.text = text
        self.source = source
        self.line = line
        self.column = column
        self.end = column + len(text)

    @property
    def span(self) -> Span:
        """Where the token stands."""
        return Span(self.source, self.line, self.column, self.line, self.end)

    @property
    def is_word(self) -> bool:
        """Whether it is a word, known as a keyword or a name or not yet."""
        return self.type not in _NO_WORDS

    @property
    def key(self) -> str:
        """The word as names are compared."""
        return self.text.lower() if self.text.isascii() else key(self.text)

    def __repr__(self) -> str:
        return f"Token({self.type}, {self.text!r}, {self.line}:{self.column})"


@dataclass(slots=True)
class Row:
    """One physical line: its tokens, its comment (None for none), how it stands to its block."""

    number: int
    indented: bool
    tokens: list[Token]
    comment: str | None
    role: str = "head"
    """``head``, ``more``, ``doc``, ``translation``, ``comment`` or ``blank``."""


@dataclass(slots=True)
class Block:
    """A declaration with everything that belongs to it."""

    rows: list[Row] = field(default_factory=list)
    above: list[Row] = field(default_factory=list)
    """Comment and blank lines before it."""
    last: Token | None = None
    """The last token of the declaration itself."""
    broken: bool = False
    """A finding about its characters has been made: it cannot be parsed."""

    @property
    def tokens(self) -> list[Token]:
        """The declaration itself: head and continuations."""
        return [t for row in self.rows if row.role in ("head", "more") for t in row.tokens]


@dataclass(slots=True)
class Text:
    """A whole text in blocks; ``below`` are the comment lines after the last one."""

    source: Source
    blocks: list[Block]
    below: list[Row]
    findings: list[Finding]


# A word takes every letter that is not ASCII; what is no letter is told apart afterwards, so that
# the message can name it. The plus-minus sign is a symbol of the language. The classes say what a
# letter is not: to list all of Unicode would take 6 ms to compile.
_LETTER = r"[^\x00-@\[-^`{-\x7f±]"
_IN_WORD = r"[^\x00-/:-@\[-^`{-\x7f±]"
_TOKEN = re.compile(
    rf"""
    (?P<SPACE>[ \t]+)
  | (?P<WORD>{_LETTER}{_IN_WORD}*(?:\.{_LETTER}{_IN_WORD}*)*)
  | (?P<NUMBER>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?%?)
  | (?P<STRING>"(?:[^"\\]|\\.)*")
  | (?P<COMPARISON><=|>=|==|!=|<(?![>])|>)
  | (?P<SYMBOL>->|\.\.|[-+*/^(),:=\[\]±])
  | (?P<COMMENT>\#.*)
    """,
    re.VERBOSE,
)

_AFTER_NUMBER = re.compile(rf"(?:{_IN_WORD}|\.)+")

SYMBOLS: dict[str, str] = {
    "+": "PLUS", "-": "MINUS", "*": "STAR", "/": "SLASH", "^": "CARET", "(": "LPAR", ")": "RPAR",
    ",": "COMMA", ":": "COLON", "=": "EQUAL", "[": "LSQB", "]": "RSQB", "..": "RANGE",
    "->": "ARROW", "±": "DEVIATION",
}  # fmt: skip

_NO_WORDS = frozenset({"NUMBER", "STRING", "COMPARISON", *SYMBOLS.values()})

# Words that a text can follow inside a declaration; any other is the code of a translation.
_BEFORE_TEXT = frozenset({"series", "survey", "guess", "estimate", "measured"})


def read(source: Source) -> Text:
    """Split a text into blocks of tokens; character mistakes become findings.

    Raises LimitError when the text is too large or has too many lines to be a model.
    """
    size = len(source.text.encode("utf-8", "surrogatepass"))
    if size > limits.MAX_FILE_BYTES:
        raise limits.refuse("file", f"the text has {size:,} bytes; a model may have 1 MiB")
    text = Text(source, [], [], [])
    waiting: list[Row] = []
    block: Block | None = None
    depth = 0
    margin: int | None = None
    for number, line in enumerate(source.text.split("\n"), start=1):
        if line.endswith("\r"):
            line = line[:-1]
        start = len(line) - len(line.lstrip(" \t"))
        tokens, comment, fault = scan(source, number, line)
        if fault:
            text.findings.append(fault)
        elif not tokens:
            role = "blank" if comment is None else "comment"
            waiting.append(Row(number, start > 0, [], comment, role))
            continue
        if margin is None:
            margin = start
        indented = start > margin
        row = Row(number, indented, tokens, comment)
        if indented and block is None:
            text.findings.append(_nothing_above(source, number, start))
            indented = False
        if indented and block is not None and depth == 0 and _is_declaration(block, tokens):
            text.findings.append(_indented_declaration(tokens))
            indented = False
        if not indented:
            block = Block(above=waiting)
            waiting = []
            text.blocks.append(block)
            depth = 0
            if len(text.blocks) > limits.MAX_VARIABLES + 2:
                raise limits.refuse(
                    "variables", f"more than {limits.MAX_VARIABLES:,} declarations", row_span(row)
                )
        else:
            assert block is not None
            row.role = _role(block, tokens)
            # Comments between the lines of a block stay inside it.
            block.rows.extend(waiting)
            waiting = []
        block.rows.append(row)
        block.broken = block.broken or fault is not None
        if row.role in ("head", "more"):
            block.last = tokens[-1] if tokens else block.last
            for token in tokens:
                if token.type in ("LPAR", "LSQB"):
                    depth += 1
                    if depth > limits.MAX_DEPTH and not block.broken:
                        block.broken = True
                        text.findings.append(too_deep(token.span))
                elif token.type in ("RPAR", "RSQB"):
                    depth = max(depth - 1, 0)
    while waiting and waiting[-1].role == "blank":
        waiting.pop()
    text.below = waiting
    return text


def row_span(row: Row) -> Span | None:
    """From the first to the last token of a row."""
    return row.tokens[0].span.to(row.tokens[-1].span) if row.tokens else None


def too_deep(span: Span | None) -> Finding:
    """The finding for an expression nested beyond the limit."""
    return limits.limit_finding(
        "depth",
        f"this is nested more than {limits.MAX_DEPTH} deep",
        span,
        "give parts of it names of their own, each in an aux line",
    )


def _role(block: Block, tokens: list[Token]) -> str:
    """Whether an indented line documents, translates or continues its block."""
    if not tokens or any(token.type != "STRING" for token in tokens[1:]):
        return "more"
    if tokens[0].type == "STRING":
        # A text after "=" or "series" is the path or the series of a data line.
        first, last = block.rows[0].tokens[:1], block.last
        wanted = last is not None and (
            last.type == "EQUAL" or (last.key == "series" and first[0].key == "data")
        )
        return "more" if wanted else "doc"
    named = tokens[0].type == "WORD" and tokens[0].key not in _BEFORE_TEXT
    return "translation" if named and len(tokens) > 1 else "more"


def _is_declaration(block: Block, tokens: list[Token]) -> bool:
    """Whether an indented line looks like a declaration that slipped to the right."""
    if len(tokens) < 3 or tokens[0].type != "WORD" or tokens[1].type != "WORD":
        return False
    return tokens[0].key in KINDS and tokens[2].type in ("LSQB", "EQUAL", "STRING", "COLON")


def _nothing_above(source: Source, number: int, start: int) -> Finding:
    return Finding(
        "error",
        "indented-start",
        "an indented line belongs to the line above it, but there is none",
        Span(source, number, 1, number, start + 1),
        "start the line at the left margin",
    )


def _indented_declaration(tokens: list[Token]) -> Finding:
    return Finding(
        "error",
        "indented-declaration",
        f"this {tokens[0].text} is indented, so it would belong to the line above",
        tokens[0].span,
        "start it at the left margin",
    )


def scan(source: Source, number: int, line: str) -> tuple[list[Token], str | None, Finding | None]:
    """The tokens of one physical line, its comment, and the first thing wrong with its characters.

    Tokens before the fault are returned all the same: they may hold the name being declared.
    """
    tokens: list[Token] = []
    if len(line) > limits.MAX_LINE_CHARACTERS:
        span = Span(source, number, limits.MAX_LINE_CHARACTERS, number, len(line) + 1)
        message = (
            f"this line has {len(line):,} characters, more than {limits.MAX_LINE_CHARACTERS:,}"
        )
        return (
            tokens,
            None,
            limits.limit_finding("line", message, span, "go on in an indented line"),
        )
    if not line.isascii() or not line.isprintable():
        fault = _forbidden(source, number, line)
        if fault:
            return tokens, None, fault
    position = 0
    comment: str | None = None
    match_at = _TOKEN.match
    while position < len(line):
        match = match_at(line, position)
        if match is None:
            if tokens and tokens[0].key == "data" and line[position] in "./":
                return tokens, comment, _bare_path(tokens[-1])
            return tokens, comment, stray(source, number, line, position)
        kind = match.lastgroup or ""
        if kind != "SPACE":
            piece = match.group()
            if kind == "COMMENT":
                comment = piece[1:].rstrip() or " "
                break
            if kind == "SYMBOL":
                kind = SYMBOLS[piece]
            token = Token(kind, piece, source, number, position + 1)
            if kind == "WORD":
                fault = _word_fault(token)
            elif kind == "NUMBER":
                fault = _number_fault(token, line, match.end())
                if fault and len(tokens) == 1 and tokens[0].key in KINDS[2:]:
                    fault = _digit_first(fault)
            elif kind == "STRING" and "\\" in piece:
                fault = _escape_fault(token)
            else:
                fault = None
            if fault:
                return tokens, comment, fault
            tokens.append(token)
        position = match.end()
    return tokens, comment, None


def unquote(token: Token) -> str:
    """The text that a STRING token says."""
    return re.sub(r"\\(.)", r"\1", token.text[1:-1])


def quote(text: str) -> str:
    """A text as a STRING token; line ends become spaces."""
    flat = " ".join(text.splitlines())
    return '"' + flat.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _mistake(
    code: str, message: str, source: Source, line: int, column: int, width: int, hint: str = ""
) -> Finding:
    return Finding("error", code, message, Span(source, line, column, line, column + width), hint)


_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _forbidden(source: Source, number: int, line: str) -> Finding | None:
    """A character that may stand nowhere, not even in a comment: it would show what is not there."""
    for index, character in enumerate(line):
        if character == "\t" or (character.isascii() and character.isprintable()):
            continue
        category = unicodedata.category(character)
        if character in _BIDI:
            message = f"{_called(character)} changes the order in which the line is shown"
        elif character == "\0":
            message = "there is a NUL in the text: this is not a text file, or not in UTF-8"
        elif category == "Cs":
            message = f"{_called(character)} is half a character: the text was decoded wrongly"
        elif character == "\r":
            message = "a carriage return stands inside the line"
        elif category in ("Cc", "Zl", "Zp", "Co", "Cn"):
            message = f"{_called(character)} is a control character"
        elif category == "Cf" and character not in "\u200c\u200d\xad":
            message = f"{_called(character)} cannot be seen"
        else:
            continue
        hint = "save the file as UTF-8" if category in ("Cs",) or character == "\0" else "delete it"
        if character == "\r":
            hint = "save the file with ordinary line ends"
        return _mistake("forbidden-character", message, source, number, index + 1, 1, hint)
    return None


def _called(character: str) -> str:
    """A character by its number and Unicode name."""
    name = unicodedata.name(character, "a character without a name")
    return f"U+{ord(character):04X} ({name.lower()})"


# What people and word processors type for the signs of the language.
_LOOKALIKES: dict[str, str] = {
    "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "−": "-", "–": "-",
    "—": "-", "‐": "-", "‑": "-", "≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "⇒": "->", "…": "..",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": '"', "’": '"', "＂": '"',
    "∧": "and", "∨": "or", "¬": "not", "²": "^2", "³": "^3", "√": "sqrt( )", "‰": "/ 1000",
    "。": ".", "、": ",", "，": ",", "∞": "a large number such as 1e9",
}  # fmt: skip


def _word_fault(token: Token) -> Finding | None:
    """What is wrong with a word: too long, a sign among its letters, letters of two alphabets."""
    text = token.text
    if text.isascii():
        if len(text) > limits.MAX_NAME_CHARACTERS:
            return _long_name(token, len(text))
        return None
    for index, character in enumerate(text):
        if not character.isascii() and not _in_names(character):
            return _strange(token, index, character)
    if len(text) > limits.MAX_NAME_CHARACTERS:
        return _long_name(token, len(text))
    normal = unicodedata.normalize("NFKC", text)
    if not normal.isidentifier():
        message = f"{text!r} is no name: a name starts with a letter"
        return _mistake("bad-name", message, token.source, token.line, token.column, len(text))
    return _mixed_alphabets(token, normal)


def _in_names(character: str) -> bool:
    """Whether a character that is not ASCII may stand in a name."""
    if character in "²³¹":
        return False
    normal = unicodedata.normalize("NFKC", character)
    return ("a" + normal).isidentifier() and not (normal.isascii() and not normal.isalnum())


def _long_name(token: Token, length: int) -> Finding:
    most = limits.MAX_NAME_CHARACTERS
    message = f"this name has {length} characters, more than {most}"
    return limits.limit_finding("name", message, token.span, "choose a shorter name")


def _strange(token: Token, index: int, character: str) -> Finding:
    """A character that is neither letter nor sign of the language."""
    place = (token.source, token.line, token.column + index, 1)
    normal = unicodedata.normalize("NFKC", character)
    meant = _LOOKALIKES.get(character) or (normal if normal.isascii() else "")
    if character.isspace():
        message = f"{_called(character)} is a special kind of space"
        return _mistake("strange-space", message, *place, "type an ordinary space in its place")
    if meant == '"':
        message = f"{character} is a curly quotation mark; texts stand in straight ones"
        return _mistake("curly-quotes", message, *place, 'write "like this"')
    if meant:
        message = f"the sign {character} is not known here"
        return _mistake("strange-sign", message, *place, f"write {meant}")
    message = f"{_called(character)} cannot stand here"
    return _mistake("strange-sign", message, *place, "delete it, or put it into a comment")


_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")


def _alphabet(character: str) -> str:
    """The alphabet of a letter, if it is one whose letters can be mistaken for another's."""
    if character.isascii():
        return "LATIN" if character.isalpha() else ""
    first = unicodedata.name(character, "").split(" ")[0]
    return first if first in _ALPHABETS else ""


def _mixed_alphabets(token: Token, normal: str) -> Finding | None:
    """Letters that only look alike, in one name: nobody could type it again."""
    found: dict[str, str] = {}
    for character in normal:
        alphabet = _alphabet(character)
        if alphabet:
            found.setdefault(alphabet, character)
    if len(found) < 2:
        return None
    (first, one), (second, other) = list(found.items())[:2]
    message = (
        f"the name {token.text} mixes {first.capitalize()} letters ({one}) "
        f"with {second.capitalize()} ones ({other}) that can look the same"
    )
    return Finding("error", "mixed-alphabets", message, token.span, "use letters of one alphabet")


def _number_fault(token: Token, line: str, end: int) -> Finding | None:
    """A number that is too long, or that runs into letters."""
    digits = sum(character.isdigit() for character in token.text)
    if digits > limits.MAX_NUMBER_DIGITS:
        message = f"this number has {digits} digits, more than {limits.MAX_NUMBER_DIGITS}"
        return limits.limit_finding("number", message, token.span)
    rest = _AFTER_NUMBER.match(line, end)
    if rest is None or token.text.endswith("%") or rest.group().startswith(".."):
        return None
    tail = rest.group()
    place = (token.source, token.line, token.column, len(token.text) + len(tail))
    whole = token.text + tail
    if not tail.isascii() and not tail[0].isascii() and not _in_names(tail[0]):
        return _strange(Token("WORD", tail, token.source, token.line, end + 1), 0, tail[0])
    if re.fullmatch(r"(_[0-9]+)+", tail):
        hint = f"write {whole.replace('_', '')}"
        return _mistake("bad-number", f"{whole} has underscores in it", *place, hint)
    if tail.startswith("."):
        return _mistake("bad-number", f"{whole} has two decimal points", *place, "keep one")
    scale = {"k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12}.get(
        tail.lower()
    )
    message = f"the number {token.text} runs into the letters {tail[:20]!r}"
    if scale:
        hint = f"write {float(token.text) * scale:g}, or {token.text} * {tail} if {tail} is a name"
    elif tail.lower() == "e":
        hint = f"write a power of ten as {token.text}e6"
    elif tail.lower().startswith("x") and token.text == "0":
        hint = "write the number in decimal digits"
    else:
        hint = f"write {token.text} * {tail[:40]}, or give the unit in brackets: [{tail[:40]}]"
    return _mistake("bad-number", message, *place, hint)


def _digit_first(fault: Finding) -> Finding:
    """A number that runs into letters where a name stands."""
    name = fault.span.text if fault.span else ""
    message = f"a name starts with a letter, and {name} starts with a digit"
    return Finding("error", "bad-name", message, fault.span, f"write n{name}, or another name")


def _bare_path(last: Token) -> Finding:
    """A path without its quotation marks."""
    hint = 'write data name [unit] = "file.csv" series "name"'
    message = "the path of the file stands in quotation marks"
    return Finding("error", "no-path", message, last.span, hint)


def _escape_fault(token: Token) -> Finding | None:
    """A backslash that stands before neither a quotation mark nor a backslash."""
    for match in re.finditer(r"\\(.)", token.text):
        if match.group(1) not in '"\\':
            message = f'{match.group()} in a text means nothing; \\ stands only before " or \\'
            hint = "write / in paths, or \\\\ for a backslash"
            place = (token.source, token.line, token.column + match.start(), 2)
            return _mistake("bad-escape", message, *place, hint)
    return None


# Habits of other languages, longest first: what is written, what to say, what to write.
_HABITS: tuple[tuple[str, str, str], ...] = (
    ("<>", "<> is not known here", "write != for: is not equal"),
    ("&&", "&& is not known here", "write and"),
    ("||", "|| is not known here", "write or"),
    ("&", "& is not known here", "write and"),
    ("|", "| is not known here", "write or; a unit stands in brackets: [customer/year]"),
    ("!", "! is not known here", "write not, or != for: is not equal"),
    (";", "lines need no ; at their end", "delete the ;"),
    ("{", "braces are not known here", "write comments after #, and group with ( )"),
    ("}", "braces are not known here", "write comments after #, and group with ( )"),
    ("'", "texts stand in double quotation marks", 'write "like this"'),
    ("~", "~ is not known here", 'write the unit as [unit] and notes as "text" below the line'),
    ("$", "$ is not known here", "money is a unit: [USD]"),
    ("%", "% stands directly after a number", "write 5% without a space, or 0.05"),
    ("@", "@ cannot stand in a name", "use letters, digits and _"),
    ("?", "? is not known here", "write if(condition, then, else)"),
    ("\\", "\\ is not known here", "to go on in the next line, indent that line"),
    ("`", "` is not known here", "write names without quotation marks"),
)


def stray(source: Source, number: int, line: str, position: int) -> Finding:
    """What to say about a character that starts no token."""
    rest = line[position:]
    column = position + 1
    if rest.startswith('"'):
        message = "this quotation mark is not closed"
        width = len(line) - position
        return _mistake("open-text", message, source, number, column, width, 'end the text with "')
    if rest.startswith("."):
        word = re.match(r"\.(\w*)", rest)
        if word and word.group(1) and position and (line[position - 1].isalnum()):
            message = "a dot cannot stand in a name: dots are kept for models plugged together"
            return _mistake("bad-name", message, source, number, column, 1, "write _ in its place")
        return _mistake("stray-sign", "this dot is out of place", source, number, column, 1)
    for sign, message, hint in _HABITS:
        if rest.startswith(sign):
            return _mistake("unknown-sign", message, source, number, column, len(sign), hint)
    message = f"{_called(rest[0])} cannot stand here"
    return _mistake("strange-sign", message, source, number, column, 1, "delete it")
