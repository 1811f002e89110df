"""A run on disk: private, whole or not at all, resumed, and without what it must not hold."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import slmlens as sl
from slmlens.errors import InputError, RunFolderError
from slmlens.run import STAGES, Run
from slmlens.settings import Settings

FRAMES = ("calls", "messages", "rejects", "items", "tasks", "assignments", "evidence", "savings")


@pytest.fixture(scope="module")
def finished(traps: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return sl.analyse(traps / "planted_rule.jsonl", out=tmp_path_factory.mktemp("runs") / "october")


def test_the_run_folder_is_private_and_holds_what_the_contract_names(finished: Run) -> None:
    assert stat.S_IMODE(finished.folder.stat().st_mode) == 0o700
    names = {p.name for p in finished.folder.iterdir()}
    assert {"manifest.json", "summary.json", "report.html", *(f"{n}.parquet" for n in FRAMES)} <= names
    assert not [n for n in names if n.endswith(".part")]
    assert set(finished.manifest["stages"]) == set(STAGES)


def test_an_untouched_run_is_loaded_and_not_made_again(finished: Run, traps: Path) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in finished.folder.iterdir() if p.suffix == ".parquet"}
    sl.analyse(traps / "planted_rule.jsonl", out=finished.folder)
    assert {p.name: p.stat().st_mtime_ns for p in finished.folder.iterdir() if p.suffix == ".parquet"} == before


def test_a_changed_input_is_analysed_again(tmp_path: Path, traps: Path) -> None:
    lines = (traps / "coin_flip.jsonl").read_text().splitlines(keepends=True)
    log = tmp_path / "log.jsonl"
    log.write_text("".join(lines[:300]))
    sl.analyse(log, out=tmp_path / "run")
    log.write_text("".join(lines))
    assert sl.open_run(tmp_path / "run").read_frame("calls").height == 300
    assert sl.analyse(log, out=tmp_path / "run").read_frame("calls").height == 900


def test_a_lost_table_is_made_again(tmp_path: Path, traps: Path) -> None:
    run = sl.analyse(traps / "near_duplicates.jsonl", out=tmp_path / "run")
    run.path("assignments.parquet").unlink()
    again = sl.analyse(traps / "near_duplicates.jsonl", out=tmp_path / "run")
    assert again.read_frame("assignments").height == 400


@pytest.mark.parametrize("stage", ["read", "tasks", "assess"])
def test_a_killed_run_resumes_at_the_first_unfinished_stage(tmp_path: Path, traps: Path, stage: str) -> None:
    log, out = traps / "five_templates.jsonl", tmp_path / "run"
    command = [sys.executable, "-m", "slmlens.cli", "run", str(log), "--out", str(out)]
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while job.poll() is None and time.monotonic() < deadline:
        if (out / "manifest.json").exists() and stage in json.loads((out / "manifest.json").read_text())["stages"]:
            break
        time.sleep(0.005)
    job.send_signal(signal.SIGKILL)
    job.wait()
    done = json.loads((out / "manifest.json").read_text())["stages"]
    tables = [out / f"{table}.parquet" for name, table in (("read", "calls"), ("tasks", "tasks")) if name in done]
    before = [table.stat().st_mtime_ns for table in tables]
    run = sl.analyse(log, out=out)
    assert tables
    assert [table.stat().st_mtime_ns for table in tables] == before
    assert (out / "report.html").stat().st_size > 0
    assert set(run.manifest["stages"]) == set(STAGES)


@pytest.mark.parametrize("name", ["five_templates", "personal_data"])
def test_shuffled_rows_give_the_same_ids_tasks_and_totals_under_any_key(tmp_path: Path, traps: Path, name: str) -> None:
    lines = (traps / f"{name}.jsonl").read_text().splitlines(keepends=True)
    shuffled = random.Random(1).sample(lines, len(lines))
    runs = []
    for folder, rows in (("a", lines), ("b", shuffled)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "log.jsonl").write_text("".join(rows))
        runs.append(sl.analyse(tmp_path / folder / "log.jsonl", out=tmp_path / f"run-{folder}"))
    one, two = (run.read_frame("assignments").select("call_id", "task_id").sort("call_id") for run in runs)
    assert one.equals(two)
    assert runs[0].read_frame("tasks").equals(runs[1].read_frame("tasks"))
    summaries = [json.loads(run.path("summary.json").read_text()) for run in runs]
    for part in ("tasks", "ledger", "plan"):
        assert summaries[0][part] == summaries[1][part]


def everything(folder: Path) -> str:
    """All text of a run folder: decoded tables and files, without spaces and dashes."""
    texts = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".parquet":
            texts.append(json.dumps(pl.read_parquet(path).to_dicts(), default=str, ensure_ascii=False))
        elif path.suffix == ".gz":
            texts.append(gzip.decompress(path.read_bytes()).decode())
        else:
            texts.append(path.read_text(encoding="utf-8"))
    return re.sub(r"[\s-]", "", " ".join(texts))


def planted(traps: Path) -> list[str]:
    truth = json.loads((traps / "truth.json").read_text())["personal_data"]["planted"]
    return [re.sub(r"[\s-]", "", value) for _, _, value in truth]


def test_no_planted_personal_value_is_in_any_file_of_the_run(tmp_path: Path, traps: Path) -> None:
    sl.analyse(traps / "personal_data.jsonl", out=tmp_path / "run")
    held = everything(tmp_path / "run")
    assert [v for v in planted(traps) if v in held] == []


def test_that_check_fails_with_redaction_off(tmp_path: Path, traps: Path) -> None:
    sl.analyse(traps / "personal_data.jsonl", out=tmp_path / "run", settings=Settings(redact=False))
    held = everything(tmp_path / "run")
    assert all(v in held for v in planted(traps))


def test_no_text_stores_no_message_and_still_reports(tmp_path: Path, traps: Path) -> None:
    run = sl.analyse(traps / "planted_rule.jsonl", out=tmp_path / "run", settings=Settings(keep_text=False))
    assert run.read_frame("messages").get_column("text").null_count() == run.read_frame("messages").height
    assert json.loads(run.path("summary.json").read_text())["tasks"]
    assert "about order" not in run.path("calls.parquet").read_bytes().decode("latin-1")


def test_no_absolute_path_is_in_any_file_of_the_run(finished: Run, traps: Path) -> None:
    held = everything(finished.folder)
    assert str(traps) not in held
    assert str(finished.folder.parent) not in held


def test_money_and_rows_add_up_in_the_summary(finished: Run) -> None:
    summary = json.loads(finished.path("summary.json").read_text())
    ledger, rows = summary["ledger"], summary["rows"]
    assert rows["records"] == rows["calls"] + rows["parents"] + rows["duplicates"] + rows["rejects"] + rows["other"]
    parts = ledger["tasks_usd"] + ledger["unassigned_usd"] + ledger["excluded_usd"]
    assert round(parts - ledger["imported_usd"], 6) == 0
    assert round(sum(t["spend_usd"] for t in summary["tasks"]) - ledger["tasks_usd"], 6) == 0


def test_a_log_without_prompts_gives_a_ledger_only_report_that_names_the_setting(tmp_path: Path, traps: Path) -> None:
    rows = [json.loads(line) for line in (traps / "planted_rule.jsonl").read_text().splitlines()]
    for row in rows:
        del row["request"]["messages"]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = sl.analyse(tmp_path / "log.jsonl", out=tmp_path / "run")
    summary = json.loads(run.path("summary.json").read_text())
    assert summary["tasks"] == []
    assert summary["ledger"]["imported_usd"] > 0
    assert any("request.messages" in limit for limit in summary["limits"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jsonl", b""),
        ("binary.jsonl", bytes(range(256)) * 20),
        ("prose.jsonl", b"dear diary\n" * 20),
        ("unknown.jsonl", b'{"temperature": 21.5, "room": "attic"}\n' * 20),
        ("rejected.jsonl", b'{"request": {"messages": 3}, "response": {"choices": 7}}\n' * 5),
    ],
)
def test_an_unusable_file_gives_a_sentence_and_leaves_nothing_behind(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        sl.analyse(tmp_path / name, out=tmp_path / "run")
    assert str(caught.value).endswith(".")
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    for path in (tmp_path / "nowhere.jsonl", tmp_path / "exports"):
        with pytest.raises(InputError, match=path.name):
            sl.analyse(path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unusable_run_folder_is_refused_before_any_work(tmp_path: Path, traps: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("do not touch")
    for out in (taken, taken / "below", full):
        with pytest.raises(RunFolderError):
            sl.analyse(traps / "coin_flip.jsonl", out=out)
    assert [p.name for p in full.iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_refused(tmp_path: Path, traps: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(RunFolderError, match="can't be written"):
        sl.analyse(traps / "coin_flip.jsonl", out=locked / "run")


def test_a_run_resumed_another_day_keeps_its_prices_and_its_tables(tmp_path: Path, traps: Path) -> None:
    run = sl.analyse(traps / "near_duplicates.jsonl", out=tmp_path / "run")
    run.note(price_day="2026-01-31")
    before = run.path("calls.parquet").stat().st_mtime_ns
    again = sl.analyse(traps / "near_duplicates.jsonl", out=tmp_path / "run", audience="finance")
    assert run.path("calls.parquet").stat().st_mtime_ns == before
    report = again.path("report.html").read_text(encoding="utf-8")
    assert "for finance" in report
    assert "run-rate of 2026-01-31" in report
