"""OTLP JSON: whatever the dialect, one call is read alike; only leaves count; what is no OTLP is refused alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
import pytest

from slmlens.logs.read import read_calls
from tests.logs import traces
from tests.logs.conftest import PlainRedactor, only, pair, texts

Attributes = Callable[[], dict[str, object]]


def prompt_of(calls, call) -> list[tuple[str, str]]:
    stored = texts(calls)
    return [stored[one] for one in call["message_ids"]]


@pytest.mark.parametrize("dialect", traces.DIALECTS.values(), ids=traces.DIALECTS)
def test_each_dialect_tells_the_same_call(read, dialect: Attributes):
    calls = read(traces.request(traces.span(dialect())))
    call = only(calls)
    assert prompt_of(calls, call) == traces.EXPECTED
    assert texts(calls)[call["answer_id"]] == ("assistant", traces.ANSWER)
    assert call["tool_names_offered"] == [traces.TOOL]
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (90, 64, 7)
    assert (call["model"], call["model_requested"], call["provider"]) == ("gpt-4o-2024-08-06", "gpt-4o", "openai")
    assert (call["finish_reason"], call["status"], call["latency_ms"]) == ("stop", "ok", 250.0)
    assert (call["service"], call["format"]) == ("library", "otlp")
    assert call["session_id"] is not None


def test_prompts_of_two_dialects_are_the_same_stored_messages(read):
    both = read(traces.request(*(traces.span(one(), own=n) for n, one in enumerate(traces.DIALECTS.values(), 1))))
    assert both.calls["message_ids"].n_unique() == 1
    assert both.messages.height == len(traces.EXPECTED) + 1


def test_messages_in_the_logs_file_join_their_span(tmp_path):
    bare = {key: one for key, one in traces.current().items() if "messages" not in key and "instructions" not in key}
    records = [
        traces.event("gen_ai.system.message", {"content": traces.SYSTEM}, at=1),
        traces.event("gen_ai.user.message", {"content": traces.ASKED}, at=2),
        traces.event("gen_ai.assistant.message", {"tool_calls": traces.CHAT[2]["tool_calls"]}, at=3),
        traces.event("gen_ai.tool.message", {"content": traces.FOUND, "id": "c1"}, at=4),
        traces.event(
            "gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": traces.ANSWER}}, at=5
        ),
    ]
    (tmp_path / "spans.jsonl").write_bytes(orjson.dumps(traces.request(traces.span(bare))))
    (tmp_path / "logs.jsonl").write_bytes(b"\n".join(orjson.dumps(traces.logs(one)) for one in reversed(records)))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    call = only(calls)
    assert prompt_of(calls, call) == traces.EXPECTED
    assert texts(calls)[call["answer_id"]][1] == traces.ANSWER
    assert call["input_tokens"] == 90
    assert dict(calls.files.select("file", "other").iter_rows()) == {"logs.jsonl": 5, "spans.jsonl": 0}


def test_a_logs_file_alone_still_tells_the_calls(read):
    calls = read(
        traces.logs(
            traces.event("gen_ai.user.message", {"content": "One?"}, own=1),
            traces.event("gen_ai.choice", {"message": {"content": "1"}, "finish_reason": "stop"}, own=1),
            traces.event("gen_ai.user.message", {"content": "Two?"}, own=2),
        )
    )
    assert calls.calls.height == 2
    assert calls.calls["tokens_estimated"].all()


def test_the_details_event_of_a_span_is_no_second_call(read):
    details = {
        **traces.event("gen_ai.client.inference.operation.details", {}),
        "attributes": traces.span(traces.current())["attributes"],
    }
    calls = read(traces.request(traces.span(traces.current())), traces.logs(details))
    assert prompt_of(calls, only(calls)) == traces.EXPECTED
    alone = read(traces.logs(details), name="alone.jsonl")
    assert prompt_of(alone, only(alone)) == traces.EXPECTED


def test_a_span_that_wraps_a_call_is_its_parent_and_gives_it_its_step(read):
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "librarian", "gen_ai.usage.input_tokens": 90}
    chain = {**traces.current(), "gen_ai.response.id": "other"}
    calls = read(
        traces.request(
            traces.span(traces.current(), own=3, parent=2),
            traces.span(chain, own=2, parent=1, name="ChatOpenAI"),
            traces.span(agent, own=1, name="invoke_agent librarian"),
        )
    )
    call = only(calls)
    assert (call["step"], call["call_id"]) == ("librarian", "chatcmpl-7")
    assert calls.files.select("records", "calls", "parents", "other").row(0) == (3, 1, 2, 0)


def test_a_call_whose_tool_runs_another_agent_is_a_call(read):
    tool = {"gen_ai.operation.name": "execute_tool"}
    inner = {**traces.current(), "gen_ai.response.id": "chatcmpl-8"}
    calls = read(
        traces.request(
            traces.span(traces.current(), own=1),
            traces.span(tool, own=2, parent=1, name="execute_tool ask_archive"),
            traces.span(inner, own=3, parent=2),
        )
    )
    assert sorted(calls.calls["call_id"]) == ["chatcmpl-7", "chatcmpl-8"]


def test_one_call_seen_by_two_instrumentations_counts_once(read):
    twice = [
        traces.request(traces.span(traces.current(), own=1), scope="sdk"),
        traces.request(traces.span({**traces.openllmetry()}, own=2), scope="gateway"),
    ]
    calls = read(*twice)
    assert calls.calls.height == 1
    assert calls.duplicates.height == 1
    apart = traces.span(traces.openllmetry(), own=2, startTimeUnixNano=str(traces.START + 3_000_000_000))
    assert read(twice[0], traces.request(apart, scope="gateway"), name="later.jsonl").calls.height == 2


def test_a_gateways_pair_and_a_span_of_one_call_count_once(tmp_path):
    gateway = pair(timestamp=traces.START // 1_000_000_000, scope="gateway")
    gateway["request"]["messages"] = traces.CHAT
    gateway["response"]["id"] = "chatcmpl-7"
    (tmp_path / "gateway.jsonl").write_bytes(orjson.dumps(gateway))
    (tmp_path / "spans.jsonl").write_bytes(orjson.dumps(traces.request(traces.span(traces.current(), name="look up"))))
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    call = only(calls)
    assert calls.duplicates.height == 1
    assert (call["format"], call["step"], call["session_id"] is None) == ("openai_pairs", "look up", False)


def test_a_span_exported_twice_counts_once(tmp_path):
    line = orjson.dumps(traces.request(traces.span(traces.current())))
    other = orjson.dumps(traces.request(traces.span(traces.current()), traces.span(own=9, name="GET /")))
    (tmp_path / "a.jsonl").write_bytes(line)
    (tmp_path / "b.jsonl").write_bytes(other)
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert calls.calls.height == calls.duplicates.height == 1


def test_the_order_of_spans_and_lines_does_not_matter(tmp_path):
    spans = [
        traces.span(traces.current(), own=2, parent=1),
        traces.span({"gen_ai.agent.name": "librarian", "gen_ai.operation.name": "invoke_agent"}, own=1, name="agent"),
        traces.span({**traces.openinference(), "session.id": "reader-2"}, own=3),
    ]
    frames = []
    for name, ordered in (("a", spans), ("b", spans[::-1])):
        (tmp_path / name).mkdir()
        lines = [orjson.dumps(traces.request(one)) for one in ordered]
        (tmp_path / name / "spans.jsonl").write_bytes(b"\n".join(lines))
        frames.append(read_calls([tmp_path / name], redactor=PlainRedactor()).calls.drop("source_line"))
    assert frames[0].equals(frames[1])


def test_dumped_protobufs_are_read_like_the_collectors_files(read):
    def snake(value):
        if isinstance(value, list):
            return [snake(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(one) for key, one in value.items()}

    plain = traces.span(traces.current(), own=2, parent=1, status={"code": 1}, kind=3)
    dumped = snake(plain)
    for key in ("trace_id", "span_id", "parent_span_id"):
        dumped[key] = base64.b64encode(bytes.fromhex(dumped[key])).decode()
    dumped |= {"kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_OK"}}
    resource = {"attributes": snake(traces.attributes({"service.name": "library"}))}
    scoped = [{"scope": {"name": "tracer"}, "spans": [dumped]}]
    first = only(read(traces.request(plain)))
    second = only(read({"resource_spans": [{"resource": resource, "scope_spans": scoped}]}, name="dumped.jsonl"))
    assert {key: one for key, one in first.items() if key != "source_file"} == {
        key: one for key, one in second.items() if key != "source_file"
    }


def test_a_failed_span_is_a_failed_call_with_the_model_it_asked_for(read):
    failed = {key: one for key, one in traces.openinference().items() if "output" not in key and "token" not in key}
    del failed["llm.model_name"]
    call = only(read(traces.request(traces.span(failed, status={"code": 2, "message": "429"}))))
    assert (call["status"], call["model"], call["answer_id"], call["input_tokens"]) == ("error", "gpt-4o", None, None)


def test_content_switched_off_still_yields_the_ledger_and_says_what_to_set(read):
    bare = {key: one for key, one in traces.current().items() if "messages" not in key and "instructions" not in key}
    calls = read(traces.request(traces.span(bare)))
    call = only(calls)
    assert (call["message_ids"], call["answer_id"], call["status"], call["input_tokens"]) == (None, None, "ok", 90)
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in calls.notes[0]


def test_a_broken_span_is_refused_alone(read):
    good = traces.span(traces.current())
    bad = [
        {**good, "traceId": "zz"},
        {**good, "attributes": {"key": "x"}},
        {**good, "startTimeUnixNano": "soon"},
        "no span",
    ]
    calls = read(traces.request(good, *bad))
    assert calls.calls.height == 1
    assert calls.rejects.height == len(bad)
    assert calls.files.select("records", "calls", "rejects").row(0) == (5, 1, 4)


def test_other_spans_are_no_calls(read):
    embedding = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}
    retriever = {"openinference.span.kind": "RETRIEVER"}
    calls = read(
        traces.request(
            traces.span(traces.current()),
            traces.span(embedding, own=2, name="embeddings"),
            traces.span(retriever, own=3, name="search"),
            traces.span(own=4, name="GET /books"),
        )
    )
    assert calls.files.select("records", "calls", "other").row(0) == (4, 1, 3)


def test_agents_that_hold_tokens_and_no_call_are_said(read):
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 5}
    calls = read(traces.request(traces.span(traces.current()), traces.span(agent, own=2, name="remote")))
    assert calls.calls.height == 1
    assert any("agent spans" in note for note in calls.notes)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 100, "output_tokens": 10, "cache_read.input_tokens": 80}, (100, 80, 10, None)),
        ({"input_tokens": 20, "output_tokens": 10, "cache_read.input_tokens": 80}, (100, 80, 10, None)),
        (
            {"input_tokens": 100, "output_tokens": 10, "cache_read.input_tokens": 80, "total_tokens": 190},
            (180, 80, 10, None),
        ),
        ({"input_tokens": 100, "output_tokens": 10, "reasoning.output_tokens": 6}, (100, None, 10, 6)),
        ({"input_tokens": 100, "output_tokens": 10, "total_tokens": 150}, (100, None, 50, 40)),
    ],
    ids=["inside", "more than the input", "beside, by the total", "reasoning inside", "thinking only in the total"],
)
def test_conventions_of_usage_are_told_apart(read, usage, tokens):
    bare = {key: one for key, one in traces.current().items() if ".usage." not in key}
    call = only(read(traces.request(traces.span(bare | {f"gen_ai.usage.{key}": one for key, one in usage.items()}))))
    found = tuple(call[key] for key in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"))
    assert found == tokens


def test_a_whole_file_may_be_one_pretty_document(tmp_path):
    (tmp_path / "spans.json").write_text(json.dumps(traces.request(traces.span(traces.current())), indent=2))
    assert read_calls([tmp_path / "spans.json"], redactor=PlainRedactor()).calls.height == 1


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("ChatOpenAI", None),
        ("openai.chat", None),
        ("chat gpt-4o", None),
        ("ai.generateText.doGenerate", None),
        ("classify ticket", "classify ticket"),
        ("run 8f3a91bc2d", None),
    ],
)
def test_a_spans_own_name_is_a_step_only_if_the_application_gave_it(read, name, step):
    assert only(read(traces.request(traces.span(traces.current(), name=name))))["step"] == step


def test_a_trace_whose_spans_name_two_sessions_is_read_alike_in_any_order(read):
    bare = {key: one for key, one in traces.current().items() if key != "gen_ai.conversation.id"}
    named = [traces.span({"session.id": f"reader-{n}"}, own=n, parent=9, name="step") for n in (1, 2)]
    asked = traces.span(bare, own=3)
    first = read(traces.request(*named, asked)).calls["session_id"]
    assert first.equals(read(traces.request(asked, *named[::-1]), name="other.jsonl").calls["session_id"])


@pytest.mark.parametrize(
    "details",
    [
        {"prompt_tokens": 90, "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens": 7,
         "total_tokens": 97, "completion_tokens_details": {"reasoning_tokens": 2}},
        {"input": 26, "input_cached_tokens": 64, "output": 5, "output_reasoning_tokens": 2, "total": 97},
        {"input_tokens": 26, "cache_read_input_tokens": 64, "output_tokens": 7, "output_reasoning_tokens": 0},
    ],
    ids=["as OpenAI counts", "as Langfuse counts", "as Anthropic counts"],
)  # fmt: skip
def test_a_span_of_langfuses_sdk_has_its_tokens_and_its_first_token(read, details):
    spoke = datetime.fromtimestamp(traces.START / 1e9 + 0.1, UTC).isoformat().replace("+00:00", "Z")
    call = only(
        read(
            traces.request(
                traces.span(
                    {
                        "langfuse.observation.type": "generation",
                        "langfuse.observation.model.name": "gpt-4o-2024-08-06",
                        "langfuse.observation.input": json.dumps(traces.CHAT),
                        "langfuse.observation.output": traces.ANSWER,
                        "langfuse.observation.usage_details": json.dumps(details),
                        "langfuse.observation.completion_start_time": json.dumps(spoke),
                    }
                )
            )
        )
    )
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (90, 64, 7)
    assert not call["tokens_estimated"]
    assert call["ttft_ms"] == 99, "the span began a millisecond after START"
