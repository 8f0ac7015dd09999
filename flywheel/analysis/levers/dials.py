"""Where in the structure to push: links, flows, tables, and information that nobody uses yet.

One adjoint run gives the derivative of the outcome with respect to every dial of ``kernel.dials``:

``link``    the target reacts by so much more strongly (cut = -1: Ford's 1999 deactivation)
``flow``    the flow is larger by so much
``table``   a table is higher between two of its points
``absent``  a flow sees a variable that it does not see: it grows by so much per standard deviation

Derivatives are of the size of one: 0.01 is one percent. What is reported at the top is confirmed by
runs: a link is cut altogether, the others are turned by ±5 %. The measures of links and absent links
are this project's own; no other tool is known to have them, so judge them by the runs beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.decide.words import is_korean
from flywheel.analysis.stamp import Stamp, stamp_of_study
from flywheel.errors import UsageError
from flywheel.kernel.dials import bin_input, link_input, scale_input, see_input
from flywheel.model import Flow, Stock
from flywheel.solve.study import Study
from flywheel.structure import Link, components, graph, links

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Kind = Literal["link", "flow", "table", "absent"]
KINDS: tuple[Kind, ...] = ("link", "flow", "table", "absent")
LEVELS = {"link": 7, "flow": 10, "table": 5, "absent": 6}
"""Places on Meadows' ladder; the ledger of loops says which links are balancing (8)."""
TURN = 0.05
"""How far a dial is turned, to either side, to confirm its derivative."""


@dataclass(frozen=True)
class Row:
    """One dial. ``source`` and ``target`` name a link; of a flow or table only ``target`` is set.

    ``effect`` (horizons,): change of the outcome for a dial of 1, by the derivative. ``share`` the
    same as a part of the outcome. ``cut`` (horizons,): change when the link is cut; ``turned``: change
    for +5 %, by runs; empty where no run was made. ``span`` are the two points of a table.
    """

    kind: Kind
    name: str
    source: str
    target: str
    effect: tuple[float, ...]
    share: tuple[float, ...]
    cut: tuple[float, ...] = ()
    turned: tuple[float, ...] = ()
    span: tuple[float, float] | None = None
    in_loop: bool = False
    """Whether the link is part of a feedback loop; one that is not only keeps accounts."""
    confirmed: bool | None = None
    """Whether the runs at ±5 % agree with the derivative to a tenth; None where none were made."""


@dataclass(frozen=True, eq=False)
class Dials:
    """Dials by the size of their effect at the last horizon, the largest first.

    ``times`` (T,) and ``profile`` (horizons, T, rows): when each dial acts (row n of T: between save
    n - 1 and save n), in units of the outcome.
    """

    stamp: Stamp
    label: tuple[str, str]
    """What the outcome is called, in English and in Korean."""
    unit: str
    value: tuple[float, ...]
    rows: tuple[Row, ...]
    times: Array
    profile: Array
    labels: dict[str, dict[str, str]]
    """Per language the labels of variables."""

    @property
    def frame(self) -> pd.DataFrame:
        """A row per dial and horizon."""
        import pandas as pd

        return pd.DataFrame(
            {
                "kind": row.kind,
                "dial": row.name,
                "in_loop": row.in_loop,
                "horizon": horizon,
                "outcome": self.value[n],
                "effect_per_1": row.effect[n],
                "share_per_1": row.share[n],
                "cut": row.cut[n] if row.cut else np.nan,
                "turned_5_percent": row.turned[n] if row.turned else np.nan,
                "confirmed": row.confirmed,
            }
            for row in self.rows
            for n, horizon in enumerate(self.stamp.horizons)
        )

    def called(self, row: Row, language: str = "en") -> str:
        """What a dial turns, for people: ``Own sales → Revenue``, ``Freshness (0.6 to 0.8)``."""
        label = self.labels["ko" if is_korean(language) else "en"]
        target = label.get(row.target, row.target)
        if row.source:
            return f"{label.get(row.source, row.source)} → {target}"
        if row.span is None:
            return target
        return f"{target} ({_stretch(row.span, language)})"

    def __repr__(self) -> str:
        return f"<dials: {len(self.rows)} of {self.stamp}>"

    def explain(self, language: str = "en") -> str:
        """The strongest link, what cutting it does, and the most useful absent information."""
        from flywheel.analysis.levers.dial_words import explain

        return explain(self, language)


def _stretch(span: tuple[float, float], language: str) -> str:
    """The part of a table between two of its points."""
    low, high = span
    if language == "ko":
        return f"{high:g} 미만" if low == -np.inf else f"{low:g} 이상" if high == np.inf else (
            f"{low:g}~{high:g}"
        )  # fmt: skip
    if low == -np.inf:
        return f"below {high:g}"
    return f"from {low:g}" if high == np.inf else f"{low:g} to {high:g}"


