"""The posterior of A, the share of acceptable answers: prior x probe x ceiling x pilot on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.intervals import Share
from slmlens.suitability.priors import Prior

Floats = NDArray[np.float64]

CELLS = 400
"""Cells of the grid of A."""
LOOKS = (30, 60, 120, 240)
"""Sizes at which a pilot is looked at; the error of its prior-free bound is split over them."""
BOUND_ALPHA = 0.05
"""Chance that any look says "shown" of a model that just misses the target."""
LOOK_SHARES = tuple(look / sum(LOOKS) for look in LOOKS)
"""Error spent at each look, in proportion to its calls (linear spending, Lan and DeMets 1983, here by Bonferroni)."""
_NEARLY = 0.9
"""Share of a look's calls that the effective size must reach to count as that look; below, the one before counts."""
_DRAWS = 400
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
    :param covered: Share of the task's calls that these answers were drawn from; below 1 where only some had a chance
        to be graded, as with answers that another log happens to hold.
    """

    slm: str
    n_eff: float
    agreement: float
    series: int = 1
    covered: float = 1.0


@dataclass(frozen=True)
class Floor:
    """Where a tuned small model is expected at or above: its likelihood is Phi((A - at) / spread).

    It only ever speaks against a low A; it can't show a high one.

    :param at: What a student or program reached, less what a tuned model may fall short of it.
    :param spread: How sure that is, as a standard deviation.
    """

    at: float
    spread: float


@dataclass(frozen=True)
class Posterior:
    """The posterior of A.

    :param mass: Probability of each of the ``CELLS`` cells of [0, 1].
    :param p_parity: P(A meets the target).
    :param none_right: The model was graded and no answer was acceptable: intervals reach the lowest A there is.
    :param none_wrong: The model was graded and all answers were: intervals reach the highest.
    """

    mass: Floats
    p_parity: float
    none_right: bool = False
    none_wrong: bool = False

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

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval that holds A with probability ``level`` or more: equal tails, none beyond an end.

        Where no graded answer was right, or none wrong, that side reaches the end (Brown, Cai and DasGupta 2001,
        Statistical Science 16): equal tails would leave out the very A that all answers point to.
        """
        tail = (1 - level) / 2
        lo, hi = self.quantile(np.array([0.0 if self.none_right else tail, 1.0 if self.none_wrong else 1 - tail]))
        return float(lo), float(hi)

    def predictive(self, n: int) -> Floats:
        """Return the probability of 0, 1 .. n acceptable answers among the next n calls (posterior predictive)."""
        from scipy.special import gammaln, xlog1py, xlogy

        k = np.arange(n + 1, dtype=float)[:, None]
        log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, _CENTRES) + xlog1py(n - k, -_CENTRES)
        return np.asarray(np.exp(log) @ self.mass, dtype=np.float64)

    def as_parity(self, slm: str) -> dict[str, object]:
        """Return the struct of ``VerdictsTable``: median, 90 % and 80 % interval, P(parity) and 101 quantiles."""
        (lo90, hi90), (lo80, hi80) = self.interval(0.90), self.interval(0.80)
        return {
            "slm": slm,
            "a_p50": float(self.quantile(np.array([0.5]))[0]),
            "a_lo90": lo90,
            "a_hi90": hi90,
            "a_lo80": lo80,
            "a_hi80": hi80,
            "p_parity": self.p_parity,
            "quantiles": self.quantile(np.linspace(0, 1, 101)).tolist(),
        }


def posterior_of_a(
    prior: Prior,
    target: Target,
    *,
    floor: Floor | None = None,
    cut: float | None = None,
    graded: Graded | None = None,
) -> Posterior:
    """Return the posterior of A: :func:`posterior_at` the least A that a target asks."""
    return posterior_at(prior, target.nodes(), floor=floor, cut=cut, graded=graded)


