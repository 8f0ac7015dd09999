"""What it is worth to know better before deciding, in the unit of the outcome.

Samples of the unknown by rows, policies by columns. Perfect information about everything is worth
EVPI = mean max_d B − max_d mean B. About one number φ it is worth EVPPI, the same with B_d replaced
by its regression on φ (Strong, Oakley and Brennan 2014); about data still to be collected it is worth
EVSI, the same with the regression on the data's summaries. What moves an outcome most need not be
worth knowing: where no decision would change, the worth is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.analysis.decide.bases import power, smooth
from flywheel.analysis.decide.words import (
    Array,
    frozen,
    is_korean,
    named,
    say,
    subject,
    table,
)
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.stamp import Stamp

ENOUGH = 5000
"""Samples below which the worth of knowing one number is a rough guess (Strong and others)."""
_SHUFFLES = 20
_ALONE = 250_000  # multiplications that OpenBLAS does in one thread: 4 * 2^16
_Z = 1.959963984540054


@dataclass(frozen=True)
class Worth:
    """What knowing something is worth, in the unit of the outcome.

    ``value`` is ``raw − bias``, not below 0 and not above EVPI. ``low`` and ``high`` span 95 % for
    the chance of the sample (normal); the choice of the regression is not in them.
    """

    value: float
    low: float
    high: float
    raw: float
    """The regression's estimate. Fitted noise lets it come out too high."""
    bias: float
    """By how much, estimated by shuffling; where φ explains nothing, what a shuffled φ gives."""
    binned: float
    """A cross-check without regression: means within N^(1/3) bins of φ; NaN for several φ."""
    samples: int
    left_out: int
    """Samples in which some policy, or φ, has no value."""


def evpi(benefits: ArrayLike) -> Worth:
    """What perfect information is worth; ``benefits`` (N, D) of D policies, NaN where a run failed.

    Raises UsageError for a table without two policies or without a whole sample.
    """
    gains, _, gone = _whole(benefits, None)
    first = int(gains.mean(axis=0).argmax())
    edge = gains.max(axis=1) - gains[:, first]
    value = float(edge.mean())
    spread = _Z * float(edge.std(ddof=1)) / float(np.sqrt(edge.size))
    low = max(value - spread, 0.0)
    return Worth(value, low, value + spread, value, 0.0, value, edge.size, gone)


def evppi(
    benefits: ArrayLike,
    known: ArrayLike,
    *,
    basis: str = "spline",
    degree: int = 6,
    seed: int = 0,
) -> Worth:
    """What knowing φ is worth; ``benefits`` (N, D), ``known`` (N,) or (N, g) for g numbers at once.

    ``basis`` "spline" (natural cubic, 7 knots at quantiles) or "polynomial" of ``degree`` for one φ;
    several φ together take a polynomial of degree 3 (2 above eight of them).

    Raises UsageError for ill-shaped tables or a basis that there is not.
    """
    gains, phi, gone = _whole(benefits, known)
    if basis not in ("spline", "polynomial"):
        raise UsageError(f"basis must be 'spline' or 'polynomial', not {basis!r}.")
    powers = basis == "polynomial" and phi.shape[1] == 1
    design = power(phi[:, 0], degree) if powers else smooth(phi)
    return _evppi(gains, phi, _directions(design), gone, _shuffles(len(gains), seed))


def _directions(design: Array) -> Array:
    """Orthonormal columns that span a design (N, coefficients): to fit is to project on them."""
    samples, terms = design.shape
    if samples <= 2 * terms:
        raise UsageError(f"{samples} whole samples are too few to fit {terms} coefficients.")
    q: Array = np.linalg.qr(design)[0]
    return q


def _shuffles(count: int, seed: int) -> tuple[NDArray[np.intp], ...]:
    random = np.random.default_rng(seed)
    return tuple(random.permutation(count) for _ in range(_SHUFFLES))


