"""Langfuse exports: one schema in two spellings, any framework's inputs, the session on the trace, leaves only."""

from __future__ import annotations

import json

import orjson
import pytest

from slmlens.logs.read import read_calls
from tests.logs import traces
from tests.logs.conftest import PlainRedactor, only, texts
from tests.logs.traces import ANSWER, CHAT, DECLARED, EXPECTED, observation, snake_case


def prompt_of(calls, call) -> list[tuple[str, str]]:
    stored = texts(calls)
    return [stored[one] for one in call["message_ids"] or ()]


def answer_of(calls, call) -> str | None:
    return texts(calls)[call["answer_id"]][1] if call["answer_id"] else None


def test_an_observation_is_a_call(read):
    calls = read(observation())
    call = only(calls)
    assert prompt_of(calls, call) == EXPECTED
    assert answer_of(calls, call) == ANSWER
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (90, 64, 7)
    assert (call["latency_ms"], call["ttft_ms"], call["logged_nusd"]) == (1500.0, 400.0, 300_000)
    assert call["tool_names_offered"] == [traces.TOOL]


def test_camel_and_snake_case_are_one_schema(read):
    first, second = read(observation()), read(snake_case(observation()), name="blob.jsonl")
    drop = ("source_file",)
    assert first.calls.drop(*drop).equals(second.calls.drop(*drop))


@pytest.mark.parametrize("shape", ["document", "rows", "page", "array"])
def test_the_session_stands_on_the_trace_in_every_export(tmp_path, shape):
    trace = {"id": "t1", "name": "lending", "timestamp": "2026-09-21T10:00:00.000Z", "sessionId": "reader-1",
             "userId": "ana", "tags": ["desk"], "release": None, "bookmarked": False}  # fmt: skip
    rows = [observation(), trace]
    written = {
        "document": json.dumps({"trace": trace, "observations": [observation()]}, indent=1),
        "rows": "\n".join(map(json.dumps, rows)),
        "page": json.dumps({"data": rows, "meta": {"page": 1}}),
        "array": json.dumps(rows),
    }
    (tmp_path / "export.json").write_text(written[shape])
    calls = read_calls([tmp_path / "export.json"], redactor=PlainRedactor())
    call = only(calls)
    assert call["session_id"] == PlainRedactor().pseudonym("session", "reader-1")
    assert call["user_id"] == PlainRedactor().pseudonym("user", "ana")
    assert call["tags"] == ["desk"]
    assert calls.files.select("records", "calls", "other").row(0) == (2, 1, 1)


def test_only_leaves_count_and_the_span_above_names_the_step(read):
    calls = read(
        observation(id="leaf", parentObservationId="wrap", name="ai.generateText.doGenerate"),
        observation(
            id="wrap", parentObservationId="node", name="ai.generateText", usageDetails={"input": 4, "output": 7}
        ),
        observation(
            id="node", type="SPAN", name="answer the reader", input=None, output=None, usageDetails={}, model=None
        ),
    )
    call = only(calls)
    assert (call["step"], call["input_tokens"]) == ("answer the reader", 90)
    assert calls.files.select("records", "calls", "parents", "other").row(0) == (3, 1, 1, 1)


def test_the_name_of_the_prompt_is_the_best_step(read):
    metadata = json.dumps({"langgraph_node": "lookup", "thread_id": "reader-9"})
    call = only(read(observation(metadata=metadata, name="my generation")))
    assert call["step"] == "lookup"
    assert call["session_id"] == PlainRedactor().pseudonym("session", "reader-9")
    assert only(read(observation(metadata=metadata, promptName="lend-v2"), name="b.jsonl"))["step"] == "lend-v2"


