"""Small worlds for the tests of spend and savings: calls, tasks and verdicts by hand, in the declared schemas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import dataframely as dy
import numpy as np
import polars as pl

from slmlens.results import Calls, Tasks, Verdicts
from slmlens.tables import (
    AssignmentsTable,
    AssumptionsTable,
    CallsTable,
    EvidenceTable,
    FilesTable,
    ItemsTable,
    MessagesTable,
    RejectsTable,
    TasksTable,
    VerdictsTable,
    checked,
)

TODAY = dt.date(2026, 11, 22)
START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
FAULTLESS = {"wrong_retries": 0, "person_hour_usd": 0}
"""Assumptions under which wrong answers cost nothing: for tests of the rest of the money."""

_CALL = {
    "source_file": "log.jsonl",
    "source_line": 1,
    "format": "openai",
    "provider": "openai",
    "model": "gpt-4.1",
    "message_ids": ["m-system"],
    "tool_names_offered": [],
    "tool_calls": [],
    "input_tokens": 900,
    "cached_tokens": 0,
    "output_tokens": 120,
    "tokens_estimated": False,
    "batch": False,
    "billing": "metered",
    "model_assumed": False,
    "status": "ok",
    "human_facing": True,
    "tags": [],
}
_VERDICT = {
    "output_kind": "json",
    "weak_comparator": False,
    "n_ok": 1000,
    "signals": [],
    "failures": [],
    "ceiling_n": 0,
    "constant": 0.3,
    "a_needed": 0.95,
    "a_needed_at": [0.95],
    "learnable": True,
    "repeat_share": 0.0,
    "grade": "C",
    "evidence": "likely",
    "time_ordered": True,
    "reasons": [],
}


def filled(schema: type[dy.Schema], rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Return the rows as the schema's table; a list column that a row leaves out is empty, any other null."""
    dtypes = schema.create_empty().schema
    plain = {name: [] for name, dtype in dtypes.items() if isinstance(dtype, pl.List)}
    return checked(schema, pl.DataFrame([{**plain, **row} for row in rows], schema=dtypes))


def calls_frame(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Return ``CallsTable``; what a row leaves out has a plain default."""
    full = [{"call_id": f"c{at:06d}", **_CALL, **row} for at, row in enumerate(rows)]
    return filled(CallsTable, full)


def steady(n: int, days: float, **facts: object) -> list[dict[str, object]]:
    """Return n calls spread evenly over so many days from START."""
    return [{"started_at": START + dt.timedelta(days=days * at / n), **facts} for at in range(n)]


def assignments_frame(calls: pl.DataFrame, task_ids: Sequence[str | None]) -> pl.DataFrame:
    """Return ``AssignmentsTable``."""
    frame = calls.select("call_id").with_columns(
        pl.Series("task_id", task_ids, pl.String), strength=1.0, rule=pl.lit("prompt_only"), unit_id=pl.col("call_id")
    )
    return checked(AssignmentsTable, frame)


def parity(share: float, slm: str = "Qwen3-8B") -> dict[str, object]:
    """Return a mode's posterior of A in which a share of the mass lies at or above 0.95."""
    below = max(0, round(100 * (1 - share)))
    quantiles = [*np.linspace(0.4, 0.94, below).tolist(), *np.linspace(0.95, 0.999, 101 - below).tolist()]
    return {
        "slm": slm,
        "a_p50": quantiles[50],
        "a_lo90": quantiles[5],
        "a_hi90": quantiles[95],
        "a_lo80": quantiles[10],
        "a_hi80": quantiles[90],
        "p_parity": share,
        "quantiles": quantiles,
    }


def verdicts_of(
    tasks: Mapping[str, Sequence[Mapping[str, object]]],
    facts: Mapping[str, Mapping[str, object]] | None = None,
    *,
    sampling_rate: float = 1.0,
    unassigned: Sequence[Mapping[str, object]] = (),
) -> Verdicts:
    """Return priced verdicts over tasks given as rows of calls.

    :param facts: Columns of ``VerdictsTable`` by task; default: likely, with P(parity) 0.5 as is and 0.9 tuned.
    """
    from slmlens.spend.price import price_calls

    rows = [row for calls in tasks.values() for row in calls] + list(unassigned)
    ids: list[str | None] = [task for task, calls in tasks.items() for _ in calls]
    calls = price_calls(calls_frame(rows), today=TODAY)
    placed = assignments_frame(calls, ids + [None] * len(unassigned))
    messages = pl.DataFrame(
        [{"message_id": "m-system", "role": "system", "text": "x", "n_chars": 8000, "n_calls": len(rows)}]
    )
    read = Calls(
        calls=calls,
        messages=checked(MessagesTable, messages),
        rejects=RejectsTable.create_empty(),
        files=FilesTable.create_empty(),
        duplicates=pl.DataFrame(schema={"call_id": pl.String, "file": pl.String, "line": pl.Int64}),
        sampling_rate=sampling_rate,
    )
    found = Tasks(read, ItemsTable.create_empty(), _tasks_frame(tasks), placed)
    verdicts = [
        {"task_id": task, "swap": parity(0.5), "tuned": parity(0.9), **_VERDICT, **(facts or {}).get(task, {})}
        for task in tasks
    ]
    return Verdicts(
        tasks=found,
        verdicts=filled(VerdictsTable, verdicts),
        evidence=EvidenceTable.create_empty(),
        false_green=None,
        assumptions=AssumptionsTable.create_empty(),
    )


def _tasks_frame(tasks: Mapping[str, Sequence[Mapping[str, object]]]) -> pl.DataFrame:
    rows = [
        {
            "task_id": task,
            "name": task,
            "application": "app",
            "call_site": task,
            "step_names": [],
            "recurrence_unit": "session",
            "n_calls": len(calls),
            "n_units": len(calls),
            "n_subjects": len(calls),
            "form": "json",
            "skeleton": "Classify",
            "anchor": [],
        }
        for task, calls in tasks.items()
    ]
    return filled(TasksTable, rows)
