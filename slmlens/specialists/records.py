"""The dataset of a task: one neutral record an example, with its side of a split that does not leak."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
import regex

from slmlens.errors import SettingError
from slmlens.results import Tasks
from slmlens.specialists.forms import canonical_completion, read_answer
from slmlens.specialists.split import LEFT_OUT, TEST, TRAIN, VALIDATION, Split, split_rows
from slmlens.suitability.answers import Answer
from slmlens.suitability.comparators import Comparator, Grade, TaskAnswers, comparator_of, compare_task
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import observed_task
from slmlens.suitability.settings import AssessSettings
from slmlens.tables import DatasetTable, checked
from slmlens.tasks.shingles import PLACEHOLDER
from slmlens.tasks.slots import written_slots

MOST_CALLS = 2_000
"""Most calls of a task that become a dataset; a larger task is sampled by whole recurrence units."""
_PLACEHOLDER = regex.compile(PLACEHOLDER)


@dataclass(frozen=True)
class Dataset:
    """A task's usable calls as training examples.

    :param task_id: The task.
    :param frame: ``DatasetTable``, in time order.
    :param answers: The incumbent's answers to these calls under the task's comparator, row by row.
    :param comparator: Says when an answer counts as the incumbent's: fitted to all usable answers of the task.
    :param time_ordered: False: the calls have no times, and earlier and later are a hash of the unit's content.
    :param notes: Sentences on the split: what was left out, and what it is not.
    """

    task_id: str
    frame: pl.DataFrame
    answers: TaskAnswers = field(repr=False)
    comparator: Comparator
    time_ordered: bool
    notes: tuple[str, ...]

    def rows_on(self, side: str) -> pl.DataFrame:
        """Return the rows of one side, one of ``tables.SIDES``."""
        return self.frame.filter(pl.col("side") == side)

    def n_units(self, side: str) -> int:
        """Return the recurrence units of one side."""
        return int(self.rows_on(side).get_column("unit").n_unique())

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each call, in ``frame`` and in ``answers``."""
        return {call_id: row for row, call_id in enumerate(self.frame.get_column("call_id").to_list())}

    def read(self, call_id: str, text: str) -> Answer:
        """Return a model's completion for that call, as an answer with the placeholders of the log."""
        written = restored(text, self.frame.item(self.row_of[call_id], "placeholders").to_list())
        return read_answer(written, calls_tools=self.comparator.kind == "tool_call")

    def grade(self, call_id: str, text: str) -> Grade:
        """Return whether a model's completion counts as the incumbent's answer to that call, and why (not)."""
        return self.comparator.grade(self.answers.answers[self.row_of[call_id]], self.read(call_id, text))


def dataset_of(
    tasks: Tasks,
    task_id: str,
    *,
    settings: AssessSettings | None = None,
    also: Collection[str] = (),
    seed: int = 0,
) -> Dataset:
    """Return the dataset of one task: its usable, uncorrected answers and their redacted prompts, split.

    :param tasks: The tasks of a log.
    :param task_id: One of them.
    :param settings: ``train_share`` is the share of the calls in the earlier units.
    :param also: Usable calls that the sample holds in any case.
    :param seed: Seed of the sample, where the task has more than ``MOST_CALLS`` usable calls.
    :raises SettingError: If there is no such task, or no answer in it that may be learned from.
    """
    settings = settings or AssessSettings()
    observed = observed_task(tasks, task_id)
    if observed is None:
        raise SettingError(
            f"there is no task {task_id!r} with usable answers", where="task_id", next_step="pick one of tasks.tasks"
        )
    rows = observed.sample(MOST_CALLS, seed)
    if also:
        rows = np.union1d(rows, np.flatnonzero(np.isin(observed.call_ids, list(also)))).astype(np.int64)
    units = np.unique(observed.units[rows], return_inverse=True)[1].reshape(-1).astype(np.int64)
    split = split_rows(units, [observed.slots[row] for row in rows], settings.train_share)
    ids = pl.Series("call_id", [observed.call_ids[row] for row in rows], dtype=pl.String)
    numbered = [_numbered(*one) for one in _texts(tasks, ids)]
    frame = pl.DataFrame(
        {
            "call_id": ids,
            "unit": units,
            "leak_group": split.groups,
            "side": split.sides,
            "messages": [one[0] for one in numbered],
            "slot_text": [one[1] for one in numbered],
            "completion": [one[2] for one in numbered],
            "placeholders": [one[3] for one in numbered],
        },
        schema=DatasetTable.create_empty().schema,
    )
    whole = compare_task(observed.answers, observed.units)
    return Dataset(
        task_id=task_id,
        frame=checked(DatasetTable, frame),
        answers=compare_task([observed.answers[row] for row in rows], units),
        comparator=comparator_of(whole),
        time_ordered=observed.time_ordered,
        notes=_notes(observed, split),
    )


