"""Values between known points: lookup tables and data series."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from flywheel.kernel.system import Lookup, Series


def lookup_value(lookup: Lookup, x: float) -> float:
    """Linear between points; outside flat, or along the end segment with ``extrapolate``."""
    xs, ys = lookup.xs, lookup.ys
    if x != x:
        return x
    if len(xs) == 1:
        return ys[0]
    if not lookup.extrapolate:
        x = min(max(x, xs[0]), xs[-1])
    right = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    return _between(xs[right - 1], ys[right - 1], xs[right], ys[right], x)


def series_value(series: Series, held: float, t: float) -> float:
    """A series at a time inside a step: ``held`` if it jumps from value to value, else linear."""
    if series.hold:
        return held
    times, values = series.times, series.values
    if t <= times[0]:
        return values[0]
    if t >= times[-1]:
        return values[-1]
    right = bisect_right(times, t)
    return _between(times[right - 1], values[right - 1], times[right], values[right], t)


def last_value(times: Sequence[float], values: Sequence[float], t: float) -> float:
    """The value of the last time that is not after t; before the first time, the first."""
    return values[max(bisect_right(times, t) - 1, 0)]


def _between(x0: float, y0: float, x1: float, y1: float, x: float) -> float:
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)
