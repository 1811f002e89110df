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


FORMAT = Format(
    name="openai_pairs",
    title="OpenAI-shaped request/response pairs",
    recognises=_recognises,
    carriers=_CARRIERS,
    request_at=_REQUEST_AT,
    response_at=_RESPONSE_AT,
    prompt_setting="log the request body beside the response (`request.messages`, or `request.input` for Responses)",
)
