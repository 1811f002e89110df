"""Slot text: what of a prompt is left when its skeleton is taken away."""

from __future__ import annotations

import polars as pl

from slmlens.results import Tasks


def slot_texts(tasks: Tasks, call_ids: pl.Series) -> pl.DataFrame:
    """Return ``call_id, slot_text`` for the named calls (placeholder numbers of redaction left out: ``<EMAIL>``)."""
    text = tasks.calls.messages.select("message_id", "text")
    return (
        tasks.calls.calls.filter(pl.col("call_id").is_in(call_ids.implode()))
        .select("call_id", pl.col("message_ids").list.last().alias("message_id"))
        .join(text, on="message_id", how="left")
        .select("call_id", pl.col("text").fill_null("").str.replace_all(r"<([A-Z_]+):[A-Z2-7]+>", "<$1>").alias("slot_text"))
    )
