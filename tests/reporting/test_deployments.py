"""Where a small model would run: each deployment of a task in the summary and on its card."""

from __future__ import annotations

import polars as pl
import pytest

from slmlens.reporting.deployment_records import deployment_lines, deployment_records, deployments_by_task
from slmlens.savings.plan import plan
from tests.savings.world import TODAY, parity, steady, verdicts_of


@pytest.fixture(scope="module")
def made():
    facts = {"t": {"swap": parity(0.9), "tuned": parity(0.95)}}
    return plan(verdicts_of({"t": steady(1000, 14, human_facing=False)}, facts), today=TODAY, draws=200)


def test_hosted_and_self_hosted_stand_side_by_side_in_each_mode(made):
    rows = deployments_by_task(made.savings).row(0, named=True)["deployments"]
    assert [(row["mode"], row["deployment"]) for row in rows] == [
        ("swap", "hosted-base"),
        ("swap", "self-hosted"),
        ("tuned", "hosted-tuned"),
        ("tuned", "self-hosted"),
    ]


def test_the_records_are_the_table_in_dollars(made):
    rows = deployments_by_task(made.savings).row(0, named=True)["deployments"]
    for row, record in zip(rows, deployment_records(rows), strict=True):
        known = made.savings.filter(pl.col("action").str.starts_with("migrate"), mode=row["mode"])
        known = known.filter(deployment=row["deployment"]).row(0, named=True)
        assert record["fixed_month_usd"] == pytest.approx(known["fixed_month_nusd"] / 1e9, abs=0.01)
        assert record["one_off_usd"] == pytest.approx(known["one_off_nusd"] / 1e9, abs=0.01)


def test_the_card_says_what_is_paid_by_the_call_what_by_the_month_and_when_it_repays(made):
    records = deployment_records(deployments_by_task(made.savings).row(0, named=True)["deployments"])
    hosted, own, _, tuned = deployment_lines({"deployments": records})
    assert (hosted["name"], own["name"], tuned["name"]) == ("Hosted, as it is", "Self-hosted", "Self-hosted, tuned")
    assert (hosted["fixed"], own["calls"]) == ("$0", "$0")
    assert own["fixed"] != "$0"
    assert int(own["repays"].replace(",", "")) > int(hosted["repays"].replace(",", ""))
    assert "not replayed" in own["rests_on"]


def test_a_task_without_small_models_and_an_older_summary_have_no_lines():
    assert deployment_records(None) == []
    assert deployment_lines({}) == []
    unknown = {"deployment": "hosted-base", "mode": "swap", "slm": None, "rests_on": None}
    money = dict.fromkeys(
        ["cost_per_1000_calls_usd", "fixed_month_usd", "one_off_usd", "break_even_calls_month", "saving_month_p50_usd"]
    )
    (line,) = deployment_lines({"deployments": [unknown | money]})
    assert (line["calls"], line["repays"]) == ("not known", "never")
