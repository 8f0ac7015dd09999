"""A model: an immutable list of declarations with look-up tables; a change makes a new one.

``declarations`` are as the text gives them; ``flat`` has the modules in use unfolded, and all look-ups
go by it. Nothing here computes: the language reads and prints models, ``checks`` judges them,
``kernel`` compiles them. Spans and comments do not take part in equality or in the content hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self, TypeVar

from flywheel.compose import flatten
from flywheel.declarations import (
    Aux,
    Binding,
    Check,
    Data,
    DataPoint,
    Declaration,
    Evidence,
    EvidenceKind,
    Flow,
    Lever,
    Loop,
    Measure,
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
    Variable,
)
from flywheel.errors import Source, UsageError, unknown_name
from flywheel.expr import Number, key

__all__ = [
    "Aux",
    "Binding",
    "Check",
    "Data",
    "DataPoint",
    "Declaration",
    "Evidence",
    "EvidenceKind",
    "Flow",
    "Lever",
    "Loop",
    "Measure",
    "Model",
    "Module",
    "Observe",
    "Outcome",
    "Override",
    "Param",
    "Scenario",
    "Setting",
    "Stock",
    "Table",
    "Time",
    "UnitDeclaration",
    "Use",
    "Variable",
    "as_number",
]

D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True, repr=False)
class Model:
    """A whole model. Immutable; equal when it says the same, wherever it was written.

    Look-ups by name (``params``, ``stocks``, …) are read-only mappings in the order of the file, from
    the declared spelling to the declaration.
    """

    name: str
    time: Time
    declarations: tuple[Declaration, ...] = ()
    label: str = ""
    doc: str = ""
    translations: tuple[tuple[str, str, str], ...] = ()
    source: Source | None = field(default=None, compare=False)
    comments: tuple[str, ...] = field(default=(), compare=False)
    """Comments at the top of the file."""
    closing_comments: tuple[str, ...] = field(default=(), compare=False)
    """Comments after the last line."""

    @cached_property
    def flat(self) -> tuple[Declaration, ...]:
        """All declarations with the modules in use unfolded: what there is to compute."""
        return flatten(self.declarations, self.time)

    def _of(self, kind: type[D]) -> Mapping[str, D]:
        return MappingProxyType({d.name: d for d in self.flat if isinstance(d, kind)})

    @cached_property
    def uses(self) -> Mapping[str, Use]:
        """The modules in use by their prefix, those inside modules included (``ads.pricing``)."""
        return self._of(Use)

    @cached_property
    def units(self) -> Mapping[str, UnitDeclaration]:
        return self._of(UnitDeclaration)

    @cached_property
    def params(self) -> Mapping[str, Param]:
        return self._of(Param)

    @cached_property
    def stocks(self) -> Mapping[str, Stock]:
        return self._of(Stock)

    @cached_property
    def flows(self) -> Mapping[str, Flow]:
        return self._of(Flow)

    @cached_property
    def auxes(self) -> Mapping[str, Aux]:
        return self._of(Aux)

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        return self._of(Table)

    @cached_property
    def data(self) -> Mapping[str, Data]:
        return self._of(Data)

    @cached_property
    def outcomes(self) -> Mapping[str, Outcome]:
        return self._of(Outcome)

    @cached_property
    def levers(self) -> Mapping[str, Lever]:
        return self._of(Lever)

    @cached_property
    def scenarios(self) -> Mapping[str, Scenario]:
        return self._of(Scenario)

    @cached_property
    def declared_loops(self) -> Mapping[str, Loop]:
        return self._of(Loop)

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        return self._of(Check)

    @cached_property
    def observes(self) -> tuple[Observe, ...]:
        """The comparisons with data (a variable may be observed by several series)."""
        return tuple(d for d in self.flat if isinstance(d, Observe))

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Everything that has a value at every time: stocks, flows, auxiliaries, tables, data."""
        return MappingProxyType(
            {d.name: d for d in self.flat if isinstance(d, Stock | Flow | Aux | Table | Data)}
        )

    @cached_property
    def _by_key(self) -> Mapping[str, Declaration]:
        found: dict[str, Declaration] = {}
        for declaration in self.flat:
            if not isinstance(declaration, Observe):
                found.setdefault(key(declaration.name), declaration)
        return found

    def __getitem__(self, name: str) -> Declaration:
        """The declaration of a name, in any case; an unknown one raises UnknownNameError."""
        found = self._by_key.get(key(name))
        if found is None:
            raise unknown_name(name, "name", self._names(), f"model {self.name}")
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key(name) in self._by_key

    def __iter__(self) -> Iterator[Declaration]:
        return iter(self.flat)

    def _names(self) -> Iterable[str]:
        return (d.name for d in self.flat if not isinstance(d, Observe))

    def with_(self, *, name: str | None = None, **values: float) -> Self:
        """A new model with other parameter values or initial stock values.

        Raises UnknownNameError for a name that is neither, UsageError for a value that is no number.
        """
        changed: dict[str, float] = {}
        for given, value in values.items():
            declaration = self._by_key.get(key(given))
            if not isinstance(declaration, Param | Stock):
                owner = f"model {self.name}"
                raise unknown_name(given, "parameter or stock", [*self.params, *self.stocks], owner)
            if declaration.name not in _written(self.declarations, ""):
                raise UsageError(
                    f"{declaration.name} is a switch that the model's text implies; "
                    "set it in a run or in a scenario"
                )
            changed[declaration.name] = as_number(given, value)
        return dataclasses.replace(
            self,
            name=self.name if name is None else name,
            declarations=_with_values(self.declarations, changed, ""),
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the model says: the same for any spacing, comments or file name."""
        digest = hashlib.sha256()
        for part in _canonical(self):
            digest.update(part.encode())
            digest.update(b"\0")
        return digest.hexdigest()

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{len(group)} {word}"
            for group, word in [
                (self.stocks, "stocks"),
                (self.flows, "flows"),
                (self.auxes, "auxiliaries"),
                (self.params, "parameters"),
                (self.declared_loops, "loops"),
            ]
        )
        return f"<model {self.name}: {counts}>"


def _with_values(
    declarations: tuple[Declaration, ...], values: Mapping[str, float], prefix: str
) -> tuple[Declaration, ...]:
    """Declarations with other numbers for parameters and initial values, in modules too."""

    def change(d: Declaration) -> Declaration:
        number = values.get(prefix + d.name)
        match d:
            case Param() if number is not None:
                return dataclasses.replace(d, value=number)
            case Stock() if number is not None:
                return dataclasses.replace(d, initial=Number(number))
            case Use():
                return _use_with_values(d, values, f"{prefix}{d.name}.")
            case _:
                return d

    return tuple(map(change, declarations))


def _written(declarations: tuple[Declaration, ...], prefix: str) -> Iterator[str]:
    """The parameters and stocks that stand in the text, modules' own included, with prefixes."""
    for d in declarations:
        if isinstance(d, Param | Stock):
            yield prefix + d.name
        elif isinstance(d, Use):
            yield from _written(d.module.declarations, f"{prefix}{d.name}.")


def _use_with_values(use: Use, values: Mapping[str, float], prefix: str) -> Use:
    inner = {name: v for name, v in values.items() if name.startswith(prefix)}
    if not inner:
        return use
    module = dataclasses.replace(
        use.module, declarations=_with_values(use.module.declarations, inner, prefix)
    )
    return dataclasses.replace(use, module=module)


def as_number(name: str, value: object) -> float:
    """A finite float, or a UsageError that names the offending argument."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be a number, not {value!r}") from None
    if isinstance(value, bool | str) or number != number or number in (float("inf"), float("-inf")):
        raise UsageError(f"{name} must be a finite number, not {value!r}")
    return number


def _canonical(value: Any) -> Iterator[str]:
    """A flat, unambiguous reading of the compared fields of nested dataclasses."""
    if dataclasses.is_dataclass(value):
        yield type(value).__name__ if not isinstance(value, Model) else "Model"
        for item in dataclasses.fields(value):
            if item.compare:
                yield item.name
                yield from _canonical(getattr(value, item.name))
        yield ")"
    elif isinstance(value, tuple):
        yield f"({len(value)}"
        for item in value:
            yield from _canonical(item)
    else:
        yield f"{type(value).__name__}:{value!r}"
