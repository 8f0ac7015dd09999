"""``flywheel rules``: current and desired decision rules side by side, and what changing them does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flywheel.cli.output import print_json, print_table, say
from flywheel.cli.run import number

if TYPE_CHECKING:
    from flywheel.api import Model
    from flywheel.rules import Rules


def command(target: str, *, at: str | None, scenario: str | None, as_json: bool) -> int:
    """Show the pairs and the outcomes of each version; 1 when one of the runs failed."""
    from flywheel.api import load

    when = None if at is None else number(at, "--at")
    model = load(target)
    rules = model.rules(at=when, scenario=scenario)
    if as_json:
        print_json(rules.as_dict())
        return 0 if rules.ok else 1
    if not rules.pairs:
        say(
            f"{model.name} has no desired rule; one stands on an indented line below a flow's or "
            "auxiliary's own equation: desired EXPRESSION"
        )
        return 0
    _print(model, rules)
    for version, message in rules.failures.items():
        say(f"{version}: the run failed: {message}")
    return 0 if rules.ok else 1


def _print(model: Model, rules: Rules) -> None:
    from rich.table import Table

    from flywheel.figures.numbers import change, quantity
    from flywheel.language import print_expr
    from flywheel.rules import ALL, CURRENT

    for pair in rules.pairs:
        unit = f" [{pair.unit}]" if pair.unit else ""
        sys.stdout.write(f"{pair.name}{unit}  {pair.label}\n")
        sys.stdout.write(f"  current  {print_expr(pair.current)}\n")
        sys.stdout.write(f"  desired  {print_expr(pair.desired)}\n")
        for word, some in (("reads no more", pair.gone), ("reads newly", pair.new)):
            if some:
                sys.stdout.write(f"  {word}: {', '.join(some)}\n")
    if rules.at is not None:
        sys.stdout.write(f"desired rules in force from {rules.at:g}\n")
    sys.stdout.write("\n")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("outcome" if model.outcomes else "at the end")
    table.add_column("as it is", justify="right")
    for version in rules.versions[1:]:
        table.add_column("all desired" if version == ALL else f"{version} desired", justify="right")
        table.add_column("change", justify="right")
    for effect in rules.effects:
        before = effect.values[CURRENT]
        cells = [effect.label, quantity(before, effect.unit, model)]
        for version in rules.versions[1:]:
            value = effect.values[version]
            cells.append(quantity(value, effect.unit, model))
            cells.append(change(value, before, effect.unit, model))
        table.add_row(*cells)
    print_table(table)
