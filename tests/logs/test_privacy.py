"""Nothing is kept before it is redacted, and a message is redacted once."""

from __future__ import annotations

import orjson

from slmlens.logs.messages import redacted
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, only, pair


def everything(calls) -> str:
    frames = (calls.calls, calls.messages, calls.rejects, calls.files, calls.duplicates)
    return " ".join(str(frame.rows()) for frame in frames) + " ".join(calls.notes)


def test_a_value_is_gone_from_every_table(read):
    mail = "ana@example.org"
    calls = read(
        pair(
            f"Write to {mail}",
            f"Wrote to {mail}",
            message={"tool_calls": [{"function": {"name": "mail", "arguments": orjson.dumps({"to": mail}).decode()}}]},
            session_id=mail,
            end_user=mail,
            step=f"mail {mail}",
            service=mail,
            tags=[mail],
            metadata={"team": mail},
            response={"id": mail},
        ),
        b'{"broken": "' + mail.encode(),
        [mail],
    )
    assert mail not in everything(calls)
    assert "ana" not in everything(calls)
    assert calls.rejects.height == 2


def test_redacted_json_is_still_json(read):
    arguments = '{"note": "line\\nana@example.org", "number": 123456789, "keep": 7}'
    call = only(read(pair(answer=None, message={"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]})))
    kept = orjson.loads(call["tool_calls"][0]["arguments"])
    assert kept["keep"] == 7
    assert "ana" not in str(kept)
    assert "123456789" not in str(kept)
    assert redacted(PlainRedactor(), "{not json ana@example.org") != "{not json ana@example.org"


def test_a_message_is_redacted_once_however_often_it_is_repeated(read, redactor):
    turns = [{"role": "user", "content": f"Turn {n}"} for n in range(30)]
    read(*[pair(request={"messages": turns[: n + 1]}, response={"id": f"c-{n}"}) for n in range(30)])
    assert redactor.asked.count("Turn 0") == 1


def test_without_text_only_ids_and_lengths_are_kept(read):
    called = {"tool_calls": [{"function": {"name": "f", "arguments": '{"a": "secret"}'}}]}
    calls = read(pair("Hello there", "Sure", message=called), keep_text=False)
    assert calls.messages["text"].is_null().all()
    assert calls.messages["n_chars"].min() > 0
    assert only(calls)["tool_calls"] == [{"name": "f", "arguments": ""}]
    assert "secret" not in everything(calls)


def test_names_of_folders_are_relative_and_paths_become_names(tmp_path):
    folder = tmp_path / "-home-ana-work-shop"
    folder.mkdir()
    (folder / "log.jsonl").write_bytes(orjson.dumps(pair(service="/home/ana/shop")))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert only(calls)["source_file"] == "shop/log.jsonl"
    assert only(calls)["service"] == "shop"
    assert "ana" not in everything(calls)
