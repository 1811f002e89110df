"""How far the incumbent agrees with itself: C_pair and C_mode from prompts asked more than once, byte for byte."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.comparators import TaskAnswers
from slmlens.suitability.intervals import Share, clustered_share

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shape = tuple[int, ...]

MAX_ANSWERS = 12
"""Most answers of one prompt that are compared pairwise."""
MIN_MODE_PROMPTS = 10
_GRID = 60
_EM_STEPS = 120
_BOOTSTRAP = 100
_MAX_ALTERNATIVES = 1_000.0


@dataclass(frozen=True)
class Ceiling:
    """Self-agreement of the incumbent on repeated prompts.

    :param pair: C_pair with its 90 % interval, clustered by prompt; None where no prompt repeats independently.
    :param n_pairs: Disjoint pairs of independent answers.
    :param mode: C_mode: agreement with the modal answer, corrected for bias; None with too few repeated prompts.
    :param mode_lo90: Lower end of its interval.
    :param mode_hi90: Upper end: no model can agree more often, so the posterior is cut here.
    :param repeat_share: Share of the task's calls whose prompt came before, byte for byte, with an equal answer.
    :param repeats_equal: Share of the repeated prompts whose answers are all equal; None without repeats.
    """

    pair: Share | None
    n_pairs: int
    mode: float | None
    mode_lo90: float | None
    mode_hi90: float | None
    repeat_share: float
    repeats_equal: float | None


def measure_ceiling(answers: TaskAnswers, prompts: Ints, independent: Ints, seed: int) -> Ceiling:
    """Return the ceiling of a task.

    :param answers: The usable answers, in time order; one that a retry replaced is none.
    :param prompts: Code of each answer's byte-identical prompt; -1 = unknown.
    :param independent: Code of the session each answer comes from; -1 = the answer was served from a cache or its
        session is unknown. Two answers within one session are not independent, so only the first counts.
    :param seed: Seed of the bootstrap over prompts.
    """
    repeat_share, repeats_equal = _repeats(answers, _rows_by_prompt(prompts, np.arange(len(prompts))))
    first = _first_of_session(prompts, independent)
    groups = _rows_by_prompt(prompts[first], first)
    pairs = {code: list(combinations(rows[:MAX_ANSWERS], 2)) for code, rows in groups.items()}
    every = np.array([pair for found in pairs.values() for pair in found], dtype=np.int64).reshape(-1, 2)
    same = np.split(answers.equal(every[:, 0], every[:, 1]), np.cumsum([len(found) for found in pairs.values()])[:-1])
    sizes = [min(len(rows), MAX_ANSWERS) for rows in groups.values()]
    shapes = [_partition(size, equal) for size, equal in zip(sizes, same, strict=False)]
    hits = [float(equal.mean()) for equal in same if len(equal)]
    weights = [float(len(rows)) for rows in groups.values()]
    if not hits:
        return Ceiling(None, 0, None, None, None, repeat_share, repeats_equal)
    pair = clustered_share(np.array(hits), np.arange(len(hits)), np.array(weights))
    n_pairs = sum(sum(shape) // 2 for shape in shapes)
    mode = _mode_agreement(shapes, np.array(weights), _alternatives(answers), pair, seed)
    return Ceiling(pair, n_pairs, *mode, repeat_share, repeats_equal)


def _rows_by_prompt(prompts: Ints, rows: Ints) -> dict[int, list[int]]:
    """Rows of each known prompt that has at least two."""
    groups: dict[int, list[int]] = {}
    for code, row in zip(prompts.tolist(), rows.tolist(), strict=True):
        if code >= 0:
            groups.setdefault(code, []).append(row)
    return {code: members for code, members in groups.items() if len(members) > 1}


def _first_of_session(prompts: Ints, independent: Ints) -> Ints:
    first = np.unique(prompts * (int(independent.max()) + 2) + independent, return_index=True)[1]
    return np.sort(first[(independent[first] >= 0) & (prompts[first] >= 0)])


def _repeats(answers: TaskAnswers, groups: dict[int, list[int]]) -> tuple[float, float | None]:
    if not groups:
        return 0.0, None
    later = np.array([row for rows in groups.values() for row in rows[1:]], dtype=np.int64)
    first = np.array([rows[0] for rows in groups.values() for _ in rows[1:]], dtype=np.int64)
    same = answers.equal(first, later)
    by_prompt = np.split(same, np.cumsum([len(rows) - 1 for rows in groups.values()])[:-1])
    return float(same.sum()) / len(answers), sum(bool(equal.all()) for equal in by_prompt) / len(groups)


def _partition(n: int, same: NDArray[np.bool_]) -> Shape:
    """Sizes of the groups of equal answers, largest first. A weak comparator isn't transitive: first match wins."""
    group = list(range(n))
    for (i, j), equal in zip(combinations(range(n), 2), same.tolist(), strict=True):
        if equal and group[j] == j:
            group[j] = group[i]
    return tuple(sorted(Counter(group).values(), reverse=True))


