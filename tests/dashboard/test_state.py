"""The address is the state: nothing lost on the way out and back, nothing believed on the way in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flywheel as fw
from flywheel.dashboard.state import MAX_QUERY, Problem, State, number, read, write


def test_an_empty_address_is_the_default_model(shop: fw.Model) -> None:
    assert read("", {"shop": shop}, "shop") == (State("shop"), ())


@given(data=st.data())
def test_written_states_read_back(shop: fw.Model, data: st.DataObject) -> None:
    finite = st.floats(allow_nan=False, allow_infinity=False)
    chosen = data.draw(st.dictionaries(st.sampled_from(list(shop.params)), finite))
    state = State(
        model="shop",
        language=data.draw(st.sampled_from(["en", "ko"])),
        scenario=data.draw(st.sampled_from(["", *shop.scenarios])),
        values=tuple((name, chosen[name]) for name in shop.params if name in chosen),
        show=tuple(data.draw(st.lists(st.sampled_from(list(shop.variables)), unique=True))),
        at=data.draw(st.none() | st.floats(2000, 2020)),
        loop=data.draw(st.sampled_from(["", *shop.declared_loops])),
        view=data.draw(st.sampled_from(["loops", "all"])),
        theme=data.draw(st.sampled_from(["", "light", "dark"])),
    )
    assert read(write(state), {"shop": shop}, "shop") == (state, ())


def test_equal_states_have_equal_links(shop: fw.Model) -> None:
    one, _ = read("?p.word=1&p.churn=0.2", {"shop": shop}, "shop")
    other, _ = read("?p.churn=0.20&model=shop&p.word=1.0&lang=en", {"shop": shop}, "shop")
    assert write(one) == write(other) == "?model=shop&p.churn=0.2&p.word=1"


@pytest.mark.parametrize(
    ("query", "kind", "name"),
    [
        ("?model=shpo", "link_model", "shpo"),
        ("?scenario=boom", "link_scenario", "boom"),
        ("?loop=R9", "link_loop", "R9"),
        ("?p.chrun=0.1", "link_param", "chrun"),
        ("?p.churn=many", "link_value", "churn"),
        ("?p.churn=nan", "link_value", "churn"),
        ("?p.churn=1e999", "link_value", "churn"),
        ("?show=customers,profit", "link_variable", "profit"),
        ("?p.churn=1" + "&x=1" * MAX_QUERY, "link_too_long", ""),
        ("?" + "&".join(f"a{i}=1" for i in range(1500)), "link_too_long", ""),
    ],
)
def test_what_a_link_asks_for_and_is_not_there_is_told(
    shop: fw.Model, query: str, kind: str, name: str
) -> None:
    state, problems = read(query, {"shop": shop}, "shop")
    assert problems == (Problem(kind, name),)
    assert state.model == "shop"


def test_names_meet_in_any_case(shop: fw.Model) -> None:
    state, problems = read("?P.x=1&p.CHURN=0.2&scenario=CRISIS", {"shop": shop}, "shop")
    assert state.values == (("churn", 0.2),)
    assert state.scenario == "crisis"
    assert problems == ()


@given(st.text(max_size=300))
def test_no_address_raises(shop: fw.Model, query: str) -> None:
    state, _ = read(query, {"shop": shop}, "shop")
    assert state.model == "shop"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_short_and_exact(value: float) -> None:
    assert float(number(value)) == value
    assert not number(value).endswith(".0")
