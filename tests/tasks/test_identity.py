"""A task keeps its id from run to run, and what became of each is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import polars as pl
import pytest

import slmlens as sl
from slmlens.errors import RunFolderError
from slmlens.reporting.lineage import lineage_record
from slmlens.reporting.summary import summary_schema
from slmlens.settings import Settings
from slmlens.tasks.identity import fresh_id
from slmlens.tasks.lineage import with_earlier_ids
from slmlens.tasks.taskset import TaskSet
from tests.tasks.shop import STEPS, ids, shop
from tests.tasks.world import Record, log, pair, tasks_of


def tasks_in(folder: Path, rows: list[Record]) -> sl.Tasks:
    folder.mkdir(exist_ok=True)
    return tasks_of(folder, rows)


def changes(tasks: sl.Tasks) -> list[tuple[str, str | None, str | None]]:
    assert tasks.lineage is not None
    return sorted(tasks.lineage.select("change", "task_id", "earlier_id").rows(), key=str)


OLD = {step: f"t-old{at}" for at, step in enumerate(STEPS)}


def earlier(tasks: sl.Tasks, steps: Sequence[str] = tuple(STEPS)) -> TaskSet:
    mine = ids(tasks)
    return tasks.task_set.renamed({mine[step]: OLD[step] for step in steps})


def test_the_same_log_keeps_every_earlier_id_in_every_table(tmp_path: Path) -> None:
    tasks = tasks_in(tmp_path, shop())
    after = with_earlier_ids(tasks, earlier(tasks))
    assert ids(after) == OLD
    assert set(after.tasks.get_column("task_id")) == set(OLD.values())
    assert set(after.items.get_column("skeleton_id")) == set(OLD.values())
    assert after.items.get_column("item_id").n_unique() == tasks.items.height
    assert set(after.task_set.task_of_site.values()) == set(OLD.values())
    assert changes(after) == sorted(("kept", old, old) for old in OLD.values())


def test_logs_without_a_call_in_common_are_matched_by_the_earlier_rule(tmp_path: Path) -> None:
    before = tasks_in(tmp_path / "a", shop())
    after = with_earlier_ids(tasks_in(tmp_path / "b", shop(seed=8, start=300)), earlier(before))
    assert set(after.tasks.get_column("task_id")) == set(OLD.values())
    assert {change for change, _, _ in changes(after)} == {"kept"}


def test_new_and_gone_tasks_are_told_and_a_new_one_takes_no_used_id(tmp_path: Path) -> None:
    steps = tuple(STEPS)
    before = tasks_in(tmp_path / "a", shop(steps[:4]))
    after = with_earlier_ids(tasks_in(tmp_path / "b", shop(steps[:3] + steps[4:])), before.task_set)
    told = {change: (new, old) for change, new, old in changes(after)}
    kept = [new for change, new, _ in changes(after) if change == "kept"]
    assert len(kept) == 3
    assert told["new"][0] not in set(before.tasks.get_column("task_id"))
    assert told["gone"][1] in set(before.tasks.get_column("task_id")) - set(kept)


def test_a_task_that_the_data_split_is_told_and_its_larger_part_keeps_the_id(tmp_path: Path) -> None:
    tasks = tasks_in(tmp_path, shop(tuple(STEPS)[:3]))
    mine = list(tasks.task_set.tasks.get_column("task_id"))
    sizes = dict(tasks.tasks.select("task_id", "n_units").rows())
    large, small, other = sorted(mine, key=lambda t: -sizes[t])
    as_one = tasks.task_set.renamed({large: "t-both", small: "t-both", other: "t-other"})
    after = with_earlier_ids(tasks, as_one)
    assert ("kept", "t-both", "t-both") in changes(after)
    assert ("split", small, "t-both") in changes(after)


def test_tasks_that_the_data_merged_are_told_and_the_larger_id_stays(tmp_path: Path) -> None:
    tasks = tasks_in(tmp_path, shop(tuple(STEPS)[:3]))
    sizes = dict(tasks.tasks.select("task_id", "n_units").rows())
    large, small, _ = sorted(sizes, key=lambda t: -sizes[t])
    merged = replace(
        tasks,
        tasks=tasks.tasks.filter(pl.col("task_id") != small),
        assignments=tasks.assignments.with_columns(pl.col("task_id").replace({small: large})),
    )
    after = with_earlier_ids(merged, tasks.task_set)
    assert ("kept", large, large) in changes(after)
    assert ("merged", large, small) in changes(after)


def test_a_prompt_edited_between_the_logs_keeps_its_id_by_its_phrases(tmp_path: Path) -> None:
    long = (
        "You are the desk that reads letters of customers. Read the whole letter, find the order it is about, say what "
        "the customer wants, say how angry the customer is on a scale of five, and name the team that should answer. "
    )
    ends = ("Answer as JSON.", "Answer in one line, and never guess the order number.")
    before, after = ([pair(i, long + end, f"letter {i}", f"s{i}") for i in range(24)] for end in ends)
    first = tasks_in(tmp_path / "a", before)
    second = with_earlier_ids(tasks_in(tmp_path / "b", after), first.task_set)
    assert first.tasks.get_column("task_id").to_list() == second.tasks.get_column("task_id").to_list()


def test_a_fresh_id_is_never_one_in_use() -> None:
    assert fresh_id("t-a", set()) == "t-a"
    second = fresh_id("t-a", {"t-a"})
    assert fresh_id("t-a", {"t-a", second}) not in {"t-a", second}


@pytest.mark.slow
def test_a_run_after_another_tells_its_lineage_and_resumes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    steps = tuple(STEPS)
    first = sl.analyse(log(tmp_path / "logs", shop(steps[:4])), out=tmp_path / "october")
    later = log(tmp_path / "logs", shop(steps[1:]), "november.jsonl")
    run = sl.analyse(later, out=tmp_path / "november", settings=Settings(previous=tmp_path / "october"))
    summary = run.summary()
    jsonschema.validate(summary, summary_schema())
    assert summary["lineage"]["counts"] == {"kept": 3, "split": 0, "merged": 0, "new": 1, "gone": 1}
    assert any(line.startswith("Task ids come from an earlier run: 3 kept") for line in summary["method"])
    assert "from an earlier run" in run.path("report.html").read_text()
    old, new = (set(r.read_frame("tasks").get_column("task_id")) for r in (first, run))
    assert len(old & new) == 3
    assert first.summary()["lineage"] is None
    made = run.path("taskset.json").stat().st_mtime_ns
    again = sl.analyse(later, out=tmp_path / "november", settings=Settings(previous=tmp_path / "october"))
    assert again.path("taskset.json").stat().st_mtime_ns == made
    assert json.loads(again.path("summary.json").read_text()) == summary


def test_an_earlier_run_without_tasks_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    place = log(tmp_path, shop())
    with pytest.raises(RunFolderError, match="no run with tasks"):
        sl.analyse(place, out=tmp_path / "out", settings=Settings(previous=tmp_path / "nowhere"))
    assert not (tmp_path / "out").exists()


def test_without_an_earlier_run_nothing_is_said_of_one(tmp_path: Path) -> None:
    assert lineage_record(tasks_in(tmp_path, shop())) is None
