"""Small logs made by hand, read by the real reader."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

import slmlens as sl

Record = dict[str, Any]


def pair(i: int, system: str, user: str, session: str | None = None, **envelope: object) -> Record:
    """One request/response pair, answered "ok"."""
    messages = ([{"role": "system", "content": system}] if system else []) + [{"role": "user", "content": user}]
    record: Record = {
        "request": {"model": "gpt-4o", "messages": messages},
        "response": {
            "id": f"chatcmpl-{i:05d}",
            "object": "chat.completion",
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        },
        **envelope,
    }
    if session is not None:
        record["session_id"] = session
    return record


def answer(record: Record, text: str) -> None:
    """Give a record another answer."""
    record["response"]["choices"][0]["message"]["content"] = text


def log(folder: Path, records: Iterable[Record], name: str = "log.jsonl") -> Path:
    """Write records as a log file."""
    path = folder / name
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def tasks_of(folder: Path, records: Iterable[Record]) -> sl.Tasks:
    """Read the records and find their tasks."""
    return sl.discover_tasks(sl.read_logs(log(folder, records)))


def spend_share(tasks: sl.Tasks) -> float:
    """Share of the priced spend that lies in tasks."""
    priced = tasks.assignments.join(tasks.calls.calls.select("call_id", "spend_nusd"), on="call_id")
    inside = priced.filter(pl.col("task_id").is_not_null()).get_column("spend_nusd").sum()
    return inside / priced.get_column("spend_nusd").sum()


def agreement(tasks: sl.Tasks, gold: dict[str, str]) -> float:
    """Adjusted mutual information with the gold tasks; an unassigned call is a task of its own."""
    from sklearn.metrics import adjusted_mutual_info_score

    found = {c: t or f"none {c}" for c, t in tasks.assignments.select("call_id", "task_id").rows()}
    calls = sorted(gold)
    return adjusted_mutual_info_score([gold[c] for c in calls], [found[c] for c in calls])
