"""People's decisions as the summary tells them: what was decided, by whom, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from slmlens.reporting.text import counted
from slmlens.results import Plan, Tasks
from slmlens.tables import DECISION_STATUSES

_UNMEASURED = {
    "split": "after a person's split: half-samples speak of tasks as they were found",
    "move": "after a person moved calls: half-samples speak of tasks as they were found",
    "merge": "after a person's merge: a task in it recurs too rarely to be measured",
}
"""Kind of a decision that leaves a task without a stability: why."""

_NOT_VALUED = "The log holds nothing to value this action by, so the evidence's own action stands: undo it."


def decision_records(plan: Plan) -> list[dict[str, Any]]:
    """Return one record a decision, in the order they are replayed, as ``decisions`` of the summary.

    An override counts as conflicting where the plan could not follow it.
    """
    actions = dict(plan.actions.select("task_id", "action").rows())
    records = []
    for row in plan.tasks.decisions.iter_rows(named=True):
        status, next_step = row["status"], row["next_step"]
        followed = all(actions.get(task_id) == row["action"] for task_id in row["task_ids"])
        if row["kind"] == "override" and status == "applied" and not followed:
            status, next_step = "conflicting", _NOT_VALUED
        records.append(
            {
                "id": row["decision_id"],
                "op": row["kind"],
                "what": row["what"],
                "by": row["author"] or None,
                "at": f"{row['decided_at']:%Y-%m-%d}",
                "why": row["reason"] or None,
                "status": status,
                "next_step": next_step,
                "from": row["earlier_run"],
            }
        )
    return records


def taken_over_words(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each earlier run whose decisions were taken over: how many, and what became of them.

    :param records: Of :func:`decision_records`.
    """
    return [
        _taken_over(run, [record["status"] for record in records if record["from"] == run])
        for run in dict.fromkeys(record["from"] for record in records if record["from"])
    ]


def _taken_over(run: str, statuses: Sequence[str]) -> str:
    told = [f"{statuses.count(status)} {status}" for status in DECISION_STATUSES if status in statuses]
    were = "was" if len(statuses) == 1 else "were"
    return f"{counted(len(statuses), 'decision')} of the earlier run {run} {were} taken over: {', '.join(told)}."


def unmeasured_words(tasks: Tasks) -> list[str]:
    """Return a sentence for each reason why tasks that people changed have no stability, with how many they are."""
    left = set(tasks.tasks.filter(pl.col("stability").is_null()).get_column("task_id"))
    applied = tasks.decisions.filter(pl.col("status") == "applied")
    lines = []
    for kind, why in _UNMEASURED.items():
        shaped = applied.filter(pl.col("kind") == kind).get_column("task_ids").explode()
        mine = left & set(shaped.drop_nulls())
        left -= mine
        if mine:
            lines.append(f"The stability of {counted(len(mine), 'task')} is not known {why}.")
    return lines
