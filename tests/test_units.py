"""Units: what they mean, how they combine, how they print, what is wrong with their declarations."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import Span
from flywheel.units import ONE, Dimension, Unit, UnitSystem


@dataclass(frozen=True)
class Line:
    """A unit line as the system sees it."""

    name: str
    factor: float = 1.0
    definition: Unit | None = None
    span: Span | None = None


def unit(text: str) -> Unit:
    """``a*b/c^2`` without parentheses, for tests."""
    factors: list[tuple[str, Fraction]] = []
    sign = 1
    for token in text.replace("*", " * ").replace("/", " / ").split():
        if token in "*/":
            sign = 1 if token == "*" else -1
        elif token != "1":
            name, _, power = token.partition("^")
            factors.append((name, sign * Fraction(power or 1)))
    return Unit(tuple(factors))


BUSINESS = UnitSystem(
    [
        Line("customer"),
        Line("Mcust", 1e6, unit("customer")),
        Line("BUSD", 1e9, unit("USD")),
        Line("workday", 8.0, unit("hour")),
    ]
)


def dimension(text: str, system: UnitSystem = BUSINESS) -> Dimension:
    found, findings = system.resolve(unit(text))
    assert found is not None, findings
    return found


# Meaning ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("large", "small", "factor"),
    [
        ("year", "day", 365.25),
        ("year", "month", 12.0),
        ("year", "quarter", 4.0),
        ("week", "day", 7.0),
        ("BUSD", "USD", 1e9),
        ("Mcust/year", "customer/year", 1e6),
        ("BUSD/Mcust", "USD/customer", 1e3),
        ("workday", "hour", 8.0),
        ("km", "m", 1000.0),
        ("kWh", "joule", 3.6e6),
        ("percent", "1", 0.01),
        ("byte", "bit", 8.0),
    ],
)
def test_factors(large: str, small: str, factor: float) -> None:
    a, b = dimension(large), dimension(small)
    assert a.alike(b)
    assert a != b
    assert math.isclose(a.factor_to(b), factor, rel_tol=1e-12)


@pytest.mark.parametrize("spelling", ["year", "Year", "YEAR", "years", "Years"])
def test_words_have_any_case_and_a_plural(spelling: str) -> None:
    assert dimension(spelling) == dimension("year")


def test_declared_names_have_any_case() -> None:
    assert dimension("mCUST") == dimension("Mcust")


def test_library_units_in_another_case() -> None:
    assert dimension("KM") == dimension("km")
    # These differ in more than case: a thousand million times.
    assert dimension("MW").factor_to(dimension("mW")) == pytest.approx(1e9)


def test_money_and_counts_are_bases_of_their_own() -> None:
    distinct = ["USD", "EUR", "KRW", "GBP", "JPY", "CNY", "person", "item", "unit", "customer", "1"]
    found = [dimension(name) for name in distinct]
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            assert not a.alike(b)
    assert dimension("people") == dimension("person")


@pytest.mark.parametrize("word", ["second", "minute", "hour", "day", "week", "month", "year"])
def test_time_words_agree_with_the_unit_library(word: str) -> None:
    from pint import UnitRegistry

    registry = UnitRegistry()
    seconds = registry.Quantity(1.0, word).to("second").magnitude
    assert dimension(word).factor_to(dimension("second")) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("name", ["degC", "dB", "__class__", "blorp", "고객"])
def test_what_is_no_unit(name: str) -> None:
    found, findings = BUSINESS.resolve(unit(name))
    assert found is None
    assert [f.code for f in findings] == ["unknown-unit"]


def test_a_declared_korean_unit_works() -> None:
    system = UnitSystem([Line("고객"), Line("백만고객", 1e6, unit("고객"))])
    assert dimension("백만고객", system).factor_to(dimension("고객", system)) == pytest.approx(1e6)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("yaer", "year"), ("Mcsut", "Mcust"), ("custmer", "customer"), ("montth", "month")],
)
def test_a_misspelt_unit_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    _, findings = BUSINESS.resolve(unit(typed))
    assert f"'{meant}'" in findings[0].hint


# Declarations -----------------------------------------------------------------------------------


def test_a_circle_of_declarations_is_shown() -> None:
    lines = [Line("a", 2.0, unit("b")), Line("b", 2.0, unit("c")), Line("c", 2.0, unit("a"))]
    system = UnitSystem([*lines, Line("d")])
    assert [f.code for f in system.findings] == ["unit-cycle"]
    assert "a -> b -> c -> a" in system.findings[0].message
    assert system.resolve(unit("b")) == (None, ())
    assert system.resolve(unit("d"))[0] is not None


def test_an_unknown_name_in_a_declaration() -> None:
    system = UnitSystem([Line("box", 12.0, unit("bottel")), Line("bottle")])
    assert [f.code for f in system.findings] == ["unknown-unit"]
    assert "'bottle'" in system.findings[0].hint


@pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
def test_a_factor_must_be_positive(factor: float) -> None:
    assert [f.code for f in UnitSystem([Line("x", factor, unit("USD"))]).findings] == [
        "unit-factor"
    ]


def test_a_declaration_comes_before_a_built_in_word() -> None:
    system = UnitSystem([Line("year", 360.0, unit("day"))])
    assert dimension("year", system).factor_to(dimension("day", system)) == pytest.approx(360.0)
    assert [(f.severity, f.code) for f in system.findings] == [("warning", "unit-shadows")]
    # Saying what is built in already is no replacement.
    assert UnitSystem([Line("USD"), Line("week", 7.0, unit("day"))]).findings == ()


# Algebra ----------------------------------------------------------------------------------------

NAMES = ["Mcust", "customer", "year", "day", "BUSD", "USD", "1"]
dimensions = st.lists(st.tuples(st.sampled_from(NAMES[:-1]), st.integers(-3, 3)), max_size=4).map(
    lambda factors: _product(factors)
)


def _product(factors: list[tuple[str, int]]) -> Dimension:
    result = ONE
    for name, power in factors:
        result = result * dimension(name) ** power
    return result


@given(dimensions, dimensions, dimensions)
def test_products_are_a_commutative_group(a: Dimension, b: Dimension, c: Dimension) -> None:
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert a * ONE == a
    assert a / a == ONE
    assert (a / b) * b == a


@given(dimensions, st.fractions(-3, 3, max_denominator=4), st.fractions(-3, 3, max_denominator=4))
def test_powers(a: Dimension, p: Fraction, q: Fraction) -> None:
    assert a**p * a**q == a ** (p + q)
    assert (a**p) ** q == a ** (p * q)


def test_an_absurd_power_is_no_crash() -> None:
    huge = dimension("Mcust") ** 200
    assert huge.factor_to(ONE) == math.inf
    assert huge / dimension("Mcust") ** 199 == dimension("Mcust")


@given(dimensions, dimensions)
def test_equal_dimensions_have_equal_hashes(a: Dimension, b: Dimension) -> None:
    if a == b:
        assert hash(a) == hash(b)
    assert (a == b) == (a.alike(b) and math.isclose(a.factor_to(b), 1.0, rel_tol=1e-9))


@given(dimensions)
def test_what_is_printed_means_the_same(a: Dimension) -> None:
    assert dimension(str(a)) == a


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (lambda: dimension("BUSD") / dimension("year"), "BUSD/year"),
        (lambda: dimension("BUSD/Mcust/year") * dimension("Mcust"), "BUSD/year"),
        (lambda: ONE / dimension("year"), "1/year"),
        (lambda: dimension("year") / dimension("YEAR"), "1"),
        (lambda: dimension("USD") ** Fraction(1, 2), "USD^(1/2)"),
        (lambda: dimension("1/year") * dimension("Mcust"), "Mcust/year"),
        (lambda: dimension("BUSD/year") / dimension("year"), "BUSD/year^2"),
    ],
)
def test_derived_dimensions_read_well(made: object, shown: str) -> None:
    assert callable(made)
    assert str(made()) == shown


# Cost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "loaded"), [("'year', 'USD', 'person'", "False"), ("'year', 'km'", "True")]
)
def test_pint_is_loaded_only_for_a_unit_that_needs_it(names: str, loaded: str) -> None:
    code = (
        "import sys; from fractions import Fraction; from flywheel.units import Unit, UnitSystem\n"
        f"for name in ({names}): assert UnitSystem().dimension(Unit(((name, Fraction(1)),)))\n"
        "print('pint' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == loaded