def test_of_two_exports_of_a_row_the_newer_counts(read):
    newer = observation(updatedAt="2026-09-22T00:00:00.000Z", usageDetails={"input": 30, "output": 9})
    calls = read(newer, observation())
    assert only(calls)["input_tokens"] == 30
    assert calls.duplicates.height == 1


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input": 26, "input_cached_tokens": 64, "output": 3, "output_reasoning_tokens": 4}, (90, 64, 7, 4)),
        ({"input": 90, "prompt_details.cache_read": 64, "output": 7, "total": 97}, (90, 64, 7, None)),
        ({"input": 90, "input_cache_read": 64, "output": 7, "total": 97}, (90, 64, 7, None)),
        (
            {"input": 10, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 20, "output": 7},
            (90, 60, 7, None),
        ),
        ({"promptTokens": 1}, (None, None, None, None)),
        ({"input": 90, "output": 7, "total": 137}, (90, None, 47, 40)),
    ],
    ids=[
        "beside",
        "inside by another name",
        "inside by the total",
        "Anthropic's keys",
        "none known",
        "hidden thinking",
    ],
)
def test_conventions_of_usage_are_told_apart(read, usage, tokens):
    call = only(read(observation(usageDetails=usage, input="", output="")))
    found = tuple(call[key] for key in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"))
    assert found == tokens


GEMINI = {
    "model": "gemini-2.0-flash",
    "config": {"system_instruction": "You lend books.", "tools": [{"function_declarations": [{"name": "find_book"}]}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Is Middlemarch in?"}]},
        {"role": "model", "parts": [{"function_call": {"name": "find_book", "args": {"title": "Middlemarch"}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "find_book", "response": {"shelf": 4}}}]},
    ],
}
LANGCHAIN = [
    {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": kwargs}
    for name, kwargs in (
        ("SystemMessage", {"content": traces.SYSTEM}),
        ("HumanMessage", {"content": traces.ASKED}),
        ("AIMessage", {"content": "", "tool_calls": [{"name": traces.TOOL, "args": traces.ARGUMENTS, "id": "c1"}]}),
        ("ToolMessage", {"content": traces.FOUND, "tool_call_id": "c1"}),
    )
]
EVENTS = [
    {**{key: one for key, one in message.items() if one is not None}, "event.name": f"gen_ai.{message['role']}.message"}
    for message in CHAT
]
INPUTS = {
    "an OpenAI body": {"messages": CHAT},
    "a list of messages": CHAT,
    "a batch of one": [CHAT],
    "OpenTelemetry parts": traces.PARTS,
    "LangChain constructors": LANGCHAIN,
    "pydantic-ai events": EVENTS,
    "tools among the messages": [*CHAT, {"role": "tool", "content": DECLARED}],
    "the tool's name for its role": [*CHAT[:3], {"role": traces.TOOL, "content": traces.FOUND}],
    "LangChain's extra arguments": [
        *CHAT[:2],
        {"role": "assistant", "content": "", "additional_kwargs": {"tool_calls": CHAT[2]["tool_calls"]}},
        CHAT[3],
    ],
    "Anthropic blocks": {
        "system": traces.SYSTEM,
        "messages": [
            {"role": "user", "content": traces.ASKED},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "c1", "name": traces.TOOL, "input": traces.ARGUMENTS}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": traces.FOUND}]},
        ],
    },
    "Responses items": {
        "instructions": traces.SYSTEM,
        "input": [
            {"role": "user", "content": traces.ASKED},
            {"type": "function_call", "call_id": "c1", "name": traces.TOOL, "arguments": json.dumps(traces.ARGUMENTS)},
            {"type": "function_call_output", "call_id": "c1", "output": traces.FOUND},
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize("dialect", INPUTS, ids=str)
def test_every_frameworks_input_is_the_same_prompt(read, dialect, levels):
    asked = INPUTS[dialect]
    for _ in range(levels):
        asked = json.dumps(asked)
    calls = read(observation(input=asked))
    assert prompt_of(calls, only(calls)) == EXPECTED


def test_geminis_contents_are_read(read):
    calls = read(observation(input=json.dumps(GEMINI), model="gemini-2.0-flash"))
    call = only(calls)
    assert [role for role, _ in prompt_of(calls, call)] == ["system", "user", "assistant", "tool"]
    assert prompt_of(calls, call)[2:] == [EXPECTED[2], ("tool", '{"shelf":4}')]
    assert call["tool_names_offered"] == ["find_book"]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (ANSWER, ANSWER),
        ({"role": "assistant", "content": ANSWER}, ANSWER),
        ({"choices": [{"message": {"content": ANSWER}}]}, ANSWER),
        ({"index": 0, "message": {"role": "assistant", "content": ANSWER}, "event.name": "gen_ai.choice"}, ANSWER),
        ([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}], ANSWER),
        ({"content": {"role": "model", "parts": [{"text": ANSWER}]}, "finish_reason": "STOP"}, ANSWER),
        ({"generations": [[{"text": ANSWER, "message": {"role": "assistant", "content": ANSWER}}]]}, ANSWER),
        ([{"type": "text", "text": ANSWER}], ANSWER),
        ([{"toolCallId": "c1", "toolName": "lend", "input": '{"n":1}'}], 'lend({"n":1})'),
        ({"type": "message", "role": "assistant", "content": [{"type": "tool_use", "name": "lend", "input": {"n": 1}}]},
         'lend({"n":1})'),
        ([{"type": "function_call", "call_id": "c1", "name": "lend", "arguments": '{"n": 1}'}], 'lend({"n":1})'),
        ({"kind": "loan", "days": 14}, '{"days":14,"kind":"loan"}'),
        ([{"type": "reasoning", "text": "hm"}, {"type": "text", "text": ANSWER}], ANSWER),
        (None, None),
        ("", None),
    ],
    ids=lambda one: str(one)[:40],
)  # fmt: skip
def test_every_frameworks_output_is_an_answer(read, said, text):
    calls = read(observation(output=said if isinstance(said, str) else json.dumps(said)))
    assert answer_of(calls, only(calls)) == text


@pytest.mark.parametrize("asked", [None, "", "null", {"content": "role"}, []], ids=str)
def test_an_input_that_tells_nothing_is_no_prompt(read, asked):
    assert only(read(observation(input=asked)))["message_ids"] is None


def test_a_transcript_is_cut_into_its_turns(read):
    calls = read(observation(input="system: You lend books.\nuser: Is it in?\nNow: yes?"))
    assert prompt_of(calls, only(calls)) == [("system", "You lend books."), ("user", "Is it in?\nNow: yes?")]


def test_a_row_of_level_error_is_a_failed_call(read):
    call = only(read(observation(level="ERROR", statusMessage="429", output=None, usageDetails={})))
    assert (call["status"], call["answer_id"]) == ("error", None)


def test_an_answers_echo_completes_its_request(read):
    body = {"object": "response", "id": "resp_1", "status": "completed", "instructions": traces.SYSTEM,
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]}],
            "tools": [{"type": "function", "name": traces.TOOL}]}  # fmt: skip
    calls = read(observation(input=json.dumps([CHAT[1]]), output=json.dumps(body)))
    call = only(calls)
    assert prompt_of(calls, call) == EXPECTED[:2]
    assert (call["tool_names_offered"], call["call_id"]) == ([traces.TOOL], "resp_1")


