"""What stands around a figure of an analysis: its title, its receipt, its labels, its keys.

Text is folded for the narrowest screen, a phone's 390 px, and reads as a newspaper's column on a wide
one. A Hangul syllable is twice as wide as a Latin letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from unicodedata import east_asian_width

import plotly.graph_objects as go

from flywheel.analysis.levers.words import duration
from flywheel.analysis.stamp import Stamp
from flywheel.figures.lines import interval
from flywheel.figures.theme import GRID, TEXT_BODY, TEXT_SMALL, TEXT_TITLE, palette, template
from flywheel.model import Model

TITLE_WIDTH, SUBTITLE_WIDTH, KEY_WIDTH, LABEL_WIDTH = 36, 56, 46, 20
"""Widths in Latin letters: of a title, of a line under it, of a key, of a label beside a bar."""
NO_BREAK = "\u00a0"
_LINE = 1.3
"""Height of a line of text in parts of its size, as plotly sets it."""
_BESIDE = 2 * GRID


def width(text: str) -> int:
    """How many Latin letters wide a text is."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, room: int) -> str:
    """A text that fits ``room`` letters, with an ellipsis where something was left out."""
    if width(text) <= room:
        return text
    kept = ""
    for letter in text:
        if width(kept + letter) > room - 1:
            break
        kept += letter
    return f"{kept.rstrip()}…"


def fold(text: str, room: int, lines: int = 0) -> list[str]:
    """A text broken between words into lines of ``room`` letters; at most ``lines`` of them (0: any).

    Words longer than a line are broken where they must be.
    """
    found = [""]
    text = text.replace(" %", f"{NO_BREAK}%")
    for word in filter(None, text.split(" ")):  # a no-break space holds
        rest = word
        while rest:
            line = f"{found[-1]} {rest}".strip()
            if width(line) <= room:
                found[-1], rest = line, ""
            elif found[-1]:
                found.append("")
            else:
                head = cut(rest, room + 1)[:-1]
                found[-1], rest = head, rest[len(head) :]
    if lines and len(found) > lines:
        found = [*found[: lines - 1], cut(" ".join(found[lines - 1 :]), room)]
    return found


def folded(text: str, room: int, lines: int = 0) -> str:
    """``fold`` for plotly: escaped, with breaks."""
    return "<br>".join(escape(line) for line in fold(text, room, lines))


def label(text: str, room: int = LABEL_WIDTH) -> str:
    """A label beside a bar: two lines at most, the whole of it is in the hover text."""
    return folded(text, room, 2)


def model_name(model: Model, language: str) -> str:
    """What a model is called in a language."""
    own = [named for code, named, _ in model.translations if code == language and named]
    return own[0] if own else model.label or model.name


def outcome_name(stamp: Stamp, model: Model | None, language: str) -> str:
    """What the outcome of a result is called in a language; its name where no model tells."""
    if model is None:
        return stamp.outcome
    found = model.outcomes.get(stamp.outcome) or model.variables.get(stamp.outcome)
    return stamp.outcome if found is None else found.text(language)[0]


def when(stamp: Stamp, language: str, horizons: Sequence[float] | None = None) -> str:
    """The horizons, as durations from a time: ``5 and 13 years from 1997``."""
    seen = stamp.horizons if horizons is None else tuple(horizons)
    if not seen:
        return ""
    numbers = [f"{h:g}" for h in seen[:-1]]
    last = duration(seen[-1], stamp.time_unit, language)
    if language == "ko":
        return f"{stamp.since:g}부터 {', '.join([*numbers, last])}"
    both = f"{', '.join(numbers)} and {last}" if numbers else last
    return f"{both} from {stamp.since:g}"


