"""Elementary effects: which of many inputs matter at all, from a few runs for each.

One effect is the change of the output over one move of one input, divided by the move in parts of the
input's range (Morris 1991). mu* is its mean size (Campolongo et al. 2007); sigma, its spread over the
space, is large where an input acts nonlinearly or together with others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flywheel.analysis.sensitivity.design import Array, Steps
from flywheel.analysis.sensitivity.outputs import columns, quantile_of
from flywheel.errors import UsageError

NEGLIGIBLE = 0.05
"""An input whose mu* is surely below this part of the largest one does not matter."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Elementary effects of d inputs on O outputs: all (d, O), in units of the output.

    An effect is per full range of the input. ``used`` counts the moves with both runs sound.
    """

    mu_star: Array
    mu: Array
    sigma: Array
    mu_star_half: Array
    sigma_half: Array
    used: NDArray[np.intp]

    @property
    def relative(self) -> Array:
        """mu* as a part of the largest mu* of the same output."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.mu_star / np.nanmax(self.mu_star, axis=0))

    @property
    def negligible(self) -> NDArray[np.bool_]:
        """(d,): surely below 0.05 of the largest mu* for every output, interval included."""
        limit = NEGLIGIBLE * np.nanmax(self.mu_star, axis=0)
        upper = self.mu_star + self.mu_star_half
        # An output that no input moves (limit 0) says nothing about any of them.
        return np.asarray(((upper < limit) | (limit == 0)).all(axis=1) & (limit > 0).any())


def elementary_effects(
    steps: Steps, y: Array, draws: int = 200, seed: int = 0, confidence: float = 0.95
) -> Effects:
    """Effects from outputs ``y`` (r, d + 1, O) of ``design.radial`` or ``design.trajectories``.

    A move with a failed run at either end is left out. Intervals are bootstrapped over the groups.
    Raises UsageError when an input has fewer than two moves left, for it is then not known at all.
    """
    y = columns(y, 3)
    groups, d = steps.before.shape
    if y.shape[:2] != (groups, d + 1):
        raise UsageError(f"{y.shape[:2]} runs for {groups} groups of {d + 1}")
    reach = quantile_of(confidence)
    row = np.arange(groups)[:, None]
    effect = (y[row, steps.after] - y[row, steps.before]) / steps.moved[..., None]  # (r, d, O)
    judged = np.isfinite(effect).any(axis=(0, 1))
    good = np.asarray(np.isfinite(effect[..., judged]).all(axis=2) & judged.any())
    used = good.sum(axis=0)
    if used.min() < 2:
        raise UsageError(f"input {int(used.argmin())} has no two sound moves")
    effect = np.where(good[..., None], effect, 0.0)
    rng = np.random.default_rng(seed)
    weights = np.ones((draws + 1, groups))
    weights[1:] = rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)
    shape = (d, y.shape[2])
    mu_star, mu, sigma, mu_star_half, sigma_half = (np.empty(shape) for _ in range(5))
    for j in range(d):
        one = effect[:, j]
        with np.errstate(invalid="ignore", divide="ignore"):
            count = (weights @ good[:, j])[:, None]
            sizes = weights @ np.abs(one) / count
            means = weights @ one / count
            # About the first mean, for a plain difference of squares would lose a small spread.
            far = np.where(good[:, j, None], one - means[0], 0.0)
            squares = weights @ (far * far) / count - (weights @ far / count) ** 2
            spreads = np.sqrt(np.maximum(squares, 0) * count / (count - 1))
        mu_star[j], mu[j], sigma[j] = sizes[0], means[0], spreads[0]
        mu_star_half[j] = reach * _sd(sizes[1:])
        sigma_half[j] = reach * _sd(spreads[1:])
    return Effects(mu_star, mu, sigma, mu_star_half, sigma_half, used)


def _sd(draws: Array) -> Array:
    """Spread of bootstrap draws; those that happened to pick no sound move are left out."""
    picked = draws[np.isfinite(draws).all(axis=1)]
    return picked.std(axis=0, ddof=1) if len(picked) > 1 else np.full(draws.shape[1], np.nan)
