"""OpenAI-shaped pairs in any envelope come out as one call each, with everything that was logged about them."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from tests.logs.conftest import only, pair, texts

ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
SAID = {
    "id": "chatcmpl-7",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
}
SSE = (
    'data: {"id":"chatcmpl-7","object":"chat.completion.chunk","model":"gpt-4o",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}\n\n'
    'data: {"id":"chatcmpl-7","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n'
    'data: {"id":"chatcmpl-7","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)
CHUNKS = [orjson.loads(line[6:]) for line in SSE.split("\n\n") if line.startswith("data: {")]


@pytest.mark.parametrize(
    "record",
    [
        {"request": ASK, "response": SAID},
        {"request": orjson.dumps(ASK).decode(), "response": orjson.dumps(SAID).decode()},
        {"request_body": ASK, "response_body": SAID},
        {
            "request": {"method": "POST", "url": "/v1/chat/completions", "body": ASK},
            "response": {"status_code": 200, "body": SAID},
        },
        {
            "request": {"method": "POST", "headers": {}, "body": orjson.dumps(ASK).decode()},
            "response": {"status": 200, "headers": {}, "body": orjson.dumps(SAID).decode()},
        },
        {"_index": "llm", "_source": {"request": ASK, "response": SAID}},
        {"level": "info", "message": {"event": {"request": ASK, "response": SAID}}},
        {"log": orjson.dumps({"request": ASK, "response": SAID}).decode()},
        {"type": "LLMCall", **ASK, "response": SAID},
        {**ASK, **SAID},
        {"url": "https://api.openai.com/v1/chat/completions", "status": 200, "request": ASK, "response_stream": SSE},
        {"request": ASK, "response": SSE},
        {"request": ASK, "response": CHUNKS},
        {"request": ASK, "chunks": [f"data: {orjson.dumps(chunk).decode()}" for chunk in CHUNKS]},
        {"model": "gpt-4o", "prompt": "Hi", "completion": "Hello"},
        {"model": "gpt-4o", "messages": ASK["messages"], "output": "Hello"},
        {"input": ASK, "output": {"role": "assistant", "content": "Hello"}},
        {"request": ASK["messages"], "response": {"content": "Hello"}, "model": "gpt-4o"},
        {
            "request": {"model": "gpt-4o", "prompt": "Hi"},
            "response": {"object": "text_completion", "choices": [{"text": "Hello", "finish_reason": "stop"}]},
        },
        {
            "request": {"model": "gpt-4o", "input": "Hi"},
            "response": {
                "object": "response",
                "id": "resp_1",
                "status": "completed",
                "output": [
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
                ],
            },
        },
        {
            "request": {"model": "claude-3-5-haiku", "max_tokens": 9, "messages": ASK["messages"]},
            "response": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "text", "text": "Hello"}],
                "stop_reason": "end_turn",
            },
        },
    ],
)
def test_the_question_and_the_answer_are_found_in_every_envelope(read, record):
    calls = read(record)
    call, stored = only(calls), texts(calls)
    assert [stored[one] for one in call["message_ids"]] == [("user", "Hi")]
    assert stored[call["answer_id"]] == ("assistant", "Hello")
    assert call["status"] == "ok"


@pytest.mark.parametrize("wrapped", [{"data": [pair()]}, [pair()], {"object": "list", "data": [pair()["response"]]}])
def test_documents_and_lists_are_unwrapped(read, wrapped):
    assert only(read(wrapped, name="export.json"))["source_line"] == 1


def test_ids_names_and_tags_are_found_at_several_depths(read):
    record = pair(
        timestamp="2026-09-01T10:00:00+02:00",
        metadata={"sessionId": "0f8fad5b-d9cb-469f-a165-70867728950e", "langgraph_node": "triage", "team": "support"},
        context={"trace": {"id": "tr-1"}, "parent_span_id": "sp-1", "service.name": "desk"},
        tags=["beta", "eu"],
        request={"user": "u-9", "service_tier": "batch"},
    )
    call = only(read(record))
    assert (call["step"], call["service"], call["batch"]) == ("triage", "desk", True)
    assert call["tags"] == ["beta", "eu", "team:support"]
    assert call["started_at"] == datetime(2026, 9, 1, 8, tzinfo=UTC)
    hashed = [call["session_id"], call["user_id"], call["trace_id"], call["parent_id"]]
    assert len(set(hashed)) == 4
    assert not {"u-9", "tr-1", "sp-1"} & set(hashed)


def test_a_user_is_no_session_and_a_counter_is_no_step(read):
    call = only(read(pair(step=3, task="Summarise the letter\nand be brief", request={"user": "u-9"})))
    assert call["session_id"] is None
    assert call["step"] is None


def test_a_short_session_id_is_unique_inside_its_service_only(read):
    calls = read(
        pair("a", session_id="12", service="desk"),
        pair("b", session_id="12", service="shop"),
        pair("c", session_id="12", service="desk"),
    )
    assert calls.calls["session_id"].n_unique() == 2


def test_answers_that_continue_one_another_are_one_session(read):
    def turn(own: str, before: str | None, n: int) -> dict:
        return {
            "request": {"model": "gpt-4o", "input": f"Turn {n}", "previous_response_id": before},
            "response": {
                "id": own,
                "object": "response",
                "created_at": 1_780_000_000 + n,
                "status": "completed",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "Yes"}]}],
            },
        }

    calls = read(
        turn("resp_a", None, 1), turn("resp_b", "resp_a", 2), turn("resp_c", "resp_b", 3), turn("resp_d", None, 4)
    )
    sessions = dict(calls.calls.select("call_id", "session_id").iter_rows())
    assert sessions["resp_a"] == sessions["resp_b"] == sessions["resp_c"] is not None
    assert sessions["resp_d"] is None
    assert dict(calls.calls.select("call_id", "parent_id").iter_rows())["resp_c"] == "resp_b"


@pytest.mark.parametrize(
    ("logged", "microseconds"),
    [
        (1_780_000_000, 1_780_000_000_000_000),
        (1_780_000_000.25, 1_780_000_000_250_000),
        (1_780_000_000_250, 1_780_000_000_250_000),
        ("1780000000250000", 1_780_000_000_250_000),
        (1_780_000_000_250_000_123, 1_780_000_000_250_000),
        ("2026-05-28T20:26:40.250Z", 1_780_000_000_250_000),
        ("2026-05-28 20:26:40.250000", 1_780_000_000_250_000),
        ("Thu, 28 May 2026 20:26:40 GMT", 1_780_000_000_000_000),
    ],
)
def test_times_are_read_in_any_unit(read, logged, microseconds):
    started = only(read(pair(timestamp=logged)))["started_at"]
    assert round(started.timestamp() * 1_000_000) == microseconds


@pytest.mark.parametrize(
    ("envelope", "ms"),
    [
        ({"latency_ms": 900}, 900),
        ({"duration_s": 1.5}, 1500),
        ({"latency": 1.5}, 1500),
        ({"latency": 812.5}, 812.5),
        ({"start_time": "2026-05-28T20:26:40Z", "end_time": "2026-05-28T20:26:42Z"}, 2000),
        ({"latency": "soon"}, None),
    ],
)
def test_latency_is_in_milliseconds(read, envelope, ms):
    assert only(read(pair(**envelope)))["latency_ms"] == ms


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 80},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            (100, 80, None, 9, 5),
        ),
        (
            {"input_tokens": 100, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 80}},
            (100, 80, None, 9, None),
        ),
        (
            {"input_tokens": 20, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 7, "output_tokens": 9},
            (107, 80, 7, 9, None),
        ),
        (
            {
                "prompt_tokens": 107,
                "cache_read_input_tokens": 80,
                "cache_creation_input_tokens": 7,
                "completion_tokens": 9,
            },
            (107, 80, 7, 9, None),
        ),
        (
            {"prompt_tokens": 20, "prompt_tokens_details": {"cached_tokens": 80}, "completion_tokens": 9},
            (100, 80, None, 9, None),
        ),
        (
            {
                "prompt_tokens": 20,
                "completion_tokens": 9,
                "total_tokens": 60,
                "completion_tokens_details": {"reasoning_tokens": 31},
            },
            (20, None, None, 40, 31),
        ),
    ],
)
def test_tokens_come_in_one_convention(read, usage, counts):
    call = only(read(pair(response={"usage": usage})))
    names = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert tuple(call[name] for name in names) == counts
    assert call["tokens_estimated"] is False


@pytest.mark.parametrize(
    ("record", "nusd"),
    [
        (pair(cost_usd=0.00012), 120_000),
        (pair(response_cost="0.0001200"), 120_000),
        (pair(cost={"total": 0.00012}), 120_000),
        (pair(response={"usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.00012}}), 120_000),
        (pair(cost="free"), None),
    ],
)
def test_a_logged_cost_is_kept_in_nano_dollars(read, record, nusd):
    assert only(read(record))["logged_nusd"] == nusd


def test_tool_calls_are_kept_and_the_answer_can_be_compared(read):
    called = {
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"b": 2, "a": [1]}'}}
        ]
    }
    calls = read(
        pair(answer=None, message=called, request={"tools": [{"type": "function", "function": {"name": "find"}}]})
    )
    call = only(calls)
    assert call["tool_calls"] == [{"name": "find", "arguments": '{"a":[1],"b":2}'}]
    assert call["tool_names_offered"] == ["find"]
    assert texts(calls)[call["answer_id"]] == ("assistant", 'find({"a":[1],"b":2})')


def test_the_legacy_function_call_is_a_tool_call(read):
    call = only(
        read(
            pair(
                answer=None,
                message={"function_call": {"name": "find", "arguments": "{}"}},
                request={"functions": [{"name": "find"}]},
            )
        )
    )
    assert call["tool_calls"] == [{"name": "find", "arguments": "{}"}]
    assert call["tool_names_offered"] == ["find"]


def test_an_answer_is_the_message_that_the_next_prompt_repeats(read):
    calls = read(
        pair("Where?", "There.", response={"id": "a"}),
        {
            "request": {
                "messages": [
                    {"role": "user", "content": "Where?"},
                    {"role": "assistant", "content": "There."},
                    {"role": "user", "content": "Why?"},
                ]
            },
            "response": {**SAID, "id": "b"},
        },
    )
    by_id = {row["call_id"]: row for row in calls.calls.iter_rows(named=True)}
    assert by_id["a"]["answer_id"] == by_id["b"]["message_ids"][1]
    counted = dict(calls.messages.select("message_id", "n_calls").iter_rows())
    assert counted[by_id["a"]["answer_id"]] == 2


def test_pictures_and_reasoning_leave_no_text(read):
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    calls = read(
        pair(request={"messages": [{"role": "user", "content": content}]}, message={"reasoning_content": "Hm."})
    )
    assert texts(calls)[only(calls)["message_ids"][0]] == ("user", "What is this?\n[image]")
    assert not any("Hm." in text for _, text in texts(calls).values())


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (pair(), "ok"),
        (pair(answer=""), "ok"),
        (pair(answer=None), "error"),
        (pair(response={"error": {"message": "overloaded"}}), "error"),
        ({"request": ASK, "response": {"error": {"message": "bad", "code": None}}, "status": 400}, "error"),
        ({"request": ASK, "response": None, "status": 500}, "error"),
        ({"request": ASK, "response": None, "error": "timeout"}, "error"),
        (pair(answer=None, message={"refusal": "I can't."}), "refusal"),
        (pair(response={"choices": [{"index": 0, "finish_reason": "content_filter"}]}), "refusal"),
        (
            pair(response={"choices": [{"index": 0, "message": {"content": "On i"}, "finish_reason": "length"}]}),
            "truncated",
        ),
        ({"request": ASK, "response": SSE[: SSE.index("data: [DONE]") - 140]}, "truncated"),
        (pair(request={"response_format": {"type": "json_object"}}), "malformed"),
        (pair(answer='{"a": 1}', request={"response_format": {"type": "json_object"}}), "ok"),
        (pair(answer=None, message={"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}), "malformed"),
    ],
)
def test_what_became_of_a_call(read, record, status):
    call = only(read(record))
    assert call["status"] == status
    assert (call["answer_id"] is None) == (
        status == "error" or record == pair(response={"choices": [{"index": 0, "finish_reason": "content_filter"}]})
    )


def test_the_schema_asked_for_is_named(read):
    asked = {"type": "json_schema", "json_schema": {"name": "ticket", "schema": {}}}
    assert only(read(pair(answer="{}", request={"response_format": asked})))["response_schema"] == "ticket"


@pytest.mark.parametrize(
    ("record", "provider"),
    [
        (pair(url="https://acme.openai.azure.com/openai/deployments/x"), "azure"),
        (pair(provider="bedrock"), "aws"),
        (pair(), "openai"),
        (pair(request={"model": "llama-3.1-8b"}, response={"model": "llama-3.1-8b"}), None),
        (pair(request={"model": "gpt-oss-20b"}, response={"model": "gpt-oss-20b"}), None),
        (pair(uri="https://openrouter.ai/api/v1/chat/completions"), "openrouter"),
    ],
)
def test_the_provider_is_the_one_that_was_asked(read, record, provider):
    assert only(read(record))["provider"] == provider


def test_a_log_without_prompts_still_yields_its_usage_and_names_the_setting(read):
    calls = read(
        {
            "timestamp": 1_780_000_000,
            "model": "gpt-4o",
            "usage": {"prompt_tokens": 9, "completion_tokens": 1},
            "cost": 0.1,
        }
    )
    call = only(calls)
    assert (call["input_tokens"], call["output_tokens"], call["status"]) == (9, 1, "ok")
    assert call["message_ids"] is call["answer_id"] is call["prompt_key"] is None
    assert "request.messages" in calls.notes[0]
