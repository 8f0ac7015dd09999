"""Compares machine code with the reference evaluator, allowing for how well a number is determined."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, rebuild
from flywheel.kernel import llvm
from flywheel.kernel.assembly import Method
from flywheel.kernel.interpolate import last_value, series_value
from flywheel.kernel.ir import lower
from flywheel.kernel.noise import draws
from flywheel.kernel.reference import Reference
from flywheel.kernel.system import Series, System

Array = NDArray[np.float64]


def series_table(series: tuple[Series, ...], start: float, step: float, steps: int) -> Array:
    """Series at the start, middle and end of each step, those to hold at their value at the start."""
    table = np.zeros((steps + 1, 3, len(series)))
    for k in range(steps + 1):
        t = start + k * step
        for n, one in enumerate(series):
            held = last_value(one.times, one.values, t + 1e-6 * step) if one.hold else 0.0
            table[k, :, n] = [series_value(one, held, t + c * step) for c in (0.0, 0.5, 1.0)]
    return table


def by_kernel(
    system: System,
    inputs: Array,
    method: Method,
    step: float,
    steps: int,
    every: int,
    seed: int,
    kernel: llvm.FixedKernel | None = None,
) -> Array:
    """Shape (members, saves, visible names)."""
    start = system.time.start
    if kernel is None:
        kernel = llvm.compile_fixed(lower(system), method)
    rows = [
        draws(system.noises, seed, m, steps, step, system.time.step) for m in range(len(inputs))
    ]
    values, _ = kernel.run(
        inputs,
        start=start,
        step=step,
        steps=steps,
        every=every,
        series=series_table(
            tuple(s for s in system.series if s.name in kernel.program.series), start, step, steps
        ),
        noise=np.array(rows),
        noise_row=np.arange(steps + 1),
    )
    return values


def by_reference(
    system: System, inputs: Array, method: Method, step: float, steps: int, every: int, seed: int
) -> Array:
    reference = Reference(system)
    return np.array(
        [
            reference.run(
                row.tolist(),
                method=method,
                start=system.time.start,
                step=step,
                steps=steps,
                save_every=every,
                seed=seed,
                member=m,
                names=system.visible,
            )
            for m, row in enumerate(inputs)
        ]
    )


def shaken(system: System, rng: random.Random) -> list[System]:
    """The same system with its last bits disturbed: how well is each number determined?

    Every result and every state read is off by about 1e-15: once all upwards, once all downwards,
    twice at random. A fifth has no -0: its sign is free in the kernels, and 1 / -0 shows it.
    """
    ranges = ((5e-16, 1e-15), (-1e-15, -5e-16), (-1e-15, 1e-15), (-1e-15, 1e-15))
    states = {stock.name for stock in system.stocks}

    def exact(node: Expr) -> bool:
        """Whether a node is what it is: no arithmetic was done to get it."""
        match node:
            case Number() | Unary():
                return True
            case Name(name=name):
                return name not in states
            case Binary(op=op):
                return op not in "+-*/^"
            case Call(function=function):
                return function in ("round", "floor")

    def scaled(low: float, high: float) -> Callable[[Expr], Expr]:
        return lambda node: (
            node if exact(node) else Binary("*", node, Number(1 + rng.uniform(low, high)))
        )

    found = [_changed(system, scaled(low, high)) for low, high in ranges]
    return [*found, _changed(system, lambda node: Binary("+", node, Number(0.0)))]


def _changed(system: System, change: Callable[[Expr], Expr]) -> System:
    return replace(
        system,
        stocks=tuple(replace(s, rate=rebuild(s.rate, change)) for s in system.stocks),
        equations=tuple(replace(e, expr=rebuild(e.expr, change)) for e in system.equations),
    )


@dataclass(frozen=True)
class Comparison:
    """The worst difference in units of what is allowed, and how much could be compared."""

    worst: float
    variable: str
    compared: int
    blurred: int


def compare(
    kernel: Array, reference: Array, shaken: list[Array], names: tuple[str, ...]
) -> Comparison:
    """Differences against 1e-12 of a variable's range, plus 30 times what shaking the last bit does.

    NaN and infinity must stand in the same places, unless shaking moves them too.
    """
    worst, variable, compared, blurred = 0.0, "", 0, 0
    # Infinities of opposite sign come from a zero whose sign is free; what reads them differs.
    opposed = (np.isinf(kernel) & np.isinf(reference) & (kernel != reference)).any(axis=-1)
    for n, name in enumerate(names):
        k, r = kernel[..., n], reference[..., n]
        others = [s[..., n] for s in shaken]
        same_kind = [np.isfinite(o) == np.isfinite(r) for o in others]
        steady = np.all(same_kind, axis=0)
        blurred += int((~steady).sum())
        if (np.isfinite(k) != np.isfinite(r))[steady].any():
            return Comparison(np.inf, name, compared, blurred)
        if (np.isnan(k) != np.isnan(r))[steady].any():
            return Comparison(np.inf, name, compared, blurred)
        fine = np.isfinite(r) & steady & ~opposed
        if not fine.any():
            continue
        size = np.abs(r[fine]).max()
        spread = np.max([np.abs(o[fine] - r[fine]) for o in others], axis=0)
        allowed = 1e-12 * size + 30 * spread + 1e-300
        ratio = float((np.abs(k[fine] - r[fine]) / allowed).max())
        compared += int(fine.sum())
        if ratio > worst:
            worst, variable = ratio, name
    return Comparison(worst, variable, compared, blurred)
