"""Stiff problems end where the literature says.

Published end values: Robertson at t = 40 and van der Pol (mu = 1000) at t = 2000 from the test set of
Mazzia and Magherini (University of Bari, release 2.4) and Hairer and Wanner, "Solving Ordinary
Differential Equations II", chapter IV.
"""

from __future__ import annotations

import pytest

import flywheel as fw
from flywheel.solve import simulate

ROBERTSON = """model robertson
time 0 to 40 step 1/2 save 10
stock y1 = 1 gains back loses slow
stock y2 = 0 gains slow loses back, fast
stock y3 = 0 gains fast
flow slow = 0.04 * y1
flow back = 1e4 * y2 * y3
flow fast = 3e7 * y2 ^ 2
"""
VAN_DER_POL = """model van_der_pol
time 0 to 2000 step 1 save 100
param mu = 1000
stock x = 2 gains dx
stock v = 0 gains dv
flow dx = v
flow dv = mu * (1 - x ^ 2) * v - x
"""


@pytest.mark.parametrize("method", ["lsoda", "bdf", "radau"])
def test_robertson(method: str) -> None:
    run = simulate(fw.parse(ROBERTSON), method=method, atol=1e-14)
    assert run.ok, run.status.message
    wanted = {"y1": 0.7158270688, "y2": 0.9185534764e-5, "y3": 0.2841637457}
    for name, value in wanted.items():
        assert run[name][-1] == pytest.approx(value, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lsoda", "bdf", "radau"])
def test_van_der_pol(method: str) -> None:
    run = simulate(fw.parse(VAN_DER_POL), method=method, rtol=1e-9)
    assert run.ok, run.status.message
    assert run["x"][-1] == pytest.approx(1.706167732170469, rel=1e-4)
    assert run["v"][-1] == pytest.approx(-0.8928097010248125e-3, rel=1e-4)