def posterior_at(
    prior: Prior,
    needed: Floats,
    *,
    floor: Floor | None = None,
    cut: float | None = None,
    graded: Graded | None = None,
) -> Posterior:
    """Return the posterior of A.

    Graded answers that speak for a share m of the calls say nothing of the others: A = m A_graded + (1 - m) A_rest,
    where A_rest keeps the prior, independent of what was graded.

    :param prior: Beta prior.
    :param needed: Equally likely values of the least A (:meth:`Target.nodes`).
    :param floor: What a probe says of a tuned model.
    :param cut: No A above this: the upper bound of C_mode.
    :param graded: Graded answers of the model itself: a binomial likelihood.
    """
    hits = graded.agreement * graded.n_eff if graded is not None else 0.0
    misses = graded.n_eff - hits if graded is not None else 0.0
    # Beta prior and binomial answers are conjugate, so that this part is exact on any grid
    covered = 1.0 if graded is None else graded.covered
    mass = graded_mass(prior, hits, misses, covered) * _weight(floor, cut)
    if mass.sum() <= 0:  # the answers lie so far above the cut that no probability is left under it
        mass[np.searchsorted(_EDGES, cut or 1.0) - 1] = 1.0
    mass = mass / mass.sum()
    above = np.concatenate([[0.0], np.cumsum(mass)])
    p_parity = float(np.mean(1 - np.interp(needed, _EDGES, above)))
    return Posterior(
        mass,
        min(max(p_parity, 0.0), 1.0),
        none_right=graded is not None and hits <= 0 and covered >= 1,
        none_wrong=graded is not None and misses <= 0 and covered >= 1,
    )


def graded_mass(prior: Prior, hits: float, misses: float, covered: float) -> Floats:
    """Return the mass of A in each cell after graded answers, which speak for a share of the calls.

    :param hits: Acceptable answers, in independent calls.
    :param covered: The share; the other calls are as the prior has them, independently of these.
    """
    graded = beta_mass(prior.a + hits, prior.b + misses)
    if covered >= 1:
        return graded
    cells = (np.add.outer(covered * _CENTRES, (1 - covered) * _CENTRES) * CELLS).astype(np.int64)
    both = np.outer(graded, beta_mass(prior.a, prior.b))
    return np.asarray(np.bincount(cells.ravel(), both.ravel(), minlength=CELLS), dtype=np.float64)


@lru_cache(maxsize=4096)
def beta_mass(a: float, b: float) -> Floats:
    """Return the probability that a Beta gives each of the ``CELLS`` cells of [0, 1]; not to be written to."""
    from scipy.special import betainc

    mass = np.diff(betainc(a, b, _EDGES))
    mass.setflags(write=False)
    return np.asarray(mass, dtype=np.float64)


def grid_masses(masses: Floats, floor: Floor | None = None, cut: float | None = None) -> Floats:
    """Return the posterior mass of many models at a time, as :func:`posterior_at` finds it.

    :param masses: One row a model: its :func:`beta_mass`.
    :return: A row a model.
    """
    mass = masses * _weight(floor, cut)
    whole = mass.sum(axis=1, keepdims=True)
    mass[whole[:, 0] <= 0, np.searchsorted(_EDGES, cut or 1.0) - 1] = 1.0
    mass /= np.where(whole > 0, whole, 1.0)
    return np.asarray(mass, dtype=np.float64)


def grid_beliefs(mass: Floats, needed: Floats) -> tuple[Floats, Floats, Floats]:
    """Return P(parity) and the ends of the 90 % interval of A, one a model.

    :param mass: One row a model: its posterior mass (:func:`grid_masses`).
    :param needed: Equally likely values of the least A (:meth:`Target.nodes`).
    """
    above = np.concatenate([np.zeros((len(mass), 1)), np.cumsum(mass, axis=1)], axis=1)
    at = np.clip(needed, 0.0, 1.0) * CELLS
    cell = np.minimum(at.astype(np.int64), CELLS - 1)
    below = above[:, cell] + (at - cell) * mass[:, cell]
    p_parity = np.clip(1 - below.mean(axis=1), 0.0, 1.0)
    return p_parity, _quantiles(mass, above, 0.05), _quantiles(mass, above, 0.95)


def _quantiles(mass: Floats, above: Floats, q: float) -> Floats:
    """Return one quantile of each row's distribution, linear inside a cell."""
    cell = np.minimum((above[:, 1:] <= q * above[:, -1:]).sum(axis=1), CELLS - 1)
    rows = np.arange(len(mass))
    inside = (q * above[:, -1] - above[rows, cell]) / np.maximum(mass[rows, cell], 1e-300)
    return np.asarray((cell + np.clip(inside, 0.0, 1.0)) / CELLS, dtype=np.float64)


def _weight(floor: Floor | None, cut: float | None) -> Floats:
    """Return what a probe and the ceiling say of each cell, as a factor on its prior mass."""
    from scipy.special import ndtr

    weight = np.ones(CELLS) if floor is None else np.asarray(ndtr((_CENTRES - floor.at) / floor.spread))
    return np.where(_EDGES[:-1] < max(cut, _EDGES[1]), weight, 0.0) if cut is not None and cut < 1 else weight


