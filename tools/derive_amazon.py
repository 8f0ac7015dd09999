"""Derive the series that the core model is compared with from the reported Amazon figures.

The core model covers the online shop: it knows neither cloud services nor physical stores. This
script subtracts them and writes ``models/data/amazon_online.csv``. Run it after any change of
``models/data/amazon.csv``; a test checks that the stored file is what this script makes.

A derived value is only as good as the weakest figure in it: its ``verified`` column is the lowest
status of its parts, in the order primary, transcribed, secondary, estimate, no.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

STATUSES = ("primary", "transcribed", "secondary", "estimate", "no")
COLUMNS = ("year", "series", "value", "unit", "source", "verified", "note")
DATA = Path(__file__).resolve().parent.parent / "models" / "data"

Figure = tuple[float, str]
"""A value and its status."""
Figures = Mapping[tuple[str, int], Figure]


def read(path: Path) -> dict[tuple[str, int], Figure]:
    """Value and status per (series, year)."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row["series"], int(row["year"])): (float(row["value"]), row["verified"])
            for row in csv.DictReader(file)
        }


def weakest(statuses: Iterable[str]) -> str:
    """The lowest status among the parts of a derived value."""
    return max(statuses, key=STATUSES.index)


def cloud(reported: Figures, year: int) -> tuple[Figure, str]:
    """AWS net sales in million USD. Before 2008 nil; 2009-2012 between the two known ends."""
    if year < 2008:
        return (0.0, "primary"), ""
    if ("aws_net_sales", year) in reported:
        return reported["aws_net_sales", year], ""
    first, last = reported["aws_net_sales", 2008][0], reported["aws_net_sales", 2013][0]
    between = math.exp(math.log(first) + (math.log(last) - math.log(first)) * (year - 2008) / 5)
    return (between, "estimate"), "cloud sales between 2008 and 2013 interpolated in logarithms"


def online_net_sales(reported: Figures, year: int) -> tuple[Figure, str]:
    """Net sales without cloud services and physical stores (million USD)."""
    total, status = reported["net_sales", year]
    (aws, aws_status), note = cloud(reported, year)
    stores, stores_status = (0.0, status)
    if year >= 2017:
        stores, stores_status = reported["physical_stores", year]
    # Before 2013 cloud sales are below 2.5 percent of the total, so they do not spoil its status.
    parts = [status, stores_status, *([aws_status] if year >= 2013 else [])]
    return (total - aws - stores, weakest(parts)), note


def online_operating_income(reported: Figures, year: int) -> tuple[Figure, str]:
    """Operating income without the AWS segment (million USD); physical stores stay in."""
    total, status = reported["operating_income", year]
    if year < 2009:
        return (total, status), ""
    if year < 2013:
        return (total, weakest([status, "estimate"])), "includes cloud income, not reported then"
    aws, aws_status = reported["aws_operating_income", year]
    return (total - aws, weakest([status, aws_status])), ""


def online_operating_cost(reported: Figures, year: int) -> tuple[Figure, str]:
    """Operating cost per USD of net sales, both without AWS: 1 is break-even.

    From 2002: the model does not carry the awareness spending and write-offs of the dot-com years.
    """
    (income, status), note = online_operating_income(reported, year)
    total, sales_status = reported["net_sales", year]
    (aws, aws_status), sales_note = cloud(reported, year)
    parts = [status, sales_status, *([aws_status] if year >= 2013 else [])]
    return (1 - income / (total - aws), weakest(parts)), note or sales_note


def logistics_share(reported: Figures, year: int) -> tuple[Figure, str]:
    """Fulfilment plus outbound shipping cost per USD of online net sales."""
    fulfilment, first = reported["fulfillment", year]
    shipping, second = reported["shipping_costs", year]
    (sales, third), note = online_net_sales(reported, year)
    return ((fulfilment + shipping) / sales, weakest([first, second, third])), note


def third_party_share(reported: Figures, year: int) -> tuple[Figure, str]:
    """Third-party share of gross merchandise sales, as a fraction.

    From 2002: Auctions and zShops of 1999-2000 are not in the model, and 2001 is the year in which
    the marketplace filled up from nothing.
    """
    percent, status = reported["third_party_share_of_physical_gms", year]
    return (percent / 100, status), ""


def marketing_share(reported: Figures, year: int) -> tuple[Figure, str]:
    """Marketing per USD of net sales, cloud services included in both."""
    cost, first = reported["marketing", year]
    sales, second = reported["net_sales", year]
    return (cost / sales, weakest([first, second])), ""


def third_party_sales(reported: Figures, year: int) -> tuple[Figure, str]:
    """Gross merchandise sales of third parties (billion USD), without Auctions and zShops of 1999."""
    return reported["third_party_gms", year], ""


Derivation = tuple[str, str, str, int, int, Callable[[Figures, int], tuple[Figure, str]]]
DERIVED: tuple[Derivation, ...] = (
    (
        "online_net_sales",
        "million USD",
        "net_sales - aws_net_sales - physical_stores",
        1997,
        2025,
        online_net_sales,
    ),
    (
        "online_operating_income",
        "million USD",
        "operating_income - aws_operating_income",
        1998,
        2025,
        online_operating_income,
    ),
    (
        "online_operating_cost_share",
        "1",
        "1 - (operating_income - aws_operating_income) / (net_sales - aws_net_sales)",
        2002,
        2025,
        online_operating_cost,
    ),
    (
        "logistics_share",
        "1",
        "(fulfillment + shipping_costs) / (net_sales - aws_net_sales - physical_stores)",
        2006,
        2024,
        logistics_share,
    ),
    (
        "third_party_share",
        "1",
        "third_party_share_of_physical_gms / 100",
        2002,
        2018,
        third_party_share,
    ),
    ("marketing_share", "1", "marketing / net_sales", 2001, 2025, marketing_share),
    ("third_party_sales", "billion USD", "third_party_gms", 2018, 2023, third_party_sales),
)


def derive(reported: Figures) -> list[dict[str, str]]:
    """All derived rows, by series and year; a year with a missing part is left out."""
    rows = []
    for series, unit, formula, first, last, make in DERIVED:
        for year in range(first, last + 1):
            try:
                (value, status), note = make(reported, year)
            except KeyError:
                continue
            rows.append(
                {
                    "year": str(year),
                    "series": series,
                    "value": f"{value:.6g}",
                    "unit": unit,
                    "source": f"derived: {formula}",
                    "verified": status,
                    "note": note,
                }
            )
    return sorted(rows, key=lambda row: (row["series"], int(row["year"])))


def as_csv(rows: Iterable[Mapping[str, str]]) -> str:
    """The rows as the text of the file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main() -> None:
    """Write the derived file beside the reported one."""
    rows = derive(read(DATA / "amazon.csv"))
    (DATA / "amazon_online.csv").write_text(as_csv(rows), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
