"""The commands: what each takes, with an example. What they do is in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="System dynamics for growth flywheels: models as text, fast honest numbers.",
    epilog="First steps: flywheel dashboard · flywheel run core_flywheel · flywheel new my_flywheel",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A shipped model's name, or the path of a .fly file.")
]

Outcome = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="An outcome or a variable; the model's main one if left out."
    ),
]
Horizons = Annotated[
    list[str],
    typer.Option(
        "--horizon",
        metavar="TIME",
        help="How long after --since the outcome is seen; repeat for more.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From when something else is done; the start by default."),
]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="NAME=NUMBER", help="Another number in the baseline; repeat for more."
    ),
]
ScenarioName = Annotated[str | None, typer.Option(help="A scenario of the model as the baseline.")]
FixedMethod = Annotated[str, typer.Option(help="rk4 or euler: their runs have exact derivatives.")]
Step = Annotated[str | None, typer.Option(help="Step, such as 1/32.")]
Seed = Annotated[int, typer.Option(help="Seed of noise and samples; 0 is a seed.")]
Better = Annotated[
    str, typer.Option(help="Whether more of the outcome is better: higher or lower.")
]
Language = Annotated[str, typer.Option(help="Of labels and sentences: en or ko.")]
Out = Annotated[
    list[Path],
    typer.Option(metavar="FILE", help="Also write .csv, .json or .html; repeat for more."),
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from flywheel import __version__

        typer.echo(__version__)
        raise typer.Exit(0)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    epilog="Example: flywheel run core_flywheel --set churn0=0.10 --out run.html",
)
def run(
    model: ModelName,
    set_: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="NAME=NUMBER", help="A parameter or initial stock; repeat for more."
        ),
    ] = [],  # noqa: B006  (typer reads the default, never changes it)
    scenario: Annotated[
        str | None, typer.Option(help="A scenario of the model, below the --set values.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="euler, rk4, rk45, dop853, lsoda, bdf or radau.")
    ] = "rk4",
    start: Annotated[str | None, typer.Option(help="First time, instead of the model's.")] = None,
    stop: Annotated[str | None, typer.Option(help="Last time, instead of the model's.")] = None,
    step: Annotated[str | None, typer.Option(help="Step of euler and rk4, such as 1/32.")] = None,
    save: Annotated[str | None, typer.Option(help="Time between saved values.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the model's noise; 0 is a seed.")] = 0,
    deadline: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="Give up after so many seconds.")
    ] = None,
    out: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Also write .csv, .parquet or .html; repeat for more."),
    ] = [],  # noqa: B006
    language: Annotated[str, typer.Option(help="Of labels and the HTML page: en or ko.")] = "en",
    json: Json = False,
) -> int:
    """Simulate a model and print its outcomes, beside the baseline when something was changed."""
    from flywheel.cli.run import command

    return command(
        model,
        settings=set_,
        scenario=scenario,
        method=method,
        times={"start": start, "stop": stop, "step": step, "save": save, "deadline": deadline},
        seed=seed,
        out=out,
        language=language,
        as_json=json,
    )


@app.command(epilog="Example: flywheel check --strict models/ my_model.fly")
def check(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL|FOLDER…", help="Shipped models, .fly files, or folders of them."
        ),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Also ask for units, ranges and evidence.")
    ] = False,
    json: Json = False,
) -> int:
    """Look for mistakes: names, units, time constants, loops; then run the model's own checks."""
    from flywheel.cli.check import command

    return command(targets, strict=strict, as_json=json)


@app.command(epilog="Example: flywheel fmt my_model.fly · flywheel fmt --check models/*.fly")
def fmt(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help=".fly files; - reads stdin, writes stdout.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; name the files that would change.")
    ] = False,
    json: Json = False,
) -> int:
    """Lay model files out the one usual way; comments stay."""
    from flywheel.cli.fmt import command

    return command(files, check=check, as_json=json)


@app.command(epilog="Example: flywheel models --json")
def models(json: Json = False) -> int:
    """List the models that come with Flywheel."""
    from flywheel.cli.models import command

    return command(as_json=json)


