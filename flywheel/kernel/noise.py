"""Random numbers that depend on the seed, the stream and the member, and on nothing else.

Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011): its key is (seed, stream) and the member is the top word of its counter, so any member's
numbers can be drawn alone, in any chunk, by any worker. 0 is a seed like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flywheel.kernel.system import NUDGE, Noise

LARGEST_SEED = 2**64 - 1


def normals(seed: int, stream: int, member: int, count: int) -> NDArray[np.float64]:
    """The first ``count`` standard normal numbers of a stream; a longer call only adds to them.

    Parameters
    ----------
    seed, stream, member:
        Whole numbers from 0 to 2^64 - 1.
    count:
        How many numbers.

    Returns
    -------
    Array of shape (count,).
    """
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([0, 0, 0, member], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).standard_normal(count)


def draws(
    noises: Sequence[Noise], seed: int, member: int, steps: int, step: float, model_step: float
) -> NDArray[np.float64]:
    """The noise of a run: row k holds the numbers of step k, shape (steps + 1, len(noises)).

    A number lasts one step of the *model*: a run with half the step sees the same noise, so that its
    difference is the error of the method and not another story.
    """
    index = noise_rows(steps, step, model_step)
    columns = [normals(seed, noise.stream, member, int(index[-1]) + 1)[index] for noise in noises]
    return np.column_stack(columns) if columns else np.empty((steps + 1, 0))


def noise_rows(steps: int, step: float, model_step: float) -> NDArray[np.int64]:
    """Which number of a stream is the one of step k, for k from 0 to ``steps``."""
    rows: NDArray[np.int64] = np.floor(np.arange(steps + 1) * step / model_step + NUDGE).astype(
        np.int64
    )
    return rows
