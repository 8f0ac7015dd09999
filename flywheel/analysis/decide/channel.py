"""How good the information is that a decision rule acts on, and what makes it better.

A channel shows a rule a state x as m = x(t_k − delay) + bias + sd·ε_k, rounded to a quantum, measured
every interval and held in between. Each defect has its own closed form for the simplest rule that
corrects a state at a gain; they stand here beside any gain that better data are said to bring.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.analysis.decide.words import Array, frozen, is_korean, say
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 100
"""Intervals in one delay above which sampling is as good as continuous."""


# What a rule sees -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Channel:
    """The defects of a measurement; all 0 is a perfect one.

    ``delay`` and ``interval`` in units of time, the others in the unit of what is measured.
    """

    delay: float = 0.0
    interval: float = 0.0
    bias: float = 0.0
    sd: float = 0.0
    quantum: float = 0.0

    def __post_init__(self) -> None:
        for name in ("delay", "interval", "sd", "quantum"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"The {name} of a channel must be at least 0.")

    @property
    def age(self) -> float:
        """How old the message is on average: the delay and half an interval."""
        return self.delay + self.interval / 2

    def message(
        self, times: ArrayLike, values: ArrayLike, random: np.random.Generator | None = None
    ) -> Array:
        """What the rule sees at the times (T,) of a state (T,); before the start, its first value.

        ``random`` draws one error for each measurement; without it there is none. Raises UsageError
        for rows of different length.
        """
        t = np.asarray(times, dtype=float)
        x = np.asarray(values, dtype=float)
        if t.ndim != 1 or not t.size or t.shape != x.shape:
            raise UsageError("Times and values must be rows of equal length.")
        if self.interval:
            # A time that rounding puts a hair before its sample belongs to the sample.
            sample = np.floor((t - t[0]) / self.interval + 1e-9)
        else:
            sample = np.arange(t.size, dtype=float)
        taken = t[0] + sample * self.interval if self.interval else t
        seen = np.interp(taken - self.delay, t, x)
        if self.quantum:
            seen = self.quantum * np.round(seen / self.quantum)
        if random is not None and self.sd:
            errors = random.standard_normal(int(sample[-1]) + 1)
            seen = seen + self.sd * errors[sample.astype(np.intp)]
        message: Array = seen + self.bias
        return message


@dataclass(frozen=True)
class QualityWorth:
    """What a better channel is worth: the mean difference of an outcome, with its 95 % interval."""

    value: float
    low: float
    high: float
    replications: int
    left_out: int
    """Replications in which one of the two runs failed."""


def quality_worth(
    outcome: Callable[[Channel, NDArray[np.int64]], ArrayLike],
    before: Channel,
    after: Channel,
    *,
    replications: int = 200,
    seed: int = 0,
) -> QualityWorth:
    """E[J | after] − E[J | before] with common random numbers.

    ``outcome(channel, seeds (R,))`` returns the outcome (R,) of one run for each seed, NaN where it
    failed; the same seed must mean the same luck under both channels, or the interval is wide.

    Raises UsageError for fewer than two replications, or an outcome of another shape.
    """
    if replications < 2:
        raise UsageError("There must be at least two replications.")
    seeds = np.arange(seed, seed + replications, dtype=np.int64)
    gap = np.asarray(outcome(after, seeds), dtype=float) - np.asarray(
        outcome(before, seeds), dtype=float
    )
    if gap.shape != seeds.shape:
        raise UsageError(f"There must be an outcome for each of the {replications} seeds.")
    good = gap[np.isfinite(gap)]
    if good.size < 2:
        return QualityWorth(math.nan, math.nan, math.nan, replications, replications - good.size)
    value = float(good.mean())
    half = 1.96 * float(good.std(ddof=1)) / math.sqrt(good.size)
    return QualityWorth(value, value - half, value + half, replications, replications - good.size)


# Noise ------------------------------------------------------------------------------------------


def rule_variance(gain: float, noise_sd: float, disturbance_sd: float) -> float:
    """The steady variance of x⁺ = x − a(x + n) + w: (a²σ_n² + σ_w²)/(1 − (1−a)²).

    Infinite where the rule does not hold the state (a ≤ 0 or a ≥ 2). A strong reaction amplifies the
    noise, a weak one lets the disturbances pile up. Raises UsageError for a spread below 0.
    """
    _check_spreads(noise_sd, disturbance_sd)
    if not 0 < gain < 2:
        return math.inf
    return (gain**2 * noise_sd**2 + disturbance_sd**2) / (1 - (1 - gain) ** 2)


@overload
def kalman_variance(noise_sd: float, disturbance_sd: float) -> float: ...
@overload
def kalman_variance(noise_sd: Array, disturbance_sd: float) -> Array: ...
def kalman_variance(noise_sd: float | Array, disturbance_sd: float) -> float | Array:
    """The same with the best use of the noisy message: (σ_w² + √(σ_w⁴ + 4σ_w²σ_n²))/2.

    The least variance that any reaction to this noise can leave; with perfect data σ_w² is left, the
    disturbance of the last step. Raises UsageError for a spread below 0.
    """
    _check_spreads(noise_sd, disturbance_sd)
    shock = disturbance_sd**2
    if isinstance(noise_sd, np.ndarray):
        many: Array = (shock + np.sqrt(shock**2 + 4 * shock * noise_sd**2)) / 2
        return many
    return (shock + math.sqrt(shock**2 + 4 * shock * noise_sd**2)) / 2


def best_gain(noise_sd: float, disturbance_sd: float) -> float:
    """The gain at which ``rule_variance`` is least, P/(P + σ_n²); 1 without noise."""
    p = kalman_variance(noise_sd, disturbance_sd)
    return p / (p + noise_sd**2) if p + noise_sd**2 > 0 else 1.0


def simulate_rule(
    gain: float,
    noise_sd: float,
    disturbance_sd: float,
    *,
    steps: int = 2000,
    members: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    """The variance of x⁺ = x − a(x + n) + w by running it, and its standard error over members.

    The first tenth of the steps is left out, while the start wears off.
    """
    random = np.random.default_rng(seed)
    x = np.zeros(members)
    total = np.zeros(members)
    first = steps // 10
    for step in range(steps):
        noise, shock = random.standard_normal((2, members))
        x = x - gain * (x + noise_sd * noise) + disturbance_sd * shock
        if step >= first:
            total += x**2
    # The mean of x is 0 by construction, so its square is not taken off.
    each = total / max(steps - first, 1)
    return float(each.mean()), float(each.std(ddof=1)) / math.sqrt(members)


@dataclass(frozen=True, eq=False)
class NoiseLadder:
    """What halving a measurement's error brings, again and again, if the rule makes the best of it."""

    noise_sd: Array
    """From the error now, halved at each step; the last is 0."""
    variance: Array
    """What is left of the state's variance (``kalman_variance``)."""
    gain: Array
    """The best gain at each step."""
    disturbance_sd: float

    @property
    def frame(self) -> pd.DataFrame:
        """One row an error."""
        import pandas as pd

        saved = np.append(0.0, -np.diff(self.variance))
        return pd.DataFrame(
            {
                "noise_sd": self.noise_sd,
                "variance": self.variance,
                "saved": saved,
                "best_gain": self.gain,
            }
        )

    def explain(self, language: str = "en") -> str:
        """What the first halving saves, what the next one does, and what no data can remove."""
        korean = is_korean(language)
        saved = -np.diff(self.variance)
        first, second = say(saved[0]), say(saved[1])
        left = say(self.variance[-1])
        if korean:
            return (
                f"측정 오차(표준편차 {say(self.noise_sd[0])})를 처음 반으로 줄이면 분산이 {first}, "
                f"다시 반으로 줄이면 {second} 줄어듭니다. 완벽한 자료로도 {left}의 분산은 남습니다."
            )
        return (
            f"Halving the measurement error (standard deviation {say(self.noise_sd[0])}) first takes "
            f"{first} off the variance, the next halving {second}. Perfect data would still leave "
            f"{left}."
        )

    def __repr__(self) -> str:
        return f"<variance {self.variance[0]:.4g} -> {self.variance[-1]:.4g} as noise goes to 0>"


