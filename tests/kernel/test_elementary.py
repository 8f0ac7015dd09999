"""The kernels' own elementary functions against the C library, over their whole range."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flywheel.expr import Binary, Call, Name, Number
from flywheel.kernel import llvm
from flywheel.kernel.expand import expand
from flywheel.kernel.ir import lower
from flywheel.model import Aux, Model, Param, Stock, Time


@pytest.fixture(autouse=True, params=["own", "common"])
def _instructions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything twice: with the processor's own instructions, and with those that all have."""
    if request.param == "common":
        monkeypatch.setattr(llvm, "has_avx512", lambda: False)


def kernel_values(expr: object, xs: np.ndarray, ys: np.ndarray | None = None) -> np.ndarray:
    """An expression of x (and y) at many points, through the kernel."""
    declared = (
        Param(name="x", value=0.0),
        Param(name="y", value=0.0),
        Stock(name="s", initial=Number(0.0)),
        Aux(name="f", equation=expr),  # type: ignore[arg-type]
    )
    system = expand(Model(name="f", time=Time(0.0, 1.0, 1.0, 1.0), declarations=declared))
    kernel = llvm.FixedKernel(lower(system, ["f"]), "euler", llvm.LANES)
    inputs = np.column_stack([xs, np.zeros_like(xs) if ys is None else ys])
    out, _ = kernel.run(inputs, start=0.0, step=1.0, steps=0, every=1, series=np.zeros((1, 3, 0)))
    return out[:, 0, 0]


def spread(low: float, high: float, count: int = 20_001) -> np.ndarray:
    return np.linspace(low, high, count) + 1e-7


RNG = np.random.default_rng(0)
TINY_TO_HUGE = 10.0 ** RNG.uniform(-307, 308, 20_000)
CASES = {
    "exp": (np.exp, np.concatenate([spread(-708, 709), spread(-1, 1)]), 2.0),
    "ln": (np.log, np.concatenate([TINY_TO_HUGE, spread(0.5, 2), [5e-324, 1e-310]]), 2.0),
    "log10": (np.log10, np.concatenate([TINY_TO_HUGE, spread(0.5, 2)]), 3.0),
    "sin": (np.sin, np.concatenate([spread(-4, 4), spread(-9e5, 9e5), [1e9, -3e12, 1e300]]), 3.0),
    "cos": (np.cos, np.concatenate([spread(-4, 4), spread(-9e5, 9e5), [1e9, -3e12, 1e300]]), 3.0),
    "tanh": (np.tanh, np.concatenate([spread(-1, 1), spread(-30, 30)]), 4.0),
    "sqrt": (np.sqrt, TINY_TO_HUGE, 0.5),
}


@pytest.mark.parametrize("name", CASES)
def test_accuracy_in_units_of_the_last_place(name: str) -> None:
    exact, xs, allowed = CASES[name]
    found = kernel_values(Call(name, (Name("x"),)), xs)
    true = exact(xs.astype(np.longdouble))
    scale = np.spacing(np.abs(true.astype(float)))
    # Near a zero of sine or cosine the angle's own last bit is what counts.
    floor = 2.0**-53 if name in ("sin", "cos") else 0.0
    error = np.abs(found - true) / np.maximum(scale, floor)
    assert error.max() <= allowed, (name, xs[error.argmax()], float(error.max()))


def test_power_over_its_range() -> None:
    xs = 10.0 ** RNG.uniform(-20, 20, 20_000)
    ys = RNG.uniform(-12, 12, 20_000)
    found = kernel_values(Binary("^", Name("x"), Name("y")), xs, ys)
    true = np.power(xs, ys)
    # exp amplifies the error of y ln x by its size: about 550 here, so 550 * 2^-53 and a little.
    assert np.abs(found / true - 1).max() < 1e-13


SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, math.inf, -math.inf, math.nan)


def test_power_at_every_special_pair_is_c_pow() -> None:
    pairs = [(x, y) for x in SPECIAL for y in SPECIAL]
    xs, ys = (np.array(column) for column in zip(*pairs, strict=True))
    found = kernel_values(Binary("^", Name("x"), Name("y")), xs, ys)
    with np.errstate(all="ignore"):
        true = np.power(xs, ys)
    for pair, ours, theirs in zip(pairs, found, true, strict=True):
        # The sign of an infinity that stems from -0 is free, as everywhere in the kernels.
        if pair[0] == 0.0 and math.isinf(theirs):
            assert math.isinf(ours), pair
        else:
            close = ours == pytest.approx(theirs, rel=1e-15, nan_ok=True)
            assert close, (pair, ours, theirs)


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp", math.inf, math.inf),
        ("exp", -math.inf, 0.0),
        ("exp", 710.0, math.inf),
        ("exp", -760.0, 0.0),
        ("ln", 0.0, -math.inf),
        ("ln", -1.0, math.nan),
        ("ln", math.inf, math.inf),
        ("sqrt", -1.0, math.nan),
        ("tanh", math.inf, 1.0),
        ("tanh", -math.inf, -1.0),
        ("sin", math.inf, math.nan),
        ("cos", -math.inf, math.nan),
        ("round", 2.5, 2.0),
        ("round", -3.5, -4.0),
        ("floor", -0.3, -1.0),
        ("floor", 1e300, 1e300),
        ("floor", -math.inf, -math.inf),
        *[(n, math.nan, math.nan) for n in ("exp", "ln", "sqrt", "tanh", "sin", "floor", "abs")],
    ],
)
def test_special_values(name: str, x: float, expected: float) -> None:
    found = kernel_values(Call(name, (Name("x"),)), np.array([x]))[0]
    assert found == expected or (math.isnan(found) and math.isnan(expected))
