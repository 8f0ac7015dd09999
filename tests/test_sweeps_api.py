"""Sweeps as a notebook asks for them: ranges by keyword, results that draw, resume and open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import flywheel as fw
from flywheel.sweep.design import grid, ranges_of, sample

MODEL = fw.parse("""model cafe "A cafe"
time 0 to 5 [year] step 1/8 save 1/2
stock guests = 50 gains talk loses leaving
flow talk = word * guests
flow leaving = boredom * guests
param word = 0.5 in 0.2 .. 1 from guess
param boredom = 0.3 in 0.1 .. 0.5 from guess
outcome end "Guests in the end" = guests at 5
scenario bored "Bored": boredom = 0.5
""")


def test_ranges_by_keyword_are_a_sample() -> None:
    found = MODEL.sweep(word=(0.2, 1.0), runs=64, seed=3)
    same = MODEL.sweep(sample({"word": (0.2, 1.0)}, 64, seed=3), seed=3)
    assert found.sha256 == same.sha256
    assert len(found) == 64
    word = found.frame["word"].to_numpy()
    np.testing.assert_allclose(
        found.outcomes["end"], [MODEL.run(word=w).outcomes["end"] for w in word], rtol=1e-12
    )


def test_nothing_named_draws_every_parameter() -> None:
    found = MODEL.sweep(runs=16)
    assert set(found.names) == set(ranges_of(MODEL)) == {"word", "boredom"}


def test_scenarios_repeat_the_design() -> None:
    found = MODEL.sweep(grid(word=[0.4, 0.6]), scenarios=[None, "bored"])
    ends = found.outcomes["end"].to_numpy().reshape(2, 2)
    assert (ends[1] < ends[0]).all()


def test_a_folder_opens_again_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    found = MODEL.sweep(word=(0.2, 1.0), runs=32, folder=folder)
    again = fw.open_sweep(folder)
    assert again.sha256 == found.sha256
    assert again.resume().computed == ()
    with pytest.raises(fw.UsageError, match="lives in memory"):
        MODEL.sweep(word=(0.2, 1.0), runs=8).resume()


def test_every_figure_draws() -> None:
    found = MODEL.sweep(runs=32)
    names = {
        "fan": ["guests"],
        "spaghetti": ["guests"],
        "histogram": ["end"],
        "heat": ["word", "boredom", "end"],
        "scatter": [None, "end"],
        "parallel": [None, "end"],
    }
    assert set(names) == set(found.FIGURES)
    for kind, given in names.items():
        for language in ("en", "ko"):
            assert found.plot(kind, *given, language=language).data
    with pytest.raises(fw.UsageError, match="Did you mean 'fan'"):
        found.plot("fann", "guests")


def test_mistakes_are_sentences() -> None:
    with pytest.raises(fw.UsageError, match="either a design or ranges"):
        MODEL.sweep(grid(word=[0.4]), boredom=(0.1, 0.2))
    with pytest.raises(fw.UnknownNameError, match="wrod"):
        MODEL.sweep(wrod=(0.1, 0.2), runs=8)
