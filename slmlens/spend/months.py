"""What a month costs, honest about the calendar: a figure only where the log carries one, a range only where it can."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.errors import SettingError
from slmlens.spend.days import Days, calendar_days

MONTH_DAYS = 30
CONFIDENCE = 0.90
MIN_DAYS = 7
MIN_INTERVAL_DAYS = 14

MIN_TIMED_SHARE = 0.9
_MIN_COVERED_DAY = 0.5
"""A day seen by less than half is too noisy to scale up; its money counts, its spread does not."""

_WEEK = 7
_SHIFT_ALPHA = 0.02
_SHIFT_FACTOR = 1.3
"""A shift is called only where the level moved by 30 % or more: smaller ones fit in the interval."""

_BARTLETT_95 = (1.6449, 2.1859, 0.3142, -0.3427)
"""One-sided 95 % critical value as a polynomial in bandwidth / n, Bartlett kernel (Kiefer and Vogelsang, Econometric
Theory 21, 2005, table 1)."""


@dataclass(frozen=True)
class Month:
    """Money in 30 days at the log's current rate.

    :param low_nusd: Lower end of the 90 % interval; None: no interval (``reason`` says why).
    :param mid_nusd: (Sum over the window) / (days of the window) x 30 / sampling rate; None: no month can be stated.
    :param high_nusd: Upper end; on the logarithmic scale, because daily spend leans to the right.
    :param next_low_nusd: The same for what the next 30 days will really show: wider.
    :param next_high_nusd: Upper end for the next 30 days.
    :param reason: What the figure is and is not, as a sentence.
    :param start: Time of the first call; None: the log has no times.
    :param end: Time of the last call.
    :param days: Days of the calendar window, partial first and last days by their covered share.
    :param active_days: Days with calls.
    :param ramp: The daily level moved by 30 % or more inside the window (a ramp or a step).
    :param sampling_rate: Share of the traffic that the log holds.
    """

    low_nusd: int | None
    mid_nusd: int | None
    high_nusd: int | None
    next_low_nusd: int | None
    next_high_nusd: int | None
    reason: str
    start: dt.datetime | None
    end: dt.datetime | None
    days: float
    active_days: int
    ramp: bool
    sampling_rate: float

    @property
    def per_month(self) -> float | None:
        """Factor from the log to a month, or None where no month can be stated."""
        return None if self.mid_nusd is None else MONTH_DAYS / self.days / self.sampling_rate


def estimate_month(calls: pl.DataFrame, *, sampling_rate: float = 1.0, column: str = "runrate_nusd") -> Month:
    """Return what 30 days cost at the log's current rate.

    Under 7 days there is no figure, from 7 to 13 no interval. From 14 days the interval pools the residuals of the days
    after weekday means, with a t quantile and a long-run variance to lag 7. Days without calls inside the window count.

    :param calls: ``CallsTable``.
    :param sampling_rate: Share of the traffic that the log holds, in (0, 1]; money is divided by it.
    :param column: An integer column of nano-USD.
    :raises SettingError: If the sampling rate is outside (0, 1].
    """
    if not 0 < sampling_rate <= 1:
        raise SettingError(
            f"a sampling rate of {sampling_rate} is outside (0, 1]",
            where="sampling_rate",
            next_step="give the share of the calls that the log holds, 0.01 for one in a hundred",
        )
    days = calendar_days(calls, pl.col(column))
    priced = calls.filter(pl.col(column).is_not_null())
    obstacle = _obstacle(priced, days)
    if days is None or obstacle:
        return _month(None, obstacle, days, sampling_rate)
    mid = float(days.totals.sum()) / days.length * MONTH_DAYS
    untimed = priced.get_column("started_at").null_count()
    note = f" {untimed:,} priced calls without a time are not in it." if untimed else ""
    if round(days.length) < MIN_INTERVAL_DAYS:
        return _month(mid, "No interval: one week seen." + note, days, sampling_rate)
    shift = _shift(*_levels(days))
    if shift is not None:
        return _month(mid, _shift_reason(days, *shift) + note, days, sampling_rate, ramp=True)
    rate, following = _intervals(days, mid / MONTH_DAYS)
    reason = f"90 % interval from {days.length:.0f} days, {days.active} of them with calls." + note
    return _month(mid, reason, days, sampling_rate, rate=rate, following=following)


def _obstacle(priced: pl.DataFrame, days: Days | None) -> str:
    if days is None:
        return "The log has no times, so no month can be stated."
    if priced.is_empty():
        return "No call has a price, so no month can be stated."
    timed = 1 - priced.get_column("started_at").null_count() / priced.height
    if timed < MIN_TIMED_SHARE:
        return f"Only {timed:.0%} of the priced calls carry a time, so no month can be stated."
    if round(days.length) < MIN_DAYS:
        return f"The log covers {days.length:.1f} days; a month is stated from {MIN_DAYS} days on."
    return ""


def _month(
    mid: float | None,
    reason: str,
    days: Days | None,
    sampling_rate: float,
    *,
    rate: tuple[float, float] | None = None,
    following: tuple[float, float] | None = None,
    ramp: bool = False,
) -> Month:
    def scaled(value: float | None) -> int | None:
        return None if value is None else round(value / sampling_rate)

    return Month(
        low_nusd=scaled(rate[0] if rate else None),
        mid_nusd=scaled(mid),
        high_nusd=scaled(rate[1] if rate else None),
        next_low_nusd=scaled(following[0] if following else None),
        next_high_nusd=scaled(following[1] if following else None),
        reason=reason,
        start=days.start if days else None,
        end=days.end if days else None,
        days=days.length if days else 0.0,
        active_days=days.active if days else 0,
        ramp=ramp,
        sampling_rate=sampling_rate,
    )


def _levels(days: Days) -> tuple[np.ndarray, np.ndarray]:
    """Return the amounts of the days that were seen by half or more, scaled to a whole day, and their positions."""
    kept = np.flatnonzero(days.covered >= _MIN_COVERED_DAY)
    return days.totals[kept] / days.covered[kept], kept


def _weekday_means(levels: np.ndarray, weekdays: np.ndarray) -> np.ndarray:
    seen = np.bincount(weekdays, minlength=_WEEK)
    sums = np.bincount(weekdays, weights=levels, minlength=_WEEK)
    return np.where(seen > 0, sums / np.maximum(seen, 1), levels.mean())


def _intervals(days: Days, mean: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the 90 % intervals of 30 days at the current rate, and of the next 30 days, in nano-USD."""
    from scipy import stats

    levels, kept = _levels(days)
    n = levels.size
    weekdays = (kept + days.dates[0].weekday()) % _WEEK
    means = _weekday_means(levels, weekdays)
    residuals = levels - means[weekdays]
    freedom = n - np.unique(weekdays).size
    daily_variance, long_run, lags = _variances(residuals, freedom)
    uneven = float((np.bincount(weekdays, minlength=_WEEK) / n - 1 / _WEEK) @ means)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
    if long_run > daily_variance:
        quantile *= _kernel_factor((lags + 1) / n)
    error = float(np.sqrt(long_run / n + uneven**2))
    ahead = float(np.sqrt(error**2 + long_run / MONTH_DAYS))
    return _ends(mean, quantile * error), _ends(mean, quantile * ahead)


