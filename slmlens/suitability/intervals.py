"""Intervals of a share that stay honest when calls come in clusters (sessions, repeated prompts)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNSEEN_CORRELATION = 0.5
"""Correlation inside a cluster that is assumed where all rows are equal, so that none can be measured (judgement)."""


@dataclass(frozen=True)
class Share:
    """A share with its 90 % interval.

    :param value: The share, in [0, 1].
    :param lo90: Lower end.
    :param hi90: Upper end.
    :param n: Calls it rests on.
    :param n_units: Clusters it rests on.
    :param n_eff: Independent calls it is worth.
    """

    value: float
    lo90: float
    hi90: float
    n: int
    n_units: int
    n_eff: float

    @property
    def sd(self) -> float:
        """Standard error by the effective size, never below that of one failure in it."""
        floor = 1 / (self.n_eff + 2)
        p = min(max(self.value, floor), 1 - floor)
        return float(np.sqrt(p * (1 - p) / max(self.n_eff, 1.0)))


def lower_split(*splits: Share) -> Share:
    """Return the split with the lower agreement, which is the one that counts; of equal ones the wider."""
    return min(splits, key=lambda share: (share.value, share.lo90))


def clopper_pearson(successes: float, n: float, tail: float = 0.05) -> tuple[float, float]:
    """Return the exact binomial limits with ``tail`` probability on each side (0.05: a 90 % interval).

    ``successes`` and ``n`` may be fractional, as effective counts are (Korn and Graubard 1998).
    """
    from scipy.special import betaincinv

    lo = 0.0 if successes <= 0 else float(betaincinv(successes, n - successes + 1, tail))
    hi = 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return lo, hi


def clustered_share(hits: Floats, clusters: Ints, weights: Floats | None = None) -> Share:
    """Return the mean of ``hits`` with an interval that respects clusters.

    The variance is that of a ratio over clusters; it is turned into an effective sample size, which the exact binomial
    limits then use (Korn and Graubard 1998, Survey Methodology 24). Where every hit is equal the variance says nothing,
    and the design effect of ``UNSEEN_CORRELATION`` is taken.

    :param hits: Agreement of each row, in [0, 1].
    :param clusters: Cluster code of each row; rows of one cluster are not independent.
    :param weights: Weight of each row; None: all equal.
    """
    w = np.ones(len(hits)) if weights is None else weights
    _, code = np.unique(clusters, return_inverse=True)
    totals, mass = np.bincount(code, hits * w), np.bincount(code, w)
    m = len(mass)
    value = float(totals.sum() / mass.sum())
    n_eff = _effective_size(value, totals - value * mass, float(mass.sum()), m, len(hits))
    lo, hi = clopper_pearson(value * n_eff, n_eff)
    return Share(value, min(lo, value), max(hi, value), len(hits), m, n_eff)


def _effective_size(value: float, residuals: Floats, mass: float, m: int, n: int) -> float:
    """Effective sample size from the between-cluster variance, shrunk by the t/normal ratio for few clusters."""
    from scipy.special import stdtrit

    if m == 1:
        return 1.0
    variance = m / (m - 1) * float(residuals @ residuals) / mass**2
    if variance <= 0 or value in (0.0, 1.0):
        return n / (1 + (n / m - 1) * UNSEEN_CORRELATION)
    n_eff = min(value * (1 - value) / variance, float(n))
    # Korn and Graubard's correction: the variance itself is only known from m clusters
    if n > 1:
        n_eff *= float(stdtrit(n - 1, 0.95) / stdtrit(m - 1, 0.95)) ** 2
    return max(min(n_eff, float(n)), 1.0)


def wilson(successes: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson score interval of a share (95 % by default); n of zero gives (0, 1)."""
    if n <= 0:
        return 0.0, 1.0
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
