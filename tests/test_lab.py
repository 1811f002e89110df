"""``slmlens lab``: the notebooks land beside logs, point at them, and never overwrite what a person changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import slmlens as sl
from slmlens import lab
from slmlens.errors import SettingError
from slmlens.lab import Copied, copied_in_words, copy_notebooks, lab_arguments, shipped_notebooks
from tests.test_notebooks import ROOT, executed, shown, write_log

NAMES = tuple(path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb")))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    write_log(folder / "october.jsonl", 30)
    return folder


def parameters(path: Path) -> str:
    return str(nbformat.read(path, as_version=4).cells[1].source)


def edit(path: Path, cell: int, text: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source = text
    nbformat.write(notebook, path)


def test_the_copies_look_at_the_logs_beside_them_and_are_sound_notebooks(logs: Path) -> None:
    copied = copy_notebooks(logs)
    assert copied == Copied(logs, NAMES, (), on_logs=True)
    for name in NAMES:
        nbformat.validate(nbformat.read(logs / name, as_version=4))
        assert parameters(logs / name).splitlines()[0].startswith('LOGS = "."')
    assert "Copied" in copied_in_words(copied)[0]


def test_in_an_empty_folder_the_notebooks_look_at_the_sample_and_say_so(tmp_path: Path) -> None:
    copied = copy_notebooks(tmp_path)
    assert not copied.on_logs
    assert parameters(tmp_path / NAMES[0]).startswith("LOGS = None")
    assert any("sample" in line for line in copied_in_words(copied))


def test_copying_again_leaves_everything_as_it_is_outputs_too(logs: Path) -> None:
    copy_notebooks(logs)
    run = nbformat.read(logs / NAMES[0], as_version=4)
    run.cells[3].outputs = [nbformat.v4.new_output("stream", text="an answer")]
    run.cells[3].execution_count = 1
    nbformat.write(run, logs / NAMES[0])
    before = [(logs / name).read_bytes() for name in NAMES]
    copied = copy_notebooks(logs)
    assert (copied.written, copied.kept) == ((), ())
    assert [(logs / name).read_bytes() for name in NAMES] == before


def test_a_copy_that_a_person_changed_is_kept_and_named(logs: Path) -> None:
    copy_notebooks(logs)
    edit(logs / NAMES[0], 1, 'LOGS = "other.jsonl"')
    before = (logs / NAMES[0]).read_bytes()
    copied = copy_notebooks(logs)
    assert copied.kept == NAMES[:1]
    assert (logs / NAMES[0]).read_bytes() == before
    assert NAMES[0] in " ".join(copied_in_words(copied))


@pytest.mark.parametrize("content", ["", "not a notebook", "[1, 2]", '{"cells": []}'])
def test_a_file_of_the_same_name_that_is_none_of_ours_is_kept(logs: Path, content: str) -> None:
    (logs / NAMES[0]).write_text(content)
    assert copy_notebooks(logs).kept == NAMES[:1]
    assert (logs / NAMES[0]).read_text() == content


def test_a_later_version_replaces_a_copy_that_nobody_changed(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_notebooks(logs)
    later = tmp_path / "later"
    shutil.copytree(ROOT / "notebooks", later, ignore=shutil.ignore_patterns(".*"))
    edit(later / NAMES[0], 0, "# A better question?")
    monkeypatch.setattr(lab, "shipped_notebooks", lambda: [later / name for name in NAMES])
    assert copy_notebooks(logs).written == NAMES[:1]
    assert "A better question?" in (logs / NAMES[0]).read_text()


def test_when_logs_arrive_later_an_unchanged_copy_turns_from_the_sample_to_them(tmp_path: Path) -> None:
    copy_notebooks(tmp_path)
    write_log(tmp_path / "october.jsonl", 30)
    assert copy_notebooks(tmp_path).written == NAMES
    assert parameters(tmp_path / NAMES[0]).startswith('LOGS = "."')


def test_the_folder_that_the_notebooks_ship_from_is_left_as_it_is() -> None:
    before = [path.read_bytes() for path in shipped_notebooks()]
    assert copy_notebooks(ROOT / "notebooks") == Copied(ROOT / "notebooks", (), (), on_logs=False)
    assert [path.read_bytes() for path in shipped_notebooks()] == before


def test_nonsense_is_refused_with_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    diary = tmp_path / "documents"
    diary.mkdir()
    (diary / "diary.txt").write_text("dear diary\n" * 20)
    for folder, word in ((tmp_path / "nowhere", "no such folder"), (diary / "diary.txt", "a file"), (diary, "none of")):
        with pytest.raises(SettingError) as caught:
            copy_notebooks(folder)
        assert word in str(caught.value).lower()
        assert str(tmp_path) not in str(caught.value)
    assert [path.name for path in diary.iterdir()] == ["diary.txt"]


def test_on_the_command_line_nonsense_is_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "slmlens.cli", "lab", str(tmp_path / "nowhere"), "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("slmlens: ")
    assert "Traceback" not in done.stderr


def test_jupyterlab_is_told_to_listen_here_only_and_to_fetch_nothing(tmp_path: Path) -> None:
    arguments = lab_arguments(tmp_path, browser=False, port=8890)
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert "--ServerApp.port=8890" in arguments
    assert "--no-browser" in arguments
    assert {option.split("=")[0] for option in arguments} >= {
        "--LabApp.news_url",
        "--LabApp.check_for_updates_class",
        "--LabApp.extension_manager",
    }
    defaults = json.loads((ROOT / "slmlens/_jupyter/labconfig/default_setting_overrides.json").read_text())
    assert defaults["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_a_log_folder_with_notebooks_and_runs_in_it_is_read_as_if_they_were_not_there(logs: Path) -> None:
    alone = sl.read_logs(logs)
    copy_notebooks(logs)
    run = sl.analyse(logs, out=logs / "runs" / "notebook")
    assert sl.read_logs(logs).files.equals(alone.files)
    before = run.path("calls.parquet").stat().st_mtime_ns
    sl.analyse(logs, out=logs / "runs" / "notebook")
    assert run.path("calls.parquet").stat().st_mtime_ns == before, "the run is resumed and not made again"


@pytest.mark.slow
def test_a_copied_notebook_runs_as_it_is(logs: Path) -> None:
    copy_notebooks(logs)
    assert parameters(logs / NAMES[0]).startswith('LOGS = "."')
    said = shown(executed(logs / NAMES[0], logs))
    assert "30 calls, all accounted for" in said