def receipt(
    stamp: Stamp | None,
    language: str,
    *method: str,
    outcome: str = "",
    horizons: Sequence[float] | None = None,
) -> str:
    """The line under a title: outcome, horizon, method. ``outcome`` is its label, if one is known."""
    if stamp is None:
        return f"{NO_BREAK}· ".join(filter(None, (outcome, *method)))
    step = "간격" if language == "ko" else "step"
    solver = stamp.method.split(",")[0]
    run = f"{solver}, {step} {interval(stamp.step)}" if solver in ("euler", "rk4") else solver
    scenario = str(stamp.settings.get("scenario", ""))
    named = outcome or stamp.outcome
    parts = (named, when(stamp, language, horizons), *method, scenario, run.replace(" ", NO_BREAK))
    return f"{NO_BREAK}· ".join(filter(None, parts))


def headed(
    figure: go.Figure,
    title: str,
    subtitle: str,
    *,
    body: int,
    foot: int = 5 * GRID,
    left: int = _BESIDE,
    right: int = _BESIDE,
    above: int = 0,
    dark: bool = False,
) -> go.Figure:
    """A figure with its title and subtitle, in the house's look.

    ``body`` is the height of the plotting area in px, ``above`` what is kept free over it for heads of
    columns, ``foot`` the room below it.
    """
    heads = fold(title, TITLE_WIDTH, 3)
    subs = fold(subtitle, SUBTITLE_WIDTH)
    colors = palette(dark)
    # plotly sets the first of several lines higher than a single one
    raised = GRID + GRID // 2 if len(heads) > 1 else 0
    lines = _LINE * (TEXT_TITLE * len(heads) + TEXT_SMALL * len(subs))
    top = round(2 * GRID + lines + 1.5 * GRID + above)
    figure.update_layout(
        template=template(dark),
        title={
            "text": "<br>".join(escape(line) for line in heads),
            "y": 1, "yref": "container", "yanchor": "top",
            "pad": {"l": 2 * GRID, "t": 2 * GRID + raised},
            "subtitle": {
                "text": "<br>".join(escape(line) for line in subs),
                "font": {"size": TEXT_SMALL, "color": colors.muted},
            },
        },
        hovermode="closest",
        showlegend=False,
        height=top + body + foot,
        margin={"l": left, "r": right, "t": top, "b": foot},
    )  # fmt: skip
    return figure


def blank(title: str, subtitle: str, why: str, dark: bool = False) -> go.Figure:
    """The figure of an empty table: it says so, and why."""
    figure = headed(go.Figure(), title, subtitle, body=14 * GRID, foot=2 * GRID, dark=dark)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=folded(why, SUBTITLE_WIDTH - 10), xref="paper", yref="paper", x=0.5, y=0.5,
        showarrow=False, font={"size": TEXT_BODY, "color": palette(dark).muted}, name="empty",
    )  # fmt: skip
    return figure


def key(
    figure: go.Figure,
    entries: Iterable[tuple[str, str, str]],
    *,
    down: int,
    left: int = _BESIDE,
    dark: bool = False,
    inline: bool = False,
) -> int:
    """A key under the figure of (mark, colour, text); returns its height in px.

    An entry a line, or with ``inline`` as many as a line of a phone holds. ``down`` is the distance of
    its top from the bottom of the plotting area, ``left`` the margin.
    """
    lines: list[str] = []
    filled = 0
    for mark, color, text in entries:
        body = cut(text, KEY_WIDTH)
        shown = f"<span style='color:{color}'>{mark}</span> {escape(body)}"
        if inline and lines and filled + width(body) + 5 <= KEY_WIDTH:
            lines[-1] += f"&nbsp;&nbsp; {shown}"
            filled += width(body) + 5
        else:
            lines.append(shown)
            filled = width(body) + 2
    figure.add_annotation(
        text="<br>".join(lines), xref="paper", yref="paper", x=0, y=0, yshift=-down,
        xshift=_BESIDE - left, xanchor="left", yanchor="top", align="left", showarrow=False,
        name="key", font={"size": TEXT_SMALL, "color": palette(dark).ink},
    )  # fmt: skip
    return round(_LINE * TEXT_SMALL * len(lines)) + GRID


def rest(count: int, language: str) -> str:
    """How many rows a figure leaves out, in words; empty for none."""
    if count <= 0:
        return ""
    if language == "ko":
        return f"더 작은 {count}개는 생략"
    return f"{count} smaller {'one is' if count == 1 else 'ones are'} left out"
