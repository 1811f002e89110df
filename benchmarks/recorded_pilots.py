"""Recorded pilots where not all calls have an answer, and those not by chance: is a model shown that should not be?

``python -m benchmarks.recorded_pilots --pilots 200`` (about a minute of CPU).
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.suitability.decide import LIKELY_FROM
from slmlens.suitability.judge import grade_of
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import progress_of
from slmlens.suitability.pilot_sample import draw_pilot, sessions_of
from slmlens.suitability.posterior import Graded, Target, meets_target, posterior_of_a
from slmlens.suitability.priors import Prior, swap_prior
from slmlens.suitability.settings import AssessSettings
from tests.suitability.trap_logs import labelled_task

SETTINGS = AssessSettings()
TARGET = Target(SETTINGS.parity, SETTINGS.skill, 0.5, None)
SESSIONS = 600
COVERED = (0.3, 0.6, 0.9, 0.95, 0.98, 1.0)
MISSED = 0.94
"""Agreement over all calls of a model that just misses the 0.95 that parity asks."""
GREEN = ("shown", "likely")


def verdict(
    of: Observed, has: NDArray[np.bool_], right: NDArray[np.bool_], prior: Prior, seed: int
) -> tuple[str, float, bool]:
    """Return the word of one recorded pilot, its chance of parity, and whether it shows parity if all calls are alike.

    :param has: Which calls have a recorded answer.
    :param right: Which of their answers are acceptable.
    """
    clusters = np.full(len(of), -1, dtype=np.int64)
    clusters[has] = np.unique(sessions_of(of)[has], return_inverse=True)[1]
    sample = draw_pilot(of, SETTINGS, seed, task_calls=len(of), clusters=clusters)
    assert sample is not None
    by_call = dict(zip(of.call_ids, right.tolist(), strict=True))
    grades = sample.select(
        "call_id",
        slm=pl.lit("m"),
        mode=pl.lit("swap"),
        acceptable=pl.col("call_id").replace_strict(by_call),
        why=pl.lit(""),
    )
    (found,) = progress_of(sample, grades, SETTINGS)
    assert found.share is not None
    graded = Graded("m", found.share.n_eff, found.share.value, covered=float(has.mean()))
    p_parity = posterior_of_a(prior, TARGET, graded=graded).p_parity
    whole = meets_target(replace(graded, covered=1.0), TARGET)
    if grade_of(graded.n_eff, graded.covered, probed=False, looped=False) == "A" and meets_target(graded, TARGET):
        return "shown", p_parity, whole
    return ("likely" if p_parity >= LIKELY_FROM else "open or less"), p_parity, whole


def main() -> None:
    """Print, by share of calls with an answer, how often the words come, and whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pilots", type=int, default=200)
    pilots = parser.parse_args().pilots
    rng, draw = np.random.default_rng(0), random.Random(1)
    of = labelled_task([1] * SESSIONS, draw.choices("ab", k=SESSIONS))
    prior = swap_prior(8.0, SETTINGS.slm_params_b, released=SETTINGS.slm_released)
    print(f"parity asks for {TARGET.point:.2f}; prior mean {prior.mean:.2f}")
    for covered in COVERED:
        worst, believed = [], []
        for seed in range(pilots):
            has = rng.random(SESSIONS) < covered
            # the worst choice: nearly all that has an answer is right, and of the rest so few that parity is missed
            seen, rest = (1.0, (MISSED - covered) / (1 - covered)) if covered < MISSED else (MISSED / covered, 0.0)
            worst.append(verdict(of, has, rng.random(SESSIONS) < np.where(has, seen, rest), prior, seed))
            seen, rest = rng.beta(prior.a, prior.b, 2)
            word, chance, _ = verdict(of, has, rng.random(SESSIONS) < np.where(has, seen, rest), prior, seed)
            believed.append((word, chance, covered * seen + (1 - covered) * rest >= TARGET.point))
        words = [word for word, *_ in worst]
        green, shown = ([true for word, _, true in believed if word in of_word] for of_word in (GREEN, GREEN[:1]))
        print(
            f"{covered:.0%} have an answer. Chosen to mislead (A = {MISSED}): shown {words.count('shown')}, likely "
            f"{words.count('likely')} of {pilots}; taken for all calls, shown {sum(w for *_, w in worst)}. As the "
            f"prior has it: {sum(green)} of {len(green)} green hold, {sum(shown)} of {len(shown)} shown; mean "
            f"chance {np.mean([one[1] for one in believed]):.2f}, true {np.mean([one[2] for one in believed]):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
