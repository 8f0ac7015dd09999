"""Which policy to choose when nobody knows which future comes: regret, and four other rules.

Policies by scenarios in, one small table out. Regret is what a policy loses against the best policy
of the same scenario (Savage 1951); choosing by the scenarios' 90th percentile of regret instead of
their worst is the practice of robust decision making (Lempert and others), because one freak scenario
then no longer decides alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

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

RULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "minimax regret": ("smallest worst regret", "최대 후회 최소"),
        "high regret": (
            "smallest regret in nearly all scenarios",
            "거의 모든 시나리오의 후회 최소",
        ),
        "satisficing": ("meets the target most often", "목표 달성 비율 최대"),
        "maximin": ("best worst outcome", "최악의 결과 최선"),
        "mean": ("best mean", "평균 최선"),
        "cvar": ("best mean of the worst tail", "하위 꼬리 평균 최선"),
    }
)
"""The rules of choice, with what each looks for."""


@dataclass(frozen=True, eq=False)
class Regret:
    """Policies judged over scenarios.

    Arrays over policies (P,), matrices over policies and scenarios (P, S), all read-only and in the
    unit of the outcome. Scenarios in which some policy has no value are left out of every measure: a
    regret against an unknown best is no number. ``failed`` says how often each policy did not
    compute; a policy that fails where others run deserves distrust, not an average.
    """

    policies: tuple[str, ...]
    scenarios: tuple[str, ...]
    """The scenarios judged."""
    outcomes: Array
    regret: Array
    """How much worse than the best policy of the scenario; never negative."""
    worst_regret: Array
    high_regret: Array
    """The smallest regret that at least ``quantile`` of the scenarios do not exceed."""
    worst: Array
    mean: Array
    cvar: Array
    """The mean of the worst ``tail`` of the outcomes."""
    satisficing: Array | None
    """The part of the scenarios in which the target is met; None without a target."""
    failed: tuple[int, ...]
    left_out: tuple[str, ...]
    """The scenarios in which some policy failed."""
    target: float | None
    quantile: float
    tail: float
    better: str
    stamp: Stamp | None = None

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What each rule chooses, the robust choice first; several names where policies tie."""
        sign = 1.0 if self.better == "higher" else -1.0
        scores: dict[str, Array] = {
            "minimax regret": -self.worst_regret,
            "high regret": -self.high_regret,
            "maximin": sign * self.worst,
            "mean": sign * self.mean,
            "cvar": sign * self.cvar,
        }
        if self.satisficing is not None:
            scores["satisficing"] = self.satisficing
        found = {}
        for rule in RULES:
            if rule in scores and self.scenarios:
                score = scores[rule]
                top = np.flatnonzero(score == score.max())
                found[rule] = tuple(self.policies[k] for k in top)
        return found

    @property
    def frame(self) -> pd.DataFrame:
        """One row a policy, one column a measure, and how many rules choose it."""
        import pandas as pd

        columns: dict[str, object] = {
            "worst_regret": self.worst_regret,
            "high_regret": self.high_regret,
            "worst": self.worst,
            "mean": self.mean,
            "cvar": self.cvar,
        }
        if self.satisficing is not None:
            columns["satisficing"] = self.satisficing
        columns["failed"] = self.failed
        chosen = list(self.choices.values())
        columns["chosen_by"] = [sum(p in names for names in chosen) for p in self.policies]
        return pd.DataFrame(columns, index=pd.Index(self.policies, name="policy"))

    def explain(self, language: str = "en") -> str:
        """The robust choice, what it can cost, and whether the other rules agree."""
        korean = is_korean(language)
        about = subject(self.stamp, language)
        count = len(self.scenarios)
        if not count:
            return (
                f"{about}: 모든 정책이 계산된 시나리오가 하나도 없어 비교할 수 없습니다."
                if korean
                else f"No scenario gave {about} for every policy, so nothing can be compared."
            )
        choices = self.choices
        best = choices["minimax regret"][0]
        place = self.policies.index(best)
        loss, high = say(self.worst_regret[place]), say(self.high_regret[place])
        others = sorted({names[0] for names in choices.values() if best not in names})
        part = f"{100 * self.quantile:g}"
        gone = len(self.left_out)
        if korean:
            agree = (
                f"다른 규칙은 {', '.join(f'「{name}」' for name in others)} 선택을 지지합니다."
                if others
                else "다른 규칙도 같은 선택을 합니다."
            )
            lost = f" 실행이 실패한 {gone}개 시나리오는 뺐습니다." if gone else ""
            return (
                f"{about} 기준, 시나리오 {count}개에서 최대 후회가 가장 작은 정책은 「{best}」입니다. "
                f"가장 나쁜 경우 그 시나리오의 최선보다 {loss}만큼 뒤처지고, {part}%의 시나리오에서는 "
                f"{high} 이하로 뒤처집니다. {agree}{lost}"
            )
        agree = (
            f"Other rules prefer {' or '.join(others)}."
            if others
            else "The other rules choose it as well."
        )
        lost = f" {gone} scenarios are left out because a run failed in them." if gone else ""
        return (
            f"Judged by {about} in {count} scenarios, {best} has the smallest worst regret: at worst "
            f"it is {loss} behind the best policy of a scenario, and at most {high} in {part} % of "
            f"them. {agree}{lost}"
        )

    def __repr__(self) -> str:
        best = self.choices.get("minimax regret", ("none",))[0]
        return (
            f"<regret of {len(self.policies)} policies in {len(self.scenarios)} scenarios: "
            f"{best} has the smallest worst regret>"
        )


