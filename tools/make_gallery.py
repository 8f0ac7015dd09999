"""Make docs/gallery.md: one picture and three sentences for each shipped model, from the models.

    python tools/make_gallery.py

The sentences are the question of the model's own documentation, some of its outcomes as it stands, and
a scenario worth trying with what it does to the same outcomes. The picture draws three variables in
that scenario beside the base run. ``CHOICES`` says which; a model that is not in it gets the scenario
that moves its outcomes most. Run this after any change of a model; a test compares.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flywheel.api import Model, Run, load, model_names
from flywheel.expr import names
from flywheel.figures.lines import observed
from flywheel.figures.numbers import change, quantity, rounded
from flywheel.figures.theme import (
    BASELINE_WIDTH,
    DATA_SIZE,
    FONT,
    LIGHT,
    RUN_WIDTH,
    TEXT_BODY,
    TEXT_SMALL,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "gallery.md"
PICTURES = DOCS / "images" / "gallery"


@dataclass(frozen=True)
class Choice:
    """What to show of a model: a scenario, the variables drawn, the outcomes told."""

    scenario: str
    variables: tuple[str, ...]
    outcomes: tuple[str, ...]


CHOICES: Mapping[str, Choice] = {
    "core_flywheel": Choice(
        "get_big_fast_thin",
        ("customers", "experience", "revenue"),
        ("customers_2025", "revenue_2025", "experience_low"),
    ),
    "amazon": Choice(
        "core.no_marketplace",
        ("total_revenue", "total_income", "core.customers"),
        ("revenue_2024", "income_2024", "customers_2024"),
    ),
    "marketplace": Choice(
        "closed",
        ("own_sales", "profit", "cum_profit"),
        ("own_sales_15", "profit_first", "profit_total"),
    ),
    "fba_prime": Choice(
        "no_programme",
        ("profit", "cum_cash", "days"),
        ("profit_year_2", "profit_15", "cash_total"),
    ),
    "aws": Choice(
        "half_pass",
        ("price", "revenue", "operating_income"),
        ("revenue_2024", "income_year_3", "income_total"),
    ),
    "chips": Choice(
        "stop_early",
        ("advantage", "net_benefit", "cum_cash"),
        ("cash_low", "break_even", "cash_20"),
    ),
    "devices": Choice(
        "subsidy",
        ("installed", "content", "cum_cash"),
        ("cash_3", "cash_12", "installed_3"),
    ),
    "advertising": Choice(
        "burning",
        ("profit", "experience", "traffic"),
        ("profit_1", "profit_12", "traffic_15"),
    ),
    "publishing": Choice(
        "best_profit",
        ("authors", "readers", "profit"),
        ("readers_12", "royalties_total", "profit_total"),
    ),
    "creators": Choice(
        "two_year_guarantee",
        ("creators", "viewers", "cum_cash"),
        ("creators_12", "viewers_12", "profit_total"),
    ),
    "payments": Choice(
        "stale_labels",
        ("fraud_rate", "volume", "cum_cash"),
        ("fraud_15", "breaks_even", "cash_total"),
    ),
    "iot_data_asset": Choice(
        "licence_only",
        ("data_quality", "copies", "cum_cash"),
        ("cash_3", "cash_6", "cash_12"),
    ),
    "margin_opportunity": Choice(
        "thin_margin",
        ("share", "umbrella", "cum_cash"),
        ("share_15", "paid_back", "customers_saved"),
    ),
}
"""In the order of the page; models that are not here follow by name."""
DRAWN = 3
"""Variables in a picture, and outcomes in a sentence."""


def choice_for(model: Model, base: Run) -> Choice:
    """The choice made for a model; otherwise the scenario that moves its outcomes most, the variables
    that its outcomes ask about, and its first outcomes.

    Raises KeyError for a choice that names what the model does not have.
    """
    chosen = CHOICES.get(model.name)
    if chosen is not None:
        for name in (chosen.scenario, *chosen.variables, *chosen.outcomes):
            if name not in model:
                raise KeyError(f"{model.name} has no {name}: mend CHOICES in tools/make_gallery.py")
        return chosen

    def moved(scenario: str) -> float:
        run = model.run(scenario=scenario)
        pairs = [(base.outcomes[name], run.outcomes[name]) for name in model.outcomes]
        sizes = [
            abs(b - a) / max(abs(a), abs(b))
            for a, b in pairs
            if math.isfinite(a) and math.isfinite(b) and (a or b)
        ]
        return round(sum(sizes) / len(sizes), 6) if sizes else 0.0

    scenario = max(model.scenarios, key=moved, default="")
    asked = (name for outcome in model.outcomes.values() for name in names(outcome.expr))
    drawn = [name for name in dict.fromkeys([*asked, *model.stocks]) if name in model.variables]
    return Choice(scenario, tuple(drawn[:DRAWN]), tuple(model.outcomes)[:DRAWN])


# Words --------------------------------------------------------------------------------------------


def sentences(model: Model, choice: Choice, base: Run, run: Run | None) -> tuple[str, str, str]:
    """The question, the base run in numbers, and what the scenario changes."""
    parts = re.split(r"(?<=[.?!])\s", model.doc)
    asked = next((k for k, part in enumerate(parts[:2]) if part.endswith("?")), 0)
    question = " ".join(parts[: asked + 1]) or model.label or model.name
    told = [
        (outcome.text()[0], base.outcomes[name], outcome.unit, name)
        for name, outcome in ((name, model.outcomes[name]) for name in choice.outcomes)
    ]
    as_is = "; ".join(
        f"{_inner(label)}: {quantity(value, unit, model) if math.isfinite(value) else 'never'}"
        for label, value, unit, _ in told
    )
    if run is None:
        return question, f"As it stands, {as_is}.", "It has no scenario yet."
    scenario = model.scenarios[choice.scenario]
    effects = []
    for label, before, unit, name in told:
        after = run.outcomes[name]
        shown = quantity(after, unit, model) if math.isfinite(after) else "never"
        step = change(after, before, unit, model)
        effects.append(f"{_inner(label)}: {shown}" + (f" ({step})" if step != "–" else ""))
    reason = f" {scenario.doc}" if scenario.doc else ""
    trying = (
        f"Worth trying: *{scenario.text()[0]}* "
        f"(`flywheel run {model.name} --scenario {choice.scenario}`) gives {'; '.join(effects)}.{reason}"
    )
    return question, f"As it stands, {as_is}.", trying


def _inner(label: str) -> str:
    """A label inside a sentence: its first letter small, unless the word is a name or an acronym."""
    first = label.split(" ", 1)[0]
    known = first.isupper() or first in ("Prime", "Amazon", "AWS", "Mechanical")
    return label if known else label[:1].lower() + label[1:]


# Pictures -----------------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 792, 224
_PANEL, _GAP, _LEFT = 248, 24, 48
_TOP, _BOTTOM = 84, 192
Axis = Callable[[float], float]
"""From a time or value to a pixel."""


def picture(model: Model, choice: Choice, base: Run, run: Run | None) -> str:
    """An SVG: each variable in a panel of its own, the base run a grey ghost, data as dots."""
    scenario = model.scenarios.get(choice.scenario)
    label = scenario.text()[0] if scenario else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" font-family="{escape(FONT, quote=True)}">',
        f"<title>{escape(model.label or model.name)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{LIGHT.paper}"/>',
        *_legend(model, choice, label),
    ]
    for place, name in enumerate(choice.variables):
        parts += _panel(model, name, base, run, place * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, color: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" fill="{color}" font-size="{size}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _legend(model: Model, choice: Choice, label: str) -> Iterator[str]:
    """What the lines are, in one row above the panels; widths of letters are guessed generously."""
    x = 8.0
    lines = [(LIGHT.run, RUN_WIDTH, label)] if label else []
    for color, width, word in [*lines, (LIGHT.baseline, BASELINE_WIDTH, "as it is")]:
        yield (
            f'<line x1="{_n(x)}" y1="16" x2="{_n(x + 20)}" y2="16" stroke="{color}" '
            f'stroke-width="{width}"/>'
        )
        yield _text(x + 26, 20, word, LIGHT.ink, TEXT_SMALL)
        x += 26 + 7 * len(word) + 24
    if any(observed(model, name) for name in choice.variables):
        yield f'<circle cx="{_n(x + 4)}" cy="16" r="{DATA_SIZE / 2}" fill="{LIGHT.data}"/>'
        yield _text(x + 14, 20, "data", LIGHT.ink, TEXT_SMALL)


def _panel(model: Model, name: str, base: Run, run: Run | None, left: float) -> Iterator[str]:
    label, _ = model[name].text()
    unit = getattr(model[name], "unit", None)
    start, stop = float(base.time[0]), float(base.time[-1])
    points = [
        point
        for _, series in observed(model, name)
        for point in series
        if start <= point.time <= stop
    ]
    drawn = [base[name], *([run[name]] if run is not None else [])]
    every = np.concatenate([*drawn, np.array([p.value for p in points])])
    ticks = nice_ticks(every)
    low, high = min(ticks), max(ticks)

    def x(time: float) -> float:
        return left + _LEFT + (_PANEL - _LEFT) * (time - start) / (stop - start)

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low)

    yield _text(left + 8, 48, _cut(label), LIGHT.ink, TEXT_BODY)
    if unit is not None and unit.factors:
        yield _text(left + 8, 66, str(unit), LIGHT.muted, TEXT_SMALL)
    for tick in ticks:
        color = LIGHT.baseline if tick == 0 else LIGHT.hairline
        yield (
            f'<line x1="{_n(x(start))}" y1="{_n(y(tick))}" x2="{_n(x(stop))}" y2="{_n(y(tick))}" '
            f'stroke="{color}"/>'
        )
        yield _text(x(start) - 5, y(tick) + 4, rounded(tick), LIGHT.muted, TEXT_SMALL, "end")
    yield _text(x(start), _BOTTOM + 20, f"{start:g}", LIGHT.muted, TEXT_SMALL)
    yield _text(x(stop), _BOTTOM + 20, f"{stop:g}", LIGHT.muted, TEXT_SMALL, "end")
    yield _line(base, name, x, y, LIGHT.baseline, BASELINE_WIDTH)
    if run is not None:
        yield _line(run, name, x, y, LIGHT.run, RUN_WIDTH)
    for point in points:
        color = LIGHT.data if point.verified else LIGHT.unverified
        paint = f'fill="{color}"' if point.verified else f'fill="none" stroke="{color}"'
        yield f'<circle cx="{_n(x(point.time))}" cy="{_n(y(point.value))}" r="2" {paint}/>'


def _line(run: Run, name: str, x: Axis, y: Axis, color: str, width: float) -> str:
    every = max(1, len(run.time) // 120)
    places = [*range(0, len(run.time) - 1, every), len(run.time) - 1]
    dots = " ".join(
        f"{_n(x(float(run.time[k])))},{_n(y(float(run[name][k])))}"
        for k in places
        if math.isfinite(run[name][k])
    )
    return (
        f'<polyline points="{dots}" fill="none" stroke="{color}" stroke-width="{width}" '
        'stroke-linejoin="round"/>'
    )


def nice_ticks(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Three to six round numbers, 0 among them, that hold all finite values between them."""
    finite = values[np.isfinite(values)]
    low = min(0.0, float(finite.min(initial=0.0)))
    high = max(0.0, float(finite.max(initial=0.0)))
    if high == low:
        high = 1.0
    # A last bit above a round number asks for no further line.
    slack = 1e-9 * (high - low)
    for step in _steps((high - low) / 8):
        first = math.floor((low + slack) / step)
        last = math.ceil((high - slack) / step)
        if last - first <= 4:
            break
    return tuple(step * k for k in range(first, last + 1))