def restored(text: str, placeholders: list[dict[str, str]]) -> str:
    """Return a text with the placeholders of the log again, so that it can be compared with the log's own answer.

    :param placeholders: Those of the row of ``DatasetTable``.
    """
    for one in placeholders:
        text = text.replace(one["name"], one["stands_for"])
    return text


Messages = list[dict[str, str]]


def _texts(tasks: Tasks, ids: pl.Series) -> list[tuple[Messages, str, str]]:
    """Return messages, slot text and completion of each call, with the placeholders of the log."""
    calls = ids.to_frame().join(
        tasks.calls.calls.select("call_id", "message_ids", "answer_id", "tool_calls"),
        on="call_id",
        how="left",
        maintain_order="left",
    )
    slots = written_slots(tasks, ids).get_column("slot_text")
    wanted = calls.select(pl.col("message_ids").explode()).to_series().append(calls.get_column("answer_id"))
    stored = tasks.calls.messages.filter(pl.col("message_id").is_in(wanted.drop_nulls().unique().implode()))
    text = {message: (role, said or "") for message, role, said in stored.select("message_id", "role", "text").rows()}
    found = []
    for (message_ids, answer_id, tool_calls), slot in zip(calls.drop("call_id").rows(), slots, strict=True):
        prompt = [{"role": text[m][0], "content": text[m][1]} for m in message_ids or []]
        answer = text[answer_id][1] if answer_id in text else ""
        found.append((prompt, slot, canonical_completion(answer, tool_calls)))
    return found


def _numbered(messages: Messages, slot: str, completion: str) -> tuple[Messages, str, str, Messages]:
    """Return one example with its placeholders numbered by first appearance, and what each number stands for."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}

    def name_of(found: regex.Match[str]) -> str:
        if found[0] not in names:
            counts[found[1]] = counts.get(found[1], 0) + 1
            names[found[0]] = f"<{found[1]}_{counts[found[1]]}>"
        return names[found[0]]

    prompt = [{**one, "content": _PLACEHOLDER.sub(name_of, one["content"])} for one in messages]
    slot, completion = (_PLACEHOLDER.sub(name_of, text) for text in (slot, completion))
    return prompt, slot, completion, [{"name": name, "stands_for": stood} for stood, name in names.items()]


def _notes(observed: Observed, split: Split) -> tuple[str, ...]:
    counts = {side: split.sides.count(side) for side in (TRAIN, VALIDATION, TEST, LEFT_OUT)}
    earlier, later = ("earlier", "later") if observed.time_ordered else ("some", "other")
    first = f"{counts[TRAIN]:,} calls of {earlier} units train, {counts[VALIDATION]:,} say when to stop"
    notes = [f"{first}, and {counts[TEST]:,} of {later} units test."]
    if len(split.sides) < len(observed):
        notes.append(f"{len(split.sides):,} of {len(observed):,} usable calls were drawn, by whole units.")
    if counts[LEFT_OUT]:
        notes.append(
            f"{counts[LEFT_OUT]:,} calls are left out: their prompts, in {split.straddling:,} groups, are nearly those "
            "of another side."
        )
    if not observed.time_ordered:
        notes.append("The calls have no times: this is not a time split.")
    return tuple(notes)
