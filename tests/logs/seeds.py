"""A few valid records of each format, for fuzzing. An e-mail address stands wherever a person's might."""

from __future__ import annotations

import json

from tests.logs import traces
from tests.logs.conftest import pair

MAIL = "ana.maria@example.org"

_ARGUMENTS = json.dumps({"to": MAIL, "copies": [1, 2], "body": {"text": f"Dear {MAIL}"}})
_CALLED = {"id": "t1", "type": "function", "function": {"name": "send", "arguments": _ARGUMENTS}}
_TOOLS = [{"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}]
_USAGE = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}
_CHAT = [
    {"role": "system", "content": "You post letters."},
    {"role": "user", "content": [{"type": "text", "text": f"Write to {MAIL}"}]},
    {"role": "assistant", "content": None, "tool_calls": [_CALLED]},
    {"role": "tool", "tool_call_id": "t1", "content": f"sent to {MAIL}"},
]
_COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"Sent, {MAIL}."}}],
    "usage": {"prompt_tokens": 30, "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens": 4},
}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "created_at": 1_790_000_000.5,
    "completed_at": 1_790_000_002,
    "previous_response_id": "resp_0",
    "model": "gpt-4o",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"Sent to {MAIL}"}]},
        {"type": "function_call", "call_id": "f1", "name": "send", "arguments": _ARGUMENTS},
    ],
    "usage": _USAGE,
}
_CHUNK = {"id": "c-9", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": MAIL}}]}


def _claude_line(kind: str, n: int, content: object, **more: object) -> dict[str, object]:
    return {
        "type": kind,
        "uuid": f"u{n}",
        "parentUuid": f"u{n - 1}",
        "sessionId": MAIL,
        "isSidechain": False,
        "timestamp": f"2026-09-01T10:00:{n:02}Z",
        "cwd": f"/home/{MAIL}",
        "message": {"role": kind, "content": content},
        **more,
    }


def _claude_code() -> list[dict[str, object]]:
    said = {
        "role": "assistant",
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": f"I ask {MAIL}."}],
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 4},
    }
    spawned = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"subagent_type": "poster", "prompt": MAIL}}
    return [
        {"type": "summary", "summary": MAIL, "leafUuid": "u9"},
        _claude_line("user", 1, f"Write to {MAIL}"),
        _claude_line("assistant", 2, None, requestId="r1", message=said),
        _claude_line("assistant", 3, None, requestId="r1", message={**said, "content": [spawned]}),
        _claude_line("user", 4, MAIL, isSidechain=True, agentId="a1", parentUuid=None),
        _claude_line("assistant", 5, None, isSidechain=True, agentId="a1", message={**said, "id": "msg_2"}),
        _claude_line(
            "user", 6, [{"type": "tool_result", "tool_use_id": "t1", "content": MAIL}], toolUseResult={"agentId": "a1"}
        ),
        _claude_line("assistant", 7, None, costUSD=0.01, message={**said, "id": "msg_3"}),
    ]


def _openai_pairs() -> list[dict[str, object]]:
    blocks = [{"type": "text", "text": MAIL}, {"type": "tool_use", "id": "t", "name": "send", "input": {"to": MAIL}}]
    chat = {"model": "gpt-4o", "messages": _CHAT, "tools": _TOOLS, "response_format": {"type": "json_object"}}
    items = [{"role": "user", "content": MAIL}, {"type": "function_call_output", "call_id": "f", "output": MAIL}]
    messages = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": MAIL}]}]
    usage = {"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": blocks, "stop_reason": "tool_use"}
    return [
        pair(
            MAIL, MAIL, session_id=MAIL, end_user=MAIL, timestamp="2026-09-01T10:00:00Z", latency_ms=3, tags=[MAIL],
            metadata={"step": f"post to {MAIL}", "team": MAIL}, service=MAIL, cost_usd=0.002,
        ),
        {"request": chat, "response": _COMPLETION, "trace_id": "t1", "span_id": "s1", "parent_id": "s0"},
        {"request": {"model": "gpt-4o", "input": items, "instructions": "Post."}, "response": _RESPONSE},
        {"request": {"max_tokens": 5, "system": MAIL, "messages": messages}, "response": {**message, "usage": usage}},
        {
            "url": "https://api.openai.com/v1/chat/completions",
            "status": 200,
            "request": json.dumps({"messages": _CHAT}),
            "response_stream": f"data: {json.dumps(_CHUNK)}\n\ndata: [DONE]\n\n",
        },
        {"request": {"messages": _CHAT}, "response": {"status_code": 429, "body": {"error": {"message": MAIL}}}},
        {"prompt": MAIL, "response": MAIL},
        *_foreign_pairs(),
        {"model": "gpt-4o", "timestamp": 1_790_000_000, "prompt_tokens": 3, "completion_tokens": 1, "user": MAIL},
    ]  # fmt: skip


