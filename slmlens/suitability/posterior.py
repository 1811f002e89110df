"""The posterior of A, the share of acceptable answers: prior x probe x ceiling x pilot on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.ceiling import Ceiling
from slmlens.suitability.intervals import Share
from slmlens.suitability.priors import Prior

Floats = NDArray[np.float64]

CELLS = 400
"""Cells of the grid of A."""
LOOKS = (30, 60, 120, 240)
"""Sizes at which a pilot is looked at; the error of its prior-free bound is split over them."""
BOUND_ALPHA = 0.05
_CEILING_NODES = 21
_EDGES = np.linspace(0.0, 1.0, CELLS + 1)
_CENTRES = (_EDGES[:-1] + _EDGES[1:]) / 2


@dataclass(frozen=True)
class Target:
    """What parity asks of A.

    :param parity: Least A / C_pair.
    :param skill: Least (A - b) / (C_pair - b).
    :param constant: b, the agreement of the best constant answer.
    :param ceiling: C_pair's value and interval; None: taken as 1.
    :param single: All answers are equal, so that skill over a constant means nothing.
    """

    parity: float
    skill: float
    constant: float
    ceiling: Share | None
    single: bool = False

    def needed(self, ceiling: float) -> float:
        """Return the least A at this value of C_pair. Where C_pair does not exceed b, no A has skill."""
        if self.single:
            return self.parity * ceiling
        if ceiling <= self.constant:
            return 1.0
        return max(self.parity * ceiling, self.constant + self.skill * (ceiling - self.constant))

    @property
    def point(self) -> float:
        """The least A at the best guess of C_pair."""
        return self.needed(self.ceiling.value if self.ceiling else 1.0)

    def nodes(self) -> Floats:
        """Return equally likely values of the least A, over what is not known of C_pair (Jeffreys)."""
        if self.ceiling is None:
            return np.array([self.point])
        from scipy.special import betaincinv

        agree = self.ceiling.value * self.ceiling.n_eff
        middle = (np.arange(_CEILING_NODES) + 0.5) / _CEILING_NODES
        drawn = betaincinv(agree + 0.5, self.ceiling.n_eff - agree + 0.5, middle)
        return np.array([self.needed(float(c)) for c in drawn])


@dataclass(frozen=True)
class Graded:
    """Graded answers of one small model: a pilot or an SLM probe.

    :param slm: Its name.
    :param n_eff: Independent calls they are worth.
    :param agreement: Share that was acceptable.
    :param series: Small models, or modes of one, that were graded on the task: the bound's error is split over them.
    """

    slm: str
    n_eff: float
    agreement: float
    series: int = 1


@dataclass(frozen=True)
class Posterior:
    """The posterior of A.

    :param mass: Probability of each of the ``CELLS`` cells of [0, 1].
    :param p_parity: P(A meets the target).
    """

    mass: Floats
    p_parity: float

    def quantile(self, q: Floats) -> Floats:
        """Return quantiles of A, linear inside a cell."""
        cumulative = np.concatenate([[0.0], np.cumsum(self.mass)])
        cumulative /= cumulative[-1]
        keep = np.concatenate([[True], np.diff(cumulative) > 0])
        # the last cell without mass before the first with mass is where the support begins
        start = np.argmax(cumulative > 0) - 1
        keep[: start + 1] = False
        keep[start] = True
        return np.asarray(np.interp(q, cumulative[keep], _EDGES[keep]), dtype=np.float64)

    def as_parity(self, slm: str) -> dict[str, object]:
        """Return the struct of ``VerdictsTable``: median, 90 % and 80 % interval, P(parity) and 101 quantiles."""
        lo, lo80, median, hi80, hi = self.quantile(np.array([0.05, 0.1, 0.5, 0.9, 0.95])).tolist()
        return {
            "slm": slm,
            "a_p50": median,
            "a_lo90": lo,
            "a_hi90": hi,
            "a_lo80": lo80,
            "a_hi80": hi80,
            "p_parity": self.p_parity,
            "quantiles": self.quantile(np.linspace(0, 1, 101)).tolist(),
        }


def posterior_of_a(
    prior: Prior,
    target: Target,
    *,
    anchor: Share | None = None,
    anchor_delta: float = 0.02,
    anchor_sd: float = 0.03,
    cut: float | None = None,
    graded: Graded | None = None,
) -> Posterior:
    """Return the posterior of A.

    :param prior: Beta prior.
    :param target: What parity asks.
    :param anchor: Agreement of a student or program. A tuned small model is expected at or above it, less
        ``anchor_delta``: the likelihood is Phi((A - (a - delta)) / sd'), sd' = max(anchor_sd, 3 sd). It only ever
        speaks against a low A; it can't show a high one.
    :param cut: No A above this: the upper bound of C_mode.
    :param graded: Graded answers of the model itself: a binomial likelihood.
    """
    from scipy.special import betainc, ndtr

    mass = np.diff(betainc(prior.a, prior.b, _EDGES))
    if anchor is not None:
        spread = max(anchor_sd, 3 * anchor.sd)
        mass = mass * ndtr((_CENTRES - (anchor.value - anchor_delta)) / spread)
    if graded is not None:
        hits = graded.agreement * graded.n_eff
        log = hits * np.log(_CENTRES) + (graded.n_eff - hits) * np.log1p(-_CENTRES)
        mass = mass * np.exp(log - log.max())
    if cut is not None and cut < 1:
        mass = np.where(_EDGES[:-1] < max(cut, _EDGES[1]), mass, 0.0)
    mass = mass / mass.sum()
    above = np.concatenate([[0.0], np.cumsum(mass)])
    p_parity = float(np.mean(1 - np.interp(target.nodes(), _EDGES, above)))
    return Posterior(mass, min(max(p_parity, 0.0), 1.0))


def prior_free_bound(graded: Graded) -> float:
    """Return the exact lower bound of A that uses no prior, its error split over looks and models (Bonferroni)."""
    from slmlens.suitability.intervals import clopper_pearson

    return clopper_pearson(graded.agreement * graded.n_eff, graded.n_eff, BOUND_ALPHA / len(LOOKS) / graded.series)[0]


def calls_to_settle(posterior: Posterior, needed: float, cap: int) -> int:
    """Return the median number of pilot calls after which the target is met or out of reach, at most ``cap``.

    For each percentile of A the first look at which the exact bounds leave the target outside, if answers came out as
    expected.
    """
    from scipy.special import betaincinv

    a = posterior.quantile((np.arange(100) + 0.5) / 100)[:, None]
    n = np.array([*LOOKS, cap], dtype=float)[None, :]
    hits = np.round(a * n)
    tail = BOUND_ALPHA / len(LOOKS)
    lower = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-9), n - hits + 1, tail), 0.0)
    upper = np.where(hits < n, betaincinv(hits + 1, np.maximum(n - hits, 1e-9), 1 - tail), 1.0)
    settled = (lower >= needed) | (upper < needed)
    settled[:, -1] = True
    first = n[0][settled.argmax(axis=1)]
    return int(min(np.median(first), cap))


def ceiling_cut(ceiling: Ceiling) -> float | None:
    """Return the upper bound of C_mode, above which no model can agree; None: not known."""
    return ceiling.mode_hi90
