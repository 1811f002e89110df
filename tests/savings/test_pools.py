"""Tasks that share a GPU: two that don't repay one alone, together do; elsewhere nothing changes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from slmlens.reporting.plan_records import view_records
from slmlens.reporting.plan_view import plan_view
from slmlens.savings import pools, views
from slmlens.savings.arrivals import Traffic
from slmlens.savings.plan import plan
from slmlens.stages import assess, discover_tasks, read_logs
from slmlens.tables import NUSD_PER_USD
from tests.savings.world import FAULTLESS, TODAY, parity, steady, verdicts_of

LOGS = Path(__file__).resolve().parents[2] / "data" / "logs"
NOBODY_HOSTS = "granite-3.3-8b-instruct"
LIKELY = {"evidence": "likely", "swap": parity(1.0, NOBODY_HOSTS), "tuned": None}
GIVEN = {**FAULTLESS, "cheaper_llm_parity": 0}
"""Only a small model on GPUs of one's own is left to compare."""


def planned(*names, facts=LIKELY, n=300, rate=0.006, draws=1000, **overrides):
    calls = steady(n, 14, human_facing=False, input_tokens=10_000)
    world = verdicts_of(dict.fromkeys(names, calls), dict.fromkeys(names, facts), sampling_rate=rate)
    return plan(world, overrides={**GIVEN, **overrides}, today=TODAY, draws=draws)


@pytest.fixture(scope="module")
def pair():
    return planned("a", "b")


def test_two_tasks_that_alone_do_not_repay_a_gpu_together_do(pair):
    assert planned("a").total["portfolio"] is None
    own = pair.savings.filter(action="pilot-swap", deployment="self-hosted")
    assert own.height == 2
    assert (own["npv_p50_nusd"] < 0).all()
    found = pair.total["portfolio"]
    assert set(found["tasks"]) == {"a", "b"}
    assert found["npv_nusd"]["p50"] > 0


def test_what_they_share_is_one_gpu_and_each_is_said_not_to_pay_alone(pair):
    (pool,) = pair.total["portfolio"]["pools"]
    assert (pool["slm"], pool["gpus"]) == (NOBODY_HOSTS, 1)
    assert set(pool["tasks"]) == set(pool["not_alone"]) == {"a", "b"}
    assert pool["alone_nusd"] == 2 * pool["month_nusd"]


def test_a_shared_gpu_changes_no_decision_and_no_other_figure(pair):
    assert set(pair.actions["action"]) == {"keep"}
    assert pair.total["order"] == []
    assert pair.total["tornado"] == []


def test_the_portfolio_is_worth_the_tasks_alone_and_the_gpu_that_is_saved():
    """No chance anywhere: the pair gains one GPU and its upkeep over the horizon, and the shared part of the work."""
    sure = {"price_decline_year": 0, "people_cost_factor": 1, "tokenizer_ratio": 1, "discount_rate_year": 0}
    sure |= {"later_rollout_share": 1, "throughput_spread": 0, "throughput_exponent_larger": 1, "gpu_l40s_usd_hour": 1}
    made = planned("a", "b", **sure)
    own = made.savings.filter(action="pilot-swap", deployment="self-hosted")
    alone = sum(own["npv_p50_nusd"])
    gained = 12 * (720 + 800) * NUSD_PER_USD
    assert own["fixed_month_nusd"].to_list() == [720 * NUSD_PER_USD] * 2
    assert made.total["portfolio"]["npv_nusd"]["p50"] == pytest.approx(alone + gained, rel=0.02)


def test_three_tasks_share_and_the_rows_order_does_not_matter():
    one, other = (planned(*names).total["portfolio"] for names in (("a", "b", "c"), ("c", "a", "b")))
    assert set(one["pools"][0]["tasks"]) == {"a", "b", "c"}
    assert {**one, "tasks": None} == {**other, "tasks": None}


def test_a_task_that_fits_no_budget_leaves_no_pool():
    found = planned("a", "b", budget_weeks=1.6).total["portfolio"]
    assert found is None or found["pools"] == []


def test_tasks_on_different_base_models_share_nothing():
    calls = steady(300, 14, human_facing=False, input_tokens=10_000)
    models = {"a": NOBODY_HOSTS, "b": "Falcon3-7B-Instruct"}
    facts = {name: {**LIKELY, "swap": parity(1.0, slm)} for name, slm in models.items()}
    made = plan(verdicts_of(dict.fromkeys(models, calls), facts, sampling_rate=0.006), overrides=GIVEN, today=TODAY)
    assert made.total["portfolio"] is None or made.total["portfolio"]["pools"] == []


def test_where_nothing_self_hosts_no_arrivals_are_replayed_and_looking_takes_no_time(monkeypatch):
    spent = []

    def timed(tasks, acting, setting):
        began = time.process_time()
        monkeypatch.setattr(Traffic, "by_task", property(lambda _: pytest.fail("arrivals were worked out")))
        found = pools.gpu_pools(tasks, acting, setting)
        spent.append(time.process_time() - began)
        return found

    monkeypatch.setattr(views, "gpu_pools", timed)
    hosted = {"evidence": "likely", "swap": parity(0.9), "tuned": parity(0.9)}
    made = planned(*(f"t{at}" for at in range(20)), facts=hosted, n=50, rate=0.5, draws=4000)
    assert (made.total["portfolio"] or {"pools": []})["pools"] == []
    assert spent[0] < 0.05


def test_the_report_says_which_tasks_share_a_gpu(pair):
    named = [{"task_id": task_id, "name": f"task {task_id}"} for task_id in ("a", "b")]
    said = plan_view({"plan": view_records(pair), "tasks": named})["portfolio"]["said"]
    assert "“task a” and “task b” share one L40S with granite-3.3-8b-instruct on it" in said
    assert "would not pay with GPUs of their own. The headline counts each task alone." in said


@pytest.mark.slow
def test_the_plan_of_the_sample_is_what_it_is_without_sharing(monkeypatch):
    verdicts = assess(discover_tasks(read_logs(LOGS)))
    one = plan(verdicts, today=TODAY)
    monkeypatch.setattr(views, "gpu_pools", lambda *_: [])
    other = plan(verdicts, today=TODAY)
    assert one.total == other.total
    assert one.savings.equals(other.savings)
    assert one.actions.equals(other.actions)