@app.command(epilog="Example: flywheel rules my_model.fly --at 2026")
def rules(
    model: ModelName,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Desired rules in force from then; else from the start."),
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="A scenario, for every version.")] = None,
    json: Json = False,
) -> int:
    """Show current and desired decision rules side by side, and run both."""
    from flywheel.cli.rules import command

    return command(model, at=at, scenario=scenario, as_json=json)


@app.command(
    epilog="Example: flywheel assess amazon --set servers.lock_in=0.6 · "
    "flywheel assess amazon --point fba --send"
)
def assess(
    chain: Annotated[
        str | None,
        typer.Argument(
            metavar="CHAIN",
            help="A shipped value chain's name, or the path of a .toml file; "
            "without it the shipped ones are listed.",
        ),
    ] = None,
    point: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show the judgements of one entry point.")
    ] = None,
    set_: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="POINT.JUDGEMENT=NUMBER", help="Judge otherwise; repeat for more."
        ),
    ] = [],  # noqa: B006
    send: Annotated[
        bool,
        typer.Option(
            "--send", help="Show the model parameters that the entry point (or the first) sets."
        ),
    ] = False,
    language: Annotated[str, typer.Option(help="Of labels and sentences: en or ko.")] = "en",
    json: Json = False,
) -> int:
    """Ask the five questions: which entry point of a value chain to enter, and how sure is it?"""
    from flywheel.cli.assess import command

    return command(chain, point=point, settings=set_, sending=send, language=language, as_json=json)


@app.command(
    epilog="Example: flywheel leverage core_flywheel --outcome income_total "
    "--since 2005 --horizon 1 --horizon 10"
)
def leverage(
    model: ModelName,
    outcome: Outcome = None,
    horizon: Horizons = [],  # noqa: B006
    since: Since = None,
    set_: Settings = [],  # noqa: B006
    scenario: ScenarioName = None,
    method: FixedMethod = "rk4",
    step: Step = None,
    seed: Seed = 0,
    better: Better = "higher",
    language: Language = "en",
    out: Out = [],  # noqa: B006
    json: Json = False,
    show: Annotated[
        list[str],
        typer.Option(
            metavar="VIEW",
            help="ranking, levers, dials, ladder, synergy, flips, robust, policies, knowing or data; "
            "repeat for more.",
        ),
    ] = [],  # noqa: B006
) -> int:
    """Rank what to push for an outcome: by derivative, over the plausible range, over time."""
    from flywheel.cli import study

    question = study.Question(
        model,
        outcome,
        horizon,
        since,
        set_,
        scenario,
        method,
        step,
        seed,
        better,
        language,
        json,
        out,
    )
    return study.leverage(question, show)


@app.command(epilog="Example: flywheel loops core_flywheel --outcome value")
def loops(
    model: ModelName,
    outcome: Outcome = None,
    horizon: Horizons = [],  # noqa: B006
    since: Since = None,
    set_: Settings = [],  # noqa: B006
    scenario: ScenarioName = None,
    method: FixedMethod = "rk4",
    step: Step = None,
    seed: Seed = 0,
    better: Better = "higher",
    language: Language = "en",
    out: Out = [],  # noqa: B006
    json: Json = False,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When gains are measured; at --since else.")
    ] = None,
    off: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=NUMBER",
            help="A push, at the value where pushing stops: what remains of the outcome; repeat.",
        ),
    ] = [],  # noqa: B006
    cut: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=CHANGE",
            help="What is given away, such as margin=-10%: how strong must the loop be to pay it back?",
        ),
    ] = None,
) -> int:
    """Find the loops behind the curves; with --outcome also what it would be without them."""
    from flywheel.cli import study

    question = study.Question(
        model,
        outcome,
        horizon,
        since,
        set_,
        scenario,
        method,
        step,
        seed,
        better,
        language,
        json,
        out,
    )
    return study.loops(question, at, off, cut)


