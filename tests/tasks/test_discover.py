"""What a task is: a step that recurs across sessions, known by its prompt alone."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slmlens as sl
from tests.tasks.world import Record, answer, log, pair, tasks_of

TRIAGE = "You are the triage agent of a shop. Answer with the intent of the ticket as JSON."
SUMMARY = "Summarise the thread below for the colleague who takes over."
NOUNS = ["invoice", "parcel", "refund", "screen", "login", "courier", "receipt", "warranty"]

ROWS = st.tuples(st.sampled_from([TRIAGE, SUMMARY, ""]), st.text(max_size=40), st.integers(0, 6))


def ticket(rng: random.Random) -> str:
    return " ".join(rng.choices(NOUNS, k=rng.randint(3, 12)))


def gibberish(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def shop(n: int = 60, seed: int = 1) -> list[Record]:
    rng = random.Random(seed)
    return [pair(i, TRIAGE if i % 2 else SUMMARY, ticket(rng), session=f"s{i // 2}") for i in range(n)]


def placed(tasks: sl.Tasks) -> dict[str, str | None]:
    return dict(tasks.assignments.select("call_id", "task_id").rows())


def test_two_prompts_are_two_tasks_named_after_their_words(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, shop())
    names = " / ".join(tasks.tasks.get_column("name"))
    assert tasks.tasks.height == 2
    assert "thread" in names
    assert "triage agent" in names


def test_shuffled_rows_give_the_same_tasks_ids_and_assignments(tmp_path: Path) -> None:
    rows = shop()
    one = tasks_of(tmp_path, rows)
    random.Random(3).shuffle(rows)
    other = tasks_of(tmp_path, rows)
    assert placed(one) == placed(other)
    assert one.tasks.drop("source_file", strict=False).equals(other.tasks.drop("source_file", strict=False))


def test_answers_never_shape_a_task(tmp_path: Path) -> None:
    rng = random.Random(5)
    rows, same_prompts = shop(), shop()
    for row in same_prompts:
        answer(row, rng.choice(["yes", "no", '{"a": 1}']))
    assert placed(tasks_of(tmp_path, rows)) == placed(tasks_of(tmp_path, same_prompts))


def test_what_one_session_repeats_is_no_task(tmp_path: Path) -> None:
    again = "Please try the very same thing once more, and tell me what you see."
    tasks = tasks_of(tmp_path, [*shop(), *[pair(100 + i, "", again, session="loop") for i in range(30)]])
    assert {placed(tasks)[f"chatcmpl-{100 + i:05d}"] for i in range(30)} == {None}


def test_a_log_without_sessions_recurs_by_distinct_contents(tmp_path: Path) -> None:
    rng = random.Random(2)
    tasks = tasks_of(tmp_path, [pair(i, TRIAGE, ticket(rng)) for i in range(40)])
    assert tasks.tasks.get_column("recurrence_unit").to_list() == ["slot"]


def test_a_declared_step_names_its_task_and_one_that_mixes_prompts_is_split(tmp_path: Path) -> None:
    rng = random.Random(4)
    rows = [pair(i, TRIAGE if i % 2 else SUMMARY, ticket(rng), session=f"s{i // 2}", step="router") for i in range(60)]
    tasks = tasks_of(tmp_path, rows)
    assert tasks.tasks.height == 2
    assert all("router" in name for name in tasks.tasks.get_column("name"))


def test_a_declared_step_is_a_task_even_if_its_prompts_share_nothing(tmp_path: Path) -> None:
    rng = random.Random(6)
    rows = [
        pair(i, "", " ".join(gibberish(rng) for _ in range(9)), session=f"s{i}", step="small talk") for i in range(20)
    ]
    tasks = tasks_of(tmp_path, rows)
    assert tasks.tasks.get_column("step_names").to_list() == [["small talk"]]


def test_a_text_that_fewer_than_five_sessions_share_is_not_shown(tmp_path: Path) -> None:
    rng = random.Random(7)
    secret = "Merge the Falcon ledger with the Osprey ledger and list what differs."
    rows = [pair(1000 + i, secret, ticket(rng), session=f"s{i}") for i in range(4)]
    tasks = tasks_of(tmp_path, [*shop(), *rows])
    shown = " ".join([*tasks.tasks.get_column("name"), *tasks.tasks.get_column("skeleton")])
    assert tasks.tasks.height == 3
    assert "falcon" not in shown.lower()


def test_answer_keys_and_tools_that_fewer_than_five_sessions_share_are_not_named(tmp_path: Path) -> None:
    rows = shop(8)
    for row in rows:
        answer(row, '{"falcon": 1}')
    assert "falcon" not in " ".join(tasks_of(tmp_path, rows).tasks.get_column("name"))
    many = shop(60)
    for row in many:
        answer(row, '{"falcon": 1}')
    assert "falcon" in " ".join(tasks_of(tmp_path, many).tasks.get_column("name"))


def test_numbers_and_values_of_a_slot_are_not_shown(tmp_path: Path) -> None:
    rng = random.Random(8)
    rows = []
    for i in range(40):
        text = f"Ticket {rng.randrange(10**6)} of customer {rng.choice(['Ada', 'Bo', 'Cy'])}{i}: please help me now"
        rows.append(pair(i, TRIAGE, text, session=f"s{i}"))
    skeleton = tasks_of(tmp_path, rows).tasks.get_column("skeleton").item()
    assert "please help me now" in skeleton
    assert not any(name in skeleton for name in ("Ada", "Bo", "Cy"))
    assert not any(char.isdigit() for char in skeleton.replace("<one of 3 values>", "").replace("1 word", ""))


def test_calls_without_prompts_stay_unassigned_and_are_not_lost(tmp_path: Path) -> None:
    rows = shop(20)
    for row in rows:
        row["request"] = {"model": "gpt-4o"}
    tasks = tasks_of(tmp_path, rows)
    assert tasks.tasks.height == 0
    assert tasks.assignments.height == 20


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([TRIAGE, SUMMARY, ""]), st.text(max_size=40), st.integers(0, 6)),
        min_size=1,
        max_size=40,
    )
)
@pytest.mark.slow
def test_whatever_the_texts_every_call_is_placed_once_and_every_task_recurs(
    tmp_path: Path, rows: list[tuple[str, str, int]]
) -> None:
    tasks = tasks_of(
        tmp_path, [pair(i, system, user or "-", session=f"s{s}") for i, (system, user, s) in enumerate(rows)]
    )
    assert sorted(placed(tasks)) == sorted(f"chatcmpl-{i:05d}" for i in range(len(rows)))
    counted = (
        tasks.assignments.drop_nulls("task_id").group_by("task_id").agg(n=pl.len(), units=pl.col("unit_id").n_unique())
    )
    joined = tasks.tasks.join(counted, on="task_id")
    assert joined.height == tasks.tasks.height
    assert (joined["n"] == joined["n_calls"]).all()
    assert (joined["units"] >= 3).all()


def test_dropping_one_session_in_a_hundred_keeps_the_ids(tmp_path: Path) -> None:
    rows = shop(400)
    ids = set(tasks_of(tmp_path, rows).tasks.get_column("task_id"))
    fewer = [r for r in rows if r["session_id"] not in {"s7", "s19"}]
    assert set(tasks_of(tmp_path, fewer).tasks.get_column("task_id")) == ids


def test_the_items_hold_every_assigned_call_once(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, shop())
    assert tasks.items.get_column("n_calls").sum() == tasks.assignments.get_column("task_id").count()


def test_reading_twice_in_one_folder_adds_applications_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    log(folder, shop(), "shop.jsonl")
    tasks = sl.discover_tasks(sl.read_logs(folder))
    assert set(tasks.tasks.get_column("application")) == {"shop"}
