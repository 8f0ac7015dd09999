"""Names, values, circles of equations and declared loops: everything found without a run."""

from __future__ import annotations

import dataclasses

import pytest

from flywheel.checks import check_model
from flywheel.checks.graph import check_graph
from flywheel.checks.loops import check_loops
from flywheel.checks.names import check_names
from flywheel.checks.units import infer_units
from flywheel.checks.values import check_values
from flywheel.errors import ModelError
from flywheel.expr import Name
from flywheel.kernel.expand import expand
from flywheel.language import parse
from flywheel.model import Aux, Binding, Model, Module, Observe, Scenario, Setting, Use

HEAD = "model m\ntime 0 to 10 [year] step 1/4\n"
SOUND = HEAD + (
    """
unit cust
param churn [1/year] = 0.1 in 0 .. 1 from guess
param word [1/year] = 0.5 in 0 .. 1 from guess
param market [cust] = 100 in 1 .. 1000 from estimate "a survey of ours"
param opened [year] = 3 from measured "the archive"
stock customers [cust] = 1 gains joining loses leaving bounded 0 ..
aux untapped [cust] = market - customers
flow joining [cust/year] = word * customers * crowding * step(1, opened)
flow leaving [cust/year] = churn * customers
table crowding [1] of share = (0, 1) (0.5, 0.8) (1, 0)
aux share [1] = customers / market
loop R1 "Word of mouth" = customers -> joining -> customers
loop B1 "Churn" = customers -> leaving -> customers
loop B2 "Crowding" = customers -> share -> crowding -> joining -> customers
outcome last "At the end" [cust] = customers at 10
check people "No negative people": customers >= 0
"""
)


def codes(text: str, strict: bool = False) -> list[tuple[str, str]]:
    return [(f.severity, f.code) for f in check_model(parse(SOUND + text), strict)]


@pytest.mark.parametrize("strict", [False, True])
def test_a_sound_model_has_no_findings(strict: bool) -> None:
    assert check_model(parse(SOUND), strict) == ()


def test_errors_come_first_then_the_order_of_the_file() -> None:
    text = "param idle [1] = 2\nflow nowhere [cust] = 3\naux bad [cust] = market + churn\n"
    found = check_model(parse(SOUND + text))
    assert [f.code for f in found] == ["unit-mismatch", "unused-parameter", "idle-flow"]


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("param idle [1] = 1 in 0 .. 2 from guess", "unused-parameter"),
        ("flow nowhere [cust/year] = leaving * 2", "idle-flow"),
    ],
)
def test_what_is_idle_is_a_warning_and_strictly_an_error(text: str, code: str) -> None:
    assert codes(text) == [("warning", code)]
    assert codes(text, strict=True) == [("error", code)]


def test_setting_a_parameter_is_not_using_it() -> None:
    text = "param idle [1] = 1\nscenario s: idle = 2\nlever l = idle to 3\n"
    assert codes(text) == [("warning", "unused-parameter")]
    assert codes(text + "check c: idle > 0\n") == []
    assert codes("param a [1] = 1\nlever l = word by 10% cost a * churn\n") == []


def test_a_flow_gained_and_lost_by_one_stock() -> None:
    """The language refuses it; a model built in code can still say it."""
    model = parse(SOUND)
    both = dataclasses.replace(model.stocks["customers"], gains=("joining", "leaving"))
    assert [f.code for f in check_names(_replaced(model, both))] == ["cancelled-flow"]


def test_a_claim_cannot_remember() -> None:
    model = parse(SOUND)
    from flywheel.language import parse_expression

    claim = parse_expression("smooth(customers, 1) > 0", model)
    check = dataclasses.replace(model.checks["people"], claim=claim)
    changed = _replaced(model, check)
    assert [f.code for f in check_names(changed)] == ["claim-function"]


def _replaced(model: Model, declaration: object) -> Model:
    name = declaration.name  # type: ignore[attr-defined]
    kept = tuple(declaration if d.name == name else d for d in model)
    return dataclasses.replace(model, declarations=kept)  # type: ignore[arg-type]


