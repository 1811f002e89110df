"""``slmlens models`` lists the catalogue, shows a model with all its figures, and explains the models of a task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slmlens.cli import app
from slmlens.errors import RunFolderError, SettingError
from slmlens.models_page import models_record, models_text
from slmlens.savings.catalogue import read_figures, small_models
from tests.reporting.factory import make_summary, product


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "summary.json").write_text(json.dumps(make_summary(product())), encoding="utf-8")
    return folder


def test_the_list_names_every_model_smallest_first():
    lines = said().splitlines()
    names = [line.split(" ")[0] for line in lines[1 : 1 + len(small_models())]]
    assert names == [model.name for model in small_models()]
    assert json.loads(said("--json"))["models"][0]["model"] == names[0]


def test_the_list_shows_no_score_of_a_model_that_was_thinking():
    thought = read_figures().filter(thinking="yes", harness="BFCL leaderboard", model="Qwen3-8B")
    assert thought.height == 5
    listed = {row["model"]: row["figures"] for row in models_record()["models"]}
    assert "BFCL v4 live" not in listed["Qwen3-8B"]
    assert "BFCL v4 live" in listed["Llama-3.1-8B-Instruct"]


@pytest.mark.parametrize("name", [model.name for model in small_models()])
def test_a_model_is_shown_with_each_figure_its_source_and_its_trap(name):
    text = models_text(models_record(name))
    for row in read_figures().filter(model=name).iter_rows(named=True):
        assert any(
            row["benchmark"] in line and row["source"] in line and (row["trap"] or "") in line
            for line in text.splitlines()
        )


def test_what_no_second_source_confirms_is_said_so():
    assert "not confirmed: window" in said("Qwen2.5-3B-Instruct")
    assert "no commercial use" in said("Qwen2.5-3B-Instruct")


def test_a_task_says_which_models_it_can_take_and_why_not_the_others(run):
    task = make_summary(product())["tasks"][0]
    text = said("--task", task["task_id"], "--run", str(run))
    assert text == said("--task", task["name"], "--run", str(run))
    for candidate in task["candidates"]:
        assert candidate["slm"] in text
        assert candidate["reason"] in text
    for one in task["picks"]:
        assert one["note"] in text
    assert "Context, not evidence" in text
    assert json.loads(said("--task", task["task_id"], "--run", str(run), "--json"))["candidates"] == task["candidates"]


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        ({"name": "Qwen3-8"}, SettingError, "'Qwen3-8B'"),
        ({"task": "x"}, SettingError, "--task ID --run RUN"),
        ({"task": "x", "run": "here", "name": "Qwen3-8B"}, SettingError, "--task ID --run RUN"),
        ({"task": "no such task", "run": "here"}, SettingError, "name one by its id"),
        ({"task": "x", "run": "nowhere"}, RunFolderError, "slmlens run"),
    ],
)
def test_what_can_not_be_shown_is_answered_with_the_next_step(run, arguments, error, hint):
    places = {"here": run, "nowhere": run / "nowhere"}
    given = {name: places.get(value, value) if name == "run" else value for name, value in arguments.items()}
    with pytest.raises(error) as caught:
        models_record(given.get("name"), run=given.get("run"), task=given.get("task"))
    assert hint in caught.value.next_step
