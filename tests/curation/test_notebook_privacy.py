"""An executed notebook, and so its checkpoint, shows no text of the log that fewer than five sessions share."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import nbformat
import pytest

import slmlens as sl

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
K_SHOW = 5
WINDOW = 5  # words in a row; shorter ones are anybody's
_WORD = re.compile(r"\w+")
_CODE = re.compile(r"(?!\d+t\d+)(?=\w*\d)(?=\w*[a-z])\w{5,}")  # "02t15" is of a time
_MARKED_UP = re.compile(r"<[^<>]{0,200}>|&\w+;")


def windows(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return {tuple(words[at : at + WINDOW]) for at in range(len(words) - WINDOW + 1)}


def codes(text: str) -> set[str]:
    """Words of letters and digits both, such as order numbers: each is a person's alone."""
    return {w for w in _WORD.findall(text.lower()) if _CODE.fullmatch(w)}


def subjects_of_pieces(calls: sl.Calls) -> dict[object, set[str]]:
    """Who shares each window and each code: users where logged, else sessions, else single calls."""
    texts = {i: windows(t) | codes(t) for i, t in calls.messages.select("message_id", "text").iter_rows() if t}
    owners: dict[str, set[str]] = defaultdict(set)
    for user, session, call, prompt, answer in calls.calls.select(
        "user_id", "session_id", "call_id", "message_ids", "answer_id"
    ).iter_rows():
        for message in [*(prompt or []), answer]:
            owners[message].add(user or session or call)
    pieces: dict[object, set[str]] = defaultdict(set)
    for message, found in texts.items():
        for piece in found:
            pieces[piece] |= owners[message]
    return pieces


def executed(path: Path, folder: Path) -> str:
    """All that the outputs of the notebook hold, of every kind, with and without its mark-up."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    outputs: list[Any] = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    held = json.dumps([*outputs, notebook.metadata], ensure_ascii=False, default=str).replace("\\n", " ")
    return held + "\n\n" + _MARKED_UP.sub(" ", held)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_an_executed_notebook_and_its_report_hold_no_text_of_a_few(path: Path, tmp_path: Path) -> None:
    shown = executed(path, tmp_path)
    runs = [found.parent for found in tmp_path.rglob("manifest.json")]
    assert runs, "the notebook made no run"
    for folder in runs:
        run = sl.open_run(folder)
        frames = {name: run.read_frame(name) for name in ("calls", "messages", "rejects", "files", "duplicates")}
        pieces = subjects_of_pieces(sl.Calls(**frames))
        assert any(len(who) < K_SHOW for who in pieces.values())
        told = {"the notebook": shown}
        for name in ("report.html", "summary.json"):
            if (folder / name).exists():
                text = (folder / name).read_text(encoding="utf-8")
                told[name] = text + "\n\n" + _MARKED_UP.sub(" ", text)
        for where, text in told.items():
            found = (windows(text) | codes(text)) & pieces.keys()
            assert [piece for piece in found if len(pieces[piece]) < K_SHOW] == [], where
            if where == "summary.json":
                assert found, "the summary shows no phrase at all, so this test could not fail"
