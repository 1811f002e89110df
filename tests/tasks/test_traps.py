"""Logs with known truth: the tasks found are the tasks planted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import slmlens as sl
from tests.tasks.world import agreement, spend_share

TASKS = {
    "five_templates": 5,
    "rare_and_batch": 14,
    "sparse_calendar": 2,
    "prompt_edited": 1,
    "coin_flip": 1,
    "coin_flip_repeats": 1,
    "planted_rule": 1,
    "planted_format": 1,
    "rare_label": 1,
    "self_disagreement": 1,
    "near_duplicates": 1,
    "personal_data": 1,
}


@pytest.mark.parametrize("name", TASKS)
def test_a_trap_has_as_many_tasks_as_were_planted_and_they_hold_its_spend(traps: Path, name: str) -> None:
    tasks = sl.discover_tasks(sl.read_logs(traps / f"{name}.jsonl"))
    assert tasks.tasks.height == TASKS[name]
    assert spend_share(tasks) >= 0.99


@pytest.mark.parametrize("name", ["five_templates", "rare_and_batch"])
def test_each_call_is_in_the_task_it_was_planted_in(traps: Path, name: str) -> None:
    truth = json.loads((traps / "truth.json").read_text())[name]
    gold = {f"chatcmpl-{name}-{i:06d}": task for i, task in enumerate(truth["gold"])}
    assert agreement(sl.discover_tasks(sl.read_logs(traps / f"{name}.jsonl")), gold) == pytest.approx(1.0)


def test_an_edited_prompt_is_one_task_and_its_edit_is_dated(traps: Path) -> None:
    truth = json.loads((traps / "truth.json").read_text())["prompt_edited"]
    tasks = sl.discover_tasks(sl.read_logs(traps / "prompt_edited.jsonl"))
    assert tasks.tasks.get_column("edited_on").item().date().isoformat() == truth["edited_on"]


def test_a_batch_of_two_sessions_recurs_by_its_contents(traps: Path) -> None:
    tasks = sl.discover_tasks(sl.read_logs(traps / "rare_and_batch.jsonl")).tasks
    batch = tasks.filter(tasks["n_calls"] == 400).row(0, named=True)
    assert batch["recurrence_unit"] == "slot"
    assert "archived knowledge page" in batch["skeleton"]


def test_hostile_texts_neither_crash_nor_vanish(traps: Path) -> None:
    tasks = sl.discover_tasks(sl.read_logs(traps / "hostile_text.jsonl"))
    assert tasks.assignments.height == 60
