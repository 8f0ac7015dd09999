"""A small model and a sweep of it, for tests of everything around the numbers."""

from __future__ import annotations

from typing import Any

from flywheel.language import parse
from flywheel.model import Model
from flywheel.sweep.design import Design, sample
from flywheel.sweep.distributions import Uniform

TEXT = """model pond
time 0 to 4 step 1/8 save 1/2
param birth = 0.5
param deaths = 0.1
param room = 40
stock fish = 2 gains born loses died
flow born = birth * fish
flow died = deaths * fish
aux space = sqrt(room - fish)
scenario drought: room = 20
outcome at_end = fish at 4
outcome roomy = trough space
outcome full = time of fish > 8
"""
RANGES = {"birth": Uniform(0.2, 1.0), "deaths": Uniform(0.0, 0.2)}


def pond(text: str = TEXT) -> Model:
    """Grows until it is full: with many births ``space`` has no value at the end."""
    return parse(text)


def design(runs: int = 600) -> Design:
    return sample(RANGES, runs, seed=7)


SETTINGS: dict[str, Any] = {"shard": 64, "saved": ["fish", "space"], "reservoir": 5}
