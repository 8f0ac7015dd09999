"""Labels beside points without overlap, on a phone and on a wide page alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flywheel.figures.caption import fold, width
from flywheel.figures.theme import TEXT_SMALL

_LETTER, _LINE = 0.58 * TEXT_SMALL, 1.3 * TEXT_SMALL
_POINT = 8.0
"""Half the room that a marker takes, in px."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px by its middle and half its sides."""

    x: float
    y: float
    half_width: float
    half_height: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (
            abs(self.x - other.x) < self.half_width + other.half_width
            and abs(self.y - other.y) < self.half_height + other.half_height
        )

    @property
    def gap(self) -> float:
        """How far the box of an offset begins from its point."""
        return max(abs(self.x) - self.half_width, abs(self.y) - self.half_height)

    def inside(self, wide: float, tall: float) -> bool:
        """Whether it lies within an area from (0, 0)."""
        return (
            self.half_width <= self.x <= wide - self.half_width
            and self.half_height <= self.y <= tall - self.half_height
        )


def offsets(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    widths: Sequence[float],
    height: float,
    taken: Sequence[tuple[float, float, str]] = (),
    room: int = 16,
) -> list[Box | None]:
    """For each point (0 to 1 from the left and from the top) where its label goes: a box about it in px.

    Earlier points choose first, the nearest place of many around the point at which the label meets
    no other label and no point, in none of the plot ``widths``. None where there is no such place.
    ``taken`` are texts that stand already: where, as parts of the area, and what. Labels have two
    lines of ``room`` letters at most.
    """
    placed: list[tuple[float, float, Box]] = []
    found: list[Box | None] = []
    sizes = [_size(text, room) for text in texts]
    fixed = [(x, y, _size(text, 40)) for x, y, text in taken]
    for (x, y), size in zip(points, sizes, strict=True):
        boxes = (Box(*place, *size) for place in _around(size))
        choice = next(
            (
                box for box in boxes
                if all(_free(box, x, y, wide, height, points, placed, fixed) for wide in widths)
            ),
            None,
        )  # fmt: skip
        if choice is not None:
            placed.append((x, y, choice))
        found.append(choice)
    return found


def _size(text: str, room: int) -> tuple[float, float]:
    """Half the width and half the height of a label."""
    lines = fold(text, room, 2)
    return max(width(line) for line in lines) * _LETTER / 2 + 2, len(lines) * _LINE / 2 + 1


def _around(size: tuple[float, float]) -> list[tuple[float, float]]:
    """Places around a point: beside it, under, over, then further and further away."""
    half_width, half_height = size
    found = [
        (half_width + _POINT + 1, 0.0), (-half_width - _POINT - 1, 0.0),
        (0.0, -half_height - _POINT), (0.0, half_height + _POINT),
    ]  # fmt: skip
    for ring in range(1, 14):
        for turn in range(16):
            angle = 2 * math.pi * turn / 16
            reach = 12.0 * ring
            found.append(
                (
                    math.cos(angle) * (half_width + reach) if abs(math.cos(angle)) > 0.1 else 0.0,
                    math.sin(angle) * (half_height + reach),
                )
            )
    return found


def _free(
    box: Box,
    x: float,
    y: float,
    wide: float,
    tall: float,
    points: Sequence[tuple[float, float]],
    placed: Sequence[tuple[float, float, Box]],
    fixed: Sequence[tuple[float, float, tuple[float, float]]],
) -> bool:
    """Whether a label at its offset from (x, y) meets nothing in a plot of this width."""
    own = Box(x * wide + box.x, y * tall + box.y, box.half_width, box.half_height)
    if not own.inside(wide, tall):
        return False
    for px, py in points:
        if own.meets(Box(px * wide, py * tall, _POINT, _POINT)):
            return False
    for px, py, other in placed:
        moved = Box(px * wide + other.x, py * tall + other.y, other.half_width, other.half_height)
        if own.meets(moved) or _crosses(x * wide, y * tall, own, moved):
            return False
        if _crosses(px * wide, py * tall, moved, own):
            return False
    for px, py, (half_width, half_height) in fixed:
        middle = min(max(px * wide, half_width), wide - half_width)
        if own.meets(Box(middle, py * tall, half_width, half_height)):
            return False
    return True


def _crosses(x: float, y: float, label: Box, other: Box) -> bool:
    """Whether the line from a point to its label runs through another label."""
    return any(
        other.meets(Box(x + part * (label.x - x), y + part * (label.y - y), 1.0, 1.0))
        for part in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
    )
