"""Hosted or on GPUs of one's own: the same task's deployments side by side."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from slmlens.savings.arrivals import Traffic
from slmlens.savings.plan import plan
from tests.savings.world import START, TODAY, parity, steady, verdicts_of


def busy(n: int, **facts) -> list[dict[str, object]]:
    return steady(n, 14, human_facing=False, **facts)


def planned(calls, *, rate: float = 1.0, verdict=None, **overrides):
    facts = {"t": {"swap": parity(0.9), "evidence": "likely", **(verdict or {})}}
    return plan(verdicts_of({"t": calls}, facts, sampling_rate=rate), overrides=overrides, today=TODAY, draws=500)


def options(made, action="migrate-swap") -> pl.DataFrame:
    return made.savings.filter(action=action)


def test_a_small_model_is_priced_hosted_and_self_hosted_and_each_says_what_it_rests_on():
    found = options(planned(busy(2000)))
    assert found["deployment"].to_list() == ["hosted-base", "self-hosted"]
    assert found["fixed_month_nusd"].to_list()[0] == 0
    assert found["fixed_month_nusd"].to_list()[1] > 0
    assert found["cost_per_1000_calls_nusd"].to_list()[1] == 0
    assert found["one_off_nusd"].is_sorted()
    assert found["rests_on"].null_count() == 0


def test_at_a_few_thousand_calls_self_hosting_loses_and_no_arrivals_are_replayed(monkeypatch):
    monkeypatch.setattr(Traffic, "by_task", property(lambda _: pytest.fail("arrivals were worked out")))
    made = planned(busy(3000))
    hosted, own = options(made).iter_rows(named=True)
    assert own["npv_p50_nusd"] < hosted["npv_p50_nusd"]
    assert own["break_even_calls_month"] > hosted["break_even_calls_month"]
    assert "not replayed" in own["rests_on"]
    assert "the model costs less below" in own["rests_on"]
    assert made.savings.filter(pl.col("chosen"))["deployment"].item() != "self-hosted"


@pytest.mark.slow
def test_at_millions_of_calls_whole_gpus_win_where_they_are_cheap_and_their_arrivals_were_replayed():
    """1,000 logged calls of 1 in 10,000 are 21M calls a month."""
    upkeep = {"self_host_month_usd": 100, "self_host_days": 1}
    made = planned(busy(1000), rate=1 / 10_000, gpu_l40s_usd_hour=0.3, **upkeep)
    hosted, own = options(made).iter_rows(named=True)
    assert "replayed" in own["rests_on"]
    assert own["npv_p50_nusd"] > hosted["npv_p50_nusd"]


def test_a_cheaper_gpu_makes_self_hosting_worth_more_and_changes_nothing_else():
    dear, cheap = (
        planned(
            busy(2000), rate=0.001, gpu_l40s_usd_hour=usd, gpu_l4_usd_hour=9, gpu_a100_usd_hour=9, gpu_h100_usd_hour=9
        )
        for usd in (2, 1)
    )
    (hosted, own), (same, better) = options(dear).iter_rows(named=True), options(cheap).iter_rows(named=True)
    assert better["p50_nusd"] > own["p50_nusd"]
    assert hosted["p50_nusd"] == same["p50_nusd"]


def test_the_money_of_self_hosting_is_the_same_for_rows_in_another_order():
    calls = busy(500)
    one, other = (options(planned(rows, rate=0.001)) for rows in (calls, calls[::-1]))
    drop = ["task_id"]
    assert one.drop(drop).equals(other.drop(drop))


def test_without_times_the_cost_a_call_is_that_of_a_usual_utilisation_and_hosted_is_preferred():
    made = planned([{"started_at": None, "human_facing": False}] * 50)
    own = options(made).row(1, named=True)
    assert "no times" in own["rests_on"]
    hosted_saving, own_saving = options(made)["saving_per_1000_calls_nusd"]
    assert own_saving < hosted_saving


def test_a_week_that_is_too_short_for_a_month_is_not_replayed():
    start = [{"started_at": START + dt.timedelta(minutes=at)} for at in range(100)]
    own = options(planned(start)).row(1, named=True)
    assert own["deployment"] == "self-hosted"
    assert own["p50_nusd"] is None
    assert "no times" not in own["rests_on"]


def test_one_option_a_task_is_chosen():
    made = planned(busy(2000), rate=0.001)
    assert made.savings.filter(pl.col("chosen")).height == 1


def test_the_work_of_running_servers_is_counted_once_and_by_the_month():
    hosted, own = options(planned(busy(2000))).iter_rows(named=True)
    more, _ = options(planned(busy(2000), self_host_days=15)).filter(deployment="self-hosted"), None
    assert own["one_off_nusd"] - hosted["one_off_nusd"] == 5 * 800 * 10**9
    assert more["one_off_nusd"].item() - own["one_off_nusd"] == 10 * 800 * 10**9
