"""The work of a sweep: a shard computed, fingerprinted and packed, wherever that happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flywheel.sweep.piece import Piece
from flywheel.sweep.plan import SweepPlan
from flywheel.sweep.shard import CHUNK, compute
from flywheel.sweep.tables import to_bytes, to_parquet

Form = Literal["parquet", "arrays"]


class ShardJob:
    """Computes shards of a plan; ``form`` says whether they come as Parquet tables or as arrays."""

    maker = "flywheel.sweep.job:job_from"

    def __init__(self, plan: SweepPlan, form: Form, chunk: int = CHUNK) -> None:
        self._plan = plan
        self._form = form
        self._chunk = chunk

    @property
    def settings(self) -> Mapping[str, Any]:
        """What ``job_from`` needs to make the same job elsewhere."""
        return {"plan": self._plan.as_dict(), "form": self._form, "chunk": self._chunk}

    def __call__(self, task: int) -> Piece:
        result = compute(self._plan, task, self._chunk)
        if self._form == "parquet":
            files = to_parquet(self._plan, result)
        else:
            files = {"arrays": to_bytes(result.arrays())}
        return Piece(files, result.sha256, result.count, len(result.failures))


def job_from(settings: Mapping[str, Any]) -> ShardJob:
    """The job of another process."""
    plan = SweepPlan.from_dict(settings["plan"])
    return ShardJob(plan, settings["form"], settings["chunk"])
