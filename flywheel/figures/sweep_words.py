"""What every figure of a sweep says of it: names in a language, how it was made, who has no value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key
from flywheel.figures.caption import NO_BREAK
from flywheel.figures.lines import interval
from flywheel.figures.numbers import outcome_unit, percent
from flywheel.sweep.reduce import hashed
from flywheel.sweep.result import Sweep

Array = NDArray[np.float64]

_WORDS = {
    "en": {
        "runs": "{n} runs", "run": "1 run", "sample": "{kind} of {k} inputs, seed {seed}",
        "one": "{kind} of 1 input, seed {seed}",
        "sobol": "Sobol' sample", "lhs": "Latin hypercube", "random": "random sample",
        "grid": "grid of {names}", "other": "list of runs over {names}",
        "scenarios": "in {n} scenarios", "scenario": "in 1 scenario", "as it is": "as it is",
        "noise": "noise seed {seed}", "step": "step",
        "failed": "{n} ({share}) failed and left out",
        "nothing": "{n} ({share}) without a value",
        "of them": "{n} ({share}) without a value, {failed} of them in runs that failed",
        "missing": "{n} not computed",
        "thinned": "{n} of them drawn, chosen at random",
        "empty": "No run gave a value.",
        "median": "median", "baseline": "baseline",
    },
    "ko": {
        "runs": "실행 {n}회", "run": "실행 1회", "sample": "입력 {k}개의 {kind}, 시드 {seed}",
        "one": "입력 1개의 {kind}, 시드 {seed}",
        "sobol": "소볼 표본", "lhs": "라틴 초입방 표본", "random": "무작위 표본",
        "grid": "격자 ({names})", "other": "실행 목록 ({names})",
        "scenarios": "시나리오 {n}개", "scenario": "시나리오 1개", "as it is": "있는 그대로",
        "noise": "잡음 시드 {seed}", "step": "간격",
        "failed": "{n}회({share}) 실패하여 제외",
        "nothing": "{n}회({share})는 값 없음",
        "of them": "{n}회({share})는 값 없음, 그중 {failed}회는 실패한 실행",
        "missing": "{n}회는 계산되지 않음",
        "thinned": "그중 무작위로 고른 {n}회를 그림",
        "empty": "값이 나온 실행이 없습니다.",
        "median": "중앙값", "baseline": "기준",
    },
}  # fmt: skip
_NAMED = 4
"""Inputs that are named; more are counted."""


def words(language: str) -> dict[str, str]:
    """What figures of sweeps say, in a language (English where there is none)."""
    return _WORDS["ko" if language == "ko" else "en"]


# Names ------------------------------------------------------------------------------------------


def input_of(sweep: Sweep, name: str) -> str:
    """An input that was varied, as it is spelled. Raises UnknownNameError for any other."""
    return _spelled(sweep.names, name, "input that was varied")


def outcome_of(sweep: Sweep, name: str) -> str:
    """An outcome of the sweep, as it is spelled. Raises UnknownNameError for any other."""
    return _spelled(sweep.plan.outcomes, name, "outcome")


def variable_of(sweep: Sweep, name: str) -> str:
    """A saved variable, as it is spelled. Raises UnknownNameError for any other."""
    return _spelled(sweep.variables, name, "saved variable")


def inputs_of(sweep: Sweep, names: Iterable[str] | None, most: int) -> tuple[str, ...]:
    """Inputs by name, each once; None: the first ``most``. Raises UsageError for none or too many."""
    if names is None:
        return sweep.names[:most]
    given = [names] if isinstance(names, str) else list(names)
    found = tuple(dict.fromkeys(input_of(sweep, name) for name in given))
    if not found:
        raise UsageError("name at least one input")
    if len(found) > most:
        raise UsageError(f"at most {most} inputs can be read side by side, not {len(found)}")
    return found


def _spelled(known: Sequence[str], name: str, kind: str) -> str:
    for own in known:
        if key(own) == key(str(name)):
            return own
    raise unknown_name(str(name), kind, known, "this sweep")


def named(sweep: Sweep, name: str, language: str, unit: bool = False) -> str:
    """What an input, outcome or variable is called in a language, with its unit if asked for."""
    model = sweep.plan.model
    places: tuple[Mapping[str, Any], ...] = (
        model.outcomes, model.params, model.levers, model.variables,
    )  # fmt: skip
    for place in places:
        if name in place:
            label = str(place[name].text(language)[0])
            own = (
                outcome_unit(place[name], model)
                if place is model.outcomes
                else getattr(place[name], "unit", None)
            )
            said = str(own) if own is not None and own.factors else ""
            return f"{label} [{said}]" if unit and said else label
    return name


# How it was made --------------------------------------------------------------------------------


def receipt(sweep: Sweep, language: str, *parts: str) -> str:
    """The line under a title: runs, design with its seed, scenarios, method; then ``parts``."""
    said, plan = words(language), sweep.plan
    runs = said["run"] if plan.count == 1 else said["runs"].format(n=f"{plan.count:,}")
    scenarios = len(plan.scenarios)
    where = ""
    if scenarios:
        where = said["scenario" if scenarios == 1 else "scenarios"].format(n=scenarios)
    solver = f"{plan.method}, {said['step']} {interval(plan.step)}".replace(" ", NO_BREAK)
    sampled = _innermost(sweep).get("kind") == "sample"
    noise = said["noise"].format(seed=plan.seed) if plan.seed or not sampled else ""
    whole = (runs, _design(sweep, language), where, solver, noise, *parts, absent(sweep, language))
    return f"{NO_BREAK}· ".join(filter(None, whole))


def _design(sweep: Sweep, language: str) -> str:
    """How the inputs were chosen; a sample with its seed."""
    said, data = words(language), _innermost(sweep)
    shown = ", ".join(named(sweep, name, language) for name in sweep.names[:_NAMED])
    shown += ", …" if len(sweep.names) > _NAMED else ""
    if data.get("kind") == "sample":
        how = said["one" if len(sweep.names) == 1 else "sample"]
        return how.format(kind=said[data["sample"]], k=len(sweep.names), seed=data["seed"])
    return said["grid" if data.get("kind") == "grid" else "other"].format(names=shown)


def _innermost(sweep: Sweep) -> dict[str, Any]:
    """A design as plain data, without the scenarios that it is crossed with."""
    data: dict[str, Any] = sweep.plan.design.as_dict()
    return data["design"] if data.get("kind") == "crossed" else data


# Who has no value -------------------------------------------------------------------------------


def absent(sweep: Sweep, language: str) -> str:
    """How many runs were not computed, in words; empty for none."""
    gone = sum(len(sweep.plan.members(number)) for number in sweep.missing)
    return words(language)["missing"].format(n=f"{gone:,}") if gone else ""


def failed(sweep: Sweep, language: str) -> str:
    """How many runs failed, in words; empty for none."""
    if not sweep.failed:
        return ""
    return words(language)["failed"].format(
        n=f"{sweep.failed:,}", share=percent(sweep.failed / len(sweep), signed=False)
    )


def valueless(sweep: Sweep, outcome: str, language: str) -> str:
    """How many runs give an outcome no value, and how many of these failed; empty for none."""
    said = words(language)
    empty = sweep.frame.index[~np.isfinite(column(sweep, outcome))]
    if not len(empty):
        return ""
    broken = int(empty.isin(sweep.failures["member"]).sum())
    share = percent(len(empty) / len(sweep), signed=False)
    return said["of them" if broken else "nothing"].format(
        n=f"{len(empty):,}", share=share, failed=f"{broken:,}"
    )


# Numbers ----------------------------------------------------------------------------------------


def column(sweep: Sweep, name: str) -> Array:
    """An input or outcome of every member that was computed, (M,)."""
    found: Array = sweep.frame[name].to_numpy(dtype=np.float64)
    return found


def some(sweep: Sweep, most: int) -> NDArray[np.int64]:
    """Rows of ``Sweep.frame`` to draw, in order: all, or ``most`` of them chosen by a keyed hash.

    Every nth member would do for a sample, but of a grid it would be a stripe.
    """
    members = sweep.frame.index.to_numpy(dtype=np.int64)
    if len(members) <= most:
        return np.arange(len(members))
    return np.sort(np.argsort(hashed(members, sweep.plan.seed), kind="stable")[:most])


def thinned(sweep: Sweep, most: int, language: str) -> str:
    """How many of the members ``some`` draws, in words; empty for all."""
    if len(sweep.frame) <= most:
        return ""
    return words(language)["thinned"].format(n=f"{most:,}")


def logarithmic(values: Array) -> bool:
    """Whether values spread evenly by ratio, not by difference: positive, over a decade or more,
    their median nearer to the geometric middle of their range than to the arithmetic one."""
    own = values[np.isfinite(values)]
    if not own.size or own.min() <= 0 or own.max() < 10 * own.min():
        return False
    low, high = float(own.min()), float(own.max())
    between = np.sqrt(np.sqrt(low * high) * (low + high) / 2)
    return bool(np.median(own) < between)
