"""Six thousand real calls of five agents, with the phases and categories their authors gave them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import slmlens as sl
from tests.tasks.world import agreement


@pytest.fixture(scope="module")
def found(shared: Path) -> tuple[sl.Tasks, list[dict[str, str]]]:
    tasks = sl.discover_tasks(sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz"))
    with (shared / "bench" / "agents_mixed.gold.csv").open() as handle:
        return tasks, list(csv.DictReader(handle))


def test_tasks_match_the_agents_real_steps(found: tuple[sl.Tasks, list[dict[str, str]]]) -> None:
    tasks, gold = found

    def ami(application: str) -> float:
        return agreement(tasks, {r["call_id"]: r["gold_task"] for r in gold if r["application"] == application})

    assert (ami("chatdev") + ami("mint")) / 2 >= 0.77


def test_there_are_tens_of_tasks_and_almost_every_call_is_in_one(found: tuple[sl.Tasks, list[dict[str, str]]]) -> None:
    tasks, _ = found
    assert 25 <= tasks.tasks.height <= 80
    assert tasks.assignments.get_column("task_id").null_count() <= 0.03 * tasks.assignments.height


def test_agents_that_share_no_session_are_different_applications(found: tuple[sl.Tasks, list[dict[str, str]]]) -> None:
    tasks, gold = found
    application = dict(tasks.tasks.select("task_id", "application").rows())
    of_call = {c: application[t] for c, t in tasks.assignments.select("call_id", "task_id").rows() if t}
    agents: dict[str, set[str]] = {}
    for row in gold:
        if row["call_id"] in of_call:
            agents.setdefault(row["application"], set()).add(of_call[row["call_id"]])
    assert not agents["chatdev"] & (agents["tau"] | agents["metagpt"] | agents["mint"] | agents["autogpt"])


def test_names_are_all_different(found: tuple[sl.Tasks, list[dict[str, str]]]) -> None:
    names = found[0].tasks.get_column("name")
    assert names.n_unique() == len(names)
