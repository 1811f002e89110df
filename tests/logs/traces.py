"""One made-up conversation of a library's agent, written as each tracer would write it."""

from __future__ import annotations

import json
from collections.abc import Mapping

SYSTEM = "You lend books."
ASKED = "Is Middlemarch in?"
TOOL = "find_book"
ARGUMENTS = {"title": "Middlemarch"}
FOUND = "two copies, shelf 4"
ANSWER = "Yes, two copies."
PARAMETERS = {"type": "object", "properties": {"title": {"type": "string"}}}
START = 1_790_000_000_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"

CHAT = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": ASKED},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {
        "name": TOOL, "arguments": json.dumps(ARGUMENTS)}}]},
    {"role": "tool", "tool_call_id": "c1", "content": FOUND},
]  # fmt: skip
PARTS = [
    {"role": "system", "parts": [{"type": "text", "content": SYSTEM}]},
    {"role": "user", "parts": [{"type": "text", "content": ASKED}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": TOOL, "arguments": ARGUMENTS}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": FOUND}]},
]
EXPECTED = [
    ("system", SYSTEM),
    ("user", ASKED),
    ("assistant", f"{TOOL}({json.dumps(ARGUMENTS, separators=(',', ':'))})"),
    ("tool", FOUND),
]
DECLARED = {"type": "function", "function": {"name": TOOL, "description": "Looks it up", "parameters": PARAMETERS}}


def current() -> dict[str, object]:
    """OpenTelemetry's current conventions: messages as JSON texts on the span."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 90,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.input.messages": json.dumps(PARTS[1:]),
        "gen_ai.system_instructions": json.dumps(PARTS[0]["parts"]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]),
        "gen_ai.tool.definitions": json.dumps([DECLARED["function"] | {"type": "function"}]),
        "gen_ai.conversation.id": "reader-1",
    }


def openllmetry() -> dict[str, object]:
    """Numbered keys, as OpenLLMetry wrote them before March 2026."""
    made: dict[str, object] = {
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.usage.prompt_tokens": 90,
        "gen_ai.usage.completion_tokens": 7,
        "gen_ai.usage.cache_read_input_tokens": 64,
        "llm.request.functions.0.name": TOOL,
        "llm.request.functions.0.parameters": json.dumps(PARAMETERS),
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": ANSWER,
        "gen_ai.completion.0.finish_reason": "stop",
        "traceloop.association.properties.session_id": "reader-1",
    }
    for place, one in enumerate(CHAT):
        made[f"gen_ai.prompt.{place}.role"] = one["role"]
        if one["content"] is not None:
            made[f"gen_ai.prompt.{place}.content"] = one["content"]
    made |= {
        "gen_ai.prompt.2.tool_calls.0.name": TOOL,
        "gen_ai.prompt.2.tool_calls.0.arguments": json.dumps(ARGUMENTS),
    }
    return made


def openinference() -> dict[str, object]:
    """OpenInference's numbered messages, without the raw bodies."""
    made: dict[str, object] = {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.model_name": "gpt-4o-2024-08-06",
        "llm.invocation_parameters": json.dumps({"model": "gpt-4o"}),
        "llm.token_count.prompt": 90,
        "llm.token_count.completion": 7,
        "llm.token_count.prompt_details.cache_read": 64,
        "llm.tools.0.tool.json_schema": json.dumps(DECLARED),
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": ANSWER,
        "llm.finish_reason": "stop",
        "session.id": "reader-1",
    }
    for place, one in enumerate(CHAT):
        made[f"llm.input_messages.{place}.message.role"] = one["role"]
        if one["content"] is not None:
            made[f"llm.input_messages.{place}.message.content"] = one["content"]
    call = "llm.input_messages.2.message.tool_calls.0.tool_call.function"
    return made | {f"{call}.name": TOOL, f"{call}.arguments": json.dumps(ARGUMENTS)}


