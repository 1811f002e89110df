"""Tasks built straight from request/response pairs, without reading or discovery: one task unless told otherwise."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.util
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from slmlens.results import Calls, Tasks
from slmlens.suitability.answers import Answer
from slmlens.suitability.observe import Observed
from slmlens.tables import (
    AssignmentsTable,
    CallsTable,
    FilesTable,
    ItemsTable,
    MessagesTable,
    RejectsTable,
    TasksTable,
    checked,
)

Row = dict[str, Any]
MAKERS = [
    "sparse_calendar",
    "coin_flip",
    "planted_rule",
    "self_disagreement",
    "personal_data",
    "near_duplicates",
    "hostile_text",
    "coin_flip_repeats",
    "rare_label",
    "planted_format",
    "rare_and_batch",
    "prompt_edited",
]


def trap_maker(shared: Path) -> ModuleType:
    """The module that writes logs with known truth."""
    spec = importlib.util.spec_from_file_location("make_traps", shared / "bench" / "make_traps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trap(maker: ModuleType, name: str, seed: int, *args: int) -> tuple[list[Row], Row]:
    """The rows and the truth of one trap, in time order."""
    number = MAKERS.index(name) if name in MAKERS else len(MAKERS)
    rows, truth = getattr(maker, name)(random.Random(seed * 1000 + number), *args)
    if "gold" not in truth:
        rows.sort(key=lambda row: row["timestamp"])
    for i, row in enumerate(rows):
        row["response"]["id"] = f"chatcmpl-{name}-{i:06d}"
    return rows, truth


def pair(
    i: int, prompt: str, answer: object, session: str | None, *, system: str = "Do the step.", day: float | None = None
) -> Row:
    """One request/response pair; ``day`` is its time in days, None: the log has no time."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    row: Row = {
        "request": {"messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}]},
        "response": {
            "id": f"id-{i:06d}",
            "model": "gpt-4o",
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 8},
        },
        "session_id": session,
    }
    if day is not None:
        start = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
        row["timestamp"] = (start + dt.timedelta(days=day)).isoformat()
    return row


def tasks_of(
    rows: Sequence[Row], task_of: Callable[[int, Row], str] = lambda _i, _row: "task", key: str = "k"
) -> Tasks:
    """The rows as ``Tasks``; sessions are recurrence units, and ``key`` salts the hashes of sessions and prompts."""
    texts: dict[str, tuple[str, str]] = {}

    def message(role: str, content: object) -> str:
        text = content if isinstance(content, str) else "" if content is None else json.dumps(content)
        text = text.encode(errors="replace").decode()  # the reader has no lone surrogates either
        name = _hash(role, text)
        texts[name] = (role, text)
        return name

    calls, assignments = [], []
    for i, row in enumerate(rows):
        prompt = [message(m["role"], m.get("content")) for m in row["request"]["messages"]]
        answer = row["response"]["choices"][0]["message"]
        usage = row["response"].get("usage", {})
        session = _hash(key, row["session_id"]) if row.get("session_id") else None
        call: Row = {
            "call_id": row["response"]["id"],
            "source_file": "trap.jsonl",
            "source_line": i + 1,
            "format": "openai",
            "session_id": session,
            "started_at": _time(row.get("timestamp")),
            "model": row["response"]["model"],
            "message_ids": prompt,
            "answer_id": message("assistant", answer.get("content")),
            "prompt_key": _hash(key, *prompt),
            "tool_calls": [call["function"] for call in answer.get("tool_calls", [])],
            "input_tokens": usage.get("prompt_tokens"),
            "output_tokens": usage.get("completion_tokens"),
            "tokens_estimated": False,
            "batch": False,
            "billing": "metered",
            "model_assumed": False,
            "status": row.get("status", "ok"),
        }
        calls.append(call)
        unit = session or _hash(*prompt)
        place = {"task_id": task_of(i, row), "strength": 1.0, "rule": "prompt_only", "unit_id": unit}
        assignments.append({"call_id": call["call_id"], **place})
    messages = [
        {"message_id": name, "role": role, "text": text, "n_chars": len(text), "n_calls": 1}
        for name, (role, text) in texts.items()
    ]
    rejects, files = frame(RejectsTable, []), frame(FilesTable, [])
    frames = Calls(frame(CallsTable, calls), frame(MessagesTable, messages), rejects, files, pl.DataFrame())
    assigned = frame(AssignmentsTable, assignments)
    return Tasks(frames, frame(ItemsTable, []), frame(TasksTable, _task_rows(assigned)), assigned)


def _task_rows(assigned: pl.DataFrame) -> list[Row]:
    counted = assigned.group_by("task_id").agg(calls=pl.len(), units=pl.col("unit_id").n_unique())
    return [
        {
            "task_id": task_id,
            "name": task_id,
            "application": "app",
            "call_site": task_id,
            "recurrence_unit": "session",
            "n_calls": calls,
            "n_units": units,
            "n_subjects": units,
            "form": "text",
            "skeleton": "",
        }
        for task_id, calls, units in counted.iter_rows()
    ]


def frame(schema: Any, rows: list[Row]) -> pl.DataFrame:
    """The rows as a checked table; a missing list column is empty, any other missing column null."""
    types = {name: column.dtype for name, column in schema.columns().items()}
    blank = {name: [] if isinstance(dtype, pl.List) else None for name, dtype in types.items()}
    filled = [blank | row for row in rows]
    return checked(schema, pl.DataFrame(filled, schema=types))


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\x00".join(parts).encode(), digest_size=8).hexdigest()


def _time(stamp: str | None) -> dt.datetime | None:
    if stamp is None:
        return None
    moment = dt.datetime.fromisoformat(stamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def labelled_task(sizes: Sequence[int], labels: Sequence[str]) -> Observed:
    """What a log shows of a task of sessions with so many calls each, in time order, answered by these labels."""
    sessions = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    return Observed(
        task_id="t",
        call_ids=[f"c{i}" for i in range(len(labels))],
        answers=[Answer("text", {"": label}) for label in labels],
        units=sessions,
        sessions=sessions,
        prompts=np.arange(len(labels)),
        texts=list(labels),
        slots=list(labels),
        whole=np.ones(len(labels), dtype=np.bool_),
        unit_names=[str(one) for one in sessions],
        site="s",
        time_ordered=True,
    )
