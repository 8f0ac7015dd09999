"""What a notebook or a script talks to: models that run, runs that plot.

``flywheel.model.Model`` is data; the ``Model`` here is the same data with verbs. Everything is
pure: a run never changes its model, ``with_`` returns another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flywheel import model as _model
from flywheel.analysis.assess import Assessment as _Assessment
from flywheel.errors import Finding, LimitError, UnknownNameError, UsageError, unknown_name
from flywheel.solve.run import Run as _Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from flywheel.analysis.sending import Sent
    from flywheel.checks.reality import CheckResult
    from flywheel.rules import Rules
    from flywheel.solve.adaptive_tangents import Tangents
    from flywheel.stages import StageMeter
    from flywheel.studies import (
        Allocation,
        Dip,
        Leverage,
        LoopLedger,
        LoopsThatMatter,
        Sensitivity,
        Study,
    )
    from flywheel.sweep.plan import DesignLike
    from flywheel.sweeps import Sweep

__all__ = [
    "Assessment", "CheckReport", "Model", "Run", "assess", "chain_names", "load", "model_names",
    "open_sweep", "parse",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Model(_model.Model):
    """A model that can be run, checked and drawn."""

    def run(
        self,
        *,
        method: str = "rk4",
        scenario: str | None = None,
        seed: int = 0,
        start: float | None = None,
        stop: float | None = None,
        step: float | None = None,
        save: float | None = None,
        deadline: float | None = None,
        overrides: Mapping[str, float] | None = None,
        **values: float,
    ) -> Run:
        """Simulate the model; nothing about it changes.

        ``values`` (and ``overrides``, for names that are also arguments of this function) set
        parameters or initial values of stocks, by their names in any case. They come on top of the
        scenario. Times are in the model's unit, ``deadline`` in seconds. A computation that fails
        comes back as a run whose ``status`` says why.

        Raises UnknownNameError for a name the model does not have, UsageError for a value, method or
        step that makes no sense, ModelError for a model that cannot be computed.
        """
        from flywheel.solve import simulate

        if overrides is None:
            given = {"scenario": scenario, "start": start, "stop": stop, "step": step, "save": save,
                     "deadline": deadline, "seed": seed or None,
                     "method": None if method == "rk4" else method}  # fmt: skip
            self._refuse_ambiguous(given)
        return simulate(
            self,
            method=method,
            scenario=scenario,
            overrides=_merge(overrides, values),
            seed=seed,
            start=start,
            stop=stop,
            step=step,
            save=save,
            deadline=deadline,
            build=Run,
        )

    def _refuse_ambiguous(self, given: Mapping[str, object]) -> None:
        """An argument that is also a name of the model could mean either, so it must be said."""
        for name, value in given.items():
            if value is not None and name in self:
                declaration = self[name]
                if isinstance(declaration, _model.Param | _model.Stock):
                    kind = type(declaration).__name__.lower().replace("param", "parameter")
                    raise UsageError(
                        f"{name} is an argument of run and a {kind} of {self.name}: "
                        f"overrides={{{name!r}: {value!r}}} means the {kind}, "
                        f"{name}={value!r} with overrides={{}} the argument"
                    )

    def check(self, *, strict: bool = False) -> CheckReport:
        """Judge the model: its text, its delays against the step, its loops, its own checks.

        ``strict`` also asks for units, ranges and evidence everywhere, as every shipped model has
        them. What needs a run is left out while the text has errors.
        """
        from flywheel.checks import check_model

        findings = list(check_model(self, strict))
        results: tuple[CheckResult, ...] = ()
        if not any(finding.severity == "error" for finding in findings):
            from flywheel.checks.reality import loop_polarity, run_checks

            run = self.run()
            findings += run.warnings
            if run.ok:
                findings += loop_polarity(self, run)
                results = run_checks(self)
            else:
                status = run.status
                findings.append(Finding("error", "run-failed", status.message, status.span))
        return CheckReport(self, tuple(dict.fromkeys(findings)), results, strict)

    def stages(self) -> StageMeter:
        """How far the model stands: logic, equations, evidence of its numbers, fit with data.

        Runs the model where it has ``observe`` lines; a run that fails is said in the meter.
        """
        from flywheel.stages import stages

        return stages(self)

    def rules(
        self, *, at: float | None = None, scenario: str | None = None, seed: int = 0
    ) -> Rules:
        """Each current decision rule beside the desired one, and the outcomes of either.

        Runs the model as it is, with each desired rule alone, and with all of them, in force from the
        time ``at`` (None: from the start). Without a ``desired`` line in the model there is no pair.

        Raises UsageError for a time outside the model's, UnknownNameError for an unknown scenario.
        """
        from flywheel.rules import compare

        return compare(self, at=at, scenario=scenario, seed=seed)

    def study(
        self,
        outcome: str,
        horizons: float | Sequence[float] | None = None,
        *,
        since: float | None = None,
        method: str = "rk4",
        scenario: str | None = None,
        overrides: Mapping[str, float] | None = None,
        seed: int = 0,
        step: float | None = None,
        stop: float | None = None,
        watch: Sequence[str] = (),
        better: Literal["higher", "lower"] = "higher",
    ) -> Study:
        """An outcome (or a variable) at horizons, to be asked what moves it.

        ``horizons`` are durations in the model's unit of time from ``since`` (the start of the run by
        default), from when on levers are pulled and parameters moved; without them the outcome is
        taken as it is declared. ``better`` is ``lower`` for what should be small, such as costs. The
        other arguments make the baseline, as in ``run``.

        Raises UnknownNameError and UsageError for arguments that make no sense.
        """
        from flywheel.studies import Study

        if better not in ("higher", "lower"):
            raise UsageError(f"better is higher or lower, not {better!r}")
        study = Study(
            self, outcome, horizons, since=since, method=method, scenario=scenario,
            overrides=overrides, seed=seed, step=step, stop=stop, watch=watch,
        )  # fmt: skip
        study.better = better
        return study

    def loops_that_matter(self, **options: Any) -> LoopsThatMatter:
        """Which feedback loops carry the change of a run, over time (Schoenberg et al. 2020, 2023).

        Options: ``convention`` (last, as Stella; first; shapley; continuous), ``method``, ``scenario``,
        ``overrides``, ``start``, ``stop``, ``step``, ``save``, ``seed``, ``limit``, ``seconds``.
        """
        from flywheel.analysis.loops.front import loops_that_matter
        from flywheel.results import shown
        from flywheel.studies import LoopsThatMatter

        return shown(LoopsThatMatter, loops_that_matter(self, **options), model=self)

    def sweep(
        self,
        design: DesignLike | None = None,
        *,
        runs: int | None = None,
        kind: Literal["sobol", "lhs", "random"] = "sobol",
        seed: int = 0,
        scenarios: Sequence[str | None] | None = None,
        folder: str | PathLike[str] | None = None,
        options: Mapping[str, Any] | None = None,
        **ranges: Any,
    ) -> Sweep:
        """Run the model many times: ``model.sweep(churn0=(0.05, 0.2), runs=10_000)``.

        ``ranges`` are parameters or initial stocks as ``(low, high)``, a distribution of
        ``flywheel.sweep.design`` or a number; without any, every parameter is drawn from its own range
        and evidence. ``design`` is a ready one instead (``grid``, ``from_csv``, ``levers_on_off`` …).
        ``scenarios`` repeats it under each (None is the model as it is). With ``folder`` the results
        survive a kill, and the same call goes on where it stopped. ``options`` are those of
        ``flywheel.sweep.run.sweep``: ``keep``, ``saved``, ``workers``, ``executor``, ``progress`` …

        Failed runs are data (``.failures``). The bytes of the result do not depend on who computed it.

        Raises UnknownNameError, UsageError and LimitError for what makes no sense or does not fit.
        """
        from flywheel.sweeps import sweep

        return sweep(
            self, design, runs=runs, kind=kind, seed=seed, scenarios=scenarios, ranges=ranges,
            folder=None if folder is None else Path(folder), **dict(options or {}),
        )  # fmt: skip

    def tangents(
        self, names: Sequence[str], columns: Sequence[str], *, method: str = "rk4", **options: Any
    ) -> Tangents:
        """The derivatives of variables to parameters and initial stocks, over time.

        Exact for every method; adaptive ones jump where a condition on the state does. Options:
        ``scenario``, ``overrides``, ``seed``, ``stop``, ``step``, ``rtol``.
        """
        from flywheel.solve.tangents import tangents

        return tangents(self, names, columns, method=method, **options)

    def leverage(
        self, outcome: str, horizons: float | Sequence[float] | None = None, **options: Any
    ) -> Leverage:
        """Where to push for an outcome: ``study(outcome, horizons, …).leverage()``."""
        return self.study(outcome, horizons, **options).leverage()

    def loops(
        self,
        outcome: str | None = None,
        horizons: float | Sequence[float] | None = None,
        **options: Any,
    ) -> LoopLedger | LoopsThatMatter:
        """The loops behind the curves; for an outcome the ledger of share, knock-out and gain."""
        if outcome is None:
            if horizons is not None:
                raise UsageError("horizons are those of an outcome: name it too")
            return self.loops_that_matter(**options)
        return self.study(outcome, horizons, **options).ledger()

    def sensitivity(
        self,
        outcome: str,
        horizons: float | Sequence[float] | None = None,
        *,
        parameters: Sequence[str] | None = None,
        runs: int | None = None,
        **options: Any,
    ) -> Sensitivity:
        """Where the spread of an outcome comes from: ``study(…).sensitivity(parameters)``."""
        return self.study(outcome, horizons, **options).sensitivity(parameters, runs=runs)

    def dip(
        self,
        lever: str,
        outcome: str | None = None,
        horizons: float | Sequence[float] | None = None,
        **options: Any,
    ) -> Dip:
        """What a lever does over time to an outcome: ``study(outcome, …).dip(lever)``.

        Without an outcome, the model's first total over the whole run, else its first outcome.
        """
        return self.study(outcome or self.main_outcome(), horizons, **options).dip(lever)

    def allocate(
        self,
        budget: float | Sequence[float],
        outcome: str | None = None,
        horizons: float | Sequence[float] | None = None,
        *,
        periods: int | Sequence[float] = 1,
        **options: Any,
    ) -> Allocation:
        """The best use of a budget for an outcome: ``study(outcome, …).allocate(budget)``.

        Without an outcome, the model's first total over the whole run, else its first outcome.
        """
        study = self.study(outcome or self.main_outcome(), horizons, **options)
        return study.allocate(budget, periods=periods)

    def main_outcome(self) -> str:
        """The outcome that is meant where none is named: the first total over the whole run, else the
        first outcome. Raises UsageError where none is declared."""
        whole = [o for o in self.outcomes.values() if o.measure == "total" and o.until is None]
        for one in (*whole, *self.outcomes.values()):
            return one.name
        raise UsageError(f"{self.name} declares no outcome: name a variable")

    def plot(
        self, names: Sequence[str] | None = None, *, language: str = "en", dark: bool = False
    ) -> Figure:
        """The stock and flow diagram; of the named variables only, when any are named."""
        from flywheel.figures.diagram import diagram

        return diagram(self, names, language=language, dark=dark)

    def _repr_html_(self) -> str:
        from flywheel.notebook import model_html

        return model_html(self)


class Run(_Run):
    """The result of a simulation, with figures."""

    __slots__ = ()

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What the numbers say against the model: delays too short for the step, bounds left."""
        kept: dict[str, object] = self._kept
        if "all warnings" not in kept:
            early: tuple[Finding, ...] = ()
            if self.method in ("euler", "rk4"):
                from flywheel.checks.time_constants import time_constants

                start = float(self.time[0])
                early = time_constants(self._plan.system, self._inputs.tolist(), self.step, start)
            kept["all warnings"] = (*early, *super().warnings)
        found: tuple[Finding, ...] = self._kept["all warnings"]
        return found

    def plot(
        self,
        *names: str,
        baseline: _Run | None = None,
        language: str = "en",
        dark: bool = False,
    ) -> Figure:
        """A plotly figure of the named variables (all stocks when none is named) over time.

        ``baseline`` is another run, drawn as a thin grey ghost; data of ``observe`` lines are dots.
        """
        from flywheel.figures.lines import trajectories

        return trajectories(self, names, baseline=baseline, language=language, dark=dark)

    def _repr_html_(self) -> str:
        from flywheel.notebook import run_html

        return run_html(self)


