"""The shipped Amazon figures: their accounting identities, their sources, what is derived from them.

The identities are those of the filings themselves, so a slip in copying a figure shows up here. They
rest on verified figures except where a test says otherwise: product and service sales of 2011-12 and
2023-24 are from memory and marked ``no``.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

import flywheel as fw

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "models" / "data"
ROUNDING = 0.5
"""Million USD: reported figures are rounded to whole millions."""

Row = dict[str, str]


def read(name: str) -> list[Row]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = read("amazon.csv")
REPORTED = {(row["series"], int(row["year"])): float(row["value"]) for row in ROWS}
STATUS = {(row["series"], int(row["year"])): row["verified"] for row in ROWS}
LINES = (
    "online_stores",
    "third_party_seller_services",
    "subscription_services",
    "aws_net_sales",
    "physical_stores",
)


def lines(year: int) -> float:
    """The sum of the product lines that the reports of a year name (physical stores from 2017)."""
    named = [line for line in LINES if line != "physical_stores" or year >= 2017]
    return sum(REPORTED[line, year] for line in named)


@pytest.mark.parametrize("year", range(2014, 2021))
def test_product_lines_sum_to_net_sales(year: int) -> None:
    total = lines(year) + REPORTED["other_incl_advertising", year]
    assert total == pytest.approx(REPORTED["net_sales", year], abs=ROUNDING)


# Advertising became a line of its own; what it leaves is the "other" line of the later reports.
OTHER = {2019: 1460, 2020: 1680, 2021: 2176, 2022: 4247, 2023: 4958, 2024: 5425, 2025: 5935}


@pytest.mark.parametrize(("year", "other"), list(OTHER.items()))
def test_product_lines_with_advertising_leave_the_other_line(year: int, other: float) -> None:
    left = REPORTED["net_sales", year] - lines(year) - REPORTED["advertising_services", year]
    assert left == pytest.approx(other, abs=ROUNDING)


@pytest.mark.parametrize("year", range(2011, 2025))
def test_products_and_services_sum_to_net_sales(year: int) -> None:
    total = REPORTED["product_sales", year] + REPORTED["service_sales", year]
    assert total == pytest.approx(REPORTED["net_sales", year], abs=ROUNDING)


def test_only_these_product_and_service_figures_are_from_memory() -> None:
    unverified = {key for key, status in STATUS.items() if status == "no"}
    split = {key for key in unverified if key[0] in ("product_sales", "service_sales")}
    years = (2011, 2012, 2023, 2024)
    assert split == {(s, y) for s in ("product_sales", "service_sales") for y in years}


@pytest.mark.parametrize("year", range(2013, 2026))
def test_operating_cash_less_capex_is_free_cash(year: int) -> None:
    free = REPORTED["operating_cash_flow", year] - REPORTED["capex_net", year]
    assert free == pytest.approx(REPORTED["free_cash_flow", year], abs=ROUNDING)


@pytest.mark.parametrize("year", [1999])
def test_gross_profit_is_net_sales_less_cost_of_sales(year: int) -> None:
    gross = REPORTED["net_sales", year] - REPORTED["cost_of_sales", year]
    assert gross == pytest.approx(REPORTED["gross_profit", year], abs=ROUNDING)


def test_sales_of_2018_split_as_the_share_of_2018_says() -> None:
    own, others = REPORTED["first_party_gms", 2018], REPORTED["third_party_gms", 2018]
    share = REPORTED["third_party_share_of_physical_gms", 2018]
    assert 100 * others / (own + others) == pytest.approx(share, abs=0.5)


def test_identities_rest_on_verified_figures() -> None:
    used = [(line, year) for line in LINES[:4] for year in range(2014, 2026)]
    used += [("net_sales", year) for year in range(1995, 2026)]
    used += [("operating_cash_flow", year) for year in range(2013, 2026)]
    used += [("capex_net", year) for year in range(2013, 2026)]
    assert {STATUS[key] for key in used} <= {"primary", "transcribed"}


def test_every_figure_has_unit_source_and_status() -> None:
    assert len(ROWS) == 459
    counts = Counter(row["verified"] for row in ROWS)
    assert counts == {"primary": 311, "transcribed": 79, "no": 41, "secondary": 23, "estimate": 5}
    assert all(row["unit"] and row["source"] for row in ROWS)
    assert len(REPORTED) == len(ROWS), "a year of a series is given twice"
    memory = {key for key, status in STATUS.items() if status == "no"}
    assert memory == {
        (row["series"], int(row["year"])) for row in ROWS if "from memory, not" in row["source"]
    }


def derivation() -> ModuleType:
    """tools/derive_amazon.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("derive_amazon", ROOT / "tools/derive_amazon.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_derived_file_is_what_its_script_makes() -> None:
    tool = derivation()
    made = tool.as_csv(tool.derive(tool.read(DATA / "amazon.csv")))
    assert made == (DATA / "amazon_online.csv").read_text(encoding="utf-8")


def test_derived_figures_by_hand() -> None:
    derived = {
        (row["series"], int(row["year"])): float(row["value"]) for row in read("amazon_online.csv")
    }
    # 2018: 232,887 less 25,655 of cloud services and 17,224 of physical stores.
    assert derived["online_net_sales", 2018] == 190008
    # 34,027 of fulfilment and 27,700 of shipping for them.
    assert derived["logistics_share", 2018] == pytest.approx(61727 / 190008, rel=1e-5)
    # 12,421 of operating income less 7,296 of cloud services.
    assert derived["online_operating_income", 2018] == 5125
    share = 1 - 5125 / (232887 - 25655)
    assert derived["online_operating_cost_share", 2018] == pytest.approx(share, rel=1e-5)


def test_a_derived_figure_is_as_good_as_its_weakest_part() -> None:
    status = {
        (row["series"], int(row["year"])): row["verified"] for row in read("amazon_online.csv")
    }
    assert status["logistics_share", 2024] == "no"  # fulfilment and shipping are from memory
    assert status["logistics_share", 2023] == "secondary"  # shipping is
    assert status["online_operating_income", 2010] == "estimate"  # cloud income was not reported
    assert status["online_net_sales", 2018] == "primary"


def test_the_model_reads_years_as_documented() -> None:
    model = fw.load("core_flywheel")
    flow = {point.time: point for point in model.data["net_sales_reported"].points}
    assert flow[2018.5].value == pytest.approx(190.008)  # the middle of the calendar year
    level = {point.time: point for point in model.data["members_reported"].points}
    assert level[2021.0].value == 200  # the end of 2020
    customers = model.data["customers_reported"].points
    assert [point.time for point in customers if point.verified] == [2000, 2001, 2006, 2015]
