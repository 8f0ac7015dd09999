"""Which runs a sweep is asked for, as typed: ranges, values, a list, levers, scenarios."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flywheel.cli.run import number
from flywheel.errors import UsageError, nearest
from flywheel.expr import key

if TYPE_CHECKING:
    from flywheel.model import Model
    from flywheel.sweep.base import Design
    from flywheel.sweep.distributions import Distribution

RUNS = 1024
"""Runs of a sample when nobody says how many: a power of 2, which suits Sobol' points."""
DESIGNS = ("sobol", "lhs", "random", "grid")
BASE = "base"
"""The scenario of this name is the model as it is, unless the model declares one that is called so."""


@dataclass(frozen=True)
class Asked:
    """Which runs to make, as typed."""

    ranges: Sequence[str]
    grid: Sequence[str]
    listed: Path | None
    runs: str | None
    design: str | None
    scenarios: Sequence[str]
    levers: bool
    seed: int

    def check(self) -> None:
        """Refuse what contradicts itself before a model is read. Raises UsageError."""
        if self.design is not None and self.design not in DESIGNS:
            guess = nearest(self.design, DESIGNS)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise UsageError(f"--design takes {', '.join(DESIGNS)}, not {self.design!r}.{hint}")
        others = {
            "--range": bool(self.ranges),
            "--grid": bool(self.grid),
            "--levers": self.levers,
            "--design": self.design is not None,
            "--runs": self.runs is not None,
        }
        if self.listed is not None:
            for option, there in others.items():
                if there:
                    raise UsageError(f"--list names every run: leave {option} out")
        if self.gridded and self.design not in (None, "grid"):
            what = "--grid" if self.grid else "--levers"
            raise UsageError(
                f"{what} makes every combination, --design {self.design} draws: leave one of them out"
            )
        if self.gridded and not self.ranges and self.runs is not None:
            raise UsageError(
                "--runs says how many are drawn; a grid has as many runs as there are combinations"
            )

    @property
    def gridded(self) -> bool:
        """Whether values or levers are listed, which only a grid can combine."""
        return bool(self.grid) or self.levers

    def made(self, model: Model) -> Design:
        """The runs. Raises UsageError for what is no name or number."""
        from flywheel.sweep.design import crossed, from_csv, sample

        if self.listed is not None:
            found = from_csv(self.listed)
        elif self.gridded or self.design == "grid":
            found = self._grid(model)
        else:
            found = sample(
                self._distributions(model, True), self._runs(), self.design or "sobol", self.seed
            )
        if self.scenarios:
            known = {key(name) for name in model.scenarios}
            found = crossed(
                found,
                [None if key(s) == BASE and BASE not in known else s for s in self.scenarios],
            )
        return found

    def _runs(self) -> int:
        if self.runs is None:
            return RUNS
        text = self.runs.replace(",", "").replace("_", "")
        count = number(text, "--runs")
        if count < 1 or count != int(count):
            raise UsageError(f"--runs takes a whole number such as 1000 or 1e6, not {self.runs!r}")
        return int(count)

    def _distributions(self, model: Model, evidence: bool) -> dict[str, Distribution | float]:
        """Named inputs with their ranges; all parameters that have one where none is named."""
        from flywheel.sweep.ranges import Range, ranges_of

        names: list[str] = []
        given: dict[str, Range] = {}
        fixed: dict[str, float] = {}
        levers = {key(name): name for name in model.levers}
        for text in self.ranges:
            name, value = _named(text, "--range", optional=True)
            if key(name) in {key(other) for other in names}:
                raise UsageError(f"--range gives {name} twice")
            names.append(name)
            if value is None:
                if key(name) in levers:
                    given[name] = (0.0, 1.0)
                continue
            ends = span(value, f"--range {name}")
            if isinstance(ends, float):
                fixed[key(name)] = ends
                given[name] = (ends - 1, ends + 1)  # a place in the order; replaced below
            else:
                given[name] = ends
        try:
            found = ranges_of(
                model, names or None, given, dials=tuple(model.levers), evidence=evidence
            )
        except UsageError as error:
            # The sentence ends with what to write in Python.
            said, mark, _ = error.message.partition("; give one: ranges=")
            if not mark:
                raise
            name = said.partition(" has no range")[0]
            raise UsageError(f'{said}; give one: --range {name}="1 to 2"') from None
        return {name: fixed.get(key(name), own) for name, own in found.items()}

    def _grid(self, model: Model) -> Design:
        from flywheel.sweep.design import grid

        values: dict[str, tuple[float, ...]] = {}
        for text in self.grid:
            name, value = _named(text, "--grid")
            if key(name) in {key(other) for other in values}:
                raise UsageError(f"--grid gives {name} twice")
            values[name] = _values(name, value or "")
        if self.levers:
            if not model.levers:
                raise UsageError(f"--levers: {model.name} declares no levers")
            for name in model.levers:
                values.setdefault(name, (0.0, 1.0))
        if self.ranges or not values:
            values |= self._levels(model, _product(values))
        return grid(**values)

    def _levels(self, model: Model, others: int) -> dict[str, tuple[float, ...]]:
        """Values at equal distances in every range, as many as ``--runs`` allows."""
        drawn = self._distributions(model, evidence=False)
        most = self._runs()
        moving = [name for name, own in drawn.items() if not isinstance(own, float)]
        each = max(int((most / others) ** (1 / max(len(moving), 1)) + 1e-9), 1)
        if moving and each < 2:
            least = others * 2 ** len(moving)
            raise UsageError(
                f"a grid over {len(moving)} ranges has at least {least:,} runs, more than --runs "
                f"{most:,}; name fewer inputs with --range, or leave --design grid out and draw"
            )
        found: dict[str, tuple[float, ...]] = {}
        for name, own in drawn.items():
            if isinstance(own, float):
                found[name] = (own,)
                continue
            found[name] = tuple(_between(own, place / (each - 1)) for place in range(each))
        return found


