"""What data can tell about a model's parameters, before and after they are collected.

From sensitivities of what is measured: the Fisher information, the smallest errors that any unbiased
estimate can have (Cramér and Rao), which parameters the data cannot tell apart, and when the next
measurement says most. The information is local; ``profile`` asks the same of the fit itself, far from
the best point, and is the one to believe where they differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flywheel.analysis.decide.words import Array, frozen, is_korean, named, say
from flywheel.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from flywheel.analysis.stamp import Stamp

SLOPPY = 1e4
"""Ratio of the largest to the smallest eigenvalue above which a fit is called sloppy (Gutenkunst
and others 2007 find six decades usual in biology; four is where fits begin to drift)."""
COLLINEAR = 10.0
"""Collinearity above which parameters make up for each other (Brun, Reichert and Künsch 2001: 10 to
15)."""
_DEAD = 1e-13
"""Relative to the largest: an eigenvalue below this is zero but for rounding."""


@dataclass(frozen=True, eq=False)
class Identifiability:
    """How well P parameters are known from N measurements. Arrays (P,) and (P, P), read-only.

    Errors are relative (standard deviation of ln p) when ``logarithmic``, else in the parameter's
    unit.
    """

    names: tuple[str, ...]
    information: Array
    """The Fisher information Σ S̃ᵀ R⁻¹ S̃."""
    sd: Array
    """The Cramér-Rao bound; infinite for a parameter that the data do not determine."""
    correlation: Array
    """Of the estimates; NaN for those that are not determined."""
    eigenvalues: Array
    """From the best to the worst known direction."""
    directions: Array
    """(P, P): column k belongs to eigenvalue k; entries in the order of ``names``."""
    collinearity: float
    """1/√λmin of the sensitivities with columns of length 1; 1 when independent."""
    logarithmic: bool
    measurements: int
    stamp: Stamp | None = None

    @property
    def condition(self) -> float:
        """Largest eigenvalue by smallest; infinite when a direction is not seen at all."""
        low, high = float(self.eigenvalues[-1]), float(self.eigenvalues[0])
        return high / low if low > _DEAD * high else math.inf

    @property
    def sloppy(self) -> bool:
        """Whether the fit can drift far along some direction unnoticed."""
        return self.condition > SLOPPY

    @property
    def weakest(self) -> dict[str, float]:
        """The direction known worst: parts of each parameter, largest first, small ones left out."""
        part = self.directions[:, -1]
        order = np.argsort(-np.abs(part), kind="stable")
        return {self.names[k]: float(part[k]) for k in order if abs(part[k]) > 0.1}

    @property
    def frame(self) -> pd.DataFrame:
        """One row a parameter: its smallest error and whom it is mixed up with most."""
        import pandas as pd

        off = np.where(np.eye(len(self.names), dtype=bool), 0.0, np.nan_to_num(self.correlation))
        mixed = np.abs(off).argmax(axis=1)
        rows = np.arange(len(self.names))
        return pd.DataFrame(
            {
                "sd": self.sd,
                "low_95": -1.96 * self.sd,
                "high_95": 1.96 * self.sd,
                "most_correlated": [self.names[k] if len(self.names) > 1 else "" for k in mixed],
                "correlation": off[rows, mixed],
            },
            index=pd.Index(self.names, name="parameter"),
        )

    def explain(self, language: str = "en") -> str:
        """Which parameter is known best and worst, and what cannot be told apart."""
        korean = is_korean(language)
        best, worst = int(self.sd.argmin()), int(self.sd.argmax())

        def error(k: int) -> str:
            if not np.isfinite(self.sd[k]):
                return "알 수 없음" if korean else "not at all"
            half = 1.96 * self.sd[k]
            if not self.logarithmic:
                return f"±{say(half)}"
            return f"±{say(100 * half)} %" if half < 0.5 else f"×÷{say(math.exp(half))}"

        mixed = ", ".join(self.weakest)
        blurred = self.collinearity > COLLINEAR or self.sloppy
        count = self.measurements
        if korean:
            text = (
                f"측정값 {count}개로 가장 잘 알 수 있는 매개변수는 「{self.names[best]}」"
                f"({error(best)}), 가장 알기 어려운 것은 「{self.names[worst]}」({error(worst)})입니다 "
                "(95%, 크라메르-라오 하한)."
            )
            if blurred:
                text += (
                    f" 이 자료로는 [{mixed}] 조합을 서로 구별하기 어렵습니다 "
                    f"(공선성 {say(self.collinearity)})."
                )
            return text
        text = (
            f"From {count} measurements, {self.names[best]} can be known best ({error(best)}) and "
            f"{self.names[worst]} worst ({error(worst)}; 95 %, the Cramér-Rao bound)."
        )
        if blurred:
            text += (
                f" These data hardly tell {mixed} apart (collinearity {say(self.collinearity)}, "
                f"condition {say(self.condition)})."
            )
        return text

    def __repr__(self) -> str:
        return (
            f"<identifiability of {len(self.names)} parameters from {self.measurements} "
            f"measurements: collinearity {self.collinearity:.3g}>"
        )


def identify(
    sensitivities: ArrayLike,
    sd: ArrayLike,
    values: ArrayLike | None = None,
    names: Iterable[str] | None = None,
    *,
    stamp: Stamp | None = None,
) -> Identifiability:
    """What measurements tell about parameters.

    ``sensitivities`` (T, P) of one measured variable, or (T, V, P) of several: d measured / d
    parameter. ``sd``: the error of each measurement, anything that fits (T,) or (T, V). With
    ``values`` (P,) of the parameters, not 0, everything is about their logarithms.

    Raises UsageError for ill-shaped arguments, errors of measurement not above 0, or values of 0.
    """
    weighted = _weighted(sensitivities, sd, values)
    columns = named(names, weighted.shape[1], "parameter")
    information = weighted.T @ weighted
    lengths = np.sqrt(np.diag(information))
    # Eigenvalues and errors are taken from the singular values of the sensitivities themselves:
    # squaring first would lose half of the digits of what is nearly unseen.
    _, singular, rows = np.linalg.svd(weighted, full_matrices=True)
    eigen = np.zeros(weighted.shape[1])
    eigen[: singular.size] = singular**2
    covariance, blind = _covariance(weighted)
    variance = np.where(blind, np.inf, np.diag(covariance))
    error = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = covariance / np.outer(error, error)
    correlation[blind, :] = np.nan
    correlation[:, blind] = np.nan
    return Identifiability(
        names=columns,
        information=frozen(information),
        sd=frozen(error),
        correlation=frozen(correlation),
        eigenvalues=frozen(eigen),
        directions=frozen(rows.T),
        collinearity=_collinearity(weighted, lengths),
        logarithmic=values is not None,
        measurements=weighted.shape[0],
        stamp=stamp,
    )


def next_sample(
    sensitivities: ArrayLike,
    taken: Iterable[int],
    sd: ArrayLike,
    values: ArrayLike | None = None,
) -> tuple[int, Array]:
    """Which moment to measure next, and log det F for each choice (T,): the D-optimal one is largest.

    Arguments as in ``identify``; ``taken`` are the places of the moments already measured (one may
    come again). While fewer directions are seen than there are parameters the determinant is 0 for
    every choice; a prior that knows next to nothing stands in then, so that what is new counts most.

    Raises UsageError for ill-shaped arguments or a place that is not there.
    """
    s = np.asarray(sensitivities, dtype=float)
    steps = s.shape[0] if s.ndim else 0
    weighted = _weighted(sensitivities, sd, values).reshape(steps, -1, s.shape[-1])
    places = list(taken)
    if not all(0 <= k < steps for k in places):
        raise UsageError(f"There are {steps} moments, counted from 0.")
    each = np.einsum("tvp,tvq->tpq", weighted, weighted)
    known = each[places].sum(axis=0) if places else np.zeros(each.shape[1:])
    size = np.diagonal(each, axis1=1, axis2=2).max(axis=0)
    hint = np.diag(1e-9 * np.where(size > 0, size, 1.0))
    gain: Array = np.linalg.slogdet(known + each + hint)[1]
    return int(gain.argmax()), frozen(gain)


def _weighted(sensitivities: ArrayLike, sd: ArrayLike, values: ArrayLike | None) -> Array:
    """Sensitivities by rows of single measurements, in units of their errors: (T·V, P)."""
    s = np.asarray(sensitivities, dtype=float)
    if s.ndim not in (2, 3) or 0 in s.shape or not np.isfinite(s).all():
        raise UsageError("Sensitivities are finite numbers of shape (T, P) or (T, V, P).")
    errors = np.asarray(sd, dtype=float)
    if not (errors > 0).all():
        raise UsageError("The error of a measurement must be above 0.")
    try:
        if s.ndim == 3 and errors.ndim == 1 and errors.size == s.shape[1]:
            errors = errors[None, :]
        spread = np.broadcast_to(errors, s.shape[:-1])
    except ValueError:
        raise UsageError(
            f"Errors of shape {errors.shape} do not fit measurements of shape {s.shape[:-1]}."
        ) from None
    weighted = s / spread[..., None]
    if values is not None:
        p = np.asarray(values, dtype=float)
        if p.shape != s.shape[-1:]:
            raise UsageError(f"There are {s.shape[-1]} parameters but values of shape {p.shape}.")
        if not (np.isfinite(p) & (p != 0)).all():
            raise UsageError("A parameter of 0 has no relative error; leave values away.")
        weighted = weighted * p
    rows: Array = weighted.reshape(-1, s.shape[-1])
    return rows


def _covariance(weighted: Array) -> tuple[Array, NDArray[np.bool_]]:
    """F⁻¹, and which parameters take part in a direction that is not seen at all.

    Columns are scaled to length 1 first, so that units do not decide what counts as unseen.
    """
    lengths = np.sqrt((weighted**2).sum(axis=0))
    scale = np.where(lengths > 0, lengths, 1.0)
    _, singular, rows = np.linalg.svd(weighted / scale, full_matrices=True)
    full = np.zeros(weighted.shape[1])
    full[: singular.size] = singular
    seen = full**2 > _DEAD * max(float(full[0]) ** 2, 1e-300)
    inverse = (rows[seen].T / full[seen] ** 2) @ rows[seen]
    blind: NDArray[np.bool_] = np.asarray((rows[~seen] ** 2).sum(axis=0) > 1e-10)
    covariance: Array = inverse / np.outer(scale, scale)
    return covariance, blind


def _collinearity(weighted: Array, lengths: Array) -> float:
    """Brun and others' index γ of all parameters together; infinite when one makes up for others."""
    if not (lengths > 0).all():
        return math.inf
    if weighted.shape[0] < weighted.shape[1]:
        return math.inf
    least = float(np.linalg.svd(weighted / lengths, compute_uv=False)[-1])
    return 1 / least if least**2 > _DEAD else math.inf