def noise_ladder(noise_sd: float, disturbance_sd: float, halvings: int = 3) -> NoiseLadder:
    """The ladder from the error now, through so many halvings, to none.

    Raises UsageError for a spread below 0 or less than one halving.
    """
    if halvings < 1:
        raise UsageError("There must be at least one halving.")
    errors = np.append(noise_sd * 0.5 ** np.arange(halvings + 1), 0.0)
    return NoiseLadder(
        noise_sd=frozen(errors),
        variance=frozen(kalman_variance(errors, disturbance_sd)),
        gain=frozen([best_gain(float(sd), disturbance_sd) for sd in errors]),
        disturbance_sd=disturbance_sd,
    )


def _check_spreads(noise_sd: float | Array, disturbance_sd: float) -> None:
    if not (np.min(noise_sd) >= 0 and disturbance_sd >= 0):
        raise UsageError("A standard deviation must be at least 0.")


# Delay and sampling -----------------------------------------------------------------------------


@dataclass(frozen=True)
class GuardRails:
    """Whether a rule that corrects a state at ``gain`` per unit of time can stand a channel's age.

    For dx/dt = −k·m. ``rate`` is the slowest rate at which a disturbance dies out, per unit of time
    (negative) or grows (positive); exact for delay, sampling, and both together.
    """

    gain: float
    delay: float
    interval: float
    rate: float
    overshoots: bool
    """Whether the state swings past its goal."""

    @property
    def stable(self) -> bool:
        """Whether disturbances die out."""
        return self.rate < 0

    @property
    def delay_product(self) -> float:
        """kτ: a delay alone is stood below π/2, without overshoot up to 1/e."""
        return self.gain * self.delay

    @property
    def sample_product(self) -> float:
        """kT: sample and hold alone is stood below 2, without overshoot up to 1."""
        return self.gain * self.interval

    @property
    def age(self) -> float:
        """The mean age of what the rule sees."""
        return self.delay + self.interval / 2

    def explain(self, language: str = "en") -> str:
        """Stable or not, with the two products beside their limits."""
        korean = is_korean(language)
        products = (
            f"gain × delay = {say(self.delay_product)} (limit π/2 = 1.57, smooth up to 1/e = 0.368), "
            f"gain × interval = {say(self.sample_product)} (limit 2, smooth up to 1)"
        )
        if korean:
            verdict = (
                "이 규칙은 교란을 키웁니다"
                if not self.stable
                else "이 규칙은 안정적이지만 목표를 지나쳐 흔들립니다"
                if self.overshoots
                else "이 규칙은 흔들림 없이 안정적입니다"
            )
            return (
                f"{verdict}: 이득 × 지연 = {say(self.delay_product)} (한계 π/2 = 1.57, 1/e = 0.368까지 "
                f"매끄러움), 이득 × 측정 간격 = {say(self.sample_product)} (한계 2, 1까지 매끄러움). "
                f"정보의 평균 나이는 {say(self.age)}입니다."
            )
        verdict = (
            "This rule makes disturbances grow"
            if not self.stable
            else "This rule is stable but swings past its goal"
            if self.overshoots
            else "This rule is stable without swinging"
        )
        return f"{verdict}: {products}. What it acts on is {say(self.age)} old on average."


