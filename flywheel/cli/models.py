"""``flywheel models``: what comes with the package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flywheel.cli.output import print_json, print_table

if TYPE_CHECKING:
    from flywheel.stages import StageMeter


def command(*, as_json: bool) -> int:
    """One line for each shipped model, with how far it stands on the four stages."""
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
                    "stages": model.stages().as_dict(),
                }
                for model in models
            ]
        )
        return 0
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("model", no_wrap=True)
    for stage in ("logic", "equations", "evidence", "data"):
        table.add_column(stage, justify="right", no_wrap=True)
    table.add_column("what it is about")
    for model in models:
        about = first_sentence(model.doc) or model.label
        table.add_row(model.name, *stage_cells(model.stages()), about)
    print_table(table)
    return 0


def stage_cells(meter: StageMeter) -> list[str]:
    """The four stages in percent; a dash where nothing is compared with data."""
    shares = dict(meter.shares)
    cells = [f"{100 * shares[stage]:.0f}%" for stage in ("logic", "equations", "evidence")]
    return [*cells, f"{100 * shares['data']:.0f}%" if meter.data.series else "-"]


def first_sentence(text: str) -> str:
    """Up to the first full stop, question or exclamation mark that ends a word."""
    return re.split(r"(?<=[.?!])\s", text, maxsplit=1)[0]
