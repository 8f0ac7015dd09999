"""What to pay for data: bought once, or a stream of it.

A licence improves parameters once; as the world drifts, its worth wears off. A subscription keeps the
channel good for as long as it is paid. Both are integrals of a worth per unit of time, discounted
continuously.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flywheel.analysis.decide.words import is_korean, say
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DataPrice:
    """Licence against subscription, in money of today over the horizon."""

    licence_worth: float
    """The most to pay for the licence by itself."""
    subscription_worth: float
    """What the stream is worth before its fee."""
    fee_now: float
    """All fees, discounted."""
    break_even_licence: float
    """The licence price at which it leaves as much as the subscription, or as buying nothing where
    that is better; below it the licence is the better buy."""
    break_even_drift: float
    """The drift at which both are worth the same before any price; NaN where no drift ≥ 0 does that."""
    licence_flow: float
    subscription_flow: float
    fee: float
    discount: float
    drift: float
    horizon: float

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each way to buy."""
        import pandas as pd

        return pd.DataFrame(
            {
                "worth": [self.licence_worth, self.subscription_worth],
                "worth_per_time_at_start": [self.licence_flow, self.subscription_flow],
                "price": [math.nan, self.fee_now],
            },
            index=pd.Index(["licence", "subscription"], name="way"),
        )

    def explain(self, language: str = "en") -> str:
        """The price at which one does not care, and why."""
        korean = is_korean(language)
        price = say(self.break_even_licence)
        until = "∞" if math.isinf(self.horizon) else say(self.horizon)
        if korean:
            instead = "구독이" if self.subscription_worth > self.fee_now else "둘 다 사지 않는 것이"
            verdict = (
                f"라이선스가 {price}보다 싸면 라이선스가, 비싸면 {instead} 낫습니다."
                if self.break_even_licence > 0
                else "라이선스가 공짜여도 구독이 낫습니다."
            )
            return (
                f"기간 {until}, 할인율 {100 * self.discount:g}%, 환경 변화율 {100 * self.drift:g}%에서 "
                f"한 번 사는 자료의 가치는 {say(self.licence_worth)}, 구독의 가치는 "
                f"{say(self.subscription_worth)}(요금 {say(self.fee_now)})입니다. {verdict}"
            )
        instead = "subscribe" if self.subscription_worth > self.fee_now else "buy neither"
        verdict = (
            f"Below a licence price of {price} buy once, above it {instead}."
            if self.break_even_licence > 0
            else "Even a free licence is worse than the subscription."
        )
        return (
            f"Over a horizon of {until}, at a discount of {100 * self.discount:g} % and a drift of "
            f"{100 * self.drift:g} % per unit of time, data bought once are worth "
            f"{say(self.licence_worth)} and the stream {say(self.subscription_worth)} for fees of "
            f"{say(self.fee_now)}. {verdict}"
        )


def licence_or_subscription(
    licence_flow: float,
    subscription_flow: float,
    *,
    discount: float,
    drift: float,
    horizon: float = math.inf,
    fee: float = 0.0,
) -> DataPrice:
    """Compare data bought once with a stream of data.

    ``licence_flow`` is what the one-off data are worth per unit of time at first (EVSI per decision
    times decisions), worn off at ``drift``; ``subscription_flow`` what the better channel is worth per
    unit of time (``quality_worth``); ``fee`` the subscription's price per unit of time.

    Raises UsageError for a discount, drift or horizon below 0, and where an endless horizon is not
    discounted.
    """
    if not (discount >= 0 and drift >= 0 and horizon > 0):
        raise UsageError("Discount and drift must be at least 0, and the horizon above 0.")
    if math.isinf(horizon) and discount == 0:
        raise UsageError("Without a discount an endless stream has no value to compare.")
    annuity = _annuity(discount, horizon)
    licence = licence_flow * _annuity(discount + drift, horizon)
    stream = subscription_flow * annuity
    return DataPrice(
        licence_worth=licence,
        subscription_worth=stream,
        fee_now=fee * annuity,
        break_even_licence=licence - max(stream - fee * annuity, 0.0),
        break_even_drift=_even_drift(licence_flow, stream, discount, horizon),
        licence_flow=licence_flow,
        subscription_flow=subscription_flow,
        fee=fee,
        discount=discount,
        drift=drift,
        horizon=horizon,
    )


def _annuity(rate: float, horizon: float) -> float:
    """∫₀ᴴ e^{−rt} dt."""
    if rate == 0:
        return horizon
    return -math.expm1(-rate * horizon) / rate if math.isfinite(horizon) else 1 / rate


def _even_drift(flow: float, stream: float, discount: float, horizon: float) -> float:
    """The drift at which flow·annuity(discount + drift) = stream, by bisection."""
    if not (0 < stream <= flow * _annuity(discount, horizon)):
        return math.nan
    low, high = 0.0, 1.0
    while flow * _annuity(discount + high, horizon) > stream:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if flow * _annuity(discount + middle, horizon) > stream:
            low = middle
        else:
            high = middle
    return (low + high) / 2
