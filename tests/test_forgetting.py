"""A session, or every text, is removed for good: from the tables, from the report, from notebooks beside them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import slmlens as sl
from slmlens import forgetting
from slmlens.errors import RunFolderError, SettingError
from slmlens.run import STAGES, Run
from slmlens.settings import Settings

KEY = "a key of the tests, 32 characters"
SECRET = "quetzalcoatl"  # the word of one session
SYSTEM = "You sort the tickets of a shop. Answer with one word: billing, refund or other."


def pair(session: str, at: int, ticket: str, answer: str, **more: object) -> dict[str, object]:
    when = dt.datetime(2026, 3, 2, tzinfo=dt.UTC) + dt.timedelta(hours=at)
    return {
        "session_id": session,
        "timestamp": when.isoformat(),
        "service": "desk",
        "request": {
            "model": "gpt-4o",
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ticket}],
        },
        "response": {
            "id": f"chatcmpl-{session}-{at}",
            "model": "gpt-4o",
            "choices": [{"message": {"role": "assistant", "content": answer, **more}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 4},
        },
    }


def rows() -> list[dict[str, object]]:
    sessions = [
        pair(f"s{n}", n * 9 + turn, f"Ticket {n}-{turn}: the {word} came twice", "billing")
        for n, word in enumerate(["invoice", "charge", "card", "bill", "receipt", "rate", "fee", "price", "sum", "tip"])
        for turn in range(3)
    ]
    called = {"tool_calls": [{"function": {"name": "note", "arguments": json.dumps({"who": f"{SECRET} tool"})}}]}
    return [
        *sessions,
        pair("gone", 40, f"Ticket 77: the bird {SECRET} was never delivered to me", f"refund {SECRET}"),
        pair("gone", 41, f"Ticket 78: the {SECRET} again", "note", **called),
    ]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "desk.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return path


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "run.key"
    path.write_text(KEY)
    return path


@pytest.fixture(scope="module")
def made(log: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sl.analyse(log, out=tmp_path_factory.mktemp("made") / "run", settings=Settings(key_file=key)).folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def holds(folder: Path, word: str = SECRET) -> list[str]:
    """Files that hold a word: in their bytes, or in a column of a table."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        text = path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            text += json.dumps(pl.read_parquet(path).to_dicts(), default=str, ensure_ascii=False)
        if word in text:
            found.append(path.name)
    return found


def hash_of_gone(folder: Path) -> str:
    calls, messages = (pl.read_parquet(folder / f"{name}.parquet") for name in ("calls", "messages"))
    ids = messages.filter(pl.col("text").str.contains(SECRET)).get_column("message_id")
    return str(calls.filter(pl.col("answer_id").is_in(ids.implode())).item(0, "session_id"))


def test_the_word_is_there_before(made: Path) -> None:
    assert {"messages.parquet", "calls.parquet"} <= set(holds(made))


@pytest.mark.parametrize("by", ["hash", "id and key"])
def test_no_file_of_the_folder_holds_the_session_afterwards(folder: Path, key: Path, by: str) -> None:
    asked = hash_of_gone(folder) if by == "hash" else "gone"
    (folder / ".messages.parquet.part").write_bytes((folder / "messages.parquet").read_bytes())
    done = sl.forget(folder, session=asked, key_file=None if by == "hash" else key)
    assert holds(folder) == []
    assert done.calls == 2
    assert done.session not in pl.read_parquet(folder / "calls.parquet").get_column("session_id").to_list()
    assert "desk.jsonl) still holds it" in done.said