def _evppi(
    gains: Array, phi: Array, q: Array, gone: int, shuffles: Sequence[NDArray[np.intp]]
) -> Worth:
    """``evppi`` of whole samples whose φ spans the directions q."""
    first = int(gains.mean(axis=0).argmax())
    # Only differences between policies decide; what moves all of them alike would drown the rest.
    gap = gains - gains[:, [first]]
    fitted = q @ (q.T @ gap)
    chosen = fitted.argmax(axis=1)
    raw = _worth(fitted)
    bias = _bias(q, gap, fitted, shuffles)
    edge = gains[np.arange(len(gains)), chosen] - gains[:, first]
    spread = _Z * float(edge.std(ddof=1)) / float(np.sqrt(edge.size))
    most = _worth(gap)

    def within(value: float) -> float:
        return min(max(value, 0.0), most)

    value = within(raw - bias)
    return Worth(
        value=value,
        low=within(value - spread),
        high=within(value + spread),
        raw=raw,
        bias=bias,
        binned=_binned(gains, phi[:, 0]) if phi.shape[1] == 1 else float("nan"),
        samples=len(gains),
        left_out=gone,
    )


def evsi(
    benefits: ArrayLike,
    known: ArrayLike,
    study: Callable[[Array, np.random.Generator], ArrayLike],
    *,
    seed: int = 0,
) -> Worth:
    """What a study is worth before its result is known; arguments as in ``evppi``.

    ``study(φ (N, g), generator)`` returns for each sample the summaries (N,) or (N, s) that the study
    would report if that sample were the truth, with its noise; ``survey`` makes the usual one.

    Raises UsageError for ill-shaped tables.
    """
    phi = table(known, "What the study looks at")
    return evppi(benefits, study(phi, np.random.default_rng(seed)), seed=seed)


def survey(count: int, sd: float) -> Callable[[Array, np.random.Generator], Array]:
    """A study that takes the mean of ``count`` measurements of each φ, each with error ``sd``.

    Raises UsageError for no measurement or a negative error.
    """
    if count < 1 or not sd >= 0:
        raise UsageError("A survey needs at least one measurement and an error of at least 0.")
    return lambda phi, random: phi + sd / np.sqrt(count) * random.standard_normal(phi.shape)


def enbs(worth: float, decisions: float, cost: float) -> float:
    """The net benefit of a study: what it is worth per decision, times the decisions, less its cost."""
    return worth * decisions - cost


def variance_worth(outcome: ArrayLike, known: ArrayLike) -> float:
    """How much the variance of an outcome (N,) would fall on average if φ were known: V·S_φ.

    The form for when there is nothing to decide. By regression, with the part that fits chance taken
    off (adjusted R²); not below 0. Raises UsageError for ill-shaped data.
    """
    gains, phi, _ = _whole(outcome, known, policies=1)
    return float(_explained(gains[:, :1], np.linalg.qr(smooth(phi))[0])[0])


def _explained(gains: Array, q: Array) -> Array:
    """The variance of each column (D,) that the directions q take away, chance taken off."""
    count, terms = q.shape
    y = gains - gains.mean(axis=0)
    rest = ((y - q @ (q.T @ y)) ** 2).sum(axis=0) / max(count - terms, 1)
    total = (y**2).sum(axis=0) / max(count - 1, 1)
    explained: Array = np.maximum(total - rest, 0.0)
    return explained


