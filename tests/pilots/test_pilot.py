"""A pilot on a run: prompts out, answers in, the verdict moved, kept over the next analysis and cleared by forget."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import slmlens as sl
from slmlens.cli import app
from slmlens.errors import InputError, RunFolderError, SettingError
from slmlens.pilots.pilot import Pilot
from tests.tasks.world import answer, log, pair

SYSTEM = "You are the triage agent of a shop. Answer with the intent of the ticket as JSON, and nothing else please."
TOPICS = {"billing": "invoice", "refund": "reimburse", "tech": "crash"}
WORD = "quetzalcoatl"
SESSIONS = 260
SETTINGS = sl.Settings(sampling_rate=0.01)


def records() -> list[dict[str, Any]]:
    """A ticket a session whose intent has nothing to do with its words, so that only graded answers can tell."""
    rng = random.Random(1)
    rows = []
    for i in range(SESSIONS):
        words = " ".join(rng.choices(["hello", "please", "order", "thanks", "again", *TOPICS.values()], k=5))
        name = WORD if i == SESSIONS - 1 else f"client{i}"
        day, hour = divmod(i, 9)
        when = f"2026-10-{day + 1:02d}T{hour + 8:02d}:00:00Z"
        row = pair(i, SYSTEM, f"{words}, writes {name}@example.com no {rng.randrange(10**6)}", f"s{i}", timestamp=when)
        answer(row, json.dumps({"intent": rng.choice(sorted(TOPICS))}))
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log(tmp_path_factory.mktemp("log"), records())


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sl.analyse(source, out=tmp_path_factory.mktemp("runs") / "run", settings=SETTINGS).folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def task_of(run: Path) -> str:
    return str(pl.read_parquet(run / "tasks.parquet").item(0, "task_id"))


def verdict(run: Path) -> dict[str, Any]:
    return pl.read_parquet(run / "verdicts.parquet").row(0, named=True)


def the_incumbents_own(text: str) -> str:
    return text


def answered(run: Path, n: int, given: Callable[[str], str] = the_incumbents_own, place: str = "a.jsonl") -> Path:
    """Answers to the first n prompts, made from what the present model answered to them."""
    task = task_of(run)
    calls = pl.read_parquet(run / "calls.parquet").select("call_id", "answer_id")
    texts = pl.read_parquet(run / "messages.parquet").select("message_id", "text")
    sample = pl.read_parquet(run / "pilots" / task / "sample.parquet").sort("position")
    said = sample.join(calls, on="call_id", how="left", maintain_order="left").join(
        texts, left_on="answer_id", right_on="message_id", how="left", maintain_order="left"
    )
    ids = [json.loads(line)["id"] for line in (run / "pilots" / task / "prompts.jsonl").read_text().splitlines()]
    lines = [
        json.dumps({"id": one, "answer": given(text)})
        for one, text in zip(ids[:n], said.get_column("text").head(n), strict=True)
    ]
    out = run.parent / place
    out.write_text("\n".join(lines), encoding="utf-8")
    return out


def graded(
    run: Path, n: int, given: Callable[[str], str] = the_incumbents_own, model: str = "Qwen3-8B", mode: str = "swap"
) -> Pilot:
    return sl.pilot(run, task_of(run), answers=answered(run, n, given), model=model, mode=mode)


def banana(_text: str) -> str:
    return '{"intent": "banana"}'


def test_the_prompts_are_redacted_in_the_run_and_hold_no_answer(run: Path) -> None:
    found = sl.pilot(run, task_of(run))
    place = run / "pilots" / task_of(run) / "prompts.jsonl"
    lines = [json.loads(line) for line in place.read_text().splitlines()]
    assert lines == found.prompts
    assert len({line["id"] for line in lines}) == 240
    assert all([m["role"] for m in line["messages"]] == ["system", "user"] for line in lines)
    assert "@example.com" not in place.read_text()
    assert '"intent"' not in place.read_text()
    assert "--answers FILE --model NAME" in found.said
    assert str(place) in found.said
    assert place.stat().st_mode & 0o077 == 0 or place.parent.stat().st_mode & 0o077 == 0


def test_an_export_can_be_repeated(run: Path) -> None:
    assert sl.pilot(run, task_of(run)).prompts == sl.pilot(run, task_of(run)).prompts


def test_a_model_that_answers_like_the_incumbent_is_shown_and_one_that_does_not_is_unlikely(run: Path) -> None:
    sl.pilot(run, task_of(run))
    before = verdict(run)
    assert before["evidence"] not in {"shown", "likely"}
    good = graded(run, 120)
    after = verdict(run)
    assert (after["evidence"], after["grade"], after["swap"]["slm"]) == ("shown", "A", "Qwen3-8B")
    assert f"Before: {before['evidence']}" in good.said
    assert "After: shown, grade A" in good.said
    row = pl.read_parquet(run / "evidence.parquet").row(by_predicate=pl.col("source") == "pilot", named=True)
    assert (row["agreement"], row["n"], row["n_units"], row["slm"]) == (1.0, 120, 120, "Qwen3-8B")
    assert row["p_parity"] > 0.95
    assert row["constant"] == pytest.approx(before["constant"])
    assert row["lo90"] > 0.95
    summary = json.loads((run / "summary.json").read_text())
    assert summary["tasks"][0]["evidence"] == "shown"
    assert "Qwen3-8B" in (run / "report.html").read_text()


def test_wrong_answers_are_unlikely_for_the_model_that_gave_them(run: Path) -> None:
    sl.pilot(run, task_of(run))
    graded(run, 60, banana)
    found = verdict(run)
    assert found["swap"]["p_parity"] < 0.01
    graded(run, 240, banana, mode="tuned")
    assert verdict(run)["evidence"] in {"unlikely", "no-signal"}


def test_between_looks_the_verdict_stays(run: Path) -> None:
    sl.pilot(run, task_of(run))
    before = verdict(run)
    for n, said in ((20, "The first verdict comes at 30"), (29, "29 of 240")):
        found = graded(run, n)
        assert said in found.said
        assert "The verdict stays" in found.said
        assert verdict(run) == before
    graded(run, 30)
    at_thirty = verdict(run)
    assert at_thirty["grade"] == "B"
    graded(run, 59)
    assert verdict(run) == at_thirty


def test_the_same_answers_again_change_nothing(run: Path) -> None:
    sl.pilot(run, task_of(run))
    graded(run, 60)
    files = {path: path.read_bytes() for path in run.rglob("*.parquet")}
    again = graded(run, 60)
    assert "The verdict stays" in again.said
    assert {path: path.read_bytes() for path in run.rglob("*.parquet")} == files


def test_the_next_analysis_keeps_the_pilot(run: Path, source: Path) -> None:
    sl.pilot(run, task_of(run))
    graded(run, 120)
    found = verdict(run)
    resumed = sl.analyse(source, out=run, settings=SETTINGS, audience="engineering")
    assert verdict(run) == found
    (run / "verdicts.parquet").unlink()
    sl.analyse(source, out=run, settings=SETTINGS)
    assert verdict(run)["evidence"] == "shown"
    assert "report" in resumed.manifest["stages"]


def test_a_fourth_small_model_is_refused(run: Path) -> None:
    sl.pilot(run, task_of(run))
    for model in ("One", "Two", "Three"):
        graded(run, 30, model=model)
    with pytest.raises(SettingError, match="3 small models were piloted"):
        graded(run, 30, model="Four")
    graded(run, 60, model="TWO")


def test_without_a_run_the_evidence_is_a_probe(run: Path) -> None:
    from slmlens.pilots.store import stored_tasks
    from slmlens.run import open_run

    tasks = stored_tasks(open_run(run))
    out = sl.pilot(tasks, task_of(run))
    assert out.prompts == sl.pilot(run, task_of(run)).prompts
    found = sl.pilot(tasks, task_of(run), answers=answered(run, 120), model="Qwen3-8B")
    verdicts = sl.assess(tasks, probes=[lambda _tasks: found.evidence])
    assert verdicts.verdicts.item(0, "evidence") == "shown"
    assert not list((run / "pilots").rglob("grades.parquet"))


def test_what_can_not_be_used_is_told_and_changes_nothing(run: Path, tmp_path: Path) -> None:
    task = task_of(run)
    some = tmp_path / "some.jsonl"
    some.write_text('{"id": "t-1", "answer": "x"}\n')
    with pytest.raises(RunFolderError, match="o prompts of this task were exported"):
        sl.pilot(run, task, answers=some, model="One")
    sl.pilot(run, task)
    with pytest.raises(InputError, match="another task"):
        sl.pilot(run, task, answers=some, model="One")
    with pytest.raises(SettingError, match="There is no task 'nonsense'"):
        sl.pilot(run, "nonsense")
    with pytest.raises(SettingError, match="not named"):
        sl.pilot(run, task, answers=some)
    with pytest.raises(SettingError, match="mode"):
        sl.pilot(run, task, mode="both")
    with pytest.raises(RunFolderError, match="no run here"):
        sl.pilot(tmp_path, task)
    assert not list(run.rglob("grades.parquet"))


def test_answers_to_the_export_of_another_run_are_refused(run: Path, source: Path, tmp_path: Path) -> None:
    other = sl.analyse(source, out=tmp_path / "other", settings=SETTINGS).folder
    sl.pilot(other, task_of(other))
    sl.pilot(run, task_of(run))
    assert task_of(other) == task_of(run)
    with pytest.raises(InputError, match="another run"):
        sl.pilot(run, task_of(run), answers=answered(other, 30), model="One")


def test_a_run_without_texts_has_nothing_to_ask(source: Path, tmp_path: Path) -> None:
    bare = sl.analyse(source, out=tmp_path / "bare", settings=sl.Settings(keep_text=False)).folder
    with pytest.raises(RunFolderError, match="holds no texts"):
        sl.pilot(bare, task_of(bare))


def test_forget_takes_a_session_out_of_its_pilot_and_keeps_the_others(run: Path) -> None:
    task = task_of(run)
    sl.pilot(run, task)
    graded(run, 240)
    sample = pl.read_parquet(run / "pilots" / task / "sample.parquet")
    asked = sample.item(5, "call_id")
    session = pl.read_parquet(run / "calls.parquet").row(by_predicate=pl.col("call_id") == asked, named=True)
    sl.forget(run, session=session["session_id"])
    for path in (run / "pilots" / task).iterdir():
        assert path.suffix == ".parquet"
        assert asked not in pl.read_parquet(path).get_column("call_id")
    assert verdict(run)["evidence"] == "shown"
    row = pl.read_parquet(run / "evidence.parquet").row(by_predicate=pl.col("source") == "pilot", named=True)
    assert row["n"] == 239
    assert len(sl.pilot(run, task).prompts) == 239


def test_texts_that_are_removed_are_removed_from_the_prompts_and_the_grades_stay(run: Path) -> None:
    task = task_of(run)
    sl.pilot(run, task)
    graded(run, 60)
    sl.forget(run, texts=True)
    assert sorted(path.name for path in (run / "pilots" / task).iterdir()) == ["grades.parquet", "sample.parquet"]


def test_the_command_line_exports_and_grades(run: Path) -> None:
    task = task_of(run)
    done = CliRunner().invoke(app, ["pilot", str(run), "--task", task])
    assert done.exit_code == 0
    assert "240 prompts" in done.output
    file = str(answered(run, 60))
    done = CliRunner().invoke(app, ["pilot", str(run), "--task", task, "--answers", file, "--model", "Qwen3-8B"])
    assert done.exit_code == 0
    assert "At 60: 100.0% acceptable" in done.output


def test_a_pilot_of_a_task_that_has_grown_since_counts_for_nothing(run: Path, source: Path) -> None:
    task = task_of(run)
    sl.pilot(run, task)
    graded(run, 120)
    assert verdict(run)["evidence"] == "shown"
    place = run / "pilots" / task / "sample.parquet"
    pl.read_parquet(place).with_columns(task_calls=pl.lit(100)).write_parquet(place)
    sl.analyse(source, out=run, settings=SETTINGS)
    assert verdict(run)["evidence"] != "shown"
    with pytest.raises(RunFolderError, match="has grown since"):
        graded(run, 30)
    assert len(sl.pilot(run, task).prompts) == 240
    assert "120 of 240 prompts answered" in graded(run, 30).said  # the same calls are asked again: their grades stand


def test_a_damaged_table_of_a_pilot_is_told_with_what_to_do(run: Path, source: Path) -> None:
    sl.pilot(run, task_of(run))
    (run / "pilots" / task_of(run) / "sample.parquet").write_bytes(b"nonsense")
    for broken in (lambda: sl.pilot(run, task_of(run)), lambda: sl.analyse(source, out=run, settings=SETTINGS)):
        with pytest.raises(RunFolderError, match="emove this folder"):
            broken()


@pytest.mark.slow
def test_on_real_agents_the_incumbents_own_answers_agree_in_every_task(shared: Path, tmp_path: Path) -> None:
    """Tool calls, code, JSON and prose of five agents: what is asked and read back is graded as the same."""
    tasks = sl.discover_tasks(sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz"))
    calls = {row["call_id"]: row for row in tasks.calls.calls.iter_rows(named=True)}
    texts = dict(tasks.calls.messages.select("message_id", "text").iter_rows())
    piloted = 0
    for task in tasks.tasks.get_column("task_id"):
        try:
            asked = sl.pilot(tasks, task)
        except SettingError:
            continue  # fewer than 30 sessions
        own = [calls[call] for call in asked.sample.sort("position").get_column("call_id")]
        lines = [
            {"id": prompt["id"], "answer": texts.get(call["answer_id"]), "tool_calls": call["tool_calls"]}
            for prompt, call in zip(asked.prompts, own, strict=True)
        ]
        place = tmp_path / "own.jsonl"
        place.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        assert sl.pilot(tasks, task, answers=place, model="the incumbent").grades.get_column("acceptable").all()
        piloted += 1
    assert piloted >= 10