def test_rows_and_money_add_up_on_what_is_left_and_the_report_is_made_again(folder: Path) -> None:
    before = json.loads((folder / "summary.json").read_text())
    sl.forget(folder, session=hash_of_gone(folder))
    after = json.loads((folder / "summary.json").read_text())
    assert after["rows"]["records"] == after["rows"]["calls"] == before["rows"]["calls"] - 2 == 30
    assert after["ledger"]["imported_usd"] < before["ledger"]["imported_usd"]
    parts = ("tasks_usd", "unassigned_usd", "excluded_usd")
    assert round(sum(after["ledger"][part] for part in parts) - after["ledger"]["imported_usd"], 6) == 0
    assert any("forgotten" in limit for limit in after["limits"])
    assert set(sl.open_run(folder).manifest["stages"]) == set(STAGES)
    messages = pl.read_parquet(folder / "messages.parquet")
    assert messages.filter(pl.col("role") == "system").get_column("n_calls").to_list() == [30]


def test_it_is_as_if_the_session_had_never_been_logged(folder: Path, key: Path, log: Path, tmp_path: Path) -> None:
    sl.forget(folder, session="gone", key_file=key)
    without = tmp_path / log.name
    without.write_text("".join(json.dumps(row) + "\n" for row in rows() if row["session_id"] != "gone"))
    fresh = sl.analyse(without, out=tmp_path / "fresh", settings=Settings(key_file=key))
    for name in ("calls", "messages", "files", "tasks", "assignments", "verdicts", "savings", "actions"):
        assert fresh.read_frame(name).equals(sl.open_run(folder).read_frame(name)), name


def test_the_same_log_does_not_bring_the_session_back(folder: Path, key: Path, log: Path) -> None:
    sl.forget(folder, session="gone", key_file=key)
    sl.analyse(log, out=folder, settings=Settings(key_file=key))
    assert holds(folder) == []
    sl.analyse(log, out=folder, settings=Settings(key_file=key, sampling_rate=0.5))  # reads the log again
    assert holds(folder) == []
    assert sl.open_run(folder).read_frame("calls").height == 30
    with pytest.raises(RunFolderError, match="may still hold it"):
        sl.analyse(log, out=folder, settings=Settings(sampling_rate=0.25))
    assert holds(folder) == []


