"""Even a tool that looks at answers may not make tasks of them: the prompt alone has to give the same parts."""

from __future__ import annotations

from pathlib import Path

import pytest

import slmlens as sl
from benchmarks.task_traps import BARE, split_by_answers
from slmlens.tasks.discover import discover_tasks


@pytest.mark.parametrize("name", ["coin_flip", "coin_flip_repeats"])
@pytest.mark.slow
def test_a_coin_flip_stays_one_task_although_its_answers_fall_into_three_parts(traps: Path, name: str) -> None:
    left, parts, reproduced = split_by_answers(discover_tasks(sl.read_logs(traps / f"{name}.jsonl"), settings=BARE))
    assert (left, parts) == (1, 3)
    assert abs(reproduced) < 0.05


@pytest.mark.slow
def test_parts_that_the_prompt_gives_away_would_stay(traps: Path) -> None:
    _, parts, reproduced = split_by_answers(discover_tasks(sl.read_logs(traps / "planted_rule.jsonl"), settings=BARE))
    assert parts == 3
    assert reproduced > 0.7  # 0.80 to 0.89 over eight keys of the ids, which deal the sessions to the halves