@dataclass(frozen=True, eq=False)
class Knowing:
    """What each unknown number is worth knowing, beside how much it moves the outcome.

    In the order given: ``each`` worth, ``variance_share`` (K,) the part of the outcome's variance,
    summed over the policies, that knowing it takes away (first-order index), ``total_index`` (K,) its
    total Sobol index where the caller has one. The two orders differ wherever no decision would
    change.
    """

    names: tuple[str, ...]
    everything: Worth
    each: tuple[Worth, ...]
    variance_share: Array
    total_index: Array | None
    policies: tuple[str, ...]
    best: str
    """The policy with the best mean: what one would do without knowing more."""
    stamp: Stamp | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """One row a number, the most worth knowing first."""
        import pandas as pd

        whole = self.everything.value
        columns: dict[str, object] = {
            "evppi": [w.value for w in self.each],
            "low": [w.low for w in self.each],
            "high": [w.high for w in self.each],
            "share_of_evpi": [w.value / whole if whole > 0 else 0.0 for w in self.each],
            "variance_share": self.variance_share,
        }
        if self.total_index is not None:
            columns["total_index"] = self.total_index
        columns["binned"] = [w.binned for w in self.each]
        columns["bias"] = [w.bias for w in self.each]
        found = pd.DataFrame(columns, index=pd.Index(self.names, name="input"))
        return found.sort_values("evppi", ascending=False, kind="stable")

    def explain(self, language: str = "en") -> str:
        """What is worth finding out, what only looks so, and how sure that is."""
        korean = is_korean(language)
        about = subject(self.stamp, language)
        whole = self.everything
        size = f"{whole.samples:,}"
        rough = whole.samples < ENOUGH
        if whole.value <= 0:
            return (
                f"{about}: 표본 {size}개 모두에서 「{self.best}」 선택이 가장 좋습니다. 무엇을 더 "
                "알아도 결정이 바뀌지 않으므로 정보의 가치는 0입니다."
                if korean
                else f"For {about}, {self.best} is best in all {size} samples: nothing that could be "
                "found out would change the decision, so information is worth 0."
            )
        top = max(range(len(self.each)), key=lambda k: self.each[k].value)
        worth = self.each[top]
        share = f"{100 * worth.value / whole.value:.0f}"
        moving = self.total_index if self.total_index is not None else self.variance_share
        mover = int(np.nanargmax(moving))
        span = f"{say(worth.low)}~{say(worth.high)}"
        if korean:
            text = (
                f"{about}: 지금은 「{self.best}」 선택이 평균적으로 가장 좋고, 모든 것을 알면 평균 "
                f"{say(whole.value)}만큼 나아집니다 (95% 구간 {say(whole.low)}~{say(whole.high)}, 표본 "
                f"{size}개). 가장 알아볼 가치가 큰 수는 「{self.names[top]}」입니다: {say(worth.value)} "
                f"({span}), 전체의 {share}%입니다."
            )
            if mover != top:
                text += (
                    f" 결과를 가장 크게 흔드는 수는 「{self.names[mover]}」이지만 알아볼 가치는 "
                    f"{say(self.each[mover].value)}입니다."
                )
            return text + (f" 표본이 {ENOUGH:,}개보다 적어 대략의 값입니다." if rough else "")
        text = (
            f"Judged by {about}, {self.best} is best on average, and knowing everything would gain "
            f"{say(whole.value)} on average (95 % interval {say(whole.low)} to {say(whole.high)}, "
            f"{size} samples). Most worth knowing is {self.names[top]}: {say(worth.value)} "
            f"({say(worth.low)} to {say(worth.high)}), {share} % of that."
        )
        if mover != top:
            text += (
                f" {self.names[mover]} moves the outcome most, but knowing it is worth "
                f"{say(self.each[mover].value)}."
            )
        return text + (f" Fewer than {ENOUGH:,} samples: a rough guess." if rough else "")

    def __repr__(self) -> str:
        return (
            f"<worth of knowing {len(self.names)} numbers: all of them {self.everything.value:.4g}>"
        )


def knowing(
    benefits: ArrayLike,
    inputs: ArrayLike,
    names: Iterable[str] | None = None,
    policies: Iterable[str] | None = None,
    *,
    total_index: ArrayLike | None = None,
    seed: int = 0,
    stamp: Stamp | None = None,
) -> Knowing:
    """The worth of knowing each of K inputs (N, K) better, for D policies with ``benefits`` (N, D).

    ``total_index`` (K,): total Sobol indices to stand beside. At least 5000 samples are advised.

    Raises UsageError for ill-shaped tables or wrong names.
    """
    gains, x, gone = _whole(benefits, inputs)
    columns = named(names, x.shape[1], "input")
    choices = named(policies, gains.shape[1], "policy")
    total = None if total_index is None else np.asarray(total_index, dtype=float)
    if total is not None and total.shape != (len(columns),):
        raise UsageError(f"There are {len(columns)} inputs but total indices {total.shape}.")
    first = int(gains.mean(axis=0).argmax())
    spread = float(gains.var(axis=0, ddof=1).sum())
    shuffles = _shuffles(len(gains), seed)
    shares, each = [], []
    for phi in np.split(x, x.shape[1], axis=1):
        q = _directions(smooth(phi))
        shares.append(float(_explained(gains, q).sum()) / spread if spread > 0 else 0.0)
        each.append(_evppi(gains, phi, q, 0, shuffles))
    return Knowing(
        names=columns,
        everything=replace(evpi(gains), left_out=gone),
        each=tuple(each),
        variance_share=frozen(shares),
        total_index=None if total is None else frozen(total),
        policies=choices,
        best=choices[first],
        stamp=stamp,
    )


