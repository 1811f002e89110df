"""The form of an answer: its kind, its keys and the tool it calls; never its value."""

from __future__ import annotations

import re

import orjson
import polars as pl

from slmlens.results import Calls

MAX_KEYS = 12
_SHORT_WORDS = 6
_FENCE = re.compile(r"^\s*```(\w*)\s*\n(.*?)\n?```\s*$", re.DOTALL)


def answer_forms(calls: Calls) -> pl.DataFrame:
    """Return ``call_id, form`` for every call.

    A form reads ``JSON: key, key``, ``list``, ``code``, ``number``, ``short text``, ``text``, ``call NAME``, or
    ``no answer``; null never occurs.
    """
    answered = calls.calls.select(
        "call_id",
        "answer_id",
        pl.col("tool_calls").list.eval(pl.element().struct.field("name")).list.unique().list.sort().alias("tools"),
    ).join(
        calls.messages.select(answer_id="message_id", text="text"), on="answer_id", how="left", maintain_order="left"
    )
    distinct = answered.filter(pl.col("answer_id").is_not_null()).unique("answer_id").select("answer_id", "text")
    forms = distinct.with_columns(
        text_form=pl.Series([form_of(text) for text in distinct.get_column("text").to_list()], dtype=pl.String)
    )
    return (
        answered.join(forms.select("answer_id", "text_form"), on="answer_id", how="left", maintain_order="left")
        .with_columns(
            form=pl.when(pl.col("tools").list.len() > 0)
            .then(pl.lit("call ") + pl.col("tools").list.join(" + "))
            .otherwise(pl.col("text_form").fill_null("no answer"))
        )
        .select("call_id", "form")
    )


def form_of(text: str | None) -> str:
    """Return the form of one answer text."""
    if text is None or not text.strip():
        return "no answer"
    body = text.strip()
    fenced = _FENCE.match(body)
    if fenced and fenced.group(1).lower() not in ("json", ""):
        return "code"
    if fenced:
        body = fenced.group(2).strip()
    return _json_form(body) or _plain_form(body, fenced=fenced is not None)


def kind_of(form: str) -> str:
    """Return a form without the names in it: keys and tools may be told only if enough subjects share them."""
    if form.startswith("JSON: "):
        return "JSON"
    return "tool call" if form.startswith("call ") else form


def _json_form(body: str) -> str | None:
    if body[:1] not in "{[":
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(value, dict):
        keys = sorted(value)
        return "JSON: " + ", ".join(keys[:MAX_KEYS]) + (", …" if len(keys) > MAX_KEYS else "")
    return "list"


def _plain_form(body: str, *, fenced: bool) -> str:
    if fenced:
        return "code"
    if re.fullmatch(r"[-+]?[\d.,]+\s?%?", body):
        return "number"
    return "short text" if len(body.split()) <= _SHORT_WORDS else "text"
