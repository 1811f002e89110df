"""A log cut at a day: every call on one side, and only with the messages it names."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.refinement.periods import split_calls
from tests.tasks.world import log, pair

START = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def calls(tmp_path: Path) -> sl.Calls:
    rows = [
        pair(i, "You sort parcels.", f"parcel {i}", f"s{i // 3}", timestamp=(START + dt.timedelta(days=i)).isoformat())
        for i in range(10)
    ]
    return sl.read_logs(log(tmp_path, rows))


def test_each_side_has_its_own_calls_and_messages(calls: sl.Calls) -> None:
    cut = split_calls(calls, dt.date(2026, 9, 5))
    assert (cut.earlier.calls.height, cut.later.calls.height, cut.untimed) == (4, 6, 0)
    assert cut.across == 1, "the session of days 4 to 6 lies on both sides"
    for side in (cut.earlier, cut.later):
        named = set(side.calls.get_column("message_ids").explode()) | set(side.calls.get_column("answer_id"))
        assert set(side.messages.get_column("message_id")) == named
        system = side.messages.filter(pl.col("role") == "system")
        assert system.item(0, "n_calls") == side.calls.height


@pytest.mark.parametrize("day", ["2026-09-01", "2026-08-01", "2026-09-11"])
def test_a_day_that_leaves_a_side_empty_is_refused_with_the_days_there_are(calls: sl.Calls, day: str) -> None:
    with pytest.raises(SettingError, match="after 2026-09-01 and up to 2026-09-10"):
        split_calls(calls, dt.date.fromisoformat(day))


def test_a_log_mostly_without_times_is_refused(calls: sl.Calls) -> None:
    late = pl.col("started_at") > START + dt.timedelta(days=4)
    partly = calls.calls.with_columns(pl.when(late).then("started_at"))
    with pytest.raises(SettingError, match="nly 50 % of the calls"):
        split_calls(sl.Calls(**{**vars(calls), "calls": partly}), dt.date(2026, 9, 8))