def regret(
    outcomes: ArrayLike,
    policies: Iterable[str] | None = None,
    scenarios: Iterable[str] | None = None,
    *,
    target: float | None = None,
    quantile: float = 0.9,
    tail: float = 0.1,
    better: str = "higher",
    stamp: Stamp | None = None,
) -> Regret:
    """Judge policies by their outcomes (P, S) over equally likely scenarios; NaN where a run failed.

    ``target`` is what satisficing asks for; ``quantile`` which regret counts as high; ``tail`` which
    part of the worst outcomes CVaR averages; ``better`` "higher" or "lower".

    Raises UsageError for an empty or ill-shaped table, wrong names, or settings out of range.
    """
    values = table(outcomes, "The outcomes")
    if better not in ("higher", "lower"):
        raise UsageError(f"better must be 'higher' or 'lower', not {better!r}.")
    if not 0 <= quantile <= 1:
        raise UsageError(f"quantile must lie between 0 and 1, not {quantile!r}.")
    if not 0 < tail <= 1:
        raise UsageError(f"tail must be a part of the scenarios, above 0 to 1, not {tail!r}.")
    names = named(policies, values.shape[0], "policy")
    worlds = named(scenarios, values.shape[1], "scenario")

    computed = np.isfinite(values)
    whole: NDArray[np.bool_] = np.asarray(computed.all(axis=0))
    kept = values[:, whole]
    gain = kept if better == "higher" else -kept
    losses = gain.max(axis=0) - gain if gain.size else gain
    nothing = np.full(len(names), np.nan)
    high = np.quantile(losses, quantile, axis=1, method="inverted_cdf") if whole.any() else nothing
    some = bool(whole.any())
    sign = 1.0 if better == "higher" else -1.0
    met = None
    if target is not None:
        met = frozen((gain >= sign * target).mean(axis=1) if some else nothing)
    return Regret(
        policies=names,
        scenarios=tuple(w for w, ok in zip(worlds, whole, strict=True) if ok),
        outcomes=frozen(kept),
        regret=frozen(losses),
        worst_regret=frozen(losses.max(axis=1) if some else nothing),
        high_regret=frozen(high if some else nothing),
        worst=frozen(sign * gain.min(axis=1) if some else nothing),
        mean=frozen(kept.mean(axis=1) if some else nothing),
        cvar=frozen(sign * worst_mean(gain, tail) if some else nothing),
        satisficing=met,
        failed=tuple(int(n) for n in (~computed).sum(axis=1)),
        left_out=tuple(w for w, ok in zip(worlds, whole, strict=True) if not ok),
        target=target,
        quantile=quantile,
        tail=tail,
        better=better,
        stamp=stamp,
    )


def worst_mean(values: Array, tail: float) -> Array:
    """The mean of the smallest ``tail`` of each row of (P, S), the last scenario by its part.

    The part matters: with 7 scenarios a tail of 0.1 is 0.7 of the worst one, which is the worst one.
    Rockafellar and Uryasev (2000).
    """
    count = values.shape[1]
    share = np.clip(tail * count - np.arange(count), 0.0, 1.0)
    mean: Array = np.sort(values, axis=1) @ share / share.sum()
    return mean
