"""``flywheel models``: what comes with the package."""

from __future__ import annotations

import re

from flywheel.cli.output import print_json, print_table


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
        table.add_row(model.name, first_sentence(model.doc) or model.label)
    print_table(table)
    return 0


def first_sentence(text: str) -> str:
    """Up to the first full stop, question or exclamation mark that ends a word."""
    return re.split(r"(?<=[.?!])\s", text, maxsplit=1)[0]
