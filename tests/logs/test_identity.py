"""Ids come from content, equal ids are told apart, and a call seen twice is counted once."""

from __future__ import annotations

import orjson

from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, only, pair


def test_an_id_that_stands_for_several_calls_is_numbered_by_time(read):
    calls = read(
        pair("second", response={"created": 1_780_000_060}),
        pair("first", response={"created": 1_780_000_000}),
        pair("third", response={"created": 1_780_000_120}),
    )
    assert calls.calls["call_id"].to_list() == ["chatcmpl-1", "chatcmpl-1#2", "chatcmpl-1#3"]
    assert calls.calls["source_line"].to_list() == [2, 1, 3]
    assert calls.duplicates.is_empty()


def test_equal_records_of_one_file_are_calls_and_in_another_file_copies(tmp_path):
    record = orjson.dumps(pair())
    (tmp_path / "a.jsonl").write_bytes(record + b"\n" + record)
    (tmp_path / "b.jsonl").write_bytes(record + b"\n" + orjson.dumps(pair("Another?")))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert sorted(calls.calls["call_id"]) == ["chatcmpl-1", "chatcmpl-1#2", "chatcmpl-1#3"]
    [(kept, *copied)] = calls.duplicates.rows()
    assert copied == ["b.jsonl", 1]
    assert calls.calls.filter(call_id=kept)["source_file"].item() == "a.jsonl"
    assert dict(calls.files.select("file", "duplicates").iter_rows()) == {"a.jsonl": 0, "b.jsonl": 1}


def test_one_call_logged_by_two_instruments_is_counted_once(read):
    calls = read(pair(span_kind="gateway", timestamp=1_780_000_000), pair(span_kind="sdk", timestamp=1_780_000_001))
    assert calls.calls.height == 1
    assert calls.duplicates.height == 1
    later = read(pair(span_kind="gateway", timestamp=1_780_000_000), pair(span_kind="sdk", timestamp=1_780_000_009))
    assert later.calls.height == 2


def test_without_an_id_and_a_time_equal_records_in_two_files_may_be_two_calls(tmp_path):
    bare = {"prompt": "Hi", "completion": "Hello"}
    (tmp_path / "a.jsonl").write_bytes(orjson.dumps(bare))
    (tmp_path / "b.jsonl").write_bytes(orjson.dumps(bare) + b"\n" + orjson.dumps({**bare, "completion": "Hey"}))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert calls.calls.height == 3
    assert calls.calls["call_id"].is_unique().all()


def test_a_copied_file_adds_nothing(tmp_path):
    lines = b"\n".join(orjson.dumps({"prompt": f"Hi {n}", "completion": "Hello"}) for n in range(3))
    (tmp_path / "export.jsonl").write_bytes(lines)
    (tmp_path / "export (1).jsonl").write_bytes(lines)
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert calls.calls.height == 3
    assert calls.duplicates.height == 3


def test_the_id_of_a_call_without_one_depends_on_its_content_only(read):
    first = only(read({"prompt": "Hi", "completion": "Hello"}))
    again = read({"prompt": "Ho", "completion": "Hello"}, {"prompt": "Hi", "completion": "Hello"})
    assert first["call_id"] in again.calls["call_id"].to_list()
    assert again.calls["call_id"].n_unique() == 2


def test_prompts_are_compared_before_redaction(read):
    calls = read(
        pair("Mail to ana@example.org", response={"id": "a"}),
        pair("Mail to ana@example.org", response={"id": "b"}),
        pair("Mail to ANA@example.org", response={"id": "c"}),
    )
    keys = dict(calls.calls.select("call_id", "prompt_key").iter_rows())
    ids = dict(calls.calls.select("call_id", "message_ids").iter_rows())
    assert keys["a"] == keys["b"] != keys["c"]
    assert ids["a"] == ids["b"] == ids["c"]  # the redactor hides both spellings alike


def test_an_id_that_names_a_person_is_hashed(read):
    calls = read(pair(response={"id": "ana@example.org"}))
    assert "ana" not in only(calls)["call_id"]
