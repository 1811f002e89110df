"""The learning curve of a task: what a student reaches with few examples, with all there are, and perhaps with more."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.errors import SettingError
from slmlens.results import Tasks
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.intervals import clustered_share
from slmlens.suitability.observe import observe
from slmlens.suitability.probes import student_targets
from slmlens.suitability.prompts import Prompts
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.student import RIDGE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_CALLS = 2_000
"""Most calls a curve is drawn from."""
FEWEST = 30
"""Smallest training set of a curve."""
REPEATS = 3
"""Random training sets of each size."""
AHEAD = (2, 4, 8)
"""How far a curve is extrapolated, in multiples of the largest training set; not beyond 8 (judgement)."""
LEAST_HALF_WIDTH, WIDENED = 0.03, 3.0
"""An extrapolation's interval: at least 3 points each way, and three times the bootstrap's; on five public data sets
the plain bootstrap interval held the later truth in two (measured for this project, 2026-11)."""
_BOOTSTRAP = 200
_SHAPES = 25


def learning_curve(
    tasks: Tasks, task_id: str, *, settings: AssessSettings | None = None, seed: int = 0
) -> pl.DataFrame:
    """Return what a student of this task reaches on later sessions with more and more of the earlier ones.

    :param tasks: The tasks of a log.
    :param task_id: One of them, whose answers have classes to learn.
    :param seed: Seed of the training sets, drawn by whole sessions.
    :return: ``n`` (training calls), ``agreement`` (on the whole answer; of several fields, all right), ``lo``, ``hi``
        (90 %), ``extrapolated``. Extrapolated rows are the mean of a power law, a logarithm and an exponential fitted
        to the others.
    :raises SettingError: If there is no such task, or nothing in it that a student could learn.
    """
    settings = settings or AssessSettings()
    one = next((found for found in observe(tasks) if found.task_id == task_id), None)
    if one is None:
        raise SettingError(
            f"there is no task {task_id!r} with usable answers", where="task_id", next_step="pick one of tasks.tasks"
        )
    rows = one.sample(MOST_CALLS, seed)
    answers = compare_task([one.answers[row] for row in rows], one.units[rows])
    prompts = Prompts(
        [one.texts[row] for row in rows], [one.slots[row] for row in rows], answers.units, settings.train_share, seed
    )
    targets = list(student_targets(answers).values())
    if not targets or not prompts.splits_in_time or prompts.early.sum() < FEWEST:
        raise SettingError(
            "the task has no answers that a student could learn: few and recurring ones, in at least two sessions",
            where="task_id",
            next_step="look at the task's program probe instead",
        )
    sizes, hits = _measure(prompts, targets, seed)
    units = answers.units[~prompts.early]
    measured = [clustered_share(row, units) for row in hits]
    ahead, values, half = _extrapolate(sizes, hits, units, seed)
    return pl.DataFrame(
        {
            "n": [*sizes, *ahead],
            "agreement": [*(share.value for share in measured), *values],
            "lo": [*(share.lo90 for share in measured), *np.maximum(values - half, 0.0)],
            "hi": [*(share.hi90 for share in measured), *np.minimum(values + half, 1.0)],
            "extrapolated": [False] * len(sizes) + [True] * len(ahead),
        }
    )


def _measure(prompts: Prompts, targets: list[Ints], seed: int) -> tuple[list[int], Floats]:
    """Sizes of the training sets, and how often each later row was right with them, (sizes x rows)."""
    rng = np.random.default_rng(seed)
    pool, test = np.flatnonzero(prompts.early), np.flatnonzero(~prompts.early)
    wanted = sorted({max(len(pool) // part, FEWEST) for part in (16, 8, 4, 2, 1)})
    sizes, hits = [], []
    for size in wanted:
        drawn = [pool] if size == len(pool) else [_some_units(prompts.units, pool, size, rng) for _ in range(REPEATS)]
        right = [_right(prompts.gram, targets, train, test) for train in drawn]
        sizes.append(round(float(np.mean([len(train) for train in drawn]))))
        hits.append(np.mean(right, axis=0))
    return sizes, np.array(hits)


def _some_units(units: Ints, pool: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Draw whole units until the size is reached; at least one."""
    names, counts = np.unique(units[pool], return_counts=True)
    order = rng.permutation(len(names))
    taken = order[: max(int((np.cumsum(counts[order]) <= size).sum()), 1)]
    return pool[np.isin(units[pool], names[taken])]


