"""Value chains: entry points, each with judgements, their plausible ranges and their evidence.

A chain is a TOML file. Nothing in it may be missing, unknown or out of bounds, and every mistake is
said at once, with its line. The same shape as a dict of Python is read more kindly: a bare number is a
judgement without a range.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import get_args

from flywheel.analysis.questions import JUDGEMENTS, QUESTIONS, SCORED, Asked
from flywheel.errors import (
    Finding,
    LimitError,
    ModelError,
    Source,
    Span,
    UsageError,
    nearest,
    unknown_name,
)
from flywheel.expr import key
from flywheel.model import Evidence, EvidenceKind

MAX_BYTES = 1 << 20
MAX_POINTS = 100
MAX_TEXT = 2000
TARGETS = ("margin_opportunity", "iot_data_asset", "aws", "marketplace")
"""The models whose parameters an entry point can set."""
LANGUAGES = ("en", "ko")
_KINDS: tuple[str, ...] = get_args(EvidenceKind)
_CHAIN_KEYS = ("name", "label", "doc", "point")
_POINT_KEYS = ("name", "label", "doc", "unit", "models", *QUESTIONS)
_JUDGEMENT_KEYS = ("value", "range", "evidence", "source")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A number somebody judged: the value, how low and high it may plausibly be, and why."""

    name: str
    value: float
    low: float
    high: float
    evidence: Evidence

    @property
    def asked(self) -> Asked:
        """What it is a judgement of."""
        return JUDGEMENTS[self.name]


@dataclass(frozen=True)
class Point:
    """One place where a value chain could be entered."""

    name: str
    label: Mapping[str, str]
    """By language code; always has ``en``."""
    doc: Mapping[str, str]
    unit: str
    """What the costs and volumes count."""
    models: tuple[str, ...]
    judgements: Mapping[str, Judgement]
    span: Span | None = field(default=None, compare=False, repr=False)

    def text(self, language: str = "en") -> str:
        """Its label in a language (English where there is none)."""
        return self.label.get(language) or self.label["en"]

    @cached_property
    def values(self) -> dict[str, float]:
        """The judgements that the score depends on, by name."""
        return {name: self.judgements[name].value for name in SCORED}

    def with_(self, values: Mapping[str, float]) -> Point:
        """The same entry point with other values; a range stretches to hold its value.

        Raises UnknownNameError for a judgement there is not, UsageError for a value out of bounds.
        """
        judgements = dict(self.judgements)
        for name, value in values.items():
            asked = JUDGEMENTS.get(key(name))
            if asked is None:
                raise unknown_name(name, "judgement", JUDGEMENTS, f"entry point {self.name}")
            complaint = _out_of_bounds(asked, value)
            if complaint:
                raise UsageError(f"{self.name}.{asked.name} {complaint}")
            number, old = float(value), judgements.get(asked.name)
            judgements[asked.name] = Judgement(
                asked.name,
                number,
                min(number, old.low) if old else number,
                max(number, old.high) if old else number,
                old.evidence if old and old.value == number else Evidence("guess", "set by hand"),
            )
        return replace(self, judgements=judgements)


@dataclass(frozen=True)
class Chain:
    """A value chain and the places where it could be entered, in the order of its file."""

    name: str
    label: Mapping[str, str]
    doc: Mapping[str, str]
    points: tuple[Point, ...]

    def text(self, language: str = "en") -> str:
        """Its label in a language (English where there is none)."""
        return self.label.get(language) or self.label["en"]

    def point(self, name: str) -> Point:
        """An entry point by its name, in any case. Raises UnknownNameError."""
        for point in self.points:
            if key(point.name) == key(name):
                return point
        choices = [point.name for point in self.points]
        raise unknown_name(name, "entry point", choices, f"value chain {self.name}")

    def with_(self, settings: Mapping[str, Mapping[str, float]]) -> Chain:
        """The chain with other values: entry point, then judgement, then value."""
        changed: dict[str, Point] = {}
        for name, values in settings.items():
            point = self.point(name)
            changed[point.name] = changed.get(point.name, point).with_(values)
        return replace(self, points=tuple(changed.get(one.name, one) for one in self.points))


