"""What a plan is worth as small tables of a notebook: every figure is the summary's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from slmlens.reporting.card import name_of
from slmlens.reporting.deployment_records import deployment_lines
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.headline import calls_a_month
from slmlens.reporting.money import usd_about, usd_month
from slmlens.reporting.plain_words import ACTION
from slmlens.reporting.plan_view import plan_view
from slmlens.reporting.text import percent, sentence, shorten

Json = Mapping[str, Any]

_NAME = 60
_NOT = "not stated"
_NOTHING_TO_DO = "The plan acts on no task: nothing pays under these assumptions."


def month_words(summary: Json) -> Words:
    """Return what the log costs a month, or why no month is stated."""
    ledger = summary["ledger"]
    if ledger["month_usd"] is None:
        return Words(ledger["month_reason"] or "No month can be stated.")
    return Words(f"{usd_month(ledger['month_usd'])} a month at today's prices.\n{ledger['month_reason']}")


def worth_grid(now: Json, was: Json) -> Grid:
    """Return what the plan is worth a month, beside what the run says.

    :param now: A summary under changed assumptions.
    :param was: The summary of the run.
    """
    rows = [
        {"": words, "now": _about(_worth(now, name)), "in the run": _about(_worth(was, name))}
        for name, words in (
            ("p10", "saving a month, P10: one in ten futures is worse"),
            ("p50", "saving a month, P50: the middle of the sum"),
            ("p90", "saving a month, P90: one in ten is better"),
            ("sum", "the tasks' own P50s added up, which is another figure"),
            ("one_off", "work before it saves"),
        )
    ]
    tasks = {"": "tasks to act on", "now": f"{len(now['plan']['order'])}", "in the run": f"{len(was['plan']['order'])}"}
    return Grid(pl.DataFrame([*rows, tasks]), numbers=("now", "in the run"), strong="")


def _worth(summary: Json, name: str) -> float | None:
    plan = summary["plan"]
    if name == "sum":
        return plan["sum_of_task_p50_usd"]  # type: ignore[no-any-return]
    if name == "one_off":
        return plan["one_off_usd"]  # type: ignore[no-any-return]
    return None if plan["saving_month_usd"] is None else plan["saving_month_usd"][name]


def tornado_grid(summary: Json) -> Grid:
    """Return what the plan's worth hangs on most, the widest swing first."""
    view = plan_view(summary) or {"tornado": []}
    rows = [
        {
            "the plan's worth hangs on": bar["name"],
            "from ... to": bar["swing"],
            "worth then": f"{bar['at_low']} ... {bar['at_high']}",
            "worth nothing at": bar["flip"],
        }
        for bar in view["tornado"]
    ]
    return Grid(pl.DataFrame(rows), strong="the plan's worth hangs on", empty=_NOTHING_TO_DO)


def order_grid(summary: Json) -> Grid:
    """Return what to do first, with what each task saves and from how many calls it pays."""
    tasks = {task["task_id"]: task for task in summary["tasks"]}
    chosen = (summary["plan"].get("portfolio") or {}).get("tasks")
    rows = []
    for place, task_id in enumerate(summary["plan"]["order"], 1):
        task = tasks[task_id]
        rows.append(
            {
                "": place,
                "task": shorten(name_of(task), _NAME),
                "do": ACTION[task["action"]][0] if task["action"] in ACTION else task["action"],
                "saving a month (P10 ... P90)": _range(task["saving_month_usd"]),
                "calls a month": _calls(calls_a_month(task, summary)),
                "pays from": _calls(task["break_even_calls_month"]),
                "in the budget": "yes" if chosen is None or task_id in chosen else "no",
            }
        )
    numbers = ("saving a month (P10 ... P90)", "calls a month", "pays from")
    return Grid(pl.DataFrame(rows), numbers=numbers, strong="task", empty=_NOTHING_TO_DO)


def portfolio_words(summary: Json) -> Words:
    """Return which tasks fit the engineering weeks, and what is left out."""
    view = plan_view(summary)
    found = view["portfolio"] if view else None
    if not found:
        return Words("No set of tasks can be chosen: without a month or prices there is nothing to weigh.")
    return Words("\n".join([found["said"], *found["left_out"]]))


def deployments_grid(task: Json) -> Grid:
    """Return the present model beside the ways to run a small one for a task."""
    calls = task["n_calls"]
    present = None if task["runrate_usd"] is None or not calls else task["runrate_usd"] / calls * 1000
    first = {
        "way": "The present model",
        "model": "",
        "per 1,000 calls": _about(present),
        "fixed a month": "$0",
        "work, once": "$0",
        "repays from (calls a month)": "",
        "rests on": f"the log: {calls:,} calls at today's prices",
    }
    rows = [
        {
            "way": line["name"],
            "model": line["slm"],
            "per 1,000 calls": line["calls"],
            "fixed a month": line["fixed"],
            "work, once": line["once"],
            "repays from (calls a month)": line["repays"],
            "rests on": _rests_on(line["rests_on"]),
        }
        for line in deployment_lines(task)
    ]
    numbers = ("per 1,000 calls", "fixed a month", "work, once", "repays from (calls a month)")
    return Grid(pl.DataFrame([first, *rows]), numbers=numbers, strong="way")


def ladder_grid(task: Json) -> Grid:
    """Return the cheaper answers of a task, each on what the ones before it leave."""
    rows = [
        {
            "rung": rung["name"],
            "": "serves" if rung["serves"] else "does not serve",
            "saves a month": _about(rung["saving_month_usd"]) if rung["serves"] else "",
            "leaves": _about(rung["remains_month_usd"]),
            "chance": "" if rung["chance"] is None else percent(rung["chance"]),
            "rests on": _rests_on(rung["rests_on"]),
        }
        for rung in task.get("ladder", ())
    ]
    return Grid(pl.DataFrame(rows), numbers=("saves a month", "leaves", "chance"), strong="rung")


def flips_words(task: Json) -> Words:
    """Return which fact, at which value, would change what to do with a task."""
    flips = [sentence(flip) for flip in task["flips"]]
    return Words("\n".join(flips) or "Nothing within reason changes what to do with this task.")


def _rests_on(text: str) -> str:
    """Return the words as a sentence whose first word, which may be a model's name, stays as it is."""
    return text[:1] + sentence(text)[1:]


def _range(saving: Json | None) -> str:
    return _NOT if saving is None else f"{usd_about(saving['p10'])} ... {usd_about(saving['p90'])}"


def _about(value: float | None) -> str:
    return _NOT if value is None else usd_about(value)


def _calls(value: float | None) -> str:
    return _NOT if value is None else f"{float(f'{value:.1e}'):,.0f}"
