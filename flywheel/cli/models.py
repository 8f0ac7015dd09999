"""``flywheel models``: what comes with the package."""

from __future__ import annotations

from flywheel.cli.output import console, print_json


def command(*, as_json: bool) -> int:
    """One line for each shipped model."""
    from flywheel.api import load, model_names

    models = [load(name) for name in model_names()]
    if as_json:
        print_json(
            [
                {
                    "name": model.name,
                    "label": model.label,
                    "doc": model.doc,
                    "hash": model.hash,
                    "stocks": len(model.stocks),
                    "parameters": len(model.params),
                    "scenarios": list(model.scenarios),
                }
                for model in models
            ]
        )
        return 0
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for model in models:
        table.add_row(model.name, model.doc.split(". ")[0] or model.label)
    console().print(table)
    return 0
