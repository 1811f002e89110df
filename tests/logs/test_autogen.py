"""AutoGen's events and its older runtime log, by the layout of its sources."""

from __future__ import annotations

import pytest

from tests.logs.conftest import only, pair, texts

TEAM = "0c8f4d3e-1111-4222-8333-abcdefabcdef"
AGENT = f"Clerk_{TEAM}/{TEAM}"
BODIES = pair("Is it in?", "It is.")
COUNTS = {"prompt_tokens": 20, "completion_tokens": 4}
ROW = {
    "invocation_id": "i", "client_id": 1, "wrapper_id": 2, "source_name": "Clerk", "is_cached": 0, "cost": 0.01,
    "start_time": "2026-09-01 10:00:00.500000", "end_time": "2026-09-01 10:00:02.500000", "thread_id": 140_000,
}  # fmt: skip
WRITTEN = (
    "ChatCompletion(id='chatcmpl-1', choices=[Choice(finish_reason='stop', index=0, logprobs=None, "
    "message=ChatCompletionMessage(content='It is.', role='assistant', tool_calls=None))], created=1780000000, "
    "model='gpt-4o-2024-08-06', usage=CompletionUsage(completion_tokens=4, prompt_tokens=20, total_tokens=24))"
)


def event(kind, **more):
    return {"type": kind, "agent_id": AGENT, **more}


def test_an_event_is_a_call_of_the_agent_and_its_team_the_session(read):
    asked = BODIES["request"]["messages"]
    calls = read(
        event("LLMCall", messages=asked, response=BODIES["response"], **COUNTS),
        event("ToolCall", tool_name="find", arguments={}, result="4"),
        {"type": "Message", "payload": "{}", "sender": AGENT, "receiver": None, "kind": "MessageKind.PUBLISH"},
    )
    call = only(calls)
    assert calls.files.select("format", "records", "calls", "other").row(0) == ("autogen", 3, 1, 2)
    assert (call["step"], call["model"], call["input_tokens"]) == ("Clerk", "gpt-4o-2024-08-06", 20)
    assert call["session_id"] is not None


def test_the_end_of_a_stream_answers_what_its_start_asked(read):
    calls = read(
        event("LLMStreamStart", messages=BODIES["request"]["messages"]),
        event("LLMStreamEnd", response={"content": "It is.", "finish_reason": "stop"}, **COUNTS),
    )
    call = only(calls)
    stored = texts(calls)
    assert [stored[one][0] for one in call["message_ids"]] == ["system", "user"]
    assert stored[call["answer_id"]] == ("assistant", "It is.")
    assert (call["input_tokens"], call["output_tokens"]) == (20, 4)


@pytest.mark.parametrize("said", [BODIES["response"], WRITTEN], ids=["database", "file"])
def test_a_row_of_the_runtime_log_is_a_call_and_its_thread_no_session(read, said):
    wrapper = {"wrapper_id": 2, "session_id": "run", "json_state": "{}", "timestamp": "x", "thread_id": 140_000}
    rows = [wrapper, {**ROW, "request": BODIES["request"], "response": said}]
    calls = read(*rows)
    call = only(calls)
    assert texts(calls)[call["answer_id"]] == ("assistant", "It is.")
    assert (call["latency_ms"], call["step"], call["input_tokens"], call["output_tokens"]) == (2000.0, "Clerk", 20, 4)
    assert call["logged_nusd"] == 10_000_000
    assert call["session_id"] != only(read(rows[1]))["session_id"]


def test_a_cached_answer_is_no_call_and_a_text_that_is_code_is_not_run(read):
    cached = {**ROW, "request": BODIES["request"], "response": WRITTEN, "is_cached": 1}
    code = {**ROW, "invocation_id": "j", "request": BODIES["request"], "response": "ChatCompletion(id=exit(3))"}
    calls = read(cached, code)
    assert calls.files.select("calls", "other").row(0) == (1, 1)
    assert only(calls)["answer_id"] is None
