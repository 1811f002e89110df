"""Shares of a log by four measures: each adds up, and they need not agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.savings.shares import MEASURES, PARTS, parts_of, shares_of
from tests.savings.world import assignments_frame, calls_frame

BUCKETS = {"a": "ready", "b": "pilot", "c": "keep", "d": "keep"}


@st.composite
def logs(draw):
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "input_tokens": st.one_of(st.none(), st.integers(0, 10**6)),
                    "output_tokens": st.one_of(st.none(), st.integers(0, 10**6)),
                    "latency_ms": st.one_of(st.none(), st.floats(0, 1e6)),
                    "runrate_nusd": st.one_of(st.none(), st.integers(0, 10**12)),
                }
            ),
            max_size=30,
        )
    )
    owners = draw(st.lists(st.sampled_from([*BUCKETS, None]), min_size=len(rows), max_size=len(rows)))
    calls = calls_frame(rows)
    return calls, assignments_frame(calls, owners)


@given(logs(), st.sets(st.sampled_from(list(BUCKETS))))
@pytest.mark.slow
def test_the_parts_add_up_to_the_log_in_whole_numbers(log, excluded):
    calls, assignments = log
    parts = parts_of(calls, assignments, BUCKETS, excluded)
    assert [part.name for part in parts] == list(PARTS)
    assert sum(part.calls for part in parts) == calls.height
    assert sum(part.runrate_nusd for part in parts) == calls.get_column("runrate_nusd").sum()
    tokens = calls.get_column("input_tokens").sum() + calls.get_column("output_tokens").sum()
    assert sum(part.tokens for part in parts) == tokens
    assert sum(part.latency_ms for part in parts) == pytest.approx(calls.get_column("latency_ms").sum())
    for measure in MEASURES:
        shares = shares_of(parts, measure)
        assert shares is None or sum(shares.values()) == pytest.approx(1)


def test_a_fifth_of_the_calls_can_be_most_of_the_money():
    cheap = [{"input_tokens": 100, "output_tokens": 10, "runrate_nusd": 1_000, "latency_ms": 500.0}] * 8
    dear = [{"input_tokens": 9000, "output_tokens": 900, "runrate_nusd": 20_000, "latency_ms": 4000.0}] * 2
    calls = calls_frame(cheap + dear)
    parts = parts_of(calls, assignments_frame(calls, ["c"] * 8 + ["a"] * 2), BUCKETS, ())
    ready = {measure: shares_of(parts, measure)["ready"] for measure in MEASURES}
    assert ready["calls"] == 0.2
    assert ready["runrate_nusd"] == 40 / 48
    assert ready["latency_ms"] == 8 / 12
    assert ready["tokens"] > 0.95


def test_what_is_nowhere_known_has_no_share():
    calls = calls_frame([{"latency_ms": None}])
    assert shares_of(parts_of(calls, assignments_frame(calls, ["a"]), BUCKETS, ()), "latency_ms") is None
