"""Random models for comparing backends: every operator may stand inside every other."""

from __future__ import annotations

import random

from flywheel.expr import Binary, BinaryOp, Call, Expr, Name, Number, Unary
from flywheel.model import (
    Aux,
    Data,
    DataPoint,
    Declaration,
    Flow,
    Model,
    Param,
    Stock,
    Table,
    Time,
)

UNARY = ("abs", "sqrt", "exp", "ln", "log10", "sin", "cos", "tan", "tanh", "round", "floor")
PAIRS = ("min", "max", "smin", "smax")
BINARY: tuple[BinaryOp, ...] = ("+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=")
LOGIC: tuple[BinaryOp, ...] = ("and", "or")


TAME = (0, 4, 5, 6, 7, 8)
"""Cases of ``expression`` that cannot turn finite numbers into NaN."""


def expression(rng: random.Random, leaves: list[str], depth: int, tame: bool = False) -> Expr:
    """A random expression over names, with constants that are unlikely to tie."""
    if depth == 0 or rng.random() < 0.1:
        if rng.random() < 0.7:
            return Name(rng.choice(leaves))
        return Number(round(rng.uniform(-3, 3), 6))

    def inner() -> Expr:
        return expression(rng, leaves, depth - 1, tame)

    match rng.choice(TAME) if tame else rng.randrange(9):
        case 0 | 1 | 2:
            return Binary(rng.choice(("+", "-", "*") if tame else BINARY), inner(), inner())
        case 3:
            return Call(rng.choice(UNARY), (inner(),))
        case 4:
            return Call(rng.choice(PAIRS), (inner(), inner()))
        case 5:
            return Call("if", (inner(), inner(), inner()))
        case 6:
            return Unary(rng.choice(("-", "not")), inner())
        case 7:
            return Binary(rng.choice(LOGIC), inner(), inner())
        case _:
            return Call("table", (inner(),))


def model(seed: int) -> Model:
    """A model with stocks, delays, events, a table, data, a pipeline and noise, kept bounded.

    Rates go through tanh, so that trajectories stay finite; auxiliaries may well be NaN or infinite.
    """
    rng = random.Random(seed)
    made: list[Declaration] = []
    params = [f"p{n}" for n in range(4)]
    made += [Param(name=p, value=round(rng.uniform(0.2, 2.5), 6)) for p in params]
    stocks = [f"s{n}" for n in range(3)]
    many = rng.random() < 0.3
    xs = sorted(rng.uniform(-4, 4) for _ in range(rng.choice((20, 40)) if many else 5))
    points = tuple((x, round(rng.uniform(-2, 2), 5)) for x in xs)
    made.append(Table(name="table", input="s0", points=points, extrapolate=rng.random() < 0.5))
    hold = rng.random() < 0.5
    history = tuple(DataPoint(float(n) * 0.7, rng.uniform(-2, 2)) for n in range(6))
    made.append(Data(name="record", path="record.csv", points=history, hold=hold))
    names = [*params, *stocks, "time", "record", "table"]
    auxes: list[str] = []
    for n in range(6):
        expr = expression(rng, names + auxes, rng.randrange(2, 5))
        made.append(Aux(name=f"a{n}", equation=expr))
        # The next auxiliaries read it only sometimes: one NaN must not blind all of them.
        if rng.random() < 0.4:
            made.append(Aux(name=f"b{n}", equation=Call("tanh", (Name(f"a{n}"),))))
            auxes.append(f"b{n}")
    specials = [
        Call("smooth3", (Name("s1"), Name("p0"))),
        Call("delay1", (Name("s2"), Name("p1"))),
        Call("delay_fixed", (Name("s0"), Number(rng.choice((0.05, 0.25, 0.5, 9.0))), Name("p2"))),
        Call("step", (Name("p3"), Number(rng.choice((0.5, 0.73, 1.0))))),
        Call("pulse", (Number(0.3), Number(0.4), Number(0.9))),
        Call("ramp", (Name("p1"), Number(0.6), Number(1.4))),
        Call("trend", (Name("s1"), Name("p2"))),
        Call("noise", (Number(0.0), Number(0.3))),
        Call("npv", (Name("s0"), Number(0.1))),
    ]
    for n, special in enumerate(rng.sample(specials, 5)):
        made.append(Aux(name=f"c{n}", equation=special))
        auxes.append(f"c{n}")
    for n, stock in enumerate(stocks):
        readable = [*params, *stocks, *(a for a in auxes if a[0] == "c")]
        wild = expression(rng, readable, 3, tame=True)
        size = Call("tanh", (Binary("*", Number(0.3), wild),))
        safe = Binary("-", size, Binary("*", Number(0.5), Name(stock)))
        made.append(Flow(name=f"f{n}", equation=safe))
        initial = Number(round(rng.uniform(0.3, 2), 5))
        made.append(Stock(name=stock, initial=initial, gains=(f"f{n}",)))
    return Model(name=f"random{seed}", time=Time(0.0, 2.0, 0.125, 0.25), declarations=tuple(made))
