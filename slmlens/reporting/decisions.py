"""People's decisions as the summary tells them: what was decided, by whom, why, and what became of it."""

from __future__ import annotations

from typing import Any

from slmlens.results import Plan

_NOT_VALUED = "The log holds nothing to value this action by, so the evidence's own action stands: undo it."


def decision_records(plan: Plan) -> list[dict[str, Any]]:
    """Return one record a decision, in the order they were made, as ``decisions`` of the summary.

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
            }
        )
    return records
