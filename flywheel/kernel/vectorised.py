"""A graph's nodes as numpy arrays: one pass over a whole trajectory, or over many members.

For what is computed after a run: an equation with one of its inputs taken from another time, exact
slopes along the way (``derivative``). Meanings are those of ``ieee``, so NaN is carried everywhere and
nothing raises; powers are C's pow, not exp and log. Arrays broadcast; leaves are given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.ir import Graph

Array: TypeAlias = NDArray[np.float64]
Lookups: TypeAlias = Mapping[str, tuple[Sequence[float], Sequence[float], bool]]
"""Of each table its xs, its ys, and whether it goes on along its end segments."""


def schedule(graph: Graph, roots: Iterable[int], given: Iterable[int] = ()) -> list[int]:
    """The nodes to compute for the roots, each after what it reads; ``given`` ones are left out."""
    known = set(given)
    needed: set[int] = set()
    pending = [root for root in roots if root not in known]
    while pending:
        node = pending.pop()
        if node not in needed:
            needed.add(node)
            pending += [arg for arg in _args(graph, node) if arg not in known]
    return sorted(needed)


def downstream(graph: Graph, order: Iterable[int], changed: int) -> list[int]:
    """Those of the nodes of ``order`` whose value follows from the node ``changed``."""
    reached = {changed}
    found = []
    for node in order:
        if any(arg in reached for arg in _args(graph, node)):
            reached.add(node)
            found.append(node)
    return found


def compute(
    graph: Graph, order: Iterable[int], values: dict[int, Array], lookups: Lookups
) -> dict[int, Array]:
    """Adds the values of the nodes of ``order`` to ``values``, which holds the leaves; returns it.

    Constants need not be given. Raises KeyError for a leaf that is not there.
    """
    with np.errstate(all="ignore"):
        for position in order:
            node = graph.nodes[position]
            if node.op == "const":
                values[position] = np.float64(float.fromhex(str(node.data)))  # type: ignore[assignment]
            elif node.op == "powfix":
                values[position] = np.power(values[node.args[1]], values[node.args[2]])
            elif node.op in ("lookup", "slope"):
                table = lookups[str(node.data)]
                read = lookup if node.op == "lookup" else slope
                values[position] = read(*table, values[node.args[0]])
            elif not node.args:
                raise KeyError(f"the leaf {node.op} {node.data} has no value")
            else:
                values[position] = OPERATIONS[node.op](*(values[arg] for arg in node.args))
    return values


def _args(graph: Graph, position: int) -> tuple[int, ...]:
    node = graph.nodes[position]
    return node.args[1:3] if node.op == "powfix" else node.args


# Tables ------------------------------------------------------------------------------------------


def lookup(xs: Sequence[float], ys: Sequence[float], extrapolate: bool, x: Any) -> Array:
    """Linear between points; outside flat, or along the end segment with ``extrapolate``."""
    points, heights = np.asarray(xs, dtype=float), np.asarray(ys, dtype=float)
    x = np.asarray(x, dtype=float)
    if len(points) == 1:
        constant: Array = np.where(np.isnan(x), x, heights[0])
        return constant
    inner = x if extrapolate else np.clip(x, points[0], points[-1])
    right = np.clip(np.searchsorted(points, inner, side="right"), 1, len(points) - 1)
    x0, x1, y0, y1 = points[right - 1], points[right], heights[right - 1], heights[right]
    found: Array = y0 + (inner - x0) * (y1 - y0) / (x1 - x0)
    return found


def slope(xs: Sequence[float], ys: Sequence[float], extrapolate: bool, x: Any) -> Array:
    """The derivative of ``lookup``: that of the segment to the right of a knot, NaN for NaN."""
    points, heights = np.asarray(xs, dtype=float), np.asarray(ys, dtype=float)
    x = np.asarray(x, dtype=float)
    if len(points) == 1:
        return np.where(np.isnan(x), x, 0.0)
    right = np.clip(np.searchsorted(points, x, side="right"), 1, len(points) - 1)
    found = (np.diff(heights) / np.diff(points))[right - 1]
    if not extrapolate:
        found = np.where((x < points[0]) | (x >= points[-1]), 0.0, found)
    kept: Array = np.where(np.isnan(x), x, found)
    return kept


# Operations --------------------------------------------------------------------------------------


def _carrying(holds: Callable[..., Any]) -> Callable[..., Array]:
    """1 or 0, and NaN where an operand is NaN."""

    def judge(*operands: Any) -> Array:
        found = np.asarray(holds(*operands), dtype=float)
        for operand in operands:
            unknown = np.isnan(operand)
            if np.any(unknown):
                found = np.where(unknown, np.nan, found)
        return found

    return judge


def _choose(condition: Any, then: Any, other: Any) -> Array:
    found = np.where(np.asarray(condition) != 0, then, other)
    unknown = np.isnan(condition)
    chosen: Array = np.where(unknown, np.nan, found) if np.any(unknown) else found
    return chosen


def _gate(bar: Any, value: Any) -> Array:
    return np.where(np.asarray(bar) == 0, 0.0, value)


def _parity(y: Any) -> Array:
    """1 for even, -1 for odd, NaN for not whole: the sign that a negative base takes."""
    half = np.asarray(y) * 0.5
    sign = np.where(np.floor(half) == half, 1.0, -1.0)
    return np.where(np.floor(y) == y, sign, np.nan)


def _powbound(exponent: Any) -> Array:
    """0 for a finite exponent other than 0, else NaN, as in ``emit``."""
    plain = np.isfinite(exponent) & (np.asarray(exponent) != 0)
    return np.where(plain, 0.0, np.nan)


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "round": np.rint,
    "floor": np.floor,
    "min": np.minimum,
    "max": np.maximum,
    "lt": _carrying(np.less),
    "le": _carrying(np.less_equal),
    "gt": _carrying(np.greater),
    "ge": _carrying(np.greater_equal),
    "eq": _carrying(np.equal),
    "ne": _carrying(np.not_equal),
    "and": _carrying(np.logical_and),
    "or": _carrying(np.logical_or),
    "not": _carrying(np.logical_not),
    "if": _choose,
    "gate": _gate,
    "parity": _parity,
    "powbound": _powbound,
}
"""What each operation of the graph does to arrays."""
