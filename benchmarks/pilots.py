"""Pilots whose truth is known: recorded outcomes of MINT drawn as pilots, and simulated models."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.outcomes import Floats
from benchmarks.scorers import DATED, SCORERS, predict_held_out
from slmlens.suitability.intervals import Share, clopper_pearson
from slmlens.suitability.posterior import LOOKS, Graded, Target, meets_target, posterior_of_a
from slmlens.suitability.priors import Prior

PARITY, SKILL = 0.95, 0.80
RULES = {"": (0.2, 0.8), "80": (0.1, 0.9)}
"""P(parity) below which a pilot says no, and from which yes: by the words, and by the 80 % interval of A."""
PILOT_CALLS = 40
FAR = 0.15
"""Distance of rho from 0.95 from which a pilot has to be right."""
SIZES = (6.5, 8.5)
"""Billions of parameters of the small models that are piloted: 7-8B."""


def share_of(successes: float, n: int) -> Share:
    """Return a share of independent calls with its exact 90 % interval."""
    lo, hi = clopper_pearson(successes, n)
    return Share(successes / n, lo, hi, n, n, float(n))


def recorded_pilots(units: pl.DataFrame, resamples: int, seed: int) -> pl.DataFrame:
    """Return, per unit of MINT against its strongest incumbent, how often a pilot of its own items is right or wrong.

    The prior is fitted without the unit's family. Both models' outcomes are known for the pilot's items only: the
    incumbent's success on them stands for C_pair, with its own error.

    Columns: category, slm, rho, right and wrong by the words (shares of resamples that end in P(parity) >= 0.8 or
    < 0.2), right80 and wrong80 by the 80 % interval of A (the least A that parity asks lies outside), covered (the 90 %
    interval holds the small model's success over all items).
    """
    scorer = next(s for s in SCORERS if s.name == DATED)
    held = predict_held_out(scorer, units, units.get_column("family").to_numpy().astype(str))
    priors = units.with_columns(mean=held.mean, kappa=held.kappa)
    mint = priors.filter(
        (pl.col("source") == "mint") & (pl.col("rank") == 0) & pl.col("params_b").is_between(*SIZES)
    ).sort("task_category", "slm")
    rng = np.random.default_rng(seed)
    return pl.DataFrame([_recorded(unit, resamples, rng) for unit in mint.iter_rows(named=True)])


def _recorded(unit: dict[str, object], resamples: int, rng: np.random.Generator) -> dict[str, object]:
    slm, llm = np.array(unit["slm_passed"]), np.array(unit["llm_passed"])
    prior = Prior(float(str(unit["mean"])), float(str(unit["kappa"])), "without this family")
    truth, size = slm.mean() >= PARITY * llm.mean(), min(PILOT_CALLS, len(slm))

    @cache
    def judged(hits: int, llm_hits: int) -> tuple[float, bool]:
        target = Target(PARITY, SKILL, 0.0, share_of(llm_hits, size))
        found = posterior_of_a(prior, target, graded=Graded("", size, hits / size))
        lo, hi = found.interval(0.90)
        return found.p_parity, lo <= slm.mean() <= hi

    tally = dict.fromkeys(("right", "wrong", "right80", "wrong80", "covered"), 0)
    for _ in range(resamples):
        drawn = rng.choice(len(slm), size, replace=False)
        p_parity, held = judged(int(slm[drawn].sum()), int(llm[drawn].sum()))
        for rule, (no, yes) in RULES.items():
            settled = p_parity >= yes or p_parity < no
            tally[f"right{rule}"] += settled and (p_parity >= yes) == truth
            tally[f"wrong{rule}"] += settled and (p_parity >= yes) != truth
        tally["covered"] += held
    shares = {name: count / resamples for name, count in tally.items()}
    return {"category": unit["task_category"], "slm": unit["slm"], "rho": unit["rho"], **shares}


def shown_share(
    ratio: float, *, ceiling: float = 1.0, repeats: int | None = None, series: int = 1, runs: int = 4_000, seed: int = 0
) -> float:
    """Return how often a simulated pilot ends in "shown" at any of its looks.

    :param ratio: True A / C_pair.
    :param ceiling: True C_pair.
    :param repeats: Pairs of answers that C_pair is estimated from; None: it is not measured and taken as 1.
    :param series: Models and modes graded on the task.
    :param runs: Simulated pilots.
    :param seed: Seed.
    """
    rng = np.random.default_rng(seed)
    steps = np.diff((0, *LOOKS))
    hits = rng.binomial(steps, ratio * ceiling, size=(runs, len(LOOKS))).cumsum(axis=1)
    agreed = rng.binomial(repeats, ceiling, size=runs) if repeats is not None else np.zeros(runs, dtype=np.int64)

    @cache
    def shown(look: int, hits: int, agreed: int) -> bool:
        pair = share_of(agreed, repeats) if repeats is not None else None
        return meets_target(Graded("", look, hits / look, series), Target(PARITY, SKILL, 0.0, pair))

    ended: NDArray[np.bool_] = np.zeros(runs, dtype=bool)
    for i in range(runs):
        ended[i] = any(shown(look, int(hits[i, j]), int(agreed[i])) for j, look in enumerate(LOOKS))
    return float(ended.mean())


def coverage_after(mean: Floats, kappa: Floats, success: Floats, calls: int) -> tuple[float, float]:
    """Return coverage and mean width of the 90 % interval of A after a pilot, over what the pilot may bring."""
    from scipy.special import betaincinv
    from scipy.stats import binom

    covered, width = np.zeros(len(success)), np.zeros(len(success))
    for hits in range(calls + 1):
        chance = binom.pmf(hits, calls, success)
        a, b = mean * kappa + hits, (1 - mean) * kappa + calls - hits
        lo = betaincinv(a, b, 0.05) if hits > 0 else np.zeros(len(success))
        hi = betaincinv(a, b, 0.95) if hits < calls else np.ones(len(success))
        covered += chance * ((lo <= success) & (success <= hi))
        width += chance * (hi - lo)
    return float(covered.mean()), float(width.mean())
