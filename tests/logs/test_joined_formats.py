"""Formats whose records are not whole calls: batch jobs, fine-tuning files, traces of the OpenAI Agents SDK."""

from __future__ import annotations

import orjson
import pytest

from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, only, pair, texts


def write(folder, name, *records):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\n".join(orjson.dumps(one) for one in records))


def asked(own="a", text="Is it in?"):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": own, "method": "POST", "url": "/v1/chat/completions", "body": body}


def answered(own="a", text="Yes."):
    body = pair("?", text)["response"] | {"id": f"chatcmpl-{own}-{text}"}
    return {"id": "batch_req_1", "custom_id": own, "response": {"status_code": 200, "body": body}, "error": None}


def test_a_batchs_answers_join_their_requests_whatever_the_order(tmp_path):
    write(tmp_path, "out.jsonl", answered("b", "No."), answered("a", "Yes."))
    write(tmp_path, "in.jsonl", asked("a", "First?"), asked("b", "Second?"))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    stored = texts(calls)
    said = {stored[row["message_ids"][0]][1]: stored[row["answer_id"]][1] for row in calls.calls.iter_rows(named=True)}
    assert said == {"First?": "Yes.", "Second?": "No."}
    assert calls.calls["batch"].all()
    assert dict(calls.files.select("file", "calls").iter_rows()) == {"in.jsonl": 0, "out.jsonl": 2}


def test_ids_that_recur_in_other_batches_are_joined_by_folder(tmp_path):
    for folder, word in (("monday", "Yes."), ("tuesday", "No.")):
        write(tmp_path, f"{folder}/in.jsonl", asked("request-1", folder))
        write(tmp_path, f"{folder}/out.jsonl", answered("request-1", word))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    stored = texts(calls)
    said = {stored[row["message_ids"][0]][1]: stored[row["answer_id"]][1] for row in calls.calls.iter_rows(named=True)}
    assert said == {"monday": "Yes.", "tuesday": "No."}


def test_an_id_that_stands_for_two_requests_is_not_guessed_at(tmp_path):
    write(tmp_path, "in.jsonl", asked("a", "One?"), asked("a", "Two?"))
    write(tmp_path, "out.jsonl", answered("a"))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    answer = calls.calls.filter(source_file="out.jsonl").row(0, named=True)
    assert answer["message_ids"] is None
    assert any("could not be joined" in note for note in calls.notes)


def test_a_request_without_an_answer_is_a_call_without_one(read):
    call = only(read(asked()))
    assert (call["answer_id"], call["status"], call["tokens_estimated"], call["batch"]) == (None, "ok", True, True)


def test_failed_requests_of_a_batch_are_failed_calls(tmp_path):
    failed = {"id": "r", "custom_id": "a", "response": {"status_code": 429, "body": {"error": {"message": "slow"}}}}
    expired = {"id": "r", "custom_id": "b", "response": None, "error": {"code": "batch_expired", "message": "late"}}
    write(tmp_path, "in.jsonl", asked("a"), asked("b"))
    write(tmp_path, "errors.jsonl", failed, expired)
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert calls.calls["status"].to_list() == ["error", "error"]
    assert calls.calls["model"].to_list() == ["gpt-4o-mini"] * 2


def test_anthropics_batches_are_read(tmp_path):
    model = "claude-haiku-4-5"
    params = {
        "model": model,
        "max_tokens": 9,
        "system": "Short.",
        "messages": [{"role": "user", "content": "?"}],
    }
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "!"}],
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    write(tmp_path, "in.jsonl", {"custom_id": "a", "params": params}, {"custom_id": "b", "params": params})
    write(
        tmp_path,
        "out.jsonl",
        {"custom_id": "b", "result": {"type": "expired"}},
        {"custom_id": "a", "result": {"type": "succeeded", "message": message}},
    )
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert sorted(calls.calls["status"]) == ["error", "ok"]
    assert calls.calls["provider"].unique().to_list() == ["anthropic"]
    assert calls.calls["message_ids"].list.len().to_list() == [2, 2]


def test_embeddings_of_a_batch_are_no_calls(read):
    embedding = {"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": "x"}}
    calls = read(asked(), embedding)
    assert calls.files.select("calls", "other").row(0) == (1, 1)


