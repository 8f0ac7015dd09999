"""One agreed shape for a text: spaces, indentation and line breaks, and nothing else.

It works on tokens, not on the model: comments, blank lines, the spelling of numbers, brackets that are
not needed and the author's own line breaks all stay. Only a line that is too long is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flywheel.functions import FUNCTIONS
from flywheel.language.lexer import Block, Row, Text, Token

WIDTH = 100
INDENT = "    "
_PADDED = frozenset({"param", "stock", "flow", "aux", "table", "data"})
"""Their names line up: what stands in nearly every line of a model."""
_EQUATIONS = frozenset({"stock", "flow", "aux", "outcome", "lever", "scenario", "check", "use"})
_OPERANDS = frozenset({"NAME", "NUMBER", "RPAR", "RSQB", "STRING"})
_EVIDENCE = frozenset({"GUESS", "ESTIMATE", "SURVEY", "MEASURED", "STRING"})
_OPERATORS = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "COMPARISON", "AND", "OR", "ARROW"})
_NAMELIKE = frozenset({"NAME", "NUMBER", "STRING", "WORD"})


def format_blocks(text: Text) -> str:
    """The text of blocks that have been parsed (their words know what they are)."""
    lines: list[str] = []
    for block in text.blocks:
        lines += _comment_lines(block.above, "")
        lines += _block_lines(block)
    lines += _comment_lines(text.below, "")
    return "\n".join(_single_blanks(lines)) + "\n"


def _single_blanks(lines: Iterable[str]) -> list[str]:
    """No blank line first or last, and never two in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def comment_text(comment: str) -> str:
    """A comment with its ``#``, one space between unless it is a ruler like ``#---``."""
    body = comment.strip()
    if not body:
        return "#"
    return f"#{body}" if body[0] in "#-=*!" and not comment.startswith(" ") else f"# {body}"


def _comment_lines(rows: Sequence[Row], indent: str) -> list[str]:
    return [
        indent + comment_text(row.comment or "") if row.role == "comment" else "" for row in rows
    ]


@dataclass(slots=True)
class Piece:
    """A token as it is shown: with a space before it or not; may a line start with it; how deep in
    brackets it stands.
    """

    text: str
    space: bool
    may_start: bool
    depth: int


def _block_lines(block: Block) -> list[str]:
    pieces = _pieces(block.tokens)
    done = 0
    lines: list[str] = []
    for row in block.rows:
        tail = f"  {comment_text(row.comment)}" if row.comment is not None else ""
        if row.role == "blank":
            lines.append("")
        elif row.role == "comment":
            lines.append(INDENT + comment_text(row.comment or ""))
        elif row.role in ("doc", "translation"):
            texts = [token.text for token in row.tokens]
            if row.role == "translation":
                texts = [" ".join([row.tokens[0].key, *texts[1:]])]
            lines += [INDENT + text for text in texts]
            lines[-1] += tail
        elif row.tokens:
            part = pieces[done : done + len(row.tokens)]
            done += len(row.tokens)
            broken = _fill(part, "" if row.role == "head" else INDENT)
            broken[-1] += tail
            lines += broken
    return lines


def _pieces(tokens: Sequence[Token]) -> list[Piece]:
    """The tokens of a declaration as they are shown."""
    kind = tokens[0].key
    pieces = [Piece(kind.ljust(6) if kind in _PADDED else kind, False, True, 0)]
    in_unit = False
    depth = 0
    for index, token in enumerate(tokens[1:], start=1):
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.type in ("RSQB", "RPAR"):
            in_unit = in_unit and token.type != "RSQB"
            depth -= 1
        text = token.text
        called = token.type == "NAME" and after is not None and after.type == "LPAR"
        keyword = token.type not in _NAMELIKE and text[0].isalpha()
        if keyword or (called and token.key in FUNCTIONS):
            text = token.key
        space = not in_unit and token.type != "RSQB" and _spaced(tokens, index, kind)
        starts = not in_unit and _may_start(token, after, tokens[index - 1])
        pieces.append(Piece(text, space, starts, depth))
        if token.type in ("LSQB", "LPAR"):
            in_unit = in_unit or token.type == "LSQB"
            depth += 1
    return pieces


def _spaced(tokens: Sequence[Token], index: int, kind: str) -> bool:
    """Whether a space stands between a token and the one before it, outside of units."""
    token, previous = tokens[index], tokens[index - 1]
    now, last = token.type, previous.type
    if now in ("COMMA", "COLON", "RPAR") or last == "LPAR" or "CARET" in (now, last):
        return False
    if kind == "unit" and (now in ("STAR", "SLASH") or last in ("STAR", "SLASH")):
        return False
    if now == "LPAR" and last == "NAME":
        return False
    if last in ("PLUS", "MINUS"):
        earlier = tokens[index - 2].type
        if kind == "param" and now == "MINUS" and last == "PLUS" and earlier in _EVIDENCE:
            return False  # +- of a deviation
        if kind == "param" and earlier == "PLUS" and tokens[index - 3].type in _EVIDENCE:
            return True
        return earlier in _OPERANDS
    if kind not in _EQUATIONS and "SLASH" in (now, last):
        # A fraction of two numbers is one number to the eye: 1/16.
        at = index if now == "SLASH" else index - 1
        sides = [*tokens[at - 1 : at], *tokens[at + 1 : at + 2]]
        return not (len(sides) == 2 and all(side.type == "NUMBER" for side in sides))
    return True


def _may_start(token: Token, after: Token | None, previous: Token) -> bool:
    """Whether a continued line may start with this token and still be read as one."""
    if token.type in ("COMMA", "RPAR", "RSQB", "STRING", "CARET", "LSQB", "COLON"):
        return False
    if token.text[0].isalpha() and after is not None and after.type == "STRING":
        return False
    if token.type in _OPERATORS:
        return previous.type in _OPERANDS
    if token.type == "LPAR":
        return previous.type in ("RPAR", "EQUAL", "COMMA", "RSQB")
    if previous.type == "COMMA":
        return True
    return token.type not in ("NAME", "NUMBER", "EQUAL", "RANGE") and previous.type in _OPERANDS


def _fill(pieces: Sequence[Piece], indent: str) -> list[str]:
    """Lines of at most WIDTH columns where the pieces allow it, the first at ``indent``."""
    lines: list[str] = []
    start = 0
    while start < len(pieces):
        end = _line_end(pieces, start, indent)
        text = pieces[start].text + "".join(
            f" {piece.text}" if piece.space else piece.text for piece in pieces[start + 1 : end]
        )
        lines.append((indent + text).rstrip())
        start = end
        indent = INDENT
    return lines


def _line_end(pieces: Sequence[Piece], start: int, indent: str) -> int:
    """Where a line that begins with piece ``start`` ends, to be at most WIDTH columns long.

    Of the places to break in its right half the one least deep in brackets, and the last of those.
    """
    width = len(indent)
    breaks: list[tuple[bool, int, int]] = []
    for n in range(start, len(pieces)):
        piece = pieces[n]
        if n > start and piece.may_start:
            breaks.append((width >= WIDTH // 2, -piece.depth, n))
        width += len(piece.text) + (piece.space and n > start)
        if width > WIDTH and breaks:
            return max(breaks)[2]
    return len(pieces)