def _foreign_pairs() -> list[dict[str, object]]:
    first = {"message": MAIL, "chat_history": [{"role": "CHATBOT", "message": MAIL}], "documents": [{"text": MAIL}]}
    billed = {"billed_units": {"input_tokens": 9, "output_tokens": 3}, "tokens": {"input_tokens": 12}}
    lines = [{"message": {"content": MAIL}, "done": False}, {"message": {}, "done": True, "eval_count": 3}]
    events = [
        {"type": "message-start", "id": "c2"},
        {"type": "content-delta", "delta": {"message": {"content": {"text": MAIL}}}},
        {"type": "tool-call-start", "index": 1, "delta": {"message": {"tool_calls": {"function": {"name": "send"}}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": billed}},
    ]
    return [
        {"request": first, "response": {"generation_id": "g", "text": MAIL, "meta": billed}},
        {"request": {"messages": _CHAT}, "response": "".join(f"data: {json.dumps(one)}\n\n" for one in events)},
        {"request": {"messages": _CHAT}, "response": "\n".join(json.dumps(one) for one in lines)},
        {
            "request": {"contents": [{"role": "user", "parts": [{"text": MAIL}, {"inlineData": {"data": MAIL}}]}]},
            "response": {"candidates": [{"content": {"parts": [{"text": MAIL}]}}], "usageMetadata": {"a": 1}},
        },
        {
            "request": {"prompt": MAIL},
            "response": {"completions": [{"data": {"text": MAIL, "tokens": []}}], "prompt": {"tokens": [1]}},
        },
    ]


def _langfuse() -> list[dict[str, object]]:
    trace = {"id": "t1", "name": MAIL, "timestamp": "2026-09-21T10:00:00Z", "sessionId": MAIL, "userId": MAIL,
             "tags": [MAIL], "public": False, "metadata": json.dumps({"team": MAIL})}  # fmt: skip
    agent = traces.observation(id="a1", type="AGENT", name=MAIL, usageDetails={}, input=MAIL, output=None)
    leaf = traces.observation(
        parentObservationId="a1",
        input=json.dumps({"messages": _CHAT, "tools": _TOOLS}),
        output=json.dumps({"role": "assistant", "content": MAIL}),
        metadata=json.dumps({"langgraph_node": MAIL}),
    )
    row = traces.observation(id="o2", traceId="t2", input=_CHAT, output=[{"type": "text", "text": MAIL}], name=MAIL)
    return [
        {"trace": trace, "observations": [agent, leaf]},
        row,
        traces.snake_case({**row, "id": "o3", "input": json.dumps(_CHAT), "promptName": "post"}),
        traces.snake_case({**trace, "id": "t2"}),
        traces.observation(id="o4", level="ERROR", statusMessage=MAIL, input=MAIL, output=None),
        {"id": "s1", "traceId": "t2", "name": "quality", "value": 1, "dataType": "NUMERIC", "source": "API"},
    ]


def _otlp() -> list[dict[str, object]]:
    said = [{"role": "user", "parts": [{"type": "text", "content": MAIL}]}]
    current = {**traces.current(), "gen_ai.input.messages": json.dumps(said), "gen_ai.conversation.id": MAIL}
    current["user.id"] = current["gen_ai.agent.name"] = MAIL
    numbered = {**traces.openllmetry(), "gen_ai.prompt.1.content": MAIL, "gen_ai.completion.0.content": MAIL}
    numbered["traceloop.association.properties.session_id"] = MAIL
    inference = {
        **traces.openinference(),
        "llm.input_messages.1.message.content": MAIL,
        "metadata": f'{{"a":"{MAIL}"}}',
    }
    inference["session.id"] = MAIL
    vercel = {**traces.vercel(), "ai.telemetry.metadata.sessionId": MAIL}
    broken = {"code": 2, "message": MAIL}
    return [
        traces.request(
            traces.span({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": MAIL}, own=9),
            traces.span(current, own=1, parent=9),
            service=MAIL,
        ),
        traces.request(traces.span({**numbered, "gen_ai.response.id": "c-2"}, own=2, parent=9, status=broken)),
        traces.request(traces.span(inference, own=3), traces.span(vercel, own=4, parent=3)),
        traces.request(traces.span({"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}, own=5)),
        traces.logs(
            traces.event("gen_ai.user.message", {"content": MAIL}, own=5),
            traces.event("gen_ai.choice", {"index": 0, "message": {"content": MAIL}}, own=5, at=7),
        ),
    ]


def _openai_agents() -> list[dict[str, object]]:
    def row(own: str, parent: str | None, data: dict[str, object], **more: object) -> dict[str, object]:
        times = {"started_at": "2026-09-01T10:00:00Z", "ended_at": "2026-09-01T10:00:02Z"}
        span = {"object": "trace.span", "id": own, "trace_id": "trace_1", "parent_id": parent, "span_data": data}
        return {**span, **times, "error": None, **more}

    generation = {"type": "generation", "input": _CHAT, "output": [{"role": "assistant", "content": MAIL}]}
    return [
        {"object": "trace", "id": "trace_1", "workflow_name": MAIL, "group_id": MAIL, "metadata": {"user_id": MAIL}},
        row("span_1", None, {"type": "agent", "name": MAIL, "tools": ["send"]}),
        row("span_2", "span_1", {**generation, "model": "gpt-4o", "usage": {"input_tokens": 9, "output_tokens": 3}}),
        row("span_3", "span_1", {"type": "response", "response_id": "resp_1", "usage": _USAGE}),
        {"span_id": "span_3", "trace_id": "trace_1", "input": MAIL, "response": _RESPONSE},
        row("span_4", "span_1", {"type": "function", "name": "send", "input": MAIL, "output": MAIL}, error={"a": MAIL}),
    ]


def _openai_batch() -> list[dict[str, object]]:
    asked = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o", "messages": _CHAT}}
    params = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": MAIL}]}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": MAIL}]}
    return [
        {"custom_id": MAIL, **asked},
        {"id": "batch_req_1", "custom_id": MAIL, "response": {"status_code": 200, "body": _COMPLETION}, "error": None},
        {"custom_id": "b", **asked},
        {"id": "batch_req_2", "custom_id": "b", "response": None, "error": {"code": "expired", "message": MAIL}},
        {"custom_id": "c", "params": params},
        {"custom_id": "c", "result": {"type": "succeeded", "message": message}},
    ]


def _openai_chat_dataset() -> list[dict[str, object]]:
    said = {"role": "assistant", "content": MAIL}
    return [
        {"messages": [*_CHAT, said], "tools": _TOOLS},
        {
            "messages": [
                {"role": "user", "content": MAIL},
                {**said, "weight": 0},
                {"role": "user", "content": "?"},
                said,
            ]
        },
        *_training_sets(),
    ]


def _training_sets() -> list[dict[str, object]]:
    said = {"role": "assistant", "content": MAIL}
    called = json.dumps({"name": "send", "arguments": {"to": MAIL}})
    return [
        {"id": 1, "conversations": [{"from": "human", "value": MAIL}, {"from": "function_call", "value": called}]},
        {"prompt": MAIL, "chosen": [*_CHAT, said], "rejected": MAIL, "model": "gpt-4o"},
        {"input": {"messages": _CHAT, "tools": _TOOLS}, "preferred_output": [said], "non_preferred_output": [said]},
    ]


def _stored_completions() -> list[dict[str, object]]:
    stored = {**_COMPLETION, "request_id": "req_1", "metadata": {"session_id": MAIL, "team": MAIL}, "tools": _TOOLS}
    asked = {"id": "chatcmpl-1-0", "role": "user", "content": MAIL, "content_parts": [{"type": "text", "text": MAIL}]}
    page = {"object": "list", "first_id": MAIL, "has_more": False}
    return [stored, asked, {**page, "data": [{**stored, "id": "chatcmpl-2"}]}, {**page, "data": [asked]}]


def _autogen() -> list[dict[str, object]]:
    team = "0c8f4d3e-1111-4222-8333-abcdefabcdef"
    agent = f"{MAIL}_{team}/{team}"
    counts = {"prompt_tokens": 30, "completion_tokens": 4}
    said = f"ChatCompletion(id='c7', choices=[Choice(message=ChatCompletionMessage(content='{MAIL}'))], usage=None)"
    row = {"invocation_id": "i", "client_id": 1, "wrapper_id": 2, "source_name": MAIL, "is_cached": 0, "cost": 0.01,
           "start_time": "2026-09-01 10:00:00.5", "end_time": "2026-09-01 10:00:02.5", "thread_id": 7}  # fmt: skip
    return [
        {"type": "LLMCall", "messages": _CHAT, "tools": _TOOLS, "response": _COMPLETION, "agent_id": agent, **counts},
        {"type": "LLMStreamStart", "messages": _CHAT, "agent_id": agent},
        {"type": "LLMStreamEnd", "response": {"content": MAIL}, "agent_id": agent, **counts},
        {"type": "ToolCall", "tool_name": "send", "arguments": {"to": MAIL}, "result": MAIL, "agent_id": agent},
        {"wrapper_id": 2, "session_id": MAIL, "json_state": MAIL, "timestamp": "2026-09-01 10:00:00", "thread_id": 7},
        {**row, "request": {"model": "gpt-4o", "messages": _CHAT}, "response": said},
        {**row, "session_id": MAIL, "request": json.dumps({"messages": _CHAT}), "response": json.dumps(_COMPLETION)},
    ]


_TIMES = {"start_time": "2026-09-01T10:00:00Z", "end_time": "2026-09-01T10:00:02Z"}


def _langsmith() -> list[dict[str, object]]:
    owned = {"metadata": {"thread_id": MAIL, "user_id": MAIL, "langgraph_node": MAIL, "ls_model_name": "gpt-4o"}}
    tools = {"invocation_params": {"tools": _TOOLS, "response_format": {"type": "json_object"}}}
    said = {"content": MAIL, "usage_metadata": {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}}
    constructor = {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": MAIL}}
    generation = {"text": MAIL, "message": {"kwargs": {**said, "response_metadata": {"finish_reason": "stop"}}}}
    leaf = {
        "id": "r2", "trace_id": "r1", "parent_run_id": "r1", "run_type": "llm", "name": "ChatOpenAI", **_TIMES,
        "inputs": {"messages": [[constructor]]}, "outputs": {"generations": [[generation]]},
        "extra": {**owned, **tools}, "tags": [MAIL], "total_cost": "0.0002", "first_token_time": _TIMES["start_time"],
    }  # fmt: skip
    root = {"id": "r1", "trace_id": "r1", "run_type": "chain", "name": MAIL, **_TIMES, "extra": owned, "inputs": MAIL}
    chat = {"id": "r4", "trace_id": "r4", "dotted_order": "20260901T100000000000Zr4", "run_type": "llm"}
    return [
        root,
        leaf,
        {**leaf, "id": "r3", "inputs": json.dumps({"messages": _CHAT}), "outputs": json.dumps(_COMPLETION)},
        {"post": [{**chat, "inputs": {"messages": _CHAT}}], "patch": [{**chat, "outputs": _COMPLETION, **_TIMES}]},
        {**root, "id": "r5", "trace_id": "r5", "child_runs": [{**leaf, "id": "r6", "error": MAIL, "outputs": None}]},
    ]


def _litellm() -> list[dict[str, object]]:
    payload = {
        "id": "chatcmpl-1", "trace_id": MAIL, "call_type": "acompletion", "status": "success", "stream": True,
        "startTime": 1_790_000_000.5, "endTime": 1_790_000_002.5, "completionStartTime": 1_790_000_001.0,
        "custom_llm_provider": "openai", "model": "gpt-4o", "model_group": "fast", "response_cost": 0.0002,
        "messages": _CHAT, "response": _COMPLETION, "model_parameters": {"tools": _TOOLS}, "request_tags": [MAIL],
        "end_user": MAIL, "metadata": {"user_api_key_alias": MAIL, "requester_metadata": {"step": MAIL}},
        "hidden_params": {}, "prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34,
    }  # fmt: skip
    row = {
        "request_id": "chatcmpl-2", "session_id": MAIL, "call_type": "acompletion", "spend": 0.0001, "user": MAIL,
        "startTime": "2026-09-01 10:00:00.5", "endTime": "2026-09-01 10:00:02.5", "model": "gpt-4o",
        "prompt_tokens": 30, "completion_tokens": 4, "cache_hit": "None", "team_id": MAIL,
        "messages": json.dumps(_CHAT), "response": json.dumps({**_COMPLETION, "id": "chatcmpl-2"}),
        "metadata": json.dumps({"usage_object": _COMPLETION["usage"]}), "request_tags": json.dumps([MAIL]),
        "proxy_server_request": json.dumps({"body": {"messages": _CHAT, "tools": _TOOLS}}),
    }  # fmt: skip
    failed = {**payload, "id": "x", "status": "failure", "response": {}, "error_str": MAIL}
    return [payload, row, failed, {**payload, "cache_hit": True}, {**payload, "call_type": "aembedding"}]


def _mlflow() -> list[dict[str, object]]:
    def span(own: str, parent: str | None, kind: str, **attributes: object) -> dict[str, object]:
        told = {
            "mlflow.spanType": kind,
            "mlflow.chat.tokenUsage": {"input_tokens": 9, "output_tokens": 3},
            **attributes,
        }
        return {
            "trace_id": "t1", "span_id": own, "parent_span_id": parent, "name": MAIL,
            "status": {"code": "STATUS_CODE_OK"},
            "start_time_unix_nano": 1_790_000_000_000_000_000, "end_time_unix_nano": 1_790_000_002_000_000_000,
            "attributes": {key: json.dumps(one) for key, one in told.items()}, "events": [],
        }  # fmt: skip

    asked = {"messages": _CHAT, "model": "gpt-4o", "tools": _TOOLS}
    leaf = span("s2", "s1", "CHAT_MODEL", **{"mlflow.spanInputs": asked, "mlflow.spanOutputs": _COMPLETION})
    spans = [span("s1", None, "AGENT"), leaf, span("s3", "s1", "TOOL", **{"mlflow.spanInputs": {"to": MAIL}})]
    info = {"trace_id": "tr-1", "state": "OK", "tags": {"mlflow.traceName": MAIL, "team": MAIL},
            "trace_metadata": {"mlflow.trace.session": MAIL, "mlflow.trace.user": MAIL}}  # fmt: skip
    table = {"trace_id": "tr-2", "execution_duration": 3, "trace_metadata": info["trace_metadata"]}
    return [
        {"info": info, "data": {"spans": spans}},
        {**table, "trace": json.dumps({"info": info, "data": {"spans": [{**one, "trace_id": "t2"} for one in spans]}})},
        {**table, "spans": [{**leaf, "trace_id": "t3", "status": {"code": "STATUS_CODE_ERROR", "message": MAIL}}]},
    ]


def _weave() -> list[dict[str, object]]:
    def call(own: str, parent: str | None, name: str, **more: object) -> dict[str, object]:
        return {
            "id": own, "project_id": "acme/post", "op_name": f"weave:///acme/post/op/{name}:digest", "trace_id": "t1",
            "parent_id": parent, "started_at": _TIMES["start_time"], "ended_at": _TIMES["end_time"], "inputs": {},
            "attributes": {"weave": {}, "session_id": MAIL, "team": MAIL}, "summary": {}, "wb_user_id": MAIL, **more,
        }  # fmt: skip

    asked = {"self": f"<client of {MAIL}>", "model": "gpt-4o", "messages": _CHAT, "tools": _TOOLS}
    usage = {"usage": {"gpt-4o": {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}}}
    client = "openai.chat.completions.create"
    return [
        call("c1", None, "post", inputs={"to": MAIL}, output=MAIL, summary=usage, display_name=MAIL),
        call("c2", "c1", client, inputs=asked, output=_COMPLETION, summary=usage),
        call("c3", "c1", client, inputs=asked, output=None, ended_at=None),
        call("c4", "c1", client, inputs=json.dumps(asked), exception=json.dumps({"type": "E", "message": MAIL})),
    ]


def _atif() -> list[dict[str, object]]:
    called = {"tool_call_id": "t1", "function_name": "send", "arguments": {"to": MAIL}}
    metrics = {"prompt_tokens": 9, "completion_tokens": 3, "cached_tokens": 4, "cost_usd": 0.01}
    steps = [
        {"step_id": 1, "source": "system", "message": MAIL},
        {"step_id": 2, "source": "user", "message": [{"type": "text", "text": MAIL}]},
        {"step_id": 3, "source": "agent", "message": MAIL, "tool_calls": [called], "metrics": metrics,
         "timestamp": "2026-09-01T10:00:00Z", "observation": {"results": [{"source_call_id": "t1", "content": MAIL}]}},
        {"step_id": 4, "source": "agent", "message": MAIL, "is_copied_context": True},
        {"step_id": 5, "source": "agent", "message": MAIL, "metrics": metrics, "model_name": "gpt-4o"},
    ]  # fmt: skip
    agent = {"name": MAIL, "version": "1", "model_name": "openai/gpt-4o", "tool_definitions": _TOOLS}
    run = {"schema_version": "ATIF-v1.6", "session_id": MAIL, "agent": agent, "steps": steps}
    return [run, {**run, "session_id": "s2", "subagent_trajectories": [{**run, "agent": {"name": "sub"}}]}]


def _mint() -> list[dict[str, object]]:
    said = [*_CHAT[:2], {"role": "assistant", "content": MAIL}]
    state = {"history": [*said, *said[1:]], "token_counter": {"prompt_tokens": 9}, "error": None}
    return [{"session_id": MAIL, "model": "gpt-4-0613", "state": state, "task": {"task_name": "gsm8k", "task_id": "1"}}]


def _swe_agent() -> list[dict[str, object]]:
    said = [
        {"agent": "main", "message_type": "action", **one} for one in [*_CHAT, {"role": "assistant", "content": MAIL}]
    ]
    demo = {"role": "user", "content": MAIL, "agent": "main", "is_demo": True}
    config = json.dumps({"agent": {"model": {"name": "gpt-4o"}}})
    return [{"history": [demo, *said], "trajectory": [{"response": MAIL}], "info": {}, "replay_config": config}]


def _metagpt() -> list[dict[str, object]]:
    coded = json.dumps([{"role": "user", "content": MAIL}])
    return [{f"Write.#SYSTEM_MSG_END#To {MAIL}#MSG_SEP#now": MAIL, coded: {"code": MAIL}, f"Dear {MAIL}": MAIL}]


def _tau_bench() -> list[dict[str, object]]:
    said = {"role": "assistant", "content": MAIL, "timestamp": "2026-09-01T10:00:00Z", "usage": {"prompt_tokens": 9,
            "completion_tokens": 3}, "generation_time_seconds": 2, "cost": 0.01}  # fmt: skip
    return [
        {"task_id": 1, "reward": 1.0, "info": {"task": {"user_id": MAIL}}, "traj": [*_CHAT, said], "trial": 0},
        {
            "timestamp": "2026-09-01T10:00:00Z", "info": {"agent_info": {"llm": "gpt-4o"}}, "tasks": [],
            "simulations": [{"id": MAIL, "messages": [*_CHAT[:2], said, {**said, "raw_data": _COMPLETION}]}],
        },
    ]  # fmt: skip


def _smolagents() -> list[dict[str, object]]:
    asked = [
        {"role": "MessageRole.SYSTEM", "content": [{"type": "text", "text": MAIL}]},
        {"role": "user", "content": [{"type": "text", "text": MAIL}]},
    ]
    step = {
        "step_number": 1, "timing": {"start_time": 1_790_000_000.5, "end_time": 1_790_000_002.5, "duration": 2.0},
        "model_input_messages": asked, "model_output": MAIL, "token_usage": {"input_tokens": 9, "output_tokens": 3},
    }  # fmt: skip
    called = {"content": MAIL, "tool_calls": [{"id": "t", "function": {"name": "send", "arguments": {"to": MAIL}}}]}
    return [{**step, "task": MAIL}, {**step, "step_number": 2, "model_output_message": called}]


def _openhands() -> list[dict[str, object]]:
    def event(n: int, source: str, **more: object) -> dict[str, object]:
        return {"id": n, "timestamp": f"2026-09-01T10:00:{n:02}", "source": source, "message": MAIL, **more}

    told = {"tool_call_metadata": {"function_name": "send", "model_response": _COMPLETION}}
    events = [
        event(1, "user", action="message", args={"content": MAIL}),
        event(2, "agent", action="run", args={"thought": MAIL}, **told),
        event(3, "agent", observation="run", content=MAIL, cause=2, **told),
        event(4, "agent", action="message", args={"content": MAIL}),
    ]
    return [*events, {"instance_id": MAIL, "history": events, "metrics": {}}]


def _inspect_ai() -> list[dict[str, object]]:
    message = {"role": "assistant", "content": MAIL, "tool_calls": [{"id": "t", "function": "send", "arguments": {}}]}
    usage = {"input_tokens": 5, "input_tokens_cache_read": 4, "output_tokens": 3, "total_tokens": 12}
    output = {"model": "gpt-4o", "choices": [{"message": message, "stop_reason": "stop"}], "usage": usage, "time": 2.0}
    event = {
        "event": "model", "timestamp": "2026-09-01T10:00:00Z", "model": "openai/gpt-4o", "span_id": "p1",
        "output": output,
        "input": [{"role": "user", "content": "attachment://0123abcd0123abcd"}], "tools": [{"name": "send"}],
        "config": {},
    }  # fmt: skip
    span = {"event": "span_begin", "id": "p1", "name": MAIL, "timestamp": "2026-09-01T10:00:00Z"}
    pooled = {**event, "input": [], "input_refs": [[0, 1]], "role": MAIL}
    sample = {
        "id": MAIL, "epoch": 1, "input": MAIL, "target": MAIL, "messages": [], "events": [span, event, pooled],
        "attachments": {"0123abcd0123abcd": MAIL}, "events_data": {"messages": [{"role": "user", "content": MAIL}]},
    }  # fmt: skip
    bare = {**sample, "events": [], "messages": [{"role": "user", "content": MAIL}, message], "output": output}
    return [sample, {"version": 2, "eval": {"task": MAIL, "run_id": "r"}, "plan": {}, "samples": [sample, bare]}]


def _vcr() -> list[dict[str, object]]:
    def recorded(uri: str, asked: object, said: object, code: int = 200) -> dict[str, object]:
        request = {"method": "POST", "uri": uri, "body": json.dumps(asked), "headers": {"authorization": [MAIL]}}
        return {"request": request, "response": {"status": {"code": code}, "body": {"string": json.dumps(said)}}}

    chat = {"model": "gpt-4o", "messages": _CHAT, "tools": _TOOLS}
    part = {"content": {"role": "model", "parts": [{"text": MAIL}]}, "finishReason": "STOP"}
    gemini = {"candidates": [part], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3}}
    asked = {"contents": [{"role": "user", "parts": [{"text": MAIL}]}]}
    return [
        recorded("https://api.openai.com/v1/chat/completions", chat, _COMPLETION),
        recorded("https://g.example/v1beta/models/gemini-2.5-pro:generateContent", asked, gemini),
        recorded("https://api.openai.com/v1/chat/completions", chat, {"error": {"message": MAIL}}, 404),
        {"interactions": [recorded("https://api.openai.com/v1/models", {}, {"data": [MAIL]})]},
    ]


def _bedrock() -> list[dict[str, object]]:
    def entry(asked: object, said: object, **more: object) -> dict[str, object]:
        return {
            "schemaType": "ModelInvocationLog", "timestamp": "2026-09-01T10:00:00Z", "requestId": "r1",
            "modelId": "anthropic.claude-3-5-sonnet-20240620-v1:0", "requestMetadata": {"session_id": MAIL},
            "input": {"inputBodyJson": asked, "inputTokenCount": 9, "cacheReadInputTokenCount": 4},
            "output": {"outputBodyJson": said, "outputTokenCount": 3}, "identity": {"arn": MAIL}, **more,
        }  # fmt: skip

    called = {"toolUse": {"toolUseId": "t", "name": "send", "input": {"to": MAIL}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": MAIL}]}}
    asked = {
        "system": [{"text": MAIL}],
        "messages": [
            {"role": "user", "content": [{"text": MAIL}]},
            {"role": "assistant", "content": [called]},
            {"role": "user", "content": [result]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "send", "inputSchema": {"json": {}}}}]},
    }
    said = {"output": {"message": {"role": "assistant", "content": [{"text": MAIL}, called]}}, "stopReason": "end_turn"}
    stream = [
        {"contentBlockDelta": {"delta": {"text": MAIL}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "invocationLatency": 900, "firstByteLatency": 90}},
    ]
    claude = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": MAIL}],
    }
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": MAIL}]}
    return [
        entry(asked, said),
        entry(asked, stream, requestId="r2"),
        entry(claude, message, requestId="r3"),
        entry({"prompt": MAIL}, {"generation": MAIL, "stop_reason": "stop"}, requestId="r4"),
        entry({"inputText": MAIL}, {"results": [{"outputText": MAIL, "tokenCount": 3}]}, requestId="r5"),
        entry(asked, None, requestId="r6", errorCode="ThrottlingException"),
        {"message": json.dumps(entry(json.dumps(asked), json.dumps(said), requestId="r7"))},
    ]


def _vertex() -> list[dict[str, object]]:
    asked = {"contents": [{"role": "user", "parts": [{"text": MAIL}]}],
             "systemInstruction": {"parts": [{"text": MAIL}]}, "labels": {"session_id": MAIL}}  # fmt: skip
    part = {"content": {"role": "model", "parts": [{"text": MAIL}]}, "finishReason": "STOP"}
    said = {"candidates": [part], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3}}
    row = {"logging_time": "2026-09-01T10:00:00Z", "request_id": 1, "model": "publishers/google/models/gemini-2.5-pro"}
    return [
        {**row, "full_request": asked, "full_response": said},
        {**row, "full_request": json.dumps(asked), "full_response": json.dumps([said, said])},
        {**row, "request_payload": [json.dumps(asked)], "response_payload": [json.dumps(said)]},
    ]


def _phoenix() -> list[dict[str, object]]:
    told = {**traces.openinference(), "llm.input_messages.1.message.content": MAIL, "metadata": {"team": MAIL}}
    span = {"name": MAIL, "span_kind": "LLM", "parent_id": "p1", "status_code": "OK", "events": [], **_TIMES}
    listed = [{"message.role": "user", "message.content": MAIL}]
    table = {
        **span, "context.span_id": "s2", "context.trace_id": "t1", "attributes.llm.input_messages": listed,
        "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": MAIL}],
        "attributes.llm.model_name": "gpt-4o", "attributes.metadata": {"step": MAIL}, "attributes.session.id": MAIL,
    }  # fmt: skip
    nested = {"llm": {"model_name": "gpt-4o", "input_messages": [{"message": {"role": "user", "content": MAIL}}]}}
    return [
        {
            **span,
            "span_kind": "AGENT",
            "parent_id": None,
            "context": {"trace_id": "t1", "span_id": "p1"},
            "attributes": {},
        },
        {**span, "id": "x", "context": {"trace_id": "t1", "span_id": "s1"}, "attributes": told},
        table,
        {**span, "context": {"trace_id": "t1", "span_id": "s3"}, "attributes": nested, "status_code": "ERROR"},
    ]


SEEDS = {
    "atif": _atif(),
    "autogen": _autogen(),
    "bedrock": _bedrock(),
    "claude_code": _claude_code(),
    "inspect_ai": _inspect_ai(),
    "langfuse": _langfuse(),
    "langsmith": _langsmith(),
    "litellm": _litellm(),
    "mint": _mint(),
    "metagpt": _metagpt(),
    "mlflow": _mlflow(),
    "openai_agents": _openai_agents(),
    "openai_batch": _openai_batch(),
    "openai_chat_dataset": _openai_chat_dataset(),
    "openai_pairs": _openai_pairs(),
    "openhands": _openhands(),
    "otlp": _otlp(),
    "phoenix": _phoenix(),
    "smolagents": _smolagents(),
    "stored_completions": _stored_completions(),
    "swe_agent": _swe_agent(),
    "tau_bench": _tau_bench(),
    "vcr": _vcr(),
    "vertex": _vertex(),
    "weave": _weave(),
}
"""Records by the name of their format. A format that is read and has none here fails a test."""
