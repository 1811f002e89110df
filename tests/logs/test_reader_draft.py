"""A draft of a reader takes each key for what its name says, and reads what it was made from."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import InputError
from slmlens.logs.mapping import guess_mapping
from slmlens.logs.own_readers import load_reader
from slmlens.logs.read import read_calls
from slmlens.logs.reader_draft import calls_at, draft_reader, proposed_mapping
from slmlens.reporting.unread import first_look, mapped_look, record_table, write_draft
from slmlens.sample.unread import CONVERSATIONS, write_unread
from tests.logs.conftest import PlainRedactor, only, pair

NESTED = {
    "ask": {"question": "Late?", "lang": "en"}, "reply": "Yes.", "meta": {"llm": {"x": 1}, "model": "gpt-4o"},
    "usage": {"input_tokens": 8, "output_tokens": 1}, "conversation": "c1",
}  # fmt: skip


def written(tmp_path: Path, record: dict[str, object]) -> Path:
    (tmp_path / "export.jsonl").write_bytes(orjson.dumps(record))
    (tmp_path / "draft.py").write_text(draft_reader(record), encoding="utf-8")
    return tmp_path / "export.jsonl"


def test_the_draft_for_the_example_reads_all_of_its_calls(tmp_path: Path) -> None:
    log = tmp_path / "conversations.jsonl"
    held = write_unread(log)
    with pytest.raises(InputError, match="no known format"):
        read_calls([log], redactor=PlainRedactor())
    reader = write_draft(log, tmp_path / "draft.py")
    calls = read_calls([log], redactor=PlainRedactor(), reader=reader)
    assert held == calls.calls.height == 79
    assert calls.rejects.is_empty()
    assert calls.calls["session_id"].n_unique() == CONVERSATIONS
    lacking = calls.calls.select("started_at", "latency_ms", "model", "service", "input_tokens", "output_tokens")
    assert lacking.null_count().sum_horizontal().item() == 0


def test_what_stands_an_object_deeper_is_found_and_a_body_is_taken_whole(tmp_path: Path) -> None:
    assert guess_mapping(NESTED) == {
        "answer": "reply", "session": "conversation", "prompt": "ask.question", "model": "meta.model",
        "input_tokens": "usage.input_tokens", "output_tokens": "usage.output_tokens",
    }  # fmt: skip
    call = only(read_calls([written(tmp_path, NESTED)], redactor=PlainRedactor(), reader=tmp_path / "draft.py"))
    assert (call["model"], call["input_tokens"], call["status"]) == ("gpt-4o", 8, "ok")
    body = {"request": {"model": "m", "system": "s", "messages": []}, "response": {"model": "m"}}
    assert guess_mapping(body) == {"prompt": "request", "answer": "response"}


def test_calls_in_a_list_are_not_proposed_as_one_call_a_record() -> None:
    record = {"id": 1, "steps": [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}]}
    assert calls_at(record) == "steps"
    assert guess_mapping(record) == {}, "the message for an unknown file proposes nothing that loses calls"
    assert proposed_mapping(record) == {"prompt": "steps.0.prompt", "answer": "steps.0.completion"}


_TEXTS = st.text(max_size=12)
_RECORDS = st.dictionaries(
    st.one_of(_TEXTS, st.sampled_from(["prompt", "turns", "answer", "model", "session_id"])),
    st.one_of(_TEXTS, st.integers(), st.lists(st.dictionaries(st.sampled_from(["prompt", "answer", '"']), _TEXTS))),
    min_size=1,
)


@settings(max_examples=40)
@given(_RECORDS)
def test_a_draft_is_a_reader_whatever_the_keys_are_and_knows_its_own_record(tmp_path_factory, record) -> None:
    path = tmp_path_factory.mktemp("draft") / "draft.py"
    path.write_text(draft_reader(record), encoding="utf-8")
    form = load_reader(path)
    assert form.recognises(record)
    assert form.parts is not None
    key = calls_at(record)
    assert len(list(form.parts(record))) == (1 if key is None else len(record[key]))


def test_a_written_draft_is_never_overwritten_and_none_is_written_for_a_known_log(tmp_path: Path) -> None:
    log, known = written(tmp_path, NESTED), tmp_path / "pairs.jsonl"
    known.write_bytes(orjson.dumps(pair()))
    assert write_draft(known, tmp_path / "none.py") is None
    mended = tmp_path / "mended.py"
    mended.write_text("FORMAT = 1", encoding="utf-8")
    assert write_draft(log, mended) == mended
    assert mended.read_text(encoding="utf-8") == "FORMAT = 1"


def test_the_table_of_a_record_shows_shapes_and_no_text(tmp_path: Path) -> None:
    log = written(tmp_path, NESTED)
    rows = {where: (looks, taken) for where, looks, taken in record_table(log).frame.iter_rows()}
    assert rows["ask.question"] == ('"aaaa?"', "prompt")
    assert rows["usage.input_tokens"] == ("9", "input_tokens")
    assert "Late" not in str(rows)
    assert first_look(log).frame.row(0) == ("export.jsonl", "not recognised")


def test_a_mapping_that_reads_nothing_says_why(tmp_path: Path) -> None:
    log = written(tmp_path, NESTED)
    assert mapped_look(log, proposed_mapping(NESTED)).frame.rows() == [("records", 1), ("calls by the mapping", 1)]
    assert "did you mean 'prompt'" in repr(mapped_look(log, {"promt": "ask"})).lower()
