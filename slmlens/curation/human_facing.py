"""Marks the calls whose answer a person reads, from the trace's shape; where that says nothing, it stays unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import SettingError
from slmlens.tables import CallsTable, checked

if TYPE_CHECKING:
    from slmlens.results import Calls

Overrides = Mapping[str, bool] | Path
"""Names of steps or services, and whether a person reads their answers; or a YAML file of them."""

NO_ANSWER = "no answer was logged"
CALLS_TOOL = "the answer calls a tool: code reads it"
SCHEMA = "the request asks for a schema: code reads the answer"
JSON = "the answer is JSON: code reads it"
REPLIED = "a later call of the session holds a user's reply to it"
TEMPLATED = "a reply follows, but it begins like many others: code may have written it"
LABEL = "a short answer that recurs in many sessions: code reads it"
SAID_SO = "the settings say so for this step or service"
SILENT = "nothing in the trace tells who reads it"

_JSON_FORM = r"^\s*(?:```(?:json)?\s*)?[\[{][\s\S]*[\]}]\s*(?:```)?\s*$"
_OPENING_CHARS = 12
_TEMPLATE_SHARE = 0.2  # judgement: of people's replies no opening has a fifth
_TEMPLATE_MIN = 10
_LABEL_WORDS = 3
_LABEL_SESSIONS = 20  # judgement: a sentence meant for a person varies sooner


def mark_human_facing(calls: Calls, overrides: Overrides | None = None) -> Calls:
    """Return the calls with ``human_facing`` (true, false or null = unknown) and ``human_facing_reason`` filled.

    False: a tool call, JSON or a recurring label, which code reads. True: plain text that a user's message answers
    later in the session, unless these replies begin alike, as observations of an agent loop do. Else null.

    :param calls: The calls of a log, redacted.
    :param overrides: What the user knows better; a step wins over its service.
    :raises SettingError: If the overrides are no mapping of names to true or false.
    """
    known = read_overrides(overrides)
    seen = (
        calls.calls.select("call_id", "session_id", "answer_id", "status", "tool_calls", "response_schema")
        .join(calls.messages.select(pl.col("message_id").alias("answer_id"), "text"), on="answer_id", how="left")
        .join(_replies(calls), on=["session_id", "answer_id"], how="left", nulls_equal=True)
        .join(_labels(calls), on="answer_id", how="left")
        .with_columns(_reason().alias("human_facing_reason"))
        .select("call_id", "human_facing_reason")
    )
    read_by_person = {REPLIED: True, CALLS_TOOL: False, SCHEMA: False, JSON: False, LABEL: False}
    marked = (
        calls.calls.drop("human_facing", "human_facing_reason")
        .join(seen, on="call_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("human_facing_reason")
            .replace_strict(read_by_person, default=None, return_dtype=pl.Boolean)
            .alias("human_facing")
        )
    )
    return replace(calls, calls=checked(CallsTable, _overruled(marked, known) if known else marked))


def read_overrides(overrides: Overrides | None) -> dict[str, bool]:
    """Return the overrides as a plain mapping.

    :raises SettingError: If the file can't be read, or holds anything but names with true or false.
    """
    loaded: object = overrides or {}
    where = "human_facing"
    if isinstance(overrides, Path):
        import yaml

        where = overrides.name
        try:
            loaded = yaml.safe_load(overrides.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
            raise SettingError(
                "the file can't be read as YAML", where=where, next_step="write one line a step: `triage: false`"
            ) from cause
    if not isinstance(loaded, Mapping) or not all(isinstance(value, bool) for value in loaded.values()):
        raise SettingError(
            "who reads an answer must be true (a person) or false (code)",
            where=where,
            next_step="write one line a step or service: `triage: false`",
        )
    return {str(name): value for name, value in loaded.items()}


def _overruled(marked: pl.DataFrame, known: Mapping[str, bool]) -> pl.DataFrame:
    said = pl.coalesce(
        *[
            pl.col(name).replace_strict(dict(known), default=None, return_dtype=pl.Boolean)
            for name in ("step", "service")
        ]
    )
    return marked.with_columns(
        human_facing=pl.coalesce(said, "human_facing"),
        human_facing_reason=pl.when(said.is_not_null()).then(pl.lit(SAID_SO)).otherwise("human_facing_reason"),
    )


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("answer_id").is_null() | (pl.col("status") == "error"))
        .then(pl.lit(NO_ANSWER))
        .when(pl.col("tool_calls").list.len() > 0)
        .then(pl.lit(CALLS_TOOL))
        .when(pl.col("response_schema").is_not_null())
        .then(pl.lit(SCHEMA))
        .when(pl.col("text").str.contains(_JSON_FORM))
        .then(pl.lit(JSON))
        .when(pl.col("templated"))
        .then(pl.lit(TEMPLATED))
        .when(pl.col("templated").not_())
        .then(pl.lit(REPLIED))
        .when(pl.col("is_label"))
        .then(pl.lit(LABEL))
        .otherwise(pl.lit(SILENT))
    )


def _replies(calls: Calls) -> pl.DataFrame:
    """Return ``session_id, answer_id, templated``: the answers that a user's message follows in a later prompt."""
    texts = calls.messages.select("message_id", "role", "text")
    followed = (
        calls.calls.select("call_id", "session_id", "message_ids")
        .drop_nulls("message_ids")
        .explode("message_ids", empty_as_null=False)
        .rename({"message_ids": "answer_id"})
        .with_columns(
            pl.col("answer_id").shift(-1).alias("message_id"),
            (pl.col("call_id") == pl.col("call_id").shift(-1)).alias("same_call"),
        )
        .filter(pl.col("same_call"))
        .select("session_id", "answer_id", "message_id")
        .unique()
        .join(texts.filter(pl.col("role") == "user").drop("role"), on="message_id")
        .join(calls.calls.select("answer_id").drop_nulls().unique(), on="answer_id", how="semi")
        .with_columns(pl.col("text").str.slice(0, _OPENING_CHARS).alias("opening"))
    )
    distinct = followed.unique("message_id")
    openings = (
        distinct.group_by("opening")
        .agg(pl.len().alias("n"))
        .select(
            "opening",
            ((pl.col("n") >= _TEMPLATE_MIN) & (pl.col("n") >= _TEMPLATE_SHARE * distinct.height)).alias("templated"),
        )
    )
    return (
        followed.drop_nulls("text")
        .join(openings, on="opening")
        .group_by("session_id", "answer_id")
        .agg(pl.col("templated").all())
    )


def _labels(calls: Calls) -> pl.DataFrame:
    """Return ``answer_id, is_label``: answers of few words that recur, byte for byte, in many sessions."""
    short = calls.messages.filter(pl.col("text").str.count_matches(r"\S+") <= _LABEL_WORDS)
    return (
        calls.calls.join(short.select(pl.col("message_id").alias("answer_id")), on="answer_id", how="semi")
        .group_by("answer_id")
        .agg(pl.coalesce("session_id", "call_id").n_unique().alias("n"))
        .select("answer_id", (pl.col("n") >= _LABEL_SESSIONS).alias("is_label"))
    )