def test_names_of_a_model_made_by_hand() -> None:
    """The language refuses unknown names itself; a model built in code has only this check."""
    model = parse(SOUND)
    added = (
        Aux(name="a", equation=Name("custmers")),
        Aux(name="Share", equation=Name("customers")),
        Observe(name="customers", data="nothing"),
        Scenario(name="s", settings=(Setting("wrd", Name("churn")),)),
    )
    found = check_names(dataclasses.replace(model, declarations=model.declarations + added))
    said = [(f.code, f.message, f.hint) for f in found]
    assert ("duplicate-name", "'Share' is declared twice (line 14)", said[0][2]) == said[0]
    assert said[1][1:] == (
        "there is no variable or parameter called 'custmers'",
        "did you mean 'customers'?",
    )
    assert said[2][1] == "there is no data series called 'nothing'"
    assert said[3][1:] == (
        "there is no parameter or stock called 'wrd'",
        "did you mean 'word'?",
    )


# Values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("param a [1] = 5 in 0 .. 2 from guess\naux y [1] = a", ["value-outside-range"]),
        ("param a [1] = 5\naux y [1] = a", ["missing-evidence", "missing-range"]),
        ("param a [1] = 5 from guess\naux y [1] = a", ["missing-range"]),
        ('param a [1] = 5 from measured "x"\naux y [1] = a', []),
        ("param a [1] = 5 in 1 .. 9\naux y [1] = a", ["missing-evidence"]),
    ],
)
def test_strict_wants_ranges_and_evidence(text: str, found: list[str]) -> None:
    assert [code for _, code in codes(text, strict=True)] == found
    assert all(severity == "error" for severity, _ in codes(text, strict=True))
    tolerant = [("warning", code) for code in found if code == "value-outside-range"]
    assert codes(text) == tolerant


@pytest.mark.parametrize(
    "text",
    [
        "lever l = word to 2",
        "lever l = word by 300%",
    ],
)
def test_a_lever_beyond_the_range_of_its_parameter(text: str) -> None:
    assert codes(text) == [("warning", "lever-outside-range")]


def test_values_of_a_model_made_by_hand() -> None:
    model = parse(SOUND)
    word = model.params["word"]
    backwards = _replaced(model, dataclasses.replace(word, low=1.0, high=0.0))
    assert [f.code for f in check_values(backwards)] == ["empty-range"]
    late = _replaced(model, dataclasses.replace(model.outcomes["last"], at=11.0))
    found = check_values(late)
    assert [f.code for f in found] == ["time-outside"]
    assert "11 is outside the run, which goes from 0 to 10" in found[0].message


# Circles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("aux a = a + 1", "algebraic-loop", "'a' needs its own value at the same moment"),
        ("aux a = b\naux b = c\naux c = a", "algebraic-loop", "a -> c -> b -> a"),
        ("table t of a = (0, 1) (1, 2)\naux a = t", "algebraic-loop", "a -> t -> a"),
        ("aux a = trend(b, 2)\naux b = a", "algebraic-loop", "a -> b -> a"),
        ("aux a = delay1(1, b)\naux b = a", "algebraic-loop", "a -> b -> a"),
        ("stock s = a\nstock a = s", "initial-loop", "s -> a -> s"),
        ("stock s = f gains f\nflow f = s", "initial-loop", "s -> f -> s"),
        ("aux a = smooth(b, 2)\naux b = a", "initial-loop", "a -> b -> a"),
        ("aux a = delay3(b, 2, b)\naux b = a", "initial-loop", "a -> b -> a"),
    ],
)
def test_circles_without_a_stock(text: str, code: str, says: str) -> None:
    model = parse(HEAD + text)
    found = check_graph(model)
    assert [f.code for f in found] == [code]
    assert says in found[0].message
    # The kernel refuses the same circles, and no others.
    with pytest.raises(ModelError) as error:
        expand(model)
    assert error.value.findings[0].code == code


@pytest.mark.parametrize(
    "text",
    [
        "stock s = 1 gains f\nflow f = s",
        "aux a = smooth(b, 2, 1)\naux b = a + 1",
        "aux a = delay1(b, 2, 1)\naux b = a + 1",
        "aux a = delay_fixed(b, 2, 1)\naux b = a + 1",
        "stock s = a gains f\naux a = 3\nflow f = s * a",
        "table t of x = (0, 1) (1, 2)\naux a = t(time)\naux b = t(a)",
    ],
)
def test_circles_that_a_stock_or_delay_opens(text: str) -> None:
    model = parse(HEAD + text)
    assert check_graph(model) == ()
    assert expand(model).stocks or "table" in text or "fixed" in text


