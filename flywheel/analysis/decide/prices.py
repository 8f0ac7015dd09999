"""What pulling a lever costs over a stretch of time, read off the run without levers.

The declared cost of a lever is an expression of the model. It is read in the baseline run: a lever's
own success makes the wage bill it is priced by larger or smaller, which is an effect on the outcome,
not a second price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from flywheel.analysis.decide.words import Array
from flywheel.errors import UsageError
from flywheel.expr import names
from flywheel.functions import TIME
from flywheel.kernel.reference import closure
from flywheel.kernel.system import Lookup
from flywheel.model import Lever


def cost_over_time(
    lever: Lever,
    times: ArrayLike,
    columns: Mapping[str, Array],
    params: Mapping[str, float],
    lookups: Mapping[str, Lookup] | None = None,
) -> Array:
    """The cost of a fully pulled lever at each of the times (T,): per unit of time, or if paid once.

    Raises UsageError for a lever without a cost, one that reads what is neither column nor parameter,
    and one whose cost is somewhere below 0 or no number.
    """
    if lever.cost is None:
        raise UsageError(f"The lever {lever.name!r} has no cost; give one in costs.")
    moments = np.asarray(times, dtype=float)
    read: dict[str, Array] = {}
    for name in names(lever.cost):
        if name == TIME:
            read[name] = moments
        elif name in columns:
            read[name] = np.asarray(columns[name], dtype=float)
        elif name in params:
            read[name] = np.full(moments.size, float(params[name]))
        else:
            raise UsageError(
                f"The cost of the lever {lever.name!r} reads {name!r}: no such column."
            )
    position = {name: place for place, name in enumerate(read)}
    at = closure(lever.cost, position, lookups or {})
    rows = np.stack(list(read.values()), axis=1).tolist() if read else [[]] * moments.size
    cost = np.array([at(row) for row in rows], dtype=float)
    wrong = np.flatnonzero(~(cost >= 0) | ~np.isfinite(cost))
    if wrong.size:
        k = int(wrong[0])
        raise UsageError(
            f"The lever {lever.name!r} costs {cost[k]:g} at {moments[k]:g}; "
            "a budget can only be spent on costs of at least 0. Give another in costs."
        )
    return cost


def price_of_periods(
    cost: Array, times: Array, edges: Sequence[float], once: bool, at: float | None
) -> Array:
    """What full intensity costs in each period (K,) between the edges (K+1,), from ``at`` on.

    ``cost`` (T,) per unit of time is integrated (straight between the times); a single payment falls
    due in the period in which the lever can first be pulled.
    """
    start = edges[0] if at is None else max(at, edges[0])
    price = np.zeros(len(edges) - 1)
    for k, (low, high) in enumerate(pairwise(edges)):
        if once:
            if low <= start < high:
                price[k] = np.interp(start, times, cost)
        elif high > start:
            begin = max(low, start)
            inside = times[(times > begin) & (times < high)]
            nodes = np.concatenate([[begin], inside, [high]])
            price[k] = np.trapezoid(np.interp(nodes, times, cost), nodes)
    return price
