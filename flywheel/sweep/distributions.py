"""What an uncertain number may be: its distribution, as a quantile function and as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, nearest

Array = NDArray[np.float64]

_EDGE = 2.0**-53
"""Quantiles of unbounded distributions stay this far from 0 and 1."""


class Distribution(Protocol):
    """What an uncertain number may be."""

    @property
    def low(self) -> float:
        """The least value; minus infinity where there is none."""

    @property
    def high(self) -> float:
        """The largest value; infinity where there is none."""

    def ppf(self, u: Array) -> Array:
        """The value below which the part ``u`` of the probability lies; any shape."""

    def slope(self, x: Array) -> Array:
        """d x / d germ at the values ``x``; the germ is log x for ``LogUniform``, else x itself."""

    def as_dict(self) -> dict[str, Any]:
        """The distribution as plain data, ``{"kind": "uniform", "low": 0.1, "high": 0.3}``."""

    @property
    def poincare(self) -> float:
        """A constant C of the Poincaré inequality Var g <= C E[g'^2] over the germ."""


@dataclass(frozen=True)
class Uniform:
    """Equally likely everywhere between ``low`` and ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)

    def ppf(self, u: Array) -> Array:
        return np.minimum(self.low + u * (self.high - self.low), self.high)

    def slope(self, x: Array) -> Array:
        return np.ones_like(x)

    @property
    def poincare(self) -> float:
        return ((self.high - self.low) / math.pi) ** 2

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True)
class LogUniform:
    """The logarithm is uniform: each doubling between ``low`` and ``high`` is equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if self.low <= 0:
            raise UsageError(f"a log-uniform range must be positive, not from {self.low:g}")

    def ppf(self, u: Array) -> Array:
        grown: Array = self.low * np.exp(u * math.log(self.high / self.low))
        return np.clip(grown, self.low, self.high)

    def slope(self, x: Array) -> Array:
        return np.array(x, dtype=float)

    @property
    def poincare(self) -> float:
        return (math.log(self.high / self.low) / math.pi) ** 2

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True)
class Normal:
    """A normal distribution, cut off at ``low`` and ``high`` where they are given."""

    mean: float
    sd: float
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise UsageError("a normal distribution needs a finite mean and a positive sd")
        if not self.low < self.high:
            raise UsageError(f"low must lie below high, not {self.low:g} and {self.high:g}")

    @cached_property
    def _cut(self) -> tuple[float, float]:
        from scipy.special import ndtr

        return tuple(float(ndtr((end - self.mean) / self.sd)) for end in (self.low, self.high))  # type: ignore[return-value]

    def ppf(self, u: Array) -> Array:
        from scipy.special import ndtri

        below, above = self._cut
        inside = np.clip(below + u * (above - below), _EDGE, 1 - _EDGE)
        drawn: Array = self.mean + self.sd * ndtri(inside)
        return np.clip(drawn, self.low, self.high)

    def slope(self, x: Array) -> Array:
        return np.ones_like(x)

    @property
    def poincare(self) -> float:
        # Cutting a normal off to an interval only makes it smaller (Bakry & Émery).
        return self.sd**2

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True)
class Triangular:
    """Most likely at ``mode``, falling in straight lines to ``low`` and ``high``."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if not self.low <= self.mode <= self.high:
            raise UsageError(f"the mode {self.mode:g} lies outside {self.low:g} .. {self.high:g}")

    def ppf(self, u: Array) -> Array:
        width, left = self.high - self.low, self.mode - self.low
        rising = self.low + np.sqrt(u * width * left)
        falling = self.high - np.sqrt((1 - u) * width * (width - left))
        return np.where(u * width < left, rising, falling)

    def slope(self, x: Array) -> Array:
        return np.ones_like(x)

    @property
    def poincare(self) -> float:
        # Payne and Weinberger's bound for log-concave densities: no better than the uniform one.
        return ((self.high - self.low) / math.pi) ** 2

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True)
class Constant:
    """A number that is known: the same in every run."""

    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise UsageError(f"a constant must be a finite number, not {self.value:g}")

    @property
    def low(self) -> float:
        return self.value

    @property
    def high(self) -> float:
        return self.value

    def ppf(self, u: Array) -> Array:
        return np.full(np.shape(u), self.value)

    def slope(self, x: Array) -> Array:
        return np.zeros_like(x)

    @property
    def poincare(self) -> float:
        return 0.0

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


KINDS: Mapping[str, type[Uniform | LogUniform | Normal | Triangular | Constant]] = {
    "uniform": Uniform,
    "log-uniform": LogUniform,
    "normal": Normal,
    "triangular": Triangular,
    "constant": Constant,
}
"""The distributions by the names that plain data and the command line give them."""


def from_dict(data: Mapping[str, Any]) -> Distribution:
    """The distribution that ``as_dict`` wrote. Raises UsageError for what is none."""
    if not isinstance(data, Mapping):
        raise UsageError(f"a distribution is written as {{kind, …}}, not {data!r}")
    kind = data.get("kind")
    made = KINDS.get(str(kind))
    if made is None:
        guess = nearest(str(kind), KINDS)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise UsageError(f"there is no distribution {kind!r}; there are {', '.join(KINDS)}.{hint}")
    numbers = {str(name): value for name, value in data.items() if name != "kind"}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{name} of a {kind} distribution must be a number, not {value!r}")
    try:
        return made(**{name: float(value) for name, value in numbers.items()})
    except TypeError:
        wanted = ", ".join(field.name for field in fields(made))
        got = ", ".join(numbers) or "nothing"
        raise UsageError(f"a {kind} distribution is made of {wanted}, not of {got}") from None


def _plain(distribution: Uniform | LogUniform | Normal | Triangular | Constant) -> dict[str, Any]:
    """Infinite ends are left out: JSON has no word for them, and they are what is assumed."""
    kind = next(name for name, made in KINDS.items() if type(distribution) is made)
    numbers = {
        field.name: float(getattr(distribution, field.name)) for field in fields(distribution)
    }
    return {"kind": kind, **{name: x for name, x in numbers.items() if math.isfinite(x)}}


def _ordered(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"a range must go up between two finite numbers, not {low:g} .. {high:g}")
