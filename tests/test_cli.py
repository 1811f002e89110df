"""The command line: one line to standard out, exit codes, silence in a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slmlens._version import __version__


def slmlens(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slmlens.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_run_prints_one_line_with_the_headline_and_the_report(tmp_path: Path, traps: Path) -> None:
    done = slmlens("run", traps / "planted_rule.jsonl", "--out", tmp_path / "run")
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.strip().splitlines()) == 1
    assert done.stdout.strip().endswith(f"Report: {tmp_path / 'run' / 'report.html'}")


def test_unusable_input_is_a_sentence_on_standard_error_and_exit_code_2(tmp_path: Path) -> None:
    for words in (("nowhere.jsonl",), (tmp_path,)):
        done = slmlens("run", *words, "--out", tmp_path / "run")
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("slmlens: ")
        assert "Traceback" not in done.stderr


def test_a_bad_setting_is_a_sentence_and_exit_code_2(tmp_path: Path, traps: Path) -> None:
    log = traps / "planted_rule.jsonl"
    for option, value in {"sampling-rate": "7", "format": "telepathy", "audience": "cats", "assume-model": "x"}.items():
        done = slmlens("run", log, "--out", tmp_path / "run", f"--{option}", value)
        assert done.returncode == 2, option
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
def test_report_renders_a_finished_run_for_another_audience(tmp_path: Path, traps: Path) -> None:
    slmlens("run", traps / "planted_rule.jsonl", "--out", tmp_path / "run")
    done = slmlens("report", tmp_path / "run", "--to", tmp_path / "cfo.html", "--audience", "finance")
    assert done.returncode == 0
    assert "for finance" in (tmp_path / "cfo.html").read_text(encoding="utf-8")
    assert slmlens("report", tmp_path, "--audience", "finance").returncode == 2


def test_the_version_is_told() -> None:
    assert slmlens("--version").stdout.strip() == f"slmlens {__version__}"
