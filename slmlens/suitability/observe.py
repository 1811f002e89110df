"""What a log shows of each task, ready for the probes: usable answers, prompts and sessions in time order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.curation.failures import answer_is_usable
from slmlens.results import Tasks
from slmlens.suitability.answers import Answer, parse_answer
from slmlens.suitability.features import MAX_BYTES
from slmlens.suitability.present import present_calls
from slmlens.suitability.splits import stable_hash
from slmlens.tasks.slots import slot_texts, turns_left_out

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TIMED_SHARE = 0.95
"""A task is in time order when at least this share of its usable calls has a time, and the times differ."""
_UNIT_PART = 10


@dataclass(frozen=True)
class Observed:
    """The usable calls of one task, sorted by the beginning of their unit, then by time.

    :param task_id: The task.
    :param call_ids: The calls.
    :param answers: Parsed answers.
    :param units: Recurrence unit of each call, as a code.
    :param sessions: Session of each call as a code; -1: unknown, or the answer was served from a cache.
    :param prompts: Code of the prompt before redaction, byte for byte; -1: unknown.
    :param texts: Text of the prompt's last message, placeholders as they stand.
    :param slots: Slot text of the prompt, with the turn that it ends with.
    :param whole: Of each call: the probes see all that varies in its prompt, and no turn or middle of it is left out.
    :param unit_names: Name of each call's unit, comparable between tasks.
    :param site: Call site of the task.
    :param time_ordered: False: the task's calls have no times, and units are in the order of a hash of their content.
    """

    task_id: str
    call_ids: list[str]
    answers: list[Answer]
    units: Ints
    sessions: Ints
    prompts: Ints
    texts: list[str]
    slots: list[str]
    whole: Bools
    unit_names: list[str]
    site: str
    time_ordered: bool

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def n_units(self) -> int:
        """Number of recurrence units."""
        return len(np.unique(self.units))

    def sample(self, most: int, seed: int) -> Ints:
        """Return the rows that a probe looks at: whole units in a random order until ``most`` calls are reached.

        A unit longer than a tenth of that gives its first calls only, so that one batch job can't be the sample.
        """
        if len(self) <= most:
            return np.arange(len(self))
        _, first, inverse, counts = np.unique(self.units, return_index=True, return_inverse=True, return_counts=True)
        rank = np.arange(len(self)) - _first_rows(self.units, inverse.reshape(-1))
        part = max(most // _UNIT_PART, 1)
        signature = [stable_hash(f"{self.slots[row]}\x00{row}", f"sample{seed}") for row in first]
        order = np.argsort(np.array(signature, dtype=np.uint64), kind="stable")
        taken = np.cumsum(np.minimum(counts[order], part)) <= most
        chosen = np.zeros(len(order), dtype=np.bool_)
        chosen[order[taken]] = True
        return np.flatnonzero(chosen[inverse.reshape(-1)] & (rank < part))


def _first_rows(units: Ints, inverse: Ints) -> Ints:
    """Rank base: for each row, the number of rows before it minus its place inside its unit."""
    order = np.argsort(inverse, kind="stable")
    sizes = np.bincount(inverse)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.empty(len(units), dtype=np.int64)
    place[order] = np.arange(len(units)) - starts
    return np.arange(len(units)) - place


def observe(tasks: Tasks) -> Iterator[Observed]:
    """Yield the usable calls of each task that has any, in the order of ``task_id``.

    :param tasks: The tasks; only calls assigned by the prompt-only rule, whose answer is usable, count; where a prompt
        was edited, only those after the edit.
    """
    frame = _usable(tasks)
    times = pl.col("started_at")
    timed = (times.is_not_null().mean().over("task_id") >= TIMED_SHARE) & (times.n_unique().over("task_id") > 1)
    frame = frame.with_columns(timed=timed)
    frame = pl.concat([_by_time(frame.filter("timed")), _by_content(frame.filter(~pl.col("timed")))]).sort(
        "task_id", maintain_order=True
    )
    parsed: dict[tuple[str | None, str], Answer] = {}
    sites = dict(tasks.tasks.select("task_id", "call_site").iter_rows())
    for (task_id,), part in frame.group_by("task_id", maintain_order=True):
        answers = []
        for text, calls in part.select("answer_text", "tool_calls").iter_rows():
            key = (text, repr(calls) if calls else "")
            if key not in parsed:
                parsed[key] = parse_answer(text, calls)
            answers.append(parsed[key])
        yield Observed(
            task_id=str(task_id),
            call_ids=part.get_column("call_id").to_list(),
            answers=answers,
            units=_codes(part.get_column("unit")),
            sessions=_codes(part.get_column("independent")),
            prompts=_codes(part.get_column("prompt_key")),
            texts=part.get_column("prompt_text").to_list(),
            slots=part.get_column("slot_text").to_list(),
            whole=part.get_column("whole").to_numpy(),
            unit_names=part.get_column("unit").to_list(),
            site=sites[str(task_id)],
            time_ordered=bool(part.item(0, "timed")),
        )


def _usable(tasks: Tasks) -> pl.DataFrame:
    """Return the calls that belong to a task and whose answer may be learned from, with answer, prompt and unit."""
    calls = tasks.calls.calls
    text = tasks.calls.messages.select("message_id", "text")
    has_call = pl.col("tool_calls").list.len() > 0
    columns = ("call_id", "session_id", "started_at", "message_ids", "answer_id", "prompt_key", "tool_calls")
    usable = (
        calls.filter(answer_is_usable() & (pl.col("answer_id").is_not_null() | has_call))
        .select(columns)
        .join(present_calls(tasks), on="call_id")
        .with_columns(
            unit=pl.coalesce("unit_id", "session_id", "call_id"),
            # "#2" marks a second call under one response id: the same answer served again
            independent=pl.when(~pl.col("call_id").str.contains(r"#\d+$")).then("session_id"),
            prompt_id=pl.col("message_ids").list.last(),
        )
        .join(text.rename({"message_id": "answer_id", "text": "answer_text"}), on="answer_id", how="left")
        .join(text.rename({"message_id": "prompt_id", "text": "prompt_text"}), on="prompt_id", how="left")
        .filter(pl.col("answer_text").is_not_null() | has_call)
    )
    slots = slot_texts(tasks, usable.get_column("call_id"), last_turn=True)
    left_out = turns_left_out(tasks, usable.get_column("call_id"))
    return (
        usable.join(slots, on="call_id", how="left")
        .join(left_out, on="call_id", how="left")
        .with_columns(pl.col("prompt_text", "slot_text").fill_null(""))
        .with_columns(whole=(pl.col("left_out") == 0) & (pl.col("slot_text").str.len_bytes() <= MAX_BYTES))
    )


def _by_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by the beginning of the unit, then time and id."""
    start = pl.col("started_at").min().over("task_id", "unit")
    return frame.with_columns(start=start).sort("start", "unit", "started_at", "call_id", nulls_last=True).drop("start")


def _by_content(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by a hash of the unit's texts: its name is hashed with a key of the run, so that order would not last."""
    hashes = [stable_hash(text, "unit") for text in frame.get_column("slot_text")]
    return (
        frame.with_columns(pl.Series("hash", hashes, dtype=pl.UInt64))
        .with_columns(start=pl.col("hash").min().over("task_id", "unit"))
        .sort("start", "unit", "call_id")
        .drop("start", "hash")
    )


def _codes(column: pl.Series) -> Ints:
    """Integer codes in order of first appearance; -1 for null."""
    seen: dict[str, int] = {}
    return np.array(
        [-1 if value is None else seen.setdefault(value, len(seen)) for value in column.to_list()], dtype=np.int64
    )
