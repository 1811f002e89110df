"""Records of the whole plan in the summary: what it covers, by four measures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

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
