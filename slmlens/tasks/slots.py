"""Slot text: what of a prompt is left when its skeleton is taken away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import regex

from slmlens.results import Tasks
from slmlens.tasks.corpus import salted
from slmlens.tasks.prompts import PARTS, SYSTEM_ROLES, prompt_parts
from slmlens.tasks.shingles import I64, MAX_WORDS, PLACEHOLDER, U64, WIDTH, WORD, windows, word_codes, word_lists

SLICE = 4_096
"""Texts looked at together: what bounds the memory, at 3,000 words a text."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_WORD = regex.compile(f"{PLACEHOLDER}|{WORD}")
_UP_TO_SPACE, _FROM_SPACE = regex.compile(r".*\s", regex.DOTALL), regex.compile(r"\s.*", regex.DOTALL)


def slot_texts(tasks: Tasks, call_ids: pl.Series, *, last_turn: bool = False) -> pl.DataFrame:
    """Return the words of the named calls' prompts that no phrase of their task fixes.

    Words are case folded; numbers are always kept, because skeletons are blind to them; redaction placeholders are
    reduced to their kind (``email``). An unassigned call keeps all its words.

    :param last_turn: Where a prompt ends with what a tool or the model itself said, add the words of that message, and
        of the model's own before it: what the next step of an agent hangs on.
    :returns: ``call_id``, ``slot_text`` (empty for a call without a prompt).
    """
    asked = _with_task(tasks, call_ids)
    rows = _text_rows(tasks, asked)
    if last_turn:
        rows = pl.concat([rows, _last_turns(tasks, asked)])
    texts = rows.join(
        _free_text(tasks, rows, _free_words), on=["task", "part", "message_id"], how="left", nulls_equal=True
    )
    return _joined(asked, texts.sort("call_id", "part", "message_id"))


def turns_left_out(tasks: Tasks, call_ids: pl.Series) -> pl.DataFrame:
    """Return how many messages of the named calls' prompts ``slot_texts(last_turn=True)`` does not show.

    A message that all named calls of the task share, as an example in the prompt, does not count.

    :returns: ``call_id``, ``left_out``.
    """
    asked = _with_task(tasks, call_ids)
    shown = pl.concat([_text_rows(tasks, asked), _last_turns(tasks, asked)]).select("call_id", "message_id")
    left = _varying_messages(tasks, asked).join(shown, on=["call_id", "message_id"], how="anti")
    return (
        asked.select("call_id")
        .join(left.group_by("call_id").agg(left_out=pl.len()), on="call_id", how="left", maintain_order="left")
        .with_columns(pl.col("left_out").fill_null(0))
    )


def written_slots(tasks: Tasks, call_ids: pl.Series) -> pl.DataFrame:
    """Return what varies in the named calls' prompts, as it is written: a line for each stretch of such words.

    Case, placeholders and punctuation stay. Turns of a conversation after its first message stand whole behind their
    role (``tool: ...``): no phrase of a task fixes them, and the next step hangs on them. A message that all named
    calls of the task share is left out.

    :returns: ``call_id``, ``slot_text`` (empty for a call without a prompt).
    """
    asked = _with_task(tasks, call_ids)
    parts = _text_rows(tasks, asked).unique(["call_id", "message_id"], keep="first", maintain_order=True)
    rows = _varying_messages(tasks, asked).join(parts.drop("task"), on=["call_id", "message_id"], how="left")
    placed = rows.filter(pl.col("part").is_not_null())
    said = pl.concat_str("role", pl.lit(": "), "text")
    free = _free_text(tasks, placed, _written)
    texts = (
        rows.join(free, on=["task", "part", "message_id"], how="left", nulls_equal=True)
        .rename({"text": "free"})
        .join(tasks.calls.messages.select("message_id", "role", "text"), on="message_id", how="left")
        .with_columns(text=pl.when(pl.col("part").is_null() & (pl.col("text") != "")).then(said).otherwise("free"))
    )
    return _joined(asked, texts.sort("call_id", "at"))


