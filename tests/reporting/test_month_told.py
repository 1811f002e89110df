"""What a month is told as where its level moved inside the log."""

from __future__ import annotations

import datetime as dt

import polars as pl

from slmlens.reporting.accounts import month_record
from slmlens.reporting.plain_words import _window_risks
from slmlens.spend.months import estimate_month

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
USD = 1_000_000_000


def month(amounts):
    rows = [
        (START + dt.timedelta(days=day, hours=hour), round((amount + day % 3) * USD / 3))
        for day, amount in enumerate(amounts)
        for hour in (1, 11, 22)
    ]
    schema = {"started_at": pl.Datetime("us", "UTC"), "runrate_nusd": pl.Int64}
    return estimate_month(pl.DataFrame(rows, schema, orient="row"))


def test_a_clear_step_is_told_with_its_day_and_the_month_since():
    record = month_record(month([20] * 25 + [60] * 25))
    assert record["month_usd"]["low"] is None
    assert "rose on 2026-09-26 to 2.9 times what it was" in record["month_reason"]
    assert "At the rate since 2026-09-26 a month costs $1,8" in record["month_reason"]


def test_a_ramp_is_told_with_its_change_a_week_and_no_month_since():
    record = month_record(month([20 + 2 * day for day in range(40)]))
    assert record["month_usd"]["low"] is None
    assert "% of its mean a week" in record["month_reason"]
    assert "At the rate since" not in record["month_reason"]


def test_a_steady_log_is_told_its_next_month():
    record = month_record(month([20] * 30))
    assert record["month_usd"]["low"] is not None
    assert "The next 30 days may well cost" in record["month_reason"]


def test_that_a_month_has_no_interval_is_said_once():
    summary = {
        "ledger": month_record(month([20 + 2 * day for day in range(40)])),
        "window": {"sampling_rate": 1.0},
    }
    (said,) = _window_risks(summary)
    assert said.lower().count("no interval") == 1
