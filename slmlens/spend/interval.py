"""How sure the mean of a log's days is: an interval that allows for weekdays, bursts, memory and few days with cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slmlens.spend.days import weekday_means

CONFIDENCE = 0.90
MIN_PIECES = 5
"""Fewer days with cost than this tell nothing about their spread."""

_WEEK = 7
_IDLE_SHARE = 0.5
"""Where idle stretches of over a week fill more of the window than this, a run of days with cost is one piece."""

_FREQUENCIES = 0.4
"""Cosines per (days to the power 2/3): Lazarus, Lewis, Stock and Watson, Journal of Business & Economic Statistics 36,
2018, equation 4."""

_MIN_FREQUENCIES = 3
_MEMORY_QUANTILE = 0.8
"""Slow swings count where they exceed what independent days show in four of five logs."""

_MAX_STRETCH = 5.0


@dataclass(frozen=True)
class Interval:
    """Daily money, in the unit of the levels.

    :param rate: 90 % interval of the mean day at the current rate.
    :param following: The same for the mean of the days to come.
    """

    rate: tuple[float, float]
    following: tuple[float, float]


def independent_pieces(levels: np.ndarray) -> int:
    """Return how many days tell independently of each other what is spent: those with cost.

    In a log that is mostly silent for over a week at a time, days with cost that stand closer than that are one piece.
    """
    paid = np.flatnonzero(levels > 0)
    if not paid.size:
        return 0
    gaps = np.diff(paid) - 1
    long = gaps[gaps > _WEEK]
    return int(long.size + 1) if long.sum() > _IDLE_SHARE * levels.size else int(paid.size)


def mean_interval(levels: np.ndarray, weekdays: np.ndarray, *, mean: float, pieces: int, ahead: float) -> Interval:
    """Return the intervals around the mean day.

    The wider of two: days taken as independent after their weekday's mean, and the swings slower than a few days as
    the first cosines of the window show them (equal-weighted cosine estimate of the long-run variance, Lazarus et al.
    2018), where these exceed the first. Both use a t quantile. Its degrees of freedom fall with the kurtosis of the
    days, since a variance that rests on two bursts is itself a guess (2 / (relative variance of the sample variance),
    Kenney and Keeping 1951), and never exceed ``pieces`` - 1.

    :param levels: Money of each day, whole days.
    :param weekdays: Weekday of each day, 0 to 6.
    :param mean: What the interval is laid around.
    :param pieces: Of :func:`independent_pieces`, 2 or more.
    :param ahead: Days to come.
    """
    n = levels.size
    means = weekday_means(levels, weekdays)
    residuals = levels - means[weekdays]
    freedom = n - np.unique(weekdays).size
    uneven = float((np.bincount(weekdays, minlength=_WEEK) / n - 1 / _WEEK) @ means) ** 2
    spreads = [(float(residuals @ residuals) / freedom, min(_freedom(residuals, freedom), pieces - 1.0))]
    slow, frequencies = _slow_variance(residuals, freedom)
    if slow > spreads[0][0] * _chi_square(frequencies):
        spreads.append((slow, min(frequencies, pieces - 1.0)))
    rate = max(_quantile(nu) * float(np.sqrt(variance / n + uneven)) for variance, nu in spreads)
    following = max(
        _quantile(nu) * float(np.sqrt(variance / n + uneven + variance / ahead)) for variance, nu in spreads
    )
    return Interval(_ends(mean, rate), _ends(mean, following))


def _freedom(residuals: np.ndarray, freedom: int) -> float:
    """Return the degrees of freedom of the sample variance: 2 over its relative variance, at least 1."""
    squares = float(residuals @ residuals)
    if squares <= 0:
        return float(freedom)
    fourth = float((residuals**4).sum()) / squares**2
    return max(1.0, 2 / max(fourth - 3 / residuals.size + 2 / freedom, 2 / freedom))


def _slow_variance(residuals: np.ndarray, freedom: int) -> tuple[float, int]:
    """Return the long-run variance of a day from the slowest cosines of the window, and their number."""
    n = residuals.size
    count = max(_MIN_FREQUENCIES, round(_FREQUENCIES * n ** (2 / 3)))
    at = (np.arange(n) + 0.5) / n
    waves = np.sqrt(2 / n) * np.cos(np.pi * np.outer(np.arange(1, count + 1), at))
    return float(((waves @ residuals) ** 2).mean()) * n / freedom, count


def _chi_square(freedom: int) -> float:
    from scipy import special

    return float(special.chdtri(freedom, 1 - _MEMORY_QUANTILE)) / freedom


def _quantile(freedom: float) -> float:
    from scipy import special

    return float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _ends(mean: float, half: float) -> tuple[float, float]:
    """Return the ends, the upper one on the logarithmic scale, because daily spend leans to the right."""
    if mean <= 0:
        return 0.0, half
    stretched = mean * float(np.exp(min(half / mean, _MAX_STRETCH)))
    return max(0.0, mean - half), max(mean + half, stretched)
