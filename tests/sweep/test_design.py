"""Designs: the same rows however they are cut, plain data, files with mistakes, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr

from flywheel.errors import UnknownNameError, UsageError
from flywheel.language import parse
from flywheel.model import Model
from flywheel.sweep import listing
from flywheel.sweep.design import (
    LARGEST,
    Design,
    crossed,
    from_csv,
    grid,
    levers_on_off,
    listed,
    ranges_of,
    sample,
)
from flywheel.sweep.distributions import Constant, LogUniform, Normal, Triangular, Uniform

TEXT = """model Shop
time 2000 to 2010 [year] step 1/4
unit customer
stock Customers [customer] = 100 gains joining
flow joining [customer/year] = Customers * growth
param growth [1/year] = 0.1 in 0.05 .. 0.2
param price [1] = 5 in 2 .. 9 from estimate "a survey" ± 1.5
param fee [1] = 3
lever ads = growth by 50%
lever sale = price to 4
scenario Bust: growth = 0.05
scenario Boom: growth = 0.2
"""


@pytest.fixture(scope="module")
def shop() -> Model:
    return parse(TEXT)


MIXED = {
    "growth": LogUniform(0.01, 0.5),
    "price": Normal(5, 1.5, 2, 9),
    "fee": (1.0, 4.0),
    "Customers": Triangular(50, 100, 300),
    "ads": 0.5,
}
PAIRS = {("price", "growth"): -0.6, ("fee", "price"): 0.3}


@st.composite
def designs(draw: st.DrawFn) -> Design:
    kind = draw(st.sampled_from(["grid", "list", "sobol", "lhs", "random"]))
    number = st.floats(-1e9, 1e9)
    if kind == "grid":
        values = st.lists(number, min_size=1, max_size=4)
        made = grid(**draw(st.dictionaries(st.sampled_from("abcde"), values, min_size=1)))
    elif kind == "list":
        k = draw(st.integers(1, 3))
        row = st.lists(number, min_size=k, max_size=k)
        rows = draw(st.lists(row, min_size=1, max_size=20))
        labels = draw(st.sampled_from([None, [None, "Boom"]]))
        if labels:
            return listed(list("abc"[:k]), rows, (labels * len(rows))[: len(rows)])
        made = listed(list("abc"[:k]), rows)
    else:
        pairs = draw(st.sampled_from([None, PAIRS]))
        runs, seed = draw(st.integers(1, 100)), draw(st.integers(0, 2**64 - 1))
        made = sample(MIXED, runs, kind, seed, pairs)
    scenarios = draw(st.sampled_from([None, [None, "Boom"], ["Boom", "Bust"]]))
    return made if scenarios is None else crossed(made, scenarios)


@given(designs(), st.data())
def test_any_cut_gives_the_same_bytes_and_scenarios(design: Design, data: st.DataObject) -> None:
    total = design.count
    rows, labels = design.rows(0, total), design.labels(0, total)
    assert rows.shape == (total, len(design.names))
    assert rows.dtype == np.float64
    assert np.isfinite(rows).all()
    assert len(labels) == total
    assert set(labels) == set(design.scenarios)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=4)))
    ends = list(zip([0, *cuts], [*cuts, total], strict=True))
    parts = [design.rows(a, b - a) for a, b in ends]
    assert b"".join(part.tobytes() for part in parts) == rows.tobytes()
    assert sum((design.labels(a, b - a) for a, b in ends), ()) == labels


@pytest.mark.parametrize("chunk", [5, 64, 137, 1000, 4096])
@pytest.mark.parametrize("kind", ["sobol", "lhs", "random"])
def test_chunks_of_a_large_sample_are_its_bytes(kind: str, chunk: int) -> None:
    design = sample(MIXED, 10_000, kind, 5, PAIRS)
    whole = design.rows(2_000, 3_000)
    starts = range(2_000, 5_000, chunk)
    parts = [design.rows(first, min(chunk, 5_000 - first)) for first in starts]
    assert b"".join(part.tobytes() for part in parts) == whole.tobytes()


@given(designs())
def test_plain_data_gives_the_same_design(design: Design) -> None:
    again = Design.from_dict(json.loads(json.dumps(design.as_dict(), allow_nan=False)))
    assert again == design
    assert again.fingerprint == design.fingerprint
    assert again.names == design.names
    assert again.rows(0, again.count).tobytes() == design.rows(0, design.count).tobytes()
    assert again.labels(0, again.count) == design.labels(0, design.count)


def test_other_runs_have_another_fingerprint() -> None:
    each = [
        sample({"a": (0, 1)}, 8),
        sample({"a": (0, 1)}, 9),
        sample({"a": (0, 1)}, 8, seed=1),
        sample({"a": (0, 1)}, 8, "lhs"),
        sample({"a": (0, 2)}, 8),
        sample({"b": (0, 1)}, 8),
        grid(a=[0, 1]),
        grid(a=[1, 0]),
        listed(["a"], [[0], [1]]),
        crossed(grid(a=[0, 1]), ["Boom"]),
    ]
    assert len({design.fingerprint for design in each}) == len(each)
    assert len(set(each)) == len(each)
    assert len(each[0].fingerprint) == 64


# Grids and lists ------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_grid_is_every_combination_with_the_last_input_fastest(values: list[list[int]]) -> None:
    design = grid(**{f"p{n}": own for n, own in enumerate(values)})
    np.testing.assert_array_equal(design.rows(0, design.count), list(product(*values)))


def test_a_large_grid_costs_nothing_until_it_is_run() -> None:
    design = grid(a=np.linspace(0, 1, 10_000), b=range(10_000))
    assert design.count == LARGEST
    np.testing.assert_array_equal(design.rows(LARGEST - 1, 1), [[1.0, 9999.0]])


def test_a_list_is_a_copy_of_its_rows() -> None:
    given = np.array([[1.0, 2.0], [3.0, 4.0]])
    design = listed(["a", "b"], given)
    given[0, 0] = 99
    design.rows(0, 2)[1, 1] = 99
    np.testing.assert_array_equal(design.rows(0, 2), [[1, 2], [3, 4]])


def test_levers_on_and_off_are_every_combination(shop: Model) -> None:
    design = levers_on_off(shop)
    assert design.names == ("ads", "sale")
    np.testing.assert_array_equal(design.rows(0, 4), [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert levers_on_off(shop, ["SALE"]).names == ("sale",)


# Samples --------------------------------------------------------------------------------------------


def test_a_sample_goes_through_the_quantile_functions() -> None:
    x = sample(MIXED, 4096, "lhs", seed=3).rows(0, 4096)
    for column, own in zip(x.T[:4], [*MIXED.values()][:4], strict=True):
        own = Uniform(*own) if isinstance(own, tuple) else own
        middle = (np.arange(4096) + 0.5) / 4096
        # One point in every slice: sorted, they cannot be far from the quantiles.
        spread = own.ppf(np.array([0.999])) - own.ppf(np.array([0.001]))
        inner = slice(40, -40)
        far = np.abs(np.sort(column) - own.ppf(middle))[inner]
        assert far.max() < 0.01 * spread
    np.testing.assert_array_equal(x[:, 4], 0.5)


@pytest.mark.parametrize("kind", ["sobol", "lhs", "random"])
def test_a_sample_has_the_rank_correlations_asked_for(kind: str) -> None:
    n = 8192
    x = sample(MIXED, n, kind, 1, PAIRS).rows(0, n)[:, :4]
    found = spearmanr(x).statistic
    wanted = np.eye(4)
    wanted[0, 1] = wanted[1, 0] = -0.6
    wanted[1, 2] = wanted[2, 1] = 0.3
    assert np.abs(found - wanted).max() < 4.5 / np.sqrt(n)
    # Each input keeps its distribution.
    free = sample(MIXED, n, kind, 1).rows(0, n)[:, :4]
    np.testing.assert_allclose(np.median(x, axis=0), np.median(free, axis=0), rtol=0.05)


@pytest.mark.parametrize("kind", ["sobol", "random"])
def test_a_longer_sample_begins_with_the_shorter_one(kind: str) -> None:
    short, long = sample(MIXED, 64, kind), sample(MIXED, 256, kind)
    assert long.rows(0, 64).tobytes() == short.rows(0, 64).tobytes()


def test_a_million_may_be_written_as_a_float() -> None:
    assert sample({"a": (0, 1)}, 1e6).count == 1_000_000
    assert sample({"a": (0, 1)}, np.int64(10), seed=2**64 - 1).count == 10


def test_ranges_and_evidence_of_a_model_are_distributions(shop: Model) -> None:
    found = ranges_of(shop)
    assert found == {
        "growth": LogUniform(0.05, 0.2),  # 1 per time
        "price": Normal(5, 1.5, 2, 9),
        "fee": Uniform(3 - 0.6, 3 + 0.6),
    }
    assert ranges_of(shop, ["price"], evidence=False) == {"price": Uniform(2, 9)}
    assert ranges_of(shop, ["price"], {"price": (1.0, 2.0)}) == {"price": Uniform(1, 2)}
    assert sample(found, 4).spelled(shop).names == ("growth", "price", "fee")


# Scenarios ------------------------------------------------------------------------------------------


def test_each_scenario_has_all_runs() -> None:
    inner = grid(a=[1, 2, 3])
    design = crossed(inner, [None, "Boom"])
    np.testing.assert_array_equal(design.rows(0, 6)[:, 0], [1, 2, 3, 1, 2, 3])
    assert design.labels(1, 4) == ("", "", "Boom", "Boom")
    assert design.scenarios == ("", "Boom")
    assert inner.labels(0, 3) == ("", "", "")


# Names of a model -----------------------------------------------------------------------------------


def test_names_are_spelled_as_the_model_declares_them(shop: Model) -> None:
    design = crossed(grid(GROWTH=[0.1], customers=[5], Ads=[0, 1]), ["boom"]).spelled(shop)
    assert design.names == ("growth", "Customers", "ads")
    assert design.labels(0, 2) == ("Boom", "Boom")
    assert Design.from_dict(design.as_dict()) == design
    rows = listed(["Price"], [[1], [2]], [None, "BUST"]).spelled(shop)
    assert rows.labels(0, 2) == ("", "Bust")
    drawn = sample({"PRICE": (1, 2), "Fee": (1, 2)}, 4, correlation={("fee", "price"): 0.5})
    assert drawn.spelled(shop) == sample(
        {"price": (1, 2), "fee": (1, 2)}, 4, correlation={("price", "fee"): 0.5}
    )


@pytest.mark.parametrize(
    ("design", "said"),
    [
        (grid(grwoth=[1]), "no parameter, stock or lever called 'grwoth'. Did you mean 'growth'"),
        (grid(joining=[1]), "no parameter, stock or lever called 'joining'"),
        (crossed(grid(fee=[1]), ["Bom"]), "no scenario called 'Bom'. Did you mean 'Boom'"),
        (listed(["fee"], [[1]], ["Slump"]), "no scenario called 'Slump'"),
    ],
)
def test_names_that_the_model_does_not_have_are_refused(
    shop: Model, design: Design, said: str
) -> None:
    with pytest.raises(UnknownNameError, match=said):
        design.spelled(shop)


def test_a_lever_that_is_none_is_refused(shop: Model) -> None:
    with pytest.raises(UnknownNameError, match=r"no lever called 'adz'\. Did you mean 'ads'"):
        levers_on_off(shop, ["adz"])
    with pytest.raises(UsageError, match="twice"):
        levers_on_off(shop, ["ads", "ADS"])
    with pytest.raises(UsageError, match="no levers"):
        levers_on_off(shop, [])


# Refusals -------------------------------------------------------------------------------------------

AB = {"a": (0, 1), "b": (0, 1), "c": (0, 1)}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: grid(), "at least one input"),
        (lambda: grid(a=[]), "a has no values"),
        (lambda: grid(a=[1, float("nan")]), "a must be a finite number"),
        (lambda: grid(a="12"), "not the text '12'"),
        (lambda: grid(a=[1], A=[2]), "A is given twice"),
        (
            lambda: grid(a=range(1000), b=range(1000), c=range(1000)),
            r"1,000,000,000 runs \(1,000 × 1,000 × 1,000\), more than 100,000,000",
        ),
        (lambda: listed([], []), "at least one input"),
        (lambda: listed("ab", [[1, 2]]), r"\['ab'\]"),
        (lambda: listed(["a"], []), "at least one run"),
        (lambda: listed(["a"], [[1, 2]]), "1 names need rows of as many"),
        (lambda: listed(["a", "b"], [[1, 2], [1]]), "rows must be numbers, 2"),
        (lambda: listed(["a"], [["x"]]), "rows must be numbers"),
        (lambda: listed(["a", "b"], [[1, 2], [3, float("inf")]]), "b is inf in row 1"),
        (lambda: listed(["a"], [[1], [2]], ["Boom"]), "2 rows need as many scenarios, not 1"),
        (lambda: sample({}, 4), "at least one input"),
        (lambda: sample(AB, 0), "at least one run, not 0"),
        (lambda: sample(AB, 1.5), "runs must be a whole number"),
        (lambda: sample(AB, 10**9), "1,000,000,000 runs, more than 100,000,000"),
        (lambda: sample(AB, 4, "lsh"), "there are sobol, lhs and random. Did you mean 'lhs'"),
        (lambda: sample(AB, 4, seed=-1), "seed"),
        (lambda: sample({"a": (2, 1)}, 4), "must go up"),
        (lambda: sample({"a": (1, 2, 3)}, 4), "the range of a is"),
        (lambda: sample({"a": "1 to 2"}, 4), "a needs a range, a number, or one of Uniform"),
        (lambda: sample({"a": norm(0, 1)}, 4), "a needs a range"),
        (lambda: sample(AB, 4, correlation={("a", "d"): 0.1}), "the sample has no input called"),
        (lambda: sample(AB, 4, correlation={("a", "a"): 0.1}), "with itself"),
        (lambda: sample(AB, 4, correlation={("a", "b"): 1}), "between -1 and 1, not 1"),
        (lambda: sample(AB, 4, correlation={"ab": 0.1}), "of two inputs"),
        (
            lambda: sample(AB, 4, correlation={("a", "b"): 0.1, ("b", "a"): 0.2}),
            "of b and a is given twice",
        ),
        (
            lambda: sample(AB, 4, correlation={("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}),
            "contradict each other",
        ),
        (lambda: sample({"a": 1, "b": (0, 1)}, 4, correlation={("a", "b"): 0.5}), "same in every"),
        (lambda: crossed(grid(a=[1]), []), "at least one scenario"),
        (lambda: crossed(grid(a=[1]), "Boom"), r"\['Boom'\]"),
        (lambda: crossed(grid(a=[1]), ["Boom", "boom"]), "boom is given twice"),
        (lambda: crossed(crossed(grid(a=[1]), ["Boom"]), ["Bust"]), "scenarios already"),
        (lambda: crossed(listed(["a"], [[1]], ["Boom"]), ["Bust"]), "scenarios already"),
        (
            lambda: crossed(sample(AB, 60_000_000), [None, "Boom"]),
            "60,000,000 runs in each of 2 scenarios: 120,000,000 runs",
        ),
        (lambda: grid(a=[1, 2]).rows(1, 2), "a design of 2 runs has no 2 runs from number 1"),
        (lambda: grid(a=[1, 2]).labels(-1, 1), "a design of 2 runs"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def damaged(design: Design, /, **changes: object) -> dict[str, object]:
    return {**design.as_dict(), **changes}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "no design"),
        ({"kind": "cube"}, "no design"),
        (damaged(grid(a=[1]), format=2), "format 2, not 1"),
        ({"kind": "grid", "format": 1}, "grid design is damaged"),
        (damaged(grid(a=[1]), names=["a", "b"]), "grid design is damaged"),
        (damaged(grid(a=[1]), values=[[None]]), "a must be a number"),
        (damaged(sample(AB, 4), runs=10**400), "sample design is damaged"),
        (damaged(sample(AB, 4), runs=10**10), "10,000,000,000 runs"),
        (damaged(sample(AB, 4), distributions=[{"kind": "x"}] * 3), "no distribution 'x'"),
        (damaged(sample(AB, 4), correlation=[1]), "sample design is damaged"),
        (damaged(crossed(grid(a=[1]), ["B"]), design={}), "no design"),
        (damaged(listed(["a"], [[1]]), rows=[["1e999"]]), "a is inf"),
    ],
)
def test_plain_data_that_is_no_design_is_refused(data: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Design.from_dict(data)


# Files ----------------------------------------------------------------------------------------------


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "runs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4e0\n",
        "\ufeffa;b\r\n1;2\r\n\r\n3;4\r\n",
        "a\tb\n 1 \t2\n3\t4",
        '"a","b"\n"1",2\n,\n3,4\n',
    ],
)
def test_a_list_from_a_file(tmp_path: Path, text: str) -> None:
    design = from_csv(written(tmp_path, text))
    assert design == listed(["a", "b"], [[1, 2], [3, 4]])


def test_a_column_of_scenarios(tmp_path: Path) -> None:
    design = from_csv(written(tmp_path, "a,Scenario,b\n1,Boom,2\n3,,4\n"))
    assert design.names == ("a", "b")
    assert design.labels(0, 2) == ("Boom", "")
    np.testing.assert_array_equal(design.rows(0, 2), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 is empty"),
        ("\n1,2\n", "line 1 is empty"),
        (
            "0.1,0.2\n1,2\n",
            "line 1 must hold the names of the inputs, but column 1 is the number 0.1",
        ),
        ("a,\n1,2\n", "line 1: column 2 has no name"),
        ("a,A\n1,2\n", "line 1 names A twice"),
        ("scenario\nBoom\n", "line 1 names no input"),
        ("a,b\n", "a header and no rows"),
        ("a,b\n1,2\n\n3\n", "line 4 has 1 value; the header names 2 columns"),
        ("a,b\n1,2,3\n", "line 2 has 3 values; the header names 2 columns"),
        ("a,b\n1,2\n3,four\n", "line 3: b is 'four', which is no number"),
        ("a,b\n1,2\n3,\n", "line 3: b has no value"),
        ("a,b\n1,nan\n", "line 2: b is nan; a run needs finite numbers"),
        ("a,b\n1,-inf\n", "line 2: b is -inf"),
        ("a,b\n1,1e999\n", "line 2: b is 1e999"),
        ("a;b\n1;2,5\n", "line 2: b is '2,5', which is no number"),
        ("a,b\n1,1_000\n", "line 2: b is '1_000', which is no number"),
        ('a,b\n1,2\n3,"4\n', "line 3 is no CSV"),
        (b"a,b\n1,\xff\xfe\n", "no text in UTF-8"),
    ],
)
def test_mistakes_in_a_file_are_said_with_their_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(UsageError, match=r"runs\.csv .*" + said):
        from_csv(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*none\.csv"):
        from_csv(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        from_csv(tmp_path)


def test_too_many_rows_are_refused_before_they_are_held(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 2 rows"):
        listing.read(written(tmp_path, "a,scenario\n1,\n2,\n3,\n"), 2)


def test_a_constant_is_a_distribution_too() -> None:
    assert sample({"a": Constant(2)}, 3) == sample({"a": 2.0}, 3)