def _alternatives(answers: TaskAnswers) -> float:
    """Effective number of answers that a deviation from the mode falls on: 1 / collision of the non-modal answers."""
    counts = np.bincount(answers.joint_codes()).astype(float)
    others = np.delete(counts, counts.argmax())
    if others.sum() == 0:
        return 1.0
    return float(min(max(1 / np.square(others / others.sum()).sum(), 1.0), _MAX_ALTERNATIVES))


def _mode_agreement(
    shapes: list[Shape], weights: Floats, alternatives: float, pair: Share, seed: int
) -> tuple[float | None, float | None, float | None]:
    """C_mode and its 90 % interval: the mean of the mixing distribution of the modal share, by maximum likelihood.

    The plug-in (largest group / answers) overstates the modal share of prompts asked two or three times. Instead the
    distribution of that share over prompts is estimated without a parametric form (Kiefer and Wolfowitz 1956; EM of
    Laird 1978), with deviations spread evenly over ``alternatives``. The lower end is a bootstrap over prompts.

    Two or three answers a prompt don't tell how much prompts differ, and the more they do, the lower is the mean modal
    share at the same C_pair (Jensen). So the upper end, where no model may lie above, is the share that prompts which
    are all alike would need for the upper end of C_pair.
    """
    if len(shapes) < MIN_MODE_PROMPTS:
        return None, None, None
    if all(len(shape) == 1 for shape in shapes):
        return 1.0, pair.lo90, 1.0
    distinct = sorted(set(shapes))
    grid = np.linspace(1 / (alternatives + 1), 1.0, _GRID)
    likelihood = np.array([_shape_likelihood(shape, grid, alternatives) for shape in distinct])
    code = np.array([distinct.index(shape) for shape in shapes])
    mass = np.bincount(code, weights, minlength=len(distinct))
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(shapes), np.full(len(shapes), 1 / len(shapes)), size=_BOOTSTRAP)
    resampled = np.stack([np.bincount(code, weights * draw, minlength=len(distinct)) for draw in draws])
    means = _mixing_mean(likelihood, grid, np.vstack([mass, resampled]))
    lo, hi = np.quantile(means[1:], [0.05, 0.95])
    alike = float(np.interp(pair.hi90, grid**2 + (1 - grid) ** 2 / alternatives, grid))
    return float(means[0]), float(min(lo, means[0])), float(max(hi, means[0], alike))


def _shape_likelihood(shape: Shape, grid: Floats, alternatives: float) -> Floats:
    """Probability of one set partition with these group sizes at each modal share, up to a constant."""
    n, groups = sum(shape), len(shape)
    miss = (1 - grid) / alternatives
    none_modal = miss**n * _falling(alternatives, groups)
    one_modal = sum(grid**size * miss ** (n - size) for size in shape) * _falling(alternatives, groups - 1)
    return np.maximum(one_modal + none_modal, 1e-300)


@lru_cache(maxsize=256)
def _falling(alternatives: float, k: int) -> float:
    product = 1.0
    for i in range(k):
        product *= max(alternatives - i, 1e-3)
    return product


def _mixing_mean(likelihood: Floats, grid: Floats, masses: Floats) -> Floats:
    """Mean of the mixing distribution for each row of shape counts, by EM, all rows at once."""
    weights = np.full((len(masses), len(grid)), 1 / len(grid))
    total = masses.sum(axis=1, keepdims=True)
    for _ in range(_EM_STEPS):
        marginal = weights @ likelihood.T
        weights *= (masses / marginal) @ likelihood / total
    return np.asarray(weights @ grid, dtype=np.float64)
