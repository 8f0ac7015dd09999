"""What is printed says the same, and the agreed shape is a fixed point."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel import language
from flywheel.expr import Expr
from flywheel.model import Model
from tests.strategies import DATA_FOLDER, expressions, models

MANY = int(os.environ.get("FLYWHEEL_ROUND_TRIPS", "10000"))


def check_round_trip(model: Model) -> None:
    text = language.print_model(model)
    again = language.parse(text, folder=DATA_FOLDER)
    assert again == model
    assert again.hash == model.hash
    assert language.print_model(again) == text
    assert language.format_text(text) == text


@settings(max_examples=60)
@given(models())
def test_printed_models_say_the_same(model: Model) -> None:
    check_round_trip(model)


@pytest.mark.slow
@settings(max_examples=MANY)
@given(models())
def test_very_many_printed_models_say_the_same(model: Model) -> None:
    check_round_trip(model)


@settings(max_examples=400)
@given(expressions(["a", "b", "total"], max_leaves=12))
def test_printed_expressions_say_the_same(expr: Expr) -> None:
    assert language.parse_expression(language.print_expr(expr)) == expr


SAMPLE = (DATA_FOLDER / "sample.fly").read_text(encoding="utf-8")
_squeeze = st.lists(
    st.sampled_from(["blank", "spaces", "comment", "trailing", "crlf", "tabs"]), max_size=30
)


@settings(max_examples=60)
@given(_squeeze, st.randoms(use_true_random=False))
def test_shape_does_not_depend_on_spacing(changes: list[str], random: object) -> None:
    lines = SAMPLE.split("\n")
    for change in changes:
        at = random.randrange(len(lines))  # type: ignore[attr-defined]
        line = lines[at]
        if change == "blank":
            lines.insert(at, "")
        elif change == "spaces" and '"' not in line and "#" not in line:
            body = line.lstrip()
            lines[at] = line[: len(line) - len(body)] + body.replace(" ", "   ")
        elif change == "comment":
            lines.insert(at, "# a remark")
        elif change == "trailing" and line.strip() and "#" not in line:
            lines[at] = f"{line}   #  another"
        elif change == "crlf":
            lines[at] = line.rstrip("\r") + "\r"
        elif change == "tabs" and '"' not in line and "#" not in line:
            lines[at] = line.replace("    ", "\t")
    text = "\n".join(lines)
    shaped = language.format_text(text)
    assert language.format_text(shaped) == shaped
    original = language.parse(SAMPLE, folder=DATA_FOLDER)
    assert language.parse(text, folder=DATA_FOLDER) == original
    assert language.parse(shaped, folder=DATA_FOLDER) == original
    assert shaped.count("# a remark") == text.count("# a remark")
    assert shaped.count("# another") == text.count("#  another")


def test_formatting_keeps_what_the_author_chose() -> None:
    text = """\
# top

model m "M"
# between
time 0 to 10 [year] step 1/16 save 0.25
param p [1]=5%   # five
    # inside
    "doc one"


    ko   "피" "설명"
table f [1] of p [1] =(0,1)(1,2)   # first
  (2,1e3)  # second
aux a [1] = ( p+1 ) * MAX( p,2 )^-1 - -p
# end
"""
    assert language.format_text(text) == """\
# top

model m "M"
# between
time 0 to 10 [year] step 1/16 save 0.25
param  p [1] = 5%  # five
    # inside
    "doc one"

    ko "피" "설명"
table  f [1] of p [1] = (0, 1) (1, 2)  # first
    (2, 1e3)  # second
aux    a [1] = (p + 1) * max(p, 2)^-1 - -p
# end
"""
