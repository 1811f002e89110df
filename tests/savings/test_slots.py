"""Slots come from replaying arrivals; a simulation written another way agrees."""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.slots import DAY, bursty_trace, dispersion, erlang_slots
from slmlens.savings.slots import Replay, busiest, gather, slots_needed


def waits_by_events(seconds, service, slots: int) -> list[float]:
    """Every wait, by an event queue: arrivals and ends in order of time, one line, some servers."""
    events = [(float(at), 1, call) for call, at in enumerate(seconds)]
    heapq.heapify(events)
    line: deque[int] = deque()
    idle, waits = slots, [0.0] * len(seconds)
    while events:
        now, arrival, call = heapq.heappop(events)
        if arrival:
            line.append(call)
        else:
            idle += 1
        while line and idle:
            first = line.popleft()
            idle -= 1
            waits[first] = now - seconds[first]
            heapq.heappush(events, (now + float(service[first]), 0, first))
    return waits


def slots_by_events(seconds, service, *, around: int, share: float = 0.95, wait_seconds: float = 1.0) -> int:
    slots = max(1, around - 2)
    while np.mean(np.asarray(waits_by_events(seconds, service, slots)) > wait_seconds) > 1 - share:
        slots += 1
    assert slots > max(1, around - 2) or slots == 1, "the search began above the answer"
    return slots


gaps_and_service = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.5, 2.0, 30.0]), st.sampled_from([0.25, 1.0, 3.0, 20.0])),
    min_size=1,
    max_size=400,
)


@given(gaps_and_service, st.integers(1, 6), st.sampled_from([0.0, 1.0, 5.0]))
@settings(max_examples=150, deadline=None)
def test_the_replay_counts_the_same_late_calls_as_an_event_queue(calls, slots, wait):
    gaps, service = np.array(calls).T
    seconds = np.cumsum(gaps)
    late = sum(waited > wait + 1e-9 for waited in waits_by_events(seconds, service, slots))
    assert Replay(seconds, service).late(slots, wait + 1e-9) == late


def test_the_replay_skips_quiet_stretches_and_stays_exact():
    seconds, service = bursty_trace(3, days=0.5)
    for slots in (3, 6, 10):
        late = sum(waited > 1 for waited in waits_by_events(seconds, service, slots))
        assert Replay(seconds, service).late(slots, 1.0) == late


@pytest.mark.parametrize("seed", [0, 1])
def test_a_day_of_bursts_needs_the_slots_that_the_event_queue_says(seed):
    seconds, service = bursty_trace(seed, days=1)
    found = slots_needed(seconds, service)
    assert found.slots == slots_by_events(seconds, service, around=found.slots)
    assert (found.replayed, found.calls) == (seconds.size, seconds.size)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_week_of_bursts_needs_the_slots_that_the_event_queue_says(seed):
    seconds, service = bursty_trace(seed)
    found = slots_needed(seconds, service)
    assert seconds.size > 350_000
    assert found.slots == slots_by_events(seconds, service, around=found.slots)


def test_erlangs_formula_is_wrong_on_both_sides_of_a_bursty_week():
    seconds, service = bursty_trace(0)
    needed = slots_needed(seconds, service).slots
    by_minute = np.bincount((seconds / 60).astype(int)).max() / 60
    assert dispersion(seconds) > 20
    assert erlang_slots(seconds.size / seconds[-1], service.mean()) < needed < erlang_slots(by_minute, service.mean())


def test_poisson_arrivals_need_what_erlang_says():
    """Where the formula's own conditions hold, the replay agrees with it."""
    rng = np.random.default_rng(0)
    seconds, service = np.cumsum(rng.exponential(1 / 3, 300_000)), rng.exponential(2.0, 300_000)
    assert abs(slots_needed(seconds, service).slots - erlang_slots(3.0, 2.0)) <= 1


def test_fewer_slots_never_make_fewer_calls_late():
    seconds, service = bursty_trace(1, days=1)
    replay = Replay(seconds, service)
    late = [replay.late(slots, 1.0) for slots in range(1, 14)]
    assert late == sorted(late, reverse=True)
    assert late[0] > 0


def test_a_lone_call_takes_one_slot_and_a_crowd_at_once_one_each():
    assert slots_needed(np.array([5.0]), np.array([2.0])).slots == 1
    crowd = slots_needed(np.zeros(100), np.full(100, 9.0))
    assert crowd.slots == 95


def test_of_a_longer_log_the_stretch_with_the_most_work_is_replayed_and_said():
    seconds = np.arange(1000.0) * 10
    seconds[600:] -= np.arange(400) * 9.0
    kept = busiest(seconds, np.ones(1000), limit=200)
    assert kept.stop - kept.start == 200
    assert kept.start >= 600
    assert busiest(seconds, np.ones(1000), limit=1000) == slice(0, 1000)


@given(st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_gathered_work_is_done_by_its_deadline(seed):
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.uniform(0, 2 * DAY, 500))
    work = rng.exponential(20.0, 500)
    found = gather(seconds, work, deadline_hours=2, utilisation=0.75, start_minutes=10)
    period = 3600.0
    free = 0.0
    for start in np.arange(0, 2 * DAY + period, period):
        began = seconds.min() + start
        inside = work[(seconds >= began) & (seconds < began + period)]
        if inside.size:
            free = max(free, began + period + 600) + inside.sum() / (0.75 * found.gpus)
            assert free <= began + 2 * period + 1e-6
    assert found.gpu_hours >= work.sum() / 3600