def _between(own: Distribution, part: float) -> float:
    """The number at a part of the way through a range, on the scale that the range has."""
    from flywheel.sweep.distributions import LogUniform

    low, high = own.low, own.high
    if part in (0.0, 1.0):
        return high if part else low
    if isinstance(own, LogUniform):
        return float(low * (high / low) ** part)
    return low + (high - low) * part


def _product(values: Mapping[str, Sequence[float]]) -> int:
    count = 1
    for own in values.values():
        count *= len(own)
    return count


def _named(text: str, option: str, optional: bool = False) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    name = name.strip()
    form = "price=1,2,3" if option == "--grid" else 'price="1 to 2"'
    if not name or not (equals or optional):
        raise UsageError(f"{option} takes {form}, not {text!r}")
    return name, value.strip() if equals else None


_BETWEEN = re.compile(r"\s+to\s+|\s*\.\.\s*", re.IGNORECASE)


def span(text: str, option: str) -> tuple[float, float] | float:
    """``1 to 2`` or ``1 .. 2`` as a range, a single number as itself. Raises UsageError."""
    ends = _BETWEEN.split(text)
    if "," in text:
        raise UsageError(f'{option} takes a range such as "1 to 2"; values belong to --grid')
    if len(ends) == 1:
        try:
            return number(text, option)
        except UsageError:
            raise UsageError(
                f'{option} takes a range such as "1 to 2", not {text[:80]!r}'
            ) from None
    if len(ends) != 2:
        raise UsageError(f'{option} takes a range such as "1 to 2", not {text[:80]!r}')
    low, high = (number(end, option) for end in ends)
    if not low < high:
        raise UsageError(
            f"{option} goes from {low:g} to {high:g}: the first must be the smaller one"
        )
    return low, high


def _values(name: str, text: str) -> tuple[float, ...]:
    if _BETWEEN.search(text):
        raise UsageError(
            f'--grid {name} takes values such as 1,2,3; a range is --range {name}="{text}"'
        )
    return tuple(number(one, f"--grid {name}") for one in text.split(","))
