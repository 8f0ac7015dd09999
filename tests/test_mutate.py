"""The mutation runner: the slips it makes, who catches them, how many the shipped models catch."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from flywheel.api import model_names
from flywheel.errors import ModelError, UsageError
from flywheel.language import parse
from tools.mutate import Report, draw, main, mutate, sites

ROOT = Path(__file__).parent.parent

TUB = """model tub "A tub"
    "Water runs in at a fixed rate and out in proportion to what is there."

time 0 to 20 [day] step 1/4

unit litre

stock  water "Water" [litre] = 100 gains inflow loses outflow

flow   inflow "Inflow" [litre/day] = tap * crisp
flow   outflow "Outflow" [litre/day] = water / life

param  tap "Tap" [litre/day] = 5 in 1 .. 10 from guess
param  life "Time in the tub" [day] = 4 in 1 .. 10 from guess
param  crisp "Opening" [1] = 1 in 0 .. 1 from guess "convention: fully open"

loop B1 "Draining" = water -> outflow -> water
"""
CHECKS = """
check level "Between what it starts with and what it comes to": water > 19 and water < 101
check ends "In the end what runs in runs out": outflow > 4.8 and outflow < 5.2 at 20
check half "A tap half open gives half": when crisp = 0.5 then inflow == 0.5 * base(inflow)
"""


@pytest.fixture
def tub(tmp_path: Path) -> Path:
    path = tmp_path / "tub.fly"
    path.write_text(TUB)
    return path


def said(report: Report) -> dict[str, str]:
    """What caught each slip, by name and what it is; ``same`` for one that changes nothing."""
    return {
        f"{v.mutant.name}: {v.mutant.before} → {v.mutant.after}": v.by
        or ("same" if v.equivalent else "-")
        for v in report.verdicts
    }


def test_every_slip_of_a_tub_and_what_catches_it(tub: Path) -> None:
    """Without a check of its own a model has only its units and the sign of its loop."""
    report = mutate(tub, budget=0)
    found = said(report)
    units = {name: found.pop(name) for name in list(found) if ": [" in name}
    assert len(units) == 6
    assert set(units.values()) == {"units"}
    assert found == {
        "water: 100 → 100000": "-",
        "water: gains inflow → loses inflow": "-",
        "water: loses outflow → gains outflow": "loops",
        "inflow: tap * crisp → tap / crisp": "same",
        "inflow: tap * crisp → tap": "findings",  # then nobody reads the opening
        "inflow: tap * crisp → crisp": "units",
        "inflow: tap * crisp → 1000 * (tap * crisp)": "-",
        "outflow: water / life → water * life": "units",
        "outflow: water / life → water": "units",
        "outflow: water / life → 1 / life": "units",
        "outflow: water / life → 1000 * (water / life)": "run",  # too short for the step
        "tap: 5 → 5000, its range too": "-",
        "tap: 5 → -5, its range too": "-",
        "life: 4 → 4000, its range too": "-",
        "life: 4 → -4, its range too": "loops",
        "crisp: 1 → 1000, its range too": "-",
        "crisp: 1 → -1, its range too": "-",
    }
    assert (len(report.caught), len(report.survivors), len(report.equivalent)) == (14, 8, 1)
    assert report.rate == 14 / 22
    assert report.strict_rate == 14 / 23


def test_checks_catch_what_units_cannot(tub: Path) -> None:
    tub.write_text(TUB + CHECKS)
    report = mutate(tub, budget=0)
    assert report.rate == 1
    # The third check opens the tap by half: dividing by the opening is no longer the same.
    assert not report.equivalent
    assert said(report)["inflow: tap * crisp → tap / crisp"] == "checks"


def test_survivors_are_named_with_their_lines(tub: Path) -> None:
    report = mutate(tub, budget=0)
    lines = TUB.split("\n")
    for verdict in report.survivors:
        assert verdict.mutant.name in lines[verdict.mutant.line - 1]
        assert f"SURVIVES line {verdict.mutant.line}, " in str(report)
    assert "equivalent line 10, sign flipped in inflow" in str(report)


def test_a_mutant_differs_in_one_declaration_and_nothing_else() -> None:
    path = ROOT / "models" / "payments.fly"
    model = parse(path.read_text(), name=path.name, folder=path.parent)
    for mutant in draw(model, 40):
        try:
            other = parse(mutant.text, name=path.name, folder=path.parent)
        except ModelError:
            continue
        changed = [
            a.name for a, b in zip(model.declarations, other.declarations, strict=True) if a != b
        ]
        assert changed == [mutant.name]
        assert mutant.text.count("\n    ko ") == path.read_text().count("\n    ko ")


def test_the_drawing_is_even_over_kinds_and_the_same_for_a_seed() -> None:
    path = ROOT / "models" / "payments.fly"
    model = parse(path.read_text(), name=path.name, folder=path.parent)
    drawn = draw(model, 60, seed=3)
    assert drawn == draw(model, 60, seed=3)
    assert drawn != draw(model, 60, seed=4)
    assert len(set(drawn)) == 60
    counts = Counter(mutant.kind for mutant in drawn)
    assert max(counts.values()) - min(counts[k] for k in ("sign", "link", "unit", "thousand")) <= 1
    assert len(draw(model, 0)) == len(sites(model))


@pytest.mark.parametrize(
    ("equation", "slips"),
    [
        ("min(a, b)", {"max(a, b)", "min(1, b)", "min(a, 1)"}),
        ("if(a > b, a, 2 * b)", {
            "if(a < b, a, 2 * b)", "if(a > b, 2 * b, a)", "if(1 > b, a, 2 * b)",
            "if(a > 1, a, 2 * b)", "if(a > b, 1, 2 * b)", "if(a > b, a, 2 / b)", "if(a > b, a, 2)",
            "if(a > b, a, b)", "if(a > b, a, 2000 * b)",
        }),
        ("a - b^-2", {"a + b^-2", "a", "-b^-2", "a - b^2", "a - 1^-2", "a - b^-2000"}),
        ("not (a < b and b != 0)", {
            "a < b and b != 0", "not (a > b and b != 0)", "not (a < b or b != 0)",
            "not (a < b and b == 0)", "not (1 < b and b != 0)", "not (a < 1 and b != 0)",
            "not (a < b and 1 != 0)",
        }),
        ("time", set()),
        ("-(a + time)", {"a + time", "-(a - time)", "-a", "-time"}),
    ],
)  # fmt: skip
def test_slips_of_an_equation(equation: str, slips: set[str]) -> None:
    model = parse(
        f"model m\ntime 0 to 1 step 1\nparam a = 1\nparam b = 1\naux x = {equation}\n"
        "aux y = a + b\n"
    )
    of_x = {site.mutated for site in sites(model) if site.declaration.name == "x"}
    from flywheel.language import print_expr
    from flywheel.model import Aux

    found = {print_expr(one.equation) for one in of_x if isinstance(one, Aux)}
    whole = f"1000 * ({equation})" if not equation.startswith(("min", "if", "time")) else (
        f"1000 * {equation}"
    )  # fmt: skip
    assert found - {whole, f"1000 * {equation}"} == slips


def test_desired_rules_and_modules_are_broken_too(tmp_path: Path) -> None:
    path = tmp_path / "host.fly"
    (tmp_path / "tub.fly").write_text(TUB)
    path.write_text(
        "model host\ntime 0 to 20 [day] step 1/4\n"
        "flow pour [litre/day] = 2 * supply\n    desired 3 * supply\n"
        "param supply [litre/day] = 1 in 0 .. 2 from guess\n"
        "use tub as t with tap = pour + supply\n    override t.outflow = t.outflow + 2 * supply\n"
    )
    model = parse(path.read_text(), name=path.name, folder=tmp_path)
    slips = {f"{m.name}: {m.before} → {m.after}" for m in draw(model, 0)}
    assert "pour: 3 * supply → 3 / supply" in slips
    assert "t: pour + supply → pour - supply" in slips
    assert "t: t.outflow + 2 * supply → t.outflow - 2 * supply" in slips
    # The module's own equations are broken in its own file.
    assert not any("water" in slip for slip in slips)
    for mutant in draw(model, 0):
        if mutant.name in ("pour", "t"):
            assert parse(mutant.text, name=path.name, folder=tmp_path) != model, mutant


def test_a_model_with_errors_of_its_own_is_refused(tub: Path) -> None:
    tub.write_text(TUB + 'check wrong "No": water < 0\n')
    with pytest.raises(UsageError, match="errors of its own"):
        mutate(tub)
    tub.write_text(TUB.replace("tap * crisp", "tap *"))
    with pytest.raises(ModelError):
        mutate(tub)


def test_the_command_says_the_rate_and_fails_below_a_bar(
    tub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tub), "--budget", "0"]) == 0
    assert capsys.readouterr().out.startswith("tub: 63.6% caught: 14 of 23 mutants, 8 survive, 1")
    assert main([str(tub), "--budget", "0", "--at-least", "0.9", "--json"]) == 1
    (document,) = json.loads(capsys.readouterr().out)
    assert document["rate"] == pytest.approx(14 / 22)
    assert document["survived"] == sum(
        not m["caught"] and not m["equivalent"] for m in document["mutants"]
    )
    assert main([str(tub.parent / "none.fly")]) == 2
    assert "none.fly" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["payments", "advertising"])
def test_a_few_mutants_of_shipped_models_are_caught(name: str) -> None:
    report = mutate(ROOT / "models" / f"{name}.fly", budget=35, seed=1)
    assert report.rate >= 0.9, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", model_names())
def test_nine_in_ten_mutants_of_every_shipped_model_are_caught(name: str) -> None:
    report = mutate(ROOT / "models" / f"{name}.fly")
    assert report.rate >= 0.9, str(report)