def structural_dials(
    study: Study,
    kinds: Sequence[Kind] = KINDS,
    *,
    top: int = 10,
    absent: int = 10,
) -> Dials:
    """The leverage of every link, flow and table of a model, and of ``absent`` links it lacks.

    ``top`` says how many rows of each kind are confirmed by runs at ±5 %; every link is cut. Absent
    links go to flows only: flows are where a model decides (Forrester 1961).

    Raises UsageError for an unknown kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"there is no kind of dial {kind!r}; there are {', '.join(KINDS)}")
    every = links(study.model)
    flows = [name for name, v in study.model.variables.items() if isinstance(v, Flow)]
    # Everything is turned in one system, so that one adjoint and one compilation do.
    whole = study
    if "link" in kinds:
        whole = whole.dialled([(one.source, one.target) for one in every])
    if "flow" in kinds or "absent" in kinds:
        whole = whole.scaled(flows)
    has_tables = bool(study.plan.system.lookups)
    if "table" in kinds and has_tables:
        whole = whole.raised()
    rows: list[Row] = []
    profiles: list[Array] = []
    groups = [group for group in components(graph(study.model)) if len(group) > 1]
    part = {name: number for number, group in enumerate(groups) for name in group}
    labels = {
        language: {n: v.text(language)[0] for n, v in study.model.variables.items()}
        for language in ("en", "ko")
    }
    value = np.asarray(study.value)
    if whole is not study:
        new = [name for name in whole.inputs if name not in study.inputs]
        gradient = whole.gradient(new)
        place = {name: n for n, name in enumerate(gradient.names)}
        found = _found(study, every, flows if "flow" in kinds else [], kinds)
        for kind, name, source, target, span in found:
            at = place[name]
            effect = gradient.values[:, at]
            closed = kind == "link" and part.get(source) == part.get(target, -1)
            rows.append(_row(kind, name, source, target, effect, value, span, closed))
            profiles.append(gradient.profile[:, :, at])
        if "absent" in kinds:
            # A flow outside every loop only keeps accounts: nobody decides it by what they see.
            scaled = {f: gradient.profile[:, :, place[scale_input(f)]] for f in flows if f in part}
            more, more_profiles = _absent(study, scaled, absent, value)
            rows += more
            profiles += more_profiles
        rows = _confirmed(whole, rows, top)
    order = sorted(range(len(rows)), key=lambda n: -abs(rows[n].effect[-1]))
    profile = (
        np.stack([profiles[n] for n in order], axis=2)
        if rows
        else np.empty((len(study.horizons), len(study.times), 0))
    )
    return Dials(
        stamp_of_study(study, kinds=", ".join(kinds), turned=f"±{TURN:.0%}"),
        (study.text("en"), study.text("ko")),
        study.unit,
        tuple(float(v) for v in value),
        tuple(rows[n] for n in order),
        study.times,
        profile,
        labels,
    )


def _row(
    kind: Kind,
    name: str,
    source: str,
    target: str,
    effect: Array,
    value: Array,
    span: tuple[float, float] | None = None,
    in_loop: bool = False,
) -> Row:
    with np.errstate(all="ignore"):
        share = effect / np.abs(value)
    return Row(
        kind, name, source, target,
        tuple(float(x) for x in effect), tuple(float(x) for x in share), span=span,
        in_loop=in_loop,
    )  # fmt: skip


def _found(
    study: Study, every: Sequence[Link], flows: Sequence[str], kinds: Sequence[Kind]
) -> list[tuple[Kind, str, str, str, tuple[float, float] | None]]:
    """Kind, input, source, target and span of the dials that are there."""
    found: list[tuple[Kind, str, str, str, tuple[float, float] | None]] = []
    if "link" in kinds:
        found += [
            ("link", link_input(one.source, one.target), one.source, one.target, None)
            for one in every
        ]
    found += [("flow", scale_input(name), "", name, None) for name in flows]
    if "table" in kinds:
        for table in study.plan.system.lookups:
            ends = [-np.inf, *table.xs, np.inf]
            found += [
                ("table", bin_input(table.name, n), "", table.name, (ends[n], ends[n + 1]))
                for n in range(len(table.xs) + 1)
            ]
    return found


# Confirmation -----------------------------------------------------------------------------------


def _confirmed(whole: Study, rows: list[Row], top: int) -> list[Row]:
    """The rows with what runs say: every link cut, the strongest of each kind turned both ways."""
    from dataclasses import replace

    present = [n for n, row in enumerate(rows) if row.kind != "absent"]
    cut = [n for n in present if rows[n].kind == "link"]
    strongest: list[int] = []
    for kind in ("link", "flow", "table"):
        own = [n for n in present if rows[n].kind == kind]
        strongest += sorted(own, key=lambda n: -abs(rows[n].effect[-1]))[:top]
    wanted = sorted({*cut, *strongest})
    if not wanted:
        return rows
    names = [rows[n].name for n in wanted]
    column = {n: k for k, n in enumerate(wanted)}
    settings = [(n, -1.0) for n in cut]
    settings += [(n, turn) for n in strongest for turn in (TURN, -TURN)]
    grid = np.zeros((len(settings), len(names)))
    for m, (n, turn) in enumerate(settings):
        grid[m, column[n]] = turn
    outcomes = whole.run(names, grid).outcomes - whole.value
    done = list(rows)
    for m, n in enumerate(cut):
        done[n] = replace(done[n], cut=tuple(float(x) for x in outcomes[m]))
    for m, n in enumerate(strongest):
        up, down = outcomes[len(cut) + 2 * m], outcomes[len(cut) + 2 * m + 1]
        done[n] = replace(done[n], turned=tuple(float(x) for x in up), confirmed=agrees(
            np.asarray(done[n].effect), up, down
        ))  # fmt: skip
    return done


def agrees(effect: Array, up: Array, down: Array) -> bool:
    """Whether runs at ±``TURN`` agree with a derivative to a tenth of it at every horizon."""
    with np.errstate(all="ignore"):
        slope = (up - down) / (2.0 * TURN)
        size = np.maximum(np.abs(effect), 1e-12)
        return bool((np.abs(slope - effect) <= 0.1 * size).all())


# Absent links -----------------------------------------------------------------------------------


def _absent(
    study: Study, scaled: dict[str, Array], count: int, value: Array
) -> tuple[list[Row], list[Array]]:
    """The most useful links that are not there: screened by the adjoints of the flows, then each
    computed exactly in a system that has them, and run."""
    delay = residence_time(study)
    moved = _moved_by_stocks(study)
    seen = [name for name in moved if _varies(study.column(name))]
    smoothed = {name: smooth(study.column(name), delay / study.grid.save) for name in seen}
    scales = {
        name: (float(s.mean()), float(s.std()), delay, float(s[0]))
        for name, s in smoothed.items()
        if np.isfinite(s).all() and s.std() > 0
    }
    existing = {(one.source, one.target) for one in links(study.model)}
    pairs: list[tuple[float, str, str]] = []
    standard = {
        name: _middles((smoothed[name] - mean) / sd) for name, (mean, sd, *_) in scales.items()
    }
    for target, profile in scaled.items():
        moving = profile[-1, 1:]
        for source, z in standard.items():
            if (source, target) not in existing and source != target:
                pairs.append((float(moving @ z), source, target))
    pairs = [pair for pair in pairs if np.isfinite(pair[0])]
    pairs.sort(key=lambda pair: (-abs(pair[0]), pair[1], pair[2]))
    chosen = [(source, target) for _, source, target in pairs[:count]]
    if not chosen:
        return [], []
    whole = study.seeing(chosen, scales)
    names = [see_input(*pair) for pair in chosen]
    gradient = whole.gradient(names)
    turns = np.concatenate([np.eye(len(names)), -np.eye(len(names))]) * TURN
    outcomes = whole.run(names, turns).outcomes - whole.value
    rows, profiles = [], []
    for n, (source, target) in enumerate(chosen):
        row = _row("absent", names[n], source, target, gradient.values[:, n], value)
        up, down = outcomes[n], outcomes[len(names) + n]
        rows.append(
            Row(
                row.kind,
                row.name,
                source,
                target,
                row.effect,
                row.share,
                turned=tuple(float(x) for x in up),
                confirmed=agrees(gradient.values[:, n], up, down),
            )
        )
        profiles.append(gradient.profile[:, :, n])
    return rows, profiles


def _moved_by_stocks(study: Study) -> list[str]:
    """Variables that tell something about the state: stocks, and what follows from them. Data and
    what only time decides need no eyes."""
    acts = graph(study.model)
    found = dict.fromkeys(n for n, v in study.model.variables.items() if isinstance(v, Stock))
    pending = list(found)
    while pending:
        new = [n for n in acts.get(pending.pop(), ()) if n not in found]
        found |= dict.fromkeys(new)
        pending += new
    return [name for name in study.model.variables if name in found]


def _varies(column: Array) -> bool:
    return bool(np.isfinite(column).all() and np.ptp(column) > 1e-12 * np.abs(column).max())


def _middles(series: Array) -> Array:
    """The means between neighbouring saves."""
    middles: Array = 0.5 * (series[1:] + series[:-1])
    return middles


def smooth(series: Array, saves: float) -> Array:
    """A first-order exponential average with a time constant in saves, from the first value on."""
    found = np.empty_like(series)
    found[0] = series[0]
    keep = float(np.exp(-1.0 / saves)) if saves > 0 else 0.0
    for n in range(1, len(series)):
        found[n] = keep * found[n - 1] + (1.0 - keep) * series[n]
    return found


def residence_time(study: Study) -> float:
    """The median over stocks of how long what is in them stays: mean content over mean outflow."""
    times = []
    for name, stock in study.model.variables.items():
        if not isinstance(stock, Stock) or not stock.loses:
            continue
        outflow = sum(np.abs(study.column(flow)).mean() for flow in stock.loses)
        content = np.abs(study.column(name)).mean()
        if outflow > 0 and np.isfinite(content / outflow):
            times.append(float(content / outflow))
    span = float(study.times[-1] - study.times[0])
    found = float(np.median(times)) if times else span / 10
    return min(max(found, study.grid.save), span)
