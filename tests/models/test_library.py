"""The shipped models can be listed and found."""

from __future__ import annotations

import pytest

import flywheel as fw
import flywheel.models as library
from flywheel.errors import UnknownNameError


def test_every_listed_model_is_a_file_that_loads() -> None:
    assert "core_flywheel" in library.names()
    for name in library.names():
        assert library.path(name).is_file()
        assert fw.load(library.path(name)).name == name


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="core_flywheel"):
        library.path("core_flywhel")


def test_the_file_of_a_model_is_laid_out_the_usual_way() -> None:
    from flywheel.language import format_text

    text = library.path("core_flywheel").read_text(encoding="utf-8")
    assert format_text(text) == text
