"""Unit checking: what balances, what does not, what the message says, and 200 seeded mistakes."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from fractions import Fraction

import pytest

from flywheel.checks.units import check_units, infer_units
from flywheel.errors import Finding
from flywheel.expr import Binary, Expr, Name, Number, rebuild, walk
from flywheel.language import parse
from flywheel.model import Aux, Declaration, Flow, Model, Param, Stock
from flywheel.units import ONE, Unit

HEAD = """model m
time 2000 to 2010 [year] step 1/4
unit customer
unit Mcust = 1e6 customer
unit BUSD = 1e9 USD
"""
NAMES = """
param customers [Mcust] = 2
param days [day] = 3
param years [year] = 3
param since [year] = 2004
param price [USD/customer] = 5
param sales [BUSD/year] = 1
param rate [1/year] = 0.1
param share [1] = 0.5
param margin [percent] = 20
table effect [1] of share = (0, 1) (1, 2)
table delay_of [year] of customers [Mcust] = (0, 1) (9, 2)
"""


def findings(text: str, strict: bool = True) -> tuple[Finding, ...]:
    return check_units(parse(HEAD + NAMES + text), strict)


def only(text: str, strict: bool = True) -> Finding:
    found = findings(text, strict)
    assert len(found) == 1, [f.render() for f in found]
    return found[0]


# Equations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "equation"),
    [
        ("Mcust", "customers + 2 * customers"),
        ("Mcust", "max(customers, 0)"),
        ("Mcust", "if(customers > 0, customers, 0)"),
        ("Mcust", "min(customers, 0, customers * share)"),
        ("Mcust/year", "customers * rate"),
        ("Mcust/year", "customers / years"),
        ("Mcust*USD/customer", "customers * price"),
        ("year", "time - since"),
        ("1", "(time - since) / years"),
        ("1", "exp(-(time - since) * rate)"),
        ("1", "(customers / customers) ^ share"),
        ("1", "1 + ln(share) ^ 2 - tanh(share)"),
        ("Mcust^2", "customers ^ 2"),
        ("1/Mcust", "customers ^ -1"),
        ("Mcust", "sqrt(customers ^ 2)"),
        ("Mcust", "(customers ^ 3) ^ (1/3)"),
        ("Mcust", "abs(-customers) + round(customers) + floor(customers)"),
        ("1", "step(1, since) * pulse(since, years) + pulse(2001, 0.5, 1, 2009)"),
        ("Mcust", "step(customers, 2004)"),
        ("Mcust", "ramp(customers / years, since, 2009)"),
        ("Mcust", "smooth(customers, years) + smooth3(customers, 0.5, customers)"),
        ("Mcust", "smoothn(customers, years, 4, 2) + delay1(customers, years)"),
        ("Mcust", "delayn(customers, years, 2) + delay_fixed(customers, 2, 0)"),
        ("1/year", "trend(customers, years) + trend(customers, 2, rate)"),
        ("Mcust", "forecast(customers, years, 2)"),
        ("BUSD", "npv(sales, rate) + npv(sales, 0.08, 0, share)"),
        ("Mcust", "noise(customers, customers)"),
        ("1", "effect + effect(share) * 2 + effect(0.3)"),
        ("year", "delay_of(customers) + delay_of"),
        ("1", "customers > 0 and not (years < years) or share >= 0.5"),
        ("percent", "margin"),
        ("Mcust", "100"),
        ("year", "1/16"),
    ],
)
def test_what_balances(unit: str, equation: str) -> None:
    assert findings(f"aux y [{unit}] = {equation}") == ()
    assert findings(f"aux y = {equation}", strict=False) == ()


@pytest.mark.parametrize(
    ("unit", "equation", "code", "where", "says"),
    [
        (
            "Mcust",
            "2 * (customers + days)",
            "unit-mismatch",
            "(customers + days)",
            "adds Mcust and day",
        ),
        ("Mcust", "customers + 3", "unit-mismatch", "customers + 3", "adds Mcust and 1"),
        (
            "Mcust",
            "customers - days",
            "unit-mismatch",
            "customers - days",
            "subtracts Mcust and day",
        ),
        ("year", "years + days", "unit-scale", "years + days", "adds year and day"),
        ("Mcust", "max(customers, years)", "unit-mismatch", None, "max of Mcust and year"),
        (
            "Mcust",
            "if(share > 1, customers, years)",
            "unit-mismatch",
            None,
            "branches are Mcust and",
        ),
        ("1", "customers > days", "unit-mismatch", "customers > days", "compares Mcust and day"),
        ("1", "customers > 3", "unit-mismatch", "customers > 3", "compares Mcust and 1"),
        ("1", "time < 2004", "unit-mismatch", "time < 2004", "compares year and 1"),
        ("Mcust", "customers * rate", "unit-mismatch", "customers * rate", "gives Mcust/year"),
        ("customer", "customers + customers", "unit-scale", None, "gives Mcust"),
        (
            "BUSD",
            "customers * price",
            "unit-scale",
            "customers * price",
            "gives Mcust*USD/customer",
        ),
        ("1", "exp(years)", "unit-not-pure", "years", "argument of exp must be a plain number"),
        ("1", "ln(margin)", "unit-not-pure", "margin", "argument of ln"),
        ("1", "share ^ years", "unit-not-pure", "years", "an exponent must be a plain number"),
        ("1", "customers ^ share", "unit-power", "customers ^ share", "power that is not a fixed"),
        ("1", "customers and share", "unit-not-pure", "customers", "a condition"),
        ("1", "not customers", "unit-not-pure", "customers", "a condition"),
        ("1", "if(customers, 1, 2)", "unit-not-pure", "customers", "a condition"),
        ("Mcust", "smooth(customers, days)", "unit-scale", "days", "tau of smooth must be in year"),
        ("Mcust", "delay3(customers, share)", "unit-mismatch", "share", "tau of delay3"),
        ("Mcust", "smooth(customers, years, years)", "unit-mismatch", "years", "initial value of"),
        ("Mcust", "smoothn(customers, years, years)", "unit-not-pure", "years", "order of smoothn"),
        ("1", "step(1, days)", "unit-scale", "days", "start of step must be in year"),
        ("1", "pulse(since, share)", "unit-mismatch", "share", "width of pulse"),
        ("Mcust", "ramp(customers, since)", "unit-mismatch", None, "gives Mcust*year"),
        (
            "Mcust",
            "forecast(customers, years, rate)",
            "unit-mismatch",
            "rate",
            "horizon of forecast",
        ),
        ("1", "trend(customers, years)", "unit-mismatch", None, "gives 1/year"),
        ("BUSD", "npv(sales, share)", "unit-mismatch", "share", "the discount rate of npv"),
        ("BUSD", "npv(sales, rate, sales)", "unit-mismatch", "sales", "the initial value of npv"),
        ("BUSD", "npv(sales, rate, 0, years)", "unit-not-pure", "years", "the factor of npv"),
        ("1", "effect(years)", "unit-mismatch", "years", "the input of table 'effect'"),
        ("1", "delay_of(3)", "unit-mismatch", "delay_of(3)", "gives year"),
        ("Mcust", "noise(customers, share)", "unit-mismatch", None, "noise of Mcust and 1"),
        ("Mcust", "sqrt(customers)", "unit-mismatch", None, "gives Mcust^(1/2)"),
        ("1", "margin", "unit-scale", "margin", "gives percent"),
        ("blorp", "3", "unknown-unit", None, "no unit called 'blorp'"),
    ],
)
def test_what_does_not_balance(
    unit: str, equation: str, code: str, where: str | None, says: str
) -> None:
    finding = only(f"aux y [{unit}] = {equation}")
    assert finding.code == code
    assert finding.severity == "error"
    assert says in finding.message
    assert finding.span is not None
    if where is not None:
        assert finding.span.text == where
    assert "^" in finding.render()


def test_a_missing_factor_is_named() -> None:
    assert "1 year is 365.25 day" in only("aux y [day] = years").hint
    assert "365.25 [day/year]" in only("aux y [day] = years").hint
    assert "multiply by something in year" in only("aux y [Mcust] = customers * rate").hint
    assert "divide by something in year" in only("aux y [Mcust/year] = customers").hint
    assert "multiply by 0.01" in only("aux y [1] = margin").hint
    assert (
        "`customers` is in Mcust, `days` in day" in only("aux y = customers + days", False).message
    )


def test_one_mistake_is_told_once() -> None:
    """What stands around a mistake is not blamed for it."""
    text = "aux y [Mcust] = exp(customers + days) * customers\naux z [Mcust] = y + y\n"
    assert only(text).span.text == "customers + days"  # type: ignore[union-attr]
    assert len(findings("aux a [blorp] = 1\naux b [blorp] = a", False)) == 2


# Stocks, tables, data, outcomes and the rest ---------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("stock s [Mcust] = 1 gains f\nflow f [Mcust] = customers", "unit-mismatch", "gains 'f' in"),
        ("stock s [Mcust] = 1 loses f\nflow f [Mcust/day] = s / days", "unit-scale", "loses 'f'"),
        ("stock s [Mcust] = years", "unit-mismatch", "its initial value is in year"),
        ("table t [1] of days [year] = (0, 1) (1, 2)", "unit-scale", "takes 'days' in year"),
        ('outcome o [BUSD] = sales at 2005', "unit-mismatch", "its at is in BUSD/year"),
        ('outcome o [BUSD/year] = total sales', "unit-mismatch", "its total is in BUSD"),
        ('outcome o [BUSD] = time of sales > 2', "unit-mismatch", "its time of is in year"),
        ('outcome o [year] = time of sales > years', "unit-mismatch", "compares BUSD/year and year"),
        ('outcome o [year] = time of sales', "unit-not-pure", "a condition"),
        ('lever l = rate to years', "unit-mismatch", "'rate' is in 1/year"),
        ('lever l = rate to rate + 1', "unit-mismatch", "adds 1/year and 1"),
        ('scenario s: rate = share', "unit-mismatch", "set to something in 1 (a plain number)"),
        ('check c: customers >= years', "unit-mismatch", "compares Mcust and year"),
        ('check c: when rate = share then customers > 1', "unit-mismatch", "'rate' is in 1/year"),
        ('check c: customers + 1 > 2', "unit-mismatch", "adds Mcust and 1"),
        (
            "lever a = share to 1 cost sales\nlever b = share to 1 cost once sales",
            "unit-mismatch",
            "they cannot be compared",
        ),
    ],
)  # fmt: skip
def test_mistakes_beside_equations(text: str, code: str, says: str) -> None:
    finding = only(text)
    assert finding.code == code
    assert says in finding.message
    assert finding.span is not None


def test_what_balances_beside_equations() -> None:
    assert (
        findings(
            """