def parse_chain(text: str, *, name: str = "<text>") -> Chain:
    """The chain in a TOML text; ``name`` is what errors call it.

    Raises ModelError with every mistake found, LimitError for more than a person would write.
    """
    source = Source(name, text)
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise LimitError(f"{name}: a value chain is at most 1 MiB of text")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _mistakes([_toml_finding(source, str(error))]) from None
    except (RecursionError, ValueError):  # nested too deep; an integer of thousands of digits
        finding = Finding("error", "toml", f"{name}: nested too deep, or a number too long")
        raise _mistakes([finding]) from None
    return _Reader(source, lenient=False).chain(data)


def chain_of(data: Mapping[str, object]) -> Chain:
    """The chain in a mapping of the same shape; a bare number is a judgement without range.

    Raises ModelError with every mistake found.
    """
    return _Reader(None, lenient=True).chain(data)


def _mistakes(findings: list[Finding]) -> ModelError:
    count = len(findings)
    return ModelError(f"{count} mistake{'s' if count != 1 else ''} in the value chain", findings)


def _toml_finding(source: Source, message: str) -> Finding:
    """The TOML reader's complaint, at the place that it names in brackets."""
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    span = None
    if place:
        line, column = int(place[1]), int(place[2])
        span = Span(source, line, column, line, column + 1)
        message = message[: place.start()]
    where = "" if span else f"{source.name}: "
    return Finding("error", "toml", f"{where}this is no TOML: {message}", span)


def _out_of_bounds(asked: Asked, value: object) -> str:
    """What is wrong with a value of this judgement; empty when nothing is."""
    number = _number(value)
    if number is None:
        return f"must be a number, not {value!r:.80}"
    if not asked.low <= number <= asked.high:
        return f"must be from {asked.low:g} to {asked.high:g}, not {number:g}"
    return ""


