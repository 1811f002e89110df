"""LiteLLM's records of a call - the payload of its loggers, and the rows of its spend table - as request and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import decoded, object_of
from slmlens.logs.units import utc_microseconds

Record = Mapping[str, object]

_TEXT_CALLS = frozenset({
    "completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses", "anthropic_messages",
    "aanthropic_messages", "generate_content", "agenerate_content", "generate_content_stream",
    "agenerate_content_stream", "pass_through_endpoint", "allm_passthrough_route",
})  # fmt: skip
_HIDDEN = "redacted-by-litellm"
_ASKED = ("tools", "functions", "tool_choice", "response_format", "text", "instructions", "system")
_PAYLOAD = frozenset({"model_map_information", "hidden_params", "model_parameters", "standard_logging_object"})
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def is_litellm(record: Record) -> bool:
    """Tell whether a record is LiteLLM's: a logging payload, or a row of the spend table.

    :param record: One row or document.
    """
    if "call_type" not in record:
        return False
    return ("response_cost" in record and bool(_PAYLOAD & record.keys())) or {"request_id", "spend"} <= record.keys()


def parts(record: Record) -> Iterator[Record]:
    """Yield the call that a record holds; nothing for an embedding, another service, or an answer out of the cache.

    :param record: A payload or a row.
    """
    kind = string(record.get("call_type"))
    if (kind is not None and kind not in _TEXT_CALLS) or str(record.get("cache_hit")).lower() == "true":
        return
    metadata = object_of(decoded(record.get("metadata")))
    asked = _request(record)
    response = decoded(record.get("response"))
    yield {
        **({"request": asked} if asked else {}),
        **({"response": response} if response not in (None, "", {}, [], _HIDDEN) else {}),
        **_around(record, metadata),
    }


def _request(record: Record) -> Body:
    """Return the request; what the proxy was sent is whole where it was stored, else messages and parameters are."""
    sent = object_of(decoded(record.get("proxy_server_request")))
    sent = object_of(decoded(sent.get("body"))) or sent
    parameters = object_of(decoded(record.get("model_parameters")))
    body: Body = {key: one for key, one in sent.items() if one not in (None, "", [], {})}
    body |= {key: parameters[key] for key in _ASKED if parameters.get(key) and key not in body}
    messages = decoded(record.get("messages"))
    if isinstance(messages, str) and messages and messages != _HIDDEN:
        body.setdefault("messages", [{"role": "user", "content": messages}])
    elif isinstance(messages, list) and messages and not _is_hidden(messages):
        body["messages"] = messages
    if not {"messages", "prompt", "input", "contents"} & body.keys():
        return {}
    return {"model": string(record.get("model_group")) or string(record.get("model")), **body}


def _is_hidden(messages: list[object]) -> bool:
    return all(object_of(one).get("content") == _HIDDEN for one in messages)


def _around(record: Record, metadata: Body) -> Body:
    requester = object_of(metadata.get("requester_metadata")) or object_of(metadata.get("spend_logs_metadata"))
    team = string(metadata.get("user_api_key_team_alias")) or string(record.get("team_id"))
    failed = record.get("status") == "failure" or metadata.get("status") == "failure" or bool(record.get("error_str"))
    usage = object_of(object_of(decoded(record.get("response"))).get("usage"))
    trace = string(record.get("trace_id"))  # older versions write the session's id here
    return {
        "id": record.get("id") or record.get("request_id"),
        "session_id": string(record.get("session_id")) or string(requester.get("session_id")) or trace,
        "trace_id": trace,
        "end_user": string(record.get("end_user")) or string(record.get("user")),
        "service": string(metadata.get("user_api_key_alias")),
        "start_time": record.get("startTime"),
        "end_time": record.get("endTime"),
        **_first_token(record),
        "model": string(record.get("model")),
        "provider": string(record.get("custom_llm_provider")),
        "api_base": string(record.get("api_base")),
        "response_cost": record.get("response_cost", record.get("spend")),
        "request_tags": decoded(record.get("request_tags")),
        "usage": None if usage else object_of(metadata.get("usage_object")) or None,
        **{name: record.get(name) for name in _COUNTS},
        **({"team": team} if team else {}),
        **({"error": "failure"} if failed else {}),
        "metadata": requester,
    }


def _first_token(record: Record) -> Body:
    """Return when the first token came, which is told of streams only: else it is the end."""
    began, spoke = (utc_microseconds(record.get(key)) for key in ("startTime", "completionStartTime"))
    if began is None or spoke is None or spoke < began or record.get("stream") is not True:
        return {}
    return {"ttft_ms": (spoke - began) / 1_000}
