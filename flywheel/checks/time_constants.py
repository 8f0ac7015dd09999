"""Is the step short enough? Every delay and every self-damped stock against it, before a run.

A first-order stage with time constant tau, computed by Euler's method with a step above tau,
overshoots at every step; above 2 tau it explodes (RK4: above 2.8 tau). It oscillates without a word,
so the words are here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from flywheel.errors import Finding, Span

if TYPE_CHECKING:
    from flywheel.kernel.reference import Reference
    from flywheel.kernel.system import System

_NUDGE = 1e-6


def time_constants(
    system: System, inputs: Sequence[float], step: float, start: float | None = None
) -> tuple[Finding, ...]:
    """Findings for what is faster than ``step``, judged at the start of the run.

    ``inputs`` are the system's, in its order; ``step`` and ``start`` in the model's unit of time.
    Codes: ``delay-time`` (a delay time that is not positive; an error), ``step-too-long`` (a time
    constant below the step: oscillates; below half of it: unstable). Each names the line's owner and
    a step that would do.
    """
    from flywheel.kernel.reference import Reference

    reference = Reference(system)
    begin = system.time.start if start is None else start
    state = reference.initial(inputs, begin, step)
    held = reference.held(begin, step, inputs)
    values = reference.values(begin, state, inputs, held)
    findings = list(_delays(system, values, step))
    spoken = {stage.owner for stage in system.delay_stages}
    findings += _stocks(system, reference, state, inputs, begin, step, spoken)
    return tuple(dict.fromkeys(findings))


def _delays(system: System, values: dict[str, float], step: float) -> Iterator[Finding]:
    from flywheel.kernel.reference import evaluate

    lookups = {lookup.name: lookup for lookup in system.lookups}
    for stage in system.delay_stages:
        tau = evaluate(stage.tau, values, lookups)
        if tau != tau:
            continue  # the run itself says what went wrong
        if tau <= 0:
            yield _not_positive(stage.owner, tau, stage.span)
        elif tau < step:
            what = f"a stage of the delay in {stage.owner!r} has the time constant {tau:.4g}"
            yield _too_long(what, tau, step, stage.span)
    for pipeline in system.pipelines:
        delay = evaluate(pipeline.delay, values, lookups)
        if delay <= 0:
            yield _not_positive(pipeline.owner, delay, pipeline.span)
        elif delay < step:
            yield Finding(
                "warning",
                "step-too-long",
                f"the delay of {delay:.4g} in {pipeline.owner!r} is shorter than the step {step:g}; "
                "it acts as one step",
                pipeline.span,
                f"a step of {_shown(_good_step(step, delay))} or less",
            )


def _not_positive(owner: str, tau: float, span: Span | None) -> Finding:
    return Finding(
        "error",
        "delay-time",
        f"the delay time in {owner!r} is {tau:.4g}; it must be positive",
        span,
        "keep it away from zero, for instance with max(tau, …)",
    )


def _stocks(
    system: System,
    reference: Reference,
    state: list[float],
    inputs: Sequence[float],
    start: float,
    step: float,
    spoken: set[str],
) -> Iterator[Finding]:
    """Stocks whose own rate of change answers to them faster than the step."""
    held = reference.held(start, step, inputs)
    for place, stock in enumerate(system.stocks):
        if stock.owner in spoken:
            continue
        nudge = _NUDGE * max(abs(state[place]), 1e-3)
        slopes = []
        for sign in (1.0, -1.0):
            moved = list(state)
            moved[place] += sign * nudge
            slopes.append(reference.rates(start, moved, inputs, held)[place])
        slope = (slopes[0] - slopes[1]) / (2.0 * nudge)
        if not math.isfinite(slope) or abs(slope) * step <= 1.0 + 1e-6:
            continue
        tau = 1.0 / abs(slope)
        if slope < 0:
            what = f"stock {stock.owner!r} settles with the time constant {tau:.4g}"
            yield _too_long(what, tau, step, stock.span)
        else:
            yield Finding(
                "warning",
                "step-too-long",
                f"stock {stock.owner!r} grows by its own size within {tau:.4g}, less than the step "
                f"{step:g}",
                stock.span,
                f"a step of {_shown(_good_step(step, tau))} or less",
            )


def _too_long(what: str, tau: float, step: float, span: Span | None) -> Finding:
    if tau < step / 2:
        then = "it is unstable by Euler's method" + (" and by rk4" if tau < step / 2.785 else "")
    else:
        then = "it oscillates by Euler's method"
    return Finding(
        "warning",
        "step-too-long",
        f"{what}, less than the step {step:g}: {then}",
        span,
        f"a step of {_shown(_good_step(step, tau))} or less",
    )


def _good_step(step: float, tau: float) -> float:
    """The step halved until it fits twice into a time constant: saved times stay on the grid."""
    halvings = max(1, math.ceil(math.log2(step / (0.5 * tau)) - 1e-9))
    return step / 2.0**halvings


def _shown(step: float) -> str:
    """A step as models write it: 1/16 rather than 0.0625."""
    simple = Fraction(step).limit_denominator(65536)
    if simple.numerator == 1 and math.isclose(float(simple), step, rel_tol=1e-12):
        return str(simple)
    return f"{step:.6g}"