def _number(value: object) -> float | None:
    """A finite number as a float; None for anything else, bool included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


class _Reader:
    """Walks through the data and collects what is wrong with it."""

    def __init__(self, source: Source | None, *, lenient: bool) -> None:
        self.source = source
        self.lenient = lenient
        self.findings: list[Finding] = []
        self.places = dict(_places(source)) if source else {}

    def say(self, message: str, place: tuple[object, ...], hint: str = "") -> None:
        """One mistake, at the most exact place that is known for it."""
        span = next(
            (self.places[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.places),
            None,
        )
        if span is None and self.source is not None:
            message = f"{self.source.name}: {message}"
        self.findings.append(Finding("error", "value-chain", message, span, hint))

    def chain(self, data: Mapping[str, object]) -> Chain:
        self.known(data, _CHAIN_KEYS, "the value chain", ())
        name = self.name(data, "the value chain", ())
        label = self.words(data, "label", name, "the value chain", ())
        doc = self.words(data, "doc", "", "the value chain", ())
        raw = data.get("point")
        points: list[Point] = []
        if not isinstance(raw, list | tuple) or not raw:
            self.say("the value chain has no entry point", ("point",), "write a [[point]] table")
        elif len(raw) > MAX_POINTS:
            self.say(f"the value chain has more than {MAX_POINTS} entry points", ("point",))
        else:
            for number, one in enumerate(raw):
                if isinstance(one, Mapping):
                    points.append(self.point(one, (number,)))
                else:
                    self.say("an entry point is a table", ("point",), "write [[point]]")
        seen: set[str] = set()
        for number, point in enumerate(points):
            if key(point.name) in seen:
                self.say(f"there are two entry points called {point.name!r}", (number, "name"))
            seen.add(key(point.name))
        if self.findings:
            raise _mistakes(self.findings)
        return Chain(name, label, doc, tuple(points))

    def point(self, data: Mapping[str, object], place: tuple[object, ...]) -> Point:
        owner = f"entry point {data['name']}" if data.get("name") else f"point {place[0]!s}"
        self.known(data, _POINT_KEYS, owner, place)
        name = self.name(data, owner, place)
        unit = data.get("unit", "unit" if self.lenient else None)
        if not isinstance(unit, str) or not self.printable(unit):
            self.say(f"{owner} must say the unit of its costs and volumes", (*place, "unit"),
                     'unit = "order"')  # fmt: skip
        judgements: dict[str, Judgement] = {}
        for question in QUESTIONS:
            inside = data.get(question)
            wanted = [one for one in JUDGEMENTS.values() if one.question == question]
            if not isinstance(inside, Mapping):
                self.say(f"{owner} has no table [point.{question}]", place)
                continue
            where = f"[point.{question}] of {owner}"
            self.known(inside, tuple(one.name for one in wanted), where, (*place, question))
            for asked in wanted:
                if asked.name in inside:
                    found = self.judgement(
                        asked, inside[asked.name], owner, (*place, question, asked.name)
                    )
                    if found:
                        judgements[asked.name] = found
                elif asked.needed:
                    self.say(f"{owner} does not judge {asked.name}", (*place, question),
                             f"{asked.meaning[0]}: {_example(asked)}")  # fmt: skip
        return Point(
            name,
            self.words(data, "label", name, owner, place),
            self.words(data, "doc", "", owner, place),
            str(unit),
            self.models(data, owner, place),
            judgements,
            self.places.get(place),
        )

    def judgement(
        self, asked: Asked, raw: object, owner: str, place: tuple[object, ...]
    ) -> Judgement | None:
        what = f"{owner}: {asked.name}"
        if self.lenient and not isinstance(raw, Mapping):
            raw = {"value": raw}
        if not isinstance(raw, Mapping):
            self.say(f"{what} must say value, range, evidence and source", place, _example(asked))
            return None
        self.known(raw, _JUDGEMENT_KEYS, what, place)
        before = len(self.findings)
        if "value" not in raw:
            self.say(f"{what} has no value", place, _example(asked))
            return None
        complaint = _out_of_bounds(asked, raw["value"])
        if complaint:
            self.say(f"{what} {complaint}", place)
        low, high = self.range(asked, raw, what, place)
        kind = raw.get("evidence", "guess" if self.lenient else None)
        if not isinstance(kind, str) or kind not in _KINDS:
            guess = nearest(str(kind), _KINDS) if kind is not None else None
            self.say(f"{what}: evidence is {', '.join(_KINDS[:-1])} or {_KINDS[-1]}", place,
                     f'evidence = "{guess or "guess"}"')  # fmt: skip
        words = raw.get("source", "not said" if self.lenient else None)
        if not isinstance(words, str) or not self.printable(words):
            self.say(f"{what} does not say where its number comes from", place,
                     'source = "what makes you think so"')  # fmt: skip
        value = _number(raw["value"])
        if len(self.findings) > before or value is None:
            return None
        evidence = Evidence(_kind(str(kind)), " ".join(str(words).split()))
        return Judgement(asked.name, value, low, high, evidence)

    def range(
        self, asked: Asked, raw: Mapping[str, object], what: str, place: tuple[object, ...]
    ) -> tuple[float, float]:
        """The plausible range; in a dict it may be left out and is then the value alone."""
        given = raw.get("range", [raw["value"], raw["value"]] if self.lenient else None)
        if not isinstance(given, list | tuple) or len(given) != 2:
            self.say(f"{what} must say its plausible range", place, "range = [low, high]")
            return math.nan, math.nan
        complaints = [complaint for end in given if (complaint := _out_of_bounds(asked, end))]
        if complaints:
            if "range" in raw:
                self.say(f"{what}: its range {complaints[0]}", place)
            return math.nan, math.nan
        low, high = float(given[0]), float(given[1])
        value = _number(raw["value"])
        if value is not None and not low <= value <= high:
            self.say(f"{what}: {value:g} is not in its own range {low:g} to {high:g}", place)
        return low, high

    def models(
        self, data: Mapping[str, object], owner: str, place: tuple[object, ...]
    ) -> tuple[str, ...]:
        raw = data.get("models", list(TARGETS))
        if not isinstance(raw, list | tuple) or not all(isinstance(one, str) for one in raw):
            self.say(f"{owner}: models is a list of names", (*place, "models"))
            return ()
        for one in raw:
            if one not in TARGETS:
                self.say(f"{owner} cannot be sent to a model called {one!r:.80}", (*place, "models"),
                         f"one of {', '.join(TARGETS)}")  # fmt: skip
        return tuple(dict.fromkeys(str(one) for one in raw))

    def name(self, data: Mapping[str, object], owner: str, place: tuple[object, ...]) -> str:
        name = data.get("name")
        if not isinstance(name, str) or not name.isidentifier() or len(name) > 128:
            self.say(f"{owner} needs a name of letters, digits and _", (*place, "name"))
            return "unnamed"
        return name

    def words(
        self,
        data: Mapping[str, object],
        what: str,
        instead: str,
        owner: str,
        place: tuple[object, ...],
    ) -> dict[str, str]:
        """A text, or one text for each language."""
        raw = data.get(what, instead.replace("_", " "))
        if isinstance(raw, str):
            raw = {"en": raw}
        if not isinstance(raw, Mapping) or "en" not in raw:
            self.say(f"{owner}: {what} is a text, or a table with en and ko", (*place, what))
            return {"en": instead}
        self.known(raw, LANGUAGES, f"{what} of {owner}", (*place, what))
        for text in raw.values():
            if not isinstance(text, str) or (text and not self.printable(text)):
                self.say(f"{owner}: {what} must be text of at most {MAX_TEXT} printable letters",
                         (*place, what))  # fmt: skip
        return {str(code): " ".join(str(text).split()) for code, text in raw.items()}

    def printable(self, text: str) -> bool:
        """Whether a text says something, in letters that a terminal can be trusted with."""
        words = " ".join(text.split())
        return 0 < len(words) <= MAX_TEXT and words.isprintable()

    def known(
        self,
        data: Mapping[str, object],
        names: tuple[str, ...],
        owner: str,
        place: tuple[object, ...],
    ) -> None:
        for name in data:
            if name in names:
                continue
            guess = nearest(str(name), names) or _belongs(str(name))
            hint = f"did you mean {guess}?" if guess else f"it has {', '.join(names)}"
            self.say(f"{owner} has no key {str(name)!r:.80}", (*place, name), hint)


def _belongs(name: str) -> str | None:
    """Where a judgement that stands in the wrong table belongs."""
    asked = JUDGEMENTS.get(name)
    return f"{name} in [point.{asked.question}]" if asked else None


def _kind(word: str) -> EvidenceKind:
    for kind in get_args(EvidenceKind):
        if kind == word:
            found: EvidenceKind = kind
            return found
    raise UsageError(f"no evidence is called {word!r}")


def _example(asked: Asked) -> str:
    value, ends = ("0.5", "[0.3, 0.7]") if asked.share else ("100", "[80, 150]")
    return (
        f'{asked.name} = {{ value = {value}, range = {ends}, evidence = "guess", source = "why" }}'
    )


_HEADER = re.compile(r"\s*(\[\[?)\s*(point)(?:\s*\.\s*(\w+))?(?:\s*\.\s*(\w+))?\s*\]\]?")
_KEY = re.compile(r'\s*"?(?P<name>[\w-]+)"?\s*=')


def _places(source: Source) -> Iterator[tuple[tuple[object, ...], Span]]:
    """Where each key of the file stands: by point (its number), table and key.

    Reads lines, not TOML: a key inside a text of several lines may be taken for one. Only the place of
    a message depends on it.
    """
    here: tuple[object, ...] = ()
    number = -1
    for count, line in enumerate(source.text.split("\n"), start=1):
        header, found = _HEADER.match(line), _KEY.match(line)
        if header:
            number += header[1] == "[["
            here = (number, *(part for part in header.groups()[2:] if part))
            first = len(line) - len(line.lstrip()) + 1
            yield here, Span(source, count, first, count, len(line.rstrip()) + 1)
        elif found:
            first, last = found.span("name")
            yield (*here, found["name"]), Span(source, count, first + 1, count, last + 1)
