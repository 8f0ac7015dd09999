"""The result of ``loops_that_matter``: the loops that move a model, when and how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.loops.composite import strongest
from flywheel.analysis.loops.dominance import Period, Simplified, link_variance, periods, simplify
from flywheel.analysis.stamp import Stamp
from flywheel.errors import UsageError, unknown_name
from flywheel.expr import key

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class LoopThatMatters:
    """A loop and how much of the change it carries.

    ``path`` are the variables of the model along it, ``nodes`` the same with the hidden outputs of
    delays. ``share`` is the mean size of its share over the times at which it acts, ``peak`` the
    largest, at time ``peak_time``; ``rivals`` counts the loops of its partition, itself included (1:
    its share is always 1 and says nothing). ``polarity`` is R, B, Ru, Bu or U.
    """

    name: str
    label: str
    path: tuple[str, ...]
    nodes: tuple[str, ...]
    polarity: str
    share: float
    peak: float
    peak_time: float
    partition: int
    rivals: int
    korean: str = ""
    """The label in Korean."""

    def called(self, language: str = "en") -> str:
        """What the model calls the loop in a language, empty where it does not declare it."""
        return (self.korean or self.label) if language == "ko" else self.label


@dataclass(frozen=True, eq=False)
class LoopsThatMatter:
    """Which feedback loops move a model in one run, over time.

    ``shares`` (L, T): the part of the change of its partition that each loop carries at each time,
    negative where the loop balances; sizes of all loops add up to 1, or to 0 where nothing changes
    (discrete scores have nothing at the first time). ``scores`` are the loops' own, ``weight`` (T,)
    how much the system changes at all (mean over stocks of |rate| / range). ``main`` is the partition
    with the most loops, of which ``periods`` speak; ``periods_of`` speaks of the others.

    ``found`` loops were compared, by ``search`` (``exact``, ``active`` or ``sampled``); ``complete``
    says whether that was all. ``idle`` are loops of the structure that never act all at one time, the
    shortest hundred of ``idle_count`` (known for an exact search only). ``failure`` says why the run
    ended early, if it did.

    Shares are dimensionless and describe behaviour; they are no leverage. In a mode that grows by
    lambda a loop of n stocks scores its gains over lambda^n: slow change favours long loops.
    """

    stamp: Stamp
    times: Array
    loops: tuple[LoopThatMatters, ...]
    shares: Array
    scores: Array
    weight: Array
    main: int
    found: int
    search: str
    complete: bool
    idle: tuple[tuple[str, ...], ...]
    idle_count: int
    links: tuple[tuple[str, str], ...]
    link_scores: Array
    failure: str = ""

    def __getitem__(self, name: str) -> Array:
        """A loop's share over time, shape (T,). Raises UnknownNameError."""
        for row, loop in enumerate(self.loops):
            if key(loop.name) == key(name):
                return np.asarray(self.shares[row])
        names = [loop.name for loop in self.loops]
        raise unknown_name(name, "loop", names, f"the analysis of {self.stamp.model}")

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas table: a row per time, a column per loop, shares as parts of 1."""
        import pandas as pd

        names = [loop.name for loop in self.loops]
        return pd.DataFrame(self.shares.T, index=pd.Index(self.times, name="time"), columns=names)

    @property
    def table(self) -> pd.DataFrame:
        """A pandas table: a row per loop with its path, polarity, mean and largest share."""
        import pandas as pd

        columns = ("label", "polarity", "share", "peak", "peak_time", "partition", "rivals")
        rows = [
            {"path": " -> ".join(loop.path)} | {name: getattr(loop, name) for name in columns}
            for loop in self.loops
        ]
        index = pd.Index([loop.name for loop in self.loops], name="loop")
        return pd.DataFrame(rows, index=index, columns=["path", *columns])

    @property
    def periods(self) -> tuple[Period, ...]:
        """The stretches of time with the same dominant loops, of the largest partition."""
        return self.periods_of(self.main)

    def periods_of(self, partition: int) -> tuple[Period, ...]:
        """The stretches of time with the same dominant loops, of one partition."""
        rows = [n for n, loop in enumerate(self.loops) if loop.partition == partition]
        names = [self.loops[n].name for n in rows]
        return periods(self.times, self.shares[rows], names, partition)

    def weighted(self) -> dict[str, float]:
        """Of each loop the mean size of its share, times counted as much as the system changes then."""
        total = float(self.weight.sum())
        means = np.abs(self.shares) @ self.weight / total if total else np.zeros(len(self.loops))
        return {loop.name: float(m) for loop, m in zip(self.loops, means, strict=True)}

    def link_score(self, source: str, target: str) -> Array:
        """The score of a link over time, delays between the two included; shape (T,).

        Raises UnknownNameError, UsageError where the one does not act on the other.
        """
        return self._product((self._name(source), self._name(target)))

    def path_score(self, path: Sequence[str]) -> Array:
        """The product of the scores of the links along ``path``, in this order; shape (T,).

        Raises UnknownNameError, UsageError for a step that is no link.
        """
        if len(path) < 2:
            raise UsageError("a path needs two variables at least")
        return self._product(tuple(self._name(name) for name in path))

    def loop_score(self, path: Sequence[str]) -> Array:
        """The score of the loop along ``path`` (the first name may be repeated); shape (T,).

        For loops that a search did not bring, too. Raises as ``path_score`` does.
        """
        names = [self._name(name) for name in path]
        if len(names) < 2 or names[0] != names[-1]:
            names.append(names[0])
        return self.path_score(names)

    def simplified(self, links_above: float = 0.2, loops_above: float = 0.01) -> Simplified:
        """A smaller diagram of the largest partition: where inputs take turns, and the loops that
        matter most, by their mean share over the times at which anything changes."""
        rows = [n for n, loop in enumerate(self.loops) if loop.partition == self.main]
        sizes = np.abs(self.shares[rows])
        moving = max(int((sizes.sum(axis=0) > 0).sum()), 1)
        moves = link_variance(self.links, self.link_scores)
        visible = {
            link: float(size)
            for link, size in zip(self.links, moves, strict=True)
            if "@" not in link[1]
        }
        means = [float(x) for x in sizes.sum(axis=1) / moving]
        return simplify(
            [self.loops[n].path for n in rows], means, visible, links_above, loops_above
        )

    def _name(self, name: str) -> str:
        known = {key(n): n for link in self.links for n in link if "@" not in n}
        if key(name) not in known:
            raise unknown_name(name, "variable", known.values(), f"model {self.stamp.model}")
        return known[key(name)]

    def _product(self, names: tuple[str, ...]) -> Array:
        total = np.ones(len(self.times))
        place = {link: n for n, link in enumerate(self.links)}
        for source, target in pairwise(names):
            ways = [
                self.link_scores[[place[link] for link in way]].prod(axis=0)
                for way in _hidden_ways(self.links, source, target)
            ]
            if not ways:
                raise UsageError(f"{target} does not depend directly on {source}")
            total = total * strongest(ways)
        return total

    def explain(self, language: str = "en") -> str:
        """Two or three plain sentences, English or Korean."""
        from flywheel.analysis.loops.matter_words import explain

        return explain(self, language)

    def __repr__(self) -> str:
        state = "" if self.complete else ", search not complete"
        return f"<loops that matter: {len(self.loops)} of {self.found}{state}; {self.stamp}>"


def _hidden_ways(
    links: Sequence[tuple[str, str]], source: str, target: str
) -> Iterator[tuple[tuple[str, str], ...]]:
    """The ways from one variable to another over nothing but hidden nodes."""
    after: dict[str, list[str]] = {}
    for a, b in links:
        after.setdefault(a, []).append(b)
    work: list[tuple[str, ...]] = [(source,)]
    while work:
        path = work.pop()
        for following in after.get(path[-1], ()):
            if following == target:
                yield tuple(zip(path, (*path[1:], target), strict=True))
            elif "@" in following and following not in path:
                work.append((*path, following))
