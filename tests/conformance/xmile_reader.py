"""Reads a Stella model (XMILE) into our language, for comparing with Stella's own output.

Only what those models need: one module, no arrays, built-ins with the same meaning in both languages.
Whatever else a file holds is refused by name, never passed over.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import flywheel as fw
from flywheel.functions import FUNCTIONS

_XMILE = "{http://docs.oasis-open.org/xmile/ns/XMILE/v1.0}"
_SAME = {"min", "max", "abs", "sqrt", "exp", "ln", "log10", "sin", "cos", "tan", "step", "ramp"}
_CALLS = {name: name for name in _SAME | {"delay1", "delay3", "delayn", "trend"}}
_CALLS |= {"smth1": "smooth", "smth3": "smooth3", "smthn": "smoothn"}
_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"[^"]*")|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)'
    r"|(?P<word>[^\W\d]\w*)|(?P<sign><=|>=|<>|[-+*/^()=<>,])|(?P<comment>\{[^}]*\}))"
)


@dataclass(frozen=True)
class StellaModel:
    """A model in our language with what the file says about running it."""

    model: fw.Model
    method: str


def ident(name: str) -> str:
    """A Stella name in our spelling: blanks and line breaks are one sign, letters small."""
    found = re.sub(r"(\\n|\W)+", "_", name.strip().strip('"')).lower()
    taken = found in FUNCTIONS or found in {"time", "and", "or", "not", "if"}
    return f"v_{found}" if taken else found


def read(path: Path) -> StellaModel:
    """The model of a file. Raises ValueError for what this reader does not know."""
    # The pictures are of no use here, and in one file a font's name is not even text.
    text = path.read_bytes().decode("utf-8", errors="replace")
    root = ElementTree.fromstring(re.sub(r"<views>.*</views>", "", text, flags=re.DOTALL))
    specs = _one(root, "sim_specs")
    start, stop = float(_text(specs, "start")), float(_text(specs, "stop"))
    dt = _one(specs, "dt")
    step = 1 / float(dt.text or "") if dt.get("reciprocal") == "true" else float(dt.text or "")
    every = [value for name, value in specs.items() if name.endswith("save_interval")]
    save = float(every[0]) if every else step
    lines = [f"model {ident(path.stem)}", f"time {start!r} to {stop!r} step {step!r} save {save!r}"]
    models = root.findall(f"{_XMILE}model")
    if len(models) != 1:
        raise ValueError(f"{path.name} has {len(models)} modules")
    for variable in _one(models[0], "variables"):
        lines += _lines(variable)
    method = specs.get("method", "Euler").lower()
    if method not in ("euler", "rk4"):
        raise ValueError(f"the method {method} is not read")
    return StellaModel(fw.parse("\n".join(lines), name=path.name), method)


def _lines(variable: ElementTree.Element) -> list[str]:
    kind = variable.tag.removeprefix(_XMILE)
    name = ident(variable.get("name", ""))
    if kind not in ("stock", "flow", "aux") or variable.find(f"{_XMILE}dimensions") is not None:
        raise ValueError(f"{name}: {kind} with or without dimensions is not read")
    equation = translate(_text(variable, "eqn"))
    never_negative = variable.find(f"{_XMILE}non_negative") is not None
    lines = []
    if kind == "stock":
        line = f"stock {name} = {equation}"
        for word, tag in (("gains", "inflow"), ("loses", "outflow")):
            flows = [ident(e.text or "") for e in variable.findall(f"{_XMILE}{tag}")]
            line += f" {word} {', '.join(flows)}" if flows else ""
        # Stella would hold back outflows at 0; the tests make sure that it never has to.
        return [line + (" bounded 0 .." if never_negative else "")]
    table = variable.find(f"{_XMILE}gf")
    if table is not None:
        lines.append(f"table {name}_curve of {name}_input = {_points(table)}")
        equation = f"{name}_curve({equation})"
    if kind == "flow" and never_negative:
        equation = f"max({equation}, 0)"
    return [*lines, f"{kind} {name} = {equation}"]


def _points(table: ElementTree.Element) -> str:
    kind = table.get("type", "continuous")
    ys = [float(y) for y in _text(table, "ypts").split(",")]
    given = table.find(f"{_XMILE}xpts")
    if given is not None:
        xs = [float(x) for x in (given.text or "").split(",")]
    else:
        scale = _one(table, "xscale")
        xs = np.linspace(float(scale.get("min", "")), float(scale.get("max", "")), len(ys)).tolist()
    if kind not in ("continuous", "extrapolate"):
        raise ValueError(f"a graphical function of type {kind} is not read")
    points = " ".join(f"({x!r}, {y!r})" for x, y in zip(xs, ys, strict=True))
    return points + (" extrapolate" if kind == "extrapolate" else "")


def translate(equation: str) -> str:
    """An equation of Stella's in ours. Raises ValueError for a built-in that it does not know."""
    tokens = list(_tokens(equation))
    parts: list[str] = []
    position = _expression(tokens, 0, parts, frozenset())
    if position != len(tokens):
        raise ValueError(f"cannot read {equation!r}")
    return " ".join(parts)


def _tokens(equation: str) -> list[tuple[str, str]]:
    found, position = [], 0
    equation = equation.strip()
    while position < len(equation):
        match = _TOKEN.match(equation, position)
        if match is None:
            raise ValueError(f"cannot read {equation[position:]!r}")
        position = match.end()
        kind = match.lastgroup or ""
        if kind != "comment":
            found.append((kind, match.group(kind)))
    return found


def _expression(
    tokens: list[tuple[str, str]], at: int, parts: list[str], stop: frozenset[str]
) -> int:
    """Translates until one of the words of ``stop`` or an unmatched bracket."""
    depth = 0
    while at < len(tokens):
        kind, text = tokens[at]
        word = text.lower()
        if kind == "word" and word in stop and depth == 0:
            return at
        if text == ")" and depth == 0:
            return at
        depth += {"(": 1, ")": -1}.get(text, 0)
        if kind == "word" and word == "if":
            at = _choice(tokens, at, parts)
            continue
        if kind == "word" and word in ("and", "or", "not"):
            parts.append(word)
        elif kind == "word" and word == "time":
            parts.append("time")
        elif kind == "word" and at + 1 < len(tokens) and tokens[at + 1][1] == "(":
            if word not in _CALLS:
                raise ValueError(f"the built-in {text} is not read")
            parts.append(_CALLS[word])
        elif kind in ("word", "quoted"):
            parts.append(ident(text))
        else:
            parts.append({"=": "==", "<>": "!="}.get(text, text))
        at += 1
    return at


def _choice(tokens: list[tuple[str, str]], at: int, parts: list[str]) -> int:
    """IF a THEN b ELSE c."""
    pieces = []
    for before, after in (("if", "then"), ("then", "else"), ("else", "")):
        if at >= len(tokens) or tokens[at][1].lower() != before:
            raise ValueError(f"IF without {before.upper()}")
        piece: list[str] = []
        at = _expression(tokens, at + 1, piece, frozenset({after}))
        pieces.append(" ".join(piece))
    parts.append(f"if({', '.join(pieces)})")
    return at


def _one(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = element.find(f"{_XMILE}{tag}")
    if found is None:
        raise ValueError(f"there is no {tag}")
    return found


def _text(element: ElementTree.Element, tag: str) -> str:
    return _one(element, tag).text or ""
