"""The tables of a back-test: each promised task and each promised agreement beside what later calls show."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables import ACTIONS, EVIDENCE_WORDS


class TasksLaterTable(dy.Schema):
    """One row a task. Money and calls in 30 days; null: that side carries no month, or the task is not on it."""

    task_id = dy.String(primary_key=True)
    name = dy.String()
    status = dy.String(check=lambda c: c.is_in(("recurs", "gone", "new")))
    promised_calls = dy.Int64()  # calls before the day
    seen_calls = dy.Int64()  # calls from it on
    promised_calls_month = dy.Float64(nullable=True)
    seen_calls_month = dy.Float64(nullable=True)
    promised_month_nusd = dy.Int64(nullable=True)
    seen_month_nusd = dy.Int64(nullable=True)
    evidence = dy.String(nullable=True, check=lambda c: c.is_in(EVIDENCE_WORDS))
    seen_evidence = dy.String(nullable=True, check=lambda c: c.is_in(EVIDENCE_WORDS))  # by the later calls alone
    action = dy.String(nullable=True, check=lambda c: c.is_in(ACTIONS))
    in_plan = dy.Bool()
    saving_p10_nusd = dy.Int64(nullable=True)  # of the promised action
    saving_p50_nusd = dy.Int64(nullable=True)
    saving_p90_nusd = dy.Int64(nullable=True)
    seen_saving_p50_nusd = dy.Int64(nullable=True)  # of the same action, valued on the later calls alone


class ProbesLaterTable(dy.Schema):
    """One row an agreement that a promise rested on."""

    task_id = dy.String()
    source = dy.String(check=lambda c: c.is_in(("student", "program")))
    what = dy.String()  # the answer, or a field of it
    promised = dy.Float64(min=0, max=1)
    promised_lo90 = dy.Float64(min=0, max=1)
    promised_hi90 = dy.Float64(min=0, max=1)
    seen = dy.Float64(nullable=True, min=0, max=1)  # trained before the day, graded from it on; null: not measured
    seen_lo90 = dy.Float64(nullable=True, min=0, max=1)
    seen_hi90 = dy.Float64(nullable=True, min=0, max=1)
    seen_calls = dy.Int64()
    held = dy.Bool(nullable=True)  # the later agreement may be as high as the promised lower end
