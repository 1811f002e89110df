"""Whether the daily cost moved to another level inside a log: by a step on some day, or as a ramp."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from slmlens.spend.days import weekday_means

_ALPHA = 0.05
_STEP_FACTOR = 1.3
"""A step is called only where the level moved by 30 % or more: smaller ones fit in the interval."""

_RAMP_FACTOR = 1.5
"""A ramp, where the fitted line ends half above (or below) where it began: its halves then differ by about 25 %."""

_STRONG = 6.0
"""Difference of the Bayesian information criterion that is strong evidence (Raftery, Sociological Methodology 25,
1995)."""

_MIN_SIDE = 3
_MAX_MEMORY = 0.95
_TINY = 1e-9
_WEEK = 7


@dataclass(frozen=True)
class Shift:
    """The daily level moved inside the window.

    :param kind: ``step``: from one day to the next; ``ramp``: by and by.
    :param at: Position, among the levels, of the first day after a step; of a ramp 0.
    :param before: Mean day before the step, or where the ramp's line begins; in the unit of the levels.
    :param after: Mean day from the step on, or where the ramp's line ends.
    :param week_share: Change a week over the mean of the window, of a ramp; of a step 0.
    :param clear: A step beyond doubt: a ramp fits the days much worse.
    """

    kind: Literal["step", "ramp"]
    at: int
    before: float
    after: float
    week_share: float
    clear: bool = False


def find_shift(levels: np.ndarray, weekdays: np.ndarray) -> Shift | None:
    """Return how the level moved, or None where chance and memory explain what is seen.

    Two rank tests, so that one burst is no shift, on the levels over their weekday's mean: Pettitt's for a step
    (Applied Statistics 28, 1979) and Spearman's correlation with time for a ramp. Days that resemble the day before
    count for less: both take the effective number of days, n (1 - r) / (1 + r) (Hamed and Rao, Journal of Hydrology
    204, 1998), with r the first autocorrelation of what remains after the better of a step and a line, less its bias
    (Marriott and Pope, Biometrika 41, 1954). It is a step where two levels fit the ranks better than a line does, by
    the Bayesian information criterion.

    :param levels: Money of each day, whole days.
    :param weekdays: Weekday of each day, 0 to 6.
    """
    relative = levels / np.maximum(weekday_means(levels, weekdays)[weekdays], _TINY)
    ranks = _ranks(relative)
    spread = float(ranks @ ranks)
    if spread <= 0 or levels.size < 2 * _MIN_SIDE:
        return None
    at, step_rest = _best_step(ranks)
    line_rest = ranks - _time(ranks.size) * _slope(ranks)
    rest = step_rest if step_rest @ step_rest < line_rest @ line_rest else line_rest
    effective = _effective_share(rest)
    step, ramp = _step(levels, at), _ramp(relative, float(levels.mean()))
    stepped = _step_chance(ranks, effective) < _ALPHA and _moved(step, _STEP_FACTOR)
    ramped = _ramp_chance(ranks, effective) < _ALPHA and _moved(ramp, _RAMP_FACTOR)
    if not stepped and not ramped:
        return None
    margin = _margin(step_rest, line_rest)
    if margin <= 0 or not _moved(step, _STEP_FACTOR):
        return ramp
    return replace(step, clear=margin > _STRONG)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the mid-ranks less their mean."""
    from scipy import stats

    ranks: np.ndarray = np.asarray(stats.rankdata(values), dtype=float)
    return np.asarray(ranks - ranks.mean())


def _time(n: int) -> np.ndarray:
    return np.arange(n) - (n - 1) / 2


def _slope(values: np.ndarray) -> float:
    """Return the least-squares change a day."""
    time = _time(values.size)
    return float(time @ (values - values.mean()) / (time @ time))


def _best_step(ranks: np.ndarray) -> tuple[int, np.ndarray]:
    """Return where two levels fit best, each with three days or more, and what they leave."""
    n = ranks.size
    sums, size = np.cumsum(ranks)[:-1], np.arange(1, n)
    gain = sums**2 / size + sums**2 / (n - size)
    at = int(np.argmax(gain[_MIN_SIDE - 1 : n - _MIN_SIDE])) + _MIN_SIDE
    rest = ranks.copy()
    rest[:at] -= ranks[:at].mean()
    rest[at:] -= ranks[at:].mean()
    return at, rest


def _effective_share(rest: np.ndarray) -> float:
    """Return the effective number of days over the days."""
    n, squares = rest.size, float(rest @ rest)
    memory = float(rest[1:] @ rest[:-1]) / squares if squares > _TINY else 0.0
    memory = min(max((n * memory + 1) / (n - 3), 0.0), _MAX_MEMORY)
    return (1 - memory) / (1 + memory)


def _step_chance(ranks: np.ndarray, effective: float) -> float:
    """Return the chance that a log without a step shows one as large."""
    n = ranks.size
    largest = 2 * float(np.abs(np.cumsum(ranks)).max())
    return 2 * float(np.exp(-6 * largest**2 * effective / (n**3 + n**2)))


def _ramp_chance(ranks: np.ndarray, effective: float) -> float:
    """Return the two-sided chance that a log without a ramp shows one as large."""
    from scipy import special

    time = _time(ranks.size)
    correlation = float(time @ ranks / np.sqrt((time @ time) * (ranks @ ranks)))
    freedom = max(ranks.size * effective, 4.0) - 2
    ratio = abs(correlation) * np.sqrt(freedom / max(1 - correlation**2, 1e-12))
    return 2 * float(special.stdtr(freedom, -ratio))


def _margin(step_rest: np.ndarray, line_rest: np.ndarray) -> float:
    """Return by how much the Bayesian information criterion of a step is below that of a line."""
    n = step_rest.size
    step, line = (max(float(rest @ rest), _TINY) for rest in (step_rest, line_rest))
    return float(n * (np.log(line) - np.log(step)) - np.log(n))


def _step(levels: np.ndarray, at: int) -> Shift:
    return Shift("step", at, float(levels[:at].mean()), float(levels[at:].mean()), 0.0)


def _ramp(relative: np.ndarray, mean: float) -> Shift:
    slope, middle, half = _slope(relative), float(relative.mean()), (relative.size - 1) / 2
    begin, end = (max(0.0, (middle + sign * slope * half) / middle) for sign in (-1, 1))
    return Shift("ramp", 0, begin * mean, end * mean, slope * _WEEK / middle)


def _moved(shift: Shift, factor: float) -> bool:
    return max(shift.before, shift.after) >= factor * min(shift.before, shift.after)
