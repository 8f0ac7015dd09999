"""Shades between two colours: scales around zero, ranks within a meaning, ink that reads on a fill."""

from __future__ import annotations

from itertools import pairwise

from flywheel.figures.theme import BLACK, Palette


def mix(one: str, other: str, part: float) -> str:
    """``one`` with ``part`` (0 to 1) of ``other`` in it; both ``#rrggbb``."""
    a, b = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (one, other))
    return "#" + "".join(f"{round(x + part * (y - x)):02X}" for x, y in zip(a, b, strict=True))


def luminance(color: str) -> float:
    """Relative luminance after WCAG 2.2, from 0 (black) to 1 (white)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(fill: str) -> str:
    """Black or white, whichever reads better on a fill: one of them always has WCAG's 4.5 to 1."""
    level = luminance(fill)
    return BLACK if (level + 0.05) / 0.05 >= 1.05 / (level + 0.05) else "#FFFFFF"


def diverging(colors: Palette) -> list[list[float | str]]:
    """A colour scale from what lowers an outcome over nothing (the paper) to what raises it.

    Blue and orange: they stay apart for every common kind of colour blindness. Blue is not good:
    whether more of an outcome is better, the scale cannot know.
    """
    low, high, middle = colors.bad, colors.run, colors.panel
    return [[0.0, low], [0.25, mix(low, middle, 0.5)], [0.5, middle],
            [0.75, mix(high, middle, 0.5)], [1.0, high]]  # fmt: skip


def at(scale: list[list[float | str]], part: float) -> str:
    """The colour of a scale at a place from 0 to 1, to choose the ink of what is written on it."""
    place = min(max(part, 0.0), 1.0)
    for (low, one), (high, other) in pairwise(scale):
        if place <= float(high):
            width = float(high) - float(low)
            return mix(str(one), str(other), (place - float(low)) / width if width else 0.0)
    return str(scale[-1][1])


def ranked(color: str, count: int, colors: Palette) -> tuple[str, ...]:
    """``count`` shades of one meaning, the full colour first, the last still told from the paper."""
    steps = max(count - 1, 3)
    return tuple(mix(color, colors.paper, 0.7 * n / steps) for n in range(count))