class Assessment(_Assessment):
    """The five questions answered for every entry point of a value chain, with figures."""

    def plot(
        self, entry_point: str | None = None, *, language: str = "en", dark: bool = False
    ) -> Figure:
        """The answers of all entry points; or what moves the score of one of them, when named."""
        from flywheel.figures.assess import answers, tornado

        if entry_point is None:
            return answers(self, language=language, dark=dark)
        return tornado(self, entry_point, language=language, dark=dark)

    def send(self, entry_point: str, models: Mapping[str, _model.Model] | None = None) -> Sent:
        """The parameters that an entry point sets: model, parameter, value.

        The shipped models of these names, or those in ``models``, say what values are plausible;
        values are clipped to that, and ``.notes`` says where.
        """
        wanted = self.chain.point(entry_point).models
        at_hand = dict(models or {})
        for name in wanted:
            if name not in at_hand and name in model_names():
                at_hand[name] = load(name)
        return super().send(entry_point, at_hand)

    def _repr_html_(self) -> str:
        from flywheel.notebook import assessment_html

        return assessment_html(self)


@dataclass(frozen=True, repr=False)
class CheckReport:
    """Everything that was found about a model; ``ok`` when nothing in it is an error."""

    model: Model
    findings: tuple[Finding, ...]
    """What its text, its structure and its run say against it."""
    results: tuple[CheckResult, ...]
    """How each of its own ``check`` lines fared."""
    strict: bool = False

    @cached_property
    def errors(self) -> tuple[Finding, ...]:
        """What makes the model unsound, failed checks included."""
        failed = (result.finding for result in self.results)
        return (
            *(finding for finding in self.findings if finding.severity == "error"),
            *(finding for finding in failed if finding is not None),
        )

    @property
    def ok(self) -> bool:
        """Whether there is no error and every check holds."""
        return not self.errors

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        others = [finding for finding in self.findings if finding.severity != "error"]
        shown = [finding.render() for finding in (*self.errors, *others)]
        return "\n".join([*shown, self.summary])

    @property
    def summary(self) -> str:
        """The report in one line."""
        held = sum(result.ok for result in self.results)
        counts = [
            f"{count} {word}{'s' if count != 1 else ''}"
            for word in ("error", "warning", "note")
            if (count := sum(finding.severity == word for finding in self.findings))
        ]
        if self.results:
            counts.append(f"{held} of {len(self.results)} checks hold")
        return f"{self.model.name}: {', '.join(counts) or 'nothing to say against it'}"

    def __repr__(self) -> str:
        return f"<check of {self.summary}>"

    def _repr_html_(self) -> str:
        from flywheel.notebook import findings_html

        others = [finding for finding in self.findings if finding.severity != "error"]
        notes = [f"{'✓' if result.ok else '✗'} {result.message}" for result in self.results]
        return findings_html(self.summary, (*self.errors, *others), notes)


