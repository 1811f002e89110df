"""Slot text: what of a prompt is left when its skeleton is taken away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from slmlens.results import Tasks
from slmlens.tasks.corpus import salted
from slmlens.tasks.prompts import PARTS, prompt_parts
from slmlens.tasks.shingles import I64, U64, WIDTH, windows, word_codes, word_lists

SLICE = 4_096
"""Texts looked at together: what bounds the memory, at 3,000 words a text."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def slot_texts(tasks: Tasks, call_ids: pl.Series) -> pl.DataFrame:
    """Return the words of the named calls' prompts that no phrase of their task fixes.

    Words are case folded; numbers are always kept, because skeletons are blind to them; redaction placeholders are
    reduced to their kind (``email``). An unassigned call keeps all its words.

    :returns: ``call_id``, ``slot_text`` (empty for a call without a prompt).
    """
    asked = call_ids.to_frame("call_id").join(
        tasks.assignments.select("call_id", "task_id"), on="call_id", how="left", maintain_order="left"
    )
    rows = _text_rows(tasks, asked)
    uses = rows.select("task", "part", "message_id").unique().sort("task", "part", "message_id", nulls_last=True)
    free = uses.with_columns(text=_free_text(tasks, uses))
    joined = (
        rows.join(free, on=["task", "part", "message_id"], how="left", nulls_equal=True)
        .sort("call_id", "part", "message_id")
        .group_by("call_id", maintain_order=True)
        .agg(slot_text=pl.col("text").filter(pl.col("text") != "").str.join("\n"))
    )
    return (
        asked.select("call_id")
        .join(joined, on="call_id", how="left", maintain_order="left")
        .with_columns(pl.col("slot_text").fill_null(""))
    )


def _text_rows(tasks: Tasks, asked: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, task, part, message_id``: the messages of the calls that can carry slots."""
    numbered = tasks.tasks.select("task_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("task"))
    parts = (
        prompt_parts(tasks.calls.calls.join(asked, on="call_id", how="semi"), tasks.calls.messages)
        .join(asked, on="call_id", how="left")
        .join(numbered, on="task_id", how="left")
    )
    system = parts.select(
        "call_id", "task", pl.lit(PARTS.index("system")).alias("part"), pl.col("system").alias("message_id")
    )
    singles = [
        parts.select("call_id", "task", pl.lit(PARTS.index(n)).alias("part"), pl.col(n).alias("message_id"))
        for n in ("first", "last")
    ]
    return pl.concat([system.explode("message_id"), *singles]).drop_nulls("message_id")


def _free_text(tasks: Tasks, uses: pl.DataFrame) -> pl.Series:
    """Return, for each (task, part, message), its words that no phrase of the task covers, joined by spaces."""
    phrases = _phrases(tasks)
    spoken = uses.join(
        tasks.calls.messages.select("message_id", "text"), on="message_id", how="left", maintain_order="left"
    )
    empty = pl.Series("word", [], dtype=pl.String)
    return pl.concat([empty, *(_free_words(phrases, some) for some in spoken.iter_slices(SLICE))])


def _free_words(phrases: U64, spoken: pl.DataFrame) -> pl.Series:
    """Return :func:`_free_text` of some texts; ``spoken``: ``task, part, text``."""
    words = word_lists(spoken.get_column("text"))
    lengths = words.list.len().to_numpy().astype(np.int64)
    flat = words.explode(keep_nulls=False, empty_as_null=False)
    row, hashes = windows(word_codes(flat), lengths)
    task = spoken.get_column("task").fill_null(-1).to_numpy()
    hits = _is_phrase(phrases, task[row], spoken.get_column("part").to_numpy()[row], hashes)
    marked = pl.DataFrame({"row": row, "word": flat, "fixed": _covered(hits, row)})
    free = marked.filter(~pl.col("fixed") | pl.col("word").str.contains(r"^[0-9]"))
    joined = free.group_by("row", maintain_order=True).agg(pl.col("word").str.join(" "))
    numbered = pl.DataFrame({"row": np.arange(spoken.height)})
    return numbered.join(joined, on="row", how="left", maintain_order="left").get_column("word").fill_null("")


def _phrases(tasks: Tasks) -> U64:
    """Return the sorted phrases of all skeletons, each keyed by its task."""
    owned = (
        tasks.tasks.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("task"), "phrases")
        .explode("phrases")
        .drop_nulls("phrases")
    )
    return np.sort(_keyed(owned.get_column("phrases").to_numpy(), owned.get_column("task").to_numpy()))


def _is_phrase(phrases: U64, task: I64, part: I64, hashes: U64) -> npt.NDArray[np.bool_]:
    """Tell which windows are phrases of their own task's skeleton."""
    wanted = np.empty_like(hashes)
    for code in range(len(PARTS)):
        wanted[part == code] = salted(hashes[part == code], code)
    wanted = _keyed(wanted, task)
    at = np.minimum(np.searchsorted(phrases, wanted), max(len(phrases) - 1, 0))
    return phrases[at] == wanted if len(phrases) else np.zeros(len(wanted), dtype=bool)


def _keyed(hashes: U64, task: I64) -> U64:
    keyed: U64 = hashes ^ ((task + 2).astype(np.uint64) * _MULTIPLIER)
    return keyed


def _covered(hits: npt.NDArray[np.bool_], row: I64) -> npt.NDArray[np.bool_]:
    """Spread each hit over the words of its window, which is centred on its own word and stays in its row."""
    covered = hits.copy()
    for shift in range(1, WIDTH // 2 + 1):
        same = row[shift:] == row[:-shift]
        covered[shift:] |= hits[:-shift] & same
        covered[:-shift] |= hits[shift:] & same
    return covered
