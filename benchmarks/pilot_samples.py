"""Simulated pilots through the real sample, weights and looks: how often a model of known agreement is shown.

``python -m benchmarks.pilot_samples --pilots 150`` (35 s of CPU for 150).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence

import numpy as np
import polars as pl

from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import progress_of
from slmlens.suitability.pilot_sample import draw_pilot
from slmlens.suitability.posterior import LOOKS, Graded, Target, meets_target
from slmlens.suitability.settings import AssessSettings
from tests.suitability.trap_logs import labelled_task

SETTINGS = AssessSettings()
SCENES = {
    "one call a session": ((1,), (50, 30, 20)),
    "sessions of 1 to 12 calls, a class of 3 %": ((1, 1, 2, 3, 12), (60, 37, 3)),
}
SESSIONS = 900


def task(sizes: Sequence[int], shares: Sequence[int]) -> Observed:
    """A task of sessions with so many calls each, in time order; its answers are one of three labels."""
    rng = random.Random(1)
    calls = [rng.choice(sizes) for _ in range(SESSIONS)]
    return labelled_task(calls, rng.choices("abc", shares, k=sum(calls)))


def shown(sample: pl.DataFrame, acceptable: np.ndarray, target: Target) -> bool:
    """Whether any look of one pilot shows parity."""
    grades = sample.select("call_id").with_columns(
        pl.Series("acceptable", acceptable), slm=pl.lit("m"), mode=pl.lit("swap"), why=pl.lit("")
    )
    for look in LOOKS:
        asked = sample.filter(pl.col("position") <= look).select("call_id")
        (found,) = progress_of(sample, grades.join(asked, on="call_id", how="semi"), SETTINGS)
        if found.share is not None and meets_target(Graded("m", found.share.n_eff, found.share.value), target):
            return True
    return False


def main() -> None:
    """Print, by scene and true agreement, in how many pilots the model was shown where 0.95 is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pilots", type=int, default=150)
    pilots = parser.parse_args().pilots
    rng = np.random.default_rng(0)
    for scene, (sizes, shares) in SCENES.items():
        of = task(sizes, shares)
        target = Target(SETTINGS.parity, SETTINGS.skill, max(shares) / 100, None)
        drawn = [draw_pilot(of, SETTINGS, seed, task_calls=len(of)) for seed in range(pilots)]
        samples = [sample for sample in drawn if sample is not None]
        weight = samples[0].get_column("weight").to_numpy()
        n_eff = weight.sum() ** 2 / (weight**2).sum()
        for agreement in (0.90, 0.95, 0.99):
            hits = sum(shown(one, rng.random(one.height) < agreement, target) for one in samples)
            print(f"{scene}: A = {agreement}, shown in {hits} of {pilots} (240 calls worth {n_eff:.0f})", flush=True)


if __name__ == "__main__":
    main()
