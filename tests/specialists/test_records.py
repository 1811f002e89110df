"""The dataset of a task: which calls it holds, on which side, and what a model is shown of them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.results import Tasks
from slmlens.specialists.forms import CUT, cut_middle, examples
from slmlens.specialists.records import dataset_of, restored
from slmlens.tables import DatasetTable, checked
from tests.suitability.trap_logs import pair, tasks_of

CITIES = ["Rome", "Oslo", "Lima", "Bern", "Cairo", "Quito", "Seoul", "Delhi", "Paris", "Accra"]
GOODS = ["tea", "salt", "rice", "wool", "jute", "cork", "silk", "corn", "oats", "flax"]


def order(i: int, *, day: float | None = 0.0, session: str | None = None) -> dict:
    """An order in words, answered as JSON."""
    city, good = CITIES[i % 10], GOODS[i // 10 % 10]
    at = None if day is None else day + i / 24
    return pair(i, f"Send {i} crates of {good} to {city}.", {"to": city, "n": i}, session or f"s{i // 2}", day=at)


@pytest.fixture(scope="module")
def orders() -> Tasks:
    return tasks_of([order(i) for i in range(200)])


def test_the_dataset_holds_each_usable_call_once_with_its_prompt_and_answer(orders: Tasks) -> None:
    dataset = dataset_of(orders, "task")
    checked(DatasetTable, dataset.frame)
    assert dataset.frame.height == 200
    row = dataset.frame.filter(pl.col("call_id") == "id-000123").row(0, named=True)
    assert [message["role"] for message in row["messages"]] == ["system", "user"]
    assert row["completion"] == '{"to":"Bern","n":123}'
    assert "123" in row["slot_text"]
    assert "Bern" in row["slot_text"]


def test_a_session_is_on_one_side_and_training_comes_first(orders: Tasks) -> None:
    frame = dataset_of(orders, "task").frame.filter(pl.col("side") != "left_out")
    assert frame.group_by("unit").agg(pl.col("side").n_unique()).get_column("side").max() == 1
    times = frame.join(orders.calls.calls.select("call_id", "started_at"), on="call_id")
    last, first = (times.filter(pl.col("side") == side).get_column("started_at") for side in ("train", "test"))
    assert last.max() < first.min()


def test_the_order_of_the_log_does_not_matter(orders: Tasks) -> None:
    shuffled = replace(
        orders,
        calls=replace(orders.calls, calls=orders.calls.calls.sample(fraction=1, shuffle=True, seed=1)),
        assignments=orders.assignments.sample(fraction=1, shuffle=True, seed=2),
    )
    assert_frame_equal(dataset_of(shuffled, "task").frame, dataset_of(orders, "task").frame)


def test_failed_and_corrected_answers_are_not_learned_from() -> None:
    rows = [order(i) for i in range(60)]
    rows[7]["status"] = "error"
    tasks = tasks_of(rows)
    corrected = pl.when(pl.col("call_id") == "id-000011").then(pl.lit("repaired"))
    calls = replace(tasks.calls, calls=tasks.calls.calls.with_columns(corrected=corrected))
    kept = set(dataset_of(replace(tasks, calls=calls), "task").frame.get_column("call_id"))
    assert kept == {f"id-{i:06d}" for i in range(60)} - {"id-000007", "id-000011"}


def test_every_completion_counts_as_the_answer_it_was_made_of_and_no_other_does(orders: Tasks) -> None:
    dataset = dataset_of(orders, "task")
    for call_id, text in dataset.frame.select("call_id", "completion").iter_rows():
        assert dataset.grade(call_id, text).agrees
    assert not dataset.grade("id-000123", dataset.frame.item(0, "completion")).agrees


def test_a_tool_call_is_written_as_json_and_graded_as_a_call() -> None:
    rows = []
    for i in range(40):
        row = order(i)
        call = {"name": "ship", "arguments": json.dumps({"to": CITIES[i % 10], "n": i})}
        row["response"]["choices"][0]["message"] = {"content": None, "tool_calls": [{"function": call}]}
        rows.append(row)
    dataset = dataset_of(tasks_of(rows), "task")
    text = dataset.frame.filter(pl.col("call_id") == "id-000003").item(0, "completion")
    assert json.loads(text) == {"name": "ship", "arguments": {"to": "Bern", "n": 3}}
    assert dataset.grade("id-000003", text).agrees
    assert not dataset.grade("id-000003", text.replace("Bern", "Oslo")).agrees
    assert not dataset.grade("id-000003", "I ship it.").agrees


def test_placeholders_are_numbered_inside_an_example_and_come_back() -> None:
    rows = [
        pair(i, f"Write to <EMAIL:A{i % 7}QX> or <EMAIL:BBBB>, case {i}.", f"<EMAIL:BBBB> for {i}", f"s{i}", day=i)
        for i in range(40)
    ]
    dataset = dataset_of(tasks_of(rows), "task")
    row = dataset.frame.filter(pl.col("call_id") == "id-000009").row(0, named=True)
    assert "<EMAIL_1> or <EMAIL_2>" in row["messages"][1]["content"]
    assert row["completion"] == "<EMAIL_2> for 9"
    assert restored(row["completion"], row["placeholders"]) == "<EMAIL:BBBB> for 9"
    assert dataset.grade("id-000009", "<EMAIL_2> for 9").agrees
    assert not dataset.grade("id-000009", "<EMAIL_1> for 9").agrees


def test_without_times_the_split_is_by_content_and_says_so() -> None:
    dataset = dataset_of(tasks_of([order(i, day=None) for i in range(100)]), "task")
    assert not dataset.time_ordered
    assert "this is not a time split" in dataset.notes[-1]
    assert dataset.n_units("test") > 0


def test_a_task_that_is_not_there_is_named(orders: Tasks) -> None:
    with pytest.raises(SettingError, match="nowhere"):
        dataset_of(orders, "nowhere")


@pytest.mark.slow
def test_near_duplicates_are_never_on_both_sides_and_both_sides_have_some(traps: Path) -> None:
    tasks = sl.discover_tasks(sl.read_logs(traps / "near_duplicates.jsonl"))
    truth = json.loads((traps / "truth.json").read_text())["near_duplicates"]
    dataset = dataset_of(tasks, tasks.tasks.item(0, "task_id"))
    sides = dataset.frame.filter(pl.col("side") != "left_out").group_by("leak_group").agg(pl.col("side").n_unique())
    assert sides.height == truth["distinct_groups"]
    assert sides.get_column("side").to_list() == [1] * truth["distinct_groups"]
    assert dataset.n_units("train") >= 60
    assert dataset.n_units("test") >= 30
    assert any("left out" in note for note in dataset.notes)


def test_a_larger_training_set_begins_with_the_smaller_one_and_with_other_units(orders: Tasks) -> None:
    dataset = dataset_of(orders, "task")
    all_of_them = examples(dataset, "train")
    assert examples(dataset, "train", most=10) == all_of_them[:10]
    units = dict(dataset.frame.select("call_id", "unit").iter_rows())
    first = [units[one.call_id] for one in all_of_them[: dataset.n_units("train")]]
    assert len(set(first)) == len(first)


def test_the_slots_leave_out_what_all_prompts_share_and_the_messages_do_not(orders: Tasks) -> None:
    dataset = dataset_of(orders, "task")
    slots, whole = (examples(dataset, "test", form=form)[0] for form in ("slots", "messages"))
    assert "Do the step." not in " ".join(message["content"] for message in slots.messages)
    assert whole.messages[0]["content"] == "Do the step."


def test_the_slots_of_a_conversation_hold_its_turns_with_who_said_them() -> None:
    rows = []
    for i in range(40):
        row = pair(i, f"Find crate {i}.", f"It is in {CITIES[i % 10]}.", f"s{i}", day=i)
        row["request"]["messages"] += [
            {"role": "assistant", "content": "I look."},
            {"role": "tool", "content": f"hall {i % 7}, {CITIES[i % 10]}", "tool_call_id": "t"},
        ]
        rows.append(row)
    frame = dataset_of(tasks_of(rows), "task").frame
    slot = frame.filter(pl.col("call_id") == "id-000023").item(0, "slot_text")
    assert "23" in slot.partition("tool:")[0]
    assert slot.endswith("tool: hall 2, Bern")
    assert "I look." not in slot, "all calls share it"


def test_shots_are_training_examples_and_leave_room_for_the_prompt(orders: Tasks) -> None:
    dataset = dataset_of(orders, "task")
    trained = {one.completion for one in examples(dataset, "train", form="messages")}
    for one in examples(dataset, "test", form="messages", shots=3, most=5):
        assert [message["role"] for message in one.messages] == ["system", *["user", "assistant"] * 3, "user"]
        assert {message["content"] for message in one.messages if message["role"] == "assistant"} <= trained
        assert not one.cut


def test_a_long_prompt_loses_its_middle_and_is_marked() -> None:
    rng = random.Random(0)
    long = " ".join(rng.choices(GOODS, k=4_000))
    rows = [pair(i, f"{CITIES[i % 10]} begins {long} and ends {i}.", f"{i}", f"s{i}", day=i) for i in range(40)]
    dataset = dataset_of(tasks_of(rows), "task")
    one = examples(dataset, "train", form="messages", tokens=100)[0]
    assert one.cut
    assert sum(len(message["content"]) for message in one.messages) <= 100 * 3.6 + 2 * len(CUT)
    assert one.messages[-1]["content"].endswith(f"and ends {one.completion}.")


def test_cutting_keeps_both_ends_and_drops_only_what_lies_between() -> None:
    said = [{"role": "user", "content": letter * 30} for letter in "abcd"]
    kept, cut = cut_middle(said, 60)
    assert cut
    assert [message["content"].replace(CUT.strip(), "").strip() for message in kept] == ["a" * 20, "c" * 10, "d" * 30]
    assert cut_middle(said, 120) == (said, False)