def _whole(
    benefits: ArrayLike, known: ArrayLike | None, policies: int = 2
) -> tuple[Array, Array, int]:
    """Benefits and φ of the samples in which everything has a value, and how many have not."""
    gains = table(benefits, "The benefits")
    if gains.shape[1] < policies:
        raise UsageError(
            "Information is worth something only where there are two policies or more."
        )
    phi = gains[:, :0] if known is None else table(known, "What may be known")
    if phi.shape[0] != gains.shape[0]:
        raise UsageError(f"There are {gains.shape[0]} samples of benefits but {phi.shape[0]} of φ.")
    good: NDArray[np.bool_] = np.asarray(
        np.isfinite(gains).all(axis=1) & np.isfinite(phi).all(axis=1)
    )
    if good.sum() < 2:
        raise UsageError("There are not two samples in which every policy has a value.")
    return gains[good], phi[good], int((~good).sum())


def _worth(values: Array) -> float:
    """mean max_d − max_d mean of (N, D)."""
    return float(_largest(values).mean() - values.mean(axis=0).max())


def _blocks(count: int, each: int) -> list[slice]:
    """Rows in pieces so small that a product of them is not shared out to threads.

    For so little work that is no gain, and on a busy machine the threads wait for each other a
    hundred times longer than they compute.
    """
    size = max(_ALONE // each, 1)
    return [slice(first, first + size) for first in range(0, count, size)]


def _largest(values: Array) -> Array:
    """The largest along the last axis: a few policies, for which this is faster than ``max``."""
    found = values[..., 0].copy()
    for policy in range(1, values.shape[-1]):
        np.maximum(found, values[..., policy], out=found)
    return found


def _bias(q: Array, gap: Array, fitted: Array, shuffles: Sequence[NDArray[np.intp]]) -> float:
    """How much fitted noise adds to the worth: refit after the residuals are shuffled.

    The signal that the shuffled residuals are laid on is the fit, shrunk by the part of it that noise
    alone would give (James and Stein). So where φ explains nothing this is the usual test with φ
    shuffled, and where φ explains a lot, it does not take off what strong signals never add.
    """
    count, terms = q.shape
    centre = fitted.mean(axis=0)
    residual = (gap - fitted) * np.sqrt(count / (count - terms))
    explained = ((fitted - centre) ** 2).sum(axis=0)
    by_chance = (terms - 1) * (residual**2).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.nan_to_num(np.clip(1 - by_chance / explained, 0.0, 1.0))
    signal = centre + kept * (fitted - centre)
    # The signal is made of the directions, so that a fit leaves it as it is: only the noise is fitted.
    blocks = _blocks(count, terms * gap.shape[1])
    again = []
    for shuffle in shuffles:
        noise = residual[shuffle]
        coefficients = np.sum([q[rows].T @ noise[rows] for rows in blocks], axis=0)
        found = np.concatenate([signal[rows] + q[rows] @ coefficients for rows in blocks])
        again.append(_worth(found))
    return max(float(np.mean(again)) - _worth(signal), 0.0)


def _binned(gains: Array, phi: Array) -> float:
    """EVPPI from means within bins of equal count, N^(1/3) of them."""
    bins = np.array_split(np.argsort(phi, kind="stable"), max(2, round(len(phi) ** (1 / 3))))
    inside = [len(rows) * float(gains[rows].mean(axis=0).max()) for rows in bins]
    return float(sum(inside)) / len(phi) - float(gains.mean(axis=0).max())
