"""What a graded small model is taken to say of larger ones, against truths that are known.

Run: ``python benchmarks/larger_models.py [--pairs FILE]``. Where there is no signal at all: how often is a task called
likely or shown? Where the stated judgement holds: is P(parity) of larger models calibrated? And on published pairs of
tuned models (a table with task, metric, params_b, fine_tuned): does it hold there?
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.suitability.answers import Answer
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.judge import Seen, judge
from slmlens.suitability.larger import larger_anchor
from slmlens.suitability.posterior import Graded, Target, posterior_of_a
from slmlens.suitability.priors import tuned_prior
from slmlens.suitability.settings import AssessSettings

TINY = "tiny-135M"
SIZES = (30, 60, 120, 240)
BINS = (0.0, 0.2, 0.5, 0.8, 1.01)
DRAWS = 4_000
SETTINGS = AssessSettings()
PRIOR = tuned_prior("json", 2.0, params_b=SETTINGS.slm_params_b)
Floats = NDArray[np.float64]


@lru_cache(maxsize=100_000)
def p_larger(n: int, hits: int, constant: float) -> tuple[float, bool]:
    """Return P(parity) of any larger tuned model, and whether the graded one speaks for it."""
    target = Target(SETTINGS.parity, SETTINGS.skill, constant, None)
    anchor = larger_anchor([Graded(TINY, n, hits / n)], constant, target.point, SETTINGS)
    return posterior_of_a(PRIOR, target, floor=anchor.floor if anchor else None).p_parity, anchor is not None


def word_of(n: int, hits: int, constant: float) -> str:
    """Return the word of a task that no cheap probe learns, with one small tuned model graded on it."""
    given = [Answer("json", {"intent": f"answer {i}"}) for i in range(40)]
    seen = Seen(
        task_id="t",
        answers=compare_task(given, np.arange(40)),
        constant=constant,
        ceiling=None,
        probed=None,
        adjusted={},
        signals={"output_tokens_mean": 20.0, "turn_depth": 2.0, "input_tokens_p99": 500.0, "media_share": 0.0},
        n_units=40,
        steps=1.0,
        time_ordered=True,
        graded={"tuned": [Graded(TINY, n, hits / n)]},
    )
    return judge(seen, SETTINGS).evidence


def no_signal() -> None:
    """Print exact chances where the tuned model answers no better than the constant."""
    from scipy.stats import binom

    print("no signal: chance that the small model speaks for larger ones | that the task is called likely or shown")
    for constant in (0.2, 0.5, 0.8, 0.9):
        for n in SIZES:
            chance = binom.pmf(np.arange(n + 1), n, constant)
            hits = np.flatnonzero(chance > 1e-9)
            speaks = sum(chance[k] for k in hits if p_larger(n, int(k), constant)[1])
            green = sum(chance[k] for k in hits if word_of(n, int(k), constant) in {"likely", "shown"})
            print(f"  b {constant:.1f}  n {n:3d}  {speaks:.5f} | {green:.5f}")


def drawn(gap: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw A of larger and small models under the judgement; ``gap``: share of tasks where the small one is worse."""
    large = rng.beta(PRIOR.a, PRIOR.b, DRAWS)
    worse = rng.uniform(0, 1, DRAWS) * large * (rng.random(DRAWS) < gap)
    small = large + SETTINGS.larger_delta + SETTINGS.larger_sd * rng.standard_normal(DRAWS) - worse
    return large, np.clip(small, 0.0, 1.0)


def calibration(title: str, large: Floats, small: Floats, rng: np.random.Generator) -> None:
    """Print how often larger models held parity, by the P(parity) that they were given."""
    print(title)
    constant = 0.2
    needed = Target(SETTINGS.parity, SETTINGS.skill, constant, None).point
    for n in SIZES:
        told = np.array([p_larger(n, int(k), constant)[0] for k in rng.binomial(n, small)])
        place = np.digitize(told, BINS[1:-1])
        parts = []
        for at in range(len(BINS) - 1):
            of = place == at
            if of.any():
                parts.append(f"{told[of].mean():.2f} -> {(large[of] >= needed).mean():.2f} (n {of.sum()})")
        print(f"  n {n:3d}  {'   '.join(parts)}")


def published(path: Path, rng: np.random.Generator) -> None:
    """Print the same for published pairs: each smaller model against each larger one, on the same task."""
    rows = pl.read_csv(path).filter(pl.col("metric") != "mae")
    columns = ("task", pl.col("fine_tuned"))
    small = rows.filter(pl.col("params_b") < 3).select(*columns)
    large = rows.filter(pl.col("params_b") > 6).select(*columns)
    pairs = small.join(large, on="task", suffix="_large")
    repeated = pl.concat([pairs] * 10)
    tasks = pairs.get_column("task").n_unique()
    title = f"published pairs of {tasks} tasks, {pairs.height} pairs, the smaller one graded anew ten times: P -> share"
    calibration(title, *(repeated.get_column(c).to_numpy() for c in ("fine_tuned_large", "fine_tuned")), rng)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, help="table of tuned models: task, metric, params_b, fine_tuned")
    pairs = parser.parse_args().pairs
    rng = np.random.default_rng(0)
    no_signal()
    for gap in (0.0, 0.5, 1.0):
        calibration(f"judgement true, the small model worse in {gap:.0%} of tasks: P -> share", *drawn(gap, rng), rng)
    if pairs is not None:
        published(pairs, rng)


if __name__ == "__main__":
    main()
