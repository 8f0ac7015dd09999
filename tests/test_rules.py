"""Two decision rules of one flow: read side by side, run both, and told apart in numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import flywheel as fw
from flywheel.cli import main

STORE = """model store "A store that orders"
time 0 to 10 [week] step 1/16 save 1/4
unit case
stock shelf "Shelf" [case] = 100 gains orders loses sales
flow orders "Orders" [case/week] = usual
    desired (wanted - shelf) / delay
flow sales "Sales" [case/week] = rate
    desired shelf / 10
param usual "Usual order" [case/week] = 5 in 0 .. 10 from guess
param rate "Sales rate" [case/week] = 5 in 0 .. 10 from guess
param wanted "Wanted" [case] = 50 in 0 .. 100 from guess
param delay "Time to correct" [week] = 2 in 1 .. 4 from guess
outcome last "Shelf at the end" [case] = shelf at 10
outcome sold "Sold" [case] = total sales
scenario busy "Busy": rate = 10
"""


def test_pairs_are_read_as_they_were_written() -> None:
    orders, sales = fw.parse(STORE).rules().pairs
    assert (orders.name, orders.label, str(orders.unit)) == ("orders", "Orders", "case/week")
    assert fw.print_expr(orders.current) == "usual"
    assert fw.print_expr(orders.desired) == "(wanted - shelf) / delay"
    assert (orders.gone, orders.new) == (("usual",), ("wanted", "shelf", "delay"))
    assert fw.print_expr(sales.desired) == "shelf / 10"
    assert orders.span is not None
    assert orders.span.line == 5


def test_outcomes_of_every_version_by_closed_form() -> None:
    rules = fw.parse(STORE).rules()
    assert rules.versions == ("current", "orders", "sales", "all")
    last, sold = rules.effects
    # d shelf/dt = usual - rate; (wanted - shelf)/2 - 5; 5 - shelf/10; 25 - 0.6 shelf
    exact = {
        "current": 100.0,
        "orders": 40 + 60 * math.exp(-5),
        "sales": 50 + 50 * math.exp(-1),
        "all": 125 / 3 + (100 - 125 / 3) * math.exp(-6),
    }
    assert last.values == pytest.approx(exact, rel=1e-6)
    assert last.difference("orders") == pytest.approx(exact["orders"] - 100, rel=1e-6)
    assert last.difference("current") == 0
    # What was sold is what came in less what was left: 50 came in with the usual orders.
    assert sold.values["sales"] == pytest.approx(50 + 100 - exact["sales"], rel=1e-6)
    assert rules.ok


def test_desired_rules_from_a_time() -> None:
    last, _ = fw.parse(STORE).rules(at=4).effects
    assert last.values["orders"] == pytest.approx(40 + 60 * math.exp(-3), rel=1e-6)
    with pytest.raises(fw.UsageError, match="0 to 10"):
        fw.parse(STORE).rules(at=11)


def test_a_scenario_holds_for_every_version() -> None:
    last, _ = fw.parse(STORE).rules(scenario="busy").effects
    assert last.values["current"] == pytest.approx(50)
    assert last.values["orders"] == pytest.approx(30 + 70 * math.exp(-5), rel=1e-6)
    with pytest.raises(fw.UnknownNameError):
        fw.parse(STORE).rules(scenario="bsy")


def test_one_pair_needs_no_version_with_all() -> None:
    one = STORE.replace("    desired shelf / 10\n", "")
    assert fw.parse(one).rules().versions == ("current", "orders")


def test_pairs_inside_modules_and_under_overrides_are_found(tmp_path: Path) -> None:
    (tmp_path / "store.fly").write_text(STORE)
    host = fw.parse(
        "model host\ntime 0 to 10 [week] step 1/16\nparam extra [case/week] = 1\n"
        "use store as s\n    override s.orders = s.orders + extra\n",
        folder=tmp_path,
    )
    rules = host.rules()
    assert [pair.name for pair in rules.pairs] == ["s.orders", "s.sales"]
    assert fw.print_expr(rules.pairs[0].desired) == "(s.wanted - s.shelf) / s.delay"
    last = rules.effects[0]
    assert last.name == "s.last"
    assert last.values["current"] == pytest.approx(110)
    assert last.values["s.orders"] == pytest.approx(42 + 58 * math.exp(-5), rel=1e-6)


def test_without_outcomes_the_stocks_tell() -> None:
    bare = "\n".join(line for line in STORE.splitlines() if not line.startswith("outcome"))
    (shelf,) = fw.parse(bare).rules().effects
    assert (shelf.name, shelf.values["current"]) == ("shelf", 100)


def test_a_model_without_pairs_has_an_empty_table() -> None:
    rules = fw.load("payments").rules()
    assert (rules.pairs, rules.versions, rules.effects) == ((), (), ())
    assert rules.ok
    assert "desired" in str(rules)


def test_a_version_that_fails_is_said() -> None:
    rules = fw.parse(STORE.replace("shelf / 10", "shelf / (time - 2)")).rules()
    assert not rules.ok
    assert set(rules.failures) == {"sales", "all"}
    assert math.isnan(rules.effects[0].values["sales"])
    assert rules.effects[0].values["current"] == 100


@pytest.fixture
def flywheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    monkeypatch.chdir(tmp_path)
    Path("store.fly").write_text(STORE)

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return run


def test_the_command_shows_both_and_the_difference(
    flywheel: Callable[..., tuple[object, str, str]],
) -> None:
    code, out, err = flywheel("rules", "store.fly")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[:3] == [
        "orders [case/week]  Orders",
        "current  usual",
        "desired  (wanted - shelf) / delay",
    ]
    assert "reads no more: usual" in lines
    assert "reads newly: wanted, shelf, delay" in lines
    (row,) = [line for line in lines if line.startswith("Shelf at the end")]
    assert row.split()[4:] == [
        "100", "cases", "40.4", "cases", "−59.6", "%", "68.4", "cases", "−31.6", "%",
        "41.8", "cases", "−58.2", "%",
    ]  # fmt: skip
    assert "in force from 4" in flywheel("rules", "store.fly", "--at", "4")[1]


def test_the_command_in_json_and_its_codes(
    flywheel: Callable[..., tuple[object, str, str]],
) -> None:
    code, out, _ = flywheel("rules", "store.fly", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["versions"] == ["current", "orders", "sales", "all"]
    assert document["rules"][0]["desired"] == "(wanted - shelf) / delay"
    assert document["outcomes"][0]["differences"]["orders"] == pytest.approx(-59.6, abs=0.01)
    code, out, err = flywheel("rules", "payments")
    assert (code, out) == (0, "")
    assert "no desired rule" in err
    assert flywheel("rules", "store.fly", "--at", "11")[0] == 2
    Path("bad.fly").write_text(STORE.replace("shelf / 10", "shelf / (time - 2)"))
    code, _, err = flywheel("rules", "bad.fly")
    assert code == 1
    assert "sales: the run failed" in err