@pytest.mark.parametrize("asked", ["nobody", "gone", ""])
def test_an_unknown_session_is_an_error_and_changes_nothing(folder: Path, asked: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    command = [sys.executable, "-m", "slmlens.cli", "forget", str(folder), "--session", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no session of this id" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_another_key_is_told_and_nothing_to_forget_too(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text("quite another key of the tests")
    with pytest.raises(SettingError, match="not the key"):
        sl.forget(folder, session="gone", key_file=other)
    with pytest.raises(SettingError, match="what to forget"):
        sl.forget(folder)
    with pytest.raises(RunFolderError, match="no run"):
        sl.forget(tmp_path / "nowhere", texts=True)


def test_a_short_id_of_two_services_is_offered_by_hash(key: Path, tmp_path: Path) -> None:
    both = [dict(row, service=name) for row in rows()[:30] for name in ("desk", "shop")]
    for n, row in enumerate(both):
        row["response"] = {**row["response"], "id": f"chatcmpl-{n}"}  # type: ignore[dict-item]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in both))
    run = sl.open_run(tmp_path / "run")
    sl.read_logs(tmp_path / "log.jsonl", run=run, settings=Settings(key_file=key))
    with pytest.raises(RunFolderError, match="2 sessions") as caught:
        sl.forget(run, session="s3", key_file=key)
    known = run.read_frame("calls").get_column("session_id").unique().to_list()
    offered = [one for one in known if one in str(caught.value)]
    assert len(offered) == 2
    assert sl.forget(run, session=offered[0]).calls == 3
    with pytest.raises(RunFolderError, match="2 sessions"):  # the other one is not taken for it
        sl.forget(run, session="s3", key_file=key)


@pytest.mark.parametrize("stop_at", ["messages", "calls", "files", "tasks", "verdicts"])
def test_an_interrupted_forget_is_finished_by_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stop_at: str
) -> None:
    asked = hash_of_gone(folder)
    with monkeypatch.context() as patch:
        _stop(patch, stop_at)
        with pytest.raises(KeyboardInterrupt):
            sl.forget(folder, session=asked)
    assert not (folder / "report.html").exists()  # nothing stale is shown in between
    sl.forget(folder, session=asked)
    assert holds(folder) == []
    assert set(sl.open_run(folder).manifest["stages"]) == set(STAGES)
    assert json.loads((folder / "summary.json").read_text())["rows"]["calls"] == 30


def test_an_interrupted_forget_is_finished_by_the_next_analysis(
    folder: Path, log: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _stop(patch, "messages")
        with pytest.raises(KeyboardInterrupt):
            sl.forget(folder, session="gone", key_file=key)
    assert "messages.parquet" in holds(folder)
    run = sl.analyse(log, out=folder, settings=Settings(key_file=key))
    assert holds(folder) == []
    assert run.read_frame("calls").height == 30


def _stop(patch: pytest.MonkeyPatch, table: str) -> None:
    write = Run.write_frame

    def interrupted(run: Run, name: str, frame: pl.DataFrame) -> None:
        if name == table:
            raise KeyboardInterrupt
        write(run, name, frame)

    patch.setattr(Run, "write_frame", interrupted)


def notebook(output: str, source: str = "print(1)") -> str:
    cell = {
        "cell_type": "code",
        "source": [source],
        "metadata": {},
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": [output]}],
    }
    return json.dumps({"cells": [cell], "metadata": {"widgets": {"state": output}}, "nbformat": 4, "nbformat_minor": 5})


def test_notebooks_lose_their_outputs_and_checkpoints_go(folder: Path) -> None:
    (folder / "mine.ipynb").write_text(notebook(SECRET))
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "mine-checkpoint.ipynb").write_text(notebook(SECRET))
    done = sl.forget(folder, session=hash_of_gone(folder))
    assert holds(folder) == []
    assert json.loads((folder / "mine.ipynb").read_text())["cells"][0]["source"] == ["print(1)"]
    assert done.cleaned == (".ipynb_checkpoints", "mine.ipynb")


@pytest.mark.parametrize("name", ["export.csv", "broken.ipynb", "sub/log.jsonl", "link"])
def test_files_that_can_not_be_searched_are_named_before_anything_changes(folder: Path, name: str) -> None:
    asked = hash_of_gone(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    if name == "link":
        (folder / name).symlink_to(folder.parent)
    else:
        (folder / name).write_text(SECRET)
    with pytest.raises(RunFolderError, match=name.replace(".", r"\.")):
        sl.forget(folder, session=asked)
    assert "messages.parquet" in holds(folder)
    assert (folder / "report.html").exists()


@pytest.mark.parametrize("name", ["decisions.yaml", "mine.ipynb"])
def test_a_line_copied_by_hand_is_pointed_at(folder: Path, name: str) -> None:
    line = f"Ticket 77: the bird {SECRET} was never delivered to me"
    (folder / name).write_text(f"why: {line}\n" if name.endswith("yaml") else notebook("", source=f"# {line}"))
    with pytest.raises(RunFolderError, match="copied here by hand"):
        sl.forget(folder, session=hash_of_gone(folder))
    assert "messages.parquet" in holds(folder)


def test_the_last_session_leaves_an_empty_run(folder: Path, log: Path, key: Path) -> None:
    sessions = pl.read_parquet(folder / "calls.parquet").get_column("session_id").unique().to_list()
    run = sl.open_run(folder)
    run.note(stages={"read": run.manifest["stages"]["read"]})  # no need to make the report eleven times
    done = [sl.forget(folder, session=one) for one in sessions]
    assert "It was the last one" in done[-1].said
    assert pl.read_parquet(folder / "messages.parquet").is_empty()
    assert holds(folder, "Ticket") == []
    with pytest.raises(RunFolderError, match="forgotten"):
        sl.analyse(log, out=folder, settings=Settings(key_file=key))


def test_a_run_without_texts_loses_the_session_and_says_that_the_report_is_gone(log: Path, tmp_path: Path) -> None:
    run = sl.analyse(log, out=tmp_path / "run", settings=Settings(keep_text=False))
    one = run.read_frame("calls").item(0, "session_id")
    done = sl.forget(run, session=one)
    assert "were removed" in done.said
    assert not run.path("report.html").exists()
    assert one not in run.read_frame("calls").get_column("session_id").to_list()


def test_duplicates_of_the_session_go_with_it(key: Path, tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows())
    (tmp_path / "logs").mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / "logs" / name).write_text(lines)
    run = sl.open_run(tmp_path / "run")
    sl.read_logs(tmp_path / "logs", run=run, settings=Settings(key_file=key))
    assert run.read_frame("duplicates").height == 32
    sl.forget(run, session="gone", key_file=key)
    files = run.read_frame("files").select("records", "calls", "duplicates").sum().row(0)
    assert files == (60, 30, 30)
    assert run.read_frame("duplicates").height == 30


def test_texts_go_on_demand_and_figures_stay(folder: Path) -> None:
    before = json.loads((folder / "summary.json").read_text())
    assert "figures and report stay" in sl.forget(folder, texts=True).said
    assert holds(folder) == []
    assert not {"messages.parquet", "calls.parquet"} & set(holds(folder, "came twice"))
    after = json.loads((folder / "summary.json").read_text())
    assert after["tasks"] == before["tasks"]
    assert after["redaction"]["text_kept"] is False
    assert any("were removed from the run folder" in limit for limit in after["limits"])
    assert "were removed from the run folder" in (folder / "report.html").read_text()
    calls = pl.read_parquet(folder / "calls.parquet")
    assert calls.get_column("tool_calls").explode().struct.field("arguments").drop_nulls().unique().to_list() == [""]


@pytest.mark.parametrize("opened", ["open_run", "report", "forget"])
def test_an_expired_run_loses_its_texts_when_it_is_opened(folder: Path, opened: str) -> None:
    run = sl.open_run(folder)
    run.note(expires_on=dt.datetime.now(dt.UTC).date().isoformat())
    session = hash_of_gone(folder)
    if opened == "open_run":
        sl.open_run(folder)
    elif opened == "report":
        command = [sys.executable, "-m", "slmlens.cli", "report", str(folder), "--audience", "finance"]
        subprocess.run(command, check=True, capture_output=True)
        assert "were removed from the run folder" in (folder / "report.html").read_text()
    else:
        sl.forget(folder, session=session)
    assert holds(folder) == []
    assert sl.open_run(folder).manifest["text_kept"] is False


def test_keep_days_counts_from_the_day_of_reading(folder: Path, log: Path, key: Path) -> None:
    run = sl.analyse(log, out=folder, settings=Settings(key_file=key, keep_days=30))
    read_on = dt.date.fromisoformat(run.manifest["read_on"])
    assert dt.date.fromisoformat(run.manifest["expires_on"]) - read_on == dt.timedelta(days=30)
    sl.open_run(folder)
    assert holds(folder) != []
    with pytest.raises(SettingError, match="0 days"):
        sl.analyse(log, out=folder, settings=Settings(keep_days=0))


def test_the_log_read_again_into_an_expired_run_stores_no_text(folder: Path, log: Path, key: Path) -> None:
    sl.forget(folder, texts=True)
    sl.analyse(log, out=folder, settings=Settings(key_file=key, sampling_rate=0.5))
    assert holds(folder) == []
    assert json.loads((folder / "summary.json").read_text())["redaction"]["text_kept"] is False


def test_every_table_of_a_stage_is_known_to_forget() -> None:
    from slmlens.stages import TABLES

    tables = {f"{name}.parquet" for names in TABLES.values() for name in names}
    assert tables <= {*forgetting.DERIVED, *forgetting.KEPT}
