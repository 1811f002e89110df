"""OpenAI-shaped request and response bodies in any envelope: home-made loggers, proxies, flywheels.

Shapes seen: ``{request, response}`` with anything beside it, ``{timestamp, workload_id, client_id, request, response}``
(NVIDIA Data Flywheel), ``{model, timestamp, request, response, usage}`` (frugon), ``{url, status, request,
response | response_stream}``, ``{messages, ..., response}`` (AutoGen's ``LLMCall``), ``{prompt, response}``, bare
answers, and usage records without texts.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record
from slmlens.logs.pairs import find_pair

_CARRIERS = ("_source", "payload", "event", "record", "log", "entry", "data", "message", "body", "json", "fields")
_REQUEST_AT = ("request", "request_body", "requestBody", "req", "llm_request", "input", "body", "kwargs", "params")
_RESPONSE_AT = (
    "response", "response_body", "responseBody", "resp", "llm_response", "response_stream", "stream", "chunks",
    "completion", "output", "result", "answer", "generation", "response_text", "output_text", "text",
)  # fmt: skip


def _recognises(record: Record) -> bool:
    return find_pair(record, FORMAT) is not None


# LiteLLM: docs.litellm.ai/docs/proxy/ui_logs. `include_usage`, `safety_identifier`: the reference of chat
# completions at developers.openai.com/api/reference. The names of fields are those of slmlens.logs.envelope.
_SWITCHES = {
    "prompts": (
        "Log the request body beside the response (`request.messages`, or `request.input` for Responses). "
        "LiteLLM proxy: `general_settings: store_prompts_in_spend_logs: true`."
    ),
    "answers": "Log the response body beside the request (`response`); of a stream, every chunk.",
    "tokens": 'Log the response\'s `usage`; ask streams for it: `stream_options: {"include_usage": true}`.',
    "cached_tokens": "Log `usage` whole, with `prompt_tokens_details.cached_tokens`.",
    "reasoning_tokens": "Log `usage` whole, with `completion_tokens_details.reasoning_tokens`.",
    "model": "Log the response's `model`, else the request's.",
    "price": "Log the vendor's name of the model (`response.model`) and `provider`, not a deployment's alias.",
    "sessions": "Write the conversation's id beside each call as `session_id`, or in the request's `metadata`.",
    "users": "Write `user_id` beside each call, or set the request's `safety_identifier`.",
    "traces": "Write `trace_id` beside each call.",
    "steps": "Write the name of the step beside each call as `step`, `prompt_name` or `agent_name`.",
    "services": "Write the name of the application beside each call as `service`.",
    "times": "Write the start of each call as `timestamp` (ISO 8601 with its zone).",
    "latency": "Write `latency_ms` beside each call, or `start_time` and `end_time`.",
    "tools": "Log the request's `tools` too.",
    "window": "Keep the log for two weeks or more, and name all of its files.",
}

FORMAT = Format(
    name="openai_pairs",
    title="OpenAI-shaped request/response pairs",
    recognises=_recognises,
    carriers=_CARRIERS,
    request_at=_REQUEST_AT,
    response_at=_RESPONSE_AT,
    prompt_setting="log the request body beside the response (`request.messages`, or `request.input` for Responses)",
    switches=_SWITCHES,
)
