"""Serving a small model oneself: whole GPUs, always on, for the traffic as it comes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.slots import bursty_trace
from slmlens.savings.arrivals import Arrivals
from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.catalogue import small_models
from slmlens.savings.deployments import hosted_break_even
from slmlens.savings.gpus import gpus, read_gpu_prices, read_gpu_throughput
from slmlens.savings.montecarlo import Setting, draw_shared
from slmlens.savings.serving import HOURS_A_MONTH, size, size_least, size_pool
from slmlens.savings.throughput import rates_of

KNOWN = load_assumptions()
LLAMA = next(model for model in small_models() if model.name == "Llama-3.1-8B-Instruct")
SMALL = next(model for model in small_models() if model.name == "Llama-3.2-1B-Instruct")
L40S, H100 = (next(gpu for gpu in gpus() if gpu.name == name) for name in ("L40S", "H100"))


def traffic(seconds, *, inside=900.0, outside=120.0, people=False, copies=1.0, span=None) -> Arrivals:
    seconds = np.asarray(seconds, dtype=float)
    n = seconds.size
    return Arrivals(
        seconds,
        np.full(n, inside),
        np.full(n, outside),
        np.arange(n).astype(np.uint64),
        float(span or seconds[-1]),
        people,
        copies,
    )


def bursts(seed: int = 0, *, people=False, **facts) -> Arrivals:
    return traffic(bursty_trace(seed, days=1, per_second=0.3)[0], people=people, span=86_400, **facts)


def setting(**overrides) -> Setting:
    from slmlens.spend.months import estimate_month
    from tests.savings.world import calls_frame

    known = load_assumptions(overrides)
    shared = draw_shared(known, estimate_month(calls_frame([{}])), seed=0, draws=2000)
    return Setting(known, shared, 0)


# the data files


def test_every_gpu_has_a_price_range_a_source_and_one_throughput_row_to_start_from():
    prices, rows = read_gpu_prices(), read_gpu_throughput()
    assert prices.filter(~(prices["usd_hour_low"] <= prices["usd_hour_mid"])).height == 0
    assert prices.filter(~(prices["usd_hour_mid"] <= prices["usd_hour_high"])).height == 0
    assert prices.select("source", "date", "basis").null_count().sum_horizontal().item() == 0
    assert rows.select("source", "date", "verification").null_count().sum_horizontal().item() == 0
    assert sorted(gpu.name for gpu in gpus()) == sorted(prices["gpu"])


def test_rows_divided_out_of_mlperf_say_that_nobody_verified_them():
    rows = read_gpu_throughput()
    mlperf = rows.filter(rows["scenario"].str.starts_with("MLPerf"))
    assert mlperf.height > 20
    assert set(mlperf["verification"]) == {"derived per GPU; not verified by MLCommons"}
    derived = rows.filter(rows["scenario"] == "derived")
    assert set(derived["verification"]) == {"derived, not measured"}


def test_the_same_model_differs_six_fold_between_engines_and_gpus():
    rows = read_gpu_throughput().filter(model="Llama-3.1-8B-Instruct")
    h100 = rows.filter(gpu="H100", engine="vLLM", scenario="MLPerf Server (RedHat)")["output_tok_s"].item()
    h200 = rows.filter(gpu="H200", scenario="MLPerf Server (HPE)")["output_tok_s"].item()
    assert h200 / h100 == pytest.approx(6.4, abs=0.05)


def test_a_gpu_price_is_an_assumption_that_the_user_replaces():
    table = KNOWN.table().filter(name="gpu_l40s_usd_hour")
    assert (table["kind"].item(), table["date"].item()) == ("fact", "2025-08-12")
    assert load_assumptions({"gpu_l40s_usd_hour": 1}).central("gpu_l40s_usd_hour") == 1


# rates


def test_the_anchor_row_is_given_back_where_its_own_pace_is_asked_for():
    known = load_assumptions({"time_per_output_token_ms": 97.1, "prefill_over_decode": 8})
    rates = rates_of(LLAMA, L40S, known)
    assert rates is not None
    served = 1 / rates.gpu_seconds(np.array([778.0]), np.array([128.0]))[0]
    assert served == pytest.approx(603.6 / 128, rel=0.01)


@pytest.mark.parametrize("ratio", [3.7, 8, 20])
def test_how_prefill_and_decode_are_split_leaves_the_measured_load_as_it_is(ratio):
    known = load_assumptions({"time_per_output_token_ms": 97.1, "prefill_over_decode": ratio})
    rates = rates_of(LLAMA, L40S, known)
    assert 1 / rates.gpu_seconds(np.array([778.0]), np.array([128.0]))[0] == pytest.approx(4.7, rel=0.01)


def test_a_lone_call_is_as_fast_as_was_measured():
    """The time to read the weights once, against the batch-of-one rows: within a fifth."""
    rows = read_gpu_throughput().filter(scenario="batch of 1")
    for gpu in gpus():
        measured = rows.filter(gpu=gpu.name)["tpot_ms"]
        if measured.len():
            alone = 2 * 8.03 / (gpu.bandwidth_gb_s * KNOWN.central("bandwidth_efficiency")) * 1000
            assert alone <= 1.2 * measured.item()


def test_a_pace_below_the_time_to_read_the_weights_can_not_be_had():
    assert rates_of(LLAMA, L40S, load_assumptions({"time_per_output_token_ms": 20})) is None
    assert rates_of(SMALL, L40S, load_assumptions({"time_per_output_token_ms": 20})) is not None


def test_a_stricter_pace_serves_fewer_and_a_smaller_model_more():
    paces = [rates_of(LLAMA, L40S, load_assumptions({"time_per_output_token_ms": ms})).decode for ms in (30, 50, 90)]
    assert paces == sorted(paces)
    assert rates_of(SMALL, L40S, KNOWN).decode > rates_of(LLAMA, L40S, KNOWN).decode
    assert rates_of(SMALL, L40S, KNOWN).spread > rates_of(LLAMA, L40S, KNOWN).spread


# GPUs


def test_whole_gpus_are_paid_all_month_however_little_they_work():
    quiet = size(traffic([0.0, 50_000.0, 86_400.0]), LLAMA, KNOWN)
    assert (quiet.gpus, quiet.spare, quiet.hours_month) == (1, 0, HOURS_A_MONTH)
    assert quiet.utilisation < 0.001
    price = KNOWN.central(f"gpu_{quiet.gpu.lower()}_usd_hour")
    assert quiet.usd_month[1] == pytest.approx(price * HOURS_A_MONTH)


@pytest.mark.parametrize(("people", "spare"), [(True, 1), (None, 1), (False, 0)])
def test_a_spare_stands_by_unless_nobody_waits(people, spare):
    assert size(bursts(people=people), LLAMA, KNOWN).spare == spare


def test_the_gpu_is_the_one_that_costs_least_and_holds_the_model():
    quiet = traffic([0.0, 86_400.0])
    assert size(quiet, SMALL, KNOWN).gpu == "L4"
    assert size(quiet, LLAMA, KNOWN).gpu == "L40S", "an L4 reads 16 GB of weights too slowly for 50 ms a token"
    dear = load_assumptions({"gpu_l40s_usd_hour": 9})
    assert size(quiet, LLAMA, dear).gpu == "A100"


def test_a_model_that_no_gpu_holds_is_not_sized():
    assert size(traffic([0.0, 9.0]), replace(LLAMA, params_b=200.0, active_b=8.0), KNOWN) is None
    assert size_least(900, 120, replace(LLAMA, params_b=200.0), KNOWN, people_wait=False) is None


def test_long_prompts_fill_the_memory_before_they_fill_the_time():
    short, long = size(bursts(inside=500), LLAMA, KNOWN), size(bursts(inside=30_000), LLAMA, KNOWN)
    assert long.slots_per_gpu < short.slots_per_gpu
    assert long.slots_per_gpu * 30_120 * 128 * 1024 <= 0.9 * 80e9


@given(st.integers(2, 5), st.integers(0, 3))
@settings(max_examples=5, deadline=None)
def test_more_traffic_never_takes_fewer_gpus(times, seed):
    base = bursts(seed, outside=400)
    more = size(replace(base, copies=float(times)), LLAMA, KNOWN)
    less = size(base, LLAMA, KNOWN)
    assert more.slots >= less.slots - 1, "copies are shifted by chance"
    assert more.usd_month[0] <= more.usd_month[1] <= more.usd_month[2]


def test_a_log_of_a_tenth_of_the_traffic_is_sized_for_all_of_it():
    sample = size(bursts(), LLAMA, KNOWN)
    whole = size(replace(bursts(), copies=10.0), LLAMA, KNOWN)
    assert whole.slots > 1.5 * sample.slots
    assert whole.utilisation == pytest.approx(10 * sample.utilisation * sample.gpus / whole.gpus, rel=0.1)


def test_traffic_that_fits_on_average_does_not_fit_as_it_comes():
    """Burst traffic leaves an online GPU mostly idle: that is what self-hosting costs."""
    found = size(bursts(outside=600), LLAMA, KNOWN)
    assert found.utilisation < 0.6
    assert "95 % to wait at most 1 s" in found.note


def test_draws_cost_whole_gpus_and_are_shared_by_tasks_on_the_same_gpu():
    given_ = setting()
    found = size(bursts(outside=600), LLAMA, given_.assumptions)
    drawn = found.month_drawn(given_)
    assert drawn.min() > 0
    assert np.quantile(drawn, 0.1) < found.usd_month[1] < np.quantile(drawn, 0.95)
    other = size(bursts(1, outside=300), LLAMA, given_.assumptions)
    if other.gpu == found.gpu:
        assert np.corrcoef(drawn, other.month_drawn(given_))[0, 1] > 0.5
    assert (found.month_drawn(given_, 5.0) >= drawn - 1e-9).all()
    fixed = setting(gpu_l40s_usd_hour=1, throughput_spread=0, gpu_a100_usd_hour=9, gpu_h100_usd_hour=99)
    sure = size(bursts(), LLAMA, fixed.assumptions)
    assert set(sure.month_drawn(fixed)) == {720.0 * sure.gpus}


# gathered work, pools, no times


def test_work_that_may_wait_is_paid_by_the_hour_it_runs():
    known = load_assumptions({"deadline_hours": 4})
    few = traffic(np.linspace(0, 86_400 * 6, 200))
    gathered, online = size(few, LLAMA, known), size(few, LLAMA, KNOWN)
    assert (gathered.mode, online.mode) == ("batchable", "online")
    assert gathered.usd_month[1] < online.usd_month[1] / 2
    busy = size(replace(few, people_wait=True), LLAMA, known)
    assert busy.mode == "online", "people wait whatever the deadline says"


def test_tasks_on_one_base_share_its_gpus_by_the_time_they_take():
    by_task = {"a": bursts(0, outside=200), "b": bursts(1, outside=50), "c": bursts(2)}
    pool = size_pool(by_task, LLAMA, KNOWN)
    alone = [size(one, LLAMA, KNOWN) for one in by_task.values()]
    assert pool.serving.usd_month[1] < sum(one.usd_month[1] for one in alone)
    assert sum(pool.shares.values()) == pytest.approx(1)
    assert pool.shares["a"] > pool.shares["b"]
    assert sum(pool.usd_month(task) for task in by_task) == pytest.approx(pool.serving.usd_month[1])
    assert pool.serving.slots >= max(one.slots for one in alone)


def test_adapters_take_memory():
    many = load_assumptions({"adapter_gb": 30})
    assert size_pool({"a": bursts(), "b": bursts(1)}, LLAMA, many) is None


def test_without_times_one_gpu_serves_what_a_usual_utilisation_allows_and_that_is_said():
    found = size_least(900, 120, LLAMA, KNOWN, people_wait=None, timed=False)
    assert (found.gpus, found.spare, found.replayed, found.utilisation) == (1, 1, False, 0.25)
    assert "no times" in found.note
    assert "15% to 35%" in found.note


def test_the_least_is_never_above_what_the_replay_finds():
    for people in (True, False):
        least = size_least(900, 120, LLAMA, KNOWN, people_wait=people)
        assert least.usd_month[1] <= size(bursts(people=people), LLAMA, KNOWN).usd_month[1] + 1e-9


def test_at_a_dime_a_million_tokens_a_dollar_an_hour_pays_only_above_seven_million_calls():
    """Reference case: 900 in and 120 out at $0.10 a million, against one L40S at $1 an hour, never idle."""
    known = load_assumptions(
        {"gpu_l40s_usd_hour": 1, "time_per_output_token_ms": 97.1, "gpu_l4_usd_hour": 9, "self_host_month_usd": 0}
    )
    least = size_least(900, 120, LLAMA, known, people_wait=False)
    assert least.gpu == "L40S"
    calls = hosted_break_even(least, 1020 * 0.10 * 1000, known)
    assert 6.9e6 < calls < 7.3e6
    rate = calls / (HOURS_A_MONTH * 3600)
    assert rate == pytest.approx(2.8, abs=0.15)
    assert rate < 1 / least.gpu_seconds_call, "it can be served at all"
    assert not math.isnan(least.usd_hour[1])
