"""Are the numbers of a model plausible, and does it say where they come from?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flywheel.checks.names import from_module
from flywheel.errors import Finding, Severity, Span
from flywheel.expr import Number
from flywheel.model import Check, Lever, Model, Outcome, Param, Scenario, Setting


def check_values(model: Model, strict: bool = False) -> tuple[Finding, ...]:
    """Findings about ranges, evidence and times, in the order of the file.

    Codes: ``value-outside-range``, ``empty-range``, ``negative-sd``, ``missing-range`` and
    ``missing-evidence`` (strict; a measured value needs no range), ``time-outside`` (a time that no
    run of this model reaches), ``lever-outside-range``.
    """
    doubtful: Severity = "error" if strict else "warning"
    findings: list[Finding] = []
    for declaration in model.flat:
        if isinstance(declaration, Param):
            findings += _param(declaration, strict, doubtful)
        elif isinstance(declaration, Outcome | Lever) and from_module(model, declaration.name):
            continue  # its times are those of the module's own run
        elif isinstance(declaration, Outcome | Check):
            times = (declaration.at, declaration.since, declaration.until)
            findings += _times(model, times, declaration.span)
        elif isinstance(declaration, Lever):
            findings += _times(model, (declaration.at,), declaration.span)
            findings += _lever(model, declaration)
        if isinstance(declaration, Scenario):
            findings += _settings(model, declaration.settings, declaration.span)
        elif isinstance(declaration, Check):
            findings += _settings(model, declaration.when, declaration.span)
    return tuple(findings)


def _param(param: Param, strict: bool, doubtful: Severity) -> Iterator[Finding]:
    place = param.name_span or param.span
    low, high, value = param.low, param.high, param.value
    if low is not None and high is not None and low > high:
        yield Finding(
            "error",
            "empty-range",
            f"the range of {param.name!r} runs from {low:g} down to {high:g}",
            place,
            f"in {high:g} .. {low:g}",
        )
    elif (low is not None and value < low) or (high is not None and value > high):
        shown = f"{'' if low is None else f'{low:g}'} .. {'' if high is None else f'{high:g}'}"
        yield Finding(
            doubtful,
            "value-outside-range",
            f"{param.name!r} is {value:g}, outside its own range {shown}",
            place,
            "widen the range or mend the value",
        )
    sd = param.evidence.sd if param.evidence else None
    if sd is not None and sd < 0:
        yield Finding("error", "negative-sd", f"the deviation of {param.name!r} is negative", place)
    if not strict:
        return
    if param.evidence is None:
        yield Finding(
            "error",
            "missing-evidence",
            f"parameter {param.name!r} does not say where its value comes from",
            place,
            "from guess | estimate | survey | measured, with a source in quotes",
        )
    # A measured fact (the year of a launch, a definition) is what it is.
    measured = param.evidence is not None and param.evidence.kind == "measured"
    if (low is None or high is None) and not measured:
        yield Finding(
            "error",
            "missing-range",
            f"parameter {param.name!r} has no plausible range",
            place,
            f"in {min(0.5 * value, 2 * value):g} .. {max(0.5 * value, 2 * value):g}",
        )


def _times(model: Model, times: Iterable[float | None], span: Span | None) -> Iterator[Finding]:
    """Times asked of a run that lie before its start or after its end."""
    start, stop = model.time.start, model.time.stop
    for time in times:
        if time is not None and not start <= time <= stop:
            yield Finding(
                "warning",
                "time-outside",
                f"{time:g} is outside the run, which goes from {start:g} to {stop:g}",
                span,
            )


def _settings(model: Model, settings: Iterable[Setting], span: Span | None) -> Iterator[Finding]:
    for setting in settings:
        place = setting.span or span
        if setting.since is not None and setting.since > model.time.stop:
            yield from _times(model, (setting.since,), place)
        if (
            setting.since is not None
            and setting.until is not None
            and setting.until <= setting.since
        ):
            yield Finding(
                "error",
                "empty-range",
                f"{setting.name!r} is set from {setting.since:g} to {setting.until:g}: never",
                place,
            )


def _lever(model: Model, lever: Lever) -> Iterator[Finding]:
    """A lever that leaves its parameter's range asks for what the modeller called implausible."""
    param = model.params.get(lever.param)
    if param is None:
        return
    if isinstance(lever.to, Number):
        target = lever.to.value
    elif lever.by is not None:
        target = param.value * (1.0 + lever.by)
    else:
        return
    if (param.low is not None and target < param.low) or (
        param.high is not None and target > param.high
    ):
        yield Finding(
            "warning",
            "lever-outside-range",
            f"lever {lever.name!r} moves {param.name!r} to {target:g}, outside its range",
            lever.span,
        )