def vercel() -> dict[str, object]:
    """The Vercel AI SDK's own attributes."""
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": [{"type": "text", "text": ASKED}]},
        {"role": "assistant", "content": [
            {"type": "tool-call", "toolCallId": "c1", "toolName": TOOL, "input": ARGUMENTS}]},
        {"role": "tool", "content": [
            {"type": "tool-result", "toolCallId": "c1", "toolName": TOOL, "output": {"type": "text", "value": FOUND}}]},
    ]  # fmt: skip
    return {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "openai.chat",
        "ai.model.id": "gpt-4o",
        "ai.response.model": "gpt-4o-2024-08-06",
        "ai.response.id": "chatcmpl-7",
        "ai.response.finishReason": "stop",
        "ai.response.text": ANSWER,
        "ai.prompt.messages": json.dumps(messages),
        "ai.prompt.tools": [json.dumps({"type": "function", "name": TOOL, "inputSchema": PARAMETERS})],
        "ai.usage.promptTokens": 90,
        "ai.usage.completionTokens": 7,
        "ai.usage.cachedInputTokens": 64,
        "ai.telemetry.metadata.sessionId": "reader-1",
    }


DIALECTS = {"current": current, "openllmetry": openllmetry, "openinference": openinference, "vercel": vercel}


def value(held: object) -> dict[str, object]:
    """Return a value as OTLP's AnyValue."""
    if isinstance(held, bool):
        return {"boolValue": held}
    if isinstance(held, int):
        return {"intValue": str(held)}
    if isinstance(held, list):
        return {"arrayValue": {"values": [value(one) for one in held]}}
    if isinstance(held, dict):
        return {"kvlistValue": {"values": attributes(held)}}
    return {"stringValue": held}


def attributes(held: Mapping[str, object]) -> list[dict[str, object]]:
    """Return attributes as OTLP's key-value pairs."""
    return [{"key": key, "value": value(one)} for key, one in held.items()]


def span(
    held: Mapping[str, object] | None = None,
    *,
    own: int = 1,
    parent: int = 0,
    name: str = "chat gpt-4o",
    **more: object,
) -> dict[str, object]:
    """Return one OTLP span; ``own`` and ``parent`` are the numbers of spans."""
    return {
        "traceId": TRACE,
        "spanId": f"{own:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": name,
        "startTimeUnixNano": str(START + own * 1_000_000),
        "endTimeUnixNano": str(START + own * 1_000_000 + 250_000_000),
        "attributes": attributes(held or {}),
        "status": {},
        **more,
    }


def request(*spans: object, service: str = "library", scope: str = "tracer") -> dict[str, object]:
    """Return an export request of spans, as one line of a collector's file holds it."""
    resource = {"attributes": attributes({"service.name": service})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def logs(*records: object) -> dict[str, object]:
    """Return an export request of log records."""
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": list(records)}]}]}


def event(name: str, body: object, *, own: int = 1, at: int = 0) -> dict[str, object]:
    """Return one log record that belongs to a span."""
    return {
        "traceId": TRACE,
        "spanId": f"{own:016x}",
        "observedTimeUnixNano": str(START + at),
        "eventName": name,
        "body": value(body),
    }


def observation(**columns: object) -> dict[str, object]:
    """Return one Langfuse observation in camel case; the default is the conversation's last call."""
    return {
        "id": "o1",
        "traceId": "t1",
        "type": "GENERATION",
        "name": "ChatOpenAI",
        "startTime": "2026-09-21T10:00:00.000Z",
        "endTime": "2026-09-21T10:00:01.500Z",
        "completionStartTime": "2026-09-21T10:00:00.400Z",
        "parentObservationId": None,
        "level": "DEFAULT",
        "model": "gpt-4o-2024-08-06",
        "input": json.dumps({"messages": CHAT, "tools": [DECLARED]}),
        "output": json.dumps({"role": "assistant", "content": ANSWER}),
        "usageDetails": {"input": 26, "input_cached_tokens": 64, "output": 7, "total": 97},
        "costDetails": {"input": 0.0002, "output": 0.0001, "total": 0.0003},
        "totalCost": 0.0003,
        "updatedAt": "2026-09-21T10:00:02.000Z",
        "metadata": "{}",
        **columns,
    }


def snake_case(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row as the blob export spells it."""
    renamed = {"model": "provided_model_name"}
    return {
        renamed.get(key, "".join(f"_{c.lower()}" if c.isupper() else c for c in key)): one for key, one in row.items()
    }
