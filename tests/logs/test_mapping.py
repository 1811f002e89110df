"""A mapping reads any table of calls, says what is wrong with it, and is proposed for a file of no known format."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from slmlens.errors import InputError, SettingError
from slmlens.logs.mapping import NAMES, load_mapping
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, only, texts

ROW = {
    "Question": "Is parcel 7 late?", "Reply": "It is.", "ticket": "t-1", "asked_at": "2026-09-01T10:00:00Z",
    "llm": "gpt-4o", "in": 90, "out": 7, "cents": 0.3, "meta": {"who": [{"id": "ana"}]},
}  # fmt: skip
MAPPING = {
    "prompt": "Question", "answer": "Reply", "session": "ticket", "started": "asked_at", "model": "llm",
    "input_tokens": "in", "output_tokens": "out", "cost_cents": "cents", "user": "meta.who.0.id",
}  # fmt: skip


def read(path, mapping):
    return read_calls([path], redactor=PlainRedactor(), mapping=mapping)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_mapped_table_is_read_whatever_holds_it(tmp_path, kind):
    path = tmp_path / f"export.{kind}"
    if kind == "jsonl":
        path.write_text(json.dumps(ROW))
    else:
        frame = pl.DataFrame([{**ROW, "meta": json.dumps(ROW["meta"])}])
        frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    calls = read(path, MAPPING)
    call = only(calls)
    stored = texts(calls)
    assert [stored[one] for one in call["message_ids"]] == [("user", "Is parcel 7 late?")]
    assert stored[call["answer_id"]] == ("assistant", "It is.")
    assert (call["model"], call["input_tokens"], call["output_tokens"], call["logged_nusd"]) == (
        "gpt-4o",
        90,
        7,
        3_000_000,
    )
    assert call["session_id"] == PlainRedactor().pseudonym("session", "t-1")
    assert call["user_id"] == PlainRedactor().pseudonym("user", "ana")
    assert call["started_at"].isoformat() == "2026-09-01T10:00:00+00:00"


def test_bodies_of_providers_and_lists_of_messages_are_taken_whole(tmp_path):
    messages = [{"role": "system", "content": "Short."}, {"role": "user", "content": "Late?"}]
    rows = [
        {"q": messages, "a": {"role": "assistant", "content": "Yes."}},
        {"q": {"model": "gpt-4o", "messages": messages}, "a": {"choices": [{"message": {"content": "Yes."}}]}},
        {"q": json.dumps({"contents": [{"role": "user", "parts": [{"text": "Late?"}]}]}),
         "a": json.dumps({"candidates": [{"content": {"parts": [{"text": "Yes."}]}}]})},
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    calls = read(tmp_path / "rows.jsonl", "prompt=q,answer=a")
    assert calls.calls.height == 3
    stored = texts(calls)
    assert all("Yes." in stored[one][1] for one in calls.calls["answer_id"])


def test_a_mapping_may_be_a_text_or_a_file(tmp_path):
    (tmp_path / "map.yaml").write_text("prompt: Question\nanswer: Reply\n")
    assert load_mapping(tmp_path / "map.yaml") == load_mapping("prompt=Question, answer=Reply")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("promt=Question", "Did you mean 'prompt'"),
        ("answer=Reply", "neither a prompt nor tokens"),
        ("prompt=", "mapped to no column"),
        ({"prompt": ""}, "mapped to no column"),
    ],
)
def test_a_wrong_mapping_gets_a_sentence(given, said):
    with pytest.raises(SettingError, match=said):
        load_mapping(given)


def test_a_mapping_that_is_no_file_gets_a_sentence(tmp_path):
    with pytest.raises(InputError, match="can't be read"):
        load_mapping(tmp_path / "none.yaml")


def test_an_unknown_file_proposes_the_mapping_that_reads_it(tmp_path):
    path = tmp_path / "export.csv"
    row = {
        "Query": "Late?",
        "generated text": "Yes.",
        "Prediction": "Yes.",
        "Session ID": "s",
        "Model": "gpt-4o",
        "junk": "x",
    }
    pl.DataFrame([row]).write_csv(path)
    with pytest.raises(InputError) as caught:
        read_calls([path], redactor=PlainRedactor())
    proposed = str(caught.value).split("--map '")[1].split("'")[0]
    assert "prompt=Query" in proposed
    assert only(read(path, proposed))["model"] == "gpt-4o"


def test_every_name_of_a_mapping_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    assert all(f"`{name}`" in page for name in NAMES)
