"""Four models with Stella's own output: the same loops with the same signs, the same trajectory.

The models are read from ``../shared/conformance`` (they are not part of this repository) and written
in our language by a small translation of names.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flywheel as fw
from flywheel.checks.reality import polarities
from flywheel.structure import feedback_loops

pytestmark = pytest.mark.conformance

MODELS = ("armsRace", "bassDiffusion", "inventoryWorkforce", "maibab")


def ident(name: str) -> str:
    return re.sub(r"\W+", "_", name).lower()


def translated(document: dict[str, Any], name: str) -> fw.Model:
    """The model of a document, in our language; Stella's names in our spelling."""
    specs = document["model"]["specs"]
    lines = [f"model {ident(name)}"]
    lines.append(f"time {specs['startTime']} to {specs['stopTime']} step {specs['dt']}")
    for variable in document["model"]["variables"]:
        target = ident(variable["name"])
        equation = re.sub(r"\bTIME\b", "time", variable["equation"])
        graph = variable.get("graphicalFunction")
        if variable["type"] == "stock":
            line = f"stock {target} = {equation}"
            for word, side in (("gains", "inflows"), ("loses", "outflows")):
                if variable[side]:
                    line += f" {word} {', '.join(map(ident, variable[side]))}"
        elif graph:
            points = " ".join(f"({p['x']}, {p['y']})" for p in graph["points"])
            lines.append(f"table {target}_curve of {target}_input = {points}")
            kind = "flow" if variable["type"] == "flow" else "aux"
            line = f"{kind} {target} = {target}_curve({equation})"
        else:
            kind = "flow" if variable["type"] == "flow" else "aux"
            line = f"{kind} {target} = {equation}"
        lines.append(line)
    return fw.parse("\n".join(lines), name=name)


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest, shared: Path) -> tuple[dict[str, Any], fw.Model]:
    path = shared / "conformance" / "stella_ltm" / f"{request.param}.json"
    document = json.loads(path.read_text())
    return document, translated(document, request.param)


def cycle(names: list[str]) -> tuple[str, ...]:
    """A closed path, turned so that it begins with its first name by the alphabet."""
    first = names.index(min(names))
    return tuple(names[first:] + names[:first])


def test_we_find_the_loops_that_stella_finds(case: tuple[dict[str, Any], fw.Model]) -> None:
    document, model = case
    ours = {cycle(list(loop.path)) for loop in feedback_loops(model).loops}
    stella = {
        cycle([ident(link["from"]) for link in loop["links"]])
        for loop in document["feedback"]["feedbackLoops"]
    }
    assert stella <= ours, f"missing: {stella - ours}"


def test_every_loop_turns_the_way_stella_says(case: tuple[dict[str, Any], fw.Model]) -> None:
    """Measured along a run; a loop that Stella calls undetermined must change its sign or idle."""
    document, model = case
    lines = [fw.print_model(model)]
    signs = {}
    for number, loop in enumerate(document["feedback"]["feedbackLoops"]):
        path = [ident(link["from"]) for link in loop["links"]]
        kind = "B" if loop["polarity"] == "-" else "R"
        lines.append(f"loop {kind}{number} = {' -> '.join([*path, path[0]])}")
        signs[f"{kind}{number}"] = loop["polarity"]
    named = fw.parse("\n".join(lines))
    run = named.run(method="euler")
    assert run.ok, run.status
    measured = {
        found.loop: {sign for sign in found.signs if sign} for found in polarities(named, run)
    }
    wanted = {"+": {1}, "-": {-1}}
    for name, sign in signs.items():
        if sign in wanted:
            assert measured[name] == wanted[sign], f"{name}: {measured[name]}"
        else:
            assert measured[name] == {1, -1}, f"{name}: {measured[name]}"


def test_the_bass_curve_is_stellas_at_every_step(shared: Path) -> None:
    """With two loops through one product, the reinforcing share is the untouched part of the market
    (Schoenberg, Davidsen and Eberlein 2020), so Stella's shares are its trajectory."""
    path = shared / "conformance" / "stella_ltm" / "bassDiffusion.json"
    document = json.loads(path.read_text())
    run = translated(document, "bassDiffusion").run(method="euler")
    loops = {loop["identifier"]: loop for loop in document["feedback"]["feedbackLoops"]}
    shares = loops["R1"]["Percent of Model Behavior Explained by Loop"]
    times = np.array([one["time"] for one in shares])
    np.testing.assert_allclose(run.time, times, atol=1e-12)
    market = run["potential_adopters"] + run["adopters"]
    ours = 100 * run["potential_adopters"] / market
    stella = np.array([one["value"] for one in shares])
    np.testing.assert_allclose(ours[1:], stella[1:], rtol=1e-4, atol=1e-7)
    switch = document["feedback"]["dominantLoopsByPeriod"][0]["endTime"]
    crossing = run.time[int(np.argmax(run["adopters"] > market / 2))]
    assert abs(crossing - switch) <= document["model"]["specs"]["dt"]
