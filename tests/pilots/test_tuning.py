"""What a pilot that tunes here trains on and asks, told without any model."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

import slmlens as sl
from slmlens.errors import MissingExtraError, RunFolderError, SettingError
from slmlens.pilots.grading import Drawn
from slmlens.pilots.tuning import MOST_CALLS, _dataset, _examples, _need_enough
from slmlens.specialists import base_models
from slmlens.specialists.slm_probe import ProbeSettings
from slmlens.suitability.pilot import observed_task
from slmlens.suitability.pilot_sample import draw_pilot
from slmlens.suitability.settings import AssessSettings
from tests.suitability.trap_logs import pair, tasks_of

HEADS, TAILS = ("blu", "gre", "tal", "sol", "mir", "cop", "dar", "fen"), ("ish", "ant", "ory", "ide")
THINGS = [f"{head}{tail}" for head in HEADS for tail in TAILS]


def tickets(calls: int, per_session: int, *, words: int = 6) -> sl.Tasks:
    rng = random.Random(calls)
    rows = [
        pair(i, " ".join(rng.sample(THINGS, words)), {"a": i % 3}, f"s{i // per_session}", day=28 * i / calls)
        for i in range(calls)
    ]
    return tasks_of(rows)


def drawn(tasks: sl.Tasks) -> Drawn:
    observed = observed_task(tasks, "task")
    assert observed is not None
    sample = draw_pilot(observed, AssessSettings(), 0, task_calls=len(observed))
    assert sample is not None
    return Drawn(None, tasks, "task", sample)


@pytest.mark.parametrize(("calls", "per_session"), [(400, 1), (600, 3), (3_000, 2)])
def test_nothing_that_is_asked_or_like_it_or_of_its_session_is_trained_on(calls: int, per_session: int) -> None:
    of = drawn(tickets(calls, per_session))
    dataset = _dataset(of)
    train, validation, asked = _examples(dataset, ProbeSettings(), 4.0)
    later = of.sample.drop_nulls("later_position").sort("later_position").get_column("call_id").to_list()
    assert len(asked) == MOST_CALLS
    assert {one.call_id for one in asked} == set(later[:MOST_CALLS])
    side = {call_id: rest for call_id, *rest in dataset.frame.select("call_id", "unit", "leak_group").iter_rows()}
    for name in (0, 1):
        tested = {side[one.call_id][name] for one in asked}
        assert tested.isdisjoint(side[one.call_id][name] for one in (*train, *validation))
    at = dict(of.tasks.calls.calls.select("call_id", "started_at").iter_rows())
    assert max(at[one.call_id] for one in train) < min(at[one.call_id] for one in asked)


def test_a_task_with_few_later_sessions_is_refused() -> None:
    of = drawn(tickets(90, 1))
    with pytest.raises(SettingError, match=r"later sessions could test a model"):
        _dataset(of)


def test_a_task_whose_prompts_are_all_alike_is_refused() -> None:
    rows = [pair(i, f"ticket {i}", {"a": i % 3}, f"s{i}", day=28 * i / 400) for i in range(400)]
    of = drawn(tasks_of(rows))
    with pytest.raises(SettingError, match=r"Only 0 earlier calls are unlike those to be graded"):
        _need_enough(_dataset(of), of.task_id)


def test_without_the_extra_pilot_and_probe_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_models, "find_spec", lambda _name: None)
    tasks = tickets(400, 1)
    with pytest.raises(MissingExtraError, match=r'pip install "slmlens\[tune\]"'):
        sl.pilot(tasks, "task", tune_locally=True)
    with pytest.raises(MissingExtraError, match=r'pip install "slmlens\[tune\]"'):
        sl.assess(tasks, probes=[sl.slm_probe()])


def test_answers_from_elsewhere_and_tuning_are_not_one_pilot(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="Take one, then the other"):
        sl.pilot(tickets(90, 1), "task", answers=tmp_path / "a.jsonl", model="m", tune_locally=True)


def test_an_empty_run_keeps_no_tuned_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("slmlens.specialists.base_models.base_model", lambda _base: base_models.BaseModel("m", "m"))
    with pytest.raises(RunFolderError, match="The run holds nothing yet"):
        sl.slm_probe(run=sl.open_run(tmp_path / "run"), force=True)(tickets(300, 1))


def test_a_task_that_is_not_there_is_not_probed_in_silence() -> None:
    with pytest.raises(SettingError, match="There is no task t-none"):
        sl.slm_probe(only=["t-none"])(tickets(90, 1))


def test_chance_is_refused_before_any_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.setattr("slmlens.specialists.base_models.base_model", lambda _base: base_models.BaseModel("m", "m"))
    monkeypatch.setattr("slmlens.specialists.base_models.load_base", load)
    rng = random.Random(2)
    rows = [
        pair(i, " ".join(rng.sample(THINGS, 6)), {"a": rng.randrange(3)}, f"s{i}", day=28 * i / 400) for i in range(400)
    ]
    said: list[str] = []
    found = sl.slm_probe(say=said.append)(tasks_of(rows))
    assert found.height == 0
    assert "There is nothing to learn" in said[0]
    assert isinstance(found, pl.DataFrame)