stock s [Mcust] = 0.18 gains f loses g
flow f [Mcust/year] = s * rate
flow g [customer/year * Mcust/customer] = s / years
stock t [Mcust] = customers
outcome a [BUSD] = total sales from 2001 to 2005 discount 8%
outcome b [BUSD/year] = sales at 2005
outcome c [year] = time of sales > 3
outcome d [1] = a / (b * years)
outcome e [1] = mean share
outcome f2 [BUSD/year] = peak sales
outcome g2 [year] = time of 0.5 < share and sales * 2 > 10 - 3
lever l1 = since to 2005 cost 0.1 * sales
lever l2 = rate by 10% cost once 0.1 * a2
lever l3 = share to share * 2 cost once 12
aux a2 [BUSD] = sales * years
scenario s1: since = 2100, rate = rate * 2 from 2003, t = 5
check c1: s >= 0.5 at 2005
check c2: when rate = 0, since = 2008 then s < base(s) and a > 3
check c3: when rate = 0 then abs(s - base(s)) <= 1e-9
"""
        )
        == ()
    )


def test_observed_and_observing_series_share_a_unit(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "d.csv").write_text("year,series,value\n2001,x,1\n2002,x,2\n")
    data = 'data d [USD/year] = "d.csv" series "x"\naux y [BUSD/year] = sales\nobserve y by d\n'
    found = check_units(parse(HEAD + NAMES + data, folder=folder), strict=True)
    assert [f.code for f in found] == ["unit-scale"]
    assert "'y' is in BUSD/year, but it is observed by 'd' in USD/year" in found[0].message


# Tolerant and strict ----------------------------------------------------------------------------


def test_strict_wants_every_unit_and_says_which_it_is() -> None:
    text = (
        "param p = 1\nstock s = 1 gains f\nflow f [Mcust/year] = customers * rate\naux y = share\n"
    )
    text += "outcome last = s at 1\n"
    found = findings(text + "table t of z = (0, 1) (1, 2)")
    assert [f.code for f in found] == ["missing-unit"] * 6
    said = {f.message: f.hint for f in found}
    assert said["stock 's' has no unit"] == "its equation gives [Mcust]"
    assert said["auxiliary 'y' has no unit"] == "its equation gives [1]"
    assert said["outcome 'last' has no unit"] == "its equation gives [Mcust]"
    assert "[1] stands for a plain number" in said["parameter 'p' has no unit"]
    assert findings(text + "table t of z = (0, 1) (1, 2)", strict=False) == ()


def test_strict_wants_a_unit_of_time() -> None:
    model = parse("model m\ntime 0 to 1 step 1/4\naux y [1] = 1")
    assert [f.code for f in check_units(model, strict=True)] == ["missing-unit"]
    assert check_units(model) == ()


def test_a_model_without_units_is_fine_when_tolerant() -> None:
    text = "param p = 2\nstock s = p + 3 gains f\nflow f = s ^ p + time * 5\n"
    assert check_units(parse("model m\ntime 0 to 1 step 1/4\n" + text)) == ()


def test_units_are_inferred_where_the_equations_tell() -> None:
    model = parse(
        HEAD
        + NAMES
        + "stock s = 1 gains f\nflow f [Mcust/year] = customers * rate\nflow g = customers / years\n"
        + "stock w [BUSD] = 1 loses h\nflow h = 3\naux a = b + b\naux b = sales * years\n"
        + "aux k = 5\nparam u = 1\naux v = u * customers\noutcome o = total sales\n"
    )
    shown = {name: str(dimension) for name, dimension in infer_units(model).dimensions.items()}
    assert shown["s"] == "Mcust"
    assert shown["g"] == "Mcust/year"
    assert shown["h"] == "BUSD/year"
    assert shown["a"] == shown["b"] == shown["o"] == "BUSD"
    assert not {"k", "u", "v"} & set(shown)


def test_an_inferred_unit_is_held_against_the_rest() -> None:
    """Nothing is stated for b; that it is money all the same shows in a."""
    finding = only("aux a [Mcust] = b\naux b = sales * years", strict=False)
    assert "'a' is stated in Mcust, but its equation gives BUSD" in finding.message


def test_an_unknown_unit_is_a_warning_when_tolerant() -> None:
    assert only("aux y [blorp] = customers", strict=False).severity == "warning"
    assert only("aux y [blorp] = customers").severity == "error"


# Seeded mistakes --------------------------------------------------------------------------------

SAMPLE = parse(
    """
