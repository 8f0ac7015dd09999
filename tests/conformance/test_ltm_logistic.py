"""Logistic growth against Stella's shares as another tool keeps them: three digits, in percent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import flywheel as fw
from flywheel.analysis.loops.front import loops_that_matter

pytestmark = pytest.mark.conformance

MODEL = fw.parse("""model logistic
time 0 to 100 step 1
stock population = 5 gains births
flow births = population * fraction
aux fraction = 0.12 * (1 - population / 1000)
""")
LOOPS = {"r1": {"population", "births"}, "b1": {"population", "births", "fraction"}}
# The file is rounded to three digits: half a unit of the last is up to 0.05.
TOLERANCE = 0.0502


def test_both_loops_have_the_shares_of_the_file(shared: Path) -> None:
    path = shared / "conformance" / "stella_ltm" / "logistic_ltm_results.tsv"
    header, *rows = path.read_text(encoding="utf-8-sig").splitlines()
    times = np.array([float(t) for t in header.split("\t")[1:]])
    found = loops_that_matter(MODEL, method="euler")
    np.testing.assert_array_equal(found.times, times)
    assert len(rows) == len(found.loops) == 2
    for line in rows:
        name, *cells = line.split("\t")
        place = next(n for n, one in enumerate(found.loops) if set(one.path) == LOOPS[name])
        ours = 100 * found.shares[place]
        assert np.abs(ours - np.array(cells, dtype=float)).max() <= TOLERANCE
