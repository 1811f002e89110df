"""Tables and charts of one task: what is drawn is what is believed, and nothing of a log is markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.reporting.belief_chart import MODES, belief_chart, drawn, pilot_chart, prior_of
from slmlens.reporting.curve_chart import curve_chart
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.one_task import (
    NONE_TO_SHOW,
    OneTask,
    bar_grid,
    before_a_model,
    differences,
    look_at,
    loop_words,
    models_grid,
    pilots_grid,
    probes_grid,
    probes_words,
    signals_grid,
)
from slmlens.suitability.posterior import LOOKS
from tests.suitability.test_assess import graded, tickets
from tests.suitability.trap_logs import pair, tasks_of
from tests.test_notebooks import write_log

VIEWS = (
    signals_grid,
    bar_grid,
    probes_grid,
    probes_words,
    loop_words,
    before_a_model,
    models_grid,
    belief_chart,
    pilot_chart,
)
NASTY = "<b>x</b> $a$ \u202e"


def looked_at(rows: list[dict[str, Any]], **assessed: Any) -> tuple[sl.Tasks, OneTask]:
    tasks = tasks_of(rows)
    plan = sl.plan(sl.assess(tasks, **assessed))
    one = look_at(plan, sl.report(plan))
    assert isinstance(one, OneTask)
    return tasks, one


@pytest.fixture(scope="module")
def learnable() -> tuple[sl.Tasks, OneTask]:
    return looked_at(tickets(sessions=1))


def test_the_bars_are_the_posterior_and_the_dark_ones_the_chance_of_parity(learnable: tuple[sl.Tasks, OneTask]) -> None:
    _, one = learnable
    judged = one.belief.judged
    data = belief_chart(one).data
    for trace, mode in zip(data[::2], (judged.swap, judged.tuned), strict=True):
        assert trace.y.sum() == pytest.approx(1.0)
        dark = [share for share, x in zip(trace.y, trace.x, strict=True) if x >= judged.target.point]
        assert sum(dark) == pytest.approx(mode.posterior.p_parity, abs=1e-6), "no ceiling is known: the bar is a line"
    assert drawn(prior_of(judged.swap, judged)) == pytest.approx(data[1].y)
    assert np.allclose(data[0].y, data[1].y), "nothing was graded as it is: the prior stands"
    assert not np.allclose(data[2].y, data[3].y), "the probe has moved the belief of a tuned one"


def test_each_row_of_the_pilot_chart_adds_up_to_one(learnable: tuple[sl.Tasks, OneTask]) -> None:
    traces = pilot_chart(learnable[1]).data
    total = np.sum([trace.x for trace in traces], axis=0)
    assert total == pytest.approx(np.ones(len(MODES) * len(LOOKS)))
    assert [trace.name for trace in traces] == ["Shown", "Likely", "Open", "Unlikely"]


def test_probes_stand_beside_constant_and_null_and_more_examples_are_drawn(
    learnable: tuple[sl.Tasks, OneTask],
) -> None:
    tasks, one = learnable
    grid = probes_grid(one)
    assert isinstance(grid, Grid)
    assert grid.frame.get_column("probe").to_list()[0] == "classifier: the answer"
    assert grid.frame.row(0, named=True)["by chance"] == "p < 0.001"
    assert "A probe learned the answers" in repr(probes_words(one))
    measured = curve_chart(tasks, one).data[1]
    assert measured.name == "measured"
    assert measured.y[-1] > 0.95
    assert differences(one) == []


def test_a_tuned_model_stands_before_its_stand_ins_beside_the_same_constant() -> None:
    _, one = looked_at(tickets(sessions=1), probes=[graded(0.5, 60, "tuned")])
    grid = probes_grid(one)
    assert isinstance(grid, Grid)
    names = grid.frame.get_column("probe").to_list()
    assert names[:2] == ["Granite, tuned on this task", "classifier: the answer"]
    assert grid.frame.item(0, "later sessions").startswith("50 %")


def test_a_verdict_that_is_not_the_one_of_the_run_is_found_out(learnable: tuple[sl.Tasks, OneTask]) -> None:
    from dataclasses import replace

    _, one = learnable
    other = replace(one, verdict={**one.verdict, "grade": "A", "tuned": {**one.verdict["tuned"], "p_parity": 0.1}})
    assert differences(other) == ["grade", "tuned"]


def test_small_models_stand_by_name_with_both_chances_and_the_priced_one_is_told(
    learnable: tuple[sl.Tasks, OneTask],
) -> None:
    grid = models_grid(learnable[1])
    assert isinstance(grid, Grid)
    rows = {row["small model"]: row for row in grid.frame.to_dicts()}
    chances = {slm: (row["as it is"], row["tuned"]) for slm, row in rows.items() if not row[""]}
    assert all(as_it_is and tuned for as_it_is, tuned in chances.values())
    assert all(row["as it is"] == row["tuned"] == "" for row in rows.values() if row[""] == "ruled out")
    assert [row["what to know"].endswith("priced as it is and tuned.") for row in rows.values()].count(True) == 1
    assert rows["Llama-3.2-1B-Instruct"]["tuned"] != rows["Qwen3-8B"]["tuned"]


def test_a_pilot_of_the_task_is_what_the_chart_says_it_rests_on() -> None:
    _, one = looked_at(tickets(sessions=1), probes=[graded(0.9, 60)])
    titles = [note["text"] for note in belief_chart(one).to_plotly_json()["layout"]["annotations"][:2]]
    assert "answers of Granite were graded" in titles[0]
    assert "prior and probe" in titles[1]


@pytest.mark.parametrize(
    "rows",
    [
        [pair(i, f"order {i} of client {i % 7}", "OK", f"s{i}", day=i / 20) for i in range(120)],
        tickets(12),
        [pair(i, f"write about {i} {NASTY}", f"{NASTY} text {i} of a kind " * 3, f"s{i}", day=i) for i in range(60)],
    ],
    ids=["one answer", "too few", "free text"],
)
def test_every_view_of_an_odd_task_says_something_and_is_no_markup(rows: list[dict[str, Any]]) -> None:
    tasks, one = looked_at(rows)
    for view in (*VIEWS, lambda task: curve_chart(tasks, task)):
        seen = view(one)
        words = (
            json.dumps(seen.to_plotly_json(), default=str) if hasattr(seen, "to_plotly_json") else seen._repr_html_()
        )
        assert words
        assert "<b>x</b>" not in words
        assert "\u202e" not in words


def test_a_log_without_answers_has_one_sentence_for_every_view(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 20, no_prompts=True)
    tasks = sl.discover_tasks(sl.read_logs(tmp_path))
    plan = sl.plan(sl.assess(tasks))
    summary = sl.report(plan)
    one = look_at(plan, summary)
    assert isinstance(one, Words)
    assert {repr(view(one)) for view in VIEWS} == {NONE_TO_SHOW}
    assert repr(curve_chart(tasks, one)) == NONE_TO_SHOW
    assert differences(one) == []
    assert "No pilot of this log" in repr(pilots_grid(summary))


def test_another_task_is_taken_by_name_or_id_and_an_unknown_one_is_told_which_there_are(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50)
    plan = sl.plan(sl.assess(sl.discover_tasks(sl.read_logs(tmp_path))))
    summary = sl.report(plan)
    (record,) = summary["tasks"]
    for task in (record["task_id"], record["name"], None):
        one = look_at(plan, summary, task)
        assert isinstance(one, OneTask)
        assert one.record["task_id"] == record["task_id"]
    with pytest.raises(SettingError, match=record["task_id"]):
        look_at(plan, summary, "no such task")
