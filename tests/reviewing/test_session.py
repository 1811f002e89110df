"""A person reviews tasks: each gesture is on the disk at once, says what it changed, and the report follows it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

import slmlens as sl
from slmlens.errors import InputError, SettingError
from slmlens.reporting.summary import summary_schema
from slmlens.reviewing.session import ReviewSession
from slmlens.tasks.decisions import FILE, load
from slmlens.tasks.discover import discover_tasks
from tests.tasks.shop import ids, shop
from tests.tasks.world import log, tasks_of


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> sl.Tasks:
    return tasks_of(tmp_path_factory.mktemp("shop"), shop())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run beside its log."""
    folder = tmp_path_factory.mktemp("finished")
    sl.analyse(log(folder, shop()), out=folder / "run")
    return folder


@pytest.fixture
def place(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def opened(place: Path) -> tuple[sl.Run, sl.Tasks]:
    run = sl.open_run(place / "run")
    return run, sl.discover_tasks(sl.read_logs(place / "log.jsonl", run=run), run=run)


def made_again(place: Path) -> dict[str, Any]:
    run = sl.analyse(place / "log.jsonl", out=place / "run")
    summary = run.summary()
    jsonschema.validate(summary, summary_schema())
    return summary


def page(place: Path) -> str:
    return (place / "run" / "report.html").read_text(encoding="utf-8")


def test_a_gesture_is_on_the_disk_before_it_returns_and_tells_before_and_after(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    i = ids(tasks)
    session.select(i["triage"], i["summary"])
    change = session.merge(name="desk", reason="one team")
    assert [d.id for d in load(run.path(FILE))] == [change.decision.id if change.decision else None]
    assert (change.before.tasks, change.after.tasks) == (5, 4)
    assert change.before.tasks_nusd == change.after.tasks_nusd
    assert change.said.startswith("merge “")
    assert session.table().row(0, named=True)["name"] == "desk"
    assert session.selected == (i["triage"],)


def test_figures_tell_spend_in_no_task_and_stability(found: sl.Tasks) -> None:
    session = ReviewSession(found, author="ana")
    loose = found.assignments.filter(pl.col("task_id").is_null()).get_column("call_id").to_list()
    session.select(ids(found)["refund"])
    change = session.move(loose)
    priced = found.calls.calls.filter(pl.col("call_id").is_in(loose)).get_column("spend_nusd").sum()
    assert (change.before.unassigned_nusd, change.after.unassigned_nusd) == (priced, 0)
    assert (change.before.unassigned_calls, change.after.unassigned_calls) == (4, 0)
    assert change.after.stability_share <= change.before.stability_share


def test_a_gesture_that_does_not_apply_raises_and_leaves_nothing_behind(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    before = session.tasks
    session.select(ids(tasks)["triage"])
    with pytest.raises(SettingError, match=r"(?i)none of the task's calls fit"):
        session.split(phrase="no such words")
    with pytest.raises(SettingError, match=r"(?i)write something"):
        session.rename(" ")
    with pytest.raises(SettingError, match=r"(?i)nothing to undo"):
        session.undo()
    with pytest.raises(SettingError, match=r"(?i)no such task"):
        session.select("t-none")
    session.select()
    with pytest.raises(SettingError, match=r"(?i)0 tasks are selected"):
        session.set_aside()
    assert not run.path(FILE).exists()
    assert session.tasks is before


def test_undo_takes_back_one_after_the_other_and_the_list_only_grows(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["triage"])
    session.rename("Desk")
    session.split(phrase="urgent")
    session.undo()
    session.undo()
    assert session.tasks.tasks.equals(tasks.tasks)
    assert session.decisions.get_column("status").to_list() == ["undone", "undone", "applied", "applied"]
    assert len(load(run.path(FILE))) == 4
    with pytest.raises(SettingError, match=r"(?i)nothing to undo"):
        session.undo()


def test_a_gesture_says_which_decisions_it_makes_stale(found: sl.Tasks) -> None:
    session = ReviewSession(found, author="ana")
    session.select(ids(found)["triage"])
    split = session.split(phrase="urgent")
    (new,) = set(split.task_ids) - {ids(found)["triage"]}
    session.select(new)
    renamed = session.rename("Urgent tickets")
    assert split.decision is not None
    assert renamed.decision is not None
    assert session.undo(split.decision.id).stale == (renamed.decision.id,)


def test_what_another_person_decided_meanwhile_is_taken_up(place: Path) -> None:
    run, tasks = opened(place)
    ana, bo = ReviewSession(tasks, run, author="ana"), ReviewSession(tasks, run, author="bo")
    ana.select(ids(tasks)["triage"])
    ana.rename("Desk")
    bo.select(ids(tasks)["summary"])
    bo.rename("Hand-over")
    assert {"Desk", "Hand-over"} <= set(bo.tasks.tasks.get_column("name"))
    assert bo.decisions.get_column("author").to_list() == ["ana", "bo"]


def test_a_recut_keeps_the_decisions_and_writes_nothing(found: sl.Tasks) -> None:
    session = ReviewSession(found, author="ana")
    session.select(ids(found)["triage"])
    session.rename("Desk")
    change = session.recut(discover_tasks(found.calls))
    assert change.decision is None
    assert "Desk" in session.tasks.tasks.get_column("name").to_list()
    assert session.selected == (ids(found)["triage"],)
    assert session.decisions.height == 1


@pytest.mark.slow
def test_the_report_follows_the_decisions_without_reading_again(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana <b>")
    i = ids(tasks)
    session.select(i["summary"])
    session.rename("Hand-over <script>alert(1)</script>")
    session.select(i["triage"])
    session.set_aside(reason="legal review")
    session.select(i["refund"])
    session.override("keep", reason="contract until May")
    read = run.manifest["stages"]["read"]
    summary = made_again(place)
    kept = json.loads((place / "run" / "manifest.json").read_text(encoding="utf-8"))["stages"]
    assert kept["read"] == read
    assert [d["status"] for d in summary["decisions"]] == ["applied"] * 3
    assert i["triage"] not in {t["task_id"] for t in summary["tasks"]}
    spent = session.figures.excluded_nusd / 1e9
    assert summary["ledger"]["excluded_usd"] == pytest.approx(spent, abs=0.0002)
    assert "<script>alert" not in page(place)
    assert "Hand-over &lt;script&gt;" in page(place)
    assert "legal review" in page(place)
    refund = next(t for t in summary["tasks"] if t["task_id"] == i["refund"])
    assert refund["action"] == "keep"


@pytest.mark.slow
def test_a_run_loaded_again_holds_its_decisions_and_what_was_found(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["triage"], ids(tasks)["refund"])
    session.merge()
    made_again(place)
    _, loaded = opened(place)
    assert loaded.tasks.equals(session.tasks.tasks)
    assert loaded.decisions.equals(session.decisions)
    again = ReviewSession(loaded, sl.open_run(place / "run"), author="bo")
    again.undo()
    assert again.tasks.tasks.equals(tasks.tasks)


def test_the_evidence_is_weighed_anew_on_the_reviewed_tasks(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["triage"], ids(tasks)["refund"])
    session.merge()
    verdicts = sl.assess(session.tasks, run=run)
    assert set(verdicts.verdicts.get_column("task_id")) == set(session.tasks.tasks.get_column("task_id"))


@pytest.mark.slow
def test_without_stored_texts_a_new_decision_reads_the_log_again(tmp_path: Path) -> None:
    place = log(tmp_path, shop())
    settings = sl.Settings(keep_text=False)
    run = sl.analyse(place, out=tmp_path / "run", settings=settings)
    tasks = sl.discover_tasks(sl.read_logs(place, run=run, settings=settings), run=run)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["triage"])
    session.rename("Desk")
    summary = sl.analyse(place, out=tmp_path / "run", settings=settings).summary()
    assert sorted(t["task_id"] for t in summary["tasks"]) == sorted(tasks.tasks.get_column("task_id"))
    assert "Desk" in {t["name"] for t in summary["tasks"]}


@pytest.mark.slow
def test_an_override_that_can_not_be_valued_is_conflicting_in_the_report(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["refund"])
    session.override("migrate-tune", reason="we want it")
    summary = made_again(place)
    (decision,) = summary["decisions"]
    (task,) = [t for t in summary["tasks"] if t["task_id"] == ids(tasks)["refund"]]
    assert (decision["status"] == "applied") == (task["action"] == "migrate-tune")
    if decision["status"] == "applied":
        assert any("a person (ana) decided on migrate-tune" in reason for reason in task["reasons"])
    else:
        assert "holds nothing to value this action by" in decision["next_step"]
    assert task["evidence"] not in {"shown", "likely"} or task["grade"] != "A"


@pytest.mark.slow
def test_a_stale_decision_is_listed_in_the_report_with_what_to_do(place: Path, tmp_path: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["escalate"])
    session.rename("Second line")
    later = tmp_path / "later"
    later.mkdir()
    rows = shop(["triage", "summary"], seed=9, start=500)
    (later / "run").mkdir()
    shutil.copy(run.path(FILE), tmp_path / FILE)
    first = sl.analyse(log(later, rows), out=tmp_path / "fresh")
    shutil.copy(tmp_path / FILE, first.path(FILE))
    summary = sl.analyse(later / "log.jsonl", out=tmp_path / "fresh").summary()
    assert summary["decisions"][0]["status"] == "stale"
    shown = (tmp_path / "fresh" / "report.html").read_text(encoding="utf-8")
    assert "It holds again if that comes back; else undo it." in shown


def test_a_broken_list_stops_the_analysis_with_its_line(place: Path) -> None:
    (place / "run" / FILE).write_text("- id: d-1\n  kind: [\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"decisions.yaml, line 3"):
        sl.analyse(place / "log.jsonl", out=place / "run")


@pytest.mark.slow
def test_gestures_on_the_sample_keep_every_cent(tmp_path: Path) -> None:
    from slmlens.sample import write_sample

    truth = write_sample(tmp_path / "sample", calls=1500)
    tasks = sl.discover_tasks(sl.read_logs(truth.logs))
    session = ReviewSession(tasks, author="ana")
    rng = random.Random(5)
    by_spend = session.table().get_column("task_id").to_list()
    session.select(*by_spend[:2])
    session.merge()
    session.select(by_spend[3])
    session.set_aside()
    session.select(by_spend[4])
    session.rename("Fifth by spend")
    loose = tasks.assignments.filter(pl.col("task_id").is_null()).get_column("call_id").to_list()
    session.move(rng.sample(loose, min(3, len(loose))) or tasks.assignments.get_column("call_id").head(2).to_list())
    figures = session.figures
    everything = tasks.calls.calls.get_column("spend_nusd").sum()
    assert figures.tasks_nusd + figures.unassigned_nusd + figures.excluded_nusd == everything
    assert session.decisions.get_column("status").to_list() == ["applied"] * 4
    assert figures.tasks == tasks.tasks.height - 2


@pytest.mark.slow
def test_a_forgotten_session_is_in_no_table_of_a_reviewed_run_and_the_decisions_stay(place: Path) -> None:
    run, tasks = opened(place)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["triage"])
    session.rename("Desk")
    made_again(place)
    calls = pl.read_parquet(place / "run" / "calls.parquet")
    gone = calls.filter(pl.col("call_id") == "chatcmpl-00007").item(0, "session_id")
    lost = calls.filter(pl.col("session_id") == gone).get_column("call_id").to_list()
    sl.forget(place / "run", session=gone)
    for name in ("assignments", "found_assignments"):
        assert not set(lost) & set(pl.read_parquet(place / "run" / f"{name}.parquet").get_column("call_id"))
    assert "Desk" in pl.read_parquet(place / "run" / "tasks.parquet").get_column("name").to_list()
