"""Calls of the present prompt: where a task's prompt was edited, what came before the edit is no evidence on it."""

from __future__ import annotations

import polars as pl

from slmlens.results import Tasks


def present_calls(tasks: Tasks) -> pl.DataFrame:
    """Return ``call_id, task_id, unit_id`` of the assigned calls that may count as evidence.

    Of a task whose prompt was edited these are the calls from the edit on; a call of it without a time is left out.
    """
    edits = tasks.tasks.select("task_id", "edited_on")
    times = tasks.calls.calls.select("call_id", "started_at")
    return (
        tasks.assignments.drop_nulls("task_id")
        .select("call_id", "task_id", "unit_id")
        .join(edits, on="task_id", how="left", maintain_order="left")
        .join(times, on="call_id", how="left", maintain_order="left")
        .filter(pl.col("edited_on").is_null() | (pl.col("started_at") >= pl.col("edited_on")).fill_null(value=False))
        .select("call_id", "task_id", "unit_id")
    )