def _variances(residuals: np.ndarray, freedom: int) -> tuple[float, float, int]:
    """Return the variance of a day, the long-run variance (never below it), and the lags used."""
    daily = float(residuals @ residuals) / freedom
    lags = min(_WEEK, residuals.size // 3)
    long_run = daily
    for lag in range(1, lags + 1):
        long_run += 2 * (1 - lag / (lags + 1)) * float(residuals[:-lag] @ residuals[lag:]) / freedom
    return daily, max(long_run, daily), lags


def _kernel_factor(bandwidth_share: float) -> float:
    value = sum(c * bandwidth_share**power for power, c in enumerate(_BARTLETT_95))
    return value / _BARTLETT_95[0]


def _ends(mean: float, half: float) -> tuple[float, float]:
    if mean <= 0:
        return 0.0, half * MONTH_DAYS
    stretched = mean * float(np.exp(min(half / mean, 5.0)))
    return max(0.0, mean - half) * MONTH_DAYS, max(mean + half, stretched) * MONTH_DAYS


def _shift(levels: np.ndarray, kept: np.ndarray) -> tuple[int, float, float] | None:
    """Return (position of the first day after the change, daily level before, after), or None.

    Pettitt's rank test (Applied Statistics 28, 1979) on the levels over their weekday's mean, so that one burst is no
    shift; and the mean level must have moved by 30 %.
    """
    from scipy import stats

    n = levels.size
    typical = _weekday_means(levels, kept % _WEEK)[kept % _WEEK]
    ranks = stats.rankdata(levels / np.maximum(typical, 1e-9))
    path = 2 * np.cumsum(ranks)[:-1] - np.arange(1, n) * (n + 1)
    at = int(np.argmax(np.abs(path))) + 1
    p_value = 2 * np.exp(-6 * float(path[at - 1]) ** 2 / (n**3 + n**2))
    before, after = float(levels[:at].mean()), float(levels[at:].mean())
    moved = max(before, after) >= _SHIFT_FACTOR * min(before, after)
    return (int(kept[at]), before, after) if p_value < _SHIFT_ALPHA and moved else None


def _shift_reason(days: Days, at: int, before: float, after: float) -> str:
    word = "rose" if after > before else "fell"
    change = f"to {after / before:.1f} times" if before > 0 else "from nothing"
    return (
        f"No interval: the daily cost {word} {change} what it was around {days.dates[at].isoformat()}, "
        "so the mean of the window is not the current rate."
    )