def beliefs_by_prior(
    priors: Sequence[Prior], needed: Floats, cut: float | None = None
) -> tuple[Floats, Floats, Floats]:
    """Return P(parity) and the ends of the 90 % interval of A where nothing but a prior is known, one a prior.

    :param needed: Equally likely values of the least A (:meth:`Target.nodes`).
    :param cut: No A above this: the upper bound of C_mode; None: not known.
    """
    from scipy.special import betainc, betaincinv

    a, b = (np.array([getattr(prior, side) for prior in priors], dtype=np.float64) for side in ("a", "b"))
    top = 1.0 if cut is None else min(np.ceil(cut * CELLS) / CELLS, 1.0)  # as the grid cuts
    whole = betainc(a, b, top)
    below = np.minimum(betainc(a[:, None], b[:, None], np.clip(needed, 0.0, 1.0)[None, :]), whole[:, None])
    return 1 - below.mean(axis=1) / whole, betaincinv(a, b, 0.05 * whole), betaincinv(a, b, 0.95 * whole)


def prior_free_bound(graded: Graded) -> float:
    """Return the exact lower bound of A that uses no prior, its error split over looks and models.

    One-sided Clopper-Pearson. ``LOOK_SHARES`` of ``BOUND_ALPHA`` goes to the look that the effective size reaches, and
    an equal part of that to each of ``series`` models and modes: over all looks and all of them together, a bound lies
    above its A in at most 5 % of pilots (Bonferroni). An effective size below its look's takes an earlier look's
    smaller part, never a larger one. Calls that no answer could be graded of count as wrong: no choice of the graded
    ones can lift the bound above A (the lower bound of Manski 1989, The Journal of Human Resources 24).
    """
    from slmlens.suitability.intervals import clopper_pearson

    return graded.covered * clopper_pearson(graded.agreement * graded.n_eff, graded.n_eff, _tail(graded))[0]


def _tail(graded: Graded) -> float:
    reached = max((i for i, look in enumerate(LOOKS) if graded.n_eff >= _NEARLY * look), default=0)
    return BOUND_ALPHA * LOOK_SHARES[reached] / graded.series


def meets_target(graded: Graded, target: Target) -> bool:
    """Return whether graded answers show parity with no prior: what the word "shown" asks.

    Where C_pair is not measured, the target is a number and ``prior_free_bound`` has to reach it. Where it is, its own
    error counts too: the lower limit of A less the least A that parity asks, by the square-and-add rule over exact
    limits of both (MOVER, Zou and Donner 2008). Taking C_pair's best guess as the truth would call a model with
    A / C_pair = 0.90 shown in up to one of four pilots when ten repeated prompts are all that is known of it.
    """
    from slmlens.suitability.intervals import clopper_pearson

    bound = prior_free_bound(graded)
    if target.ceiling is None:
        return bound >= target.point
    n = target.ceiling.n_eff
    highest = target.needed(clopper_pearson(target.ceiling.value * n, n, _tail(graded))[1])
    least = graded.covered * graded.agreement
    error = np.hypot(least - bound, max(highest - target.point, 0.0))
    return bool(least - error >= target.point)


def calls_to_settle(posterior: Posterior, needed: float, cap: int) -> int:
    """Return the median number of pilot calls after which the target is met or out of reach, at most ``cap``.

    Pilots are drawn from the posterior predictive: A first, then its answers, look by look. A pilot is settled at the
    first look at which the exact bounds leave the target outside.
    """
    rng = np.random.default_rng(0)
    a = posterior.quantile((np.arange(_DRAWS) + 0.5) / _DRAWS)
    looks = [look for look in LOOKS if look < cap]
    hits = np.zeros(_DRAWS, dtype=np.int64)
    settled_at = np.full(_DRAWS, cap, dtype=np.int64)
    for look, before, share in zip(looks, [0, *looks], LOOK_SHARES, strict=False):
        hits += rng.binomial(look - before, a)
        lower, upper = _limits(look, BOUND_ALPHA * share)
        settled = (lower[hits] >= needed) | (upper[hits] < needed)
        settled_at = np.where(settled & (settled_at == cap), look, settled_at)
    return int(np.median(settled_at))


@cache
def _limits(n: int, tail: float) -> tuple[Floats, Floats]:
    """Return the exact lower and upper limits for each number of hits among n calls."""
    from scipy.special import betaincinv

    hits = np.arange(n + 1, dtype=float)
    lower = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-9), n - hits + 1, tail), 0.0)
    upper = np.where(hits < n, betaincinv(hits + 1, np.maximum(n - hits, 1e-9), 1 - tail), 1.0)
    return lower, upper