@app.command(epilog="Example: flywheel sensitivity marketplace --outcome profit_15")
def sensitivity(
    model: ModelName,
    outcome: Outcome = None,
    horizon: Horizons = [],  # noqa: B006
    since: Since = None,
    set_: Settings = [],  # noqa: B006
    scenario: ScenarioName = None,
    method: FixedMethod = "rk4",
    step: Step = None,
    seed: Seed = 0,
    better: Better = "higher",
    language: Language = "en",
    out: Out = [],  # noqa: B006
    json: Json = False,
    param: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Only this parameter; repeat for more. All by default."),
    ] = [],  # noqa: B006
    how: Annotated[
        str, typer.Option(help="auto, chaos, sobol, shapley, morris, dgsm, screening or given.")
    ] = "auto",
    runs: Annotated[int | None, typer.Option(min=1, help="The most runs of the model.")] = None,
) -> int:
    """Say where the spread of an outcome comes from, over the ranges of the parameters."""
    from flywheel.cli import study

    question = study.Question(
        model,
        outcome,
        horizon,
        since,
        set_,
        scenario,
        method,
        step,
        seed,
        better,
        language,
        json,
        out,
    )
    return study.sensitivity(question, param, how, runs)


@app.command(epilog="Example: flywheel dip core_flywheel capacity_buffer --outcome income_total")
def dip(
    model: ModelName,
    lever: Annotated[
        str, typer.Argument(metavar="LEVER", help="A declared lever, or PARAMETER=NUMBER.")
    ],
    outcome: Outcome = None,
    horizon: Horizons = [],  # noqa: B006
    since: Since = None,
    set_: Settings = [],  # noqa: B006
    scenario: ScenarioName = None,
    method: FixedMethod = "rk4",
    step: Step = None,
    seed: Seed = 0,
    better: Better = "higher",
    language: Language = "en",
    out: Out = [],  # noqa: B006
    json: Json = False,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Last time looked at; the end by default.")
    ] = None,
) -> int:
    """Show what one lever does over time: worse before better, pay-back, internal return."""
    from flywheel.cli import study

    question = study.Question(
        model,
        outcome,
        horizon,
        since,
        set_,
        scenario,
        method,
        step,
        seed,
        better,
        language,
        json,
        out,
    )
    return study.dip(question, lever, until)


@app.command(
    epilog="Example: flywheel allocate core_flywheel --budget 1 --outcome income_total "
    "--since 2005 --horizon 10 --periods 3"
)
def allocate(
    model: ModelName,
    outcome: Outcome = None,
    horizon: Horizons = [],  # noqa: B006
    since: Since = None,
    set_: Settings = [],  # noqa: B006
    scenario: ScenarioName = None,
    method: FixedMethod = "rk4",
    step: Step = None,
    seed: Seed = 0,
    better: Better = "higher",
    language: Language = "en",
    out: Out = [],  # noqa: B006
    json: Json = False,
    budget: Annotated[
        str,
        typer.Option(metavar="NUMBER", help="What can be spent in all, in units of lever costs."),
    ] = "1",
    periods: Annotated[int, typer.Option(min=1, help="Parts of the time to decide about.")] = 1,
    cost: Annotated[str, typer.Option(help="linear or quadratic in the intensity.")] = "linear",
    lever: Annotated[
        list[str], typer.Option(metavar="NAME", help="Only this lever; repeat for more.")
    ] = [],  # noqa: B006
) -> int:
    """Spread a budget over levers and periods, and price one unit more."""
    from flywheel.cli import study

    question = study.Question(
        model,
        outcome,
        horizon,
        since,
        set_,
        scenario,
        method,
        step,
        seed,
        better,
        language,
        json,
        out,
    )
    return study.allocate(question, budget, periods, cost, lever)


SweepFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where a sweep is kept.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="How many at once; as many as there are processors.")
]
Executor = Annotated[
    str,
    typer.Option(
        metavar="KIND", help="threads, processes, or a Dask scheduler's address: tcp://host:8786."
    ),
]


