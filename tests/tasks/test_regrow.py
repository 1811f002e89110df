"""A run that follows another cuts its log as that one did, unless the log says otherwise beyond doubt."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import slmlens as sl
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.lineage import with_earlier_ids
from slmlens.tasks.taskset import TaskSet, assign_calls
from slmlens.tasks.taskset_json import dump_task_set
from tests.tasks.shop import STEPS, shop
from tests.tasks.test_versions import OTHER, PROMPT, RARE
from tests.tasks.test_versions import shop as repair_shop
from tests.tasks.world import Record, log, pair

BARE = DiscoverySettings(fits=0)


def read(folder: Path, rows: list[Record]) -> sl.Calls:
    folder.mkdir(exist_ok=True, parents=True)
    return sl.read_logs(log(folder, rows))


def following(calls: sl.Calls, earlier: TaskSet) -> sl.Tasks:
    return with_earlier_ids(discover_tasks(calls, settings=BARE, earlier=earlier), earlier)


def sessions(rows: list[Record], kept: set[str]) -> list[Record]:
    return [row for row in rows if row["session_id"] in kept]


def test_the_same_log_gives_the_same_tasks_and_the_same_saved_rule(tmp_path: Path) -> None:
    calls = read(tmp_path, shop())
    first = discover_tasks(calls, settings=BARE)
    again = following(calls, first.task_set)
    assert again.tasks.equals(first.tasks)
    assert again.assignments.equals(first.assignments)
    assert dump_task_set(again.task_set) == dump_task_set(first.task_set)


@pytest.mark.parametrize("seed", range(4))
def test_whichever_sessions_are_missing_no_call_changes_its_task(tmp_path: Path, seed: int) -> None:
    rows = repair_shop(12, RARE, 4)
    first = discover_tasks(read(tmp_path / "all", rows), settings=BARE)
    kept = set(random.Random(seed).sample([f"s{s}" for s in range(12)], 9)) | {"s0", "s1", "s2"}
    fewer = following(read(tmp_path / "some", sessions(rows, kept)), first.task_set)
    both = fewer.assignments.join(first.assignments, on="call_id", suffix="_first")
    assert both.get_column("task_id").to_list() == both.get_column("task_id_first").to_list()


def test_the_saved_rule_places_the_calls_as_the_run_did(tmp_path: Path) -> None:
    first = discover_tasks(read(tmp_path / "a", shop(tuple(STEPS)[:3])), settings=BARE)
    calls = read(tmp_path / "b", shop(seed=4, start=200))
    second = following(calls, first.task_set)
    placed = assign_calls(second.task_set, calls).select("call_id", "task_id")
    assert placed.equals(second.assignments.select("call_id", "task_id"))


def test_a_step_that_is_new_becomes_a_task_beside_those_that_are_kept(tmp_path: Path) -> None:
    steps = tuple(STEPS)
    first = discover_tasks(read(tmp_path / "a", shop(steps[:4])), settings=BARE)
    second = following(read(tmp_path / "b", shop(steps, seed=3, start=500)), first.task_set)
    kept, now = (set(tasks.tasks.get_column("task_id")) for tasks in (first, second))
    assert kept < now
    assert second.tasks.height == 5


@pytest.mark.parametrize(("with_rare", "tasks"), [(4, 2), (9, 3)])
def test_a_kept_task_is_split_only_where_either_half_of_the_log_could_show_it(
    tmp_path: Path, with_rare: int, tasks: int
) -> None:
    first = discover_tasks(read(tmp_path / "a", repair_shop(12, RARE, 3)), settings=BARE)
    assert first.tasks.height == 2
    calls = read(tmp_path / "b", repair_shop(12, RARE, with_rare))
    assert discover_tasks(calls, settings=BARE).tasks.height == 3
    assert following(calls, first.task_set).tasks.height == tasks


def test_what_the_earlier_run_told_apart_stays_apart(tmp_path: Path) -> None:
    first = discover_tasks(read(tmp_path / "a", repair_shop(12, RARE, 8)), settings=BARE)
    calls = read(tmp_path / "b", repair_shop(12, RARE, 3))
    assert discover_tasks(calls, settings=BARE).tasks.height == 2
    assert following(calls, first.task_set).tasks.height == first.tasks.height == 3


def test_an_earlier_run_of_other_agents_changes_nothing(tmp_path: Path) -> None:
    strangers = discover_tasks(read(tmp_path / "a", repair_shop(12, RARE, 8)), settings=BARE)
    calls = read(tmp_path / "b", shop())
    alone, after = discover_tasks(calls, settings=BARE), following(calls, strangers.task_set)
    assert after.tasks.equals(alone.tasks)
    assert after.assignments.equals(alone.assignments)


@pytest.mark.slow
def test_a_run_keeps_following_month_after_month(tmp_path: Path) -> None:
    words = [PROMPT, OTHER]
    before = None
    seen: set[str] = set()
    for month in range(4):
        new = f"Step {'abcd'[month] * 3}: please write the {'abcd'[month] * 5} of the week for the owner in one line."
        words.append(new)
        rows = [
            pair(1000 * at + s, text, f"ticket {month} {s} {at}", f"m{month}s{s}")
            for at, text in enumerate(words)
            for s in range(8)
        ]
        calls = read(tmp_path / f"month{month}", rows)
        tasks = discover_tasks(calls, settings=BARE) if before is None else following(calls, before)
        now = set(tasks.tasks.get_column("task_id"))
        assert seen <= now
        assert len(now) == 3 + month
        before, seen = tasks.task_set, now


def test_the_order_of_rows_never_matters(tmp_path: Path) -> None:
    rows = repair_shop(12, RARE, 4)
    first = discover_tasks(read(tmp_path / "a", repair_shop(12, RARE, 8)), settings=BARE)
    mixed = random.Random(1).sample(rows, len(rows))
    one, other = (following(read(tmp_path / name, log_), first.task_set) for name, log_ in (("b", rows), ("c", mixed)))
    assert one.tasks.drop("application").equals(other.tasks.drop("application"))
    assert (
        one.assignments.sort("call_id")
        .select("call_id", "task_id")
        .equals(other.assignments.sort("call_id").select("call_id", "task_id"))
    )