def _right(gram: Floats, targets: list[Ints], train: Ints, test: Ints) -> Floats:
    """Whether a ridge on the training rows gives every target of each test row."""
    inner = gram[np.ix_(train, train)] + 1.0 + RIDGE * np.eye(len(train))
    weights = np.linalg.solve(inner, gram[np.ix_(train, test)] + 1.0)
    right = np.ones(len(test), dtype=np.bool_)
    for codes in targets:
        seen, code = np.unique(codes[train], return_inverse=True)
        scores = weights.T @ np.eye(len(seen))[code.reshape(-1)]
        right &= seen[scores.argmax(axis=1)] == codes[test]
    return right.astype(np.float64)


def _extrapolate(sizes: list[int], hits: Floats, units: Ints, seed: int) -> tuple[list[int], Floats, Floats]:
    """Sizes ahead, the mean of three families there, and the half-width of the widened interval."""
    ahead = [sizes[-1] * times for times in AHEAD]
    _, code = np.unique(units, return_inverse=True)
    totals = np.stack([np.bincount(code.reshape(-1), row) for row in hits])
    mass = np.bincount(code.reshape(-1)).astype(float)
    draws = np.random.default_rng(seed).multinomial(len(mass), np.full(len(mass), 1 / len(mass)), size=_BOOTSTRAP)
    curves = np.vstack([hits.mean(axis=1), (draws @ totals.T) / (draws @ mass)[:, np.newaxis]])
    families = np.stack([_family(name, np.array(sizes, float), curves, np.array(ahead, float)) for name in _FAMILIES])
    mean = np.clip(families.mean(axis=0), 0.0, 1.0)
    plain = (np.quantile(mean[1:], 0.95, axis=0) - np.quantile(mean[1:], 0.05, axis=0)) / 2
    between = np.ptp(families[:, 0], axis=0) / 2
    return ahead, mean[0], np.maximum(np.maximum(WIDENED * plain, between), LEAST_HALF_WIDTH)


_FAMILIES = ("power", "logarithm", "exponential")


def _family(name: str, sizes: Floats, curves: Floats, ahead: Floats) -> Floats:
    """Fit a + b g(n) to each curve by least squares, the shape of g by search; b is such that more never hurts.

    :param curves: One row a curve, (curves x sizes).
    :return: The fitted values ahead, (curves x sizes ahead).
    """
    scale = sizes[-1]
    best = np.full(len(curves), np.inf)
    fitted = np.repeat(curves.mean(axis=1, keepdims=True), len(ahead), axis=1)
    for shape in np.geomspace(0.1, 2.0, _SHAPES) if name != "logarithm" else (1.0,):
        g, g_ahead = (_falling(name, n / scale, shape) for n in (sizes, ahead))
        centred = g - g.mean()
        slope = np.minimum(curves @ centred / max(float(centred @ centred), 1e-12), 0.0)
        level = curves.mean(axis=1) - slope * g.mean()
        error = ((curves - level[:, np.newaxis] - np.outer(slope, g)) ** 2).sum(axis=1)
        better = error < best
        best[better] = error[better]
        fitted[better] = (level[:, np.newaxis] + np.outer(slope, g_ahead))[better]
    return fitted


def _falling(name: str, n: Floats, shape: float) -> Floats:
    if name == "power":
        return np.asarray(n**-shape, dtype=np.float64)
    return np.asarray(-np.log(n) if name == "logarithm" else np.exp(-n / shape), dtype=np.float64)
