"""A month is stated only where the log carries one, and its range only where it can."""

from __future__ import annotations

import datetime as dt
import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import SettingError
from slmlens.spend.months import estimate_month

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
USD = 1_000_000_000


def frame(rows):
    return pl.DataFrame(rows, {"started_at": pl.Datetime("us", "UTC"), "runrate_nusd": pl.Int64}, orient="row")


def office(amounts, hours=(9, 12, 15, 17)):
    """Return calls in office hours, each day's amount spread over them."""
    return frame(
        [
            (START + dt.timedelta(days=day, hours=hour, minutes=7 * (day % 5)), round(amount * USD / len(hours)))
            for day, amount in enumerate(amounts)
            for hour in hours
            if amount
        ]
    )


def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "months.py"
    spec = importlib.util.spec_from_file_location("months_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("days", "mid", "interval"), [(6, False, False), (7, True, False), (13, True, False), (14, True, True)]
)
def test_what_is_stated_depends_on_the_days_seen(days, mid, interval):
    month = estimate_month(office([10 + day % 3 for day in range(days)]))
    assert (month.mid_nusd is not None) == mid
    assert (month.low_nusd is not None) == (month.next_high_nusd is not None) == interval
    if mid and not interval:
        assert "one week seen" in month.reason


def test_the_point_is_the_window_mean_times_thirty_days():
    month = estimate_month(office([12] * 20))
    assert month.mid_nusd == pytest.approx(360 * USD, rel=0.01)
    assert month.low_nusd <= month.mid_nusd <= month.high_nusd


def test_office_hours_do_not_shorten_the_window():
    assert estimate_month(office([5] * 30)).days == pytest.approx(30, abs=0.2)


def test_a_log_that_starts_at_noon_has_seen_half_of_its_first_day():
    rows = [(START + dt.timedelta(hours=hour), USD) for hour in range(12, 24 * 21)]
    month = estimate_month(frame(rows))
    assert month.days == pytest.approx(20.5, abs=0.1)
    assert month.mid_nusd == pytest.approx(30 * 24 * USD, rel=0.01)


def test_days_without_calls_count_as_days():
    amounts = [0] * 28
    amounts[0] = amounts[13] = amounts[27] = 100
    month = estimate_month(office(amounts))
    assert month.active_days == 3
    assert month.mid_nusd < 340 * USD


def test_a_sample_is_inflated():
    calls = office([12 + day % 4 for day in range(20)])
    full, part = estimate_month(calls), estimate_month(calls, sampling_rate=0.01)
    assert part.mid_nusd == pytest.approx(100 * full.mid_nusd, rel=1e-6)
    assert part.high_nusd == pytest.approx(100 * full.high_nusd, rel=1e-6)


@pytest.mark.parametrize("rate", [0, -1, 1.5])
def test_a_sampling_rate_outside_its_range_is_refused(rate):
    with pytest.raises(SettingError, match="sampling rate"):
        estimate_month(office([1] * 20), sampling_rate=rate)


@pytest.mark.parametrize(
    ("amounts", "word"),
    [
        ([10] * 15 + [30] * 15, "rose"),
        ([40] * 15 + [10] * 15, "fell"),
        ([5 + 2 * day for day in range(30)], "rose"),
        ([0] * 3 + [1] * 17 + [9] * 20, "rose"),
    ],
)
def test_a_ramp_or_a_step_gets_no_interval(amounts, word):
    noise = np.random.default_rng(5).normal(1, 0.1, len(amounts))
    month = estimate_month(office([a * n for a, n in zip(amounts, noise, strict=True)]))
    assert month.ramp
    assert month.mid_nusd is not None
    assert (month.low_nusd, month.next_low_nusd) == (None, None)
    assert word in month.reason


def noisy(amounts, spread=0.1):
    noise = np.random.default_rng(5).normal(1, spread, len(amounts))
    return office([a * n for a, n in zip(amounts, noise, strict=True)])


def test_a_step_is_named_with_its_day_and_the_month_since():
    month = estimate_month(noisy([10] * 25 + [30] * 20))
    assert month.shift.kind == "step"
    assert month.shift.day == START.date() + dt.timedelta(days=25)
    assert month.shift.before_nusd == pytest.approx(10 * USD, rel=0.1)
    assert month.shift.after_nusd == pytest.approx(30 * USD, rel=0.1)
    assert f"to {month.shift.after_nusd / month.shift.before_nusd:.1f} times" in month.reason
    assert month.shift.day.isoformat() in month.reason
    since = month.after_step
    assert since.mid_nusd == pytest.approx(900 * USD, rel=0.05)
    assert since.low_nusd < since.mid_nusd < since.high_nusd
    assert since.days == pytest.approx(20, abs=0.3)


def test_a_ramp_is_named_with_its_change_a_week_and_has_no_month_since():
    month = estimate_month(noisy([10 + day / 2 for day in range(42)]))
    assert month.shift.kind == "ramp"
    assert month.shift.week_share == pytest.approx(3.5 / 20.25, rel=0.15)
    assert month.after_step is None
    assert f"{100 * month.shift.week_share:.0f} % of its mean a week" in month.reason


