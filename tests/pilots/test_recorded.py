"""Recorded pilots: another model's log is matched by its prompts, and speaks for what it holds only."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import slmlens as sl
from slmlens.cli import app
from slmlens.errors import InputError, RunFolderError, SettingError
from slmlens.pilots.page import ask, first_pilot, kept_as_graded, look_again, tune
from slmlens.pilots.pilot import Pilot
from slmlens.pilots.recorded import matches, read_recorded
from slmlens.pilots.store import stored_tasks
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.moved import moved_grid
from slmlens.reporting.one_task import OneTask, differences
from slmlens.run import open_run
from slmlens.settings import stored_settings
from slmlens.suitability.judge import grade_of
from slmlens.suitability.posterior import Graded, Target, meets_target, posterior_of_a
from slmlens.suitability.priors import Prior
from slmlens.suitability.recorded import prompts_of
from tests.tasks.world import answer, log, pair

SYSTEM = "You are the triage agent of a shop. Answer with the intent of the ticket as JSON, and nothing else please."
INTENTS = ("billing", "refund", "tech")
SESSIONS = 160
SMALL = "Qwen3-8B"


def records(model: str, *, shift: int = 0, asked: range = range(SESSIONS)) -> list[dict[str, Any]]:
    """A ticket a session; a model with a shift gives the next intents of the list."""
    rng = random.Random(1)
    rows = []
    for i in range(SESSIONS):
        words = " ".join(rng.choices(["hello", "please", "order", "thanks", "again"], k=5))
        place = rng.randrange(3)
        if i not in asked:
            continue
        prompt = f"{words}, no {i} writes client{i}@example.com"
        row = pair(i, SYSTEM, prompt, f"{model}-s{i}", timestamp=f"2026-10-{i // 9 + 1:02d}T{i % 9 + 8:02d}:00:00Z")
        row["request"]["model"] = f"{model}-latest"
        row["response"] |= {"id": f"{model}-{i}", "model": model}
        answer(row, json.dumps({"intent": INTENTS[(place + shift) % 3], "for": f"client{i}@example.com"}))
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = log(tmp_path_factory.mktemp("log"), records("gpt-4o"))
    return sl.analyse(source, out=tmp_path_factory.mktemp("runs") / "run").folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(made, tmp_path / "run"))


def task_of(run: Path) -> str:
    return str(pl.read_parquet(run / "tasks.parquet").item(0, "task_id"))


def second_log(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    return log(folder, rows)


def recorded(run: Path, rows: list[dict[str, Any]], **given: Any) -> Pilot:
    folder = run.parent / f"second{len(list(run.parent.iterdir()))}"
    return sl.pilot(run, task_of(run), recorded=second_log(folder, rows), **given)


def verdict(run: Path) -> dict[str, Any]:
    return pl.read_parquet(run / "verdicts.parquet").row(0, named=True)


def test_a_log_of_the_same_prompts_is_a_pilot_though_its_placeholders_differ(run: Path) -> None:
    found = recorded(run, records(SMALL))
    (row,) = found.evidence.to_dicts()
    assert (row["slm"], row["n"], row["agreement"], row["covered"]) == (SMALL, 120, 1.0, 1.0)
    assert f"{SESSIONS} of {SESSIONS} usable calls (100%) have a recorded answer of {SMALL}" in found.said
    assert verdict(run)["evidence"] == "shown"
    assert verdict(run)["grade"] == "A"
    stored = b"".join(path.read_bytes() for path in (run / "pilots").rglob("*") if path.is_file())
    assert b"client" not in stored
    assert b"billing" not in stored


def test_wrong_recorded_answers_rule_the_model_out(run: Path) -> None:
    found = recorded(run, records(SMALL, shift=1))
    assert found.evidence.item(0, "agreement") == 0
    assert verdict(run)["swap"]["p_parity"] < 0.01


def test_recorded_failures_count_as_wrong(run: Path) -> None:
    rows = records(SMALL)
    for row in rows[::2]:
        row["response"] = {"error": {"message": "overloaded", "type": "server_error"}}
    found = recorded(run, rows)
    assert 0.3 < found.evidence.item(0, "agreement") < 0.7
    assert "no answer" in found.said


def test_calls_without_a_recorded_answer_are_neither_right_nor_wrong_and_keep_the_grade_at_b(run: Path) -> None:
    found = recorded(run, records(SMALL, asked=range(60, SESSIONS)))
    row = found.evidence.row(0, named=True)
    assert row["agreement"] == 1.0
    assert row["covered"] == pytest.approx(100 / 160)
    assert "grade B is the most" in found.said
    assert verdict(run)["grade"] == "B"
    assert verdict(run)["evidence"] in {"likely", "open"}
    assert verdict(run)["swap"]["p_parity"] < 0.8, "nothing is known of the other calls"


def test_too_few_recorded_answers_are_refused_with_their_number(run: Path) -> None:
    with pytest.raises(SettingError, match="20 independent calls of the task have a recorded answer"):
        recorded(run, records(SMALL, asked=range(20)))
    assert not (run / "pilots").exists()


def test_the_same_log_again_changes_nothing_and_a_better_one_replaces_it(run: Path) -> None:
    rows = records(SMALL, shift=1)
    first = recorded(run, rows)
    again = recorded(run, rows[::-1])
    assert again.grades.equals(first.grades)
    assert "The verdict stays" in again.said
    better = recorded(run, records(SMALL))
    assert "120 grades changed" in better.said
    assert verdict(run)["evidence"] == "shown"


def test_the_runs_own_log_is_no_other_model(run: Path) -> None:
    with pytest.raises(InputError, match="run's own calls"):
        recorded(run, records("gpt-4o"))


def test_a_log_of_several_models_asks_for_one_and_an_unnamed_one_for_a_name(run: Path) -> None:
    both = [*records(SMALL), *records("Llama-3.1-8B-Instruct", shift=1)]
    with pytest.raises(SettingError, match=r"several models \(Llama-3.1-8B-Instruct, Qwen3-8B\)"):
        recorded(run, both)
    assert recorded(run, both, model="qwen3-8b").evidence.item(0, "agreement") == 1.0
    bare = records(SMALL)
    for row in bare:
        row["request"].pop("model", None)
        row["response"].pop("model")
    with pytest.raises(SettingError, match="doesn't name the model"):
        recorded(run, bare)
    assert recorded(run, bare, model="ours").evidence.item(0, "slm") == "ours"


def test_a_fourth_model_is_refused_recorded_ones_counted(run: Path) -> None:
    for name in ("a", "b", "c"):
        recorded(run, records(name, shift=1))
    with pytest.raises(SettingError, match="3 small models were piloted"):
        recorded(run, records("d"))


def test_a_model_that_was_asked_is_judged_by_what_it_was_asked(run: Path) -> None:
    recorded(run, records(SMALL))
    prompts = sl.pilot(run, task_of(run)).prompts
    wrong = "\n".join(json.dumps({"id": one["id"], "answer": "banana"}) for one in prompts)
    (run.parent / "a.jsonl").write_text(wrong)
    sl.pilot(run, task_of(run), answers=run.parent / "a.jsonl", model=SMALL)
    rows = pl.read_parquet(run / "evidence.parquet").filter(pl.col("source") == "pilot")
    assert rows.height == 1
    assert rows.item(0, "agreement") == 0


def test_a_prompt_that_differs_in_redacted_values_only_is_ambiguous_and_not_used(tmp_path: Path) -> None:
    twin = records("gpt-4o")
    for row in twin[:40]:
        row["request"]["messages"][-1]["content"] = f"same words, no 5 writes {row['session_id']}@example.com"
    other = records(SMALL)
    for row in other[:40]:
        row["request"]["messages"][-1]["content"] = f"same words, no 5 writes {row['session_id']}@example.com"
    at = sl.analyse(second_log(tmp_path / "twins", twin), out=tmp_path / "twin-run")
    found = sl.pilot(at, task_of(at.folder), recorded=second_log(tmp_path / "other", other))
    assert "40 calls were left out" in found.said
    assert found.evidence.item(0, "agreement") == 1.0
    assert found.evidence.item(0, "covered") <= 120 / 160


def test_under_one_key_nothing_is_ambiguous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMLENS_KEY", "0123456789abcdef0123456789abcdef")
    logs = {}
    for name in ("gpt-4o", SMALL):
        rows = records(name)
        for i, row in enumerate(rows):
            row["request"]["messages"][-1]["content"] = f"same words, no 5 writes client{i}@example.com"
        logs[name] = second_log(tmp_path / name, rows)
    at = sl.analyse(logs["gpt-4o"], out=tmp_path / "keyed")
    found = sl.pilot(at, task_of(at.folder), recorded=logs[SMALL])
    assert found.evidence.item(0, "agreement") == 1.0
    assert "left out" not in found.said


@settings(max_examples=30)
@given(st.permutations(["<EMAIL:AAAAAAAA>", "<EMAIL:BBBBBBBB>", "<PHONE:CCCCCCCC>", "plain"]), st.booleans())
def test_prompts_are_equal_exactly_where_one_renaming_of_values_makes_them_so(words: list[str], twice: bool) -> None:
    text = " ".join([*words, words[0]] if twice else [*words, words[1]])
    renamed = text.replace("AAAAAAAA", "DDDDDDDD").replace("BBBBBBBB", "EEEEEEEE").replace("CCCCCCCC", "FFFFFFFF")
    merged = text.replace("AAAAAAAA", "BBBBBBBB")
    keys = {}
    for name, said in (("text", text), ("renamed", renamed), ("merged", merged)):
        calls = pl.DataFrame({"call_id": [name], "message_ids": [["m"]], "tool_names_offered": [[]]})
        messages = pl.DataFrame({"message_id": ["m"], "role": ["user"], "text": [said]})
        keys[name] = prompts_of(calls, messages)[name].key
    assert keys["text"] == keys["renamed"]
    assert (keys["text"] == keys["merged"]) == (text == merged)


@settings(max_examples=60)
@given(st.floats(0.05, 0.999), st.floats(0.5, 1.0), st.integers(30, 240))
def test_no_choice_of_graded_calls_can_show_what_all_calls_would_not(covered: float, agreement: float, n: int) -> None:
    """Even if all calls that have no answer are wrong, a model that is shown meets the target."""
    target = Target(0.95, 0.8, 0.5, None)
    if meets_target(Graded("m", n, agreement, covered=covered), target):
        assert covered * agreement >= target.point
    assert grade_of(n, covered, probed=False, looped=False) == ("A" if n >= 50 and covered >= 0.95 else "B")


def test_what_was_not_graded_keeps_its_prior() -> None:
    prior, target = Prior(0.8, 2.0, ""), Target(0.95, 0.8, 0.5, None)
    alone = posterior_of_a(prior, target)
    answers = [Graded("m", 240, 1.0, covered=share) for share in (0.01, 0.5, 0.9, 1.0)]
    chances = [posterior_of_a(prior, target, graded=one).p_parity for one in answers]
    assert chances == sorted(chances)
    assert chances[0] == pytest.approx(alone.p_parity, abs=0.03)
    ruled_out = posterior_of_a(prior, target, graded=Graded("m", 240, 0.5, covered=0.2))
    assert ruled_out.p_parity < 0.01, "a tenth of all calls is wrong for certain"
    half = posterior_of_a(prior, target, graded=Graded("m", 10**6, 0.9, covered=0.5))
    mean = float((half.mass * (np.arange(400) + 0.5) / 400).sum())
    assert mean == pytest.approx(0.5 * 0.9 + 0.5 * 0.8, abs=0.01)


def test_forgetting_a_session_takes_it_out_of_recorded_grades(run: Path) -> None:
    recorded(run, records(SMALL))
    before = pl.read_parquet(run / "pilots" / task_of(run) / "recorded.parquet")
    calls = pl.read_parquet(run / "calls.parquet").select("call_id", "session_id")
    gone = before.join(calls, on="call_id").item(0, "session_id")
    assert CliRunner().invoke(app, ["forget", str(run), "--session", gone]).exit_code == 0
    after = pl.read_parquet(run / "pilots" / task_of(run) / "recorded.parquet")
    assert after.height == before.height - 1


def test_the_command_lists_the_tasks_and_takes_several(run: Path, tmp_path: Path) -> None:
    other = second_log(tmp_path / "second", records(SMALL))
    listed = CliRunner().invoke(app, ["pilot", str(run), "--recorded", str(other)])
    assert listed.exit_code == 0
    assert "160 of 160  160 independent" in listed.output
    assert not (run / "pilots").exists()
    done = CliRunner().invoke(app, ["pilot", str(run), "--recorded", str(other), "--task", task_of(run)])
    assert "After: shown, grade A" in done.output
    frame = matches(stored_tasks(open_run(run)), read_recorded(open_run(run), stored_tasks(open_run(run)), other, None))
    assert frame.select("calls", "recorded", "independent", "ambiguous").row(0) == (160, 160, 160, 0)


def test_tasks_without_a_run_are_piloted_and_nothing_is_written(tmp_path: Path) -> None:
    tasks = sl.discover_tasks(sl.read_logs(second_log(tmp_path / "a", records("gpt-4o"))))
    before = sorted(tmp_path.rglob("*"))
    other = second_log(tmp_path / "b", records(SMALL))
    found = sl.pilot(tasks, tasks.tasks.item(0, "task_id"), recorded=other)
    assert found.evidence.item(0, "agreement") == 1.0
    assert sorted(tmp_path.rglob("*")) == sorted([*before, other.parent, *other.parent.iterdir()])


@pytest.mark.slow
def test_small_models_of_mint_answered_the_first_turns_of_gpt_4_only(shared: Path, tmp_path: Path) -> None:
    folder = shared / "logs" / "mint"
    run = sl.analyse(folder / "traces_gpt-4-0613.jsonl", out=tmp_path / "run")
    tasks = stored_tasks(run)
    assert tasks.calls.calls.height == 1830
    first = folder / "traces_CodeActAgent-Mistral-7b-v0.1.jsonl"
    log = read_recorded(run, tasks, first, None)
    assert len(log.answers.prompts) == 2142
    listed = matches(tasks, log)
    assert listed.get_column("recorded").to_list() == listed.get_column("independent").to_list()
    found = {one: sl.pilot(run, one, recorded=log) for one in listed.get_column("task_id")}
    shares = [one.evidence.item(0, "covered") for one in found.values()]
    assert max(shares) < 0.4, "later turns hold the model's own answers, so their prompts differ"
    assert all("0 of " in one.said for one in found.values())
    assert max(one.evidence.item(0, "agreement") for one in found.values()) > 0.9
    verdicts = run.read_frame("verdicts")
    assert not verdicts.get_column("evidence").is_in(["shown", "likely"]).any()


def test_a_page_writes_prompts_where_nobody_can_be_asked_then_moves_by_a_log(run: Path, tmp_path: Path) -> None:
    at = open_run(run)
    set_as = stored_settings(at)
    plan = sl.plan(sl.assess(stored_tasks(at), run=at, seed=set_as.seed), run=at, settings=set_as)
    before = first_pilot(plan, sl.report(plan, run=at, settings=set_as))
    assert isinstance(before, OneTask)
    written = ask(at, before)
    assert written.pilot is not None
    assert len(written.pilot.prompts) == 120
    assert "Nothing was asked. " in ask(at, before, endpoint="not an address", model=SMALL).words
    asked = ask(at, before, recorded=second_log(tmp_path / "second", records(SMALL)))
    after = look_again(at, before)
    assert isinstance(after, OneTask)
    assert (before.record["evidence"], after.record["evidence"]) != ("shown", "shown")
    assert after.record["evidence"] == "shown"
    assert differences(after) == []
    assert kept_as_graded(at, asked)
    moved = moved_grid([("before", before), ("after", after)])
    assert isinstance(moved, Grid)
    assert moved.frame.columns == ["of the task", "before", "after"]
    assert "shown, grade A" in repr(moved)
    assert "Nothing was tuned" in tune(at, before, seconds=None).words
    assert isinstance(look_again(at, before, tune(at, before, seconds=None)), Words)


def test_a_log_of_other_prompts_is_told_so_and_a_run_without_texts_is_refused(run: Path, tmp_path: Path) -> None:
    rows = records(SMALL)
    for row in rows:
        row["request"]["messages"][0]["content"] += " Be quick."
    other = second_log(tmp_path / "second", rows)
    listed = CliRunner().invoke(app, ["pilot", str(run), "--recorded", str(other)])
    assert "0 of 160" in listed.output
    assert "No prompt of that log is one of the run's" in listed.output
    bare = sl.analyse(other, out=tmp_path / "bare", settings=sl.Settings(keep_text=False))
    refused = CliRunner().invoke(app, ["pilot", str(bare.folder), "--recorded", str(other)])
    assert isinstance(refused.exception, RunFolderError)