def _merge(overrides: Mapping[str, float] | None, values: Mapping[str, float]) -> dict[str, float]:
    """Both ways of giving overrides as one mapping; a name given twice is a mistake."""
    from flywheel.expr import key

    merged: dict[str, float] = {}
    spelled: dict[str, str] = {}
    for name, value in [*(overrides or {}).items(), *values.items()]:
        if not isinstance(name, str):
            raise UsageError(f"the name of an override must be text, not {name!r}")
        if key(name) in spelled:
            raise UsageError(f"{name} is set twice")
        spelled[key(name)] = name
        merged[name] = value
    return merged


def model_names() -> tuple[str, ...]:
    """The names of the models that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _library().glob("*.fly")))


def _library() -> Path:
    """The folder of the shipped models."""
    from importlib.resources import files

    return Path(str(files("flywheel.models")))


def load(name_or_path: str | PathLike[str]) -> Model:
    """A shipped model by its name, or a ``.fly`` file by its path.

    Raises UnknownNameError for a name that is not shipped, UsageError for a file that cannot be read,
    ModelError (with every mistake found) for a text that is not a sound model.
    """
    from flywheel.language import load_file

    given = fspath(name_or_path)
    if not isinstance(given, str):
        raise UsageError(f"a model is named by text or a path, not {name_or_path!r}")
    looks_like_path = not isinstance(name_or_path, str) or given.endswith(".fly")
    if looks_like_path or "/" in given or "\\" in given:
        return load_file(Path(given), build=Model)
    if given in model_names():
        return load_file(_library() / f"{given}.fly", build=Model)
    error = unknown_name(given, "model", model_names(), "the library")
    beside = Path(f"{given}.fly")
    hint = f"There is a file {beside} here." if beside.is_file() else "A path ends in .fly."
    raise UnknownNameError(f"{error.message} {hint}")


def parse(text: str, *, name: str = "<text>", folder: str | PathLike[str] | None = None) -> Model:
    """A model from text. ``folder`` is where its data files lie; without it, data lines are refused.

    Raises ModelError with every mistake found.
    """
    from flywheel.language import parse as parse_text

    return parse_text(text, name=name, folder=None if folder is None else Path(folder), build=Model)


def open_sweep(folder: str | PathLike[str]) -> Sweep:
    """The sweep in a folder, as far as it is finished; every part is checked against its hash.

    Raises UsageError for a folder that holds none.
    """
    from flywheel.sweeps import open_sweep

    return open_sweep(Path(folder))


def chain_names() -> tuple[str, ...]:
    """The names of the value chains that come with the package, sorted."""
    return tuple(sorted(path.stem for path in (_library() / "chains").glob("*.toml")))


def assess(chain: str | PathLike[str] | Mapping[str, object]) -> Assessment:
    """The five questions answered for a value chain: which entry point to enter.

    ``chain`` is the name of a shipped value chain (``chain_names()``), the path of a ``.toml`` file,
    or a mapping of the same shape, in which a bare number is a judgement without a range.

    Raises UnknownNameError for a name that is not shipped, UsageError for a file that cannot be read,
    ModelError (with every mistake found) for what is no value chain.
    """
    from flywheel.analysis.chain import chain_of, parse_chain

    if isinstance(chain, Mapping):
        return Assessment(chain_of(chain))
    if not isinstance(chain, str | PathLike):
        raise UsageError(f"a value chain is named by text, a path or a mapping, not {chain!r:.80}")
    given = fspath(chain)
    if not isinstance(given, str):
        raise UsageError(f"a value chain is named by text or a path, not {chain!r:.80}")
    by_path = not isinstance(chain, str) or given.endswith(".toml")
    if by_path or "/" in given or "\\" in given:
        return Assessment(parse_chain(_chain_text(Path(given)), name=given))
    if given in chain_names():
        path = _library() / "chains" / f"{given}.toml"
        return Assessment(parse_chain(_chain_text(path), name=str(path)))
    error = unknown_name(given, "value chain", chain_names(), "the library")
    beside = Path(f"{given}.toml")
    hint = f"There is a file {beside} here." if beside.is_file() else "A path ends in .toml."
    raise UnknownNameError(f"{error.message} {hint}")


def _chain_text(path: Path) -> str:
    """The text of a value chain's file, read up to just past the limit that its reader refuses."""
    from flywheel.analysis.chain import MAX_BYTES

    shown = str(path).replace("\0", "\N{SYMBOL FOR NULL}")
    if "\0" in str(path) or not path.is_file():
        raise UsageError(f"there is no file {shown}")
    with path.open("rb") as handle:
        raw = handle.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise LimitError(f"{shown}: a value chain is at most 1 MiB of text")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown} is not UTF-8 text: byte {error.start}") from None