model sample
time 2000 to 2020 [year] step 1/8
unit customer
unit seller
unit Mcust = 1e6 customer
unit kseller = 1e3 seller
unit BUSD = 1e9 USD
param market [Mcust] = 100
param word [1/year] = 0.4
param churn [1/year] = 0.1
param spend [BUSD/Mcust/year] = 0.2
param take [1] = 0.1
param per_seller [BUSD/year/kseller] = 0.05
param tau_sellers [year] = 1.5
param tau_days [day] = 90
param days_per_year [day/year] = 365.25
param elasticity [1] = 0.4
param seller_ref [kseller] = 10
param opening [year] = 2003
param growth [1/year] = 0.03
param overhead [BUSD/year] = 1
param platform_life [year] = 5
stock customers [Mcust] = 1 gains joining loses leaving
flow joining [Mcust/year] = word * customers * (1 - customers / market) * pull
flow leaving [Mcust/year] = churn * customers / seen
stock sellers [kseller] = 0.1 gains entry
flow entry [kseller/year] = (wanted - sellers) / tau_sellers * open
aux open [1] = step(1, opening)
aux wanted [kseller] = sales * (1 - take) / per_seller
aux pull [1] = (1 + sellers / seller_ref) ^ elasticity
aux wallet [BUSD/Mcust/year] = spend * exp(growth * (time - opening))
aux sales [BUSD/year] = customers * wallet
aux profit [BUSD/year] = sales * take - overhead - platform / platform_life
aux seen [1] = smooth(crowd, tau_days / days_per_year)
aux crowd [1] = 1 / (1 + wanted / max(sellers, seller_ref))
stock platform [BUSD] = 2 gains invest loses ageing
flow invest [BUSD/year] = max(profit, 0) * take
flow ageing [BUSD/year] = platform / platform_life
"""
)
SWAPS = ["year", "day", "month", "Mcust", "customer", "kseller", "seller", "BUSD", "USD", "person"]


def _with(model: Model, declaration: Declaration) -> Model:
    changed = tuple(declaration if d.name == declaration.name else d for d in model)
    return dataclasses.replace(model, declarations=changed)


def _swap_unit(model: Model, rng: random.Random) -> Model:
    """One factor of a stated unit becomes another name: day for year, USD for BUSD."""
    stated = [d for d in model if isinstance(d, Param | Stock | Flow | Aux) and d.unit.factors]  # type: ignore[union-attr]
    chosen = rng.choice(stated)
    factors = list(chosen.unit.factors)
    place = rng.randrange(len(factors))
    old, power = factors[place]
    factors[place] = (rng.choice([name for name in SWAPS if name != old]), power)
    return _with(model, dataclasses.replace(chosen, unit=Unit(tuple(factors))))


def _drop_unit_factor(model: Model, rng: random.Random) -> Model:
    """A unit loses a factor: BUSD/year becomes BUSD."""
    stated = [d for d in model if isinstance(d, Param | Stock | Flow | Aux) and d.unit.factors]  # type: ignore[union-attr]
    chosen = rng.choice(stated)
    factors = list(chosen.unit.factors)
    del factors[rng.randrange(len(factors))]
    return _with(model, dataclasses.replace(chosen, unit=Unit(tuple(factors))))


def _bend_power(model: Model, rng: random.Random) -> Model:
    """Per becomes times: BUSD/year becomes BUSD*year."""
    stated = [d for d in model if isinstance(d, Param | Stock | Flow | Aux) and d.unit.factors]  # type: ignore[union-attr]
    chosen = rng.choice(stated)
    factors = list(chosen.unit.factors)
    place = rng.randrange(len(factors))
    factors[place] = (factors[place][0], factors[place][1] * Fraction(-1))
    return _with(model, dataclasses.replace(chosen, unit=Unit(tuple(factors))))


def _has_unit(model: Model, expr: Expr) -> bool:
    if not isinstance(expr, Name) or expr.name not in model:
        return False
    declared = model[expr.name]
    return isinstance(declared, Param | Stock | Flow | Aux) and bool(declared.unit.factors)  # type: ignore[union-attr]


def _edit(model: Model, rng: random.Random, kind: str) -> Model:
    """A named factor with a unit is left out of a product, or divided by instead of multiplied."""
    sites: list[tuple[Flow | Aux, Binary]] = [
        (d, node)
        for d in model
        if isinstance(d, Flow | Aux)
        for node in walk(d.equation)
        if isinstance(node, Binary) and node.op in "*/" and _has_unit(model, node.right)
    ]
    declaration, site = rng.choice(sites)
    new: Expr = site.left
    if kind == "turn":
        new = dataclasses.replace(site, op="/" if site.op == "*" else "*")
    if kind == "double":
        new = Binary("*", site, site.right)
    equation = rebuild(declaration.equation, lambda node: new if node == site else node)
    return _with(model, dataclasses.replace(declaration, equation=equation))


def _stray_number(model: Model, rng: random.Random) -> Model:
    """A bare number is added to something with a unit."""
    sites = [
        (d, node)
        for d in model
        if isinstance(d, Flow | Aux)
        for node in walk(d.equation)
        if _has_unit(model, node)
    ]
    declaration, site = rng.choice(sites)
    new = Binary("+", site, Number(float(rng.randint(1, 9))))
    equation = rebuild(declaration.equation, lambda node: new if node == site else node)
    return _with(model, dataclasses.replace(declaration, equation=equation))


def mistakes(count: int) -> Iterator[tuple[str, Model]]:
    rng = random.Random(20240229)
    kinds = {
        "swap": _swap_unit,
        "drop": _drop_unit_factor,
        "bend": _bend_power,
        "leave out": lambda m, r: _edit(m, r, "leave out"),
        "turn": lambda m, r: _edit(m, r, "turn"),
        "double": lambda m, r: _edit(m, r, "double"),
        "number": _stray_number,
    }
    for index in range(count):
        name = list(kinds)[index % len(kinds)]
        yield name, kinds[name](SAMPLE, rng)


def test_the_sample_is_sound() -> None:
    assert check_units(SAMPLE, strict=True) == ()


def test_200_seeded_mistakes_are_all_found() -> None:
    missed = []
    for kind, model in mistakes(200):
        found = [f for f in check_units(model, strict=True) if f.severity == "error"]
        if not found:
            changed = [d for d, e in zip(model, SAMPLE, strict=True) if d != e]
            missed.append((kind, changed))
    assert missed == []


def test_dimensionless_is_one() -> None:
    assert infer_units(SAMPLE).dimensions["pull"] == ONE
