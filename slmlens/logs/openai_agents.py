"""Rows of the OpenAI Agents SDK's trace export as spans."""

from __future__ import annotations

from collections.abc import Mapping

from slmlens.logs.dialects import answer_body, request_body, with_echoed
from slmlens.logs.exchange import Body, NotACallError, string
from slmlens.logs.spans import AGENT, LLM, OTHER, TOOL, TRACE, Span, put

Record = Mapping[str, object]

_ROLES = {"generation": LLM, "response": LLM, "agent": AGENT, "task": AGENT, "turn": AGENT, "function": TOOL}
_DEFAULT_WORKFLOW = "Agent workflow"
_CONTENT_KEYS = frozenset({"span_id", "trace_id", "input", "response"})


def is_agents_row(record: Record) -> bool:
    """Tell whether a record is a trace, a span, or the content of a response span.

    :param record: One row.
    """
    return record.get("object") in ("trace", "trace.span") or record.keys() >= _CONTENT_KEYS


def read_row(row: Record) -> Span:
    """Return the span that a row stands for.

    :param row: A row of the export, or ``{span_id, trace_id, input, response}``.
    :raises NotACallError: If it is neither.
    """
    kind = row.get("object")
    if kind == "trace":
        return _trace(row)
    if kind == "trace.span":
        return _span(row)
    if row.keys() >= _CONTENT_KEYS:
        span = Span(LLM, string(row.get("trace_id")), string(row.get("span_id")), details=True)
        _read_response(span, row)
        return span
    raise NotACallError("neither a trace nor a span of the Agents SDK", rejected=True)


def _trace(row: Record) -> Span:
    span = Span(TRACE, string(row.get("id")), None, name=string(row.get("workflow_name")))
    put(span.values, "session", "session_id", string(row.get("group_id")))
    if span.name != _DEFAULT_WORKFLOW:
        put(span.values, "service", "service_name", span.name)
    metadata = row.get("metadata")
    own = metadata if isinstance(metadata, dict) else {}
    put(span.values, "user", "user_id", string(own.get("user_id")))
    span.tags = [f"{key}:{value}" for key, value in own.items() if isinstance(value, str) and key in ("env", "team")]
    return span


def _span(row: Record) -> Span:
    data = row.get("span_data")
    held: Body = data if isinstance(data, dict) else {}
    role = _ROLES.get(str(held.get("type")), OTHER)
    span = Span(role, string(row.get("trace_id")), string(row.get("id")), string(row.get("parent_id")))
    span.scope = "openai-agents"
    span.failed = bool(row.get("error"))
    name = string(held.get("name"))
    if role == AGENT:
        span.strong = name
    put(span.values, "started", "started_at", row.get("started_at"))
    put(span.values, "ended", "ended_at", row.get("ended_at"))
    if role != LLM:
        return span
    if held.get("type") == "response":
        _read_response(span, held)
        return span
    span.request = request_body(held.get("input"))
    span.response = answer_body(held.get("output"))
    put(span.values, "requested", "requested_model", string(held.get("model")))
    put(span.values, "usage", "usage", held.get("usage"))
    return span


def _read_response(span: Span, held: Record) -> None:
    response = held.get("response")
    put(span.values, "provider", "provider", "openai")
    if not isinstance(response, dict):
        own = string(held.get("response_id"))
        span.response = {"object": "response", "id": own, "output": []} if own else None
        put(span.values, "usage", "usage", held.get("usage"))
        return
    span.response = response
    span.request = with_echoed(request_body(held.get("input")), response)
