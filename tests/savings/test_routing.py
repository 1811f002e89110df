"""Routers and cascades against calls that are simulated one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.savings.routing import Traffic, break_even, cache_loss, cascade, move, router

shares = st.floats(0, 1)
costs = st.floats(0.01, 100)


def traffics(**fixed):
    given_ = {"calls": st.floats(1, 1e6), "large": costs, "small": costs, "route": st.floats(0, 1)}
    cached = {"cached_share": st.floats(0, 0.99), "cache_saves": st.floats(0, 50)}
    return st.builds(Traffic, **{**given_, **cached, **fixed})


@given(st.integers(1, 400), st.integers(0, 400), st.floats(0.01, 9), st.floats(0.01, 9), st.floats(0, 1))
def test_both_save_what_calls_counted_one_by_one_save(calls, passing, large, small, route):
    passing = min(passing, calls)
    passes = [at < passing for at in range(calls)]
    now = sum(large for _ in passes)
    routed = sum((small if goes else large) + route for goes in passes)
    tried = sum(small + (0 if passes_ else large) for passes_ in passes)
    traffic, share = Traffic(calls, large, small, route), passing / calls
    assert router(traffic, share).saving == pytest.approx(now - routed, abs=1e-6)
    assert cascade(traffic, share).saving == pytest.approx(now - tried, abs=1e-6)
    twice = sum(small for passes_ in passes if not passes_)
    assert cascade(traffic, share).paid_twice == pytest.approx(twice, abs=1e-6)


@given(costs, costs)
def test_without_a_cache_a_cascade_breaks_even_at_the_ratio_of_the_two_prices(large, small):
    found = break_even("cascade", Traffic(1000, large, small))
    if small >= large:
        assert found is None
    else:
        assert found == pytest.approx(small / large, abs=1e-6)


@given(st.floats(1, 100), st.floats(0.01, 0.9), st.floats(0, 2))
def test_without_a_cache_a_router_breaks_even_where_the_moved_calls_pay_for_routing(large, ratio, route):
    small = ratio * large
    found = break_even("router", Traffic(1000, large, small, route))
    needed = route / (large - small)
    assert found is None if needed >= 1 else found == pytest.approx(needed, abs=1e-6)


@given(traffics(), shares)
def test_from_the_break_even_on_every_share_saves_and_none_below_it_was_missed_at_the_edge(traffic, share):
    for way, split in (("router", router), ("cascade", cascade)):
        at = break_even(way, traffic)
        if at is None:
            assert split(traffic, 1.0).saving <= 0
            continue
        inside = at + (1 - at) * share
        assert split(traffic, inside).saving >= -1e-6 * traffic.calls
        if at > 0:
            assert split(traffic, at).saving == pytest.approx(0, abs=1e-6 * traffic.calls * (traffic.large + 50))


@given(traffics(route=st.just(0.0)), shares)
def test_a_cascade_never_saves_more_than_a_free_router_nor_a_router_more_than_moving_all_that_is_cheaper(
    traffic, share
):
    routed, tried = router(traffic, share), cascade(traffic, share)
    assert tried.saving <= routed.saving + 1e-6 * traffic.calls
    if traffic.small < traffic.large:
        assert routed.saving <= move(traffic).saving + 1e-6 * traffic.calls


@given(traffics(), shares)
def test_a_cache_that_goes_cold_only_costs(traffic, share):
    assert cache_loss(traffic, share) >= -1e-9 * traffic.calls
    assert cache_loss(traffic, 0.0) == pytest.approx(0, abs=1e-9 * traffic.calls * 50)
    assert cache_loss(traffic, 1.0) == 0


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_cold_cache_is_that_of_simulated_random_arrivals(share):
    rng = np.random.default_rng(7)
    times = np.cumsum(rng.exponential(1.0, 200_000))
    life = 1.5

    def warm(at):
        return (np.diff(at) <= life).mean()

    stays = times[rng.random(times.size) >= share]
    lost = stays.size * (warm(times) - warm(stays)) * 2.0
    traffic = Traffic(times.size, 10, 1, cached_share=warm(times), cache_saves=2.0)
    assert cache_loss(traffic, share) == pytest.approx(lost, rel=0.03)


def test_a_naive_reading_of_a_cached_log_promises_far_more():
    """Dear model at 3.04 $ per 1,000 calls, of which a warm cache saves 1.46; half of the calls may move."""
    cold = Traffic(1_000_000, 3.04, 1.0)
    warm = Traffic(1_000_000, 3.04, 1.0, cached_share=0.9, cache_saves=1.46)
    assert router(cold, 0.5).saving > 1.1 * router(warm, 0.5).saving
    assert cascade(cold, 0.5).saving > 1.2 * cascade(warm, 0.5).saving


def test_the_second_try_waits_for_both_models():
    traffic = Traffic(100, 4, 1, large_ms=2000, small_ms=500)
    assert move(traffic).latency_ms == 500
    assert router(traffic, 0.75).latency_ms == 0.75 * 500 + 0.25 * 2000
    assert cascade(traffic, 0.75).latency_ms == 500 + 0.25 * 2000
    assert cascade(Traffic(100, 4, 1), 0.75).latency_ms is None


def test_what_is_saved_rises_with_the_share_where_there_is_no_cache_to_lose():
    traffic = Traffic(100, 4, 1)
    for split in (router, cascade):
        savings = [split(traffic, share).saving for share in (0, 0.25, 0.5, 0.75, 1)]
        assert all(a < b for a, b in itertools.pairwise(savings))
