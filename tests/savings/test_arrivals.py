"""Arrivals: what each task's servers have to keep up with, also where the log is a sample."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from slmlens.savings.arrivals import pooled, task_arrivals
from tests.savings.world import START, steady, verdicts_of


def sessions_of(n: int, size: int, *, days: float = 7, **facts) -> list[dict[str, object]]:
    """n sessions of so many calls, two seconds apart."""
    return [
        {"started_at": START + dt.timedelta(days=days * at / n, seconds=2 * step), "session_id": f"s{at}", **facts}
        for at in range(n)
        for step in range(size)
    ]


def arrivals(tasks, **options):
    growth = options.pop("growth", 1.0)
    return task_arrivals(verdicts_of(tasks, **options).tasks, growth=growth)


def test_arrivals_are_the_calls_of_each_task_in_order_of_time():
    found = arrivals({"a": steady(100, 7, output_tokens=150, reasoning_tokens=30), "b": sessions_of(10, 5)})
    assert {task: one.calls for task, one in found.items()} == {"a": 100, "b": 50}
    assert found["a"].output_tokens.tolist() == [120.0] * 100
    assert (np.diff(found["b"].seconds) >= 0).all()
    assert found["a"].span_seconds == found["b"].span_seconds == pytest.approx(7 * 86_400 * 0.99, rel=0.001)


def test_the_order_of_rows_changes_nothing():
    rows = [{**row, "call_id": f"k{at:04d}"} for at, row in enumerate(sessions_of(30, 4))]
    mixed = [rows[at] for at in np.random.default_rng(0).permutation(len(rows))]
    one, other = (arrivals({"a": given}, sampling_rate=0.3)["a"] for given in (rows, mixed))
    assert one.inflated(jitter_seconds=900).seconds.tolist() == other.inflated(jitter_seconds=900).seconds.tolist()


def test_a_sampled_log_is_inflated_by_whole_sessions_that_keep_their_rhythm():
    found = arrivals({"a": sessions_of(400, 5)}, sampling_rate=0.1)["a"]
    whole = found.inflated(jitter_seconds=1800)
    assert whole.calls == 20_000
    assert (np.diff(whole.seconds) >= 0).all()
    lone = arrivals({"a": sessions_of(1, 5)}, sampling_rate=0.25)["a"].inflated(jitter_seconds=1800)
    starts = np.sort(lone.seconds)
    assert lone.calls == 20
    assert np.isclose(starts[:, None] + 2, starts[None, :]).sum() == 16, "four sessions of five calls two seconds apart"


def test_a_part_of_a_copy_is_a_share_of_the_sessions():
    found = arrivals({"a": sessions_of(2000, 3)}, growth=1.5)["a"].inflated(jitter_seconds=600)
    assert found.calls / 6000 == pytest.approx(1.5, abs=0.04)
    assert found.calls % 3 == 0
    fewer = arrivals({"a": sessions_of(2000, 3)}, growth=0.5)["a"].inflated(jitter_seconds=600)
    assert fewer.calls / 6000 == pytest.approx(0.5, abs=0.04)


def test_a_session_over_two_tasks_is_copied_as_one():
    """What an agent does at once stays at once, whichever tasks it is in."""
    half = [{**row, "session_id": f"s{at // 2}"} for at, row in enumerate(steady(400, 7))]
    found = arrivals({"a": half[::2], "b": half[1::2]}, sampling_rate=0.2)
    apart = found["b"].seconds - found["a"].seconds
    for seed in (0, 1):
        a, b = (found[task].inflated(jitter_seconds=1800, seed=seed) for task in "ab")
        assert np.sort(a.seconds + apart[0]) == pytest.approx(np.sort(b.seconds))


def test_a_longer_log_is_cut_to_its_busiest_stretch_before_it_is_inflated():
    calls = steady(1000, 10) + steady(1000, 1)
    found = arrivals({"a": calls}, sampling_rate=0.1)["a"].inflated(jitter_seconds=60, limit=5000)
    assert found.calls == 5000
    assert found.span_seconds < 86_400


def test_missing_counts_take_the_mean_and_calls_without_time_are_left_out():
    rows = [*steady(9, 7), {"started_at": START, "input_tokens": None}, {"started_at": None}]
    found = arrivals({"a": [{**row, "model": "our-own"} for row in rows]})["a"]
    assert found.calls == 10
    assert found.input_tokens.tolist() == [900.0] * 10


def test_without_times_or_counts_there_are_no_arrivals():
    assert arrivals({"a": [{"started_at": None}] * 5}) == {}
    assert arrivals({"a": steady(5, 7, input_tokens=None, output_tokens=None)}) == {}


@pytest.mark.parametrize(("people", "wait"), [(True, True), (False, False), (None, None)])
def test_whether_people_wait_is_taken_from_the_log(people, wait):
    assert arrivals({"a": steady(5, 7, human_facing=people)})["a"].people_wait is wait


def test_pooled_arrivals_are_all_calls_and_people_wait_if_any_do():
    found = arrivals({"a": steady(50, 7, human_facing=False), "b": steady(30, 7, human_facing=True)})
    both = pooled([found["a"], found["b"]])
    assert both.calls == 80
    assert both.people_wait is True
    assert (np.diff(both.seconds) >= 0).all()


def test_calls_of_a_seat_plan_do_not_move():
    found = arrivals({"a": steady(20, 7) + steady(10, 7, billing="seat")})["a"]
    assert found.calls == 20
    assert isinstance(found.seconds, np.ndarray)
    assert pl.Series(found.sessions).n_unique() == 20
