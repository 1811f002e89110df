"""A log cut at a day: the calls before it, and the calls from it on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl

from slmlens.curation.forget import used_messages
from slmlens.errors import SettingError
from slmlens.results import Calls
from slmlens.spend.months import MIN_TIMED_SHARE


@dataclass(frozen=True)
class Periods:
    """The two sides of a log.

    :param split: First UTC day of the later side.
    :param earlier: Calls that began before it, with the messages they name.
    :param later: Calls from it on.
    :param untimed: Calls without a time: on neither side.
    :param across: Sessions with calls on both sides.
    """

    split: dt.date
    earlier: Calls
    later: Calls
    untimed: int
    across: int


def split_calls(calls: Calls, split: dt.date) -> Periods:
    """Cut a log at the beginning of a UTC day.

    :param calls: Any calls; the times decide, in whatever order the rows are.
    :raises SettingError: If under 90 % of the calls have a time, or one side would be empty.
    """
    at = pl.col("started_at")
    begin = dt.datetime.combine(split, dt.time(), dt.UTC)
    first, last = calls.calls.select(at.min(), at.max().alias("last")).row(0)
    timed = float(calls.calls.select(at.is_not_null().mean()).item() or 0.0)
    if timed < MIN_TIMED_SHARE:
        raise SettingError(
            f"only {100 * timed:.0f} % of the calls carry a time, so the log can't be cut at a day",
            where="split",
            next_step="export the start time of each call",
        )
    if not first < begin <= last:
        raise SettingError(
            f"{split.isoformat()} leaves no call on one side",
            where="split",
            next_step=f"name a day after {first.date().isoformat()} and up to {last.date().isoformat()}",
        )
    sides = calls.calls.filter(at < begin), calls.calls.filter(at >= begin)
    earlier, later = (_side(calls, rows) for rows in sides)
    sessions = [set(rows.get_column("session_id").drop_nulls()) for rows in sides]
    untimed = calls.calls.get_column("started_at").null_count()
    return Periods(split, earlier, later, untimed, len(sessions[0] & sessions[1]))


def _side(calls: Calls, rows: pl.DataFrame) -> Calls:
    return replace(calls, calls=rows, messages=used_messages(calls.messages, rows))
