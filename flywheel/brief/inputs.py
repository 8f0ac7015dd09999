"""The tables of uncertain inputs and of budgets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flywheel.brief.table import Column, Table, code, in_unit, last_of
from flywheel.brief.words import NOTHING, between, number, share, signed, within

if TYPE_CHECKING:
    from flywheel.analysis.decide.allocation import Allocation
    from flywheel.analysis.sensitivity.table import Sensitivity

_PERIODS = 4
"""More periods than this are told in one column."""
_SPENT = 1e-9
"""Part of all money below which nothing was spent."""


def sensitivity(result: Sensitivity, korean: bool) -> Table:
    """The most influential input at the last horizon first, with the half-widths of intervals."""
    measures = list(result.measures)
    leading = result.leading
    columns = [Column("input", "입력")]
    columns += [
        Column(name, name, True, 0 if name == leading else 1 + place)
        for place, name in enumerate(measures)
    ]
    place = {name: n for n, name in enumerate(result.parameters)}
    rows = []
    for name in result.ranking():
        cells = []
        for measure in measures:
            half = result.halves.get(measure)
            half_width = math.nan if half is None else float(half[place[name], -1])
            cells.append(within(float(result.measures[measure][place[name], -1]), half_width))
        param = result.model.params.get(name)
        rows.append((param.text(code(korean))[0] if param else name, *cells))
    end = last_of(result.stamp, korean)
    about = (
        f"{end} 뒤 「{result.labels[1]}」 기준, ±는 {result.confidence:.0%} 구간."
        if korean
        else f"Of {result.labels[0]} after {end}; ± is the {result.confidence:.0%} interval."
    )
    return Table(columns, rows, about)


def allocation(result: Allocation, korean: bool) -> Table:
    """Where most is spent first: how far each lever is pulled in each period."""
    columns = [Column("lever", "레버")]
    few = len(result.periods) <= _PERIODS
    if few:
        columns += [
            Column(f"{a:g} to {b:g}", f"{a:g}~{b:g}", True) for a, b in result.periods
        ]  # fmt: skip
    else:
        columns.append(Column("pulled", "당기는 정도"))
    columns += [Column("spent", "지출", True), Column("returned per unit", "단위당 회수", True, 1)]
    total = float(result.spent.sum())
    rows = []
    for n in sorted(range(len(result.levers)), key=lambda n: -float(result.spent[n].sum())):
        paid = float(result.spent[n].sum())
        cells = (
            [
                share(float(u)) if there else NOTHING
                for u, there in zip(result.intensity[n], result.available[n], strict=True)
            ]
            if few
            else [_pulls(result, n, korean)]
        )
        rows.append(
            (
                result.labels[n][korean],
                *cells,
                number(0.0 if abs(paid) <= _SPENT * abs(total) else paid),
                signed(float(result.finite_return[n])),
            )
        )
    unit = in_unit(result.unit)
    about = (
        f"각 구간에 레버를 당기는 정도와 지출. 단위당 회수: 그 레버를 포기하면 잃는 결과{unit}."
        if korean
        else "How far each lever is pulled in each period, and what is spent; returned: what giving the "
        f"lever up would lose{unit}, per unit spent."
    )
    return Table(columns, rows, about)


def _pulls(result: Allocation, row: int, korean: bool) -> str:
    """Stretches of periods with the same intensity: ``100% 2005 to 2008, 40% 2008 to 2010``."""
    stretches: list[tuple[str, float, float]] = []
    for (start, stop), intensity in zip(result.periods, result.intensity[row], strict=True):
        shown = share(float(intensity))
        if stretches and stretches[-1][0] == shown:
            stretches[-1] = (shown, stretches[-1][1], stop)
        else:
            stretches.append((shown, start, stop))
    pulled = [
        f"{shown} {between(f'{start:g}', f'{stop:g}', korean)}"
        for shown, start, stop in stretches
        if shown != "0%"
    ]
    return ", ".join(pulled) or "0%"
