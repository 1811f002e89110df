"""Prints of prompts: what a decision knows a call by, the same in every run and telling nothing of the text."""

from __future__ import annotations

import polars as pl

from slmlens.results import Calls
from slmlens.tasks.prompts import prompt_parts
from slmlens.tasks.shingles import PLACEHOLDER, stable_hash


def call_prints(calls: Calls, call_ids: pl.Series | None = None) -> pl.DataFrame:
    """Return ``call_id, prompt_print`` of the named calls, or of all.

    A print is a hash of the system messages, the tools on offer and the first and the last message, blind to redacted
    values: equal prompts have one print. A call without a logged prompt has the print of its id.
    """
    asked = calls.calls if call_ids is None else calls.calls.join(call_ids.to_frame("call_id"), on="call_id")
    parts = prompt_parts(asked, calls.messages)
    used = pl.concat([parts.select(pl.col("system").explode()), *(parts.select(system=n) for n in ("first", "last"))])
    texts = calls.messages.join(used.unique(), left_on="message_id", right_on="system", how="semi").select(
        "message_id", text=pl.col("text").fill_null("").str.replace_all(PLACEHOLDER, "<$1>")
    )
    known = {message_id: f"{stable_hash(text):016x}" for message_id, text in texts.rows()}
    tools = asked.select("call_id", pl.col("tool_names_offered").list.unique().list.sort().alias("tools"))
    rows = tools.join(parts, on="call_id", how="left", maintain_order="left").rows(named=True)
    prints = []
    for row in rows:
        ids = [*(row["system"] or []), "", row["first"], row["last"]]
        spoken = [known.get(i, "") for i in ids if i is not None]
        key = ["prompt", *spoken, *(row["tools"] or [])] if any(spoken) else ["call", row["call_id"]]
        prints.append(f"{stable_hash(chr(31).join(key)):016x}")
    return tools.select("call_id").with_columns(prompt_print=pl.Series(prints, dtype=pl.String))