def _varying_messages(tasks: Tasks, asked: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, message_id, at, task``: messages of the prompts, but for those that a whole task shares."""
    of_task = pl.col("call_id").n_unique()
    return (
        tasks.calls.calls.select("call_id", pl.col("message_ids").alias("message_id"))
        .join(asked.select("call_id"), on="call_id", how="semi")
        .with_columns(at=pl.int_ranges(pl.col("message_id").list.len()))
        .explode("message_id", "at", empty_as_null=False, keep_nulls=False)
        .join(_numbered_task(tasks, asked), on="call_id")
        .filter((of_task.over("task", "message_id") < of_task.over("task")) | (of_task.over("task") == 1))
    )


def _with_task(tasks: Tasks, call_ids: pl.Series) -> pl.DataFrame:
    return call_ids.to_frame("call_id").join(
        tasks.assignments.select("call_id", "task_id"), on="call_id", how="left", maintain_order="left"
    )


def _numbered_task(tasks: Tasks, asked: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, task``: the row of each call's task; null: it is unassigned."""
    numbered = tasks.tasks.select("task_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("task"))
    return asked.join(numbered, on="task_id", how="left").select("call_id", "task")


def _joined(asked: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, slot_text`` in the order asked: the texts of each call, in their order, a line each."""
    lines = pl.col("text").filter(pl.col("text") != "").str.join("\n")
    joined = texts.group_by("call_id", maintain_order=True).agg(slot_text=lines)
    return (
        asked.select("call_id")
        .join(joined, on="call_id", how="left", maintain_order="left")
        .with_columns(pl.col("slot_text").fill_null(""))
    )


def _text_rows(tasks: Tasks, asked: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, task, part, message_id``: the messages of the calls that can carry slots."""
    parts = prompt_parts(tasks.calls.calls.join(asked, on="call_id", how="semi"), tasks.calls.messages).join(
        _numbered_task(tasks, asked), on="call_id", how="left"
    )
    system = parts.select(
        "call_id", "task", pl.lit(PARTS.index("system")).alias("part"), pl.col("system").alias("message_id")
    )
    singles = [
        parts.select("call_id", "task", pl.lit(PARTS.index(n)).alias("part"), pl.col(n).alias("message_id"))
        for n in ("first", "last")
    ]
    return pl.concat([system.explode("message_id"), *singles]).drop_nulls("message_id")


def _last_turns(tasks: Tasks, asked: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, task, part, message_id``: the ends of prompts that end with a turn, as parts of their own."""
    ends = pl.concat(
        [
            tasks.calls.calls.filter(pl.col("message_ids").list.len() > back).select(
                "call_id",
                pl.lit(len(PARTS) + 2 - back).alias("part"),
                pl.col("message_ids").list.get(-back, null_on_oob=True).alias("message_id"),
            )
            for back in (1, 2)
        ]
    )
    spoken = ends.join(asked.select("call_id"), on="call_id", how="semi").join(
        tasks.calls.messages.select("message_id", "role"), on="message_id"
    )
    last = spoken.filter((pl.col("part") == len(PARTS) + 1) & ~pl.col("role").is_in((*SYSTEM_ROLES, "user")))
    own = spoken.filter((pl.col("part") == len(PARTS)) & (pl.col("role") == "assistant"))
    turns = pl.concat([own.join(last.select("call_id"), on="call_id", how="semi"), last])
    return turns.join(_numbered_task(tasks, asked), on="call_id").select("call_id", "task", "part", "message_id")


def _free_text(tasks: Tasks, rows: pl.DataFrame, told: Callable[[U64, pl.DataFrame], pl.Series]) -> pl.DataFrame:
    """Return ``task, part, message_id, text``: the words that no phrase of the task covers, as ``told`` tells them."""
    phrases = _phrases(tasks)
    uses = rows.select("task", "part", "message_id").unique().sort("task", "part", "message_id", nulls_last=True)
    spoken = uses.join(
        tasks.calls.messages.select("message_id", "text"), on="message_id", how="left", maintain_order="left"
    )
    empty = pl.Series("word", [], dtype=pl.String)
    return uses.with_columns(text=pl.concat([empty, *(told(phrases, some) for some in spoken.iter_slices(SLICE))]))


def _free_words(phrases: U64, spoken: pl.DataFrame) -> pl.Series:
    """Return the free words of some texts, joined by spaces; ``spoken``: ``task, part, text``."""
    free = _marked(phrases, spoken).filter("free")
    joined = free.group_by("row", maintain_order=True).agg(pl.col("word").str.join(" "))
    numbered = pl.DataFrame({"row": np.arange(spoken.height)})
    return numbered.join(joined, on="row", how="left", maintain_order="left").get_column("word").fill_null("")


def _written(phrases: U64, spoken: pl.DataFrame) -> pl.Series:
    """Return the free stretches of some texts as they are written; ``spoken``: ``task, part, text``."""
    marked = _marked(phrases, spoken)
    free = dict(marked.group_by("row", maintain_order=True).agg("free").iter_rows())
    texts = spoken.get_column("text").fill_null("").to_list()
    return pl.Series("word", [_stretches(text, free.get(row, [])) for row, text in enumerate(texts)], dtype=pl.String)


def _stretches(text: str, free: list[bool]) -> str:
    """Return the stretches of a text whose words are free, each with the punctuation that touches it."""
    spans = [found.span() for found in _WORD.finditer(text)]
    if len(spans) > MAX_WORDS:  # as ``word_lists`` keeps head and tail
        spans = spans[: MAX_WORDS * 2 // 3] + spans[-(MAX_WORDS // 3) :]
    if len(spans) != len(free):  # a letter that changes its length with its case
        return text
    kept: list[str] = []
    begins: int | None = None
    for at, (start, end) in enumerate(spans):
        if free[at] and begins is None:
            before = text[spans[at - 1][1] if at else 0 : start]
            begins = start - len(_UP_TO_SPACE.sub("", before))
        if begins is not None and (at + 1 == len(spans) or not free[at + 1]):
            after = text[end : spans[at + 1][0] if at + 1 < len(spans) else len(text)]
            kept.append(text[begins : end + len(_FROM_SPACE.sub("", after))])
            begins = None
    return "\n".join(kept)


def _marked(phrases: U64, spoken: pl.DataFrame) -> pl.DataFrame:
    """Return ``row, word, free``: every word of some texts, and whether no phrase of the task fixes it."""
    words = word_lists(spoken.get_column("text"))
    lengths = words.list.len().to_numpy().astype(np.int64)
    flat = words.explode(keep_nulls=False, empty_as_null=False)
    row, hashes = windows(word_codes(flat), lengths)
    task = spoken.get_column("task").fill_null(-1).to_numpy()
    hits = _is_phrase(phrases, task[row], spoken.get_column("part").to_numpy()[row], hashes)
    marked = pl.DataFrame({"row": row, "word": flat, "fixed": _covered(hits, row)})
    return marked.select("row", "word", free=~pl.col("fixed") | pl.col("word").str.contains(r"^[0-9]"))


def _phrases(tasks: Tasks) -> U64:
    """Return the sorted phrases of all skeletons, each keyed by its task."""
    owned = (
        tasks.tasks.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("task"), "phrases")
        .explode("phrases")
        .drop_nulls("phrases")
    )
    return np.sort(_keyed(owned.get_column("phrases").to_numpy(), owned.get_column("task").to_numpy()))


def _is_phrase(phrases: U64, task: I64, part: I64, hashes: U64) -> npt.NDArray[np.bool_]:
    """Tell which windows are phrases of their own task's skeleton; a turn of a conversation has no such part."""
    wanted = hashes.copy()
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
