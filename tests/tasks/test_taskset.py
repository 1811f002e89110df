"""A saved task set: a later log is assigned to the same tasks by the same rule."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slmlens as sl
from slmlens.errors import RunFolderError
from slmlens.tasks.shingles import WIDTH
from slmlens.tasks.taskset import assign_calls
from slmlens.tasks.taskset_json import dump_task_set, load_task_set
from tests.tasks.shop import NOUNS, STEPS, ids, shop
from tests.tasks.world import Record, log, pair, tasks_of

PROMPTS = st.tuples(st.sampled_from([*STEPS.values(), ""]), st.text(max_size=30), st.integers(0, 6), st.booleans())


def read(folder: Path, rows: list[Record]) -> sl.Calls:
    folder.mkdir(exist_ok=True)
    return sl.read_logs(log(folder, rows))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PROMPTS, min_size=1, max_size=40))
@pytest.mark.slow
def test_the_log_it_was_made_of_is_assigned_as_it_was(tmp_path: Path, rows: list[tuple[str, str, int, bool]]) -> None:
    records = [
        pair(i, system, user or "-", session=f"s{s}", **({"step": "small talk"} if named else {}))
        for i, (system, user, s, named) in enumerate(rows)
    ]
    tasks = tasks_of(tmp_path, records)
    task_set = load_task_set(dump_task_set(tasks.task_set))
    assert assign_calls(task_set, tasks.calls).equals(tasks.assignments)


@pytest.mark.parametrize("name", ["rare_and_batch", "prompt_edited"])
def test_batches_and_edited_prompts_are_assigned_as_they_were(traps: Path, name: str) -> None:
    tasks = sl.discover_tasks(sl.read_logs(traps / f"{name}.jsonl"))
    assert assign_calls(tasks.task_set, tasks.calls).equals(tasks.assignments)


def test_later_calls_go_to_the_same_tasks_and_what_is_new_stays_unassigned(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, shop())
    later = shop(seed=9, start=500)
    strange = "Write a poem of four lines on the season that the customer names."
    later += [pair(50_000 + i, strange, "autumn", session=f"p{i}") for i in range(9)]
    calls = read(tmp_path / "later", later)
    rows = assign_calls(tasks.task_set, calls)
    found = {call: (task, strength) for call, task, strength in rows.select("call_id", "task_id", "strength").rows()}
    for at, step in enumerate(STEPS):
        assert found[f"chatcmpl-{1000 * at + 500:05d}"] == (ids(tasks)[step], pytest.approx(1.0))
    assert all(found[f"chatcmpl-{50_000 + i:05d}"] == (None, None) for i in range(9))
    assert rows.height == calls.calls.height


def test_a_declared_step_is_found_again_and_an_unknown_one_goes_by_its_text(tmp_path: Path) -> None:
    rng = random.Random(2)
    chats = [
        pair(
            70_000 + i,
            "",
            " ".join("".join(rng.choices("bcdfghjk", k=6)) for _ in range(9)),
            f"s{i}",
            step="small talk",
        )
        for i in range(20)
    ]
    tasks = tasks_of(tmp_path, [*shop(), *chats])
    chat = tasks.tasks.filter(pl.col("step_names").list.contains("small talk")).item(0, "task_id")
    later = [
        pair(1, "", "something else entirely is said here", session="x", step="small talk"),
        pair(2, STEPS["triage"], "a parcel", session="x", step="a step never seen"),
    ]
    rows = assign_calls(tasks.task_set, read(tmp_path / "later", later))
    assert rows.get_column("task_id").to_list() == [chat, ids(tasks)["triage"]]


def test_the_file_is_the_same_for_shuffled_rows_and_holds_no_text_but_names(tmp_path: Path) -> None:
    rows = shop()
    tasks = tasks_of(tmp_path, rows)
    text = dump_task_set(tasks.task_set)
    random.Random(1).shuffle(rows)
    assert dump_task_set(tasks_of(tmp_path, rows).task_set) == text
    names = " ".join(tasks.tasks.get_column("name"))
    plain = text
    for name in tasks.tasks.get_column("name"):
        plain = plain.replace(json.dumps(name, ensure_ascii=False), "")
    words = {word.strip(".,").lower() for prompt in STEPS.values() for word in prompt.split() if len(word) > 7}
    assert not [word for word in words | set(NOUNS) if word in plain.lower() and word not in names]


@pytest.mark.parametrize("spoilt", ["", "[]", "{}", '{"schema": "slmlens/taskset@1"}', "other"])
def test_what_is_no_task_set_of_ours_is_refused_with_the_next_step(tmp_path: Path, spoilt: str) -> None:
    if spoilt == "other":
        content = json.loads(dump_task_set(tasks_of(tmp_path, shop()).task_set))
        spoilt = json.dumps({**content, "phrases": {"width": WIDTH + 2, "max_words": 10}})
    with pytest.raises(RunFolderError, match="again"):
        load_task_set(spoilt, where="october")
