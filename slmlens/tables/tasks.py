"""What was found: items, tasks, which call is in which, what people decided, and what became of earlier tasks."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables.words import ACTIONS, DECISION_KINDS, DECISION_STATUSES, LINEAGE_CHANGES, RECURRENCE_UNITS, RULES


class ItemsTable(dy.Schema):
    """One row a distinct (skeleton, form, slot sketch): what is clustered, weighted by calls."""

    item_id = dy.String(primary_key=True)
    application = dy.String()
    call_site = dy.String()
    skeleton_id = dy.String()
    slot_sketch = dy.List(dy.UInt64())
    form = dy.String()  # answer kind, sorted keys, "+tool" where it calls one
    n_calls = dy.Int64()
    n_units = dy.Int64()
    vector_row = dy.Int64(nullable=True)


class TasksTable(dy.Schema):
    """One row a task."""

    task_id = dy.String(primary_key=True)
    name = dy.String()  # k-anonymous
    application = dy.String()
    call_site = dy.String()
    step_names = dy.List(dy.String())
    recurrence_unit = dy.String(check=lambda c: c.is_in(RECURRENCE_UNITS))
    n_calls = dy.Int64()
    n_units = dy.Int64()
    n_subjects = dy.Int64()  # users where logged, else recurrence units
    steps_per_session = dy.Float64(nullable=True)  # null: no sessions in the log
    form = dy.String()  # the commonest answer form
    skeleton = dy.String()  # the recurring text with typed holes; k-anonymous
    stability = dy.Float64(nullable=True)  # share of co-members that are so in the log and in a half; null: few units
    edited_on = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC")  # last prompt edit seen
    anchor = dy.List(dy.String())  # hashes of the recurring phrases the id comes from
    phrases = dy.List(dy.UInt64())  # hashes of all recurring phrases: what of a prompt is skeleton and not slot


class AssignmentsTable(dy.Schema):
    """One row a call. ``task_id`` null = unassigned: a line with its dollars, never a task."""

    call_id = dy.String(primary_key=True)
    task_id = dy.String(nullable=True)
    strength = dy.Float64(nullable=True, min=0, max=1)
    rule = dy.String(nullable=True, check=lambda c: c.is_in(RULES))
    unit_id = dy.String(nullable=True)  # the recurrence unit the call counts for


class DecisionsTable(dy.Schema):
    """One row a decision of a person, in the order they are replayed, and what became of it in this log."""

    decision_id = dy.String(primary_key=True)
    kind = dy.String(check=lambda c: c.is_in(DECISION_KINDS))
    author = dy.String()
    decided_at = dy.Datetime(time_unit="us", time_zone="UTC")
    reason = dy.String()
    what = dy.String()  # in a sentence; holds what the person typed
    status = dy.String(check=lambda c: c.is_in(DECISION_STATUSES))
    next_step = dy.String(nullable=True)  # what to do about it, or what to know; null: nothing
    task_ids = dy.List(dy.String())  # tasks of this log that it shaped; empty unless applied
    action = dy.String(nullable=True, check=lambda c: c.is_in(ACTIONS))  # null: not an override
    earlier_run = dy.String(nullable=True)  # the run it was taken over from; null: decided in this one


class LineageTable(dy.Schema):
    """One row a task of this log or of the earlier run it was compared with, and what became of it."""

    change = dy.String(check=lambda c: c.is_in(LINEAGE_CHANGES))
    task_id = dy.String(nullable=True)  # null: the earlier task is gone
    name = dy.String(nullable=True)
    earlier_id = dy.String(nullable=True)  # null: the task is new
    earlier_name = dy.String(nullable=True)
    likeness = dy.Float64(nullable=True, min=0, max=1)  # Jaccard of members, or of phrases; null: none shared
    n_calls = dy.Int64()  # calls of this log that both hold; of a new task, its calls
