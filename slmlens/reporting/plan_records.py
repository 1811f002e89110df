"""Records of the whole plan in the summary: what it covers, what it hangs on, and what fits the time there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from slmlens.reporting.money import cents
from slmlens.reporting.task_records import bucket_of
from slmlens.results import Plan
from slmlens.savings.shares import MEASURES, parts_of, shares_of
from slmlens.spend.ledger import Ledger

_DIGITS = 6

Json = dict[str, Any]


def share_records(plan: Plan, ledger: Ledger, order: Collection[str]) -> list[Json]:
    """Return each part of the log with its share of calls, tokens, dollars (at today's prices) and latency.

    :param order: Ids of the tasks that the plan acts on.
    """
    actions = plan.actions.select("task_id", "action").iter_rows()
    buckets = {task_id: bucket_of(action, in_plan=task_id in order) for task_id, action in actions}
    aside = ledger.by_task.filter(pl.col("excluded") & pl.col("task_id").is_not_null()).get_column("task_id")
    parts = parts_of(plan.tasks.calls.calls, plan.tasks.assignments, buckets, aside.to_list())
    shares = {measure: shares_of(parts, measure) for measure in MEASURES}
    return [
        {"part": part.name, "calls": part.calls, "tokens": part.tokens}
        | {
            f"{name}_share": None if (found := shares[measure]) is None else round(found[part.name], _DIGITS)
            for name, measure in zip(("call", "token", "usd", "latency"), MEASURES, strict=True)
        }
        for part in parts
    ]


def view_records(plan: Plan) -> Json:
    """Return ``tornado``, ``facts`` and ``portfolio`` (see :mod:`slmlens.savings.views`), money in US dollars."""
    bars: Any = plan.total.get("tornado", ())
    facts: Any = plan.total.get("facts", ())
    return {
        "tornado": [
            {
                "input": bar["input"],
                "unit": bar["unit"],
                **{name: _short(bar[name]) for name in ("low", "central", "high", "flip")},
                "npv_low_usd": cents(bar["npv_low_nusd"]),
                "npv_high_usd": cents(bar["npv_high_nusd"]),
            }
            for bar in bars
        ],
        "facts": [
            {
                "fact": fact["fact"],
                "how": fact["how"],
                "worth_usd": cents(fact["worth_nusd"]),
                "cost_usd": cents(fact["cost_nusd"]),
            }
            for fact in facts
        ],
        "portfolio": _portfolio(plan.total.get("portfolio")),
    }


def routing_records(row: Mapping[str, Any]) -> list[Json]:
    """Return what moving a task whole, a router and a cascade save a month, in US dollars before people cost."""
    money = ("saving_month", "saving_low", "saving_high", "paid_twice", "cache_loss")
    return [
        {
            "way": split["way"],
            **{f"{name}_usd": cents(split[f"{name}_nusd"]) for name in money},
            **{name: _short(split[name]) for name in ("share", "breaks_even_at", "latency_factor")},
        }
        for split in row["routing"] or ()
    ]


def _portfolio(found: Any) -> Json | None:  # noqa: ANN401  a mapping, as the plan's total carries it
    if not found:
        return None
    return {
        "budget_weeks": found["budget_weeks"],
        "weeks": round(found["weeks"], 2),
        "tasks": list(found["tasks"]),
        "npv_usd": {end: cents(nusd) for end, nusd in found["npv_nusd"].items()},
        "p_npv_positive": round(found["p_npv_positive"], 4),
        "gap": _short(found["gap"]),
        "left_out": [dict(entry) for entry in found["left_out"]],
        "pools": [_pool(pool) for pool in found.get("pools", ())],
    }


def _pool(pool: Mapping[str, Any]) -> Json:
    told = {name: pool[name] for name in ("slm", "gpu", "gpus")}
    month = {"month_usd": cents(pool["month_nusd"]), "alone_usd": cents(pool["alone_nusd"])}
    return told | month | {name: list(pool[name]) for name in ("tasks", "not_alone")}


def _short(value: float | None) -> float | None:
    """Round to four significant digits."""
    return None if value is None else float(f"{value:.4g}")