@app.command(
    epilog='Example: flywheel sweep core_flywheel --range churn0="0.05 to 0.2" --runs 10000 '
    "--out sweep"
)
def sweep(
    model: ModelName,
    range_: Annotated[
        list[str],
        typer.Option(
            "--range",
            metavar='NAME="1 to 2"',
            help="An input and its range, NAME alone for the model's own; repeat for more. All "
            "parameters by default.",
        ),
    ] = [],  # noqa: B006
    grid: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=1,2,3", help="Values of an input, every combination; repeat for more."
        ),
    ] = [],  # noqa: B006
    list_: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE.csv", help="Runs one by one: names, then a row a run."
        ),
    ] = None,
    runs: Annotated[
        str | None, typer.Option(metavar="N", help="How many runs are drawn: 1024 if left out.")
    ] = None,
    design: Annotated[
        str | None, typer.Option(help="sobol (default), lhs, random or grid.")
    ] = None,
    scenario: Annotated[
        list[str],
        typer.Option(
            help="All runs in this scenario; repeat for more; base is the model as it is."
        ),
    ] = [],  # noqa: B006
    levers: Annotated[
        bool, typer.Option("--levers", help="Every combination of levers pulled and not pulled.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep the results there; a killed sweep can resume."),
    ] = None,
    workers: Workers = None,
    executor: Executor = "threads",
    keep: Annotated[
        str, typer.Option(help="streams (means, quantiles, some runs) or everything.")
    ] = "streams",
    seed: Seed = 0,
    save: Annotated[
        list[str],
        typer.Option(
            metavar="VAR",
            help="A variable to follow over time; repeat for more. Stocks by default.",
        ),
    ] = [],  # noqa: B006
    language: Language = "en",
    json: Json = False,
) -> int:
    """Run a model thousands of times over ranges, values or a list, and say how outcomes spread."""
    from flywheel.cli import sweep as sweeps
    from flywheel.cli.asked import Asked

    asked = Asked(range_, grid, list_, runs, design, scenario, levers, seed)
    return sweeps.sweep(
        model,
        asked,
        out=out,
        workers=workers,
        executor=executor,
        keep=keep,
        saved=save,
        language=language,
        as_json=json,
    )


@app.command(epilog="Example: flywheel resume sweep")
def resume(
    folder: SweepFolder,
    workers: Workers = None,
    executor: Executor = "threads",
    other_versions: Annotated[
        bool,
        typer.Option(
            "--other-versions",
            help="Also where other versions began it: last digits may differ between shards.",
        ),
    ] = False,
    language: Language = "en",
    json: Json = False,
) -> int:
    """Compute what is missing of a sweep that was stopped or killed, and nothing else."""
    from flywheel.cli import sweep as sweeps

    return sweeps.resume(
        folder,
        workers=workers,
        executor=executor,
        other_versions=other_versions,
        language=language,
        as_json=json,
    )


@app.command(epilog="Example: flywheel inspect sweep --out runs.csv")
def inspect(
    folder: SweepFolder,
    out: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE", help="Also write every run: .csv or .parquet; repeat for more."
        ),
    ] = [],  # noqa: B006
    language: Language = "en",
    json: Json = False,
) -> int:
    """Show what the folder of a sweep holds so far; nothing is computed or changed."""
    from flywheel.cli import sweep as sweeps

    return sweeps.inspect(folder, out=out, language=language, as_json=json)


@app.command(epilog="Example: flywheel new coffee_bar && flywheel run coffee_bar.fly")
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The model's name: writes NAME.fly here.")
    ],
    template: Annotated[
        str,
        typer.Option(
            help="What to start from: flywheel, adoption, marketplace, subscription, saas, "
            "logistics, data_ai or blank."
        ),
    ] = "flywheel",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if it is there.")
    ] = False,
    json: Json = False,
) -> int:
    """Write a small complete model to start from."""
    from flywheel.cli.new import command

    return command(name, template=template, force=force, as_json=json)


@app.command(epilog="Example: flywheel dashboard my_model.fly --port 8060")
def dashboard(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL…]", help="Models to show; all shipped ones when none is named."
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; other machines see only what is not loopback."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8050,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser window.")
    ] = False,
) -> int:
    """Open the dashboard in the browser."""
    from flywheel.cli.dashboard import command

    return command(models or [], host=host, port=port, browser=not no_browser)
