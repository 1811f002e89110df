"""Vertex AI's request-response logging: rows of its BigQuery table, exported as JSON lines or CSV."""

from __future__ import annotations

from slmlens.logs.cloud import is_vertex, vertex_calls
from slmlens.logs.formats.declaration import Format

# cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging (sampling rate, table's columns).
_SWITCHES = {
    "prompts": "Export the column `full_request`.",
    "answers": "Export the column `full_response`.",
    "tokens": "Export `full_response` whole: counts stand in `usageMetadata`.",
    "sessions": 'Send `labels: {"session_id": ...}` with each request.',
    "users": 'Send `labels: {"user_id": ...}` with each request.',
    "steps": 'Send `labels: {"step": ...}` with each request.',
    "services": 'Send `labels: {"service": ...}` with each request.',
    "latency": "Nothing to set: the table holds no latencies.",
    "window": "Export two weeks or more. If the table logs a sample, say so with `--sampling-rate`.",
}

FORMAT = Format(
    name="vertex",
    title="Vertex AI's request-response log",
    recognises=is_vertex,
    prompt_setting="export the column `full_request`",
    parts=vertex_calls,
    verified=False,
    switches=_SWITCHES,
)