def test_too_short_a_part_after_a_step_makes_no_month():
    month = estimate_month(noisy([10] * 30 + [30] * 8))
    assert month.shift.kind == "step"
    assert month.after_step is None


def test_a_sampled_step_is_told_at_its_full_size():
    amounts = noisy([10] * 20 + [30] * 20)
    full, part = estimate_month(amounts), estimate_month(amounts, sampling_rate=0.01)
    assert part.shift.after_nusd == pytest.approx(100 * full.shift.after_nusd, rel=1e-6)
    assert part.after_step.mid_nusd == pytest.approx(100 * full.after_step.mid_nusd, rel=1e-6)


def test_days_that_resemble_the_day_before_are_seldom_taken_for_a_shift():
    rng = np.random.default_rng(8)
    called = 0
    for _ in range(40):
        state, path = 0.0, []
        for _ in range(60):
            state = 0.6 * state + rng.normal(0, 0.25)
            path.append(20 * np.exp(state))
        called += estimate_month(office(path)).ramp
    assert called <= 8


@pytest.mark.parametrize(("paid", "interval"), [(4, False), (5, True), (7, True), (12, True)])
def test_few_days_with_cost_make_a_wide_interval_or_none_and_are_said(paid, interval):
    amounts = np.zeros(570)
    amounts[np.linspace(0, 569, paid).astype(int)] = 20 + np.arange(paid) % 3
    month = estimate_month(office(amounts))
    assert (month.low_nusd is not None) == interval
    assert (f"only {paid} days with cost" in month.reason) == (paid < 10)
    if interval:
        assert month.high_nusd > 1.5 * month.mid_nusd
        assert month.low_nusd < 0.7 * month.mid_nusd


def test_two_stretches_of_work_in_a_year_are_two_pieces_not_forty_days():
    amounts = np.zeros(360)
    amounts[60:80] = amounts[250:270] = 25
    month = estimate_month(office([1e-6, *amounts, 1e-6]))
    assert month.low_nusd is None
    assert "stretches with cost" in month.reason


def test_one_dear_batch_day_is_no_ramp():
    amounts = [10.0 + day % 3 for day in range(30)]
    amounts[25] = 500
    month = estimate_month(office(amounts))
    assert not month.ramp
    assert month.high_nusd > 1.3 * month.mid_nusd


def test_quiet_weekends_are_not_taken_for_noise():
    amounts = [20.0 if (START + dt.timedelta(days=day)).weekday() < 5 else 2.0 for day in range(28)]
    month = estimate_month(office(amounts))
    assert (month.high_nusd - month.low_nusd) / month.mid_nusd < 0.1


def test_the_next_thirty_days_are_less_certain_than_the_rate():
    month = estimate_month(office([10 + (day * 7) % 5 for day in range(30)]))
    assert month.next_low_nusd <= month.low_nusd
    assert month.next_high_nusd > month.high_nusd


def test_no_times_or_no_prices_mean_no_month():
    untimed = office([5] * 20).with_columns(started_at=pl.lit(None, pl.Datetime("us", "UTC")))
    assert "no times" in estimate_month(untimed).reason
    unpriced = office([5] * 20).with_columns(runrate_nusd=pl.lit(None, pl.Int64))
    assert "No call has a price" in estimate_month(unpriced).reason
    half = pl.concat([office([5] * 20), untimed])
    month = estimate_month(half)
    assert month.mid_nusd is None
    assert "Only 50%" in month.reason


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.integers(1, 9))
def test_the_month_scales_with_money_and_ignores_row_order(amounts, factor):
    calls = office(amounts)
    if calls.is_empty():
        return
    month = estimate_month(calls)
    shuffled = estimate_month(calls.sample(fraction=1, shuffle=True, seed=1))
    assert shuffled == month
    if month.mid_nusd is not None:
        scaled = estimate_month(calls.with_columns(pl.col("runrate_nusd") * factor))
        assert scaled.mid_nusd == pytest.approx(factor * month.mid_nusd, rel=1e-9, abs=2)


def test_the_sparse_calendar_trap_holds(traps):
    import json

    truth = json.loads((traps / "truth.json").read_text())["sparse_calendar"]["month_usd"]
    rows = [json.loads(line) for line in (traps / "sparse_calendar.jsonl").open()]
    usage = [(row["timestamp"], row["response"]["usage"]) for row in rows]
    calls = frame(
        [
            (dt.datetime.fromisoformat(at), used["prompt_tokens"] * 2_500 + used["completion_tokens"] * 10_000)
            for at, used in usage
        ]
    )
    month = estimate_month(calls)
    assert month.mid_nusd == pytest.approx(truth * USD, rel=0.05)
    assert month.low_nusd <= truth * USD <= month.high_nusd


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("daily", 0.8), ("weekly", 0.8), ("sparse", 0.75), ("bursty", 0.6)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(name, least):
    bench = benchmark()
    found = bench.coverage(bench.PROCESSES[name], 30, 60, np.random.default_rng(3))
    assert found["rate"] >= least
    assert found["ramp"] <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ramp x3", "step x2", "step to a half"])
def test_a_ramp_and_a_step_are_seen(name):
    bench = benchmark()
    assert bench.detection(name, bench.MOVING[name], 30, 60, np.random.default_rng(3))["seen"] >= 0.85
