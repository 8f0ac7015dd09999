"""The small charts of the page: ``flywheel.figures`` trajectories in a frame of their own.

Title and unit stand in the page, so the figure is only the plot. The page's script updates the curve
and the scrubber's line by the ``role`` that each trace carries.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flywheel.api import Model, Run
from flywheel.figures.lines import trajectories

MAX_DEFAULT = 6
HEIGHT = 152


def default_variables(model: Model) -> tuple[str, ...]:
    """What to chart when nobody chose: what is compared with data, then the stocks."""
    observed = [line.name for line in model.observes]
    chosen = list(dict.fromkeys([*observed, *model.stocks]))
    return tuple(chosen[:MAX_DEFAULT])


@lru_cache(maxsize=512)
def figure(baseline: Run, name: str, language: str, dark: bool = False) -> dict[str, Any]:
    """One variable: the baseline as a ghost, the run (for now the baseline too), data as dots.

    Plain data, kept, because every visitor of a model gets the same: do not change it.
    """
    made = trajectories(
        baseline, [name], baseline=baseline, language=language, dark=dark, note=False
    )
    made.layout.annotations = ()
    made.update_layout(
        height=HEIGHT,
        margin={"l": 44, "r": 12, "t": 6, "b": 22},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
        font_size=12,
        hoverlabel_align="left",
        transition_duration=0,
        uirevision=name,
    )
    made.update_xaxes(automargin=False, fixedrange=True, title=None, nticks=6)
    made.update_yaxes(automargin=False, fixedrange=True, title=None)
    start, stop = float(baseline.model.time.start), float(baseline.model.time.stop)
    made.update_xaxes(range=[start, stop])
    plain: dict[str, Any] = made.to_plotly_json()
    return plain
