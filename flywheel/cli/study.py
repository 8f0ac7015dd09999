"""``flywheel leverage``, ``loops``, ``sensitivity``, ``dip`` and ``allocate``: a study's answers.

Each command asks a study one or more questions; ``answer`` shows what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flywheel.cli.answer import LANGUAGES, answer, check_files
from flywheel.cli.output import say
from flywheel.cli.run import assignments, number
from flywheel.errors import UsageError, nearest
from flywheel.expr import key

if TYPE_CHECKING:
    from flywheel.api import Model
    from flywheel.model import Lever
    from flywheel.results import Shown
    from flywheel.studies import Study

VIEWS = (
    "ranking", "levers", "dials", "ladder", "synergy", "flips", "robust", "policies", "knowing", "data",
)  # fmt: skip
"""What ``flywheel leverage --show`` takes."""


@dataclass(frozen=True)
class Question:
    """What all of these commands are told: the model, the outcome, the baseline, and how to answer."""

    model: str
    outcome: str | None
    horizons: Sequence[str]
    since: str | None
    settings: Sequence[str]
    scenario: str | None
    method: str
    step: str | None
    seed: int
    better: str
    language: str
    as_json: bool
    out: Sequence[Path]

    def check(self) -> None:
        """Refuse what cannot be answered before anything is computed."""
        if self.language not in LANGUAGES:
            raise UsageError(f"--language is {' or '.join(LANGUAGES)}, not {self.language!r}")
        if self.better not in ("higher", "lower"):
            raise UsageError(f"--better is higher or lower, not {self.better!r}")
        check_files(self.out)

    def answered(self, results: Mapping[str, Shown]) -> int:
        """Show results as asked for; the exit code."""
        return answer(results, self.language, self.out, self.as_json)

    def numbers(self) -> tuple[list[float], float | None, float | None]:
        """Horizons, the shortest first, since and step."""
        return (
            sorted({number(text, "--horizon") for text in self.horizons}),
            None if self.since is None else number(self.since, "--since"),
            None if self.step is None else number(self.step, "--step"),
        )

    def load(self) -> Model:
        from flywheel.api import load

        self.check()
        return load(self.model)

    def study(self, model: Model) -> Study:
        horizons, since, step = self.numbers()
        if self.outcome is None and not model.outcomes:
            some = ", ".join([*model.stocks, *model.flows, *model.auxes][:8])
            raise UsageError(
                f"{model.name} declares no outcome: name a variable with --outcome, such as {some}"
            )
        name = self.outcome or model.main_outcome()
        return model.study(
            name,
            horizons or None,
            since=since,
            method=self.method,
            scenario=self.scenario,
            overrides=assignments(self.settings),
            seed=self.seed,
            step=step,
            better="lower" if self.better == "lower" else "higher",
        )


def leverage(question: Question, views: Sequence[str]) -> int:
    """Where to push."""
    for view in views:
        if view not in VIEWS:
            guess = nearest(view, VIEWS)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise UsageError(f"--show takes {', '.join(VIEWS)}, not {view!r}.{hint}")
    model = question.load()
    study = question.study(model)
    wanted = list(dict.fromkeys(views)) or (["ranking", "levers"] if model.levers else ["ranking"])
    for view in wanted:
        if view not in ("ranking", "dials", "ladder"):
            needs_levers(model, f"--show {view}")
        if view == "data" and not model.observes:
            raise UsageError(
                f"--show data asks what measurements tell, and {model.name} observes nothing: write "
                "lines such as  observe sales by reported_sales error 5%"
            )
    ask: dict[str, Callable[[], Shown]] = {
        "ranking": study.leverage,
        "levers": study.misunderstood,
        "dials": study.dials,
        "ladder": study.ladder,
        "synergy": study.synergy,
        "flips": study.flips,
        "robust": study.robust,
        "policies": study.robust_choice,
        "knowing": study.worth_of_knowing,
        "data": study.data_to_buy,
    }
    found: dict[str, Shown] = {}
    for view in wanted:
        try:
            found[view] = ask[view]()
        except UsageError as error:
            # Not every outcome has a course over which a lever could be judged; who did not ask for
            # that is still told what to push.
            if views or not found:
                raise
            say(f"no table of levers: {error.message}")
    return question.answered(found)


def needs_levers(model: Model, what: str) -> None:
    """Say how levers are written where a model has none. Raises UsageError."""
    if not model.levers:
        raise UsageError(
            f"{what} speaks of levers, and {model.name} declares none: write lines such as  "
            f"lever more = {next(iter(model.params), 'price')} by 10% cost 1"
        )


def loops(question: Question, at: str | None, off: Sequence[str], cut: str | None) -> int:
    """Which loops carry the change; with an outcome the vital signs and the ledger.

    ``off`` are pushes at the values at which pushing stops; ``cut`` is what is given away, whose
    pay-back is weighed against the strongest loop.
    """
    model = question.load()
    moment = None if at is None else number(at, "--at")
    if question.outcome is None:
        if question.horizons or question.since or at or off or cut:
            raise UsageError(
                "--horizon, --since, --at, --off and --cut ask about an outcome: give --outcome too"
            )
        _, _, step = question.numbers()
        found = model.loops_that_matter(
            method=question.method,
            scenario=question.scenario,
            overrides=assignments(question.settings),
            step=step,
            seed=question.seed,
        )
        return question.answered({"loops": found})
    study = question.study(model)
    given: tuple[str, float] | None = None
    if cut is not None:
        ((name, change),) = assignments([cut]).items()
        given = name, change
    signs = study.vitals(moment, pushes=assignments(off) or None, cut=given)
    return question.answered({"vitals": signs, "ledger": study.ledger(at=moment)})


def sensitivity(question: Question, parameters: Sequence[str], how: str, runs: int | None) -> int:
    """Where the spread of an outcome comes from."""
    study = question.study(question.load())
    found = study.sensitivity(list(parameters) or None, method=how, runs=runs, seed=question.seed)
    return question.answered({"sensitivity": found})


def dip(question: Question, lever: str, until: str | None) -> int:
    """What one lever does over time."""
    study = question.study(question.load())
    end = None if until is None else number(until, "--until")
    return question.answered({"dip": study.dip(_lever(study, lever), until=end)})


def _lever(study: Study, text: str) -> str | Lever:
    """A declared lever's name, or a parameter at another value."""
    from flywheel.analysis.levers.pulling import setting

    name, equals, value = text.partition("=")
    if equals and not name.strip():
        raise UsageError(f"LEVER is a name or PARAMETER=NUMBER, not {text!r}")
    if equals:
        return setting(study, name.strip(), number(value, f"LEVER {name.strip()}="))
    known = {key(one): one for one in study.model.params}
    if key(text) in known and key(text) not in {key(one) for one in study.model.levers}:
        param = known[key(text)]
        raise UsageError(
            f"{param} is a parameter: say what to set it to, such as {param}={study.base(param):g}"
        )
    return text


def allocate(
    question: Question, budget: str, periods: int, cost: str, levers: Sequence[str]
) -> int:
    """The best use of a budget."""
    model = question.load()
    needs_levers(model, "a budget")
    if not any(lever.cost for lever in model.levers.values()):
        raise UsageError(
            f"no lever of {model.name} has a cost: write one behind it, such as  cost 2"
        )
    study = question.study(model)
    found = study.allocate(
        number(budget, "--budget"), list(levers) or None, periods, cost=cost, seed=question.seed
    )
    return question.answered({"allocation": found})
