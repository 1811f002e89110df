"""Drafts of calls and distinct messages as the tables of :mod:`slmlens.tables`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from slmlens.logs.draft import Draft
from slmlens.logs.messages import MessageStore
from slmlens.logs.tokens import estimate_tokens
from slmlens.tables import CallsTable, MessagesTable, checked

_AS_DRAFTED: dict[str, pl.DataType | type[pl.DataType]] = {
    "format": pl.String,
    "billing": pl.String,
    "step": pl.String,
    "service": pl.String,
    "latency_ms": pl.Float64,
    "ttft_ms": pl.Float64,
    "provider": pl.String,
    "model": pl.String,
    "model_requested": pl.String,
    "prompt_key": pl.String,
    "response_schema": pl.String,
    "finish_reason": pl.String,
    "input_tokens": pl.Int64,
    "cached_tokens": pl.Int64,
    "cache_write_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "reasoning_tokens": pl.Int64,
    "batch": pl.Boolean,
    "logged_nusd": pl.Int64,
    "status": pl.String,
}
_RENAMED = {
    "session_id": "session",
    "user_id": "user",
    "trace_id": "trace",
    "parent_id": "parent",
}
_CALL_FIELDS = ("name", "arguments")


def calls_frame(calls: Sequence[tuple[str, Draft]], messages: MessageStore, files: Sequence[str]) -> pl.DataFrame:
    """Return ``CallsTable``, sorted by (start, id), calls without a time last. Spend columns are null.

    :param calls: The calls and their ids.
    :param messages: The messages they refer to.
    :param files: Names of the files by number.
    """
    drafts = [draft for _, draft in calls]
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, [getattr(draft, name) for draft in drafts], kind) for name, kind in _AS_DRAFTED.items()
    }
    for name, drafted in _RENAMED.items():
        columns[name] = pl.Series(name, [getattr(draft, drafted) for draft in drafts], pl.String)
    started = pl.Series("started_at", [draft.started_us for draft in drafts], pl.Int64)
    prompts, prompt_bytes = _prompts(drafts, messages)
    frame = pl.DataFrame(
        [
            pl.Series("call_id", [call_id for call_id, _ in calls], pl.String),
            pl.Series("source_file", [files[draft.place.file] for draft in drafts], pl.String),
            pl.Series("source_line", [draft.place.line for draft in drafts], pl.Int64),
            started.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            prompts,
            _answers(drafts, messages),
            _word_lists("tool_names_offered", [draft.tool_names for draft in drafts]),
            _tool_calls(drafts),
            _word_lists("tags", [draft.tags for draft in drafts]),
            prompt_bytes,
            _answer_bytes(drafts, messages),
            *columns.values(),
        ]
    )
    unpriced = [
        pl.lit(None, pl.Int64).alias("spend_nusd"),
        pl.lit(None, pl.Int64).alias("runrate_nusd"),
        pl.lit(None, pl.String).alias("price_source"),
        pl.lit(None, pl.Float64).alias("committed_share"),
        pl.lit(None, pl.Date).alias("committed_until"),
        pl.lit(value=False).alias("model_assumed"),
        pl.lit(None, pl.String).alias("corrected"),
        pl.lit(None, pl.String).alias("corrected_reason"),
        pl.lit(None, pl.Boolean).alias("human_facing"),
        pl.lit(None, pl.String).alias("human_facing_reason"),
    ]
    filled = estimate_tokens(frame).with_columns(unpriced).drop("prompt_bytes", "answer_bytes")
    return checked(CallsTable, filled.sort("started_at", "call_id", nulls_last=True))


def messages_frame(calls: pl.DataFrame, messages: MessageStore) -> pl.DataFrame:
    """Return ``MessagesTable``: the messages that calls refer to, sorted by id.

    :param calls: ``CallsTable``.
    :param messages: The messages read.
    """
    used = pl.concat(
        [
            calls.select("call_id", pl.col("message_ids").alias("message_id")).explode("message_id"),
            calls.select("call_id", pl.col("answer_id").alias("message_id")),
        ]
    )
    counts = used.drop_nulls().unique().group_by("message_id").agg(pl.len().cast(pl.Int64).alias("n_calls"))
    stored = pl.DataFrame(
        {
            "message_id": pl.Series(messages.ids, dtype=pl.String),
            "role": pl.Series(messages.roles, dtype=pl.String),
            "text": pl.Series(messages.texts, dtype=pl.String),
            "n_chars": pl.Series(messages.lengths, dtype=pl.Int64),
        }
    )
    return checked(MessagesTable, stored.join(counts, on="message_id").sort("message_id"))


def _prompts(drafts: Sequence[Draft], messages: MessageStore) -> tuple[pl.Series, pl.Series]:
    """Return the prompts as lists of ids, and their sizes in bytes, without a Python list of ids per call."""
    logged = np.array([draft.prompt is not None for draft in drafts], dtype=bool)
    lengths = np.array([len(draft.prompt or ()) for draft in drafts], dtype=np.int64)
    flat = np.fromiter((n for draft in drafts for n in draft.prompt or ()), dtype=np.int64, count=int(lengths.sum()))
    owner = np.repeat(np.arange(len(drafts)), lengths)
    sizes = np.bincount(owner, weights=np.asarray(messages.sizes, dtype=np.float64)[flat], minlength=len(drafts))
    sizes = sizes.astype(np.int64) + np.array([draft.tool_bytes for draft in drafts], dtype=np.int64)
    rows = np.asarray(messages.row_of, dtype=np.int64)[flat]
    ids = pl.Series("message_ids", messages.ids, dtype=pl.String).gather(rows)
    lists = pl.DataFrame({"owner": owner, "message_ids": ids}).group_by("owner", maintain_order=True).agg("message_ids")
    every = pl.DataFrame({"owner": np.arange(len(drafts)), "logged": logged, "size": sizes}).with_columns(
        pl.when("logged").then("size").alias("prompt_bytes")
    )
    joined = every.join(lists, on="owner", how="left", maintain_order="left")
    return joined.get_column("message_ids"), joined.get_column("prompt_bytes")


def _word_lists(name: str, rows: list[list[str]]) -> pl.Series:
    """Return lists of words as a column: few are distinct, and polars makes a series of each list it is given."""
    places: dict[tuple[str, ...], int] = {}
    picked = [places.setdefault(tuple(words), len(places)) for words in rows]
    distinct = pl.Series(name, [list(words) for words in places], dtype=pl.List(pl.String))
    return distinct.gather(picked) if picked else distinct


def _tool_calls(drafts: Sequence[Draft]) -> pl.Series:
    owners = [number for number, draft in enumerate(drafts) for _ in draft.tool_calls]
    columns = {field: [call[field] for draft in drafts for call in draft.tool_calls] for field in _CALL_FIELDS}
    flat = pl.DataFrame(
        {"owner": owners, **columns}, schema={"owner": pl.Int64, **dict.fromkeys(_CALL_FIELDS, pl.String)}
    )
    lists = flat.group_by("owner", maintain_order=True).agg(pl.struct(_CALL_FIELDS).alias("tool_calls"))
    every = pl.DataFrame({"owner": range(len(drafts))}, schema={"owner": pl.Int64})
    joined = every.join(lists, on="owner", how="left", maintain_order="left")
    return joined.get_column("tool_calls").fill_null([])


def _answers(drafts: Sequence[Draft], messages: MessageStore) -> pl.Series:
    ids = [None if draft.answer is None else messages.ids[messages.row_of[draft.answer]] for draft in drafts]
    return pl.Series("answer_id", ids, pl.String)


def _answer_bytes(drafts: Sequence[Draft], messages: MessageStore) -> pl.Series:
    sizes = [None if draft.answer is None else messages.sizes[draft.answer] for draft in drafts]
    return pl.Series("answer_bytes", sizes, pl.Int64)