def guard_rails(gain: float, delay: float = 0.0, interval: float = 0.0) -> GuardRails:
    """Stability of dx/dt = −k·x(t_k − τ), measured every ``interval`` and held.

    Continuous: the rightmost root of s + k e^{−sτ} = 0, s = W(−kτ)/τ (Lambert W, principal branch).
    Sampled: x is straight between samples, so with τ = (d + f)·T the state at the samples follows
    x⁺ = x − kT((1−f)x₍d₎ + f x₍d₊₁₎) exactly, and the largest root of its matrix decides.

    Raises UsageError for a gain, delay or interval below 0.
    """
    if not (gain >= 0 and delay >= 0 and interval >= 0):
        raise UsageError("Gain, delay and interval must be at least 0.")
    if interval and delay / interval <= _LONGEST:
        root = _largest_root(gain * interval, delay / interval)
        size = abs(root)
        rate = math.log(size) / interval if size > 0 else -math.inf
        return GuardRails(gain, delay, interval, rate, _swings(root))
    lag = delay + interval / 2
    if lag == 0 or gain == 0:
        return GuardRails(gain, delay, interval, -gain, False)
    from scipy.special import lambertw

    s = complex(lambertw(-gain * lag))
    return GuardRails(gain, delay, interval, s.real / lag, gain * lag > 1 / math.e)


def _largest_root(strength: float, ratio: float) -> complex:
    """The root of largest modulus of the sampled loop; ``strength`` kT, ``ratio`` τ/T."""
    whole = math.floor(ratio + 1e-12)
    part = max(ratio - whole, 0.0)
    order = whole + 2 if part > 1e-12 else whole + 1
    matrix = np.eye(order, k=-1)
    matrix[0, 0] += 1.0
    matrix[0, whole] -= strength * (1 - part)
    if order == whole + 2:
        matrix[0, whole + 1] -= strength * part
    roots = np.linalg.eigvals(matrix)
    return complex(roots[np.argmax(np.abs(roots))])


def _swings(root: complex) -> bool:
    """A positive real root decays without crossing the goal; any other one turns."""
    return root != 0 and abs(cmath.phase(root)) > 1e-6
