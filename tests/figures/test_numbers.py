"""Numbers as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flywheel as fw
from flywheel.figures.numbers import (
    change,
    outcome_unit,
    percent,
    quantity,
    rounded,
    scale_and_base,
)
from flywheel.units import Unit

MODEL = fw.parse(
    "model m\ntime 1997 to 2030 [year] step 1\nunit customer\nunit shop\nunit party\n"
    "unit guest \"guest of the house\"\n    ko \"손님\"\n"
    "unit Mcust = 1e6 customer\nunit BUSD = 1e9 USD\nstock x [1] = 1\n"
)  # fmt: skip


def unit(text: str) -> Unit:
    model = fw.parse(
        "model m\ntime 0 to 1 [year] step 1\nunit customer\nunit shop\nunit party\nunit guest\n"
        f"unit Mcust = 1e6 customer\nunit BUSD = 1e9 USD\nparam p [{text}] = 1\nstock x [1] = 1\n"
    )
    found = model.params["p"].unit
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (1, "1"), (1234.5, "1,230"), (0.012345, "0.0123"), (-3.14159, "−3.14"),
        (99.95, "100"), (9.996, "10"), (123456789, "123,000,000"), (1e-7, "1e−7"), (2.5e20, "2.5e20"),
        (math.nan, "–"), (math.inf, "∞"), (-math.inf, "−∞"), (1e-300, "1e−300"),
    ],
)  # fmt: skip
def test_rounded(value: float, shown: str) -> None:
    assert rounded(value) == shown


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_rounded_is_near(value: float) -> None:
    text = rounded(value).replace(",", "").replace("−", "-")
    assert float(text) == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("value", "text", "english", "korean"),
    [
        (386.1, "BUSD/year", "$386 billion a year", "연간 3,861억 달러"),
        (2.78e3, "BUSD/year", "$2.78 trillion a year", "연간 2.78조 달러"),
        (-68, "BUSD", "−$68 billion", "−680억 달러"),
        (384, "Mcust", "384 million customers", "3.84억 customer"),
        (0.18, "Mcust", "180 thousand customers", "18만 customer"),
        (12, "USD", "$12", "12달러"),
        (1, "shop", "1 shop", "1 shop"),
        (3, "party", "3 parties", "3 party"),
        (5, "person", "5 people", "5 person"),
        (5, "guest", "5 guest of the house", "5 손님"),
        (2010.56, "year", "2010.6", "2010.6"),
        (2.5, "year", "2.5 years", "2.5년"),
        (0.25, "1", "0.25", "0.25"),
        (0.05, "1/year", "0.05 1/year", "0.05 1/year"),
        (3, "customer/shop", "3 customer/shop", "3 customer/shop"),
        (4, "customer^2", "4 customer^2", "4 customer^2"),
    ],
)
def test_quantities_in_both_languages(value: float, text: str, english: str, korean: str) -> None:
    assert quantity(value, unit(text), MODEL) == english
    assert quantity(value, unit(text), MODEL, "ko") == korean


def test_a_quantity_without_a_unit_or_a_value() -> None:
    assert quantity(3.14159, None, MODEL) == "3.14"
    assert quantity(math.nan, unit("BUSD"), MODEL) == "–"
    assert quantity(math.inf, unit("BUSD"), MODEL) == "$∞"


def test_scales_of_powers_multiply() -> None:
    scale, base = scale_and_base(unit("BUSD/Mcust/year"), MODEL)
    assert scale == pytest.approx(1e3)
    assert str(base) == "USD/customer/year"


@pytest.mark.parametrize(
    ("value", "base", "shown"),
    [
        (110, 100, "+10 %"), (99, 100, "−1 %"), (100, 100, "±0 %"), (5, 0, "+5"), (0, 0, "±0 %"),
        (5, -5, "+10"), (-6, -5, "−20 %"), (math.nan, 1, "–"), (1, math.inf, "–"),
        (100.0001, 100, "+0.0001 %"),
    ],
)  # fmt: skip
def test_changes(value: float, base: float, shown: str) -> None:
    assert change(value, base) == shown


@pytest.mark.parametrize(
    ("value", "base", "text", "english", "korean"),
    [
        (-2.0, 1.5, "BUSD", "−$3.5 billion", "−35억 달러"),
        (3.0, -1.0, "BUSD/year", "+$4 billion a year", "+연간 40억 달러"),
        (0.2, 0.0, "Mcust", "+200 thousand customers", "+20만 customer"),
        (2015.3, 2013.5, "year", "+1.8 years", "+1.8년"),
        (2012.0, 2013.5, "year", "−1.5 years", "−1.5년"),
        (2013.5, 2013.5, "year", "±0", "±0"),
        (3.0, 2.0, "year", "+50 %", "+50 %"),
        (3.0, 2.0, "BUSD", "+50 %", "+50 %"),
    ],
)
def test_changes_in_a_unit(value: float, base: float, text: str, english: str, korean: str) -> None:
    assert change(value, base, unit(text), MODEL) == english
    assert change(value, base, unit(text), MODEL, "ko") == korean


def test_percentages_have_a_sign_only_where_it_says_something() -> None:
    assert percent(0.12) == "+12 %"
    assert percent(0.12, signed=False) == "12 %"
    assert percent(-0.0666) == "−6.7 %"
    assert percent(math.nan) == "–"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("time of x > 1", "2025"),
        ("peak x", "3 shops"),
        ("total x", "3"),
        ("[party] = x at 2030", "3 parties"),
    ],
)
def test_an_outcome_without_a_unit_is_shown_in_the_one_it_plainly_has(
    asked: str, wanted: str
) -> None:
    measured = asked if asked.startswith("[") else f"= {asked}"
    model = fw.parse(
        "model m\ntime 1997 to 2030 [year] step 1\nunit shop\nunit party\nstock x [shop] = 1\n"
        f"outcome o {measured}\n"
    )
    value = 2025.0 if asked.startswith("time") else 3.0
    assert quantity(value, outcome_unit(model.outcomes["o"], model), model) == wanted