def test_every_knot_is_told_by_its_shortest_circle() -> None:
    text = "aux a = b + c\naux b = a\naux c = d\naux d = a\naux x = y\naux y = x\n"
    found = [f.message for f in check_graph(parse(HEAD + text))]
    assert found == [
        "a -> b -> a: these need each other's value at the same moment",
        "x -> y -> x: these need each other's value at the same moment",
    ]


# Loops ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code", "hint"),
    [
        ("R2 = customers -> leaving -> joining -> customers", "loop-link-missing", "customers"),
        ("R2 = customers -> crowding -> joining -> customers", "loop-link-missing", "share"),
        (
            "R2 = joining -> share -> crowding -> joining",
            "loop-link-missing",
            "joining -> customers",
        ),
        ("R2 = customers -> leaving -> customers", "loop-sign", "leaving -> customers"),
        ("B3 = customers -> joining -> customers", "loop-sign", ""),
    ],
)
def test_loops_that_are_not_so(path: str, code: str, hint: str) -> None:
    found = check_loops(parse(SOUND + f"loop {path}\n"))
    assert [f.code for f in found] == [code]
    assert hint in found[0].hint
    assert found[0].span is not None


def test_loops_of_a_model_made_by_hand() -> None:
    model = parse(SOUND)
    loop = model.declared_loops["R1"]
    open_end = _replaced(model, dataclasses.replace(loop, path=("customers", "joining")))
    assert [f.code for f in check_loops(open_end)] == ["loop-not-closed"]
    unknown_kind = dataclasses.replace(
        model, declarations=(*model.declarations, dataclasses.replace(loop, name="X"))
    )
    assert [f.code for f in check_loops(unknown_kind)] == ["loop-name"]
    twice = (*loop.path[:-1], *loop.path)
    eight = _replaced(model, dataclasses.replace(loop, path=twice))
    assert {f.code for f in check_loops(eight)} == {"loop-repeats"}
    backwards = _replaced(
        model, dataclasses.replace(loop, path=("joining", "untapped", "customers", "joining"))
    )
    found = check_loops(backwards)
    assert [f.code for f in found] == ["loop-link-missing"] * 2
    assert found[1].hint == "it is the other way round: customers -> untapped"


# Large models and modules -----------------------------------------------------------------------


def test_a_large_model_is_judged_without_recursion() -> None:
    """Three thousand auxiliaries in a row, none with a unit of its own."""
    size = 3_000
    chain = [Aux(name=f"a{i}", equation=Name(f"a{i + 1}")) for i in range(size)]
    model = parse(SOUND + f"aux a{size} [cust] = customers\n")
    large = dataclasses.replace(model, declarations=(*chain, *model.declarations))
    assert check_model(large) == ()
    assert str(infer_units(large).dimensions["a0"]) == "cust"
    strict = check_model(large, strict=True)
    assert [f.code for f in strict] == ["missing-unit"] * size


def _host(bound: str, unit: str) -> Model:
    """A host that plugs in the sound model, with its market bound to something of its own."""
    inner = parse(SOUND, name="inner.fly")
    host = parse(
        f"model host\ntime 0 to 5 [year] step 1/4\nunit cust\naux size [{unit}] = 5 * 1\n",
        name="host.fly",
    )
    module = Module("m", inner.time, inner.declarations)
    from flywheel.language import parse_expression

    binding = Binding("market", parse_expression(bound, host))
    use = Use(name="shop", model="m", module=module, bindings=(binding,))
    return dataclasses.replace(host, declarations=(*host.declarations, use))


def test_a_module_that_fits_has_no_findings() -> None:
    """Its switch is used by nothing, and its outcome lies after the end of the host: both fine."""
    model = _host("size", "cust")
    assert "shop.customers" in model.stocks
    assert check_model(model, strict=True) == ()


def test_units_are_checked_across_the_seam() -> None:
    (finding,) = check_model(_host("size", "cust/year"))
    assert finding.code == "unit-mismatch"
    assert "the module wants 'shop.market' in cust (inner.fly:7:" in finding.message
    assert "but it is given cust/year" in finding.message
