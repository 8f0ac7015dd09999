"""What the text means."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from flywheel import language
from flywheel.errors import LimitError, ModelError, UsageError
from flywheel.expr import Binary, Call, Expr, Name, Number, Unary, walk
from flywheel.language import limits, make_tables, tables
from flywheel.model import Model
from flywheel.units import Unit

FOLDER = Path(__file__).parent
HEAD = "model m\ntime 0 to 10 [year] step 1/4\n"


def codes(text: str, **options: object) -> list[str]:
    with pytest.raises(ModelError) as caught:
        language.parse(text, **options)  # type: ignore[call-overload]
    return [finding.code for finding in caught.value.findings]


@pytest.fixture(scope="module")
def shop() -> Model:
    return language.load_file(FOLDER / "sample.fly")


def test_every_kind_of_line_is_read(shop: Model) -> None:
    assert (shop.name, shop.label) == ("corner_shop", "The corner shop")
    assert shop.doc.startswith("Customers bring customers until the town is full; crowding")
    assert shop.translations == (("ko", "동네 가게", "손님이 손님을 부른다."),)
    assert (shop.time.start, shop.time.stop, shop.time.step, shop.time.save) == (
        2000, 2020, 1 / 16, 1 / 4,
    )  # fmt: skip
    assert shop.units["kcust"].factor == 1000
    assert shop.units["customer"].definition is None
    churn = shop.params["churn"]
    assert (churn.value, churn.low, churn.high) == (0.12, 0.05, 0.3)
    assert churn.trailing_comment.strip() == "nobody counted"
    evidence = shop.params["word_of_mouth"].evidence
    assert evidence is not None
    assert (evidence.kind, evidence.source, evidence.sd) == ("survey", "50 customers", 0.2)
    stock = shop.stocks["customers"]
    assert (stock.gains, stock.loses, stock.low, stock.high) == (("joining",), ("leaving",), 0, None)
    assert stock.unit == Unit((("kcust", Fraction(1)),))
    comfort = shop.tables["comfort"]
    assert comfort.points == ((0, 1), (0.5, 1), (1, 0.9), (1.5, 0.5), (2, 0.3))
    assert comfort.extrapolate
    assert comfort.input == "utilisation"
    counted = shop.data["counted"]
    assert [point.value for point in counted.points] == pytest.approx([0.09, 0.17, 0.4, 1.9])
    assert [point.verified for point in counted.points] == [True, True, False, True]
    assert counted.points[0].source == "till rolls"
    assert shop.data["rent"].hold
    assert [point.time for point in shop.data["rent"].points] == [2000.5, 2010.5]
    assert shop.observes[0].data == "counted"
    assert shop.outcomes["value"].discount == 0.08
    assert shop.outcomes["half_full"].measure == "time of"
    assert shop.outcomes["busiest"].since == 2005
    assert shop.levers["more_seats"].once
    assert shop.levers["kinder"].by == -0.1
    assert shop.scenarios["crisis"].settings[0].until == 2010
    assert shop.declared_loops["B1"].path[0] == shop.declared_loops["B1"].path[-1]
    assert shop.checks["silence"].scenario == "no_talk"
    assert shop.checks["more_is_more"].when[1].since == 2005


def test_every_node_knows_its_place(shop: Model) -> None:
    for declaration in shop.declarations:
        assert declaration.span is not None
        assert declaration.name_span is not None
        assert declaration.name_span.text == declaration.name
        assert declaration.span.text.split()[0] in declaration.span.source.text
    for flow in shop.flows.values():
        for node in walk(flow.equation):
            assert node.span is not None
            if isinstance(node, Name):
                assert node.span.text == node.name


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("-2^2", Unary("-", Binary("^", Number(2), Number(2)))),
        ("2^-1", Binary("^", Number(2), Number(-1))),
        ("2^3^2", Binary("^", Number(2), Binary("^", Number(3), Number(2)))),
        ("-2", Number(-2)),
        ("-(2)", Unary("-", Number(2))),
        ("--2", Unary("-", Number(-2))),
        ("+a", Name("a")),
        ("a - b - c", Binary("-", Binary("-", Name("a"), Name("b")), Name("c"))),
        ("a / b * c", Binary("*", Binary("/", Name("a"), Name("b")), Name("c"))),
        ("-a * b", Binary("*", Unary("-", Name("a")), Name("b"))),
        ("a + b < c * d", Binary("<", Binary("+", Name("a"), Name("b")),
                                 Binary("*", Name("c"), Name("d")))),
        ("not a < b", Unary("not", Binary("<", Name("a"), Name("b")))),
        ("a or b and c", Binary("or", Name("a"), Binary("and", Name("b"), Name("c")))),
        ("not a and b", Binary("and", Unary("not", Name("a")), Name("b"))),
        ("MAX(a, 5%)", Call("max", (Name("a"), Number(0.05)))),
        ("1.5e3 + .5", Binary("+", Number(1500), Number(0.5))),
    ],
)  # fmt: skip
def test_expressions_mean_what_mathematics_says(text: str, tree: Expr) -> None:
    assert language.parse_expression(text) == tree


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        ("1", ()),
        ("1/year", (("year", -1),)),
        ("USD/customer/year", (("USD", 1), ("customer", -1), ("year", -1))),
        ("USD/(customer*year)", (("USD", 1), ("customer", -1), ("year", -1))),
        ("m^2", (("m", 2),)),
        ("m^(1/2)", (("m", Fraction(1, 2)),)),
        ("1/(m/s)^2", (("m", -2), ("s", 2))),
        ("m^-1", (("m", -1),)),
    ],
)
def test_units(text: str, factors: tuple[tuple[str, Fraction], ...]) -> None:
    model = language.parse(f"{HEAD}param p [{text}] = 1")
    assert model.params["p"].unit == Unit(tuple((n, Fraction(p)) for n, p in factors))


def test_names_keep_the_spelling_of_their_declaration() -> None:
    model = language.parse(
        f"{HEAD}unit Kg\nparam Price [kg] = 3\naux b = PRICE + TIME\naux c = Mean_\naux mean_ = 1"
    )
    assert model.auxes["b"].equation == Binary("+", Name("Price"), Name("time"))
    assert model.auxes["c"].equation == Name("mean_")
    assert model.params["Price"].unit == Unit((("Kg", Fraction(1)),))


def test_words_of_the_language_are_names_where_no_word_can_stand() -> None:
    text = HEAD + (
        "param at = 1\nparam to = 2\nstock total = 0 gains from\nflow from = at * to\n"
        "outcome mean = total at 5\noutcome peak = total total\noutcome of = peak + mean\n"
        "scenario when: at = 3 from 2 to 4\ncheck then: when at = 2 then total >= 0\n"
    )
    model = language.parse(text)
    assert model.outcomes["mean"].expr == Name("total")
    assert model.outcomes["peak"].measure == "total"
    assert language.parse(language.print_model(model)) == model


def test_lines_may_stand_in_any_order_and_be_indented_as_a_whole() -> None:
    text = """
        model m
        time 0 to 1 step 1
        aux a = b
            "documented"
        param b = 1
    """
    model = language.parse(text)
    assert model.auxes["a"].doc == "documented"


def test_windows_line_ends_and_a_byte_order_mark_make_no_difference() -> None:
    text = (FOLDER / "sample.fly").read_text(encoding="utf-8")
    other = "\ufeff" + text.replace("\n", "\r\n")
    assert language.parse(other, folder=FOLDER) == language.parse(text, folder=FOLDER)
    assert language.format_text(other) == language.format_text(text)


def test_the_hash_sees_meaning_only() -> None:
    one = language.parse(f"{HEAD}param p = 1  # one\naux a = p + 1")
    two = language.parse(f"# top\n{HEAD}\n\nparam   p=1.0\naux a =\n    p\n    + 1", name="other")
    three = language.parse(f"{HEAD}param p = 2\naux a = p + 1")
    assert one.hash == two.hash != three.hash


def test_all_mistakes_are_told_together() -> None:
    text = f"{HEAD}param = 3\naux a = b +\nflow f [1/year = 3\nstock s = 0 gains g\naux c = sped(1)\n"
    assert codes(text) == [
        "no-name", "missing-operand", "open-bracket", "unknown-name", "unknown-function",
    ]  # fmt: skip


def test_very_many_mistakes_are_counted() -> None:
    text = HEAD + "\n".join(f"aux a{n} = missing{n}" for n in range(500))
    with pytest.raises(ModelError) as caught:
        language.parse(text)
    assert len(caught.value.findings) == limits.MAX_FINDINGS + 1
    assert caught.value.findings[-1].message == "and 400 more mistakes"


def test_a_data_line_needs_a_folder() -> None:
    assert codes(f'{HEAD}data d = "sample.csv" series "rent"') == ["data-needs-folder"]


def test_an_expression_is_looked_up_in_a_model(shop: Model) -> None:
    assert language.parse_expression("CUSTOMERS / Town", shop) == Binary(
        "/", Name("customers"), Name("town")
    )
    with pytest.raises(ModelError, match="did you mean customers"):
        language.parse_expression("custmers", shop)
    with pytest.raises(ModelError, match="no expression"):
        language.parse_expression("  ")
    with pytest.raises(ModelError, match="did you mean smooth"):
        language.parse_expression("smoth(customers, 1)", shop)


def test_a_file_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"Did you mean sample\.fly"):
        language.load_file(FOLDER / "sampel.fly")


def test_a_text_must_be_text() -> None:
    with pytest.raises(UsageError, match="not bytes"):
        language.parse(b"model m")  # type: ignore[call-overload]


def test_a_class_of_ones_own_is_built() -> None:
    class Mine(Model):
        """A subclass, as the API has one."""

    assert isinstance(language.parse(HEAD, build=Mine), Mine)


def test_a_model_that_no_text_can_say_is_refused() -> None:
    model = language.parse(f"{HEAD}param p = 1")
    with pytest.raises(UsageError, match="cannot be written"):
        language.print_model(model.with_(name="two words"))
    with pytest.raises(UsageError, match="cannot be written"):
        language.print_expr(Number(float("nan")))


def test_formatting_a_broken_text_is_refused() -> None:
    with pytest.raises(ModelError, match="never closed"):
        language.format_text(f"{HEAD}aux a = (1 + 2")


def test_the_kept_tables_are_those_of_the_grammar() -> None:
    kept = json.loads(tables.TABLES.read_text(encoding="utf-8"))
    grammar = tables.GRAMMAR.read_text(encoding="utf-8")
    assert kept == make_tables.compute(grammar), "run python -m flywheel.language.make_tables"


def test_a_changed_grammar_is_used_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "grammar.lark"
    grammar = tables.GRAMMAR.read_text(encoding="utf-8")
    changed.write_text(grammar.replace('"param"', '"parameter"'), encoding="utf-8")
    monkeypatch.setattr(tables, "GRAMMAR", changed)
    assert "parameter" in tables.tables.__wrapped__().keywords


# Limits: each is met at its last allowed size and refused by name one further.


def limit_of(text: str) -> str:
    with pytest.raises(LimitError) as caught:
        language.parse(text)
    return caught.value.findings[0].code


def test_limit_of_the_file(tmp_path: Path) -> None:
    room = limits.MAX_FILE_BYTES - len(HEAD)
    filling = "# " + "x" * 1000 + "\n"
    full = HEAD + (filling * (room // len(filling) + 1))[:room]
    language.parse(full)
    assert limit_of(full + "x") == "limit-file"
    (tmp_path / "big.fly").write_text(full + "x", encoding="utf-8")
    with pytest.raises(LimitError, match="1 MiB"):
        language.load_file(tmp_path / "big.fly")


def test_limit_of_variables() -> None:
    lines = [f"param p{n} = 1" for n in range(limits.MAX_VARIABLES)]
    assert len(language.parse(HEAD + "\n".join(lines)).params) == limits.MAX_VARIABLES
    assert limit_of(HEAD + "\n".join([*lines, "param more = 1"])) == "limit-variables"


def test_limit_of_names() -> None:
    most = limits.MAX_NAME_CHARACTERS
    language.parse(f"{HEAD}param {'n' * most} = 1")
    assert limit_of(f"{HEAD}param {'n' * (most + 1)} = 1") == "limit-name"
    assert limit_of(f"{HEAD}param {'이' * (most + 1)} = 1") == "limit-name"


def test_limit_of_numbers() -> None:
    most = limits.MAX_NUMBER_DIGITS
    language.parse(f"{HEAD}param p = 0.{'1' * (most - 1)}")
    assert limit_of(f"{HEAD}param p = 0.{'1' * most}") == "limit-number"


def test_limit_of_lines() -> None:
    most = limits.MAX_LINE_CHARACTERS
    language.parse(f"{HEAD}# {'x' * (most - 2)}")
    assert limit_of(f"{HEAD}# {'x' * (most - 1)}") == "limit-line"


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("-", ""), ("abs(", ")"), ("not ", ""), ("1 + ", "")]
)
def test_limit_of_depth(opening: str, closing: str) -> None:
    most = limits.MAX_DEPTH
    fits = most if closing == ")" and opening == "(" else most - 1
    spaced = {"-": "- "}.get(opening, opening)
    language.parse(f"{HEAD}aux a = {spaced * fits}time{closing * fits}")
    more = fits + 1
    assert limit_of(f"{HEAD}aux a = {spaced * more}time{closing * more}") == "limit-depth"
    deep = 3000
    assert limit_of(f"{HEAD}aux a = {spaced * deep}time{closing * deep}") == "limit-depth"
    shallow = language.parse(f"{HEAD}aux a = {spaced * fits}time{closing * fits}")
    assert language.parse(language.print_model(shallow)) == shallow
