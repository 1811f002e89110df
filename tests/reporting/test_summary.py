"""The summary holds every figure once, adds up, and keeps to its schema."""

import json
from dataclasses import replace

import jsonschema
import polars as pl
import pytest

from slmlens.reporting.summary import RunFacts, summarise, summary_schema
from slmlens.reporting.task_records import bucket
from slmlens.results import Calls, Plan, Tasks, Verdicts
from slmlens.spend.ledger import build_ledger
from slmlens.spend.months import estimate_month
from tests.reporting.factory import (
    SCENARIOS,
    Log,
    Spec,
    make_plan,
    make_summary,
    many,
    product,
    product_log,
    scenario,
    task_id,
)


@pytest.fixture(scope="module", params=SCENARIOS)
def summary(request):
    return scenario(request.param)


def test_it_keeps_to_its_schema(summary):
    checker = jsonschema.Draft202012Validator(summary_schema(), format_checker=jsonschema.FormatChecker())
    checker.validate(json.loads(json.dumps(summary)))


def test_the_schema_itself_is_sound_and_closed_everywhere():
    schema = summary_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    def objects(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for value in node.values():
                yield from objects(value)
        elif isinstance(node, list):
            for value in node:
                yield from objects(value)

    assert all("additionalProperties" in node and node["additionalProperties"] is not True for node in objects(schema))


def test_a_missing_or_foreign_field_is_refused():
    summary = make_summary([Spec("a")])
    for broken in ({**summary, "extra": 1}, {key: value for key, value in summary.items() if key != "limits"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, summary_schema())


def test_the_money_on_show_adds_up(summary):
    ledger, coverage, tasks = summary["ledger"], summary["plan"]["coverage"], summary["tasks"]
    if ledger["imported_usd"] is None:
        assert coverage is None
        assert ledger["unpriced_calls"] == summary["rows"]["calls"]
        return

    def micro(values):
        return sum(round((value or 0) * 1e6) for value in values)

    parts = [ledger[name] for name in ("tasks_usd", "unassigned_usd", "excluded_usd")]
    assert micro(parts) == micro([ledger["imported_usd"]])
    assert micro(task["spend_usd"] for task in tasks) == micro([ledger["tasks_usd"]])
    acted = [coverage[name] for name in ("ready_usd", "pilot_usd", "keep_usd")]
    assert micro(task["runrate_usd"] for task in tasks) == micro(acted)


def test_rows_add_up_in_every_file_and_in_all(summary):
    for line in (summary["rows"], *summary["rows"]["files"]):
        parts = ("calls", "parents", "duplicates", "rejects", "other")
        assert line["records"] == sum(line[name] for name in parts)


def test_a_task_is_named_once_and_the_order_names_only_tasks(summary):
    ids = [task["task_id"] for task in summary["tasks"]]
    assert len(ids) == len(set(ids))
    assert set(summary["plan"]["order"]) <= set(ids)


def test_tasks_come_by_run_rate_and_a_kept_task_claims_no_saving(summary):
    rates = [task["runrate_usd"] or 0 for task in summary["tasks"]]
    assert rates == sorted(rates, reverse=True)
    assert all(task["saving_month_usd"] is None for task in summary["tasks"] if task["action"] == "keep")


def test_what_a_person_set_aside_is_a_line_and_no_task():
    summary = make_summary(product(), product_log(excluded=(0, 3)))
    assert summary["ledger"]["excluded_usd"] > 0
    assert summary["plan"]["coverage"]["excluded_usd"] > 0
    assert not {task_id(0), task_id(3)} & {task["task_id"] for task in summary["tasks"]}
    assert not {task_id(0), task_id(3)} & set(summary["plan"]["order"])


def test_a_small_log_does_not_read_as_nothing():
    tiny = scenario("tiny")
    assert all(task["spend_usd"] > 0 for task in tiny["tasks"])


def test_unpriced_calls_are_counted_and_named_by_their_model():
    summary = make_summary(product(), product_log(unpriced=14))
    assert summary["ledger"]["unpriced_calls"] == 14
    assert (
        "14 calls with 14,280 tokens could not be priced, no listed price: azure-deployment-7 at openai (14)."
        in summary["limits"]
    )


def test_both_the_middle_of_the_sum_and_the_sum_of_middles_are_there():
    plan = make_summary(product(), product_log())["plan"]
    assert plan["saving_month_usd"]["p50"] == 1490.0
    assert plan["sum_of_task_p50_usd"] == 910 + 340 + 180 + 14 + 12


def test_from_14_days_the_month_says_what_the_next_30_days_may_cost():
    ledger = make_summary(product(), product_log())["ledger"]
    assert ledger["month_usd"]["low"] < ledger["month_usd"]["mid"] < ledger["month_usd"]["high"]
    assert "The next 30 days may well cost anything from $" in ledger["month_reason"]


def test_one_week_gives_a_figure_without_an_interval_and_three_days_give_none():
    week = make_summary(product(), Log(days=10))["ledger"]
    assert week["month_usd"]["low"] is None
    assert week["month_usd"]["mid"] > 0
    assert make_summary(product(), Log(days=3))["ledger"]["month_usd"] is None


def test_the_notes_of_the_reader_come_first_among_the_limits():
    summary = make_summary([], Log(prompts=False, notes=("Switch on X.",)))
    assert summary["limits"][0] == "Switch on X."
    assert summary["plan"]["headline"].startswith("This log holds no prompts")


def test_hostile_text_is_made_readable_everywhere():
    hostile = "\x1b[31mred\u202e\x00"
    facts = RunFacts(
        decisions=[
            {"id": "d1", "op": "rename", "what": hostile, "by": hostile, "at": None, "why": None, "status": "stale"}
            | {"next_step": hostile, "from": hostile}
        ]
    )
    spec = Spec(
        hostile, application=hostile, step_names=(hostile,), skeleton=hostile, reasons=(hostile,), flips=(hostile,)
    )
    summary = make_summary([spec], Log(file=hostile, notes=(hostile,), facts=facts))
    text = json.dumps(summary, ensure_ascii=False)
    assert not {"\x1b", "\u202e", "\\u001b", "\\u0000"} & {
        text[at : at + size] for size in (1, 6) for at in range(len(text))
    }
    assert "⟨U+202E⟩" in summary["tasks"][0]["name"]


def test_rows_in_another_order_give_the_same_summary():
    plan = make_plan(product(), product_log())
    assert _summary_of(_shuffled(plan, seed=5)) == _summary_of(plan)


def _summary_of(plan: Plan):
    calls = plan.tasks.calls.calls
    return summarise(plan, ledger=build_ledger(calls, plan.tasks.assignments), month=estimate_month(calls))


def _shuffled(plan: Plan, seed: int) -> Plan:
    def mixed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.sample(fraction=1.0, shuffle=True, seed=seed)

    tasks, verdicts = plan.tasks, plan.verdicts
    calls: Calls = replace(tasks.calls, calls=mixed(tasks.calls.calls))
    found: Tasks = replace(tasks, calls=calls, tasks=mixed(tasks.tasks), assignments=mixed(tasks.assignments))
    judged: Verdicts = replace(verdicts, tasks=found, verdicts=mixed(verdicts.verdicts))
    return replace(
        plan,
        verdicts=judged,
        savings=mixed(plan.savings),
        actions=mixed(plan.actions),
        assumptions=mixed(plan.assumptions),
    )


def test_sixty_tasks_stay_sixty_tasks():
    assert len(make_summary(many(60), product_log())["tasks"]) == 60


def test_code_that_would_not_repay_the_work_is_kept_whatever_it_earned():
    summary = scenario("code that does not repay")
    task = next(task for task in summary["tasks"] if task["action"] == "code")
    assert bucket(task, summary) == "keep"
    assert summary["plan"]["coverage"]["ready_usd"] == 0
    assert summary["plan"]["sum_of_task_p50_usd"] is None
    headline = summary["plan"]["headline"]
    assert headline.startswith("No task in this log pays for a migration.")
    assert "The nearest, “fixed answer”, would break even at about 500,000 calls a month" in headline