def _steps(smallest: float) -> Iterator[float]:
    """1, 2, 5, 10, 20, … times a power of ten, from about ``smallest`` on."""
    power = math.floor(math.log10(smallest))
    while True:
        for digit in (1, 2, 5):
            # Through text: 10.0 ** -1 * 2 would carry rounding into the labels.
            yield float(f"{digit}e{power}")
        power += 1


def _cut(label: str, letters: int = 34) -> str:
    return label if len(label) <= letters else f"{label[: letters - 1].rstrip()}…"


def _n(value: float) -> str:
    """A coordinate to a tenth of a pixel, so that the last bits of a machine do not show."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


# The page -----------------------------------------------------------------------------------------

_HEAD = """# Gallery

One picture and three sentences for each model that comes with Flywheel: its question, what it says as it
stands, and a scenario worth trying. Made from the models by `python tools/make_gallery.py`; a test
compares. `flywheel models` says how far each of them stands, and most start from guesses: read shapes
and directions here, not forecasts.
"""


def gallery(names: Sequence[str] | None = None) -> dict[str, str]:
    """The files of the gallery: path below docs/, and text."""
    known = model_names() if names is None else tuple(names)
    order = [name for name in CHOICES if name in known]
    order += sorted(name for name in known if name not in CHOICES)
    page = [_HEAD]
    files: dict[str, str] = {}
    for name in order:
        model = load(name)
        base = model.run()
        choice = choice_for(model, base)
        run = model.run(scenario=choice.scenario) if choice.scenario else None
        image = f"images/gallery/{name}.svg"
        files[image] = picture(model, choice, base, run)
        about = model.label or name
        page += [
            f"## {about}\n",
            f"![{about}]({image})\n",
            " ".join(sentences(model, choice, base, run)) + "\n",
        ]
    return {"gallery.md": "\n".join(page), **files}


def main() -> int:
    """Write the gallery; pictures of models that are gone go too."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    files = gallery()
    for path, text in files.items():
        (DOCS / path).write_text(text, encoding="utf-8")
    for old in PICTURES.glob("*.svg"):
        if f"images/gallery/{old.name}" not in files:
            old.unlink()
    sys.stdout.write(f"{PAGE}: {len(files) - 1} models\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
