"""Whole runs of a sweep: thin lines of the members that were kept, and the median of all."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flywheel.figures.caption import blank
from flywheel.figures.fan import label_ends, over_time, reach_of
from flywheel.figures.shades import mix
from flywheel.figures.sweep_words import failed, named, receipt, variable_of, words
from flywheel.figures.theme import RUN_WIDTH, palette
from flywheel.sweep.result import Sweep

_WORDS = {
    "en": {
        "title": "{name}: {n} runs of {all}", "of all": "median of all runs that did not fail",
        "of shown": "median of the runs that are drawn", "kept": "chosen at random",
        "stopped": "{n} of these stop, at ×", "none": "This sweep kept no whole runs.",
        "run": "run",
    },
    "ko": {
        "title": "{name}: 실행 {all}회 중 {n}회", "of all": "실패하지 않은 모든 실행의 중앙값",
        "of shown": "그려진 실행의 중앙값", "kept": "무작위로 고름",
        "stopped": "그중 {n}회는 ×에서 멈춤", "none": "이 스윕은 전체 실행을 남기지 않았습니다.",
        "run": "실행",
    },
}  # fmt: skip


def spaghetti(
    sweep: Sweep, variable: str, *, language: str = "en", dark: bool = False
) -> go.Figure:
    """The runs that the sweep kept whole, a thin line each, and the median over time.

    The median is that of all runs where the sweep has histograms, else of those drawn. A run that
    failed ends in a cross. Raises UnknownNameError for a variable that was not saved.
    """
    name = variable_of(sweep, variable)
    said, colors = _WORDS["ko" if language == "ko" else "en"], palette(dark)
    times = sweep.time
    runs = sweep.members[name].to_numpy(dtype=np.float64).reshape(-1, len(times))
    members = sweep.members.index.get_level_values("member").to_numpy()[:: len(times)]
    label = named(sweep, name, language)
    title = said["title"].format(name=label, n=f"{len(runs):,}", all=f"{len(sweep):,}")
    sound = np.isfinite(runs)
    some = sound.any(axis=1)
    stopped = int((~sound.all(axis=1)).sum())
    of_all = sweep.plan.bins > 0 and sweep.failed < len(sweep.frame)
    subtitle = receipt(
        sweep, language, said["kept"], said["of all" if of_all else "of shown"],
        said["stopped"].format(n=f"{stopped:,}") if stopped else "", failed(sweep, language),
    )  # fmt: skip
    if not some.any():
        return blank(title, subtitle, said["none" if not len(runs) else "stopped"].format(
            n=stopped), dark)  # fmt: skip
    # One trace: the lines are broken by a gap after each, and 100 traces would be slow to draw.
    gap = np.full((len(runs), 1), np.nan)
    figure = go.Figure(
        go.Scatter(
            x=np.tile(np.append(times, np.nan), len(runs)), y=np.hstack([runs, gap]).ravel(),
            mode="lines", connectgaps=False, customdata=np.repeat(members, len(times) + 1),
            line={"width": 1, "color": mix(colors.run, colors.paper, 0.55)},
            opacity=0.6 if len(runs) > 20 else 1.0,
            hovertemplate=f"{said['run']} %{{customdata}}: %{{y:.4~g}}<extra></extra>",
            meta={"role": "runs"},
        )
    )  # fmt: skip
    last = [len(times) - 1 - int(np.argmax(row[::-1])) for row in sound]
    ends = [k for k in range(len(runs)) if some[k] and not sound[k].all()]
    if ends:
        figure.add_trace(
            go.Scatter(
                x=[times[last[k]] for k in ends], y=[runs[k, last[k]] for k in ends],
                mode="markers", customdata=[members[k] for k in ends], cliponaxis=False,
                marker={"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": colors.bad}},
                hovertemplate=f"{said['run']} %{{customdata}}: ×<extra></extra>",
                meta={"role": "stopped"},
            )
        )  # fmt: skip
    if of_all:
        middle = sweep.quantiles(name, 0.5).to_numpy(dtype=np.float64)[:, 0]
    else:
        middle = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan
                           for c in runs.T])  # fmt: skip
    median = words(language)["median"]
    figure.add_trace(
        go.Scatter(
            x=times, y=middle, mode="lines", line={"width": RUN_WIDTH, "color": colors.run},
            hovertemplate=f"{median}: %{{y:.4~g}}<extra></extra>", meta={"role": "median"},
        )
    )  # fmt: skip
    reach = reach_of(np.concatenate([runs[sound], middle]))
    known = middle[np.isfinite(middle)]
    label_ends(figure, [(float(known[-1]), median, colors.run)], reach)
    over_time(figure, sweep, name, reach, title, subtitle, language, dark)
    return figure.update_layout(hovermode="closest")