def test_each_answer_of_a_fine_tuning_conversation_is_a_call(read):
    turns = [{"role": role, "content": text} for role, text in
             (("system", "s"), ("user", "u1"), ("assistant", "a1"), ("user", "u2"), ("assistant", "a2"))]  # fmt: skip
    calls = read(
        {"messages": turns}, {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    )
    assert sorted(calls.calls["message_ids"].list.len()) == [1, 2, 4]
    assert calls.calls["session_id"].n_unique() == 2
    assert calls.files.select("format", "records", "calls").row(0) == ("openai_chat_dataset", 3, 3)


SPAN = {"object": "trace.span", "trace_id": "trace_1", "started_at": "2026-09-21T10:00:00+00:00",
        "ended_at": "2026-09-21T10:00:02+00:00", "error": None}  # fmt: skip
TRACE = {
    "object": "trace",
    "id": "trace_1",
    "workflow_name": "Lending",
    "group_id": "reader-1",
    "metadata": {"env": "prod"},
}
AGENT = {**SPAN, "id": "span_1", "parent_id": None, "span_data": {"type": "agent", "name": "Librarian"}}


def test_a_generation_span_is_a_call_of_its_agent(read):
    data = {"type": "generation", "model": "gpt-4o", "usage": {"input_tokens": 9, "output_tokens": 2},
            "input": [{"role": "user", "content": "In?"}],
            "output": [{"role": "assistant", "content": "Yes."}]}  # fmt: skip
    calls = read(TRACE, AGENT, {**SPAN, "id": "span_2", "parent_id": "span_1", "span_data": data})
    call = only(calls)
    assert (call["step"], call["service"], call["model"], call["latency_ms"]) == (
        "Librarian",
        "Lending",
        "gpt-4o",
        2000.0,
    )
    assert (call["input_tokens"], call["output_tokens"], call["tags"]) == (9, 2, ["env:prod"])
    assert call["session_id"] is not None
    assert texts(calls)[call["answer_id"]] == ("assistant", "Yes.")


def test_a_response_span_is_completed_by_the_content_an_application_wrote_beside_it(tmp_path):
    bare = {**SPAN, "id": "span_2", "parent_id": "span_1", "span_data": {"type": "response", "response_id": "resp_1"}}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
    content = {
        "span_id": "span_2", "trace_id": "trace_1", "input": [{"role": "user", "content": "In?"}],
        "response": {"object": "response", "id": "resp_1", "status": "completed", "model": "gpt-4.1",
                     "instructions": "You lend books.", "usage": {"input_tokens": 9, "output_tokens": 2},
                     "tools": [{"type": "function", "name": "find_book"}],
                     "output": [said]},
    }  # fmt: skip
    write(tmp_path, "trace.jsonl", TRACE, AGENT, bare)
    alone = only(read_calls([tmp_path], redactor=PlainRedactor()))
    assert (alone["call_id"], alone["message_ids"], alone["status"]) == ("resp_1", None, "ok")
    write(tmp_path, "content.jsonl", content)
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    call = only(calls)
    stored = texts(calls)
    assert [stored[one] for one in call["message_ids"]] == [("system", "You lend books."), ("user", "In?")]
    assert (call["step"], call["model"], call["input_tokens"]) == ("Librarian", "gpt-4.1", 9)
    assert call["tool_names_offered"] == ["find_book"]


ASKED = {"role": "user", "content": "Is it in?"}
SAID = {"role": "assistant", "content": "It is."}


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [ASKED, SAID]},
        {"prompt_id": "p", "split": "train", "messages": [ASKED, SAID]},
        {"conversation_id": "c", "language": "English", "conversation": [ASKED, SAID]},
        {"id": "s", "conversations": [{"from": "human", "value": "Is it in?"}, {"from": "gpt", "value": "It is."}]},
        {"prompt": "Is it in?", "chosen": "It is.", "rejected": "No idea."},
        {"prompt": "Is it in?", "chosen": [ASKED, SAID], "rejected": [ASKED, {**SAID, "content": "No idea."}]},
        {"prompt": [ASKED], "chosen": [SAID], "rejected": [{**SAID, "content": "No idea."}]},
        {"input": {"messages": [ASKED]}, "preferred_output": [SAID], "non_preferred_output": [SAID]},
    ],
    ids=["openai", "hub", "named", "sharegpt", "texts", "whole", "apart", "openai's preferences"],
)
def test_a_training_sets_answer_is_a_call_and_a_rejected_answer_is_none(read, record):
    calls = read(record)
    call = only(calls)
    stored = texts(calls)
    assert calls.files["format"].item() == "openai_chat_dataset"
    assert [stored[one] for one in call["message_ids"]] == [("user", "Is it in?")]
    assert stored[call["answer_id"]] == ("assistant", "It is.")
    assert "No idea." not in calls.messages["text"].to_list()


def test_a_function_that_sharegpt_calls_is_a_tool_call(read):
    told = [
        {"from": "human", "value": "Where is 7?"},
        {"from": "function_call", "value": '{"name": "find", "arguments": {"parcel": 7}}'},
        {"from": "observation", "value": "Gent"},
        {"from": "gpt", "value": "In Gent."},
    ]
    calls = read({"conversations": told})
    assert sorted(calls.calls["message_ids"].list.len()) == [1, 3]
    assert calls.calls["tool_calls"].list.len().sum() == 1
    assert ("tool", "Gent") in texts(calls).values()


def test_a_log_of_calls_is_no_training_set(read):
    calls = read({"messages": [ASKED, SAID, ASKED], "response": "Yes.", "model": "gpt-4o"})
    assert calls.files["format"].item() == "openai_pairs"


COMPLETION = {
    **pair("?", "It is.")["response"], "id": "chatcmpl-AyP", "request_id": "req_1", "input_user": None,
    "metadata": {"session_id": "s1", "step": "answer"}, "tools": None,
}  # fmt: skip
STORED = [{"id": f"chatcmpl-AyP-{n}", "name": None, "content_parts": None, **one} for n, one in enumerate([ASKED] * 2)]


def page(records):
    return {"object": "list", "data": records, "first_id": records[0]["id"], "has_more": False}


@pytest.mark.parametrize(
    "records",
    [[COMPLETION, *STORED], [*reversed(STORED), COMPLETION], [page([COMPLETION]), page(STORED)]],
    ids=["rows", "messages first", "pages"],
)
def test_a_stored_completion_is_joined_to_its_messages(read, records):
    calls = read(*records)
    call = only(calls)
    assert calls.files.select("format", "records", "calls", "other").row(0) == ("stored_completions", 3, 1, 2)
    assert len(call["message_ids"]) == 2
    assert (call["step"], call["input_tokens"], call["status"]) == ("answer", 20, "ok")
    assert call["session_id"] is not None


def test_stored_completions_alone_are_calls_without_prompts_and_a_note_says_what_to_fetch(read):
    calls = read(page([COMPLETION]))
    assert only(calls)["message_ids"] is None
    assert any("/messages" in note for note in calls.notes)
