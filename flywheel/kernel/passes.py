"""Rules that make a node cheaper as it is made, without changing what it means.

Each rule keeps the value to the last bit or two (results are compared with the reference evaluator to
1e-12 of a variable's range) and keeps NaN and infinity where they are. Rules that would lose a NaN,
such as ``0 * x = 0``, are left out on purpose. Powers become exp and log here so that equal bases
share one logarithm and everything that only depends on parameters leaves the time loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flywheel.kernel.ir import Data, Graph

_SMALL_POWER = 16


def simplify(graph: Graph, op: str, args: tuple[int, ...], data: Data = None) -> int:
    """The position of a node that computes ``op(args)``, perhaps another, cheaper one."""
    rule = _RULES.get(op)
    if rule is not None:
        found = rule(graph, *args)
        if found is not None:
            return found
    return graph.intern(op, args, data)


def _neg(graph: Graph, x: int) -> int | None:
    value = graph.value(x)
    if value is not None:
        return graph.const(-value)
    node = graph.nodes[x]
    return node.args[0] if node.op == "neg" else None


def _add(graph: Graph, a: int, b: int) -> int | None:
    p, q = graph.value(a), graph.value(b)
    if p is not None and q is not None:
        return graph.const(p + q)
    if p == 0.0:
        return b
    if q == 0.0:
        return a
    if graph.nodes[b].op == "neg":
        return graph.add("sub", a, graph.nodes[b].args[0])
    if a > b:
        return graph.intern("add", (b, a))
    return None


def _sub(graph: Graph, a: int, b: int) -> int | None:
    p, q = graph.value(a), graph.value(b)
    if p is not None and q is not None:
        return graph.const(p - q)
    if q == 0.0:
        return a
    if p == 0.0:
        return graph.add("neg", b)
    if graph.nodes[b].op == "neg":
        return graph.add("add", a, graph.nodes[b].args[0])
    return None


def _mul(graph: Graph, a: int, b: int) -> int | None:
    p, q = graph.value(a), graph.value(b)
    if p is not None and q is not None:
        return graph.const(p * q)
    if p == 1.0:
        return b
    if q == 1.0:
        return a
    if a > b:
        return graph.intern("mul", (b, a))
    return None


def _div(graph: Graph, a: int, b: int) -> int | None:
    p, q = graph.value(a), graph.value(b)
    if q == 1.0:
        return a
    if p is not None and q:
        return graph.const(p / q)
    if graph.paces[b] < graph.paces[a]:
        # A divisor that changes more rarely is inverted at its own pace: one division a run or a
        # step instead of one a stage.
        return graph.intern("mul", (a, graph.intern("div", (graph.const(1.0), b))))
    return None


def _pow(graph: Graph, base: int, exponent: int) -> int | None:
    power = graph.value(exponent)
    if power is not None and power == int(power) and abs(power) <= _SMALL_POWER:
        return _whole_power(graph, base, int(power))
    log = graph.add("ln", graph.add("abs", base))
    size = graph.add("exp", graph.add("mul", exponent, log))
    # What exp(y log|x|) cannot know: the sign of the base, and the powers that are 1 whatever
    # the other number is. The bound above which bases need no such care and the parity of the
    # exponent are nodes of their own: they seldom change.
    bound = graph.add("powbound", exponent)
    parity = graph.add("parity", exponent)
    return graph.intern("powfix", (size, base, exponent, bound, parity))


def _whole_power(graph: Graph, base: int, power: int) -> int:
    """Repeated squaring; C's pow gives the same to a few bits."""
    if power == 0:
        return graph.const(1.0)
    if power < 0:
        return graph.add("div", graph.const(1.0), _whole_power(graph, base, -power))
    found: int | None = None
    square = base
    while power:
        if power & 1:
            found = square if found is None else graph.add("mul", found, square)
        power >>= 1
        if power:
            square = graph.add("mul", square, square)
    return base if found is None else found


def _if(graph: Graph, condition: int, then: int, otherwise: int) -> int | None:
    value = graph.value(condition)
    if value is not None and value == value:
        return then if value else otherwise
    return None


def _abs(graph: Graph, x: int) -> int | None:
    value = graph.value(x)
    if value is not None:
        return graph.const(abs(value))
    return x if graph.nodes[x].op in ("abs", "exp", "sqrt") else None


def _smin(graph: Graph, a: int, b: int) -> int:
    """a b / (a^8 + b^8)^(1/8), scaled by the larger so that the eighth powers cannot overflow."""
    small, large, root = _smooth_parts(graph, a, b)
    zero = graph.const(0.0)
    size = graph.add("if", graph.add("eq", large, zero), zero, graph.add("div", small, root))
    opposed = graph.add("ne", graph.add("lt", a, zero), graph.add("lt", b, zero))
    return graph.add("if", opposed, graph.add("neg", size), size)


def _smax(graph: Graph, a: int, b: int) -> int:
    """(a^8 + b^8)^(1/8), scaled by the larger."""
    _, large, root = _smooth_parts(graph, a, b)
    zero = graph.const(0.0)
    return graph.add("if", graph.add("eq", large, zero), zero, graph.add("mul", large, root))


def _smooth_parts(graph: Graph, a: int, b: int) -> tuple[int, int, int]:
    a, b = graph.add("abs", a), graph.add("abs", b)
    small, large = graph.add("min", a, b), graph.add("max", a, b)
    ratio = _whole_power(graph, graph.add("div", small, large), 8)
    root = graph.add("add", graph.const(1.0), ratio)
    for _ in range(3):
        root = graph.add("sqrt", root)
    return small, large, root


_RULES: Mapping[str, Callable[..., int | None]] = {
    "neg": _neg,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "if": _if,
    "abs": _abs,
    "smin": _smin,
    "smax": _smax,
}
