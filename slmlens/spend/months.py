"""What a month costs, honest about the calendar: a figure only where the log carries one, a range only where it can."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from slmlens.errors import SettingError
from slmlens.spend.days import Days, calendar_days
from slmlens.spend.interval import MIN_PIECES, Interval, independent_pieces, mean_interval
from slmlens.spend.shifts import Shift, find_shift

MONTH_DAYS = 30
MIN_DAYS = 7
MIN_INTERVAL_DAYS = 14

MIN_TIMED_SHARE = 0.9
_WEEK = 7
_FEW_PIECES = 10
"""Fewer days with cost than this are said beside the interval."""

_MIN_COVERED_DAY = 0.5
"""A day seen by less than half is too noisy to scale up; its money counts, its spread does not."""


@dataclass(frozen=True)
class LevelShift:
    """How the daily cost moved inside the log.

    :param kind: ``step``: from one day to the next; ``ramp``: by and by.
    :param day: First UTC day of the new level; of a ramp the first day of the window.
    :param before_nusd: Money of a day before the step, or where the ramp begins.
    :param after_nusd: Money of a day from the step on, or where the ramp ends.
    :param week_share: Change a week over the window's mean, of a ramp; of a step 0.
    """

    kind: Literal["step", "ramp"]
    day: dt.date
    before_nusd: int
    after_nusd: int
    week_share: float


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
    :param sampling_rate: Share of the traffic that the log holds.
    :param shift: How the daily cost moved inside the window (a step or a ramp): then there is no interval.
    :param after_step: The month at the rate since the step, where that is clear and that part 14 days or longer and
        steady.
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
    sampling_rate: float
    shift: LevelShift | None = None
    after_step: Month | None = None

    @property
    def ramp(self) -> bool:
        """The daily level moved inside the window."""
        return self.shift is not None

    @property
    def per_month(self) -> float | None:
        """Factor from the log to a month, or None where no month can be stated."""
        return None if self.mid_nusd is None else MONTH_DAYS / self.days / self.sampling_rate


def estimate_month(
    calls: pl.DataFrame, *, sampling_rate: float = 1.0, column: str = "runrate_nusd", ahead: float = MONTH_DAYS
) -> Month:
    """Return what 30 days cost at the log's current rate.

    Under 7 days there is no figure, from 7 to 13 no interval. From 14 days there is one
    (:func:`slmlens.spend.interval.mean_interval`), unless the daily cost moved to another level
    (:func:`slmlens.spend.shifts.find_shift`) or fewer than five days had any cost. Days without calls inside the window
    count.

    :param calls: ``CallsTable``.
    :param sampling_rate: Share of the traffic that the log holds, in (0, 1]; money is divided by it.
    :param column: An integer column of nano-USD.
    :param ahead: Days to come that the second interval is for, scaled to 30.
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
    untimed = priced.get_column("started_at").null_count()
    note = f" {untimed:,} priced calls without a time are not in it." if untimed else ""
    return _of_days(days, sampling_rate, ahead, note)


def _of_days(days: Days, sampling_rate: float, ahead: float, note: str = "") -> Month:
    mid = float(days.totals.sum()) / days.length * MONTH_DAYS
    if round(days.length) < MIN_INTERVAL_DAYS:
        return _month(mid, "No interval: one week seen." + note, days, sampling_rate)
    levels, kept = _levels(days)
    weekdays = (kept + days.dates[0].weekday()) % _WEEK
    shift = find_shift(levels, weekdays)
    if shift is not None:
        moved, first = _level_shift(shift, days, kept, sampling_rate), int(kept[shift.at])
        after = _since(days, first, sampling_rate, ahead) if shift.clear else None
        return replace(_month(mid, _shift_reason(moved) + note, days, sampling_rate), shift=moved, after_step=after)
    pieces = independent_pieces(levels)
    if pieces < MIN_PIECES:
        return _month(mid, _too_few(levels, pieces, days) + note, days, sampling_rate)
    found = mean_interval(levels, weekdays, mean=mid / MONTH_DAYS, pieces=pieces, ahead=ahead)
    reason = f"90 % interval from {days.length:.0f} days, {days.active} of them with calls."
    if pieces < _FEW_PIECES:
        reason += f" It rests on only {_pieces(levels, pieces)} and is wide for that."
    return _month(mid, reason + note, days, sampling_rate, found=found)


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
    mid: float | None, reason: str, days: Days | None, sampling_rate: float, *, found: Interval | None = None
) -> Month:
    low, high = _monthly(found.rate, sampling_rate) if found else (None, None)
    next_low, next_high = _monthly(found.following, sampling_rate) if found else (None, None)
    return Month(
        low_nusd=low,
        mid_nusd=None if mid is None else round(mid / sampling_rate),
        high_nusd=high,
        next_low_nusd=next_low,
        next_high_nusd=next_high,
        reason=reason,
        start=days.start if days else None,
        end=days.end if days else None,
        days=days.length if days else 0.0,
        active_days=days.active if days else 0,
        sampling_rate=sampling_rate,
    )


def _monthly(daily: tuple[float, float], sampling_rate: float) -> tuple[int, int]:
    low, high = (round(MONTH_DAYS * end / sampling_rate) for end in daily)
    return low, high


def _levels(days: Days) -> tuple[np.ndarray, np.ndarray]:
    """Return the amounts of the days that were seen by half or more, scaled to a whole day, and their positions."""
    kept = np.flatnonzero(days.covered >= _MIN_COVERED_DAY)
    return days.totals[kept] / days.covered[kept], kept


def _level_shift(shift: Shift, days: Days, kept: np.ndarray, sampling_rate: float) -> LevelShift:
    return LevelShift(
        kind=shift.kind,
        day=days.dates[int(kept[shift.at])],
        before_nusd=round(shift.before / sampling_rate),
        after_nusd=round(shift.after / sampling_rate),
        week_share=shift.week_share,
    )


def _since(days: Days, first: int, sampling_rate: float, ahead: float) -> Month | None:
    """Return the month from one of the days on; None where that part carries no interval."""
    if days.length - float(days.covered[:first].sum()) < MIN_INTERVAL_DAYS:
        return None
    later = _of_days(days.since(first), sampling_rate, ahead)
    return later if later.low_nusd is not None else None


def _shift_reason(shift: LevelShift) -> str:
    change = f"to {shift.after_nusd / shift.before_nusd:.1f} times" if shift.before_nusd > 0 else "from nothing"
    word = "rose" if shift.after_nusd > shift.before_nusd else "fell"
    if shift.kind == "step":
        how = f"{word} on {shift.day.isoformat()} {change} what it was"
    else:
        share = 100 * abs(shift.week_share)
        how = f"{word} by about {share:.0f} % of its mean a week, {change} what it was over the window"
    return f"No interval: the daily cost {how}, so the mean of the window is not the current rate."


def _too_few(levels: np.ndarray, pieces: int, days: Days) -> str:
    return f"No interval: only {_pieces(levels, pieces)} in {days.length:.0f} days."


def _pieces(levels: np.ndarray, pieces: int) -> str:
    """Return what an interval rests on: days with cost, or stretches of them."""
    paid = int((levels > 0).sum())
    what = "day" if pieces == paid else "stretch"
    plural = {"day": "days", "stretch": "stretches"}[what]
    return f"{pieces} {what if pieces == 1 else plural} with cost"
