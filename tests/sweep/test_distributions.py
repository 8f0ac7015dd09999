"""What an uncertain number may be: quantile functions against closed forms, and plain data."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flywheel.errors import UsageError
from flywheel.sweep.distributions import (
    KINDS,
    Constant,
    Distribution,
    LogUniform,
    Normal,
    Triangular,
    Uniform,
    from_dict,
)

U = np.linspace(0.001, 0.999, 997)
CLOSED = [
    (Uniform(-2, 6), stats.uniform(-2, 8)),
    (LogUniform(0.01, 30), stats.loguniform(0.01, 30)),
    (Normal(3, 0.5), stats.norm(3, 0.5)),
    (Normal(1, 2, 0, 4), stats.truncnorm(-0.5, 1.5, 1, 2)),
    (Normal(0, 1, low=-1), stats.truncnorm(-1, np.inf, 0, 1)),
    (Triangular(1, 2, 5), stats.triang(0.25, 1, 4)),
    (Triangular(1, 1, 5), stats.triang(0, 1, 4)),
    (Triangular(1, 5, 5), stats.triang(1, 1, 4)),
]
finite = st.floats(-1e6, 1e6)


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    a, b, c = sorted(draw(st.lists(finite, min_size=3, max_size=3, unique=True)))
    positive = draw(st.floats(1e-6, 1e6))
    return draw(
        st.sampled_from(
            [
                Uniform(a, c),
                LogUniform(positive, 2 * positive),
                Normal(b, positive),
                Normal(b, positive, a, c),
                Normal(b, positive, low=a),
                Triangular(a, b, c),
                Constant(b),
            ]
        )
    )


@pytest.mark.parametrize(("own", "closed"), CLOSED, ids=lambda given: type(given).__name__)
def test_quantiles_are_those_of_the_closed_form(own: Distribution, closed: object) -> None:
    np.testing.assert_allclose(own.ppf(U), closed.ppf(U), rtol=1e-9, atol=1e-12)


@given(distributions(), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_quantile_rises_within_the_ends(own: Distribution, parts: list[float]) -> None:
    u = np.array(sorted([0.0, *parts, 1.0]))
    x = own.ppf(u)
    assert np.isfinite(x).all()
    assert (x >= own.low).all()
    assert (x <= own.high).all()
    scale = max(abs(x[0]), abs(x[-1]), 1e-300)
    assert (np.diff(x) >= -1e-14 * scale).all()


@given(distributions())
def test_plain_data_gives_the_same_distribution(own: Distribution) -> None:
    assert from_dict(json.loads(json.dumps(own.as_dict(), allow_nan=False))) == own


def test_a_constant_does_not_vary() -> None:
    own = Constant(2.5)
    np.testing.assert_array_equal(own.ppf(np.zeros((3, 2))), np.full((3, 2), 2.5))
    assert (own.low, own.high, own.poincare) == (2.5, 2.5, 0.0)


def test_every_kind_has_a_name() -> None:
    written = {own.as_dict()["kind"] for own, _ in CLOSED} | {Constant(1).as_dict()["kind"]}
    assert written == set(KINDS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "unifrom", "low": 0, "high": 1}, "Did you mean 'uniform'"),
        ({"low": 0, "high": 1}, "no distribution None"),
        ({"kind": "uniform", "low": 0}, "made of low, high, not of low"),
        ({"kind": "uniform", "low": 0, "high": 1, "mode": 2}, "made of low, high"),
        ({"kind": "uniform", "low": "0", "high": 1}, "low of a uniform distribution must be a num"),
        ({"kind": "uniform", "low": True, "high": 1}, "must be a number, not True"),
        ({"kind": "uniform", "low": 2, "high": 1}, "must go up"),
        ({"kind": "constant", "value": math.inf}, "finite"),
        ({"kind": "log-uniform", "low": -1, "high": 1}, "positive"),
        ([1, 2], r"written as \{kind"),
    ],
)
def test_what_is_no_distribution_is_refused(data: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_dict(data)
