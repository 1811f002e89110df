"""The calendar window of a log, day by day, with the first and the last day by the share of them that it covers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

_WEEK = 7
_MIN_PROFILE_DAYS = 3
"""Whole days with calls that it takes to know at which hours a day's calls come."""


@dataclass(frozen=True)
class Days:
    """A log's calendar window.

    :param start: Time of the first call.
    :param end: Time of the last call.
    :param dates: Every UTC day from the first to the last, days without calls included.
    :param totals: Sum of the column on each day.
    :param covered: Share of each day that the log covers, in (0, 1]; 1 but for the first and the last.
    :param active: Number of days with calls.
    """

    start: dt.datetime
    end: dt.datetime
    dates: list[dt.date]
    totals: np.ndarray
    covered: np.ndarray
    active: int

    @property
    def length(self) -> float:
        """Days of the window, partial ones by their share."""
        return float(self.covered.sum())

    def since(self, first: int) -> Days:
        """Return the window from one of its later days on.

        :param first: Position of that day.
        """
        midnight = dt.datetime.combine(self.dates[first], dt.time(), self.start.tzinfo)
        totals = self.totals[first:]
        active = int((totals > 0).sum())
        return Days(midnight, self.end, self.dates[first:], totals, self.covered[first:], active)


def calendar_days(calls: pl.DataFrame, value: pl.Expr) -> Days | None:
    """Return the window of the calls that carry a time, or None where none does.

    The share of a partial day is read from the hours at which the whole days' calls come: a log of office hours whose
    first call is at nine has seen its first day. With fewer than three whole active days it is the share of the clock.

    :param calls: ``CallsTable``.
    :param value: What to sum a day; null counts as nothing.
    """
    timed = calls.filter(pl.col("started_at").is_not_null()).select("started_at", value.alias("value"))
    if timed.is_empty():
        return None
    start, end = timed.select(pl.col("started_at").min(), pl.col("started_at").max().alias("end")).row(0)
    daily = timed.group_by(pl.col("started_at").dt.date().alias("date")).agg(pl.col("value").sum()).sort("date")
    spine = pl.DataFrame({"date": pl.date_range(start.date(), end.date(), eager=True)})
    totals = spine.join(daily, on="date", how="left", maintain_order="left").get_column("value").fill_null(0)
    covered = np.ones(spine.height)
    lost_before, lost_after = _uncovered(timed, start, end)
    covered[0] -= lost_before
    covered[-1] -= lost_after
    return Days(start, end, spine.get_column("date").to_list(), totals.to_numpy().astype(float), covered, daily.height)


def weekday_means(levels: np.ndarray, weekdays: np.ndarray) -> np.ndarray:
    """Return the mean of each weekday, 0 to 6; of all days where a weekday was not seen."""
    seen = np.bincount(weekdays, minlength=_WEEK)
    sums = np.bincount(weekdays, weights=levels, minlength=_WEEK)
    return np.where(seen > 0, sums / np.maximum(seen, 1), levels.mean())


def _uncovered(timed: pl.DataFrame, start: dt.datetime, end: dt.datetime) -> tuple[float, float]:
    """Return the share of the first day before the first call, and of the last day after the last."""
    at = pl.col("started_at")
    whole = timed.filter((at.dt.date() > start.date()) & (at.dt.date() < end.date()))
    by_day = whole.group_by(at.dt.date()).agg(
        (at.dt.time() < start.time()).mean().alias("before"), (at.dt.time() > end.time()).mean().alias("after")
    )
    if by_day.height >= _MIN_PROFILE_DAYS:
        before, after = by_day.select(pl.col("before").mean(), pl.col("after").mean()).row(0)
    else:
        before, after = _clock_share(start), 1 - _clock_share(end)
    if start.date() == end.date():
        return before, min(after, 1 - before)
    return min(before, 1.0), min(after, 1.0)


def _clock_share(when: dt.datetime) -> float:
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    return (when - midnight) / dt.timedelta(days=1)