def test_scores_and_other_observations_are_no_calls(read):
    score = {"id": "s", "traceId": "t1", "name": "helpful", "value": 1, "source": "EVAL", "dataType": "NUMERIC"}
    calls = read(observation(), observation(id="e", type="EMBEDDING"), observation(id="v", type="EVENT"), score)
    assert calls.files.select("records", "calls", "other").row(0) == (4, 1, 3)


def test_a_trace_that_holds_its_observations_is_read(tmp_path):
    trace = {"id": "t1", "timestamp": "2026-09-21T10:00:00Z", "sessionId": "reader-1", "observations": [observation()]}
    (tmp_path / "trace.json").write_bytes(orjson.dumps(trace))
    assert only(read_calls([tmp_path / "trace.json"], redactor=PlainRedactor()))["session_id"] is not None


def test_a_gateways_rows_with_trace_ids_are_not_taken_for_langfuses(read):
    row = {"id": "1", "trace_id": "t", "call_type": "acompletion", "completionStartTime": 1_790_000_000.0,
           "startTime": 1_790_000_000.0, "model": "gpt-4o", "messages": CHAT[:2],
           "response": {"choices": [{"message": {"role": "assistant", "content": ANSWER}}]}}  # fmt: skip
    call = only(read(row))
    assert (call["format"], call["message_ids"] is None) == ("openai_pairs", False)
